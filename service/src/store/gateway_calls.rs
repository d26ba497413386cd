//! Signatures of gateway calls, each accepted once.

use super::{to_i64, Store, StoreResult};

impl Store {
    /// Notes a signature; `false` when it was used before.
    pub async fn first_gateway_call(&self, signature_hash: &str, expires_at_ms: u64) -> StoreResult<bool> {
        let mut write = self.write().await?;
        let done = sqlx::query(
            "INSERT INTO gateway_calls (signature_hash, expires_at_ms) VALUES ($1, $2) \
             ON CONFLICT (signature_hash) DO NOTHING",
        )
        .bind(signature_hash.to_owned())
        .bind(to_i64(expires_at_ms))
        .execute(&mut *write.tx)
        .await?;
        write.commit().await?;
        Ok(done.rows_affected() == 1)
    }
}
