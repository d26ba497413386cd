//! The beacon chain's containers, roots and constants against vectors of other implementations and a real node's traffic.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod chain;
mod containers;
mod node;
mod proposals;

use std::collections::BTreeMap;

use cluster_core::beacon::{ChainSpec, Root};
use cluster_core::encoding::from_hex;
use serde_json::Value;

fn vector(path: &str) -> Value {
    let path = format!("{}/../../vectors/{path}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))).unwrap()
}

/// A recorded request or answer of the node.
fn recorded(name: &str, part: &str) -> Value {
    vector(&format!("beacon-api/{name}.ok.json"))[part]["body"].take()
}

fn root(value: &Value) -> Root {
    from_hex(value.as_str().unwrap()).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap().strip_prefix("0x").unwrap()).unwrap()
}

fn node_values() -> BTreeMap<String, String> {
    serde_json::from_value(recorded("GET_eth_v1_config_spec", "response")["data"].take()).unwrap()
}

fn node_spec() -> ChainSpec {
    let genesis = recorded("GET_eth_v1_beacon_genesis", "response")["data"].take();
    let time = genesis["genesis_time"].as_str().unwrap().parse().unwrap();
    ChainSpec::from_api(time, root(&genesis["genesis_validators_root"]), &node_values()).unwrap()
}
