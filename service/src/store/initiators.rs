//! The cluster node that this instance serves, and the owner bound to it.

use super::{to_i64, Store, StoreResult, WriteTx};

/// One row of `initiators`.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct InitiatorRow {
    /// 33 bytes, 0x hex.
    pub cluster_pubkey: String,
    /// Lower-case address, or empty while nobody is bound.
    pub owner: String,
    /// 65 bytes uncompressed, 0x hex, or empty.
    pub owner_pubkey: String,
    /// Unix seconds.
    pub created_at_s: i64,
    /// Unix seconds.
    pub updated_at_s: i64,
}

impl Store {
    /// The row of a key, if it was ever configured.
    pub async fn initiator(&self, cluster_pubkey: &str) -> StoreResult<Option<InitiatorRow>> {
        let row = sqlx::query_as("SELECT * FROM initiators WHERE cluster_pubkey = $1")
            .bind(cluster_pubkey.to_owned())
            .fetch_optional(&self.pool)
            .await?;
        Ok(row)
    }

    /// Notes the configured key; an existing row stays as it is.
    pub async fn ensure_initiator(&self, cluster_pubkey: &str, now_s: u64) -> StoreResult<()> {
        let mut write = self.write().await?;
        sqlx::query(
            "INSERT INTO initiators (cluster_pubkey, created_at_s, updated_at_s) VALUES ($1, $2, $3) \
             ON CONFLICT (cluster_pubkey) DO NOTHING",
        )
        .bind(cluster_pubkey.to_owned())
        .bind(to_i64(now_s))
        .bind(to_i64(now_s))
        .execute(&mut *write.tx)
        .await?;
        write.commit().await
    }
}

impl WriteTx {
    /// Binds an owner unless somebody is bound already; says whether it did.
    pub async fn bind_initiator(
        &mut self,
        cluster_pubkey: &str,
        owner: &str,
        owner_pubkey: &str,
        now_s: u64,
    ) -> StoreResult<bool> {
        let done = sqlx::query(
            "UPDATE initiators SET owner = $1, owner_pubkey = $2, updated_at_s = $3 \
             WHERE cluster_pubkey = $4 AND owner = ''",
        )
        .bind(owner.to_owned())
        .bind(owner_pubkey.to_owned())
        .bind(to_i64(now_s))
        .bind(cluster_pubkey.to_owned())
        .execute(&mut *self.tx)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}
