//! Metrics of beacon nodes. Labelled with the node's URL as it is shown.

use std::time::Duration;

use cluster_core::beacon::Slot;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram};

use super::NodeState;
use crate::metrics::Metrics;

/// Label of a beacon node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct NodeLabel {
    /// Its URL without secrets.
    pub node: String,
}

/// Labels of a node's state.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StateLabel {
    /// Its URL without secrets.
    pub node: String,
    /// [`NodeState::name`].
    pub state: &'static str,
}

/// Labels of a failed call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EndpointLabel {
    /// The node's URL without secrets.
    pub node: String,
    /// What was called.
    pub endpoint: &'static str,
}

/// Handles of the metrics; clones share them.
#[derive(Clone, Debug)]
pub(super) struct BeaconMetrics {
    up: Family<NodeLabel, Gauge>,
    state: Family<StateLabel, Gauge>,
    head_slot: Family<NodeLabel, Gauge>,
    request_seconds: Family<NodeLabel, Histogram>,
    errors: Family<EndpointLabel, Counter>,
}

impl BeaconMetrics {
    /// Registers everything.
    pub(super) fn new(metrics: &Metrics) -> Self {
        let own = Self {
            up: Family::default(),
            state: Family::default(),
            head_slot: Family::default(),
            request_seconds: Family::new_with_constructor(request_histogram),
            errors: Family::default(),
        };
        metrics.with_registry(|registry| {
            registry.register("beacon_up", "Whether the beacon node can be asked for duties", own.up.clone());
            registry.register("beacon_state", "1 for the beacon node's state, 0 for the others", own.state.clone());
            registry.register("beacon_head_slot", "Slot of the beacon node's head", own.head_slot.clone());
            let help = "Time that calls to the beacon node took";
            registry.register("beacon_request_seconds", help, own.request_seconds.clone());
            registry.register("beacon_errors", "Failed calls to the beacon node, by endpoint", own.errors.clone());
        });
        own
    }

    pub(super) fn state(&self, node: &str, state: NodeState) {
        let label = NodeLabel { node: node.to_owned() };
        self.up.get_or_create(&label).set(i64::from(state.serves_head()));
        for other in NodeState::ALL {
            let label = StateLabel { node: node.to_owned(), state: other.name() };
            self.state.get_or_create(&label).set(i64::from(other == state));
        }
    }

    pub(super) fn head_slot(&self, node: &str, slot: Slot) {
        let slot = i64::try_from(slot.0).unwrap_or(i64::MAX);
        self.head_slot.get_or_create(&NodeLabel { node: node.to_owned() }).set(slot);
    }

    pub(super) fn request(&self, node: &str, took: Duration) {
        self.request_seconds.get_or_create(&NodeLabel { node: node.to_owned() }).observe(took.as_secs_f64());
    }

    pub(super) fn error(&self, node: &str, endpoint: &'static str) {
        self.errors.get_or_create(&EndpointLabel { node: node.to_owned(), endpoint }).inc();
    }
}

/// Registers the metrics, with one sample of each: what dashboards and alerts may name.
pub(crate) fn register_sample(metrics: &Metrics, node: &str) {
    let own = BeaconMetrics::new(metrics);
    own.state(node, NodeState::Ready);
    own.head_slot(node, Slot(0));
    own.request(node, Duration::ZERO);
    drop(own.errors.get_or_create(&EndpointLabel { node: node.to_owned(), endpoint: crate::monitoring::ANY }));
}

fn request_histogram() -> Histogram {
    // From a node on the same machine to one that makes a block with a slow builder.
    Histogram::new([0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0])
}
