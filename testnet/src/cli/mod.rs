//! The command line.
//!
//! Exit codes: 0 when validators are ready (or all simulated runs kept their invariants, or duties reached what was expected),
//! 1 when something failed, 2 for a wrong command line, 3 when validators exist but operators are missing (`incomplete`) or
//! duties fell short, 4 when duties broke what must always hold.

mod chain_trouble;
mod console;
mod demo;
mod duties;
mod measure;
mod simulate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A test network on this machine: operators, gateway, bootstrap peer and service.
#[derive(Debug, Parser)]
#[command(name = "cluster-testnet", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a network, make validators, and leave their deposit data in a folder.
    ///
    /// Exit codes: 0 the validators are ready; 1 it failed; 3 the validators exist, but an operator has not confirmed
    /// its shares (incomplete), so that there is nothing to deposit yet.
    #[command(after_help = format!("Commands on the standard input of --serve:\n{}", cluster_testnet::console::HELP))]
    Demo(demo::DemoArgs),
    /// Let a whole network follow a chain that goes back, emits garbage, and is read through endpoints that die and lie.
    ///
    /// Everybody has two endpoints before anvil, which refuse connections, answer 429, lie about the head, give out a hundred
    /// blocks at once or are slow, each for a moment. Blocks with every kind of event are taken back. After each reorganisation, and at
    /// the end, operators, gateway and service must know and do what the chain says, all of it and nothing else; no ceremony may
    /// run twice, and every event that is none must be in quarantine with its reason.
    ///
    /// Exit codes: 0 all of that is so; 1 it is not, or it failed.
    ChainTrouble(chain_trouble::ChainTroubleArgs),
    /// Run validators of a committee on a beacon chain, with faults, and leave figures in a folder.
    ///
    /// Exit codes: 0 all that was expected was reached; 1 it failed; 3 participation, blocks or finality are short of what
    /// the faults allow; 4 something slashable was signed, or a block pays the wrong address.
    Duties(duties::DutiesArgs),
    /// One operator of `duties`.
    #[command(hide = true)]
    OperatorProcess(duties::OperatorProcessArgs),
    /// Measure how long the attestations of a slot take a committee, over loopback sockets and without a chain.
    Measure(measure::MeasureArgs),
    /// Run ceremonies in virtual time with faults drawn from seeds, and check what must always hold.
    Simulate(simulate::SimulateArgs),
}

/// Runs the command; what it returns is the process's exit code.
pub fn main() -> ExitCode {
    // Nodes say on the way what this program says at the end; RUST_LOG shows it.
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let done = match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::ChainTrouble(args) => chain_trouble::run(&args),
        Command::Duties(args) => duties::run(&args),
        Command::OperatorProcess(args) => duties::run_operator(&args),
        Command::Measure(args) => measure::run(&args),
        Command::Simulate(args) => simulate::run(&args),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
