//! One owner never sees another's rows: every route, called by its owner, by another owner, and by nobody.
//!
//! The table below must name every path of the API's description and every legacy route: a new route without an
//! entry fails the test.

use crate::performance::{pubkeys, report};
use crate::preflights::{asked, findings, COMMITTEE};
use crate::support::world::Answer;
use crate::support::{on_both_databases, Database, World};
use crate::upkeep;
use cluster_core::certificate::Certificate;
use cluster_service::legacy::{PREFIXES, ROUTES};
use reqwest::{Method, RequestBuilder};
use serde_json::{json, Value};
use std::collections::BTreeSet;

/// Who may call a route, and what others get.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Access {
    /// Anybody, and nothing in it is an owner's.
    Public,
    /// A session. Others' data are left out of the answer (200) or do not exist (404).
    Session { others: u16 },
    /// A session; the same for everybody, and nothing in it is an owner's. Without a chain all get this status.
    AnySession { status: u16 },
    /// A registered gateway.
    Gateway,
    /// Login headers. Others get an empty answer (200) or this code.
    Headers { others: u64 },
}

struct Route {
    method: &'static str,
    /// As in the description.
    path: &'static str,
    access: Access,
    body: Value,
}

fn route(method: &'static str, path: &'static str, access: Access) -> Route {
    Route { method, path, access, body: json!({}) }
}

fn table(world: &World, certificate: &Certificate, next: &Certificate) -> Vec<Route> {
    use Access::{AnySession, Gateway, Headers, Public, Session};
    let pubkey = certificate.transcript.validators[0].pubkey.to_string();
    let filter = json!({ "pubkey": pubkey, "status": "", "generate_txid": "", "register_txid": "", "deposit_txid": "", "exit_txid": "" });
    let update = json!([{ "pubkey": pubkey, "action": "register", "txid": "" }]);
    let body = |route: Route, body: Value| Route { body, ..route };
    let progress = json!({ "operator_id": 10, "step": "deal", "at_ms": world.clock.now_ms() });
    let mut routes = vec![
        route("POST", "/v1/auth/nonce", Public),
        body(route("POST", "/v1/auth/login", Public), json!({ "message": "", "signature": "" })),
        body(route("POST", "/v1/auth/session", Public), json!({ "message": "", "signature": "" })),
        // Says who is logged in, so "nobody" is an answer.
        route("GET", "/v1/auth/session", Public),
        route("GET", "/v1/app-config", Public),
        body(route("POST", "/v1/requests", Public), serde_json::to_value(world.signed(0, 1, 2)).unwrap()),
        body(route("POST", "/v1/requests/typed-data", Public), serde_json::to_value(world.request(0, 1, 2)).unwrap()),
        route("GET", "/v1/operators", Public),
        route("GET", "/v1/operators/{operator_id}", Public),
        route("GET", "/v1/chain", Public),
        route("GET", "/v1/chain/quarantine", Public),
        route("GET", "/v1/csm/operators", AnySession { status: 503 }),
        route("GET", "/v1/csm/operators/{node_operator_id}", AnySession { status: 503 }),
        route("GET", "/v1/csm/operators/{node_operator_id}/keys", AnySession { status: 503 }),
        route("GET", "/v1/csm/plan?keys=1", AnySession { status: 503 }),
        body(route("POST", "/v1/csm/duplicates", AnySession { status: 503 }), json!({ "pubkeys": [pubkey] })),
        route("GET", "/v1/health", Public),
        route("GET", "/v1/openapi.json", Public),
        route("GET", "/v1/ceremonies", Session { others: 200 }),
        route("GET", "/v1/ceremonies/{ceremony_id}", Session { others: 404 }),
        route("GET", "/v1/ceremonies/{ceremony_id}/certificate", Session { others: 404 }),
        route("GET", "/v1/ceremonies/{ceremony_id}/deposit-data", Session { others: 404 }),
        route("GET", "/v1/ceremonies/{ceremony_id}/events", Session { others: 404 }),
        route("GET", "/v1/validators", Session { others: 200 }),
        route("GET", "/v1/validators/{pubkey}", Session { others: 404 }),
        route("GET", "/v1/validators/{pubkey}/upkeep", Session { others: 404 }),
        route("GET", "/v1/upkeep/totals", Session { others: 200 }),
        route("GET", "/v1/performance", Session { others: 200 }),
        route("GET", "/v1/performance/series?validator={pubkey}", Session { others: 404 }),
        route("GET", "/v1/performance/totals?validators={pubkey}", Session { others: 200 }),
        body(route("POST", "/v1/preflights", AnySession { status: 202 }), json!({ "operator_ids": COMMITTEE })),
        route("GET", "/v1/preflights/{preflight_id}", Session { others: 404 }),
        route("POST", "/v1/auth/logout", Session { others: 204 }),
        route("GET", "/v1/gateway/requests", Gateway),
        route("GET", "/v1/gateway/preflights", Gateway),
        body(route("PUT", "/v1/gateway/preflights/{preflight_id}", Gateway), findings()),
        body(route("PUT", "/v1/gateway/ceremonies/{ceremony_id}", Gateway), serde_json::to_value(next).unwrap()),
        body(route("POST", "/v1/gateway/ceremonies/{ceremony_id}/progress", Gateway), progress),
        body(route("PUT", "/v1/gateway/performance", Gateway), report(8, 3, 1, &[], 3)),
        body(
            route("PUT", "/v1/gateway/upkeep", Gateway),
            upkeep::report(10, &[pubkey], &json!({ "state": "off" }), "none"),
        ),
        body(route("PUT", "/v1/gateway/operators", Gateway), json!({ "operators": [] })),
    ];
    for (prefixed, bare) in
        [("/server/initiator/status", "/initiator/status"), ("/server/operator/query", "/operator/query")]
    {
        let method = if bare.ends_with("status") { "GET" } else { "POST" };
        let access = if method == "GET" { Public } else { Headers { others: 200 } };
        routes.extend([route(method, prefixed, access), route(method, bare, access)]);
    }
    for path in ["/server/operator/query_lido_csm", "/operator/query_lido_csm"] {
        routes.push(route("POST", path, Headers { others: 503 }));
    }
    for path in ["/server/initiator/bind/{owner}", "/initiator/bind/{owner}"] {
        routes.push(route("POST", path, Headers { others: 403 }));
    }
    for path in ["/server/validator/query", "/validator/query"] {
        routes.push(body(route("POST", path, Headers { others: 200 }), filter.clone()));
    }
    for path in ["/server/validator/update", "/validator/update"] {
        routes.push(body(route("POST", path, Headers { others: 404 }), update.clone()));
    }
    routes
}

/// Texts that only the owner may see, and that are not the caller's own words.
fn secrets(world: &World, certificate: &Certificate) -> Vec<String> {
    let mut secrets = vec![
        certificate.ceremony_id.to_string(),
        format!("{}", world.wallets[0].address()).to_lowercase(),
        certificate.transcript.request.request.withdrawal_address.to_string().to_lowercase(),
    ];
    for validator in &certificate.transcript.validators {
        secrets.push(validator.pubkey.to_string());
        secrets.push(validator.share_pubkeys[0].to_string());
        secrets.push(hex::encode(validator.deposit_signature.to_bytes()));
    }
    secrets.push(hex::encode(certificate.attestations[0].envelopes[0].to_bytes()));
    secrets
}

/// Answers without a name of anything: whether an owner's are there at all is what others must not learn.
const NAMELESS: [&str; 4] = [
    "/v1/auth/logout",
    "/v1/performance/series?validator={pubkey}",
    "/v1/preflights/{preflight_id}",
    "/v1/validators/{pubkey}/upkeep",
];

struct Caller<'a> {
    world: &'a World,
    preflight: &'a str,
    certificate: &'a Certificate,
    next: &'a Certificate,
}

impl Caller<'_> {
    fn request(&self, route: &Route) -> RequestBuilder {
        self.world.call(route.method.parse().unwrap(), &self.path(route)).body(route.body.to_string())
    }

    fn path(&self, route: &Route) -> String {
        // A gateway's calls are about the ceremony that is not finished yet.
        let certificate = if route.access == Access::Gateway { self.next } else { self.certificate };
        let owner = self.world.wallets[0].address().to_string();
        route
            .path
            .replace("{ceremony_id}", &certificate.ceremony_id.to_string())
            .replace("{pubkey}", &certificate.transcript.validators[0].pubkey.to_string())
            .replace("{operator_id}", "10")
            .replace("{node_operator_id}", "0")
            .replace("{preflight_id}", self.preflight)
            .replace("{owner}", &owner)
    }

    #[track_caller]
    fn assert_hides(&self, route: &Route, answer: &Answer) {
        let asked = (self.path(route) + &route.body.to_string()).to_lowercase();
        let told = answer.text.to_lowercase();
        for secret in secrets(self.world, self.certificate) {
            // Public calls with the owner's own signed request may name the ceremony that follows from it.
            let own_words = asked.contains(&secret)
                || (route.path.starts_with("/v1/requests") && secret == self.certificate.ceremony_id.to_string());
            assert!(own_words || !told.contains(&secret), "{} {} shows {secret}", route.method, route.path);
        }
    }
}

async fn check_session(caller: &Caller<'_>, route: &Route, others: u16) {
    let (a, b) = (caller.world.login(0).await, caller.world.login(1).await);
    let own = Answer::of(caller.request(route).bearer_auth(&a)).await;
    assert!(own.status.is_success(), "{} {}: {}", route.method, route.path, own.text);
    if !NAMELESS.contains(&route.path) {
        let shown = own.text.to_lowercase();
        assert!(
            secrets(caller.world, caller.certificate).iter().any(|secret| shown.contains(secret)),
            "{} shows nothing",
            route.path
        );
    }
    let other = Answer::of(caller.request(route).bearer_auth(&b)).await;
    assert_eq!(other.status.as_u16(), others, "{} {}", route.method, route.path);
    caller.assert_hides(route, &other);
    let mut strangers = vec![caller.request(route), caller.request(route).bearer_auth("00".repeat(32))];
    // Proofs of another kind do not open a session's route.
    let mut headers = caller.request(route);
    for (name, value) in caller.world.legacy_headers(0) {
        headers = headers.header(name, value);
    }
    strangers.push(headers);
    for stranger in strangers {
        let answer = Answer::of(stranger).await;
        answer.problem(401);
        caller.assert_hides(route, &answer);
    }
}

async fn check_any_session(caller: &Caller<'_>, route: &Route, status: u16) {
    for wallet in [0, 1] {
        let session = caller.world.login(wallet).await;
        let answer = Answer::of(caller.request(route).bearer_auth(session)).await;
        assert_eq!(answer.status.as_u16(), status, "{}: {}", route.path, answer.text);
        caller.assert_hides(route, &answer);
    }
    for stranger in [caller.request(route), caller.request(route).bearer_auth("00".repeat(32))] {
        Answer::of(stranger).await.problem(401);
    }
}

async fn check_headers(caller: &Caller<'_>, route: &Route, others: u64) {
    let world = caller.world;
    let method: Method = route.method.parse().unwrap();
    let path = caller.path(route);
    let own = world.legacy(0, method.clone(), &path, &route.body).await;
    assert!(own.json()["code"] == 200 || (others == 503 && own.json()["code"] == 503), "{path}: {}", own.text);
    let other = world.legacy(1, method, &path, &route.body).await;
    assert_eq!(other.json()["code"], others, "{path}: {}", other.text);
    if path.ends_with("validator/query") {
        assert_eq!(other.data(), json!([]));
    }
    caller.assert_hides(route, &other);
    let session = world.login(0).await;
    for stranger in [caller.request(route), caller.request(route).bearer_auth(session)] {
        let nobody = Answer::of(stranger).await;
        assert_eq!(nobody.code(), 401, "{path}");
        caller.assert_hides(route, &nobody);
    }
}

async fn check_gateway(caller: &Caller<'_>, route: &Route) {
    let world = caller.world;
    let method: Method = route.method.parse().unwrap();
    let session = world.login(0).await;
    for stranger in [caller.request(route), caller.request(route).bearer_auth(session)] {
        let answer = Answer::of(stranger).await;
        answer.problem(401);
        caller.assert_hides(route, &answer);
    }
    let body = if method == Method::GET { String::new() } else { route.body.to_string() };
    let answer = Answer::of(world.gateway_call(0, method, &caller.path(route), body)).await;
    assert!(answer.status.is_success(), "{} {}: {}", route.method, route.path, answer.text);
    // A gateway learns requests and what it published itself, never what another ceremony led to.
    caller.assert_hides(route, &answer);
}

on_both_databases! {
    async fn every_route_keeps_owners_apart(database: Database) {
        let world = World::start(database).await;
        let certificate = world.certificate(&world.signed(0, 1, 2), 1);
        assert_eq!(world.submit(&world.signed(0, 1, 2)).await.status, 202);
        assert_eq!(world.publish(0, &certificate).await.status, 201);
        let figures = report(7, 4, 9, &pubkeys(&certificate), 3);
        let put = world.gateway_call(0, Method::PUT, "/v1/gateway/performance", figures.to_string());
        assert_eq!(Answer::of(put).await.status, 200);
        // One that its owner registered, and that operators have not registered with relays.
        let update = json!([{ "pubkey": pubkeys(&certificate)[0], "action": "register", "txid": "" }]);
        world.legacy(0, Method::POST, "/validator/update", &update).await.data();
        let word = upkeep::report(10, &pubkeys(&certificate), &json!({ "state": "incomplete", "epoch": 7 }), "none");
        let put = world.gateway_call(0, Method::PUT, "/v1/gateway/upkeep", word.to_string());
        assert_eq!(Answer::of(put).await.json()["changed"], 2);
        // A ceremony of the third owner is still open, for the gateways' calls.
        let next = world.signed(2, 1, 1);
        assert_eq!(world.submit(&next).await.status, 202);
        let next = world.certificate(&next, 2);
        let routes = table(&world, &certificate, &next);
        assert_eq!(names(&routes), served(), "every route must stand in the table");
        let preflight = asked(&world, &world.login(0).await).await;
        let caller = Caller { world: &world, preflight: &preflight, certificate: &certificate, next: &next };
        for route in &routes {
            match route.access {
                Access::Public => {
                    let answer = Answer::of(caller.request(route)).await;
                    assert_ne!(answer.status.as_u16(), 401, "{}", route.path);
                    caller.assert_hides(route, &answer);
                }
                Access::AnySession { status } => check_any_session(&caller, route, status).await,
                Access::Session { others } => check_session(&caller, route, others).await,
                Access::Headers { others } => check_headers(&caller, route, others).await,
                Access::Gateway => check_gateway(&caller, route).await,
            }
        }
        let metrics = world.get("/metrics").await;
        caller.assert_hides(&route("GET", "/metrics", Access::Public), &metrics);
        world.shutdown().await;
    }
}

fn names(routes: &[Route]) -> BTreeSet<String> {
    let path = |route: &Route| route.path.split('?').next().unwrap_or_default().to_owned();
    routes.iter().map(|route| format!("{} {}", route.method, path(route))).collect()
}

/// Routes by the description of the API and the list of legacy routes, which are all that the router is built from.
fn served() -> BTreeSet<String> {
    let description: Value = serde_json::from_str(cluster_service::openapi_json()).unwrap();
    let mut served = BTreeSet::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            served.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    for prefix in PREFIXES {
        served.extend(ROUTES.iter().map(|(method, path)| format!("{method} {prefix}{path}")));
    }
    served
}
