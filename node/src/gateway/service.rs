//! Between gateway and service: the long poll for requests, and reports of progress.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster_core::ceremony::CeremonyId;
use cluster_core::committee::OperatorId;
use cluster_core::request::SignedRequest;
use cluster_crypto::identity;
use cluster_net::publish::Progress;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::intake::{Intake, IntakeError};
use super::Shared;
use crate::driver::results::kind_name;
use crate::metrics::{Metrics, OutcomeLabel};
use crate::service_client::{CallError, PolledRequests, ProgressReport, ReportedCulprit, ServiceClient};
use crate::store::Table;

/// Reports that wait; they serve people, so the newest are dropped when there are more.
const REPORTS: usize = 1024;
/// First pause after a failed call; doubles.
const RETRY_MIN: Duration = Duration::from_millis(500);
/// Pause after an empty answer that came at once, so that a service that does not wait is not hammered.
const IDLE_PAUSE: Duration = Duration::from_millis(250);
/// Requests of one answer that are looked at.
const BATCH: usize = 256;
const CURSOR_KEY: &[u8] = b"cursor";

/// Asks the service for requests until the gateway stops. The cursor is on disk after the requests are.
pub(super) async fn poll(shared: Arc<Shared>, service: ServiceClient, intake: Intake) {
    let stop = shared.stop.clone();
    let work = async {
        let mut cursor = stored_cursor(&shared);
        let mut retry = RETRY_MIN;
        loop {
            let began = Instant::now();
            let wait = Duration::from_millis(shared.config.service.poll_ms);
            match service.poll_requests(&shared.loaded.identity, cursor.as_deref(), wait).await {
                Ok(polled) => {
                    count(&shared.metrics, "ok");
                    retry = RETRY_MIN;
                    let empty = polled.requests.is_empty();
                    match take(&shared, &intake, polled).await {
                        Some(next) => cursor = Some(next),
                        None => tokio::time::sleep(retry).await,
                    }
                    if empty && began.elapsed() < IDLE_PAUSE {
                        tokio::time::sleep(IDLE_PAUSE).await;
                    }
                }
                Err(error) => {
                    count(&shared.metrics, "retry");
                    tracing::warn!(%error, retry_ms = retry.as_millis(), "polling the service failed and is tried again");
                    tokio::time::sleep(retry).await;
                    retry = (retry * 2).min(Duration::from_millis(shared.config.service.retry_max_ms));
                }
            }
        }
    };
    stop.run_until_cancelled(work).await.unwrap_or(())
}

/// Takes the requests of one answer; the next cursor, or `None` when the same answer is wanted again.
async fn take(shared: &Arc<Shared>, intake: &Intake, polled: PolledRequests) -> Option<String> {
    let next = match &polled.cursor {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let (shared, intake, cursor) = (Arc::clone(shared), intake.clone(), next.clone());
    let work = move || {
        let complete = polled.requests.iter().take(BATCH).all(|signed| take_one(&intake, signed));
        complete
            && shared
                .store
                .put(Table::Requests, CURSOR_KEY, cursor.as_bytes())
                .and_then(|()| shared.store.flush())
                .is_ok()
    };
    let complete = tokio::task::spawn_blocking(work).await.unwrap_or(false);
    complete.then_some(next)
}

/// False when the request should be taken later.
fn take_one(intake: &Intake, signed: &SignedRequest) -> bool {
    match intake.submit(signed) {
        // Another gateway, or an earlier answer of the service, was faster.
        Ok(_) | Err(IntakeError::Replayed { .. }) => true,
        Err(error) => !error.is_transient(),
    }
}

fn stored_cursor(shared: &Shared) -> Option<String> {
    let bytes = shared.store.get(Table::Requests, CURSOR_KEY).ok().flatten()?;
    String::from_utf8(bytes).ok()
}

/// Queues reports of progress for the service.
#[derive(Clone)]
pub(crate) struct Reports {
    queue: Option<mpsc::Sender<(CeremonyId, ProgressReport)>>,
}

impl Reports {
    pub(super) fn start(
        service: Option<ServiceClient>,
        identity: identity::SecretKey,
        metrics: Metrics,
        stop: &CancellationToken,
        tasks: &TaskTracker,
    ) -> Self {
        let Some(service) = service else { return Self { queue: None } };
        let (queue, mut receiver) = mpsc::channel(REPORTS);
        let stop = stop.clone();
        tasks.spawn(async move {
            while let Some(Some((ceremony_id, report))) = stop.run_until_cancelled(receiver.recv()).await {
                stop.run_until_cancelled(send(&service, &identity, &metrics, ceremony_id, &report)).await;
            }
        });
        Self { queue: Some(queue) }
    }

    /// Passes on what an operator told about a ceremony.
    pub(super) fn offer(&self, from: OperatorId, progress: &Progress) {
        let Some(queue) = &self.queue else { return };
        let culprits = progress.culprits.iter();
        let report = ProgressReport {
            operator_id: from.0,
            step: progress.step.name().to_owned(),
            at_ms: progress.at_ms,
            culprits: culprits
                .map(|culprit| ReportedCulprit { operator_id: culprit.operator_id.0, kind: kind_name(culprit.kind) })
                .collect(),
            aborted: progress.aborted.clone(),
        };
        let _ = queue.try_send((progress.ceremony_id, report));
    }
}

async fn send(
    service: &ServiceClient,
    identity: &identity::SecretKey,
    metrics: &Metrics,
    ceremony_id: CeremonyId,
    report: &ProgressReport,
) {
    // The end of a ceremony is worth more patience than a step of it.
    let attempts = if report.aborted.is_some() { 6 } else { 2 };
    let mut pause = RETRY_MIN;
    for _ in 0..attempts {
        match service.progress(identity, ceremony_id, report).await {
            Ok(()) => return count(metrics, "ok"),
            Err(CallError::Transient { reason, .. }) => {
                count(metrics, "retry");
                tracing::debug!(%ceremony_id, reason, "a report of progress did not arrive");
            }
            Err(error) => {
                count(metrics, "refused");
                tracing::debug!(%ceremony_id, %error, "the service refused a report of progress");
                return;
            }
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}

fn count(metrics: &Metrics, outcome: &'static str) {
    metrics.service_calls.get_or_create(&OutcomeLabel { outcome }).inc();
}
