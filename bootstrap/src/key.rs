//! The encrypted key file, as `cluster-node keygen` writes it: EIP-2335 JSON with a secp256k1 secret inside.

use std::path::{Path, PathBuf};

use cluster_crypto::identity::SecretKey;
use cluster_crypto::keystore::{Keystore, KeystoreError};
use cluster_crypto::Secret;

/// A keystore is about 1 KiB, a password shorter.
const FILE_LIMIT: u64 = 64 * 1024;

/// Why the key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {reason}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Others can read a secret.
    #[error("{path} can be read by other users (mode {mode:03o}); run: chmod 600 {path}")]
    NotPrivate {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file does not open.
    #[error("the key file {path} does not open: {error}")]
    Keystore {
        /// The file.
        path: PathBuf,
        /// Why; a wrong password says so.
        error: KeystoreError,
    },
    /// The key file is not JSON of EIP-2335.
    #[error("the key file {path} is not a keystore: {reason}")]
    NotAKeystore {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The key file holds something else.
    #[error("the key file {path} does not hold a secp256k1 key")]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
}

/// Opens the key file with the password in the other file.
pub fn load(key_file: &Path, password_file: &Path) -> Result<SecretKey, KeyError> {
    let path = key_file.to_owned();
    let password = read_private(password_file)?;
    let text = read_private(key_file)?;
    let keystore: Keystore = text
        .expose(|text| serde_json::from_str(text))
        .map_err(|error| KeyError::NotAKeystore { path: path.clone(), reason: error.to_string() })?;
    let secret = password
        .expose(|password| keystore.decrypt(password.trim_end_matches(['\r', '\n'])))
        .map_err(|error| KeyError::Keystore { path: path.clone(), error })?;
    let bytes: Option<Secret<[u8; 32]>> =
        secret.expose(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok()).map(Secret::new);
    let key = bytes.and_then(|bytes| bytes.expose(|bytes| SecretKey::from_bytes(bytes).ok()));
    key.ok_or(KeyError::NotAKey { path })
}

fn read_private(path: &Path) -> Result<Secret<String>, KeyError> {
    let failed = |reason: String| KeyError::Read { path: path.to_owned(), reason };
    let metadata = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?;
    if metadata.len() > FILE_LIMIT {
        return Err(failed(format!("it has {} bytes, more than {FILE_LIMIT}", metadata.len())));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::NotPrivate { path: path.to_owned(), mode });
        }
    }
    std::fs::read_to_string(path).map(Secret::new).map_err(|error| failed(error.to_string()))
}
