//! One operator's part of a ceremony, for every size of committee and count of validators, beside the sum of its
//! unavoidable primitives. Times are processor time per ceremony; `cargo run --release -p cluster-benches --bin ratios`
//! divides one by the other.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use cluster_benches::{cpu_time, dkg, floor};
use cluster_core::recording::Recording;
use criterion::{criterion_group, criterion_main, BenchmarkId, Criterion, SamplingMode, Throughput};

fn ceremonies(c: &mut Criterion) {
    let mut group = c.benchmark_group("dkg");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(500));
    for n in [4, 7, 10, 13] {
        for k in [1, 10, 100, 1000] {
            let recording = Recording::new(n, k, 1).unwrap();
            let primitives = floor::Ceremony::new(n, k as usize).unwrap();
            let id = |name: &str| BenchmarkId::new(name, format!("n={n} K={k}"));
            group.throughput(Throughput::Elements(u64::from(k)));
            group.bench_function(id("operator"), |b| {
                b.iter_custom(|times| (0..times).map(|_| dkg::operator(&recording).unwrap()).sum());
            });
            group.bench_function(id("primitives"), |b| {
                b.iter_custom(|times| (0..times).map(|_| cpu_time(|| primitives.run()).0).sum());
            });
        }
    }
}

criterion_group!(benches, ceremonies);
criterion_main!(benches);
