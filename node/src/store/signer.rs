//! What the signer keeps: shares, how far they have moved to a signer process, and the chain that it signs for.
//!
//! # Moving shares to a signer process
//!
//! 1. [`Handover::Moving`] is on disk before a share leaves. From then on this process never signs with the share again,
//!    also after its configuration was changed back: the signer's slashing history goes on without it.
//! 2. The signer process stores the shares and their slashing history, flushes, and confirms. The same again changes
//!    nothing there.
//! 3. [`Handover::Erased`] is on disk before shares, and the journal from which they could be computed, are removed.
//!
//! A crash anywhere leaves the shares here, or there, or in both places; and in none does more than one of the two sign.

use std::fmt::Display;

use cluster_core::beacon::{ChainSpec, ForkEpoch, Preset, Root};
use cluster_core::dkg::StoredShares;
use cluster_core::encoding::{decode, encode, hex_array};
use serde::{Deserialize, Serialize};

use super::{records, Source, Store, StoreError, ValidatorEntry};

const CHAIN_KEY: &[u8] = b"signer_chain";
/// A pin has some 30 bytes per fork.
const CHAIN_LIMIT: usize = 4096;
const MOVING: u8 = 0;
const ERASED: u8 = 1;

/// How far the shares of a source have moved to a signer process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handover {
    /// They may be there already; this process does not sign with them any more.
    Moving,
    /// They are there, and here they are removed, or about to be.
    Erased,
}

/// The chain that a signer signs for, as it was first told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainPin {
    #[serde(with = "hex_array")]
    genesis_validators_root: Root,
    genesis_time_s: u64,
    slot_ms: u64,
    chain_id: u64,
    preset: Preset,
    forks: Vec<ForkEpoch>,
}

impl ChainPin {
    /// The pin of a network.
    #[must_use]
    pub fn of(spec: &ChainSpec) -> Self {
        Self {
            genesis_validators_root: spec.genesis_validators_root,
            genesis_time_s: spec.genesis_time_s,
            slot_ms: spec.slot_ms,
            chain_id: spec.chain_id,
            preset: spec.preset,
            forks: spec.forks.clone(),
        }
    }

    /// Whether `other` is the same chain: what differs, in words. Epochs of forks may be set later and new forks may be
    /// added; versions of known ones never change.
    pub fn check(&self, other: &Self) -> Result<(), String> {
        let root = |pin: &Self| format!("0x{}", hex::encode(&pin.genesis_validators_root[..8]));
        let differs = |what: &str, found: &dyn Display, expected: &dyn Display| {
            Err(format!("its {what} is {found}, not {expected}"))
        };
        if self.genesis_validators_root != other.genesis_validators_root {
            return differs("genesis validators root", &root(other), &root(self));
        }
        if self.genesis_time_s != other.genesis_time_s {
            return differs("genesis time", &other.genesis_time_s, &self.genesis_time_s);
        }
        if self.slot_ms != other.slot_ms {
            return differs("slot in milliseconds", &other.slot_ms, &self.slot_ms);
        }
        if self.chain_id != other.chain_id {
            return differs("execution chain", &other.chain_id, &self.chain_id);
        }
        if self.preset != other.preset {
            return differs("preset", &other.preset, &self.preset);
        }
        for known in &self.forks {
            match other.forks.iter().find(|fork| fork.fork == known.fork) {
                Some(fork) if fork.version == known.version => {}
                Some(fork) => {
                    let versions = (hex::encode(fork.version), hex::encode(known.version));
                    return differs(&format!("version of the fork {}", known.fork), &versions.0, &versions.1);
                }
                None => return Err(format!("it does not know the fork {}", known.fork)),
            }
        }
        Ok(())
    }
}

impl Store {
    /// The shares of a source, opened; `None` when there are none. For `signer/keyring.rs`, the hand-over, and
    /// `driver/reshare.rs`, which deals them anew.
    pub(crate) fn open_shares(&self, source: &Source) -> Result<Option<StoredShares>, StoreError> {
        let Some(sealed) = self.shares.get(source.id())? else { return Ok(None) };
        let opened = self.sealer.open("shares", source.id(), &sealed)?;
        opened.expose(|bytes| records::shares(bytes)).map(Some)
    }

    /// Stores imported shares with their validators, durably. The same import again changes nothing; a validator that is
    /// here from another source is refused, since two shares of one validator are a mistake.
    pub fn import_shares(&self, shares: &StoredShares, entries: &[ValidatorEntry]) -> Result<(), StoreError> {
        self.check_open()?;
        for entry in entries {
            let held = self.validator(&entry.pubkey.to_bytes())?;
            if held.is_some_and(|held| held.source != entry.source) {
                return Err(StoreError::OtherShare { pubkey: entry.pubkey.to_string() });
            }
        }
        let id = *shares.ceremony_id.as_bytes();
        let erased = self.handover.get(id)?.is_some();
        if !erased && !self.shares.contains_key(id)? {
            let sealed = records::shares_bytes(shares).expose(|plain| self.sealer.seal("shares", &id, plain))?;
            self.shares.insert(id, sealed)?;
            // Before the validators: a validator in the table has its share.
            self.flush()?;
        }
        for entry in entries {
            // Also one that was removed: importing it again is how it comes back.
            if self.validator(&entry.pubkey.to_bytes())?.is_none() {
                self.put_validator(entry)?;
            }
        }
        self.flush()
    }

    /// How far the shares of a source have moved; `None`: they are here.
    pub fn handover(&self, source: &Source) -> Result<Option<Handover>, StoreError> {
        match self.handover.get(source.id())? {
            None => Ok(None),
            Some(value) => match value.as_ref() {
                [MOVING] => Ok(Some(Handover::Moving)),
                [ERASED] => Ok(Some(Handover::Erased)),
                _ => Err(StoreError::Corrupt { what: "the table of shares that moved" }),
            },
        }
    }

    /// From now on this process never signs with the shares of the source. Durable on return.
    pub fn begin_handover(&self, source: &Source) -> Result<(), StoreError> {
        self.check_open()?;
        if self.handover(source)?.is_none() {
            self.handover.insert(source.id(), &[MOVING])?;
            self.tell_change();
        }
        self.flush()
    }

    /// Removes shares that a signer process has confirmed, and the journal from which they could be computed. Durable on
    /// return. Old pages of the database keep the sealed bytes until they are overwritten.
    pub fn erase_shares(&self, source: &Source) -> Result<(), StoreError> {
        self.check_open()?;
        let id = source.id();
        self.handover.insert(id, &[ERASED])?;
        self.flush()?;
        for key in self.journal.scan_prefix(id).keys() {
            self.journal.remove(key?)?;
        }
        self.shares.remove(id)?;
        self.flush()
    }

    /// Whether shares or a journal of the source are here.
    pub fn has_traces(&self, source: &Source) -> Result<bool, StoreError> {
        let id = source.id();
        Ok(self.shares.contains_key(id)? || self.journal.scan_prefix(id).next().is_some())
    }

    /// The chain that this signer signs for; `None` before the first signature.
    pub fn chain_pin(&self) -> Result<Option<ChainPin>, StoreError> {
        let value = self.meta.get(CHAIN_KEY)?;
        let corrupt = |_| StoreError::Corrupt { what: "the chain of the signer" };
        value.map(|value| decode(&value, CHAIN_LIMIT).map_err(corrupt)).transpose()
    }

    /// Sets the chain that this signer signs for. Durable on return.
    pub fn set_chain_pin(&self, pin: &ChainPin) -> Result<(), StoreError> {
        self.check_open()?;
        self.meta.insert(CHAIN_KEY, encode(pin))?;
        self.flush()
    }
}
