//! Tells the service which operators are alive and what they run: only who answers the info protocol now, over a connection
//! that its key authenticated, is reported. Figures serve people; nothing waits for them.

use std::sync::Arc;
use std::time::Duration;

use cluster_core::committee::OperatorId;
use futures::StreamExt;
use libp2p::PeerId;

use super::Shared;
use crate::service_client::{now_ms, CallError, HeardOperator, OperatorsReport, ServiceClient};

/// Operators that are asked at a time.
const ASKED_AT_ONCE: usize = 16;
/// Before the first round, so that connections are there and a service that was empty is not so for long.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// Longest version that the service takes; a peer may send a longer one, or anything else.
const VERSION_CHARS: usize = 32;
/// Stands for a version that is none.
const UNREADABLE: &str = "?";
/// Operators that the service refuses by name in one round; it may be behind in reading the contracts.
const REFUSED: usize = 64;

/// Works in rounds until the gateway stops.
pub(super) async fn run(shared: Arc<Shared>, service: ServiceClient) {
    let stop = shared.stop.clone();
    let period = Duration::from_millis(shared.config.publish.operators_ms);
    let work = async {
        tokio::time::sleep(period.min(FIRST_PAUSE)).await;
        loop {
            let heard = ask(&shared).await;
            publish(&shared, &service, heard).await;
            tokio::time::sleep(period).await;
        }
    };
    stop.run_until_cancelled(work).await.unwrap_or(())
}

/// Every connected operator that answers.
async fn ask(shared: &Shared) -> Vec<HeardOperator> {
    let client = &shared.client;
    let peer_of = |id: OperatorId| client.peer_of(id).filter(|peer| client.connected(peer));
    let operators = shared.loaded.registry.operators().into_iter();
    let connected: Vec<(OperatorId, PeerId)> =
        operators.filter_map(|entry| Some((entry.id, peer_of(entry.id)?))).collect();
    let answers = futures::stream::iter(connected).map(|(operator, peer)| async move {
        match client.info(peer).await {
            Ok(info) => {
                Some(HeardOperator { operator_id: operator.0, version: readable(info.version), last_seen_ms: now_ms() })
            }
            Err(error) => {
                tracing::debug!(operator_id = operator.0, %error, "operator {operator} did not say what it runs");
                None
            }
        }
    });
    answers.buffer_unordered(ASKED_AT_ONCE).filter_map(|answer| async move { answer }).collect().await
}

/// What one peer says about itself must not keep what the others say from the service.
pub(super) fn readable(version: String) -> String {
    let fits = (1..=VERSION_CHARS).contains(&version.len()) && version.bytes().all(|byte| byte.is_ascii_graphic());
    if fits {
        version
    } else {
        UNREADABLE.to_owned()
    }
}

/// One call, and again without those of whom the service does not want to hear.
async fn publish(shared: &Shared, service: &ServiceClient, heard: Vec<HeardOperator>) {
    let mut report = OperatorsReport { operators: heard };
    for _ in 0..REFUSED {
        if report.operators.is_empty() {
            return;
        }
        match service.report_operators(&shared.loaded.identity, &report).await {
            Ok(()) => return,
            Err(CallError::Refused { field, detail, .. }) => {
                let named = field.as_deref().and_then(position).filter(|at| *at < report.operators.len());
                let Some(at) = named else {
                    tracing::warn!(detail, "the service refused what operators run: {detail}");
                    return;
                };
                let operator = report.operators.remove(at).operator_id;
                tracing::debug!(
                    operator_id = operator,
                    detail,
                    "the service does not take a report about operator {operator}: {detail}"
                );
            }
            Err(error @ CallError::Transient { .. }) => {
                tracing::debug!(%error, "telling what operators run failed; the next round tells it again");
                return;
            }
        }
    }
}

/// The number in `operators[7].operator_id`. Nothing but the operator can be wrong with one entry and not with all.
fn position(field: &str) -> Option<usize> {
    field.strip_prefix("operators[")?.strip_suffix("].operator_id")?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_claims_to_run_is_made_fit_for_the_service() {
        for good in ["0.1.0", "1.12.3-rc.1+abc", &"9".repeat(VERSION_CHARS)] {
            assert_eq!(readable(good.to_owned()), good);
        }
        for bad in ["", "0.1 0", "\u{fc}", "1\n", &"9".repeat(VERSION_CHARS + 1)] {
            assert_eq!(readable(bad.to_owned()), UNREADABLE);
        }
    }

    #[test]
    fn the_refused_entry_is_found_by_the_name_of_its_field() {
        assert_eq!(position("operators[12].operator_id"), Some(12));
        for other in [
            "operators",
            "operators[].operator_id",
            "operators[-1].operator_id",
            "operators[3].last_seen_ms",
            "operators[3",
        ] {
            assert_eq!(position(other), None, "{other}");
        }
    }
}
