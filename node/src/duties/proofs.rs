//! Signatures that were made ahead of their slot: RANDAO reveals and selection proofs.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use cluster_core::beacon::Slot;

use crate::signer::Pubkey;

/// What a proof is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Proof {
    /// A RANDAO reveal, for the block of the slot.
    Randao,
    /// Whether the validator aggregates attestations of the slot.
    Selection,
    /// Whether it aggregates the sync committee messages of a subcommittee in the slot.
    SyncSelection(u64),
}

/// Complete signatures by slot, for the slots that are near.
#[derive(Debug, Default)]
pub(crate) struct Proofs {
    held: Mutex<BTreeMap<(Slot, Proof, Pubkey), [u8; 96]>>,
}

impl Proofs {
    pub(crate) fn put(&self, slot: Slot, proof: Proof, validator: Pubkey, signature: [u8; 96]) {
        self.lock().insert((slot, proof, validator), signature);
    }

    pub(crate) fn get(&self, slot: Slot, proof: Proof, validator: &Pubkey) -> Option<[u8; 96]> {
        self.lock().get(&(slot, proof, *validator)).copied()
    }

    /// Forgets slots before this one.
    pub(crate) fn prune(&self, before: Slot) {
        let mut held = self.lock();
        *held = held.split_off(&(before, Proof::Randao, [0; 48]));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Slot, Proof, Pubkey), [u8; 96]>> {
        self.held.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
