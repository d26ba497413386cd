//! `cluster-testnet measure`: a committee over loopback sockets performs every slot, and a value travels once to each.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;

use cluster_testnet::measure::Figures;

const SLOTS: u64 = 5;

#[test]
fn every_slot_is_performed_and_values_travel_once_to_each_operator() {
    let dir = tempfile::tempdir().unwrap();
    let report = dir.path().join("figures.json");
    let status = Command::new(env!("CARGO_BIN_EXE_cluster-testnet"))
        .args(["measure", "--validators", "31", "--slots", "5", "--report"])
        .arg(&report)
        .status()
        .unwrap();
    assert!(status.success());
    let figures: Figures = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    assert_eq!((figures.operators, figures.validators, figures.slots), (4, 31, SLOTS));
    assert!(figures.decided_ms.p50 > 0.0 && figures.signed_ms.p50 >= figures.decided_ms.p50, "{figures:?}");
    assert!(figures.submitted_ms.p50 >= figures.signed_ms.p50 && figures.cpu_ms > 0.0, "{figures:?}");
    // A leader that is late on a busy machine costs a round, whose leader sends the value again.
    let values = (figures.values_sent * SLOTS as f64).round() as u64;
    let (least, most) = (3 * SLOTS, 3 * figures.rounds);
    assert!((least..=most).contains(&values), "{values} values in {} rounds of {SLOTS} slots", figures.rounds);
    assert!(figures.consensus_bytes > 0.0 && figures.signing_bytes > 31.0 * 96.0 * 3.0, "{figures:?}");
}

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_cluster-testnet")).args(["measure", "--slots", "0"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("--slots must be 1 to 10000, not 0"), "{said}");
}
