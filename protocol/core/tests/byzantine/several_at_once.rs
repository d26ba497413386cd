//! As many misbehaving operators as a committee tolerates, of every pair of kinds, and one too many.

use std::collections::BTreeMap;

use cluster_core::{dkg::Behaviour, simulation::Faults};

use crate::support::{calm, operator, run, seeds};

#[test]
fn two_of_seven_of_every_pair_of_kinds_do_not_stop_the_others() {
    for seed in seeds(1) {
        for (position, first) in Behaviour::ALL.into_iter().enumerate() {
            for second in Behaviour::ALL.into_iter().skip(position) {
                let byzantine = BTreeMap::from([(operator(2), first), (operator(5), second)]);
                let simulation = run(7, 1, Faults { byzantine, ..calm() }, seed);
                for id in simulation.honest() {
                    let node = &simulation.nodes()[&id];
                    assert!(node.outcome.is_some(), "seed {seed}, {first} and {second}: {:?}", node.abort);
                }
            }
        }
    }
}

#[test]
fn two_of_four_are_too_many_and_the_abort_names_them() {
    for seed in seeds(2) {
        for behaviour in [Behaviour::WrongDegree, Behaviour::WrongShare, Behaviour::Silent] {
            let byzantine = BTreeMap::from([(operator(2), behaviour), (operator(4), behaviour)]);
            let simulation = run(4, 1, Faults { byzantine, ..calm() }, seed);
            for id in simulation.honest() {
                let node = &simulation.nodes()[&id];
                let report = node.abort.as_ref().unwrap_or_else(|| panic!("seed {seed}, {behaviour}: no abort"));
                for villain in [operator(2), operator(4)] {
                    assert!(
                        report.culprits.iter().any(|culprit| culprit.operator_id == villain),
                        "seed {seed}, {behaviour}: {report:?}"
                    );
                }
            }
        }
    }
}
