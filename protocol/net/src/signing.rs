//! `/cluster-node/signing/1`: partial signatures of duties between operators.
//!
//! # Contract
//!
//! One stream, one [`Request`], one [`Response`]; frames as in [`crate::codec`], at most
//! [`limits::SIGNING_REQUEST_BYTES`] and [`limits::DUTY_RESPONSE_BYTES`]. A request hands over one encoded
//! `cluster_core::signing::Message` of one exchange: the partials of all validators of a committee at once, or the
//! question for those that are missing. Or it passes on an owner's order to exit, which is signed by the owner.
//!
//! `Accepted` says that the message was taken over by the receiver's memory, not that it was right. `Busy` asks to
//! repeat it, `Refused` not to. Requests are idempotent: a request that timed out may have been handled, and is
//! repeated. A message may come before its exchange has started at the receiver, which keeps it, within bounds.
//!
//! | Checked | Where |
//! |---|---|
//! | length, trailing bytes, encoding | [`crate::codec`], before the request is delivered |
//! | the sender is a registered operator | [`crate::gate`] and `node/src/network` |
//! | the sender is in the committee, the slot is near | `node/src/duties/hub.rs` |
//! | the message: encoding, counts, partials | `cluster_core::signing::Machine`, pairings on blocking threads |
//! | an order: its owner's signature, the validators | `node/src/exits.rs` |
//!
//! A frame that breaks the contract fails its stream. Nothing in this protocol closes the connection. A partial is of
//! the authenticated peer; nothing in the message says whose it is.

use std::sync::Arc;
use std::time::Duration;

use cluster_core::duty::SigningId;
use cluster_core::exit::SignedExitRequest;
use libp2p::request_response;
use serde::{Deserialize, Serialize};

use crate::codec::{self, at_most, Bytes, Excess, Traffic, Wire};
use crate::limits;
/// What an operator answers.
pub use crate::receipt::Receipt as Response;

/// The protocol, for [`codec::Codec`].
#[derive(Debug, Clone, Copy)]
pub struct Protocol;

/// Name and version on the wire.
pub const PROTOCOL_NAME: &str = "/cluster-node/signing/1";

impl codec::Protocol for Protocol {
    type Request = Request;
    type Response = Response;
    const NAME: &'static str = PROTOCOL_NAME;
    const NAMES: &'static [&'static str] = codec::names!("signing");
    const REQUEST_LIMIT: usize = limits::SIGNING_REQUEST_BYTES;
    const RESPONSE_LIMIT: usize = limits::DUTY_RESPONSE_BYTES;
    const STREAMS: usize = limits::SIGNING_STREAMS;
}

/// The network behaviour.
pub type Behaviour = codec::Behaviour<Protocol>;
/// What the behaviour reports.
pub type Event = request_response::Event<Request, Response>;

/// Builds the behaviour; `timeout` is for a request and its response, normally [`limits::DUTY_TIMEOUT`].
pub fn behaviour(timeout: Duration, traffic: Arc<Traffic>) -> Behaviour {
    codec::behaviour::<Protocol>(timeout, traffic)
}

/// What one operator asks of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// One message of an exchange.
    Deliver {
        /// The exchange.
        id: SigningId,
        /// The encoded `cluster_core::signing::Message`.
        message: Bytes,
    },
    /// An owner's order to let validators leave, passed on by an operator that took it in. What it says is checked by the
    /// receiver; at most [`limits::EXIT_VALIDATORS`] validators.
    Order(SignedExitRequest),
}

impl Wire for Request {
    fn check(&self) -> Result<(), Excess> {
        match self {
            Self::Deliver { .. } => Ok(()),
            Self::Order(order) => {
                at_most("the list of validators", order.request.pubkeys.len(), limits::EXIT_VALIDATORS)
            }
        }
    }
}
