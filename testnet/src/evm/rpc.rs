//! JSON-RPC of the chain, and transactions that wallets of ours sign.

use std::time::Duration;

use alloy_primitives::U256;
use alloy_sol_types::SolCall;
use cluster_core::chain::{BlockRef, Hash32, Log};
use cluster_core::encoding::to_hex;
use cluster_crypto::ethereum::{Address, WalletKey};
use ethers::core::types::transaction::eip2718::TypedTransaction;
use ethers::core::types::{self, Eip1559TransactionRequest, H160};
use serde::de::DeserializeOwned;
use serde_json::{json, Value};
use tokio::time::Instant;

use super::EvmError;

/// Gas that one transaction may take (EIP-7825).
pub const GAS_CAP: u64 = 16_777_216;
/// A call of anvil's may execute a block.
const CALL_PATIENCE: Duration = Duration::from_secs(30);
const MINED_PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);
/// To the proposer, in wei.
const TIP: u64 = 1_000_000_000;

/// Speaks to an execution node.
#[derive(Clone, Debug)]
pub struct Rpc {
    http: reqwest::Client,
    url: String,
    chain_id: u64,
}

/// A transaction that succeeded.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Its hash.
    pub transaction: Hash32,
    /// Its block.
    pub block: BlockRef,
    /// Gas that it took.
    pub gas_used: u64,
    /// What its contracts emitted, in order.
    pub logs: Vec<Log>,
}

impl Rpc {
    /// `chain_id` is what transactions are signed for.
    pub fn new(url: &str, chain_id: u64) -> Result<Self, EvmError> {
        // Everything is on this machine: a proxy of the environment would only be in the way.
        let http = reqwest::Client::builder().no_proxy().timeout(CALL_PATIENCE).build();
        let failed =
            |error: reqwest::Error| EvmError::Call { method: "anything".to_owned(), reason: error.to_string() };
        Ok(Self { http: http.map_err(failed)?, url: url.to_owned(), chain_id })
    }

    /// Calls a method.
    pub async fn ask<T: DeserializeOwned>(&self, method: &str, params: Value) -> Result<T, EvmError> {
        let failed = |reason: String| EvmError::Call { method: method.to_owned(), reason };
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer = self.http.post(&self.url).json(&body).send().await.map_err(|error| failed(error.to_string()))?;
        let mut answer: Value = answer.json().await.map_err(|error| failed(error.to_string()))?;
        if let Some(error) = answer.get("error") {
            let reason = error.get("message").and_then(Value::as_str).unwrap_or("without a reason").to_owned();
            return Err(EvmError::Refused { what: method.to_owned(), reason });
        }
        let result = answer.get_mut("result").map(Value::take).unwrap_or_default();
        serde_json::from_value(result).map_err(|error| failed(error.to_string()))
    }

    /// Reads from a contract.
    pub async fn read<C: SolCall>(&self, to: Address, call: &C) -> Result<C::Return, EvmError> {
        let parameters = json!([{ "to": to, "data": to_hex(&call.abi_encode()) }, "latest"]);
        let answer: types::Bytes = named(C::SIGNATURE, self.ask("eth_call", parameters).await)?;
        C::abi_decode_returns(&answer)
            .map_err(|error| EvmError::Call { method: C::SIGNATURE.to_owned(), reason: error.to_string() })
    }

    /// What a transaction would take; refused with the contract's words when it would revert.
    pub async fn estimate<C: SolCall>(
        &self,
        from: Address,
        to: Address,
        call: &C,
        value: U256,
    ) -> Result<u64, EvmError> {
        self.estimate_data(from, to, C::SIGNATURE, &call.abi_encode(), value).await
    }

    /// The same for a call that is encoded already.
    pub(super) async fn estimate_data(
        &self,
        from: Address,
        to: Address,
        what: &str,
        data: &[u8],
        value: U256,
    ) -> Result<u64, EvmError> {
        let parameters = json!([{ "from": from, "to": to, "data": to_hex(data), "value": value }]);
        let gas: types::U64 = named(what, self.ask("eth_estimateGas", parameters).await)?;
        Ok(gas.as_u64())
    }

    /// Sends a transaction of this wallet, and waits until a block has it.
    pub async fn send<C: SolCall>(
        &self,
        wallet: &WalletKey,
        to: Address,
        call: &C,
        value: U256,
    ) -> Result<Receipt, EvmError> {
        self.send_data(wallet, to, C::SIGNATURE, call.abi_encode(), value).await
    }

    /// The same for a call that is encoded already.
    pub(super) async fn send_data(
        &self,
        wallet: &WalletKey,
        to: Address,
        what: &str,
        data: Vec<u8>,
        value: U256,
    ) -> Result<Receipt, EvmError> {
        let from = wallet.address();
        let gas = gas_limit(self.estimate_data(from, to, what, &data, value).await?);
        if gas > GAS_CAP {
            return Err(EvmError::TooMuchGas { what: what.to_owned(), gas, cap: GAS_CAP });
        }
        let nonce: types::U64 = self.ask("eth_getTransactionCount", json!([from, "pending"])).await?;
        let price: types::U256 = self.ask("eth_gasPrice", json!([])).await?;
        let transaction = Eip1559TransactionRequest::new()
            .to(H160(to.0))
            .data(data)
            .value(types::U256::from_little_endian(&value.to_le_bytes::<32>()))
            .gas(gas)
            .nonce(nonce.as_u64())
            .chain_id(self.chain_id)
            .max_priority_fee_per_gas(TIP)
            .max_fee_per_gas(price * 2 + TIP);
        let transaction = TypedTransaction::Eip1559(transaction);
        let signature = wallet.sign_digest(&transaction.sighash().0).to_bytes();
        let (r, rest) = signature.split_at(32);
        let (s, v) = rest.split_at(32);
        let signature = types::Signature {
            r: types::U256::from_big_endian(r),
            s: types::U256::from_big_endian(s),
            // Typed transactions have the parity of y here, and not v.
            v: v.first().copied().unwrap_or_default().saturating_sub(27).into(),
        };
        let raw = transaction.rlp_signed(&signature);
        let hash: types::H256 = named(what, self.ask("eth_sendRawTransaction", json!([raw])).await)?;
        self.receipt(what, hash).await
    }

    /// Waits for a transaction.
    pub(super) async fn receipt(&self, what: &str, hash: types::H256) -> Result<Receipt, EvmError> {
        let give_up = Instant::now() + MINED_PATIENCE;
        let receipt = loop {
            let receipt: Option<types::TransactionReceipt> =
                self.ask("eth_getTransactionReceipt", json!([hash])).await?;
            if let Some(receipt) = receipt.filter(|receipt| receipt.block_hash.is_some()) {
                break receipt;
            }
            if Instant::now() >= give_up {
                return Err(EvmError::NotMined { what: what.to_owned(), seconds: MINED_PATIENCE.as_secs() });
            }
            tokio::time::sleep(LOOK).await;
        };
        if receipt.status != Some(1.into()) {
            return Err(EvmError::Reverted { what: what.to_owned(), transaction: to_hex(&hash.0) });
        }
        let block = BlockRef {
            number: receipt.block_number.unwrap_or_default().as_u64(),
            hash: Hash32(receipt.block_hash.unwrap_or_default().0),
        };
        Ok(Receipt {
            transaction: Hash32(hash.0),
            block,
            gas_used: receipt.gas_used.unwrap_or_default().low_u64(),
            logs: receipt.logs.into_iter().map(log).collect(),
        })
    }

    /// Gives an account this much, in wei.
    pub async fn set_balance(&self, account: Address, wei: U256) -> Result<(), EvmError> {
        self.ask("anvil_setBalance", json!([account, wei])).await
    }
}

/// A log as an execution node gives it.
pub(super) fn log(log: types::Log) -> Log {
    Log {
        block: BlockRef {
            number: log.block_number.unwrap_or_default().as_u64(),
            hash: Hash32(log.block_hash.unwrap_or_default().0),
        },
        transaction_hash: Hash32(log.transaction_hash.unwrap_or_default().0),
        block_log_index: log.log_index.unwrap_or_default().low_u32(),
        contract: Address(log.address.0),
        topics: log.topics.into_iter().map(|topic| topic.0).collect(),
        data: log.data.to_vec(),
    }
}

/// A refusal names the function instead of the method.
fn named<T>(what: &str, answer: Result<T, EvmError>) -> Result<T, EvmError> {
    answer.map_err(|error| match error {
        EvmError::Refused { reason, .. } => EvmError::Refused { what: what.to_owned(), reason },
        error => error,
    })
}

/// What a transaction may take that was estimated at this: what is paid for storage changes a little with the block.
pub(super) fn gas_limit(estimated: u64) -> u64 {
    estimated.saturating_add(estimated / 50)
}
