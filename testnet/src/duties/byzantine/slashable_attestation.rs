//! `slashable-attestation`: what the operator's beacon node attests would be a double vote or a surround vote for everybody
//! who attested in the epoch before.

use cluster_core::beacon::{AttestationData, Checkpoint, Epoch};

/// Changes what is attested: around all earlier votes in one slot, and a second vote for the last epoch's target in the next.
pub(super) fn alter(data: AttestationData) -> AttestationData {
    if data.slot.0.is_multiple_of(2) {
        return AttestationData { source: Checkpoint::default(), ..data };
    }
    let target = Checkpoint { epoch: Epoch(data.target.epoch.0.saturating_sub(1)), ..data.target };
    AttestationData { target, ..data }
}
