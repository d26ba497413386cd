//! No slashable message, ever: a million signed duties in virtual time, with kills between any two steps, and a checker outside
//! of the operators. That the checker can fail is shown in `protocol/core/tests/duty_simulation.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use cluster_testnet::simulate::duties::{run_all, DutiesError, Runs, Summary};

fn hold(operators: usize, per_slot: u32, seeds: u64) -> Summary {
    let runs = Runs { operators, per_slot, epochs: 10, from: 1, seeds };
    run_all(&runs, &|_| {}).unwrap_or_else(|error| panic!("{operators} operators, {error}\n{:#?}", error.story()))
}

#[test]
fn a_million_duties_are_signed_and_none_is_slashable() {
    let (four, seven) = (hold(4, 1_024, 20), hold(7, 1_024, 4));
    print!("{four}{seven}");
    assert_eq!(four.slashable + seven.slashable, 0);
    let signed = four.signed() + seven.signed();
    assert!(signed >= 1_000_000, "{signed} signed duties");
    for summary in [&four, &seven] {
        // Many operators are down, cut off or on another fork for most of a run; the others go on.
        assert!(summary.votes * 4 > summary.duties, "{} of {} duties", summary.votes, summary.duties);
        // A run in which nothing goes wrong proves nothing.
        assert!(summary.crashes.len() >= 10, "{:?}", summary.crashes);
        assert!(summary.lossy_crashes > 50, "{}", summary.lossy_crashes);
        for reason in ["double vote", "double proposal", "surrounds", "surrounded"] {
            assert!(summary.refusals.contains_key(reason), "never refused: {reason}, {:?}", summary.refusals);
        }
    }
}

#[test]
fn a_plan_that_makes_no_sense_is_refused() {
    let runs = Runs { operators: 5, per_slot: 1, epochs: 1, from: 1, seeds: 1 };
    assert!(matches!(run_all(&runs, &|_| {}), Err(DutiesError::Plan(_))));
}
