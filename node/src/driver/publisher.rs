//! Pushes to connected gateways: progress once, contributions with some patience. A gateway that missed one pulls it, so
//! nothing here is kept across restarts.

use std::time::Duration;

use cluster_core::ceremony::CeremonyId;
use cluster_core::certificate::Contribution;
use cluster_core::dkg::{Culprit, Step};
use cluster_core::machine::Time;
use cluster_net::codec::Encoded;
use cluster_net::gate::Member;
use cluster_net::publish::{CulpritName, Progress, Request, Response};
use cluster_net::{codec, limits};
use libp2p::PeerId;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::results::names;
use crate::network::Client;

/// Pushes that wait; beyond, gateways pull.
const QUEUE: usize = 1024;
/// Gateways that are pushed to: anybody may run one, and each push of 1,000 validators is 1 MB.
const GATEWAYS: usize = 8;
const ATTEMPTS: u32 = 5;

/// Queues pushes; never blocks.
#[derive(Clone)]
pub(crate) struct Publisher {
    queue: mpsc::Sender<Request>,
}

impl Publisher {
    /// Starts the task that pushes.
    pub(crate) fn start(client: Client, stop: CancellationToken, tasks: &TaskTracker) -> Self {
        let (queue, mut receiver) = mpsc::channel::<Request>(QUEUE);
        let inner_tasks = tasks.clone();
        tasks.spawn(async move {
            while let Some(Some(request)) = stop.run_until_cancelled(receiver.recv()).await {
                for peer in gateways(&client) {
                    let (client, request, stop) = (client.clone(), request.clone(), stop.clone());
                    // The mesh bounds what waits for one gateway; a push beyond that fails at once.
                    inner_tasks.spawn(async move { stop.run_until_cancelled(push(&client, peer, request)).await });
                }
            }
        });
        Self { queue }
    }

    pub(super) fn contribution(&self, _ceremony_id: CeremonyId, contribution: Encoded<Contribution>) {
        self.offer(Request::Contribution(contribution));
    }

    pub(super) fn progress(&self, ceremony_id: CeremonyId, step: Step, at: Time, culprits: &[Culprit]) {
        if step != Step::Aborted {
            self.offer(Request::Progress(Progress {
                ceremony_id,
                step,
                at_ms: at.0,
                culprits: names(culprits),
                aborted: None,
            }));
        }
    }

    pub(super) fn aborted(
        &self,
        ceremony_id: CeremonyId,
        step: Step,
        at: Time,
        culprits: Vec<CulpritName>,
        reason: String,
    ) {
        let aborted = Some(codec::cut(reason, limits::REASON_BYTES));
        self.offer(Request::Progress(Progress { ceremony_id, step, at_ms: at.0, culprits, aborted }));
    }

    fn offer(&self, request: Request) {
        // A full queue loses a push, which a gateway makes good by pulling.
        let _ = self.queue.try_send(request);
    }
}

fn gateways(client: &Client) -> Vec<PeerId> {
    let peers = client.peers().into_iter();
    let connected = peers.filter(|(_, status)| status.connections > 0 && matches!(status.member, Member::Gateway(_)));
    connected.map(|(peer, _)| peer).take(GATEWAYS).collect()
}

async fn push(client: &Client, peer: PeerId, request: Request) {
    let attempts = if matches!(request, Request::Contribution(_)) { ATTEMPTS } else { 1 };
    let mut pause = Duration::from_millis(200);
    for _ in 0..attempts {
        match client.send_publish(peer, request.clone()).await {
            Ok(Response::Refused { reason, .. }) => {
                tracing::debug!(%peer, reason, "the gateway refused a push");
                return;
            }
            Ok(_) => return,
            Err(error) if !error.is_transient() => return,
            Err(_) => tokio::time::sleep(pause).await,
        }
        pause *= 2;
    }
}
