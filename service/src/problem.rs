//! Errors of the `/v1` API as RFC 9457 `application/problem+json`.

use crate::store::StoreError;
use axum::http::{header, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// A failed call: what went wrong, and in which field when one is to blame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// Stable name of the kind of problem, e.g. `urn:cluster-node:problem:invalid-field`.
    #[serde(rename = "type")]
    #[schema(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: &'static str,
    /// HTTP status code.
    pub status: u16,
    /// What is wrong in this very call, in one sentence.
    pub detail: String,
    /// The field of the request that is to blame, as a path such as `request.nonce`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Operators that have not attested, when that is the obstacle.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing_operators: Vec<u32>,
}

/// What the handlers of `/v1` return.
pub type ApiResult<T> = Result<T, Problem>;

impl Problem {
    fn new(status: StatusCode, name: &str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:cluster-node:problem:{name}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            field: None,
            missing_operators: Vec::new(),
        }
    }

    /// Names the field that is to blame.
    pub fn with_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Names the operators whose attestations are missing.
    pub fn with_missing_operators(mut self, missing_operators: Vec<u32>) -> Self {
        self.missing_operators = missing_operators;
        self
    }

    /// 400: the call cannot be read at all.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", "The call cannot be read", detail)
    }

    /// 401: nobody, or not who they say.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Authentication is missing or wrong", detail)
    }

    /// 403: authenticated, but not allowed.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "The caller may not do this", detail)
    }

    /// 404, also for rows of other owners, whose existence is nobody's business.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is no such thing", detail)
    }

    /// 405: the path exists, not for this method.
    pub fn method_not_allowed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method", "The method cannot be used here", detail)
    }

    /// 409: contradicts what is stored.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "The call contradicts what is stored", detail)
    }

    /// 413: more bytes than the route takes.
    pub fn too_large(limit_bytes: usize) -> Self {
        let detail = format!("The body is larger than {limit_bytes} bytes.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large", detail)
    }

    /// 422: readable, but a field is wrong.
    pub fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-field", "A field is wrong", detail).with_field(field)
    }

    /// 429: too many calls.
    pub fn too_many(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many", "Too many calls", detail)
    }

    /// 500: our fault. The cause goes to the log only.
    pub fn internal() -> Self {
        let detail = "The service failed; its log says why.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The service failed", detail)
    }

    /// 503: the service reads no chain.
    pub fn no_chain() -> Self {
        let detail = "This service reads no chain; its operator has to configure [chain].";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "no-chain", "No chain is read", detail)
    }

    /// 503: not now.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The service cannot answer now", detail)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "database call failed");
        Self::internal()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&self).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = header::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
