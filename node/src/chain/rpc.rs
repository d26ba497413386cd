//! One JSON-RPC call. Over HTTP the body of an answer is bounded, which ethers' own client does not do.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use cluster_core::encoding::shorten;
use ethers::providers::{JsonRpcClient, JsonRpcError, ProviderError, RpcError, Ws};
use reqwest::{header, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::Mutex;

/// Longest answer that is read, in bytes: ten thousand logs of registrations.
const MAX_ANSWER_BYTES: usize = 64 << 20;
/// Longest pause that an endpoint may ask for.
const MAX_RETRY_AFTER_S: u64 = 300;

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No connection, or it broke, or too slow.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// 429: not so fast.
    #[error("it answers too many calls already")]
    Limited {
        /// When it may be asked again.
        retry_after: Option<Duration>,
    },
    /// Another HTTP status.
    #[error("it answered with status {0}")]
    Status(u16),
    /// Longer than [`MAX_ANSWER_BYTES`].
    #[error("its answer is longer than {MAX_ANSWER_BYTES} bytes")]
    TooLong,
    /// JSON-RPC error.
    #[error("it refused: {0}")]
    Refused(#[from] JsonRpcError),
    /// Not the expected JSON.
    #[error("its answer is malformed: {0}")]
    Malformed(#[source] serde_json::Error),
}

impl From<CallError> for ProviderError {
    fn from(error: CallError) -> Self {
        ProviderError::JsonRpcClientError(Box::new(error))
    }
}

impl RpcError for CallError {
    fn as_error_response(&self) -> Option<&JsonRpcError> {
        match self {
            Self::Refused(error) => Some(error),
            _ => None,
        }
    }

    fn as_serde_error(&self) -> Option<&serde_json::Error> {
        match self {
            Self::Malformed(error) => Some(error),
            _ => None,
        }
    }
}

/// An HTTP endpoint as a transport of ethers.
pub(super) struct Http {
    client: reqwest::Client,
    url: reqwest::Url,
}

impl fmt::Debug for Http {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL often holds a key.
        out.write_str("Http")
    }
}

#[derive(Serialize)]
struct Call<'a, T> {
    jsonrpc: &'static str,
    id: u64,
    method: &'a str,
    params: T,
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    result: Option<Box<RawValue>>,
    #[serde(default)]
    error: Option<JsonRpcError>,
}

#[async_trait]
impl JsonRpcClient for Http {
    type Error = CallError;

    async fn request<T, R>(&self, method: &str, params: T) -> Result<R, CallError>
    where
        T: fmt::Debug + Serialize + Send + Sync,
        R: DeserializeOwned + Send,
    {
        let call = Call { jsonrpc: "2.0", id: 1, method, params };
        let sent = self.client.post(self.url.clone()).json(&call).send().await;
        let response = sent.map_err(|error| CallError::Unreachable(error.without_url().to_string()))?;
        let status = response.status();
        if status == StatusCode::TOO_MANY_REQUESTS {
            let after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
            let after = after.and_then(|text| text.trim().parse::<u64>().ok());
            let retry_after = after.map(|seconds| Duration::from_secs(seconds.min(MAX_RETRY_AFTER_S)));
            return Err(CallError::Limited { retry_after });
        }
        let body = read_bounded(response).await?;
        // Some endpoints send JSON-RPC errors with a status of their own.
        let reply: Reply = match serde_json::from_slice(&body) {
            Ok(reply) => reply,
            Err(_) if !status.is_success() => return Err(CallError::Status(status.as_u16())),
            Err(error) => return Err(CallError::Malformed(error)),
        };
        if let Some(error) = reply.error {
            return Err(CallError::Refused(error));
        }
        // A result of null is one: "no such block".
        let text = reply.result.as_ref().map_or("null", |result| result.get());
        serde_json::from_str(text).map_err(CallError::Malformed)
    }
}

async fn read_bounded(mut response: reqwest::Response) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len().saturating_add(chunk.len()) > MAX_ANSWER_BYTES => {
                return Err(CallError::TooLong);
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) => return Err(CallError::Unreachable(error.without_url().to_string())),
        }
    }
}

/// HTTP, or a WebSocket that is connected when it is first needed and again after it broke.
#[derive(Debug)]
pub(super) enum Transport {
    Http(Http),
    Ws { url: String, open: Mutex<Option<Ws>> },
}

impl Transport {
    /// `url` was checked by the configuration.
    pub(super) fn new(url: &str) -> Result<Self, String> {
        let parsed = reqwest::Url::parse(url).map_err(|error| error.to_string())?;
        if matches!(parsed.scheme(), "ws" | "wss") {
            return Ok(Self::Ws { url: url.to_owned(), open: Mutex::new(None) });
        }
        let client = reqwest::Client::builder().build().map_err(|error| error.to_string())?;
        Ok(Self::Http(Http { client, url: parsed }))
    }

    /// One call; `patience` bounds it with everything that it needs.
    pub(super) async fn call<T, R>(&self, method: &str, params: T, patience: Duration) -> Result<R, CallError>
    where
        T: fmt::Debug + Serialize + Send + Sync,
        R: DeserializeOwned + Send,
    {
        let called = tokio::time::timeout(patience, async {
            match self {
                Self::Http(http) => http.request(method, params).await,
                Self::Ws { .. } => self.over_socket(method, params).await,
            }
        });
        match called.await {
            Ok(result) => result,
            Err(_) => {
                self.hang_up().await;
                Err(CallError::Unreachable(format!("no answer within {} ms", patience.as_millis())))
            }
        }
    }

    /// An open socket, for a subscription; `None` over HTTP.
    pub(super) async fn socket(&self) -> Option<Result<Ws, CallError>> {
        let Self::Ws { url, open } = self else { return None };
        let mut open = open.lock().await;
        if let Some(socket) = open.as_ref() {
            return Some(Ok(socket.clone()));
        }
        Some(match Ws::connect(url.as_str()).await {
            Ok(socket) => {
                *open = Some(socket.clone());
                Ok(socket)
            }
            Err(error) => Err(CallError::Unreachable(shorten(&error.to_string(), 200))),
        })
    }

    /// The next call connects anew.
    pub(super) async fn hang_up(&self) {
        if let Self::Ws { open, .. } = self {
            *open.lock().await = None;
        }
    }

    async fn over_socket<T, R>(&self, method: &str, params: T) -> Result<R, CallError>
    where
        T: fmt::Debug + Serialize + Send + Sync,
        R: DeserializeOwned + Send,
    {
        let Some(socket) = self.socket().await else {
            return Err(CallError::Unreachable("it is no WebSocket".to_owned()));
        };
        let called = socket?.request(method, params).await;
        match called {
            Ok(result) => Ok(result),
            Err(error) => {
                if let Some(refused) = error.as_error_response() {
                    return Err(CallError::Refused(refused.clone()));
                }
                self.hang_up().await;
                Err(CallError::Unreachable(shorten(&error.to_string(), 200)))
            }
        }
    }
}
