//! A dealer names another dealer's ephemeral key, so that complaints would open that dealer's shares.

use cluster_core::dkg::{Behaviour, CulpritKind};

use crate::{assert_excluded, assert_honest_have_keys, assert_named, with_villain};

#[test]
fn the_key_must_be_proven_for_dealer_and_ceremony() {
    with_villain(Behaviour::CopiedEphemeralKey, |simulation| {
        assert_honest_have_keys(simulation);
        assert_excluded(simulation);
        assert_named(simulation, CulpritKind::InvalidDealing);
    });
}
