//! Batches of keys, each in a transaction of its own, and the bond that each needs.

use super::abi::Accounting;
use super::view::{node_operator, Contracts};
use crate::chain::read::{ReadError, Reader};
use alloy_primitives::U256;
use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Gas that one transaction may take (EIP-7825).
pub const GAS_CAP: u64 = 16_777_216;
/// Gas of a transaction with one key of a new node operator, bond in ETH (measured on version 3).
const GAS_FIRST_KEY: u64 = 440_000;
/// Gas of every further key, rounded up (measured on version 3).
const GAS_PER_KEY: u64 = 116_500;
/// Calls that are made at a time.
const CALLS_AT_ONCE: usize = 8;

/// The token of the bond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BondToken {
    /// Sent with the transaction.
    #[default]
    Eth,
    /// The same number of wei as ETH; approve 10 wei more, since transfers round.
    Steth,
    /// In wei of wstETH.
    Wsteth,
}

/// Whose keys they will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// A node operator that exists.
    Existing(u64),
    /// A new one with this bond curve.
    New {
        /// Number of the curve.
        curve_id: u64,
    },
}

/// One transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Batch {
    /// Position of its first key among all keys of the plan.
    pub from: u32,
    /// Keys.
    pub keys: u32,
    /// `new`: creates the node operator through the gate; `existing`: adds keys through the module.
    pub kind: &'static str,
    /// Bond, in wei of the token; 0 when what is there is enough. Read it again before sending: it follows from everything
    /// that happened before.
    pub bond_wei: String,
    /// Gas that it may take, with room for Lido's own part; set the limit of the transaction to it.
    pub gas_limit: u64,
}

/// All batches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Plan {
    /// The block at which the bonds were read.
    pub block_number: u64,
    /// Null for a new node operator.
    pub node_operator_id: Option<u64>,
    /// The bond curve.
    pub curve_id: u64,
    /// The token.
    pub token: BondToken,
    /// Sum of the bonds.
    pub total_bond_wei: String,
    /// In the order in which to send them.
    pub batches: Vec<Batch>,
}

/// `keys` keys, at most `per_transaction` in one.
pub async fn plan(
    reader: &Reader,
    contracts: &Contracts,
    for_: For,
    token: BondToken,
    (keys, per_transaction): (u32, u32),
) -> Result<Plan, ReadError> {
    let block = reader.head().await?;
    let (node_operator_id, curve_id) = match for_ {
        For::New { curve_id } => (None, curve_id),
        For::Existing(id) => {
            let key = U256::from(id);
            node_operator(reader, contracts, key, block).await?;
            let call = Accounting::getBondCurveIdCall { nodeOperatorId: key };
            let curve = reader.call(contracts.accounting, &call, block).await?;
            (Some(id), u64::try_from(curve).unwrap_or(u64::MAX))
        }
    };
    let sizes = sizes(keys, per_transaction);
    // Bonds of all keys up to the end of each batch: what a batch needs depends on those before it.
    let ends = sizes.iter().scan(0u32, |sum, keys| {
        *sum = sum.saturating_add(*keys);
        Some(*sum)
    });
    let ends: Vec<u32> = ends.collect();
    let bonds = futures::stream::iter(ends.iter().copied())
        .map(|count| bond(reader, contracts, for_, token, count, block))
        .buffered(CALLS_AT_ONCE);
    let bonds: Vec<U256> = bonds.try_collect().await?;
    let total = bonds.last().copied().unwrap_or_default();
    Ok(Plan {
        block_number: block,
        node_operator_id,
        curve_id,
        token,
        total_bond_wei: total.to_string(),
        batches: batches(&sizes, &bonds, node_operator_id.is_none()),
    })
}

/// As even as the limit allows, so that the last transaction is not a tiny one: 60 keys at 50 are 30 and 30.
fn sizes(keys: u32, per_transaction: u32) -> Vec<u32> {
    let count = keys.div_ceil(per_transaction.max(1));
    (0..count).map(|at| keys / count + u32::from(at < keys % count)).collect()
}

fn batches(sizes: &[u32], bonds: &[U256], new: bool) -> Vec<Batch> {
    let (mut from, mut before) = (0u32, U256::ZERO);
    let mut batches = Vec::with_capacity(sizes.len());
    for (at, (keys, bond)) in sizes.iter().zip(bonds).enumerate() {
        batches.push(Batch {
            from,
            keys: *keys,
            kind: if new && at == 0 { "new" } else { "existing" },
            bond_wei: bond.saturating_sub(before).to_string(),
            gas_limit: gas_limit(*keys),
        });
        from = from.saturating_add(*keys);
        before = *bond;
    }
    batches
}

/// A quarter more than was measured, for Lido's own part and for a contract wallet; never above the cap.
fn gas_limit(keys: u32) -> u64 {
    let measured = GAS_FIRST_KEY + GAS_PER_KEY * u64::from(keys.saturating_sub(1));
    (measured + measured / 4).min(GAS_CAP)
}

async fn bond(
    reader: &Reader,
    contracts: &Contracts,
    for_: For,
    token: BondToken,
    keys: u32,
    block: u64,
) -> Result<U256, ReadError> {
    let (to, keys) = (contracts.accounting, U256::from(keys));
    match (for_, token) {
        (For::New { curve_id }, BondToken::Wsteth) => {
            let call =
                Accounting::getBondAmountByKeysCountWstETHCall { keysCount: keys, curveId: U256::from(curve_id) };
            reader.call(to, &call, block).await
        }
        (For::New { curve_id }, _) => {
            let call = Accounting::getBondAmountByKeysCountCall { keysCount: keys, curveId: U256::from(curve_id) };
            reader.call(to, &call, block).await
        }
        (For::Existing(id), BondToken::Wsteth) => {
            let call = Accounting::getRequiredBondForNextKeysWstETHCall {
                nodeOperatorId: U256::from(id),
                additionalKeys: keys,
            };
            reader.call(to, &call, block).await
        }
        (For::Existing(id), _) => {
            let call =
                Accounting::getRequiredBondForNextKeysCall { nodeOperatorId: U256::from(id), additionalKeys: keys };
            reader.call(to, &call, block).await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_even_within_the_limit_and_pay_their_own_bond() {
        assert_eq!(sizes(60, 50), [30, 30]);
        assert_eq!(sizes(100, 100), [100]);
        assert_eq!(sizes(101, 100), [51, 50]);
        assert_eq!(sizes(1, 50), [1]);
        let wei = |eth_tenths: u64| U256::from(eth_tenths) * U256::from(100_000_000_000_000_000u64);
        // 2.4 for the first key, 1.3 for each further one; an excess covers the first batch.
        let new = batches(&[30, 30], &[wei(24 + 13 * 29), wei(24 + 13 * 59)], true);
        assert_eq!(
            new.iter().map(|batch| (batch.from, batch.kind)).collect::<Vec<_>>(),
            [(0, "new"), (30, "existing")]
        );
        assert_eq!(new[1].bond_wei, wei(13 * 30).to_string());
        let excess = batches(&[2, 2], &[wei(0), wei(10)], false);
        assert_eq!(
            excess.iter().map(|batch| batch.bond_wei.as_str()).collect::<Vec<_>>(),
            ["0", "1000000000000000000"]
        );
    }

    #[test]
    fn a_hundred_keys_stay_below_the_gas_of_a_transaction() {
        assert!(gas_limit(100) < GAS_CAP && gas_limit(100) > 11_899_011, "{}", gas_limit(100));
        assert!(gas_limit(50) > 6_108_881 && gas_limit(1) > 439_421);
    }
}
