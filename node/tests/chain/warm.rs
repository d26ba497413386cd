//! A node that comes back: from its cursor, and with a large registry.

use std::time::Instant;

use cluster_core::chain::{BlockRef, Entry, EventId, Hash32, Ledger, Position, PubkeyBytes, ValidatorFact};
use cluster_core::committee::OperatorId;
use cluster_crypto::ethereum::keccak256;
use cluster_crypto::seal::{Envelope, ENVELOPE_BYTES};
use cluster_node::store::Store;

use crate::anvil::{config, from_scratch, node_key, Anvil, Reader, CONTRACTS};
use crate::emit;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_goes_on_where_it_was_even_when_the_chain_changed_meanwhile() {
    let anvil = Anvil::start().await;
    let folder = tempfile::tempdir().unwrap();
    let config = config(vec![anvil.url.clone()]);
    for event in emit::set_up() {
        anvil.emit(&event).await;
    }
    let snapshot = anvil.snapshot().await;
    anvil.emit(&emit::registration(2, 1)).await;
    anvil.emit(&emit::removal(1)).await;
    let reader = Reader::resume(&config, folder.path()).await;
    reader.reaches(&anvil).await;
    let seen = reader.facts();
    reader.stop().await;

    let warm = Reader::resume(&config, folder.path()).await;
    assert_eq!(warm.facts(), seen, "before anything is asked");
    warm.stop().await;

    anvil.revert(&snapshot).await;
    anvil.emit(&emit::request(1)).await;
    anvil.mine(4).await;
    let back = Reader::resume(&config, folder.path()).await;
    back.reaches(&anvil).await;
    assert_eq!(back.facts(), from_scratch(&anvil).await);
    assert_ne!(back.facts(), seen);
    back.stop().await;
}

/// What a start costs is printed.
#[test]
fn ten_thousand_validators_are_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &node_key()).unwrap();
    let event = |at: u32| EventId {
        chain_id: CONTRACTS.chain_id,
        contract: CONTRACTS.network,
        transaction_hash: Hash32(keccak256(&at.to_be_bytes())),
        log_index: 0,
    };
    let validator = |at: u32| {
        let mut pubkey = [0x11; 48];
        pubkey[..4].copy_from_slice(&at.to_be_bytes());
        let fact = ValidatorFact {
            owner: emit::wallet(1).address(),
            operator_ids: (0..4).map(OperatorId).collect(),
            share_pubkeys: (0..4).map(|share| PubkeyBytes([share; 48])).collect(),
            envelopes: (0..4).map(|share| Envelope::from_bytes(&[share; ENVELOPE_BYTES]).unwrap()).collect(),
            paid_until_block: 1,
            registered_by: event(at),
            registered_at: Position { block_number: u64::from(at), block_log_index: 0 },
            removed_at: None,
        };
        Entry::Validator(PubkeyBytes(pubkey), Some(Box::new(fact)))
    };
    let tip = Some(BlockRef { number: 10_000, hash: Hash32([1; 32]) });
    let changes = (0..10_000).map(validator).collect();
    let commit = cluster_core::chain::Commit { tip, changes, record: None, dropped: vec![], unkept: vec![] };
    store.commit_chain(&CONTRACTS, &commit).unwrap();
    drop(store);
    let begun = Instant::now();
    let store = Store::open(folder.path(), &node_key()).unwrap();
    let state = store.chain_state().unwrap();
    let ledger = Ledger::restore(CONTRACTS, state.entries, state.records, state.cursor.unwrap().tip);
    eprintln!("10,000 validators are read back in {:?}", begun.elapsed());
    assert_eq!(ledger.facts().validators().len(), 10_000);
    assert_eq!(ledger.tip(), tip);
    assert_eq!(state.marks.len(), 10_000);
}
