//! Every body of the fuzz targets against garbage and damaged genuine inputs: a bounded run of what cargo-fuzz does
//! without end. A failure prints how to repeat it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use cluster_fuzz_bodies::{
    mutate::{below, damaged, garbage},
    Target, TARGETS,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// Inputs of either kind for each target; `FUZZ_CASES` asks for more.
const CASES: u64 = 2_000;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Names the input on the way out of a panic.
struct Input<'a> {
    target: &'static str,
    seed: u64,
    case: u64,
    bytes: &'a [u8],
}

impl Drop for Input<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { target, seed, case, bytes } = self;
            let shown = &bytes[..bytes.len().min(4096)];
            eprintln!("target {target}, FUZZ_SEED={seed}, case {case}, {} bytes: {}", bytes.len(), hex::encode(shown));
        }
    }
}

fn run(name: &str) {
    let target: &Target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let (seed, cases) = (setting("FUZZ_SEED", 1), setting("FUZZ_CASES", CASES));
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let seeds = (target.seeds)();
    assert!(!seeds.is_empty());
    let feed = |case, bytes: &[u8]| {
        let _input = Input { target: target.name, seed, case, bytes };
        (target.feed)(bytes);
    };
    for (case, bytes) in seeds.iter().enumerate() {
        feed(case as u64, bytes);
    }
    for case in 0..cases {
        feed(case, &garbage(&mut rng));
        let (genuine, other) = (&seeds[below(&mut rng, seeds.len())], &seeds[below(&mut rng, seeds.len())]);
        feed(case, &damaged(genuine, other, &mut rng));
    }
}

macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            run(stringify!($name));
        })*

        #[test]
        fn no_target_is_left_out() {
            assert_eq!(TARGETS.iter().map(|target| target.name).collect::<Vec<_>>(), [$(stringify!($name)),*]);
        }
    };
}

tests!(
    beacon_containers,
    certificate,
    certificate_json,
    chain_log,
    chain_spec,
    config,
    dealing_parts,
    dkg_machine,
    dkg_message,
    evidence,
    gossip,
    http,
    interchange,
    journal,
    keys,
    keystore,
    net,
    registry,
    request,
    siwe,
);
