//! What operators of one exchange send each other. The exchange is named by the envelope, the sender by the link.

use cluster_crypto::{bls::PublicKey, threshold::PARTIAL_BYTES};
use serde::{Deserialize, Serialize};

use crate::encoding::{self, hex_array, DecodeError};

/// Largest number of signatures in one exchange and in one message.
pub const MAX_ITEMS: usize = 16_384;

/// Bytes of a partial signature with the name of its validator.
const ENTRY_BYTES: usize = PublicKey::BYTES + PARTIAL_BYTES;
/// Bytes of a group besides its entries: the root and the length.
const GROUP_BYTES: usize = 32 + 8;

/// Largest encoded message: every signature over another root.
pub const MAX_MESSAGE_BYTES: usize = 4 + 8 + MAX_ITEMS * (GROUP_BYTES + ENTRY_BYTES);

/// The validators that sign one root, with `ENTRY` bytes for each.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group<const ENTRY: usize> {
    #[serde(with = "hex_array")]
    root: [u8; 32],
    #[serde(with = "serde_bytes")]
    entries: Vec<u8>,
}

/// Partial signatures over one root: for each the validator's key (48 bytes) and the partial (192 bytes).
pub type Partials = Group<ENTRY_BYTES>;

/// Validators that sign one root, by their keys (48 bytes).
pub type Names = Group<{ PublicKey::BYTES }>;

/// A message between two members of a committee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// The sender's own partial signatures. A root that many validators sign travels once.
    Partials(Vec<Partials>),
    /// What the sender has no partial signature of the receiver for; an empty list means everything.
    Want(Vec<Names>),
}

impl Message {
    /// The wire bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encoding::encode(self)
    }

    /// Reads a message of at most `limit` bytes, and of at most [`MAX_MESSAGE_BYTES`]. Points are not looked at.
    ///
    /// # Errors
    /// The bytes are too many or not a message, a group is empty or has a part of an entry, or there are more than
    /// [`MAX_ITEMS`] entries.
    pub fn decode(bytes: &[u8], limit: usize) -> Result<Self, DecodeError> {
        let message: Self = encoding::decode(bytes, limit.min(MAX_MESSAGE_BYTES))?;
        message.check()?;
        Ok(message)
    }

    /// Number of entries in all groups.
    #[must_use]
    pub fn entries(&self) -> usize {
        match self {
            Self::Partials(groups) => groups.iter().map(Group::len).sum(),
            Self::Want(groups) => groups.iter().map(Group::len).sum(),
        }
    }

    pub(super) fn check(&self) -> Result<(), DecodeError> {
        let whole = match self {
            Self::Partials(groups) => groups.iter().all(Group::is_whole),
            Self::Want(groups) => groups.iter().all(Group::is_whole),
        };
        if !whole {
            return Err(DecodeError::Malformed("a group is empty or ends within an entry".to_owned()));
        }
        if self.entries() > MAX_ITEMS {
            return Err(DecodeError::Malformed(format!("there are more than {MAX_ITEMS} entries")));
        }
        Ok(())
    }
}

impl<const ENTRY: usize> Group<ENTRY> {
    /// A group without entries yet.
    #[must_use]
    pub fn new(root: [u8; 32]) -> Self {
        Self { root, entries: Vec::new() }
    }

    /// Adds an entry; its parts must be `ENTRY` bytes together.
    pub fn push(&mut self, parts: &[&[u8]]) {
        for part in parts {
            self.entries.extend_from_slice(part);
        }
    }

    /// The signing root.
    #[must_use]
    pub fn root(&self) -> &[u8; 32] {
        &self.root
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len() / ENTRY
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries, each split into the validator's key and what follows it.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8; PublicKey::BYTES], &[u8])> + '_ {
        self.entries.chunks_exact(ENTRY).filter_map(<[u8]>::split_first_chunk)
    }

    fn is_whole(&self) -> bool {
        !self.entries.is_empty() && self.entries.len().is_multiple_of(ENTRY)
    }
}

impl<const ENTRY: usize> std::fmt::Debug for Group<ENTRY> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.len(), hex::encode(self.root))
    }
}
