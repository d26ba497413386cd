//! The owner of validators, as a client of the service: log in, submit, follow, fetch.

use std::time::Duration;

use cluster_core::ceremony::CeremonyId;
use cluster_core::encoding::to_hex;
use cluster_core::request::SignedRequest;
use cluster_crypto::ethereum::{personal_message_digest, WalletKey};
use cluster_node::service_client::now_ms;
use cluster_service::auth::legacy::login_message;
use cluster_service::events::{CeremonyEvent, EventKind};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{json, Value};
use time::format_description::well_known::Rfc3339;
use time::OffsetDateTime;
use tokio::time::Instant;

/// Pause before a call is repeated that found the service away.
const RETRY: Duration = Duration::from_millis(100);
/// Longest silence of the event stream before the ceremony is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// How long the signature of an existing app counts, in seconds: less than the day that it may.
const LEGACY_SESSION_S: u64 = 3_600;
/// Bytes of events that wait to be read; the service writes a few hundred each.
const EVENT_LIMIT: usize = 1024 * 1024;

/// What the service told the owner, or why it told nothing.
#[derive(Debug, thiserror::Error)]
pub enum OwnerError {
    /// The service could not be reached.
    #[error("the service at {url} does not answer: {reason}")]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        reason: String,
    },
    /// The service refused.
    #[error("the service refused {call} with {status}: {detail}")]
    Refused {
        /// Method and path.
        call: String,
        /// HTTP status.
        status: u16,
        /// Its words.
        detail: String,
    },
    /// An answer without what it should have.
    #[error("the answer of the service to {call} has no `{field}`")]
    Incomplete {
        /// Method and path.
        call: String,
        /// What is missing.
        field: &'static str,
    },
    /// Nothing came in time.
    #[error("ceremony {ceremony_id} has no result after {} s; its status at the service is `{status}`", waited.as_secs())]
    TimedOut {
        /// Which.
        ceremony_id: CeremonyId,
        /// How long.
        waited: Duration,
        /// What the service says.
        status: String,
    },
}

impl OwnerError {
    fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => *status >= 500,
            _ => false,
        }
    }
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For keys at all.
    pub result: Duration,
    /// For the operators that are missing, once there are keys.
    pub missing: Duration,
}

/// How a ceremony stands at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All operators hold their shares; deposit data can be fetched.
    Ready,
    /// Keys are there, but these operators have not confirmed their shares.
    Incomplete {
        /// Their ids.
        missing: Vec<u32>,
    },
    /// There are no keys.
    Aborted {
        /// The operators' words.
        reason: String,
    },
}

/// What an owner downloads of a ready ceremony, as served.
#[derive(Clone, Debug)]
pub struct Files {
    /// Name of the deposit data file.
    pub deposit_name: String,
    /// The launchpad's array.
    pub deposit_data: String,
    /// `certificate.json`.
    pub certificate: String,
}

/// An owner with a session at one service.
pub struct Owner {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Owner {
    /// Logs in: the wallet signs an EIP-4361 text that names the service, the chain and a nonce.
    pub async fn log_in(base: &str, wallet: &WalletKey) -> Result<Self, OwnerError> {
        let unreachable =
            |error: reqwest::Error| OwnerError::Unreachable { url: base.to_owned(), reason: error.to_string() };
        // Everything is on this machine: a proxy of the environment would only be in the way.
        let http = reqwest::Client::builder().no_proxy().build().map_err(unreachable)?;
        let mut owner = Self { http, base: base.trim_end_matches('/').to_owned(), token: String::new() };
        let answer = owner.json(owner.call(Method::POST, "/v1/auth/nonce").json(&json!({})), "the nonce").await?;
        let message = owner.login_text(wallet, &answer)?;
        let signature = to_hex(&wallet.sign_digest(&personal_message_digest(message.as_bytes())).to_bytes());
        let call =
            owner.call(Method::POST, "/v1/auth/login").json(&json!({ "message": message, "signature": signature }));
        let session = owner.json(call, "the login").await?;
        owner.token = text(&session, "the login", "token")?;
        Ok(owner)
    }

    /// The session token, for `Authorization: Bearer`.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Submits a request.
    pub async fn submit(&self, signed: &SignedRequest) -> Result<CeremonyId, OwnerError> {
        self.json(self.call(Method::POST, "/v1/requests").json(signed), "the request").await?;
        Ok(signed.ceremony_id())
    }

    /// Asks for anything below the service's URL.
    pub async fn get(&self, path: &str) -> Result<Value, OwnerError> {
        self.json(self.call(Method::GET, path), path).await
    }

    /// The same for an answer that is no JSON.
    pub async fn text(&self, path: &str) -> Result<String, OwnerError> {
        let answer = self.send(self.call(Method::GET, path), path).await?;
        self.body(answer).await
    }

    /// Asks as existing apps do: the wallet signs each call's headers, and the answer is in an envelope.
    pub async fn legacy(&self, wallet: &WalletKey, path: &str, body: &Value) -> Result<Value, OwnerError> {
        let owner = wallet.address().to_string();
        let deadline_s = now_ms() / 1_000 + LEGACY_SESSION_S;
        let message = login_message(&owner, deadline_s).unwrap_or_default();
        let signature = to_hex(&wallet.sign_digest(&personal_message_digest(message.as_bytes())).to_bytes());
        let call = self.http.post(format!("{}{path}", self.base)).json(body);
        let call = call.header("v-signature", signature).header("v-owner", owner);
        let answer = self.json(call.header("v-deadline", deadline_s.to_string()), path).await?;
        let code = answer.get("code").and_then(Value::as_u64).unwrap_or_default();
        if code != 200 {
            let detail = text(&answer, path, "message").unwrap_or_default();
            let status = u16::try_from(code).unwrap_or_default();
            return Err(OwnerError::Refused { call: path.to_owned(), status, detail });
        }
        answer.get("data").cloned().ok_or_else(|| OwnerError::Incomplete { call: path.to_owned(), field: "data" })
    }

    /// Waits until the service shows a ceremony, which it does once it has read the request's event.
    pub async fn await_ceremony(&self, ceremony_id: CeremonyId, patience: Duration) -> Result<(), OwnerError> {
        let give_up = Instant::now() + patience;
        loop {
            match self.ceremony(ceremony_id).await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() >= give_up => return Err(error),
                Err(OwnerError::Refused { status: 404, .. }) => tokio::time::sleep(RETRY).await,
                Err(error) if error.is_transient() => tokio::time::sleep(RETRY).await,
                Err(error) => return Err(error),
            }
        }
    }

    /// The ceremony as the service shows it.
    pub async fn ceremony(&self, ceremony_id: CeremonyId) -> Result<Value, OwnerError> {
        self.json(self.call(Method::GET, &format!("/v1/ceremonies/{ceremony_id}")), "the ceremony").await
    }

    /// `certificate.json` of a ready ceremony.
    pub async fn certificate(&self, ceremony_id: CeremonyId) -> Result<String, OwnerError> {
        let path = format!("/v1/ceremonies/{ceremony_id}/certificate");
        let certificate = self.send(self.call(Method::GET, &path), "the certificate").await?;
        self.body(certificate).await
    }

    /// Certificate and deposit data of a ready ceremony.
    pub async fn files(&self, ceremony_id: CeremonyId) -> Result<Files, OwnerError> {
        let path = format!("/v1/ceremonies/{ceremony_id}");
        let certificate = self.certificate(ceremony_id).await?;
        let call = "the deposit data";
        let deposits = self.send(self.call(Method::GET, &format!("{path}/deposit-data")), call).await?;
        let named = deposits.headers().get("content-disposition").and_then(|value| value.to_str().ok());
        let deposit_name = named
            .and_then(|text| text.split("filename=\"").nth(1)?.split('"').next())
            // The name becomes a path.
            .filter(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)))
            .filter(|name| name.starts_with("deposit_data-"))
            .ok_or(OwnerError::Incomplete { call: call.to_owned(), field: "content-disposition" })?
            .to_owned();
        Ok(Files { deposit_name, deposit_data: self.body(deposits).await?, certificate })
    }

    /// Follows a ceremony to its end over the service's event stream; `seen` hears every event once, in order. A
    /// service that goes away for a while is waited for.
    pub async fn follow(
        &self,
        ceremony_id: CeremonyId,
        patience: Patience,
        seen: &mut (dyn FnMut(&CeremonyEvent) + Send),
    ) -> Result<Ending, OwnerError> {
        let began = Instant::now();
        let mut give_up = began + patience.result;
        let mut stream = Stream::new(self, ceremony_id);
        let mut waiting_for_missing = false;
        loop {
            let event = tokio::time::timeout_at(give_up.min(Instant::now() + LOOK_AGAIN), stream.next()).await;
            let look = match event {
                Ok(Ok(Some(event))) => {
                    seen(&event);
                    !matches!(event.body.kind, EventKind::Progress | EventKind::Requested)
                }
                Ok(Ok(None)) => {
                    tokio::time::sleep(RETRY).await;
                    true
                }
                Err(_) => true,
                Ok(Err(error)) if error.is_transient() => {
                    tokio::time::sleep(RETRY).await;
                    true
                }
                Ok(Err(error)) => return Err(error),
            };
            let is_late = Instant::now() >= give_up;
            if !look && !is_late {
                continue;
            }
            let ending = match self.ceremony(ceremony_id).await {
                Ok(ceremony) => ending(&ceremony)?,
                Err(error) if error.is_transient() && !is_late => Err("unknown".to_owned()),
                Err(error) => return Err(error),
            };
            match ending {
                Ok(Ending::Ready) => return Ok(Ending::Ready),
                Ok(ending) if is_late => return Ok(ending),
                // One operator's abort, or a certificate with somebody missing, may not be the last word.
                Ok(_) if !waiting_for_missing => {
                    waiting_for_missing = true;
                    give_up = give_up.min(Instant::now() + patience.missing);
                }
                Ok(_) => {}
                Err(status) if is_late => {
                    return Err(OwnerError::TimedOut { ceremony_id, waited: began.elapsed(), status });
                }
                Err(_) => {}
            }
        }
    }

    fn login_text(&self, wallet: &WalletKey, nonce: &Value) -> Result<String, OwnerError> {
        let call = "the nonce";
        let chain_id = nonce.get("chain_id").and_then(Value::as_u64);
        let chain_id = chain_id.ok_or(OwnerError::Incomplete { call: call.to_owned(), field: "chain_id" })?;
        let nonce = text(nonce, call, "nonce")?;
        let domain = self.base.split_once("://").map_or(self.base.as_str(), |(_, rest)| rest);
        // RFC 3339 can express every time that a clock of this century shows.
        let issued_at = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
        Ok(format!(
            "{domain} wants you to sign in with your Ethereum account:\n{}\n\nFollow the request for validators.\n\n\
             URI: {}\nVersion: 1\nChain ID: {chain_id}\nNonce: {nonce}\nIssued At: {issued_at}",
            wallet.address(),
            self.base
        ))
    }

    fn call(&self, method: Method, path: &str) -> RequestBuilder {
        let call = self.http.request(method, format!("{}{path}", self.base));
        if self.token.is_empty() {
            return call;
        }
        call.bearer_auth(&self.token)
    }

    async fn send(&self, call: RequestBuilder, name: &str) -> Result<reqwest::Response, OwnerError> {
        let response = call.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let problem = self.body(response).await.unwrap_or_default();
        let detail = serde_json::from_str::<Value>(&problem)
            .ok()
            .and_then(|problem| Some(problem.get("detail")?.as_str()?.to_owned()))
            .unwrap_or_else(|| status.to_string());
        Err(OwnerError::Refused { call: name.to_owned(), status: status.as_u16(), detail })
    }

    async fn json(&self, call: RequestBuilder, name: &str) -> Result<Value, OwnerError> {
        let response = self.send(call, name).await?;
        response.json().await.map_err(|error| self.unreachable(&error))
    }

    async fn body(&self, response: reqwest::Response) -> Result<String, OwnerError> {
        response.text().await.map_err(|error| self.unreachable(&error))
    }

    fn unreachable(&self, error: &reqwest::Error) -> OwnerError {
        OwnerError::Unreachable { url: self.base.clone(), reason: error.to_string() }
    }
}

/// `Err` holds the status of a ceremony that is still under way.
fn ending(ceremony: &Value) -> Result<Result<Ending, String>, OwnerError> {
    let status = text(ceremony, "the ceremony", "status")?;
    Ok(match status.as_str() {
        "ready" => Ok(Ending::Ready),
        "incomplete" => {
            let missing = ceremony.get("missing_operators").and_then(Value::as_array);
            let ids = missing.into_iter().flatten().filter_map(|id| u32::try_from(id.as_u64()?).ok());
            Ok(Ending::Incomplete { missing: ids.collect() })
        }
        "expired" => Ok(Ending::Aborted { reason: "the request expired before the ceremony had a result".to_owned() }),
        "aborted" => Ok(Ending::Aborted { reason: text(ceremony, "the ceremony", "abort_reason").unwrap_or_default() }),
        _ => Err(status),
    })
}

fn text(value: &Value, call: &str, field: &'static str) -> Result<String, OwnerError> {
    let found = value.get(field).and_then(Value::as_str);
    found.map(str::to_owned).ok_or_else(|| OwnerError::Incomplete { call: call.to_owned(), field })
}

/// The server-sent events of one ceremony, over as many connections as it takes.
struct Stream<'a> {
    owner: &'a Owner,
    ceremony_id: CeremonyId,
    response: Option<reqwest::Response>,
    buffer: Vec<u8>,
    last: i64,
}

impl<'a> Stream<'a> {
    fn new(owner: &'a Owner, ceremony_id: CeremonyId) -> Self {
        Self { owner, ceremony_id, response: None, buffer: Vec::new(), last: 0 }
    }

    /// The next event; `None` when the service has closed the stream. Cancel-safe.
    async fn next(&mut self) -> Result<Option<CeremonyEvent>, OwnerError> {
        loop {
            if let Some(event) = self.take() {
                self.last = event.seq;
                return Ok(Some(event));
            }
            if self.response.is_none() {
                let path = format!("/v1/ceremonies/{}/events", self.ceremony_id);
                let call = self.owner.call(Method::GET, &path).header("Last-Event-ID", self.last.to_string());
                let response = self.owner.send(call, "the events").await?;
                if response.status() == StatusCode::NO_CONTENT {
                    return Ok(None);
                }
                self.response = Some(response);
            }
            let Some(response) = &mut self.response else { return Ok(None) };
            match response.chunk().await {
                Ok(Some(chunk)) if self.buffer.len() + chunk.len() <= EVENT_LIMIT => {
                    self.buffer.extend_from_slice(&chunk)
                }
                Ok(_) => {
                    self.close();
                    return Ok(None);
                }
                Err(error) => {
                    self.close();
                    return Err(self.owner.unreachable(&error));
                }
            }
        }
    }

    fn close(&mut self) {
        self.response = None;
        self.buffer.clear();
    }

    /// Cuts one event off the buffer; comments and keep-alives are passed over.
    fn take(&mut self) -> Option<CeremonyEvent> {
        loop {
            let end = self.buffer.windows(2).position(|pair| pair == b"\n\n")?;
            let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
            let block = String::from_utf8_lossy(&block).into_owned();
            let data: String =
                block.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim_start).collect();
            if let Ok(event) = serde_json::from_str(&data) {
                return Some(event);
            }
        }
    }
}
