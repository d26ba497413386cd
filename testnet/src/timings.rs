//! Patience of the nodes of a testnet: everything is on one machine, so silence means a fault much sooner than between
//! continents.

use std::time::Duration;

use cluster_node::config::{CeremonyConfig, PublishConfig, ServiceConfig};

use crate::owner::Patience;

/// How long the parts of a testnet wait. Only faults make these times pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// A step goes on without silent operators after this.
    pub step: Duration,
    /// Missing messages are asked for after this.
    pub ask: Duration,
    /// A ceremony without result is aborted after this.
    pub ceremony: Duration,
    /// An incomplete certificate is published after this long without a new attestation.
    pub quiet: Duration,
}

impl Timings {
    /// For ceremonies of `validators` keys by `operators` operators on one machine, over links of this latency.
    #[must_use]
    pub fn for_ceremonies(operators: usize, validators: u32, latency: Duration) -> Self {
        // All operators compute on the same few cores: a step of all of them takes a few milliseconds a key at most.
        let operators = u32::try_from(operators).unwrap_or(13);
        // However few the keys, every operator answers every other one.
        let work = Duration::from_millis(3) * validators.saturating_mul(operators)
            + Duration::from_millis(20) * operators * operators;
        Self {
            step: Duration::from_millis(2_500) + work + latency * 8,
            ask: Duration::from_millis(250) + work / 8 + latency * 4,
            ceremony: Duration::from_secs(25) + work * 10 + latency * 100,
            quiet: Duration::from_millis(1_000) + work / 4 + latency * 4,
        }
    }

    /// What operators are configured with.
    #[must_use]
    pub fn ceremony_config(&self) -> CeremonyConfig {
        CeremonyConfig {
            step_timeout_ms: ms(self.step),
            ask_ms: ms(self.ask),
            timeout_ms: ms(self.ceremony),
            retry_max_ms: 500,
            ..CeremonyConfig::default()
        }
    }

    /// What gateways are configured with.
    #[must_use]
    pub fn publish_config(&self) -> PublishConfig {
        PublishConfig { quiet_ms: ms(self.quiet), pull_ms: 500, upkeep_ms: 2_000, ..PublishConfig::default() }
    }

    /// How a gateway speaks to the service at `url`.
    #[must_use]
    pub fn service_config(&self, url: String) -> ServiceConfig {
        ServiceConfig { url, poll_ms: 20_000, retry_max_ms: 1_000, ..ServiceConfig::default() }
    }

    /// How long an owner waits: long enough for every fault that heals by itself.
    #[must_use]
    pub fn patience(&self) -> Patience {
        Patience { result: self.ceremony + Duration::from_secs(10), missing: self.step * 4 + self.quiet }
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
