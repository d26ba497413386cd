//! Operators, cluster nodes and requests as the chain has them, in memory: the registry of everything that the service
//! checks. Gateways and bootstrap peers stay those of the registry file: anybody can register a cluster node on chain,
//! and reports of gateways are believed.

use cluster_core::chain::{Contracts, Entry, EventId, OperatorFact, PubkeyBytes};
use cluster_core::committee::OperatorId;
use cluster_core::encoding::to_hex;
use cluster_core::registry::{BootstrapEntry, FileRegistry, GatewayEntry, OperatorEntry, Registry};
use cluster_core::request::{EventLookup, EventRequest};
use cluster_crypto::ethereum::Address;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// What the chain says of an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainOperator {
    /// As registered.
    pub fact: OperatorFact,
    /// Validators that it performs for.
    pub validator_count: u32,
}

#[derive(Debug, Default)]
struct Held {
    operators: BTreeMap<OperatorId, Box<OperatorFact>>,
    /// By the key in 0x hex.
    cluster_nodes: HashMap<String, Address>,
    requests: HashMap<EventId, Box<EventRequest>>,
    committees: HashMap<PubkeyBytes, Vec<OperatorId>>,
    counts: HashMap<OperatorId, u32>,
}

/// The part of the chain's facts that is asked for all the time.
#[derive(Debug)]
pub struct Directory {
    file: FileRegistry,
    contracts: Contracts,
    held: RwLock<Held>,
}

impl Directory {
    /// Knows nothing of the chain yet.
    pub fn new(file: FileRegistry, contracts: Contracts) -> Arc<Self> {
        Arc::new(Self { file, contracts, held: RwLock::default() })
    }

    fn read(&self) -> RwLockReadGuard<'_, Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes changes over, all at once.
    pub fn apply(&self, changes: &[Entry]) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        for change in changes {
            held.apply(change);
        }
    }

    /// Starts over from all entries.
    pub fn replace(&self, entries: &[Entry]) {
        let mut fresh = Held::default();
        for entry in entries {
            fresh.apply(entry);
        }
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = fresh;
    }

    /// One operator, removed or not.
    pub fn chain_operator(&self, id: OperatorId) -> Option<ChainOperator> {
        let held = self.read();
        held.operators.get(&id).map(|fact| held.with_count(id, fact))
    }

    /// Who registered a cluster node; the key in 0x hex.
    pub fn cluster_node_owner(&self, cluster_pubkey: &str) -> Option<Address> {
        self.read().cluster_nodes.get(cluster_pubkey).copied()
    }
}

impl Held {
    fn with_count(&self, id: OperatorId, fact: &OperatorFact) -> ChainOperator {
        ChainOperator { fact: fact.clone(), validator_count: self.counts.get(&id).copied().unwrap_or(0) }
    }

    fn apply(&mut self, change: &Entry) {
        match change {
            Entry::Operator(id, Some(fact)) => {
                self.operators.insert(*id, fact.clone());
            }
            Entry::Operator(id, None) => {
                self.operators.remove(id);
            }
            Entry::ClusterNode(key, fact) => {
                let key = to_hex(&key.to_bytes());
                match fact {
                    Some(fact) => self.cluster_nodes.insert(key, fact.owner),
                    None => self.cluster_nodes.remove(&key),
                };
            }
            Entry::Request(event, Some(request)) => {
                self.requests.insert(*event, request.clone());
            }
            Entry::Request(event, None) => {
                self.requests.remove(event);
            }
            Entry::Validator(pubkey, fact) => {
                let ids = fact.as_ref().filter(|fact| fact.is_registered()).map(|fact| fact.operator_ids.clone());
                self.set_committee(*pubkey, ids);
            }
            Entry::FeeRecipient(..) | Entry::ValidatorFeeRecipient(..) | Entry::Exit(..) | Entry::Quarantine(..) => {}
        }
    }

    fn set_committee(&mut self, pubkey: PubkeyBytes, ids: Option<Vec<OperatorId>>) {
        for id in self.committees.remove(&pubkey).unwrap_or_default() {
            if let Some(count) = self.counts.get_mut(&id) {
                *count = count.saturating_sub(1);
            }
        }
        for id in ids.iter().flatten() {
            *self.counts.entry(*id).or_default() += 1;
        }
        if let Some(ids) = ids {
            self.committees.insert(pubkey, ids);
        }
    }
}

fn entry(id: OperatorId, fact: &OperatorFact) -> OperatorEntry {
    OperatorEntry {
        id,
        name: fact.name.clone(),
        public_key: fact.public_key,
        owner: Some(fact.owner),
        verified: fact.verified,
        from_dao: fact.from_dao,
        fee_gwei: None,
        addresses: Vec::new(),
    }
}

/// Removed operators are among the answers: certificates of their time stay valid. Whoever starts something new asks
/// [`Directory::chain_operator`] whether they are active.
impl Registry for Directory {
    fn operator(&self, id: OperatorId) -> Option<OperatorEntry> {
        self.read().operators.get(&id).map(|fact| entry(id, fact))
    }

    fn operators(&self) -> Vec<OperatorEntry> {
        self.read().operators.iter().map(|(id, fact)| entry(*id, fact)).collect()
    }

    fn gateways(&self) -> Vec<GatewayEntry> {
        self.file.gateways()
    }

    fn bootstraps(&self) -> Vec<BootstrapEntry> {
        self.file.bootstraps()
    }

    fn event_request(&self, event: &EventId) -> EventLookup {
        if event.chain_id != self.contracts.chain_id {
            return EventLookup::Unknown;
        }
        match self.read().requests.get(event) {
            Some(request) => EventLookup::Found(request.clone()),
            None => EventLookup::Unknown,
        }
    }
}
