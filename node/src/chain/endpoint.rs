//! One execution node: the follower's questions as calls, answers in the follower's types.

use std::time::Duration;

use cluster_core::chain::{Answer, Ask, BlockRef, Contracts, Hash32, Header, Log};
use cluster_core::encoding::shorten;
use cluster_crypto::ethereum::Address;
use ethers::core::types::{self, Filter, H160, H256, U64};
use ethers::providers::{PubsubClient, Ws};
use futures::StreamExt;
use serde::Serialize;

use super::rpc::{CallError, Transport};

/// Words of endpoints that refuse a range; there is no code for it that all of them use.
const TOO_MUCH: &[&str] =
    &["range", "too many", "too large", "more than", "exceed", "limited to", "response size", "result set"];
/// Words of endpoints that ask for patience.
const TOO_FAST: &[&str] = &["rate limit", "rate-limit", "too many requests", "request count", "capacity"];

/// An empty list of parameters.
const NOTHING: [u8; 0] = [];

/// Why an execution node did not answer.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// Not now.
    #[error("the execution node {name} has no answer to {method}: {error}")]
    Call {
        /// The node, without what may be secret in its URL.
        name: String,
        /// The call.
        method: &'static str,
        /// What happened.
        error: CallError,
    },
    /// Fewer blocks at once.
    #[error("the execution node {name} gives out fewer blocks at once: {words}")]
    TooMuch {
        /// The node.
        name: String,
        /// Its words.
        words: String,
    },
    /// It asks for patience.
    #[error("the execution node {name} asks for patience")]
    Limited {
        /// The node.
        name: String,
        /// When it may be asked again.
        retry_after: Option<Duration>,
    },
    /// Of another network.
    #[error("the execution node {name} is on chain {found} instead of {expected}")]
    OtherChain {
        /// The node.
        name: String,
        /// Chain id of the network.
        expected: u64,
        /// Chain id of the node.
        found: u64,
    },
    /// It has not come as far as asked.
    #[error("the execution node {name} has no block {number}")]
    Behind {
        /// The node.
        name: String,
        /// Height asked for.
        number: u64,
    },
    /// An answer that cannot be.
    #[error("the execution node {name} gave an answer that cannot be: {what}")]
    Nonsense {
        /// The node.
        name: String,
        /// What is wrong.
        what: &'static str,
    },
}

/// One execution node.
#[derive(Debug)]
pub struct Endpoint {
    name: String,
    transport: Transport,
    contracts: Contracts,
    patience: Duration,
}

impl Endpoint {
    /// An endpoint at a URL that the configuration has checked.
    pub fn new(url: &str, contracts: Contracts, patience: Duration) -> Result<Self, String> {
        let parsed = reqwest::Url::parse(url).map_err(|error| error.to_string())?;
        let port = parsed.port().map(|port| format!(":{port}")).unwrap_or_default();
        // Neither path nor user: keys stand there.
        let name = format!("{}://{}{port}", parsed.scheme(), parsed.host_str().unwrap_or_default());
        Ok(Self { name, transport: Transport::new(url)?, contracts, patience })
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Refuses a node of another network.
    pub async fn check_chain(&self) -> Result<(), EndpointError> {
        let found: U64 = self.call("eth_chainId", NOTHING).await?;
        let (expected, found) = (self.contracts.chain_id, found.as_u64());
        if expected == found {
            return Ok(());
        }
        Err(EndpointError::OtherChain { name: self.name.clone(), expected, found })
    }

    /// Answers a question of the follower.
    pub async fn answer(&self, ask: &Ask) -> Result<Answer, EndpointError> {
        match ask {
            Ask::Head => {
                let number: U64 = self.call("eth_blockNumber", NOTHING).await?;
                Ok(Answer::Head(number.low_u64()))
            }
            Ask::Header { number } => Ok(Answer::Header(self.header(*number).await?)),
            Ask::BlockLogs { block } => {
                let filter = self.filter().at_block_hash(H256(block.hash.0));
                Ok(Answer::BlockLogs(self.logs(&filter).await?))
            }
            Ask::RangeLogs { from, to } => {
                // First the block, then the logs: a node that has not come so far would give none and no error.
                let end = self.header(*to).await?;
                let end = end.ok_or_else(|| EndpointError::Behind { name: self.name.clone(), number: *to })?;
                let filter = self.filter().from_block(*from).to_block(*to);
                Ok(Answer::RangeLogs { logs: self.logs(&filter).await?, end })
            }
        }
    }

    /// The logs of the contracts in a transaction; `None` when the chain does not have it.
    pub async fn receipt_logs(&self, transaction: Hash32) -> Result<Option<(BlockRef, Vec<Log>)>, EndpointError> {
        let receipt: Option<types::TransactionReceipt> =
            self.call("eth_getTransactionReceipt", [H256(transaction.0)]).await?;
        let Some(receipt) = receipt else { return Ok(None) };
        let (Some(number), Some(hash)) = (receipt.block_number, receipt.block_hash) else { return Ok(None) };
        let block = BlockRef { number: number.as_u64(), hash: Hash32(hash.0) };
        let ours = receipt.logs.into_iter().filter(|log| self.contracts.which(&Address(log.address.0)).is_some());
        let logs = ours.map(|log| self.log(log)).collect::<Result<Vec<_>, _>>()?;
        Ok(Some((block, logs)))
    }

    /// Calls `on_head` whenever the node announces a block; returns when the connection is gone, at once over HTTP.
    pub(super) async fn announcements(&self, mut on_head: impl FnMut()) {
        let Some(Ok(socket)) = self.transport.socket().await else { return };
        let subscribed: Result<ethers::core::types::U256, _> =
            ethers::providers::JsonRpcClient::request(&socket, "eth_subscribe", ["newHeads"]).await;
        let Ok(id) = subscribed else { return };
        let Ok(mut stream) = <Ws as PubsubClient>::subscribe(&socket, id) else { return };
        while stream.next().await.is_some() {
            on_head();
        }
        self.transport.hang_up().await;
    }

    fn filter(&self) -> Filter {
        let addresses: Vec<H160> = self.contracts.addresses().iter().map(|address| H160(address.0)).collect();
        Filter::new().address(addresses)
    }

    async fn header(&self, number: u64) -> Result<Option<Header>, EndpointError> {
        let block: Option<types::Block<H256>> = self.call("eth_getBlockByNumber", (U64::from(number), false)).await?;
        let Some(block) = block else { return Ok(None) };
        let (Some(number), Some(hash)) = (block.number, block.hash) else {
            return Err(self.nonsense("a block without number or hash"));
        };
        Ok(Some(Header {
            block: BlockRef { number: number.as_u64(), hash: Hash32(hash.0) },
            parent_hash: Hash32(block.parent_hash.0),
            time_s: block.timestamp.min(u64::MAX.into()).as_u64(),
        }))
    }

    async fn logs(&self, filter: &Filter) -> Result<Vec<Log>, EndpointError> {
        let logs: Vec<types::Log> = self.call("eth_getLogs", [filter]).await?;
        logs.into_iter().map(|log| self.log(log)).collect()
    }

    fn log(&self, log: types::Log) -> Result<Log, EndpointError> {
        let (Some(number), Some(hash)) = (log.block_number, log.block_hash) else {
            return Err(self.nonsense("a log without a block"));
        };
        let index = log.log_index.filter(|index| *index <= u32::MAX.into()).map(|index| index.as_u32());
        let (Some(index), Some(transaction)) = (index, log.transaction_hash) else {
            return Err(self.nonsense("a log without transaction or index"));
        };
        Ok(Log {
            block: BlockRef { number: number.as_u64(), hash: Hash32(hash.0) },
            transaction_hash: Hash32(transaction.0),
            block_log_index: index,
            contract: Address(log.address.0),
            topics: log.topics.into_iter().map(|topic| topic.0).collect(),
            data: log.data.to_vec(),
        })
    }

    fn nonsense(&self, what: &'static str) -> EndpointError {
        EndpointError::Nonsense { name: self.name.clone(), what }
    }

    async fn call<T, R>(&self, method: &'static str, params: T) -> Result<R, EndpointError>
    where
        T: std::fmt::Debug + Serialize + Send + Sync,
        R: serde::de::DeserializeOwned + Send,
    {
        let called = self.transport.call(method, params, self.patience).await;
        called.map_err(|error| self.sort(method, error))
    }

    fn sort(&self, method: &'static str, error: CallError) -> EndpointError {
        let name = self.name.clone();
        match error {
            CallError::Limited { retry_after } => EndpointError::Limited { name, retry_after },
            CallError::TooLong if method == "eth_getLogs" => EndpointError::TooMuch { name, words: error.to_string() },
            CallError::Refused(refused) => {
                let words = refused.message.to_lowercase();
                let says = |list: &[&str]| list.iter().any(|word| words.contains(word));
                if says(TOO_FAST) {
                    EndpointError::Limited { name, retry_after: None }
                } else if method == "eth_getLogs" && says(TOO_MUCH) {
                    EndpointError::TooMuch { name, words: shorten(&refused.message, 200) }
                } else {
                    EndpointError::Call { name, method, error: CallError::Refused(refused) }
                }
            }
            error => EndpointError::Call { name, method, error },
        }
    }
}
