//! The API of existing apps: every endpoint, the headers, the errors.

use crate::support::{dealer::with_attestations, on_both_databases, Database, World};
use cluster_crypto::ethereum::personal_message_digest;
use reqwest::Method;
use serde_json::{json, Value};

const NO_FILTER: fn() -> Value = || json!({ "pubkey": "", "status": "", "generate_txid": "", "register_txid": "", "deposit_txid": "", "exit_txid": "" });

fn with(key: &str, value: &str) -> Value {
    let mut filter = NO_FILTER();
    filter[key] = json!(value);
    filter
}

/// The text of the issue, byte for byte, signed by a wallet whose key is 1 (address and text known beforehand).
#[test]
fn login_text_is_golden() {
    let text =
        cluster_service::auth::legacy::login_message("0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf", 1_735_689_599);
    let golden = "welcome to safestake cluster node \nowner:0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf \ndeadline:2024-12-31 23:59:59";
    assert_eq!(text.as_deref(), Some(golden));
}

on_both_databases! {
    async fn set_up_page_binds_the_first_owner_for_ever(database: Database) {
        let world = World::start(database).await;
        let cluster_pubkey = world.gateways[0].public_key().to_string();
        for prefix in ["/server", ""] {
            let status = world.get(&format!("{prefix}/initiator/status")).await.data();
            let now_s = world.clock.now_s();
            assert_eq!(status, json!({ "cluster_pubkey": cluster_pubkey, "status": "Ready", "created_at": now_s, "updated_at": now_s }));
        }
        let (a, b) = (world.wallets[0].address().to_string(), world.wallets[1].address().to_string());
        let bind = |wallet: usize, owner: &str| {
            let path = format!("/server/initiator/bind/{owner}");
            let world = &world;
            async move { world.legacy(wallet, Method::POST, &path, &json!({})).await }
        };
        assert_eq!(bind(0, &b).await.code(), 403, "nobody binds somebody else");
        assert_eq!(bind(0, "0x12").await.code(), 400);
        assert_eq!(world.post(&format!("/server/initiator/bind/{a}"), &json!({})).await.code(), 401);
        world.clock.advance_ms(5_000);
        let bound = bind(0, &a.to_lowercase()).await.data();
        assert_eq!(bound["status"], "Completed");
        assert_eq!(bound["owner"], a.as_str());
        assert_eq!(bound["owner_pubkey"], format!("0x{}", hex::encode(world.wallets[0].public_key_uncompressed())));
        assert_eq!(bound["updated_at"], world.clock.now_s());
        assert_eq!(bind(0, &a).await.data(), bound, "binding again changes nothing");
        assert_eq!(bind(1, &b).await.code(), 409, "the first bind wins");
        let world = world.restart().await;
        assert_eq!(world.get("/server/initiator/status").await.data(), bound);
        world.shutdown().await;
    }

    async fn without_a_cluster_key_the_service_says_that_it_is_not_set_up(database: Database) {
        let world = World::start_with(database, |config| config.cluster_pubkey = None).await;
        assert_eq!(world.get("/server/initiator/status").await.code(), 1001);
        let owner = world.wallets[0].address();
        let path = format!("/server/initiator/bind/{owner}");
        assert_eq!(world.legacy(0, Method::POST, &path, &json!({})).await.code(), 1001);
        world.shutdown().await;
    }

    async fn login_headers_are_checked(database: Database) {
        let world = World::start(database).await;
        let now_s = world.clock.now_s();
        let sign = |wallet: usize, text: String| {
            let signature = world.wallets[wallet].sign_digest(&personal_message_digest(text.as_bytes()));
            format!("0x{}", hex::encode(signature.to_bytes()))
        };
        let a = world.wallets[0].address().to_string();
        let message = |owner: &str, deadline_s: u64| cluster_service::auth::legacy::login_message(owner, deadline_s).unwrap();
        let good = |deadline_s: u64| (sign(0, message(&a, deadline_s)), a.clone(), deadline_s.to_string());
        let accepted = [
            ("the deadline is now", good(now_s)),
            ("24 hours and the skew", good(now_s + 86_400 + 300)),
            ("a lower-case owner that signed its lower-case text", {
                let lower = a.to_lowercase();
                (sign(0, message(&lower, now_s + 60)), lower, (now_s + 60).to_string())
            }),
            ("an owner with a wrong checksum, because apps differ in case", {
                let upper = format!("0x{}", a[2..].to_uppercase());
                (sign(0, message(&upper, now_s + 60)), upper, (now_s + 60).to_string())
            }),
        ];
        let tomorrow = now_s + 86_400;
        let refused = [
            ("expired a second ago", good(now_s - 1)),
            ("a second more than a day and the skew", good(now_s + 86_400 + 301)),
            ("deadline after the end of calendars", (sign(0, message(&a, tomorrow)), a.clone(), "999999999999".into())),
            ("deadline with a sign", (sign(0, message(&a, tomorrow)), a.clone(), format!("+{tomorrow}"))),
            ("deadline in words", (sign(0, message(&a, tomorrow)), a.clone(), "tomorrow".into())),
            ("signed by another wallet", (sign(1, message(&a, tomorrow)), a.clone(), tomorrow.to_string())),
            ("signed for another deadline", (sign(0, message(&a, tomorrow - 1)), a.clone(), tomorrow.to_string())),
            ("a text without the space before the line feed",
                (sign(0, message(&a, tomorrow).replace(" \n", "\n")), a.clone(), tomorrow.to_string())),
            ("a text with a line feed at the end",
                (sign(0, message(&a, tomorrow) + "\n"), a.clone(), tomorrow.to_string())),
            ("owner is no address", (sign(0, message("me", tomorrow)), "me".into(), tomorrow.to_string())),
            ("signature too short", ("0x1234".into(), a.clone(), tomorrow.to_string())),
            ("signature of zeros", (format!("0x{}", "00".repeat(65)), a.clone(), tomorrow.to_string())),
            ("signature without 0x", (sign(0, message(&a, tomorrow))[2..].into(), a.clone(), tomorrow.to_string())),
        ];
        let call = |(signature, owner, deadline): (String, String, String)| {
            let call = world.call(Method::POST, "/server/validator/query").json(&NO_FILTER());
            let call = call.header("v-signature", signature).header("v-owner", owner).header("v-deadline", deadline);
            async { crate::support::world::Answer::of(call).await }
        };
        for (description, headers) in accepted {
            assert_eq!(call(headers).await.json()["code"], 200, "{description}");
        }
        for (description, headers) in refused {
            assert_eq!(call(headers).await.code(), 401, "{description}");
        }
        for missing in 0..3 {
            let mut request = world.call(Method::POST, "/server/validator/query").json(&NO_FILTER());
            for (_, (name, value)) in world.legacy_headers(0).into_iter().enumerate().filter(|(at, _)| *at != missing) {
                request = request.header(name, value);
            }
            assert_eq!(crate::support::world::Answer::of(request).await.code(), 401);
        }
        world.shutdown().await;
    }

    async fn operators_are_filtered_sorted_and_paged(database: Database) {
        let world = World::start(database).await;
        let query = |body: Value| {
            let world = &world;
            async move { world.legacy(0, Method::POST, "/server/operator/query", &body).await }
        };
        let ids = |data: &Value| -> Vec<u64> {
            data["rows"].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect()
        };
        let page = |offset: u32, limit: u32| json!({ "offset": offset, "limit": limit });
        let first = query(json!({ "pag": page(0, 3), "filter": {}, "sort": { "id": -1 } })).await.data();
        assert_eq!((&first["count"], ids(&first)), (&json!(8), vec![80, 70, 60]));
        let cases = [
            ("default order, last page", json!({ "pag": page(6, 10) }), vec![20, 10]),
            ("ascending", json!({ "pag": page(0, 2), "filter": {}, "sort": { "id": 1 } }), vec![10, 20]),
            ("by name", json!({ "pag": page(0, 2), "filter": { "name": "" }, "sort": { "name": -1 } }), vec![80, 70]),
            ("by a count that nobody has", json!({ "pag": page(0, 2), "sort": { "validator_count": 1 } }), vec![10, 20]),
            ("part of the name", json!({ "pag": page(0, 10), "filter": { "name": "tor 3" } }), vec![30]),
            ("verified", json!({ "pag": page(0, 10), "filter": { "verified": 1 } }), vec![80, 60, 40, 20]),
            ("of the DAO", json!({ "pag": page(0, 10), "filter": { "fromDao": 1 } }), vec![10]),
            ("an empty page", json!({ "pag": page(0, 0) }), vec![]),
        ];
        for (description, body, expected) in cases {
            assert_eq!(ids(&query(body).await.data()), expected, "{description}");
        }
        for bad in [json!({ "pag": page(0, 101) }), json!({ "sort": { "owner": 1 } }), json!({ "sort": { "id": 2 } }), json!("x")] {
            assert_eq!(query(bad).await.code(), 400);
        }
        let row = &first["rows"][0];
        assert_eq!(row["pk"], world.operators.values().last().unwrap().public_key().to_string());
        let mut names: Vec<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        let expected = "block createdAt earning fromDao id last_claim_height last_epoch last_ping last_validator last_version \
            month_performance name owner pk status tx updatedAt validator_count verified version";
        assert_eq!(names, expected.split_whitespace().collect::<Vec<_>>());
        assert_eq!(row["month_performance"], json!({ "attested": 0, "missed": 0, "performance": 0 }));
        assert_eq!(row["status"], "active");
        let major = row["last_version"].as_str().unwrap().parse::<u64>().unwrap() / 1_000_000 % 1000;
        assert!(major >= 4, "existing apps refuse lower versions");
        world.shutdown().await;
    }

    async fn validators_appear_when_ready_and_not_before(database: Database) {
        let world = World::start(database).await;
        let signed = world.signed(0, 1, 2);
        assert_eq!(world.submit(&signed).await.status, 202);
        let certificate = world.certificate(&signed, 1);
        let query = |body: Value| {
            let world = &world;
            async move { world.legacy(0, Method::POST, "/server/validator/query", &body).await.data() }
        };
        let poll = with("generate_txid", &certificate.ceremony_id.to_string());
        assert_eq!(query(poll.clone()).await, json!([]));
        assert_eq!(world.publish(0, &with_attestations(&certificate, &[0, 1, 3])).await.status, 201);
        assert_eq!(query(poll.clone()).await, json!([]), "one operator is missing");
        assert_eq!(world.publish(0, &certificate).await.status, 200);
        let rows = query(poll).await;
        assert_eq!(rows, query(NO_FILTER()).await);
        assert_eq!(rows.as_array().unwrap().len(), 2);
        for (k, row) in rows.as_array().unwrap().iter().enumerate() {
            let validator = &certificate.transcript.validators[k];
            assert_eq!(row["pubkey"], validator.pubkey.to_string());
            assert_eq!(row["owner"], world.wallets[0].address().to_string());
            assert_eq!(row["cluster_pubkey"], world.gateways[0].public_key().to_string());
            assert_eq!((&row["status"], &row["register_txid"]), (&json!("Ready"), &json!("")));
            assert_eq!(row["generate_txid"], certificate.ceremony_id.to_string());
            assert!(row["created_at"].as_u64().unwrap().abs_diff(world.clock.now_s()) < 60);
            let deposit: Value = serde_json::from_str(row["deposit_data"].as_str().unwrap()).unwrap();
            assert_eq!(deposit, serde_json::to_value(&certificate.deposit_data()[k]).unwrap());
            for (at, operator) in row["operators"].as_array().unwrap().iter().enumerate() {
                let (id, key) = certificate.transcript.committee[at];
                assert_eq!(operator["operator_id"], id.0);
                assert_eq!(operator["operator_pubkey"], key.to_string());
                assert_eq!(operator["shared_key"], validator.share_pubkeys[at].to_string());
                let envelope = certificate.attestations[at].envelopes[k].to_bytes();
                assert_eq!(operator["encrypt_key"], format!("0x{}", hex::encode(envelope)));
            }
        }
        let pubkey = rows[1]["pubkey"].as_str().unwrap();
        assert_eq!(query(with("pubkey", &pubkey.to_uppercase().replace("0X", "0x"))).await, json!([rows[1]]));
        assert_eq!(query(with("status", "Registered")).await, json!([]));
        for bad in [with("status", "Incomplete"), with("pubkey", "0x12"), with("exit_txid", "all"), json!([1])] {
            assert_eq!(world.legacy(0, Method::POST, "/validator/query", &bad).await.code(), 400, "{bad}");
        }
        world.shutdown().await;
    }

    async fn owners_statements_move_rows_within_the_legal_transitions(database: Database) {
        let world = World::start(database).await;
        let signed = world.signed(0, 1, 2);
        let certificate = world.certificate(&signed, 1);
        assert_eq!(world.publish(0, &certificate).await.status, 201);
        let keys: Vec<String> = certificate.transcript.validators.iter().map(|row| row.pubkey.to_string()).collect();
        let update = |rows: Value| {
            let world = &world;
            async move { world.legacy(0, Method::POST, "/server/validator/update", &rows).await }
        };
        let txid = |digit: char| format!("0x{}", digit.to_string().repeat(64));
        let one = |action: &str, txid: &str| json!([{ "pubkey": keys[0], "action": action, "txid": txid }]);
        // Action, transaction, then status and the three transactions of the row.
        let steps = [
            ("register", txid('a'), "Registered", [txid('a'), String::new(), String::new()]),
            ("register", String::new(), "Registered", [txid('a'), String::new(), String::new()]),
            ("ready", String::new(), "Ready", [txid('a'), String::new(), String::new()]),
            ("deposit", txid('B'), "Deposited", [txid('a'), txid('b'), String::new()]),
            ("register", txid('c'), "Registered", [txid('c'), txid('b'), String::new()]),
            ("exit", txid('d'), "Exited", [txid('c'), txid('b'), txid('d')]),
            ("exit", String::new(), "Exited", [txid('c'), txid('b'), txid('d')]),
        ];
        for (action, txid, status, txids) in steps {
            let data = update(one(action, &txid)).await.data();
            let row = &data[0];
            assert_eq!(row["status"], status, "{action}");
            assert_eq!([&row["register_txid"], &row["deposit_txid"], &row["exit_txid"]].map(|txid| txid.as_str().unwrap()), txids.each_ref().map(String::as_str));
        }
        for action in ["ready", "register", "deposit"] {
            assert_eq!(update(one(action, "")).await.code(), 409, "an exit is for ever");
        }
        let bad = [
            (400, json!([{ "pubkey": keys[1], "action": "register", "txid": "0x12" }])),
            (400, json!([{ "pubkey": "0x12", "action": "register" }])),
            (400, json!([{ "pubkey": keys[1], "action": "forget" }])),
            (400, json!({ "pubkey": keys[1], "action": "register" })),
            (404, json!([{ "pubkey": format!("0x{}", "ab".repeat(48)), "action": "register" }])),
            (400, Value::from(vec![json!({ "pubkey": keys[1], "action": "register" }); 1001])),
            // All rows or none: the first row is fine.
            (409, json!([{ "pubkey": keys[1], "action": "register" }, { "pubkey": keys[0], "action": "ready" }])),
        ];
        for (code, rows) in bad {
            assert_eq!(update(rows.clone()).await.code(), code, "{rows}");
        }
        let second = world.legacy(0, Method::POST, "/validator/query", &with("pubkey", &keys[1])).await.data();
        assert_eq!(second[0]["status"], "Ready");
        // A publication that comes again does not undo the owner's word.
        let merged = world.publish(1, &certificate).await;
        assert_eq!(merged.status, 200);
        let first = world.legacy(0, Method::POST, "/validator/query", &with("pubkey", &keys[0])).await.data();
        assert_eq!(first[0]["status"], "Exited");
        world.shutdown().await;
    }

    async fn unknown_calls_and_methods_answer_in_the_envelope(database: Database) {
        let world = World::start(database).await;
        assert_eq!(world.get("/server/no/such").await.code(), 404);
        assert_eq!(world.get("/server/validator/query").await.code(), 405);
        assert_eq!(world.get("/no/such").await.problem(404), "");
        assert_eq!(world.get("/v1/requests").await.problem(405), "");
        world.shutdown().await;
    }
}
