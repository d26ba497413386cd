//! Files with slashing history, from other nodes and other programs.

use cluster_core::slashing::{Interchange, InterchangeError};

/// Reads the file; what is accepted is written and read as the same.
pub fn target(data: &[u8]) {
    match Interchange::from_json(data) {
        Ok(file) => {
            let text = serde_json::to_vec(&file).expect("a file is written");
            assert_eq!(Interchange::from_json(&text).expect("and read"), file);
        }
        Err(error) => {
            assert!(error.to_string().len() < 1_000, "bounded words for a log");
            if let InterchangeError::Field { field, reason } = error {
                assert!(!field.is_empty() && !reason.is_empty());
            }
        }
    }
}

/// Files with and without signing roots.
pub fn seeds() -> Vec<Vec<u8>> {
    let cases = [
        include_str!("../../../vectors/slashing/one_key_in_two_entries.json"),
        include_str!("../../../vectors/slashing/import_then_block.json"),
        include_str!("../../../vectors/slashing/the_same_block_with_and_without_a_root.json"),
    ];
    let files = cases.map(|text| {
        let case: serde_json::Value = serde_json::from_str(text).expect("the case is JSON");
        case["steps"][0]["interchange"].to_string().into_bytes()
    });
    // Found by fuzzing: a field whose name is empty.
    files.into_iter().chain([b"{\"\":[{\"pubkey\":1".to_vec()]).collect()
}
