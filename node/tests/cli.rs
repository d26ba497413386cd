//! The built binary: keygen, request, verify, and their words.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use cluster_core::registry::RegistryFile;
use cluster_core::request::SignedRequest;
use common::command::{node, private};
use common::World;

/// A folder with `registry.toml` for the operators of a world and the wallet's key in `owner.key`.
fn prepared() -> World {
    let world = World::new(4);
    let registry = RegistryFile {
        network: cluster_core::network::Network::Hoodi,
        operators: cluster_core::registry::Registry::operators(world.registry.as_ref()),
        gateways: cluster_core::registry::Registry::gateways(world.registry.as_ref()),
        bootstraps: Vec::new(),
    };
    std::fs::write(world.dir.path().join("registry.toml"), toml::to_string(&registry).unwrap()).unwrap();
    private(&world.dir.path().join("owner.key"), &world.wallet.to_bytes().expose(|bytes| hex::encode(bytes)));
    world
}

#[test]
fn keygen_writes_private_files_that_an_operator_accepts_and_never_overwrites() {
    let dir = tempfile::tempdir().unwrap();
    let made =
        node(dir.path(), &["keygen", "--operator-id", "7", "--name", "seven", "--address", "/ip4/127.0.0.1/tcp/1"]);
    assert!(made.ok, "{}", made.err);
    for file in ["key.json", "password.txt"] {
        let mode = std::fs::metadata(dir.path().join(file)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{file}");
    }
    assert!(made.out.contains("peer id        16Uiu2"), "{}", made.out);
    let entry = made.out.split("[[operators]]").nth(1).unwrap();
    let registry = format!("network = \"hoodi\"\n[[operators]]{entry}");
    let parsed = cluster_core::registry::FileRegistry::parse(&registry).unwrap();
    let id = cluster_core::committee::OperatorId(7);
    assert_eq!(cluster_core::registry::Registry::operator(&parsed, id).unwrap().name, "seven");

    let again = node(dir.path(), &["keygen"]);
    assert!(!again.ok && again.err.contains("is not overwritten"), "{}", again.err);

    // The registry lacks the key: the refusal proves that the key file was opened.
    std::fs::write(dir.path().join("registry.toml"), "network = \"hoodi\"").unwrap();
    let start = node(dir.path(), &["operator", "--http", ""]);
    assert!(!start.ok && start.err.contains("is not that of an operator in registry.toml"), "{}", start.err);

    let password = std::fs::read_to_string(dir.path().join("password.txt")).unwrap();
    private(&dir.path().join("password.txt"), "wrong");
    let wrong = node(dir.path(), &["operator", "--http", ""]);
    assert!(!wrong.ok && wrong.err.contains("key.json does not open"), "{}", wrong.err);
    assert!(!wrong.err.contains(&password));

    std::fs::set_permissions(dir.path().join("key.json"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let readable = node(dir.path(), &["operator", "--http", ""]);
    assert!(!readable.ok && readable.err.contains("chmod 600 key.json"), "{}", readable.err);
}

#[test]
fn request_signs_what_the_operators_accept_and_shows_the_typed_data() {
    let world = prepared();
    let cluster = world.gateway_key.public_key().to_string();
    let args = [
        "request",
        "--registry",
        "registry.toml",
        "--owner-key-file",
        "owner.key",
        "--cluster-pubkey",
        &cluster,
        "--operators",
        "1,2,3,4",
        "--validators",
        "3",
        "--withdrawal-address",
        "lido",
        "--dry-run",
    ];
    let run = node(world.dir.path(), &args);
    assert!(run.ok, "{}", run.err);
    let mut documents = serde_json::Deserializer::from_str(&run.out).into_iter::<serde_json::Value>();
    let typed = documents.next().unwrap().unwrap();
    assert_eq!(typed["primaryType"], "DepositDataRequest");
    let signed: SignedRequest = serde_json::from_value(documents.next().unwrap().unwrap()).unwrap();
    let rules = cluster_core::request::RequestRules::new(cluster_core::network::Network::Hoodi);
    signed.check(&rules, world.registry.as_ref(), cluster_node::service_client::now_ms() / 1000).unwrap();
    assert_eq!(signed.request.withdrawal_address, cluster_core::network::Network::Hoodi.lido_withdrawal_vault());
}

#[test]
fn bad_requests_are_refused_with_field_and_reason_before_anything_is_sent() {
    let world = prepared();
    let cluster = world.gateway_key.public_key().to_string();
    let zero = "0x0000000000000000000000000000000000000000";
    let other = "0x0000000000000000000000000000000000000001";
    // Name, changed flags, field, words.
    let cases: [(&str, &[&str], &str, &str); 11] = [
        ("an unknown operator", &["--operators", "1,2,3,9"], "operator_ids", "operator 9"),
        ("a duplicate operator", &["--operators", "1,2,3,3"], "operator_ids", "twice"),
        ("a descending list", &["--operators", "1,2,4,3"], "operator_ids", "ascending"),
        ("three operators", &["--operators", "1,2,3"], "operator_ids", "4, 7, 10 or 13"),
        ("count zero", &["--validators", "0"], "validator_count", "at least one"),
        ("count above the limit", &["--validators", "1001"], "validator_count", "1000"),
        ("expired", &["--deadline", "1"], "deadline", "has passed"),
        ("another chain", &["--network", "mainnet"], "chain_id", "chain 560048"),
        ("another owner", &["--owner", other], "signature", "was made by"),
        ("a zero withdrawal address", &["--withdrawal-address", zero], "withdrawal_address", "lost"),
        ("another amount", &["--amount-gwei", "1"], "amount_gwei", "32 ETH"),
    ];
    for (name, changed, field, words) in cases {
        let defaults = [("--operators", "1,2,3,4"), ("--validators", "1"), ("--withdrawal-address", "lido")];
        let mut args = vec![
            "request",
            "--registry",
            "registry.toml",
            "--owner-key-file",
            "owner.key",
            "--cluster-pubkey",
            &cluster,
        ];
        for (flag, value) in defaults.iter().filter(|(flag, _)| changed[0] != *flag) {
            args.extend([*flag, *value]);
        }
        args.extend(changed);
        // Nobody listens there: a request that got through would fail with other words.
        args.extend(["--gateway", "http://127.0.0.1:9"]);
        let run = node(world.dir.path(), &args);
        assert!(!run.ok, "{name}");
        assert!(run.err.contains(&format!("{field}: ")) && run.err.contains(words), "{name}: {}", run.err);
    }
}

#[test]
fn verify_names_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let empty = node(dir.path(), &["verify", "."]);
    assert!(!empty.ok && empty.err.contains("neither certificate.json nor evidence"), "{}", empty.err);
    std::fs::write(dir.path().join("certificate.json"), "{}").unwrap();
    let malformed = node(dir.path(), &["verify", "."]);
    assert!(!malformed.ok && malformed.err.contains("certificate.json"), "{}", malformed.err);
}

#[test]
fn preflight_says_who_is_not_reachable_and_what_to_do() {
    let world = prepared();
    let (key, password) = (world.dir.path().join("key.json"), world.dir.path().join("password.txt"));
    private(&password, "password");
    let secret = cluster_crypto::Secret::new("password".to_owned());
    let identity = &world.keys[&cluster_core::committee::OperatorId(1)];
    cluster_node::keys::write_identity(&key, &secret, identity, "test").unwrap();
    let run = node(
        world.dir.path(),
        &["preflight", "--operators", "1,2,3,4", "--timeout-s", "1", "--listen", "/ip4/127.0.0.1/tcp/0"],
    );
    assert!(!run.ok, "{}", run.out);
    assert!(run.out.contains("operator 2: not reachable"), "{}{}", run.out, run.err);
    assert!(run.out.contains("3 of 3 operators are not fit"), "{}", run.out);
}

#[test]
fn config_prints_the_documented_examples() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(node(dir.path(), &["config", "operator"]).out, cluster_node::config::OPERATOR_EXAMPLE);
    assert_eq!(node(dir.path(), &["config", "gateway"]).out, cluster_node::config::GATEWAY_EXAMPLE);
}

#[test]
fn an_operator_serves_metrics_and_ends_well_on_sigterm() {
    let world = prepared();
    let dir = world.dir.path();
    private(&dir.join("password.txt"), "password");
    let password = cluster_crypto::Secret::new("password".to_owned());
    let identity = &world.keys[&cluster_core::committee::OperatorId(1)];
    cluster_node::keys::write_identity(&dir.join("key.json"), &password, identity, "test").unwrap();
    // A port that was free a moment ago; the operator takes it at once.
    let http = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut operator = Command::new(env!("CARGO_BIN_EXE_cluster-node"))
        .current_dir(dir)
        .args(["operator", "--listen", "/ip4/127.0.0.1/udp/0/quic-v1", "--http", &http, "--log-format", "json"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let get = |path: &str| {
        let url = format!("http://{http}{path}");
        runtime.block_on(async { reqwest::get(url).await.ok()?.error_for_status().ok()?.text().await.ok() })
    };
    let give_up = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while get("/ready").is_none() {
        assert!(std::time::Instant::now() < give_up, "the operator never became ready");
        assert!(operator.try_wait().unwrap().is_none(), "the operator ended by itself");
        // The pause between two questions; what ends the wait is the answer, or the deadline above.
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(get("/health").unwrap(), "ok\n");
    let metrics = get("/metrics").unwrap();
    for name in ["cluster_node_ceremonies_open 0", "cluster_node_outbound_waiting 0", "# EOF"] {
        assert!(metrics.contains(name), "{name} is not in {metrics}");
    }
    let pid = operator.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let output = operator.wait_with_output().unwrap();
    assert!(output.status.success(), "{:?}", output.status);
    let log = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["operator_id"] == 1 && line["message"] == "operator 1 is stopping"), "{log}");
}
