//! Presets, forks and signature domains.

use std::{fmt, fmt::Debug, str::FromStr};

use serde::{Deserialize, Serialize};
use ssz_types::typenum::{self, Unsigned};

use crate::encoding::shorten;

/// A preset of the consensus specification: constants that shape containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Public networks.
    Mainnet,
    /// Test networks with short epochs.
    Minimal,
}

/// The preset is none that this version knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the preset `{0}` is not known; this version knows mainnet and minimal")]
pub struct UnknownPreset(pub String);

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 2] = [Self::Mainnet, Self::Minimal];

    /// `PRESET_BASE`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mainnet => "mainnet",
            Self::Minimal => "minimal",
        }
    }

    /// `SLOTS_PER_EPOCH`.
    #[must_use]
    pub const fn slots_per_epoch(self) -> u64 {
        match self {
            Self::Mainnet => 32,
            Self::Minimal => 8,
        }
    }

    /// `SYNC_COMMITTEE_SIZE`.
    #[must_use]
    pub const fn sync_committee_size(self) -> u64 {
        match self {
            Self::Mainnet => 512,
            Self::Minimal => 32,
        }
    }

    /// Members of one subcommittee: `SYNC_COMMITTEE_SIZE` over `SYNC_COMMITTEE_SUBNET_COUNT`.
    #[must_use]
    pub const fn sync_subcommittee_size(self) -> u64 {
        self.sync_committee_size() / SYNC_COMMITTEE_SUBNET_COUNT
    }

    /// `MAX_COMMITTEES_PER_SLOT`.
    #[must_use]
    pub const fn max_committees_per_slot(self) -> u64 {
        match self {
            Self::Mainnet => 64,
            Self::Minimal => 4,
        }
    }

    /// `MAX_VALIDATORS_PER_COMMITTEE`.
    #[must_use]
    pub const fn max_validators_per_committee(self) -> u64 {
        2_048
    }

    /// Bits of the longest aggregate: all committees of a slot, full (EIP-7549).
    #[must_use]
    pub const fn max_attestation_bits(self) -> u64 {
        self.max_validators_per_committee() * self.max_committees_per_slot()
    }

    /// `MAX_WITHDRAWALS_PER_PAYLOAD`.
    #[must_use]
    pub const fn max_withdrawals(self) -> u64 {
        match self {
            Self::Mainnet => 16,
            Self::Minimal => 4,
        }
    }

    /// Constants that shape containers, by the names of the Beacon API. A node that reports others cannot be served.
    pub(super) const fn constants(self) -> [(&'static str, u64); 23] {
        [
            ("SLOTS_PER_EPOCH", self.slots_per_epoch()),
            ("SYNC_COMMITTEE_SIZE", self.sync_committee_size()),
            ("SYNC_COMMITTEE_SUBNET_COUNT", SYNC_COMMITTEE_SUBNET_COUNT),
            ("MAX_COMMITTEES_PER_SLOT", self.max_committees_per_slot()),
            ("MAX_VALIDATORS_PER_COMMITTEE", self.max_validators_per_committee()),
            ("MAX_WITHDRAWALS_PER_PAYLOAD", self.max_withdrawals()),
            ("MAX_PROPOSER_SLASHINGS", 16),
            ("MAX_ATTESTER_SLASHINGS_ELECTRA", 1),
            ("MAX_ATTESTATIONS_ELECTRA", 8),
            ("MAX_DEPOSITS", 16),
            ("MAX_VOLUNTARY_EXITS", 16),
            ("MAX_BLS_TO_EXECUTION_CHANGES", 16),
            ("MAX_BYTES_PER_TRANSACTION", 1 << 30),
            ("MAX_TRANSACTIONS_PER_PAYLOAD", 1 << 20),
            ("BYTES_PER_LOGS_BLOOM", 256),
            ("MAX_EXTRA_DATA_BYTES", 32),
            ("MAX_DEPOSIT_REQUESTS_PER_PAYLOAD", 8_192),
            ("MAX_WITHDRAWAL_REQUESTS_PER_PAYLOAD", 16),
            ("MAX_CONSOLIDATION_REQUESTS_PER_PAYLOAD", 2),
            ("MAX_BLOB_COMMITMENTS_PER_BLOCK", 4_096),
            ("FIELD_ELEMENTS_PER_BLOB", 4_096),
            ("CELLS_PER_EXT_BLOB", super::proposal::CELLS_PER_EXT_BLOB as u64),
            ("DEPOSIT_CONTRACT_TREE_DEPTH", 32),
        ]
    }
}

/// `SYNC_COMMITTEE_SUBNET_COUNT`.
pub const SYNC_COMMITTEE_SUBNET_COUNT: u64 = 4;

impl FromStr for Preset {
    type Err = UnknownPreset;

    fn from_str(text: &str) -> Result<Self, UnknownPreset> {
        Self::ALL.into_iter().find(|preset| preset.name() == text).ok_or_else(|| UnknownPreset(shorten(text, 40)))
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The preset as types, for containers.
pub(super) trait Sizes: Clone + Debug + PartialEq + Eq + 'static {
    type SyncCommittee: Unsigned + Clone + Debug + PartialEq + Eq;
    type Committees: Unsigned + Clone + Debug + PartialEq + Eq;
    type AttestationBits: Unsigned + Clone + Debug + PartialEq + Eq;
    type Withdrawals: Unsigned + Clone + Debug + PartialEq + Eq;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MainnetSizes;

impl Sizes for MainnetSizes {
    type SyncCommittee = typenum::U512;
    type Committees = typenum::U64;
    type AttestationBits = typenum::U131072;
    type Withdrawals = typenum::U16;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MinimalSizes;

impl Sizes for MinimalSizes {
    type SyncCommittee = typenum::U32;
    type Committees = typenum::U4;
    type AttestationBits = typenum::U8192;
    type Withdrawals = typenum::U4;
}

/// A fork of the consensus layer, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fork {
    /// Genesis.
    Phase0,
    /// Sync committees.
    Altair,
    /// The merge.
    Bellatrix,
    /// Withdrawals.
    Capella,
    /// Blobs.
    Deneb,
    /// Aggregates over committees; the first fork that duties are performed in.
    Electra,
    /// Column sampling; block bodies are those of Electra.
    Fulu,
}

/// The name is of no fork that this version knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the fork `{0}` is not known; a newer version may know it")]
pub struct UnknownForkName(pub String);

impl Fork {
    /// Every fork.
    pub const ALL: [Self; 7] =
        [Self::Phase0, Self::Altair, Self::Bellatrix, Self::Capella, Self::Deneb, Self::Electra, Self::Fulu];

    /// The name in `Eth-Consensus-Version`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Phase0 => "phase0",
            Self::Altair => "altair",
            Self::Bellatrix => "bellatrix",
            Self::Capella => "capella",
            Self::Deneb => "deneb",
            Self::Electra => "electra",
            Self::Fulu => "fulu",
        }
    }

    /// Whether containers of the fork are known here. Older ones are history.
    #[must_use]
    pub fn is_supported(self) -> bool {
        self >= Self::Electra
    }
}

impl FromStr for Fork {
    type Err = UnknownForkName;

    fn from_str(text: &str) -> Result<Self, UnknownForkName> {
        Self::ALL.into_iter().find(|fork| fork.name() == text).ok_or_else(|| UnknownForkName(shorten(text, 40)))
    }
}

impl fmt::Display for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a signature is for; keeps signatures over equal bytes apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DomainType {
    /// `DOMAIN_BEACON_PROPOSER`: blocks.
    BeaconProposer,
    /// `DOMAIN_BEACON_ATTESTER`: attestations.
    BeaconAttester,
    /// `DOMAIN_RANDAO`.
    Randao,
    /// `DOMAIN_DEPOSIT`: genesis version, zero root.
    Deposit,
    /// `DOMAIN_VOLUNTARY_EXIT`: always the version of Capella (EIP-7044).
    VoluntaryExit,
    /// `DOMAIN_SELECTION_PROOF`: attestation aggregators.
    SelectionProof,
    /// `DOMAIN_AGGREGATE_AND_PROOF`.
    AggregateAndProof,
    /// `DOMAIN_SYNC_COMMITTEE`.
    SyncCommittee,
    /// `DOMAIN_SYNC_COMMITTEE_SELECTION_PROOF`.
    SyncCommitteeSelectionProof,
    /// `DOMAIN_CONTRIBUTION_AND_PROOF`.
    ContributionAndProof,
    /// `DOMAIN_BLS_TO_EXECUTION_CHANGE`: genesis version.
    BlsToExecutionChange,
    /// `DOMAIN_APPLICATION_BUILDER` of the builder specification: genesis version, zero root.
    ApplicationBuilder,
}

impl DomainType {
    /// The four bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 4] {
        match self {
            Self::BeaconProposer => [0, 0, 0, 0],
            Self::BeaconAttester => [1, 0, 0, 0],
            Self::Randao => [2, 0, 0, 0],
            Self::Deposit => [3, 0, 0, 0],
            Self::VoluntaryExit => [4, 0, 0, 0],
            Self::SelectionProof => [5, 0, 0, 0],
            Self::AggregateAndProof => [6, 0, 0, 0],
            Self::SyncCommittee => [7, 0, 0, 0],
            Self::SyncCommitteeSelectionProof => [8, 0, 0, 0],
            Self::ContributionAndProof => [9, 0, 0, 0],
            Self::BlsToExecutionChange => [10, 0, 0, 0],
            Self::ApplicationBuilder => [0, 0, 0, 1],
        }
    }
}
