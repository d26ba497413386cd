//! Lido's Community Staking Module: node operators, keys, plans of batches, duplicates.
//!
//! All of it is public on the chain; a session is asked for because every call costs calls of an execution node.

use super::chain::configured;
use super::extract::{ApiJson, ApiPath, ApiQuery, Page, PageQuery};
use crate::auth::session::Owner;
use crate::chain::csm::abi::Gate;
use crate::chain::csm::keys::{self, KeyView, KeysError};
use crate::chain::csm::plan::{self, BondToken, For, Plan};
use crate::chain::csm::view::{self, Contracts, NodeOperatorView};
use crate::chain::facts::{data, kind, Evidence, OfNodeOperator};
use crate::chain::read::ReadError;
use crate::chain::Chain;
use crate::hex::{checksummed, normalized};
use crate::limits;
use crate::problem::{ApiResult, Problem};
use crate::state::AppState;
use crate::store::{FactRow, NodeOperatorRow};
use axum::extract::State;
use axum::Json;
use cluster_crypto::ethereum::Address;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A node operator of which the session's owner is manager or reward address.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OwnNodeOperator {
    /// Id in the module; 0 is one.
    pub node_operator_id: u64,
    /// Checksummed.
    pub manager_address: String,
    /// Checksummed.
    pub reward_address: String,
}

impl OwnNodeOperator {
    fn read(row: NodeOperatorRow) -> Option<Self> {
        Some(Self {
            // An id beyond 64 bits is none that the module gives in this millennium.
            node_operator_id: row.node_operator_id.parse().ok()?,
            manager_address: checksummed(&row.manager_address),
            reward_address: checksummed(&row.reward_address),
        })
    }
}

/// Kind of a new node operator: which gate it enters by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NodeOperatorType {
    /// Anybody.
    #[default]
    Permissionless,
    /// Identified community staker.
    Ics,
    /// Identified DVT cluster.
    Idvtc,
}

/// What is planned.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PlanQuery {
    /// Keys to submit, 1 to 1000.
    pub keys: u32,
    /// Keys per transaction, 1 to 100; 50 when missing.
    pub per_transaction: Option<u32>,
    /// The node operator that gets the keys; missing for a new one.
    pub node_operator_id: Option<u64>,
    /// Kind of a new node operator.
    #[serde(rename = "type", default)]
    #[param(inline)]
    pub type_: NodeOperatorType,
    /// Token of the bond.
    #[serde(default)]
    #[param(inline)]
    pub token: BondToken,
}

/// Keys to look for.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DuplicatesQuestion {
    /// 1 to 1000 keys: 48 bytes, 0x hex.
    pub pubkeys: Vec<String>,
}

/// A key that is in CSM already.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Submission {
    /// 48 bytes, 0x hex.
    pub pubkey: String,
    /// Whose keys it is among.
    pub node_operator_id: Option<u64>,
    /// The log that says so.
    pub evidence: Evidence,
}

/// Keys that are in CSM already.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Duplicates {
    /// Last block that was read: later submissions are not known.
    pub read_block: Option<u64>,
    /// One entry for each submission; a key that is not named was not submitted.
    pub submitted: Vec<Submission>,
}

/// Lists node operators of which the session's owner is manager or reward address.
#[utoipa::path(get, path = "/v1/csm/operators", tag = "csm", security(("session" = [])),
    responses((status = 200, body = Page<OwnNodeOperator>), (status = 401, body = Problem), (status = 503, body = Problem)))]
pub async fn operators(State(state): State<AppState>, owner: Owner) -> ApiResult<Json<Page<OwnNodeOperator>>> {
    configured(&state)?;
    let rows = state.store.node_operators_for(&owner.address, limits::CSM_OPERATORS).await?;
    let items = rows.into_iter().filter_map(OwnNodeOperator::read).collect();
    Ok(Json(Page { items, next_cursor: None }))
}

/// Shows a node operator: bond, keys, place in the queue, limits.
#[utoipa::path(get, path = "/v1/csm/operators/{node_operator_id}", tag = "csm", security(("session" = [])),
    params(("node_operator_id" = u64, Path)),
    responses((status = 200, body = NodeOperatorView), (status = 401, body = Problem), (status = 404, body = Problem),
              (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn operator(
    State(state): State<AppState>,
    _owner: Owner,
    ApiPath(id): ApiPath,
) -> ApiResult<Json<NodeOperatorView>> {
    let (chain, id) = (configured(&state)?, node_operator_id(&id)?);
    Ok(Json(view::view(&chain.reader, &contracts(chain)?, id).await?))
}

/// Lists the keys of a node operator with their states and penalties.
#[utoipa::path(get, path = "/v1/csm/operators/{node_operator_id}/keys", tag = "csm", security(("session" = [])),
    params(("node_operator_id" = u64, Path), PageQuery),
    responses((status = 200, body = Page<KeyView>), (status = 401, body = Problem), (status = 404, body = Problem),
              (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn operator_keys(
    State(state): State<AppState>,
    _owner: Owner,
    ApiPath(id): ApiPath,
    ApiQuery(page): ApiQuery<PageQuery>,
) -> ApiResult<Json<Page<KeyView>>> {
    let (chain, id) = (configured(&state)?, node_operator_id(&id)?);
    let from = u64::try_from(page.position(0)?).unwrap_or(0);
    let count = u64::try_from(page.limit()?).unwrap_or(0);
    let penalties = chain.settings.lido.exit_penalties;
    let found = keys::page(&chain.reader, &state.store, &contracts(chain)?, penalties, (id, from, count)).await;
    let (items, more) = found.map_err(|error| match error {
        KeysError::Read(error) => Problem::from(error),
        KeysError::Store(error) => Problem::from(error),
    })?;
    let next_cursor = more.then(|| (from + count).to_string());
    Ok(Json(Page { items, next_cursor }))
}

/// Plans the transactions that submit keys, with the bond of each.
#[utoipa::path(get, path = "/v1/csm/plan", tag = "csm", security(("session" = [])), params(PlanQuery),
    responses((status = 200, body = Plan), (status = 401, body = Problem), (status = 404, body = Problem),
              (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn batches(
    State(state): State<AppState>,
    _owner: Owner,
    ApiQuery(query): ApiQuery<PlanQuery>,
) -> ApiResult<Json<Plan>> {
    let chain = configured(&state)?;
    let most = u32::try_from(limits::CSM_KEYS).unwrap_or(u32::MAX);
    if query.keys == 0 || query.keys > most {
        return Err(Problem::invalid("keys", format!("keys must be 1 to {most}.")));
    }
    let per = query.per_transaction.unwrap_or(limits::CSM_BATCH_KEYS_DEFAULT);
    if per == 0 || per > limits::CSM_BATCH_KEYS {
        let detail = format!("per_transaction must be 1 to {}.", limits::CSM_BATCH_KEYS);
        return Err(Problem::invalid("per_transaction", detail));
    }
    if query.keys.div_ceil(per) > limits::CSM_BATCHES {
        let detail = format!("A plan has at most {} transactions; put more keys into each.", limits::CSM_BATCHES);
        return Err(Problem::invalid("per_transaction", detail));
    }
    let for_ = match query.node_operator_id {
        Some(id) => For::Existing(id),
        None => For::New { curve_id: curve_of(chain, query.type_).await? },
    };
    Ok(Json(plan::plan(&chain.reader, &contracts(chain)?, for_, query.token, (query.keys, per)).await?))
}

/// Looks for keys that somebody submitted to CSM already: the module takes a key twice, and freezes all after it.
#[utoipa::path(post, path = "/v1/csm/duplicates", tag = "csm", security(("session" = [])),
    request_body = DuplicatesQuestion,
    responses((status = 200, body = Duplicates), (status = 401, body = Problem), (status = 422, body = Problem),
              (status = 503, body = Problem)))]
pub async fn duplicates(
    State(state): State<AppState>,
    _owner: Owner,
    ApiJson(question): ApiJson<DuplicatesQuestion>,
) -> ApiResult<Json<Duplicates>> {
    let chain = configured(&state)?;
    if question.pubkeys.is_empty() || question.pubkeys.len() > limits::CSM_KEYS {
        return Err(Problem::invalid("pubkeys", format!("pubkeys must name 1 to {} keys.", limits::CSM_KEYS)));
    }
    let key = |(at, text): (usize, &String)| {
        let problem = || Problem::invalid(format!("pubkeys[{at}]"), "A validator key is 0x and 96 hex digits.");
        normalized::<48>(text).ok_or_else(problem)
    };
    let mut pubkeys = question.pubkeys.iter().enumerate().map(key).collect::<ApiResult<Vec<String>>>()?;
    pubkeys.sort();
    pubkeys.dedup();
    let read_block = chain.position().read;
    let facts = state.store.facts_of(&pubkeys, &[kind::CSM_KEY_ADDED, kind::CSM_KEY_REMOVED]).await?;
    Ok(Json(Duplicates { read_block, submitted: submissions(&facts)? }))
}

/// Submissions that were not taken back.
fn submissions(facts: &[FactRow]) -> ApiResult<Vec<Submission>> {
    let mut held: Vec<(&FactRow, OfNodeOperator)> = Vec::new();
    for row in facts {
        let of = data::<OfNodeOperator>(row)?;
        if row.kind == kind::CSM_KEY_ADDED {
            held.push((row, of));
        } else if let Some(at) = held.iter().rposition(|(added, by)| added.subject == row.subject && *by == of) {
            held.remove(at);
        }
    }
    let shown = held.into_iter().map(|(row, of)| Submission {
        pubkey: row.subject.clone(),
        node_operator_id: of.node_operator_id.parse().ok(),
        evidence: row.into(),
    });
    Ok(shown.collect())
}

fn node_operator_id(text: &str) -> ApiResult<u64> {
    text.parse().map_err(|_| Problem::invalid("node_operator_id", "A node operator id is a number."))
}

fn contracts(chain: &Chain) -> ApiResult<Contracts> {
    let missing = || Problem::unavailable("The contracts of CSM are not configured.");
    let lido = &chain.settings.lido;
    Ok(Contracts { module: lido.module.ok_or_else(missing)?, accounting: lido.accounting.ok_or_else(missing)? })
}

/// Everybody's curve is the first one; that of a gate is its own word.
async fn curve_of(chain: &Chain, type_: NodeOperatorType) -> ApiResult<u64> {
    let lido = &chain.settings.lido;
    let gate: Option<Address> = match type_ {
        NodeOperatorType::Permissionless => return Ok(0),
        NodeOperatorType::Ics => lido.ics_gate,
        NodeOperatorType::Idvtc => lido.idvtc_gate,
    };
    let gate = gate.ok_or_else(|| Problem::unavailable("This gate of CSM is not configured."))?;
    let block = chain.reader.head().await?;
    let curve = chain.reader.call(gate, &Gate::curveIdCall {}, block).await?;
    u64::try_from(curve).map_err(|_| ReadError::Unreadable { contract: gate }.into())
}
