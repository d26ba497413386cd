//! Thousands of ceremonies in virtual time, each with faults drawn from a seed, and what must hold in all of them.
//!
//! | File | Part |
//! |---|---|
//! | `schedule.rs` | which faults a seed means |
//! | `invariants.rs` | safety and liveness |
//! | `summary.rs` | the table and the JSON report |
//! | `duties/` | duties of a committee instead of ceremonies: nothing slashable is signed |

pub mod duties;
pub mod invariants;
pub mod schedule;
pub mod summary;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Mutex;

use cluster_core::certificate::Readiness;
use cluster_core::simulation::{Faults, Simulation};

use invariants::{check_liveness, check_safety, culprits, Violation};
use schedule::{Schedule, TIMING};
use summary::Summary;

/// What to simulate.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Size of the committee: 4, 7, 10 or 13.
    pub operators: usize,
    /// Validators of each ceremony.
    pub validators: u32,
    /// First seed.
    pub from: u64,
    /// Number of seeds.
    pub seeds: u64,
}

/// How one run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All operators that are up attested everything.
    Ready,
    /// Keys, but some operators never attested.
    Incomplete,
    /// No keys. Never happens in a schedule that keeps its promise.
    Aborted,
}

/// One run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its faults.
    pub schedule: Schedule,
    /// How it ended.
    pub ending: Ending,
    /// Virtual time until nothing was left to happen, in milliseconds.
    pub elapsed_ms: u64,
    /// Messages sent, by all operators.
    pub messages: u64,
}

/// A run that broke an invariant.
#[derive(Clone, Debug, thiserror::Error)]
#[error("seed {seed}: {violation}")]
pub struct Failure {
    /// The seed to repeat.
    pub seed: u64,
    /// What broke.
    pub violation: Violation,
    /// The kinds of faults in the run.
    pub kinds: Vec<String>,
    /// The faults in full, and how every operator ended, for whoever looks into it.
    pub details: Vec<String>,
}

/// Why no simulation ran, or one failed.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The plan makes no sense.
    #[error("a simulation needs 4, 7, 10 or 13 operators and at least one validator: {0}")]
    Plan(String),
    /// An invariant broke.
    #[error(transparent)]
    Broken(#[from] Box<Failure>),
}

/// Runs the ceremony of one seed and checks it.
pub fn run_seed(plan: &Plan, seed: u64) -> Result<Run, SimulateError> {
    let ids = committee(plan, seed)?;
    let schedule = Schedule::draw(seed, &ids);
    let mut simulation = Simulation::new(plan.operators, plan.validators, schedule.faults.clone(), TIMING, seed)
        .map_err(SimulateError::Plan)?;
    let checked = simulation
        .run()
        .map_err(Violation::Endless)
        .and_then(|()| check_safety(&simulation))
        .and_then(|()| check_liveness(&simulation, &schedule));
    if let Err(violation) = checked {
        let kinds = schedule.kinds().iter().cloned().collect();
        let details = details(&simulation, &schedule);
        return Err(Box::new(Failure { seed, violation, kinds, details }).into());
    }
    let elapsed_ms = simulation.elapsed_ms();
    let messages = simulation.nodes().values().map(|node| node.sent).sum();
    Ok(Run { ending: ending(&simulation), schedule, elapsed_ms, messages })
}

/// Runs all seeds of a plan on all cores; `progress` hears the number of finished runs. Stops at the first failure,
/// which of several is the one with the smallest seed among those that were running.
pub fn run_all(plan: &Plan, progress: &(dyn Fn(u64) + Sync)) -> Result<Summary, SimulateError> {
    committee(plan, plan.from)?;
    let (next, done, stop) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let summary = Mutex::new(Summary::new(plan));
    let failures: Mutex<Vec<SimulateError>> = Mutex::default();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| loop {
                let turn = next.fetch_add(1, Ordering::Relaxed);
                if turn >= plan.seeds || stop.load(Ordering::Relaxed) {
                    return;
                }
                match run_seed(plan, plan.from.wrapping_add(turn)) {
                    Ok(run) => lock(&summary).add(&run),
                    Err(error) => {
                        stop.store(true, Ordering::Relaxed);
                        lock(&failures).push(error);
                    }
                }
                progress(done.fetch_add(1, Ordering::Relaxed) + 1);
            });
        }
    });
    let mut failures = failures.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    failures.sort_by_key(|failure| match failure {
        SimulateError::Broken(failure) => failure.seed,
        SimulateError::Plan(_) => 0,
    });
    match failures.into_iter().next() {
        Some(failure) => Err(failure),
        None => Ok(summary.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner())),
    }
}

/// The command that repeats one run.
#[must_use]
pub fn repeat_command(plan: &Plan, seed: u64) -> String {
    format!(
        "cluster-testnet simulate --operators {} --validators {} --from {seed} --seeds 1",
        plan.operators, plan.validators
    )
}

/// The ids that the simulation gives its operators.
fn committee(plan: &Plan, seed: u64) -> Result<Vec<cluster_core::committee::OperatorId>, SimulateError> {
    Simulation::new(plan.operators, plan.validators, Faults::default(), TIMING, seed)
        .map(|simulation| simulation.ids())
        .map_err(SimulateError::Plan)
}

fn details(simulation: &Simulation, schedule: &Schedule) -> Vec<String> {
    let mut lines = vec![format!("{:?}", schedule.faults)];
    for (id, node) in simulation.nodes() {
        let ended = match (&node.outcome, &node.abort) {
            (Some(outcome), _) => format!("{:?}", outcome.readiness),
            (None, Some(report)) => format!("aborted in {}: {}", report.step, report.reason),
            (None, None) => "neither result nor abort".to_owned(),
        };
        let named: Vec<String> =
            culprits(node).map(|culprit| format!("{} for {:?}", culprit.operator_id, culprit.kind)).collect();
        lines.push(format!("operator {id}: {ended}; names {named:?}"));
    }
    lines.push(format!("virtual time: {} ms", simulation.elapsed_ms()));
    lines
}

fn ending(simulation: &Simulation) -> Ending {
    let outcomes: Vec<_> = simulation
        .honest()
        .iter()
        .filter_map(|id| simulation.nodes().get(id))
        .filter_map(|node| node.outcome.as_ref())
        .collect();
    if outcomes.is_empty() {
        return Ending::Aborted;
    }
    let ready = outcomes.iter().all(|outcome| outcome.readiness == Readiness::Ready);
    if ready {
        Ending::Ready
    } else {
        Ending::Incomplete
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
