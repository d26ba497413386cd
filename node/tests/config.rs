//! Configuration: precedence of its sources, examples that match the code, refusals by name.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;

use cluster_node::config::{load, GatewayConfig, OperatorConfig, Overrides, GATEWAY_EXAMPLE, OPERATOR_EXAMPLE};

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

/// Every field of the defaults is in the example, and the other way round.
fn fields(prefix: &str, table: &toml::Table, into: &mut Vec<String>) {
    for (name, value) in table {
        match value {
            toml::Value::Table(inner) => fields(&format!("{prefix}{name}."), inner, into),
            _ => into.push(format!("{prefix}{name}")),
        }
    }
}

#[test]
fn examples_document_every_field_with_its_default() {
    let operator = file(OPERATOR_EXAMPLE);
    assert_eq!(
        load::<OperatorConfig>(Some(operator.path()), &Overrides::default()).unwrap(),
        OperatorConfig::default()
    );
    let gateway = file(GATEWAY_EXAMPLE);
    assert_eq!(load::<GatewayConfig>(Some(gateway.path()), &Overrides::default()).unwrap(), GatewayConfig::default());
    let defaults = [
        toml::Table::try_from(OperatorConfig::default()).unwrap(),
        toml::Table::try_from(GatewayConfig::default()).unwrap(),
    ];
    for (example, defaults) in [OPERATOR_EXAMPLE, GATEWAY_EXAMPLE].into_iter().zip(&defaults) {
        let (mut written, mut existing) = (Vec::new(), Vec::new());
        fields("", &example.parse().unwrap(), &mut written);
        fields("", defaults, &mut existing);
        written.sort();
        existing.sort();
        assert_eq!(written, existing);
        for line in example.lines().filter(|line| line.contains(" = ") && !line.starts_with('#')) {
            let above = example.lines().take_while(|other| *other != line).last().unwrap();
            assert!(above.starts_with("# "), "no comment above `{line}`");
        }
    }
}

/// The binary shows which value won, through the error that an impossible value causes. Processes, because environment
/// variables belong to a process.
fn refusal(config: &str, env: &[(&str, &str)], flags: &[&str]) -> String {
    let config = file(config);
    let mut command = Command::new(env!("CARGO_BIN_EXE_cluster-node"));
    command.arg("operator").arg("--config").arg(config.path()).args(flags).envs(env.iter().copied());
    let output = command.output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap().replace(&config.path().display().to_string(), "FILE")
}

#[test]
fn flags_override_the_environment_which_overrides_the_file() {
    let config = "registry_file = \"/from-file\"";
    let env = [("CLUSTER_NODE_REGISTRY_FILE", "/from-environment")];
    assert!(refusal(config, &[], &[]).contains("/from-file"));
    assert!(refusal(config, &env, &[]).contains("/from-environment"));
    assert!(refusal(config, &env, &["--registry", "/from-flag"]).contains("/from-flag"));
    let env = [("CLUSTER_NODE_MESH__LISTEN", "[\"nonsense\"]")];
    assert!(refusal("", &env, &[]).contains("`mesh.listen` is wrong: `nonsense`"));
    assert!(refusal("", &[], &["--set", "ceremony.max_validators=1001"])
        .contains("`ceremony.max_validators` is wrong: 1001 is not between 1 and 1000"));
}

#[test]
fn unknown_fields_and_wrong_types_are_refused_by_name_and_place() {
    // File, environment, flags, words of the refusal.
    type Case =
        (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str], &'static [&'static str]);
    let cases: [Case; 6] = [
        ("data_dri = \"x\"", &[], &[], &["no field `data_dri`", "FILE"]),
        ("[mesh]\nlisen = []", &[], &[], &["no field `mesh.lisen`", "FILE"]),
        ("", &[("CLUSTER_NODE_MESH__LISEN", "[]")], &[], &["no field `mesh.lisen`", "the environment"]),
        ("", &[], &["--set", "mesh.lisen=[]"], &["no field `mesh.lisen`", "a flag"]),
        ("[ceremony]\nmax_open = \"many\"", &[], &[], &["`ceremony.max_open`", "FILE"]),
        ("data_dir = ", &[], &[], &["FILE cannot be read", "line 1"]),
    ];
    for (config, env, flags, words) in cases {
        let refused = refusal(config, env, flags);
        for word in words {
            assert!(refused.contains(word), "{config:?} {env:?} {flags:?}: `{word}` is not in: {refused}");
        }
    }
}
