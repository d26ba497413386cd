//! The one binary encoding of the project: bincode 1.3, fixed-width little-endian integers, an
//! explicit size limit, no trailing bytes. Nothing else in the project calls bincode.

use bincode::Options;
use serde::{de::DeserializeOwned, Serialize};

/// Why bytes from outside are not the expected value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// More bytes than the caller allows.
    #[error("the message has {len} bytes, more than the limit of {limit}")]
    TooLong {
        /// Bytes received.
        len: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The bytes do not form a value of the type, or more bytes follow it.
    #[error("the message is malformed: {0}")]
    Malformed(String),
}

fn options(limit: u64) -> impl Options {
    bincode::DefaultOptions::new().with_fixint_encoding().with_little_endian().with_limit(limit).reject_trailing_bytes()
}

/// Encodes a value. The types of this project always encode (every sequence knows its length, and
/// the output is memory); should one ever not, the result is empty, which every decoder refuses.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let encoded = options(u64::MAX).serialize(value);
    debug_assert!(encoded.is_ok(), "a type that bincode cannot write");
    encoded.unwrap_or_default()
}

/// Decodes exactly one value from at most `limit` bytes. A declared length allocates nothing that
/// the received bytes do not back: serde caps what it reserves in advance, and bincode reads
/// byte strings only after comparing their length with what is left.
pub fn decode<T: DeserializeOwned>(bytes: &[u8], limit: usize) -> Result<T, DecodeError> {
    if bytes.len() > limit {
        return Err(DecodeError::TooLong { len: bytes.len(), limit });
    }
    options(limit as u64).deserialize(bytes).map_err(|error| DecodeError::Malformed(error.to_string()))
}

/// `#[serde(with = "hex_array")]` for byte arrays: a `0x` hex string for people, plain bytes in
/// binary formats.
pub mod hex_array {
    use serde::{de::Error, ser::SerializeTuple, Deserialize, Deserializer, Serializer};

    /// Writes the array.
    pub fn serialize<const N: usize, S: Serializer>(bytes: &[u8; N], serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.serialize_str(&super::to_hex(bytes));
        }
        let mut tuple = serializer.serialize_tuple(N)?;
        for byte in bytes {
            tuple.serialize_element(byte)?;
        }
        tuple.end()
    }

    /// Reads the array; text must be `0x` and exactly `2 N` hex digits.
    pub fn deserialize<'de, const N: usize, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; N], D::Error> {
        if deserializer.is_human_readable() {
            let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
            return super::from_hex(&text).map_err(D::Error::custom);
        }
        struct Bytes<const N: usize>;
        impl<'de, const N: usize> serde::de::Visitor<'de> for Bytes<N> {
            type Value = [u8; N];
            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(out, "{N} bytes")
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<[u8; N], A::Error> {
                let mut bytes = [0u8; N];
                for (at, byte) in bytes.iter_mut().enumerate() {
                    *byte = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(at, &self))?;
                }
                Ok(bytes)
            }
        }
        deserializer.deserialize_tuple(N, Bytes::<N>)
    }
}

/// Lower-case hex with `0x`.
pub fn to_hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

/// Why a text is not the expected hex string.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HexError {
    /// The prefix is missing.
    #[error("expected a hex string that starts with 0x")]
    Prefix,
    /// Too short or too long.
    #[error("expected {expected} hex digits after 0x, found {found}")]
    Length {
        /// Digits expected.
        expected: usize,
        /// Digits found.
        found: usize,
    },
    /// A character outside `0-9a-fA-F`.
    #[error("found a character that is not a hex digit")]
    Digit,
}

/// Reads `0x` and exactly `2 N` hex digits.
pub fn from_hex<const N: usize>(text: &str) -> Result<[u8; N], HexError> {
    let digits = text.strip_prefix("0x").ok_or(HexError::Prefix)?;
    if digits.len() != 2 * N {
        return Err(HexError::Length { expected: 2 * N, found: digits.len() });
    }
    let mut bytes = [0u8; N];
    hex::decode_to_slice(digits, &mut bytes).map_err(|_| HexError::Digit)?;
    Ok(bytes)
}

/// At most `limit` characters of a text from outside, escaped, for use in an error.
pub fn shorten(text: &str, limit: usize) -> String {
    let escaped: String = text.chars().take(limit).flat_map(char::escape_debug).collect();
    if text.chars().nth(limit).is_some() {
        return format!("{escaped}...");
    }
    escaped
}
