//! `[beacon]`: where beacon nodes are, and how long they may take.

use cluster_core::beacon::Root;
use cluster_core::encoding::from_hex;
use serde::{Deserialize, Serialize};

use super::{range, ConfigError};

/// Most beacon nodes of one operator: everything is told to all of them.
const NODES_LIMIT: usize = 16;

/// The beacon nodes of an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BeaconConfig {
    /// Base URLs of their Beacon APIs, the preferred one first. Empty: no duties.
    pub urls: Vec<String>,
    /// `genesis_validators_root` of the chain, 0x and 64 hex digits. Empty: the chain of the node that answers first.
    pub genesis_validators_root: String,
    /// Milliseconds after which the next node is asked as well when one has not answered.
    pub hedge_ms: u64,
    /// Milliseconds that a call may take with all its attempts.
    pub timeout_ms: u64,
    /// As `hedge_ms`, for a block to be made; builders take more than a second.
    pub block_hedge_ms: u64,
    /// As `timeout_ms`, for a block to be made or published.
    pub block_timeout_ms: u64,
    /// Milliseconds between two health checks of a node.
    pub health_ms: u64,
}

impl Default for BeaconConfig {
    fn default() -> Self {
        Self {
            urls: vec!["http://127.0.0.1:5052".into()],
            genesis_validators_root: String::new(),
            hedge_ms: 500,
            timeout_ms: 3_000,
            block_hedge_ms: 1_800,
            block_timeout_ms: 4_000,
            health_ms: 2_000,
        }
    }
}

impl BeaconConfig {
    /// The chain that nodes must be on, when one is named.
    pub fn genesis_validators_root(&self) -> Result<Option<Root>, ConfigError> {
        if self.genesis_validators_root.is_empty() {
            return Ok(None);
        }
        from_hex(&self.genesis_validators_root).map(Some).map_err(|error| ConfigError::Value {
            field: "beacon.genesis_validators_root",
            reason: format!("`{}` is not a root: {error}", self.genesis_validators_root),
        })
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let wrong = |reason: String| Err(ConfigError::Value { field: "beacon.urls", reason });
        if self.urls.len() > NODES_LIMIT {
            return wrong(format!("{} nodes are more than {NODES_LIMIT}", self.urls.len()));
        }
        for (at, url) in self.urls.iter().enumerate() {
            // Not shown: it may hold a password.
            match reqwest::Url::parse(url) {
                Ok(parsed) if matches!(parsed.scheme(), "http" | "https") && parsed.has_host() => {}
                _ => return wrong(format!("entry {} is not a URL that begins with http:// or https://", at + 1)),
            }
            if self.urls[..at].contains(url) {
                return wrong(format!("entry {} is there twice", at + 1));
            }
        }
        self.genesis_validators_root()?;
        range("beacon.timeout_ms", self.timeout_ms, 100, 60_000)?;
        range("beacon.hedge_ms", self.hedge_ms, 10, self.timeout_ms)?;
        range("beacon.block_timeout_ms", self.block_timeout_ms, 100, 60_000)?;
        range("beacon.block_hedge_ms", self.block_hedge_ms, 10, self.block_timeout_ms)?;
        range("beacon.health_ms", self.health_ms, 50, 60_000)
    }
}
