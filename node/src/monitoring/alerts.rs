//! Alert rules. Each has one sentence on what it means, one on what to do, and a section of `docs/failures.md`.

use std::fmt::Write;

/// How soon somebody has to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Now, at night too.
    Critical,
    /// In working hours.
    Warning,
}

/// One alert.
#[derive(Clone, Copy, Debug)]
pub struct Alert {
    /// Name in Prometheus.
    pub name: &'static str,
    /// PromQL.
    pub expr: &'static str,
    /// How long the expression has to hold, as Prometheus writes durations.
    pub lasts: &'static str,
    /// How soon somebody has to look.
    pub severity: Severity,
    /// What is the matter.
    pub summary: &'static str,
    /// What to do first.
    pub action: &'static str,
    /// Section of `docs/failures.md`.
    pub section: &'static str,
}

/// All alerts.
pub const ALERTS: &[Alert] = &[
    Alert {
        name: "ClusterNodeDown",
        expr: r#"up{job=~"cluster-node.*"} == 0"#,
        lasts: "3m",
        severity: Severity::Critical,
        summary: "The node {{ $labels.instance }} does not answer",
        action: "Look at the process and its log. Validators go on while no more than one operator in four is away.",
        section: "node-down",
    },
    Alert {
        name: "ClusterProposalMissed",
        expr: r#"sum by (instance, reason) (increase(cluster_node_duties_missed_total{kind="block"}[15m])) > 0"#,
        lasts: "0m",
        severity: Severity::Critical,
        summary: "{{ $labels.instance }} missed a block proposal: {{ $labels.reason }}",
        action: "Run `cluster-node duties --missed` and look the reason up.",
        section: "missed-duties",
    },
    Alert {
        name: "ClusterDutiesMissed",
        expr: r#"sum by (instance, kind, reason) (increase(cluster_node_duties_missed_total{kind!="block"}[15m])) > 0"#,
        lasts: "5m",
        severity: Severity::Warning,
        summary: "{{ $labels.instance }} misses {{ $labels.kind }} duties: {{ $labels.reason }}",
        action: "Run `cluster-node duties --missed` and look the reason up.",
        section: "missed-duties",
    },
    Alert {
        name: "ClusterForkUnknown",
        expr: r#"sum by (instance) (increase(cluster_node_duties_missed_total{reason="unknown_fork"}[15m])) > 0"#,
        lasts: "0m",
        severity: Severity::Critical,
        summary: "{{ $labels.instance }} does not know the chain's fork and performs no duties",
        action: "Install a version that knows the fork, on one operator after the other.",
        section: "unknown_fork",
    },
    Alert {
        name: "ClusterAttestationsLate",
        expr: r#"histogram_quantile(0.9, sum by (instance, le) (rate(cluster_node_duty_step_seconds_bucket{kind="attestation",step="submitted"}[15m]))) > 6"#,
        lasts: "15m",
        severity: Severity::Warning,
        summary: "A tenth of the attestations of {{ $labels.instance }} leave later than 6 seconds into the slot",
        action: "See on the duties dashboard which step is late: data (beacon node), decided or signed (other operators), submitted (beacon node).",
        section: "late-attestations",
    },
    Alert {
        name: "ClusterNoBeaconNode",
        expr: "max by (instance) (cluster_node_beacon_up) == 0",
        lasts: "1m",
        severity: Severity::Critical,
        summary: "{{ $labels.instance }} has no beacon node that follows the chain",
        action: "Repair a beacon node, or add another one to beacon.urls.",
        section: "beacon_node",
    },
    Alert {
        name: "ClusterBeaconNodeUnfit",
        expr: "cluster_node_beacon_up == 0",
        lasts: "10m",
        severity: Severity::Warning,
        summary: "The beacon node {{ $labels.node }} of {{ $labels.instance }} cannot be asked for duties",
        action: "The operator dashboard says why: syncing, optimistic, unreachable, or on another chain.",
        section: "beacon_node",
    },
    Alert {
        name: "ClusterConsensusRounds",
        expr: r#"1 - sum by (instance, kind) (rate(cluster_node_consensus_rounds_bucket{le="1.0"}[30m])) / sum by (instance, kind) (rate(cluster_node_consensus_rounds_count[30m])) > 0.1"#,
        lasts: "15m",
        severity: Severity::Warning,
        summary: "More than a tenth of the {{ $labels.kind }} decisions of {{ $labels.instance }} need a second round",
        action: "Find the leader that is silent or slow: `cluster-node duties` names the round and its leader.",
        section: "no_quorum",
    },
    Alert {
        name: "ClusterOperatorSilent",
        expr: "time() - cluster_node_operator_heard_timestamp_seconds > 1200 and on (instance) cluster_node_validators_active > 0",
        lasts: "0m",
        severity: Severity::Warning,
        summary: "{{ $labels.instance }} heard nothing about duties from operator {{ $labels.operator_id }} for 20 minutes",
        action: "Ask that operator; one more that fails may stop the committee.",
        section: "too_few_partials",
    },
    Alert {
        name: "ClusterBadPartials",
        expr: "sum by (instance, operator_id) (cluster_node_bad_partials_total unless cluster_node_bad_partials_total offset 1h) > 0 or sum by (instance, operator_id) (increase(cluster_node_bad_partials_total[1h])) > 0",
        lasts: "0m",
        severity: Severity::Warning,
        summary: "Operator {{ $labels.operator_id }} sends wrong partial signatures to {{ $labels.instance }}",
        action: "Ask that operator for its version and whether its shares were restored from elsewhere.",
        section: "bad-partials",
    },
    Alert {
        name: "ClusterSlashingRefusals",
        expr: r#"sum by (instance, kind) (increase(cluster_node_partials_withheld_total{reason="slashing"}[1h])) > 0"#,
        lasts: "0m",
        severity: Severity::Critical,
        summary: "The slashing protection of {{ $labels.instance }} refused to sign {{ $labels.kind }} messages",
        action: "Make sure that the key runs in one place only, and that no old database was restored.",
        section: "slashable",
    },
    Alert {
        name: "ClusterValidatorsForeign",
        expr: "cluster_node_validators_foreign > 0",
        lasts: "0m",
        severity: Severity::Critical,
        summary: "Somebody else signs for {{ $value }} validators of {{ $labels.instance }}",
        action: "Find the machine that still has the whole key and stop it. Restart this node only then.",
        section: "doppelganger",
    },
    Alert {
        name: "ClusterOperatorTwin",
        expr: "cluster_node_operator_twin > 0",
        lasts: "0m",
        severity: Severity::Critical,
        summary: "Another node runs with the key of {{ $labels.instance }}, which performs no duties any more",
        action: "Find the other node and stop it for good. Restart this node only then.",
        section: "twin",
    },
    Alert {
        name: "ClusterSignerAway",
        expr: r#"sum by (instance) (increase(cluster_node_partials_withheld_total{reason="signer_failed"}[10m])) > 0"#,
        lasts: "1m",
        severity: Severity::Critical,
        summary: "The signer of {{ $labels.instance }} does not answer, or fails",
        action: "Look at the process `cluster-node signer`, its socket and its disk.",
        section: "signer",
    },
    Alert {
        name: "ClusterDatabaseFailing",
        expr: "increase(cluster_node_store_errors_total[10m]) > 0",
        lasts: "0m",
        severity: Severity::Critical,
        summary: "The database of {{ $labels.instance }} cannot be read or written",
        action: "Check free space and health of the disk. Nothing is signed that cannot be recorded.",
        section: "database",
    },
    Alert {
        name: "ClusterMeshPeersMissing",
        expr: "cluster_node_peers_connected < 0.67 * max_over_time(cluster_node_peers_connected[1d]) or cluster_node_peers_connected == 0",
        lasts: "10m",
        severity: Severity::Warning,
        summary: "{{ $labels.instance }} is connected to {{ $value }} peers only, a third fewer than a day ago",
        action: "Check port 7900 (UDP and TCP) and run `cluster-node preflight`.",
        section: "mesh",
    },
    Alert {
        name: "ClusterDutyMessagesDropped",
        expr: "rate(cluster_node_duty_messages_dropped_total[10m]) > 0.1",
        lasts: "15m",
        severity: Severity::Warning,
        summary: "{{ $labels.instance }} drops messages of duties, because a peer takes them too slowly",
        action: "See on the mesh dashboard whether one peer is silent, or this node's uplink is full.",
        section: "mesh",
    },
    Alert {
        name: "ClusterPeerFaults",
        expr: "sum by (instance, operator_id) (increase(cluster_node_peer_faults_total[1h])) > 5",
        lasts: "0m",
        severity: Severity::Warning,
        summary: "Operator {{ $labels.operator_id }} sends {{ $labels.instance }} messages that no honest operator sends",
        action: "The log names reason and ceremony or duty. Compare versions; keep the evidence files.",
        section: "peer-faults",
    },
    Alert {
        name: "ClusterCeremoniesFailing",
        expr: r#"sum by (instance, outcome) (increase(cluster_node_ceremonies_ended_total{outcome=~"incomplete|aborted"}[1h])) > 0"#,
        lasts: "0m",
        severity: Severity::Warning,
        summary: "Ceremonies of {{ $labels.instance }} end {{ $labels.outcome }}",
        action: "The log names who was missing or guilty. Incomplete becomes ready when that operator is back.",
        section: "ceremonies",
    },
    Alert {
        name: "ClusterOutboxWaiting",
        expr: "cluster_node_outbox_waiting > 0",
        lasts: "1h",
        severity: Severity::Warning,
        summary: "Gateway {{ $labels.instance }} cannot hand {{ $value }} certificates to the service",
        action: "Check service.url and the service's health; nothing is lost meanwhile.",
        section: "outbox",
    },
    Alert {
        name: "ClusterOutboxRefused",
        expr: "cluster_node_outbox_refused > 0",
        lasts: "0m",
        severity: Severity::Critical,
        summary: "The service refused {{ $value }} certificates of gateway {{ $labels.instance }} for good",
        action: "Read the reason in the gateway's log; the registries of gateway and service usually differ.",
        section: "outbox",
    },
    Alert {
        name: "ClusterChainStuck",
        expr: "cluster_node_chain_stuck > 0",
        lasts: "0m",
        severity: Severity::Critical,
        summary: "{{ $labels.instance }} cannot follow the contracts any more",
        action: "Read the log: the chain changed too far back, or the database failed. Duties go on with what is known.",
        section: "chain",
    },
    Alert {
        name: "ClusterChainBehind",
        expr: "cluster_node_chain_head_block - cluster_node_chain_block > 100",
        lasts: "15m",
        severity: Severity::Warning,
        summary: "{{ $labels.instance }} is {{ $value }} blocks behind the head of the chain",
        action: "Look at the execution nodes of chain.urls: requests, registrations and exits wait.",
        section: "chain",
    },
    Alert {
        name: "ClusterRegistrationBad",
        expr: "cluster_node_chain_registrations_bad > 0",
        lasts: "10m",
        severity: Severity::Critical,
        summary: "{{ $labels.instance }} does not act on {{ $value }} registrations: share or keys are wrong",
        action: "Read the reason in the log; the owner registers the validator again with the shares of its ceremony.",
        section: "registrations",
    },
    Alert {
        name: "ClusterEventsQuarantined",
        expr: "cluster_node_chain_quarantined_events > cluster_node_chain_quarantined_events offset 1h",
        lasts: "0m",
        severity: Severity::Warning,
        summary: "{{ $labels.instance }} could not handle events of the contracts",
        action: "`cluster-node chain quarantine` has the reasons.",
        section: "chain",
    },
    Alert {
        name: "ClusterSubscriptionEnding",
        expr: "cluster_node_chain_subscriptions_ending > 0",
        lasts: "0m",
        severity: Severity::Warning,
        summary: "The subscriptions of {{ $value }} validators of {{ $labels.instance }} end soon, or have ended",
        action: "Tell the owners to top up, or to let the validators exit. Duties go on in any case.",
        section: "subscriptions",
    },
];

/// The rule file of Prometheus (YAML). Strings are quoted as JSON does, which is YAML.
pub(super) fn rules(docs: &str) -> String {
    let mut out = "# Written by `cluster-node monitoring`; change node/src/monitoring/alerts.rs instead.\n\
                   # ClusterNodeDown needs scrape jobs whose names begin with cluster-node.\n\
                   groups:\n- name: cluster-node\n  rules:\n"
        .to_owned();
    for alert in ALERTS {
        let severity = match alert.severity {
            Severity::Critical => "critical",
            Severity::Warning => "warning",
        };
        let runbook = format!("{}/failures.md#{}", docs.trim_end_matches('/'), alert.section);
        // Writing into a string does not fail.
        let _ = write!(
            out,
            "  - alert: {}\n    expr: {}\n    for: {}\n    labels:\n      severity: {severity}\n    annotations:\n      \
             summary: {}\n      description: {}\n      runbook_url: {}\n",
            alert.name,
            quoted(alert.expr),
            alert.lasts,
            quoted(alert.summary),
            quoted(alert.action),
            quoted(&runbook),
        );
    }
    out
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
