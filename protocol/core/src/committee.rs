//! The operators of a validator, and the share index that each of them has.

use cluster_crypto::{identity, ShareIndex, Threshold};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Operators of the largest committee.
pub const MAX_SIZE: usize = 13;

/// The registry's number of an operator. Not a share index: see [`Committee::index_of`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperatorId(pub u32);

impl fmt::Display for OperatorId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl std::str::FromStr for OperatorId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(OperatorId)
    }
}

/// Why a list of operators is not a committee.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitteeError {
    /// Not 3f+1 with f from 1 to 4.
    #[error("a committee has 4, 7, 10 or 13 operators, this list has {n}")]
    WrongSize {
        /// Operators listed.
        n: usize,
    },
    /// The same operator twice.
    #[error("operator {id} is listed twice")]
    Duplicate {
        /// The operator.
        id: OperatorId,
    },
    /// Not ascending by operator id.
    #[error("operator {id} stands after a higher id; list operators in ascending order")]
    Unsorted {
        /// The first operator out of order.
        id: OperatorId,
    },
    /// Two operators with one key could use each other's shares.
    #[error("operators {first} and {second} have the same public key")]
    SameKey {
        /// The lower id.
        first: OperatorId,
        /// The higher id.
        second: OperatorId,
    },
}

/// `n` in {4, 7, 10, 13} operators in ascending order of their ids, with distinct identity keys.
/// The share index of an operator is its 1-based position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committee {
    members: Vec<(OperatorId, identity::PublicKey)>,
    threshold: Threshold,
}

impl Committee {
    /// Checks size, order and distinctness.
    pub fn new(members: Vec<(OperatorId, identity::PublicKey)>) -> Result<Self, CommitteeError> {
        let ids: Vec<OperatorId> = members.iter().map(|(id, _)| *id).collect();
        let threshold = check_ids(&ids)?;
        for (at, (second, key)) in members.iter().enumerate() {
            if let Some((first, _)) = members[..at].iter().find(|(_, other)| other == key) {
                return Err(CommitteeError::SameKey { first: *first, second: *second });
            }
        }
        Ok(Committee { members, threshold })
    }

    /// n, t and f.
    pub fn threshold(&self) -> Threshold {
        self.threshold
    }

    /// The x coordinate of an operator's shares; `None` for a stranger.
    pub fn index_of(&self, id: OperatorId) -> Option<ShareIndex> {
        let position = self.position(id)?;
        ShareIndex::new(u8::try_from(position + 1).ok()?)
    }

    /// The operator that holds the shares at `index`.
    pub fn id_at(&self, index: ShareIndex) -> Option<OperatorId> {
        self.members.get(usize::from(index.get()) - 1).map(|(id, _)| *id)
    }

    /// The registered identity key of a member.
    pub fn public_key(&self, id: OperatorId) -> Option<identity::PublicKey> {
        self.position(id).map(|at| self.members[at].1)
    }

    /// The ids in ascending order, that is, in the order of share indices.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = OperatorId> + Clone + '_ {
        self.members.iter().map(|(id, _)| *id)
    }

    /// Ids and keys, in the order of share indices.
    pub fn members(&self) -> &[(OperatorId, identity::PublicKey)] {
        &self.members
    }

    /// Whether the operator is a member.
    pub fn contains(&self, id: OperatorId) -> bool {
        self.position(id).is_some()
    }

    fn position(&self, id: OperatorId) -> Option<usize> {
        self.members.binary_search_by_key(&id, |(member, _)| *member).ok()
    }
}

/// Checks the ids alone: size first, then order and duplicates.
pub fn check_ids(ids: &[OperatorId]) -> Result<Threshold, CommitteeError> {
    let threshold = Threshold::for_operators(ids.len()).map_err(|_| CommitteeError::WrongSize { n: ids.len() })?;
    // A duplicate that is not adjacent is named as a duplicate, not as bad order.
    for (at, id) in ids.iter().enumerate() {
        if ids[..at].contains(id) {
            return Err(CommitteeError::Duplicate { id: *id });
        }
    }
    match ids.windows(2).find(|pair| pair[0] > pair[1]) {
        Some(pair) => Err(CommitteeError::Unsorted { id: pair[1] }),
        None => Ok(threshold),
    }
}
