//! What the machine hands to its driver.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{message::shared_bytes, Certificate, Digest, Message, Prepared, Vote};
use crate::{
    committee::{Committee, OperatorId},
    duty::InstanceId,
    machine::Recipient,
};

/// An effect that the driver performs, strictly in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Append to the instance's journal and flush, before any [`Output::Send`] that follows.
    Persist(Record),
    /// Send to peers.
    Send {
        /// Who gets it.
        to: Recipient,
        /// What to send.
        message: Arc<Message>,
    },
    /// Would this operator sign for the value? Answered with [`super::Machine::on_judgement`].
    Judge {
        /// Names the value in the answer.
        digest: Digest,
        /// The value.
        value: Arc<[u8]>,
    },
    /// The committee decided. Comes once, and once again after a restart.
    Decided(Decision),
}

/// One entry of an instance's journal. A machine is rebuilt from all of them, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// A vote that this operator signed.
    Vote(Vote),
    /// A prepare quorum, which later round changes of this operator must claim.
    Prepared(Arc<Prepared>),
    /// A value that this operator prepared, when it is small ([`super::MAX_JOURNALLED_BYTES`]).
    Value(#[serde(with = "shared_bytes")] Arc<[u8]>),
    /// The decision.
    Decided(Arc<Certificate>),
}

/// What the committee decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The value.
    pub value: Arc<[u8]>,
    /// Its digest.
    pub digest: Digest,
    /// The round of the deciding commits.
    pub round: u32,
    /// The commits of a quorum.
    pub certificate: Arc<Certificate>,
}

/// CONSENSUS 9.3: two different votes of one kind for one round, both signed: nobody honest makes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// In which instance.
    pub instance: InstanceId,
    /// The vote that came first.
    pub first: Vote,
    /// The other one.
    pub second: Vote,
}

impl Evidence {
    /// Who made both votes.
    #[must_use]
    pub const fn operator(&self) -> OperatorId {
        self.first.from
    }

    /// Whether the evidence holds.
    #[must_use]
    pub fn holds(&self, committee: &Committee) -> bool {
        let (first, second) = (&self.first, &self.second);
        let same_place = first.from == second.from
            && first.round == second.round
            && first.statement.kind() == second.statement.kind();
        same_place
            && first.statement != second.statement
            && [first, second].iter().all(|vote| vote.is_authentic(committee, &self.instance))
    }
}
