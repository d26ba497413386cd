//! Schedules: what goes wrong in a run, drawn from its seed alone.

use std::collections::{BTreeMap, BTreeSet};

use cluster_core::{
    committee::OperatorId,
    dkg::{Behaviour, Step, Timing},
    simulation::{Faults, Partition},
};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

/// Patience of the machines: short enough that runs stay small, longer than the slowest link of a schedule.
pub const TIMING: Timing = Timing { step_ms: 2_000, retry_ms: 200, answer_ms: 50, ceremony_ms: 120_000 };

/// Longest partition, in milliseconds: it must heal while a ceremony still waits for a quorum.
const LONGEST_PARTITION_MS: u64 = 15_000;
/// Longest absence of an operator that counts as failed, in milliseconds: an hour.
const LONGEST_ABSENCE_MS: u64 = 3_600_000;
/// Longest restart of an operator that does not count as failed, in milliseconds.
const LONGEST_RESTART_MS: u64 = 3_000;

/// The faults of one run. At most f operators fail (misbehave, are away for long, or are killed for good); every other
/// fault heals. A link that never carries anything in one direction counts as the failure of one of its ends: the rest
/// may be just a quorum, which has to hear each other.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// From which everything follows.
    pub seed: u64,
    /// What the simulation is told.
    pub faults: Faults,
    gone: BTreeSet<OperatorId>,
    kinds: BTreeSet<String>,
}

impl Schedule {
    /// Draws the schedule of a seed for a committee with these ids.
    #[must_use]
    pub fn draw(seed: u64, ids: &[OperatorId]) -> Self {
        // Apart from the stream that the simulation itself draws from.
        let mut draw = Draw(ChaCha20Rng::seed_from_u64(seed ^ 0x7363_6865_6475_6c65));
        let mut schedule = Self { seed, faults: Faults::default(), gone: BTreeSet::new(), kinds: BTreeSet::new() };
        schedule.draw_links(&mut draw);
        schedule.draw_cuts(&mut draw, ids);
        schedule.draw_failures(&mut draw, ids);
        schedule.draw_restarts(&mut draw, ids);
        if schedule.kinds.is_empty() {
            schedule.name("latency only");
        }
        schedule
    }

    /// Operators that were killed for good.
    #[must_use]
    pub fn gone(&self) -> &BTreeSet<OperatorId> {
        &self.gone
    }

    /// The kinds of faults in it, for the summary.
    #[must_use]
    pub fn kinds(&self) -> &BTreeSet<String> {
        &self.kinds
    }

    fn name(&mut self, kind: impl Into<String>) {
        self.kinds.insert(kind.into());
    }

    fn draw_links(&mut self, draw: &mut Draw) {
        self.faults.min_latency_ms = draw.below(20);
        self.faults.max_latency_ms = self.faults.min_latency_ms + draw.one_of(&[0, 30, 200, 800]);
        self.faults.loss_permille = draw.one_of(&[0, 0, 50, 150, 250]);
        self.faults.duplicate_permille = draw.one_of(&[0, 0, 100, 300]);
        if self.faults.loss_permille > 0 {
            self.name("loss");
        }
        if self.faults.duplicate_permille > 0 {
            self.name("duplicates");
        }
    }

    fn draw_cuts(&mut self, draw: &mut Draw, ids: &[OperatorId]) {
        if draw.below(3) == 0 {
            for _ in 0..=draw.below(2) {
                let from_ms = draw.below(400);
                let until_ms = from_ms + 500 + draw.below(LONGEST_PARTITION_MS - 500);
                let side: BTreeSet<OperatorId> = ids.iter().copied().filter(|_| draw.below(2) == 0).collect();
                self.faults.partitions.push(Partition { from_ms, until_ms, side });
            }
            self.name("partition");
        }
    }

    fn draw_failures(&mut self, draw: &mut Draw, ids: &[OperatorId]) {
        let f = (ids.len() - 1) / 3;
        let failing = draw.below(f as u64 + 1) as usize;
        for id in draw.shuffled(ids).into_iter().take(failing) {
            match draw.below(4) {
                0 => {
                    self.faults.away.insert(id, 1_000 + draw.below(LONGEST_ABSENCE_MS));
                    self.name("away, then back");
                }
                1 => {
                    self.faults.crashes.push((id, draw.step(), None));
                    self.gone.insert(id);
                    self.name("killed for good");
                }
                _ => {
                    let behaviour = draw.one_of(&Behaviour::ALL);
                    self.faults.byzantine.insert(id, behaviour);
                    self.name(format!("byzantine: {behaviour}"));
                }
            }
        }
        if failing < f && draw.below(3) == 0 {
            let links = 1 + draw.below((f - failing) as u64) as usize;
            for pair in draw.shuffled(ids).chunks_exact(2).take(links) {
                self.faults.one_way.insert((pair[0], pair[1]));
            }
            self.name("one-way link");
        }
    }

    /// Kills with restarts, of operators that do not fail otherwise.
    fn draw_restarts(&mut self, draw: &mut Draw, ids: &[OperatorId]) {
        let mut count = draw.one_of(&[0u64, 0, 1, 2]);
        for id in draw.shuffled(ids) {
            let failed = self.gone.contains(&id)
                || self.faults.away.contains_key(&id)
                || self.faults.byzantine.contains_key(&id);
            if failed || count == 0 {
                continue;
            }
            count -= 1;
            self.faults.crashes.push((id, draw.step(), Some(10 + draw.below(LONGEST_RESTART_MS))));
            self.name("killed, then restarted");
        }
    }
}

struct Draw(ChaCha20Rng);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64() % bound.max(1)
    }

    fn one_of<T: Copy, const N: usize>(&mut self, choices: &[T; N]) -> T {
        // In range: the remainder is below N, and no list is empty.
        choices[(self.0.next_u64() % N as u64) as usize]
    }

    /// Commit is entered before a machine has done anything, so that nothing can be killed in it that was not away.
    fn step(&mut self) -> Step {
        self.one_of(&[Step::Deal, Step::Echo, Step::Verdicts, Step::Store, Step::Sign, Step::Certify])
    }

    fn shuffled(&mut self, ids: &[OperatorId]) -> Vec<OperatorId> {
        let keyed: BTreeMap<(u64, OperatorId), OperatorId> =
            ids.iter().map(|id| ((self.0.next_u64(), *id), *id)).collect();
        keyed.into_values().collect()
    }
}
