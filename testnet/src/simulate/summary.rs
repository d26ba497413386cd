//! What many runs came to, by kind of fault.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::{Ending, Plan, Run};

/// The runs of a plan; the JSON of `--report`.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Size of the committee.
    pub operators: usize,
    /// Validators of each ceremony.
    pub validators: u32,
    /// First seed.
    pub from: u64,
    /// Runs that ended and kept all invariants.
    pub runs: u64,
    /// Of all runs together.
    pub total: Row,
    /// By kind of fault; a run with several kinds counts in each.
    pub kinds: BTreeMap<String, Row>,
}

/// Runs of one kind.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    /// How many.
    pub runs: u64,
    /// Ended with the attestations of all operators.
    pub ready: u64,
    /// Ended with keys and without the attestation of an operator that failed.
    pub incomplete: u64,
    /// Ended without keys.
    pub aborted: u64,
    /// Median of the virtual time until nothing was left to happen, in milliseconds.
    pub median_ms: u64,
    /// Messages sent by all operators, on average.
    pub mean_messages: u64,
    #[serde(skip)]
    elapsed_ms: Vec<u64>,
    #[serde(skip)]
    messages: u64,
}

impl Row {
    fn add(&mut self, run: &Run) {
        self.runs += 1;
        match run.ending {
            Ending::Ready => self.ready += 1,
            Ending::Incomplete => self.incomplete += 1,
            Ending::Aborted => self.aborted += 1,
        }
        let place = self.elapsed_ms.partition_point(|held| *held < run.elapsed_ms);
        self.elapsed_ms.insert(place, run.elapsed_ms);
        self.median_ms = self.elapsed_ms.get(self.elapsed_ms.len() / 2).copied().unwrap_or(0);
        self.messages += run.messages;
        self.mean_messages = self.messages / self.runs;
    }
}

impl Summary {
    /// No runs yet.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        Self {
            operators: plan.operators,
            validators: plan.validators,
            from: plan.from,
            runs: 0,
            total: Row::default(),
            kinds: BTreeMap::new(),
        }
    }

    /// Counts one run.
    pub fn add(&mut self, run: &Run) {
        self.runs += 1;
        self.total.add(run);
        for kind in run.schedule.kinds() {
            self.kinds.entry(kind.clone()).or_default().add(run);
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "{:<36} {:>6} {:>6} {:>10} {:>7} {:>12} {:>9}",
            "fault", "runs", "ready", "incomplete", "aborted", "median ms", "messages"
        )?;
        for (name, row) in self.kinds.iter().map(|(name, row)| (name.as_str(), row)).chain([("all runs", &self.total)])
        {
            writeln!(
                out,
                "{name:<36} {:>6} {:>6} {:>10} {:>7} {:>12} {:>9}",
                row.runs, row.ready, row.incomplete, row.aborted, row.median_ms, row.mean_messages
            )?;
        }
        Ok(())
    }
}
