//! Heavy work: combining and verifying, and finding out whose partials were wrong.

use std::collections::BTreeMap;

use cluster_crypto::{
    bls::{HashedMessage, PublicKey, Signature},
    threshold::{combine, verify_combined, verify_partials, CandidateSignature, Partial},
    ShareIndex,
};
use rand_core::CryptoRngCore;

use super::{
    items::Entry,
    machine::{Machine, Standing},
    Output, Slot,
};

/// Roots hashed to the curve in one step of work: about 50 ms.
const HASHES_PER_STEP: usize = 256;

/// Batch checks spent on the partials of one doubted operator before all that are left count as wrong. Enough to find
/// two wrong ones among a thousand; without a bound, an operator could have every partial checked alone.
const MAX_CHECKS: usize = 40;

/// A set of operators, bit i for the one at position i.
type Operators = u16;

/// An item and its combination.
type Attempted = (usize, CandidateSignature);

impl Machine {
    /// Whether something can be computed now.
    pub(super) fn has_work(&self) -> bool {
        if self.items.open == 0 {
            return false;
        }
        !self.items.all_hashed()
            || self.items.open_items().any(|(_, entry)| self.choose(entry).is_some() || self.needs_doubted(entry))
    }

    /// One step of work.
    pub(super) fn attempt(&mut self, rng: &mut impl CryptoRngCore) {
        if !self.items.all_hashed() {
            // Peers' partials are on their way meanwhile.
            self.items.hash(HASHES_PER_STEP);
            return;
        }
        let plan = self.plan();
        if plan.is_empty() {
            self.check_doubted(rng);
            return;
        }
        // SIGNING 4.2
        let attempted = self.combine(&plan);
        match self.verify(&attempted, rng) {
            Some(signatures) => self.close_signed(&attempted, signatures),
            None => self.find_culprits(&plan, &attempted, rng),
        }
    }

    /// All items with enough partials, by the operators whose partials are used.
    fn plan(&self) -> BTreeMap<Operators, Vec<usize>> {
        let mut plan: BTreeMap<Operators, Vec<usize>> = BTreeMap::new();
        for (item, entry) in self.items.open_items() {
            if let Some(operators) = self.choose(entry) {
                plan.entry(operators).or_default().push(item);
            }
        }
        plan
    }

    /// The t operators that were first, among those whose partial for the item may be used.
    fn choose(&self, entry: &Entry) -> Option<Operators> {
        // SIGNING 4.1
        let usable = self.order.iter().filter(|operator| self.is_usable(entry, **operator));
        let chosen = usable.take(self.threshold.t()).fold(0, |set, operator| set | 1 << operator);
        let chosen: Operators = chosen;
        (chosen.count_ones() as usize == self.threshold.t()).then_some(chosen)
    }

    fn is_usable(&self, entry: &Entry, operator: usize) -> bool {
        match entry.slots.get(operator) {
            Some(Slot::Right(_)) => true,
            Some(Slot::Unchecked(_)) => self.standing(operator) == Standing::Trusted,
            _ => false,
        }
    }

    fn standing(&self, operator: usize) -> Standing {
        self.peers.get(operator).map_or(Standing::Bad, |peer| peer.standing)
    }

    fn combine(&self, plan: &BTreeMap<Operators, Vec<usize>>) -> Vec<Attempted> {
        let mut attempted = Vec::with_capacity(self.items.open);
        for (operators, items) in plan {
            let vectors: Vec<(ShareIndex, Vec<Partial>)> =
                members(*operators).filter_map(|at| Some((share_index(at)?, self.partials(at, items)))).collect();
            let vectors: Vec<_> = vectors.iter().map(|(index, partials)| (*index, partials.as_slice())).collect();
            // Never an error: t distinct members, and a partial of each for each item.
            if let Ok(candidates) = combine(self.threshold, &vectors) {
                attempted.extend(items.iter().copied().zip(candidates));
            }
        }
        attempted
    }

    fn partials(&self, operator: usize, items: &[usize]) -> Vec<Partial> {
        items.iter().filter_map(|item| self.items.slot(*item, operator).partial()).collect()
    }

    /// One batch check of combined signatures under the validators' keys.
    fn verify(&self, attempted: &[Attempted], rng: &mut impl CryptoRngCore) -> Option<Vec<Signature>> {
        let items: Vec<usize> = attempted.iter().map(|(item, _)| *item).collect();
        let keys = self.keys(&items, |entry| Some(entry.item.validator));
        let candidates = attempted.iter().map(|(_, candidate)| *candidate).collect();
        verify_combined(&keys, &self.messages(&items), candidates, rng)
    }

    fn keys(&self, items: &[usize], key: impl Fn(&Entry) -> Option<PublicKey>) -> Vec<PublicKey> {
        items.iter().filter_map(|item| self.items.entries.get(*item).and_then(&key)).collect()
    }

    fn messages(&self, items: &[usize]) -> Vec<HashedMessage> {
        items.iter().filter_map(|item| self.items.message(*item)).collect()
    }

    fn close_signed(&mut self, attempted: &[Attempted], signatures: Vec<Signature>) {
        for ((item, _), signature) in attempted.iter().zip(signatures) {
            self.items.close(*item);
            self.emit(Output::Signed { item: *item, signature });
        }
    }

    /// After a combination failed: checks what each operator contributed.
    fn find_culprits(
        &mut self,
        plan: &BTreeMap<Operators, Vec<usize>>,
        attempted: &[Attempted],
        rng: &mut impl CryptoRngCore,
    ) {
        let mut found = false;
        // SIGNING 5.1: this operator last.
        let peers = (0..self.peers.len()).filter(|operator| *operator != self.me).chain([self.me]);
        for operator in peers.collect::<Vec<_>>() {
            if found && operator == self.me {
                break;
            }
            let used =
                plan.iter().filter(|(operators, _)| *operators >> operator & 1 == 1).flat_map(|(_, items)| items);
            let unchecked: Vec<usize> = used.copied().filter(|item| self.is_unchecked(*item, operator)).collect();
            if unchecked.is_empty() {
                continue;
            }
            if self.check(operator, &unchecked, rng) {
                self.mark(operator, &unchecked, true);
                continue;
            }
            // SIGNING 5.2
            self.blame(operator);
            found = true;
            if unchecked.len() == 1 {
                self.mark(operator, &unchecked, false);
            }
        }
        if !found {
            self.part_inconsistent(attempted, rng);
        }
    }

    fn is_unchecked(&self, item: usize, operator: usize) -> bool {
        matches!(self.items.slot(item, operator), Slot::Unchecked(_))
    }

    /// One batch check of an operator's partials under its share keys.
    fn check(&self, operator: usize, items: &[usize], rng: &mut impl CryptoRngCore) -> bool {
        let keys = self.keys(items, |entry| entry.item.share_keys.get(operator).copied());
        verify_partials(self.threshold, &keys, &self.messages(items), &self.partials(operator, items), rng)
    }

    fn mark(&mut self, operator: usize, items: &[usize], right: bool) {
        for item in items {
            let partial = self.items.slot(*item, operator).partial().filter(|_| right);
            self.items.set(*item, operator, partial.map_or(Slot::Wrong, Slot::Right));
        }
    }

    /// Every partial is right, and yet a combination is not: finds the items that are to blame and signs the others.
    fn part_inconsistent(&mut self, attempted: &[Attempted], rng: &mut impl CryptoRngCore) {
        // SIGNING 5.4
        let mut parts = vec![attempted];
        while let Some(part) = parts.pop() {
            if let Some(signatures) = self.verify(part, rng) {
                self.close_signed(part, signatures);
            } else if let [(item, _)] = part {
                self.items.close(*item);
                self.emit(Output::Inconsistent { item: *item });
            } else {
                let (left, right) = part.split_at(part.len() / 2);
                parts.extend([right, left]);
            }
        }
    }

    /// Whether an item needs partials of doubted operators, now that the others had their time.
    fn needs_doubted(&self, entry: &Entry) -> bool {
        // SIGNING 5.3
        let all_arrived = || self.peers.iter().all(|peer| peer.arrived.is_some());
        if !self.patience_over && !all_arrived() {
            return false;
        }
        let usable = (0..self.peers.len()).filter(|operator| self.is_usable(entry, *operator)).count();
        let doubted = entry.slots.iter().enumerate().filter(|(operator, slot)| {
            matches!(slot, Slot::Unchecked(_)) && self.standing(*operator) != Standing::Trusted
        });
        usable < self.threshold.t() && usable + doubted.count() >= self.threshold.t()
    }

    /// Finds out which partials of a doubted operator are right, for the items that need them.
    fn check_doubted(&mut self, rng: &mut impl CryptoRngCore) {
        let needed: Vec<usize> =
            self.items.open_items().filter(|(_, entry)| self.needs_doubted(entry)).map(|(item, _)| item).collect();
        for operator in (0..self.peers.len()).filter(|operator| self.standing(*operator) != Standing::Trusted) {
            let unchecked: Vec<usize> =
                needed.iter().copied().filter(|item| self.is_unchecked(*item, operator)).collect();
            if unchecked.is_empty() {
                continue;
            }
            let mut checks = MAX_CHECKS;
            let mut parts = vec![unchecked.as_slice()];
            while let Some(part) = parts.pop() {
                let right = checks > 0 && self.check(operator, part, rng);
                checks = checks.saturating_sub(1);
                if !right && checks > 0 && part.len() > 1 {
                    let (left, other) = part.split_at(part.len() / 2);
                    parts.extend([other, left]);
                    continue;
                }
                self.mark(operator, part, right);
                if !right {
                    self.blame(operator);
                }
            }
            // One operator at a time: with its partials there may be enough.
            return;
        }
    }
}

fn members(operators: Operators) -> impl Iterator<Item = usize> {
    (0..Operators::BITS as usize).filter(move |operator| operators >> operator & 1 == 1)
}

fn share_index(operator: usize) -> Option<ShareIndex> {
    ShareIndex::new(u8::try_from(operator + 1).ok()?)
}
