//! Duties in virtual time: broken protection is found out, so the checker can fail; sound protection keeps duties going; and a
//! seed means one run. The million duties are in `testnet/tests/simulated_duties.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use cluster_core::duty_simulation::{
    checker::{Rule, Signatory},
    run, run_with, Control, Faults, Outcome, Plan,
};

const SEEDS: std::ops::RangeInclusive<u64> = 1..=6;

fn plan(control: Control) -> Plan {
    Plan { operators: 4, per_slot: 24, epochs: 7, control }
}

fn outcomes(control: Control) -> Vec<Outcome> {
    SEEDS.map(|seed| run(&plan(control), seed).unwrap()).collect()
}

fn rules(outcomes: &[Outcome]) -> BTreeSet<Rule> {
    outcomes.iter().flat_map(|outcome| &outcome.violations).map(|story| story.violation.rule).collect()
}

/// In most seeds: some have so few faults, or so many, that nothing comes of it.
#[test]
fn every_broken_protection_is_found_out_and_its_story_told() {
    for control in Control::ALL {
        let outcomes = outcomes(control);
        let found = outcomes.iter().filter(|outcome| outcome.slashable > 0).count();
        assert!(found * 2 >= outcomes.len(), "{control:?}: found out in {found} of {} runs", outcomes.len());
        for outcome in outcomes.iter().filter(|outcome| outcome.slashable > 0) {
            let story = &outcome.violations[0];
            let told = story.lines.iter().filter(|line| line.contains("signs")).count();
            assert!(told >= 1, "{control:?}, seed {}: {}\n{:#?}", outcome.seed, story.violation, story.lines);
        }
    }
}

#[test]
fn one_operator_alone_endangers_its_share_and_not_the_validator() {
    for control in [Control::OldBackup, Control::TwoInstances] {
        for outcome in outcomes(control) {
            assert_eq!(outcome.validators_slashable, 0, "{control:?}, seed {}", outcome.seed);
            let shares: BTreeSet<String> =
                outcome.violations.iter().map(|story| format!("{:?}", story.violation.signatory)).collect();
            assert!(shares.len() <= 1, "{control:?}, seed {}: {shares:?}", outcome.seed);
        }
    }
}

#[test]
fn without_any_check_validators_break_every_rule() {
    let outcomes = outcomes(Control::NoCheck);
    let whole: u64 = outcomes.iter().map(|outcome| outcome.validators_slashable).sum();
    assert!(whole > 0);
    assert_eq!(rules(&outcomes), BTreeSet::from([Rule::DoubleVote, Rule::SurroundVote, Rule::DoubleProposal]));
    let share = |outcome: &&Outcome| matches!(outcome.violations[0].violation.signatory, Signatory::Share(_));
    assert!(outcomes.iter().filter(|outcome| outcome.slashable > 0).all(|outcome| share(&outcome)));
}

#[test]
fn with_a_quorum_that_is_up_every_duty_is_signed() {
    for (operators, absent) in [(4, vec![]), (4, vec![2]), (7, vec![0, 5])] {
        let plan = Plan { operators, per_slot: 24, epochs: 3, control: Control::None };
        let outcome = run_with(&plan, Faults { absent: absent.clone(), ..Faults::none() }, 1).unwrap();
        assert_eq!(outcome.votes, outcome.duties, "{operators} operators without {absent:?}");
        // Blocks wait for nobody's beacon node to build again: a slot with an absent first leader may go without.
        assert!(outcome.blocks * 2 > 3 * 8, "{operators} operators without {absent:?}: {} blocks", outcome.blocks);
        assert_eq!(outcome.slashable, 0);
    }
}

#[test]
fn a_seed_means_one_run() {
    let figures = |seed| {
        let outcome = run(&plan(Control::None), seed).unwrap();
        (outcome.votes, outcome.blocks, outcome.partials, outcome.crashes, outcome.refusals)
    };
    assert_eq!(figures(3), figures(3));
    assert_ne!(figures(3), figures(4));
}

#[test]
fn a_plan_that_makes_no_sense_is_refused() {
    for plan in [Plan { operators: 5, ..plan(Control::None) }, Plan { per_slot: 0, ..plan(Control::None) }] {
        assert!(run(&plan, 1).is_err());
    }
}
