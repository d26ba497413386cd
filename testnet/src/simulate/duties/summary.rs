//! What all runs did together.

use std::collections::BTreeMap;
use std::fmt;

use cluster_core::duty_simulation::Outcome;
use serde::Serialize;

use super::Runs;

/// Sums over all runs.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// Size of the committee.
    pub operators: usize,
    /// Validators that attest in each slot.
    pub per_slot: u32,
    /// Runs.
    pub runs: u64,
    /// Attestation duties: one for each validator and epoch.
    pub duties: u64,
    /// Attestations that a quorum signed.
    pub votes: u64,
    /// Blocks that a quorum signed.
    pub blocks: u64,
    /// Different messages that shares signed.
    pub partials: u64,
    /// Branches of the chains.
    pub branches: u64,
    /// Kills, by the step that was not performed any more.
    pub crashes: BTreeMap<String, u64>,
    /// Kills that lost something written, but not flushed.
    pub lossy_crashes: u64,
    /// What slashing protection refused, by reason.
    pub refusals: BTreeMap<String, u64>,
    /// Slashable pairs of messages; a run with any is an error.
    pub slashable: u64,
}

impl Summary {
    pub(super) fn new(runs: &Runs) -> Self {
        Self { operators: runs.operators, per_slot: runs.per_slot, ..Self::default() }
    }

    /// Signed duties: attestations and blocks.
    #[must_use]
    pub const fn signed(&self) -> u64 {
        self.votes + self.blocks
    }

    pub(super) fn add(&mut self, outcome: &Outcome) {
        self.runs += 1;
        self.duties += outcome.duties;
        self.votes += outcome.votes;
        self.blocks += outcome.blocks;
        self.partials += outcome.partials;
        self.branches += outcome.branches as u64;
        self.lossy_crashes += outcome.lossy_crashes;
        self.slashable += outcome.slashable;
        for (sums, counts) in [(&mut self.crashes, &outcome.crashes), (&mut self.refusals, &outcome.refusals)] {
            for (name, count) in counts {
                *sums.entry((*name).to_owned()).or_default() += count;
            }
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, votes, blocks, duties, partials, branches, lossy_crashes, slashable, .. } = self;
        writeln!(out, "{runs} runs on {branches} branches of their chains")?;
        writeln!(out, "{votes} attestations of {duties} duties and {blocks} blocks signed, by {partials} partials")?;
        for (title, counts) in [("killed before", &self.crashes), ("refused", &self.refusals)] {
            for (name, count) in counts {
                writeln!(out, "{:<48} {count:>10}", format!("{title}: {name}"))?;
            }
        }
        writeln!(out, "{:<48} {lossy_crashes:>10}", "kills that lost writes")?;
        writeln!(out, "{:<48} {slashable:>10}", "slashable pairs of messages")
    }
}
