//! Threshold signatures for every size of committee: K = 31 with one message is a slot of a thousand validators,
//! distinct messages are deposits. Each check stands beside the primitives of a batch check.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use cluster_benches::{
    cpu_time,
    signing::{Committee, Messages},
};
use criterion::{criterion_group, criterion_main, Bencher, BenchmarkId, Criterion, Throughput};

fn signatures(c: &mut Criterion) {
    let mut group = c.benchmark_group("signing");
    group.sample_size(10).warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(500));
    for n in [4, 7, 10, 13] {
        for (k, kind) in [(1, Messages::Distinct), (31, Messages::Same), (100, Messages::Distinct)] {
            let committee = Committee::new(n, k, kind).unwrap();
            let id = |name: &str| BenchmarkId::new(name, format!("n={n} K={k} {kind:?}"));
            group.throughput(Throughput::Elements(k as u64));
            group.bench_function(id("partial signatures"), |b| by_cpu(b, || committee.sign()));
            group.bench_function(id("combine"), |b| by_cpu(b, || committee.combine()));
            group.bench_function(id("combine and verify"), |b| by_cpu(b, || assert!(committee.combine_and_verify())));
            group.bench_function(id("blame one operator"), |b| by_cpu(b, || assert!(committee.blame())));
            group.bench_function(id("primitives of a check"), |b| by_cpu(b, || committee.verification_primitives()));
        }
    }
}

fn by_cpu(b: &mut Bencher<'_>, work: impl Fn()) {
    b.iter_custom(|times| cpu_time(|| (0..times).for_each(|_| work())).0);
}

criterion_group!(benches, signatures);
criterion_main!(benches);
