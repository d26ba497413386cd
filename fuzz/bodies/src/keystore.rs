//! Key files (EIP-2335).

use cluster_crypto::keystore::{Kdf, Keystore};
use serde_json::{json, Value};

use crate::world::rng;

/// Passes above which a well-formed file is not opened here: it would only cost time, by design.
const CHEAP: u64 = 1 << 10;

/// Reads the JSON, and opens the file when that is cheap or refused.
pub fn target(data: &[u8]) {
    let Ok(keystore) = serde_json::from_slice::<Keystore>(data) else { return };
    let written = serde_json::to_vec(&keystore).expect("JSON");
    assert_eq!(serde_json::from_slice::<Keystore>(&written).ok().as_ref(), Some(&keystore));
    let value: Value = serde_json::from_slice(&written).expect("JSON");
    let number = |name: &str| value["crypto"]["kdf"]["params"][name].as_u64().unwrap_or(1);
    let work = number("n").saturating_mul(number("r")).saturating_mul(number("p")).max(number("c"));
    let limit = u64::from(cluster_crypto::keystore::MAX_PBKDF2_ITERATIONS) * 8;
    if work <= CHEAP || work > limit {
        let _ = keystore.decrypt("password");
    }
}

/// A file of either kind with few passes, and one with the usual number.
pub fn seeds() -> Vec<Vec<u8>> {
    let usual = Keystore::encrypt(&[7; 32], "password", Kdf::Pbkdf2, "", "a key", "", &mut rng()).expect("a key file");
    let usual = serde_json::to_value(usual).expect("JSON");
    let (mut pbkdf2, mut scrypt) = (usual.clone(), usual.clone());
    pbkdf2["crypto"]["kdf"]["params"]["c"] = json!(2);
    scrypt["crypto"]["kdf"]["function"] = json!("scrypt");
    scrypt["crypto"]["kdf"]["params"] = json!({ "dklen": 32, "n": 16, "p": 1, "r": 2, "salt": "00".repeat(32) });
    [usual, pbkdf2, scrypt].iter().map(|value| value.to_string().into_bytes()).collect()
}
