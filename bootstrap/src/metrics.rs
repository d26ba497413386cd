//! What a bootstrap peer counts. Every name begins with `cluster_bootstrap_`.

use std::sync::{Arc, Mutex};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use prometheus_client::registry::Registry;

/// Handles of all metrics; clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    /// Peers connected.
    pub peers: Gauge,
    /// Connections of strangers that were refused.
    pub refused: Counter,
    /// Reservations held at the relay.
    pub reservations: Gauge,
    /// Circuits that run through the relay.
    pub circuits: Gauge,
    /// Tests of a node's address from outside.
    pub probes: Counter,
    /// Operator records passed on.
    pub records: Counter,
    /// Operator records refused.
    pub records_refused: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("cluster_bootstrap");
        let (peers, refused) = (Gauge::default(), Counter::default());
        let (reservations, circuits) = (Gauge::default(), Gauge::default());
        let (probes, records, records_refused) = (Counter::default(), Counter::default(), Counter::default());
        registry.register("peers_connected", "Peers connected", peers.clone());
        registry.register("strangers_refused", "Connections of peers that are not registered", refused.clone());
        registry.register("relay_reservations", "Reservations held at the relay", reservations.clone());
        registry.register("relay_circuits", "Circuits that run through the relay", circuits.clone());
        registry.register("autonat_probes", "Tests of a node's address from outside", probes.clone());
        registry.register("records_forwarded", "Operator records passed on", records.clone());
        registry.register("records_refused", "Operator records refused", records_refused.clone());
        let registry = Arc::new(Mutex::new(registry));
        Self { registry, peers, refused, reservations, circuits, probes, records, records_refused }
    }
}

impl Metrics {
    /// The text that Prometheus reads.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        // Writing to a string does not fail.
        let _ = encode(&mut text, &registry);
        text
    }
}
