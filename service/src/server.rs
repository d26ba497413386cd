//! Start and stop.

use crate::auth::siwe::{Origin, SiweError};
use crate::chain::{self, Chain, ChainConfigError, ChainSettings};
use crate::config::Config;
use crate::events::{self, EventBody, EventKind};
use crate::legacy::envelope::LegacyError;
use crate::metrics::{metrics, observe, Metrics};
use crate::problem::Problem;
use crate::rate_limit::RateLimiter;
use crate::state::{AppSettings, AppState, Wake, WalletConnect};
use crate::store::{Store, StoreError};
use crate::{app, legacy, limits, v1};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::Router;
use cluster_core::encoding::to_hex;
use cluster_core::registry::{FileRegistry, Registry, RegistryError, MAX_REGISTRY_BYTES};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower_http::timeout::TimeoutLayer;

/// Expired rows are looked for this often.
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(60);

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
    /// The section `[chain]` is wrong.
    #[error(transparent)]
    Chain(#[from] ChainConfigError),
    /// The client of execution nodes cannot be made.
    #[error("the client of execution nodes cannot be made: {0}")]
    ChainClient(reqwest::Error),
    /// A public URL is wrong.
    #[error(transparent)]
    Origin(#[from] SiweError),
    /// A URL for the web app is wrong.
    #[error("{field}: {url:?} is not a URL such as https://host/path")]
    AppUrl {
        /// The setting.
        field: &'static str,
        /// As it was given.
        url: String,
    },
    /// The settings of WalletConnect are wrong.
    #[error("app_walletconnect_{field}: {reason}")]
    WalletConnect {
        /// The setting.
        field: &'static str,
        /// What it has to be.
        reason: &'static str,
    },
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
pub struct RunningService {
    local_addr: SocketAddr,
    state: AppState,
    grace: Duration,
    serving: JoinHandle<()>,
    housekeeping: JoinHandle<()>,
    chain: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for RunningService {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("RunningService").field("local_addr", &self.local_addr).finish_non_exhaustive()
    }
}

impl RunningService {
    /// The address that it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Marks and deletes what has expired, now instead of within a minute.
    pub async fn tidy(&self) -> Result<(), StoreError> {
        tidy(&self.state).await
    }

    /// Asks the beacon node about validators now instead of within an epoch.
    pub fn look_at_beacon(&self) {
        if let Some(chain) = &self.state.chain {
            chain.look_at_beacon.notify_one();
        }
    }

    /// Takes no more calls, ends streams and polls, lets other calls finish within the configured grace, and
    /// closes the database.
    pub async fn shutdown(self) {
        self.state.stopping.cancel();
        self.housekeeping.abort();
        let mut serving = self.serving;
        if tokio::time::timeout(self.grace, &mut serving).await.is_err() {
            tracing::warn!("calls were cut off: they did not finish within the grace of {:?}", self.grace);
            serving.abort();
        }
        for task in self.chain {
            // Each ends after the call or the transaction that it is in.
            if tokio::time::timeout(self.grace, task).await.is_err() {
                tracing::warn!("a task that reads the chain did not end within the grace of {:?}", self.grace);
            }
        }
        self.state.store.close().await;
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
    let housekeeping = tokio::spawn(housekeeping(state.clone()));
    let chain = match &state.chain {
        Some(chain) => vec![
            tokio::spawn(chain::driver::run(state.clone(), chain.clone())),
            tokio::spawn(chain::beacon::run(state.clone(), chain.clone())),
        ],
        None => Vec::new(),
    };
    let app = router(state.clone(), Duration::from_millis(config.request_timeout_ms));
    let until = state.stopping.clone();
    let serving = tokio::spawn(async move {
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        let serve = axum::serve(listener, service).with_graceful_shutdown(until.cancelled_owned());
        if let Err(error) = serve.await {
            tracing::error!(%error, "the server ended");
        }
    });
    tracing::info!(%local_addr, "cluster service listens on {local_addr}");
    let grace = Duration::from_millis(config.shutdown_grace_ms);
    Ok(RunningService { local_addr, state, grace, serving, housekeeping, chain })
}

async fn state(config: &Config, registry: FileRegistry, local_addr: SocketAddr) -> Result<AppState, StartError> {
    let store = Store::open(&config.database_url, config.database_connections).await?;
    let cluster_pubkey = config.cluster_pubkey.map(|key| to_hex(&key.to_bytes()));
    if let Some(cluster_pubkey) = &cluster_pubkey {
        store.ensure_initiator(cluster_pubkey, config.clock.now_s()).await?;
    }
    let origins: Vec<Origin> = match &config.public_urls[..] {
        [] => default_origins(local_addr)?,
        urls => urls.iter().map(|url| url.parse()).collect::<Result<_, _>>()?,
    };
    let (network, metrics) = (registry.network(), Arc::new(Metrics::default()));
    let chain = ChainSettings::new(&config.chain, network)?
        .map(|settings| Chain::new(settings, registry.clone(), metrics.chain.clone()))
        .transpose()
        .map_err(StartError::ChainClient)?;
    let registry: Arc<dyn Registry> = match &chain {
        Some(chain) => chain.directory.clone(),
        None => Arc::new(registry),
    };
    Ok(AppState {
        store,
        network,
        registry,
        chain,
        clock: config.clock.clone(),
        metrics,
        cluster_pubkey,
        origins: Arc::new(origins),
        app: Arc::new(app_settings(config)?),
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

/// URLs that browsers are sent to are checked here, so that a wrong one is found at the start.
fn app_settings(config: &Config) -> Result<AppSettings, StartError> {
    let origin = |field: &'static str, url: &Option<String>| {
        let Some(url) = url else { return Ok(None) };
        // `https://host/path?query`: the origin is what comes before the path.
        let end = url.find("://").map_or(0, |at| at + 3);
        let rest = url[end..].find(['/', '?', '#']).map_or(url.len(), |at| end + at);
        let origin: Result<Origin, SiweError> = url[..rest].parse();
        origin.map(|origin| Some(origin.to_string())).map_err(|_| StartError::AppUrl { field, url: url.clone() })
    };
    origin("app_explorer_url", &config.app_explorer_url)?;
    Ok(AppSettings {
        rpc_origin: origin("app_rpc_url", &config.app_rpc_url)?,
        rpc_url: config.app_rpc_url.clone(),
        explorer_url: config.app_explorer_url.clone(),
        walletconnect: walletconnect(config)?,
    })
}

/// The relay for wallets on phones. Project id and origin go into a header: nothing else may be in them.
fn walletconnect(config: &Config) -> Result<Option<WalletConnect>, StartError> {
    let refused = |field, reason| Err(StartError::WalletConnect { field, reason });
    let Some(project_id) = &config.app_walletconnect_project_id else { return Ok(None) };
    if !(1..=128).contains(&project_id.len())
        || !project_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    {
        return refused("project_id", "1 to 128 letters, digits and hyphens");
    }
    if config.app_rpc_url.is_none() {
        return refused("project_id", "needs app_rpc_url, because wallets on phones do not read the chain for a page");
    }
    let relay_url = &config.app_walletconnect_relay_url;
    let (scheme, rest) = match relay_url.split_once("://") {
        Some((scheme @ ("wss" | "ws"), rest)) => (scheme, rest),
        _ => return refused("relay_url", "a URL such as wss://host"),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let Ok(origin) = format!("http://{}", &rest[..end]).parse::<Origin>() else {
        return refused("relay_url", "a URL such as wss://host");
    };
    let relay_origin = format!("{scheme}://{}", origin.authority);
    Ok(Some(WalletConnect { project_id: project_id.clone(), relay_url: relay_url.clone(), relay_origin }))
}

/// Without `public_urls`: the address itself, and the names of this machine for itself.
fn default_origins(local_addr: SocketAddr) -> Result<Vec<Origin>, SiweError> {
    let port = local_addr.port();
    let mut urls =
        vec![format!("http://{local_addr}"), format!("http://127.0.0.1:{port}"), format!("http://localhost:{port}")];
    urls.dedup();
    urls.iter().map(|url| url.parse()).collect()
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
        .layer(from_fn_with_state(state.clone(), app::security_headers))
        .with_state(state)
}

async fn not_found(State(state): State<AppState>, request: Request) -> Response {
    if let Some(answer) = app::serve(&state, &request) {
        return answer;
    }
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

async fn housekeeping(state: AppState) {
    let mut every = tokio::time::interval(HOUSEKEEPING_EVERY);
    loop {
        every.tick().await;
        if let Err(error) = tidy(&state).await {
            tracing::error!(%error, "expired rows could not be dealt with");
        }
    }
}

/// Marks requests that expired, tells their owners, and deletes what is no longer needed.
async fn tidy(state: &AppState) -> Result<(), StoreError> {
    let (now_s, now_ms) = (state.clock.now_s(), state.clock.now_ms());
    loop {
        let mut write = state.store.write().await?;
        let deadline_before_s = now_s.saturating_sub(limits::EXPIRE_AFTER_S);
        let expired = write.expire_requests(deadline_before_s, now_ms, limits::EXPIRE_BATCH).await?;
        for ceremony_id in &expired {
            events::record(&mut write, ceremony_id, EventBody::of(EventKind::Expired), now_ms).await?;
        }
        write.commit().await?;
        for ceremony_id in &expired {
            state.wake.ceremony(ceremony_id);
        }
        if expired.is_empty() {
            break;
        }
    }
    state.store.purge(now_ms, now_s.saturating_sub(limits::EXPIRED_KEEP_S)).await
}
