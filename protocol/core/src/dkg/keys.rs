//! From dealings to keys (DKG 4.3 and 5.1): sums over dealers first, then one check for all K validators.

use std::collections::BTreeMap;

use cluster_crypto::{bls, feldman::Commitments, hash::TaggedHash, polynomial::SecretVector, SecretSeed, ShareIndex};

use super::{
    context::Context,
    dealing::{derived_rng, Held},
    message::{qualified_digest, Qualified},
};
use crate::committee::OperatorId;

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

/// Shares that were rebuilt from what other receivers revealed, by dealing.
pub(super) type Rebuilt = BTreeMap<[u8; 32], SecretVector>;

/// DKG 4.3: adds up the dealings of `set` and checks the sum once; only when that fails, every dealer by itself.
///
/// # Errors
/// The dealers that are to blame, with what was found. Empty when the sum fails though every part is right, which
/// cannot happen short of a fault of this machine.
pub(super) fn sum(
    context: &Context,
    me: ShareIndex,
    seed: &SecretSeed,
    set: &BTreeMap<OperatorId, &Held>,
    rebuilt: &Rebuilt,
) -> Result<Summed, Vec<(OperatorId, Finding)>> {
    let qualified: Qualified = set.iter().map(|(dealer, held)| (*dealer, held.digest)).collect();
    let mut rng = derived_rng(seed, "check", &[&context.ceremony_id().0, &qualified_digest(&qualified)]);
    let mut shares = SecretVector::zero(context.k());
    let mut unopened = Vec::new();
    for (dealer, held) in set {
        let added = rebuilt.get(&held.digest).or(held.shares.as_ref().ok()).map(|part| shares.add(part));
        if !matches!(added, Some(Ok(()))) {
            unopened.push((*dealer, Finding::Share));
        }
    }
    if !unopened.is_empty() {
        return Err(unopened);
    }
    let parts: Vec<&Commitments> = set.values().map(|held| &held.commitments).collect();
    let Ok(commitments) = Commitments::sum(&parts) else { return Err(Vec::new()) };
    if commitments.check_subgroup(&mut rng) && commitments.verify_shares(me, &shares, &mut rng) {
        return Ok(Summed { qualified, commitments, shares });
    }
    Err(set
        .iter()
        .filter_map(|(dealer, held)| {
            let shares = rebuilt.get(&held.digest).or(held.shares.as_ref().ok())?;
            if !held.commitments.check_subgroup(&mut rng) {
                Some((*dealer, Finding::Subgroup))
            } else if !held.commitments.verify_shares(me, shares, &mut rng) {
                Some((*dealer, Finding::Share))
            } else {
                None
            }
        })
        .collect())
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
