//! `report.json`: what a demo measured.

use std::collections::BTreeMap;

use alloy_primitives::U256;
use cluster_core::chain::Contracts;
use cluster_core::committee::OperatorId;
use serde::{Deserialize, Serialize};

use crate::evm::Receipt;

/// The figures of one demo.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Operators of the committee.
    pub n: usize,
    /// Operators that must sign.
    pub t: usize,
    /// Validators.
    pub k: u32,
    /// `quic` or `tcp`.
    pub transport: String,
    /// `hoodi` or `mainnet`.
    pub network: String,
    /// Seed of keys, faults and misbehaviour.
    pub seed: u64,
    /// 0x hex.
    pub ceremony_id: String,
    /// From the moment the request was sent until its row was visible to the owner, in milliseconds.
    pub wall_ms: f64,
    /// Milliseconds in each step: the median over the operators.
    pub steps_ms: BTreeMap<String, f64>,
    /// Processor time of the whole process, user and system, between request and result, in milliseconds.
    pub cpu_ms: f64,
    /// Largest memory of the whole process so far, in bytes.
    pub rss_bytes: u64,
    /// What each operator sent between request and result.
    pub operators: Vec<OperatorFigures>,
    /// The validators, 0x hex; empty without keys.
    pub pubkeys: Vec<String>,
    /// Who misbehaved or was missing, as operators report it.
    pub culprits: Vec<CulpritFigures>,
    /// Whether the validators may be deposited for.
    pub readiness: ReadinessFigures,
    /// What happened on the chain, where there is one and everything went its whole way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<ChainFigures>,
    /// The reshare, where an operator was replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement: Option<ReplacementFigures>,
}

/// A reshare of the validators to another committee.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplacementFigures {
    /// 0x hex.
    pub ceremony_id: String,
    /// The operator that was stopped.
    pub left: OperatorId,
    /// The one in its place.
    pub joined: OperatorId,
    /// Validators.
    pub k: u32,
    /// From the moment the request was sent until its certificate was there for the owner, in milliseconds.
    pub wall_ms: f64,
    /// Where it is, beside the report.
    pub certificate: String,
}

/// The way of the validators on the chain.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChainFigures {
    /// Of the chain.
    pub rpc_url: String,
    /// Contracts of the network.
    pub contracts: Contracts,
    /// The owner's request.
    pub request: TransactionFigures,
    /// The contract takes the exact payment for a registration, and neither a wei more nor less.
    pub exact_payment_only: bool,
    /// Registrations in the network.
    pub registered: Vec<TransactionFigures>,
    /// Submission to Lido's module.
    pub csm: CsmFigures,
    /// Lido's deposits.
    pub deposited: Vec<TransactionFigures>,
    /// For each validator the log that the service names as its deposit.
    pub deposits: Vec<serde_json::Value>,
    /// The owner's order to exit.
    pub exit: TransactionFigures,
    /// Operators that acted on it.
    pub operators: Seen,
    /// For how many validators the service has evidence of each fact.
    pub service: serde_json::Value,
}

/// A transaction.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TransactionFigures {
    /// Its hash, 0x hex.
    pub transaction: String,
    /// Height of its block.
    pub block: u64,
    /// Gas that it took.
    pub gas: u64,
    /// Wei that were paid with it, decimal.
    pub paid_wei: String,
    /// Validators that it is about.
    pub validators: usize,
}

impl TransactionFigures {
    /// Of a receipt.
    #[must_use]
    pub fn new(receipt: &Receipt, paid: U256, validators: usize) -> Self {
        let (transaction, block) = (receipt.transaction.to_string(), receipt.block.number);
        Self { transaction, block, gas: receipt.gas_used, paid_wei: paid.to_string(), validators }
    }
}

/// What Lido's module got, as the service tells it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CsmFigures {
    /// `permissionless`, `ics` or `idvtc`.
    pub gate: String,
    /// `eth`, `steth` or `wsteth`: what `paid_wei` of the transactions counts.
    pub bond_token: String,
    /// 0 is one.
    pub node_operator_id: u64,
    /// With a new node operator, then with more keys.
    pub transactions: Vec<TransactionFigures>,
    /// `/v1/csm/operators/{id}`: bond.
    pub bond: serde_json::Value,
    /// `/v1/csm/operators/{id}/keys`.
    pub keys: serde_json::Value,
    /// Ids in the answer to `operator/query_lido_csm`.
    pub listed: Vec<u64>,
}

/// Which operators acted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Seen {
    /// They perform the validators' duties.
    pub registered: Vec<OperatorId>,
    /// They have the owner's order to exit.
    pub exit_ordered: Vec<OperatorId>,
}

/// What one operator sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorFigures {
    /// Number in the registry.
    pub id: OperatorId,
    /// Bytes of the node's protocols, frames included.
    pub bytes_sent: u64,
    /// Messages of them.
    pub messages_sent: u64,
}

/// One operator that is blamed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CulpritFigures {
    /// Who.
    pub operator_id: OperatorId,
    /// What for, such as `silent` or `wrong_share`.
    pub kind: String,
    /// By whom.
    pub named_by: Vec<OperatorId>,
}

/// How the ceremony ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ReadinessFigures {
    /// Every operator holds its share.
    Ready,
    /// Keys are there, receipts are missing.
    Incomplete {
        /// Of whom.
        missing: Vec<OperatorId>,
    },
    /// There are no keys.
    Aborted {
        /// Why, in the operators' words.
        reason: String,
    },
}

/// Processor time of this process so far, user and system, in milliseconds.
#[must_use]
pub fn cpu_ms() -> f64 {
    use nix::sys::resource::{getrusage, UsageWho};
    use nix::sys::time::TimeValLike;
    // The call fails for no process that asks about itself.
    getrusage(UsageWho::RUSAGE_SELF)
        .map(|usage| (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 / 1_000.0)
        .unwrap_or(0.0)
}

/// Largest memory of this process so far, in bytes.
#[must_use]
pub fn max_rss_bytes() -> u64 {
    use nix::sys::resource::{getrusage, UsageWho};
    // Linux counts in KiB, macOS in bytes.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    getrusage(UsageWho::RUSAGE_SELF).map(|usage| u64::try_from(usage.max_rss()).unwrap_or(0) * unit).unwrap_or(0)
}
