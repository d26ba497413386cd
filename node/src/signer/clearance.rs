//! Leave to sign. A [`Cleared`] is the only thing that the keyring signs, and only this file makes one: for attestations
//! and blocks after slashing protection has recorded them on disk, for everything else from a message that cannot be
//! slashed. No function here takes a root.

use std::sync::Arc;

use cluster_core::beacon::{
    AggregateAndProof, AttestationData, BeaconBlockHeader, ChainSpec, ContributionAndProof, Epoch, Root, Slot,
    ValidatorRegistration, VoluntaryExit,
};

use super::keyring::Key;
use super::request::{Refusal, RefusalKind};
use crate::store::{SlashingDb, StoreError};

/// One message that may be signed with one share.
pub(super) struct Cleared {
    key: Arc<Key>,
    root: Root,
}

/// A message that no slashing condition knows.
pub(super) enum Harmless<'a> {
    Randao(Epoch),
    Selection(Slot),
    SyncMessage(Slot, Root),
    SyncSelection(Slot, u64),
    AggregateAndProof(&'a AggregateAndProof),
    ContributionAndProof(&'a ContributionAndProof),
    Registration(&'a ValidatorRegistration),
    Exit(&'a VoluntaryExit),
}

impl Cleared {
    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    pub(super) fn root(&self) -> &Root {
        &self.root
    }

    /// Clears an attestation for many validators: checked, recorded and flushed in one step. One answer per key, in order.
    pub(super) fn attestations(
        slashing: &SlashingDb,
        spec: &ChainSpec,
        keys: Vec<Arc<Key>>,
        data: &AttestationData,
    ) -> Result<Vec<Result<Self, Refusal>>, StoreError> {
        let root = spec.attestation(data);
        let names: Vec<_> = keys.iter().map(|key| key.pubkey.to_bytes()).collect();
        let answers = slashing.attest(&names, data, root)?;
        if answers.len() != keys.len() {
            return Err(StoreError::Corrupt { what: "the answer of slashing protection" });
        }
        let clear = |(key, answer): (Arc<Key>, Result<(), _>)| match answer {
            Ok(()) => Ok(Self { key, root }),
            Err(refusal) => Err(Refusal::new(RefusalKind::Slashing, refusal)),
        };
        Ok(keys.into_iter().zip(answers).map(clear).collect())
    }

    /// Clears a block: checked, recorded and flushed in one step.
    pub(super) fn block(
        slashing: &SlashingDb,
        spec: &ChainSpec,
        key: Arc<Key>,
        header: &BeaconBlockHeader,
    ) -> Result<Result<Self, Refusal>, StoreError> {
        let root = spec.block(header);
        Ok(match slashing.propose(&key.pubkey.to_bytes(), header.slot, root)? {
            Ok(()) => Ok(Self { key, root }),
            Err(refusal) => Err(Refusal::new(RefusalKind::Slashing, refusal)),
        })
    }

    /// Clears a message that cannot be slashed.
    pub(super) fn harmless(spec: &ChainSpec, key: Arc<Key>, message: &Harmless<'_>) -> Self {
        let root = match message {
            Harmless::Randao(epoch) => spec.randao(*epoch),
            Harmless::Selection(slot) => spec.selection(*slot),
            Harmless::SyncMessage(slot, block_root) => spec.sync_message(*slot, *block_root),
            Harmless::SyncSelection(slot, subcommittee) => spec.sync_selection(*slot, *subcommittee),
            Harmless::AggregateAndProof(message) => spec.aggregate_and_proof(message),
            Harmless::ContributionAndProof(message) => spec.contribution_and_proof(message),
            Harmless::Registration(registration) => spec.registration(registration),
            Harmless::Exit(exit) => spec.exit(exit),
        };
        Self { key, root }
    }
}
