//! Tells the service what operators do for validators besides their duties: registration with builders, and exits. Each
//! operator speaks of itself; nothing is merged. Words serve people; nothing waits for them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cluster_core::committee::OperatorId;
use cluster_net::performance::{Request, Response};
use cluster_net::upkeep::{Upkeep, CAPABILITY};
use futures::StreamExt;
use libp2p::PeerId;

use super::Shared;
use crate::service_client::{CallError, ReportedUpkeep, ServiceClient};

/// Operators that are asked at a time: each answer may take a megabyte.
const ASKED_AT_ONCE: usize = 8;
/// Validators in one call to the service, which takes no more.
const VALIDATORS: usize = 500;

/// Works in rounds until the gateway stops.
pub(super) async fn run(shared: Arc<Shared>, service: ServiceClient) {
    let stop = shared.stop.clone();
    let pause = Duration::from_millis(shared.config.publish.upkeep_ms);
    let work = async {
        // Revisions that the service has. After a restart of the gateway everything is told once more.
        let mut told: BTreeMap<OperatorId, u64> = BTreeMap::new();
        loop {
            tokio::time::sleep(pause).await;
            for (operator, upkeep) in ask(&shared, &told).await {
                match publish(&shared, &service, operator, &upkeep).await {
                    Ok(()) => {
                        told.insert(operator, upkeep.revision);
                    }
                    Err(error) => {
                        tracing::debug!(operator_id = operator.0, %error, "telling how registrations and exits stand failed and is tried again: {error}");
                        break;
                    }
                }
            }
        }
    };
    stop.run_until_cancelled(work).await.unwrap_or(())
}

/// Everything that is news, of every connected operator that understands the question.
async fn ask(shared: &Shared, told: &BTreeMap<OperatorId, u64>) -> Vec<(OperatorId, Upkeep)> {
    let client = &shared.client;
    let understands = |peer: &PeerId| {
        let status = client.peer(peer).filter(|status| status.connections > 0);
        let info = status.and_then(|status| status.info);
        info.is_some_and(|info| info.capabilities.iter().any(|name| name == CAPABILITY))
    };
    let operators = shared.loaded.registry.operators().into_iter();
    let asked: Vec<(OperatorId, PeerId)> =
        operators.filter_map(|entry| Some((entry.id, client.peer_of(entry.id).filter(understands)?))).collect();
    let answers = futures::stream::iter(asked).map(|(operator, peer)| async move {
        match client.ask_performance(peer, Request::Upkeep { known: told.get(&operator).copied() }).await {
            Ok(Response::Upkeep(upkeep)) => Some((operator, upkeep)),
            Ok(_) => None,
            Err(error) => {
                tracing::debug!(operator_id = operator.0, %error, "operator {operator} did not say how registrations and exits stand");
                None
            }
        }
    });
    answers.buffer_unordered(ASKED_AT_ONCE).filter_map(|answer| async move { answer }).collect().await
}

/// Tells the service, in parts. What it refuses for good is not told again until it changes.
async fn publish(
    shared: &Shared,
    service: &ServiceClient,
    operator: OperatorId,
    upkeep: &Upkeep,
) -> Result<(), CallError> {
    for part in upkeep.validators.chunks(VALIDATORS) {
        match service.report_upkeep(&shared.loaded.identity, &ReportedUpkeep::of(operator, part)).await {
            Err(error @ CallError::Refused { .. }) => {
                tracing::warn!(operator_id = operator.0, %error, "the service refused what operator {operator} says of its validators: {error}");
            }
            other => other?,
        }
    }
    Ok(())
}
