//! A dealer commits to polynomials of a higher degree, which would raise the threshold and lock the key.

use cluster_core::dkg::{Behaviour, CulpritKind};

use crate::{assert_excluded, assert_honest_have_keys, assert_named, with_villain};

#[test]
fn the_number_of_commitments_is_checked_first() {
    with_villain(Behaviour::WrongDegree, |simulation| {
        assert_honest_have_keys(simulation);
        assert_excluded(simulation);
        assert_named(simulation, CulpritKind::InvalidDealing);
    });
}
