//! The machine: rounds, the one place that signs, and restart.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use cluster_crypto::identity;

use super::{
    leader,
    round::{Accepted, Round},
    supply::Pull,
    values::Values,
    Certificate, Config, Decision, Digest, Evidence, Justification, Message, Output, Prepared, Proposal, Record,
    Statement, Timetable, Vote, VoteKind, MAX_ROUND, MAX_VALUE_BYTES,
};
use crate::{
    committee::{Committee, OperatorId},
    duty::InstanceId,
    machine::{Recipient, Time},
    verdict::{FaultReason, Verdict},
};

/// Rounds behind the own one of which votes still count.
pub(super) const ROUNDS_BEHIND: u32 = 8;
/// Rounds ahead of the own one of which votes are kept: clocks differ a little.
pub(super) const ROUNDS_AHEAD: u32 = 2;

/// What is kept about one peer.
#[derive(Debug, Default)]
pub(super) struct Peer {
    /// Faults so far, and the last.
    pub(super) faults: u32,
    pub(super) last_fault: Option<FaultReason>,
    /// The highest round that a vote of the peer names.
    pub(super) round: u32,
    /// Before these times the peer gets no further answer, no further value, and no check of a vote of a far round.
    pub(super) next_answer: Time,
    pub(super) next_value: Time,
    pub(super) next_far: Time,
    /// The peer has sent something right.
    pub(super) heard: bool,
}

/// One operator in one instance.
pub struct Machine {
    pub(super) instance: InstanceId,
    pub(super) committee: Arc<Committee>,
    pub(super) me: OperatorId,
    key: identity::SecretKey,
    pub(super) timetable: Timetable,
    pub(super) round: u32,
    begun: bool,
    restored: bool,
    pub(super) rounds: BTreeMap<u32, Round>,
    /// Prepare quorums that were checked, by round.
    pub(super) certificates: BTreeMap<u32, Arc<Prepared>>,
    pub(super) values: Values,
    /// The digest of this operator's own input.
    pub(super) input: Option<Digest>,
    /// The proposal of this operator in the round that it names, without its value.
    pub(super) proposed: Option<(u32, Arc<Message>)>,
    pub(super) certificate: Option<Arc<Certificate>>,
    pub(super) decision: Option<Decision>,
    pub(super) peers: BTreeMap<OperatorId, Peer>,
    pub(super) evidence: BTreeMap<OperatorId, Evidence>,
    pub(super) pull: Option<Pull>,
    pub(super) next_repeat: Time,
    records: VecDeque<Record>,
    effects: VecDeque<Output>,
    pub(super) checks: u64,
}

impl Machine {
    /// A machine that has never run. It begins at [`Config::start`], or at once when that has passed.
    ///
    /// An operator that is not in the committee only follows: it never votes.
    #[must_use]
    pub fn start(config: Config, committee: Arc<Committee>, me: OperatorId, key: identity::SecretKey) -> Self {
        let timetable = Timetable::new(config.start, config.round_ms, committee.threshold().f());
        let peers = committee.ids().filter(|id| *id != me).map(|id| (id, Peer::default())).collect();
        Self {
            instance: config.instance,
            committee,
            me,
            key,
            timetable,
            round: 1,
            begun: false,
            restored: false,
            rounds: BTreeMap::new(),
            certificates: BTreeMap::new(),
            values: Values::default(),
            input: None,
            proposed: None,
            certificate: None,
            decision: None,
            peers,
            evidence: BTreeMap::new(),
            pull: None,
            next_repeat: config.start.plus_ms(timetable.repeat_ms()),
            records: VecDeque::new(),
            effects: VecDeque::new(),
            checks: 0,
        }
    }

    /// CONSENSUS 8.1: the machine of an operator that was stopped, from its journal. No records means that it never ran.
    #[must_use]
    pub fn restore(
        config: Config,
        committee: Arc<Committee>,
        me: OperatorId,
        key: identity::SecretKey,
        records: Vec<Record>,
    ) -> Self {
        let mut machine = Self::start(config, committee, me, key);
        machine.restored = !records.is_empty();
        for record in records {
            machine.replay(record);
        }
        machine.conclude();
        // Decided without the value: it is asked for at once.
        machine.fetch(Time::default());
        machine
    }

    /// This operator's own input; it needs no judgement. The first one stays. Empty and oversized values are passed over.
    pub fn on_value(&mut self, now: Time, value: Arc<[u8]>) {
        self.advance(now);
        if value.is_empty() || value.len() > MAX_VALUE_BYTES || self.decision.is_some() || self.input.is_some() {
            return;
        }
        let digest = super::digest(&value);
        self.input = Some(digest);
        if self.certificate.as_ref().is_none_or(|certificate| certificate.digest == digest) {
            self.values.insert(digest, value).valid = true;
        }
        self.settle(now);
    }

    /// The answer to [`Output::Judge`].
    pub fn on_judgement(&mut self, now: Time, digest: Digest, valid: bool) {
        self.advance(now);
        if let Some(held) = self.values.get_mut(&digest) {
            held.pending = false;
            // Once valid, always valid: what this operator prepared it does not take back.
            held.valid |= valid;
        }
        self.settle(now);
    }

    /// The round that the machine is in, from 1.
    #[must_use]
    pub fn round(&self) -> u32 {
        self.round
    }

    /// The decision, once the machine has it together with its value.
    #[must_use]
    pub fn decided(&self) -> Option<&Decision> {
        self.decision.as_ref()
    }

    /// Operators that were caught with two different votes for one place; at most one piece of evidence for each.
    pub fn evidence(&self) -> impl Iterator<Item = &Evidence> {
        self.evidence.values()
    }

    /// The peers that have sent anything right in this instance.
    pub fn heard(&self) -> impl Iterator<Item = OperatorId> + '_ {
        self.peers.iter().filter(|(_, peer)| peer.heard).map(|(id, _)| *id)
    }

    /// How many signatures the machine has checked: its cost.
    #[must_use]
    pub fn signature_checks(&self) -> u64 {
        self.checks
    }

    /// Size of a quorum.
    pub(super) fn t(&self) -> usize {
        self.committee.threshold().t()
    }

    pub(super) fn leads(&self, round: u32) -> bool {
        self.votes() && leader(&self.committee, &self.instance, round) == self.me
    }

    fn votes(&self) -> bool {
        self.committee.contains(self.me)
    }

    /// CONSENSUS 8.2: records come out before every other effect, so that one flush serves all of a moment.
    pub(super) fn persist(&mut self, record: Record) {
        self.records.push_back(record);
    }

    pub(super) fn effect(&mut self, effect: Output) {
        self.effects.push_back(effect);
    }

    pub(super) fn send(&mut self, to: Recipient, message: Message) {
        self.effect(Output::Send { to, message: Arc::new(message) });
    }

    /// This operator's vote of a kind in a round.
    pub(super) fn own(&self, round: u32, kind: VoteKind) -> Option<&Vote> {
        self.rounds.get(&round)?.vote(kind, self.me)
    }

    /// CONSENSUS 1.6 and 8.2: the one place that signs. One statement of each kind in a round, for the own round only, and in
    /// the journal before anything leaves. Rounds never go back, also over a restart.
    pub(super) fn cast(&mut self, statement: Statement) -> Option<Vote> {
        if !self.votes() || self.own(self.round, statement.kind()).is_some() {
            return None;
        }
        let vote = Vote::sign(&self.instance, &self.key, self.me, self.round, statement);
        self.rounds.entry(self.round).or_default().insert(vote);
        self.persist(Record::Vote(vote));
        Some(vote)
    }

    /// Catches up with the clock.
    pub(super) fn advance(&mut self, now: Time) {
        if self.certificate.is_some() || (!self.begun && now < self.timetable.start()) {
            return;
        }
        let first = !self.begun;
        self.begun = true;
        // CONSENSUS 1.3
        let round = self.timetable.round_at(now);
        if round > self.round {
            self.enter(now, round);
        } else if first && self.restored {
            self.repeat_votes(Recipient::All);
        }
        let late = now.since(self.timetable.start()) > self.timetable.patience_ms();
        if first && (self.restored || late) {
            // CONSENSUS 7.2: the others may be done.
            self.send(Recipient::All, Message::Query);
            self.next_repeat = now.plus_ms(self.timetable.repeat_ms());
        }
        if now >= self.next_repeat {
            self.repeat(now);
        }
    }

    /// CONSENSUS 1.3 and 6.1: enters a round, and says so before any other vote of the round.
    pub(super) fn enter(&mut self, now: Time, round: u32) {
        self.round = round;
        self.next_repeat = now.plus_ms(self.timetable.repeat_ms());
        let highest = self.certificates.range(..round).next_back().map(|(_, prepared)| Arc::clone(prepared));
        let claim = highest.as_ref().map(|prepared| prepared.claim());
        if let Some(vote) = self.cast(Statement::RoundChange(claim)) {
            let me = self.me;
            self.rounds.entry(round).or_default().backed.insert(me);
            self.send(Recipient::All, Message::RoundChange { vote, certificate: highest });
        }
        self.prune();
    }

    /// CONSENSUS 9.5: rounds far behind, prepare quorums but the last, and values that nothing refers to are dropped.
    fn prune(&mut self) {
        let oldest = self.round.saturating_sub(ROUNDS_BEHIND);
        self.rounds.retain(|round, _| *round >= oldest);
        while self.certificates.len() > ROUNDS_BEHIND as usize {
            self.certificates.pop_first();
        }
        let mut needed: Vec<Digest> = self.input.into_iter().collect();
        needed.extend(self.certificates.last_key_value().map(|(_, prepared)| prepared.digest));
        needed.extend(self.rounds.get(&self.round).and_then(|round| round.proposal).map(|proposal| proposal.digest));
        self.values.prune(&needed);
    }

    /// CONSENSUS 8.1 and 8.3: takes up one entry of the own journal.
    fn replay(&mut self, record: Record) {
        match record {
            Record::Vote(vote) if vote.from == self.me => {
                self.round = self.round.max(vote.round);
                let round = self.rounds.entry(vote.round).or_default();
                round.insert(vote);
                match vote.statement {
                    Statement::RoundChange(_) => drop(round.backed.insert(vote.from)),
                    Statement::Prepare(digest) => {
                        self.values.prepared(digest);
                        if let Some(held) = self.values.get_mut(&digest) {
                            held.valid = true;
                        }
                    }
                    Statement::Propose(digest) => self.replay_proposal(vote, digest),
                    Statement::Commit(_) => {}
                }
            }
            // The journal of another operator: nothing of it binds this one.
            Record::Vote(_) => {}
            Record::Prepared(prepared) => drop(self.certificates.insert(prepared.round, prepared)),
            Record::Value(value) => self.values.insert(super::digest(&value), value).journalled = true,
            Record::Decided(certificate) => self.certificate = Some(certificate),
        }
    }
}

impl Machine {
    /// CONSENSUS 8.3: the own proposal stands. Only that of round 1 can be repeated: the justification of later ones is lost.
    fn replay_proposal(&mut self, vote: Vote, digest: Digest) {
        self.rounds.entry(vote.round).or_default().proposal = Some(Accepted { digest, backed: false });
        if vote.round == 1 {
            let proposal = Proposal { vote, justification: Justification::default(), value: None };
            self.proposed = Some((1, Arc::new(Message::Propose(proposal))));
        }
    }
}

impl Prepared {
    /// The claim that the quorum proves.
    pub(super) fn claim(&self) -> super::Claim {
        super::Claim { round: self.round, digest: self.digest }
    }
}

impl crate::machine::Machine for Machine {
    type Message = Message;
    type Output = Output;

    fn on_message(&mut self, now: Time, from: OperatorId, message: Message) -> Verdict {
        self.advance(now);
        let verdict = self.receive(now, from, message);
        if let Some(peer) = self.peers.get_mut(&from) {
            match &verdict {
                Verdict::Valid => peer.heard = true,
                Verdict::Skip(_) => {}
                Verdict::Fault(reason) => {
                    peer.faults = peer.faults.saturating_add(1);
                    peer.last_fault = Some(*reason);
                }
            }
        }
        self.settle(now);
        verdict
    }

    fn on_deadline(&mut self, now: Time) {
        self.advance(now);
        self.settle(now);
    }

    fn poll(&mut self) -> Option<Output> {
        self.records.pop_front().map(Output::Persist).or_else(|| self.effects.pop_front())
    }

    fn deadline(&self) -> Option<Time> {
        if self.decision.is_some() {
            return None;
        }
        let pull = self.pull.as_ref().map(Pull::next);
        let clock = match (&self.certificate, self.begun) {
            (Some(_), _) => None,
            (None, false) => Some(self.timetable.start()),
            (None, true) if self.round < MAX_ROUND => Some(self.next_repeat.min(self.timetable.begins(self.round + 1))),
            (None, true) => Some(self.next_repeat),
        };
        [pull, clock].into_iter().flatten().min()
    }
}
