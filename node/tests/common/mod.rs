//! A small network in one process, over loopback sockets: operators and a gateway with generated keys.

#![allow(dead_code)]

pub mod command;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use cluster_core::ceremony::CeremonyId;
use cluster_core::certificate::Certificate;
use cluster_core::committee::OperatorId;
use cluster_core::network::Network;
use cluster_core::registry::{BootstrapEntry, GatewayEntry, OperatorEntry, Registry};
use cluster_core::request::{Request, SignedRequest, DEPOSIT_AMOUNT_GWEI};
use cluster_crypto::ethereum::WalletKey;
use cluster_crypto::identity;
use cluster_net::info::Role;
use cluster_node::config::{ChainConfig, GatewayConfig, OperatorConfig};
use cluster_node::driver::Hooks;
use cluster_node::gateway::{self, GatewayHooks, RunningGateway};
use cluster_node::network::{Client, EventStream, NetworkConfig};
use cluster_node::operator::{self, Loaded, RunningOperator};
use cluster_node::service_client::now_ms;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// A registry whose addresses are filled in as nodes start on ports that the system chose.
#[derive(Default)]
pub struct LiveRegistry {
    operators: RwLock<BTreeMap<OperatorId, OperatorEntry>>,
    gateways: RwLock<Vec<GatewayEntry>>,
}

impl Registry for LiveRegistry {
    fn operator(&self, id: OperatorId) -> Option<OperatorEntry> {
        self.operators.read().unwrap().get(&id).cloned()
    }

    fn operators(&self) -> Vec<OperatorEntry> {
        self.operators.read().unwrap().values().cloned().collect()
    }

    fn gateways(&self) -> Vec<GatewayEntry> {
        self.gateways.read().unwrap().clone()
    }

    fn bootstraps(&self) -> Vec<BootstrapEntry> {
        Vec::new()
    }
}

pub struct World {
    pub registry: Arc<LiveRegistry>,
    pub keys: BTreeMap<OperatorId, identity::SecretKey>,
    pub gateway_key: identity::SecretKey,
    pub wallet: WalletKey,
    /// The contracts that nodes read; none unless a test sets them.
    pub chain: ChainConfig,
    /// Where operators listen for HTTP; nowhere unless a test sets it.
    pub http: String,
    pub dir: tempfile::TempDir,
}

impl World {
    /// Keys for operators 1 to n and a gateway; nothing runs yet.
    pub fn new(n: u32) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(u64::from(n));
        let keys: BTreeMap<_, _> =
            (1..=n).map(|id| (OperatorId(id), identity::SecretKey::generate(&mut rng))).collect();
        let gateway_key = identity::SecretKey::generate(&mut rng);
        let registry = LiveRegistry::default();
        for (id, key) in &keys {
            let entry = OperatorEntry {
                id: *id,
                name: format!("operator {id}"),
                public_key: key.public_key(),
                owner: None,
                verified: true,
                from_dao: false,
                fee_gwei: None,
                addresses: Vec::new(),
            };
            registry.operators.write().unwrap().insert(*id, entry);
        }
        let entry =
            GatewayEntry { name: "gateway".into(), public_key: gateway_key.public_key(), addresses: Vec::new() };
        registry.gateways.write().unwrap().push(entry);
        let wallet = WalletKey::generate(&mut rng);
        Self {
            registry: Arc::new(registry),
            keys,
            gateway_key,
            wallet,
            chain: ChainConfig::default(),
            http: String::new(),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub fn ids(&self) -> Vec<OperatorId> {
        self.keys.keys().copied().collect()
    }

    pub fn data_dir(&self, id: OperatorId) -> PathBuf {
        self.dir.path().join(format!("operator-{id}"))
    }

    /// Starts an operator and tells its address to the registry.
    pub async fn start_operator(&self, id: OperatorId, hooks: Hooks) -> RunningOperator {
        let mut config = OperatorConfig { data_dir: self.data_dir(id), ..OperatorConfig::default() };
        config.mesh.listen = vec!["/ip4/127.0.0.1/udp/0/quic-v1".into()];
        config.http.listen = self.http.clone();
        config.chain = self.chain.clone();
        // Short, so that a test of silent operators ends soon; only faults make these times pass.
        config.ceremony.step_timeout_ms = 2_000;
        config.ceremony.ask_ms = 200;
        config.ceremony.timeout_ms = 60_000;
        config.ceremony.retry_max_ms = 500;
        let running = operator::start_with(config, self.loaded(&self.keys[&id]), hooks).await.unwrap();
        let addresses = running.addresses().iter().map(ToString::to_string).collect();
        self.registry.operators.write().unwrap().get_mut(&id).unwrap().addresses = addresses;
        running
    }

    /// The mesh of an operator without the operator: the test answers for it.
    pub async fn start_mesh(&self, id: OperatorId) -> (Client, EventStream) {
        let registry = self.registry.clone();
        let mut config =
            NetworkConfig::new(self.keys[&id].clone(), Role::Operator, Network::Hoodi.chain_id(), registry);
        config.listen = vec!["/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap()];
        let (client, events) = cluster_node::network::Network::start(config).await.unwrap();
        let own = client.local_peer_id();
        let addresses =
            client.addresses().into_iter().map(|address| address.with_p2p(own).unwrap().to_string()).collect();
        self.registry.operators.write().unwrap().get_mut(&id).unwrap().addresses = addresses;
        (client, events)
    }

    pub async fn start_gateway(&self) -> RunningGateway {
        self.start_gateway_for("").await
    }

    /// A gateway of the service at `url`; none when empty.
    pub async fn start_gateway_for(&self, url: &str) -> RunningGateway {
        let mut config = GatewayConfig { data_dir: self.dir.path().join("gateway"), ..GatewayConfig::default() };
        config.mesh.listen = vec!["/ip4/127.0.0.1/udp/0/quic-v1".into()];
        config.http.listen = "127.0.0.1:0".into();
        config.publish.quiet_ms = 1_000;
        config.publish.pull_ms = 500;
        config.publish.performance_ms = 200;
        config.publish.upkeep_ms = 200;
        config.publish.operators_ms = 200;
        config.chain = self.chain.clone();
        config.service.url = url.into();
        config.service.poll_ms = 500;
        gateway::start_with(config, self.loaded(&self.gateway_key), GatewayHooks::default()).await.unwrap()
    }

    /// Lets running nodes see the addresses of those that started after them.
    pub async fn introduce(&self, operators: &BTreeMap<OperatorId, RunningOperator>, gateway: &RunningGateway) {
        for operator in operators.values() {
            operator.client().registry_changed().await;
        }
        gateway.client().registry_changed().await;
    }

    fn loaded(&self, key: &identity::SecretKey) -> Loaded {
        Loaded { identity: key.clone(), network: Network::Hoodi, registry: self.registry.clone(), reloadable: None }
    }

    pub fn request(&self, validators: u32, nonce: u64) -> SignedRequest {
        let request = Request {
            chain_id: Network::Hoodi.chain_id(),
            owner: self.wallet.address(),
            cluster_pubkey: self.gateway_key.public_key(),
            operator_ids: self.ids(),
            validator_count: validators,
            withdrawal_address: Network::Hoodi.lido_withdrawal_vault(),
            amount_gwei: DEPOSIT_AMOUNT_GWEI,
            nonce,
            deadline: now_ms() / 1000 + 600,
            reshare: None,
        };
        let signature = self.wallet.sign_digest(&request.digest());
        SignedRequest::by_signature(request, signature)
    }
}

/// Waits until the gateway's certificate has this many attestations.
pub async fn certificate_with(
    gateway: &RunningGateway,
    ceremony_id: CeremonyId,
    attestations: usize,
    patience: Duration,
) -> Certificate {
    let give_up = Instant::now() + patience;
    loop {
        if let Some(certificate) = gateway.certificate(ceremony_id).unwrap() {
            if certificate.attestations.len() >= attestations {
                return certificate;
            }
        }
        assert!(Instant::now() < give_up, "no certificate with {attestations} attestations after {patience:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Whether any file below `dir` contains `needle`.
pub fn any_file_contains(dir: &Path, needle: &[u8]) -> bool {
    std::fs::read_dir(dir).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return any_file_contains(&path, needle);
        }
        std::fs::read(&path).unwrap().windows(needle.len()).any(|window| window == needle)
    })
}
