//! One run: keys, chain, operators, faults, figures.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cluster_bootstrap::BootstrapConfig;
use cluster_node::config::ChainConfig;
use cluster_node::network::Transport;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::beacons::Beacons;
use super::builder;
use super::exit::{self, Order};
use super::folder::{self, FolderError};
use super::keys::{self, Key, KeysError, Made};
use super::observer::{Observer, ObserverError, Watched};
use super::on_chain::{Leave, OnChain};
use super::options::Plan;
use super::processes::{ProcessError, Processes};
use super::progress::Progress;
use super::report::{EpochFigures, EventFigures, ExitFigures, Percentiles, Report};
use super::results;
use super::setup::{self, Files, Setup, SetupError};
use super::stats;
use super::timeline::{timeline, Act};
use super::upkeep::{self, Counts};
use crate::demo::DemoError;
use crate::lodestar::LodestarError;
use crate::world::World;

/// How long operators may take to find each other.
const MESH_PATIENCE: Duration = Duration::from_secs(30);
/// Pause before a question about the chain is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// How often it is asked.
const ATTEMPTS: usize = 10;
/// Name of the report in the run's folder.
pub const REPORT_FILE: &str = "report.json";

/// Why a run has no report.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file.
    #[error("{path} cannot be used: {reason}")]
    File {
        /// Which.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The contracts.
    #[error("the validators are not registered: {0}")]
    Registration(#[from] DemoError),
    /// A beacon node.
    #[error(transparent)]
    Beacon(#[from] LodestarError),
    /// The bootstrap peer.
    #[error("the bootstrap peer does not start: {0}")]
    Bootstrap(#[from] cluster_bootstrap::StartError),
    /// The registry.
    #[error("the registry is refused: {0}")]
    Registry(#[from] cluster_core::registry::RegistryError),
    /// What processes have in common.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// An operator.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The chain.
    #[error(transparent)]
    Observer(#[from] ObserverError),
}

/// Runs the plan to its end; the report is also written to the run's folder.
///
/// With [`super::options::Options::serve`] the network stays up after the last epoch until `serving` is ended.
pub async fn run(plan: &Plan, serving: &Serving) -> Result<Report, RunError> {
    let options = &plan.options;
    let slots_per_epoch = options.preset.slots_per_epoch();
    let slots = (options.epochs + 1) * slots_per_epoch;
    let progress = Progress::new(slots, slots_per_epoch, u64::from(options.validators));
    let done = Run::start(plan, &progress).await;
    let report = match done {
        Ok(run) => run.finish(serving).await,
        Err(error) => Err(error),
    };
    progress.end();
    let report = report?;
    let path = options.out.join(REPORT_FILE);
    let text = serde_json::to_string_pretty(&report).unwrap_or_default();
    std::fs::write(&path, format!("{text}\n")).map_err(|error| RunError::File { path, reason: error.to_string() })?;
    Ok(report)
}

/// Between whoever runs a network and whoever looks at it.
#[derive(Clone, Debug, Default)]
pub struct Serving {
    /// The network stays up from now on.
    pub began: CancellationToken,
    /// Enough of it.
    pub end: CancellationToken,
}

/// Addresses on loopback that are free now.
fn loopback_addresses(count: usize) -> Result<Vec<String>, RunError> {
    let failed = |error: std::io::Error| RunError::File { path: "127.0.0.1".into(), reason: error.to_string() };
    let held: Result<Vec<_>, _> = (0..count).map(|_| std::net::TcpListener::bind("127.0.0.1:0")).collect();
    let addresses = held.map_err(failed)?.iter().map(std::net::TcpListener::local_addr).collect::<Result<Vec<_>, _>>();
    Ok(addresses.map_err(failed)?.iter().map(ToString::to_string).collect())
}

/// A network under way.
struct Run<'a> {
    plan: &'a Plan,
    progress: &'a Progress,
    world: World,
    keys: Vec<Key>,
    chain: Option<OnChain>,
    beacons: Beacons,
    bootstrap: cluster_bootstrap::Running,
    processes: Processes,
    observer: Observer,
    events: Vec<EventFigures>,
    epochs: Vec<EpochFigures>,
    exit: Option<ExitFigures>,
    upkeep: Counts,
    /// How long the beacon node took to answer, slot by slot.
    answers_ms: Vec<u64>,
    /// Where operators are to be looked at.
    http: Vec<String>,
}

impl<'a> Run<'a> {
    async fn start(plan: &'a Plan, progress: &'a Progress) -> Result<Self, RunError> {
        let options = &plan.options;
        let dir = folder::prepare(&options.out)?;
        let world = options.world();
        let how = if options.split { "get shares of the well-known" } else { "make the" };
        progress.line(&format!("{} operators {how} keys of {} validators", options.operators, options.validators));
        let Made { keys, chain } = keys::make(options, &dir).await?;
        progress.line("starting the beacon chain");
        let beacons = Beacons::start(options, &dir.join("beacon"), &keys).await?;
        let watched = keys.iter().map(|key| key.watched.clone()).collect();
        let observer = Observer::start(beacons.all(), options.preset, watched)?;
        let registry = Arc::new(world.registry()?);
        let listen = listen_address(options.transport).parse().into_iter().collect();
        let bootstrap =
            cluster_bootstrap::start(BootstrapConfig::new(world.bootstrap.clone(), registry, listen)).await?;
        let http = if options.serve { loopback_addresses(options.operators)? } else { Vec::new() };
        let contracts = chain.as_ref().map(|chain| chain.node_config(options.network)).unwrap_or_default();
        let setup = setup(plan, &dir, &bootstrap, &beacons, contracts, http.clone()).write()?;
        let mut processes = Processes::new(&options.program, &setup, &dir);
        progress.line(&format!("starting {} operators; each is a process of its own", options.operators));
        for operator in world.ids() {
            processes.start(operator)?;
        }
        let mut run = Self {
            plan,
            progress,
            world,
            keys,
            chain,
            beacons,
            bootstrap,
            processes,
            observer,
            events: Vec::new(),
            epochs: Vec::new(),
            exit: None,
            upkeep: Counts::new(),
            answers_ms: Vec::new(),
            http,
        };
        run.connect().await?;
        run.register(&dir).await?;
        Ok(run)
    }

    /// Waits for the mesh, but not beyond genesis by much: an operator that is lost is a finding, not a reason to stop.
    async fn connect(&mut self) -> Result<(), RunError> {
        let lonely = self.processes.connected(Instant::now() + MESH_PATIENCE).await?;
        let now = unix_ms();
        let genesis = self.beacons.genesis_ms();
        if !lonely.is_empty() {
            let lonely: Vec<String> = lonely.iter().map(ToString::to_string).collect();
            self.event(now, &format!("operator {} is not connected to all others", lonely.join(", ")));
        }
        if now > genesis {
            self.event(now, &format!("the operators were ready {} ms after genesis", now - genesis));
        } else {
            self.progress
                .line(&format!("the operators are connected; genesis in {:.1} s", (genesis - now) as f64 / 1e3));
        }
        Ok(())
    }

    /// On a chain, operators have no validators until their owner registers them.
    async fn register(&mut self, dir: &Path) -> Result<(), RunError> {
        let Some(chain) = &mut self.chain else { return Ok(()) };
        chain.register(&self.world, dir).await?;
        let transactions = chain.figures().registrations();
        let left = self.beacons.genesis_ms().saturating_sub(unix_ms()) as f64 / 1e3;
        self.progress.line(&format!(
            "{} validators are registered in {transactions}, and every operator has its shares; genesis in {left:.1} s",
            self.keys.len()
        ));
        Ok(())
    }

    async fn finish(mut self, serving: &Serving) -> Result<Report, RunError> {
        let genesis = self.beacons.genesis_ms();
        for (at, act) in timeline(self.plan, &self.world.ids()) {
            let wait = (genesis + at).saturating_sub(unix_ms());
            tokio::time::sleep(Duration::from_millis(wait)).await;
            self.act(act).await?;
        }
        self.beacons.settle().await?;
        let finalized_epoch = self.observer.finalized().await?;
        let version = self.observer.version().await?;
        let two_slots = Duration::from_secs(2 * self.plan.options.slot_seconds);
        if let Some(exit) = &mut self.exit {
            exit::look(&self.observer, exit, two_slots).await?;
        }
        if self.plan.options.serve {
            self.serve(serving).await?;
        }
        self.upkeep = upkeep::look(&self.plan.options.out, &self.processes.running(), two_slots).await;
        self.processes.stop_all().await?;
        self.report(finalized_epoch, version).await
    }

    /// Leaves everything as it is until somebody has seen enough.
    async fn serve(&mut self, serving: &Serving) -> Result<(), RunError> {
        serving.began.cancel();
        self.progress.line("the chain goes on until Ctrl-C; the report is written then. To look at it:");
        if let Some(chain) = &self.chain {
            self.progress.line(&format!("  contracts     {} (addresses in {})", chain.url(), setup::FILE));
        }
        for url in self.beacons.of_operators() {
            self.progress.line(&format!("  beacon node   curl -s {url}/eth/v1/beacon/headers/head"));
        }
        for (operator, address) in self.world.ids().into_iter().zip(&self.http) {
            self.progress.line(&format!(
                "  operator {operator}  curl -s http://{address}/duties   curl -s http://{address}/metrics"
            ));
        }
        let log = self.plan.options.out.join("operator-*.log");
        self.progress.line(&format!("  logs          tail -f {}", log.display()));
        loop {
            tokio::select! {
                () = serving.end.cancelled() => return Ok(()),
                () = tokio::time::sleep(ASK_AGAIN) => self.processes.check()?,
            }
        }
    }

    async fn act(&mut self, act: Act) -> Result<(), RunError> {
        let now = unix_ms();
        match act {
            Act::Look(slot) => {
                self.processes.check()?;
                let epoch = slot / self.plan.options.preset.slots_per_epoch();
                let asked = Instant::now();
                let finalized = self.observer.finalized().await.ok();
                self.answers_ms.push(u64::try_from(asked.elapsed().as_millis()).unwrap_or(u64::MAX));
                self.progress.slot(slot, self.observer.standing(epoch), finalized);
            }
            Act::Epoch(epoch) => {
                let figures = self.figures(epoch).await?;
                self.progress.epoch(&figures);
                self.epochs.push(figures);
            }
            Act::Stop(operator) => {
                self.event(now, &format!("operator {operator} is stopped"));
                self.processes.stop(operator).await?;
            }
            Act::Kill(operator) => {
                self.event(now, &format!("operator {operator} is killed"));
                self.processes.kill(operator).await?;
            }
            Act::Start(operator) => {
                self.event(now, &format!("operator {operator} is started again"));
                self.processes.start(operator)?;
            }
            Act::Upgrade(operator) => {
                self.event(now, &format!("operator {operator} is stopped and started as the next release"));
                self.processes.stop(operator).await?;
                if let Some(program) = &self.plan.options.upgrade {
                    self.processes.start_as(program, operator)?;
                }
            }
            Act::Exit(index) => self.order_exit(now, index).await?,
            Act::KillBeacon => {
                self.event(now, "the first beacon node is killed");
                self.beacons.kill_first().await?;
            }
            Act::StartBeacon => {
                self.event(now, "the first beacon node is started again");
                self.beacons.restart_first().await?;
            }
        }
        Ok(())
    }

    /// A stranger orders a validator to leave, and then its owner does.
    async fn order_exit(&mut self, now_ms: u64, index: u64) -> Result<(), RunError> {
        let (slot, epoch) = (self.slot(now_ms), self.plan.options.exit.map_or(0, |(_, epoch)| epoch));
        let key = usize::try_from(index).ok().and_then(|at| self.keys.get(at));
        let figures = match (&mut self.chain, key) {
            (Some(chain), Some(key)) => {
                let (pubkey, seed) = (key.watched.pubkey.clone(), self.plan.options.seed);
                Some(chain.leave(&self.world, Leave { validator: index, pubkey, slot, epoch, seed }).await)
            }
            _ => self.order_by_command(slot, index).await?,
        };
        let Some(figures) = figures else {
            self.event(now_ms, "nobody is there to order a validator to leave");
            return Ok(());
        };
        let heard = if figures.accepted { "is taken" } else { "is refused" };
        self.event(now_ms, &format!("the owner's order to validator {index} to leave {heard}"));
        self.exit = Some(figures);
        Ok(())
    }

    /// Without a chain, orders go to any operator that runs.
    async fn order_by_command(&self, slot: u64, index: u64) -> Result<Option<ExitFigures>, RunError> {
        let options = &self.plan.options;
        let running = self.processes.running();
        let mut urls =
            running.iter().filter_map(|operator| stats::last(&Files::of(&options.out, *operator).stats)?.http);
        let (Some(operator), Some(key)) =
            (urls.next_back(), usize::try_from(index).ok().and_then(|at| self.keys.get(at)))
        else {
            return Ok(None);
        };
        let order = Order {
            program: &options.node_program,
            network: options.network,
            operator: &operator,
            validator: index,
            pubkey: &key.watched.pubkey,
            owner: &self.world.owner,
            seed: options.seed,
            slot,
        };
        let failed =
            |error: std::io::Error| RunError::File { path: options.node_program.clone(), reason: error.to_string() };
        exit::give(&order).await.map(Some).map_err(failed)
    }

    async fn figures(&self, epoch: u64) -> Result<EpochFigures, RunError> {
        let mut attempt = 1;
        loop {
            match self.observer.epoch(epoch).await {
                Err(error) if attempt < ATTEMPTS => {
                    tracing::info!(epoch, "the figures of epoch {epoch} are not there yet: {error}");
                    tokio::time::sleep(ASK_AGAIN).await;
                    attempt += 1;
                }
                done => return Ok(done?),
            }
        }
    }

    fn slot(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.beacons.genesis_ms()) / (self.plan.options.slot_seconds * 1_000)
    }

    fn event(&mut self, now_ms: u64, what: &str) {
        let slot = self.slot(now_ms);
        self.progress.line(&format!("slot {slot:<3} {what}"));
        self.events.push(EventFigures { slot, what: what.to_owned() });
    }

    async fn report(self, finalized_epoch: u64, version: String) -> Result<Report, RunError> {
        let options = &self.plan.options;
        let (ids, genesis) = (self.world.ids(), self.beacons.genesis_ms());
        let builder = self.beacons.relay_report().await?.map(|seen| {
            let watched: Vec<Watched> = self.keys.iter().map(|key| key.watched.clone()).collect();
            let (fails, slots) = (options.builder_fails_from(), options.preset.slots_per_epoch());
            builder::figures(seen, &watched, &self.epochs, fails, slots)
        });
        let mut findings = self.observer.finish();
        let operators = results::collect(&options.out, &ids, genesis, &mut findings.checker)
            .map_err(|error| RunError::File { path: options.out.clone(), reason: error.to_string() })?;
        self.bootstrap.shutdown().await;
        let percentiles = |values: BTreeMap<String, Vec<u64>>| {
            values.into_iter().map(|(kind, values)| (kind, Percentiles::of(values))).collect()
        };
        Ok(Report {
            versions: BTreeMap::from([
                ("cluster-node".to_owned(), cluster_net::info::RELEASE.to_owned()),
                ("beacon".to_owned(), version),
            ]),
            seed: options.seed,
            operators_count: options.operators,
            validators: self.keys.len(),
            keys: if options.split { "split" } else { "dkg" }.to_owned(),
            preset: options.preset.name().to_owned(),
            slot_seconds: options.slot_seconds,
            fork: options.fork.name().to_owned(),
            faults: options.faults(),
            events: self.events,
            epochs: self.epochs,
            finalized_epoch,
            decision_ms: percentiles(operators.decision_ms),
            submission_ms: percentiles(operators.submission_ms),
            beacon_answer_ms: Percentiles::of(self.answers_ms),
            operators: operators.operators,
            slashable: findings.checker.slashable(),
            wrong_fee_recipient: findings.wrong_fee_recipient,
            violations: findings.checker.violations().to_vec(),
            wrong_fee_recipients: findings.wrong_recipients,
            checked: findings.checker.checked(),
            builder,
            exit: self.exit,
            upkeep: self.upkeep,
            chain: self.chain.map(|chain| chain.figures().clone()),
        })
    }
}

fn setup(
    plan: &Plan,
    dir: &Path,
    bootstrap: &cluster_bootstrap::Running,
    beacons: &Beacons,
    chain: ChainConfig,
    http: Vec<String>,
) -> Setup {
    let options = &plan.options;
    Setup {
        dir: dir.to_owned(),
        network: options.network,
        operators: options.operators,
        first_operator_id: options.first_operator_id(),
        seed: options.seed,
        preset: options.preset,
        tcp: options.transport == Transport::Tcp,
        bootstrap: bootstrap.dial_addresses().iter().map(ToString::to_string).collect(),
        beacon_urls: beacons.of_operators(),
        chain,
        builder: options.builder,
        http,
        latency_ms: u64::try_from(options.link.latency.as_millis()).unwrap_or(u64::MAX),
        loss: options.link.loss,
        one_way: plan.one_way.clone(),
        byzantine: plan.byzantine.clone(),
    }
}

fn listen_address(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "/ip4/127.0.0.1/tcp/0",
        Transport::Quic | Transport::Both => "/ip4/127.0.0.1/udp/0/quic-v1",
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
