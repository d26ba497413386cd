//! One node operator of CSM, as its contracts tell at one block.

use super::abi::{Accounting, Module, NodeOperator};
use crate::chain::read::{ReadError, Reader};
use crate::limits;
use alloy_primitives::U256;
use cluster_crypto::ethereum::Address;
use futures::{StreamExt, TryStreamExt};
use serde::Serialize;
use utoipa::ToSchema;

/// Priorities of the deposit queue: 0 comes first, 5 is everybody's.
const PRIORITIES: u32 = 6;
/// Items of the queue that are read at a time.
const ITEMS_AT_ONCE: usize = 8;

/// Amounts are decimal texts in wei: they do not fit the numbers of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Bond {
    /// What the node operator has, in wei of stETH.
    pub current_wei: String,
    /// What its keys need, locked bond included.
    pub required_wei: String,
    /// More than it needs.
    pub excess_wei: String,
    /// Less than it needs.
    pub missing_wei: String,
    /// Held back for a penalty that is reported and not settled.
    pub locked_wei: String,
    /// Keys for which there is no bond.
    pub unbonded_keys: u64,
    /// Number of its bond curve.
    pub curve_id: u64,
}

/// Keys by how far they got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct KeyCounts {
    /// Submitted and not removed.
    pub added: u32,
    /// Found good, as far as Lido's council says.
    pub vetted: u32,
    /// Deposited by Lido.
    pub deposited: u32,
    /// May be deposited now.
    pub depositable: u32,
    /// Places in the deposit queue.
    pub enqueued: u32,
    /// Exited, as reported by Lido's oracle.
    pub exited: u32,
    /// Withdrawn.
    pub withdrawn: u32,
}

/// Where the node operator stands in the deposit queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct QueuePlace {
    /// 0 is served first.
    pub priority: u32,
    /// Keys in this queue before its first, keys of queues that are served before not counted.
    pub keys_ahead: u64,
    /// Its own keys in this queue.
    pub own_keys: u64,
    /// `false`: the queue is longer than what was read, the figures are of its beginning.
    pub complete: bool,
}

/// A limit that Lido sets for the number of active validators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TargetLimit {
    /// 0: none; 1: soft; 2: forced, with priority in exits.
    pub mode: u8,
    /// Validators.
    pub limit: u32,
}

/// One node operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct NodeOperatorView {
    /// Id in the module; 0 is one.
    pub node_operator_id: u64,
    /// The block at which all of this was read.
    pub block_number: u64,
    /// Adds and removes keys.
    pub manager_address: String,
    /// Gets the rewards.
    pub reward_address: String,
    /// Null when none is proposed.
    pub proposed_manager_address: Option<String>,
    /// Null when none is proposed.
    pub proposed_reward_address: Option<String>,
    /// Whether the manager may change the reward address.
    pub extended_manager_permissions: bool,
    /// Bond.
    pub bond: Bond,
    /// Keys.
    pub keys: KeyCounts,
    /// Null when there is none.
    pub target_limit: Option<TargetLimit>,
    /// Empty when none of its keys waits.
    pub queue: Vec<QueuePlace>,
}

/// The contracts that are asked.
#[derive(Clone, Copy, Debug)]
pub struct Contracts {
    /// CSModule.
    pub module: Address,
    /// Accounting.
    pub accounting: Address,
}

/// The module's own record of a node operator.
pub async fn node_operator(
    reader: &Reader,
    contracts: &Contracts,
    id: U256,
    block: u64,
) -> Result<NodeOperator, ReadError> {
    let count = reader.call(contracts.module, &Module::getNodeOperatorsCountCall {}, block).await?;
    if id >= count {
        // Some versions answer zeros instead of refusing.
        return Err(ReadError::Reverted);
    }
    reader.call(contracts.module, &Module::getNodeOperatorCall { nodeOperatorId: id }, block).await
}

/// Everything about one node operator.
pub async fn view(reader: &Reader, contracts: &Contracts, id: u64) -> Result<NodeOperatorView, ReadError> {
    let block = reader.head().await?;
    let key = U256::from(id);
    let operator = node_operator(reader, contracts, key, block).await?;
    let (bond, queue) = futures::try_join!(
        bond(reader, contracts, key, block),
        queue(reader, contracts, key, u64::from(operator.enqueuedCount), block)
    )?;
    let given = |address: alloy_primitives::Address| (!address.is_zero()).then(|| checksummed(address));
    Ok(NodeOperatorView {
        node_operator_id: id,
        block_number: block,
        manager_address: checksummed(operator.managerAddress),
        reward_address: checksummed(operator.rewardAddress),
        proposed_manager_address: given(operator.proposedManagerAddress),
        proposed_reward_address: given(operator.proposedRewardAddress),
        extended_manager_permissions: operator.extendedManagerPermissions,
        bond,
        keys: KeyCounts {
            added: operator.totalAddedKeys,
            vetted: operator.totalVettedKeys,
            deposited: operator.totalDepositedKeys,
            depositable: operator.depositableValidatorsCount,
            enqueued: operator.enqueuedCount,
            exited: operator.totalExitedKeys,
            withdrawn: operator.totalWithdrawnKeys,
        },
        target_limit: (operator.targetLimitMode != 0)
            .then_some(TargetLimit { mode: operator.targetLimitMode, limit: operator.targetLimit }),
        queue,
    })
}

/// The EIP-55 form.
pub fn checksummed(address: alloy_primitives::Address) -> String {
    Address(address.into_array()).to_string()
}

fn number(value: U256) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

async fn bond(reader: &Reader, contracts: &Contracts, id: U256, block: u64) -> Result<Bond, ReadError> {
    let (to, id_) = (contracts.accounting, id);
    let summary = Accounting::getBondSummaryCall { nodeOperatorId: id_ };
    let unbonded = Accounting::getUnbondedKeysCountCall { nodeOperatorId: id_ };
    let curve = Accounting::getBondCurveIdCall { nodeOperatorId: id_ };
    let (summary, unbonded, curve, locked) = futures::try_join!(
        reader.call(to, &summary, block),
        reader.call(to, &unbonded, block),
        reader.call(to, &curve, block),
        locked_bond(reader, contracts, id, block)
    )?;
    let (current, required) = (summary.current, summary.required);
    Ok(Bond {
        current_wei: current.to_string(),
        required_wei: required.to_string(),
        excess_wei: current.saturating_sub(required).to_string(),
        missing_wei: required.saturating_sub(current).to_string(),
        locked_wei: locked.to_string(),
        unbonded_keys: number(unbonded),
        curve_id: number(curve),
    })
}

/// The function was renamed in version 3.
async fn locked_bond(reader: &Reader, contracts: &Contracts, id: U256, block: u64) -> Result<U256, ReadError> {
    let v3 = Accounting::getLockedBondCall { nodeOperatorId: id };
    match reader.call(contracts.accounting, &v3, block).await {
        Err(ReadError::Reverted) => {
            let v2 = Accounting::getActualLockedBondCall { nodeOperatorId: id };
            reader.call(contracts.accounting, &v2, block).await
        }
        answer => answer,
    }
}

/// One batch of the queue, packed into a word: operator (64 bits), keys (64), next (128).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Batch {
    operator: u64,
    keys: u64,
    next: u128,
}

impl Batch {
    fn read(word: U256) -> Option<Self> {
        if word.is_zero() {
            return None;
        }
        let [low, second, third, high] = *word.as_limbs();
        Some(Self { operator: high, keys: third, next: u128::from(second) << 64 | u128::from(low) })
    }
}

async fn queue(
    reader: &Reader,
    contracts: &Contracts,
    id: U256,
    enqueued: u64,
    block: u64,
) -> Result<Vec<QueuePlace>, ReadError> {
    let mut places = Vec::new();
    let mut found = 0;
    for priority in 0..PRIORITIES {
        if found >= enqueued {
            break;
        }
        let pointers = Module::depositQueuePointersCall { queuePriority: U256::from(priority) };
        let pointers = reader.call(contracts.module, &pointers, block).await?;
        let end = pointers.tail.min(pointers.head.saturating_add(limits::CSM_QUEUE_ITEMS));
        let item = |index: u128| async move {
            let call = Module::depositQueueItemCall { queuePriority: U256::from(priority), index };
            reader.call(contracts.module, &call, block).await
        };
        let words: Vec<U256> =
            futures::stream::iter(pointers.head..end).map(item).buffered(ITEMS_AT_ONCE).try_collect().await?;
        let place = place(&words, pointers.head, number(id), priority, end == pointers.tail);
        found += place.own_keys;
        if place.own_keys > 0 || !place.complete {
            places.push(place);
        }
    }
    Ok(places)
}

/// Follows the queue through the items that were read: cleaned batches are passed over by the `next` of the one before.
fn place(words: &[U256], head: u128, operator: u64, priority: u32, complete: bool) -> QueuePlace {
    let (mut keys_ahead, mut own_keys, mut index) = (0u64, 0u64, head);
    let mut complete = complete;
    for _ in 0..words.len() {
        let at = index.checked_sub(head).and_then(|at| usize::try_from(at).ok());
        let Some(batch) = at.and_then(|at| words.get(at)).and_then(|word| Batch::read(*word)) else { break };
        if batch.operator == operator {
            own_keys = own_keys.saturating_add(batch.keys);
        } else if own_keys == 0 {
            keys_ahead = keys_ahead.saturating_add(batch.keys);
        }
        if batch.next <= index {
            // The queue goes forward; anything else is not one.
            complete = false;
            break;
        }
        index = batch.next;
    }
    QueuePlace { priority, keys_ahead, own_keys, complete }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(operator: u64, keys: u64, next: u128) -> U256 {
        U256::from(operator) << 192 | U256::from(keys) << 128 | U256::from(next)
    }

    #[test]
    fn the_place_in_the_queue_counts_keys_before_the_first_own_batch_and_passes_cleaned_batches_over() {
        // Item 11 was cleaned: item 10 points past it.
        let words = [word(7, 3, 12), word(9, 100, 12), word(0, 2, 13), word(0, 5, 14), word(8, 1, 15)];
        let place_of = |operator| place(&words, 10, operator, 5, true);
        let zero = place_of(0);
        assert_eq!((zero.keys_ahead, zero.own_keys, zero.complete), (3, 7, true), "id 0 is a node operator");
        assert_eq!((place_of(8).keys_ahead, place_of(8).own_keys), (10, 1));
        assert_eq!((place_of(9).own_keys, place_of(7).keys_ahead), (0, 0));
    }

    #[test]
    fn a_queue_that_runs_in_circles_ends() {
        let words = [word(1, 1, 11), word(2, 1, 10)];
        assert!(!place(&words, 10, 3, 0, true).complete);
        assert_eq!(place(&[word(1, 1, u128::MAX)], 10, 1, 0, true).own_keys, 1);
    }
}
