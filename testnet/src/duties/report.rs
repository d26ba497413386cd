//! `report.json` of duties: what the committee achieved, and what that cost.

use std::collections::BTreeMap;

use cluster_core::chain::Contracts;
use cluster_core::committee::OperatorId;
use serde::{Deserialize, Serialize};

use super::checker::Violation;
use super::upkeep::Counts;
use crate::report::TransactionFigures;

/// The figures of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Versions of what took part, by name.
    pub versions: BTreeMap<String, String>,
    /// Seed of keys and faults.
    pub seed: u64,
    /// Operators of the committee.
    pub operators_count: usize,
    /// Validators.
    pub validators: usize,
    /// How the keys were made: `dkg` or `split`.
    pub keys: String,
    /// `minimal` or `mainnet`.
    pub preset: String,
    /// Length of a slot.
    pub slot_seconds: u64,
    /// `electra`, `fulu`, or `transition` when the one became the other on the way.
    pub fork: String,
    /// What was done to the network, in words; empty when nothing was.
    pub faults: Vec<String>,
    /// What happened when, such as a kill.
    pub events: Vec<EventFigures>,
    /// Every epoch that was watched to the end of the next one.
    pub epochs: Vec<EpochFigures>,
    /// Newest final epoch at the end.
    pub finalized_epoch: u64,
    /// From the start of the slot to the committee's decision, by duty, in milliseconds, over all operators.
    pub decision_ms: BTreeMap<String, Percentiles>,
    /// From the start of the slot until a beacon node had taken the result, by duty, in milliseconds, over all operators.
    pub submission_ms: BTreeMap<String, Percentiles>,
    /// Time that the beacon node took to answer a question late in a slot, in milliseconds.
    #[serde(default)]
    pub beacon_answer_ms: Percentiles,
    /// Each operator.
    pub operators: Vec<OperatorFigures>,
    /// Slashable pairs of messages that any operator's share or any validator signed. Must be zero.
    pub slashable: u64,
    /// Blocks that pay somebody else. Must be zero.
    pub wrong_fee_recipient: u64,
    /// The first of the slashable pairs.
    pub violations: Vec<Violation>,
    /// The first of the blocks that pay somebody else.
    pub wrong_fee_recipients: Vec<WrongRecipient>,
    /// How much the checker has looked at: without messages it could find nothing.
    pub checked: Checked,
    /// The builder; none when the beacon node has none.
    pub builder: Option<BuilderFigures>,
    /// The validator that its owner ordered to leave, if one was.
    pub exit: Option<ExitFigures>,
    /// By operator, how many validators stand how with builders and with their exits, by its own word at the end.
    #[serde(default)]
    pub upkeep: Counts,
    /// What was done by transactions, where there is a chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<ChainFigures>,
}

/// The way of the validators on the chain.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChainFigures {
    /// Contracts of the network.
    pub contracts: Contracts,
    /// The owner's request for the validators.
    pub request: TransactionFigures,
    /// Registrations in the network: with them operators got their shares.
    pub registered: Vec<TransactionFigures>,
    /// What each operator did about them.
    pub operators: Vec<BegunFigures>,
    /// The owner's order to exit, if there was one.
    pub exit: Option<TransactionFigures>,
}

impl ChainFigures {
    /// How many registrations there were, in words.
    #[must_use]
    pub fn registrations(&self) -> String {
        match self.registered.len() {
            1 => "1 transaction".to_owned(),
            count => format!("{count} transactions"),
        }
    }
}

/// What an operator did about registrations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BegunFigures {
    /// Who.
    pub id: OperatorId,
    /// Validators that it performed duties for before the first registration was sent.
    pub validators_before: usize,
    /// Those whose share it held and whose duties it performed afterwards.
    pub validators: usize,
    /// Milliseconds from the last registration until it did, to the second.
    pub begun_ms: u64,
}

/// What a relay with a builder saw of the committee.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuilderFigures {
    /// Validators whose registration was signed by them and names whom they are to pay: by public key, how often.
    pub registrations: BTreeMap<String, u64>,
    /// Validators without such a registration.
    pub unregistered: Vec<String>,
    /// Registrations that name somebody else, in words. Must be empty.
    pub wrong_recipients: Vec<String>,
    /// Registrations that the relay refused. Must be zero.
    pub refused: u64,
    /// The first of them, in words.
    pub refusals: Vec<String>,
    /// Headers that the beacon node asked for.
    pub headers: u64,
    /// Headers that the relay offered.
    pub bids: u64,
    /// Slots whose blinded block came back to the relay, signed by the proposer.
    pub blinded: Vec<u64>,
    /// Slots from which on the relay fails; none when it does not.
    pub fails_from_slot: Option<u64>,
    /// Its failures, by kind.
    pub failures: BTreeMap<String, u64>,
    /// Blocks of the canonical chain that the beacon node built while the relay failed.
    pub fallbacks: u64,
}

/// What became of an order to leave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitFigures {
    /// Index of the validator.
    pub validator: u64,
    /// Its public key, 0x hex.
    pub pubkey: String,
    /// Slot in which its owner gave the order.
    pub slot: u64,
    /// Whether an operator took the order of somebody else. Must be false.
    pub stranger_accepted: bool,
    /// What somebody else heard who gave the same order before.
    pub stranger_heard: String,
    /// Whether an operator took the owner's order.
    pub accepted: bool,
    /// What the owner heard.
    pub owner_heard: String,
    /// Status of the validator at the end, as the beacon node names it.
    pub status: String,
    /// Its first epoch without duties.
    pub exit_epoch: u64,
}

/// How well one epoch went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochFigures {
    /// Which.
    pub epoch: u64,
    /// Fraction of expected attestations with the right source, in time.
    pub source: f64,
    /// Fraction of expected attestations with the right target, in time.
    pub target: f64,
    /// Fraction of expected attestations with the right head, in time.
    pub head: f64,
    /// Blocks of the canonical chain.
    pub blocks: u64,
    /// Slots that could have one; the genesis slot cannot.
    pub slots: u64,
    /// Fraction of the bits of the blocks' sync aggregates that are set.
    pub sync: f64,
    /// Validators whose target vote is missing, by index.
    pub without_target: Vec<u64>,
    /// Slots without a block.
    pub empty_slots: Vec<u64>,
    /// Blocks of the canonical chain with a builder's payload.
    pub builder_blocks: u64,
}

/// What happened during a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventFigures {
    /// In which slot.
    pub slot: u64,
    /// In words.
    pub what: String,
}

/// Milliseconds below which a share of the values is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Percentiles {
    /// Half of the values.
    pub p50: u64,
    /// Nine of ten.
    pub p90: u64,
    /// 99 of 100.
    pub p99: u64,
    /// How many values there are.
    pub count: u64,
}

impl Percentiles {
    /// Of these values, by the nearest rank; all zero when there are none.
    #[must_use]
    pub fn of(mut values: Vec<u64>) -> Self {
        values.sort_unstable();
        let rank = |percent: usize| {
            let rank = (values.len() * percent).div_ceil(100).max(1);
            values.get(rank - 1).copied().unwrap_or(0)
        };
        Self { p50: rank(50), p90: rank(90), p99: rank(99), count: values.len() as u64 }
    }
}

/// What one operator used and missed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperatorFigures {
    /// Number in the registry.
    pub id: OperatorId,
    /// Processor time of its processes, user and system, in milliseconds.
    pub cpu_ms: u64,
    /// Most memory that a process of it used, in bytes.
    pub rss_bytes: u64,
    /// Bytes of the node's protocols, frames included.
    pub bytes_sent: u64,
    /// The same by protocol.
    pub bytes_by_protocol: BTreeMap<String, u64>,
    /// Duties that were missed, by the reason in its records.
    pub missed: BTreeMap<String, u64>,
    /// Duties that its records say were submitted, by kind.
    pub submitted: BTreeMap<String, u64>,
    /// What it counted against others: by operator, faults and how often each.
    pub blamed: BTreeMap<u32, BTreeMap<String, u64>>,
    /// Processes that were started for it.
    pub starts: u64,
    /// Each of them, in order.
    pub lives: Vec<LifeFigures>,
    /// Milliseconds by which its timers were late at most, second by second: what a busy machine does to it.
    #[serde(default)]
    pub timer_lag_ms: Percentiles,
    /// Share of a core that it needed while it was connected and had no duties yet, in percent.
    #[serde(default)]
    pub idle_cpu_percent: Option<f64>,
}

/// What one process of an operator was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifeFigures {
    /// Its release.
    pub release: String,
    /// Messages sent in the newest version of a protocol that it speaks, by protocol.
    pub newest_sent: BTreeMap<String, u64>,
    /// Messages sent in older versions, to operators that speak no newer one, by protocol.
    pub older_sent: BTreeMap<String, u64>,
}

impl OperatorFigures {
    /// Nothing yet.
    #[must_use]
    pub fn new(id: OperatorId) -> Self {
        Self {
            id,
            cpu_ms: 0,
            rss_bytes: 0,
            bytes_sent: 0,
            bytes_by_protocol: BTreeMap::new(),
            missed: BTreeMap::new(),
            submitted: BTreeMap::new(),
            blamed: BTreeMap::new(),
            starts: 0,
            lives: Vec::new(),
            timer_lag_ms: Percentiles::default(),
            idle_cpu_percent: None,
        }
    }
}

/// A block that pays somebody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrongRecipient {
    /// Slot of the block.
    pub slot: u64,
    /// Root of the block, 0x hex.
    pub block_root: String,
    /// Who proposed.
    pub proposer_index: u64,
    /// Who is paid, 0x hex.
    pub found: String,
    /// Who should be.
    pub expected: String,
}

/// Messages that were looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Attestations signed by operators' shares.
    pub share_attestations: u64,
    /// Blocks signed by operators' shares.
    pub share_blocks: u64,
    /// Attestations of validators that beacon nodes saw.
    pub attestations: u64,
    /// Blocks that beacon nodes saw.
    pub blocks: u64,
    /// Lines of operators that could not be read: each was cut short by a kill, before what it names had left the operator.
    pub unreadable_lines: u64,
}

/// What a run must have reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Marks {
    /// Least fraction of target votes and of blocks after the first epoch.
    pub participation: f64,
    /// First epoch that is measured: before it the network is still starting.
    pub from_epoch: u64,
    /// Least final epoch.
    pub finalized_epoch: u64,
}

impl Report {
    /// What the run fell short of, in words.
    #[must_use]
    pub fn shortfalls(&self, marks: &Marks) -> Vec<String> {
        let mut short = Vec::new();
        let measured: Vec<&EpochFigures> =
            self.epochs.iter().filter(|figures| figures.epoch >= marks.from_epoch).collect();
        // Epochs have the same number of attestations, so that the mean over them is the fraction of all.
        let target = measured.iter().map(|figures| figures.target).sum::<f64>() / measured.len().max(1) as f64;
        if target < marks.participation && !measured.is_empty() {
            let missing = measured.iter().filter(|figures| !figures.without_target.is_empty());
            let missing: Vec<String> =
                missing.map(|figures| format!("{} of epoch {}", figures.without_target.len(), figures.epoch)).collect();
            short.push(format!(
                "{:.2} % of the target votes are there; missing: {}",
                target * 100.0,
                missing.join(", ")
            ));
        }
        let (blocks, slots) =
            measured.iter().fold((0, 0), |(blocks, slots), epoch| (blocks + epoch.blocks, slots + epoch.slots));
        if (blocks as f64) < marks.participation * slots as f64 {
            let empty: Vec<String> =
                measured.iter().flat_map(|epoch| &epoch.empty_slots).map(ToString::to_string).collect();
            short.push(format!("{blocks} of {slots} slots have a block; empty: {}", empty.join(", ")));
        }
        if measured.is_empty() {
            short.push(format!("no epoch from epoch {} on was watched to its end", marks.from_epoch));
        }
        if self.finalized_epoch < marks.finalized_epoch {
            short.push(format!("epoch {} is final, not {}", self.finalized_epoch, marks.finalized_epoch));
        }
        short.extend(self.builder.iter().flat_map(BuilderFigures::shortfalls));
        short.extend(self.exit.iter().filter_map(ExitFigures::shortfall));
        short
    }

    /// What must never be, in words.
    #[must_use]
    pub fn offences(&self) -> Vec<String> {
        let mut offences: Vec<String> = self.violations.iter().map(ToString::to_string).collect();
        let wrong = self.wrong_fee_recipients.iter();
        offences.extend(wrong.map(|wrong| {
            format!(
                "the block of slot {} by validator {} pays {}, not {}",
                wrong.slot, wrong.proposer_index, wrong.found, wrong.expected
            )
        }));
        offences
    }
}

impl BuilderFigures {
    fn shortfalls(&self) -> Vec<String> {
        let mut short: Vec<String> =
            self.wrong_recipients.iter().map(|wrong| format!("a builder was told {wrong}")).collect();
        if !self.unregistered.is_empty() {
            let validators = self.unregistered.join(", ");
            short
                .push(format!("no builder knows whom to pay for {} validators: {validators}", self.unregistered.len()));
        }
        if self.refused > 0 {
            short.push(format!("the relay refused {} registrations: {}", self.refused, self.refusals.join("; ")));
        }
        if self.blinded.is_empty() {
            short.push(format!("none of {} headers that were offered became a block", self.bids));
        }
        short
    }
}

impl ExitFigures {
    /// Whether the validator leaves or has left, by its status.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        ["active_exiting", "exited_unslashed", "withdrawal_possible", "withdrawal_done"].contains(&self.status.as_str())
    }

    fn shortfall(&self) -> Option<String> {
        let Self { validator, status, owner_heard, stranger_heard, .. } = self;
        if self.stranger_accepted {
            return Some(format!("somebody else could order validator {validator} to leave: {stranger_heard}"));
        }
        if !self.is_leaving() {
            return Some(format!(
                "validator {validator} was ordered to leave and is {status}; its owner heard: {owner_heard}"
            ));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::Percentiles;

    #[test]
    fn percentiles_go_by_the_nearest_rank() {
        let of = |values: &[u64]| {
            let found = Percentiles::of(values.to_vec());
            (found.p50, found.p90, found.p99)
        };
        assert_eq!(of(&[]), (0, 0, 0));
        assert_eq!(of(&[7]), (7, 7, 7));
        assert_eq!(of(&[3, 1, 2]), (2, 3, 3));
        let hundred: Vec<u64> = (1..=100).rev().collect();
        assert_eq!(of(&hundred), (50, 90, 99));
    }
}
