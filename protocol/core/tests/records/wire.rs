//! The bytes on the wire and under signatures, frozen. A change here is a new protocol version, not a new fixture.

use crate::vectors::{bytes, read};
use cluster_core::{
    certificate::{Attestation, Contribution, Transcript, ValidatorRecord},
    chain::{EventId, Hash32},
    committee::OperatorId,
    encoding::{decode, encode, to_hex},
    request::{Request, SignedRequest},
};
use cluster_crypto::{
    bls::{HashedMessage, SecretKey},
    ethereum::{Address, RecoverableSignature},
    identity,
    seal::{Envelope, ENVELOPE_BYTES},
};
use serde_json::json;

#[test]
fn encodings_and_digests_are_frozen() {
    let case = &read("eip712-request.json")[0];
    let request: Request = serde_json::from_value(case["request"].clone()).unwrap();
    let signature = RecoverableSignature::from_bytes(&bytes::<65>(&case["signature"])).unwrap();
    let request = SignedRequest::by_signature(request, signature);
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

/// The same 65 bytes carry either kind of origin; the last byte tells. What was written before events could authorise a
/// request is above, unchanged.
#[test]
fn the_origin_of_a_request_is_frozen_in_both_kinds() {
    let case = &read("eip712-request.json")[0];
    let request: Request = serde_json::from_value(case["request"].clone()).unwrap();
    let event = EventId {
        chain_id: 560_048,
        contract: Address([0xc0; 20]),
        transaction_hash: Hash32([0x7a; 32]),
        log_index: 2,
    };
    let by_event = SignedRequest::by_event(request.clone(), event);
    let found = json!({
        "signed_request": to_hex(&encode(&by_event)),
        "ceremony_id": by_event.ceremony_id(),
        "nonce": event.nonce(),
        "json": by_event,
    });
    assert_eq!(found, read("wire-event-request.json"), "{found:#}");
    assert_eq!(decode::<SignedRequest>(&encode(&by_event), 4096).unwrap(), by_event);

    let signature = RecoverableSignature::from_bytes(&bytes::<65>(&case["signature"])).unwrap();
    let signed = SignedRequest::by_signature(request, signature);
    assert_eq!(encode(&signed).len(), encode(&by_event).len());
    assert_eq!(encode(&signed)[..encode(&signed).len() - 65], encode(&by_event)[..encode(&by_event).len() - 65]);
    // A last byte that belongs to neither kind is nobody's.
    let mut bytes = encode(&by_event);
    for tag in [0xE0, 0xE2, 2, 0xff] {
        *bytes.last_mut().unwrap() = tag;
        assert!(decode::<SignedRequest>(&bytes, 4096).is_err(), "{tag}");
    }
}
