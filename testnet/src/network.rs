//! A running network in one process: bootstrap peer, operators, gateway and service over real loopback sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cluster_bootstrap::BootstrapConfig;
use cluster_core::ceremony::CeremonyId;
use cluster_core::committee::OperatorId;
use cluster_core::dkg::Step;
use cluster_core::registry::FileRegistry;
use cluster_core::request::EventLookup;
use cluster_node::config::{ChainConfig, GatewayConfig, OperatorConfig};
use cluster_node::driver::Hooks;
use cluster_node::gateway::{self, GatewayHooks, RunningGateway};
use cluster_node::network::{Client, Link, LinkFaults, Transport};
use cluster_node::operator::{self, Loaded, NodeError, RunningOperator};
use cluster_service::RunningService;

use crate::evm::Chain;
use crate::misbehave::make_tamper;
use crate::steps::StepClock;
use crate::timings::Timings;
use crate::world::{Everybody, World};

/// How long the nodes may take to find each other.
const MESH_PATIENCE: Duration = Duration::from_secs(90);

/// Why a network does not run.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// A folder or file.
    #[error("{path} cannot be made: {reason}")]
    File {
        /// Which.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// An operator's evidence.
    #[error("the evidence in {path} cannot be read: {reason}")]
    Evidence {
        /// Which.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The generated registry.
    #[error("the registry is refused: {0}")]
    Registry(#[from] cluster_core::registry::RegistryError),
    /// The bootstrap peer.
    #[error("the bootstrap peer does not start: {0}")]
    Bootstrap(#[from] cluster_bootstrap::StartError),
    /// The service.
    #[error("the service does not start: {0}")]
    Service(#[from] cluster_service::StartError),
    /// An operator.
    #[error("operator {operator} does not start: {error}")]
    Operator {
        /// Which.
        operator: OperatorId,
        /// Why.
        error: Box<NodeError>,
    },
    /// The gateway.
    #[error("the gateway does not start: {0}")]
    Gateway(#[source] Box<NodeError>),
    /// The operators do not find each other.
    #[error("the mesh is not complete after {} s: {}", patience.as_secs(), lonely.join("; "))]
    Mesh {
        /// How long it was waited for.
        patience: Duration,
        /// Who misses whom.
        lonely: Vec<String>,
    },
    /// The part is not running.
    #[error("{0} is not running")]
    NotRunning(String),
}

/// How to run a network.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Transport of the mesh.
    pub transport: Transport,
    /// Patience.
    pub timings: Timings,
    /// Quality of all links.
    pub link: Link,
    /// Seed of lost messages and of misbehaviour.
    pub seed: u64,
    /// Folder of all databases.
    pub dir: PathBuf,
    /// Operators that misbehave.
    pub byzantine: BTreeMap<OperatorId, cluster_core::dkg::Behaviour>,
    /// Operators that die when they enter a step, once.
    pub crash: BTreeMap<OperatorId, Step>,
    /// Operators that are not started.
    pub absent: BTreeSet<OperatorId>,
    /// The chain that everybody reads; none: the registry file says everything.
    pub chain: Option<Arc<Chain>>,
    /// URL of a relay for wallets on phones (`ws://host:port`), told to the service; only with a chain.
    pub relay: Option<String>,
    /// Endpoints of the chain for parts that do not read it from where it is.
    pub endpoints: BTreeMap<Part, Vec<String>>,
}

/// A part that reads the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// An operator.
    Operator(OperatorId),
    /// The gateway.
    Gateway,
    /// The service.
    Service,
}

impl std::fmt::Display for Part {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Operator(id) => write!(out, "operator {id}"),
            Self::Gateway => out.write_str("the gateway"),
            Self::Service => out.write_str("the service"),
        }
    }
}

impl Settings {
    /// Without faults.
    #[must_use]
    pub fn calm(dir: &Path, transport: Transport, timings: Timings, seed: u64) -> Self {
        Self {
            transport,
            timings,
            link: Link::default(),
            seed,
            dir: dir.to_owned(),
            byzantine: BTreeMap::new(),
            crash: BTreeMap::new(),
            absent: BTreeSet::new(),
            chain: None,
            relay: None,
            endpoints: BTreeMap::new(),
        }
    }
}

/// Bytes and messages that an operator sent, over all its lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Bytes of the node's own protocols.
    pub bytes: u64,
    /// Messages of them.
    pub messages: u64,
}

/// Project id that is told to the relay; one of our own does not ask for any other.
const RELAY_PROJECT: &str = "cluster-testnet";

/// A network that runs until [`Testnet::shutdown`].
pub struct Testnet {
    /// Everybody's keys.
    pub world: World,
    /// Quality of links and partitions; may be changed at any time.
    pub faults: LinkFaults,
    /// When operators entered steps.
    pub steps: StepClock,
    settings: Settings,
    registry: Arc<FileRegistry>,
    bootstrap_addresses: Vec<String>,
    bootstrap: Option<cluster_bootstrap::Running>,
    operators: BTreeMap<OperatorId, RunningOperator>,
    buried: BTreeMap<OperatorId, Sent>,
    gateway: Option<RunningGateway>,
    service: Option<RunningService>,
    service_config: cluster_service::Config,
}

impl Testnet {
    /// Starts everything; returns when every node is connected to every other.
    pub async fn start(world: World, settings: Settings) -> Result<Self, NetworkError> {
        let registry = Arc::new(world.registry()?);
        std::fs::create_dir_all(&settings.dir)
            .map_err(|error| NetworkError::File { path: settings.dir.clone(), reason: error.to_string() })?;
        let faults = LinkFaults::new(settings.seed);
        faults.set_default(settings.link);
        faults.set_lost_after(Duration::from_millis(250) + settings.link.latency * 4);
        let listen = listen_address(settings.transport);
        // A constant that parses; without an address the bootstrap peer itself says what is wrong.
        let bootstrap_listen = listen.parse().into_iter().collect();
        let config = BootstrapConfig::new(world.bootstrap.clone(), registry.clone(), bootstrap_listen);
        let bootstrap = cluster_bootstrap::start(config).await?;
        let mut service_config = cluster_service::Config {
            listen: ([127, 0, 0, 1], 0).into(),
            database_url: format!("sqlite://{}", settings.dir.join("service.db").display()),
            cluster_pubkey: Some(world.gateway.public_key()),
            shutdown_grace_ms: 2_000,
            registry: Some(FileRegistry::clone(&registry)),
            ..cluster_service::Config::default()
        };
        if let Some(chain) = &settings.chain {
            chain.configure_service(&mut service_config);
            if let Some(relay) = &settings.relay {
                service_config.app_walletconnect_project_id = Some(RELAY_PROJECT.to_owned());
                service_config.app_walletconnect_relay_url.clone_from(relay);
            }
            if let Some(urls) = settings.endpoints.get(&Part::Service) {
                service_config.chain.rpc_urls.clone_from(urls);
            }
        }
        let mut testnet = Self {
            bootstrap_addresses: bootstrap.dial_addresses().iter().map(ToString::to_string).collect(),
            bootstrap: Some(bootstrap),
            faults,
            steps: StepClock::default(),
            registry,
            operators: BTreeMap::new(),
            buried: BTreeMap::new(),
            gateway: None,
            service: None,
            service_config,
            world,
            settings,
        };
        testnet.start_service().await?;
        for id in testnet.world.ids() {
            if !testnet.settings.absent.contains(&id) {
                let crash_at = testnet.settings.crash.get(&id).copied();
                testnet.launch(id, crash_at).await?;
            }
        }
        testnet.start_gateway().await?;
        testnet.wait_for_mesh().await?;
        Ok(testnet)
    }

    /// The settings it was started with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The chain that everybody reads.
    #[must_use]
    pub fn chain(&self) -> Option<&Arc<Chain>> {
        self.settings.chain.as_ref()
    }

    /// Who is who.
    #[must_use]
    pub fn registry(&self) -> &FileRegistry {
        &self.registry
    }

    /// Who is who, with what the chain says of the one event that is asked for.
    #[must_use]
    pub fn everybody(&self, found: EventLookup) -> Everybody {
        Everybody::new(self.registry.clone(), found)
    }

    /// Base URL of the service.
    pub fn service_url(&self) -> Result<String, NetworkError> {
        let service = self.service.as_ref().ok_or_else(|| NetworkError::NotRunning("the service".to_owned()))?;
        Ok(format!("http://{}", service.local_addr()))
    }

    /// The service's database.
    #[must_use]
    pub fn service_database(&self) -> &str {
        &self.service_config.database_url
    }

    /// The gateway.
    pub fn gateway(&self) -> Result<&RunningGateway, NetworkError> {
        self.gateway.as_ref().ok_or_else(|| NetworkError::NotRunning("the gateway".to_owned()))
    }

    /// Base URL of the gateway.
    pub fn gateway_url(&self) -> Result<String, NetworkError> {
        let address = self.gateway.as_ref().and_then(RunningGateway::http_address);
        address
            .map(|address| format!("http://{address}"))
            .ok_or_else(|| NetworkError::NotRunning("the gateway".to_owned()))
    }

    /// Multiaddresses of the bootstrap peer.
    #[must_use]
    pub fn bootstrap_addresses(&self) -> &[String] {
        &self.bootstrap_addresses
    }

    /// A running operator.
    pub fn operator(&self, id: OperatorId) -> Result<&RunningOperator, NetworkError> {
        self.operators.get(&id).ok_or_else(|| NetworkError::NotRunning(format!("operator {id}")))
    }

    /// All running operators.
    #[must_use]
    pub fn operators(&self) -> &BTreeMap<OperatorId, RunningOperator> {
        &self.operators
    }

    /// What every operator has sent since the network was started.
    #[must_use]
    pub fn sent(&self) -> BTreeMap<OperatorId, Sent> {
        let mut sent = self.buried.clone();
        for (id, operator) in &self.operators {
            let stats = operator.stats();
            let entry = sent.entry(*id).or_default();
            entry.bytes += stats.bytes_sent;
            entry.messages += stats.messages_sent;
        }
        sent
    }

    /// Starts an operator that is not running, without a crash in it.
    pub async fn start_operator(&mut self, id: OperatorId) -> Result<(), NetworkError> {
        self.launch(id, None).await
    }

    /// Starts an operator that is not running, and that dies when it enters `step` of a ceremony.
    pub async fn start_operator_to_crash(&mut self, id: OperatorId, step: Step) -> Result<(), NetworkError> {
        self.launch(id, Some(step)).await
    }

    /// Kills an operator as SIGKILL would.
    pub async fn kill_operator(&mut self, id: OperatorId) -> Result<(), NetworkError> {
        let Some(operator) = self.operators.remove(&id) else {
            return Err(NetworkError::NotRunning(format!("operator {id}")));
        };
        let stats = operator.stats();
        let sent = self.buried.entry(id).or_default();
        sent.bytes += stats.bytes_sent;
        sent.messages += stats.messages_sent;
        operator.kill().await;
        Ok(())
    }

    /// Ends the bootstrap peer.
    pub async fn stop_bootstrap(&mut self) {
        if let Some(bootstrap) = self.bootstrap.take() {
            bootstrap.shutdown().await;
        }
    }

    /// Ends the service; its database stays.
    pub async fn stop_service(&mut self) {
        if let Some(service) = self.service.take() {
            service.shutdown().await;
        }
    }

    /// Starts the service on its database, at the address that it had before.
    pub async fn start_service(&mut self) -> Result<(), NetworkError> {
        let service = cluster_service::start(self.service_config.clone()).await?;
        self.service_config.listen = service.local_addr();
        self.service = Some(service);
        Ok(())
    }

    /// Waits until every running operator is connected to all others and to the gateway.
    pub async fn wait_for_mesh(&self) -> Result<(), NetworkError> {
        let deadline = tokio::time::Instant::now() + MESH_PATIENCE;
        let mut lonely = Vec::new();
        for (name, client) in self.clients() {
            for (other, peer) in self.clients() {
                let peer = peer.local_peer_id();
                if peer == client.local_peer_id() {
                    continue;
                }
                let left = deadline.saturating_duration_since(tokio::time::Instant::now());
                if !client.wait_connected(peer, left).await {
                    lonely.push(format!("{name} is not connected to {other}"));
                }
            }
        }
        if lonely.is_empty() {
            return Ok(());
        }
        Err(NetworkError::Mesh { patience: MESH_PATIENCE, lonely })
    }

    /// Ends everything in order.
    pub async fn shutdown(mut self) {
        if let Some(gateway) = self.gateway.take() {
            gateway.shutdown().await;
        }
        let operators = std::mem::take(&mut self.operators).into_values();
        futures::future::join_all(operators.map(RunningOperator::shutdown)).await;
        self.stop_service().await;
        self.stop_bootstrap().await;
    }

    /// The evidence files that operators wrote in a ceremony.
    pub fn evidence(&self, ceremony_id: CeremonyId) -> Result<Vec<(OperatorId, String)>, NetworkError> {
        let mut found = Vec::new();
        for id in self.world.ids() {
            let path = self.data_dir(id).join(format!("evidence-{}.json", hex::encode(ceremony_id.as_bytes())));
            match std::fs::read_to_string(&path) {
                Ok(text) => found.push((id, text)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(NetworkError::Evidence { path, reason: error.to_string() }),
            }
        }
        Ok(found)
    }

    fn data_dir(&self, id: OperatorId) -> PathBuf {
        self.settings.dir.join(format!("operator-{id}"))
    }

    fn clients(&self) -> Vec<(String, &Client)> {
        let operators = self.operators.iter().map(|(id, operator)| (format!("operator {id}"), operator.client()));
        operators.chain(self.gateway.iter().map(|gateway| ("the gateway".to_owned(), gateway.client()))).collect()
    }

    async fn launch(&mut self, id: OperatorId, crash_at: Option<Step>) -> Result<(), NetworkError> {
        let Some(key) = self.world.operators.get(&id) else {
            return Err(NetworkError::NotRunning(format!("operator {id}")));
        };
        let mut config = OperatorConfig {
            data_dir: self.data_dir(id),
            ceremony: self.settings.timings.ceremony_config(),
            ..OperatorConfig::default()
        };
        config.mesh.listen = vec![listen_address(self.settings.transport).to_owned()];
        config.mesh.bootstrap.clone_from(&self.bootstrap_addresses);
        config.http.listen = String::new();
        // Keys are made here, and no duties performed.
        config.beacon.urls = Vec::new();
        config.chain = self.chain_config(Part::Operator(id));
        let hooks = Hooks {
            faults: Some(self.faults.clone()),
            transport: self.settings.transport,
            tamper: self.settings.byzantine.get(&id).map(|behaviour| make_tamper(*behaviour, self.settings.seed)),
            on_step: Some(self.steps.hook(id)),
            crash_at,
            ..Hooks::default()
        };
        let started = operator::start_with(config, self.loaded(key.clone()), hooks).await;
        let running = started.map_err(|error| NetworkError::Operator { operator: id, error: Box::new(error) })?;
        self.operators.insert(id, running);
        Ok(())
    }

    async fn start_gateway(&mut self) -> Result<(), NetworkError> {
        let mut config = GatewayConfig {
            data_dir: self.settings.dir.join("gateway"),
            service: self.settings.timings.service_config(self.service_url()?),
            publish: self.settings.timings.publish_config(),
            ..GatewayConfig::default()
        };
        config.mesh.listen = vec![listen_address(self.settings.transport).to_owned()];
        config.mesh.bootstrap.clone_from(&self.bootstrap_addresses);
        config.http.listen = "127.0.0.1:0".to_owned();
        config.chain = self.chain_config(Part::Gateway);
        let hooks = GatewayHooks { faults: Some(self.faults.clone()), transport: self.settings.transport };
        let loaded = self.loaded(self.world.gateway.clone());
        self.gateway = Some(
            gateway::start_with(config, loaded, hooks).await.map_err(|error| NetworkError::Gateway(Box::new(error)))?,
        );
        Ok(())
    }

    fn chain_config(&self, part: Part) -> ChainConfig {
        let chain = self.settings.chain.as_ref().map(|chain| chain.node_config(self.world.network));
        let mut config = chain.unwrap_or_default();
        if let Some(urls) = self.settings.endpoints.get(&part) {
            config.urls.clone_from(urls);
        }
        config
    }

    fn loaded(&self, identity: cluster_crypto::identity::SecretKey) -> Loaded {
        Loaded { identity, network: self.world.network, registry: self.registry.clone(), reloadable: None }
    }
}

/// Where nodes listen: a free port of the loopback interface.
fn listen_address(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "/ip4/127.0.0.1/tcp/0",
        Transport::Quic | Transport::Both => "/ip4/127.0.0.1/udp/0/quic-v1",
    }
}
