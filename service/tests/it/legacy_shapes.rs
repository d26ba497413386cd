//! What an unmodified existing app sends, byte for byte, and the type of everything that it reads in the answers.

use crate::support::world::Answer;
use crate::support::{on_both_databases, Database, World};
use reqwest::Method;
use serde_json::Value;

/// What a field holds.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// A JSON number without a fraction.
    Number,
    /// 0 or 1.
    Flag,
    Text,
    /// Decimal digits in a text.
    Digits,
    /// 0x and lower-case hex of so many bytes.
    Hex(usize),
    /// Lower-case hex of so many bytes without 0x.
    Bare(usize),
    /// An address with its checksum.
    Address,
    /// One of these words.
    Word(&'static [&'static str]),
    /// An object or a list that the test looks into by itself.
    Inside,
}

use Kind::{Address, Bare, Digits, Flag, Hex, Inside, Number, Text, Word};

impl Kind {
    fn holds(self, value: &Value) -> bool {
        let is_hex = |text: &str, bytes: usize| {
            text.len() == 2 * bytes && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let text = value.as_str();
        match self {
            Number => value.is_u64(),
            Flag => matches!(value.as_u64(), Some(0 | 1)),
            Text => text.is_some(),
            Digits => text.is_some_and(|text| text.parse::<u64>().is_ok()),
            Hex(bytes) => text.and_then(|text| text.strip_prefix("0x")).is_some_and(|text| is_hex(text, bytes)),
            Bare(bytes) => text.is_some_and(|text| is_hex(text, bytes)),
            Address => text.is_some_and(|text| {
                text.parse::<cluster_crypto::ethereum::Address>().is_ok_and(|address| address.to_string() == text)
            }),
            Word(words) => text.is_some_and(|text| words.contains(&text)),
            Inside => value.is_object() || value.is_array(),
        }
    }
}

/// Exactly these fields, each of its kind.
#[track_caller]
fn assert_shape(value: &Value, fields: &[(&str, Kind)]) {
    let object = value.as_object().unwrap_or_else(|| panic!("not an object: {value}"));
    let mut found: Vec<&str> = object.keys().map(String::as_str).collect();
    let mut expected: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    for (name, kind) in fields {
        assert!(kind.holds(&object[*name]), "{name} is no {kind:?}: {}", object[*name]);
    }
}

/// Calls as axios does: the three headers, a body as it is written here and its type, or neither.
async fn call(world: &World, method: Method, path: &str, body: Option<&str>) -> Answer {
    let mut call = world.call(method, path).header("accept", "application/json, text/plain, */*");
    for (name, value) in world.legacy_headers(0) {
        call = call.header(name, value);
    }
    if let Some(body) = body {
        call = call.header("content-type", "application/json").body(body.to_owned());
    }
    Answer::of(call).await
}

/// HTTP 200, JSON, and the three fields of the envelope.
#[track_caller]
fn data(answer: &Answer) -> Value {
    assert!(answer.content_type.starts_with("application/json"), "{answer:?}");
    assert_shape(&answer.json(), &[("code", Number), ("message", Text), ("data", Inside)]);
    answer.data()
}

const STATUS: [(&str, Kind); 4] = [
    ("cluster_pubkey", Hex(33)),
    ("created_at", Number),
    ("updated_at", Number),
    ("status", Word(&["Ready", "Completed"])),
];
const OPERATOR: [(&str, Kind); 20] = [
    ("id", Number),
    ("name", Text),
    ("owner", Text),
    ("pk", Hex(33)),
    ("verified", Flag),
    ("fromDao", Flag),
    ("validator_count", Number),
    ("month_performance", Inside),
    ("tx", Text),
    ("block", Number),
    ("last_epoch", Number),
    ("last_validator", Number),
    ("status", Word(&["active", "inactive"])),
    ("last_version", Digits),
    ("last_ping", Number),
    ("last_claim_height", Number),
    ("earning", Number),
    ("createdAt", Text),
    ("updatedAt", Text),
    ("version", Number),
];
const VALIDATOR: [(&str, Kind); 13] = [
    ("id", Number),
    ("pubkey", Hex(48)),
    ("owner", Address),
    ("cluster_pubkey", Hex(33)),
    ("status", Word(&["Ready", "Registered", "Deposited", "Exited"])),
    ("deposit_data", Text),
    ("generate_txid", Hex(32)),
    ("register_txid", Text),
    ("deposit_txid", Text),
    ("exit_txid", Text),
    ("created_at", Number),
    ("updated_at", Number),
    ("operators", Inside),
];
const SHARE: [(&str, Kind); 4] =
    [("operator_id", Number), ("operator_pubkey", Hex(33)), ("shared_key", Hex(48)), ("encrypt_key", Hex(93))];
/// As launchpads and Lighthouse have it: hex without 0x.
const DEPOSIT: [(&str, Kind); 9] = [
    ("pubkey", Bare(48)),
    ("withdrawal_credentials", Bare(32)),
    ("amount", Number),
    ("signature", Bare(96)),
    ("deposit_message_root", Bare(32)),
    ("deposit_data_root", Bare(32)),
    ("fork_version", Bare(4)),
    ("network_name", Word(&["hoodi"])),
    ("deposit_cli_version", Text),
];

/// The body of a validator query, all six fields in the app's order.
fn query(name: &str, value: &str) -> String {
    let names = ["pubkey", "status", "generate_txid", "register_txid", "deposit_txid", "exit_txid"];
    let field = |field: &&str| format!("\"{field}\":\"{}\"", if *field == name { value } else { "" });
    format!("{{{}}}", names.iter().map(field).collect::<Vec<_>>().join(","))
}

on_both_databases! {
    async fn the_set_up_page_is_served(database: Database) {
        let world = World::start(database).await;
        // The headers come with every call once they are in the browser, also with calls that need none.
        assert_shape(&data(&call(&world, Method::GET, "/server/initiator/status", None).await), &STATUS);
        let owner = world.wallets[0].address().to_string();
        let bound = data(&call(&world, Method::POST, &format!("/server/initiator/bind/{owner}"), None).await);
        let completed = [&STATUS[..], &[("owner", Address), ("owner_pubkey", Hex(65))]].concat();
        assert_shape(&bound, &completed);
        assert_shape(&data(&call(&world, Method::GET, "/initiator/status", None).await), &completed);
        world.shutdown().await;
    }

    async fn the_table_of_operators_is_served(database: Database) {
        let world = World::start(database).await;
        let bodies = [
            (r#"{"pag":{"offset":0,"limit":10},"filter":{},"sort":{"id":-1}}"#, 8),
            (r#"{"pag":{"offset":0,"limit":10},"filter":{"name":"tor"},"sort":{"validator_count":-1}}"#, 8),
            (r#"{"pag":{"offset":0,"limit":10},"filter":{"verified":1},"sort":{"name":1}}"#, 4),
            (r#"{"pag":{"offset":0,"limit":10},"filter":{"name":"tor","verified":1,"fromDao":1},"sort":{"id":1}}"#, 0),
        ];
        for (body, count) in bodies {
            for path in ["/server/operator/query", "/operator/query"] {
                let found = data(&call(&world, Method::POST, path, Some(body)).await);
                assert_shape(&found, &[("count", Number), ("rows", Inside)]);
                assert_eq!(found["count"], count, "{body}");
                for row in found["rows"].as_array().unwrap() {
                    assert_shape(row, &OPERATOR);
                    let figures = [("attested", Number), ("missed", Number), ("performance", Number)];
                    assert_shape(&row["month_performance"], &figures);
                    let version: u64 = row["last_version"].as_str().unwrap().parse().unwrap();
                    assert!(version / 1_000_000 % 1_000 >= 4, "the app chooses from major version 4 on: {version}");
                }
            }
        }
        world.shutdown().await;
    }

    async fn the_table_of_validators_is_served_and_moved(database: Database) {
        let world = World::start(database).await;
        let signed = world.signed(0, 1, 3);
        let certificate = world.certificate(&signed, 1);
        assert_eq!(world.publish(0, &certificate).await.status, 201);
        let all = data(&call(&world, Method::POST, "/server/validator/query", Some(&query("", ""))).await);
        let rows = all.as_array().unwrap();
        assert_eq!(rows.len(), 3);
        for row in rows {
            assert_shape(row, &VALIDATOR);
            let ids: Vec<u64> = row["operators"].as_array().unwrap().iter().map(|one| {
                assert_shape(one, &SHARE);
                one["operator_id"].as_u64().unwrap()
            }).collect();
            assert_eq!(ids, [10, 20, 30, 40], "ascending, as contracts take them");
            let deposit: Value = serde_json::from_str(row["deposit_data"].as_str().unwrap()).unwrap();
            assert_shape(&deposit, &DEPOSIT);
            assert_eq!(deposit["amount"], 32_000_000_000_u64);
            assert_eq!(deposit["fork_version"], "10000910");
            assert_eq!(format!("0x{}", deposit["pubkey"].as_str().unwrap()), row["pubkey"].as_str().unwrap());
        }
        // One transaction for several rows, as a batch has it; each column is found by what was written into it.
        let txid = |digit: char| format!("0x{}", digit.to_string().repeat(64));
        let moves = [
            ("register", "register_txid", "Registered", 'a'),
            ("deposit", "deposit_txid", "Deposited", 'b'),
            ("exit", "exit_txid", "Exited", 'c'),
        ];
        for (at, (action, column, status, digit)) in moves.into_iter().enumerate() {
            let keys: Vec<&str> = rows[at..].iter().map(|row| row["pubkey"].as_str().unwrap()).collect();
            let row = |key: &&str| format!(r#"{{"pubkey":"{key}","action":"{action}","txid":"{}"}}"#, txid(digit));
            let body = format!("[{}]", keys.iter().map(row).collect::<Vec<_>>().join(","));
            let moved = data(&call(&world, Method::POST, "/server/validator/update", Some(&body)).await);
            let by_column = query(column, &txid(digit));
            let found = data(&call(&world, Method::POST, "/validator/query", Some(&by_column)).await);
            for answer in [&moved, &found] {
                let answered = answer.as_array().unwrap();
                assert_eq!(answered.iter().map(|row| row["pubkey"].as_str().unwrap()).collect::<Vec<_>>(), keys);
                for row in answered {
                    assert_shape(row, &VALIDATOR);
                    assert_eq!((&row["status"], &row[column]), (&Value::from(status), &Value::from(txid(digit))));
                }
            }
            let by_status = data(&call(&world, Method::POST, "/server/validator/query", Some(&query("status", status))).await);
            assert_eq!(by_status, found);
        }
        // An action without a transaction: the app has seen it elsewhere.
        let body = format!(r#"[{{"pubkey":"{}","action":"exit"}}]"#, rows[0]["pubkey"].as_str().unwrap());
        assert_eq!(data(&call(&world, Method::POST, "/validator/update", Some(&body)).await)[0]["exit_txid"], "");
        world.shutdown().await;
    }
}
