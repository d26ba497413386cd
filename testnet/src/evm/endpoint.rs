//! An endpoint of the chain that has bad days: a real HTTP server before anvil, whose faults can be switched while it runs.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{header, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::Router;
use serde_json::{json, Value};
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::EvmError;

/// Largest question that is passed on, in bytes.
const QUESTION_BYTES: usize = 1 << 20;
/// How long anvil may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections that wait to be accepted.
const BACKLOG: u32 = 64;

/// What is wrong with an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It refuses connections.
    Refuse,
    /// 429 to every call.
    Busy,
    /// It announces a head so many blocks above the real one.
    HeadAbove(u64),
    /// It announces a head so many blocks below the real one.
    HeadBelow(u64),
    /// It gives out the logs of so many blocks at once.
    Ranges(u64),
    /// It takes so long for every answer.
    Delay(Duration),
}

impl Fault {
    /// Its name in reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Refuse => "refuses connections",
            Self::Busy => "429",
            Self::HeadAbove(_) => "head too high",
            Self::HeadBelow(_) => "head too low",
            Self::Ranges(_) => "100 blocks at once",
            Self::Delay(_) => "slow",
        }
    }
}

struct Shared {
    upstream: String,
    http: reqwest::Client,
    fault: Mutex<Fault>,
    calls: AtomicU64,
    spoiled: AtomicU64,
}

/// Serves until this is dropped, except while it refuses connections.
pub struct Endpoint {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// Bound and never listening: nobody else gets the port while connections are refused.
    _place: TcpSocket,
    server: tokio::sync::Mutex<Option<Server>>,
}

struct Server {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Endpoint {
    /// Begins to serve on a free port, without faults.
    pub async fn start(upstream: &str) -> Result<Self, EvmError> {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build();
        let http = http.map_err(|error| failed(&error))?;
        let place = socket().map_err(|error| failed(&error))?;
        place.bind(([127, 0, 0, 1], 0).into()).map_err(|error| failed(&error))?;
        let address = place.local_addr().map_err(|error| failed(&error))?;
        let shared = Shared {
            upstream: upstream.to_owned(),
            http,
            fault: Mutex::new(Fault::None),
            calls: AtomicU64::new(0),
            spoiled: AtomicU64::new(0),
        };
        let endpoint = Self { address, shared: Arc::new(shared), _place: place, server: tokio::sync::Mutex::new(None) };
        endpoint.set(Fault::None).await?;
        Ok(endpoint)
    }

    /// Of its JSON-RPC interface.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Switches; returns when the fault is there. Calls under way end as they began.
    pub async fn set(&self, fault: Fault) -> Result<(), EvmError> {
        let mut server = self.server.lock().await;
        *self.shared.fault() = fault;
        match (fault, server.take()) {
            (Fault::Refuse, None) => {}
            (Fault::Refuse, Some(mut running)) => {
                running.stop.cancel();
                let _ended = (&mut running.task).await;
            }
            (_, Some(running)) => *server = Some(running),
            (_, None) => *server = Some(self.serve().map_err(|error| failed(&error))?),
        }
        Ok(())
    }

    /// What is wrong with it now.
    #[must_use]
    pub fn fault(&self) -> Fault {
        *self.shared.fault()
    }

    /// Calls that reached it.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.shared.calls.load(Ordering::Relaxed)
    }

    /// Calls whose answer was not what anvil says, or none, or late.
    #[must_use]
    pub fn spoiled(&self) -> u64 {
        self.shared.spoiled.load(Ordering::Relaxed)
    }

    fn serve(&self) -> std::io::Result<Server> {
        let listening = socket()?;
        listening.bind(self.address)?;
        let listener = listening.listen(BACKLOG)?;
        let routes = Router::new()
            .route("/", post(answer))
            .layer(DefaultBodyLimit::max(QUESTION_BYTES))
            .with_state(Arc::clone(&self.shared));
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let task = tokio::spawn(async move {
            // Ends with the token; connections without a call under way are closed then.
            let _ended = axum::serve(listener, routes).with_graceful_shutdown(stopped).await;
        });
        Ok(Server { stop, task })
    }
}

impl Shared {
    fn fault(&self) -> std::sync::MutexGuard<'_, Fault> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spoil(&self) {
        self.spoiled.fetch_add(1, Ordering::Relaxed);
    }

    async fn pass_on(&self, question: Bytes) -> Result<Value, reqwest::Error> {
        let call = self.http.post(&self.upstream).header(header::CONTENT_TYPE, "application/json").body(question);
        call.send().await?.json().await
    }
}

fn socket() -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    Ok(socket)
}

fn failed(error: &dyn std::fmt::Display) -> EvmError {
    EvmError::Process { what: "an endpoint before anvil", reason: error.to_string() }
}

fn number(value: &Value) -> Option<u64> {
    u64::from_str_radix(value.as_str()?.strip_prefix("0x")?, 16).ok()
}

async fn answer(State(shared): State<Arc<Shared>>, question: Bytes) -> Response {
    shared.calls.fetch_add(1, Ordering::Relaxed);
    let fault = *shared.fault();
    let call: Value = serde_json::from_slice(&question).unwrap_or_default();
    match fault {
        Fault::Refuse => {
            shared.spoil();
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        Fault::Busy => {
            shared.spoil();
            return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")]).into_response();
        }
        Fault::Ranges(most) if blocks_of_logs(&call).is_some_and(|blocks| blocks > most) => {
            shared.spoil();
            let error = json!({ "code": -32_005, "message": format!("block range is limited to {most} blocks") });
            return axum::Json(json!({ "jsonrpc": "2.0", "id": call["id"], "error": error })).into_response();
        }
        Fault::Delay(delay) => {
            shared.spoil();
            tokio::time::sleep(delay).await;
        }
        _ => {}
    }
    let Ok(mut reply) = shared.pass_on(question).await else { return StatusCode::BAD_GATEWAY.into_response() };
    if let (true, Some(head)) = (call["method"] == "eth_blockNumber", number(&reply["result"])) {
        let told = match fault {
            Fault::HeadAbove(by) => head.saturating_add(by),
            Fault::HeadBelow(by) => head.saturating_sub(by),
            _ => head,
        };
        if told != head {
            shared.spoil();
            reply["result"] = json!(format!("{told:#x}"));
        }
    }
    axum::Json(reply).into_response()
}

/// Number of blocks whose logs are asked for by their range.
fn blocks_of_logs(call: &Value) -> Option<u64> {
    if call["method"] != "eth_getLogs" {
        return None;
    }
    let filter = &call["params"][0];
    let (from, to) = (number(&filter["fromBlock"])?, number(&filter["toBlock"])?);
    Some(to.saturating_sub(from).saturating_add(1))
}
