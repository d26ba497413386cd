//! `cluster-testnet demo`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{bail, Context};
use clap::{Args, ValueEnum};
use cluster_core::dkg::{Behaviour, Step};
use cluster_core::network::Network;
use cluster_node::network::{Link, Transport};
use cluster_testnet::ceremony::Finished;
use cluster_testnet::console::working_step;
use cluster_testnet::demo::{is_ready, write_files, write_replaced, Demo, Options, REPLACED_FOLDER};
use cluster_testnet::evm::{Bond, ChainOptions, Gate, Tools};
use cluster_testnet::progress::Progress;
use cluster_testnet::replace::Replaced;
use cluster_testnet::report::ReadinessFigures;
use cluster_testnet::world::withdrawal_address;
use rand_core::{OsRng, RngCore};

/// What the process ends with when operators are missing.
const INCOMPLETE: u8 = 3;
/// From four operators to the largest committee.
const MOST_SPARE: usize = 9;

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Number of operators: 4, 7, 10 or 13.
    #[arg(long, default_value_t = 4)]
    operators: usize,
    /// Operators beyond the committee, 0 to 9, that wait to be chosen: for committees of another size, and to replace one.
    #[arg(long, default_value_t = 0)]
    spare_operators: usize,
    /// Number of validators, 1 to 1000.
    #[arg(long, default_value_t = 3)]
    validators: u32,
    /// Network of the validators: hoodi or mainnet.
    #[arg(long, default_value = "hoodi")]
    network: Network,
    /// Where withdrawals go: an address, or `lido` for the network's Lido withdrawal vault.
    #[arg(long, default_value = "lido")]
    withdrawal_address: String,
    /// Transport between operators.
    #[arg(long, value_enum, default_value = "quic")]
    transport: TransportArg,
    /// Folder for deposit_data-*.json, certificate.json, report.json and registry.toml; files of an earlier demo in it
    /// are replaced.
    #[arg(long, default_value = "demo-out")]
    out: PathBuf,
    /// Delay of every message between nodes, in milliseconds.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Share of messages that are lost, such as 0.05 for one in twenty.
    #[arg(long, default_value_t = 0.0)]
    loss: f64,
    /// Kill an operator (its position, counted from 1, or its id) when it enters a step: commit, deal, echo, verdicts,
    /// store, sign or certify.
    #[arg(long, value_name = "OPERATOR@STEP", value_parser = parse_kill)]
    kill: Option<(u32, Step)>,
    /// Start the killed operator again.
    #[arg(long, requires = "kill")]
    restart: bool,
    /// Let an operator (its position or id) misbehave, such as 2:wrong-share; may be given several times.
    #[arg(long, value_name = "OPERATOR:BEHAVIOUR", value_parser = parse_byzantine)]
    byzantine: Vec<(u32, Behaviour)>,
    /// Seed of keys, lost messages and misbehaviour; random when not given.
    #[arg(long)]
    seed: Option<u64>,
    /// `anvil`: operators, requests and fees go over a chain of our own, with the network's contracts and a double of
    /// Lido's on it (needs Node.js and `make setup`). `none`: over the registry file and the service alone.
    #[arg(long, value_enum, default_value = "none")]
    chain: ChainArg,
    /// Relay for wallets on phones, which the app then offers: ws://HOST:PORT.
    #[arg(long, value_name = "URL", requires = "chain")]
    walletconnect_relay: Option<String>,
    /// Id of the first operator on the chain: 0 or 1.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=1))]
    first_operator_id: u32,
    /// When the validators are ready, stop this operator (its position or its id) for good, and move their shares to the others and
    /// one more operator: the same keys in another committee, without a chain.
    #[arg(long, value_name = "OPERATOR")]
    replace: Option<u32>,
    /// On the chain: the gate through which the keys go to Lido's module, `permissionless` unless given. `ics` and `idvtc` are vetted: the owner is put on the
    /// gate's list, and proves that.
    #[arg(long, value_enum)]
    gate: Option<GateArg>,
    /// On the chain: what the bond of the keys is paid in, `eth` unless given. The owner's wallet has all three.
    #[arg(long, value_enum)]
    bond: Option<BondArg>,
    /// Keep the network running afterwards, until Ctrl-C. Lines on its standard input stop and start operators and the
    /// service; `help` lists them.
    #[arg(long)]
    serve: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ChainArg {
    None,
    Anvil,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum GateArg {
    /// For everybody.
    Permissionless,
    /// For identified community stakers.
    Ics,
    /// For identified clusters of distributed validators.
    Idvtc,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum BondArg {
    /// Ether.
    Eth,
    /// stETH.
    Steth,
    /// wstETH.
    Wsteth,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TransportArg {
    Quic,
    Tcp,
}

fn parse_kill(text: &str) -> Result<(u32, Step), String> {
    let (operator, step) = text.split_once('@').ok_or("it must be of the form OPERATOR@STEP, such as 2@echo")?;
    let operator = operator.parse().map_err(|_| format!("`{operator}` is not a position or an id of an operator"))?;
    Ok((operator, working_step(step)?))
}

fn parse_byzantine(text: &str) -> Result<(u32, Behaviour), String> {
    let (operator, behaviour) =
        text.split_once(':').ok_or("it must be of the form OPERATOR:BEHAVIOUR, such as 2:silent")?;
    let operator = operator.parse().map_err(|_| format!("`{operator}` is not a position or an id of an operator"))?;
    Ok((operator, behaviour.parse()?))
}

pub(super) fn run(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    let options = options(args)?;
    let seed = options.seed;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime cannot start")?;
    let done = runtime.block_on(async {
        tokio::select! {
            done = demo(args, options) => done,
            signal = tokio::signal::ctrl_c(), if !args.serve => {
                signal.context("signals cannot be received")?;
                bail!("interrupted")
            }
        }
    });
    done.with_context(|| format!("the demo failed (seed {seed}; repeat it with --seed {seed})"))
}

fn options(args: &DemoArgs) -> anyhow::Result<Options> {
    if !matches!(args.operators, 4 | 7 | 10 | 13) {
        bail!("--operators must be 4, 7, 10 or 13, not {}", args.operators);
    }
    if args.spare_operators > MOST_SPARE {
        bail!("--spare-operators must be 0 to {MOST_SPARE}, not {}", args.spare_operators);
    }
    if args.validators == 0 || args.validators > cluster_core::request::MAX_VALIDATORS {
        bail!("--validators must be 1 to {}, not {}", cluster_core::request::MAX_VALIDATORS, args.validators);
    }
    if !(0.0..=0.9).contains(&args.loss) {
        bail!("--loss must be between 0 and 0.9, not {}", args.loss);
    }
    if args.latency_ms > 10_000 {
        bail!("--latency-ms must be at most 10000, not {}", args.latency_ms);
    }
    if args.replace.is_some() && args.chain != ChainArg::None {
        bail!("--replace shows the reshare alone; leave --chain out");
    }
    if args.chain == ChainArg::None && (args.gate.is_some() || args.bond.is_some()) {
        bail!("--gate and --bond are about Lido's module, which is on a chain: give --chain anvil");
    }
    let address = withdrawal_address(&args.withdrawal_address, args.network).map_err(anyhow::Error::msg)?;
    let seed = args.seed.unwrap_or_else(|| u64::from(OsRng.next_u32()));
    Ok(Options {
        withdrawal_address: address,
        transport: match args.transport {
            TransportArg::Quic => Transport::Quic,
            TransportArg::Tcp => Transport::Tcp,
        },
        link: Link { latency: Duration::from_millis(args.latency_ms), loss: args.loss },
        kill: args.kill.map(|(operator, step)| (operator, step, args.restart)),
        byzantine: args.byzantine.clone(),
        relay: args.walletconnect_relay.clone(),
        chain: (args.chain == ChainArg::Anvil).then_some(ChainOptions {
            first_operator_id: args.first_operator_id,
            gate: match args.gate {
                None | Some(GateArg::Permissionless) => Gate::Permissionless,
                Some(GateArg::Ics) => Gate::Ics,
                Some(GateArg::Idvtc) => Gate::Idvtc,
            },
            bond: match args.bond {
                None | Some(BondArg::Eth) => Bond::Eth,
                Some(BondArg::Steth) => Bond::Steth,
                Some(BondArg::Wsteth) => Bond::Wsteth,
            },
            ..ChainOptions::default()
        }),
        spare_operators: args.spare_operators,
        replace: args.replace,
        ..Options::new(args.network, args.operators, args.validators, seed)
    })
}

async fn demo(args: &DemoArgs, options: Options) -> anyhow::Result<ExitCode> {
    let dir = tempfile::tempdir().context("there is no place for the databases")?;
    let faults_above_f = options.byzantine.len() > (options.operators - 1) / 3;
    let (seed, operators) = (options.seed, options.operators);
    println!(
        "{} validators for {} by {operators} operators over {} (seed {seed})",
        args.validators,
        args.network,
        if matches!(args.transport, TransportArg::Quic) { "QUIC" } else { "TCP" },
    );
    if faults_above_f {
        println!("more operators misbehave than the committee tolerates; it may end without keys");
    }
    let mut progress = Progress::new(operators);
    if options.chain.is_some() && !Tools::find()?.is_compiled() {
        println!("the contracts are compiled first, which takes minutes and happens once");
    }
    progress.waiting("starting bootstrap peer, operators, gateway and service");
    let demo = Demo::start(options, dir.path()).await;
    progress.begin();
    let mut demo = demo?;
    let finished = demo.run(&mut |event| progress.see(event)).await;
    progress.end();
    let ended = match finished {
        Ok(mut finished) => match go_on(args, &mut demo, &mut finished).await {
            Ok(replaced) => conclude(args, &mut demo, &finished, replaced.as_ref()).await,
            Err(error) => Err(error),
        },
        Err(error) => Err(error.into()),
    };
    demo.shutdown().await;
    ended
}

/// Another operator in the place of one, if that is wanted. On a chain, and when nobody wants to do it by hand: everything that
/// follows deposit data.
async fn go_on(args: &DemoArgs, demo: &mut Demo, finished: &mut Finished) -> anyhow::Result<Option<Replaced>> {
    if demo.testnet.chain().is_none() {
        return Ok(demo.replace(finished).await?);
    }
    if !args.serve && is_ready(finished) {
        println!();
        demo.go_on(finished, &mut |line| println!("  {line}")).await?;
    }
    Ok(None)
}

/// Writes the files and says what there is to do with them.
async fn conclude(
    args: &DemoArgs,
    demo: &mut Demo,
    finished: &Finished,
    replaced: Option<&Replaced>,
) -> anyhow::Result<ExitCode> {
    let registry = toml::to_string(&demo.testnet.world.registry_file(demo.testnet.bootstrap_addresses().to_vec()))
        .context("the registry cannot be written as TOML")?;
    let deposit_file = write_files(&args.out, finished, &registry)?;
    if let Some(chain) = demo.testnet.chain() {
        write_json(&args.out.join("contracts.json"), &chain.description(&demo.testnet.world))?;
    }
    print_figures(finished);
    if let Some(replaced) = replaced {
        print_replaced(&write_replaced(&args.out, replaced)?, replaced);
    }
    let code = match &finished.report.readiness {
        ReadinessFigures::Ready => ExitCode::SUCCESS,
        ReadinessFigures::Incomplete { missing } => {
            let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
            println!("The validators are incomplete: operator {} has not confirmed its shares.", missing.join(", "));
            println!("They become ready when it comes back; until then there is nothing to deposit.");
            println!("Figures: {}", args.out.join("report.json").display());
            ExitCode::from(INCOMPLETE)
        }
        ReadinessFigures::Aborted { reason } => {
            bail!("the ceremony ended without keys: {reason}; see {}", args.out.join("report.json").display())
        }
    };
    if let Some(deposit_file) = deposit_file {
        print_next_steps(args, &deposit_file, finished);
    }
    if args.serve {
        serve(args, demo, is_ready(finished)).await?;
    }
    Ok(code)
}

fn print_figures(finished: &Finished) {
    let report = &finished.report;
    println!();
    println!("request to row in the service: {:.0} ms; processor time {:.0} ms", report.wall_ms, report.cpu_ms);
    let spent = |step: &Step| Some(format!("{step} {:.0}", report.steps_ms.get(step.name())?));
    println!("milliseconds in each step: {}", Step::ALL.iter().filter_map(spent).collect::<Vec<_>>().join(", "));
    for culprit in &report.culprits {
        let by: Vec<String> = culprit.named_by.iter().map(ToString::to_string).collect();
        println!("operator {} is named for {} by operators {}", culprit.operator_id, culprit.kind, by.join(", "));
    }
    if !finished.evidence.is_empty() {
        println!("the evidence is beside the other files; `cluster-node verify` judges it");
    }
}

fn print_replaced(path: &Path, replaced: &Replaced) {
    let figures = &replaced.figures;
    println!(
        "operator {} was stopped and replaced by operator {}: the shares of {} validators moved in {:.0} ms",
        figures.left, figures.joined, figures.k, figures.wall_ms
    );
    println!("their new certificate: {}", path.display());
}

fn print_next_steps(args: &DemoArgs, deposit_file: &Path, finished: &Finished) {
    let out = args.out.display();
    println!(
        "{} validators are ready, and every field of their deposit data was verified:",
        finished.report.pubkeys.len()
    );
    println!("  deposit data  {}", deposit_file.display());
    println!("  certificate   {}", args.out.join("certificate.json").display());
    println!("  figures       {}", args.out.join("report.json").display());
    println!("What to do next:");
    println!("  check them again, offline:   cluster-node verify {out} --registry {out}/registry.toml");
    if finished.report.replacement.is_some() {
        println!("  compare the reshare:         cluster-node verify {out}/{REPLACED_FOLDER} --previous {out}");
    }
    println!(
        "  check them independently:    python3 testnet/verify/deposit_verifier.py --network {} --withdrawal-address {} {}",
        args.network,
        args.withdrawal_address,
        deposit_file.display()
    );
    println!("  upload the deposit data to Lido CSM; keys of a demo die with it, so do this with a real network only");
}

/// Stays up until Ctrl-C, and does what standard input says.
async fn serve(args: &DemoArgs, demo: &mut Demo, is_ready: bool) -> anyhow::Result<()> {
    let (service, gateway) = (demo.testnet.service_url()?, demo.testnet.gateway_url()?);
    let key_file = args.out.join("owner.key");
    write_owner_key(&key_file, demo)?;
    let ids: Vec<String> = demo.testnet.world.ids().iter().take(args.operators).map(ToString::to_string).collect();
    println!();
    println!("The network stays up until Ctrl-C.");
    println!("  app        {service}/ (import the owner key into a test wallet of your browser)");
    println!("  service    {service}");
    if let Some(chain) = demo.testnet.chain() {
        println!("  rpc        {} (chain id {})", chain.url(), chain.deployment.chain_id);
        println!("  contracts  {}", args.out.join("contracts.json").display());
    }
    println!("  gateway    {gateway}");
    for address in demo.testnet.bootstrap_addresses() {
        println!("  bootstrap  {address}");
    }
    println!("  owner key  {} ({})", key_file.display(), demo.testnet.world.owner.address());
    println!("Look around as the owner (the session lasts a day):");
    let token = demo.owner.token();
    for path in ["/v1/ceremonies", if is_ready { "/v1/validators?status=ready" } else { "/v1/validators" }] {
        println!("  curl -H 'Authorization: Bearer {token}' '{service}{path}'");
    }
    println!("  curl '{service}/v1/operators'");
    println!("Make more validators:");
    println!(
        "  cluster-node request --service {service} --registry {} --owner-key-file {} --cluster-pubkey {} --operators {} --validators 1 --withdrawal-address {} --wait --out more",
        args.out.join("registry.toml").display(),
        key_file.display(),
        demo.testnet.world.gateway.public_key(),
        ids.join(","),
        args.withdrawal_address
    );
    println!("Break it: `stop-operator 2`, `start-operator 2`, `restart-service`; `help` lists the commands.");
    super::console::run(&mut demo.testnet).await?;
    println!("stopping");
    Ok(())
}

fn write_json(path: &Path, value: &serde_json::Value) -> anyhow::Result<()> {
    std::fs::write(path, format!("{value:#}\n")).with_context(|| format!("{} cannot be written", path.display()))
}

/// The key of a test wallet, readable by its owner only, as `cluster-node request` wants it.
fn write_owner_key(path: &Path, demo: &Demo) -> anyhow::Result<()> {
    if path.exists() {
        std::fs::remove_file(path).with_context(|| format!("{} cannot be replaced", path.display()))?;
    }
    let text = demo.testnet.world.owner.to_bytes().expose(|bytes| hex::encode(bytes));
    cluster_node::keys::write_private(path, text.as_bytes())?;
    Ok(())
}
