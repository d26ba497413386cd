//! The ledger of duties: every record on disk for some epochs, the newest in memory, figures for Prometheus.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cluster_core::beacon::Slot;
use cluster_core::committee::OperatorId;
use cluster_core::duty::{CommitteeId, SigningId, SigningKind};
use cluster_core::encoding::{decode, encode};

use super::metrics::DutyMetrics;
use super::record::{DutyRecord, Recorder};
use crate::store::{Store, StoreError, Table};

/// Bytes of a record: a thousand validators in one slot, thirteen participants, sentences.
const RECORD_LIMIT: usize = 64 * 1024;
/// Records removed at a time, so that a long absence does not hold up a slot.
const PRUNED_AT_ONCE: usize = 4_096;

/// What has to be written.
enum Entry {
    Record(DutyRecord),
    /// Everybody whose partials came, at the end of an exchange.
    Attended(SigningId, Vec<(OperatorId, u32)>),
}

/// Keeps records.
#[derive(Clone)]
pub struct Ledger {
    store: Arc<Store>,
    metrics: DutyMetrics,
    me: OperatorId,
    /// Slots that records are kept for.
    keep: u64,
    /// Written out by the next turn of the blocking pool.
    waiting: Arc<Mutex<VecDeque<Entry>>>,
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
        while let Some(entry) = self.next() {
            let (slot, written) = match &entry {
                Entry::Record(record) => (record.slot, self.write(record)),
                Entry::Attended(id, participants) => (id.slot, self.complete(id, participants)),
            };
            if let Err(error) = written {
                tracing::error!(slot = slot.0, operator_id = self.me.0, %error, "a duty record was not kept: {error}");
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

    /// Adds those whose partials came after they were needed: a record is made as soon as the duty is done.
    fn complete(&self, id: &SigningId, participants: &[(OperatorId, u32)]) -> Result<(), StoreError> {
        let key = key_of(id.slot, id.kind, &id.committee);
        let Some(bytes) = self.store.get(Table::Duties, &key)? else { return Ok(()) };
        let mut record = parse(bytes)?;
        let known = record.participants.len();
        for (operator, at) in participants {
            if !record.participants.iter().any(|(known, _)| known == operator) {
                record.participants.push((*operator, *at));
            }
        }
        if record.participants.len() > known {
            record.participants.sort_unstable();
            self.store.put(Table::Duties, &key, &encode(&record))?;
        }
        Ok(())
    }

    /// Notes whose partials came in the whole time of an exchange.
    pub(crate) fn attended(&self, id: SigningId, participants: Vec<(OperatorId, u32)>) {
        self.push(Entry::Attended(id, participants));
    }

    fn push(&self, entry: Entry) {
        self.lock().push_back(entry);
        let ledger = self.clone();
        tokio::task::spawn_blocking(move || ledger.flush());
    }

    fn next(&self) -> Option<Entry> {
        self.lock().pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorder for Ledger {
    fn record(&self, record: DutyRecord) {
        self.metrics.count(&record);
        self.push(Entry::Record(record));
    }
}

/// The records of a range of slots in a store, at most `limit`.
///
/// # Errors
/// The database.
pub fn read(store: &Store, from: Slot, to: Slot, limit: usize) -> Result<Vec<DutyRecord>, StoreError> {
    let end = to.0.saturating_add(1).to_be_bytes();
    let entries = store.entries_between(Table::Duties, &from.0.to_be_bytes(), &end);
    entries.take(limit).map(|entry| parse(entry?.1)).collect()
}

/// The first releases wrote records without the list at their end; an empty list is a length of zero.
fn parse(mut bytes: Vec<u8>) -> Result<DutyRecord, StoreError> {
    if let Ok(record) = decode(&bytes, RECORD_LIMIT) {
        return Ok(record);
    }
    bytes.extend([0; 8]);
    decode(&bytes, RECORD_LIMIT).map_err(|_| StoreError::Corrupt { what: "a duty record" })
}

/// Slot, kind, committee: in order of slots.
fn key(record: &DutyRecord) -> Vec<u8> {
    key_of(record.slot, record.kind, &record.committee)
}

fn key_of(slot: Slot, kind: SigningKind, committee: &CommitteeId) -> Vec<u8> {
    let mut key = slot.0.to_be_bytes().to_vec();
    key.push(kind as u8);
    key.extend(committee.0);
    key
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::super::record::{Miss, Steps};
    use super::*;

    fn record(validators: &[u64], submitted: u32, missed: &[u64]) -> DutyRecord {
        DutyRecord {
            slot: Slot(9),
            committee: CommitteeId([1; 32]),
            kind: SigningKind::Attestation,
            validators: validators.to_vec(),
            submitted,
            steps: Steps::default(),
            decided_by: None,
            participants: vec![(OperatorId(1), 5)],
            bad: Vec::new(),
            miss: Some(Miss::NoRandao),
            missed: missed.to_vec(),
        }
    }

    #[test]
    fn records_of_the_first_releases_are_read_and_say_for_whom_only_when_they_know() {
        let mut old = encode(&record(&[3, 4], 1, &[]));
        old.truncate(old.len() - 8);
        assert_eq!(parse(old).unwrap(), record(&[3, 4], 1, &[]));
        assert!(parse(vec![1; 40]).is_err());
        for (validators, submitted, missed, expected) in [
            (&[3, 4, 4][..], 3, &[][..], vec![(3, true), (4, true), (4, true)]),
            (&[3, 4], 0, &[], vec![(3, false), (4, false)]),
            (&[3, 4, 4], 2, &[4], vec![(3, true), (4, false), (4, true)]),
            (&[3, 4], 1, &[], vec![]),
        ] {
            assert_eq!(record(validators, submitted, missed).outcomes().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn partials_that_came_late_are_added_to_the_record() {
        let dir = tempfile::tempdir().unwrap();
        let identity = cluster_crypto::identity::SecretKey::generate(&mut rand_core::OsRng);
        let store = Arc::new(Store::open(dir.path(), &identity).unwrap());
        let metrics = DutyMetrics::new(&crate::metrics::Metrics::new());
        let ledger = Ledger::new(Arc::clone(&store), metrics, OperatorId(1), 100);
        let id = SigningId::new(CommitteeId([1; 32]), SigningKind::Attestation, Slot(9));
        let all = [(OperatorId(1), 7), (OperatorId(2), 4_000)];
        ledger.complete(&id, &all).unwrap();
        assert!(ledger.read(Slot(0), Slot(9), 10).unwrap().is_empty(), "no record, nothing to complete");
        ledger.write(&record(&[3], 1, &[])).unwrap();
        ledger.complete(&id, &all).unwrap();
        let records = ledger.read(Slot(0), Slot(9), 10).unwrap();
        assert_eq!(records[0].participants, [(OperatorId(1), 5), (OperatorId(2), 4_000)]);
    }
}
