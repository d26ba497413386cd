//! An owner's validators.

use super::chain::configured;
use super::extract::{ceremony_key, pubkey_key, ApiPath, ApiQuery, Page, PageQuery};
use crate::auth::session::Owner;
use crate::chain::facts::{kind, Context, ValidatorFacts};
use crate::hex::checksummed;
use crate::problem::{ApiResult, Problem};
use crate::publish::OperatorShare;
use crate::schemas;
use crate::state::AppState;
use crate::store::{FactRow, StoreError, ValidatorFilter, ValidatorRow};
use axum::extract::State;
use axum::Json;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// Linear status of a validator, derived from its facts; where no chain is read, those from `registered` on are the owner's
/// statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ValidatorStatus {
    /// Operators have not confirmed their shares yet.
    Incomplete,
    /// Every operator holds its share.
    Ready,
    /// Registered in the network's contract.
    Registered,
    /// Submitted to CSM by its owner, or deposited.
    Deposited,
    /// Exit ordered, begun or done.
    Exited,
}

impl ValidatorStatus {
    fn column(self) -> &'static str {
        match self {
            Self::Incomplete => "Incomplete",
            Self::Ready => "Ready",
            Self::Registered => "Registered",
            Self::Deposited => "Deposited",
            Self::Exited => "Exited",
        }
    }

    fn from_column(text: &str) -> Option<Self> {
        let all = [Self::Incomplete, Self::Ready, Self::Registered, Self::Deposited, Self::Exited];
        all.into_iter().find(|status| status.column() == text)
    }
}

/// One validator.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Validator {
    /// 48 bytes, 0x hex.
    pub pubkey: String,
    /// The ceremony that made it: 0x hex.
    pub ceremony_id: String,
    /// Checksummed address.
    pub owner: String,
    /// 33 bytes, 0x hex.
    pub cluster_pubkey: String,
    /// Status.
    pub status: ValidatorStatus,
    /// Null while incomplete.
    #[schema(value_type = Option<schemas::DepositData>)]
    pub deposit_data: Option<serde_json::Value>,
    /// The committee, ascending.
    pub operators: Vec<OperatorShare>,
    /// Operators that have not confirmed their shares.
    pub missing_operators: Vec<u32>,
    /// The transaction whose event is the request; null when the owner signed it.
    pub generate_txid: Option<String>,
    /// From the facts; the owner's statement where no chain is read.
    pub register_txid: Option<String>,
    /// From the facts; the owner's statement where no chain is read.
    pub deposit_txid: Option<String>,
    /// From the facts; the owner's statement where no chain is read.
    pub exit_txid: Option<String>,
    /// What the chain tells, each fact with its evidence; null where no chain is read.
    pub facts: Option<ValidatorFacts>,
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// Unix milliseconds.
    pub updated_at_ms: i64,
}

impl TryFrom<ValidatorRow> for Validator {
    type Error = Problem;

    fn try_from(row: ValidatorRow) -> ApiResult<Self> {
        let given = |text: String| (!text.is_empty()).then_some(text);
        let operators: Vec<OperatorShare> =
            serde_json::from_str(&row.operators).map_err(|_| StoreError::Corrupt { column: "operators" })?;
        let missing = operators.iter().filter(|share| share.sealed_share.is_none());
        let deposit_data = given(row.deposit_data).map(|text| serde_json::from_str(&text)).transpose();
        Ok(Self {
            missing_operators: missing.map(|share| share.operator_id).collect(),
            status: ValidatorStatus::from_column(&row.status).ok_or(StoreError::Corrupt { column: "status" })?,
            deposit_data: deposit_data.map_err(|_| StoreError::Corrupt { column: "deposit_data" })?,
            owner: checksummed(&row.owner),
            pubkey: row.pubkey,
            ceremony_id: row.ceremony_id,
            cluster_pubkey: row.cluster_pubkey,
            operators,
            facts: None,
            generate_txid: given(row.generate_txid),
            register_txid: given(row.register_txid),
            deposit_txid: given(row.deposit_txid),
            exit_txid: given(row.exit_txid),
            created_at_ms: row.created_at_ms,
            updated_at_ms: row.updated_at_ms,
        })
    }
}

/// Conditions of the list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ValidatorQuery {
    /// Only validators with this status.
    pub status: Option<ValidatorStatus>,
    /// Only validators of this ceremony.
    pub ceremony_id: Option<String>,
}

/// Lists the owner's validators in the order in which they were made.
#[utoipa::path(get, operation_id = "list_validators", path = "/v1/validators", tag = "validators", params(PageQuery, ValidatorQuery),
    security(("session" = [])),
    responses((status = 200, body = Page<Validator>), (status = 401, body = Problem), (status = 422, body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    owner: Owner,
    ApiQuery(page): ApiQuery<PageQuery>,
    ApiQuery(query): ApiQuery<ValidatorQuery>,
) -> ApiResult<Json<Page<Validator>>> {
    let (limit, after) = (page.limit()?, page.position(0)?);
    let filter = ValidatorFilter {
        status: query.status.map(|status| status.column().to_owned()).unwrap_or_default(),
        ceremony_id: query.ceremony_id.as_deref().map(ceremony_key).transpose()?.unwrap_or_default(),
        ..ValidatorFilter::default()
    };
    let rows = state.store.validators_of(&owner.address, &filter, after, limit + 1).await?;
    let mut page = Page::cut(rows, limit, |row| row.id, Validator::try_from)?;
    add_facts(&state, &owner.address, &mut page.items).await?;
    Ok(Json(page))
}

/// Adds what the chain tells, with three statements for all of them.
async fn add_facts(state: &AppState, owner: &str, validators: &mut [Validator]) -> ApiResult<()> {
    let Ok(chain) = configured(state) else { return Ok(()) };
    let pubkeys: Vec<String> = validators.iter().map(|validator| validator.pubkey.clone()).collect();
    let mut facts: BTreeMap<String, Vec<FactRow>> = BTreeMap::new();
    for row in state.store.facts_of(&pubkeys, &kind::OF_VALIDATORS).await? {
        facts.entry(row.subject.clone()).or_default().push(row);
    }
    let beacon = state.store.beacon_of(&pubkeys).await?;
    let own_node_operators = state.store.node_operators_ever_of(owner).await?;
    for validator in validators {
        let credentials = validator.deposit_data.as_ref().and_then(|data| data["withdrawal_credentials"].as_str());
        let context = Context {
            owner,
            own_node_operators: &own_node_operators,
            beacon: beacon.iter().find(|row| row.pubkey == validator.pubkey),
            asks_beacon: !chain.settings.beacon_urls.is_empty(),
            withdrawal_credentials: credentials,
        };
        let rows = facts.get(&validator.pubkey).map(Vec::as_slice).unwrap_or_default();
        validator.facts = Some(ValidatorFacts::of(rows, &context)?);
    }
    Ok(())
}

/// Shows one validator.
#[utoipa::path(get, operation_id = "get_validator", path = "/v1/validators/{pubkey}", tag = "validators", security(("session" = [])),
    params(("pubkey" = String, Path, description = "0x and 96 hex digits")),
    responses((status = 200, body = Validator), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub async fn get(State(state): State<AppState>, owner: Owner, ApiPath(id): ApiPath) -> ApiResult<Json<Validator>> {
    let row = state.store.validator_of(&owner.address, &pubkey_key(&id)?).await?;
    let row = row.ok_or_else(|| Problem::not_found("You have no such validator."))?;
    let mut found = [Validator::try_from(row)?];
    add_facts(&state, &owner.address, &mut found).await?;
    let [validator] = found;
    Ok(Json(validator))
}
