//! The Ethereum networks that requests may name, and the Lido addresses on them.

use cluster_crypto::ethereum::Address;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An Ethereum network. Adding one means knowing every constant below for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// Ethereum mainnet.
    Mainnet,
    /// The public test network for stakers.
    Hoodi,
}

/// A network that this software does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown network {0:?}; use \"mainnet\" or \"hoodi\"")]
pub struct UnknownNetwork(pub String);

impl Network {
    /// Every network.
    pub const ALL: [Network; 2] = [Network::Mainnet, Network::Hoodi];

    /// EIP-155 chain id.
    pub const fn chain_id(self) -> u64 {
        match self {
            Network::Mainnet => 1,
            Network::Hoodi => 560_048,
        }
    }

    /// The network with this chain id.
    pub fn from_chain_id(chain_id: u64) -> Option<Network> {
        Network::ALL.into_iter().find(|network| network.chain_id() == chain_id)
    }

    /// The name in configuration files and in launchpad deposit data.
    pub const fn name(self) -> &'static str {
        match self {
            Network::Mainnet => "mainnet",
            Network::Hoodi => "hoodi",
        }
    }

    /// `GENESIS_FORK_VERSION`: deposits are signed under it for ever.
    pub const fn genesis_fork_version(self) -> [u8; 4] {
        match self {
            Network::Mainnet => [0x00, 0x00, 0x00, 0x00],
            Network::Hoodi => [0x10, 0x00, 0x09, 0x10],
        }
    }

    /// Lido's withdrawal vault: the withdrawal address of every Lido validator.
    pub const fn lido_withdrawal_vault(self) -> Address {
        match self {
            Network::Mainnet => const { Address(hex_address(b"B9D7934878B5FB9610B3fE8A5e441e8fad7E293f")) },
            Network::Hoodi => const { Address(hex_address(b"4473dCDDbf77679A643BdB654dbd86D67F8d32f2")) },
        }
    }

    /// Lido's execution layer rewards vault: the fee recipient of every Lido validator.
    pub const fn lido_el_rewards_vault(self) -> Address {
        match self {
            Network::Mainnet => const { Address(hex_address(b"388C818CA8B9251b393131C08a736A67ccB19297")) },
            Network::Hoodi => const { Address(hex_address(b"9b108015fe433F173696Af3Aa0CF7CDb3E104258")) },
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl std::str::FromStr for Network {
    type Err = UnknownNetwork;

    fn from_str(text: &str) -> Result<Self, UnknownNetwork> {
        Network::ALL
            .into_iter()
            .find(|network| network.name() == text)
            .ok_or_else(|| UnknownNetwork(text.chars().take(32).collect()))
    }
}

/// Reads 40 hex digits while compiling. A test compares the results with the published addresses.
const fn hex_address(digits: &[u8; 40]) -> [u8; 20] {
    const fn value(digit: u8) -> u8 {
        match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            b'A'..=b'F' => digit - b'A' + 10,
            _ => 0,
        }
    }
    let mut bytes = [0u8; 20];
    let mut at = 0;
    while at < 20 {
        bytes[at] = value(digits[2 * at]) << 4 | value(digits[2 * at + 1]);
        at += 1;
    }
    bytes
}
