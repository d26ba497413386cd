//! The follower as a table of described steps: what it asks, commits and complains of.

use crate::double::{self, Chain, Transaction, CONTRACTS};
use cluster_core::{
    chain::{Answer, Ask, Failure, Follower, Ledger, Output, Settings, Trouble},
    machine::Time,
};

pub const SETTINGS: Settings = Settings { start_block: 0, confirmations: 0, poll_ms: 1_000, max_range: 100 };
/// Long after every block of the tests.
pub const LATER: Time = Time(1_800_000_000_000);

/// What an honest provider of this chain says.
pub fn answer(chain: &Chain, ask: &Ask) -> Answer {
    match ask {
        Ask::Head => Answer::Head(chain.head()),
        Ask::Header { number } => Answer::Header(chain.blocks.get(*number as usize).map(|block| block.header)),
        Ask::BlockLogs { block } => match chain.blocks.iter().find(|held| held.header.block == *block) {
            Some(block) => Answer::BlockLogs(block.logs()),
            None => Answer::Failed(Failure::Unavailable),
        },
        Ask::RangeLogs { from, to } => match chain.blocks.get(*to as usize) {
            Some(end) => {
                let blocks = &chain.blocks[*from as usize..=*to as usize];
                Answer::RangeLogs { logs: blocks.iter().flat_map(|block| block.logs()).collect(), end: end.header }
            }
            None => Answer::Failed(Failure::Unavailable),
        },
    }
}

/// Answers everything until the follower rests; the questions and troubles on the way.
pub fn drive(follower: &mut Follower, now: Time, mut provider: impl FnMut(&Ask) -> Answer) -> (Vec<Ask>, Vec<Trouble>) {
    let (mut asks, mut troubles) = (Vec::new(), Vec::new());
    while let Some(output) = follower.poll() {
        match output {
            Output::Commit(_) => {}
            Output::Trouble(trouble) => troubles.push(trouble),
            Output::Ask(ask) => {
                let answer = provider(&ask);
                asks.push(ask);
                assert!(asks.len() < 100_000, "no rest");
                follower.on_answer(now, answer);
            }
        }
    }
    (asks, troubles)
}

pub fn look_again(follower: &mut Follower) -> Time {
    let deadline = follower.deadline().expect("resting");
    follower.on_deadline(deadline);
    deadline
}

fn mined(blocks: u64) -> Chain {
    let mut chain = Chain::default();
    (0..blocks).for_each(|_| chain.mine(0, vec![]));
    chain
}

fn start(settings: Settings) -> Follower {
    Follower::new(settings, Ledger::new(CONTRACTS))
}

#[test]
fn recent_blocks_are_asked_for_one_by_one_and_old_ones_in_ranges() {
    let chain = mined(400);
    let mut follower = start(SETTINGS);
    let (asks, troubles) = drive(&mut follower, LATER, |ask| answer(&chain, ask));
    assert_eq!(troubles, []);
    let ranges: Vec<_> = asks.iter().filter(|ask| matches!(ask, Ask::RangeLogs { .. })).collect();
    assert_eq!(ranges.first(), Some(&&Ask::RangeLogs { from: 0, to: 99 }));
    assert_eq!(ranges.last(), Some(&&Ask::RangeLogs { from: 300, to: 335 }));
    assert_eq!(asks.iter().filter(|ask| matches!(ask, Ask::BlockLogs { .. })).count(), 64);
    assert_eq!(follower.ledger().tip(), Some(chain.blocks[399].header.block));
    assert!(follower.is_caught_up());
    assert_eq!(follower.deadline(), Some(LATER.plus_ms(1_000)));
}

#[test]
fn confirmations_hold_blocks_back() {
    let mut chain = mined(5);
    let mut follower = start(Settings { confirmations: 8, ..SETTINGS });
    drive(&mut follower, LATER, |ask| answer(&chain, ask));
    assert_eq!(follower.ledger().tip(), None);
    (0..10).for_each(|_| chain.mine(0, vec![]));
    look_again(&mut follower);
    drive(&mut follower, LATER, |ask| answer(&chain, ask));
    assert_eq!(follower.ledger().tip().map(|tip| tip.number), Some(6));
}

#[test]
fn a_range_is_halved_when_it_is_too_much_and_grows_back() {
    let chain = mined(600);
    let mut follower = start(Settings { max_range: 512, ..SETTINGS });
    let (mut widest, mut limit) = (0, 100);
    let mut provider = |ask: &Ask| match ask {
        Ask::RangeLogs { from, to } if to - from + 1 > limit => Answer::Failed(Failure::TooMuch),
        Ask::RangeLogs { from, to } => {
            widest = widest.max(to - from + 1);
            // Later it gives more.
            limit = if *to > 300 { 1_000 } else { limit };
            answer(&chain, ask)
        }
        _ => answer(&chain, ask),
    };
    let (asks, troubles) = drive(&mut follower, LATER, &mut provider);
    assert_eq!(troubles, []);
    assert!(asks.contains(&Ask::RangeLogs { from: 0, to: 63 }), "{asks:?}");
    assert!(widest > 64 && widest <= 220, "{widest}");
    assert_eq!(follower.ledger().tip().map(|tip| tip.number), Some(599));
}

#[test]
fn failures_wait_longer_each_time_and_lose_nothing() {
    let chain = mined(10);
    let mut follower = start(SETTINGS);
    let mut waits = Vec::new();
    let mut now = LATER;
    for _ in 0..8 {
        drive(&mut follower, now, |_| Answer::Failed(Failure::Unavailable));
        let deadline = look_again(&mut follower);
        waits.push(deadline.since(now));
        now = deadline;
    }
    assert_eq!(waits, [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
    drive(&mut follower, now, |ask| answer(&chain, ask));
    assert_eq!(follower.ledger().tip(), Some(chain.blocks[9].header.block));
    assert_eq!(follower.deadline(), Some(now.plus_ms(1_000)));
}

/// A head that is announced far away neither loses the way back nor the blocks.
#[test]
fn a_lie_about_the_head_costs_patience_only() {
    let now = Time(1_700_000_000_000 + 200 * 12_000);
    let chain = mined(200);
    let mut follower = start(Settings { max_range: 64, ..SETTINGS });
    let lie = |ask: &Ask| match ask {
        Ask::Head => Answer::Head(1_000_000),
        _ => answer(&chain, ask),
    };
    let (_, troubles) = drive(&mut follower, now, lie);
    assert_eq!(troubles, [Trouble::MissingBlock { number: 200, head: 1_000_000 }]);
    // The last blocks can still be taken back: they are younger than what is taken in for good.
    let (mut other, keep) = (chain.clone(), 180);
    other.blocks.truncate(keep);
    (0..30).for_each(|_| other.mine(5, vec![]));
    look_again(&mut follower);
    let (_, troubles) = drive(&mut follower, now, |ask| answer(&other, ask));
    assert_eq!(troubles, []);
    assert_eq!(follower.ledger().tip(), Some(other.blocks[209].header.block));
}

/// Description, change to an honest answer, trouble.
type Lie = (&'static str, fn(&Ask, Answer) -> Answer);

const LIES: &[Lie] = &[
    ("another block than asked for", |ask, answer| match (ask, answer) {
        (Ask::Header { number: 3 }, Answer::Header(Some(mut header))) => {
            header.block.number = 4;
            Answer::Header(Some(header))
        }
        (_, answer) => answer,
    }),
    ("logs of another block", |ask, answer| match (ask, answer) {
        (Ask::BlockLogs { block }, Answer::BlockLogs(mut logs)) if block.number == 3 => {
            logs.iter_mut().for_each(|log| log.block.hash.0[0] ^= 1);
            Answer::BlockLogs(logs)
        }
        (_, answer) => answer,
    }),
    ("logs of a contract that nobody asked for", |ask, answer| match (ask, answer) {
        (Ask::BlockLogs { block }, Answer::BlockLogs(mut logs)) if block.number == 3 => {
            logs.iter_mut().for_each(|log| log.contract.0[0] ^= 1);
            Answer::BlockLogs(logs)
        }
        (_, answer) => answer,
    }),
    ("two logs in one place", |ask, answer| match (ask, answer) {
        (Ask::BlockLogs { block }, Answer::BlockLogs(mut logs)) if block.number == 3 => {
            let mut second = logs[0].clone();
            second.data.push(0);
            logs.push(second);
            Answer::BlockLogs(logs)
        }
        (_, answer) => answer,
    }),
    ("an answer to another question", |ask, answer| match ask {
        Ask::BlockLogs { block } if block.number == 3 => Answer::Head(9),
        _ => answer,
    }),
];

#[test]
fn answers_that_do_not_fit_are_refused_and_change_nothing() {
    let mut chain = Chain::default();
    (0..6).for_each(|at| chain.mine(0, vec![Transaction::new(at, vec![double::recipient(1, at as u8 + 1)])]));
    for (description, lie) in LIES {
        let mut follower = start(SETTINGS);
        let (_, troubles) = drive(&mut follower, LATER, |ask| lie(ask, answer(&chain, ask)));
        assert_eq!(troubles, [Trouble::WrongAnswer], "{description}");
        assert_eq!(follower.ledger().tip(), Some(chain.blocks[2].header.block), "{description}");
        look_again(&mut follower);
        let (_, troubles) = drive(&mut follower, LATER, |ask| answer(&chain, ask));
        assert_eq!(troubles, [], "{description}");
        assert_eq!(follower.ledger().tip(), Some(chain.blocks[5].header.block), "{description}");
    }
}

#[test]
fn a_change_below_what_can_be_taken_back_stops_and_keeps_the_facts() {
    let mut chain = Chain::default();
    (0..300).for_each(|at| chain.mine(0, vec![Transaction::new(at, vec![double::recipient(1, at as u8 | 1)])]));
    let mut follower = start(SETTINGS);
    drive(&mut follower, LATER, |ask| answer(&chain, ask));
    let mut other = Chain { blocks: chain.blocks[..100].to_vec() };
    (0..250).for_each(|_| other.mine(1, vec![]));
    look_again(&mut follower);
    let (_, troubles) = drive(&mut follower, LATER, |ask| answer(&other, ask));
    assert!(matches!(troubles[..], [Trouble::TooDeep { .. }]), "{troubles:?}");
    assert!(follower.ledger().facts().fee_recipient_of_owner(&double::wallet(1).address()).is_some());
    // The endpoint was wrong and comes to its senses.
    look_again(&mut follower);
    let (_, troubles) = drive(&mut follower, LATER, |ask| answer(&chain, ask));
    assert_eq!(troubles, []);
    assert_eq!(follower.ledger().tip(), Some(chain.blocks[299].header.block));
}

#[test]
fn a_new_head_ends_the_rest_but_not_a_wait_after_failures() {
    let chain = mined(3);
    let mut follower = start(SETTINGS);
    drive(&mut follower, LATER, |ask| answer(&chain, ask));
    follower.on_new_head();
    assert_eq!(follower.poll(), Some(Output::Ask(Ask::Head)));
    follower.on_answer(LATER, Answer::Failed(Failure::Unavailable));
    follower.on_new_head();
    assert_eq!(follower.poll(), None);
}
