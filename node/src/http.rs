//! The node's own HTTP server: `/metrics`, `/health`, `/ready`, and whatever routes a role adds.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use axum::extract::State;
use axum::http::{header, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::Router;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// Whether the node does its work; set by the role once it listens and holds its database.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Changes what `/ready` answers.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::SeqCst);
    }

    /// What `/ready` answers.
    #[must_use]
    pub fn get(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

#[derive(Clone)]
struct Shared {
    metrics: Metrics,
    readiness: Readiness,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    /// Where it listens, with the port that the system chose if port 0 was asked for.
    pub address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Listens and serves until `stop` is cancelled.
    pub async fn start(
        address: SocketAddr,
        metrics: Metrics,
        readiness: Readiness,
        routes: Router,
        stop: CancellationToken,
    ) -> std::io::Result<Self> {
        let listener = tokio::net::TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let app = Router::new()
            .route("/metrics", get(metrics_text))
            .route("/health", get(|| async { (StatusCode::OK, "ok\n") }))
            .route("/ready", get(ready))
            .with_state(Shared { metrics, readiness })
            .merge(routes);
        let task = tokio::spawn(async move {
            let served = axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned()).await;
            if let Err(error) = served {
                tracing::error!(%error, "the HTTP server stopped");
            }
        });
        Ok(Self { address, task })
    }

    /// Waits until the last response is out; call after `stop` was cancelled.
    pub async fn finish(self) {
        // A keep-alive connection of an idle client must not hold up a shutdown.
        let abort = self.task.abort_handle();
        if tokio::time::timeout(std::time::Duration::from_secs(2), self.task).await.is_err() {
            abort.abort();
        }
    }

    /// Stops at once.
    pub fn abort(&self) {
        self.task.abort();
    }
}

async fn metrics_text(State(shared): State<Shared>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], shared.metrics.text())
}

async fn ready(State(shared): State<Shared>) -> impl IntoResponse {
    if shared.readiness.get() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready: the node is starting or stopping\n")
    }
}
