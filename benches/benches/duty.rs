//! A slot of K validators that sign one message, after consensus: what one operator spends on its own partial
//! signatures, on combining and verifying with those of its peers, and on finding out who lied. Each stands beside the
//! sum of the primitives that it cannot do without.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use cluster_benches::{cpu_time, duty::Exchange};
use criterion::{criterion_group, criterion_main, Bencher, BenchmarkId, Criterion, Throughput};

const SHAPES: [(usize, usize); 8] = [(4, 1), (4, 31), (4, 100), (4, 500), (4, 1000), (7, 31), (10, 31), (13, 31)];

fn duty(c: &mut Criterion) {
    let mut group = c.benchmark_group("duty");
    group.sample_size(10).warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(500));
    for (n, k) in SHAPES {
        let exchange = Exchange::new(n, k).unwrap();
        let id = |name: &str| BenchmarkId::new(name, format!("n={n} K={k}"));
        group.throughput(Throughput::Elements(k as u64));
        group.bench_function(id("own signing"), |b| by_cpu(b, || exchange.sign()));
        group.bench_function(id("own signing, primitives"), |b| by_cpu(b, || exchange.signing_primitives()));
        group.bench_function(id("completion"), |b| by_cpu(b, || exchange.complete().unwrap()));
        group.bench_function(id("completion, primitives"), |b| by_cpu(b, || exchange.completion_primitives()));
        group.bench_function(id("completion with a liar"), |b| by_cpu(b, || exchange.complete_with_liar().unwrap()));
        group.bench_function(id("completion with a liar, primitives"), |b| {
            by_cpu(b, || exchange.completion_with_liar_primitives());
        });
    }
}

fn by_cpu(b: &mut Bencher<'_>, work: impl Fn()) {
    b.iter_custom(|times| cpu_time(|| (0..times).for_each(|_| work())).0);
}

criterion_group!(benches, duty);
criterion_main!(benches);
