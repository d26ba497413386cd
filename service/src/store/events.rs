//! Events of ceremonies, in order.

use super::{Store, StoreResult, WriteTx};

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct EventRow {
    /// 1, 2, 3, ... within the ceremony.
    pub seq: i64,
    /// JSON.
    pub data: String,
}

impl Store {
    /// Up to `limit` events after `seq`, in order.
    pub async fn events_after(&self, ceremony_id: &str, seq: i64, limit: i64) -> StoreResult<Vec<EventRow>> {
        let rows = sqlx::query_as(
            "SELECT seq, data FROM ceremony_events WHERE ceremony_id = $1 AND seq > $2 ORDER BY seq LIMIT $3",
        )
        .bind(ceremony_id.to_owned())
        .bind(seq)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }
}

impl WriteTx {
    /// Number of the last event of a ceremony, 0 when there is none.
    pub async fn last_event(&mut self, ceremony_id: &str) -> StoreResult<i64> {
        let (seq,): (i64,) = sqlx::query_as("SELECT COALESCE(MAX(seq), 0) FROM ceremony_events WHERE ceremony_id = $1")
            .bind(ceremony_id.to_owned())
            .fetch_one(&mut *self.tx)
            .await?;
        Ok(seq)
    }

    /// Appends an event unless one with the same fingerprint exists; says whether it did.
    pub async fn add_event(&mut self, ceremony_id: &str, seq: i64, fingerprint: &str, data: &str) -> StoreResult<bool> {
        let done = sqlx::query(
            "INSERT INTO ceremony_events (ceremony_id, seq, fingerprint, data) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (ceremony_id, fingerprint) DO NOTHING",
        )
        .bind(ceremony_id.to_owned())
        .bind(seq)
        .bind(fingerprint.to_owned())
        .bind(data.to_owned())
        .execute(&mut *self.tx)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}
