//! The database: order, sealing, replay protection, versions, locks.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::Arc;

use cluster_core::committee::OperatorId;
use cluster_core::dkg::{Record, StoredShares};
use cluster_core::machine::Time;
use cluster_crypto::polynomial::SecretVector;
use cluster_crypto::{bls, identity, Secret, ShareIndex};
use cluster_node::store::{
    from_entry, to_entry, Begin, CeremonyEntry, CeremonyState, Journal, Store, StoreError, Table, SCHEMA_VERSION,
};
use common::{any_file_contains, World};
use rand_core::OsRng;

fn key() -> identity::SecretKey {
    identity::SecretKey::generate(&mut OsRng)
}

fn entry(world: &World, nonce: u64) -> CeremonyEntry {
    CeremonyEntry { request: world.request(1, nonce), state: CeremonyState::Open, started_ms: 1, updated_ms: 1 }
}

#[test]
fn a_journal_is_read_back_in_order_and_secrets_are_not_on_disk_in_clear() {
    let (world, key) = (World::new(4), key());
    let dir = tempfile::tempdir().unwrap();
    let seed = [0x5e; 32];
    let share = [0x1f; 32];
    let public = vec![0xab; 300];
    let validator = bls::SecretKey::generate(&mut OsRng).public_key();
    let ceremony_id = world.request(1, 1).ceremony_id();
    {
        let store = Arc::new(Store::open(dir.path(), &key).unwrap());
        let mut journal = Journal::open(Arc::clone(&store), ceremony_id).unwrap();
        let shares = StoredShares {
            ceremony_id,
            operator_id: OperatorId(2),
            share_index: ShareIndex::new(2).unwrap(),
            validators: vec![validator],
            share_pubkeys: vec![validator],
            shares: SecretVector::from_bytes(&share, 1).unwrap(),
            qualified: vec![(OperatorId(1), [7; 32])],
        };
        let records = [
            Record::Started { request: world.request(1, 1), now: Time(5), seed: Secret::new(seed), inherited: None },
            Record::Received { now: Time(6), from: OperatorId(1), bytes: public.clone() },
            Record::Shares(shares),
            Record::Deadline { now: Time(7) },
        ];
        for record in records {
            journal.append(&to_entry(record)).unwrap();
        }
        journal.flush().unwrap();
    }
    assert!(any_file_contains(dir.path(), &public), "the search would find what is stored in clear");
    assert!(!any_file_contains(dir.path(), &seed), "the seed is on disk in clear");
    assert!(!any_file_contains(dir.path(), &share), "a share is on disk in clear");

    let store = Arc::new(Store::open(dir.path(), &key).unwrap());
    assert!(store.has_shares(ceremony_id).unwrap());
    let journal = Journal::open(store, ceremony_id).unwrap();
    assert_eq!(journal.len(), 4);
    let records: Vec<Record> = journal.read().map(|entry| from_entry(entry.unwrap()).unwrap()).collect();
    let Record::Started { seed: read, now: Time(5), .. } = &records[0] else { panic!("{:?}", records[0]) };
    assert!(read.expose(|read| *read == seed));
    assert!(matches!(&records[1], Record::Received { now: Time(6), from: OperatorId(1), bytes } if *bytes == public));
    let Record::Shares(shares) = &records[2] else { panic!("{:?}", records[2]) };
    assert!(shares.shares.to_bytes().expose(|bytes| bytes.as_slice() == share));
    assert_eq!((shares.validators[0], shares.qualified.len()), (validator, 1));
    assert!(matches!(records[3], Record::Deadline { now: Time(7) }));
}

#[test]
fn journals_of_different_ceremonies_do_not_mix() {
    let (world, key) = (World::new(4), key());
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(dir.path(), &key).unwrap());
    let ids = [1, 2].map(|nonce| world.request(1, nonce).ceremony_id());
    for round in 0..300u64 {
        for id in ids {
            let mut journal = Journal::open(Arc::clone(&store), id).unwrap();
            journal.append(&to_entry(Record::Deadline { now: Time(round) })).unwrap();
        }
    }
    for id in ids {
        let journal = Journal::open(Arc::clone(&store), id).unwrap();
        let times: Vec<u64> = journal
            .read()
            .map(|entry| match from_entry(entry.unwrap()).unwrap() {
                Record::Deadline { now } => now.0,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(times, (0..300).collect::<Vec<_>>());
    }
}

#[test]
fn a_nonce_is_used_for_one_request_only_also_after_a_restart() {
    let (world, key) = (World::new(4), key());
    let dir = tempfile::tempdir().unwrap();
    let first = entry(&world, 1);
    let first_id = first.request.ceremony_id();
    {
        let store = Store::open(dir.path(), &key).unwrap();
        assert_eq!(store.begin_ceremony(first_id, &first).unwrap(), Begin::New);
        store.set_ceremony_state(first_id, CeremonyState::Incomplete, 2).unwrap();
    }
    let store = Store::open(dir.path(), &key).unwrap();
    assert_eq!(store.begin_ceremony(first_id, &first).unwrap(), Begin::Known(CeremonyState::Incomplete));
    let mut other = entry(&world, 1);
    other.request.request.validator_count = 9;
    let other_id = other.request.ceremony_id();
    let refused = store.begin_ceremony(other_id, &other).unwrap_err();
    assert!(matches!(refused, StoreError::NonceUsed { ceremony_id } if ceremony_id == first_id));
    assert!(store.ceremony(other_id).unwrap().is_none(), "a refused request leaves nothing behind");
}

#[test]
fn a_store_refuses_another_key_a_newer_layout_and_a_second_process_in_words() {
    let (key, other) = (key(), key());
    let dir = tempfile::tempdir().unwrap();
    let held = Store::open(dir.path(), &key).unwrap();
    let locked = Store::open(dir.path(), &key).unwrap_err();
    assert!(matches!(locked, StoreError::Locked { .. }), "{locked}");
    assert!(locked.to_string().contains("in use by another process"), "{locked}");
    drop(held);
    let wrong = Store::open(dir.path(), &other).unwrap_err();
    assert!(matches!(wrong, StoreError::OtherKey { .. }), "{wrong}");
    assert!(wrong.to_string().contains("belongs to another key"), "{wrong}");
    {
        let db = sled::open(dir.path().join("db")).unwrap();
        db.open_tree("meta").unwrap().insert(b"schema_version", &(SCHEMA_VERSION + 1).to_le_bytes()).unwrap();
        db.flush().unwrap();
    }
    let newer = Store::open(dir.path(), &key).unwrap_err();
    assert!(matches!(newer, StoreError::Newer { found, .. } if found == SCHEMA_VERSION + 1), "{newer}");
    assert!(newer.to_string().contains("newer version"), "{newer}");
}

#[test]
fn shares_moved_to_another_ceremony_do_not_open() {
    let (world, key) = (World::new(4), key());
    let dir = tempfile::tempdir().unwrap();
    let ids = [1, 2].map(|nonce| world.request(1, nonce).ceremony_id());
    {
        let store = Arc::new(Store::open(dir.path(), &key).unwrap());
        for id in ids {
            let mut journal = Journal::open(Arc::clone(&store), id).unwrap();
            let seed = Record::Started {
                request: world.request(1, 1),
                now: Time(5),
                seed: Secret::new([9; 32]),
                inherited: None,
            };
            journal.append(&to_entry(seed)).unwrap();
        }
        store.flush().unwrap();
    }
    {
        let db = sled::open(dir.path().join("db")).unwrap();
        let journal = db.open_tree("journal").unwrap();
        let at = |id: &cluster_core::ceremony::CeremonyId| [id.as_bytes().as_slice(), &[0; 8]].concat();
        let foreign = journal.get(at(&ids[0])).unwrap().unwrap();
        journal.insert(at(&ids[1]), foreign).unwrap();
        db.flush().unwrap();
    }
    let store = Arc::new(Store::open(dir.path(), &key).unwrap());
    assert!(Journal::open(Arc::clone(&store), ids[0]).unwrap().read().all(|entry| entry.is_ok()));
    let moved = Journal::open(store, ids[1]).unwrap().read().next().unwrap();
    assert!(matches!(moved, Err(StoreError::Seal(_))), "{moved:?}");
}

#[test]
fn a_closed_store_writes_nothing_more() {
    let (world, key) = (World::new(4), key());
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(dir.path(), &key).unwrap());
    let id = world.request(1, 1).ceremony_id();
    let mut journal = Journal::open(Arc::clone(&store), id).unwrap();
    store.close();
    let refused = [
        journal.append(&to_entry(Record::Deadline { now: Time(1) })),
        journal.flush(),
        store.put(Table::Outbox, b"key", b"value"),
        store.begin_ceremony(id, &entry(&world, 1)).map(|_| ()),
    ];
    assert!(refused.iter().all(|result| matches!(result, Err(StoreError::Closed))), "{refused:?}");
}
