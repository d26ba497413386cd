//! Logs of the contracts, and what stores and peers hold of them.

use cluster_core::{
    chain::{decode, BlockRecord, BlockRef, Contract, Entry, EventId, Hash32, Ledger, Log},
    chain::{Contracts, Header},
    encoding::{decode as from_binary, encode},
};
use cluster_crypto::ethereum::{keccak256, Address};

use crate::world::assert_same;

const CONTRACTS: Contracts = Contracts {
    chain_id: 560_048,
    registry: Address([1; 20]),
    network: Address([2; 20]),
    cluster_node: Address([3; 20]),
    operator_config: Address([4; 20]),
};
const LIMIT: usize = 1 << 20;

/// First byte: the event; second: how many of the following words are topics beside it; the rest: data.
pub fn target(data: &[u8]) {
    if let Some(log) = log(data) {
        let contracts = [Contract::Registry, Contract::Network, Contract::ClusterNode, Contract::OperatorConfig];
        for contract in contracts {
            if let Err(error) = decode(contract, &log) {
                assert!(!error.to_string().is_empty());
            }
        }
        fold(&log);
    }
    if let Ok(entry) = from_binary::<Entry>(data, LIMIT) {
        assert_same(&encode(&entry), data);
        let mut facts = cluster_core::chain::Facts::default();
        let undo = facts.set(entry);
        let _ = facts.set(undo);
        assert_eq!(facts, cluster_core::chain::Facts::default(), "undone");
    }
    if let Ok(record) = from_binary::<BlockRecord>(data, LIMIT) {
        assert_same(&encode(&record), data);
    }
    let _ = serde_json::from_slice::<EventId>(data);
}

/// Taken in and taken back, by every contract: as if nothing had been.
fn fold(log: &Log) {
    let mut ledger = Ledger::new(CONTRACTS);
    let before = ledger.facts().clone();
    let header = Header { block: log.block, parent_hash: Hash32([0; 32]), time_s: 7 };
    let logs: Vec<Log> = CONTRACTS
        .addresses()
        .iter()
        .zip(0..)
        .map(|(contract, block_log_index)| Log { contract: *contract, block_log_index, ..log.clone() })
        .collect();
    ledger.append(&header, &logs);
    ledger.roll_back().expect("a block that was just taken in");
    assert_eq!(*ledger.facts(), before);
}

fn log(data: &[u8]) -> Option<Log> {
    let ([which, count], rest) = data.split_first_chunk::<2>()?;
    let topics = cluster_core::chain::abi::topics();
    let (_, first) = topics[usize::from(*which) % topics.len()];
    let count = usize::from(*count % 5);
    let (words, data) = rest.split_at_checked(32 * count)?;
    let mut all = vec![first];
    all.extend(words.chunks_exact(32).filter_map(|word| <[u8; 32]>::try_from(word).ok()));
    Some(Log {
        block: BlockRef { number: 1, hash: Hash32([9; 32]) },
        transaction_hash: Hash32([8; 32]),
        block_log_index: 0,
        contract: CONTRACTS.network,
        topics: all,
        data: data.to_vec(),
    })
}

/// A removal, a fee recipient and a verification, and an entry of a store.
pub fn seeds() -> Vec<Vec<u8>> {
    let word = |value: u8| {
        let mut word = [0u8; 32];
        word[31] = value;
        word
    };
    let event = EventId {
        chain_id: 560_048,
        contract: CONTRACTS.cluster_node,
        transaction_hash: Hash32(keccak256(b"transaction")),
        log_index: 1,
    };
    let removal = [&[7, 1][..], &word(9), &word(32), &word(48), &[5; 48], &[0; 16]].concat();
    let recipient = [&[10, 0][..], &word(9), &word(8)].concat();
    let verified = [&[9, 0][..], &word(9), &word(1), &word(1)].concat();
    let entry = Entry::FeeRecipient(Address([1; 20]), Some(Address([2; 20])));
    vec![removal, recipient, verified, encode(&entry), serde_json::to_vec(&event).expect("JSON")]
}
