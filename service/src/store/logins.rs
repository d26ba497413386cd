//! Login nonces and sessions.

use super::{to_i64, Store, StoreResult, WriteTx};

impl Store {
    /// Stores a nonce unless `limit` of them wait already; says whether it did.
    pub async fn add_login_nonce(&self, nonce: &str, now_ms: u64, expires_at_ms: u64, limit: i64) -> StoreResult<bool> {
        let mut write = self.write().await?;
        let (waiting,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM login_nonces WHERE expires_at_ms > $1")
            .bind(to_i64(now_ms))
            .fetch_one(&mut *write.tx)
            .await?;
        if waiting >= limit {
            return Ok(false);
        }
        sqlx::query("INSERT INTO login_nonces (nonce, expires_at_ms) VALUES ($1, $2)")
            .bind(nonce.to_owned())
            .bind(to_i64(expires_at_ms))
            .execute(&mut *write.tx)
            .await?;
        write.commit().await?;
        Ok(true)
    }

    /// Whether a nonce waits for its login.
    pub async fn has_login_nonce(&self, nonce: &str, now_ms: u64) -> StoreResult<bool> {
        let row: Option<(i64,)> =
            sqlx::query_as("SELECT expires_at_ms FROM login_nonces WHERE nonce = $1 AND expires_at_ms > $2")
                .bind(nonce.to_owned())
                .bind(to_i64(now_ms))
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.is_some())
    }

    /// The owner of a live session.
    pub async fn session_owner(&self, token_hash: &str, now_ms: u64) -> StoreResult<Option<String>> {
        let row: Option<(String,)> =
            sqlx::query_as("SELECT owner FROM sessions WHERE token_hash = $1 AND expires_at_ms > $2")
                .bind(token_hash.to_owned())
                .bind(to_i64(now_ms))
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map(|(owner,)| owner))
    }

    /// When a session ends, Unix milliseconds.
    pub async fn session_end(&self, token_hash: &str) -> StoreResult<Option<u64>> {
        let row: Option<(i64,)> = sqlx::query_as("SELECT expires_at_ms FROM sessions WHERE token_hash = $1")
            .bind(token_hash.to_owned())
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.and_then(|(end,)| u64::try_from(end).ok()))
    }

    /// Ends a session.
    pub async fn remove_session(&self, token_hash: &str) -> StoreResult<()> {
        let mut write = self.write().await?;
        sqlx::query("DELETE FROM sessions WHERE token_hash = $1")
            .bind(token_hash.to_owned())
            .execute(&mut *write.tx)
            .await?;
        write.commit().await
    }
}

impl WriteTx {
    /// Takes a live nonce away; `false` when it is unknown, used or expired.
    pub async fn consume_login_nonce(&mut self, nonce: &str, now_ms: u64) -> StoreResult<bool> {
        let done = sqlx::query("DELETE FROM login_nonces WHERE nonce = $1 AND expires_at_ms > $2")
            .bind(nonce.to_owned())
            .bind(to_i64(now_ms))
            .execute(&mut *self.tx)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Stores a session under the hash of its token.
    pub async fn add_session(&mut self, token_hash: &str, owner: &str, expires_at_ms: u64) -> StoreResult<()> {
        sqlx::query("INSERT INTO sessions (token_hash, owner, expires_at_ms) VALUES ($1, $2, $3)")
            .bind(token_hash.to_owned())
            .bind(owner.to_owned())
            .bind(to_i64(expires_at_ms))
            .execute(&mut *self.tx)
            .await?;
        Ok(())
    }
}
