//! Reshares: shares of keys that exist move to another committee. `docs/spec/dkg.md`, section 11.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use cluster_core::{
    certificate::Transcript,
    committee::OperatorId,
    dkg::{Behaviour, CulpritKind, Step},
    request::{KeysDigest, Request, Reshare},
    simulation::{Faults, Simulation},
};
use cluster_crypto::{
    bls::{self, HashedMessage, Signature},
    ethereum::Address,
    threshold, ShareIndex, Threshold,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use support::{assert_incomplete, assert_ready, calm, check_safety, is_named, operator, run, seeds};

/// A new operator of a reshare; its id lies between the old ones.
fn newcomer(turn: u32) -> OperatorId {
    OperatorId(5 + turn * 7)
}

/// Runs a reshare of `previous` to its end and checks what must hold in every run.
fn reshare(previous: &Simulation, leaving: &[u32], operators: usize, faults: Faults, seed: u64) -> Simulation {
    let leaving: BTreeSet<OperatorId> = leaving.iter().map(|index| operator(*index)).collect();
    let mut simulation = Simulation::reshare(previous, &leaving, operators, faults, |_| {}, seed).unwrap();
    simulation.run().unwrap();
    check_safety(&simulation);
    simulation
}

fn transcript(simulation: &Simulation) -> &Transcript {
    &simulation.nodes().values().find_map(|node| node.outcome.as_ref()).expect("keys").certificate.transcript
}

fn keys(simulation: &Simulation) -> Vec<bls::PublicKey> {
    transcript(simulation).validators.iter().map(|validator| validator.pubkey).collect()
}

fn deposits(simulation: &Simulation) -> Vec<(Signature, [u8; 32])> {
    let validators = &transcript(simulation).validators;
    validators.iter().map(|validator| (validator.deposit_signature, validator.deposit_data_root)).collect()
}

/// Signatures over one message by everyone's share of the first key, by share index.
fn signatures(simulation: &Simulation, message: &HashedMessage) -> Vec<(ShareIndex, Signature)> {
    let stored = simulation.nodes().values().filter_map(|node| node.stored.as_ref());
    stored.map(|stored| (stored.share_index, stored.shares.secret_key(0).unwrap().sign(message))).collect()
}

/// All subsets of `size` items.
fn subsets<T: Copy>(items: &[T], size: usize) -> Vec<Vec<T>> {
    let chosen = |bits: u32| items.iter().enumerate().filter(move |(at, _)| bits >> at & 1 == 1).map(|(_, item)| *item);
    (0u32..1 << items.len())
        .filter(|bits| bits.count_ones() as usize == size)
        .map(|bits| chosen(bits).collect())
        .collect()
}

#[test]
fn the_keys_stay_and_everybody_of_the_new_committee_has_shares() {
    for (before, leaving, after, validators) in [
        (4, vec![2], 4, 3),
        (4, vec![1], 7, 2),
        (7, vec![2, 5], 7, 2),
        (4, vec![], 4, 2),
        (13, vec![1, 2, 3, 4], 10, 1),
    ] {
        let previous = run(before, validators, calm(), before as u64);
        let simulation = reshare(&previous, &leaving, after, calm(), 100 + before as u64);
        assert_ready(&simulation, &simulation.ids());
        assert_eq!(keys(&simulation), keys(&previous), "{before} to {after}");
        assert_eq!(deposits(&simulation), deposits(&previous), "no second deposit message is signed");
        assert!(simulation.elapsed_ms() < 1_000, "no timer may be waited for when nobody fails");
        let old: Vec<_> = transcript(&previous).validators.iter().map(|v| v.share_pubkeys.clone()).collect();
        for (validator, old) in transcript(&simulation).validators.iter().zip(&old) {
            assert!(validator.share_pubkeys.iter().all(|key| !old.contains(key)), "every share is new");
        }
        let dealers: Vec<_> = transcript(&simulation).qualified.iter().map(|(dealer, _)| *dealer).collect();
        let staying: Vec<_> = previous.ids().into_iter().filter(|id| simulation.ids().contains(id)).collect();
        assert_eq!(dealers, staying);
    }
}

#[test]
fn a_hundred_keys_move_and_move_on_to_a_third_committee() {
    let first = run(4, 100, calm(), 7);
    let second = reshare(&first, &[3], 4, calm(), 8);
    let third = reshare(&second, &[1], 7, calm(), 9);
    assert_ready(&third, &third.ids());
    assert_eq!(keys(&third), keys(&first));
    assert_eq!(deposits(&third), deposits(&first));
    assert_eq!(transcript(&third).request.request.reshare, Some(Reshare::of(transcript(&second))));
}

#[test]
fn any_t_new_shares_sign_and_old_and_new_shares_below_their_thresholds_do_not() {
    let message = HashedMessage::new(b"a duty after the reshare");
    for (before, after) in [(4, 4), (4, 7), (7, 7)] {
        let previous = run(before, 1, calm(), 20 + before as u64);
        let simulation = reshare(&previous, &[2], after, calm(), 30 + after as u64);
        let key = keys(&previous)[0];
        let (old, new) = (signatures(&previous, &message), signatures(&simulation, &message));
        let sizes = |n| Threshold::for_operators(n).unwrap();
        assert_eq!(new.len(), after);
        for chosen in subsets(&new, sizes(after).t()) {
            assert!(bls::verify(&key, &message, &threshold::recover(&chosen, sizes(after)).unwrap()));
        }
        // A thief of t-1 shares of each committee fills the gap of either with any share of the other at a free index.
        for (size, own, other) in [(sizes(after), &new, &old), (sizes(before), &old, &new)] {
            for chosen in subsets(own, size.t() - 1) {
                let free = |index: &ShareIndex| index.is_within(size) && chosen.iter().all(|(used, _)| used != index);
                for stranger in other.iter().filter(|(index, _)| free(index)) {
                    let mixed: Vec<_> = chosen.iter().copied().chain([*stranger]).collect();
                    assert!(!bls::verify(&key, &message, &threshold::recover(&mixed, size).unwrap()));
                }
            }
        }
    }
}

#[test]
fn a_dealer_that_shares_something_else_is_named_by_its_dealing_alone() {
    // With three dealers of which all are needed, the reshare ends at once; with one to spare it goes on without the liar.
    for seed in seeds(3) {
        let previous = run(4, 2, calm(), seed);
        let byzantine = BTreeMap::from([(operator(3), Behaviour::OtherShares)]);
        let simulation = reshare(&previous, &[2], 4, Faults { byzantine: byzantine.clone(), ..calm() }, seed);
        for id in simulation.honest() {
            let report = simulation.nodes()[&id].abort.as_ref().expect("an abort");
            let named: Vec<_> = report.culprits.iter().map(|c| (c.operator_id, c.kind)).collect();
            assert!(named.contains(&(operator(3), CulpritKind::InvalidDealing)), "seed {seed}: {named:?}");
            assert!(report.reason.contains("too many dealers"), "nobody waits for what cannot come: {report:?}");
            assert!(simulation.nodes()[&id].stored.is_none());
        }

        let simulation = reshare(&previous, &[], 7, Faults { byzantine, ..calm() }, seed);
        for id in simulation.honest() {
            assert!(simulation.nodes()[&id].outcome.is_some(), "seed {seed}, operator {id}");
        }
        assert_eq!(keys(&simulation), keys(&previous));
        assert!(transcript(&simulation).qualified.iter().all(|(dealer, _)| *dealer != operator(3)));
        assert!(is_named(&simulation, operator(3), CulpritKind::InvalidDealing));
    }
}

#[test]
fn every_other_misbehaviour_of_a_dealer_is_survived_with_dealers_to_spare() {
    for behaviour in Behaviour::ALL {
        for seed in seeds(1) {
            let previous = run(7, 1, calm(), seed);
            let byzantine = BTreeMap::from([(operator(3), behaviour)]);
            let simulation = reshare(&previous, &[2], 7, Faults { byzantine, ..calm() }, seed);
            for id in simulation.honest() {
                let node = &simulation.nodes()[&id];
                assert!(node.outcome.is_some(), "seed {seed}, {behaviour}, operator {id}: {:?}", node.abort);
            }
            assert_eq!(keys(&simulation), keys(&previous), "{behaviour}");
        }
    }
}

#[test]
fn a_restart_in_any_step_resumes_from_the_journal_for_dealers_and_for_newcomers() {
    let previous = run(4, 2, calm(), 5);
    for id in [operator(3), newcomer(0)] {
        for step in Step::ALL.into_iter().skip(1).chain([Step::Done]) {
            for back in [10, 3_000] {
                let faults = Faults { crashes: vec![(id, step, Some(back))], ..calm() };
                let simulation = reshare(&previous, &[2], 4, faults, 6);
                assert_ready(&simulation, &simulation.ids());
            }
        }
    }
}

#[test]
fn lost_and_doubled_messages_are_made_up_for() {
    let previous = run(4, 1, calm(), 3);
    for seed in seeds(6) {
        let faults = Faults { max_latency_ms: 400, loss_permille: 250, duplicate_permille: 200, ..calm() };
        let simulation = reshare(&previous, &[4], 4, faults, seed);
        assert_ready(&simulation, &simulation.ids());
    }
}

#[test]
fn a_newcomer_that_sleeps_through_it_completes_an_hour_later() {
    let previous = run(4, 2, calm(), 3);
    for seed in seeds(3) {
        let faults = Faults { away: BTreeMap::from([(newcomer(0), 3_600_000)]), ..calm() };
        let simulation = reshare(&previous, &[2], 4, faults, seed);
        assert_ready(&simulation, &simulation.ids());
        assert_eq!(keys(&simulation), keys(&previous));
    }
}

#[test]
fn an_operator_that_lost_its_old_shares_receives_new_ones_if_the_others_suffice() {
    let previous = run(4, 1, calm(), 3);
    let forgetful = BTreeSet::from([operator(1)]);
    let simulation = reshare(&previous, &[], 4, Faults { forgetful: forgetful.clone(), ..calm() }, 4);
    assert_ready(&simulation, &simulation.ids());
    assert_eq!(keys(&simulation), keys(&previous));

    let simulation = reshare(&previous, &[2], 4, Faults { forgetful, ..calm() }, 4);
    for id in simulation.ids().into_iter().filter(|id| *id != operator(1)) {
        let report = simulation.nodes()[&id].abort.as_ref().expect("an abort");
        let named: Vec<_> = report.culprits.iter().map(|culprit| culprit.operator_id).collect();
        assert_eq!((report.step, named), (Step::Commit, vec![operator(1)]), "{report:?}");
    }
}

#[test]
fn a_new_operator_that_is_dead_leaves_the_reshare_incomplete() {
    let previous = run(4, 1, calm(), 3);
    let faults = Faults { crashes: vec![(newcomer(0), Step::Deal, None)], ..calm() };
    let simulation = reshare(&previous, &[2], 4, faults, 4);
    assert_incomplete(&simulation, &[operator(1), operator(3), operator(4)], &[newcomer(0)]);
}

#[test]
fn shares_that_do_not_add_up_to_the_named_keys_end_it_and_blame_nobody() {
    let previous = run(4, 1, calm(), 3);
    let lie = |request: &mut Request| request.reshare.as_mut().unwrap().validators = KeysDigest([7; 32]);
    let leaving = BTreeSet::from([operator(2)]);
    let mut simulation = Simulation::reshare(&previous, &leaving, 4, calm(), lie, 4).unwrap();
    simulation.run().unwrap();
    for node in simulation.nodes().values() {
        let report = node.abort.as_ref().expect("an abort");
        assert!(report.reason.contains("do not add up to the validator keys"), "{report:?}");
        assert!(node.stored.is_none());
    }
}

#[test]
fn requests_that_cannot_be_reshared_are_refused_with_the_numbers() {
    let previous = run(7, 1, calm(), 3);
    let refuse = |leaving: &[u32], operators: usize, change: fn(&mut Request)| {
        let leaving = leaving.iter().map(|index| operator(*index)).collect();
        Simulation::reshare(&previous, &leaving, operators, calm(), change, 1).err().expect("a refusal")
    };
    let few = refuse(&[1, 2, 3], 7, |_| {});
    assert!(few.contains("4 of the 7 operators that hold the shares") && few.contains("at least 5"), "{few}");
    let smaller = refuse(&[1, 2, 3], 4, |_| {});
    assert!(smaller.contains("at least 5"), "{smaller}");
    let uneven = refuse(&[1], 7, |request| {
        request.reshare.as_mut().unwrap().share_keys.pop();
    });
    assert!(uneven.contains("7 operators and 6 digests"), "{uneven}");
    let twice = refuse(&[1], 7, |request| {
        let reshare = request.reshare.as_mut().unwrap();
        reshare.operator_ids[1] = reshare.operator_ids[0];
    });
    assert!(twice.contains("twice or out of order"), "{twice}");
}

#[test]
fn a_certificate_of_a_reshare_is_judged_by_its_dealers_and_its_keys() {
    let previous = run(4, 1, calm(), 3);
    let simulation = reshare(&previous, &[2], 4, calm(), 4);
    let good = &simulation.nodes()[&operator(1)].outcome.as_ref().unwrap().certificate;
    let refuse = |change: &dyn Fn(&mut Transcript)| {
        let mut changed = good.clone();
        change(&mut changed.transcript);
        changed.verify(None, &mut ChaCha20Rng::seed_from_u64(1)).unwrap_err().to_string()
    };
    let newcomer_deals = refuse(&|transcript| transcript.qualified[0].0 = newcomer(0));
    assert!(newcomer_deals.contains("qualified[0]") && newcomer_deals.contains("both committees"), "{newcomer_deals}");
    let two_dealers = refuse(&|transcript| transcript.qualified.truncate(2));
    assert!(two_dealers.contains("expected 3 to 3 entries, found 2"), "{two_dealers}");
    let elsewhere = run(4, 1, calm(), 9);
    let other_keys = refuse(&|transcript| transcript.validators.clone_from(&self::transcript(&elsewhere).validators));
    assert!(other_keys.contains("not the validators of ceremony"), "{other_keys}");
}

#[test]
fn a_dealer_takes_part_only_in_what_agrees_with_its_own_result() {
    let previous = run(4, 2, calm(), 3);
    let simulation = reshare(&previous, &[2], 4, calm(), 4);
    let request = simulation.request().request().clone();
    let agrees = |request: &Request| request.reshare.as_ref().unwrap().agrees_with(request, transcript(&previous));
    assert_eq!(agrees(&request), Ok(()));
    type Change = (&'static str, fn(&mut Request));
    let changes: [Change; 7] = [
        ("owner", |request| request.owner = Address([1; 20])),
        ("withdrawal_address", |request| request.withdrawal_address = Address([2; 20])),
        ("validator_count", |request| request.validator_count = 1),
        ("reshare.validators", |request| request.reshare.as_mut().unwrap().validators = KeysDigest([3; 32])),
        ("reshare.share_keys", |request| request.reshare.as_mut().unwrap().share_keys[1] = KeysDigest([4; 32])),
        ("reshare.operator_ids", |request| request.reshare.as_mut().unwrap().operator_ids[1] = OperatorId(11)),
        ("takes over ceremony", |request| request.reshare.as_mut().unwrap().previous.0[0] ^= 1),
    ];
    for (word, change) in changes {
        let mut changed = request.clone();
        change(&mut changed);
        let error = agrees(&changed).unwrap_err().to_string();
        assert!(error.starts_with(word) || error.contains(word), "{word}: {error}");
    }
}
