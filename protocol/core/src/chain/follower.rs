//! Follows a chain: which blocks to ask for, when a provider is not believed, what to take back. Sans IO: questions and
//! commits are outputs, answers and the time are arguments.
//!
//! Old blocks are asked for in ranges, and taken in for good. The last [`FINAL_DEPTH`] blocks are asked for one by one, by
//! their hashes, each as the child of the one before, and leave a record that takes them back: a reorganisation shows
//! as a child with another parent, and is undone block by block until the chains meet.
//!
//! A provider's word about its head decides nothing but how far to ask: a block that does not come is a failure of the
//! provider, and a range is taken in for good only when the clock says that its last block is old.

use super::{
    ledger::blocks_with_requests, BlockRef, Commit, Contracts, Header, Ledger, Log, EVENT_ID_BYTES, MAX_HISTORY,
};
use crate::machine::Time;
use std::collections::{HashMap, VecDeque};

/// Blocks below the head that are asked for one by one: two epochs, after which a healthy chain is final.
pub const FINAL_DEPTH: u64 = 64;
/// Age of a block that is taken in for good, in seconds: [`FINAL_DEPTH`] slots.
const FINAL_AGE_S: u64 = FINAL_DEPTH * 12;
/// Most logs of one answer; a provider that has more is asked for fewer blocks.
pub const MAX_LOGS: usize = 10_000;
/// Longest wait after failures, in milliseconds.
const MAX_WAIT_MS: u64 = 60_000;

const _: () = assert!(FINAL_DEPTH < MAX_HISTORY as u64 && EVENT_ID_BYTES == 64);

/// How to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// First block of interest: that of the contracts' deployment.
    pub start_block: u64,
    /// Blocks that must follow one before its events count.
    pub confirmations: u64,
    /// Wait between two looks at the head, in milliseconds; at least 1.
    pub poll_ms: u64,
    /// Most blocks of one question, at least 1.
    pub max_range: u64,
}

/// A question to a provider. There is one at a time, and it gets one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The number of the head.
    Head,
    /// The block at this height.
    Header {
        /// Height.
        number: u64,
    },
    /// All logs of the contracts in these blocks, and the last of them. Both must come from one provider: one that lags
    /// answers with no logs instead of an error.
    RangeLogs {
        /// First block.
        from: u64,
        /// Last block.
        to: u64,
    },
    /// All logs of the contracts in the block with this hash.
    BlockLogs {
        /// The block.
        block: BlockRef,
    },
}

/// What a provider says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To [`Ask::Head`].
    Head(u64),
    /// To [`Ask::Header`]; `None`: it has no such block.
    Header(Option<Header>),
    /// To [`Ask::RangeLogs`].
    RangeLogs {
        /// The logs, in any order.
        logs: Vec<Log>,
        /// The last block.
        end: Header,
    },
    /// To [`Ask::BlockLogs`]: the logs, in any order.
    BlockLogs(Vec<Log>),
    /// No provider had an answer.
    Failed(Failure),
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Not reachable, too slow, or refused for now.
    Unavailable,
    /// The range holds more than the provider gives out at once.
    TooMuch,
    /// The last block of the range is not there, although it is below the announced head.
    Missing,
}

/// What the driver is to do, strictly in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Write this, before anything that follows from it is done.
    Commit(Box<Commit>),
    /// Ask a provider.
    Ask(Ask),
    /// Say what is wrong: the provider that answered last is not to be believed, or a person must look.
    Trouble(Trouble),
}

/// What stands in the way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// A block below the announced head is missing.
    #[error("the endpoint announces block {head}, but has no block {number}")]
    MissingBlock {
        /// Asked for.
        number: u64,
        /// Announced.
        head: u64,
    },
    /// An answer to another question.
    #[error("the endpoint gave another block than asked for, or logs that are not in it")]
    WrongAnswer,
    /// The chain changed below what can be taken back.
    #[error("the chain has another block {number} than was taken in, and it is too old to be taken back; check the endpoints, and if the chain is right, run `cluster-node chain rescan`")]
    TooDeep {
        /// Height.
        number: u64,
    },
}

/// What the pending question is for.
#[derive(Clone, Debug)]
enum Step {
    Head,
    /// Whether a block that was taken in is still in the chain.
    Check(BlockRef),
    /// The child of the tip.
    Next(u64),
    /// The logs of the child of the tip.
    Logs(Header),
    Range {
        from: u64,
        to: u64,
    },
    /// Times of blocks with requests in a range that was answered.
    Times(Box<Times>),
    /// Nothing is asked.
    Resting {
        until: Time,
    },
}

#[derive(Clone, Debug)]
struct Times {
    end: BlockRef,
    logs: Vec<Log>,
    missing: Vec<BlockRef>,
    times: HashMap<u64, u64>,
}

/// The machine.
#[derive(Debug)]
pub struct Follower {
    settings: Settings,
    ledger: Ledger,
    step: Step,
    outputs: VecDeque<Output>,
    head: Option<u64>,
    /// The tip was compared with the chain since the head was asked for.
    checked: bool,
    /// Everything up to the head less confirmations was taken in at the last look.
    caught_up: bool,
    /// The announced head is so far away that blocks seem old which are not.
    one_by_one: bool,
    range: u64,
    failures: u32,
}

impl Follower {
    /// Goes on from a ledger, with the first question. `retry` is part of a start: events that an older version could not
    /// read are tried again.
    pub fn new(settings: Settings, mut ledger: Ledger) -> Self {
        let mut outputs = VecDeque::new();
        if let Some(commit) = ledger.retry() {
            outputs.push_back(Output::Commit(Box::new(commit)));
        }
        outputs.push_back(Output::Ask(Ask::Head));
        Follower {
            range: settings.max_range.max(1),
            settings,
            ledger,
            step: Step::Head,
            outputs,
            head: None,
            checked: false,
            caught_up: false,
            one_by_one: false,
            failures: 0,
        }
    }

    /// Facts and tip.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The head that was announced last.
    pub fn head(&self) -> Option<u64> {
        self.head
    }

    /// Whether everything confirmed at the last look at the head has been taken in.
    pub fn is_caught_up(&self) -> bool {
        self.caught_up
    }

    /// Blocks that are asked for at once now.
    pub fn range(&self) -> u64 {
        self.range
    }

    /// The next effect to perform.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Follower::on_deadline`]; `None` while an answer is due.
    pub fn deadline(&self) -> Option<Time> {
        match self.step {
            Step::Resting { until } => Some(until),
            _ => None,
        }
    }

    /// Tells the machine that its deadline has passed.
    pub fn on_deadline(&mut self, now: Time) {
        if self.deadline().is_some_and(|until| until <= now) {
            self.head = None;
            self.ask(Ask::Head, Step::Head);
        }
    }

    /// A new head was announced (a subscription does that): the rest ends early.
    pub fn on_new_head(&mut self) {
        if matches!(self.step, Step::Resting { .. }) && self.failures == 0 {
            self.head = None;
            self.ask(Ask::Head, Step::Head);
        }
    }

    /// Takes the answer to the pending question; one to no question changes nothing.
    pub fn on_answer(&mut self, now: Time, answer: Answer) {
        if matches!(self.step, Step::Resting { .. }) {
            return;
        }
        let step = std::mem::replace(&mut self.step, Step::Head);
        match (step, answer) {
            (step, Answer::Failed(failure)) => self.failed(now, &step, failure),
            (Step::Head, Answer::Head(head)) => {
                self.head = Some(head);
                (self.checked, self.one_by_one) = (false, false);
                self.decide(now);
            }
            (Step::Check(known), Answer::Header(header)) => self.compare(now, known, header),
            (Step::Next(number), Answer::Header(header)) => self.follow(now, number, header),
            (Step::Logs(header), Answer::BlockLogs(logs)) => self.take_block(now, &header, logs),
            (Step::Range { from, to }, Answer::RangeLogs { logs, end }) => self.take_range(now, from, to, logs, &end),
            (Step::Times(times), Answer::Header(header)) => self.take_time(now, times, header),
            _ => self.trouble(now, Trouble::WrongAnswer),
        }
    }

    fn ask(&mut self, ask: Ask, step: Step) {
        self.step = step;
        self.outputs.push_back(Output::Ask(ask));
    }

    /// What to ask next.
    fn decide(&mut self, now: Time) {
        let Some(head) = self.head else { return self.ask(Ask::Head, Step::Head) };
        let tip = self.ledger.tip();
        let next = tip.map_or(self.settings.start_block, |tip| tip.number.saturating_add(1));
        let target = head.saturating_sub(self.settings.confirmations);
        if next > target || (target == 0 && next == 0 && head < self.settings.confirmations) {
            let known = tip.and_then(|tip| self.ledger.known(tip.number.min(head)));
            return match known {
                Some(known) if !self.checked => self.check(known),
                _ => self.rest(now, true),
            };
        }
        let to = next.saturating_add(self.range - 1).min(target).min(head.saturating_sub(FINAL_DEPTH));
        if to < next || self.one_by_one {
            return self.ask(Ask::Header { number: next }, Step::Next(next));
        }
        match tip {
            Some(tip) if !self.checked => self.check(tip),
            _ => self.ask(Ask::RangeLogs { from: next, to }, Step::Range { from: next, to }),
        }
    }

    fn check(&mut self, known: BlockRef) {
        self.ask(Ask::Header { number: known.number }, Step::Check(known));
    }

    fn rest(&mut self, now: Time, caught_up: bool) {
        self.caught_up = caught_up;
        let wait = if caught_up {
            self.failures = 0;
            self.settings.poll_ms
        } else {
            self.failures = self.failures.saturating_add(1);
            self.settings.poll_ms.saturating_mul(1 << self.failures.min(16)).min(MAX_WAIT_MS)
        };
        self.step = Step::Resting { until: now.plus_ms(wait.max(1)) };
    }

    fn trouble(&mut self, now: Time, trouble: Trouble) {
        self.outputs.push_back(Output::Trouble(trouble));
        self.rest(now, false);
    }

    fn failed(&mut self, now: Time, step: &Step, failure: Failure) {
        if let Step::Range { to, .. } = step {
            let at_once = failure == Failure::TooMuch && self.range > 1;
            self.range = (self.range / 2).max(1);
            if at_once {
                return self.decide(now);
            }
            if failure == Failure::Missing {
                return self.missing(now, *to);
            }
        }
        self.rest(now, false);
    }

    fn missing(&mut self, now: Time, number: u64) {
        let head = self.head.unwrap_or_default();
        self.trouble(now, Trouble::MissingBlock { number, head });
    }

    /// The block that was taken in at this height, and the one that the chain has there now.
    fn compare(&mut self, now: Time, known: BlockRef, header: Option<Header>) {
        match header {
            None => self.missing(now, known.number),
            Some(header) if header.block.number != known.number => self.trouble(now, Trouble::WrongAnswer),
            Some(header) if header.block.hash == known.hash => {
                self.checked = true;
                self.decide(now);
            }
            Some(_) => self.roll_back(now),
        }
    }

    fn roll_back(&mut self, now: Time) {
        match self.ledger.roll_back() {
            Some(commit) => {
                self.checked = false;
                self.outputs.push_back(Output::Commit(Box::new(commit)));
                self.decide(now);
            }
            None => {
                let number = self.ledger.tip().map_or(0, |tip| tip.number);
                self.trouble(now, Trouble::TooDeep { number });
            }
        }
    }

    fn follow(&mut self, now: Time, number: u64, header: Option<Header>) {
        let Some(header) = header else { return self.missing(now, number) };
        if header.block.number != number {
            return self.trouble(now, Trouble::WrongAnswer);
        }
        match self.ledger.tip() {
            Some(tip) if tip.hash != header.parent_hash => self.roll_back(now),
            _ => self.ask(Ask::BlockLogs { block: header.block }, Step::Logs(header)),
        }
    }

    fn take_block(&mut self, now: Time, header: &Header, logs: Vec<Log>) {
        let ours = |log: &Log| log.block == header.block;
        let Some(logs) = self.in_order(logs, ours) else { return self.trouble(now, Trouble::WrongAnswer) };
        let commit = self.ledger.append(header, &logs);
        self.took(now, commit);
    }

    fn take_range(&mut self, now: Time, from: u64, to: u64, logs: Vec<Log>, end: &Header) {
        if logs.len() > MAX_LOGS {
            return self.failed(now, &Step::Range { from, to }, Failure::TooMuch);
        }
        let ours = |log: &Log| (from..=to).contains(&log.block.number);
        let logs = self.in_order(logs, ours).filter(|_| end.block.number == to);
        let Some(logs) = logs else { return self.trouble(now, Trouble::WrongAnswer) };
        if now.seconds() < end.time_s.saturating_add(FINAL_AGE_S) {
            self.one_by_one = true;
            return self.decide(now);
        }
        let mut missing = blocks_with_requests(self.ledger.contracts(), &logs);
        missing.reverse();
        let times = HashMap::from([(end.block.number, end.time_s)]);
        self.next_time(now, Box::new(Times { end: end.block, logs, missing, times }));
    }

    fn next_time(&mut self, now: Time, times: Box<Times>) {
        match times.missing.last() {
            Some(block) => {
                let number = block.number;
                self.ask(Ask::Header { number }, Step::Times(times));
            }
            None => {
                let commit = self.ledger.append_range(times.end, &times.logs, |number| {
                    times.times.get(&number).copied().unwrap_or_default()
                });
                let most = self.settings.max_range.max(1);
                self.range = self.range.saturating_add(self.range / 4 + 1).min(most);
                self.took(now, commit);
            }
        }
    }

    fn take_time(&mut self, now: Time, mut times: Box<Times>, header: Option<Header>) {
        let asked = times.missing.pop();
        match (header, asked) {
            (Some(header), Some(block)) if header.block == block => {
                times.times.insert(block.number, header.time_s);
                self.next_time(now, times);
            }
            (None, Some(block)) => self.missing(now, block.number),
            _ => self.trouble(now, Trouble::WrongAnswer),
        }
    }

    fn took(&mut self, now: Time, commit: Commit) {
        self.failures = 0;
        self.checked = true;
        self.outputs.push_back(Output::Commit(Box::new(commit)));
        self.decide(now);
    }

    /// The logs of the contracts by position, each once; `None` when one is not `ours`, or there are too many.
    fn in_order(&self, mut logs: Vec<Log>, ours: impl Fn(&Log) -> bool) -> Option<Vec<Log>> {
        let contracts: &Contracts = self.ledger.contracts();
        let wanted = |log: &Log| ours(log) && contracts.which(&log.contract).is_some();
        if logs.len() > MAX_LOGS || !logs.iter().all(wanted) {
            return None;
        }
        logs.sort_by_key(Log::position);
        logs.dedup();
        let twice = logs.windows(2).any(|pair| pair[0].position() == pair[1].position());
        (!twice).then_some(logs)
    }
}
