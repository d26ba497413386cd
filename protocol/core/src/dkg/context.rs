//! What all parts of a ceremony refer to: the checked request and what follows from it.

use cluster_crypto::{ShareIndex, Threshold};

use crate::{
    ceremony::CeremonyId,
    committee::{Committee, OperatorId},
    request::CheckedRequest,
};

/// The fixed facts of one ceremony.
#[derive(Clone, Debug)]
pub struct Context {
    request: CheckedRequest,
    threshold: Threshold,
}

impl Context {
    /// The context of the ceremony that `request` asks for.
    #[must_use]
    pub fn new(request: CheckedRequest) -> Self {
        let threshold = request.committee().threshold();
        Self { request, threshold }
    }

    /// The owner's request.
    #[must_use]
    pub fn request(&self) -> &CheckedRequest {
        &self.request
    }

    /// Names the ceremony.
    #[must_use]
    pub fn ceremony_id(&self) -> CeremonyId {
        self.request.ceremony_id()
    }

    /// The chain that the request is for.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.request.request().chain_id
    }

    /// The operators, sorted by id.
    #[must_use]
    pub fn committee(&self) -> &Committee {
        self.request.committee()
    }

    /// Sizes of committee and quorum.
    #[must_use]
    pub fn threshold(&self) -> Threshold {
        self.threshold
    }

    /// Number of operators.
    #[must_use]
    pub fn n(&self) -> usize {
        self.threshold.n()
    }

    /// Size of a quorum, and number of shares that sign.
    #[must_use]
    pub fn t(&self) -> usize {
        self.threshold.t()
    }

    /// Number of validators.
    #[must_use]
    pub fn k(&self) -> usize {
        self.request.request().validator_count as usize
    }

    /// Share index of a member of the committee.
    #[must_use]
    pub fn index_of(&self, operator: OperatorId) -> Option<ShareIndex> {
        self.committee().index_of(operator)
    }

    /// The bit of an operator in the masks of an inventory; zero for strangers.
    #[must_use]
    pub fn bit(&self, operator: OperatorId) -> u16 {
        self.index_of(operator).map_or(0, |index| 1 << (index.get() - 1))
    }
}
