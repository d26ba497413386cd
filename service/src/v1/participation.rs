//! Figures of duties as charts and sums need them: one validator over time with its operators, and several validators summed.

use super::extract::{parse_cursor, pubkey_key, ApiQuery, PageQuery};
use super::performance::{epoch_column, KindFigures, OperatorPerformance};
use crate::auth::session::Owner;
use crate::limits;
use crate::problem::{ApiResult, Problem};
use crate::state::AppState;
use crate::store::{Bucket, BucketRow, OwnValidatorRow, SameDutiesRow, SeriesQuery, StoreError};
use axum::extract::State;
use axum::Json;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use utoipa::{IntoParams, ToSchema};

/// What one item of a series covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// One epoch.
    #[default]
    Epoch,
    /// The epochs that began on one day of UTC.
    Day,
}

/// Which part of the series.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SeriesParameters {
    /// The validator: 0x and 96 hex digits.
    pub validator: String,
    /// What an item covers.
    #[serde(default)]
    #[param(inline)]
    pub per: Per,
    /// First epoch.
    pub from_epoch: Option<u64>,
    /// Last epoch.
    pub to_epoch: Option<u64>,
}

/// A validator and its operators in one epoch, or on one day.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PerformancePoint {
    /// First epoch with figures.
    pub first_epoch: i64,
    /// Last epoch with figures.
    pub last_epoch: i64,
    /// When the first epoch began, Unix milliseconds.
    pub start_ms: i64,
    /// Fewest operators whose claims the figures of an epoch come from.
    pub reports: i64,
    /// Duties of all kinds.
    pub expected: i64,
    /// Those that were submitted to a beacon node.
    pub submitted: i64,
    /// By kind, in alphabetical order.
    pub duties: Vec<KindFigures>,
    /// Its operators, ascending: in how many exchanges of partial signatures, for all validators of the committee, each was seen.
    pub operators: Vec<OperatorPerformance>,
}

/// A page of a series.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PerformanceSeries {
    /// Newest first.
    pub items: Vec<PerformancePoint>,
    /// Cursor of the next page, which is older; null on the last one.
    pub next_cursor: Option<String>,
}

/// Whose sums.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TotalsParameters {
    /// 1 to 25 keys with commas between them, each 0x and 96 hex digits.
    pub validators: String,
    /// Only epochs that began at this moment or later, Unix milliseconds.
    pub since_ms: Option<u64>,
}

/// One validator, summed over epochs.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ValidatorTotals {
    /// 48 bytes, 0x hex.
    pub pubkey: String,
    /// Epochs with figures.
    pub epochs: i64,
    /// By kind, in alphabetical order.
    pub duties: Vec<KindFigures>,
}

/// Sums of several validators.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PerformanceTotals {
    /// Those of the validators that are the owner's, ascending by key.
    pub items: Vec<ValidatorTotals>,
}

/// Duties of equal rows, summed by kind.
#[derive(Default)]
struct Sum {
    epochs: i64,
    kinds: BTreeMap<String, KindFigures>,
}

impl Sum {
    fn add(&mut self, row: &SameDutiesRow) -> ApiResult<()> {
        let duties: Vec<KindFigures> =
            serde_json::from_str(&row.duties).map_err(|_| StoreError::Corrupt { column: "duties" })?;
        let times = u32::try_from(row.epochs).unwrap_or(u32::MAX);
        self.epochs = self.epochs.saturating_add(row.epochs);
        for one in duties {
            let none = KindFigures { kind: one.kind.clone(), expected: 0, submitted: 0, misses: BTreeMap::new() };
            let sum = self.kinds.entry(one.kind).or_insert(none);
            sum.expected = sum.expected.saturating_add(one.expected.saturating_mul(times));
            sum.submitted = sum.submitted.saturating_add(one.submitted.saturating_mul(times));
            for (reason, count) in one.misses {
                let held = sum.misses.entry(reason).or_default();
                *held = held.saturating_add(count.saturating_mul(times));
            }
        }
        Ok(())
    }

    /// Sums by bucket, or by validator.
    fn by_bucket(rows: &[SameDutiesRow]) -> ApiResult<HashMap<i64, Self>> {
        let mut sums: HashMap<i64, Self> = HashMap::new();
        for row in rows {
            sums.entry(row.bucket).or_default().add(row)?;
        }
        Ok(sums)
    }

    fn duties(self) -> Vec<KindFigures> {
        self.kinds.into_values().collect()
    }
}

/// Shows one validator over time: its duties and how often each operator of its committee took part, newest first.
#[utoipa::path(get, operation_id = "performance_series", path = "/v1/performance/series", tag = "performance",
    params(PageQuery, SeriesParameters), security(("session" = [])),
    responses((status = 200, body = PerformanceSeries), (status = 401, body = Problem), (status = 404, body = Problem),
              (status = 422, body = Problem)))]
pub async fn series(
    State(state): State<AppState>,
    owner: Owner,
    ApiQuery(page): ApiQuery<PageQuery>,
    ApiQuery(parameters): ApiQuery<SeriesParameters>,
) -> ApiResult<Json<PerformanceSeries>> {
    let limit = page.limit()?;
    let pubkey = pubkey_key(&parameters.validator).map_err(|problem| problem.with_field("validator"))?;
    let (from_epoch, to_epoch) =
        (epoch_column(parameters.from_epoch.unwrap_or(0)), epoch_column(parameters.to_epoch.unwrap_or(u64::MAX)));
    if from_epoch > to_epoch {
        return Err(Problem::invalid("to_epoch", "to_epoch is before from_epoch."));
    }
    let before = parse_cursor(page.cursor.as_deref(), i64::MAX)?;
    let own = state.store.own_validators(&owner.address, &[pubkey]).await?;
    let validator = own.into_iter().next().ok_or_else(|| Problem::not_found("You have no such validator."))?;
    let bucket = if parameters.per == Per::Day { Bucket::Day } else { Bucket::Epoch };
    let query = SeriesQuery { validator_id: validator.id, bucket, from_epoch, to_epoch, before };
    let mut buckets = state.store.buckets_of(&query, limit + 1).await?;
    let limit = usize::try_from(limit).unwrap_or(0);
    let more = buckets.len() > limit;
    buckets.truncate(limit);
    let next_cursor = buckets.last().filter(|_| more).map(|last| last.bucket.to_string());
    Ok(Json(PerformanceSeries { items: points(&state, &query, &validator, buckets).await?, next_cursor }))
}

/// Fills buckets, which stand newest first, with duties and operators.
async fn points(
    state: &AppState,
    query: &SeriesQuery,
    validator: &OwnValidatorRow,
    buckets: Vec<BucketRow>,
) -> ApiResult<Vec<PerformancePoint>> {
    let (Some(newest), Some(oldest)) = (buckets.first(), buckets.last()) else { return Ok(Vec::new()) };
    let span = (oldest.first_epoch, newest.last_epoch);
    let mut sums = Sum::by_bucket(&state.store.duties_by_bucket(query, span).await?)?;
    let mut operators: HashMap<i64, Vec<OperatorPerformance>> = HashMap::new();
    for row in state.store.attendance_by_bucket(validator.id, query.bucket, span).await? {
        let one = OperatorPerformance { operator_id: row.operator_id, exchanges: row.exchanges, seen: row.seen };
        operators.entry(row.bucket).or_default().push(one);
    }
    let point = |bucket: BucketRow| PerformancePoint {
        first_epoch: bucket.first_epoch,
        last_epoch: bucket.last_epoch,
        start_ms: bucket.start_ms,
        reports: bucket.reports,
        expected: bucket.expected,
        submitted: bucket.submitted,
        duties: sums.remove(&bucket.bucket).unwrap_or_default().duties(),
        operators: operators.remove(&bucket.bucket).unwrap_or_default(),
    };
    Ok(buckets.into_iter().map(point).collect())
}

/// Sums the duties of some of the owner's validators, to be held against a threshold.
#[utoipa::path(get, operation_id = "performance_totals", path = "/v1/performance/totals", tag = "performance",
    params(TotalsParameters), security(("session" = [])),
    responses((status = 200, body = PerformanceTotals), (status = 401, body = Problem), (status = 422, body = Problem)))]
pub async fn totals(
    State(state): State<AppState>,
    owner: Owner,
    ApiQuery(parameters): ApiQuery<TotalsParameters>,
) -> ApiResult<Json<PerformanceTotals>> {
    let keys: Vec<&str> = parameters.validators.split(',').take(limits::TOTALS_VALIDATORS + 1).collect();
    if keys.len() > limits::TOTALS_VALIDATORS {
        let detail = format!("validators must name 1 to {} keys.", limits::TOTALS_VALIDATORS);
        return Err(Problem::invalid("validators", detail));
    }
    let keys = keys.into_iter().map(pubkey_key).collect::<ApiResult<Vec<String>>>();
    let keys = keys.map_err(|problem| problem.with_field("validators"))?;
    let own = state.store.own_validators(&owner.address, &keys).await?;
    if own.is_empty() {
        return Ok(Json(PerformanceTotals { items: Vec::new() }));
    }
    let ids: Vec<i64> = own.iter().map(|validator| validator.id).collect();
    let mut sums = Sum::by_bucket(&state.store.totals_of(&ids, parameters.since_ms.unwrap_or(0)).await?)?;
    let item = |validator: OwnValidatorRow| {
        let sum = sums.remove(&validator.id).unwrap_or_default();
        ValidatorTotals { pubkey: validator.pubkey, epochs: sum.epochs, duties: sum.duties() }
    };
    Ok(Json(PerformanceTotals { items: own.into_iter().map(item).collect() }))
}
