//! `cluster-testnet chain-trouble`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{bail, Context};
use clap::Args;
use cluster_testnet::evm::Tools;
use cluster_testnet::trouble::{self, Options, Report};
use rand_core::{OsRng, RngCore};

/// Most rounds: the first ceremony makes two validators for each.
const MAX_ROUNDS: u32 = 64;
/// Most garbage: below what everybody keeps in quarantine.
const MAX_GARBAGE: usize = 4_000;

#[derive(Debug, Args)]
pub(super) struct ChainTroubleArgs {
    /// Number of operators: 4, 7, 10 or 13.
    #[arg(long, default_value_t = 4)]
    operators: usize,
    /// Rounds; each has a reorganisation around every kind of event. After 8, every kind had every depth from 1 to 8.
    #[arg(long, default_value_t = 1)]
    rounds: u32,
    /// Events that are none, emitted by the contracts on the chain that wins.
    #[arg(long, default_value_t = 100)]
    garbage: usize,
    /// Seed of keys, depths, outcomes, faults and garbage; random when not given.
    #[arg(long)]
    seed: Option<u64>,
    /// Folder for report.json.
    #[arg(long, default_value = "chain-trouble-out")]
    out: PathBuf,
}

pub(super) fn run(args: &ChainTroubleArgs) -> anyhow::Result<ExitCode> {
    if !matches!(args.operators, 4 | 7 | 10 | 13) {
        bail!("--operators must be 4, 7, 10 or 13, not {}", args.operators);
    }
    if !(1..=MAX_ROUNDS).contains(&args.rounds) {
        bail!("--rounds must be 1 to {MAX_ROUNDS}, not {}", args.rounds);
    }
    if args.garbage > MAX_GARBAGE {
        bail!("--garbage must be at most {MAX_GARBAGE}, not {}", args.garbage);
    }
    let seed = args.seed.unwrap_or_else(|| u64::from(OsRng.next_u32()));
    let options = Options { operators: args.operators, rounds: args.rounds, garbage: args.garbage, seed };
    println!(
        "{} operators, a gateway and the service follow a chain that goes back and lies (seed {seed})",
        args.operators
    );
    if !Tools::find()?.is_compiled() {
        println!("the contracts are compiled first, which takes minutes and happens once");
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime cannot start")?;
    let done = runtime.block_on(async {
        let dir = tempfile::tempdir().context("there is no place for the databases")?;
        let mut said = |line: &str| println!("  {line}");
        tokio::select! {
            done = trouble::run(&options, dir.path(), &mut said) => done.map_err(anyhow::Error::from),
            signal = tokio::signal::ctrl_c() => {
                signal.context("signals cannot be received")?;
                bail!("interrupted")
            }
        }
    });
    let report = done.with_context(|| format!("the run failed (seed {seed}; repeat it with --seed {seed})"))?;
    conclude(args, &report)?;
    Ok(ExitCode::SUCCESS)
}

fn conclude(args: &ChainTroubleArgs, report: &Report) -> anyhow::Result<()> {
    let path = args.out.join("report.json");
    std::fs::create_dir_all(&args.out).with_context(|| format!("{} cannot be made", args.out.display()))?;
    let text = serde_json::to_string_pretty(report).context("the report cannot be written as JSON")?;
    std::fs::write(&path, format!("{text}\n")).with_context(|| format!("{} cannot be written", path.display()))?;
    println!();
    for part in &report.parts {
        println!(
            "{:<12} took {} blocks back, keeps {} events in quarantine; {} of {} calls were refused, late or answered with a lie",
            part.part, part.taken_back, part.quarantined, part.spoiled_calls, part.calls
        );
    }
    let lost = report.ceremonies.iter().filter(|ceremony| !ceremony.on_chain).count();
    println!(
        "{} reorganisations; {} requests, {lost} of them on branches that lost; no ceremony ran twice",
        report.reorgs.len(),
        report.ceremonies.len()
    );
    println!("figures: {}", path.display());
    Ok(())
}
