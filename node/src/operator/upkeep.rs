//! What this operator does for its validators besides their duties: answers to gateways, and `GET /upkeep` for people.

use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Weak};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use cluster_core::chain::PubkeyBytes;
use cluster_core::committee::OperatorId;
use cluster_net::limits;
use cluster_net::performance::Response as Answer;
use cluster_net::upkeep::{Exit, Relay, Upkeep, ValidatorUpkeep};
use tokio::sync::Semaphore;

use crate::duties::upkeep::Notebook;
use crate::exits::ExitDesk;
use crate::service_client::{now_ms, ReportedUpkeep};
use crate::store::{Store, StoreError};

/// Answers questions about upkeep.
#[derive(Clone)]
pub(super) struct UpkeepDesk {
    me: OperatorId,
    /// Weak, since a client's open connection keeps the server's state and must not keep the database.
    store: Weak<Store>,
    exits: ExitDesk,
    notes: Arc<Notebook>,
    /// Whether it has a beacon node, and builders may build.
    asks_builders: bool,
    /// One answer at a time: it reads all validators.
    turn: Arc<Semaphore>,
}

impl UpkeepDesk {
    pub(super) fn new(
        me: OperatorId,
        store: &Arc<Store>,
        exits: ExitDesk,
        notes: Arc<Notebook>,
        asks_builders: bool,
    ) -> Self {
        Self { me, store: Arc::downgrade(store), exits, notes, asks_builders, turn: Arc::new(Semaphore::new(1)) }
    }

    /// The answer to a gateway that knows this revision.
    pub(super) async fn answer(&self, known: Option<u64>) -> Answer {
        let Ok(_turn) = self.turn.try_acquire() else { return Answer::Busy };
        match self.read().await {
            Ok(upkeep) if Some(upkeep.revision) == known => Answer::Unchanged,
            Ok(upkeep) => Answer::Upkeep(upkeep),
            Err(error) => {
                tracing::debug!(%error, "a gateway cannot be told now how registrations and exits stand: {error}");
                Answer::Busy
            }
        }
    }

    async fn read(&self) -> Result<Upkeep, StoreError> {
        let desk = self.clone();
        tokio::task::spawn_blocking(move || desk.read_blocking()).await.map_err(|_| StoreError::Closed)?
    }

    fn read_blocking(&self) -> Result<Upkeep, StoreError> {
        let store = self.store.upgrade().ok_or(StoreError::Closed)?;
        let orders = self.exits.orders(now_ms() / 1_000)?;
        let ordered: HashSet<PubkeyBytes> =
            orders.iter().flat_map(|order| &order.request.pubkeys).map(PubkeyBytes::from).collect();
        let entries = store.validators()?;
        let active: BTreeSet<[u8; 48]> =
            entries.iter().filter(|entry| entry.active).map(|entry| entry.pubkey.to_bytes()).collect();
        self.notes.retain(|pubkey| active.contains(pubkey));
        let validators = active.iter().take(limits::UPKEEP_VALIDATORS).map(|pubkey| {
            let note = self.notes.of(pubkey);
            let exit = if ordered.contains(&PubkeyBytes(*pubkey)) { note.exit.max(Exit::Ordered) } else { note.exit };
            ValidatorUpkeep { pubkey: *pubkey, relay: if self.asks_builders { note.relay } else { Relay::Off }, exit }
        });
        let validators: Vec<ValidatorUpkeep> = validators.collect();
        let mut hasher = DefaultHasher::new();
        validators.hash(&mut hasher);
        Ok(Upkeep { revision: hasher.finish(), validators })
    }

    /// `GET /upkeep`: a list, as gateways report it.
    pub(super) fn routes(&self) -> Router {
        Router::new().route("/upkeep", get(upkeep)).with_state(self.clone())
    }
}

async fn upkeep(State(desk): State<UpkeepDesk>) -> Response {
    match desk.read().await {
        Ok(upkeep) => Json(ReportedUpkeep::of(desk.me, &upkeep.validators)).into_response(),
        Err(StoreError::Closed) => (StatusCode::SERVICE_UNAVAILABLE, "the node is stopping\n").into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
