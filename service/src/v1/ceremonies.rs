//! An owner's ceremonies and what they produced.

use super::extract::{ceremony_key, ApiPath, ApiQuery, Page, PageQuery};
use crate::auth::session::Owner;
use crate::hex::checksummed;
use crate::problem::{ApiResult, Problem};
use crate::schemas;
use crate::state::AppState;
use crate::store::{CeremonyRow, StoreError, ValidatorFilter};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::Json;
use cluster_core::certificate::Certificate;
use cluster_core::request::{SignedRequest, MAX_VALIDATORS};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Where a ceremony stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CeremonyStatus {
    /// Requested; no operator has reported.
    Pending,
    /// No operator has reported before the deadline; the ceremony cannot start any more.
    Expired,
    /// Operators report progress.
    Running,
    /// A gateway reported its end without keys. A certificate that arrives later still counts.
    Aborted,
    /// Verified, but operators are missing; nothing to deposit yet.
    Incomplete,
    /// Verified, every operator holds its share.
    Ready,
}

/// One ceremony.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Ceremony {
    /// 0x hex.
    pub ceremony_id: String,
    /// Where it stands.
    pub status: CeremonyStatus,
    /// Checksummed address.
    pub owner: String,
    /// Key of the gateway that the request names: 33 bytes, 0x hex.
    pub cluster_pubkey: String,
    /// The committee, ascending.
    pub operator_ids: Vec<u32>,
    /// Validators asked for.
    pub validator_count: i64,
    /// Checksummed address.
    pub withdrawal_address: String,
    /// The ceremony whose validators are taken over, 0x hex; null when this one makes validators of its own.
    pub previous_ceremony_id: Option<String>,
    /// The owner's number of the request, decimal.
    pub nonce: String,
    /// Unix seconds after which the ceremony cannot start.
    pub deadline_s: i64,
    /// Operators that have not attested, when incomplete.
    pub missing_operators: Vec<u32>,
    /// Why it was aborted, as a gateway reported it.
    pub abort_reason: Option<String>,
    /// The transaction whose event is the request, 0x hex; null when the owner signed it.
    pub generate_txid: Option<String>,
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// Unix milliseconds.
    pub updated_at_ms: i64,
}

impl TryFrom<CeremonyRow> for Ceremony {
    type Error = Problem;

    fn try_from(row: CeremonyRow) -> ApiResult<Self> {
        let operator_ids = row.operator_ids()?;
        let missing_operators = row.missing_operators()?;
        let request = signed_request(&row)?.request;
        let status = serde_json::from_value(serde_json::Value::from(row.status))
            .map_err(|_| StoreError::Corrupt { column: "status" })?;
        Ok(Self {
            ceremony_id: row.ceremony_id,
            status,
            owner: checksummed(&row.owner),
            cluster_pubkey: row.cluster_pubkey,
            operator_ids,
            validator_count: row.validator_count,
            withdrawal_address: checksummed(&row.withdrawal_address),
            previous_ceremony_id: request.reshare.map(|reshare| reshare.previous.to_string()),
            nonce: row.nonce,
            deadline_s: row.deadline_s,
            missing_operators,
            abort_reason: (!row.abort_reason.is_empty()).then_some(row.abort_reason),
            generate_txid: (!row.generate_txid.is_empty()).then_some(row.generate_txid),
            created_at_ms: row.created_at_ms,
            updated_at_ms: row.updated_at_ms,
        })
    }
}

/// Conditions of the list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CeremonyQuery {
    /// Only ceremonies with this status.
    pub status: Option<CeremonyStatus>,
}

/// Lists the owner's ceremonies, newest first.
#[utoipa::path(get, operation_id = "list_ceremonies", path = "/v1/ceremonies", tag = "ceremonies", params(PageQuery, CeremonyQuery),
    security(("session" = [])),
    responses((status = 200, body = Page<Ceremony>), (status = 401, body = Problem), (status = 422, body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    owner: Owner,
    ApiQuery(page): ApiQuery<PageQuery>,
    ApiQuery(query): ApiQuery<CeremonyQuery>,
) -> ApiResult<Json<Page<Ceremony>>> {
    let (limit, before) = (page.limit()?, page.position(i64::MAX)?);
    let wanted = query.status.map(|status| serde_json::to_value(status).unwrap_or_default());
    let wanted = wanted.as_ref().and_then(|value| value.as_str()).unwrap_or_default();
    let rows = state.store.ceremonies_of(&owner.address, wanted, before, limit + 1).await?;
    Page::cut(rows, limit, |row| row.position, Ceremony::try_from).map(Json)
}

/// Shows one ceremony.
#[utoipa::path(get, operation_id = "get_ceremony", path = "/v1/ceremonies/{ceremony_id}", tag = "ceremonies", security(("session" = [])),
    params(("ceremony_id" = String, Path, description = "0x and 64 hex digits")),
    responses((status = 200, body = Ceremony), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub async fn get(State(state): State<AppState>, owner: Owner, ApiPath(id): ApiPath) -> ApiResult<Json<Ceremony>> {
    find(&state, &owner, &id).await.and_then(Ceremony::try_from).map(Json)
}

/// Gives `certificate.json` of a ready ceremony, which anyone can verify offline.
#[utoipa::path(get, path = "/v1/ceremonies/{ceremony_id}/certificate", tag = "ceremonies", security(("session" = [])),
    params(("ceremony_id" = String, Path, description = "0x and 64 hex digits")),
    responses((status = 200, body = schemas::Certificate), (status = 401, body = Problem),
              (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn certificate(State(state): State<AppState>, owner: Owner, ApiPath(id): ApiPath) -> ApiResult<Response> {
    let row = find_ready(&state, &owner, &id).await?;
    let held = state.store.certificate(&row.ceremony_id).await?.ok_or_else(Problem::internal)?;
    let kind = [(header::CONTENT_TYPE, "application/json")];
    Ok((kind, held.certificate).into_response())
}

/// Gives the deposit data of a ready ceremony as the array that the launchpad takes.
#[utoipa::path(get, path = "/v1/ceremonies/{ceremony_id}/deposit-data", tag = "ceremonies", security(("session" = [])),
    params(("ceremony_id" = String, Path, description = "0x and 64 hex digits")),
    responses((status = 200, body = Vec<schemas::DepositData>), (status = 401, body = Problem),
              (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn deposit_data(State(state): State<AppState>, owner: Owner, ApiPath(id): ApiPath) -> ApiResult<Response> {
    let row = find_ready(&state, &owner, &id).await?;
    if signed_request(&row)?.request.reshare.is_some() {
        let detail = "The validators of a reshare are not new; they must not be deposited again.";
        return Err(Problem::conflict(detail));
    }
    let filter = ValidatorFilter { ceremony_id: row.ceremony_id, ready_only: true, ..ValidatorFilter::default() };
    let validators = state.store.validators_of(&owner.address, &filter, 0, i64::from(MAX_VALIDATORS)).await?;
    let entries: Vec<&str> = validators.iter().map(|validator| validator.deposit_data.as_str()).collect();
    let created_s = u64::try_from(row.created_at_ms / 1000).unwrap_or(0);
    let name = Certificate::deposit_data_file_name(created_s);
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((headers, format!("[{}]", entries.join(","))).into_response())
}

/// The owner's ceremony; one of another owner does not exist.
pub async fn find(state: &AppState, owner: &Owner, id: &str) -> ApiResult<CeremonyRow> {
    let row = state.store.ceremony_of(&owner.address, &ceremony_key(id)?).await?;
    row.ok_or_else(|| Problem::not_found("You have no such ceremony."))
}

fn signed_request(row: &CeremonyRow) -> ApiResult<SignedRequest> {
    serde_json::from_str(&row.request).map_err(|_| StoreError::Corrupt { column: "request" }.into())
}

async fn find_ready(state: &AppState, owner: &Owner, id: &str) -> ApiResult<CeremonyRow> {
    let row = find(state, owner, id).await?;
    match row.status.as_str() {
        "ready" => Ok(row),
        // Deposit signatures of validators that too few operators can run must not leave the service.
        "incomplete" => {
            let missing = row.missing_operators()?;
            Err(Problem::conflict("Operators have not confirmed their shares yet.").with_missing_operators(missing))
        }
        _ => Err(Problem::conflict(format!("The ceremony is {}.", row.status))),
    }
}
