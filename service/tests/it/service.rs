//! The service as a program: health, metrics, limits, start and stop.

use crate::support::world::Answer;
use crate::support::{on_both_databases, Database, World};
use cluster_service::{Config, StartError};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use reqwest::Method;
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

on_both_databases! {
    async fn health_and_metrics(database: Database) {
        let world = World::start(database).await;
        let health = world.get("/v1/health").await.json();
        assert_eq!((&health["status"], &health["network"], &health["chain_id"]), (&json!("ok"), &json!("hoodi"), &json!(560_048)));
        assert_eq!(world.publish(0, &world.certificate(&world.signed(0, 1, 1), 1)).await.status, 201);
        world.get("/v1/operators/10").await;
        let metrics = world.get("/metrics").await.text;
        for line in [
            "cluster_service_publications_total{result=\"Created\"} 1",
            "cluster_service_http_calls_total{method=\"GET\",route=\"/v1/operators/{operator_id}\",status=\"200\"} 1",
            "cluster_service_verify_seconds_count 1",
        ] {
            assert!(metrics.contains(line), "{line} is not in\n{metrics}");
        }
        world.shutdown().await;
    }

    async fn a_poll_that_waits_does_not_hold_up_the_shutdown(database: Database) {
        let world = World::start(database).await;
        let call = world.gateway_call(0, Method::GET, "/v1/gateway/requests?wait_ms=30000", String::new());
        let waiting = tokio::spawn(Answer::of(call));
        world.wait_for_poll().await;
        let begin = Instant::now();
        world.shutdown().await;
        assert!(begin.elapsed() < Duration::from_secs(4));
        waiting.await.unwrap().problem(503);
    }
}

#[tokio::test]
async fn unauthenticated_posts_of_one_address_are_limited() {
    let world = World::start_with(Database::sqlite(), |config| {
        config.rate_limit_per_second = 1;
        config.rate_limit_burst = 3;
        config.trust_forwarded_for = true;
    })
    .await;
    let call = |address: &'static str| {
        let call = world.call(Method::POST, "/v1/auth/nonce").header("x-forwarded-for", address);
        async { Answer::of(call).await }
    };
    for _ in 0..3 {
        assert_eq!(call("198.51.100.9, 192.0.2.1").await.status, 200);
    }
    call("192.0.2.1").await.problem(429);
    call("203.0.113.77, 192.0.2.1").await.problem(429);
    assert_eq!(call("192.0.2.2").await.status, 200, "another address");
    assert_eq!(world.get("/v1/health").await.status, 200, "reads are not limited");
    world.clock.advance_ms(1000);
    assert_eq!(call("192.0.2.1").await.status, 200);
    world.shutdown().await;
}

#[tokio::test]
async fn wrong_configurations_are_refused_in_words() {
    let cases = [
        (Config::default(), "registry_file is not set"),
        (
            Config { registry_file: Some("/nonexistent/registry.toml".into()), ..Config::default() },
            "/nonexistent/registry.toml",
        ),
    ];
    for (config, words) in cases {
        let error: StartError = cluster_service::start(config).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn program_prints_help_example_and_description() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_cluster-service")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let help = run(&["--help"]);
    for flag in ["--config", "--listen", "--database-url", "--registry-file", "--cluster-pubkey", "--public-url"] {
        assert!(help.contains(flag), "{flag}");
    }
    assert_eq!(run(&["config"]), cluster_service::config::EXAMPLE);
    assert_eq!(run(&["openapi"]), cluster_service::openapi_json());
}

/// Flags win over variables, variables over the file; SIGTERM ends the program in order.
#[test]
fn program_reads_its_configuration_serves_and_stops() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("registry.toml"), "network = \"mainnet\"\n").unwrap();
    let file =
        format!("listen = \"192.0.2.1:1\"\nregistry_file = {:?}\nlog_filter = \"error\"\n", path("registry.toml"));
    std::fs::write(path("service.toml"), file).unwrap();
    let key = "0x02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5";
    let mut child = Command::new(env!("CARGO_BIN_EXE_cluster-service"))
        .args(["--config", path("service.toml").to_str().unwrap(), "--listen", "127.0.0.1:0", "--log-filter", "info"])
        .env("CLUSTER_SERVICE_DATABASE_URL", format!("sqlite://{}", path("service.db").display()))
        .env("CLUSTER_SERVICE_LISTEN", "192.0.2.2:1")
        .env("CLUSTER_SERVICE_CLUSTER_PUBKEY", key)
        .env("CLUSTER_SERVICE_PUBLIC_URLS", "[\"https://node.example\"]")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = log.find(|line| line.contains("listens on")).unwrap();
    let address = line.split("listens on ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let get = |path: &str| {
        let url = format!("http://{address}{path}");
        tokio::runtime::Runtime::new()
            .unwrap()
            .block_on(async { reqwest::get(url).await.unwrap().text().await.unwrap() })
    };
    let health: serde_json::Value = serde_json::from_str(&get("/v1/health")).unwrap();
    assert_eq!((&health["network"], &health["cluster_pubkey"]), (&json!("mainnet"), &json!(key)));
    assert!(get("/server/initiator/status").contains(key));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), nix::sys::signal::Signal::SIGTERM).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(path("service.db").is_file());
}

/// Whatever comes in, the service answers in its own words and never with a 500.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_gets_an_answer_that_is_not_a_server_error() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let world = World::start(Database::sqlite()).await;
    let signed = world.signed(0, 1, 1);
    world.submit(&signed).await;
    let id = signed.ceremony_id().to_string();
    let token = world.login(0).await;
    let samples = [
        serde_json::to_string(&signed).unwrap(),
        serde_json::to_string(&world.certificate(&signed, 1)).unwrap(),
        json!({ "operator_id": 10, "step": "deal", "at_ms": 1, "culprits": [], "aborted": "x" }).to_string(),
        json!([{ "pubkey": "0x", "action": "ready", "txid": "" }]).to_string(),
        json!({ "pag": { "offset": 0, "limit": 1 }, "filter": { "name": "a" }, "sort": { "id": 1 } }).to_string(),
        json!({ "message": "m", "signature": "0x" }).to_string(),
    ];
    let words = [
        "0",
        "-1",
        "99999999999999999999",
        "%00",
        "%ff",
        "%F0%9F%A6%80",
        "..",
        "0x",
        &id,
        "a%2Fb",
        "'",
        "\"",
        "[]",
        "*",
    ];
    let description: serde_json::Value = serde_json::from_str(cluster_service::openapi_json()).unwrap();
    let mut routes: Vec<(Method, String)> = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        routes.extend(
            item.as_object().unwrap().keys().map(|method| (method.to_uppercase().parse().unwrap(), path.clone())),
        );
    }
    routes.extend(cluster_service::legacy::ROUTES.map(|(method, path)| (method.parse().unwrap(), path.to_owned())));
    for (method, path) in routes.iter().filter(|(_, path)| !path.ends_with("logout")) {
        for _ in 0..20 {
            let mut pick = |count: usize| rng.next_u32() as usize % count;
            let mut body = samples[pick(samples.len())].clone().into_bytes();
            for _ in 0..pick(4) {
                let at = pick(body.len());
                body[at] = [b'"', b'0', b'{', b',', 0xff, b'-', b'9'][pick(7)];
            }
            body.truncate(if pick(4) == 0 { pick(body.len()) } else { body.len() });
            let name = |part: &str| words.contains(&part);
            let parts: Vec<&str> = path
                .split('/')
                .map(|part| if part.starts_with('{') { words[pick(words.len())] } else { part })
                .collect();
            let query = ["limit", "cursor", "status", "after", "wait_ms", "name", "verified", "ceremony_id"][pick(8)];
            // A poll that waits, or a stream that never ends, is not garbage.
            let value = if query == "wait_ms" { "x" } else { words[pick(words.len())] };
            if path.ends_with("/events") && parts.iter().any(|part| name(part) && *part == id) {
                continue;
            }
            let path = format!("{}?{query}={value}", parts.join("/"));
            let body = String::from_utf8_lossy(&body).into_owned();
            let mut calls = vec![world.call(method.clone(), &path).bearer_auth(&token).body(body.clone())];
            let mut legacy = world.call(method.clone(), &path).body(body.clone());
            for (name, value) in world.legacy_headers(0) {
                legacy = legacy.header(name, value);
            }
            calls.push(legacy);
            if path.starts_with("/v1/gateway") {
                calls.push(world.gateway_call(0, method.clone(), &path, body));
            }
            for call in calls {
                let answer = Answer::of(call).await;
                // Without a chain there is no CSM.
                let no_chain = answer.status == 503 && path.starts_with("/v1/csm");
                assert!(answer.status.as_u16() < 500 || no_chain, "{method} {path}: {answer:?}");
                let ours = ["application/json", "application/problem+json", "application/openmetrics-text"];
                let plain = answer.text.is_empty() || ours.iter().any(|kind| answer.content_type.starts_with(kind));
                assert!(plain, "{method} {path}: {answer:?}");
                if answer.content_type == "application/json" && answer.json().get("code").is_some() {
                    assert_ne!(answer.json()["code"], 500, "{method} {path}: {answer:?}");
                }
            }
        }
    }
    world.shutdown().await;
}
