//! The items of an exchange, and the partial signatures that arrived for them.

use std::collections::BTreeMap;

use cluster_crypto::{
    bls::{HashedMessage, PublicKey},
    threshold::Partial,
};

use super::{Item, Slot, StartError, MAX_ITEMS};

/// An item with what is known about it.
pub(super) struct Entry {
    pub(super) item: Item,
    /// Position of its root in [`Items::roots`].
    pub(super) root: usize,
    /// By share index, from 0. Emptied when the item is closed.
    pub(super) slots: Vec<Slot>,
}

impl Entry {
    /// Whether the item still waits for its signature.
    pub(super) fn is_open(&self) -> bool {
        !self.slots.is_empty()
    }
}

/// All items of an exchange.
pub(super) struct Items {
    pub(super) entries: Vec<Entry>,
    /// Distinct signing roots in the order of their first item, hashed to the curve as far as work has been done.
    pub(super) roots: Vec<([u8; 32], Option<HashedMessage>)>,
    /// Roots that are hashed; the others follow.
    pub(super) hashed: usize,
    /// Number of open items.
    pub(super) open: usize,
    by_name: BTreeMap<([u8; 32], [u8; PublicKey::BYTES]), usize>,
}

impl Items {
    /// Items without any partial, for a committee of `operators`.
    pub(super) fn new(items: Vec<Item>, operators: usize) -> Result<Self, StartError> {
        // SIGNING 0.3
        if items.len() > MAX_ITEMS {
            return Err(StartError::TooMany { items: items.len() });
        }
        let mut all = Self {
            open: items.len(),
            entries: Vec::with_capacity(items.len()),
            roots: Vec::new(),
            hashed: 0,
            by_name: BTreeMap::new(),
        };
        let mut roots = BTreeMap::new();
        for (position, item) in items.into_iter().enumerate() {
            if item.share_keys.len() != operators {
                return Err(StartError::ShareKeys { item: position, keys: item.share_keys.len(), operators });
            }
            if let Some(first) = all.by_name.insert((item.root, item.validator.to_bytes()), position) {
                return Err(StartError::Duplicate { first, second: position });
            }
            let root = *roots.entry(item.root).or_insert_with(|| {
                all.roots.push((item.root, None));
                all.roots.len() - 1
            });
            all.entries.push(Entry { item, root, slots: vec![Slot::Absent; operators] });
        }
        Ok(all)
    }

    /// The position of an item by its names.
    pub(super) fn find(&self, root: &[u8; 32], validator: &[u8; PublicKey::BYTES]) -> Option<usize> {
        self.by_name.get(&(*root, *validator)).copied()
    }

    /// The partial of an operator for an item.
    pub(super) fn slot(&self, item: usize, operator: usize) -> Slot {
        self.entries.get(item).and_then(|entry| entry.slots.get(operator)).copied().unwrap_or_default()
    }

    /// Puts a partial in the place of another, if the item is open.
    pub(super) fn set(&mut self, item: usize, operator: usize, slot: Slot) {
        if let Some(place) = self.entries.get_mut(item).and_then(|entry| entry.slots.get_mut(operator)) {
            *place = slot;
        }
    }

    /// Whether the item waits for its signature.
    pub(super) fn is_open(&self, item: usize) -> bool {
        self.entries.get(item).is_some_and(Entry::is_open)
    }

    /// Frees what is kept for an item that is signed, or never will be.
    pub(super) fn close(&mut self, item: usize) {
        if let Some(entry) = self.entries.get_mut(item).filter(|entry| entry.is_open()) {
            entry.slots = Vec::new();
            self.open -= 1;
        }
    }

    /// The open items with their positions.
    pub(super) fn open_items(&self) -> impl Iterator<Item = (usize, &Entry)> {
        self.entries.iter().enumerate().filter(|(_, entry)| entry.is_open())
    }

    /// Hashes at most `limit` roots to the curve that are not hashed yet.
    pub(super) fn hash(&mut self, limit: usize) {
        for (root, message) in self.roots.iter_mut().skip(self.hashed).take(limit) {
            *message = Some(HashedMessage::new(root));
            self.hashed += 1;
        }
    }

    /// Whether every root is hashed.
    pub(super) fn all_hashed(&self) -> bool {
        self.hashed == self.roots.len()
    }

    /// The hashed root of an item.
    pub(super) fn message(&self, item: usize) -> Option<HashedMessage> {
        self.roots.get(self.entries.get(item)?.root)?.1
    }
}

impl Slot {
    pub(super) fn partial(self) -> Option<Partial> {
        match self {
            Self::Unchecked(partial) | Self::Right(partial) => Some(partial),
            Self::Absent | Self::Wrong => None,
        }
    }
}
