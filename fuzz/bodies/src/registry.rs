//! The registry file, TOML or JSON.

use cluster_core::registry::{FileRegistry, Registry};

use crate::world::world;

/// Parses the text; what is accepted answers questions.
pub fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match FileRegistry::parse(text) {
        Ok(registry) => {
            for entry in registry.operators() {
                assert_eq!(registry.operator(entry.id).map(|found| found.public_key), Some(entry.public_key));
            }
            let _ = (registry.gateways(), registry.bootstraps());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A registry with an entry of every kind.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut keys = world().identities.values().map(|identity| identity.public_key().to_string());
    let mut key = || keys.next().unwrap_or_default();
    let text = format!(
        "network = \"hoodi\"\n[[operators]]\nid = 7\nname = \"one\"\npublic_key = \"{}\"\n\
         owner = \"0x5FbDB2315678afecb367f032d93F642f64180aa3\"\nverified = true\nfee_gwei = 5\n\
         addresses = [\"/ip4/127.0.0.1/tcp/7900\"]\n[[operators]]\nid = 9\nname = \"two\"\npublic_key = \"{}\"\n\
         addresses = []\n[[gateways]]\nname = \"gateway\"\npublic_key = \"{}\"\naddresses = []\n[[bootstraps]]\n\
         public_key = \"{}\"\naddresses = [\"/dns4/boot.example/udp/7900/quic-v1\"]\n",
        key(),
        key(),
        key(),
        key()
    );
    let json = toml::from_str::<serde_json::Value>(&text).map(|value| value.to_string()).unwrap_or_default();
    vec![text.into_bytes(), json.into_bytes()]
}
