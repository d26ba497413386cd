//! Our client of beacon nodes against two real ones: everything that duties ask and tell, and the death of one of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use cluster_core::beacon::{
    AggregateAndProof, AttestationData, ChainSpec, ContributionAndProof, Epoch, Fork, Proposal, Root, Signed,
    SingleAttestation, Slot, SyncCommitteeMessage, ValidatorIndex, ValidatorRegistration, VoluntaryExit,
};
use cluster_core::encoding::to_hex;
use cluster_core::machine::Time;
use cluster_crypto::bls::{HashedMessage, SecretKey};
use cluster_crypto::ethereum::Address;
use cluster_node::beacon::{
    AttesterDuty, Beacon, BeaconError, BeaconEvent, BeaconNodes, CommitteeSubscription, HeadEvent, NodeState, SyncDuty,
    SyncSubscription, ValidatorState,
};
use cluster_node::config::BeaconConfig;
use cluster_node::metrics::Metrics;
use cluster_node::service_client::now_ms;
use cluster_testnet::lodestar::{interop_key, unix_seconds, Lodestar, Options};
use support::eventually;
use tokio::sync::broadcast::Receiver;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const VALIDATORS: usize = 16;
const PATIENCE: Duration = Duration::from_secs(60);
const BLOCK_PAID_TO: Address = Address([0xfe; 20]);

/// All validators in one place, which is what a real network must never have.
struct Validators {
    nodes: Arc<BeaconNodes>,
    spec: Arc<ChainSpec>,
    keys: Vec<SecretKey>,
    events: Receiver<BeaconEvent>,
    proposers: BTreeMap<Slot, ValidatorIndex>,
    attesters: Vec<AttesterDuty>,
    sync: Vec<SyncDuty>,
}

impl Validators {
    async fn new(nodes: Arc<BeaconNodes>) -> Self {
        let keys: Vec<SecretKey> = (0..VALIDATORS as u64).map(|index| interop_key(index).unwrap()).collect();
        let (events, spec) = (nodes.events(), nodes.spec().await.unwrap());
        // Before genesis nodes know the duties of epoch 0 only.
        tokio::time::sleep(Duration::from_millis(spec.genesis().since(Time(now_ms())))).await;
        let indices: Vec<ValidatorIndex> = (0..VALIDATORS as u64).map(ValidatorIndex).collect();
        let (mut proposers, mut attesters) = (BTreeMap::new(), Vec::new());
        for epoch in [0, 1].map(Epoch) {
            let found = nodes.proposer_duties(epoch).await.unwrap();
            assert_eq!(found.dependent_root, nodes.head_root().await.unwrap(), "duties depend on genesis");
            proposers.extend(found.data.iter().map(|duty| (duty.slot, duty.validator_index)));
            let found = nodes.attester_duties(epoch, &indices).await.unwrap();
            assert_eq!(found.data.len(), VALIDATORS, "everybody attests once in an epoch");
            attesters.extend(found.data);
        }
        let sync = nodes.sync_duties(Epoch(0), &indices).await.unwrap();
        assert_eq!(sync.iter().map(|duty| duty.positions.len()).sum::<usize>(), 32, "positions of the sync committee");
        Self { nodes, spec, keys, events, proposers, attesters, sync }
    }

    fn sign(&self, index: ValidatorIndex, root: Root) -> [u8; 96] {
        self.keys[usize::try_from(index.0).unwrap()].sign(&HashedMessage::new(&root)).to_bytes()
    }

    /// Waits until a slot begins.
    async fn begin(&self, slot: Slot) {
        let wait = self.spec.slot_start(slot).since(Time(now_ms()));
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }

    /// The next slot that has not begun.
    fn next_slot(&self) -> Slot {
        Slot(self.spec.slot_at(Time(now_ms())).map_or(1, |slot| slot.0 + 1))
    }

    /// Proposes in a slot; returns the block's root.
    async fn propose(&mut self, slot: Slot) -> Root {
        let proposer = self.proposers[&slot];
        let randao = self.sign(proposer, self.spec.randao(self.spec.epoch_of(slot)));
        let proposal = self.nodes.produce_block(slot, &randao, [7; 32], 0).await.unwrap();
        assert_eq!((proposal.fork, proposal.blinded), (Fork::Electra, false));
        let summary = proposal.inspect(self.spec.preset).unwrap();
        assert_eq!((summary.header.slot, summary.header.proposer_index), (slot, proposer));
        assert_eq!((summary.fee_recipient, summary.graffiti), (BLOCK_PAID_TO.0, [7; 32]));
        let signature = self.sign(proposer, self.spec.block(&summary.header));
        self.nodes.publish_block(&proposal, &signature).await.unwrap();
        // As another operator of the committee would.
        self.nodes.publish_block(&proposal, &signature).await.unwrap();
        let head = self.head_of(slot).await;
        assert_eq!(head.block_root, summary.header.root(), "the node computes the same root");
        head.block_root
    }

    /// Proposes in a slot with a blinded block, which the node that made it completes again.
    async fn propose_blinded(&mut self, slot: Slot, url: &str) -> Root {
        let proposer = self.proposers[&slot];
        let randao = to_hex(&self.sign(proposer, self.spec.randao(self.spec.epoch_of(slot))));
        let url = format!("{url}/eth/v3/validator/blocks/{slot}?randao_reveal={randao}&blinded_local=true");
        let request = reqwest::Client::builder().no_proxy().build().unwrap().get(url);
        let answer = request.header("accept", "application/octet-stream").send().await.unwrap();
        assert_eq!(answer.headers()["eth-execution-payload-blinded"], "true");
        let block = answer.bytes().await.unwrap();
        let proposal = Proposal::from_contents_ssz(Fork::Electra, true, &block).unwrap();
        let header = proposal.inspect(self.spec.preset).unwrap().header;
        let signature = self.sign(proposer, self.spec.block(&header));
        self.nodes.publish_block(&proposal, &signature).await.unwrap();
        assert_eq!(self.head_of(slot).await.block_root, header.root(), "a block has the root of its blinded form");
        header.root()
    }

    async fn head_of(&mut self, slot: Slot) -> HeadEvent {
        let wait = async {
            loop {
                match self.events.recv().await.unwrap() {
                    BeaconEvent::Head(head) if head.slot == slot => return head,
                    _ => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("a head event")
    }

    fn attestations(&self, data: AttestationData) -> Vec<SingleAttestation> {
        let root = self.spec.attestation(&data);
        let duties = self.attesters.iter().filter(|duty| duty.slot == data.slot);
        duties
            .map(|duty| SingleAttestation {
                committee_index: duty.committee_index,
                attester_index: duty.validator_index,
                data,
                signature: self.sign(duty.validator_index, root),
            })
            .collect()
    }

    /// Attests in a slot, and aggregates.
    async fn attest(&self, slot: Slot) {
        let data = self.nodes.attestation_data(slot).await.unwrap();
        let mut items = self.attestations(data);
        let good = items[1].signature;
        items[1].signature = items[0].signature;
        let error = self.nodes.publish_attestations(Fork::Electra, &items).await.unwrap_err();
        let BeaconError::Refused { failures, of: 2, .. } = &error else { panic!("{error:?}") };
        assert_eq!(failures.iter().map(|failure| failure.index).collect::<Vec<_>>(), [1], "{error}");
        items[1].signature = good;
        self.nodes.publish_attestations(Fork::Electra, &items).await.unwrap();

        let found = self.nodes.aggregate(Fork::Electra, slot, data.root(), items[0].committee_index).await.unwrap();
        let aggregate = found.expect("an aggregate");
        assert_eq!(aggregate.participants(), 2, "both attesters of the slot");
        let none = self.nodes.aggregate(Fork::Electra, slot, [3; 32], 0).await;
        assert_eq!(none, Ok(None), "an aggregate that nobody has");
        let aggregator_index = items[0].attester_index;
        let selection_proof = self.sign(aggregator_index, self.spec.selection(slot));
        let message = AggregateAndProof { aggregator_index, aggregate, selection_proof };
        let signature = self.sign(aggregator_index, self.spec.aggregate_and_proof(&message));
        let signed = [Signed { message, signature }];
        for what in ["first", "again"] {
            let published = self.nodes.publish_aggregates(Fork::Electra, &signed).await;
            assert_eq!(published, Ok(()), "{what}");
        }
    }

    /// Sends sync committee messages for a block, and a contribution.
    async fn sync(&self, slot: Slot, block_root: Root) {
        let root = self.spec.sync_message(slot, block_root);
        let message = |duty: &SyncDuty| SyncCommitteeMessage {
            slot,
            beacon_block_root: block_root,
            validator_index: duty.validator_index,
            signature: self.sign(duty.validator_index, root),
        };
        let messages: Vec<SyncCommitteeMessage> = self.sync.iter().map(message).collect();
        self.nodes.publish_sync_messages(&messages).await.unwrap();
        let duty = &self.sync[0];
        let subcommittee = duty.positions[0] / self.spec.preset.sync_subcommittee_size();
        let contribution =
            self.nodes.contribution(slot, subcommittee, block_root).await.unwrap().expect("a contribution");
        assert_eq!(contribution.participants(), 8, "every position of the subcommittee");
        let aggregator_index = duty.validator_index;
        let selection_proof = self.sign(aggregator_index, self.spec.sync_selection(slot, subcommittee));
        let message = ContributionAndProof { aggregator_index, contribution, selection_proof };
        let signature = self.sign(aggregator_index, self.spec.contribution_and_proof(&message));
        self.nodes.publish_contributions(&[Signed { message, signature }]).await.unwrap();
    }

    /// What is told ahead of duties.
    async fn prepare(&self) {
        let recipients: Vec<_> = (0..VALIDATORS as u64).map(|index| (ValidatorIndex(index), BLOCK_PAID_TO)).collect();
        self.nodes.prepare_proposers(&recipients).await.unwrap();
        let wish = |duty: &AttesterDuty| CommitteeSubscription {
            validator_index: duty.validator_index,
            committee_index: duty.committee_index,
            committees_at_slot: duty.committees_at_slot,
            slot: duty.slot,
            is_aggregator: true,
        };
        self.nodes.subscribe_committees(&self.attesters.iter().map(wish).collect::<Vec<_>>()).await.unwrap();
        let wish = |duty: &SyncDuty| SyncSubscription {
            validator_index: duty.validator_index,
            positions: duty.positions.clone(),
            until_epoch: Epoch(8),
        };
        self.nodes.subscribe_sync(&self.sync.iter().map(wish).collect::<Vec<_>>()).await.unwrap();
        let message = ValidatorRegistration {
            fee_recipient: BLOCK_PAID_TO.0,
            gas_limit: 60_000_000,
            timestamp: unix_seconds(),
            pubkey: self.keys[0].public_key().to_bytes(),
        };
        let signature = self.sign(ValidatorIndex(0), self.spec.registration(&message));
        let registered = self.nodes.register_validators(&[Signed { message, signature }]).await;
        assert_eq!(registered, Ok(()), "these nodes have no builder");
    }

    /// An exit is taken once by the chain, and as often as we like by us; a forged one is refused.
    async fn exit(&self, index: ValidatorIndex) {
        let message = VoluntaryExit { epoch: Epoch(0), validator_index: index };
        let forged = Signed { message, signature: self.sign(ValidatorIndex(0), self.spec.exit(&message)) };
        assert!(self.nodes.publish_exit(&forged).await.is_err(), "signed with another key");
        let signed = Signed { message, signature: self.sign(index, self.spec.exit(&message)) };
        for what in ["first", "again"] {
            assert_eq!(self.nodes.publish_exit(&signed).await, Ok(()), "{what}");
        }
    }
}

fn states(nodes: &BeaconNodes) -> Vec<NodeState> {
    nodes.health().iter().map(|health| health.state).collect()
}

async fn until(nodes: &BeaconNodes, expected: [NodeState; 2]) {
    let what = format!("the nodes are {expected:?}");
    eventually(&what, PATIENCE, || ready((states(nodes) == expected).then_some(()))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn duties_go_on_when_a_real_beacon_node_is_killed() {
    // Not deleted when the test fails: the logs in it say why.
    let dir = tempfile::Builder::new().prefix("cluster-beacon-").tempdir().unwrap().keep();
    eprintln!("logs of the beacon nodes: {}", dir.display());
    let mut options = Options::new(&dir);
    options.interop = VALIDATORS;
    // Two nodes start on two busy cores.
    options.genesis_time_s = unix_seconds() + 25;
    options.params.insert("SHARD_COMMITTEE_PERIOD".to_owned(), "0".to_owned());
    let mut beacons = Lodestar::start_network(&options, 2).await.unwrap();

    let config = BeaconConfig {
        urls: beacons.iter().map(Lodestar::url).collect(),
        timeout_ms: 10_000,
        block_timeout_ms: 10_000,
        health_ms: 500,
        ..BeaconConfig::default()
    };
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let nodes = BeaconNodes::start(&config, &Metrics::new(), stop.clone(), &tasks).unwrap();
    until(&nodes, [NodeState::Ready; 2]).await;

    let mut all = Validators::new(Arc::clone(&nodes)).await;
    assert_eq!((all.spec.slot_ms, all.spec.slots_per_epoch()), (3_000, 8));
    let keys: Vec<[u8; 48]> = all.keys.iter().map(|key| key.public_key().to_bytes()).chain([[0xc0; 48]]).collect();
    let validators = nodes.validators(&keys[..VALIDATORS]).await.unwrap();
    assert_eq!(validators.len(), VALIDATORS);
    assert!(validators.iter().all(|found| found.status == ValidatorState::ActiveOngoing));
    all.prepare().await;

    for blinded in [false, true] {
        let slot = all.next_slot();
        all.begin(slot).await;
        let block = match blinded {
            false => all.propose(slot).await,
            true => all.propose_blinded(slot, &beacons[0].url()).await,
        };
        all.attest(slot).await;
        assert_eq!(nodes.head_root().await, Ok(block));
        all.sync(slot, block).await;
    }
    let live =
        nodes.liveness(Epoch(0), &all.attesters.iter().map(|duty| duty.validator_index).collect::<Vec<_>>()).await;
    assert!(live.unwrap().iter().any(|(_, is_live)| *is_live), "the nodes have seen attesters");
    all.exit(ValidatorIndex(15)).await;

    // The first node stops in the middle of a request, and dies.
    let slot = all.next_slot();
    all.begin(slot).await;
    beacons[0].freeze().unwrap();
    let data = nodes.attestation_data(slot).await.unwrap();
    assert_eq!(data.slot, slot, "the second node answered");
    let asked = {
        let nodes = Arc::clone(&nodes);
        tokio::spawn(async move { nodes.attestation_data(slot).await })
    };
    beacons[0].kill();
    assert_eq!(asked.await.unwrap(), Ok(data));
    until(&nodes, [NodeState::Unreachable, NodeState::Ready]).await;
    let slot = all.next_slot();
    all.begin(slot).await;
    let block = all.propose(slot).await;

    // It comes back at genesis, pulls the chain from its peer, and is used again.
    beacons[0].restart().await.unwrap();
    until(&nodes, [NodeState::Ready; 2]).await;
    let at_head = || ready((nodes.health()[0].head_slot >= Some(slot)).then_some(()));
    eventually("the first node has the chain again", PATIENCE, at_head).await;
    beacons[1].kill();
    until(&nodes, [NodeState::Ready, NodeState::Unreachable]).await;
    assert_eq!(nodes.head_root().await, Ok(block));

    stop.cancel();
    drop(beacons);
    std::fs::remove_dir_all(dir).unwrap();
}
