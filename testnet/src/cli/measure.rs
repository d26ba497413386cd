//! `cluster-testnet measure`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{ensure, Context};
use clap::Args;
use cluster_node::network::Transport;
use cluster_testnet::measure::{self, Figures, Options, Spread};

use super::duties::TransportArg;

#[derive(Debug, Args)]
pub(super) struct MeasureArgs {
    /// Number of operators: 4, 7, 10 or 13, all in this process.
    #[arg(long, default_value_t = 4)]
    operators: usize,
    /// Validators that attest in each slot, 1 to 2000.
    #[arg(long, default_value_t = 500)]
    validators: usize,
    /// Slots that are measured, two seconds each; three more come before them. 1 to 10000.
    #[arg(long, default_value_t = 100)]
    slots: u64,
    /// Transport between operators.
    #[arg(long, value_enum, default_value = "quic")]
    transport: TransportArg,
    /// Write the figures here, as JSON.
    #[arg(long)]
    report: Option<PathBuf>,
}

pub(super) fn run(args: &MeasureArgs) -> anyhow::Result<ExitCode> {
    ensure!((1..=2_000).contains(&args.validators), "--validators must be 1 to 2000, not {}", args.validators);
    ensure!((1..=10_000).contains(&args.slots), "--slots must be 1 to 10000, not {}", args.slots);
    let dir = tempfile::tempdir().context("no folder for the databases")?;
    let options = Options {
        dir: dir.path().to_owned(),
        operators: args.operators,
        validators: args.validators,
        slots: args.slots,
        transport: match args.transport {
            TransportArg::Quic => Transport::Quic,
            TransportArg::Tcp => Transport::Tcp,
        },
        seed: 1,
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime cannot start")?;
    let figures = runtime.block_on(measure::run(&options))?;
    print(&figures);
    if let Some(path) = &args.report {
        measure::write(&figures, path).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(figures: &Figures) {
    println!(
        "{} operators in one process over {}, {} validators attesting in each of {} slots",
        figures.operators, figures.transport, figures.validators, figures.slots
    );
    println!("{:<44} {:>8} {:>8} {:>8} {:>8}", "milliseconds after attestation data", "p50", "p90", "p99", "max");
    let line = |name: &str, Spread { p50, p90, p99, max }: Spread| {
        println!("{name:<44} {p50:>8.1} {p90:>8.1} {p99:>8.1} {max:>8.1}");
    };
    line("decided", figures.decided_ms);
    line("signed, combined and verified", figures.signed_ms);
    line("submitted", figures.submitted_ms);
    line("submitted by the first operator", figures.first_submitted_ms);
    println!("{:.1} ms of processor time for one slot and operator", figures.cpu_ms);
    println!(
        "{:.1} values sent for one instance, in {} rounds for {} slots; {:.0} bytes of consensus and {:.0} bytes of partials an operator",
        figures.values_sent, figures.rounds, figures.slots, figures.consensus_bytes, figures.signing_bytes
    );
    println!("{} MB of memory for all operators together", figures.rss_bytes / 1_000_000);
}
