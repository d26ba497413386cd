//! An operator waits until it has seen another's commitments before it fixes its own, to choose the key.

use std::collections::BTreeMap;

use cluster_core::{dkg::Behaviour, simulation::Faults};

use crate::{assert_excluded, assert_honest_have_keys, support, villain, with_villain};

#[test]
fn a_commit_that_nobody_had_seen_before_revealing_does_not_count() {
    // With equal latencies all reveal at one moment, so the villain's commit is later than every honest reveal.
    for seed in support::seeds(3) {
        for operators in [4, 7] {
            let byzantine = BTreeMap::from([(villain(), Behaviour::LastMover)]);
            let faults = Faults { byzantine, min_latency_ms: 10, max_latency_ms: 10, ..Faults::default() };
            let simulation = support::run(operators, 2, faults, seed);
            assert_honest_have_keys(&simulation);
            assert_excluded(&simulation);
        }
    }
}

#[test]
fn it_does_not_stop_the_others_on_a_bad_network() {
    with_villain(Behaviour::LastMover, assert_honest_have_keys);
}
