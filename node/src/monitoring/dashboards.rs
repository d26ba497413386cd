//! Dashboards for Grafana. In expressions `@` stands for the chosen instances.

use serde_json::{json, Value};

/// One line, bar or number of a panel.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// PromQL, with `@` for the matcher of instances.
    pub expr: &'static str,
    /// Legend, with labels in double braces.
    pub legend: &'static str,
}

impl Query {
    /// The expression as Grafana gets it.
    #[must_use]
    pub fn promql(&self) -> String {
        self.expr.replace('@', r#"instance=~"$instance""#)
    }
}

/// One panel.
#[derive(Clone, Copy, Debug)]
pub struct Panel {
    /// What it shows.
    pub title: &'static str,
    /// How to read it.
    pub help: &'static str,
    /// Grafana's name of the kind: `stat` or `timeseries`.
    pub kind: &'static str,
    /// Grafana's name of the unit.
    pub unit: &'static str,
    /// Columns of 24.
    pub width: u32,
    /// What is drawn.
    pub queries: &'static [Query],
}

/// One dashboard.
#[derive(Clone, Copy, Debug)]
pub struct Dashboard {
    /// File name without ending, and Grafana's uid after `cluster-node-`.
    pub file: &'static str,
    /// Title.
    pub title: &'static str,
    /// The panels, from left to right and from top to bottom.
    pub panels: &'static [Panel],
}

const fn query(expr: &'static str, legend: &'static str) -> Query {
    Query { expr, legend }
}

const fn number(title: &'static str, help: &'static str, queries: &'static [Query]) -> Panel {
    Panel { title, help, kind: "stat", unit: "short", width: 4, queries }
}

const fn lines(title: &'static str, help: &'static str, unit: &'static str, queries: &'static [Query]) -> Panel {
    Panel { title, help, kind: "timeseries", unit, width: 12, queries }
}

/// All dashboards.
pub const DASHBOARDS: &[Dashboard] = &[
    Dashboard { file: "operator", title: "Cluster Node: operator", panels: OPERATOR },
    Dashboard { file: "duties", title: "Cluster Node: duties and latency", panels: DUTIES },
    Dashboard { file: "mesh", title: "Cluster Node: ceremonies and mesh", panels: MESH },
    Dashboard { file: "chain", title: "Cluster Node: contracts", panels: CHAIN },
];

const OPERATOR: &[Panel] = &[
    number("Validators on duty", "Validators with duties.", &[query("sum by (instance) (cluster_node_validators_active{@})", "{{instance}}")]),
    number(
        "Validators waiting",
        "A share is here, but the validator is not on the chain yet.",
        &[query("sum by (instance) (cluster_node_validators_waiting{@})", "{{instance}}")],
    ),
    number(
        "Validators of somebody else",
        "Somebody else signs for them: has to be 0.",
        &[query("sum by (instance) (cluster_node_validators_foreign{@})", "{{instance}}")],
    ),
    number(
        "Twins",
        "Whether another node runs with this operator's key: has to be 0.",
        &[query("cluster_node_operator_twin{@}", "{{instance}}")],
    ),
    number(
        "Beacon nodes that serve",
        "Beacon nodes that can be asked for duties: has to be at least 1.",
        &[query("sum by (instance) (cluster_node_beacon_up{@})", "{{instance}}")],
    ),
    number(
        "Missed in a day",
        "Duties of validators that were missed, of all kinds.",
        &[query("sum by (instance) (increase(cluster_node_duties_missed_total{@}[1d]))", "{{instance}}")],
    ),
    number(
        "Peers",
        "Peers connected: operators, gateways, bootstrap peers.",
        &[query("cluster_node_peers_connected{@}", "{{instance}}")],
    ),
    lines(
        "Duties done",
        "Duties of validators submitted per minute.",
        "short",
        &[query("60 * sum by (instance, kind) (rate(cluster_node_duties_done_total{@}[10m]))", "{{instance}} {{kind}}")],
    ),
    lines(
        "Duties missed, by reason",
        "Look the reason up in docs/failures.md.",
        "short",
        &[query("sum by (instance, reason) (increase(cluster_node_duties_missed_total{@}[10m])) > 0", "{{instance}} {{reason}}")],
    ),
    lines(
        "Beacon nodes by state",
        "The state that each beacon node is in.",
        "short",
        &[query("cluster_node_beacon_state{@} == 1", "{{instance}} {{node}} {{state}}")],
    ),
    lines(
        "Slots behind the best beacon node",
        "How far the head of each beacon node is behind the newest one that any of them has.",
        "short",
        &[query("scalar(max(cluster_node_beacon_head_slot{@})) - cluster_node_beacon_head_slot{@}", "{{instance}} {{node}}")],
    ),
    lines(
        "Beacon node calls, p95",
        "Time that calls to each beacon node took.",
        "s",
        &[query(
            "histogram_quantile(0.95, sum by (instance, node, le) (rate(cluster_node_beacon_request_seconds_bucket{@}[10m])))",
            "{{instance}} {{node}}",
        )],
    ),
    lines(
        "Beacon node errors",
        "Failed calls in ten minutes, by endpoint.",
        "short",
        &[query(
            "sum by (instance, node, endpoint) (increase(cluster_node_beacon_errors_total{@}[10m])) > 0",
            "{{instance}} {{node}} {{endpoint}}",
        )],
    ),
    lines(
        "Partial signatures not given",
        "By reason: what the signer or its slashing protection refused, a signer that failed, validators held back.",
        "short",
        &[query(
            "sum by (instance, reason) (increase(cluster_node_partials_withheld_total{@}[10m])) > 0",
            "{{instance}} {{reason}}",
        )],
    ),
    lines(
        "Database errors",
        "Failures to read or write the database: has to be empty.",
        "short",
        &[query("increase(cluster_node_store_errors_total{@}[10m]) > 0", "{{instance}}")],
    ),
];

const DUTIES: &[Panel] = &[
    lines(
        "Attestations submitted, seconds into the slot",
        "Attestations are due at a third of the slot, 4 s on mainnet; after 8 s they miss the first aggregates.",
        "s",
        &[
            query("histogram_quantile(0.5, sum by (instance, le) (rate(cluster_node_duty_step_seconds_bucket{@,kind=\"attestation\",step=\"submitted\"}[10m])))", "{{instance}} p50"),
            query("histogram_quantile(0.9, sum by (instance, le) (rate(cluster_node_duty_step_seconds_bucket{@,kind=\"attestation\",step=\"submitted\"}[10m])))", "{{instance}} p90"),
            query("histogram_quantile(0.99, sum by (instance, le) (rate(cluster_node_duty_step_seconds_bucket{@,kind=\"attestation\",step=\"submitted\"}[10m])))", "{{instance}} p99"),
        ],
    ),
    lines(
        "Attestations, p90 of each step",
        "The first line that is high is the slow part: data (beacon node), decided and signed (operators), submitted (beacon node).",
        "s",
        &[query("histogram_quantile(0.9, sum by (instance, step, le) (rate(cluster_node_duty_step_seconds_bucket{@,kind=\"attestation\"}[10m])))", "{{instance}} {{step}}")],
    ),
    lines(
        "Blocks, p90 of each step",
        "Proposals are rare: the last six hours. Blocks that leave after 4 s are often orphaned.",
        "s",
        &[query("histogram_quantile(0.9, sum by (instance, step, le) (rate(cluster_node_duty_step_seconds_bucket{@,kind=\"block\"}[6h])))", "{{instance}} {{step}}")],
    ),
    lines(
        "Other duties submitted, p90",
        "Seconds into the slot. Aggregates and contributions are due at two thirds of it.",
        "s",
        &[query("histogram_quantile(0.9, sum by (instance, kind, le) (rate(cluster_node_duty_step_seconds_bucket{@,kind=~\"sync_message|aggregate_and_proof|contribution_and_proof\",step=\"submitted\"}[10m])))", "{{instance}} {{kind}}")],
    ),
    lines(
        "Rounds of consensus, mean",
        "1 when every leader answers in time.",
        "short",
        &[query("sum by (instance, kind) (rate(cluster_node_consensus_rounds_sum{@}[10m])) / sum by (instance, kind) (rate(cluster_node_consensus_rounds_count{@}[10m]))", "{{instance}} {{kind}}")],
    ),
    lines(
        "Decisions after the first round",
        "Part of the decisions that took more than one round.",
        "percentunit",
        &[query("1 - sum by (instance, kind) (rate(cluster_node_consensus_rounds_bucket{@,le=\"1.0\"}[10m])) / sum by (instance, kind) (rate(cluster_node_consensus_rounds_count{@}[10m]))", "{{instance}} {{kind}}")],
    ),
    lines(
        "Part of the operators in attestations",
        "Exchanges that ended with an operator's partial signatures. t of n are enough, so the slowest operator is often not among them.",
        "short",
        &[query("sum by (instance, operator_id) (increase(cluster_node_duty_participation_total{@,kind=\"attestation\"}[10m]))", "{{instance}}: operator {{operator_id}}")],
    ),
    lines(
        "Seconds since an operator was heard",
        "Any message about a duty counts.",
        "s",
        &[query("time() - cluster_node_operator_heard_timestamp_seconds{@}", "{{instance}}: operator {{operator_id}}")],
    ),
    lines(
        "Wrong partial signatures",
        "By the operator that sent them: has to be empty.",
        "short",
        &[query("sum by (instance, operator_id, kind) (cluster_node_bad_partials_total{@}) > 0", "{{instance}}: operator {{operator_id}} {{kind}}")],
    ),
    lines(
        "Missed, by kind and reason",
        "In ten minutes.",
        "short",
        &[query("sum by (instance, kind, reason) (increase(cluster_node_duties_missed_total{@}[10m])) > 0", "{{instance}} {{kind}} {{reason}}")],
    ),
    lines(
        "Messages of duties that came to nothing",
        "Dropped from full queues, or of no use any more before the peer took them.",
        "short",
        &[
            query("increase(cluster_node_duty_messages_dropped_total{@}[10m])", "{{instance}} dropped"),
            query("increase(cluster_node_duty_messages_expired_total{@}[10m])", "{{instance}} expired"),
        ],
    ),
    lines(
        "Bytes of duties",
        "Bytes per second of consensus and of partial signatures.",
        "Bps",
        &[query("sum by (instance, protocol, direction) (rate(cluster_node_mesh_bytes_total{@,protocol=~\"consensus|signing\"}[10m]))", "{{instance}} {{protocol}} {{direction}}")],
    ),
];

const MESH: &[Panel] = &[
    number(
        "Ceremonies under way",
        "Key generations that have not ended.",
        &[query("cluster_node_ceremonies_open{@}", "{{instance}}")],
    ),
    number("Peers", "Peers connected.", &[query("cluster_node_peers_connected{@}", "{{instance}}")]),
    number(
        "Messages waiting",
        "Messages of ceremonies that a peer has not acknowledged.",
        &[query("cluster_node_outbound_waiting{@}", "{{instance}}")],
    ),
    number(
        "Certificates waiting",
        "At gateways: not yet taken by the service.",
        &[query("cluster_node_outbox_waiting{@}", "{{instance}}")],
    ),
    number(
        "Certificates refused",
        "At gateways: each needs a person.",
        &[query("cluster_node_outbox_refused{@}", "{{instance}}")],
    ),
    number(
        "Contributions refused",
        "At gateways: did not verify.",
        &[query("cluster_node_contributions_bad_total{@}", "{{instance}}")],
    ),
    lines(
        "Ceremonies ended",
        "In an hour, by outcome. Incomplete becomes ready when the missing operators are back.",
        "short",
        &[query(
            "sum by (instance, outcome) (increase(cluster_node_ceremonies_ended_total{@}[1h]))",
            "{{instance}} {{outcome}}",
        )],
    ),
    lines(
        "Steps of ceremonies, p90",
        "A step waits for silent operators up to ceremony.step_timeout_ms.",
        "s",
        &[query(
            "histogram_quantile(0.9, sum by (instance, step, le) (rate(cluster_node_step_seconds_bucket{@}[1h])))",
            "{{instance}} {{step}}",
        )],
    ),
    lines(
        "Requests of owners",
        "In an hour, by outcome.",
        "short",
        &[query(
            "sum by (instance, outcome) (increase(cluster_node_requests_total{@}[1h]))",
            "{{instance}} {{outcome}}",
        )],
    ),
    lines(
        "Calls to the service",
        "Of gateways, in ten minutes.",
        "short",
        &[query(
            "sum by (instance, outcome) (increase(cluster_node_service_calls_total{@}[10m]))",
            "{{instance}} {{outcome}}",
        )],
    ),
    lines("Peers connected", "Over time.", "short", &[query("cluster_node_peers_connected{@}", "{{instance}}")]),
    lines(
        "Failed attempts to deliver",
        "Messages of ceremonies are repeated until they are acknowledged.",
        "short",
        &[query("increase(cluster_node_outbound_retries_total{@}[10m])", "{{instance}}")],
    ),
    lines(
        "Bytes by protocol",
        "Bytes per second, frames included.",
        "Bps",
        &[query(
            "sum by (instance, protocol, direction) (rate(cluster_node_mesh_bytes_total{@}[10m]))",
            "{{instance}} {{protocol}} {{direction}}",
        )],
    ),
    lines(
        "Messages by protocol",
        "Requests and answers per second.",
        "short",
        &[query(
            "sum by (instance, protocol, direction) (rate(cluster_node_mesh_messages_total{@}[10m]))",
            "{{instance}} {{protocol}} {{direction}}",
        )],
    ),
    lines(
        "Faults of operators",
        "Messages that no honest operator sends, by sender and reason, in an hour.",
        "short",
        &[query(
            "sum by (instance, operator_id, reason) (increase(cluster_node_peer_faults_total{@}[1h])) > 0",
            "{{instance}}: operator {{operator_id}} {{reason}}",
        )],
    ),
];

const CHAIN: &[Panel] = &[
    number(
        "Validators",
        "Registered with this operator.",
        &[query("cluster_node_chain_validators{@}", "{{instance}}")],
    ),
    number(
        "Registrations not acted on",
        "Their share or keys are wrong; the log says why.",
        &[query("cluster_node_chain_registrations_bad{@}", "{{instance}}")],
    ),
    number(
        "Subscriptions ending",
        "Validators whose subscription ends soon, or has ended. Their duties go on.",
        &[query("cluster_node_chain_subscriptions_ending{@}", "{{instance}}")],
    ),
    number(
        "Events in quarantine",
        "`cluster-node chain quarantine` has the reasons.",
        &[query("cluster_node_chain_quarantined_events{@}", "{{instance}}")],
    ),
    number("Stuck", "1: a person must look.", &[query("cluster_node_chain_stuck{@}", "{{instance}}")]),
    lines(
        "Blocks",
        "The last one taken in, and the head.",
        "short",
        &[
            query("cluster_node_chain_block{@}", "{{instance}} taken in"),
            query("cluster_node_chain_head_block{@}", "{{instance}} head"),
        ],
    ),
    lines(
        "Blocks taken back",
        "Reorganisations, in an hour.",
        "short",
        &[query("increase(cluster_node_chain_rolled_back_total{@}[1h])", "{{instance}}")],
    ),
    lines(
        "Calls to execution nodes",
        "In ten minutes, by outcome.",
        "short",
        &[query(
            "sum by (instance, outcome) (increase(cluster_node_chain_calls_total{@}[10m]))",
            "{{instance}} {{outcome}}",
        )],
    ),
    lines(
        "First subscription to end",
        "Blocks until then; negative when it has ended.",
        "short",
        &[query("cluster_node_chain_subscription_blocks_left{@}", "{{instance}}")],
    ),
];

/// Where Grafana learns the instances.
pub const INSTANCES: &str = "label_values(cluster_node_peers_connected, instance)";

const PANEL_HEIGHT: u32 = 8;
const COLUMNS: u32 = 24;

/// A dashboard as Grafana imports it.
pub(super) fn json(dashboard: &Dashboard) -> String {
    let (mut x, mut y, mut panels) = (0, 0, Vec::new());
    for (panel, id) in dashboard.panels.iter().zip(1_u32..) {
        if x + panel.width > COLUMNS {
            (x, y) = (0, y + PANEL_HEIGHT);
        }
        panels.push(panel_json(panel, id, x, y));
        x += panel.width;
    }
    let variables = json!([
        { "name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus" },
        {
            "name": "instance", "label": "Node", "type": "query", "multi": true, "includeAll": true, "refresh": 2,
            "current": { "text": "All", "value": "$__all" },
            "datasource": source(),
            "query": { "query": INSTANCES, "refId": "instances" },
        },
    ]);
    let value = json!({
        "uid": format!("cluster-node-{}", dashboard.file),
        "title": dashboard.title,
        "tags": ["cluster-node"],
        "schemaVersion": 39,
        "editable": true,
        "refresh": "1m",
        "time": { "from": "now-6h", "to": "now" },
        "templating": { "list": variables },
        "panels": panels,
    });
    format!("{value:#}\n")
}

fn source() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

fn panel_json(panel: &Panel, id: u32, x: u32, y: u32) -> Value {
    let targets: Vec<Value> = panel
        .queries
        .iter()
        .zip('A'..='Z')
        .map(|(query, name)| {
            json!({
                "refId": name.to_string(), "datasource": source(), "expr": query.promql(), "legendFormat": query.legend,
            })
        })
        .collect();
    json!({
        "id": id,
        "title": panel.title,
        "description": panel.help,
        "type": panel.kind,
        "datasource": source(),
        "gridPos": { "x": x, "y": y, "w": panel.width, "h": PANEL_HEIGHT },
        "fieldConfig": { "defaults": { "unit": panel.unit }, "overrides": [] },
        "targets": targets,
    })
}
