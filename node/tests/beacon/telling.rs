//! Messages: everybody is told, and what counts as taken.

use bytes::Bytes;
use cluster_core::beacon::{Fork, Preset, Proposal, Signed, SingleAttestation, ValidatorRegistration};
use cluster_core::encoding::to_hex;
use cluster_node::beacon::{Beacon, BeaconError, NodeState};
use serde_json::{json, Value};

use crate::fake::{recorded, Client, Fake, Reaction};

const POOL: &str = "/eth/v2/beacon/pool/attestations";
const BLOCKS: &str = "/eth/v2/beacon/blocks";

fn attestations() -> Vec<SingleAttestation> {
    serde_json::from_value(recorded("single_attestations")).unwrap()
}

fn refused(items: &[(usize, &str)]) -> Reaction {
    let failures: Vec<Value> = items.iter().map(|(index, text)| json!({"index": index, "message": text})).collect();
    Reaction::Status(400, json!({"code": 400, "message": "Error processing attestations", "failures": failures}))
}

async fn pair() -> (Fake, Fake, Client) {
    let (first, second) = (Fake::start().await, Fake::start().await);
    let client = Client::start(&[&first, &second], |_| {});
    client.until(&[NodeState::Ready; 2]).await;
    (first, second, client)
}

#[tokio::test]
async fn a_list_is_taken_when_every_item_is_taken_by_some_node() {
    let ok = || Reaction::Json(json!({}));
    let known = "ATTESTATION_ERROR_ATTESTATION_ALREADY_KNOWN";
    let steps: [(&str, Reaction, Reaction, Option<&[usize]>); 10] = [
        ("both take it", ok(), ok(), None),
        ("one breaks", Reaction::Break, ok(), None),
        ("one never answers", Reaction::Hang, ok(), None),
        ("one answers garbage with 200", ok(), Reaction::Garbage, None),
        ("one refuses everything", Reaction::Status(500, json!({"message": "bad"})), ok(), None),
        ("each refuses another item", refused(&[(0, "no")]), refused(&[(1, "no")]), None),
        ("both refuse an item", refused(&[(1, "UNKNOWN_ROOT")]), refused(&[(0, "no"), (1, "bad")]), Some(&[1])),
        ("an item is known already", refused(&[(0, known)]), refused(&[(0, known), (1, "no")]), None),
        ("a repetition is known already", Reaction::Status(500, json!({"message": known})), Reaction::Break, None),
        ("both refuse everything", refused(&[(0, "a"), (1, "b")]), refused(&[(1, "c"), (0, "d")]), Some(&[0, 1])),
    ];
    for (what, one, other, expected) in steps {
        let (first, second, client) = pair().await;
        first.set(POOL, one);
        second.set(POOL, other);
        let result = client.nodes.publish_attestations(Fork::Electra, &attestations()).await;
        match (result, expected) {
            (Ok(()), None) => {}
            (Err(BeaconError::Refused { failures, of, .. }), Some(items)) => {
                assert_eq!(
                    (failures.iter().map(|failure| failure.index).collect::<Vec<_>>(), of),
                    (items.to_vec(), 2),
                    "{what}"
                );
            }
            (result, _) => panic!("{what}: {result:?}"),
        }
    }
}

#[tokio::test]
async fn everybody_is_told_although_the_first_has_answered() {
    let (first, second, client) = pair().await;
    client.nodes.publish_attestations(Fork::Electra, &attestations()).await.unwrap();
    let both = async {
        while first.seen(POOL).is_empty() || second.seen(POOL).is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), both).await.expect("both nodes are told");
    for fake in [first, second] {
        let seen = &fake.seen(POOL)[0];
        assert_eq!((seen.kind.as_str(), seen.fork.as_str()), ("application/octet-stream", "electra"));
        assert_eq!(seen.body.len(), 2 * (8 + 8 + 128 + 96), "two attestations in SSZ");
    }
}

#[tokio::test]
async fn nodes_that_do_not_take_ssz_get_json() {
    for status in [415, 400] {
        let fake = Fake::start().await;
        let client = Client::start(&[&fake], |_| {});
        fake.set(POOL, Reaction::JsonOnly(status));
        for _ in 0..2 {
            client.nodes.publish_attestations(Fork::Fulu, &attestations()).await.unwrap();
        }
        let seen = fake.seen(POOL);
        let kinds: Vec<&str> = seen.iter().map(|seen| seen.kind.as_str()).collect();
        assert_eq!(kinds, ["application/octet-stream", "application/json", "application/json"], "{status}: remembered");
        assert_eq!(seen[1].fork, "fulu");
        let written: Value = serde_json::from_slice(&seen[1].body).unwrap();
        assert_eq!(written, recorded("single_attestations"), "{status}: as a real node takes it");
    }
}

#[tokio::test]
async fn who_comes_in_time_is_told() {
    let fake = Fake::absent();
    let client = Client::start(&[&fake], |_| {});
    let nodes = client.nodes.clone();
    let call = tokio::spawn(async move { nodes.publish_attestations(Fork::Electra, &attestations()).await });
    client.until(&[NodeState::Unreachable]).await;
    fake.listen().await;
    assert_eq!(call.await.unwrap(), Ok(()));
    assert_eq!(fake.seen(POOL).len(), 1);
}

#[tokio::test]
async fn a_node_without_builder_has_nothing_to_register_with() {
    let registration = Signed {
        message: ValidatorRegistration { fee_recipient: [1; 20], gas_limit: 60_000_000, timestamp: 5, pubkey: [2; 48] },
        signature: [3; 96],
    };
    let registrations = vec![registration; 501];
    let fake = Fake::start().await;
    let client = Client::start(&[&fake], |_| {});
    const PATH: &str = "/eth/v1/validator/register_validator";
    client.nodes.register_validators(&registrations).await.unwrap();
    let counts: Vec<usize> =
        fake.seen(PATH).iter().map(|seen| serde_json::from_slice::<Vec<Value>>(&seen.body).unwrap().len()).collect();
    assert_eq!(counts, [500, 1], "in parts");
    fake.set(PATH, Reaction::Status(500, json!({"message": "External builder not configured"})));
    assert_eq!(client.nodes.register_validators(&registrations).await, Ok(()));
    fake.set(PATH, Reaction::Status(500, json!({"message": "builder answered 400"})));
    assert!(client.nodes.register_validators(&registrations).await.is_err());
}

fn proposal() -> Proposal {
    let json = serde_json::to_vec(&recorded("block")["data"]).unwrap();
    Proposal::from_contents_json(Preset::Minimal, Fork::Electra, false, &json).unwrap()
}

#[tokio::test]
async fn a_block_is_published_when_it_is_in_a_chain() {
    let error = |text: &str| Reaction::Status(500, json!({"code": 500, "message": text}));
    let known = "BLOCK_ERROR_ALREADY_KNOWN";
    let root = to_hex(&proposal().inspect(Preset::Minimal).unwrap().header.root());
    // What the node answers, whether the block is in its chain, and what the error says.
    let steps: [(&str, Reaction, bool, Option<&str>); 7] = [
        ("taken", Reaction::Json(json!({})), false, None),
        ("published before by another operator", error(known), true, None),
        ("known, but not in the chain", error(known), false, Some(known)),
        ("refused", error("BLOCK_ERROR_INVALID_SIGNATURE"), false, Some("INVALID_SIGNATURE")),
        ("refused, but in the chain", error("BLOCK_ERROR_INVALID_SIGNATURE"), true, None),
        ("passed on without being valid", Reaction::Status(202, json!({})), false, Some("not valid for the node")),
        ("passed on, and in the chain after all", Reaction::Status(202, json!({})), true, None),
    ];
    for (what, reaction, in_chain, expected) in steps {
        let fake = Fake::start().await;
        let client = Client::start(&[&fake], |_| {});
        fake.set(BLOCKS, reaction);
        if in_chain {
            fake.set(&format!("/eth/v1/beacon/headers/{root}"), Reaction::Json(json!({"data": {}})));
        }
        let result = client.nodes.publish_block(&proposal(), &[5; 96]).await;
        match (result, expected) {
            (Ok(()), None) => {}
            (Err(error), Some(words)) => assert!(error.to_string().contains(words), "{what}: {error}"),
            (result, _) => panic!("{what}: {result:?}"),
        }
        let seen = &fake.seen(BLOCKS)[0];
        assert_eq!((seen.kind.as_str(), seen.fork.as_str()), ("application/octet-stream", "electra"), "{what}");
        assert_eq!(seen.body, Bytes::from(proposal().signed_contents_ssz(&[5; 96])), "{what}");
    }
}

#[tokio::test]
async fn a_block_survives_the_death_of_a_node() {
    let (first, second, client) = pair().await;
    first.set(BLOCKS, Reaction::Break);
    second.set(BLOCKS, Reaction::Json(json!({})));
    assert_eq!(client.nodes.publish_block(&proposal(), &[5; 96]).await, Ok(()));
    assert_eq!(second.seen(BLOCKS).len(), 1);
}
