//! What the machine hands to its driver: messages, journal records, results.

use std::sync::Arc;

use cluster_crypto::{bls, polynomial::SecretVector, SecretSeed, ShareIndex};
use serde::{Deserialize, Serialize};

use super::{
    evidence::Culprit,
    message::{Message, Qualified},
    Step,
};
use crate::{
    ceremony::CeremonyId,
    certificate::{Certificate, Contribution, Readiness},
    committee::OperatorId,
    machine::{Recipient, Time},
    request::SignedRequest,
};

/// An effect that the driver performs, strictly in the order given.
#[derive(Debug)]
pub enum Output {
    /// Append to the ceremony's journal and flush, before anything that follows.
    Persist(Record),
    /// Send to peers, again and again until they take it or the ceremony ends.
    Send {
        /// Who gets it.
        to: Recipient,
        /// What to send.
        message: Arc<Message>,
    },
    /// The ceremony has keys and a certificate. Comes again when more operators have attested.
    Done(Outcome),
    /// The ceremony ended without keys.
    Abort(AbortReport),
}

/// One entry of a ceremony's journal. A machine is rebuilt by going through them in order.
#[derive(Debug)]
pub enum Record {
    /// The first entry. `seed` and `inherited` are secret: the store seals them.
    Started {
        /// The owner's request.
        request: SignedRequest,
        /// When the machine was started.
        now: Time,
        /// From which all of this operator's randomness in the ceremony follows.
        seed: SecretSeed,
        /// In a reshare, the K shares that this operator deals; none when it only receives.
        inherited: Option<SecretVector>,
    },
    /// A message that changed the machine.
    Received {
        /// When.
        now: Time,
        /// The authenticated peer.
        from: OperatorId,
        /// The encoded [`Message`].
        bytes: Vec<u8>,
    },
    /// A deadline that changed the machine.
    Deadline {
        /// When.
        now: Time,
    },
    /// This operator's shares of the validator keys. Secret: the store seals them.
    Shares(StoredShares),
}

/// This operator's shares of the K validator keys of a ceremony.
#[derive(Debug)]
pub struct StoredShares {
    /// The ceremony that made them.
    pub ceremony_id: CeremonyId,
    /// Whose shares they are.
    pub operator_id: OperatorId,
    /// The x coordinate of the shares.
    pub share_index: ShareIndex,
    /// The validators, in the order of the shares.
    pub validators: Vec<bls::PublicKey>,
    /// The public keys of the shares, in the same order.
    pub share_pubkeys: Vec<bls::PublicKey>,
    /// The shares.
    pub shares: SecretVector,
    /// The dealings that they come from.
    pub qualified: Qualified,
}

/// How a ceremony succeeded.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// This operator's own part, for gateways.
    pub contribution: Contribution,
    /// What all operators attested so far.
    pub certificate: Certificate,
    /// Whether all have.
    pub readiness: Readiness,
    /// Operators that misbehaved or were missing, in order of their ids.
    pub culprits: Vec<Culprit>,
}

/// How a ceremony failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AbortReport {
    /// The ceremony.
    pub ceremony_id: CeremonyId,
    /// Where it ended.
    pub step: Step,
    /// Who is to blame; empty when nobody can be named.
    pub culprits: Vec<Culprit>,
    /// One plain sentence.
    pub reason: String,
}

/// How long a machine waits before it goes on without an answer. Only faults make these times pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// Longest wait for operators that are behind in a step, in milliseconds.
    pub step_ms: u64,
    /// Until missing messages are asked for, in milliseconds; doubles up to eight times this while nothing comes.
    pub retry_ms: u64,
    /// Shortest time between two answers to the same operator's question, in milliseconds.
    pub answer_ms: u64,
    /// Longest duration until a quorum has decided and signed, in milliseconds; then the ceremony aborts.
    pub ceremony_ms: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self { step_ms: 10_000, retry_ms: 500, answer_ms: 200, ceremony_ms: 180_000 }
    }
}
