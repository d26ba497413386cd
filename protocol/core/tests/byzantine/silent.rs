//! An operator sends nothing at all.

use cluster_core::dkg::{Behaviour, CulpritKind};

use crate::{assert_excluded, assert_honest_have_keys, assert_named, support, villain, with_villain};

#[test]
fn the_ceremony_ends_without_it_in_bounded_time_and_names_it() {
    with_villain(Behaviour::Silent, |simulation| {
        assert_honest_have_keys(simulation);
        assert_excluded(simulation);
        assert_named(simulation, CulpritKind::Silent);
        support::assert_incomplete(simulation, &simulation.honest(), &[villain()]);
        assert!(simulation.elapsed_ms() <= support::TIMING.ceremony_ms);
    });
}
