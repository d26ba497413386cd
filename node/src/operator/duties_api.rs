//! `GET /duties`: the operator's records of duties, for people and for `cluster-node duties`.

use std::sync::{Arc, Weak};

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use cluster_core::beacon::Slot;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::duties::ledger;
use crate::duties::record::DutyRecord;
use crate::network::Twin;
use crate::store::Store;

/// Records in one answer.
pub const MAX_RECORDS: usize = 10_000;

/// Which records.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    /// First slot; 0 when not given.
    #[serde(default)]
    from: u64,
    /// Last slot; the newest when not given.
    to: Option<u64>,
}

/// The answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Records {
    /// In order of slots.
    pub records: Vec<DutyRecord>,
    /// The first slot that was left out, when there are more than [`MAX_RECORDS`].
    pub next: Option<u64>,
    /// Another node that runs with this operator's key: no duty is performed then.
    #[serde(default)]
    pub twin: Option<Twin>,
}

/// The route. Weak, since a client's open connection keeps the server's state and must not keep the database.
pub(super) fn routes(store: &Arc<Store>, twin: watch::Receiver<Option<Twin>>) -> Router {
    Router::new().route("/duties", get(duties)).with_state((Arc::downgrade(store), twin))
}

type Sources = (Weak<Store>, watch::Receiver<Option<Twin>>);

async fn duties(State((store, twin)): State<Sources>, Query(range): Query<Range>) -> Response {
    let twin = twin.borrow().clone();
    let Some(store) = store.upgrade() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "the node is stopping\n").into_response();
    };
    let (from, to) = (Slot(range.from), Slot(range.to.unwrap_or(u64::MAX - 1)));
    let read = tokio::task::spawn_blocking(move || ledger::read(&store, from, to, MAX_RECORDS + 1)).await;
    match read {
        Ok(Ok(mut records)) => {
            let next = records.get(MAX_RECORDS).map(|record| record.slot.0);
            // A slot is in one answer as a whole, unless it alone is longer than one.
            if let Some(next) = next.filter(|next| records.first().is_some_and(|first| first.slot.0 < *next)) {
                records.retain(|record| record.slot.0 < next);
            }
            records.truncate(MAX_RECORDS);
            Json(Records { records, next, twin }).into_response()
        }
        Ok(Err(error)) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the node is stopping\n").into_response(),
    }
}
