//! The bootstrap peer: the first address that a new node knows.
//!
//! It answers Kademlia, identify and ping, tests from outside whether a node can be reached (AutoNAT), and relays for
//! nodes behind home routers. It admits registered peers only, holds no shares, and knows nothing of validators. Nodes
//! that have found each other do not need it any more.
//!
//! | File | Part |
//! |---|---|
//! | `lib.rs` | [`start`] and [`Running`], for the binary and the testnet |
//! | `server.rs` | the swarm and its task |
//! | `http.rs` | `/health`, `/ready` and `/metrics` |
//! | `metrics.rs` | what is counted |
//! | `config.rs` | the configuration file, environment and flags of the binary |

pub mod config;
mod http;
mod metrics;
mod server;

use std::net::SocketAddr;
use std::sync::Arc;

use cluster_core::registry::Registry;
use cluster_crypto::identity::SecretKey;
use cluster_net::gate::Members;
use cluster_net::{discovery, identity};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use metrics::Metrics;

/// What a bootstrap peer needs.
pub struct BootstrapConfig {
    /// Its registered key; also the libp2p identity.
    pub identity: SecretKey,
    /// Who may connect.
    pub registry: Arc<dyn Registry>,
    /// Multiaddresses to listen on.
    pub listen: Vec<Multiaddr>,
    /// Multiaddresses under which others reach it. Without any, those of `listen` that name a concrete address.
    pub external: Vec<Multiaddr>,
    /// Whether it relays.
    pub relay: bool,
    /// Whether it passes on operators' signed records.
    pub forward_records: bool,
    /// Address of `/health`, `/ready` and `/metrics`, when there is one.
    pub http: Option<SocketAddr>,
}

impl BootstrapConfig {
    /// The defaults: relay, forward records, no HTTP.
    pub fn new(identity: SecretKey, registry: Arc<dyn Registry>, listen: Vec<Multiaddr>) -> Self {
        Self { identity, registry, listen, external: Vec::new(), relay: true, forward_records: true, http: None }
    }
}

/// Why a bootstrap peer cannot start.
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
        address: String,
        /// What the system says.
        reason: String,
    },
}

/// A bootstrap peer at work. Dropping it stops it.
pub struct Running {
    peer_id: PeerId,
    addresses: Vec<Multiaddr>,
    http: Option<SocketAddr>,
    metrics: Metrics,
    members: Members,
    registry: watch::Sender<Arc<dyn Registry>>,
    stop: DropGuard,
    task: JoinHandle<()>,
}

impl Running {
    /// Its peer id.
    pub fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// The addresses that it listens on, without the peer id.
    pub fn addresses(&self) -> &[Multiaddr] {
        &self.addresses
    }

    /// The addresses that it listens on with the peer id, as a node's configuration wants them.
    pub fn dial_addresses(&self) -> Vec<Multiaddr> {
        self.addresses.iter().filter_map(|address| address.clone().with_p2p(self.peer_id).ok()).collect()
    }

    /// Where `/health`, `/ready` and `/metrics` are.
    pub fn http(&self) -> Option<SocketAddr> {
        self.http
    }

    /// What it counted.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Follows a changed registry: new peers are admitted, those that left are disconnected.
    pub fn follow(&self, registry: Arc<dyn Registry>) {
        self.members.replace(registry.as_ref());
        self.registry.send_replace(registry);
    }

    /// Says goodbye to all peers and stops.
    pub async fn shutdown(self) {
        drop(self.stop);
        // An error means that the task panicked, which stops it as well.
        let _ = self.task.await;
    }
}

/// Starts a bootstrap peer; returns when it listens on all addresses.
pub async fn start(config: BootstrapConfig) -> Result<Running, StartError> {
    let keypair = identity::keypair(&config.identity)?;
    let peer_id = keypair.public().to_peer_id();
    let members = Members::of(config.registry.as_ref());
    let metrics = Metrics::default();
    let registry = watch::Sender::new(config.registry.clone());
    let mut server = server::Server::new(&keypair, &config, members.clone(), metrics.clone(), registry.subscribe())?;
    let addresses = server.listen(&config).await?;
    let stop = CancellationToken::new();
    let http = match config.http {
        Some(address) => Some(http::serve(address, metrics.clone(), stop.clone()).await?),
        None => None,
    };
    let task = tokio::spawn(server.run(stop.clone()));
    Ok(Running { peer_id, addresses, http, metrics, members, registry, stop: stop.drop_guard(), task })
}
