//! What follows from what is held: proposing, preparing, committing, deciding.

use std::sync::Arc;

use super::{
    machine::Machine, round::Accepted, Certificate, Decision, Digest, Justification, Message, Output, Prepared,
    Proposal, Record, Statement, Vote, VoteKind, MAX_JOURNALLED_BYTES,
};
use crate::machine::{Recipient, Time};

impl Machine {
    /// Draws all conclusions. One pass is enough: every step only enables later ones.
    pub(super) fn settle(&mut self, now: Time) {
        if self.certificate.is_none() {
            self.follow(now);
            self.propose();
            self.prepare();
            self.commit();
            self.count_commits();
        }
        self.conclude();
        self.fetch(now);
    }

    /// CONSENSUS 1.4: f+1 operators are in later rounds, so an honest one is: this operator's clock is behind.
    fn follow(&mut self, now: Time) {
        let mut rounds: Vec<u32> = self.peers.values().map(|peer| peer.round).collect();
        rounds.sort_unstable_by(|a, b| b.cmp(a));
        let reached = rounds.get(self.committee.threshold().f()).copied().unwrap_or(0);
        if reached > self.round {
            self.enter(now, reached);
        }
    }

    /// CONSENSUS 2.1 to 2.3: proposes, once, when this operator leads the round and has what it takes.
    fn propose(&mut self) {
        if !self.leads(self.round) || self.own(self.round, VoteKind::Propose).is_some() {
            return;
        }
        let Some((digest, justification)) = self.choose() else { return };
        let backed = justification.prepared.is_some();
        // CONSENSUS 2.4: most operators hold what was prepared; the others ask.
        let value = self.values.get(&digest).map(|held| Arc::clone(&held.value)).filter(|_| !backed);
        let Some(vote) = self.cast(Statement::Propose(digest)) else { return };
        let header = Proposal { vote, justification, value: None };
        self.proposed = Some((self.round, Arc::new(Message::Propose(header.clone()))));
        self.rounds.entry(self.round).or_default().proposal = Some(Accepted { digest, backed });
        self.send(Recipient::All, Message::Propose(Proposal { value, ..header }));
    }

    /// What to propose, and why it is allowed. Round changes with a claim whose value nobody has supplied yet are left out
    /// when enough others remain: whoever withholds a value does not stop the round.
    fn choose(&self) -> Option<(Digest, Justification)> {
        if self.round == 1 {
            return Some((self.input?, Justification::default()));
        }
        let round = self.rounds.get(&self.round)?;
        let checked = round.votes(VoteKind::RoundChange).filter(|vote| round.backed.contains(&vote.from));
        let mut votes: Vec<(Option<super::Claim>, Vote)> =
            checked.map(|vote| (vote.statement.claim(), *vote)).collect();
        votes.sort_unstable_by_key(|(claim, _)| *claim);
        while votes.len() >= self.t() {
            let highest = votes.last()?.0;
            let prepared = highest.and_then(|claim| self.certificates.get(&claim.round).cloned());
            let digest = highest.map_or(self.input, |claim| Some(claim.digest));
            let proven = highest == prepared.as_ref().map(|prepared| prepared.claim());
            if let Some(digest) = digest.filter(|digest| proven && self.values.holds(digest)) {
                let round_changes = votes[votes.len() - self.t()..].iter().map(|(_, vote)| *vote).collect();
                return Some((digest, Justification { round_changes, prepared }));
            }
            votes.retain(|(claim, _)| *claim < highest);
        }
        None
    }

    /// CONSENSUS 3.1 to 3.3: prepares the round's proposal when its value is there and acceptable.
    fn prepare(&mut self) {
        let Some(round) = self.rounds.get_mut(&self.round) else { return };
        let Some(Accepted { digest, backed }) = round.proposal else { return };
        let Some(held) = self.values.get_mut(&digest) else { return };
        if round.vote(VoteKind::Prepare, self.me).is_some() {
            return;
        }
        if !backed && !held.valid {
            if !held.pending && !round.asked {
                (held.pending, round.asked) = (true, true);
                let value = Arc::clone(&held.value);
                self.effect(Output::Judge { digest, value });
            }
            return;
        }
        if !held.journalled && held.value.len() <= MAX_JOURNALLED_BYTES {
            held.journalled = true;
            let value = Arc::clone(&held.value);
            self.persist(Record::Value(value));
        }
        if let Some(vote) = self.cast(Statement::Prepare(digest)) {
            self.values.prepared(digest);
            self.send(Recipient::All, Message::Vote(vote));
        }
    }

    /// CONSENSUS 4.1 to 4.3: keeps every prepare quorum, and commits to that of the own round.
    fn commit(&mut self) {
        let t = self.t();
        let unknown = self.rounds.iter().filter(|(round, _)| !self.certificates.contains_key(round));
        let found: Vec<Prepared> = unknown
            .filter_map(|(round, held)| {
                let (digest, prepares) = held.quorum(VoteKind::Prepare, t)?;
                Some(Prepared { round: *round, digest, prepares })
            })
            .collect();
        for prepared in found {
            self.remember(Arc::new(prepared));
        }
        let Some(digest) = self.certificates.get(&self.round).map(|prepared| prepared.digest) else { return };
        if let Some(vote) = self.cast(Statement::Commit(digest)) {
            self.send(Recipient::All, Message::Vote(vote));
        }
    }

    /// CONSENSUS 4.1: a checked prepare quorum, into the journal before anything that depends on it.
    pub(super) fn remember(&mut self, prepared: Arc<Prepared>) {
        if !self.certificates.contains_key(&prepared.round) {
            self.persist(Record::Prepared(Arc::clone(&prepared)));
            self.certificates.insert(prepared.round, prepared);
        }
    }

    /// CONSENSUS 5.1: commits of a quorum, in any round.
    fn count_commits(&mut self) {
        let t = self.t();
        let found = self.rounds.iter().find_map(|(round, held)| {
            let (digest, commits) = held.quorum(VoteKind::Commit, t)?;
            Some(Certificate { round: *round, digest, commits })
        });
        if let Some(certificate) = found {
            self.decide(Arc::new(certificate));
        }
    }

    /// The instance is over: only the decision is kept.
    pub(super) fn decide(&mut self, certificate: Arc<Certificate>) {
        if self.certificate.is_none() {
            self.persist(Record::Decided(Arc::clone(&certificate)));
            self.values.keep_only(&certificate.digest);
            self.certificate = Some(certificate);
            self.rounds.clear();
            self.certificates.clear();
        }
    }

    /// CONSENSUS 5.3: reports the decision when its value is there.
    pub(super) fn conclude(&mut self) {
        let Some(certificate) = self.certificate.as_ref().filter(|_| self.decision.is_none()) else { return };
        let Some(held) = self.values.get(&certificate.digest) else { return };
        let decision = Decision {
            value: Arc::clone(&held.value),
            digest: certificate.digest,
            round: certificate.round,
            certificate: Arc::clone(certificate),
        };
        self.pull = None;
        self.decision = Some(decision.clone());
        self.effect(Output::Decided(decision));
    }
}
