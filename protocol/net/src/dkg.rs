//! `/cluster-node/dkg/1`: messages of ceremonies between operators.
//!
//! # Contract
//!
//! One stream, one [`Request`], one [`Response`]; frames as in [`crate::codec`], at most
//! [`limits::DKG_REQUEST_BYTES`] and [`limits::DKG_RESPONSE_BYTES`].
//!
//! * [`Request::Deliver`] hands over one encoded `cluster_core::dkg::Message`. The first message to a peer carries the
//!   owner's signed request as well, so that an operator that gossip did not reach takes part. `UnknownCeremony` asks
//!   the sender to repeat with the request.
//! * [`Request::Open`] asks, after a reconnection, for the ceremonies that the asker is a member of and has not
//!   finished. The answer is [`Response::Ceremonies`].
//!
//! Requests are idempotent: a request that timed out may have been handled, and is repeated.
//!
//! | Checked | Where |
//! |---|---|
//! | length, trailing bytes, encoding, counts | [`crate::codec`], before the request is delivered |
//! | the sender is a registered operator | [`crate::gate`] and `node/src/network` |
//! | the request: signature, committee, deadline | `SignedRequest::check`, by the operator role |
//! | the message: sender in the committee, signatures, content | `cluster_core::dkg::Machine::on_message` |
//!
//! A frame that breaks the contract fails its stream. Nothing in this protocol closes the connection; a peer that
//! left the registry is disconnected by the gate. The sender of a message is the authenticated peer.

use std::sync::Arc;
use std::time::Duration;

use cluster_core::ceremony::CeremonyId;
use cluster_core::request::SignedRequest;
use libp2p::request_response;
use serde::{Deserialize, Serialize};

use crate::codec::{self, at_most, Bytes, Excess, Traffic, Wire};
use crate::limits;

/// The protocol, for [`codec::Codec`].
#[derive(Debug, Clone, Copy)]
pub struct Protocol;

/// Name and version on the wire.
pub const PROTOCOL_NAME: &str = "/cluster-node/dkg/1";

impl codec::Protocol for Protocol {
    type Request = Request;
    type Response = Response;
    const NAME: &'static str = PROTOCOL_NAME;
    const NAMES: &'static [&'static str] = codec::names!("dkg");
    const REQUEST_LIMIT: usize = limits::DKG_REQUEST_BYTES;
    const RESPONSE_LIMIT: usize = limits::DKG_RESPONSE_BYTES;
}

/// The network behaviour.
pub type Behaviour = codec::Behaviour<Protocol>;
/// What the behaviour reports.
pub type Event = request_response::Event<Request, Response>;

/// Builds the behaviour; `timeout` is for a request and its response, normally [`limits::DKG_TIMEOUT`].
pub fn behaviour(timeout: Duration, traffic: Arc<Traffic>) -> Behaviour {
    codec::behaviour::<Protocol>(timeout, traffic)
}

/// What one operator asks of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// One message of a ceremony.
    Deliver {
        /// The ceremony, derived from the request.
        ceremony_id: CeremonyId,
        /// The owner's request, in the first message to a peer and after `UnknownCeremony`.
        request: Option<SignedRequest>,
        /// The encoded `cluster_core::dkg::Message`.
        message: Bytes,
    },
    /// Which ceremonies am I in that are not ready for me?
    Open,
}

/// What an operator answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response {
    /// The message was taken; it may be judged later.
    Accepted,
    /// The ceremony is unknown here; repeat with the owner's request.
    UnknownCeremony,
    /// The message or its request is refused for good.
    Refused {
        /// One sentence for people, at most [`limits::REASON_BYTES`].
        reason: String,
    },
    /// The answer to `Open`, at most [`limits::OPEN_CEREMONIES`].
    Ceremonies(Vec<SignedRequest>),
    /// Not now; repeat later.
    Busy,
}

impl Wire for Request {
    fn check(&self) -> Result<(), Excess> {
        Ok(())
    }
}

impl Wire for Response {
    fn check(&self) -> Result<(), Excess> {
        match self {
            Self::Refused { reason } => at_most("the reason", reason.len(), limits::REASON_BYTES),
            Self::Ceremonies(requests) => at_most("the list of ceremonies", requests.len(), limits::OPEN_CEREMONIES),
            Self::Accepted | Self::UnknownCeremony | Self::Busy => Ok(()),
        }
    }
}

impl Response {
    /// A refusal; a reason above the limit is cut at a character.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: codec::cut(reason.into(), limits::REASON_BYTES) }
    }
}
