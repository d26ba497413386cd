//! A beacon node's constants.

use std::collections::BTreeMap;

use cluster_core::beacon::{ChainSpec, DomainType, Epoch, Slot};
use cluster_core::machine::Time;

/// Reads the strings; what is accepted answers every question about times, forks and domains.
pub fn target(data: &[u8]) {
    let Ok(values) = serde_json::from_slice::<BTreeMap<String, String>>(data) else { return };
    let spec = match ChainSpec::from_api(1_700_000_000, [7; 32], &values) {
        Ok(spec) => spec,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    for number in [0, 1, 8, 1_000_000, u64::MAX / 2, u64::MAX] {
        let (slot, epoch) = (Slot(number), Epoch(number));
        let start = spec.slot_start(slot);
        // Slots beyond the end of time have none of their own.
        assert!(start == Time(u64::MAX) || spec.slot_at(start) == Some(slot));
        let _ = (spec.fork_at(epoch), spec.epoch_of(slot), spec.sync_period(epoch));
        let _ = (spec.domain(DomainType::VoluntaryExit, epoch), spec.randao(epoch), spec.sync_selection(slot, number));
    }
    assert!(spec.attestation_due_ms <= spec.slot_ms && spec.contribution_due_ms <= spec.slot_ms);
    let json = serde_json::to_string(&spec).expect("a specification is written");
    assert_eq!(serde_json::from_str::<ChainSpec>(&json).expect("and read"), spec);
}

/// A real node's, whole and what is read of it, and one with a fork that is not known.
pub fn seeds() -> Vec<Vec<u8>> {
    let file = include_str!("../../../vectors/beacon-api/GET_eth_v1_config_spec.ok.json");
    let file: serde_json::Value = serde_json::from_str(file).expect("the recording is JSON");
    let whole = &file["response"]["body"]["data"];
    let mut values: BTreeMap<String, String> = serde_json::from_value(whole.clone()).expect("strings");
    values.retain(|key, _| {
        key.contains("FORK") || key.contains("SLOT") || key.contains("_DUE_") || key.contains("COMMITTEE")
    });
    values
        .extend([("PRESET_BASE", "minimal"), ("DEPOSIT_CHAIN_ID", "5")].map(|(key, value)| (key.into(), value.into())));
    let short = serde_json::to_vec(&values).expect("strings");
    values.insert("GLOAS_FORK_EPOCH".into(), "9".into());
    vec![whole.to_string().into_bytes(), short, serde_json::to_vec(&values).expect("strings")]
}
