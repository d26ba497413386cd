//! Configuration: defaults, then a TOML file, then `CLUSTER_SERVICE_*` variables, then command-line flags.
//! `config.example.toml` documents every field; a test keeps it complete and equal to the defaults.

use crate::chain::ChainConfig;
use crate::clock::Clock;
use cluster_core::registry::FileRegistry;
use cluster_crypto::identity;
use figment::providers::{Env, Format, Serialized, Toml};
use figment::Figment;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The example file that `cluster-service config` prints.
pub const EXAMPLE: &str = include_str!("../config.example.toml");

/// Everything that can be set.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// `sqlite://FILE` (created when missing) or `postgres://USER:PASSWORD@HOST/DATABASE`.
    pub database_url: String,
    /// Connections to the database, at most.
    pub database_connections: u32,
    /// Registry of operators and gateways: TOML or JSON.
    pub registry_file: Option<PathBuf>,
    /// The cluster public key that this instance serves; without it the legacy set-up calls answer code 1001.
    pub cluster_pubkey: Option<identity::PublicKey>,
    /// Origins (`https://host[:port]`) at which browsers reach this service or its app; logins name one of them.
    /// Empty: `http://` and the address that the service listens on, also as `127.0.0.1` and `localhost`.
    pub public_urls: Vec<String>,
    /// URL of an execution node that browsers may ask (`https://host/path`). None: the app reads through the owner's wallet.
    pub app_rpc_url: Option<String>,
    /// URL of a block explorer that the app links to.
    pub app_explorer_url: Option<String>,
    /// Project id at WalletConnect's relay. With it the app offers wallets on phones, which need `app_rpc_url` beside them.
    pub app_walletconnect_project_id: Option<String>,
    /// URL of the relay (`wss://host`). Browsers reach it only while a project id is set.
    pub app_walletconnect_relay_url: String,
    /// Certificates verified at a time; each takes one core for up to a second.
    pub verify_concurrency: usize,
    /// Unauthenticated POST calls per second and address, in the long run; 0 switches the limit off.
    pub rate_limit_per_second: u32,
    /// Unauthenticated POST calls of one address at once.
    pub rate_limit_burst: u32,
    /// Take the caller's address from the last entry of `X-Forwarded-For`. Only behind a proxy that sets it.
    pub trust_forwarded_for: bool,
    /// Milliseconds until an unfinished call is given up; above the 30 s of a gateway's poll.
    pub request_timeout_ms: u64,
    /// Milliseconds that open calls get to finish at shutdown.
    pub shutdown_grace_ms: u64,
    /// `text` or `json`.
    pub log_format: LogFormat,
    /// Filter of the log, in the syntax of tracing-subscriber's `EnvFilter`.
    pub log_filter: String,
    /// The chain that is read, if any.
    pub chain: ChainConfig,
    /// A registry already read, instead of `registry_file`. For programs that embed the service.
    #[serde(skip)]
    pub registry: Option<FileRegistry>,
    /// Source of time. For tests.
    #[serde(skip)]
    pub clock: Clock,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Without the database URL, which may hold a password.
impl std::fmt::Debug for Config {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Config").field("listen", &self.listen).finish_non_exhaustive()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7777)),
            database_url: "sqlite://cluster-service.db".to_owned(),
            database_connections: 8,
            registry_file: None,
            cluster_pubkey: None,
            public_urls: Vec::new(),
            app_rpc_url: None,
            app_explorer_url: None,
            app_walletconnect_project_id: None,
            app_walletconnect_relay_url: "wss://relay.walletconnect.com".to_owned(),
            verify_concurrency: 2,
            rate_limit_per_second: 10,
            rate_limit_burst: 120,
            trust_forwarded_for: false,
            request_timeout_ms: 60_000,
            shutdown_grace_ms: 10_000,
            log_format: LogFormat::Text,
            log_filter: "info".to_owned(),
            chain: ChainConfig::default(),
            registry: None,
            clock: Clock::default(),
        }
    }
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file, variable or flag has a wrong value.
    #[error("configuration: {0}")]
    Value(Box<figment::Error>),
    /// The file that was named does not exist.
    #[error("there is no configuration file {0}")]
    NoFile(PathBuf),
}

impl Config {
    /// Merges defaults, `file`, the environment and `flags` (a serializable set of those fields that were given).
    pub fn load(file: Option<&Path>, flags: impl Serialize) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(Config::default()));
        if let Some(file) = file {
            // A file named by mistake must not silently mean "defaults".
            if !file.is_file() {
                return Err(ConfigError::NoFile(file.to_owned()));
            }
            figment = figment.merge(Toml::file_exact(file));
        }
        figment
            // CLUSTER_SERVICE_CHAIN__START_BLOCK is start_block in [chain].
            .merge(Env::prefixed("CLUSTER_SERVICE_").ignore(&["config"]).split("__"))
            .merge(Serialized::globals(flags))
            .extract()
            .map_err(|error| ConfigError::Value(Box::new(error)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Every field stands in the example, commented out where the default is "none", and equals the default.
    #[test]
    fn example_documents_every_field_with_its_default() {
        let uncommented: String =
            EXAMPLE.lines().map(|line| line.strip_prefix("#: ").unwrap_or(line)).collect::<Vec<_>>().join("\n");
        let documented: toml::Table = uncommented.parse().unwrap();
        let serde_json::Value::Object(defaults) = serde_json::to_value(Config::default()).unwrap() else {
            unreachable!()
        };
        check_documented(&serde_json::to_value(&documented).unwrap(), &serde_json::Value::Object(defaults), "");
        let loaded: Config = toml::from_str(EXAMPLE).unwrap();
        assert_eq!(serde_json::to_value(loaded).unwrap(), serde_json::to_value(Config::default()).unwrap());
    }

    fn check_documented(documented: &serde_json::Value, default: &serde_json::Value, path: &str) {
        let (Some(shown), Some(defaults)) = (documented.as_object(), default.as_object()) else {
            return assert_eq!(documented, default, "{path}");
        };
        let names = |map: &serde_json::Map<_, _>| map.keys().cloned().collect::<std::collections::BTreeSet<String>>();
        assert_eq!(names(shown), names(defaults), "{path}");
        for (field, default) in defaults.iter().filter(|(_, default)| !default.is_null()) {
            check_documented(&shown[field], default, &format!("{path}.{field}"));
        }
    }

    #[test]
    fn unknown_fields_and_missing_files_are_refused() {
        assert!(toml::from_str::<Config>("listne = \"127.0.0.1:1\"").is_err());
        assert!(matches!(Config::load(Some(Path::new("/nonexistent/x.toml")), ()), Err(ConfigError::NoFile(_))));
    }
}
