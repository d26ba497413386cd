//! One beacon node: calls to it, bounded and judged, and what is known of its health.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use cluster_core::beacon::{Fork, Slot};
use reqwest::header::{HeaderMap, ACCEPT, CONTENT_TYPE};
use reqwest::{Method, StatusCode, Url};
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use super::limits::{Endpoint, ERROR_LIMIT, MESSAGE_LIMIT, PUBLICATIONS};
use super::metrics::BeaconMetrics;
use super::{BeaconError, ItemFailure, NodeHealth, NodeState};
use crate::service_client::{truncate, words};

const SSZ: &str = "application/octet-stream";
const JSON: &str = "application/json";
const SSZ_OR_JSON: &str = "application/octet-stream;q=1.0,application/json;q=0.9";
const CONSENSUS_VERSION: &str = "eth-consensus-version";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a failure counts against a node, and how many do.
const STRIKE_AGE: Duration = Duration::from_secs(120);
const STRIKES: usize = 4;

/// A call to be made.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) endpoint: &'static Endpoint,
    method: Method,
    path: String,
    ssz_wanted: bool,
    fork: Option<Fork>,
    body: Option<Body>,
}

/// What a call carries.
#[derive(Clone, Debug)]
pub(super) enum Body {
    /// JSON text.
    Json(Bytes),
    /// SSZ bytes.
    Ssz(Bytes),
}

impl Call {
    pub(super) fn get(endpoint: &'static Endpoint, path: impl Into<String>) -> Self {
        let path = path.into();
        Self { endpoint, method: Method::GET, path, ssz_wanted: false, fork: None, body: None }
    }

    pub(super) fn post(endpoint: &'static Endpoint, path: impl Into<String>, body: Body) -> Self {
        Self { method: Method::POST, body: Some(body), ..Self::get(endpoint, path) }
    }

    /// Prefers an answer in SSZ.
    pub(super) fn ssz(mut self) -> Self {
        self.ssz_wanted = true;
        self
    }

    /// Names the fork of what is carried.
    pub(super) fn fork(mut self, fork: Option<Fork>) -> Self {
        self.fork = fork;
        self
    }
}

/// A good answer.
#[derive(Debug)]
pub(super) struct Answer {
    url: String,
    endpoint: &'static Endpoint,
    /// 200, or 202 for what was sent on without having been checked.
    pub(super) status: StatusCode,
    /// Whether the body is SSZ.
    pub(super) is_ssz: bool,
    headers: HeaderMap,
    /// The body.
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// Reads JSON.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, BeaconError> {
        serde_json::from_slice(&self.body).map_err(|error| self.wrong(error))
    }

    /// A header's text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The fork in the header that tells how to read the body.
    pub(super) fn fork(&self) -> Option<&str> {
        self.header(CONSENSUS_VERSION)
    }

    /// An answer that makes no sense.
    pub(super) fn wrong(&self, reason: impl ToString) -> BeaconError {
        let mut reason = reason.to_string();
        truncate(&mut reason, MESSAGE_LIMIT);
        BeaconError::Answer { url: self.url.clone(), endpoint: self.endpoint.name, reason }
    }
}

/// What is known of a node's health.
#[derive(Debug)]
struct Known {
    state: NodeState,
    reason: Option<String>,
    version: Option<String>,
    head_slot: Option<Slot>,
    latency_ms: Option<u64>,
    strikes: VecDeque<Instant>,
}

/// A beacon node.
pub(super) struct Node {
    base: String,
    /// The URL without password, path and query, which may be secrets.
    pub(super) shown: String,
    http: reqwest::Client,
    known: Mutex<Known>,
    errors: AtomicU64,
    takes_json_only: Mutex<BTreeSet<&'static str>>,
    /// Asks for a health check at once.
    pub(super) check: Notify,
    /// Publications under way.
    pub(super) publications: Semaphore,
    metrics: BeaconMetrics,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Node({})", self.shown)
    }
}

impl Node {
    /// A node at a base URL, which the configuration has checked.
    pub(super) fn new(url: &str, metrics: BeaconMetrics) -> Result<Self, BeaconError> {
        let base = url.trim_end_matches('/').to_owned();
        let shown = shown(&base);
        // Beacon nodes stand beside their validators: no proxy, and nobody sends us elsewhere.
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("cluster-node/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| BeaconError::Unreachable {
                url: shown.clone(),
                endpoint: "http",
                reason: words(&error),
            })?;
        let known = Known {
            state: NodeState::Unreachable,
            reason: Some("it has not been asked yet".to_owned()),
            version: None,
            head_slot: None,
            latency_ms: None,
            strikes: VecDeque::new(),
        };
        metrics.state(&shown, NodeState::Unreachable);
        Ok(Self {
            base,
            shown,
            http,
            known: Mutex::new(known),
            errors: AtomicU64::new(0),
            takes_json_only: Mutex::new(BTreeSet::new()),
            check: Notify::new(),
            publications: Semaphore::new(PUBLICATIONS),
            metrics,
        })
    }

    /// Makes a call that may take `timeout`. Failures are counted; what they mean for the node's rank is up to the caller.
    pub(super) async fn call(&self, call: &Call, timeout: Duration) -> Result<Answer, BeaconError> {
        let started = Instant::now();
        let result = match tokio::time::timeout(timeout, self.exchange(call)).await {
            Ok(result) => result,
            Err(_) => Err(BeaconError::Timeout {
                url: self.shown.clone(),
                endpoint: call.endpoint.name,
                after_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
            }),
        };
        self.metrics.request(&self.shown, started.elapsed());
        if let Err(error) = &result {
            self.count_error(call.endpoint.name);
            tracing::debug!(node = %self.shown, endpoint = call.endpoint.name, %error, "a call to a beacon node failed");
        }
        result
    }

    /// Counts a failure: of a call, or of an answer that makes no sense.
    pub(super) fn count_error(&self, endpoint: &'static str) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        self.metrics.error(&self.shown, endpoint);
    }

    /// Opens the stream of events; the caller bounds what it reads.
    pub(super) async fn stream(&self, call: &Call, timeout: Duration) -> Result<reqwest::Response, BeaconError> {
        let request = self.http.request(call.method.clone(), format!("{}{}", self.base, call.path));
        let sent = tokio::time::timeout(timeout, request.header(ACCEPT, "text/event-stream").send()).await;
        let response = match sent {
            Ok(sent) => sent.map_err(|error| self.unreachable(call.endpoint, error))?,
            Err(_) => {
                let after_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
                return Err(BeaconError::Timeout { url: self.shown.clone(), endpoint: call.endpoint.name, after_ms });
            }
        };
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        Err(self.refusal(call.endpoint, status, &self.read(response, call.endpoint, ERROR_LIMIT).await?))
    }

    async fn exchange(&self, call: &Call) -> Result<Answer, BeaconError> {
        let mut request = self.http.request(call.method.clone(), format!("{}{}", self.base, call.path));
        request = request.header(ACCEPT, if call.ssz_wanted { SSZ_OR_JSON } else { JSON });
        if let Some(fork) = call.fork {
            request = request.header(CONSENSUS_VERSION, fork.name());
        }
        request = match &call.body {
            None => request,
            Some(Body::Json(bytes)) => request.header(CONTENT_TYPE, JSON).body(bytes.clone()),
            Some(Body::Ssz(bytes)) => request.header(CONTENT_TYPE, SSZ).body(bytes.clone()),
        };
        let response = request.send().await.map_err(|error| self.unreachable(call.endpoint, error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let limit = if status.is_success() { call.endpoint.limit } else { ERROR_LIMIT };
        let body = self.read(response, call.endpoint, limit).await?;
        if !status.is_success() {
            return Err(self.refusal(call.endpoint, status, &body));
        }
        let is_ssz =
            headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).is_some_and(|kind| kind.starts_with(SSZ));
        Ok(Answer { url: self.shown.clone(), endpoint: call.endpoint, status, is_ssz, headers, body })
    }

    /// Reads at most `limit` bytes, whatever length is declared.
    async fn read(
        &self,
        mut response: reqwest::Response,
        endpoint: &'static Endpoint,
        limit: usize,
    ) -> Result<Vec<u8>, BeaconError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(endpoint, error))? {
            if bytes.len() + chunk.len() > limit {
                return Err(BeaconError::TooLong { url: self.shown.clone(), endpoint: endpoint.name, limit });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    fn unreachable(&self, endpoint: &'static Endpoint, error: reqwest::Error) -> BeaconError {
        // reqwest would put the whole URL into its words.
        let reason = words(&error.without_url());
        BeaconError::Unreachable { url: self.shown.clone(), endpoint: endpoint.name, reason }
    }

    fn refusal(&self, endpoint: &'static Endpoint, status: StatusCode, body: &[u8]) -> BeaconError {
        let (url, endpoint) = (self.shown.clone(), endpoint.name);
        let refusal = Refusal::read(body);
        if !refusal.failures.is_empty() {
            return BeaconError::Refused { url, endpoint, failures: refusal.failures, of: 0 };
        }
        match status {
            StatusCode::SERVICE_UNAVAILABLE => BeaconError::Syncing { url, endpoint, message: refusal.message },
            status => BeaconError::Status { url, endpoint, status: status.as_u16(), message: refusal.message },
        }
    }

    /// Whether an endpoint of this node has refused SSZ before.
    pub(super) fn takes_json_only(&self, endpoint: &Endpoint) -> bool {
        lock(&self.takes_json_only).contains(endpoint.name)
    }

    /// Remembers that an endpoint takes JSON and not SSZ.
    pub(super) fn set_json_only(&self, endpoint: &Endpoint) {
        lock(&self.takes_json_only).insert(endpoint.name);
    }

    /// What the node is good for at the moment.
    pub(super) fn state(&self) -> NodeState {
        lock(&self.known).state
    }

    /// Slot of its head, as far as known.
    pub(super) fn head_slot(&self) -> Option<Slot> {
        lock(&self.known).head_slot
    }

    /// State and number of recent failures, by which nodes are ranked.
    pub(super) fn rank(&self) -> (NodeState, usize) {
        let mut known = lock(&self.known);
        while known.strikes.front().is_some_and(|at| at.elapsed() > STRIKE_AGE) {
            known.strikes.pop_front();
        }
        (known.state, known.strikes.len())
    }

    /// Counts a failure against the node.
    pub(super) fn strike(&self) {
        let mut known = lock(&self.known);
        if known.strikes.len() >= STRIKES {
            known.strikes.pop_front();
        }
        known.strikes.push_back(Instant::now());
    }

    /// Changes the state; whether that was a change.
    pub(super) fn set_state(&self, state: NodeState, reason: Option<String>) -> bool {
        let mut known = lock(&self.known);
        let changed = known.state != state;
        known.state = state;
        if known.reason != reason || changed {
            let text = reason.as_deref().unwrap_or_default();
            match (changed, state) {
                (false, _) => {}
                (true, NodeState::Ready) => {
                    tracing::info!(node = %self.shown, "the beacon node {} is ready", self.shown)
                }
                (true, state) => {
                    tracing::warn!(node = %self.shown, state = state.name(), "the beacon node {} is {}: {text}", self.shown, state.name());
                }
            }
        }
        known.reason = reason;
        drop(known);
        self.metrics.state(&self.shown, state);
        changed
    }

    /// Remembers what a health check found out.
    pub(super) fn set_checked(&self, head_slot: Slot, latency: Duration) {
        let mut known = lock(&self.known);
        known.head_slot = Some(head_slot);
        known.latency_ms = u64::try_from(latency.as_millis()).ok();
        drop(known);
        self.metrics.head_slot(&self.shown, head_slot);
    }

    /// Remembers a head that the node reported.
    pub(super) fn set_head(&self, head_slot: Slot) {
        let mut known = lock(&self.known);
        known.head_slot = known.head_slot.max(Some(head_slot));
    }

    /// Remembers the node's software.
    pub(super) fn set_version(&self, version: String) {
        lock(&self.known).version = Some(version);
    }

    /// Everything known, for people.
    pub(super) fn health(&self) -> NodeHealth {
        let known = lock(&self.known);
        NodeHealth {
            url: self.shown.clone(),
            state: known.state,
            reason: known.reason.clone(),
            version: known.version.clone(),
            head_slot: known.head_slot,
            latency_ms: known.latency_ms,
            errors: self.errors.load(Ordering::Relaxed),
        }
    }
}

/// The body of an error.
struct Refusal {
    message: String,
    failures: Vec<ItemFailure>,
}

impl Refusal {
    fn read(body: &[u8]) -> Self {
        let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |value: Option<&serde_json::Value>| {
            let mut text = value.and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
            truncate(&mut text, MESSAGE_LIMIT);
            text
        };
        let mut message = text(value.get("message"));
        if message.is_empty() {
            message = String::from_utf8_lossy(body.get(..MESSAGE_LIMIT).unwrap_or(body)).into_owned();
        }
        let failures = value.get("failures").and_then(serde_json::Value::as_array);
        let failure = |item: &serde_json::Value| {
            // Some nodes write numbers, some decimal strings.
            let index = item.get("index")?;
            let index = index.as_u64().or_else(|| index.as_str()?.parse().ok())?;
            Some(ItemFailure { index: usize::try_from(index).ok()?, message: text(item.get("message")) })
        };
        Self { message, failures: failures.into_iter().flatten().filter_map(failure).collect() }
    }
}

/// A URL as it may be shown: scheme, host and port.
fn shown(base: &str) -> String {
    let Ok(url) = Url::parse(base) else { return "a beacon node".to_owned() };
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let rest = if matches!(url.path(), "" | "/") && url.query().is_none() { "" } else { "/..." };
    format!("{}://{host}{port}{rest}", url.scheme())
}

/// Nothing is left half-done under these locks, so a panic elsewhere does not spoil them.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
