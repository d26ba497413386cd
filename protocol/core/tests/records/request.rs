use crate::{
    dealer::{World, NOW_S},
    vectors,
};
use cluster_core::{
    committee::OperatorId,
    eip712::typed_data_json,
    encoding::{decode, encode, to_hex},
    network::Network,
    request::{KeysDigest, Request, RequestError, RequestRules, SignedRequest, MAX_REQUEST_BYTES},
};
use cluster_crypto::ethereum::{recover, Address, RecoverableSignature, WalletKey};
use serde_json::json;

#[test]
fn digest_typed_data_and_signature_agree_with_an_independent_implementation() {
    for case in vectors::read("eip712-request.json").as_array().unwrap() {
        let request: Request = serde_json::from_value(case["request"].clone()).unwrap();
        assert_eq!(request.digest(), vectors::bytes(&case["digest"]));
        assert_eq!(typed_data_json(&request), case["typed_data"]);
        let signature = RecoverableSignature::from_bytes(&vectors::bytes::<65>(&case["signature"])).unwrap();
        assert_eq!(recover(&request.digest(), &signature), Ok(request.owner));
        // The wallet's signature is deterministic (RFC 6979), so ours is the same.
        let wallet = WalletKey::from_bytes(&vectors::bytes(&case["secret_key"])).unwrap();
        assert_eq!(wallet.sign_digest(&request.digest()).to_bytes(), signature.to_bytes());
        assert_eq!(serde_json::to_value(&request).unwrap(), case["request"], "JSON round trip");
    }
}

#[test]
fn a_reshare_is_signed_and_encoded_as_an_independent_implementation_does() {
    for case in vectors::read("eip712-reshare.json").as_array().unwrap() {
        let request: Request = serde_json::from_value(case["request"].clone()).unwrap();
        assert_eq!(request.digest(), vectors::bytes(&case["digest"]));
        assert_eq!(typed_data_json(&request), case["typed_data"]);
        assert_eq!(serde_json::to_value(&request).unwrap(), case["request"], "JSON round trip");
        let signature = RecoverableSignature::from_bytes(&vectors::bytes::<65>(&case["signature"])).unwrap();
        assert_eq!(recover(&request.digest(), &signature), Ok(request.owner));
        let signed = SignedRequest::by_signature(request, signature);
        let encoded = encode(&signed);
        assert_eq!(to_hex(&encoded), case["signed_request"].as_str().unwrap());
        assert_eq!(decode::<SignedRequest>(&encoded, MAX_REQUEST_BYTES).unwrap(), signed);
        assert_eq!(serde_json::from_str::<SignedRequest>(&serde_json::to_string(&signed).unwrap()).unwrap(), signed);
        // Cut short, it is not taken for an ordinary request; nor is an ordinary one with something behind it.
        for length in 0..encoded.len() {
            assert!(decode::<SignedRequest>(&encoded[..length], MAX_REQUEST_BYTES).is_err(), "{length}");
        }
        let mut ordinary = signed.clone();
        ordinary.request.reshare = None;
        let plain = encode(&ordinary);
        assert_eq!(encoded[..plain.len() - 1], plain[..plain.len() - 1]);
        let longer = [plain.as_slice(), &encoded[plain.len()..]].concat();
        assert!(decode::<SignedRequest>(&longer, MAX_REQUEST_BYTES).is_err());
        assert_ne!(ordinary.ceremony_id(), signed.ceremony_id());
    }
}

#[test]
fn the_largest_reshare_is_within_the_limit_of_requests() {
    let case = &vectors::read("eip712-reshare.json")[0];
    let mut request: Request = serde_json::from_value(case["request"].clone()).unwrap();
    let signature = RecoverableSignature::from_bytes(&vectors::bytes::<65>(&case["signature"])).unwrap();
    let ids: Vec<OperatorId> = (0..13).map(|at| OperatorId(u32::MAX - 13 + at)).collect();
    let reshare = request.reshare.as_mut().unwrap();
    reshare.share_keys = vec![KeysDigest([0xff; 32]); 13];
    reshare.operator_ids.clone_from(&ids);
    request = Request { operator_ids: ids, validator_count: 1_000, nonce: u64::MAX, deadline: u64::MAX, ..request };
    let signed = SignedRequest::by_signature(request, signature);
    let text = serde_json::to_string_pretty(&signed).unwrap();
    assert!(text.len() < MAX_REQUEST_BYTES && encode(&signed).len() < 1_024, "{} bytes", text.len());
}

#[test]
fn an_event_cannot_ask_for_a_reshare() {
    let case = &vectors::read("eip712-reshare.json")[0];
    let request: Request = serde_json::from_value(case["request"].clone()).unwrap();
    let event = cluster_core::chain::EventId {
        chain_id: request.chain_id,
        contract: Address([1; 20]),
        transaction_hash: cluster_core::chain::Hash32([2; 32]),
        log_index: 0,
    };
    let world = World::new(Network::Hoodi, 4, 1);
    let signed = SignedRequest::by_event(request, event);
    let error = signed.check_ignoring_deadline(&RequestRules::new(Network::Hoodi), &world.registry).unwrap_err();
    assert_eq!((error.field(), error), ("reshare", RequestError::ReshareByEvent));
}

/// Description, change, field named, error expected.
type Case = (&'static str, fn(&mut Request), &'static str, fn(&RequestError) -> bool);

const BAD: &[Case] = &[
    (
        "other known chain",
        |r| r.chain_id = 1,
        "chain_id",
        |e| matches!(e, RequestError::WrongChain { expected: 560_048, found: 1, .. }),
    ),
    ("unknown chain", |r| r.chain_id = 5, "chain_id", |e| matches!(e, RequestError::WrongChain { .. })),
    ("no validators", |r| r.validator_count = 0, "validator_count", |e| *e == RequestError::CountZero),
    (
        "one validator too many",
        |r| r.validator_count = 501,
        "validator_count",
        |e| *e == RequestError::CountAboveLimit { count: 501, max: 500 },
    ),
    (
        "absurd count",
        |r| r.validator_count = u32::MAX,
        "validator_count",
        |e| matches!(e, RequestError::CountAboveLimit { .. }),
    ),
    ("one gwei less", |r| r.amount_gwei -= 1, "amount_gwei", |e| matches!(e, RequestError::WrongAmount { .. })),
    ("zero amount", |r| r.amount_gwei = 0, "amount_gwei", |e| matches!(e, RequestError::WrongAmount { .. })),
    ("zero owner", |r| r.owner = Address([0; 20]), "owner", |e| *e == RequestError::ZeroOwner),
    (
        "zero withdrawal address",
        |r| r.withdrawal_address = Address([0; 20]),
        "withdrawal_address",
        |e| *e == RequestError::ZeroWithdrawalAddress,
    ),
    (
        "expired a second ago",
        |r| r.deadline = NOW_S - 1,
        "deadline",
        |e| *e == RequestError::Expired { deadline: NOW_S - 1, now_s: NOW_S },
    ),
    (
        "deadline a second too far",
        |r| r.deadline = NOW_S + 604_801,
        "deadline",
        |e| matches!(e, RequestError::DeadlineTooFar { .. }),
    ),
    ("deadline for ever", |r| r.deadline = u64::MAX, "deadline", |e| matches!(e, RequestError::DeadlineTooFar { .. })),
    ("no operators", |r| r.operator_ids.clear(), "operator_ids", |e| *e == RequestError::WrongCommitteeSize { n: 0 }),
    (
        "three operators",
        |r| r.operator_ids.truncate(3),
        "operator_ids",
        |e| *e == RequestError::WrongCommitteeSize { n: 3 },
    ),
    (
        "five operators",
        |r| r.operator_ids.push(OperatorId(15)),
        "operator_ids",
        |e| *e == RequestError::WrongCommitteeSize { n: 5 },
    ),
    (
        "an operator twice",
        |r| r.operator_ids[3] = OperatorId(3),
        "operator_ids",
        |e| *e == RequestError::DuplicateOperator { id: OperatorId(3) },
    ),
    (
        "descending operators",
        |r| r.operator_ids.reverse(),
        "operator_ids",
        |e| *e == RequestError::UnsortedOperators { id: OperatorId(9) },
    ),
    (
        "an operator nobody knows",
        |r| r.operator_ids[3] = OperatorId(1000),
        "operator_ids",
        |e| *e == RequestError::UnknownOperator { id: OperatorId(1000) },
    ),
];

#[test]
fn each_bad_request_is_refused_with_its_field_even_when_correctly_signed() {
    let world = World::new(Network::Hoodi, 5, 1);
    let rules = RequestRules { max_validators: 500, ..RequestRules::new(Network::Hoodi) };
    for (description, change, field, expected) in BAD {
        let mut request = world.request(4, 3);
        change(&mut request);
        let error = world.sign(request).check(&rules, &world.registry, NOW_S).expect_err(description);
        assert!(expected(&error), "{description}: {error:?}");
        assert_eq!(error.field(), *field, "{description}");
        assert!(error.to_string().contains(field) || error.to_string().contains("chain"), "{description}: {error}");
    }
}

#[test]
fn limits_are_inclusive_and_every_committee_size_passes() {
    let world = World::new(Network::Mainnet, 13, 2);
    let rules = RequestRules::new(Network::Mainnet);
    for n in [4, 7, 10, 13] {
        for (count, deadline) in [(1, NOW_S), (1000, NOW_S + 604_800)] {
            let signed = world.sign(Request { deadline, ..world.request(n, count) });
            let checked = signed.check(&rules, &world.registry, NOW_S).unwrap();
            assert_eq!(checked.committee().threshold().n(), n);
            assert_eq!(checked.committee().ids().collect::<Vec<_>>(), signed.request.operator_ids);
            assert_eq!(checked.validator_count(), count as usize);
            assert_eq!(checked.ceremony_id(), signed.ceremony_id());
            for (position, id) in checked.committee().ids().enumerate() {
                let index = checked.committee().index_of(id).unwrap();
                assert_eq!(usize::from(index.get()), position + 1);
                assert_eq!(checked.committee().id_at(index), Some(id));
            }
        }
    }
    let above = RequestRules { max_validators: u32::MAX, ..rules };
    let error = world.sign(world.request(4, 1001)).check(&above, &world.registry, NOW_S).unwrap_err();
    assert_eq!(error, RequestError::CountAboveLimit { count: 1001, max: 1000 });
}

#[test]
fn the_signature_covers_every_field() {
    let world = World::new(Network::Hoodi, 5, 3);
    let rules = RequestRules::new(Network::Hoodi);
    let signed = world.sign(world.request(4, 3));
    assert!(signed.check(&rules, &world.registry, NOW_S).is_ok());
    let changes: [fn(&mut Request); 7] = [
        |r| r.owner.0[0] ^= 1,
        |r| r.cluster_pubkey = cluster_crypto::identity::SecretKey::from_bytes(&[9; 32]).unwrap().public_key(),
        |r| r.operator_ids[3] = OperatorId(15),
        |r| r.validator_count += 1,
        |r| r.withdrawal_address.0[19] ^= 1,
        |r| r.nonce += 1,
        |r| r.deadline += 1,
    ];
    for (at, change) in changes.iter().enumerate() {
        let mut forged = signed.clone();
        change(&mut forged.request);
        let error = forged.check(&rules, &world.registry, NOW_S).unwrap_err();
        assert!(matches!(error, RequestError::OwnerMismatch { .. }), "change {at}: {error:?}");
        assert_ne!(forged.ceremony_id(), signed.ceremony_id(), "change {at}");
    }
    // A request that is valid on another network is another ceremony there.
    let elsewhere = Request { chain_id: 1, ..signed.request.clone() };
    assert_ne!(elsewhere.ceremony_id_when_signed(), signed.ceremony_id());
    let stranger = WalletKey::from_bytes(&[5; 32]).unwrap();
    let forged = SignedRequest::by_signature(signed.request.clone(), stranger.sign_digest(&signed.request.digest()));
    let error = forged.check(&rules, &world.registry, NOW_S).unwrap_err();
    assert!(matches!(error, RequestError::OwnerMismatch { recovered, .. } if recovered == stranger.address()));
    assert_eq!(error.field(), "signature");
}

#[test]
fn a_finished_ceremony_is_checked_whatever_the_deadline() {
    let world = World::new(Network::Hoodi, 4, 4);
    let rules = RequestRules::new(Network::Hoodi);
    let signed = world.sign(Request { deadline: 1, ..world.request(4, 1) });
    assert!(matches!(signed.check(&rules, &world.registry, NOW_S), Err(RequestError::Expired { .. })));
    assert!(signed.check_ignoring_deadline(&rules, &world.registry).is_ok());
}

#[test]
fn json_is_strict() {
    let world = World::new(Network::Hoodi, 4, 5);
    let good = serde_json::to_value(world.sign(world.request(4, 1))).unwrap();
    assert!(serde_json::from_value::<SignedRequest>(good.clone()).is_ok());
    let wrong = [
        ("request", "extra", json!(1)),
        ("request", "validator_count", json!(-1)),
        ("request", "validator_count", json!(4_294_967_296u64)),
        ("request", "validator_count", json!("1")),
        ("request", "operator_ids", json!(["3", "6", "9", "12"])),
        ("request", "owner", json!("0x00")),
        ("request", "cluster_pubkey", json!(format!("0x02{}", "ff".repeat(32)))),
    ];
    for (object, field, value) in wrong {
        let mut bad = good.clone();
        bad[object][field] = value;
        assert!(serde_json::from_value::<SignedRequest>(bad).is_err(), "{field}");
    }
    let mut bad = good.clone();
    bad["signature"] = json!(format!("0x{}", "00".repeat(65)));
    assert!(serde_json::from_value::<SignedRequest>(bad).is_err(), "zero signature");
}

#[test]
fn networks_have_the_published_constants() {
    let expected = [
        (
            Network::Mainnet,
            1,
            "mainnet",
            "0xB9D7934878B5FB9610B3fE8A5e441e8fad7E293f",
            "0x388C818CA8B9251b393131C08a736A67ccB19297",
        ),
        (
            Network::Hoodi,
            560_048,
            "hoodi",
            "0x4473dCDDbf77679A643BdB654dbd86D67F8d32f2",
            "0x9b108015fe433F173696Af3Aa0CF7CDb3E104258",
        ),
    ];
    for (network, chain_id, name, withdrawal_vault, rewards_vault) in expected {
        assert_eq!(network.chain_id(), chain_id);
        assert_eq!(Network::from_chain_id(chain_id), Some(network));
        assert_eq!(name.parse(), Ok(network));
        assert_eq!(serde_json::to_value(network).unwrap(), json!(name));
        assert_eq!(network.lido_withdrawal_vault().to_string(), withdrawal_vault);
        assert_eq!(network.lido_el_rewards_vault().to_string(), rewards_vault);
    }
    assert!("holesky".parse::<Network>().is_err());
    assert_eq!(Network::from_chain_id(17000), None);
}
