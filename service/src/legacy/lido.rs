//! `operator/query_lido_csm`: node operators of Lido's Community Staking Module, from the module's events.

use super::envelope::{Envelope, LegacyError, LegacyJson, LegacyResult};
use super::operator::Pagination;
use crate::auth::legacy::LegacyOwner;
use crate::hex::{address_key, checksummed, parse_address};
use crate::limits;
use crate::state::AppState;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Body of the call.
#[derive(Debug, Deserialize)]
pub struct CsmQuery {
    /// Which part of the list.
    #[serde(default)]
    pub pag: Pagination,
    /// Which node operators.
    #[serde(default)]
    pub filter: CsmFilter,
    /// `{"operator_id": 1}` or `{"operator_id": -1}`, which is the default.
    #[serde(default)]
    pub sort: BTreeMap<String, i64>,
}

/// Conditions.
#[derive(Debug, Default, Deserialize)]
pub struct CsmFilter {
    /// Address of the manager; the caller's own when missing.
    pub manager_address: Option<String>,
}

/// Answer of the call.
#[derive(Debug, Serialize)]
pub struct CsmRows {
    /// Rows that meet the conditions, on all pages.
    pub count: i64,
    /// This page.
    pub rows: Vec<CsmRow>,
}

/// One node operator.
#[derive(Debug, Serialize)]
pub struct CsmRow {
    /// Checksummed.
    pub manager_address: String,
    /// Id in the module; 0 is one.
    pub operator_id: u64,
    /// Checksummed.
    pub reward_address: String,
}

/// `POST operator/query_lido_csm`
pub async fn query(
    State(state): State<AppState>,
    caller: LegacyOwner,
    LegacyJson(query): LegacyJson<CsmQuery>,
) -> LegacyResult<CsmRows> {
    if state.chain.is_none() {
        return Err(LegacyError::new(503, "This service reads no chain; its operator has to configure [chain]."));
    }
    if query.pag.limit > limits::PAGE_ITEMS {
        return Err(LegacyError::new(400, format!("pag.limit is above {}.", limits::PAGE_ITEMS)));
    }
    let ascending = match query.sort.iter().collect::<Vec<_>>()[..] {
        [] => false,
        [(field, direction @ (1 | -1))] if field == "operator_id" => *direction == 1,
        _ => return Err(LegacyError::new(400, "sort takes the field operator_id, with 1 or -1.")),
    };
    let manager = match &query.filter.manager_address {
        None => caller.owner,
        Some(text) => {
            let address = parse_address(text);
            address_key(&address.ok_or_else(|| LegacyError::new(400, "manager_address is not an address."))?)
        }
    };
    let (offset, limit) = (i64::from(query.pag.offset), i64::from(query.pag.limit));
    let (count, rows) = state.store.node_operators_of(&manager, ascending, offset, limit).await?;
    let rows = rows.into_iter().filter_map(|row| {
        Some(CsmRow {
            manager_address: checksummed(&row.manager_address),
            operator_id: row.node_operator_id.parse().ok()?,
            reward_address: checksummed(&row.reward_address),
        })
    });
    Ok(Envelope(CsmRows { count, rows: rows.collect() }))
}
