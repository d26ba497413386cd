//! The contracts, read from execution nodes: the only place of ethers in the node.
//!
//! | file | part |
//! | --- | --- |
//! | `rpc.rs` | one call over HTTP, with a bound on the answer, or over a WebSocket |
//! | `endpoint.rs` | one execution node: the follower's questions as calls, and how it fails |
//! | `endpoints.rs` | several as one: who is asked next, and who is not believed for a while |
//! | `reader.rs` | drives the follower of `cluster_core::chain`: asks, commits, tells |
//! | `registry.rs` | who belongs to the network, according to the contracts |
//! | `actions.rs` | what follows from facts: ceremonies, duties, exits |
//! | `share.rs` | opens the sealed share of a registration, and checks it against the validator's key |
//! | `api.rs` | `GET /chain`: where a running node stands |
//! | `metrics.rs` | what is shown of all this |

mod actions;
mod api;
mod endpoint;
mod endpoints;
mod metrics;
mod reader;
mod registry;
mod rpc;
mod share;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use cluster_core::chain::{BlockRef, Contracts, FactKey, Facts};
use tokio::sync::watch;

use crate::store::{Store, StoreError};

pub(crate) use actions::{act_as_gateway, act_as_operator, OperatorParts};
pub(crate) use api::routes;
pub use api::Report;
pub use endpoint::{Endpoint, EndpointError};
pub use endpoints::Endpoints;
pub use metrics::ChainMetrics;
pub use reader::start;
pub use registry::ChainRegistry;

/// What was read so far, for every part of the node. Clones share it.
#[derive(Clone, Debug)]
pub struct ChainView {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    contracts: Contracts,
    facts: RwLock<Facts>,
    /// With the commit that set it.
    marks: RwLock<BTreeMap<FactKey, u64>>,
    /// Held while a commit is written and told, and while marks are cleared: neither may fall between the halves of the other.
    gate: tokio::sync::Mutex<()>,
    status: watch::Sender<Status>,
}

/// Where the reader stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The last block taken in.
    pub tip: Option<BlockRef>,
    /// The head that was announced last.
    pub head: Option<u64>,
    /// Everything confirmed at the last look has been taken in.
    pub caught_up: bool,
    /// Counts commits.
    pub commits: u64,
}

impl ChainView {
    fn new(contracts: Contracts, facts: Facts, marks: Vec<FactKey>, tip: Option<BlockRef>) -> Self {
        let status = watch::Sender::new(Status { tip, ..Status::default() });
        let marks = marks.into_iter().map(|key| (key, 0)).collect();
        let (facts, marks, gate) = (RwLock::new(facts), RwLock::new(marks), tokio::sync::Mutex::new(()));
        Self { inner: Arc::new(Inner { contracts, facts, marks, gate, status }) }
    }

    /// The contracts that are followed.
    #[must_use]
    pub fn contracts(&self) -> &Contracts {
        &self.inner.contracts
    }

    /// Looks at the facts.
    pub fn with<R>(&self, look: impl FnOnce(&Facts) -> R) -> R {
        look(&self.inner.facts.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where the reader stands, and its changes.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.inner.status.subscribe()
    }

    /// Facts that something still has to follow from, each with the commit that said so.
    fn marks(&self) -> Vec<(FactKey, u64)> {
        let marks = self.inner.marks.read().unwrap_or_else(PoisonError::into_inner);
        marks.iter().map(|(key, commit)| (*key, *commit)).collect()
    }

    /// What followed from these facts was done; one that changed since keeps its mark.
    async fn clear_marks(&self, store: &Arc<Store>, done: Vec<(FactKey, u64)>) -> Result<(), StoreError> {
        let _gate = self.inner.gate.lock().await;
        let unchanged: Vec<FactKey> = {
            let marks = self.inner.marks.read().unwrap_or_else(PoisonError::into_inner);
            done.into_iter().filter(|(key, commit)| marks.get(key) == Some(commit)).map(|(key, _)| key).collect()
        };
        let (store, keys) = (Arc::clone(store), unchanged.clone());
        let cleared = tokio::task::spawn_blocking(move || store.clear_chain_marks(&keys)).await;
        cleared.unwrap_or(Err(StoreError::Closed))?;
        let mut marks = self.inner.marks.write().unwrap_or_else(PoisonError::into_inner);
        unchanged.iter().for_each(|key| {
            marks.remove(key);
        });
        Ok(())
    }

    /// Takes over what is on disk already.
    fn apply(&self, commit: &cluster_core::chain::Commit) {
        {
            let mut facts = self.inner.facts.write().unwrap_or_else(PoisonError::into_inner);
            let mut marks = self.inner.marks.write().unwrap_or_else(PoisonError::into_inner);
            let number = self.inner.status.borrow().commits.wrapping_add(1);
            for entry in &commit.changes {
                marks.insert(entry.key(), number);
                let _former = facts.set(entry.clone());
            }
        }
        self.inner.status.send_modify(|status| {
            status.tip = commit.tip;
            status.commits = status.commits.wrapping_add(1);
        });
    }

    fn stands(&self, head: Option<u64>, caught_up: bool) {
        self.inner.status.send_if_modified(|status| {
            let before = *status;
            status.head = head.or(status.head);
            status.caught_up = caught_up;
            before != *status
        });
    }
}
