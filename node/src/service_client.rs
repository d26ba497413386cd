//! Calls to the Cluster Node Service: by a gateway with signed headers, by an owner with a session token.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cluster_core::ceremony::CeremonyId;
use cluster_core::certificate::Certificate;
use cluster_core::request::SignedRequest;
use cluster_crypto::hash::TaggedHash;
use cluster_crypto::identity;
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use messages::*;

mod messages;

/// Bytes of an answer that are read: a certificate of 1,000 validators and 13 operators is about 5 MB of JSON.
const ANSWER_LIMIT: usize = 16 * 1024 * 1024;
/// Bytes of a problem's text that are shown.
const DETAIL_LIMIT: usize = 1024;

/// Why a call failed, and whether repeating it can help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The service cannot be reached, is overloaded or failed; the call may or may not have been carried out.
    #[error("the service at {base} did not answer as it should: {reason}")]
    Transient {
        /// Base URL.
        base: String,
        /// What happened.
        reason: String,
    },
    /// The service refused the call for good.
    #[error("{}{detail}", field.as_ref().map(|field| format!("{field}: ")).unwrap_or_default())]
    Refused {
        /// HTTP status.
        status: u16,
        /// The field that is wrong, when one is.
        field: Option<String>,
        /// Why.
        detail: String,
    },
}

/// `application/problem+json`, as far as it is shown.
#[derive(Debug, Default, Deserialize)]
struct Problem {
    #[serde(default)]
    detail: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    field: Option<String>,
}

/// A client of one service.
#[derive(Clone)]
pub struct ServiceClient {
    http: reqwest::Client,
    base: String,
    timeout: Duration,
}

impl std::fmt::Debug for ServiceClient {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "ServiceClient({})", self.base)
    }
}

impl ServiceClient {
    /// A client of the service (or of a gateway, for `POST /v1/requests`) at `base`.
    pub fn new(base: &str, timeout: Duration) -> Result<Self, CallError> {
        let base = base.trim_end_matches('/').to_owned();
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .user_agent(concat!("cluster-node/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| CallError::Transient { base: base.clone(), reason: error.to_string() })?;
        Ok(Self { http, base, timeout })
    }

    /// The base URL.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// `POST /v1/requests`: an owner submits a request.
    pub async fn submit_request(&self, request: &SignedRequest) -> Result<serde_json::Value, CallError> {
        let body = self.body_of(request)?;
        self.call(Method::POST, "/v1/requests", Some(body), &[], Duration::ZERO).await
    }

    /// A call with a session token, or without one.
    pub async fn owner_call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<serde_json::Value>,
        token: Option<&str>,
    ) -> Result<T, CallError> {
        let body = body.map(|body| self.body_of(&body)).transpose()?;
        let headers: Vec<(&str, String)> =
            token.map(|token| ("authorization", format!("Bearer {token}"))).into_iter().collect();
        self.call(method, path, body, &headers, Duration::ZERO).await
    }

    /// `GET /v1/gateway/requests`: waits up to `wait` for requests after the cursor.
    pub async fn poll_requests(
        &self,
        key: &identity::SecretKey,
        after: Option<&str>,
        wait: Duration,
    ) -> Result<PolledRequests, CallError> {
        let wait_ms = wait.as_millis();
        let path = match after {
            Some(after) => format!("/v1/gateway/requests?after={}&wait_ms={wait_ms}", percent_encoded(after)),
            None => format!("/v1/gateway/requests?wait_ms={wait_ms}"),
        };
        let headers = signed_headers(key, &Method::GET, &path, &[], now_ms());
        self.call(Method::GET, &path, None, &headers, wait).await
    }

    /// `PUT /v1/gateway/ceremonies/{ceremony_id}`: publishes a certificate. Idempotent.
    pub async fn publish(&self, key: &identity::SecretKey, certificate: &Certificate) -> Result<(), CallError> {
        let path = format!("/v1/gateway/ceremonies/{}", certificate.ceremony_id);
        self.signed(key, Method::PUT, &path, self.body_of(certificate)?).await
    }

    /// `POST /v1/gateway/ceremonies/{ceremony_id}/progress`.
    pub async fn progress(
        &self,
        key: &identity::SecretKey,
        ceremony_id: CeremonyId,
        report: &ProgressReport,
    ) -> Result<(), CallError> {
        let path = format!("/v1/gateway/ceremonies/{ceremony_id}/progress");
        self.signed(key, Method::POST, &path, self.body_of(report)?).await
    }

    /// `PUT /v1/gateway/performance`. Idempotent.
    pub async fn publish_performance(
        &self,
        key: &identity::SecretKey,
        report: &PerformanceReport,
    ) -> Result<(), CallError> {
        self.signed(key, Method::PUT, "/v1/gateway/performance", self.body_of(report)?).await
    }

    /// `PUT /v1/gateway/upkeep`. Idempotent.
    pub async fn report_upkeep(&self, key: &identity::SecretKey, report: &ReportedUpkeep) -> Result<(), CallError> {
        self.signed(key, Method::PUT, "/v1/gateway/upkeep", self.body_of(report)?).await
    }

    /// `PUT /v1/gateway/operators`. The newest report about an operator counts.
    pub async fn report_operators(&self, key: &identity::SecretKey, report: &OperatorsReport) -> Result<(), CallError> {
        self.signed(key, Method::PUT, "/v1/gateway/operators", self.body_of(report)?).await
    }

    /// `GET /v1/gateway/preflights`: waits up to `wait` for owners' questions, and takes them.
    pub async fn poll_preflights(
        &self,
        key: &identity::SecretKey,
        wait: Duration,
    ) -> Result<OpenPreflights, CallError> {
        let path = format!("/v1/gateway/preflights?wait_ms={}", wait.as_millis());
        let headers = signed_headers(key, &Method::GET, &path, &[], now_ms());
        self.call(Method::GET, &path, None, &headers, wait).await
    }

    /// `PUT /v1/gateway/preflights/{preflight_id}`. Idempotent: the first answer counts.
    pub async fn report_preflight(
        &self,
        key: &identity::SecretKey,
        preflight_id: &str,
        report: &PreflightReport,
    ) -> Result<(), CallError> {
        let path = format!("/v1/gateway/preflights/{}", percent_encoded(preflight_id));
        self.signed(key, Method::PUT, &path, self.body_of(report)?).await
    }

    async fn signed(
        &self,
        key: &identity::SecretKey,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<(), CallError> {
        let headers = signed_headers(key, &method, path, &body, now_ms());
        let response = self.send(method, path, Some(body), &headers, Duration::ZERO).await?;
        self.checked(response).await.map(|_| ())
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        headers: &[(&str, String)],
        wait: Duration,
    ) -> Result<T, CallError> {
        let response = self.send(method, path, body, headers, wait).await?;
        let bytes = self.checked(response).await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| self.transient(format!("its answer to {path} is not understood: {error}")))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        headers: &[(&str, String)],
        wait: Duration,
    ) -> Result<reqwest::Response, CallError> {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).timeout(self.timeout + wait);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        request.send().await.map_err(|error| self.transient(words(&error)))
    }

    /// The body of a 2xx answer; otherwise what the answer says is wrong.
    async fn checked(&self, response: reqwest::Response) -> Result<Vec<u8>, CallError> {
        let status = response.status();
        let bytes = self.read(response).await?;
        if status.is_success() {
            return Ok(bytes);
        }
        let problem: Problem = serde_json::from_slice(&bytes).unwrap_or_default();
        let mut detail = problem.detail.or(problem.title).unwrap_or_else(|| format!("the service answered {status}"));
        truncate(&mut detail, DETAIL_LIMIT);
        // A clock that is off (401), a limit (429) or a slow service (408) can be mended without changing the call.
        let may_pass = status.is_server_error()
            || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::UNAUTHORIZED);
        if may_pass {
            return Err(self.transient(format!("{status}: {detail}")));
        }
        Err(CallError::Refused { status: status.as_u16(), field: problem.field, detail })
    }

    /// Reads at most [`ANSWER_LIMIT`] bytes, whatever length is declared.
    async fn read(&self, mut response: reqwest::Response) -> Result<Vec<u8>, CallError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.transient(words(&error)))? {
            if bytes.len() + chunk.len() > ANSWER_LIMIT {
                return Err(self.transient(format!("its answer is longer than {ANSWER_LIMIT} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    fn body_of<T: Serialize>(&self, value: &T) -> Result<Vec<u8>, CallError> {
        serde_json::to_vec(value)
            .map_err(|error| self.transient(format!("the call cannot be written as JSON: {error}")))
    }

    fn transient(&self, reason: String) -> CallError {
        CallError::Transient { base: self.base.clone(), reason }
    }
}

/// The headers with which a gateway signs a call: method, path with query, time and body are all bound.
#[must_use]
pub fn signed_headers(
    key: &identity::SecretKey,
    method: &Method,
    path: &str,
    body: &[u8],
    timestamp_ms: u64,
) -> Vec<(&'static str, String)> {
    let body_digest: [u8; 32] = Sha256::digest(body).into();
    let digest = TaggedHash::new("cluster-node/http/1")
        .bytes(method.as_str().as_bytes())
        .bytes(path.as_bytes())
        .u64(timestamp_ms)
        .bytes(&body_digest)
        .finish();
    let signature = key.sign(&digest);
    vec![
        ("x-cluster-pubkey", key.public_key().to_string()),
        ("x-cluster-timestamp", timestamp_ms.to_string()),
        ("x-cluster-signature", cluster_core::encoding::to_hex(&signature.to_bytes())),
    ]
}

/// Milliseconds since the Unix epoch.
#[must_use]
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Cuts a text at a character boundary.
pub(crate) fn truncate(text: &mut String, limit: usize) {
    if text.len() > limit {
        let mut end = limit;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
}

fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// reqwest hides the cause ("connection refused") behind the failed step.
pub(crate) fn words(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
