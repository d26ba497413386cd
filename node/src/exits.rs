//! Orders of owners to let validators leave: taken in over `POST /exit` or from another operator, kept until their deadline.
//!
//! Taking an order in signs nothing. The duties read [`ExitDesk::orders`] and ask the signer, which checks the order again.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{header, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::Router;
use cluster_core::chain::EventId;
use cluster_core::committee::OperatorId;
use cluster_core::encoding::{decode, encode};
use cluster_core::exit::{ExitError, SignedExitRequest, MAX_EXIT_DEADLINE_AHEAD_S, MAX_EXIT_REQUEST_BYTES};
use cluster_crypto::bls;
use cluster_crypto::ethereum::Address;
use serde_json::json;
use tokio::sync::watch;

use crate::service_client::now_ms;
use crate::store::{Store, StoreError, Table};

/// Orders kept at a time.
const MAX_ORDERS: usize = 1024;

/// Why an order is not taken in.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// The order.
    #[error(transparent)]
    Order(#[from] ExitError),
    /// None of its validators is here, or one is not.
    #[error("validator {pubkey} is not one of this operator's")]
    Unknown {
        /// The validator.
        pubkey: String,
    },
    /// Too many.
    #[error("this operator keeps {MAX_ORDERS} exit requests already, its limit; try again later")]
    Full,
    /// The store.
    #[error("the operator's database failed; its log says why")]
    Store(#[from] StoreError),
}

impl OrderError {
    /// The JSON field that is wrong; empty when the fault is not in the order.
    #[must_use]
    pub fn field(&self) -> &'static str {
        match self {
            Self::Order(error) => error.field(),
            Self::Unknown { .. } => "pubkeys",
            Self::Full | Self::Store(_) => "",
        }
    }
}

/// Takes orders in and keeps them.
#[derive(Clone, Debug)]
pub struct ExitDesk {
    /// Weak, since a client's open connection keeps the server's state and must not keep the database.
    store: Weak<Store>,
    chain_id: u64,
    changes: Arc<watch::Sender<u64>>,
}

impl ExitDesk {
    /// The desk of an operator on the chain with this EIP-155 id.
    #[must_use]
    pub fn new(store: &Arc<Store>, chain_id: u64) -> Self {
        Self { store: Arc::downgrade(store), chain_id, changes: Arc::new(watch::Sender::new(0)) }
    }

    /// Takes an order in; the same again changes nothing. Every validator must be one of this operator's and belong to whoever
    /// signed. Blocks: checks a signature and writes to the disk. `now_s` is in unix seconds.
    pub fn take(&self, signed: &SignedExitRequest, now_s: u64) -> Result<(), OrderError> {
        let store = self.store()?;
        let checked = signed.check(self.chain_id, now_s, store.as_ref())?;
        for pubkey in &signed.request.pubkeys {
            match store.validator(&pubkey.to_bytes())? {
                Some(entry) => checked.allows(pubkey, entry.owner)?,
                None => return Err(OrderError::Unknown { pubkey: pubkey.to_string() }),
            }
        }
        let id = signed.id();
        // What was signed is the same whenever its id is. An event's order grows when more of its validators are known here.
        let held = store.get(Table::Exits, &id)?.map(|bytes| read(&bytes)).transpose()?;
        if held.as_ref().is_some_and(|held| held.request.pubkeys.len() >= signed.request.pubkeys.len()) {
            return Ok(());
        }
        if held.is_none() && self.orders(now_s)?.len() >= MAX_ORDERS {
            return Err(OrderError::Full);
        }
        store.put(Table::Exits, &id, &encode(signed))?;
        store.flush()?;
        self.changes.send_modify(|changes| *changes = changes.wrapping_add(1));
        let (owner, validators) = (signed.request.owner, signed.request.pubkeys.len());
        tracing::info!(%owner, validators, "the owner {owner} orders {validators} validators to leave");
        Ok(())
    }

    /// Takes in an order that the contracts give, for validators of this operator; the same again changes nothing, and with more
    /// validators it takes the place of the former. Blocks.
    pub fn take_event(
        &self,
        event: &EventId,
        owner: Address,
        pubkeys: Vec<bls::PublicKey>,
        now_s: u64,
    ) -> Result<(), OrderError> {
        let deadline = now_s.saturating_add(MAX_EXIT_DEADLINE_AHEAD_S);
        self.take(&SignedExitRequest::by_event(*event, owner, pubkeys, deadline), now_s)
    }

    /// Forgets an order whose event is not in the chain any more. What was published stays published.
    pub fn forget_event(&self, event: &EventId) -> Result<(), StoreError> {
        let store = self.store()?;
        store.remove(Table::Exits, &SignedExitRequest::id_of_event(event))?;
        store.flush()
    }

    /// The orders whose deadline has not passed; the others are forgotten.
    pub fn orders(&self, now_s: u64) -> Result<Vec<SignedExitRequest>, StoreError> {
        let mut orders = Vec::new();
        let store = self.store()?;
        for item in store.entries(Table::Exits) {
            let (id, value) = item?;
            let order = read(&value)?;
            if order.request.deadline < now_s {
                store.remove(Table::Exits, &id)?;
            } else {
                orders.push(order);
            }
        }
        Ok(orders)
    }

    /// The operators that an order concerns: the committees of its validators.
    pub fn operators(&self, order: &SignedExitRequest) -> Result<Vec<OperatorId>, StoreError> {
        let store = self.store()?;
        let mut operators = BTreeSet::new();
        for pubkey in &order.request.pubkeys {
            let entry = store.validator(&pubkey.to_bytes())?;
            operators.extend(entry.iter().flat_map(|entry| &entry.committee).map(|(id, _)| *id));
        }
        Ok(operators.into_iter().collect())
    }

    fn store(&self) -> Result<Arc<Store>, StoreError> {
        self.store.upgrade().ok_or(StoreError::Closed)
    }

    /// Counts orders taken in since the start.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// `POST /exit`: 202 when taken in, 422 with the field otherwise.
    pub fn routes(&self) -> Router {
        let limit = DefaultBodyLimit::max(MAX_EXIT_REQUEST_BYTES);
        Router::new().route("/exit", post(submit)).layer(limit).with_state(self.clone())
    }
}

fn read(bytes: &[u8]) -> Result<SignedExitRequest, StoreError> {
    decode(bytes, MAX_EXIT_REQUEST_BYTES).map_err(|_| StoreError::Corrupt { what: "the table of exit requests" })
}

async fn submit(State(desk): State<ExitDesk>, body: Bytes) -> Response {
    let taken = tokio::task::spawn_blocking(move || {
        let text = std::str::from_utf8(&body).unwrap_or_default();
        let signed = SignedExitRequest::from_json(text)?;
        desk.take(&signed, now_ms() / 1000).map(|()| signed.request.pubkeys.len())
    });
    match taken.await {
        Ok(Ok(validators)) => (StatusCode::ACCEPTED, axum::Json(json!({ "validators": validators }))).into_response(),
        Ok(Err(error)) => problem(&error),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// RFC 9457.
fn problem(error: &OrderError) -> Response {
    let (status, name, title) = match error {
        OrderError::Order(ExitError::Malformed { .. } | ExitError::TooLong { .. }) => {
            (StatusCode::BAD_REQUEST, "malformed", "The call cannot be read")
        }
        OrderError::Order(_) | OrderError::Unknown { .. } => {
            (StatusCode::UNPROCESSABLE_ENTITY, "invalid-field", "A field is wrong")
        }
        OrderError::Full => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The operator cannot answer now"),
        OrderError::Store(cause) => {
            tracing::error!(error = %cause, "the database failed");
            (StatusCode::INTERNAL_SERVER_ERROR, "internal", "The operator failed")
        }
    };
    let mut body = json!({
        "type": format!("urn:cluster-node:problem:{name}"),
        "title": title,
        "status": status.as_u16(),
        "detail": error.to_string(),
    });
    if !error.field().is_empty() {
        body["field"] = json!(error.field());
    }
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}
