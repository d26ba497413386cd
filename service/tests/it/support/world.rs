//! A running service with a clock that tests set, and everybody who calls it.

use super::{dealer, postgres};
use cluster_core::certificate::Certificate;
use cluster_core::committee::OperatorId;
use cluster_core::network::Network;
use cluster_core::registry::FileRegistry;
use cluster_core::request::{Request, SignedRequest};
use cluster_crypto::ethereum::{personal_message_digest, Address, WalletKey};
use cluster_crypto::identity;
use cluster_service::auth::{gateway::call_digest, legacy::login_message};
use cluster_service::{Clock, Config, RunningService};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{json, Value};
use std::collections::BTreeMap;

/// An arbitrary moment, Unix seconds.
pub const NOW_S: u64 = 1_790_000_000;

/// A database for one test, deleted at its end.
pub struct Database {
    pub url: String,
    _directory: Option<tempfile::TempDir>,
}

impl Database {
    pub fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("service.db").display());
        Self { url, _directory: Some(directory) }
    }

    pub async fn postgres() -> Self {
        Self { url: postgres::new_database().await, _directory: None }
    }
}

pub struct World {
    pub base: String,
    pub http: reqwest::Client,
    pub clock: Clock,
    pub operators: BTreeMap<OperatorId, identity::SecretKey>,
    pub gateways: Vec<identity::SecretKey>,
    /// Owners A, B and C.
    pub wallets: Vec<WalletKey>,
    pub config: Config,
    pub service: RunningService,
    database: Database,
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub content_type: String,
    pub text: String,
}

impl Answer {
    pub async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let status = response.status();
        let content_type = response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
        Self { status, content_type: content_type.unwrap_or_default(), text: response.text().await.unwrap() }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// Asserts a problem with this status; returns its field.
    #[track_caller]
    pub fn problem(&self, status: u16) -> String {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.content_type, "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert!(problem["type"].as_str().unwrap().starts_with("urn:cluster-node:problem:"));
        assert!(!problem["title"].as_str().unwrap().is_empty() && !problem["detail"].as_str().unwrap().is_empty());
        problem["field"].as_str().unwrap_or_default().to_owned()
    }

    /// Asserts a legacy success; returns its data.
    #[track_caller]
    pub fn data(&self) -> Value {
        assert_eq!((self.status, &self.json()["code"]), (StatusCode::OK, &json!(200)), "{}", self.text);
        self.json()["data"].clone()
    }

    /// Asserts a legacy failure; returns its code.
    #[track_caller]
    pub fn code(&self) -> u64 {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        let envelope = self.json();
        assert!(!envelope["message"].as_str().unwrap().is_empty());
        assert_eq!(envelope["data"], Value::Null);
        envelope["code"].as_u64().unwrap()
    }
}

impl World {
    pub async fn start(database: Database) -> Self {
        Self::start_with(database, |_| {}).await
    }

    /// Starts with a changed configuration.
    pub async fn start_with(database: Database, change: impl FnOnce(&mut Config)) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let operators: BTreeMap<_, _> =
            (1..=8).map(|at| (OperatorId(at * 10), identity::SecretKey::generate(&mut rng))).collect();
        let gateways: Vec<_> = (0..2).map(|_| identity::SecretKey::generate(&mut rng)).collect();
        let wallets = (0..3).map(|_| WalletKey::generate(&mut rng)).collect();
        let clock = Clock::manual(NOW_S * 1000);
        let mut config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            database_url: database.url.clone(),
            database_connections: 4,
            cluster_pubkey: Some(gateways[0].public_key()),
            rate_limit_per_second: 0,
            shutdown_grace_ms: 5_000,
            registry: Some(FileRegistry::parse(&registry_text(&operators, &gateways)).unwrap()),
            clock: clock.clone(),
            ..Config::default()
        };
        change(&mut config);
        let service = cluster_service::start(config.clone()).await.unwrap();
        let base = format!("http://{}", service.local_addr());
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { base, http, clock, operators, gateways, wallets, config, service, database }
    }

    /// Stops the service and starts it again on the same database.
    pub async fn restart(self) -> Self {
        let Self { service, config, database, http, clock, operators, gateways, wallets, .. } = self;
        service.shutdown().await;
        let service = cluster_service::start(config.clone()).await.unwrap();
        let base = format!("http://{}", service.local_addr());
        Self { base, http, clock, operators, gateways, wallets, config, service, database }
    }

    pub async fn shutdown(self) -> Database {
        self.service.shutdown().await;
        self.database
    }

    pub fn call(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.call(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.call(Method::POST, path).json(body)).await
    }

    /// A request of this wallet for operators 10, 20, 30 and 40.
    pub fn request(&self, wallet: usize, nonce: u64, validator_count: u32) -> Request {
        Request {
            chain_id: Network::Hoodi.chain_id(),
            owner: self.wallets[wallet].address(),
            cluster_pubkey: self.gateways[0].public_key(),
            operator_ids: [10, 20, 30, 40].map(OperatorId).to_vec(),
            validator_count,
            withdrawal_address: Address([0x11 * (wallet as u8 + 1); 20]),
            amount_gwei: 32_000_000_000,
            nonce,
            deadline: self.clock.now_s() + 3600,
            reshare: None,
        }
    }

    pub fn sign(&self, wallet: usize, request: Request) -> SignedRequest {
        let signature = self.wallets[wallet].sign_digest(&request.digest());
        SignedRequest::by_signature(request, signature)
    }

    pub fn signed(&self, wallet: usize, nonce: u64, validator_count: u32) -> SignedRequest {
        self.sign(wallet, self.request(wallet, nonce, validator_count))
    }

    pub async fn submit(&self, signed: &SignedRequest) -> Answer {
        self.post("/v1/requests", &serde_json::to_value(signed).unwrap()).await
    }

    pub fn certificate(&self, signed: &SignedRequest, seed: u64) -> Certificate {
        dealer::certificate(&self.operators, signed, seed)
    }

    /// A call signed by gateway number `gateway`.
    pub fn gateway_call(&self, gateway: usize, method: Method, path: &str, body: String) -> RequestBuilder {
        // The clock stands still: without this, equal calls of a test would be replays.
        self.clock.advance_ms(1);
        signed_call(self, &self.gateways[gateway], self.clock.now_ms(), method, path, body)
    }

    /// Until one poll of a gateway waits.
    pub async fn wait_for_poll(&self) {
        while !self.get("/metrics").await.text.contains("cluster_service_waiting_polls 1\n") {
            tokio::task::yield_now().await;
        }
    }

    pub async fn publish(&self, gateway: usize, certificate: &Certificate) -> Answer {
        let path = format!("/v1/gateway/ceremonies/{}", certificate.ceremony_id);
        let body = serde_json::to_string(certificate).unwrap();
        Answer::of(self.gateway_call(gateway, Method::PUT, &path, body)).await
    }

    pub async fn progress(&self, gateway: usize, ceremony_id: &str, report: Value) -> Answer {
        let path = format!("/v1/gateway/ceremonies/{ceremony_id}/progress");
        Answer::of(self.gateway_call(gateway, Method::POST, &path, report.to_string())).await
    }

    /// Logs a wallet in by EIP-4361; returns the session token.
    pub async fn login(&self, wallet: usize) -> String {
        let nonce = self.post("/v1/auth/nonce", &json!({})).await.json()["nonce"].as_str().unwrap().to_owned();
        let message = login_text(self, wallet, &nonce);
        let answer = self.post("/v1/auth/login", &self.signed_login(wallet, &message)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["token"].as_str().unwrap().to_owned()
    }

    pub fn signed_login(&self, wallet: usize, message: &str) -> Value {
        let signature = self.wallets[wallet].sign_digest(&personal_message_digest(message.as_bytes()));
        json!({ "message": message, "signature": signature })
    }

    pub async fn get_as(&self, token: &str, path: &str) -> Answer {
        Answer::of(self.call(Method::GET, path).bearer_auth(token)).await
    }

    /// The login headers of existing apps.
    pub fn legacy_headers(&self, wallet: usize) -> [(&'static str, String); 3] {
        let owner = self.wallets[wallet].address().to_string();
        let deadline_s = self.clock.now_s() + 86_400;
        let message = login_message(&owner, deadline_s).unwrap();
        let signature = self.wallets[wallet].sign_digest(&personal_message_digest(message.as_bytes()));
        let signature = format!("0x{}", hex::encode(signature.to_bytes()));
        [("v-signature", signature), ("v-owner", owner), ("v-deadline", deadline_s.to_string())]
    }

    pub async fn legacy(&self, wallet: usize, method: Method, path: &str, body: &Value) -> Answer {
        let mut call = self.call(method, path).json(body);
        for (name, value) in self.legacy_headers(wallet) {
            call = call.header(name, value);
        }
        Answer::of(call).await
    }
}

/// A call with a gateway's headers, whatever they hold.
pub fn signed_call(
    world: &World,
    key: &identity::SecretKey,
    timestamp_ms: u64,
    method: Method,
    path: &str,
    body: String,
) -> RequestBuilder {
    let signature = key.sign(&call_digest(method.as_str(), path, timestamp_ms, body.as_bytes()));
    world
        .call(method, path)
        .header("x-cluster-pubkey", key.public_key().to_string())
        .header("x-cluster-timestamp", timestamp_ms.to_string())
        .header("x-cluster-signature", format!("0x{}", hex::encode(signature.to_bytes())))
        .body(body)
}

/// A correct EIP-4361 message.
pub fn login_text(world: &World, wallet: usize, nonce: &str) -> String {
    login_text_of(world, world.wallets[wallet].address(), nonce)
}

pub fn login_text_of(world: &World, address: Address, nonce: &str) -> String {
    let domain = world.base.strip_prefix("http://").unwrap();
    format!(
        "{domain} wants you to sign in with your Ethereum account:\n{address}\n\nSee your validators.\n\nURI: {}/\n\
         Version: 1\nChain ID: 560048\nNonce: {nonce}\nIssued At: {}\nExpiration Time: {}",
        world.base,
        rfc3339(world.clock.now_s()),
        rfc3339(world.clock.now_s() + 300),
    )
}

pub fn rfc3339(unix_s: u64) -> String {
    let time = time::OffsetDateTime::from_unix_timestamp(unix_s as i64).unwrap();
    time.format(&time::format_description::well_known::Rfc3339).unwrap()
}

fn registry_text(operators: &BTreeMap<OperatorId, identity::SecretKey>, gateways: &[identity::SecretKey]) -> String {
    let mut text = "network = \"hoodi\"\n".to_owned();
    for (id, key) in operators {
        let (verified, from_dao) = (id.0 % 20 == 0, id.0 == 10);
        text += &format!(
            "[[operators]]\nid = {id}\nname = \"Operator {id}\"\npublic_key = \"{}\"\nverified = {verified}\nfrom_dao = {from_dao}\n",
            key.public_key()
        );
    }
    for (at, key) in gateways.iter().enumerate() {
        text += &format!("[[gateways]]\nname = \"gateway-{at}\"\npublic_key = \"{}\"\n", key.public_key());
    }
    text
}
