//! A beacon node of the virtual chain, with faults.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use cluster_core::beacon::{
    is_aggregator, AggregateAndProof, Attestation, AttestationData, BitList, BitVector, ChainSpec,
    ContributionAndProof, Epoch, Fork, Proposal, Root, Signed, SingleAttestation, Slot, SyncCommitteeContribution,
    SyncCommitteeMessage, ValidatorIndex, ValidatorRegistration, VoluntaryExit,
};
use cluster_crypto::bls::{self, Signature};
use cluster_crypto::ethereum::Address;
use cluster_node::beacon::{
    AttesterDuty, Beacon, BeaconError, BeaconEvent, CommitteeSubscription, Dependent, NodeHealth, ProposerDuty,
    SyncDuty, SyncSubscription, ValidatorState, ValidatorStatus,
};
use tokio::sync::broadcast;

use super::block::Block;
use super::state::State;
use super::{is_signed, VirtualChain};

/// What the shuffles are for.
const ATTESTERS: u64 = 1;
const PROPOSERS: u64 = 2;
const SYNC: u64 = 3;

/// Faults of one node; may be changed at any time.
#[derive(Clone, Copy, Debug, Default)]
pub struct NodeFaults {
    /// It answers nothing.
    pub down: bool,
    /// Every answer takes this long.
    pub delay: Duration,
    /// A block takes this long where builders are asked for one: none of them answers.
    pub builder_delay: Duration,
    /// It takes no registration with builders: no relay answers.
    pub refuses_registrations: bool,
}

/// One node.
pub struct VirtualNode {
    chain: Arc<VirtualChain>,
    name: String,
    faults: Mutex<NodeFaults>,
    prepared: Mutex<Vec<(ValidatorIndex, Address)>>,
}

impl VirtualNode {
    pub(super) fn new(chain: Arc<VirtualChain>, name: &str) -> Self {
        Self { chain, name: name.to_owned(), faults: Mutex::default(), prepared: Mutex::default() }
    }

    /// Changes the node's faults.
    pub fn set_faults(&self, faults: NodeFaults) {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    async fn reach(&self, endpoint: &'static str) -> Result<(), BeaconError> {
        let faults = *self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        if !faults.delay.is_zero() {
            tokio::time::sleep(faults.delay).await;
        }
        if faults.down {
            return Err(BeaconError::Unreachable {
                url: self.name.clone(),
                endpoint,
                reason: "it is switched off".to_owned(),
            });
        }
        Ok(())
    }

    fn refuse(&self, endpoint: &'static str, message: impl Into<String>) -> BeaconError {
        BeaconError::Status { url: self.name.clone(), endpoint, status: 400, message: message.into() }
    }

    fn spec(&self) -> &ChainSpec {
        &self.chain.spec
    }

    /// Validators that attest in a slot, in the order of the committee; one committee per slot.
    fn committee(&self, state: &State, slot: Slot) -> Vec<usize> {
        let spec = self.spec();
        let (epoch, slots) = (spec.epoch_of(slot), spec.slots_per_epoch());
        let order = state.shuffled(ATTESTERS, epoch);
        let at = slot.0 - epoch.start(slots).0;
        (0_u64..).zip(order).filter(|(position, _)| position % slots == at).map(|(_, validator)| validator).collect()
    }

    fn proposer(&self, state: &State, slot: Slot) -> usize {
        let order = state.shuffled(PROPOSERS, Epoch(slot.0));
        order.first().copied().unwrap_or(0)
    }

    /// The validator at each position of the sync committee.
    fn sync_committee(&self, state: &State, epoch: Epoch) -> Vec<usize> {
        let period = self.spec().sync_period(epoch);
        let order = state.shuffled(SYNC, Epoch(period));
        let size = usize::try_from(self.spec().preset.sync_committee_size()).unwrap_or(32);
        order.iter().copied().cycle().take(size).collect()
    }

    fn check_proposal(&self, proposal: &Proposal, signature: &[u8; 96]) -> Result<(), String> {
        let block = proposal.inspect(self.spec().preset).map_err(|error| error.to_string())?;
        let header = block.header;
        let (key, known) = {
            let state = self.chain.lock();
            let proposer = self.proposer(&state, header.slot);
            if proposer as u64 != header.proposer_index.0 {
                return Err("it is not the proposer's turn".to_owned());
            }
            let key = state.validators.get(proposer).map(|validator| validator.key).ok_or("nobody proposes")?;
            (key, state.blocks.contains(&header.parent_root))
        };
        if !known {
            return Err("the parent is unknown".to_owned());
        }
        if !is_signed(&key, &self.spec().block(&header), signature) {
            return Err("the signature is wrong".to_owned());
        }
        let epoch = self.spec().epoch_of(header.slot);
        if !is_signed(&key, &self.spec().randao(epoch), &block.randao_reveal) {
            return Err("the RANDAO reveal is wrong".to_owned());
        }
        let (slot, proposer) = (header.slot, header.proposer_index.0);
        self.chain.add_block(slot, proposer, header.root(), block.fee_recipient);
        Ok(())
    }

    fn check_attestation(&self, item: &SingleAttestation) -> Result<(), String> {
        let index = item.attester_index.0;
        let key = {
            let state = self.chain.lock();
            let position = usize::try_from(index).map_err(|_| "no such validator")?;
            if !self.committee(&state, item.data.slot).contains(&position) {
                return Err("the validator does not attest in this slot".to_owned());
            }
            if !state.blocks.contains(&item.data.beacon_block_root) {
                return Err("the head is unknown".to_owned());
            }
            state.validators.get(position).map(|validator| validator.key).ok_or("no such validator")?
        };
        let known = self.chain.lock().votes.get(&(item.data.target.epoch, index)).copied();
        if known == Some(item.data) {
            return Ok(());
        }
        if !is_signed(&key, &self.spec().attestation(&item.data), &item.signature) {
            return Err("the signature is wrong".to_owned());
        }
        self.chain.lock().vote(index, item.data, item.signature);
        Ok(())
    }
}

#[async_trait]
impl Beacon for VirtualNode {
    async fn spec(&self) -> Result<Arc<ChainSpec>, BeaconError> {
        self.reach("spec").await?;
        Ok(self.chain.spec())
    }

    async fn validators(&self, ids: &[[u8; 48]]) -> Result<Vec<ValidatorStatus>, BeaconError> {
        self.reach("validators").await?;
        let state = self.chain.lock();
        let known = (0..).zip(&state.validators).filter(|(_, validator)| ids.contains(&validator.pubkey));
        Ok(known
            .map(|(index, validator)| ValidatorStatus {
                index: ValidatorIndex(index),
                pubkey: validator.pubkey,
                status: match self.chain.epoch() < state.activation {
                    true => ValidatorState::PendingQueued,
                    false => ValidatorState::ActiveOngoing,
                },
                activation_epoch: state.activation,
                exit_epoch: Epoch(u64::MAX),
                effective_balance_gwei: 32_000_000_000,
                withdrawal_credentials: [1; 32],
            })
            .collect())
    }

    async fn attester_duties(
        &self,
        epoch: Epoch,
        indices: &[ValidatorIndex],
    ) -> Result<Dependent<Vec<AttesterDuty>>, BeaconError> {
        self.reach("attester_duties").await?;
        let state = self.chain.lock();
        let start = epoch.start(self.spec().slots_per_epoch());
        let mut data = Vec::new();
        for slot in (start.0..start.0 + self.spec().slots_per_epoch()).map(Slot) {
            let committee = self.committee(&state, slot);
            for (position, validator) in (0..).zip(&committee) {
                let index = ValidatorIndex(*validator as u64);
                let Some(known) = state.validators.get(*validator).filter(|_| indices.contains(&index)) else {
                    continue;
                };
                data.push(AttesterDuty {
                    pubkey: known.pubkey,
                    validator_index: index,
                    committee_index: 0,
                    committee_length: committee.len() as u64,
                    committees_at_slot: 1,
                    validator_committee_index: position,
                    slot,
                });
            }
        }
        Ok(Dependent { dependent_root: self.chain.dependent_root(&state, epoch), data })
    }

    async fn proposer_duties(&self, epoch: Epoch) -> Result<Dependent<Vec<ProposerDuty>>, BeaconError> {
        self.reach("proposer_duties").await?;
        let state = self.chain.lock();
        let start = epoch.start(self.spec().slots_per_epoch());
        let slots = (start.0..start.0 + self.spec().slots_per_epoch()).map(Slot);
        let duty = |slot| {
            let proposer = self.proposer(&state, slot);
            let pubkey = state.validators.get(proposer)?.pubkey;
            Some(ProposerDuty { pubkey, validator_index: ValidatorIndex(proposer as u64), slot })
        };
        let data = slots.filter_map(duty).collect();
        Ok(Dependent { dependent_root: self.chain.dependent_root(&state, epoch), data })
    }

    async fn sync_duties(&self, epoch: Epoch, indices: &[ValidatorIndex]) -> Result<Vec<SyncDuty>, BeaconError> {
        self.reach("sync_duties").await?;
        let state = self.chain.lock();
        let committee = self.sync_committee(&state, epoch);
        let mut duties = Vec::new();
        for index in indices {
            let at = |validator: &usize| *validator as u64 == index.0;
            let positions: Vec<u64> =
                (0..).zip(&committee).filter(|(_, v)| at(v)).map(|(position, _)| position).collect();
            let known = usize::try_from(index.0).ok().and_then(|index| state.validators.get(index));
            if let (false, Some(known)) = (positions.is_empty(), known) {
                duties.push(SyncDuty { pubkey: known.pubkey, validator_index: *index, positions });
            }
        }
        Ok(duties)
    }

    async fn attestation_data(&self, slot: Slot) -> Result<AttestationData, BeaconError> {
        self.reach("attestation_data").await?;
        if slot > self.chain.slot() {
            return Err(self.refuse("attestation_data", "the slot has not begun"));
        }
        let spec = self.spec();
        let epoch = spec.epoch_of(slot);
        let mut state = self.chain.lock();
        state.advance(epoch, spec);
        Ok(AttestationData {
            slot,
            index: 0,
            beacon_block_root: state.block_at(slot),
            source: state.justified,
            target: state.checkpoint(epoch, spec),
        })
    }

    async fn head_root(&self) -> Result<Root, BeaconError> {
        self.reach("head_root").await?;
        Ok(self.chain.lock().head)
    }

    async fn aggregate(
        &self,
        _fork: Fork,
        slot: Slot,
        data_root: Root,
        committee_index: u64,
    ) -> Result<Option<Attestation>, BeaconError> {
        self.reach("aggregate").await?;
        let state = self.chain.lock();
        let epoch = self.spec().epoch_of(slot);
        let committee = self.committee(&state, slot);
        let mut bits = vec![false; committee.len()];
        let (mut signatures, mut found) = (Vec::new(), None);
        for (bit, validator) in bits.iter_mut().zip(&committee) {
            let Some(data) = state.votes.get(&(epoch, *validator as u64)).filter(|data| data.root() == data_root)
            else {
                continue;
            };
            let bytes = state.signatures.get(&(slot, *validator as u64));
            let Some(signature) = bytes.and_then(|bytes| Signature::from_bytes(bytes).ok()) else { continue };
            *bit = true;
            signatures.push(signature);
            found = Some(*data);
        }
        let (Some(data), 0) = (found, committee_index) else { return Ok(None) };
        let Ok(signature) = bls::aggregate(&signatures) else { return Ok(None) };
        let committees = usize::try_from(self.spec().preset.max_committees_per_slot()).unwrap_or(4);
        let committee_bits: Vec<bool> = (0..committees).map(|index| index == 0).collect();
        Ok(Some(Attestation {
            aggregation_bits: BitList::from_bits(&bits),
            data,
            signature: signature.to_bytes(),
            committee_bits: BitVector::from_bits(&committee_bits),
        }))
    }

    async fn contribution(
        &self,
        slot: Slot,
        subcommittee: u64,
        block_root: Root,
    ) -> Result<Option<SyncCommitteeContribution>, BeaconError> {
        self.reach("contribution").await?;
        let state = self.chain.lock();
        let width = usize::try_from(self.spec().preset.sync_subcommittee_size()).unwrap_or(8);
        let committee = self.sync_committee(&state, self.spec().epoch_of(Slot(slot.0 + 1)));
        let first = usize::try_from(subcommittee).unwrap_or(usize::MAX).saturating_mul(width);
        let mut bits = vec![false; width];
        let mut signatures = Vec::new();
        for (bit, validator) in bits.iter_mut().zip(committee.iter().skip(first)) {
            let Some((root, bytes)) = state.sync.get(&(slot, *validator as u64)) else { continue };
            let Some(signature) = Signature::from_bytes(bytes).ok().filter(|_| *root == block_root) else { continue };
            *bit = true;
            signatures.push(signature);
        }
        let Ok(signature) = bls::aggregate(&signatures) else { return Ok(None) };
        Ok(Some(SyncCommitteeContribution {
            slot,
            beacon_block_root: block_root,
            subcommittee_index: subcommittee,
            aggregation_bits: BitVector::from_bits(&bits),
            signature: signature.to_bytes(),
        }))
    }

    async fn produce_block(
        &self,
        slot: Slot,
        randao_reveal: &[u8; 96],
        graffiti: [u8; 32],
        builder_boost_factor: u64,
    ) -> Result<Proposal, BeaconError> {
        self.reach("produce_block").await?;
        if builder_boost_factor > 0 {
            let delay = self.faults.lock().unwrap_or_else(PoisonError::into_inner).builder_delay;
            tokio::time::sleep(delay).await;
        }
        let spec = self.spec();
        let (proposer, parent) = {
            let state = self.chain.lock();
            (ValidatorIndex(self.proposer(&state, slot) as u64), state.head)
        };
        let prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        let recipient = prepared.iter().find(|(index, _)| *index == proposer).map_or([0; 20], |(_, to)| to.0);
        let timestamp = spec.slot_start(slot).seconds();
        let block = Block { slot, proposer, parent, randao_reveal, graffiti, fee_recipient: recipient, timestamp };
        let fork = spec.fork_at(spec.epoch_of(slot))?;
        Ok(Proposal { fork, blinded: false, block: block.ssz(spec.preset), kzg_proofs: Vec::new(), blobs: Vec::new() })
    }

    async fn publish_block(&self, proposal: &Proposal, signature: &[u8; 96]) -> Result<(), BeaconError> {
        self.reach("publish_block").await?;
        self.check_proposal(proposal, signature).map_err(|reason| self.refuse("publish_block", reason))
    }

    async fn publish_attestations(&self, _fork: Fork, items: &[SingleAttestation]) -> Result<(), BeaconError> {
        self.reach("publish_attestations").await?;
        for item in items {
            self.check_attestation(item).map_err(|reason| self.refuse("publish_attestations", reason))?;
        }
        Ok(())
    }

    async fn publish_aggregates(&self, _fork: Fork, items: &[Signed<AggregateAndProof>]) -> Result<(), BeaconError> {
        self.reach("publish_aggregates").await?;
        for item in items {
            let (index, slot) = (item.message.aggregator_index.0, item.message.aggregate.data.slot);
            if self.chain.lock().aggregates.contains(&(slot, index)) {
                continue;
            }
            let refuse = |reason: &str| self.refuse("publish_aggregates", reason);
            let key = self.key(index).ok_or_else(|| refuse("no such validator"))?;
            let proof = item.message.selection_proof;
            if !is_signed(&key, &self.spec().selection(slot), &proof) || !is_aggregator(self.spec(), 1, &proof) {
                return Err(refuse("the selection proof is wrong"));
            }
            if !is_signed(&key, &self.spec().aggregate_and_proof(&item.message), &item.signature) {
                return Err(refuse("the signature is wrong"));
            }
            self.chain.lock().aggregates.insert((slot, index));
        }
        Ok(())
    }

    async fn publish_sync_messages(&self, items: &[SyncCommitteeMessage]) -> Result<(), BeaconError> {
        self.reach("publish_sync_messages").await?;
        for item in items {
            let place = (item.slot, item.validator_index.0);
            if self.chain.lock().sync.contains_key(&place) {
                continue;
            }
            let refuse = |reason: &str| self.refuse("publish_sync_messages", reason);
            let key = self.key(place.1).ok_or_else(|| refuse("no such validator"))?;
            if !is_signed(&key, &self.spec().sync_message(item.slot, item.beacon_block_root), &item.signature) {
                return Err(refuse("the signature is wrong"));
            }
            self.chain.lock().sync.insert(place, (item.beacon_block_root, item.signature));
        }
        Ok(())
    }

    async fn publish_contributions(&self, items: &[Signed<ContributionAndProof>]) -> Result<(), BeaconError> {
        self.reach("publish_contributions").await?;
        for item in items {
            let contribution = &item.message.contribution;
            let place = (contribution.slot, item.message.aggregator_index.0, contribution.subcommittee_index);
            if self.chain.lock().contributions.contains(&place) {
                continue;
            }
            let refuse = |reason: &str| self.refuse("publish_contributions", reason);
            let key = self.key(place.1).ok_or_else(|| refuse("no such validator"))?;
            if !is_signed(&key, &self.spec().contribution_and_proof(&item.message), &item.signature) {
                return Err(refuse("the signature is wrong"));
            }
            self.chain.lock().contributions.insert(place);
        }
        Ok(())
    }

    async fn subscribe_committees(&self, _items: &[CommitteeSubscription]) -> Result<(), BeaconError> {
        self.reach("subscribe_committees").await
    }

    async fn subscribe_sync(&self, _items: &[SyncSubscription]) -> Result<(), BeaconError> {
        self.reach("subscribe_sync").await
    }

    async fn prepare_proposers(&self, items: &[(ValidatorIndex, Address)]) -> Result<(), BeaconError> {
        self.reach("prepare_proposers").await?;
        *self.prepared.lock().unwrap_or_else(PoisonError::into_inner) = items.to_vec();
        Ok(())
    }

    async fn register_validators(&self, items: &[Signed<ValidatorRegistration>]) -> Result<(), BeaconError> {
        self.reach("register_validators").await?;
        let refuses = self.faults.lock().unwrap_or_else(PoisonError::into_inner).refuses_registrations;
        if refuses {
            return Err(self.refuse("register_validators", "no relay answers"));
        }
        for item in items {
            let key = bls::PublicKey::from_bytes(&item.message.pubkey)
                .map_err(|error| self.refuse("register_validators", error.to_string()))?;
            if !is_signed(&key, &self.spec().registration(&item.message), &item.signature) {
                return Err(self.refuse("register_validators", "the signature is wrong"));
            }
            let epoch = self.chain.epoch();
            self.chain.lock().register(&item.message, epoch);
        }
        Ok(())
    }

    async fn publish_exit(&self, exit: &Signed<VoluntaryExit>) -> Result<(), BeaconError> {
        self.reach("publish_exit").await?;
        let key = self.key(exit.message.validator_index.0);
        let key = key.ok_or_else(|| self.refuse("publish_exit", "no such validator"))?;
        if !is_signed(&key, &self.spec().exit(&exit.message), &exit.signature) {
            return Err(self.refuse("publish_exit", "the signature is wrong"));
        }
        Ok(())
    }

    async fn liveness(
        &self,
        epoch: Epoch,
        indices: &[ValidatorIndex],
    ) -> Result<Vec<(ValidatorIndex, bool)>, BeaconError> {
        self.reach("liveness").await?;
        let state = self.chain.lock();
        Ok(indices.iter().map(|index| (*index, state.votes.contains_key(&(epoch, index.0)))).collect())
    }

    fn events(&self) -> broadcast::Receiver<BeaconEvent> {
        self.chain.events.subscribe()
    }

    fn health(&self) -> Vec<NodeHealth> {
        Vec::new()
    }
}

impl VirtualNode {
    fn key(&self, index: u64) -> Option<bls::PublicKey> {
        let index = usize::try_from(index).ok()?;
        self.chain.lock().validators.get(index).map(|validator| validator.key)
    }
}
