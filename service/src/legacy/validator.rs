//! `validator/query`: an owner's ready validators.

use super::envelope::{Envelope, LegacyError, LegacyJson, LegacyResult};
use crate::auth::legacy::LegacyOwner;
use crate::hex::{checksummed, normalized};
use crate::limits;
use crate::publish::OperatorShare;
use crate::state::AppState;
use crate::store::{StoreError, Txids, ValidatorFilter, ValidatorRow};
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
    /// The transaction of the request, or the ceremony id where the owner signed it: existing apps poll by this field.
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
    /// The transaction of the request, or the ceremony id where the owner signed it.
    pub generate_txid: String,
    /// As the chain tells; the owner's statement where none is read.
    pub register_txid: String,
    /// As the chain tells; the owner's statement where none is read.
    pub deposit_txid: String,
    /// As the chain tells; the owner's statement where none is read.
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
        generated_by: hex_or_empty::<32>("generate_txid", &query.generate_txid)?,
        txids: Txids {
            register: hex_or_empty::<32>("register_txid", &query.register_txid)?,
            deposit: hex_or_empty::<32>("deposit_txid", &query.deposit_txid)?,
            exit: hex_or_empty::<32>("exit_txid", &query.exit_txid)?,
        },
        ready_only: true,
        ..ValidatorFilter::default()
    };
    let rows = state.store.validators_of(&caller.owner, &filter, 0, limits::LEGACY_ROWS).await?;
    let rows: Result<Vec<_>, StoreError> = rows.into_iter().map(LegacyValidator::try_from).collect();
    Ok(Envelope(rows?))
}

/// Lower-case form of `N` bytes in 0x hex; an empty text stays empty.
pub fn hex_or_empty<const N: usize>(field: &str, text: &str) -> Result<String, LegacyError> {
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
            generate_txid: if row.generate_txid.is_empty() { row.ceremony_id } else { row.generate_txid },
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
