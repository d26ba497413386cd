//! What is said to the service and heard from it, as JSON.

use std::collections::BTreeMap;

use cluster_core::committee::OperatorId;
use cluster_core::encoding::to_hex;
use cluster_core::request::SignedRequest;
use cluster_net::info::VersionRange;
use cluster_net::upkeep::{Registration, Relay, ValidatorUpkeep};
use serde::{Deserialize, Serialize};

/// One answer to a poll for requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolledRequests {
    /// Where the next poll goes on.
    pub cursor: serde_json::Value,
    /// Requests since the last cursor.
    pub requests: Vec<SignedRequest>,
}

/// What a gateway tells the service about a ceremony under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgressReport {
    /// Whose progress.
    pub operator_id: u32,
    /// The step that the operator is in.
    pub step: String,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Operators that are to blame for something.
    pub culprits: Vec<ReportedCulprit>,
    /// Why the operator gave up, when it did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub aborted: Option<String>,
}

/// A culprit as the service stores it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedCulprit {
    /// Who.
    pub operator_id: u32,
    /// What it did.
    pub kind: String,
}

/// What a gateway heard of an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeardOperator {
    /// Who.
    pub operator_id: u32,
    /// Version of its program: 1 to 32 printable ASCII characters without spaces.
    pub version: String,
    /// When it answered, in milliseconds since the Unix epoch.
    pub last_seen_ms: u64,
}

/// Operators that answered a gateway, each once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorsReport {
    /// In any order.
    pub operators: Vec<HeardOperator>,
}

/// What the operators of a committee say about an epoch, merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerformanceReport {
    /// The epoch.
    pub epoch: u64,
    /// When it began, in milliseconds since the Unix epoch.
    pub start_ms: u64,
    /// Operators whose claims were merged.
    pub reports: u32,
    /// Exchanges of partial signatures for duties of the committee.
    pub exchanges: u32,
    /// The whole committee, ascending.
    pub operators: Vec<ReportedOperator>,
    /// Some of its validators.
    pub validators: Vec<ReportedValidator>,
}

/// One operator of a committee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedOperator {
    /// Who.
    pub operator_id: u32,
    /// Exchanges in which its partial signatures were seen.
    pub seen: u32,
}

/// One validator's duties in an epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedValidator {
    /// Its public key, 0x hex.
    pub pubkey: String,
    /// By kind.
    pub duties: Vec<KindFigures>,
}

/// Duties of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindFigures {
    /// The kind.
    pub kind: String,
    /// Duties that the validator had.
    pub expected: u32,
    /// Duties that were submitted.
    pub submitted: u32,
    /// Misses by reason.
    pub misses: BTreeMap<String, u32>,
}

/// An owner's question whether a committee is fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenPreflight {
    /// As the service calls it.
    pub preflight_id: String,
    /// The committee, ascending.
    pub operator_ids: Vec<OperatorId>,
}

/// One answer to a poll for such questions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenPreflights {
    /// Oldest first; they are this gateway's for some seconds.
    pub preflights: Vec<OpenPreflight>,
}

/// What a gateway found out about a committee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreflightReport {
    /// Every operator, in the committee's order.
    pub operators: Vec<OperatorFinding>,
}

/// What a gateway found out about one operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorFinding {
    /// Who.
    pub operator_id: u32,
    /// Whether it answered.
    pub reachable: bool,
    /// Between question and answer.
    pub round_trip_ms: Option<u32>,
    /// Version of its program: 1 to 32 printable ASCII characters without spaces.
    pub version: Option<String>,
    /// How far its clock is ahead of the gateway's.
    pub clock_skew_ms: Option<i64>,
    /// Ceremonies that it has not finished.
    pub open_ceremonies: Option<u32>,
    /// `ready` or `behind`: how far it has read the contracts.
    pub chain: Option<String>,
    /// `ready` or `behind`: its best beacon node.
    pub beacon: Option<String>,
    /// What it speaks, at most 32 names of 1 to 64 printable ASCII characters.
    pub protocols: Vec<VersionRange>,
    /// What it can do beyond version 1 of everything, bounded like `protocols`.
    pub capabilities: Vec<String>,
    /// At most 8 sentences of at most 256 characters, each on one line.
    pub problems: Vec<String>,
}

/// What an operator says it does for some of its validators besides their duties.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedUpkeep {
    /// Who.
    pub operator_id: u32,
    /// Ascending by key.
    pub validators: Vec<UpkeepOfValidator>,
}

/// One validator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpkeepOfValidator {
    /// Its public key, 0x hex.
    pub pubkey: String,
    /// Its registration with builders.
    pub relay: ReportedRelay,
    /// `none`, `ordered`, `signed` or `published`.
    pub exit: String,
}

/// A registration with builders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedRelay {
    /// `off`, `waiting`, `incomplete`, `not_taken` or `registered`.
    pub state: String,
    /// The first epoch in a row for which it stands so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub epoch: Option<u64>,
    /// Whom blocks pay, 0x hex in lower case.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fee_recipient: Option<String>,
    /// The target for blocks, in gas.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gas_limit: Option<u64>,
}

impl ReportedUpkeep {
    /// What `operator` said of these validators.
    #[must_use]
    pub fn of(operator: OperatorId, validators: &[ValidatorUpkeep]) -> Self {
        let validators = validators.iter().map(|validator| UpkeepOfValidator {
            pubkey: to_hex(&validator.pubkey),
            relay: ReportedRelay::from(&validator.relay),
            exit: validator.exit.name().to_owned(),
        });
        Self { operator_id: operator.0, validators: validators.collect() }
    }
}

impl From<&Relay> for ReportedRelay {
    fn from(relay: &Relay) -> Self {
        let (epoch, told) = match *relay {
            Relay::Off | Relay::Waiting => (None, None),
            Relay::Incomplete { epoch } => (Some(epoch), None),
            Relay::NotTaken(told) | Relay::Registered(told) => (Some(told.epoch), Some(told)),
        };
        Self {
            state: relay.name().to_owned(),
            epoch,
            fee_recipient: told.map(|Registration { fee_recipient, .. }| to_hex(&fee_recipient.0)),
            gas_limit: told.map(|told| told.gas_limit),
        }
    }
}
