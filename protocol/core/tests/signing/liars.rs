//! Operators whose partials are wrong.

use cluster_core::machine::Machine as _;
use cluster_crypto::{bls, bls::HashedMessage, threshold::Partial};

use crate::committee::{shifted, wrong, Keys, Net, Weather, A, B, RETRY_MS, SIZES, START};

/// The messages of these operators arrive first, so that theirs are used.
fn fast(operators: &[usize], n: usize) -> Weather {
    let latency = |operator| (operator, if operators.contains(&operator) { 1 } else { 10 + operator as u64 });
    Weather { latency_of: (0..n).map(latency).collect(), ..Weather::default() }
}

fn all_wrong(own: Vec<Option<Partial>>) -> Vec<Option<Partial>> {
    own.iter().map(|partial| partial.as_ref().map(wrong)).collect()
}

#[test]
fn one_liar_is_named_by_everyone_and_everything_is_signed() {
    for n in SIZES {
        let keys = Keys::new(n, 4, 20);
        let items = keys.slot(A);
        let own: Vec<_> = (0..n).map(|operator| keys.own(operator, &items)).collect();
        for liar in if n < 10 { vec![0, n / 2, n - 1] } else { vec![n - 2] } {
            // All its partials, or one of them.
            for only in [None, Some(2)] {
                let mut net = Net::new(&keys, fast(&[liar], n), 1);
                for operator in 0..n {
                    let mut own = own[operator].clone();
                    match only.filter(|_| operator == liar) {
                        Some(k) => own[k] = own[k].as_ref().map(wrong),
                        None if operator == liar => own = all_wrong(own),
                        None => {}
                    }
                    net.start(operator, items.clone(), own);
                }
                net.run(RETRY_MS - 1);
                // The liar's own machine finds its own partials wrong, and signs with those of others.
                for operator in 0..n {
                    net.assert_all_signed(operator);
                    assert_eq!(net.nodes[operator].bad, [keys.ids[liar]]);
                    assert_eq!(net.machine(operator).bad(), [keys.ids[liar]]);
                    assert!(net.machine(operator).participants().iter().all(|(id, _)| *id != keys.ids[liar]));
                    assert_eq!(net.nodes[operator].faults, []);
                }
            }
        }
    }
}

/// Validator 0 is unknown to operator 0, and operator 3 lies about validator 1 only: both are signed, with the right
/// partials of the liar where they are needed.
#[test]
fn right_partials_of_a_liar_are_used_where_too_few_are_left() {
    let keys = Keys::new(4, 40, 21);
    let items = keys.slot(A);
    let mut net = Net::new(&keys, fast(&[3], 4), 2);
    for operator in 0..4 {
        let mut own = keys.own(operator, &items);
        match operator {
            0 => own[..3].fill(None),
            3 => own[5] = own[5].as_ref().map(wrong),
            _ => {}
        }
        net.start(operator, items.clone(), own);
    }
    net.run(RETRY_MS - 1);
    for operator in 0..3 {
        net.assert_all_signed(operator);
        assert_eq!(net.nodes[operator].bad, [keys.ids[3]]);
    }
}

/// The same when another operator is silent: the liar's right partials are needed for all but one validator, and used
/// when the silent one had its time. The one that the liar spoiled cannot be signed.
#[test]
fn right_partials_of_a_liar_are_used_when_others_are_silent() {
    let keys = Keys::new(4, 40, 22);
    let items = keys.slot(A);
    let mut net = Net::new(&keys, fast(&[3], 4), 3);
    for operator in 1..4 {
        let mut own = keys.own(operator, &items);
        if operator == 3 {
            own[7] = own[7].as_ref().map(wrong);
        }
        net.start(operator, items.clone(), own);
    }
    net.run(RETRY_MS - 1);
    assert!(net.verified(1).is_empty());
    net.run(RETRY_MS);
    let expected: Vec<_> = (0..40).filter(|item| *item != 7).collect();
    for operator in 1..3 {
        assert_eq!(net.verified(operator), expected);
        assert_eq!(net.nodes[operator].bad, [keys.ids[3]]);
    }
    assert_eq!(net.machine(1).missing()[0].without, [keys.ids[0], keys.ids[3]]);
}

/// An operator that spoils more than a bounded search finds loses the rest, and costs no more than that search.
#[test]
fn the_search_among_a_liars_partials_is_bounded() {
    let keys = Keys::new(4, 200, 23);
    let items = keys.slot(A);
    let mut net = Net::new(&keys, fast(&[3], 4), 4);
    for operator in 1..4 {
        let mut own = keys.own(operator, &items);
        if operator == 3 {
            own.iter_mut().step_by(2).for_each(|partial| *partial = partial.as_ref().map(wrong));
        }
        net.start(operator, items.clone(), own);
    }
    net.run(60_000);
    for operator in 1..3 {
        let signed = net.verified(operator);
        assert!(signed.iter().all(|item| item % 2 == 1) && signed.len() < 100);
        assert_eq!(net.nodes[operator].bad, [keys.ids[3]]);
    }
}

/// Two of seven shift their partials so that their errors cancel, within a validator or between two validators.
#[test]
fn two_colluders_never_make_a_wrong_signature_and_only_they_are_named() {
    let keys = Keys::new(7, 6, 24);
    let items = keys.slot(A);
    let error = bls::SecretKey::from_bytes(&[2; 32]).unwrap().sign(&HashedMessage::new(b"error"));
    let cases: [&[(usize, usize)]; 4] = [
        // (operator, item): the same error is added. 360 times the coefficients of {1,2,3,4,5} are
        // (1800, -3600, 3600, -1800, 360): operators 0 and 3 cancel.
        &[(0, 2), (3, 2)],
        &[(0, 1), (3, 4)],
        &[(0, 0), (3, 0), (0, 1), (3, 2)],
        &[(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (3, 0), (3, 1), (3, 2), (3, 3), (3, 4), (3, 5)],
    ];
    for (number, case) in cases.into_iter().enumerate() {
        let mut net = Net::new(&keys, Weather::default(), 5);
        for operator in 0..7 {
            let mut own = keys.own(operator, &items);
            for (_, item) in case.iter().filter(|(liar, _)| *liar == operator) {
                own[*item] = own[*item].as_ref().map(|partial| shifted(partial, &error));
            }
            net.start(operator, items.clone(), own);
        }
        net.run(60_000);
        for operator in 0..7 {
            net.assert_all_signed(operator);
            let named: Vec<_> = net.nodes[operator].bad.clone();
            assert!(named.iter().all(|id| [keys.ids[0], keys.ids[3]].contains(id)), "case {number}: {named:?}");
        }
        // Operator 4 combines {0, 1, 2, 3, 4}, in which errors within a validator do cancel: the signature is right.
        let cancels = number == 0 || number == 3;
        assert_eq!(net.nodes[4].bad.is_empty(), cancels, "case {number}");
        assert!(cancels || net.nodes[4].bad == [keys.ids[0], keys.ids[3]], "case {number}");
    }
}

/// As many liars as the committee tolerates, all of them first.
#[test]
fn f_fast_liars_are_all_named_and_do_not_stop_the_others() {
    for n in SIZES {
        let keys = Keys::new(n, 3, 25);
        let items = keys.slot(A);
        let liars: Vec<usize> = (0..keys.threshold.f()).map(|i| i * 3).collect();
        let mut net = Net::new(&keys, fast(&liars, n), 6);
        for operator in 0..n {
            let own = keys.own(operator, &items);
            net.start(operator, items.clone(), if liars.contains(&operator) { all_wrong(own) } else { own });
        }
        net.run(RETRY_MS - 1);
        let named: Vec<_> = liars.iter().map(|liar| keys.ids[*liar]).collect();
        for operator in (0..n).filter(|operator| !liars.contains(operator)) {
            net.assert_all_signed(operator);
            assert_eq!(net.nodes[operator].bad, named);
        }
    }
}

#[test]
fn points_of_small_order_are_found_and_their_sender_named() {
    // Few signatures are checked for the group one by one, many by random combinations.
    for (validators, every) in [(2, 3), (70, 10)] {
        let keys = Keys::new(4, validators, 26);
        let items = keys.slot(A);
        let text = std::fs::read_to_string(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../vectors/subgroup-generated/not_in_subgroup.json"
        ));
        let points: serde_json::Value = serde_json::from_str(&text.unwrap()).unwrap();
        let points = points.as_array().unwrap().iter().filter(|entry| entry["group"] == "G2");
        for point in points.step_by(every) {
            let compressed = hex::decode(point["compressed"].as_str().unwrap().trim_start_matches("0x")).unwrap();
            let point = cluster_crypto::primitives::g2_uncompress(&compressed.try_into().unwrap()).unwrap();
            let mut net = Net::new(&keys, fast(&[2], 4), 7);
            for operator in 0..4 {
                let mut own = keys.own(operator, &items);
                if operator == 2 {
                    let sum = cluster_crypto::primitives::g2_sum(&own[1].unwrap().to_bytes(), &point).unwrap();
                    own[1] = Some(Partial::from_bytes(&sum).unwrap());
                }
                net.start(operator, items.clone(), own);
            }
            net.run(RETRY_MS - 1);
            for operator in 0..4 {
                net.assert_all_signed(operator);
                assert_eq!(net.nodes[operator].bad, [keys.ids[2]]);
            }
        }
    }
}

/// Whoever was wrong before goes last: neither its speed nor its lies cost a check.
#[test]
fn a_doubted_operator_is_not_needed_and_its_right_partials_are_used_if_they_are() {
    let keys = Keys::new(4, 3, 27);
    let items = keys.slot(A);
    for (absent, lies) in [(None, true), (Some(2), false)] {
        let mut net = Net::new(&keys, fast(&[3], 4), 8);
        for operator in (0..4).filter(|operator| Some(*operator) != absent) {
            let own = keys.own(operator, &items);
            let lies = lies && operator == 3;
            net.start(operator, items.clone(), if lies { all_wrong(own) } else { own });
            net.nodes[operator].machine.as_mut().unwrap().doubt(keys.ids[3]);
        }
        net.run(RETRY_MS);
        for operator in 0..2 {
            net.assert_all_signed(operator);
            assert_eq!(net.nodes[operator].bad, [], "its partials were right, or not looked at");
            let expected = if lies { START.plus_ms(12) } else { START.plus_ms(RETRY_MS) };
            assert!(net.nodes[operator].done.unwrap() <= expected);
        }
    }
}

/// Share keys that are not those of the validator: the operator's own data are wrong, and nobody else is to blame.
#[test]
fn an_item_with_foreign_keys_is_reported_and_the_others_are_signed() {
    let keys = Keys::new(4, 9, 28);
    let mut items = keys.slot(A);
    // Consistent share keys, but of validator 8, and partials by its shares.
    items[3].share_keys = items[8].share_keys.clone();
    items.pop();
    let mut net = Net::new(&keys, Weather::default(), 9);
    for operator in 0..4 {
        let mut own = keys.own(operator, &items);
        own[3] = Some(keys.partial(operator, &keys.item(8, A)));
        net.start(operator, items.clone(), own);
    }
    net.run(60_000);
    for operator in 0..4 {
        assert_eq!(net.verified(operator), [0, 1, 2, 4, 5, 6, 7]);
        assert_eq!(net.nodes[operator].inconsistent, [3]);
        assert_eq!(net.nodes[operator].bad, []);
        assert!(net.machine(operator).is_done() && net.machine(operator).deadline().is_none());
    }
}

/// A liar sends right partials of another root under the names of this one.
#[test]
fn partials_of_another_root_are_wrong_partials() {
    let keys = Keys::new(4, 3, 29);
    let (items, others) = (keys.slot(A), keys.slot(B));
    let mut net = Net::new(&keys, fast(&[1], 4), 10);
    for operator in 0..4 {
        net.start(operator, items.clone(), keys.own(operator, if operator == 1 { &others } else { &items }));
    }
    net.run(RETRY_MS - 1);
    for operator in 0..4 {
        net.assert_all_signed(operator);
        assert_eq!(net.nodes[operator].bad, [keys.ids[1]]);
    }
}
