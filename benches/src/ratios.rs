//! Prints the tables of `docs/benchmarks.md`: what ceremonies and signatures take, what their primitives take in the
//! same run, and the ratio.
//!
//! `cargo run --release -p cluster-benches --bin ratios [--quick]`; `--quick` leaves out K = 1,000 for n above 4.

use std::time::Duration;

use anyhow::{anyhow, Result};
use cluster_benches::{
    dkg,
    duty::Exchange,
    fastest, floor, rng,
    signing::{Committee, Messages},
    wire::Encoded,
};
use cluster_core::recording::Recording;
use cluster_crypto::bls::{HashedMessage, SecretKey};

const OPERATORS: [usize; 4] = [4, 7, 10, 13];
const VALIDATORS: [u32; 4] = [1, 10, 100, 1000];

/// Processor time spent on one cell of the table, after which its minimum is taken.
const BUDGET: Duration = Duration::from_secs(3);
const MAX_SAMPLES: usize = 10;

fn main() -> Result<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    println!("Calibration, `bls sign` of 32 bytes: {} µs. {}\n", micros(calibration(), 1), load());
    ceremonies(quick)?;
    signatures()?;
    duties()?;
    encodings()?;
    println!("Calibration at the end: {} µs. {}", micros(calibration(), 1), load());
    Ok(())
}

/// The operation that tells machines and moments apart.
fn calibration() -> Duration {
    let key = SecretKey::generate(&mut rng());
    fastest(50, || key.sign(&HashedMessage::new(&[7; 32])))
}

/// Other work on the machine, as far as the system tells.
fn load() -> String {
    std::fs::read_to_string("/proc/loadavg").map_or_else(|_| String::new(), |text| format!("Load: {}", text.trim()))
}

fn ceremonies(quick: bool) -> Result<()> {
    println!("| n | K | operator, ms | per validator, µs | primitives, µs | ratio |");
    println!("|---|---|---|---|---|---|");
    let mut details = Vec::new();
    for n in OPERATORS {
        for k in VALIDATORS.into_iter().filter(|k| !quick || n == 4 || *k < 1000) {
            let recording = Recording::new(n, k, 1).map_err(|error| anyhow!(error))?;
            let primitives = floor::Ceremony::new(n, k as usize).ok_or_else(|| anyhow!("no committee of {n}"))?;
            let mut parts = primitives.run();
            let mut time = dkg::operator(&recording).map_err(|error| anyhow!(error))?;
            // In turns, so that a slow moment of the machine meets both.
            let mut spent = time;
            for _ in 1..MAX_SAMPLES {
                if spent > BUDGET {
                    break;
                }
                let sample = dkg::operator(&recording).map_err(|error| anyhow!(error))?;
                spent += sample;
                time = time.min(sample);
                parts = floor::shorter(parts, &primitives.run());
            }
            println!("| {n} | {k} | {:.2} {}", time.as_secs_f64() * 1e3, row(time, floor::total(&parts), k));
            if k == 1000 {
                details.push((n, k, parts));
            }
        }
    }
    println!("\nPrimitives of one operator, µs per validator:\n");
    for (n, k, parts) in details {
        println!("n = {n}, K = {k}:");
        for part in parts {
            println!("- {}: {}", part.name, micros(part.time, k));
        }
        println!();
    }
    Ok(())
}

fn signatures() -> Result<()> {
    println!("| n | K | messages | operation | per validator, µs | primitives, µs | ratio |");
    println!("|---|---|---|---|---|---|---|");
    for n in OPERATORS {
        for (k, kind) in [(1, Messages::Distinct), (31, Messages::Same), (100, Messages::Distinct)] {
            let committee = Committee::new(n, k as usize, kind).ok_or_else(|| anyhow!("no committee of {n}"))?;
            for measured in committee.measure(MAX_SAMPLES) {
                let kind = if kind == Messages::Same { "one" } else { "distinct" };
                println!("| {n} | {k} | {kind} | {} {}", measured.name, row(measured.time, measured.floor, k));
            }
        }
    }
    println!();
    Ok(())
}

fn duties() -> Result<()> {
    println!("| n | K | operation | all, ms | per validator, µs | primitives, µs | ratio |");
    println!("|---|---|---|---|---|---|---|");
    let shapes = [(4, 1), (4, 31), (4, 100), (4, 500), (4, 1000), (7, 31), (10, 31), (13, 31)];
    for (n, k) in shapes {
        let exchange = Exchange::new(n, k as usize).map_err(|error| anyhow!(error))?;
        for measured in exchange.measure(MAX_SAMPLES).map_err(|error| anyhow!(error))? {
            let all = measured.time.as_secs_f64() * 1e3;
            println!("| {n} | {k} | {} | {all:.2} {}", measured.name, row(measured.time, measured.floor, k));
        }
    }
    println!();
    Ok(())
}

fn encodings() -> Result<()> {
    println!("| n | K | operation | bytes per validator | per validator, µs |");
    println!("|---|---|---|---|---|");
    for n in OPERATORS {
        let k = 100;
        let recording = Recording::new(n, k, 1).map_err(|error| anyhow!(error))?;
        let encoded = Encoded::new(&recording).ok_or_else(|| anyhow!("the recording holds no dealing"))?;
        for operation in encoded.operations() {
            let time = fastest(MAX_SAMPLES, || (operation.work)(&encoded));
            let bytes = operation.bytes / k as usize;
            println!("| {n} | {k} | {} | {bytes} | {} |", operation.name, micros(time, k));
        }
    }
    println!();
    Ok(())
}

fn row(time: Duration, floor: Duration, k: u32) -> String {
    let ratio = time.as_secs_f64() / floor.as_secs_f64().max(f64::MIN_POSITIVE);
    format!("| {} | {} | {ratio:.2} |", micros(time, k), micros(floor, k))
}

fn micros(time: Duration, k: u32) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e6 / f64::from(k))
}
