//! Calls of gateways, each signed with the gateway's key (see [`crate::auth::gateway`]).

use super::extract::{ceremony_key, parse_cursor, parse_json, ApiPath, ApiQuery};
use crate::auth::gateway::GatewayCall;
use crate::events::{self, CulpritReport, EventBody, EventKind};
use crate::limits;
use crate::metrics::Publication;
use crate::problem::{ApiResult, Problem};
use crate::publish;
use crate::schemas;
use crate::state::AppState;
use crate::store::StoreError;
use axum::extract::State;
use axum::http::StatusCode;
use axum::Json;
use cluster_core::committee::OperatorId;
use prometheus_client::metrics::gauge::Gauge;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};

/// Names of the steps of a ceremony, in order, and its two ends.
pub const STEPS: [&str; 9] = ["commit", "deal", "echo", "verdicts", "store", "sign", "certify", "done", "aborted"];

/// Parameters of the poll.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PollQuery {
    /// `cursor` of the answer before; 0 or missing for everything that is still open.
    pub after: Option<String>,
    /// Milliseconds to wait for a request when there is none, at most 30000.
    #[serde(default)]
    pub wait_ms: u64,
}

/// Open requests.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PollAnswer {
    /// Give it back as `after`.
    pub cursor: String,
    /// Signed requests, oldest first, at most 64.
    #[schema(value_type = Vec<schemas::SignedRequest>)]
    pub requests: Vec<serde_json::Value>,
}

/// What a published certificate led to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PublishAnswer {
    /// 0x hex.
    pub ceremony_id: String,
    /// `incomplete` or `ready`.
    pub status: String,
    /// Operators that have not attested.
    pub missing_operators: Vec<u32>,
}

/// A report of progress.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProgressReport {
    /// Who reported it to the gateway.
    pub operator_id: u32,
    /// commit, deal, echo, verdicts, store, sign, certify, done or aborted.
    pub step: String,
    /// When it happened at the operator, Unix milliseconds.
    pub at_ms: u64,
    /// Who is blamed.
    #[serde(default)]
    pub culprits: Vec<CulpritReport>,
    /// Why the ceremony ended without keys, if it did.
    #[serde(default)]
    pub aborted: Option<String>,
}

/// What a gateway heard of one operator.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HeardOperator {
    /// Id in the registry.
    pub operator_id: u32,
    /// Version of its program, e.g. `0.1.0`.
    pub version: String,
    /// When it was heard last, Unix milliseconds.
    pub last_seen_ms: u64,
}

/// What a gateway heard of operators.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OperatorsReport {
    /// Any of them, each once.
    pub operators: Vec<HeardOperator>,
}

/// Reports which operators were heard, and with which version. The newest report of an operator stays.
#[utoipa::path(put, path = "/v1/gateway/operators", operation_id = "report_operators", tag = "gateway", security(("gateway" = [])),
    request_body = OperatorsReport,
    responses((status = 204), (status = 401, body = Problem), (status = 422, body = Problem)))]
pub async fn operators(State(state): State<AppState>, call: GatewayCall) -> ApiResult<StatusCode> {
    let report: OperatorsReport = parse_json(&call.body)?;
    if report.operators.len() > limits::REPORT_OPERATORS {
        let detail = format!("A report names at most {} operators.", limits::REPORT_OPERATORS);
        return Err(Problem::invalid("operators", detail));
    }
    let latest_ms = state.clock.now_ms().saturating_add(limits::CLOCK_SKEW_S * 1000);
    for (at, heard) in report.operators.iter().enumerate() {
        if state.registry.operator(OperatorId(heard.operator_id)).is_none() {
            let detail = "The registry has no such operator.";
            return Err(Problem::invalid(format!("operators[{at}].operator_id"), detail));
        }
        let plain = |byte: u8| byte.is_ascii_graphic();
        if heard.version.is_empty() || heard.version.len() > limits::VERSION_CHARS || !heard.version.bytes().all(plain)
        {
            let detail = format!("A version has 1 to {} letters, digits and signs.", limits::VERSION_CHARS);
            return Err(Problem::invalid(format!("operators[{at}].version"), detail));
        }
        if heard.last_seen_ms > latest_ms {
            return Err(Problem::invalid(format!("operators[{at}].last_seen_ms"), "last_seen_ms is in the future."));
        }
    }
    let mut write = state.store.write().await?;
    for heard in &report.operators {
        let gateway = call.gateway.to_string();
        write.put_operator_report(heard.operator_id, &heard.version, heard.last_seen_ms, &gateway).await?;
    }
    write.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Waits for owners' requests.
#[utoipa::path(get, path = "/v1/gateway/requests", tag = "gateway", params(PollQuery), security(("gateway" = [])),
    responses((status = 200, body = PollAnswer), (status = 401, body = Problem), (status = 422, body = Problem)))]
pub async fn requests(
    State(state): State<AppState>,
    ApiQuery(query): ApiQuery<PollQuery>,
    _call: GatewayCall,
) -> ApiResult<Json<PollAnswer>> {
    let after = parse_cursor(query.after.as_deref(), 0).map_err(|problem| problem.with_field("after"))?;
    if query.wait_ms > limits::LONG_POLL_MS {
        return Err(Problem::invalid("wait_ms", format!("wait_ms is above {}.", limits::LONG_POLL_MS)));
    }
    let until = Instant::now() + Duration::from_millis(query.wait_ms);
    let mut news = state.wake.requests();
    let _waiting = Waiting::begin(&state.metrics.waiting_polls);
    loop {
        // Marked before the read: a request that arrives in between wakes the wait below.
        news.borrow_and_update();
        let rows = state.store.open_requests(after, state.clock.now_s(), limits::POLL_REQUESTS).await?;
        if !rows.is_empty() || Instant::now() >= until {
            let cursor = rows.last().map_or(after, |(position, _)| *position).to_string();
            let requests = rows.iter().map(|(_, request)| serde_json::from_str(request));
            let requests: Result<Vec<_>, _> = requests.collect();
            let requests = requests.map_err(|_| StoreError::Corrupt { column: "request" })?;
            return Ok(Json(PollAnswer { cursor, requests }));
        }
        let look_again = until.min(Instant::now() + Duration::from_millis(limits::EVENT_POLL_MS));
        tokio::select! {
            _ = news.changed() => {}
            () = tokio::time::sleep_until(look_again) => {}
            () = state.stopping.cancelled() => return Err(Problem::unavailable("The service is stopping.")),
        }
    }
}

/// Counts a poll as waiting until it is dropped, also when its caller went away.
struct Waiting(Gauge);

impl Waiting {
    fn begin(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Publishes a certificate; everything in it is verified again. Repeatable; attestations are merged.
#[utoipa::path(put, path = "/v1/gateway/ceremonies/{ceremony_id}", tag = "gateway", security(("gateway" = [])),
    request_body = schemas::Certificate, params(("ceremony_id" = String, Path, description = "0x and 64 hex digits")),
    responses((status = 200, body = PublishAnswer, description = "Merged, or known already"),
              (status = 201, body = PublishAnswer, description = "First certificate of the ceremony"),
              (status = 401, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem),
              (status = 422, body = Problem),
              (status = 503, body = Problem, description = "The service has not read the event of the request yet")))]
pub async fn publish_certificate(
    State(state): State<AppState>,
    ApiPath(id): ApiPath,
    call: GatewayCall,
) -> ApiResult<(StatusCode, Json<PublishAnswer>)> {
    let ceremony_id = ceremony_key(&id)?;
    let publication = publish::publish(&state, &ceremony_id, call.body).await?;
    let row = state.store.ceremony(&ceremony_id).await?.ok_or_else(Problem::internal)?;
    let code = if publication == Publication::Created { StatusCode::CREATED } else { StatusCode::OK };
    let missing_operators = row.missing_operators()?;
    Ok((code, Json(PublishAnswer { ceremony_id, status: row.status, missing_operators })))
}

/// Reports progress of a ceremony. The same report again changes nothing.
#[utoipa::path(post, path = "/v1/gateway/ceremonies/{ceremony_id}/progress", tag = "gateway",
    security(("gateway" = [])), request_body = ProgressReport,
    params(("ceremony_id" = String, Path, description = "0x and 64 hex digits")),
    responses((status = 204), (status = 401, body = Problem), (status = 404, body = Problem),
              (status = 422, body = Problem), (status = 429, body = Problem)))]
pub async fn progress(State(state): State<AppState>, ApiPath(id): ApiPath, call: GatewayCall) -> ApiResult<StatusCode> {
    let ceremony_id = ceremony_key(&id)?;
    let report: ProgressReport = parse_json(&call.body)?;
    let row = state.store.ceremony(&ceremony_id).await?;
    let row = row.ok_or_else(|| Problem::not_found("The service does not know the request of this ceremony."))?;
    check_report(&report, &row.operator_ids()?)?;
    let (aborted, reason) = (report.aborted.is_some(), report.aborted.clone().unwrap_or_default());
    let body = EventBody {
        operator_id: Some(report.operator_id),
        step: Some(report.step),
        reported_at_ms: Some(report.at_ms),
        culprits: report.culprits,
        reason: report.aborted,
        ..EventBody::of(if aborted { EventKind::Aborted } else { EventKind::Progress })
    };
    let now_ms = state.clock.now_ms();
    let mut write = state.store.write().await?;
    if write.last_event(&ceremony_id).await? >= limits::CEREMONY_EVENTS {
        return Err(Problem::too_many("The ceremony has too many events."));
    }
    if events::record(&mut write, &ceremony_id, body, now_ms).await?.is_none() {
        return Ok(StatusCode::NO_CONTENT);
    }
    let reported = if aborted { "aborted" } else { "running" };
    // Late reports of the operators' last steps do not bring an aborted ceremony back.
    if aborted || row.status != "aborted" {
        write.report_status(&ceremony_id, reported, &reason, now_ms).await?;
    }
    write.commit().await?;
    state.wake.ceremony(&ceremony_id);
    let operator_id = report.operator_id;
    tracing::info!(%ceremony_id, operator_id, gateway = %call.gateway, status = reported, "progress of ceremony {ceremony_id}");
    Ok(StatusCode::NO_CONTENT)
}

fn check_report(report: &ProgressReport, committee: &[u32]) -> ApiResult<()> {
    let stranger = |id: u32| format!("Operator {id} does not belong to the committee.");
    if !committee.contains(&report.operator_id) {
        return Err(Problem::invalid("operator_id", stranger(report.operator_id)));
    }
    if !STEPS.contains(&report.step.as_str()) {
        return Err(Problem::invalid("step", format!("A step is one of {}.", STEPS.join(", "))));
    }
    if report.culprits.len() > limits::CULPRITS {
        return Err(Problem::invalid("culprits", format!("A report names at most {} culprits.", limits::CULPRITS)));
    }
    for (at, culprit) in report.culprits.iter().enumerate() {
        if !committee.contains(&culprit.operator_id) {
            return Err(Problem::invalid(format!("culprits[{at}].operator_id"), stranger(culprit.operator_id)));
        }
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if culprit.kind.is_empty() || culprit.kind.len() > 64 || !culprit.kind.bytes().all(word) {
            let detail = "A kind is 1 to 64 letters, digits, - and _.";
            return Err(Problem::invalid(format!("culprits[{at}].kind"), detail));
        }
    }
    let reason = report.aborted.as_deref().unwrap_or_default();
    if reason.chars().count() > limits::REASON_CHARS || reason.chars().any(char::is_control) {
        let detail = format!("A reason has at most {} characters, on one line.", limits::REASON_CHARS);
        return Err(Problem::invalid("aborted", detail));
    }
    Ok(())
}
