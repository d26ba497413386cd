//! A real EVM with the network's contracts on it, and contracts that say whatever a test wants.

use alloy_primitives::{Address as SolAddress, Bytes, U256};
use alloy_sol_types::{sol, SolCall, SolValue};
use cluster_core::chain::double;
use cluster_crypto::ethereum::Address;
use serde_json::{json, Value};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

sol! {
    function initialize(address registryAddress_, address token_, uint64 minimumBlocksValidatorPay_, uint64 _operatorFee) external;
    function grantRole(bytes32 role, address account) external;
    function registerOperator(address owner, string name, bytes publicKey) external returns (uint32 operatorId);
    function registerClusterNode(bytes clusterNodePublicKey) external;
    function generateDepositData(bytes clusterNodePublicKey, address owner, bytes ownerPubkey, uint256 validatorCount, uint32[] operatorIds, uint256 depositAmount, address withdrawAddress) external payable;
    function generateExitData(bytes clusterNodePublicKey, bytes[] validatorPubKeys, uint256 activeEpoch) external payable;
    function registerValidator(address owner, bytes publicKey, uint32[] operatorIds, bytes[] sharesPublicKeys, bytes[] sharesEncrypted, uint256 amount) external payable;
    function removeValidator(bytes[] publicKeys) external;
    function replaceValidator(bytes publicKey, uint32[] operatorIds, bytes[] sharesPublicKeys, bytes[] sharesEncrypted, uint256 amount) external payable;
    function setFeeRecipientAddress(address recipient) external;
    function setValidatorFeeRecipientAddress(bytes publicKey, address recipient) external;
}

/// Stops anvil when the standard input closes: that happens when the test process ends, however it ends.
const SCRIPT: &str = r#"
"$ANVIL" "$@" &
anvil=$!
trap 'kill $anvil' EXIT
cat >/dev/null
"#;

/// An EVM in a process of its own. One block per transaction.
pub struct Anvil {
    pub url: String,
    http: reqwest::Client,
    _shell: Child,
}

/// The network's contracts, behind their proxies.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    pub registry: Address,
    pub network: Address,
    pub cluster_node: Address,
    pub operator_config: Address,
}

/// A mined transaction.
#[derive(Clone, Debug)]
pub struct Receipt {
    pub tx_hash: String,
    pub block_number: u64,
    pub succeeded: bool,
    pub contract: Option<Address>,
    pub logs: usize,
}

fn contracts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../contracts")
}

/// Code of a contract as it is deployed, from what forge compiled.
fn creation_code(name: &str) -> Vec<u8> {
    let path = contracts().join(format!("out/{name}.sol/{name}.json"));
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|_| panic!("{} is missing; run 'make setup' (it compiles the contracts)", path.display()));
    let artefact: Value = serde_json::from_str(&text).unwrap();
    let code = artefact["bytecode"]["object"].as_str().unwrap();
    hex::decode(code.trim_start_matches("0x")).unwrap_or_else(|_| panic!("{name} has to be linked"))
}

/// A wallet of EIP-1271 that agrees to what `owner` signed; bytes after the first 65 of a signature are nobody's business.
pub fn wallet_code(owner: Address) -> Vec<u8> {
    let mut code = vec![
        0x60, 0x04, 0x35, 0x5f, 0x52, // mem[0] = hash
        0x60, 0xa4, 0x35, 0x60, 0xf8, 0x1c, 0x60, 0x20, 0x52, // mem[32] = v
        0x60, 0x64, 0x35, 0x60, 0x40, 0x52, // mem[64] = r
        0x60, 0x84, 0x35, 0x60, 0x60, 0x52, // mem[96] = s
        0x60, 0x20, 0x5f, 0x60, 0x80, 0x5f, 0x60, 0x01, 0x5a, 0xfa, 0x50, // mem[0] = ecrecover(mem[0..128])
        0x5f, 0x51, 0x73,
    ];
    code.extend(owner.0);
    let agree = code.len() + 7;
    code.extend([0x14, 0x60, agree as u8, 0x57, 0x5f, 0x5f, 0xfd]); // revert unless it is the owner
    code.extend([0x5b, 0x63, 0x16, 0x26, 0xba, 0x7e, 0x60, 0xe0, 0x1b, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3]);
    code
}

impl Anvil {
    /// On hoodi's chain id, with a first block at `timestamp_s`.
    pub async fn start(timestamp_s: u64) -> Self {
        let program = contracts().join("node_modules/.bin/anvil");
        assert!(program.exists(), "{} is missing; run 'make setup' (it installs anvil)", program.display());
        let timestamp = timestamp_s.to_string();
        let arguments =
            ["--port", "0", "--chain-id", "560048", "--timestamp", &timestamp, "--block-base-fee-per-gas", "0"];
        let mut child = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "anvil"])
            .args(arguments)
            .env("ANVIL", program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().expect("anvil ended").unwrap();
            if let Some(address) = line.trim().strip_prefix("Listening on ") {
                break address.to_owned();
            }
        };
        // Somebody has to read what it writes.
        std::thread::spawn(move || lines.for_each(drop));
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { url: format!("http://{address}"), http, _shell: child }
    }

    pub async fn rpc(&self, method: &str, params: Value) -> Value {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer = self.http.post(&self.url).json(&body).send().await.unwrap();
        let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// Sends as anybody: anvil signs for its own accounts, and for those that it impersonates.
    pub async fn send(&self, from: Address, to: Option<Address>, data: Vec<u8>, value: U256) -> Receipt {
        self.rpc("anvil_impersonateAccount", json!([from])).await;
        self.rpc("anvil_setBalance", json!([from, "0xffffffffffffffffffff"])).await;
        let mut transaction = json!({
            "from": from, "data": format!("0x{}", hex::encode(data)), "value": format!("{value:#x}"), "gas": "0xf42400",
        });
        if let Some(to) = to {
            transaction["to"] = json!(to);
        }
        let hash = self.rpc("eth_sendTransaction", json!([transaction])).await;
        let receipt = loop {
            // The transaction is mined at once, the answer to its sender does not wait for it.
            let receipt = self.rpc("eth_getTransactionReceipt", json!([hash])).await;
            if !receipt.is_null() {
                break receipt;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        };
        Receipt {
            tx_hash: hash.as_str().unwrap().to_owned(),
            block_number: number(&receipt["blockNumber"]),
            succeeded: receipt["status"] == "0x1",
            contract: receipt["contractAddress"].as_str().map(|text| text.parse().unwrap()),
            logs: receipt["logs"].as_array().unwrap().len(),
        }
    }

    /// Calls a function that must not fail.
    pub async fn call<C: SolCall>(&self, from: Address, to: Address, call: &C, value: U256) -> Receipt {
        let receipt = self.send(from, Some(to), call.abi_encode(), value).await;
        assert!(receipt.succeeded, "{} failed", C::SIGNATURE);
        receipt
    }

    pub async fn deploy(&self, from: Address, name: &str, arguments: Vec<u8>) -> Address {
        self.deploy_with(from, name, arguments, U256::ZERO).await
    }

    pub async fn deploy_with(&self, from: Address, name: &str, arguments: Vec<u8>, value: U256) -> Address {
        let code = [creation_code(name), arguments].concat();
        let receipt = self.send(from, None, code, value).await;
        assert!(receipt.succeeded, "{name} cannot be deployed");
        receipt.contract.unwrap()
    }

    /// The network's contracts with `first_operator_id` as the first id that is given.
    pub async fn deploy_network(&self, admin: Address, first_operator_id: u32) -> Network {
        let mut proxies = Vec::new();
        for (name, arguments) in [
            ("SafeStakeRegistry", U256::from(first_operator_id).abi_encode()),
            ("SafeStakeNetwork", Vec::new()),
            ("SafeStakeClusterNode", Vec::new()),
            ("SafeStakeOperatorConfig", Vec::new()),
            ("SafeStakeStorage", Vec::new()),
        ] {
            let code = self.deploy(admin, name, arguments).await;
            let arguments = (sol_address(code), Bytes::new()).abi_encode_params();
            proxies.push(self.deploy(admin, "ERC1967Proxy", arguments).await);
        }
        let [registry, network, cluster_node, operator_config, storage] = proxies[..] else { unreachable!() };
        let call = initializeCall {
            registryAddress_: sol_address(registry),
            token_: SolAddress::ZERO,
            minimumBlocksValidatorPay_: 1,
            _operatorFee: 100,
        };
        self.call(admin, network, &call, U256::ZERO).await;
        // The other three have one or two addresses as arguments.
        let plain = |signature: &str, arguments: Vec<u8>| {
            [&cluster_crypto::ethereum::keccak256(signature.as_bytes())[..4], &arguments].concat()
        };
        let token_and_registry = (SolAddress::ZERO, sol_address(registry)).abi_encode_params();
        for (to, data) in [
            (cluster_node, plain("initialize(address,address)", token_and_registry)),
            (storage, plain("initialize()", Vec::new())),
            (operator_config, plain("initialize(address)", sol_address(storage).abi_encode())),
        ] {
            assert!(self.send(admin, Some(to), data, U256::ZERO).await.succeeded);
        }
        let role = cluster_crypto::ethereum::keccak256(b"B").into();
        let call = grantRoleCall { role, account: sol_address(operator_config) };
        self.call(admin, storage, &call, U256::ZERO).await;
        Network { registry, network, cluster_node, operator_config }
    }

    /// From now on this address emits whatever it is called with.
    pub async fn make_echo(&self, address: Address) {
        self.rpc("anvil_setCode", json!([address, format!("0x{}", hex::encode(double::code()))])).await;
    }

    pub async fn set_code(&self, address: Address, code: &[u8]) {
        self.rpc("anvil_setCode", json!([address, format!("0x{}", hex::encode(code))])).await;
    }

    /// Makes an echo emit a log.
    pub async fn emit(&self, echo: Address, topics: &[[u8; 32]], data: &[u8]) -> Receipt {
        let call = double::call_data(topics, data);
        let receipt = self.send(Address([0xee; 20]), Some(echo), call, U256::ZERO).await;
        assert_eq!((receipt.succeeded, receipt.logs), (true, 1));
        receipt
    }

    pub async fn mine(&self, blocks: u64) {
        self.rpc("anvil_mine", json!([format!("{blocks:#x}")])).await;
    }

    pub async fn head(&self) -> u64 {
        number(&self.rpc("eth_blockNumber", json!([])).await)
    }

    pub async fn snapshot(&self) -> Value {
        self.rpc("evm_snapshot", json!([])).await
    }

    pub async fn revert(&self, snapshot: Value) {
        assert_eq!(self.rpc("evm_revert", json!([snapshot])).await, true);
    }
}

pub fn sol_address(address: Address) -> SolAddress {
    SolAddress::from(address.0)
}

fn number(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}
