//! The certificate of a real reshare (`app/fixtures/reshare`) beside that of the ceremony before, and what a service might give out instead.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use cluster_app_verify::{Check, ReshareVerifier, Takeover, Verifier};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::{json, Value};
use std::path::Path;

fn read(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([7; 32])
}

/// The checks that fail; none for good files.
fn failures(certificate: &Value, previous: &Value, expected: &Value) -> Vec<Check> {
    let texts = [certificate, previous, expected].map(Value::to_string);
    let outcomes = ReshareVerifier::new(&texts[0], &texts[1], &texts[2]).unwrap().outcomes(&mut rng());
    assert_eq!(outcomes.len(), 7);
    outcomes.into_iter().filter(|outcome| !outcome.passed).map(|outcome| outcome.check).collect()
}

#[test]
fn a_reshare_is_verified_against_the_ceremony_before_it() {
    let files = ["certificate", "previous", "expected"].map(|name| read(&format!("reshare/{name}.json")));
    let [certificate, previous, expected] = &files;
    assert_eq!(failures(certificate, previous, expected), []);
    // Another ceremony of other keys, and the reshare in the place of what it takes over.
    assert_eq!(failures(certificate, &read("certificate.json"), expected), [Check::Takeover]);
    assert_eq!(failures(certificate, certificate, expected), [Check::Takeover]);
    // The ceremony before is none that takes something over.
    let mut of_previous = expected.clone();
    of_previous["ceremony_id"] = previous["ceremony_id"].clone();
    of_previous["operators"] = previous["transcript"]["committee"].clone();
    assert_eq!(failures(previous, previous, &of_previous), [Check::Takeover]);
    let mut changed = certificate.clone();
    changed["transcript"]["validators"][0]["share_pubkeys"][0] =
        certificate["transcript"]["validators"][1]["share_pubkeys"][0].clone();
    assert_eq!(failures(&changed, previous, expected), [Check::Certificate]);
    let mut missing = certificate.clone();
    missing["attestations"].as_array_mut().unwrap().pop();
    assert_eq!(failures(&missing, previous, expected), [Check::Receipts]);
    let mut other = expected.clone();
    other["operators"][3]["operator_id"] = json!(104);
    assert!(failures(certificate, previous, &other).contains(&Check::Committee));
    other = expected.clone();
    other["owner"] = json!("0x1111111111111111111111111111111111111111");
    assert_eq!(failures(certificate, previous, &other), [Check::Request]);
}

#[test]
fn a_reshare_is_not_offered_for_deposits() {
    let texts = [read("reshare/certificate.json"), json!([]), read("reshare/expected.json")].map(|one| one.to_string());
    let outcomes = Verifier::new(&texts[0], &texts[1], &texts[2]).unwrap().request();
    let request = outcomes.iter().find(|outcome| outcome.check == Check::Request).unwrap();
    assert!(!request.passed && request.detail.contains("must not be deposited again"), "{}", request.detail);
}

#[test]
fn what_is_taken_over_comes_from_a_certificate_that_holds() {
    let (previous, expected) = (read("reshare/previous.json"), read("reshare/expected.json"));
    let signed = read("reshare/certificate.json")["transcript"]["request"]["request"]["reshare"].clone();
    let owner = expected["owner"].as_str().unwrap();
    let id = previous["ceremony_id"].as_str().unwrap();
    let of = |certificate: &Value, chain: u64, owner: &str, id: &str| {
        Takeover::of(&certificate.to_string(), chain, owner, id, &mut rng())
    };
    let takeover = of(&previous, 560_048, owner, id).unwrap();
    assert_eq!(serde_json::to_value(&takeover.reshare).unwrap(), signed);
    assert_eq!((takeover.pubkeys.len(), takeover.validator_count), (2, 2));
    let other_owner = "0x1111111111111111111111111111111111111111";
    let mut incomplete = previous.clone();
    incomplete["attestations"].as_array_mut().unwrap().pop();
    for (what, result) in [
        ("chain 560048", of(&previous, 1, owner, id)),
        ("not to you", of(&previous, 560_048, other_owner, id)),
        ("certificate of ceremony", of(&previous, 560_048, owner, &format!("0x{}", "1".repeat(64)))),
        ("confirmed its shares", of(&incomplete, 560_048, owner, id)),
    ] {
        let problem = result.unwrap_err();
        assert!(problem.contains(what), "{problem}");
    }
}
