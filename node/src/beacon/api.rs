//! [`Beacon`] over HTTP: which endpoint each question goes to, and what is checked of its answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cluster_core::beacon::{
    AggregateAndProof, Attestation, AttestationData, ChainSpec, ContributionAndProof, Epoch, Fork, Proposal, Root,
    Signed, SingleAttestation, Slot, SyncCommitteeContribution, SyncCommitteeMessage, ValidatorIndex,
    ValidatorRegistration, VoluntaryExit,
};
use cluster_core::encoding::to_hex;
use cluster_crypto::ethereum::Address;
use serde::{de::DeserializeOwned, Serialize};
use ssz::{Decode, Encode};
use tokio::sync::broadcast;

use super::answers::{self, Data, DependentData};
use super::limits::{self, Endpoint, CHUNK, REGISTRATION_CHUNK};
use super::node::{Body, Call, Node};
use super::nodes::{Pool, Purpose};
use super::publish::Message;
use super::{
    AttesterDuty, Beacon, BeaconError, BeaconEvent, BeaconNodes, CommitteeSubscription, Dependent, NodeHealth,
    ProposerDuty, SyncDuty, SyncSubscription, ValidatorStatus,
};

#[async_trait]
impl Beacon for BeaconNodes {
    async fn spec(&self) -> Result<Arc<ChainSpec>, BeaconError> {
        self.0.chain().await
    }

    async fn validators(&self, ids: &[[u8; 48]]) -> Result<Vec<ValidatorStatus>, BeaconError> {
        let mut found = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(CHUNK) {
            let ids: Vec<String> = chunk.iter().map(|id| to_hex(id)).collect();
            let call =
                post(&limits::VALIDATORS, "/eth/v1/beacon/states/head/validators", &serde_json::json!({ "ids": ids }))?;
            let validators: Data<Vec<answers::Validator>> = self.0.ask(Purpose::Plan, call).await?;
            found.extend(validators.data.into_iter().map(ValidatorStatus::from));
        }
        Ok(found)
    }

    async fn attester_duties(
        &self,
        epoch: Epoch,
        indices: &[ValidatorIndex],
    ) -> Result<Dependent<Vec<AttesterDuty>>, BeaconError> {
        let mut all: Option<Dependent<Vec<AttesterDuty>>> = None;
        for chunk in indices.chunks(CHUNK) {
            let call = post(&limits::ATTESTER_DUTIES, format!("/eth/v1/validator/duties/attester/{epoch}"), &chunk)?;
            let found: DependentData<Vec<AttesterDuty>> = self.0.ask(Purpose::Plan, call).await?;
            match &mut all {
                None => all = Some(found.into()),
                Some(all) if all.dependent_root == found.dependent_root => all.data.extend(found.data),
                Some(_) => {
                    let reason = "the chain changed between two parts of the question".to_owned();
                    return Err(BeaconError::Request { endpoint: limits::ATTESTER_DUTIES.name, reason });
                }
            }
        }
        let reason = "there are no validators to ask for".to_owned();
        all.ok_or(BeaconError::Request { endpoint: limits::ATTESTER_DUTIES.name, reason })
    }

    async fn proposer_duties(&self, epoch: Epoch) -> Result<Dependent<Vec<ProposerDuty>>, BeaconError> {
        let call = Call::get(&limits::PROPOSER_DUTIES, format!("/eth/v1/validator/duties/proposer/{epoch}"));
        let found: DependentData<Vec<ProposerDuty>> = self.0.ask(Purpose::Plan, call).await?;
        Ok(found.into())
    }

    async fn sync_duties(&self, epoch: Epoch, indices: &[ValidatorIndex]) -> Result<Vec<SyncDuty>, BeaconError> {
        let mut all = Vec::new();
        for chunk in indices.chunks(CHUNK) {
            let call = post(&limits::SYNC_DUTIES, format!("/eth/v1/validator/duties/sync/{epoch}"), &chunk)?;
            let found: Data<Vec<answers::Sync>> = self.0.ask(Purpose::Plan, call).await?;
            all.extend(found.data.into_iter().map(SyncDuty::from));
        }
        Ok(all)
    }

    async fn attestation_data(&self, slot: Slot) -> Result<AttestationData, BeaconError> {
        let path = format!("/eth/v1/validator/attestation_data?slot={slot}&committee_index=0");
        let call = Call::get(&limits::ATTESTATION_DATA, path).ssz();
        self.0
            .first(&limits::ATTESTATION_DATA, Purpose::Sign, self.0.patience, move |node, timeout| {
                let call = call.clone();
                async move {
                    let answer = node.call(&call, timeout).await?;
                    let data = if answer.is_ssz {
                        AttestationData::from_ssz_bytes(&answer.body)
                            .map_err(|error| answer.wrong(format!("{error:?}")))?
                    } else {
                        answer.json::<Data<AttestationData>>()?.data
                    };
                    if data.slot != slot {
                        return Err(answer.wrong(format!("it is for slot {}, asked was {slot}", data.slot)));
                    }
                    Ok(data)
                }
            })
            .await
    }

    async fn head_root(&self) -> Result<Root, BeaconError> {
        let call = Call::get(&limits::HEAD_ROOT, "/eth/v1/beacon/blocks/head/root");
        self.0
            .first(&limits::HEAD_ROOT, Purpose::Sign, self.0.patience, move |node, timeout| {
                let call = call.clone();
                async move {
                    let answer = node.call(&call, timeout).await?;
                    let head: answers::Head = answer.json()?;
                    if head.execution_optimistic {
                        return Err(answer.wrong("its head is not checked by its execution client"));
                    }
                    Ok(head.data.root)
                }
            })
            .await
    }

    async fn aggregate(
        &self,
        fork: Fork,
        slot: Slot,
        data_root: Root,
        committee_index: u64,
    ) -> Result<Option<Attestation>, BeaconError> {
        let preset = self.0.chain().await?.preset;
        let root = to_hex(&data_root);
        let path = format!(
            "/eth/v2/validator/aggregate_attestation?attestation_data_root={root}&slot={slot}&committee_index={committee_index}"
        );
        let call = Call::get(&limits::AGGREGATE, path).ssz();
        let found = self.0.first(&limits::AGGREGATE, Purpose::Sign, self.0.patience, move |node, timeout| {
            let call = call.clone();
            async move {
                let answer = node.call(&call, timeout).await?;
                if let Some(other) = answer.fork().filter(|name| *name != fork.name()) {
                    return Err(answer.wrong(format!("it is of {other}, asked was {fork}")));
                }
                let aggregate = if answer.is_ssz {
                    Attestation::from_ssz(&answer.body, preset).map_err(|error| answer.wrong(error))?
                } else {
                    answer.json::<Data<Attestation>>()?.data
                };
                aggregate.check(preset).map_err(|error| answer.wrong(error))?;
                if aggregate.data.root() != data_root {
                    return Err(answer.wrong("it is for other attestation data"));
                }
                Ok(aggregate)
            }
        });
        none_when_unknown(found.await)
    }

    async fn contribution(
        &self,
        slot: Slot,
        subcommittee: u64,
        block_root: Root,
    ) -> Result<Option<SyncCommitteeContribution>, BeaconError> {
        let preset = self.0.chain().await?.preset;
        let root = to_hex(&block_root);
        let path = format!(
            "/eth/v1/validator/sync_committee_contribution?slot={slot}&subcommittee_index={subcommittee}&beacon_block_root={root}"
        );
        let call = Call::get(&limits::CONTRIBUTION, path);
        let found = self.0.first(&limits::CONTRIBUTION, Purpose::Sign, self.0.patience, move |node, timeout| {
            let call = call.clone();
            async move {
                let answer = node.call(&call, timeout).await?;
                let found = answer.json::<Data<SyncCommitteeContribution>>()?.data;
                found.check(preset).map_err(|error| answer.wrong(error))?;
                if (found.slot, found.subcommittee_index, found.beacon_block_root) != (slot, subcommittee, block_root) {
                    return Err(answer.wrong("it is for another slot, subcommittee or block"));
                }
                Ok(found)
            }
        });
        none_when_unknown(found.await)
    }

    async fn produce_block(
        &self,
        slot: Slot,
        randao_reveal: &[u8; 96],
        graffiti: [u8; 32],
        builder_boost_factor: u64,
    ) -> Result<Proposal, BeaconError> {
        let chain = self.0.chain().await?;
        let fork = chain.fork_at(chain.epoch_of(slot))?;
        let (preset, reveal) = (chain.preset, *randao_reveal);
        let path = format!(
            "/eth/v3/validator/blocks/{slot}?randao_reveal={}&graffiti={}&builder_boost_factor={builder_boost_factor}",
            to_hex(randao_reveal),
            to_hex(&graffiti)
        );
        let call = Call::get(&limits::BLOCK, path).ssz();
        self.0
            .first(&limits::BLOCK, Purpose::Sign, self.0.block_patience, move |node, timeout| {
                let call = call.clone();
                async move {
                    let answer = node.call(&call, timeout).await?;
                    // Decoding and hashing a full block takes milliseconds.
                    let read =
                        tokio::task::spawn_blocking(move || answers::proposal(&answer, preset, fork, slot, &reveal));
                    read.await.unwrap_or_else(|_| Err(interrupted(&limits::BLOCK)))
                }
            })
            .await
    }

    async fn publish_block(&self, proposal: &Proposal, signature: &[u8; 96]) -> Result<(), BeaconError> {
        let preset = self.0.chain().await?.preset;
        let (endpoint, path) = match proposal.blinded {
            false => (&limits::PUBLISH_BLOCK, "/eth/v2/beacon/blocks"),
            true => (&limits::PUBLISH_BLINDED, "/eth/v2/beacon/blinded_blocks"),
        };
        let (proposal, signature, fork) = (proposal.clone(), *signature, proposal.fork);
        let prepared = tokio::task::spawn_blocking(move || {
            let root = proposal.inspect(preset).map(|summary| summary.header.root());
            root.map(|root| (root, Bytes::from(proposal.signed_contents_ssz(&signature))))
        });
        let prepared = prepared.await.map_err(|_| interrupted(endpoint))?;
        let (root, contents) =
            prepared.map_err(|error| BeaconError::Request { endpoint: endpoint.name, reason: error.to_string() })?;
        self.0.tell_block(endpoint, path, fork, contents, root).await
    }

    async fn publish_attestations(&self, fork: Fork, items: &[SingleAttestation]) -> Result<(), BeaconError> {
        let ssz: Vec<u8> = items.iter().flat_map(Encode::as_ssz_bytes).collect();
        self.0.tell(list(&limits::ATTESTATIONS, "/eth/v2/beacon/pool/attestations", Some(fork), items, Some(ssz))).await
    }

    async fn publish_aggregates(&self, fork: Fork, items: &[Signed<AggregateAndProof>]) -> Result<(), BeaconError> {
        self.0.tell(list(&limits::AGGREGATES, "/eth/v2/validator/aggregate_and_proofs", Some(fork), items, None)).await
    }

    async fn publish_sync_messages(&self, items: &[SyncCommitteeMessage]) -> Result<(), BeaconError> {
        self.0.tell(list(&limits::SYNC_MESSAGES, "/eth/v1/beacon/pool/sync_committees", None, items, None)).await
    }

    async fn publish_contributions(&self, items: &[Signed<ContributionAndProof>]) -> Result<(), BeaconError> {
        self.0.tell(list(&limits::CONTRIBUTIONS, "/eth/v1/validator/contribution_and_proofs", None, items, None)).await
    }

    async fn subscribe_committees(&self, items: &[CommitteeSubscription]) -> Result<(), BeaconError> {
        let path = "/eth/v1/validator/beacon_committee_subscriptions";
        self.0.tell(list(&limits::COMMITTEES, path, None, items, None)).await
    }

    async fn subscribe_sync(&self, items: &[SyncSubscription]) -> Result<(), BeaconError> {
        let items: Vec<answers::SyncWish> = items.iter().map(answers::SyncWish::from).collect();
        let path = "/eth/v1/validator/sync_committee_subscriptions";
        self.0.tell(list(&limits::SYNC_COMMITTEES, path, None, &items, None)).await
    }

    async fn prepare_proposers(&self, items: &[(ValidatorIndex, Address)]) -> Result<(), BeaconError> {
        let items: Vec<answers::Preparation> = items.iter().map(answers::Preparation::from).collect();
        self.0.tell(list(&limits::PREPARE, "/eth/v1/validator/prepare_beacon_proposer", None, &items, None)).await
    }

    async fn register_validators(&self, items: &[Signed<ValidatorRegistration>]) -> Result<(), BeaconError> {
        for chunk in items.chunks(REGISTRATION_CHUNK) {
            self.0.tell(list(&limits::REGISTER, "/eth/v1/validator/register_validator", None, chunk, None)).await?;
        }
        Ok(())
    }

    async fn publish_exit(&self, exit: &Signed<VoluntaryExit>) -> Result<(), BeaconError> {
        let exit = exit.clone();
        let json = Arc::new(move || written(&exit));
        let (endpoint, path) = (&limits::EXITS, "/eth/v1/beacon/pool/voluntary_exits");
        self.0.tell(Message { endpoint, path, fork: None, ssz: None, json, count: 1 }).await
    }

    async fn liveness(
        &self,
        epoch: Epoch,
        indices: &[ValidatorIndex],
    ) -> Result<Vec<(ValidatorIndex, bool)>, BeaconError> {
        let mut live: BTreeMap<ValidatorIndex, bool> = indices.iter().map(|index| (*index, false)).collect();
        for chunk in indices.chunks(CHUNK) {
            let call = post(&limits::LIVENESS, format!("/eth/v1/validator/liveness/{epoch}"), &chunk)?;
            let ask = move |node: Arc<Node>, timeout: Duration| {
                let call = call.clone();
                async move { node.call(&call, timeout).await?.json::<Data<Vec<answers::Liveness>>>() }
            };
            let found = self.0.every(&limits::LIVENESS, Purpose::Plan, self.0.patience, ask).await?;
            for seen in found.into_iter().flat_map(|found| found.data).filter(|seen| seen.is_live) {
                live.entry(seen.index).and_modify(|is_live| *is_live = true);
            }
        }
        Ok(live.into_iter().collect())
    }

    fn events(&self) -> broadcast::Receiver<BeaconEvent> {
        self.0.subscribe()
    }

    fn health(&self) -> Vec<NodeHealth> {
        self.0.all_health()
    }
}

impl Pool {
    /// Asks for JSON that needs no further checks.
    async fn ask<T: DeserializeOwned + Send>(&self, purpose: Purpose, call: Call) -> Result<T, BeaconError> {
        let endpoint = call.endpoint;
        let ask = move |node: Arc<Node>, timeout: Duration| {
            let call = call.clone();
            async move { node.call(&call, timeout).await?.json() }
        };
        self.first(endpoint, purpose, self.patience, ask).await
    }
}

fn post(endpoint: &'static Endpoint, path: impl Into<String>, body: &impl Serialize) -> Result<Call, BeaconError> {
    let json = written(body).map_err(|reason| BeaconError::Request { endpoint: endpoint.name, reason })?;
    Ok(Call::post(endpoint, path, Body::Json(json)))
}

fn list<T: Serialize + Clone + Send + Sync + 'static>(
    endpoint: &'static Endpoint,
    path: &'static str,
    fork: Option<Fork>,
    items: &[T],
    ssz: Option<Vec<u8>>,
) -> Message {
    let items = items.to_vec();
    let count = items.len();
    Message { endpoint, path, fork, ssz: ssz.map(Bytes::from), json: Arc::new(move || written(&items)), count }
}

fn written(value: &impl Serialize) -> Result<Bytes, String> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|error| error.to_string())
}

/// Nodes answer 404 for what they do not have.
fn none_when_unknown<T>(found: Result<T, BeaconError>) -> Result<Option<T>, BeaconError> {
    let unknown = |error: &BeaconError| matches!(error, BeaconError::Status { status: 404, .. });
    match found {
        Ok(found) => Ok(Some(found)),
        Err(BeaconError::All { errors, .. }) if errors.iter().any(unknown) => Ok(None),
        Err(error) if unknown(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The runtime is shutting down.
fn interrupted(endpoint: &'static Endpoint) -> BeaconError {
    BeaconError::Request { endpoint: endpoint.name, reason: "the node is stopping".to_owned() }
}
