//! How long a committee takes for the attestations of a slot: consensus, slashing protection, partial signatures, combination,
//! check and submission, by operators in one process over real loopback sockets, each with a database of its own.
//!
//! There is no chain: in the first slot of every epoch all validators attest, so that nothing is slashable, and a server on
//! loopback takes what is submitted, as a beacon node would over HTTP.

mod operator;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::routing::post;
use axum::Router;
use cluster_core::beacon::{AttestationData, ChainSpec, Checkpoint, Epoch, Slot};
use cluster_core::committee::{Committee, CommitteeError};
use cluster_core::network::Network;
use cluster_core::registry::RegistryError;
use cluster_crypto::{Threshold, ThresholdError};
use cluster_node::duties::Clock;
use cluster_node::network::{StartError, Transport};
use cluster_node::store::StoreError;
use futures::future::join_all;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use crate::dealt::Dealt;
use crate::lodestar::unix_seconds;
use crate::report::{cpu_ms, max_rss_bytes};
use crate::virtual_chain;
use crate::world::World;
use operator::{Done, Operator};

/// Short slots, so that the next epoch begins soon: the work of a slot is not measured against their length.
const SLOT_MS: u64 = 250;
/// Epochs before the first that is measured: caches are cold.
const WARM_UP: u64 = 3;
/// Bytes of a submission that the server takes: 500 attestations of 500 bytes of JSON, and many more.
const BODY_BYTES: usize = 64 * 1024 * 1024;
/// How long operators may take to find each other.
const MESH_PATIENCE: Duration = Duration::from_secs(30);

/// What is measured.
#[derive(Clone, Debug)]
pub struct Options {
    /// Folder for the databases.
    pub dir: PathBuf,
    /// Operators: 4, 7, 10 or 13.
    pub operators: usize,
    /// Validators, all of which attest in each of the slots.
    pub validators: usize,
    /// Slots that are measured.
    pub slots: u64,
    /// Transport of the mesh.
    pub transport: Transport,
    /// Seed of the keys.
    pub seed: u64,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// The size of the committee.
    #[error("the committee is refused: {0}")]
    Committee(#[from] CommitteeError),
    /// The size of the committee.
    #[error("--operators: {0}")]
    Threshold(#[from] ThresholdError),
    /// A database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The registry.
    #[error("the registry is refused: {0}")]
    Registry(#[from] RegistryError),
    /// The mesh.
    #[error(transparent)]
    Mesh(#[from] StartError),
    /// The mesh.
    #[error("the operators did not find each other within {} s", MESH_PATIENCE.as_secs())]
    Lonely,
    /// The server.
    #[error("the server for submissions does not start: {0}")]
    Server(std::io::Error),
    /// A duty.
    #[error("slot {slot} was not performed by operator {operator}: {reason}")]
    Missed {
        /// Which.
        slot: Slot,
        /// By whom.
        operator: cluster_core::committee::OperatorId,
        /// In words.
        reason: String,
    },
}

/// Milliseconds below which a share of the values is, in hundredths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Half of the values.
    pub p50: f64,
    /// Nine of ten.
    pub p90: f64,
    /// 99 of 100.
    pub p99: f64,
    /// All.
    pub max: f64,
}

/// What came out. Times are in milliseconds, from the moment at which every operator has its attestation data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Operators.
    pub operators: usize,
    /// Validators that attest in each slot.
    pub validators: usize,
    /// Slots.
    pub slots: u64,
    /// `quic` or `tcp`.
    pub transport: String,
    /// To the decision, over all operators.
    pub decided_ms: Spread,
    /// To the last signature of the slot, combined and verified, over all operators.
    pub signed_ms: Spread,
    /// To the answer to the submission, over all operators.
    pub submitted_ms: Spread,
    /// The same for the first operator of each slot: when the chain has the attestations.
    pub first_submitted_ms: Spread,
    /// Processor time for one slot and operator.
    pub cpu_ms: f64,
    /// Consensus rounds of all slots; one each when no leader was late.
    pub rounds: u64,
    /// Proposals that carried the value, for one instance: n-1 when no leader was late.
    pub values_sent: f64,
    /// Bytes of consensus that an operator sent for one instance, acknowledgements included.
    pub consensus_bytes: f64,
    /// Bytes of partial signatures that an operator sent for one slot, acknowledgements included.
    pub signing_bytes: f64,
    /// Most memory of the process with all operators.
    pub rss_bytes: u64,
}

/// Measures.
///
/// # Errors
/// The setup, or a duty that was not performed: figures of half a committee would mean nothing.
pub async fn run(options: &Options) -> Result<Figures, MeasureError> {
    let world = World::generate(Network::Hoodi, options.operators, options.seed);
    let threshold = Threshold::for_operators(options.operators)?;
    let mut rng = ChaCha20Rng::seed_from_u64(options.seed);
    let dealt = Dealt::new(&world.operators, threshold, options.validators, &options.dir, &mut rng)?;
    let members = world.operators.iter().map(|(id, key)| (*id, key.public_key())).collect();
    let committee = Arc::new(Committee::new(members)?);
    // A thousand epochs after genesis, so that sources are before targets.
    let now_s = unix_seconds();
    let genesis_s = now_s - 1_000 * 8 * SLOT_MS / 1_000;
    let spec = Arc::new(virtual_chain::spec(world.network.chain_id(), genesis_s, SLOT_MS, None));
    let sink = serve().await.map_err(MeasureError::Server)?;
    let mesh = operator::Mesh { world: &world, committee, spec: Arc::clone(&spec), transport: options.transport, sink };
    let mut operators: Vec<Operator> = Vec::new();
    for ((id, identity), data_dir) in world.operators.iter().zip(&dealt.stores) {
        let known = operators.first().map(Operator::addresses).unwrap_or_default();
        operators.push(Operator::start(&mesh, (*id, identity), data_dir, known, &dealt).await?);
    }
    if !join_all(operators.iter().map(|operator| operator.is_connected(&operators, MESH_PATIENCE)))
        .await
        .iter()
        .all(|there| *there)
    {
        return Err(MeasureError::Lonely);
    }
    let figures = measure(options, &spec, &operators).await;
    for operator in operators {
        operator.stop().await;
    }
    figures
}

async fn measure(options: &Options, spec: &ChainSpec, operators: &[Operator]) -> Result<Figures, MeasureError> {
    let clock = Clock::system();
    let slots_per_epoch = spec.slots_per_epoch();
    let first = spec.slot_at(clock.now()).unwrap_or_default().0 / slots_per_epoch + 1;
    let (mut all, mut firsts) = (Vec::new(), Vec::new());
    let mut before = Used::default();
    for epoch in first..first + WARM_UP + options.slots {
        if epoch == first + WARM_UP {
            before = Used::now(operators);
        }
        let slot = Slot(epoch * slots_per_epoch);
        clock.sleep_until(spec.slot_start(slot)).await;
        let data = attestation(slot, Epoch(epoch));
        let done = join_all(operators.iter().map(|operator| operator.attest(&data))).await;
        let done: Vec<Done> = done.into_iter().collect::<Result<_, _>>()?;
        if epoch >= first + WARM_UP {
            firsts.extend(done.iter().map(|done| done.submitted).min());
            all.extend(done);
        }
    }
    let used = Used::now(operators);
    let (slots, shares) = (options.slots as f64, (options.slots * operators.len() as u64) as f64);
    Ok(Figures {
        operators: operators.len(),
        validators: options.validators,
        slots: options.slots,
        transport: if options.transport == Transport::Tcp { "tcp" } else { "quic" }.to_owned(),
        decided_ms: Spread::of(all.iter().map(|done| done.decided)),
        signed_ms: Spread::of(all.iter().map(|done| done.signed)),
        submitted_ms: Spread::of(all.iter().map(|done| done.submitted)),
        first_submitted_ms: Spread::of(firsts.into_iter()),
        cpu_ms: (used.cpu_ms - before.cpu_ms) / shares,
        rounds: all.iter().map(|done| u64::from(done.round)).sum::<u64>() / operators.len() as u64,
        values_sent: (used.values - before.values) as f64 / slots,
        consensus_bytes: (used.consensus_bytes - before.consensus_bytes) as f64 / shares,
        signing_bytes: (used.signing_bytes - before.signing_bytes) as f64 / shares,
        rss_bytes: max_rss_bytes(),
    })
}

/// Counters of the process and of all operators.
#[derive(Clone, Copy, Default)]
struct Used {
    cpu_ms: f64,
    values: u64,
    consensus_bytes: u64,
    signing_bytes: u64,
}

impl Used {
    fn now(operators: &[Operator]) -> Self {
        let sum = |count: fn(&Operator) -> u64| operators.iter().map(count).sum();
        Self {
            cpu_ms: cpu_ms(),
            values: sum(Operator::values_sent),
            consensus_bytes: sum(|operator| operator.stats().consensus.bytes_sent),
            signing_bytes: sum(|operator| operator.stats().signing.bytes_sent),
        }
    }
}

impl Spread {
    fn of(times: impl Iterator<Item = Duration>) -> Self {
        let mut values: Vec<Duration> = times.collect();
        values.sort_unstable();
        let rank = |percent: usize| {
            let rank = (values.len() * percent).div_ceil(100).max(1);
            let value = values.get(rank - 1).copied().unwrap_or_default();
            (value.as_secs_f64() * 100_000.0).round() / 100.0
        };
        Self { p50: rank(50), p90: rank(90), p99: rank(99), max: rank(100) }
    }
}

fn attestation(slot: Slot, epoch: Epoch) -> AttestationData {
    let mut root = [0x5a; 32];
    root[..8].copy_from_slice(&slot.0.to_be_bytes());
    AttestationData {
        slot,
        index: 0,
        beacon_block_root: root,
        source: Checkpoint { epoch: Epoch(epoch.0 - 1), root: [0x51; 32] },
        target: Checkpoint { epoch, root },
    }
}

/// Takes what operators submit; returns its URL.
async fn serve() -> std::io::Result<String> {
    // Read to its end, as a beacon node does before it answers.
    let take = |body: axum::body::Bytes| async move { drop(body) };
    let router =
        Router::new().route(operator::SUBMISSIONS, post(take)).layer(axum::extract::DefaultBodyLimit::max(BODY_BYTES));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

/// Writes figures to a file.
///
/// # Errors
/// The file.
pub fn write(figures: &Figures, path: &Path) -> std::io::Result<()> {
    let text = serde_json::to_string_pretty(figures).unwrap_or_default();
    std::fs::write(path, format!("{text}\n"))
}
