//! One instance of a whole committee in memory: processor time of all its operators together, and what they send.
//! Sizes of values: attestation data, aggregates, a block with blobs.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use cluster_benches::cpu_time;
use cluster_core::consensus::simulation::{Faults, Simulation};
use criterion::{criterion_group, criterion_main, BenchmarkId, Criterion};

fn instance(n: usize, value_bytes: usize, seed: u64) -> Simulation {
    let faults = Faults { latency_ms: (10, 10), judge_ms: 0, value_bytes, ..Faults::default() };
    let mut simulation = Simulation::new(n, faults, seed).unwrap();
    simulation.run().unwrap();
    simulation
}

fn consensus(c: &mut Criterion) {
    let mut group = c.benchmark_group("consensus");
    group.sample_size(10).warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(500));
    for (n, value_bytes) in [(4, 128), (4, 20_000), (4, 1_000_000), (7, 128), (10, 128), (13, 128)] {
        let simulation = instance(n, value_bytes, 1);
        let traffic = simulation.traffic;
        assert_eq!(traffic.values, n as u64 - 1, "the value is sent once to each of the others");
        let machines = simulation.nodes().values().filter_map(|node| node.machine());
        let checks: u64 = machines.map(|machine| machine.signature_checks()).sum();
        println!(
            "n={n} value={value_bytes} B: value sent {} times, {} messages, {} bytes in all, {} besides values, \
             {:.1} signature checks per operator",
            traffic.values,
            traffic.messages,
            traffic.bytes,
            traffic.bytes - traffic.values * value_bytes as u64,
            checks as f64 / n as f64,
        );
        group.bench_function(BenchmarkId::new("instance", format!("n={n} value={value_bytes}")), |b| {
            b.iter_custom(|times| {
                let prepare = |seed| {
                    let faults = Faults { latency_ms: (10, 10), judge_ms: 0, value_bytes, ..Faults::default() };
                    Simulation::new(n, faults, seed).unwrap()
                };
                let mut runs: Vec<Simulation> = (1..=times).map(prepare).collect();
                cpu_time(|| runs.iter_mut().for_each(|run| run.run().unwrap())).0
            });
        });
    }
}

criterion_group!(benches, consensus);
criterion_main!(benches);
