//! An operator sends partial signatures that are not by its share.

use cluster_core::dkg::{Behaviour, CulpritKind};

use crate::{assert_honest_have_keys, support, villain, with_villain};

#[test]
fn deposit_signatures_come_out_all_the_same_and_the_signer_is_named_when_its_part_was_used() {
    let mut named = 0;
    let count = std::cell::Cell::new(0);
    with_villain(Behaviour::BadPartialSignature, |simulation| {
        assert_honest_have_keys(simulation);
        if support::is_named(simulation, villain(), CulpritKind::BadPartial) {
            count.set(count.get() + 1);
        }
    });
    named += count.get();
    assert!(named > 0, "in no run was the bad part among the first t");
}
