//! Questions whether a committee is fit for a ceremony, and their answers.

use super::{to_i64, Store, StoreError, StoreResult, WriteTx};

/// One row of `preflights`.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct PreflightRow {
    /// 0x hex.
    pub preflight_id: String,
    /// Lower-case address.
    pub owner: String,
    /// JSON array, ascending.
    pub operator_ids: String,
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// Unix milliseconds.
    pub answer_before_ms: i64,
    /// Unix milliseconds; 0 while no gateway took it up.
    pub taken_at_ms: i64,
    /// Who took it up last, or measured.
    pub gateway: String,
    /// Unix milliseconds; 0 before the findings are there.
    pub measured_at_ms: i64,
    /// JSON array; empty before.
    pub findings: String,
}

impl PreflightRow {
    /// The committee.
    pub fn operator_ids(&self) -> StoreResult<Vec<u32>> {
        serde_json::from_str(&self.operator_ids).map_err(|_| StoreError::Corrupt { column: "operator_ids" })
    }
}

/// Open questions that no gateway holds.
const OPEN: &str = "measured_at_ms = 0 AND answer_before_ms > $1 AND taken_at_ms <= $2";

impl Store {
    /// One question of this owner.
    pub async fn preflight_of(&self, owner: &str, preflight_id: &str) -> StoreResult<Option<PreflightRow>> {
        let row = sqlx::query_as("SELECT * FROM preflights WHERE preflight_id = $1 AND owner = $2")
            .bind(preflight_id.to_owned())
            .bind(owner.to_owned())
            .fetch_optional(&self.pool)
            .await?;
        Ok(row)
    }

    /// One question, whoever asked.
    pub async fn preflight(&self, preflight_id: &str) -> StoreResult<Option<PreflightRow>> {
        let row = sqlx::query_as("SELECT * FROM preflights WHERE preflight_id = $1")
            .bind(preflight_id.to_owned())
            .fetch_optional(&self.pool)
            .await?;
        Ok(row)
    }

    /// Up to `limit` questions that can still be answered and were taken by nobody after `taken_before_ms`, oldest first.
    pub async fn open_preflights(
        &self,
        now_ms: u64,
        taken_before_ms: u64,
        limit: i64,
    ) -> StoreResult<Vec<PreflightRow>> {
        let statement = format!("SELECT * FROM preflights WHERE {OPEN} ORDER BY created_at_ms, preflight_id LIMIT $3");
        let rows = sqlx::query_as(&statement)
            .bind(to_i64(now_ms))
            .bind(to_i64(taken_before_ms))
            .bind(limit)
            .fetch_all(&self.pool)
            .await?;
        Ok(rows)
    }

    /// Gives a question to a gateway; false when another one was faster.
    pub async fn take_preflight(
        &self,
        preflight_id: &str,
        gateway: &str,
        now_ms: u64,
        taken_before_ms: u64,
    ) -> StoreResult<bool> {
        let mut write = self.write().await?;
        let statement =
            format!("UPDATE preflights SET taken_at_ms = $1, gateway = $3 WHERE preflight_id = $4 AND {OPEN}");
        let done = sqlx::query(&statement)
            .bind(to_i64(now_ms))
            .bind(to_i64(taken_before_ms))
            .bind(gateway.to_owned())
            .bind(preflight_id.to_owned())
            .execute(&mut *write.tx)
            .await?;
        write.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// Keeps what a gateway found; false when an answer is there already, or came too late.
    pub async fn answer_preflight(
        &self,
        preflight_id: &str,
        gateway: &str,
        findings: &str,
        now_ms: u64,
    ) -> StoreResult<bool> {
        let mut write = self.write().await?;
        let done = sqlx::query(
            "UPDATE preflights SET measured_at_ms = $1, gateway = $2, findings = $3 \
             WHERE preflight_id = $4 AND measured_at_ms = 0 AND answer_before_ms > $1",
        )
        .bind(to_i64(now_ms))
        .bind(gateway.to_owned())
        .bind(findings.to_owned())
        .bind(preflight_id.to_owned())
        .execute(&mut *write.tx)
        .await?;
        write.commit().await?;
        Ok(done.rows_affected() == 1)
    }
}

impl WriteTx {
    /// The owner's latest question about this committee that still waits for its answer.
    pub async fn waiting_preflight(
        &mut self,
        owner: &str,
        operator_ids: &str,
        now_ms: u64,
    ) -> StoreResult<Option<PreflightRow>> {
        let row = sqlx::query_as(
            "SELECT * FROM preflights WHERE owner = $1 AND operator_ids = $2 AND measured_at_ms = 0 \
             AND answer_before_ms > $3 ORDER BY created_at_ms DESC LIMIT 1",
        )
        .bind(owner.to_owned())
        .bind(operator_ids.to_owned())
        .bind(to_i64(now_ms))
        .fetch_optional(&mut *self.tx)
        .await?;
        Ok(row)
    }

    /// Questions that are kept: of all owners, and of this one since `since_ms`.
    pub async fn count_preflights(&mut self, owner: &str, since_ms: u64) -> StoreResult<(i64, i64)> {
        let (all,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM preflights").fetch_one(&mut *self.tx).await?;
        let (own,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM preflights WHERE owner = $1 AND created_at_ms > $2")
            .bind(owner.to_owned())
            .bind(to_i64(since_ms))
            .fetch_one(&mut *self.tx)
            .await?;
        Ok((all, own))
    }

    /// Deletes questions from before `before_ms`.
    pub async fn drop_preflights(&mut self, before_ms: u64) -> StoreResult<()> {
        sqlx::query("DELETE FROM preflights WHERE created_at_ms <= $1")
            .bind(to_i64(before_ms))
            .execute(&mut *self.tx)
            .await?;
        Ok(())
    }

    /// Adds a question.
    pub async fn add_preflight(&mut self, row: &PreflightRow) -> StoreResult<()> {
        sqlx::query(
            "INSERT INTO preflights (preflight_id, owner, operator_ids, created_at_ms, answer_before_ms) \
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(row.preflight_id.clone())
        .bind(row.owner.clone())
        .bind(row.operator_ids.clone())
        .bind(row.created_at_ms)
        .bind(row.answer_before_ms)
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }
}
