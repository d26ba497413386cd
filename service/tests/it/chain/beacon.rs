//! Whether validators are active, by a beacon node.

use crate::support::{on_both_databases, ChainWorld, Database};
use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{json, Value};
use std::sync::{Arc, Mutex};

/// Answers the two calls of the Beacon API that the service makes, with whatever states it is given.
#[derive(Clone, Default)]
struct Beacon {
    /// Public key and status.
    validators: Arc<Mutex<Vec<(String, String)>>>,
}

impl Beacon {
    async fn start(&self) -> String {
        let app = Router::new()
            .route("/eth/v1/beacon/headers/head", get(head))
            .route("/eth/v1/beacon/states/{state}/validators", post(validators))
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    }

    fn set(&self, validators: &[(&str, &str)]) {
        let owned = validators.iter().map(|(key, status)| ((*key).to_owned(), (*status).to_owned()));
        *self.validators.lock().unwrap() = owned.collect();
    }
}

async fn head() -> Json<Value> {
    Json(json!({ "data": { "header": { "message": { "slot": "640", "state_root": "0xabcd" } } } }))
}

async fn validators(
    State(beacon): State<Beacon>,
    Path(state): Path<String>,
    Json(question): Json<Value>,
) -> Json<Value> {
    assert_eq!(state, "0xabcd", "the state of the head that was announced");
    let asked: Vec<&str> = question["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    let held = beacon.validators.lock().unwrap();
    let known = held.iter().filter(|(key, _)| asked.contains(&key.as_str())).enumerate().map(|(at, (key, status))| {
        let never = u64::MAX.to_string();
        json!({ "index": (100 + at).to_string(), "status": status, "balance": "32000000000",
            "validator": { "pubkey": key, "slashed": false, "activation_epoch": "12", "exit_epoch": never } })
    });
    // One that nobody asked about.
    let stranger = json!({ "index": "1", "status": "active_ongoing", "balance": "1",
        "validator": { "pubkey": format!("0x{}", "ee".repeat(48)), "slashed": true, "activation_epoch": "0", "exit_epoch": "1" } });
    Json(json!({ "data": known.chain([stranger]).collect::<Vec<_>>() }))
}

async fn until(chain: &ChainWorld, pubkey: &str, fact: &str, holds: &str) -> Value {
    for _ in 0..500 {
        chain.world.service.look_at_beacon();
        let facts = chain.facts(pubkey).await;
        if facts[fact]["holds"] == holds {
            return facts;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{fact} never became {holds}: {}", chain.facts(pubkey).await)
}

on_both_databases! {
    async fn a_beacon_node_tells_active_exiting_and_exited(database: Database) {
        let beacon = Beacon::default();
        let url = beacon.start().await;
        // The first one is not there: the next one is asked.
        let urls = vec!["http://127.0.0.1:1".to_owned(), format!("{url}/")];
        let chain = ChainWorld::start_with(database, |config, _| config.chain.beacon_urls = urls).await;
        let (_, certificate) = chain.make_validators(2).await;
        let key = certificate.transcript.validators[0].pubkey.to_string();
        let facts = chain.facts(&key).await;
        assert_eq!((&facts["active"]["holds"], &facts["active"]["evidence"]), (&json!("no"), &json!(null)));
        for (status, fact, linear) in [
            ("pending_queued", "deposited", "Deposited"),
            ("active_ongoing", "active", "Deposited"),
            ("active_exiting", "exiting", "Exited"),
            ("exited_unslashed", "exited", "Exited"),
            ("withdrawal_done", "exited", "Exited"),
        ] {
            beacon.set(&[(&key, status)]);
            let facts = until(&chain, &key, fact, "yes").await;
            let evidence = &facts["active"]["evidence"];
            if evidence["status"] == status {
                assert_eq!((&evidence["validator_index"], &evidence["slot"], &evidence["exit_epoch"]), (&json!(100), &json!(640), &json!(null)));
            }
            assert_eq!(chain.rows().await[0]["status"], linear, "{status}");
        }
        assert_eq!(chain.rows().await[1]["status"], "Ready", "nobody spoke of the other");
        chain.world.shutdown().await;
    }
}
