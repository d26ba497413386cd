//! Aggregates: containers whose bitfields depend on the preset.

use serde::{Deserialize, Serialize};
use ssz::{Decode, Encode};
use tree_hash::{merkle_root, TreeHash};

use super::{
    bits::{BitList, BitVector},
    body::AttestationOf,
    preset::{MainnetSizes, MinimalSizes, Sizes},
    AttestationData, Preset, Root, Slot, ValidatorIndex,
};
use crate::encoding::hex_array;

/// Bytes of an aggregate before its lists: offset, data, signature.
const ATTESTATION_FIXED: usize = 4 + 128 + 96;
/// Bytes of an `AggregateAndProof` before the aggregate.
const PROOF_FIXED: usize = 8 + 4 + 96;
/// Bytes of a signed container before its message, when that has no fixed length.
pub(super) const SIGNED_FIXED: usize = 4 + 96;

/// Why bytes are not a container of the preset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContainerError {
    /// The SSZ does not decode.
    #[error("the {what} is not valid SSZ of the {preset} preset: {reason}")]
    Ssz {
        /// The container.
        what: &'static str,
        /// The preset.
        preset: Preset,
        /// The decoder's words.
        reason: String,
    },
    /// A bitfield of another length.
    #[error("{field} does not have the length that the {preset} preset prescribes")]
    Bits {
        /// The bitfield.
        field: &'static str,
        /// The preset.
        preset: Preset,
    },
}

/// `Attestation` since Electra (EIP-7549): an aggregate over committees of a slot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Attestation {
    /// Who took part: the members of the committees in `committee_bits`, one committee after the other.
    pub aggregation_bits: BitList,
    /// What they attest.
    pub data: AttestationData,
    /// Sum of their signatures.
    #[serde(with = "hex_array")]
    pub signature: [u8; 96],
    /// The committees of the slot.
    pub committee_bits: BitVector,
}

impl Attestation {
    /// Decodes SSZ.
    pub fn from_ssz(bytes: &[u8], preset: Preset) -> Result<Self, ContainerError> {
        match preset {
            Preset::Mainnet => decode::<MainnetSizes>(bytes, preset),
            Preset::Minimal => decode::<MinimalSizes>(bytes, preset),
        }
    }

    /// The SSZ bytes; valid when [`Attestation::check`] is.
    #[must_use]
    pub fn ssz(&self) -> Vec<u8> {
        let committees = self.committee_bits.as_ssz();
        let bits = self.aggregation_bits.as_ssz();
        let fixed = ATTESTATION_FIXED + committees.len();
        let mut out = Vec::with_capacity(fixed + bits.len());
        push_offset(&mut out, fixed);
        self.data.ssz_append(&mut out);
        out.extend_from_slice(&self.signature);
        out.extend_from_slice(committees);
        out.extend_from_slice(bits);
        out
    }

    /// Whether the bitfields are of the preset. What came as JSON or in the binary encoding has not been compared with one.
    pub fn check(&self, preset: Preset) -> Result<(), ContainerError> {
        if self.aggregation_bits.len() as u64 > preset.max_attestation_bits() {
            return Err(ContainerError::Bits { field: "aggregation_bits", preset });
        }
        if !self.committee_bits.has_len(preset.max_committees_per_slot()) {
            return Err(ContainerError::Bits { field: "committee_bits", preset });
        }
        Ok(())
    }

    /// `hash_tree_root`; that of no container when [`Attestation::check`] fails.
    #[must_use]
    pub fn root(&self, preset: Preset) -> Root {
        container([
            self.aggregation_bits.root(preset.max_attestation_bits()).0,
            self.data.root(),
            self.signature.tree_hash_root().0,
            self.committee_bits.root(preset.max_committees_per_slot()).0,
        ])
    }

    /// How many validators took part.
    #[must_use]
    pub fn participants(&self) -> usize {
        self.aggregation_bits.ones()
    }
}

fn decode<S: Sizes>(bytes: &[u8], preset: Preset) -> Result<Attestation, ContainerError> {
    let ssz = |reason: String| ContainerError::Ssz { what: "attestation", preset, reason };
    let inner = AttestationOf::<S>::from_ssz_bytes(bytes).map_err(|error| ssz(format!("{error:?}")))?;
    Ok(Attestation {
        aggregation_bits: BitList::from_ssz(inner.aggregation_bits.as_ssz_bytes()).map_err(|e| ssz(e.to_string()))?,
        data: inner.data,
        signature: inner.signature,
        committee_bits: BitVector::from_ssz(inner.committee_bits.as_ssz_bytes()).map_err(|e| ssz(e.to_string()))?,
    })
}

/// `AggregateAndProof` since Electra.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AggregateAndProof {
    /// Who aggregates.
    pub aggregator_index: ValidatorIndex,
    /// The aggregate.
    pub aggregate: Attestation,
    /// The aggregator's signature over the slot.
    #[serde(with = "hex_array")]
    pub selection_proof: [u8; 96],
}

impl AggregateAndProof {
    /// The SSZ bytes; valid when the aggregate fits the preset.
    #[must_use]
    pub fn ssz(&self) -> Vec<u8> {
        let mut out = self.aggregator_index.as_ssz_bytes();
        push_offset(&mut out, PROOF_FIXED);
        out.extend_from_slice(&self.selection_proof);
        out.extend_from_slice(&self.aggregate.ssz());
        out
    }

    /// `hash_tree_root`; that of no container when [`Attestation::check`] fails.
    #[must_use]
    pub fn root(&self, preset: Preset) -> Root {
        container([
            self.aggregator_index.tree_hash_root().0,
            self.aggregate.root(preset),
            self.selection_proof.tree_hash_root().0,
        ])
    }
}

/// `SyncCommitteeContribution`: an aggregate over one subcommittee.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SyncCommitteeContribution {
    /// Slot.
    pub slot: Slot,
    /// The head of the chain.
    #[serde(with = "hex_array")]
    pub beacon_block_root: Root,
    /// The subcommittee, 0 to 3.
    #[serde(with = "super::types::decimal")]
    pub subcommittee_index: u64,
    /// Which positions of the subcommittee took part.
    pub aggregation_bits: BitVector,
    /// Sum of their signatures.
    #[serde(with = "hex_array")]
    pub signature: [u8; 96],
}

impl SyncCommitteeContribution {
    /// The SSZ bytes; valid when [`SyncCommitteeContribution::check`] is.
    #[must_use]
    pub fn ssz(&self) -> Vec<u8> {
        let mut out = self.slot.as_ssz_bytes();
        out.extend_from_slice(&self.beacon_block_root);
        out.extend_from_slice(&self.subcommittee_index.to_le_bytes());
        out.extend_from_slice(self.aggregation_bits.as_ssz());
        out.extend_from_slice(&self.signature);
        out
    }

    /// Whether the bitfield is of the preset. What came as JSON or in the binary encoding has not been compared with one.
    pub fn check(&self, preset: Preset) -> Result<(), ContainerError> {
        if self.aggregation_bits.has_len(preset.sync_subcommittee_size()) {
            Ok(())
        } else {
            Err(ContainerError::Bits { field: "aggregation_bits", preset })
        }
    }

    /// `hash_tree_root`; that of no container when [`SyncCommitteeContribution::check`] fails.
    #[must_use]
    pub fn root(&self, preset: Preset) -> Root {
        container([
            self.slot.tree_hash_root().0,
            self.beacon_block_root,
            self.subcommittee_index.tree_hash_root().0,
            self.aggregation_bits.root(preset.sync_subcommittee_size()).0,
            self.signature.tree_hash_root().0,
        ])
    }

    /// How many positions took part.
    #[must_use]
    pub fn participants(&self) -> usize {
        self.aggregation_bits.ones()
    }
}

/// `ContributionAndProof`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ContributionAndProof {
    /// Who aggregates.
    pub aggregator_index: ValidatorIndex,
    /// The contribution.
    pub contribution: SyncCommitteeContribution,
    /// The aggregator's signature over slot and subcommittee.
    #[serde(with = "hex_array")]
    pub selection_proof: [u8; 96],
}

impl ContributionAndProof {
    /// The SSZ bytes; valid when the contribution fits the preset.
    #[must_use]
    pub fn ssz(&self) -> Vec<u8> {
        let mut out = self.aggregator_index.as_ssz_bytes();
        out.extend_from_slice(&self.contribution.ssz());
        out.extend_from_slice(&self.selection_proof);
        out
    }

    /// `hash_tree_root`; that of no container when [`SyncCommitteeContribution::check`] fails.
    #[must_use]
    pub fn root(&self, preset: Preset) -> Root {
        container([
            self.aggregator_index.tree_hash_root().0,
            self.contribution.root(preset),
            self.selection_proof.tree_hash_root().0,
        ])
    }
}

/// A message with its validator's signature, as the Beacon API has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Signed<T> {
    /// What is signed.
    pub message: T,
    /// The signature over its signing root.
    #[serde(with = "hex_array")]
    pub signature: [u8; 96],
}

impl Signed<AggregateAndProof> {
    /// The SSZ bytes; valid when the aggregate fits the preset.
    #[must_use]
    pub fn ssz(&self) -> Vec<u8> {
        signed_ssz(&self.message.ssz(), &self.signature)
    }
}

/// SSZ of a signed container whose message has no fixed length.
pub(super) fn signed_ssz(message: &[u8], signature: &[u8; 96]) -> Vec<u8> {
    let mut out = Vec::with_capacity(SIGNED_FIXED + message.len());
    push_offset(&mut out, SIGNED_FIXED);
    out.extend_from_slice(signature);
    out.extend_from_slice(message);
    out
}

/// An SSZ offset. Containers here are far smaller than 4 GiB; a larger one would be refused by every decoder.
pub(super) fn push_offset(out: &mut Vec<u8>, offset: usize) {
    out.extend_from_slice(&u32::try_from(offset).unwrap_or(u32::MAX).to_le_bytes());
}

/// Root of a container from those of its fields.
fn container<const N: usize>(fields: [Root; N]) -> Root {
    merkle_root(fields.as_flattened(), N).0
}
