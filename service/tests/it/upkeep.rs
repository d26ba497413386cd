//! Upkeep: what operators say of relays and exits is taken from gateways, shown to owners, and counted.

use serde_json::{json, Value};

/// One operator's report: the same word about each of these validators.
pub fn report(operator_id: u32, pubkeys: &[String], relay: &Value, exit: &str) -> Value {
    let one = |pubkey: &String| json!({ "pubkey": pubkey, "relay": relay, "exit": exit });
    json!({ "operator_id": operator_id, "validators": pubkeys.iter().map(one).collect::<Vec<_>>() })
}
