//! What the service reads from the chain, and the only place of it that knows ethers.
//!
//! | module | what it does |
//! | --- | --- |
//! | `config` | the section `[chain]`, addresses of the networks |
//! | `rpc`, `questions` | execution nodes: bounded calls, failover; the follower's questions |
//! | `driver`, `commit` | follows the chain; one database transaction per commit of the follower |
//! | `facts` | independent facts of a validator with their evidence, and the old linear status |
//! | `directory` | operators and requests in memory: the registry of everything that is checked |
//! | `hints` | what owners say of transactions, looked up |
//! | `read`, `csm` | contracts read for callers: Lido's Community Staking Module |
//! | `wallet` | signatures of contract wallets |
//! | `beacon` | whether validators are active, by a beacon node |
//!
//! The follower itself, its events and facts are `cluster_core::chain`.

pub mod beacon;
mod commit;
pub mod config;
pub mod csm;
pub mod directory;
pub mod driver;
pub mod facts;
pub mod hints;
pub mod metrics;
pub mod questions;
pub mod read;
pub mod rpc;
pub mod wallet;

pub use config::{ChainConfig, ChainConfigError, ChainSettings};

use cluster_core::encoding::to_hex;
use cluster_core::registry::FileRegistry;
use directory::Directory;
use metrics::ChainMetrics;
use read::Reader;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{watch, Notify};

/// Where the follower stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChainPosition {
    /// Newest block that an execution node announced.
    pub head: u64,
    /// Last block whose events are written.
    pub read: Option<u64>,
    /// Everything confirmed at the last look was read.
    pub caught_up: bool,
}

/// The chain as the whole service shares it.
pub struct Chain {
    /// Checked configuration.
    pub settings: ChainSettings,
    /// Reads contracts.
    pub reader: Reader,
    /// Operators and requests.
    pub directory: Arc<Directory>,
    /// Where the follower stands, as it moves.
    pub position: watch::Sender<ChainPosition>,
    /// Makes the follower look at the head now.
    pub look: Notify,
    /// Makes the service ask the beacon node now.
    pub look_at_beacon: Notify,
    /// Metrics.
    pub metrics: Arc<ChainMetrics>,
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Chain").field("contracts", &self.settings.contracts).finish_non_exhaustive()
    }
}

impl Chain {
    /// Nothing is read yet.
    pub fn new(
        settings: ChainSettings,
        file: FileRegistry,
        metrics: Arc<ChainMetrics>,
    ) -> Result<Arc<Self>, reqwest::Error> {
        let timeout = Duration::from_millis(settings.config.timeout_ms.max(1));
        let endpoints = rpc::Endpoints::new(&settings.rpc_urls, settings.contracts.chain_id, timeout, metrics.clone())?;
        Ok(Arc::new(Self {
            reader: Reader::new(endpoints, metrics.clone()),
            directory: Directory::new(file, settings.contracts),
            position: watch::Sender::new(ChainPosition::default()),
            look: Notify::new(),
            look_at_beacon: Notify::new(),
            metrics,
            settings,
        }))
    }

    /// Where the follower stands.
    pub fn position(&self) -> ChainPosition {
        *self.position.borrow()
    }
}

impl ChainSettings {
    /// Digest of everything that decides which events are read: when it changes, they are read again from the start.
    pub fn source(&self) -> String {
        let what = json!({
            "layout": 1,
            "contracts": self.contracts,
            "lido": self.lido,
            "start_block": self.config.start_block,
        });
        to_hex(&Sha256::digest(what.to_string().as_bytes()))
    }
}
