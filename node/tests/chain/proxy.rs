//! An execution node that misbehaves: a real HTTP server in front of anvil.

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{json, Value};
use tokio::task::JoinHandle;

/// How it misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Honest,
    /// 429 to every call.
    Busy,
    /// Announces a head that is far away.
    Boasting,
    /// Refuses ranges of more blocks, as public endpoints do.
    Ranges(u64),
    /// Nulls and errors.
    Broken,
}

#[derive(Clone)]
struct Shared {
    upstream: String,
    http: reqwest::Client,
    mood: Arc<Mutex<Mood>>,
    calls: Arc<Mutex<Vec<String>>>,
}

pub struct Proxy {
    pub url: String,
    shared: Shared,
    server: JoinHandle<()>,
}

impl Proxy {
    pub async fn start(upstream: &str, mood: Mood) -> Self {
        let shared = Shared {
            upstream: upstream.to_owned(),
            http: reqwest::Client::new(),
            mood: Arc::new(Mutex::new(mood)),
            calls: Arc::default(),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = axum::Router::new().route("/", post(answer)).with_state(shared.clone());
        let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, shared, server }
    }

    pub fn set(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap() = mood;
    }

    /// The methods called so far.
    pub fn calls(&self) -> Vec<String> {
        self.shared.calls.lock().unwrap().clone()
    }

    /// No connection any more.
    pub async fn kill(self) {
        self.server.abort();
        let _ = self.server.await;
    }
}

async fn answer(State(shared): State<Shared>, body: Bytes) -> Response {
    let call: Value = serde_json::from_slice(&body).unwrap();
    let method = call["method"].as_str().unwrap().to_owned();
    shared.calls.lock().unwrap().push(method.clone());
    let mood = *shared.mood.lock().unwrap();
    let error = |code: i64, message: &str| {
        axum::Json(json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": code, "message": message } })).into_response()
    };
    match mood {
        Mood::Busy => return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")]).into_response(),
        Mood::Boasting if method == "eth_blockNumber" => {
            return axum::Json(json!({ "jsonrpc": "2.0", "id": 1, "result": "0xfffff0" })).into_response();
        }
        Mood::Ranges(most) if method == "eth_getLogs" => {
            let number = |field: &str| {
                let text = call["params"][0][field].as_str()?;
                u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()
            };
            if let (Some(from), Some(to)) = (number("fromBlock"), number("toBlock")) {
                if to - from + 1 > most {
                    return error(-32_005, &format!("block range is limited to {most} blocks"));
                }
            }
        }
        Mood::Broken if method == "eth_getLogs" => return error(-32_000, "internal error"),
        Mood::Broken if method == "eth_getBlockByNumber" => return (StatusCode::BAD_GATEWAY, "<html>").into_response(),
        _ => {}
    }
    let response =
        shared.http.post(&shared.upstream).body(body).header("content-type", "application/json").send().await;
    match response {
        Ok(response) => response.bytes().await.unwrap().into_response(),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}
