//! A dealer proves knowledge of its constant terms with a proof made for another ceremony.

use cluster_core::dkg::{Behaviour, CulpritKind};

use crate::{assert_excluded, assert_honest_have_keys, assert_named, with_villain};

#[test]
fn the_proof_is_bound_to_its_ceremony() {
    with_villain(Behaviour::ReplayedProof, |simulation| {
        assert_honest_have_keys(simulation);
        assert_excluded(simulation);
        assert_named(simulation, CulpritKind::InvalidDealing);
    });
}
