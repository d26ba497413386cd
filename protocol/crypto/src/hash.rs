//! SHA-256 with a domain tag and unambiguous fields.

use sha2::{Digest, Sha256};

const FIELD_U64: u8 = 1;
const FIELD_BYTES: u8 = 2;

/// A hash under construction: a domain tag followed by typed fields.
///
/// Every field carries its type and byte strings carry their length, so that two different sequences of
/// fields never give the same input to SHA-256.
#[derive(Clone)]
pub struct TaggedHash(Sha256);

impl TaggedHash {
    /// Starts a hash in the domain `tag`, for example `cluster-node/transcript/1`.
    #[must_use]
    pub fn new(tag: &str) -> Self {
        Self(Sha256::new()).bytes(tag.as_bytes())
    }

    /// Appends a number (8 bytes, big-endian).
    #[must_use]
    pub fn u64(mut self, value: u64) -> Self {
        self.0.update([FIELD_U64]);
        self.0.update(value.to_be_bytes());
        self
    }

    /// Appends a byte string with its length.
    #[must_use]
    pub fn bytes(mut self, value: &[u8]) -> Self {
        self.0.update([FIELD_BYTES]);
        self.0.update((value.len() as u64).to_be_bytes());
        self.0.update(value);
        self
    }

    /// The digest.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}
