//! What the calls of the hub take and give, and why they fail.

use std::fmt;
use std::sync::Arc;

use cluster_core::beacon::Slot;
use cluster_core::committee::OperatorId;
use cluster_core::consensus::Evidence;
use cluster_core::duty::{InstanceId, SigningId};
use cluster_core::machine::Time;
use cluster_crypto::bls;
use futures::future::BoxFuture;

use crate::metrics::{FaultLabel, Metrics, PeerLabel};

/// Judges a value: nothing, or in words why this operator would not sign for it. May wait for what it needs to know.
pub type Judge = Arc<dyn Fn(Arc<[u8]>) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// The times of one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// When round 1 begins, the same for all operators.
    pub start: Time,
    /// Length of the first rounds in milliseconds.
    pub round_ms: u64,
    /// When a decision is of no use any more.
    pub give_up: Time,
}

/// What a committee agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// The value.
    pub value: Arc<[u8]>,
    /// The round of the deciding votes.
    pub round: u32,
    /// When this operator knew.
    pub decided_at: Time,
}

/// Why there is no agreement here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgreeError {
    /// Time was up.
    #[error("{instance} was not decided in time; it ended in round {round}, {}{}", Heard(.heard), Because(.objection))]
    NoQuorum {
        /// The instance.
        instance: InstanceId,
        /// Whose messages arrived and were right.
        heard: Vec<OperatorId>,
        /// The round in which it ended.
        round: u32,
        /// Why this operator did not vote for the last value that it judged.
        objection: Option<String>,
    },
    /// A second call for one instance.
    #[error("{instance} was started before")]
    Twice {
        /// The instance.
        instance: InstanceId,
    },
    /// The clock is behind what this operator has voted in and forgotten.
    #[error("{instance} may not be voted in: votes of slots before {floor} were made and are forgotten; the clock of this machine was set back, or still is")]
    Forgotten {
        /// The instance.
        instance: InstanceId,
        /// The first slot that may be voted in.
        floor: Slot,
    },
    /// The slot has passed, or is far ahead.
    #[error("{instance} cannot be started in slot {now}")]
    WrongTime {
        /// The instance.
        instance: InstanceId,
        /// The slot at this time.
        now: Slot,
    },
    /// [`super::Hub::set_slots`] and [`super::Hub::add_committee`] come first.
    #[error("{what} is not known yet")]
    NotReady {
        /// What is missing.
        what: &'static str,
    },
    /// Votes that cannot be kept must not be sent.
    #[error("the votes of {instance} cannot be kept: {reason}")]
    Votes {
        /// The instance.
        instance: InstanceId,
        /// The words of the database.
        reason: String,
    },
    /// The hub is stopping, or an internal failure was contained.
    #[error("{instance} was ended before it was decided")]
    Ended {
        /// The instance.
        instance: InstanceId,
    },
}

struct Heard<'a>(&'a [OperatorId]);

impl fmt::Display for Heard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("no other operator was heard"),
            [one] => write!(f, "only operator {one} was heard"),
            [rest @ .., last] => {
                let rest: Vec<String> = rest.iter().map(ToString::to_string).collect();
                write!(f, "operators {} and {last} were heard", rest.join(", "))
            }
        }
    }
}

struct Because<'a>(&'a Option<String>);

impl fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(reason) => write!(f, "; this operator objected: {reason}"),
            None => Ok(()),
        }
    }
}

/// What an exchange came to.
#[derive(Clone, Debug, Default)]
pub struct Signed {
    /// The signatures, in the order of the items.
    pub signatures: Vec<Option<bls::Signature>>,
    /// Whose partials arrived, and when; this operator included.
    pub participants: Vec<(OperatorId, Time)>,
    /// Whose partials were wrong.
    pub bad: Vec<OperatorId>,
    /// Why the exchange did not even start, in words.
    pub failure: Option<String>,
}

/// What becomes of a message of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It is in memory, and will be judged.
    Accepted,
    /// There is no place now.
    Busy,
    /// It is of no use here, and will not be.
    Refused(&'static str),
}

fn seconds(at: Time) -> i64 {
    i64::try_from(at.seconds()).unwrap_or(i64::MAX)
}

/// Is told of what should be counted or kept.
pub trait Observer: Send + Sync + 'static {
    /// A message of an operator that no honest one sends.
    fn fault(&self, from: OperatorId, reason: &str);

    /// Proof that an operator voted twice in one place.
    fn evidence(&self, evidence: &Evidence);

    /// A member of a committee will be heard from now on.
    fn expected(&self, _operator: OperatorId, _at: Time) {}

    /// A message about a duty of these slots came from an operator.
    fn heard(&self, _from: OperatorId, _at: Time) {}

    /// Whose partials came in the whole time of an exchange that is over, each with the milliseconds after the start of its
    /// slot: also those that were not needed any more.
    fn attended(&self, _exchange: &SigningId, _participants: Vec<(OperatorId, u32)>) {}
}

impl Observer for Metrics {
    fn fault(&self, from: OperatorId, reason: &str) {
        let label = FaultLabel { operator_id: from.0, reason: reason.to_owned() };
        self.peer_faults.get_or_create(&label).inc();
    }

    fn evidence(&self, evidence: &Evidence) {
        let operator = evidence.operator();
        tracing::warn!(operator_id = operator.0, instance = %evidence.instance, "operator {operator} voted twice in one round");
    }

    fn expected(&self, operator: OperatorId, at: Time) {
        let heard = self.operator_heard.get_or_create(&PeerLabel { operator_id: operator.0 });
        if heard.get() == 0 {
            heard.set(seconds(at));
        }
    }

    fn heard(&self, from: OperatorId, at: Time) {
        self.operator_heard.get_or_create(&PeerLabel { operator_id: from.0 }).set(seconds(at));
    }
}
