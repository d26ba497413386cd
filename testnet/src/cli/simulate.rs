//! `cluster-testnet simulate`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
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
    /// Write the summary here, as JSON.
    #[arg(long)]
    report: Option<PathBuf>,
}

pub(super) fn run(args: &SimulateArgs) -> anyhow::Result<ExitCode> {
    let plan = Plan { operators: args.operators, validators: args.validators, from: args.from, seeds: args.seeds };
    let bar = ProgressBar::new(plan.seeds);
    if let Ok(style) = ProgressStyle::with_template("[{bar:40}] {pos} of {len} runs, {eta} left") {
        bar.set_style(style.progress_chars("=> "));
    }
    let done = run_all(&plan, &|finished| bar.set_position(finished));
    bar.finish_and_clear();
    match done {
        Ok(summary) => {
            print!("{summary}");
            println!("agreement, share correctness, evidence and liveness held in all {} runs", summary.runs);
            if let Some(path) = &args.report {
                let text = serde_json::to_string_pretty(&summary).context("the summary cannot be written as JSON")?;
                std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))?;
            }
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
