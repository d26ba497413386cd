//! What beacon nodes say: an adversarial chain of forks, reorgs, late and missing blocks, on which every operator's node may
//! be somewhere else, and come back.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand_core::RngCore;

use super::{below, START};
use crate::beacon::{AttestationData, Checkpoint, Epoch, Root, Slot};
use crate::machine::Time;

/// Length of a slot in milliseconds.
pub(super) const SLOT_MS: u64 = 12_000;
/// When attestations are due in the slot.
pub(super) const DUE_MS: u64 = 4_000;
/// Slots of an epoch.
pub(super) const EPOCH_SLOTS: u64 = 8;
/// The first epoch with duties: forks reach back some epochs before it.
pub(super) const FIRST_EPOCH: u64 = 10;
/// Slots that a beacon node looks back for a head.
const LOOK_BACK: u64 = 6;

/// One branch: what its blocks are in every epoch, and what is justified when its validators attest.
#[derive(Clone, Debug)]
struct Branch {
    labels: Vec<u64>,
    justified: Vec<u64>,
}

/// Who attests in each slot of an epoch.
pub(super) type Shuffle = Arc<Vec<Arc<[u32]>>>;

/// All branches, and who follows which when.
pub(super) struct Chain {
    seed: u64,
    validators: u32,
    branches: Vec<Branch>,
    /// For each beacon node: from when on it follows which branch; ascending.
    follows: Vec<Vec<(Time, usize)>>,
    shuffles: BTreeMap<(u64, u64), Shuffle>,
}

impl Chain {
    /// A chain for `beacons` beacon nodes with duties in `epochs` epochs; a `calm` one has one branch only.
    pub(super) fn generate(
        seed: u64,
        beacons: usize,
        validators: u32,
        epochs: u64,
        calm: bool,
        rng: &mut impl RngCore,
    ) -> Self {
        let last = FIRST_EPOCH + epochs + 2;
        let mut chain = Self {
            seed,
            validators,
            branches: Vec::new(),
            follows: vec![vec![(Time(0), 0)]; beacons],
            shuffles: BTreeMap::new(),
        };
        chain.branch(None, 0, last, rng);
        if !calm {
            chain.disturb(Slot((FIRST_EPOCH + epochs) * EPOCH_SLOTS), last, rng);
        }
        for follows in &mut chain.follows {
            follows.sort_by_key(|(at, _)| *at);
        }
        chain
    }

    /// Forks and reorgs: everybody changes to another branch, new or old, or some do and come back.
    fn disturb(&mut self, end: Slot, last: u64, rng: &mut impl RngCore) {
        let (mut now, mut main) = (START, 0);
        loop {
            now = now.plus_ms(SLOT_MS / 2 + below(rng, 2 * EPOCH_SLOTS * SLOT_MS));
            if now >= slot_start(end) {
                return;
            }
            let from = slot_at(now).0 / EPOCH_SLOTS - below(rng, 4);
            let target = match below(rng, 5) {
                0 => below(rng, self.branches.len() as u64) as usize,
                _ => self.branch(Some(main), from, last, rng),
            };
            let everyone = below(rng, 2) == 0;
            for follows in &mut self.follows {
                if !everyone && below(rng, 3) > 0 {
                    continue;
                }
                let at = now.plus_ms(below(rng, SLOT_MS));
                follows.push((at, target));
                if !everyone {
                    follows.push((at.plus_ms(SLOT_MS / 3 + below(rng, 12 * SLOT_MS)), main));
                }
            }
            main = if everyone { target } else { main };
        }
    }

    /// A new branch that is the parent's before epoch `from`.
    fn branch(&mut self, parent: Option<usize>, from: u64, last: u64, rng: &mut impl RngCore) -> usize {
        let pace = [200, 750, 950][below(rng, 3) as usize];
        let parent = parent.and_then(|parent| self.branches.get(parent).cloned());
        let mut branch = Branch { labels: Vec::new(), justified: Vec::new() };
        for epoch in 0..=last {
            let inherited = parent.as_ref().filter(|_| epoch < from);
            let before = branch.justified.last().copied().unwrap_or(0);
            let found = match below(rng, 1_000) {
                drawn if epoch < FIRST_EPOCH - 2 || drawn < pace => epoch.saturating_sub(1),
                drawn if drawn % 2 == 0 => epoch.saturating_sub(2),
                _ => before,
            };
            branch.labels.push(inherited.map_or_else(|| rng.next_u64(), |parent| parent.labels[epoch as usize]));
            branch.justified.push(inherited.map_or(found.max(before), |parent| parent.justified[epoch as usize]));
        }
        self.branches.push(branch);
        self.branches.len() - 1
    }

    /// How many branches there are.
    pub(super) fn branches(&self) -> usize {
        self.branches.len()
    }

    /// The branch that a beacon node follows.
    pub(super) fn followed(&self, beacon: usize, now: Time) -> usize {
        let follows = &self.follows[beacon];
        follows.iter().rev().find(|(at, _)| *at <= now).map_or(0, |(_, branch)| *branch)
    }

    fn label(&self, branch: usize, epoch: u64) -> u64 {
        let labels = &self.branches[branch].labels;
        labels[(epoch as usize).min(labels.len() - 1)]
    }

    fn block(&self, branch: usize, slot: u64) -> Root {
        root(mix(self.label(branch, slot / EPOCH_SLOTS), slot))
    }

    /// When a beacon node gets the block of a slot; never for one in twenty.
    fn arrival(&self, beacon: usize, branch: usize, slot: u64) -> Option<Time> {
        let block = mix(mix(self.seed, self.label(branch, slot / EPOCH_SLOTS)), slot);
        if block.is_multiple_of(20) {
            return None;
        }
        // One in ten comes after attestations are due.
        let late = if block.is_multiple_of(11) { DUE_MS } else { 0 };
        let here = mix(block, beacon as u64) % 900;
        Some(slot_start(Slot(slot)).plus_ms(300 + (block >> 32) % 2_200 + late + here))
    }

    /// The newest block up to a slot that a beacon node has seen.
    fn newest(&self, beacon: usize, branch: usize, upto: u64, now: Time) -> u64 {
        let seen = |slot: &u64| self.arrival(beacon, branch, *slot).is_some_and(|at| at <= now);
        let oldest = upto.saturating_sub(LOOK_BACK);
        (oldest..=upto).rev().find(seen).unwrap_or(oldest)
    }

    /// Attestation data as a beacon node produces it.
    pub(super) fn attestation(&self, beacon: usize, now: Time, slot: Slot) -> AttestationData {
        self.attestation_on(beacon, self.followed(beacon, now), now, slot)
    }

    /// Attestation data on a given branch.
    pub(super) fn attestation_on(&self, beacon: usize, branch: usize, now: Time, slot: Slot) -> AttestationData {
        let epoch = slot.0 / EPOCH_SLOTS;
        let first = epoch * EPOCH_SLOTS;
        let head = self.newest(beacon, branch, slot.0, now);
        let target = self.newest(beacon, branch, first, now);
        // What an epoch justifies is known once a block of the next one is there.
        let known = if head >= first { epoch } else { epoch - 1 };
        let justified = self.branches[branch].justified[known as usize];
        AttestationData {
            slot,
            index: 0,
            beacon_block_root: self.block(branch, head),
            source: Checkpoint { epoch: Epoch(justified), root: self.block(branch, justified * EPOCH_SLOTS) },
            target: Checkpoint { epoch: Epoch(epoch), root: self.block(branch, target) },
        }
    }

    /// The roots that a block of a slot may build on, the head first.
    pub(super) fn parents(&self, beacon: usize, now: Time, slot: Slot) -> [Root; 2] {
        let branch = self.followed(beacon, now);
        let head = self.newest(beacon, branch, slot.0 - 1, now);
        [self.block(branch, head), self.block(branch, self.newest(beacon, branch, head - 1, now))]
    }

    /// The attesters of a slot, as a beacon node has them: they hang on the last block of the epoch before the last.
    pub(super) fn attesters(&mut self, beacon: usize, now: Time, slot: Slot) -> Arc<[u32]> {
        let epoch = slot.0 / EPOCH_SLOTS;
        let dependent = self.label(self.followed(beacon, now), epoch - 2);
        let validators = self.validators;
        let shuffle = self.shuffles.entry((epoch, dependent)).or_insert_with(|| shuffle(dependent, epoch, validators));
        Arc::clone(&shuffle[(slot.0 % EPOCH_SLOTS) as usize])
    }

    /// The proposer of a slot.
    pub(super) fn proposer(&self, beacon: usize, now: Time, slot: Slot) -> u32 {
        let dependent = self.label(self.followed(beacon, now), slot.0 / EPOCH_SLOTS - 1);
        (mix(dependent, slot.0) % u64::from(self.validators)) as u32
    }
}

fn shuffle(dependent: u64, epoch: u64, validators: u32) -> Shuffle {
    let mut order: Vec<u32> = (0..validators).collect();
    let mut state = mix(dependent, epoch);
    for at in (1..order.len()).rev() {
        state = mix(state, at as u64);
        order.swap(at, (state % (at as u64 + 1)) as usize);
    }
    let width = order.len() / EPOCH_SLOTS as usize;
    Arc::new(order.chunks_exact(width.max(1)).map(Arc::from).collect())
}

/// When a slot begins. Duties begin with the first slot of [`FIRST_EPOCH`], at [`START`].
pub(super) fn slot_start(slot: Slot) -> Time {
    START.plus_ms(slot.0.saturating_sub(FIRST_EPOCH * EPOCH_SLOTS) * SLOT_MS)
}

/// The slot at a time.
pub(super) fn slot_at(now: Time) -> Slot {
    Slot(FIRST_EPOCH * EPOCH_SLOTS + now.since(START) / SLOT_MS)
}

/// Two numbers into one that looks random (the finalizer of SplitMix64).
pub(super) fn mix(a: u64, b: u64) -> u64 {
    let mut word = a.rotate_left(17) ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x2545_f491_4f6c_dd1d);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// A root that stands for a number.
pub(super) fn root(number: u64) -> Root {
    let mut out = [0; 32];
    for (at, part) in out.chunks_exact_mut(8).enumerate() {
        part.copy_from_slice(&mix(number, at as u64).to_be_bytes());
    }
    out
}
