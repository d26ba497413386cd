//! The validators that this operator signs for: what is public about each of them. Shares are elsewhere, sealed.
//!
//! Written when a ceremony has keys and when shares are imported; never by duties. A validator that was removed leaves an
//! empty value behind, so that a ceremony which reports its result once more does not bring it back. Slashing history is
//! in a table of its own and is not touched by a removal.

use cluster_core::ceremony::CeremonyId;
use cluster_core::certificate::Transcript;
use cluster_core::committee::{Committee, OperatorId};
use cluster_core::encoding::{decode, encode, hex_array};
use cluster_core::network::Network;
use cluster_crypto::ethereum::Address;
use cluster_crypto::{bls, identity, ShareIndex, Threshold};
use serde::{Deserialize, Serialize};
use sled::transaction::{ConflictableTransactionError, TransactionError};

use super::{Store, StoreError};

/// A committee of 13 with its keys and share keys needs less than 1.5 KiB.
const ENTRY_LIMIT: usize = 4096;
/// The gas limit that builders are asked for unless an operator sets another one.
pub const DEFAULT_GAS_LIMIT: u64 = 60_000_000;

/// Where the shares of a validator come from: the key of their entry in the `shares` tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Source {
    /// Made by a ceremony.
    Ceremony(CeremonyId),
    /// Split from an existing key by a trusted dealer and imported; the id of the split.
    Split(#[serde(with = "hex_array")] [u8; 32]),
    /// Opened from what the contracts hold: a share from before this database, or of another committee; a hash of the event.
    Registered(#[serde(with = "hex_array")] [u8; 32]),
}

impl Source {
    /// The 32 bytes that name the shares in the store.
    #[must_use]
    pub fn id(&self) -> &[u8; 32] {
        match self {
            Self::Ceremony(id) => id.as_bytes(),
            Self::Split(id) | Self::Registered(id) => id,
        }
    }
}

/// One validator of this operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatorEntry {
    /// Group key.
    pub pubkey: bls::PublicKey,
    /// Where the share comes from.
    pub source: Source,
    /// Position among the validators of the source, from 0.
    pub position: u32,
    /// Who may ask for an exit; nobody when unknown.
    pub owner: Option<Address>,
    /// The operators with their registered keys, ascending.
    pub committee: Vec<(OperatorId, identity::PublicKey)>,
    /// The index of this operator's share.
    pub share_index: ShareIndex,
    /// The n share keys, by share index.
    pub share_pubkeys: Vec<bls::PublicKey>,
    /// Where withdrawals go; unknown for some imported validators.
    pub withdrawal_address: Option<Address>,
    /// Who gets fees of blocks, and the only recipient that registrations with builders may name.
    pub fee_recipient: Address,
    /// Gas limit that builders are asked for.
    pub gas_limit: u64,
    /// Whether duties are performed.
    pub active: bool,
}

impl ValidatorEntry {
    /// The entries of all validators of a ceremony, for one member of its committee. Empty for a stranger.
    #[must_use]
    pub fn of_transcript(transcript: &Transcript, me: OperatorId) -> Vec<Self> {
        let request = &transcript.request.request;
        let (owner, withdrawal) = (request.owner, request.withdrawal_address);
        let position = transcript.committee.iter().position(|(id, _)| *id == me);
        let index = position.and_then(|position| u8::try_from(position + 1).ok()).and_then(ShareIndex::new);
        let Some(share_index) = index else { return Vec::new() };
        let entry = |(position, record): (u32, &cluster_core::certificate::ValidatorRecord)| Self {
            pubkey: record.pubkey,
            source: Source::Ceremony(transcript.ceremony_id()),
            position,
            owner: Some(owner),
            committee: transcript.committee.clone(),
            share_index,
            share_pubkeys: record.share_pubkeys.clone(),
            withdrawal_address: Some(withdrawal),
            fee_recipient: fee_recipient(transcript.network(), withdrawal, owner),
            gas_limit: DEFAULT_GAS_LIMIT,
            active: true,
        };
        (0u32..).zip(&transcript.validators).map(entry).collect()
    }

    /// The committee; `None` when the entry was made for a list that is none.
    #[must_use]
    pub fn committee(&self) -> Option<Committee> {
        Committee::new(self.committee.clone()).ok()
    }

    /// n and t; `None` as above.
    #[must_use]
    pub fn threshold(&self) -> Option<Threshold> {
        Threshold::for_operators(self.committee.len()).ok()
    }
}

/// Who gets the fees: Lido's rewards vault for validators that withdraw to Lido's vault, the owner otherwise.
#[must_use]
pub fn fee_recipient(network: Option<Network>, withdrawal_address: Address, owner: Address) -> Address {
    match network {
        Some(network) if withdrawal_address == network.lido_withdrawal_vault() => network.lido_el_rewards_vault(),
        _ => owner,
    }
}

impl Store {
    /// All validators, in the order of their keys. Reading checks every key, which takes about 50 microseconds each: keep
    /// the result, and read again when [`Store::validators_changed`] says so.
    pub fn validators(&self) -> Result<Vec<ValidatorEntry>, StoreError> {
        let held = self.validators.iter().values().filter(|value| !matches!(value, Ok(value) if value.is_empty()));
        held.map(|value| parse(&value?)).collect()
    }

    /// One validator.
    pub fn validator(&self, pubkey: &[u8; 48]) -> Result<Option<ValidatorEntry>, StoreError> {
        let value = self.validators.get(pubkey)?.filter(|value| !value.is_empty());
        value.map(|value| parse(&value)).transpose()
    }

    /// Counts changes of the table, from this process.
    #[must_use]
    pub fn validators_changed(&self) -> tokio::sync::watch::Receiver<u64> {
        self.validators_changed.subscribe()
    }

    /// Adds the validators that were never here; those that are here, or were removed, stay as they are. Durable after
    /// [`Store::flush`].
    pub fn add_validators(&self, entries: &[ValidatorEntry]) -> Result<(), StoreError> {
        self.check_open()?;
        let mut batch = sled::Batch::default();
        let mut new = false;
        for entry in entries {
            let key = entry.pubkey.to_bytes();
            if !self.validators.contains_key(key)? {
                batch.insert(&key[..], encode(entry));
                new = true;
            }
        }
        if new {
            self.validators.apply_batch(batch)?;
            self.tell_change();
        }
        Ok(())
    }

    /// Adds a validator or replaces what is known of it. Durable after [`Store::flush`].
    pub fn put_validator(&self, entry: &ValidatorEntry) -> Result<(), StoreError> {
        self.check_open()?;
        self.validators.insert(entry.pubkey.to_bytes(), encode(entry))?;
        self.tell_change();
        Ok(())
    }

    /// Removes a validator; false when it was not here. Its slashing history stays. Durable after [`Store::flush`].
    pub fn remove_validator(&self, pubkey: &[u8; 48]) -> Result<bool, StoreError> {
        self.check_open()?;
        let removed = self.validators.transaction(|validators| {
            let held = validators.get(pubkey)?.is_some_and(|value| !value.is_empty());
            if held {
                validators.insert(&pubkey[..], &[][..])?;
            }
            Ok::<_, ConflictableTransactionError<()>>(held)
        });
        let removed = match removed {
            Ok(removed) => removed,
            Err(TransactionError::Abort(())) => false,
            Err(TransactionError::Storage(error)) => return Err(error.into()),
        };
        if removed {
            self.tell_change();
        }
        Ok(removed)
    }

    pub(super) fn tell_change(&self) {
        self.validators_changed.send_modify(|changes| *changes = changes.wrapping_add(1));
    }
}

fn parse(bytes: &[u8]) -> Result<ValidatorEntry, StoreError> {
    decode(bytes, ENTRY_LIMIT).map_err(|_| StoreError::Corrupt { what: "the table of validators" })
}
