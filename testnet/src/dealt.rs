//! Shares of validators in the databases of a committee, as if a ceremony had put them there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cluster_core::ceremony::CeremonyId;
use cluster_core::committee::OperatorId;
use cluster_core::dkg::StoredShares;
use cluster_crypto::bls::PublicKey;
use cluster_crypto::polynomial::Polynomials;
use cluster_crypto::{identity, ShareIndex, Threshold};
use cluster_node::store::{Source, Store, StoreError, ValidatorEntry, DEFAULT_GAS_LIMIT};
use rand_core::CryptoRngCore;

use crate::virtual_chain::committee::FEE_RECIPIENT;

const CEREMONY: CeremonyId = CeremonyId([1; 32]);

/// What everybody may know of the keys.
pub(crate) struct Dealt {
    /// The validators' keys.
    pub(crate) groups: Vec<PublicKey>,
    /// For each validator, the keys of its shares in the order of the committee.
    pub(crate) share_keys: Vec<Arc<[PublicKey]>>,
    /// The data folder of each operator, in the order of the committee.
    pub(crate) stores: Vec<PathBuf>,
}

impl Dealt {
    /// Makes keys and gives every operator its shares, in a database of its own below `dir`.
    pub(crate) fn new(
        identities: &BTreeMap<OperatorId, identity::SecretKey>,
        threshold: Threshold,
        validators: usize,
        dir: &Path,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Self, StoreError> {
        let polynomials = Polynomials::sample(validators, threshold, rng);
        let commitments = polynomials.commit();
        let groups = commitments.group_keys();
        let committee: Vec<_> = identities.iter().map(|(id, key)| (*id, key.public_key())).collect();
        let by_operator: Vec<Vec<PublicKey>> =
            ShareIndex::all(threshold).map(|index| commitments.share_keys(index)).collect();
        let of_validator = |at: usize| by_operator.iter().filter_map(|keys| keys.get(at)).copied().collect();
        let share_keys: Vec<Arc<[PublicKey]>> = (0..validators).map(of_validator).collect();
        let mut stores = Vec::with_capacity(identities.len());
        for ((id, identity), (share_index, own)) in identities.iter().zip(ShareIndex::all(threshold).zip(&by_operator))
        {
            let data_dir = dir.join(format!("operator-{id}"));
            let shares = StoredShares {
                ceremony_id: CEREMONY,
                operator_id: *id,
                share_index,
                validators: groups.clone(),
                share_pubkeys: own.clone(),
                shares: polynomials.shares_for(share_index),
                qualified: Vec::new(),
            };
            let entries: Vec<ValidatorEntry> = (0..)
                .zip(groups.iter().zip(&share_keys))
                .map(|(position, (pubkey, keys))| entry(position, *pubkey, &committee, share_index, keys))
                .collect();
            Store::open(&data_dir, identity)?.import_shares(&shares, &entries)?;
            stores.push(data_dir);
        }
        Ok(Self { groups, share_keys, stores })
    }
}

fn entry(
    position: u32,
    pubkey: PublicKey,
    committee: &[(OperatorId, identity::PublicKey)],
    share_index: ShareIndex,
    share_keys: &[PublicKey],
) -> ValidatorEntry {
    ValidatorEntry {
        pubkey,
        source: Source::Ceremony(CEREMONY),
        position,
        owner: None,
        committee: committee.to_vec(),
        share_index,
        share_pubkeys: share_keys.to_vec(),
        withdrawal_address: None,
        fee_recipient: FEE_RECIPIENT,
        gas_limit: DEFAULT_GAS_LIMIT,
        active: true,
    }
}
