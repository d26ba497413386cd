//! `/cluster-node/publish/1`: between an operator and a gateway.
//!
//! # Contract
//!
//! One stream, one [`Request`], one [`Response`]; frames as in [`crate::codec`], at most [`limits::PUBLISH_BYTES`].
//!
//! * Operator to gateway: [`Request::Contribution`], the operator's signed part of a certificate, and
//!   [`Request::Progress`], for people to watch. Progress proves nothing and decides nothing.
//! * Gateway to operator: [`Request::Submit`], an owner's signed request, and [`Request::Get`], which pulls a
//!   contribution that did not arrive.
//!
//! Requests are idempotent. A contribution travels as [`Encoded`]: its thousands of points are decoded by the
//! receiver where blocking is allowed, not by the task of the connection.
//!
//! | Checked | Where |
//! |---|---|
//! | length, trailing bytes, encoding, counts | [`crate::codec`], before the request is delivered |
//! | the sender is a registered operator or gateway | [`crate::gate`] and `node/src/network` |
//! | the owner's request | `SignedRequest::check`, by the operator role |
//! | the contribution, whose operator must be the sender | by the gateway role, with `cluster_core::certificate` |
//!
//! A frame that breaks the contract fails its stream. Nothing in this protocol closes the connection.

use std::sync::Arc;
use std::time::Duration;

use cluster_core::ceremony::CeremonyId;
use cluster_core::certificate::Contribution;
use cluster_core::committee::OperatorId;
use cluster_core::dkg::{CulpritKind, Step};
use cluster_core::request::SignedRequest;
use libp2p::request_response;
use serde::{Deserialize, Serialize};

use crate::codec::{self, at_most, cut, Encoded, Excess, Traffic, Wire};
use crate::limits;

/// The protocol, for [`codec::Codec`].
#[derive(Debug, Clone, Copy)]
pub struct Protocol;

/// Name and version on the wire.
pub const PROTOCOL_NAME: &str = "/cluster-node/publish/1";

impl codec::Protocol for Protocol {
    type Request = Request;
    type Response = Response;
    const NAME: &'static str = PROTOCOL_NAME;
    const NAMES: &'static [&'static str] = codec::names!("publish");
    const REQUEST_LIMIT: usize = limits::PUBLISH_BYTES;
    const RESPONSE_LIMIT: usize = limits::PUBLISH_BYTES;
}

/// The network behaviour.
pub type Behaviour = codec::Behaviour<Protocol>;
/// What the behaviour reports.
pub type Event = request_response::Event<Request, Response>;

/// Builds the behaviour; `timeout` is for a request and its response, normally [`limits::PUBLISH_TIMEOUT`].
pub fn behaviour(timeout: Duration, traffic: Arc<Traffic>) -> Behaviour {
    codec::behaviour::<Protocol>(timeout, traffic)
}

/// What an operator asks of a gateway, or a gateway of an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Operator to gateway: my part of the certificate.
    Contribution(Encoded<Contribution>),
    /// Operator to gateway: how far a ceremony is here.
    Progress(Progress),
    /// Gateway to operator: an owner's request.
    Submit(SignedRequest),
    /// Gateway to operator: your contribution to this ceremony, please.
    Get {
        /// The ceremony.
        ceremony_id: CeremonyId,
    },
}

/// How far a ceremony is at one operator; the operator is the sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The ceremony.
    pub ceremony_id: CeremonyId,
    /// The step that it is in.
    pub step: Step,
    /// When, in unix milliseconds of the operator's clock.
    pub at_ms: u64,
    /// Operators that it holds to blame so far, at most [`limits::CULPRITS`].
    pub culprits: Vec<CulpritName>,
    /// Why it was aborted, when it was, at most [`limits::REASON_BYTES`].
    pub aborted: Option<String>,
}

/// A culprit without the evidence, which stays with the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CulpritName {
    /// Who.
    pub operator_id: OperatorId,
    /// What for.
    pub kind: CulpritKind,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response {
    /// Taken; it may be judged later.
    Accepted,
    /// Refused for good.
    Refused {
        /// The field that is wrong, at most [`limits::FIELD_BYTES`]; empty when it is not one field.
        field: String,
        /// One sentence for people, at most [`limits::REASON_BYTES`].
        reason: String,
    },
    /// The answer to `Get`; none while the ceremony is running or unknown here.
    Contribution(Option<Encoded<Contribution>>),
    /// The answer to `Get` when the ceremony was aborted here.
    Aborted {
        /// One sentence for people, at most [`limits::REASON_BYTES`].
        reason: String,
        /// Who is to blame, at most [`limits::CULPRITS`]; none when nobody can be named.
        culprits: Vec<CulpritName>,
    },
    /// Not now; repeat later.
    Busy,
}

impl Wire for Request {
    fn check(&self) -> Result<(), Excess> {
        match self {
            Self::Progress(progress) => {
                at_most("the list of culprits", progress.culprits.len(), limits::CULPRITS)?;
                at_most("the reason", progress.aborted.as_ref().map_or(0, String::len), limits::REASON_BYTES)
            }
            Self::Contribution(_) | Self::Submit(_) | Self::Get { .. } => Ok(()),
        }
    }
}

impl Wire for Response {
    fn check(&self) -> Result<(), Excess> {
        match self {
            Self::Refused { field, reason } => {
                at_most("the field", field.len(), limits::FIELD_BYTES)?;
                at_most("the reason", reason.len(), limits::REASON_BYTES)
            }
            Self::Aborted { reason, culprits } => {
                at_most("the reason", reason.len(), limits::REASON_BYTES)?;
                at_most("the list of culprits", culprits.len(), limits::CULPRITS)
            }
            Self::Accepted | Self::Contribution(_) | Self::Busy => Ok(()),
        }
    }
}

impl Response {
    /// A refusal that names a field; texts above their limits are cut.
    pub fn refused(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Refused {
            field: cut(field.into(), limits::FIELD_BYTES),
            reason: cut(reason.into(), limits::REASON_BYTES),
        }
    }
}
