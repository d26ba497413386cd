//! A committee on the virtual chain: the real engine, hub, signer and database of every operator, with messages and
//! beacon nodes in memory. In a paused runtime it runs in virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cluster_core::beacon::ChainSpec;
use cluster_core::committee::OperatorId;
use cluster_core::machine::Time;
use cluster_crypto::ethereum::Address;
use cluster_crypto::{identity, Threshold};
use cluster_node::duties::engine::{Engine, Parts, Settings};
use cluster_node::duties::exit::Orders;
use cluster_node::duties::hub::{Delivery, Hub};
use cluster_node::duties::mesh::{DutyMessage, Mesh};
use cluster_node::duties::metrics::DutyMetrics;
use cluster_node::duties::record::{DutyRecord, Recorder};
use cluster_node::duties::upkeep::{Note, Notebook};
use cluster_node::duties::Clock;
use cluster_node::metrics::Metrics;
use cluster_node::signer::{LocalSigner, Signer};
use cluster_node::store::{Store, StoreError, ValidatorEntry};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{VirtualChain, VirtualNode};
use crate::dealt::Dealt;

/// Pause before a lost message is sent again.
const AGAIN: Duration = Duration::from_millis(250);
/// Whom blocks of these validators pay.
pub const FEE_RECIPIENT: Address = Address([0xfe; 20]);
const CHAIN_ID: u64 = 560_048;

/// What links do to messages.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// Every message takes this long.
    pub latency: Duration,
    /// Of a thousand attempts to send, so many fail and are repeated.
    pub loss_permille: u32,
    /// Directions that carry nothing.
    pub cut: BTreeSet<(OperatorId, OperatorId)>,
}

/// Everybody's mailboxes.
struct Router {
    hubs: Mutex<BTreeMap<OperatorId, Hub>>,
    links: Mutex<Links>,
    rng: Mutex<ChaCha20Rng>,
    clock: Clock,
}

impl Router {
    async fn carry(self: Arc<Self>, from: OperatorId, to: OperatorId, message: DutyMessage, expires: Time) {
        while self.clock.now() < expires {
            let (latency, is_lost) = {
                let links = lock(&self.links);
                let is_lost = lock(&self.rng).next_u32() % 1_000 < links.loss_permille;
                (links.latency, is_lost || links.cut.contains(&(from, to)))
            };
            tokio::time::sleep(latency).await;
            let hub = lock(&self.hubs).get(&to).cloned();
            match hub.filter(|_| !is_lost).map(|hub| hub.deliver(from, message.clone())) {
                Some(Delivery::Accepted | Delivery::Refused(_)) => return,
                Some(Delivery::Busy) | None => tokio::time::sleep(AGAIN).await,
            }
        }
    }
}

struct MemoryMesh {
    me: OperatorId,
    router: Arc<Router>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Mesh for MemoryMesh {
    fn send(&self, to: OperatorId, message: DutyMessage, expires: Time) {
        let carried = Arc::clone(&self.router).carry(self.me, to, message, expires);
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let _ = stop.run_until_cancelled_owned(carried).await;
        });
    }
}

/// The records of one operator.
#[derive(Default)]
struct Records(Mutex<Vec<DutyRecord>>);

impl Recorder for Records {
    fn record(&self, record: DutyRecord) {
        lock(&self.0).push(record);
    }
}

/// An operator that runs.
struct Running {
    hub: Hub,
    store: Arc<Store>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// One operator of the committee.
struct Operator {
    identity: identity::SecretKey,
    dir: PathBuf,
    node: Arc<VirtualNode>,
    records: Arc<Records>,
    upkeep: Arc<Notebook>,
    has_twin: Arc<AtomicBool>,
    running: Option<Running>,
}

/// A committee and its chain.
pub struct VirtualCommittee {
    /// The chain.
    pub chain: Arc<VirtualChain>,
    clock: Clock,
    router: Arc<Router>,
    operators: BTreeMap<OperatorId, Operator>,
    /// Choices of those that are started from now on.
    pub settings: Settings,
}

impl VirtualCommittee {
    /// Makes keys for `validators`, gives every operator its shares, and starts nobody.
    ///
    /// # Errors
    /// The databases in `dir`.
    pub fn new(
        spec: ChainSpec,
        operators: usize,
        validators: usize,
        dir: &Path,
        seed: u64,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let threshold = Threshold::for_operators(operators)?;
        let identities: BTreeMap<OperatorId, identity::SecretKey> =
            (101..).take(operators).map(|id| (OperatorId(id), identity::SecretKey::generate(&mut rng))).collect();
        let Dealt { groups, stores, .. } = Dealt::new(&identities, threshold, validators, dir, &mut rng)?;
        let clock = Clock::at(Time((spec.genesis_time_s - 2) * 1_000));
        let chain = VirtualChain::new(spec, clock, &groups, FEE_RECIPIENT, seed);
        let mut members = BTreeMap::new();
        for ((id, identity), data_dir) in identities.iter().zip(stores) {
            let node = chain.node(&format!("beacon node of operator {id}"));
            let operator = Operator {
                identity: identity.clone(),
                dir: data_dir,
                node,
                records: Arc::default(),
                upkeep: Arc::default(),
                has_twin: Arc::default(),
                running: None,
            };
            members.insert(*id, operator);
        }
        let router = Arc::new(Router {
            hubs: Mutex::default(),
            links: Mutex::default(),
            rng: Mutex::new(ChaCha20Rng::seed_from_u64(seed ^ 0x11)),
            clock,
        });
        Ok(Self { chain, clock, router, operators: members, settings: Settings::default() })
    }

    /// The operators, in order.
    #[must_use]
    pub fn ids(&self) -> Vec<OperatorId> {
        self.operators.keys().copied().collect()
    }

    /// Changes all links.
    pub fn set_links(&self, links: Links) {
        *lock(&self.router.links) = links;
    }

    /// An operator's beacon node.
    #[must_use]
    pub fn node(&self, id: OperatorId) -> Option<Arc<VirtualNode>> {
        self.operators.get(&id).map(|operator| Arc::clone(&operator.node))
    }

    /// Has an operator know, from now on, whether another node runs with its key. There is no other.
    pub fn set_twin(&self, id: OperatorId, has_twin: bool) {
        if let Some(operator) = self.operators.get(&id) {
            operator.has_twin.store(has_twin, Ordering::Relaxed);
        }
    }

    /// What an operator recorded, over all its lives.
    #[must_use]
    pub fn records(&self, id: OperatorId) -> Vec<DutyRecord> {
        self.operators.get(&id).map(|operator| lock(&operator.records.0).clone()).unwrap_or_default()
    }

    /// What an operator did for a validator besides its duties, as it remembers it.
    #[must_use]
    pub fn upkeep(&self, id: OperatorId, pubkey: &[u8; 48]) -> Note {
        self.operators.get(&id).map(|operator| operator.upkeep.of(pubkey)).unwrap_or_default()
    }

    /// Has an operator that runs pay blocks of all validators to this address from now on.
    ///
    /// # Errors
    /// Its database.
    pub fn set_fee_recipient(&self, id: OperatorId, recipient: Address) -> Result<(), StoreError> {
        let Some(running) = self.operators.get(&id).and_then(|operator| operator.running.as_ref()) else {
            return Ok(());
        };
        for entry in running.store.validators()? {
            running.store.put_validator(&ValidatorEntry { fee_recipient: recipient, ..entry })?;
        }
        Ok(())
    }

    /// Starts an operator.
    ///
    /// # Errors
    /// Its database.
    pub fn start(&mut self, id: OperatorId) -> Result<(), StoreError> {
        let Some(operator) = self.operators.get_mut(&id) else { return Ok(()) };
        let store = Arc::new(Store::open(&operator.dir, &operator.identity)?);
        let (stop, tasks, clock) = (CancellationToken::new(), TaskTracker::new(), self.clock);
        let mesh = MemoryMesh { me: id, router: Arc::clone(&self.router), tasks: tasks.clone(), stop: stop.clone() };
        let metrics = Metrics::new();
        let observer = Arc::new(metrics.clone());
        let hub = Hub::new(id, operator.identity.clone(), Arc::new(mesh), Arc::clone(&store) as _, clock, observer);
        let signer: Arc<dyn Signer> = Arc::new(LocalSigner::open(Arc::clone(&store), Arc::new(move || clock.now()))?);
        let (entries, has_twin) = (Arc::clone(&store), Arc::clone(&operator.has_twin));
        let parts = Parts {
            me: id,
            chain_id: CHAIN_ID,
            beacon: Arc::clone(&operator.node) as _,
            signer,
            hub: hub.clone(),
            clock,
            entries: Arc::new(move || entries.validators()),
            orders: Orders::none(),
            changes: store.validators_changed(),
            finalized: Arc::new(|_, _| {}),
            has_twin: Arc::new(move || has_twin.load(Ordering::Relaxed)),
            keep: Arc::new(|_| {}),
            recorder: Arc::clone(&operator.records) as _,
            upkeep: Arc::clone(&operator.upkeep),
            metrics: DutyMetrics::new(&metrics),
            settings: self.settings.clone(),
            stop: stop.clone(),
            tasks: tasks.clone(),
        };
        tasks.spawn(Engine::run(parts));
        lock(&self.router.hubs).insert(id, hub.clone());
        operator.running = Some(Running { hub, store, stop, tasks });
        Ok(())
    }

    /// Ends an operator as a crash does: nothing more is written from this moment on.
    pub async fn kill(&mut self, id: OperatorId) {
        let Some(running) = self.operators.get_mut(&id).and_then(|operator| operator.running.take()) else { return };
        let Running { hub, store, stop, tasks } = running;
        store.close();
        lock(&self.router.hubs).remove(&id);
        stop.cancel();
        hub.shutdown().await;
        tasks.close();
        tasks.wait().await;
        drop(hub);
        // Dropping the last handle joins the database's own threads and frees its lock.
        let _ = tokio::task::spawn_blocking(move || drop(store)).await;
    }

    /// Lets slots pass: until the middle of the last one, so that the duties of the one before are over.
    pub async fn run_until(&self, slot: u64) {
        let spec = self.chain.spec();
        self.clock.sleep_until(spec.slot_start(cluster_core::beacon::Slot(slot)).plus_ms(spec.slot_ms / 2)).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
