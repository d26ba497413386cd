//! Writing what was read from the chain, and what follows from it for validators: one transaction per range of blocks.

use super::chain::{places, select_beacon, select_ever_of, select_facts, BeaconRow, FactRow, QuarantineRow, ROWS};
use super::{to_i64, value_lists, StoreResult, WriteTx};
use crate::chain::facts::{kind, Context, ValidatorFacts};
use std::collections::{BTreeMap, BTreeSet};

/// What the derivation of statuses needs to know of a validator.
#[derive(sqlx::FromRow)]
struct Head {
    pubkey: String,
    owner: String,
    status: String,
    register_txid: String,
    deposit_txid: String,
    exit_txid: String,
    deposit_data: String,
    registered_committee: String,
}

impl Head {
    fn withdrawal_credentials(&self) -> Option<String> {
        let data: serde_json::Value = serde_json::from_str(&self.deposit_data).ok()?;
        data["withdrawal_credentials"].as_str().map(str::to_owned)
    }
}

impl WriteTx {
    /// Facts of these kinds about these subjects; those of one subject in the order of the chain.
    pub async fn facts_of(&mut self, subjects: &[String], kinds: &[&str]) -> StoreResult<Vec<FactRow>> {
        select_facts(&mut self.tx, subjects, kinds).await
    }

    /// Stores facts. One that is there already stays as it is.
    pub async fn put_facts(&mut self, rows: &[FactRow]) -> StoreResult<()> {
        for chunk in rows.chunks(ROWS) {
            let statement = format!(
                "INSERT INTO chain_facts (block_number, log_index, item, kind, subject, actor, data, contract, tx_hash, \
                 block_hash) VALUES {} ON CONFLICT (block_number, log_index, item) DO NOTHING",
                value_lists(chunk.len(), 10)
            );
            let mut query = sqlx::query(&statement);
            for row in chunk {
                query = query
                    .bind(row.block_number)
                    .bind(row.log_index)
                    .bind(row.item)
                    .bind(row.kind.clone())
                    .bind(row.subject.clone())
                    .bind(row.actor.clone())
                    .bind(row.data.clone())
                    .bind(row.contract.clone())
                    .bind(row.tx_hash.clone())
                    .bind(row.block_hash.clone());
            }
            query.execute(&mut *self.tx).await?;
        }
        Ok(())
    }

    /// Puts an event into quarantine; one that is there already keeps the time at which it was first seen.
    pub async fn put_quarantine(&mut self, row: &QuarantineRow) -> StoreResult<()> {
        sqlx::query(
            "INSERT INTO chain_quarantine (block_number, log_index, contract, topic, tx_hash, block_hash, reason, \
             first_seen_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
             ON CONFLICT (block_number, log_index) DO UPDATE SET reason = excluded.reason",
        )
        .bind(row.block_number)
        .bind(row.log_index)
        .bind(row.contract.clone())
        .bind(row.topic.clone())
        .bind(row.tx_hash.clone())
        .bind(row.block_hash.clone())
        .bind(row.reason.clone())
        .bind(row.first_seen_ms)
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Number of events in quarantine, as this transaction sees it.
    pub async fn quarantine_count(&mut self) -> StoreResult<i64> {
        let count = sqlx::query_as("SELECT COUNT(*) FROM chain_quarantine").fetch_one(&mut *self.tx);
        let (count,): (i64,) = count.await?;
        Ok(count)
    }

    /// Takes an event out of quarantine.
    pub async fn drop_quarantine(&mut self, block_number: i64, log_index: i64) -> StoreResult<()> {
        sqlx::query("DELETE FROM chain_quarantine WHERE block_number = $1 AND log_index = $2")
            .bind(block_number)
            .bind(log_index)
            .execute(&mut *self.tx)
            .await?;
        Ok(())
    }

    /// Removes everything that blocks above `block_number` told; returns what it was about.
    pub async fn undo_facts(&mut self, block_number: u64) -> StoreResult<Vec<FactRow>> {
        let above = to_i64(block_number);
        let rows: Vec<FactRow> = sqlx::query_as("SELECT * FROM chain_facts WHERE block_number > $1")
            .bind(above)
            .fetch_all(&mut *self.tx)
            .await?;
        for statement in
            ["DELETE FROM chain_facts WHERE block_number > $1", "DELETE FROM chain_quarantine WHERE block_number > $1"]
        {
            sqlx::query(statement).bind(above).execute(&mut *self.tx).await?;
        }
        Ok(rows)
    }

    /// Notes where the follower stands.
    pub async fn set_chain_cursor(
        &mut self,
        source: &str,
        block_number: u64,
        block_hash: &str,
        now_ms: u64,
    ) -> StoreResult<()> {
        sqlx::query(
            "INSERT INTO chain_cursor (id, source, block_number, block_hash, updated_at_ms) VALUES (1, $1, $2, $3, $4) \
             ON CONFLICT (id) DO UPDATE SET source = excluded.source, block_number = excluded.block_number, \
             block_hash = excluded.block_hash, updated_at_ms = excluded.updated_at_ms",
        )
        .bind(source.to_owned())
        .bind(to_i64(block_number))
        .bind(block_hash.to_owned())
        .bind(to_i64(now_ms))
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Forgets everything that was read from the chain, and what owners stated before a chain was there to ask.
    pub async fn forget_chain(&mut self) -> StoreResult<()> {
        for statement in [
            "DELETE FROM chain_facts",
            "DELETE FROM chain_quarantine",
            "DELETE FROM chain_entries",
            "DELETE FROM chain_blocks",
            "DELETE FROM chain_cursor",
            "UPDATE validators SET register_txid = '', deposit_txid = '', exit_txid = '', registered_committee = '', \
             status = CASE WHEN deposit_data = '' THEN 'Incomplete' ELSE 'Ready' END",
        ] {
            sqlx::query(statement).execute(&mut *self.tx).await?;
        }
        Ok(())
    }

    /// Stores what a beacon node said; returns the validators about which it said something new.
    pub async fn put_beacon(&mut self, rows: &[BeaconRow]) -> StoreResult<Vec<String>> {
        let pubkeys: Vec<String> = rows.iter().map(|row| row.pubkey.clone()).collect();
        let held = select_beacon(&mut self.tx, &pubkeys).await?;
        let held: BTreeMap<&str, &str> = held.iter().map(|row| (row.pubkey.as_str(), row.status.as_str())).collect();
        for chunk in rows.chunks(ROWS) {
            let statement = format!(
                "INSERT INTO validator_beacon (pubkey, validator_index, status, activation_epoch, exit_epoch, slashed, \
                 slot, seen_at_ms) VALUES {} ON CONFLICT (pubkey) DO UPDATE SET \
                 validator_index = excluded.validator_index, status = excluded.status, \
                 activation_epoch = excluded.activation_epoch, exit_epoch = excluded.exit_epoch, \
                 slashed = excluded.slashed, slot = excluded.slot, seen_at_ms = excluded.seen_at_ms",
                value_lists(chunk.len(), 8)
            );
            let mut query = sqlx::query(&statement);
            for row in chunk {
                query = query
                    .bind(row.pubkey.clone())
                    .bind(row.validator_index)
                    .bind(row.status.clone())
                    .bind(row.activation_epoch)
                    .bind(row.exit_epoch)
                    .bind(row.slashed)
                    .bind(row.slot)
                    .bind(row.seen_at_ms);
            }
            query.execute(&mut *self.tx).await?;
        }
        let news = rows.iter().filter(|row| held.get(row.pubkey.as_str()) != Some(&row.status.as_str()));
        Ok(news.map(|row| row.pubkey.clone()).collect())
    }

    /// Derives status and transactions of these validators from the facts, as they stand in this transaction. Keys that
    /// no ceremony of this service made are passed over.
    pub async fn refresh_validators(&mut self, pubkeys: &BTreeSet<String>, now_ms: u64) -> StoreResult<()> {
        let pubkeys: Vec<String> = pubkeys.iter().cloned().collect();
        let mut operators_of: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for chunk in pubkeys.chunks(ROWS) {
            let heads = self.heads(chunk).await?;
            let known: Vec<String> = heads.iter().map(|head| head.pubkey.clone()).collect();
            let mut facts: BTreeMap<String, Vec<FactRow>> = BTreeMap::new();
            for row in select_facts(&mut self.tx, &known, &kind::OF_VALIDATORS).await? {
                facts.entry(row.subject.clone()).or_default().push(row);
            }
            let beacon = select_beacon(&mut self.tx, &known).await?;
            let mut moved = Vec::new();
            for head in heads {
                if !operators_of.contains_key(&head.owner) {
                    let ids = select_ever_of(&mut self.tx, &head.owner).await?;
                    operators_of.insert(head.owner.clone(), ids);
                }
                let credentials = head.withdrawal_credentials();
                let context = Context {
                    withdrawal_credentials: credentials.as_deref(),
                    owner: &head.owner,
                    own_node_operators: operators_of.get(&head.owner).map(Vec::as_slice).unwrap_or_default(),
                    beacon: beacon.iter().find(|row| row.pubkey == head.pubkey),
                    asks_beacon: true,
                };
                let rows = facts.get(&head.pubkey).map(Vec::as_slice).unwrap_or_default();
                if self.derive(&head, &ValidatorFacts::of(rows, &context)?, now_ms).await? {
                    moved.push(head.pubkey);
                }
            }
            self.sum_upkeep(&moved).await?;
        }
        Ok(())
    }

    async fn heads(&mut self, pubkeys: &[String]) -> StoreResult<Vec<Head>> {
        let statement = format!(
            "SELECT pubkey, owner, status, register_txid, deposit_txid, exit_txid, deposit_data, \
             registered_committee FROM validators WHERE pubkey IN ({})",
            places(1, pubkeys.len())
        );
        let mut query = sqlx::query_as(&statement);
        for pubkey in pubkeys {
            query = query.bind(pubkey.clone());
        }
        Ok(query.fetch_all(&mut *self.tx).await?)
    }

    /// Writes what follows from the facts; whether the committee is another one.
    async fn derive(&mut self, head: &Head, facts: &ValidatorFacts, now_ms: u64) -> StoreResult<bool> {
        // Without every operator's share a row stays hidden from existing apps, whatever the chain says.
        let status = match (head.deposit_data.is_empty(), facts.linear_status()) {
            (true, _) => "Incomplete",
            (_, Some(status)) => status,
            (_, None) => "Ready",
        };
        let txids = facts.txids();
        let ids = facts.operator_ids.iter().flatten().map(|id| format!(",{id}"));
        let committee = match ids.collect::<String>() {
            none if none.is_empty() => none,
            ids => ids + ",",
        };
        let held = [&head.register_txid, &head.deposit_txid, &head.exit_txid];
        let same = held.iter().zip(&txids).all(|(held, txid)| *held == txid);
        let moved = head.registered_committee != committee;
        if same && head.status == status && !moved {
            return Ok(false);
        }
        let [register, deposit, exit] = txids;
        sqlx::query(
            "UPDATE validators SET status = $1, register_txid = $2, deposit_txid = $3, exit_txid = $4, \
             updated_at_ms = $5, registered_committee = $6 WHERE pubkey = $7",
        )
        .bind(status)
        .bind(register)
        .bind(deposit)
        .bind(exit)
        .bind(to_i64(now_ms))
        .bind(committee)
        .bind(head.pubkey.clone())
        .execute(&mut *self.tx)
        .await?;
        Ok(moved)
    }

    /// Which of these keys a ceremony of this service made.
    pub async fn known_validators(&mut self, pubkeys: &[String]) -> StoreResult<BTreeSet<String>> {
        let mut known = BTreeSet::new();
        for chunk in pubkeys.chunks(ROWS) {
            known.extend(self.heads(chunk).await?.into_iter().map(|head| head.pubkey));
        }
        Ok(known)
    }

    /// Keys of the validators of these owners; their facts may have changed with a node operator.
    pub async fn validators_of_owners(&mut self, owners: &BTreeSet<String>) -> StoreResult<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        for owner in owners {
            let rows: Vec<(String,)> = sqlx::query_as("SELECT pubkey FROM validators WHERE owner = $1")
                .bind(owner.clone())
                .fetch_all(&mut *self.tx)
                .await?;
            found.extend(rows.into_iter().map(|(pubkey,)| pubkey));
        }
        Ok(found)
    }

    /// Notes what a gateway last heard of an operator; an older report changes nothing.
    pub async fn put_operator_report(
        &mut self,
        operator_id: u32,
        version: &str,
        last_seen_ms: u64,
        reported_by: &str,
    ) -> StoreResult<()> {
        sqlx::query(
            "INSERT INTO operator_reports (operator_id, version, last_seen_ms, reported_by) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (operator_id) DO UPDATE SET version = excluded.version, \
             last_seen_ms = excluded.last_seen_ms, reported_by = excluded.reported_by \
             WHERE operator_reports.last_seen_ms < excluded.last_seen_ms",
        )
        .bind(i64::from(operator_id))
        .bind(version.to_owned())
        .bind(to_i64(last_seen_ms))
        .bind(reported_by.to_owned())
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }
}
