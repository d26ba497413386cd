//! EIP-2335 keystores.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use cluster_crypto::keystore::{Kdf, Keystore, KeystoreError};
use common::{read_json, rng, vectors};
use serde_json::{json, Value};

/// The password of the official vectors: fancy letters that NFKD turns into plain ones, and a key.
const PASSWORD: &str = "\u{1D531}\u{1D522}\u{1D530}\u{1D531}\u{1D52D}\u{1D51E}\u{1D530}\u{1D530}\u{1D534}\u{1D52C}\u{1D52F}\u{1D521}\u{1F511}";
const SECRET: &str = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";

fn official(name: &str) -> Value {
    read_json(vectors(&format!("eip2333-2335-deposit-cli/keystore_{name}.json")))
}

fn decrypt(file: &Value, password: &str) -> Result<String, KeystoreError> {
    let keystore: Keystore = serde_json::from_value(file.clone()).unwrap();
    keystore.decrypt(password).map(|secret| secret.expose(|bytes| hex::encode(bytes)))
}

#[test]
fn official_vectors_open_with_every_spelling_of_the_password() {
    for name in ["pbkdf2", "scrypt"] {
        let file = official(name);
        assert_eq!(decrypt(&file, PASSWORD).unwrap(), SECRET, "{name}");
        assert_eq!(decrypt(&file, "test\u{7}password\u{7f}\u{80}\u{1F511}").unwrap(), SECRET, "{name}");
        assert_eq!(decrypt(&file, "testpassword").unwrap_err(), KeystoreError::WrongPassword);
        let keystore: Keystore = serde_json::from_value(file.clone()).unwrap();
        assert_eq!(serde_json::to_value(&keystore).unwrap(), file, "nothing lost or added");
    }
}

#[test]
fn new_keystores_open_again_in_the_shape_of_the_standard() {
    for kdf in [Kdf::Pbkdf2, Kdf::Scrypt] {
        let keystore = Keystore::encrypt(&[7; 32], "påss", kdf, "aabb", "a share", "", &mut rng(1)).unwrap();
        let file = serde_json::to_value(&keystore).unwrap();
        assert_eq!(file["version"], 4);
        assert_eq!(file["pubkey"], "aabb");
        assert_eq!(file["crypto"]["checksum"]["params"], json!({}));
        let uuid = file["uuid"].as_str().unwrap();
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"));
        // The same password, decomposed.
        assert_eq!(decrypt(&file, "pa\u{30a}ss").unwrap(), "07".repeat(32));
        assert_eq!(decrypt(&file, "pass").unwrap_err(), KeystoreError::WrongPassword);
    }
    let error = Keystore::encrypt(&[], "p", Kdf::Pbkdf2, "", "", "", &mut rng(2)).unwrap_err();
    assert_eq!(error, KeystoreError::Field { field: "cipher.message" });
}

/// Each row: what a hostile file says, where, and the answer; all before memory or time is spent.
#[test]
fn hostile_files_are_refused_at_once() {
    let unsupported = |what, name: &str| KeystoreError::Unsupported { what, name: name.into() };
    let field = |field| KeystoreError::Field { field };
    let long = "00".repeat(1025);
    let rows = [
        ("scrypt", "/crypto/kdf/params/n", json!(1u64 << 20), KeystoreError::Parameters),
        ("scrypt", "/crypto/kdf/params/n", json!(u64::MAX), KeystoreError::Parameters),
        ("scrypt", "/crypto/kdf/params/n", json!(262_143), KeystoreError::Parameters),
        ("scrypt", "/crypto/kdf/params/n", json!(0), KeystoreError::Parameters),
        ("scrypt", "/crypto/kdf/params/r", json!(0), KeystoreError::Parameters),
        ("scrypt", "/crypto/kdf/params/r", json!(u32::MAX), KeystoreError::Parameters),
        ("scrypt", "/crypto/kdf/params/p", json!(0), KeystoreError::Parameters),
        ("scrypt", "/crypto/kdf/params/p", json!(1000), KeystoreError::Parameters),
        ("scrypt", "/crypto/kdf/params/dklen", json!(31), KeystoreError::Parameters),
        ("scrypt", "/crypto/kdf/params/salt", json!(long), field("kdf.params.salt")),
        ("pbkdf2", "/crypto/kdf/params/c", json!(u32::MAX), KeystoreError::Parameters),
        ("pbkdf2", "/crypto/kdf/params/c", json!(0), KeystoreError::Parameters),
        ("pbkdf2", "/crypto/kdf/params/dklen", json!(u32::MAX), KeystoreError::Parameters),
        ("pbkdf2", "/crypto/kdf/params/prf", json!("md5"), unsupported("pseudo-random function", "md5")),
        ("pbkdf2", "/crypto/checksum/function", json!("crc"), unsupported("checksum", "crc")),
        ("pbkdf2", "/crypto/checksum/message", json!("00"), field("checksum.message")),
        ("pbkdf2", "/crypto/cipher/function", json!("none"), unsupported("cipher", "none")),
        ("pbkdf2", "/crypto/cipher/params/iv", json!("zz"), field("cipher.params.iv")),
        ("pbkdf2", "/crypto/cipher/message", json!(long), field("cipher.message")),
        ("pbkdf2", "/version", json!(3), KeystoreError::Version { version: 3 }),
    ];
    for (name, path, value, expected) in rows {
        let mut file = official(name);
        *file.pointer_mut(path).unwrap() = value.clone();
        assert_eq!(decrypt(&file, PASSWORD).unwrap_err(), expected, "{path} = {value}");
    }
    let mut unknown = official("pbkdf2");
    unknown["crypto"]["kdf"]["function"] = json!("argon2");
    assert!(serde_json::from_value::<Keystore>(unknown).is_err());
}
