//! Answers of beacon nodes in plain types.

use cluster_core::beacon::{Epoch, Root, Slot, ValidatorIndex};
use cluster_core::encoding::hex_array;
use serde::{Deserialize, Serialize};

/// What a validator is doing, as the Beacon API names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValidatorState {
    /// Deposited, not yet in the queue.
    PendingInitialized,
    /// In the queue.
    PendingQueued,
    /// At work.
    ActiveOngoing,
    /// At work, about to leave.
    ActiveExiting,
    /// Slashed, about to leave.
    ActiveSlashed,
    /// Left.
    ExitedUnslashed,
    /// Slashed and left.
    ExitedSlashed,
    /// Left, not yet paid out.
    WithdrawalPossible,
    /// Left and paid out.
    WithdrawalDone,
}

impl ValidatorState {
    /// Whether it has duties.
    #[must_use]
    pub const fn is_active(self) -> bool {
        matches!(self, Self::ActiveOngoing | Self::ActiveExiting | Self::ActiveSlashed)
    }

    /// Whether it waits for its activation.
    #[must_use]
    pub const fn is_pending(self) -> bool {
        matches!(self, Self::PendingInitialized | Self::PendingQueued)
    }

    /// Whether its exit has begun, or is over.
    #[must_use]
    pub const fn is_leaving(self) -> bool {
        !self.is_pending() && !matches!(self, Self::ActiveOngoing)
    }

    /// Whether it has been slashed.
    #[must_use]
    pub const fn is_slashed(self) -> bool {
        matches!(self, Self::ActiveSlashed | Self::ExitedSlashed)
    }
}

/// A validator of the head state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidatorStatus {
    /// Number in the state.
    pub index: ValidatorIndex,
    /// Public key.
    pub pubkey: [u8; 48],
    /// What it is doing.
    pub status: ValidatorState,
    /// First epoch with duties; `u64::MAX` when none is set.
    pub activation_epoch: Epoch,
    /// First epoch without duties; `u64::MAX` when none is set.
    pub exit_epoch: Epoch,
    /// What its votes weigh, in gwei.
    pub effective_balance_gwei: u64,
    /// Where withdrawals go.
    pub withdrawal_credentials: [u8; 32],
}

/// When and where a validator attests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttesterDuty {
    /// Public key.
    #[serde(with = "hex_array")]
    pub pubkey: [u8; 48],
    /// Number in the state.
    pub validator_index: ValidatorIndex,
    /// Its committee in the slot.
    #[serde(with = "decimal")]
    pub committee_index: u64,
    /// Members of the committee.
    #[serde(with = "decimal")]
    pub committee_length: u64,
    /// Committees of the slot.
    #[serde(with = "decimal")]
    pub committees_at_slot: u64,
    /// Its position in the committee.
    #[serde(with = "decimal")]
    pub validator_committee_index: u64,
    /// When.
    pub slot: Slot,
}

/// Who proposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposerDuty {
    /// Public key.
    #[serde(with = "hex_array")]
    pub pubkey: [u8; 48],
    /// Number in the state.
    pub validator_index: ValidatorIndex,
    /// When.
    pub slot: Slot,
}

/// Membership in a sync committee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncDuty {
    /// Public key.
    pub pubkey: [u8; 48],
    /// Number in the state.
    pub validator_index: ValidatorIndex,
    /// Its positions in the committee; a validator can have several.
    pub positions: Vec<u64>,
}

/// An answer that holds as long as the chain contains a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependent<T> {
    /// The block; when head events name another, ask again.
    pub dependent_root: Root,
    /// The answer.
    pub data: T,
}

/// A wish to join the subnet of an attestation committee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CommitteeSubscription {
    /// Number in the state.
    pub validator_index: ValidatorIndex,
    /// Committee of the slot.
    #[serde(with = "decimal")]
    pub committee_index: u64,
    /// Committees of the slot.
    #[serde(with = "decimal")]
    pub committees_at_slot: u64,
    /// When.
    pub slot: Slot,
    /// Whether attestations are to be collected for aggregation.
    pub is_aggregator: bool,
}

/// A wish to join the subnets of a sync committee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncSubscription {
    /// Number in the state.
    pub validator_index: ValidatorIndex,
    /// Positions in the committee.
    pub positions: Vec<u64>,
    /// First epoch without the wish.
    pub until_epoch: Epoch,
}

/// A new head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadEvent {
    /// Slot of the block.
    pub slot: Slot,
    /// The block.
    #[serde(rename = "block", with = "hex_array")]
    pub block_root: Root,
    /// What attester duties of this epoch depend on.
    #[serde(with = "hex_array")]
    pub previous_duty_dependent_root: Root,
    /// What proposer duties of this epoch and attester duties of the next one depend on.
    #[serde(with = "hex_array")]
    pub current_duty_dependent_root: Root,
    /// Whether the block is the first of its epoch.
    pub epoch_transition: bool,
    /// Whether the node's execution client has not checked the payload yet.
    #[serde(default)]
    pub execution_optimistic: bool,
}

/// What happens on the chain and to the connections. The first node to report a head or a checkpoint is believed, repetitions are
/// dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BeaconEvent {
    /// A new head.
    Head(HeadEvent),
    /// A checkpoint is final.
    Finalized {
        /// Its epoch.
        epoch: Epoch,
        /// Its block.
        block_root: Root,
    },
    /// A node's events are received, for the first time or again: something may have been missed.
    Reconnected {
        /// The node.
        url: String,
    },
}

/// What a node is good for, best first: nodes are asked in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// Follows the chain.
    Ready,
    /// Follows the chain, some slots behind another node.
    Behind,
    /// Follows the chain, but its execution client does not answer.
    ExecutionOffline,
    /// Its head is not checked by its execution client: not asked for what is signed.
    Optimistic,
    /// Is catching up with the chain: not asked for anything that depends on the head.
    Syncing,
    /// Does not answer.
    Unreachable,
    /// Belongs to another chain: not asked for anything, and told nothing.
    OtherChain,
}

impl NodeState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Ready,
        Self::Behind,
        Self::ExecutionOffline,
        Self::Optimistic,
        Self::Syncing,
        Self::Unreachable,
        Self::OtherChain,
    ];

    /// The name in metrics and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Behind => "behind",
            Self::ExecutionOffline => "execution_offline",
            Self::Optimistic => "optimistic",
            Self::Syncing => "syncing",
            Self::Unreachable => "unreachable",
            Self::OtherChain => "other_chain",
        }
    }

    /// Whether answers about the head may be signed.
    #[must_use]
    pub const fn serves_head(self) -> bool {
        matches!(self, Self::Ready | Self::Behind | Self::ExecutionOffline)
    }
}

/// How a node is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeHealth {
    /// Where it is, without passwords and paths.
    pub url: String,
    /// What it is good for.
    pub state: NodeState,
    /// Why, when it is not ready.
    pub reason: Option<String>,
    /// Its software.
    pub version: Option<String>,
    /// Slot of its head.
    pub head_slot: Option<Slot>,
    /// How long its last health check took, in milliseconds.
    pub latency_ms: Option<u64>,
    /// Calls that failed since the start.
    pub errors: u64,
}

/// Numbers as decimal strings.
pub(super) mod decimal {
    use serde::{de::Error, Deserialize, Deserializer, Serializer};

    // The signature that serde asks for.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub(in super::super) fn serialize<S: Serializer>(number: &u64, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(number)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<u64, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(input)?;
        text.parse().map_err(|_| D::Error::custom(format_args!("`{text}` is not a decimal number of 64 bits")))
    }
}
