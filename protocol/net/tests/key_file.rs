//! Files with secrets: what is written can be read again by its owner alone, and every other file is refused by name.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::{set_permissions, write, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use cluster_crypto::{identity, Secret};
use cluster_net::key_file::{load_identity, write_identity, write_private, write_random_password, KeyError};
use rand_chacha::{rand_core::SeedableRng, ChaCha20Rng};

fn key(seed: u64) -> identity::SecretKey {
    identity::SecretKey::generate(&mut ChaCha20Rng::seed_from_u64(seed))
}

/// Puts other content into a file that stays private.
fn spoil(path: &Path, content: &str) {
    write(path, content).unwrap();
    set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn an_identity_that_was_written_opens_again_and_no_other_file_does() {
    let dir = tempfile::tempdir().unwrap();
    let (key_file, password_file) = (dir.path().join("key.json"), dir.path().join("password.txt"));
    let password = write_random_password(&password_file).unwrap();
    write_identity(&key_file, &password, &key(1), "test").unwrap();
    for path in [&key_file, &password_file] {
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600, "{}", path.display());
    }
    let opened = load_identity(&key_file, &password_file).unwrap();
    assert_eq!(opened.public_key(), key(1).public_key());

    let good = std::fs::read_to_string(&key_file).unwrap();
    let named = key(1).public_key().to_string();
    let other = key(2).public_key().to_string();
    let (named, other) = (named.trim_start_matches("0x"), other.trim_start_matches("0x"));
    let refused = |content: &str| {
        spoil(&key_file, content);
        load_identity(&key_file, &password_file).unwrap_err()
    };
    assert!(matches!(refused(&good.replace(named, other)), KeyError::OtherPublicKey { .. }));
    assert!(matches!(refused("{}"), KeyError::NotAKeystore { .. }));
    assert!(matches!(refused(&" ".repeat(65 * 1024)), KeyError::Read { .. }));
    spoil(&key_file, &good);

    // The password: another one, none, and one that others can read.
    spoil(&password_file, "another password");
    assert!(matches!(load_identity(&key_file, &password_file), Err(KeyError::Keystore { .. })));
    spoil(&password_file, "\n");
    assert!(matches!(load_identity(&key_file, &password_file), Err(KeyError::EmptyPassword { .. })));
    set_permissions(&password_file, Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(load_identity(&key_file, &password_file), Err(KeyError::NotPrivate { mode: 0o640, .. })));
}

#[test]
fn a_file_that_exists_is_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key.json");
    write(&path, "precious").unwrap();
    let password = Secret::new("password".to_owned());
    assert!(matches!(write_identity(&path, &password, &key(1), "test"), Err(KeyError::Write { .. })));
    assert!(matches!(write_private(&path, b"other"), Err(KeyError::Write { .. })));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}
