//! What operator processes use: a line every second from each, and the sums over their lives.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::report::{LifeFigures, OperatorFigures, Percentiles};
use super::signed::read_lines;

/// After the last connection an operator exchanges records and addresses; and least time for a figure.
const SETTLED_MS: u64 = 3_000;

/// One line: everything is counted from the start of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatsLine {
    /// Unix milliseconds.
    pub at_ms: u64,
    /// Process id.
    pub pid: u32,
    /// What it runs.
    #[serde(default)]
    pub release: String,
    /// Base URL of its HTTP server.
    #[serde(default)]
    pub http: Option<String>,
    /// Messages sent in the newest version of a protocol that it speaks, by protocol.
    #[serde(default)]
    pub newest_sent: BTreeMap<String, u64>,
    /// Messages sent in older versions, by protocol.
    #[serde(default)]
    pub older_sent: BTreeMap<String, u64>,
    /// Processor time, user and system.
    pub cpu_ms: u64,
    /// Most memory so far.
    pub rss_bytes: u64,
    /// Bytes sent, by protocol.
    pub bytes_sent: BTreeMap<String, u64>,
    /// Most milliseconds by which a timer was late since the line before.
    #[serde(default)]
    pub timer_lag_ms: u64,
    /// Validators whose shares it holds and whose duties it performs; counted where a chain registers them.
    #[serde(default)]
    pub validators: Option<usize>,
    /// Operators that it is connected to.
    pub operators_connected: usize,
    /// What it counted against others.
    #[serde(default)]
    pub faults: Vec<FaultCount>,
}

/// How often an operator committed a fault, by its own or another's count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultCount {
    /// Who.
    pub operator: u32,
    /// What.
    pub reason: String,
    /// How often.
    pub count: u64,
}

/// The faults of peers among an operator's metrics, in the text format of Prometheus.
#[must_use]
pub fn faults(metrics: &str) -> Vec<FaultCount> {
    let parse = |line: &str| {
        let (labels, count) = line.split_once("peer_faults_total{")?.1.rsplit_once("} ")?;
        let (operator, reason) = labels.strip_prefix("operator_id=\"")?.split_once("\",reason=\"")?;
        let reason = reason.strip_suffix('"')?.to_owned();
        Some(FaultCount { operator: operator.parse().ok()?, reason, count: count.parse().ok()? })
    };
    metrics.lines().filter_map(parse).collect()
}

/// The last line of the newest process, if there is one.
#[must_use]
pub fn last(path: &Path) -> Option<StatsLine> {
    let mut last = None;
    // Unreadable is as good as absent: the next line follows in a second.
    let _ = read_lines(path, &mut |line: Option<StatsLine>| last = line.or(last.take()));
    last
}

/// Sums the lives of an operator into its figures. Before `genesis_ms`, in Unix milliseconds, an operator that is connected
/// to everybody has nothing to do.
pub fn sum(path: &Path, genesis_ms: u64, figures: &mut OperatorFigures) -> std::io::Result<()> {
    let mut lives: Vec<StatsLine> = Vec::new();
    let (mut lags, mut idle) = (Vec::new(), Vec::new());
    read_lines(path, &mut |line: Option<StatsLine>| {
        if let Some(line) = line {
            if line.at_ms < genesis_ms {
                idle.push((line.at_ms, line.cpu_ms, line.operators_connected));
            } else {
                lags.push(line.timer_lag_ms);
            }
            match lives.iter_mut().find(|life| life.pid == line.pid) {
                Some(life) => *life = line,
                None => lives.push(line),
            }
        }
    })?;
    figures.timer_lag_ms = Percentiles::of(lags);
    figures.idle_cpu_percent = idle_cpu_percent(&idle);
    for life in lives {
        figures.starts += 1;
        figures.lives.push(LifeFigures {
            release: life.release,
            newest_sent: life.newest_sent,
            older_sent: life.older_sent,
        });
        figures.cpu_ms += life.cpu_ms;
        figures.rss_bytes = figures.rss_bytes.max(life.rss_bytes);
        for fault in life.faults {
            *figures.blamed.entry(fault.operator).or_default().entry(fault.reason).or_default() += fault.count;
        }
        for (protocol, bytes) in life.bytes_sent {
            figures.bytes_sent += bytes;
            *figures.bytes_by_protocol.entry(protocol).or_default() += bytes;
        }
    }
    Ok(())
}

/// Share of a core, in percent, from some seconds after the last connection to the last line; nothing for less than that.
fn idle_cpu_percent(lines: &[(u64, u64, usize)]) -> Option<f64> {
    let (last_at, last_cpu, connected) = *lines.last()?;
    let complete_at = lines.iter().find(|(_, _, count)| *count == connected).map(|(at, _, _)| *at)?;
    let (from_at, from_cpu, _) = *lines.iter().find(|(at, _, _)| *at >= complete_at + SETTLED_MS)?;
    let span = last_at.saturating_sub(from_at);
    (span >= SETTLED_MS).then(|| last_cpu.saturating_sub(from_cpu) as f64 * 100.0 / span as f64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use cluster_core::committee::OperatorId;

    use super::*;
    use crate::duties::signed::LineLog;

    #[test]
    fn faults_are_found_among_metrics() {
        let metrics = cluster_node::metrics::Metrics::new();
        let label = cluster_node::metrics::FaultLabel { operator_id: 102, reason: "a \"vote\" is wrong".to_owned() };
        metrics.peer_faults.get_or_create(&label).inc_by(3);
        let found = faults(&metrics.text());
        assert_eq!((found.len(), found[0].operator, found[0].count), (1, 102, 3), "{}", metrics.text());
    }

    #[test]
    fn the_lives_of_an_operator_add_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stats.jsonl");
        let log = LineLog::open(&path).unwrap();
        for (pid, cpu_ms, rss_bytes, bytes) in [(7, 10, 500, 1), (7, 30, 600, 5), (9, 4, 400, 2)] {
            let bytes_sent = BTreeMap::from([("consensus".to_owned(), bytes), ("info".to_owned(), 1)]);
            log.append(&StatsLine { pid, cpu_ms, rss_bytes, bytes_sent, ..StatsLine::default() }).unwrap();
        }
        let mut figures = OperatorFigures::new(OperatorId(101));
        sum(&path, 0, &mut figures).unwrap();
        assert_eq!((figures.starts, figures.cpu_ms, figures.rss_bytes, figures.bytes_sent), (2, 34, 600, 9));
        assert_eq!(figures.bytes_by_protocol["consensus"], 7);
        assert_eq!(last(&path).unwrap().pid, 9);
    }

    #[test]
    fn an_operator_is_idle_between_its_last_connection_and_genesis() {
        let lines: Vec<_> = (0..12).map(|s| (s * 1_000, s * 10, usize::from(s > 1) * 3)).collect();
        assert_eq!(idle_cpu_percent(&lines), Some(1.0));
        assert_eq!(idle_cpu_percent(&lines[..7]), None, "too short");
        assert_eq!(idle_cpu_percent(&[]), None);
    }
}
