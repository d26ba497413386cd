//! Configuration of the operator and gateway roles.
//!
//! Sources, each overriding the one before: built-in defaults, a TOML file (`--config`), environment variables
//! (`CLUSTER_NODE_` + field, sections separated by `__`), flags. A field that does not exist is refused by name,
//! wherever it was written: a silent typo in `external_addresses` costs a day.

mod beacon;
mod chain;
mod load;

use std::net::SocketAddr;
use std::path::PathBuf;

use cluster_core::dkg::Timing;
use serde::{Deserialize, Serialize};

pub use beacon::BeaconConfig;
pub use chain::ChainConfig;
pub use load::{load, ConfigError, Overrides, ENV_PREFIX};

/// A documented configuration of an operator, as `cluster-node config operator` prints it.
pub const OPERATOR_EXAMPLE: &str = include_str!("operator.example.toml");
/// A documented configuration of a gateway, as `cluster-node config gateway` prints it.
pub const GATEWAY_EXAMPLE: &str = include_str!("gateway.example.toml");

/// Everything that an operator can be told. The example file documents each field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OperatorConfig {
    /// Folder of the node's database; created when missing, readable by its owner only.
    pub data_dir: PathBuf,
    /// Registry of operators, gateways and bootstrap peers (TOML or JSON).
    pub registry_file: PathBuf,
    /// Key of this node.
    pub identity: IdentityConfig,
    /// Addresses and peers.
    pub mesh: MeshConfig,
    /// Limits and patience of ceremonies.
    pub ceremony: CeremonyConfig,
    /// Where shares are kept and used.
    pub signer: SignerConfig,
    /// How duties are performed.
    pub duties: DutiesConfig,
    /// Beacon nodes.
    pub beacon: BeaconConfig,
    /// The contracts, in the place of the registry file.
    pub chain: ChainConfig,
    /// Metrics and health.
    pub http: HttpConfig,
    /// Logs.
    pub log: LogConfig,
}

/// Everything that a gateway can be told. The example file documents each field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewayConfig {
    /// Folder of the gateway's database (its outbox); created when missing.
    pub data_dir: PathBuf,
    /// Registry of operators, gateways and bootstrap peers (TOML or JSON).
    pub registry_file: PathBuf,
    /// Key of this gateway: the cluster key that requests name.
    pub identity: IdentityConfig,
    /// Addresses and peers.
    pub mesh: MeshConfig,
    /// The Cluster Node Service that this gateway serves.
    pub service: ServiceConfig,
    /// When a certificate is published.
    pub publish: PublishConfig,
    /// The contracts, in the place of the registry file.
    pub chain: ChainConfig,
    /// Metrics, health and `POST /v1/requests`.
    pub http: HttpConfig,
    /// Logs.
    pub log: LogConfig,
}

/// Where the node's secp256k1 key is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IdentityConfig {
    /// Encrypted key file that `cluster-node keygen` wrote (EIP-2335 JSON).
    pub key_file: PathBuf,
    /// File that holds the key file's password; a line feed at its end is ignored.
    pub password_file: PathBuf,
}

/// Addresses of this node and of peers that help it to find others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MeshConfig {
    /// Multiaddresses to listen on.
    pub listen: Vec<String>,
    /// Multiaddresses under which others reach this node, when it cannot find out by itself.
    pub external_addresses: Vec<String>,
    /// Multiaddresses of bootstrap peers beside those of the registry; each ends in `/p2p/<peer id>`.
    pub bootstrap: Vec<String>,
    /// Whether a relay of a bootstrap peer is used while no public address is known.
    pub use_relay: bool,
}

/// Limits and patience of the operator's ceremonies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CeremonyConfig {
    /// Ceremonies that may run at the same time; a request beyond is refused in words.
    pub max_open: usize,
    /// Validators of one request that this operator accepts, at most 1000.
    pub max_validators: u32,
    /// How long a request may still be valid when it arrives, in seconds.
    pub max_deadline_s: u64,
    /// Milliseconds after which a step goes on without the operators that are silent in it.
    pub step_timeout_ms: u64,
    /// Milliseconds after which missing messages are asked for; doubles up to eight times this.
    pub ask_ms: u64,
    /// Milliseconds after which a ceremony without result is aborted.
    pub timeout_ms: u64,
    /// Longest pause between two attempts to hand a message to a peer, in milliseconds.
    pub retry_max_ms: u64,
}

/// Where shares are kept and used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SignerConfig {
    /// Socket of a `cluster-node signer` process. Empty: the operator signs itself.
    pub socket: PathBuf,
    /// How long one answer of that process may take, in milliseconds.
    pub timeout_ms: u64,
}

/// How an operator performs duties.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DutiesConfig {
    /// Text in the blocks that this operator's beacon node builds, at most 32 bytes.
    pub graffiti: String,
    /// Whether builders may build blocks, and validators are registered with them.
    pub builder: bool,
    /// Percentage by which a builder's block is weighed against the local one.
    pub builder_boost_factor: u64,
    /// Whole epochs without a sign of life before a validator that was split from a keystore is signed for.
    pub doppelganger_epochs: u64,
    /// Slots that records of duties are kept for.
    pub keep_records_slots: u64,
}

/// The service beside a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceConfig {
    /// Base URL of the service, without `/v1`. Empty: none; requests come over HTTP only and certificates stay here.
    pub url: String,
    /// How long one poll for requests waits at the service, in milliseconds; at most 30000.
    pub poll_ms: u64,
    /// How long one call may take, in milliseconds, beyond the poll's own waiting time.
    pub timeout_ms: u64,
    /// Longest pause between two attempts after a failure, in milliseconds.
    pub retry_max_ms: u64,
}

/// When a gateway publishes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PublishConfig {
    /// Time without a new attestation after which a certificate with at least t of n is published, in milliseconds.
    /// With all n it is published at once.
    pub quiet_ms: u64,
    /// Pause between two attempts to fetch a missing attestation from its operator, in milliseconds.
    pub pull_ms: u64,
    /// Milliseconds between two questions to an operator how duties were performed.
    pub performance_ms: u64,
    /// Milliseconds between two questions to an operator how registrations with builders and exits stand.
    pub upkeep_ms: u64,
    /// Milliseconds between two reports to the service which operators are alive and what they run.
    pub operators_ms: u64,
}

/// The node's own HTTP server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// Address of `/metrics`, `/health` and `/ready` (a gateway: of `/v1/requests` too). Empty: none.
    pub listen: String,
}

impl Default for DutiesConfig {
    fn default() -> Self {
        Self {
            graffiti: "cluster-node".into(),
            builder: false,
            builder_boost_factor: 100,
            doppelganger_epochs: 2,
            keep_records_slots: 50_400,
        }
    }
}

impl DutiesConfig {
    /// The graffiti as it stands in a block.
    pub fn graffiti(&self) -> Result<[u8; 32], ConfigError> {
        let mut field = [0; 32];
        let bytes = self.graffiti.as_bytes();
        let place = field.get_mut(..bytes.len()).ok_or_else(|| ConfigError::Value {
            field: "duties.graffiti",
            reason: format!("it has {} bytes, and a block has room for 32", bytes.len()),
        })?;
        place.copy_from_slice(bytes);
        Ok(field)
    }
}

impl CeremonyConfig {
    /// The machine's patience.
    #[must_use]
    pub fn timing(&self) -> Timing {
        Timing {
            step_ms: self.step_timeout_ms,
            retry_ms: self.ask_ms,
            ceremony_ms: self.timeout_ms,
            ..Timing::default()
        }
    }
}

impl HttpConfig {
    /// The address to listen on; `None` when the server is switched off.
    pub fn address(&self) -> Result<Option<SocketAddr>, ConfigError> {
        if self.listen.is_empty() {
            return Ok(None);
        }
        self.listen.parse().map(Some).map_err(|_| ConfigError::Value {
            field: "http.listen",
            reason: format!("`{}` is not an address such as 127.0.0.1:9190", self.listen),
        })
    }
}

/// How logs are written, to standard error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// Lines for people or JSON objects for machines.
    pub format: LogFormat,
    /// Which lines: a level, or directives such as `info,cluster_node=debug`.
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

impl Default for OperatorConfig {
    fn default() -> Self {
        Self {
            data_dir: "operator-data".into(),
            registry_file: "registry.toml".into(),
            identity: IdentityConfig::default(),
            mesh: MeshConfig::default(),
            ceremony: CeremonyConfig::default(),
            signer: SignerConfig::default(),
            duties: DutiesConfig::default(),
            beacon: BeaconConfig::default(),
            chain: ChainConfig::default(),
            http: HttpConfig { listen: "127.0.0.1:9190".into() },
            log: LogConfig::default(),
        }
    }
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            data_dir: "gateway-data".into(),
            registry_file: "registry.toml".into(),
            identity: IdentityConfig::default(),
            mesh: MeshConfig::default(),
            service: ServiceConfig::default(),
            publish: PublishConfig::default(),
            chain: ChainConfig::default(),
            http: HttpConfig { listen: "127.0.0.1:9191".into() },
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
            bootstrap: Vec::new(),
            use_relay: true,
        }
    }
}

impl Default for CeremonyConfig {
    fn default() -> Self {
        Self {
            max_open: 64,
            max_validators: 1000,
            max_deadline_s: 7 * 86_400,
            step_timeout_ms: 10_000,
            ask_ms: 500,
            timeout_ms: 180_000,
            retry_max_ms: 10_000,
        }
    }
}

impl Default for SignerConfig {
    fn default() -> Self {
        Self { socket: PathBuf::new(), timeout_ms: 4_000 }
    }
}

impl Default for ServiceConfig {
    fn default() -> Self {
        Self { url: String::new(), poll_ms: 25_000, timeout_ms: 30_000, retry_max_ms: 30_000 }
    }
}

impl Default for PublishConfig {
    fn default() -> Self {
        Self { quiet_ms: 10_000, pull_ms: 5_000, performance_ms: 60_000, upkeep_ms: 30_000, operators_ms: 60_000 }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".into() }
    }
}

/// What a role's configuration checks beyond its shape.
pub trait Validate {
    /// Refuses values out of their range, naming the field.
    fn validate(&self) -> Result<(), ConfigError>;
}

impl Validate for OperatorConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        self.mesh.validate()?;
        self.beacon.validate()?;
        self.chain.validate()?;
        self.http.address()?;
        range("signer.timeout_ms", self.signer.timeout_ms, 100, 60_000)?;
        range("ceremony.max_open", self.ceremony.max_open as u64, 1, 1024)?;
        range("ceremony.max_validators", u64::from(self.ceremony.max_validators), 1, 1000)?;
        range("ceremony.max_deadline_s", self.ceremony.max_deadline_s, 60, 31 * 86_400)?;
        range("ceremony.step_timeout_ms", self.ceremony.step_timeout_ms, 100, 3_600_000)?;
        range("ceremony.ask_ms", self.ceremony.ask_ms, 10, 600_000)?;
        range("ceremony.timeout_ms", self.ceremony.timeout_ms, 1_000, 86_400_000)?;
        range("ceremony.retry_max_ms", self.ceremony.retry_max_ms, 100, 600_000)
    }
}

impl Validate for GatewayConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        self.mesh.validate()?;
        self.http.address()?;
        self.chain.validate()?;
        let url = &self.service.url;
        if !url.is_empty() && !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(ConfigError::Value {
                field: "service.url",
                reason: format!("`{url}` does not begin with http:// or https://"),
            });
        }
        range("service.poll_ms", self.service.poll_ms, 0, 30_000)?;
        range("service.timeout_ms", self.service.timeout_ms, 100, 600_000)?;
        range("service.retry_max_ms", self.service.retry_max_ms, 100, 3_600_000)?;
        range("publish.quiet_ms", self.publish.quiet_ms, 100, 86_400_000)?;
        range("publish.pull_ms", self.publish.pull_ms, 100, 3_600_000)?;
        range("publish.performance_ms", self.publish.performance_ms, 100, 3_600_000)?;
        range("publish.upkeep_ms", self.publish.upkeep_ms, 100, 3_600_000)?;
        range("publish.operators_ms", self.publish.operators_ms, 100, 3_600_000)
    }
}

impl MeshConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        if self.listen.is_empty() {
            return Err(ConfigError::Value { field: "mesh.listen", reason: "at least one address is needed".into() });
        }
        for (field, addresses) in [
            ("mesh.listen", &self.listen),
            ("mesh.external_addresses", &self.external_addresses),
            ("mesh.bootstrap", &self.bootstrap),
        ] {
            for address in addresses {
                let parsed: Result<libp2p::Multiaddr, _> = address.parse();
                if let Err(error) = parsed {
                    return Err(ConfigError::Value {
                        field,
                        reason: format!("`{address}` is not a multiaddress: {error}"),
                    });
                }
            }
        }
        Ok(())
    }
}

fn range(field: &'static str, value: u64, least: u64, most: u64) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::Value { field, reason: format!("{value} is not between {least} and {most}") })
}
