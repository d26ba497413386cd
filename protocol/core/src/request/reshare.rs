//! What a request for a reshare takes over from an earlier ceremony, and the checks of it. `docs/spec/dkg.md`, section 11.

use cluster_crypto::{bls, hash::TaggedHash, ShareIndex, Threshold};
use serde::{Deserialize, Serialize};

use super::{Request, RequestError};
use crate::{
    ceremony::CeremonyId,
    certificate::Transcript,
    committee::{check_ids, CommitteeError, OperatorId},
    encoding::{hex_array, to_hex},
};

/// Digest of K public keys, in the order of the validators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeysDigest(#[serde(with = "hex_array")] pub [u8; 32]);

impl KeysDigest {
    /// The digest of these keys.
    #[must_use]
    pub fn of(keys: &[bls::PublicKey]) -> Self {
        let hash = TaggedHash::new("cluster-node/reshare/keys/1").u64(keys.len() as u64);
        Self(keys.iter().fold(hash, |hash, key| hash.bytes(&key.to_bytes())).finish())
    }
}

/// The validators that a ceremony takes over instead of making new ones. The owner signs all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reshare {
    /// The ceremony whose shares are dealt again: the one that made the keys, or the last reshare of them.
    pub previous: CeremonyId,
    /// Its committee, ascending.
    pub operator_ids: Vec<OperatorId>,
    /// For each of these operators the digest of the public keys of its K shares: what its dealing must commit to.
    pub share_keys: Vec<KeysDigest>,
    /// Digest of the K validator keys, which stay.
    pub validators: KeysDigest,
}

/// Why a request does not take over what an earlier ceremony made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReshareError {
    /// The request names another ceremony than the one at hand.
    #[error("the request takes over ceremony {found}, and this is ceremony {expected}")]
    OtherCeremony {
        /// The ceremony at hand.
        expected: CeremonyId,
        /// The ceremony of the request.
        found: CeremonyId,
    },
    /// A field differs from the earlier ceremony.
    #[error("{field} is {found}, but ceremony {previous} has {expected}; ask for a reshare with exactly that")]
    Mismatch {
        /// Which.
        field: &'static str,
        /// The earlier ceremony.
        previous: CeremonyId,
        /// Its value.
        expected: String,
        /// The request's value.
        found: String,
    },
}

impl Reshare {
    /// What a reshare of this result takes over.
    #[must_use]
    pub fn of(previous: &Transcript) -> Self {
        let digest = |position: usize| {
            let keys: Vec<bls::PublicKey> = previous
                .validators
                .iter()
                .filter_map(|validator| validator.share_pubkeys.get(position).copied())
                .collect();
            KeysDigest::of(&keys)
        };
        let validators: Vec<bls::PublicKey> = previous.validators.iter().map(|validator| validator.pubkey).collect();
        Self {
            previous: previous.ceremony_id(),
            operator_ids: previous.committee.iter().map(|(id, _)| *id).collect(),
            share_keys: (0..previous.committee.len()).map(digest).collect(),
            validators: KeysDigest::of(&validators),
        }
    }

    /// The operators of the new committee that hold old shares, with the indices of these. Ascending.
    pub fn dealers<'a>(&'a self, committee: &'a [OperatorId]) -> impl Iterator<Item = (OperatorId, ShareIndex)> + 'a {
        let indexed = self.operator_ids.iter().zip(1u8..).filter_map(|(id, at)| Some((*id, ShareIndex::new(at)?)));
        indexed.filter(|(id, _)| committee.contains(id))
    }

    /// What the dealing of the holder of old share `index` must commit to.
    #[must_use]
    pub fn share_keys_of(&self, index: ShareIndex) -> Option<KeysDigest> {
        self.share_keys.get(usize::from(index.get()) - 1).copied()
    }

    /// Everything that the request alone tells.
    ///
    /// # Errors
    /// The old committee is none, digests are missing, or too few of its members are in the new one.
    pub(super) fn check(&self, committee: &[OperatorId]) -> Result<Threshold, RequestError> {
        let old = check_ids(&self.operator_ids).map_err(|error| match error {
            CommitteeError::WrongSize { n } => {
                RequestError::PreviousCommittee { reason: format!("has {n} operators instead of 4, 7, 10 or 13") }
            }
            CommitteeError::Duplicate { id } | CommitteeError::Unsorted { id } => {
                RequestError::PreviousCommittee { reason: format!("has operator {id} twice or out of order") }
            }
            CommitteeError::SameKey { first, second } => {
                RequestError::PreviousCommittee { reason: format!("has operators {first} and {second} with one key") }
            }
        })?;
        if self.share_keys.len() != old.n() {
            let reason = format!("has {} operators and {} digests of share keys", old.n(), self.share_keys.len());
            return Err(RequestError::PreviousCommittee { reason });
        }
        let staying = self.dealers(committee).count();
        if staying < old.t() {
            return Err(RequestError::TooFewDealers { staying, needed: old.t(), n: old.n() });
        }
        Ok(old)
    }

    /// Whether a request takes over exactly what this earlier result says, for the same owner and deposits. Otherwise
    /// somebody would move another owner's keys, or have a key sign a second deposit message.
    ///
    /// # Errors
    /// The first field that differs.
    pub fn agrees_with(&self, request: &Request, transcript: &Transcript) -> Result<(), ReshareError> {
        let expected = Self::of(transcript);
        if self.previous != expected.previous {
            return Err(ReshareError::OtherCeremony { expected: expected.previous, found: self.previous });
        }
        let held = &transcript.request.request;
        let same = |field: &'static str, expected: String, found: String| {
            let previous = self.previous;
            let differs =
                || ReshareError::Mismatch { field, previous, expected: expected.clone(), found: found.clone() };
            (expected == found).then_some(()).ok_or_else(differs)
        };
        let keys = |keys: &[KeysDigest]| keys.iter().map(|key| to_hex(&key.0)).collect::<Vec<_>>().join(",");
        let ids = |ids: &[OperatorId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        same("chain_id", held.chain_id.to_string(), request.chain_id.to_string())?;
        same("owner", held.owner.to_string(), request.owner.to_string())?;
        same("withdrawal_address", held.withdrawal_address.to_string(), request.withdrawal_address.to_string())?;
        same("amount_gwei", held.amount_gwei.to_string(), request.amount_gwei.to_string())?;
        same("validator_count", held.validator_count.to_string(), request.validator_count.to_string())?;
        same("reshare.operator_ids", ids(&expected.operator_ids), ids(&self.operator_ids))?;
        same("reshare.validators", to_hex(&expected.validators.0), to_hex(&self.validators.0))?;
        same("reshare.share_keys", keys(&expected.share_keys), keys(&self.share_keys))
    }
}
