//! A gateway and its service: signed calls, an outbox that survives failures and restarts, incomplete before ready.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::IntoResponse;
use axum::Router;
use cluster_core::certificate::Certificate;
use cluster_core::committee::OperatorId;
use cluster_core::duty::SigningKind;
use cluster_core::request::SignedRequest;
use cluster_crypto::ethereum::Address;
use cluster_crypto::identity;
use cluster_net::info::{Source, Standing};
use cluster_net::performance;
use cluster_net::upkeep::{Exit, Registration, Relay, Upkeep, ValidatorUpkeep, CAPABILITY};
use cluster_node::driver::Hooks;
use cluster_node::gateway::RunningGateway;
use cluster_node::network::{Event, EventStream};
use cluster_node::service_client::{now_ms, signed_headers};
use common::World;
use tokio::sync::watch;

/// A stand-in for the service that records certificates and fails on demand.
#[derive(Clone, Default)]
struct Service {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    gateway: Option<identity::SecretKey>,
    requests: Vec<SignedRequest>,
    down: bool,
    refused_calls: usize,
    published: Vec<usize>,
    steps: Vec<(u32, String)>,
    performance: Vec<serde_json::Value>,
    upkeep: Vec<serde_json::Value>,
    /// As long as it has not heard of an operator, it refuses every report that names it.
    unknown_operator: Option<u64>,
    operators: Vec<serde_json::Value>,
    /// Questions of owners, each given out once.
    preflights: Vec<serde_json::Value>,
    findings: BTreeMap<String, serde_json::Value>,
}

impl Inner {
    fn take_operators(&mut self, report: &serde_json::Value) -> axum::response::Response {
        let heard = report["operators"].as_array().unwrap();
        if let Some(at) = heard.iter().position(|heard| heard["operator_id"].as_u64() == self.unknown_operator) {
            let field = format!("operators[{at}].operator_id");
            let problem =
                serde_json::json!({ "title": "A field is wrong", "detail": "no such operator", "field": field });
            return (StatusCode::UNPROCESSABLE_ENTITY, axum::Json(problem)).into_response();
        }
        self.operators.push(report.clone());
        StatusCode::NO_CONTENT.into_response()
    }
}

impl Service {
    async fn start(&self) -> String {
        let app = Router::new()
            .fallback(answer)
            .with_state(self.clone())
            .layer(axum::extract::DefaultBodyLimit::max(1 << 24));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        url
    }

    fn with<R>(&self, act: impl FnOnce(&mut Inner) -> R) -> R {
        act(&mut self.inner.lock().unwrap())
    }

    async fn until(&self, what: &str, reached: impl Fn(&Inner) -> bool) {
        let give_up = Instant::now() + Duration::from_secs(60);
        while !self.with(|inner| reached(inner)) {
            assert!(Instant::now() < give_up, "never saw: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn answer(
    State(service): State<Service>,
    method: Method,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> axum::response::Response {
    let path = uri.path_and_query().unwrap().as_str().to_owned();
    service.with(|inner| {
        let given = |name: &str| headers[name].to_str().unwrap().to_owned();
        let timestamp = given("x-cluster-timestamp").parse().unwrap();
        for (name, value) in signed_headers(inner.gateway.as_ref().unwrap(), &method, &path, &body, timestamp) {
            assert_eq!(given(name), value, "{name} of {method} {path}");
        }
        if inner.down {
            inner.refused_calls += 1;
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        if method == Method::GET && path.starts_with("/v1/gateway/preflights?") {
            let preflights = std::mem::take(&mut inner.preflights);
            return axum::Json(serde_json::json!({ "preflights": preflights })).into_response();
        }
        if let Some(id) = path.strip_prefix("/v1/gateway/preflights/") {
            inner.findings.insert(id.to_owned(), serde_json::from_slice(&body).unwrap());
            return StatusCode::NO_CONTENT.into_response();
        }
        if method == Method::GET {
            let cursor = if path.contains("after=1&") { 1 } else { 0 };
            let requests = &inner.requests[cursor.min(inner.requests.len())..];
            return axum::Json(serde_json::json!({ "cursor": "1", "requests": requests })).into_response();
        }
        if path == "/v1/gateway/performance" {
            inner.performance.push(serde_json::from_slice(&body).unwrap());
            return StatusCode::OK.into_response();
        }
        if path == "/v1/gateway/upkeep" {
            inner.upkeep.push(serde_json::from_slice(&body).unwrap());
            return StatusCode::OK.into_response();
        }
        if path == "/v1/gateway/operators" {
            return inner.take_operators(&serde_json::from_slice(&body).unwrap());
        }
        if method == Method::PUT {
            let certificate = Certificate::from_json(std::str::from_utf8(&body).unwrap()).unwrap();
            assert!(path.ends_with(&certificate.ceremony_id.to_string()));
            inner.published.push(certificate.attestations.len());
            return StatusCode::OK.into_response();
        }
        let report: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let step = report["step"].as_str().unwrap().to_owned();
        inner.steps.push((u32::try_from(report["operator_id"].as_u64().unwrap()).unwrap(), step));
        StatusCode::NO_CONTENT.into_response()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_service_missed_is_published_after_an_outage_and_a_crash_of_the_gateway() {
    let world = World::new(4);
    let absent = OperatorId(4);
    let mut operators = BTreeMap::new();
    for id in world.ids().into_iter().filter(|id| *id != absent) {
        operators.insert(id, world.start_operator(id, Hooks::default()).await);
    }
    let service = Service::default();
    service.with(|inner| {
        inner.gateway = Some(world.gateway_key.clone());
        inner.requests.push(world.request(1, 1));
    });
    let url = service.start().await;
    let gateway = world.start_gateway_for(&url).await;
    world.introduce(&operators, &gateway).await;
    let ceremony_id = world.request(1, 1).ceremony_id();

    // The request came from the poll; progress is reported while the ceremony runs.
    service.until("progress", |inner| inner.steps.iter().any(|(_, step)| step == "commit")).await;
    // The service goes down; the certificate of three waits in the outbox, and the gateway dies with it there.
    service.with(|inner| inner.down = true);
    let certificate = common::certificate_with(&gateway, ceremony_id, 3, Duration::from_secs(60)).await;
    assert_eq!(certificate.attestations.len(), 3);
    gateway.kill().await;
    service.with(|inner| inner.down = false);

    let gateway = world.start_gateway_for(&url).await;
    world.introduce(&operators, &gateway).await;
    service.until("the incomplete certificate", |inner| inner.published.contains(&3)).await;
    // The absent operator comes back: the same ceremony is published again, complete.
    operators.insert(absent, world.start_operator(absent, Hooks::default()).await);
    world.introduce(&operators, &gateway).await;
    service.until("the complete certificate", |inner| inner.published.contains(&4)).await;
    gateway.shutdown().await;

    // A further start finds nothing left to do.
    let published = service.with(|inner| inner.published.len());
    let gateway = world.start_gateway_for(&url).await;
    assert_eq!(gateway.stats().following, 0);
    assert_eq!(service.with(|inner| inner.published.len()), published);
    gateway.shutdown().await;
    for operator in operators.into_values() {
        operator.shutdown().await;
    }
}

/// A service that was away until the gateway had called it in vain; with its URL.
async fn after_failed_calls(world: &World) -> (Service, String, RunningGateway) {
    let service = Service::default();
    service.with(|inner| {
        inner.gateway = Some(world.gateway_key.clone());
        inner.down = true;
    });
    let url = service.start().await;
    let gateway = world.start_gateway_for(&url).await;
    service.until("a call that failed", |inner| inner.refused_calls > 3).await;
    service.with(|inner| inner.down = false);
    (service, url, gateway)
}

/// An operator that performed its duties in epochs 0 to 4, or says that nobody but itself did.
async fn say(mut events: EventStream, lies: bool) {
    while let Some(event) = events.next().await {
        let Event::Performance { request: performance::Request::Since { epoch }, responder, .. } = event else {
            continue;
        };
        let duty = |submitted| performance::KindReport {
            kind: SigningKind::Attestation,
            expected: 1,
            submitted,
            misses: (submitted == 0).then_some((performance::Reason::Slashable, 1)).into_iter().collect(),
        };
        let report = |epoch| performance::Report {
            epoch,
            start_ms: epoch * 1_000,
            committee: (1..=4).map(OperatorId).collect(),
            exchanges: 9,
            seen: if lies { vec![0, 0, 0, 9] } else { vec![9, 9, 9, 8] },
            validators: vec![performance::ValidatorReport { pubkey: [7; 48], duties: vec![duty(u32::from(!lies))] }],
        };
        // Two epochs in an answer.
        let reports: Vec<_> = (epoch..5.min(epoch + 2)).map(report).collect();
        let next = epoch.max(5.min(epoch + 2));
        responder.respond(performance::Response::Page(performance::Page { reports, next }));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn performance_is_published_as_most_operators_saw_it_and_again_after_a_crash() {
    let world = World::new(4);
    let mut clients = Vec::new();
    for id in world.ids() {
        let (client, events) = world.start_mesh(id).await;
        clients.push(client);
        tokio::spawn(say(events, id == OperatorId(4)));
    }
    let (service, url, gateway) = after_failed_calls(&world).await;
    let told_of_all = |inner: &Inner| {
        (0..5).all(|epoch| inner.performance.iter().any(|told| told["epoch"] == epoch && told["reports"] == 4))
    };
    service.until("every epoch, of all four", told_of_all).await;
    let expected = serde_json::json!({
        "operators": [
            { "operator_id": 1, "seen": 9 },
            { "operator_id": 2, "seen": 9 },
            { "operator_id": 3, "seen": 9 },
            { "operator_id": 4, "seen": 8 },
        ],
        "validators": [{
            "pubkey": format!("0x{}", "07".repeat(48)),
            "duties": [{ "kind": "attestation", "expected": 1, "submitted": 1, "misses": {} }],
        }],
    });
    let check = |inner: &mut Inner| {
        for told in &inner.performance {
            assert_eq!((&told["operators"], &told["validators"]), (&expected["operators"], &expected["validators"]));
            assert_eq!(told["start_ms"], told["epoch"].as_u64().unwrap() * 1_000);
            assert!(told["reports"].as_u64().unwrap() >= 3, "a threshold at least: {told}");
        }
    };
    service.with(check);
    gateway.kill().await;
    // What was in memory only is asked for again, and the same is published.
    service.with(|inner| inner.performance.clear());
    let gateway = world.start_gateway_for(&url).await;
    service.until("every epoch once more", told_of_all).await;
    service.with(check);
    gateway.shutdown().await;
    for client in clients {
        client.shutdown().await;
    }
}

/// An operator with many validators that says what the sender holds.
async fn say_upkeep(mut events: EventStream, now: watch::Receiver<Upkeep>, unchanged: Arc<AtomicUsize>) {
    while let Some(event) = events.next().await {
        let Event::Performance { request, responder, .. } = event else { continue };
        let upkeep = now.borrow().clone();
        responder.respond(match request {
            performance::Request::Upkeep { known } if known == Some(upkeep.revision) => {
                unchanged.fetch_add(1, Ordering::Relaxed);
                performance::Response::Unchanged
            }
            performance::Request::Upkeep { .. } => performance::Response::Upkeep(upkeep),
            performance::Request::Since { .. } => performance::Response::Busy,
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_hears_from_each_operator_how_registrations_and_exits_stand() {
    let world = World::new(4);
    let validator = |at: u16, relay, exit| {
        let mut pubkey = [0; 48];
        pubkey[..2].copy_from_slice(&at.to_be_bytes());
        ValidatorUpkeep { pubkey, relay, exit }
    };
    let held = Registration { epoch: 7, fee_recipient: Address([0xab; 20]), gas_limit: 60_000_000 };
    let registered = (0..501).map(|at| validator(at, Relay::Registered(held), Exit::None)).collect();
    let unchanged = Arc::new(AtomicUsize::new(0));
    let (sender, now) = watch::channel(Upkeep { revision: 1, validators: registered });
    let mut clients = Vec::new();
    for id in world.ids() {
        let (client, events) = world.start_mesh(id).await;
        // One speaks an older release, which would not understand the question.
        if id != OperatorId(2) {
            client.set_capabilities(vec![CAPABILITY.to_owned()]);
        }
        clients.push(client);
        tokio::spawn(say_upkeep(events, now.clone(), Arc::clone(&unchanged)));
    }
    let (service, _, gateway) = after_failed_calls(&world).await;
    let lengths = |inner: &Inner, id: u64| {
        let calls = inner.upkeep.iter().filter(|told| told["operator_id"] == id);
        calls.map(|told| told["validators"].as_array().unwrap().len()).collect::<Vec<_>>()
    };
    // In parts that the service takes.
    service.until("what three say", |inner| [1, 3, 4].iter().all(|id| lengths(inner, *id) == [500, 1])).await;
    service.with(|inner| {
        assert_eq!(lengths(inner, 2), Vec::<usize>::new());
        let expected = serde_json::json!({
            "pubkey": format!("0x01f4{}", "00".repeat(46)),
            "relay": { "state": "registered", "epoch": 7, "fee_recipient": format!("0x{}", "ab".repeat(20)), "gas_limit": 60_000_000 },
            "exit": "none",
        });
        assert_eq!(inner.upkeep.iter().find(|told| told["validators"].as_array().unwrap().len() == 1).unwrap()["validators"][0], expected);
        inner.upkeep.clear();
    });
    // Nothing is told again until it changes.
    let asked = unchanged.load(Ordering::Relaxed);
    service.until("two more rounds", |_| unchanged.load(Ordering::Relaxed) >= asked + 6).await;
    service.with(|inner| assert_eq!(inner.upkeep, Vec::<serde_json::Value>::new()));
    sender.send(Upkeep { revision: 2, validators: vec![validator(9, Relay::Off, Exit::Signed)] }).unwrap();
    service.until("what changed", |inner| [1, 3, 4].iter().all(|id| lengths(inner, *id) == [1])).await;
    service.with(|inner| {
        let told = &inner.upkeep[0]["validators"][0];
        assert_eq!(
            (&told["relay"], &told["exit"]),
            (&serde_json::json!({ "state": "off" }), &serde_json::json!("signed"))
        );
    });
    gateway.shutdown().await;
    for client in clients {
        client.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_hears_who_is_alive_and_what_it_runs() {
    let world = World::new(4);
    let mut clients = BTreeMap::new();
    for id in world.ids() {
        clients.insert(id, world.start_mesh(id).await);
    }
    let service = Service::default();
    service.with(|inner| {
        inner.gateway = Some(world.gateway_key.clone());
        // It reads the contracts more slowly than the gateway does.
        inner.unknown_operator = Some(2);
    });
    let url = service.start().await;
    let began = now_ms();
    let gateway = world.start_gateway_for(&url).await;
    let ids = |told: &serde_json::Value| {
        let heard = told["operators"].as_array().unwrap();
        heard.iter().map(|heard| heard["operator_id"].as_u64().unwrap()).collect::<BTreeSet<_>>()
    };
    let told = |inner: &Inner, wanted: &[u64]| {
        inner.operators.last().is_some_and(|last| ids(last) == wanted.iter().copied().collect())
    };
    service.until("the others, without the unknown one", |inner| told(inner, &[1, 3, 4])).await;
    service.with(|inner| inner.unknown_operator = None);
    service.until("all four", |inner| told(inner, &[1, 2, 3, 4])).await;
    service.with(|inner| {
        for heard in inner.operators.iter().flat_map(|told| told["operators"].as_array().unwrap()) {
            assert_eq!(heard["version"], env!("CARGO_PKG_VERSION"));
            let seen = heard["last_seen_ms"].as_u64().unwrap();
            assert!((began..=now_ms()).contains(&seen), "{seen}");
        }
    });
    // Who is gone is not said to be there.
    let (gone, _) = clients.remove(&OperatorId(3)).unwrap();
    gone.shutdown().await;
    service.until("the three that are left", |inner| told(inner, &[1, 2, 4])).await;
    gateway.shutdown().await;
    for (client, _) in clients.into_values() {
        client.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_answers_owners_who_ask_whether_a_committee_is_fit() {
    let world = World::new(4);
    let mut clients = BTreeMap::new();
    for id in world.ids().into_iter().filter(|id| *id != OperatorId(3)) {
        clients.insert(id, world.start_mesh(id).await);
    }
    let behind = Standing::Behind.capability(Source::Chain).to_owned();
    clients[&OperatorId(2)].0.set_capabilities(vec![behind, Standing::Ready.capability(Source::Beacon).to_owned()]);
    let service = Service::default();
    let question = |id: &str, operators: [u32; 4]| serde_json::json!({ "preflight_id": id, "operator_ids": operators });
    service.with(|inner| {
        inner.gateway = Some(world.gateway_key.clone());
        // What is no committee is not looked at.
        inner.preflights = vec![question("0xbad", [1, 1, 2, 4]), question("0xgood", [1, 2, 3, 4])];
    });
    let gateway = world.start_gateway_for(&service.start().await).await;
    service.until("what was found", |inner| inner.findings.contains_key("0xgood")).await;
    let found = service.with(|inner| {
        assert!(!inner.findings.contains_key("0xbad"));
        inner.findings["0xgood"]["operators"].as_array().unwrap().clone()
    });
    assert_eq!(found.iter().map(|one| one["operator_id"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let [fit, behind, away, _] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((&fit["reachable"], &fit["problems"]), (&serde_json::json!(true), &serde_json::json!([])));
    assert_eq!(
        (&fit["version"], &fit["chain"]),
        (&serde_json::json!(env!("CARGO_PKG_VERSION")), &serde_json::Value::Null)
    );
    assert!(fit["clock_skew_ms"].as_i64().unwrap().abs() < 5_000 && fit["round_trip_ms"].is_u64());
    assert!(fit["protocols"].as_array().unwrap().iter().any(|range| range["protocol"] == "dkg"));
    assert_eq!((&behind["chain"], &behind["beacon"]), (&serde_json::json!("behind"), &serde_json::json!("ready")));
    assert!(behind["problems"][0].as_str().unwrap().contains("behind in reading the contracts"));
    assert_eq!((&away["reachable"], &away["version"]), (&serde_json::json!(false), &serde_json::Value::Null));
    assert!(away["problems"][0].as_str().unwrap().starts_with("not reachable"));
    gateway.shutdown().await;
    for (client, _) in clients.into_values() {
        client.shutdown().await;
    }
}
