//! What operators say of their upkeep of validators: relays and exits.

use super::chain::places;
use super::chain_state::{read, ENTRY_BYTES};
use super::{to_i64, value_lists, Store, StoreError, StoreResult, WriteTx};
use cluster_core::chain::{Entry, FactKey, PubkeyBytes};
use cluster_core::encoding::encode;
use cluster_crypto::ethereum::Address;

/// Rows of one INSERT or one `IN (...)`; far below every parameter limit.
const ROWS: usize = 40;

/// One operator's word about one validator.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct UpkeepRow {
    /// Number of the validator.
    pub validator_id: i64,
    /// Id in the registry.
    pub operator_id: i64,
    /// When the service heard it first, Unix milliseconds.
    pub at_ms: i64,
    /// off | waiting | incomplete | not_taken | registered.
    pub relay_state: String,
    /// -1: none.
    pub relay_epoch: i64,
    /// Lower-case address, or empty.
    pub relay_fee_recipient: String,
    /// -1: none.
    pub relay_gas_limit: i64,
    /// none | ordered | signed | published.
    pub exit_state: String,
}

/// A validator with the committee that performs its duties now.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct PresentCommitteeRow {
    /// Number of the validator.
    pub validator_id: i64,
    /// 48 bytes, 0x hex.
    pub pubkey: String,
    /// JSON array.
    pub operator_ids: String,
}

impl PresentCommitteeRow {
    /// The committee's ids.
    pub fn operator_ids(&self) -> StoreResult<Vec<u32>> {
        serde_json::from_str(&self.operator_ids).map_err(|_| StoreError::Corrupt { column: "operator_ids" })
    }
}

/// Validators of one class; or one that needs attention, with its key and 0 validators.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct UpkeepClassRow {
    /// registered | partly | not | off | unsaid.
    pub relay: String,
    /// 1: fee recipients differ.
    pub mixed: i64,
    /// none | ordered | signed | published.
    pub exit_step: String,
    /// How many.
    pub validators: i64,
    /// 48 bytes, 0x hex, or empty.
    pub pubkey: String,
}

/// Whose upkeep is counted, and who should get the fees.
#[derive(Clone, Debug, Default)]
pub struct UpkeepQuery {
    /// Lower-case address.
    pub owner: String,
    /// Whether a chain is read: then its word says which validators are registered, else the owner's.
    pub reads_chain: bool,
    /// Validators that withdraw to this address (lower-case)...
    pub vault: String,
    /// ... pay their fees to this one, whatever the owner chose.
    pub vault_recipient: String,
    /// What the owner chose for all others, lower-case; empty: nothing that is known.
    pub owner_recipient: String,
    /// Key in `chain_entries` of what the owner chose for one validator, without the validator's 96 digits; empty: none is known.
    pub entry_prefix: String,
}

/// Classes of an owner's registered validators, each counted; and the first `$7` that need attention. The walk over
/// `validators_by_owner` is in the order of the groups, so that nothing is sorted before the counting.
const CLASSES: &str = "WITH own AS ( \
    SELECT p.validator_id, p.pubkey, \
        ',' || SUBSTR(p.operator_ids, 2, LENGTH(p.operator_ids) - 2) || ',' AS members, \
        LENGTH(p.operator_ids) - LENGTH(REPLACE(p.operator_ids, ',', '')) + 1 AS n, \
        CASE WHEN p.withdrawal_address = $3 THEN $4 \
             ELSE COALESCE('0x' || SUBSTR(e.entry_value, LENGTH(e.entry_value) - 39), $5) END AS due \
    FROM present_committees p LEFT JOIN chain_entries e ON e.entry_key = $6 || SUBSTR(p.pubkey, 3) \
    WHERE p.owner = $1 AND CASE WHEN $2 = 1 THEN p.register_txid <> '' \
        ELSE p.status IN ('Registered', 'Deposited', 'Exited') END \
), said AS ( \
    SELECT MIN(o.pubkey) AS pubkey, MIN(o.n) AS n, MIN(o.due) AS due, COUNT(u.operator_id) AS spoke, \
        SUM(CASE WHEN u.relay_state = 'registered' THEN 1 ELSE 0 END) AS registered, \
        SUM(CASE WHEN u.relay_state = 'off' THEN 1 ELSE 0 END) AS is_off, \
        MIN(CASE WHEN u.relay_state = 'registered' THEN u.relay_fee_recipient END) AS lowest, \
        MAX(CASE WHEN u.relay_state = 'registered' THEN u.relay_fee_recipient END) AS highest, \
        SUM(CASE WHEN u.exit_state = 'published' THEN 1 ELSE 0 END) AS published, \
        SUM(CASE WHEN u.exit_state IN ('signed', 'published') THEN 1 ELSE 0 END) AS signed, \
        SUM(CASE WHEN u.exit_state = 'none' THEN 0 WHEN u.exit_state IS NULL THEN 0 ELSE 1 END) AS ordered \
    FROM own o LEFT JOIN upkeep u ON u.validator_id = o.validator_id \
        AND o.members LIKE '%,' || CAST(u.operator_id AS TEXT) || ',%' \
    GROUP BY o.validator_id \
), classes AS ( \
    SELECT pubkey, \
        CASE WHEN spoke = 0 THEN 'unsaid' WHEN is_off = spoke THEN 'off' \
             WHEN registered > 0 AND registered + is_off = n THEN 'registered' \
             WHEN registered > 0 THEN 'partly' ELSE 'not' END AS relay, \
        CASE WHEN registered > 0 AND (lowest <> highest OR (due <> '' AND lowest <> due)) THEN 1 ELSE 0 END AS mixed, \
        CASE WHEN published > 0 THEN 'published' WHEN signed >= (2 * n + 1) / 3 THEN 'signed' \
             WHEN ordered > 0 THEN 'ordered' ELSE 'none' END AS exit_step \
    FROM said \
) SELECT relay, CAST(mixed AS BIGINT) AS mixed, exit_step, COUNT(*) AS validators, CAST('' AS TEXT) AS pubkey \
    FROM classes GROUP BY relay, mixed, exit_step \
UNION ALL SELECT relay, mixed, exit_step, validators, pubkey FROM ( \
    SELECT relay, CAST(mixed AS BIGINT) AS mixed, exit_step, CAST(0 AS BIGINT) AS validators, pubkey FROM classes \
    WHERE relay IN ('partly', 'not') OR mixed = 1 ORDER BY pubkey LIMIT $7) attention";

/// Key in `chain_entries` of what this wallet chose for one of its validators, without the validator: its 96 hex digits follow.
pub fn validator_recipient_prefix(owner: &Address) -> String {
    let key = hex::encode(encode(&FactKey::ValidatorFeeRecipient(*owner, PubkeyBytes([0; 48]))));
    key.get(..key.len().saturating_sub(96)).unwrap_or_default().to_owned()
}

impl Store {
    /// What this wallet chose for all its validators, by the chain.
    pub async fn fee_recipient_of_owner(&self, owner: &Address) -> StoreResult<Option<Address>> {
        let row: Option<(String,)> = sqlx::query_as("SELECT entry_value FROM chain_entries WHERE entry_key = $1")
            .bind(hex::encode(encode(&FactKey::FeeRecipient(*owner))))
            .fetch_optional(&self.pool)
            .await?;
        let entry = row.map(|(value,)| read(&value, ENTRY_BYTES, "entry_value")).transpose()?;
        match entry {
            Some(Entry::FeeRecipient(_, recipient)) => Ok(recipient),
            _ => Ok(None),
        }
    }

    /// Present committees of those validators that the service knows, whoever owns them.
    pub async fn present_committees(&self, pubkeys: &[String]) -> StoreResult<Vec<PresentCommitteeRow>> {
        let mut found = Vec::new();
        for chunk in pubkeys.chunks(ROWS) {
            let statement = format!(
                "SELECT validator_id, pubkey, operator_ids FROM present_committees WHERE pubkey IN ({})",
                places(1, chunk.len())
            );
            let mut query = sqlx::query_as(&statement);
            for pubkey in chunk {
                query = query.bind(pubkey.clone());
            }
            let rows: Vec<PresentCommitteeRow> = query.fetch_all(&self.pool).await?;
            found.extend(rows);
        }
        Ok(found)
    }

    /// The present committee of one validator of this owner.
    pub async fn present_committee_of(&self, owner: &str, pubkey: &str) -> StoreResult<Option<PresentCommitteeRow>> {
        let row = sqlx::query_as(
            "SELECT validator_id, pubkey, operator_ids FROM present_committees WHERE pubkey = $1 AND owner = $2",
        );
        Ok(row.bind(pubkey.to_owned()).bind(owner.to_owned()).fetch_optional(&self.pool).await?)
    }

    /// Words about one validator, of everybody who ever was in its committee.
    pub async fn upkeep_of(&self, validator_id: i64) -> StoreResult<Vec<UpkeepRow>> {
        let rows = sqlx::query_as("SELECT * FROM upkeep WHERE validator_id = $1 ORDER BY operator_id");
        Ok(rows.bind(validator_id).fetch_all(&self.pool).await?)
    }

    /// Classes of an owner's registered validators, each counted, and at most `attention` of those that need attention,
    /// ascending by key.
    pub async fn upkeep_classes(&self, query: &UpkeepQuery, attention: i64) -> StoreResult<Vec<UpkeepClassRow>> {
        let rows = sqlx::query_as(CLASSES)
            .bind(query.owner.clone())
            .bind(i64::from(query.reads_chain))
            .bind(query.vault.clone())
            .bind(query.vault_recipient.clone())
            .bind(query.owner_recipient.clone())
            .bind(query.entry_prefix.clone())
            .bind(attention)
            .fetch_all(&self.pool)
            .await?;
        Ok(rows)
    }
}

impl WriteTx {
    /// Writes words; `at_ms` of the rows is ignored. One that says the same as before stays with its time. Returns how
    /// many changed.
    pub async fn put_upkeep(&mut self, rows: &[UpkeepRow], now_ms: u64) -> StoreResult<u64> {
        const SAID: [&str; 5] = ["relay_state", "relay_epoch", "relay_fee_recipient", "relay_gas_limit", "exit_state"];
        let set = SAID.map(|column| format!("{column} = excluded.{column}")).join(", ");
        let differs = SAID.map(|column| format!("upkeep.{column} <> excluded.{column}")).join(" OR ");
        let mut written = 0;
        for chunk in rows.chunks(ROWS) {
            let statement = format!(
                "INSERT INTO upkeep (validator_id, operator_id, at_ms, {}) VALUES {} \
                 ON CONFLICT (validator_id, operator_id) DO UPDATE SET at_ms = excluded.at_ms, {set} WHERE {differs}",
                SAID.join(", "),
                value_lists(chunk.len(), 8)
            );
            let mut query = sqlx::query(&statement);
            for row in chunk {
                query = query
                    .bind(row.validator_id)
                    .bind(row.operator_id)
                    .bind(to_i64(now_ms))
                    .bind(row.relay_state.clone())
                    .bind(row.relay_epoch)
                    .bind(row.relay_fee_recipient.clone())
                    .bind(row.relay_gas_limit)
                    .bind(row.exit_state.clone());
            }
            written += query.execute(&mut *self.tx).await?.rows_affected();
        }
        Ok(written)
    }
}
