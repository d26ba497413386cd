//! The contracts on the chain, as far as a node believes them: sans IO, like everything here.
//!
//! ```text
//! provider ── Answer ──▶ follower ── logs ──▶ event ── Event ──▶ facts ──▶ Commit (facts, undo, cursor) ──▶ store
//! ```
//!
//! | file | what it does |
//! | --- | --- |
//! | [`abi`] | names and encodings of the events, as the contracts declare them |
//! | [`event`](Event) | a log becomes an [`Event`] with checked fields, or [`Malformed`] with a reason in words |
//! | [`facts`](Facts) | what follows from the events; only an owner's events act on the owner's validators |
//! | [`ledger`](Ledger) | facts with the way back: one undo record per block, quarantine, retries |
//! | [`follower`](Follower) | which blocks to ask for next, reorganisations, ranges, patience |
//! | `double` | for tests: a contract that emits whatever it is told to |

pub mod abi;
#[cfg(feature = "simulation")]
pub mod double;
mod event;
mod facts;
mod fold;
mod follower;
mod ledger;
mod malformed;
mod refusal;

pub use event::{
    decode, printable_name, DepositDataRequested, Event, ExitRequested, OperatorRegistered, ValidatorRegistered,
    MAX_EXIT_VALIDATORS, MAX_LOG_DATA_BYTES, REQUEST_LIFETIME_S,
};
pub use facts::{
    ClusterNodeFact, Entry, ExitFact, FactKey, Facts, OperatorFact, ValidatorFact, MAX_CLUSTER_NODES, MAX_EXIT_EVENTS,
    MAX_OPERATORS, MAX_REQUESTS, MAX_VALIDATORS,
};
pub use fold::Occasion;
pub use follower::{Answer, Ask, Failure, Follower, Output, Settings, Trouble, FINAL_DEPTH, MAX_LOGS};
pub use ledger::{BlockRecord, Commit, Ledger, MAX_HISTORY, MAX_QUARANTINE};
pub use malformed::Malformed;
pub use refusal::{Quarantined, Reason, Refusal};

use crate::encoding::{hex_array, to_hex};
use cluster_crypto::{bls, ethereum::Address};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;

/// Bytes of an [`EventId`].
pub const EVENT_ID_BYTES: usize = 64;

/// A hash of a block or transaction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hash32(#[serde(with = "hex_array")] pub [u8; 32]);

impl fmt::Display for Hash32 {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for Hash32 {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Hash32({})", hex::encode(&self.0[..4]))
    }
}

/// The 48 bytes of a BLS public key as an event has them. That they are a point of the group is checked by whoever uses
/// them: the check costs 50 microseconds, and a registry has a hundred thousand.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PubkeyBytes(#[serde(with = "hex_array")] pub [u8; 48]);

impl PubkeyBytes {
    /// The key, if the bytes are one.
    pub fn key(&self) -> Option<bls::PublicKey> {
        bls::PublicKey::from_bytes(&self.0).ok()
    }
}

impl From<&bls::PublicKey> for PubkeyBytes {
    fn from(key: &bls::PublicKey) -> Self {
        PubkeyBytes(key.to_bytes())
    }
}

impl fmt::Display for PubkeyBytes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for PubkeyBytes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PubkeyBytes({})", hex::encode(&self.0[..4]))
    }
}

/// One event of a contract, in whatever block its transaction is.
///
/// `log_index` is the position among the logs that *this contract* emits in *this transaction*, from zero. The index that
/// providers give is a position in the block, and changes when a reorganisation moves the transaction; this one stays,
/// so the ceremony of a request keeps its id. To look one up: take the receipt's logs of the contract, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventId {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The contract that emits it.
    pub contract: Address,
    /// The transaction.
    pub transaction_hash: Hash32,
    /// Position among the contract's logs in the transaction.
    pub log_index: u32,
}

impl EventId {
    /// Chain id (8 bytes, little-endian), contract (20), transaction hash (32), log index (4, little-endian).
    pub fn to_bytes(&self) -> [u8; EVENT_ID_BYTES] {
        let mut bytes = [0u8; EVENT_ID_BYTES];
        bytes[..8].copy_from_slice(&self.chain_id.to_le_bytes());
        bytes[8..28].copy_from_slice(&self.contract.0);
        bytes[28..60].copy_from_slice(&self.transaction_hash.0);
        bytes[60..].copy_from_slice(&self.log_index.to_le_bytes());
        bytes
    }

    /// Reads what [`EventId::to_bytes`] writes; all 64 bytes mean something.
    pub fn from_bytes(bytes: &[u8; EVENT_ID_BYTES]) -> Self {
        let mut id =
            EventId { chain_id: 0, contract: Address([0; 20]), transaction_hash: Hash32([0; 32]), log_index: 0 };
        let (mut chain_id, mut log_index) = ([0u8; 8], [0u8; 4]);
        chain_id.copy_from_slice(&bytes[..8]);
        id.contract.0.copy_from_slice(&bytes[8..28]);
        id.transaction_hash.0.copy_from_slice(&bytes[28..60]);
        log_index.copy_from_slice(&bytes[60..]);
        id.chain_id = u64::from_le_bytes(chain_id);
        id.log_index = u32::from_le_bytes(log_index);
        id
    }

    /// A number for [`crate::request::Request::nonce`] that no other event has: 53 bits, which survive a browser.
    pub fn nonce(&self) -> u64 {
        let id = crate::ceremony::CeremonyId::of_event(self);
        let (first, _) = id.as_bytes().split_at(8);
        first.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)) >> 11
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}/{}/{}", self.chain_id, self.contract, self.transaction_hash, self.log_index)
    }
}

/// A block by number and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockRef {
    /// Height.
    pub number: u64,
    /// Hash.
    pub hash: Hash32,
}

/// What is needed of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The block.
    pub block: BlockRef,
    /// Hash of the block before.
    pub parent_hash: Hash32,
    /// Unix seconds.
    pub time_s: u64,
}

/// One log as a provider gives it. Nothing is checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The block.
    pub block: BlockRef,
    /// The transaction.
    pub transaction_hash: Hash32,
    /// Position in the block.
    pub block_log_index: u32,
    /// Who emitted it.
    pub contract: Address,
    /// Zero to four words.
    pub topics: Vec<[u8; 32]>,
    /// The rest.
    pub data: Vec<u8>,
}

/// Where an event stands in the chain; orders events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Height of the block.
    pub block_number: u64,
    /// Position in the block.
    pub block_log_index: u32,
}

impl Log {
    /// Where it stands.
    pub fn position(&self) -> Position {
        Position { block_number: self.block.number, block_log_index: self.block_log_index }
    }
}

/// The contracts of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contracts {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// `SafeStakeRegistry`.
    pub registry: Address,
    /// `SafeStakeNetwork`.
    pub network: Address,
    /// `SafeStakeClusterNode`.
    pub cluster_node: Address,
    /// `SafeStakeOperatorConfig`.
    pub operator_config: Address,
}

/// Which of the four contracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contract {
    /// Operators.
    Registry,
    /// Validators and payments.
    Network,
    /// Requests.
    ClusterNode,
    /// Fee recipients.
    OperatorConfig,
}

impl fmt::Display for Contract {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Contract::Registry => "registry",
            Contract::Network => "network",
            Contract::ClusterNode => "cluster_node",
            Contract::OperatorConfig => "operator_config",
        })
    }
}

impl Contracts {
    /// Which contract has this address.
    pub fn which(&self, address: &Address) -> Option<Contract> {
        let all = [
            (self.registry, Contract::Registry),
            (self.network, Contract::Network),
            (self.cluster_node, Contract::ClusterNode),
            (self.operator_config, Contract::OperatorConfig),
        ];
        all.into_iter().find(|(known, _)| known == address).map(|(_, contract)| contract)
    }

    /// The four addresses, for the filter of a query.
    pub fn addresses(&self) -> [Address; 4] {
        [self.registry, self.network, self.cluster_node, self.operator_config]
    }

    /// The id of each log, in their order. The logs must be **all** that the contracts emitted in their blocks, ordered
    /// by position: the index in the transaction is counted.
    pub fn event_ids(&self, logs: &[Log]) -> Vec<EventId> {
        let mut counted: HashMap<(Hash32, Address), u32> = HashMap::new();
        let mut id = |log: &Log| {
            let count = counted.entry((log.transaction_hash, log.contract)).or_insert(0);
            let log_index = *count;
            *count = count.saturating_add(1);
            let (contract, transaction_hash) = (log.contract, log.transaction_hash);
            EventId { chain_id: self.chain_id, contract, transaction_hash, log_index }
        };
        logs.iter().map(&mut id).collect()
    }
}
