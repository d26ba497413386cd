//! Encoding and decoding of what is long: dealings between operators, contributions to gateways, certificates as JSON.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use cluster_core::{
    certificate::{Certificate, Contribution, MAX_CONTRIBUTION_BYTES},
    dkg::{Message, Step},
    encoding,
    recording::Recording,
};
use criterion::{criterion_group, criterion_main, BenchmarkId, Criterion, Throughput};

const LIMIT: usize = 4 * 1024 * 1024;

fn wire(c: &mut Criterion) {
    let mut group = c.benchmark_group("wire");
    group.sample_size(10).warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(500));
    for (n, k) in [(4, 1), (4, 100), (4, 1000), (13, 100)] {
        let recording = Recording::new(n, k, 1).unwrap();
        let dealings = recording.received.iter().map(|(_, bytes)| (bytes, Message::decode(bytes, LIMIT).unwrap()));
        let (bytes, dealing) = dealings.into_iter().find(|(_, message)| message.step() == Some(Step::Deal)).unwrap();
        let id = |name: &str| BenchmarkId::new(name, format!("n={n} K={k}"));
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(id("encode dealing"), |b| b.iter(|| dealing.encode()));
        group.bench_function(id("decode dealing"), |b| b.iter(|| Message::decode(bytes, LIMIT).unwrap()));

        let certificate = &recording.certificate;
        let attestation = certificate.attestations[0].clone();
        let contribution = Contribution { transcript: certificate.transcript.clone(), attestation };
        let bytes = encoding::encode(&contribution);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(id("encode contribution"), |b| b.iter(|| encoding::encode(&contribution)));
        group.bench_function(id("decode contribution"), |b| {
            b.iter(|| encoding::decode::<Contribution>(&bytes, MAX_CONTRIBUTION_BYTES).unwrap());
        });

        let json = serde_json::to_string(certificate).unwrap();
        group.throughput(Throughput::Bytes(json.len() as u64));
        group.bench_function(id("write certificate JSON"), |b| b.iter(|| serde_json::to_string(certificate).unwrap()));
        group.bench_function(id("read certificate JSON"), |b| b.iter(|| Certificate::from_json(&json).unwrap()));
    }
}

criterion_group!(benches, wire);
criterion_main!(benches);
