//! What validators sign: one function per object, so that no root is ever paired with another object's domain.

use tree_hash::TreeHash;
use tree_hash_derive::TreeHash;

use super::{
    AggregateAndProof, AttestationData, BeaconBlockHeader, ChainSpec, ContributionAndProof, DomainType, Epoch, Root,
    Slot, ValidatorRegistration, VoluntaryExit,
};
use crate::deposit::signing_root;

#[derive(TreeHash)]
struct SyncAggregatorSelectionData {
    slot: Slot,
    subcommittee_index: u64,
}

/// Signing roots (`compute_signing_root`), 32 bytes.
impl ChainSpec {
    /// An attestation: the domain of its target's epoch.
    #[must_use]
    pub fn attestation(&self, data: &AttestationData) -> Root {
        signing_root(data.root(), self.domain(DomainType::BeaconAttester, data.target.epoch))
    }

    /// A block, full or blinded.
    #[must_use]
    pub fn block(&self, header: &BeaconBlockHeader) -> Root {
        signing_root(header.root(), self.domain(DomainType::BeaconProposer, self.epoch_of(header.slot)))
    }

    /// The RANDAO reveal of an epoch.
    #[must_use]
    pub fn randao(&self, epoch: Epoch) -> Root {
        signing_root(epoch.tree_hash_root().0, self.domain(DomainType::Randao, epoch))
    }

    /// The selection proof of attestation aggregators for a slot.
    #[must_use]
    pub fn selection(&self, slot: Slot) -> Root {
        signing_root(slot.tree_hash_root().0, self.domain(DomainType::SelectionProof, self.epoch_of(slot)))
    }

    /// A sync committee message: the head of the chain in a slot.
    #[must_use]
    pub fn sync_message(&self, slot: Slot, beacon_block_root: Root) -> Root {
        signing_root(beacon_block_root, self.domain(DomainType::SyncCommittee, self.epoch_of(slot)))
    }

    /// The selection proof of a subcommittee's aggregators for a slot.
    #[must_use]
    pub fn sync_selection(&self, slot: Slot, subcommittee_index: u64) -> Root {
        let data = SyncAggregatorSelectionData { slot, subcommittee_index };
        let domain = self.domain(DomainType::SyncCommitteeSelectionProof, self.epoch_of(slot));
        signing_root(data.tree_hash_root().0, domain)
    }

    /// An aggregate with its selection proof.
    #[must_use]
    pub fn aggregate_and_proof(&self, message: &AggregateAndProof) -> Root {
        let epoch = self.epoch_of(message.aggregate.data.slot);
        signing_root(message.root(self.preset), self.domain(DomainType::AggregateAndProof, epoch))
    }

    /// A sync committee contribution with its selection proof.
    #[must_use]
    pub fn contribution_and_proof(&self, message: &ContributionAndProof) -> Root {
        let epoch = self.epoch_of(message.contribution.slot);
        signing_root(message.root(self.preset), self.domain(DomainType::ContributionAndProof, epoch))
    }

    /// A registration with builders: the same on every fork of a network.
    #[must_use]
    pub fn registration(&self, registration: &ValidatorRegistration) -> Root {
        signing_root(registration.root(), self.domain(DomainType::ApplicationBuilder, Epoch(0)))
    }

    /// A voluntary exit: valid for ever (EIP-7044).
    #[must_use]
    pub fn exit(&self, exit: &VoluntaryExit) -> Root {
        signing_root(exit.root(), self.domain(DomainType::VoluntaryExit, exit.epoch))
    }
}
