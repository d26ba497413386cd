//! What is shown of the chain.

use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge};

use crate::metrics::{Metrics, OutcomeLabel};

/// Handles; clones share them.
#[derive(Clone, Debug, Default)]
pub struct ChainMetrics {
    /// The last block taken in.
    pub tip: Gauge,
    /// The head that was announced last.
    pub head: Gauge,
    /// Blocks that were taken back.
    pub rolled_back: Counter,
    /// Calls to execution nodes: ok, failed.
    pub calls: Family<OutcomeLabel, Counter>,
    /// Events that could not be handled.
    pub quarantined: Gauge,
    /// The follower cannot go on without a person.
    pub stuck: Gauge,
    /// Validators of this operator that are registered.
    pub validators: Gauge,
    /// Registrations that this operator does not act on: their share or keys are wrong.
    pub registrations_bad: Gauge,
    /// Blocks until the first subscription of this operator's validators ends; negative when it has.
    pub subscription_blocks_left: Gauge,
    /// Validators whose subscription ends soon, or has ended.
    pub subscriptions_ending: Gauge,
}

impl ChainMetrics {
    /// Registers everything.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        let chain = Self::default();
        metrics.with_registry(|registry| {
            let mut gauge = |name: &str, help: &str, gauge: &Gauge| registry.register(name, help, gauge.clone());
            gauge("chain_block", "The last block whose events were taken in", &chain.tip);
            gauge("chain_head_block", "The head that execution nodes announced last", &chain.head);
            gauge("chain_quarantined_events", "Events of the contracts that could not be handled", &chain.quarantined);
            gauge("chain_stuck", "1 when the chain changed below what can be taken back", &chain.stuck);
            gauge("chain_validators", "Registered validators of this operator", &chain.validators);
            let help = "Registrations whose share or keys are wrong; their duties are not performed";
            gauge("chain_registrations_bad", help, &chain.registrations_bad);
            let help = "Blocks until the first subscription ends; negative when it has ended";
            gauge("chain_subscription_blocks_left", help, &chain.subscription_blocks_left);
            let help = "Validators whose subscription ends soon, or has ended; their duties go on";
            gauge("chain_subscriptions_ending", help, &chain.subscriptions_ending);
            registry.register("chain_rolled_back", "Blocks that were taken back", chain.rolled_back.clone());
            registry.register("chain_calls", "Calls to execution nodes, by outcome", chain.calls.clone());
        });
        chain
    }

    pub(super) fn called(&self, worked: bool) {
        let outcome = if worked { "ok" } else { "failed" };
        self.calls.get_or_create(&OutcomeLabel { outcome }).inc();
    }
}
