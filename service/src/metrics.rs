//! Prometheus metrics, served at `/metrics`.

use crate::chain::metrics::ChainMetrics;
use crate::state::AppState;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{exponential_buckets, Histogram};
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::time::Instant;

/// All metrics of the service.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    calls: Family<CallLabels, Counter>,
    call_seconds: Family<RouteLabels, Histogram>,
    /// Certificates published, by result.
    pub publications: Family<PublicationLabels, Counter>,
    /// Time to verify one certificate.
    pub verify_seconds: Histogram,
    /// Owners' requests accepted for the first time.
    pub requests_accepted: Counter,
    /// Gateways' polls that wait now.
    pub waiting_polls: Gauge,
    /// Event streams open now.
    pub event_streams: Gauge,
    /// Reading the chain.
    pub chain: Arc<ChainMetrics>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

/// Label of [`Metrics::publications`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PublicationLabels {
    /// What became of it.
    pub result: Publication,
}

/// What became of a published certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Publication {
    /// First of its ceremony.
    Created,
    /// Brought new attestations.
    Merged,
    /// Brought nothing new.
    Repeated,
    /// Contradicts the stored one.
    Conflict,
    /// Failed verification.
    Refused,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("cluster_service");
        let calls = Family::<CallLabels, Counter>::default();
        registry.register("http_calls", "HTTP calls answered", calls.clone());
        let call_seconds = Family::<RouteLabels, Histogram>::new_with_constructor(|| {
            Histogram::new(exponential_buckets(0.001, 2.0, 16))
        });
        registry.register("http_call_seconds", "Time from a call to the head of its answer", call_seconds.clone());
        let publications = Family::<PublicationLabels, Counter>::default();
        registry.register("publications", "Certificates published by gateways, by result", publications.clone());
        let verify_seconds = Histogram::new(exponential_buckets(0.001, 2.0, 14));
        registry.register("verify_seconds", "Time to verify one certificate", verify_seconds.clone());
        let requests_accepted = Counter::default();
        registry.register("requests_accepted", "Owners' requests accepted", requests_accepted.clone());
        let waiting_polls = Gauge::default();
        registry.register("waiting_polls", "Polls of gateways that wait", waiting_polls.clone());
        let event_streams = Gauge::default();
        registry.register("event_streams", "Event streams open", event_streams.clone());
        let chain = Arc::new(ChainMetrics::default());
        chain.register(&mut registry);
        Self {
            registry,
            calls,
            call_seconds,
            publications,
            verify_seconds,
            requests_accepted,
            waiting_polls,
            event_streams,
            chain,
        }
    }
}

impl Metrics {
    /// Counts a publication.
    pub fn count_publication(&self, result: Publication) {
        self.publications.get_or_create(&PublicationLabels { result }).inc();
    }

    fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// `GET /metrics`
pub async fn metrics(State(state): State<AppState>) -> Response {
    match state.metrics.text() {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => crate::problem::Problem::internal().into_response(),
    }
}

/// Middleware that counts and times calls by route pattern, so that ids in paths do not make labels.
pub async fn observe(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let route = match request.extensions().get::<MatchedPath>() {
        Some(path) => path.as_str().to_owned(),
        None => "unmatched".to_owned(),
    };
    let method = match request.method().as_str() {
        method @ ("GET" | "POST" | "PUT" | "DELETE" | "HEAD" | "OPTIONS") => method.to_owned(),
        _ => "other".to_owned(),
    };
    let begin = Instant::now();
    let response = next.run(request).await;
    let elapsed = begin.elapsed();
    let status = response.status().as_u16();
    tracing::debug!(%method, %route, status, elapsed_ms = elapsed.as_secs_f64() * 1000.0, "call answered");
    state.metrics.call_seconds.get_or_create(&RouteLabels { route: route.clone() }).observe(elapsed.as_secs_f64());
    state.metrics.calls.get_or_create(&CallLabels { method, route, status }).inc();
    response
}
