//! What is signed ahead of its slot, off the critical path: RANDAO reveals and selection proofs for the slots of the coming
//! epoch, subscriptions that follow from them, preparation of proposers and registration with builders.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use cluster_core::beacon::{is_aggregator, Epoch, Signed as SignedObject, Slot, ValidatorRegistration};
use cluster_core::duty::{CommitteeId, SigningId, SigningKind};
use cluster_core::signing::Item;

use super::attestation::SlotDuties;
use super::engine::Engine;
use super::proofs::Proof;
use super::roster::{Group, Roster, Validator};
use super::schedule::EpochDuties;
use super::signatures::item;
use super::upkeep::Attempt;
use crate::beacon::{CommitteeSubscription, SyncSubscription};
use crate::signer::{Pubkey, Request};

/// Builders are told anew after this many epochs (an hour on mainnet), under a time that all operators compute alike. Relays
/// pass over what is not newer than the last registration: it takes so long until they know another fee recipient.
const REGISTRATION_EPOCHS: u64 = 10;

/// By committee, what builders are told in an epoch.
pub(super) type Registrations = BTreeMap<CommitteeId, Told>;

/// The registrations of one committee in one epoch.
#[derive(Clone)]
pub(super) struct Told {
    epoch: Epoch,
    /// None while they are being signed.
    signed: Arc<[SignedObject<ValidatorRegistration>]>,
    /// A beacon node took them.
    is_taken: bool,
}

/// One exchange of proofs.
struct Exchange {
    id: SigningId,
    request: Request,
    items: Vec<Item>,
    proofs: Vec<(Proof, Pubkey)>,
}

impl Engine {
    /// Begins the exchanges of every slot up to one epoch ahead that are not begun. Those of the slot itself are of use to
    /// who has just started, and to everybody in the first slot of the chain: selection proofs are needed at two thirds.
    pub(super) fn prepare_ahead(self: &Arc<Self>, slot: Slot, roster: &Roster) {
        for target in (slot.0..=slot.0 + self.spec.slots_per_epoch()).map(Slot) {
            let Some(duties) = self.schedule.get(self.spec.epoch_of(target)) else { continue };
            for group in roster.groups.values() {
                let slot_duties = self.slot_duties(Arc::clone(group), target, &duties);
                self.begin_exchanges(slot_duties, &duties);
            }
        }
    }

    fn begin_exchanges(self: &Arc<Self>, slot_duties: SlotDuties, duties: &EpochDuties) {
        let slot_duties = Arc::new(slot_duties);
        let exchanges = [
            self.randao_exchange(&slot_duties, duties),
            self.selection_exchange(&slot_duties, duties),
            self.sync_selection_exchange(&slot_duties),
        ];
        for exchange in exchanges.into_iter().flatten() {
            if self.lock_begun().insert((slot_duties.slot, exchange.id)) {
                self.spawn(Arc::clone(self).perform_ahead(Arc::clone(&slot_duties), exchange));
            }
        }
    }

    fn randao_exchange(&self, slot_duties: &SlotDuties, duties: &EpochDuties) -> Option<Exchange> {
        let slot = slot_duties.slot;
        let validator = slot_duties.group.validators.get(&duties.proposers.get(&slot)?.pubkey)?;
        let epoch = self.spec.epoch_of(slot);
        let mut view = [0; 32];
        view.copy_from_slice(&validator.pubkey[..32]);
        Some(Exchange {
            id: SigningId::new(slot_duties.group.id, SigningKind::Randao, slot).with_view(&view),
            request: Request::Randao { validators: vec![validator.pubkey], epoch },
            items: vec![item(validator, self.spec.randao(epoch))],
            proofs: vec![(Proof::Randao, validator.pubkey)],
        })
    }

    fn selection_exchange(&self, slot_duties: &SlotDuties, duties: &EpochDuties) -> Option<Exchange> {
        let slot = slot_duties.slot;
        let attesters = || slot_duties.attesters.iter().map(|attester| &attester.validator);
        if slot_duties.attesters.is_empty() {
            return None;
        }
        let root = self.spec.selection(slot);
        Some(Exchange {
            id: SigningId::new(slot_duties.group.id, SigningKind::Selection, slot).with_view(&duties.attester_root),
            request: Request::Selections { items: attesters().map(|validator| (validator.pubkey, slot)).collect() },
            items: attesters().map(|validator| item(validator, root)).collect(),
            proofs: attesters().map(|validator| (Proof::Selection, validator.pubkey)).collect(),
        })
    }

    fn sync_selection_exchange(&self, slot_duties: &SlotDuties) -> Option<Exchange> {
        let slot = slot_duties.slot;
        let pairs: Vec<(&Arc<Validator>, u64)> = slot_duties
            .sync
            .iter()
            .flat_map(|member| member.subcommittees.iter().map(|subcommittee| (&member.validator, *subcommittee)))
            .collect();
        if pairs.is_empty() {
            return None;
        }
        let root = |subcommittee: u64| self.spec.sync_selection(slot, subcommittee);
        Some(Exchange {
            id: SigningId::new(slot_duties.group.id, SigningKind::SyncSelection, slot),
            request: Request::SyncSelections {
                items: pairs.iter().map(|(validator, subcommittee)| (validator.pubkey, slot, *subcommittee)).collect(),
            },
            items: pairs.iter().map(|(validator, subcommittee)| item(validator, root(*subcommittee))).collect(),
            proofs: pairs
                .iter()
                .map(|(validator, subcommittee)| (Proof::SyncSelection(*subcommittee), validator.pubkey))
                .collect(),
        })
    }

    async fn perform_ahead(self: Arc<Self>, slot_duties: Arc<SlotDuties>, exchange: Exchange) {
        let slot = slot_duties.slot;
        let Ok(_permit) = self.ahead.acquire().await else { return };
        let kind = exchange.id.kind;
        let give_up = self.spec.slot_start(Slot(slot.0 + 1));
        let Exchange { id, request, items, proofs } = exchange;
        let (signed, _) = self.sign(&slot_duties.group, id, request, items, give_up).await;
        let mut missing = 0;
        for ((proof, pubkey), signature) in proofs.into_iter().zip(&signed.signatures) {
            match signature {
                Some(signature) => self.proofs.put(slot, proof, pubkey, signature.to_bytes()),
                None => missing += 1,
            }
        }
        if missing > 0 {
            tracing::warn!(
                slot = slot.0,
                kind = kind.name(),
                "{missing} {} signatures for slot {slot} are incomplete",
                kind.name()
            );
        }
        match kind {
            SigningKind::Selection => self.subscribe_committees(&slot_duties).await,
            SigningKind::SyncSelection => self.subscribe_sync(&slot_duties).await,
            _ => {}
        }
    }

    /// Tells the beacon nodes about the subnets of the coming slots once more.
    pub(super) async fn subscribe_again(self: Arc<Self>) {
        let Some(now) = self.spec.slot_at(self.now()) else { return };
        for slot in (now.0..=now.0 + self.spec.slots_per_epoch()).map(Slot) {
            let Some(duties) = self.schedule.get(self.spec.epoch_of(slot)) else { continue };
            for group in self.roster().groups.values() {
                let slot_duties = self.slot_duties(Arc::clone(group), slot, &duties);
                if !slot_duties.attesters.is_empty() {
                    self.subscribe_committees(&slot_duties).await;
                }
                self.subscribe_sync(&slot_duties).await;
            }
        }
    }

    async fn subscribe_committees(&self, duties: &SlotDuties) {
        let subscriptions: Vec<CommitteeSubscription> = duties
            .attesters
            .iter()
            .map(|attester| {
                let proof = self.proofs.get(duties.slot, Proof::Selection, &attester.validator.pubkey);
                CommitteeSubscription {
                    validator_index: attester.validator.index,
                    committee_index: attester.duty.committee_index,
                    committees_at_slot: attester.duty.committees_at_slot,
                    slot: duties.slot,
                    is_aggregator: proof
                        .is_some_and(|proof| is_aggregator(&self.spec, attester.duty.committee_length, &proof)),
                }
            })
            .collect();
        if let Err(error) = self.parts.beacon.subscribe_committees(&subscriptions).await {
            tracing::debug!(slot = duties.slot.0, %error, "no beacon node took the committee subscriptions: {error}");
        }
    }

    /// Once per period is enough for a beacon node; it is told again in every epoch, since it may have been restarted.
    async fn subscribe_sync(&self, duties: &SlotDuties) {
        let epoch = self.spec.epoch_of(duties.slot);
        if epoch.start(self.spec.slots_per_epoch()) != duties.slot {
            return;
        }
        let Some(known) = self.schedule.get(epoch) else { return };
        let until_epoch = Epoch((self.spec.sync_period(epoch) + 1) * self.spec.epochs_per_sync_committee_period);
        let subscriptions: Vec<SyncSubscription> = known
            .sync
            .iter()
            .map(|duty| SyncSubscription {
                validator_index: duty.validator_index,
                positions: duty.positions.clone(),
                until_epoch,
            })
            .collect();
        if subscriptions.is_empty() {
            return;
        }
        if let Err(error) = self.parts.beacon.subscribe_sync(&subscriptions).await {
            tracing::debug!(%error, "no beacon node took the sync committee subscriptions: {error}");
        }
    }

    /// Tells the beacon nodes whom blocks pay, and the builders.
    pub(super) async fn keep_proposers_prepared(self: Arc<Self>) {
        let roster = self.roster();
        let prepared: Vec<_> = roster.active().map(|validator| (validator.index, validator.fee_recipient)).collect();
        if !prepared.is_empty() {
            if let Err(error) = self.parts.beacon.prepare_proposers(&prepared).await {
                tracing::warn!(%error, "no beacon node took the fee recipients: {error}");
            }
        }
        if self.parts.settings.builder {
            for group in roster.groups.values() {
                self.register(group).await;
            }
        }
    }

    /// Signs the registrations under a time that is the same for every operator, once in an epoch, and hands them to the
    /// builders; hands them over again when it is called again, since a beacon node may have forgotten them.
    async fn register(&self, group: &Group) {
        let Some(now) = self.spec.slot_at(self.now()) else { return };
        let current = self.spec.epoch_of(now);
        let begun = self.lock_registrations().get(&group.id).cloned().filter(|told| told.epoch == current);
        if let Some(told) = begun {
            return self.tell_builders(group.id, told).await;
        }
        // Builders learn of a validator before its first duty.
        let validators = || group.validators.values().filter(|validator| validator.may_propose());
        if validators().next().is_none() {
            return;
        }
        let mut told = Told { epoch: current, signed: Arc::default(), is_taken: false };
        self.lock_registrations().insert(group.id, told.clone());
        let epoch = Epoch(current.0 - current.0 % REGISTRATION_EPOCHS);
        let timestamp = self.spec.slot_start(epoch.start(self.spec.slots_per_epoch())).seconds();
        let registrations: Vec<ValidatorRegistration> = validators()
            .map(|validator| ValidatorRegistration {
                fee_recipient: validator.fee_recipient.0,
                gas_limit: validator.gas_limit,
                timestamp,
                pubkey: validator.pubkey,
            })
            .collect();
        let items = validators()
            .zip(&registrations)
            .map(|(validator, registration)| item(validator, self.spec.registration(registration)))
            .collect();
        let slots = self.spec.slots_per_epoch();
        let id = SigningId::for_epoch(group.id, SigningKind::BuilderRegistration, current, slots);
        let request = Request::Registrations { items: registrations.clone() };
        let give_up = self.now().plus_ms(self.spec.slot_ms * slots / 2);
        let (signed, _) = self.sign(group, id, request, items, give_up).await;
        let mut complete = Vec::new();
        for (message, signature) in registrations.into_iter().zip(&signed.signatures) {
            match signature {
                Some(signature) => complete.push(SignedObject { message, signature: signature.to_bytes() }),
                None => self.parts.upkeep.tried(&message, Attempt::Incomplete, current),
            }
        }
        told.signed = complete.into();
        self.lock_registrations().insert(group.id, told.clone());
        self.tell_builders(group.id, told).await;
    }

    /// Tells builders what no beacon node took when it was due: a relay that is away for a moment is not to cost an epoch.
    pub(super) async fn tell_builders_again(self: Arc<Self>, epoch: Epoch) {
        let open = |told: &Told| told.epoch == epoch && !told.is_taken;
        let open: Vec<(CommitteeId, Told)> = {
            let held = self.lock_registrations();
            held.iter().filter(|(_, told)| open(told)).map(|(id, told)| (*id, told.clone())).collect()
        };
        for (committee, told) in open {
            self.tell_builders(committee, told).await;
        }
    }

    async fn tell_builders(&self, committee: CommitteeId, told: Told) {
        let Told { epoch, signed, .. } = told;
        if signed.is_empty() {
            return;
        }
        let attempt = match self.parts.beacon.register_validators(&signed).await {
            Ok(()) => Attempt::Taken,
            Err(error) => {
                tracing::warn!(%error, "no beacon node took the registrations for builders: {error}");
                Attempt::NotTaken
            }
        };
        if let Some(told) = self.lock_registrations().get_mut(&committee).filter(|told| told.epoch == epoch) {
            told.is_taken = attempt == Attempt::Taken;
        }
        for SignedObject { message, .. } in signed.iter() {
            self.parts.upkeep.tried(message, attempt, epoch);
        }
    }

    fn lock_registrations(&self) -> MutexGuard<'_, Registrations> {
        self.registrations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
