//! One file for each misbehaviour: what the honest operators do about it, over many seeds and committee sizes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod bad_partial_signature;
mod copied_ephemeral_key;
mod double_vote;
mod equivocating_commitments;
mod false_complaint;
mod flood;
mod identity_point;
mod last_mover;
mod replayed_proof;
mod several_at_once;
mod silent;
mod slow;
mod undecryptable_share;
mod wrong_degree;
mod wrong_share;

use std::collections::BTreeMap;

use cluster_core::{
    certificate::Readiness,
    committee::OperatorId,
    dkg::{Behaviour, CulpritKind},
    simulation::{Faults, Simulation},
};

/// The misbehaving operator of these tests.
fn villain() -> OperatorId {
    support::operator(3)
}

/// Runs ceremonies with one misbehaving operator, over seeds, sizes and good and bad networks.
fn with_villain(behaviour: Behaviour, check: impl Fn(&Simulation)) {
    for seed in support::seeds(3) {
        for operators in [4, 7] {
            for loss_permille in [0, 100] {
                let byzantine = BTreeMap::from([(villain(), behaviour)]);
                let faults = Faults { byzantine, loss_permille, ..support::calm() };
                let simulation = support::run(operators, 2, faults, seed);
                check(&simulation);
            }
        }
    }
}

/// Every honest operator has the keys, whether or not the villain attested too.
fn assert_honest_have_keys(simulation: &Simulation) {
    for id in simulation.honest() {
        let node = &simulation.nodes()[&id];
        let seed = simulation.seed;
        let outcome =
            node.outcome.as_ref().unwrap_or_else(|| panic!("seed {seed}: operator {}: {:?}", id.0, node.abort));
        if let Readiness::Incomplete { missing } = &outcome.readiness {
            assert_eq!(missing, &[villain()], "seed {seed}: operator {}", id.0);
        }
    }
}

/// The dealing of the villain is in nobody's keys.
fn assert_excluded(simulation: &Simulation) {
    for id in simulation.honest() {
        let outcome = simulation.nodes()[&id].outcome.as_ref().unwrap();
        let qualified = &outcome.certificate.transcript.qualified;
        assert!(qualified.iter().all(|(dealer, _)| *dealer != villain()), "seed {}", simulation.seed);
    }
}

/// Somebody honest holds proof against the villain.
fn assert_named(simulation: &Simulation, kind: CulpritKind) {
    assert!(support::is_named(simulation, villain(), kind), "seed {}: nobody names the villain", simulation.seed);
}
