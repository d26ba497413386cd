//! Calls of gateways: who is let in, what they learn, what they may report.

use crate::support::world::{signed_call, Answer};
use crate::support::{on_both_databases, Database, World};
use cluster_crypto::identity;
use rand_core::OsRng;
use reqwest::Method;
use serde_json::{json, Value};
use std::time::{Duration, Instant};

const POLL: &str = "/v1/gateway/requests";

async fn poll(world: &World, query: &str) -> Value {
    let answer = Answer::of(world.gateway_call(0, Method::GET, &format!("{POLL}{query}"), String::new())).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

on_both_databases! {
    async fn calls_are_let_in_only_with_a_fresh_signature_of_a_registered_gateway(database: Database) {
        let world = World::start(database).await;
        let (key, now_ms) = (world.gateways[0].clone(), world.clock.now_ms());
        let path = format!("/v1/gateway/ceremonies/0x{}/progress", "11".repeat(32));
        let get = |timestamp_ms: u64| signed_call(&world, &key, timestamp_ms, Method::GET, POLL, String::new());
        let window = 5 * 60 * 1000;
        for edge in [now_ms - window, now_ms + window] {
            assert_eq!(Answer::of(get(edge)).await.status, 200);
        }
        for beyond in [now_ms - window - 1, now_ms + window + 1, 0, u64::MAX] {
            assert_eq!(Answer::of(get(beyond)).await.problem(401), "x-cluster-timestamp");
        }
        assert_eq!(Answer::of(get(now_ms)).await.status, 200);
        assert_eq!(Answer::of(get(now_ms)).await.problem(401), "x-cluster-timestamp", "replay");
        let operator = world.operators.values().next().unwrap();
        for stranger in [operator, &identity::SecretKey::generate(&mut OsRng)] {
            let call = signed_call(&world, stranger, now_ms + 1, Method::GET, POLL, String::new());
            assert_eq!(Answer::of(call).await.problem(401), "x-cluster-pubkey");
        }
        // The signature covers method, path with query, time and body.
        let signed = |method: Method, path: &str, timestamp_ms: u64, body: &str| {
            let digest = cluster_service::auth::gateway::call_digest(method.as_str(), path, timestamp_ms, body.as_bytes());
            format!("0x{}", hex::encode(key.sign(&digest).to_bytes()))
        };
        let at = now_ms + 2;
        let send = |signature: String| {
            let call = world.call(Method::POST, &path).body("{}").header("x-cluster-signature", signature);
            let call = call.header("x-cluster-timestamp", at.to_string()).header("x-cluster-pubkey", key.public_key().to_string());
            async { Answer::of(call).await }
        };
        let wrong = [
            ("method", signed(Method::PUT, &path, at, "{}")),
            ("path", signed(Method::POST, POLL, at, "{}")),
            ("query", signed(Method::POST, &format!("{path}?a=1"), at, "{}")),
            ("time", signed(Method::POST, &path, at + 1, "{}")),
            ("body", signed(Method::POST, &path, at, "{ }")),
            ("length", "0x12".to_owned()),
            ("zero", format!("0x{}", "00".repeat(64))),
        ];
        for (description, signature) in wrong {
            assert_eq!(send(signature).await.problem(401), "x-cluster-signature", "{description}");
        }
        assert_eq!(send(signed(Method::POST, &path, at, "{}")).await.problem(422), "operator_id", "the right one gets through");
        for missing in ["x-cluster-pubkey", "x-cluster-timestamp", "x-cluster-signature"] {
            let mut call = world.call(Method::GET, POLL);
            for (name, value) in [
                ("x-cluster-pubkey", key.public_key().to_string()),
                ("x-cluster-timestamp", at.to_string()),
                ("x-cluster-signature", signed(Method::GET, POLL, at, "")),
            ] {
                if name != missing {
                    call = call.header(name, value);
                }
            }
            assert_eq!(Answer::of(call).await.problem(401), missing);
        }
        // A replay is remembered by the database, not by the process.
        let world = world.restart().await;
        assert_eq!(Answer::of(signed_call(&world, &key, now_ms, Method::GET, POLL, String::new())).await.problem(401), "x-cluster-timestamp");
        world.shutdown().await;
    }

    async fn polls_return_open_requests_in_order_and_wake_up(database: Database) {
        let world = World::start(database).await;
        assert_eq!(poll(&world, "").await, json!({ "cursor": "0", "requests": [] }));
        let begin = Instant::now();
        poll(&world, "?wait_ms=300").await;
        assert!(begin.elapsed() >= Duration::from_millis(300), "waited for nothing");
        // A poll that waits is woken by a request.
        let waiting = poll(&world, "?wait_ms=30000&after=0");
        let first = world.signed(0, 1, 1);
        let submitting = async {
            world.wait_for_poll().await;
            world.submit(&first).await
        };
        let begin = Instant::now();
        let (woken, submitted) = tokio::join!(waiting, submitting);
        assert!(submitted.status == 202 && begin.elapsed() < Duration::from_secs(10));
        assert_eq!(woken["requests"], json!([first]));
        let mut second = world.request(1, 1, 1);
        second.deadline = world.clock.now_s() + 60;
        let second = world.sign(1, second);
        assert_eq!(world.submit(&second).await.status, 202);
        let rest = poll(&world, &format!("?after={}", woken["cursor"].as_str().unwrap())).await;
        assert_eq!(rest["requests"], json!([second]));
        assert_eq!(poll(&world, &format!("?after={}", rest["cursor"].as_str().unwrap())).await["requests"], json!([]));
        assert_eq!(poll(&world, "").await["requests"], json!([first, second]));
        // A gateway that starts anew gets what is open: not the expired, not the finished.
        world.clock.advance_ms(61_000);
        assert_eq!(poll(&world, "").await["requests"], json!([first]));
        assert_eq!(world.publish(0, &world.certificate(&first, 1)).await.status, 201);
        assert_eq!(poll(&world, "").await["requests"], json!([]));
        for (query, field) in [("?after=x", "after"), ("?after=-1", "after"), ("?wait_ms=30001", "wait_ms"), ("?wait_ms=x", "query")] {
            let call = world.gateway_call(0, Method::GET, &format!("{POLL}{query}"), String::new());
            assert_eq!(Answer::of(call).await.problem(422), field);
        }
        world.shutdown().await;
    }

    async fn reports_are_checked_kept_once_and_never_beat_a_certificate(database: Database) {
        let world = World::start(database).await;
        let signed = world.signed(0, 1, 1);
        world.submit(&signed).await;
        let token = world.login(0).await;
        let id = signed.ceremony_id().to_string();
        let report = |operator_id: u32, step: &str| json!({ "operator_id": operator_id, "step": step, "at_ms": world.clock.now_ms() });
        let long = "x".repeat(257);
        let bad = [
            ("operator_id", report(50, "deal")),
            ("step", report(10, "guess")),
            ("at_ms", json!({ "operator_id": 10, "step": "deal" })),
            ("at_ms", json!({ "operator_id": 10, "step": "deal", "at_ms": -1 })),
            ("extra", json!({ "operator_id": 10, "step": "deal", "at_ms": 1, "extra": 1 })),
            ("culprits[0].operator_id", json!({ "operator_id": 10, "step": "deal", "at_ms": 1, "culprits": [{ "operator_id": 50, "kind": "silent" }] })),
            ("culprits[0].kind", json!({ "operator_id": 10, "step": "deal", "at_ms": 1, "culprits": [{ "operator_id": 20, "kind": "<b>" }] })),
            ("culprits", json!({ "operator_id": 10, "step": "deal", "at_ms": 1, "culprits": vec![json!({ "operator_id": 20, "kind": "silent" }); 14] })),
            ("aborted", json!({ "operator_id": 10, "step": "deal", "at_ms": 1, "aborted": long })),
            ("aborted", json!({ "operator_id": 10, "step": "deal", "at_ms": 1, "aborted": "two\nlines" })),
        ];
        for (field, report) in bad {
            assert_eq!(world.progress(0, &id, report.clone()).await.problem(422), field, "{report}");
        }
        world.progress(0, &format!("0x{}", "22".repeat(32)), report(10, "deal")).await.problem(404);
        assert_eq!(world.progress(0, "0x12", report(10, "deal")).await.problem(422), "ceremony_id");
        let state = || async { world.get_as(&token, &format!("/v1/ceremonies/{id}")).await.json() };
        assert_eq!(state().await["status"], "pending");
        assert_eq!(world.progress(0, &id, report(10, "deal")).await.status, 204);
        assert_eq!(state().await["status"], "running");
        assert_eq!(world.progress(1, &id, report(10, "deal")).await.status, 204, "another gateway saw the same");
        let aborted = json!({ "operator_id": 10, "step": "aborted", "at_ms": 1, "aborted": "two dealers were silent",
            "culprits": [{ "operator_id": 20, "kind": "silent" }] });
        assert_eq!(world.progress(0, &id, aborted).await.status, 204);
        assert_eq!((&state().await["status"], &state().await["abort_reason"]), (&json!("aborted"), &json!("two dealers were silent")));
        assert_eq!(world.progress(0, &id, report(30, "echo")).await.status, 204);
        assert_eq!(state().await["status"], "aborted", "late reports do not bring it back");
        // What a gateway says is overruled by what operators signed, and never overrules it.
        assert_eq!(world.publish(0, &world.certificate(&signed, 1)).await.status, 201);
        assert_eq!((&state().await["status"], &state().await["abort_reason"]), (&json!("ready"), &Value::Null));
        let again = json!({ "operator_id": 40, "step": "aborted", "at_ms": 1, "aborted": "no" });
        assert_eq!(world.progress(0, &id, again).await.status, 204);
        assert_eq!(state().await["status"], "ready");
        world.shutdown().await;
    }
}
