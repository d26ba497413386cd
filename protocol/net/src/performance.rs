//! `/cluster-node/performance/1`: how an operator saw the duties of its validators, and what it does for them besides, for
//! gateways.
//!
//! # Contract
//!
//! One stream, one [`Request`], one [`Response`]; frames as in [`crate::codec`], at most
//! [`limits::PERFORMANCE_REQUEST_BYTES`] and [`limits::PERFORMANCE_RESPONSE_BYTES`]. Only gateways ask, and only
//! operators answer. A question names the first epoch that it wants; the answer holds whole epochs that are over, in
//! ascending order, and names the epoch with which the next question goes on. An answer without reports says that there
//! is nothing new yet. What an operator does for its validators besides their duties is asked with
//! [`Request::Upkeep`], of those that declare [`crate::upkeep::CAPABILITY`] only.
//!
//! Everything in an answer is the operator's own claim. A gateway believes what the committee's operators say in their
//! majority (`node/src/gateway/performance`), never a single one. An epoch in which the operator did nothing is left
//! out: silence is not a claim that nothing was done.
//!
//! | Checked | Where |
//! |---|---|
//! | length, trailing bytes, encoding, counts | [`crate::codec`], before the message is delivered |
//! | the asker is a registered gateway | [`crate::gate`] and `node/src/operator/answers.rs` |
//! | the sender is in the committee that it speaks of, figures fit each other | `node/src/gateway/performance` |
//!
//! A frame that breaks the contract fails its stream. Nothing in this protocol closes the connection.

use std::sync::Arc;
use std::time::Duration;

use cluster_core::committee::OperatorId;
use cluster_core::duty::SigningKind;
use cluster_core::encoding::hex_array;
use libp2p::request_response;
use serde::{Deserialize, Serialize};

use crate::codec::{self, at_most, Excess, Traffic, Wire};
use crate::limits;
use crate::upkeep::Upkeep;

/// The protocol, for [`codec::Codec`].
#[derive(Debug, Clone, Copy)]
pub struct Protocol;

/// Name and version on the wire.
pub const PROTOCOL_NAME: &str = "/cluster-node/performance/1";

impl codec::Protocol for Protocol {
    type Request = Request;
    type Response = Response;
    const NAME: &'static str = PROTOCOL_NAME;
    const NAMES: &'static [&'static str] = codec::names!("performance");
    const REQUEST_LIMIT: usize = limits::PERFORMANCE_REQUEST_BYTES;
    const RESPONSE_LIMIT: usize = limits::PERFORMANCE_RESPONSE_BYTES;
    const STREAMS: usize = limits::PERFORMANCE_STREAMS;
}

/// The network behaviour.
pub type Behaviour = codec::Behaviour<Protocol>;
/// What the behaviour reports.
pub type Event = request_response::Event<Request, Response>;

/// Builds the behaviour; `timeout` is for a request and its response, normally [`limits::PERFORMANCE_TIMEOUT`].
pub fn behaviour(timeout: Duration, traffic: Arc<Traffic>) -> Behaviour {
    codec::behaviour::<Protocol>(timeout, traffic)
}

/// The questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// What do you know of this epoch and the following ones?
    Since {
        /// The first epoch wanted.
        epoch: u64,
    },
    /// How do registrations with builders and exits stand?
    Upkeep {
        /// The revision that the asker knows.
        known: Option<u64>,
    },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response {
    /// Reports.
    Page(Page),
    /// Refused for good.
    Refused {
        /// One sentence for people, at most [`limits::REASON_BYTES`].
        reason: String,
    },
    /// Not now; repeat later.
    Busy,
    /// How it stands, when it differs from what the asker knows.
    Upkeep(Upkeep),
    /// The revision that the asker knows is the present one.
    Unchanged,
}

/// Reports of whole epochs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Ascending by epoch; one per epoch and committee, at most [`limits::PERFORMANCE_REPORTS`], with at most
    /// [`limits::PERFORMANCE_VALIDATORS`] validators in all.
    pub reports: Vec<Report>,
    /// The epoch of the next question: nothing before it will be added.
    pub next: u64,
}

/// One committee in one epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The epoch.
    pub epoch: u64,
    /// When it began, in unix milliseconds.
    pub start_ms: u64,
    /// The operators, ascending; at most [`limits::COMMITTEE`].
    pub committee: Vec<OperatorId>,
    /// Exchanges of partial signatures for duties, of the whole committee.
    pub exchanges: u32,
    /// In how many of them partials of each operator were seen, in the order of `committee`.
    pub seen: Vec<u32>,
    /// The validators that had duties, ascending by key.
    pub validators: Vec<ValidatorReport>,
}

/// One validator in one epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatorReport {
    /// Its public key.
    #[serde(with = "hex_array")]
    pub pubkey: [u8; 48],
    /// Its duties by kind, at most [`limits::PERFORMANCE_KINDS`].
    pub duties: Vec<KindReport>,
}

/// The duties of one kind of one validator in one epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindReport {
    /// The kind; one of [`KINDS`].
    pub kind: SigningKind,
    /// Duties that it had.
    pub expected: u32,
    /// Duties that were submitted to a beacon node.
    pub submitted: u32,
    /// Why the others were missed, the commonest reasons first; at most [`limits::PERFORMANCE_MISSES`].
    pub misses: Vec<(Reason, u32)>,
}

/// The kinds that are reported: what the beacon chain expects of a validator. Proofs and registrations serve these.
pub const KINDS: [SigningKind; limits::PERFORMANCE_KINDS] = [
    SigningKind::Attestation,
    SigningKind::SyncMessage,
    SigningKind::AggregateAndProof,
    SigningKind::ContributionAndProof,
    SigningKind::Block,
];

/// Why a duty was missed, without the words, which stay with the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// No beacon node answered with what the duty needs.
    BeaconNode,
    /// Fewer operators than a quorum agreed in time.
    NoQuorum,
    /// The decision differs from what the operator's beacon node says.
    OtherView,
    /// The slashing protection refused.
    Slashable,
    /// The signer did not sign.
    Signer,
    /// Too few right partial signatures came in time.
    TooFewPartials,
    /// No beacon node took the result.
    NotAccepted,
    /// The RANDAO reveal was not signed in time.
    NoRandao,
    /// The fork of the slot is not known.
    UnknownFork,
    /// The operator held back while it made sure that nobody else signs with its keys.
    Doppelganger,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 10] = [
        Self::BeaconNode,
        Self::NoQuorum,
        Self::OtherView,
        Self::Slashable,
        Self::Signer,
        Self::TooFewPartials,
        Self::NotAccepted,
        Self::NoRandao,
        Self::UnknownFork,
        Self::Doppelganger,
    ];

    /// The name in metrics, reports and the service.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BeaconNode => "beacon_node",
            Self::NoQuorum => "no_quorum",
            Self::OtherView => "other_view",
            Self::Slashable => "slashable",
            Self::Signer => "signer",
            Self::TooFewPartials => "too_few_partials",
            Self::NotAccepted => "not_accepted",
            Self::NoRandao => "no_randao",
            Self::UnknownFork => "unknown_fork",
            Self::Doppelganger => "doppelganger",
        }
    }
}

impl Wire for Request {
    fn check(&self) -> Result<(), Excess> {
        Ok(())
    }
}

impl Wire for Response {
    fn check(&self) -> Result<(), Excess> {
        match self {
            Self::Page(page) => page.check(),
            Self::Refused { reason } => at_most("the reason", reason.len(), limits::REASON_BYTES),
            Self::Upkeep(upkeep) => {
                at_most("the list of validators", upkeep.validators.len(), limits::UPKEEP_VALIDATORS)
            }
            Self::Busy | Self::Unchanged => Ok(()),
        }
    }
}

impl Page {
    fn check(&self) -> Result<(), Excess> {
        at_most("the list of reports", self.reports.len(), limits::PERFORMANCE_REPORTS)?;
        let validators = self.reports.iter().map(|report| report.validators.len()).sum();
        at_most("the list of validators", validators, limits::PERFORMANCE_VALIDATORS)?;
        for report in &self.reports {
            at_most("the committee", report.committee.len(), limits::COMMITTEE)?;
            at_most("the list of operators seen", report.seen.len(), limits::COMMITTEE)?;
            for validator in &report.validators {
                at_most("the list of duties", validator.duties.len(), limits::PERFORMANCE_KINDS)?;
                validator.duties.iter().try_for_each(|duty| {
                    at_most("the list of reasons", duty.misses.len(), limits::PERFORMANCE_MISSES)
                })?;
            }
        }
        Ok(())
    }
}

impl Response {
    /// A refusal; a reason above the limit is cut at a character.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: codec::cut(reason.into(), limits::REASON_BYTES) }
    }
}
