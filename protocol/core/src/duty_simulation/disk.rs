//! An operator's disk: the slashing database and the journals of consensus. What was not flushed may be lost in a crash.
//!
//! Writes are made in order, each whole or not at all, as in the node's store. A crash keeps some of those that were not
//! flushed, always the older ones.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::beacon::{Epoch, Root, Slot};
use crate::consensus::Record;
use crate::duty::InstanceId;
use crate::slashing::{check_attestation, check_block, Block, Floors, History, Refusal, Vote};

/// The history of one validator.
#[derive(Clone, Debug, Default)]
struct Past {
    floors: Floors,
    /// Ascending by target.
    votes: Vec<Vote>,
    /// Ascending by slot.
    blocks: Vec<Block>,
}

impl History for Past {
    type Error = Infallible;

    fn floors(&self) -> Result<Floors, Infallible> {
        Ok(self.floors)
    }

    fn block(&self, slot: Slot) -> Result<Option<Block>, Infallible> {
        Ok(self.blocks.iter().find(|block| block.slot == slot).copied())
    }

    fn votes(&self, targets: RangeInclusive<Epoch>) -> impl Iterator<Item = Result<Vote, Infallible>> {
        let from = self.votes.partition_point(|vote| vote.target < *targets.start());
        let last = *targets.end();
        self.votes[from..].iter().take_while(move |vote| vote.target <= last).copied().map(Ok)
    }
}

/// What is on a disk.
#[derive(Clone, Debug, Default)]
struct Content {
    history: Vec<Past>,
    journals: BTreeMap<InstanceId, Vec<Record>>,
}

/// One write.
enum Write {
    /// Votes of one call, with the floors that they change.
    Votes(Vec<(u32, Option<Floors>)>, Vote),
    Block(u32, Option<Floors>, Block),
    Record(InstanceId, Record),
    /// Votes before the epoch, blocks and journals before its first slot.
    Prune(Epoch, Slot),
}

impl Content {
    fn past(&mut self, validator: u32) -> &mut Past {
        let at = validator as usize;
        if self.history.len() <= at {
            self.history.resize_with(at + 1, Past::default);
        }
        &mut self.history[at]
    }

    fn apply(&mut self, write: &Write) {
        match write {
            Write::Votes(validators, vote) => {
                for (validator, floors) in validators {
                    let past = self.past(*validator);
                    let at = past.votes.partition_point(|old| old.target <= vote.target);
                    past.votes.insert(at, *vote);
                    past.floors = floors.unwrap_or(past.floors);
                }
            }
            Write::Block(validator, floors, block) => {
                let past = self.past(*validator);
                let at = past.blocks.partition_point(|old| old.slot <= block.slot);
                past.blocks.insert(at, *block);
                past.floors = floors.unwrap_or(past.floors);
            }
            Write::Record(instance, record) => self.journals.entry(*instance).or_default().push(record.clone()),
            Write::Prune(epoch, slot) => {
                for past in &mut self.history {
                    let floors = past.votes.iter().filter(|vote| vote.target < *epoch);
                    past.floors = floors.fold(past.floors, |floors, vote| floors.above_vote(vote.source, vote.target));
                    let blocks = past.blocks.iter().filter(|block| block.slot < *slot);
                    past.floors = blocks.fold(past.floors, |floors, block| floors.above_block(block.slot));
                    past.votes.retain(|vote| vote.target >= *epoch);
                    past.blocks.retain(|block| block.slot >= *slot);
                }
                self.journals.retain(|instance, _| instance.slot >= *slot);
            }
        }
    }
}

/// A copy of what was durable at some moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Backup(Content);

/// How an operator's disk and protection work; all but the first are broken on purpose, to see that it is found out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Protection {
    #[default]
    Sound,
    /// Flushing does nothing.
    NoFlush,
    /// Everything is signed.
    NoCheck,
}

/// A disk.
#[derive(Default)]
pub(super) struct Disk {
    /// As the running process sees it.
    live: Content,
    durable: Content,
    unflushed: Vec<Arc<Write>>,
    protection: Protection,
}

impl Disk {
    pub(super) fn new(protection: Protection) -> Self {
        Self { protection, ..Self::default() }
    }

    fn write(&mut self, write: Write) {
        self.live.apply(&write);
        self.unflushed.push(Arc::new(write));
    }

    /// Checks a vote for each validator and writes it for those that may sign it: one write, as the node does. Returns these,
    /// and why others may not.
    pub(super) fn attest(
        &mut self,
        validators: &[u32],
        source: Epoch,
        target: Epoch,
        root: Root,
    ) -> (Vec<u32>, Vec<(u32, Refusal)>) {
        if self.protection == Protection::NoCheck {
            return (validators.to_vec(), Vec::new());
        }
        let (mut cleared, mut refused, mut new) = (Vec::with_capacity(validators.len()), Vec::new(), Vec::new());
        for validator in validators {
            let Ok(answer) = check_attestation(&*self.live.past(*validator), source, target, root);
            match answer {
                Ok(safe) => {
                    cleared.push(*validator);
                    if !safe.is_repeat() {
                        new.push((*validator, safe.floors()));
                    }
                }
                Err(refusal) => refused.push((*validator, refusal)),
            }
        }
        if !new.is_empty() {
            self.write(Write::Votes(new, Vote { source, target, signing_root: Some(root) }));
        }
        (cleared, refused)
    }

    /// The same for a block of one validator.
    pub(super) fn propose(&mut self, validator: u32, slot: Slot, root: Root) -> Result<(), Refusal> {
        if self.protection == Protection::NoCheck {
            return Ok(());
        }
        let Ok(answer) = check_block(&*self.live.past(validator), slot, root);
        let safe = answer?;
        if !safe.is_repeat() {
            self.write(Write::Block(validator, safe.floors(), Block { slot, signing_root: Some(root) }));
        }
        Ok(())
    }

    pub(super) fn append(&mut self, instance: InstanceId, record: Record) {
        self.write(Write::Record(instance, record));
    }

    pub(super) fn prune(&mut self, epoch: Epoch, slot: Slot) {
        self.write(Write::Prune(epoch, slot));
    }

    pub(super) fn journal(&self, instance: &InstanceId) -> Vec<Record> {
        self.live.journals.get(instance).cloned().unwrap_or_default()
    }

    pub(super) fn flush(&mut self) {
        if self.protection != Protection::NoFlush {
            self.keep(self.unflushed.len());
        }
    }

    fn keep(&mut self, count: usize) {
        for write in self.unflushed.drain(..count) {
            self.durable.apply(&write);
        }
    }

    /// How many writes a crash may lose.
    pub(super) fn unflushed(&self) -> usize {
        self.unflushed.len()
    }

    /// The process is gone. Of the writes that were not flushed the first `kept` had reached the disk all the same.
    pub(super) fn crash(&mut self, kept: usize) {
        if self.protection != Protection::NoFlush {
            self.keep(kept.min(self.unflushed.len()));
        }
        self.unflushed.clear();
        self.live = self.durable.clone();
    }

    pub(super) fn backup(&self) -> Backup {
        Backup(self.durable.clone())
    }

    /// What nobody should ever do.
    pub(super) fn restore(&mut self, backup: &Backup) {
        self.unflushed.clear();
        self.durable = backup.0.clone();
        self.live = backup.0.clone();
    }
}
