//! The mesh as the rest of the node sees it: a cloneable [`Client`] and a stream of [`Event`]s.
//!
//! One task owns the swarm (`network/task.rs`). Everything else talks to it over bounded channels, and nothing that is
//! slow runs in it: signatures of gossip are checked in a task of their own (`network/gossip.rs`), requests of peers
//! are answered by whoever takes the event.
//!
//! | File | Part |
//! |---|---|
//! | `network.rs` | configuration, start, events |
//! | `network/client.rs` | the client and its errors |
//! | `network/queues.rs` | how many requests to a peer are in flight, and how many wait |
//! | `network/task.rs` | the swarm task: commands, swarm events, timers |
//! | `network/requests.rs` | the part of it that moves requests and answers |
//! | `network/behaviour.rs` | which protocols make up the swarm |
//! | `network/peers.rs` | who should be connected, under which addresses, and when to dial again |
//! | `network/presence.rs` | whether another node runs with this node's key |
//! | `network/reach.rs` | under which addresses others reach this node; relays |
//! | `network/gossip.rs` | checks of announcements, and this node's own record |
//! | `network/traffic.rs` | bytes and messages as metrics |
//! | `network/faults.rs` | link faults for tests and the testnet |
//!
//! A node stays connected to the peers that it was told to keep ([`Client::keep`]) and to some others. Addresses come
//! from the registry, from signed records, from connections that worked (the caller persists what
//! [`Event::PeerAddress`] reports and hands it back as [`NetworkConfig::remembered`]) and from Kademlia, in this order.
//! A bootstrap peer is needed once, for the first discovery.

mod behaviour;
mod client;
mod faults;
mod gossip;
mod peers;
pub(crate) mod presence;
mod queues;
mod reach;
mod requests;
mod task;
pub(crate) mod traffic;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use cluster_core::registry::Registry;
use cluster_core::request::SignedRequest;
use cluster_crypto::identity::SecretKey;
use cluster_net::codec::Traffic;
use cluster_net::gate::{Member, Members};
use cluster_net::info::{Info, Mismatch, Role};
use cluster_net::presence::Session;
use cluster_net::{consensus, discovery, dkg, identity, info, limits, performance, publish, signing};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

pub use client::{AnnounceError, Client, PeerStatus, RequestError, Stats};
pub use faults::{Link, LinkFaults};
pub use gossip::Verdict;
pub use presence::Twin;

/// Which transports a node listens on and dials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// TCP with noise and yamux.
    Tcp,
    /// QUIC.
    Quic,
    /// Both; an address that works is preferred.
    #[default]
    Both,
}

impl Transport {
    /// Whether an address belongs to this choice.
    pub fn allows(self, address: &Multiaddr) -> bool {
        use libp2p::multiaddr::Protocol;
        let quic = address.iter().any(|part| matches!(part, Protocol::QuicV1));
        match self {
            Self::Tcp => !quic,
            // A relayed address names the relay's transport; the circuit itself runs over either.
            Self::Quic => quic,
            Self::Both => true,
        }
    }
}

/// Time for a request and its answer, per protocol.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For dkg.
    pub dkg: Duration,
    /// For publish.
    pub publish: Duration,
    /// For info.
    pub info: Duration,
    /// For votes.
    pub consensus: Duration,
    /// For values that are too large to travel with the votes.
    pub value: Duration,
    /// For partial signatures.
    pub signing: Duration,
    /// For figures of duties.
    pub performance: Duration,
    /// For questions about other nodes with the same key.
    pub presence: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            dkg: limits::DKG_TIMEOUT,
            publish: limits::PUBLISH_TIMEOUT,
            info: limits::INFO_TIMEOUT,
            consensus: limits::DUTY_TIMEOUT,
            value: limits::VALUE_TIMEOUT,
            signing: limits::DUTY_TIMEOUT,
            performance: limits::PERFORMANCE_TIMEOUT,
            presence: limits::PRESENCE_TIMEOUT,
        }
    }
}

/// What the mesh needs to know.
pub struct NetworkConfig {
    /// The registered key; also the libp2p identity.
    pub identity: SecretKey,
    /// What this node runs as.
    pub role: Role,
    /// The chain that it works for.
    pub chain_id: u64,
    /// Who is who.
    pub registry: Arc<dyn Registry>,
    /// Multiaddresses to listen on; those of another transport than `transport` are left out.
    pub listen: Vec<Multiaddr>,
    /// Multiaddresses under which others reach this node. A node that has some also relays and probes for others.
    pub external: Vec<Multiaddr>,
    /// Transports to use.
    pub transport: Transport,
    /// Multiaddresses of bootstrap peers beside those of the registry; each ends in `/p2p/<peer id>`.
    pub bootstrap: Vec<Multiaddr>,
    /// Addresses that worked before, as [`Event::PeerAddress`] reported them.
    pub remembered: Vec<(PeerId, Multiaddr)>,
    /// Whether a relay of a bootstrap peer is used while no public address is known.
    pub use_relay: bool,
    /// What this node can do beyond version 1 of everything.
    pub capabilities: Vec<String>,
    /// Whether this process is the operator of its key: it looks for others with that key, and makes itself known to them. A
    /// tool that asks in the operator's name does not.
    pub is_node: bool,
    /// Time for requests.
    pub timeouts: Timeouts,
    /// Faults on links, for tests and the testnet; no configuration file reaches this.
    pub faults: Option<LinkFaults>,
}

impl NetworkConfig {
    /// The defaults: both transports, no addresses.
    pub fn new(identity: SecretKey, role: Role, chain_id: u64, registry: Arc<dyn Registry>) -> Self {
        Self {
            identity,
            role,
            chain_id,
            registry,
            listen: Vec::new(),
            external: Vec::new(),
            transport: Transport::default(),
            bootstrap: Vec::new(),
            remembered: Vec::new(),
            use_relay: true,
            capabilities: Vec::new(),
            is_node: true,
            timeouts: Timeouts::default(),
            faults: None,
        }
    }
}

/// Why the mesh cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// libp2p refuses the key.
    #[error(transparent)]
    Identity(#[from] identity::IdentityError),
    /// A behaviour refuses its configuration.
    #[error(transparent)]
    Discovery(#[from] discovery::DiscoveryError),
    /// A transport cannot be built.
    #[error("a transport cannot be built: {0}")]
    Transport(String),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address.
        address: Multiaddr,
        /// What the system says.
        reason: String,
    },
    /// No address of the chosen transport was given.
    #[error("no address to listen on is of the chosen transport")]
    NothingToListenOn,
    /// A bootstrap address names no peer.
    #[error("the bootstrap address {address} does not end in /p2p/<peer id>")]
    BootstrapWithoutPeer {
        /// The address.
        address: Multiaddr,
    },
}

/// A peer that the registry knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its libp2p id.
    pub peer_id: PeerId,
    /// What it is.
    pub member: Member,
}

/// What the mesh tells the node. Connection events arrive in order for each peer.
#[derive(Debug)]
pub enum Event {
    /// The first connection to a peer is there. Time to ask `Open`.
    Connected(Peer),
    /// The last connection to a peer is gone.
    Disconnected(Peer),
    /// A peer told its versions, and they do not fit ours.
    Mismatch {
        /// The peer.
        peer: Peer,
        /// What is wrong, in words.
        mismatch: Mismatch,
    },
    /// An operator sent a dkg request. Nothing about its content was checked.
    Dkg {
        /// The authenticated sender; always an operator.
        from: Peer,
        /// The request.
        request: dkg::Request,
        /// Where the answer goes.
        responder: Responder<dkg::Response>,
    },
    /// An operator or gateway sent a publish request. Nothing about its content was checked.
    Publish {
        /// The authenticated sender; an operator or a gateway.
        from: Peer,
        /// The request.
        request: publish::Request,
        /// Where the answer goes.
        responder: Responder<publish::Response>,
    },
    /// An operator sent a message of a consensus instance. Nothing about its content was checked.
    Consensus {
        /// The authenticated sender; always an operator.
        from: Peer,
        /// The request.
        request: consensus::Request,
        /// Where the answer goes.
        responder: Responder<consensus::Response>,
    },
    /// An operator sent a message about partial signatures. Nothing about its content was checked.
    Signing {
        /// The authenticated sender; always an operator.
        from: Peer,
        /// The request.
        request: signing::Request,
        /// Where the answer goes.
        responder: Responder<signing::Response>,
    },
    /// An operator or gateway asked how duties were performed.
    Performance {
        /// The authenticated sender; an operator or a gateway.
        from: Peer,
        /// The request.
        request: performance::Request,
        /// Where the answer goes.
        responder: Responder<performance::Response>,
    },
    /// Gossip brought an owner's request. It travels on only if the verdict says so.
    Request {
        /// The request, unchecked.
        request: SignedRequest,
        /// Says whether it is passed on.
        verdict: Verdict,
    },
    /// An address of a peer that is worth remembering across restarts.
    PeerAddress {
        /// The peer.
        peer_id: PeerId,
        /// Its address, without the peer id.
        address: Multiaddr,
    },
}

/// Answers one request. Dropping it leaves the peer without an answer, which it takes as a failure and repeats.
#[derive(Debug)]
pub struct Responder<T>(oneshot::Sender<T>);

impl<T> Responder<T> {
    /// Answers. An answer that comes after the peer's timeout goes nowhere.
    pub fn respond(self, response: T) {
        let _ = self.0.send(response);
    }
}

/// The events of one mesh, for one reader.
#[derive(Debug)]
pub struct EventStream(mpsc::Receiver<Event>);

impl EventStream {
    /// The next event; none after the mesh was shut down.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

/// Bytes and messages of each protocol.
#[derive(Debug, Default)]
struct TrafficTable {
    dkg: Arc<Traffic>,
    publish: Arc<Traffic>,
    info: Arc<Traffic>,
    consensus: Arc<Traffic>,
    signing: Arc<Traffic>,
    performance: Arc<Traffic>,
    presence: Arc<Traffic>,
    gossip: Arc<Traffic>,
}

/// What the client, the swarm task and the gossip task share.
struct Shared {
    local: PeerId,
    identity: SecretKey,
    chain_id: u64,
    role: Role,
    members: Members,
    registry: Arc<dyn Registry>,
    traffic: TrafficTable,
    capabilities: RwLock<Vec<String>>,
    open_ceremonies: AtomicU32,
    peers: watch::Sender<BTreeMap<PeerId, PeerStatus>>,
    addresses: watch::Sender<Vec<Multiaddr>>,
    faults: Option<LinkFaults>,
    /// This life of the process.
    session: Session,
    /// Another node with this key, once there was one.
    twin: watch::Sender<Option<Twin>>,
    stopped: CancellationToken,
}

impl Shared {
    /// What this node says about itself now.
    fn info(&self) -> Info {
        Info {
            operator_id: self.members.get(&self.local).and_then(|member| member.operator_id()),
            role: self.role,
            chain_id: self.chain_id,
            version: info::RELEASE.to_owned(),
            protocols: info::supported(),
            capabilities: self.capabilities.read().map(|held| held.clone()).unwrap_or_default(),
            clock_ms: clock_ms(),
            open_ceremonies: self.open_ceremonies.load(std::sync::atomic::Ordering::Relaxed),
            addresses: self
                .addresses
                .borrow()
                .iter()
                .take(limits::ADDRESSES_PER_PEER)
                .map(Multiaddr::to_string)
                .collect(),
        }
    }

    fn peer(&self, peer_id: PeerId) -> Option<Peer> {
        self.members.get(&peer_id).map(|member| Peer { peer_id, member })
    }
}

/// Unix milliseconds.
fn clock_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The mesh.
pub struct Network;

impl Network {
    /// Starts the swarm task and returns when every address is being listened on.
    pub async fn start(config: NetworkConfig) -> Result<(Client, EventStream), StartError> {
        let keypair = identity::keypair(&config.identity)?;
        let members = Members::of(config.registry.as_ref());
        let shared = Arc::new(Shared {
            local: keypair.public().to_peer_id(),
            identity: config.identity.clone(),
            chain_id: config.chain_id,
            role: config.role,
            members,
            registry: config.registry.clone(),
            traffic: TrafficTable::default(),
            capabilities: RwLock::new(config.capabilities.clone()),
            open_ceremonies: AtomicU32::new(0),
            peers: watch::Sender::new(BTreeMap::new()),
            addresses: watch::Sender::new(Vec::new()),
            faults: config.faults.clone(),
            session: presence::new_session(),
            twin: watch::Sender::new(None),
            stopped: CancellationToken::new(),
        });
        let swarm = behaviour::build(&keypair, &config, &shared)?;
        let (commands, command_receiver) = mpsc::channel(limits::COMMAND_QUEUE);
        let (events, event_receiver) = mpsc::channel(limits::EVENT_QUEUE);
        let checker = gossip::spawn_checker(shared.clone(), commands.clone(), events.clone());
        let mut task = task::Task::new(swarm, &config, shared.clone(), command_receiver, events, checker)?;
        task.listen(&config).await?;
        tokio::spawn(task.run());
        if config.role == Role::Operator {
            gossip::spawn_announcer(shared.clone(), commands.clone());
            if config.is_node {
                presence::spawn_watch(shared.clone(), &commands);
            }
        }
        Ok((Client::new(shared, commands), EventStream(event_receiver)))
    }
}
