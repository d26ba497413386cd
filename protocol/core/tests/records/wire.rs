//! The bytes on the wire and under signatures, frozen. A change here is a new protocol version, not a new fixture.

use crate::vectors::{bytes, read};
use cluster_core::{
    certificate::{Attestation, Contribution, Transcript, ValidatorRecord},
    committee::OperatorId,
    encoding::{encode, to_hex},
    request::{Request, SignedRequest},
};
use cluster_crypto::{
    bls::{HashedMessage, SecretKey},
    ethereum::RecoverableSignature,
    identity,
    seal::{Envelope, ENVELOPE_BYTES},
};
use serde_json::json;

#[test]
fn encodings_and_digests_are_frozen() {
    let case = &read("eip712-request.json")[0];
    let request: Request = serde_json::from_value(case["request"].clone()).unwrap();
    let signature = RecoverableSignature::from_bytes(&bytes::<65>(&case["signature"])).unwrap();
    let request = SignedRequest { request, signature };
    let key = |seed: u8| SecretKey::from_bytes(&[seed; 32]).unwrap();
    let operator = |seed: u8| identity::SecretKey::from_bytes(&[seed; 32]).unwrap();
    let validator = ValidatorRecord {
        pubkey: key(1).public_key(),
        share_pubkeys: (2..6).map(|seed| key(seed).public_key()).collect(),
        deposit_signature: key(1).sign(&HashedMessage::new(b"deposit")),
        deposit_data_root: [6; 32],
    };
    let transcript = Transcript {
        request: request.clone(),
        committee: (1..5).map(|id| (OperatorId(u32::from(id)), operator(id).public_key())).collect(),
        qualified: (1..4).map(|id| (OperatorId(u32::from(id)), [id; 32])).collect(),
        validators: vec![validator],
    };
    let envelopes = vec![Envelope::from_bytes(&[7; ENVELOPE_BYTES]).unwrap()];
    let digest = transcript.digest();
    let attestation_digest = Attestation::digest(OperatorId(2), &digest, &envelopes);
    let attestation = Attestation::sign(&operator(2), OperatorId(2), &digest, envelopes);
    let found = json!({
        "signed_request": to_hex(&encode(&request)),
        "ceremony_id": transcript.ceremony_id(),
        "transcript_digest": to_hex(&digest),
        "attestation_digest": to_hex(&attestation_digest),
        "contribution": to_hex(&encode(&Contribution { transcript, attestation })),
    });
    assert_eq!(found, read("wire-records.json"), "{found:#}");
}
