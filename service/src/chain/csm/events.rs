//! Logs of CSM, of Lido's exit bus and of the deposit contract become facts.

use super::abi::{DepositContract, ExitBus, ExitPenalties, ExitPenaltiesV2, Module};
use crate::chain::config::LidoContracts;
use crate::chain::facts::kind;
use crate::hex::address_key;
use crate::store::FactRow;
use alloy_primitives::U256;
use alloy_sol_types::SolEvent;
use cluster_core::chain::Log;
use cluster_core::encoding::to_hex;
use cluster_crypto::ethereum::Address;
use serde_json::{json, Value};

/// Longest data of a log that are read; the longest of these events is a penalty with its details.
const DATA_BYTES: usize = 16 * 1024;

/// First topics of all events that are read here, for the filter of a query.
pub fn topics() -> Vec<[u8; 32]> {
    let mut topics = Vec::new();
    topics.extend(MODULE_EVENTS.iter().map(|(topic, _)| topic()));
    topics.extend(PENALTY_EVENTS.iter().map(|(topic, _)| topic()));
    topics.push(ExitBus::ValidatorExitRequest::SIGNATURE_HASH.0);
    topics.push(DepositContract::DepositEvent::SIGNATURE_HASH.0);
    topics
}

/// The facts that a log tells; none when it is of no interest. An error says in words why the log is no event.
pub fn facts_of(log: &Log, contracts: &LidoContracts) -> Result<Vec<FactRow>, String> {
    let Some(topic) = log.topics.first() else { return Ok(Vec::new()) };
    if log.data.len() > DATA_BYTES {
        return Err(format!("the log has {} bytes of data, at most {DATA_BYTES} are read", log.data.len()));
    }
    let is = |address: Option<Address>| address == Some(log.contract);
    // One contract may play several of these parts; an event is that of one of them.
    let found = if let Some(reader) = reader(is(contracts.module), &MODULE_EVENTS, topic) {
        reader(log)?
    } else if let Some(reader) = reader(is(contracts.exit_penalties), &PENALTY_EVENTS, topic) {
        reader(log)?
    } else if is(contracts.exit_bus) && *topic == ExitBus::ValidatorExitRequest::SIGNATURE_HASH.0 {
        exit_request(log, contracts.module_id)?
    } else if is(contracts.deposit_contract) && *topic == DepositContract::DepositEvent::SIGNATURE_HASH.0 {
        vec![deposit(log)?]
    } else {
        Vec::new()
    };
    let rows = found.into_iter().enumerate().map(|(item, fact)| row(log, item, fact));
    Ok(rows.collect())
}

struct Fact {
    kind: &'static str,
    subject: String,
    actor: String,
    data: Value,
}

fn row(log: &Log, item: usize, fact: Fact) -> FactRow {
    FactRow {
        block_number: i64::try_from(log.block.number).unwrap_or(i64::MAX),
        log_index: i64::from(log.block_log_index),
        item: i64::try_from(item).unwrap_or(i64::MAX),
        kind: fact.kind.to_owned(),
        subject: fact.subject,
        actor: fact.actor,
        data: fact.data.to_string(),
        contract: address_key(&log.contract),
        tx_hash: log.transaction_hash.to_string(),
        block_hash: log.block.hash.to_string(),
    }
}

type Reader = fn(&Log) -> Result<Vec<Fact>, String>;
type Events = [(fn() -> [u8; 32], Reader)];

fn reader(emitted: bool, events: &Events, topic: &[u8; 32]) -> Option<Reader> {
    events.iter().find(|(known, _)| emitted && known() == *topic).map(|(_, reader)| *reader)
}

fn topic_of<E: SolEvent>() -> [u8; 32] {
    E::SIGNATURE_HASH.0
}

fn decode<E: SolEvent>(log: &Log) -> Result<E, String> {
    let topics = log.topics.iter().map(|topic| alloy_primitives::B256::from(*topic));
    E::decode_raw_log_validate(topics, &log.data).map_err(|error| format!("{}: {error}", E::SIGNATURE))
}

/// Validators of 48 bytes only: nothing else is a key.
fn pubkey(bytes: &[u8]) -> Result<String, String> {
    match <[u8; 48]>::try_from(bytes) {
        Ok(key) => Ok(to_hex(&key)),
        Err(_) => Err(format!("the public key has {} bytes instead of 48", bytes.len())),
    }
}

fn address(address: alloy_primitives::Address) -> String {
    to_hex(address.as_slice())
}

fn about_key(kind: &'static str, id: U256, key: &[u8], more: Value) -> Result<Vec<Fact>, String> {
    let mut data = json!({ "node_operator_id": id.to_string() });
    if let (Value::Object(data), Value::Object(more)) = (&mut data, more) {
        data.extend(more);
    }
    Ok(vec![Fact { kind, subject: pubkey(key)?, actor: String::new(), data }])
}

fn about_operator(kind: &'static str, id: U256, actor: String, data: Value) -> Fact {
    Fact { kind, subject: id.to_string(), actor, data }
}

/// An event's topic, and how a log of it is read.
type EventReader = (fn() -> [u8; 32], Reader);

const MODULE_EVENTS: [EventReader; 16] = [
    (topic_of::<Module::NodeOperatorAdded>, |log| {
        let event: Module::NodeOperatorAdded = decode(log)?;
        let data = json!({ "extended_manager_permissions": event.extendedManagerPermissions });
        let (id, manager) = (event.nodeOperatorId, address(event.managerAddress));
        Ok(vec![
            about_operator(kind::CSM_OPERATOR_ADDED, id, manager, data),
            about_operator(kind::CSM_REWARD_CHANGED, id, address(event.rewardAddress), json!({})),
        ])
    }),
    (topic_of::<Module::NodeOperatorManagerAddressChanged>, |log| {
        let event: Module::NodeOperatorManagerAddressChanged = decode(log)?;
        let actor = address(event.newAddress);
        Ok(vec![about_operator(kind::CSM_MANAGER_CHANGED, event.nodeOperatorId, actor, json!({}))])
    }),
    (topic_of::<Module::NodeOperatorRewardAddressChanged>, |log| {
        let event: Module::NodeOperatorRewardAddressChanged = decode(log)?;
        let actor = address(event.newAddress);
        Ok(vec![about_operator(kind::CSM_REWARD_CHANGED, event.nodeOperatorId, actor, json!({}))])
    }),
    (topic_of::<Module::SigningKeyAdded>, |log| {
        let event: Module::SigningKeyAdded = decode(log)?;
        about_key(kind::CSM_KEY_ADDED, event.nodeOperatorId, &event.pubkey, json!({}))
    }),
    (topic_of::<Module::SigningKeyRemoved>, |log| {
        let event: Module::SigningKeyRemoved = decode(log)?;
        about_key(kind::CSM_KEY_REMOVED, event.nodeOperatorId, &event.pubkey, json!({}))
    }),
    (topic_of::<Module::ValidatorWithdrawn>, |log| {
        let event: Module::ValidatorWithdrawn = decode(log)?;
        let more = json!({ "exit_balance_wei": event.exitBalance.to_string(), "slashing_penalty_wei": event.slashingPenalty.to_string() });
        about_key(kind::CSM_WITHDRAWN, event.nodeOperatorId, &event.pubkey, more)
    }),
    (topic_of::<Module::WithdrawalSubmitted>, |log| {
        let event: Module::WithdrawalSubmitted = decode(log)?;
        let more = json!({ "exit_balance_wei": event.amount.to_string() });
        about_key(kind::CSM_WITHDRAWN, event.nodeOperatorId, &event.pubkey, more)
    }),
    (topic_of::<Module::ValidatorSlashingReported>, |log| {
        let event: Module::ValidatorSlashingReported = decode(log)?;
        about_key(kind::CSM_SLASHED, event.nodeOperatorId, &event.pubkey, json!({}))
    }),
    (topic_of::<Module::GeneralDelayedPenaltyReported>, |log| {
        let event: Module::GeneralDelayedPenaltyReported = decode(log)?;
        let amount = event.amount.saturating_add(event.additionalFine);
        Ok(vec![penalty("reported", event.nodeOperatorId, Some(amount))])
    }),
    (topic_of::<Module::GeneralDelayedPenaltyCancelled>, |log| {
        let event: Module::GeneralDelayedPenaltyCancelled = decode(log)?;
        Ok(vec![penalty("cancelled", event.nodeOperatorId, Some(event.amount))])
    }),
    (topic_of::<Module::GeneralDelayedPenaltyCompensated>, |log| {
        let event: Module::GeneralDelayedPenaltyCompensated = decode(log)?;
        Ok(vec![penalty("compensated", event.nodeOperatorId, Some(event.amount))])
    }),
    (topic_of::<Module::GeneralDelayedPenaltySettled>, |log| {
        let event: Module::GeneralDelayedPenaltySettled = decode(log)?;
        Ok(vec![penalty("settled", event.nodeOperatorId, Some(event.amount))])
    }),
    (topic_of::<Module::ELRewardsStealingPenaltyReported>, |log| {
        let event: Module::ELRewardsStealingPenaltyReported = decode(log)?;
        Ok(vec![penalty("reported", event.nodeOperatorId, Some(event.stolenAmount))])
    }),
    (topic_of::<Module::ELRewardsStealingPenaltyCancelled>, |log| {
        let event: Module::ELRewardsStealingPenaltyCancelled = decode(log)?;
        Ok(vec![penalty("cancelled", event.nodeOperatorId, Some(event.amount))])
    }),
    (topic_of::<Module::ELRewardsStealingPenaltyCompensated>, |log| {
        let event: Module::ELRewardsStealingPenaltyCompensated = decode(log)?;
        Ok(vec![penalty("compensated", event.nodeOperatorId, Some(event.amount))])
    }),
    (topic_of::<Module::ELRewardsStealingPenaltySettled>, |log| {
        let event: Module::ELRewardsStealingPenaltySettled = decode(log)?;
        Ok(vec![penalty("settled", event.nodeOperatorId, None)])
    }),
];

fn penalty(what: &str, id: U256, amount: Option<U256>) -> Fact {
    let data = json!({ "what": what, "amount_wei": amount.map(|amount| amount.to_string()) });
    about_operator(kind::CSM_PENALTY, id, String::new(), data)
}

const PENALTY_EVENTS: [EventReader; 4] = [
    (topic_of::<ExitPenalties::StrikesPenaltyProcessed>, |log| {
        let event: ExitPenalties::StrikesPenaltyProcessed = decode(log)?;
        let more = json!({ "amount_wei": event.strikesPenalty.to_string() });
        about_key(kind::STRIKES_PENALTY, event.nodeOperatorId, &event.pubkey, more)
    }),
    (topic_of::<ExitPenalties::ValidatorExitDelayProcessed>, |log| {
        let event: ExitPenalties::ValidatorExitDelayProcessed = decode(log)?;
        let more = json!({ "amount_wei": event.delayFee.to_string() });
        about_key(kind::EXIT_DELAYED, event.nodeOperatorId, &event.pubkey, more)
    }),
    (topic_of::<ExitPenalties::TriggeredExitFeeRecorded>, |log| {
        let event: ExitPenalties::TriggeredExitFeeRecorded = decode(log)?;
        let more = json!({ "amount_wei": event.withdrawalRequestRecordedFee.to_string() });
        about_key(kind::EXIT_TRIGGERED, event.nodeOperatorId, &event.pubkey, more)
    }),
    (topic_of::<ExitPenaltiesV2::TriggeredExitFeeRecorded>, |log| {
        let event: ExitPenaltiesV2::TriggeredExitFeeRecorded = decode(log)?;
        let more = json!({ "amount_wei": event.withdrawalRequestFee.to_string() });
        about_key(kind::EXIT_TRIGGERED, event.nodeOperatorId, &event.pubkey, more)
    }),
];

/// Exit requests of other modules are none of ours.
fn exit_request(log: &Log, module_id: Option<u64>) -> Result<Vec<Fact>, String> {
    let event: ExitBus::ValidatorExitRequest = decode(log)?;
    if module_id.is_some_and(|id| U256::from(id) != event.stakingModuleId) {
        return Ok(Vec::new());
    }
    let more = json!({ "requested_at_s": event.timestamp.to_string() });
    about_key(kind::LIDO_EXIT_REQUESTED, event.nodeOperatorId, &event.validatorPubkey, more)
}

fn deposit(log: &Log) -> Result<Fact, String> {
    let event: DepositContract::DepositEvent = decode(log)?;
    let amount = <[u8; 8]>::try_from(&event.amount[..]).map_err(|_| "the amount does not have 8 bytes".to_owned())?;
    let data = json!({
        "amount_gwei": u64::from_le_bytes(amount).to_string(),
        "withdrawal_credentials": to_hex(&event.withdrawal_credentials),
    });
    Ok(Fact { kind: kind::DEPOSITED, subject: pubkey(&event.pubkey)?, actor: String::new(), data })
}
