//! How the duties of an owner's validators were performed, and how gateways report it.
//!
//! Figures are what the operators of a committee say in their majority; a registered gateway asks them and is believed.
//! The service checks that a report fits itself and that the committee is the validators' own.

use super::extract::{parse_json, pubkey_key, ApiQuery, PageQuery};
use crate::auth::gateway::GatewayCall;
use crate::auth::session::Owner;
use crate::limits;
use crate::problem::{ApiResult, Problem};
use crate::state::AppState;
use crate::store::{AttendanceRow, CommitteeEpoch, PerformanceFilter, PerformanceRow, StoreError, ValidatorFigures};
use axum::extract::State;
use axum::Json;
use cluster_crypto::Threshold;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use utoipa::{IntoParams, ToSchema};

/// Names of the kinds of duties.
pub const KINDS: [&str; 5] = ["attestation", "sync_message", "aggregate_and_proof", "contribution_and_proof", "block"];

/// Names of the reasons for which duties are missed; the operator guide says what to do about each.
pub const REASONS: [&str; 10] = [
    "beacon_node",
    "no_quorum",
    "other_view",
    "slashable",
    "signer",
    "too_few_partials",
    "not_accepted",
    "no_randao",
    "unknown_fork",
    "doppelganger",
];

/// The duties of one kind of one validator in one epoch.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KindFigures {
    /// attestation, sync_message, aggregate_and_proof, contribution_and_proof or block.
    pub kind: String,
    /// Duties that the validator had.
    pub expected: u32,
    /// Duties that were submitted to a beacon node.
    pub submitted: u32,
    /// Misses by reason, as far as the operators agree why.
    #[serde(default)]
    pub misses: BTreeMap<String, u32>,
}

/// One validator in a report.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportedValidator {
    /// 48 bytes, 0x hex.
    pub pubkey: String,
    /// Each kind at most once.
    pub duties: Vec<KindFigures>,
}

/// One operator in a report.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportedOperator {
    /// Id in the registry.
    pub operator_id: u32,
    /// Exchanges in which its partial signatures were seen.
    pub seen: u32,
}

/// What the operators of one committee say about one epoch, merged.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PerformanceReport {
    /// The epoch.
    pub epoch: u64,
    /// When it began, Unix milliseconds.
    pub start_ms: u64,
    /// Operators whose claims were merged; at least the committee's threshold.
    pub reports: u32,
    /// Exchanges of partial signatures for duties of the committee.
    pub exchanges: u32,
    /// The whole committee, ascending.
    pub operators: Vec<ReportedOperator>,
    /// At most 500; the rest in further reports.
    pub validators: Vec<ReportedValidator>,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PerformanceTaken {
    /// Validators whose figures changed.
    pub changed: u64,
    /// Validators that the service does not know, or knows with another committee.
    pub unknown: u64,
}

/// One validator in one epoch.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ValidatorPerformance {
    /// 48 bytes, 0x hex.
    pub pubkey: String,
    /// The epoch.
    pub epoch: u64,
    /// When it began, Unix milliseconds.
    pub start_ms: i64,
    /// The committee, ascending.
    pub operator_ids: Vec<u32>,
    /// Operators whose claims the figures come from.
    pub reports: i64,
    /// Duties of all kinds.
    pub expected: i64,
    /// Those that were submitted to a beacon node.
    pub submitted: i64,
    /// By kind.
    pub duties: Vec<KindFigures>,
}

/// One operator of the owner's committees, summed over the epochs asked for.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OperatorPerformance {
    /// Id in the registry.
    pub operator_id: i64,
    /// Exchanges of partial signatures for duties of the committees.
    pub exchanges: i64,
    /// Those in which this operator's partial signatures were seen.
    pub seen: i64,
}

impl From<AttendanceRow> for OperatorPerformance {
    fn from(row: AttendanceRow) -> Self {
        Self { operator_id: row.operator_id, exchanges: row.exchanges, seen: row.seen }
    }
}

/// A page of figures.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PerformancePage {
    /// Ascending by epoch.
    pub items: Vec<ValidatorPerformance>,
    /// Cursor of the next page; null on the last one.
    pub next_cursor: Option<String>,
    /// Operators, ascending, over the whole range; on the first page only.
    pub operators: Vec<OperatorPerformance>,
}

impl TryFrom<PerformanceRow> for ValidatorPerformance {
    type Error = Problem;

    fn try_from(row: PerformanceRow) -> ApiResult<Self> {
        let corrupt = |column| move |_| StoreError::Corrupt { column };
        Ok(Self {
            pubkey: row.pubkey,
            epoch: u64::try_from(row.epoch).map_err(|_| StoreError::Corrupt { column: "epoch" })?,
            start_ms: row.start_ms,
            operator_ids: serde_json::from_str(&row.operator_ids).map_err(corrupt("operator_ids"))?,
            reports: row.reports,
            expected: row.expected,
            submitted: row.submitted,
            duties: serde_json::from_str(&row.duties).map_err(corrupt("duties"))?,
        })
    }
}

/// Conditions of the list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PerformanceQuery {
    /// Only this validator: 0x and 96 hex digits.
    pub validator: Option<String>,
    /// Only validators whose committee has this operator, and only this operator.
    pub operator: Option<u32>,
    /// First epoch.
    pub from_epoch: Option<u64>,
    /// Last epoch.
    pub to_epoch: Option<u64>,
}

impl PerformanceQuery {
    fn filter(&self) -> ApiResult<PerformanceFilter> {
        let pubkey = self.validator.as_deref().map(pubkey_key).transpose();
        let filter = PerformanceFilter {
            pubkey: pubkey.map_err(|problem| problem.with_field("validator"))?.unwrap_or_default(),
            operator_id: self.operator,
            from_epoch: epoch_column(self.from_epoch.unwrap_or(0)),
            to_epoch: epoch_column(self.to_epoch.unwrap_or(u64::MAX)),
        };
        if filter.from_epoch > filter.to_epoch {
            return Err(Problem::invalid("to_epoch", "to_epoch is before from_epoch."));
        }
        Ok(filter)
    }
}

pub(super) fn epoch_column(epoch: u64) -> i64 {
    i64::try_from(epoch).unwrap_or(i64::MAX)
}

/// Lists how the duties of the owner's validators were performed, ascending by epoch.
#[utoipa::path(get, operation_id = "list_performance", path = "/v1/performance", tag = "performance", params(PageQuery, PerformanceQuery),
    security(("session" = [])),
    responses((status = 200, body = PerformancePage), (status = 401, body = Problem), (status = 422, body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    owner: Owner,
    ApiQuery(page): ApiQuery<PageQuery>,
    ApiQuery(query): ApiQuery<PerformanceQuery>,
) -> ApiResult<Json<PerformancePage>> {
    let (limit, filter) = (page.limit()?, query.filter()?);
    let cursor = page.cursor.as_deref().filter(|cursor| !cursor.is_empty());
    let after = cursor.map_or(Ok((-1, 0)), parse_position)?;
    let mut rows = state.store.performance_of(&owner.address, &filter, after, limit + 1).await?;
    let limit = usize::try_from(limit).unwrap_or(0);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next_cursor = rows.last().filter(|_| more).map(|last| format!("{}-{}", last.epoch, last.validator_id));
    let operators = match cursor {
        None => state.store.attendance_of(&owner.address, &filter).await?,
        Some(_) => Vec::new(),
    };
    Ok(Json(PerformancePage {
        items: rows.into_iter().map(ValidatorPerformance::try_from).collect::<ApiResult<_>>()?,
        next_cursor,
        operators: operators.into_iter().map(OperatorPerformance::from).collect(),
    }))
}

/// Epoch and number of the validator.
fn parse_position(cursor: &str) -> ApiResult<(i64, i64)> {
    let number = |text: &str| text.parse().ok().filter(|number: &i64| *number >= 0);
    let position = cursor.split_once('-').and_then(|(epoch, id)| Some((number(epoch)?, number(id)?)));
    position.ok_or_else(|| Problem::invalid("cursor", "The cursor is not one that this service gave out."))
}

/// Takes what the operators of a committee say about an epoch. The same report again changes nothing, and figures that
/// come from more operators replace others.
#[utoipa::path(put, operation_id = "publish_performance", path = "/v1/gateway/performance", tag = "gateway", security(("gateway" = [])),
    request_body = PerformanceReport,
    responses((status = 200, body = PerformanceTaken), (status = 401, body = Problem), (status = 413, body = Problem),
              (status = 422, body = Problem)))]
pub async fn publish(State(state): State<AppState>, call: GatewayCall) -> ApiResult<Json<PerformanceTaken>> {
    let report: PerformanceReport = parse_json(&call.body)?;
    check(&report, state.clock.now_ms())?;
    let figures: Vec<ValidatorFigures> = report.validators.iter().map(figures).collect::<ApiResult<_>>()?;
    let operator_ids: Vec<u32> = report.operators.iter().map(|operator| operator.operator_id).collect();
    let about = CommitteeEpoch {
        operator_ids: serde_json::to_string(&operator_ids).map_err(|_| Problem::internal())?,
        epoch: epoch_column(report.epoch),
        start_ms: report.start_ms,
        reports: i64::from(report.reports),
    };
    let pubkeys: Vec<String> = figures.iter().map(|figures| figures.pubkey.clone()).collect();
    let known = state.store.validators_of_committee(&about.operator_ids, &pubkeys).await?;
    let known: HashMap<String, i64> = known.into_iter().collect();
    let rows: Vec<(i64, &ValidatorFigures)> =
        figures.iter().filter_map(|figures| Some((*known.get(&figures.pubkey)?, figures))).collect();
    let unknown = (figures.len() - rows.len()) as u64;
    if rows.is_empty() {
        // Nobody here would look at it: committees without a validator must not fill the disk.
        return Ok(Json(PerformanceTaken { changed: 0, unknown }));
    }
    let seen: Vec<(u32, i64)> =
        report.operators.iter().map(|operator| (operator.operator_id, i64::from(operator.seen))).collect();
    let mut write = state.store.write().await?;
    let changed = write.put_performance(&about, &rows).await?;
    write.put_attendance(&about, i64::from(report.exchanges), &seen).await?;
    write.commit().await?;
    tracing::debug!(epoch = report.epoch, changed, gateway = %call.gateway, "performance of epoch {}", report.epoch);
    Ok(Json(PerformanceTaken { changed, unknown }))
}

fn check(report: &PerformanceReport, now_ms: u64) -> ApiResult<()> {
    if report.epoch > limits::EPOCH {
        return Err(Problem::invalid("epoch", "There is no such epoch."));
    }
    if report.start_ms > now_ms + limits::GATEWAY_WINDOW_MS {
        return Err(Problem::invalid("start_ms", "The epoch has not begun."));
    }
    let n = report.operators.len();
    let threshold = Threshold::for_operators(n).map_err(|_| {
        Problem::invalid("operators", format!("A committee of {n} operators cannot be: it has 4, 7, 10 or 13."))
    })?;
    if report.operators.windows(2).any(|pair| pair[0].operator_id >= pair[1].operator_id) {
        return Err(Problem::invalid("operators", "Operators stand in ascending order, each once."));
    }
    if report.operators.iter().any(|operator| operator.seen > report.exchanges) {
        return Err(Problem::invalid("operators", "An operator was seen in more exchanges than there were."));
    }
    let reports = usize::try_from(report.reports).unwrap_or(usize::MAX);
    if reports < threshold.t() || reports > n {
        let detail = format!("Figures come from {} to {n} operators of such a committee.", threshold.t());
        return Err(Problem::invalid("reports", detail));
    }
    if report.validators.len() > limits::PERFORMANCE_VALIDATORS {
        let detail = format!("A report has at most {} validators.", limits::PERFORMANCE_VALIDATORS);
        return Err(Problem::invalid("validators", detail));
    }
    let mut keys: Vec<&str> = report.validators.iter().map(|validator| validator.pubkey.as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    if keys.len() < report.validators.len() {
        return Err(Problem::invalid("validators", "Each validator stands in a report once."));
    }
    Ok(())
}

/// The columns of one validator, after a look at whether its figures fit each other.
fn figures(validator: &ReportedValidator) -> ApiResult<ValidatorFigures> {
    let field = |name: &str| format!("validators.{name}");
    // Only the canonical form, so that one validator has one name.
    let pubkey = pubkey_key(&validator.pubkey).ok().filter(|key| *key == validator.pubkey);
    let pubkey = pubkey
        .ok_or_else(|| Problem::invalid(field("pubkey"), "A validator key is 0x and 96 hex digits in lower case."))?;
    let mut kinds: Vec<&str> = validator.duties.iter().map(|duty| duty.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.len() < validator.duties.len() || !kinds.iter().all(|kind| KINDS.contains(kind)) {
        let detail = format!("Each kind stands once, and is one of {}.", KINDS.join(", "));
        return Err(Problem::invalid(field("duties"), detail));
    }
    let (mut expected, mut submitted) = (0, 0);
    for duty in &validator.duties {
        let missed: u64 = duty.misses.values().map(|count| u64::from(*count)).sum();
        if u64::from(duty.submitted) + missed > u64::from(duty.expected) {
            return Err(Problem::invalid(field("duties"), "More duties were submitted and missed than expected."));
        }
        if !duty.misses.keys().all(|reason| REASONS.contains(&reason.as_str())) {
            return Err(Problem::invalid(field("duties"), format!("A reason is one of {}.", REASONS.join(", "))));
        }
        expected += i64::from(duty.expected);
        submitted += i64::from(duty.submitted);
    }
    let duties = serde_json::to_string(&validator.duties).map_err(|_| Problem::internal())?;
    Ok(ValidatorFigures { pubkey, expected, submitted, duties })
}
