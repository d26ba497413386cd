//! What the contracts emit, encoded by the ABI library, and a chain of blocks with it.
#![allow(non_snake_case)]

use alloy_sol_types::{private::U256, SolEvent};
use cluster_core::chain::{abi, BlockRef, Contracts, Hash32, Header, Log, PubkeyBytes};
use cluster_crypto::{
    ethereum::{keccak256, Address, WalletKey},
    identity,
};

pub const CHAIN: u64 = 560_048;
pub const CONTRACTS: Contracts = Contracts {
    chain_id: CHAIN,
    registry: Address([0xa1; 20]),
    network: Address([0xa2; 20]),
    cluster_node: Address([0xa3; 20]),
    operator_config: Address([0xa4; 20]),
};
const ETH: u128 = 1_000_000_000_000_000_000;

pub fn wallet(seed: u8) -> WalletKey {
    WalletKey::from_bytes(&[seed; 32]).unwrap()
}

pub fn identity(seed: u32) -> identity::PublicKey {
    let secret = keccak256(&seed.to_be_bytes());
    identity::SecretKey::from_bytes(&secret).unwrap().public_key()
}

pub fn pubkey(seed: u8) -> PubkeyBytes {
    PubkeyBytes([seed; 48])
}

/// Contract, topics and data of a log.
pub type Emitted = (Address, Vec<[u8; 32]>, Vec<u8>);

fn emit<E: SolEvent>(contract: Address, event: &E) -> Emitted {
    (contract, event.encode_topics().into_iter().map(|topic| topic.0 .0).collect(), event.encode_data())
}

fn address(address: Address) -> alloy_primitives::Address {
    alloy_primitives::Address::from(address.0)
}

pub fn operator(id: u32, owner: u8, key: &[u8]) -> Emitted {
    let (name, owner) = (format!("operator {id}"), address(wallet(owner).address()));
    let event = abi::OperatorRegistration { id, name, ownerAddress: owner, publicKey: key.to_vec().into() };
    emit(CONTRACTS.network, &event)
}

pub fn operator_removal(id: u32, owner: u8) -> Emitted {
    let event = abi::OperatorRemoval { operatorId: id, ownerAddress: address(wallet(owner).address()) };
    emit(CONTRACTS.registry, &event)
}

pub fn verified(owner: u8, from_dao: bool, verified: bool) -> Emitted {
    let event = abi::OperatorVerified { owner: address(wallet(owner).address()), fromDao: from_dao, verified };
    emit(CONTRACTS.registry, &event)
}

pub fn cluster_node(owner: u8, key: u32) -> Emitted {
    let clusterNodePublicKey = identity(key).to_bytes().to_vec().into();
    let owner = address(wallet(owner).address());
    emit(CONTRACTS.cluster_node, &abi::ClusterNodeRegistration { owner, clusterNodePublicKey })
}

pub fn switched(key: u32, active: bool) -> Emitted {
    let clusterNodePublicKey = identity(key).to_bytes().to_vec().into();
    emit(CONTRACTS.cluster_node, &abi::ClusterNodeActivity { clusterNodePublicKey, active })
}

/// The event of a request as a struct, to be changed before it is emitted.
pub fn request_event(owner: u8, node: u32, ids: &[u32], count: u64) -> abi::ValidatorDepositDataGeneration {
    let owner = wallet(owner);
    abi::ValidatorDepositDataGeneration {
        clusterNodePublicKey: identity(node).to_bytes().to_vec().into(),
        owner: address(owner.address()),
        ownerPubkey: owner.public_key_uncompressed().to_vec().into(),
        validatorCount: U256::from(count),
        operatorIds: ids.to_vec(),
        depositAmount: U256::from(32 * ETH),
        withdrawAddress: address(Address([0x77; 20])),
    }
}

pub fn emit_request(event: &abi::ValidatorDepositDataGeneration) -> Emitted {
    emit(CONTRACTS.cluster_node, event)
}

pub fn request(owner: u8, node: u32, ids: &[u32], count: u64) -> Emitted {
    emit_request(&request_event(owner, node, ids, count))
}

pub fn exit(owner: u8, node: u32, keys: &[Vec<u8>]) -> Emitted {
    let event = abi::ValidatorExitDataGeneration {
        clusterNodePublicKey: identity(node).to_bytes().to_vec().into(),
        owner: address(wallet(owner).address()),
        validatorPubKeys: keys.iter().map(|key| key.clone().into()).collect(),
        activeEpoch: U256::from(9),
    };
    emit(CONTRACTS.cluster_node, &event)
}

pub fn registration_event(owner: u8, key: u8, ids: &[u32], paid: u64) -> abi::ValidatorRegistration {
    let shares = |first: u8, length: usize| {
        let share = |at: usize| vec![first.wrapping_add(at as u8); length].into();
        (0..ids.len()).map(share).collect::<Vec<_>>()
    };
    abi::ValidatorRegistration {
        ownerAddress: address(wallet(owner).address()),
        publicKey: pubkey(key).0.to_vec().into(),
        operatorIds: ids.to_vec(),
        sharesPublicKeys: shares(key, 48),
        encryptedKeys: shares(key, 93),
        paidBlockNumber: U256::from(paid),
    }
}

pub fn emit_registration(event: &abi::ValidatorRegistration) -> Emitted {
    emit(CONTRACTS.network, event)
}

pub fn registration(owner: u8, key: u8, ids: &[u32], paid: u64) -> Emitted {
    emit_registration(&registration_event(owner, key, ids, paid))
}

pub fn removal(owner: u8, key: u8) -> Emitted {
    let publicKey = pubkey(key).0.to_vec().into();
    let event = abi::ValidatorRemoval { ownerAddress: address(wallet(owner).address()), publicKey };
    emit(CONTRACTS.network, &event)
}

pub fn paid(key: u8, until: u64) -> Emitted {
    let event = abi::OperatorTaskDetail {
        publicKey: pubkey(key).0.to_vec().into(),
        operatorFee: U256::from(1),
        payAmount: U256::from(2),
        startBlockNumber: U256::from(3),
        endBlockNumber: U256::from(until),
    };
    emit(CONTRACTS.network, &event)
}

pub fn recipient(owner: u8, to: u8) -> Emitted {
    let event = abi::FeeRecipientAddressChanged {
        owner: address(wallet(owner).address()),
        newAddress: address(Address([to; 20])),
    };
    emit(CONTRACTS.operator_config, &event)
}

pub fn validator_recipient(owner: u8, key: u8, to: u8) -> Emitted {
    let event = abi::ValidatorFeeRecipientAddressChanged {
        owner: address(wallet(owner).address()),
        publicKey: pubkey(key).0.to_vec().into(),
        newAddress: address(Address([to; 20])),
    };
    emit(CONTRACTS.operator_config, &event)
}

/// A transaction: a hash, and what the contracts emit in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Transaction {
    pub hash: Hash32,
    pub emits: Vec<Emitted>,
}

impl Transaction {
    pub fn new(seed: u64, emits: Vec<Emitted>) -> Self {
        Transaction { hash: Hash32(keccak256(&seed.to_be_bytes())), emits }
    }
}

#[derive(Clone, Debug)]
pub struct Block {
    pub header: Header,
    pub transactions: Vec<Transaction>,
}

impl Block {
    pub fn logs(&self) -> Vec<Log> {
        let emitted = self.transactions.iter().flat_map(|tx| tx.emits.iter().map(|emitted| (tx.hash, emitted)));
        let log = |(at, (transaction_hash, (contract, topics, data))): (usize, (Hash32, &Emitted))| Log {
            block: self.header.block,
            transaction_hash,
            block_log_index: at as u32,
            contract: *contract,
            topics: topics.clone(),
            data: data.clone(),
        };
        emitted.enumerate().map(log).collect()
    }
}

/// A chain from block 0.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    pub blocks: Vec<Block>,
}

impl Chain {
    /// Mines a block. `salt` makes blocks of different branches differ, and their times too.
    pub fn mine(&mut self, salt: u64, transactions: Vec<Transaction>) {
        let number = self.blocks.len() as u64;
        let parent_hash = self.blocks.last().map_or(Hash32::default(), |block| block.header.block.hash);
        let mut bytes = number.to_be_bytes().to_vec();
        bytes.extend(salt.to_be_bytes());
        bytes.extend(parent_hash.0);
        let block = BlockRef { number, hash: Hash32(keccak256(&bytes)) };
        let header = Header { block, parent_hash, time_s: 1_700_000_000 + 12 * number + salt % 7 };
        self.blocks.push(Block { header, transactions });
    }

    pub fn head(&self) -> u64 {
        self.blocks.len() as u64 - 1
    }
}
