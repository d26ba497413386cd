//! The answer to messages of duties: votes, values and partial signatures are taken over or not, and judged later.

use serde::{Deserialize, Serialize};

use crate::codec::{self, at_most, Excess, Wire};
use crate::limits;

/// What an operator answers to a message of a duty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Receipt {
    /// The message was taken; it is judged later.
    Accepted,
    /// The message is refused for good.
    Refused {
        /// One sentence for people, at most [`limits::REASON_BYTES`].
        reason: String,
    },
    /// Not now; repeat soon.
    Busy,
}

impl Wire for Receipt {
    fn check(&self) -> Result<(), Excess> {
        match self {
            Self::Refused { reason } => at_most("the reason", reason.len(), limits::REASON_BYTES),
            Self::Accepted | Self::Busy => Ok(()),
        }
    }
}

impl Receipt {
    /// A refusal; a reason above the limit is cut at a character.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: codec::cut(reason.into(), limits::REASON_BYTES) }
    }
}
