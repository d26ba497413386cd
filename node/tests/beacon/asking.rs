//! Questions: what is read, what is refused, and who is asked next.

use cluster_core::beacon::{AttestationData, Fork, Preset, Slot, ValidatorIndex};
use cluster_core::beacon::{Epoch, Proposal};
use cluster_core::encoding::from_hex;
use cluster_node::beacon::{Beacon, BeaconError, NodeState, ValidatorState};
use serde_json::{json, Value};
use ssz::Encode;

use crate::fake::{recorded, Client, Fake, Reaction};

const DATA: &str = "/eth/v1/validator/attestation_data";
/// The slot of the recorded attestation data and block.
const SLOT: Slot = Slot(10);

fn root(name: &str, pointer: &str) -> [u8; 32] {
    from_hex(recorded(name).pointer(pointer).and_then(Value::as_str).unwrap()).unwrap()
}

#[tokio::test]
async fn recorded_answers_are_read() {
    let fake = Fake::start().await;
    let client = Client::start(&[&fake], |_| {});
    let nodes = &client.nodes;
    let spec = nodes.spec().await.unwrap();
    assert_eq!((spec.preset, spec.fork_at(Epoch(0))), (Preset::Minimal, Ok(Fork::Electra)));

    let found = nodes.validators(&[[1; 48]; 3]).await.unwrap();
    assert_eq!(found.len(), 3);
    assert_eq!((found[0].index, found[0].status), (ValidatorIndex(0), ValidatorState::ActiveOngoing));
    assert_eq!((found[0].exit_epoch, found[0].effective_balance_gwei), (Epoch(u64::MAX), 32_000_000_000));

    let indices = [0, 1].map(ValidatorIndex);
    let attesters = nodes.attester_duties(Epoch(0), &indices).await.unwrap();
    assert_eq!(attesters.dependent_root, root("attester_duties", "/dependent_root"));
    assert_eq!((attesters.data.len(), attesters.data[0].committee_length), (3, 2));
    let proposers = nodes.proposer_duties(Epoch(0)).await.unwrap();
    assert_eq!(proposers.data.iter().map(|duty| duty.slot.0).collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
    let sync = nodes.sync_duties(Epoch(0), &indices).await.unwrap();
    assert_eq!(sync[0].positions, [0, 2, 22, 29]);
    assert_eq!(fake.seen("/eth/v1/validator/duties/attester/0")[0].body, "[\"0\",\"1\"]");

    let data = nodes.attestation_data(SLOT).await.unwrap();
    assert_eq!((data.slot, data.target.epoch), (SLOT, Epoch(1)));
    assert_eq!(nodes.head_root().await.unwrap(), root("head_root", "/data/root"));

    let data_root = from_hex("0x1469f95307cfd0af7126351a2abe12f161b099427535da458f49dc9ac26446e5").unwrap();
    let aggregate = nodes.aggregate(Fork::Electra, Slot(5), data_root, 0).await.unwrap().unwrap();
    assert_eq!(aggregate.participants(), 2);
    let block_root = root("contribution", "/data/beacon_block_root");
    let contribution = nodes.contribution(Slot(1), 3, block_root).await.unwrap().unwrap();
    assert_eq!(contribution.participants(), 8);

    let other = nodes.aggregate(Fork::Electra, Slot(5), [7; 32], 0).await;
    assert!(matches!(other, Err(BeaconError::Answer { .. })), "an aggregate of other data: {other:?}");
    let other = nodes.contribution(Slot(2), 3, block_root).await;
    assert!(matches!(other, Err(BeaconError::Answer { .. })), "a contribution of another slot: {other:?}");
    for path in ["/eth/v2/validator/aggregate_attestation", "/eth/v1/validator/sync_committee_contribution"] {
        fake.set(path, Reaction::Status(404, json!({"code": 404, "message": "none"})));
    }
    assert_eq!(nodes.aggregate(Fork::Electra, Slot(5), data_root, 0).await, Ok(None));
    assert_eq!(nodes.contribution(Slot(1), 3, block_root).await, Ok(None));
}

#[tokio::test]
async fn ssz_answers_are_read() {
    let fake = Fake::start().await;
    let client = Client::start(&[&fake], |_| {});
    let data: AttestationData = serde_json::from_value(recorded("attestation_data")["data"].clone()).unwrap();
    fake.set(DATA, Reaction::Bytes("application/octet-stream", data.as_ssz_bytes(), vec![]));
    assert_eq!(client.nodes.attestation_data(SLOT).await, Ok(data));
    fake.set(DATA, Reaction::Bytes("application/octet-stream", vec![0; 5], vec![]));
    assert!(matches!(client.nodes.attestation_data(SLOT).await, Err(BeaconError::Answer { .. })));
}

fn reveal(block: &Value) -> [u8; 96] {
    from_hex(block.pointer("/data/block/body/randao_reveal").and_then(Value::as_str).unwrap()).unwrap()
}

/// The recorded block in SSZ.
fn block_ssz() -> Vec<u8> {
    let json = serde_json::to_vec(&recorded("block")["data"]).unwrap();
    let proposal = Proposal::from_contents_json(Preset::Minimal, Fork::Electra, false, &json).unwrap();
    let proofs_at = 12 + u32::try_from(proposal.block.len()).unwrap();
    let offsets = [12, proofs_at, proofs_at].map(u32::to_le_bytes).concat();
    [offsets, proposal.block].concat()
}

#[tokio::test]
async fn blocks_are_read_and_compared_with_what_was_asked() {
    let fake = Fake::start().await;
    let client = Client::start(&[&fake], |_| {});
    let block = recorded("block");
    let header = |name, value| vec![("eth-consensus-version", name), ("eth-execution-payload-blinded", value)];
    let ssz = |headers| Reaction::Bytes("application/octet-stream", block_ssz(), headers);
    let other_version = |version: &str| {
        let mut other = block.clone();
        other["version"] = json!(version);
        Reaction::Json(other)
    };
    let (own, other) = (reveal(&block), [9; 96]);
    let steps = [
        ("JSON", Reaction::Json(block.clone()), SLOT, own, None),
        ("SSZ", ssz(header("electra", "false")), SLOT, own, None),
        ("another slot", Reaction::Json(block.clone()), Slot(11), own, Some("for slot 10, asked was 11")),
        ("another reveal", ssz(header("electra", "false")), SLOT, other, Some("another randao reveal")),
        ("another fork", other_version("fulu"), SLOT, own, Some("of fulu, asked was electra")),
        ("a fork that is not known", ssz(header("gloas", "false")), SLOT, own, Some("of gloas")),
        ("no word on blinding", ssz(vec![("eth-consensus-version", "electra")]), SLOT, own, Some("blinded")),
        ("a full block that claims to be blinded", ssz(header("electra", "true")), SLOT, own, Some("not valid SSZ")),
        ("no block", Reaction::Json(json!({"version": "electra"})), SLOT, own, Some("missing field")),
    ];
    for (what, reaction, slot, reveal, expected) in steps {
        fake.set("/eth/v3/validator/blocks", reaction);
        let found = client.nodes.produce_block(slot, &reveal, [3; 32], 100).await;
        match (found, expected) {
            (Ok(proposal), None) => {
                let summary = proposal.inspect(Preset::Minimal).unwrap();
                assert_eq!((summary.header.slot, summary.randao_reveal), (SLOT, own), "{what}");
            }
            (Err(BeaconError::Answer { reason, .. }), Some(words)) => {
                assert!(reason.contains(words), "{what}: {reason}")
            }
            (found, _) => panic!("{what}: {found:?}"),
        }
    }
    let path = &fake.seen("/eth/v3/validator/blocks/10?randao_reveal=0x92")[0].path;
    assert!(path.contains("&graffiti=0x0303") && path.ends_with("&builder_boost_factor=100"), "{path}");
    let old = client.nodes.spec().await.unwrap().fork_at(Epoch(u64::MAX - 1)).unwrap();
    assert_eq!(old, Fork::Electra, "the recorded chain has no later fork");
}

/// Each step: what the first node does, and what its error says when there is no second one.
fn misbehaviour() -> Vec<(&'static str, Reaction, &'static str)> {
    let mut other_slot = recorded("attestation_data");
    other_slot["data"]["slot"] = json!("11");
    let message = |text: &str| json!({"code": 0, "message": text});
    vec![
        (
            "an error",
            Reaction::Status(500, message("slot in the future")),
            "answered 500 to validator/attestation_data: slot in the future",
        ),
        ("a refusal", Reaction::Status(400, message("no")), "answered 400"),
        ("an error in words of its own", Reaction::Status(502, json!("<html>bad gateway</html>")), "answered 502"),
        ("syncing", Reaction::Status(503, message("Node is syncing - waiting for peers")), "is syncing"),
        ("garbage", Reaction::Garbage, "not understood"),
        ("an answer without end", Reaction::Endless, "more than 4096 bytes"),
        ("a broken connection", Reaction::Break, "cannot be reached"),
        ("another slot", Reaction::Json(other_slot), "it is for slot 11, asked was 10"),
        ("no data", Reaction::Json(json!({"data": {}})), "missing field"),
        ("a redirection", Reaction::Status(302, json!({})), "answered 302"),
        ("no answer", Reaction::Hang, "did not answer validator/attestation_data within"),
    ]
}

#[tokio::test]
async fn the_next_node_is_asked_when_the_best_one_fails() {
    for (what, reaction, _) in misbehaviour() {
        let (bad, good) = (Fake::start().await, Fake::start().await);
        let client = Client::start(&[&bad, &good], |_| {});
        client.until(&[NodeState::Ready; 2]).await;
        bad.set(DATA, reaction);
        let found = client.nodes.attestation_data(SLOT).await;
        assert_eq!(found.map(|data| data.slot), Ok(SLOT), "{what}");
        assert_eq!((bad.seen(DATA).len(), good.seen(DATA).len()), (1, 1), "{what}: the best node was asked first");
    }
}

#[tokio::test]
async fn a_node_alone_that_fails_is_named_with_what_it_did() {
    for (what, reaction, words) in misbehaviour() {
        let bad = Fake::start().await;
        let client = Client::start(&[&bad], |config| config.timeout_ms = 1_000);
        client.until(&[NodeState::Ready]).await;
        bad.set(DATA, reaction);
        let error = client.nodes.attestation_data(SLOT).await.unwrap_err().to_string();
        assert!(error.contains(words) && error.contains(&bad.url), "{what}: {error}");
        assert!(client.nodes.health()[0].errors > 0, "{what}: errors are counted");
    }
}

#[tokio::test]
async fn a_node_that_hesitates_is_asked_last_the_next_time() {
    let (slow, quick) = (Fake::start().await, Fake::start().await);
    let client = Client::start(&[&slow, &quick], |_| {});
    client.until(&[NodeState::Ready; 2]).await;
    slow.set(DATA, Reaction::Hang);
    for call in 1..=3 {
        client.nodes.attestation_data(SLOT).await.unwrap();
        assert_eq!((slow.seen(DATA).len(), quick.seen(DATA).len()), (1, call), "call {call}");
    }
}

#[tokio::test]
async fn all_failures_are_told() {
    let (first, second) = (Fake::start().await, Fake::start().await);
    let client = Client::start(&[&first, &second], |_| {});
    client.until(&[NodeState::Ready; 2]).await;
    first.set(DATA, Reaction::Garbage);
    second.set(DATA, Reaction::Status(400, json!({"message": "wrong"})));
    let error = client.nodes.attestation_data(SLOT).await.unwrap_err();
    assert!(matches!(&error, BeaconError::All { errors, .. } if errors.len() == 2), "{error:?}");
    let words = error.to_string();
    assert!(words.contains(&first.url) && words.contains(&second.url), "{words}");
}

#[tokio::test]
async fn a_call_waits_for_a_node_that_comes_back() {
    let fake = Fake::start().await;
    let client = Client::start(&[&fake], |_| {});
    client.until(&[NodeState::Ready]).await;
    fake.set("", Reaction::Break);
    let nodes = client.nodes.clone();
    let call = tokio::spawn(async move { nodes.attestation_data(SLOT).await });
    client.until(&[NodeState::Unreachable]).await;
    fake.set("", Reaction::Status(500, json!({"message": "starting"})));
    fake.set(DATA, Reaction::Json(recorded("attestation_data")));
    fake.clear("");
    assert_eq!(call.await.unwrap().map(|data| data.slot), Ok(SLOT));
}

#[tokio::test]
async fn many_validators_are_asked_for_in_parts() {
    let fake = Fake::start().await;
    let client = Client::start(&[&fake], |_| {});
    let keys: Vec<[u8; 48]> = (0..2_001_u16).map(|at| [at.to_le_bytes()[0]; 48]).collect();
    client.nodes.validators(&keys).await.unwrap();
    let calls = fake.seen("/eth/v1/beacon/states/head/validators");
    let counts: Vec<usize> = calls
        .iter()
        .map(|call| serde_json::from_slice::<Value>(&call.body).unwrap()["ids"].as_array().unwrap().len())
        .collect();
    assert_eq!(counts, [1_000, 1_000, 1]);
}

#[tokio::test]
async fn a_validator_is_live_when_any_node_has_seen_it() {
    const PATH: &str = "/eth/v1/validator/liveness/3";
    let (first, second, third) = (Fake::start().await, Fake::start().await, Fake::start().await);
    let seen =
        |live: [bool; 2]| json!({"data": [{"index": "4", "is_live": live[0]}, {"index": "5", "is_live": live[1]}]});
    first.set(PATH, Reaction::Json(seen([false, false])));
    second.set(PATH, Reaction::Json(seen([false, true])));
    third.set(PATH, Reaction::Garbage);
    let client = Client::start(&[&first, &second, &third], |_| {});
    client.until(&[NodeState::Ready; 3]).await;
    let live = client.nodes.liveness(Epoch(3), &[4, 5].map(ValidatorIndex)).await.unwrap();
    assert_eq!(live, [(ValidatorIndex(4), false), (ValidatorIndex(5), true)]);
}
