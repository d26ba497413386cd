//! `[chain]`: execution nodes and contracts.

use cluster_core::chain::{Contracts, Settings};
use cluster_core::network::Network;
use cluster_crypto::ethereum::Address;
use serde::{Deserialize, Serialize};

use super::{range, ConfigError};

/// Most endpoints.
const ENDPOINTS_LIMIT: usize = 8;

/// The contracts of a network, and who tells about them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChainConfig {
    /// JSON-RPC endpoints, the preferred one first. Empty: the registry file says everything.
    pub urls: Vec<String>,
    /// The network of the contracts.
    pub network: Network,
    /// Address of `SafeStakeRegistry`.
    pub registry: String,
    /// Address of `SafeStakeNetwork`.
    pub network_contract: String,
    /// Address of `SafeStakeClusterNode`.
    pub cluster_node: String,
    /// Address of `SafeStakeOperatorConfig`.
    pub operator_config: String,
    /// First block to read.
    pub start_block: u64,
    /// Blocks that must follow one before its events count.
    pub confirmations: u64,
    /// Milliseconds between two looks at the head.
    pub poll_ms: u64,
    /// Most blocks of one question.
    pub max_range: u64,
    /// Milliseconds that a call may take.
    pub timeout_ms: u64,
    /// Blocks before the end of a subscription from which on warnings are given.
    pub warn_blocks: u64,
}

impl Default for ChainConfig {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            network: Network::Hoodi,
            registry: String::new(),
            network_contract: String::new(),
            cluster_node: String::new(),
            operator_config: String::new(),
            start_block: 0,
            confirmations: 8,
            poll_ms: 4_000,
            max_range: 2_000,
            timeout_ms: 10_000,
            warn_blocks: 50_400,
        }
    }
}

impl ChainConfig {
    /// Whether the contracts are read.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.urls.is_empty()
    }

    /// The contracts.
    pub fn contracts(&self) -> Result<Contracts, ConfigError> {
        Ok(Contracts {
            chain_id: self.network.chain_id(),
            registry: address("chain.registry", &self.registry)?,
            network: address("chain.network_contract", &self.network_contract)?,
            cluster_node: address("chain.cluster_node", &self.cluster_node)?,
            operator_config: address("chain.operator_config", &self.operator_config)?,
        })
    }

    /// How the chain is followed.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            start_block: self.start_block,
            confirmations: self.confirmations,
            poll_ms: self.poll_ms,
            max_range: self.max_range,
        }
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if !self.is_on() {
            return Ok(());
        }
        let wrong = |reason: String| Err(ConfigError::Value { field: "chain.urls", reason });
        if self.urls.len() > ENDPOINTS_LIMIT {
            return wrong(format!("{} endpoints are more than {ENDPOINTS_LIMIT}", self.urls.len()));
        }
        for (at, url) in self.urls.iter().enumerate() {
            // Not shown: it may hold a key.
            match reqwest::Url::parse(url) {
                Ok(parsed) if matches!(parsed.scheme(), "http" | "https" | "ws" | "wss") && parsed.has_host() => {}
                _ => return wrong(format!("entry {} is not a URL that begins with http, https, ws or wss", at + 1)),
            }
            if self.urls[..at].contains(url) {
                return wrong(format!("entry {} is there twice", at + 1));
            }
        }
        let contracts = self.contracts()?;
        let addresses = contracts.addresses();
        if (1..addresses.len()).any(|at| addresses[..at].contains(&addresses[at])) {
            let reason = "two contracts have one address".to_owned();
            return Err(ConfigError::Value { field: "chain.registry", reason });
        }
        range("chain.confirmations", self.confirmations, 0, 1_000)?;
        range("chain.poll_ms", self.poll_ms, 100, 600_000)?;
        range("chain.max_range", self.max_range, 1, 100_000)?;
        range("chain.timeout_ms", self.timeout_ms, 100, 120_000)
    }
}

fn address(field: &'static str, text: &str) -> Result<Address, ConfigError> {
    let parsed: Result<Address, _> = text.parse();
    match parsed {
        Ok(address) if !address.is_zero() => Ok(address),
        Ok(_) => Err(ConfigError::Value { field, reason: "it is the zero address".to_owned() }),
        Err(error) => Err(ConfigError::Value { field, reason: format!("`{text}` is not an address: {error}") }),
    }
}
