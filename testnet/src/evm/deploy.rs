//! The contracts on the chain, by their own deployment script.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use cluster_core::chain::Contracts;
use cluster_core::network::Network;
use cluster_crypto::ethereum::Address;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::process::Command;

use super::{EvmError, Rpc, Tools};

/// The first account of anvil's well-known test mnemonic: it deploys, and has every role.
pub(super) const ADMIN_KEY: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
/// Compiling takes minutes the first time.
const PATIENCE: Duration = Duration::from_secs(900);
/// Deploying does not.
const COMPILED_PATIENCE: Duration = Duration::from_secs(60);
const ATTEMPTS: u32 = 3;
/// How often the chain is told its id.
const CHAIN_ID_ATTEMPTS: u32 = 8;
/// Bytes of forge's last words.
const WORDS: usize = 2_000;
/// Per validator, in wei: an exact fee is only one if it is not nothing.
const GENERATE_FEE: &str = "1000000000000000";
const EXIT_FEE: &str = "500000000000000";

/// Where everything is, as the script writes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The first block with events.
    pub block: u64,
    /// Who sets fees and flags, and plays Lido's oracles.
    pub admin: Address,
    /// `SafeStakeRegistry`.
    pub registry: Address,
    /// `SafeStakeNetwork`.
    pub network: Address,
    /// `SafeStakeClusterNode`.
    pub cluster_node: Address,
    /// `SafeStakeOperatorConfig`.
    pub operator_config: Address,
    /// `SafeStakeStorage`.
    pub storage: Address,
    /// The double of Lido's.
    pub csm: CsmContracts,
}

/// The double of Lido's contracts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct CsmContracts {
    pub locator: Address,
    #[serde(rename = "stETH")]
    pub steth: Address,
    #[serde(rename = "wstETH")]
    pub wsteth: Address,
    pub parameters_registry: Address,
    pub module: Address,
    pub accounting: Address,
    pub fee_distributor: Address,
    pub permissionless_gate: Address,
    pub ics_gate: Address,
    pub idvtc_gate: Address,
    /// Exit bus, strikes and exit penalties in one.
    pub watchers: Address,
    pub staking_router: Address,
    /// Of the beacon chain.
    pub deposit_contract: Address,
    pub withdrawal_vault: Address,
    pub el_rewards_vault: Address,
}

impl Deployment {
    /// The contracts that nodes read.
    #[must_use]
    pub fn contracts(&self) -> Contracts {
        Contracts {
            chain_id: self.chain_id,
            registry: self.registry,
            network: self.network,
            cluster_node: self.cluster_node,
            operator_config: self.operator_config,
        }
    }

    /// Puts everything on a development chain, and makes it look like `network` afterwards.
    pub(super) async fn make(
        tools: &Tools,
        rpc: &Rpc,
        url: &str,
        network: Network,
        first_operator_id: u32,
    ) -> Result<Self, EvmError> {
        let mut deployment = run_script(tools, url, first_operator_id).await?;
        set_chain_id(rpc, network.chain_id()).await?;
        deployment.chain_id = network.chain_id();
        deployment.move_vaults(rpc, network).await?;
        Ok(deployment)
    }

    /// The double makes vaults of its own; here they are where the network has them, as everything that checks deposit
    /// data expects.
    async fn move_vaults(&mut self, rpc: &Rpc, network: Network) -> Result<(), EvmError> {
        let moves = [
            (self.csm.withdrawal_vault, network.lido_withdrawal_vault()),
            (self.csm.el_rewards_vault, network.lido_el_rewards_vault()),
        ];
        for contract in [self.csm.locator, self.csm.staking_router] {
            let code: String = rpc.ask("eth_getCode", json!([contract, "latest"])).await?;
            let moved =
                moves.iter().fold(code, |code, (from, to)| code.replace(&hex::encode(from.0), &hex::encode(to.0)));
            let () = rpc.ask("anvil_setCode", json!([contract, moved])).await?;
        }
        for (from, to) in moves {
            let code: String = rpc.ask("eth_getCode", json!([from, "latest"])).await?;
            let () = rpc.ask("anvil_setCode", json!([to, code])).await?;
        }
        (self.csm.withdrawal_vault, self.csm.el_rewards_vault) = (moves[0].1, moves[1].1);
        Ok(())
    }
}

/// A block that is being made meanwhile brings the former id back with it: the next one is made only when that is over, so that
/// an id which is there after it stays.
async fn set_chain_id(rpc: &Rpc, chain_id: u64) -> Result<(), EvmError> {
    let wanted = format!("{chain_id:#x}");
    for _ in 0..CHAIN_ID_ATTEMPTS {
        let () = rpc.ask("anvil_setChainId", json!([chain_id])).await?;
        let _: serde_json::Value = rpc.ask("evm_mine", json!([])).await?;
        let now: String = rpc.ask("eth_chainId", json!([])).await?;
        if now == wanted {
            return Ok(());
        }
    }
    Err(EvmError::Process { what: "the chain", reason: format!("it does not take the chain id {chain_id}") })
}

async fn run_script(tools: &Tools, url: &str, first_operator_id: u32) -> Result<Deployment, EvmError> {
    let failed = |reason: String| EvmError::Process { what: "the deployment by forge", reason };
    // forge may write below this folder only.
    let name = format!("deployments/testnet-{}.json", url.rsplit(':').next().unwrap_or_default());
    let file = tools.contracts.join(&name);
    let records = tempfile::tempdir().map_err(|error| failed(error.to_string()))?;
    let mut patience = if tools.is_compiled() { COMPILED_PATIENCE } else { PATIENCE };
    let mut attempt = 1;
    let ended = loop {
        match tokio::time::timeout(patience, forge(tools, url, first_operator_id, &name, records.path())).await {
            Ok(ended) => break ended.map_err(|error| failed(error.to_string()))?,
            // Sources may have changed since they were compiled; and forge has been seen to wait for ever.
            Err(_) if attempt < ATTEMPTS => (attempt, patience) = (attempt + 1, PATIENCE),
            Err(_) => return Err(failed(format!("it did not end within {} s", patience.as_secs()))),
        }
    };
    let text = std::fs::read_to_string(&file);
    let _ = std::fs::remove_file(&file);
    if !ended.status.success() {
        let said = [ended.stdout, ended.stderr].concat();
        let said = String::from_utf8_lossy(said.get(said.len().saturating_sub(WORDS)..).unwrap_or_default());
        return Err(failed(format!("{}\n{}", ended.status, said.trim())));
    }
    parse(&text.map_err(|error| failed(format!("{}: {error}", file.display())))?)
        .map_err(|error| failed(format!("{} is not as expected: {error}", file.display())))
}

/// The part about CSM may be a JSON text in the JSON.
fn parse(text: &str) -> serde_json::Result<Deployment> {
    let mut value: serde_json::Value = serde_json::from_str(text)?;
    if let Some(text) = value.get("csm").and_then(|csm| csm.as_str()).map(str::to_owned) {
        value["csm"] = serde_json::from_str(&text)?;
    }
    serde_json::from_value(value)
}

async fn forge(
    tools: &Tools,
    url: &str,
    first_operator_id: u32,
    file: &str,
    records: &Path,
) -> std::io::Result<std::process::Output> {
    Command::new(&tools.forge)
        .args(["script", "script/Deploy.s.sol", "--broadcast", "--rpc-url", url, "--private-key", ADMIN_KEY])
        .current_dir(&tools.contracts)
        .env("FOUNDRY_BROADCAST", records)
        .env("CSM_DOUBLE", "true")
        .env("DEPLOYMENT_FILE", file)
        .env("FIRST_OPERATOR_ID", first_operator_id.to_string())
        .env("GENERATE_FEE", GENERATE_FEE)
        .env("EXIT_FEE", EXIT_FEE)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
}
