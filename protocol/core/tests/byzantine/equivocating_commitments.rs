//! A dealer sends different commitments to different operators.

use cluster_core::dkg::{Behaviour, CulpritKind};

use crate::{assert_excluded, assert_honest_have_keys, assert_named, with_villain};

#[test]
fn two_signed_dealings_are_evidence_before_any_share_is_used() {
    with_villain(Behaviour::EquivocatingCommitments, |simulation| {
        assert_honest_have_keys(simulation);
        assert_excluded(simulation);
        assert_named(simulation, CulpritKind::Equivocation);
    });
}
