//! `validator/query` and `validator/update`: an owner's ready validators.

use super::envelope::{Envelope, LegacyError, LegacyJson, LegacyResult};
use crate::auth::legacy::LegacyOwner;
use crate::hex::{checksummed, normalized};
use crate::limits;
use crate::publish::OperatorShare;
use crate::state::AppState;
use crate::store::{StoreError, TxidColumn, Txids, ValidatorFilter, ValidatorRow, ValidatorUpdate, WriteTx};
use axum::extract::State;
use serde::{Deserialize, Serialize};

/// Body of `validator/query`; an empty text is no condition.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ValidatorQuery {
    /// 48 bytes, 0x hex.
    pub pubkey: String,
    /// Ready | Registered | Deposited | Exited.
    pub status: String,
    /// The ceremony id: requests are not transactions yet, and existing apps poll by this field.
    pub generate_txid: String,
    /// 32 bytes, 0x hex.
    pub register_txid: String,
    /// 32 bytes, 0x hex.
    pub deposit_txid: String,
    /// 32 bytes, 0x hex.
    pub exit_txid: String,
}

/// One validator.
#[derive(Debug, Serialize)]
pub struct LegacyValidator {
    /// Number of the row.
    pub id: i64,
    /// 48 bytes, 0x hex.
    pub pubkey: String,
    /// Checksummed address.
    pub owner: String,
    /// 33 bytes, 0x hex.
    pub cluster_pubkey: String,
    /// Ready | Registered | Deposited | Exited.
    pub status: String,
    /// Launchpad JSON object, as a text.
    pub deposit_data: String,
    /// The ceremony id.
    pub generate_txid: String,
    /// The owner's statement.
    pub register_txid: String,
    /// The owner's statement.
    pub deposit_txid: String,
    /// The owner's statement.
    pub exit_txid: String,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub updated_at: i64,
    /// Committee in ascending order of ids.
    pub operators: Vec<LegacyShare>,
}

/// One operator's part of a validator.
#[derive(Debug, Serialize)]
pub struct LegacyShare {
    /// Id in the registry.
    pub operator_id: u32,
    /// 33 bytes, 0x hex.
    pub operator_pubkey: String,
    /// Public key of the share: 48 bytes, 0x hex.
    pub shared_key: String,
    /// The share sealed to the operator: 93 bytes, 0x hex.
    pub encrypt_key: String,
}

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

/// `POST validator/query`
pub async fn query(
    State(state): State<AppState>,
    caller: LegacyOwner,
    LegacyJson(query): LegacyJson<ValidatorQuery>,
) -> LegacyResult<Vec<LegacyValidator>> {
    if !matches!(query.status.as_str(), "" | "Ready" | "Registered" | "Deposited" | "Exited") {
        return Err(LegacyError::new(400, "status must be Ready, Registered, Deposited, Exited or empty."));
    }
    let filter = ValidatorFilter {
        pubkey: hex_or_empty::<48>("pubkey", &query.pubkey)?,
        status: query.status,
        ceremony_id: hex_or_empty::<32>("generate_txid", &query.generate_txid)?,
        txids: Txids {
            register: hex_or_empty::<32>("register_txid", &query.register_txid)?,
            deposit: hex_or_empty::<32>("deposit_txid", &query.deposit_txid)?,
            exit: hex_or_empty::<32>("exit_txid", &query.exit_txid)?,
        },
        ready_only: true,
    };
    let rows = state.store.validators_of(&caller.owner, &filter, 0, limits::LEGACY_ROWS).await?;
    let rows: Result<Vec<_>, StoreError> = rows.into_iter().map(LegacyValidator::try_from).collect();
    Ok(Envelope(rows?))
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
    let now_ms = state.clock.now_ms();
    let mut pubkeys = Vec::with_capacity(rows.len());
    let mut write = state.store.write().await?;
    for row in &rows {
        pubkeys.push(update_row(&mut write, &caller.owner, row, now_ms).await?);
    }
    write.commit().await?;
    let mut updated = Vec::with_capacity(pubkeys.len());
    for pubkey in pubkeys {
        if let Some(row) = state.store.validator_of(&caller.owner, &pubkey).await? {
            updated.push(LegacyValidator::try_from(row)?);
        }
    }
    Ok(Envelope(updated))
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

fn hex_or_empty<const N: usize>(field: &str, text: &str) -> Result<String, LegacyError> {
    if text.is_empty() {
        return Ok(String::new());
    }
    normalized::<N>(text)
        .ok_or_else(|| LegacyError::new(400, format!("{field} must be 0x and {} hex digits, or empty.", 2 * N)))
}

impl TryFrom<ValidatorRow> for LegacyValidator {
    type Error = StoreError;

    fn try_from(row: ValidatorRow) -> Result<Self, StoreError> {
        let shares: Vec<OperatorShare> =
            serde_json::from_str(&row.operators).map_err(|_| StoreError::Corrupt { column: "operators" })?;
        Ok(Self {
            id: row.id,
            pubkey: row.pubkey,
            owner: checksummed(&row.owner),
            cluster_pubkey: row.cluster_pubkey,
            status: row.status,
            deposit_data: row.deposit_data,
            generate_txid: row.ceremony_id,
            register_txid: row.register_txid,
            deposit_txid: row.deposit_txid,
            exit_txid: row.exit_txid,
            created_at: row.created_at_ms / 1000,
            updated_at: row.updated_at_ms / 1000,
            operators: shares.into_iter().map(LegacyShare::from).collect(),
        })
    }
}

impl From<OperatorShare> for LegacyShare {
    fn from(share: OperatorShare) -> Self {
        Self {
            operator_id: share.operator_id,
            operator_pubkey: share.public_key,
            shared_key: share.share_pubkey,
            encrypt_key: share.sealed_share.unwrap_or_default(),
        }
    }
}
