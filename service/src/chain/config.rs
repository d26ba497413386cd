//! Which chain is read, from where, and which contracts.

use crate::hex::parse_address;
use cluster_core::chain::Contracts;
use cluster_core::network::Network;
use cluster_crypto::ethereum::Address;
use reqwest::Url;
use serde::{Deserialize, Serialize};

/// Most confirmations: more than a day.
const CONFIRMATIONS: u64 = 10_000;

/// The section `[chain]` of the configuration. Without `rpc_urls` nothing of a chain is read.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChainConfig {
    /// JSON-RPC endpoints of execution nodes (http or https), the preferred one first.
    pub rpc_urls: Vec<String>,
    /// Beacon nodes that are asked whether validators are active; the preferred one first. Empty: unknown.
    pub beacon_urls: Vec<String>,
    /// Blocks that must follow one before its events count.
    pub confirmations: u64,
    /// First block that is read: not after the first of the contracts was deployed.
    pub start_block: u64,
    /// Milliseconds between two looks at the head of the chain.
    pub poll_ms: u64,
    /// Milliseconds until a call to an execution or beacon node is given up.
    pub timeout_ms: u64,
    /// `SafeStakeRegistry`.
    pub registry_contract: Option<Address>,
    /// `SafeStakeNetwork`.
    pub network_contract: Option<Address>,
    /// `SafeStakeClusterNode`.
    pub cluster_node_contract: Option<Address>,
    /// `SafeStakeOperatorConfig`.
    pub operator_config_contract: Option<Address>,
    /// Lido's CSModule. This and what follows: the network's own where it is not set.
    pub csm_module: Option<Address>,
    /// Number of the module in Lido's staking router.
    pub csm_module_id: Option<u64>,
    /// Accounting of CSM: bonds.
    pub csm_accounting: Option<Address>,
    /// Gate for everybody.
    pub csm_permissionless_gate: Option<Address>,
    /// Gate for identified community stakers.
    pub csm_ics_gate: Option<Address>,
    /// Gate for identified DVT clusters.
    pub csm_idvtc_gate: Option<Address>,
    /// Penalties of CSM.
    pub csm_exit_penalties: Option<Address>,
    /// Lido's ValidatorsExitBusOracle.
    pub lido_exit_bus: Option<Address>,
    /// Ethereum's deposit contract.
    pub deposit_contract: Option<Address>,
    /// LidoLocator. This and the tokens: for the web app; the service does not read them.
    pub lido_locator: Option<Address>,
    /// stETH.
    pub steth: Option<Address>,
    /// wstETH.
    pub wsteth: Option<Address>,
}

impl Default for ChainConfig {
    fn default() -> Self {
        Self {
            rpc_urls: Vec::new(),
            beacon_urls: Vec::new(),
            confirmations: 12,
            start_block: 0,
            poll_ms: 4_000,
            timeout_ms: 10_000,
            registry_contract: None,
            network_contract: None,
            cluster_node_contract: None,
            operator_config_contract: None,
            csm_module: None,
            csm_module_id: None,
            csm_accounting: None,
            csm_permissionless_gate: None,
            csm_ics_gate: None,
            csm_idvtc_gate: None,
            csm_exit_penalties: None,
            lido_exit_bus: None,
            deposit_contract: None,
            lido_locator: None,
            steth: None,
            wsteth: None,
        }
    }
}

/// Why a section `[chain]` is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainConfigError {
    /// Not a URL of HTTP. The URL itself is not shown: it may hold a key.
    #[error("chain.{field}: entry {position} is not an http or https URL")]
    Url {
        /// `rpc_urls` or `beacon_urls`.
        field: &'static str,
        /// From 1.
        position: usize,
    },
    /// One of the network's contracts is missing.
    #[error("chain.{field} is not set; the service reads all four contracts of the network, or no chain at all")]
    Missing {
        /// Which.
        field: &'static str,
    },
    /// Two roles, one contract.
    #[error("chain: two contracts have the address {0}")]
    SameAddress(Address),
    /// Events would count too late to be of use.
    #[error("chain.confirmations is above {limit}")]
    Confirmations {
        /// Most.
        limit: u64,
    },
}

/// Contracts that are not the network's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LidoContracts {
    /// CSModule.
    pub module: Option<Address>,
    /// Its number in the staking router.
    pub module_id: Option<u64>,
    /// Accounting.
    pub accounting: Option<Address>,
    /// Gate for everybody.
    pub permissionless_gate: Option<Address>,
    /// Gate for identified community stakers.
    pub ics_gate: Option<Address>,
    /// Gate for identified DVT clusters.
    pub idvtc_gate: Option<Address>,
    /// Penalties.
    pub exit_penalties: Option<Address>,
    /// Exit bus.
    pub exit_bus: Option<Address>,
    /// Ethereum's deposit contract.
    pub deposit_contract: Option<Address>,
    /// LidoLocator. This and the tokens emit nothing that is read, so they do not decide what is read again.
    #[serde(skip)]
    pub locator: Option<Address>,
    /// stETH.
    #[serde(skip)]
    pub steth: Option<Address>,
    /// wstETH.
    #[serde(skip)]
    pub wsteth: Option<Address>,
}

/// Addresses of a network as its documentation gives them; version 3 of CSM (July 2026).
struct Defaults {
    module: &'static str,
    module_id: u64,
    accounting: &'static str,
    permissionless_gate: &'static str,
    ics_gate: &'static str,
    idvtc_gate: &'static str,
    exit_penalties: &'static str,
    exit_bus: &'static str,
    deposit_contract: &'static str,
    locator: &'static str,
    steth: &'static str,
    wsteth: &'static str,
}

const MAINNET: Defaults = Defaults {
    module: "0xdA7dE2ECdDfccC6c3AF10108Db212ACBBf9EA83F",
    module_id: 3,
    accounting: "0x4d72BFF1BeaC69925F8Bd12526a39BAAb069e5Da",
    permissionless_gate: "0xb8cd8F059Ad7a5dB8CAfDe34aAb007317F7156C8",
    ics_gate: "0xB314D4A76C457c93150d308787939063F4Cc67E0",
    idvtc_gate: "0xa12760721A72A7199aB38059DA6690b9Cd4ed7B8",
    exit_penalties: "0x06cd61045f958A209a0f8D746e103eCc625f4193",
    exit_bus: "0x0De4Ea0184c2ad0BacA7183356Aea5B8d5Bf5c6e",
    deposit_contract: "0x00000000219ab540356cBB839Cbe05303d7705Fa",
    locator: "0xC1d0b3DE6792Bf6b4b37EccdcC24e45978Cfd2Eb",
    steth: "0xae7ab96520DE3A18E5e111B5EaAb095312D7fE84",
    wsteth: "0x7f39C581F595B53c5cb19bD0b3f8dA6c935E2Ca0",
};

const HOODI: Defaults = Defaults {
    module: "0x79CEf36D84743222f37765204Bec41E92a93E59d",
    module_id: 4,
    accounting: "0xA54b90BA34C5f326BC1485054080994e38FB4C60",
    permissionless_gate: "0xd7bD8D2A9888D1414c770B35ACF55890B15de26a",
    ics_gate: "0x10a254E724fe2b7f305F76f3F116a3969c53845f",
    idvtc_gate: "0x887F8512F9998045f4b5993e6eaa6BCfE5F02A94",
    exit_penalties: "0xD259b31083Be841E5C85b2D481Cfc17C14276800",
    exit_bus: "0x8664d394C2B3278F26A1B44B967aEf99707eeAB2",
    deposit_contract: "0x00000000219ab540356cBB839Cbe05303d7705Fa",
    locator: "0xe2EF9536DAAAEBFf5b1c130957AB3E80056b06D8",
    steth: "0x3508A952176b3c15387C97BE809eaffB1982176a",
    wsteth: "0x7E99eE3C66636DE415D2d7C880938F2f40f94De4",
};

impl LidoContracts {
    /// What is configured, and the network's own for the rest.
    pub fn resolve(config: &ChainConfig, network: Network) -> Self {
        let own = match network {
            Network::Mainnet => &MAINNET,
            Network::Hoodi => &HOODI,
        };
        let or = |set: Option<Address>, text: &str| set.or_else(|| parse_address(text));
        Self {
            module: or(config.csm_module, own.module),
            module_id: config.csm_module_id.or(Some(own.module_id)),
            accounting: or(config.csm_accounting, own.accounting),
            permissionless_gate: or(config.csm_permissionless_gate, own.permissionless_gate),
            ics_gate: or(config.csm_ics_gate, own.ics_gate),
            idvtc_gate: or(config.csm_idvtc_gate, own.idvtc_gate),
            exit_penalties: or(config.csm_exit_penalties, own.exit_penalties),
            exit_bus: or(config.lido_exit_bus, own.exit_bus),
            deposit_contract: or(config.deposit_contract, own.deposit_contract),
            locator: or(config.lido_locator, own.locator),
            steth: or(config.steth, own.steth),
            wsteth: or(config.wsteth, own.wsteth),
        }
    }

    /// Those that emit events which are read.
    pub fn emitters(&self) -> Vec<Address> {
        let mut emitters: Vec<Address> =
            [self.module, self.exit_penalties, self.exit_bus, self.deposit_contract].into_iter().flatten().collect();
        emitters.sort_by_key(|address| address.0);
        emitters.dedup();
        emitters
    }
}

/// A checked section `[chain]`.
#[derive(Clone)]
pub struct ChainSettings {
    /// Execution nodes.
    pub rpc_urls: Vec<Url>,
    /// Beacon nodes.
    pub beacon_urls: Vec<Url>,
    /// The network's contracts.
    pub contracts: Contracts,
    /// Lido's contracts, and the deposit contract.
    pub lido: LidoContracts,
    /// As configured.
    pub config: ChainConfig,
}

impl ChainSettings {
    /// `None`: no chain is configured.
    pub fn new(config: &ChainConfig, network: Network) -> Result<Option<Self>, ChainConfigError> {
        if config.rpc_urls.is_empty() {
            return Ok(None);
        }
        let limit = CONFIRMATIONS;
        if config.confirmations > limit {
            return Err(ChainConfigError::Confirmations { limit });
        }
        let set = |address: Option<Address>, field| address.ok_or(ChainConfigError::Missing { field });
        let contracts = Contracts {
            chain_id: network.chain_id(),
            registry: set(config.registry_contract, "registry_contract")?,
            network: set(config.network_contract, "network_contract")?,
            cluster_node: set(config.cluster_node_contract, "cluster_node_contract")?,
            operator_config: set(config.operator_config_contract, "operator_config_contract")?,
        };
        let lido = LidoContracts::resolve(config, network);
        // Lido's contracts may be one; ours, and theirs and ours, may not.
        let ours = contracts.addresses();
        let others = lido.emitters();
        for (at, address) in ours.iter().enumerate() {
            if ours[at + 1..].contains(address) || others.contains(address) {
                return Err(ChainConfigError::SameAddress(*address));
            }
        }
        Ok(Some(Self {
            rpc_urls: urls("rpc_urls", &config.rpc_urls)?,
            beacon_urls: urls("beacon_urls", &config.beacon_urls)?,
            contracts,
            lido,
            config: config.clone(),
        }))
    }
}

fn urls(field: &'static str, texts: &[String]) -> Result<Vec<Url>, ChainConfigError> {
    let url = |(at, text): (usize, &String)| {
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        url.ok_or(ChainConfigError::Url { field, position: at + 1 })
    };
    texts.iter().enumerate().map(url).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The checksum of EIP-55 catches a wrong digit with a chance of 99.98 %.
    #[test]
    fn addresses_of_the_networks_have_their_checksums() {
        for own in [&MAINNET, &HOODI] {
            let all = [
                own.module,
                own.accounting,
                own.permissionless_gate,
                own.ics_gate,
                own.idvtc_gate,
                own.exit_penalties,
                own.exit_bus,
                own.deposit_contract,
                own.locator,
                own.steth,
                own.wsteth,
            ];
            for text in all {
                assert_eq!(parse_address(text).unwrap().to_string(), text);
            }
        }
    }

    #[test]
    fn wrong_sections_are_refused_in_words() {
        let some = |byte: u8| Some(Address([byte; 20]));
        let good = ChainConfig {
            rpc_urls: vec!["http://127.0.0.1:8545".to_owned()],
            registry_contract: some(1),
            network_contract: some(2),
            cluster_node_contract: some(3),
            operator_config_contract: some(4),
            ..ChainConfig::default()
        };
        let refused = |config: ChainConfig| ChainSettings::new(&config, Network::Hoodi).err().unwrap().to_string();
        assert!(ChainSettings::new(&good, Network::Hoodi).unwrap().is_some());
        assert!(ChainSettings::new(&ChainConfig::default(), Network::Hoodi).unwrap().is_none());
        let secret = "ftp://user:secret@node.example";
        let words = refused(ChainConfig { rpc_urls: vec![secret.to_owned()], ..good.clone() });
        assert!(words.contains("rpc_urls") && !words.contains("secret"), "{words}");
        assert!(refused(ChainConfig { network_contract: None, ..good.clone() }).contains("network_contract"));
        assert!(refused(ChainConfig { confirmations: 10_001, ..good.clone() }).contains("confirmations"));
        assert!(refused(ChainConfig { registry_contract: some(2), ..good.clone() }).contains("two contracts"));
        assert!(refused(ChainConfig { csm_module: some(1), ..good }).contains("two contracts"));
    }
}
