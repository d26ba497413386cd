//! Why a certificate is refused: the path of the field, and what is wrong with it.

use crate::{ceremony::CeremonyId, committee::CommitteeError, network::Network, request::RequestError};

/// One fault in a certificate or contribution.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct CertificateError {
    /// Path of the field in the JSON, such as `transcript.validators[3].deposit_data_root`.
    pub field: String,
    /// What is wrong with it.
    pub problem: Problem,
}

impl CertificateError {
    pub(crate) fn new(field: impl Into<String>, problem: Problem) -> Self {
        CertificateError { field: field.into(), problem }
    }

    pub(crate) fn mismatch(field: impl Into<String>, expected: impl ToString, found: impl ToString) -> Self {
        let problem = Problem::Mismatch { expected: expected.to_string(), found: found.to_string() };
        CertificateError::new(field, problem)
    }
}

/// What can be wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Too large to read.
    #[error("{len} bytes, more than the limit of {limit}")]
    TooLong {
        /// Bytes found.
        len: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Not the JSON of a certificate.
    #[error("malformed, {0}")]
    Malformed(String),
    /// Another value than follows from the rest.
    #[error("expected {expected}, found {found}")]
    Mismatch {
        /// Value that follows from the rest.
        expected: String,
        /// Value found.
        found: String,
    },
    /// A list of another length.
    #[error("expected {expected} entries, found {found}")]
    Count {
        /// Length that follows from the request, or the range allowed.
        expected: String,
        /// Length found.
        found: usize,
    },
    /// The request does not pass its own checks.
    #[error("{0}")]
    Request(#[from] RequestError),
    /// A chain id of no known network.
    #[error("chain {0} is no known network")]
    UnknownChain(u64),
    /// The request was changed: neither its signature nor the ceremony id belong to it.
    #[error("neither the owner's signature nor ceremony_id belong to this content")]
    RequestChanged,
    /// The committee is not one.
    #[error("{0}")]
    Committee(#[from] CommitteeError),
    /// Not in the registry.
    #[error("the operator is not registered")]
    Unregistered,
    /// Not in the committee.
    #[error("the operator does not belong to the committee")]
    NotAMember,
    /// Not in both committees of a reshare.
    #[error("the operator does not belong to both committees of the reshare")]
    NotADealer,
    /// A reshare of other keys.
    #[error("they are not the validators of ceremony {0}, of which the owner asked for a reshare")]
    OtherValidators(CeremonyId),
    /// Out of order or repeated.
    #[error("operators must be distinct and in ascending order")]
    Order,
    /// Two validators with one key.
    #[error("the same validator key as validators[{first}]")]
    DuplicateValidator {
        /// Position of the other.
        first: usize,
    },
    /// The share keys and the group key are no polynomial of degree t-1.
    #[error("the share keys do not interpolate to the validator key")]
    ShareKeys,
    /// The share key at this position does not fit the others.
    #[error("this key does not fit the other keys of the validator (degree t-1)")]
    KeyOffPolynomial,
    /// The validator key did not sign its deposit.
    #[error("not a signature by the validator key on its deposit for {0}")]
    DepositSignature(Network),
    /// One receipt does not hold while others do.
    #[error("the receipt is not signed by operator {operator_id} for this transcript and these envelopes; ask the operator for it again")]
    Receipt {
        /// The operator.
        operator_id: u32,
    },
    /// No receipt holds: the transcript is not the one that was signed.
    #[error("no operator signed this transcript; it was changed after the ceremony")]
    TranscriptChanged,
}
