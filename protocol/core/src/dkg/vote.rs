//! DKG 4: votes for dealings, complaints about them, and the views in which operators come to agree.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    agreement::MAX_VIEWS,
    dealing,
    evidence::invalid_dealing,
    keys::{self, Finding, SumError},
    machine::Machine,
    message::{vote_digest, Ballot, Body, Lock, Qualified},
    Step,
};
use crate::{committee::OperatorId, machine::Time};

/// Views that are left as soon as all votes are in without a quorum: each excludes another liar of a committee of 13.
const QUICK_VIEWS: u32 = 5;

/// DKG 11.6: no operator is to blame for it.
pub(super) const OTHER_KEYS: &str =
    "the old shares that the request names do not add up to the validator keys that it names; make it from the certificate of the previous ceremony";

impl Machine {
    // DKG 4.1 to 4.5: one vote in every view, for the lock or for all dealings that are right.
    pub(super) fn vote(&mut self) -> bool {
        let view = self.agreement.view;
        if self.idle() || self.voted.is_some_and(|voted| voted >= view) {
            return false;
        }
        let lock = self.agreement.lock().cloned();
        let chosen = lock.as_ref().map(|lock| lock.qualified.clone()).or_else(|| self.candidates());
        // One who cannot vote says why, so that the others exclude the same dealers.
        let Some(qualified) = chosen.or_else(|| (!self.accusations.is_empty()).then(Qualified::new)) else {
            return self.abort_when_hopeless();
        };
        self.voted = Some(view);
        self.cast(view, qualified, lock);
        self.abort_when_hopeless();
        true
    }

    pub(super) fn cast(&mut self, view: u32, qualified: Qualified, lock: Option<Lock>) {
        let vote = self.identity.sign(&vote_digest(&self.context, self.me, view, &qualified));
        let accusations = self.accusations.values().cloned().collect();
        let signed = self.sign(Body::Verdict(Ballot { view, qualified, vote, lock, accusations }));
        // This operator votes once in a view, so nothing of its own can be in the way.
        let _ = self.agreement.record_verdict(&signed);
        self.broadcast(signed);
    }

    /// DKG 4.2 and 4.3: the dealings that this operator would make keys from; `None` when they are too few.
    fn candidates(&mut self) -> Option<Qualified> {
        loop {
            let set = dealing::timely(
                &self.context,
                self.dealings.iter().filter(|(dealer, _)| !self.guilty.contains(dealer)).map(|(id, held)| (*id, held)),
            );
            if set.len() < self.context.enough_dealings() {
                return None;
            }
            let qualified = dealing::qualified(&set);
            if self.summed.as_ref().is_some_and(|summed| summed.qualified == qualified) {
                return Some(qualified);
            }
            match keys::sum(&self.context, self.index, &self.seed, &set, &self.rebuilt) {
                Ok(summed) => self.summed = Some(summed),
                Err(SumError::Dealers(findings)) if findings.is_empty() => return None,
                Err(SumError::Dealers(findings)) => self.blame(&findings),
                Err(SumError::OtherKeys) => {
                    self.abort(OTHER_KEYS);
                    return None;
                }
            }
        }
    }

    /// DKG 4.4: excludes dealers, with the evidence that makes others exclude them too.
    pub(super) fn blame(&mut self, findings: &[(OperatorId, Finding)]) {
        for (dealer, finding) in findings {
            let Some(held) = self.dealings.get(dealer) else { continue };
            let signed = Arc::clone(&held.signed);
            match finding {
                Finding::Subgroup => {
                    self.guilty.insert(*dealer);
                    self.name(invalid_dealing(signed));
                }
                Finding::Share => self.complain(*dealer),
            }
        }
    }

    // DKG 4.6 to 4.9
    pub(super) fn lock(&mut self, now: Time) -> bool {
        let view = self.agreement.view;
        let voters: BTreeSet<OperatorId> = self.agreement.voters(view).collect();
        if self.idle() || self.voted != Some(view) {
            return self.catch_up(now);
        }
        let everyone = self.echoes.keys().all(|operator| voters.contains(operator));
        if voters.len() < self.context.t() || !(everyone || self.is_overdue()) {
            return self.catch_up(now);
        }
        match self.agreement.quorum(view, self.context.t()) {
            Some(lock) if self.acceptable(&lock.qualified) => {
                self.agreement.adopt(lock);
                self.enter(now, Step::Store);
                true
            }
            // Votes differ while dealings are on their way: the next view waits for them.
            _ if !self.is_overdue() && !self.wanted().is_empty() => self.catch_up(now),
            // DKG 4.9: complaints are settled by now. Who still votes apart lies, while an honest voter is cut off: the
            // views must last until it is back.
            _ if !self.is_overdue() && view >= QUICK_VIEWS => self.catch_up(now),
            _ => {
                self.next_view(now, view + 1);
                true
            }
        }
    }

    /// DKG 4.7: a set with a dealer that evidence excludes is not locked any more, unless it was locked before.
    fn acceptable(&self, qualified: &Qualified) -> bool {
        self.agreement.lock().is_some_and(|lock| lock.qualified == *qualified)
            || qualified.iter().all(|(dealer, _)| !self.guilty.contains(dealer))
    }

    pub(super) fn catch_up(&mut self, now: Time) -> bool {
        let reached = self.agreement.reached_by(self.context.threshold().f() + 1);
        if self.idle() || reached <= self.agreement.view {
            return false;
        }
        self.next_view(now, reached);
        true
    }

    pub(super) fn next_view(&mut self, now: Time, view: u32) {
        if view >= MAX_VIEWS {
            self.abort("the operators could not agree on the dealings");
            return;
        }
        self.agreement.view = view;
        self.enter(now, Step::Verdicts);
    }
}
