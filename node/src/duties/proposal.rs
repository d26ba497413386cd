//! Block proposals: the round's leader has its beacon node build a block, the committee agrees on it and signs it.

use std::sync::Arc;

use cluster_core::beacon::{Proposal, Slot};
use cluster_core::consensus;
use cluster_core::duty::{InstanceId, InstanceKind, SigningId, SigningKind};
use cluster_core::machine::Time;
use futures::future::BoxFuture;
use futures::FutureExt;

use super::engine::Engine;
use super::hub::{Agreed, Judge, Timing};
use super::proofs::Proof;
use super::record::{Draft, Miss};
use super::roster::{Group, Validator};
use super::signatures::item;
use super::value::{check_proposal, decode_proposal, encode_proposal, ProposalView};
use crate::signer::Request;

/// Part of the slot that others leave the leader to publish before they do: the block is large, and once is enough.
const LEADER_FIRST: u64 = 30;

impl Engine {
    pub(super) async fn propose(self: Arc<Self>, group: Arc<Group>, validator: Arc<Validator>, slot: Slot) {
        let mut draft = Draft::new(slot, self.spec.slot_start(slot), group.id, SigningKind::Block);
        draft.edit().validators = vec![validator.index.0];
        if let Err(miss) = self.try_propose(&mut draft, group, &validator, slot).await {
            draft.missed(miss);
        }
        self.record(draft.finish());
    }

    async fn try_propose(
        self: &Arc<Self>,
        draft: &mut Draft,
        group: Arc<Group>,
        validator: &Arc<Validator>,
        slot: Slot,
    ) -> Result<(), Miss> {
        self.spec.fork_at(self.spec.epoch_of(slot)).map_err(|error| Miss::UnknownFork { reason: error.to_string() })?;
        let slot_start = self.spec.slot_start(slot);
        let give_up = slot_start.plus_ms(self.spec.slot_ms);
        let instance = InstanceId { committee: group.id, slot, kind: InstanceKind::Proposal };
        let (proposal, agreed) = self.decide_proposal(&instance, &group, validator, slot_start, give_up).await?;
        let leader = consensus::leader(&group.committee, &instance, agreed.round);
        draft.decided(agreed.decided_at, agreed.round, leader);
        let header = match self.judge_proposal(&proposal, validator, slot).await {
            Ok(header) => header,
            // Who decides late is asked to sign what the others have published: the chain has gone on to it.
            Err(reason) if self.stands(&proposal).await => {
                tracing::info!(slot = slot.0, "the block of slot {slot} was published without this operator: {reason}");
                draft.submitted(self.now(), 1);
                return Ok(());
            }
            Err(reason) => return Err(Miss::OtherView { reason }),
        };
        let id = SigningId::new(group.id, SigningKind::Block, slot);
        let request = Request::Block { validator: validator.pubkey, header };
        let items = vec![item(validator, self.spec.block(&header))];
        let (signed, own) = self.sign(&group, id, request, items, give_up).await;
        self.note_signatures(draft, &group, &signed, own);
        let Some(Some(signature)) = signed.signatures.first() else { return Ok(()) };
        if leader != self.parts.me && self.appears(slot, header.root()).await {
            // The leader's beacon node has it, and ours has heard of it.
            draft.submitted(self.now(), 1);
            return Ok(());
        }
        let published = self.parts.beacon.publish_block(&proposal, &signature.to_bytes()).await;
        match published {
            Ok(()) => draft.submitted(self.now(), 1),
            Err(error) => draft.missed(Miss::NotAccepted { reason: error.to_string() }),
        }
        Ok(())
    }

    async fn decide_proposal(
        self: &Arc<Self>,
        instance: &InstanceId,
        group: &Group,
        validator: &Arc<Validator>,
        slot_start: Time,
        give_up: Time,
    ) -> Result<(Proposal, Agreed), Miss> {
        let slot = instance.slot;
        let round_ms = self.proposal_round_ms();
        let leads = consensus::leader(&group.committee, instance, 1) == self.parts.me;
        let (engine, proposer) = (Arc::clone(self), Arc::clone(validator));
        let value = async move {
            if !leads {
                // Building costs the beacon node something; it is needed when the first leader fails.
                engine.parts.clock.sleep_until(slot_start.plus_ms(round_ms * 2 / 3)).await;
            }
            engine.own_proposal(&proposer, slot, leads).await
        };
        let (engine, proposer) = (Arc::clone(self), Arc::clone(validator));
        let judge: Judge = Arc::new(move |value: Arc<[u8]>| -> BoxFuture<'static, Result<(), String>> {
            let (engine, proposer) = (Arc::clone(&engine), Arc::clone(&proposer));
            async move {
                let proposal = decode_proposal(&value)?;
                engine.judge_proposal(&proposal, &proposer, slot).await.map(|_| ())
            }
            .boxed()
        });
        let timing = Timing { start: slot_start, round_ms, give_up };
        let agreed = self
            .parts
            .hub
            .agree(*instance, timing, value.boxed(), judge)
            .await
            .map_err(|error| self.no_proposal(validator, slot, error.to_string()))?;
        let proposal = decode_proposal(&agreed.value).map_err(|reason| Miss::OtherView { reason })?;
        Ok((proposal, agreed))
    }

    /// Without the RANDAO reveal nobody has a block to propose.
    fn no_proposal(&self, validator: &Validator, slot: Slot, reason: String) -> Miss {
        match self.proofs.get(slot, Proof::Randao, &validator.pubkey) {
            Some(_) => Miss::NoQuorum { reason },
            None => Miss::NoRandao,
        }
    }

    /// A block of our beacon node. Only the first leader asks builders: whoever steps in for it has no time to wait for one,
    /// and a builder that keeps one beacon node waiting keeps the next one waiting, too.
    async fn own_proposal(&self, validator: &Validator, slot: Slot, leads: bool) -> Option<Vec<u8>> {
        let reveal = self.randao(validator, slot).await?;
        let settings = &self.parts.settings;
        let boost = if settings.builder && leads { settings.builder_boost_factor } else { 0 };
        match self.parts.beacon.produce_block(slot, &reveal, settings.graffiti, boost).await {
            Ok(proposal) => Some(encode_proposal(&proposal)),
            Err(error) => {
                tracing::warn!(slot = slot.0, %error, "our beacon node built no block for slot {slot}: {error}");
                None
            }
        }
    }

    /// The RANDAO reveal; waits for it when it is still being signed.
    async fn randao(&self, validator: &Validator, slot: Slot) -> Option<[u8; 96]> {
        let give_up = self.spec.slot_start(Slot(slot.0 + 1));
        loop {
            if let Some(reveal) = self.proofs.get(slot, Proof::Randao, &validator.pubkey) {
                return Some(reveal);
            }
            if self.now() >= give_up {
                return None;
            }
            self.parts.clock.sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    async fn judge_proposal(
        &self,
        proposal: &Proposal,
        validator: &Arc<Validator>,
        slot: Slot,
    ) -> Result<cluster_core::beacon::BeaconBlockHeader, String> {
        let mut parents = Vec::with_capacity(3);
        let heard = *self.head.borrow();
        if heard.slot < slot {
            parents.extend([heard.root, heard.before]);
        }
        // At a restart no event was heard yet; and an event may still be under way.
        let asked = self.parts.beacon.head_root().await;
        parents.extend(asked.ok());
        // The whole body is hashed, and a signature is checked.
        let (spec, validator, proposal) = (Arc::clone(&self.spec), Arc::clone(validator), proposal.clone());
        let builder = self.parts.settings.builder;
        let judged = tokio::task::spawn_blocking(move || {
            let view = ProposalView {
                spec: &spec,
                slot,
                proposer: validator.index,
                key: &validator.key,
                fee_recipient: validator.fee_recipient,
                builder,
                parents: &parents,
            };
            check_proposal(&proposal, &view).map(|block| block.header)
        });
        judged.await.map_err(|_| "the node is stopping".to_owned())?
    }

    /// Whether the block is our beacon node's head, or was before the newest one.
    async fn stands(&self, proposal: &Proposal) -> bool {
        let Ok(block) = proposal.inspect(self.spec.preset) else { return false };
        let root = block.header.root();
        let heard = *self.head.borrow();
        [heard.root, heard.before].contains(&root) || self.parts.beacon.head_root().await.is_ok_and(|head| head == root)
    }

    /// Whether our beacon node reports the block as its head before it is time to publish it ourselves.
    async fn appears(&self, slot: Slot, root: [u8; 32]) -> bool {
        let patience = std::time::Duration::from_millis(self.spec.slot_ms / LEADER_FIRST);
        let mut head = self.head.subscribe();
        let seen = async { head.wait_for(|head| head.slot == slot && head.root == root).await.is_ok() };
        tokio::select! {
            seen = seen => seen,
            () = self.parts.clock.sleep(patience) => false,
        }
    }
}
