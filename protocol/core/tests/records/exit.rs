use crate::vectors;
use cluster_core::{
    eip712::exit_typed_data_json,
    exit::{
        ExitError, ExitRequest, NoExitEvents, SignedExitRequest, MAX_EXITS, MAX_EXIT_DEADLINE_AHEAD_S,
        MAX_EXIT_REQUEST_BYTES,
    },
};
use cluster_crypto::{
    bls,
    ethereum::{recover, Address, RecoverableSignature, WalletKey},
};
use serde_json::{json, Value};

const NOW_S: u64 = 1_800_000_000;
const CHAIN: u64 = 560_048;

fn key(n: u16) -> bls::PublicKey {
    let mut bytes = [0u8; 32];
    bytes[30..].copy_from_slice(&n.to_be_bytes());
    bls::SecretKey::from_bytes(&bytes).unwrap().public_key()
}

fn wallet() -> WalletKey {
    WalletKey::from_bytes(&[7; 32]).unwrap()
}

fn request() -> ExitRequest {
    let owner = wallet().address();
    ExitRequest { chain_id: CHAIN, owner, pubkeys: vec![key(1), key(2)], nonce: 3, deadline: NOW_S + 60 }
}

fn sign(request: ExitRequest) -> SignedExitRequest {
    let signature = wallet().sign_digest(&request.digest());
    SignedExitRequest::by_signature(request, signature)
}

#[test]
fn digest_typed_data_and_signature_agree_with_an_independent_implementation() {
    for case in vectors::read("eip712-exit.json").as_array().unwrap() {
        let request: ExitRequest = serde_json::from_value(case["request"].clone()).unwrap();
        assert_eq!(request.digest(), vectors::bytes(&case["digest"]));
        assert_eq!(exit_typed_data_json(&request), case["typed_data"]);
        let signature = RecoverableSignature::from_bytes(&vectors::bytes::<65>(&case["signature"])).unwrap();
        assert_eq!(recover(&request.digest(), &signature), Ok(request.owner));
        let wallet = WalletKey::from_bytes(&vectors::bytes(&case["secret_key"])).unwrap();
        assert_eq!(wallet.sign_digest(&request.digest()).to_bytes(), signature.to_bytes());
        assert_eq!(serde_json::to_value(&request).unwrap(), case["request"], "JSON round trip");
    }
}

/// Description, change before signing, field named, error expected.
type Case = (&'static str, fn(&mut ExitRequest), &'static str, fn(&ExitError) -> bool);

const BAD: &[Case] = &[
    ("another chain", |r| r.chain_id = 1, "chain_id", |e| *e == ExitError::WrongChain { expected: CHAIN, found: 1 }),
    ("zero owner", |r| r.owner = Address([0; 20]), "owner", |e| *e == ExitError::ZeroOwner),
    ("no validators", |r| r.pubkeys.clear(), "pubkeys", |e| *e == ExitError::NoValidators),
    (
        "a validator too many",
        |r| r.pubkeys = vec![key(1); MAX_EXITS + 1],
        "pubkeys",
        |e| *e == ExitError::TooMany { count: MAX_EXITS + 1 },
    ),
    (
        "a validator twice",
        |r| r.pubkeys[1] = key(1),
        "pubkeys",
        |e| *e == ExitError::Duplicate { pubkey: Box::new(key(1)) },
    ),
    (
        "expired a second ago",
        |r| r.deadline = NOW_S - 1,
        "deadline",
        |e| *e == ExitError::Expired { deadline: NOW_S - 1, now_s: NOW_S },
    ),
    (
        "deadline a second too far",
        |r| r.deadline = NOW_S + MAX_EXIT_DEADLINE_AHEAD_S + 1,
        "deadline",
        |e| matches!(e, ExitError::DeadlineTooFar { .. }),
    ),
    ("deadline for ever", |r| r.deadline = u64::MAX, "deadline", |e| matches!(e, ExitError::DeadlineTooFar { .. })),
    ("another owner", |r| r.owner.0[0] ^= 1, "signature", |e| matches!(e, ExitError::SignerMismatch { .. })),
];

#[test]
fn each_bad_exit_request_is_refused_with_its_field_even_when_correctly_signed() {
    for (description, change, field, expected) in BAD {
        let mut bad = request();
        change(&mut bad);
        let error = sign(bad).check(CHAIN, NOW_S, &NoExitEvents).expect_err(description);
        assert!(expected(&error), "{description}: {error:?}");
        assert_eq!(error.field(), *field, "{description}");
        let words = error.to_string();
        assert!(words.contains(field) || words.contains("chain"), "{description}: {words}");
    }
    for deadline in [NOW_S, NOW_S + MAX_EXIT_DEADLINE_AHEAD_S] {
        assert!(
            sign(ExitRequest { deadline, ..request() }).check(CHAIN, NOW_S, &NoExitEvents).is_ok(),
            "limits are inclusive"
        );
    }
}

#[test]
fn the_signature_covers_every_field() {
    let signed = sign(request());
    assert!(signed.check(CHAIN, NOW_S, &NoExitEvents).is_ok());
    let changes: [fn(&mut ExitRequest); 7] = [
        |r| r.pubkeys[0] = key(9),
        |r| r.pubkeys.push(key(9)),
        |r| r.pubkeys.truncate(1),
        |r| r.pubkeys.reverse(),
        |r| r.nonce += 1,
        |r| r.deadline += 1,
        |r| r.owner.0[19] ^= 1,
    ];
    for (at, change) in changes.iter().enumerate() {
        let mut forged = signed.clone();
        change(&mut forged.request);
        let error = forged.check(CHAIN, NOW_S, &NoExitEvents).unwrap_err();
        assert!(matches!(error, ExitError::SignerMismatch { .. }), "change {at}: {error:?}");
    }
    let mut elsewhere = signed.clone();
    elsewhere.request.chain_id = 1;
    assert!(
        matches!(elsewhere.check(1, NOW_S, &NoExitEvents), Err(ExitError::SignerMismatch { .. })),
        "the chain is signed"
    );
}

#[test]
fn an_exit_request_covers_the_validators_it_names_of_its_own_owner_and_no_others() {
    let signed = sign(request());
    let checked = signed.check(CHAIN, NOW_S, &NoExitEvents).unwrap();
    let owner = wallet().address();
    assert_eq!(checked.allows(&key(1), Some(owner)), Ok(()));
    assert_eq!(checked.allows(&key(3), Some(owner)), Err(ExitError::NotNamed { pubkey: Box::new(key(3)) }));
    assert_eq!(checked.allows(&key(1), None), Err(ExitError::NoOwner { pubkey: Box::new(key(1)) }));
    let other = Address([9; 20]);
    let refused = checked.allows(&key(1), Some(other)).unwrap_err();
    assert_eq!(refused, ExitError::NotTheOwner { pubkey: Box::new(key(1)), owner: other, found: owner });
}

#[test]
fn json_is_strict_and_bounded() {
    let good = serde_json::to_value(sign(request())).unwrap();
    let parse = |value: &Value| SignedExitRequest::from_json(&value.to_string());
    assert!(parse(&good).is_ok());
    let identity = format!("0xc0{}", "00".repeat(47));
    let wrong = [
        ("extra", json!(1)),
        ("nonce", json!(-1)),
        ("nonce", json!("1")),
        ("owner", json!("0x00")),
        ("pubkeys", json!("0x")),
        ("pubkeys", json!([identity])),
        ("pubkeys", json!(["0x1234"])),
    ];
    for (field, value) in wrong {
        let mut bad = good.clone();
        bad["request"][field] = value;
        assert!(matches!(parse(&bad), Err(ExitError::Malformed { .. })), "{field}");
    }
    let long = " ".repeat(MAX_EXIT_REQUEST_BYTES + 1);
    assert!(matches!(SignedExitRequest::from_json(&long), Err(ExitError::TooLong { .. })));
    let many = ExitRequest { pubkeys: (1..=1000).map(key).collect(), ..request() };
    let largest = serde_json::to_string_pretty(&sign(many)).unwrap();
    assert!(SignedExitRequest::from_json(&largest).is_ok(), "the limit has room for the largest: {}", largest.len());
}
