//! One operator that is measured.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster_core::beacon::{AttestationData, ChainSpec, SingleAttestation, ValidatorIndex};
use cluster_core::committee::{Committee, OperatorId};
use cluster_core::consensus::{Message, MAX_MESSAGE_BYTES};
use cluster_core::duty::{CommitteeId, InstanceId, InstanceKind, SigningId, SigningKind};
use cluster_core::encoding::{decode, encode};
use cluster_core::judgement::compare_attestation;
use cluster_core::machine::Time;
use cluster_core::signing::Item;
use cluster_crypto::identity;
use cluster_net::info::Role;
use cluster_net::{consensus, signing};
use cluster_node::duties::clock::SlotTimes;
use cluster_node::duties::hub::{Delivery, Hub, Judge, Timing};
use cluster_node::duties::mesh::{self, ClientMesh, DutyMessage};
use cluster_node::duties::Clock;
use cluster_node::metrics::Metrics;
use cluster_node::network::{self, Client, Event, EventStream, NetworkConfig, Stats, Transport};
use cluster_node::signer::{LocalSigner, Request, Signer};
use cluster_node::store::Store;
use futures::future::join_all;
use futures::FutureExt;
use libp2p::Multiaddr;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::MeasureError;
use crate::dealt::Dealt;
use crate::world::World;

/// Where attestations are submitted, as at a beacon node.
pub(super) const SUBMISSIONS: &str = "/eth/v2/beacon/pool/attestations";
/// First round of consensus, and the time for a slot's work.
const ROUND_MS: u64 = 1_000;
const GIVE_UP_MS: u64 = 1_900;

/// What all operators have in common.
pub(super) struct Mesh<'a> {
    pub(super) world: &'a World,
    pub(super) committee: Arc<Committee>,
    pub(super) spec: Arc<ChainSpec>,
    pub(super) transport: Transport,
    pub(super) sink: String,
}

/// What one operator did in one slot, from the moment at which it had its attestation data.
pub(super) struct Done {
    pub(super) decided: Duration,
    pub(super) signed: Duration,
    pub(super) submitted: Duration,
    pub(super) round: u32,
}

/// An operator: mesh, hub, database and signer, as in a node.
pub(super) struct Operator {
    id: OperatorId,
    client: Client,
    hub: Hub,
    signer: LocalSigner,
    spec: Arc<ChainSpec>,
    committee: CommitteeId,
    items: Vec<Item>,
    values: Arc<AtomicU64>,
    http: reqwest::Client,
    url: String,
    stop: CancellationToken,
}

impl Operator {
    pub(super) async fn start(
        mesh: &Mesh<'_>,
        (id, identity): (OperatorId, &identity::SecretKey),
        data_dir: &Path,
        known: Vec<Multiaddr>,
        dealt: &Dealt,
    ) -> Result<Self, MeasureError> {
        let (identity, store) = (identity.clone(), Arc::new(Store::open(data_dir, identity)?));
        let registry = Arc::new(mesh.world.registry()?);
        let chain_id = mesh.world.network.chain_id();
        let mut config = NetworkConfig::new(identity.clone(), Role::Operator, chain_id, registry);
        let address = match mesh.transport {
            Transport::Tcp => "/ip4/127.0.0.1/tcp/0",
            Transport::Quic | Transport::Both => "/ip4/127.0.0.1/udp/0/quic-v1",
        };
        config.listen = address.parse().into_iter().collect();
        config.transport = mesh.transport;
        config.bootstrap = known;
        let (client, events) = network::Network::start(config).await?;
        let (clock, metrics, stop) = (Clock::system(), Metrics::new(), CancellationToken::new());
        let inner = ClientMesh::new(client.clone(), clock, metrics.clone(), stop.clone(), TaskTracker::new());
        let values = Arc::new(AtomicU64::new(0));
        let counted = Counted { inner, values: Arc::clone(&values) };
        let hub = Hub::new(id, identity, Arc::new(counted), Arc::clone(&store) as _, clock, Arc::new(metrics));
        let spec = Arc::clone(&mesh.spec);
        let (genesis, slot_ms, slots_per_epoch) = (spec.genesis(), spec.slot_ms, spec.slots_per_epoch());
        hub.set_slots(SlotTimes { genesis, slot_ms, slots_per_epoch });
        let committee = CommitteeId::new(chain_id, &mesh.committee);
        hub.add_committee(committee, Arc::clone(&mesh.committee));
        tokio::spawn(serve(events, hub.clone()));
        let items = dealt.groups.iter().zip(&dealt.share_keys);
        let items = items.map(|(key, keys)| Item { validator: *key, root: [0; 32], share_keys: Arc::clone(keys) });
        Ok(Self {
            id,
            client,
            hub,
            signer: LocalSigner::open(store, Arc::new(move || clock.now()))?,
            spec,
            committee,
            items: items.collect(),
            values,
            http: reqwest::Client::new(),
            url: format!("{}{SUBMISSIONS}", mesh.sink),
            stop,
        })
    }

    pub(super) fn addresses(&self) -> Vec<Multiaddr> {
        let peer = libp2p::multiaddr::Protocol::P2p(self.client.local_peer_id());
        self.client.addresses().into_iter().map(|address| address.with(peer.clone())).collect()
    }

    pub(super) async fn is_connected(&self, all: &[Self], patience: Duration) -> bool {
        let others = all.iter().filter(|other| other.id != self.id);
        let there = others.map(|other| self.client.wait_connected(other.client.local_peer_id(), patience));
        join_all(there).await.into_iter().all(|there| there)
    }

    pub(super) fn stats(&self) -> Stats {
        self.client.stats()
    }

    /// Proposals with their value that left it.
    pub(super) fn values_sent(&self) -> u64 {
        self.values.load(Ordering::Relaxed)
    }

    pub(super) async fn stop(self) {
        self.hub.shutdown().await;
        self.stop.cancel();
        self.client.shutdown().await;
    }

    /// Everything that an operator does about the attestations of a slot.
    pub(super) async fn attest(&self, data: &AttestationData) -> Result<Done, MeasureError> {
        let started = Instant::now();
        let missed = |reason: String| MeasureError::Missed { slot: data.slot, operator: self.id, reason };
        let instance = InstanceId { committee: self.committee, slot: data.slot, kind: InstanceKind::Attestation };
        let start = self.spec.slot_start(data.slot);
        let give_up: Time = start.plus_ms(GIVE_UP_MS);
        let timing = Timing { start, round_ms: ROUND_MS, give_up };
        let own = *data;
        let judge: Judge = Arc::new(move |value| {
            let judged = decode::<AttestationData>(&value, MAX_MESSAGE_BYTES).map_err(|error| error.to_string());
            let judged =
                judged.and_then(|data| compare_attestation(&data, &own).map_err(|objection| objection.to_string()));
            futures::future::ready(judged).boxed()
        });
        let value = futures::future::ready(Some(encode(data))).boxed();
        let agreed = self.hub.agree(instance, timing, value, judge).await.map_err(|error| missed(error.to_string()))?;
        let decided = started.elapsed();
        let data: AttestationData =
            decode(&agreed.value, MAX_MESSAGE_BYTES).map_err(|error| missed(error.to_string()))?;
        let root = self.spec.attestation(&data);
        let items: Vec<Item> = self.items.iter().map(|item| Item { root, ..item.clone() }).collect();
        let validators = items.iter().map(|item| item.validator.to_bytes()).collect();
        let own = self.signer.sign(&self.spec, Request::Attestations { validators, data }).await;
        let own = own.map_err(|error| missed(error.to_string()))?;
        let own = own.into_iter().map(|answer| answer.map(Some).map_err(|refusal| missed(refusal.words)));
        let own = own.collect::<Result<Vec<_>, _>>()?;
        let id = SigningId::new(self.committee, SigningKind::Attestation, data.slot);
        let signed = self.hub.sign(id, items, own, give_up).await;
        let signatures: Option<Vec<_>> = signed.signatures.into_iter().collect();
        let signatures = signatures.ok_or_else(|| missed("signatures are missing".to_owned()))?;
        let signed = started.elapsed();
        let attestations: Vec<SingleAttestation> = (0..)
            .zip(signatures)
            .map(|(index, signature)| SingleAttestation {
                committee_index: 0,
                attester_index: ValidatorIndex(index),
                data,
                signature: signature.to_bytes(),
            })
            .collect();
        let sent = self.http.post(&self.url).json(&attestations).send().await;
        sent.and_then(reqwest::Response::error_for_status).map_err(|error| missed(error.to_string()))?;
        Ok(Done { decided, signed, submitted: started.elapsed(), round: agreed.round })
    }
}

/// What the operator role does with these events.
async fn serve(mut events: EventStream, hub: Hub) {
    while let Some(event) = events.next().await {
        match event {
            Event::Consensus { from, request: consensus::Request::Deliver { instance, message }, responder } => {
                let Some(from) = from.member.operator_id() else { continue };
                responder.respond(match hub.deliver(from, DutyMessage::Consensus(instance, message)) {
                    Delivery::Accepted => consensus::Response::Accepted,
                    Delivery::Busy => consensus::Response::Busy,
                    Delivery::Refused(reason) => consensus::Response::refused(reason),
                });
            }
            Event::Signing { from, request: signing::Request::Deliver { id, message }, responder } => {
                let Some(from) = from.member.operator_id() else { continue };
                responder.respond(match hub.deliver(from, DutyMessage::Signing(id, message)) {
                    Delivery::Accepted => signing::Response::Accepted,
                    Delivery::Busy => signing::Response::Busy,
                    Delivery::Refused(reason) => signing::Response::refused(reason),
                });
            }
            _ => {}
        }
    }
}

/// Counts values on their way to the mesh.
struct Counted {
    inner: ClientMesh,
    values: Arc<AtomicU64>,
}

impl mesh::Mesh for Counted {
    fn send(&self, to: OperatorId, message: DutyMessage, expires: Time) {
        if let DutyMessage::Consensus(_, bytes) = &message {
            let carries = match Message::decode(bytes, MAX_MESSAGE_BYTES) {
                Ok(Message::Propose(proposal)) => proposal.value.is_some(),
                Ok(Message::Value { .. }) => true,
                _ => false,
            };
            self.values.fetch_add(u64::from(carries), Ordering::Relaxed);
        }
        self.inner.send(to, message, expires);
    }
}
