//! From dealings to keys (DKG 4.3 and 5.1): sums over dealers first, then one check for all K validators.

use std::collections::BTreeMap;

use cluster_crypto::{
    bls, feldman::Commitments, hash::TaggedHash, polynomial::SecretVector, reshare::Weights, SecretSeed, ShareIndex,
};

use super::{
    context::Context,
    dealing::{derived_rng, Held},
    message::{qualified_digest, Qualified},
};
use crate::{committee::OperatorId, request::KeysDigest};

/// The sums over a set of dealers, checked against each other.
pub(super) struct Summed {
    pub(super) qualified: Qualified,
    commitments: Commitments,
    pub(super) shares: SecretVector,
}

/// What is wrong with one dealer of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// Its commitments leave the subgroup: everyone can see it.
    Subgroup,
    /// The share for this operator is wrong: only this operator can see it, until it complains.
    Share,
}

/// Why the dealings of a set do not add up.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SumError {
    /// Dealers are to blame. Empty when the sum fails though every part is right, which cannot happen short of a fault of this
    /// machine.
    Dealers(Vec<(OperatorId, Finding)>),
    /// DKG 11.6: every dealing is right and the sums are other keys than the owner named: the request contradicts itself.
    OtherKeys,
}

/// Shares that were rebuilt from what other receivers revealed, by dealing.
pub(super) type Rebuilt = BTreeMap<[u8; 32], SecretVector>;

/// DKG 4.3: adds up the dealings of `set` and checks the sum once; only when that fails, every dealer by itself.
///
/// # Errors
/// The dealers that are to blame, with what was found; or that a reshare gives other keys.
pub(super) fn sum(
    context: &Context,
    me: ShareIndex,
    seed: &SecretSeed,
    set: &BTreeMap<OperatorId, &Held>,
    rebuilt: &Rebuilt,
) -> Result<Summed, SumError> {
    let qualified: Qualified = set.iter().map(|(dealer, held)| (*dealer, held.digest)).collect();
    let mut rng = derived_rng(seed, "check", &[&context.ceremony_id().0, &qualified_digest(&qualified)]);
    let is_open = |held: &Held| rebuilt.contains_key(&held.digest) || held.shares.is_ok();
    let unopened: Vec<_> =
        set.iter().filter(|(_, held)| !is_open(held)).map(|(dealer, _)| (*dealer, Finding::Share)).collect();
    if !unopened.is_empty() {
        return Err(SumError::Dealers(unopened));
    }
    let parts: Vec<&Commitments> = set.values().map(|held| &held.commitments).collect();
    let shares: Vec<&SecretVector> =
        set.values().filter_map(|held| rebuilt.get(&held.digest).or(held.shares.as_ref().ok())).collect();
    let weights = weights(context, set)?;
    let Some((commitments, shares)) = add_up(weights.as_ref(), &parts, &shares) else {
        return Err(SumError::Dealers(Vec::new()));
    };
    if commitments.check_subgroup(&mut rng) && commitments.verify_shares(me, &shares, &mut rng) {
        let (commitments, shares) = match &weights {
            None => (commitments, shares),
            Some(weights) => (weights.commitments(&commitments), weights.shares(&shares)),
        };
        return check_keys(context, &commitments).map(|()| Summed { qualified, commitments, shares });
    }
    let blamed = set.iter().filter_map(|(dealer, held)| {
        let shares = rebuilt.get(&held.digest).or(held.shares.as_ref().ok())?;
        if !held.commitments.check_subgroup(&mut rng) {
            Some((*dealer, Finding::Subgroup))
        } else if !held.commitments.verify_shares(me, shares, &mut rng) {
            Some((*dealer, Finding::Share))
        } else {
            None
        }
    });
    Err(SumError::Dealers(blamed.collect()))
}

/// DKG 11.5: what the dealings of a reshare count with; nothing in other ceremonies, where all count alike.
fn weights(context: &Context, set: &BTreeMap<OperatorId, &Held>) -> Result<Option<Weights>, SumError> {
    if context.reshare().is_none() {
        return Ok(None);
    }
    let indices: Vec<ShareIndex> = set.keys().filter_map(|dealer| context.previous_index(*dealer)).collect();
    Weights::at_zero(&indices).map(Some).map_err(|_| SumError::Dealers(Vec::new()))
}

/// With weights, a multiple of the sums: checked before it is divided.
fn add_up(
    weights: Option<&Weights>,
    parts: &[&Commitments],
    shares: &[&SecretVector],
) -> Option<(Commitments, SecretVector)> {
    if let Some(weights) = weights {
        return Some((weights.scaled_commitments(parts).ok()?, weights.scaled_shares(shares).ok()?));
    }
    let mut sum = SecretVector::zero(shares.first()?.len());
    for part in shares {
        sum.add(part).ok()?;
    }
    Some((Commitments::sum(parts).ok()?, sum))
}

/// DKG 11.6: the keys that the owner named.
fn check_keys(context: &Context, commitments: &Commitments) -> Result<(), SumError> {
    let expected = context.reshare().map(|reshare| reshare.validators);
    if expected.is_some_and(|expected| expected != KeysDigest::of(&commitments.group_keys())) {
        return Err(SumError::OtherKeys);
    }
    Ok(())
}

/// The keys of all K validators, and this operator's shares of them.
pub(super) struct Keys {
    pub(super) qualified: Qualified,
    pub(super) shares: SecretVector,
    /// The validator public keys.
    pub(super) group: Vec<bls::PublicKey>,
    /// The public keys of the shares: for each share index, K keys.
    pub(super) share_keys: Vec<Vec<bls::PublicKey>>,
    pub(super) digest: [u8; 32],
}

impl Keys {
    /// DKG 5.1: public keys of validators and shares from the summed commitments.
    pub(super) fn new(context: &Context, summed: Summed) -> Self {
        let group = summed.commitments.group_keys();
        let share_keys: Vec<Vec<bls::PublicKey>> =
            ShareIndex::all(context.threshold()).map(|index| summed.commitments.share_keys(index)).collect();
        let mut hash = TaggedHash::new("cluster-node/dkg/keys/1").bytes(&context.ceremony_id().0);
        for key in group.iter().chain(share_keys.iter().flatten()) {
            hash = hash.bytes(&key.to_bytes());
        }
        Self { qualified: summed.qualified, shares: summed.shares, group, share_keys, digest: hash.finish() }
    }
}
