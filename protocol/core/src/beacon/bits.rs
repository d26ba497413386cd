//! Bitfields as their SSZ bytes, whatever the preset.

use std::fmt;

use serde::{de::Error, Deserialize, Deserializer, Serialize, Serializer};
use tree_hash::{merkle_root, mix_in_length, Hash256};

use crate::encoding::to_hex;

/// An aggregate over all 64 committees of 2,048 of a slot, and the bit that ends it.
const MAX_LIST_BYTES: usize = 16_385;
/// The whole sync committee of the mainnet preset.
const MAX_VECTOR_BYTES: usize = 64;
/// Bits in a chunk of a Merkle tree.
const CHUNK_BITS: u64 = 256;

/// Why bytes are not a bitfield.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BitsError {
    /// More than any preset allows.
    #[error("the bitfield has {found} bytes; the longest has {limit}")]
    TooLong {
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A bitlist without the bit that ends it, or a bitvector without bits.
    #[error("the bitfield has no end")]
    NoEnd,
}

/// A `Bitlist`: its SSZ bytes, of which the highest bit of the last one marks the length. At most 16,385 bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BitList(Vec<u8>);

impl BitList {
    /// Takes SSZ bytes.
    pub fn from_ssz(bytes: Vec<u8>) -> Result<Self, BitsError> {
        if bytes.len() > MAX_LIST_BYTES {
            return Err(BitsError::TooLong { found: bytes.len(), limit: MAX_LIST_BYTES });
        }
        match bytes.last() {
            None | Some(0) => Err(BitsError::NoEnd),
            Some(_) => Ok(Self(bytes)),
        }
    }

    /// Takes single bits, at most 131,072; more are cut off.
    #[must_use]
    pub fn from_bits(bits: &[bool]) -> Self {
        let bits = bits.get(..(MAX_LIST_BYTES - 1) * 8).unwrap_or(bits);
        let mut bytes = pack(bits, bits.len() / 8 + 1);
        if let Some(last) = bytes.last_mut() {
            *last |= 1 << (bits.len() % 8);
        }
        Self(bytes)
    }

    /// The SSZ bytes.
    #[must_use]
    pub fn as_ssz(&self) -> &[u8] {
        &self.0
    }

    /// Number of bits.
    #[must_use]
    pub fn len(&self) -> usize {
        let last = self.0.last().copied().unwrap_or(1);
        self.0.len() * 8 - 1 - last.leading_zeros() as usize
    }

    /// Whether there are no bits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A bit; false beyond the end.
    #[must_use]
    pub fn get(&self, at: usize) -> bool {
        at < self.len() && bit(&self.0, at)
    }

    /// Number of bits that are set.
    #[must_use]
    pub fn ones(&self) -> usize {
        // The one that marks the end is not counted.
        ones(&self.0) - 1
    }

    /// `hash_tree_root` as a list of at most `limit` bits.
    pub(super) fn root(&self, limit: u64) -> Hash256 {
        let len = self.len();
        let mut bits = self.0.clone();
        if let Some(last) = bits.last_mut() {
            *last &= !(1 << (len % 8));
        }
        bits.truncate(len.div_ceil(8));
        mix_in_length(&merkle_root(&bits, chunks(limit)), len)
    }
}

/// A `Bitvector`: its SSZ bytes, 1 to 64. Its length in bits is the preset's.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BitVector(Vec<u8>);

impl BitVector {
    /// Takes SSZ bytes.
    pub fn from_ssz(bytes: Vec<u8>) -> Result<Self, BitsError> {
        match bytes.len() {
            0 => Err(BitsError::NoEnd),
            found if found > MAX_VECTOR_BYTES => Err(BitsError::TooLong { found, limit: MAX_VECTOR_BYTES }),
            _ => Ok(Self(bytes)),
        }
    }

    /// Takes single bits, at most 512; more are cut off.
    #[must_use]
    pub fn from_bits(bits: &[bool]) -> Self {
        let bits = bits.get(..MAX_VECTOR_BYTES * 8).unwrap_or(bits);
        Self(pack(bits, bits.len().div_ceil(8).max(1)))
    }

    /// The SSZ bytes.
    #[must_use]
    pub fn as_ssz(&self) -> &[u8] {
        &self.0
    }

    /// A bit; false beyond the end.
    #[must_use]
    pub fn get(&self, at: usize) -> bool {
        bit(&self.0, at)
    }

    /// Number of bits that are set.
    #[must_use]
    pub fn ones(&self) -> usize {
        ones(&self.0)
    }

    /// Whether these are the bytes of a vector of `len` bits.
    pub(super) fn has_len(&self, len: u64) -> bool {
        self.0.len() as u64 == len.div_ceil(8) && (len..self.0.len() as u64 * 8).all(|at| !self.get(at as usize))
    }

    /// `hash_tree_root` as a vector of `len` bits.
    pub(super) fn root(&self, len: u64) -> Hash256 {
        merkle_root(&self.0, chunks(len))
    }
}

fn chunks(bits: u64) -> usize {
    bits.div_ceil(CHUNK_BITS) as usize
}

fn pack(bits: &[bool], len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    for (byte, bits) in bytes.iter_mut().zip(bits.chunks(8)) {
        *byte = bits.iter().rev().fold(0, |byte, bit| (byte << 1) | u8::from(*bit));
    }
    bytes
}

fn bit(bytes: &[u8], at: usize) -> bool {
    bytes.get(at / 8).is_some_and(|byte| byte & (1 << (at % 8)) != 0)
}

fn ones(bytes: &[u8]) -> usize {
    bytes.iter().map(|byte| byte.count_ones() as usize).sum()
}

macro_rules! as_bytes {
    ($name:ident, $limit:expr) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&to_hex(&self.0))
            }
        }

        /// As the Beacon API has it: `0x` and the SSZ bytes in hex; the bytes alone in binary formats.
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                if out.is_human_readable() {
                    out.serialize_str(&to_hex(&self.0))
                } else {
                    serde_bytes::serialize(&self.0, out)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                let bytes = if input.is_human_readable() {
                    super::hex_bytes::deserialize(input, $limit)?
                } else {
                    serde_bytes::deserialize(input)?
                };
                Self::from_ssz(bytes).map_err(D::Error::custom)
            }
        }
    };
}

as_bytes!(BitList, MAX_LIST_BYTES);
as_bytes!(BitVector, MAX_VECTOR_BYTES);
