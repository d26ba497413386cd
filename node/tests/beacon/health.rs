//! States of nodes: what each is used for, and which chains are refused.

use std::time::Duration;

use cluster_core::beacon::{Slot, ValidatorIndex};
use cluster_crypto::ethereum::Address;
use cluster_node::beacon::{Beacon, BeaconError, NodeState};
use serde_json::{json, Value};

use crate::fake::{recorded, syncing, Client, Fake, Reaction};

const SYNCING: &str = "/eth/v1/node/syncing";
const SPEC: &str = "/eth/v1/config/spec";
const DATA: &str = "/eth/v1/validator/attestation_data";
const DUTIES: &str = "/eth/v1/validator/duties/proposer";
const PREPARE: &str = "/eth/v1/validator/prepare_beacon_proposer";

fn spec(changes: &[(&str, &str)]) -> Reaction {
    let mut spec = recorded("spec");
    for (name, value) in changes {
        spec["data"][*name] = json!(value);
    }
    Reaction::Json(spec)
}

fn genesis(name: &str, value: &str) -> Reaction {
    let mut genesis = recorded("genesis");
    genesis["data"][name] = json!(value);
    Reaction::Json(genesis)
}

#[tokio::test]
async fn each_state_is_used_for_what_it_is_good_for() {
    use NodeState::{Behind, ExecutionOffline, Optimistic, OtherChain, Ready, Syncing, Unreachable};
    let none = [false; 3];
    let said = |head, distance, flags| Reaction::Json(syncing(head, distance, flags));
    let other_root = format!("0x{}", "77".repeat(32));
    // What the first node says; its state; whether it alone may be asked what to sign, who has duties, and be told things.
    let steps: [(&str, &str, Reaction, NodeState, [bool; 3]); 11] = [
        ("well", SYNCING, said(100, 0, none), Ready, [true; 3]),
        ("three slots behind the other node", SYNCING, said(97, 3, none), Behind, [true; 3]),
        ("execution offline", SYNCING, said(100, 0, [false, false, true]), ExecutionOffline, [true; 3]),
        ("optimistic", SYNCING, said(100, 0, [false, true, false]), Optimistic, [false, true, true]),
        ("syncing", SYNCING, said(50, 50, [true, false, false]), Syncing, [false, false, true]),
        ("broken", SYNCING, Reaction::Garbage, Unreachable, [false; 3]),
        (
            "another root",
            "/eth/v1/beacon/genesis",
            genesis("genesis_validators_root", &other_root),
            OtherChain,
            [false; 3],
        ),
        ("another genesis time", "/eth/v1/beacon/genesis", genesis("genesis_time", "1"), OtherChain, [false; 3]),
        ("another slot time", SPEC, spec(&[("SLOT_DURATION_MS", "5000")]), OtherChain, [false; 3]),
        ("another fork version", SPEC, spec(&[("ELECTRA_FORK_VERSION", "0x12345678")]), OtherChain, [false; 3]),
        ("a fork that has begun there", SPEC, spec(&[("FULU_FORK_EPOCH", "0")]), OtherChain, [false; 3]),
    ];
    for (what, path, reaction, state, used) in steps {
        let (node, good) = (Fake::start().await, Fake::start().await);
        let client = Client::start(&[&good, &node], |config| config.timeout_ms = 5_000);
        client.until(&[Ready, Ready]).await;
        // From now on there is only this one.
        node.set(path, reaction);
        node.set("", Reaction::Hang);
        node.clear("");
        let fresh = Client::start(&[&good, &node], |config| config.timeout_ms = 5_000);
        fresh.until(&[Ready, state]).await;
        let health = fresh.nodes.health().remove(1);
        assert_eq!(health.reason.is_none(), state == Ready, "{what}: {health:?}");
        good.set(DATA, Reaction::Garbage);
        good.set(DUTIES, Reaction::Garbage);
        good.set(PREPARE, Reaction::Status(400, json!({"message": "no"})));
        let signed = fresh.nodes.attestation_data(Slot(10)).await.is_ok();
        let planned = fresh.nodes.proposer_duties(cluster_core::beacon::Epoch(0)).await.is_ok();
        let told = fresh.nodes.prepare_proposers(&[(ValidatorIndex(1), Address([2; 20]))]).await.is_ok();
        assert_eq!([signed, planned, told], used, "{what}");
    }
}

#[tokio::test]
async fn chains_are_refused_in_words() {
    let (ours, other) = (Fake::start().await, Fake::start().await);
    let first = Client::start(&[&ours, &other], |_| {});
    first.until(&[NodeState::Ready; 2]).await;
    drop(first);
    other.set("/eth/v1/beacon/genesis", genesis("genesis_validators_root", &format!("0x{}", "77".repeat(32))));
    let pinned = recorded("genesis")["data"]["genesis_validators_root"].as_str().unwrap().to_owned();
    // The other node answers first, but the configuration names ours.
    let client = Client::start(&[&other, &ours], |config| config.genesis_validators_root = pinned.clone());
    client.until(&[NodeState::OtherChain, NodeState::Ready]).await;
    let reason = client.nodes.health()[0].reason.clone().unwrap();
    assert!(
        reason.contains("is on another chain: its genesis_validators_root is 0x7777") && reason.contains(&pinned),
        "{reason}"
    );
    let alone = Client::start(&[&other], |config| {
        config.genesis_validators_root = pinned;
        config.timeout_ms = 200;
    });
    alone.until(&[NodeState::OtherChain]).await;
    let error = alone.nodes.attestation_data(Slot(10)).await.unwrap_err();
    assert!(matches!(error, BeaconError::NoneUsable { .. }), "{error:?}");
    assert!(error.to_string().contains("other_chain"), "{error}");
}

#[tokio::test]
async fn schedules_may_differ_in_forks_that_lie_ahead() {
    // The recorded chain began long ago: this is far ahead of its clock.
    const AHEAD: u64 = 1 << 40;
    let (old, new) = (Fake::start().await, Fake::absent());
    new.set(SPEC, spec(&[("FULU_FORK_EPOCH", &AHEAD.to_string()), ("GLOAS_FORK_EPOCH", &(AHEAD + 9).to_string())]));
    let client = Client::start(&[&old, &new], |_| {});
    client.until(&[NodeState::Ready, NodeState::Unreachable]).await;
    let epoch = |epoch| cluster_core::beacon::Epoch(epoch);
    let before = client.nodes.spec().await.unwrap();
    assert_eq!(before.fork_at(epoch(AHEAD)).unwrap().name(), "electra");
    new.listen().await;
    client.until(&[NodeState::Ready; 2]).await;
    let after = client.nodes.spec().await.unwrap();
    assert_eq!(after.fork_at(epoch(AHEAD)).unwrap().name(), "fulu", "the newer node's schedule is taken");
    assert!(after.fork_at(epoch(AHEAD + 9)).is_err(), "an unknown fork is refused");
}

#[tokio::test]
async fn a_node_starts_and_waits_when_none_is_there() {
    let fake = Fake::absent();
    let client = Client::start(&[&fake], |_| {});
    let nodes = client.nodes.clone();
    let waiting = tokio::spawn(async move {
        let spec = nodes.spec().await.unwrap();
        nodes.wait_ready().await;
        (spec, nodes.attestation_data(Slot(10)).await)
    });
    client.until(&[NodeState::Unreachable]).await;
    fake.listen().await;
    let (spec, data) = waiting.await.unwrap();
    assert_eq!(spec.slots_per_epoch(), 8);
    assert_eq!(data.map(|data| data.slot), Ok(Slot(10)));
    assert_eq!(client.nodes.health()[0].version.as_deref(), Some("Recorded/1.0"));
}

#[tokio::test]
async fn a_node_that_is_asked_again_after_it_was_away_has_to_be_on_the_same_chain() {
    let fake = Fake::start().await;
    let client = Client::start(&[&fake], |config| config.timeout_ms = 1_000);
    client.until(&[NodeState::Ready]).await;
    fake.set("", Reaction::Break);
    client.until(&[NodeState::Unreachable]).await;
    fake.set("/eth/v1/beacon/genesis", genesis("genesis_time", "1"));
    fake.clear("");
    client.until(&[NodeState::OtherChain]).await;
    let asked = fake.seen(DATA).len();
    assert!(client.nodes.attestation_data(Slot(10)).await.is_err());
    assert_eq!(fake.seen(DATA).len(), asked, "it is not asked");
}

#[tokio::test]
async fn secrets_in_urls_are_not_shown() {
    let fake = Fake::start().await;
    let secret = fake.url.replace("http://", "http://user:hunter2@") + "/token-hunter2";
    let client = Client::start(&[&fake], |config| {
        config.urls = vec![secret];
        config.timeout_ms = 300;
    });
    // The recorded answers are not below that path, and the words say so without the path.
    let health = || client.nodes.health().remove(0);
    while health().reason.unwrap().contains("not been asked") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let shown = format!("{:?} {:?} {}", health(), client.nodes.attestation_data(Slot(1)).await, client.metrics.text());
    assert!(shown.contains(&format!("{}/...", fake.url)), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn metrics_tell_state_latency_and_errors() {
    let fake = Fake::start().await;
    let client = Client::start(&[&fake], |_| {});
    client.until(&[NodeState::Ready]).await;
    fake.set(DATA, Reaction::Garbage);
    fake.set("/eth/v3/validator/blocks", Reaction::Status(500, Value::Null));
    let _ = client.nodes.produce_block(Slot(1), &[0; 96], [0; 32], 0).await;
    let text = client.metrics.text();
    let node = format!("node=\"{}\"", fake.url);
    for line in [
        format!("cluster_node_beacon_up{{{node}}} 1"),
        format!("cluster_node_beacon_state{{{node},state=\"ready\"}} 1"),
        format!("cluster_node_beacon_state{{{node},state=\"syncing\"}} 0"),
        format!("cluster_node_beacon_head_slot{{{node}}} 100"),
        format!("cluster_node_beacon_errors_total{{{node},endpoint=\"validator/blocks\"}} 1"),
        format!("cluster_node_beacon_request_seconds_count{{{node}}} "),
    ] {
        assert!(text.contains(&line), "{line} in:\n{text}");
    }
}
