//! The operator role: takes part in ceremonies.
//!
//! One task reads the mesh's events and answers peers; whatever blocks (signatures, disk) runs elsewhere, in bounded
//! numbers. Ceremonies live in [`crate::driver`].

mod answers;
mod duties;
mod duties_api;
mod orders;
mod running;
mod standing;
mod upkeep;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster_core::committee::OperatorId;
use cluster_core::encoding::{decode, encode};
use cluster_core::machine::Time;
use cluster_core::network::Network as Chain;
use cluster_core::registry::{FileRegistry, Registry, RegistryFile};
use cluster_core::request::RequestRules;
use cluster_crypto::identity;
use cluster_net::info::Role;
use libp2p::{Multiaddr, PeerId};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::duties_api::{Records as DutyRecords, MAX_RECORDS as MAX_DUTY_RECORDS};
pub use self::running::{OperatorStats, RunningOperator};

use self::upkeep::UpkeepDesk;

use crate::chain::{act_as_operator, ChainMetrics, ChainRegistry, ChainView, OperatorParts};
use crate::config::{ChainConfig, ConfigError, IdentityConfig, OperatorConfig, Validate};
use crate::driver::{Ceremonies, CrashSwitch, Hooks, Outbound, Parts, Publisher};
use crate::duties::upkeep::Notebook;
use crate::exits::ExitDesk;
use crate::http::{Readiness, Server};
use crate::keys::{self, KeyError};
use crate::metrics::Metrics;
use crate::network::{Client, Network, NetworkConfig, StartError};
use crate::registry_file::{RegistryFileError, ReloadableRegistry};
use crate::service_client::now_ms;
use crate::signer::{self, Now, Signer};
use crate::store::{Store, StoreError, Table};

/// How long a killed operator's database may take to be released.
const RELEASE_PATIENCE: Duration = Duration::from_secs(10);
/// A remembered list of a peer's addresses.
const ADDRESSES_LIMIT: usize = 16 * 1024;

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Key or password.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Registry.
    #[error(transparent)]
    Registry(#[from] RegistryFileError),
    /// Database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Mesh.
    #[error(transparent)]
    Network(#[from] StartError),
    /// Beacon nodes.
    #[error(transparent)]
    Beacon(#[from] crate::beacon::BeaconError),
    /// HTTP.
    #[error("cannot listen on {address} for HTTP: {reason}")]
    Http {
        /// The address.
        address: SocketAddr,
        /// The system's words.
        reason: String,
    },
    /// The key is not the one of an operator.
    #[error("the key {public_key} is not that of an operator in {registry}; add the entry that `cluster-node keygen` printed")]
    NotAnOperator {
        /// Our key.
        public_key: identity::PublicKey,
        /// The registry file.
        registry: String,
    },
    /// The key is not the one of a gateway.
    #[error("the key {public_key} is not that of a gateway in {registry}; add the entry that `cluster-node keygen --role gateway` printed")]
    NotAGateway {
        /// Our key.
        public_key: identity::PublicKey,
        /// The registry file.
        registry: String,
    },
    /// The service's URL.
    #[error("{0}")]
    Service(#[from] crate::service_client::CallError),
}

type Members = (Chain, Arc<dyn Registry>, Option<Arc<ReloadableRegistry>>);

/// What a node holds once its files were read.
#[derive(Clone)]
pub struct Loaded {
    /// The node's key.
    pub identity: identity::SecretKey,
    /// The chain that the registry is for.
    pub network: Chain,
    /// Who is who.
    pub registry: Arc<dyn Registry>,
    /// The same, when it came from a file and can be read again.
    pub reloadable: Option<Arc<ReloadableRegistry>>,
}

impl Loaded {
    /// What a node's files say. With `[chain]` the registry file is there for addresses alone, and need not be there. The
    /// registry is read first: to open a key takes most of a second.
    pub(crate) async fn open(
        key: &IdentityConfig,
        registry_file: &std::path::Path,
        chain: &ChainConfig,
    ) -> Result<Self, NodeError> {
        let (network, registry, reloadable) = Self::members(registry_file, chain)?;
        let key = key.clone();
        let identity = run_blocking(move || keys::load_identity(&key)).await?;
        Ok(Self { identity, network, registry, reloadable })
    }

    // The error is large as it names keys and files; it is made once, when a node does not start.
    #[allow(clippy::result_large_err)]
    fn members(registry_file: &std::path::Path, chain: &ChainConfig) -> Result<Members, NodeError> {
        if chain.is_on() && !registry_file.exists() {
            let nobody =
                RegistryFile { network: chain.network, operators: vec![], gateways: vec![], bootstraps: vec![] };
            let nobody = FileRegistry::try_from(nobody)
                .map_err(|error| RegistryFileError::Content { path: registry_file.to_owned(), error })?;
            return Ok((chain.network, Arc::new(nobody), None));
        }
        let registry = Arc::new(ReloadableRegistry::open(registry_file)?);
        if chain.is_on() && registry.network() != chain.network {
            let reason =
                format!("it is {}, but {} is of {}", chain.network, registry_file.display(), registry.network());
            return Err(ConfigError::Value { field: "chain.network", reason }.into());
        }
        Ok((registry.network(), registry.clone(), Some(registry)))
    }

    /// With `[chain]`: begins to read the contracts, and puts them in the place of the registry. Waits until this node's
    /// own entry is there, or everything was read.
    pub(crate) async fn read_chain(
        &mut self,
        config: &ChainConfig,
        store: &Arc<Store>,
        metrics: &Metrics,
        stop: &CancellationToken,
        tasks: &TaskTracker,
    ) -> Result<Option<(ChainView, ChainMetrics)>, NodeError> {
        if !config.is_on() {
            return Ok(None);
        }
        let chain_metrics = ChainMetrics::new(metrics);
        let view = crate::chain::start(config, store, &chain_metrics, stop, tasks).await?;
        let key = self.identity.public_key();
        let known = |facts: &cluster_core::chain::Facts| {
            facts.operator_of_key(&key).is_some() || facts.cluster_node(&key).is_some()
        };
        let mut status = view.status();
        if !view.with(known) {
            tracing::info!(
                "reading the contracts from block {} on, until this node's own entry is there",
                config.start_block
            );
        }
        while !view.with(known) && !status.borrow_and_update().caught_up && status.changed().await.is_ok() {}
        self.registry = Arc::new(ChainRegistry::new(view.clone(), Some(self.registry.clone())));
        Ok(Some((view, chain_metrics)))
    }
}

/// Starts an operator from its configuration: reads key and registry, then [`start_with`].
pub async fn start(config: OperatorConfig, hooks: Hooks) -> Result<RunningOperator, NodeError> {
    config.validate()?;
    let loaded = Loaded::open(&config.identity, &config.registry_file, &config.chain).await?;
    start_with(config, loaded, hooks).await
}

/// Starts an operator with a key and registry from elsewhere.
pub async fn start_with(config: OperatorConfig, loaded: Loaded, hooks: Hooks) -> Result<RunningOperator, NodeError> {
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    // Whatever was begun ends with a start that fails.
    let begun = stop.clone().drop_guard();
    let (data_dir, identity) = (config.data_dir.clone(), loaded.identity.clone());
    let store = run_blocking(move || Store::open(&data_dir, &identity).map(Arc::new)).await?;
    let metrics = Metrics::new();
    let mut loaded = loaded;
    let chain = loaded.read_chain(&config.chain, &store, &metrics, &stop, &tasks).await?;
    let public_key = loaded.identity.public_key();
    let entry = loaded.registry.operators().into_iter().find(|entry| entry.public_key == public_key);
    let me = entry
        .map(|entry| entry.id)
        .ok_or_else(|| NodeError::NotAnOperator { public_key, registry: config.registry_file.display().to_string() })?;

    let mut network = network_config(&loaded, Role::Operator, &config.mesh)?;
    network.remembered = remembered(&store);
    network.transport = hooks.transport;
    network.faults = hooks.faults.clone();
    let (client, events) = Network::start(network).await?;

    client.register(&metrics);
    let crashed = CancellationToken::new();
    let retry_max = Duration::from_millis(config.ceremony.retry_max_ms);
    let ceremonies = Ceremonies::new(Parts {
        me,
        identity: loaded.identity.clone(),
        registry: loaded.registry.clone(),
        await_registration: chain.is_some(),
        rules: RequestRules {
            network: loaded.network,
            max_validators: config.ceremony.max_validators,
            max_deadline_ahead_s: config.ceremony.max_deadline_s,
        },
        timing: config.ceremony.timing(),
        max_open: config.ceremony.max_open,
        data_dir: config.data_dir.clone(),
        store: Arc::clone(&store),
        outbound: Outbound::new(client.clone(), metrics.clone(), retry_max, stop.clone(), tasks.clone()),
        publisher: Publisher::start(client.clone(), stop.clone(), &tasks),
        client: client.clone(),
        metrics: metrics.clone(),
        crash: CrashSwitch::new(hooks.crash_at, crashed.clone(), &config.data_dir),
        hooks: hooks.clone(),
        stop: stop.clone(),
    });
    let readiness = Readiness::default();
    let exits = ExitDesk::new(&store, loaded.network.chain_id());
    let notes = Arc::new(Notebook::default());
    let asks_builders = config.duties.builder && !config.beacon.urls.is_empty();
    let upkeep = UpkeepDesk::new(me, &store, exits.clone(), Arc::clone(&notes), asks_builders);
    let http = match config.http.address()? {
        Some(address) => {
            let routes = exits.routes().merge(upkeep.routes()).merge(duties_api::routes(&store, client.twin()));
            let routes = match &chain {
                Some((view, _)) => routes.merge(crate::chain::routes(view)),
                None => routes,
            };
            Some(start_http(address, &metrics, &readiness, routes, &stop).await?)
        }
        None => None,
    };
    let resumed = ceremonies.clone();
    run_blocking(move || resumed.restore()).await?;
    let signer = open_signer(&config, me, &store, &stop, &tasks).await?;
    let duties = duties::start(&duties::Context {
        me,
        config: &config,
        loaded: &loaded,
        store: &store,
        client: &client,
        signer: &signer,
        exits: &exits,
        upkeep: &notes,
        metrics: &metrics,
        hooks: &hooks,
        stop: &stop,
        tasks: &tasks,
    })?;
    let answers = answers::Answers::new(
        me,
        ceremonies.clone(),
        client.clone(),
        Arc::clone(&store),
        metrics.clone(),
        stop.clone(),
        tasks.clone(),
    );
    let answers = answers.with_duties(duties.clone()).with_desks(exits.clone(), upkeep);
    tasks.spawn(answers.run(events));
    tasks.spawn(orders::pass_on(exits.clone(), client.clone(), me, stop.clone(), tasks.clone()));
    let sources = standing::Sources {
        chain: chain.as_ref().map(|(view, _)| view.status()),
        beacon: duties.as_ref().map(|duties| Arc::clone(&duties.beacon)),
    };
    tasks.spawn(standing::tell(client.clone(), sources, stop.clone()));
    let view = chain.as_ref().map(|(view, _)| view.clone());
    if let Some((view, chain_metrics)) = chain {
        let parts = OperatorParts {
            me,
            identity: loaded.identity.clone(),
            network: loaded.network,
            registry: loaded.registry.clone(),
            ceremonies: ceremonies.clone(),
            store: Arc::clone(&store),
            exits: exits.clone(),
            client: client.clone(),
            metrics: chain_metrics,
            warn_blocks: config.chain.warn_blocks,
            refused: Arc::default(),
            joining: Arc::default(),
        };
        tasks.spawn(act_as_operator(parts, view, stop.clone()));
    }
    let _goes_on = begun.disarm();
    readiness.set(true);
    tracing::info!(operator_id = me.0, peer_id = %client.local_peer_id(), network = %loaded.network, "operator {me} is running");
    Ok(RunningOperator {
        me,
        client,
        ceremonies,
        duties,
        chain: view,
        store,
        metrics,
        readiness,
        http,
        signer,
        exits,
        stop,
        crashed,
        tasks,
        loaded,
    })
}

async fn open_signer(
    config: &OperatorConfig,
    me: OperatorId,
    store: &Arc<Store>,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> Result<Arc<dyn Signer>, NodeError> {
    let (config, store) = (config.signer.clone(), Arc::clone(store));
    let (stop, tasks) = (stop.clone(), tasks.clone());
    let now: Now = Arc::new(|| Time(now_ms()));
    run_blocking(move || signer::of_operator(&config, &store, me, now, &stop, &tasks)).await
}

/// The mesh's configuration from a role's.
pub(crate) fn network_config(
    loaded: &Loaded,
    role: Role,
    mesh: &crate::config::MeshConfig,
) -> Result<NetworkConfig, ConfigError> {
    let mut config =
        NetworkConfig::new(loaded.identity.clone(), role, loaded.network.chain_id(), loaded.registry.clone());
    config.listen = addresses("mesh.listen", &mesh.listen)?;
    config.external = addresses("mesh.external_addresses", &mesh.external_addresses)?;
    config.bootstrap = addresses("mesh.bootstrap", &mesh.bootstrap)?;
    config.use_relay = mesh.use_relay;
    Ok(config)
}

fn addresses(field: &'static str, texts: &[String]) -> Result<Vec<Multiaddr>, ConfigError> {
    let parse = |text: &String| {
        text.parse()
            .map_err(|error| ConfigError::Value { field, reason: format!("`{text}` is not a multiaddress: {error}") })
    };
    texts.iter().map(parse).collect()
}

pub(crate) async fn start_http(
    address: SocketAddr,
    metrics: &Metrics,
    readiness: &Readiness,
    routes: axum::Router,
    stop: &CancellationToken,
) -> Result<Server, NodeError> {
    Server::start(address, metrics.clone(), readiness.clone(), routes, stop.clone())
        .await
        .map_err(|error| NodeError::Http { address, reason: error.to_string() })
}

pub(crate) async fn reload(loaded: &Loaded, client: &Client) -> Result<(), RegistryFileError> {
    if let Some(registry) = loaded.reloadable.clone() {
        // A panic in the reader leaves the old content in place.
        if let Ok(read) = tokio::task::spawn_blocking(move || registry.reload()).await {
            read?;
        }
        client.registry_changed().await;
    }
    Ok(())
}

pub(crate) fn with_peer_id(client: &Client) -> Vec<Multiaddr> {
    let peer = libp2p::multiaddr::Protocol::P2p(client.local_peer_id());
    client.addresses().into_iter().map(|address| address.with(peer.clone())).collect()
}

/// Addresses of peers that worked before.
pub(crate) fn remembered(store: &Store) -> Vec<(PeerId, Multiaddr)> {
    let mut found = Vec::new();
    // Damaged or outdated entries are hints that are lost, nothing more.
    for (key, value) in store.entries(Table::Peers).flatten() {
        let Ok(peer) = PeerId::from_bytes(&key) else { continue };
        let texts: Vec<String> = decode(&value, ADDRESSES_LIMIT).unwrap_or_default();
        found.extend(texts.iter().filter_map(|text| text.parse().ok()).map(|address| (peer, address)));
    }
    found
}

/// Remembers one more address of a peer, the newest first.
pub(crate) fn remember(store: &Store, peer: PeerId, address: &Multiaddr) -> Result<(), StoreError> {
    let key = peer.to_bytes();
    let held = store.get(Table::Peers, &key)?.and_then(|bytes| decode::<Vec<String>>(&bytes, ADDRESSES_LIMIT).ok());
    let mut texts = held.unwrap_or_default();
    let text = address.to_string();
    texts.retain(|held| *held != text);
    texts.insert(0, text);
    texts.truncate(cluster_net::limits::ADDRESSES_PER_PEER);
    store.put(Table::Peers, &key, &encode(&texts))
}

/// Flushes and waits until the last reference to the database is gone, so that its lock is free.
pub(crate) async fn release(store: Arc<Store>) {
    let flushed = Arc::clone(&store);
    let _ = tokio::task::spawn_blocking(move || flushed.flush()).await;
    let weak = Arc::downgrade(&store);
    // Dropping sled's handle joins its own threads.
    let _ = tokio::task::spawn_blocking(move || drop(store)).await;
    let give_up = Instant::now() + RELEASE_PATIENCE;
    while weak.strong_count() > 0 && Instant::now() < give_up {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    if weak.strong_count() > 0 {
        tracing::warn!("the database is still in use by a task that does not end");
    }
}

pub(crate) async fn run_blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, NodeError>
where
    T: Send + 'static,
    E: Send + 'static,
    NodeError: From<E>,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(NodeError::from),
        // The pool refuses work only while the runtime shuts down; a panic inside was reported by its hook.
        Err(_) => Err(StoreError::Closed.into()),
    }
}
