//! Login with a wallet (EIP-4361).

use super::extract::ApiJson;
use crate::auth::session::{self, NewSession, Owner};
use crate::auth::siwe::{Expected, Message, SiweError};
use crate::chain::wallet;
use crate::hex::{address_key, checksummed};
use crate::limits;
use crate::problem::{ApiResult, Problem};
use crate::state::AppState;
use axum::extract::State;
use axum::http::{header, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::Json;
use cluster_crypto::ethereum::{personal_message_digest, recover, RecoverableSignature};
use rand_core::{OsRng, RngCore};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a wallet's message must contain.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NonceAnswer {
    /// Goes into the message; good for one login.
    pub nonce: String,
    /// Unix milliseconds.
    pub expires_at_ms: u64,
    /// Chain id that the message must name.
    pub chain_id: u64,
    /// Origins that the message's domain and URI may name.
    pub origins: Vec<String>,
}

/// A signed login message.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginCall {
    /// The exact EIP-4361 text.
    pub message: String,
    /// `personal_sign` of it, 0x hex: 65 bytes of a key, or what a contract wallet (EIP-1271) takes, at most 4096 bytes.
    pub signature: String,
}

/// A session.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LoginAnswer {
    /// Sent back as `Authorization: Bearer <token>`.
    pub token: String,
    /// The address that the session belongs to, checksummed.
    pub owner: String,
    /// Unix milliseconds.
    pub expires_at_ms: u64,
}

/// A browser's session; both are null without one.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SessionAnswer {
    /// The address that the session belongs to, checksummed.
    pub owner: Option<String>,
    /// Unix milliseconds.
    pub expires_at_ms: Option<u64>,
}

impl From<SiweError> for Problem {
    fn from(error: SiweError) -> Self {
        Problem::invalid(error.field, error.detail)
    }
}

/// Gives a nonce for one login within five minutes.
#[utoipa::path(post, path = "/v1/auth/nonce", tag = "login",
    responses((status = 200, body = NonceAnswer), (status = 429, body = Problem)))]
pub async fn nonce(State(state): State<AppState>) -> ApiResult<Json<NonceAnswer>> {
    let mut random = [0u8; 16];
    OsRng.fill_bytes(&mut random);
    let nonce = hex::encode(random);
    let now_ms = state.clock.now_ms();
    let expires_at_ms = now_ms + limits::LOGIN_NONCE_TTL_MS;
    if !state.store.add_login_nonce(&nonce, now_ms, expires_at_ms, limits::LOGIN_NONCES).await? {
        return Err(Problem::too_many("Too many logins are under way; try again in a minute."));
    }
    let origins = state.origins.iter().map(ToString::to_string).collect();
    Ok(Json(NonceAnswer { nonce, expires_at_ms, chain_id: state.network.chain_id(), origins }))
}

/// Exchanges a signed EIP-4361 message for a session of 24 hours.
#[utoipa::path(post, path = "/v1/auth/login", tag = "login", request_body = LoginCall,
    responses((status = 200, body = LoginAnswer), (status = 401, body = Problem), (status = 422, body = Problem),
              (status = 503, body = Problem)))]
pub async fn login(State(state): State<AppState>, ApiJson(call): ApiJson<LoginCall>) -> ApiResult<Json<LoginAnswer>> {
    let (message, session) = begin_session(&state, &call).await?;
    let owner = message.address.to_string();
    Ok(Json(LoginAnswer { token: session.token, owner, expires_at_ms: session.expires_at_ms }))
}

/// The same for a browser: the session is in a cookie that scripts cannot read, and in nothing else.
#[utoipa::path(post, path = "/v1/auth/session", tag = "login", request_body = LoginCall,
    responses((status = 200, body = SessionAnswer), (status = 401, body = Problem), (status = 422, body = Problem),
              (status = 503, body = Problem)))]
pub async fn login_browser(State(state): State<AppState>, ApiJson(call): ApiJson<LoginCall>) -> ApiResult<Response> {
    let (message, session) = begin_session(&state, &call).await?;
    let cookie =
        session::set_cookie(&session.token, limits::SESSION_TTL_MS / 1000, message.uri.starts_with("https://"));
    let answer = SessionAnswer { owner: Some(message.address.to_string()), expires_at_ms: Some(session.expires_at_ms) };
    Ok(([(header::SET_COOKIE, cookie)], Json(answer)).into_response())
}

/// Says whose session the call carries; nobody's is an answer too, not an error.
#[utoipa::path(get, path = "/v1/auth/session", tag = "login", responses((status = 200, body = SessionAnswer)))]
pub async fn session(
    State(state): State<AppState>,
    owner: Result<Owner, Problem>,
) -> ApiResult<([(header::HeaderName, &'static str); 1], Json<SessionAnswer>)> {
    let answer = match owner {
        Ok(owner) => {
            let expires_at_ms = owner.expires_at_ms(&state).await?;
            SessionAnswer { owner: Some(checksummed(&owner.address)), expires_at_ms }
        }
        Err(problem) if problem.status == StatusCode::UNAUTHORIZED.as_u16() => {
            SessionAnswer { owner: None, expires_at_ms: None }
        }
        Err(problem) => return Err(problem),
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)))
}

async fn begin_session(state: &AppState, call: &LoginCall) -> ApiResult<(Message, NewSession)> {
    let now_ms = state.clock.now_ms();
    let message = Message::parse(&call.message)?;
    message.check(Expected { origins: &state.origins, chain_id: state.network.chain_id(), now_ms })?;
    let signature = parse_signature(&call.signature)?;
    check_signed(state, &message, &call.message, signature, now_ms).await?;
    // Last: only a login that is right in every other way uses the nonce up, and it does so exactly once.
    let mut write = state.store.write().await?;
    if !write.consume_login_nonce(&message.nonce, now_ms).await? {
        return Err(stale_nonce());
    }
    let session = session::create(&mut write, &address_key(&message.address), now_ms).await?;
    write.commit().await?;
    Ok((message, session))
}

fn stale_nonce() -> Problem {
    Problem::unauthorized("The nonce is unknown, used or expired; get a new one.").with_field("nonce")
}

fn parse_signature(text: &str) -> ApiResult<Vec<u8>> {
    let limit = limits::LOGIN_SIGNATURE_BYTES;
    let bad = || Problem::invalid("signature", format!("The signature must be 0x hex, at most {limit} bytes."));
    let digits = text.strip_prefix("0x").filter(|digits| digits.len() <= 2 * limit).ok_or_else(bad)?;
    hex::decode(digits).map_err(|_| bad())
}

/// Whether the message's address signed it: with its key, or, where it is a contract, in the contract's own word (EIP-1271).
async fn check_signed(
    state: &AppState,
    message: &Message,
    text: &str,
    signature: Vec<u8>,
    now_ms: u64,
) -> ApiResult<()> {
    let digest = personal_message_digest(text.as_bytes());
    let by_key = <[u8; 65]>::try_from(signature.as_slice())
        .ok()
        .and_then(|bytes| RecoverableSignature::from_bytes(&bytes).ok())
        .and_then(|signature| recover(&digest, &signature).ok());
    if by_key == Some(message.address) {
        return Ok(());
    }
    let not_signed = |detail: &str| Err(Problem::unauthorized(detail).with_field("signature"));
    let Some(chain) = &state.chain else {
        return not_signed(
            "The message was not signed by its address; contract wallets need a service that reads the chain.",
        );
    };
    // A node is asked only on behalf of a login that we began.
    if !state.store.has_login_nonce(&message.nonce, now_ms).await? {
        return Err(stale_nonce());
    }
    match wallet::signed(&chain.reader, message.address, digest, signature).await {
        Ok(true) => Ok(()),
        Ok(false) => not_signed("The message was not signed by its address."),
        Err(error) => Err(error.into()),
    }
}

/// Ends the session.
#[utoipa::path(post, path = "/v1/auth/logout", tag = "login", security(("session" = [])),
    responses((status = 204), (status = 401, body = Problem)))]
pub async fn logout(State(state): State<AppState>, owner: Owner) -> ApiResult<Response> {
    owner.log_out(&state).await?;
    // A browser forgets its cookie, too.
    let forget = session::set_cookie("", 0, false);
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, forget)]).into_response())
}
