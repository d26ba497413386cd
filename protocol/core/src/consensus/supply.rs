//! What makes up for lost messages: repetition, answers, and fetching the value.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use super::{machine::Machine, Digest, Message, Output, VoteKind};
use crate::{
    committee::OperatorId,
    machine::{Recipient, Time},
};

/// A value that is being fetched: from one peer after the other.
#[derive(Debug)]
pub(super) struct Pull {
    digest: Digest,
    order: VecDeque<OperatorId>,
    asked: BTreeSet<OperatorId>,
    next: Time,
}

impl Pull {
    /// When to ask the next peer.
    pub(super) fn next(&self) -> Time {
        self.next
    }

    /// Whether the peer was asked for this value and has not answered.
    pub(super) fn is_answer(&mut self, from: OperatorId, digest: &Digest) -> bool {
        self.digest == *digest && self.asked.remove(&from)
    }

    fn prefer(&mut self, peer: OperatorId) {
        self.order.retain(|other| *other != peer);
        self.order.push_front(peer);
    }
}

impl Machine {
    /// CONSENSUS 7.1 and 7.2: while undecided, the own latest votes and a question, in case some were lost.
    pub(super) fn repeat(&mut self, now: Time) {
        self.next_repeat = now.plus_ms(self.timetable.repeat_ms());
        self.repeat_votes(Recipient::All);
        self.send(Recipient::All, Message::Query);
    }

    /// The decision, or else this operator's votes of its round and its last commit.
    pub(super) fn repeat_votes(&mut self, to: Recipient) {
        if let Some(certificate) = &self.certificate {
            let message = Message::Decided(Arc::clone(certificate));
            return self.send(to, message);
        }
        if let Some(vote) = self.own(self.round, VoteKind::RoundChange).copied() {
            let claim = vote.statement.claim();
            let certificate = claim.and_then(|claim| self.certificates.get(&claim.round).cloned());
            // A claim without its quorum would be held against this operator.
            if certificate.as_ref().map(|prepared| prepared.claim()) == claim {
                self.send(to, Message::RoundChange { vote, certificate });
            }
        }
        let proposed = self.proposed.as_ref().filter(|(round, _)| *round == self.round);
        if let Some(message) = proposed.map(|(_, message)| Arc::clone(message)) {
            self.effect(Output::Send { to, message });
        }
        let prepare = self.own(self.round, VoteKind::Prepare).copied();
        let commit = self.rounds.keys().rev().find_map(|round| self.own(*round, VoteKind::Commit)).copied();
        for vote in prepare.into_iter().chain(commit) {
            self.send(to, Message::Vote(vote));
        }
    }

    /// The value that this operator needs and does not hold: that of the decision, of the round's proposal, or of the
    /// highest prepare quorum.
    pub(super) fn needed(&self) -> Option<Digest> {
        let decided = self.certificate.as_ref().map(|certificate| certificate.digest);
        if decided.is_some() {
            return decided.filter(|digest| !self.values.holds(digest));
        }
        let proposed = self.rounds.get(&self.round).and_then(|round| round.proposal).map(|proposal| proposal.digest);
        let prepared = self.certificates.last_key_value().map(|(_, prepared)| prepared.digest);
        [proposed, prepared].into_iter().flatten().find(|digest| !self.values.holds(digest))
    }

    /// CONSENSUS 7.4: asks for the needed value. The first question waits a moment, since the value may be on its way,
    /// unless a peer said that it has it ([`Machine::hint`]).
    pub(super) fn fetch(&mut self, now: Time) {
        let Some(digest) = self.needed() else {
            self.pull = None;
            return;
        };
        let patience = self.timetable.patience_ms();
        if self.pull.as_ref().is_none_or(|pull| pull.digest != digest) {
            self.pull = Some(self.new_pull(digest, now.plus_ms(patience)));
        }
        let Some(pull) = self.pull.as_mut().filter(|pull| pull.next <= now) else { return };
        pull.next = now.plus_ms(patience);
        let Some(peer) = pull.order.pop_front() else { return };
        pull.order.push_back(peer);
        pull.asked.insert(peer);
        self.send(Recipient::One(peer), Message::Want(digest));
    }

    /// A peer that must have the value, unless it lies.
    pub(super) fn hint(&mut self, now: Time, digest: Digest, from: OperatorId) {
        if self.needed() != Some(digest) {
            return;
        }
        let mut pull = match self.pull.take() {
            Some(pull) if pull.digest == digest => pull,
            _ => self.new_pull(digest, now),
        };
        if pull.asked.is_empty() {
            pull.prefer(from);
            pull.next = now;
        }
        self.pull = Some(pull);
    }

    /// Those who prepared the value come first: they hold it.
    fn new_pull(&self, digest: Digest, next: Time) -> Pull {
        let mut order: VecDeque<OperatorId> = self.peers.keys().copied().collect();
        let mut pull = Pull { digest, order: VecDeque::new(), asked: BTreeSet::new(), next };
        let prepared = self.rounds.values().flat_map(|round| round.votes(VoteKind::Prepare));
        let holders = prepared.filter(|vote| vote.statement.digest() == Some(digest)).map(|vote| vote.from);
        let holders: BTreeSet<OperatorId> = holders.filter(|holder| *holder != self.me).collect();
        pull.order.append(&mut order);
        holders.into_iter().for_each(|holder| pull.prefer(holder));
        pull
    }
}
