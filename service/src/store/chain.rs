//! What was read from the chain: facts with their blocks, the follower's state, quarantine.

use super::{Store, StoreResult};
use sqlx::AnyConnection;

/// Rows of one INSERT or one `IN (...)`; far below every parameter limit.
pub(super) const ROWS: usize = 60;

/// One row of `chain_facts`.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct FactRow {
    /// Height of the block.
    pub block_number: i64,
    /// Position in the block.
    pub log_index: i64,
    /// Position in the event.
    pub item: i64,
    /// See [`crate::chain::facts::kind`].
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// Lower-case address, or empty.
    pub actor: String,
    /// JSON.
    pub data: String,
    /// Lower-case address.
    pub contract: String,
    /// 0x hex.
    pub tx_hash: String,
    /// 0x hex.
    pub block_hash: String,
}

/// One row of `validator_beacon`.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct BeaconRow {
    /// 48 bytes, 0x hex.
    pub pubkey: String,
    /// Number on the beacon chain.
    pub validator_index: i64,
    /// As the Beacon API names it.
    pub status: String,
    /// -1: not yet.
    pub activation_epoch: i64,
    /// -1: not yet.
    pub exit_epoch: i64,
    /// 0 or 1.
    pub slashed: i64,
    /// Slot of the state that was read.
    pub slot: i64,
    /// Unix milliseconds.
    pub seen_at_ms: i64,
}

/// One row of `chain_quarantine`.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct QuarantineRow {
    /// Height of the block.
    pub block_number: i64,
    /// Position in the block.
    pub log_index: i64,
    /// Lower-case address.
    pub contract: String,
    /// First topic, 0x hex, or empty.
    pub topic: String,
    /// 0x hex.
    pub tx_hash: String,
    /// 0x hex.
    pub block_hash: String,
    /// In words.
    pub reason: String,
    /// Unix milliseconds.
    pub first_seen_ms: i64,
}

/// Where the follower stands.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct CursorRow {
    /// Digest of chain, contracts and first block.
    pub source: String,
    /// The last block that was read.
    pub block_number: i64,
    /// 0x hex.
    pub block_hash: String,
}

/// A node operator of CSM as its events tell.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct NodeOperatorRow {
    /// Id in the module, decimal.
    pub node_operator_id: String,
    /// Lower-case address.
    pub manager_address: String,
    /// Lower-case address.
    pub reward_address: String,
}

/// One row of `operator_reports`.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct OperatorReportRow {
    /// Id in the registry.
    pub operator_id: i64,
    /// Of its program.
    pub version: String,
    /// Unix milliseconds.
    pub last_seen_ms: i64,
}

/// `$from, $from+1, ...` for `count` parameters.
pub(super) fn places(from: usize, count: usize) -> String {
    (from..from + count).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ")
}

/// Manager and reward address of a node operator: the newest of each.
const NODE_OPERATORS: &str = "SELECT a.subject AS node_operator_id, \
    (SELECT m.actor FROM chain_facts m WHERE m.subject = a.subject AND m.kind IN ('csm_operator_added', 'csm_manager_changed') \
     ORDER BY m.block_number DESC, m.log_index DESC, m.item DESC LIMIT 1) AS manager_address, \
    (SELECT r.actor FROM chain_facts r WHERE r.subject = a.subject AND r.kind = 'csm_reward_changed' \
     ORDER BY r.block_number DESC, r.log_index DESC, r.item DESC LIMIT 1) AS reward_address \
    FROM chain_facts a WHERE a.kind = 'csm_operator_added'";

impl Store {
    /// Facts of these kinds about these subjects; those of one subject in the order of the chain.
    pub async fn facts_of(&self, subjects: &[String], kinds: &[&str]) -> StoreResult<Vec<FactRow>> {
        select_facts(&mut *self.pool.acquire().await?, subjects, kinds).await
    }

    /// Facts of these kinds, whoever they are about, in the order of the chain.
    pub async fn facts_of_kinds(&self, kinds: &[&str]) -> StoreResult<Vec<FactRow>> {
        let statement = format!(
            "SELECT * FROM chain_facts WHERE kind IN ({}) ORDER BY block_number, log_index, item",
            quoted(kinds)
        );
        Ok(sqlx::query_as(&statement).fetch_all(&self.pool).await?)
    }

    /// What a beacon node said last about these validators.
    pub async fn beacon_of(&self, pubkeys: &[String]) -> StoreResult<Vec<BeaconRow>> {
        select_beacon(&mut *self.pool.acquire().await?, pubkeys).await
    }

    /// Ids of node operators of which this address is or was manager or reward address.
    pub async fn node_operators_ever_of(&self, address: &str) -> StoreResult<Vec<String>> {
        select_ever_of(&mut *self.pool.acquire().await?, address).await
    }

    /// Node operators whose manager is `manager`, now; an empty text means any.
    pub async fn node_operators_of(
        &self,
        manager: &str,
        ascending: bool,
        offset: i64,
        limit: i64,
    ) -> StoreResult<(i64, Vec<NodeOperatorRow>)> {
        // An id is a decimal text: the longer one is the larger one.
        let direction = if ascending { "ASC" } else { "DESC" };
        let (count,): (i64,) = sqlx::query_as(&format!(
            "SELECT COUNT(*) FROM ({NODE_OPERATORS}) o WHERE $1 = '' OR o.manager_address = $1"
        ))
        .bind(manager.to_owned())
        .fetch_one(&self.pool)
        .await?;
        let rows = sqlx::query_as(&format!(
            "SELECT * FROM ({NODE_OPERATORS}) o WHERE $1 = '' OR o.manager_address = $1 \
             ORDER BY LENGTH(o.node_operator_id) {direction}, o.node_operator_id {direction} LIMIT $2 OFFSET $3"
        ))
        .bind(manager.to_owned())
        .bind(limit)
        .bind(offset)
        .fetch_all(&self.pool)
        .await?;
        Ok((count, rows))
    }

    /// Node operators whose manager or reward address is this one, now.
    pub async fn node_operators_for(&self, address: &str, limit: i64) -> StoreResult<Vec<NodeOperatorRow>> {
        let statement = format!(
            "SELECT * FROM ({NODE_OPERATORS} AND a.subject IN (SELECT e.subject FROM chain_facts e WHERE e.actor = $1 \
             AND e.kind IN ('csm_operator_added', 'csm_manager_changed', 'csm_reward_changed'))) o \
             WHERE o.manager_address = $1 OR o.reward_address = $1 \
             ORDER BY LENGTH(o.node_operator_id), o.node_operator_id LIMIT $2"
        );
        Ok(sqlx::query_as(&statement).bind(address.to_owned()).bind(limit).fetch_all(&self.pool).await?)
    }

    /// Events in quarantine after `(block_number, log_index)`, in this order.
    pub async fn quarantine(&self, after: (i64, i64), limit: i64) -> StoreResult<Vec<QuarantineRow>> {
        let rows = sqlx::query_as(
            "SELECT * FROM chain_quarantine WHERE block_number > $1 OR (block_number = $1 AND log_index > $2) \
             ORDER BY block_number, log_index LIMIT $3",
        )
        .bind(after.0)
        .bind(after.1)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// Number of events in quarantine.
    pub async fn quarantine_count(&self) -> StoreResult<i64> {
        let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM chain_quarantine").fetch_one(&self.pool).await?;
        Ok(count)
    }

    /// Where the follower stands; `None` before its first block.
    pub async fn chain_cursor(&self) -> StoreResult<Option<CursorRow>> {
        let row = sqlx::query_as("SELECT source, block_number, block_hash FROM chain_cursor WHERE id = 1");
        Ok(row.fetch_optional(&self.pool).await?)
    }

    /// Validators of all owners after `after`, by their numbers: `(id, pubkey)`.
    pub async fn pubkeys_after(&self, after: i64, limit: i64) -> StoreResult<Vec<(i64, String)>> {
        let rows = sqlx::query_as("SELECT id, pubkey FROM validators WHERE id > $1 ORDER BY id LIMIT $2");
        Ok(rows.bind(after).bind(limit).fetch_all(&self.pool).await?)
    }

    /// What gateways last heard of operators.
    pub async fn operator_reports(&self) -> StoreResult<Vec<OperatorReportRow>> {
        let rows = sqlx::query_as("SELECT operator_id, version, last_seen_ms FROM operator_reports");
        Ok(rows.fetch_all(&self.pool).await?)
    }
}

pub(super) async fn select_facts(
    connection: &mut AnyConnection,
    subjects: &[String],
    kinds: &[&str],
) -> StoreResult<Vec<FactRow>> {
    let mut found = Vec::new();
    for chunk in subjects.chunks(ROWS) {
        let statement = format!(
            "SELECT * FROM chain_facts WHERE subject IN ({}) AND kind IN ({}) ORDER BY block_number, log_index, item",
            places(1, chunk.len()),
            quoted(kinds)
        );
        let mut query = sqlx::query_as(&statement);
        for subject in chunk {
            query = query.bind(subject.clone());
        }
        let rows: Vec<FactRow> = query.fetch_all(&mut *connection).await?;
        found.extend(rows);
    }
    Ok(found)
}

pub(super) async fn select_beacon(connection: &mut AnyConnection, pubkeys: &[String]) -> StoreResult<Vec<BeaconRow>> {
    let mut found = Vec::new();
    for chunk in pubkeys.chunks(ROWS) {
        let statement = format!("SELECT * FROM validator_beacon WHERE pubkey IN ({})", places(1, chunk.len()));
        let mut query = sqlx::query_as(&statement);
        for pubkey in chunk {
            query = query.bind(pubkey.clone());
        }
        let rows: Vec<BeaconRow> = query.fetch_all(&mut *connection).await?;
        found.extend(rows);
    }
    Ok(found)
}

pub(super) async fn select_ever_of(connection: &mut AnyConnection, address: &str) -> StoreResult<Vec<String>> {
    let statement = "SELECT DISTINCT subject FROM chain_facts WHERE actor = $1 \
        AND kind IN ('csm_operator_added', 'csm_manager_changed', 'csm_reward_changed')";
    let rows: Vec<(String,)> = sqlx::query_as(statement).bind(address.to_owned()).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Kinds are constants of this program, never input.
fn quoted(kinds: &[&str]) -> String {
    kinds.iter().map(|kind| format!("'{kind}'")).collect::<Vec<_>>().join(", ")
}
