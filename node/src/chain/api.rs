//! `GET /chain` and `GET /chain/quarantine`: what a running node read from the contracts, for people and for
//! `cluster-node chain`.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use cluster_core::chain::{BlockRef, Contracts, Facts, Quarantined};
use serde::{Deserialize, Serialize};

use super::ChainView;

/// Where a node stands in the chain, and how much it knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The contracts that are followed.
    pub contracts: Contracts,
    /// The last block taken in.
    pub block: Option<BlockRef>,
    /// The head that execution nodes announced last; `None` of a node that is stopped.
    pub head: Option<u64>,
    /// Whether everything confirmed at the last look was taken in; `None` of a node that is stopped.
    pub caught_up: Option<bool>,
    /// Active operators.
    pub operators: usize,
    /// Gateways.
    pub cluster_nodes: usize,
    /// Registered validators.
    pub validators: usize,
    /// Block in which the first of their subscriptions ends, or has ended.
    pub first_subscription_ends_at_block: Option<u64>,
    /// Requests for validators.
    pub requests: usize,
    /// Orders to let validators leave.
    pub exits: usize,
    /// Events that could not be handled.
    pub quarantined: usize,
    /// Facts that something still has to follow from.
    pub waiting: usize,
}

impl Report {
    /// Of a node that is stopped.
    #[must_use]
    pub fn new(contracts: Contracts, block: Option<BlockRef>, facts: &Facts, waiting: usize) -> Self {
        let registered = || facts.validators().filter(|(_, fact)| fact.is_registered());
        Self {
            contracts,
            block,
            head: None,
            caught_up: None,
            operators: facts.operators().filter(|(_, fact)| fact.active).count(),
            cluster_nodes: facts.cluster_nodes().len(),
            validators: registered().count(),
            first_subscription_ends_at_block: registered().map(|(_, fact)| fact.paid_until_block).min(),
            requests: facts.requests().len(),
            exits: facts.exits().len(),
            quarantined: facts.quarantine().len(),
            waiting,
        }
    }
}

impl ChainView {
    /// Where this node stands.
    #[must_use]
    pub fn report(&self) -> Report {
        let (status, waiting) = (*self.inner.status.borrow(), self.marks().len());
        let report = self.with(|facts| Report::new(*self.contracts(), status.tip, facts, waiting));
        Report { head: status.head, caught_up: Some(status.caught_up), ..report }
    }
}

/// The routes.
pub(crate) fn routes(view: &ChainView) -> Router {
    Router::new().route("/chain", get(report)).route("/chain/quarantine", get(quarantine)).with_state(view.clone())
}

async fn report(State(view): State<ChainView>) -> Json<Report> {
    Json(view.report())
}

async fn quarantine(State(view): State<ChainView>) -> Json<Vec<Quarantined>> {
    Json(view.with(|facts| facts.quarantine().cloned().collect()))
}
