//! The cryptography of key generation and signing, next to the primitives that bound it from below.
//!
//! K is the number of validators of a ceremony. Times are per call; divide by K for the cost of one
//! validator.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::hint::black_box;
use std::time::Duration;

use cluster_crypto::bls::{self, HashedMessage};
use cluster_crypto::feldman::Commitments;
use cluster_crypto::polynomial::Polynomials;
use cluster_crypto::primitives::Operands;
use cluster_crypto::threshold::{combine, sign_partials, verify_combined, verify_partials, Partial};
use cluster_crypto::{identity, seal, ShareIndex, Threshold};
use criterion::measurement::WallTime;
use criterion::{criterion_group, criterion_main, BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha20Rng;

const COUNTS: [usize; 4] = [1, 10, 100, 1000];

/// Committee size and number of validators: all counts for the smallest committee, one count for the others.
const SHAPES: [(usize, usize); 7] = [(4, 1), (4, 10), (4, 100), (4, 1000), (7, 100), (10, 100), (13, 100)];

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(1)
}

fn group<'a>(c: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = c.benchmark_group(name);
    group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(500));
    group
}

fn first_index() -> ShareIndex {
    ShareIndex::new(1).unwrap()
}

/// Distinct messages, as deposits have them, or one for all, as duties do.
fn messages(k: usize, distinct: bool) -> Vec<HashedMessage> {
    if distinct {
        (0..k).map(|i| HashedMessage::new(&(i as u64).to_be_bytes())).collect()
    } else {
        vec![HashedMessage::new(b"duty"); k]
    }
}

/// K keys of one dealer, its commitments and everyone's partials.
struct Cluster {
    threshold: Threshold,
    commitments: Commitments,
    messages: Vec<HashedMessage>,
    partials: Vec<(ShareIndex, Vec<Partial>)>,
}

impl Cluster {
    fn new(n: usize, k: usize, distinct: bool) -> Self {
        let threshold = Threshold::for_operators(n).unwrap();
        let polynomials = Polynomials::sample(k, threshold, &mut rng());
        let messages = messages(k, distinct);
        let partials = ShareIndex::all(threshold)
            .map(|index| (index, sign_partials(&polynomials.shares_for(index), threshold, &messages).unwrap()))
            .collect();
        Self { threshold, commitments: polynomials.commit(), messages, partials }
    }

    fn chosen(&self, skip: usize) -> Vec<(ShareIndex, &[Partial])> {
        let operators = self.partials.iter().skip(skip).take(self.threshold.t());
        operators.map(|(index, partials)| (*index, partials.as_slice())).collect()
    }
}

fn primitives(c: &mut Criterion) {
    let operands = Operands::new(1000, &mut rng());
    let mut group = group(c, "primitives");
    group.bench_function("g1 add", |b| b.iter(|| operands.g1_add()));
    group.bench_function("g2 add", |b| b.iter(|| operands.g2_add()));
    group.bench_function("g1 multiply", |b| b.iter(|| operands.g1_multiply()));
    group.bench_function("g1 fixed base, masked table", |b| b.iter(|| operands.g1_fixed_base()));
    group.bench_function("g2 multiply", |b| b.iter(|| operands.g2_multiply()));
    group.bench_function("hash to g2", |b| b.iter(|| HashedMessage::new(black_box(&[7; 32]))));
    group.bench_function("g1 in group", |b| b.iter(|| operands.g1_in_group()));
    group.bench_function("g2 in group", |b| b.iter(|| operands.g2_in_group()));
    group.bench_function("miller loop", |b| b.iter(|| operands.miller_loop()));
    let final_exponentiation = operands.final_exponentiation();
    group.bench_function("final exponentiation", |b| b.iter(&final_exponentiation));
    let key = bls::SecretKey::generate(&mut rng());
    group.bench_function("bls sign 32 bytes (calibration)", |b| {
        b.iter(|| key.sign(&HashedMessage::new(black_box(&[7; 32]))));
    });
    for points in COUNTS {
        let operands = Operands::new(points, &mut rng());
        group.throughput(Throughput::Elements(points as u64));
        group.bench_function(BenchmarkId::new("g1 msm 128 bit", points), |b| b.iter(|| operands.g1_msm_128()));
        group.bench_function(BenchmarkId::new("g2 msm 128 bit", points), |b| b.iter(|| operands.g2_msm_128()));
        group.bench_function(BenchmarkId::new("miller loops", points), |b| b.iter(|| operands.miller_loops()));
        let mut rng = rng();
        group.bench_function(BenchmarkId::new("all in g1", points), |b| b.iter(|| operands.all_in_g1(&mut rng)));
        group.bench_function(BenchmarkId::new("all in g2", points), |b| b.iter(|| operands.all_in_g2(&mut rng)));
    }
}

/// What a dealer does once.
fn dealing(c: &mut Criterion) {
    let mut group = group(c, "dealing");
    for (n, k) in SHAPES {
        let threshold = Threshold::for_operators(n).unwrap();
        let mut rng = rng();
        let polynomials = Polynomials::sample(k, threshold, &mut rng);
        let commitments = polynomials.commit();
        let id = |name: &str| BenchmarkId::new(name, format!("n={n} K={k}"));
        group.throughput(Throughput::Elements(k as u64));
        group.bench_function(id("sample"), |b| b.iter(|| Polynomials::sample(k, threshold, &mut rng)));
        group.bench_function(id("commit"), |b| b.iter(|| polynomials.commit()));
        group.bench_function(id("shares for all"), |b| {
            b.iter(|| ShareIndex::all(threshold).map(|index| polynomials.shares_for(index)).collect::<Vec<_>>());
        });
        group.bench_function(id("prove knowledge"), |b| {
            b.iter(|| polynomials.prove_knowledge(&[1; 32], &commitments, &mut rng));
        });
    }
}

/// What a receiver does with the dealings of all n dealers.
fn receiving(c: &mut Criterion) {
    let mut group = group(c, "receiving");
    for (n, k) in SHAPES {
        let threshold = Threshold::for_operators(n).unwrap();
        let mut rng = rng();
        let dealers: Vec<_> = (0..n).map(|_| Polynomials::sample(k, threshold, &mut rng)).collect();
        let commitments: Vec<_> = dealers.iter().map(Polynomials::commit).collect();
        let encoded: Vec<_> = commitments.iter().map(Commitments::to_bytes).collect();
        let all: Vec<_> = commitments.iter().collect();
        let shares: Vec<_> = dealers.iter().map(|dealer| dealer.shares_for(first_index())).collect();
        let sum = Commitments::sum(&all).unwrap();
        let mut share = dealers[0].shares_for(first_index());
        shares[1..].iter().for_each(|other| share.add(other).unwrap());
        let proof = dealers[0].prove_knowledge(&[1; 32], &commitments[0], &mut rng);

        let id = |name: &str| BenchmarkId::new(name, format!("n={n} K={k}"));
        group.throughput(Throughput::Elements(k as u64));
        group.bench_function(id("read n commitments"), |b| {
            b.iter(|| encoded.iter().map(|bytes| Commitments::from_bytes(bytes, k, threshold)).collect::<Vec<_>>());
        });
        group.bench_function(id("digest one"), |b| b.iter(|| commitments[0].digest()));
        group.bench_function(id("verify knowledge of one"), |b| {
            b.iter(|| assert!(commitments[0].verify_knowledge(&[1; 32], &proof)));
        });
        group.bench_function(id("sum of n"), |b| b.iter(|| Commitments::sum(&all).unwrap()));
        group.bench_function(id("verify the summed share"), |b| {
            b.iter(|| assert!(sum.verify_shares(first_index(), &share, &mut rng)));
        });
        group.bench_function(id("verify shares of one"), |b| {
            b.iter(|| assert!(commitments[0].verify_shares(first_index(), &shares[0], &mut rng)));
        });
        group.bench_function(id("check subgroup of the sum"), |b| b.iter(|| assert!(sum.check_subgroup(&mut rng))));
        group.bench_function(id("share keys of all"), |b| {
            b.iter(|| ShareIndex::all(threshold).map(|index| sum.share_keys(index)).collect::<Vec<_>>());
        });
    }
}

fn sealing(c: &mut Criterion) {
    let mut group = group(c, "sealing");
    let mut rng = rng();
    let (ephemeral, receiver) = (identity::SecretKey::generate(&mut rng), identity::SecretKey::generate(&mut rng));
    let ctx = seal::DealContext { ceremony_id: &[1; 32], dealer: 1, receiver: 2 };
    let bound = seal::EnvelopeContext { ceremony_id: &[1; 32], operator_id: 2 };
    for k in COUNTS {
        let threshold = Threshold::for_operators(4).unwrap();
        let polynomials = Polynomials::sample(k, threshold, &mut rng);
        let (shares, validators) = (polynomials.shares_for(first_index()), polynomials.commit().group_keys());
        let sealed = seal::seal_vector(&ephemeral, &receiver.public_key(), ctx, &shares);
        group.throughput(Throughput::Elements(k as u64));
        group.bench_function(BenchmarkId::new("seal vector", k), |b| {
            b.iter(|| seal::seal_vector(&ephemeral, &receiver.public_key(), ctx, &shares));
        });
        group.bench_function(BenchmarkId::new("open vector", k), |b| {
            b.iter(|| seal::open_vector(&receiver, &ephemeral.public_key(), ctx, &sealed, k).unwrap());
        });
        group.bench_function(BenchmarkId::new("seal envelopes", k), |b| {
            b.iter(|| seal::seal_envelopes(&receiver.public_key(), bound, &validators, &shares, &mut rng).unwrap());
        });
    }
    let reveal = seal::reveal(&receiver, &ephemeral.public_key(), ctx, &mut rng);
    group.throughput(Throughput::Elements(1));
    group.bench_function("reveal", |b| b.iter(|| seal::reveal(&receiver, &ephemeral.public_key(), ctx, &mut rng)));
    group.bench_function("verify reveal", |b| {
        b.iter(|| reveal.verify(&receiver.public_key(), &ephemeral.public_key(), ctx).unwrap());
    });
}

/// Partials, combination and verification, for distinct messages (deposits) and for one message (duties).
fn signing(c: &mut Criterion) {
    let mut group = group(c, "signing");
    for ((n, k), distinct) in SHAPES.into_iter().flat_map(|shape| [(shape, true), (shape, false)]) {
        let cluster = Cluster::new(n, k, distinct);
        let mut rng = rng();
        let kind = if distinct { "distinct" } else { "same" };
        let id = |name: &str| BenchmarkId::new(name, format!("n={n} K={k} {kind}"));
        let (group_keys, share_keys) =
            (cluster.commitments.group_keys(), cluster.commitments.share_keys(first_index()));
        group.throughput(Throughput::Elements(k as u64));
        if n == 4 {
            let shares = Polynomials::sample(k, cluster.threshold, &mut rng).shares_for(first_index());
            group.bench_function(id("sign partials"), |b| {
                b.iter(|| sign_partials(&shares, cluster.threshold, &cluster.messages).unwrap());
            });
        }
        for (name, skip) in [("combine first t", 0), ("combine last t", n - cluster.threshold.t())] {
            let chosen = cluster.chosen(skip);
            group.bench_function(id(name), |b| b.iter(|| combine(cluster.threshold, &chosen).unwrap()));
        }
        let candidates = combine(cluster.threshold, &cluster.chosen(0)).unwrap();
        group.bench_function(id("verify combined"), |b| {
            b.iter(|| verify_combined(&group_keys, &cluster.messages, candidates.clone(), &mut rng).unwrap());
        });
        group.bench_function(id("blame one operator"), |b| {
            b.iter(|| {
                let partials = &cluster.partials[0].1;
                assert!(verify_partials(cluster.threshold, &share_keys, &cluster.messages, partials, &mut rng));
            });
        });
    }
}

criterion_group!(benches, primitives, dealing, receiving, sealing, signing);
criterion_main!(benches);
