//! What owners say of their validators, looked up on the chain.
//!
//! A statement never becomes a status: it makes the service look. The status comes from facts that the follower wrote, so
//! a statement is either true already, or refused in words, or pending until its transaction has its confirmations.

use super::csm::abi::{DepositContract, Module};
use super::questions::{header, read_log};
use super::read::ReadError;
use super::rpc::{Node, NodeError};
use super::Chain;
use crate::limits;
use alloy_primitives::Bytes;
use alloy_sol_types::{sol, SolEvent};
use cluster_core::chain::{decode, Event, Log, PubkeyBytes};
use cluster_core::encoding::{from_hex, to_hex};
use cluster_crypto::ethereum::Address;
use ethers::types::{TransactionReceipt, H256};
use serde_json::{json, Value};
use std::time::Duration;

/// What an owner says happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Registered in the network.
    Registered,
    /// Submitted to CSM, or deposited.
    Deposited,
    /// Exit ordered.
    ExitRequested,
}

/// What the chain says to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The transaction does what is said; it waits for confirmations, or for the follower to get there.
    Pending {
        /// The block that it is in; `None`: in none yet.
        block_number: Option<u64>,
        /// Blocks that followed it.
        confirmations: u64,
    },
    /// It does not; in words for the owner.
    Refused(String),
}

/// A transaction that was fetched once for all the rows that name it.
pub struct Transaction {
    receipt: Option<TransactionReceipt>,
    /// In the pool of the node.
    waits: bool,
    /// The receipt's block is the one that the chain has at this height.
    in_chain: bool,
    head: u64,
}

/// Fetches a transaction; all of it from one node.
pub async fn fetch(chain: &Chain, txid: &str) -> Result<Transaction, NodeError> {
    chain.reader.endpoints().ask(|node| async move { fetch_from(&node, txid).await }).await
}

async fn fetch_from(node: &Node, txid: &str) -> Result<Transaction, NodeError> {
    let simple = |error| node.at_fault(error);
    let receipt: Option<TransactionReceipt> =
        node.call("eth_getTransactionReceipt", json!([txid])).await.map_err(simple)?;
    let head = super::read::head_of(node).await?;
    let (mut waits, mut in_chain) = (false, false);
    match &receipt {
        None => {
            let known: Option<Value> = node.call("eth_getTransactionByHash", json!([txid])).await.map_err(simple)?;
            waits = known.is_some();
        }
        Some(receipt) => {
            if to_hex(&receipt.transaction_hash.0) != txid {
                return Err(node.contradicts("the receipt is of another transaction"));
            }
            let number = receipt.block_number.map(|number| number.as_u64());
            let block = match number {
                Some(number) => header(node, number).await?,
                None => None,
            };
            in_chain = block.is_some_and(|block| receipt.block_hash == Some(H256(block.block.hash.0)));
        }
    }
    Ok(Transaction { receipt, waits, in_chain, head })
}

/// Judges what a transaction does for one validator. `manages`: whether the owner is manager or reward address of a node
/// operator, by its decimal id.
pub fn judge(
    chain: &Chain,
    transaction: &Transaction,
    claim: Claim,
    pubkey: &str,
    owner: &Address,
    manages: impl Fn(&str) -> bool,
) -> Verdict {
    let Some(receipt) = &transaction.receipt else {
        if transaction.waits {
            return Verdict::Pending { block_number: None, confirmations: 0 };
        }
        return Verdict::Refused("No execution node knows this transaction.".to_owned());
    };
    if receipt.status.map(|status| status.as_u64()) != Some(1) {
        return Verdict::Refused("The transaction failed.".to_owned());
    }
    let Ok(key) = from_hex::<48>(pubkey).map(PubkeyBytes) else {
        return Verdict::Refused("The public key cannot be read.".to_owned());
    };
    let sender = Address(receipt.from.0);
    let about = About { chain, key, owner, by_owner: sender == *owner };
    let logs = receipt.logs.iter().filter_map(read_log);
    let mut why = match claim {
        Claim::Registered => "The transaction does not register this validator for you in the network's contract.",
        Claim::Deposited => "The transaction neither submits this validator to CSM nor deposits for it.",
        Claim::ExitRequested => "The transaction does not order the exit of this validator for you.",
    };
    for log in logs {
        match about.does(claim, &log, &manages) {
            Some(true) => return pending(transaction, receipt),
            Some(false) => why = "The transaction does this for somebody else than you.",
            None => {}
        }
    }
    Verdict::Refused(why.to_owned())
}

fn pending(transaction: &Transaction, receipt: &TransactionReceipt) -> Verdict {
    let block_number = receipt.block_number.map(|number| number.as_u64()).filter(|_| transaction.in_chain);
    let confirmations = block_number.map_or(0, |number| transaction.head.saturating_sub(number));
    Verdict::Pending { block_number, confirmations }
}

struct About<'a> {
    chain: &'a Chain,
    key: PubkeyBytes,
    owner: &'a Address,
    by_owner: bool,
}

impl About<'_> {
    /// Whether this log is the claimed event of this validator: by its owner (`true`) or by somebody else (`false`).
    fn does(&self, claim: Claim, log: &Log, manages: &impl Fn(&str) -> bool) -> Option<bool> {
        if claim == Claim::Deposited {
            return self.deposits(log, manages);
        }
        let contract = self.chain.settings.contracts.which(&log.contract)?;
        match (claim, decode(contract, log).ok()??) {
            (Claim::Registered, Event::ValidatorRegistered(event)) if event.pubkey == self.key => {
                Some(event.owner == *self.owner)
            }
            (Claim::ExitRequested, Event::ExitRequested(event)) if event.pubkeys.contains(&self.key) => {
                Some(event.owner == *self.owner)
            }
            _ => None,
        }
    }

    fn deposits(&self, log: &Log, manages: &impl Fn(&str) -> bool) -> Option<bool> {
        let lido = &self.chain.settings.lido;
        let topics = || log.topics.iter().map(|topic| alloy_primitives::B256::from(*topic));
        if lido.module == Some(log.contract) {
            let event = Module::SigningKeyAdded::decode_raw_log_validate(topics(), &log.data).ok()?;
            let ours = event.pubkey.as_ref() == self.key.0.as_slice();
            return ours.then(|| self.by_owner || manages(&event.nodeOperatorId.to_string()));
        }
        if lido.deposit_contract == Some(log.contract) {
            let event = DepositContract::DepositEvent::decode_raw_log_validate(topics(), &log.data).ok()?;
            return (event.pubkey.as_ref() == self.key.0.as_slice()).then_some(true);
        }
        None
    }
}

/// Who owns a cluster node by the contract's own word at the newest block; `None`: nobody registered it.
pub async fn cluster_node_owner(chain: &Chain, cluster_pubkey: &str) -> Result<Option<Address>, ReadError> {
    let Ok(key) = from_hex::<33>(cluster_pubkey) else { return Ok(None) };
    let call = getClusterNodeCall { clusterNodePublicKey: Bytes::copy_from_slice(&key) };
    let block = chain.reader.head().await?;
    let found = chain.reader.call(chain.settings.contracts.cluster_node, &call, block).await?;
    let owner = Address(found.owner.into_array());
    Ok((!owner.is_zero()).then_some(owner))
}

sol! {
    /// Of `SafeStakeClusterNode`.
    function getClusterNode(bytes clusterNodePublicKey) external view returns (address owner, bool active);
}

/// Waits a moment for the follower to write the block of a transaction that has its confirmations.
pub async fn wait_for(chain: &Chain, block_number: u64) {
    let mut position = chain.position.subscribe();
    chain.look.notify_one();
    let reached = position.wait_for(|position| position.read.is_some_and(|read| read >= block_number));
    // Late is not wrong: the answer then says "pending".
    let _ = tokio::time::timeout(Duration::from_millis(limits::HINT_WAIT_MS), reached).await;
}
