//! DKG 5 and 8: keys and shares on disk, receipts, and rebuilding a share that a guilty dealer withheld.

use std::{collections::BTreeMap, sync::Arc};

use cluster_crypto::polynomial::SecretVector;

use super::{
    agreement::{ballot, MAX_VIEWS},
    dealing::{self, Held},
    keys::{self, Keys, SumError},
    machine::Machine,
    message::{Body, Message, Qualified, Receipt, RevealedShares, Signed},
    output::{Output, Record, StoredShares},
    vote::OTHER_KEYS,
    Step,
};
use crate::{
    committee::OperatorId,
    machine::{Recipient, Time},
};

impl Machine {
    /// DKG 5.5: a decision of t operators binds this one, wherever it stands.
    pub(super) fn follow_decision(&mut self) {
        if self.decision.is_some() || matches!(self.step, Step::Sign | Step::Certify | Step::Done) {
            return;
        }
        self.decision = self.agreement.decision(self.context.t());
        if self.decision.is_some() {
            self.step = Step::Store;
            self.halted = false;
        }
    }

    // DKG 5.1 to 5.4: keys and share on disk, then the receipt; a quorum of receipts decides.
    pub(super) fn store(&mut self, now: Time) -> bool {
        let target = match (&self.decision, self.agreement.lock()) {
            (Some(decision), _) => Some((decision.view, decision.qualified.clone())),
            (None, Some(lock)) => Some((lock.view, lock.qualified.clone())),
            (None, None) => None,
        };
        let Some((view, qualified)) = target else { return false };
        if !self.derive_keys(&qualified) {
            return false;
        }
        let Some(keys) = &self.keys else { return false };
        let digest = keys.digest;
        if self.stored != Some((view, digest)) && (self.decision.is_some() || view == self.agreement.view) {
            self.outputs.push_back(Output::Persist(Record::Shares(self.stored_shares())));
            self.stored = Some((view, digest));
            let signed = self.sign(Body::Receipt(Receipt { view, qualified, keys_digest: digest }));
            let _ = self.agreement.record_receipt(&signed);
            self.broadcast(signed);
            return true;
        }
        match &self.decision {
            Some(decision) if decision.keys_digest == digest => {
                self.start_signing(now);
                true
            }
            Some(_) => {
                self.abort("the public keys that this operator computed are not the ones that the others stored");
                false
            }
            None if self.is_overdue() && !self.idle() => {
                self.next_view(now, self.agreement.view + 1);
                true
            }
            None => self.catch_up(now),
        }
    }

    /// DKG 5.1: makes sure that the keys of `qualified` are there; false while a dealing or a share is missing.
    fn derive_keys(&mut self, qualified: &Qualified) -> bool {
        if self.keys.as_ref().is_some_and(|keys| keys.qualified == *qualified) {
            return true;
        }
        let summed = match self.summed.take() {
            Some(summed) if summed.qualified == *qualified => summed,
            _ => {
                let set: BTreeMap<OperatorId, &Held> = qualified
                    .iter()
                    .filter_map(|(dealer, digest)| {
                        Some((*dealer, self.dealings.get(dealer).filter(|held| held.digest == *digest)?))
                    })
                    .collect();
                if set.len() != qualified.len() {
                    return false;
                }
                match keys::sum(&self.context, self.index, &self.seed, &set, &self.rebuilt) {
                    Ok(summed) => summed,
                    Err(SumError::Dealers(findings)) => {
                        self.blame(&findings);
                        self.ask_for_shares();
                        return false;
                    }
                    Err(SumError::OtherKeys) => {
                        self.abort(OTHER_KEYS);
                        return false;
                    }
                }
            }
        };
        self.keys = Some(Keys::new(&self.context, summed));
        true
    }

    /// DKG 8.1: tells the others which shares are wrong, in a vote for what they decided.
    fn ask_for_shares(&mut self) {
        let Some(qualified) = self.decision.as_ref().map(|decision| decision.qualified.clone()) else { return };
        let view = self.agreement.reached_by(1).max(self.agreement.view) + 1;
        if self.voted == Some(MAX_VIEWS - 1) || view >= MAX_VIEWS {
            return;
        }
        let unheard = self
            .mine
            .iter()
            .filter_map(|signed| ballot(signed))
            .all(|ballot| self.accusations.values().any(|accusation| !ballot.accusations.contains(accusation)));
        if unheard {
            self.voted = Some(view);
            self.cast(view, qualified, None);
        }
    }

    pub(super) fn stored_shares(&self) -> StoredShares {
        let (validators, share_pubkeys, shares, qualified) = self.keys.as_ref().map_or_else(
            || (Vec::new(), Vec::new(), SecretVector::zero(0), Qualified::new()),
            |keys| {
                let mine = keys.share_keys.get(dealing::position(self.index)).cloned().unwrap_or_default();
                let mut shares = SecretVector::zero(self.context.k());
                // Both vectors have K entries, so the sum is the copy.
                let _ = shares.add(&keys.shares);
                (keys.group.clone(), mine, shares, keys.qualified.clone())
            },
        );
        StoredShares {
            ceremony_id: self.context.ceremony_id(),
            operator_id: self.me,
            share_index: self.index,
            validators,
            share_pubkeys,
            shares,
            qualified,
        }
    }

    /// DKG 8.2: gives those whose complaint was upheld this operator's shares of the guilty dealer.
    pub(super) fn reveal_shares(&mut self) {
        let due: Vec<(OperatorId, OperatorId)> = self
            .upheld
            .iter()
            .filter(|((_, accuser), revealed)| !**revealed && *accuser != self.me)
            .map(|(pair, _)| *pair)
            .collect();
        for (dealer, accuser) in due {
            let Some(held) = self.dealings.get(&dealer) else { continue };
            let Some(shares) = held.shares.as_ref().ok().map(|shares| shares.to_bytes().expose(|bytes| bytes.clone()))
            else {
                continue;
            };
            let body = Body::Reveal(RevealedShares { dealer, digest: held.digest, shares });
            let signed = Arc::new(Signed::new(&self.context, self.me, &self.identity, body));
            self.upheld.insert((dealer, accuser), true);
            self.send(Recipient::One(accuser), Message::Deliver(signed));
        }
    }
}
