//! A running service that reads a chain of its own.

use super::anvil::{self, Anvil, Network, Receipt};
use super::world::{Answer, Database, World, NOW_S};
use alloy_primitives::{Bytes, U256};
use alloy_sol_types::SolEvent;
use cluster_core::certificate::Certificate;
use cluster_core::committee::OperatorId;
use cluster_core::request::SignedRequest;
use cluster_crypto::ethereum::Address;
use cluster_crypto::identity;
use cluster_service::chain::csm::abi::{DepositContract, ExitBus, Module};
use cluster_service::Config;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use reqwest::Method;
use serde_json::{json, Value};
use std::collections::BTreeMap;

pub const ADMIN: Address = Address([0xad; 20]);
/// Owner of all operators; the contracts let no owner of operators own validators.
pub const OPERATORS_OWNER: Address = Address([0x0f; 20]);
/// Lido's contracts of the tests: they emit what they are told to.
pub const MODULE: Address = Address([0xc5; 20]);
pub const EXIT_BUS: Address = Address([0xeb; 20]);
pub const DEPOSIT_CONTRACT: Address = Address([0xde; 20]);
pub const CONFIRMATIONS: u64 = 2;
const MODULE_ID: u64 = 4;

pub struct ChainWorld {
    pub world: World,
    pub anvil: Anvil,
    pub network: Network,
}

impl ChainWorld {
    pub async fn start(database: Database) -> Self {
        Self::start_with(database, |_, _| {}).await
    }

    /// Five operators with ids from 0, owner A's cluster node, and a service that reads it all.
    pub async fn start_with(database: Database, change: impl FnOnce(&mut Config, &Anvil)) -> Self {
        let anvil = Anvil::start(NOW_S).await;
        let network = anvil.deploy_network(ADMIN, 0).await;
        for echo in [MODULE, EXIT_BUS, DEPOSIT_CONTRACT] {
            anvil.make_echo(echo).await;
        }
        let mut rng = ChaCha20Rng::seed_from_u64(99);
        let mut operators = BTreeMap::new();
        for id in 0..5 {
            let key = identity::SecretKey::generate(&mut rng);
            let call = anvil::registerOperatorCall {
                owner: anvil::sol_address(OPERATORS_OWNER),
                name: format!("Operator {id}"),
                publicKey: Bytes::copy_from_slice(&key.public_key().to_bytes()),
            };
            anvil.call(OPERATORS_OWNER, network.network, &call, U256::ZERO).await;
            operators.insert(OperatorId(id), key);
        }
        let settings = |config: &mut Config| {
            let chain = &mut config.chain;
            chain.rpc_urls = vec![anvil.url.clone()];
            (chain.confirmations, chain.poll_ms, chain.timeout_ms) = (CONFIRMATIONS, 50, 5_000);
            chain.registry_contract = Some(network.registry);
            chain.network_contract = Some(network.network);
            chain.cluster_node_contract = Some(network.cluster_node);
            chain.operator_config_contract = Some(network.operator_config);
            chain.csm_module = Some(MODULE);
            chain.csm_module_id = Some(MODULE_ID);
            chain.lido_exit_bus = Some(EXIT_BUS);
            chain.deposit_contract = Some(DEPOSIT_CONTRACT);
            change(config, &anvil);
        };
        let mut world = World::start_with(database, settings).await;
        world.operators = operators;
        let this = Self { world, anvil, network };
        let key = this.world.gateways[0].public_key().to_bytes();
        let call = anvil::registerClusterNodeCall { clusterNodePublicKey: Bytes::copy_from_slice(&key) };
        this.as_owner(0, this.network.cluster_node, &call, U256::ZERO).await;
        this.catch_up().await;
        this
    }

    pub fn owner(&self, wallet: usize) -> Address {
        self.world.wallets[wallet].address()
    }

    /// A transaction of this wallet.
    pub async fn as_owner<C: alloy_sol_types::SolCall>(
        &self,
        wallet: usize,
        to: Address,
        call: &C,
        value: U256,
    ) -> Receipt {
        self.anvil.call(self.owner(wallet), to, call, value).await
    }

    /// Makes blocks until everything so far has its confirmations, and waits for the service to have read it.
    pub async fn catch_up(&self) {
        let wanted = self.anvil.head().await;
        self.anvil.mine(CONFIRMATIONS).await;
        self.wait_until_read(wanted).await;
    }

    pub async fn wait_until_read(&self, block: u64) {
        let wait = async {
            loop {
                let info = self.world.get("/v1/chain").await.json();
                if info["read_block"].as_u64().is_some_and(|read| read >= block) && info["caught_up"] == true {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        let waited = tokio::time::timeout(std::time::Duration::from_secs(60), wait).await;
        assert!(waited.is_ok(), "block {block} was not read: {}", self.world.get("/v1/chain").await.text);
    }

    /// Owner A asks for validators of operators 0 to 3, by a transaction.
    pub async fn ask(&self, validator_count: u64) -> Receipt {
        let owner = &self.world.wallets[0];
        let call = anvil::generateDepositDataCall {
            clusterNodePublicKey: Bytes::copy_from_slice(&self.world.gateways[0].public_key().to_bytes()),
            owner: anvil::sol_address(owner.address()),
            ownerPubkey: Bytes::copy_from_slice(&owner.public_key_uncompressed()),
            validatorCount: U256::from(validator_count),
            operatorIds: vec![0, 1, 2, 3],
            depositAmount: U256::from(32_000_000_000_000_000_000u128),
            withdrawAddress: anvil::sol_address(Address([0x77; 20])),
        };
        self.as_owner(0, self.network.cluster_node, &call, U256::ZERO).await
    }

    /// The requests that a gateway is given.
    pub async fn open_requests(&self) -> Vec<SignedRequest> {
        let call = self.world.gateway_call(0, Method::GET, "/v1/gateway/requests", String::new());
        let answer = Answer::of(call).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        serde_json::from_value(answer.json()["requests"].clone()).unwrap()
    }

    /// Asks, makes the keys and publishes them; the transaction of the request and the certificate.
    pub async fn make_validators(&self, count: u64) -> (Receipt, Certificate) {
        let receipt = self.ask(count).await;
        self.catch_up().await;
        let request = self.open_requests().await.pop().expect("a request");
        let certificate = self.world.certificate(&request, receipt.block_number);
        let published = self.world.publish(0, &certificate).await;
        assert_eq!(published.status, 201, "{}", published.text);
        (receipt, certificate)
    }

    /// Registers a validator of a certificate in the network.
    pub async fn register(&self, certificate: &Certificate, at: usize) -> Receipt {
        let validator = &certificate.transcript.validators[at];
        let amount = U256::from(110u64 * 4 * 1000);
        let call = anvil::registerValidatorCall {
            owner: anvil::sol_address(self.owner(0)),
            publicKey: Bytes::copy_from_slice(&validator.pubkey.to_bytes()),
            operatorIds: vec![0, 1, 2, 3],
            sharesPublicKeys: validator
                .share_pubkeys
                .iter()
                .map(|key| Bytes::copy_from_slice(&key.to_bytes()))
                .collect(),
            sharesEncrypted: certificate
                .attestations
                .iter()
                .map(|attestation| Bytes::copy_from_slice(&attestation.envelopes[at].to_bytes()))
                .collect(),
            amount,
        };
        self.as_owner(0, self.network.network, &call, amount).await
    }

    pub async fn remove(&self, pubkey: &[u8; 48]) -> Receipt {
        let call = anvil::removeValidatorCall { publicKeys: vec![Bytes::copy_from_slice(pubkey)] };
        self.as_owner(0, self.network.network, &call, U256::ZERO).await
    }

    /// Orders the exit of validators.
    pub async fn exit(&self, pubkeys: &[[u8; 48]]) -> Receipt {
        let call = anvil::generateExitDataCall {
            clusterNodePublicKey: Bytes::copy_from_slice(&self.world.gateways[0].public_key().to_bytes()),
            validatorPubKeys: pubkeys.iter().map(|key| Bytes::copy_from_slice(key)).collect(),
            activeEpoch: U256::from(7),
        };
        self.as_owner(0, self.network.cluster_node, &call, U256::ZERO).await
    }

    /// CSM gets a node operator.
    pub async fn csm_operator(&self, id: u64, manager: Address, reward: Address) -> Receipt {
        let event = Module::NodeOperatorAdded {
            nodeOperatorId: U256::from(id),
            managerAddress: anvil::sol_address(manager),
            rewardAddress: anvil::sol_address(reward),
            extendedManagerPermissions: false,
        };
        self.emit(MODULE, &event).await
    }

    /// A node operator of CSM submits a key.
    pub async fn csm_key(&self, id: u64, pubkey: &[u8]) -> Receipt {
        let event = Module::SigningKeyAdded { nodeOperatorId: U256::from(id), pubkey: Bytes::copy_from_slice(pubkey) };
        self.emit(MODULE, &event).await
    }

    /// Somebody deposits.
    pub async fn deposit(&self, pubkey: &[u8; 48], withdrawal_address: Address) -> Receipt {
        let credentials = [vec![1], vec![0; 11], withdrawal_address.0.to_vec()].concat();
        let event = DepositContract::DepositEvent {
            pubkey: Bytes::copy_from_slice(pubkey),
            withdrawal_credentials: credentials.into(),
            amount: Bytes::copy_from_slice(&32_000_000_000u64.to_le_bytes()),
            signature: Bytes::from(vec![7; 96]),
            index: Bytes::from(vec![0; 8]),
        };
        self.emit(DEPOSIT_CONTRACT, &event).await
    }

    /// Lido asks for an exit of a validator of this module.
    pub async fn lido_exit_request(&self, module: u64, id: u64, pubkey: &[u8; 48]) -> Receipt {
        let event = ExitBus::ValidatorExitRequest {
            stakingModuleId: U256::from(module),
            nodeOperatorId: U256::from(id),
            validatorIndex: U256::from(5),
            validatorPubkey: Bytes::copy_from_slice(pubkey),
            timestamp: U256::from(NOW_S),
        };
        self.emit(EXIT_BUS, &event).await
    }

    pub async fn emit(&self, echo: Address, event: &impl SolEvent) -> Receipt {
        let topics: Vec<[u8; 32]> = event.encode_topics().iter().map(|topic| topic.0 .0).collect();
        self.anvil.emit(echo, &topics, &event.encode_data()).await
    }

    pub async fn update(&self, wallet: usize, rows: Value) -> Answer {
        self.world.legacy(wallet, Method::POST, "/server/validator/update", &rows).await
    }

    /// The rows of owner A in the existing API.
    pub async fn rows(&self) -> Value {
        let filter = json!({ "pubkey": "", "status": "", "generate_txid": "", "register_txid": "", "deposit_txid": "", "exit_txid": "" });
        self.world.legacy(0, Method::POST, "/server/validator/query", &filter).await.data()
    }

    /// Facts of one validator of owner A.
    pub async fn facts(&self, pubkey: &str) -> Value {
        let token = self.world.login(0).await;
        let answer = self.world.get_as(&token, &format!("/v1/validators/{pubkey}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["facts"].clone()
    }
}
