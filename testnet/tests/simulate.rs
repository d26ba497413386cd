//! Ceremonies in virtual time: a few hundred schedules of faults, and that the checks see what they should.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use cluster_testnet::simulate::{invariants, run_all, run_seed, schedule, Plan};

fn hold(operators: usize, validators: u32, seeds: u64) {
    let plan = Plan { operators, validators, from: 1, seeds };
    let summary = run_all(&plan, &|_| {}).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(summary.runs, seeds);
    assert_eq!(summary.total.aborted, 0);
    assert_eq!(summary.total.ready + summary.total.incomplete, seeds);
    // A committee that is told to survive nothing proves nothing.
    assert!(summary.kinds.keys().any(|kind| kind.starts_with("byzantine")), "{:?}", summary.kinds.keys());
}

#[test]
fn two_hundred_schedules_of_four_operators_keep_all_invariants() {
    hold(4, 1, 200);
}

#[test]
fn larger_committees_and_several_validators_keep_them_too() {
    hold(7, 2, 20);
    hold(10, 1, 4);
}

#[test]
fn a_seed_means_one_run() {
    let plan = Plan { operators: 4, validators: 1, from: 0, seeds: 1 };
    for seed in [3, 44] {
        let (first, second) = (run_seed(&plan, seed).unwrap(), run_seed(&plan, seed).unwrap());
        assert_eq!((first.elapsed_ms, first.messages), (second.elapsed_ms, second.messages));
        assert_eq!(first.schedule.kinds(), second.schedule.kinds());
    }
}

#[test]
fn liveness_is_missed_when_more_fail_than_may() {
    use cluster_core::{committee::OperatorId, dkg::Step, simulation};
    let crashes = vec![(OperatorId(10), Step::Deal, None), (OperatorId(17), Step::Deal, None)];
    let faults = simulation::Faults { crashes, ..simulation::Faults::default() };
    let mut simulation = simulation::Simulation::new(4, 1, faults, schedule::TIMING, 1).unwrap();
    simulation.run().unwrap();
    invariants::check_safety(&simulation).unwrap();
    let calm =
        (0..).map(|seed| schedule::Schedule::draw(seed, &simulation.ids())).find(|drawn| drawn.gone().is_empty());
    let violation = invariants::check_liveness(&simulation, &calm.unwrap()).unwrap_err();
    assert!(matches!(violation, invariants::Violation::NoKeys { .. }), "{violation}");
}

#[test]
fn a_plan_that_makes_no_sense_is_refused() {
    for (operators, validators) in [(5, 1), (4, 0), (4, 1_001)] {
        let plan = Plan { operators, validators, from: 1, seeds: 1 };
        assert!(run_all(&plan, &|_| {}).is_err());
    }
}
