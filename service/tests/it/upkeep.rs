//! Upkeep: what operators say of relays and exits is taken from gateways, shown to owners, and counted.

use crate::performance::{counts, pubkeys, published};
use crate::support::dealer::with_attestations;
use crate::support::world::Answer;
use crate::support::{on_both_databases, Database, World};
use cluster_core::committee::OperatorId;
use cluster_core::request::{Request, Reshare};
use cluster_service::store::{NewCeremony, Store, UpkeepQuery, ValidatorRow};
use reqwest::Method;
use serde_json::{json, Value};

const PATH: &str = "/v1/gateway/upkeep";
/// Where fees go in these tests.
const RECIPIENT: &str = "0x5afe5afe5afe5afe5afe5afe5afe5afe5afe5afe";
const OTHER_RECIPIENT: &str = "0xbadbadbadbadbadbadbadbadbadbadbadbadbad0";

/// One operator's report: the same word about each of these validators.
pub fn report(operator_id: u32, pubkeys: &[String], relay: &Value, exit: &str) -> Value {
    let one = |pubkey: &String| json!({ "pubkey": pubkey, "relay": relay, "exit": exit });
    json!({ "operator_id": operator_id, "validators": pubkeys.iter().map(one).collect::<Vec<_>>() })
}

/// A registration that a beacon node took.
pub fn registered(epoch: u64, fee_recipient: &str) -> Value {
    json!({ "state": "registered", "epoch": epoch, "fee_recipient": fee_recipient, "gas_limit": 60_000_000 })
}

/// A word with no more than its state.
fn bare(state: &str) -> Value {
    json!({ "state": state, "epoch": null, "fee_recipient": null, "gas_limit": null })
}

async fn put(world: &World, gateway: usize, report: &Value) -> Answer {
    Answer::of(world.gateway_call(gateway, Method::PUT, PATH, report.to_string())).await
}

/// Puts it; how many changed, how many are unknown.
pub async fn taken(world: &World, gateway: usize, report: &Value) -> (u64, u64) {
    counts(&put(world, gateway, report).await)
}

/// The items of one validator.
pub async fn shown(world: &World, token: &str, pubkey: &str) -> Value {
    let answer = world.get_as(token, &format!("/v1/validators/{pubkey}/upkeep")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["items"].clone()
}

pub async fn totals(world: &World, token: &str) -> Value {
    world.get_as(token, "/v1/upkeep/totals").await.json()
}

fn unsaid(operator_id: u32) -> Value {
    json!({ "operator_id": operator_id, "at_ms": null, "relay": null, "exit": null })
}

on_both_databases! {
    async fn the_last_word_of_each_operator_is_shown_with_the_time_at_which_it_was_first_heard(database: Database) {
        let world = World::start(database).await;
        let keys = pubkeys(&published(&world, 0, 2, 1).await);
        let token = world.login(0).await;
        let nothing = json!([unsaid(10), unsaid(20), unsaid(30), unsaid(40)]);
        assert_eq!(shown(&world, &token, &keys[0]).await, nothing);

        let relay = registered(7, RECIPIENT);
        let stranger = format!("0x{}", "ab".repeat(48));
        let some = report(20, &[keys[0].clone(), stranger, keys[1].clone()], &relay, "none");
        assert_eq!(taken(&world, 0, &some).await, (2, 1));
        let first_ms = world.clock.now_ms();
        let first = json!([unsaid(10), { "operator_id": 20, "at_ms": first_ms, "relay": relay, "exit": "none" }, unsaid(30), unsaid(40)]);
        assert_eq!(shown(&world, &token, &keys[0]).await, first);
        // The same again, later, by this gateway and by another one.
        world.clock.advance_ms(60_000);
        for gateway in [0, 1] {
            assert_eq!(taken(&world, gateway, &some).await, (0, 1));
            assert_eq!(shown(&world, &token, &keys[0]).await, first);
        }
        // Every single part of a word counts, of the one validator that it is about.
        let mut word = json!({ "operator_id": 20, "at_ms": 0, "relay": relay, "exit": "none" });
        for (pointer, value) in [
            ("/relay/epoch", json!(8)),
            ("/relay/gas_limit", json!((1u64 << 53) - 1)),
            ("/relay/fee_recipient", json!(OTHER_RECIPIENT)),
            ("/exit", json!("ordered")),
            ("/exit", json!("signed")),
            ("/exit", json!("published")),
            ("/relay/state", json!("not_taken")),
            ("/relay", json!({ "state": "incomplete", "epoch": (1u64 << 53) - 1, "fee_recipient": null, "gas_limit": null })),
            ("/relay", bare("waiting")),
            ("/relay", bare("off")),
            ("/exit", json!("none")),
        ] {
            *word.pointer_mut(pointer).unwrap() = value;
            let exit = word["exit"].as_str().unwrap();
            let change = report(20, &keys[..1], &word["relay"], exit);
            assert_eq!(taken(&world, 1, &change).await, (1, 0), "{pointer}");
            word["at_ms"] = json!(world.clock.now_ms());
            assert_eq!(shown(&world, &token, &keys[0]).await[1], word, "{pointer}");
        }
        assert_eq!(shown(&world, &token, &keys[1]).await, first);
        // Absent is the same as null.
        assert_eq!(taken(&world, 0, &report(20, &keys[..1], &json!({ "state": "off" }), "none")).await, (0, 0));
        // Who is not of the committee, or nobody at all, has no say.
        for outsider in [50, 99] {
            assert_eq!(taken(&world, 0, &report(outsider, &keys, &relay, "none")).await, (0, 2));
        }
        let world = world.restart().await;
        assert_eq!(shown(&world, &token, &keys[0]).await, json!([unsaid(10), word, unsaid(30), unsaid(40)]));

        // The validators are nobody else's.
        let path = format!("/v1/validators/{}/upkeep", keys[0]);
        let stranger = world.login(1).await;
        world.get_as(&stranger, &path).await.problem(404);
        world.get_as(&token, &format!("/v1/validators/0x{}/upkeep", "ab".repeat(48))).await.problem(404);
        assert_eq!(world.get_as(&token, "/v1/validators/0x12/upkeep").await.problem(422), "pubkey");
        world.get(&path).await.problem(401);
        world.get("/v1/upkeep/totals").await.problem(401);
        world.shutdown().await;
    }

    async fn nonsense_is_refused_with_its_field_and_changes_nothing(database: Database) {
        let world = World::start(database).await;
        let keys = pubkeys(&published(&world, 0, 1, 1).await);
        let good = report(10, &keys, &registered(7, RECIPIENT), "none");
        let of = |relay: Value| report(10, &keys, &relay, "none");
        let edit = |pointer: &str, value: Value| {
            let mut edited = good.clone();
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            edited.pointer_mut(parent).unwrap()[name] = value;
            edited
        };
        let one = |name: &str, value: Value| edit(&format!("/validators/0/{name}"), value);
        let relay = |name: &str, value: Value| one(&format!("relay/{name}"), value);
        let many: Vec<String> = (0..501).map(|at| format!("0x{at:096x}")).collect();
        let mut table = vec![
            ("operator_id", edit("/operator_id", json!(-1))),
            ("operator_id", edit("/operator_id", json!(1u64 << 32))),
            ("operator_id", edit("/operator_id", json!("10"))),
            ("gateway", edit("/gateway", json!("me"))),
            ("validators", edit("/validators", json!(null))),
            ("validators", edit("/validators", json!([]))),
            ("validators", report(10, &[keys.clone(), keys.clone()].concat(), &registered(7, RECIPIENT), "none")),
            ("validators", report(10, &many, &registered(7, RECIPIENT), "none")),
            ("validators[0].pubkey", one("pubkey", json!("0x12"))),
            ("validators[0].pubkey", one("pubkey", json!(keys[0].to_uppercase().replace("0X", "0x")))),
            ("validators[0].at_ms", one("at_ms", json!(1))),
            ("validators[0].exit", one("exit", json!("lunch"))),
            ("validators[0].exit", one("exit", json!(null))),
            ("validators[0].relay", one("relay", json!(null))),
            ("validators[0].relay.url", relay("url", json!("https://relay.example"))),
            ("validators[0].relay.state", relay("state", json!("Registered"))),
            ("validators[0].relay.state", of(json!({ "epoch": 7 }))),
            ("validators[0].relay.fee_recipient", relay("fee_recipient", json!("0x5AFE5afe5afe5afe5afe5afe5afe5afe5afe5afe"))),
            ("validators[0].relay.fee_recipient", relay("fee_recipient", json!(&RECIPIENT[..40]))),
            ("validators[0].relay.fee_recipient", relay("fee_recipient", json!(&RECIPIENT[2..]))),
            ("validators[0].relay.fee_recipient", relay("fee_recipient", json!(""))),
        ];
        // Numbers that a JSON client can write and that are none of these.
        for name in ["epoch", "gas_limit"] {
            let field = if name == "epoch" { "validators[0].relay.epoch" } else { "validators[0].relay.gas_limit" };
            for number in [json!(1u64 << 53), json!(u64::MAX), json!(1e30), json!(-1), json!(1.5), json!("7"), json!(true)] {
                table.push((field, relay(name, number)));
            }
        }
        // Each state has its parts, no more and no less.
        for (state, epoch, signed) in
            [("off", false, false), ("waiting", false, false), ("incomplete", true, false), ("not_taken", true, true), ("registered", true, true)]
        {
            let full = registered(7, RECIPIENT);
            let whole = |name: &str| if name == "epoch" { epoch } else { signed };
            for (name, field) in [
                ("epoch", "validators[0].relay.epoch"),
                ("fee_recipient", "validators[0].relay.fee_recipient"),
                ("gas_limit", "validators[0].relay.gas_limit"),
            ] {
                let mut wrong = json!({ "state": state });
                for other in ["epoch", "fee_recipient", "gas_limit"] {
                    let is_there = whole(other) != (other == name);
                    wrong[other] = if is_there { full[other].clone() } else { json!(null) };
                }
                table.push((field, of(wrong)));
            }
        }
        for (field, body) in table {
            assert_eq!(put(&world, 0, &body).await.problem(422), field, "{body}");
        }
        // Beyond 64 bits, as `serde_json` here would not write it.
        let text = good.to_string().replace("60000000", "18446744073709551616");
        let call = world.gateway_call(0, Method::PUT, PATH, text);
        assert_eq!(Answer::of(call).await.problem(422), "validators[0].relay.gas_limit");
        Answer::of(world.call(Method::PUT, PATH).json(&good)).await.problem(401);
        let token = world.login(0).await;
        assert_eq!(shown(&world, &token, &keys[0]).await, json!([unsaid(10), unsaid(20), unsaid(30), unsaid(40)]));
        // The second of two is named, and the first one is not taken.
        let mut half = report(10, &[keys[0].clone(), many[0].clone()], &registered(7, RECIPIENT), "none");
        half["validators"][1]["relay"]["epoch"] = json!(null);
        assert_eq!(put(&world, 0, &half).await.problem(422), "validators[1].relay.epoch");
        assert_eq!(shown(&world, &token, &keys[0]).await[0], unsaid(10));
        // As many as fit.
        assert_eq!(taken(&world, 0, &report(10, &many[..500], &registered(7, RECIPIENT), "none")).await, (0, 500));
        assert_eq!(taken(&world, 0, &good).await, (1, 0));
        world.shutdown().await;
    }

    async fn operators_that_a_reshare_leaves_behind_are_heard_no_more(database: Database) {
        let world = World::start(database).await;
        let first = published(&world, 0, 2, 1).await;
        let keys = pubkeys(&first);
        let token = world.login(0).await;
        let word = registered(7, RECIPIENT);
        for id in [30, 40] {
            assert_eq!(taken(&world, 0, &report(id, &keys, &word, "none")).await, (2, 0));
        }
        let update = json!([{ "pubkey": keys[0], "action": "register", "txid": "" }]);
        world.legacy(0, Method::POST, "/validator/update", &update).await.data();
        assert_eq!(taken(&world, 0, &report(10, &keys, &bare("off"), "none")).await, (2, 0));
        assert_eq!(taken(&world, 0, &report(20, &keys, &word, "none")).await, (2, 0));
        assert_eq!(totals(&world, &token).await["relay"]["registered"], 1);
        let before = shown(&world, &token, &keys[0]).await;
        let request = Request {
            operator_ids: [10, 20, 30, 50].map(OperatorId).to_vec(),
            reshare: Some(Reshare::of(&first.transcript)),
            ..world.request(0, 2, 2)
        };
        let signed = world.sign(0, request);
        assert_eq!(world.submit(&signed).await.status, 202);
        let second = world.certificate(&signed, 1);
        // While an operator of the new committee lacks its shares, the old one goes on.
        assert_eq!(world.publish(0, &with_attestations(&second, &[0, 1, 3])).await.json()["status"], "incomplete");
        assert_eq!(shown(&world, &token, &keys[0]).await, before);
        assert_eq!(taken(&world, 0, &report(50, &keys, &word, "none")).await, (0, 2));
        assert_eq!(world.publish(1, &second).await.json()["status"], "ready");
        assert_eq!(shown(&world, &token, &keys[0]).await, json!([before[0], before[1], before[2], unsaid(50)]));
        assert_eq!(totals(&world, &token).await["relay"]["partly"], 1, "operator 50 has said nothing");
        assert_eq!(taken(&world, 0, &report(40, &keys, &bare("off"), "none")).await, (0, 2));
        assert_eq!(taken(&world, 0, &report(50, &keys, &word, "none")).await, (2, 0));
        assert_eq!(totals(&world, &token).await["relay"]["registered"], 1);
        let after = shown(&world, &token, &keys[1]).await;
        assert_eq!((&after[2], &after[3]["relay"], after.as_array().unwrap().len()), (&before[2], &word, 4));
        world.shutdown().await;
    }

    async fn every_class_of_validators_is_counted(database: Database) {
        let world = World::start(database).await;
        let token = world.login(0).await;
        let none = totals(&world, &token).await;
        let zero = json!({ "validators": 0, "relay": { "registered": 0, "partly": 0, "not": 0, "waiting": 0, "off": 0, "unsaid": 0 },
            "mixed_recipients": 0, "exits": { "ordered": 0, "signed": 0, "published": 0 }, "attention": [] });
        assert_eq!(none, zero);
        // Operators' words (R: registered, M: so with another recipient, o: off, w: waiting, i: incomplete, t: not taken, ' ': nothing) and
        // steps of the exit (n, o, s, p), by validator; the class of each, whether recipients are mixed, the step of its exit.
        let four = [
            ("RRRR", "nnnn", "registered", false, None),
            ("RRoR", "nnnn", "registered", false, None),
            ("oooR", "nnnn", "registered", false, None),
            ("MMMM", "onnn", "registered", false, Some("ordered")),
            ("RRRM", "ssnn", "registered", true, Some("ordered")),
            ("RRRw", "sssn", "partly", false, Some("signed")),
            ("RRR ", "sso ", "partly", false, Some("ordered")),
            ("Roo ", "spn ", "partly", false, Some("published")),
            ("R   ", "n   ", "partly", false, None),
            ("RMit", "nnnn", "partly", true, None),
            ("wwww", "ssss", "waiting", false, Some("signed")),
            ("ow  ", "nn  ", "waiting", false, None),
            ("owwt", "nnnn", "not", false, None),
            ("oooi", "nnnn", "not", false, None),
            ("t   ", "p   ", "not", false, Some("published")),
            ("oooo", "ssps", "off", false, Some("published")),
            ("o   ", "n   ", "off", false, None),
            ("    ", "    ", "unsaid", false, None),
        ];
        let seven = [
            ("RRRRRRR", "ssssnnn", "registered", false, Some("ordered")),
            ("RRRRRRo", "sssssno", "registered", false, Some("signed")),
            ("RRRRooo", "nnnnnnn", "registered", false, None),
            ("RRRRoow", "nnnnnnn", "partly", false, None),
        ];
        let owner = world.wallets[0].address().to_string().to_lowercase();
        let store = Store::open(&world.config.database_url, 2).await.unwrap();
        let ids = |n: usize| (1..=n as u32).map(|at| at * 10).collect::<Vec<_>>();
        make(&store, &owner, "0xa", &ids(4), "Registered", 0..four.len()).await;
        make(&store, &owner, "0xb", &ids(7), "Deposited", four.len()..four.len() + seven.len()).await;
        // Not registered, or somebody else's: not counted.
        make(&store, &owner, "0xc", &ids(4), "Ready", 50..51).await;
        make(&store, "0xother", "0xd", &ids(4), "Registered", 60..61).await;
        for operator_id in ids(4) {
            let not_counted = [key(50), key(60)];
            assert_eq!(taken(&world, 0, &report(operator_id, &not_counted, &bare("waiting"), "published")).await, (2, 0));
        }
        let table: Vec<_> = four.iter().chain(&seven).copied().collect();
        for operator in 0..7 {
            let mut said = Vec::new();
            for (at, (relay, exit, ..)) in table.iter().enumerate() {
                let (Some(relay), Some(exit)) = (relay.chars().nth(operator), exit.chars().nth(operator)) else { continue };
                let relay = match relay {
                    'R' => registered(7, RECIPIENT),
                    'M' => registered(7, OTHER_RECIPIENT),
                    'o' => bare("off"),
                    'w' => bare("waiting"),
                    'i' => json!({ "state": "incomplete", "epoch": 7 }),
                    // What was not taken is registered nowhere: its recipient is compared with nobody's.
                    't' => json!({ "state": "not_taken", "epoch": 7, "fee_recipient": OTHER_RECIPIENT, "gas_limit": 1 }),
                    _ => continue,
                };
                let exit = match exit { 'o' => "ordered", 's' => "signed", 'p' => "published", _ => "none" };
                said.push(json!({ "pubkey": key(at), "relay": relay, "exit": exit }));
            }
            let body = json!({ "operator_id": (operator + 1) * 10, "validators": said });
            assert_eq!(taken(&world, 0, &body).await, (said.len() as u64, 0));
        }
        let mut expected = zero;
        for (at, (_, _, class, mixed, exit)) in table.iter().enumerate() {
            let mut add = |pointer: String| {
                let count = expected.pointer_mut(&pointer).unwrap();
                *count = json!(count.as_u64().unwrap() + 1);
            };
            add("/validators".to_owned());
            add(format!("/relay/{class}"));
            if *mixed {
                add("/mixed_recipients".to_owned());
            }
            exit.iter().for_each(|step| add(format!("/exits/{step}")));
            if *mixed || ["partly", "not"].contains(class) {
                expected["attention"].as_array_mut().unwrap().push(json!(key(at)));
            }
        }
        assert_eq!(totals(&world, &token).await, expected);
        // All of them withdraw to `RECIPIENT`: were it Lido's vault, fees would be due there, whatever the owner chose.
        let due = |vault: &str| UpkeepQuery {
            owner: owner.clone(),
            vault: vault.to_owned(),
            vault_recipient: RECIPIENT.to_owned(),
            owner_recipient: OTHER_RECIPIENT.to_owned(),
            ..UpkeepQuery::default()
        };
        for (vault, mixed) in [(RECIPIENT, 3), (OTHER_RECIPIENT, 13)] {
            let counts = store.upkeep_counts(&due(vault), 0).await.unwrap();
            assert_eq!((counts.len(), counts[0].mixed), (1, mixed), "{vault}");
        }
        // Of the many that need attention the first twenty are named.
        make(&store, &owner, "0xe", &ids(4), "Exited", 100..130).await;
        let more: Vec<String> = (100..130).map(key).collect();
        assert_eq!(taken(&world, 1, &report(10, &more, &json!({ "state": "incomplete", "epoch": 7 }), "none")).await, (30, 0));
        let crowded = totals(&world, &token).await;
        assert_eq!((&crowded["validators"], &crowded["relay"]["not"]), (&json!(52), &json!(33)));
        let mut attention = expected["attention"].as_array().unwrap().clone();
        attention.extend(more.iter().map(|key| json!(key)));
        assert_eq!(crowded["attention"], json!(attention[..20]));
        let stranger = world.login(1).await;
        assert_eq!(totals(&world, &stranger).await, none);
        store.close().await;
        world.shutdown().await;
    }
}

/// Keys of validators that were made without a ceremony.
fn key(at: usize) -> String {
    format!("0x{at:096x}")
}

/// Validators of a finished ceremony.
async fn make(store: &Store, owner: &str, id: &str, committee: &[u32], status: &str, range: std::ops::Range<usize>) {
    let ceremony = NewCeremony {
        ceremony_id: id.to_owned(),
        owner: owner.to_owned(),
        nonce: 1,
        cluster_pubkey: String::new(),
        validator_count: range.len() as u32,
        operator_ids: committee.to_vec(),
        withdrawal_address: RECIPIENT.to_owned(),
        deadline_s: 1,
        request: "{}".to_owned(),
    };
    let row = |at: usize| ValidatorRow {
        pubkey: key(at),
        id: 0,
        ceremony_id: id.to_owned(),
        owner: owner.to_owned(),
        cluster_pubkey: String::new(),
        status: status.to_owned(),
        register_txid: String::new(),
        deposit_txid: String::new(),
        exit_txid: String::new(),
        deposit_data: "{}".to_owned(),
        operators: "[]".to_owned(),
        created_at_ms: 1,
        updated_at_ms: 1,
        generate_txid: String::new(),
        orphaned: 0,
    };
    let rows: Vec<ValidatorRow> = range.map(row).collect();
    let mut write = store.write().await.unwrap();
    write.add_ceremony(&ceremony, 1).await.unwrap();
    write.put_validators(&rows).await.unwrap();
    write.commit().await.unwrap();
}
