//! An operator votes for two sets of dealers in one view, to split the others.

use cluster_core::dkg::{Behaviour, CulpritKind};

use crate::{assert_honest_have_keys, assert_named, with_villain};

#[test]
fn the_others_agree_and_hold_both_votes() {
    with_villain(Behaviour::DoubleVote, |simulation| {
        assert_honest_have_keys(simulation);
        assert_named(simulation, CulpritKind::Equivocation);
    });
}
