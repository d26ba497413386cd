//! The database itself: what is recorded stays recorded, whatever happens in between.

use std::path::Path;
use std::sync::{Arc, Barrier, Mutex};

use cluster_core::beacon::{Epoch, Root, Slot};
use cluster_core::slashing::{Interchange, Refusal, SignedAttestation, SignedBlock, ValidatorHistory};
use cluster_crypto::{bls, identity, ShareIndex};
use cluster_node::store::{SlashingDb, Source, Store, StoreError, ValidatorEntry};
use rand_chacha::ChaCha20Rng;
use rand_core::{OsRng, RngCore, SeedableRng};

use super::{root, slashable, vote, CHAIN};

const ALICE: [u8; 48] = [0xa1; 48];
const BOB: [u8; 48] = [0xb2; 48];

type Shared<T> = Arc<Mutex<Vec<T>>>;

fn fresh() -> (tempfile::TempDir, SlashingDb) {
    let dir = tempfile::tempdir().unwrap();
    let database = SlashingDb::open(dir.path()).unwrap();
    database.pin_chain(CHAIN).unwrap();
    (dir, database)
}

fn copy_of(data_dir: &Path) -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            let to = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                copy(&entry.path(), &to);
            } else {
                std::fs::copy(entry.path(), to).unwrap();
            }
        }
    }
    let dir = tempfile::tempdir().unwrap();
    copy(data_dir, dir.path());
    dir
}

#[test]
fn one_call_answers_for_each_validator() {
    let (_dir, database) = fresh();
    assert_eq!(database.attest(&[ALICE], &vote(2, 5), root(1)).unwrap(), [Ok(())]);
    let answers = database.attest(&[ALICE, BOB, ALICE, BOB], &vote(1, 6), root(2)).unwrap();
    let refusal = Err(Refusal::SourceTooOld { source_epoch: Epoch(1), floor: Epoch(2) });
    assert_eq!(answers, [refusal, Ok(()), refusal, Ok(())]);
    let double = database.attest(&[ALICE, BOB], &vote(2, 6), root(3)).unwrap();
    assert_eq!(double, [Ok(()), Err(Refusal::DoubleVote { target: Epoch(6) })]);
    assert_eq!(database.propose(&ALICE, Slot(7), root(1)).unwrap(), Ok(()));
    let refused = database.propose(&ALICE, Slot(7), root(2)).unwrap().unwrap_err();
    assert_eq!(refused.to_string(), "the validator has signed another block in slot 7");
    assert!(database.attest(&[], &vote(1, 2), root(1)).unwrap().is_empty());
}

#[test]
fn nothing_is_signed_before_the_chain_is_known_and_for_no_other_chain() {
    let dir = tempfile::tempdir().unwrap();
    let database = SlashingDb::open(dir.path()).unwrap();
    assert_eq!(database.chain().unwrap(), None);
    assert!(matches!(database.attest(&[ALICE], &vote(1, 2), root(1)), Err(StoreError::NoChain)));
    assert!(matches!(database.propose(&ALICE, Slot(1), root(1)), Err(StoreError::NoChain)));
    assert!(matches!(database.export(), Err(StoreError::NoChain)));
    database.import(&Interchange::new(CHAIN)).unwrap();
    assert_eq!(database.chain().unwrap(), Some(CHAIN));
    database.pin_chain(CHAIN).unwrap();
    for refused in [database.pin_chain([9; 32]).unwrap_err(), database.import(&Interchange::new([9; 32])).unwrap_err()]
    {
        assert!(refused.to_string().contains("0x6767676767"), "{refused}");
        assert!(refused.to_string().contains("not of 0x0909090909"), "{refused}");
    }
    drop(database);
    let again = SlashingDb::open(dir.path()).unwrap();
    assert!(matches!(again.pin_chain([9; 32]), Err(StoreError::OtherChain { .. })));
}

/// The database is copied as it is on disk at the moment a call returns: what a power failure would leave.
#[test]
fn what_was_answered_is_on_disk() {
    let (dir, database) = fresh();
    database.attest(&[ALICE], &vote(1, 2), root(1)).unwrap()[0].unwrap();
    let copy = copy_of(dir.path());
    let after = SlashingDb::open(copy.path()).unwrap();
    assert_eq!(after.attest(&[ALICE], &vote(1, 2), root(2)).unwrap(), [Err(Refusal::DoubleVote { target: Epoch(2) })]);
    assert_eq!(after.attest(&[ALICE], &vote(1, 2), root(1)).unwrap(), [Ok(())], "the same again");
    database.propose(&ALICE, Slot(9), root(1)).unwrap().unwrap();
    let copy = copy_of(dir.path());
    let after = SlashingDb::open(copy.path()).unwrap();
    assert_eq!(after.propose(&ALICE, Slot(9), root(2)).unwrap(), Err(Refusal::DoubleProposal { slot: Slot(9) }));
    assert_eq!(after.propose(&ALICE, Slot(9), root(1)).unwrap(), Ok(()));
}

#[test]
fn a_closed_store_signs_nothing_and_an_open_one_keeps_others_out() {
    let key = identity::SecretKey::generate(&mut OsRng);
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &key).unwrap();
    let database = store.slashing().clone();
    database.pin_chain(CHAIN).unwrap();
    database.attest(&[ALICE], &vote(1, 2), root(1)).unwrap()[0].unwrap();
    assert!(matches!(SlashingDb::open(dir.path()), Err(StoreError::Locked { .. })));
    store.close();
    assert!(matches!(database.attest(&[ALICE], &vote(2, 3), root(2)), Err(StoreError::Closed)));
    assert!(matches!(database.propose(&ALICE, Slot(2), root(2)), Err(StoreError::Closed)));
    drop((store, database));
    // The same history, opened alone.
    let alone = SlashingDb::open(dir.path()).unwrap();
    assert_eq!(alone.attest(&[ALICE], &vote(1, 2), root(2)).unwrap(), [Err(Refusal::DoubleVote { target: Epoch(2) })]);
}

#[test]
fn history_outlives_the_validator() {
    let key = identity::SecretKey::generate(&mut OsRng);
    let pubkey = bls::SecretKey::generate(&mut OsRng).public_key();
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &key).unwrap();
    let entry = ValidatorEntry {
        pubkey,
        source: Source::Split([1; 32]),
        position: 0,
        owner: None,
        committee: Vec::new(),
        share_index: ShareIndex::new(1).unwrap(),
        share_pubkeys: vec![pubkey],
        withdrawal_address: None,
        fee_recipient: cluster_crypto::ethereum::Address([1; 20]),
        gas_limit: 1,
        active: true,
    };
    store.put_validator(&entry).unwrap();
    store.slashing().pin_chain(CHAIN).unwrap();
    let pubkey = pubkey.to_bytes();
    store.slashing().attest(&[pubkey], &vote(1, 2), root(1)).unwrap()[0].unwrap();
    assert!(store.remove_validator(&pubkey).unwrap());
    assert_eq!(store.validators().unwrap().len(), 0);
    let refused = store.slashing().attest(&[pubkey], &vote(1, 2), root(2)).unwrap();
    assert_eq!(refused, [Err(Refusal::DoubleVote { target: Epoch(2) })]);
    assert_eq!(store.slashing().export().unwrap().data.len(), 1);
}

/// Threads compete for the same epochs with votes of all kinds. Whatever won, no validator is slashed.
#[test]
fn threads_never_get_two_conflicting_votes() {
    const SEED: u64 = 3;
    let (_dir, database) = fresh();
    let won: Shared<([u8; 48], u64, u64, Root)> = Arc::default();
    let blocks: Shared<([u8; 48], u64, Root)> = Arc::default();
    let start = Arc::new(Barrier::new(8));
    let threads: Vec<_> = (0..8u64)
        .map(|thread| {
            let (database, won, blocks, start) = (database.clone(), won.clone(), blocks.clone(), start.clone());
            std::thread::spawn(move || {
                let mut rng = ChaCha20Rng::seed_from_u64(SEED * 100 + thread);
                start.wait();
                for step in 0..60u64 {
                    let target = 5 + step / 4 + rng.next_u64() % 3;
                    let source = target - 1 - rng.next_u64() % 4;
                    let signing_root = root(rng.next_u64() % 3);
                    let answers = database.attest(&[ALICE, BOB], &vote(source, target), signing_root).unwrap();
                    let signed = [ALICE, BOB].into_iter().zip(answers).filter(|(_, answer)| answer.is_ok());
                    won.lock().unwrap().extend(signed.map(|(who, _)| (who, source, target, signing_root)));
                    let slot = step / 2;
                    if database.propose(&ALICE, Slot(slot), signing_root).unwrap().is_ok() {
                        blocks.lock().unwrap().push((ALICE, slot, signing_root));
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let won = won.lock().unwrap();
    assert!(won.len() > 20, "seed {SEED}: {}", won.len());
    for (at, one) in won.iter().enumerate() {
        for other in won[..at].iter().filter(|other| other.0 == one.0) {
            let (a, b) = ((one.1, one.2, one.3), (other.1, other.2, other.3));
            assert!(!slashable(a, b), "seed {SEED}: {a:?} and {b:?}");
        }
    }
    let blocks = blocks.lock().unwrap();
    assert!(blocks.len() > 5);
    for (at, one) in blocks.iter().enumerate() {
        assert!(blocks[..at].iter().all(|other| other.1 != one.1 || other.2 == one.2), "seed {SEED}: {one:?}");
    }
}

#[test]
fn what_one_node_exports_another_refuses() {
    let (_one, first) = fresh();
    first.attest(&[ALICE, BOB], &vote(3, 4), root(1)).unwrap();
    first.attest(&[ALICE], &vote(4, 8), root(2)).unwrap();
    first.propose(&ALICE, Slot(40), root(3)).unwrap().unwrap();
    let file = first.export().unwrap();
    let text = serde_json::to_string(&file).unwrap();
    let (_two, second) = fresh();
    let report = second.import(&Interchange::from_json(text.as_bytes()).unwrap()).unwrap();
    assert_eq!((report.validators, report.blocks, report.attestations), (2, 1, 3));
    assert_eq!((report.newest_slot, report.newest_target), (Some(Slot(40)), Some(Epoch(8))));
    assert_eq!(second.export().unwrap(), file, "the same file comes out again");

    assert!(second.attest(&[ALICE], &vote(4, 8), root(9)).unwrap()[0].is_err(), "double");
    assert!(second.attest(&[ALICE], &vote(3, 9), root(9)).unwrap()[0].is_err(), "surrounding");
    assert!(second.attest(&[ALICE], &vote(5, 7), root(9)).unwrap()[0].is_err(), "surrounded");
    assert!(second.propose(&ALICE, Slot(40), root(9)).unwrap().is_err());
    assert!(second.propose(&ALICE, Slot(39), root(9)).unwrap().is_err(), "older than what is known");
    assert_eq!(second.attest(&[ALICE], &vote(4, 8), root(2)).unwrap(), [Ok(())], "the same message again");
    assert_eq!(second.propose(&ALICE, Slot(40), root(3)).unwrap(), Ok(()));
    assert_eq!(second.attest(&[ALICE, BOB], &vote(8, 9), root(5)).unwrap(), [Ok(()), Ok(())], "and on it goes");
    assert_eq!(second.propose(&ALICE, Slot(41), root(6)).unwrap(), Ok(()));
    assert_eq!(second.propose(&BOB, Slot(1), root(6)).unwrap(), Ok(()), "of whom no block is in the file");

    // Importing once more takes nothing back.
    second.import(&file).unwrap();
    assert!(second.attest(&[ALICE], &vote(8, 9), root(6)).unwrap()[0].is_err());
    assert_eq!(second.attest(&[ALICE], &vote(8, 9), root(5)).unwrap(), [Ok(())]);
}

/// A history without pruning, of many validators: watch the figures that it prints (`--nocapture`).
#[test]
fn a_thousand_validators_in_one_call() {
    let (_dir, database) = fresh();
    let validators: Vec<[u8; 48]> = (0..1_000u64)
        .map(|number| {
            let mut key = [0x7a; 48];
            key[..8].copy_from_slice(&number.to_be_bytes());
            key
        })
        .collect();
    let histories = validators.iter().map(|pubkey| ValidatorHistory {
        pubkey: *pubkey,
        signed_blocks: vec![SignedBlock { slot: Slot(3), signing_root: Some(root(3)) }],
        signed_attestations: (1..=50)
            .map(|target| SignedAttestation {
                source_epoch: Epoch(target - 1),
                target_epoch: Epoch(target),
                signing_root: Some(root(target)),
            })
            .collect(),
    });
    let mut file = Interchange::new(CHAIN);
    file.data = histories.collect();
    let clock = std::time::Instant::now();
    database.import(&file).unwrap();
    eprintln!("import of 51,000 messages: {:?}", clock.elapsed());
    for target in 51..56 {
        let clock = std::time::Instant::now();
        let answers = database.attest(&validators, &vote(target - 1, target), root(target)).unwrap();
        eprintln!("1,000 votes checked, recorded and flushed: {:?}", clock.elapsed());
        assert!(answers.iter().all(Result::is_ok));
    }
    // No finality for long: the span between source and target is looked through.
    let clock = std::time::Instant::now();
    let answers = database.attest(&validators, &vote(50, 90), root(90)).unwrap();
    eprintln!("1,000 votes with an old source: {:?}", clock.elapsed());
    assert!(answers.iter().all(|answer| matches!(answer, Err(Refusal::Surrounds { .. }))));
    let clock = std::time::Instant::now();
    assert_eq!(database.prune(Epoch(40), 8).unwrap(), 1_000 * (39 + 1));
    eprintln!("40,000 messages pruned: {:?}", clock.elapsed());
    let clock = std::time::Instant::now();
    assert_eq!(database.export().unwrap().data.len(), 1_000);
    eprintln!("export: {:?}", clock.elapsed());
}
