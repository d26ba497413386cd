//! The follower's questions, put to execution nodes. What they answer is read into core's types; what it means, and
//! whether it fits, is for the follower to say.

use super::csm;
use super::read::head_of;
use super::rpc::{Node, NodeError};
use super::Chain;
use cluster_core::chain::{Answer, Ask, BlockRef, Hash32, Header, Log};
use cluster_core::encoding::to_hex;
use cluster_crypto::ethereum::Address;
use ethers::types::{Log as EthLog, H160, H256, U256, U64};
use serde::Deserialize;
use serde_json::{json, Value};

/// Logs of contracts that the follower does not know, with the blocks that they are all of.
pub struct Others {
    /// First block.
    pub from: u64,
    /// Last block.
    pub to: u64,
    /// In the order of the chain.
    pub logs: Vec<Log>,
}

/// A block without what nobody needs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawHeader {
    number: U64,
    hash: H256,
    parent_hash: H256,
    timestamp: U256,
}

/// What came of a question.
pub struct Answered {
    /// For the follower.
    pub answer: Answer,
    /// With it, where logs were asked for.
    pub others: Option<Others>,
    /// Who said so.
    pub node: Node,
}

/// Asks the first node that has an answer.
pub async fn answer(chain: &Chain, ask: &Ask) -> Result<Answered, NodeError> {
    let endpoints = chain.reader.endpoints();
    match ask {
        Ask::Head => {
            let (head, node) = endpoints.ask_whom(|node| async move { head_of(&node).await }).await?;
            Ok(Answered { answer: Answer::Head(head), others: None, node })
        }
        Ask::Header { number } => {
            let number = *number;
            let (found, node) = endpoints.ask_whom(|node| async move { header(&node, number).await }).await?;
            Ok(Answered { answer: Answer::Header(found), others: None, node })
        }
        Ask::RangeLogs { from, to } => {
            let (from, to) = (*from, *to);
            let blocks = json!({ "fromBlock": quantity(from), "toBlock": quantity(to) });
            // Logs and last block from one node: one that lags has no logs, and no block either.
            let ((logs, end), node) = endpoints
                .ask_whom(|node| {
                    let blocks = blocks.clone();
                    async move {
                        let logs = logs(&node, chain, &blocks, from == to).await?;
                        let end = header(&node, to).await?;
                        let end = end.ok_or_else(|| node.misses(to))?;
                        Ok((logs, end))
                    }
                })
                .await?;
            let others = Some(Others { from, to, logs: logs.others });
            Ok(Answered { answer: Answer::RangeLogs { logs: logs.ours, end }, others, node })
        }
        Ask::BlockLogs { block } => {
            let number = block.number;
            let blocks = json!({ "blockHash": block.hash.to_string() });
            let (logs, node) = endpoints
                .ask_whom(|node| {
                    let blocks = blocks.clone();
                    async move { logs(&node, chain, &blocks, true).await }
                })
                .await?;
            let others = Some(Others { from: number, to: number, logs: logs.others });
            Ok(Answered { answer: Answer::BlockLogs(logs.ours), others, node })
        }
    }
}

struct Logs {
    ours: Vec<Log>,
    others: Vec<Log>,
}

/// Two filters: all logs of the network's contracts, because they are counted, and known events of the others.
async fn logs(node: &Node, chain: &Chain, blocks: &Value, single: bool) -> Result<Logs, NodeError> {
    let ours = filter(blocks, &chain.settings.contracts.addresses(), None);
    let others = filter(blocks, &chain.settings.lido.emitters(), Some(csm::events::topics()));
    let ours = get_logs(node, ours, single).await?;
    let mut others = get_logs(node, others, single).await?;
    others.sort_by_key(Log::position);
    others.dedup();
    Ok(Logs { ours, others })
}

fn filter(blocks: &Value, addresses: &[Address], topics: Option<Vec<[u8; 32]>>) -> Value {
    let mut filter = blocks.clone();
    filter["address"] = addresses.iter().map(|address| to_hex(&address.0)).collect();
    if let Some(topics) = topics {
        let first: Vec<String> = topics.iter().map(|topic| to_hex(topic)).collect();
        filter["topics"] = json!([first]);
    }
    filter
}

async fn get_logs(node: &Node, filter: Value, single: bool) -> Result<Vec<Log>, NodeError> {
    let found: Vec<EthLog> = match node.get("eth_getLogs", json!([filter])).await {
        // There is no smaller question than one block.
        Err(error @ NodeError::Refused { .. }) if single => return Err(node.at_fault(error)),
        found => found?,
    };
    found.iter().map(|log| read_log(log).ok_or_else(|| node.contradicts("a log names no block"))).collect()
}

/// Core's form of a log; `None` when it is pending or was taken back.
pub fn read_log(log: &EthLog) -> Option<Log> {
    if log.removed == Some(true) {
        return None;
    }
    let index = log.log_index.filter(|index| *index <= U256::from(u32::MAX))?;
    Some(Log {
        block: BlockRef { number: log.block_number?.as_u64(), hash: Hash32(log.block_hash?.0) },
        transaction_hash: Hash32(log.transaction_hash?.0),
        block_log_index: index.as_u32(),
        contract: address(&log.address),
        topics: log.topics.iter().map(|topic| topic.0).collect(),
        data: log.data.to_vec(),
    })
}

/// Core's form of an address.
pub fn address(address: &H160) -> Address {
    Address(address.0)
}

/// The block at a height; `None`: the node has none.
pub async fn header(node: &Node, number: u64) -> Result<Option<Header>, NodeError> {
    let found: Option<RawHeader> = match node.call("eth_getBlockByNumber", json!([quantity(number), false])).await {
        Err(error @ NodeError::Refused { .. }) => return Err(node.at_fault(error)),
        found => found?,
    };
    Ok(found.map(|raw| Header {
        block: BlockRef { number: raw.number.as_u64(), hash: Hash32(raw.hash.0) },
        parent_hash: Hash32(raw.parent_hash.0),
        // A time beyond 64 bits is as far in the future as one can be.
        time_s: u64::try_from(raw.timestamp).unwrap_or(u64::MAX),
    }))
}

/// A number as JSON-RPC writes it.
pub fn quantity(number: u64) -> String {
    format!("0x{number:x}")
}
