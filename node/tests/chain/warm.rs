//! A node that comes back: from its cursor, and with a large registry.

use std::time::Instant;

use cluster_core::chain::{BlockRef, Commit, Entry, EventId, Hash32, Ledger, Position, PubkeyBytes, ValidatorFact};
use cluster_core::committee::OperatorId;
use cluster_crypto::ethereum::keccak256;
use cluster_crypto::polynomial::Polynomials;
use cluster_crypto::seal::{Envelope, ENVELOPE_BYTES};
use cluster_crypto::{bls, ShareIndex, Threshold};
use cluster_node::driver::Hooks;
use cluster_node::service_client::now_ms;
use cluster_node::store::{Source, Store, ValidatorEntry, DEFAULT_GAS_LIMIT};
use rand_core::OsRng;

use crate::anvil::{config, from_scratch, node_key, until, Anvil, Reader, CONTRACTS};
use crate::common::World;
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

/// As many as the contracts allow one operator.
const OWN: usize = 2_000;

/// The commit of 10,000 registrations, of which the first [`OWN`] are with operators 1 to 4.
fn registrations(tip: Option<BlockRef>, own: &[bls::PublicKey]) -> Commit {
    let event = |at: u32| EventId {
        chain_id: CONTRACTS.chain_id,
        contract: CONTRACTS.network,
        transaction_hash: Hash32(keccak256(&at.to_be_bytes())),
        log_index: 0,
    };
    let validator = |at: u32| {
        let (pubkey, first) = match own.get(at as usize) {
            Some(key) => (PubkeyBytes::from(key), 1),
            None => {
                let mut pubkey = [0x11; 48];
                pubkey[..4].copy_from_slice(&at.to_be_bytes());
                (PubkeyBytes(pubkey), 2)
            }
        };
        let fact = ValidatorFact {
            owner: emit::wallet(1).address(),
            operator_ids: (first..first + 4).map(OperatorId).collect(),
            share_pubkeys: (0..4).map(|share| PubkeyBytes([share; 48])).collect(),
            envelopes: (0..4).map(|share| Envelope::from_bytes(&[share; ENVELOPE_BYTES]).unwrap()).collect(),
            paid_until_block: 10_000_000,
            registered_by: event(at),
            registered_at: Position { block_number: u64::from(at), block_log_index: 0 },
            removed_at: None,
        };
        Entry::Validator(pubkey, Some(Box::new(fact)))
    };
    Commit { tip, changes: (0..10_000).map(validator).collect(), record: None, dropped: vec![], unkept: vec![] }
}

/// The validators of operator 1, as it holds them when their registration was acted on.
fn own_validators(world: &World) -> Vec<ValidatorEntry> {
    let size = Threshold::for_operators(4).unwrap();
    let commitments = Polynomials::sample(OWN, size, &mut OsRng).commit();
    let by_index: Vec<Vec<bls::PublicKey>> = ShareIndex::all(size).map(|index| commitments.share_keys(index)).collect();
    let owner = emit::wallet(1).address();
    let entry = |(at, pubkey): (usize, bls::PublicKey)| ValidatorEntry {
        pubkey,
        source: Source::Registered([1; 32]),
        position: u32::try_from(at).unwrap(),
        owner: Some(owner),
        committee: world.keys.iter().take(4).map(|(id, key)| (*id, key.public_key())).collect(),
        share_index: ShareIndex::new(1).unwrap(),
        share_pubkeys: by_index.iter().map(|keys| keys[at]).collect(),
        withdrawal_address: None,
        fee_recipient: owner,
        gas_limit: DEFAULT_GAS_LIMIT,
        active: true,
    };
    commitments.group_keys().into_iter().enumerate().map(entry).collect()
}

#[test]
fn ten_thousand_validators_are_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &node_key()).unwrap();
    let tip = Some(BlockRef { number: 10_000, hash: Hash32([1; 32]) });
    store.commit_chain(&CONTRACTS, &registrations(tip, &[])).unwrap();
    drop(store);
    let store = Store::open(folder.path(), &node_key()).unwrap();
    let state = store.chain_state().unwrap();
    let ledger = Ledger::restore(CONTRACTS, state.entries, state.records, state.cursor.unwrap().tip);
    assert_eq!(ledger.facts().validators().len(), 10_000);
    assert_eq!(ledger.tip(), tip);
    assert_eq!(state.marks.len(), 10_000);
}

/// What a start costs is printed, for docs/benchmarks.md.
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_starts_from_its_cursor_with_ten_thousand_validators_in_the_registry() {
    let anvil = Anvil::start_at(now_ms() / 1_000).await;
    let mut world = World::new(5);
    world.chain = config(vec![anvil.url.clone()]);
    for (id, key) in &world.keys {
        anvil.emit(&emit::operator_with(id.0, &key.public_key())).await;
    }
    let me = OperatorId(1);
    let (folder, key) = (world.data_dir(me), &world.keys[&me]);
    let reader = Reader::resume_as(&world.chain, &folder, key).await;
    reader.reaches(&anvil).await;
    reader.stop().await;
    {
        let store = Store::open(&folder, key).unwrap();
        let own = own_validators(&world);
        own.iter().for_each(|entry| store.put_validator(entry).unwrap());
        let keys: Vec<bls::PublicKey> = own.iter().map(|entry| entry.pubkey).collect();
        let commit = registrations(store.chain_cursor().unwrap().unwrap().tip, &keys);
        store.commit_chain(&CONTRACTS, &commit).unwrap();
        // Everything was acted on before the node was stopped.
        store.clear_chain_marks(&store.chain_state().unwrap().marks).unwrap();
        store.flush().unwrap();
    }
    let begun = Instant::now();
    let operator = world.start_operator(me, Hooks::default()).await;
    let started = begun.elapsed();
    let shown = |line: &str| operator.metrics().text().lines().any(|shown| shown == line);
    until("it follows the chain", || shown(&format!("cluster_node_chain_validators {OWN}"))).await;
    let follows = begun.elapsed();
    let held = operator.validators().unwrap();
    let size: u64 =
        std::fs::read_dir(folder.join("db")).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    eprintln!("10,000 validators, {OWN} of them its own: started in {started:?}, follows the chain after {follows:?}; database {} kB", size / 1_000);
    assert!(held.len() == OWN && held.iter().all(|entry| entry.active), "nothing is taken from it");
    operator.shutdown().await;
}
