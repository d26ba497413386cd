//! A beacon node that serves recorded answers, and misbehaves when told to.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{to_bytes, Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{header::CONTENT_TYPE, HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::Router;
use cluster_node::beacon::{BeaconNodes, NodeState};
use cluster_node::config::BeaconConfig;
use cluster_node::metrics::Metrics;
use futures::StreamExt;
use serde_json::{json, Value};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Answers of a real beacon node (Lodestar), minimal preset, Electra. The block has its blobs removed.
pub fn recorded(name: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("answers.json")).unwrap();
    all[name].clone()
}

/// What a node does with a call.
#[derive(Clone, Debug)]
pub enum Reaction {
    /// Answers with JSON.
    Json(Value),
    /// Answers with bytes of a kind, and headers.
    Bytes(&'static str, Vec<u8>, Vec<(&'static str, &'static str)>),
    /// Refuses.
    Status(u16, Value),
    /// Never answers.
    Hang,
    /// Answers text that is no JSON.
    Garbage,
    /// Answers without end.
    Endless,
    /// Breaks the connection in the middle of the answer.
    Break,
    /// Takes JSON and refuses SSZ with this status.
    JsonOnly(u16),
}

/// A call that a node got.
#[derive(Clone, Debug)]
pub struct Seen {
    pub path: String,
    pub kind: String,
    pub fork: String,
    pub body: Bytes,
}

#[derive(Clone)]
pub struct Fake {
    pub url: String,
    port: u16,
    state: Arc<Mutex<Known>>,
    events: broadcast::Sender<Bytes>,
}

struct Known {
    reactions: BTreeMap<String, Reaction>,
    seen: Vec<Seen>,
    /// How long a stream of events takes to open.
    opening: Duration,
}

impl Fake {
    /// A node that follows the recorded chain.
    pub async fn start() -> Self {
        let fake = Self::absent();
        fake.listen().await;
        fake
    }

    /// A node that is not there yet.
    pub fn absent() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let answers = [
            ("/eth/v1/node/version", json!({"data": {"version": "Recorded/1.0"}})),
            ("/eth/v1/node/syncing", syncing(100, 0, [false; 3])),
            ("/eth/v1/beacon/genesis", recorded("genesis")),
            ("/eth/v1/config/spec", recorded("spec")),
            ("/eth/v1/beacon/states/head/validators", recorded("validators")),
            ("/eth/v1/validator/duties/attester", recorded("attester_duties")),
            ("/eth/v1/validator/duties/proposer", recorded("proposer_duties")),
            ("/eth/v1/validator/duties/sync", recorded("sync_duties")),
            ("/eth/v1/validator/attestation_data", recorded("attestation_data")),
            ("/eth/v1/beacon/blocks/head/root", recorded("head_root")),
            ("/eth/v2/validator/aggregate_attestation", recorded("aggregate")),
            ("/eth/v1/validator/sync_committee_contribution", recorded("contribution")),
            ("/eth/v3/validator/blocks", recorded("block")),
        ];
        let reactions = answers.map(|(path, answer)| (path.to_owned(), Reaction::Json(answer))).into();
        Self {
            url: format!("http://127.0.0.1:{port}"),
            port,
            state: Arc::new(Mutex::new(Known { reactions, seen: Vec::new(), opening: Duration::ZERO })),
            events: broadcast::Sender::new(64),
        }
    }

    /// Begins to serve.
    pub async fn listen(&self) {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        let router = Router::new().fallback(serve).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    }

    /// Changes the reaction to calls whose path begins like this; to every call with "".
    pub fn set(&self, path: &str, reaction: Reaction) {
        self.state.lock().unwrap().reactions.insert(path.to_owned(), reaction);
    }

    /// Lets streams of events open late from now on.
    pub fn open_events_after(&self, opening: Duration) {
        self.state.lock().unwrap().opening = opening;
    }

    /// Takes a reaction back.
    pub fn clear(&self, path: &str) {
        self.state.lock().unwrap().reactions.remove(path);
    }

    /// Sends text to everybody who follows the events; waits for a follower.
    pub async fn send(&self, text: impl Into<Bytes>) {
        let text = text.into();
        while self.events.send(text.clone()).is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Calls so far whose path begins like this.
    pub fn seen(&self, path: &str) -> Vec<Seen> {
        let known = self.state.lock().unwrap();
        known.seen.iter().filter(|seen| seen.path.starts_with(path)).cloned().collect()
    }

    fn reaction(&self, path: &str) -> Option<Reaction> {
        let known = self.state.lock().unwrap();
        let all = known.reactions.get("").cloned();
        // The longest prefix wins, and a reaction to everything over all.
        let own = || {
            known.reactions.iter().filter(|(known, _)| path.starts_with(known.as_str())).map(|(_, own)| own).next_back()
        };
        all.or_else(|| own().cloned())
    }
}

pub fn syncing(head_slot: u64, distance: u64, [is_syncing, is_optimistic, el_offline]: [bool; 3]) -> Value {
    json!({"data": {
        "head_slot": head_slot.to_string(), "sync_distance": distance.to_string(),
        "is_syncing": is_syncing, "is_optimistic": is_optimistic, "el_offline": el_offline,
    }})
}

/// A client of nodes, with short patience; it lives until it is dropped.
pub struct Client {
    pub nodes: Arc<BeaconNodes>,
    pub metrics: Metrics,
    stop: CancellationToken,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Client {
    pub fn start(fakes: &[&Fake], change: impl FnOnce(&mut BeaconConfig)) -> Self {
        let mut config = BeaconConfig {
            urls: fakes.iter().map(|fake| fake.url.clone()).collect(),
            hedge_ms: 100,
            // Long: in most tests nothing is to time out, however busy the machine is.
            timeout_ms: 20_000,
            block_hedge_ms: 100,
            block_timeout_ms: 20_000,
            health_ms: 50,
            ..BeaconConfig::default()
        };
        change(&mut config);
        let (metrics, stop, tasks) = (Metrics::new(), CancellationToken::new(), TaskTracker::new());
        let nodes = BeaconNodes::start(&config, &metrics, stop.clone(), &tasks).unwrap();
        Self { nodes, metrics, stop }
    }

    /// Waits until the nodes are in these states.
    pub async fn until(&self, expected: &[NodeState]) {
        use cluster_node::beacon::Beacon;
        let states = || self.nodes.health().iter().map(|health| health.state).collect::<Vec<_>>();
        let wait = async {
            while states() != expected {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(20), wait).await;
        assert!(waited.is_ok(), "the nodes are {:?} and not {expected:?}: {:?}", states(), self.nodes.health());
    }
}

async fn serve(State(fake): State<Fake>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().unwrap().to_string();
    let header = |headers: &HeaderMap, name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let kind = header(&parts.headers, "content-type").unwrap_or_default();
    let fork = header(&parts.headers, "eth-consensus-version").unwrap_or_default();
    let body = to_bytes(body, 16 << 20).await.unwrap();
    fake.state.lock().unwrap().seen.push(Seen { path: path.clone(), kind: kind.clone(), fork, body });
    if path.starts_with("/eth/v1/events") && fake.reaction("/eth/v1/events").is_none() {
        let (opening, events) = (fake.state.lock().unwrap().opening, tokio_stream(fake.events.subscribe()));
        tokio::time::sleep(opening).await;
        return Response::builder().header(CONTENT_TYPE, "text/event-stream").body(events).unwrap();
    }
    match fake.reaction(&path) {
        Some(reaction) => react(reaction, &kind).await,
        None if parts.method == "POST" => StatusCode::OK.into_response(),
        None => (StatusCode::NOT_FOUND, axum::Json(json!({"code": 404, "message": "not found"}))).into_response(),
    }
}

async fn react(reaction: Reaction, kind: &str) -> Response {
    match reaction {
        Reaction::Json(value) => axum::Json(value).into_response(),
        Reaction::Bytes(kind, bytes, headers) => {
            let mut response = Response::builder().header(CONTENT_TYPE, kind);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Body::from(bytes)).unwrap()
        }
        Reaction::Status(status, body) => (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response(),
        Reaction::Hang => std::future::pending().await,
        Reaction::Garbage => "<html>it works!</html>".into_response(),
        Reaction::Endless => {
            let chunk = Bytes::from(vec![b'['; 64 << 10]);
            Body::from_stream(futures::stream::repeat(Ok::<_, Infallible>(chunk))).into_response()
        }
        Reaction::Break => {
            let parts = [Ok(Bytes::from_static(b"{\"data\":")), Err(std::io::Error::other("broken"))];
            Body::from_stream(futures::stream::iter(parts)).into_response()
        }
        Reaction::JsonOnly(_) if kind.starts_with("application/json") => StatusCode::OK.into_response(),
        Reaction::JsonOnly(status) => {
            (StatusCode::from_u16(status).unwrap(), axum::Json(json!({"message": "unsupported"}))).into_response()
        }
    }
}

fn tokio_stream(events: broadcast::Receiver<Bytes>) -> Body {
    let stream = futures::stream::unfold(events, |mut events| async { Some((events.recv().await.ok()?, events)) });
    // The comment lets the client know at once that it is connected.
    let hello = futures::stream::iter([Bytes::from_static(b": hello\n\n")]);
    Body::from_stream(hello.chain(stream).map(Ok::<_, Infallible>))
}
