//! What every handler shares.

use crate::auth::siwe::Origin;
use crate::chain::Chain;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::rate_limit::RateLimiter;
use crate::store::Store;
use cluster_core::network::Network;
use cluster_core::registry::Registry;
use serde::Serialize;
use std::sync::Arc;
use tokio::sync::{broadcast, watch, Semaphore};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

/// Wake-ups that a slow stream may be behind; one that is further behind simply reads the database again.
const WAKE_UPS: usize = 1024;

/// What is set for the web app.
#[derive(Debug, Default)]
pub struct AppSettings {
    /// URL of an execution node that browsers may ask.
    pub rpc_url: Option<String>,
    /// Its origin, for the Content-Security-Policy.
    pub rpc_origin: Option<String>,
    /// URL of a block explorer.
    pub explorer_url: Option<String>,
    /// Relay for wallets on phones, where a project id is set.
    pub walletconnect: Option<WalletConnect>,
}

/// How the app reaches wallets on phones.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WalletConnect {
    /// Project id at the relay; public, every browser sends it.
    pub project_id: String,
    /// `wss://host`, perhaps with a path.
    pub relay_url: String,
    /// Its origin, for the Content-Security-Policy.
    #[serde(skip)]
    pub relay_origin: String,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// The database.
    pub store: Store,
    /// Operators and gateways: of the registry file, operators and requests of the chain where one is read.
    pub registry: Arc<dyn Registry>,
    /// The chain that is read, if any.
    pub chain: Option<Arc<Chain>>,
    /// The network of the registry.
    pub network: Network,
    /// Time.
    pub clock: Clock,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// The cluster node that this instance serves, 0x hex; `None`: not set up.
    pub cluster_pubkey: Option<String>,
    /// Origins that a login may name.
    pub origins: Arc<Vec<Origin>>,
    /// What is set for the web app.
    pub app: Arc<AppSettings>,
    /// Permits for verifying certificates.
    pub verify_slots: Arc<Semaphore>,
    /// Permits for event streams.
    pub stream_slots: Arc<Semaphore>,
    /// Limit of unauthenticated calls.
    pub rate_limiter: Arc<RateLimiter>,
    /// Wakes whoever waits for news.
    pub wake: Wake,
    /// Cancelled at shutdown: streams and polls end.
    pub stopping: CancellationToken,
}

/// Wake-ups within this process. Whoever sleeps on them also looks into the database from time to time,
/// because another process may have written to it.
#[derive(Clone)]
pub struct Wake {
    ceremonies: broadcast::Sender<Arc<str>>,
    requests: Arc<watch::Sender<u64>>,
    preflights: Arc<watch::Sender<u64>>,
}

impl Default for Wake {
    fn default() -> Self {
        Self {
            ceremonies: broadcast::channel(WAKE_UPS).0,
            requests: Arc::new(watch::channel(0).0),
            preflights: Arc::new(watch::channel(0).0),
        }
    }
}

impl Wake {
    /// A ceremony has a new event.
    pub fn ceremony(&self, ceremony_id: &str) {
        // An error means that nobody listens.
        let _ = self.ceremonies.send(Arc::from(ceremony_id));
    }

    /// A request arrived.
    pub fn request(&self) {
        self.requests.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// A preflight was asked for, or answered.
    pub fn preflight(&self) {
        self.preflights.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Changes whenever a preflight is asked for or answered.
    pub fn preflights(&self) -> watch::Receiver<u64> {
        self.preflights.subscribe()
    }

    /// Ids of ceremonies as they get events.
    pub fn ceremonies(&self) -> broadcast::Receiver<Arc<str>> {
        self.ceremonies.subscribe()
    }

    /// Changes whenever a request arrives.
    pub fn requests(&self) -> watch::Receiver<u64> {
        self.requests.subscribe()
    }
}
