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
    /// Ids, ascending, between commas: `,1,2,3,4,`.
    pub members: String,
}

impl PresentCommitteeRow {
    /// The committee's ids.
    pub fn operator_ids(&self) -> StoreResult<Vec<u32>> {
        let ids = self.members.split(',').filter(|id| !id.is_empty()).map(str::parse);
        ids.collect::<Result<_, _>>().map_err(|_| StoreError::Corrupt { column: "members" })
    }
}

/// How many registered validators an owner has, all together and by class; or one that needs attention, with its key and zeros.
#[derive(Clone, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct UpkeepCountRow {
    /// All.
    pub validators: i64,
    /// Every operator has it registered with relays, but for those that ask none.
    pub registered: i64,
    /// Some have.
    pub partly: i64,
    /// Nobody has.
    pub not_registered: i64,
    /// All that spoke have not tried yet, or ask none.
    pub waiting: i64,
    /// All that spoke ask none.
    pub is_off: i64,
    /// Nobody spoke.
    pub unsaid: i64,
    /// Fee recipients differ.
    pub mixed: i64,
    /// Exit ordered.
    pub ordered: i64,
    /// Exit signed by a threshold.
    pub signed: i64,
    /// Exit published.
    pub published: i64,
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

/// Counts of an owner's registered validators, and the first `$7` of those that need attention. Of `validators` it reads
/// `validators_present` alone.
const COUNTS: &str = "WITH classes AS ( \
        SELECT d.pubkey, \
            CASE WHEN d.spoke IS NULL THEN 'unsaid' WHEN d.is_off = d.spoke THEN 'off' \
                 WHEN d.registered > 0 AND d.registered + d.is_off = d.operators THEN 'registered' \
                 WHEN d.registered > 0 THEN 'partly' \
                 WHEN d.is_off + d.waiting = d.spoke THEN 'waiting' ELSE 'not' END AS relay, \
            CASE WHEN d.registered > 0 AND (d.lowest_recipient <> d.highest_recipient \
                 OR (d.due <> '' AND d.lowest_recipient <> d.due)) THEN 1 ELSE 0 END AS mixed, \
            CASE WHEN d.published > 0 THEN 'published' WHEN d.signed >= (2 * d.operators + 1) / 3 THEN 'signed' \
                 WHEN d.ordered > 0 THEN 'ordered' ELSE 'none' END AS exit_step \
        FROM (SELECT p.pubkey, s.spoke, s.is_off, s.waiting, s.registered, s.operators, \
                s.lowest_recipient, s.highest_recipient, s.published, s.signed, s.ordered, \
                CASE WHEN p.withdrawal_address = $3 THEN $4 ELSE COALESCE('0x' || SUBSTR(e.entry_value, LENGTH(e.entry_value) - 39), $5) END AS due \
            FROM present_committees p LEFT JOIN upkeep_sums s ON s.validator_id = p.validator_id AND s.members = p.members \
            LEFT JOIN chain_entries e ON e.entry_key = $6 || SUBSTR(p.pubkey, 3) \
            WHERE p.owner = $1 AND CASE WHEN $2 = 1 THEN p.register_txid <> '' \
                ELSE p.status IN ('Registered', 'Deposited', 'Exited') END) d \
    ) SELECT COUNT(*) AS validators, \
        COUNT(CASE relay WHEN 'registered' THEN 1 END) AS registered, COUNT(CASE relay WHEN 'partly' THEN 1 END) AS partly, \
        COUNT(CASE relay WHEN 'not' THEN 1 END) AS not_registered, \
        COUNT(CASE relay WHEN 'waiting' THEN 1 END) AS waiting, COUNT(CASE relay WHEN 'off' THEN 1 END) AS is_off, \
        COUNT(CASE relay WHEN 'unsaid' THEN 1 END) AS unsaid, COUNT(CASE mixed WHEN 1 THEN 1 END) AS mixed, \
        COUNT(CASE exit_step WHEN 'ordered' THEN 1 END) AS ordered, COUNT(CASE exit_step WHEN 'signed' THEN 1 END) AS signed, \
        COUNT(CASE exit_step WHEN 'published' THEN 1 END) AS published, CAST('' AS TEXT) AS pubkey \
        FROM classes \
    UNION ALL SELECT 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, pubkey FROM ( \
        SELECT pubkey FROM classes WHERE relay IN ('partly', 'not') OR mixed = 1 ORDER BY pubkey LIMIT $7) attention";

/// Sums of the words of present committees; a condition on `p` follows, and [`SUMS_END`].
const SUMS: &str = "INSERT INTO upkeep_sums (validator_id, members, operators, spoke, registered, is_off, waiting, \
    lowest_recipient, highest_recipient, ordered, signed, published) \
    SELECT p.validator_id, MIN(p.members), MIN(LENGTH(p.members) - LENGTH(REPLACE(p.members, ',', '')) - 1), COUNT(*), \
        SUM(CASE u.relay_state WHEN 'registered' THEN 1 ELSE 0 END), SUM(CASE u.relay_state WHEN 'off' THEN 1 ELSE 0 END), \
        SUM(CASE u.relay_state WHEN 'waiting' THEN 1 ELSE 0 END), \
        COALESCE(MIN(CASE u.relay_state WHEN 'registered' THEN u.relay_fee_recipient END), ''), \
        COALESCE(MAX(CASE u.relay_state WHEN 'registered' THEN u.relay_fee_recipient END), ''), \
        SUM(CASE u.exit_state WHEN 'none' THEN 0 ELSE 1 END), \
        SUM(CASE WHEN u.exit_state IN ('signed', 'published') THEN 1 ELSE 0 END), \
        SUM(CASE u.exit_state WHEN 'published' THEN 1 ELSE 0 END) \
    FROM present_committees p JOIN upkeep u ON u.validator_id = p.validator_id \
        AND p.members LIKE '%,' || CAST(u.operator_id AS TEXT) || ',%'";

/// See [`SUMS`].
const SUMS_END: &str = "GROUP BY p.validator_id ON CONFLICT (validator_id) DO UPDATE SET members = excluded.members, \
    operators = excluded.operators, spoke = excluded.spoke, registered = excluded.registered, \
    is_off = excluded.is_off, waiting = excluded.waiting, \
    lowest_recipient = excluded.lowest_recipient, highest_recipient = excluded.highest_recipient, \
    ordered = excluded.ordered, signed = excluded.signed, published = excluded.published";

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
                "SELECT validator_id, pubkey, members FROM present_committees WHERE pubkey IN ({})",
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
            "SELECT validator_id, pubkey, members FROM present_committees WHERE pubkey = $1 AND owner = $2",
        );
        Ok(row.bind(pubkey.to_owned()).bind(owner.to_owned()).fetch_optional(&self.pool).await?)
    }

    /// Words about one validator, of everybody who ever was in its committee.
    pub async fn upkeep_of(&self, validator_id: i64) -> StoreResult<Vec<UpkeepRow>> {
        let rows = sqlx::query_as("SELECT * FROM upkeep WHERE validator_id = $1 ORDER BY operator_id");
        Ok(rows.bind(validator_id).fetch_all(&self.pool).await?)
    }

    /// Counts of an owner's registered validators, then at most `attention` of those that need attention.
    pub async fn upkeep_counts(&self, query: &UpkeepQuery, attention: i64) -> StoreResult<Vec<UpkeepCountRow>> {
        let rows = sqlx::query_as(COUNTS)
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
        if written > 0 {
            let ids: Vec<i64> = rows.iter().map(|row| row.validator_id).collect();
            for chunk in ids.chunks(ROWS) {
                let which = format!("p.validator_id IN ({})", places(1, chunk.len()));
                let statement = format!("{SUMS} WHERE {which} {SUMS_END}");
                let query = chunk.iter().fold(sqlx::query(&statement), |query, id| query.bind(*id));
                query.execute(&mut *self.tx).await?;
            }
        }
        Ok(written)
    }

    /// Sums the words about these validators anew, after their committees changed. Without a word there is no sum.
    pub async fn sum_upkeep(&mut self, pubkeys: &[String]) -> StoreResult<()> {
        for chunk in pubkeys.chunks(ROWS) {
            let which = format!("p.pubkey IN ({})", places(1, chunk.len()));
            let statement = format!("{SUMS} WHERE {which} {SUMS_END}");
            let query = chunk.iter().fold(sqlx::query(&statement), |query, pubkey| query.bind(pubkey.clone()));
            query.execute(&mut *self.tx).await?;
        }
        Ok(())
    }
}
