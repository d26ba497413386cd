//! Why a log is not an event.

use crate::committee::CommitteeError;

/// What is wrong with a log. The contracts should never emit such a thing; whatever they emit, nobody crashes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Wrong number of indexed fields.
    #[error("{event} has {expected} topics, this log has {found}")]
    Topics {
        /// Name of the event.
        event: &'static str,
        /// Topics of the event, the first included.
        expected: usize,
        /// Topics found.
        found: usize,
    },
    /// The data are longer than those of any event.
    #[error("the log has {found} bytes of data, at most {limit} are read")]
    TooLong {
        /// Bytes found.
        found: usize,
        /// Bytes read at most.
        limit: usize,
    },
    /// Offsets or lengths point outside of the data.
    #[error("the data of {event} are not in the encoding of the ABI: {reason}")]
    Encoding {
        /// Name of the event.
        event: &'static str,
        /// What the decoder says.
        reason: String,
    },
    /// Bytes of another length.
    #[error("{field} has {found} bytes instead of {expected}")]
    Length {
        /// Name in the ABI.
        field: &'static str,
        /// Bytes expected.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// A list of another length.
    #[error("{field} has {found} entries instead of {expected}")]
    Count {
        /// Name in the ABI.
        field: &'static str,
        /// Entries expected.
        expected: usize,
        /// Entries found.
        found: usize,
    },
    /// A list that is too long, or empty.
    #[error("{field} has {found} entries; it must have 1 to {limit}")]
    CountRange {
        /// Name in the ABI.
        field: &'static str,
        /// Most entries.
        limit: usize,
        /// Entries found.
        found: usize,
    },
    /// A number outside of its range.
    #[error("{field} is not a number from {min} to {max}")]
    Number {
        /// Name in the ABI.
        field: &'static str,
        /// Smallest value.
        min: u64,
        /// Largest value.
        max: u64,
    },
    /// A word with more than 20 bytes.
    #[error("{field} is not an address")]
    Address {
        /// Name in the ABI.
        field: &'static str,
    },
    /// Neither 0 nor 1.
    #[error("{field} is neither true nor false")]
    Bool {
        /// Name in the ABI.
        field: &'static str,
    },
    /// The zero address where somebody is needed.
    #[error("{field} is the zero address")]
    Zero {
        /// Name in the ABI.
        field: &'static str,
    },
    /// Not a point of secp256k1.
    #[error("{field} is not a compressed secp256k1 public key")]
    Key {
        /// Name in the ABI.
        field: &'static str,
    },
    /// The owner's key is not the owner's.
    #[error("ownerPubkey does not belong to owner")]
    OwnerKey,
    /// Not 32 ETH.
    #[error("depositAmount is not 32 ETH")]
    Amount,
    /// Not a committee.
    #[error("operatorIds: {0}")]
    Committee(#[from] CommitteeError),
    /// The same key twice.
    #[error("{field} names the key at position {at} twice")]
    Duplicate {
        /// Name in the ABI.
        field: &'static str,
        /// Position of the second.
        at: usize,
    },
}
