//! An operator complains about a share that is right.

use cluster_core::dkg::{Behaviour, CulpritKind};

use crate::{assert_honest_have_keys, assert_named, support, with_villain};

#[test]
fn the_accuser_is_proven_wrong_and_the_dealer_stays() {
    with_villain(Behaviour::FalseComplaint, |simulation| {
        assert_honest_have_keys(simulation);
        assert_named(simulation, CulpritKind::FalseComplaint);
        for id in simulation.honest() {
            let node = &simulation.nodes()[&id];
            let honest = simulation.honest();
            let qualified = &node.outcome.as_ref().unwrap().certificate.transcript.qualified;
            assert!(honest.iter().all(|dealer| qualified.iter().any(|(member, _)| member == dealer)));
            assert!(support::culprits(node).all(|culprit| !honest.contains(&culprit.operator_id)));
        }
    });
}
