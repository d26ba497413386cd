//! The validators that this operator holds shares of, by committee, with what the beacon chain says about them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cluster_core::beacon::ValidatorIndex;
use cluster_core::committee::{Committee, CommitteeError};
use cluster_core::duty::CommitteeId;
use cluster_crypto::bls;
use cluster_crypto::ethereum::Address;

use crate::beacon::{Beacon, BeaconError, ValidatorStatus};
use crate::signer::Pubkey;
use crate::store::{Source, ValidatorEntry};

/// A validator that the beacon chain knows.
#[derive(Debug)]
pub(crate) struct Validator {
    pub(crate) pubkey: Pubkey,
    pub(crate) key: bls::PublicKey,
    /// By share index.
    pub(crate) share_keys: Arc<[bls::PublicKey]>,
    pub(crate) committee: CommitteeId,
    pub(crate) fee_recipient: Address,
    pub(crate) gas_limit: u64,
    pub(crate) index: ValidatorIndex,
    pub(crate) status: ValidatorStatus,
    /// Its key was whole once, somewhere.
    pub(crate) had_another_life: bool,
}

impl Validator {
    /// Whether it has duties now, or will without anything else happening.
    pub(crate) fn is_active(&self) -> bool {
        self.status.status.is_active()
    }

    /// Whether it proposes blocks, or will.
    pub(crate) fn may_propose(&self) -> bool {
        self.status.status.is_pending() || self.is_active()
    }
}

/// The validators of one committee.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) id: CommitteeId,
    pub(crate) committee: Arc<Committee>,
    pub(crate) validators: BTreeMap<Pubkey, Arc<Validator>>,
}

/// All validators of this operator that the chain knows, at one time.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    pub(crate) groups: BTreeMap<CommitteeId, Arc<Group>>,
    by_pubkey: HashMap<Pubkey, Arc<Validator>>,
    /// Validators that hold a share here but are not on the chain yet.
    pub(crate) unknown: usize,
}

impl Roster {
    /// Asks the chain for every entry that is switched on.
    pub(crate) async fn read(
        entries: Vec<ValidatorEntry>,
        chain_id: u64,
        beacon: &dyn Beacon,
    ) -> Result<Self, BeaconError> {
        let entries: Vec<ValidatorEntry> = entries.into_iter().filter(|entry| entry.active).collect();
        let keys: Vec<Pubkey> = entries.iter().map(|entry| entry.pubkey.to_bytes()).collect();
        let statuses = if keys.is_empty() { Vec::new() } else { beacon.validators(&keys).await? };
        let mut statuses: HashMap<Pubkey, ValidatorStatus> =
            statuses.into_iter().map(|status| (status.pubkey, status)).collect();
        let mut roster = Self::default();
        let mut committees: HashMap<Vec<(cluster_core::committee::OperatorId, _)>, Arc<(CommitteeId, Committee)>> =
            HashMap::new();
        for entry in entries {
            let pubkey = entry.pubkey.to_bytes();
            let Some(status) = statuses.remove(&pubkey) else {
                roster.unknown += 1;
                continue;
            };
            let named = match committees.get(&entry.committee) {
                Some(named) => Arc::clone(named),
                None => {
                    let Ok(named) = name(chain_id, &entry) else {
                        tracing::error!(validator = %entry.pubkey, "the stored committee of validator {} is not a committee; its duties are not performed", entry.pubkey);
                        continue;
                    };
                    let named = Arc::new(named);
                    committees.insert(entry.committee.clone(), Arc::clone(&named));
                    named
                }
            };
            roster.add(&named, entry, status);
        }
        Ok(roster)
    }

    fn add(&mut self, named: &(CommitteeId, Committee), entry: ValidatorEntry, status: ValidatorStatus) {
        let (id, committee) = named;
        let pubkey = entry.pubkey.to_bytes();
        let validator = Arc::new(Validator {
            pubkey,
            key: entry.pubkey,
            share_keys: entry.share_pubkeys.into(),
            committee: *id,
            fee_recipient: entry.fee_recipient,
            gas_limit: entry.gas_limit,
            index: status.index,
            status,
            had_another_life: matches!(entry.source, Source::Split(_) | Source::Registered(_)),
        });
        let group = self.groups.entry(*id).or_insert_with(|| {
            Arc::new(Group { id: *id, committee: Arc::new(committee.clone()), validators: BTreeMap::new() })
        });
        // Nobody else holds the group while the roster is being read.
        if let Some(group) = Arc::get_mut(group) {
            group.validators.insert(pubkey, Arc::clone(&validator));
        }
        self.by_pubkey.insert(pubkey, validator);
    }

    pub(crate) fn get(&self, pubkey: &Pubkey) -> Option<&Arc<Validator>> {
        self.by_pubkey.get(pubkey)
    }

    pub(crate) fn group_of(&self, pubkey: &Pubkey) -> Option<&Arc<Group>> {
        self.groups.get(&self.get(pubkey)?.committee)
    }

    /// Validators with duties.
    pub(crate) fn active(&self) -> impl Iterator<Item = &Arc<Validator>> {
        self.by_pubkey.values().filter(|validator| validator.is_active())
    }

    /// Indices of the validators with duties, ascending.
    pub(crate) fn active_indices(&self) -> Vec<ValidatorIndex> {
        let mut indices: Vec<_> = self.active().map(|validator| validator.index).collect();
        indices.sort_unstable();
        indices
    }

    pub(crate) fn len(&self) -> usize {
        self.by_pubkey.len()
    }
}

fn name(chain_id: u64, entry: &ValidatorEntry) -> Result<(CommitteeId, Committee), CommitteeError> {
    let committee = Committee::new(entry.committee.clone())?;
    Ok((CommitteeId::new(chain_id, &committee), committee))
}
