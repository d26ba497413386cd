//! What browsers get: the app's page with its policy, its configuration, and sessions in a cookie.

use crate::support::world::{login_text, Answer};
use crate::support::{on_both_databases, Database, World};
use cluster_service::StartError;
use reqwest::header::{HeaderMap, ACCEPT, CONTENT_SECURITY_POLICY, COOKIE, SET_COOKIE};
use reqwest::{Method, Response};
use serde_json::{json, Value};

const HTML: &str = "text/html,application/xhtml+xml,*/*;q=0.8";

async fn log_in(world: &World, wallet: usize, edit: impl Fn(String) -> String) -> Response {
    let nonce = world.post("/v1/auth/nonce", &json!({})).await.json()["nonce"].as_str().unwrap().to_owned();
    let message = edit(login_text(world, wallet, &nonce));
    let call = world.call(Method::POST, "/v1/auth/session").json(&world.signed_login(wallet, &message));
    call.send().await.unwrap()
}

fn cookie_of(response: &Response) -> String {
    response.headers()[SET_COOKIE].to_str().unwrap().to_owned()
}

async fn session(world: &World, cookie: &str, site: Option<&str>) -> Value {
    let mut call = world.call(Method::GET, "/v1/auth/session").header(COOKIE, cookie);
    if let Some(site) = site {
        call = call.header("sec-fetch-site", site);
    }
    let answer = Answer::of(call).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

on_both_databases! {
    async fn a_browser_keeps_its_session_in_a_cookie_that_scripts_cannot_read(database: Database) {
        let world = World::start(database).await;
        let owner = world.wallets[1].address().to_string();
        let login = log_in(&world, 1, |message| message).await;
        assert_eq!(login.status(), 200);
        let set = cookie_of(&login);
        let (pair, attributes) = set.split_once("; ").unwrap();
        assert_eq!(attributes, "Path=/v1; Max-Age=86400; HttpOnly; SameSite=Strict");
        let body: Value = login.json().await.unwrap();
        assert_eq!(body["owner"], owner);
        assert!(!body.to_string().contains(pair.split_once('=').unwrap().1), "the token is in the cookie alone");
        let cookies = format!("other=1; {pair}");
        for site in [None, Some("same-origin"), Some("none")] {
            let held = session(&world, &cookies, site).await;
            assert_eq!((&held["owner"], &held["expires_at_ms"]), (&json!(owner), &body["expires_at_ms"]), "{site:?}");
        }
        for site in ["cross-site", "same-site"] {
            let held = session(&world, &cookies, Some(site)).await;
            assert_eq!(held, json!({ "owner": null, "expires_at_ms": null }), "{site}");
        }
        let list = world.call(Method::GET, "/v1/validators").header(COOKIE, &cookies);
        assert_eq!(Answer::of(list).await.status, 200);
        let foreign = world.call(Method::POST, "/v1/auth/logout").header(COOKIE, &cookies).header("sec-fetch-site", "cross-site");
        Answer::of(foreign).await.problem(401);
        let logout = world.call(Method::POST, "/v1/auth/logout").header(COOKIE, &cookies).send().await.unwrap();
        assert_eq!(logout.status(), 204);
        assert!(cookie_of(&logout).starts_with("cluster_session=; ") && cookie_of(&logout).contains("Max-Age=0"));
        assert_eq!(session(&world, &cookies, None).await["owner"], Value::Null);
        let ends = log_in(&world, 1, |message| message).await;
        let pair = cookie_of(&ends).split_once("; ").unwrap().0.to_owned();
        world.clock.advance_ms(24 * 3600 * 1000);
        assert_eq!(session(&world, &pair, None).await["owner"], Value::Null, "it has expired");
        world.shutdown().await;
    }
}

#[tokio::test]
async fn over_https_the_cookie_never_travels_in_clear() {
    let set_url = |config: &mut cluster_service::Config| config.public_urls = vec!["https://node.example".to_owned()];
    let world = World::start_with(Database::sqlite(), set_url).await;
    let host = world.base.strip_prefix("http://").unwrap().to_owned();
    let edit = |message: String| message.replace(&world.base, "https://node.example").replace(&host, "node.example");
    let login = log_in(&world, 0, edit).await;
    assert_eq!(login.status(), 200);
    assert!(cookie_of(&login).ends_with("; Secure"), "{}", cookie_of(&login));
    assert!(login.headers().contains_key("strict-transport-security"));
    world.shutdown().await;
}

#[tokio::test]
async fn a_wrong_signature_makes_no_session() {
    let world = World::start(Database::sqlite()).await;
    let stolen = log_in(&world, 0, |message| {
        message.replace(&world.wallets[0].address().to_string(), &world.wallets[1].address().to_string())
    })
    .await;
    assert_eq!(stolen.status(), 401);
    assert!(!stolen.headers().contains_key(SET_COOKIE));
    world.shutdown().await;
}

#[tokio::test]
async fn the_app_learns_its_network_gateway_and_node() {
    let world = World::start_with(Database::sqlite(), |config| {
        config.app_rpc_url = Some("https://rpc.example:8545/hoodi?key=1".to_owned());
        config.app_explorer_url = Some("https://explorer.example".to_owned());
    })
    .await;
    let config = world.get("/v1/app-config").await.json();
    assert_eq!(config["network"], "hoodi");
    assert_eq!(config["chain_id"], 560_048);
    assert_eq!(config["fork_version"], "0x10000910");
    assert_eq!(config["cluster_pubkey"], world.gateways[0].public_key().to_string());
    assert_eq!(config["rpc_url"], "https://rpc.example:8545/hoodi?key=1");
    assert_eq!(config["explorer_url"], "https://explorer.example");
    assert_eq!(config["lido_withdrawal_vault"], "0x4473dCDDbf77679A643BdB654dbd86D67F8d32f2");
    let page = get_page(&world, "/").await;
    let policy = page.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    assert!(policy.contains("connect-src 'self' https://rpc.example:8545;"), "{policy}");
    world.shutdown().await;
}

#[tokio::test]
async fn a_url_that_is_none_is_refused_at_the_start() {
    for wrong in ["rpc.example", "ftp://rpc.example", "https://rpc.example'; script-src *", "https://"] {
        let database = Database::sqlite();
        let world = World::start(Database::sqlite()).await;
        let config = cluster_service::Config {
            database_url: database.url.clone(),
            app_rpc_url: Some(wrong.to_owned()),
            ..world.config.clone()
        };
        let refused = cluster_service::start(config).await;
        assert!(matches!(refused, Err(StartError::AppUrl { field: "app_rpc_url", .. })), "{wrong}");
        world.shutdown().await;
    }
}

/// The relay is opened in the policy only while somebody configured it, and nothing but its origin.
#[tokio::test]
async fn the_app_learns_the_relay_for_wallets_on_phones() {
    let world = World::start(Database::sqlite()).await;
    assert_eq!(world.get("/v1/app-config").await.json()["walletconnect"], Value::Null);
    let policy = get_page(&world, "/").await.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    assert!(policy.contains("connect-src 'self';"), "{policy}");
    world.shutdown().await;
    let world = World::start_with(Database::sqlite(), |config| {
        config.app_rpc_url = Some("https://rpc.example".to_owned());
        config.app_walletconnect_project_id = Some("0123456789abcdef".to_owned());
        config.app_walletconnect_relay_url = "wss://Relay.example:8443/v2?x=1".to_owned();
    })
    .await;
    let config = world.get("/v1/app-config").await.json();
    let expected = json!({ "project_id": "0123456789abcdef", "relay_url": "wss://Relay.example:8443/v2?x=1" });
    assert_eq!(config["walletconnect"], expected);
    let policy = get_page(&world, "/").await.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    assert!(policy.contains("connect-src 'self' https://rpc.example wss://relay.example:8443;"), "{policy}");
    world.shutdown().await;
}

#[tokio::test]
async fn wrong_settings_of_the_relay_are_refused_at_the_start() {
    let world = World::start(Database::sqlite()).await;
    let database = Database::sqlite();
    let good = cluster_service::Config {
        database_url: database.url.clone(),
        app_rpc_url: Some("https://rpc.example".to_owned()),
        app_walletconnect_project_id: Some("0123".to_owned()),
        ..world.config.clone()
    };
    type Change = fn(&mut cluster_service::Config);
    let table: [(&str, Change); 6] = [
        ("project_id", |config| config.app_walletconnect_project_id = Some("a b".to_owned())),
        ("project_id", |config| config.app_walletconnect_project_id = Some(String::new())),
        ("project_id", |config| config.app_rpc_url = None),
        ("relay_url", |config| config.app_walletconnect_relay_url = "https://relay.example".to_owned()),
        ("relay_url", |config| config.app_walletconnect_relay_url = "wss://".to_owned()),
        ("relay_url", |config| config.app_walletconnect_relay_url = "wss://a; script-src *".to_owned()),
    ];
    for (expected, change) in table {
        let mut config = good.clone();
        change(&mut config);
        let refused = cluster_service::start(config).await;
        assert!(matches!(refused, Err(StartError::WalletConnect { field, .. }) if field == expected), "{expected}");
    }
    world.shutdown().await;
}

async fn get_page(world: &World, path: &str) -> Response {
    world.call(Method::GET, path).header(ACCEPT, HTML).send().await.unwrap()
}

fn is_fenced(headers: &HeaderMap) -> bool {
    headers["x-content-type-options"] == "nosniff"
        && headers["x-frame-options"] == "DENY"
        && headers["referrer-policy"] == "no-referrer"
        && headers["cross-origin-opener-policy"] == "same-origin"
        && headers.contains_key(CONTENT_SECURITY_POLICY)
}

#[tokio::test]
async fn browsers_get_the_page_on_every_route_of_the_app_and_nobody_else_does() {
    let world = World::start(Database::sqlite()).await;
    let mut nonces = Vec::new();
    for path in ["/", "/committee", "/ceremonies/0x12", "/index.html"] {
        let page = get_page(&world, path).await;
        assert!(is_fenced(page.headers()), "{path}");
        assert_eq!(page.headers()["cache-control"], "no-store", "{path}");
        let policy = page.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        for rule in ["default-src 'none';", "script-src 'self' 'wasm-unsafe-eval';", "frame-ancestors 'none'"] {
            assert!(policy.contains(rule), "{policy}");
        }
        let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap().to_owned();
        assert_eq!(nonce.len(), 32);
        let status = page.status();
        let html = page.text().await.unwrap();
        // Compiled before the app was built: said in words.
        let expected = if status == 200 { nonce.as_str() } else { "make app" };
        assert!(html.contains(expected) && !html.contains("__CSP_NONCE__"), "{status}: {html}");
        assert!(status == 200 || status == 503, "{status}");
        nonces.push(nonce);
    }
    nonces.dedup();
    assert_eq!(nonces.len(), 4, "every page has a nonce of its own");
    world.get("/committee").await.problem(404);
    for path in ["/v1/nothing", "/server/nothing", "/assets/missing.js"] {
        let answer = get_page(&world, path).await;
        assert!(is_fenced(answer.headers()));
        assert!(!answer.headers()["content-type"].to_str().unwrap().contains("html"), "{path}");
    }
    let posted = world.call(Method::POST, "/committee").header(ACCEPT, HTML);
    Answer::of(posted).await.problem(404);
    let api = world.call(Method::GET, "/v1/operators").header(ACCEPT, HTML).send().await.unwrap();
    assert_eq!((api.status().as_u16(), &api.headers()["content-type"]), (200, &"application/json".parse().unwrap()));
    assert!(is_fenced(api.headers()));
    world.shutdown().await;
}
