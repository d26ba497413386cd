//! Figures of duties: taken from gateways, shown to owners, summed for existing apps.

use crate::support::world::{Answer, NOW_S};
use crate::support::{on_both_databases, Database, World};
use cluster_core::certificate::Certificate;
use reqwest::Method;
use serde_json::{json, Value};

const PATH: &str = "/v1/gateway/performance";
const SPAN_MS: u64 = 384_000;

/// What operators 10 to 40 say about one epoch: operator 40 was seen in `seen` of 10 exchanges.
pub fn report(epoch: u64, reports: u32, seen: u32, pubkeys: &[String], submitted: u32) -> Value {
    let operators: Vec<Value> = [10, 20, 30, 40]
        .iter()
        .map(|id| json!({ "operator_id": id, "seen": if *id == 40 { seen } else { 10 } }))
        .collect();
    let validators: Vec<Value> = pubkeys
        .iter()
        .map(|pubkey| {
            let misses = if submitted < 3 { json!({ "beacon_node": 1 }) } else { json!({}) };
            json!({ "pubkey": pubkey, "duties": [
                { "kind": "attestation", "expected": 1, "submitted": 1, "misses": {} },
                { "kind": "sync_message", "expected": 3, "submitted": submitted, "misses": misses },
            ] })
        })
        .collect();
    let start_ms = NOW_S * 1000 - 40 * SPAN_MS + epoch * SPAN_MS;
    json!({ "epoch": epoch, "start_ms": start_ms, "reports": reports, "exchanges": 10, "operators": operators, "validators": validators })
}

pub fn pubkeys(certificate: &Certificate) -> Vec<String> {
    certificate.transcript.validators.iter().map(|validator| validator.pubkey.to_string()).collect()
}

async fn put(world: &World, gateway: usize, report: &Value) -> Answer {
    Answer::of(world.gateway_call(gateway, Method::PUT, PATH, report.to_string())).await
}

/// How many validators of a gateway's report changed, and how many are unknown.
pub fn counts(answer: &Answer) -> (u64, u64) {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let taken = answer.json();
    (taken["changed"].as_u64().unwrap(), taken["unknown"].as_u64().unwrap())
}

async fn taken(world: &World, gateway: usize, report: &Value) -> (u64, u64) {
    counts(&put(world, gateway, report).await)
}

/// Has a wallet ask for validators, and a gateway publish them.
pub async fn published(world: &World, wallet: usize, validators: u32, seed: u64) -> Certificate {
    let signed = world.signed(wallet, seed, validators);
    assert_eq!(world.submit(&signed).await.status, 202);
    let certificate = world.certificate(&signed, seed);
    assert_eq!(world.publish(0, &certificate).await.status, 201);
    certificate
}

on_both_databases! {
    async fn figures_are_taken_once_and_the_better_founded_ones_stay(database: Database) {
        let world = World::start(database).await;
        let keys = pubkeys(&published(&world, 0, 2, 1).await);
        let token = world.login(0).await;
        let shown = || async { world.get_as(&token, "/v1/performance").await.json() };
        assert_eq!(shown().await, json!({ "items": [], "next_cursor": null, "operators": [] }));

        assert_eq!(taken(&world, 0, &report(7, 3, 9, &keys, 2)).await, (2, 0));
        let first = shown().await;
        let item = &first["items"][0];
        assert_eq!((&item["epoch"], &item["reports"], &item["operator_ids"]), (&json!(7), &json!(3), &json!([10, 20, 30, 40])));
        assert_eq!((&item["expected"], &item["submitted"]), (&json!(4), &json!(3)));
        assert_eq!(item["duties"][1], json!({ "kind": "sync_message", "expected": 3, "submitted": 2, "misses": { "beacon_node": 1 } }));
        assert_eq!(first["operators"][3], json!({ "operator_id": 40, "exchanges": 10, "seen": 9 }));

        // Again, by this gateway and by another one; and other figures from no more operators.
        for (gateway, again) in [(0, report(7, 3, 9, &keys, 2)), (1, report(7, 3, 9, &keys, 2)), (1, report(7, 3, 0, &keys, 0))] {
            assert_eq!(taken(&world, gateway, &again).await, (0, 0));
            assert_eq!(shown().await, first);
        }
        assert_eq!(taken(&world, 1, &report(7, 4, 10, &keys, 3)).await, (2, 0));
        let better = shown().await;
        assert_eq!((&better["items"][1]["submitted"], &better["operators"][3]["seen"]), (&json!(4), &json!(10)));
        let world = world.restart().await;
        assert_eq!(world.get_as(&token, "/v1/performance").await.json(), better);
        world.shutdown().await;
    }

    async fn an_owner_sees_only_its_own_figures(database: Database) {
        let world = World::start(database).await;
        let (own, other) = (published(&world, 0, 2, 1).await, published(&world, 1, 1, 2).await);
        // The third owner has another committee, which has no figures.
        let mut request = world.request(2, 3, 1);
        request.operator_ids = [50, 60, 70, 80].map(cluster_core::committee::OperatorId).to_vec();
        let signed = world.sign(2, request);
        assert_eq!(world.submit(&signed).await.status, 202);
        let third = world.certificate(&signed, 3);
        assert_eq!(world.publish(0, &third).await.status, 201);
        let all = [pubkeys(&own), pubkeys(&other), pubkeys(&third)].concat();
        // The validator of the third owner is not of this committee.
        assert_eq!(taken(&world, 0, &report(5, 4, 10, &all, 3)).await, (3, 1));
        for (wallet, expected) in [(0, pubkeys(&own)), (1, pubkeys(&other)), (2, Vec::new())] {
            let token = world.login(wallet).await;
            let page = world.get_as(&token, "/v1/performance").await.json();
            let mut shown: Vec<&str> = page["items"].as_array().unwrap().iter().map(|item| item["pubkey"].as_str().unwrap()).collect();
            let mut expected: Vec<&str> = expected.iter().map(String::as_str).collect();
            shown.sort_unstable();
            expected.sort_unstable();
            assert_eq!(shown, expected);
            assert_eq!(page["operators"].as_array().unwrap().len(), if wallet == 2 { 0 } else { 4 });
            let foreign = format!("/v1/performance?validator={}", if wallet == 1 { &all[0] } else { &all[2] });
            let foreign = world.get_as(&token, &foreign).await.json();
            assert_eq!(foreign, json!({ "items": [], "next_cursor": null, "operators": [] }));
        }
        world.get("/v1/performance").await.problem(401);
        world.shutdown().await;
    }

    async fn lists_are_filtered_and_cut_into_pages(database: Database) {
        let world = World::start(database).await;
        let keys = pubkeys(&published(&world, 0, 2, 1).await);
        for epoch in 1..=4 {
            assert_eq!(taken(&world, 0, &report(epoch, 4, epoch as u32, &keys, 3)).await, (2, 0));
        }
        let token = world.login(0).await;
        let get = |query: String| {
            let (world, token) = (&world, &token);
            async move { world.get_as(token, &format!("/v1/performance?{query}")).await }
        };
        let (mut cursor, mut seen) = (String::new(), Vec::new());
        loop {
            let page = get(format!("limit=3&cursor={cursor}")).await.json();
            assert_eq!(page["operators"].as_array().unwrap().is_empty(), !cursor.is_empty());
            seen.extend(page["items"].as_array().unwrap().iter().map(|item| (item["epoch"].as_u64().unwrap(), item["pubkey"].clone())));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(seen.len(), 8);
        assert!(seen.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0] != pair[1]));
        for (query, items, seen_of_40) in [
            ("from_epoch=2&to_epoch=3".to_owned(), 4, Some(5)),
            ("from_epoch=5".to_owned(), 0, None),
            (format!("validator={}", keys[0]), 4, Some(10)),
            ("operator=40".to_owned(), 8, Some(10)),
            // Ids are numbers, not beginnings of numbers.
            ("operator=4".to_owned(), 0, None),
            ("operator=50".to_owned(), 0, None),
        ] {
            let page = get(query.clone()).await.json();
            assert_eq!(page["items"].as_array().unwrap().len(), items, "{query}");
            let of_40 = page["operators"].as_array().unwrap().iter().find(|row| row["operator_id"] == 40);
            assert_eq!(of_40.map(|row| row["seen"].as_u64().unwrap()), seen_of_40, "{query}");
        }
        for (query, field) in [
            ("from_epoch=3&to_epoch=2", "to_epoch"),
            ("validator=0x12", "validator"),
            ("cursor=7", "cursor"),
            ("cursor=-1-2", "cursor"),
            ("limit=101", "limit"),
            ("operator=x", "query"),
        ] {
            assert_eq!(get(query.to_owned()).await.problem(422), field, "{query}");
        }
        world.shutdown().await;
    }

    async fn reports_that_do_not_fit_themselves_are_refused(database: Database) {
        let world = World::start(database).await;
        let keys = pubkeys(&published(&world, 0, 1, 1).await);
        let good = report(7, 4, 9, &keys, 3);
        type Change = Box<dyn Fn(&mut Value)>;
        let table: Vec<(&str, Change)> = vec![
            ("epoch", Box::new(|report| report["epoch"] = json!(u64::MAX))),
            ("start_ms", Box::new(|report| report["start_ms"] = json!(NOW_S * 2000))),
            ("reports", Box::new(|report| report["reports"] = json!(2))),
            ("reports", Box::new(|report| report["reports"] = json!(5))),
            ("operators", Box::new(|report| drop(report["operators"].as_array_mut().unwrap().pop()))),
            ("operators", Box::new(|report| report["operators"].as_array_mut().unwrap().swap(0, 1))),
            ("operators", Box::new(|report| report["operators"][2]["seen"] = json!(11))),
            ("validators", Box::new(|report| { let one = report["validators"][0].clone(); report["validators"] = json!([one, one]); })),
            ("validators", Box::new(|report| report["validators"] = json!(vec![report["validators"][0].clone(); 501]))),
            ("validators.pubkey", Box::new(|report| report["validators"][0]["pubkey"] = json!("0x12"))),
            ("validators.duties", Box::new(|report| report["validators"][0]["duties"][0]["kind"] = json!("sync_message"))),
            ("validators.duties", Box::new(|report| report["validators"][0]["duties"][0]["kind"] = json!("lunch"))),
            ("validators.duties", Box::new(|report| report["validators"][0]["duties"][0]["submitted"] = json!(2))),
            ("validators.duties", Box::new(|report| report["validators"][0]["duties"][1]["misses"] = json!({ "signer": 1 }))),
            ("validators.duties", Box::new(|report| { report["validators"][0]["duties"][1] = json!({ "kind": "block", "expected": 1, "submitted": 0, "misses": { "lunch": 1 } }); })),
        ];
        for (field, change) in table {
            let mut report = good.clone();
            change(&mut report);
            assert_eq!(put(&world, 0, &report).await.problem(422), field, "{report}");
        }
        let token = world.login(0).await;
        assert_eq!(world.get_as(&token, "/v1/performance").await.json()["items"], json!([]));
        assert_eq!(taken(&world, 0, &good).await, (1, 0));
        world.shutdown().await;
    }

    async fn a_validator_is_shown_over_time_with_its_operators(database: Database) {
        let world = World::start(database).await;
        let keys = pubkeys(&published(&world, 0, 2, 1).await);
        // A day has 225 epochs: these are of two or three days.
        world.clock.advance_ms(300 * SPAN_MS);
        for epoch in (10..=300).step_by(10) {
            let (seen, submitted) = if epoch % 100 == 0 { (0, 2) } else { (10, 3) };
            assert_eq!(taken(&world, 0, &report(epoch, 4, seen, &keys, submitted)).await, (2, 0));
        }
        let token = world.login(0).await;
        let get = |query: String| {
            let (world, token) = (&world, &token);
            async move { world.get_as(token, &format!("/v1/performance/series?validator={query}")).await }
        };
        let newest = get(format!("{}&limit=2", keys[0])).await.json();
        let items = newest["items"].as_array().unwrap();
        assert_eq!(items.iter().map(|item| item["first_epoch"].as_u64().unwrap()).collect::<Vec<_>>(), [300, 290]);
        assert_eq!((&items[0]["expected"], &items[0]["submitted"], &items[0]["reports"]), (&json!(4), &json!(3), &json!(4)));
        assert_eq!(items[0]["duties"][1], json!({ "kind": "sync_message", "expected": 3, "submitted": 2, "misses": { "beacon_node": 1 } }));
        assert_eq!(items[0]["operators"][3], json!({ "operator_id": 40, "exchanges": 10, "seen": 0 }));
        assert_eq!(items[1]["operators"][3], json!({ "operator_id": 40, "exchanges": 10, "seen": 10 }));

        // All pages together are every epoch once.
        let (mut cursor, mut seen) = (String::new(), Vec::new());
        loop {
            let page = get(format!("{}&limit=7&from_epoch=11&cursor={cursor}", keys[1])).await.json();
            seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["first_epoch"].as_u64().unwrap()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(seen, (2..=30).rev().map(|tens| tens * 10).collect::<Vec<u64>>());

        // Days hold what their epochs hold.
        let days = get(format!("{}&per=day", keys[0])).await.json();
        let days = days["items"].as_array().unwrap();
        let sum = |of: &dyn Fn(&Value) -> u64| days.iter().map(of).sum::<u64>();
        assert!((2..=3).contains(&days.len()), "{}", days.len());
        assert_eq!(sum(&|day| day["expected"].as_u64().unwrap()), 120);
        assert_eq!(sum(&|day| day["submitted"].as_u64().unwrap()), 117);
        assert_eq!(sum(&|day| day["duties"][1]["misses"]["beacon_node"].as_u64().unwrap_or(0)), 3);
        assert_eq!(sum(&|day| day["operators"][3]["seen"].as_u64().unwrap()), 270);
        assert!(days.windows(2).all(|pair| pair[0]["first_epoch"].as_u64() == pair[1]["last_epoch"].as_u64().map(|last| last + 10)));

        for (query, field) in [
            ("0x12".to_owned(), "validator"),
            (format!("{}&limit=101", keys[0]), "limit"),
            (format!("{}&cursor=x", keys[0]), "cursor"),
            (format!("{}&from_epoch=2&to_epoch=1", keys[0]), "to_epoch"),
            (format!("{}&per=year", keys[0]), "query"),
        ] {
            assert_eq!(get(query.clone()).await.problem(422), field, "{query}");
        }
        let stranger = world.login(1).await;
        world.get_as(&stranger, &format!("/v1/performance/series?validator={}", keys[0])).await.problem(404);
        world.get(&format!("/v1/performance/series?validator={}", keys[0])).await.problem(401);
        world.shutdown().await;
    }

    async fn duties_of_several_validators_are_summed(database: Database) {
        let world = World::start(database).await;
        let (own, other) = (pubkeys(&published(&world, 0, 2, 1).await), pubkeys(&published(&world, 1, 1, 2).await));
        let all = [own.clone(), other.clone()].concat();
        for (epoch, submitted) in [(1, 3), (2, 1), (3, 3)] {
            assert_eq!(taken(&world, 0, &report(epoch, 4, 10, &all, submitted)).await, (3, 0));
        }
        let token = world.login(0).await;
        let get = |query: String| {
            let (world, token) = (&world, &token);
            async move { world.get_as(token, &format!("/v1/performance/totals?validators={query}")).await }
        };
        let mut sorted = own.clone();
        sorted.sort_unstable();
        // Others' validators are left out, and nobody learns whether they exist.
        let sums = get(all.join(",")).await.json();
        let sums = sums["items"].as_array().unwrap();
        assert_eq!(sums.iter().map(|item| item["pubkey"].as_str().unwrap()).collect::<Vec<_>>(), sorted);
        assert_eq!((&sums[0]["epochs"], &sums[0]["duties"][0]), (&json!(3), &json!({ "kind": "attestation", "expected": 3, "submitted": 3, "misses": {} })));
        assert_eq!(sums[1]["duties"][1], json!({ "kind": "sync_message", "expected": 9, "submitted": 7, "misses": { "beacon_node": 1 } }));
        let since = NOW_S * 1000 - 40 * SPAN_MS + 2 * SPAN_MS;
        let later = get(format!("{}&since_ms={since}", own[0])).await.json();
        assert_eq!((&later["items"][0]["epochs"], &later["items"][0]["duties"][1]["submitted"]), (&json!(2), &json!(4)));
        let none = get(format!("{}&since_ms={}", own[0], since + 100 * SPAN_MS)).await.json();
        assert_eq!(none["items"][0], json!({ "pubkey": own[0], "epochs": 0, "duties": [] }));
        assert_eq!(get(other[0].clone()).await.json(), json!({ "items": [] }));
        for query in [String::new(), "0x12".to_owned(), vec![own[0].as_str(); 26].join(",")] {
            assert_eq!(get(query.clone()).await.problem(422), "validators", "{query}");
        }
        world.get(&format!("/v1/performance/totals?validators={}", own[0])).await.problem(401);
        world.shutdown().await;
    }

    async fn existing_apps_see_the_last_month_and_old_figures_go(database: Database) {
        let world = World::start(database).await;
        let keys = pubkeys(&published(&world, 0, 1, 1).await);
        for (epoch, seen) in [(1, 9), (2, 4)] {
            assert_eq!(taken(&world, 0, &report(epoch, 4, seen, &keys, 3)).await, (1, 0));
        }
        let month = |id: u32| {
            let world = &world;
            async move {
                let rows = world.legacy(0, Method::POST, "/server/operator/query", &json!({})).await.data();
                let rows = rows["rows"].as_array().unwrap().clone();
                rows.into_iter().find(|row| row["id"] == id).unwrap()["month_performance"].clone()
            }
        };
        assert_eq!(month(40).await, json!({ "attested": 13, "missed": 7, "performance": 65 }));
        assert_eq!(month(10).await, json!({ "attested": 20, "missed": 0, "performance": 100 }));
        assert_eq!(month(50).await, json!({ "attested": 0, "missed": 0, "performance": 0 }), "nothing is known");
        let day_ms = 24 * 60 * 60 * 1000;
        world.clock.advance_ms(31 * day_ms);
        assert_eq!(month(40).await, json!({ "attested": 0, "missed": 0, "performance": 0 }), "older than a month");
        world.clock.advance_ms(28 * day_ms);
        world.service.tidy().await.unwrap();
        let token = world.login(0).await;
        assert_eq!(world.get_as(&token, "/v1/performance").await.json()["items"].as_array().unwrap().len(), 2);
        world.clock.advance_ms(32 * day_ms);
        world.service.tidy().await.unwrap();
        let token = world.login(0).await;
        let empty = json!({ "items": [], "next_cursor": null, "operators": [] });
        assert_eq!(world.get_as(&token, "/v1/performance").await.json(), empty, "older than three months");
        world.shutdown().await;
    }
}
