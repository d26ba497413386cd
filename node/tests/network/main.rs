//! The mesh over real sockets: discovery, the loss of the bootstrap peer, restarts, strangers and faulty links.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod silence;
mod twins;

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cluster_core::beacon::Slot;
use cluster_core::committee::OperatorId;
use cluster_core::duty::{CommitteeId, InstanceId, InstanceKind, SigningId, SigningKind};
use cluster_core::registry::{FileRegistry, Registry};
use cluster_core::request::{Origin, Request, SignedRequest};
use cluster_crypto::ethereum::{Address, RecoverableSignature};
use cluster_crypto::identity::SecretKey;
use cluster_net::info::Role;
use cluster_net::{consensus, dkg, limits, publish, signing};
use cluster_node::network::{
    Client, Event, EventStream, LinkFaults, Network, NetworkConfig, RequestError, Timeouts, Transport,
};
use futures::stream::FuturesUnordered;
use futures::StreamExt;
use libp2p::{Multiaddr, PeerId};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

/// Longest time that anything in this file may take.
const PATIENCE: Duration = Duration::from_secs(30);
const CHAIN: u64 = 560_048;

/// Keys of operators 1 to 3, a gateway and a bootstrap peer, and the registry that names them without an address.
struct World {
    operators: Vec<SecretKey>,
    gateway: SecretKey,
    bootstrap: SecretKey,
    registry: Arc<dyn Registry>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let operators: Vec<SecretKey> = (0..3).map(|_| SecretKey::generate(&mut rng)).collect();
        let (gateway, bootstrap) = (SecretKey::generate(&mut rng), SecretKey::generate(&mut rng));
        let mut text = String::from("network = \"hoodi\"\n");
        for (at, key) in operators.iter().enumerate() {
            let (id, key) = (at + 1, key.public_key());
            write!(text, "[[operators]]\nid = {id}\nname = \"operator {id}\"\npublic_key = \"{key}\"\n").unwrap();
        }
        write!(text, "[[gateways]]\nname = \"gateway\"\npublic_key = \"{}\"\n", gateway.public_key()).unwrap();
        write!(text, "[[bootstraps]]\npublic_key = \"{}\"\n", bootstrap.public_key()).unwrap();
        Self { operators, gateway, bootstrap, registry: Arc::new(FileRegistry::parse(&text).unwrap()) }
    }

    async fn bootstrap(&self, transport: Transport) -> cluster_bootstrap::Running {
        let config =
            cluster_bootstrap::BootstrapConfig::new(self.bootstrap.clone(), self.registry.clone(), listen(transport));
        cluster_bootstrap::start(config).await.unwrap()
    }

    fn operator(&self, at: usize, transport: Transport) -> NetworkConfig {
        self.config(&self.operators[at], Role::Operator, transport)
    }

    fn config(&self, key: &SecretKey, role: Role, transport: Transport) -> NetworkConfig {
        let mut config = NetworkConfig::new(key.clone(), role, CHAIN, self.registry.clone());
        config.listen = listen(transport);
        config.transport = transport;
        let patience = Duration::from_secs(5);
        config.timeouts = Timeouts { dkg: patience, publish: patience, info: patience, ..Timeouts::default() };
        config
    }
}

fn listen(transport: Transport) -> Vec<Multiaddr> {
    ["/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"]
        .into_iter()
        .map(|address| address.parse().unwrap())
        .filter(|address| transport.allows(address))
        .collect()
}

/// A running node that accepts every request, remembers addresses as a store would, and keeps what gossip brought.
struct Node {
    client: Client,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    addresses: Vec<(PeerId, Multiaddr)>,
    requests: Vec<SignedRequest>,
    delivered: usize,
    mismatches: Vec<String>,
    votes: Vec<consensus::Request>,
    partials: Vec<signing::Request>,
}

impl Node {
    async fn start(config: NetworkConfig) -> Self {
        let (client, events) = Network::start(config).await.unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        tokio::spawn(serve(events, seen.clone()));
        Self { client, seen }
    }

    fn peer(&self) -> PeerId {
        self.client.local_peer_id()
    }

    fn remembered(&self) -> Vec<(PeerId, Multiaddr)> {
        self.seen.lock().unwrap().addresses.clone()
    }

    async fn sees(&self, peer: PeerId) {
        assert!(self.client.wait_connected(peer, PATIENCE).await, "{} does not find {peer}", self.peer());
    }

    async fn delivers_to(&self, peer: PeerId) -> Result<dkg::Response, RequestError> {
        self.client.send_dkg(peer, delivery()).await
    }
}

fn delivery() -> dkg::Request {
    let ceremony_id = cluster_core::ceremony::CeremonyId([7; 32]);
    dkg::Request::Deliver { ceremony_id, request: None, message: vec![1; 200_000].into() }
}

async fn serve(mut events: EventStream, seen: Arc<Mutex<Seen>>) {
    while let Some(event) = events.next().await {
        let mut seen = seen.lock().unwrap();
        match event {
            Event::Dkg { request, responder, .. } => {
                assert_eq!(request, delivery());
                seen.delivered += 1;
                responder.respond(dkg::Response::Accepted);
            }
            Event::Publish { responder, .. } => responder.respond(publish::Response::Accepted),
            Event::Consensus { request, responder, .. } => {
                seen.votes.push(request);
                responder.respond(consensus::Response::Accepted);
            }
            Event::Signing { request, responder, .. } => {
                seen.partials.push(request);
                responder.respond(signing::Response::Accepted);
            }
            Event::Performance { responder, .. } => responder.respond(cluster_net::performance::Response::Busy),
            Event::Request { request, verdict } => {
                seen.requests.push(request);
                verdict.accept();
            }
            Event::PeerAddress { peer_id, address } => seen.addresses.push((peer_id, address)),
            Event::Mismatch { mismatch, .. } => seen.mismatches.push(mismatch.to_string()),
            Event::Connected(_) | Event::Disconnected(_) => {}
        }
    }
}

/// Waits until `there` holds; the condition itself is the event, the pause only keeps the CPU free.
async fn until(what: &str, there: impl Fn() -> bool) {
    let wait = async {
        while !there() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited in vain until {what}"));
}

async fn discovery_survives_the_bootstrap_peer(transport: Transport) {
    let world = World::new(1);
    let bootstrap = world.bootstrap(transport).await;
    let mut nodes = Vec::new();
    for at in 0..3 {
        let mut config = world.operator(at, transport);
        config.bootstrap = bootstrap.dial_addresses();
        nodes.push(Node::start(config).await);
    }
    // Nobody was told an address other than the bootstrap peer's.
    for one in &nodes {
        for other in nodes.iter().filter(|other| other.peer() != one.peer()) {
            one.sees(other.peer()).await;
            assert_eq!(one.delivers_to(other.peer()).await, Ok(dkg::Response::Accepted));
        }
    }
    bootstrap.shutdown().await;
    assert_eq!(nodes[0].delivers_to(nodes[1].peer()).await, Ok(dkg::Response::Accepted));

    // A node that comes back elsewhere finds the others by what it remembers, and they it.
    let restarted = nodes.remove(2);
    let (peer, remembered) = (restarted.peer(), restarted.remembered());
    assert!(remembered.iter().any(|(known, _)| *known == nodes[0].peer()), "nothing to remember: {remembered:?}");
    restarted.client.shutdown().await;
    assert_eq!(restarted.delivers_to(nodes[0].peer()).await, Err(RequestError::ShutDown));
    until("the others notice", || !nodes[0].client.connected(&peer)).await;
    assert_eq!(nodes[0].delivers_to(peer).await, Err(RequestError::NotConnected));
    let mut config = world.operator(2, transport);
    config.remembered = remembered;
    let restarted = Node::start(config).await;
    for other in &nodes {
        restarted.sees(other.peer()).await;
        other.sees(peer).await;
        assert_eq!(restarted.delivers_to(other.peer()).await, Ok(dkg::Response::Accepted));
        assert_eq!(other.delivers_to(peer).await, Ok(dkg::Response::Accepted));
    }
}

#[tokio::test]
async fn discovery_over_quic_survives_the_bootstrap_peer() {
    discovery_survives_the_bootstrap_peer(Transport::Quic).await;
}

#[tokio::test]
async fn discovery_over_tcp_survives_the_bootstrap_peer() {
    discovery_survives_the_bootstrap_peer(Transport::Tcp).await;
}

/// Two operators and a gateway; the second and third know the first.
async fn small_mesh(world: &World, faults: Option<LinkFaults>) -> Vec<Node> {
    let mut first = world.operator(0, Transport::Quic);
    first.faults = faults.clone();
    let first = Node::start(first).await;
    let hub: Vec<Multiaddr> =
        first.client.addresses().into_iter().map(|address| address.with_p2p(first.peer()).unwrap()).collect();
    let mut nodes = vec![first];
    for (key, role) in [(&world.operators[1], Role::Operator), (&world.gateway, Role::Gateway)] {
        let mut config = world.config(key, role, Transport::Quic);
        config.bootstrap = hub.clone();
        config.faults = faults.clone();
        nodes.push(Node::start(config).await);
    }
    for one in &nodes {
        for other in nodes.iter().filter(|other| other.peer() != one.peer()) {
            one.sees(other.peer()).await;
        }
    }
    nodes
}

#[tokio::test]
async fn roles_are_told_apart_and_everything_is_counted() {
    let world = World::new(2);
    let nodes = small_mesh(&world, None).await;
    let (operator, other, gateway) = (&nodes[0], &nodes[1], &nodes[2]);
    let info = gateway.client.info(operator.peer()).await.unwrap();
    assert_eq!((info.operator_id, info.role, info.chain_id), (Some(OperatorId(1)), Role::Operator, CHAIN));
    assert_eq!(operator.client.peer_of(OperatorId(2)), Some(other.peer()));
    // A gateway takes no part in ceremonies.
    let refused = gateway.delivers_to(operator.peer()).await.unwrap();
    assert!(matches!(refused, dkg::Response::Refused { .. }), "{refused:?}");
    assert_eq!(operator.seen.lock().unwrap().delivered, 0);
    let get = publish::Request::Get { ceremony_id: cluster_core::ceremony::CeremonyId([1; 32]) };
    assert_eq!(gateway.client.send_publish(operator.peer(), get).await, Ok(publish::Response::Accepted));
    operator.delivers_to(other.peer()).await.unwrap();
    let (sent, received) = (operator.client.stats().dkg, other.client.stats().dkg);
    assert!(sent.bytes_sent > 200_000 && sent.messages_sent == 2, "its own request, and the refusal: {sent:?}");
    assert_eq!((received.messages_received, received.messages_sent), (1, 1));
    let stranger = PeerId::random();
    assert_eq!(operator.delivers_to(stranger).await, Err(RequestError::NotRegistered));
    until("peers have told their versions", || {
        let peers: HashMap<_, _> = operator.client.peers().into_iter().collect();
        [other, gateway].iter().all(|node| peers[&node.peer()].info.is_some())
    })
    .await;
}

fn vote(bytes: usize) -> consensus::Request {
    let instance = InstanceId { committee: CommitteeId([1; 32]), slot: Slot(7), kind: InstanceKind::Proposal };
    consensus::Request::Deliver { instance, message: vec![5; bytes].into() }
}

fn partials() -> signing::Request {
    let id = SigningId::new(CommitteeId([1; 32]), SigningKind::Attestation, Slot(7));
    signing::Request::Deliver { id, message: vec![6; 1_000].into() }
}

#[tokio::test]
async fn votes_values_and_partials_pass_between_operators_and_suffer_the_link() {
    let faults = LinkFaults::new(9);
    faults.set_lost_after(Duration::from_millis(50));
    let world = World::new(9);
    let nodes = small_mesh(&world, Some(faults.clone())).await;
    let (a, b, gateway) = (&nodes[0], &nodes[1], &nodes[2]);
    let value = vote(limits::CONSENSUS_REQUEST_BYTES);
    assert!(value.is_value() && !vote(100).is_value());
    for request in [vote(100), value.clone()] {
        assert_eq!(a.client.send_consensus(b.peer(), request).await, Ok(consensus::Response::Accepted));
    }
    assert_eq!(a.client.send_signing(b.peer(), partials()).await, Ok(signing::Response::Accepted));
    {
        let seen = b.seen.lock().unwrap();
        assert_eq!((&seen.votes[..], &seen.partials[..]), (&[vote(100), value][..], &[partials()][..]));
    }
    let (sent, received) = (a.client.stats(), b.client.stats());
    assert!(sent.consensus.bytes_sent > limits::CONSENSUS_REQUEST_BYTES as u64, "{sent:?}");
    assert_eq!((sent.consensus.messages_sent, received.consensus.messages_received), (2, 2));
    assert_eq!((sent.signing.messages_sent, sent.signing.messages_received), (1, 1));
    let total: u64 = sent.by_protocol().iter().map(|(_, count)| count.bytes_sent).sum();
    assert_eq!(total, sent.bytes_sent());
    let metrics = cluster_node::metrics::Metrics::new();
    a.client.register(&metrics);
    let line =
        format!("cluster_node_mesh_bytes_total{{protocol=\"signing\",direction=\"sent\"}} {}", sent.signing.bytes_sent);
    assert!(metrics.text().contains(&line), "{}", metrics.text());

    let refused = gateway.client.send_consensus(b.peer(), vote(9)).await;
    assert!(matches!(refused, Ok(consensus::Response::Refused { .. })), "{refused:?}");
    let refused = gateway.client.send_signing(b.peer(), partials()).await;
    assert!(matches!(refused, Ok(signing::Response::Refused { .. })), "{refused:?}");

    faults.block(a.peer(), b.peer());
    assert_eq!(a.client.send_consensus(b.peer(), vote(1)).await, Err(RequestError::Timeout));
    assert_eq!(b.client.send_signing(a.peer(), partials()).await, Err(RequestError::Timeout));
    assert_eq!((b.seen.lock().unwrap().votes.len(), a.seen.lock().unwrap().partials.len()), (2, 1));
    faults.heal();
    faults.set_link(a.peer(), b.peer(), cluster_node::network::Link { latency: Duration::from_millis(40), loss: 0.0 });
    let started = std::time::Instant::now();
    assert_eq!(a.client.send_consensus(b.peer(), vote(1)).await, Ok(consensus::Response::Accepted));
    assert!(started.elapsed() >= Duration::from_millis(40));
}

#[tokio::test]
async fn a_request_travels_by_gossip_and_records_by_themselves() {
    let world = World::new(3);
    let nodes = small_mesh(&world, None).await;
    let request = SignedRequest {
        request: Request {
            chain_id: CHAIN,
            owner: Address([1; 20]),
            cluster_pubkey: world.gateway.public_key(),
            operator_ids: vec![OperatorId(1), OperatorId(2), OperatorId(3)],
            validator_count: 1,
            withdrawal_address: Address([2; 20]),
            amount_gwei: 32_000_000_000,
            nonce: 1,
            deadline: 1,
            reshare: None,
        },
        origin: Origin::Signature(RecoverableSignature::from_bytes(&[27; 65]).unwrap()),
    };
    // Subscriptions travel after the connection.
    let announced = async {
        while nodes[2].client.publish_request(request.clone()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, announced).await.unwrap();
    for node in &nodes[..2] {
        until("the request arrives", || node.seen.lock().unwrap().requests.contains(&request)).await;
    }
    until("the gateway knows the record of operator 1", || {
        nodes[2].client.peer(&nodes[0].peer()).is_some_and(|peer| peer.record.is_some())
    })
    .await;
}

#[tokio::test]
async fn a_one_way_link_loses_requests_or_answers_and_heals() {
    let faults = LinkFaults::new(5);
    faults.set_lost_after(Duration::from_millis(50));
    let world = World::new(4);
    let nodes = small_mesh(&world, Some(faults.clone())).await;
    let (a, b) = (&nodes[0], &nodes[1]);
    assert_eq!(a.delivers_to(b.peer()).await, Ok(dkg::Response::Accepted));

    faults.block(a.peer(), b.peer());
    assert_eq!(a.delivers_to(b.peer()).await, Err(RequestError::Timeout));
    assert_eq!(b.seen.lock().unwrap().delivered, 1, "a request that is lost is not handled");
    // B is heard, but does not hear: its request is handled and its answer lost.
    assert_eq!(b.delivers_to(a.peer()).await, Err(RequestError::Timeout));
    assert_eq!(a.seen.lock().unwrap().delivered, 1);

    faults.partition(&[vec![a.peer()], vec![b.peer()]]);
    assert_eq!(b.delivers_to(a.peer()).await, Err(RequestError::Timeout));
    assert_eq!(a.seen.lock().unwrap().delivered, 1);

    faults.heal();
    assert_eq!(a.delivers_to(b.peer()).await, Ok(dkg::Response::Accepted));
    assert_eq!(b.delivers_to(a.peer()).await, Ok(dkg::Response::Accepted));
}

#[tokio::test]
async fn requests_to_a_node_that_does_not_answer_are_bounded_and_time_out() {
    let world = World::new(6);
    // Nobody reads the events of this node, and nobody answers.
    let (deaf, _events) = Network::start(world.operator(0, Transport::Tcp)).await.unwrap();
    let mut config = world.operator(1, Transport::Tcp);
    config.bootstrap = vec![deaf.addresses()[0].clone().with_p2p(deaf.local_peer_id()).unwrap()];
    config.timeouts.dkg = Duration::from_secs(1);
    let node = Node::start(config).await;
    node.sees(deaf.local_peer_id()).await;
    let many = limits::REQUESTS_IN_FLIGHT + limits::REQUESTS_WAITING + 10;
    let mut sent: FuturesUnordered<_> =
        (0..many).map(|_| node.client.send_dkg(deaf.local_peer_id(), dkg::Request::Open)).collect();
    for _ in 0..10 {
        assert_eq!(sent.next().await, Some(Err(RequestError::Busy)));
    }
    for _ in 0..limits::REQUESTS_IN_FLIGHT {
        assert_eq!(sent.next().await, Some(Err(RequestError::Timeout)));
    }
    // Who gives up waiting leaves its place to others.
    drop(sent);
    let later = node.client.send_dkg(deaf.local_peer_id(), dkg::Request::Open).await;
    assert_eq!(later, Err(RequestError::Timeout));
}

#[tokio::test]
async fn a_stranger_is_refused_and_an_operator_that_leaves_the_registry_is_disconnected() {
    let world = World::new(7);
    let bootstrap = world.bootstrap(Transport::Tcp).await;
    let other_world = World::new(8);
    // The stranger believes in the bootstrap peer, which does not know it.
    let mut stranger =
        NetworkConfig::new(other_world.operators[0].clone(), Role::Operator, CHAIN, world.registry.clone());
    stranger.listen = listen(Transport::Tcp);
    stranger.bootstrap = bootstrap.dial_addresses();
    let stranger = Node::start(stranger).await;
    until("the stranger is refused", || bootstrap.metrics().refused.get() > 0).await;
    assert_eq!(bootstrap.metrics().peers.get(), 0);
    assert!(stranger.client.info(bootstrap.peer_id()).await.is_err());

    let mut config = world.operator(0, Transport::Tcp);
    config.bootstrap = bootstrap.dial_addresses();
    let node = Node::start(config).await;
    node.sees(bootstrap.peer_id()).await;
    until("the bootstrap peer admits it", || bootstrap.metrics().peers.get() == 1).await;
    bootstrap.follow(other_world.registry.clone());
    until("it is disconnected", || bootstrap.metrics().peers.get() == 0).await;
}
