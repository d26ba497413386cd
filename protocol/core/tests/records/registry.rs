use cluster_core::{
    committee::OperatorId,
    network::Network,
    registry::{FileRegistry, Registry, RegistryError, MAX_ADDRESSES},
};
use cluster_crypto::identity::SecretKey;

fn key(seed: u8) -> String {
    format!("0x{}", hex::encode(SecretKey::from_bytes(&[seed; 32]).unwrap().public_key().to_bytes()))
}

fn operator(id: u32, name: &str, key: &str, more: &str) -> String {
    format!("[[operators]]\nid = {id}\nname = \"{name}\"\npublic_key = \"{key}\"\n{more}\n")
}

fn parse(body: &str) -> Result<FileRegistry, RegistryError> {
    FileRegistry::parse(&format!("network = \"hoodi\"\n{body}"))
}

#[test]
fn toml_and_json_give_the_same_registry() {
    let toml = operator(
        2,
        "beta",
        &key(2),
        "owner = \"0x9b108015fe433F173696Af3Aa0CF7CDb3E104258\"\nverified = true\nfrom_dao = true\nfee_gwei = 5\naddresses = [\"/ip4/192.0.2.1/tcp/9000\"]",
    ) + &operator(1, "alpha", &key(1), "")
        + &format!("[[gateways]]\nname = \"gate\"\npublic_key = \"{}\"\naddresses = [\"/dns4/gate.example/udp/9/quic-v1\"]\n", key(3))
        + &format!("[[bootstraps]]\npublic_key = \"{}\"\naddresses = [\"/ip4/192.0.2.9/tcp/1\"]\n", key(4));
    let registry = parse(&toml).unwrap();
    assert_eq!(registry.network(), Network::Hoodi);
    let ids: Vec<_> = registry.operators().iter().map(|entry| entry.id).collect();
    assert_eq!(ids, [OperatorId(1), OperatorId(2)]);
    let beta = registry.operator(OperatorId(2)).unwrap();
    assert!(beta.verified && beta.from_dao && beta.fee_gwei == Some(5) && beta.owner.is_some());
    assert!(registry.operator(OperatorId(3)).is_none());
    let json = serde_json::json!({
        "network": "hoodi", "operators": registry.operators(), "gateways": registry.gateways(), "bootstraps": registry.bootstraps(),
    });
    let again = FileRegistry::parse(&json.to_string()).unwrap();
    assert_eq!(again.operators(), registry.operators());
    assert_eq!(again.gateways(), registry.gateways());
    assert_eq!(again.bootstraps(), registry.bootstraps());
}

#[test]
fn each_mistake_is_refused_and_names_the_entries() {
    let two = |first: &str, second: &str| parse(&format!("{first}{second}")).unwrap_err().to_string();
    let alpha = operator(1, "alpha", &key(1), "");
    assert!(two(&alpha, &operator(1, "beta", &key(2), "")).contains("\"alpha\" and \"beta\" both have the id 1"));
    assert!(two(&alpha, &operator(2, "beta", &key(1), "")).contains("operator 1 (alpha) and operator 2 (beta)"));
    let gateway = format!("[[gateways]]\nname = \"gate\"\npublic_key = \"{}\"\n", key(1));
    assert!(two(&alpha, &gateway).contains("operator 1 (alpha) and gateway gate"));
    assert!(two(&operator(0, "nil", &key(1), ""), &operator(0, "beta", &key(2), "")).contains("both have the id 0"));
    assert!(two(&alpha, &operator(2, "", &key(2), "")).contains("name"));
    assert!(two(&alpha, &operator(2, &"x".repeat(65), &key(2), "")).contains("name"));
    assert!(two(&alpha, &operator(2, "bell\\u0007", &key(2), "")).contains("name"));
    assert!(two(&alpha, &operator(2, "beta", &key(2), "addresses = [\"192.0.2.1\"]")).contains("operator 2 (beta)"));
    let many = format!("addresses = {:?}", vec!["/ip4/192.0.2.1/tcp/1"; MAX_ADDRESSES + 1]);
    assert!(two(&alpha, &operator(2, "beta", &key(2), &many)).contains("operator 2 (beta)"));
    assert!(two(&alpha, &operator(2, "beta", "0x02", "")).contains("registry cannot be read"));
    assert!(two(&alpha, &operator(2, "beta", &key(2), "colour = \"red\"")).contains("colour"));
    assert!(FileRegistry::parse("network = \"ropsten\"").unwrap_err().to_string().contains("registry cannot be read"));
    assert!(FileRegistry::parse("{").is_err());
}

#[test]
fn zero_is_an_id_as_the_contracts_give_it() {
    let registry = parse(&(operator(1, "beta", &key(2), "") + &operator(0, "alpha", &key(1), ""))).unwrap();
    assert_eq!(registry.operator(OperatorId(0)).unwrap().name, "alpha");
    assert_eq!(registry.operators().len(), 2);
}

#[test]
fn ten_thousand_operators_are_read_and_one_more_is_refused() {
    // Distinct keys are not needed to reach the limit: it is checked first.
    let entries = |count: usize| -> String { (0..count).map(|_| operator(1, "x", &key(1), "")).collect() };
    assert!(matches!(parse(&entries(10_000)).unwrap_err(), RegistryError::DuplicateId { .. }));
    assert!(matches!(parse(&entries(10_001)).unwrap_err(), RegistryError::TooMany { len: 10_001, .. }));
}
