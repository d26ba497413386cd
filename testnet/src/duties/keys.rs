//! The validators' keys: made by the operators in a ceremony, which leaves each with its shares.

use std::path::Path;

use cluster_core::network::Network;
use cluster_crypto::ethereum::Address;
use serde::Deserialize;

use super::observer::Watched;
use super::options::Options;
use crate::demo::{Demo, DemoError, Options as DemoOptions};
use crate::lodestar::GenesisValidator;

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The ceremony.
    #[error("the ceremony failed: {0}")]
    Ceremony(#[from] DemoError),
    /// It ended without keys, or without receipts.
    #[error("the ceremony did not end with validators that are ready")]
    NotReady,
    /// What it left.
    #[error("the deposit data of the ceremony cannot be read: {0}")]
    Deposits(String),
}

/// A validator of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// For the genesis.
    pub genesis: GenesisValidator,
    /// For the observer.
    pub watched: Watched,
}

#[derive(Deserialize)]
struct Deposit {
    pubkey: String,
    withdrawal_credentials: String,
}

/// Runs the ceremony in `dir` and ends its network.
pub async fn by_ceremony(options: &Options, dir: &Path) -> Result<Vec<Key>, KeysError> {
    let demo = DemoOptions {
        transport: options.transport,
        ..DemoOptions::new(options.network, options.operators, options.validators, options.seed)
    };
    let mut demo = Demo::start(demo, dir).await?;
    let finished = demo.run(&mut |_| {}).await;
    let owner = demo.testnet.world.owner.address();
    demo.shutdown().await;
    let files = finished?.files.ok_or(KeysError::NotReady)?;
    let deposits: Vec<Deposit> =
        serde_json::from_str(&files.deposit_data).map_err(|error| KeysError::Deposits(error.to_string()))?;
    Ok(deposits.into_iter().map(|deposit| key(deposit, options.network, owner)).collect())
}

fn key(deposit: Deposit, network: Network, owner: Address) -> Key {
    let pubkey = format!("0x{}", deposit.pubkey.trim_start_matches("0x"));
    let credentials = format!("0x{}", deposit.withdrawal_credentials.trim_start_matches("0x"));
    // The last 20 bytes of the credentials are the address that withdrawals go to.
    let to_vault = credentials.ends_with(&hex::encode(network.lido_withdrawal_vault().0));
    let recipient = if to_vault { network.lido_el_rewards_vault() } else { owner };
    Key {
        watched: Watched { pubkey: pubkey.clone(), fee_recipient: recipient.0 },
        genesis: GenesisValidator { pubkey, withdrawal_credentials: Some(credentials) },
    }
}
