//! The same over real sockets on one machine, in real time.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster_core::committee::OperatorId;
use cluster_core::registry::FileRegistry;
use cluster_crypto::bls::{verify, HashedMessage};
use cluster_net::info::Role;
use cluster_net::{consensus, signing};
use cluster_node::duties::clock::Clock;
use cluster_node::duties::hub::{Delivery, Hub, Timing};
use cluster_node::duties::mesh::{ClientMesh, DutyMessage};
use cluster_node::metrics::Metrics;
use cluster_node::network::{Client, Event, EventStream, Network, NetworkConfig, Transport};
use cluster_node::store::Store;
use futures::future::join_all;
use libp2p::Multiaddr;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::world::{likes_all, ready, same, slots, Keys};

const PATIENCE: Duration = Duration::from_secs(30);
const VALIDATORS: usize = 31;
const ROUNDS: u64 = 4;

struct Node {
    id: OperatorId,
    client: Client,
    hub: Hub,
}

async fn start(keys: &Keys, id: OperatorId, transport: Transport, hub_of: &[Multiaddr], dir: &std::path::Path) -> Node {
    let mut text = String::from("network = \"hoodi\"\n");
    for (id, key) in &keys.identities {
        let key = key.public_key();
        write!(text, "[[operators]]\nid = {id}\nname = \"operator {id}\"\npublic_key = \"{key}\"\n").unwrap();
    }
    let registry = Arc::new(FileRegistry::parse(&text).unwrap());
    let identity = keys.identities[&id].clone();
    let mut config = NetworkConfig::new(identity.clone(), Role::Operator, 560_048, registry);
    let address = if transport == Transport::Tcp { "/ip4/127.0.0.1/tcp/0" } else { "/ip4/127.0.0.1/udp/0/quic-v1" };
    config.listen = vec![address.parse().unwrap()];
    config.transport = transport;
    config.bootstrap = hub_of.to_vec();
    let (client, events) = Network::start(config).await.unwrap();
    let (clock, metrics) = (Clock::system(), Metrics::new());
    let mesh = ClientMesh::new(client.clone(), clock, metrics.clone(), CancellationToken::new(), TaskTracker::new());
    let store = Arc::new(Store::open(&dir.join(id.to_string()), &identity).unwrap());
    let hub = Hub::new(id, identity, Arc::new(mesh), store, clock, Arc::new(metrics));
    hub.set_slots(slots(clock.now()));
    hub.add_committee(keys.id, Arc::clone(&keys.committee));
    tokio::spawn(serve(events, hub.clone()));
    Node { id, client, hub }
}

/// What the operator role does with these events.
async fn serve(mut events: EventStream, hub: Hub) {
    while let Some(event) = events.next().await {
        match event {
            Event::Consensus { from, request: consensus::Request::Deliver { instance, message }, responder } => {
                let from = from.member.operator_id().unwrap();
                let delivered = hub.deliver(from, DutyMessage::Consensus(instance, message));
                assert_eq!(delivered, Delivery::Accepted);
                responder.respond(consensus::Response::Accepted);
            }
            Event::Signing { from, request: signing::Request::Deliver { id, message }, responder } => {
                let delivered = hub.deliver(from.member.operator_id().unwrap(), DutyMessage::Signing(id, message));
                assert_eq!(delivered, Delivery::Accepted);
                responder.respond(signing::Response::Accepted);
            }
            _ => {}
        }
    }
}

async fn agree_and_sign(transport: Transport) {
    let keys = Keys::new(VALIDATORS);
    let dir = tempfile::tempdir().unwrap();
    let first = start(&keys, OperatorId(1), transport, &[], dir.path()).await;
    let known: Vec<Multiaddr> = first
        .client
        .addresses()
        .into_iter()
        .map(|address| address.with_p2p(first.client.local_peer_id()).unwrap())
        .collect();
    let mut nodes = vec![first];
    for id in 2..=4 {
        nodes.push(start(&keys, OperatorId(id), transport, &known, dir.path()).await);
    }
    for node in &nodes {
        for other in nodes.iter().filter(|other| other.id != node.id) {
            assert!(node.client.wait_connected(other.client.local_peer_id(), PATIENCE).await);
        }
    }
    let root = [0xcc; 32];
    for slot in 100..100 + ROUNDS {
        let now = Clock::system().now();
        let timing = Timing { start: now, round_ms: 2_000, give_up: now.plus_ms(30_000) };
        // Slots pass quickly here: only the number differs.
        let instance = keys.instance(98 + slot % 4);
        let started = Instant::now();
        let part = |node: &Node| {
            let (hub, value) = (node.hub.clone(), ready(vec![node.id.0 as u8; 128]));
            async move {
                let agreed = hub.agree(instance, timing, value, likes_all()).await;
                (agreed, started.elapsed())
            }
        };
        let (agreed, took): (Vec<_>, Vec<_>) = join_all(nodes.iter().map(part)).await.into_iter().unzip();
        let round = same(agreed).round;
        let own: Vec<_> = nodes.iter().map(|node| keys.own(node.id, root)).collect();
        let (signing, exchange) = (Instant::now(), keys.exchange(slot));
        let part = |(node, own): (&Node, Vec<_>)| {
            let (hub, items) = (node.hub.clone(), keys.items(root));
            async move { (hub.sign(exchange, items, own, now.plus_ms(30_000)).await, signing.elapsed()) }
        };
        let (signed, signing_took): (Vec<_>, Vec<_>) =
            join_all(nodes.iter().zip(own).map(part)).await.into_iter().unzip();
        for one in &signed {
            let all = keys.validators.iter().zip(&one.signatures);
            assert!(all.into_iter().all(|(key, signature)| verify(
                key,
                &HashedMessage::new(&root),
                signature.as_ref().unwrap()
            )));
        }
        println!(
            "{transport:?}: agreed in round {round} after {:?} to {:?}, {VALIDATORS} validators signed after {:?} to {:?}",
            took.iter().min().unwrap(), took.iter().max().unwrap(),
            signing_took.iter().min().unwrap(), signing_took.iter().max().unwrap(),
        );
    }
    let stats = nodes[0].client.stats();
    println!(
        "{transport:?}: {:?}",
        stats.by_protocol().map(|(name, count)| (name, count.bytes_sent, count.messages_sent))
    );
    assert!(stats.consensus.bytes_sent > 0 && stats.signing.bytes_sent > 0);
    for node in nodes {
        node.hub.shutdown().await;
        node.client.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_operators_agree_and_sign_over_tcp() {
    agree_and_sign(Transport::Tcp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_operators_agree_and_sign_over_quic() {
    agree_and_sign(Transport::Quic).await;
}
