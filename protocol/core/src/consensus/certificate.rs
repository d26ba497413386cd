//! Quorums of equal votes that anyone can check.

use std::collections::BTreeSet;

use cluster_crypto::identity;
use serde::{Deserialize, Serialize};

use super::{message::Statement, Digest, Vote, MAX_ROUND};
use crate::{
    committee::{Committee, OperatorId},
    duty::InstanceId,
    verdict::FaultReason,
};

/// Why signatures are not a quorum's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Fewer than 2f+1 signatures, or more than there are operators.
    #[error("the certificate has {found} signatures, and needs {needed} to {n}")]
    Count {
        /// Signatures given.
        found: usize,
        /// Size of a quorum.
        needed: usize,
        /// Operators in the committee.
        n: usize,
    },
    /// A signer is not a member of the committee.
    #[error("operator {operator} is not in the committee")]
    Stranger {
        /// Who.
        operator: OperatorId,
    },
    /// A signer is counted twice.
    #[error("operator {operator} is counted twice")]
    Twice {
        /// Who.
        operator: OperatorId,
    },
    /// The round is zero or beyond the last.
    #[error("there is no round {round}")]
    Round {
        /// The round given.
        round: u32,
    },
    /// A signature is not by the operator that it stands for.
    #[error("the signature of operator {operator} does not match")]
    Signature {
        /// Who.
        operator: OperatorId,
    },
}

impl CertificateError {
    /// What to hold against the peer that sent it.
    #[must_use]
    pub const fn fault(self) -> FaultReason {
        match self {
            Self::Count { .. } | Self::Twice { .. } => FaultReason::NotEnoughSupport,
            Self::Stranger { .. } => FaultReason::NotInCommittee,
            Self::Round { .. } => FaultReason::OutOfBounds,
            Self::Signature { .. } => FaultReason::BadSignature,
        }
    }
}

/// The commits of a quorum: proof that the instance is decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The round of the commits.
    pub round: u32,
    /// What is decided.
    pub digest: Digest,
    /// Distinct members of the committee with their signatures.
    pub commits: Vec<(OperatorId, identity::Signature)>,
}

/// The prepares of a quorum: no other digest was prepared in this round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepared {
    /// The round of the prepares.
    pub round: u32,
    /// What was prepared.
    pub digest: Digest,
    /// Distinct members of the committee with their signatures.
    pub prepares: Vec<(OperatorId, identity::Signature)>,
}

impl Certificate {
    /// Checks the certificate by itself.
    ///
    /// # Errors
    /// It does not prove that the committee decided this digest in this instance.
    pub fn verify(&self, committee: &Committee, instance: &InstanceId) -> Result<(), CertificateError> {
        check_shape(self.round, &self.commits, committee)?;
        verify_all(self.votes(), committee, instance)
    }

    /// The votes of which the certificate is made.
    pub(super) fn votes(&self) -> impl Iterator<Item = Vote> + '_ {
        let (round, statement) = (self.round, Statement::Commit(self.digest));
        self.commits.iter().map(move |(from, signature)| Vote { from: *from, round, statement, signature: *signature })
    }
}

impl Prepared {
    /// Checks the certificate by itself.
    ///
    /// # Errors
    /// It does not prove that a quorum prepared this digest in this round.
    pub fn verify(&self, committee: &Committee, instance: &InstanceId) -> Result<(), CertificateError> {
        check_shape(self.round, &self.prepares, committee)?;
        verify_all(self.votes(), committee, instance)
    }

    /// The votes of which the certificate is made.
    pub(super) fn votes(&self) -> impl Iterator<Item = Vote> + '_ {
        let (round, statement) = (self.round, Statement::Prepare(self.digest));
        self.prepares.iter().map(move |(from, signature)| Vote { from: *from, round, statement, signature: *signature })
    }
}

/// CONSENSUS 9.1: bounds, membership and distinctness, before any signature is checked.
pub(super) fn check_shape<T>(
    round: u32,
    signers: &[(OperatorId, T)],
    committee: &Committee,
) -> Result<(), CertificateError> {
    check_quorum(signers.iter().map(|(operator, _)| *operator), committee)?;
    if round == 0 || round > MAX_ROUND {
        return Err(CertificateError::Round { round });
    }
    Ok(())
}

/// At least 2f+1 distinct members.
pub(super) fn check_quorum(
    signers: impl ExactSizeIterator<Item = OperatorId>,
    committee: &Committee,
) -> Result<(), CertificateError> {
    let (found, needed, n) = (signers.len(), committee.threshold().t(), committee.threshold().n());
    if found < needed || found > n {
        return Err(CertificateError::Count { found, needed, n });
    }
    let mut seen = BTreeSet::new();
    for operator in signers {
        if !committee.contains(operator) {
            return Err(CertificateError::Stranger { operator });
        }
        if !seen.insert(operator) {
            return Err(CertificateError::Twice { operator });
        }
    }
    Ok(())
}

fn verify_all(
    mut votes: impl Iterator<Item = Vote>,
    committee: &Committee,
    instance: &InstanceId,
) -> Result<(), CertificateError> {
    match votes.find(|vote| !vote.is_authentic(committee, instance)) {
        Some(vote) => Err(CertificateError::Signature { operator: vote.from }),
        None => Ok(()),
    }
}
