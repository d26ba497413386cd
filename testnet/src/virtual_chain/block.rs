//! Empty blocks as SSZ, written from the layout of the specification and not by the code under test.

use cluster_core::beacon::{Preset, Root, Slot, ValidatorIndex};

/// What varies in the blocks of a virtual chain.
pub(super) struct Block<'a> {
    pub(super) slot: Slot,
    pub(super) proposer: ValidatorIndex,
    pub(super) parent: Root,
    pub(super) randao_reveal: &'a [u8; 96],
    pub(super) graffiti: [u8; 32],
    pub(super) fee_recipient: [u8; 20],
    /// Unix seconds.
    pub(super) timestamp: u64,
}

/// Bytes of an `ExecutionPayload` before its lists.
const PAYLOAD_FIXED: u32 = 528;
/// Bytes of a `BeaconBlock` before its body.
const BLOCK_FIXED: u32 = 84;

impl Block<'_> {
    /// `BeaconBlock` of Electra or Fulu without operations, transactions and withdrawals.
    pub(super) fn ssz(&self, preset: Preset) -> Vec<u8> {
        let mut out = Vec::with_capacity(2_048);
        out.extend(self.slot.0.to_le_bytes());
        out.extend(self.proposer.0.to_le_bytes());
        out.extend(self.parent);
        // Nobody here knows states; the slot tells blocks apart.
        out.extend([self.slot.0.to_le_bytes(), [0; 8], [0; 8], [0; 8]].concat());
        out.extend(BLOCK_FIXED.to_le_bytes());
        out.extend(self.body(preset));
        out
    }

    fn body(&self, preset: Preset) -> Vec<u8> {
        let sync = usize::try_from(preset.sync_committee_size()).unwrap_or(512) / 8 + 96;
        let fixed = u32::try_from(96 + 72 + 32 + 5 * 4 + sync + 4 * 4).unwrap_or(u32::MAX);
        let payload = self.payload();
        let after = fixed + u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let mut out = Vec::new();
        out.extend(self.randao_reveal);
        out.extend([0; 72]);
        out.extend(self.graffiti);
        for _ in 0..5 {
            out.extend(fixed.to_le_bytes());
        }
        out.extend(vec![0; sync - 96]);
        // The signature of nobody: the point at infinity.
        out.push(0xc0);
        out.extend([0; 95]);
        out.extend(fixed.to_le_bytes());
        for _ in 0..3 {
            out.extend(after.to_le_bytes());
        }
        out.extend(payload);
        for _ in 0..3 {
            out.extend(12_u32.to_le_bytes());
        }
        out
    }

    fn payload(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend([1; 32]);
        out.extend(self.fee_recipient);
        out.extend([0; 32 + 32 + 256 + 32]);
        out.extend(self.slot.0.to_le_bytes());
        out.extend(60_000_000_u64.to_le_bytes());
        out.extend([0; 8]);
        out.extend(self.timestamp.to_le_bytes());
        out.extend(PAYLOAD_FIXED.to_le_bytes());
        out.extend([0; 32]);
        out.extend([2; 32]);
        out.extend(PAYLOAD_FIXED.to_le_bytes());
        out.extend(PAYLOAD_FIXED.to_le_bytes());
        out.extend([0; 16]);
        out
    }
}
