//! `validator/update`: what owners say of their validators. Where a chain is read, a statement makes the service look, and
//! the chain decides; where none is, it is stored as it is said.

use super::envelope::{Envelope, LegacyError, LegacyJson, LegacyResult};
use super::validator::{hex_or_empty, LegacyValidator};
use crate::auth::legacy::LegacyOwner;
use crate::chain::facts::{kind, Context, Truth, ValidatorFacts};
use crate::chain::hints::{self, Claim, Transaction, Verdict};
use crate::chain::Chain;
use crate::hex::{normalized, parse_address};
use crate::limits;
use crate::state::AppState;
use crate::store::{FactRow, TxidColumn, ValidatorUpdate, WriteTx};
use axum::extract::State;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// One row of `validator/update`.
#[derive(Debug, Deserialize)]
pub struct UpdateRow {
    /// 48 bytes, 0x hex.
    pub pubkey: String,
    /// What happened, by the owner's word.
    pub action: Action,
    /// 32 bytes, 0x hex, or empty.
    #[serde(default)]
    pub txid: String,
}

/// What an owner says about a validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Not registered any more.
    Ready,
    /// Registered in the network's contract.
    Register,
    /// Deposited.
    Deposit,
    /// Exit asked for.
    Exit,
}

impl Action {
    fn status(self) -> &'static str {
        match self {
            Action::Ready => "Ready",
            Action::Register => "Registered",
            Action::Deposit => "Deposited",
            Action::Exit => "Exited",
        }
    }

    fn txid_column(self) -> Option<TxidColumn> {
        match self {
            Action::Ready => None,
            Action::Register => Some(TxidColumn::Register),
            Action::Deposit => Some(TxidColumn::Deposit),
            Action::Exit => Some(TxidColumn::Exit),
        }
    }

    /// Apps move rows forward, and back when the chain disagrees with an earlier statement. An exit is for ever, and
    /// an incomplete row must not become anything by an owner's word.
    fn is_legal_from(self, status: &str) -> bool {
        match status {
            "Ready" | "Registered" | "Deposited" => true,
            "Exited" => self == Action::Exit,
            _ => false,
        }
    }
}

/// `POST validator/update`: all rows or none.
pub async fn update(
    State(state): State<AppState>,
    caller: LegacyOwner,
    LegacyJson(rows): LegacyJson<Vec<UpdateRow>>,
) -> LegacyResult<Vec<LegacyValidator>> {
    if rows.len() > limits::UPDATE_ROWS {
        return Err(LegacyError::new(400, format!("One call updates at most {} rows.", limits::UPDATE_ROWS)));
    }
    if let Some(chain) = state.chain.clone() {
        return by_chain(&state, &chain, &caller.owner, &rows).await;
    }
    let now_ms = state.clock.now_ms();
    let mut pubkeys = Vec::with_capacity(rows.len());
    let mut write = state.store.write().await?;
    for row in &rows {
        pubkeys.push(update_row(&mut write, &caller.owner, row, now_ms).await?);
    }
    write.commit().await?;
    Ok(Envelope(read(&state, &caller.owner, &pubkeys).await?))
}

async fn read(state: &AppState, owner: &str, pubkeys: &[String]) -> Result<Vec<LegacyValidator>, LegacyError> {
    let mut rows = Vec::with_capacity(pubkeys.len());
    for pubkey in pubkeys {
        if let Some(row) = state.store.validator_of(owner, pubkey).await? {
            rows.push(LegacyValidator::try_from(row)?);
        }
    }
    Ok(rows)
}

async fn update_row(write: &mut WriteTx, owner: &str, row: &UpdateRow, now_ms: u64) -> Result<String, LegacyError> {
    let pubkey =
        normalized::<48>(&row.pubkey).ok_or_else(|| LegacyError::new(400, "pubkey must be 0x and 96 hex digits."))?;
    let txid = hex_or_empty::<32>("txid", &row.txid)?;
    // A row of another owner is as unknown as one that does not exist.
    let status = write.validator_status(owner, &pubkey).await?.filter(|status| status != "Incomplete");
    let status = status.ok_or_else(|| LegacyError::new(404, format!("You have no validator {pubkey}.")))?;
    if !row.action.is_legal_from(&status) {
        let action = row.action.status();
        return Err(LegacyError::new(409, format!("Validator {pubkey} is {status} and cannot become {action}.")));
    }
    let txid = row.action.txid_column().filter(|_| !txid.is_empty()).map(|column| (column, txid));
    let update = ValidatorUpdate { pubkey: pubkey.clone(), status: row.action.status(), txid };
    write.update_validator(owner, &update, now_ms).await?;
    Ok(pubkey)
}

/// One row, read.
struct Statement {
    pubkey: String,
    action: Action,
    txid: String,
}

/// The chain's answer to every row: an error names the first row that is not so; rows that wait stay as they are.
async fn by_chain(
    state: &AppState,
    chain: &Chain,
    owner: &str,
    rows: &[UpdateRow],
) -> LegacyResult<Vec<LegacyValidator>> {
    let statements = statements(state, owner, rows).await?;
    let txids: BTreeSet<&str> = statements.iter().map(|row| row.txid.as_str()).filter(|id| !id.is_empty()).collect();
    if txids.len() > limits::UPDATE_TRANSACTIONS {
        let message = format!("One call names at most {} transactions.", limits::UPDATE_TRANSACTIONS);
        return Err(LegacyError::new(400, message));
    }
    let mut held = held(state, owner, &statements).await?;
    let open = statements.iter().filter(|row| !holds(row.action, held.get(&row.pubkey)));
    let mut waits_for: Option<u64> = None;
    let mut message = None;
    let mut fetched: BTreeMap<&str, Transaction> = BTreeMap::new();
    for row in open {
        let verdict = judge(state, chain, owner, row, &mut fetched).await?;
        match verdict {
            Verdict::Refused(why) => {
                return Err(LegacyError::new(409, format!("Validator {}: {why}", row.pubkey)));
            }
            Verdict::Pending { block_number, confirmations } => {
                let needed = chain.settings.config.confirmations;
                if confirmations >= needed {
                    waits_for = waits_for.max(block_number);
                }
                message = Some(format!("pending: {confirmations} of {needed} confirmations"));
            }
        }
    }
    drop(fetched);
    if let Some(block_number) = waits_for {
        hints::wait_for(chain, block_number).await;
        held = self::held(state, owner, &statements).await?;
        if statements.iter().all(|row| holds(row.action, held.get(&row.pubkey))) {
            message = None;
        }
    }
    let pubkeys: Vec<String> = statements.into_iter().map(|row| row.pubkey).collect();
    let data = read(state, owner, &pubkeys).await?;
    Ok(Envelope { data, message: message.unwrap_or_else(|| "ok".to_owned()) })
}

async fn statements(state: &AppState, owner: &str, rows: &[UpdateRow]) -> Result<Vec<Statement>, LegacyError> {
    let mut statements = Vec::with_capacity(rows.len());
    for row in rows {
        let pubkey = normalized::<48>(&row.pubkey)
            .ok_or_else(|| LegacyError::new(400, "pubkey must be 0x and 96 hex digits."))?;
        let txid = hex_or_empty::<32>("txid", &row.txid)?;
        let known = state.store.validator_of(owner, &pubkey).await?.filter(|row| row.status != "Incomplete");
        known.ok_or_else(|| LegacyError::new(404, format!("You have no validator {pubkey}.")))?;
        statements.push(Statement { pubkey, action: row.action, txid });
    }
    Ok(statements)
}

/// The facts of the validators as they are now.
async fn held(
    state: &AppState,
    owner: &str,
    statements: &[Statement],
) -> Result<BTreeMap<String, ValidatorFacts>, LegacyError> {
    let pubkeys: Vec<String> = statements.iter().map(|row| row.pubkey.clone()).collect();
    let mut facts: BTreeMap<String, Vec<FactRow>> = BTreeMap::new();
    for row in state.store.facts_of(&pubkeys, &kind::OF_VALIDATORS).await? {
        facts.entry(row.subject.clone()).or_default().push(row);
    }
    let beacon = state.store.beacon_of(&pubkeys).await?;
    let own_node_operators = state.store.node_operators_ever_of(owner).await?;
    let mut held = BTreeMap::new();
    for pubkey in pubkeys {
        let context = Context {
            owner,
            own_node_operators: &own_node_operators,
            beacon: beacon.iter().find(|row| row.pubkey == pubkey),
            asks_beacon: true,
            withdrawal_credentials: None,
        };
        let rows = facts.get(&pubkey).map(Vec::as_slice).unwrap_or_default();
        held.insert(pubkey, ValidatorFacts::of(rows, &context)?);
    }
    Ok(held)
}

/// Whether the facts say the same as the statement.
fn holds(action: Action, facts: Option<&ValidatorFacts>) -> bool {
    let Some(facts) = facts else { return false };
    let yes = |truth: Truth| truth == Truth::Yes;
    match action {
        Action::Ready => !yes(facts.registered.holds),
        Action::Register => yes(facts.registered.holds),
        Action::Deposit => {
            yes(facts.deposited.holds) || (yes(facts.submitted_to_csm.holds) && facts.submitted_to_csm.by_owner)
        }
        Action::Exit => yes(facts.exit_requested.holds) || yes(facts.exiting.holds) || yes(facts.exited.holds),
    }
}

/// What the chain says to a statement that the facts do not confirm.
async fn judge<'a>(
    state: &AppState,
    chain: &Chain,
    owner: &str,
    row: &'a Statement,
    fetched: &mut BTreeMap<&'a str, Transaction>,
) -> Result<Verdict, LegacyError> {
    let claim = match row.action {
        Action::Register => Claim::Registered,
        Action::Deposit => Claim::Deposited,
        Action::Exit => Claim::ExitRequested,
        Action::Ready => return Ok(Verdict::Refused("The network's contract has it registered.".to_owned())),
    };
    if row.txid.is_empty() {
        // Nothing to look up: only what was not read yet may still confirm it.
        if chain.position().caught_up {
            return Ok(Verdict::Refused("The chain says nothing of the kind.".to_owned()));
        }
        return Ok(Verdict::Pending { block_number: None, confirmations: 0 });
    }
    if !fetched.contains_key(row.txid.as_str()) {
        let transaction = hints::fetch(chain, &row.txid).await.map_err(|error| {
            tracing::warn!(%error, "a transaction cannot be looked up now");
            LegacyError::new(503, "No execution node has an answer now; try again in a minute.")
        })?;
        fetched.insert(&row.txid, transaction);
    }
    let own = state.store.node_operators_ever_of(owner).await?;
    let owner = parse_address(owner).ok_or_else(|| LegacyError::new(500, "The owner cannot be read."))?;
    let Some(transaction) = fetched.get(row.txid.as_str()) else {
        return Ok(Verdict::Pending { block_number: None, confirmations: 0 });
    };
    let manages = |id: &str| own.iter().any(|known| known == id);
    Ok(hints::judge(chain, transaction, claim, &row.pubkey, &owner, manages))
}
