//! Would this operator sign what the committee is about to decide? The pure part of the answer.
//!
//! A judgement compares a proposed value with what this operator's own beacon node says. It never trusts the leader: the
//! worst that a lying leader can do is to cost a round. The node and the simulations judge with the same code.

use cluster_crypto::ethereum::Address;

use crate::beacon::{AttestationData, BlockSummary, Checkpoint, Epoch, Root, Slot, ValidatorIndex};

/// Why an operator would not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// Not the slot of the duty.
    #[error("it is for slot {found}, not {expected}")]
    OtherSlot {
        /// The value's.
        found: Slot,
        /// The duty's.
        expected: Slot,
    },
    /// An attestation of before Electra.
    #[error("its index is {index}, and has been 0 for everybody since Electra")]
    Index {
        /// The value's.
        index: u64,
    },
    /// The target is not the slot's epoch.
    #[error("its target epoch is {target}, and the slot is in {epoch}")]
    OtherTarget {
        /// The value's.
        target: Epoch,
        /// The slot's.
        epoch: Epoch,
    },
    /// Not a vote.
    #[error("its source epoch {source_epoch} is not before its target epoch {target}")]
    SourceNotBefore {
        /// The source.
        source_epoch: Epoch,
        /// The target.
        target: Epoch,
    },
    /// This operator's beacon node has another checkpoint.
    #[error("its {name} is epoch {} root {}, and our beacon node's is epoch {} root {}", theirs.epoch, short(&theirs.root), ours.epoch, short(&ours.root))]
    OtherCheckpoint {
        /// Source or target.
        name: &'static str,
        /// The value's.
        theirs: Checkpoint,
        /// The beacon node's.
        ours: Checkpoint,
    },
    /// A block of another validator.
    #[error("its proposer is validator {found}, not {expected}")]
    OtherProposer {
        /// The block's.
        found: ValidatorIndex,
        /// The duty's.
        expected: ValidatorIndex,
    },
    /// A block on something else.
    #[error("it builds on {}, which is not our head", short(parent))]
    OtherParent {
        /// The block's parent.
        parent: Root,
    },
    /// A block that pays somebody else.
    #[error("it pays {found} instead of {expected}")]
    OtherRecipient {
        /// The payload's.
        found: Address,
        /// The validator's.
        expected: Address,
    },
    /// A payload of another time.
    #[error("the time of its payload is not that of the slot")]
    OtherTime,
}

/// What every attestation of a slot must have, whatever the chain looks like.
///
/// # Errors
/// What it has not.
pub fn check_attestation_shape(data: &AttestationData, slot: Slot, slots_per_epoch: u64) -> Result<(), Objection> {
    if data.slot != slot {
        return Err(Objection::OtherSlot { found: data.slot, expected: slot });
    }
    if data.index != 0 {
        return Err(Objection::Index { index: data.index });
    }
    let epoch = slot.epoch(slots_per_epoch);
    let (source_epoch, target) = (data.source.epoch, data.target.epoch);
    if target != epoch {
        return Err(Objection::OtherTarget { target, epoch });
    }
    if source_epoch >= target && target != Epoch(0) {
        return Err(Objection::SourceNotBefore { source_epoch, target });
    }
    Ok(())
}

/// Whether this operator attests the same checkpoints. The head may differ: it depends on when a block arrived.
///
/// # Errors
/// The first checkpoint that differs.
pub fn compare_attestation(data: &AttestationData, own: &AttestationData) -> Result<(), Objection> {
    for (name, theirs, ours) in [("source", data.source, own.source), ("target", data.target, own.target)] {
        if theirs != ours {
            return Err(Objection::OtherCheckpoint { name, theirs, ours });
        }
    }
    Ok(())
}

/// What this operator knows about the block of a slot.
#[derive(Clone, Copy, Debug)]
pub struct BlockView<'a> {
    /// The slot.
    pub slot: Slot,
    /// Whose duty it is.
    pub proposer: ValidatorIndex,
    /// Whom a block built here must pay.
    pub fee_recipient: Address,
    /// Start of the slot, Unix seconds.
    pub timestamp: u64,
    /// The roots that the block may build on: our head, and its parent, for who has seen a late head does not build on it.
    pub parents: &'a [Root],
}

/// Whether this operator would sign a block with this content. A builder's payload (`blinded`) pays the builder, and the
/// builder pays the registered recipient in the payload.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_block(block: &BlockSummary, blinded: bool, view: &BlockView<'_>) -> Result<(), Objection> {
    let header = &block.header;
    if header.slot != view.slot {
        return Err(Objection::OtherSlot { found: header.slot, expected: view.slot });
    }
    if header.proposer_index != view.proposer {
        return Err(Objection::OtherProposer { found: header.proposer_index, expected: view.proposer });
    }
    if !view.parents.contains(&header.parent_root) {
        return Err(Objection::OtherParent { parent: header.parent_root });
    }
    if !blinded && block.fee_recipient != view.fee_recipient.0 {
        return Err(Objection::OtherRecipient { found: Address(block.fee_recipient), expected: view.fee_recipient });
    }
    if block.timestamp != view.timestamp {
        return Err(Objection::OtherTime);
    }
    Ok(())
}

/// Eight digits of a root, for sentences.
#[must_use]
pub fn short(root: &Root) -> String {
    format!("0x{}..", hex::encode(&root[..4]))
}
