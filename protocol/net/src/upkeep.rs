//! What an operator does for its validators besides their duties: registration with builders, and exits.
//!
//! Every operator speaks of itself only. Each has beacon nodes and relays of its own and signs by itself, so that there is
//! nothing that a majority would know better. Asked with [`crate::performance::Request::Upkeep`].

use cluster_core::encoding::hex_array;
use cluster_crypto::ethereum::Address;
use serde::{Deserialize, Serialize};

/// Declared by operators that answer such a question. Others would not understand it.
pub const CAPABILITY: &str = "upkeep";

/// The validators of one operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upkeep {
    /// Another one whenever anything else in here is another.
    pub revision: u64,
    /// Ascending by key, each once; at most [`crate::limits::UPKEEP_VALIDATORS`].
    pub validators: Vec<ValidatorUpkeep>,
}

/// One validator.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ValidatorUpkeep {
    /// Its public key.
    #[serde(with = "hex_array")]
    pub pubkey: [u8; 48],
    /// Its registration with builders.
    pub relay: Relay,
    /// Its exit.
    pub exit: Exit,
}

/// How a validator's registration with builders stands ([builder-specs], `registerValidator`). Epochs are the first ones in a
/// row for which it stands so.
///
/// [builder-specs]: https://github.com/ethereum/builder-specs/blob/main/specs/bellatrix/validator.md
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Relay {
    /// The operator asks no builders.
    Off,
    /// Nothing was tried yet: the beacon chain does not know the validator, or the node has just started.
    Waiting,
    /// Too few partial signatures came in time.
    Incomplete {
        /// Since when.
        epoch: u64,
    },
    /// Signed, but no beacon node took it.
    NotTaken(Registration),
    /// A beacon node took it for its relays.
    Registered(Registration),
}

/// What builders are told, besides the time of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Registration {
    /// Since when.
    pub epoch: u64,
    /// Whom blocks pay.
    pub fee_recipient: Address,
    /// The target for blocks, in gas.
    pub gas_limit: u64,
}

/// How far an operator is with a validator's exit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Exit {
    /// Nobody ordered one.
    #[default]
    None,
    /// The owner's order is here.
    Ordered,
    /// Its partial signature is made and sent.
    Signed,
    /// A beacon node took the complete exit, or the chain has it.
    Published,
}

impl Relay {
    /// The name in the service and for people.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Waiting => "waiting",
            Self::Incomplete { .. } => "incomplete",
            Self::NotTaken(_) => "not_taken",
            Self::Registered(_) => "registered",
        }
    }
}

impl Exit {
    /// The name in the service and for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Ordered => "ordered",
            Self::Signed => "signed",
            Self::Published => "published",
        }
    }
}
