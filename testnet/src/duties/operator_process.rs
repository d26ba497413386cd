//! An operator of a run, as its own process.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cluster_core::committee::OperatorId;
use cluster_net::identity::peer_id;
use cluster_node::config::OperatorConfig;
use cluster_node::driver::Hooks;
use cluster_node::network::{Link, LinkFaults, Transport};
use cluster_node::operator::{self, Loaded, NodeError, RunningOperator};
use tokio::io::AsyncReadExt;

use super::byzantine::Wraps;
use super::results::RecordLog;
use super::setup::{Files, Setup, SetupError};
use super::signed::{LineLog, LoggedSigner};
use super::stats::{self, StatsLine};
use crate::report::{cpu_ms, max_rss_bytes};
use crate::world::World;

const STATS_EVERY: Duration = Duration::from_secs(1);
const WATCH_EVERY: Duration = Duration::from_millis(100);

/// Why the process ends early.
#[derive(Debug, thiserror::Error)]
pub enum OperatorProcessError {
    /// The setup.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// Not one of the run's operators.
    #[error("there is no operator {0} in this run")]
    Unknown(OperatorId),
    /// The registry.
    #[error("the registry is refused: {0}")]
    Registry(#[from] cluster_core::registry::RegistryError),
    /// The node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A log of the run.
    #[error("the operator's files in {dir} cannot be written: {reason}")]
    Files {
        /// The run's folder.
        dir: String,
        /// The system's words.
        reason: String,
    },
}

/// Runs the operator until standard input ends or SIGTERM comes.
pub async fn run(world_file: &Path, id: OperatorId) -> Result<(), OperatorProcessError> {
    let setup = Setup::read(world_file)?;
    let world = setup.world();
    let identity = world.operators.get(&id).cloned().ok_or(OperatorProcessError::Unknown(id))?;
    let files = Files::of(&setup.dir, id);
    let failed = |error: std::io::Error| OperatorProcessError::Files {
        dir: setup.dir.display().to_string(),
        reason: error.to_string(),
    };
    let stats = LineLog::open(&files.stats).map_err(failed)?;
    let registry = Arc::new(world.registry()?);
    let loaded = Loaded { identity, network: setup.network, registry, reloadable: None };
    let hooks = hooks(&setup, &world, id, &loaded, &files).map_err(failed)?;
    let operator = operator::start_with(config(&setup, &world, id, &files), loaded, hooks).await?;
    // To read the list checks every key; what it was filled by is of interest where the contracts fill it.
    let count = setup.chain.is_on();
    let line = |lag: &AtomicU64| {
        let held = if count { operator.validators().ok() } else { None };
        let validators = held.map(|held| held.iter().filter(|entry| entry.active).count());
        StatsLine { validators, ..stats_line(&operator, &world, id, lag) }
    };
    let lag = Arc::new(AtomicU64::new(0));
    let watch = tokio::spawn(watch_timers(Arc::clone(&lag)));
    let ended = ended();
    tokio::pin!(ended);
    let mut tick = tokio::time::interval(STATS_EVERY);
    loop {
        tokio::select! {
            () = &mut ended => break,
            _ = tick.tick() => stats.append(&line(&lag)).map_err(failed)?,
        }
    }
    watch.abort();
    stats.append(&line(&lag)).map_err(failed)?;
    operator.shutdown().await;
    Ok(())
}

/// Its faults, its misbehaviour, and who writes down what it does.
fn hooks(setup: &Setup, world: &World, id: OperatorId, loaded: &Loaded, files: &Files) -> std::io::Result<Hooks> {
    let wraps = Wraps::new(setup.behaviours(id), id, loaded.identity.clone(), world.ids(), setup.seed);
    let (beacon, mesh, signer) = (wraps.clone(), wraps.clone(), wraps);
    let signed = Arc::new(LineLog::open(&files.signed)?);
    Ok(Hooks {
        faults: Some(faults(setup, world)),
        transport: setup.transport(),
        wrap_beacon: Some(Arc::new(move |inner| beacon.beacon(inner))),
        wrap_mesh: Some(Arc::new(move |inner| mesh.mesh(inner))),
        // Logged is what the shares have signed, whatever a liar makes of it.
        wrap_signer: Some(Arc::new(move |inner| {
            signer.signer(Arc::new(LoggedSigner::new(inner, Arc::clone(&signed))))
        })),
        recorder: Some(Arc::new(RecordLog(LineLog::open(&files.records)?))),
        ..Hooks::default()
    })
}

fn config(setup: &Setup, world: &World, id: OperatorId, files: &Files) -> OperatorConfig {
    let mut config = OperatorConfig { data_dir: files.data_dir.clone(), ..OperatorConfig::default() };
    let listen = match setup.transport() {
        Transport::Tcp => "/ip4/127.0.0.1/tcp/0",
        Transport::Quic | Transport::Both => "/ip4/127.0.0.1/udp/0/quic-v1",
    };
    config.mesh.listen = vec![listen.to_owned()];
    config.mesh.bootstrap.clone_from(&setup.bootstrap);
    let position = world.operators.keys().position(|other| *other == id).unwrap_or(0);
    config.http.listen = setup.http.get(position).cloned().unwrap_or_else(|| "127.0.0.1:0".to_owned());
    config.beacon.urls = setup.urls_of(position);
    config.chain = setup.chain.clone();
    config.duties.builder = setup.builder;
    // Nobody else has these keys, and a run has no epochs to wait in.
    config.duties.doppelganger_epochs = 0;
    config
}

/// The faults of this operator's own requests and of the answers to them: every process applies its own.
fn faults(setup: &Setup, world: &World) -> LinkFaults {
    let faults = LinkFaults::new(setup.seed);
    let latency = Duration::from_millis(setup.latency_ms);
    faults.set_default(Link { latency, loss: setup.loss });
    faults.set_lost_after(Duration::from_millis(250) + latency * 4);
    let peer = |id: &OperatorId| world.operators.get(id).and_then(|key| peer_id(&key.public_key()).ok());
    for (from, to) in &setup.one_way {
        if let (Some(from), Some(to)) = (peer(from), peer(to)) {
            faults.block(from, to);
        }
    }
    faults
}

/// Keeps the most by which a timer of this process was late: on a busy machine everything that it does is as late.
async fn watch_timers(lag: Arc<AtomicU64>) {
    loop {
        let due = tokio::time::Instant::now() + WATCH_EVERY;
        tokio::time::sleep_until(due).await;
        let late = u64::try_from(due.elapsed().as_millis()).unwrap_or(u64::MAX);
        lag.fetch_max(late, Ordering::Relaxed);
    }
}

fn stats_line(operator: &RunningOperator, world: &World, id: OperatorId, lag: &AtomicU64) -> StatsLine {
    let client = operator.client();
    let is_connected = |other: &&OperatorId| client.peer_of(**other).is_some_and(|peer| client.connected(&peer));
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let stats = client.stats();
    // Gossip and info have one version.
    let spoken = || stats.by_protocol().into_iter().filter(|(protocol, _)| !matches!(*protocol, "gossip" | "info"));
    StatsLine {
        validators: None,
        release: cluster_net::info::RELEASE.to_owned(),
        http: operator.http_address().map(|address| format!("http://{address}")),
        newest_sent: spoken().map(|(protocol, count)| (protocol.to_owned(), count.newest_sent)).collect(),
        older_sent: spoken()
            .map(|(protocol, count)| (protocol.to_owned(), count.messages_sent.saturating_sub(count.newest_sent)))
            .collect(),
        at_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
        pid: std::process::id(),
        cpu_ms: cpu_ms() as u64,
        rss_bytes: max_rss_bytes(),
        bytes_sent: stats
            .by_protocol()
            .into_iter()
            .map(|(protocol, count)| (protocol.to_owned(), count.bytes_sent))
            .collect(),
        faults: stats::faults(&operator.metrics().text()),
        timer_lag_ms: lag.swap(0, Ordering::Relaxed),
        operators_connected: world.operators.keys().filter(|other| **other != id).filter(is_connected).count(),
    }
}

/// Standard input ends with the process that started this one; SIGTERM is how it says goodbye.
async fn ended() {
    let parent_gone = async {
        let mut byte = [0; 1];
        let mut stdin = tokio::io::stdin();
        while matches!(stdin.read(&mut byte).await, Ok(read) if read > 0) {}
    };
    let terminated = async {
        use tokio::signal::unix::{signal, SignalKind};
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending::<()>().await,
        }
    };
    tokio::select! {
        () = parent_gone => {}
        () = terminated => {}
    }
}
