//! The duties of an operator: beacon nodes, signer, hub and engine, put together.

use std::sync::Arc;

use cluster_core::beacon::Epoch;
use cluster_core::committee::OperatorId;
use cluster_core::consensus::Evidence;
use cluster_core::duty::SigningId;
use cluster_core::machine::Time;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Loaded, NodeError};
use crate::beacon::{Beacon, BeaconNodes};
use crate::config::OperatorConfig;
use crate::driver::{Hooks, Wrap};
use crate::duties::engine::{Engine, Parts, Settings};
use crate::duties::exit::Orders;
use crate::duties::hub::Hub;
use crate::duties::hub::Observer;
use crate::duties::ledger::Ledger;
use crate::duties::mesh::{ClientMesh, Mesh};
use crate::duties::metrics::DutyMetrics;
use crate::duties::performance::Desk;
use crate::duties::record::{DutyRecord, Recorder};
use crate::duties::upkeep::Notebook;
use crate::duties::Clock;
use crate::exits::ExitDesk;
use crate::metrics::Metrics;
use crate::network::Client;
use crate::signer::Signer;
use crate::store::Store;

/// Whose duties they are.
pub(super) struct Context<'a> {
    pub(super) me: OperatorId,
    pub(super) config: &'a OperatorConfig,
    pub(super) loaded: &'a Loaded,
    pub(super) store: &'a Arc<Store>,
    pub(super) client: &'a Client,
    pub(super) signer: &'a Arc<dyn Signer>,
    pub(super) exits: &'a ExitDesk,
    pub(super) upkeep: &'a Arc<Notebook>,
    pub(super) metrics: &'a Metrics,
    pub(super) hooks: &'a Hooks,
    pub(super) stop: &'a CancellationToken,
    pub(super) tasks: &'a TaskTracker,
}

/// Duties under way.
#[derive(Clone)]
pub(super) struct Duties {
    pub(super) hub: Hub,
    pub(super) performance: Arc<Desk>,
    pub(super) beacon: Arc<dyn Beacon>,
}

/// Begins to perform duties; nothing when the operator has no beacon node.
// The error is large as it names keys and files; it is made once, when a node does not start.
#[allow(clippy::result_large_err)]
pub(super) fn start(context: &Context<'_>) -> Result<Option<Duties>, NodeError> {
    let Context { me, config, loaded, store, client, signer, exits, upkeep, metrics, hooks, stop, tasks } = *context;
    if config.beacon.urls.is_empty() {
        tracing::info!(
            operator_id = me.0,
            "no beacon node is configured: this operator makes keys, and performs no duties"
        );
        return Ok(None);
    }
    let clock = Clock::system();
    let beacon: Arc<dyn Beacon> = BeaconNodes::start(&config.beacon, metrics, stop.clone(), tasks)?;
    let beacon = wrapped(hooks.wrap_beacon.as_ref(), beacon);
    let signer = wrapped(hooks.wrap_signer.as_ref(), Arc::clone(signer));
    let mesh: Arc<dyn Mesh> =
        Arc::new(ClientMesh::new(client.clone(), clock, metrics.clone(), stop.clone(), tasks.clone()));
    let mesh = wrapped(hooks.wrap_mesh.as_ref(), mesh);
    let duty_metrics = DutyMetrics::new(metrics);
    let ledger = Ledger::new(Arc::clone(store), duty_metrics.clone(), me, config.duties.keep_records_slots);
    let observer = Arc::new(Watch { metrics: metrics.clone(), ledger: ledger.clone() });
    let hub = Hub::new(me, loaded.identity.clone(), mesh, Arc::clone(store) as _, clock, observer);
    let chain_id = loaded.network.chain_id();
    let performance = Arc::new(Desk::new(Arc::clone(store), Arc::clone(&beacon), chain_id, clock));
    let recorder: Arc<dyn Recorder> = match &hooks.recorder {
        Some(other) => Arc::new(Both(Arc::new(ledger), Arc::clone(other))),
        None => Arc::new(ledger),
    };
    let (desk, history) = (exits.clone(), Arc::clone(store));
    let twin = client.twin();
    let (entries, kept, spawner) = (Arc::clone(store), client.clone(), tasks.clone());
    let watched = Arc::clone(&beacon);
    let parts = Parts {
        me,
        chain_id: loaded.network.chain_id(),
        beacon,
        signer,
        hub: hub.clone(),
        clock,
        entries: Arc::new(move || entries.validators()),
        orders: Orders { read: Arc::new(move || desk.orders(clock.now().seconds())), changed: exits.changed() },
        changes: store.validators_changed(),
        finalized: Arc::new(move |epoch, slots_per_epoch| prune(&history, epoch, slots_per_epoch)),
        has_twin: Arc::new(move || twin.borrow().is_some()),
        keep: Arc::new(move |operators: Vec<OperatorId>| {
            let (client, peers) = (kept.clone(), operators.iter().filter_map(|id| kept.peer_of(*id)).collect());
            spawner.spawn(async move { client.keep(peers).await });
        }),
        recorder,
        upkeep: Arc::clone(upkeep),
        metrics: duty_metrics,
        settings: Settings {
            graffiti: config.duties.graffiti()?,
            builder: config.duties.builder,
            builder_boost_factor: config.duties.builder_boost_factor,
            round_ms: None,
            doppelganger_epochs: config.duties.doppelganger_epochs,
        },
        stop: stop.clone(),
        tasks: tasks.clone(),
    };
    tasks.spawn(Engine::run(parts));
    Ok(Some(Duties { hub, performance, beacon: watched }))
}

/// Epochs of slashing history beyond finality: a week and a half on mainnet, for people who look into an incident.
const KEPT_EPOCHS: u64 = 2_048;

/// Once in a while, forgets what finality has made impossible to repeat.
fn prune(store: &Arc<Store>, finalized: Epoch, slots_per_epoch: u64) {
    let before = Epoch(finalized.0.saturating_sub(KEPT_EPOCHS));
    if before.0 == 0 || !before.0.is_multiple_of(64) {
        return;
    }
    let store = Arc::clone(store);
    tokio::task::spawn_blocking(move || match store.slashing().prune(before, slots_per_epoch) {
        Ok(forgotten) => tracing::debug!(before = before.0, "forgot {forgotten} messages before epoch {before}"),
        Err(error) => tracing::error!(%error, "slashing history was not pruned: {error}"),
    });
}

fn wrapped<T: ?Sized>(wrap: Option<&Wrap<T>>, inner: Arc<T>) -> Arc<T> {
    match wrap {
        Some(wrap) => wrap(inner),
        None => inner,
    }
}

/// What the hub observes: counted, and added to the records.
struct Watch {
    metrics: Metrics,
    ledger: Ledger,
}

impl Observer for Watch {
    fn fault(&self, from: OperatorId, reason: &str) {
        self.metrics.fault(from, reason);
    }

    fn evidence(&self, evidence: &Evidence) {
        self.metrics.evidence(evidence);
    }

    fn expected(&self, operator: OperatorId, at: Time) {
        self.metrics.expected(operator, at);
    }

    fn heard(&self, from: OperatorId, at: Time) {
        self.metrics.heard(from, at);
    }

    fn attended(&self, exchange: &SigningId, participants: Vec<(OperatorId, u32)>) {
        self.ledger.attended(*exchange, participants);
    }
}

/// Records for two.
struct Both(Arc<dyn Recorder>, Arc<dyn Recorder>);

impl Recorder for Both {
    fn record(&self, record: DutyRecord) {
        self.0.record(record.clone());
        self.1.record(record);
    }
}
