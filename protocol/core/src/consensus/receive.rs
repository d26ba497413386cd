//! Judging what peers send: cheapest checks first, at most one signature check for a new vote, none for a duplicate.

use std::sync::Arc;

use super::{
    certificate::{check_quorum, check_shape},
    leader,
    machine::{Machine, ROUNDS_AHEAD, ROUNDS_BEHIND},
    round::Accepted,
    Certificate, Claim, Digest, Evidence, Message, Prepared, Proposal, Statement, Vote, VoteKind, MAX_ROUND,
    MAX_VALUE_BYTES,
};
use crate::{
    committee::OperatorId,
    machine::{Recipient, Time},
    verdict::{FaultReason, SkipReason, Verdict},
};

/// Faults of one peer after which nothing of it is checked any more.
const MAX_FAULTS: u32 = 8;

/// How a signed vote compares with what is held.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Admitted {
    /// It was new, and its signature is right.
    New,
    /// It is held.
    Known,
    /// The operator signed another one before.
    Conflict,
}

/// Why a message is not taken up.
enum Refusal {
    Skip(SkipReason),
    Fault(FaultReason),
}

impl From<FaultReason> for Refusal {
    fn from(reason: FaultReason) -> Self {
        Self::Fault(reason)
    }
}

impl From<Result<(), Refusal>> for Verdict {
    fn from(result: Result<(), Refusal>) -> Self {
        match result {
            Ok(()) => Self::Valid,
            Err(Refusal::Skip(reason)) => Self::Skip(reason),
            Err(Refusal::Fault(reason)) => Self::Fault(reason),
        }
    }
}

const DUPLICATE: Refusal = Refusal::Skip(SkipReason::Duplicate);
const TOO_LATE: Refusal = Refusal::Skip(SkipReason::TooLate);
const TOO_OFTEN: Refusal = Refusal::Skip(SkipReason::TooOften);

impl Machine {
    pub(super) fn receive(&mut self, now: Time, from: OperatorId, message: Message) -> Verdict {
        if from == self.me {
            return Verdict::Fault(FaultReason::Impersonation);
        }
        let Some(peer) = self.peers.get(&from) else { return Verdict::Fault(FaultReason::NotInCommittee) };
        // CONSENSUS 9.4
        if let Some(reason) = peer.last_fault.filter(|_| peer.faults >= MAX_FAULTS) {
            return Verdict::Fault(reason);
        }
        let result = match message {
            Message::Want(digest) => self.on_want(now, from, digest),
            Message::Value { digest, value } => self.on_supply(from, digest, value),
            message if self.certificate.is_some() => self.on_late(now, from, message),
            Message::Propose(proposal) => self.on_proposal(now, from, proposal),
            Message::Vote(vote) => self.on_vote(now, from, vote),
            Message::RoundChange { vote, certificate } => self.on_round_change(now, from, vote, certificate),
            Message::Decided(certificate) => self.on_decided(now, from, certificate),
            Message::Query => self.answer(now, from),
        };
        result.into()
    }

    /// CONSENSUS 5.4: after the decision. Votes for the deciding round are on time; everything else comes from
    /// one who does not know of the decision.
    fn on_late(&mut self, now: Time, from: OperatorId, message: Message) -> Result<(), Refusal> {
        let decided = self.certificate.as_ref().map_or(0, |certificate| certificate.round);
        match message {
            Message::Decided(_) => return Err(DUPLICATE),
            Message::Vote(vote) if vote.round == decided => return Err(TOO_LATE),
            Message::Propose(Proposal { vote, value: Some(value), .. }) => {
                if let Some(digest) = vote.statement.digest() {
                    self.take_wanted(digest, value)?;
                }
                if vote.round <= decided {
                    return Err(TOO_LATE);
                }
            }
            _ => {}
        }
        self.answer(now, from)?;
        Err(TOO_LATE)
    }

    /// CONSENSUS 4.1 and 5.1: a prepare or commit vote.
    fn on_vote(&mut self, now: Time, from: OperatorId, vote: Vote) -> Result<(), Refusal> {
        let kind = vote.statement.kind();
        if !matches!(kind, VoteKind::Prepare | VoteKind::Commit) {
            return Err(FaultReason::Malformed.into());
        }
        check_head(from, &vote)?;
        if vote.round.saturating_add(ROUNDS_BEHIND) < self.round {
            return Err(TOO_LATE);
        }
        if vote.round > self.round.saturating_add(ROUNDS_AHEAD) {
            return self.on_far_vote(now, from, &vote);
        }
        // CONSENSUS 4.4: nothing follows from more prepares of what is prepared.
        let prepared = self.certificates.get(&vote.round).map(|prepared| prepared.digest);
        if kind == VoteKind::Prepare && prepared.is_some() && prepared == vote.statement.digest() {
            return Err(TOO_LATE);
        }
        self.admit_own(&vote)
    }

    /// CONSENSUS 6.2: a round change with the prepare quorum that it claims.
    fn on_round_change(
        &mut self,
        now: Time,
        from: OperatorId,
        vote: Vote,
        certificate: Option<Arc<Prepared>>,
    ) -> Result<(), Refusal> {
        let Statement::RoundChange(claim) = vote.statement else { return Err(FaultReason::Malformed.into()) };
        check_head(from, &vote)?;
        check_claim(vote.round, claim)?;
        if claim != certificate.as_ref().map(|prepared| prepared.claim()) {
            return Err(FaultReason::NotEnoughSupport.into());
        }
        if vote.round < self.round {
            return Err(TOO_LATE);
        }
        if vote.round > self.round.saturating_add(ROUNDS_AHEAD) {
            return self.on_far_vote(now, from, &vote);
        }
        let known = self.rounds.get(&vote.round);
        let checked = known.is_some_and(|round| round.backed.contains(&from));
        // The vote alone may be known from another's justification; its claim is then still to be checked.
        match self.admit_own(&vote) {
            Ok(()) => {}
            Err(Refusal::Skip(_)) if !checked => {}
            Err(refusal) => return Err(refusal),
        }
        if let Some(prepared) = certificate {
            let digest = prepared.digest;
            self.check_prepared(&prepared)?;
            self.remember(prepared);
            self.hint(now, digest, from);
        }
        self.rounds.entry(vote.round).or_default().backed.insert(from);
        Ok(())
    }

    /// CONSENSUS 2.4 and 2.5: a proposal.
    fn on_proposal(&mut self, now: Time, from: OperatorId, proposal: Proposal) -> Result<(), Refusal> {
        let Proposal { vote, justification: _, value } = &proposal;
        let Statement::Propose(digest) = vote.statement else { return Err(FaultReason::Malformed.into()) };
        check_head(from, vote)?;
        if leader(&self.committee, &self.instance, vote.round) != from {
            return Err(FaultReason::NotLeader.into());
        }
        check_size(value.as_deref())?;
        let accepted = self.rounds.get(&vote.round).and_then(|round| round.proposal);
        let repeated = accepted.is_some_and(|accepted| accepted.digest == digest);
        if repeated || vote.round < self.round {
            if let Some(value) = value {
                self.take_wanted(digest, Arc::clone(value))?;
            }
            return Err(if repeated { DUPLICATE } else { TOO_LATE });
        }
        match self.admit_own(vote) {
            Ok(()) => {}
            // Its justification was wrong the first time.
            Err(Refusal::Skip(_)) if accepted.is_none() => {}
            Err(refusal) => return Err(refusal),
        }
        let backed = self.check_justification(&proposal, digest)?;
        let Proposal { vote, value, .. } = proposal;
        let held = self.values.get(&digest).map(|held| Arc::clone(&held.value));
        if held.is_none() && value.as_deref().is_some_and(|value| super::digest(value) != digest) {
            return Err(FaultReason::Malformed.into());
        }
        // CONSENSUS 1.5: a quorum is in the round.
        if vote.round > self.round {
            self.enter(now, vote.round);
        }
        if let Some(value) = held.or(value) {
            self.values.insert(digest, value);
        }
        self.rounds.entry(vote.round).or_default().proposal = Some(Accepted { digest, backed });
        self.hint(now, digest, from);
        Ok(())
    }

    /// CONSENSUS 2.2 and 2.3: whether the round changes allow the proposal; the answer says whether a prepare quorum
    /// speaks for it.
    fn check_justification(&mut self, proposal: &Proposal, digest: Digest) -> Result<bool, Refusal> {
        let (round, justification) = (proposal.vote.round, &proposal.justification);
        let votes = &justification.round_changes;
        if round == 1 {
            let empty = votes.is_empty() && justification.prepared.is_none();
            return if empty { Ok(false) } else { Err(FaultReason::Malformed.into()) };
        }
        check_quorum(votes.iter().map(|vote| vote.from), &self.committee).map_err(|error| error.fault())?;
        let mut highest: Option<Claim> = None;
        for vote in votes {
            let Statement::RoundChange(claim) = vote.statement else { return Err(FaultReason::Malformed.into()) };
            if vote.round != round {
                return Err(FaultReason::NotEnoughSupport.into());
            }
            check_claim(round, claim)?;
            // Claims order by round, then by digest: of two claims for one round one is a lie, and the proposal can match
            // only the one with a quorum.
            highest = highest.max(claim);
        }
        if highest != justification.prepared.as_ref().map(|prepared| prepared.claim()) {
            return Err(FaultReason::NotEnoughSupport.into());
        }
        if highest.is_some_and(|claim| claim.digest != digest) {
            return Err(FaultReason::NotEnoughSupport.into());
        }
        for vote in votes {
            self.admit(vote)?;
        }
        if let Some(prepared) = &justification.prepared {
            self.check_prepared(prepared)?;
            self.remember(Arc::clone(prepared));
        }
        Ok(highest.is_some())
    }

    /// CONSENSUS 5.2: the others have decided.
    fn on_decided(&mut self, now: Time, from: OperatorId, certificate: Arc<Certificate>) -> Result<(), Refusal> {
        check_shape(certificate.round, &certificate.commits, &self.committee).map_err(|error| error.fault())?;
        for vote in certificate.votes() {
            self.admit(&vote)?;
        }
        let digest = certificate.digest;
        self.decide(certificate);
        self.hint(now, digest, from);
        Ok(())
    }

    fn check_prepared(&mut self, prepared: &Prepared) -> Result<(), Refusal> {
        let known = self.certificates.get(&prepared.round);
        if known.is_some_and(|known| known.digest == prepared.digest) {
            return Ok(());
        }
        check_shape(prepared.round, &prepared.prepares, &self.committee).map_err(|error| error.fault())?;
        for vote in prepared.votes() {
            self.admit(&vote)?;
        }
        Ok(())
    }

    /// CONSENSUS 1.4: a vote for a round far ahead says where its sender is, and is not kept. A clock must be wrong,
    /// here or there; one such vote is checked in a while.
    fn on_far_vote(&mut self, now: Time, from: OperatorId, vote: &Vote) -> Result<(), Refusal> {
        let next = now.plus_ms(self.timetable.repeat_ms());
        let Some(peer) = self.peers.get_mut(&from) else { return Err(FaultReason::NotInCommittee.into()) };
        if peer.round >= vote.round {
            return Err(DUPLICATE);
        }
        if peer.next_far > now {
            return Err(TOO_OFTEN);
        }
        peer.next_far = next;
        self.check(vote)?;
        self.saw(vote);
        Ok(())
    }

    /// A vote that its own author sent.
    fn admit_own(&mut self, vote: &Vote) -> Result<(), Refusal> {
        let known = self.rounds.get(&vote.round).and_then(|round| round.vote(vote.statement.kind(), vote.from));
        match known {
            // CONSENSUS 9.2: a duplicate is told by its content alone.
            Some(known) if known.statement == vote.statement => return Err(DUPLICATE),
            Some(_) if self.evidence.contains_key(&vote.from) => return Err(FaultReason::Equivocation.into()),
            _ => {}
        }
        match self.admit(vote)? {
            Admitted::New => Ok(()),
            Admitted::Known => Err(DUPLICATE),
            Admitted::Conflict => Err(FaultReason::Equivocation.into()),
        }
    }

    /// CONSENSUS 9.2 and 9.3: checks a vote's signature unless this very vote is held, keeps it, and keeps two different ones
    /// as evidence.
    fn admit(&mut self, vote: &Vote) -> Result<Admitted, FaultReason> {
        let kind = vote.statement.kind();
        let known = self.rounds.get(&vote.round).and_then(|round| round.vote(kind, vote.from)).copied();
        if known == Some(*vote) {
            return Ok(Admitted::Known);
        }
        self.check(vote)?;
        self.saw(vote);
        match known {
            Some(first) if first.statement != vote.statement => {
                let evidence = Evidence { instance: self.instance, first, second: *vote };
                self.evidence.entry(vote.from).or_insert(evidence);
                Ok(Admitted::Conflict)
            }
            Some(_) => Ok(Admitted::Known),
            None => {
                let window = self.round.saturating_sub(ROUNDS_BEHIND)..=self.round.saturating_add(ROUNDS_AHEAD);
                if window.contains(&vote.round) {
                    self.rounds.entry(vote.round).or_default().insert(*vote);
                }
                Ok(Admitted::New)
            }
        }
    }

    fn check(&mut self, vote: &Vote) -> Result<(), FaultReason> {
        self.checks += 1;
        if vote.is_authentic(&self.committee, &self.instance) {
            Ok(())
        } else {
            Err(FaultReason::BadSignature)
        }
    }

    fn saw(&mut self, vote: &Vote) {
        if let Some(peer) = self.peers.get_mut(&vote.from) {
            peer.round = peer.round.max(vote.round);
        }
    }

    /// A value that came with a proposal which itself is of no use any more.
    fn take_wanted(&mut self, digest: Digest, value: Arc<[u8]>) -> Result<(), Refusal> {
        check_size(Some(&value))?;
        if self.needed() == Some(digest) {
            if super::digest(&value) != digest {
                return Err(FaultReason::Malformed.into());
            }
            self.values.insert(digest, value);
        }
        Ok(())
    }

    /// CONSENSUS 7.5: the answer to a question of this operator.
    fn on_supply(&mut self, from: OperatorId, digest: Digest, value: Arc<[u8]>) -> Result<(), Refusal> {
        check_size(Some(&value))?;
        // Hashing a value costs more than a signature check: only what was asked for, from whom, and once for each question.
        if self.needed() != Some(digest) {
            return Err(TOO_LATE);
        }
        if !self.pull.as_mut().is_some_and(|pull| pull.is_answer(from, &digest)) {
            return Err(TOO_OFTEN);
        }
        self.take_wanted(digest, value)
    }

    /// CONSENSUS 7.5: gives a peer a value.
    fn on_want(&mut self, now: Time, to: OperatorId, digest: Digest) -> Result<(), Refusal> {
        let next = now.plus_ms(self.timetable.patience_ms());
        let value = self.values.get(&digest).map(|held| Arc::clone(&held.value)).ok_or(TOO_LATE)?;
        match self.peers.get_mut(&to) {
            // CONSENSUS 7.6
            Some(peer) if peer.next_value <= now => peer.next_value = next,
            _ => return Err(TOO_OFTEN),
        }
        self.send(Recipient::One(to), Message::Value { digest, value });
        Ok(())
    }

    /// CONSENSUS 7.3: the decision, or the own votes, for a peer that seems to have missed them.
    fn answer(&mut self, now: Time, to: OperatorId) -> Result<(), Refusal> {
        let next = now.plus_ms(self.timetable.patience_ms());
        match self.peers.get_mut(&to) {
            // CONSENSUS 7.6
            Some(peer) if peer.next_answer <= now => peer.next_answer = next,
            _ => return Err(TOO_OFTEN),
        }
        self.repeat_votes(Recipient::One(to));
        Ok(())
    }
}

/// CONSENSUS 9.1: what every vote must satisfy before its signature is looked at.
fn check_head(from: OperatorId, vote: &Vote) -> Result<(), Refusal> {
    // CONSENSUS 0.4
    if vote.from != from {
        return Err(FaultReason::Impersonation.into());
    }
    let first = if vote.statement.kind() == VoteKind::RoundChange { 2 } else { 1 };
    if !(first..=MAX_ROUND).contains(&vote.round) {
        return Err(FaultReason::OutOfBounds.into());
    }
    if vote.statement.digest() == Some([0; 32]) {
        return Err(FaultReason::Malformed.into());
    }
    Ok(())
}

/// A round change can claim a quorum of an earlier round only.
fn check_claim(round: u32, claim: Option<Claim>) -> Result<(), Refusal> {
    match claim {
        Some(claim) if claim.round == 0 || claim.round >= round => Err(FaultReason::OutOfBounds.into()),
        _ => Ok(()),
    }
}

/// CONSENSUS 0.3: a value has at least one byte and at most [`MAX_VALUE_BYTES`].
fn check_size(value: Option<&[u8]>) -> Result<(), Refusal> {
    match value {
        Some(value) if value.is_empty() || value.len() > MAX_VALUE_BYTES => Err(FaultReason::OutOfBounds.into()),
        _ => Ok(()),
    }
}
