//! What a signer can be asked for. There is no request to sign bytes or a root.

use cluster_core::beacon::{
    AggregateAndProof, AttestationData, BeaconBlockHeader, ChainSpec, ContributionAndProof, Epoch, Root, Slot,
    UnknownFork, ValidatorRegistration, VoluntaryExit,
};
use cluster_core::duty::SigningKind;
use cluster_core::encoding::hex_array;
use cluster_core::exit::SignedExitRequest;
use serde::{Deserialize, Serialize};

use super::encoding::{keyed, keys, triples};

/// A validator's group key, 48 bytes compressed.
pub type Pubkey = [u8; 48];

/// Signatures of one request at most.
pub const MAX_ITEMS: usize = 4096;

/// One kind of message for one or many validators. Roots and domains are computed by the signer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// One attestation by many validators.
    Attestations {
        /// Who signs.
        #[serde(with = "keys")]
        validators: Vec<Pubkey>,
        /// What.
        data: AttestationData,
    },
    /// A block, full or blinded. The signer sees the header alone: it cannot know the fee recipient, which whoever asks has
    /// to check on the block itself.
    Block {
        /// Who proposes.
        #[serde(with = "hex_array")]
        validator: Pubkey,
        /// The block's header; its root is the block's root.
        header: BeaconBlockHeader,
    },
    /// The RANDAO reveal of an epoch.
    Randao {
        /// Who reveals.
        #[serde(with = "keys")]
        validators: Vec<Pubkey>,
        /// The epoch.
        epoch: Epoch,
    },
    /// Selection proofs of attestation aggregators.
    Selections {
        /// Who for which slot.
        #[serde(with = "keyed")]
        items: Vec<(Pubkey, Slot)>,
    },
    /// Sync committee messages.
    SyncMessages {
        /// Who signs.
        #[serde(with = "keys")]
        validators: Vec<Pubkey>,
        /// In which slot.
        slot: Slot,
        /// The head of the chain.
        #[serde(with = "hex_array")]
        block_root: Root,
    },
    /// Selection proofs of sync committee aggregators.
    SyncSelections {
        /// Who, for which slot and subcommittee.
        #[serde(with = "triples")]
        items: Vec<(Pubkey, Slot, u64)>,
    },
    /// Aggregates with their selection proofs.
    AggregateAndProofs {
        /// Who signs what.
        #[serde(with = "keyed")]
        items: Vec<(Pubkey, AggregateAndProof)>,
    },
    /// Sync committee contributions with their selection proofs.
    ContributionAndProofs {
        /// Who signs what.
        #[serde(with = "keyed")]
        items: Vec<(Pubkey, ContributionAndProof)>,
    },
    /// Registrations with builders; the validator is inside.
    Registrations {
        /// The registrations.
        items: Vec<ValidatorRegistration>,
    },
    /// A voluntary exit, with the order of the validator's owner.
    Exit {
        /// Who leaves.
        #[serde(with = "hex_array")]
        validator: Pubkey,
        /// The message for the chain.
        exit: VoluntaryExit,
        /// The owner's order.
        request: SignedExitRequest,
    },
}

impl Request {
    /// What is signed.
    #[must_use]
    pub const fn kind(&self) -> SigningKind {
        match self {
            Self::Attestations { .. } => SigningKind::Attestation,
            Self::Block { .. } => SigningKind::Block,
            Self::Randao { .. } => SigningKind::Randao,
            Self::Selections { .. } => SigningKind::Selection,
            Self::SyncMessages { .. } => SigningKind::SyncMessage,
            Self::SyncSelections { .. } => SigningKind::SyncSelection,
            Self::AggregateAndProofs { .. } => SigningKind::AggregateAndProof,
            Self::ContributionAndProofs { .. } => SigningKind::ContributionAndProof,
            Self::Registrations { .. } => SigningKind::BuilderRegistration,
            Self::Exit { .. } => SigningKind::VoluntaryExit,
        }
    }

    /// How many signatures are asked for: the number of answers.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Attestations { validators, .. }
            | Self::Randao { validators, .. }
            | Self::SyncMessages { validators, .. } => validators.len(),
            Self::Selections { items } => items.len(),
            Self::SyncSelections { items } => items.len(),
            Self::AggregateAndProofs { items } => items.len(),
            Self::ContributionAndProofs { items } => items.len(),
            Self::Registrations { items } => items.len(),
            Self::Block { .. } | Self::Exit { .. } => 1,
        }
    }

    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The validators, one per answer, in order.
    #[must_use]
    pub fn validators(&self) -> Vec<Pubkey> {
        match self {
            Self::Attestations { validators, .. }
            | Self::Randao { validators, .. }
            | Self::SyncMessages { validators, .. } => validators.clone(),
            Self::Selections { items } => items.iter().map(|(key, _)| *key).collect(),
            Self::SyncSelections { items } => items.iter().map(|(key, _, _)| *key).collect(),
            Self::AggregateAndProofs { items } => items.iter().map(|(key, _)| *key).collect(),
            Self::ContributionAndProofs { items } => items.iter().map(|(key, _)| *key).collect(),
            Self::Registrations { items } => items.iter().map(|registration| registration.pubkey).collect(),
            Self::Block { validator, .. } | Self::Exit { validator, .. } => vec![*validator],
        }
    }

    /// The latest epoch whose fork decides over a signature; none for what is signed under a fixed version.
    pub(super) fn last_epoch(&self, spec: &ChainSpec) -> Option<Epoch> {
        match self {
            Self::Attestations { data, .. } => Some(data.target.epoch.max(spec.epoch_of(data.slot))),
            Self::Randao { epoch, .. } => Some(*epoch),
            Self::Registrations { .. } | Self::Exit { .. } => None,
            _ => self.last_slot().map(|slot| spec.epoch_of(slot)),
        }
    }

    /// The latest slot that a signature names; none where there is none, or an epoch instead.
    pub(super) fn last_slot(&self) -> Option<Slot> {
        match self {
            Self::Attestations { data, .. } => Some(data.slot),
            Self::Block { header, .. } => Some(header.slot),
            Self::SyncMessages { slot, .. } => Some(*slot),
            Self::Selections { items } => items.iter().map(|(_, slot)| *slot).max(),
            Self::SyncSelections { items } => items.iter().map(|(_, slot, _)| *slot).max(),
            Self::AggregateAndProofs { items } => items.iter().map(|(_, proof)| proof.aggregate.data.slot).max(),
            Self::ContributionAndProofs { items } => items.iter().map(|(_, proof)| proof.contribution.slot).max(),
            Self::Randao { .. } | Self::Registrations { .. } | Self::Exit { .. } => None,
        }
    }
}

/// What kind of reason a refusal has: for counting, and for deciding whether another attempt makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RefusalKind {
    /// No share of this validator is here.
    UnknownValidator,
    /// The validator is switched off.
    Inactive,
    /// Slashing protection.
    Slashing,
    /// The message is about a time too far ahead.
    TooFarAhead,
    /// The message is not what it claims to be.
    Malformed,
    /// A registration names another fee recipient than the validator's own.
    FeeRecipient,
    /// An exit without a valid order of the owner.
    Exit,
}

impl RefusalKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::UnknownValidator,
        Self::Inactive,
        Self::Slashing,
        Self::TooFarAhead,
        Self::Malformed,
        Self::FeeRecipient,
        Self::Exit,
    ];

    /// The name in metrics and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownValidator => "unknown_validator",
            Self::Inactive => "inactive",
            Self::Slashing => "slashing",
            Self::TooFarAhead => "too_far_ahead",
            Self::Malformed => "malformed",
            Self::FeeRecipient => "fee_recipient",
            Self::Exit => "exit",
        }
    }
}

/// Why one signature is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{words}")]
pub struct Refusal {
    /// The kind of reason.
    pub kind: RefusalKind,
    /// The reason for people, one sentence.
    pub words: String,
}

impl Refusal {
    /// A refusal in words.
    pub fn new(kind: RefusalKind, words: impl std::fmt::Display) -> Self {
        Self { kind, words: words.to_string() }
    }
}

/// Why a signer answers nothing at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignerError {
    /// The network that the request is for is not the one that this signer signs for.
    #[error("the signer signs for another chain: {reason}")]
    OtherChain {
        /// What differs.
        reason: String,
    },
    /// The message is of a fork that this version does not know.
    #[error(transparent)]
    Fork(#[from] UnknownFork),
    /// More signatures than one request may ask for.
    #[error("one request asks for {items} signatures, the limit is {MAX_ITEMS}")]
    TooMany {
        /// Signatures asked for.
        items: usize,
    },
    /// The database, which must answer before anything is signed.
    #[error("the signer's database failed: {reason}")]
    Store {
        /// What it says.
        reason: String,
    },
    /// The signer process cannot be reached.
    #[error("the signer at {socket} is away: {reason}; start it with `cluster-node signer`")]
    Away {
        /// Its socket.
        socket: String,
        /// What was seen.
        reason: String,
    },
    /// The signer process refuses the request as a whole.
    #[error("the signer refuses: {reason}")]
    Refused {
        /// Its words.
        reason: String,
    },
    /// The signer is shutting down.
    #[error("the signer is stopping")]
    Stopping,
}
