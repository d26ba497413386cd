//! Login messages (EIP-4361).

use cluster_service::auth::siwe::{Expected, Message, Origin};

use crate::world::NOW_S;

const GENUINE: &str = "https://node.example wants you to sign in with your Ethereum account:\n\
    0x5FbDB2315678afecb367f032d93F642f64180aa3\n\nSign in.\n\nURI: https://node.example/login\nVersion: 1\n\
    Chain ID: 560048\nNonce: 32891757abc\nIssued At: 2026-09-21T14:13:20Z\n\
    Expiration Time: 2026-09-21T15:13:20.5+02:00\nNot Before: 2026-09-21T12:13:20Z\nRequest ID: 7\n\
    Resources:\n- https://node.example/a";

/// Parses and checks the text; what passes was made for this site and chain.
pub fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = text.parse::<Origin>().map(|origin| assert_eq!(origin.to_string().parse::<Origin>(), Ok(origin)));
    let origins: Vec<Origin> = "https://node.example".parse().into_iter().collect();
    match Message::parse(text) {
        Ok(message) => {
            let expected = Expected { origins: &origins, chain_id: 560_048, now_ms: NOW_S * 1000 };
            if message.check(expected).is_ok() {
                assert!(message.domain.eq_ignore_ascii_case("node.example") && message.chain_id == 560_048);
            }
        }
        Err(error) => assert!(!error.field.is_empty() && !error.detail.is_empty()),
    }
}

/// A message with every line, one with only those that must be there, and an origin.
pub fn seeds() -> Vec<Vec<u8>> {
    let short: Vec<&str> = GENUINE
        .lines()
        .filter(|line| !["Sign in.", "Expi", "Not B", "Requ", "Reso", "- "].iter().any(|start| line.starts_with(start)))
        .collect();
    vec![GENUINE.as_bytes().to_vec(), short.join("\n").into_bytes(), b"http://127.0.0.1:7777".to_vec()]
}
