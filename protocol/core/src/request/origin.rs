//! What makes a request its owner's: a signature, or an event of the chain.

use super::Request;
use crate::chain::{EventId, EVENT_ID_BYTES};
use cluster_crypto::ethereum::RecoverableSignature;
use serde::{de::Error as _, Deserialize, Deserializer, Serialize, Serializer};

/// Bytes of an [`Origin`] in binary.
pub(super) const ORIGIN_BYTES: usize = 65;
/// Last byte of an event's origin. That of a signature is v, which is 27 or 28.
const EVENT_TAG: u8 = 0xE1;

const _: () = assert!(EVENT_ID_BYTES + 1 == ORIGIN_BYTES);

/// Who says that the owner wants this.
///
/// In binary both kinds have 65 bytes and the last one tells them apart: r, s and v of a signature, as it was before
/// events could authorise; or the 64 bytes of an [`EventId`] and `0xE1`, which no signature ends with. So what older
/// versions wrote is read as it is, and they refuse an event in words instead of misreading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The owner's EIP-712 signature over the request.
    Signature(RecoverableSignature),
    /// A `ValidatorDepositDataGeneration` event of the ClusterNode contract. It says nothing by itself: whoever acts on
    /// it looks it up on the chain.
    Event(EventId),
}

impl Origin {
    /// The signature, if there is one.
    pub fn signature(&self) -> Option<&RecoverableSignature> {
        match self {
            Origin::Signature(signature) => Some(signature),
            Origin::Event(_) => None,
        }
    }

    /// The event, if it is one.
    pub fn event(&self) -> Option<&EventId> {
        match self {
            Origin::Signature(_) => None,
            Origin::Event(event) => Some(event),
        }
    }

    pub(super) fn to_bytes(self) -> [u8; ORIGIN_BYTES] {
        match self {
            Origin::Signature(signature) => signature.to_bytes(),
            Origin::Event(event) => {
                let mut bytes = [EVENT_TAG; ORIGIN_BYTES];
                bytes[..EVENT_ID_BYTES].copy_from_slice(&event.to_bytes());
                bytes
            }
        }
    }

    pub(super) fn from_bytes(bytes: &[u8; ORIGIN_BYTES]) -> Result<Self, String> {
        match bytes.split_first_chunk::<EVENT_ID_BYTES>() {
            Some((event, [EVENT_TAG])) => Ok(Origin::Event(EventId::from_bytes(event))),
            _ => RecoverableSignature::from_bytes(bytes).map(Origin::Signature).map_err(|error| error.to_string()),
        }
    }
}

/// The request that an event makes, as the chain has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRequest {
    /// What the owner asks for; its deadline follows from the time of the block.
    pub request: Request,
    /// The block that the event is in now.
    pub block_number: u64,
}

/// The answer to "what does this event ask for?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventLookup {
    /// Whoever was asked reads no chain.
    NoChain,
    /// Nobody looks, and the caller knows: for files that are verified offline, whose report says so. Never enough to
    /// start a ceremony.
    NotLookedUp,
    /// The chain has no such request, at least not with enough confirmations.
    Unknown,
    /// This is what it asks for.
    Found(Box<EventRequest>),
}

/// The JSON object of a request with its origin: exactly one of `signature` and `event` beside `request`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text<R> {
    request: R,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    signature: Option<RecoverableSignature>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    event: Option<EventId>,
}

fn none<T>() -> Option<T> {
    None
}

/// The binary form: the fields of the request, then 65 bytes.
#[derive(Serialize, Deserialize)]
struct Binary<R>(R, #[serde(with = "crate::encoding::hex_array")] [u8; ORIGIN_BYTES]);

pub(crate) fn serialize<R: Serialize, S: Serializer>(
    request: &R,
    origin: &Origin,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        let (signature, event) = (origin.signature().copied(), origin.event().copied());
        return Text { request, signature, event }.serialize(serializer);
    }
    Binary(request, origin.to_bytes()).serialize(serializer)
}

pub(crate) fn deserialize<'de, R: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<(R, Origin), D::Error> {
    if !deserializer.is_human_readable() {
        let Binary(request, origin) = Binary::deserialize(deserializer)?;
        let origin = Origin::from_bytes(&origin).map_err(D::Error::custom)?;
        return Ok((request, origin));
    }
    let text = Text::deserialize(deserializer)?;
    let origin = match (text.signature, text.event) {
        (Some(signature), None) => Origin::Signature(signature),
        (None, Some(event)) => Origin::Event(event),
        (None, None) => return Err(D::Error::custom("missing field `signature` (or `event`)")),
        (Some(_), Some(_)) => return Err(D::Error::custom("both `signature` and `event` are given; give one")),
    };
    Ok((text.request, origin))
}

/// Serde for a type with the fields `request` and `origin`.
macro_rules! serde_with_origin {
    ($type:ty, $request:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::request::origin::serialize(&self.request, &self.origin, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let (request, origin) = $crate::request::origin::deserialize::<$request, D>(deserializer)?;
                Ok(Self { request, origin })
            }
        }
    };
}
pub(crate) use serde_with_origin;
