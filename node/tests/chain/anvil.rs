//! An anvil of the test's own, with a contract double at each of the four addresses.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use alloy_primitives::U256;
use cluster_core::chain::{double, Contracts, Facts, Hash32};
use cluster_crypto::ethereum::Address;
use cluster_crypto::identity;
use cluster_node::chain::{self, ChainMetrics, ChainView};
use cluster_node::config::ChainConfig;
use cluster_node::metrics::Metrics;
use cluster_node::store::Store;
use serde_json::{json, Value};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub const CONTRACTS: Contracts = Contracts {
    chain_id: 560_048,
    registry: Address([0xa1; 20]),
    network: Address([0xa2; 20]),
    cluster_node: Address([0xa3; 20]),
    operator_config: Address([0xa4; 20]),
};
/// Genesis of the test's chain: long ago, so that its blocks count as old.
pub const GENESIS_S: u64 = 1_700_000_000;
const VARIABLE: &str = "CLUSTER_ANVIL";
/// How long anything here may take; a correct run waits for events and never this long.
pub const PATIENCE: Duration = Duration::from_secs(120);

fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os(VARIABLE) {
        return path.into();
    }
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let installed = format!("../contracts/node_modules/@foundry-rs/anvil-linux-{architecture}/bin/anvil");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(installed);
    assert!(path.exists(), "anvil is not installed in {}; run `make setup`, or name it in {VARIABLE}", path.display());
    path
}

/// Kills anvil when dropped.
pub struct Anvil {
    process: Child,
    pub url: String,
    pub ws: String,
    http: reqwest::Client,
    from: String,
}

impl Drop for Anvil {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Anvil {
    pub async fn start() -> Self {
        Self::start_at(GENESIS_S).await
    }

    /// With a first block of this time, in unix seconds.
    pub async fn start_at(timestamp_s: u64) -> Self {
        let mut process = Command::new(binary())
            .args(["--port", "0", "--chain-id", "560048", "--accounts", "1", "--timestamp", &timestamp_s.to_string()])
            .args(["--gas-limit", "100000000", "--base-fee", "0", "--gas-price", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut url = None;
        let mut lines = lines.map_while(Result::ok);
        for line in lines.by_ref() {
            if let Some(address) = line.strip_prefix("Listening on ") {
                url = Some(address.trim().to_owned());
                break;
            }
        }
        // The rest of its output goes nowhere, and must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let address = url.expect("anvil listens");
        let (url, ws) = (format!("http://{address}"), format!("ws://{address}"));
        let mut anvil = Self { process, url, ws, http: reqwest::Client::new(), from: String::new() };
        anvil.from = anvil.call("eth_accounts", json!([])).await[0].as_str().unwrap().to_owned();
        for contract in CONTRACTS.addresses() {
            let code = format!("0x{}", hex::encode(double::code()));
            anvil.call("anvil_setCode", json!([contract.to_string(), code])).await;
        }
        anvil
    }

    pub async fn call(&self, method: &str, params: Value) -> Value {
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let response = self.http.post(&self.url).json(&call).send().await.unwrap();
        let reply: Value = response.json().await.unwrap();
        assert!(reply.get("error").is_none(), "{method}: {reply}");
        reply["result"].clone()
    }

    /// A transaction whose contract emits this; mined in a block of its own.
    pub async fn emit(&self, (contract, topics, data): &crate::emit::Emitted) -> Hash32 {
        let input = format!("0x{}", hex::encode(double::call_data(topics, data)));
        let transaction = json!({ "from": self.from, "to": contract.to_string(), "input": input, "gas": "0x4c4b40" });
        let hash = self.call("eth_sendTransaction", json!([transaction])).await;
        let receipt = self.receipt(&hash).await;
        assert_eq!(receipt["status"], "0x1", "{receipt}");
        hash_of(&receipt)
    }

    /// A transaction of anybody, whom anvil impersonates, to a contract or to make one; its receipt.
    pub async fn send(&self, from: Address, to: Option<Address>, data: Vec<u8>, value: U256) -> Value {
        let from = from.to_string();
        self.call("anvil_impersonateAccount", json!([from])).await;
        self.call("anvil_setBalance", json!([from, "0xffffffffffffffffffff"])).await;
        let mut transaction = json!({
            "from": from,
            "data": format!("0x{}", hex::encode(data)),
            "value": format!("{value:#x}"),
            "gas": "0xf42400",
        });
        if let Some(to) = to {
            transaction["to"] = json!(to.to_string());
        }
        let hash = self.call("eth_sendTransaction", json!([transaction])).await;
        self.receipt(&hash).await
    }

    /// A transaction is mined at once; the answer to its sender does not wait for that.
    pub async fn receipt(&self, hash: &Value) -> Value {
        loop {
            let receipt = self.call("eth_getTransactionReceipt", json!([hash])).await;
            if !receipt.is_null() {
                return receipt;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub async fn mine(&self, blocks: u64) {
        self.call("anvil_mine", json!([format!("{blocks:#x}")])).await;
    }

    pub async fn snapshot(&self) -> Value {
        self.call("evm_snapshot", json!([])).await
    }

    pub async fn revert(&self, snapshot: &Value) {
        assert_eq!(self.call("evm_revert", json!([snapshot])).await, true);
    }

    /// Number and hash of the head.
    pub async fn head(&self) -> (u64, String) {
        let block = self.call("eth_getBlockByNumber", json!(["latest", false])).await;
        let number = u64::from_str_radix(block["number"].as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
        (number, block["hash"].as_str().unwrap().to_owned())
    }
}

pub fn hash_of(receipt: &Value) -> Hash32 {
    let bytes = hex::decode(receipt["transactionHash"].as_str().unwrap().trim_start_matches("0x")).unwrap();
    Hash32(bytes.try_into().unwrap())
}

/// Waits for what another task brings about.
pub async fn until(what: &str, there: impl Fn() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !there() {
        assert!(Instant::now() < give_up, "never saw: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A reader with a database of its own.
pub struct Reader {
    pub view: ChainView,
    pub metrics: ChainMetrics,
    stop: CancellationToken,
    tasks: TaskTracker,
    _folder: Option<tempfile::TempDir>,
}

pub fn config(urls: Vec<String>) -> ChainConfig {
    config_for(urls, &CONTRACTS)
}

pub fn config_for(urls: Vec<String>, contracts: &Contracts) -> ChainConfig {
    ChainConfig {
        urls,
        registry: contracts.registry.to_string(),
        network_contract: contracts.network.to_string(),
        cluster_node: contracts.cluster_node.to_string(),
        operator_config: contracts.operator_config.to_string(),
        confirmations: 0,
        poll_ms: 100,
        timeout_ms: 5_000,
        ..ChainConfig::default()
    }
}

pub fn node_key() -> identity::SecretKey {
    identity::SecretKey::from_bytes(&[7; 32]).unwrap()
}

impl Reader {
    pub async fn start(config: &ChainConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let reader = Self::resume(config, folder.path()).await;
        Self { _folder: Some(folder), ..reader }
    }

    /// On a database that was left behind.
    pub async fn resume(config: &ChainConfig, folder: &std::path::Path) -> Self {
        Self::resume_as(config, folder, &node_key()).await
    }

    /// On the database of the node with this key.
    pub async fn resume_as(config: &ChainConfig, folder: &std::path::Path, key: &identity::SecretKey) -> Self {
        let store = Arc::new(Store::open(folder, key).unwrap());
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let metrics = ChainMetrics::new(&Metrics::new());
        let view = chain::start(config, &store, &metrics, &stop, &tasks).await.unwrap();
        Self { view, metrics, stop, tasks, _folder: None }
    }

    /// Waits until the reader has the head of this chain.
    pub async fn reaches(&self, anvil: &Anvil) {
        let (number, hash) = anvil.head().await;
        let mut status = self.view.status();
        let there = status.wait_for(|status| status.tip.is_some_and(|tip| tip.hash.to_string() == hash));
        let waited = tokio::time::timeout(PATIENCE, there).await.map(drop);
        assert!(waited.is_ok(), "block {number} {hash} is not reached: {:?}", *self.view.status().borrow());
    }

    pub fn facts(&self) -> Facts {
        self.view.with(Clone::clone)
    }

    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// The chain read from scratch by another reader: what it says now.
pub async fn from_scratch(anvil: &Anvil) -> Facts {
    let reader = Reader::start(&config(vec![anvil.url.clone()])).await;
    reader.reaches(anvil).await;
    let facts = reader.facts();
    reader.stop().await;
    facts
}
