//! Votes, proposals and what else operators of one instance send each other.

use std::sync::Arc;

use cluster_crypto::{hash::TaggedHash, identity};
use serde::{Deserialize, Serialize};

use super::{number, Certificate, Digest, Prepared};
use crate::{
    committee::{Committee, OperatorId},
    duty::InstanceId,
    encoding,
};

/// A message on the wire between two members of a committee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// The leader's proposal for a round.
    Propose(Proposal),
    /// A prepare or commit vote.
    Vote(Vote),
    /// The sender has entered a round.
    RoundChange {
        /// The signed statement.
        vote: Vote,
        /// The prepare quorum that the statement claims, if it claims one.
        certificate: Option<Arc<Prepared>>,
    },
    /// The instance is decided.
    Decided(Arc<Certificate>),
    /// The sender needs the value with this digest.
    Want(Digest),
    /// The answer to [`Message::Want`].
    Value {
        /// Which value.
        digest: Digest,
        /// Its bytes.
        #[serde(with = "shared_bytes")]
        value: Arc<[u8]>,
    },
    /// The sender may have missed messages: asks for the decision, or for the receiver's votes.
    Query,
}

impl Message {
    /// The wire bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encoding::encode(self)
    }

    /// Reads a message of at most `limit` bytes.
    ///
    /// # Errors
    /// The bytes are too many, too few or not a message.
    pub fn decode(bytes: &[u8], limit: usize) -> Result<Self, encoding::DecodeError> {
        encoding::decode(bytes, limit)
    }

    /// The bytes of the value that the message carries; zero for most messages.
    #[must_use]
    pub fn value_bytes(&self) -> usize {
        match self {
            Self::Propose(proposal) => proposal.value.as_ref().map_or(0, |value| value.len()),
            Self::Value { value, .. } => value.len(),
            _ => 0,
        }
    }
}

/// A proposal: the leader's vote for a digest, why it may propose it, and the value itself unless others hold it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Signed by the leader; a [`Statement::Propose`].
    pub vote: Vote,
    /// Empty in round 1.
    pub justification: Justification,
    /// The value; `None` when the digest was prepared before, or when the proposal is repeated.
    #[serde(with = "optional_bytes")]
    pub value: Option<Arc<[u8]>>,
}

/// Why a proposal of a round after the first is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Justification {
    /// Round changes to the round of the proposal, of a quorum of distinct operators.
    pub round_changes: Vec<Vote>,
    /// The prepare quorum of the highest round that any of them claims.
    pub prepared: Option<Arc<Prepared>>,
}

/// A claim of a prepare quorum in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Claim {
    /// The round of the prepares.
    pub round: u32,
    /// What was prepared.
    pub digest: Digest,
}

/// What a vote says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Statement {
    /// The leader proposes.
    Propose(Digest),
    /// The proposal is acceptable.
    Prepare(Digest),
    /// A quorum prepared.
    Commit(Digest),
    /// The operator has entered the round, with the highest prepare quorum of earlier rounds that it knows.
    RoundChange(Option<Claim>),
}

/// The kinds of statements: an honest operator makes one of each in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VoteKind {
    /// [`Statement::Propose`]
    Propose,
    /// [`Statement::Prepare`]
    Prepare,
    /// [`Statement::Commit`]
    Commit,
    /// [`Statement::RoundChange`]
    RoundChange,
}

impl Statement {
    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> VoteKind {
        match self {
            Self::Propose(_) => VoteKind::Propose,
            Self::Prepare(_) => VoteKind::Prepare,
            Self::Commit(_) => VoteKind::Commit,
            Self::RoundChange(_) => VoteKind::RoundChange,
        }
    }

    /// The digest that the statement is for, or claims.
    #[must_use]
    pub const fn digest(&self) -> Option<Digest> {
        match self {
            Self::Propose(digest) | Self::Prepare(digest) | Self::Commit(digest) => Some(*digest),
            Self::RoundChange(Some(claim)) => Some(claim.digest),
            Self::RoundChange(None) => None,
        }
    }

    /// The prepare quorum that a round change claims.
    #[must_use]
    pub const fn claim(&self) -> Option<Claim> {
        match self {
            Self::RoundChange(claim) => *claim,
            _ => None,
        }
    }
}

/// A signed statement of one operator about one round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Who says it.
    pub from: OperatorId,
    /// About which round, from 1.
    pub round: u32,
    /// What.
    pub statement: Statement,
    /// Over [`Vote::signing_digest`].
    pub signature: identity::Signature,
}

impl Vote {
    /// Signs a statement.
    #[must_use]
    pub fn sign(
        instance: &InstanceId,
        key: &identity::SecretKey,
        from: OperatorId,
        round: u32,
        statement: Statement,
    ) -> Self {
        let signature = key.sign(&Self::signing_digest(instance, from, round, &statement));
        Self { from, round, statement, signature }
    }

    /// CONSENSUS 0.2: binds version, committee (and by its id the chain), slot, kind of instance, kind of vote, round, sender
    /// and content.
    #[must_use]
    pub fn signing_digest(instance: &InstanceId, from: OperatorId, round: u32, statement: &Statement) -> [u8; 32] {
        let (kind, claimed) = match statement {
            Statement::Propose(_) => (1, 0),
            Statement::Prepare(_) => (2, 0),
            Statement::Commit(_) => (3, 0),
            // Rounds count from 1, so that no claim is told from every claim.
            Statement::RoundChange(claim) => (4, claim.map_or(0, |claim| claim.round)),
        };
        TaggedHash::new("cluster-node/consensus/vote/1")
            .bytes(&instance.committee.0)
            .u64(instance.slot.0)
            .u64(number(instance.kind))
            .u64(kind)
            .u64(u64::from(round))
            .u64(u64::from(from.0))
            .u64(u64::from(claimed))
            .bytes(&statement.digest().unwrap_or_default())
            .finish()
    }

    /// Whether a member of the committee signed this.
    #[must_use]
    pub fn is_authentic(&self, committee: &Committee, instance: &InstanceId) -> bool {
        let digest = Self::signing_digest(instance, self.from, self.round, &self.statement);
        committee.public_key(self.from).is_some_and(|key| key.verify(&digest, &self.signature).is_ok())
    }
}

/// Values as byte strings that are shared in memory.
pub(super) mod shared_bytes {
    use std::sync::Arc;

    use serde::{Deserializer, Serializer};

    pub(in crate::consensus) fn serialize<S: Serializer>(value: &Arc<[u8]>, out: S) -> Result<S::Ok, S::Error> {
        serde_bytes::serialize(&**value, out)
    }

    pub(in crate::consensus) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Arc<[u8]>, D::Error> {
        serde_bytes::deserialize::<Vec<u8>, D>(input).map(Arc::from)
    }
}

mod optional_bytes {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Option<Arc<[u8]>>, out: S) -> Result<S::Ok, S::Error> {
        value.as_ref().map(|value| serde_bytes::Bytes::new(value)).serialize(out)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Arc<[u8]>>, D::Error> {
        let value = Option::<serde_bytes::ByteBuf>::deserialize(input)?;
        Ok(value.map(|value| Arc::from(value.into_vec())))
    }
}
