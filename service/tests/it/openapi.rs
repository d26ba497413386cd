//! `openapi.json` is what the program serves, and describes what core writes.

use crate::support::{Database, World};
use cluster_core::request::Reshare;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn file_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let file = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        file == cluster_service::openapi_json(),
        "stale: cargo run -p cluster-service -- openapi > service/openapi.json"
    );
}

/// The shapes in `schemas.rs` have the fields that core's types really have.
#[tokio::test]
async fn shapes_of_core_are_described_truly() {
    let world = World::start(Database::sqlite()).await;
    let certificate = world.certificate(&world.signed(0, 1, 1), 1);
    let description: Value = serde_json::from_str(cluster_service::openapi_json()).unwrap();
    let value = serde_json::to_value(&certificate).unwrap();
    let transcript = &value["transcript"];
    let mut request = transcript["request"]["request"].clone();
    request["reshare"] = serde_json::to_value(Reshare::of(&certificate.transcript)).unwrap();
    for (schema, value) in [
        ("Certificate", &value),
        ("Transcript", transcript),
        ("SignedRequest", &transcript["request"]),
        ("Request", &request),
        ("Reshare", &request["reshare"]),
        ("Member", &transcript["committee"][0]),
        ("Dealer", &transcript["qualified"][0]),
        ("ValidatorRecord", &transcript["validators"][0]),
        ("Attestation", &value["attestations"][0]),
        ("DepositData", &serde_json::to_value(&certificate.deposit_data()[0]).unwrap()),
    ] {
        let schema_fields = description["components"]["schemas"][schema]["properties"].as_object().unwrap();
        let described: BTreeSet<_> = schema_fields.keys().collect();
        assert_eq!(described, value.as_object().unwrap().keys().collect(), "{schema}");
        for (name, property) in schema_fields {
            let kind = match &value[name] {
                Value::String(_) => "string",
                Value::Number(_) => "integer",
                Value::Array(_) => "array",
                _ => continue,
            };
            assert_eq!(property["type"], kind, "{schema}.{name}");
        }
    }
    world.shutdown().await;
}

/// Generated clients name their functions after operations: each name occurs once.
#[test]
fn every_operation_has_a_name_of_its_own() {
    let description: Value = serde_json::from_str(cluster_service::openapi_json()).unwrap();
    let mut names = BTreeSet::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "{method} {path}: {name} names another operation, too");
        }
    }
    assert!(names.len() > 20);
}
