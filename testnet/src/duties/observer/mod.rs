//! The chain as a bystander sees it: what it contains, who voted, who is paid, and every signed message on the way.

mod api;
mod events;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cluster_core::beacon::{Preset, Root};
use cluster_core::encoding::to_hex;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub use api::BlockView;
pub use state::StateView;

use super::checker::{Checker, Signatory, Votes};
use super::report::{EpochFigures, WrongRecipient};
use api::Api;
use events::Seen;

/// Events that wait to be looked at.
const BACKLOG: usize = 4_096;
/// So many wrong recipients are kept in full; all are counted.
const KEPT: usize = 100;

/// Why the chain cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum ObserverError {
    /// No client.
    #[error("the HTTP client cannot start: {reason}")]
    Client {
        /// Its words.
        reason: String,
    },
    /// No answer.
    #[error("{url}{path} does not answer: {reason}")]
    Call {
        /// The node.
        url: String,
        /// The question.
        path: String,
        /// What was seen.
        reason: String,
    },
    /// An answer that cannot be read.
    #[error("the answer to {path} cannot be read: {reason}")]
    Malformed {
        /// The question.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A validator as the observer knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Public key, 0x hex.
    pub pubkey: String,
    /// Who is to be paid for its blocks.
    pub fee_recipient: [u8; 20],
}

/// Everything seen so far.
#[derive(Debug, Default)]
struct Memory {
    checker: Checker,
    head: u64,
    attested: BTreeMap<u64, BTreeSet<u64>>,
    blocks: BTreeSet<u64>,
    paid: BTreeSet<Root>,
    wrong: u64,
    wrong_recipients: Vec<WrongRecipient>,
    unseen_blocks: u64,
}

/// How the chain stands at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Newest slot with a block.
    pub head: u64,
    /// Slots with a block.
    pub blocks: u64,
    /// Validators whose attestation of the epoch was seen.
    pub attested: u64,
}

/// Watches a chain over all of its beacon nodes until it is dropped.
#[derive(Debug)]
pub struct Observer {
    api: Api,
    preset: Preset,
    validators: Arc<Vec<Watched>>,
    memory: Arc<Mutex<Memory>>,
    _tasks: JoinSet<()>,
}

/// What watching has found by its end.
#[derive(Debug)]
pub struct Findings {
    /// Has seen all messages of validators.
    pub checker: Checker,
    /// Blocks that pay somebody else.
    pub wrong_fee_recipient: u64,
    /// The first of them.
    pub wrong_recipients: Vec<WrongRecipient>,
}

impl Observer {
    /// Begins to watch. `validators` are those of the genesis state, in its order.
    pub fn start(urls: Vec<String>, preset: Preset, validators: Vec<Watched>) -> Result<Self, ObserverError> {
        let api = Api::new(urls.clone(), preset)?;
        let (memory, validators) = (Arc::<Mutex<Memory>>::default(), Arc::new(validators));
        let (sender, receiver) = mpsc::channel(BACKLOG);
        let mut tasks = JoinSet::new();
        for url in urls {
            tasks.spawn(events::follow(api.http().clone(), url, sender.clone()));
        }
        let slots_per_epoch = preset.slots_per_epoch();
        let watcher = Watcher {
            api: api.clone(),
            memory: Arc::clone(&memory),
            validators: Arc::clone(&validators),
            slots_per_epoch,
        };
        tasks.spawn(watcher.run(receiver));
        Ok(Self { api, preset, validators, memory, _tasks: tasks })
    }

    /// How the chain stands, with the attestations of one epoch.
    #[must_use]
    pub fn standing(&self, epoch: u64) -> Standing {
        let memory = lock(&self.memory);
        Standing {
            head: memory.head,
            blocks: memory.blocks.len() as u64,
            attested: memory.attested.get(&epoch).map_or(0, |seen| seen.len() as u64),
        }
    }

    /// Newest final epoch.
    pub async fn finalized(&self) -> Result<u64, ObserverError> {
        self.api.finalized().await
    }

    /// Software of the beacon node.
    pub async fn version(&self) -> Result<String, ObserverError> {
        self.api.version().await
    }

    /// Status of a validator, as the beacon node names it, and its first epoch without duties.
    pub async fn status(&self, index: u64) -> Result<(String, u64), ObserverError> {
        self.api.status(index).await
    }

    /// The figures of an epoch, once the next one has ended as well.
    pub async fn epoch(&self, epoch: u64) -> Result<EpochFigures, ObserverError> {
        let slots_per_epoch = self.preset.slots_per_epoch();
        // The slot of genesis has no proposer.
        let first = (epoch * slots_per_epoch).max(1);
        let slots = first..(epoch + 1) * slots_per_epoch;
        let mut figures = EpochFigures { epoch, slots: slots.end - slots.start, ..EpochFigures::default() };
        let mut sync_bits = 0;
        for slot in slots {
            let Some(block) = self.api.block_of_slot(slot).await? else {
                figures.empty_slots.push(slot);
                continue;
            };
            figures.blocks += 1;
            figures.builder_blocks += u64::from(block.is_built);
            sync_bits += block.sync_bits;
        }
        figures.sync = fraction(sync_bits, figures.blocks * self.preset.sync_committee_size());
        let state = self.api.state((epoch + 2) * slots_per_epoch - 1).await?;
        if state.slot / slots_per_epoch != epoch + 1 {
            // The whole next epoch has no block: nothing can have been included.
            figures.without_target = (0..self.validators.len() as u64).collect();
            return Ok(figures);
        }
        let expected: Vec<(u64, u8)> = state.expected(epoch).collect();
        let with = |bit: u8| expected.iter().filter(|(_, flags)| flags >> bit & 1 == 1).count() as u64;
        let count = expected.len() as u64;
        (figures.source, figures.target, figures.head) =
            (fraction(with(0), count), fraction(with(1), count), fraction(with(2), count));
        figures.without_target = expected.iter().filter(|(_, flags)| flags & 2 == 0).map(|(index, _)| *index).collect();
        Ok(figures)
    }

    /// Ends watching.
    #[must_use]
    pub fn finish(self) -> Findings {
        drop(self._tasks);
        let memory = std::mem::take(&mut *lock(&self.memory));
        Findings {
            checker: memory.checker,
            wrong_fee_recipient: memory.wrong,
            wrong_recipients: memory.wrong_recipients,
        }
    }
}

/// Looks at every event.
struct Watcher {
    api: Api,
    memory: Arc<Mutex<Memory>>,
    validators: Arc<Vec<Watched>>,
    slots_per_epoch: u64,
}

impl Watcher {
    async fn run(self, mut events: mpsc::Receiver<Seen>) {
        while let Some(event) = events.recv().await {
            match event {
                Seen::Attestation(single) => {
                    let index = single.attester_index.0;
                    let votes = Votes { source: single.data.source.epoch.0, target: single.data.target.epoch.0 };
                    let validator = self.name(index);
                    let mut memory = lock(&self.memory);
                    memory.checker.attestation(Signatory::Validator, &validator, votes, single.data.root());
                    let epoch = single.data.slot.0 / self.slots_per_epoch;
                    memory.attested.entry(epoch).or_default().insert(index);
                }
                Seen::Block { slot, root, imported } => self.block(slot, root, imported).await,
            }
        }
    }

    async fn block(&self, slot: u64, root: Root, imported: bool) {
        {
            let mut memory = lock(&self.memory);
            // Which block of a slot a proposer signed is all that matters: a slot has one proposer.
            memory.checker.block(Signatory::Validator, "the proposer of the slot", slot, root);
            if !imported {
                return;
            }
            memory.head = memory.head.max(slot);
            memory.blocks.insert(slot);
            if !memory.paid.insert(root) {
                return;
            }
        }
        let found = self.api.block_of_root(&root).await;
        let mut memory = lock(&self.memory);
        let Ok(Some(block)) = found else {
            memory.unseen_blocks += 1;
            tracing::warn!(slot, "the block {} of slot {slot} cannot be fetched", to_hex(&root));
            return;
        };
        let expected = usize::try_from(block.proposer_index).ok().and_then(|index| self.validators.get(index));
        let Some(expected) = expected.map(|validator| validator.fee_recipient) else { return };
        if block.fee_recipient != expected {
            memory.wrong += 1;
            if memory.wrong_recipients.len() < KEPT {
                memory.wrong_recipients.push(WrongRecipient {
                    slot: block.slot,
                    block_root: to_hex(&root),
                    proposer_index: block.proposer_index,
                    found: to_hex(&block.fee_recipient),
                    expected: to_hex(&expected),
                });
            }
        }
    }

    fn name(&self, index: u64) -> String {
        let known = usize::try_from(index).ok().and_then(|index| self.validators.get(index));
        known.map_or_else(|| format!("validator {index}"), |validator| validator.pubkey.clone())
    }
}

fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

fn fraction(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64
}
