//! Encoding and decoding of what is long: dealings between operators, contributions to gateways, certificates as JSON.
//! Times are processor time.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use cluster_benches::{cpu_time, wire::Encoded};
use cluster_core::recording::Recording;
use criterion::{criterion_group, criterion_main, BenchmarkId, Criterion, Throughput};

fn wire(c: &mut Criterion) {
    let mut group = c.benchmark_group("wire");
    group.sample_size(10).warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(500));
    for (n, k) in [(4, 1), (4, 100), (4, 1000), (13, 100)] {
        let encoded = Encoded::new(&Recording::new(n, k, 1).unwrap()).unwrap();
        for operation in encoded.operations() {
            group.throughput(Throughput::Bytes(operation.bytes as u64));
            group.bench_function(BenchmarkId::new(operation.name, format!("n={n} K={k}")), |b| {
                b.iter_custom(|times| cpu_time(|| (0..times).for_each(|_| (operation.work)(&encoded))).0);
            });
        }
    }
}

criterion_group!(benches, wire);
criterion_main!(benches);
