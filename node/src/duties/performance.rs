//! How duties were performed, per validator and epoch, for gateways: sums over the records of the ledger.
//!
//! An epoch is summed up when the one after it is over as well: by then its last duty was given up, and the last partial
//! that came too late is in the records.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cluster_core::beacon::{ChainSpec, Epoch, Slot};
use cluster_core::committee::{Committee, OperatorId};
use cluster_core::duty::{CommitteeId, SigningKind};
use cluster_net::limits;
use cluster_net::performance::{KindReport, Page, Reason, Report, Response, ValidatorReport, KINDS};
use tokio::sync::Semaphore;

use super::ledger;
use super::record::{DutyRecord, Miss};
use super::Clock;
use crate::beacon::Beacon;
use crate::store::{Store, StoreError};

/// Epochs in one answer.
const EPOCHS: usize = 16;
/// Records of one epoch that are read: five kinds for a hundred committees in every slot.
const RECORDS: usize = 16_000;
/// Epochs after which an epoch is summed up.
const AFTER: u64 = 2;
/// Time for the beacon node, within the time that the gateway waits.
const BEACON_PATIENCE: Duration = Duration::from_secs(10);

/// Why a question has no answer now.
#[derive(Debug, thiserror::Error)]
enum DeskError {
    #[error("no beacon node answers")]
    NoBeacon,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the node is stopping")]
    Stopping,
}

/// Who the numbers in the records are.
#[derive(Clone, Debug, Default)]
struct Names {
    validators: HashMap<u64, [u8; 48]>,
    committees: HashMap<CommitteeId, Vec<OperatorId>>,
}

/// Answers gateways.
pub struct Desk {
    store: Arc<Store>,
    beacon: Arc<dyn Beacon>,
    chain_id: u64,
    clock: Clock,
    /// Indices never change: each is asked for once.
    known: Mutex<HashMap<[u8; 48], u64>>,
    /// One question at a time: it reads some thousand records.
    turn: Semaphore,
}

impl Desk {
    /// A desk over the records of a store.
    #[must_use]
    pub fn new(store: Arc<Store>, beacon: Arc<dyn Beacon>, chain_id: u64, clock: Clock) -> Self {
        Self { store, beacon, chain_id, clock, known: Mutex::default(), turn: Semaphore::new(1) }
    }

    /// The answer to a gateway that wants to know of `since` and the following epochs.
    pub async fn answer(&self, since: u64) -> Response {
        let Ok(_turn) = self.turn.try_acquire() else { return Response::Busy };
        match self.page(since).await {
            Ok(page) => Response::Page(page),
            Err(error) => {
                tracing::debug!(%error, "a gateway cannot be told now how duties were performed: {error}");
                Response::Busy
            }
        }
    }

    async fn page(&self, since: u64) -> Result<Page, DeskError> {
        let spec = tokio::time::timeout(BEACON_PATIENCE, self.beacon.spec()).await;
        let spec = spec.map_err(|_| DeskError::NoBeacon)?.map_err(|_| DeskError::NoBeacon)?;
        let now = spec.slot_at(self.clock.now()).map_or(0, |slot| spec.epoch_of(slot).0);
        let nothing = Page { reports: Vec::new(), next: since };
        let Some(newest) = now.checked_sub(AFTER).filter(|newest| since <= *newest) else { return Ok(nothing) };
        let names = self.names().await?;
        let store = Arc::clone(&self.store);
        let work = move || read_page(&store, &spec, &names, since, newest);
        tokio::task::spawn_blocking(work).await.map_err(|_| DeskError::Stopping)?.map_err(DeskError::from)
    }

    /// The validators and committees of this operator. Those that the chain does not know yet have no records.
    async fn names(&self) -> Result<Names, DeskError> {
        let store = Arc::clone(&self.store);
        let entries = tokio::task::spawn_blocking(move || store.validators());
        let entries = entries.await.map_err(|_| DeskError::Stopping)??;
        let asked: Vec<[u8; 48]> = {
            let known = self.lock();
            entries.iter().map(|entry| entry.pubkey.to_bytes()).filter(|key| !known.contains_key(key)).collect()
        };
        if !asked.is_empty() {
            let found = tokio::time::timeout(BEACON_PATIENCE, self.beacon.validators(&asked)).await;
            let found = found.map_err(|_| DeskError::NoBeacon)?.map_err(|_| DeskError::NoBeacon)?;
            self.lock().extend(found.into_iter().map(|status| (status.pubkey, status.index.0)));
        }
        let known = self.lock();
        let mut names = Names::default();
        for entry in &entries {
            let pubkey = entry.pubkey.to_bytes();
            if let Some(index) = known.get(&pubkey) {
                names.validators.insert(*index, pubkey);
            }
            if let Ok(committee) = Committee::new(entry.committee.clone()) {
                let id = CommitteeId::new(self.chain_id, &committee);
                names.committees.entry(id).or_insert_with(|| committee.ids().collect());
            }
        }
        Ok(names)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 48], u64>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whole epochs, as many as fit into an answer.
fn read_page(store: &Store, spec: &ChainSpec, names: &Names, since: u64, newest: u64) -> Result<Page, StoreError> {
    let slots = spec.slots_per_epoch();
    let mut page = Page { reports: Vec::new(), next: since };
    let mut validators = 0;
    for _ in 0..EPOCHS {
        if page.next > newest {
            break;
        }
        // Epochs without any record are passed over at once.
        let end = Slot(Epoch(newest + 1).start(slots).0 - 1);
        let Some(first) = ledger::read(store, Epoch(page.next).start(slots), end, 1)?.pop() else {
            page.next = newest + 1;
            break;
        };
        let epoch = spec.epoch_of(first.slot);
        let start = epoch.start(slots);
        let records = ledger::read(store, start, Slot(start.0 + slots - 1), RECORDS)?;
        let reports = sum_up(epoch.0, spec.slot_start(start).0, &records, names);
        let count: usize = reports.iter().map(|report| report.validators.len()).sum();
        let is_full = validators + count > limits::PERFORMANCE_VALIDATORS
            || page.reports.len() + reports.len() > limits::PERFORMANCE_REPORTS;
        if is_full && !page.reports.is_empty() {
            page.next = epoch.0;
            break;
        }
        validators += count;
        page.reports.extend(reports);
        page.next = epoch.0 + 1;
    }
    Ok(page)
}

/// Figures of one validator and kind while they are summed up.
#[derive(Default)]
struct Sum {
    expected: u32,
    submitted: u32,
    misses: BTreeMap<Reason, u32>,
}

/// Figures of one committee while they are summed up.
struct Group {
    committee: Vec<OperatorId>,
    exchanges: u32,
    seen: Vec<u32>,
    validators: BTreeMap<[u8; 48], BTreeMap<SigningKind, Sum>>,
}

impl Group {
    fn of(committee: &[OperatorId]) -> Self {
        let seen = vec![0; committee.len()];
        Self { committee: committee.to_vec(), exchanges: 0, seen, validators: BTreeMap::new() }
    }

    fn add(&mut self, record: &DutyRecord, names: &Names) {
        // Where it did not come to an exchange nobody could take part in it.
        if record.steps.signed_ms.is_some() {
            self.exchanges += 1;
            for (id, seen) in self.committee.iter().zip(&mut self.seen) {
                *seen += u32::from(record.participants.iter().any(|(operator, _)| operator == id));
            }
        }
        let why = record.miss.as_ref().map(reason);
        for (index, is_submitted) in record.outcomes() {
            let Some(pubkey) = names.validators.get(&index) else { continue };
            let sum = self.validators.entry(*pubkey).or_default().entry(record.kind).or_default();
            sum.expected += 1;
            match (is_submitted, why) {
                (true, _) => sum.submitted += 1,
                (false, Some(why)) => *sum.misses.entry(why).or_default() += 1,
                (false, None) => {}
            }
        }
    }
}

/// The reports of one epoch, one per committee, within the limits of an answer.
fn sum_up(epoch: u64, start_ms: u64, records: &[DutyRecord], names: &Names) -> Vec<Report> {
    let mut groups: BTreeMap<CommitteeId, Group> = BTreeMap::new();
    for record in records.iter().filter(|record| KINDS.contains(&record.kind)) {
        let Some(committee) = names.committees.get(&record.committee) else { continue };
        groups.entry(record.committee).or_insert_with(|| Group::of(committee)).add(record, names);
    }
    let mut room = limits::PERFORMANCE_VALIDATORS;
    let mut reports = Vec::new();
    for group in groups.into_values().filter(|group| !group.validators.is_empty()).take(limits::PERFORMANCE_REPORTS) {
        let Group { committee, exchanges, seen, validators } = group;
        let validators: Vec<ValidatorReport> = validators.into_iter().take(room).map(validator_report).collect();
        room -= validators.len();
        reports.push(Report { epoch, start_ms, committee, exchanges, seen, validators });
    }
    reports
}

fn validator_report((pubkey, kinds): ([u8; 48], BTreeMap<SigningKind, Sum>)) -> ValidatorReport {
    let duties = kinds.into_iter().map(|(kind, sum)| {
        let mut misses: Vec<(Reason, u32)> = sum.misses.into_iter().collect();
        misses.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        misses.truncate(limits::PERFORMANCE_MISSES);
        KindReport { kind, expected: sum.expected, submitted: sum.submitted, misses }
    });
    ValidatorReport { pubkey, duties: duties.collect() }
}

const fn reason(miss: &Miss) -> Reason {
    match miss {
        Miss::BeaconNode { .. } => Reason::BeaconNode,
        Miss::NoQuorum { .. } => Reason::NoQuorum,
        Miss::OtherView { .. } => Reason::OtherView,
        Miss::Slashable { .. } => Reason::Slashable,
        Miss::Signer { .. } => Reason::Signer,
        Miss::TooFewPartials { .. } => Reason::TooFewPartials,
        Miss::NotAccepted { .. } => Reason::NotAccepted,
        Miss::NoRandao => Reason::NoRandao,
        Miss::UnknownFork { .. } => Reason::UnknownFork,
        // Gateways are told the same of both: the operator holds back because somebody else has its keys.
        Miss::Doppelganger | Miss::Twin => Reason::Doppelganger,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::super::record::Steps;
    use super::*;

    fn record(slot: u64, kind: SigningKind, validators: &[u64], missed: &[u64], seen: &[u32]) -> DutyRecord {
        DutyRecord {
            slot: Slot(slot),
            committee: CommitteeId([1; 32]),
            kind,
            validators: validators.to_vec(),
            submitted: (validators.len() - missed.len()) as u32,
            steps: Steps { signed_ms: (!seen.is_empty()).then_some(1), ..Steps::default() },
            decided_by: None,
            participants: seen.iter().map(|id| (OperatorId(*id), 1)).collect(),
            bad: Vec::new(),
            miss: (!missed.is_empty()).then_some(Miss::TooFewPartials { missing: Vec::new() }),
            missed: missed.to_vec(),
        }
    }

    #[test]
    fn records_are_summed_up_by_committee_validator_and_kind() {
        let names = Names {
            validators: [(5, [0xee; 48]), (6, [0xaa; 48])].into(),
            committees: [(CommitteeId([1; 32]), [1, 2, 3, 4].map(OperatorId).to_vec())].into(),
        };
        let records = [
            record(32, SigningKind::Attestation, &[5, 6, 7], &[6], &[1, 2, 4]),
            record(33, SigningKind::SyncMessage, &[5], &[], &[1, 2, 3, 4]),
            // Nobody agreed: nobody could sign.
            record(34, SigningKind::SyncMessage, &[5], &[5], &[]),
            // Not what the chain expects of a validator.
            record(35, SigningKind::VoluntaryExit, &[5], &[], &[1, 2, 3]),
            DutyRecord { committee: CommitteeId([2; 32]), ..record(36, SigningKind::Attestation, &[5], &[], &[1]) },
        ];
        let reports = sum_up(1, 77, &records, &names);
        let kind = |kind, expected, submitted| KindReport {
            kind,
            expected,
            submitted,
            misses: (submitted < expected)
                .then_some((Reason::TooFewPartials, expected - submitted))
                .into_iter()
                .collect(),
        };
        let expected = Report {
            epoch: 1,
            start_ms: 77,
            committee: [1, 2, 3, 4].map(OperatorId).to_vec(),
            exchanges: 2,
            seen: vec![2, 2, 1, 2],
            validators: vec![
                ValidatorReport { pubkey: [0xaa; 48], duties: vec![kind(SigningKind::Attestation, 1, 0)] },
                ValidatorReport {
                    pubkey: [0xee; 48],
                    duties: vec![kind(SigningKind::Attestation, 1, 1), kind(SigningKind::SyncMessage, 2, 1)],
                },
            ],
        };
        assert_eq!(reports, [expected]);
        let all = Reason::ALL.map(Reason::name);
        let (last, others) = Miss::NAMES.split_last().unwrap();
        assert_eq!(all.as_slice(), others, "one name per reason, everywhere");
        assert_eq!((*last, reason(&Miss::Twin)), ("twin", Reason::Doppelganger), "reported alike");
    }
}
