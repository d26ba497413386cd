//! What operators say of their own upkeep of validators beside duties: registration with builders' relays, and exits.
//!
//! Every operator speaks of itself alone, so nothing is merged: the service keeps the last word of each about each validator,
//! and shows those of the present committee. A registered gateway hands them on and is believed.

use super::extract::{parse_json, pubkey_key, ApiPath};
use crate::auth::gateway::GatewayCall;
use crate::auth::session::Owner;
use crate::hex::{address_key, normalized, parse_address};
use crate::limits;
use crate::problem::{ApiResult, Problem};
use crate::state::AppState;
use crate::store::{PresentCommitteeRow, StoreError, UpkeepCountRow, UpkeepQuery, UpkeepRow};
use axum::extract::State;
use axum::Json;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use utoipa::ToSchema;

/// One of a few words of an operator, by its text in JSON and in the database.
trait Word: Copy + 'static {
    const ALL: &'static [Self];

    fn column(self) -> &'static str;

    fn from_column(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.column() == text)
    }

    /// The word, or a sentence with all that there are.
    fn parse(text: &str) -> Result<Self, String> {
        let names = || Self::ALL.iter().map(|one| one.column()).collect::<Vec<_>>().join(", ");
        Self::from_column(text).ok_or_else(|| format!("It is one of {}.", names()))
    }
}

/// Where the registration of a validator with builders' relays stands, by one operator's own beacon node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", try_from = "String")]
pub enum RelayState {
    /// It asks no builders: by its setting, or because it has no beacon node.
    Off,
    /// No registration was tried yet.
    Waiting,
    /// Too few partial signatures came in time.
    Incomplete,
    /// Signed, but no beacon node took it.
    NotTaken,
    /// A beacon node took it for its relays.
    Registered,
}

/// By its text, so that any other JSON value is a wrong field, and not a body that cannot be read.
impl TryFrom<String> for RelayState {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl Word for RelayState {
    const ALL: &'static [Self] = &[Self::Off, Self::Waiting, Self::Incomplete, Self::NotTaken, Self::Registered];

    fn column(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Waiting => "waiting",
            Self::Incomplete => "incomplete",
            Self::NotTaken => "not_taken",
            Self::Registered => "registered",
        }
    }
}

impl RelayState {
    /// Whether it has an epoch.
    fn is_tried(self) -> bool {
        self.is_signed() || self == Self::Incomplete
    }

    /// Whether it has a fee recipient and a gas limit.
    fn is_signed(self) -> bool {
        matches!(self, Self::NotTaken | Self::Registered)
    }
}

/// How far one operator has got with a validator's voluntary exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", try_from = "String")]
pub enum ExitState {
    /// No exit was ordered.
    None,
    /// It has the owner's order and has not signed.
    Ordered,
    /// Its partial signature is sent.
    Signed,
    /// A beacon node took the complete exit.
    Published,
}

/// By its text, so that any other JSON value is a wrong field, and not a body that cannot be read.
impl TryFrom<String> for ExitState {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl Word for ExitState {
    const ALL: &'static [Self] = &[Self::None, Self::Ordered, Self::Signed, Self::Published];

    fn column(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Ordered => "ordered",
            Self::Signed => "signed",
            Self::Published => "published",
        }
    }
}

/// One operator's registration of a validator with builders' relays.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RelayWord {
    /// Where it stands.
    pub state: RelayState,
    /// For `incomplete` and `not_taken` the first epoch in a row with this outcome; for `registered` the first in a row with exactly
    /// this fee recipient and gas limit. Null otherwise.
    pub epoch: Option<u64>,
    /// As signed, lower-case 0x hex, for `not_taken` and `registered`; null otherwise.
    pub fee_recipient: Option<String>,
    /// As signed, at most 2^53 - 1, for `not_taken` and `registered`; null otherwise.
    pub gas_limit: Option<u64>,
}

/// One validator in a report.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportedUpkeep {
    /// 48 bytes, 0x hex, lower case.
    pub pubkey: String,
    /// Relays.
    pub relay: RelayWord,
    /// Voluntary exit.
    pub exit: ExitState,
}

/// What one operator says of itself.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpkeepReport {
    /// Who says it: id in the registry.
    pub operator_id: u32,
    /// 1 to 500, each once; the rest in further reports.
    pub validators: Vec<ReportedUpkeep>,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct UpkeepTaken {
    /// Validators of which the operator says something new.
    pub changed: u64,
    /// Validators that the service does not know, or whose present committee does not have this operator.
    pub unknown: u64,
}

/// One operator's last word about a validator.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OperatorUpkeep {
    /// Id in the registry.
    pub operator_id: u32,
    /// When the service heard this word first, Unix milliseconds; null while the operator has not said anything.
    pub at_ms: Option<i64>,
    /// Relays; null while it has not said anything.
    pub relay: Option<RelayWord>,
    /// Voluntary exit; null while it has not said anything.
    pub exit: Option<ExitState>,
}

/// The upkeep of one validator.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ValidatorUpkeep {
    /// Every operator of the present committee, ascending.
    pub items: Vec<OperatorUpkeep>,
}

/// Validators by what the operators of their committees say of relays; each counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct RelayTotals {
    /// Every operator has it registered, but for those that ask no builders.
    pub registered: i64,
    /// Some have, and somebody is missing.
    pub partly: i64,
    /// Nobody has, and somebody tried.
    pub not: i64,
    /// All that spoke have not tried yet, or ask no builders: the beacon chain does not know the validator, or they have just started.
    pub waiting: i64,
    /// All that spoke ask no builders.
    pub off: i64,
    /// Nobody said anything.
    pub unsaid: i64,
}

/// Validators by the furthest step of their exits; each counts at most once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ExitTotals {
    /// An operator has the order, and fewer than a threshold have signed.
    pub ordered: i64,
    /// A threshold of operators have signed.
    pub signed: i64,
    /// A beacon node of an operator took it.
    pub published: i64,
}

/// The upkeep of all validators of an owner that are registered in the network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct UpkeepTotals {
    /// How many they are.
    pub validators: i64,
    /// By relays.
    pub relay: RelayTotals,
    /// Validators that operators registered with fee recipients that differ from each other, or from the one that is due by the
    /// chain, where one is read: Lido's rewards vault for what withdraws to Lido, else what the owner set.
    pub mixed_recipients: i64,
    /// By exits.
    pub exits: ExitTotals,
    /// Validators that are registered with relays partly or not, or with mixed recipients: keys, ascending, at most 20.
    pub attention: Vec<String>,
}

/// Takes what one operator says of its upkeep of validators. A word that says the same as before changes nothing.
#[utoipa::path(put, operation_id = "publish_upkeep", path = "/v1/gateway/upkeep", tag = "gateway", security(("gateway" = [])),
    request_body = UpkeepReport,
    responses((status = 200, body = UpkeepTaken), (status = 401, body = Problem), (status = 413, body = Problem),
              (status = 422, body = Problem)))]
pub async fn publish(State(state): State<AppState>, call: GatewayCall) -> ApiResult<Json<UpkeepTaken>> {
    let report: UpkeepReport = parse_json(&call.body)?;
    check(&report)?;
    let pubkeys: Vec<String> = report.validators.iter().map(|validator| validator.pubkey.clone()).collect();
    let committees = state.store.present_committees(&pubkeys).await?;
    let committees: HashMap<&str, &PresentCommitteeRow> =
        committees.iter().map(|row| (row.pubkey.as_str(), row)).collect();
    let mut rows = Vec::with_capacity(pubkeys.len());
    for validator in &report.validators {
        let Some(committee) = committees.get(validator.pubkey.as_str()) else { continue };
        if committee.operator_ids()?.contains(&report.operator_id) {
            rows.push(row(committee.validator_id, report.operator_id, validator));
        }
    }
    let unknown = (pubkeys.len() - rows.len()) as u64;
    if rows.is_empty() {
        return Ok(Json(UpkeepTaken { changed: 0, unknown }));
    }
    let mut write = state.store.write().await?;
    let changed = write.put_upkeep(&rows, state.clock.now_ms()).await?;
    write.commit().await?;
    let operator_id = report.operator_id;
    tracing::debug!(operator_id, changed, gateway = %call.gateway, "upkeep of operator {operator_id}");
    Ok(Json(UpkeepTaken { changed, unknown }))
}

fn check(report: &UpkeepReport) -> ApiResult<()> {
    if report.validators.is_empty() || report.validators.len() > limits::UPKEEP_VALIDATORS {
        let detail = format!("A report has 1 to {} validators.", limits::UPKEEP_VALIDATORS);
        return Err(Problem::invalid("validators", detail));
    }
    for (at, validator) in report.validators.iter().enumerate() {
        check_validator(validator)
            .map_err(|(field, detail)| Problem::invalid(format!("validators[{at}].{field}"), detail))?;
    }
    let keys: BTreeSet<&str> = report.validators.iter().map(|validator| validator.pubkey.as_str()).collect();
    if keys.len() < report.validators.len() {
        return Err(Problem::invalid("validators", "Each validator stands in a report once."));
    }
    Ok(())
}

/// Whether a word fits itself; the field that does not, and why.
fn check_validator(validator: &ReportedUpkeep) -> Result<(), (&'static str, String)> {
    // Only the canonical form, so that one validator has one name.
    if pubkey_key(&validator.pubkey).ok().is_none_or(|key| key != validator.pubkey) {
        return Err(("pubkey", "A validator key is 0x and 96 hex digits in lower case.".to_owned()));
    }
    let RelayWord { state, epoch, fee_recipient, gas_limit } = &validator.relay;
    for (field, is_there, belongs) in [
        ("relay.epoch", epoch.is_some(), state.is_tried()),
        ("relay.fee_recipient", fee_recipient.is_some(), state.is_signed()),
        ("relay.gas_limit", gas_limit.is_some(), state.is_signed()),
    ] {
        if is_there != belongs {
            let verb = if belongs { "needs it" } else { "does not have it" };
            return Err((field, format!("The state {} {verb}.", state.column())));
        }
    }
    if epoch.is_some_and(|epoch| epoch > limits::EPOCH) {
        return Err(("relay.epoch", "There is no such epoch.".to_owned()));
    }
    let canonical = |text: &String| normalized::<20>(text).as_ref() == Some(text);
    if !fee_recipient.as_ref().is_none_or(canonical) {
        return Err(("relay.fee_recipient", "A fee recipient is 0x and 40 hex digits in lower case.".to_owned()));
    }
    if gas_limit.is_some_and(|limit| limit > limits::GAS_LIMIT) {
        return Err(("relay.gas_limit", format!("A gas limit is at most {}.", limits::GAS_LIMIT)));
    }
    Ok(())
}

/// The columns of a checked word.
fn row(validator_id: i64, operator_id: u32, validator: &ReportedUpkeep) -> UpkeepRow {
    let number = |value: Option<u64>| value.map_or(-1, |value| i64::try_from(value).unwrap_or(i64::MAX));
    UpkeepRow {
        validator_id,
        operator_id: i64::from(operator_id),
        at_ms: 0,
        relay_state: validator.relay.state.column().to_owned(),
        relay_epoch: number(validator.relay.epoch),
        relay_fee_recipient: validator.relay.fee_recipient.clone().unwrap_or_default(),
        relay_gas_limit: number(validator.relay.gas_limit),
        exit_state: validator.exit.column().to_owned(),
    }
}

/// Shows what each operator of a validator's committee says of its upkeep.
#[utoipa::path(get, operation_id = "validator_upkeep", path = "/v1/validators/{pubkey}/upkeep", tag = "validators",
    security(("session" = [])), params(("pubkey" = String, Path, description = "0x and 96 hex digits")),
    responses((status = 200, body = ValidatorUpkeep), (status = 401, body = Problem), (status = 404, body = Problem),
              (status = 422, body = Problem)))]
pub async fn of_validator(
    State(state): State<AppState>,
    owner: Owner,
    ApiPath(id): ApiPath,
) -> ApiResult<Json<ValidatorUpkeep>> {
    let committee = state.store.present_committee_of(&owner.address, &pubkey_key(&id)?).await?;
    let committee = committee.ok_or_else(|| Problem::not_found("You have no such validator."))?;
    let rows = state.store.upkeep_of(committee.validator_id).await?;
    let mut said: BTreeMap<i64, UpkeepRow> = rows.into_iter().map(|row| (row.operator_id, row)).collect();
    let operator_ids: BTreeSet<u32> = committee.operator_ids()?.into_iter().collect();
    let item = |operator_id: u32| match said.remove(&i64::from(operator_id)) {
        Some(row) => shown(operator_id, row),
        None => Ok(OperatorUpkeep { operator_id, at_ms: None, relay: None, exit: None }),
    };
    Ok(Json(ValidatorUpkeep { items: operator_ids.into_iter().map(item).collect::<ApiResult<_>>()? }))
}

fn shown(operator_id: u32, row: UpkeepRow) -> ApiResult<OperatorUpkeep> {
    let state = RelayState::from_column(&row.relay_state);
    let exit = ExitState::from_column(&row.exit_state);
    let relay = RelayWord {
        state: state.ok_or(StoreError::Corrupt { column: "relay_state" })?,
        epoch: u64::try_from(row.relay_epoch).ok(),
        fee_recipient: (!row.relay_fee_recipient.is_empty()).then_some(row.relay_fee_recipient),
        gas_limit: u64::try_from(row.relay_gas_limit).ok(),
    };
    let exit = exit.ok_or(StoreError::Corrupt { column: "exit_state" })?;
    Ok(OperatorUpkeep { operator_id, at_ms: Some(row.at_ms), relay: Some(relay), exit: Some(exit) })
}

/// Sums the upkeep of all the owner's validators that are registered in the network.
#[utoipa::path(get, operation_id = "upkeep_totals", path = "/v1/upkeep/totals", tag = "validators", security(("session" = [])),
    responses((status = 200, body = UpkeepTotals), (status = 401, body = Problem)))]
pub async fn totals(State(state): State<AppState>, owner: Owner) -> ApiResult<Json<UpkeepTotals>> {
    let query = query(&state, owner.address).await?;
    let mut totals = UpkeepTotals::default();
    for row in state.store.upkeep_counts(&query, limits::UPKEEP_ATTENTION).await? {
        if row.pubkey.is_empty() {
            totals = UpkeepTotals { attention: totals.attention, ..row.into() };
        } else {
            totals.attention.push(row.pubkey);
        }
    }
    totals.attention.sort_unstable();
    Ok(Json(totals))
}

impl From<UpkeepCountRow> for UpkeepTotals {
    fn from(row: UpkeepCountRow) -> Self {
        let UpkeepCountRow { registered, partly, not_registered: not, waiting, is_off: off, unsaid, .. } = row;
        Self {
            validators: row.validators,
            relay: RelayTotals { registered, partly, not, waiting, off, unsaid },
            mixed_recipients: row.mixed,
            exits: ExitTotals { ordered: row.ordered, signed: row.signed, published: row.published },
            attention: Vec::new(),
        }
    }
}

/// What the chain says of fee recipients, where one is read. Nothing is due where the owner set none; one that set zero is paid itself.
async fn query(state: &AppState, owner: String) -> ApiResult<UpkeepQuery> {
    let wallet = parse_address(&owner).filter(|_| state.chain.is_some());
    let Some(wallet) = wallet else { return Ok(UpkeepQuery { owner, ..UpkeepQuery::default() }) };
    let chosen = state.store.fee_recipient_of_owner(&wallet).await?;
    let owner_recipient = chosen.map(|chosen| if chosen.is_zero() { wallet } else { chosen });
    Ok(UpkeepQuery {
        owner,
        reads_chain: true,
        vault: address_key(&state.network.lido_withdrawal_vault()),
        vault_recipient: address_key(&state.network.lido_el_rewards_vault()),
        owner_recipient: owner_recipient.as_ref().map(address_key).unwrap_or_default(),
        entry_prefix: crate::store::validator_recipient_prefix(&wallet),
    })
}
