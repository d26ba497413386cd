//! Which chain and contracts the service reads, how far it got, and what it could not handle: public, like the chain.

use super::extract::{ApiQuery, PageQuery};
use crate::chain::config::LidoContracts;
use crate::chain::csm::plan::GAS_CAP;
use crate::chain::Chain;
use crate::hex::checksummed;
use crate::limits;
use crate::problem::{ApiResult, Problem};
use crate::state::AppState;
use crate::store::QuarantineRow;
use axum::extract::State;
use axum::Json;
use cluster_crypto::ethereum::Address;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Contracts of the network, checksummed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NetworkContracts {
    /// `SafeStakeRegistry`.
    pub registry: String,
    /// `SafeStakeNetwork`.
    pub network: String,
    /// `SafeStakeClusterNode`.
    pub cluster_node: String,
    /// `SafeStakeOperatorConfig`.
    pub operator_config: String,
}

/// Contracts and vaults of Lido, and the deposit contract, checksummed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LidoAddresses {
    /// CSModule.
    pub csm_module: Option<String>,
    /// Its number in the staking router.
    pub csm_module_id: Option<u64>,
    /// Accounting: spends stETH and wstETH for bonds.
    pub csm_accounting: Option<String>,
    /// Gate for everybody.
    pub csm_permissionless_gate: Option<String>,
    /// Gate for identified community stakers.
    pub csm_ics_gate: Option<String>,
    /// Gate for identified DVT clusters.
    pub csm_idvtc_gate: Option<String>,
    /// Penalties.
    pub csm_exit_penalties: Option<String>,
    /// ValidatorsExitBusOracle.
    pub exit_bus: Option<String>,
    /// Withdrawal address of every Lido validator.
    pub withdrawal_vault: String,
    /// Fee recipient of every Lido validator.
    pub el_rewards_vault: String,
    /// Ethereum's deposit contract.
    pub deposit_contract: Option<String>,
    /// LidoLocator, which says where the vaults are.
    pub locator: Option<String>,
    /// stETH.
    pub steth: Option<String>,
    /// wstETH.
    pub wsteth: Option<String>,
}

/// What the service reads of the chain.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChainInfo {
    /// `false`: no chain is read; what owners say of their validators is stored as it is said.
    pub configured: bool,
    /// `mainnet` or `hoodi`.
    pub network: &'static str,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Blocks that must follow one before its events count.
    pub confirmations: Option<u64>,
    /// First block that is read.
    pub start_block: Option<u64>,
    /// Newest block that an execution node announced.
    pub head_block: Option<u64>,
    /// Last block that was read.
    pub read_block: Option<u64>,
    /// Everything confirmed was read.
    pub caught_up: bool,
    /// Whether a beacon node is asked.
    pub asks_beacon: bool,
    /// Events that could not be handled; `/v1/chain/quarantine` lists them.
    pub quarantined: i64,
    /// Contracts of the network; null where no chain is read.
    pub contracts: Option<NetworkContracts>,
    /// Contracts of Lido.
    pub lido: LidoAddresses,
    /// Keys per transaction to CSM unless somebody chooses otherwise.
    pub csm_batch_keys_default: u32,
    /// Most keys per transaction to CSM.
    pub csm_batch_keys_max: u32,
    /// Gas that one transaction may take (EIP-7825).
    pub transaction_gas_cap: u64,
}

/// An event that could not be handled. It is kept and tried again, and stops nothing.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct QuarantinedEvent {
    /// Height of the block.
    pub block_number: i64,
    /// Position in the block.
    pub log_index: i64,
    /// 0x hex.
    pub block_hash: String,
    /// 0x hex.
    pub tx_hash: String,
    /// Who emitted it, checksummed.
    pub contract: String,
    /// First topic, 0x hex, or empty.
    pub topic: String,
    /// What is wrong, in a sentence.
    pub reason: String,
    /// Unix milliseconds.
    pub first_seen_ms: i64,
}

impl From<QuarantineRow> for QuarantinedEvent {
    fn from(row: QuarantineRow) -> Self {
        Self {
            block_number: row.block_number,
            log_index: row.log_index,
            block_hash: row.block_hash,
            tx_hash: row.tx_hash,
            contract: checksummed(&row.contract),
            topic: row.topic,
            reason: row.reason,
            first_seen_ms: row.first_seen_ms,
        }
    }
}

/// A page of events that could not be handled.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct QuarantinePage {
    /// In the order of the chain.
    pub items: Vec<QuarantinedEvent>,
    /// Cursor of the next page; null on the last one.
    pub next_cursor: Option<String>,
}

/// The chain, or the problem that none is read.
pub fn configured(state: &AppState) -> ApiResult<&Arc<Chain>> {
    state.chain.as_ref().ok_or_else(Problem::no_chain)
}

fn lido_addresses(state: &AppState, lido: &LidoContracts) -> LidoAddresses {
    let shown = |address: Option<Address>| address.map(|address| address.to_string());
    LidoAddresses {
        csm_module: shown(lido.module),
        csm_module_id: lido.module_id,
        csm_accounting: shown(lido.accounting),
        csm_permissionless_gate: shown(lido.permissionless_gate),
        csm_ics_gate: shown(lido.ics_gate),
        csm_idvtc_gate: shown(lido.idvtc_gate),
        csm_exit_penalties: shown(lido.exit_penalties),
        exit_bus: shown(lido.exit_bus),
        withdrawal_vault: state.network.lido_withdrawal_vault().to_string(),
        el_rewards_vault: state.network.lido_el_rewards_vault().to_string(),
        deposit_contract: shown(lido.deposit_contract),
        locator: shown(lido.locator),
        steth: shown(lido.steth),
        wsteth: shown(lido.wsteth),
    }
}

/// Contracts of the network, where a chain is read, and of Lido.
pub fn addresses(state: &AppState) -> (Option<NetworkContracts>, LidoAddresses) {
    let settings = state.chain.as_ref().map(|chain| &chain.settings);
    let lido = match settings {
        Some(settings) => settings.lido,
        None => LidoContracts::resolve(&crate::chain::ChainConfig::default(), state.network),
    };
    let contracts = settings.map(|settings| NetworkContracts {
        registry: settings.contracts.registry.to_string(),
        network: settings.contracts.network.to_string(),
        cluster_node: settings.contracts.cluster_node.to_string(),
        operator_config: settings.contracts.operator_config.to_string(),
    });
    (contracts, lido_addresses(state, &lido))
}

/// Says which chain and contracts the service reads, and how far it got.
#[utoipa::path(get, path = "/v1/chain", tag = "chain", responses((status = 200, body = ChainInfo)))]
pub async fn info(State(state): State<AppState>) -> ApiResult<Json<ChainInfo>> {
    let settings = state.chain.as_ref().map(|chain| &chain.settings);
    let position = state.chain.as_ref().map(|chain| chain.position()).unwrap_or_default();
    let (contracts, lido) = addresses(&state);
    Ok(Json(ChainInfo {
        configured: settings.is_some(),
        network: state.network.name(),
        chain_id: state.network.chain_id(),
        confirmations: settings.map(|settings| settings.config.confirmations),
        start_block: settings.map(|settings| settings.config.start_block),
        head_block: settings.map(|_| position.head),
        read_block: position.read,
        caught_up: position.caught_up,
        asks_beacon: settings.is_some_and(|settings| !settings.beacon_urls.is_empty()),
        quarantined: state.store.quarantine_count().await?,
        contracts,
        lido,
        csm_batch_keys_default: limits::CSM_BATCH_KEYS_DEFAULT,
        csm_batch_keys_max: limits::CSM_BATCH_KEYS,
        transaction_gas_cap: GAS_CAP,
    }))
}

/// Lists events that could not be handled, each with its reason.
#[utoipa::path(get, path = "/v1/chain/quarantine", tag = "chain", params(PageQuery),
    responses((status = 200, body = QuarantinePage), (status = 422, body = Problem)))]
pub async fn quarantine(
    State(state): State<AppState>,
    ApiQuery(page): ApiQuery<PageQuery>,
) -> ApiResult<Json<QuarantinePage>> {
    let limit = page.limit()?;
    let after = position(page.cursor.as_deref())?;
    let mut rows = state.store.quarantine(after, limit + 1).await?;
    let more = rows.len() > usize::try_from(limit).unwrap_or(0);
    rows.truncate(usize::try_from(limit).unwrap_or(0));
    let next_cursor = rows.last().filter(|_| more).map(|row| format!("{}-{}", row.block_number, row.log_index));
    Ok(Json(QuarantinePage { items: rows.into_iter().map(Into::into).collect(), next_cursor }))
}

fn position(cursor: Option<&str>) -> ApiResult<(i64, i64)> {
    let Some(text) = cursor.filter(|text| !text.is_empty()) else { return Ok((-1, -1)) };
    let parsed = text.split_once('-').and_then(|(block, index)| Some((block.parse().ok()?, index.parse().ok()?)));
    parsed.ok_or_else(|| Problem::invalid("cursor", "The cursor is not one that this service gave out."))
}
