//! JSON-RPC of execution nodes, over the transport interface of ethers.
//!
//! The HTTP transport that comes with ethers reads an answer whatever its length and knows no next node; this one is
//! bounded in bytes and time, lets a node rest that fails, and asks the next one. One question of several calls
//! ([`Endpoints::ask`]) goes to one node, so that its answers fit together.

use crate::chain::metrics::ChainMetrics;
use async_trait::async_trait;
use cluster_core::encoding::shorten;
use ethers::providers::{JsonRpcClient, JsonRpcError, ProviderError, RpcError};
use futures::StreamExt;
use reqwest::{header, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Largest answer: logs of a range, or one large receipt.
pub const ANSWER_BYTES: usize = 32 << 20;
/// Characters of a node's own words in errors and logs.
const WORDS: usize = 200;
/// A node that failed is asked last for this long, doubled with every failure in a row.
const REST: Duration = Duration::from_secs(2);
/// Longest rest.
const REST_LONGEST: Duration = Duration::from_secs(60);

/// Why a node gave no usable answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NodeError {
    /// No connection, or no answer in time.
    #[error("execution node {node} does not answer: {reason}")]
    Unreachable {
        /// Host of the node.
        node: String,
        /// Why.
        reason: String,
    },
    /// It asks for less.
    #[error("execution node {node} takes no more calls for now")]
    Busy {
        /// Host of the node.
        node: String,
    },
    /// It answers, but not as a node of Ethereum does.
    #[error("execution node {node} gave an answer that cannot be read: {reason}")]
    Garbage {
        /// Host of the node.
        node: String,
        /// Why.
        reason: String,
    },
    /// More bytes than are read.
    #[error("execution node {node} gave an answer of more than {ANSWER_BYTES} bytes")]
    TooLarge {
        /// Host of the node.
        node: String,
    },
    /// It follows another chain.
    #[error("execution node {node} follows chain {found}, not {expected}")]
    WrongChain {
        /// Host of the node.
        node: String,
        /// Chain id of this service.
        expected: u64,
        /// Chain id of the node.
        found: u64,
    },
    /// A JSON-RPC error: a call that reverts, a range that is too long.
    #[error("execution node {node} refused {method}: {error}")]
    Refused {
        /// Host of the node.
        node: String,
        /// JSON-RPC method.
        method: String,
        /// In its own words.
        error: JsonRpcError,
    },
    /// Answers that contradict each other.
    #[error("execution node {node} contradicts itself: {reason}")]
    Contradiction {
        /// Host of the node.
        node: String,
        /// How.
        reason: String,
    },
    /// A block below the announced head is missing: whoever announced the head is to blame.
    #[error("execution node {node} has no block {number}")]
    MissingBlock {
        /// Host of the node.
        node: String,
        /// Height.
        number: u64,
    },
    /// No node is configured.
    #[error("no execution node is configured")]
    NoNode,
}

impl NodeError {
    /// Whether another node may do better. A refusal may be about the question, so the caller decides on it.
    pub fn is_of_the_node(&self) -> bool {
        !matches!(self, NodeError::Refused { .. } | NodeError::TooLarge { .. } | NodeError::MissingBlock { .. })
    }

    /// Whether a contract reverted.
    pub fn is_revert(&self) -> bool {
        matches!(self, NodeError::Refused { error, .. } if error.code == 3 || error.message.contains("revert"))
    }

    /// Name of the kind, for metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            NodeError::Unreachable { .. } => "unreachable",
            NodeError::Busy { .. } => "busy",
            NodeError::Garbage { .. } => "garbage",
            NodeError::TooLarge { .. } => "too_large",
            NodeError::WrongChain { .. } => "wrong_chain",
            NodeError::Refused { .. } => "refused",
            NodeError::Contradiction { .. } => "contradiction",
            NodeError::MissingBlock { .. } => "missing_block",
            NodeError::NoNode => "no_node",
        }
    }
}

impl From<NodeError> for ProviderError {
    fn from(error: NodeError) -> Self {
        ProviderError::JsonRpcClientError(Box::new(error))
    }
}

impl RpcError for NodeError {
    fn as_error_response(&self) -> Option<&JsonRpcError> {
        match self {
            NodeError::Refused { error, .. } => Some(error),
            _ => None,
        }
    }

    fn as_serde_error(&self) -> Option<&serde_json::Error> {
        None
    }
}

/// One execution node. Cheap to clone.
#[derive(Clone)]
pub struct Node(Arc<Inner>);

struct Inner {
    url: Url,
    /// Host and port: the path and the user part of a URL may hold keys, and are shown nowhere.
    name: String,
    chain_id: u64,
    chain_checked: AtomicBool,
    http: reqwest::Client,
    next_id: AtomicU64,
    failures: AtomicU32,
    /// How often it was found not to be believed; never forgotten.
    lies: AtomicU32,
    resting_until: Mutex<Instant>,
}

impl fmt::Debug for Node {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Node({})", self.0.name)
    }
}

/// The execution nodes of the configuration, the preferred one first.
#[derive(Clone, Debug)]
pub struct Endpoints {
    nodes: Arc<Vec<Node>>,
    metrics: Arc<ChainMetrics>,
}

impl Endpoints {
    /// `timeout` bounds every single call.
    pub fn new(
        urls: &[Url],
        chain_id: u64,
        timeout: Duration,
        metrics: Arc<ChainMetrics>,
    ) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .timeout(timeout)
            .connect_timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let nodes = urls.iter().map(|url| {
            Node(Arc::new(Inner {
                name: name_of(url),
                url: url.clone(),
                chain_id,
                chain_checked: AtomicBool::new(false),
                http: http.clone(),
                next_id: AtomicU64::new(1),
                failures: AtomicU32::new(0),
                lies: AtomicU32::new(0),
                resting_until: Mutex::new(Instant::now()),
            }))
        });
        Ok(Self { nodes: Arc::new(nodes.collect()), metrics })
    }

    /// Puts a question to the preferred node that is not at rest, and to the next one when it fails by its own fault.
    /// A refusal or an answer that is too large is returned at once.
    pub async fn ask<T, F, Q>(&self, question: Q) -> Result<T, NodeError>
    where
        Q: Fn(Node) -> F,
        F: Future<Output = Result<T, NodeError>>,
    {
        self.ask_whom(question).await.map(|(answer, _)| answer)
    }

    /// A node that gave an answer is found not to be believed: others are asked first for a while.
    pub fn distrust(&self, node: &Node, reason: impl Into<String>) {
        let error = node.contradicts(reason);
        self.metrics.count_node_error(&node.0.name, error.kind());
        tracing::warn!(node = %node.0.name, %error, "execution node {} is asked last for a while", node.0.name);
        let lies = node.0.lies.fetch_add(1, Ordering::Relaxed).min(10);
        node.rest_for(REST.saturating_mul(1 << lies).min(REST_LONGEST));
    }

    /// As [`Endpoints::ask`], with the node that answered.
    pub async fn ask_whom<T, F, Q>(&self, question: Q) -> Result<(T, Node), NodeError>
    where
        Q: Fn(Node) -> F,
        F: Future<Output = Result<T, NodeError>>,
    {
        let mut last = NodeError::NoNode;
        for node in self.in_order() {
            let answer = match node.check_chain().await {
                Ok(()) => question(node.clone()).await,
                Err(error) => Err(error),
            };
            match answer {
                Err(error) if error.is_of_the_node() => {
                    self.metrics.count_node_error(&node.0.name, error.kind());
                    tracing::warn!(node = %node.0.name, %error, "execution node {} failed, the next one is asked", node.0.name);
                    node.rest(&error);
                    last = error;
                }
                Ok(answer) => {
                    node.rested();
                    return Ok((answer, node));
                }
                refused => return refused.map(|answer| (answer, node)),
            }
        }
        Err(last)
    }

    /// Nodes that do not rest in the order of the configuration, then the others by the end of their rest.
    fn in_order(&self) -> Vec<Node> {
        let now = Instant::now();
        let mut nodes: Vec<(Option<Instant>, Node)> = self
            .nodes
            .iter()
            .map(|node| {
                let until = *node.0.resting_until.lock().unwrap_or_else(PoisonError::into_inner);
                ((until > now).then_some(until), node.clone())
            })
            .collect();
        nodes.sort_by_key(|(until, _)| *until);
        nodes.into_iter().map(|(_, node)| node).collect()
    }
}

fn name_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or("unknown");
    url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A JSON-RPC answer.
#[derive(Deserialize)]
struct Reply<R> {
    #[serde(default = "none")]
    result: Option<R>,
    error: Option<JsonRpcError>,
}

fn none<R>() -> Option<R> {
    None
}

impl Node {
    /// Host and port.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// A block that the announced head promises.
    pub fn misses(&self, number: u64) -> NodeError {
        NodeError::MissingBlock { node: self.0.name.clone(), number }
    }

    /// A contradiction in what this node answered.
    pub fn contradicts(&self, reason: impl Into<String>) -> NodeError {
        NodeError::Contradiction { node: self.0.name.clone(), reason: reason.into() }
    }

    /// A refusal that is the node's own fault, so that another node is asked: the question was a simple one.
    pub fn at_fault(&self, error: NodeError) -> NodeError {
        match error {
            NodeError::Refused { error, .. } => self.garbage(error.message),
            other => other,
        }
    }

    /// One call; a `null` result is `None`.
    pub async fn call<R: DeserializeOwned>(
        &self,
        method: &str,
        params: impl Serialize,
    ) -> Result<Option<R>, NodeError> {
        let id = self.0.next_id.fetch_add(1, Ordering::Relaxed);
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let bytes = self.post(&body).await?;
        let reply: Reply<R> = serde_json::from_slice(&bytes).map_err(|error| self.garbage(error.to_string()))?;
        match (reply.result, reply.error) {
            (_, Some(mut error)) => {
                // The node's words go to logs; data may be as long as the answer.
                error.message = shorten(&error.message, WORDS);
                if is_busy(&error) {
                    return Err(NodeError::Busy { node: self.0.name.clone() });
                }
                let (node, method) = (self.0.name.clone(), method.to_owned());
                Err(NodeError::Refused { node, method, error })
            }
            (result, None) => Ok(result),
        }
    }

    /// One call whose answer must not be `null`.
    pub async fn get<R: DeserializeOwned>(&self, method: &str, params: impl Serialize) -> Result<R, NodeError> {
        self.call(method, params).await?.ok_or_else(|| self.garbage(format!("nothing came for {method}")))
    }

    async fn post(&self, body: &serde_json::Value) -> Result<Vec<u8>, NodeError> {
        let unreachable = |error: reqwest::Error| NodeError::Unreachable {
            node: self.0.name.clone(),
            reason: error.without_url().to_string(),
        };
        let response = self.0.http.post(self.0.url.clone()).json(body).send().await.map_err(unreachable)?;
        let status = response.status();
        if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
            self.rest_for(retry_after(response.headers()));
            return Err(NodeError::Busy { node: self.0.name.clone() });
        }
        let mut bytes = Vec::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            bytes.extend_from_slice(&chunk.map_err(unreachable)?);
            if bytes.len() > ANSWER_BYTES {
                return Err(NodeError::TooLarge { node: self.0.name.clone() });
            }
        }
        // Some nodes send a JSON-RPC error with a status of its own; what is no JSON is refused by the parser.
        if status.is_server_error() && !bytes.starts_with(b"{") {
            return Err(NodeError::Unreachable { node: self.0.name.clone(), reason: format!("HTTP status {status}") });
        }
        Ok(bytes)
    }

    fn garbage(&self, reason: String) -> NodeError {
        NodeError::Garbage { node: self.0.name.clone(), reason: shorten(&reason, WORDS) }
    }

    /// Once per node and whenever it failed: a proxy may have been pointed elsewhere.
    async fn check_chain(&self) -> Result<(), NodeError> {
        if self.0.chain_checked.load(Ordering::Relaxed) {
            return Ok(());
        }
        let found: ethers::types::U64 = self.get("eth_chainId", json!([])).await?;
        if found.as_u64() != self.0.chain_id {
            let (node, expected) = (self.0.name.clone(), self.0.chain_id);
            return Err(NodeError::WrongChain { node, expected, found: found.as_u64() });
        }
        self.0.chain_checked.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// An answer ends a row of failures, once the rest that they led to is over: a node that lies answers, too.
    fn rested(&self) {
        let until = *self.0.resting_until.lock().unwrap_or_else(PoisonError::into_inner);
        if until <= Instant::now() {
            self.0.failures.store(0, Ordering::Relaxed);
        }
    }

    fn rest(&self, error: &NodeError) {
        self.0.chain_checked.store(false, Ordering::Relaxed);
        let failures = self.0.failures.fetch_add(1, Ordering::Relaxed).min(10);
        let wait = match error {
            NodeError::WrongChain { .. } => REST_LONGEST,
            _ => REST.saturating_mul(1 << failures).min(REST_LONGEST),
        };
        self.rest_for(wait);
    }

    fn rest_for(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut resting = self.0.resting_until.lock().unwrap_or_else(PoisonError::into_inner);
        *resting = (*resting).max(until);
    }
}

/// Providers that count calls say so in a JSON-RPC error as often as in the HTTP status.
fn is_busy(error: &JsonRpcError) -> bool {
    let words = error.message.to_lowercase();
    error.code == 429 || ["rate limit", "too many requests", "per second"].iter().any(|known| words.contains(known))
}

/// Seconds of `Retry-After`, within bounds: a node does not decide for how long it is left alone.
fn retry_after(headers: &header::HeaderMap) -> Duration {
    let seconds = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    Duration::from_secs(seconds.unwrap_or(0)).clamp(REST, REST_LONGEST)
}

#[async_trait]
impl JsonRpcClient for Node {
    type Error = NodeError;

    async fn request<T, R>(&self, method: &str, params: T) -> Result<R, NodeError>
    where
        T: fmt::Debug + Serialize + Send + Sync,
        R: DeserializeOwned + Send,
    {
        self.get(method, params).await
    }
}
