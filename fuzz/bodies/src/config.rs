//! Configuration files of all programs, and `--set` of the node.

use cluster_bootstrap::config::FileConfig as BootstrapConfig;
use cluster_node::config::{GatewayConfig, OperatorConfig, Overrides, Validate, GATEWAY_EXAMPLE, OPERATOR_EXAMPLE};

/// Reads the text as each of them, and as a flag.
pub fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(config) = toml::from_str::<OperatorConfig>(text) {
        let _ = (config.validate(), config.ceremony.timing(), config.http.address());
    }
    let _ = toml::from_str::<GatewayConfig>(text).map(|config| config.validate());
    let _ = toml::from_str::<BootstrapConfig>(text).map(|config| config.http.address());
    let _ = toml::from_str::<cluster_service::Config>(text);
    let _ = Overrides::default().set(text);
}

/// The documented examples, and a flag.
pub fn seeds() -> Vec<Vec<u8>> {
    let examples = [
        OPERATOR_EXAMPLE,
        GATEWAY_EXAMPLE,
        cluster_bootstrap::config::EXAMPLE,
        cluster_service::config::EXAMPLE,
        "mesh.listen=[\"/ip4/127.0.0.1/tcp/0\"]",
    ];
    // Comments are no grammar worth mutating.
    let bare =
        |text: &str| text.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
    examples.into_iter().map(|text| bare(text).into_bytes()).collect()
}
