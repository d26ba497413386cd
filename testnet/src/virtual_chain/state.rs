//! What the virtual chain knows: blocks, votes, and who broke the rules.

use std::collections::{BTreeMap, BTreeSet};

use cluster_core::beacon::{AttestationData, ChainSpec, Checkpoint, Epoch, Root, Slot, ValidatorRegistration};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

/// A validator of the chain.
#[derive(Clone, Debug)]
pub(super) struct Validator {
    pub(super) pubkey: [u8; 48],
    pub(super) key: cluster_crypto::bls::PublicKey,
}

/// What a validator can be blamed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offence {
    /// Its index.
    pub validator: u64,
    /// In words.
    pub what: String,
}

/// Counts of one epoch, out of the number of validators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Votes {
    /// Attestations whose target is in the chain.
    pub target: usize,
    /// Attestations whose head was the block of their slot, or the last one before it.
    pub head: usize,
    /// Blocks.
    pub blocks: usize,
    /// Sync committee messages.
    pub sync: usize,
}

pub(super) struct State {
    pub(super) validators: Vec<Validator>,
    pub(super) blocks: BTreeSet<Root>,
    pub(super) by_slot: BTreeMap<Slot, Root>,
    pub(super) head: Root,
    pub(super) justified: Checkpoint,
    pub(super) finalized: Checkpoint,
    /// By target epoch and validator.
    pub(super) votes: BTreeMap<(Epoch, u64), AttestationData>,
    pub(super) signatures: BTreeMap<(Slot, u64), [u8; 96]>,
    pub(super) sync: BTreeMap<(Slot, u64), (Root, [u8; 96])>,
    pub(super) aggregates: BTreeSet<(Slot, u64)>,
    pub(super) contributions: BTreeSet<(Slot, u64, u64)>,
    /// First epoch with duties, of all validators.
    pub(super) activation: Epoch,
    /// Registrations with builders: by public key, what relays hold and since which epoch they know whom blocks are to pay.
    pub(super) registrations: BTreeMap<[u8; 48], (ValidatorRegistration, Epoch)>,
    pub(super) offences: Vec<Offence>,
    counted: Epoch,
    seed: u64,
}

impl State {
    pub(super) fn new(validators: Vec<Validator>, seed: u64) -> Self {
        let genesis = [0x11; 32];
        let checkpoint = Checkpoint { epoch: Epoch(0), root: genesis };
        Self {
            validators,
            blocks: BTreeSet::from([genesis]),
            by_slot: BTreeMap::from([(Slot(0), genesis)]),
            head: genesis,
            justified: checkpoint,
            finalized: checkpoint,
            votes: BTreeMap::new(),
            signatures: BTreeMap::new(),
            sync: BTreeMap::new(),
            aggregates: BTreeSet::new(),
            contributions: BTreeSet::new(),
            activation: Epoch(0),
            registrations: BTreeMap::new(),
            offences: Vec::new(),
            counted: Epoch(0),
            seed,
        }
    }

    /// The last block at or before a slot.
    pub(super) fn block_at(&self, slot: Slot) -> Root {
        self.by_slot.range(..=slot).next_back().map_or([0x11; 32], |(_, root)| *root)
    }

    pub(super) fn checkpoint(&self, epoch: Epoch, spec: &ChainSpec) -> Checkpoint {
        Checkpoint { epoch, root: self.block_at(epoch.start(spec.slots_per_epoch())) }
    }

    /// Takes a registration as relays do: one that is not newer than the last changes nothing.
    pub(super) fn register(&mut self, message: &ValidatorRegistration, epoch: Epoch) {
        let held = self.registrations.get(&message.pubkey);
        if held.is_some_and(|(held, _)| held.timestamp >= message.timestamp) {
            return;
        }
        let since =
            held.filter(|(held, _)| held.fee_recipient == message.fee_recipient).map_or(epoch, |(_, since)| *since);
        self.registrations.insert(message.pubkey, (*message, since));
    }

    /// A permutation of all validators that is the same for everybody who asks for the same epoch and purpose.
    pub(super) fn shuffled(&self, purpose: u64, epoch: Epoch) -> Vec<usize> {
        let mut rng = ChaCha20Rng::seed_from_u64(self.seed ^ (purpose << 56) ^ epoch.0);
        let mut order: Vec<usize> = (0..self.validators.len()).collect();
        for at in (1..order.len()).rev() {
            let other = rng.next_u64() as usize % (at + 1);
            order.swap(at, other);
        }
        order
    }

    /// Counts the votes of epochs that are over, and moves the checkpoints.
    pub(super) fn advance(&mut self, now: Epoch, spec: &ChainSpec) {
        while self.counted < now {
            let checkpoint = self.checkpoint(self.counted, spec);
            let right = self.votes_of(self.counted).filter(|data| data.target == checkpoint).count();
            if 3 * right >= 2 * self.validators.len() && self.counted > Epoch(0) {
                if self.justified.epoch.0 + 1 == self.counted.0 {
                    self.finalized = self.justified;
                }
                self.justified = checkpoint;
            }
            self.counted = Epoch(self.counted.0 + 1);
        }
    }

    pub(super) fn votes_of(&self, epoch: Epoch) -> impl Iterator<Item = &AttestationData> {
        self.votes.range((epoch, 0)..=(epoch, u64::MAX)).map(|(_, data)| data)
    }

    /// Takes a vote whose signature holds, unless it is slashable.
    pub(super) fn vote(&mut self, validator: u64, data: AttestationData, signature: [u8; 96]) {
        if let Some(before) = self.votes.get(&(data.target.epoch, validator)) {
            if *before != data {
                self.blame(validator, format!("double vote in epoch {}", data.target.epoch));
            }
            return;
        }
        let surrounds = |outer: &AttestationData, inner: &AttestationData| {
            outer.source.epoch < inner.source.epoch && inner.target.epoch < outer.target.epoch
        };
        let clash = self
            .votes
            .iter()
            .any(|((_, who), other)| *who == validator && (surrounds(&data, other) || surrounds(other, &data)));
        if clash {
            self.blame(validator, format!("surround vote with target epoch {}", data.target.epoch));
            return;
        }
        self.votes.insert((data.target.epoch, validator), data);
        self.signatures.insert((data.slot, validator), signature);
    }

    pub(super) fn blame(&mut self, validator: u64, what: String) {
        self.offences.push(Offence { validator, what });
    }

    pub(super) fn figures(&self, epoch: Epoch, spec: &ChainSpec) -> Votes {
        let target = self.checkpoint(epoch, spec);
        let first = epoch.start(spec.slots_per_epoch());
        let slots = first..Slot(first.0 + spec.slots_per_epoch());
        Votes {
            target: self.votes_of(epoch).filter(|data| data.target == target).count(),
            head: self.votes_of(epoch).filter(|data| data.beacon_block_root == self.block_at(data.slot)).count(),
            blocks: self.by_slot.range(slots.clone()).count(),
            sync: self.sync.range((slots.start, 0)..(slots.end, 0)).count(),
        }
    }
}
