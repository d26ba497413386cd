//! Ceremonies of honest operators over networks that fail.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use cluster_core::{
    dkg::{Behaviour, CulpritKind, Step},
    simulation::{Faults, Partition},
};
use support::{assert_incomplete, assert_ready, calm, is_named, operator, run, seeds};

#[test]
fn all_committee_sizes_make_ready_validators() {
    for (operators, validators) in [(4, 1), (4, 5), (7, 3), (10, 2), (13, 2)] {
        let simulation = run(operators, validators, calm(), operators as u64);
        assert_ready(&simulation, &simulation.ids());
        assert!(simulation.elapsed_ms() < 1_000, "no timer may be waited for when nobody fails");
    }
}

#[test]
fn messages_lost_doubled_and_reordered_are_made_up_for() {
    for seed in seeds(20) {
        let faults = Faults {
            min_latency_ms: 1,
            max_latency_ms: 400,
            loss_permille: 250,
            duplicate_permille: 200,
            ..Faults::default()
        };
        let simulation = run(4, 2, faults, seed);
        assert_ready(&simulation, &simulation.ids());
    }
}

#[test]
fn a_restart_in_any_step_resumes_from_the_journal() {
    for seed in seeds(4) {
        for step in Step::ALL.into_iter().skip(1).chain([Step::Done]) {
            for back in [10, 700, 3_000] {
                let faults = Faults { crashes: vec![(operator(2), step, Some(back))], ..calm() };
                let simulation = run(4, 2, faults, seed);
                assert_ready(&simulation, &simulation.ids());
            }
        }
    }
}

#[test]
fn every_operator_restarting_at_once_resumes() {
    for seed in seeds(4) {
        for step in Step::ALL.into_iter().skip(1) {
            let crashes = (1..=4).map(|index| (operator(index), step, Some(200 * u64::from(index)))).collect();
            let simulation = run(4, 2, Faults { crashes, ..calm() }, seed);
            assert_ready(&simulation, &simulation.ids());
        }
    }
}

#[test]
fn an_operator_killed_for_good_is_named_and_the_others_have_keys() {
    for seed in seeds(4) {
        for step in Step::ALL.into_iter().skip(1) {
            let faults = Faults { crashes: vec![(operator(3), step, None)], ..calm() };
            let simulation = run(4, 2, faults, seed);
            let others = [operator(1), operator(2), operator(4)];
            assert_incomplete(&simulation, &others, &[operator(3)]);
            assert!(is_named(&simulation, operator(3), CulpritKind::Silent), "seed {seed}, {step}");
            assert!(simulation.elapsed_ms() <= 120_000, "seed {seed}, {step}");
        }
    }
}

#[test]
fn an_operator_away_for_an_hour_turns_incomplete_into_ready() {
    for seed in seeds(4) {
        let faults = Faults { away: BTreeMap::from([(operator(4), 3_600_000)]), ..calm() };
        let simulation = run(4, 3, faults, seed);
        assert_ready(&simulation, &simulation.ids());
    }
}

#[test]
fn an_operator_killed_in_any_step_and_back_after_an_hour_completes() {
    for seed in seeds(2) {
        for step in Step::ALL.into_iter().skip(1) {
            let faults = Faults { crashes: vec![(operator(1), step, Some(3_600_000))], ..calm() };
            let simulation = run(4, 2, faults, seed);
            assert_ready(&simulation, &simulation.ids());
        }
    }
}

#[test]
fn a_partition_in_half_heals_and_the_ceremony_ends() {
    for seed in seeds(6) {
        for from_ms in [0, 5, 25, 45, 60, 80, 110] {
            let side = BTreeSet::from([operator(1), operator(2)]);
            let partitions = vec![Partition { from_ms, until_ms: from_ms + 15_000, side }];
            let simulation = run(4, 2, Faults { partitions, ..calm() }, seed);
            assert_ready(&simulation, &simulation.ids());
        }
    }
}

#[test]
fn a_link_that_works_in_one_direction_only_is_worked_around() {
    for seed in seeds(6) {
        let one_way = BTreeSet::from([(operator(1), operator(2)), (operator(3), operator(4))]);
        let simulation = run(4, 2, Faults { one_way, ..calm() }, seed);
        assert_ready(&simulation, &simulation.ids());
    }
}

#[test]
fn without_a_quorum_the_ceremony_aborts_and_names_who_is_missing() {
    let faults = Faults { crashes: vec![(operator(1), Step::Deal, None), (operator(2), Step::Deal, None)], ..calm() };
    let simulation = run(4, 1, faults, 1);
    for id in [operator(3), operator(4)] {
        let report = simulation.nodes()[&id].abort.as_ref().expect("an abort");
        let named: Vec<_> = report.culprits.iter().map(|culprit| culprit.operator_id).collect();
        assert_eq!(named, [operator(1), operator(2)], "{report:?}");
    }
}

#[test]
fn an_operator_that_comes_late_does_not_wait_for_one_that_never_comes() {
    for seed in seeds(4) {
        let away = BTreeMap::from([(operator(3), 800_000)]);
        let crashes = vec![(operator(6), Step::Verdicts, None)];
        let simulation = run(7, 1, Faults { away, crashes, ..calm() }, seed);
        let others: Vec<_> = [1, 2, 3, 4, 5, 7].into_iter().map(operator).collect();
        assert_incomplete(&simulation, &others, &[operator(6)]);
    }
}

#[test]
fn a_journal_that_ends_before_the_shares_makes_them_again_before_the_receipt() {
    // With two partitions the messages that lead to the shares arrive together, with sends between journal and shares.
    for seed in seeds(20).chain([193]) {
        let sides = [BTreeSet::from([operator(1), operator(2), operator(4)]), BTreeSet::from([operator(4)])];
        let partitions = sides.into_iter().zip([290, 105]);
        let partitions = partitions.map(|(side, from_ms)| Partition { from_ms, until_ms: 6_000, side }).collect();
        let faults = Faults {
            min_latency_ms: 19,
            max_latency_ms: 19,
            loss_permille: 250,
            duplicate_permille: 300,
            partitions,
            crashes: vec![(operator(3), Step::Store, Some(1_246))],
            ..Faults::default()
        };
        // `run` compares every stored share with the certificate.
        let simulation = run(4, 1, faults, seed);
        assert!(simulation.nodes().values().all(|node| node.outcome.is_some()), "seed {seed}");
    }
}

#[test]
fn a_liar_does_not_use_up_the_views_while_an_honest_operator_is_cut_off() {
    for behaviour in [Behaviour::UndecryptableShare, Behaviour::EquivocatingCommitments] {
        for seed in seeds(10) {
            let partitions = vec![Partition { from_ms: 24, until_ms: 15_000, side: BTreeSet::from([operator(1)]) }];
            let byzantine = BTreeMap::from([(operator(3), behaviour)]);
            let faults = Faults { loss_permille: 50, partitions, byzantine, max_latency_ms: 200, ..calm() };
            let simulation = run(4, 1, faults, seed);
            for id in simulation.honest() {
                let node = &simulation.nodes()[&id];
                assert!(node.outcome.is_some(), "seed {seed}, {behaviour}, operator {id}: {:?}", node.abort);
            }
        }
    }
}
