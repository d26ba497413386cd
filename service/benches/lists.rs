//! How fast lists and totals are with 10,000 validators of one owner, each with facts of the chain: over HTTP, in milliseconds.
//!
//! `cargo bench -p cluster-service --bench lists`, on SQLite; on another database with `LISTS_DATABASE_URL=postgres://...`
//! (an empty one, which is filled).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use cluster_core::network::Network;
use cluster_core::registry::FileRegistry;
use cluster_crypto::ethereum::{personal_message_digest, Address, WalletKey};
use cluster_service::auth::legacy::login_message;
use cluster_service::chain::facts::kind;
use cluster_service::store::{FactRow, NewCeremony, Store, UpkeepRow, ValidatorRow};
use cluster_service::Config;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use reqwest::header::CONTENT_TYPE;
use serde_json::{json, Value};
use std::collections::BTreeSet;
use std::time::Instant;

const VALIDATORS: usize = 10_000;
const PER_CEREMONY: usize = 1_000;
const CALLS: usize = 300;

fn pubkey(at: usize) -> String {
    format!("0x{at:096x}")
}

fn rows(owner: &str, ceremony: usize) -> Vec<ValidatorRow> {
    let operators: Vec<Value> = (0..4)
        .map(|id| {
            json!({ "operator_id": id, "public_key": format!("0x{}", "02".repeat(33)),
                "share_pubkey": format!("0x{}", "ab".repeat(48)), "sealed_share": format!("0x{}", "cd".repeat(93)) })
        })
        .collect();
    let row = |at: usize| {
        let deposit = json!({ "pubkey": pubkey(at)[2..], "withdrawal_credentials": "01".repeat(32), "amount": 32_000_000_000u64,
            "signature": "ab".repeat(96), "deposit_message_root": "cd".repeat(32), "deposit_data_root": "ef".repeat(32),
            "fork_version": "10000910", "network_name": "hoodi", "deposit_cli_version": "1" });
        ValidatorRow {
            pubkey: pubkey(at),
            id: 0,
            ceremony_id: format!("0x{ceremony:064x}"),
            owner: owner.to_owned(),
            cluster_pubkey: format!("0x{}", "02".repeat(33)),
            status: "Ready".to_owned(),
            register_txid: String::new(),
            deposit_txid: String::new(),
            exit_txid: String::new(),
            deposit_data: deposit.to_string(),
            operators: Value::from(operators.clone()).to_string(),
            created_at_ms: 1,
            updated_at_ms: 1,
            generate_txid: String::new(),
            orphaned: 0,
        }
    };
    (ceremony * PER_CEREMONY..(ceremony + 1) * PER_CEREMONY).map(row).collect()
}

/// Registration, subscription and submission to CSM of one validator.
fn facts(owner: &str, at: usize) -> Vec<FactRow> {
    let fact = |item: i64, kind: &str, data: Value| FactRow {
        block_number: at as i64 + 10,
        log_index: 0,
        item,
        kind: kind.to_owned(),
        subject: pubkey(at),
        actor: owner.to_owned(),
        data: data.to_string(),
        contract: format!("0x{}", "cc".repeat(20)),
        tx_hash: format!("0x{at:064x}"),
        block_hash: format!("0x{at:064x}"),
    };
    vec![
        fact(0, kind::VALIDATOR_REGISTERED, json!({ "event": 0, "operator_ids": [0, 1, 2, 3] })),
        fact(1, kind::SUBSCRIPTION, json!({ "until_block": 99 })),
        fact(2, kind::CSM_KEY_ADDED, json!({ "node_operator_id": "0" })),
    ]
}

/// What the four operators of one validator say.
fn words(at: usize) -> Vec<UpkeepRow> {
    let word = |operator_id: i64| {
        let is_waiting = at.is_multiple_of(10) && operator_id == 3;
        UpkeepRow {
            validator_id: at as i64 + 1,
            operator_id,
            at_ms: 0,
            relay_state: if is_waiting { "waiting" } else { "registered" }.to_owned(),
            relay_epoch: if is_waiting { -1 } else { 7 },
            relay_fee_recipient: if is_waiting { String::new() } else { format!("0x{}", "5a".repeat(20)) },
            relay_gas_limit: if is_waiting { -1 } else { 60_000_000 },
            exit_state: "none".to_owned(),
        }
    };
    (0..4).map(word).collect()
}

async fn fill(url: &str, owner: &str) {
    let store = Store::open(url, 2).await.unwrap();
    for ceremony in 0..VALIDATORS / PER_CEREMONY {
        let mut write = store.write().await.unwrap();
        let new = NewCeremony {
            ceremony_id: format!("0x{ceremony:064x}"),
            owner: owner.to_owned(),
            nonce: ceremony as u64,
            cluster_pubkey: String::new(),
            validator_count: PER_CEREMONY as u32,
            operator_ids: vec![0, 1, 2, 3],
            withdrawal_address: String::new(),
            deadline_s: 1,
            request: "{}".to_owned(),
        };
        write.add_ceremony(&new, 1).await.unwrap();
        let rows = rows(owner, ceremony);
        write.put_validators(&rows).await.unwrap();
        for at in ceremony * PER_CEREMONY..(ceremony + 1) * PER_CEREMONY {
            write.put_facts(&facts(owner, at)).await.unwrap();
        }
        let pubkeys: BTreeSet<String> = rows.into_iter().map(|row| row.pubkey).collect();
        write.refresh_validators(&pubkeys, 2).await.unwrap();
        // Of every tenth validator one operator has not told its relays.
        for at in 0..PER_CEREMONY {
            write.put_upkeep(&words(ceremony * PER_CEREMONY + at), 3).await.unwrap();
        }
        write.commit().await.unwrap();
    }
    store.close().await;
}

fn print(name: &str, mut times_ms: Vec<f64>) {
    times_ms.sort_by(f64::total_cmp);
    let at = |share: f64| times_ms[((times_ms.len() - 1) as f64 * share) as usize];
    println!("{name:<44} p50 {:8.2} ms   p99 {:8.2} ms   max {:8.2} ms", at(0.5), at(0.99), at(1.0));
}

#[tokio::main]
async fn main() {
    let directory = tempfile::tempdir().unwrap();
    let sqlite = format!("sqlite://{}", directory.path().join("lists.db").display());
    let url = std::env::var("LISTS_DATABASE_URL").unwrap_or(sqlite);
    let wallet = WalletKey::generate(&mut ChaCha20Rng::seed_from_u64(1));
    let owner = wallet.address().to_string().to_lowercase();
    let began = Instant::now();
    fill(&url, &owner).await;
    println!("{VALIDATORS} validators written in {:.1} s", began.elapsed().as_secs_f64());

    let some = |byte: u8| Some(Address([byte; 20]));
    let mut config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        database_url: url,
        rate_limit_per_second: 0,
        registry: Some(FileRegistry::parse("network = \"hoodi\"\n").unwrap()),
        ..Config::default()
    };
    // A chain is configured, so that facts are shown; its node is not there, and what was read stays.
    config.chain.rpc_urls = vec!["http://127.0.0.1:1".to_owned()];
    config.chain.registry_contract = some(1);
    config.chain.network_contract = some(2);
    config.chain.cluster_node_contract = some(3);
    config.chain.operator_config_contract = some(4);
    let settings = cluster_service::chain::ChainSettings::new(&config.chain, Network::Hoodi).unwrap().unwrap();
    let store = Store::open(&config.database_url, 2).await.unwrap();
    let mut write = store.write().await.unwrap();
    write.set_chain_cursor(&settings.source(), 1, &format!("0x{}", "00".repeat(32)), 1).await.unwrap();
    write.commit().await.unwrap();
    store.close().await;

    let service = cluster_service::start(config.clone()).await.unwrap();
    let base = format!("http://{}", service.local_addr());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let token = log_in(&http, &base, &wallet).await;

    for limit in [50, 100] {
        let mut times = Vec::new();
        let mut cursor = String::new();
        while times.len() < CALLS {
            let path = format!("{base}/v1/validators?limit={limit}&cursor={cursor}");
            let began = Instant::now();
            let answer = http.get(path).bearer_auth(&token).send().await.unwrap().text().await.unwrap();
            times.push(began.elapsed().as_secs_f64() * 1000.0);
            let page: Value = serde_json::from_str(&answer).unwrap();
            assert_eq!(page["items"].as_array().unwrap().len(), limit);
            assert_eq!(page["items"][0]["facts"]["registered"]["holds"], "yes");
            cursor = page["next_cursor"].as_str().unwrap_or_default().to_owned();
        }
        print(&format!("GET /v1/validators, {limit} of 10,000, with facts"), times);
    }
    let mut times = Vec::new();
    for _ in 0..CALLS {
        let began = Instant::now();
        let path = format!("{base}/v1/validators?limit=50&status=registered");
        http.get(path).bearer_auth(&token).send().await.unwrap().text().await.unwrap();
        times.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    print("GET /v1/validators?status=registered", times);
    let mut times = Vec::new();
    for _ in 0..CALLS {
        let began = Instant::now();
        let answer =
            http.get(format!("{base}/v1/upkeep/totals")).bearer_auth(&token).send().await.unwrap().text().await;
        times.push(began.elapsed().as_secs_f64() * 1000.0);
        let totals: Value = serde_json::from_str(&answer.unwrap()).unwrap();
        assert_eq!((&totals["validators"], &totals["relay"]["partly"]), (&json!(VALIDATORS), &json!(VALIDATORS / 10)));
    }
    print("GET /v1/upkeep/totals, 4 words about each", times);
    let mut times = Vec::new();
    for _ in 0..10 {
        let filter = json!({ "pubkey": "", "status": "", "generate_txid": "", "register_txid": "", "deposit_txid": "", "exit_txid": "" });
        let mut call = http.post(format!("{base}/server/validator/query")).header(CONTENT_TYPE, "application/json");
        for (name, value) in legacy_headers(&wallet) {
            call = call.header(name, value);
        }
        let began = Instant::now();
        let answer = call.body(filter.to_string()).send().await.unwrap().text().await.unwrap();
        times.push(began.elapsed().as_secs_f64() * 1000.0);
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["data"].as_array().unwrap().len(), VALIDATORS);
    }
    print("POST /server/validator/query, all 10,000", times);
    service.shutdown().await;
}

fn now_s() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

fn legacy_headers(wallet: &WalletKey) -> [(&'static str, String); 3] {
    let (owner, deadline_s) = (wallet.address().to_string(), now_s() + 3600);
    let message = login_message(&owner, deadline_s).unwrap();
    let signature = wallet.sign_digest(&personal_message_digest(message.as_bytes()));
    let signature = format!("0x{}", hex::encode(signature.to_bytes()));
    [("v-signature", signature), ("v-owner", owner), ("v-deadline", deadline_s.to_string())]
}

/// By EIP-4361.
async fn log_in(http: &reqwest::Client, base: &str, wallet: &WalletKey) -> String {
    let post = |path: &str, body: Value| {
        let call = http.post(format!("{base}{path}")).header(CONTENT_TYPE, "application/json").body(body.to_string());
        async { serde_json::from_str::<Value>(&call.send().await.unwrap().text().await.unwrap()).unwrap() }
    };
    let nonce = post("/v1/auth/nonce", json!({})).await["nonce"].as_str().unwrap().to_owned();
    let time = |unix_s: u64| {
        let time = time::OffsetDateTime::from_unix_timestamp(unix_s as i64).unwrap();
        time.format(&time::format_description::well_known::Rfc3339).unwrap()
    };
    let message = format!(
        "{} wants you to sign in with your Ethereum account:\n{}\n\nSee your validators.\n\nURI: {base}/\nVersion: 1\n\
         Chain ID: 560048\nNonce: {nonce}\nIssued At: {}\nExpiration Time: {}",
        base.strip_prefix("http://").unwrap(),
        wallet.address(),
        time(now_s()),
        time(now_s() + 300),
    );
    let signature = wallet.sign_digest(&personal_message_digest(message.as_bytes()));
    let answer = post("/v1/auth/login", json!({ "message": message, "signature": signature })).await;
    answer["token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}
