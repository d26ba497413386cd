//! What a run did, and what led to a violation.

use super::chain::{EPOCH_SLOTS, SLOT_MS};
use super::checker::{Made, Signatory, Violation};
use super::engine::Simulation;
use super::{since_start, Outcome, Story};
use crate::machine::Time;

/// Lines of a story.
const STORY_LINES: usize = 60;

impl Simulation {
    pub(super) fn outcome(mut self) -> Outcome {
        let violations = std::mem::take(&mut self.checker.violations);
        Outcome {
            seed: self.seed,
            votes: self.checker.votes,
            blocks: self.checker.blocks,
            partials: self.checker.partials,
            duties: u64::from(self.plan.per_slot) * EPOCH_SLOTS * self.plan.epochs,
            branches: self.chain.branches(),
            slashable: self.checker.slashable,
            validators_slashable: self.checker.of_validators,
            violations: violations.into_iter().map(|violation| self.story(violation)).collect(),
            ..self.outcome
        }
    }

    /// What the nodes of a violation did from just before its first message on.
    fn story(&self, violation: Violation) -> Story {
        let (Made { at: first, .. }, Made { at: second, .. }) = (violation.first, violation.second);
        let concerns = |node: usize| match violation.signatory {
            Signatory::Validator => true,
            Signatory::Share(id) => self.nodes[node].id == id,
        };
        let span = Time(first.0.saturating_sub(SLOT_MS))..=second;
        let told = self.notes.iter().filter(|(at, node, _)| span.contains(at) && concerns(*node));
        let told: Vec<String> =
            told.map(|(at, node, text)| format!("{:>8} ms  node {node} {text}", since_start(*at))).collect();
        let skipped = told.len().saturating_sub(STORY_LINES);
        Story { violation, lines: told.into_iter().skip(skipped).collect() }
    }
}
