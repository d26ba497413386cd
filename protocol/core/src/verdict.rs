//! What a machine thinks of a peer's message.
//!
//! Every message gets exactly one of three verdicts. Only [`Verdict::Fault`] may change the standing of the
//! peer that sent it: duplicates, late arrivals and messages for another state are harmless and expected.

use std::fmt;

/// The judgement over one message of one authenticated peer.
#[must_use = "a verdict decides how the sender is treated"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The message was new and right, and has been taken up.
    Valid,
    /// The message changes nothing: a duplicate, too late, or of no use in this state.
    Skip(SkipReason),
    /// The message cannot come from an honest, correctly working peer.
    Fault(FaultReason),
}

/// Why a message was passed over without blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// The same message was taken up before.
    Duplicate,
    /// The machine is past the point where the message matters.
    TooLate,
    /// The peer asks too often; the answer follows at the permitted rate.
    TooOften,
    /// The message is about nothing that this operator takes part in.
    Unknown,
}

/// Why a message is held against the peer that sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultReason {
    /// The bytes are not a message of this protocol, or a size is not what the ceremony prescribes.
    Malformed,
    /// The sender is not a member of the committee.
    NotInCommittee,
    /// The payload names another sender than the authenticated peer.
    Impersonation,
    /// A signature in the message is not by the operator that it names.
    BadSignature,
    /// Two different signed messages where only one may exist.
    Equivocation,
    /// A dealing breaks the rules that every receiver can check alone.
    InvalidDealing,
    /// A complaint or proof in the message does not hold.
    FalseEvidence,
    /// Fewer distinct signatures than the threshold support what the message claims.
    NotEnoughSupport,
    /// A value outside of the protocol's bounds.
    OutOfBounds,
    /// A proposal for a round that another operator leads.
    NotLeader,
}

impl fmt::Display for FaultReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the message is malformed",
            Self::NotInCommittee => "the sender is not a member of the committee",
            Self::Impersonation => "the payload names another sender than the authenticated peer",
            Self::BadSignature => "a signature is not by the operator that it names",
            Self::Equivocation => "the operator signed two different messages for one place",
            Self::InvalidDealing => "the dealing breaks the rules of the protocol",
            Self::FalseEvidence => "a complaint or proof does not hold",
            Self::NotEnoughSupport => "too few distinct signatures support the claim",
            Self::OutOfBounds => "a value is outside of the protocol's bounds",
            Self::NotLeader => "the operator proposed in a round that another one leads",
        })
    }
}
