//! JSON and binary forms of requests.
//!
//! Ordinary requests are written as they were before there were reshares. A reshare has one more field in JSON. In binary the
//! last of the 65 bytes of its origin, v of the signature, is raised by [`RESHARE_TAG`], and what it takes over follows: older
//! versions refuse that byte in words instead of misreading what comes after.

use cluster_crypto::{ethereum::Address, identity};
use serde::{
    de::{Error as _, SeqAccess, Visitor},
    ser::SerializeTuple,
    Deserialize, Deserializer, Serialize, Serializer,
};

use super::{
    origin::{self, Origin, ORIGIN_BYTES},
    Request, Reshare, SignedRequest,
};
use crate::committee::OperatorId;

/// Added to v, which is 27 or 28. Events end with 0xE1.
const RESHARE_TAG: u8 = 0x80;

/// A request in binary, by itself: without what a reshare takes over. Digests over it have the ceremony id beside it, which
/// binds that, and [`SignedRequest`] carries it.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Request")]
struct Binary {
    chain_id: u64,
    owner: Address,
    cluster_pubkey: identity::PublicKey,
    operator_ids: Vec<OperatorId>,
    validator_count: u32,
    withdrawal_address: Address,
    amount_gwei: u64,
    nonce: u64,
    deadline: u64,
    #[serde(skip)]
    reshare: Option<Reshare>,
}

impl Serialize for Request {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            // The derived function, not this one.
            return Request::serialize(self, serializer);
        }
        Binary::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Request {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return Request::deserialize(deserializer);
        }
        Binary::deserialize(deserializer)
    }
}

/// 65 bytes, as plain bytes.
#[derive(Serialize, Deserialize)]
struct OriginBytes(#[serde(with = "crate::encoding::hex_array")] [u8; ORIGIN_BYTES]);

impl Serialize for SignedRequest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let reshare = match &self.request.reshare {
            Some(reshare) if !serializer.is_human_readable() => reshare,
            _ => return origin::serialize(&self.request, &self.origin, serializer),
        };
        let mut bytes = self.origin.to_bytes();
        bytes[ORIGIN_BYTES - 1] |= RESHARE_TAG;
        let mut tuple = serializer.serialize_tuple(3)?;
        tuple.serialize_element(&self.request)?;
        tuple.serialize_element(&OriginBytes(bytes))?;
        tuple.serialize_element(reshare)?;
        tuple.end()
    }
}

impl<'de> Deserialize<'de> for SignedRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let (request, origin) = origin::deserialize::<Request, D>(deserializer)?;
            return Ok(Self { request, origin });
        }
        deserializer.deserialize_tuple(3, BinaryVisitor)
    }
}

struct BinaryVisitor;

impl<'de> Visitor<'de> for BinaryVisitor {
    type Value = SignedRequest;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("a request, 65 bytes of origin, and what a reshare takes over")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<SignedRequest, A::Error> {
        let mut request: Request = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(0, &self))?;
        let OriginBytes(mut bytes) = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(1, &self))?;
        let last = &mut bytes[ORIGIN_BYTES - 1];
        // Only v of a signature can carry the tag: that of an event has its highest bit set by itself.
        let is_reshare = matches!(last.wrapping_sub(RESHARE_TAG), 27 | 28);
        if is_reshare {
            *last -= RESHARE_TAG;
        }
        let origin = Origin::from_bytes(&bytes).map_err(A::Error::custom)?;
        if is_reshare {
            request.reshare = Some(seq.next_element()?.ok_or_else(|| A::Error::invalid_length(2, &self))?);
        }
        Ok(SignedRequest { request, origin })
    }
}
