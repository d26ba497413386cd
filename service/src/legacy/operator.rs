//! `operator/query`: operators of the registry in the shape that existing apps expect.

use super::envelope::{Envelope, LegacyError, LegacyJson, LegacyResult};
use crate::auth::legacy::LegacyOwner;
use crate::limits;
use crate::state::AppState;
use crate::store::AttendanceRow;
use axum::extract::State;
use cluster_core::registry::{OperatorEntry, Registry};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

/// Existing apps offer only operators whose version is known and has major 4 or more (root * 1e12 + major * 1e6 +
/// minor). Operators do not report versions to the service yet; all speak the protocol of this release.
const LEGACY_VERSION: &str = "1000004000001";

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

/// One operator. Fields without a source yet (the chain) hold zeros.
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
    pub last_version: &'static str,
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

impl From<&OperatorEntry> for LegacyOperator {
    fn from(entry: &OperatorEntry) -> Self {
        const EPOCH: &str = "1970-01-01T00:00:00.000Z";
        Self {
            id: entry.id.0,
            name: entry.name.clone(),
            owner: entry.owner.map(|owner| owner.to_string()).unwrap_or_default(),
            pk: entry.public_key.to_string(),
            verified: u8::from(entry.verified),
            from_dao: u8::from(entry.from_dao),
            validator_count: 0,
            month_performance: MonthPerformance::default(),
            tx: String::new(),
            block: 0,
            last_epoch: 0,
            last_validator: 0,
            status: "active",
            last_version: LEGACY_VERSION,
            last_ping: 0,
            last_claim_height: 0,
            earning: 0,
            created_at: EPOCH,
            updated_at: EPOCH,
            version: 0,
        }
    }
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
    let month = state.store.attendance_since(state.clock.now_ms().saturating_sub(limits::MONTH_MS)).await?;
    let month: HashMap<i64, MonthPerformance> = month.iter().map(|row| (row.operator_id, row.into())).collect();
    let mut rows: Vec<OperatorEntry> =
        state.registry.operators().into_iter().filter(|entry| query.filter.admits(entry)).collect();
    let order = sort_order(&query.sort)?;
    rows.sort_by(|a, b| order(a, b).then(a.id.cmp(&b.id)));
    let page = rows.iter().skip(query.pag.offset as usize).take(query.pag.limit as usize);
    let shown = page.map(|entry| {
        let month_performance = month.get(&i64::from(entry.id.0)).cloned().unwrap_or_default();
        LegacyOperator { month_performance, ..LegacyOperator::from(entry) }
    });
    Ok(Envelope(OperatorRows { count: rows.len(), rows: shown.collect() }))
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

type Order = Box<dyn Fn(&OperatorEntry, &OperatorEntry) -> Ordering>;

fn sort_order(sort: &BTreeMap<String, i64>) -> Result<Order, LegacyError> {
    let (field, direction) = match sort.iter().collect::<Vec<_>>()[..] {
        [] => ("id", -1),
        [(field, direction)] => (field.as_str(), *direction),
        _ => return Err(LegacyError::new(400, "sort takes one field.")),
    };
    let ascending: fn(&OperatorEntry, &OperatorEntry) -> Ordering = match field {
        "id" => |a, b| a.id.cmp(&b.id),
        "name" => |a, b| a.name.to_lowercase().cmp(&b.name.to_lowercase()),
        // All counts are 0 until the chain is followed; the order falls back to the id.
        "validator_count" => |_, _| Ordering::Equal,
        _ => return Err(LegacyError::new(400, "sort knows the fields id, name and validator_count.")),
    };
    match direction {
        1 => Ok(Box::new(ascending)),
        -1 => Ok(Box::new(move |a, b| ascending(b, a))),
        _ => Err(LegacyError::new(400, "The direction of sort is 1 or -1.")),
    }
}
