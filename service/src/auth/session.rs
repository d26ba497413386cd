//! Sessions: a random bearer token, of which the database knows only the hash. Browsers carry it in a cookie that scripts cannot read.

use crate::limits;
use crate::problem::Problem;
use crate::state::AppState;
use crate::store::{StoreResult, WriteTx};
use axum::extract::FromRequestParts;
use axum::http::{header, request::Parts, HeaderMap};
use cluster_core::encoding::to_hex;
use cluster_crypto::hash::TaggedHash;
use rand_core::{OsRng, RngCore};

/// Name of the browser's cookie.
const COOKIE: &str = "cluster_session";

/// The owner of the session that a call carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Lower-case address.
    pub address: String,
    token_hash: String,
}

/// A session that was just made.
pub struct NewSession {
    /// The bearer token: shown once, never stored.
    pub token: String,
    /// Unix milliseconds.
    pub expires_at_ms: u64,
}

/// Makes a session for an owner who has just proved an address.
pub async fn create(write: &mut WriteTx, owner: &str, now_ms: u64) -> StoreResult<NewSession> {
    let mut random = [0u8; 32];
    OsRng.fill_bytes(&mut random);
    let token = hex::encode(random);
    let expires_at_ms = now_ms + limits::SESSION_TTL_MS;
    write.add_session(&hash(&token), owner, expires_at_ms).await?;
    Ok(NewSession { token, expires_at_ms })
}

impl Owner {
    /// Ends the session.
    pub async fn log_out(&self, state: &AppState) -> StoreResult<()> {
        state.store.remove_session(&self.token_hash).await
    }

    /// When the session ends, Unix milliseconds.
    pub async fn expires_at_ms(&self, state: &AppState) -> StoreResult<Option<u64>> {
        state.store.session_end(&self.token_hash).await
    }

    /// Whether the session still holds: a stream outlives the check at its beginning.
    pub async fn is_live(&self, state: &AppState) -> StoreResult<bool> {
        let owner = state.store.session_owner(&self.token_hash, state.clock.now_ms()).await?;
        Ok(owner.as_deref() == Some(self.address.as_str()))
    }
}

impl FromRequestParts<AppState> for Owner {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let Some(token) = bearer(&parts.headers).or_else(|| cookie(&parts.headers)) else {
            return Err(Problem::unauthorized("Log in first and send the session token as a bearer token."));
        };
        let token_hash = hash(token);
        match state.store.session_owner(&token_hash, state.clock.now_ms()).await? {
            Some(address) => Ok(Self { address, token_hash }),
            None => Err(Problem::unauthorized("The session is unknown or has ended; log in again.")),
        }
    }
}

/// The value of `Set-Cookie` that gives a browser its session: for this site's own calls to `/v1` alone, and out of reach of scripts.
pub fn set_cookie(token: &str, max_age_s: u64, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}={token}; Path=/v1; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{secure}")
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && token.len() == 64).then_some(token)
}

/// A cookie comes along by itself, so it counts only for calls that the browser says this very site made. Other callers than browsers
/// do not send the header, and have no cookie that they did not set themselves.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let site = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
    if site.is_some_and(|site| site != "same-origin" && site != "none") {
        return None;
    }
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, token)| *name == COOKIE && token.len() == 64).map(|(_, token)| token)
}

fn hash(token: &str) -> String {
    to_hex(&TaggedHash::new("cluster-node/session/1").bytes(token.as_bytes()).finish())
}
