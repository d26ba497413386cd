//! One key on two machines, through the built binary: both nodes find out, and everybody who asks is told.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cluster_core::committee::OperatorId;
use cluster_core::registry::{Registry, RegistryFile};
use common::command::{node, private};
use common::World;

const PATIENCE: Duration = Duration::from_secs(90);

/// An operator process; it is killed when the test ends, however it does.
struct Running {
    child: Child,
    dir: PathBuf,
    http: String,
}

impl Running {
    /// Starts operator `id` in a folder of its own.
    fn start(world: &World, registry: &str, name: &str, id: u32, listen: &str) -> Self {
        let dir = world.dir.path().join(name);
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join("registry.toml"), registry).unwrap();
        private(&dir.join("password.txt"), "password");
        let password = cluster_crypto::Secret::new("password".to_owned());
        let identity = &world.keys[&OperatorId(id)];
        cluster_node::keys::write_identity(&dir.join("key.json"), &password, identity, "test").unwrap();
        // A port that was free a moment ago; the operator takes it at once.
        let http = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let child = Command::new(env!("CARGO_BIN_EXE_cluster-node"))
            .current_dir(&dir)
            .args(["operator", "--listen", listen, "--http", &http])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, dir, http }
    }

    fn get(&self, runtime: &tokio::runtime::Runtime, path: &str) -> Option<String> {
        let url = format!("http://{}{path}", self.http);
        runtime.block_on(async { reqwest::get(url).await.ok()?.error_for_status().ok()?.text().await.ok() })
    }

    fn knows_its_twin(&self, runtime: &tokio::runtime::Runtime) -> bool {
        let answer = self.get(runtime, "/duties").unwrap_or_default();
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap_or_default();
        answer["twin"]["told_by"] == "operator 2"
    }

    /// Runs a command of the binary beside the node.
    fn command(&self, args: &[&str]) -> common::command::Run {
        node(Path::new(&self.dir), args)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn two_nodes_with_one_key_are_found_out_and_everybody_who_asks_is_told() {
    let world = World::new(4);
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("/ip4/127.0.0.1/udp/{port}/quic-v1");
    let mut operators = world.registry.operators();
    operators[1].addresses = vec![address.clone()];
    let network = cluster_core::network::Network::Hoodi;
    let registry = RegistryFile { network, operators, gateways: world.registry.gateways(), bootstraps: Vec::new() };
    let registry = toml::to_string(&registry).unwrap();
    let (any, runtime) = ("/ip4/127.0.0.1/udp/0/quic-v1", tokio::runtime::Runtime::new().unwrap());
    let witness = Running::start(&world, &registry, "witness", 2, &address);
    let one = Running::start(&world, &registry, "one", 1, any);
    let other = Running::start(&world, &registry, "other", 1, any);
    let give_up = Instant::now() + PATIENCE;
    while !(one.knows_its_twin(&runtime) && other.knows_its_twin(&runtime)) {
        assert!(Instant::now() < give_up, "{:?} {:?}", one.get(&runtime, "/duties"), other.get(&runtime, "/duties"));
        // The pause between two questions; what ends the wait is the answer, or the deadline above.
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(one.get(&runtime, "/metrics").unwrap().contains("cluster_node_operator_twin 1"));
    assert!(witness.get(&runtime, "/metrics").unwrap().contains("cluster_node_operator_twin 0"));

    let said = one.command(&["duties", "--http", &one.http]);
    assert!(said.ok && said.err.contains("another node runs with this operator's key"), "{}{}", said.out, said.err);
    let args = ["preflight", "--operators", "1,2,3,4", "--timeout-s", "2", "--listen", any];
    let said = one.command(&args);
    assert!(!said.ok && said.out.contains("operator 1: more than one node runs with this key"), "{}", said.out);
    // One node, and the tool that asks in its name, are not two.
    let said = witness.command(&args);
    assert!(!said.out.contains("more than one node"), "{}", said.out);
}
