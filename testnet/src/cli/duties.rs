//! `cluster-testnet duties`, and the process that each operator of it is.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{bail, Context};
use clap::{Args, ValueEnum};
use cluster_core::beacon::Preset;
use cluster_core::committee::OperatorId;
use cluster_core::network::Network;
use cluster_node::network::{Link, Transport};
use cluster_testnet::duties::byzantine::Behaviour;
use cluster_testnet::duties::operator_process;
use cluster_testnet::duties::options::{ForkPlan, Options, Plan};
use cluster_testnet::duties::report::{ExitFigures as Exit, Percentiles, Report};
use cluster_testnet::duties::run::{self, Serving, REPORT_FILE};
use cluster_testnet::evm::Tools;
use cluster_testnet::priority;
use rand_core::{OsRng, RngCore};

use super::demo::ChainArg;

/// What a wrong command line ends with, as clap has it.
const USAGE: u8 = 2;
/// Less participation, blocks or finality than the faults allow.
const SHORT: u8 = 3;
/// Something that must never be.
const OFFENCE: u8 = 4;

#[derive(Debug, Args)]
pub(super) struct DutiesArgs {
    /// The beacon node: `lodestar` is a real one, from npm (`make setup` installs it).
    #[arg(long, value_enum, default_value = "lodestar")]
    beacon: BeaconArg,
    /// Number of validators, 8 to 1000.
    #[arg(long, default_value_t = 32)]
    validators: u32,
    /// Number of operators: 4, 7, 10 or 13.
    #[arg(long, default_value_t = 4)]
    operators: usize,
    /// Epochs in the report. The chain runs for one more: attestations count until the end of the next epoch.
    #[arg(long, default_value_t = 4)]
    epochs: u64,
    /// Folder for report.json, logs and databases; what an earlier run left in it is replaced.
    #[arg(long, default_value = "duties-out")]
    out: PathBuf,
    /// Shape of the chain: `minimal` has epochs of 8 slots, `mainnet` of 32.
    #[arg(long, default_value = "minimal")]
    preset: Preset,
    /// Length of a slot; with less than 3 s a busy machine is late.
    #[arg(long, default_value_t = 3)]
    slot_seconds: u64,
    /// Fork of the chain: electra, fulu, or transition, which begins with Electra and has Fulu from epoch 2 on.
    #[arg(long, default_value = "electra")]
    fork: ForkPlan,
    /// Network whose rules the ceremony follows: hoodi or mainnet.
    #[arg(long, default_value = "hoodi")]
    network: Network,
    /// Split well-known keys among the operators in place of a ceremony.
    #[arg(long)]
    split: bool,
    /// `anvil`: everybody is registered on a chain of our own, the validators by their owner's transactions, with which
    /// operators get their shares and begin duties; the owner's transaction lets one leave (needs `make setup`). `none`:
    /// operators have their shares from the ceremony.
    #[arg(long, value_enum, default_value = "none")]
    chain: ChainArg,
    /// Transport between operators.
    #[arg(long, value_enum, default_value = "quic")]
    transport: TransportArg,
    /// Delay of every message between operators, in milliseconds.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Share of messages between operators that are lost, such as 0.02 for one in fifty.
    #[arg(long, default_value_t = 0.0)]
    loss: f64,
    /// Nothing passes from operator A to operator B (positions or ids); may be given several times.
    #[arg(long, value_name = "A:B", value_parser = parse_link)]
    one_way: Vec<(u32, u32)>,
    /// Let an operator (its position or id) misbehave: wrong-partials, equivocating-votes, other-fee-recipient,
    /// slashable-attestation or silent; may be given several times.
    #[arg(long, value_name = "OPERATOR:BEHAVIOUR", value_parser = parse_byzantine)]
    byzantine: Vec<(u32, Behaviour)>,
    /// Stop an operator for good at the start of an epoch; may be given several times.
    #[arg(long, value_name = "OPERATOR@EPOCH", value_parser = parse_stop)]
    stop: Vec<(u32, u64)>,
    /// Kill every operator in turn with SIGKILL, and start it again.
    #[arg(long)]
    rolling_restart: bool,
    /// Two beacon nodes that are peers; every operator uses both.
    #[arg(long)]
    second_beacon: bool,
    /// Kill the first beacon node in an epoch; needs --second-beacon.
    #[arg(long, value_name = "EPOCH")]
    kill_beacon: Option<u64>,
    /// Kill the first beacon node in an epoch, and start it again.
    #[arg(long, value_name = "EPOCH")]
    restart_beacon: Option<u64>,
    /// Gives the beacon node an external builder: a relay that checks signatures. Validators are registered with it, and
    /// blocks are blinded.
    #[arg(long)]
    builder: bool,
    /// Let the builder fail from the start of an epoch on, slot by slot in another way: it is away, silent, offers what no
    /// block can have, answers with an error.
    #[arg(long, value_name = "EPOCH")]
    builder_fails: Option<u64>,
    /// Stop every operator in turn, and start it as the next release: PROGRAM, or `cluster-testnet-next` beside this program
    /// (cargo build -p cluster-testnet --bin cluster-testnet-next --features next-version).
    #[arg(long, value_name = "PROGRAM", num_args = 0..=1)]
    rolling_upgrade: Option<Option<PathBuf>>,
    /// Have the owner of a validator (its index) order it to leave in an epoch, after somebody else has tried: with the
    /// `cluster-node` beside this program, or by a transaction with --chain anvil. It has left five epochs later.
    #[arg(long, value_name = "VALIDATOR@EPOCH", value_parser = parse_exit)]
    exit: Option<(u64, u64)>,
    /// Keep the network up after the last epoch, say how to look at it, and write the report at Ctrl-C.
    #[arg(long)]
    serve: bool,
    /// Seed of keys and faults; random when not given.
    #[arg(long)]
    seed: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct OperatorProcessArgs {
    /// The `world.json` of the run.
    #[arg(long)]
    world: PathBuf,
    /// Number of the operator.
    #[arg(long)]
    id: u32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum BeaconArg {
    Lodestar,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum TransportArg {
    Quic,
    Tcp,
}

fn parse_link(text: &str) -> Result<(u32, u32), String> {
    let (from, to) = text.split_once(':').ok_or("it must be of the form A:B, such as 1:2")?;
    Ok((number(from)?, number(to)?))
}

fn parse_byzantine(text: &str) -> Result<(u32, Behaviour), String> {
    let (operator, behaviour) =
        text.split_once(':').ok_or("it must be of the form OPERATOR:BEHAVIOUR, such as 2:silent")?;
    Ok((number(operator)?, behaviour.parse()?))
}

fn parse_stop(text: &str) -> Result<(u32, u64), String> {
    let (operator, epoch) = text.split_once('@').ok_or("it must be of the form OPERATOR@EPOCH, such as 2@1")?;
    Ok((number(operator)?, epoch.parse().map_err(|_| format!("`{epoch}` is not an epoch"))?))
}

fn parse_exit(text: &str) -> Result<(u64, u64), String> {
    let (index, epoch) = text.split_once('@').ok_or("it must be of the form VALIDATOR@EPOCH, such as 5@1")?;
    let index = index.parse().map_err(|_| format!("`{index}` is not the index of a validator"))?;
    Ok((index, epoch.parse().map_err(|_| format!("`{epoch}` is not an epoch"))?))
}

fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("`{text}` is not a position or an id of an operator"))
}

pub(super) fn run(args: &DutiesArgs) -> anyhow::Result<ExitCode> {
    let program = std::env::current_exe().context("this program's own path is not known")?;
    let options = options(args, program);
    let seed = options.seed;
    let world = options.world();
    let plan = match options.plan(&world) {
        Ok(plan) => plan,
        Err(error) => {
            eprintln!("error: {error}");
            return Ok(ExitCode::from(USAGE));
        }
    };
    introduce(args, &plan);
    // Before there are threads: they and all processes of the run have it from here.
    priority::raise();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime cannot start")?;
    let report = runtime.block_on(async {
        let serving = Serving::default();
        let run = run::run(&plan, &serving);
        tokio::pin!(run);
        loop {
            tokio::select! {
                report = &mut run => return Ok(report?),
                signal = tokio::signal::ctrl_c() => {
                    signal.context("signals cannot be received")?;
                    if !serving.began.is_cancelled() {
                        bail!("interrupted");
                    }
                    serving.end.cancel();
                }
            }
        }
    });
    let report = report.with_context(|| {
        format!("the run failed (seed {seed}; repeat it with --seed {seed}); logs are in {}", args.out.display())
    })?;
    Ok(conclude(&plan, &report))
}

pub(super) fn run_operator(args: &OperatorProcessArgs) -> anyhow::Result<ExitCode> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime cannot start")?;
    runtime.block_on(operator_process::run(&args.world, OperatorId(args.id)))?;
    Ok(ExitCode::SUCCESS)
}

fn options(args: &DutiesArgs, program: PathBuf) -> Options {
    let BeaconArg::Lodestar = args.beacon;
    let seed = args.seed.unwrap_or_else(|| u64::from(OsRng.next_u32()));
    Options {
        network: args.network,
        operators: args.operators,
        validators: args.validators,
        epochs: args.epochs,
        preset: args.preset,
        slot_seconds: args.slot_seconds,
        fork: args.fork,
        split: args.split,
        chain: args.chain == ChainArg::Anvil,
        transport: match args.transport {
            TransportArg::Quic => Transport::Quic,
            TransportArg::Tcp => Transport::Tcp,
        },
        link: Link { latency: Duration::from_millis(args.latency_ms), loss: args.loss },
        one_way: args.one_way.clone(),
        byzantine: args.byzantine.clone(),
        stop: args.stop.clone(),
        rolling_restart: args.rolling_restart,
        second_beacon: args.second_beacon,
        kill_beacon: args.kill_beacon,
        restart_beacon: args.restart_beacon,
        builder: args.builder,
        builder_fails: args.builder_fails,
        upgrade: args
            .rolling_upgrade
            .as_ref()
            .map(|given| given.clone().unwrap_or_else(|| program.with_file_name("cluster-testnet-next"))),
        exit: args.exit,
        serve: args.serve,
        ..Options::new(args.out.clone(), program, seed)
    }
}

fn introduce(args: &DutiesArgs, plan: &Plan) {
    let options = &plan.options;
    let seconds = (options.epochs + 1) * options.preset.slots_per_epoch() * options.slot_seconds;
    println!(
        "{} validators of {} operators on a chain of the {} preset with slots of {} s (seed {})",
        args.validators,
        args.operators,
        options.preset.name(),
        args.slot_seconds,
        options.seed
    );
    println!(
        "{} epochs and one more to count their last votes: {} min {} s, and some for the start",
        options.epochs,
        seconds / 60,
        seconds % 60
    );
    if options.chain && Tools::find().is_ok_and(|tools| !tools.is_compiled()) {
        println!("the contracts are compiled first, which takes minutes and happens once");
    }
    for fault in options.faults() {
        println!("fault: {fault}");
    }
    if options.marks().is_none() {
        println!("more operators fail than the committee tolerates; nothing is expected but that nothing slashable is signed");
    }
}

/// Says what came out and what to do next.
fn conclude(plan: &Plan, report: &Report) -> ExitCode {
    print_figures(report);
    let out = plan.options.out.display();
    print_extras(report);
    println!("Files:");
    println!("  figures        {out}/{REPORT_FILE}");
    println!("  operators      {out}/operator-ID.log, .records.jsonl (every duty), .signed.jsonl (every signature), .stats.jsonl");
    println!("  beacon nodes   {out}/beacon/*.log");
    let offences = report.offences();
    if report.slashable > 0 || report.wrong_fee_recipient > 0 {
        println!(
            "{} slashable messages, {} blocks that pay somebody else:",
            report.slashable, report.wrong_fee_recipient
        );
        for offence in offences {
            println!("  {offence}");
        }
        println!("This must never be. Repeat it with --seed {} and report it with the files above.", report.seed);
        return ExitCode::from(OFFENCE);
    }
    println!(
        "Nothing slashable in {} signatures of shares and {} messages of validators; every block pays whom it should.",
        report.checked.share_attestations + report.checked.share_blocks,
        report.checked.attestations + report.checked.blocks
    );
    let Some(marks) = plan.options.marks() else { return ExitCode::SUCCESS };
    let short = report.shortfalls(&marks);
    if short.is_empty() {
        println!("All that was expected of the committee was reached.");
        return ExitCode::SUCCESS;
    }
    println!("Short of what was expected:");
    for shortfall in short {
        println!("  {shortfall}");
    }
    println!("What to do next: the reasons are in the table above and, duty by duty, in the records; docs/operator-guide.md explains each.");
    ExitCode::from(SHORT)
}

/// What a builder and an owner saw.
fn print_extras(report: &Report) {
    if let Some(builder) = &report.builder {
        let built: u64 = report.epochs.iter().map(|epoch| epoch.builder_blocks).sum();
        println!(
            "builder: {} of {} validators registered, {} headers asked for, {} offered; {built} blocks of the chain are the builder's",
            builder.registrations.len(), report.validators, builder.headers, builder.bids
        );
        for (kind, count) in &builder.failures {
            println!("builder: failed {count} times ({kind})");
        }
        if builder.fails_from_slot.is_some() {
            println!("builder: {} blocks were built without it while it failed", builder.fallbacks);
        }
    }
    if let Some(chain) = &report.chain {
        let gas: u64 = chain.registered.iter().map(|one| one.gas).sum();
        let begun = chain.operators.iter().map(|operator| operator.begun_ms).max().unwrap_or_default();
        println!(
            "chain: {} validators registered in {} of {gas} gas; {begun} ms later every operator had its shares",
            report.validators,
            chain.registrations()
        );
        for one in std::iter::once(&chain.request).chain(&chain.registered).chain(&chain.exit) {
            println!(
                "  block {:<4} {} for {} validators, paid {} wei",
                one.block, one.transaction, one.validators, one.paid_wei
            );
        }
    }
    if let Some(exit) = &report.exit {
        let Exit { validator, slot, stranger_heard, owner_heard, status, exit_epoch, .. } = exit;
        println!(
            "validator {validator}: {status} at the end, exit epoch {exit_epoch}; ordered to leave in slot {slot}"
        );
        println!("  its owner heard: {owner_heard}");
        println!("  somebody else heard: {stranger_heard}");
        println!();
    }
}

fn print_figures(report: &Report) {
    println!();
    println!("epoch {} is final at the end", report.finalized_epoch);
    println!("{:<24} {:>22}  {:>22}", "milliseconds into slot", "decided p50 p90 p99", "submitted p50 p90 p99");
    let kinds: std::collections::BTreeSet<&String> =
        report.decision_ms.keys().chain(report.submission_ms.keys()).collect();
    for kind in kinds {
        let show = |found: Option<&Percentiles>| {
            found.map_or_else(|| "-".to_owned(), |values| format!("{} {} {}", values.p50, values.p90, values.p99))
        };
        println!("{kind:<24} {:>22}  {:>22}", show(report.decision_ms.get(kind)), show(report.submission_ms.get(kind)));
    }
    let Percentiles { p50, p99, .. } = report.beacon_answer_ms;
    println!("the beacon node answered late in a slot within {p50} ms (p50) and {p99} ms (p99)");
    for operator in &report.operators {
        let missed: Vec<String> = operator.missed.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        println!(
            "operator {}: {:.1} s of processor time{}, {} MB, {} KB sent; timers late by {} ms (p50), {} ms (p99); missed: {}",
            operator.id,
            operator.cpu_ms as f64 / 1_000.0,
            operator.idle_cpu_percent.map_or(String::new(), |percent| format!(" ({percent:.1} % of a core when idle)")),
            operator.rss_bytes / 1_000_000,
            operator.bytes_sent / 1_000,
            operator.timer_lag_ms.p50,
            operator.timer_lag_ms.p99,
            if missed.is_empty() { "nothing".to_owned() } else { missed.join(", ") }
        );
    }
    println!();
}
