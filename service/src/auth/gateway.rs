//! Calls signed by a gateway's key.
//!
//! Headers: `x-cluster-pubkey` (33 bytes, 0x hex), `x-cluster-timestamp` (Unix milliseconds), `x-cluster-signature`
//! (64 bytes, 0x hex) over method, path with query, timestamp and SHA-256 of the body. A signature counts once.

use crate::limits;
use crate::problem::Problem;
use crate::state::AppState;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{request::Parts, StatusCode};
use cluster_core::encoding::{from_hex, to_hex};
use cluster_crypto::hash::TaggedHash;
use cluster_crypto::identity;
use sha2::{Digest, Sha256};

/// An authenticated call of a registered gateway, with its body.
#[derive(Debug)]
pub struct GatewayCall {
    /// Name of the gateway in the registry.
    pub gateway: String,
    /// The body as it was signed.
    pub body: Bytes,
}

/// The digest that a gateway signs for a call. `path` includes the query; `timestamp_ms` is Unix milliseconds.
pub fn call_digest(method: &str, path: &str, timestamp_ms: u64, body: &[u8]) -> [u8; 32] {
    TaggedHash::new("cluster-node/http/1")
        .bytes(method.as_bytes())
        .bytes(path.as_bytes())
        .u64(timestamp_ms)
        .bytes(&Sha256::digest(body))
        .finish()
}

struct Claim {
    gateway: String,
    public_key: identity::PublicKey,
    timestamp_ms: u64,
    signature: identity::Signature,
}

impl FromRequest<AppState> for GatewayCall {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        // Nobody but a registered gateway makes us read megabytes.
        let claim = read_claim(&parts, state)?;
        let method = parts.method.as_str().to_owned();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let body =
            Bytes::from_request(Request::from_parts(parts, body), state).await.map_err(|rejection| match rejection
                .status()
            {
                StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(cluster_core::certificate::MAX_CERTIFICATE_BYTES),
                _ => Problem::malformed("The body could not be read."),
            })?;
        let digest = call_digest(&method, &path, claim.timestamp_ms, &body);
        if claim.public_key.verify(&digest, &claim.signature).is_err() {
            return Err(
                Problem::unauthorized("The signature does not fit this call.").with_field("x-cluster-signature")
            );
        }
        // The digest, not the signature: another signature over the same call is the same call.
        let seen =
            TaggedHash::new("cluster-node/http-seen/1").bytes(&claim.public_key.to_bytes()).bytes(&digest).finish();
        let expires_at_ms = claim.timestamp_ms + 2 * limits::GATEWAY_WINDOW_MS;
        if !state.store.first_gateway_call(&to_hex(&seen), expires_at_ms).await? {
            let detail = "This signed call was made before; sign it again with a new timestamp.";
            return Err(Problem::unauthorized(detail).with_field("x-cluster-timestamp"));
        }
        Ok(Self { gateway: claim.gateway, body })
    }
}

fn read_claim(parts: &Parts, state: &AppState) -> Result<Claim, Problem> {
    let header = |name: &'static str| {
        let value = parts.headers.get(name).and_then(|value| value.to_str().ok());
        value.ok_or_else(|| Problem::unauthorized(format!("The header {name} is missing.")).with_field(name))
    };
    let wrong = |name: &'static str, why: &str| Problem::unauthorized(why).with_field(name);
    let pubkey = header("x-cluster-pubkey")?;
    let public_key = from_hex::<33>(pubkey)
        .ok()
        .and_then(|bytes| identity::PublicKey::from_bytes(&bytes).ok())
        .ok_or_else(|| wrong("x-cluster-pubkey", "The header is not a public key of 33 bytes."))?;
    let gateway = state.registry.gateways().into_iter().find(|entry| entry.public_key == public_key);
    let gateway = gateway.ok_or_else(|| wrong("x-cluster-pubkey", "The registry has no gateway with this key."))?;
    let timestamp = header("x-cluster-timestamp")?;
    let timestamp_ms: u64 =
        timestamp.parse().map_err(|_| wrong("x-cluster-timestamp", "The header is not a number of milliseconds."))?;
    if state.clock.now_ms().abs_diff(timestamp_ms) > limits::GATEWAY_WINDOW_MS {
        let detail = "The timestamp is more than five minutes away from the service's clock.";
        return Err(wrong("x-cluster-timestamp", detail));
    }
    let signature = from_hex::<64>(header("x-cluster-signature")?)
        .ok()
        .and_then(|bytes| identity::Signature::from_bytes(&bytes).ok())
        .ok_or_else(|| wrong("x-cluster-signature", "The header is not a signature of 64 bytes."))?;
    Ok(Claim { gateway: gateway.name, public_key, timestamp_ms, signature })
}
