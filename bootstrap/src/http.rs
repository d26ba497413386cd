//! `/health`, `/ready` and `/metrics`.

use std::net::SocketAddr;

use axum::extract::State;
use axum::http::{header, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::Router;
use tokio_util::sync::CancellationToken;

use crate::{Metrics, StartError};

/// Serves until the bootstrap peer stops; returns the address with the port that the system chose.
pub(crate) async fn serve(
    address: SocketAddr,
    metrics: Metrics,
    stop: CancellationToken,
) -> Result<SocketAddr, StartError> {
    let failed = |error: std::io::Error| StartError::Listen { address: address.to_string(), reason: error.to_string() };
    let listener = tokio::net::TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let app = Router::new()
        .route("/health", get(|| async { "ok\n" }))
        .route("/ready", get(ready))
        .with_state(stop.clone())
        .merge(Router::new().route("/metrics", get(text)).with_state(metrics));
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned()).await {
            tracing::error!(%error, "the HTTP server stopped");
        }
    });
    Ok(address)
}

async fn ready(State(stop): State<CancellationToken>) -> impl IntoResponse {
    match stop.is_cancelled() {
        false => (StatusCode::OK, "ready\n"),
        true => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
    }
}

async fn text(State(metrics): State<Metrics>) -> impl IntoResponse {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics.encode())
}
