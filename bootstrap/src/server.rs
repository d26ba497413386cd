//! The swarm of a bootstrap peer and the task that owns it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use cluster_core::registry::Registry;
use cluster_net::codec::Traffic;
use cluster_net::discovery::{self, Announcement, Gossip, Kademlia};
use cluster_net::gate::{Members, NotRegistered};
use cluster_net::info::{Info, Role};
use cluster_net::{gate, info, limits};
use futures::StreamExt;
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::gossipsub::{self, MessageAcceptance, MessageId};
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::request_response::{self, Message};
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::{ListenError, NetworkBehaviour, SwarmEvent};
use libp2p::{autonat, identify, noise, ping, relay, tcp, yamux, Multiaddr, PeerId, Swarm, SwarmBuilder};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{BootstrapConfig, Metrics, StartError};

/// How long an address may take to be listened on.
const LISTEN_PATIENCE: Duration = Duration::from_secs(10);
/// Connections of a bootstrap peer: each of 10,000 registered peers may have one.
const CONNECTIONS: u32 = 10_240;

/// The protocols. The gate comes first, so that a stranger meets nothing else.
#[derive(NetworkBehaviour)]
struct Behaviour {
    gate: gate::Behaviour,
    limits: connection_limits::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    kademlia: Kademlia,
    autonat: autonat::v2::server::Behaviour,
    relay: Toggle<relay::Behaviour>,
    gossip: Toggle<Gossip>,
    info: info::Behaviour,
}

/// A record whose signature was checked outside of the swarm task.
struct Judged {
    message_id: MessageId,
    source: PeerId,
    is_valid: bool,
}

pub(crate) struct Server {
    swarm: Swarm<Behaviour>,
    registry: watch::Receiver<Arc<dyn Registry>>,
    members: Members,
    metrics: Metrics,
    known: HashMap<PeerId, VecDeque<Multiaddr>>,
    judged: (mpsc::Sender<Judged>, mpsc::Receiver<Judged>),
}

impl Server {
    pub(crate) fn new(
        keypair: &Keypair,
        config: &BootstrapConfig,
        members: Members,
        metrics: Metrics,
        registry: watch::Receiver<Arc<dyn Registry>>,
    ) -> Result<Self, StartError> {
        let transport = |error: &dyn std::fmt::Display| StartError::Transport(error.to_string());
        let behaviour = behaviour(keypair, config, members.clone())?;
        let swarm = SwarmBuilder::with_existing_identity(keypair.clone())
            .with_tokio()
            .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
            .map_err(|error| transport(&error))?
            .with_quic()
            .with_dns()
            .map_err(|error| transport(&error))?
            .with_behaviour(|_| behaviour)
            .map_err(|error| transport(&error))?
            .with_swarm_config(|swarm| {
                swarm
                    .with_idle_connection_timeout(Duration::from_secs(24 * 60 * 60))
                    .with_max_negotiating_inbound_streams(limits::NEGOTIATING_STREAMS)
            })
            .build();
        Ok(Self {
            swarm,
            registry,
            members,
            metrics,
            known: HashMap::new(),
            judged: mpsc::channel(limits::GOSSIP_QUEUE),
        })
    }

    /// Listens on all addresses; returns them with the ports that the system chose.
    pub(crate) async fn listen(&mut self, config: &BootstrapConfig) -> Result<Vec<Multiaddr>, StartError> {
        let failed = |address: &Multiaddr, reason: String| StartError::Listen { address: address.to_string(), reason };
        let mut pending = HashMap::new();
        for address in &config.listen {
            let listener = self.swarm.listen_on(address.clone()).map_err(|error| failed(address, error.to_string()))?;
            pending.insert(listener, address.clone());
        }
        let deadline = tokio::time::Instant::now() + LISTEN_PATIENCE;
        while let Some(address) = pending.values().next().cloned() {
            let event = tokio::time::timeout_at(deadline, self.swarm.select_next_some()).await;
            match event.map_err(|_| failed(&address, "the system does not answer".to_owned()))? {
                SwarmEvent::NewListenAddr { listener_id, address } => {
                    let wanted = pending.remove(&listener_id);
                    if config.external.is_empty() && wanted.is_some_and(|wanted| is_concrete(&wanted)) {
                        self.swarm.add_external_address(address);
                    }
                }
                SwarmEvent::ListenerClosed { listener_id, reason: Err(error), .. } => {
                    if let Some(address) = pending.remove(&listener_id) {
                        return Err(failed(&address, error.to_string()));
                    }
                }
                other => self.on_event(other),
            }
        }
        for address in &config.external {
            self.swarm.add_external_address(address.clone());
        }
        Ok(self.swarm.listeners().cloned().collect())
    }

    /// Runs until it is told to stop, and says goodbye.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                event = self.swarm.select_next_some() => self.on_event(event),
                Some(judged) = self.judged.1.recv() => self.on_judged(&judged),
            }
        }
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            // An error means that the peer left first.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let goodbye = async {
            while self.swarm.connected_peers().next().is_some() {
                self.swarm.select_next_some().await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), goodbye).await;
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour_event(event),
            SwarmEvent::ConnectionEstablished { peer_id, num_established, .. } if num_established.get() == 1 => {
                self.metrics.peers.inc();
                tracing::debug!(peer = %peer_id, "peer connected");
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established: 0, .. } => {
                self.metrics.peers.dec();
                tracing::debug!(peer = %peer_id, "peer disconnected");
            }
            SwarmEvent::IncomingConnectionError { error: ListenError::Denied { cause }, .. } => {
                if let Some(NotRegistered { peer }) = cause.downcast_ref::<NotRegistered>() {
                    self.metrics.refused.inc();
                    tracing::info!(%peer, "refused a peer that is not registered");
                }
            }
            _ => {}
        }
    }

    fn on_behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                for address in info.listen_addrs.into_iter().take(limits::ADDRESSES_PER_PEER) {
                    self.learn(peer_id, address);
                }
            }
            BehaviourEvent::Ping(ping::Event { connection, result: Err(_), .. }) => {
                self.swarm.close_connection(connection);
            }
            BehaviourEvent::Autonat(_) => {
                self.metrics.probes.inc();
            }
            BehaviourEvent::Relay(event) => self.on_relay(&event),
            BehaviourEvent::Gossip(gossipsub::Event::Message { propagation_source, message_id, message }) => {
                self.check(propagation_source, message_id, message);
            }
            BehaviourEvent::Info(request_response::Event::Message {
                message: Message::Request { channel, .. },
                ..
            }) => {
                let info = self.info();
                // An error means that the peer gave up waiting.
                let _ = self.swarm.behaviour_mut().info.send_response(channel, info);
            }
            _ => {}
        }
    }

    fn on_relay(&self, event: &relay::Event) {
        match event {
            relay::Event::ReservationReqAccepted { renewed: false, .. } => {
                self.metrics.reservations.inc();
            }
            relay::Event::ReservationClosed { .. } | relay::Event::ReservationTimedOut { .. } => {
                self.metrics.reservations.dec();
            }
            relay::Event::CircuitReqAccepted { .. } => {
                self.metrics.circuits.inc();
            }
            relay::Event::CircuitClosed { .. } => {
                self.metrics.circuits.dec();
            }
            _ => {}
        }
    }

    /// Tells Kademlia an address of a registered peer; the oldest of too many is forgotten.
    fn learn(&mut self, peer: PeerId, address: Multiaddr) {
        let (address, named) = discovery::split_peer(address);
        if !self.members.contains(&peer) || named.is_some_and(|named| named != peer) {
            return;
        }
        let known = self.known.entry(peer).or_default();
        if known.contains(&address) {
            return;
        }
        let kademlia = &mut self.swarm.behaviour_mut().kademlia;
        kademlia.add_address(&peer, address.clone());
        known.push_back(address);
        if known.len() > limits::ADDRESSES_PER_PEER {
            if let Some(oldest) = known.pop_front() {
                kademlia.remove_address(&peer, &oldest);
            }
        }
    }

    /// Has a record checked outside of this task; it is passed on when it is valid.
    fn check(&mut self, source: PeerId, message_id: MessageId, message: gossipsub::Message) {
        let Ok(judged) = self.judged.0.clone().try_reserve_owned() else {
            return self.on_judged(&Judged { message_id, source, is_valid: false });
        };
        let registry = self.registry.borrow().clone();
        tokio::task::spawn_blocking(move || {
            let is_valid = match Announcement::decode(&message.topic, &message.data) {
                Ok(Announcement::Record(record)) => record.check(registry.as_ref()).is_ok(),
                // Requests are checked and passed on by operators and gateways.
                Ok(Announcement::Request(_)) | Err(_) => false,
            };
            judged.send(Judged { message_id, source, is_valid });
        });
    }

    fn on_judged(&mut self, judged: &Judged) {
        let (acceptance, counter) = match judged.is_valid {
            true => (MessageAcceptance::Accept, &self.metrics.records),
            false => (MessageAcceptance::Ignore, &self.metrics.records_refused),
        };
        counter.inc();
        if let Some(gossip) = self.swarm.behaviour_mut().gossip.as_mut() {
            gossip.report_message_validation_result(&judged.message_id, &judged.source, acceptance);
        }
    }

    fn info(&self) -> Info {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let addresses = self.swarm.external_addresses().chain(self.swarm.listeners());
        Info {
            operator_id: None,
            role: Role::Bootstrap,
            chain_id: 0,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocols: vec![info::VersionRange::new("info", 1, 1)],
            capabilities: Vec::new(),
            clock_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            open_ceremonies: 0,
            addresses: addresses.take(limits::ADDRESSES_PER_PEER).map(Multiaddr::to_string).collect(),
        }
    }
}

fn behaviour(keypair: &Keypair, config: &BootstrapConfig, members: Members) -> Result<Behaviour, StartError> {
    let local = keypair.public().to_peer_id();
    let gossip = match config.forward_records {
        true => {
            let mut gossip = discovery::gossip(keypair)?;
            let subscribed = gossip.subscribe(&discovery::records_topic());
            subscribed.map_err(|error| StartError::Transport(error.to_string()))?;
            Some(gossip)
        }
        false => None,
    };
    let connection_limits = ConnectionLimits::default()
        .with_max_pending_incoming(Some(limits::PENDING_INBOUND * 4))
        .with_max_pending_outgoing(Some(limits::PENDING_OUTBOUND))
        .with_max_established(Some(CONNECTIONS))
        .with_max_established_per_peer(Some(limits::CONNECTIONS_PER_PEER));
    let agent = format!("cluster-bootstrap/{}", env!("CARGO_PKG_VERSION"));
    Ok(Behaviour {
        gate: gate::Behaviour::new(members),
        limits: connection_limits::Behaviour::new(connection_limits),
        identify: discovery::identify(keypair, agent),
        ping: ping::Behaviour::new(
            ping::Config::new().with_interval(limits::PING_INTERVAL).with_timeout(limits::PING_TIMEOUT),
        ),
        kademlia: discovery::kademlia(local),
        autonat: autonat::v2::server::Behaviour::default(),
        relay: config.relay.then(|| relay::Behaviour::new(local, discovery::relay_config())).into(),
        gossip: gossip.into(),
        info: info::behaviour(limits::INFO_TIMEOUT, Arc::new(Traffic::default())),
    })
}

/// Whether an address to listen on names one interface, and so is one under which others can reach it.
fn is_concrete(address: &Multiaddr) -> bool {
    !address.iter().any(|part| match part {
        Protocol::Ip4(ip) => ip.is_unspecified(),
        Protocol::Ip6(ip) => ip.is_unspecified(),
        _ => false,
    })
}
