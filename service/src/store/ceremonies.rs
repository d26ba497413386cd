//! Owners' requests and the certificates of their ceremonies.

use super::{to_i64, Store, StoreError, StoreResult, WriteTx};

/// One row of `ceremonies`.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct CeremonyRow {
    /// 0x hex.
    pub ceremony_id: String,
    /// Order of arrival.
    pub position: i64,
    /// Lower-case address.
    pub owner: String,
    /// Decimal.
    pub nonce: String,
    /// 0x hex.
    pub cluster_pubkey: String,
    /// Validators asked for.
    pub validator_count: i64,
    /// JSON array.
    pub operator_ids: String,
    /// Lower-case address.
    pub withdrawal_address: String,
    /// Unix seconds.
    pub deadline_s: i64,
    /// Signed request, JSON.
    pub request: String,
    /// See [`crate::v1::ceremonies::CeremonyStatus`].
    pub status: String,
    /// JSON array.
    pub missing_operators: String,
    /// As reported; empty when none.
    pub abort_reason: String,
    /// 0x hex, or empty before the first certificate.
    pub transcript_digest: String,
    /// 0x hex, or empty before the first certificate.
    pub certificate_digest: String,
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// Unix milliseconds.
    pub updated_at_ms: i64,
    /// The transaction whose event is the request, or empty when the owner signed it.
    pub generate_txid: String,
    /// 1: the event of the request has left the chain.
    pub orphaned: i64,
}

impl CeremonyRow {
    /// The committee's ids.
    pub fn operator_ids(&self) -> StoreResult<Vec<u32>> {
        serde_json::from_str(&self.operator_ids).map_err(|_| StoreError::Corrupt { column: "operator_ids" })
    }

    /// Who has not attested.
    pub fn missing_operators(&self) -> StoreResult<Vec<u32>> {
        serde_json::from_str(&self.missing_operators).map_err(|_| StoreError::Corrupt { column: "missing_operators" })
    }
}

/// What is known of a ceremony when its request arrives.
#[derive(Clone, Debug)]
pub struct NewCeremony {
    /// 0x hex.
    pub ceremony_id: String,
    /// Lower-case address.
    pub owner: String,
    /// The owner's number of the request.
    pub nonce: u64,
    /// 0x hex.
    pub cluster_pubkey: String,
    /// Validators asked for.
    pub validator_count: u32,
    /// Ascending.
    pub operator_ids: Vec<u32>,
    /// Lower-case address.
    pub withdrawal_address: String,
    /// Unix seconds.
    pub deadline_s: u64,
    /// Signed request, JSON.
    pub request: String,
}

/// A stored certificate and the digests by which it is compared.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct CertificateRow {
    /// 0x hex: what the ceremony produced.
    pub transcript_digest: String,
    /// 0x hex: that, and who attested it.
    pub certificate_digest: String,
    /// JSON.
    pub certificate: String,
}

/// What a verified certificate makes of a ceremony.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// `incomplete` or `ready`.
    pub status: &'static str,
    /// Who has not attested.
    pub missing_operators: Vec<u32>,
    /// The certificate to store.
    pub certificate: CertificateRow,
}

impl Store {
    /// One ceremony, whoever owns it.
    pub async fn ceremony(&self, ceremony_id: &str) -> StoreResult<Option<CeremonyRow>> {
        let row = sqlx::query_as("SELECT * FROM ceremonies WHERE ceremony_id = $1")
            .bind(ceremony_id.to_owned())
            .fetch_optional(&self.pool)
            .await?;
        Ok(row)
    }

    /// One ceremony of this owner.
    pub async fn ceremony_of(&self, owner: &str, ceremony_id: &str) -> StoreResult<Option<CeremonyRow>> {
        let row = sqlx::query_as("SELECT * FROM ceremonies WHERE ceremony_id = $1 AND owner = $2 AND orphaned = 0")
            .bind(ceremony_id.to_owned())
            .bind(owner.to_owned())
            .fetch_optional(&self.pool)
            .await?;
        Ok(row)
    }

    /// Ceremonies of this owner before position `before`, newest first; an empty `status` means all.
    pub async fn ceremonies_of(
        &self,
        owner: &str,
        status: &str,
        before: i64,
        limit: i64,
    ) -> StoreResult<Vec<CeremonyRow>> {
        let rows = sqlx::query_as(
            "SELECT * FROM ceremonies WHERE owner = $1 AND orphaned = 0 AND position < $2 AND ($3 = '' OR status = $3) \
             ORDER BY position DESC LIMIT $4",
        )
        .bind(owner.to_owned())
        .bind(before)
        .bind(status.to_owned())
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// Requests after `position` that still need work, oldest first, as `(position, signed request)`.
    /// A request that nobody started before its deadline cannot start any more.
    pub async fn open_requests(&self, position: i64, now_s: u64, limit: i64) -> StoreResult<Vec<(i64, String)>> {
        let rows = sqlx::query_as(
            "SELECT position, request FROM ceremonies WHERE position > $1 AND orphaned = 0 \
             AND (status IN ('running', 'incomplete') OR (status = 'pending' AND deadline_s >= $2)) \
             ORDER BY position LIMIT $3",
        )
        .bind(position)
        .bind(to_i64(now_s))
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// The stored certificate of a ceremony, whoever owns it.
    pub async fn certificate(&self, ceremony_id: &str) -> StoreResult<Option<CertificateRow>> {
        let row = sqlx::query_as(
            "SELECT c.transcript_digest AS transcript_digest, c.certificate_digest AS certificate_digest, \
             f.certificate AS certificate \
             FROM certificates f JOIN ceremonies c ON c.ceremony_id = f.ceremony_id WHERE f.ceremony_id = $1",
        )
        .bind(ceremony_id.to_owned())
        .fetch_optional(&self.pool)
        .await?;
        Ok(row)
    }
}

impl WriteTx {
    /// Status and certificate digest of a ceremony: what a writer must know before it changes anything.
    pub async fn ceremony_head(&mut self, ceremony_id: &str) -> StoreResult<Option<(String, String)>> {
        let row = sqlx::query_as("SELECT status, certificate_digest FROM ceremonies WHERE ceremony_id = $1")
            .bind(ceremony_id.to_owned())
            .fetch_optional(&mut *self.tx)
            .await?;
        Ok(row)
    }

    /// The ceremony for which an owner used a nonce.
    pub async fn ceremony_of_nonce(&mut self, owner: &str, nonce: u64) -> StoreResult<Option<String>> {
        let row: Option<(String,)> = sqlx::query_as(
            "SELECT ceremony_id FROM ceremonies WHERE owner = $1 AND nonce = $2 ORDER BY position LIMIT 1",
        )
        .bind(owner.to_owned())
        .bind(nonce.to_string())
        .fetch_optional(&mut *self.tx)
        .await?;
        Ok(row.map(|(ceremony_id,)| ceremony_id))
    }

    /// Requests that never started, waiting or expired: of all owners, and of this one.
    pub async fn unstarted_requests(&mut self, owner: &str) -> StoreResult<(i64, i64)> {
        let (all,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM ceremonies WHERE status IN ('pending', 'expired')")
            .fetch_one(&mut *self.tx)
            .await?;
        let (own,): (i64,) =
            sqlx::query_as("SELECT COUNT(*) FROM ceremonies WHERE status IN ('pending', 'expired') AND owner = $1")
                .bind(owner.to_owned())
                .fetch_one(&mut *self.tx)
                .await?;
        Ok((all, own))
    }

    /// Deletes the oldest request that never started and arrived before `before_ms`; says whether there was one.
    pub async fn drop_oldest_unstarted(&mut self, before_ms: u64) -> StoreResult<bool> {
        let oldest: Option<(String,)> = sqlx::query_as(
            // An event's request was paid for.
            "SELECT ceremony_id FROM ceremonies WHERE status IN ('pending', 'expired') AND created_at_ms < $1 \
             AND generate_txid = '' \
             ORDER BY position LIMIT 1",
        )
        .bind(to_i64(before_ms))
        .fetch_optional(&mut *self.tx)
        .await?;
        let Some((ceremony_id,)) = oldest else {
            return Ok(false);
        };
        for statement in
            ["DELETE FROM ceremony_events WHERE ceremony_id = $1", "DELETE FROM ceremonies WHERE ceremony_id = $1"]
        {
            sqlx::query(statement).bind(ceremony_id.clone()).execute(&mut *self.tx).await?;
        }
        Ok(true)
    }

    /// Marks up to `limit` requests whose deadline passed without a start; returns their ids.
    pub async fn expire_requests(
        &mut self,
        deadline_before_s: u64,
        now_ms: u64,
        limit: i64,
    ) -> StoreResult<Vec<String>> {
        let ids: Vec<(String,)> = sqlx::query_as(
            "SELECT ceremony_id FROM ceremonies WHERE status = 'pending' AND deadline_s < $1 ORDER BY position LIMIT $2",
        )
        .bind(to_i64(deadline_before_s))
        .bind(limit)
        .fetch_all(&mut *self.tx)
        .await?;
        let ids: Vec<String> = ids.into_iter().map(|(ceremony_id,)| ceremony_id).collect();
        for ceremony_id in &ids {
            self.report_status(ceremony_id, "expired", "", now_ms).await?;
        }
        Ok(ids)
    }

    /// Adds a ceremony with status `pending`.
    pub async fn add_ceremony(&mut self, new: &NewCeremony, now_ms: u64) -> StoreResult<()> {
        let position = self.next_id("SELECT COALESCE(MAX(position), 0) FROM ceremonies").await?;
        sqlx::query(
            "INSERT INTO ceremonies (ceremony_id, position, owner, nonce, cluster_pubkey, validator_count, operator_ids, \
             withdrawal_address, deadline_s, request, status, created_at_ms, updated_at_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'pending', $11, $12)",
        )
        .bind(new.ceremony_id.clone())
        .bind(position)
        .bind(new.owner.clone())
        .bind(new.nonce.to_string())
        .bind(new.cluster_pubkey.clone())
        .bind(i64::from(new.validator_count))
        .bind(json_list(&new.operator_ids))
        .bind(new.withdrawal_address.clone())
        .bind(to_i64(new.deadline_s))
        .bind(new.request.clone())
        .bind(to_i64(now_ms))
        .bind(to_i64(now_ms))
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Moves a ceremony without a certificate to `running`, `aborted` or `expired`; a certificate overrules such reports.
    pub async fn report_status(
        &mut self,
        ceremony_id: &str,
        status: &str,
        reason: &str,
        now_ms: u64,
    ) -> StoreResult<()> {
        sqlx::query(
            "UPDATE ceremonies SET status = $1, abort_reason = $2, updated_at_ms = $3 \
             WHERE ceremony_id = $4 AND status IN ('pending', 'expired', 'running', 'aborted')",
        )
        .bind(status.to_owned())
        .bind(reason.to_owned())
        .bind(to_i64(now_ms))
        .bind(ceremony_id.to_owned())
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Stores a verified certificate and what it means.
    pub async fn set_outcome(&mut self, ceremony_id: &str, outcome: &Outcome, now_ms: u64) -> StoreResult<()> {
        sqlx::query(
            "UPDATE ceremonies SET status = $1, missing_operators = $2, abort_reason = '', transcript_digest = $3, \
             certificate_digest = $4, updated_at_ms = $5 WHERE ceremony_id = $6",
        )
        .bind(outcome.status.to_owned())
        .bind(json_list(&outcome.missing_operators))
        .bind(outcome.certificate.transcript_digest.clone())
        .bind(outcome.certificate.certificate_digest.clone())
        .bind(to_i64(now_ms))
        .bind(ceremony_id.to_owned())
        .execute(&mut *self.tx)
        .await?;
        sqlx::query(
            "INSERT INTO certificates (ceremony_id, certificate) VALUES ($1, $2) \
             ON CONFLICT (ceremony_id) DO UPDATE SET certificate = excluded.certificate",
        )
        .bind(ceremony_id.to_owned())
        .bind(outcome.certificate.certificate.clone())
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }
}

fn json_list(ids: &[u32]) -> String {
    serde_json::Value::from(ids).to_string()
}
