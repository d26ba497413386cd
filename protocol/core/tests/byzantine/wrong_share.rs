//! A dealer seals a share to one operator that does not match its commitments.

use cluster_core::dkg::{Behaviour, CulpritKind};

use crate::{assert_excluded, assert_honest_have_keys, assert_named, with_villain};

#[test]
fn the_victim_opens_the_share_to_everyone_and_the_dealer_is_out() {
    with_villain(Behaviour::WrongShare, |simulation| {
        assert_honest_have_keys(simulation);
        assert_excluded(simulation);
        assert_named(simulation, CulpritKind::WrongShare);
    });
}
