//! A beacon node that answers some questions otherwise, and is the one behind it in everything else.

use std::sync::Arc;

use async_trait::async_trait;
use cluster_core::beacon::{
    AggregateAndProof, Attestation, AttestationData, ChainSpec, ContributionAndProof, Epoch, Fork, Proposal, Root,
    Signed, SingleAttestation, Slot, SyncCommitteeContribution, SyncCommitteeMessage, ValidatorIndex,
    ValidatorRegistration, VoluntaryExit,
};
use cluster_crypto::ethereum::Address;
use cluster_node::beacon::{
    AttesterDuty, Beacon, BeaconError, BeaconEvent, CommitteeSubscription, Dependent, NodeHealth, ProposerDuty,
    SyncDuty, SyncSubscription, ValidatorStatus,
};
use tokio::sync::broadcast;

/// What is answered otherwise.
pub(super) struct Altered {
    pub(super) inner: Arc<dyn Beacon>,
    /// Changes blocks.
    pub(super) block: Option<fn(Proposal, cluster_core::beacon::Preset) -> Proposal>,
    /// Changes what is attested.
    pub(super) attestation: Option<fn(AttestationData) -> AttestationData>,
}

#[async_trait]
impl Beacon for Altered {
    async fn attestation_data(&self, slot: Slot) -> Result<AttestationData, BeaconError> {
        let data = self.inner.attestation_data(slot).await?;
        Ok(self.attestation.map_or(data, |alter| alter(data)))
    }

    async fn produce_block(
        &self,
        slot: Slot,
        randao_reveal: &[u8; 96],
        graffiti: [u8; 32],
        builder_boost_factor: u64,
    ) -> Result<Proposal, BeaconError> {
        let proposal = self.inner.produce_block(slot, randao_reveal, graffiti, builder_boost_factor).await?;
        let preset = self.inner.spec().await?.preset;
        Ok(match self.block {
            Some(alter) => alter(proposal, preset),
            None => proposal,
        })
    }

    async fn spec(&self) -> Result<Arc<ChainSpec>, BeaconError> {
        self.inner.spec().await
    }

    async fn validators(&self, ids: &[[u8; 48]]) -> Result<Vec<ValidatorStatus>, BeaconError> {
        self.inner.validators(ids).await
    }

    async fn attester_duties(
        &self,
        epoch: Epoch,
        indices: &[ValidatorIndex],
    ) -> Result<Dependent<Vec<AttesterDuty>>, BeaconError> {
        self.inner.attester_duties(epoch, indices).await
    }

    async fn proposer_duties(&self, epoch: Epoch) -> Result<Dependent<Vec<ProposerDuty>>, BeaconError> {
        self.inner.proposer_duties(epoch).await
    }

    async fn sync_duties(&self, epoch: Epoch, indices: &[ValidatorIndex]) -> Result<Vec<SyncDuty>, BeaconError> {
        self.inner.sync_duties(epoch, indices).await
    }

    async fn head_root(&self) -> Result<Root, BeaconError> {
        self.inner.head_root().await
    }

    async fn aggregate(
        &self,
        fork: Fork,
        slot: Slot,
        data_root: Root,
        committee_index: u64,
    ) -> Result<Option<Attestation>, BeaconError> {
        self.inner.aggregate(fork, slot, data_root, committee_index).await
    }

    async fn contribution(
        &self,
        slot: Slot,
        subcommittee: u64,
        block_root: Root,
    ) -> Result<Option<SyncCommitteeContribution>, BeaconError> {
        self.inner.contribution(slot, subcommittee, block_root).await
    }

    async fn publish_block(&self, proposal: &Proposal, signature: &[u8; 96]) -> Result<(), BeaconError> {
        self.inner.publish_block(proposal, signature).await
    }

    async fn publish_attestations(&self, fork: Fork, items: &[SingleAttestation]) -> Result<(), BeaconError> {
        self.inner.publish_attestations(fork, items).await
    }

    async fn publish_aggregates(&self, fork: Fork, items: &[Signed<AggregateAndProof>]) -> Result<(), BeaconError> {
        self.inner.publish_aggregates(fork, items).await
    }

    async fn publish_sync_messages(&self, items: &[SyncCommitteeMessage]) -> Result<(), BeaconError> {
        self.inner.publish_sync_messages(items).await
    }

    async fn publish_contributions(&self, items: &[Signed<ContributionAndProof>]) -> Result<(), BeaconError> {
        self.inner.publish_contributions(items).await
    }

    async fn subscribe_committees(&self, items: &[CommitteeSubscription]) -> Result<(), BeaconError> {
        self.inner.subscribe_committees(items).await
    }

    async fn subscribe_sync(&self, items: &[SyncSubscription]) -> Result<(), BeaconError> {
        self.inner.subscribe_sync(items).await
    }

    async fn prepare_proposers(&self, items: &[(ValidatorIndex, Address)]) -> Result<(), BeaconError> {
        self.inner.prepare_proposers(items).await
    }

    async fn register_validators(&self, items: &[Signed<ValidatorRegistration>]) -> Result<(), BeaconError> {
        self.inner.register_validators(items).await
    }

    async fn publish_exit(&self, exit: &Signed<VoluntaryExit>) -> Result<(), BeaconError> {
        self.inner.publish_exit(exit).await
    }

    async fn liveness(
        &self,
        epoch: Epoch,
        indices: &[ValidatorIndex],
    ) -> Result<Vec<(ValidatorIndex, bool)>, BeaconError> {
        self.inner.liveness(epoch, indices).await
    }

    fn events(&self) -> broadcast::Receiver<BeaconEvent> {
        self.inner.events()
    }

    fn health(&self) -> Vec<NodeHealth> {
        self.inner.health()
    }
}
