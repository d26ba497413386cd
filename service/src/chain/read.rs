//! Reading contracts for a caller: at one block, a bounded number of calls at a time, and each call once per block.

use super::metrics::ChainMetrics;
use super::rpc::{Endpoints, Node, NodeError};
use crate::problem::Problem;
use alloy_sol_types::SolCall;
use cluster_core::encoding::to_hex;
use cluster_crypto::ethereum::Address;
use ethers::types::U64;
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Calls to execution nodes on behalf of callers at a time.
const CALLS: usize = 16;
/// Answers that are remembered.
const ANSWERS: usize = 4_096;
/// Longest answer that is remembered: a hundred keys with their signatures have 15 kB.
const ANSWER_BYTES: usize = 32 * 1024;
/// For how long the head of the chain is taken to be the head.
const HEAD_AGE: Duration = Duration::from_secs(2);

/// Why nothing can be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// The contract refused.
    #[error("the contract refuses the call")]
    Reverted,
    /// The contract is not there, or another one.
    #[error("the contract {contract} gave an answer that cannot be read; is its address right?")]
    Unreadable {
        /// Its address.
        contract: Address,
    },
    /// No execution node has an answer.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The service is stopping.
    #[error("the service is stopping")]
    Stopping,
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Reverted => Problem::not_found("The contract knows nothing of this."),
            ReadError::Unreadable { .. } => {
                tracing::error!(%error, "a contract cannot be read");
                Problem::unavailable(format!("The chain cannot be read: {error}."))
            }
            ReadError::Node(_) | ReadError::Stopping => {
                Problem::unavailable("No execution node has an answer now; try again in a minute.")
            }
        }
    }
}

/// Reads contracts.
#[derive(Debug)]
pub struct Reader {
    endpoints: Endpoints,
    metrics: Arc<ChainMetrics>,
    slots: Semaphore,
    answers: Mutex<HashMap<Question, Arc<Vec<u8>>>>,
    head: tokio::sync::Mutex<Option<(u64, Instant)>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Question {
    block: u64,
    to: Address,
    data: Vec<u8>,
}

impl Reader {
    /// Over these nodes.
    pub fn new(endpoints: Endpoints, metrics: Arc<ChainMetrics>) -> Self {
        Self { endpoints, metrics, slots: Semaphore::new(CALLS), answers: Mutex::default(), head: Default::default() }
    }

    /// The nodes.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The newest block, at most two seconds old: what is read at it fits together.
    pub async fn head(&self) -> Result<u64, ReadError> {
        let mut head = self.head.lock().await;
        if let Some((number, _)) = head.filter(|(_, at)| at.elapsed() < HEAD_AGE) {
            return Ok(number);
        }
        let number = self.endpoints.ask(|node| async move { head_of(&node).await }).await?;
        *head = Some((number, Instant::now()));
        Ok(number)
    }

    /// Calls a function of a contract at a block.
    pub async fn call<C: SolCall>(&self, to: Address, call: &C, block: u64) -> Result<C::Return, ReadError> {
        let question = Question { block, to, data: call.abi_encode() };
        let held = self.answers.lock().unwrap_or_else(PoisonError::into_inner).get(&question).cloned();
        let answer = match held {
            Some(answer) => {
                self.metrics.cache_hits.inc();
                answer
            }
            None => {
                let _slot = self.slots.acquire().await.map_err(|_| ReadError::Stopping)?;
                let answer = Arc::new(self.ask(&question).await?);
                self.remember(question, answer.clone());
                answer
            }
        };
        C::abi_decode_returns(&answer).map_err(|_| ReadError::Unreadable { contract: to })
    }

    /// The same, without remembering the answer: for questions that strangers make up.
    pub async fn call_once<C: SolCall>(&self, to: Address, call: &C, block: u64) -> Result<C::Return, ReadError> {
        let question = Question { block, to, data: call.abi_encode() };
        let _slot = self.slots.acquire().await.map_err(|_| ReadError::Stopping)?;
        let answer = self.ask(&question).await?;
        C::abi_decode_returns(&answer).map_err(|_| ReadError::Unreadable { contract: to })
    }

    async fn ask(&self, question: &Question) -> Result<Vec<u8>, ReadError> {
        let (to, data) = (to_hex(&question.to.0), to_hex(&question.data));
        let params = json!([{ "to": to, "data": data }, format!("0x{:x}", question.block)]);
        let asked = self.endpoints.ask(|node: Node| {
            let params = params.clone();
            async move {
                match node.get::<ethers::types::Bytes>("eth_call", params).await {
                    Ok(bytes) => Ok(bytes.to_vec()),
                    // A node that lags does not know the block; that is no word of the contract.
                    Err(error @ NodeError::Refused { .. }) if !error.is_revert() => Err(node.at_fault(error)),
                    Err(error) => Err(error),
                }
            }
        });
        match asked.await {
            Ok(bytes) => Ok(bytes),
            Err(error) if error.is_revert() => Err(ReadError::Reverted),
            Err(error) => Err(error.into()),
        }
    }

    fn remember(&self, question: Question, answer: Arc<Vec<u8>>) {
        if answer.len() > ANSWER_BYTES {
            return;
        }
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= ANSWERS {
            // What was asked at older blocks is not asked again.
            answers.retain(|held, _| held.block >= question.block);
            if answers.len() >= ANSWERS {
                answers.clear();
            }
        }
        answers.insert(question, answer);
    }
}

/// The number of a node's newest block.
pub async fn head_of(node: &Node) -> Result<u64, NodeError> {
    let number: U64 = match node.get("eth_blockNumber", json!([])).await {
        Err(error @ NodeError::Refused { .. }) => return Err(node.at_fault(error)),
        answer => answer?,
    };
    Ok(number.as_u64())
}
