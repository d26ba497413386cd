//! A network's constants as its beacon node reports them: times, forks, domains.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    preset::{UnknownPreset, SYNC_COMMITTEE_SUBNET_COUNT},
    DomainType, Epoch, Fork, Preset, Root, Slot,
};
use crate::{
    deposit::compute_domain,
    encoding::{from_hex, hex_array, shorten},
    machine::Time,
};

/// `FAR_FUTURE_EPOCH`: never.
pub const FAR_FUTURE_EPOCH: Epoch = Epoch(u64::MAX);
/// An hour. A longer slot is a mistake; and all times stay far from overflow.
const MAX_SLOT_MS: u64 = 3_600_000;
/// The unit of `*_DUE_BPS`: a ten thousandth of a slot.
const BASIS_POINTS: u64 = 10_000;
const FORK_EPOCH: &str = "_FORK_EPOCH";

/// Why a beacon node's `/eth/v1/config/spec` cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// A value that every node gives.
    #[error("the beacon node's specification has no {0}")]
    Missing(String),
    /// A value that is no number, no version, or out of range.
    #[error("the beacon node's specification has {key} = `{value}`; expected {expected}")]
    Invalid {
        /// The name.
        key: String,
        /// The value, shortened.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// A preset with other containers.
    #[error(transparent)]
    Preset(#[from] UnknownPreset),
    /// A constant is not the preset's, so containers would have another shape.
    #[error("the beacon node's specification has {key} = {found}, but the {preset} preset has {expected}")]
    OtherConstant {
        /// The name.
        key: &'static str,
        /// The node's value.
        found: String,
        /// The preset.
        preset: Preset,
        /// The preset's value.
        expected: u64,
    },
    /// Forks happen in their order.
    #[error("the beacon node's specification has the fork {later} before {earlier}")]
    ForkOrder {
        /// The fork that must come first.
        earlier: Fork,
        /// The fork that comes too early.
        later: Fork,
    },
}

/// Why no duty can be performed in an epoch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownFork {
    /// Scheduled on the network, unknown here.
    #[error(
        "the fork {name} begins at epoch {at}, and this version does not know it; install a newer version before then"
    )]
    TooNew {
        /// The fork's name.
        name: String,
        /// Its first epoch.
        at: Epoch,
    },
    /// Before Electra.
    #[error("epoch {epoch} is in the fork {fork}, which is not supported; the first supported one is electra")]
    TooOld {
        /// The epoch asked for.
        epoch: Epoch,
        /// Its fork.
        fork: Fork,
    },
}

/// A fork and when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ForkEpoch {
    /// The fork.
    pub fork: Fork,
    /// `*_FORK_VERSION`.
    #[serde(with = "hex_array")]
    pub version: [u8; 4],
    /// Its first epoch; [`FAR_FUTURE_EPOCH`] when none is set.
    pub epoch: Epoch,
}

/// The constants of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainSpec {
    /// Shape of containers.
    pub preset: Preset,
    /// EIP-155 id of the execution chain (`DEPOSIT_CHAIN_ID`).
    pub chain_id: u64,
    /// Start of slot 0, Unix seconds.
    pub genesis_time_s: u64,
    /// Root of the validators at genesis; names the chain.
    #[serde(with = "hex_array")]
    pub genesis_validators_root: Root,
    /// Length of a slot in milliseconds, 1 to 3,600,000.
    pub slot_ms: u64,
    /// The forks known here, in order of [`Fork::ALL`] and of their epochs.
    pub forks: Vec<ForkEpoch>,
    /// The first scheduled fork that is not known here.
    pub unknown_fork: Option<(String, Epoch)>,
    /// When attestations are due, in milliseconds into the slot.
    pub attestation_due_ms: u64,
    /// When aggregates are due, in milliseconds into the slot.
    pub aggregate_due_ms: u64,
    /// When sync committee messages are due, in milliseconds into the slot.
    pub sync_message_due_ms: u64,
    /// When sync committee contributions are due, in milliseconds into the slot.
    pub contribution_due_ms: u64,
    /// `EPOCHS_PER_SYNC_COMMITTEE_PERIOD`.
    pub epochs_per_sync_committee_period: u64,
    /// `TARGET_AGGREGATORS_PER_COMMITTEE`.
    pub target_aggregators_per_committee: u64,
    /// `TARGET_AGGREGATORS_PER_SYNC_SUBCOMMITTEE`.
    pub target_aggregators_per_sync_subcommittee: u64,
    /// `SHARD_COMMITTEE_PERIOD`: epochs that a validator is active before it may exit.
    pub shard_committee_period: u64,
}

impl ChainSpec {
    /// Reads the strings of `/eth/v1/config/spec` and the two values of `/eth/v1/beacon/genesis`. Unknown keys are passed over, except
    /// that a scheduled fork without a name here becomes [`ChainSpec::unknown_fork`].
    pub fn from_api(
        genesis_time_s: u64,
        genesis_validators_root: Root,
        values: &BTreeMap<String, String>,
    ) -> Result<Self, SpecError> {
        let values = Values(values);
        let preset: Preset = values.text("PRESET_BASE")?.parse()?;
        values.check_constants(preset)?;
        let slot_ms = values.slot_ms()?;
        Ok(Self {
            preset,
            chain_id: values.number("DEPOSIT_CHAIN_ID")?,
            genesis_time_s,
            genesis_validators_root,
            slot_ms,
            forks: values.forks()?,
            unknown_fork: values.unknown_fork()?,
            attestation_due_ms: values.due_ms("ATTESTATION_DUE_BPS", slot_ms, 1)?,
            aggregate_due_ms: values.due_ms("AGGREGATE_DUE_BPS", slot_ms, 2)?,
            sync_message_due_ms: values.due_ms("SYNC_MESSAGE_DUE_BPS", slot_ms, 1)?,
            contribution_due_ms: values.due_ms("CONTRIBUTION_DUE_BPS", slot_ms, 2)?,
            epochs_per_sync_committee_period: values.positive("EPOCHS_PER_SYNC_COMMITTEE_PERIOD")?,
            target_aggregators_per_committee: values.positive("TARGET_AGGREGATORS_PER_COMMITTEE")?,
            target_aggregators_per_sync_subcommittee: values
                .optional("TARGET_AGGREGATORS_PER_SYNC_SUBCOMMITTEE")?
                .unwrap_or(16)
                .max(1),
            shard_committee_period: values.number("SHARD_COMMITTEE_PERIOD")?,
        })
    }

    /// The fork of an epoch, when duties can be performed in it.
    pub fn fork_at(&self, epoch: Epoch) -> Result<Fork, UnknownFork> {
        if let Some((name, at)) = &self.unknown_fork {
            if epoch >= *at {
                return Err(UnknownFork::TooNew { name: name.clone(), at: *at });
            }
        }
        let fork = self.entry_at(epoch).map_or(Fork::Phase0, |entry| entry.fork);
        if fork.is_supported() {
            Ok(fork)
        } else {
            Err(UnknownFork::TooOld { epoch, fork })
        }
    }

    /// `SLOTS_PER_EPOCH`.
    #[must_use]
    pub const fn slots_per_epoch(&self) -> u64 {
        self.preset.slots_per_epoch()
    }

    /// Start of slot 0.
    #[must_use]
    pub const fn genesis(&self) -> Time {
        Time(self.genesis_time_s.saturating_mul(1_000))
    }

    /// When a slot begins.
    #[must_use]
    pub const fn slot_start(&self, slot: Slot) -> Time {
        self.genesis().plus_ms(slot.0.saturating_mul(self.slot_ms))
    }

    /// The slot at a time; none before genesis.
    #[must_use]
    pub fn slot_at(&self, now: Time) -> Option<Slot> {
        if now < self.genesis() {
            return None;
        }
        now.since(self.genesis()).checked_div(self.slot_ms).map(Slot)
    }

    /// The epoch of a slot.
    #[must_use]
    pub const fn epoch_of(&self, slot: Slot) -> Epoch {
        slot.epoch(self.slots_per_epoch())
    }

    /// The sync committee period of an epoch.
    #[must_use]
    pub fn sync_period(&self, epoch: Epoch) -> u64 {
        epoch.0.checked_div(self.epochs_per_sync_committee_period).unwrap_or_default()
    }

    /// `get_domain` of the consensus specification for a message of an epoch. Exits always have the version of Capella (EIP-7044);
    /// deposits and registrations with builders that of genesis, with a zero root. It knows no fork that this version does not know:
    /// ask [`ChainSpec::fork_at`] before anything is signed.
    #[must_use]
    pub fn domain(&self, kind: DomainType, epoch: Epoch) -> [u8; 32] {
        let root = self.genesis_validators_root;
        let (version, root) = match kind {
            DomainType::VoluntaryExit => (self.version_of(Fork::Capella), root),
            DomainType::Deposit | DomainType::ApplicationBuilder => (self.version_of(Fork::Phase0), [0; 32]),
            DomainType::BlsToExecutionChange => (self.version_of(Fork::Phase0), root),
            _ => (self.entry_at(epoch).map_or([0; 4], |entry| entry.version), root),
        };
        compute_domain(kind.to_bytes(), version, root)
    }

    fn version_of(&self, fork: Fork) -> [u8; 4] {
        self.forks.iter().find(|entry| entry.fork == fork).map_or([0; 4], |entry| entry.version)
    }

    fn entry_at(&self, epoch: Epoch) -> Option<&ForkEpoch> {
        self.forks.iter().rev().find(|entry| entry.epoch <= epoch && entry.epoch != FAR_FUTURE_EPOCH)
    }
}

/// `is_aggregator`: whether a selection proof makes its validator an aggregator of a committee with this many members.
#[must_use]
pub fn is_aggregator(spec: &ChainSpec, committee_length: u64, selection_proof: &[u8; 96]) -> bool {
    let modulo = committee_length.checked_div(spec.target_aggregators_per_committee).unwrap_or_default().max(1);
    drawn(selection_proof).is_multiple_of(modulo)
}

/// `is_sync_committee_aggregator`: whether a selection proof makes its validator an aggregator of a subcommittee.
#[must_use]
pub fn is_sync_aggregator(spec: &ChainSpec, selection_proof: &[u8; 96]) -> bool {
    let members = spec.preset.sync_committee_size() / SYNC_COMMITTEE_SUBNET_COUNT;
    let modulo = members.checked_div(spec.target_aggregators_per_sync_subcommittee).unwrap_or_default().max(1);
    drawn(selection_proof).is_multiple_of(modulo)
}

/// The first eight bytes of the hash, as a little-endian number.
fn drawn(selection_proof: &[u8; 96]) -> u64 {
    let hash = Sha256::digest(selection_proof);
    hash.iter().take(8).rev().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

/// The node's strings.
struct Values<'a>(&'a BTreeMap<String, String>);

impl Values<'_> {
    fn text(&self, key: &str) -> Result<&str, SpecError> {
        self.0.get(key).map(String::as_str).ok_or_else(|| SpecError::Missing(key.to_owned()))
    }

    fn optional(&self, key: &str) -> Result<Option<u64>, SpecError> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| invalid(key, value, "a decimal number of 64 bits"))
    }

    fn number(&self, key: &str) -> Result<u64, SpecError> {
        self.optional(key)?.ok_or_else(|| SpecError::Missing(key.to_owned()))
    }

    fn positive(&self, key: &str) -> Result<u64, SpecError> {
        match self.number(key)? {
            0 => Err(invalid(key, "0", "a number above zero")),
            number => Ok(number),
        }
    }

    fn slot_ms(&self) -> Result<u64, SpecError> {
        const EXPECTED: &str = "a slot of at most an hour, above zero";
        // Nodes give both; where the two differ, the finer one is what the chain runs on.
        let (key, slot_ms) = match self.optional("SLOT_DURATION_MS")? {
            Some(ms) => ("SLOT_DURATION_MS", ms),
            None => ("SECONDS_PER_SLOT", self.number("SECONDS_PER_SLOT")?.saturating_mul(1_000)),
        };
        if slot_ms == 0 || slot_ms > MAX_SLOT_MS {
            return Err(invalid(key, self.text(key)?, EXPECTED));
        }
        Ok(slot_ms)
    }

    /// A share of the slot in basis points; older nodes do not give it, and thirds of the slot are meant.
    fn due_ms(&self, key: &str, slot_ms: u64, thirds: u64) -> Result<u64, SpecError> {
        match self.optional(key)? {
            None => Ok(slot_ms * thirds / 3),
            Some(points) if points <= BASIS_POINTS => Ok(slot_ms * points / BASIS_POINTS),
            Some(points) => Err(invalid(key, &points.to_string(), "at most 10000 basis points of a slot")),
        }
    }

    fn check_constants(&self, preset: Preset) -> Result<(), SpecError> {
        for (key, expected) in preset.constants() {
            let Some(found) = self.0.get(key) else { continue };
            if found.parse() != Ok(expected) {
                return Err(SpecError::OtherConstant { key, found: shorten(found, 40), preset, expected });
            }
        }
        Ok(())
    }

    fn version(&self, fork: Fork) -> Result<[u8; 4], SpecError> {
        let name = if fork == Fork::Phase0 { "GENESIS" } else { fork.name() };
        let key = format!("{}_FORK_VERSION", name.to_uppercase());
        let value = self.text(&key)?;
        from_hex(value).map_err(|_| invalid(&key, value, "0x and 8 hex digits"))
    }

    fn forks(&self) -> Result<Vec<ForkEpoch>, SpecError> {
        let mut forks: Vec<ForkEpoch> = Vec::with_capacity(Fork::ALL.len());
        for fork in Fork::ALL {
            let key = format!("{}{FORK_EPOCH}", fork.name().to_uppercase());
            let epoch = match (fork, self.optional(&key)?) {
                (Fork::Phase0, _) => Epoch(0),
                (_, Some(epoch)) => Epoch(epoch),
                // A node that has not heard of the newest fork cannot be on it.
                (Fork::Fulu, None) => continue,
                (_, None) => return Err(SpecError::Missing(key)),
            };
            if let Some(earlier) = forks.last().filter(|earlier| earlier.epoch > epoch) {
                return Err(SpecError::ForkOrder { earlier: earlier.fork, later: fork });
            }
            forks.push(ForkEpoch { fork, version: self.version(fork)?, epoch });
        }
        Ok(forks)
    }

    fn unknown_fork(&self) -> Result<Option<(String, Epoch)>, SpecError> {
        let mut first: Option<(String, Epoch)> = None;
        for (key, value) in self.0 {
            let Some(name) = key.strip_suffix(FORK_EPOCH) else { continue };
            let name = name.to_lowercase();
            if name.parse::<Fork>().is_ok() {
                continue;
            }
            let epoch = Epoch(value.parse().map_err(|_| invalid(key, value, "a decimal number of 64 bits"))?);
            if epoch != FAR_FUTURE_EPOCH && first.as_ref().is_none_or(|(_, at)| epoch < *at) {
                first = Some((shorten(&name, 40), epoch));
            }
        }
        Ok(first)
    }
}

fn invalid(key: &str, value: &str, expected: &'static str) -> SpecError {
    SpecError::Invalid { key: shorten(key, 80), value: shorten(value, 80), expected }
}
