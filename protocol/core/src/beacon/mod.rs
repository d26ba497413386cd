//! The beacon chain as validators see it: numbers, containers, forks and signing roots.
//!
//! Source: consensus-specs up to Fulu. Containers whose size depends on the preset keep their lists as SSZ bytes and take the
//! [`Preset`] where a root is computed, so that one binary serves networks of both presets.

mod types;

pub use types::{
    AttestationData, BeaconBlockHeader, Checkpoint, Epoch, Root, SingleAttestation, Slot, SyncCommitteeMessage,
    ValidatorIndex, ValidatorRegistration, VoluntaryExit,
};
