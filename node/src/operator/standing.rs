//! Tells peers how far this operator has got with what it reads: the contracts and the beacon chain. People see it in a
//! preflight before they ask for a ceremony.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster_net::info::{Source, Standing};
use cluster_net::upkeep;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::beacon::Beacon;
use crate::chain::Status;
use crate::network::Client;

/// Between two looks at what changes without being announced.
const LOOK: Duration = Duration::from_secs(1);
/// A node that has read everything is behind for a moment with every block; that is not told.
const PATIENCE: Duration = Duration::from_secs(10);

/// What an operator reads.
pub(super) struct Sources {
    pub(super) chain: Option<watch::Receiver<Status>>,
    pub(super) beacon: Option<Arc<dyn Beacon>>,
}

/// Tells it until the node stops, with what else this release can do.
pub(super) async fn tell(client: Client, sources: Sources, stop: CancellationToken) {
    let can = vec![upkeep::CAPABILITY.to_owned()];
    if sources.chain.is_none() && sources.beacon.is_none() {
        return client.set_capabilities(can);
    }
    let work = async {
        let mut caught_up = None;
        loop {
            let mut told = can.clone();
            if let Some(status) = &sources.chain {
                if status.borrow().caught_up {
                    caught_up = Some(Instant::now());
                }
                let recent = caught_up.is_some_and(|at| at.elapsed() < PATIENCE);
                told.push(standing(recent).capability(Source::Chain).to_owned());
            }
            if let Some(beacon) = &sources.beacon {
                let ready = beacon.health().iter().any(|node| node.state.serves_head());
                told.push(standing(ready).capability(Source::Beacon).to_owned());
            }
            client.set_capabilities(told);
            tokio::time::sleep(LOOK).await;
        }
    };
    stop.run_until_cancelled(work).await.unwrap_or(())
}

fn standing(ready: bool) -> Standing {
    if ready {
        Standing::Ready
    } else {
        Standing::Behind
    }
}
