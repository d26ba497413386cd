//! `cluster-node slashing`, the built binary.

use std::path::Path;
use std::process::Command;

use cluster_core::beacon::Slot;
use cluster_core::slashing::Interchange;
use cluster_node::store::SlashingDb;
use serde_json::json;

use super::{root, vote, CHAIN};

const ALICE: [u8; 48] = [0xa1; 48];

/// Whether it succeeded, and what it said on both channels.
fn node(dir: &Path, args: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_cluster-node")).current_dir(dir).args(args).output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.success(), text)
}

fn refused(dir: &Path, args: &[&str], words: &str) {
    let (ok, text) = node(dir, args);
    assert!(!ok && text.contains(words), "{args:?} did not say `{words}`: {text}");
}

#[test]
fn history_moves_from_one_node_to_another() {
    let dir = tempfile::tempdir().unwrap();
    let (ok, help) = node(dir.path(), &["--help"]);
    assert!(ok && help.contains("slashing"), "{help}");
    let (ok, help) = node(dir.path(), &["slashing", "export", "--help"]);
    assert!(ok && help.contains("Stop the operator"), "{help}");

    let export = ["slashing", "export", "--data-dir", "one", "--out", "history.json"];
    refused(dir.path(), &export, "one has no database; check data_dir");
    assert!(!dir.path().join("one").exists(), "looking makes nothing");

    let database = SlashingDb::open(&dir.path().join("one")).unwrap();
    refused(dir.path(), &export, "the operator (or its signer) is running; stop it");
    drop(database);
    refused(dir.path(), &export, "there is nothing to export");
    let database = SlashingDb::open(&dir.path().join("one")).unwrap();
    database.pin_chain(CHAIN).unwrap();
    database.attest(&[ALICE], &vote(3, 4), root(1)).unwrap()[0].unwrap();
    database.propose(&ALICE, Slot(40), root(2)).unwrap().unwrap();
    drop(database);

    let (ok, text) = node(dir.path(), &export);
    assert!(ok && text.contains("validators     1") && text.contains("do not let this node sign"), "{text}");
    refused(dir.path(), &export, "history.json cannot be written");

    let wrong = format!("0x{}", "11".repeat(32));
    let import = ["slashing", "import", "history.json", "--data-dir", "two"];
    refused(dir.path(), &[&import[..], &["--genesis-validators-root", &wrong]].concat(), "nothing was imported");
    let (ok, text) = node(dir.path(), &import);
    assert!(ok && text.contains("newest block   slot 40") && text.contains("newest vote    target epoch 4"), "{text}");
    let second = SlashingDb::open(&dir.path().join("two")).unwrap();
    assert!(second.attest(&[ALICE], &vote(3, 4), root(9)).unwrap()[0].is_err());
    assert!(second.propose(&ALICE, Slot(40), root(9)).unwrap().is_err());
    assert_eq!(second.attest(&[ALICE], &vote(4, 5), root(9)).unwrap(), [Ok(())]);
    refused(dir.path(), &import, "is running; stop it");
}

/// What is in the file, and what the command says of it.
#[test]
fn files_that_are_none_are_refused_with_the_field() {
    let dir = tempfile::tempdir().unwrap();
    let good = serde_json::to_value(Interchange::new(CHAIN)).unwrap();
    let with = |entry: serde_json::Value| {
        let mut file = good.clone();
        file["data"] = json!([entry]);
        file.to_string()
    };
    let key = format!("0x{}", "a1".repeat(48));
    let files = [
        (String::new(), "`.` is wrong: EOF"),
        ("{\"metadata\": 7}".to_owned(), "`metadata` is wrong: invalid type"),
        (format!("{good} x"), "`.` is wrong: trailing characters"),
        (
            good.to_string().replace("\"5\"", "\"4\""),
            "`metadata.interchange_format_version` is `4`; this version reads 5",
        ),
        (
            good.to_string().replace("0x67", "0x6"),
            "`metadata.genesis_validators_root` is wrong: expected 64 hex digits",
        ),
        (with(json!({"pubkey": "0xa1", "signed_blocks": [], "signed_attestations": []})), "`data[0].pubkey` is wrong"),
        (with(json!({"pubkey": key, "signed_blocks": []})), "`data[0]` is wrong: missing field `signed_attestations`"),
        (
            with(json!({"pubkey": key, "signed_blocks": [{"slot": "-1"}], "signed_attestations": []})),
            "`data[0].signed_blocks[0].slot` is wrong: `-1` is not a decimal number",
        ),
        (
            with(json!({"pubkey": key, "signed_blocks": [], "signed_attestations": [{"source_epoch": "1"}]})),
            "missing field `target_epoch`",
        ),
        (
            with(
                json!({"pubkey": key, "signed_blocks": [{"slot": "1", "signing_root": "0x"}], "signed_attestations": []}),
            ),
            "`data[0].signed_blocks[0].signing_root` is wrong",
        ),
    ];
    for (text, words) in files {
        std::fs::write(dir.path().join("file.json"), text).unwrap();
        refused(dir.path(), &["slashing", "import", "file.json", "--data-dir", "node"], words);
        assert!(!dir.path().join("node").exists(), "a bad file leaves no database behind: {words}");
    }
    refused(dir.path(), &["slashing", "import", "none.json"], "none.json cannot be read");
    // Too long: found by its size, and not read.
    std::fs::File::create(dir.path().join("long.json")).unwrap().set_len(256 * 1024 * 1024 + 1).unwrap();
    refused(dir.path(), &["slashing", "import", "long.json"], "at most 268435456 are read");

    let (ok, _) = {
        std::fs::write(dir.path().join("good.json"), good.to_string()).unwrap();
        node(dir.path(), &["slashing", "import", "good.json", "--data-dir", "node"])
    };
    assert!(ok);
    let other = serde_json::to_string(&Interchange::new([9; 32])).unwrap();
    std::fs::write(dir.path().join("other.json"), other).unwrap();
    refused(
        dir.path(),
        &["slashing", "import", "other.json", "--data-dir", "node"],
        "check the beacon node or the file",
    );
}
