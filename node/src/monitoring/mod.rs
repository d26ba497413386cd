//! Alert rules for Prometheus and dashboards for Grafana, made from the metrics that this version really has.
//!
//! `cluster-node monitoring --out DIR` writes them; `docs/monitoring/` holds them as they are now. A test reads every
//! expression again and compares each metric, label and label value with [`metrics()`].

mod alerts;
mod catalogue;
mod dashboards;

pub use alerts::{Alert, Severity, ALERTS};
pub use catalogue::{metrics, MetricInfo, ANY};
pub use dashboards::{Dashboard, Panel, Query, DASHBOARDS, INSTANCES};

/// Where the failure catalogue is, as alerts in this repository name it.
pub const DOCS: &str = "docs";

/// Every file with its content. `docs` is where links to the documentation begin.
#[must_use]
pub fn files(docs: &str) -> Vec<(String, String)> {
    let mut files =
        vec![("alerts.yaml".to_owned(), alerts::rules(docs)), ("metrics.md".to_owned(), catalogue::page(&metrics()))];
    files.extend(DASHBOARDS.iter().map(|dashboard| (format!("{}.json", dashboard.file), dashboards::json(dashboard))));
    files
}
