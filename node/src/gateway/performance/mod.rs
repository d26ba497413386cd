//! Asks operators how duties were performed, merges what they say, and publishes it.
//!
//! | File | Part |
//! |---|---|
//! | `mod.rs` | asking and publishing, in rounds |
//! | `board.rs` | claims, until enough operators of a committee have spoken of an epoch |
//! | `merge.rs` | one figure out of several claims |
//!
//! Claims are kept in memory only: after a restart the gateway goes back some epochs with its questions. Publishing is
//! idempotent, so nothing is lost or counted twice by it. Figures serve people; no duty and no ceremony waits for them.

mod board;
pub mod merge;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cluster_core::committee::OperatorId;
use cluster_core::encoding::to_hex;
use cluster_net::performance::{Page, Request, Response};
use futures::StreamExt;
use libp2p::PeerId;

use super::Shared;
use crate::service_client::{
    CallError, KindFigures, PerformanceReport, ReportedOperator, ReportedValidator, ServiceClient,
};
use crate::store::{StoreError, Table};
use board::{Board, Due};
use merge::Merged;

/// Operators that are asked at a time: each answer may take 4 MiB.
const ASKED_AT_ONCE: usize = 8;
/// Questions to one operator in a round, of up to 16 epochs each.
const PAGES: usize = 4;
/// Epochs that are asked for again after a restart.
const REWIND: u64 = 32;
/// Validators in one call to the service, which takes no more.
const VALIDATORS: usize = 500;

/// Works in rounds until the gateway stops.
pub(super) async fn run(shared: Arc<Shared>, service: ServiceClient) {
    let stop = shared.stop.clone();
    let pause = Duration::from_millis(shared.config.publish.performance_ms);
    let work = async {
        let mut rounds = Rounds { shared, service, board: Board::default(), cursors: BTreeMap::new() };
        loop {
            tokio::time::sleep(pause).await;
            rounds.round().await;
        }
    };
    stop.run_until_cancelled(work).await.unwrap_or(())
}

struct Rounds {
    shared: Arc<Shared>,
    service: ServiceClient,
    board: Board,
    /// The next epoch to ask an operator for.
    cursors: BTreeMap<OperatorId, u64>,
}

impl Rounds {
    async fn round(&mut self) {
        for _ in 0..PAGES {
            let pages = self.ask().await;
            let is_last = pages.iter().all(|(_, page)| page.reports.is_empty());
            for (operator, page) in pages {
                self.take(operator, page).await;
            }
            if !self.publish().await || is_last {
                return;
            }
        }
    }

    /// One page of every connected operator that speaks the protocol.
    async fn ask(&mut self) -> Vec<(OperatorId, Page)> {
        let mut asked: Vec<(OperatorId, PeerId, u64)> = Vec::new();
        for entry in self.shared.loaded.registry.operators() {
            let Some(peer) = self.shared.client.peer_of(entry.id) else { continue };
            let speaks =
                self.shared.client.peer(&peer).filter(|status| status.connections > 0).and_then(|status| status.info);
            if speaks.is_some_and(|info| {
                info.protocols.iter().any(|range| range.protocol == "performance" && range.min <= 1)
            }) {
                asked.push((entry.id, peer, self.cursor(entry.id).await));
            }
        }
        let client = &self.shared.client;
        let answers = futures::stream::iter(asked).map(|(operator, peer, epoch)| async move {
            match client.ask_performance(peer, Request::Since { epoch }).await {
                // Whoever does not go forward would be asked for ever.
                Ok(Response::Page(page)) if page.next > epoch || page.reports.is_empty() => Some((operator, page)),
                Ok(_) => None,
                Err(error) => {
                    tracing::debug!(operator_id = operator.0, %error, "operator {operator} did not say how duties were performed");
                    None
                }
            }
        });
        answers.buffer_unordered(ASKED_AT_ONCE).filter_map(|answer| async move { answer }).collect().await
    }

    async fn take(&mut self, operator: OperatorId, page: Page) {
        let registry = Arc::clone(&self.shared.loaded.registry);
        for report in page.reports {
            if let Err(error) = self.board.take(operator, report, |id| registry.operator(id).is_some()) {
                tracing::warn!(operator_id = operator.0, %error, "a report of operator {operator} on duties is not taken: {error}");
            }
        }
        if self.cursors.insert(operator, page.next) == Some(page.next) {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let written = tokio::task::spawn_blocking(move || {
            shared.store.put(Table::Requests, &cursor_key(operator), &page.next.to_be_bytes())
        });
        // Without it some epochs are asked for once more after a restart.
        if let Ok(Err(error)) = written.await {
            tracing::debug!(%error, "a cursor was not written");
        }
    }

    async fn cursor(&mut self, operator: OperatorId) -> u64 {
        if let Some(cursor) = self.cursors.get(&operator) {
            return *cursor;
        }
        let shared = Arc::clone(&self.shared);
        let stored = tokio::task::spawn_blocking(move || stored_cursor(&shared, operator)).await;
        let cursor = stored.ok().and_then(Result::ok).flatten().unwrap_or(0).saturating_sub(REWIND);
        self.cursors.insert(operator, cursor);
        cursor
    }

    /// Publishes what enough operators have spoken of; false when the service cannot be reached now.
    async fn publish(&mut self) -> bool {
        for Due { committee, epoch, merged } in self.board.due() {
            for report in reports(epoch, &merged) {
                match self.service.publish_performance(&self.shared.loaded.identity, &report).await {
                    Ok(()) => {}
                    Err(error @ CallError::Refused { .. }) => {
                        tracing::warn!(epoch, %error, "the service refused how duties of epoch {epoch} were performed: {error}");
                    }
                    Err(error @ CallError::Transient { .. }) => {
                        tracing::debug!(epoch, %error, "publishing how duties were performed failed and is tried again");
                        return false;
                    }
                }
            }
            self.board.published(&committee, epoch, merged.claims);
        }
        true
    }
}

/// The calls that tell the service of one committee and epoch.
fn reports(epoch: u64, merged: &Merged) -> Vec<PerformanceReport> {
    let operators: Vec<ReportedOperator> =
        merged.seen.iter().map(|(id, seen)| ReportedOperator { operator_id: id.0, seen: *seen }).collect();
    let validators: Vec<ReportedValidator> = merged
        .validators
        .iter()
        .map(|(pubkey, kinds)| ReportedValidator {
            pubkey: to_hex(pubkey),
            duties: kinds
                .iter()
                .map(|(kind, figures)| KindFigures {
                    kind: kind.name().to_owned(),
                    expected: figures.expected,
                    submitted: figures.submitted,
                    misses: figures.misses.iter().map(|(reason, count)| (reason.name().to_owned(), *count)).collect(),
                })
                .collect(),
        })
        .collect();
    let part = |validators: &[ReportedValidator]| PerformanceReport {
        epoch,
        start_ms: merged.start_ms,
        reports: u32::try_from(merged.claims).unwrap_or(u32::MAX),
        exchanges: merged.exchanges,
        operators: operators.clone(),
        validators: validators.to_vec(),
    };
    validators.chunks(VALIDATORS).map(part).collect()
}

fn stored_cursor(shared: &Shared, operator: OperatorId) -> Result<Option<u64>, StoreError> {
    let bytes = shared.store.get(Table::Requests, &cursor_key(operator))?;
    Ok(bytes.and_then(|bytes| Some(u64::from_be_bytes(bytes.try_into().ok()?))))
}

fn cursor_key(operator: OperatorId) -> Vec<u8> {
    [&b"performance/"[..], &operator.0.to_be_bytes()].concat()
}
