//! Bytes and messages of every protocol, and whether the node has a twin, among the node's metrics.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::MetricType;

use super::client::Stats;
use super::Shared;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TrafficLabel {
    protocol: &'static str,
    direction: &'static str,
}

/// Reads the counters when somebody asks. It holds no client, which would keep the mesh running.
pub(super) struct TrafficCollector(pub(super) Arc<Shared>);

impl fmt::Debug for TrafficCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TrafficCollector")
    }
}

impl Collector for TrafficCollector {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        write_all(encoder, &Stats::of(&self.0.traffic), self.0.twin.borrow().is_some())
    }
}

/// The same metrics without a mesh: what dashboards and alerts may name.
#[derive(Debug)]
pub(crate) struct NoTraffic;

impl Collector for NoTraffic {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        write_all(encoder, &Stats::default(), false)
    }
}

fn write_all(mut encoder: DescriptorEncoder, stats: &Stats, has_twin: bool) -> fmt::Result {
    let help = "1 once another node was found to run with this operator's key, until a restart";
    let gauge = encoder.encode_descriptor("operator_twin", help, None, MetricType::Gauge)?;
    ConstGauge::new(i64::from(has_twin)).encode(gauge)?;
    let counts = stats.by_protocol();
    let bytes = counts.map(|(name, count)| (name, count.bytes_sent, count.bytes_received));
    let messages = counts.map(|(name, count)| (name, count.messages_sent, count.messages_received));
    write(&mut encoder, "mesh_bytes", "Bytes of the node's protocols, frames included", &bytes)?;
    write(&mut encoder, "mesh_messages", "Requests and answers of the node's protocols", &messages)
}

fn write(encoder: &mut DescriptorEncoder, name: &str, help: &str, counts: &[(&'static str, u64, u64)]) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (protocol, sent, received) in counts {
        for (direction, count) in [("sent", *sent), ("received", *received)] {
            let label = TrafficLabel { protocol, direction };
            ConstCounter::new(count).encode(family.encode_family(&label)?)?;
        }
    }
    Ok(())
}
