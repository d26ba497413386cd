//! Metrics of reading the chain.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// All metrics of reading the chain; zeros where no chain is configured.
#[derive(Debug, Default)]
pub struct ChainMetrics {
    /// Newest block that an execution node reported.
    pub head_block: Gauge,
    /// Last block that was read.
    pub read_block: Gauge,
    /// Blocks that left the chain after they had been read.
    pub blocks_undone: Counter,
    /// Contradictions of execution nodes, and reorganisations that are too deep.
    pub troubles: Counter,
    /// Events in quarantine.
    pub quarantined: Gauge,
    /// Validators about which a beacon node was asked.
    pub beacon_answers: Counter,
    /// Answers to questions about contracts that were at hand.
    pub cache_hits: Counter,
    node_errors: Family<NodeErrorLabels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NodeErrorLabels {
    node: String,
    kind: &'static str,
}

impl ChainMetrics {
    /// Adds them to a registry.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("chain");
        registry.register("head_block", "Newest block that an execution node reported", self.head_block.clone());
        registry.register("read_block", "Last block whose events were read", self.read_block.clone());
        registry.register(
            "blocks_undone",
            "Blocks that left the chain after they were read",
            self.blocks_undone.clone(),
        );
        registry.register("troubles", "Answers that do not fit the chain as it was read", self.troubles.clone());
        registry.register("quarantined", "Events that could not be handled", self.quarantined.clone());
        registry.register("beacon_answers", "Validators that a beacon node told about", self.beacon_answers.clone());
        registry.register("cache_hits", "Calls of contracts that were answered from memory", self.cache_hits.clone());
        registry.register("node_errors", "Failures of execution nodes, by kind", self.node_errors.clone());
    }

    /// Counts a failure of an execution node, named by host and port.
    pub fn count_node_error(&self, node: &str, kind: &'static str) {
        self.node_errors.get_or_create(&NodeErrorLabels { node: node.to_owned(), kind }).inc();
    }
}
