//! Publication: verified again in full, idempotent, merged, never contradicted.

use crate::performance::{pubkeys, report};
use crate::support::dealer::with_attestations;
use crate::support::world::Answer;
use crate::support::{on_both_databases, Database, World};
use cluster_core::certificate::Certificate;
use cluster_core::committee::OperatorId;
use cluster_core::request::{Request, Reshare};
use reqwest::Method;
use serde_json::{json, Value};

async fn ceremony(world: &World, token: &str, certificate: &Certificate) -> Value {
    let answer = world.get_as(token, &format!("/v1/ceremonies/{}", certificate.ceremony_id)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

/// By validator, each operator's id, share key and sealed share, as both interfaces show them alike.
async fn held_shares(world: &World, token: &str) -> Vec<Vec<(u64, String, String)>> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let each = |validator: &Value, names: [&str; 2]| {
        let operators = validator["operators"].as_array().unwrap().iter();
        operators
            .map(|share| (share["operator_id"].as_u64().unwrap(), text(&share[names[0]]), text(&share[names[1]])))
            .collect()
    };
    let list = world.get_as(token, "/v1/validators").await.json();
    let now = list["items"].as_array().unwrap().iter().map(|row| each(row, ["share_pubkey", "sealed_share"]));
    let now: Vec<Vec<_>> = now.collect();
    let old = world.legacy(0, Method::POST, "/validator/query", &json!({})).await.data();
    let old: Vec<Vec<_>> = old.as_array().unwrap().iter().map(|row| each(row, ["shared_key", "encrypt_key"])).collect();
    assert_eq!(now, old);
    now
}

/// The same by a certificate that all operators have signed.
fn shares_of(certificate: &Certificate) -> Vec<Vec<(u64, String, String)>> {
    let records = certificate.transcript.validators.iter().enumerate();
    let of = |(k, record): (usize, &cluster_core::certificate::ValidatorRecord)| {
        let operators =
            certificate.transcript.committee.iter().zip(&record.share_pubkeys).zip(&certificate.attestations);
        let hex = |bytes: &[u8]| format!("0x{}", hex::encode(bytes));
        operators
            .map(|(((id, _), share), attestation)| {
                assert_eq!(attestation.operator_id, *id);
                (u64::from(id.0), hex(&share.to_bytes()), hex(&attestation.envelopes[k].to_bytes()[..]))
            })
            .collect()
    };
    records.map(of).collect()
}

on_both_databases! {
    async fn attestations_are_merged_until_the_ceremony_is_ready(database: Database) {
        let world = World::start(database).await;
        // The request never came through this service: the certificate carries it.
        let certificate = world.certificate(&world.signed(0, 1, 3), 1);
        let token = world.login(0).await;
        let path = format!("/v1/ceremonies/{}", certificate.ceremony_id);
        let few = with_attestations(&certificate, &[0, 1, 2]);
        let other = with_attestations(&certificate, &[0, 1, 3]);
        let answer = world.publish(0, &few).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (201, json!({
            "ceremony_id": certificate.ceremony_id, "status": "incomplete", "missing_operators": [40] })));
        assert_eq!(world.publish(0, &few).await.status, 200, "again");
        let row = ceremony(&world, &token, &certificate).await;
        assert_eq!((&row["status"], &row["missing_operators"]), (&json!("incomplete"), &json!([40])));
        // Incomplete validators are shown with who is missing, and with nothing that could be deposited.
        let list = world.get_as(&token, "/v1/validators").await.json();
        assert_eq!(list["items"].as_array().unwrap().len(), 3);
        for item in list["items"].as_array().unwrap() {
            assert_eq!((&item["status"], &item["deposit_data"], &item["missing_operators"]), (&json!("incomplete"), &Value::Null, &json!([40])));
            assert_eq!(item["operators"][3]["sealed_share"], Value::Null);
        }
        for withheld in ["deposit-data", "certificate"] {
            let answer = world.get_as(&token, &format!("{path}/{withheld}")).await;
            answer.problem(409);
            assert_eq!(answer.json()["missing_operators"], json!([40]));
        }
        // Another gateway heard from other operators.
        let answer = world.publish(1, &other).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (200, &json!("ready")));
        assert_eq!(world.publish(0, &few).await.json()["status"], "ready", "fewer attestations change nothing");
        let held: Certificate = serde_json::from_str(&world.get_as(&token, &format!("{path}/certificate")).await.text).unwrap();
        assert_eq!(held, certificate);
        held.verify(None, &mut rand_core::OsRng).unwrap();
        let deposit = world.get_as(&token, &format!("{path}/deposit-data")).await;
        assert_eq!(deposit.json(), serde_json::to_value(certificate.deposit_data()).unwrap());
        let first = certificate.transcript.validators[0].pubkey.to_string();
        let validator = world.get_as(&token, &format!("/v1/validators/{first}")).await.json();
        assert_eq!(validator["status"], "ready");
        assert_eq!(validator["deposit_data"], serde_json::to_value(&certificate.deposit_data()[0]).unwrap());
        world.shutdown().await;
    }

    async fn a_reshare_stands_beside_its_validators_and_is_never_offered_for_a_deposit(database: Database) {
        let world = World::start(database).await;
        let first = world.certificate(&world.signed(0, 1, 2), 1);
        assert_eq!(world.publish(0, &first).await.status, 201);
        let request = |wallet: usize, nonce: u64| Request {
            operator_ids: [10, 20, 30, 50].map(OperatorId).to_vec(),
            reshare: Some(Reshare::of(&first.transcript)),
            ..world.request(wallet, nonce, 2)
        };
        let signed = world.sign(0, request(0, 2));
        assert_eq!(world.submit(&signed).await.status, 202);
        let second = world.certificate(&signed, 1);
        assert_eq!(world.publish(0, &world.certificate(&signed, 2)).await.problem(422), "transcript.validators", "other keys");
        assert_eq!(world.publish(0, &with_attestations(&second, &[0, 1, 3])).await.json()["missing_operators"], json!([30]));
        let token = world.login(0).await;
        // While an operator lacks its shares, the validators are held by the first committee.
        assert_eq!(held_shares(&world, &token).await, shares_of(&first));
        assert_eq!(world.publish(1, &second).await.json()["status"], "ready");
        assert_eq!(held_shares(&world, &token).await, shares_of(&second));

        let path = format!("/v1/ceremonies/{}", second.ceremony_id);
        let held: Certificate = serde_json::from_str(&world.get_as(&token, &format!("{path}/certificate")).await.text).unwrap();
        assert_eq!(held, second);
        let previous = [&second, &first].map(|one| ceremony(&world, &token, one));
        let previous = futures::future::join_all(previous).await;
        assert_eq!((&previous[0]["previous_ceremony_id"], &previous[1]["previous_ceremony_id"]), (&json!(first.ceremony_id), &json!(null)));
        let answer = world.get_as(&token, &format!("{path}/deposit-data")).await;
        assert!(answer.status == 409 && answer.text.contains("must not be deposited again"), "{}", answer.text);
        // The validators are still those of the ceremony that made them, with its deposit data.
        let list = world.get_as(&token, "/v1/validators").await.json();
        let ceremonies: Vec<_> = list["items"].as_array().unwrap().iter().map(|item| &item["ceremony_id"]).collect();
        assert_eq!(ceremonies, [&json!(first.ceremony_id), &json!(first.ceremony_id)]);
        let deposit = world.get_as(&token, &format!("/v1/ceremonies/{}/deposit-data", first.ceremony_id)).await;
        assert_eq!(deposit.json(), serde_json::to_value(first.deposit_data()).unwrap());

        // Both committees report figures of them; no other one does.
        let keys = pubkeys(&first);
        let path = format!("/v1/performance/series?validator={}", keys[0]);
        for (epoch, ids, unknown) in [(7, [10, 20, 30, 40], 0), (8, [10, 20, 30, 50], 0), (9, [10, 20, 40, 50], 2)] {
            let mut figures = report(epoch, 4, 10, &keys, 3);
            for (operator, id) in figures["operators"].as_array_mut().unwrap().iter_mut().zip(ids) {
                operator["operator_id"] = json!(id);
            }
            let put = world.gateway_call(0, Method::PUT, "/v1/gateway/performance", figures.to_string());
            assert_eq!(Answer::of(put).await.json()["unknown"], unknown, "{ids:?}");
        }
        let series = world.get_as(&token, &path).await.json();
        let shown = |item: &Value| item["operators"].as_array().unwrap().iter().map(|one| one["operator_id"].clone()).collect::<Vec<_>>();
        let shown: Vec<_> = series["items"].as_array().unwrap().iter().map(shown).collect();
        assert_eq!(json!(shown), json!([[10, 20, 30, 50], [10, 20, 30, 40]]), "newest first");
        let committees = |list: Value| list["items"].as_array().unwrap().iter().map(|row| row["operator_ids"].clone()).collect::<Vec<_>>();
        let path = format!("/v1/performance?validator={}", keys[0]);
        let all = committees(world.get_as(&token, &path).await.json());
        assert_eq!(json!(all), json!([[10, 20, 30, 40], [10, 20, 30, 50]]), "whoever performed, by epoch");
        let of_40 = committees(world.get_as(&token, &format!("{path}&operator=40")).await.json());
        assert_eq!(json!(of_40), json!([[10, 20, 30, 40]]));

        // Nobody takes over what the service knows as another owner's.
        let stolen = world.certificate(&world.sign(1, request(1, 1)), 1);
        assert_eq!(world.publish(0, &stolen).await.problem(409), "transcript.validators");
        world.shutdown().await;
    }

    async fn gateways_that_publish_at_once_agree(database: Database) {
        let world = World::start(database).await;
        let certificate = world.certificate(&world.signed(0, 1, 2), 1);
        let parts = [[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]].map(|positions| with_attestations(&certificate, &positions));
        let calls = parts.iter().enumerate().map(|(at, part)| world.publish(at % 2, part));
        let answers = futures::future::join_all(calls).await;
        assert!(answers.iter().all(|answer| answer.status.is_success()), "{answers:?}");
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
        let token = world.login(0).await;
        assert_eq!(ceremony(&world, &token, &certificate).await["status"], "ready");
        assert_eq!(world.get_as(&token, "/v1/validators").await.json()["items"].as_array().unwrap().len(), 2);
        world.shutdown().await;
    }

    async fn a_contradicting_certificate_is_refused_and_changes_nothing(database: Database) {
        let world = World::start(database).await;
        let signed = world.signed(0, 1, 1);
        let (certificate, contrary) = (world.certificate(&signed, 1), world.certificate(&signed, 2));
        assert_eq!(world.publish(0, &with_attestations(&certificate, &[0, 1, 2])).await.status, 201);
        assert_eq!(world.publish(1, &contrary).await.problem(409), "transcript");
        let token = world.login(0).await;
        assert_eq!(ceremony(&world, &token, &certificate).await["missing_operators"], json!([40]));
        // The same validator key in another ceremony.
        let mut stolen = certificate.clone();
        stolen.transcript.request = world.signed(1, 9, 1);
        stolen.transcript.request.request.withdrawal_address = certificate.transcript.request.request.withdrawal_address;
        stolen.transcript.request = world.sign(1, stolen.transcript.request.request.clone());
        stolen.ceremony_id = stolen.transcript.ceremony_id();
        let digest = stolen.transcript.digest();
        for attestation in &mut stolen.attestations {
            let key = &world.operators[&attestation.operator_id];
            *attestation = cluster_core::certificate::Attestation::sign(key, attestation.operator_id, &digest, attestation.envelopes.clone());
        }
        assert_eq!(world.publish(0, &stolen).await.problem(409), "transcript.validators");
        let other = world.login(1).await;
        assert_eq!(world.get_as(&other, "/v1/ceremonies").await.json()["items"], json!([]));
        world.shutdown().await;
    }

    async fn tampered_certificates_are_refused_with_the_field(database: Database) {
        let world = World::start(database).await;
        let certificate = world.certificate(&world.signed(0, 1, 2), 1);
        let another = world.certificate(&world.signed(0, 2, 2), 2);
        let good = serde_json::to_value(&certificate).unwrap();
        let edit = |pointer: &str, value: Value| {
            let mut edited = good.clone();
            *edited.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
            edited
        };
        let other = serde_json::to_value(&another).unwrap();
        let from_other = |pointer: &str| edit(pointer, other.pointer(pointer).unwrap().clone());
        let owner = world.wallets[1].address();
        let tampered = [
            ("version", edit("/version", json!(2))),
            ("transcript.request.request", edit("/transcript/request/request/owner", json!(owner))),
            ("transcript.request.request", edit("/transcript/request/request/withdrawal_address", json!(owner))),
            ("transcript.request.request.chain_id", edit("/transcript/request/request/chain_id", json!(1))),
            ("transcript.request.signature", from_other("/transcript/request/signature")),
            ("transcript.committee[0].public_key", edit("/transcript/committee/0/public_key", good["transcript"]["committee"][1]["public_key"].clone())),
            ("transcript.validators", edit("/transcript/validators", json!([]))),
            ("transcript.validators[1].deposit_signature", from_other("/transcript/validators/1/deposit_signature")),
            ("transcript.validators[0].deposit_data_root", from_other("/transcript/validators/0/deposit_data_root")),
            ("transcript.validators[0].share_pubkeys[2]", from_other("/transcript/validators/0/share_pubkeys/2")),
            ("transcript.validators[0].pubkey", from_other("/transcript/validators/0/pubkey")),
            ("attestations", edit("/attestations", json!(good["attestations"].as_array().unwrap()[..2]))),
            ("attestations[1].operator_id", edit("/attestations/1", good["attestations"][0].clone())),
            ("attestations[3]", from_other("/attestations/3/signature")),
            ("attestations[2]", from_other("/attestations/2/envelopes")),
            ("ceremony_id", from_other("/ceremony_id")),
            ("transcript.validators[0].pubkey", edit("/transcript/validators/0/pubkey", json!("0x12"))),
        ];
        let path = format!("/v1/gateway/ceremonies/{}", certificate.ceremony_id);
        for (field, body) in tampered {
            let call = world.gateway_call(0, Method::PUT, &path, body.to_string());
            let named = crate::support::world::Answer::of(call).await.problem(422);
            assert_eq!(named, field);
        }
        // A whole certificate by keys that the registry does not know.
        let mut strangers = world.operators.clone();
        strangers.insert(OperatorId(30), cluster_crypto::identity::SecretKey::generate(&mut rand_core::OsRng));
        let forged = crate::support::dealer::certificate(&strangers, &certificate.transcript.request, 1);
        assert_eq!(world.publish(0, &forged).await.problem(422), "transcript.committee[2].public_key");
        let body = vec![b' '; cluster_core::certificate::MAX_CERTIFICATE_BYTES + 1];
        let call = world.gateway_call(0, Method::PUT, &path, String::from_utf8(body).unwrap());
        crate::support::world::Answer::of(call).await.problem(413);
        let token = world.login(0).await;
        assert_eq!(world.get_as(&token, "/v1/ceremonies").await.json()["items"], json!([]), "nothing of it is stored");
        world.shutdown().await;
    }
}
