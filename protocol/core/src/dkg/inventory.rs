//! DKG 9: asking for what is missing and answering those who ask. This one mechanism heals lost messages, links
//! that work in one direction only, partitions and restarts, and lets an operator that was away complete a ceremony.

use std::sync::Arc;

use super::{
    machine::Machine,
    message::{Body, Inventory, Message, Qualified, Signed, MAX_RELAYED},
    Step,
};
use crate::{
    committee::OperatorId,
    machine::{Recipient, Time},
    verdict::{FaultReason, SkipReason, Verdict},
};

/// The interval between questions grows up to this many times its first value.
const MAX_BACKOFF: u64 = 8;

impl Machine {
    /// DKG 9.1: what this operator holds.
    fn inventory(&self, relay: bool) -> Inventory {
        let mask = |operators: &mut dyn Iterator<Item = OperatorId>| {
            operators.fold(0_u16, |mask, operator| mask | self.context.bit(operator))
        };
        let view = self.agreement.view;
        Inventory {
            relay,
            commits: mask(&mut self.commits.keys().copied()),
            dealings: mask(&mut self.dealings.keys().copied()),
            wanted: self.wanted(),
            echoes: mask(&mut self.echoes.keys().copied()),
            view,
            verdicts: mask(&mut self.agreement.voters(view)),
            receipts: mask(&mut self.agreement.receipt_holders()),
            decided: self.decision.is_some(),
            partials: mask(&mut self.signing.partials.keys().copied()),
            attestations: mask(&mut self.certifies.keys().copied()),
        }
    }

    /// Dealings that others voted for, locked or decided on, and this operator does not hold.
    pub(super) fn wanted(&self) -> Qualified {
        let decided = self.decision.iter().flat_map(|decision| decision.qualified.iter());
        let locked = self.agreement.lock().into_iter().flat_map(|lock| lock.qualified.iter());
        let echoed = self
            .refs
            .values()
            .filter(|reference| !self.guilty.contains(&reference.dealer))
            .map(|reference| (reference.dealer, reference.digest));
        let voted = self
            .agreement
            .verdicts_from(self.agreement.view)
            .filter_map(|signed| super::agreement::ballot(signed))
            .flat_map(|ballot| ballot.qualified.iter())
            .filter(|(dealer, _)| !self.guilty.contains(dealer));
        let mut wanted: Qualified = decided
            .chain(locked)
            .chain(voted)
            .copied()
            .chain(echoed)
            .filter(|(dealer, digest)| self.dealings.get(dealer).is_none_or(|held| held.digest != *digest))
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        wanted.truncate(self.context.n());
        wanted
    }

    /// DKG 9.2: asks everyone for their own messages, and one peer after the other for those of all.
    pub(super) fn ask(&mut self, now: Time) {
        let own = Message::Want(self.inventory(false));
        let all = Message::Want(self.inventory(true));
        let peers: Vec<OperatorId> = self.context.committee().ids().filter(|peer| *peer != self.me).collect();
        let turn = self.retry.attempts as usize;
        let helper = if self.retry.attempts == 0 && !self.passive {
            None
        } else {
            peers.get(turn % peers.len().max(1)).copied()
        };
        for peer in peers {
            let message = if Some(peer) == helper { all.clone() } else { own.clone() };
            self.send(Recipient::One(peer), message);
        }
        self.retry.attempts = self.retry.attempts.wrapping_add(1);
        self.retry.next = now.plus_ms(self.retry.interval_ms);
        self.retry.interval_ms = (self.retry.interval_ms * 2).min(self.timing.retry_ms * MAX_BACKOFF);
    }

    /// DKG 9.3: sends `from` what it lacks, at a bounded rate. Changes nothing in the ceremony.
    pub(super) fn answer(&mut self, now: Time, from: OperatorId, inventory: &Inventory) -> Verdict {
        if inventory.wanted.len() > self.context.n() {
            return Verdict::Fault(FaultReason::OutOfBounds);
        }
        if self.answered.get(&from).is_some_and(|last| now.since(*last) < self.timing.answer_ms) {
            return Verdict::Skip(SkipReason::TooOften);
        }
        self.answered.insert(from, now);
        let lacking = self.lacking(inventory);
        let mut relayed = Vec::new();
        for signed in lacking.into_iter().filter(|signed| signed.from != from) {
            if signed.from == self.me {
                self.send(Recipient::One(from), Message::Deliver(signed));
            } else if !inventory.relay && !is_wanted(inventory, &signed, self) {
                continue;
            } else if matches!(signed.body, Body::Deal(_) | Body::Partials(_) | Body::Certify(_)) {
                // Large ones go alone, so that no frame grows with the size of the committee.
                self.send(Recipient::One(from), Message::Relay(vec![signed]));
            } else {
                relayed.push(signed);
            }
        }
        for bundle in relayed.chunks(MAX_RELAYED) {
            self.send(Recipient::One(from), Message::Relay(bundle.to_vec()));
        }
        Verdict::Valid
    }

    /// The messages that this operator holds and the inventory does not list, in the order of the steps.
    fn lacking(&self, inventory: &Inventory) -> Vec<Arc<Signed>> {
        let lacks = |mask: u16, operator: &OperatorId| mask & self.context.bit(*operator) == 0;
        let mut lacking: Vec<Arc<Signed>> = Vec::new();
        if !inventory.decided {
            let commits = self.commits.iter().filter(|(operator, _)| lacks(inventory.commits, operator));
            lacking.extend(commits.map(|(_, signed)| Arc::clone(signed)));
        }
        let dealings = self.dealings.iter().filter(|(dealer, held)| {
            let named = inventory.wanted.contains(&(**dealer, held.digest));
            named || (!inventory.decided && lacks(inventory.dealings, dealer))
        });
        lacking.extend(dealings.map(|(_, held)| Arc::clone(&held.signed)));
        if !inventory.decided {
            let echoes = self.echoes.iter().filter(|(operator, _)| lacks(inventory.echoes, operator));
            lacking.extend(echoes.map(|(_, signed)| Arc::clone(signed)));
            let verdicts = self.agreement.verdicts_from(inventory.view).filter(|signed| {
                super::agreement::ballot(signed).is_some_and(|ballot| ballot.view > inventory.view)
                    || lacks(inventory.verdicts, &signed.from)
            });
            lacking.extend(verdicts.cloned());
            // Receipts of several views may be needed to see the one quorum among them.
            lacking.extend(self.agreement.receipts().cloned());
        }
        if matches!(self.step, Step::Sign | Step::Certify | Step::Done) {
            let partials = self.signing.partials.iter().filter(|(operator, _)| lacks(inventory.partials, operator));
            lacking.extend(partials.map(|(_, signed)| Arc::clone(signed)));
            let certifies = self.certifies.iter().filter(|(operator, _)| lacks(inventory.attestations, operator));
            lacking.extend(certifies.map(|(_, signed)| Arc::clone(signed)));
        }
        lacking
    }
}

fn is_wanted(inventory: &Inventory, signed: &Signed, machine: &Machine) -> bool {
    matches!(&signed.body, Body::Deal(_))
        && machine.dealings.get(&signed.from).is_some_and(|held| inventory.wanted.contains(&(signed.from, held.digest)))
}
