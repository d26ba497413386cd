//! What one commit of the follower changes in the database: all of it in one transaction.

use super::csm;
use super::facts::kind;
use super::Chain;
use crate::events::{self, EventBody, EventKind};
use crate::hex::address_key;
use crate::publish::new_ceremony;
use crate::state::AppState;
use crate::store::{FactRow, QuarantineRow, StoreError, StoreResult, WriteTx};
use cluster_core::chain::{Commit, Entry, EventId, ExitFact, Log, Position, PubkeyBytes, Quarantined, ValidatorFact};
use cluster_core::encoding::to_hex;
use cluster_core::request::{EventRequest, SignedRequest};
use serde_json::json;
use std::collections::BTreeSet;

/// A commit, the last block before it, and the logs of Lido's contracts in the blocks that it takes in.
pub struct Pending {
    /// Of the follower.
    pub commit: Commit,
    /// Last block that is written.
    pub from: Option<u64>,
    /// In the order of the chain.
    pub logs: Vec<Log>,
}

/// What became of it.
pub struct Written {
    /// Ceremonies that are new.
    pub requests: Vec<String>,
    /// Events in quarantine.
    pub quarantined: i64,
}

/// Validators whose facts changed, or may have.
#[derive(Default)]
struct Touched {
    pubkeys: BTreeSet<String>,
    owners: BTreeSet<String>,
}

impl Touched {
    fn by(&mut self, rows: &[FactRow]) {
        for row in rows {
            match row.kind.as_str() {
                kind::CSM_OPERATOR_ADDED | kind::CSM_MANAGER_CHANGED | kind::CSM_REWARD_CHANGED => {
                    self.owners.insert(row.actor.clone());
                }
                _ => {
                    self.pubkeys.insert(row.subject.clone());
                }
            }
        }
    }
}

/// Writes everything, or nothing.
pub async fn write(state: &AppState, chain: &Chain, pending: &Pending) -> StoreResult<Written> {
    let now_ms = state.clock.now_ms();
    let commit = &pending.commit;
    let mut write = state.store.write().await?;
    let mut touched = Touched::default();
    let mut requests = Vec::new();
    if let Some(tip) = commit.tip.filter(|tip| pending.from > Some(tip.number)) {
        touched.by(&write.undo_facts(tip.number).await?);
    }
    for change in &commit.changes {
        apply(&mut write, change, &mut touched, &mut requests, now_ms).await?;
        write.put_chain_entry(change).await?;
    }
    take_logs(&mut write, chain, &pending.logs, &mut touched, now_ms).await?;
    for unkept in &commit.unkept {
        let words = &unkept.words;
        tracing::error!(event = %unkept.event, "the quarantine is full; an event is passed over: {words}");
    }
    if let Some(record) = &commit.record {
        write.put_chain_record(record).await?;
    }
    for number in &commit.dropped {
        write.drop_chain_record(*number).await?;
    }
    if let Some(tip) = commit.tip {
        write.set_chain_cursor(&chain.settings.source(), tip.number, &tip.hash.to_string(), now_ms).await?;
    }
    let Touched { mut pubkeys, owners } = touched;
    pubkeys.extend(write.validators_of_owners(&owners).await?);
    write.refresh_validators(&pubkeys, now_ms).await?;
    let quarantined = write.quarantine_count().await?;
    write.commit().await?;
    Ok(Written { requests, quarantined })
}

async fn apply(
    write: &mut WriteTx,
    change: &Entry,
    touched: &mut Touched,
    requests: &mut Vec<String>,
    now_ms: u64,
) -> StoreResult<()> {
    match change {
        Entry::Validator(pubkey, fact) => {
            touched.pubkeys.insert(pubkey.to_string());
            set_validator(write, pubkey, fact.as_deref()).await
        }
        Entry::Exit(event, fact) => set_exit(write, event, fact.as_deref(), touched).await,
        Entry::Request(event, Some(request)) => {
            requests.extend(adopt(write, event, request, now_ms).await?);
            Ok(())
        }
        Entry::Request(event, None) => {
            let ceremony_id = cluster_core::ceremony::CeremonyId::of_event(event).to_string();
            tracing::warn!(%ceremony_id, %event, "the event of a request left the chain, ceremony {ceremony_id} is hidden");
            write.orphan_request(&ceremony_id).await
        }
        Entry::ClusterNode(key, Some(fact)) => {
            let key = to_hex(&key.to_bytes());
            if write.settle_initiator(&key, &address_key(&fact.owner), now_ms / 1000).await? {
                tracing::warn!(cluster_pubkey = %key, "the chain names another owner of this cluster node; the binding is gone");
            }
            Ok(())
        }
        Entry::Quarantine(position, kept) => set_quarantine(write, position, kept.as_deref(), now_ms).await,
        Entry::Operator(..) | Entry::ClusterNode(..) | Entry::FeeRecipient(..) | Entry::ValidatorFeeRecipient(..) => {
            Ok(())
        }
    }
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A row for an event of the network's contracts.
fn fact(event: &EventId, position: &Position, item: usize, kind: &str, subject: String, actor: String) -> FactRow {
    FactRow {
        block_number: number(position.block_number),
        log_index: i64::from(position.block_log_index),
        item: i64::try_from(item).unwrap_or(i64::MAX),
        kind: kind.to_owned(),
        subject,
        actor,
        data: json!({ "event": event.log_index }).to_string(),
        contract: address_key(&event.contract),
        tx_hash: event.transaction_hash.to_string(),
        block_hash: String::new(),
    }
}

async fn set_validator(write: &mut WriteTx, pubkey: &PubkeyBytes, fact_: Option<&ValidatorFact>) -> StoreResult<()> {
    let subject = pubkey.to_string();
    write.drop_facts_of(&subject, &[kind::VALIDATOR_REGISTERED, kind::VALIDATOR_REMOVED, kind::SUBSCRIPTION]).await?;
    let Some(validator) = fact_ else { return Ok(()) };
    let owner = address_key(&validator.owner);
    let (by, at) = (&validator.registered_by, &validator.registered_at);
    let registered = FactRow {
        data: json!({ "event": by.log_index, "operator_ids": validator.operator_ids }).to_string(),
        ..fact(by, at, 0, kind::VALIDATOR_REGISTERED, subject.clone(), owner.clone())
    };
    let paid = FactRow {
        data: json!({ "until_block": validator.paid_until_block }).to_string(),
        ..fact(by, at, 1, kind::SUBSCRIPTION, subject.clone(), owner.clone())
    };
    let mut rows = vec![registered, paid];
    if let Some(removed_at) = &validator.removed_at {
        // The transaction of a removal is found by its position; the registration's is not it.
        let removed = fact(by, removed_at, 0, kind::VALIDATOR_REMOVED, subject, owner);
        rows.push(FactRow { tx_hash: String::new(), ..removed });
    }
    write.put_facts(&rows).await
}

async fn set_exit(
    write: &mut WriteTx,
    event: &EventId,
    exit: Option<&ExitFact>,
    touched: &mut Touched,
) -> StoreResult<()> {
    let data = json!({ "event": event.log_index }).to_string();
    let tx_hash = event.transaction_hash.to_string();
    touched.pubkeys.extend(write.drop_facts_of_event(&tx_hash, kind::EXIT_REQUESTED, &data).await?);
    let Some(exit) = exit else { return Ok(()) };
    let owner = address_key(&exit.owner);
    let row = |(item, pubkey): (usize, &PubkeyBytes)| {
        fact(event, &exit.position, item, kind::EXIT_REQUESTED, pubkey.to_string(), owner.clone())
    };
    let rows: Vec<FactRow> = exit.pubkeys.iter().enumerate().map(row).collect();
    touched.by(&rows);
    write.put_facts(&rows).await
}

/// A request that an event made is a ceremony like any other; returns its id when it is new.
async fn adopt(
    write: &mut WriteTx,
    event: &EventId,
    request: &EventRequest,
    now_ms: u64,
) -> StoreResult<Option<String>> {
    let signed = SignedRequest::by_event(request.request.clone(), *event);
    let ceremony = new_ceremony(&signed).map_err(|_| StoreError::Corrupt { column: "request" })?;
    let is_new = write.adopt_request(&ceremony, &event.transaction_hash.to_string(), now_ms).await?;
    if is_new {
        events::record(write, &ceremony.ceremony_id, EventBody::of(EventKind::Requested), now_ms).await?;
        let ceremony_id = &ceremony.ceremony_id;
        tracing::info!(%ceremony_id, %event, "request of an event accepted, ceremony {ceremony_id}");
    }
    Ok(is_new.then_some(ceremony.ceremony_id))
}

async fn set_quarantine(
    write: &mut WriteTx,
    position: &Position,
    kept: Option<&Quarantined>,
    now_ms: u64,
) -> StoreResult<()> {
    let (block_number, log_index) = (number(position.block_number), i64::from(position.block_log_index));
    let Some(kept) = kept else { return write.drop_quarantine(block_number, log_index).await };
    tracing::warn!(event = %kept.event, contract = %kept.contract, "an event cannot be handled: {}", kept.words);
    let row = QuarantineRow {
        block_number,
        log_index,
        contract: address_key(&kept.event.contract),
        topic: kept.topics.first().map(ToString::to_string).unwrap_or_default(),
        tx_hash: kept.event.transaction_hash.to_string(),
        block_hash: kept.block_hash.to_string(),
        reason: kept.words.clone(),
        first_seen_ms: number(now_ms),
    };
    write.put_quarantine(&row).await
}

/// Logs of Lido's contracts and of the deposit contract.
async fn take_logs(
    write: &mut WriteTx,
    chain: &Chain,
    logs: &[Log],
    touched: &mut Touched,
    now_ms: u64,
) -> StoreResult<()> {
    let mut rows = Vec::new();
    for log in logs {
        match csm::events::facts_of(log, &chain.settings.lido) {
            Ok(found) => rows.extend(found),
            Err(reason) => {
                let row = QuarantineRow {
                    block_number: number(log.block.number),
                    log_index: i64::from(log.block_log_index),
                    contract: address_key(&log.contract),
                    topic: log.topics.first().map(|topic| to_hex(topic)).unwrap_or_default(),
                    tx_hash: log.transaction_hash.to_string(),
                    block_hash: log.block.hash.to_string(),
                    reason,
                    first_seen_ms: number(now_ms),
                };
                tracing::warn!(contract = %row.contract, tx_hash = %row.tx_hash, "an event cannot be read: {}", row.reason);
                write.put_quarantine(&row).await?;
            }
        }
    }
    // Everybody's deposits pass by: those of other validators are none of ours.
    let deposits = rows.iter().filter(|row| row.kind == kind::DEPOSITED).map(|row| row.subject.clone());
    let known = write.known_validators(&deposits.collect::<Vec<_>>()).await?;
    rows.retain(|row| row.kind != kind::DEPOSITED || known.contains(&row.subject));
    touched.by(&rows);
    write.put_facts(&rows).await
}
