//! Judging messages: cheap checks first, signatures next, the content last. State changes here; effects follow in
//! [`Machine::advance`].

use std::{collections::BTreeSet, sync::Arc};

use super::{
    agreement::{Recorded, MAX_VIEWS},
    context::Context,
    dealing::{self, derived_rng, Held},
    evidence::{invalid_dealing, is_equivocation, is_vote, judge_share, Culprit, CulpritKind, Evidence, Ruling},
    machine::Machine,
    message::{
        Accusation, Ballot, Body, Certify, Dealing, DealingRef, Lock, Message, Qualified, RevealedShares, Signed,
        MAX_ACCUSATIONS, MAX_RELAYED,
    },
    output::{Output, Record},
    signing::PARTIAL_BYTES,
    Step,
};
use crate::{
    committee::OperatorId,
    machine::Time,
    verdict::{FaultReason, SkipReason, Verdict},
};
use cluster_crypto::polynomial::SecretVector;

impl Machine {
    /// Takes a message of the authenticated peer `from`.
    ///
    /// What changes the machine is journalled before anything that follows from it is sent.
    pub fn on_message(&mut self, now: Time, from: OperatorId, message: Message) -> Verdict {
        if from == self.me || !self.context.committee().contains(from) {
            return Verdict::Fault(FaultReason::NotInCommittee);
        }
        let before = self.outputs.len();
        let verdict = match &message {
            Message::Want(inventory) => {
                self.take_report(from, inventory.commits);
                self.answer(now, from, inventory)
            }
            Message::Deliver(signed) if signed.from != from => Verdict::Fault(FaultReason::Impersonation),
            Message::Deliver(signed) => self.take(signed),
            Message::Relay(relayed) => self.take_relayed(relayed),
        };
        // A fault may change the machine too: evidence is kept. What changes nothing is not journalled, so a peer
        // cannot fill the disk by repeating itself.
        if std::mem::take(&mut self.changed) {
            let record = Record::Received { now, from, bytes: message.encode() };
            self.outputs.insert(before, Output::Persist(record));
            self.retry.interval_ms = self.timing.retry_ms;
            self.advance(now);
        }
        verdict
    }

    /// DKG 1.4: an honest operator's list only grows; anything else is not taken up, so it cannot fill the journal.
    fn take_report(&mut self, from: OperatorId, commits: u16) {
        let known = self.reports.get(&from).copied().unwrap_or(0);
        if self.step == Step::Commit && commits != known && commits & known == known {
            self.reports.insert(from, commits);
            self.changed = true;
        }
    }

    /// A relayer answers for signatures, not for what others signed.
    fn take_relayed(&mut self, relayed: &[Arc<Signed>]) -> Verdict {
        if relayed.len() > MAX_RELAYED {
            return Verdict::Fault(FaultReason::OutOfBounds);
        }
        let mut outcome = Verdict::Skip(SkipReason::Duplicate);
        let me = self.me;
        for signed in relayed.iter().filter(|signed| signed.from != me) {
            match self.take(signed) {
                Verdict::Fault(FaultReason::BadSignature | FaultReason::NotInCommittee) => {
                    return Verdict::Fault(FaultReason::BadSignature);
                }
                Verdict::Valid => outcome = Verdict::Valid,
                Verdict::Skip(_) | Verdict::Fault(_) => {}
            }
        }
        outcome
    }

    fn take(&mut self, signed: &Arc<Signed>) -> Verdict {
        if !self.context.committee().contains(signed.from) {
            return Verdict::Fault(FaultReason::NotInCommittee);
        }
        match &signed.body {
            Body::Commit(commit) => self.take_commit(signed, *commit),
            Body::Deal(dealing) => self.take_dealing(signed, dealing),
            Body::Echo(refs) => self.take_echo(signed, refs),
            Body::Verdict(ballot) => self.take_verdict(signed, ballot),
            Body::Receipt(_) => self.take_receipt(signed),
            Body::Partials(partials) => {
                if partials.signatures.len() != self.context.k() * PARTIAL_BYTES {
                    return Verdict::Fault(FaultReason::Malformed);
                }
                if self.signing.partials.contains_key(&signed.from) {
                    return Verdict::Skip(SkipReason::Duplicate);
                }
                self.checked(signed, |machine| {
                    machine.signing.partials.insert(signed.from, Arc::clone(signed));
                })
            }
            Body::Certify(certify) => self.take_certify(signed, certify),
            Body::Reveal(revealed) => self.take_reveal(signed, revealed),
        }
    }

    /// Runs `accept` if the signature holds.
    fn checked(&mut self, signed: &Signed, accept: impl FnOnce(&mut Self)) -> Verdict {
        if !signed.is_authentic(&self.context) {
            return Verdict::Fault(FaultReason::BadSignature);
        }
        accept(self);
        self.changed = true;
        Verdict::Valid
    }

    // DKG 1.3
    fn take_commit(&mut self, signed: &Arc<Signed>, commit: [u8; 32]) -> Verdict {
        if !self.context.is_dealer(signed.from) {
            return Verdict::Fault(FaultReason::OutOfBounds);
        }
        match self.commits.get(&signed.from).map(|known| &known.body) {
            Some(Body::Commit(known)) if *known == commit => return Verdict::Skip(SkipReason::Duplicate),
            Some(_) => return Verdict::Fault(FaultReason::Equivocation),
            None => {}
        }
        self.checked(signed, |machine| {
            machine.commits.insert(signed.from, Arc::clone(signed));
            machine.check_commit(signed.from);
        })
    }

    /// DKG 2.5: names a dealer whose dealing does not open its commit. The dealing itself stays: whether it counts
    /// is decided by what the dealers had seen (DKG 4.2), which is the same for everyone.
    fn check_commit(&mut self, dealer: OperatorId) {
        let (Some(commit), Some(held)) = (self.commits.get(&dealer), self.dealings.get(&dealer)) else { return };
        let (Body::Commit(committed), Some(dealing)) = (&commit.body, held.dealing()) else { return };
        if dealing.commit(&self.context, dealer) != *committed {
            let evidence = Evidence::BrokenCommit { commit: Arc::clone(commit), dealing: Arc::clone(&held.signed) };
            self.name(Culprit { operator_id: dealer, kind: CulpritKind::InvalidDealing, evidence: Some(evidence) });
        }
    }

    // DKG 2.4 to 2.6
    fn take_dealing(&mut self, signed: &Arc<Signed>, dealing: &Dealing) -> Verdict {
        let dealer = signed.from;
        if !self.context.is_dealer(dealer) {
            return Verdict::Fault(FaultReason::OutOfBounds);
        }
        let wanted = self.wanted();
        // Hashing a dealing costs as much as reading it; once a dealer is out, only what others decided is of use.
        if self.guilty.contains(&dealer) && !wanted.iter().any(|(wanted, _)| *wanted == dealer) {
            return Verdict::Skip(SkipReason::TooLate);
        }
        let digest = dealing.digest(&self.context, dealer);
        let held = self.dealings.get(&dealer).map(|held| (held.digest, held.signed.signature));
        if held.is_some_and(|(known, _)| known == digest) {
            return Verdict::Skip(SkipReason::Duplicate);
        }
        let reference = DealingRef { dealer, digest, signature: signed.signature };
        if !reference.is_authentic(&self.context) {
            return Verdict::Fault(FaultReason::BadSignature);
        }
        let known = held
            .map(|(digest, signature)| DealingRef { dealer, digest, signature })
            .or_else(|| self.refs.get(&dealer).filter(|known| known.digest != digest).cloned());
        if let Some(known) = &known {
            self.prove_equivocation(known.clone(), reference.clone());
            if !wanted.contains(&(dealer, digest)) {
                return Verdict::Fault(FaultReason::Equivocation);
            }
        }
        match dealing::check(&self.context, dealer, dealing) {
            Err(_) => {
                self.guilty.insert(dealer);
                self.invalid.entry(dealer).or_insert(reference);
                self.name(invalid_dealing(Arc::clone(signed)));
                Verdict::Fault(FaultReason::InvalidDealing)
            }
            Ok(commitments) => {
                let opened = Held::open(&self.context, self.me, &self.identity, Arc::clone(signed), commitments);
                let Some(held) = opened else { return Verdict::Fault(FaultReason::Malformed) };
                self.dealings.insert(dealer, held);
                self.changed = true;
                self.refs.remove(&dealer);
                self.check_commit(dealer);
                self.judge_pending(dealer);
                Verdict::Valid
            }
        }
    }

    // DKG 3.2
    pub(super) fn prove_equivocation(&mut self, first: DealingRef, second: DealingRef) {
        let dealer = first.dealer;
        self.guilty.insert(dealer);
        let accusation = Accusation::Equivocation { first: first.clone(), second: second.clone() };
        self.accusations.entry(dealer).or_insert(accusation);
        let evidence = Some(Evidence::Equivocation { first, second });
        self.name(Culprit { operator_id: dealer, kind: CulpritKind::Equivocation, evidence });
    }

    // DKG 3.2
    fn take_echo(&mut self, signed: &Arc<Signed>, refs: &[DealingRef]) -> Verdict {
        if refs.len() > self.context.n()
            || !strictly_sorted(refs.iter().map(|reference| reference.dealer))
            || !refs.iter().all(|reference| self.context.is_dealer(reference.dealer))
        {
            return Verdict::Fault(FaultReason::Malformed);
        }
        if self.echoes.contains_key(&signed.from) {
            return Verdict::Skip(SkipReason::Duplicate);
        }
        if !signed.is_authentic(&self.context) {
            return Verdict::Fault(FaultReason::BadSignature);
        }
        let unknown: Vec<&DealingRef> = refs
            .iter()
            .filter(|reference| self.dealings.get(&reference.dealer).is_none_or(|held| held.digest != reference.digest))
            .collect();
        if !unknown.iter().all(|reference| reference.is_authentic(&self.context)) {
            return Verdict::Fault(FaultReason::BadSignature);
        }
        for reference in unknown {
            let known = self
                .dealings
                .get(&reference.dealer)
                .map(|held| DealingRef {
                    dealer: reference.dealer,
                    digest: held.digest,
                    signature: held.signed.signature,
                })
                .or_else(|| self.refs.get(&reference.dealer).cloned())
                .or_else(|| self.invalid.get(&reference.dealer).cloned());
            match known {
                Some(known) if known.digest != reference.digest => self.prove_equivocation(known, reference.clone()),
                Some(_) => {}
                None => {
                    self.refs.insert(reference.dealer, reference.clone());
                }
            }
        }
        self.echoes.insert(signed.from, Arc::clone(signed));
        self.changed = true;
        Verdict::Valid
    }

    // DKG 4.5
    fn take_verdict(&mut self, signed: &Arc<Signed>, ballot: &Ballot) -> Verdict {
        if ballot.view >= MAX_VIEWS
            || ballot.accusations.len() > MAX_ACCUSATIONS
            || !(ballot.qualified.is_empty() || is_set(&self.context, &ballot.qualified))
            || ballot.lock.as_ref().is_some_and(|lock| lock.view >= ballot.view || lock.qualified != ballot.qualified)
        {
            return Verdict::Fault(FaultReason::OutOfBounds);
        }
        if !signed.is_authentic(&self.context)
            || !is_vote(&self.context, signed.from, ballot.view, &ballot.qualified, &ballot.vote)
        {
            return Verdict::Fault(FaultReason::BadSignature);
        }
        if ballot.lock.as_ref().is_some_and(|lock| !self.is_quorum(lock)) {
            return Verdict::Fault(FaultReason::NotEnoughSupport);
        }
        match self.agreement.record_verdict(signed) {
            Recorded::Duplicate => return Verdict::Skip(SkipReason::Duplicate),
            Recorded::Conflict(first) => {
                let evidence = Some(Evidence::DoubleVote { first, second: Arc::clone(signed) });
                self.name(Culprit { operator_id: signed.from, kind: CulpritKind::Equivocation, evidence });
                return Verdict::Fault(FaultReason::Equivocation);
            }
            Recorded::New => {}
        }
        self.changed = true;
        if let Some(lock) = &ballot.lock {
            self.agreement.adopt(lock.clone());
        }
        let mut honest = true;
        for accusation in &ballot.accusations {
            honest &= self.hear(signed, accusation);
        }
        // The vote counts all the same.
        if honest {
            Verdict::Valid
        } else {
            Verdict::Fault(FaultReason::FalseEvidence)
        }
    }

    /// DKG 4.8: t votes of different operators.
    fn is_quorum(&self, lock: &Lock) -> bool {
        if self.agreement.lock().is_some_and(|known| known == lock) {
            return true;
        }
        let voters: BTreeSet<OperatorId> = lock.votes.iter().map(|(voter, _)| *voter).collect();
        lock.votes.len() <= self.context.n()
            && voters.len() == lock.votes.len()
            && voters.len() >= self.context.t()
            && lock.votes.iter().all(|(voter, vote)| is_vote(&self.context, *voter, lock.view, &lock.qualified, vote))
    }

    /// DKG 4.4: takes an accusation up; false when it is proven untrue.
    fn hear(&mut self, verdict: &Arc<Signed>, accusation: &Accusation) -> bool {
        match accusation {
            Accusation::Equivocation { first, second } => {
                if !self.context.is_dealer(first.dealer) || !is_equivocation(&self.context, first, second) {
                    return false;
                }
                self.prove_equivocation(first.clone(), second.clone());
                true
            }
            Accusation::BadShare { dealer, digest, .. } => {
                if self.dealings.get(dealer).is_some_and(|held| held.digest == *digest) {
                    return self.judge(verdict, accusation);
                }
                if self.context.is_dealer(*dealer) {
                    self.pending.insert((verdict.from, *dealer), Arc::clone(verdict));
                }
                true
            }
        }
    }

    fn judge_pending(&mut self, dealer: OperatorId) {
        let due: Vec<Arc<Signed>> =
            self.pending.iter().filter(|((_, accused), _)| *accused == dealer).map(|(_, v)| Arc::clone(v)).collect();
        self.pending.retain(|(_, accused), _| *accused != dealer);
        for verdict in due {
            let accusations = super::agreement::ballot(&verdict).map(|b| b.accusations.clone()).unwrap_or_default();
            for accusation in accusations {
                if matches!(&accusation, Accusation::BadShare { dealer: accused, .. } if *accused == dealer) {
                    self.hear(&verdict, &accusation);
                }
            }
        }
    }

    /// DKG 4.4: opens the accuser's share; either the dealer or the accuser is guilty. True when the dealer is.
    fn judge(&mut self, verdict: &Arc<Signed>, accusation: &Accusation) -> bool {
        let Accusation::BadShare { dealer, reveal, digest } = accusation else { return true };
        let accuser = verdict.from;
        if self.upheld.contains_key(&(*dealer, accuser)) {
            return true;
        }
        let Some(held) = self.dealings.get(dealer) else { return true };
        let Some(dealing) = held.dealing() else { return true };
        let mut rng = derived_rng(&self.seed, "judge", &[digest, &verdict.digest(&self.context)]);
        let signed = Arc::clone(&held.signed);
        match judge_share(&self.context, accuser, reveal, *dealer, dealing, &held.commitments, &mut rng) {
            Ruling::DealerGuilty => {
                self.guilty.insert(*dealer);
                self.upheld.insert((*dealer, accuser), false);
                let evidence = Evidence::WrongShare { accuser, reveal: *reveal, dealing: signed };
                self.name(Culprit { operator_id: *dealer, kind: CulpritKind::WrongShare, evidence: Some(evidence) });
                true
            }
            Ruling::AccuserGuilty => {
                let evidence = Evidence::FalseComplaint { verdict: Arc::clone(verdict), dealing: signed };
                self.name(Culprit {
                    operator_id: accuser,
                    kind: CulpritKind::FalseComplaint,
                    evidence: Some(evidence),
                });
                false
            }
        }
    }

    /// DKG 4.4: this operator's own complaint about a dealing.
    pub(super) fn complain(&mut self, dealer: OperatorId) {
        let Some(held) = self.dealings.get(&dealer) else { return };
        let Some(dealing) = held.dealing() else { return };
        let ceremony = self.context.ceremony_id();
        let bound =
            cluster_crypto::seal::DealContext { ceremony_id: &ceremony.0, dealer: dealer.0, receiver: self.me.0 };
        let mut rng = derived_rng(&self.seed, "reveal", &[&held.digest]);
        let reveal = cluster_crypto::seal::reveal(&self.identity, &dealing.ephemeral, bound, &mut rng);
        let evidence = Evidence::WrongShare { accuser: self.me, reveal, dealing: Arc::clone(&held.signed) };
        let accusation = Accusation::BadShare { dealer, digest: held.digest, reveal };
        self.guilty.insert(dealer);
        self.accusations.insert(dealer, accusation);
        self.name(Culprit { operator_id: dealer, kind: CulpritKind::WrongShare, evidence: Some(evidence) });
    }

    // DKG 5.3
    fn take_receipt(&mut self, signed: &Arc<Signed>) -> Verdict {
        let Some(receipt) = super::agreement::receipt(signed) else {
            return Verdict::Fault(FaultReason::Malformed);
        };
        if receipt.view >= MAX_VIEWS || !is_set(&self.context, &receipt.qualified) {
            return Verdict::Fault(FaultReason::OutOfBounds);
        }
        if !signed.is_authentic(&self.context) {
            return Verdict::Fault(FaultReason::BadSignature);
        }
        match self.agreement.record_receipt(signed) {
            Recorded::New => {
                self.changed = true;
                Verdict::Valid
            }
            Recorded::Duplicate => Verdict::Skip(SkipReason::Duplicate),
            Recorded::Conflict(_) => Verdict::Fault(FaultReason::Equivocation),
        }
    }

    // DKG 7.3
    fn take_certify(&mut self, signed: &Arc<Signed>, certify: &Certify) -> Verdict {
        if certify.attestation.operator_id != signed.from {
            return Verdict::Fault(FaultReason::Impersonation);
        }
        if certify.attestation.envelopes.len() != self.context.k() {
            return Verdict::Fault(FaultReason::Malformed);
        }
        if self.certifies.contains_key(&signed.from) {
            return Verdict::Skip(SkipReason::Duplicate);
        }
        let by_operator = self
            .context
            .committee()
            .public_key(signed.from)
            .is_some_and(|key| certify.attestation.is_signed_by(&key, &certify.transcript_digest));
        if !by_operator {
            return Verdict::Fault(FaultReason::BadSignature);
        }
        self.checked(signed, |machine| {
            machine.certifies.insert(signed.from, Arc::clone(signed));
        })
    }

    // DKG 8.3
    fn take_reveal(&mut self, signed: &Arc<Signed>, revealed: &RevealedShares) -> Verdict {
        let asked = matches!(
            self.accusations.get(&revealed.dealer),
            Some(Accusation::BadShare { digest, .. }) if *digest == revealed.digest
        );
        if !asked || self.rebuilt.contains_key(&revealed.digest) {
            return Verdict::Skip(SkipReason::TooLate);
        }
        let (Some(held), Some(index)) = (self.dealings.get(&revealed.dealer), self.context.index_of(signed.from))
        else {
            return Verdict::Skip(SkipReason::TooLate);
        };
        let Ok(shares) = SecretVector::from_bytes(&revealed.shares, self.context.k()) else {
            return Verdict::Fault(FaultReason::Malformed);
        };
        let mut rng = derived_rng(&self.seed, "revealed", &[&revealed.digest, &signed.digest(&self.context)]);
        if !held.commitments.verify_shares(index, &shares, &mut rng) {
            return Verdict::Fault(FaultReason::FalseEvidence);
        }
        let digest = revealed.digest;
        self.checked(signed, |machine| {
            machine.reveals.entry(digest).or_default().insert(signed.from, shares);
            machine.rebuild(digest);
        })
    }

    /// DKG 8.4: with t receivers' shares of the guilty dealer, this operator's own follow.
    fn rebuild(&mut self, digest: [u8; 32]) {
        if self.reveals.get(&digest).is_none_or(|revealed| revealed.len() < self.context.t()) {
            return;
        }
        let revealed = self.reveals.remove(&digest).unwrap_or_default();
        let shares: Vec<_> = revealed
            .into_iter()
            .filter_map(|(operator, shares)| Some((self.context.index_of(operator)?, shares)))
            .collect();
        let rebuilt = cluster_crypto::polynomial::interpolate_at(self.index, &shares, self.context.threshold());
        if let Ok(rebuilt) = rebuilt {
            self.rebuilt.insert(digest, rebuilt);
        }
    }
}

/// A set of enough dealers, sorted, without repetition.
fn is_set(context: &Context, qualified: &Qualified) -> bool {
    qualified.len() >= context.enough_dealings()
        && qualified.len() <= context.dealers()
        && strictly_sorted(qualified.iter().map(|(dealer, _)| *dealer))
        && qualified.iter().all(|(dealer, _)| context.is_dealer(*dealer))
}

fn strictly_sorted(ids: impl Iterator<Item = OperatorId>) -> bool {
    let ids: Vec<OperatorId> = ids.collect();
    ids.windows(2).all(|pair| matches!(pair, [a, b] if a < b))
}
