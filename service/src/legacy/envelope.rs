//! `{code, message, data}` with HTTP 200, as existing apps expect it.

use crate::store::StoreError;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use axum::Json;
use serde::de::DeserializeOwned;
use serde::Serialize;
use serde_json::json;

/// Success.
pub const OK: u16 = 200;
/// The only code that existing apps treat specially: no cluster node is set up behind this service.
pub const NOT_SET_UP: u16 = 1001;

/// A failed legacy call; `code` is ours, the HTTP status is 200 all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LegacyError {
    /// 400 wrong input, 401 not signed in, 403 not allowed, 404 unknown, 409 contradiction, 500 our fault, 1001 not set up.
    pub code: u16,
    /// Shown to the user.
    pub message: String,
}

/// What legacy handlers return.
pub type LegacyResult<T> = Result<Envelope<T>, LegacyError>;

/// A successful answer.
pub struct Envelope<T> {
    /// What was asked for.
    pub data: T,
    /// `ok`, or what the caller may want to know besides.
    pub message: String,
}

/// A successful answer with nothing to add.
#[allow(non_snake_case)]
pub fn Envelope<T>(data: T) -> Envelope<T> {
    Envelope { data, message: "ok".to_owned() }
}

impl LegacyError {
    /// An error with this code.
    pub fn new(code: u16, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// Not signed in.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(401, message)
    }
}

impl<T: Serialize> IntoResponse for Envelope<T> {
    fn into_response(self) -> Response {
        Json(json!({ "code": OK, "message": self.message, "data": self.data })).into_response()
    }
}

impl IntoResponse for LegacyError {
    fn into_response(self) -> Response {
        Json(json!({ "code": self.code, "message": self.message, "data": null })).into_response()
    }
}

impl From<StoreError> for LegacyError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "database call failed");
        Self::new(500, "The service failed; its log says why.")
    }
}

/// A JSON body, whatever its content type; errors come as an envelope.
pub struct LegacyJson<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for LegacyJson<T> {
    type Rejection = LegacyError;

    async fn from_request(request: Request, state: &S) -> Result<Self, LegacyError> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| LegacyError::new(400, format!("The body could not be read: {rejection}.")))?;
        let mut reader = serde_json::Deserializer::from_slice(&bytes);
        let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            LegacyError::new(400, format!("The body is wrong at {}: {}.", error.path(), error.inner()))
        })?;
        reader.end().map_err(|_| LegacyError::new(400, "The body has more than one JSON value."))?;
        Ok(Self(value))
    }
}
