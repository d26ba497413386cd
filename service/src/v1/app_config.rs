//! What the web app has to know before anything else. Public: nothing in it is a secret.

use super::chain::{addresses, LidoAddresses, NetworkContracts};
use crate::state::{AppState, WalletConnect};
use axum::extract::State;
use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

/// Configuration of the app.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AppConfig {
    /// `mainnet` or `hoodi`.
    pub network: String,
    /// EIP-155 chain id that wallets must be on.
    pub chain_id: u64,
    /// Genesis fork version that deposits are signed under: 4 bytes, 0x hex.
    pub fork_version: String,
    /// URL of an execution node for reads, when the service names one; without it the app reads through the wallet.
    pub rpc_url: Option<String>,
    /// URL of a block explorer, for links.
    pub explorer_url: Option<String>,
    /// How wallets on phones are reached; null where no project id is set.
    pub walletconnect: Option<WalletConnect>,
    /// Cluster public key of the gateway that requests go to: 33 bytes, 0x hex; null when the service was not set up.
    pub cluster_pubkey: Option<String>,
    /// Lido's withdrawal vault on this network, checksummed: where withdrawals of CSM validators go.
    pub lido_withdrawal_vault: String,
    /// Lido's execution layer rewards vault on this network, checksummed: the fee recipient of CSM validators.
    pub lido_el_rewards_vault: String,
    /// Contracts of the network; null where the service reads no chain.
    pub contracts: Option<NetworkContracts>,
    /// Contracts of Lido, and the deposit contract.
    pub lido: LidoAddresses,
    /// Most validators of one request.
    pub max_validators: u32,
    /// Version of the service.
    pub version: String,
}

/// Gives the configuration of the web app.
#[utoipa::path(get, operation_id = "app_config", path = "/v1/app-config", tag = "service", responses((status = 200, body = AppConfig)))]
pub async fn get(State(state): State<AppState>) -> Json<AppConfig> {
    let network = state.network;
    // Without a gateway of its own, the first of the registry: any gateway serves any request.
    let first = || state.registry.gateways().first().map(|gateway| gateway.public_key.to_string());
    let (contracts, lido) = addresses(&state);
    Json(AppConfig {
        network: network.name().to_owned(),
        chain_id: network.chain_id(),
        fork_version: format!("0x{}", hex::encode(network.genesis_fork_version())),
        rpc_url: state.app.rpc_url.clone(),
        explorer_url: state.app.explorer_url.clone(),
        walletconnect: state.app.walletconnect.clone(),
        cluster_pubkey: state.cluster_pubkey.clone().or_else(first),
        lido_withdrawal_vault: network.lido_withdrawal_vault().to_string(),
        lido_el_rewards_vault: network.lido_el_rewards_vault().to_string(),
        contracts,
        lido,
        max_validators: cluster_core::request::MAX_VALIDATORS,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}
