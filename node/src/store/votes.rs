//! Votes of consensus instances, in the order in which they were made.

use cluster_core::beacon::Slot;
use cluster_core::duty::{InstanceId, InstanceKind};

use super::{Store, StoreError};

/// In the tree `meta`: the first slot whose votes were never removed, big-endian.
const FLOOR: &str = "votes_floor";
/// Slot, kind and committee.
const PREFIX_LEN: usize = 8 + 1 + 32;

impl Store {
    /// Adds a record to those of an instance; durable after [`Store::flush`].
    pub fn append_vote(&self, instance: &InstanceId, record: &[u8]) -> Result<(), StoreError> {
        self.check_open()?;
        let prefix = prefix(instance);
        loop {
            let last = self.votes.scan_prefix(prefix).keys().next_back().transpose()?;
            let next = last.map_or(Ok(0), |key| position(&key).map(|last| last.saturating_add(1)))?;
            let key = [&prefix[..], &next.to_be_bytes()].concat();
            // Another writer of the same instance would have taken the place; there is none, but no vote may be lost.
            if self.votes.compare_and_swap(key, None as Option<&[u8]>, Some(record))?.is_ok() {
                return Ok(());
            }
        }
    }

    /// All records of an instance, in order.
    pub fn votes(&self, instance: &InstanceId) -> Result<Vec<Vec<u8>>, StoreError> {
        let values = self.votes.scan_prefix(prefix(instance)).values();
        values.map(|value| Ok(value?.to_vec())).collect()
    }

    /// Removes the records of all instances of slots before this one. The floor is on disk before the first is removed.
    pub fn prune_votes(&self, before: Slot) -> Result<(), StoreError> {
        self.check_open()?;
        if before <= self.votes_floor()? {
            return Ok(());
        }
        self.meta.insert(FLOOR, &before.0.to_be_bytes())?;
        self.flush()?;
        for key in self.votes.range(..before.0.to_be_bytes()).keys() {
            self.votes.remove(key?)?;
        }
        Ok(())
    }

    /// The first slot whose records were never removed; slot 0 when none were.
    pub fn votes_floor(&self) -> Result<Slot, StoreError> {
        self.meta.get(FLOOR)?.map_or(Ok(Slot(0)), |bytes| floor(&bytes))
    }
}

fn floor(bytes: &[u8]) -> Result<Slot, StoreError> {
    let bytes = <[u8; 8]>::try_from(bytes).map_err(|_| StoreError::Corrupt { what: "the floor of votes" })?;
    Ok(Slot(u64::from_be_bytes(bytes)))
}

/// Big-endian and the slot first, so that old slots lie together.
fn prefix(instance: &InstanceId) -> [u8; PREFIX_LEN] {
    let mut key = [0u8; PREFIX_LEN];
    key[..8].copy_from_slice(&instance.slot.0.to_be_bytes());
    key[8] = match instance.kind {
        InstanceKind::Attestation => 0,
        InstanceKind::Aggregation => 1,
        InstanceKind::Proposal => 2,
    };
    key[9..].copy_from_slice(&instance.committee.0);
    key
}

fn position(key: &[u8]) -> Result<u64, StoreError> {
    let bytes = key.get(PREFIX_LEN..).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
    bytes.map(u64::from_be_bytes).ok_or(StoreError::Corrupt { what: "the position of a vote" })
}
