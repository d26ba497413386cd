//! Facts with the way back: one undo record for each of the last blocks, and the events that could not be handled.

use super::{
    decode, BlockRef, Contract, Contracts, Entry, Event, EventId, FactKey, Facts, Header, Log, Occasion, Position,
    PubkeyBytes, Quarantined, Reason,
};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet, VecDeque};

/// Blocks that can be taken back.
pub const MAX_HISTORY: usize = 128;
/// Events that could not be handled and are kept; with at most 8 KiB each.
pub const MAX_QUARANTINE: usize = 4096;

/// A block that was taken in, and what takes it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockRecord {
    /// The block.
    pub block: BlockRef,
    /// The tip before it; `None` for the first block that was followed.
    pub parent: Option<BlockRef>,
    /// Former entries, in the order in which they were replaced.
    pub undo: Vec<Entry>,
}

/// What a store has to write, all of it or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The last block taken in; `None` before the first.
    pub tip: Option<BlockRef>,
    /// New values, one for each key that changed.
    pub changes: Vec<Entry>,
    /// A record to keep, in place of one with the same number.
    pub record: Option<BlockRecord>,
    /// Numbers of blocks whose records are not needed any more.
    pub dropped: Vec<u64>,
    /// Events that could not be handled, and for which there was no room; to be logged.
    pub unkept: Vec<Quarantined>,
}

/// The facts at the tip of the chain as far as it was followed.
#[derive(Clone, Debug)]
pub struct Ledger {
    contracts: Contracts,
    facts: Facts,
    history: VecDeque<BlockRecord>,
    tip: Option<BlockRef>,
}

/// Effects of the logs of a block or a range.
#[derive(Default)]
struct Effects {
    undo: Vec<Entry>,
    unkept: Vec<Quarantined>,
}

impl Ledger {
    /// Nothing is known yet.
    pub fn new(contracts: Contracts) -> Self {
        Ledger { contracts, facts: Facts::default(), history: VecDeque::new(), tip: None }
    }

    /// From what a store holds: entries in any order, records ascending by number.
    pub fn restore(
        contracts: Contracts,
        entries: impl IntoIterator<Item = Entry>,
        records: Vec<BlockRecord>,
        tip: Option<BlockRef>,
    ) -> Self {
        let mut ledger = Ledger { contracts, facts: Facts::default(), history: records.into(), tip };
        for entry in entries {
            let _former = ledger.facts.set(entry);
        }
        ledger
    }

    /// What holds at the tip.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The contracts that are followed.
    pub fn contracts(&self) -> &Contracts {
        &self.contracts
    }

    /// The last block taken in.
    pub fn tip(&self) -> Option<BlockRef> {
        self.tip
    }

    /// The block with this number, if it was taken in and can be taken back.
    pub fn known(&self, number: u64) -> Option<BlockRef> {
        if let Some(tip) = self.tip.filter(|tip| tip.number == number) {
            return Some(tip);
        }
        self.history.iter().rev().map(|record| record.block).find(|block| block.number == number)
    }

    /// Takes one block in: the child of the tip, with all logs of the contracts in it, in their order.
    pub fn append(&mut self, header: &Header, logs: &[Log]) -> Commit {
        let effects = self.fold(logs, |_| header.time_s);
        let record = BlockRecord { block: header.block, parent: self.tip, undo: effects.undo.clone() };
        self.history.push_back(record.clone());
        let mut dropped = Vec::new();
        while self.history.len() > MAX_HISTORY {
            dropped.extend(self.history.pop_front().map(|old| old.block.number));
        }
        self.tip = Some(header.block);
        self.commit(effects, Some(record), dropped)
    }

    /// Takes many old blocks in that nobody will take back, up to `end`. `time_s` gives the times of the blocks whose
    /// requests need it.
    pub fn append_range(&mut self, end: BlockRef, logs: &[Log], time_s: impl Fn(u64) -> u64) -> Commit {
        let effects = self.fold(logs, time_s);
        let dropped = self.history.drain(..).map(|record| record.block.number).collect();
        self.tip = Some(end);
        self.commit(effects, None, dropped)
    }

    /// Takes the last block back; `None` when it is too old for that.
    pub fn roll_back(&mut self) -> Option<Commit> {
        let record = self.history.pop_back()?;
        let number = record.block.number;
        let mut effects = Effects::default();
        for entry in record.undo.iter().rev().cloned() {
            effects.undo.push(self.facts.set(entry));
        }
        self.tip = record.parent;
        Some(self.commit(effects, None, vec![number]))
    }

    /// Tries events again that an older version could not read.
    pub fn retry(&mut self) -> Option<Commit> {
        let mut effects = Effects::default();
        self.retry_some(Reason::Malformed, &mut effects);
        if effects.undo.is_empty() {
            return None;
        }
        let record = self.history.back_mut().map(|record| {
            record.undo.extend(effects.undo.iter().cloned());
            record.clone()
        });
        Some(self.commit(effects, record, Vec::new()))
    }

    fn commit(&self, effects: Effects, record: Option<BlockRecord>, dropped: Vec<u64>) -> Commit {
        let mut seen: HashSet<FactKey> = HashSet::new();
        let mut changes = Vec::new();
        for former in &effects.undo {
            let key = former.key();
            if seen.insert(key) {
                changes.push(self.facts.entry(&key).unwrap_or_else(|| former.cleared()));
            }
        }
        Commit { tip: self.tip, changes, record, dropped, unkept: effects.unkept }
    }

    fn fold(&mut self, logs: &[Log], time_s: impl Fn(u64) -> u64) -> Effects {
        let mut effects = Effects::default();
        for (log, id) in logs.iter().zip(self.contracts.event_ids(logs)) {
            let Some(contract) = self.contracts.which(&log.contract) else { continue };
            match decode(contract, log) {
                Ok(None) => {}
                Ok(Some(event)) => {
                    let time_s = match event {
                        Event::DepositDataRequested(_) => time_s(log.block.number),
                        _ => 0,
                    };
                    self.take(contract, log, id, time_s, &event, &mut effects);
                }
                Err(error) => self.keep(Quarantined::malformed(contract, id, log, &error), &mut effects),
            }
        }
        effects
    }

    fn take(&mut self, contract: Contract, log: &Log, id: EventId, time_s: u64, event: &Event, effects: &mut Effects) {
        let occasion = Occasion { event: id, position: log.position(), time_s };
        if let Err(refusal) = self.facts.apply(&occasion, event, &mut effects.undo) {
            return self.keep(Quarantined::refused(contract, id, log, time_s, &refusal), effects);
        }
        // What others may have waited for. Done here and not at the end of the block, so that the result does not depend
        // on how many blocks were asked for at once.
        if matches!(event, Event::OperatorRegistered(_) | Event::ClusterNodeRegistered { .. }) {
            self.retry_some(Reason::Waits, effects);
        }
    }

    fn keep(&mut self, event: Quarantined, effects: &mut Effects) {
        if self.facts.quarantine().len() >= MAX_QUARANTINE {
            effects.unkept.push(event);
            return;
        }
        effects.undo.push(self.facts.set(Entry::Quarantine(event.position, Some(Box::new(event)))));
    }

    /// Tries kept events again, in the order of the chain.
    fn retry_some(&mut self, reason: Reason, effects: &mut Effects) {
        let waiting: Vec<Quarantined> =
            self.facts.quarantine().filter(|event| event.reason == reason).cloned().collect();
        // Validators whose registration came to act only now: what their owners said after it acts too.
        let mut late: HashSet<PubkeyBytes> = HashSet::new();
        for kept in waiting {
            let Some(log) = kept.log() else { continue };
            let Ok(Some(event)) = decode(kept.contract, &log) else { continue };
            if self.may_act_late(kept.position, &event, &late) {
                self.act_late(&kept, &log, &event, &mut late, effects);
            }
        }
    }

    /// Nothing that the chain said since may be overtaken by what acts late.
    fn may_act_late(&self, position: Position, event: &Event, late: &HashSet<PubkeyBytes>) -> bool {
        match event {
            Event::ValidatorRegistered(registered) => match self.facts.validator(&registered.pubkey) {
                Some(newer) => newer.registered_at < position && newer.removed_at < Some(position),
                None => true,
            },
            Event::ValidatorRemoved { pubkey, .. } => late.contains(pubkey),
            Event::ExitRequested(requested) => requested.pubkeys.iter().any(|pubkey| late.contains(pubkey)),
            _ => true,
        }
    }

    fn act_late(
        &mut self,
        kept: &Quarantined,
        log: &Log,
        event: &Event,
        late: &mut HashSet<PubkeyBytes>,
        effects: &mut Effects,
    ) {
        let occasion = Occasion { event: kept.event, position: kept.position, time_s: kept.time_s };
        match self.facts.apply(&occasion, event, &mut effects.undo) {
            Ok(()) => {
                if let Event::ValidatorRegistered(registered) = event {
                    late.insert(registered.pubkey);
                }
                effects.undo.push(self.facts.set(Entry::Quarantine(kept.position, None)));
            }
            Err(refusal) => {
                let again = Quarantined::refused(kept.contract, kept.event, log, kept.time_s, &refusal);
                if again != *kept {
                    effects.undo.push(self.facts.set(Entry::Quarantine(kept.position, Some(Box::new(again)))));
                }
            }
        }
    }
}

/// Numbers of the blocks whose times [`Ledger::append_range`] needs: those with requests.
pub(super) fn blocks_with_requests(contracts: &Contracts, logs: &[Log]) -> Vec<BlockRef> {
    let mut blocks: HashMap<u64, BlockRef> = HashMap::new();
    for log in logs {
        let Some(contract @ Contract::ClusterNode) = contracts.which(&log.contract) else { continue };
        if matches!(decode(contract, log), Ok(Some(Event::DepositDataRequested(_)))) {
            blocks.insert(log.block.number, log.block);
        }
    }
    let mut blocks: Vec<BlockRef> = blocks.into_values().collect();
    blocks.sort_by_key(|block| block.number);
    blocks
}
