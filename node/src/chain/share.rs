//! The sealed share of a registration: opened, and compared with its public share, and the public shares with the validator's
//! key. Only then duties begin.

use cluster_core::ceremony::CeremonyId;
use cluster_core::chain::{PubkeyBytes, ValidatorFact};
use cluster_core::committee::{Committee, OperatorId};
use cluster_core::registry::Registry;
use cluster_crypto::seal::{open_envelope, EnvelopeContext};
use cluster_crypto::share_keys::{find_bad_share_key, BadShareKey};
use cluster_crypto::{bls, identity, ShareIndex};

/// Why this operator does not act on a registration.
#[derive(Debug, thiserror::Error)]
pub(super) enum ShareError {
    /// An operator is gone, or two have one key.
    #[error("its committee cannot be formed: {0}")]
    Committee(String),
    /// The bytes are no key.
    #[error("{what} is not a public key of a validator")]
    Key {
        /// Which.
        what: String,
    },
    /// The public shares are of something else.
    #[error("the public shares do not belong to the validator's key")]
    PublicShares,
    /// Sealed to somebody else, or under another ceremony.
    #[error("the sealed share does not open under any ceremony that this operator knows of the owner")]
    Sealed,
    /// It opens, and is something else.
    #[error("the sealed share is not the one that its public share names")]
    OtherShare,
}

/// A registration that was found to be right.
pub(super) struct Checked {
    pub(super) pubkey: bls::PublicKey,
    pub(super) committee: Committee,
    pub(super) share_index: ShareIndex,
    pub(super) share_pubkeys: Vec<bls::PublicKey>,
    /// The ceremony whose id opened the share.
    pub(super) ceremony_id: CeremonyId,
    pub(super) share: bls::SecretKey,
}

/// Checks a registration that names operator `me`. Every one of `ceremonies` is tried.
pub(super) fn check(
    me: OperatorId,
    identity: &identity::SecretKey,
    registry: &dyn Registry,
    pubkey: &PubkeyBytes,
    fact: &ValidatorFact,
    ceremonies: &[CeremonyId],
) -> Result<Checked, ShareError> {
    let committee = committee(registry, &fact.operator_ids)?;
    let not_in_it = || ShareError::Committee(format!("operator {me} is not in it"));
    let share_index = committee.index_of(me).ok_or_else(not_in_it)?;
    let position = usize::from(share_index.get()) - 1;
    let validator = pubkey.key().ok_or_else(|| ShareError::Key { what: pubkey.to_string() })?;
    let keys = fact.share_pubkeys.iter().map(|key| key.key().ok_or_else(|| ShareError::Key { what: key.to_string() }));
    let share_pubkeys = keys.collect::<Result<Vec<_>, _>>()?;
    if find_bad_share_key(committee.threshold(), &validator, &share_pubkeys) != BadShareKey::None {
        return Err(ShareError::PublicShares);
    }
    let envelope = fact.envelopes.get(position).ok_or(ShareError::Sealed)?;
    let opened = ceremonies.iter().find_map(|ceremony_id| {
        let context = EnvelopeContext { ceremony_id: ceremony_id.as_bytes(), operator_id: me.0 };
        let share = open_envelope(identity, context, &validator, envelope).ok()?;
        Some((*ceremony_id, share))
    });
    let (ceremony_id, share) = opened.ok_or(ShareError::Sealed)?;
    if share_pubkeys.get(position) != Some(&share.public_key()) {
        return Err(ShareError::OtherShare);
    }
    Ok(Checked { pubkey: validator, committee, share_index, share_pubkeys, ceremony_id, share })
}

fn committee(registry: &dyn Registry, ids: &[OperatorId]) -> Result<Committee, ShareError> {
    let member = |id: &OperatorId| match registry.operator(*id) {
        Some(entry) => Ok((*id, entry.public_key)),
        None => Err(ShareError::Committee(format!("operator {id} is not registered any more"))),
    };
    let members = ids.iter().map(member).collect::<Result<Vec<_>, _>>()?;
    Committee::new(members).map_err(|error| ShareError::Committee(error.to_string()))
}
