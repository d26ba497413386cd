//! States of the keys of a node operator, in the words of Lido's SDK.

use super::abi::{ExitPenalties, Module, NodeOperator};
use super::view::{node_operator, Contracts};
use crate::chain::facts::{data, kind, BeaconEvidence, Evidence, OfNodeOperator};
use crate::chain::read::{ReadError, Reader};
use crate::store::{BeaconRow, FactRow, Store, StoreResult};
use alloy_primitives::{Bytes, U256};
use alloy_sol_types::SolCall;
use cluster_core::encoding::to_hex;
use cluster_crypto::ethereum::Address;
use futures::{StreamExt, TryStreamExt};
use serde::Serialize;
use utoipa::ToSchema;

/// Penalties that are read at a time.
const PENALTIES_AT_ONCE: usize = 8;

/// State of a key: one of its life, and any number of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum KeyState {
    /// Vetted, but more keys are depositable than are in the queue.
    NonQueued,
    /// Waits for a deposit.
    Depositable,
    /// Deposited, not active yet.
    ActivationPending,
    /// Active.
    Active,
    /// On its way out.
    Exiting,
    /// Out, its balance not yet reported to CSM.
    WithdrawalPending,
    /// Done.
    Withdrawn,
    /// Not vetted, because of another key before it.
    Unchecked,
    /// Not vetted; submitted elsewhere, too.
    Duplicated,
    /// Not vetted; the first of those, and the cause.
    Invalid,
    /// There is no bond for it.
    Unbonded,
    /// Lido asks for its exit.
    ExitRequested,
    /// Slashed.
    Slashed,
    /// Its exit was forced.
    TriggeredEjection,
    /// A penalty for strikes was set.
    WithStrikes,
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct KeyView {
    /// Position among the node operator's keys; changes when keys are removed.
    pub index: u64,
    /// 48 bytes, 0x hex.
    pub pubkey: String,
    /// The state of its life first.
    pub states: Vec<KeyState>,
    /// Lido's request for its exit.
    pub exit_request: Option<Evidence>,
    /// When the exit was asked for, Unix seconds.
    pub exit_requested_at_s: Option<u64>,
    /// Penalty for strikes, due at its withdrawal; null when none is set.
    pub strikes_penalty_wei: Option<String>,
    /// Fee for an exit that came too late; null when none is set.
    pub exit_delay_fee_wei: Option<String>,
    /// What a beacon node said last; null when unknown.
    pub beacon: Option<BeaconEvidence>,
}

/// What the state of a key follows from.
#[derive(Clone, Copy)]
struct About<'a> {
    id: &'a str,
    index: u64,
    operator: &'a NodeOperator,
    unbonded: u64,
    facts: &'a [FactRow],
    beacon: Option<&'a BeaconRow>,
    strikes: bool,
}

/// Keys `from..from + count` of a node operator, and whether there are more.
pub async fn page(
    reader: &Reader,
    store: &Store,
    contracts: &Contracts,
    exit_penalties: Option<Address>,
    (id, from, count): (u64, u64, u64),
) -> Result<(Vec<KeyView>, bool), KeysError> {
    let block = reader.head().await?;
    let key = U256::from(id);
    let operator = node_operator(reader, contracts, key, block).await?;
    let total = u64::from(operator.totalAddedKeys);
    let count = count.min(total.saturating_sub(from));
    if count == 0 {
        return Ok((Vec::new(), false));
    }
    let call =
        Module::getSigningKeysCall { nodeOperatorId: key, startIndex: U256::from(from), keysCount: U256::from(count) };
    let bytes = reader.call(contracts.module, &call, block).await?;
    let keys: Vec<[u8; 48]> = bytes.chunks_exact(48).filter_map(|key| key.try_into().ok()).collect();
    if keys.len() as u64 != count {
        return Err(ReadError::Unreadable { contract: contracts.module }.into());
    }
    let unbonded = super::abi::Accounting::getUnbondedKeysCountCall { nodeOperatorId: key };
    let unbonded = reader.call(contracts.accounting, &unbonded, block).await?;
    let unbonded = u64::try_from(unbonded).unwrap_or(u64::MAX);
    let pubkeys: Vec<String> = keys.iter().map(|key| to_hex(key)).collect();
    let facts = store.facts_of(&pubkeys, &kind::OF_VALIDATORS).await?;
    let beacon = store.beacon_of(&pubkeys).await?;
    let penalties = penalties(reader, exit_penalties, key, &keys, block).await?;
    let id = id.to_string();
    let mut views = Vec::with_capacity(keys.len());
    for (index, (pubkey, penalty)) in (from..).zip(pubkeys.iter().zip(penalties)) {
        let facts: Vec<FactRow> = facts.iter().filter(|row| row.subject == *pubkey).cloned().collect();
        let about = About {
            id: &id,
            index,
            operator: &operator,
            unbonded,
            facts: &facts,
            beacon: beacon.iter().find(|row| row.pubkey == *pubkey),
            strikes: penalty.strikes_wei.is_some(),
        };
        views.push(view(&about, pubkey, penalty)?);
    }
    Ok((views, from + count < total))
}

/// Why keys cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The chain.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The database.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}

#[derive(Clone, Debug, Default)]
struct Penalty {
    strikes_wei: Option<String>,
    delay_wei: Option<String>,
}

async fn penalties(
    reader: &Reader,
    contract: Option<Address>,
    id: U256,
    keys: &[[u8; 48]],
    block: u64,
) -> Result<Vec<Penalty>, ReadError> {
    let Some(contract) = contract else { return Ok(vec![Penalty::default(); keys.len()]) };
    let one = |key: [u8; 48]| async move {
        let call =
            ExitPenalties::getExitPenaltyInfoCall { nodeOperatorId: id, publicKey: Bytes::copy_from_slice(&key) };
        match reader.call(contract, &call, block).await {
            Ok(info) => Ok(read_penalty(info)),
            // A network without the contract: penalties are then what events told.
            Err(ReadError::Unreadable { .. } | ReadError::Reverted) => Ok(Penalty::default()),
            Err(error) => Err(error),
        }
    };
    futures::stream::iter(keys.iter().copied()).map(one).buffered(PENALTIES_AT_ONCE).try_collect().await
}

fn read_penalty(info: <ExitPenalties::getExitPenaltyInfoCall as SolCall>::Return) -> Penalty {
    let given = |value: super::abi::MarkedUint248| value.isValue.then(|| value.value.to_string());
    Penalty { strikes_wei: given(info.strikesPenalty), delay_wei: given(info.delayFee) }
}

fn view(about: &About<'_>, pubkey: &str, penalty: Penalty) -> StoreResult<KeyView> {
    let newest = |kind: &str| about.facts.iter().rfind(|row| row.kind == kind);
    let asked = newest(kind::LIDO_EXIT_REQUESTED);
    #[derive(serde::Deserialize)]
    struct Asked {
        requested_at_s: String,
    }
    let at = asked.map(data::<Asked>).transpose()?.and_then(|asked| asked.requested_at_s.parse().ok());
    Ok(KeyView {
        index: about.index,
        pubkey: pubkey.to_owned(),
        states: states(about)?,
        exit_request: asked.map(Into::into),
        exit_requested_at_s: at,
        strikes_penalty_wei: penalty.strikes_wei,
        exit_delay_fee_wei: penalty.delay_wei,
        beacon: about.beacon.map(Into::into),
    })
}

fn states(about: &About<'_>) -> StoreResult<Vec<KeyState>> {
    let has = |kind: &str| about.facts.iter().any(|row| row.kind == kind);
    let deposited = about.index < u64::from(about.operator.totalDepositedKeys);
    let life = life(about, deposited)?;
    let mut states = vec![life];
    let slashed = has(kind::CSM_SLASHED) || about.beacon.is_some_and(|row| row.slashed != 0);
    if deposited && slashed {
        states.push(KeyState::Slashed);
    }
    if matches!(life, KeyState::Withdrawn | KeyState::WithdrawalPending | KeyState::Exiting) {
        return Ok(states);
    }
    if deposited && !slashed && has(kind::LIDO_EXIT_REQUESTED) {
        states.push(KeyState::ExitRequested);
    }
    if deposited && has(kind::EXIT_TRIGGERED) {
        states.push(KeyState::TriggeredEjection);
    }
    if deposited && (about.strikes || has(kind::STRIKES_PENALTY)) {
        states.push(KeyState::WithStrikes);
    }
    // Bond is missing for the newest keys first.
    if u64::from(about.operator.totalAddedKeys).saturating_sub(about.index) <= about.unbonded {
        states.push(KeyState::Unbonded);
    }
    Ok(states)
}

fn life(about: &About<'_>, deposited: bool) -> StoreResult<KeyState> {
    let (operator, vetted) = (about.operator, u64::from(about.operator.totalVettedKeys));
    if about.index >= vetted {
        return Ok(if about.beacon.is_some() || is_elsewhere(about)? {
            KeyState::Duplicated
        } else if about.index == vetted {
            KeyState::Invalid
        } else {
            KeyState::Unchecked
        });
    }
    if !deposited {
        let queued = operator.enqueuedCount >= operator.depositableValidatorsCount;
        return Ok(if queued { KeyState::Depositable } else { KeyState::NonQueued });
    }
    if about.facts.iter().any(|row| row.kind == kind::CSM_WITHDRAWN) {
        return Ok(KeyState::Withdrawn);
    }
    Ok(match about.beacon.map(|row| row.status.as_str()) {
        Some("pending_initialized" | "pending_queued") | None => KeyState::ActivationPending,
        Some("active_exiting" | "active_slashed") => KeyState::Exiting,
        Some("exited_unslashed" | "exited_slashed" | "withdrawal_possible") => KeyState::WithdrawalPending,
        Some("withdrawal_done") => KeyState::Withdrawn,
        Some(_) => KeyState::Active,
    })
}

/// Whether another node operator submitted the same key, or this one twice.
fn is_elsewhere(about: &About<'_>) -> StoreResult<bool> {
    let mut own = 0;
    for row in about.facts.iter().filter(|row| row.kind == kind::CSM_KEY_ADDED) {
        if data::<OfNodeOperator>(row)?.node_operator_id != about.id {
            return Ok(true);
        }
        own += 1;
    }
    let removed = about.facts.iter().filter(|row| row.kind == kind::CSM_KEY_REMOVED).count();
    Ok(own > removed + 1)
}
