//! The follower's own state: facts of core entry by entry, records that take blocks back, and what follows from entries
//! for requests and for the cluster node of this instance.

use super::{to_i64, NewCeremony, Store, StoreError, StoreResult, WriteTx};
use cluster_core::chain::{BlockRecord, Entry, FactKey};
use cluster_core::encoding::{decode, encode};
use serde::de::DeserializeOwned;

/// Longest entry: an order for a hundred exits, or a registration with 13 operators.
pub(super) const ENTRY_BYTES: usize = 1 << 20;
/// Longest record of a block: the former entries of everything that fits into a block.
const RECORD_BYTES: usize = 64 << 20;

pub(super) fn read<T: DeserializeOwned>(text: &str, limit: usize, column: &'static str) -> StoreResult<T> {
    let bytes = hex::decode(text).map_err(|_| StoreError::Corrupt { column })?;
    decode(&bytes, limit).map_err(|_| StoreError::Corrupt { column })
}

impl Store {
    /// Every entry.
    pub async fn chain_entries(&self) -> StoreResult<Vec<Entry>> {
        let rows: Vec<(String,)> =
            sqlx::query_as("SELECT entry_value FROM chain_entries").fetch_all(&self.pool).await?;
        rows.iter().map(|(value,)| read(value, ENTRY_BYTES, "entry_value")).collect()
    }

    /// Records of blocks, ascending.
    pub async fn chain_records(&self) -> StoreResult<Vec<BlockRecord>> {
        let rows: Vec<(String,)> =
            sqlx::query_as("SELECT record FROM chain_blocks ORDER BY block_number").fetch_all(&self.pool).await?;
        rows.iter().map(|(record,)| read(record, RECORD_BYTES, "record")).collect()
    }

    /// Forgets everything that was read from the chain: the next start reads it again.
    pub async fn forget_chain(&self) -> StoreResult<()> {
        let mut write = self.write().await?;
        write.forget_chain().await?;
        write.commit().await
    }
}

impl WriteTx {
    /// The entry of a key.
    pub async fn chain_entry(&mut self, key: &FactKey) -> StoreResult<Option<Entry>> {
        let row: Option<(String,)> = sqlx::query_as("SELECT entry_value FROM chain_entries WHERE entry_key = $1")
            .bind(hex::encode(encode(key)))
            .fetch_optional(&mut *self.tx)
            .await?;
        row.map(|(value,)| read(&value, ENTRY_BYTES, "entry_value")).transpose()
    }

    /// Sets or removes one entry.
    pub async fn put_chain_entry(&mut self, entry: &Entry) -> StoreResult<()> {
        let key = hex::encode(encode(&entry.key()));
        if entry.is_removal() {
            sqlx::query("DELETE FROM chain_entries WHERE entry_key = $1").bind(key).execute(&mut *self.tx).await?;
            return Ok(());
        }
        sqlx::query(
            "INSERT INTO chain_entries (entry_key, entry_value) VALUES ($1, $2) \
             ON CONFLICT (entry_key) DO UPDATE SET entry_value = excluded.entry_value",
        )
        .bind(key)
        .bind(hex::encode(encode(entry)))
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Keeps the record of a block.
    pub async fn put_chain_record(&mut self, record: &BlockRecord) -> StoreResult<()> {
        sqlx::query(
            "INSERT INTO chain_blocks (block_number, record) VALUES ($1, $2) \
             ON CONFLICT (block_number) DO UPDATE SET record = excluded.record",
        )
        .bind(to_i64(record.block.number))
        .bind(hex::encode(encode(record)))
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Drops the record of a block.
    pub async fn drop_chain_record(&mut self, block_number: u64) -> StoreResult<()> {
        let statement = "DELETE FROM chain_blocks WHERE block_number = $1";
        sqlx::query(statement).bind(to_i64(block_number)).execute(&mut *self.tx).await?;
        Ok(())
    }

    /// Removes facts of these kinds about one subject, before newer ones take their place.
    pub async fn drop_facts_of(&mut self, subject: &str, kinds: &[&str]) -> StoreResult<()> {
        for kind in kinds {
            sqlx::query("DELETE FROM chain_facts WHERE subject = $1 AND kind = $2")
                .bind(subject.to_owned())
                .bind((*kind).to_owned())
                .execute(&mut *self.tx)
                .await?;
        }
        Ok(())
    }

    /// Removes facts of one kind that one event told; `data` tells the events of one transaction apart. Returns what they
    /// were about.
    pub async fn drop_facts_of_event(&mut self, tx_hash: &str, kind: &str, data: &str) -> StoreResult<Vec<String>> {
        let rows: Vec<(String,)> =
            sqlx::query_as("SELECT subject FROM chain_facts WHERE tx_hash = $1 AND kind = $2 AND data = $3")
                .bind(tx_hash.to_owned())
                .bind(kind.to_owned())
                .bind(data.to_owned())
                .fetch_all(&mut *self.tx)
                .await?;
        sqlx::query("DELETE FROM chain_facts WHERE tx_hash = $1 AND kind = $2 AND data = $3")
            .bind(tx_hash.to_owned())
            .bind(kind.to_owned())
            .bind(data.to_owned())
            .execute(&mut *self.tx)
            .await?;
        Ok(rows.into_iter().map(|(subject,)| subject).collect())
    }

    /// A request that an event made: adds its ceremony, or shows it again. Says whether it is new.
    pub async fn adopt_request(&mut self, ceremony: &NewCeremony, txid: &str, now_ms: u64) -> StoreResult<bool> {
        let ceremony_id = &ceremony.ceremony_id;
        let is_new = self.ceremony_head(ceremony_id).await?.is_none();
        if is_new {
            self.add_ceremony(ceremony, now_ms).await?;
        }
        self.mark_request(ceremony_id, Some(txid), 0).await?;
        Ok(is_new)
    }

    /// The event of a request left the chain: nobody sees the ceremony while it is gone.
    pub async fn orphan_request(&mut self, ceremony_id: &str) -> StoreResult<()> {
        self.mark_request(ceremony_id, None, 1).await
    }

    async fn mark_request(&mut self, ceremony_id: &str, txid: Option<&str>, orphaned: i64) -> StoreResult<()> {
        for table in ["ceremonies", "validators"] {
            let statement = format!(
                "UPDATE {table} SET orphaned = $1, generate_txid = CASE WHEN $2 = '' THEN generate_txid ELSE $2 END \
                 WHERE ceremony_id = $3"
            );
            sqlx::query(&statement)
                .bind(orphaned)
                .bind(txid.unwrap_or_default().to_owned())
                .bind(ceremony_id.to_owned())
                .execute(&mut *self.tx)
                .await?;
        }
        Ok(())
    }

    /// The chain says who owns a cluster node. Another owner that bound itself before loses the binding.
    pub async fn settle_initiator(&mut self, cluster_pubkey: &str, owner: &str, now_s: u64) -> StoreResult<bool> {
        let done = sqlx::query(
            "UPDATE initiators SET owner = '', owner_pubkey = '', updated_at_s = $1 \
             WHERE cluster_pubkey = $2 AND owner <> '' AND owner <> $3",
        )
        .bind(to_i64(now_s))
        .bind(cluster_pubkey.to_owned())
        .bind(owner.to_owned())
        .execute(&mut *self.tx)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}
