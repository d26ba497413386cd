//! Owners' questions whether a committee is fit, taken from the service and answered: each operator is asked over the mesh, as
//! `cluster-node preflight` asks it. Answers serve people; an answer that cannot be delivered is lost, and the owner asks again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster_core::committee::{check_ids, OperatorId};
use cluster_net::info::{Source, Standing, VersionRange};
use futures::future::join_all;
use tokio::sync::Semaphore;

use super::operators::readable;
use super::Shared;
use crate::preflight::{self, Answer, Finding};
use crate::service_client::{OpenPreflight, OperatorFinding, PreflightReport, ServiceClient};

/// Time for a connection to an operator that has none; the service gives a question to another gateway after twelve seconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// Questions that are worked on at a time; further ones stay with the service.
const AT_ONCE: usize = 8;
/// First pause after a failed call; doubles.
const RETRY_MIN: Duration = Duration::from_millis(500);
/// Pause after an empty answer that came at once, so that a service that does not wait is not hammered.
const IDLE_PAUSE: Duration = Duration::from_millis(250);
/// What the service takes of one operator; a peer may tell more.
const NAMES: usize = 32;
const NAME_CHARS: usize = 64;
const PROBLEMS: usize = 8;
const PROBLEM_CHARS: usize = 256;
/// The longest difference of clocks that is told, a hundred years: numbers in JSON are doubles.
const SKEW_MAX_MS: i64 = 100 * 366 * 24 * 3_600 * 1_000;

/// Asks the service for questions until the gateway stops.
pub(super) async fn run(shared: Arc<Shared>, service: ServiceClient) {
    let stop = shared.stop.clone();
    let work = async {
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        let wait = Duration::from_millis(shared.config.service.poll_ms);
        let mut retry = RETRY_MIN;
        loop {
            // What is taken here waits for nobody else's operators: further questions stay where other gateways find them.
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
            drop(slot);
            let began = Instant::now();
            match service.poll_preflights(&shared.loaded.identity, wait).await {
                Ok(polled) => {
                    retry = RETRY_MIN;
                    if polled.preflights.is_empty() && began.elapsed() < IDLE_PAUSE {
                        tokio::time::sleep(IDLE_PAUSE).await;
                    }
                    for question in polled.preflights.into_iter().take(AT_ONCE) {
                        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
                        let (shared, service) = (Arc::clone(&shared), service.clone());
                        let stop = shared.stop.clone();
                        let answering = async move {
                            answer(&shared, &service, &question).await;
                            drop(slot);
                        };
                        tokio::spawn(async move { stop.run_until_cancelled(answering).await });
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, retry_ms = retry.as_millis(), "asking the service for preflights failed and is tried again");
                    tokio::time::sleep(retry).await;
                    retry = (retry * 2).min(Duration::from_millis(shared.config.service.retry_max_ms));
                }
            }
        }
    };
    stop.run_until_cancelled(work).await.unwrap_or(())
}

async fn answer(shared: &Shared, service: &ServiceClient, question: &OpenPreflight) {
    let operators = &question.operator_ids;
    if let Err(error) = check_ids(operators) {
        tracing::warn!(%error, "the service asks for a preflight of what is no committee: {error}");
        return;
    }
    let client = &shared.client;
    client.keep(operators.iter().filter_map(|id| client.peer_of(*id)).collect()).await;
    let registry = shared.loaded.registry.as_ref();
    let findings = join_all(operators.iter().map(|id| preflight::ask(client, registry, *id, PATIENCE))).await;
    let report = PreflightReport { operators: findings.into_iter().map(told).collect() };
    if let Err(error) = service.report_preflight(&shared.loaded.identity, &question.preflight_id, &report).await {
        tracing::warn!(%error, "what a preflight found could not be told to the service: {error}");
    }
}

/// What the service takes: a peer's words are cut to its bounds.
fn told(finding: Finding) -> OperatorFinding {
    let Finding { operator, answer, .. } = finding;
    match answer {
        Ok(answer) => told_answer(operator, answer),
        Err(problem) => OperatorFinding {
            operator_id: operator.0,
            reachable: false,
            round_trip_ms: None,
            version: None,
            clock_skew_ms: None,
            open_ceremonies: None,
            chain: None,
            beacon: None,
            protocols: Vec::new(),
            capabilities: Vec::new(),
            problems: sentences(vec![problem]),
        },
    }
}

fn told_answer(operator: OperatorId, answer: Answer) -> OperatorFinding {
    let Answer { info, round_trip, skew_ms, problems } = answer;
    let standing = |source| {
        Standing::told(&info, source).map(|standing| match standing {
            Standing::Ready => "ready".to_owned(),
            Standing::Behind => "behind".to_owned(),
        })
    };
    let is_plain = |range: &VersionRange| is_name(&range.protocol);
    OperatorFinding {
        operator_id: operator.0,
        reachable: true,
        round_trip_ms: Some(u32::try_from(round_trip.as_millis()).unwrap_or(u32::MAX)),
        clock_skew_ms: Some(skew_ms.clamp(-SKEW_MAX_MS, SKEW_MAX_MS)),
        open_ceremonies: Some(info.open_ceremonies),
        chain: standing(Source::Chain),
        beacon: standing(Source::Beacon),
        protocols: info.protocols.iter().filter(|range| is_plain(range)).take(NAMES).cloned().collect(),
        capabilities: info.capabilities.iter().filter(|name| is_name(name)).take(NAMES).cloned().collect(),
        problems: sentences(problems),
        version: Some(readable(info.version)),
    }
}

fn is_name(text: &str) -> bool {
    (1..=NAME_CHARS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn sentences(problems: Vec<String>) -> Vec<String> {
    let line = |text: String| text.chars().filter(|one| !one.is_control()).take(PROBLEM_CHARS).collect();
    problems.into_iter().take(PROBLEMS).map(line).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use cluster_net::info::{Info, Role};

    fn claims(capabilities: Vec<String>, protocols: Vec<VersionRange>, version: &str) -> Answer {
        let info = Info {
            operator_id: Some(OperatorId(1)),
            role: Role::Operator,
            chain_id: 1,
            version: version.to_owned(),
            protocols,
            capabilities,
            clock_ms: 0,
            open_ceremonies: 2,
            addresses: Vec::new(),
        };
        Answer { info, round_trip: Duration::from_millis(7), skew_ms: i64::MAX, problems: vec!["a\nb".repeat(200); 9] }
    }

    #[test]
    fn what_a_peer_claims_is_cut_to_what_the_service_takes() {
        let names = |name: &str| vec![name.to_owned(); NAMES + 1];
        let told = told_answer(OperatorId(1), claims(names("chain:behind"), Vec::new(), "0.1.0"));
        assert_eq!((told.capabilities.len(), told.chain.as_deref(), told.beacon), (NAMES, Some("behind"), None));
        assert_eq!((told.problems.len(), told.problems[0].len()), (PROBLEMS, PROBLEM_CHARS));
        assert!(told.problems.iter().all(|text| !text.contains('\n')));
        assert_eq!(told.clock_skew_ms, Some(SKEW_MAX_MS));
        let long = "x".repeat(NAME_CHARS + 1);
        let odd = vec![
            VersionRange::new(long.clone(), 1, 1),
            VersionRange::new("d k g", 1, 1),
            VersionRange::new("dkg", 1, 2),
        ];
        let told =
            told_answer(OperatorId(1), claims(vec![long, "\u{7}".into(), "beacon:ready".into()], odd, "no\nversion"));
        assert_eq!(told.protocols, [VersionRange::new("dkg", 1, 2)]);
        assert_eq!((told.capabilities, told.beacon.as_deref()), (vec!["beacon:ready".to_owned()], Some("ready")));
        assert_eq!(told.version.as_deref(), Some("?"));
    }
}
