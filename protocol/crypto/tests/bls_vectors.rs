//! The official BLS vectors of Ethereum, hash-to-curve of RFC 9380, and points outside the subgroup.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use cluster_crypto::bls::{self, BlsError, HashedMessage, PublicKey, SecretKey, Signature};
use cluster_crypto::primitives::hash_to_g2;
use common::{cases, outside_subgroup, read_json, rng, unhex, unhex_array, vectors};
use serde_json::Value;

fn keys(values: &Value) -> Result<Vec<PublicKey>, BlsError> {
    values.as_array().unwrap().iter().map(|value| PublicKey::from_bytes(&unhex(value))).collect()
}

fn messages(values: &Value) -> Vec<HashedMessage> {
    values.as_array().unwrap().iter().map(|value| HashedMessage::new(&unhex(value))).collect()
}

fn signatures(values: &Value) -> Result<Vec<Signature>, BlsError> {
    values.as_array().unwrap().iter().map(|value| Signature::from_bytes(&unhex(value))).collect()
}

/// Runs `check` on every case of a folder; it returns what our code says where the vector has true or false.
fn judge(folder: &str, expected_cases: usize, check: impl Fn(&Value) -> Option<bool>) {
    let cases = cases(&format!("bls12-381-tests/{folder}"));
    assert_eq!(cases.len(), expected_cases);
    for (name, case) in cases {
        assert_eq!(check(&case["input"]).unwrap_or(false), case["output"].as_bool().unwrap(), "{name}");
    }
}

fn is_infinity(bytes: &[u8]) -> bool {
    bytes[0] == 0xc0 && bytes[1..].iter().all(|byte| *byte == 0)
}

#[test]
fn official_verify() {
    judge("verify", 29, |input| {
        let key = PublicKey::from_bytes(&unhex(&input["pubkey"])).ok()?;
        let signature = Signature::from_bytes(&unhex(&input["signature"])).ok()?;
        Some(bls::verify(&key, &HashedMessage::new(&unhex(&input["message"])), &signature))
    });
}

#[test]
fn official_fast_aggregate_verify() {
    judge("fast_aggregate_verify", 12, |input| {
        let keys = keys(&input["pubkeys"]).ok()?;
        let signature = Signature::from_bytes(&unhex(&input["signature"])).ok()?;
        Some(bls::fast_aggregate_verify(&keys, &HashedMessage::new(&unhex(&input["message"])), &signature))
    });
}

#[test]
fn official_aggregate_verify() {
    judge("aggregate_verify", 5, |input| {
        let keys = keys(&input["pubkeys"]).ok()?;
        let signature = Signature::from_bytes(&unhex(&input["signature"])).ok()?;
        Some(bls::aggregate_verify(&keys, &messages(&input["messages"]), &signature))
    });
}

#[test]
fn official_batch_verify() {
    judge("batch_verify", 4, |input| {
        let (keys, signatures) = (keys(&input["pubkeys"]).ok()?, signatures(&input["signatures"]).ok()?);
        let items: Vec<_> = keys
            .into_iter()
            .zip(messages(&input["messages"]))
            .zip(signatures)
            .map(|((key, message), signature)| (key, message, signature))
            .collect();
        Some(bls::verify_batch(&items, &mut rng(1)))
    });
}

/// The vectors call the encoding of infinity readable; here it is never a key or a signature.
#[test]
fn official_deserialization_with_infinity_refused() {
    for (name, case) in cases("bls12-381-tests/deserialization_G1") {
        let bytes = unhex(&case["input"]["pubkey"]);
        let expected = case["output"].as_bool().unwrap() && !is_infinity(&bytes);
        assert_eq!(PublicKey::from_bytes(&bytes).is_ok(), expected, "{name}");
    }
    for (name, case) in cases("bls12-381-tests/deserialization_G2") {
        let bytes = unhex(&case["input"]["signature"]);
        let expected = case["output"].as_bool().unwrap() && !is_infinity(&bytes);
        assert_eq!(Signature::from_bytes(&bytes).is_ok(), expected, "{name}");
    }
}

#[test]
fn official_sign() {
    let cases = cases("bls12-381-tests/sign");
    assert_eq!(cases.len(), 10);
    for (name, case) in cases {
        let key = SecretKey::from_bytes(&unhex_array(&case["input"]["privkey"]));
        if case["output"].is_null() {
            assert_eq!(key.unwrap_err(), BlsError::SecretKey, "{name}");
            continue;
        }
        let (key, message) = (key.unwrap(), HashedMessage::new(&unhex(&case["input"]["message"])));
        let signature = key.sign(&message);
        assert_eq!(signature.to_bytes().to_vec(), unhex(&case["output"]), "{name}");
        assert!(bls::verify(&key.public_key(), &message, &signature));
    }
}

#[test]
fn official_aggregate() {
    let cases = cases("bls12-381-tests/aggregate");
    assert_eq!(cases.len(), 6);
    for (name, case) in cases {
        let result = signatures(&case["input"]).and_then(|signatures| bls::aggregate(&signatures));
        match &case["output"] {
            Value::Null => assert_eq!(result.unwrap_err(), BlsError::Empty, "{name}"),
            output if is_infinity(&unhex(output)) => assert_eq!(result.unwrap_err(), BlsError::Identity, "{name}"),
            output => assert_eq!(result.unwrap().to_bytes().to_vec(), unhex(output), "{name}"),
        }
    }
}

/// Coordinates in the order of the uncompressed encoding: x.c1, x.c0, y.c1, y.c0.
fn fp2_point(point: &Value) -> Vec<u8> {
    ["x", "y"]
        .iter()
        .flat_map(|coordinate| {
            let parts: Vec<_> =
                point[*coordinate].as_str().unwrap().split(',').map(|part| unhex(&part.into())).collect();
            [parts[1].clone(), parts[0].clone()].concat()
        })
        .collect()
}

#[test]
fn hash_to_curve_vectors_of_rfc_9380_and_the_official_ones() {
    let suite = read_json(vectors("rfc9380-hash-to-curve/BLS12381G2_XMD_SHA-256_SSWU_RO_.json"));
    let domain = suite["dst"].as_str().unwrap().as_bytes().to_vec();
    let vectors = suite["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 5);
    for vector in vectors {
        let point = hash_to_g2(vector["msg"].as_str().unwrap().as_bytes(), &domain);
        assert_eq!(point.to_vec(), fp2_point(&vector["P"]));
    }
    for (name, case) in cases("bls12-381-tests/hash_to_G2") {
        let point = hash_to_g2(case["input"]["msg"].as_str().unwrap().as_bytes(), &domain);
        assert_eq!(point.to_vec(), fp2_point(&case["output"]), "{name}");
    }
}

#[test]
fn every_point_outside_the_subgroup_is_refused_as_key_and_signature() {
    let (g1, g2) = (outside_subgroup("G1"), outside_subgroup("G2"));
    assert_eq!((g1.len(), g2.len()), (10, 10));
    for point in g1 {
        assert!(PublicKey::from_bytes(&unhex(&point)).is_err(), "{point}");
    }
    for point in g2 {
        assert!(Signature::from_bytes(&unhex(&point)).is_err(), "{point}");
    }
}

#[test]
fn batch_verification_accepts_many_and_finds_one_wrong_among_them() {
    let mut rng = rng(2);
    for count in [0, 1, 2, 15, 16, 17, 40] {
        let mut items: Vec<_> = (0..count)
            .map(|i| {
                // Every third message repeats, so that both grouping and distinct messages are covered.
                let message = HashedMessage::new(&[(i - i % 3) as u8; 32]);
                let key = SecretKey::generate(&mut rng);
                (key.public_key(), message, key.sign(&message))
            })
            .collect();
        assert!(bls::verify_batch(&items, &mut rng), "{count} right ones");
        if count >= 2 {
            let first = items[0].2;
            items[0].2 = items[1].2;
            items[1].2 = first;
            assert!(!bls::verify_batch(&items, &mut rng), "two of {count} swapped");
        }
    }
}

#[test]
fn keys_and_signatures_survive_json_and_stay_checked_there() {
    let key = SecretKey::generate(&mut rng(3));
    let (public, signature) = (key.public_key(), key.sign(&HashedMessage::new(b"m")));
    let text = serde_json::to_string(&(public, signature)).unwrap();
    assert!(text.starts_with("[\"0x"));
    assert_eq!(serde_json::from_str::<(PublicKey, Signature)>(&text).unwrap(), (public, signature));
    let infinity = format!("\"0xc0{}\"", "00".repeat(47));
    assert!(serde_json::from_str::<PublicKey>(&infinity).unwrap_err().to_string().contains("identity"));
    assert!(!format!("{key:?}").contains(&hex::encode(key.to_bytes().expose(|bytes| *bytes))));
}
