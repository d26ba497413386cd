//! Attestations and sync committee messages: one decision per committee and slot, at the head event of the slot or at a
//! third of it, whichever comes first.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cluster_core::beacon::{AttestationData, SingleAttestation, Slot, SyncCommitteeMessage};
use cluster_core::consensus;
use cluster_core::duty::{InstanceId, InstanceKind, SigningId, SigningKind};
use cluster_core::judgement::{check_attestation_shape, compare_attestation, Objection};
use cluster_core::machine::Time;
use futures::future::BoxFuture;
use futures::FutureExt;

use super::engine::Engine;
use super::hub::{Agreed, Judge, Timing};
use super::record::{Draft, Miss};
use super::roster::{Group, Validator};
use super::schedule::EpochDuties;
use super::signatures::item;
use super::value::{decode_attestation, encode_attestation};
use crate::beacon::AttesterDuty;
use crate::signer::Request;

/// Pause before the beacon node is asked again whether it has come to the others' view.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// A validator and its place in the committees of the slot.
pub(super) struct Attester {
    pub(super) validator: Arc<Validator>,
    pub(super) duty: AttesterDuty,
}

/// A validator of the sync committee and its subcommittees.
pub(super) struct SyncMember {
    pub(super) validator: Arc<Validator>,
    pub(super) subcommittees: Vec<u64>,
}

/// What one committee has to do in one slot.
pub(super) struct SlotDuties {
    pub(super) group: Arc<Group>,
    pub(super) slot: Slot,
    pub(super) attesters: Vec<Attester>,
    pub(super) sync: Vec<SyncMember>,
}

/// What the committee decided, and why this operator does not sign it, if it does not.
struct Decided {
    data: AttestationData,
    agreed: Agreed,
    objection: Option<Miss>,
}

/// What this operator's beacon node said last, and when it said it first.
#[derive(Default)]
struct OwnView {
    data: Option<AttestationData>,
    first_at: Option<Time>,
}

impl Engine {
    pub(super) async fn attest(self: Arc<Self>, group: Arc<Group>, slot: Slot, duties: Arc<EpochDuties>) {
        let duties = self.slot_duties(group, slot, &duties);
        if duties.attesters.is_empty() && duties.sync.is_empty() {
            return;
        }
        let view = Arc::new(Mutex::new(OwnView::default()));
        let decided = self.decide_attestation(&duties, &view).await;
        let first_at = lock(&view).first_at;
        match decided {
            Ok(Decided { data, agreed, objection }) => {
                let objection = objection.as_ref();
                tokio::join!(
                    self.sign_attestations(&duties, &data, &agreed, first_at, objection),
                    self.sign_sync_messages(&duties, &data, &agreed, first_at, objection),
                    async {
                        if objection.is_none() {
                            self.aggregate(&duties, &data).await;
                        }
                    },
                );
            }
            Err(miss) => {
                for mut draft in self.attestation_drafts(&duties) {
                    if let Some(at) = first_at {
                        draft.data(at);
                    }
                    draft.missed(miss.clone());
                    self.record(draft.finish());
                }
            }
        }
    }

    /// The validators of the committee that attest, and those of the sync committee that speaks in the slot: the one that
    /// the next slot's block answers to.
    pub(super) fn slot_duties(&self, group: Arc<Group>, slot: Slot, duties: &EpochDuties) -> SlotDuties {
        let own = |pubkey| group.validators.get(pubkey).cloned();
        let attesters = duties.attesters.get(&slot).into_iter().flatten();
        let attesters =
            attesters.filter_map(|duty| Some(Attester { validator: own(&duty.pubkey)?, duty: *duty })).collect();
        let speaking = self.schedule.get(self.spec.epoch_of(Slot(slot.0 + 1)));
        let width = self.spec.preset.sync_subcommittee_size();
        let sync = speaking
            .iter()
            .flat_map(|duties| &duties.sync)
            .filter_map(|duty| {
                let mut subcommittees: Vec<u64> = duty.positions.iter().map(|position| position / width).collect();
                subcommittees.sort_unstable();
                subcommittees.dedup();
                Some(SyncMember { validator: own(&duty.pubkey)?, subcommittees })
            })
            .collect();
        SlotDuties { group, slot, attesters, sync }
    }

    pub(super) fn attestation_drafts(&self, duties: &SlotDuties) -> Vec<Draft> {
        let mut drafts = Vec::new();
        if !duties.attesters.is_empty() {
            let mut draft = self.draft(duties, SigningKind::Attestation);
            draft.edit().validators = duties.attesters.iter().map(|attester| attester.validator.index.0).collect();
            drafts.push(draft);
        }
        if !duties.sync.is_empty() {
            let mut draft = self.draft(duties, SigningKind::SyncMessage);
            draft.edit().validators = duties.sync.iter().map(|member| member.validator.index.0).collect();
            drafts.push(draft);
        }
        drafts
    }

    pub(super) fn draft(&self, duties: &SlotDuties, kind: SigningKind) -> Draft {
        Draft::new(duties.slot, self.spec.slot_start(duties.slot), duties.group.id, kind)
    }

    async fn decide_attestation(
        self: &Arc<Self>,
        duties: &SlotDuties,
        view: &Arc<Mutex<OwnView>>,
    ) -> Result<Decided, Miss> {
        let slot = duties.slot;
        self.spec.fork_at(self.spec.epoch_of(slot)).map_err(|error| Miss::UnknownFork { reason: error.to_string() })?;
        let instance = InstanceId { committee: duties.group.id, slot, kind: InstanceKind::Attestation };
        let slot_start = self.spec.slot_start(slot);
        let due = slot_start.plus_ms(self.spec.attestation_due_ms);
        let give_up = slot_start.plus_ms(2 * self.spec.slot_ms);
        let timing = Timing { start: due, round_ms: self.round_ms(), give_up };
        let value = Arc::clone(self).own_attestation(slot, due, Arc::clone(view)).boxed();
        let engine = Arc::clone(self);
        let judged_view = Arc::clone(view);
        let judge: Judge = Arc::new(move |value: Arc<[u8]>| -> BoxFuture<'static, Result<(), String>> {
            let (engine, view) = (Arc::clone(&engine), Arc::clone(&judged_view));
            async move {
                let data = decode_attestation(&value)?;
                engine.judge_attestation(&data, slot, &view, give_up).await.map_err(|objection| objection.to_string())
            }
            .boxed()
        });
        let agreed = self
            .parts
            .hub
            .agree(instance, timing, value, judge)
            .await
            .map_err(|error| Miss::NoQuorum { reason: error.to_string() })?;
        let data = decode_attestation(&agreed.value).map_err(|reason| Miss::OtherView { reason })?;
        // The others may have decided before this operator's own judgement was there.
        let objection = self.judge_attestation(&data, slot, view, give_up).await.err();
        if let Some(objection) = &objection {
            tracing::warn!(slot = slot.0, committee_id = %duties.group.id, "not signed in slot {slot}: {objection}");
        }
        Ok(Decided { data, agreed, objection })
    }

    /// This operator's proposal: what its beacon node says once it has seen the slot's block, or a third of the slot is
    /// over.
    async fn own_attestation(self: Arc<Self>, slot: Slot, due: Time, view: Arc<Mutex<OwnView>>) -> Option<Vec<u8>> {
        let mut head = self.head.subscribe();
        tokio::select! {
            _ = head.wait_for(|head| head.slot >= slot) => {}
            () = self.parts.clock.sleep_until(due) => {}
        }
        loop {
            match self.ask_attestation(slot, &view).await {
                Ok(data) => return Some(encode_attestation(&data)),
                Err(reason) => tracing::debug!(slot = slot.0, reason, "no attestation data yet"),
            }
            self.parts.clock.sleep(LOOK_AGAIN).await;
        }
    }

    async fn ask_attestation(&self, slot: Slot, view: &Mutex<OwnView>) -> Result<AttestationData, String> {
        let data = self.parts.beacon.attestation_data(slot).await.map_err(|error| error.to_string())?;
        let mut view = lock(view);
        view.data = Some(data);
        view.first_at.get_or_insert(self.now());
        Ok(data)
    }

    /// Whether this operator would sign the value. A node that has not seen the others' block yet is asked again until it
    /// has, or time is up.
    async fn judge_attestation(
        &self,
        data: &AttestationData,
        slot: Slot,
        view: &Mutex<OwnView>,
        give_up: Time,
    ) -> Result<(), Miss> {
        let other_view = |objection: Objection| Miss::OtherView { reason: objection.to_string() };
        check_attestation_shape(data, slot, self.spec.slots_per_epoch()).map_err(other_view)?;
        let mut head = self.head.subscribe();
        let mut known = lock(view).data;
        loop {
            let own = match known.take() {
                Some(own) => Ok(own),
                None => self.ask_attestation(slot, view).await.map_err(|reason| Miss::BeaconNode { reason }),
            };
            let Err(objection) = own.and_then(|own| compare_attestation(data, &own).map_err(other_view)) else {
                return Ok(());
            };
            if self.now() >= give_up {
                return Err(objection);
            }
            tokio::select! {
                _ = head.changed() => {}
                () = self.parts.clock.sleep(LOOK_AGAIN) => {}
            }
        }
    }

    async fn sign_attestations(
        &self,
        duties: &SlotDuties,
        data: &AttestationData,
        agreed: &Agreed,
        first_at: Option<Time>,
        objection: Option<&Miss>,
    ) {
        if duties.attesters.is_empty() {
            return;
        }
        let Some(mut draft) = self.attestation_drafts(duties).into_iter().next() else { return };
        self.note_decision(&mut draft, duties, agreed, first_at);
        let root = self.spec.attestation(data);
        let validators = duties.attesters.iter().map(|attester| attester.validator.pubkey).collect();
        let items = duties.attesters.iter().map(|attester| item(&attester.validator, root)).collect();
        let id = SigningId::new(duties.group.id, SigningKind::Attestation, duties.slot);
        let give_up = self.attestation_give_up(duties.slot);
        let request = Request::Attestations { validators, data: *data };
        let (signed, own) = self.sign_unless(objection, &duties.group, id, request, items, give_up).await;
        self.note_signatures(&mut draft, &duties.group, &signed, own);
        let attestations: Vec<SingleAttestation> = duties
            .attesters
            .iter()
            .zip(&signed.signatures)
            .filter_map(|(attester, signature)| {
                Some(SingleAttestation {
                    committee_index: attester.duty.committee_index,
                    attester_index: attester.validator.index,
                    data: *data,
                    signature: (*signature)?.to_bytes(),
                })
            })
            .collect();
        if !attestations.is_empty() {
            let fork = self.spec.fork_at(self.spec.epoch_of(duties.slot));
            let published = match fork {
                Ok(fork) => {
                    self.parts.beacon.publish_attestations(fork, &attestations).await.map_err(|error| error.to_string())
                }
                Err(error) => Err(error.to_string()),
            };
            let done: Vec<u64> = attestations.iter().map(|attestation| attestation.attester_index.0).collect();
            note_objection(&mut draft, &published, objection);
            self.note_publication(&mut draft, published, &done);
        }
        self.record(draft.finish());
    }

    async fn sign_sync_messages(
        &self,
        duties: &SlotDuties,
        data: &AttestationData,
        agreed: &Agreed,
        first_at: Option<Time>,
        objection: Option<&Miss>,
    ) {
        if duties.sync.is_empty() {
            return;
        }
        let Some(mut draft) = self.attestation_drafts(duties).pop() else { return };
        self.note_decision(&mut draft, duties, agreed, first_at);
        let block_root = data.beacon_block_root;
        let root = self.spec.sync_message(duties.slot, block_root);
        let validators = duties.sync.iter().map(|member| member.validator.pubkey).collect();
        let items = duties.sync.iter().map(|member| item(&member.validator, root)).collect();
        let id = SigningId::new(duties.group.id, SigningKind::SyncMessage, duties.slot);
        let request = Request::SyncMessages { validators, slot: duties.slot, block_root };
        // A message is of use in its own slot only.
        let give_up = self.spec.slot_start(Slot(duties.slot.0 + 1));
        let (signed, own) = self.sign_unless(objection, &duties.group, id, request, items, give_up).await;
        self.note_signatures(&mut draft, &duties.group, &signed, own);
        let messages: Vec<SyncCommitteeMessage> = duties
            .sync
            .iter()
            .zip(&signed.signatures)
            .filter_map(|(member, signature)| {
                Some(SyncCommitteeMessage {
                    slot: duties.slot,
                    beacon_block_root: block_root,
                    validator_index: member.validator.index,
                    signature: (*signature)?.to_bytes(),
                })
            })
            .collect();
        if !messages.is_empty() {
            let published = self.parts.beacon.publish_sync_messages(&messages).await.map_err(|error| error.to_string());
            let done: Vec<u64> = messages.iter().map(|message| message.validator_index.0).collect();
            note_objection(&mut draft, &published, objection);
            self.note_publication(&mut draft, published, &done);
        }
        self.record(draft.finish());
    }

    pub(super) fn note_decision(
        &self,
        draft: &mut Draft,
        duties: &SlotDuties,
        agreed: &Agreed,
        first_at: Option<Time>,
    ) {
        if let Some(at) = first_at {
            draft.data(at);
        }
        let instance = InstanceId { committee: duties.group.id, slot: duties.slot, kind: InstanceKind::Attestation };
        draft.decided(
            agreed.decided_at,
            agreed.round,
            consensus::leader(&duties.group.committee, &instance, agreed.round),
        );
    }

    /// `done` names the validators, by index, that it was published for.
    pub(super) fn note_publication(&self, draft: &mut Draft, published: Result<(), String>, done: &[u64]) {
        match published {
            Ok(()) => draft.submitted_for(self.now(), done),
            Err(reason) => draft.missed(Miss::NotAccepted { reason }),
        }
    }

    /// An attestation counts for its source for five slots; after two nobody who is well is still waiting.
    fn attestation_give_up(&self, slot: Slot) -> Time {
        self.spec.slot_start(slot).plus_ms(2 * self.spec.slot_ms)
    }
}

/// A beacon node that does not take what this operator did not want to sign has the same reason.
fn note_objection(draft: &mut Draft, published: &Result<(), String>, objection: Option<&Miss>) {
    if let (Err(_), Some(objection)) = (published, objection) {
        draft.missed(objection.clone());
    }
}

fn lock(view: &Mutex<OwnView>) -> std::sync::MutexGuard<'_, OwnView> {
    view.lock().unwrap_or_else(PoisonError::into_inner)
}
