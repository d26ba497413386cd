//! A dealer seals bytes to one operator that nobody can open.

use cluster_core::dkg::{Behaviour, CulpritKind};

use crate::{assert_excluded, assert_honest_have_keys, assert_named, with_villain};

#[test]
fn the_victim_proves_it_and_the_dealer_is_out() {
    with_villain(Behaviour::UndecryptableShare, |simulation| {
        assert_honest_have_keys(simulation);
        assert_excluded(simulation);
        assert_named(simulation, CulpritKind::WrongShare);
    });
}
