//! What the events say, as a table of described steps; and only an owner's events act.

use crate::double::{self, Chain, Emitted, Transaction, CONTRACTS};
use cluster_core::{
    chain::{Facts, Ledger, Reason},
    committee::OperatorId,
};
use cluster_crypto::ethereum::Address;

/// Folds one event a block.
pub fn fold(events: Vec<Emitted>) -> Ledger {
    let mut chain = Chain::default();
    for (at, event) in events.into_iter().enumerate() {
        chain.mine(0, vec![Transaction::new(at as u64, vec![event])]);
    }
    let mut ledger = Ledger::new(CONTRACTS);
    for block in &chain.blocks {
        ledger.append(&block.header, &block.logs());
    }
    ledger
}

pub fn operators(owner: u8, ids: std::ops::RangeInclusive<u32>) -> Vec<Emitted> {
    ids.map(|id| double::operator(id, owner, &double::identity(id).to_bytes())).collect()
}

/// Operators 0 to 6 of wallet 9, cluster node 100 of wallet 1.
fn set_up() -> Vec<Emitted> {
    let mut events = operators(9, 0..=6);
    events.push(double::cluster_node(1, 100));
    events
}

/// Description, events after the set-up, what holds then, words of the event in quarantine (empty: none).
type Step = (&'static str, Vec<Emitted>, fn(&Facts) -> bool, &'static str);

const COMMITTEE: &[u32] = &[0, 1, 2, 3];

fn steps() -> Vec<Step> {
    use double::{cluster_node, exit, operator, operator_removal, paid, recipient, registration, removal, request};
    let registered = || registration(1, 5, COMMITTEE, 50);
    vec![
        ("operators are there, 0 too", vec![], |f| f.operators().len() == 7 && f.operator(OperatorId(0)).is_some(), ""),
        (
            "an id is given once",
            vec![operator(3, 8, &double::identity(50).to_bytes())],
            |f| f.operator(OperatorId(3)).unwrap().owner == double::wallet(9).address(),
            "operator 3 is registered already",
        ),
        (
            "a key is one operator's",
            vec![operator(7, 8, &double::identity(3).to_bytes())],
            |f| f.operator(OperatorId(7)).is_none(),
            "the public key is that of operator 3",
        ),
        ("an operator leaves", vec![operator_removal(6, 9)], |f| !f.operator(OperatorId(6)).unwrap().active, ""),
        (
            "a stranger removes an operator",
            vec![operator_removal(6, 8)],
            |f| f.operator(OperatorId(6)).unwrap().active,
            "operator 6 belongs to",
        ),
        (
            "the key of one that left may come back",
            vec![operator_removal(6, 9), operator(8, 9, &double::identity(6).to_bytes())],
            |f| f.operator_of_key(&double::identity(6)) == Some(OperatorId(8)),
            "",
        ),
        (
            "operators of a wallet are verified",
            vec![double::verified(9, true, true)],
            |f| f.operators().all(|(_, operator)| operator.verified && operator.from_dao),
            "",
        ),
        (
            "a gateway is one owner's",
            vec![cluster_node(2, 100)],
            |f| f.cluster_node(&double::identity(100)).unwrap().owner == double::wallet(1).address(),
            "registered by",
        ),
        (
            "a gateway is switched off",
            vec![double::switched(100, false)],
            |f| !f.cluster_node(&double::identity(100)).unwrap().active,
            "",
        ),
        ("a request", vec![request(1, 100, COMMITTEE, 3)], |f| f.requests().len() == 1, ""),
        (
            "a request for an operator that nobody knows",
            vec![request(1, 100, &[1, 2, 3, 40], 3)],
            |f| f.requests().len() == 0,
            "operator 40 is not registered",
        ),
        (
            "a request for an operator that left",
            vec![operator_removal(6, 9), request(1, 100, &[1, 2, 3, 6], 3)],
            |f| f.requests().len() == 0,
            "operator 6 was removed",
        ),
        (
            "a request for a gateway that nobody knows",
            vec![request(1, 101, COMMITTEE, 3)],
            |f| f.requests().len() == 0,
            "the cluster node is not registered",
        ),
        (
            "a validator",
            vec![registered()],
            |f| f.validator(&double::pubkey(5)).is_some_and(|v| v.is_registered() && v.paid_until_block == 50),
            "",
        ),
        (
            "its owner replaces the committee",
            vec![registered(), registration(1, 5, &[3, 4, 5, 6], 60)],
            |f| f.validator(&double::pubkey(5)).unwrap().operator_ids == [3, 4, 5, 6].map(OperatorId),
            "",
        ),
        (
            "a stranger registers it again",
            vec![registered(), registration(2, 5, &[3, 4, 5, 6], 60)],
            |f| f.validator(&double::pubkey(5)).unwrap().owner == double::wallet(1).address(),
            "belongs to",
        ),
        (
            "its owner removes it",
            vec![registered(), removal(1, 5)],
            |f| !f.validator(&double::pubkey(5)).unwrap().is_registered(),
            "",
        ),
        (
            "a stranger removes it",
            vec![registered(), removal(2, 5)],
            |f| f.validator(&double::pubkey(5)).unwrap().is_registered(),
            "belongs to",
        ),
        (
            "one that was removed is removed",
            vec![registered(), removal(1, 5), removal(1, 5)],
            |f| !f.validator(&double::pubkey(5)).unwrap().is_registered(),
            "is not registered",
        ),
        (
            "after its removal anyone may register it",
            vec![registered(), removal(1, 5), registration(2, 5, COMMITTEE, 70)],
            |f| f.validator(&double::pubkey(5)).unwrap().owner == double::wallet(2).address(),
            "",
        ),
        (
            "a payment",
            vec![registered(), paid(5, 99)],
            |f| f.validator(&double::pubkey(5)).unwrap().paid_until_block == 99,
            "",
        ),
        (
            "a payment before the registration",
            vec![paid(5, 99), registered()],
            |f| f.validator(&double::pubkey(5)).unwrap().paid_until_block == 50,
            "",
        ),
        ("its owner orders an exit", vec![registered(), exit(1, 100, &[vec![5; 48]])], |f| f.exits().len() == 1, ""),
        (
            "a stranger orders an exit",
            vec![registered(), exit(2, 100, &[vec![5; 48]])],
            |f| f.exits().len() == 0,
            "belongs to",
        ),
        (
            "an order with one validator of somebody else is no order",
            vec![registered(), registration(2, 6, COMMITTEE, 50), exit(1, 100, &[vec![5; 48], vec![6; 48]])],
            |f| f.exits().len() == 0,
            "belongs to",
        ),
        (
            "a fee recipient of an owner",
            vec![registered(), recipient(1, 0x11)],
            |f| f.fee_recipient(&double::pubkey(5)) == Some(Address([0x11; 20])),
            "",
        ),
        (
            "a stranger's fee recipient",
            vec![registered(), recipient(2, 0x11)],
            |f| f.fee_recipient(&double::pubkey(5)).is_none(),
            "",
        ),
        (
            "one validator's own goes before it",
            vec![registered(), recipient(1, 0x11), double::validator_recipient(1, 5, 0x12)],
            |f| f.fee_recipient(&double::pubkey(5)) == Some(Address([0x12; 20])),
            "",
        ),
        (
            "set before the registration",
            vec![double::validator_recipient(1, 5, 0x12), registered()],
            |f| f.fee_recipient(&double::pubkey(5)) == Some(Address([0x12; 20])),
            "",
        ),
        (
            "a stranger sets one validator's",
            vec![registered(), double::validator_recipient(2, 5, 0x12)],
            |f| f.fee_recipient(&double::pubkey(5)).is_none(),
            "",
        ),
        (
            "taken back",
            vec![
                registered(),
                recipient(1, 0x11),
                double::validator_recipient(1, 5, 0x12),
                double::validator_recipient(1, 5, 0),
            ],
            |f| f.fee_recipient(&double::pubkey(5)) == Some(Address([0x11; 20])),
            "",
        ),
        ("malformed", vec![operator(9, 9, &[7; 20])], |f| f.operators().len() == 7, "publicKey has 20 bytes"),
    ]
}

#[test]
fn events_act_as_described_and_only_for_the_owner() {
    for (description, events, holds, words) in steps() {
        let ledger = fold(set_up().into_iter().chain(events).collect());
        assert!(holds(ledger.facts()), "{description}");
        let kept: Vec<String> = ledger.facts().quarantine().map(|event| event.words.clone()).collect();
        if words.is_empty() {
            assert_eq!(kept, Vec::<String>::new(), "{description}");
        } else {
            assert_eq!(kept.len(), 1, "{description}: {kept:?}");
            assert!(kept[0].contains(words), "{description}: {kept:?}");
        }
    }
}

#[test]
fn what_waited_for_an_operator_acts_when_it_comes_and_overtakes_nothing() {
    let mut events = operators(9, 0..=2);
    events.push(double::cluster_node(1, 100));
    // Both wait for operator 3; the removal waits for the registration.
    events.push(double::registration(1, 5, COMMITTEE, 50));
    events.push(double::registration(1, 6, COMMITTEE, 50));
    events.push(double::removal(1, 6));
    events.push(double::request(1, 100, COMMITTEE, 2));
    let waiting = fold(events.clone());
    assert_eq!(waiting.facts().quarantine().filter(|event| event.reason == Reason::Waits).count(), 4);
    assert_eq!(waiting.facts().validators().len(), 0);
    events.extend(operators(9, 3..=3));
    let came = fold(events.clone());
    assert_eq!(came.facts().quarantine().len(), 0);
    assert!(came.facts().validator(&double::pubkey(5)).unwrap().is_registered());
    assert!(!came.facts().validator(&double::pubkey(6)).unwrap().is_registered());
    let (_, request) = came.facts().requests().next().unwrap();
    assert_eq!(request.block_number, 7);
    assert_eq!(request.request.deadline, 1_700_000_000 + 12 * 7 + 7 * 24 * 3600);

    // A newer registration of the validator is not undone by the one that waited.
    let mut overtaken = operators(9, 0..=2);
    overtaken.extend(operators(9, 4..=6));
    overtaken.push(double::registration(1, 5, COMMITTEE, 50));
    overtaken.push(double::registration(1, 5, &[0, 4, 5, 6], 60));
    overtaken.extend(operators(9, 3..=3));
    let ledger = fold(overtaken);
    assert_eq!(ledger.facts().validator(&double::pubkey(5)).unwrap().operator_ids, [0, 4, 5, 6].map(OperatorId));
    assert_eq!(ledger.facts().quarantine().len(), 1);
}

#[test]
fn a_removal_before_the_registration_is_not_tried_again() {
    let mut events = set_up();
    events.push(double::removal(1, 5));
    events.push(double::registration(1, 5, COMMITTEE, 50));
    events.extend(operators(9, 7..=7));
    let ledger = fold(events);
    assert!(ledger.facts().validator(&double::pubkey(5)).unwrap().is_registered());
    assert_eq!(ledger.facts().quarantine().len(), 1);
}

#[test]
fn the_quarantine_is_bounded_and_says_what_it_turns_away() {
    let mut chain = Chain::default();
    let events: Vec<Emitted> = (0..4_100).map(|_| double::operator(9, 9, &[7; 20])).collect();
    chain.mine(0, vec![Transaction::new(1, events)]);
    let mut ledger = Ledger::new(CONTRACTS);
    let commit = ledger.append(&chain.blocks[0].header, &chain.blocks[0].logs());
    assert_eq!(ledger.facts().quarantine().len(), 4_096);
    assert_eq!(commit.unkept.len(), 4);
    assert_eq!(commit.changes.len(), 4_096);
}
