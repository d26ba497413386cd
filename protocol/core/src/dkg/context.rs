//! What all parts of a ceremony refer to: the checked request and what follows from it.

use std::collections::BTreeMap;

use cluster_crypto::{ShareIndex, Threshold};

use crate::{
    ceremony::CeremonyId,
    committee::{Committee, OperatorId},
    request::{CheckedRequest, Reshare},
};

/// The fixed facts of one ceremony.
#[derive(Clone, Debug)]
pub struct Context {
    request: CheckedRequest,
    threshold: Threshold,
    previous: Option<Previous>,
}

/// DKG 11: the shares that a reshare starts from.
#[derive(Clone, Debug)]
struct Previous {
    /// Of the committee that holds them.
    threshold: Threshold,
    /// Who of the new committee holds them, and at which index.
    dealers: BTreeMap<OperatorId, ShareIndex>,
}

impl Context {
    /// The context of the ceremony that `request` asks for.
    #[must_use]
    pub fn new(request: CheckedRequest) -> Self {
        let threshold = request.committee().threshold();
        // A checked request has a committee of a right size here, too.
        let previous = request.request().reshare.as_ref().and_then(|reshare| {
            let threshold = Threshold::for_operators(reshare.operator_ids.len()).ok()?;
            Some(Previous { threshold, dealers: reshare.dealers(&request.request().operator_ids).collect() })
        });
        Self { request, threshold, previous }
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

    /// What the ceremony takes over, if it is a reshare.
    #[must_use]
    pub fn reshare(&self) -> Option<&Reshare> {
        self.request.request().reshare.as_ref()
    }

    /// DKG 11.2: whether the operator deals: everyone does, except in a reshare.
    #[must_use]
    pub fn is_dealer(&self, operator: OperatorId) -> bool {
        match &self.previous {
            None => self.committee().contains(operator),
            Some(previous) => previous.dealers.contains_key(&operator),
        }
    }

    /// Number of operators that deal.
    #[must_use]
    pub fn dealers(&self) -> usize {
        self.previous.as_ref().map_or(self.n(), |previous| previous.dealers.len())
    }

    /// DKG 11.6: dealings that make keys: a quorum, in a reshare of the committee that holds the shares.
    #[must_use]
    pub fn enough_dealings(&self) -> usize {
        self.previous.as_ref().map_or(self.t(), |previous| previous.threshold.t())
    }

    /// DKG 4.2: so many dealers that one of them is honest.
    #[must_use]
    pub fn one_honest(&self) -> usize {
        let f = self.threshold.f();
        1 + self.previous.as_ref().map_or(f, |previous| previous.threshold.f().min(f))
    }

    /// Index of the share that a dealer of a reshare starts from.
    #[must_use]
    pub fn previous_index(&self, dealer: OperatorId) -> Option<ShareIndex> {
        self.previous.as_ref()?.dealers.get(&dealer).copied()
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
