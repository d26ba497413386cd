//! DKG 4 and 5: which dealings make the keys.
//!
//! Every operator votes for the set of dealings that it holds and found right. A quorum of t equal votes of one view
//! *locks* those who see it; t receipts for a lock *decide*. Two quorums share an honest operator, which votes once in
//! a view and never against its lock, so at most one set is ever decided, however the network behaves. No operator
//! leads: the sets only grow by dealings that are passed on and shrink by evidence that everyone accepts, so the votes
//! of honest operators become equal once messages arrive.

use std::{collections::BTreeMap, sync::Arc};

use super::message::{Ballot, Body, Lock, Qualified, Receipt, Signed};
use crate::committee::OperatorId;

/// Views that an agreement may take; each takes longer than the one before.
pub(super) const MAX_VIEWS: u32 = 32;

/// The votes, locks and receipts that one operator knows of.
#[derive(Default)]
pub(super) struct Agreement {
    /// The view that this operator is in.
    pub(super) view: u32,
    verdicts: BTreeMap<u32, BTreeMap<OperatorId, Arc<Signed>>>,
    receipts: BTreeMap<OperatorId, BTreeMap<u32, Arc<Signed>>>,
    lock: Option<Lock>,
}

/// What became of a message that was to be recorded.
pub(super) enum Recorded {
    /// It is the first of its operator and view.
    New,
    /// It was there already.
    Duplicate,
    /// Another one of the same operator and view was there.
    Conflict(Arc<Signed>),
}

/// What t operators have stored their shares for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) view: u32,
    pub(super) qualified: Qualified,
    pub(super) keys_digest: [u8; 32],
}

impl Agreement {
    /// Records a verdict whose signatures were checked.
    pub(super) fn record_verdict(&mut self, signed: &Arc<Signed>) -> Recorded {
        let Some(ballot) = ballot(signed) else { return Recorded::Duplicate };
        let view = self.verdicts.entry(ballot.view).or_default();
        match view.get(&signed.from) {
            None => {
                view.insert(signed.from, Arc::clone(signed));
                Recorded::New
            }
            Some(known) if self::ballot(known).is_some_and(|known| known.qualified == ballot.qualified) => {
                Recorded::Duplicate
            }
            Some(known) => Recorded::Conflict(Arc::clone(known)),
        }
    }

    /// Records a receipt whose signature was checked.
    pub(super) fn record_receipt(&mut self, signed: &Arc<Signed>) -> Recorded {
        let Some(receipt) = receipt(signed) else { return Recorded::Duplicate };
        let mine = self.receipts.entry(signed.from).or_default();
        match mine.get(&receipt.view) {
            None => {
                mine.insert(receipt.view, Arc::clone(signed));
                Recorded::New
            }
            Some(known) if self::receipt(known) == Some(receipt) => Recorded::Duplicate,
            Some(known) => Recorded::Conflict(Arc::clone(known)),
        }
    }

    /// The operators that voted in `view`.
    pub(super) fn voters(&self, view: u32) -> impl Iterator<Item = OperatorId> + '_ {
        self.verdicts.get(&view).into_iter().flat_map(|verdicts| verdicts.keys().copied())
    }

    /// DKG 4.6: t equal votes of `view`, if there are.
    pub(super) fn quorum(&self, view: u32, t: usize) -> Option<Lock> {
        let verdicts = self.verdicts.get(&view)?;
        let mut votes: BTreeMap<&Qualified, Vec<_>> = BTreeMap::new();
        for (voter, signed) in verdicts {
            let ballot = ballot(signed)?;
            // An abstention is for no set.
            if ballot.qualified.is_empty() {
                continue;
            }
            votes.entry(&ballot.qualified).or_default().push((*voter, ballot.vote));
        }
        votes.into_iter().find(|(_, votes)| votes.len() >= t).map(|(qualified, votes)| Lock {
            view,
            qualified: qualified.clone(),
            votes,
        })
    }

    /// DKG 4.8: follows a quorum of a later view than the one followed so far.
    pub(super) fn adopt(&mut self, lock: Lock) -> bool {
        let newer = self.lock.as_ref().is_none_or(|known| known.view < lock.view);
        if newer {
            self.lock = Some(lock);
        }
        newer
    }

    /// The quorum that this operator follows.
    pub(super) fn lock(&self) -> Option<&Lock> {
        self.lock.as_ref()
    }

    /// DKG 4.9: the highest view that at least `support` operators have reached.
    pub(super) fn reached_by(&self, support: usize) -> u32 {
        let mut latest: BTreeMap<OperatorId, u32> = BTreeMap::new();
        for (view, verdicts) in &self.verdicts {
            for voter in verdicts.keys() {
                latest.insert(*voter, *view);
            }
        }
        let mut views: Vec<u32> = latest.into_values().collect();
        views.sort_unstable_by(|a, b| b.cmp(a));
        views.get(support.saturating_sub(1)).copied().unwrap_or(0)
    }

    /// DKG 5.4: t equal receipts, if there are.
    pub(super) fn decision(&self, t: usize) -> Option<Decision> {
        let mut counts: BTreeMap<(u32, &Qualified, [u8; 32]), usize> = BTreeMap::new();
        for receipt in self.receipts.values().flat_map(BTreeMap::values).filter_map(|signed| receipt(signed)) {
            let count = counts.entry((receipt.view, &receipt.qualified, receipt.keys_digest)).or_default();
            *count += 1;
            if *count >= t {
                return Some(Decision {
                    view: receipt.view,
                    qualified: receipt.qualified.clone(),
                    keys_digest: receipt.keys_digest,
                });
            }
        }
        None
    }

    /// The operators of which a receipt is held.
    pub(super) fn receipt_holders(&self) -> impl Iterator<Item = OperatorId> + '_ {
        self.receipts.keys().copied()
    }

    /// All receipts, for one who missed them.
    pub(super) fn receipts(&self) -> impl Iterator<Item = &Arc<Signed>> {
        self.receipts.values().flat_map(BTreeMap::values)
    }

    /// All verdicts of `view` and later ones, for one who missed them.
    pub(super) fn verdicts_from(&self, view: u32) -> impl Iterator<Item = &Arc<Signed>> {
        self.verdicts.range(view..).flat_map(|(_, verdicts)| verdicts.values())
    }
}

/// The ballot in a verdict.
pub(super) fn ballot(signed: &Signed) -> Option<&Ballot> {
    match &signed.body {
        Body::Verdict(ballot) => Some(ballot),
        _ => None,
    }
}

/// The receipt in a message.
pub(super) fn receipt(signed: &Signed) -> Option<&Receipt> {
    match &signed.body {
        Body::Receipt(receipt) => Some(receipt),
        _ => None,
    }
}
