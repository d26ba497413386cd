//! Aggregates and sync committee contributions: two thirds into the slot, one decision for all of them.
//!
//! Who aggregates follows from selection proofs, which the committee signed an epoch ahead.

use std::sync::Arc;

use cluster_core::beacon::{
    is_aggregator, is_sync_aggregator, AggregateAndProof, Attestation, AttestationData, ContributionAndProof, Fork,
    Signed as SignedObject, SyncCommitteeContribution,
};
use cluster_core::consensus;
use cluster_core::duty::{InstanceId, InstanceKind, SigningId, SigningKind};
use cluster_core::machine::Time;
use futures::future::{join_all, BoxFuture};
use futures::FutureExt;

use super::attestation::SlotDuties;
use super::engine::Engine;
use super::hub::{Agreed, Judge, Timing};
use super::proofs::Proof;
use super::record::{Draft, Miss};
use super::roster::Validator;
use super::signatures::item;
use super::value::{check_aggregation, committee_index, decode_aggregation, encode_aggregation, Aggregation};
use crate::signer::Request;

/// A validator that aggregates its committee's attestations.
struct Aggregator {
    validator: Arc<Validator>,
    committee_index: u64,
    proof: [u8; 96],
}

/// A validator that aggregates a subcommittee's messages.
struct Contributor {
    validator: Arc<Validator>,
    subcommittee: u64,
    proof: [u8; 96],
}

impl Engine {
    /// Everything after the committee's decision about the attestation.
    pub(super) async fn aggregate(self: &Arc<Self>, duties: &SlotDuties, data: &AttestationData) {
        let slot_start = self.spec.slot_start(duties.slot);
        let due = slot_start.plus_ms(self.spec.aggregate_due_ms);
        self.parts.clock.sleep_until(due).await;
        let aggregators = self.aggregators(duties);
        let contributors = self.contributors(duties);
        if aggregators.is_empty() && contributors.is_empty() {
            return;
        }
        let Ok(fork) = self.spec.fork_at(self.spec.epoch_of(duties.slot)) else { return };
        let give_up = slot_start.plus_ms(2 * self.spec.slot_ms);
        let mut committees: Vec<u64> = aggregators.iter().map(|aggregator| aggregator.committee_index).collect();
        committees.dedup();
        let mut subcommittees: Vec<u64> = contributors.iter().map(|contributor| contributor.subcommittee).collect();
        subcommittees.sort_unstable();
        subcommittees.dedup();
        let wanted = Wanted { data: *data, fork, committees, subcommittees };
        match self.decide_aggregation(duties, wanted, due, give_up).await {
            Ok((value, agreed)) => {
                tokio::join!(
                    self.sign_aggregates(duties, &aggregators, &value, &agreed, fork, give_up),
                    self.sign_contributions(duties, &contributors, &value, &agreed, give_up),
                );
            }
            Err(miss) => {
                let mut kinds = Vec::new();
                if !aggregators.is_empty() {
                    kinds.push((SigningKind::AggregateAndProof, indices(aggregators.iter().map(|a| &a.validator))));
                }
                if !contributors.is_empty() {
                    kinds.push((SigningKind::ContributionAndProof, indices(contributors.iter().map(|c| &c.validator))));
                }
                for (kind, validators) in kinds {
                    let mut draft = self.draft(duties, kind);
                    draft.edit().validators = validators;
                    draft.missed(miss.clone());
                    self.record(draft.finish());
                }
            }
        }
    }

    fn aggregators(&self, duties: &SlotDuties) -> Vec<Aggregator> {
        let mut aggregators: Vec<Aggregator> = duties
            .attesters
            .iter()
            .filter_map(|attester| {
                let proof = self.proofs.get(duties.slot, Proof::Selection, &attester.validator.pubkey)?;
                let chosen = is_aggregator(&self.spec, attester.duty.committee_length, &proof);
                chosen.then(|| Aggregator {
                    validator: Arc::clone(&attester.validator),
                    committee_index: attester.duty.committee_index,
                    proof,
                })
            })
            .collect();
        aggregators.sort_by_key(|aggregator| aggregator.committee_index);
        aggregators
    }

    fn contributors(&self, duties: &SlotDuties) -> Vec<Contributor> {
        let mut contributors = Vec::new();
        for member in &duties.sync {
            for subcommittee in &member.subcommittees {
                let kind = Proof::SyncSelection(*subcommittee);
                let Some(proof) = self.proofs.get(duties.slot, kind, &member.validator.pubkey) else { continue };
                if is_sync_aggregator(&self.spec, &proof) {
                    let validator = Arc::clone(&member.validator);
                    contributors.push(Contributor { validator, subcommittee: *subcommittee, proof });
                }
            }
        }
        contributors
    }

    async fn decide_aggregation(
        self: &Arc<Self>,
        duties: &SlotDuties,
        wanted: Wanted,
        due: Time,
        give_up: Time,
    ) -> Result<(Aggregation, Agreed), Miss> {
        let instance = InstanceId { committee: duties.group.id, slot: duties.slot, kind: InstanceKind::Aggregation };
        let round_ms = self.round_ms();
        let leads = consensus::leader(&duties.group.committee, &instance, 1) == self.parts.me;
        let (data, preset) = (wanted.data, self.spec.preset);
        let engine = Arc::clone(self);
        let value = async move {
            if !leads {
                // Aggregates get better with time, and only the leader of a later round needs this operator's.
                engine.parts.clock.sleep_until(due.plus_ms(round_ms)).await;
            }
            Some(encode_aggregation(&engine.own_aggregation(&wanted).await))
        };
        let judge: Judge = Arc::new(move |value: Arc<[u8]>| -> BoxFuture<'static, Result<(), String>> {
            let judged = decode_aggregation(&value).and_then(|value| check_aggregation(&value, &data, preset));
            async move { judged }.boxed()
        });
        let timing = Timing { start: due, round_ms, give_up };
        let agreed = self
            .parts
            .hub
            .agree(instance, timing, value.boxed(), judge)
            .await
            .map_err(|error| Miss::NoQuorum { reason: error.to_string() })?;
        let value = decode_aggregation(&agreed.value)
            .and_then(|value| check_aggregation(&value, &data, preset).map(|()| value))
            .map_err(|reason| Miss::OtherView { reason })?;
        Ok((value, agreed))
    }

    async fn own_aggregation(&self, wanted: &Wanted) -> Aggregation {
        let beacon = &self.parts.beacon;
        let (slot, root) = (wanted.data.slot, wanted.data.root());
        let aggregates =
            join_all(wanted.committees.iter().map(|committee| beacon.aggregate(wanted.fork, slot, root, *committee)));
        let block_root = wanted.data.beacon_block_root;
        let contributions = join_all(
            wanted.subcommittees.iter().map(|subcommittee| beacon.contribution(slot, *subcommittee, block_root)),
        );
        let (aggregates, contributions) = tokio::join!(aggregates, contributions);
        // What a beacon node does not have is left out: the rest is of use without it.
        Aggregation {
            aggregates: aggregates.into_iter().flatten().flatten().collect(),
            contributions: contributions.into_iter().flatten().flatten().collect(),
        }
    }

    async fn sign_aggregates(
        &self,
        duties: &SlotDuties,
        aggregators: &[Aggregator],
        value: &Aggregation,
        agreed: &Agreed,
        fork: Fork,
        give_up: Time,
    ) {
        if aggregators.is_empty() {
            return;
        }
        let mut draft = self.draft(duties, SigningKind::AggregateAndProof);
        draft.edit().validators = indices(aggregators.iter().map(|aggregator| &aggregator.validator));
        self.note_aggregation(&mut draft, duties, agreed);
        let found = |index: u64| -> Option<&Attestation> {
            value.aggregates.iter().find(|aggregate| committee_index(aggregate, self.spec.preset) == Some(index))
        };
        let objects: Vec<(Arc<Validator>, AggregateAndProof)> = aggregators
            .iter()
            .filter_map(|aggregator| {
                let message = AggregateAndProof {
                    aggregator_index: aggregator.validator.index,
                    aggregate: found(aggregator.committee_index)?.clone(),
                    selection_proof: aggregator.proof,
                };
                Some((Arc::clone(&aggregator.validator), message))
            })
            .collect();
        if objects.len() < aggregators.len() {
            draft.missed(Miss::BeaconNode { reason: "the decided list lacks the aggregate of a committee".to_owned() });
        }
        let items = objects.iter().map(|(validator, object)| item(validator, self.spec.aggregate_and_proof(object)));
        let items = items.collect();
        let request = Request::AggregateAndProofs {
            items: objects.iter().map(|(validator, object)| (validator.pubkey, object.clone())).collect(),
        };
        let id = SigningId::new(duties.group.id, SigningKind::AggregateAndProof, duties.slot);
        let (signed, own) = self.sign(&duties.group, id, request, items, give_up).await;
        self.note_signatures(&mut draft, &duties.group, &signed, own);
        let signed = with_signatures(objects.into_iter().map(|(_, object)| object), &signed.signatures);
        if !signed.is_empty() {
            let published = self.parts.beacon.publish_aggregates(fork, &signed).await;
            let done: Vec<u64> = signed.iter().map(|signed| signed.message.aggregator_index.0).collect();
            self.note_publication(&mut draft, published.map_err(|error| error.to_string()), &done);
        }
        self.record(draft.finish());
    }

    async fn sign_contributions(
        &self,
        duties: &SlotDuties,
        contributors: &[Contributor],
        value: &Aggregation,
        agreed: &Agreed,
        give_up: Time,
    ) {
        if contributors.is_empty() {
            return;
        }
        let mut draft = self.draft(duties, SigningKind::ContributionAndProof);
        draft.edit().validators = indices(contributors.iter().map(|contributor| &contributor.validator));
        self.note_aggregation(&mut draft, duties, agreed);
        let found = |subcommittee: u64| -> Option<&SyncCommitteeContribution> {
            value.contributions.iter().find(|contribution| contribution.subcommittee_index == subcommittee)
        };
        let objects: Vec<(Arc<Validator>, ContributionAndProof)> = contributors
            .iter()
            .filter_map(|contributor| {
                let message = ContributionAndProof {
                    aggregator_index: contributor.validator.index,
                    contribution: found(contributor.subcommittee)?.clone(),
                    selection_proof: contributor.proof,
                };
                Some((Arc::clone(&contributor.validator), message))
            })
            .collect();
        if objects.len() < contributors.len() {
            let reason = "the decided list lacks the contribution of a subcommittee".to_owned();
            draft.missed(Miss::BeaconNode { reason });
        }
        let items = objects.iter().map(|(validator, object)| item(validator, self.spec.contribution_and_proof(object)));
        let items = items.collect();
        let request = Request::ContributionAndProofs {
            items: objects.iter().map(|(validator, object)| (validator.pubkey, object.clone())).collect(),
        };
        let id = SigningId::new(duties.group.id, SigningKind::ContributionAndProof, duties.slot);
        let (signed, own) = self.sign(&duties.group, id, request, items, give_up).await;
        self.note_signatures(&mut draft, &duties.group, &signed, own);
        let signed = with_signatures(objects.into_iter().map(|(_, object)| object), &signed.signatures);
        if !signed.is_empty() {
            let published = self.parts.beacon.publish_contributions(&signed).await;
            let done: Vec<u64> = signed.iter().map(|signed| signed.message.aggregator_index.0).collect();
            self.note_publication(&mut draft, published.map_err(|error| error.to_string()), &done);
        }
        self.record(draft.finish());
    }

    fn note_aggregation(&self, draft: &mut Draft, duties: &SlotDuties, agreed: &Agreed) {
        let instance = InstanceId { committee: duties.group.id, slot: duties.slot, kind: InstanceKind::Aggregation };
        let leader = consensus::leader(&duties.group.committee, &instance, agreed.round);
        draft.decided(agreed.decided_at, agreed.round, leader);
    }
}

/// What has to be aggregated.
struct Wanted {
    data: AttestationData,
    fork: Fork,
    committees: Vec<u64>,
    subcommittees: Vec<u64>,
}

fn indices<'a>(validators: impl Iterator<Item = &'a Arc<Validator>>) -> Vec<u64> {
    validators.map(|validator| validator.index.0).collect()
}

fn with_signatures<T>(
    objects: impl Iterator<Item = T>,
    signatures: &[Option<cluster_crypto::bls::Signature>],
) -> Vec<SignedObject<T>> {
    let signed = objects.zip(signatures);
    signed
        .filter_map(|(message, signature)| Some(SignedObject { message, signature: (*signature)?.to_bytes() }))
        .collect()
}
