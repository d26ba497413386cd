//! `other-fee-recipient`: the blocks that the operator's beacon node builds pay the operator.

use cluster_core::beacon::{Preset, Proposal};

/// Who is paid.
const OWN: [u8; 20] = [0xee; 20];

/// Changes the fee recipient of a block, full or blinded.
pub(super) fn alter(mut proposal: Proposal, preset: Preset) -> Proposal {
    let Ok(summary) = proposal.inspect(preset) else { return proposal };
    // The payload begins with the parent's hash, 32 bytes, and goes on with the fee recipient.
    let mut pattern = summary.parent_hash.to_vec();
    pattern.extend(summary.fee_recipient);
    let found = proposal.block.windows(pattern.len()).position(|bytes| bytes == pattern);
    if let Some(recipient) = found.and_then(|at| proposal.block.get_mut(at + 32..at + 52)) {
        recipient.copy_from_slice(&OWN);
    }
    proposal
}
