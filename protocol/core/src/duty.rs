//! Names of what a committee does together for its validators.
//!
//! A [`CommitteeId`] names the operators. Per slot and committee there is one consensus instance for attestations and
//! sync committee messages, one for all aggregates and contributions, and one for each proposal ([`InstanceId`]).
//! Partial signatures are exchanged per [`SigningId`]: one message for all validators.

use std::fmt;

use cluster_crypto::hash::TaggedHash;
use serde::{Deserialize, Serialize};

use crate::{
    beacon::{Epoch, Slot},
    committee::Committee,
    encoding::hex_array,
};

/// Names a committee on a chain: a hash of the chain id and the operators' ids and keys.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommitteeId(#[serde(with = "hex_array")] pub [u8; 32]);

impl CommitteeId {
    /// The id of a committee on the chain with this EIP-155 id.
    #[must_use]
    pub fn new(chain_id: u64, committee: &Committee) -> Self {
        let hash = TaggedHash::new("cluster-node/committee/1").u64(chain_id);
        let members = committee.members().iter();
        Self(members.fold(hash, |hash, (id, key)| hash.u64(u64::from(id.0)).bytes(&key.to_bytes())).finish())
    }

    /// Eight hex digits for logs.
    #[must_use]
    pub fn short(&self) -> String {
        hex::encode(&self.0[..4])
    }
}

impl fmt::Display for CommitteeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

impl fmt::Debug for CommitteeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommitteeId({self})")
    }
}

/// What a consensus instance decides on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum InstanceKind {
    /// The `AttestationData` of the slot; its block root is also what sync committee messages sign.
    Attestation,
    /// All aggregates and sync committee contributions of the slot.
    Aggregation,
    /// The block of the slot.
    Proposal,
}

impl InstanceKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Attestation, Self::Aggregation, Self::Proposal];

    /// The name in reports, metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Attestation => "attestation",
            Self::Aggregation => "aggregation",
            Self::Proposal => "proposal",
        }
    }
}

/// One run of consensus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InstanceId {
    /// Who decides.
    pub committee: CommitteeId,
    /// The slot that it is about. First in meaning after the committee: leaders rotate by it.
    pub slot: Slot,
    /// What is decided.
    pub kind: InstanceKind,
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} of {}", self.kind.name(), self.slot, self.committee.short())
    }
}

/// What partial signatures are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SigningKind {
    /// Attestations.
    Attestation,
    /// Sync committee messages.
    SyncMessage,
    /// RANDAO reveals of an epoch.
    Randao,
    /// Selection proofs of attestation aggregators for the slots of an epoch.
    Selection,
    /// Selection proofs of sync committee aggregators for the slots of an epoch.
    SyncSelection,
    /// Signed aggregates.
    AggregateAndProof,
    /// Signed sync committee contributions.
    ContributionAndProof,
    /// Blocks, full or blinded.
    Block,
    /// Registrations with builders.
    BuilderRegistration,
    /// Voluntary exits.
    VoluntaryExit,
}

impl SigningKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Attestation,
        Self::SyncMessage,
        Self::Randao,
        Self::Selection,
        Self::SyncSelection,
        Self::AggregateAndProof,
        Self::ContributionAndProof,
        Self::Block,
        Self::BuilderRegistration,
        Self::VoluntaryExit,
    ];

    /// The name in reports, metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Attestation => "attestation",
            Self::SyncMessage => "sync_message",
            Self::Randao => "randao",
            Self::Selection => "selection",
            Self::SyncSelection => "sync_selection",
            Self::AggregateAndProof => "aggregate_and_proof",
            Self::ContributionAndProof => "contribution_and_proof",
            Self::Block => "block",
            Self::BuilderRegistration => "builder_registration",
            Self::VoluntaryExit => "voluntary_exit",
        }
    }
}

/// One exchange of partial signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SigningId {
    /// Who signs.
    pub committee: CommitteeId,
    /// What for.
    pub kind: SigningKind,
    /// The slot of the duty; the first slot of the epoch for what is signed per epoch.
    pub slot: Slot,
    /// Tells two exchanges for one slot apart: bytes of the dependent root where duties may still change after they
    /// were signed for, bytes of the request for exits, else zero.
    pub view: u32,
}

impl SigningId {
    /// The one exchange of a kind for a slot.
    #[must_use]
    pub const fn new(committee: CommitteeId, kind: SigningKind, slot: Slot) -> Self {
        Self { committee, kind, slot, view: 0 }
    }

    /// The same exchange under the view that starts with these bytes.
    #[must_use]
    pub const fn with_view(self, root: &[u8; 32]) -> Self {
        Self { view: u32::from_be_bytes([root[0], root[1], root[2], root[3]]), ..self }
    }

    /// The exchange of what is signed once for an epoch.
    #[must_use]
    pub const fn for_epoch(committee: CommitteeId, kind: SigningKind, epoch: Epoch, slots_per_epoch: u64) -> Self {
        Self::new(committee, kind, epoch.start(slots_per_epoch))
    }
}

impl fmt::Display for SigningId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} of {}", self.kind.name(), self.slot, self.committee.short())
    }
}
