//! `operator/query`: operators of the registry in the shape that existing apps expect.

use super::envelope::{Envelope, LegacyError, LegacyJson, LegacyResult};
use crate::auth::legacy::LegacyOwner;
use crate::chain::directory::ChainOperator;
use crate::limits;
use crate::state::AppState;
use crate::store::{AttendanceRow, OperatorReportRow};
use axum::extract::State;
use cluster_core::registry::OperatorEntry;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

/// Body of the call.
#[derive(Debug, Deserialize)]
pub struct OperatorQuery {
    /// Which part of the list.
    #[serde(default)]
    pub pag: Pagination,
    /// Which operators.
    #[serde(default)]
    pub filter: OperatorFilter,
    /// Field and direction, 1 or -1; `{"id": -1}` when empty.
    #[serde(default)]
    pub sort: BTreeMap<String, i64>,
}

/// Offset and length of a part of a list.
#[derive(Debug, Deserialize)]
pub struct Pagination {
    /// Rows to leave out.
    pub offset: u32,
    /// Rows to return, at most 100.
    pub limit: u32,
}

impl Default for Pagination {
    fn default() -> Self {
        Self { offset: 0, limit: 10 }
    }
}

/// Conditions; missing ones hold for every operator.
#[derive(Debug, Default, Deserialize)]
pub struct OperatorFilter {
    /// Part of the name, whatever its case.
    pub name: Option<String>,
    /// 1: verified ones only.
    pub verified: Option<u8>,
    /// 1: those of the DAO only.
    #[serde(rename = "fromDao")]
    pub from_dao: Option<u8>,
}

/// Answer of the call.
#[derive(Debug, Serialize)]
pub struct OperatorRows {
    /// Rows that meet the conditions, on all pages.
    pub count: usize,
    /// This page.
    pub rows: Vec<LegacyOperator>,
}

/// One operator. Fields without a source hold zeros.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs)] // Names and meanings are those of the existing API.
pub struct LegacyOperator {
    pub id: u32,
    pub name: String,
    pub owner: String,
    pub pk: String,
    pub verified: u8,
    #[serde(rename = "fromDao")]
    pub from_dao: u8,
    pub validator_count: u32,
    pub month_performance: MonthPerformance,
    pub tx: String,
    pub block: u64,
    pub last_epoch: u64,
    pub last_validator: u64,
    pub status: &'static str,
    pub last_version: String,
    /// Unix seconds; when a gateway last heard it.
    pub last_ping: u64,
    pub last_claim_height: u64,
    pub earning: u64,
    #[serde(rename = "createdAt")]
    pub created_at: &'static str,
    #[serde(rename = "updatedAt")]
    pub updated_at: &'static str,
    pub version: u32,
}

/// Duties of the last 30 days, as the committees of the operator say in their majority: exchanges of partial signatures
/// in which its own were seen, those in which they were not, and the share of the former in percent. Zeros while nothing
/// is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct MonthPerformance {
    pub attested: u64,
    pub missed: u64,
    pub performance: u64,
}

/// What is known of an operator beside its entry in the registry.
#[derive(Default)]
struct Known {
    month: HashMap<i64, MonthPerformance>,
    reports: HashMap<i64, OperatorReportRow>,
}

impl LegacyOperator {
    fn new(entry: &OperatorEntry, chain: Option<ChainOperator>, known: &Known, now_ms: u64) -> Self {
        const EPOCH: &str = "1970-01-01T00:00:00.000Z";
        let id = i64::from(entry.id.0);
        let report = known.reports.get(&id);
        let seen_ms = report.map(|report| u64::try_from(report.last_seen_ms).unwrap_or(0));
        // An operator that no gateway ever spoke of is not known to be silent.
        let silent = seen_ms.is_some_and(|seen| now_ms.saturating_sub(seen) > limits::OPERATOR_SILENT_MS);
        let removed = chain.as_ref().is_some_and(|operator| !operator.fact.active);
        let registered = chain.as_ref().map(|operator| &operator.fact);
        Self {
            id: entry.id.0,
            name: entry.name.clone(),
            owner: entry.owner.map(|owner| owner.to_string()).unwrap_or_default(),
            pk: entry.public_key.to_string(),
            verified: u8::from(entry.verified),
            from_dao: u8::from(entry.from_dao),
            validator_count: chain.as_ref().map_or(0, |operator| operator.validator_count),
            month_performance: known.month.get(&id).cloned().unwrap_or_default(),
            tx: registered.map(|fact| fact.registered_by.transaction_hash.to_string()).unwrap_or_default(),
            block: registered.map_or(0, |fact| fact.registered_block),
            last_epoch: 0,
            last_validator: 0,
            status: if silent || removed { "inactive" } else { "active" },
            last_version: legacy_version(report.map(|report| report.version.as_str())),
            last_ping: seen_ms.unwrap_or(0) / 1000,
            last_claim_height: 0,
            earning: 0,
            created_at: EPOCH,
            updated_at: EPOCH,
            version: 0,
        }
    }
}

/// `major.minor.patch` in the form of existing apps, root * 1e12 + major * 1e6 + minor: their major 4 is our 0. An
/// operator of unknown version counts as one of this release.
fn legacy_version(version: Option<&str>) -> String {
    let mut parts = version.unwrap_or(env!("CARGO_PKG_VERSION")).split('.').map(|part| part.parse::<u64>().ok());
    let (Some(Some(major)), Some(Some(minor))) = (parts.next(), parts.next()) else {
        return legacy_version(None);
    };
    (1_000_000_000_000 + (4 + major.min(900)) * 1_000_000 + minor.min(99)).to_string()
}

impl From<&AttendanceRow> for MonthPerformance {
    fn from(row: &AttendanceRow) -> Self {
        let count = |value: i64| u64::try_from(value).unwrap_or(0);
        let (exchanges, attested) = (count(row.exchanges), count(row.seen));
        let performance = (attested * 100).checked_div(exchanges).unwrap_or(0);
        Self { attested, missed: exchanges.saturating_sub(attested), performance }
    }
}

/// `POST operator/query`
pub async fn query(
    State(state): State<AppState>,
    _caller: LegacyOwner,
    LegacyJson(query): LegacyJson<OperatorQuery>,
) -> LegacyResult<OperatorRows> {
    if query.pag.limit > limits::PAGE_ITEMS {
        return Err(LegacyError::new(400, format!("pag.limit is above {}.", limits::PAGE_ITEMS)));
    }
    let now_ms = state.clock.now_ms();
    let known = known(&state, now_ms).await?;
    let chain_operator = |entry: &OperatorEntry| state.chain.as_ref()?.directory.chain_operator(entry.id);
    let entries = state.registry.operators().into_iter().filter(|entry| query.filter.admits(entry));
    let mut rows: Vec<LegacyOperator> =
        entries.map(|entry| LegacyOperator::new(&entry, chain_operator(&entry), &known, now_ms)).collect();
    let order = sort_order(&query.sort)?;
    rows.sort_by(|a, b| order(a, b).then(a.id.cmp(&b.id)));
    let count = rows.len();
    let page = rows.into_iter().skip(query.pag.offset as usize).take(query.pag.limit as usize);
    Ok(Envelope(OperatorRows { count, rows: page.collect() }))
}

async fn known(state: &AppState, now_ms: u64) -> Result<Known, LegacyError> {
    let month = state.store.attendance_since(now_ms.saturating_sub(limits::MONTH_MS)).await?;
    let reports = state.store.operator_reports().await?;
    Ok(Known {
        month: month.iter().map(|row| (row.operator_id, row.into())).collect(),
        reports: reports.into_iter().map(|row| (row.operator_id, row)).collect(),
    })
}

impl OperatorFilter {
    fn admits(&self, entry: &OperatorEntry) -> bool {
        let name = self.name.as_deref().unwrap_or_default().to_lowercase();
        let flag = |wanted: Option<u8>, has: bool| wanted.is_none_or(|wanted| (wanted != 0) == has);
        entry.name.to_lowercase().contains(&name)
            && flag(self.verified, entry.verified)
            && flag(self.from_dao, entry.from_dao)
    }
}

type Order = Box<dyn Fn(&LegacyOperator, &LegacyOperator) -> Ordering>;

fn sort_order(sort: &BTreeMap<String, i64>) -> Result<Order, LegacyError> {
    let (field, direction) = match sort.iter().collect::<Vec<_>>()[..] {
        [] => ("id", -1),
        [(field, direction)] => (field.as_str(), *direction),
        _ => return Err(LegacyError::new(400, "sort takes one field.")),
    };
    let ascending: fn(&LegacyOperator, &LegacyOperator) -> Ordering = match field {
        "id" => |a, b| a.id.cmp(&b.id),
        "name" => |a, b| a.name.to_lowercase().cmp(&b.name.to_lowercase()),
        "validator_count" => |a, b| a.validator_count.cmp(&b.validator_count),
        _ => return Err(LegacyError::new(400, "sort knows the fields id, name and validator_count.")),
    };
    match direction {
        1 => Ok(Box::new(ascending)),
        -1 => Ok(Box::new(move |a, b| ascending(b, a))),
        _ => Err(LegacyError::new(400, "The direction of sort is 1 or -1.")),
    }
}

#[cfg(test)]
mod tests {
    use super::legacy_version;

    #[test]
    fn versions_are_written_as_existing_apps_read_them() {
        assert_eq!(legacy_version(Some("0.1.0")), "1000004000001");
        assert_eq!(legacy_version(Some("1.12.3")), "1000005000012");
        for unknown in [None, Some(""), Some("x.y"), Some("1")] {
            assert_eq!(legacy_version(unknown), legacy_version(None));
        }
    }
}
