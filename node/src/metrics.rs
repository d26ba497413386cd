//! Prometheus metrics of a node. Every name begins with `cluster_node_`.

use std::sync::{Arc, Mutex};

use prometheus_client::encoding::{text::encode, EncodeLabelSet};
use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram};
use prometheus_client::registry::Registry;

/// Label of a DKG step.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StepLabel {
    /// commit, deal, echo, verdicts, store, sign or certify.
    pub step: String,
}

/// Label of how a thing ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabel {
    /// Short word, documented at the metric.
    pub outcome: &'static str,
}

/// Label of a fault that a peer committed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FaultLabel {
    /// Registry number of the operator that sent the message.
    pub operator_id: u32,
    /// What was wrong.
    pub reason: String,
}

/// Label of another operator.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PeerLabel {
    /// Registry number.
    pub operator_id: u32,
}

/// Handles of all metrics; clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    /// Ceremonies under way.
    pub ceremonies_open: Gauge,
    /// Ceremonies that ended: ready, incomplete, aborted.
    pub ceremonies_ended: Family<OutcomeLabel, Counter>,
    /// Seconds spent in each step.
    pub step_seconds: Family<StepLabel, Histogram>,
    /// Messages of peers that were faults.
    pub peer_faults: Family<FaultLabel, Counter>,
    /// Messages waiting for their peers' acknowledgement.
    pub outbound_waiting: Gauge,
    /// Attempts to deliver a message that failed.
    pub outbound_retries: Counter,
    /// Messages of duties that were dropped because too many waited for their peer.
    pub duty_messages_dropped: Counter,
    /// Messages of duties that were of no use any more before their peer had them.
    pub duty_messages_expired: Counter,
    /// When a message of a duty last came from an operator: seconds since 1970. Operators that were never heard count from
    /// the moment at which the first committee with them was known.
    pub operator_heard: Family<PeerLabel, Gauge>,
    /// Requests of owners: accepted, refused.
    pub requests: Family<OutcomeLabel, Counter>,
    /// Peers connected.
    pub peers_connected: Gauge,
    /// Calls to the service: ok, retry, refused.
    pub service_calls: Family<OutcomeLabel, Counter>,
    /// Certificates waiting to be published.
    pub outbox_waiting: Gauge,
    /// Certificates that the service refused for good; each needs a person.
    pub outbox_refused: Gauge,
    /// Contributions of operators that did not verify.
    pub contributions_bad: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Registers everything.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("cluster_node");
        let metrics = Self {
            registry: Arc::new(Mutex::new(Registry::default())),
            ceremonies_open: Gauge::default(),
            ceremonies_ended: Family::default(),
            step_seconds: Family::new_with_constructor(step_histogram),
            peer_faults: Family::default(),
            outbound_waiting: Gauge::default(),
            outbound_retries: Counter::default(),
            duty_messages_dropped: Counter::default(),
            duty_messages_expired: Counter::default(),
            operator_heard: Family::default(),
            requests: Family::default(),
            peers_connected: Gauge::default(),
            service_calls: Family::default(),
            outbox_waiting: Gauge::default(),
            outbox_refused: Gauge::default(),
            contributions_bad: Counter::default(),
        };
        registry.register("ceremonies_open", "Ceremonies under way", metrics.ceremonies_open.clone());
        registry.register("ceremonies_ended", "Ceremonies that ended, by outcome", metrics.ceremonies_ended.clone());
        registry.register("step_seconds", "Time spent in each step of a ceremony", metrics.step_seconds.clone());
        registry.register("peer_faults", "Messages that no honest operator sends", metrics.peer_faults.clone());
        registry.register("outbound_waiting", "Messages not yet acknowledged", metrics.outbound_waiting.clone());
        registry.register("outbound_retries", "Failed attempts to deliver a message", metrics.outbound_retries.clone());
        let (dropped, expired) = (metrics.duty_messages_dropped.clone(), metrics.duty_messages_expired.clone());
        registry.register("duty_messages_dropped", "Messages of duties dropped from full queues", dropped);
        registry.register("duty_messages_expired", "Messages of duties that came to nothing in time", expired);
        let help = "When a message of a duty last came from an operator, in seconds since 1970";
        registry.register("operator_heard_timestamp_seconds", help, metrics.operator_heard.clone());
        registry.register("requests", "Requests of owners, by outcome", metrics.requests.clone());
        registry.register("peers_connected", "Peers connected", metrics.peers_connected.clone());
        registry.register("service_calls", "Calls to the service, by outcome", metrics.service_calls.clone());
        registry.register("outbox_waiting", "Certificates waiting to be published", metrics.outbox_waiting.clone());
        registry.register("outbox_refused", "Certificates that the service refused", metrics.outbox_refused.clone());
        registry.register("contributions_bad", "Contributions that did not verify", metrics.contributions_bad.clone());
        registry.register("store_errors", "Failures to read or write the database", crate::store::failures());
        Self { registry: Arc::new(Mutex::new(registry)), ..metrics }
    }

    /// Lets another part (the mesh) register its own metrics.
    pub fn with_registry<R>(&self, add: impl FnOnce(&mut Registry) -> R) -> R {
        match self.registry.lock() {
            Ok(mut registry) => add(&mut registry),
            Err(poisoned) => add(&mut poisoned.into_inner()),
        }
    }

    /// The OpenMetrics text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing into a string does not fail.
        let _ = self.with_registry(|registry| encode(&mut out, registry));
        out
    }
}

fn step_histogram() -> Histogram {
    // From a step on a local network with one key to one that waits for a silent operator.
    Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0])
}
