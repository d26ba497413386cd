//! What only the owner of a chain can do: take blocks back, make others, and let a contract emit what it never would.

use alloy_primitives::U256;
use cluster_core::chain::{double, BlockRef, Hash32, Header, Ledger, Log};
use cluster_core::encoding::to_hex;
use cluster_crypto::ethereum::Address;
use ethers::core::types;
use serde_json::{json, Value};

use super::{Chain, EvmError, Receipt};

/// Who calls the double.
const CALLER: Address = Address([0xee; 20]);
/// Gas of a call of the double, which only emits.
const GAS: &str = "0x7a120";
/// Calls of the double in one block: their gas fits.
const CALLS: usize = 50;

/// A log that no contract should emit: topics and data.
pub type Garbage = (Vec<[u8; 32]>, Vec<u8>);

/// A way back, for once.
#[derive(Debug)]
pub struct Snapshot(Value);

impl Chain {
    /// From now on blocks are made by hand and by transactions, and not by time.
    pub async fn stop_the_clock(&self) -> Result<(), EvmError> {
        let () = self.rpc.ask("evm_setIntervalMining", json!([0])).await?;
        self.rpc.ask("evm_setAutomine", json!([true])).await
    }

    /// Where the chain stands.
    pub async fn snapshot(&self) -> Result<Snapshot, EvmError> {
        Ok(Snapshot(self.rpc.ask("evm_snapshot", json!([])).await?))
    }

    /// Takes back all that happened since.
    pub async fn revert(&self, snapshot: Snapshot) -> Result<(), EvmError> {
        let reverted: bool = self.rpc.ask("evm_revert", json!([snapshot.0])).await?;
        if reverted {
            return Ok(());
        }
        Err(EvmError::Call { method: "evm_revert".to_owned(), reason: "it knows no such snapshot".to_owned() })
    }

    /// Makes so many empty blocks.
    pub async fn mine(&self, blocks: u64) -> Result<(), EvmError> {
        if blocks == 0 {
            return Ok(());
        }
        self.rpc.ask("anvil_mine", json!([format!("{blocks:#x}")])).await
    }

    /// Height of the head.
    pub async fn head(&self) -> Result<u64, EvmError> {
        let head: types::U64 = self.rpc.ask("eth_blockNumber", json!([])).await?;
        Ok(head.as_u64())
    }

    /// The block at a height.
    pub async fn block(&self, number: u64) -> Result<Header, EvmError> {
        let block: types::Block<types::H256> =
            self.rpc.ask("eth_getBlockByNumber", json!([format!("{number:#x}"), false])).await?;
        Ok(Header {
            block: BlockRef { number, hash: Hash32(block.hash.unwrap_or_default().0) },
            parent_hash: Hash32(block.parent_hash.0),
            time_s: block.timestamp.as_u64(),
        })
    }

    /// The bytes of a transaction, to send it again after its block is gone.
    pub async fn raw_transaction(&self, receipt: &Receipt) -> Result<types::Bytes, EvmError> {
        self.rpc.ask("eth_getRawTransactionByHash", json!([types::H256(receipt.transaction.0)])).await
    }

    /// Sends a transaction again as it was.
    pub async fn send_again(&self, raw: &types::Bytes) -> Result<Receipt, EvmError> {
        let hash: types::H256 = self.rpc.ask("eth_sendRawTransaction", json!([raw])).await?;
        self.rpc.receipt("a transaction that was taken back", hash).await
    }

    /// All logs of the contracts up to a block, read at once and in order.
    pub async fn logs(&self, to: u64) -> Result<Vec<Log>, EvmError> {
        let addresses = self.deployment.contracts().addresses();
        let (from, to) = (format!("{:#x}", self.deployment.block), format!("{to:#x}"));
        let filter = json!({ "fromBlock": from, "toBlock": to, "address": addresses });
        let found: Vec<types::Log> = self.rpc.ask("eth_getLogs", json!([filter])).await?;
        let mut logs: Vec<Log> = found.into_iter().map(super::rpc::log).collect();
        logs.sort_by_key(Log::position);
        Ok(logs)
    }

    /// What the chain says up to a block, read without a follower: every log, in order.
    pub async fn read(&self, to: u64) -> Result<Ledger, EvmError> {
        let mut ledger = Ledger::new(self.deployment.contracts());
        let logs = self.logs(to).await?;
        for logs in logs.chunk_by(|one, next| one.block == next.block) {
            let Some(first) = logs.first() else { continue };
            let header = self.block(first.block.number).await?;
            let _commit = ledger.append(&header, logs);
        }
        Ok(ledger)
    }

    /// Lets the contract at this address emit garbage, some of it in each block, and puts the contract back.
    pub async fn emit(&self, contract: Address, garbage: &[Garbage]) -> Result<(), EvmError> {
        let code: String = self.rpc.ask("eth_getCode", json!([contract, "latest"])).await?;
        let () = self.rpc.ask("anvil_setCode", json!([contract, to_hex(&double::code())])).await?;
        let () = self.rpc.ask("anvil_impersonateAccount", json!([CALLER])).await?;
        self.rpc.set_balance(CALLER, U256::from(u128::MAX)).await?;
        for some in garbage.chunks(CALLS) {
            let () = self.rpc.ask("evm_setAutomine", json!([false])).await?;
            for (topics, data) in some {
                let data = to_hex(&double::call_data(topics, data));
                let call = json!({ "from": CALLER, "to": contract, "gas": GAS, "data": data });
                let _hash: types::H256 = self.rpc.ask("eth_sendTransaction", json!([call])).await?;
            }
            self.mine(1).await?;
            let () = self.rpc.ask("evm_setAutomine", json!([true])).await?;
        }
        self.rpc.ask("anvil_setCode", json!([contract, code])).await
    }
}
