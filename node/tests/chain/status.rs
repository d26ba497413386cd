//! `cluster-node chain` beside a running node, beside one that cannot be asked, and for one that is stopped.

use cluster_core::committee::OperatorId;
use cluster_node::config::IdentityConfig;
use cluster_node::driver::Hooks;
use cluster_node::keys::load_identity;
use cluster_node::service_client::now_ms;

use crate::anvil::{config, until, Anvil};
use crate::common::command::{node, Run};
use crate::common::World;
use crate::emit;

const ME: OperatorId = OperatorId(1);

fn row(run: &Run, name: &str) -> String {
    let line = run.out.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {}{}", run.out, run.err)).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_asks_a_running_node_and_reads_a_stopped_one() {
    let anvil = Anvil::start_at(now_ms() / 1_000).await;
    let mut world = World::new(5);
    let folder = world.dir.path().to_owned();
    assert!(node(&folder, &["keygen"]).ok);
    let identity = IdentityConfig { key_file: folder.join("key.json"), password_file: folder.join("password.txt") };
    world.keys.insert(ME, load_identity(&identity).unwrap());
    world.chain = config(vec![anvil.url.clone()]);
    world.http = "127.0.0.1:0".into();
    for (id, key) in &world.keys {
        anvil.emit(&emit::operator_with(id.0, &key.public_key())).await;
    }
    let (contract, topics, mut data) = emit::operator(9);
    data.truncate(40);
    anvil.emit(&(contract, topics, data)).await;
    let operator = world.start_operator(ME, Hooks::default()).await;
    let http = operator.http_address().unwrap().to_string();
    let data_dir = world.data_dir(ME);
    let run = |what: &str, http: &str, more: &[&str]| {
        let args = ["chain", what, "--http", http, "--data-dir", data_dir.to_str().unwrap()];
        tokio::task::block_in_place(|| node(&folder, &[&args, more].concat()))
    };

    until("a node that has caught up", || run("status", &http, &[]).out.contains("running, everything confirmed"))
        .await;
    let running = run("status", &http, &[]);
    let (head, hash) = anvil.head().await;
    assert_eq!(row(&running, "block"), format!("{head} {hash}"));
    assert_eq!((row(&running, "operators"), row(&running, "events in quarantine")), ("5".to_owned(), "1".to_owned()));
    let json: serde_json::Value = serde_json::from_str(&run("status", &http, &["--json"]).out).unwrap();
    assert_eq!((&json["head"], &json["caught_up"], &json["quarantined"]), (&head.into(), &true.into(), &1.into()));
    let bad = run("quarantine", &http, &[]);
    assert!(bad.ok && bad.out.starts_with(&format!("block {head} ")), "{}{}", bad.out, bad.err);

    // Without its HTTP server it cannot be asked, and its database is its own.
    let refused = run("status", "", &[]);
    assert!(
        !refused.ok && refused.err.contains("the node runs, and does not answer on http.listen"),
        "{}",
        refused.err
    );
    assert!(refused.err.contains("is in use by another process"), "{}", refused.err);
    let refused = run("rescan", &http, &[]);
    assert!(!refused.ok && refused.err.contains("the node runs"), "{}", refused.err);

    operator.shutdown().await;
    let stopped = run("status", &http, &[]);
    assert_eq!((row(&stopped, "node"), row(&stopped, "operators")), ("stopped".to_owned(), "5".to_owned()));
    assert_eq!(run("quarantine", "", &[]).out, bad.out);
    assert!(run("rescan", "", &[]).ok);
    assert!(run("status", "", &[]).out.contains("nothing was read from the contracts yet"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_is_read_running_and_stopped() {
    let anvil = Anvil::start_at(now_ms() / 1_000).await;
    let mut world = World::new(4);
    let folder = world.dir.path().to_owned();
    assert!(node(&folder, &["keygen"]).ok);
    let identity = IdentityConfig { key_file: folder.join("key.json"), password_file: folder.join("password.txt") };
    world.gateway_key = load_identity(&identity).unwrap();
    world.chain = config(vec![anvil.url.clone()]);
    anvil.emit(&emit::operator_with(0, &world.keys[&ME].public_key())).await;
    anvil.emit(&emit::cluster_node_with(&world.gateway_key.public_key(), &world.wallet)).await;
    let gateway = world.start_gateway().await;
    let http = gateway.http_address().unwrap().to_string();
    std::fs::write(folder.join("gateway.toml"), "data_dir = \"gateway\"\n[service]\nurl = \"\"\n").unwrap();
    let run = |what: &str, more: &[&str]| {
        let args = ["chain", what, "--config", "gateway.toml", "--http", http.as_str()];
        tokio::task::block_in_place(|| node(&folder, &[&args, more].concat()))
    };
    let as_gateway = ["--role", "gateway"];

    until("a gateway that has caught up", || run("status", &as_gateway).out.contains("running, everything confirmed"))
        .await;
    assert_eq!(row(&run("status", &as_gateway), "operators"), "1", "operator 0 is one");
    gateway.shutdown().await;
    let stopped = run("status", &as_gateway);
    assert_eq!((row(&stopped, "node"), row(&stopped, "cluster nodes")), ("stopped".to_owned(), "1".to_owned()));
    assert!(run("quarantine", &as_gateway).out.contains("no event is in quarantine"));
    let refused = run("status", &[]);
    assert!(!refused.ok && refused.err.contains("--role gateway"), "{}", refused.err);
    assert!(run("rescan", &as_gateway).ok);
    assert!(run("status", &as_gateway).out.contains("nothing was read from the contracts yet"));
}
