//! Duties of whole committees in virtual time, each run with the faults of its seed: `cluster_core::duty_simulation`, on all
//! cores, counted.

mod summary;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cluster_core::duty_simulation::{run, Control, Outcome, Plan};

pub use summary::Summary;

/// Which runs.
#[derive(Clone, Copy, Debug)]
pub struct Runs {
    /// Size of the committee: 4, 7, 10 or 13.
    pub operators: usize,
    /// Validators that attest in each slot.
    pub per_slot: u32,
    /// Epochs of eight slots of a run.
    pub epochs: u64,
    /// First seed.
    pub from: u64,
    /// Number of seeds.
    pub seeds: u64,
}

impl Runs {
    fn plan(&self) -> Plan {
        let Self { operators, per_slot, epochs, .. } = *self;
        Plan { operators, per_slot, epochs, control: Control::None }
    }

    /// The command that repeats one run.
    #[must_use]
    pub fn repeat_command(&self, seed: u64) -> String {
        let Self { operators, per_slot, epochs, .. } = self;
        format!(
            "cluster-testnet simulate --duties --operators {operators} --per-slot {per_slot} --epochs {epochs} --from {seed} --seeds 1"
        )
    }
}

/// Why runs ended early.
#[derive(Debug, thiserror::Error)]
pub enum DutiesError {
    /// The plan makes no sense.
    #[error("these duties cannot be simulated: {0}")]
    Plan(String),
    /// Something slashable was signed.
    #[error("seed {}: {} slashable pairs of messages were signed", .0.seed, .0.slashable)]
    Slashable(Box<Outcome>),
}

impl DutiesError {
    /// The violations and what led to them, in lines.
    #[must_use]
    pub fn story(&self) -> Vec<String> {
        let Self::Slashable(outcome) = self else { return Vec::new() };
        let tell = |story: &cluster_core::duty_simulation::Story| {
            let lines = story.lines.iter().map(|line| format!("    {line}"));
            std::iter::once(story.violation.to_string()).chain(lines).collect::<Vec<_>>()
        };
        outcome.violations.iter().take(3).flat_map(tell).collect()
    }
}

/// Runs all seeds on all cores; `progress` hears the number of finished runs. Stops at the first slashable message, the one
/// with the smallest seed among those that were running.
///
/// # Errors
/// Something slashable was signed, or the plan is not possible.
pub fn run_all(runs: &Runs, progress: &(dyn Fn(u64) + Sync)) -> Result<Summary, DutiesError> {
    let (next, done, stop) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let summary = Mutex::new(Summary::new(runs));
    let failures: Mutex<Vec<(u64, DutiesError)>> = Mutex::default();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let plan = runs.plan();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| loop {
                let turn = next.fetch_add(1, Ordering::Relaxed);
                if turn >= runs.seeds || stop.load(Ordering::Relaxed) {
                    return;
                }
                let seed = runs.from.wrapping_add(turn);
                let failure = match run(&plan, seed) {
                    Err(reason) => Some(DutiesError::Plan(reason)),
                    Ok(outcome) if outcome.slashable > 0 => Some(DutiesError::Slashable(Box::new(outcome))),
                    Ok(outcome) => {
                        lock(&summary).add(&outcome);
                        None
                    }
                };
                if let Some(failure) = failure {
                    stop.store(true, Ordering::Relaxed);
                    lock(&failures).push((seed, failure));
                }
                progress(done.fetch_add(1, Ordering::Relaxed) + 1);
            });
        }
    });
    let failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    match failures.into_iter().min_by_key(|(seed, _)| *seed) {
        Some((_, failure)) => Err(failure),
        None => Ok(summary.into_inner().unwrap_or_else(PoisonError::into_inner)),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
