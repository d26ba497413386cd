//! The name of one DKG run.

use crate::chain::EventId;
use crate::encoding::{from_hex, to_hex, HexError};
use cluster_crypto::hash::TaggedHash;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Identifies a ceremony. Everybody derives it from the request alone, so operators, gateways and
/// the service agree on it without talking to each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CeremonyId(#[serde(with = "crate::encoding::hex_array")] pub [u8; 32]);

impl CeremonyId {
    /// The id of the ceremony of a request with this EIP-712 digest. The owner's signature is left
    /// out on purpose: two signatures under one request are still one ceremony.
    pub fn of_request_digest(digest: &[u8; 32]) -> Self {
        CeremonyId(TaggedHash::new("cluster-node/ceremony/1").bytes(digest).finish())
    }

    /// The id of the ceremony that an event of the chain asks for: one event is one ceremony, in whatever block the
    /// chain finally has its transaction.
    pub fn of_event(event: &EventId) -> Self {
        CeremonyId(TaggedHash::new("cluster-node/ceremony-of-event/1").bytes(&event.to_bytes()).finish())
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight hex digits, for people.
    pub fn short(&self) -> String {
        hex::encode(&self.0[..4])
    }
}

impl fmt::Display for CeremonyId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for CeremonyId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "CeremonyId({})", self.short())
    }
}

impl std::str::FromStr for CeremonyId {
    type Err = HexError;

    fn from_str(text: &str) -> Result<Self, HexError> {
        from_hex(text).map(CeremonyId)
    }
}
