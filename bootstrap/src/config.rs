//! Configuration of the binary: defaults, a TOML file, the environment and flags, each overriding the one before.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use cluster_core::registry::{FileRegistry, RegistryError, MAX_REGISTRY_BYTES};
use figment::providers::{Env, Format, Serialized, Toml};
use figment::{Figment, Profile};
use libp2p::Multiaddr;
use serde::{Deserialize, Serialize};

/// A documented configuration, as `cluster-bootstrap --example` prints it.
pub const EXAMPLE: &str = include_str!("bootstrap.example.toml");
/// What every environment variable begins with.
pub const ENV_PREFIX: &str = "CLUSTER_BOOTSTRAP_";

/// Everything that a bootstrap peer can be told. [`EXAMPLE`] documents each field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FileConfig {
    /// Registry of operators, gateways and bootstrap peers (TOML or JSON).
    pub registry_file: PathBuf,
    /// Key of this peer.
    pub identity: IdentityConfig,
    /// Addresses and services.
    pub mesh: MeshConfig,
    /// Metrics and health.
    pub http: HttpConfig,
    /// Logs.
    pub log: LogConfig,
}

/// Where the key is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IdentityConfig {
    /// Encrypted key file (EIP-2335 JSON).
    pub key_file: PathBuf,
    /// File that holds its password.
    pub password_file: PathBuf,
}

/// Addresses and services.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MeshConfig {
    /// Multiaddresses to listen on.
    pub listen: Vec<String>,
    /// Public multiaddresses.
    pub external_addresses: Vec<String>,
    /// Whether it relays.
    pub relay: bool,
    /// Whether operators' records are passed on.
    pub forward_records: bool,
}

/// The HTTP server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// Its address; empty for none.
    pub listen: String,
}

/// Logs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// Lines for people or JSON objects.
    pub format: LogFormat,
    /// A level or directives.
    pub filter: String,
}

/// Shape of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One readable line per event.
    Text,
    /// One JSON object per event.
    Json,
}

impl Default for FileConfig {
    fn default() -> Self {
        Self {
            registry_file: "registry.toml".into(),
            identity: IdentityConfig::default(),
            mesh: MeshConfig::default(),
            http: HttpConfig::default(),
            log: LogConfig::default(),
        }
    }
}

impl Default for IdentityConfig {
    fn default() -> Self {
        Self { key_file: "key.json".into(), password_file: "password.txt".into() }
    }
}

impl Default for MeshConfig {
    fn default() -> Self {
        Self {
            listen: vec!["/ip4/0.0.0.0/udp/7900/quic-v1".into(), "/ip4/0.0.0.0/tcp/7900".into()],
            external_addresses: Vec::new(),
            relay: true,
            forward_records: true,
        }
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self { listen: "127.0.0.1:9192".into() }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".into() }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("{path} cannot be read: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// A field is unknown or of the wrong type.
    #[error("the configuration is wrong: {0}")]
    Field(String),
    /// A value that makes no sense.
    #[error("the configuration field `{field}` is wrong: {reason}")]
    Value {
        /// Its full name.
        field: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The registry.
    #[error("the registry file {path} is wrong: {error}")]
    Registry {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: RegistryError,
    },
}

/// Reads the configuration; `flags` are fields with their values, such as `("http.listen", "127.0.0.1:0".into())`.
pub fn load(file: Option<&Path>, flags: &[(&str, figment::value::Value)]) -> Result<FileConfig, ConfigError> {
    let mut figment = Figment::from(Serialized::defaults(FileConfig::default()));
    if let Some(path) = file {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::File { path: path.to_owned(), reason: error.to_string() })?;
        figment = figment.merge(Toml::string(&text));
    }
    // The path of the configuration file is not a field.
    figment = figment.merge(Env::prefixed(ENV_PREFIX).ignore(&["config"]).split("__").lowercase(true));
    for (field, value) in flags {
        figment = figment.merge(Serialized::default(field, value).profile(Profile::Default));
    }
    let config: FileConfig = figment.extract().map_err(|error| ConfigError::Field(error.to_string()))?;
    if config.mesh.listen.is_empty() {
        return Err(ConfigError::Value { field: "mesh.listen", reason: "at least one address is needed".into() });
    }
    Ok(config)
}

impl FileConfig {
    /// Reads the registry file.
    pub fn registry(&self) -> Result<FileRegistry, ConfigError> {
        let path = &self.registry_file;
        let failed = |reason: String| ConfigError::File { path: path.clone(), reason };
        let length = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
        if length > MAX_REGISTRY_BYTES as u64 {
            return Err(failed(format!("it has {length} bytes, more than {MAX_REGISTRY_BYTES}")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        FileRegistry::parse(&text).map_err(|error| ConfigError::Registry { path: path.clone(), error })
    }
}

impl HttpConfig {
    /// The address to listen on; none when the server is switched off.
    pub fn address(&self) -> Result<Option<SocketAddr>, ConfigError> {
        if self.listen.is_empty() {
            return Ok(None);
        }
        self.listen.parse().map(Some).map_err(|_| ConfigError::Value {
            field: "http.listen",
            reason: format!("`{}` is not an address such as 127.0.0.1:9192", self.listen),
        })
    }
}

/// Reads a list of multiaddresses.
pub fn addresses(field: &'static str, texts: &[String]) -> Result<Vec<Multiaddr>, ConfigError> {
    texts
        .iter()
        .map(|text| {
            let wrong =
                |error| ConfigError::Value { field, reason: format!("`{text}` is not a multiaddress: {error}") };
            text.parse().map_err(wrong)
        })
        .collect()
}
