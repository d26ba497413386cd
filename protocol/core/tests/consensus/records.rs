//! What stays the same: times of rounds, leaders, wire bytes.

use std::collections::BTreeSet;

use cluster_core::{
    committee::Committee,
    consensus::{digest, leader, Justification, Message, Timetable, MAX_MESSAGE_BYTES, MAX_ROUND},
    duty::{InstanceId, InstanceKind},
    machine::Time,
};
use proptest::prelude::*;

use crate::support::{digest_of, value, Bench, START};

#[test]
fn rounds_begin_at_fixed_times() {
    let begins = |f: usize, rounds: u32| -> Vec<u64> {
        let timetable = Timetable::new(START, 100, f);
        (1..=rounds).map(|round| timetable.begins(round).since(START)).collect()
    };
    assert_eq!(begins(1, 9), [0, 100, 200, 400, 800, 1_600, 2_400, 3_200, 4_000]);
    assert_eq!(begins(2, 9), [0, 100, 200, 300, 500, 900, 1_700, 2_500, 3_300]);
    assert_eq!(begins(4, 9), [0, 100, 200, 300, 400, 500, 700, 1_100, 1_900]);
}

proptest! {
    #[test]
    fn the_round_at_a_time_is_the_last_that_has_begun(
        start in 0..u64::MAX,
        round_ms in 0..1_000_000_000_000u64,
        f in 1..5usize,
        now in any::<u64>(),
    ) {
        let timetable = Timetable::new(Time(start), round_ms, f);
        let round = timetable.round_at(Time(now));
        prop_assert!((1..=MAX_ROUND).contains(&round));
        prop_assert!(round == 1 || timetable.begins(round) <= Time(now));
        prop_assert!(round == MAX_ROUND || timetable.begins(round + 1) > Time(now));
    }

    /// Bytes from outside never panic; what decodes encodes to the same bytes.
    #[test]
    fn arbitrary_bytes_are_refused_or_mean_one_message(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(message) = Message::decode(&bytes, MAX_MESSAGE_BYTES) {
            prop_assert_eq!(message.encode(), bytes);
        }
    }
}

#[test]
fn leaders_rotate_by_slot_and_round_and_differ_between_the_instances_of_a_slot() {
    let bench = Bench::new(0);
    let committee: &Committee = &bench.committee;
    for slot in [0, 5, u64::MAX] {
        let instance = |kind| InstanceId { slot: cluster_core::beacon::Slot(slot), kind, ..bench.config.instance };
        let by_kind: BTreeSet<_> =
            InstanceKind::ALL.iter().map(|kind| leader(committee, &instance(*kind), 1)).collect();
        assert_eq!(by_kind.len(), 3, "slot {slot}");
        let attestation = instance(InstanceKind::Attestation);
        let by_round: BTreeSet<_> = (1..=4).map(|round| leader(committee, &attestation, round)).collect();
        assert_eq!(by_round.len(), 4, "slot {slot}");
        let next = InstanceId { slot: cluster_core::beacon::Slot(slot.wrapping_add(1)), ..attestation };
        assert_eq!(leader(committee, &next, 1), leader(committee, &attestation, 2), "slot {slot}");
    }
}

/// One message of each kind, from fixed keys; signatures are deterministic.
fn messages() -> Vec<(&'static str, Message)> {
    let bench = Bench::new(0);
    let quorum = &[0, 1, 2];
    let justification = bench.justification(2, Some(bench.prepared(1, 'A', quorum)), quorum);
    vec![
        ("propose", bench.propose(0, 1, 'A', Justification::default())),
        ("propose again", bench.propose(1, 2, 'A', justification)),
        ("prepare", bench.prepare(1, 1, 'A')),
        ("commit", bench.commit(1, 1, 'A')),
        ("change", bench.change(1, 2, None)),
        ("change with claim", bench.change(1, 2, Some(bench.prepared(1, 'A', quorum)))),
        ("decided", Message::Decided(bench.certificate(1, 'A', quorum).into())),
        ("want", Message::Want(digest_of('A'))),
        ("value", Message::Value { digest: digest_of('A'), value: value('A') }),
        ("query", Message::Query),
    ]
}

/// Length and digest of the bytes. A change here is a new version of the protocol.
const FROZEN: &[(&str, usize, &str)] = &[
    ("propose", 137, "57b9f7f9a1a9f92d"),
    ("propose again", 724, "20187ce621b6d4b0"),
    ("prepare", 112, "6ef950a348e34362"),
    ("commit", 112, "9377520f38f0632e"),
    ("change", 82, "38958bd9d360071a"),
    ("change with claim", 366, "ebb3b2ec8625f466"),
    ("decided", 252, "4ba30ca26aecc219"),
    ("want", 36, "9b8d777ad997d8e1"),
    ("value", 51, "f648063f804015c0"),
    ("query", 4, "8f07429364daf513"),
];

#[test]
fn wire_bytes_are_frozen() {
    let found: Vec<(&str, usize, String)> = messages()
        .into_iter()
        .map(|(name, message)| {
            let bytes = message.encode();
            assert_eq!(Message::decode(&bytes, bytes.len()).unwrap(), message, "{name}");
            assert!(Message::decode(&bytes, bytes.len() - 1).is_err(), "{name}: one byte over the limit");
            (name, bytes.len(), hex::encode(&digest(&bytes)[..8]))
        })
        .collect();
    let frozen: Vec<_> = FROZEN.iter().map(|(name, len, hash)| (*name, *len, (*hash).to_owned())).collect();
    assert_eq!(found, frozen, "{found:#?}");
}

#[test]
fn a_declared_length_allocates_nothing() {
    // A value message that announces 2^60 bytes.
    let mut bytes = Message::Value { digest: digest_of('A'), value: value('A') }.encode();
    bytes[36..44].copy_from_slice(&(1u64 << 60).to_le_bytes());
    assert!(Message::decode(&bytes, MAX_MESSAGE_BYTES).is_err());
}
