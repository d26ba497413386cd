//! Beacon nodes: what duties need of the chain, and how it is asked for.
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`Beacon`] | everything that duties ask and tell; the engine knows nothing else of beacon nodes |
//! | [`BeaconNodes`] | the same over HTTP, for one or more beacon nodes |
//! | `types`, `error` | answers in plain types; what went wrong, in words |
//! | `nodes` | who is asked, and who next when a node fails or hesitates; `publish` tells every node |
//! | `health`, `chain` | states of nodes; which chain they are on |
//! | `events` | server-sent events of all nodes, merged |
//! | `node`, `limits` | one node: every call is bounded in time and bytes, by one table |
//! | `api`, `answers` | endpoints, and what is checked of their answers |
//!
//! Source: the Beacon API (ethereum/beacon-APIs) with the containers of Electra and Fulu.

mod answers;
mod api;
mod chain;
mod error;
mod events;
mod health;
mod limits;
pub(crate) mod metrics;
mod node;
mod nodes;
mod publish;
mod types;

use std::sync::Arc;

use async_trait::async_trait;
use cluster_core::beacon::{
    AggregateAndProof, Attestation, AttestationData, ChainSpec, ContributionAndProof, Epoch, Fork, Proposal, Root,
    Signed, SingleAttestation, Slot, SyncCommitteeContribution, SyncCommitteeMessage, ValidatorIndex,
    ValidatorRegistration, VoluntaryExit,
};
use cluster_crypto::ethereum::Address;
use tokio::sync::broadcast;

pub use error::{BeaconError, ItemFailure};
pub use metrics::{EndpointLabel, NodeLabel, StateLabel};
pub use nodes::BeaconNodes;
pub use types::{
    AttesterDuty, BeaconEvent, CommitteeSubscription, Dependent, HeadEvent, NodeHealth, NodeState, ProposerDuty,
    SyncDuty, SyncSubscription, ValidatorState, ValidatorStatus,
};

/// The chain as validators need it. Implemented over HTTP for one or more beacon nodes, and by simulated chains in tests.
///
/// Questions go to the best node and, when it fails or hesitates, to the next one within the same call. Messages go to every
/// node; a call succeeds when one has taken everything, and a message that is already known counts as taken.
#[async_trait]
pub trait Beacon: Send + Sync + 'static {
    /// The constants of the chain. Waits until a beacon node has answered; afterwards it returns at once.
    async fn spec(&self) -> Result<Arc<ChainSpec>, BeaconError>;

    /// Validators of the head state by public key, any number; unknown ones are left out.
    async fn validators(&self, ids: &[[u8; 48]]) -> Result<Vec<ValidatorStatus>, BeaconError>;

    /// When and in which committee validators attest in an epoch: the current or the next one.
    async fn attester_duties(
        &self,
        epoch: Epoch,
        indices: &[ValidatorIndex],
    ) -> Result<Dependent<Vec<AttesterDuty>>, BeaconError>;

    /// All proposers of an epoch: the current or the next one.
    async fn proposer_duties(&self, epoch: Epoch) -> Result<Dependent<Vec<ProposerDuty>>, BeaconError>;

    /// Which of the validators are in the sync committee of an epoch, of this or the next period.
    async fn sync_duties(&self, epoch: Epoch, indices: &[ValidatorIndex]) -> Result<Vec<SyncDuty>, BeaconError>;

    /// What to attest in a slot that has begun; the answer's slot is the one asked for.
    async fn attestation_data(&self, slot: Slot) -> Result<AttestationData, BeaconError>;

    /// Root of the head block, for sync committee messages of a slot without an attestation.
    async fn head_root(&self) -> Result<Root, BeaconError>;

    /// The best aggregate of a committee for the given attestation data; none when no node has one.
    async fn aggregate(
        &self,
        fork: Fork,
        slot: Slot,
        data_root: Root,
        committee_index: u64,
    ) -> Result<Option<Attestation>, BeaconError>;

    /// The best contribution of a sync subcommittee; none when no node has one.
    async fn contribution(
        &self,
        slot: Slot,
        subcommittee: u64,
        block_root: Root,
    ) -> Result<Option<SyncCommitteeContribution>, BeaconError>;

    /// A block to sign (`produceBlockV3`), full or blinded. `builder_boost_factor` is the percentage by which a builder's bid is
    /// weighed against the local payload: 0 never takes the builder's, 100 the one that pays more.
    async fn produce_block(
        &self,
        slot: Slot,
        randao_reveal: &[u8; 96],
        graffiti: [u8; 32],
        builder_boost_factor: u64,
    ) -> Result<Proposal, BeaconError>;

    /// Publishes a signed block. A node that knows the block already has taken it, which is looked up and not believed.
    async fn publish_block(&self, proposal: &Proposal, signature: &[u8; 96]) -> Result<(), BeaconError>;

    /// Publishes attestations of one slot.
    async fn publish_attestations(&self, fork: Fork, items: &[SingleAttestation]) -> Result<(), BeaconError>;

    /// Publishes aggregates of one slot.
    async fn publish_aggregates(&self, fork: Fork, items: &[Signed<AggregateAndProof>]) -> Result<(), BeaconError>;

    /// Publishes sync committee messages.
    async fn publish_sync_messages(&self, items: &[SyncCommitteeMessage]) -> Result<(), BeaconError>;

    /// Publishes sync committee contributions.
    async fn publish_contributions(&self, items: &[Signed<ContributionAndProof>]) -> Result<(), BeaconError>;

    /// Has nodes join the subnets of attestation committees.
    async fn subscribe_committees(&self, items: &[CommitteeSubscription]) -> Result<(), BeaconError>;

    /// Has nodes join the subnets of sync committees.
    async fn subscribe_sync(&self, items: &[SyncSubscription]) -> Result<(), BeaconError>;

    /// Tells nodes who is paid for blocks of these validators.
    async fn prepare_proposers(&self, items: &[(ValidatorIndex, Address)]) -> Result<(), BeaconError>;

    /// Registers validators with the builders of every node. A node without a builder has nothing to register with, and counts as
    /// done.
    async fn register_validators(&self, items: &[Signed<ValidatorRegistration>]) -> Result<(), BeaconError>;

    /// Publishes a voluntary exit.
    async fn publish_exit(&self, exit: &Signed<VoluntaryExit>) -> Result<(), BeaconError>;

    /// Which validators a node has seen at work in an epoch: the previous, current or next one. A validator counts as live when any
    /// node has seen it.
    async fn liveness(
        &self,
        epoch: Epoch,
        indices: &[ValidatorIndex],
    ) -> Result<Vec<(ValidatorIndex, bool)>, BeaconError>;

    /// Events from now on. Who lags behind the channel has missed events and should ask again for what depends on them.
    fn events(&self) -> broadcast::Receiver<BeaconEvent>;

    /// How each node is doing, in the order of the configuration.
    fn health(&self) -> Vec<NodeHealth>;
}
