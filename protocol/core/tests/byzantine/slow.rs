//! An operator's messages all come seconds late, later than the others wait.

use cluster_core::dkg::Behaviour;

use crate::{assert_honest_have_keys, support, with_villain};

#[test]
fn the_others_go_on_and_it_completes_in_the_end() {
    with_villain(Behaviour::Slow, |simulation| {
        assert_honest_have_keys(simulation);
        support::assert_ready(simulation, &simulation.honest());
    });
}
