//! Live progress: in order, resumable, ending, and only for live sessions.

use crate::support::dealer::with_attestations;
use crate::support::{on_both_databases, Database, World};
use futures::StreamExt;
use reqwest::{Method, Response, StatusCode};
use serde_json::{json, Value};
use std::time::Duration;

struct Stream {
    body: futures::stream::BoxStream<'static, reqwest::Result<Vec<u8>>>,
    read: String,
}

impl Stream {
    async fn open(world: &World, token: &str, ceremony_id: &str, after: Option<u64>) -> Self {
        let response = Self::call(world, token, ceremony_id, after).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let body = response.bytes_stream().map(|chunk| chunk.map(|bytes| bytes.to_vec())).boxed();
        Self { body, read: String::new() }
    }

    async fn call(world: &World, token: &str, ceremony_id: &str, after: Option<u64>) -> Response {
        let mut call = world.call(Method::GET, &format!("/v1/ceremonies/{ceremony_id}/events")).bearer_auth(token);
        if let Some(after) = after {
            call = call.header("last-event-id", after.to_string());
        }
        call.send().await.unwrap()
    }

    /// The next event as (id, name, data); `None` at the end of the stream.
    async fn next(&mut self) -> Option<(u64, String, Value)> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.read = rest;
                let line = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                let Some(id) = line("id:") else { continue };
                let data = serde_json::from_str(line("data:").unwrap()).unwrap();
                return Some((id.parse().unwrap(), line("event:").unwrap().to_owned(), data));
            }
            let chunk =
                tokio::time::timeout(Duration::from_secs(20), self.body.next()).await.expect("no event came")?;
            self.read.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
        }
    }
}

on_both_databases! {
    async fn a_stream_follows_a_ceremony_and_resumes(database: Database) {
        let world = World::start(database).await;
        let signed = world.signed(0, 1, 1);
        world.submit(&signed).await;
        let certificate = world.certificate(&signed, 1);
        let id = certificate.ceremony_id.to_string();
        let token = world.login(0).await;
        let mut stream = Stream::open(&world, &token, &id, None).await;
        let (seq, kind, data) = stream.next().await.unwrap();
        assert_eq!((seq, kind.as_str()), (1, "requested"));
        assert_eq!(data, json!({ "ceremony_id": id, "seq": 1, "at_ms": data["at_ms"], "kind": "requested" }));
        let report = |operator_id: u32, step: &str| json!({ "operator_id": operator_id, "step": step, "at_ms": 5,
            "culprits": [{ "operator_id": 40, "kind": "silent" }] });
        world.progress(0, &id, report(10, "deal")).await;
        let (seq, kind, data) = stream.next().await.unwrap();
        assert_eq!((seq, kind.as_str()), (2, "progress"));
        assert_eq!((&data["operator_id"], &data["step"], &data["reported_at_ms"]), (&json!(10), &json!("deal"), &json!(5)));
        assert_eq!(data["culprits"], json!([{ "operator_id": 40, "kind": "silent" }]));
        drop(stream);
        // While nobody listens: a step, the same step by another gateway, an incomplete certificate.
        world.progress(0, &id, report(20, "echo")).await;
        world.progress(1, &id, report(20, "echo")).await;
        world.publish(0, &with_attestations(&certificate, &[0, 1, 2])).await;
        let world = world.restart().await;
        let mut stream = Stream::open(&world, &token, &id, Some(2)).await;
        assert_eq!(stream.next().await.unwrap().2["step"], "echo");
        let (seq, kind, data) = stream.next().await.unwrap();
        assert_eq!((seq, kind.as_str(), &data["missing_operators"]), (4, "incomplete", &json!([40])));
        world.publish(1, &certificate).await;
        let (seq, kind, _) = stream.next().await.unwrap();
        assert_eq!((seq, kind.as_str()), (5, "ready"));
        assert!(stream.next().await.is_none(), "nothing comes after ready");
        // A browser that reconnects is told to stop; one that lost everything gets everything.
        assert_eq!(Stream::call(&world, &token, &id, Some(5)).await.status(), StatusCode::NO_CONTENT);
        let mut all = Stream::open(&world, &token, &id, None).await;
        for seq in 1..=5 {
            assert_eq!(all.next().await.unwrap().0, seq);
        }
        assert!(all.next().await.is_none());
        let call = world.call(Method::GET, &format!("/v1/ceremonies/{id}/events")).bearer_auth(&token);
        let odd = crate::support::world::Answer::of(call.header("last-event-id", "x")).await;
        assert_eq!(odd.problem(422), "Last-Event-ID");
        world.shutdown().await;
    }

    async fn a_request_that_nobody_takes_up_expires_in_sight_of_its_owner(database: Database) {
        let world = World::start(database).await;
        let signed = world.signed(0, 1, 1);
        world.submit(&signed).await;
        let id = signed.ceremony_id().to_string();
        let token = world.login(0).await;
        let status = || async { world.get_as(&token, &format!("/v1/ceremonies/{id}")).await.json()["status"].clone() };
        world.clock.advance_ms((3600 + 60) * 1000);
        world.service.tidy().await.unwrap();
        assert_eq!(status().await, "pending", "reports of a start may be on their way");
        let mut stream = Stream::open(&world, &token, &id, Some(1)).await;
        world.clock.advance_ms(1000);
        world.service.tidy().await.unwrap();
        assert_eq!(stream.next().await.unwrap().1, "expired");
        assert_eq!(status().await, "expired");
        let list = world.get_as(&token, "/v1/ceremonies?status=expired").await.json();
        assert_eq!(list["items"].as_array().unwrap().len(), 1);
        // Operators signed it after all: what they signed counts.
        let certificate = world.certificate(&signed, 1);
        world.publish(0, &certificate).await;
        assert_eq!(stream.next().await.unwrap().1, "ready");
        assert_eq!(status().await, "ready");
        // One that stays expired is deleted a day after its deadline.
        let second = world.signed(0, 2, 1);
        world.submit(&second).await;
        for _ in 0..2 {
            world.clock.advance_ms(14 * 3600 * 1000);
            world.service.tidy().await.unwrap();
        }
        let token = world.login(0).await;
        let list = world.get_as(&token, "/v1/ceremonies").await.json();
        assert_eq!((list["items"].as_array().unwrap().len(), &list["items"][0]["status"]), (1, &json!("ready")));
        world.shutdown().await;
    }

    async fn a_stream_ends_with_its_session_and_with_the_service(database: Database) {
        let world = World::start(database).await;
        let signed = world.signed(0, 1, 1);
        world.submit(&signed).await;
        let id = signed.ceremony_id().to_string();
        let (first, second) = (world.login(0).await, world.login(0).await);
        let mut logged_out = Stream::open(&world, &first, &id, Some(1)).await;
        let mut stopped = Stream::open(&world, &second, &id, Some(1)).await;
        world.call(Method::POST, "/v1/auth/logout").bearer_auth(&first).send().await.unwrap();
        world.progress(0, &id, json!({ "operator_id": 10, "step": "deal", "at_ms": 1 })).await;
        assert!(logged_out.next().await.is_none(), "not one event after the logout");
        assert_eq!(stopped.next().await.unwrap().0, 2);
        world.shutdown().await;
        assert!(stopped.next().await.is_none());
    }
}
