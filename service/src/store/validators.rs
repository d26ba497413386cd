//! Validators of owners.

use super::{to_i64, value_lists, Store, StoreResult, WriteTx};

/// Rows of one INSERT; 40 rows with ten parameters stay far below every parameter limit.
const INSERT_ROWS: usize = 40;

/// One row of `validators`.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ValidatorRow {
    /// 48 bytes, 0x hex.
    pub pubkey: String,
    /// Number of the row.
    pub id: i64,
    /// 0x hex.
    pub ceremony_id: String,
    /// Lower-case address.
    pub owner: String,
    /// 0x hex.
    pub cluster_pubkey: String,
    /// Incomplete | Ready | Registered | Deposited | Exited.
    pub status: String,
    /// As the chain tells; an unverified hint where none is read.
    pub register_txid: String,
    /// As the chain tells; an unverified hint where none is read.
    pub deposit_txid: String,
    /// As the chain tells; an unverified hint where none is read.
    pub exit_txid: String,
    /// Launchpad JSON object, or empty until ready.
    pub deposit_data: String,
    /// JSON array: the shares of the committee that performs now, when it is read; of the one that made the validator, when it is written.
    pub operators: String,
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// Unix milliseconds.
    pub updated_at_ms: i64,
    /// The transaction whose event is the request, or empty when the owner signed it.
    pub generate_txid: String,
    /// 1: the event of the request has left the chain.
    pub orphaned: i64,
}

/// Which rows of an owner; an empty text or `None` means "any".
#[derive(Clone, Debug, Default)]
pub struct ValidatorFilter {
    /// Lower-case 0x hex.
    pub pubkey: String,
    /// Exact status.
    pub status: String,
    /// Exact ceremony.
    pub ceremony_id: String,
    /// Exact ceremony, or the transaction of its request.
    pub generated_by: String,
    /// Transaction ids.
    pub txids: Txids,
    /// Leave out rows that are not ready.
    pub ready_only: bool,
}

/// Transaction ids as stated by the owner; empty means "any" in filters.
#[derive(Clone, Debug, Default)]
pub struct Txids {
    /// Of the registration.
    pub register: String,
    /// Of the deposit.
    pub deposit: String,
    /// Of the exit.
    pub exit: String,
}

/// New status and hints of one row.
#[derive(Clone, Debug)]
pub struct ValidatorUpdate {
    /// Whose.
    pub pubkey: String,
    /// New status.
    pub status: &'static str,
    /// Column to set and its value, if any.
    pub txid: Option<(TxidColumn, String)>,
}

/// Columns that hold an owner's transaction ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TxidColumn {
    /// `register_txid`
    Register,
    /// `deposit_txid`
    Deposit,
    /// `exit_txid`
    Exit,
}

/// Rows with the shares of the committee that performs the duties now: what the contracts name, else the newest that has taken the
/// validator over, else the one that made it (as in the view `present_committees`).
const ROWS: &str =
    "SELECT v.pubkey, v.id, v.ceremony_id, v.owner, v.cluster_pubkey, v.status, v.register_txid, v.deposit_txid, \
    v.exit_txid, v.deposit_data, v.created_at_ms, v.updated_at_ms, v.generate_txid, v.orphaned, COALESCE(( \
        SELECT t.operators FROM taken_over t CROSS JOIN ceremonies r WHERE t.pubkey = v.pubkey AND t.operators <> '' \
        AND r.ceremony_id = t.ceremony_id AND r.owner = v.owner AND r.orphaned = 0 AND r.status = 'ready' \
        AND v.registered_committee IN ('', REPLACE(REPLACE(r.operator_ids, '[', ','), ']', ',')) \
        ORDER BY r.position DESC LIMIT 1), v.operators) AS operators FROM validators v";

impl Store {
    /// Rows of this owner after `after`, in order of their numbers.
    pub async fn validators_of(
        &self,
        owner: &str,
        filter: &ValidatorFilter,
        after: i64,
        limit: i64,
    ) -> StoreResult<Vec<ValidatorRow>> {
        let statement = format!(
            "{ROWS} WHERE v.owner = $1 AND v.orphaned = 0 AND v.id > $2 AND ($3 = '' OR v.pubkey = $3) \
             AND ($4 = '' OR v.status = $4) AND ($5 = '' OR v.ceremony_id = $5) AND ($6 = '' OR v.register_txid = $6) \
             AND ($7 = '' OR v.deposit_txid = $7) AND ($8 = '' OR v.exit_txid = $8) \
             AND ($9 = 0 OR v.status <> 'Incomplete') \
             AND ($10 = '' OR v.ceremony_id = $10 OR v.generate_txid = $10) ORDER BY v.id LIMIT $11"
        );
        let rows = sqlx::query_as(&statement)
            .bind(owner.to_owned())
            .bind(after)
            .bind(filter.pubkey.clone())
            .bind(filter.status.clone())
            .bind(filter.ceremony_id.clone())
            .bind(filter.txids.register.clone())
            .bind(filter.txids.deposit.clone())
            .bind(filter.txids.exit.clone())
            .bind(i64::from(filter.ready_only))
            .bind(filter.generated_by.clone())
            .bind(limit)
            .fetch_all(&self.pool)
            .await?;
        Ok(rows)
    }

    /// One row of this owner.
    pub async fn validator_of(&self, owner: &str, pubkey: &str) -> StoreResult<Option<ValidatorRow>> {
        let row = sqlx::query_as(&format!("{ROWS} WHERE v.pubkey = $1 AND v.owner = $2 AND v.orphaned = 0"))
            .bind(pubkey.to_owned())
            .bind(owner.to_owned())
            .fetch_optional(&self.pool)
            .await?;
        Ok(row)
    }
}

impl WriteTx {
    /// The status of one row of this owner.
    pub async fn validator_status(&mut self, owner: &str, pubkey: &str) -> StoreResult<Option<String>> {
        let row: Option<(String,)> =
            sqlx::query_as("SELECT status FROM validators WHERE pubkey = $1 AND owner = $2 AND orphaned = 0")
                .bind(pubkey.to_owned())
                .bind(owner.to_owned())
                .fetch_optional(&mut *self.tx)
                .await?;
        Ok(row.map(|(status,)| status))
    }

    /// Writes an owner's statement.
    pub async fn update_validator(&mut self, owner: &str, update: &ValidatorUpdate, now_ms: u64) -> StoreResult<()> {
        let mut hints = Txids::default();
        if let Some((column, txid)) = &update.txid {
            let hint = match column {
                TxidColumn::Register => &mut hints.register,
                TxidColumn::Deposit => &mut hints.deposit,
                TxidColumn::Exit => &mut hints.exit,
            };
            hint.clone_from(txid);
        }
        sqlx::query(
            "UPDATE validators SET status = $1, updated_at_ms = $2, \
             register_txid = CASE WHEN $3 = '' THEN register_txid ELSE $3 END, \
             deposit_txid = CASE WHEN $4 = '' THEN deposit_txid ELSE $4 END, \
             exit_txid = CASE WHEN $5 = '' THEN exit_txid ELSE $5 END \
             WHERE pubkey = $6 AND owner = $7",
        )
        .bind(update.status.to_owned())
        .bind(to_i64(now_ms))
        .bind(hints.register)
        .bind(hints.deposit)
        .bind(hints.exit)
        .bind(update.pubkey.clone())
        .bind(owner.to_owned())
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Whether one of these keys is known as another owner's.
    pub async fn belongs_to_others(&mut self, owner: &str, pubkeys: &[String]) -> StoreResult<bool> {
        for chunk in pubkeys.chunks(INSERT_ROWS) {
            let places: Vec<String> = (2..chunk.len() + 2).map(|at| format!("${at}")).collect();
            let statement =
                format!("SELECT COUNT(*) FROM validators WHERE owner <> $1 AND pubkey IN ({})", places.join(", "));
            let mut query = sqlx::query_as(&statement).bind(owner.to_owned());
            for pubkey in chunk {
                query = query.bind(pubkey.clone());
            }
            let (others,): (i64,) = query.fetch_one(&mut *self.tx).await?;
            if others > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Keeps which validators a reshare takes over, with their shares: `(pubkey, operators)`. Later ones replace earlier ones.
    pub async fn put_taken_over(&mut self, ceremony_id: &str, rows: &[(String, String)]) -> StoreResult<()> {
        for chunk in rows.chunks(INSERT_ROWS) {
            let statement = format!(
                "INSERT INTO taken_over (pubkey, ceremony_id, operators) VALUES {} \
                 ON CONFLICT (pubkey, ceremony_id) DO UPDATE SET operators = excluded.operators",
                value_lists(chunk.len(), 3)
            );
            let mut query = sqlx::query(&statement);
            for (pubkey, operators) in chunk {
                query = query.bind(pubkey.clone()).bind(ceremony_id.to_owned()).bind(operators.clone());
            }
            query.execute(&mut *self.tx).await?;
        }
        Ok(())
    }

    /// Inserts the validators of a ceremony, or completes them when they are there already. Returns how many rows
    /// it wrote: fewer than given when a public key belongs to another ceremony. `id` of the rows is ignored.
    pub async fn put_validators(&mut self, rows: &[ValidatorRow]) -> StoreResult<u64> {
        let mut next_id = self.next_id("SELECT COALESCE(MAX(id), 0) FROM validators").await?;
        let mut written = 0;
        for chunk in rows.chunks(INSERT_ROWS) {
            // A row that moved on by its owner's word keeps its status.
            let statement = format!(
                "INSERT INTO validators (pubkey, id, ceremony_id, owner, cluster_pubkey, status, deposit_data, \
                 operators, created_at_ms, updated_at_ms, generate_txid) VALUES {} ON CONFLICT (pubkey) DO UPDATE SET \
                 status = CASE WHEN validators.status = 'Incomplete' THEN excluded.status ELSE validators.status END, \
                 deposit_data = excluded.deposit_data, operators = excluded.operators, \
                 updated_at_ms = excluded.updated_at_ms WHERE validators.ceremony_id = excluded.ceremony_id",
                value_lists(chunk.len(), 11)
            );
            let mut query = sqlx::query(&statement);
            for row in chunk {
                query = query
                    .bind(row.pubkey.clone())
                    .bind(next_id)
                    .bind(row.ceremony_id.clone())
                    .bind(row.owner.clone())
                    .bind(row.cluster_pubkey.clone())
                    .bind(row.status.clone())
                    .bind(row.deposit_data.clone())
                    .bind(row.operators.clone())
                    .bind(row.created_at_ms)
                    .bind(row.updated_at_ms)
                    .bind(row.generate_txid.clone());
                next_id += 1;
            }
            written += query.execute(&mut *self.tx).await?.rows_affected();
        }
        Ok(written)
    }
}
