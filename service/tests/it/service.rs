//! The service as a program: health, metrics, limits, start and stop.

use crate::support::world::Answer;
use crate::support::{on_both_databases, Database, World};
use cluster_service::{Config, StartError};
use reqwest::Method;
use serde_json::json;
use std::process::Command;
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
        // Until the poll has been let in: its signature is then in the database.
        let metric = "cluster_service_http_calls";
        while !world.get("/metrics").await.text.contains(metric) {}
        tokio::time::sleep(Duration::from_millis(200)).await;
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
        (Config { registry_file: Some("/nonexistent/registry.toml".into()), ..Config::default() }, "/nonexistent/registry.toml"),
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
