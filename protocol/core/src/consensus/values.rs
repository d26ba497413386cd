//! The values that an operator holds, bounded in number.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use super::Digest;

/// How many values that this operator prepared are kept, so that a later leader can get them.
const PREPARED_KEPT: usize = 4;

/// A value and what its judge said.
#[derive(Debug)]
pub(super) struct Held {
    /// The bytes.
    pub(super) value: Arc<[u8]>,
    /// It is this operator's own, or was judged valid.
    pub(super) valid: bool,
    /// The judge was asked and has not answered.
    pub(super) pending: bool,
    /// It is in the journal.
    pub(super) journalled: bool,
}

/// Values by digest.
#[derive(Debug, Default)]
pub(super) struct Values {
    held: BTreeMap<Digest, Held>,
    prepared: VecDeque<Digest>,
}

impl Values {
    pub(super) fn get(&self, digest: &Digest) -> Option<&Held> {
        self.held.get(digest)
    }

    pub(super) fn get_mut(&mut self, digest: &Digest) -> Option<&mut Held> {
        self.held.get_mut(digest)
    }

    pub(super) fn holds(&self, digest: &Digest) -> bool {
        self.held.contains_key(digest)
    }

    /// Takes up a value whose digest was checked.
    pub(super) fn insert(&mut self, digest: Digest, value: Arc<[u8]>) -> &mut Held {
        let new = Held { value, valid: false, pending: false, journalled: false };
        self.held.entry(digest).or_insert(new)
    }

    /// Remembers that this operator prepared a value.
    pub(super) fn prepared(&mut self, digest: Digest) {
        self.prepared.retain(|other| *other != digest);
        self.prepared.push_back(digest);
        while self.prepared.len() > PREPARED_KEPT {
            self.prepared.pop_front();
        }
    }

    /// CONSENSUS 9.5: drops all values but those in `needed` and the last ones that this operator prepared.
    pub(super) fn prune(&mut self, needed: &[Digest]) {
        let prepared = &self.prepared;
        self.held.retain(|digest, _| needed.contains(digest) || prepared.contains(digest));
    }

    /// Drops all values but one.
    pub(super) fn keep_only(&mut self, digest: &Digest) {
        self.prepared.clear();
        self.held.retain(|other, _| other == digest);
    }
}
