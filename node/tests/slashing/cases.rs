//! Cases in the format of the public interchange tests of EIP-3076.

use std::path::{Path, PathBuf};

use cluster_core::beacon::{Root, Slot};
use cluster_core::encoding::from_hex;
use cluster_core::slashing::Interchange;
use cluster_node::store::SlashingDb;
use serde_json::Value;

use super::{root, vote};

#[derive(Default, Debug, PartialEq)]
struct Count {
    files: usize,
    steps: usize,
    blocks: usize,
    attestations: usize,
    /// Neither answer is wrong: refused here, allowed by a database that takes every imported history for complete.
    stricter: usize,
}

fn run_folder(folder: &Path) -> Count {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    let mut count = Count::default();
    for path in files {
        let case: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        run(&case, &mut count);
    }
    count
}

fn run(case: &Value, count: &mut Count) {
    let name = case["name"].as_str().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut database = SlashingDb::open(dir.path()).unwrap();
    database.pin_chain(from_hex(case["genesis_validators_root"].as_str().unwrap()).unwrap()).unwrap();
    count.files += 1;
    for (at, step) in case["steps"].as_array().unwrap().iter().enumerate() {
        count.steps += 1;
        let file = Interchange::from_json(step["interchange"].to_string().as_bytes());
        let imported = file.map_err(|error| error.to_string()).and_then(|file| {
            assert_eq!(Interchange::from_json(&serde_json::to_vec(&file).unwrap()).unwrap(), file, "written and read");
            database.import(&file).map_err(|error| error.to_string())
        });
        assert_eq!(imported.is_ok(), step["should_succeed"].as_bool().unwrap(), "{name} step {at}: {imported:?}");
        for check in step["blocks"].as_array().unwrap() {
            count.blocks += 1;
            let slot = Slot(number(check, "slot"));
            let signed = database.propose(&pubkey(check), slot, signing_root(check, count)).unwrap();
            judge(&format!("{name} step {at}"), check, signed, count);
        }
        for check in step["attestations"].as_array().unwrap() {
            count.attestations += 1;
            let data = vote(number(check, "source_epoch"), number(check, "target_epoch"));
            let signed = database.attest(&[pubkey(check)], &data, signing_root(check, count)).unwrap().remove(0);
            judge(&format!("{name} step {at}"), check, signed, count);
        }
        // Every step also survives a restart, and the export holds what was recorded.
        let before = database.export().unwrap();
        drop(database);
        database = SlashingDb::open(dir.path()).unwrap();
        assert_eq!(database.export().unwrap(), before, "{name}");
    }
}

fn judge(name: &str, check: &Value, signed: Result<(), cluster_core::slashing::Refusal>, count: &mut Count) {
    let must = check["should_succeed"].as_bool().unwrap();
    let may = check.get("should_succeed_complete").map_or(must, |may| may.as_bool().unwrap());
    match signed {
        Ok(()) => assert!(may, "{name}: signed {check}"),
        Err(refusal) => {
            assert!(!must, "{name}: {refusal} {check}");
            count.stricter += usize::from(may);
        }
    }
}

fn pubkey(check: &Value) -> [u8; 48] {
    from_hex(check["pubkey"].as_str().unwrap()).unwrap()
}

fn number(check: &Value, field: &str) -> u64 {
    check[field].as_str().unwrap().parse().unwrap()
}

/// A check without a root is a message like no other.
fn signing_root(check: &Value, count: &Count) -> Root {
    match check.get("signing_root") {
        Some(text) => from_hex(text.as_str().unwrap()).unwrap(),
        None => root(u64::MAX - (count.blocks + count.attestations) as u64),
    }
}

#[test]
fn own_cases() {
    let count = run_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/slashing"));
    assert_eq!((count.files, count.stricter), (18, 1), "{count:?}");
}

/// The public cases have no licence, so they are not in the repository: they run where `CLUSTER_SLASHING_VECTORS` says, or
/// beside the repository. Where neither is, this test says so and the own cases above are what runs.
#[test]
fn public_cases() {
    const BESIDE: &str = "../../shared/vectors/slashing-protection-interchange-tests";
    let named = std::env::var_os("CLUSTER_SLASHING_VECTORS").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join(BESIDE);
    let Some(folder) = named.or_else(|| beside.is_dir().then_some(beside)) else {
        eprintln!("the public cases are not on this machine; CLUSTER_SLASHING_VECTORS names their folder");
        return;
    };
    let count = run_folder(&folder.join("tests/generated"));
    // Stricter where an import may have been pruned: docs/adr/0009.
    assert_eq!(count, Count { files: 38, steps: 49, blocks: 71, attestations: 79, stricter: 12 });
}
