//! Bytes of a length that is not known in advance, as `0x` hex.

use serde::{de::Error, Deserialize, Deserializer};

/// Reads `0x` and at most `limit` bytes in hex.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D, limit: usize) -> Result<Vec<u8>, D::Error> {
    let text = std::borrow::Cow::<str>::deserialize(input)?;
    let digits =
        text.strip_prefix("0x").ok_or_else(|| D::Error::custom("expected a hex string that starts with 0x"))?;
    if digits.len() > limit.saturating_mul(2) {
        return Err(D::Error::custom(format_args!(
            "expected at most {limit} bytes in hex, found {}",
            digits.len() / 2
        )));
    }
    hex::decode(digits).map_err(|_| D::Error::custom("expected pairs of hex digits"))
}
