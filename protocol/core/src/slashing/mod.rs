//! Slashing protection: the rules of EIP-3076, and its interchange format.
//!
//! Pure: a history is looked up through [`History`], and what may be signed is returned as a [`Safe`], which only
//! [`check_block`] and [`check_attestation`] can make. Whoever keeps the history records the message with the floors of the
//! `Safe` in one step with the check, and makes both durable before anything is signed.
//!
//! | check | source |
//! | --- | --- |
//! | one block per slot | condition 1 |
//! | no block at or below the lowest known slot | condition 2 |
//! | one vote per target; no vote surrounds another | condition 3 |
//! | no source below the lowest known source | condition 4 |
//! | no target at or below the lowest known target | condition 5 |
//!
//! The lowest known values are [`Floors`]. They begin with a validator's first message and rise when history is pruned, or imported
//! from a node that may have pruned its own: what is not listed there may have been signed all the same.

mod interchange;

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::beacon::{Epoch, Root, Slot};

pub use interchange::{
    Interchange, InterchangeError, Metadata, SignedAttestation, SignedBlock, ValidatorHistory, FORMAT_VERSION,
    MAX_INTERCHANGE_BYTES,
};

/// Why a message is not signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// A second block in a slot.
    #[error("the validator has signed another block in slot {slot}")]
    DoubleProposal {
        /// The slot.
        slot: Slot,
    },
    /// A block where history is not known any more.
    #[error("slot {slot} is not after slot {floor}, before which the validator's blocks are not known")]
    SlotTooOld {
        /// The slot.
        slot: Slot,
        /// The lowest known slot.
        floor: Slot,
    },
    /// Not a vote.
    #[error("the source epoch {source_epoch} is after the target epoch {target}")]
    SourceAfterTarget {
        /// The source.
        source_epoch: Epoch,
        /// The target.
        target: Epoch,
    },
    /// A second vote for a target.
    #[error("the validator has signed another vote for the target epoch {target}")]
    DoubleVote {
        /// The target.
        target: Epoch,
    },
    /// The vote surrounds an earlier one.
    #[error("the vote from epoch {source_epoch} to {target} surrounds one that the validator has signed, from {old_source} to {old_target}")]
    Surrounds {
        /// The source.
        source_epoch: Epoch,
        /// The target.
        target: Epoch,
        /// Source of the earlier vote.
        old_source: Epoch,
        /// Target of the earlier vote.
        old_target: Epoch,
    },
    /// An earlier vote surrounds this one.
    #[error("the vote from epoch {source_epoch} to {target} is surrounded by one that the validator has signed, from {old_source} to {old_target}")]
    Surrounded {
        /// The source.
        source_epoch: Epoch,
        /// The target.
        target: Epoch,
        /// Source of the earlier vote.
        old_source: Epoch,
        /// Target of the earlier vote.
        old_target: Epoch,
    },
    /// A vote from where history is not known any more.
    #[error(
        "the source epoch {source_epoch} is before epoch {floor}, before which the validator's votes are not known"
    )]
    SourceTooOld {
        /// The source.
        source_epoch: Epoch,
        /// The lowest known source.
        floor: Epoch,
    },
    /// A vote for where history is not known any more.
    #[error("the target epoch {target} is not after epoch {floor}, before which the validator's votes are not known")]
    TargetTooOld {
        /// The target.
        target: Epoch,
        /// The lowest known target.
        floor: Epoch,
    },
}

/// Below these a validator's history is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Floors {
    /// No block at or below it.
    pub slot: Option<Slot>,
    /// No vote with a source below it.
    pub source: Option<Epoch>,
    /// No vote with a target at or below it.
    pub target: Option<Epoch>,
}

impl Floors {
    /// The floors when a block is not to be known any more, or may stand for others that are not.
    #[must_use]
    pub fn above_block(self, slot: Slot) -> Self {
        Self { slot: self.slot.max(Some(slot)), ..self }
    }

    /// The floors when a vote is not to be known any more, or may stand for others that are not.
    #[must_use]
    pub fn above_vote(self, source: Epoch, target: Epoch) -> Self {
        Self { source: self.source.max(Some(source)), target: self.target.max(Some(target)), ..self }
    }
}

/// A recorded vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Vote {
    /// The source.
    pub source: Epoch,
    /// The target.
    pub target: Epoch,
    /// What was signed; unknown when it came without, or when two different ones are on record.
    pub signing_root: Option<Root>,
}

/// A recorded block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Block {
    /// The slot.
    pub slot: Slot,
    /// What was signed; unknown when it came without, or when two different ones are on record.
    pub signing_root: Option<Root>,
}

/// The recorded messages of one validator.
pub trait History {
    /// Why a lookup fails.
    type Error;

    /// The validator's floors; all none without history.
    fn floors(&self) -> Result<Floors, Self::Error>;

    /// The block in a slot.
    fn block(&self, slot: Slot) -> Result<Option<Block>, Self::Error>;

    /// The votes for these targets.
    fn votes(&self, targets: RangeInclusive<Epoch>) -> impl Iterator<Item = Result<Vote, Self::Error>>;
}

/// Permission to sign one message, from a check. It holds only when the message is recorded in one step with the check.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "what is safe to sign must be recorded first"]
pub struct Safe {
    repeat: bool,
    floors: Option<Floors>,
}

impl Safe {
    /// Whether the same message is on record, and nothing new is to be recorded.
    #[must_use]
    pub const fn is_repeat(&self) -> bool {
        self.repeat
    }

    /// The floors to record with the message, when it changes them: those of a validator begin with its first message.
    #[must_use]
    pub const fn floors(&self) -> Option<Floors> {
        self.floors
    }

    const REPEAT: Self = Self { repeat: true, floors: None };

    fn first(before: Floors, after: Floors) -> Self {
        Self { repeat: false, floors: (before != after).then_some(after) }
    }
}

/// Whether a block may be signed.
pub fn check_block<H: History>(history: &H, slot: Slot, signing_root: Root) -> Result<Result<Safe, Refusal>, H::Error> {
    if let Some(block) = history.block(slot)? {
        let repeat = block.signing_root == Some(signing_root);
        return Ok(if repeat { Ok(Safe::REPEAT) } else { Err(Refusal::DoubleProposal { slot }) });
    }
    let floors = history.floors()?;
    if let Some(floor) = floors.slot.filter(|floor| slot <= *floor) {
        return Ok(Err(Refusal::SlotTooOld { slot, floor }));
    }
    let after = Floors { slot: floors.slot.or(Some(slot)), ..floors };
    Ok(Ok(Safe::first(floors, after)))
}

/// Whether a vote may be signed.
pub fn check_attestation<H: History>(
    history: &H,
    source: Epoch,
    target: Epoch,
    signing_root: Root,
) -> Result<Result<Safe, Refusal>, H::Error> {
    if source > target {
        return Ok(Err(Refusal::SourceAfterTarget { source_epoch: source, target }));
    }
    let mut repeat = false;
    for vote in history.votes(target..=target) {
        let vote = vote?;
        // A root stands for its source too; one that comes with another is nothing that was signed.
        if vote.signing_root != Some(signing_root) || vote.source != source {
            return Ok(Err(Refusal::DoubleVote { target }));
        }
        repeat = true;
    }
    if repeat {
        return Ok(Ok(Safe::REPEAT));
    }
    let floors = history.floors()?;
    if let Some(refusal) = below(floors, source, target) {
        return Ok(Err(refusal));
    }
    if let Some(refusal) = surround(history, source, target)? {
        return Ok(Err(refusal));
    }
    let after = Floors { source: floors.source.or(Some(source)), target: floors.target.or(Some(target)), ..floors };
    Ok(Ok(Safe::first(floors, after)))
}

fn below(floors: Floors, source: Epoch, target: Epoch) -> Option<Refusal> {
    if let Some(floor) = floors.source.filter(|floor| source < *floor) {
        return Some(Refusal::SourceTooOld { source_epoch: source, floor });
    }
    let floor = floors.target.filter(|floor| target <= *floor)?;
    Some(Refusal::TargetTooOld { target, floor })
}

/// Two looks, each at few votes: those for later targets, and those between source and target. A surrounded vote has its target in
/// between, since no recorded vote has its source after its target: none is signed, and an imported one lifts the floors.
fn surround<H: History>(history: &H, source: Epoch, target: Epoch) -> Result<Option<Refusal>, H::Error> {
    if let Some(after) = target.0.checked_add(1) {
        for vote in history.votes(Epoch(after)..=Epoch(u64::MAX)) {
            let Vote { source: old_source, target: old_target, .. } = vote?;
            if old_source < source {
                return Ok(Some(Refusal::Surrounded { source_epoch: source, target, old_source, old_target }));
            }
        }
    }
    let between = (source.0.checked_add(1), target.0.checked_sub(1));
    if let (Some(first), Some(last)) = between {
        if first <= last {
            for vote in history.votes(Epoch(first)..=Epoch(last)) {
                let Vote { source: old_source, target: old_target, .. } = vote?;
                if old_source > source {
                    return Ok(Some(Refusal::Surrounds { source_epoch: source, target, old_source, old_target }));
                }
            }
        }
    }
    Ok(None)
}
