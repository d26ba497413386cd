//! Looks the event of a request up, for `cluster-node verify`.

use std::time::Duration;

use anyhow::{bail, Context};
use cluster_core::chain::{decode, Contract, Contracts, Event, EventId};
use cluster_core::committee::OperatorId;
use cluster_core::registry::{BootstrapEntry, FileRegistry, GatewayEntry, OperatorEntry, Registry};
use cluster_core::request::{EventLookup, EventRequest};
use cluster_crypto::ethereum::Address;

use super::run::runtime;
use crate::chain::Endpoint;

const PATIENCE: Duration = Duration::from_secs(30);

/// A registry file, and what is known of one event.
pub(super) struct WithEvent<'a> {
    registry: &'a FileRegistry,
    found: EventLookup,
}

impl<'a> WithEvent<'a> {
    /// Nobody looks the event up, and the report says so.
    pub(super) fn not_looked_up(registry: &'a FileRegistry) -> Self {
        Self { registry, found: EventLookup::NotLookedUp }
    }

    /// Asks an execution node for the transaction of the event.
    pub(super) fn looked_up(registry: &'a FileRegistry, event: &EventId, url: &str) -> anyhow::Result<Self> {
        let nobody = Address([0; 20]);
        let contracts = Contracts {
            chain_id: event.chain_id,
            registry: nobody,
            network: nobody,
            cluster_node: event.contract,
            operator_config: nobody,
        };
        let endpoint =
            Endpoint::new(url, contracts, PATIENCE).map_err(|reason| anyhow::anyhow!("--rpc-url: {reason}"))?;
        let receipt = runtime()?.block_on(async {
            endpoint.check_chain().await?;
            endpoint.receipt_logs(event.transaction_hash).await
        })?;
        let Some((block, logs)) = receipt else { bail!("the chain has no transaction {}", event.transaction_hash) };
        let at = usize::try_from(event.log_index).context("the event's log index")?;
        let log = logs.iter().filter(|log| log.contract == event.contract).nth(at);
        let found = match log.map(|log| decode(Contract::ClusterNode, log)) {
            // The deadline is not compared, so the time of the block is not needed.
            Some(Ok(Some(Event::DepositDataRequested(requested)))) => {
                let request = requested.request(event, 0);
                EventLookup::Found(Box::new(EventRequest { request, block_number: block.number }))
            }
            _ => EventLookup::Unknown,
        };
        Ok(Self { registry, found })
    }
}

impl Registry for WithEvent<'_> {
    fn operator(&self, id: OperatorId) -> Option<OperatorEntry> {
        self.registry.operator(id)
    }

    fn operators(&self) -> Vec<OperatorEntry> {
        self.registry.operators()
    }

    fn gateways(&self) -> Vec<GatewayEntry> {
        self.registry.gateways()
    }

    fn bootstraps(&self) -> Vec<BootstrapEntry> {
        self.registry.bootstraps()
    }

    fn event_request(&self, _event: &EventId) -> EventLookup {
        self.found.clone()
    }
}
