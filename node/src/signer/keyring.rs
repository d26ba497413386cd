//! Shares in memory, and the only place that signs with them.
//!
//! Each share is decrypted once, compared with its public key, and kept as a secret that is redacted and overwritten on
//! drop. Nothing here hands a share out: [`Keyring::sign`] takes what `clearance.rs` has cleared and returns partials.

use std::collections::hash_map::Entry;
use std::collections::HashMap;
use std::sync::Arc;

use cluster_core::dkg::StoredShares;
use cluster_crypto::bls::{self, HashedMessage};
use cluster_crypto::ethereum::Address;
use cluster_crypto::threshold::{self, Partial};
use cluster_crypto::Threshold;

use super::clearance::Cleared;
use super::request::Pubkey;
use crate::store::{Source, Store, StoreError, ValidatorEntry};

/// One validator's share with what the signer must know of the validator.
pub(super) struct Key {
    pub(super) pubkey: bls::PublicKey,
    pub(super) owner: Option<Address>,
    pub(super) fee_recipient: Address,
    pub(super) active: bool,
    origin: (Source, u32),
    threshold: Threshold,
    share: Arc<bls::SecretKey>,
}

/// The validators that can be signed for.
#[derive(Default)]
pub(super) struct Keyring {
    keys: HashMap<Pubkey, Arc<Key>>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Keyring({} shares, [redacted])", self.keys.len())
    }
}

impl Keyring {
    /// Opens the shares of all validators in the store. Shares that `before` holds are taken over and not opened again.
    pub(super) fn load(store: &Store, before: &Self) -> Result<Self, StoreError> {
        let mut opened: HashMap<Source, Option<StoredShares>> = HashMap::new();
        let mut keys = HashMap::new();
        for entry in store.validators()? {
            if store.handover(&entry.source)?.is_some() {
                // A signer process has these shares, or may have them.
                continue;
            }
            let pubkey = entry.pubkey.to_bytes();
            let origin = (entry.source, entry.position);
            let held = before.keys.get(&pubkey).filter(|held| held.origin == origin);
            let share = match held {
                Some(held) => Some(Arc::clone(&held.share)),
                None => {
                    let shares = match opened.entry(entry.source) {
                        Entry::Occupied(known) => known.into_mut(),
                        Entry::Vacant(unknown) => unknown.insert(store.open_shares(&entry.source)?),
                    };
                    shares.as_ref().and_then(|shares| share_of(shares, &entry)).map(Arc::new)
                }
            };
            let (Some(share), Some(threshold)) = (share, entry.threshold()) else { continue };
            let ValidatorEntry { owner, fee_recipient, active, .. } = entry;
            let key = Key { pubkey: entry.pubkey, owner, fee_recipient, active, origin, threshold, share };
            keys.insert(pubkey, Arc::new(key));
        }
        Ok(Self { keys })
    }

    pub(super) fn get(&self, pubkey: &Pubkey) -> Option<&Arc<Key>> {
        self.keys.get(pubkey)
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Signs what was cleared, in order. Validators that sign one message share its table of multiples.
    pub(super) fn sign(cleared: &[Cleared]) -> Vec<Partial> {
        let mut groups: HashMap<([u8; 32], Threshold), Vec<usize>> = HashMap::new();
        for (at, item) in cleared.iter().enumerate() {
            groups.entry((*item.root(), item.key().threshold)).or_default().push(at);
        }
        let mut signed: Vec<(usize, Partial)> = Vec::with_capacity(cleared.len());
        for ((root, threshold), places) in groups {
            let shares: Vec<&bls::SecretKey> =
                places.iter().filter_map(|at| cleared.get(*at)).map(|item| item.key().share.as_ref()).collect();
            let partials = threshold::sign_same_message(&shares, threshold, &HashedMessage::new(&root));
            signed.extend(places.into_iter().zip(partials));
        }
        signed.sort_unstable_by_key(|(at, _)| *at);
        signed.into_iter().map(|(_, partial)| partial).collect()
    }
}

/// One share, which must be the one that the validator's entry names. A damaged one costs its own validator's duties and
/// no others'.
fn share_of(shares: &StoredShares, entry: &ValidatorEntry) -> Option<bls::SecretKey> {
    let position = usize::try_from(entry.position).unwrap_or(usize::MAX);
    let named = entry.share_pubkeys.get(usize::from(entry.share_index.get()) - 1);
    let share = shares.shares.secret_key(position);
    let right = shares.validators.get(position) == Some(&entry.pubkey)
        && share.as_ref().is_some_and(|share| Some(&share.public_key()) == named);
    if !right {
        tracing::error!(pubkey = %entry.pubkey, "the share of validator {} is not the one that it should be", entry.pubkey);
    }
    share.filter(|_| right)
}
