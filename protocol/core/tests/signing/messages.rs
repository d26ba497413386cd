//! Messages that no honest operator sends, and such as come at the wrong time.

use cluster_core::{
    committee::OperatorId,
    encoding::DecodeError,
    machine::{Machine as _, Recipient},
    signing::{Machine, Message, Names, Output, Partials, MAX_ITEMS, MAX_MESSAGE_BYTES},
    verdict::{FaultReason, SkipReason, Verdict},
};
use cluster_crypto::threshold::Partial;

use crate::committee::{wrong, Keys, A, B, RETRY_MS, START};

fn partials(keys: &Keys, root: [u8; 32], entries: &[(usize, Partial)]) -> Message {
    let mut group = Partials::new(root);
    for (validator, partial) in entries {
        group.push(&[&keys.validators[*validator].to_bytes(), &partial.to_bytes()]);
    }
    Message::Partials(vec![group])
}

/// Operator 0 of four with three validators, after its own message has left.
fn machine(keys: &Keys) -> Machine {
    let items = keys.slot(A);
    let mut machine = keys.machine(0, &items, keys.own(0, &items), START);
    assert!(matches!(machine.poll(), Some(Output::Send { to: Recipient::All, .. })));
    machine
}

/// All missing partials, by operator.
fn state(machine: &Machine) -> String {
    format!("{:?} {:?} {:?}", machine.missing(), machine.bad(), machine.participants())
}

#[test]
fn encodings_are_exact_and_bounded() {
    let keys = Keys::new(4, 2, 30);
    let entries: Vec<_> = (0..2).map(|k| (k, keys.partial(1, &keys.item(k, A)))).collect();
    let message = partials(&keys, A, &entries);
    let bytes = message.encode();
    assert_eq!(bytes.len(), 4 + 8 + 32 + 8 + 2 * 240);
    assert_eq!(Message::decode(&bytes, bytes.len()).unwrap(), message);
    let error = DecodeError::TooLong { len: bytes.len(), limit: bytes.len() - 1 };
    assert_eq!(Message::decode(&bytes, bytes.len() - 1).unwrap_err(), error);
    for length in 0..bytes.len() {
        assert!(Message::decode(&bytes[..length], usize::MAX).is_err(), "{length} of {}", bytes.len());
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(Message::decode(&longer, usize::MAX).is_err());

    let mut half = Partials::new(A);
    half.push(&[&[1; 100]]);
    let too_many = |count: usize| {
        let mut names = Names::new(A);
        (0..count).for_each(|_| names.push(&[&[1; 48]]));
        Message::Want(vec![names])
    };
    for bad in [Message::Partials(vec![half]), Message::Want(vec![Names::new(A)]), too_many(MAX_ITEMS + 1)] {
        assert!(matches!(Message::decode(&bad.encode(), usize::MAX), Err(DecodeError::Malformed(_))));
        // Also when it did not come by the decoder.
        let verdict = machine(&keys).on_message(START, keys.ids[1], bad);
        assert_eq!(verdict, Verdict::Fault(FaultReason::Malformed));
    }
    assert!(Message::decode(&too_many(MAX_ITEMS).encode(), MAX_MESSAGE_BYTES).is_ok());
    let huge = vec![0; MAX_MESSAGE_BYTES + 1];
    assert!(matches!(Message::decode(&huge, usize::MAX), Err(DecodeError::TooLong { .. })));
    // Lengths that are declared and not there.
    let mut claims = vec![0; 12];
    claims[4..].fill(0xff);
    assert!(Message::decode(&claims, usize::MAX).is_err());
}

#[test]
fn what_no_honest_operator_sends_is_a_fault_and_changes_nothing() {
    let keys = Keys::new(4, 3, 31);
    let right: Vec<_> = (0..3).map(|k| (k, keys.partial(1, &keys.item(k, A)))).collect();
    let mut machine = machine(&keys);
    let before = state(&machine);
    let fault = |machine: &mut Machine, from, message: &Message| match machine.on_message(START, from, message.clone())
    {
        Verdict::Fault(reason) => reason,
        other => panic!("{other:?}"),
    };
    let good = partials(&keys, A, &right);
    assert_eq!(fault(&mut machine, OperatorId(1), &good), FaultReason::NotInCommittee);
    assert_eq!(fault(&mut machine, keys.ids[0], &good), FaultReason::Impersonation);
    for bytes in [[0u8; 192], [0xc0; 192], [7; 192]] {
        let mut group = Partials::new(A);
        group.push(&[&keys.validators[0].to_bytes(), &right[0].1.to_bytes()]);
        group.push(&[&keys.validators[1].to_bytes(), &bytes]);
        assert_eq!(fault(&mut machine, keys.ids[1], &Message::Partials(vec![group])), FaultReason::Malformed);
    }
    assert_eq!(state(&machine), before);

    // Another partial in the place of the first.
    assert_eq!(machine.on_message(START, keys.ids[1], good.clone()), Verdict::Valid);
    let after = state(&machine);
    let other = partials(&keys, A, &[(2, wrong(&right[2].1))]);
    assert_eq!(fault(&mut machine, keys.ids[1], &other), FaultReason::Equivocation);
    assert_eq!(state(&machine), after);
    assert!(machine.poll().is_none());
}

#[test]
fn duplicates_strange_roots_and_late_messages_are_passed_over() {
    let keys = Keys::new(4, 3, 32);
    let mut machine = machine(&keys);
    let of = |operator: usize, root| {
        let entries: Vec<_> = (0..3).map(|k| (k, keys.partial(operator, &keys.item(k, root)))).collect();
        partials(&keys, root, &entries)
    };
    let skip = |machine: &mut Machine, operator: usize, message| match machine.on_message(
        START,
        keys.ids[operator],
        message,
    ) {
        Verdict::Skip(reason) => reason,
        other => panic!("{other:?}"),
    };
    // Another exchange's message: its roots are unknown here, or the partials are the same.
    assert_eq!(skip(&mut machine, 1, of(1, B)), SkipReason::Unknown);
    // Unknown validators, not even points: nobody looks at them.
    let mut strange = Partials::new(A);
    strange.push(&[&[1; 48], &[0xff; 192]]);
    assert_eq!(skip(&mut machine, 1, Message::Partials(vec![strange])), SkipReason::Unknown);
    assert_eq!(skip(&mut machine, 1, Message::Partials(Vec::new())), SkipReason::Unknown);
    assert_eq!(machine.participants().len(), 1);

    assert_eq!(machine.on_message(START, keys.ids[1], of(1, A)), Verdict::Valid);
    assert_eq!(skip(&mut machine, 1, of(1, A)), SkipReason::Duplicate);
    assert_eq!(machine.on_message(START, keys.ids[2], of(2, A)), Verdict::Valid);
    let rng = &mut <rand_chacha::ChaCha20Rng as rand_core::SeedableRng>::seed_from_u64(1);
    while machine.needs_work() {
        machine.work(START, rng);
    }
    assert!(machine.is_done());
    assert_eq!(skip(&mut machine, 3, of(3, A)), SkipReason::TooLate);
    assert_eq!(machine.participants().len(), 4);
}

#[test]
fn questions_are_answered_to_the_asker_with_what_it_named_and_at_a_bounded_rate() {
    let keys = Keys::new(4, 3, 33);
    let mut machine = machine(&keys);
    let mut names = Names::new(A);
    // Twice the same, one that is not there, one of another root.
    for validator in [2, 2, 0] {
        names.push(&[&keys.validators[validator].to_bytes()]);
    }
    names.push(&[&[1; 48]]);
    let mut others = Names::new(B);
    others.push(&[&keys.validators[1].to_bytes()]);
    let verdict = machine.on_message(START, keys.ids[1], Message::Want(vec![names, others.clone()]));
    assert_eq!(verdict, Verdict::Valid);
    let Some(Output::Send { to, message }) = machine.poll() else { panic!("no answer") };
    assert_eq!(to, Recipient::One(keys.ids[1]));
    let expected: Vec<_> = [0, 2].map(|k| (k, keys.partial(0, &keys.item(k, A)))).to_vec();
    assert_eq!(*message, partials(&keys, A, &expected));

    // A flood of questions: two answers to each in the retry time, whatever is asked.
    for _ in 0..1_000 {
        let verdict = machine.on_message(START.plus_ms(1), keys.ids[1], Message::Want(Vec::new()));
        assert_eq!(verdict, Verdict::Skip(SkipReason::TooOften));
    }
    assert!(machine.poll().is_none());
    assert_eq!(machine.on_message(START.plus_ms(1), keys.ids[2], Message::Want(Vec::new())), Verdict::Valid);
    let verdict = machine.on_message(START.plus_ms(RETRY_MS / 2), keys.ids[1], Message::Want(Vec::new()));
    assert_eq!(verdict, Verdict::Valid);
    assert_eq!(std::iter::from_fn(|| machine.poll()).count(), 2);
    let unknown = machine.on_message(START, keys.ids[3], Message::Want(vec![others]));
    assert_eq!(unknown, Verdict::Skip(SkipReason::Unknown));
}

/// The largest messages of strange names, from everybody, over and over: the machine keeps nothing of them.
#[test]
fn floods_leave_nothing_behind() {
    let keys = Keys::new(4, 3, 34);
    let mut machine = machine(&keys);
    let before = state(&machine);
    for round in 0u8..3 {
        for operator in 1..4 {
            let mut group = Partials::new([round; 32]);
            for i in 0..MAX_ITEMS {
                group.push(&[&i.to_le_bytes(), &[round; 40], &[operator as u8; 192]]);
            }
            let message = Message::decode(&Message::Partials(vec![group]).encode(), MAX_MESSAGE_BYTES).unwrap();
            let verdict = machine.on_message(START, keys.ids[operator], message);
            assert_eq!(verdict, Verdict::Skip(SkipReason::Unknown));
        }
    }
    assert_eq!(state(&machine), before);
    assert!(machine.poll().is_none());
}
