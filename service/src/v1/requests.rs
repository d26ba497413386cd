//! Owners' requests. They are signed themselves, so that no login is needed to submit one.

use super::extract::ApiJson;
use crate::events::{self, EventBody, EventKind};
use crate::limits;
use crate::problem::{ApiResult, Problem};
use crate::publish::new_ceremony;
use crate::schemas;
use crate::state::AppState;
use crate::store::WriteTx;
use axum::extract::State;
use axum::http::StatusCode;
use axum::Json;
use cluster_core::encoding::to_hex;
use cluster_core::request::{Request, RequestRules, SignedRequest};
use serde::Serialize;
use utoipa::ToSchema;

/// Largest committee; only bounds the work on an unsigned request.
const OPERATORS: usize = 13;

/// An accepted request.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RequestAnswer {
    /// Names the ceremony everywhere: 0x hex.
    pub ceremony_id: String,
    /// Where it stands.
    pub status: String,
}

/// What a wallet needs to sign a request.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TypedDataAnswer {
    /// Argument of `eth_signTypedData_v4`.
    #[schema(value_type = Object)]
    pub typed_data: serde_json::Value,
    /// The EIP-712 digest: 0x hex.
    pub digest: String,
    /// The ceremony that the signed request will start: 0x hex.
    pub ceremony_id: String,
}

/// Submits a signed request. The same request again gets the same answer.
#[utoipa::path(post, path = "/v1/requests", tag = "requests", request_body = schemas::SignedRequest,
    responses((status = 202, body = RequestAnswer), (status = 409, body = Problem), (status = 422, body = Problem),
              (status = 429, body = Problem)))]
pub async fn submit(
    State(state): State<AppState>,
    ApiJson(signed): ApiJson<SignedRequest>,
) -> ApiResult<(StatusCode, Json<RequestAnswer>)> {
    let rules = RequestRules::new(state.network);
    let checked = signed
        .check(&rules, state.registry.as_ref(), state.clock.now_s())
        .map_err(|error| Problem::invalid(error.field(), error.to_string()))?;
    check_gateway(&state, &signed.request)?;
    check_operators(&state, &signed.request)?;
    let ceremony = new_ceremony(checked.signed())?;
    let ceremony_id = &ceremony.ceremony_id;
    let accepted = |status: &str| {
        let answer = RequestAnswer { ceremony_id: ceremony_id.clone(), status: status.to_owned() };
        (StatusCode::ACCEPTED, Json(answer))
    };
    let now_ms = state.clock.now_ms();
    let mut write = state.store.write().await?;
    if let Some((held_status, _)) = write.ceremony_head(ceremony_id).await? {
        return Ok(accepted(&held_status));
    }
    if let Some(other) = write.ceremony_of_nonce(&ceremony.owner, ceremony.nonce).await? {
        let detail = format!("The owner used nonce {} for ceremony {other}; choose another one.", ceremony.nonce);
        return Err(Problem::conflict(detail).with_field("nonce"));
    }
    make_room(&mut write, &ceremony.owner, now_ms).await?;
    write.add_ceremony(&ceremony, now_ms).await?;
    events::record(&mut write, ceremony_id, EventBody::of(EventKind::Requested), now_ms).await?;
    write.commit().await?;
    state.metrics.requests_accepted.inc();
    state.wake.request();
    state.wake.ceremony(ceremony_id);
    let validator_count = ceremony.validator_count;
    tracing::info!(%ceremony_id, validator_count, "request accepted, ceremony {ceremony_id}");
    Ok(accepted("pending"))
}

/// Gives the EIP-712 typed data of an unsigned request, for a wallet to show and sign.
#[utoipa::path(post, path = "/v1/requests/typed-data", tag = "requests", request_body = schemas::Request,
    responses((status = 200, body = TypedDataAnswer), (status = 422, body = Problem)))]
pub async fn typed_data(
    State(state): State<AppState>,
    ApiJson(request): ApiJson<Request>,
) -> ApiResult<Json<TypedDataAnswer>> {
    if request.operator_ids.len() > OPERATORS {
        return Err(Problem::invalid("operator_ids", format!("A committee has at most {OPERATORS} operators.")));
    }
    if request.chain_id != state.network.chain_id() {
        let detail = format!("This service serves {}, chain {}.", state.network, state.network.chain_id());
        return Err(Problem::invalid("chain_id", detail));
    }
    check_gateway(&state, &request)?;
    Ok(Json(TypedDataAnswer {
        typed_data: cluster_core::eip712::typed_data_json(&request),
        digest: to_hex(&request.digest()),
        ceremony_id: request.ceremony_id_when_signed().to_string(),
    }))
}

/// Requests cost nothing to sign, so that their number is bounded. Those that operators take up start within
/// seconds; when there is no room, the oldest that nobody took up has to go.
async fn make_room(write: &mut WriteTx, owner: &str, now_ms: u64) -> ApiResult<()> {
    let (all, own) = write.unstarted_requests(owner).await?;
    let room = all < limits::UNSTARTED_REQUESTS
        || write.drop_oldest_unstarted(now_ms.saturating_sub(limits::UNSTARTED_KEEP_MS)).await?;
    if own < limits::UNSTARTED_REQUESTS_OWNER && room {
        return Ok(());
    }
    Err(Problem::too_many("Too many requests wait for a ceremony already; try again later."))
}

/// The registry of a chain knows removed operators, too, for what they did before.
fn check_operators(state: &AppState, request: &Request) -> ApiResult<()> {
    let Some(chain) = &state.chain else { return Ok(()) };
    for id in &request.operator_ids {
        if chain.directory.chain_operator(*id).is_some_and(|operator| !operator.fact.active) {
            let detail = format!("Operator {id} has left the network; choose another one.");
            return Err(Problem::invalid("operator_ids", detail));
        }
    }
    Ok(())
}

/// A request for a gateway that nobody runs would wait for ever.
fn check_gateway(state: &AppState, request: &Request) -> ApiResult<()> {
    if state.registry.gateways().iter().any(|gateway| gateway.public_key == request.cluster_pubkey) {
        return Ok(());
    }
    let detail = format!("The registry has no gateway with the key {}.", request.cluster_pubkey);
    Err(Problem::invalid("cluster_pubkey", detail))
}
