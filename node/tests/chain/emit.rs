//! What the doubles are told to emit.

use alloy_sol_types::{private::U256, SolEvent};
use cluster_core::chain::abi;
use cluster_crypto::ethereum::{keccak256, Address, WalletKey};
use cluster_crypto::identity;
use cluster_node::service_client::now_ms;

use crate::anvil::{config, Anvil, CONTRACTS};
use crate::common::World;

/// Contract, topics and data.
pub type Emitted = (Address, Vec<[u8; 32]>, Vec<u8>);

/// Five operators and the owner's gateway, registered on a chain of their own that goes by the clock.
pub async fn five_operators() -> (Anvil, World) {
    let anvil = Anvil::start_at(now_ms() / 1_000).await;
    let mut world = World::new(5);
    world.chain = config(vec![anvil.url.clone()]);
    for (id, key) in &world.keys {
        anvil.emit(&operator_with(id.0, &key.public_key())).await;
    }
    anvil.emit(&cluster_node_with(&world.gateway_key.public_key(), &world.wallet)).await;
    (anvil, world)
}

pub fn emitted<E: SolEvent>(contract: Address, event: &E) -> Emitted {
    (contract, event.encode_topics().into_iter().map(|topic| topic.0 .0).collect(), event.encode_data())
}

pub fn wallet(seed: u8) -> WalletKey {
    WalletKey::from_bytes(&[seed; 32]).unwrap()
}

fn owner(seed: u8) -> alloy_primitives::Address {
    wallet(seed).address().0.into()
}

pub fn key(seed: u32) -> identity::PublicKey {
    identity::SecretKey::from_bytes(&keccak256(&seed.to_be_bytes())).unwrap().public_key()
}

pub fn operator(id: u32) -> Emitted {
    operator_with(id, &key(id))
}

pub fn operator_with(id: u32, key: &identity::PublicKey) -> Emitted {
    let event = abi::OperatorRegistration {
        id,
        name: format!("operator {id}"),
        ownerAddress: owner(9),
        publicKey: key.to_bytes().to_vec().into(),
    };
    emitted(CONTRACTS.network, &event)
}

pub fn cluster_node(seed: u32) -> Emitted {
    cluster_node_with(&key(seed), &wallet(1))
}

pub fn cluster_node_with(key: &identity::PublicKey, owner: &WalletKey) -> Emitted {
    let event = abi::ClusterNodeRegistration {
        owner: owner.address().0.into(),
        clusterNodePublicKey: key.to_bytes().to_vec().into(),
    };
    emitted(CONTRACTS.cluster_node, &event)
}

pub fn request(count: u64) -> Emitted {
    let event = abi::ValidatorDepositDataGeneration {
        clusterNodePublicKey: key(100).to_bytes().to_vec().into(),
        owner: owner(1),
        ownerPubkey: wallet(1).public_key_uncompressed().to_vec().into(),
        validatorCount: U256::from(count),
        operatorIds: vec![0, 1, 2, 3],
        depositAmount: U256::from(32_000_000_000_000_000_000u128),
        withdrawAddress: [0x77; 20].into(),
    };
    emitted(CONTRACTS.cluster_node, &event)
}

pub fn registration(pubkey: u8, first: u32) -> Emitted {
    let event = abi::ValidatorRegistration {
        ownerAddress: owner(1),
        publicKey: vec![pubkey; 48].into(),
        operatorIds: (first..first + 4).collect(),
        sharesPublicKeys: (0..4).map(|at| vec![at; 48].into()).collect(),
        encryptedKeys: (0..4).map(|at| vec![at; 93].into()).collect(),
        paidBlockNumber: U256::from(1_000),
    };
    emitted(CONTRACTS.network, &event)
}

pub fn removal(pubkey: u8) -> Emitted {
    let event = abi::ValidatorRemoval { ownerAddress: owner(1), publicKey: vec![pubkey; 48].into() };
    emitted(CONTRACTS.network, &event)
}

pub fn exit(pubkey: u8) -> Emitted {
    let event = abi::ValidatorExitDataGeneration {
        clusterNodePublicKey: key(100).to_bytes().to_vec().into(),
        owner: owner(1),
        validatorPubKeys: vec![vec![pubkey; 48].into()],
        activeEpoch: U256::from(3),
    };
    emitted(CONTRACTS.cluster_node, &event)
}

pub fn recipient(to: u8) -> Emitted {
    let event = abi::FeeRecipientAddressChanged { owner: owner(1), newAddress: [to; 20].into() };
    emitted(CONTRACTS.operator_config, &event)
}

/// Operators 0 to 7, a gateway, and validator 1.
pub fn set_up() -> Vec<Emitted> {
    let mut events: Vec<Emitted> = (0..8).map(operator).collect();
    events.push(cluster_node(100));
    events.push(registration(1, 0));
    events
}
