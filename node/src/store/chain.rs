//! What was read from the contracts: facts, the way back, the cursor, and what still has to follow from them.
//!
//! One transaction writes all of a commit, with a mark for every fact that something follows from. A mark goes when that
//! has been done, so a node that dies in between does it again: everything that follows is of a kind that may be repeated.

use cluster_core::chain::{BlockRecord, BlockRef, Commit, Contracts, Entry, EventId, ExitFact, FactKey};
use cluster_core::encoding::{decode, encode};
use cluster_core::exit::ExitEvents;
use serde::{Deserialize, Serialize};
use sled::transaction::{ConflictableTransactionError, TransactionError};
use sled::Transactional;

use super::{Store, StoreError};

/// An exit of a thousand validators has 48 KB, a validator with 13 operators 2 KB.
const ENTRY_LIMIT: usize = 256 * 1024;
/// A block that fills the quarantine.
const RECORD_LIMIT: usize = 256 << 20;
/// Shorter than any fact's key.
const CURSOR: &[u8] = b"tip";

/// Where the node stands in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The contracts that are followed.
    pub contracts: Contracts,
    /// The last block taken in.
    pub tip: Option<BlockRef>,
}

/// Everything that a follower goes on from.
#[derive(Debug, Default)]
pub struct ChainState {
    /// `None` before the first commit.
    pub cursor: Option<Cursor>,
    /// Facts.
    pub entries: Vec<Entry>,
    /// Undo records, ascending.
    pub records: Vec<BlockRecord>,
    /// Facts that something still has to follow from.
    pub marks: Vec<FactKey>,
}

/// The trees.
pub(super) struct Trees {
    facts: sled::Tree,
    records: sled::Tree,
    marks: sled::Tree,
}

impl Trees {
    pub(super) fn open(db: &sled::Db) -> Result<Self, StoreError> {
        Ok(Self {
            facts: db.open_tree("chain_facts")?,
            records: db.open_tree("chain_records")?,
            marks: db.open_tree("chain_marks")?,
        })
    }
}

impl Store {
    /// Reads what was committed. Blocks: about 20 microseconds for each validator.
    pub fn chain_state(&self) -> Result<ChainState, StoreError> {
        let mut state = ChainState::default();
        for item in &self.chain.facts {
            let (key, value) = item?;
            if key.as_ref() == CURSOR {
                state.cursor = Some(read(&value, ENTRY_LIMIT)?);
            } else {
                state.entries.push(read(&value, ENTRY_LIMIT)?);
            }
        }
        for value in self.chain.records.iter().values() {
            state.records.push(read(&value?, RECORD_LIMIT)?);
        }
        for key in self.chain.marks.iter().keys() {
            state.marks.push(read(&key?, ENTRY_LIMIT)?);
        }
        Ok(state)
    }

    /// Where the node stands in the chain, without the facts.
    pub fn chain_cursor(&self) -> Result<Option<Cursor>, StoreError> {
        self.chain.facts.get(CURSOR)?.map(|value| read(&value, ENTRY_LIMIT)).transpose()
    }

    /// Writes all of a commit or nothing, and makes it durable.
    pub fn commit_chain(&self, contracts: &Contracts, commit: &Commit) -> Result<(), StoreError> {
        self.check_open()?;
        let cursor = encode(&Cursor { contracts: *contracts, tip: commit.tip });
        let changes: Vec<(Vec<u8>, Option<Vec<u8>>)> = commit
            .changes
            .iter()
            .map(|entry| (encode(&entry.key()), (!entry.is_removal()).then(|| encode(entry))))
            .collect();
        let record = commit.record.as_ref().map(|record| (record.block.number.to_be_bytes(), encode(record)));
        let trees = (&self.chain.facts, &self.chain.records, &self.chain.marks);
        let written = trees.transaction(|(facts, records, marks)| {
            for (key, value) in &changes {
                match value {
                    Some(value) => facts.insert(key.as_slice(), value.as_slice())?,
                    None => facts.remove(key.as_slice())?,
                };
                marks.insert(key.as_slice(), &[][..])?;
            }
            for number in &commit.dropped {
                records.remove(&number.to_be_bytes()[..])?;
            }
            if let Some((number, record)) = &record {
                records.insert(&number[..], record.as_slice())?;
            }
            facts.insert(CURSOR, cursor.as_slice())?;
            Ok::<(), ConflictableTransactionError<()>>(())
        });
        match written {
            Ok(()) | Err(TransactionError::Abort(())) => self.flush(),
            Err(TransactionError::Storage(error)) => Err(error.into()),
        }
    }

    /// What follows from these facts has been done. Durable after [`Store::flush`]; done again when that is too late.
    pub fn clear_chain_marks(&self, keys: &[FactKey]) -> Result<(), StoreError> {
        self.check_open()?;
        let mut batch = sled::Batch::default();
        keys.iter().for_each(|key| batch.remove(encode(key)));
        self.chain.marks.apply_batch(batch)?;
        Ok(())
    }

    /// An owner's order to let validators leave, if the contracts have it.
    pub fn chain_exit(&self, event: &EventId) -> Result<Option<ExitFact>, StoreError> {
        let value = self.chain.facts.get(encode(&FactKey::Exit(*event)))?;
        match value.map(|value| read(&value, ENTRY_LIMIT)).transpose()? {
            Some(Entry::Exit(_, exit)) => Ok(exit.map(|exit| *exit)),
            _ => Ok(None),
        }
    }

    /// Forgets everything that was read from the contracts, so that the next start reads it again. Shares, slashing history and
    /// ceremonies stay, and so do the validators whose duties are performed.
    pub fn forget_chain(&self) -> Result<(), StoreError> {
        self.check_open()?;
        // The cursor first: without it nothing else counts.
        self.chain.facts.remove(CURSOR)?;
        self.flush()?;
        self.chain.facts.clear()?;
        self.chain.records.clear()?;
        self.chain.marks.clear()?;
        self.flush()
    }
}

impl ExitEvents for Store {
    fn exit_event(&self, event: &EventId) -> Option<ExitFact> {
        self.chain_exit(event).unwrap_or_else(|error| {
            tracing::error!(%error, "an order to exit cannot be looked up: {error}");
            None
        })
    }
}

fn read<T: serde::de::DeserializeOwned>(bytes: &[u8], limit: usize) -> Result<T, StoreError> {
    decode(bytes, limit).map_err(|_| StoreError::Corrupt { what: "what was read from the contracts" })
}
