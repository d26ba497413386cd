//! Events that nobody acts on, and why.

use super::{Contract, EventId, Hash32, Log, Malformed, Position, PubkeyBytes};
use crate::committee::OperatorId;
use cluster_crypto::ethereum::Address;
use serde::{Deserialize, Serialize};

/// Longest data of a log that are kept for another try, in bytes: a registration with 13 operators has 5,000.
const MAX_KEPT_DATA_BYTES: usize = 8 * 1024;

/// Why a well-formed event changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An id is given once.
    #[error("operator {id} is registered already")]
    OperatorExists {
        /// The operator.
        id: OperatorId,
    },
    /// A key is one operator's.
    #[error("the public key is that of operator {id} already")]
    OperatorKeyUsed {
        /// The operator that has it.
        id: OperatorId,
    },
    /// Never seen.
    #[error("operator {id} is not registered")]
    UnknownOperator {
        /// The operator.
        id: OperatorId,
    },
    /// Gone.
    #[error("operator {id} was removed")]
    RemovedOperator {
        /// The operator.
        id: OperatorId,
    },
    /// A gateway key is registered once.
    #[error("the cluster node is registered by {owner} already")]
    ClusterNodeExists {
        /// Who has it.
        owner: Address,
    },
    /// Never seen.
    #[error("the cluster node is not registered")]
    UnknownClusterNode,
    /// Never seen, or removed.
    #[error("validator {pubkey} is not registered")]
    UnknownValidator {
        /// The validator.
        pubkey: Box<PubkeyBytes>,
    },
    /// Only the owner decides.
    #[error("{what} belongs to {owner}, not to {found}")]
    NotTheOwner {
        /// What.
        what: String,
        /// Its owner.
        owner: Address,
        /// Who tried.
        found: Address,
    },
    /// A bound of this software.
    #[error("there are {limit} {what} already, as many as this software handles")]
    Full {
        /// Of what.
        what: &'static str,
        /// How many.
        limit: usize,
    },
}

/// Whether another try makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The bytes are no event that this version knows; tried again by every new process.
    Malformed,
    /// It names something that another event may still bring; tried again when one does.
    Waits,
    /// It never acts.
    Refused,
}

/// An event that could not be handled, kept to be seen and tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// The event.
    pub event: EventId,
    /// The contract by name.
    pub contract: Contract,
    /// Hash of its block.
    pub block_hash: Hash32,
    /// Where it stands.
    pub position: Position,
    /// Unix seconds of its block; 0 where nobody needs it.
    pub time_s: u64,
    /// Words of the log that are indexed.
    pub topics: Vec<Hash32>,
    /// The rest; `None` when it was too long to be kept.
    #[serde(with = "optional_bytes")]
    pub data: Option<Vec<u8>>,
    /// Whether it is tried again.
    pub reason: Reason,
    /// What is wrong, in a sentence.
    pub words: String,
}

impl Quarantined {
    /// Keeps a log that is no event.
    pub(super) fn malformed(contract: Contract, event: EventId, log: &Log, error: &Malformed) -> Self {
        Self::new(contract, event, log, 0, Reason::Malformed, error.to_string())
    }

    /// Keeps an event that changes nothing.
    pub(super) fn refused(contract: Contract, event: EventId, log: &Log, time_s: u64, refusal: &Refusal) -> Self {
        Self::new(contract, event, log, time_s, refusal.reason(), refusal.to_string())
    }

    fn new(contract: Contract, event: EventId, log: &Log, time_s: u64, reason: Reason, words: String) -> Self {
        Quarantined {
            event,
            contract,
            block_hash: log.block.hash,
            position: log.position(),
            time_s,
            // A log has four at most, whatever a provider says.
            topics: log.topics.iter().take(4).copied().map(Hash32).collect(),
            data: (log.data.len() <= MAX_KEPT_DATA_BYTES).then(|| log.data.clone()),
            reason,
            words,
        }
    }

    /// The log as it was, if all of it was kept.
    pub(super) fn log(&self) -> Option<Log> {
        let block = super::BlockRef { number: self.position.block_number, hash: self.block_hash };
        Some(Log {
            block,
            transaction_hash: self.event.transaction_hash,
            block_log_index: self.position.block_log_index,
            contract: self.event.contract,
            topics: self.topics.iter().map(|topic| topic.0).collect(),
            data: self.data.clone()?,
        })
    }
}

impl Refusal {
    /// Whether another event may still make it act.
    pub fn reason(&self) -> Reason {
        match self {
            Refusal::UnknownOperator { .. } | Refusal::UnknownClusterNode | Refusal::UnknownValidator { .. } => {
                Reason::Waits
            }
            _ => Reason::Refused,
        }
    }
}

/// Hex for people, plain bytes in binary.
mod optional_bytes {
    use serde::{de::Error, Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return bytes.as_ref().map(|bytes| crate::encoding::to_hex(bytes)).serialize(serializer);
        }
        bytes.as_ref().map(|bytes| serde_bytes::Bytes::new(bytes)).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
        if !deserializer.is_human_readable() {
            let bytes = Option::<serde_bytes::ByteBuf>::deserialize(deserializer)?;
            return Ok(bytes.map(serde_bytes::ByteBuf::into_vec));
        }
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        let digits = text.strip_prefix("0x").ok_or_else(|| D::Error::custom("expected 0x"))?;
        hex::decode(digits).map(Some).map_err(D::Error::custom)
    }
}
