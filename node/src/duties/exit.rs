//! Voluntary exits that owners ordered. Every operator that has the order signs it once in an epoch until the validator is
//! leaving, so that an order which reaches the operators one after the other is carried out in the next epoch.

use std::sync::Arc;

use cluster_core::beacon::{Epoch, Signed as SignedObject, Slot, VoluntaryExit};
use cluster_core::duty::{SigningId, SigningKind};
use cluster_core::exit::SignedExitRequest;
use cluster_net::upkeep::Exit;
use tokio::sync::watch;

use super::engine::Engine;
use super::record::Draft;
use super::roster::{Group, Validator};
use super::signatures::item;
use crate::beacon::ValidatorState;
use crate::signer::Request;
use crate::store::StoreError;

/// Where the engine learns what owners ordered.
#[derive(Clone)]
pub struct Orders {
    /// The orders that are valid now.
    pub read: Arc<dyn Fn() -> Result<Vec<SignedExitRequest>, StoreError> + Send + Sync>,
    /// Changes with every new order.
    pub changed: watch::Receiver<u64>,
}

impl Orders {
    /// No owner orders anything.
    #[must_use]
    pub fn none() -> Self {
        // Without its sender the receiver never changes.
        Self { read: Arc::new(|| Ok(Vec::new())), changed: watch::Sender::new(0).subscribe() }
    }
}

impl Engine {
    /// Carries out the orders of an epoch.
    pub(super) async fn carry_out_exits(self: Arc<Self>, epoch: Epoch) {
        let read = Arc::clone(&self.parts.orders.read);
        let orders = match tokio::task::spawn_blocking(move || read()).await {
            Ok(Ok(orders)) => orders,
            Ok(Err(error)) => return tracing::error!(%error, "the orders to exit cannot be read: {error}"),
            Err(_) => return,
        };
        let roster = self.roster();
        for order in orders {
            for pubkey in &order.request.pubkeys {
                let pubkey = pubkey.to_bytes();
                let (Some(group), Some(validator)) = (roster.group_of(&pubkey), roster.get(&pubkey)) else { continue };
                if validator.status.status == ValidatorState::ActiveOngoing {
                    let exit = Arc::clone(&self).exit(Arc::clone(group), Arc::clone(validator), order.clone(), epoch);
                    self.spawn(exit);
                } else if validator.status.status.is_leaving() {
                    self.parts.upkeep.exits(&pubkey, Exit::Published);
                }
            }
        }
    }

    async fn exit(
        self: Arc<Self>,
        group: Arc<Group>,
        validator: Arc<Validator>,
        request: SignedExitRequest,
        epoch: Epoch,
    ) {
        // Valid from the first epoch on: all operators sign the same, whenever they do.
        let exit = VoluntaryExit { epoch: Epoch(0), validator_index: validator.index };
        let slots = self.spec.slots_per_epoch();
        let mut view = [0; 32];
        view.copy_from_slice(&validator.pubkey[..32]);
        let id = SigningId::for_epoch(group.id, SigningKind::VoluntaryExit, epoch, slots).with_view(&view);
        let slot = epoch.start(slots);
        let mut draft = Draft::new(slot, self.spec.slot_start(slot), group.id, SigningKind::VoluntaryExit);
        draft.edit().validators = vec![validator.index.0];
        let items = vec![item(&validator, self.spec.exit(&exit))];
        let request = Request::Exit { validator: validator.pubkey, exit, request };
        let give_up = self.spec.slot_start(Slot(slot.0 + slots));
        let (signed, own) = self.sign(&group, id, request, items, give_up).await;
        self.note_signatures(&mut draft, &group, &signed, own);
        if let Some(Some(signature)) = signed.signatures.first() {
            let signed = SignedObject { message: exit, signature: signature.to_bytes() };
            let published = self.parts.beacon.publish_exit(&signed).await;
            if published.is_ok() {
                self.parts.upkeep.exits(&validator.pubkey, Exit::Published);
                let index = validator.index;
                tracing::info!(validator_index = index.0, "validator {index} leaves, as its owner ordered");
            }
            self.note_publication(&mut draft, published.map_err(|error| error.to_string()), &[validator.index.0]);
        }
        self.record(draft.finish());
    }

    /// Looks at new orders at once, and not only in the next epoch.
    pub(super) async fn follow_orders(self: Arc<Self>) {
        let mut changed = self.parts.orders.changed.clone();
        while changed.changed().await.is_ok() {
            if let Some(slot) = self.spec.slot_at(self.now()) {
                Arc::clone(&self).carry_out_exits(self.spec.epoch_of(slot)).await;
            }
        }
    }
}
