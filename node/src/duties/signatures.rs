//! What an engine signs: own partials, those of the others, and why a validator has no signature.

use std::collections::BTreeSet;
use std::sync::Arc;

use cluster_core::beacon::Root;
use cluster_core::committee::OperatorId;
use cluster_core::duty::{SigningId, SigningKind};
use cluster_core::machine::Time;
use cluster_core::signing::Item;
use cluster_net::upkeep::Exit;

use super::engine::Engine;
use super::hub::Signed;
use super::metrics::{HELD_BACK, SIGNER_FAILED};
use super::record::{Draft, Miss};
use super::roster::{Group, Validator};
use crate::signer::{Refusal, RefusalKind, Request};

/// Least time for combining what others have signed, in milliseconds.
const COLLECT_MS: u64 = 1_000;

impl Engine {
    /// Signs with this operator's shares, exchanges partials and combines them. A refusal of the signer is not the end: the
    /// others may be enough.
    pub(super) async fn sign(
        &self,
        group: &Group,
        id: SigningId,
        request: Request,
        items: Vec<Item>,
        give_up: Time,
    ) -> (Signed, Option<Miss>) {
        if (self.parts.has_twin)() {
            return (self.collect(id, items, give_up, &Miss::Twin).await, Some(Miss::Twin));
        }
        let count = items.len();
        let held: Vec<bool> = request.validators().iter().map(|validator| self.doppelganger.holds(validator)).collect();
        let (own, miss) = match self.parts.signer.sign(&self.spec, request).await {
            Ok(answers) => {
                for refusal in answers.iter().filter_map(|answer| answer.as_ref().err()) {
                    self.parts.metrics.withhold(id.kind.name(), refusal.kind.name(), 1);
                }
                let refusal = answers.iter().find_map(|answer| answer.as_ref().err()).map(refused);
                if let Some(miss) = &refusal {
                    tracing::warn!(slot = id.slot.0, committee_id = %group.id, kind = id.kind.name(), "not signed: {miss}");
                }
                (answers.into_iter().map(Result::ok).collect(), refusal)
            }
            Err(error) => {
                tracing::error!(slot = id.slot.0, committee_id = %group.id, kind = id.kind.name(), %error, "the signer failed: {error}");
                self.parts.metrics.withhold(id.kind.name(), SIGNER_FAILED, count);
                (vec![None; count], Some(Miss::Signer { reason: error.to_string() }))
            }
        };
        if id.kind == SigningKind::VoluntaryExit {
            // Told at once: the others may take the rest of the epoch.
            let signed = items.iter().zip(&own).zip(&held).filter(|((_, own), held)| own.is_some() && !**held);
            signed.for_each(|((item, _), _)| self.parts.upkeep.exits(&item.validator.to_bytes(), Exit::Signed));
        }
        if !held.contains(&true) {
            return (self.parts.hub.sign(id, items, own, give_up).await, miss);
        }
        self.parts.metrics.withhold(id.kind.name(), HELD_BACK, held.iter().filter(|held| **held).count());
        let own = own.into_iter().zip(&held).map(|(partial, held)| partial.filter(|_| !held)).collect();
        let keys: Vec<_> = items.iter().map(|item| item.validator.to_bytes()).collect();
        let signed = self.parts.hub.sign(id, items, own, give_up).await;
        for ((key, signature), held) in keys.iter().zip(&signed.signatures).zip(held) {
            if held && signature.is_some() {
                self.doppelganger.at_work(key);
            }
        }
        (signed, miss.or(Some(Miss::Doppelganger)))
    }

    /// As [`Engine::sign`]; with an objection, without own partials.
    pub(super) async fn sign_unless(
        &self,
        objection: Option<&Miss>,
        group: &Group,
        id: SigningId,
        request: Request,
        items: Vec<Item>,
        give_up: Time,
    ) -> (Signed, Option<Miss>) {
        match objection {
            Some(objection) => (self.collect(id, items, give_up, objection).await, Some(objection.clone())),
            None => self.sign(group, id, request, items, give_up).await,
        }
    }

    /// Combines what the others sign, when this operator does not sign itself.
    async fn collect(&self, id: SigningId, items: Vec<Item>, give_up: Time, objection: &Miss) -> Signed {
        self.parts.metrics.withhold(id.kind.name(), objection.name(), items.len());
        let none = vec![None; items.len()];
        // Who comes late finds the others' partials waiting, and needs a moment to combine them.
        let give_up = give_up.max(self.now().plus_ms(COLLECT_MS));
        self.parts.hub.sign(id, items, none, give_up).await
    }

    /// Writes down why some validators have no signature.
    pub(super) fn note_signatures(&self, draft: &mut Draft, group: &Group, signed: &Signed, own: Option<Miss>) {
        draft.signed(self.now(), &signed.participants, &signed.bad);
        if signed.signatures.iter().all(Option::is_some) {
            return;
        }
        if let Some(reason) = signed.failure.clone() {
            return draft.missed(Miss::Signer { reason });
        }
        let heard: BTreeSet<OperatorId> = signed.participants.iter().map(|(id, _)| *id).collect();
        let missing = group.committee.ids().filter(|id| !heard.contains(id)).collect();
        draft.missed(own.unwrap_or(Miss::TooFewPartials { missing }));
    }
}

/// A partial that has to be combined.
pub(super) fn item(validator: &Validator, root: Root) -> Item {
    Item { validator: validator.key, root, share_keys: Arc::clone(&validator.share_keys) }
}

fn refused(refusal: &Refusal) -> Miss {
    let reason = refusal.words.clone();
    match refusal.kind {
        RefusalKind::Slashing => Miss::Slashable { reason },
        _ => Miss::Signer { reason },
    }
}
