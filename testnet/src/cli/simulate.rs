//! `cluster-testnet simulate`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use cluster_testnet::simulate::duties::{self, DutiesError};
use cluster_testnet::simulate::{repeat_command, run_all, Plan, SimulateError};
use indicatif::{ProgressBar, ProgressStyle};

#[derive(Debug, Args)]
pub(super) struct SimulateArgs {
    /// Number of runs, each with the faults of its own seed.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// Size of the committee: 4, 7, 10 or 13.
    #[arg(long, default_value_t = 4)]
    operators: usize,
    /// Validators of each ceremony.
    #[arg(long, default_value_t = 1)]
    validators: u32,
    /// First seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Duties of a committee instead of ceremonies: nothing slashable may be signed, whatever happens.
    #[arg(long)]
    duties: bool,
    /// With `--duties`: validators that attest in each slot.
    #[arg(long, default_value_t = 256, requires = "duties")]
    per_slot: u32,
    /// With `--duties`: epochs of each run, of eight slots.
    #[arg(long, default_value_t = 12, requires = "duties")]
    epochs: u64,
    /// Write the summary here, as JSON.
    #[arg(long)]
    report: Option<PathBuf>,
}

pub(super) fn run(args: &SimulateArgs) -> anyhow::Result<ExitCode> {
    if args.duties {
        return run_duties(args);
    }
    let plan = Plan { operators: args.operators, validators: args.validators, from: args.from, seeds: args.seeds };
    let bar = bar(plan.seeds);
    let done = run_all(&plan, &|finished| bar.set_position(finished));
    bar.finish_and_clear();
    match done {
        Ok(summary) => {
            print!("{summary}");
            println!("agreement, share correctness, evidence and liveness held in all {} runs", summary.runs);
            write_report(args, &summary)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(SimulateError::Broken(failure)) => {
            eprintln!("error: {failure}");
            eprintln!("faults in this run: {}", failure.kinds.join(", "));
            for line in &failure.details {
                eprintln!("  {line}");
            }
            eprintln!("repeat it: {}", repeat_command(&plan, failure.seed));
            Ok(ExitCode::FAILURE)
        }
        Err(error) => Err(error.into()),
    }
}

fn run_duties(args: &SimulateArgs) -> anyhow::Result<ExitCode> {
    let SimulateArgs { operators, per_slot, epochs, from, seeds, .. } = *args;
    let runs = duties::Runs { operators, per_slot, epochs, from, seeds };
    let bar = bar(seeds);
    let done = duties::run_all(&runs, &|finished| bar.set_position(finished));
    bar.finish_and_clear();
    match done {
        Ok(summary) => {
            print!("{summary}");
            write_report(args, &summary)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(DutiesError::Slashable(outcome)) => {
            let seed = outcome.seed;
            let error = DutiesError::Slashable(outcome);
            eprintln!("error: {error}");
            for line in error.story() {
                eprintln!("  {line}");
            }
            eprintln!("repeat it: {}", runs.repeat_command(seed));
            Ok(ExitCode::FAILURE)
        }
        Err(error) => Err(error.into()),
    }
}

fn bar(runs: u64) -> ProgressBar {
    let bar = ProgressBar::new(runs);
    if let Ok(style) = ProgressStyle::with_template("[{bar:40}] {pos} of {len} runs, {eta} left") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

fn write_report(args: &SimulateArgs, summary: &impl serde::Serialize) -> anyhow::Result<()> {
    let Some(path) = &args.report else { return Ok(()) };
    let text = serde_json::to_string_pretty(summary).context("the summary cannot be written as JSON")?;
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}
