//! Preflights: an owner asks, a gateway takes the question up and answers, and nobody else sees it.

use crate::support::world::Answer;
use crate::support::{on_both_databases, Database, World};
use reqwest::Method;
use serde_json::{json, Value};
use std::time::{Duration, Instant};

pub(crate) const COMMITTEE: [u32; 4] = [10, 20, 30, 40];

async fn ask(world: &World, token: &str, operator_ids: &Value) -> Answer {
    let body = json!({ "operator_ids": operator_ids });
    Answer::of(world.call(Method::POST, "/v1/preflights").bearer_auth(token).json(&body)).await
}

/// Asks about the committee; the id.
pub(crate) async fn asked(world: &World, token: &str) -> String {
    let answer = ask(world, token, &json!(COMMITTEE)).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(answer.json()["status"], "waiting");
    answer.json()["preflight_id"].as_str().unwrap().to_owned()
}

async fn poll(world: &World, gateway: usize, query: &str) -> Value {
    let path = format!("/v1/gateway/preflights{query}");
    let answer = Answer::of(world.gateway_call(gateway, Method::GET, &path, String::new())).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["preflights"].clone()
}

async fn report(world: &World, gateway: usize, id: &str, report: &Value) -> Answer {
    let path = format!("/v1/gateway/preflights/{id}");
    Answer::of(world.gateway_call(gateway, Method::PUT, &path, report.to_string())).await
}

fn fit(operator_id: u32) -> Value {
    json!({
        "operator_id": operator_id, "reachable": true, "round_trip_ms": 12, "version": "0.1.0", "clock_skew_ms": -30,
        "open_ceremonies": 0, "chain": "ready", "beacon": null, "problems": [], "capabilities": ["chain:ready"],
        "protocols": [{ "protocol": "dkg", "min": 1, "max": 1 }],
    })
}

fn away(operator_id: u32) -> Value {
    json!({
        "operator_id": operator_id, "reachable": false, "round_trip_ms": null, "version": null, "clock_skew_ms": null,
        "open_ceremonies": null, "chain": null, "beacon": null, "protocols": [], "capabilities": [],
        "problems": ["not reachable; its node is down"],
    })
}

pub(crate) fn findings() -> Value {
    json!({ "operators": [fit(10), fit(20), away(30), fit(40)] })
}

on_both_databases! {
    async fn an_owner_asks_and_a_gateway_answers(database: Database) {
        let world = World::start(database).await;
        let token = world.login(0).await;
        let id = asked(&world, &token).await;
        let path = format!("/v1/preflights/{id}");
        assert_eq!(asked(&world, &token).await, id, "the same question while it waits");
        let question = poll(&world, 0, "").await;
        assert_eq!((&question[0]["preflight_id"], &question[0]["operator_ids"]), (&json!(id), &json!(COMMITTEE)));
        assert_eq!(poll(&world, 1, "").await, json!([]), "it is the first gateway's");
        let taken = world.get_as(&token, &path).await.json();
        assert_eq!((&taken["status"], &taken["gateway"], &taken["operators"]), (&json!("taken"), &json!("gateway-0"), &json!([])));
        // Who waits for the answer is woken by it.
        let waiting = format!("{path}?wait_ms=30000");
        let begin = Instant::now();
        let found = findings();
        let (answer, reported) = tokio::join!(world.get_as(&token, &waiting), report(&world, 0, &id, &found));
        assert!(reported.status == 204 && begin.elapsed() < Duration::from_secs(10));
        let done = answer.json();
        assert_eq!((&done["status"], &done["gateway"], &done["operators"]), (&json!("done"), &json!("gateway-0"), &findings()["operators"]));
        assert!(done["measured_at_ms"].as_u64().unwrap() >= done["created_at_ms"].as_u64().unwrap());
        // The first answer counts.
        let other = json!({ "operators": COMMITTEE.map(away) });
        assert_eq!(report(&world, 1, &id, &other).await.status, 204);
        assert_eq!(world.get_as(&token, &path).await.json(), done);
        // It is nobody else's, and it does not stay.
        let stranger = world.login(1).await;
        world.get_as(&stranger, &path).await.problem(404);
        world.get("/v1/preflights/0x00").await.problem(401);
        let world = world.restart().await;
        assert_eq!(world.get_as(&token, &path).await.json(), done);
        world.clock.advance_ms(10 * 60 * 1000);
        world.service.tidy().await.unwrap();
        world.get_as(&token, &path).await.problem(404);
        world.shutdown().await;
    }

    async fn a_question_that_no_gateway_takes_or_answers_ends(database: Database) {
        let world = World::start(database).await;
        let token = world.login(0).await;
        let id = asked(&world, &token).await;
        let path = format!("/v1/preflights/{id}");
        poll(&world, 0, "").await;
        // The gateway that took it is gone: after a while another one gets it.
        world.clock.advance_ms(12_000);
        assert_eq!(poll(&world, 1, "").await[0]["preflight_id"], id);
        world.clock.advance_ms(18_000);
        assert_eq!(world.get_as(&token, &path).await.json()["status"], "unanswered");
        assert_eq!(poll(&world, 0, "").await, json!([]));
        assert_eq!(report(&world, 1, &id, &findings()).await.status, 204);
        assert_eq!(world.get_as(&token, &path).await.json()["status"], "unanswered", "too late");
        let again = asked(&world, &token).await;
        assert_ne!(again, id);
        // A gateway that waits is woken.
        let begin = Instant::now();
        assert_eq!(poll(&world, 0, "").await[0]["preflight_id"], again);
        let other = world.login(1).await;
        let (question, _) = tokio::join!(poll(&world, 0, "?wait_ms=30000"), asked(&world, &other));
        assert!(question[0]["operator_ids"] == json!(COMMITTEE) && begin.elapsed() < Duration::from_secs(10));
        world.shutdown().await;
    }

    async fn questions_and_answers_are_bounded(database: Database) {
        let world = World::start(database).await;
        let token = world.login(0).await;
        for wrong in [json!([]), json!([10, 20, 30]), json!([10, 10, 20, 30]), json!([20, 10, 30, 40]), json!([10, 20, 30, 41])] {
            assert_eq!(ask(&world, &token, &wrong).await.problem(422), "operator_ids", "{wrong}");
        }
        Answer::of(world.call(Method::POST, "/v1/preflights").json(&json!({ "operator_ids": COMMITTEE }))).await.problem(401);
        let id = asked(&world, &token).await;
        let changed = |name: &str, value: Value| {
            let mut one = fit(20);
            one[name] = value;
            json!({ "operators": [fit(10), one, fit(30), fit(40)] })
        };
        let range = json!({ "protocol": "d k g", "min": 1, "max": 1 });
        let wrong = [
            ("operators", json!({ "operators": [fit(10), fit(20), fit(30)] })),
            ("operators", json!({ "operators": [fit(20), fit(10), fit(30), fit(40)] })),
            ("operators[1].version", changed("version", json!("0.1 0"))),
            ("operators[1].protocols", changed("protocols", json!([range]))),
            ("operators[1].capabilities", changed("capabilities", json!(vec!["x"; 33]))),
            ("operators[1].problems", changed("problems", json!(vec!["x"; 9]))),
            ("operators[1].problems", changed("problems", json!(["x".repeat(257)]))),
            ("operators[1].problems", changed("problems", json!(["two\nlines"]))),
            ("operators[1].round_trip_ms", changed("round_trip_ms", json!(-1))),
        ];
        for (field, body) in wrong {
            assert_eq!(report(&world, 0, &id, &body).await.problem(422), field, "{body}");
        }
        report(&world, 0, "0x00", &findings()).await.problem(404);
        let path = format!("/v1/gateway/preflights/{id}");
        Answer::of(world.call(Method::PUT, &path).json(&findings())).await.problem(401);
        assert_eq!(report(&world, 0, &id, &findings()).await.status, 204);
        // Sixty a minute; each answered, since a waiting one is not asked twice.
        for _ in 1..60 {
            let id = asked(&world, &token).await;
            assert_eq!(report(&world, 0, &id, &findings()).await.status, 204);
        }
        ask(&world, &token, &json!(COMMITTEE)).await.problem(429);
        let other = world.login(1).await;
        asked(&world, &other).await;
        world.clock.advance_ms(60_000);
        asked(&world, &token).await;
        world.shutdown().await;
    }
}
