//! Journals of machines: ordered, append-only, one per ceremony.

use std::sync::Arc;

use cluster_core::ceremony::CeremonyId;
use cluster_crypto::Secret;

use super::{Store, StoreError};

const PLAIN: u8 = 0;
const SEALED: u8 = 1;
/// The record's content is in the `shares` tree: shares are on disk once, not twice.
const SHARES: u8 = 2;

/// One record as the store sees it.
#[derive(Debug)]
pub enum Entry {
    /// Public bytes.
    Plain(Vec<u8>),
    /// Secret bytes, sealed at rest.
    Sealed(Secret<Vec<u8>>),
    /// This operator's shares of the ceremony, sealed at rest in their own tree.
    Shares(Secret<Vec<u8>>),
}

/// The journal of one ceremony, with the position of the next record.
#[derive(Debug)]
pub struct Journal {
    store: Arc<Store>,
    ceremony_id: CeremonyId,
    next: u64,
}

impl Journal {
    /// Opens the journal at its end.
    pub fn open(store: Arc<Store>, ceremony_id: CeremonyId) -> Result<Self, StoreError> {
        let last = store.journal.scan_prefix(ceremony_id.as_bytes()).keys().next_back().transpose()?;
        let next = match last {
            Some(key) => position(&key)? + 1,
            None => 0,
        };
        Ok(Self { store, ceremony_id, next })
    }

    /// Number of records.
    pub fn len(&self) -> u64 {
        self.next
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.next == 0
    }

    /// Appends one record. It is durable after [`Journal::flush`].
    pub fn append(&mut self, entry: &Entry) -> Result<(), StoreError> {
        self.store.check_open()?;
        let key = key(&self.ceremony_id, self.next);
        let value = match entry {
            Entry::Plain(bytes) => tagged(PLAIN, bytes),
            Entry::Sealed(secret) => {
                let sealed = secret.expose(|plain| self.store.sealer.seal("journal", &key, plain))?;
                tagged(SEALED, &sealed)
            }
            Entry::Shares(secret) => {
                let id = self.ceremony_id.as_bytes();
                let sealed = secret.expose(|plain| self.store.sealer.seal("shares", id, plain))?;
                // Before the journal's record: a crash in between leaves shares that nothing refers to yet.
                self.store.shares.insert(id, sealed)?;
                vec![SHARES]
            }
        };
        self.store.journal.insert(key, value)?;
        self.next += 1;
        Ok(())
    }

    /// Makes all records durable. Blocks on the disk.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.store.flush()
    }

    /// All records, in order.
    pub fn read(&self) -> impl Iterator<Item = Result<Entry, StoreError>> + '_ {
        let id = *self.ceremony_id.as_bytes();
        self.store.journal.scan_prefix(id).map(move |item| {
            let (key, value) = item?;
            let (tag, body) = value.split_first().ok_or(StoreError::Corrupt { what: "a journal record" })?;
            match *tag {
                PLAIN => Ok(Entry::Plain(body.to_vec())),
                SEALED => Ok(Entry::Sealed(self.store.sealer.open("journal", &key, body)?)),
                SHARES => {
                    let sealed =
                        self.store.shares.get(id)?.ok_or(StoreError::Corrupt { what: "the shares of a ceremony" })?;
                    Ok(Entry::Shares(self.store.sealer.open("shares", &id, &sealed)?))
                }
                _ => Err(StoreError::Corrupt { what: "a journal record" }),
            }
        })
    }
}

fn key(ceremony_id: &CeremonyId, position: u64) -> [u8; 40] {
    let mut key = [0u8; 40];
    key[..32].copy_from_slice(ceremony_id.as_bytes());
    // Big-endian, so that the tree's order is the journal's order.
    key[32..].copy_from_slice(&position.to_be_bytes());
    key
}

fn position(key: &[u8]) -> Result<u64, StoreError> {
    let bytes = key.get(32..40).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
    bytes.map(u64::from_be_bytes).ok_or(StoreError::Corrupt { what: "a journal position" })
}

fn tagged(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(1 + body.len());
    value.push(tag);
    value.extend_from_slice(body);
    value
}
