//! The beacon chain as validators see it: numbers, containers, forks and signing roots.
//!
//! Source: consensus-specs up to Fulu. Containers whose size depends on the preset keep their lists as SSZ bytes and take the
//! [`Preset`] where a root is computed, so that one binary serves networks of both presets.

mod aggregate;
mod bits;
mod body;
mod hex_bytes;
mod preset;
mod proposal;
mod signing;
mod spec;
mod types;

pub use aggregate::{
    AggregateAndProof, Attestation, ContainerError, ContributionAndProof, Signed, SyncCommitteeContribution,
};
pub use bits::{BitList, BitVector, BitsError};
pub use preset::{DomainType, Fork, Preset, UnknownForkName, UnknownPreset, SYNC_COMMITTEE_SUBNET_COUNT};
pub use proposal::{BlockSummary, Proposal, ProposalError, BYTES_PER_BLOB, CELLS_PER_EXT_BLOB};
pub use spec::{is_aggregator, is_sync_aggregator, ChainSpec, ForkEpoch, SpecError, UnknownFork, FAR_FUTURE_EPOCH};
pub use types::{
    AttestationData, BeaconBlockHeader, Checkpoint, Epoch, Root, SingleAttestation, Slot, SyncCommitteeMessage,
    ValidatorIndex, ValidatorRegistration, VoluntaryExit,
};
