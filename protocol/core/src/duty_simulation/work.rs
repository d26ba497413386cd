//! From a decision to a partial, step by step, as the node's signer does it; and the nodes that are not to be trusted.

use std::sync::Arc;

use super::chain::{slot_at, EPOCH_SLOTS, FIRST_EPOCH, SLOT_MS};
use super::checker::{Made, Signed};
use super::engine::{Event, Simulation};
use super::value::{self, Content};
use crate::beacon::Root;
use crate::judgement::short;
use crate::slashing::Refusal;

/// Validators that a compromised node asks about at once.
const HOSTILE_BATCH: u64 = 64;

/// The next step of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The history is checked and the message recorded, in one write.
    Record,
    /// The disk is flushed.
    Flush,
    /// The share signs.
    Sign,
    /// The partials leave.
    Send,
}

/// A message that is to be signed for validators.
pub(super) struct Job {
    content: Content,
    root: Root,
    validators: Arc<[u32]>,
    /// Those for which slashing protection allows it.
    cleared: Vec<u32>,
    step: Step,
}

impl Job {
    pub(super) fn new(content: Content, validators: Arc<[u32]>) -> Self {
        let root = content.root();
        Self { content, root, validators, cleared: Vec::new(), step: Step::Record }
    }

    fn signed(&self) -> Signed {
        match &self.content {
            Content::Vote(data) => {
                Signed::Vote { source: data.source.epoch.0, target: data.target.epoch.0, root: self.root }
            }
            Content::Block(header) => Signed::Block { slot: header.slot, root: self.root },
        }
    }
}

impl Simulation {
    pub(super) fn begin_work(&mut self, node: usize, job: Job) {
        let life = self.nodes[node].life;
        let at = self.now.plus_ms(self.draw(5));
        self.at(at, Event::Work { node, life, job: Box::new(job) });
    }

    /// One step of a job, unless the process is killed before it.
    pub(super) fn work(&mut self, node: usize, mut job: Box<Job>) {
        let name = match job.step {
            Step::Record => "check and record",
            Step::Flush => "the flush of slashing protection",
            Step::Sign => "signing",
            Step::Send => "sending partials",
        };
        if self.draw(1_000) < self.faults.crash_in_signing {
            return self.crash(node, name);
        }
        job.step = match job.step {
            Step::Record => {
                self.record(node, &mut job);
                Step::Flush
            }
            Step::Flush => {
                self.nodes[node].disk.flush();
                Step::Sign
            }
            Step::Sign => {
                self.sign(node, &job);
                Step::Send
            }
            Step::Send => {
                let operator = self.nodes[node].operator;
                job.cleared.iter().for_each(|validator| self.checker.send(operator, *validator, job.signed()));
                return;
            }
        };
        let at = self.now.plus_ms(self.draw(30));
        let life = self.nodes[node].life;
        self.at(at, Event::Work { node, life, job });
    }

    fn record(&mut self, node: usize, job: &mut Job) {
        let disk = &mut self.nodes[node].disk;
        let refused = match &job.content {
            Content::Vote(data) => {
                let (cleared, refused) = disk.attest(&job.validators, data.source.epoch, data.target.epoch, job.root);
                job.cleared = cleared;
                refused
            }
            Content::Block(header) => {
                let validator = job.validators.first().copied().unwrap_or(0);
                match disk.propose(validator, header.slot, job.root) {
                    Ok(()) => {
                        job.cleared = vec![validator];
                        Vec::new()
                    }
                    Err(refusal) => vec![(validator, refusal)],
                }
            }
        };
        for (_, refusal) in &refused {
            *self.outcome.refusals.entry(name(refusal)).or_default() += 1;
        }
        if !refused.is_empty() {
            let words = refused.first().map(|(validator, refusal)| format!("{validator}: {refusal}"));
            let count = refused.len();
            self.note(node, format!("refuses {} for {count}, first {}", job.signed(), words.unwrap_or_default()));
        }
    }

    /// The moment that counts: from here on partials exist.
    fn sign(&mut self, node: usize, job: &Job) {
        let held = &self.nodes[node];
        let (operator, life) = (held.operator, held.life);
        let made = Made { signed: job.signed(), at: self.now, node, life };
        for validator in &job.cleared {
            self.checker.sign(operator, *validator, made);
        }
        if !job.cleared.is_empty() {
            let few: Vec<String> = job.cleared.iter().take(4).map(u32::to_string).collect();
            let head = match &job.content {
                Content::Vote(data) => short(&data.beacon_block_root),
                Content::Block(header) => short(&header.parent_root),
            };
            let count = job.cleared.len();
            self.note(node, format!("signs {} on {head} for {count}: {}..", job.signed(), few.join(" ")));
        }
    }

    /// A compromised node asks its signer for something that no committee decided.
    pub(super) fn hostile(&mut self, node: usize) {
        let wait = 500 + self.draw(SLOT_MS);
        let slot = slot_at(self.now);
        if slot.0 >= (FIRST_EPOCH * EPOCH_SLOTS) + self.slots() {
            return;
        }
        let at = self.now.plus_ms(wait);
        self.at(at, Event::Hostile { node });
        if !self.nodes[node].up {
            return;
        }
        let mut rng = self.rng.clone();
        let validators = self.chain.attesters(self.nodes[node].beacon, self.now, slot);
        let content = match super::below(&mut rng, 3) {
            0 => Content::Block(value::some_block(self.eye(node), slot, &mut rng).header),
            _ => Content::Vote(value::some_vote(self.eye(node), slot, &mut rng)),
        };
        self.rng = rng;
        let validators: Arc<[u32]> = match &content {
            Content::Block(header) => Arc::from([header.proposer_index.0 as u32]),
            Content::Vote(_) => {
                let from = self.draw(validators.len() as u64) as usize;
                let count = 1 + self.draw(HOSTILE_BATCH) as usize;
                validators[from..].iter().take(count).copied().collect()
            }
        };
        self.begin_work(node, Job::new(content, validators));
    }
}

fn name(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::DoubleProposal { .. } => "double proposal",
        Refusal::SlotTooOld { .. } => "slot too old",
        Refusal::SourceAfterTarget { .. } => "source after target",
        Refusal::DoubleVote { .. } => "double vote",
        Refusal::Surrounds { .. } => "surrounds",
        Refusal::Surrounded { .. } => "surrounded",
        Refusal::SourceTooOld { .. } => "source too old",
        Refusal::TargetTooOld { .. } => "target too old",
    }
}
