//! Whether the service works.

use crate::problem::{ApiResult, Problem};
use crate::state::AppState;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

/// State of the service.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok`
    pub status: &'static str,
    /// Version of the program.
    pub version: &'static str,
    /// `mainnet` or `hoodi`.
    pub network: &'static str,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The cluster node that this instance serves: 33 bytes, 0x hex.
    pub cluster_pubkey: Option<String>,
}

/// Says whether service and database work.
#[utoipa::path(get, path = "/v1/health", tag = "service",
    responses((status = 200, body = Health), (status = 503, body = Problem)))]
pub async fn health(State(state): State<AppState>) -> ApiResult<Json<Health>> {
    if let Err(error) = state.store.ping().await {
        tracing::error!(%error, "the database does not answer");
        return Err(Problem::unavailable("The database does not answer."));
    }
    Ok(Json(Health {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
        network: state.network.name(),
        chain_id: state.network.chain_id(),
        cluster_pubkey: state.cluster_pubkey.clone(),
    }))
}

/// This description of the API.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "service", responses((status = 200, body = Object)))]
pub async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], super::openapi_json()).into_response()
}
