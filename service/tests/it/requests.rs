//! Owners' requests over HTTP: each field, replays, typed data.

use crate::support::{on_both_databases, Database, World};
use cluster_core::request::{Request, SignedRequest};
use cluster_crypto::ethereum::{keccak256, recover, Address};
use serde_json::{json, Value};

on_both_databases! {
    async fn bad_requests_are_refused_with_the_field(database: Database) {
        let world = World::start(database).await;
        let now_s = world.clock.now_s();
        let signed = |change: &dyn Fn(&mut Request)| {
            let mut request = world.request(0, 1, 1);
            change(&mut request);
            serde_json::to_value(world.sign(0, request)).unwrap()
        };
        let ids = |ids: &[u32]| -> Vec<_> { ids.iter().copied().map(cluster_core::committee::OperatorId).collect() };
        let good = signed(&|_| {});
        let raw = |pointer: &str, value: Value| {
            let mut edited = good.clone();
            *edited.pointer_mut(pointer).unwrap() = value;
            edited
        };
        let without = |field: &str| {
            let mut edited = good.clone();
            edited["request"].as_object_mut().unwrap().remove(field);
            edited
        };
        let bad = [
            ("another chain", "chain_id", signed(&|request| request.chain_id = 1)),
            ("no validators", "validator_count", signed(&|request| request.validator_count = 0)),
            ("too many validators", "validator_count", signed(&|request| request.validator_count = 1001)),
            ("absurdly many validators", "validator_count", raw("/request/validator_count", json!(u64::MAX))),
            ("unknown operator", "operator_ids", signed(&|request| request.operator_ids = ids(&[10, 20, 30, 31]))),
            ("duplicate operator", "operator_ids", signed(&|request| request.operator_ids = ids(&[10, 10, 20, 30]))),
            ("three operators", "operator_ids", signed(&|request| request.operator_ids = ids(&[10, 20, 30]))),
            ("five operators", "operator_ids", signed(&|request| request.operator_ids = ids(&[10, 20, 30, 40, 50]))),
            ("unsorted operators", "operator_ids", signed(&|request| request.operator_ids = ids(&[20, 10, 30, 40]))),
            ("withdrawals to nobody", "withdrawal_address", signed(&|request| request.withdrawal_address = Address([0; 20]))),
            ("another amount", "amount_gwei", signed(&|request| request.amount_gwei = 31_000_000_000)),
            ("expired", "deadline", signed(&|request| request.deadline = now_s - 1)),
            ("deadline in a year", "deadline", signed(&|request| request.deadline = now_s + 365 * 86_400)),
            ("gateway that nobody runs", "cluster_pubkey", signed(&|request| request.cluster_pubkey = world.operators.values().next().unwrap().public_key())),
            ("changed after signing", "signature", raw("/request/nonce", json!(2))),
            ("another owner", "signature", raw("/request/owner", json!(world.wallets[1].address()))),
            ("nobody's owner", "owner", raw("/request/owner", json!(Address([0; 20])))),
            ("signature too short", "signature", raw("/signature", json!("0x12"))),
            ("address too short", "withdrawal_address", raw("/request/withdrawal_address", json!("0x12"))),
            ("key off the curve", "cluster_pubkey", raw("/request/cluster_pubkey", json!(format!("0x02{}", "ff".repeat(32))))),
            ("text for a number", "nonce", raw("/request/nonce", json!("1"))),
            ("negative number", "deadline", raw("/request/deadline", json!(-1))),
            ("no nonce", "nonce", without("nonce")),
            ("no signature", "signature", json!({ "request": good["request"] })),
            ("unknown field", "memo", { let mut edited = good.clone(); edited["request"]["memo"] = json!("x"); edited }),
        ];
        for (description, field, body) in bad {
            let answer = world.post("/v1/requests", &body).await;
            assert_eq!(answer.problem(422), field, "{description}");
        }
        for body in ["", "{", "[]]", "\u{0}"] {
            let call = world.call(reqwest::Method::POST, "/v1/requests").body(body);
            assert!(matches!(crate::support::world::Answer::of(call).await.status.as_u16(), 400 | 422));
        }
        let call = world.call(reqwest::Method::POST, "/v1/requests").body(" ".repeat(512 * 1024 + 1));
        crate::support::world::Answer::of(call).await.problem(413);
        let token = world.login(0).await;
        assert_eq!(world.get_as(&token, "/v1/ceremonies").await.json()["items"], json!([]));
        world.shutdown().await;
    }

    async fn the_same_request_is_one_ceremony_and_a_used_nonce_is_refused(database: Database) {
        let world = World::start(database).await;
        let signed = world.signed(0, u64::MAX, 2);
        let accepted = world.submit(&signed).await;
        assert_eq!((accepted.status.as_u16(), accepted.json()), (202, json!({
            "ceremony_id": signed.ceremony_id(), "status": "pending" })));
        assert_eq!(world.submit(&signed).await.json(), accepted.json(), "again");
        let mut other = signed.request.clone();
        other.validator_count = 3;
        assert_eq!(world.submit(&world.sign(0, other)).await.problem(409), "nonce");
        let same_nonce_of_another = world.signed(1, u64::MAX, 2);
        assert_eq!(world.submit(&same_nonce_of_another).await.status, 202);
        let token = world.login(0).await;
        let list = world.get_as(&token, "/v1/ceremonies").await.json();
        assert_eq!(list["items"].as_array().unwrap().len(), 1);
        assert_eq!((&list["items"][0]["nonce"], &list["items"][0]["validator_count"]), (&json!(u64::MAX.to_string()), &json!(2)));
        // Once the result is there, the same request still says so.
        assert_eq!(world.publish(0, &world.certificate(&signed, 1)).await.status, 201);
        assert_eq!(world.submit(&signed).await.json()["status"], "ready");
        world.shutdown().await;
    }

    async fn one_owner_cannot_fill_the_queue(database: Database) {
        let world = World::start(database).await;
        for nonce in 0..100 {
            assert_eq!(world.submit(&world.signed(0, nonce, 1)).await.status, 202);
        }
        world.submit(&world.signed(0, 100, 1)).await.problem(429);
        assert_eq!(world.submit(&world.signed(1, 100, 1)).await.status, 202, "others are not in its way");
        world.shutdown().await;
    }

    async fn lists_are_paged(database: Database) {
        let world = World::start(database).await;
        for nonce in 0..7 {
            assert_eq!(world.submit(&world.signed(0, nonce, 1)).await.status, 202);
            assert_eq!(world.submit(&world.signed(1, nonce, 1)).await.status, 202);
        }
        let token = world.login(0).await;
        let (mut nonces, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = world.get_as(&token, &format!("/v1/ceremonies?limit=3&cursor={cursor}")).await.json();
            nonces.extend(page["items"].as_array().unwrap().iter().map(|item| item["nonce"].as_str().unwrap().to_owned()));
            pages += 1;
            match page["next_cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        assert_eq!((pages, nonces), (3, ["6", "5", "4", "3", "2", "1", "0"].map(String::from).to_vec()), "newest first");
        let state = |state: &str| format!("/v1/ceremonies?status={state}");
        assert_eq!(world.get_as(&token, &state("pending")).await.json()["items"].as_array().unwrap().len(), 7);
        assert_eq!(world.get_as(&token, &state("ready")).await.json()["items"], json!([]));
        for (path, field) in [
            ("/v1/ceremonies?limit=101", "limit"), ("/v1/ceremonies?limit=0", "limit"), ("/v1/ceremonies?cursor=x", "cursor"),
            ("/v1/ceremonies?status=odd", "query"), ("/v1/validators?limit=101", "limit"), ("/v1/validators?ceremony_id=1", "ceremony_id"),
            ("/v1/operators?limit=101", "limit"), ("/v1/operators?cursor=-1", "cursor"), ("/v1/operators/x", "operator_id"),
            ("/v1/validators/0x12", "pubkey"), ("/v1/ceremonies/0x12", "ceremony_id"),
        ] {
            assert_eq!(world.get_as(&token, path).await.problem(422), field, "{path}");
        }
        let operators = world.get("/v1/operators?limit=3&cursor=20").await.json();
        let ids: Vec<_> = operators["items"].as_array().unwrap().iter().map(|item| item["operator_id"].as_u64().unwrap()).collect();
        assert_eq!((ids, &operators["next_cursor"]), (vec![30, 40, 50], &json!("50")));
        world.get("/v1/operators/11").await.problem(404);
        assert_eq!(world.get("/v1/operators/10").await.json()["from_dao"], true);
        world.shutdown().await;
    }

    async fn a_wallet_can_sign_the_typed_data(database: Database) {
        let world = World::start(database).await;
        let request = world.request(0, 7, 3);
        let answer = world.post("/v1/requests/typed-data", &serde_json::to_value(&request).unwrap()).await.json();
        // What a wallet does: hash the typed data by EIP-712 itself, knowing nothing of requests.
        let digest = eip712_digest(&answer["typed_data"]);
        assert_eq!(answer["digest"], format!("0x{}", hex::encode(digest)));
        let signature = world.wallets[0].sign_digest(&digest);
        assert_eq!(recover(&digest, &signature).unwrap(), request.owner);
        let accepted = world.submit(&SignedRequest::by_signature(request.clone(), signature)).await;
        assert_eq!((accepted.status.as_u16(), &accepted.json()["ceremony_id"]), (202, &answer["ceremony_id"]));
        let mut wrong = serde_json::to_value(&request).unwrap();
        wrong["chain_id"] = json!(1);
        assert_eq!(world.post("/v1/requests/typed-data", &wrong).await.problem(422), "chain_id");
        wrong["chain_id"] = json!(560_048);
        wrong["operator_ids"] = json!((1..=14).collect::<Vec<_>>());
        assert_eq!(world.post("/v1/requests/typed-data", &wrong).await.problem(422), "operator_ids");
        world.shutdown().await;
    }
}

/// EIP-712 over any typed data whose members are atomic, bytes, strings or arrays of unsigned integers.
fn eip712_digest(data: &Value) -> [u8; 32] {
    let hash = |name: &str, value: &Value| {
        let members: Vec<(&str, &str)> = data["types"][name]
            .as_array()
            .unwrap()
            .iter()
            .map(|member| (member["type"].as_str().unwrap(), member["name"].as_str().unwrap()))
            .collect();
        let list: Vec<String> = members.iter().map(|(kind, member)| format!("{kind} {member}")).collect();
        let mut encoded = keccak256(format!("{name}({})", list.join(",")).as_bytes()).to_vec();
        for (kind, member) in members {
            encoded.extend(eip712_word(kind, &value[member]));
        }
        keccak256(&encoded)
    };
    let primary = data["primaryType"].as_str().unwrap();
    let parts = [&[0x19, 0x01][..], &hash("EIP712Domain", &data["domain"]), &hash(primary, &data["message"])];
    keccak256(&parts.concat())
}

fn eip712_word(kind: &str, value: &Value) -> [u8; 32] {
    if let Some(item) = kind.strip_suffix("[]") {
        return keccak256(
            &value.as_array().unwrap().iter().flat_map(|value| eip712_word(item, value)).collect::<Vec<u8>>(),
        );
    }
    let text = value.as_str().unwrap();
    let padded = |bytes: &[u8]| {
        let mut word = [0u8; 32];
        word[32 - bytes.len()..].copy_from_slice(bytes);
        word
    };
    match kind {
        "string" => keccak256(text.as_bytes()),
        "bytes" => keccak256(&hex::decode(&text[2..]).unwrap()),
        "address" => padded(&hex::decode(&text[2..]).unwrap()),
        _ if kind.starts_with("uint") => padded(&text.parse::<u128>().unwrap().to_be_bytes()),
        _ => panic!("{kind}"),
    }
}
