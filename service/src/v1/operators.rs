//! Operators of the registry: public, like the registry.

use super::extract::{ApiPath, ApiQuery, Page, PageQuery};
use crate::limits;
use crate::problem::{ApiResult, Problem};
use crate::state::AppState;
use crate::store::{AttendanceRow, OperatorReportRow};
use axum::extract::State;
use axum::Json;
use cluster_core::committee::OperatorId;
use cluster_core::encoding::to_hex;
use cluster_core::registry::OperatorEntry;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use utoipa::{IntoParams, ToSchema};

/// One operator.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Operator {
    /// Id in the registry.
    pub operator_id: u32,
    /// Name for people.
    pub name: String,
    /// Identity key: 33 bytes, 0x hex.
    pub public_key: String,
    /// Wallet, checksummed.
    pub owner: Option<String>,
    /// Verified by the network's administrators.
    pub verified: bool,
    /// Run on behalf of the DAO.
    pub from_dao: bool,
    /// Fee in gwei per validator and block.
    pub fee_gwei: Option<u64>,
    /// `false` once it has left the network.
    pub active: bool,
    /// Validators that it performs for; null where no chain is read.
    pub validator_count: Option<u32>,
    /// Block and transaction of its registration; null where no chain is read.
    pub registered: Option<Registration>,
    /// Version of its program, as a gateway last heard it.
    pub version: Option<String>,
    /// When a gateway last heard it, Unix milliseconds.
    pub last_seen_ms: Option<i64>,
    /// How it performed in the last 30 days; null while no committee of it has reported.
    pub month: Option<OperatorMonth>,
}

/// What the committees of an operator say about it in their majority.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct OperatorMonth {
    /// Exchanges of partial signatures for duties.
    pub exchanges: i64,
    /// Those in which the operator's partial signatures were seen.
    pub seen: i64,
}

/// By operator id.
async fn months(state: &AppState) -> ApiResult<HashMap<i64, OperatorMonth>> {
    let since_ms = state.clock.now_ms().saturating_sub(limits::MONTH_MS);
    let rows = state.store.attendance_since(since_ms).await?;
    let month = |row: AttendanceRow| (row.operator_id, OperatorMonth { exchanges: row.exchanges, seen: row.seen });
    Ok(rows.into_iter().map(month).collect())
}

/// Where an operator was registered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Registration {
    /// Height of the block.
    pub block_number: u64,
    /// 0x hex.
    pub tx_hash: String,
}

impl Operator {
    fn new(
        state: &AppState,
        reports: &[OperatorReportRow],
        months: &HashMap<i64, OperatorMonth>,
        entry: OperatorEntry,
    ) -> Self {
        let chain = state.chain.as_ref().and_then(|chain| chain.directory.chain_operator(entry.id));
        let report = reports.iter().find(|row| row.operator_id == i64::from(entry.id.0));
        Self {
            operator_id: entry.id.0,
            public_key: to_hex(&entry.public_key.to_bytes()),
            owner: entry.owner.map(|owner| owner.to_string()),
            name: entry.name,
            verified: entry.verified,
            from_dao: entry.from_dao,
            fee_gwei: entry.fee_gwei,
            active: chain.as_ref().is_none_or(|operator| operator.fact.active),
            validator_count: chain.as_ref().map(|operator| operator.validator_count),
            registered: chain.map(|operator| Registration {
                block_number: operator.fact.registered_block,
                tx_hash: operator.fact.registered_by.transaction_hash.to_string(),
            }),
            version: report.map(|report| report.version.clone()),
            last_seen_ms: report.map(|report| report.last_seen_ms),
            month: months.get(&i64::from(entry.id.0)).copied(),
        }
    }
}

/// Conditions of the list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OperatorQuery {
    /// Part of the name, whatever its case.
    pub name: Option<String>,
    /// Only verified ones, or only others.
    pub verified: Option<bool>,
}

/// Lists operators, ascending by id.
#[utoipa::path(get, operation_id = "list_operators", path = "/v1/operators", tag = "operators", params(PageQuery, OperatorQuery),
    responses((status = 200, body = Page<Operator>), (status = 422, body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    ApiQuery(page): ApiQuery<PageQuery>,
    ApiQuery(query): ApiQuery<OperatorQuery>,
) -> ApiResult<Json<Page<Operator>>> {
    let (limit, after) = (page.limit()?, page.position(-1)?);
    let name = query.name.unwrap_or_default().to_lowercase();
    let rows = state.registry.operators().into_iter().filter(|entry| {
        i64::from(entry.id.0) > after
            && entry.name.to_lowercase().contains(&name)
            && query.verified.is_none_or(|verified| entry.verified == verified)
    });
    let rows: Vec<OperatorEntry> = rows.take(usize::try_from(limit).unwrap_or(0) + 1).collect();
    let (reports, months) = (state.store.operator_reports().await?, months(&state).await?);
    let shown = |entry| Ok(Operator::new(&state, &reports, &months, entry));
    Page::cut(rows, limit, |entry| i64::from(entry.id.0), shown).map(Json)
}

/// Shows one operator.
#[utoipa::path(get, operation_id = "get_operator", path = "/v1/operators/{operator_id}", tag = "operators",
    params(("operator_id" = u32, Path)),
    responses((status = 200, body = Operator), (status = 404, body = Problem)))]
pub async fn get(State(state): State<AppState>, ApiPath(id): ApiPath) -> ApiResult<Json<Operator>> {
    let id = id.parse().map_err(|_| Problem::invalid("operator_id", "An operator id is a number."))?;
    let entry = state.registry.operator(OperatorId(id));
    let entry = entry.ok_or_else(|| Problem::not_found("The registry has no such operator."))?;
    let (reports, months) = (state.store.operator_reports().await?, months(&state).await?);
    Ok(Json(Operator::new(&state, &reports, &months, entry)))
}
