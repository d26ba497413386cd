//! The declarations here are those of the contracts.

use cluster_core::chain::abi;
use cluster_core::encoding::to_hex;
use serde_json::Value;
use std::collections::BTreeMap;

/// `Name(bytes indexed key, uint32[] ids)` as `Name(bytes,uint32[])`.
fn signature(declaration: &str) -> String {
    let (name, parameters) = declaration.trim_end_matches(')').split_once('(').unwrap();
    let types: Vec<&str> = parameters.split(", ").filter_map(|parameter| parameter.split(' ').next()).collect();
    format!("{name}({})", types.join(","))
}

fn read(path: &str) -> Value {
    let path = format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))).unwrap()
}

/// Topics by signature in the listing that contracts and existing apps are held to.
fn listed() -> BTreeMap<String, String> {
    let listing = read("vectors/abi/safestake.json");
    let events = listing.as_object().unwrap().values().flat_map(|contract| contract["events"].as_array().unwrap());
    let entry = |event: &Value| {
        (signature(event["declaration"].as_str().unwrap()), event["topic"].as_str().unwrap().to_owned())
    };
    events.map(entry).collect()
}

#[test]
fn every_event_that_is_read_has_the_listed_topic() {
    let listed = listed();
    let ours_alone = ["ClusterNodeActivity(bytes,bool)", "ValidatorFeeRecipientAddressChanged(address,bytes,address)"];
    for (signature, topic) in abi::topics() {
        match listed.get(signature) {
            Some(expected) => assert_eq!(&to_hex(&topic), expected, "{signature}"),
            None => assert!(ours_alone.contains(&signature), "{signature} is not listed"),
        }
    }
    assert_eq!(abi::topics().len(), 12);
}

/// Names, types, order and `indexed` as the contracts are compiled.
#[test]
fn every_event_that_is_read_is_declared_by_the_contracts() {
    let mut declared = Vec::new();
    for contract in ["SafeStakeClusterNode", "SafeStakeNetwork", "SafeStakeRegistry", "SafeStakeOperatorConfig"] {
        for event in read(&format!("contracts/abi/{contract}.json")).as_array().unwrap() {
            if event["type"] != "event" {
                continue;
            }
            let parameter = |input: &Value| {
                let indexed = if input["indexed"] == true { " indexed" } else { "" };
                let (kind, name) = (input["type"].as_str().unwrap(), input["name"].as_str().unwrap());
                format!("{kind}{indexed} {name}")
            };
            let parameters: Vec<String> = event["inputs"].as_array().unwrap().iter().map(parameter).collect();
            declared.push(format!("{}({})", event["name"].as_str().unwrap(), parameters.join(", ")));
        }
    }
    let source = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/chain/abi.rs")).unwrap();
    let ours: Vec<&str> = source.lines().filter_map(|line| line.trim().strip_prefix("event ")).collect();
    assert_eq!(ours.len(), 12);
    for event in ours {
        let event = event.trim_end_matches(';').to_owned();
        assert!(declared.contains(&event), "{event} is not among {declared:#?}");
    }
}
