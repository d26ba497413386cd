//! Nobody lies: absences, differing lists, losses, restarts.

use cluster_core::{
    committee::OperatorId,
    machine::{Machine as _, Recipient},
    signing::{Item, Machine, Message, Missing, Output, StartError, MAX_ITEMS},
};

use crate::committee::{Keys, Net, Weather, A, B, RETRY_MS, SIZES, START};

fn wants(net: &Net<'_>) -> usize {
    net.nodes.iter().flat_map(|node| &node.sent).filter(|(_, message)| matches!(message, Message::Want(_))).count()
}

#[test]
fn every_size_signs_everything_with_one_message_of_each_operator() {
    for n in SIZES {
        let keys = Keys::new(n, 5, 1);
        let mut items = keys.slot(A);
        items.extend([keys.item(2, B), keys.item(4, [7; 32])]);
        let mut net = Net::all(&keys, &items, Weather { max_latency_ms: 50, ..Weather::default() }, n as u64);
        net.run(60_000);
        for operator in 0..n {
            net.assert_all_signed(operator);
            assert_eq!(net.nodes[operator].signed, net.nodes[0].signed);
            assert!(net.nodes[operator].done.unwrap() <= START.plus_ms(50));
            assert_eq!(net.nodes[operator].bad, []);
            assert_eq!(net.nodes[operator].faults, []);
            let participants: Vec<_> = net.machine(operator).participants().iter().map(|(id, _)| *id).collect();
            assert_eq!(participants, keys.ids);
            assert_eq!(net.machine(operator).missing(), []);
            assert_eq!(net.machine(operator).deadline(), None);
            let [(receivers, Message::Partials(groups))] = net.nodes[operator].sent.as_slice() else {
                panic!("one message, and no need to ask")
            };
            assert_eq!((*receivers, groups.len()), (n - 1, 3), "a root travels once");
        }
    }
}

#[test]
fn one_operator_too_few_never_signs_and_the_absent_are_known() {
    for n in SIZES {
        let keys = Keys::new(n, 2, 2);
        let few = keys.threshold.t() - 1;
        let items = keys.slot(A);
        let mut net = Net::new(&keys, Weather::default(), 1);
        for operator in 0..few {
            net.start(operator, items.clone(), keys.own(operator, &items));
        }
        net.run(60_000);
        // Everything again, many times.
        for _ in 0..3 {
            for (from, to) in (0..few).flat_map(|from| (0..few).map(move |to| (from, to))).filter(|(a, b)| a != b) {
                let message = net.nodes[from].sent[0].1.encode();
                net.deliver(from, to, &message);
            }
        }
        for operator in 0..few {
            assert!(net.verified(operator).is_empty());
            assert_eq!(net.nodes[operator].done, None);
            let without = keys.ids[few..].to_vec();
            let expected: Vec<_> = (0..2).map(|item| Missing { item, without: without.clone() }).collect();
            assert_eq!(net.machine(operator).missing(), expected);
        }
        // The last one that is needed comes late.
        net.start(few, items.clone(), keys.own(few, &items));
        net.run(120_000);
        (0..=few).for_each(|operator| net.assert_all_signed(operator));
    }
}

/// Every operator lacks another validator, and one has decided for another root of validator 0.
#[test]
fn lists_may_differ() {
    let keys = Keys::new(7, 7, 3);
    let mut net = Net::new(&keys, Weather { max_latency_ms: 100, ..Weather::default() }, 3);
    for operator in 0..7 {
        let known = (0..7).filter(|k| *k != operator);
        let items: Vec<Item> = known.map(|k| keys.item(k, if operator == 6 && k == 0 { B } else { A })).collect();
        let own = keys.own(operator, &items);
        net.start(operator, items, own);
    }
    net.run(60_000);
    for operator in 0..7 {
        if operator == 6 {
            let of_others: Vec<_> = net.machine(6).missing().iter().map(|missing| missing.item).collect();
            assert_eq!(of_others, [0], "nobody else signs that root");
            assert_eq!(net.verified(6).len(), 5);
        } else {
            net.assert_all_signed(operator);
        }
        assert_eq!((net.nodes[operator].bad.as_slice(), net.nodes[operator].faults.as_slice()), (&[][..], &[][..]));
    }
}

/// An item that only t - 1 list, or have signed, stays open; the others do not wait for it.
#[test]
fn items_with_too_few_signers_do_not_stop_the_others() {
    let keys = Keys::new(4, 3, 4);
    let items = keys.slot(A);
    let mut net = Net::new(&keys, Weather::default(), 4);
    for operator in 0..4 {
        let mut own = keys.own(operator, &items);
        if operator < 2 {
            own[1] = None;
        }
        net.start(operator, items.clone(), own);
    }
    net.run(60_000);
    for operator in 0..4 {
        assert_eq!(net.verified(operator), [0, 2]);
        let missing = Missing { item: 1, without: keys.ids[..2].to_vec() };
        assert_eq!(net.machine(operator).missing(), [missing]);
    }
}

#[test]
fn an_operator_without_partials_combines_those_of_others() {
    let keys = Keys::new(4, 2, 5);
    let items = keys.slot(A);
    let mut net = Net::new(&keys, Weather::default(), 5);
    net.start(0, items.clone(), vec![None; 2]);
    (1..4).for_each(|operator| net.start(operator, items.clone(), keys.own(operator, &items)));
    net.run(60_000);
    net.assert_all_signed(0);
    assert!(net.nodes[0].sent.is_empty());
    assert_eq!(net.machine(1).participants().iter().map(|(id, _)| *id).collect::<Vec<_>>(), keys.ids[1..]);
}

#[test]
fn what_is_lost_is_asked_for_and_nothing_else() {
    for n in SIZES {
        let keys = Keys::new(n, 3, 6);
        let items = keys.slot(A);
        for seed in 0..5 {
            let weather =
                Weather { max_latency_ms: 200, loss_permille: 300, double_permille: 200, ..Weather::default() };
            let mut net = Net::all(&keys, &items, weather, seed);
            net.run(120_000);
            (0..n).for_each(|operator| net.assert_all_signed(operator));
            assert!(net.nodes.iter().all(|node| node.faults.is_empty() && node.bad.is_empty()), "seed {seed}");
        }
        // One direction of f links of an operator never works: the others suffice.
        let one_way = (1..=keys.threshold.f()).map(|from| (from, 0)).collect();
        let mut net = Net::all(&keys, &items, Weather { one_way, ..Weather::default() }, 7);
        net.run(60_000);
        assert!((0..n).all(|operator| net.nodes[operator].done == Some(START)));
        assert_eq!(wants(&net), 0);
    }
}

/// All first messages to one operator are lost: it asks each peer once, for everything, after the retry time.
#[test]
fn a_pull_brings_everything_in_one_message_of_each_peer() {
    let keys = Keys::new(4, 3, 8);
    let items = keys.slot(A);
    let cut = (1..4).map(|from| (from, 0)).collect();
    let mut net = Net::all(&keys, &items, Weather { one_way: cut, ..Weather::default() }, 8);
    net.run(RETRY_MS - 1);
    assert!(net.verified(0).is_empty());
    net.weather.one_way.clear();
    net.run(60_000);
    net.assert_all_signed(0);
    assert_eq!(net.nodes[0].done, Some(START.plus_ms(RETRY_MS)));
    assert_eq!(wants(&net), 3);
    let asked = net.nodes[0].sent.iter().filter(|(_, message)| *message == Message::Want(Vec::new()));
    assert_eq!(asked.count(), 3);
}

#[test]
fn a_late_starter_and_a_restarted_operator_catch_up_by_asking() {
    let keys = Keys::new(4, 3, 9);
    let items = keys.slot(A);
    let mut net = Net::new(&keys, Weather::default(), 9);
    (0..3).for_each(|operator| net.start(operator, items.clone(), keys.own(operator, &items)));
    net.run(5_000);
    (0..3).for_each(|operator| net.assert_all_signed(operator));
    net.start(3, items.clone(), keys.own(3, &items));
    net.run(5_000 + RETRY_MS);
    net.assert_all_signed(3);
    assert!((0..3).all(|operator| net.machine(operator).participants().len() == 4), "the late one took part");

    let before = std::mem::take(&mut net.nodes[1]);
    net.start(1, items.clone(), keys.own(1, &items));
    net.run(20_000);
    net.assert_all_signed(1);
    assert_eq!(net.nodes[1].signed, before.signed);
    assert_eq!(net.nodes[1].sent[0], before.sent[0], "the same partials again");
    assert!(net.nodes.iter().all(|node| node.faults.is_empty()));
}

#[test]
fn intervals_between_questions_grow_and_end_with_the_exchange() {
    let keys = Keys::new(4, 1, 10);
    let items = keys.slot(A);
    let mut machine = keys.machine(0, &items, keys.own(0, &items), START);
    let mut gaps = Vec::new();
    let mut now = START;
    for _ in 0..6 {
        let deadline = machine.deadline().unwrap();
        gaps.push(deadline.since(now) / RETRY_MS);
        now = deadline;
        machine.on_deadline(now);
    }
    assert_eq!(gaps, [1, 2, 4, 8, 8, 8]);
    let to = |output: Output| match output {
        Output::Send { to, .. } => to,
        other => panic!("{other:?}"),
    };
    assert_eq!(to(machine.poll().unwrap()), Recipient::All);
    let asked: Vec<_> = std::iter::from_fn(|| machine.poll()).map(to).collect();
    let round = keys.ids[1..].iter().map(|id| Recipient::One(*id));
    assert_eq!(asked, round.cycle().take(18).collect::<Vec<_>>());
}

#[test]
fn arguments_that_do_not_fit_are_refused_in_words() {
    let keys = Keys::new(4, 2, 11);
    let items = keys.slot(A);
    let start = |me, items: Vec<Item>, own| {
        Machine::start(keys.id(), keys.committee.clone(), me, items, own, RETRY_MS, START).err().unwrap()
    };
    let me = keys.ids[0];
    assert_eq!(start(OperatorId(1), items.clone(), vec![None; 2]), StartError::NotInCommittee { me: OperatorId(1) });
    assert_eq!(start(me, items.clone(), vec![None; 3]), StartError::OwnLength { items: 2, own: 3 });
    let many = vec![items[0].clone(); MAX_ITEMS + 1];
    let own = vec![None; MAX_ITEMS + 1];
    assert_eq!(start(me, many, own), StartError::TooMany { items: MAX_ITEMS + 1 });
    let twice = vec![items[0].clone(), items[1].clone(), items[0].clone()];
    assert_eq!(start(me, twice, vec![None; 3]), StartError::Duplicate { first: 0, second: 2 });
    let mut short = items.clone();
    short[1].share_keys = short[1].share_keys[1..].into();
    assert_eq!(start(me, short, vec![None; 2]), StartError::ShareKeys { item: 1, keys: 3, operators: 4 });
    let mut nothing = keys.machine(0, &[], Vec::new(), START);
    assert!(matches!(nothing.poll(), Some(Output::Done)));
    assert!(nothing.deadline().is_none() && !nothing.needs_work());
}
