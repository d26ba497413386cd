//! An operator repeats everything, asks without end and uses others' names.

use cluster_core::dkg::Behaviour;

use crate::{assert_honest_have_keys, support, villain, with_villain};

#[test]
fn answers_are_rationed_the_journal_stays_small_and_impersonation_is_a_fault_of_the_sender() {
    with_villain(Behaviour::Flood, |simulation| {
        assert_honest_have_keys(simulation);
        let members = simulation.ids().len();
        for id in simulation.honest() {
            let node = &simulation.nodes()[&id];
            assert!(node.faults.get(&villain()).is_some_and(|faults| faults.contains("impersonation")));
            assert!(node.faults.keys().all(|peer| *peer == villain()), "an honest operator was blamed");
            // One record for each kind of message of each member, with room for views, reports and relays.
            assert!(node.journal_len() < 20 * members, "seed {}: {}", simulation.seed, node.journal_len());
            assert!(node.sent < 3_000, "seed {}: {} messages", simulation.seed, node.sent);
        }
        support::assert_ready(simulation, &simulation.honest());
    });
}
