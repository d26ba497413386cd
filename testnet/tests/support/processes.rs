//! A network of operating-system processes: every part from its own binary, with generated keys and configurations.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use cluster_core::committee::OperatorId;
use cluster_core::network::Network;
use cluster_crypto::{identity, Secret};
use cluster_node::keys;
use cluster_node::network::Transport;
use cluster_testnet::world::World;
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;

use super::eventually;

/// How long a process may take to start or to end. Opening an encrypted key takes most of a second.
const PATIENCE: Duration = Duration::from_secs(30);
const PASSWORD: &str = "a password of a test network";

/// A binary of this workspace, from the folder of the test's own binary.
pub fn binary(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.parent().and_then(Path::parent).unwrap();
    let path = folder.join(name);
    assert!(
        path.is_file(),
        "{} is missing; `make test` builds it: cargo build -p cluster-node -p cluster-bootstrap -p cluster-service --features \
         cluster-node/fault-injection, and cargo build -p cluster-node --bin cluster-node-next --features cluster-node/next-version",
        path.display()
    );
    path
}

/// The name of a part: `bootstrap`, `service`, `gateway` or `operator-101`.
pub fn operator_name(id: OperatorId) -> String {
    format!("operator-{id}")
}

pub struct Processes {
    pub world: World,
    pub dir: PathBuf,
    pub service_url: String,
    transport: Transport,
    http: reqwest::Client,
    ready_urls: BTreeMap<String, String>,
    running: BTreeMap<String, Child>,
}

impl Processes {
    /// Writes keys, registry and configurations, starts every part, and waits until all are connected.
    pub async fn start(network: Network, operators: usize, transport: Transport, seed: u64) -> Self {
        let world = World::generate(network, operators, seed);
        // Not deleted when a test fails: the logs in it say why.
        let dir = tempfile::Builder::new().prefix("cluster-processes-").tempdir().unwrap().keep();
        eprintln!("configurations and logs: {}", dir.display());
        let mut processes = Self {
            service_url: String::new(),
            transport,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            ready_urls: BTreeMap::new(),
            running: BTreeMap::new(),
            world,
            dir,
        };
        processes.write_keys();
        let bootstrap_address = processes.write_registry();
        processes.write_configurations(&bootstrap_address);
        processes.spawn("bootstrap", &[]);
        processes.spawn("service", &[]);
        processes.await_ready("service").await;
        for id in processes.world.ids() {
            processes.spawn(&operator_name(id), &[]);
        }
        processes.spawn("gateway", &[]);
        for id in processes.world.ids() {
            processes.await_mesh(id).await;
        }
        processes
    }

    /// Starts a part with extra environment variables.
    pub fn spawn(&mut self, name: &str, environment: &[(&str, &str)]) {
        let program = match name {
            "bootstrap" => "cluster-bootstrap",
            "service" => "cluster-service",
            _ => "cluster-node",
        };
        self.spawn_as(name, program, environment);
    }

    fn spawn_as(&mut self, name: &str, program: &str, environment: &[(&str, &str)]) {
        let arguments: &[&str] = match name {
            "bootstrap" | "service" => &[],
            "gateway" => &["gateway"],
            _ => &["operator"],
        };
        let log = File::options().create(true).append(true).open(self.dir.join(format!("{name}.log"))).unwrap();
        let child = Command::new(binary(program))
            .args(arguments)
            .arg("--config")
            .arg(self.dir.join(format!("{name}.toml")))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let before = self.running.insert(name.to_owned(), child);
        assert!(before.is_none(), "{name} runs already");
    }

    /// Starts an operator and waits until it is connected to everybody.
    pub async fn start_operator(&mut self, id: OperatorId, environment: &[(&str, &str)]) {
        self.spawn(&operator_name(id), environment);
        self.await_mesh(id).await;
    }

    /// Ends an operator, starts it as the next release, and waits until it is connected to everybody.
    pub async fn upgrade_operator(&mut self, id: OperatorId, environment: &[(&str, &str)]) {
        let name = operator_name(id);
        self.terminate(&name).await;
        self.spawn_as(&name, "cluster-node-next", environment);
        self.await_mesh(id).await;
    }

    /// Waits until the log of an operator says something.
    pub async fn log_says(&self, id: OperatorId, expected: &str) {
        let name = operator_name(id);
        let log = self.dir.join(format!("{name}.log"));
        eventually(&format!("{name} says `{expected}`"), PATIENCE, || {
            let said = std::fs::read_to_string(&log).unwrap();
            std::future::ready(said.contains(expected).then_some(()))
        })
        .await;
    }

    /// Ends a part as an administrator would.
    pub async fn terminate(&mut self, name: &str) {
        self.signal(name, Signal::SIGTERM);
        let status = self.ended(name).await;
        assert!(status.success(), "{name} ended with {status}; see {}", self.dir.display());
    }

    /// Kills a part with SIGKILL.
    pub async fn kill(&mut self, name: &str) {
        self.signal(name, Signal::SIGKILL);
        self.ended(name).await;
    }

    /// Waits until an operator has killed itself.
    pub async fn crashed(&mut self, id: OperatorId) {
        let name = operator_name(id);
        let status = self.ended(&name).await;
        assert_eq!(
            status.signal(),
            Some(Signal::SIGKILL as i32),
            "{name} ended with {status} and not by its crash switch; was cluster-node built with the feature fault-injection?"
        );
    }

    /// Lets the crash switch of an operator work once more.
    pub fn rearm(&self, id: OperatorId) {
        let marker = self.dir.join(operator_name(id)).join("crashed-once");
        if marker.exists() {
            std::fs::remove_file(marker).unwrap();
        }
    }

    /// Runs `cluster-node` to its end, which must be a success; returns what it printed.
    pub async fn cluster_node(&self, arguments: &[&str]) -> String {
        let (status, said) = self.try_cluster_node(arguments).await;
        assert!(status.success(), "cluster-node {}: {status}: {said}", arguments.join(" "));
        said
    }

    /// Runs `cluster-node` to its end; returns how it ended and what it printed.
    pub async fn try_cluster_node(&self, arguments: &[&str]) -> (ExitStatus, String) {
        let output = tokio::process::Command::new(binary("cluster-node")).args(arguments).output().await.unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status, said)
    }

    /// Replaces the registry file and has an operator read it again, until its log says `expected`.
    pub async fn reload(&self, id: OperatorId, registry: &str, expected: &str) {
        std::fs::write(self.dir.join("registry.toml"), registry).unwrap();
        self.signal(&operator_name(id), Signal::SIGHUP);
        self.log_says(id, expected).await;
    }

    /// Ends every part in order, and deletes the folder.
    pub async fn shutdown(mut self) {
        let names: Vec<String> = self.running.keys().cloned().collect();
        for name in names {
            self.terminate(&name).await;
        }
        std::fs::remove_dir_all(&self.dir).unwrap();
    }

    fn signal(&self, name: &str, signal: Signal) {
        let pid = self.running[name].id();
        kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal).unwrap();
    }

    async fn ended(&mut self, name: &str) -> ExitStatus {
        let child = self.running.get_mut(name).unwrap_or_else(|| panic!("{name} does not run"));
        let mut ask = || {
            let status = child.try_wait().unwrap();
            std::future::ready(status)
        };
        let status = eventually(&format!("the end of {name}"), PATIENCE, &mut ask).await;
        self.running.remove(name);
        status
    }

    async fn await_ready(&mut self, name: &str) {
        let url = self.ready_urls[name].clone();
        self.await_text(name, &url, |_| true).await;
    }

    /// Until the operator is connected to all running operators, gateway and bootstrap peer.
    async fn await_mesh(&mut self, id: OperatorId) {
        let name = operator_name(id);
        let others = self.running.keys().filter(|other| **other != name && **other != "service").count();
        let url = self.ready_urls[&name].clone();
        let is_connected = |text: &str| {
            let line = text
                .lines()
                .find(|line| !line.starts_with('#') && line.contains("peers_connected "))
                .unwrap_or_default();
            line.rsplit(' ').next().and_then(|count| count.parse::<usize>().ok()).is_some_and(|count| count >= others)
        };
        self.await_text(&name, &url, is_connected).await;
    }

    async fn await_text(&mut self, name: &str, url: &str, enough: impl Fn(&str) -> bool) {
        let http = self.http.clone();
        let log = self.dir.join(format!("{name}.log"));
        let child = self.running.get_mut(name).unwrap();
        let what = format!("{name} is ready ({})", log.display());
        eventually(&what, PATIENCE, || {
            assert!(child.try_wait().unwrap().is_none(), "{name} ended at once; see {}", log.display());
            let (http, enough) = (&http, &enough);
            async move {
                let response = http.get(url).send().await.ok()?.error_for_status().ok()?;
                let text = response.text().await.ok()?;
                enough(&text).then_some(())
            }
        })
        .await;
    }

    fn write_keys(&self) {
        keys::write_private(&self.dir.join("password.txt"), PASSWORD.as_bytes()).unwrap();
        let owner = self.world.owner.to_bytes().expose(|bytes| hex::encode(bytes));
        keys::write_private(&self.dir.join("owner.key"), owner.as_bytes()).unwrap();
        let mut named: Vec<(String, &identity::SecretKey)> =
            self.world.operators.iter().map(|(id, key)| (operator_name(*id), key)).collect();
        named.push(("gateway".to_owned(), &self.world.gateway));
        named.push(("bootstrap".to_owned(), &self.world.bootstrap));
        let dir = &self.dir;
        std::thread::scope(|scope| {
            for (name, key) in named {
                scope.spawn(move || {
                    let password = Secret::new(PASSWORD.to_owned());
                    keys::write_identity(&dir.join(format!("{name}.json")), &password, key, &name).unwrap();
                });
            }
        });
    }

    /// Returns the bootstrap peer's listen address. Only it is in the registry: operators find each other through it.
    fn write_registry(&self) -> String {
        let address = self.listen_address(free_port());
        let registry = self.world.registry_file(vec![address.clone()]);
        std::fs::write(self.dir.join("registry.toml"), toml::to_string(&registry).unwrap()).unwrap();
        address
    }

    fn write_configurations(&mut self, bootstrap_address: &str) {
        let dir = self.dir.display().to_string();
        let common = |name: &str, port: u16, listen: &str| {
            format!(
                "registry_file = \"{dir}/registry.toml\"\n[identity]\nkey_file = \"{dir}/{name}.json\"\n\
                 password_file = \"{dir}/password.txt\"\n[mesh]\nlisten = [\"{listen}\"]\n\
                 [http]\nlisten = \"127.0.0.1:{port}\"\n"
            )
        };
        let any = &self.listen_address(0);
        self.write("bootstrap", &common("bootstrap", free_port(), bootstrap_address));
        for id in self.world.ids() {
            let (name, port) = (operator_name(id), free_port());
            let data = format!("data_dir = \"{dir}/{name}\"\n");
            let patience = "[ceremony]\nstep_timeout_ms = 2500\nask_ms = 250\nretry_max_ms = 500\n";
            self.write(&name, &format!("{data}{}{patience}", common(&name, port, any)));
            self.ready_urls.insert(name, format!("http://127.0.0.1:{port}/metrics"));
        }
        let service_port = free_port();
        self.service_url = format!("http://127.0.0.1:{service_port}");
        let data = format!("data_dir = \"{dir}/gateway\"\n");
        let service = format!("[service]\nurl = \"{}\"\nretry_max_ms = 1000\n", self.service_url);
        let patience = "[publish]\nquiet_ms = 1000\npull_ms = 500\n";
        self.write("gateway", &format!("{data}{}{service}{patience}", common("gateway", free_port(), any)));
        self.ready_urls.insert("service".to_owned(), format!("{}/v1/health", self.service_url));
        let service = format!(
            "listen = \"127.0.0.1:{service_port}\"\ndatabase_url = \"sqlite://{dir}/service.db\"\n\
             registry_file = \"{dir}/registry.toml\"\ncluster_pubkey = \"{}\"\n",
            self.world.gateway.public_key()
        );
        self.write("service", &service);
    }

    fn listen_address(&self, port: u16) -> String {
        match self.transport {
            Transport::Tcp => format!("/ip4/127.0.0.1/tcp/{port}"),
            Transport::Quic | Transport::Both => format!("/ip4/127.0.0.1/udp/{port}/quic-v1"),
        }
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.dir.join(format!("{name}.toml")), text).unwrap();
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for child in self.running.values_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A port that is free for TCP and UDP.
fn free_port() -> u16 {
    (0..100)
        .find_map(|_| {
            let tcp = std::net::TcpListener::bind("127.0.0.1:0").ok()?;
            let port = tcp.local_addr().ok()?.port();
            std::net::UdpSocket::bind(("127.0.0.1", port)).ok().map(|_| port)
        })
        .expect("a free port")
}
