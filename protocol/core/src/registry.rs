//! Who may take part: operators, gateways and bootstrap peers with their keys. A file, or the contracts
//! of a chain; the rest of the system sees the [`Registry`] trait only.

use crate::{chain::EventId, committee::OperatorId, network::Network, request::EventLookup};
use cluster_crypto::{ethereum::Address, identity};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// Longest registry text that callers should read, in bytes.
pub const MAX_REGISTRY_BYTES: usize = 16 << 20;
/// Most operators in a registry.
pub const MAX_OPERATORS: usize = 10_000;
/// Most gateways, and most bootstrap peers.
pub const MAX_PEERS: usize = 256;
/// Most addresses of one entry.
pub const MAX_ADDRESSES: usize = 16;
/// Longest multiaddr, in bytes.
pub const MAX_ADDRESS_BYTES: usize = 256;
/// Longest name, in bytes.
pub const MAX_NAME_BYTES: usize = 64;

/// What a node asks the registry. Answers may change over time (a chain adds operators), so nobody
/// keeps them longer than one decision.
pub trait Registry: Send + Sync {
    /// The operator with this id.
    fn operator(&self, id: OperatorId) -> Option<OperatorEntry>;
    /// Every operator, ascending by id.
    fn operators(&self) -> Vec<OperatorEntry>;
    /// Every gateway.
    fn gateways(&self) -> Vec<GatewayEntry>;
    /// Every bootstrap peer.
    fn bootstraps(&self) -> Vec<BootstrapEntry>;
    /// What an event of the chain asks for. Nobody starts a ceremony with an invented event, so whoever cannot look it
    /// up says so and the request is refused.
    fn event_request(&self, _event: &EventId) -> EventLookup {
        EventLookup::NoChain
    }
}

/// One operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorEntry {
    /// Number in the registry.
    pub id: OperatorId,
    /// Name for people.
    pub name: String,
    /// Identity key; also the libp2p identity.
    pub public_key: identity::PublicKey,
    /// Wallet of the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Address>,
    /// Verified by the network's administrators.
    #[serde(default)]
    pub verified: bool,
    /// Run on behalf of the DAO.
    #[serde(default)]
    pub from_dao: bool,
    /// Fee in gwei per validator and block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_gwei: Option<u64>,
    /// Multiaddrs.
    #[serde(default)]
    pub addresses: Vec<String>,
}

/// One gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayEntry {
    /// Name for people.
    pub name: String,
    /// The cluster public key that owners' requests and HTTP signatures name.
    pub public_key: identity::PublicKey,
    /// Multiaddrs.
    #[serde(default)]
    pub addresses: Vec<String>,
}

/// One bootstrap peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootstrapEntry {
    /// libp2p identity.
    pub public_key: identity::PublicKey,
    /// Multiaddrs.
    #[serde(default)]
    pub addresses: Vec<String>,
}

/// Why a registry text is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// Longer than [`MAX_REGISTRY_BYTES`].
    #[error("the registry has {len} bytes, more than the limit of {MAX_REGISTRY_BYTES}")]
    TooLong {
        /// Bytes found.
        len: usize,
    },
    /// Neither the TOML nor the JSON of a registry.
    #[error("the registry cannot be read: {0}")]
    Malformed(String),
    /// A list is longer than its limit.
    #[error("{list} has {len} entries, more than the limit of {limit}")]
    TooMany {
        /// Name of the list.
        list: &'static str,
        /// Entries found.
        len: usize,
        /// Entries allowed.
        limit: usize,
    },
    /// The same id twice.
    #[error("operators {first:?} and {second:?} both have the id {id}")]
    DuplicateId {
        /// The id.
        id: OperatorId,
        /// Name of the first.
        first: String,
        /// Name of the second.
        second: String,
    },
    /// The same key twice, in whatever role: a PeerId would then mean two entries.
    #[error("{first} and {second} have the same public key")]
    DuplicateKey {
        /// The first entry.
        first: String,
        /// The second entry.
        second: String,
    },
    /// Too long, empty, or with control characters.
    #[error("{entry}: the name must have 1 to {MAX_NAME_BYTES} bytes without control characters")]
    BadName {
        /// The entry.
        entry: String,
    },
    /// Not a multiaddr by its shape, or too many of them.
    #[error("{entry}: addresses must be at most {MAX_ADDRESSES} multiaddrs such as /ip4/192.0.2.1/tcp/9000")]
    BadAddress {
        /// The entry.
        entry: String,
    },
}

/// A registry from a TOML or JSON text. Reading the file is the caller's part.
#[derive(Clone, Debug)]
pub struct FileRegistry {
    network: Network,
    operators: BTreeMap<OperatorId, OperatorEntry>,
    gateways: Vec<GatewayEntry>,
    bootstraps: Vec<BootstrapEntry>,
}

/// The file as written. Field order matters for TOML: plain values before tables.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryFile {
    /// The network that all entries serve.
    pub network: Network,
    /// Operators.
    #[serde(default)]
    pub operators: Vec<OperatorEntry>,
    /// Gateways.
    #[serde(default)]
    pub gateways: Vec<GatewayEntry>,
    /// Bootstrap peers.
    #[serde(default)]
    pub bootstraps: Vec<BootstrapEntry>,
}

impl FileRegistry {
    /// Reads TOML, or JSON when the text starts with `{`.
    pub fn parse(text: &str) -> Result<Self, RegistryError> {
        if text.len() > MAX_REGISTRY_BYTES {
            return Err(RegistryError::TooLong { len: text.len() });
        }
        let file: RegistryFile = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| RegistryError::Malformed(error.to_string()))?
        } else {
            toml::from_str(text).map_err(|error| RegistryError::Malformed(error.to_string()))?
        };
        FileRegistry::try_from(file)
    }

    /// The network that the registry serves.
    pub fn network(&self) -> Network {
        self.network
    }
}

impl TryFrom<RegistryFile> for FileRegistry {
    type Error = RegistryError;

    fn try_from(file: RegistryFile) -> Result<Self, RegistryError> {
        check_count("operators", file.operators.len(), MAX_OPERATORS)?;
        check_count("gateways", file.gateways.len(), MAX_PEERS)?;
        check_count("bootstraps", file.bootstraps.len(), MAX_PEERS)?;
        let mut keys = Keys::default();
        let mut operators: BTreeMap<OperatorId, OperatorEntry> = BTreeMap::new();
        for entry in file.operators {
            check_name("an operator", &entry.name)?;
            if let Some(first) = operators.get(&entry.id) {
                return Err(RegistryError::DuplicateId { id: entry.id, first: first.name.clone(), second: entry.name });
            }
            let label = format!("operator {} ({})", entry.id, entry.name);
            check_addresses(&label, &entry.addresses)?;
            keys.insert(entry.public_key, label)?;
            operators.insert(entry.id, entry);
        }
        for entry in &file.gateways {
            check_name("a gateway", &entry.name)?;
            let label = format!("gateway {}", entry.name);
            check_addresses(&label, &entry.addresses)?;
            keys.insert(entry.public_key, label)?;
        }
        for (at, entry) in file.bootstraps.iter().enumerate() {
            let label = format!("bootstraps[{at}]");
            check_addresses(&label, &entry.addresses)?;
            keys.insert(entry.public_key, label)?;
        }
        Ok(FileRegistry { network: file.network, operators, gateways: file.gateways, bootstraps: file.bootstraps })
    }
}

impl Registry for FileRegistry {
    fn operator(&self, id: OperatorId) -> Option<OperatorEntry> {
        self.operators.get(&id).cloned()
    }

    fn operators(&self) -> Vec<OperatorEntry> {
        self.operators.values().cloned().collect()
    }

    fn gateways(&self) -> Vec<GatewayEntry> {
        self.gateways.clone()
    }

    fn bootstraps(&self) -> Vec<BootstrapEntry> {
        self.bootstraps.clone()
    }
}

#[derive(Default)]
struct Keys(HashMap<identity::PublicKey, String>);

impl Keys {
    fn insert(&mut self, key: identity::PublicKey, label: String) -> Result<(), RegistryError> {
        match self.0.get(&key) {
            Some(first) => Err(RegistryError::DuplicateKey { first: first.clone(), second: label }),
            None => {
                self.0.insert(key, label);
                Ok(())
            }
        }
    }
}

fn check_count(list: &'static str, len: usize, limit: usize) -> Result<(), RegistryError> {
    if len > limit {
        return Err(RegistryError::TooMany { list, len, limit });
    }
    Ok(())
}

fn check_name(entry: &str, name: &str) -> Result<(), RegistryError> {
    // Names reach logs, metrics and terminals.
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
        let shown: String = name.escape_debug().take(MAX_NAME_BYTES).collect();
        return Err(RegistryError::BadName { entry: format!("{entry} named {shown:?}") });
    }
    Ok(())
}

fn check_addresses(entry: &str, addresses: &[String]) -> Result<(), RegistryError> {
    let shape = |address: &String| {
        address.starts_with('/')
            && address.len() <= MAX_ADDRESS_BYTES
            && address.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if addresses.len() > MAX_ADDRESSES || !addresses.iter().all(shape) {
        return Err(RegistryError::BadAddress { entry: entry.to_owned() });
    }
    Ok(())
}
