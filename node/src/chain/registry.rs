//! Who belongs to the network, according to the contracts. Addresses are not on the chain: they come from the registry file,
//! where there is one, and from the signed records that operators gossip.

use std::sync::Arc;

use cluster_core::chain::EventId;
use cluster_core::committee::OperatorId;
use cluster_core::registry::{BootstrapEntry, GatewayEntry, OperatorEntry, Registry};
use cluster_core::request::EventLookup;

use super::ChainView;

/// The contracts as a registry.
pub struct ChainRegistry {
    view: ChainView,
    /// Addresses and bootstrap peers; what it says about who is who does not count.
    addresses: Option<Arc<dyn Registry>>,
}

impl std::fmt::Debug for ChainRegistry {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("ChainRegistry")
    }
}

impl ChainRegistry {
    /// The contracts, with addresses from elsewhere.
    #[must_use]
    pub fn new(view: ChainView, addresses: Option<Arc<dyn Registry>>) -> Self {
        Self { view, addresses }
    }

    fn entry(&self, id: OperatorId, fact: &cluster_core::chain::OperatorFact) -> OperatorEntry {
        // Only under the same key: addresses of somebody else would be dialled in vain.
        let listed = self.addresses.as_ref().and_then(|listed| listed.operator(id));
        let listed = listed.filter(|listed| listed.public_key == fact.public_key);
        OperatorEntry {
            id,
            name: fact.name.clone(),
            public_key: fact.public_key,
            owner: Some(fact.owner),
            verified: fact.verified,
            from_dao: fact.from_dao,
            fee_gwei: None,
            addresses: listed.map(|listed| listed.addresses).unwrap_or_default(),
        }
    }
}

impl Registry for ChainRegistry {
    fn operator(&self, id: OperatorId) -> Option<OperatorEntry> {
        self.view.with(|facts| facts.operator(id).filter(|fact| fact.active).map(|fact| self.entry(id, fact)))
    }

    fn operators(&self) -> Vec<OperatorEntry> {
        self.view.with(|facts| {
            let active = facts.operators().filter(|(_, fact)| fact.active);
            active.map(|(id, fact)| self.entry(id, fact)).collect()
        })
    }

    fn gateways(&self) -> Vec<GatewayEntry> {
        let listed = self.addresses.as_ref().map(|listed| listed.gateways()).unwrap_or_default();
        let entry = |key: &cluster_crypto::identity::PublicKey| {
            let listed = listed.iter().find(|entry| entry.public_key == *key);
            GatewayEntry {
                name: listed.map_or_else(|| format!("gateway {key}"), |entry| entry.name.clone()),
                public_key: *key,
                addresses: listed.map(|entry| entry.addresses.clone()).unwrap_or_default(),
            }
        };
        self.view
            .with(|facts| facts.cluster_nodes().filter(|(_, fact)| fact.active).map(|(key, _)| entry(key)).collect())
    }

    fn bootstraps(&self) -> Vec<BootstrapEntry> {
        self.addresses.as_ref().map(|listed| listed.bootstraps()).unwrap_or_default()
    }

    fn event_request(&self, event: &EventId) -> EventLookup {
        let found = self.view.with(|facts| facts.request(event).cloned());
        found.map_or(EventLookup::Unknown, |found| EventLookup::Found(Box::new(found)))
    }
}
