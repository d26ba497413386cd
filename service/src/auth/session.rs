//! Sessions: a random bearer token, of which the database knows only the hash.

use crate::limits;
use crate::problem::Problem;
use crate::state::AppState;
use crate::store::{StoreResult, WriteTx};
use axum::extract::FromRequestParts;
use axum::http::{header, request::Parts};
use cluster_core::encoding::to_hex;
use cluster_crypto::hash::TaggedHash;
use rand_core::{OsRng, RngCore};

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

    /// Whether the session still holds: a stream outlives the check at its beginning.
    pub async fn is_live(&self, state: &AppState) -> StoreResult<bool> {
        let owner = state.store.session_owner(&self.token_hash, state.clock.now_ms()).await?;
        Ok(owner.as_deref() == Some(self.address.as_str()))
    }
}

impl FromRequestParts<AppState> for Owner {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (scheme, token) = header.and_then(|value| value.split_once(' ')).unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("bearer") || token.len() != 64 {
            return Err(Problem::unauthorized("Log in first and send the session token as a bearer token."));
        }
        let token_hash = hash(token);
        match state.store.session_owner(&token_hash, state.clock.now_ms()).await? {
            Some(address) => Ok(Self { address, token_hash }),
            None => Err(Problem::unauthorized("The session is unknown or has ended; log in again.")),
        }
    }
}

fn hash(token: &str) -> String {
    to_hex(&TaggedHash::new("cluster-node/session/1").bytes(token.as_bytes()).finish())
}
