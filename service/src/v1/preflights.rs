//! Whether exactly this committee is fit for a ceremony, before anything is signed or paid: an owner asks, a gateway asks the
//! operators over the mesh and answers. What it says are claims; they serve the owner's choice and nothing else.

use super::extract::{parse_json, ApiJson, ApiPath, ApiQuery};
use crate::auth::gateway::GatewayCall;
use crate::auth::session::Owner;
use crate::limits;
use crate::problem::{ApiResult, Problem};
use crate::state::AppState;
use crate::store::{PreflightRow, StoreError};
use axum::extract::State;
use axum::http::StatusCode;
use axum::Json;
use cluster_core::committee::{check_ids, OperatorId};
use rand_core::{OsRng, RngCore};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};

/// A committee to be looked at.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreflightQuestion {
    /// 4, 7, 10 or 13 ids, ascending.
    pub operator_ids: Vec<u32>,
}

/// Where a preflight stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PreflightStatus {
    /// No gateway has taken it up yet.
    Waiting,
    /// A gateway asks the operators.
    Taken,
    /// The findings are there.
    Done,
    /// Time is over and no gateway has answered.
    Unanswered,
}

/// How far an operator has got with something, by its own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Up to date.
    Ready,
    /// Catching up, or cut off.
    Behind,
}

/// Versions of one protocol, both ends included.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProtocolVersions {
    /// `dkg`, `publish`, ...
    pub protocol: String,
    /// Lowest version.
    pub min: u16,
    /// Highest version.
    pub max: u16,
}

/// What a gateway found out about one operator.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OperatorFinding {
    /// Id in the registry.
    pub operator_id: u32,
    /// Whether it answered, over a connection that its registered key authenticated.
    pub reachable: bool,
    /// Between question and answer.
    pub round_trip_ms: Option<u32>,
    /// Of its program, e.g. `0.1.0`.
    pub version: Option<String>,
    /// How far its clock is ahead of the gateway's; negative when it is behind.
    pub clock_skew_ms: Option<i64>,
    /// Ceremonies that it has not finished.
    pub open_ceremonies: Option<u32>,
    /// How far it has read the contracts; null when it reads none, or does not say.
    pub chain: Option<Standing>,
    /// How far its best beacon node is; null when it has none, or does not say.
    pub beacon: Option<Standing>,
    /// What it speaks.
    pub protocols: Vec<ProtocolVersions>,
    /// What it can do beyond version 1 of everything.
    pub capabilities: Vec<String>,
    /// What stands in the way of a ceremony, in sentences with what to do.
    pub problems: Vec<String>,
}

/// A preflight.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Preflight {
    /// 0x hex.
    pub preflight_id: String,
    /// The committee, ascending.
    pub operator_ids: Vec<u32>,
    /// Where it stands.
    pub status: PreflightStatus,
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// When waiting ends, Unix milliseconds.
    pub answer_before_ms: i64,
    /// Name of the gateway that took it up.
    pub gateway: Option<String>,
    /// When its findings arrived, Unix milliseconds.
    pub measured_at_ms: Option<i64>,
    /// One entry per operator of the committee, once it is done.
    pub operators: Vec<OperatorFinding>,
}

/// A question, as gateways get it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OpenPreflight {
    /// 0x hex.
    pub preflight_id: String,
    /// The committee, ascending.
    pub operator_ids: Vec<u32>,
    /// Later answers are not taken, Unix milliseconds.
    pub answer_before_ms: i64,
}

/// Questions for a gateway.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OpenPreflights {
    /// Oldest first, at most 8. They are this gateway's for some seconds.
    pub preflights: Vec<OpenPreflight>,
}

/// What a gateway found.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreflightReport {
    /// Every operator of the committee, in its order.
    pub operators: Vec<OperatorFinding>,
}

/// How long a call waits for news.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WaitQuery {
    /// Milliseconds to wait, at most 30000.
    #[serde(default)]
    pub wait_ms: u64,
}

impl PreflightRow {
    fn status(&self, now_ms: u64) -> PreflightStatus {
        let over = self.answer_before_ms <= i64::try_from(now_ms).unwrap_or(i64::MAX);
        match (self.measured_at_ms, self.taken_at_ms) {
            (0, _) if over => PreflightStatus::Unanswered,
            (0, 0) => PreflightStatus::Waiting,
            (0, _) => PreflightStatus::Taken,
            _ => PreflightStatus::Done,
        }
    }

    fn shown(self, now_ms: u64) -> ApiResult<Preflight> {
        let status = self.status(now_ms);
        let operators = match status {
            PreflightStatus::Done => {
                serde_json::from_str(&self.findings).map_err(|_| StoreError::Corrupt { column: "findings" })?
            }
            _ => Vec::new(),
        };
        Ok(Preflight {
            operator_ids: self.operator_ids()?,
            status,
            created_at_ms: self.created_at_ms,
            answer_before_ms: self.answer_before_ms,
            gateway: (!self.gateway.is_empty()).then_some(self.gateway),
            measured_at_ms: (self.measured_at_ms > 0).then_some(self.measured_at_ms),
            operators,
            preflight_id: self.preflight_id,
        })
    }
}

/// Asks whether a committee is fit. The same question again, while it waits, is the same preflight.
#[utoipa::path(post, path = "/v1/preflights", operation_id = "ask_preflight", tag = "preflights", security(("session" = [])),
    request_body = PreflightQuestion,
    responses((status = 202, body = Preflight), (status = 401, body = Problem), (status = 422, body = Problem),
              (status = 429, body = Problem)))]
pub async fn ask(
    State(state): State<AppState>,
    owner: Owner,
    ApiJson(question): ApiJson<PreflightQuestion>,
) -> ApiResult<(StatusCode, Json<Preflight>)> {
    let ids: Vec<OperatorId> = question.operator_ids.iter().copied().map(OperatorId).collect();
    check_ids(&ids).map_err(|error| Problem::invalid("operator_ids", error.to_string()))?;
    if let Some(unknown) = ids.iter().find(|id| state.registry.operator(**id).is_none()) {
        return Err(Problem::invalid("operator_ids", format!("The registry has no operator {unknown}.")));
    }
    let operator_ids = serde_json::to_string(&question.operator_ids).map_err(|_| Problem::internal())?;
    let now_ms = state.clock.now_ms();
    let mut write = state.store.write().await?;
    if let Some(waiting) = write.waiting_preflight(&owner.address, &operator_ids, now_ms).await? {
        return Ok((StatusCode::ACCEPTED, Json(waiting.shown(now_ms)?)));
    }
    write.drop_preflights(now_ms.saturating_sub(limits::PREFLIGHT_KEEP_MS)).await?;
    let (all, own) = write.count_preflights(&owner.address, now_ms.saturating_sub(60_000)).await?;
    if own >= limits::PREFLIGHTS_OWNER_MINUTE {
        return Err(Problem::too_many("You asked often within a minute; wait a little, then ask again."));
    }
    if all >= limits::PREFLIGHTS {
        return Err(Problem::too_many("Too many preflights are asked for; try again in some minutes."));
    }
    let row = new_row(owner.address, operator_ids, now_ms);
    write.add_preflight(&row).await?;
    write.commit().await?;
    state.wake.preflight();
    Ok((StatusCode::ACCEPTED, Json(row.shown(now_ms)?)))
}

fn new_row(owner: String, operator_ids: String, now_ms: u64) -> PreflightRow {
    let mut random = [0u8; 16];
    OsRng.fill_bytes(&mut random);
    let time = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    PreflightRow {
        preflight_id: format!("0x{}", hex::encode(random)),
        owner,
        operator_ids,
        created_at_ms: time(now_ms),
        answer_before_ms: time(now_ms.saturating_add(limits::PREFLIGHT_ANSWER_MS)),
        taken_at_ms: 0,
        gateway: String::new(),
        measured_at_ms: 0,
        findings: String::new(),
    }
}

/// Shows a preflight, once something has changed or the time is over.
#[utoipa::path(get, path = "/v1/preflights/{preflight_id}", operation_id = "get_preflight", tag = "preflights",
    security(("session" = [])), params(WaitQuery, ("preflight_id" = String, Path, description = "As the question's answer gave it")),
    responses((status = 200, body = Preflight), (status = 401, body = Problem), (status = 404, body = Problem),
              (status = 422, body = Problem)))]
pub async fn get(
    State(state): State<AppState>,
    owner: Owner,
    ApiPath(id): ApiPath,
    ApiQuery(query): ApiQuery<WaitQuery>,
) -> ApiResult<Json<Preflight>> {
    let until = deadline(&query)?;
    let mut news = state.wake.preflights();
    let mut first = None;
    loop {
        // Marked before the read: an answer that arrives in between wakes the wait below.
        news.borrow_and_update();
        let row = state.store.preflight_of(&owner.address, &id).await?;
        let row =
            row.ok_or_else(|| Problem::not_found("You have no such preflight; they are kept for ten minutes."))?;
        let now_ms = state.clock.now_ms();
        let status = row.status(now_ms);
        let over = matches!(status, PreflightStatus::Done | PreflightStatus::Unanswered);
        if over || *first.get_or_insert(status) != status || Instant::now() >= until {
            return Ok(Json(row.shown(now_ms)?));
        }
        wait(&state, &mut news, until).await?;
    }
}

fn deadline(query: &WaitQuery) -> ApiResult<Instant> {
    if query.wait_ms > limits::LONG_POLL_MS {
        return Err(Problem::invalid("wait_ms", format!("wait_ms is above {}.", limits::LONG_POLL_MS)));
    }
    Ok(Instant::now() + Duration::from_millis(query.wait_ms))
}

/// Until there may be news: another process may have written as well.
async fn wait(state: &AppState, news: &mut watch::Receiver<u64>, until: Instant) -> ApiResult<()> {
    let look_again = until.min(Instant::now() + Duration::from_millis(limits::EVENT_POLL_MS));
    tokio::select! {
        _ = news.changed() => Ok(()),
        () = tokio::time::sleep_until(look_again) => Ok(()),
        () = state.stopping.cancelled() => Err(Problem::unavailable("The service is stopping.")),
    }
}

/// Waits for questions, and takes them up.
#[utoipa::path(get, path = "/v1/gateway/preflights", operation_id = "poll_preflights", tag = "gateway", params(WaitQuery),
    security(("gateway" = [])),
    responses((status = 200, body = OpenPreflights), (status = 401, body = Problem), (status = 422, body = Problem)))]
pub async fn poll(
    State(state): State<AppState>,
    ApiQuery(query): ApiQuery<WaitQuery>,
    call: GatewayCall,
) -> ApiResult<Json<OpenPreflights>> {
    let until = deadline(&query)?;
    let mut news = state.wake.preflights();
    loop {
        news.borrow_and_update();
        let now_ms = state.clock.now_ms();
        let taken_before_ms = now_ms.saturating_sub(limits::PREFLIGHT_TAKEN_MS);
        let mut preflights = Vec::new();
        for row in state.store.open_preflights(now_ms, taken_before_ms, limits::POLL_PREFLIGHTS).await? {
            if state.store.take_preflight(&row.preflight_id, &call.gateway, now_ms, taken_before_ms).await? {
                let (operator_ids, answer_before_ms) = (row.operator_ids()?, row.answer_before_ms);
                preflights.push(OpenPreflight { preflight_id: row.preflight_id, operator_ids, answer_before_ms });
            }
        }
        if !preflights.is_empty() {
            state.wake.preflight();
        }
        if !preflights.is_empty() || Instant::now() >= until {
            return Ok(Json(OpenPreflights { preflights }));
        }
        wait(&state, &mut news, until).await?;
    }
}

/// Takes a gateway's findings. The first answer counts; later ones change nothing.
#[utoipa::path(put, path = "/v1/gateway/preflights/{preflight_id}", operation_id = "report_preflight", tag = "gateway",
    security(("gateway" = [])), request_body = PreflightReport,
    params(("preflight_id" = String, Path, description = "As the poll gave it")),
    responses((status = 204), (status = 401, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn report(State(state): State<AppState>, ApiPath(id): ApiPath, call: GatewayCall) -> ApiResult<StatusCode> {
    let report: PreflightReport = parse_json(&call.body)?;
    let row = state.store.preflight(&id).await?.ok_or_else(|| Problem::not_found("Nobody asks for this preflight."))?;
    let named: Vec<u32> = report.operators.iter().map(|finding| finding.operator_id).collect();
    if named != row.operator_ids()? {
        return Err(Problem::invalid(
            "operators",
            "A report has one entry for each operator, in the committee's order.",
        ));
    }
    for (at, finding) in report.operators.iter().enumerate() {
        check_finding(finding)
            .map_err(|(field, detail)| Problem::invalid(format!("operators[{at}].{field}"), detail))?;
    }
    let findings = serde_json::to_string(&report.operators).map_err(|_| Problem::internal())?;
    if state.store.answer_preflight(&id, &call.gateway, &findings, state.clock.now_ms()).await? {
        state.wake.preflight();
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The bounds of what one operator can make a gateway say.
fn check_finding(finding: &OperatorFinding) -> Result<(), (&'static str, String)> {
    let plain =
        |text: &str, chars: usize| (1..=chars).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    if !finding.version.as_deref().is_none_or(|version| plain(version, limits::VERSION_CHARS)) {
        return Err(("version", format!("A version has 1 to {} letters, digits and signs.", limits::VERSION_CHARS)));
    }
    let names =
        format!("At most {} names of 1 to {} characters.", limits::PREFLIGHT_NAMES, limits::PREFLIGHT_NAME_CHARS);
    let name = |text: &str| plain(text, limits::PREFLIGHT_NAME_CHARS);
    if finding.protocols.len() > limits::PREFLIGHT_NAMES || !finding.protocols.iter().all(|one| name(&one.protocol)) {
        return Err(("protocols", names));
    }
    if finding.capabilities.len() > limits::PREFLIGHT_NAMES || !finding.capabilities.iter().all(|one| name(one)) {
        return Err(("capabilities", names));
    }
    let sentence = |text: &String| {
        (1..=limits::REASON_CHARS).contains(&text.chars().count()) && !text.chars().any(char::is_control)
    };
    if finding.problems.len() > limits::PREFLIGHT_PROBLEMS || !finding.problems.iter().all(sentence) {
        let (count, chars) = (limits::PREFLIGHT_PROBLEMS, limits::REASON_CHARS);
        return Err(("problems", format!("At most {count} problems of 1 to {chars} characters, each on one line.")));
    }
    Ok(())
}
