//! Tables: description, input, what the machine answers and does.

use cluster_core::consensus::{Justification, Message};

use crate::support::{digest_of, value, Bench};

/// Description, input, expected verdict (of messages) and effects.
type Row = (&'static str, fn(&mut Bench) -> Vec<String>, &'static [&'static str]);

fn check(me: usize, rows: &[Row]) -> Bench {
    let mut bench = Bench::new(me);
    for (description, input, expected) in rows {
        assert_eq!(input(&mut bench), *expected, "{description}");
    }
    bench
}

fn first(bench: &Bench, name: char) -> Message {
    bench.propose(0, 1, name, Justification::default())
}

#[test]
fn a_follower_without_faults() {
    let bench = check(
        1,
        &[
            ("the instance begins", |b| b.at(0), &[]),
            ("a proposal is put to the judge", |b| b.receive(0, first(b, 'A')), &["valid", "judge A"]),
            ("a prepare comes before the judgement", |b| b.receive(0, b.prepare(0, 1, 'A')), &["valid"]),
            (
                "valid: prepare",
                |b| b.judged('A', true),
                &["journal value A", "journal prepare 1 A", "to all: prepare 1 A"],
            ),
            (
                "a quorum prepared: commit",
                |b| b.receive(2, b.prepare(2, 1, 'A')),
                &["valid", "journal prepared 1 A", "journal commit 1 A", "to all: commit 1 A"],
            ),
            ("one more prepare is of no use", |b| b.receive(3, b.prepare(3, 1, 'A')), &["too late"]),
            ("a commit", |b| b.receive(0, b.commit(0, 1, 'A')), &["valid"]),
            ("the same commit", |b| b.receive(0, b.commit(0, 1, 'A')), &["duplicate"]),
            (
                "a quorum committed: decided",
                |b| b.receive(2, b.commit(2, 1, 'A')),
                &["valid", "journal decided A", "decided A in round 1"],
            ),
            ("the last commit is on time, and asks for nothing", |b| b.receive(3, b.commit(3, 1, 'A')), &["too late"]),
            ("who asks gets the certificate", |b| b.receive(3, Message::Query), &["too late", "to 3: decided A"]),
            ("not twice at once", |b| b.receive(3, Message::Query), &["too often"]),
            ("but another one does", |b| b.receive(2, b.change(2, 2, None)), &["too late", "to 2: decided A"]),
            ("the value is given", |b| b.receive(3, Message::Want(digest_of('A'))), &["valid", "to 3: value A"]),
            ("not twice at once", |b| b.receive(3, Message::Want(digest_of('A'))), &["too often"]),
            ("a value that nobody here has", |b| b.receive(2, Message::Want(digest_of('B'))), &["too late"]),
            ("rounds are over", |b| b.at(60_000), &[]),
        ],
    );
    // One proposal, two prepares (one other is its own, one came too late), two commits.
    assert_eq!(bench.machine.signature_checks(), 5);
    bench.machine.decided().unwrap().certificate.verify(&bench.committee, &bench.config.instance).unwrap();
}

#[test]
fn a_leader_without_faults() {
    check(
        0,
        &[
            ("no input, nothing to do", |b| b.at(0), &[]),
            (
                "the input comes: propose and prepare it, with one flush",
                |b| b.input('A'),
                &[
                    "journal propose 1 A",
                    "journal value A",
                    "journal prepare 1 A",
                    "to all: propose 1 A with value",
                    "to all: prepare 1 A",
                ],
            ),
            ("a second input is passed over", |b| b.input('B'), &[]),
            ("a prepare", |b| b.receive(1, b.prepare(1, 1, 'A')), &["valid"]),
            (
                "a quorum of prepares",
                |b| b.receive(2, b.prepare(2, 1, 'A')),
                &["valid", "journal prepared 1 A", "journal commit 1 A", "to all: commit 1 A"],
            ),
            (
                "half a round without progress: votes and proposal again, without the value",
                |b| b.at(500),
                &["to all: propose 1 A", "to all: prepare 1 A", "to all: commit 1 A", "to all: query"],
            ),
            (
                "a certificate of the others",
                |b| b.receive(3, Message::Decided(b.certificate(1, 'A', &[1, 2, 3]).into())),
                &["valid", "journal decided A", "decided A in round 1"],
            ),
        ],
    );
}

#[test]
fn a_commit_needs_neither_judgement_nor_value() {
    check(
        3,
        &[
            ("prepares overtake the proposal", |b| b.receive(0, b.prepare(0, 1, 'A')), &["valid"]),
            ("two", |b| b.receive(1, b.prepare(1, 1, 'A')), &["valid"]),
            (
                "three are a quorum",
                |b| b.receive(2, b.prepare(2, 1, 'A')),
                &["valid", "journal prepared 1 A", "journal commit 1 A", "to all: commit 1 A"],
            ),
            ("commits", |b| b.receive(0, b.commit(0, 1, 'A')), &["valid"]),
            ("decide", |b| b.receive(1, b.commit(1, 1, 'A')), &["valid", "journal decided A"]),
            ("the value may be on its way", |b| b.at(249), &[]),
            ("after a quarter of a round it is asked for", |b| b.at(250), &["to 2: want A"]),
            (
                "one who was not asked cannot make work",
                |b| b.receive(1, Message::Value { digest: digest_of('A'), value: value('A') }),
                &["too often"],
            ),
            ("the next one is asked", |b| b.at(500), &["to 1: want A"]),
            (
                "another value under this name",
                |b| b.receive(1, Message::Value { digest: digest_of('A'), value: value('B') }),
                &["fault Malformed"],
            ),
            (
                "the value",
                |b| b.receive(2, Message::Value { digest: digest_of('A'), value: value('A') }),
                &["valid", "decided A in round 1"],
            ),
        ],
    );
}

#[test]
fn a_late_proposal_supplies_the_value_of_a_decision() {
    check(
        3,
        &[
            (
                "a certificate, and the sender is asked for the value",
                |b| b.receive(1, Message::Decided(b.certificate(1, 'A', &[0, 1, 2]).into())),
                &["valid", "journal decided A", "to 1: want A"],
            ),
            ("the proposal", |b| b.receive(0, first(b, 'A')), &["too late", "decided A in round 1"]),
        ],
    );
}

#[test]
fn an_invalid_value_is_not_prepared_and_the_round_ends() {
    check(
        2,
        &[
            ("a proposal", |b| b.receive(0, first(b, 'A')), &["valid", "judge A"]),
            ("invalid", |b| b.judged('A', false), &[]),
            ("the same proposal again is not judged again", |b| b.receive(0, first(b, 'A')), &["duplicate"]),
            ("half of the round", |b| b.at(500), &["to all: query"]),
            ("the round ends", |b| b.at(1_000), &["journal change 2", "to all: change 2"]),
            (
                "the leader of round 2",
                |b| b.receive(1, b.propose(1, 2, 'A', b.justification(2, None, &[0, 1, 3]))),
                &["valid", "judge A"],
            ),
            (
                "in the meantime it is the own value",
                |b| b.input('A'),
                &["journal value A", "journal prepare 2 A", "to all: prepare 2 A"],
            ),
        ],
    );
}

#[test]
fn the_next_leader_proposes_its_own_input_when_nothing_was_prepared() {
    check(
        1,
        &[
            ("its input", |b| b.input('B'), &[]),
            ("the round ends", |b| b.at(1_000), &["journal change 2", "to all: change 2"]),
            ("two have entered", |b| b.receive(0, b.change(0, 2, None)), &["valid"]),
            (
                "three have",
                |b| b.receive(3, b.change(3, 2, None)),
                &[
                    "valid",
                    "journal propose 2 B",
                    "journal value B",
                    "journal prepare 2 B",
                    "to all: propose 2 B by 3 with value",
                    "to all: prepare 2 B",
                ],
            ),
        ],
    );
}

#[test]
fn the_next_leader_proposes_what_was_prepared_and_fetches_its_value() {
    check(
        1,
        &[
            ("its input", |b| b.input('B'), &[]),
            ("the round ends", |b| b.at(1_000), &["journal change 2", "to all: change 2"]),
            ("one claims nothing", |b| b.receive(0, b.change(0, 2, None)), &["valid"]),
            (
                "one claims a quorum, and is asked for the value",
                |b| b.receive(3, b.change(3, 2, Some(b.prepared(1, 'A', &[0, 2, 3])))),
                &["valid", "journal prepared 1 A", "to 3: want A"],
            ),
            (
                "the value: propose it by its digest, and prepare it without judgement",
                |b| b.receive(3, Message::Value { digest: digest_of('A'), value: value('A') }),
                &[
                    "valid",
                    "journal propose 2 A",
                    "journal value A",
                    "journal prepare 2 A",
                    "to all: propose 2 A by 3 prepared 1",
                    "to all: prepare 2 A",
                ],
            ),
        ],
    );
}

#[test]
fn a_withheld_value_does_not_stop_the_next_leader() {
    check(
        1,
        &[
            ("its input", |b| b.input('B'), &[]),
            ("the round ends", |b| b.at(1_000), &["journal change 2", "to all: change 2"]),
            (
                "one claims a quorum",
                |b| b.receive(3, b.change(3, 2, Some(b.prepared(1, 'A', &[0, 2, 3])))),
                &["valid", "journal prepared 1 A", "to 3: want A"],
            ),
            ("one claims nothing", |b| b.receive(0, b.change(0, 2, None)), &["valid"]),
            (
                "a quorum claims nothing",
                |b| b.receive(2, b.change(2, 2, None)),
                &[
                    "valid",
                    "journal propose 2 B",
                    "journal value B",
                    "journal prepare 2 B",
                    "to all: propose 2 B by 3 with value",
                    "to all: prepare 2 B",
                ],
            ),
        ],
    );
}

#[test]
fn a_follower_prepares_what_was_prepared_before_without_its_own_judgement() {
    check(
        2,
        &[
            ("a proposal", |b| b.receive(0, first(b, 'A')), &["valid", "judge A"]),
            ("invalid here", |b| b.judged('A', false), &[]),
            (
                "a quorum prepared it all the same, and proves it in the next round, which is entered",
                |b| {
                    let prepared = b.prepared(1, 'A', &[0, 1, 3]);
                    b.receive(1, b.propose(1, 2, 'A', b.justification(2, Some(prepared), &[0, 1, 3])))
                },
                &[
                    "valid",
                    "journal prepared 1 A",
                    "journal change 2 claims 1 A",
                    "journal value A",
                    "journal prepare 2 A",
                    "to all: change 2 claims 1 A",
                    "to all: prepare 2 A",
                ],
            ),
        ],
    );
}

#[test]
fn votes_of_a_round_that_was_left_prove_but_do_not_commit() {
    check(
        3,
        &[
            ("the instance begins", |b| b.at(0), &[]),
            ("the round ends", |b| b.at(1_000), &["journal change 2", "to all: change 2"]),
            ("late prepares", |b| b.receive(0, b.prepare(0, 1, 'A')), &["valid"]),
            ("two", |b| b.receive(1, b.prepare(1, 1, 'A')), &["valid"]),
            ("a quorum: kept", |b| b.receive(2, b.prepare(2, 1, 'A')), &["valid", "journal prepared 1 A"]),
            ("its value is needed", |b| b.at(1_250), &["to 2: want A"]),
            (
                "and claimed in the next round",
                |b| b.at(2_000),
                &["journal change 3 claims 1 A", "to all: change 3 claims 1 A", "to 1: want A"],
            ),
            ("late commits", |b| b.receive(0, b.commit(0, 1, 'A')), &["valid"]),
            ("two", |b| b.receive(1, b.commit(1, 1, 'A')), &["valid"]),
            ("decide all the same", |b| b.receive(2, b.commit(2, 1, 'A')), &["valid", "journal decided A"]),
        ],
    );
}

#[test]
fn an_operator_whose_clock_is_behind_follows_f_plus_one_others() {
    check(
        3,
        &[
            ("one is far ahead", |b| b.receive(0, b.change(0, 9, None)), &["valid"]),
            ("its next vote is too soon to be looked at", |b| b.receive(0, b.change(0, 10, None)), &["too often"]),
            (
                "two are: follow to where both have been",
                |b| b.receive(1, b.change(1, 8, None)),
                &["valid", "journal change 8", "to all: change 8"],
            ),
            ("time does not go back", |b| b.at(1_000), &["to all: change 8", "to all: query"]),
        ],
    );
}

#[test]
fn a_late_start_goes_to_the_round_of_the_clock_and_asks() {
    check(3, &[("started in round 3", |b| b.at(2_100), &["journal change 3", "to all: change 3", "to all: query"])]);
    check(3, &[("started late in round 1", |b| b.at(300), &["to all: query"])]);
}

#[test]
fn a_restart_repeats_votes_and_contradicts_none() {
    check(
        0,
        &[
            (
                "a proposal",
                |b| b.input('A'),
                &[
                    "journal propose 1 A",
                    "journal value A",
                    "journal prepare 1 A",
                    "to all: propose 1 A with value",
                    "to all: prepare 1 A",
                ],
            ),
            ("killed and started", Bench::restart, &["to all: propose 1 A", "to all: prepare 1 A", "to all: query"]),
            ("another input now", |b| b.input('B'), &[]),
            (
                "the journalled value is given",
                |b| b.receive(2, Message::Want(digest_of('A'))),
                &["valid", "to 2: value A"],
            ),
            ("a prepare", |b| b.receive(1, b.prepare(1, 1, 'A')), &["valid"]),
            (
                "a quorum",
                |b| b.receive(2, b.prepare(2, 1, 'A')),
                &["valid", "journal prepared 1 A", "journal commit 1 A", "to all: commit 1 A"],
            ),
            (
                "killed and started",
                Bench::restart,
                &["to all: propose 1 A", "to all: prepare 1 A", "to all: commit 1 A", "to all: query"],
            ),
            (
                "the prepared quorum is not forgotten",
                |b| b.at(1_000),
                &["journal change 2 claims 1 A", "to all: change 2 claims 1 A"],
            ),
            (
                "killed and started in round 2: the last commit is repeated too",
                Bench::restart,
                &["to all: change 2 claims 1 A", "to all: commit 1 A", "to all: query"],
            ),
            (
                "decided",
                |b| b.receive(1, Message::Decided(b.certificate(1, 'A', &[1, 2, 3]).into())),
                &["valid", "journal decided A", "decided A in round 1"],
            ),
            ("killed and started: reported again", Bench::restart, &["decided A in round 1"]),
            ("others are answered", |b| b.receive(1, Message::Query), &["too late", "to 1: decided A"]),
        ],
    );
}

#[test]
fn a_leader_killed_before_its_proposal_left_proposes_nothing_else() {
    let mut bench = Bench::new(0);
    bench.machine.on_value(bench.now, value('A'));
    // Only the first record reached the disk.
    let output = cluster_core::machine::Machine::poll(&mut bench.machine).unwrap();
    let cluster_core::consensus::Output::Persist(record) = output else { panic!("a record first") };
    bench.journal.push(record);
    // Its value is lost with it; perhaps somebody has it.
    assert_eq!(bench.restart(), ["to all: propose 1 A", "to all: query", "to 1: want A"]);
    assert_eq!(bench.input('B'), [""; 0], "another value has no place in this round");
}
