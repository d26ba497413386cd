//! Agreement of a committee on one value: QBFT as a sans-IO machine, specified step by step in `docs/spec/consensus.md`.
//!
//! One [`Machine`] is one operator in one instance ([`InstanceId`]). Of n = 3f+1 operators at most f misbehave. Votes are
//! signed and carry digests; the value travels once, from the leader to the other n-1. Round numbers follow the clock,
//! counted from [`Config::start`], so that operators need no messages to be in the same round.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `message` | votes, proposals and what else peers exchange |
//! | `certificate` | quorums of votes that anyone can check |
//! | `timetable` | when rounds begin |
//! | `output` | effects, journal records, the decision, evidence |
//! | `machine` | the machine: rounds, signing, restart |
//! | `receive` | judging messages of peers |
//! | `progress` | proposing, preparing, committing, deciding |
//! | `supply` | what makes up for lost messages: repetition, questions, answers, fetching the value |
//! | `round`, `values` | what is held, and its bounds |

#[cfg(feature = "simulation")]
pub(crate) mod adversary;
mod certificate;
mod machine;
mod message;
mod output;
mod progress;
mod receive;
mod round;
#[cfg(feature = "simulation")]
pub mod simulation;
mod supply;
mod timetable;
mod values;

use cluster_crypto::hash::TaggedHash;

pub use certificate::{Certificate, CertificateError, Prepared};
pub use machine::Machine;
pub use message::{Claim, Justification, Message, Proposal, Statement, Vote, VoteKind};
pub use output::{Decision, Evidence, Output, Record};
pub use timetable::Timetable;

use crate::{
    committee::{Committee, OperatorId},
    duty::{InstanceId, InstanceKind},
    machine::Time,
};

/// Largest value, in bytes: a block with all its blobs.
pub const MAX_VALUE_BYTES: usize = 8 << 20;
/// Largest message: a value and the justification of its proposal. The limit for [`Message::decode`].
pub const MAX_MESSAGE_BYTES: usize = MAX_VALUE_BYTES + (16 << 10);
/// Largest value that the journal keeps, in bytes. A larger one is fetched from the others after a restart.
pub const MAX_JOURNALLED_BYTES: usize = 256 << 10;
/// The last round. Messages that name a later one are faults.
pub const MAX_ROUND: u32 = 1 << 16;

/// The tagged SHA-256 of a value.
pub type Digest = [u8; 32];

/// What one instance needs to know besides its committee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Which instance.
    pub instance: InstanceId,
    /// When round 1 begins, the same for all operators: a time in the slot.
    pub start: Time,
    /// Length of the first f+1 rounds in milliseconds; later rounds are up to eight times as long ([`Timetable`]).
    pub round_ms: u64,
}

/// CONSENSUS 1.1: the leader of a round (from 1). Leaders rotate by slot and round; the three instances of a slot have
/// different leaders.
#[must_use]
pub fn leader(committee: &Committee, instance: &InstanceId, round: u32) -> OperatorId {
    let members = committee.members();
    // A committee has at least four members; the remainder is below their number.
    let n = members.len() as u64;
    let turn = instance.slot.0 % n + u64::from(round) % n + n - 1 + number(instance.kind);
    members[(turn % n) as usize].0
}

/// CONSENSUS 0.3: the digest that votes carry.
#[must_use]
pub fn digest(value: &[u8]) -> Digest {
    TaggedHash::new("cluster-node/consensus/value/1").bytes(value).finish()
}

/// The number of a kind of instance, in signatures and in the rotation of leaders.
const fn number(kind: InstanceKind) -> u64 {
    match kind {
        InstanceKind::Attestation => 0,
        InstanceKind::Aggregation => 1,
        InstanceKind::Proposal => 2,
    }
}
