//! Trouble with the chain, for all parts at once: operators, gateway and service read it through endpoints that die, lie and
//! refuse, while blocks with every kind of event are taken back and contracts emit what they never would. At the end, and after
//! each reorganisation, everybody has to know what the chain says, all of it and nothing else.
//!
//! | file | part |
//! | --- | --- |
//! | `weather.rs` | two endpoints for each part, and what is wrong with them when |
//! | `acts.rs` | the transactions of the owner, on the branch that loses and on the one that wins |
//! | `garbage.rs` | events that are none |
//! | `check.rs` | what each part knows, compared with a plain read of the chain |
//! | `report.rs` | what came out |

mod acts;
mod check;
mod garbage;
mod report;
mod weather;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster_core::certificate::Certificate;
use cluster_core::network::Network;
use cluster_node::network::Transport;
use cluster_node::store::StoreError;
use cluster_service::store::Store as ServiceStore;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

pub use acts::{Kind, Outcome};
pub use report::{CeremonyFigures, GarbageFigures, PartFigures, ReorgFigures, Report};

use crate::ceremony::{self, CeremonyError};
use crate::evm::{Chain, ChainOptions, EvmError, Registration, Tools};
use crate::network::{NetworkError, Part, Settings, Testnet};
use crate::owner::{Owner, OwnerError, Patience};
use crate::timings::Timings;
use crate::world::World;
use acts::Acts;
use garbage::Dump;
use weather::Weather;

/// Deepest reorganisation.
pub const MAX_DEPTH: u64 = 8;
/// Old blocks that everybody has to catch up with, a hundred at once.
const OLD_BLOCKS: u64 = 250;
/// Validators that are registered before there is trouble.
const FIRST_REGISTERED: usize = 4;
/// Blocks that are paid for.
const BLOCKS: u64 = 220_000;
/// Pieces of garbage on a branch that loses.
const LOST_GARBAGE: usize = 3;

/// What a run does.
#[derive(Clone, Debug)]
pub struct Options {
    /// Operators: 4, 7, 10 or 13.
    pub operators: usize,
    /// Rounds: in each there is a reorganisation around every kind of event. After eight, each kind had every depth.
    pub rounds: u32,
    /// Events that are none, on the chain that wins.
    pub garbage: usize,
    /// Seed of keys, depths, outcomes, faults and garbage.
    pub seed: u64,
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum TroubleError {
    /// The network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The owner at the service.
    #[error(transparent)]
    Owner(#[from] OwnerError),
    /// The chain.
    #[error(transparent)]
    Evm(#[from] EvmError),
    /// The first ceremony.
    #[error(transparent)]
    Ceremony(#[from] CeremonyError),
    /// An operator's database.
    #[error("an operator's database: {0}")]
    Store(#[from] StoreError),
    /// The service's database.
    #[error("the service's database: {0}")]
    Service(#[from] cluster_service::store::StoreError),
    /// The first ceremony has no keys for everybody.
    #[error("the ceremony of the first validators is not ready")]
    NoKeys,
    /// No validator is in the state that an act is about.
    #[error("no validator is left that could be {0}")]
    NoValidator(&'static str),
    /// Somebody knows something else than the chain says.
    #[error("{seconds} s {after}: {}", differences.join("; "))]
    Different {
        /// After what.
        after: String,
        /// How long everybody had.
        seconds: u64,
        /// Who, and what.
        differences: Vec<String>,
    },
}

/// Starts everything, makes trouble, and checks; `said` hears one line for each step.
pub async fn run(options: &Options, dir: &Path, said: &mut (dyn FnMut(&str) + Send)) -> Result<Report, TroubleError> {
    let began = Instant::now();
    let world = World::generate_from(Network::Hoodi, 0, options.operators, options.seed);
    let parts: Vec<Part> = world.ids().into_iter().map(Part::Operator).chain([Part::Gateway, Part::Service]).collect();
    let on_chain = ChainOptions { first_operator_id: 0, old_blocks: OLD_BLOCKS, ..ChainOptions::default() };
    let chain = Arc::new(Chain::start(&Tools::find()?, &world, on_chain).await?);
    said(&format!("the chain has {} blocks; everybody reads it through two endpoints", chain.head().await?));
    let weather = Weather::start(chain.url(), &parts, options.seed).await?;
    let timings = Timings::for_ceremonies(options.operators, pool_size(options.rounds), Duration::ZERO);
    let mut settings = Settings::calm(dir, Transport::Tcp, timings, options.seed);
    settings.chain = Some(Arc::clone(&chain));
    settings.endpoints = weather.urls();
    let mut testnet = Testnet::start(world, settings).await?;
    let done = trouble(options, &mut testnet, &chain, &weather, said).await;
    testnet.shutdown().await;
    let report = done?;
    Ok(Report { wall_s: began.elapsed().as_secs_f64(), ..report })
}

/// Validators of the first ceremony: each round may use up two.
fn pool_size(rounds: u32) -> u32 {
    8 + 2 * rounds
}

async fn trouble(
    options: &Options,
    testnet: &mut Testnet,
    chain: &Arc<Chain>,
    weather: &Weather,
    said: &mut (dyn FnMut(&str) + Send),
) -> Result<Report, TroubleError> {
    let owner = Owner::log_in(&testnet.service_url()?, &testnet.world.owner).await?;
    let service = ServiceStore::open(testnet.service_database(), 2).await?;
    weather.begin();
    let mut acts = Acts::new(Arc::clone(chain), options.seed);
    let wanted = acts.wanted(&testnet.world, pool_size(options.rounds));
    let patience = Patience { result: check::PATIENCE, missing: check::PATIENCE };
    let finished = ceremony::run(testnet, &owner, &wanted, None, patience, &mut |_| {}).await?;
    let (Some(files), Some(asked)) = (&finished.files, &finished.asked) else { return Err(TroubleError::NoKeys) };
    let certificate = Certificate::from_json(&files.certificate).map_err(CeremonyError::from)?;
    acts.pool = Registration::of_certificate(&certificate);
    acts.note(asked);
    said(&format!("{} validators are made; the first {FIRST_REGISTERED} are registered", acts.pool.len()));
    chain.stop_the_clock().await?;
    let first = acts.pool.get(..FIRST_REGISTERED).unwrap_or_default();
    chain.register(&testnet.world.owner, first, BLOCKS).await?;
    chain.mine(2).await?;

    let mut run = Run {
        testnet,
        owner: &owner,
        chain,
        service,
        dump: Dump::new(options.seed),
        dice: ChaCha20Rng::seed_from_u64(options.seed),
        acts,
        reorgs: Vec::new(),
        garbage: GarbageFigures::default(),
    };
    run.settled("after the start").await?;
    let reorgs = options.rounds * u32::try_from(Kind::ALL.len()).unwrap_or(1);
    let pieces = options.garbage.div_ceil(usize::try_from(reorgs.max(1)).unwrap_or(1));
    for (kind, depth) in plan(options.rounds, options.seed) {
        let left = options.garbage - run.garbage.emitted.min(options.garbage);
        let line = run.reorg(kind, depth, pieces.min(left)).await?;
        said(&line);
    }
    weather.end().await?;
    let parts = run.finish(weather).await?;
    said("everybody knows what the chain says, and nothing else");
    let Run { reorgs, garbage, acts, .. } = run;
    let ceremonies = acts.ceremonies;
    Ok(Report { seed: options.seed, operators: options.operators, reorgs, garbage, ceremonies, parts, wall_s: 0.0 })
}

/// Kinds and depths: within a round every kind once, over eight rounds every kind with every depth.
fn plan(rounds: u32, seed: u64) -> Vec<(Kind, u64)> {
    let mut dice = ChaCha20Rng::seed_from_u64(seed ^ 0x706c_616e);
    let mut depths: Vec<u64> = (1..=MAX_DEPTH).collect();
    for last in (1..depths.len()).rev() {
        let other = usize::try_from(dice.next_u32()).unwrap_or(0) % (last + 1);
        depths.swap(last, other);
    }
    let mut plan = Vec::new();
    for round in 0..usize::try_from(rounds).unwrap_or(0) {
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            plan.push((kind, depths.get((round + at) % depths.len()).copied().unwrap_or(1)));
        }
    }
    plan
}

/// A run under way.
struct Run<'a> {
    testnet: &'a Testnet,
    owner: &'a Owner,
    chain: &'a Arc<Chain>,
    /// The service's database, read beside it.
    service: ServiceStore,
    dump: Dump,
    dice: ChaCha20Rng,
    acts: Acts,
    reorgs: Vec<ReorgFigures>,
    garbage: GarbageFigures,
}

impl Run<'_> {
    /// One reorganisation: everybody reads the branch that loses, then the one that wins.
    async fn reorg(&mut self, kind: Kind, depth: u64, garbage: usize) -> Result<String, TroubleError> {
        let outcome = Outcome::ALL.get(usize::try_from(self.dice.next_u32() % 3).unwrap_or(0)).copied();
        let outcome = outcome.unwrap_or(Outcome::Without);
        let what = format!("{kind} on {depth} blocks that are taken back, and {outcome}");
        let world = &self.testnet.world;
        let (snapshot, base) = (self.chain.snapshot().await?, self.chain.head().await?);
        let lost = self.acts.act(kind, world).await?;
        let raw = self.chain.raw_transaction(&lost).await?;
        if depth >= 3 {
            let dumped = self.dump.pieces(self.chain, LOST_GARBAGE).await?;
            self.garbage.lost += dumped.values().map(Vec::len).sum::<usize>();
            for (contract, pieces) in &dumped {
                self.chain.emit(*contract, pieces).await?;
            }
        }
        let made = self.chain.head().await? - base;
        // The head has no events: whoever reads it sooner than it counts knows the same.
        self.chain.mine((depth + 1).saturating_sub(made).max(1)).await?;
        let began = Instant::now();
        self.settled(&format!("before the reorganisation: {what}")).await?;
        let lost_read_ms = began.elapsed().as_secs_f64() * 1_000.0;
        if kind == Kind::Request && self.dice.next_u32().is_multiple_of(2) {
            self.ready(self.acts.newest()).await?;
        }

        self.chain.revert(snapshot).await?;
        // Not the block that was there.
        self.chain.mine(1).await?;
        match outcome {
            Outcome::Without => {}
            Outcome::Same => drop(self.chain.send_again(&raw).await?),
            Outcome::Other => drop(self.acts.act(kind, world).await?),
        }
        let dumped = self.dump.pieces(self.chain, garbage).await?;
        for (contract, pieces) in &dumped {
            self.chain.emit(*contract, pieces).await?;
            self.garbage.emitted += pieces.len();
        }
        let made = self.chain.head().await? - base;
        self.chain.mine((depth + 2).saturating_sub(made).max(1)).await?;
        let began = Instant::now();
        self.settled(&format!("after the reorganisation: {what}")).await?;
        let settled_ms = began.elapsed().as_secs_f64() * 1_000.0;
        self.reorgs.push(ReorgFigures { kind, depth, outcome, lost_read_ms, settled_ms });
        Ok(what)
    }
}
