//! `/cluster-node/consensus/1`: votes and values of consensus instances between operators.
//!
//! # Contract
//!
//! One stream, one [`Request`], one [`Response`]; frames as in [`crate::codec`]. A request hands over one encoded
//! `cluster_core::consensus::Message` of one instance. A message whose request is above
//! [`limits::CONSENSUS_REQUEST_BYTES`] (a proposal with a block, or a block that was asked for) travels as the same
//! request under `/cluster-node/consensus-value/1`, at most [`limits::CONSENSUS_VALUE_BYTES`]: with streams of its own,
//! so that it never stands in the way of votes, and with few of them, so that large frames are few.
//! [`is_value`] says which of the two.
//!
//! `Accepted` says that the message was taken over by the receiver's memory, not that it was right. `Busy` asks to
//! repeat it, `Refused` not to. Requests are idempotent: a request that timed out may have been handled, and is
//! repeated. A message may come before its instance has started at the receiver, which keeps it, within bounds.
//!
//! | Checked | Where |
//! |---|---|
//! | length, trailing bytes, encoding | [`crate::codec`], before the request is delivered |
//! | the sender is a registered operator | [`crate::gate`] and `node/src/network` |
//! | the sender is in the committee, the slot is near | `node/src/duties/hub.rs` |
//! | the message: encoding, signatures, round, content | `cluster_core::consensus::Machine::on_message` |
//!
//! A frame that breaks the contract fails its stream. Nothing in this protocol closes the connection. The sender of a
//! message is the authenticated peer.

use std::sync::Arc;
use std::time::Duration;

use cluster_core::duty::InstanceId;
use libp2p::request_response;
use serde::{Deserialize, Serialize};

use crate::codec::{self, Bytes, Excess, Traffic, Wire};
use crate::limits;
/// What an operator answers.
pub use crate::receipt::Receipt as Response;

/// The protocol of votes and small values, for [`codec::Codec`].
#[derive(Debug, Clone, Copy)]
pub struct Protocol;

/// The protocol of large values, for [`codec::Codec`].
#[derive(Debug, Clone, Copy)]
pub struct ValueProtocol;

/// Name and version on the wire.
pub const PROTOCOL_NAME: &str = "/cluster-node/consensus/1";
/// Name and version on the wire for messages above [`limits::CONSENSUS_REQUEST_BYTES`].
pub const VALUE_PROTOCOL_NAME: &str = "/cluster-node/consensus-value/1";

impl codec::Protocol for Protocol {
    type Request = Request;
    type Response = Response;
    const NAME: &'static str = PROTOCOL_NAME;
    const NAMES: &'static [&'static str] = codec::names!("consensus");
    const REQUEST_LIMIT: usize = limits::CONSENSUS_REQUEST_BYTES;
    const RESPONSE_LIMIT: usize = limits::DUTY_RESPONSE_BYTES;
    const STREAMS: usize = limits::CONSENSUS_STREAMS;
}

impl codec::Protocol for ValueProtocol {
    type Request = Request;
    type Response = Response;
    const NAME: &'static str = VALUE_PROTOCOL_NAME;
    const NAMES: &'static [&'static str] = codec::names!("consensus-value");
    const REQUEST_LIMIT: usize = limits::CONSENSUS_VALUE_BYTES;
    const RESPONSE_LIMIT: usize = limits::DUTY_RESPONSE_BYTES;
    const STREAMS: usize = limits::VALUE_STREAMS;
}

/// The network behaviour of votes.
pub type Behaviour = codec::Behaviour<Protocol>;
/// The network behaviour of large values.
pub type ValueBehaviour = codec::Behaviour<ValueProtocol>;
/// What both behaviours report.
pub type Event = request_response::Event<Request, Response>;

/// Builds the behaviour of votes; `timeout` is normally [`limits::DUTY_TIMEOUT`].
pub fn behaviour(timeout: Duration, traffic: Arc<Traffic>) -> Behaviour {
    codec::behaviour::<Protocol>(timeout, traffic)
}

/// Builds the behaviour of large values; `timeout` is normally [`limits::VALUE_TIMEOUT`].
pub fn value_behaviour(timeout: Duration, traffic: Arc<Traffic>) -> ValueBehaviour {
    codec::behaviour::<ValueProtocol>(timeout, traffic)
}

/// What one operator asks of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// One message of an instance.
    Deliver {
        /// The instance.
        instance: InstanceId,
        /// The encoded `cluster_core::consensus::Message`.
        message: Bytes,
    },
}

/// Bytes of a request beside its message: the variant, the instance and a length.
const ENVELOPE_BYTES: usize = 4 + 32 + 8 + 4 + 8;

/// Whether an encoded message is too large for the protocol of votes.
pub fn is_value(message: &[u8]) -> bool {
    message.len() + ENVELOPE_BYTES > limits::CONSENSUS_REQUEST_BYTES
}

impl Request {
    /// Whether the request is too large for the protocol of votes.
    pub fn is_value(&self) -> bool {
        let Self::Deliver { message, .. } = self;
        is_value(message)
    }
}

impl Wire for Request {
    fn check(&self) -> Result<(), Excess> {
        Ok(())
    }
}
