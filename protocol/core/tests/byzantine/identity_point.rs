//! A dealer commits to the point at infinity.

use cluster_core::dkg::{Behaviour, CulpritKind};

use crate::{assert_excluded, assert_honest_have_keys, assert_named, with_villain};

#[test]
fn the_dealing_is_refused_by_everyone() {
    with_villain(Behaviour::IdentityPoint, |simulation| {
        assert_honest_have_keys(simulation);
        assert_excluded(simulation);
        assert_named(simulation, CulpritKind::InvalidDealing);
    });
}
