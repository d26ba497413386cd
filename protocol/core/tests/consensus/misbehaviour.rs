//! One test per misbehaviour: what the machine answers, and that nothing follows from it.

use std::sync::Arc;

use cluster_core::{
    committee::OperatorId,
    consensus::{
        Claim, Config, Justification, Machine, Message, Proposal, Statement, Vote, VoteKind, MAX_ROUND, MAX_VALUE_BYTES,
    },
    duty::{InstanceId, InstanceKind},
    machine::Machine as _,
    verdict::FaultReason,
};
use proptest::prelude::*;

use crate::support::{digest_of, fault, value, Bench, OPERATORS, START};

/// The machine at position 2 has the proposal of `A` and has prepared it.
fn prepared_a() -> Bench {
    let mut bench = Bench::new(2);
    assert_eq!(bench.receive(0, bench.propose(0, 1, 'A', Justification::default())), ["valid", "judge A"]);
    bench.judged('A', true);
    bench
}

/// The machine at position 2 is in round 2, which position 1 leads.
fn in_round_2() -> Bench {
    let mut bench = Bench::new(2);
    bench.at(0);
    assert_eq!(bench.at(1_000), ["journal change 2", "to all: change 2"]);
    bench
}

#[test]
fn a_leader_that_proposes_two_values() {
    let mut bench = prepared_a();
    let second = bench.propose(0, 1, 'B', Justification::default());
    assert_eq!(bench.receive(0, second.clone()), ["fault Equivocation"]);
    let evidence: Vec<_> = bench.machine.evidence().copied().collect();
    assert_eq!(evidence.len(), 1);
    assert_eq!(evidence[0].operator(), OPERATORS[0]);
    assert!(evidence[0].holds(&bench.committee), "anyone can check it");
    let checks = bench.machine.signature_checks();
    assert_eq!(bench.receive(0, second), ["fault Equivocation"]);
    assert_eq!(bench.machine.signature_checks(), checks, "one proof is enough");
}

#[test]
fn evidence_of_one_vote_or_of_two_places_does_not_hold() {
    let bench = Bench::new(2);
    let vote = |round, name| bench.vote(0, round, Statement::Prepare(digest_of(name)));
    let holds = |first, second| {
        cluster_core::consensus::Evidence { instance: bench.config.instance, first, second }.holds(&bench.committee)
    };
    assert!(holds(vote(1, 'A'), vote(1, 'B')));
    assert!(!holds(vote(1, 'A'), vote(1, 'A')));
    assert!(!holds(vote(1, 'A'), vote(2, 'B')));
    assert!(!holds(vote(1, 'A'), bench.vote(0, 1, Statement::Commit(digest_of('B')))));
    assert!(!holds(vote(1, 'A'), Vote { from: OPERATORS[1], ..vote(1, 'B') }));
    assert!(!holds(vote(1, 'A'), Vote { signature: vote(1, 'A').signature, ..vote(1, 'B') }));
}

#[test]
fn a_voter_that_prepares_or_commits_two_values() {
    let mut bench = prepared_a();
    assert_eq!(bench.receive(1, bench.commit(1, 1, 'A')), ["valid"]);
    assert_eq!(bench.receive(1, bench.commit(1, 1, 'B')), ["fault Equivocation"]);
    assert_eq!(bench.receive(3, bench.prepare(3, 1, 'B')), ["valid"]);
    assert_eq!(bench.receive(3, bench.prepare(3, 1, 'A')), ["fault Equivocation"], "the first counts");
    assert_eq!(bench.machine.evidence().count(), 2);
}

#[test]
fn a_repeated_vote_counts_once_and_costs_one_check() {
    let mut bench = prepared_a();
    assert_eq!(bench.receive(3, bench.prepare(3, 1, 'A')), ["valid"]);
    let checks = bench.machine.signature_checks();
    for _ in 0..100 {
        assert_eq!(bench.receive(3, bench.prepare(3, 1, 'A')), ["duplicate"]);
    }
    assert_eq!(bench.machine.signature_checks(), checks);
}

#[test]
fn an_empty_justification() {
    let mut bench = in_round_2();
    let message = bench.propose(1, 2, 'B', Justification::default());
    assert_eq!(bench.receive(1, message), ["fault NotEnoughSupport"]);
    assert_eq!(
        bench.receive(1, bench.propose(1, 2, 'B', bench.justification(2, None, &[0, 1]))),
        ["fault NotEnoughSupport"]
    );
    assert_eq!(
        bench.receive(1, bench.propose(1, 2, 'B', bench.justification(2, None, &[0, 1, 1]))),
        ["fault NotEnoughSupport"]
    );
    assert_eq!(
        bench.receive(1, bench.propose(1, 2, 'B', bench.justification(2, None, &[0, 1, 3]))),
        ["valid", "judge B"]
    );
}

#[test]
fn a_replayed_justification() {
    let mut bench = Bench::new(3);
    bench.at(2_000);
    let old = bench.justification(2, None, &[0, 1, 3]);
    let checks = bench.machine.signature_checks();
    assert_eq!(bench.receive(2, bench.propose(2, 3, 'B', old)), ["fault NotEnoughSupport"]);
    assert_eq!(bench.machine.signature_checks(), checks + 1, "only the leader's signature was worth a check");
    // The signatures of another round under the number of this one.
    let mut forged = bench.justification(2, None, &[0, 1, 3]);
    forged.round_changes.iter_mut().for_each(|vote| vote.round = 3);
    assert_eq!(bench.receive(2, bench.propose(2, 3, 'B', forged)), ["fault BadSignature"]);
}

#[test]
fn a_justification_in_round_1() {
    let mut bench = Bench::new(2);
    let justification = bench.justification(1, None, &[0, 1, 3]);
    assert_eq!(bench.receive(0, bench.propose(0, 1, 'A', justification)), ["fault Malformed"]);
}

#[test]
fn a_leader_that_ignores_what_was_prepared() {
    let quorum: &[usize] = &[0, 1, 3];
    let mut bench = in_round_2();
    let prepared = bench.prepared(1, 'A', quorum);
    let mut justification = bench.justification(2, None, quorum);
    justification.round_changes[2] = bench.change_vote(3, 2, Some(&prepared));
    let without_proof = bench.propose(1, 2, 'B', justification.clone());
    assert_eq!(bench.receive(1, without_proof), ["fault NotEnoughSupport"]);
    justification.prepared = Some(Arc::new(prepared));
    assert_eq!(bench.receive(1, bench.propose(1, 2, 'B', justification.clone())), ["fault NotEnoughSupport"]);
    // A claim that only the leader's friend makes gets a value neither proposed nor past the judge.
    justification.prepared = None;
    let mut bench = in_round_2();
    let unproven = bench.propose(1, 2, 'A', justification.clone());
    assert_eq!(bench.receive(1, unproven), ["fault NotEnoughSupport"]);
    justification.prepared = Some(Arc::new(bench.prepared(1, 'B', quorum)));
    let of_another = bench.propose(1, 2, 'A', justification.clone());
    assert_eq!(bench.receive(1, of_another), ["fault NotEnoughSupport"]);
    justification.prepared = Some(Arc::new(bench.prepared(1, 'A', quorum)));
    let mut short = justification;
    short.round_changes.truncate(2);
    let mut bench = in_round_2();
    assert_eq!(bench.receive(1, bench.propose(1, 2, 'A', short)), ["fault NotEnoughSupport"]);
    assert_eq!(bench.receive(0, bench.propose(0, 1, 'C', Justification::default())), ["too late"]);
}

#[test]
fn a_prepared_claim_without_its_quorum() {
    let quorum = &[0, 1, 3];
    for (description, claimed, shown, reason) in [
        ("nothing shown", Some((1, 'A')), None, "fault NotEnoughSupport"),
        ("nothing claimed", None, Some(Bench::new(2).prepared(1, 'A', quorum)), "fault NotEnoughSupport"),
        ("another digest", Some((1, 'B')), Some(Bench::new(2).prepared(1, 'A', quorum)), "fault NotEnoughSupport"),
        ("two signers", Some((1, 'A')), Some(Bench::new(2).prepared(1, 'A', &[0, 1])), "fault NotEnoughSupport"),
        ("a signer twice", Some((1, 'A')), Some(Bench::new(2).prepared(1, 'A', &[0, 1, 1])), "fault NotEnoughSupport"),
        ("the same round", Some((2, 'A')), Some(Bench::new(2).prepared(2, 'A', quorum)), "fault OutOfBounds"),
        ("round zero", Some((0, 'A')), Some(Bench::new(2).prepared(0, 'A', quorum)), "fault OutOfBounds"),
    ] {
        let mut bench = in_round_2();
        let claim = claimed.map(|(round, name)| Claim { round, digest: digest_of(name) });
        let vote = bench.vote(3, 2, Statement::RoundChange(claim));
        let message = Message::RoundChange { vote, certificate: shown.map(Arc::new) };
        assert_eq!(bench.receive(3, message), [reason], "{description}");
        // It does not count for the leader either.
        assert_eq!(bench.machine.round(), 2, "{description}");
    }
}

#[test]
fn prepares_that_are_commits_or_of_another_round_prove_nothing() {
    let mut bench = in_round_2();
    let commits = bench.certificate(1, 'A', &[0, 1, 3]);
    let mut prepared = bench.prepared(1, 'A', &[0, 1, 3]);
    prepared.prepares = commits.commits;
    assert_eq!(bench.receive(3, bench.change(3, 2, Some(prepared))), ["fault BadSignature"]);
    let mut moved = bench.prepared(2, 'A', &[0, 1, 3]);
    moved.round = 1;
    assert_eq!(bench.receive(0, bench.change(0, 2, Some(moved))), ["fault BadSignature"]);
}

#[test]
fn an_empty_or_oversized_value_and_the_zero_digest() {
    let mut bench = Bench::new(2);
    for (bytes, expected) in [
        (0, fault(FaultReason::OutOfBounds)),
        (MAX_VALUE_BYTES + 1, fault(FaultReason::OutOfBounds)),
        (MAX_VALUE_BYTES, cluster_core::verdict::Verdict::Valid),
    ] {
        let value: Arc<[u8]> = vec![7; bytes].into();
        let vote = bench.vote(0, 1, Statement::Propose(cluster_core::consensus::digest(&value)));
        let message = Message::Propose(Proposal { vote, justification: Justification::default(), value: Some(value) });
        assert_eq!(bench.verdict(OPERATORS[0], message), expected, "{bytes} bytes");
    }
    for statement in [Statement::Prepare([0; 32]), Statement::Commit([0; 32])] {
        assert_eq!(bench.receive(3, Message::Vote(bench.vote(3, 1, statement)))[0], "fault Malformed");
    }
    let mut leader = Bench::new(0);
    leader.machine.on_value(leader.now, Arc::from(Vec::new()));
    leader.machine.on_value(leader.now, vec![7; MAX_VALUE_BYTES + 1].into());
    assert_eq!(leader.effects(), [""; 0], "nor does an own input of such a size leave");
}

#[test]
fn a_proposal_whose_value_is_another() {
    let mut bench = Bench::new(2);
    let vote = bench.vote(0, 1, Statement::Propose(digest_of('A')));
    let proposal = Proposal { vote, justification: Justification::default(), value: Some(value('B')) };
    assert_eq!(bench.receive(0, Message::Propose(proposal)), ["fault Malformed"]);
    assert_eq!(bench.receive(0, bench.propose(0, 1, 'A', Justification::default())), ["valid", "judge A"]);
}

#[test]
fn a_decided_certificate_with_the_same_signer_twice_or_otherwise_wrong() {
    let certificates = |bench: &Bench| {
        let good = bench.certificate(1, 'A', &[0, 1, 3]);
        let mut stranger = good.clone();
        stranger.commits[0].0 = OperatorId(11);
        let mut of_prepares = good.clone();
        of_prepares.commits = bench.prepared(1, 'A', &[0, 1, 3]).prepares;
        let mut exchanged = good.clone();
        exchanged.commits[0].1 = good.commits[1].1;
        let mut many = good.clone();
        many.commits.extend(good.commits.clone());
        let mut other_digest = good.clone();
        other_digest.digest = digest_of('B');
        let mut round_zero = good.clone();
        round_zero.round = 0;
        [
            ("twice", bench.certificate(1, 'A', &[0, 1, 1]), "NotEnoughSupport"),
            ("two", bench.certificate(1, 'A', &[0, 1]), "NotEnoughSupport"),
            ("six", many, "NotEnoughSupport"),
            ("a stranger", stranger, "NotInCommittee"),
            ("prepares", of_prepares, "BadSignature"),
            ("another's signature", exchanged, "BadSignature"),
            ("another digest", other_digest, "BadSignature"),
            ("no round", round_zero, "OutOfBounds"),
        ]
    };
    for at in 0..8 {
        let mut bench = prepared_a();
        let (description, certificate, reason) = certificates(&bench)[at].clone();
        assert!(certificate.verify(&bench.committee, &bench.config.instance).is_err(), "{description}");
        assert_eq!(
            bench.receive(1, Message::Decided(certificate.into())),
            [format!("fault {reason}")],
            "{description}"
        );
        assert!(bench.machine.decided().is_none(), "{description}");
    }
}

#[test]
fn votes_of_another_instance() {
    let bench = Bench::new(2);
    let InstanceId { committee, slot, kind } = bench.config.instance;
    let mut other_committee = committee;
    other_committee.0[0] ^= 1;
    for instance in [
        InstanceId { committee: other_committee, slot, kind },
        InstanceId { committee, slot: cluster_core::beacon::Slot(slot.0 + 4), kind },
        InstanceId { committee, slot, kind: InstanceKind::Proposal },
    ] {
        let mut bench = Bench::new(2);
        let vote = Vote::sign(&instance, &bench.keys[1], OPERATORS[1], 1, Statement::Prepare(digest_of('A')));
        assert_eq!(bench.receive(1, Message::Vote(vote)), ["fault BadSignature"], "{instance}");
    }
}

#[test]
fn votes_of_another_round_or_sender_or_kind() {
    let mut bench = Bench::new(2);
    let vote = bench.vote(1, 1, Statement::Prepare(digest_of('A')));
    let send = |bench: &mut Bench, from: usize, vote| bench.receive(from, Message::Vote(vote));
    assert_eq!(send(&mut bench, 1, Vote { round: 2, ..vote }), ["fault BadSignature"]);
    assert_eq!(
        send(&mut bench, 1, Vote { statement: Statement::Commit(digest_of('A')), ..vote }),
        ["fault BadSignature"]
    );
    assert_eq!(send(&mut bench, 3, vote), ["fault Impersonation"], "even with the right signature");
    assert_eq!(send(&mut bench, 3, Vote { from: OPERATORS[3], ..vote }), ["fault BadSignature"]);
    assert_eq!(send(&mut bench, 1, Vote { round: 0, ..vote }), ["fault OutOfBounds"]);
    assert_eq!(send(&mut bench, 1, Vote { round: MAX_ROUND + 1, ..vote }), ["fault OutOfBounds"]);
    let change = bench.vote(1, 2, Statement::RoundChange(None));
    assert_eq!(send(&mut bench, 1, change), ["fault Malformed"], "a round change is another message");
    let first_round = bench.change(3, 1, None);
    assert_eq!(bench.receive(3, first_round), ["fault OutOfBounds"], "nobody changes to the first round");
    assert_eq!(bench.verdict(OPERATORS[2], Message::Vote(vote)), fault(FaultReason::Impersonation), "from itself");
    assert_eq!(bench.verdict(OperatorId(11), Message::Query), fault(FaultReason::NotInCommittee));
    assert_eq!(send(&mut bench, 1, vote), ["valid"], "none of it kept the right one out");
}

#[test]
fn a_proposal_of_an_operator_that_does_not_lead() {
    let mut bench = Bench::new(2);
    assert_eq!(bench.receive(1, bench.propose(1, 1, 'A', Justification::default())), ["fault NotLeader"]);
    assert_eq!(
        bench.receive(0, bench.propose(0, 2, 'A', bench.justification(2, None, &[0, 1, 3]))),
        ["fault NotLeader"]
    );
    assert_eq!(bench.machine.signature_checks(), 0);
}

#[test]
fn a_leader_that_withholds_the_value() {
    let mut bench = Bench::new(2);
    bench.at(0);
    let vote = bench.vote(0, 1, Statement::Propose(digest_of('A')));
    let header = Proposal { vote, justification: Justification::default(), value: None };
    assert_eq!(bench.receive(0, Message::Propose(header)), ["valid", "to 0: want A"]);
    assert_eq!(bench.at(250), ["to 1: want A"], "one after the other");
    assert_eq!(bench.at(500), ["to all: query", "to 3: want A"]);
    assert_eq!(bench.at(1_000), ["journal change 2", "to all: change 2"], "the round ends");
}

#[test]
fn a_flood_of_votes_is_neither_kept_nor_checked_without_end() {
    let mut bench = Bench::new(2);
    bench.at(0);
    // Signed, for all rounds: what is near is kept once, what is far is checked once in half a round.
    for round in 1..=500 {
        for statement in [Statement::Prepare(digest_of('A')), Statement::Commit(digest_of('B'))] {
            let vote = bench.vote(3, round, statement);
            bench.receive(3, Message::Vote(vote));
        }
        bench.receive(3, bench.change(3, round + 1, None));
    }
    assert!(bench.machine.signature_checks() <= 9, "{} checks", bench.machine.signature_checks());
    assert_eq!(bench.machine.round(), 1, "one operator moves nobody");
    for _ in 0..500 {
        bench.receive(3, Message::Query);
        bench.receive(3, Message::Want(digest_of('C')));
        bench.receive(3, Message::Value { digest: digest_of('C'), value: value('C') });
    }
    assert_eq!(bench.effects(), [""; 0]);
}

#[test]
fn after_eight_faults_a_peer_costs_nothing_more() {
    let mut bench = Bench::new(2);
    let wrong = Vote { round: 2, ..bench.vote(3, 1, Statement::Prepare(digest_of('A'))) };
    for _ in 0..100 {
        assert_eq!(bench.receive(3, Message::Vote(wrong)), ["fault BadSignature"]);
    }
    assert_eq!(bench.machine.signature_checks(), 8);
}

#[test]
fn a_vote_that_came_with_a_certificate_is_not_checked_again() {
    let mut bench = in_round_2();
    let prepared = bench.prepared(1, 'A', &[0, 1, 3]);
    bench.receive(3, bench.change(3, 2, Some(prepared.clone())));
    assert_eq!(bench.machine.signature_checks(), 4, "the round change and three prepares");
    bench.receive(0, bench.change(0, 2, Some(prepared.clone())));
    assert_eq!(bench.machine.signature_checks(), 5, "the same quorum again");
    assert_eq!(bench.receive(1, bench.prepare(1, 1, 'A')), ["too late"]);
    let justification = bench.justification(2, Some(prepared), &[0, 1, 3]);
    bench.receive(1, bench.propose(1, 2, 'A', justification));
    assert_eq!(bench.machine.signature_checks(), 7, "the proposal and the one round change that was new");
}

#[test]
fn a_stranger_to_the_committee_follows_and_never_votes() {
    let bench = Bench::new(2);
    let config: Config = bench.config;
    let key = bench.keys[2].clone();
    let mut machine = Machine::start(config, Arc::clone(&bench.committee), OperatorId(99), key);
    machine.on_value(START, value('A'));
    machine.on_deadline(START.plus_ms(5_000));
    let sent: Vec<_> = std::iter::from_fn(|| machine.poll()).collect();
    assert!(sent.iter().all(
        |output| matches!(output, cluster_core::consensus::Output::Send { message, .. } if **message == Message::Query)
    ));
    for from in [0, 1, 3] {
        let commit = bench.commit(from, 1, 'A');
        let _ = machine.on_message(START.plus_ms(5_000), OPERATORS[from], commit);
    }
    assert!(machine.decided().is_some());
}

/// Any message that one liar can make of parts, in any order.
fn arbitrary_message() -> impl Strategy<Value = (usize, u32, u8, char, usize)> {
    (0..3usize, 0..4u32, 0..9u8, prop::sample::select(vec!['A', 'B']), 0..4usize)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever three peers send and in whatever order, the operator signs one statement of a kind in a round.
    #[test]
    fn no_input_makes_an_operator_contradict_itself(inputs in prop::collection::vec(arbitrary_message(), 1..60)) {
        let mut bench = Bench::new(3);
        let mut said = std::collections::BTreeMap::new();
        for (from, round, kind, name, extra) in inputs {
            let round = round + 1;
            let quorum = [[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]][extra];
            match kind {
                0 => drop(bench.receive(from, bench.propose(from, round, name, Justification::default()))),
                1 => {
                    let prepared = (round > 1).then(|| bench.prepared(round - 1, name, &quorum));
                    let justification = bench.justification(round, prepared, &quorum);
                    drop(bench.receive(from, bench.propose(from, round, name, justification)));
                }
                2 | 3 => drop(bench.receive(from, bench.prepare(from, round, name))),
                4 => drop(bench.receive(from, bench.commit(from, round, name))),
                5 => {
                    let prepared = (round > 1).then(|| bench.prepared(round - 1, name, &quorum));
                    drop(bench.receive(from, bench.change(from, round + 1, prepared)));
                }
                6 => drop(bench.judged(name, extra > 0)),
                7 => {
                    let ms = bench.now.since(START) + 200 * extra as u64;
                    drop(bench.at(ms));
                }
                _ if extra == 0 => drop(bench.restart()),
                _ => drop(bench.input(name)),
            }
        }
        for record in &bench.journal {
            if let cluster_core::consensus::Record::Vote(vote) = record {
                let place: (u32, VoteKind) = (vote.round, vote.statement.kind());
                prop_assert!(said.insert(place, vote.statement).is_none(), "two votes for {place:?}");
            }
        }
    }
}
