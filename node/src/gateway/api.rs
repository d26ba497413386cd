//! The gateway's own `POST /v1/requests`: the same path, body and errors as at the service.

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{header, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::Router;
use cluster_core::request::{SignedRequest, MAX_REQUEST_BYTES};
use serde_json::json;

use super::intake::{Intake, IntakeError};

pub(super) fn routes(intake: Intake) -> Router {
    Router::new().route("/v1/requests", post(submit)).layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES)).with_state(intake)
}

async fn submit(State(intake): State<Intake>, body: Bytes) -> Response {
    let signed: SignedRequest = match serde_json::from_slice(&body) {
        Ok(signed) => signed,
        Err(error) => {
            return problem(
                StatusCode::BAD_REQUEST,
                "malformed",
                "The call cannot be read",
                &error.to_string(),
                "",
                None,
            )
        }
    };
    let submitted = tokio::task::spawn_blocking(move || intake.submit(&signed)).await;
    match submitted {
        Ok(Ok(ceremony_id)) => {
            (StatusCode::ACCEPTED, axum::Json(json!({ "ceremony_id": ceremony_id }))).into_response()
        }
        Ok(Err(error)) => refused(&error),
        Err(_) => problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "The gateway cannot answer now",
            "The gateway is stopping.",
            "",
            None,
        ),
    }
}

fn refused(error: &IntakeError) -> Response {
    let detail = error.to_string();
    match error {
        IntakeError::Request(_) => {
            problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid-field", "A field is wrong", &detail, error.field(), None)
        }
        IntakeError::Replayed { ceremony_id } | IntakeError::NonceUsed { ceremony_id } => {
            let id = Some(ceremony_id.to_string());
            problem(StatusCode::CONFLICT, "conflict", "The call contradicts what is stored", &detail, error.field(), id)
        }
        IntakeError::Full => {
            problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The gateway cannot answer now", &detail, "", None)
        }
        IntakeError::Store(cause) => {
            tracing::error!(error = %cause, "the database failed");
            problem(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The gateway failed", &detail, "", None)
        }
    }
}

/// RFC 9457.
fn problem(
    status: StatusCode,
    name: &str,
    title: &str,
    detail: &str,
    field: &str,
    ceremony_id: Option<String>,
) -> Response {
    let mut body = json!({
        "type": format!("urn:cluster-node:problem:{name}"),
        "title": title,
        "status": status.as_u16(),
        "detail": detail,
    });
    if !field.is_empty() {
        body["field"] = json!(field);
    }
    if let Some(ceremony_id) = ceremony_id {
        body["ceremony_id"] = json!(ceremony_id);
    }
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}
