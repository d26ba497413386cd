//! Start and stop.

use crate::auth::siwe::{Origin, SiweError};
use crate::config::Config;
use crate::legacy::envelope::LegacyError;
use crate::metrics::{metrics, observe, Metrics};
use crate::problem::Problem;
use crate::rate_limit::RateLimiter;
use crate::state::{AppState, Wake};
use crate::store::{Store, StoreError};
use crate::{legacy, limits, v1};
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::Router;
use cluster_core::encoding::to_hex;
use cluster_core::registry::{FileRegistry, RegistryError, MAX_REGISTRY_BYTES};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower_http::timeout::TimeoutLayer;

/// Expired rows are deleted this often.
const PURGE_EVERY: Duration = Duration::from_secs(60);

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No registry was named.
    #[error("registry_file is not set; the service must know operators and gateways")]
    NoRegistry,
    /// The registry file cannot be read.
    #[error("registry file {path}: {error}")]
    RegistryFile {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The registry is wrong.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A public URL is wrong.
    #[error(transparent)]
    Origin(#[from] SiweError),
    /// The database does not open.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The address cannot be used.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
}

/// A service that answers calls until it is shut down.
#[derive(Debug)]
pub struct RunningService {
    local_addr: SocketAddr,
    stopping: CancellationToken,
    grace: Duration,
    serving: JoinHandle<()>,
    purging: JoinHandle<()>,
    store: Store,
}

impl RunningService {
    /// The address that it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Takes no more calls, ends streams and polls, lets other calls finish within the configured grace, and
    /// closes the database.
    pub async fn shutdown(self) {
        self.stopping.cancel();
        self.purging.abort();
        let mut serving = self.serving;
        if tokio::time::timeout(self.grace, &mut serving).await.is_err() {
            tracing::warn!("calls were cut off: they did not finish within the grace of {:?}", self.grace);
            serving.abort();
        }
        self.store.close().await;
    }
}

/// Opens the database, brings it up to date, and serves.
pub async fn start(config: Config) -> Result<RunningService, StartError> {
    let registry = match &config.registry {
        Some(registry) => registry.clone(),
        None => read_registry(config.registry_file.as_deref().ok_or(StartError::NoRegistry)?).await?,
    };
    let listen_error = |error| StartError::Listen { address: config.listen, error };
    let listener = TcpListener::bind(config.listen).await.map_err(listen_error)?;
    let local_addr = listener.local_addr().map_err(listen_error)?;
    let state = state(&config, registry, local_addr).await?;
    let purging = tokio::spawn(purge(state.clone()));
    let (store, stopping) = (state.store.clone(), state.stopping.clone());
    let app = router(state, Duration::from_millis(config.request_timeout_ms));
    let until = stopping.clone();
    let serving = tokio::spawn(async move {
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        let serve = axum::serve(listener, service).with_graceful_shutdown(until.cancelled_owned());
        if let Err(error) = serve.await {
            tracing::error!(%error, "the server ended");
        }
    });
    tracing::info!(%local_addr, "cluster service listens on {local_addr}");
    let grace = Duration::from_millis(config.shutdown_grace_ms);
    Ok(RunningService { local_addr, stopping, grace, serving, purging, store })
}

async fn state(config: &Config, registry: FileRegistry, local_addr: SocketAddr) -> Result<AppState, StartError> {
    let store = Store::open(&config.database_url, config.database_connections).await?;
    let cluster_pubkey = config.cluster_pubkey.map(|key| to_hex(&key.to_bytes()));
    if let Some(cluster_pubkey) = &cluster_pubkey {
        store.ensure_initiator(cluster_pubkey, config.clock.now_s()).await?;
    }
    let origins: Vec<Origin> = match &config.public_urls[..] {
        [] => vec![format!("http://{local_addr}").parse()?],
        urls => urls.iter().map(|url| url.parse()).collect::<Result<_, _>>()?,
    };
    Ok(AppState {
        store,
        network: registry.network(),
        registry: Arc::new(registry),
        clock: config.clock.clone(),
        metrics: Arc::new(Metrics::default()),
        cluster_pubkey,
        origins: Arc::new(origins),
        verify_slots: Arc::new(Semaphore::new(config.verify_concurrency.clamp(1, 64))),
        stream_slots: Arc::new(Semaphore::new(limits::EVENT_STREAMS)),
        rate_limiter: Arc::new(RateLimiter::new(
            config.rate_limit_per_second,
            config.rate_limit_burst,
            config.trust_forwarded_for,
        )),
        wake: Wake::default(),
        stopping: CancellationToken::new(),
    })
}

fn router(state: AppState, timeout: Duration) -> Router {
    Router::new()
        .merge(v1::router(&state))
        .merge(legacy::router())
        .route("/metrics", get(metrics))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(limits::BODY_BYTES))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, timeout))
        .layer(from_fn_with_state(state.clone(), observe))
        .with_state(state)
}

async fn not_found(request: Request) -> Response {
    if request.uri().path().starts_with("/server/") {
        return LegacyError::new(404, "There is no such call.").into_response();
    }
    Problem::not_found("There is no such path.").into_response()
}

async fn method_not_allowed(request: Request) -> Response {
    let detail = format!("{} cannot be used on this path.", request.method());
    if request.uri().path().starts_with("/server/") {
        return LegacyError::new(405, detail).into_response();
    }
    Problem::method_not_allowed(detail).into_response()
}

async fn read_registry(path: &Path) -> Result<FileRegistry, StartError> {
    use tokio::io::AsyncReadExt;
    let failed = |error| StartError::RegistryFile { path: path.to_owned(), error };
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    let mut text = String::new();
    // One byte above the limit is enough for the parser to refuse it.
    file.take(MAX_REGISTRY_BYTES as u64 + 1).read_to_string(&mut text).await.map_err(failed)?;
    Ok(FileRegistry::parse(&text)?)
}

async fn purge(state: AppState) {
    let mut every = tokio::time::interval(PURGE_EVERY);
    loop {
        every.tick().await;
        let deadline_before_s = state.clock.now_s().saturating_sub(limits::PENDING_KEEP_S);
        if let Err(error) = state.store.purge(state.clock.now_ms(), deadline_before_s).await {
            tracing::error!(%error, "expired rows could not be deleted");
        }
    }
}
