//! The gateway role: carries owners' requests to operators, collects what operators signed, and publishes certificates to
//! the service. It holds no key share, can delay and never forge; several of them can serve one service.
//!
//! | File | Part |
//! |---|---|
//! | `mod.rs` | start and stop |
//! | `intake.rs` | requests and contributions: which ceremonies are followed |
//! | `follower.rs` | one ceremony: submit, collect, publish |
//! | `decoding.rs` | contributions from their bytes, each transcript once |
//! | `collection.rs` | contributions, checked and merged |
//! | `outbox.rs` | certificates on disk until the service has them |
//! | `operators.rs` | which operators are alive and what they run, for the service |
//! | `preflight.rs` | owners' questions whether a committee is fit |
//! | `performance/` | how duties were performed: operators' claims, merged and published |
//! | `upkeep.rs` | what operators do for validators besides: registration with builders, exits |
//! | `service.rs` | the long poll, and reports of progress |
//! | `api.rs` | `POST /v1/requests` |

mod api;
pub mod collection;
mod decoding;
mod follower;
mod intake;
mod operators;
pub mod outbox;
mod performance;
mod preflight;
mod service;
mod upkeep;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cluster_core::ceremony::CeremonyId;
use cluster_core::certificate::Certificate;
use cluster_core::request::{RequestRules, SignedRequest};
use cluster_net::info::Role;
use libp2p::Multiaddr;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chain::ChainView;
use crate::config::{GatewayConfig, Validate};
use crate::http::{Readiness, Server};
use crate::metrics::Metrics;
use crate::network::{Client, LinkFaults, Network, Transport};
use crate::operator::{
    network_config, release, reload, remembered, run_blocking, start_http, with_peer_id, Loaded, NodeError,
};
use crate::registry_file::RegistryFileError;
use crate::service_client::ServiceClient;
use crate::store::{Store, StoreError};

use intake::Intake;
pub use intake::IntakeError;

/// What a testnet may set beside the configuration.
#[derive(Clone, Debug, Default)]
pub struct GatewayHooks {
    /// Latency, loss and partitions on this gateway's links.
    pub faults: Option<LinkFaults>,
    /// Transports to use.
    pub transport: Transport,
}

/// Bytes, messages and ceremonies of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatewayStats {
    /// Bytes sent by the node's own protocols, frames included.
    pub bytes_sent: u64,
    /// Messages sent by the node's own protocols.
    pub messages_sent: u64,
    /// Ceremonies that are followed.
    pub following: usize,
}

/// What the parts of a gateway share.
pub(crate) struct Shared {
    pub(crate) loaded: Loaded,
    pub(crate) rules: RequestRules,
    pub(crate) config: GatewayConfig,
    pub(crate) store: Arc<Store>,
    pub(crate) client: Client,
    pub(crate) service: Option<ServiceClient>,
    pub(crate) reports: service::Reports,
    pub(crate) decoder: decoding::Decoder,
    pub(crate) metrics: Metrics,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

/// Starts a gateway from its configuration.
pub async fn start(config: GatewayConfig) -> Result<RunningGateway, NodeError> {
    config.validate()?;
    let loaded = Loaded::open(&config.identity, &config.registry_file, &config.chain).await?;
    start_with(config, loaded, GatewayHooks::default()).await
}

/// Starts a gateway with a key and registry from elsewhere.
pub async fn start_with(
    config: GatewayConfig,
    loaded: Loaded,
    hooks: GatewayHooks,
) -> Result<RunningGateway, NodeError> {
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    // Whatever was begun ends with a start that fails.
    let begun = stop.clone().drop_guard();
    let (data_dir, identity) = (config.data_dir.clone(), loaded.identity.clone());
    let store = run_blocking(move || Store::open(&data_dir, &identity).map(Arc::new)).await?;
    let metrics = Metrics::new();
    let mut loaded = loaded;
    let chain = loaded.read_chain(&config.chain, &store, &metrics, &stop, &tasks).await?;
    let public_key = loaded.identity.public_key();
    if !loaded.registry.gateways().iter().any(|entry| entry.public_key == public_key) {
        return Err(NodeError::NotAGateway { public_key, registry: config.registry_file.display().to_string() });
    }
    let mut network = network_config(&loaded, Role::Gateway, &config.mesh)?;
    network.remembered = remembered(&store);
    network.transport = hooks.transport;
    network.faults = hooks.faults;
    let (client, events) = Network::start(network).await?;

    let service = match config.service.url.as_str() {
        "" => None,
        url => Some(ServiceClient::new(url, Duration::from_millis(config.service.timeout_ms))?),
    };
    client.register(&metrics);
    let reports = service::Reports::start(service.clone(), loaded.identity.clone(), metrics.clone(), &stop, &tasks);
    let shared = Arc::new(Shared {
        rules: RequestRules::new(loaded.network),
        loaded,
        config,
        store,
        client,
        service,
        reports,
        decoder: decoding::Decoder::default(),
        metrics,
        stop,
        tasks,
    });
    let intake = Intake::new(Arc::clone(&shared));
    let readiness = Readiness::default();
    let http = match shared.config.http.address()? {
        Some(address) => {
            let routes = api::routes(intake.clone());
            let routes = match &chain {
                Some((view, _)) => routes.merge(crate::chain::routes(view)),
                None => routes,
            };
            Some(start_http(address, &shared.metrics, &readiness, routes, &shared.stop).await?)
        }
        None => None,
    };
    let resumed = intake.clone();
    run_blocking(move || resumed.restore()).await?;
    shared.tasks.spawn(intake.clone().run(events));
    if let Some(service) = shared.service.clone() {
        shared.tasks.spawn(performance::run(Arc::clone(&shared), service.clone()));
        shared.tasks.spawn(upkeep::run(Arc::clone(&shared), service.clone()));
        shared.tasks.spawn(operators::run(Arc::clone(&shared), service.clone()));
        shared.tasks.spawn(preflight::run(Arc::clone(&shared), service.clone()));
        shared.tasks.spawn(service::poll(Arc::clone(&shared), service, intake.clone()));
    }
    let view = chain.as_ref().map(|(view, _)| view.clone());
    if let Some((view, _)) = chain {
        let (client, store, stop) = (shared.client.clone(), Arc::clone(&shared.store), shared.stop.clone());
        let taker = intake.clone();
        let submit = move |signed: &SignedRequest| taker.submit(signed).err().is_none_or(|error| !error.is_transient());
        shared.tasks.spawn(crate::chain::act_as_gateway(client, store, view, public_key, submit, stop));
    }
    let _goes_on = begun.disarm();
    readiness.set(true);
    tracing::info!(peer_id = %shared.client.local_peer_id(), network = %shared.loaded.network, service = shared.config.service.url, "gateway is running");
    Ok(RunningGateway { shared, intake, chain: view, readiness, http })
}

/// A running gateway; end it with [`RunningGateway::shutdown`] or [`RunningGateway::kill`].
pub struct RunningGateway {
    shared: Arc<Shared>,
    intake: Intake,
    chain: Option<ChainView>,
    readiness: Readiness,
    http: Option<Server>,
}

impl std::fmt::Debug for RunningGateway {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("RunningGateway")
    }
}

impl RunningGateway {
    /// The mesh.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.shared.client
    }

    /// Addresses under which others reach this gateway, each with its peer id.
    #[must_use]
    pub fn addresses(&self) -> Vec<Multiaddr> {
        with_peer_id(self.client())
    }

    /// Where HTTP listens.
    #[must_use]
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(|server| server.address)
    }

    /// What was read from the contracts; `None` when the registry file says everything.
    #[must_use]
    pub fn chain(&self) -> Option<&ChainView> {
        self.chain.as_ref()
    }

    /// Metrics.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Bytes, messages and ceremonies since the start.
    #[must_use]
    pub fn stats(&self) -> GatewayStats {
        let stats = self.client().stats();
        GatewayStats {
            bytes_sent: stats.bytes_sent(),
            messages_sent: stats.messages_sent(),
            following: self.intake.following(),
        }
    }

    /// Takes a request as `POST /v1/requests` does. Blocks: checks a signature and writes to the disk.
    pub fn submit(&self, request: &SignedRequest) -> Result<CeremonyId, IntakeError> {
        self.intake.submit(request)
    }

    /// The certificate of a ceremony, once t operators attested it.
    pub fn certificate(&self, ceremony_id: CeremonyId) -> Result<Option<Certificate>, StoreError> {
        Ok(outbox::read(&self.shared.store, ceremony_id)?.map(|entry| entry.certificate))
    }

    /// Reads the registry file again.
    pub async fn reload_registry(&self) -> Result<(), RegistryFileError> {
        let shared = &self.shared;
        reload(&shared.loaded, &shared.client).await
    }

    /// Stops accepting, lets what is being written finish, closes connections and database.
    pub async fn shutdown(self) {
        tracing::info!("gateway is stopping");
        self.end().await;
    }

    /// Dies as a process would: nothing more is written from this moment on. Returns when the database's lock is free.
    pub async fn kill(self) {
        self.shared.store.close();
        if let Some(server) = &self.http {
            server.abort();
        }
        self.end().await;
    }

    async fn end(self) {
        let Self { shared, intake, readiness, http, .. } = self;
        readiness.set(false);
        shared.stop.cancel();
        shared.tasks.close();
        if let Some(server) = http {
            server.finish().await;
        }
        shared.client.shutdown().await;
        shared.tasks.wait().await;
        intake.forget();
        let store = Arc::clone(&shared.store);
        drop((intake, shared));
        release(store).await;
    }
}
