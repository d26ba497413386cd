//! An HTTP proxy before anvil that behaves as providers do on bad days.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::Router;
use serde_json::{json, Value};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// How it behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Passes everything on.
    Honest,
    /// Does not answer.
    Dead,
    /// 429 with Retry-After.
    Busy,
    /// Refuses ranges of more than this many blocks.
    Ranges(u64),
    /// Announces a head this far above the real one.
    HeadAhead(u64),
    /// Answers with bytes that are no JSON.
    Garbage,
    /// Another chain.
    OtherChain,
}

#[derive(Clone)]
struct Shared {
    upstream: String,
    mood: Arc<Mutex<Mood>>,
    calls: Arc<AtomicU64>,
    http: reqwest::Client,
}

pub struct Proxy {
    pub url: String,
    shared: Shared,
}

impl Proxy {
    pub async fn start(upstream: &str, mood: Mood) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let shared =
            Shared { upstream: upstream.to_owned(), mood: Arc::new(Mutex::new(mood)), calls: Arc::default(), http };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().route("/", post(answer)).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, shared }
    }

    pub fn set(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap() = mood;
    }

    /// Calls that it got.
    pub fn calls(&self) -> u64 {
        self.shared.calls.load(Ordering::SeqCst)
    }
}

fn number(value: &Value) -> Option<u64> {
    u64::from_str_radix(value.as_str()?.trim_start_matches("0x"), 16).ok()
}

async fn answer(State(shared): State<Shared>, body: Bytes) -> Response {
    shared.calls.fetch_add(1, Ordering::SeqCst);
    let mood = *shared.mood.lock().unwrap();
    let call: Value = serde_json::from_slice(&body).unwrap();
    match mood {
        Mood::Dead => return StatusCode::BAD_GATEWAY.into_response(),
        Mood::Busy => return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")]).into_response(),
        Mood::Garbage => return "<html>welcome</html>".into_response(),
        _ => {}
    }
    if let (Mood::Ranges(most), "eth_getLogs") = (mood, call["method"].as_str().unwrap()) {
        let filter = &call["params"][0];
        let range = number(&filter["fromBlock"]).zip(number(&filter["toBlock"])).map(|(from, to)| to - from + 1);
        if range.is_some_and(|range| range > most) {
            let error = json!({ "code": -32000, "message": format!("block range is limited to {most}") });
            return axum::Json(json!({ "jsonrpc": "2.0", "id": call["id"], "error": error })).into_response();
        }
    }
    let upstream = shared.http.post(&shared.upstream).body(body).header("content-type", "application/json");
    let Ok(response) = upstream.send().await else { return StatusCode::BAD_GATEWAY.into_response() };
    let mut reply: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    match (mood, call["method"].as_str().unwrap()) {
        (Mood::HeadAhead(by), "eth_blockNumber") => {
            let head = number(&reply["result"]).unwrap();
            reply["result"] = json!(format!("{:#x}", head + by));
        }
        (Mood::OtherChain, "eth_chainId") => reply["result"] = json!("0x1"),
        _ => {}
    }
    axum::Json(reply).into_response()
}
