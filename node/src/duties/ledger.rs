//! The ledger of duties: every record on disk for some epochs, the newest in memory, figures for Prometheus.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cluster_core::beacon::Slot;
use cluster_core::committee::OperatorId;
use cluster_core::encoding::{decode, encode};

use super::metrics::DutyMetrics;
use super::record::{DutyRecord, Recorder};
use crate::store::{Store, StoreError, Table};

/// Bytes of a record: a thousand validators in one slot, thirteen participants, sentences.
const RECORD_LIMIT: usize = 64 * 1024;
/// Records removed at a time, so that a long absence does not hold up a slot.
const PRUNED_AT_ONCE: usize = 4_096;

/// Keeps records.
#[derive(Clone)]
pub struct Ledger {
    store: Arc<Store>,
    metrics: DutyMetrics,
    me: OperatorId,
    /// Slots that records are kept for.
    keep: u64,
    /// Written out by the next turn of the blocking pool.
    waiting: Arc<Mutex<VecDeque<DutyRecord>>>,
}

impl Ledger {
    /// A ledger that keeps the records of `keep` slots.
    #[must_use]
    pub fn new(store: Arc<Store>, metrics: DutyMetrics, me: OperatorId, keep: u64) -> Self {
        Self { store, metrics, me, keep, waiting: Arc::default() }
    }

    /// The records of a range of slots, in order of slots.
    ///
    /// # Errors
    /// The database.
    pub fn read(&self, from: Slot, to: Slot, limit: usize) -> Result<Vec<DutyRecord>, StoreError> {
        read(&self.store, from, to, limit)
    }

    /// Writes what is waiting, and removes what is too old.
    fn flush(&self) {
        while let Some(record) = self.lock().pop_front() {
            if let Err(error) = self.write(&record) {
                tracing::error!(slot = record.slot.0, operator_id = self.me.0, %error, "a duty record was not kept: {error}");
            }
        }
    }

    fn write(&self, record: &DutyRecord) -> Result<(), StoreError> {
        self.store.put(Table::Duties, &key(record), &encode(record))?;
        let Some(oldest) = record.slot.0.checked_sub(self.keep) else { return Ok(()) };
        let old: Vec<Vec<u8>> = self
            .store
            .entries_between(Table::Duties, &[], &oldest.to_be_bytes())
            .take(PRUNED_AT_ONCE)
            .map(|entry| entry.map(|(key, _)| key))
            .collect::<Result<_, _>>()?;
        for key in old {
            self.store.remove(Table::Duties, &key)?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<DutyRecord>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorder for Ledger {
    fn record(&self, record: DutyRecord) {
        self.metrics.count(&record);
        self.lock().push_back(record);
        let ledger = self.clone();
        tokio::task::spawn_blocking(move || ledger.flush());
    }
}

/// The records of a range of slots in a store, at most `limit`.
///
/// # Errors
/// The database.
pub fn read(store: &Store, from: Slot, to: Slot, limit: usize) -> Result<Vec<DutyRecord>, StoreError> {
    let end = to.0.saturating_add(1).to_be_bytes();
    let entries = store.entries_between(Table::Duties, &from.0.to_be_bytes(), &end);
    entries
        .take(limit)
        .map(|entry| decode(&entry?.1, RECORD_LIMIT).map_err(|_| StoreError::Corrupt { what: "a duty record" }))
        .collect()
}

/// Slot, kind, committee: in order of slots.
fn key(record: &DutyRecord) -> Vec<u8> {
    let mut key = record.slot.0.to_be_bytes().to_vec();
    key.push(record.kind as u8);
    key.extend(record.committee.0);
    key
}
