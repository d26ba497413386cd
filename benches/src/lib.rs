//! What the benches share: the processor's time as the measure, an operator's part of a ceremony, and the primitives
//! that bound both from below.
//!
//! `cargo bench -p cluster-benches` measures everything with criterion; `cargo run --release -p cluster-benches --bin
//! ratios` prints the table of `docs/benchmarks.md`.

pub mod dkg;
pub mod duty;
pub mod floor;
pub mod signing;
pub mod wire;

use std::{hint::black_box, time::Duration};

use nix::time::{clock_gettime, ClockId};
use rand_chacha::{rand_core::SeedableRng, ChaCha20Rng};

/// A generator that gives the same numbers in every run.
#[must_use]
pub fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(1)
}

/// The processor time that `work` takes on this thread. Other processes and waiting do not count, so a busy machine
/// disturbs it less than the clock on the wall.
pub fn cpu_time<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let before = now();
    let result = work();
    (now().saturating_sub(before), result)
}

/// The shortest processor time of `samples` runs of `work`.
pub fn fastest<T>(samples: usize, mut work: impl FnMut() -> T) -> Duration {
    (0..samples).map(|_| cpu_time(|| black_box(work())).0).min().unwrap_or_default()
}

fn now() -> Duration {
    // Only an unknown clock makes this fail, and every system that the project runs on has this one.
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}
