use std::sync::Arc;

use cluster_core::beacon::{Epoch, Slot};
use cluster_core::duty::SigningKind;
use cluster_crypto::bls;
use cluster_crypto::ethereum::{Address, WalletKey};
use cluster_node::signer::{Refusal, RefusalKind, Request, SignerError, MAX_ITEMS};
use cluster_node::store::{Handover, Store, StoreError};
use rand_core::OsRng;

use crate::common::any_file_contains;
use crate::support::*;

const SLOT: u64 = 100;

fn refused(answers: &[Result<cluster_crypto::threshold::Partial, Refusal>]) -> Vec<Option<RefusalKind>> {
    answers.iter().map(|answer| answer.as_ref().err().map(|refusal| refusal.kind)).collect()
}

#[test]
fn every_kind_of_message_is_signed_by_three_operators_and_verifies_under_the_validators_keys() {
    let (committee, spec) = (Committee::new(3), spec());
    let dirs: Vec<_> = (0..4).map(|_| tempfile::tempdir().unwrap()).collect();
    let stores: Vec<_> = (0..4).map(|at| committee.store(at, dirs[at].path())).collect();
    let signers: Vec<_> = stores.iter().map(|store| open(store, &Clock::at(&spec, SLOT))).collect();
    let requests = every_request(&committee, &spec, SLOT);
    let kinds: std::collections::BTreeSet<_> = requests.iter().map(|(request, _)| request.kind()).collect();
    assert_eq!(kinds.len(), SigningKind::ALL.len(), "every kind is tried");
    for (request, roots) in requests {
        let sign = |at: usize| (at, signers[at].sign_blocking(&spec, &request).unwrap());
        assert_eq!(request.len(), roots.len());
        assert_signs(&committee, &[sign(0), sign(1), sign(3)], &roots);
        assert_signs(&committee, &[sign(1), sign(2), sign(3)], &roots);
    }
    for (dir, at) in dirs.iter().zip(0..) {
        for validator in 0..3 {
            assert!(!any_file_contains(dir.path(), &committee.share_bytes(at, validator)), "a share is in clear");
        }
    }
}

#[test]
fn what_is_slashable_is_refused_also_after_a_restart_and_the_rest_of_the_request_is_signed() {
    let (committee, spec) = (Committee::new(2), spec());
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::at(&spec, SLOT));
    let keys = committee.pubkeys();
    let vote_by = |validators: &[_], data| Request::Attestations { validators: validators.to_vec(), data };
    let block = |body| Request::Block { validator: keys[0], header: header(SLOT, body) };
    {
        let store = committee.store(0, dir.path());
        let signer = open(&store, &clock);
        let first = signer.sign_blocking(&spec, &vote_by(&keys[..1], vote(SLOT, 9, 1))).unwrap();
        assert_eq!(refused(&first), [None]);
        let again = signer.sign_blocking(&spec, &vote_by(&keys[..1], vote(SLOT, 9, 1))).unwrap();
        assert_eq!(first, again, "the same again is answered in the same way");
        // The first validator has voted, the second has not: one answer each, in order.
        let double = signer.sign_blocking(&spec, &vote_by(&keys, vote(SLOT, 9, 2))).unwrap();
        assert_eq!(refused(&double), [Some(RefusalKind::Slashing), None]);
        assert!(double[0].as_ref().unwrap_err().words.contains("signed another vote"), "{double:?}");
        assert_eq!(refused(&signer.sign_blocking(&spec, &block(1)).unwrap()), [None]);
    }
    let store = committee.store(0, dir.path());
    let signer = open(&store, &clock);
    for (request, expected) in [
        (block(1), [None]),
        (block(2), [Some(RefusalKind::Slashing)]),
        (vote_by(&keys[..1], vote(SLOT, 9, 1)), [None]),
        (vote_by(&keys[..1], vote(SLOT + 1, 9, 1)), [Some(RefusalKind::Slashing)]),
        // Surrounds the vote from 9 to 12.
        (vote_by(&keys[..1], vote(SLOT + 8, 8, 1)), [Some(RefusalKind::Slashing)]),
    ] {
        clock.set(&spec, SLOT + 8);
        assert_eq!(refused(&signer.sign_blocking(&spec, &request).unwrap()), expected, "{request:?}");
    }
}

#[test]
fn unknown_inactive_and_removed_validators_are_refused_and_new_ones_are_found() {
    let (committee, spec) = (Committee::new(2), spec());
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::at(&spec, SLOT));
    let store = Arc::new(Store::open(dir.path(), &committee.operators[0].1).unwrap());
    let signer = open(&store, &clock);
    let stranger = bls::SecretKey::generate(&mut OsRng).public_key().to_bytes();
    let keys = committee.pubkeys();
    let ask = || {
        let validators = vec![keys[0], stranger, keys[1]];
        refused(&signer.sign_blocking(&spec, &Request::Randao { validators, epoch: Epoch(12) }).unwrap())
    };
    let unknown = Some(RefusalKind::UnknownValidator);
    assert_eq!(ask(), [unknown; 3]);
    store.import_shares(&committee.shares(0), &committee.entries(0)).unwrap();
    assert_eq!(ask(), [None, unknown, None]);
    let mut entry = store.validator(&keys[1]).unwrap().unwrap();
    entry.active = false;
    store.put_validator(&entry).unwrap();
    assert_eq!(ask(), [None, unknown, Some(RefusalKind::Inactive)]);
    assert!(store.remove_validator(&keys[0]).unwrap());
    assert_eq!(ask(), [unknown, unknown, Some(RefusalKind::Inactive)]);
    store.add_validators(&committee.entries(0)).unwrap();
    assert_eq!(ask()[0], unknown, "a ceremony that reports again does not bring a removed validator back");
}

#[test]
fn messages_of_the_far_future_and_votes_that_do_not_fit_their_slot_are_refused_before_they_are_recorded() {
    let (committee, spec) = (Committee::new(1), spec());
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::at(&spec, SLOT));
    let store = committee.store(0, dir.path());
    let signer = open(&store, &clock);
    let key = committee.pubkeys()[0];
    let mut other_target = vote(SLOT, 9, 1);
    other_target.target.epoch = Epoch(1 << 40);
    let mut source_after = vote(SLOT, 9, 1);
    source_after.source.epoch = Epoch(13);
    let attest = |data| Request::Attestations { validators: vec![key], data };
    let ahead = RefusalKind::TooFarAhead;
    let cases = [
        (attest(vote(SLOT + 3, 9, 1)), ahead),
        (attest(vote(u64::MAX, 9, 1)), ahead),
        (attest(other_target), RefusalKind::Malformed),
        (attest(source_after), RefusalKind::Malformed),
        (Request::Block { validator: key, header: header(SLOT + 3, 1) }, ahead),
        (Request::Randao { validators: vec![key], epoch: Epoch(15) }, ahead),
        (Request::Selections { items: vec![(key, Slot(15 * 8))] }, ahead),
        (Request::SyncSelections { items: vec![(key, Slot(15 * 8), 0)] }, ahead),
        (Request::SyncMessages { validators: vec![key], slot: Slot(SLOT + 3), block_root: [1; 32] }, ahead),
    ];
    for (request, kind) in cases {
        assert_eq!(refused(&signer.sign_blocking(&spec, &request).unwrap()), [Some(kind)], "{request:?}");
    }
    let good = signer.sign_blocking(&spec, &attest(vote(SLOT, 9, 1))).unwrap();
    assert_eq!(refused(&good), [None], "nothing of the above was recorded");
}

#[test]
fn registrations_pay_the_validators_own_recipient_and_exits_need_the_owners_order() {
    let (committee, spec) = (Committee::new(2), spec());
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::at(&spec, SLOT));
    let store = committee.store(0, dir.path());
    let signer = open(&store, &clock);
    let requests = every_request(&committee, &spec, SLOT);
    let find = |kind| requests.iter().find(|(request, _)| request.kind() == kind).unwrap().0.clone();

    let Request::Registrations { mut items } = find(SigningKind::BuilderRegistration) else { panic!() };
    items[1].fee_recipient = [0xba; 20];
    let answers = signer.sign_blocking(&spec, &Request::Registrations { items }).unwrap();
    assert_eq!(refused(&answers), [None, Some(RefusalKind::FeeRecipient)]);
    assert!(answers[1].as_ref().unwrap_err().words.contains(&FEES.to_string()), "{answers:?}");

    let Request::Exit { validator, exit, request } = find(SigningKind::VoluntaryExit) else { panic!() };
    let stranger = WalletKey::from_bytes(&[5; 32]).unwrap();
    let mut forged = request.clone();
    forged.request.owner = stranger.address();
    forged.origin = cluster_core::request::Origin::Signature(stranger.sign_digest(&forged.request.digest()));
    let mut unsigned = request.clone();
    unsigned.request.nonce += 1;
    let mut not_named = request.clone();
    not_named.request.pubkeys.remove(0);
    not_named.origin =
        cluster_core::request::Origin::Signature(committee.wallet.sign_digest(&not_named.request.digest()));
    let mut elsewhere = request.clone();
    elsewhere.request.chain_id = 1;
    elsewhere.origin =
        cluster_core::request::Origin::Signature(committee.wallet.sign_digest(&elsewhere.request.digest()));
    let cases = [
        (forged, "belongs to"),
        (unsigned, "signature was made by"),
        (not_named, "does not name validator"),
        (elsewhere, "chain"),
    ];
    for (request, words) in cases {
        let answers = signer.sign_blocking(&spec, &Request::Exit { validator, exit, request }).unwrap();
        let refusal = answers[0].as_ref().unwrap_err();
        assert!(refusal.kind == RefusalKind::Exit && refusal.words.contains(words), "{refusal}");
    }
    let order = Request::Exit { validator, exit, request };
    assert_eq!(refused(&signer.sign_blocking(&spec, &order).unwrap()), [None]);
    clock.set(&spec, SLOT + 11);
    let late = signer.sign_blocking(&spec, &order).unwrap();
    assert!(late[0].as_ref().unwrap_err().words.contains("has passed"), "{late:?}");
    let mut entry = store.validator(&validator).unwrap().unwrap();
    entry.owner = None;
    store.put_validator(&entry).unwrap();
    clock.set(&spec, SLOT);
    let nobodys = signer.sign_blocking(&spec, &order).unwrap();
    assert!(nobodys[0].as_ref().unwrap_err().words.contains("owner"), "{nobodys:?}");
    assert_ne!(FEES, Address([0; 20]));
}

#[test]
fn the_first_chain_stays_the_only_one_and_unknown_forks_are_refused_in_words() {
    let (committee, spec) = (Committee::new(1), spec());
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::at(&spec, SLOT));
    let request = Request::Randao { validators: committee.pubkeys(), epoch: Epoch(12) };
    {
        let store = committee.store(0, dir.path());
        open(&store, &clock).sign_blocking(&spec, &request).unwrap();
    }
    let store = committee.store(0, dir.path());
    let signer = open(&store, &clock);
    let mut other_genesis = spec_with(|_| {});
    other_genesis.genesis_validators_root = [0x48; 32];
    let mut other_time = spec_with(|_| {});
    other_time.genesis_time_s += 1;
    let cases = [
        (other_genesis, "genesis validators root"),
        (other_time, "genesis time"),
        (spec_with(|values| drop(values.insert("DEPOSIT_CHAIN_ID".into(), "1".into()))), "execution chain"),
        (spec_with(|values| drop(values.insert("SECONDS_PER_SLOT".into(), "3".into()))), "slot in milliseconds"),
        (
            spec_with(|values| drop(values.insert("ELECTRA_FORK_VERSION".into(), "0x05000002".into()))),
            "version of the fork electra is 05000002, not 05000001",
        ),
    ];
    for (other, words) in cases {
        let error = signer.sign_blocking(&Arc::new(other), &request).unwrap_err();
        assert!(matches!(&error, SignerError::OtherChain { reason } if reason.contains(words)), "{error}");
    }
    let scheduled = spec_with(|values| drop(values.insert("FULU_FORK_EPOCH".into(), "20".into())));
    assert!(signer.sign_blocking(&Arc::new(scheduled), &request).is_ok(), "a fork is scheduled: the same chain");
    let unknown = spec_with(|values| drop(values.insert("GLOAS_FORK_EPOCH".into(), "12".into())));
    let error = signer.sign_blocking(&Arc::new(unknown), &request).unwrap_err();
    assert!(matches!(error, SignerError::Fork(_)) && error.to_string().contains("gloas"), "{error}");
    let many = Request::Randao { validators: vec![[1; 48]; MAX_ITEMS + 1], epoch: Epoch(12) };
    assert!(matches!(signer.sign_blocking(&spec, &many), Err(SignerError::TooMany { .. })));
}

#[test]
fn shares_that_began_to_move_are_not_used_here_any_more_and_a_second_share_of_a_validator_is_refused() {
    let (committee, spec) = (Committee::new(1), spec());
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::at(&spec, SLOT));
    let request = Request::Randao { validators: committee.pubkeys(), epoch: Epoch(12) };
    {
        let store = committee.store(0, dir.path());
        assert_eq!(refused(&open(&store, &clock).sign_blocking(&spec, &request).unwrap()), [None]);
        let mut other = committee.entries(0);
        other[0].source = cluster_node::store::Source::Split([0xaa; 32]);
        let second = store.import_shares(&committee.shares(0), &other).unwrap_err();
        assert!(matches!(second, StoreError::OtherShare { .. }), "{second}");
        store.begin_handover(&committee.source).unwrap();
    }
    let store = committee.store(0, dir.path());
    assert_eq!(store.handover(&committee.source).unwrap(), Some(Handover::Moving));
    let answers = open(&store, &clock).sign_blocking(&spec, &request).unwrap();
    assert_eq!(refused(&answers), [Some(RefusalKind::UnknownValidator)]);
    store.erase_shares(&committee.source).unwrap();
    assert!(!store.has_traces(&committee.source).unwrap());
    // Importing the file again does not undo the move.
    store.import_shares(&committee.shares(0), &committee.entries(0)).unwrap();
    assert!(!store.has_traces(&committee.source).unwrap());
}
