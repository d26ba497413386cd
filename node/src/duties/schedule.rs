//! Which validator has which duty when.
//!
//! Duties of an epoch hold as long as the block that they were drawn from stays in the chain: they are kept with its root
//! (the dependent root), compared with every new head, and fetched again when it differs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use cluster_core::beacon::{Epoch, Root, Slot, ValidatorIndex};

use crate::beacon::{AttesterDuty, Beacon, BeaconError, Dependent, ProposerDuty, SyncDuty};

/// The duties of this operator's validators in one epoch.
#[derive(Debug)]
pub(crate) struct EpochDuties {
    pub(crate) epoch: Epoch,
    /// The block that attester duties were drawn from.
    pub(crate) attester_root: Root,
    pub(crate) attesters: BTreeMap<Slot, Vec<AttesterDuty>>,
    pub(crate) proposers: BTreeMap<Slot, ProposerDuty>,
    pub(crate) sync: Vec<SyncDuty>,
    /// The indices that were asked for: new validators need a new question.
    indices: Vec<ValidatorIndex>,
    /// Fetched before the epoch began: proposers may have changed with the balances at its start.
    early: bool,
}

impl EpochDuties {
    /// Asks the beacon node; `indices`, ascending, are the validators of this operator.
    pub(crate) async fn fetch(
        beacon: &dyn Beacon,
        epoch: Epoch,
        current: Epoch,
        indices: Vec<ValidatorIndex>,
    ) -> Result<Self, BeaconError> {
        let (attesters, proposers, sync) = futures::try_join!(
            beacon.attester_duties(epoch, &indices),
            beacon.proposer_duties(epoch),
            beacon.sync_duties(epoch, &indices),
        )?;
        let Dependent { dependent_root: attester_root, data } = attesters;
        let mut by_slot: BTreeMap<Slot, Vec<AttesterDuty>> = BTreeMap::new();
        for duty in data {
            by_slot.entry(duty.slot).or_default().push(duty);
        }
        let ours = |duty: &ProposerDuty| indices.binary_search(&duty.validator_index).is_ok();
        let proposers = proposers.data.into_iter().filter(ours).map(|duty| (duty.slot, duty)).collect();
        Ok(Self { epoch, attester_root, attesters: by_slot, proposers, sync, indices, early: epoch > current })
    }
}

/// The duties of the current epoch and the next.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    epochs: Mutex<BTreeMap<Epoch, Arc<EpochDuties>>>,
}

impl Schedule {
    pub(crate) fn get(&self, epoch: Epoch) -> Option<Arc<EpochDuties>> {
        self.lock().get(&epoch).cloned()
    }

    /// Takes up new duties and forgets those of past epochs.
    pub(crate) fn put(&self, duties: EpochDuties, current: Epoch) {
        let mut epochs = self.lock();
        epochs.insert(duties.epoch, Arc::new(duties));
        *epochs = epochs.split_off(&Epoch(current.0.saturating_sub(1)));
    }

    /// Whether the duties of an epoch have to be fetched for these validators.
    pub(crate) fn needs(&self, epoch: Epoch, current: Epoch, indices: &[ValidatorIndex]) -> bool {
        let outdated = |duties: &Arc<EpochDuties>| duties.indices != indices || (duties.early && epoch <= current);
        self.lock().get(&epoch).is_none_or(outdated)
    }

    /// Forgets what was drawn from a block that is no longer in the chain. `previous` and `current` are the dependent
    /// roots of a head event in `epoch`: those of the attester duties of `epoch` and of the next one. True when
    /// something has to be fetched again.
    pub(crate) fn compare(&self, epoch: Epoch, previous: Root, current: Root) -> bool {
        let mut epochs = self.lock();
        let before = epochs.len();
        epochs.retain(|at, duties| match at.0.checked_sub(epoch.0) {
            Some(0) => duties.attester_root == previous,
            Some(1) => duties.attester_root == current,
            _ => true,
        });
        epochs.len() != before
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Epoch, Arc<EpochDuties>>> {
        self.epochs.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
