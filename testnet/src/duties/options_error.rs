//! What makes no sense in the options of a run, in words.

use std::path::PathBuf;

use cluster_core::committee::OperatorId;

/// Slots that an operator has between two kills of a rolling restart: to come back, and to show that it works.
pub(super) const ROLLING_SLOTS: u64 = 4;

/// Why a run makes no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OptionsError {
    /// Size of the committee.
    #[error("--operators must be 4, 7, 10 or 13, not {0}")]
    Operators(usize),
    /// A number out of its range.
    #[error("{flag} must be {range}, not {found}")]
    Range {
        /// The flag.
        flag: &'static str,
        /// What it may be.
        range: &'static str,
        /// What it is.
        found: String,
    },
    /// An operator that does not exist.
    #[error("{flag}: there is no operator {number}; name one by its position, 1 to {count}, or by its id, {first} to {last}")]
    NoOperator {
        /// The flag.
        flag: &'static str,
        /// As given.
        number: u32,
        /// How many there are.
        count: usize,
        /// The first id.
        first: u32,
        /// The last id.
        last: u32,
    },
    /// A link of an operator to itself.
    #[error("--one-way must name two different operators, not {0} twice")]
    Loop(OperatorId),
    /// Something after the end.
    #[error("{flag} names epoch {epoch}, but the run has the epochs 0 to {last}")]
    Epoch {
        /// The flag.
        flag: &'static str,
        /// As given.
        epoch: u64,
        /// The last epoch of the report.
        last: u64,
    },
    /// Too little time.
    #[error("{flag} of {operators} operators needs {needed} epochs or more, not {epochs}: each is stopped {ROLLING_SLOTS} slots after the one before, from epoch 1 on")]
    Rolling {
        /// The flag.
        flag: &'static str,
        /// Operators.
        operators: usize,
        /// Epochs that would do.
        needed: u64,
        /// Epochs that there are.
        epochs: u64,
    },
    /// The chain would be lost.
    #[error("--kill-beacon needs --second-beacon: without a beacon node there are no duties")]
    LastBeacon,
    /// Nothing would be measured.
    #[error("--restart-beacon without --second-beacon needs an epoch of the report after it: only that can show that duties went on")]
    NoTimeAfter,
    /// Both at once.
    #[error("--kill-beacon and --restart-beacon are about the same beacon node; give one of them")]
    BothBeacon,
    /// Both at once.
    #[error("--rolling-restart and --rolling-upgrade both stop every operator in turn; give one of them")]
    BothRolling,
    /// The builder follows one beacon node.
    #[error("--builder is for runs with one beacon node that stays: without --second-beacon, --kill-beacon and --restart-beacon")]
    BuilderAlone,
    /// Nothing would fail.
    #[error("--builder-fails needs --builder")]
    NoBuilder,
    /// A validator that does not exist.
    #[error("--exit: there is no validator {index}; they are numbered 0 to {last}")]
    NoValidator {
        /// As given.
        index: u64,
        /// The last one.
        last: u32,
    },
    /// Nothing could be registered.
    #[error("--chain anvil is about keys of a ceremony, whose shares are sealed for the contracts; leave out --split")]
    SplitOnChain,
    /// A program that is not built.
    #[error("{flag} needs {}, which is not there; build it: {how}", path.display())]
    NoProgram {
        /// The flag.
        flag: &'static str,
        /// Where it should be.
        path: PathBuf,
        /// The command.
        how: &'static str,
    },
}
