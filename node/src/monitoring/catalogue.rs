//! Which metrics there are: read from what a registry with a sample of each one writes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use cluster_core::dkg::Step;

use crate::beacon;
use crate::duties::metrics::{self as duties, DutyMetrics};
use crate::metrics::{FaultLabel, Metrics, OutcomeLabel, PeerLabel, StepLabel};
use crate::network::traffic::NoTraffic;

/// Stands for a label value that is not one of a fixed list.
pub const ANY: &str = "any";
/// Labels whose values are numbers out of the registry of operators.
const NUMBERS: [&str; 1] = ["operator_id"];

/// One metric of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricInfo {
    /// The name as registered, with prefix and without the suffixes that its kind adds.
    pub name: String,
    /// counter, gauge or histogram.
    pub kind: String,
    /// One sentence.
    pub help: String,
    /// Each label with its values; [`ANY`] alone when they are not a fixed list.
    pub labels: BTreeMap<String, BTreeSet<String>>,
}

impl MetricInfo {
    /// The names that Prometheus has for it.
    #[must_use]
    pub fn series(&self) -> Vec<String> {
        let suffixes: &[&str] = match self.kind.as_str() {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        suffixes.iter().map(|suffix| format!("{}{suffix}", self.name)).collect()
    }
}

/// All metrics of an operator or gateway, in order of their names.
#[must_use]
pub fn metrics() -> Vec<MetricInfo> {
    let mut found: BTreeMap<String, MetricInfo> = BTreeMap::new();
    let mut current = String::new();
    for line in sampled().text().lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            name.clone_into(&mut current);
            let info = MetricInfo {
                name: current.clone(),
                kind: String::new(),
                help: help.trim_end_matches('.').to_owned(),
                labels: BTreeMap::new(),
            };
            found.insert(current.clone(), info);
        } else if let Some(info) = found.get_mut(&current) {
            if let Some((_, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
                kind.clone_into(&mut info.kind);
            } else if !line.starts_with('#') {
                note_labels(info, line);
            }
        }
    }
    found.into_values().collect()
}

/// Notes the labels of a sample. The values here are our own: none holds a quote, a comma or a brace.
fn note_labels(info: &mut MetricInfo, sample: &str) {
    let Some((_, rest)) = sample.split_once('{') else { return };
    let Some((labels, _)) = rest.split_once('}') else { return };
    for (label, value) in labels.split(',').filter_map(|pair| pair.split_once('=')) {
        let value = if NUMBERS.contains(&label) { ANY } else { value.trim_matches('"') };
        info.labels.entry(label.to_owned()).or_default().insert(value.to_owned());
    }
}

/// A node's metrics with a sample for every value of every label.
fn sampled() -> Metrics {
    let metrics = Metrics::new();
    for outcome in ["ready", "incomplete", "aborted"] {
        drop(metrics.ceremonies_ended.get_or_create(&OutcomeLabel { outcome }));
    }
    for outcome in ["accepted", "refused"] {
        drop(metrics.requests.get_or_create(&OutcomeLabel { outcome }));
    }
    for outcome in ["ok", "retry", "refused"] {
        drop(metrics.service_calls.get_or_create(&OutcomeLabel { outcome }));
    }
    for step in Step::ALL {
        drop(metrics.step_seconds.get_or_create(&StepLabel { step: step.name().to_owned() }));
    }
    drop(metrics.peer_faults.get_or_create(&FaultLabel { operator_id: 0, reason: ANY.to_owned() }));
    drop(metrics.operator_heard.get_or_create(&PeerLabel { operator_id: 0 }));
    sample_duties(&DutyMetrics::new(&metrics));
    let chain = crate::chain::ChainMetrics::new(&metrics);
    for outcome in ["ok", "failed"] {
        drop(chain.calls.get_or_create(&OutcomeLabel { outcome }));
    }
    beacon::metrics::register_sample(&metrics, ANY);
    metrics.with_registry(|registry| registry.register_collector(Box::new(NoTraffic)));
    metrics
}

fn sample_duties(metrics: &DutyMetrics) {
    for kind in cluster_core::duty::SigningKind::ALL.map(|kind| kind.name()) {
        for step in duties::STEPS {
            drop(metrics.step_seconds.get_or_create(&duties::StepLabel { kind, step }));
        }
        drop(metrics.rounds.get_or_create(&duties::DutyLabel { kind }));
        let label = duties::OperatorLabel { operator_id: 0, kind };
        drop(metrics.participation.get_or_create(&label));
        drop(metrics.bad_partials.get_or_create(&label));
    }
}

/// The list for people.
pub(super) fn page(metrics: &[MetricInfo]) -> String {
    let mut page =
        "# Metrics\n\nWhat `/metrics` of a node offers, written by `cluster-node monitoring`. Counters end in \
                    `_total`, histograms in `_bucket`, `_sum` and `_count`.\n\n| metric | kind | labels | meaning |\n\
                    | --- | --- | --- | --- |\n"
            .to_owned();
    for metric in metrics {
        let labels: Vec<String> = metric.labels.keys().filter(|label| *label != "le").map(ticked).collect();
        // Writing into a string does not fail.
        let _ = writeln!(page, "| `{}` | {} | {} | {} |", metric.name, metric.kind, labels.join(", "), metric.help);
    }
    page.push_str("\nLabels with a fixed list of values:\n\n| metric | label | values |\n| --- | --- | --- |\n");
    for metric in metrics {
        let fixed = metric.labels.iter().filter(|(label, values)| *label != "le" && !values.contains(ANY));
        for (label, values) in fixed {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            let _ = writeln!(page, "| `{}` | `{label}` | {} |", metric.name, values.join(", "));
        }
    }
    page
}

fn ticked(text: &String) -> String {
    format!("`{text}`")
}
