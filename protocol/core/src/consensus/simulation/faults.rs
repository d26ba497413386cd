//! What goes wrong in a simulated instance.

use std::collections::{BTreeMap, BTreeSet};

use crate::{committee::OperatorId, consensus::adversary::Behaviour, simulation::Partition};

/// What goes wrong in a run, and how fast things are.
#[derive(Clone, Debug)]
pub struct Faults {
    /// Shortest and longest latency of a message, in milliseconds. Messages overtake each other within the range.
    pub latency_ms: (u64, u64),
    /// Messages lost, of 1,000.
    pub loss_permille: u64,
    /// Messages delivered twice, of 1,000.
    pub duplicate_permille: u64,
    /// Times in which two sides do not hear each other.
    pub partitions: Vec<Partition>,
    /// Links that carry nothing from the first operator to the second.
    pub one_way: BTreeSet<(OperatorId, OperatorId)>,
    /// When loss, duplicates and one-way links end, in milliseconds after the start.
    pub heal_ms: u64,
    /// Operators that are killed before they perform their n-th effect (from 0, counted over restarts), and how many
    /// milliseconds later they are started again.
    pub crashes: Vec<(OperatorId, u64, u64)>,
    /// Operators whose machines start late, in milliseconds after the start.
    pub away: BTreeMap<OperatorId, u64>,
    /// Operators that have their input late, in milliseconds after the start; `u64::MAX` is never.
    pub input_ms: BTreeMap<OperatorId, u64>,
    /// How long a judge takes.
    pub judge_ms: u64,
    /// Operators that find nothing valid but their own input.
    pub doubters: BTreeSet<OperatorId>,
    /// Operators that misbehave.
    pub byzantine: BTreeMap<OperatorId, Behaviour>,
    /// Bytes of a value.
    pub value_bytes: usize,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            latency_ms: (1, 20),
            loss_permille: 0,
            duplicate_permille: 0,
            partitions: Vec::new(),
            one_way: BTreeSet::new(),
            heal_ms: u64::MAX,
            crashes: Vec::new(),
            away: BTreeMap::new(),
            input_ms: BTreeMap::new(),
            judge_ms: 1,
            doubters: BTreeSet::new(),
            byzantine: BTreeMap::new(),
            value_bytes: 128,
        }
    }
}
