//! EIP-4361 login: what is accepted, and every single thing that is not.

use crate::support::world::{login_text, rfc3339, Answer};
use crate::support::{on_both_databases, Database, World};
use reqwest::Method;
use serde_json::json;

async fn nonce(world: &World) -> String {
    world.post("/v1/auth/nonce", &json!({})).await.json()["nonce"].as_str().unwrap().to_owned()
}

async fn login(world: &World, wallet: usize, message: &str) -> Answer {
    world.post("/v1/auth/login", &world.signed_login(wallet, message)).await
}

on_both_databases! {
    async fn sessions_begin_end_and_expire(database: Database) {
        let world = World::start(database).await;
        let (first, second) = (world.login(0).await, world.login(0).await);
        assert_ne!(first, second);
        assert_eq!(world.get_as(&first, "/v1/validators").await.status, 200);
        let logout = world.call(Method::POST, "/v1/auth/logout").bearer_auth(&first);
        assert_eq!(Answer::of(logout).await.status, 204);
        world.get_as(&first, "/v1/validators").await.problem(401);
        let world = world.restart().await;
        assert_eq!(world.get_as(&second, "/v1/validators").await.status, 200, "sessions survive a restart");
        world.clock.advance_ms(24 * 3600 * 1000 - 1);
        assert_eq!(world.get_as(&second, "/v1/validators").await.status, 200);
        world.clock.advance_ms(1);
        world.get_as(&second, "/v1/validators").await.problem(401);
        world.shutdown().await;
    }

    async fn a_nonce_works_once_and_for_five_minutes(database: Database) {
        let world = World::start(database).await;
        let message = login_text(&world, 0, &nonce(&world).await);
        assert_eq!(login(&world, 0, &message).await.status, 200);
        assert_eq!(login(&world, 0, &message).await.problem(401), "nonce");
        let fresh = nonce(&world).await;
        let stolen = login_text(&world, 0, &fresh);
        assert_eq!(login(&world, 1, &stolen).await.problem(401), "signature", "signed by another wallet");
        assert_eq!(login(&world, 0, &stolen).await.status, 200, "a failed login does not use the nonce up");
        let late = nonce(&world).await;
        world.clock.advance_ms(5 * 60 * 1000);
        assert_eq!(login(&world, 0, &login_text(&world, 0, &late)).await.problem(401), "nonce");
        assert_eq!(login(&world, 0, &login_text(&world, 0, "0123456789abcdef")).await.problem(401), "nonce");
        // Many at once: exactly one gets through.
        let message = login_text(&world, 0, &nonce(&world).await);
        let answers = futures::future::join_all((0..8).map(|_| login(&world, 0, &message))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
        world.shutdown().await;
    }

    async fn messages_that_differ_from_the_grammar_or_the_service_are_refused(database: Database) {
        let world = World::start(database).await;
        let now_s = world.clock.now_s();
        let nonce = nonce(&world).await;
        let good = login_text(&world, 0, &nonce);
        let base = world.base.clone();
        let domain = base.strip_prefix("http://").unwrap().to_owned();
        let address = world.wallets[0].address().to_string();
        let expiration = format!("\nExpiration Time: {}", rfc3339(now_s + 300));
        let issued = format!("Issued At: {}", rfc3339(now_s));
        let at = |seconds: i64| format!("Issued At: {}", rfc3339((now_s as i64 + seconds) as u64));
        let edit = |from: &str, to: &str| {
            assert!(good.contains(from), "{from}");
            good.replacen(from, to, 1)
        };
        let port = domain.rsplit(':').next().unwrap();
        let refused = [
            ("another domain", "domain", edit(&domain, "evil.example")),
            ("the same host with another port", "domain", edit(&domain, "127.0.0.1:1")),
            ("the domain with user information", "domain", edit(&domain, &format!("evil@{domain}"))),
            ("another scheme", "domain", format!("https://{good}")),
            ("another heading", "domain", edit("sign in", "log in")),
            ("an address in lower case", "address", edit(&address, &address.to_lowercase())),
            ("no address", "address", edit(&format!("{address}\n"), "")),
            ("no empty line after the address", "address", edit("\n\nSee", "\nSee")),
            ("a statement of two lines", "statement", edit("See your", "See\nyour")),
            ("another URI", "uri", edit(&format!("URI: {base}"), "URI: https://evil.example")),
            ("a URI whose host only begins like ours", "uri", edit(&format!("{base}/"), &format!("{base}.evil.example/"))),
            ("no URI", "uri", edit(&format!("URI: {base}/\n"), "")),
            ("version 2", "version", edit("Version: 1", "Version: 2")),
            ("another chain", "chain_id", edit("560048", "1")),
            ("a chain with a leading zero", "chain_id", edit("560048", "0560048")),
            ("a chain in words", "chain_id", edit("560048", "hoodi")),
            ("fields in another order", "version", edit("Version: 1\nChain ID: 560048", "Chain ID: 560048\nVersion: 1")),
            ("a nonce that is too short", "nonce", edit(&nonce, "abc1234")),
            ("a nonce with signs", "nonce", edit(&nonce, "abcd-1234-abcd")),
            ("issued in the future", "issued_at", edit(&issued, &at(301))),
            ("issued long ago", "issued_at", edit(&issued, &at(-601))),
            ("issued at no time", "issued_at", edit(&issued, "Issued At: today")),
            ("no time of issue", "issued_at", edit(&format!("{issued}\n"), "")),
            ("expired", "expiration_time", edit(&expiration, &format!("\nExpiration Time: {}", rfc3339(now_s)))),
            ("not valid yet", "not_before", format!("{good}\nNot Before: {}", rfc3339(now_s + 1))),
            ("an unknown field", "message", format!("{good}\nRole: admin")),
            ("a field twice", "message", format!("{good}{expiration}")),
            ("a line feed at the end", "message", format!("{good}\n")),
            ("a carriage return", "message", edit("\nURI", "\r\nURI")),
            ("resources that are no list", "resources", format!("{good}\nResources:\nhttps://example.com")),
            ("too many resources", "resources", format!("{good}\nResources:{}", "\n- https://example.com".repeat(17))),
            ("too long", "message", edit("See your validators.", &"x".repeat(5000))),
            ("nothing", "domain", String::new()),
            ("the port alone", "domain", edit(&domain, port)),
        ];
        for (description, field, message) in refused {
            assert_eq!(login(&world, 0, &message).await.problem(422), field, "{description}");
        }
        // Of any length: that of a contract wallet may be.
        for (signature, status) in [
            ("0x1".to_owned(), 422),
            ("11".repeat(65), 422),
            (format!("0x{}", "xy".repeat(65)), 422),
            ("0x12".to_owned(), 401),
            (format!("0x{}", "00".repeat(65)), 401),
            (format!("0x{}1b", "11".repeat(64)), 401),
        ] {
            let answer = world.post("/v1/auth/login", &json!({ "message": good, "signature": signature })).await;
            assert_eq!(answer.problem(status), "signature");
        }
        assert_eq!(world.post("/v1/auth/login", &json!({ "message": good })).await.problem(422), "signature");
        assert_eq!(world.post("/v1/auth/login", &json!({ "message": 1, "signature": "" })).await.problem(422), "message");
        // What the grammar allows besides the plain message.
        let allowed = [
            ("no statement", edit("\n\nSee your validators.\n\n", "\n\n\n")),
            ("a scheme", format!("http://{good}")),
            ("no expiration", edit(&expiration, "")),
            ("the skew of clocks", edit(&issued, &at(300))),
            ("request id and resources", format!("{good}\nNot Before: {}\nRequest ID: 7\nResources:\n- https://example.com", rfc3339(now_s))),
        ];
        for (description, message) in allowed {
            let used = crate::login::nonce(&world).await;
            let answer = login(&world, 0, &message.replace(&nonce, &used)).await;
            assert_eq!(answer.status, 200, "{description}: {}", answer.text);
        }
        world.shutdown().await;
    }

    async fn only_configured_origins_may_log_in(database: Database) {
        let urls = vec!["https://node.example".to_owned(), "http://localhost:8088".to_owned()];
        let world = World::start_with(database, |config| config.public_urls = urls).await;
        let given = world.post("/v1/auth/nonce", &json!({})).await.json();
        assert_eq!(given["origins"], json!(["https://node.example", "http://localhost:8088"]));
        assert_eq!(given["chain_id"], 560_048);
        let text = login_text(&world, 0, given["nonce"].as_str().unwrap());
        assert_eq!(login(&world, 0, &text).await.problem(422), "domain");
        let own = world.base.strip_prefix("http://").unwrap();
        let mixed = text.replace(&world.base, "http://localhost:8088").replacen(own, "node.example", 1);
        assert_eq!(login(&world, 0, &mixed).await.problem(422), "uri", "domain and URI name different origins");
        let proxied = text.replace(&world.base, "https://node.example").replacen(own, "node.example", 1);
        assert_eq!(login(&world, 0, &proxied).await.status, 200);
        world.shutdown().await;
    }
}
