//! The table of votes: what this operator has signed in each consensus instance.
//!
//! An operator that forgot a vote could sign a different one after a restart. So every record is written here and
//! flushed before the vote leaves, and a new start of the instance begins with what is found here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use cluster_core::beacon::Slot;
use cluster_core::duty::InstanceId;

use crate::store::{Store, StoreError};

/// Keeps votes. All calls may block on the disk.
pub trait Votes: Send + Sync + 'static {
    /// Adds one encoded record to those of an instance. It is durable after [`Votes::flush`].
    fn append(&self, instance: &InstanceId, record: &[u8]) -> Result<(), StoreError>;

    /// Makes all records durable.
    fn flush(&self) -> Result<(), StoreError>;

    /// All records of an instance, in order.
    fn load(&self, instance: &InstanceId) -> Result<Vec<Vec<u8>>, StoreError>;

    /// Forgets all instances of slots before this one, and raises the floor to it first.
    fn prune(&self, before: Slot) -> Result<(), StoreError>;

    /// The first slot whose votes were never forgotten. Below it this operator could vote a second time, so no instance
    /// there may be started again: also not after a restart with a clock that was set back.
    fn floor(&self) -> Result<Slot, StoreError>;

    /// Whether calls block, and so belong on a thread for it.
    fn blocks(&self) -> bool {
        true
    }
}

impl Votes for Store {
    fn append(&self, instance: &InstanceId, record: &[u8]) -> Result<(), StoreError> {
        self.append_vote(instance, record)
    }

    fn flush(&self) -> Result<(), StoreError> {
        Store::flush(self)
    }

    fn load(&self, instance: &InstanceId) -> Result<Vec<Vec<u8>>, StoreError> {
        self.votes(instance)
    }

    fn prune(&self, before: Slot) -> Result<(), StoreError> {
        self.prune_votes(before)
    }

    fn floor(&self) -> Result<Slot, StoreError> {
        self.votes_floor()
    }
}

/// Votes in memory, for simulations; clones share them. What was not flushed is lost in a crash, as on a disk.
#[derive(Clone, Debug, Default)]
pub struct MemoryVotes {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// With the number of records that are flushed.
    instances: BTreeMap<InstanceId, (Vec<Vec<u8>>, usize)>,
    flushes: u64,
    floor: Slot,
}

impl MemoryVotes {
    /// Forgets what was not flushed.
    pub fn crash(&self) {
        self.lock().instances.values_mut().for_each(|(records, flushed)| records.truncate(*flushed));
    }

    /// How often [`Votes::flush`] was called.
    #[must_use]
    pub fn flushes(&self) -> u64 {
        self.lock().flushes
    }

    /// The flushed records of an instance.
    #[must_use]
    pub fn durable(&self, instance: &InstanceId) -> Vec<Vec<u8>> {
        let state = self.lock();
        let held = state.instances.get(instance);
        held.map_or_else(Vec::new, |(records, flushed)| records[..*flushed].to_vec())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Votes for MemoryVotes {
    fn append(&self, instance: &InstanceId, record: &[u8]) -> Result<(), StoreError> {
        self.lock().instances.entry(*instance).or_default().0.push(record.to_vec());
        Ok(())
    }

    fn flush(&self) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.flushes += 1;
        state.instances.values_mut().for_each(|(records, flushed)| *flushed = records.len());
        Ok(())
    }

    fn load(&self, instance: &InstanceId) -> Result<Vec<Vec<u8>>, StoreError> {
        Ok(self.lock().instances.get(instance).map_or_else(Vec::new, |(records, _)| records.clone()))
    }

    fn prune(&self, before: Slot) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.floor = state.floor.max(before);
        state.instances.retain(|instance, _| instance.slot >= before);
        Ok(())
    }

    fn floor(&self) -> Result<Slot, StoreError> {
        Ok(self.lock().floor)
    }

    fn blocks(&self) -> bool {
        false
    }
}
