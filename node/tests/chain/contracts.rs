//! The whole path on the real contracts: transactions of operators and an owner, and what four operators and a gateway do.

use std::collections::BTreeMap;
use std::time::Duration;

use alloy_primitives::{Address as SolAddress, Bytes, U256};
use alloy_sol_types::{sol, SolCall, SolEvent, SolValue};
use cluster_core::ceremony::CeremonyId;
use cluster_core::certificate::Certificate;
use cluster_core::chain::{abi, Contracts, EventId};
use cluster_core::committee::OperatorId;
use cluster_crypto::ethereum::{keccak256, Address};
use cluster_node::driver::Hooks;
use cluster_node::operator::RunningOperator;
use cluster_node::service_client::now_ms;
use cluster_node::store::{CeremonyState, ValidatorEntry};
use rand_core::OsRng;
use serde_json::Value;

use crate::anvil::{self, Anvil};
use crate::common::{certificate_with, World};

sol! {
    function initialize(address registryAddress_, address token_, uint64 minimumBlocksValidatorPay_, uint64 _operatorFee) external;
    function grantRole(bytes32 role, address account) external;
    function registerOperator(address owner, string name, bytes publicKey) external returns (uint32 operatorId);
    function registerClusterNode(bytes clusterNodePublicKey) external;
    function generateDepositData(bytes clusterNodePublicKey, address owner, bytes ownerPubkey, uint256 validatorCount, uint32[] operatorIds, uint256 depositAmount, address withdrawAddress) external payable;
    function generateExitData(bytes clusterNodePublicKey, bytes[] validatorPubKeys, uint256 activeEpoch) external payable;
    function registerValidator(address owner, bytes publicKey, uint32[] operatorIds, bytes[] sharesPublicKeys, bytes[] sharesEncrypted, uint256 amount) external payable;
    function removeValidator(bytes[] publicKeys) external;
    function setFeeRecipientAddress(address recipient) external;
}

const ADMIN: Address = Address([0xad; 20]);
/// The contracts let no owner of operators own validators.
const OPERATORS_OWNER: Address = Address([0x0f; 20]);
const STRANGER: Address = Address([0x55; 20]);
const WITHDRAWAL: Address = Address([0x77; 20]);
/// Of all four operators and the network.
const PRICE_PER_BLOCK: u64 = 110 * 4;

fn sol_address(address: Address) -> SolAddress {
    address.0.into()
}

/// Code of a contract as it is deployed, from what forge compiled.
fn creation_code(name: &str) -> Vec<u8> {
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../contracts/out/{name}.sol/{name}.json"));
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|_| panic!("{} is missing; run `make setup` (it compiles the contracts)", path.display()));
    let artefact: Value = serde_json::from_str(&text).unwrap();
    hex::decode(artefact["bytecode"]["object"].as_str().unwrap().trim_start_matches("0x")).unwrap()
}

async fn deploy(anvil: &Anvil, name: &str, arguments: Vec<u8>) -> Address {
    let receipt = anvil.send(ADMIN, None, [creation_code(name), arguments].concat(), U256::ZERO).await;
    assert_eq!(receipt["status"], "0x1", "{name} cannot be deployed");
    receipt["contractAddress"].as_str().unwrap().parse().unwrap()
}

async fn call<C: SolCall>(anvil: &Anvil, from: Address, to: Address, call: &C, value: u64) -> Value {
    let receipt = anvil.send(from, Some(to), call.abi_encode(), U256::from(value)).await;
    assert_eq!(receipt["status"], "0x1", "{} failed: {receipt}", C::SIGNATURE);
    receipt
}

/// Everything behind proxies, as the deployment script does it. The first operator gets id 1.
async fn deploy_all(anvil: &Anvil) -> Contracts {
    let mut proxies = Vec::new();
    for (name, arguments) in [
        ("SafeStakeRegistry", U256::from(1).abi_encode()),
        ("SafeStakeNetwork", Vec::new()),
        ("SafeStakeClusterNode", Vec::new()),
        ("SafeStakeOperatorConfig", Vec::new()),
        ("SafeStakeStorage", Vec::new()),
    ] {
        let code = deploy(anvil, name, arguments).await;
        proxies.push(deploy(anvil, "ERC1967Proxy", (sol_address(code), Bytes::new()).abi_encode_params()).await);
    }
    let [registry, network, cluster_node, operator_config, storage] = proxies[..] else { unreachable!() };
    let initialize = initializeCall {
        registryAddress_: sol_address(registry),
        token_: SolAddress::ZERO,
        minimumBlocksValidatorPay_: 1,
        _operatorFee: 100,
    };
    call(anvil, ADMIN, network, &initialize, 0).await;
    // The others take one or two addresses, or nothing.
    let plain = |signature: &str, arguments: Vec<u8>| [&keccak256(signature.as_bytes())[..4], &arguments].concat();
    for (to, data) in [
        (
            cluster_node,
            plain("initialize(address,address)", (SolAddress::ZERO, sol_address(registry)).abi_encode_params()),
        ),
        (storage, plain("initialize()", Vec::new())),
        (operator_config, plain("initialize(address)", sol_address(storage).abi_encode())),
    ] {
        assert_eq!(anvil.send(ADMIN, Some(to), data, U256::ZERO).await["status"], "0x1");
    }
    let grant = grantRoleCall { role: keccak256(b"B").into(), account: sol_address(operator_config) };
    call(anvil, ADMIN, storage, &grant, 0).await;
    Contracts { chain_id: anvil::CONTRACTS.chain_id, registry, network, cluster_node, operator_config }
}

struct Stage {
    anvil: Anvil,
    contracts: Contracts,
    world: World,
}

impl Stage {
    /// The contracts, four operators and the owner's gateway, by transactions.
    async fn set() -> Self {
        let anvil = Anvil::start_at(now_ms() / 1_000).await;
        let contracts = deploy_all(&anvil).await;
        let mut world = World::new(4);
        world.chain = anvil::config_for(vec![anvil.url.clone()], &contracts);
        for (id, key) in &world.keys {
            let register = registerOperatorCall {
                owner: sol_address(OPERATORS_OWNER),
                name: format!("operator {id}"),
                publicKey: key.public_key().to_bytes().to_vec().into(),
            };
            call(&anvil, OPERATORS_OWNER, contracts.network, &register, 0).await;
        }
        let stage = Self { anvil, contracts, world };
        let register = registerClusterNodeCall { clusterNodePublicKey: stage.gateway_key() };
        call(&stage.anvil, stage.owner(), contracts.cluster_node, &register, 0).await;
        stage
    }

    fn owner(&self) -> Address {
        self.world.wallet.address()
    }

    fn gateway_key(&self) -> Bytes {
        self.world.gateway_key.public_key().to_bytes().to_vec().into()
    }

    fn operator_ids(&self) -> Vec<u32> {
        self.world.ids().iter().map(|id| id.0).collect()
    }

    /// The owner asks for validators; the event that says so.
    async fn ask(&self, count: u64) -> EventId {
        let ask = generateDepositDataCall {
            clusterNodePublicKey: self.gateway_key(),
            owner: sol_address(self.owner()),
            ownerPubkey: self.world.wallet.public_key_uncompressed().to_vec().into(),
            validatorCount: U256::from(count),
            operatorIds: self.operator_ids(),
            depositAmount: U256::from(32_000_000_000_000_000_000u128),
            withdrawAddress: sol_address(WITHDRAWAL),
        };
        let contract = self.contracts.cluster_node;
        let receipt = call(&self.anvil, self.owner(), contract, &ask, 0).await;
        let logs = receipt["logs"].as_array().unwrap();
        let ours: Vec<_> = logs.iter().filter(|log| log["address"].as_str().unwrap().parse() == Ok(contract)).collect();
        let topic = abi::ValidatorDepositDataGeneration::SIGNATURE_HASH.to_string();
        let position = ours.iter().position(|log| log["topics"][0] == topic.as_str()).unwrap();
        EventId {
            chain_id: self.contracts.chain_id,
            contract,
            transaction_hash: anvil::hash_of(&receipt),
            log_index: u32::try_from(position).unwrap(),
        }
    }

    /// The owner registers a validator of a certificate, paid for so many blocks.
    async fn register(&self, certificate: &Certificate, at: usize, blocks: u64) {
        let validator = &certificate.transcript.validators[at];
        let amount = PRICE_PER_BLOCK * blocks;
        let envelopes = certificate.attestations.iter().map(|attestation| &attestation.envelopes[at]);
        let register = registerValidatorCall {
            owner: sol_address(self.owner()),
            publicKey: validator.pubkey.to_bytes().to_vec().into(),
            operatorIds: self.operator_ids(),
            sharesPublicKeys: validator.share_pubkeys.iter().map(|key| key.to_bytes().to_vec().into()).collect(),
            sharesEncrypted: envelopes.map(|envelope| envelope.to_bytes().to_vec().into()).collect(),
            amount: U256::from(amount),
        };
        call(&self.anvil, self.owner(), self.contracts.network, &register, amount).await;
    }
}

/// Waits until every operator's validators are as wanted.
async fn until(
    operators: &BTreeMap<OperatorId, RunningOperator>,
    what: &str,
    wanted: impl Fn(&[ValidatorEntry]) -> bool,
) {
    for (id, operator) in operators {
        anvil::until(&format!("operator {id}: {what}"), || wanted(&operator.validators().unwrap())).await;
    }
}

fn entry<'a>(entries: &'a [ValidatorEntry], certificate: &Certificate, at: usize) -> &'a ValidatorEntry {
    let pubkey = certificate.transcript.validators[at].pubkey;
    entries.iter().find(|entry| entry.pubkey == pubkey).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_request_over_registration_to_removal_and_exit_by_the_owners_transactions() {
    let stage = Stage::set().await;
    let mut operators = BTreeMap::new();
    for id in stage.world.ids() {
        operators.insert(id, stage.world.start_operator(id, Hooks::default()).await);
    }
    let gateway = stage.world.start_gateway().await;
    stage.world.introduce(&operators, &gateway).await;

    // A transaction becomes a ceremony, under the id of its event, and nobody had to be asked.
    let event = stage.ask(2).await;
    let ceremony_id = CeremonyId::of_event(&event);
    let certificate = certificate_with(&gateway, ceremony_id, 4, Duration::from_secs(180)).await;
    certificate.verify(None, &mut OsRng).unwrap();
    assert_eq!((certificate.ceremony_id, certificate.transcript.validators.len()), (ceremony_id, 2));
    until(&operators, "two validators that wait for their registration", |entries| {
        entries.len() == 2 && entries.iter().all(|entry| !entry.active && entry.owner == Some(stage.owner()))
    })
    .await;

    // Registration begins duties. The first is paid for a long time, the second is not.
    stage.register(&certificate, 0, 1_000_000).await;
    stage.register(&certificate, 1, 5).await;
    until(&operators, "both are registered", |entries| entries.iter().all(|entry| entry.active)).await;

    // The owner's fee recipient counts, a stranger's does not.
    for (from, recipient) in [(stage.owner(), 0x99), (STRANGER, 0x66)] {
        let set = setFeeRecipientAddressCall { recipient: [recipient; 20].into() };
        call(&stage.anvil, from, stage.contracts.operator_config, &set, 0).await;
    }
    until(&operators, "the owner's fee recipient", |entries| {
        entries.iter().all(|entry| entry.fee_recipient == Address([0x99; 20]))
    })
    .await;

    // The end of a subscription is shown, and stops nothing.
    stage.anvil.mine(20).await;
    for operator in operators.values() {
        let shown = || operator.metrics().text().contains("chain_subscriptions_ending 1\n");
        anvil::until("the end of the subscription is shown", shown).await;
        assert!(entry(&operator.validators().unwrap(), &certificate, 1).active);
    }

    // One operator dies and comes back: nothing is lost and nothing begins again.
    let (dead, before) = (OperatorId(2), operators[&OperatorId(2)].validators().unwrap());
    operators.remove(&dead).unwrap().kill().await;
    let back = stage.world.start_operator(dead, Hooks::default()).await;
    assert_eq!(back.validators().unwrap(), before);
    assert_eq!(back.ceremony_state(ceremony_id).unwrap(), Some(CeremonyState::Ready));
    operators.insert(dead, back);
    stage.world.introduce(&operators, &gateway).await;

    // The owner takes one away, and lets the other leave.
    let keys: Vec<Bytes> =
        certificate.transcript.validators.iter().map(|validator| validator.pubkey.to_bytes().to_vec().into()).collect();
    let remove = removeValidatorCall { publicKeys: vec![keys[0].clone()] };
    let refused = stage.anvil.send(STRANGER, Some(stage.contracts.network), remove.abi_encode(), U256::ZERO).await;
    assert_eq!(refused["status"], "0x0", "the contract lets nobody else do it");
    call(&stage.anvil, stage.owner(), stage.contracts.network, &remove, 0).await;
    let exit = generateExitDataCall {
        clusterNodePublicKey: stage.gateway_key(),
        validatorPubKeys: vec![keys[1].clone()],
        activeEpoch: U256::from(3),
    };
    call(&stage.anvil, stage.owner(), stage.contracts.cluster_node, &exit, 0).await;
    until(&operators, "the first is not performed any more, the second is", |entries| {
        !entry(entries, &certificate, 0).active && entry(entries, &certificate, 1).active
    })
    .await;
    for (id, operator) in &operators {
        let ordered = || operator.exits().orders(now_ms() / 1_000).unwrap();
        anvil::until(&format!("operator {id} has the order to exit"), || ordered().len() == 1).await;
        let request = &ordered()[0].request;
        let second = certificate.transcript.validators[1].pubkey;
        assert_eq!((request.owner, request.pubkeys.as_slice()), (stage.owner(), &[second][..]));
        assert_eq!(operator.stats().open_ceremonies, 0, "one ceremony, once");
    }
    for operator in operators.into_values() {
        operator.shutdown().await;
    }
    gateway.shutdown().await;
}
