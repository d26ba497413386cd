//! Keys in files: the identity of a node or a bootstrap peer.
//!
//! A key file is EIP-2335 JSON, the same format as validator keystores, with a 32-byte secp256k1 secret inside and its
//! compressed public key in `pubkey`. Files with secrets must be private (mode 0600): a readable one is refused, not
//! warned about, because nobody reads warnings.

use std::io::Write;
use std::path::{Path, PathBuf};

use cluster_crypto::keystore::{Kdf, Keystore, KeystoreError};
use cluster_crypto::{identity, Secret};
use rand_core::{OsRng, RngCore};
use zeroize::Zeroize;

/// A keystore is about 1 KiB, a password shorter.
const FILE_LIMIT: u64 = 64 * 1024;

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {reason}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The file cannot be written.
    #[error("{path} cannot be written: {reason}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's words.
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
    /// The password file is empty.
    #[error("the password file {path} is empty")]
    EmptyPassword {
        /// The file.
        path: PathBuf,
    },
    /// The keystore does not open.
    #[error("the key file {path} does not open: {error}")]
    Keystore {
        /// The file.
        path: PathBuf,
        /// Why; a wrong password says so.
        error: KeystoreError,
    },
    /// Not the JSON of a keystore.
    #[error("{path} is not an encrypted key file (EIP-2335): {reason}")]
    NotAKeystore {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        reason: String,
    },
    /// The content is not a key of this kind.
    #[error("{path} does not hold a secp256k1 key: {reason}")]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// `pubkey` in the file is not the key inside.
    #[error("the key file {path} names the public key {named}, but holds the key of {found}")]
    OtherPublicKey {
        /// The file.
        path: PathBuf,
        /// As written.
        named: String,
        /// As computed.
        found: String,
    },
}

/// Opens the identity of a node or a bootstrap peer.
///
/// # Errors
/// Says which file is unreadable, readable by others, or not what it should be.
pub fn load_identity(key_file: &Path, password_file: &Path) -> Result<identity::SecretKey, KeyError> {
    let secret = open_keystore(key_file, password_file)?;
    let not_a_key = |reason: String| KeyError::NotAKey { path: key_file.to_owned(), reason };
    let key = secret.secret.expose(identity::SecretKey::from_bytes).map_err(|error| not_a_key(error.to_string()))?;
    let found = key.public_key().to_string();
    if secret.public_key != found.trim_start_matches("0x") {
        return Err(KeyError::OtherPublicKey { path: key_file.to_owned(), named: secret.public_key, found });
    }
    Ok(key)
}

/// Writes a new encrypted key file; an existing file is never overwritten.
pub fn write_identity(
    key_file: &Path,
    password: &Secret<String>,
    key: &identity::SecretKey,
    description: &str,
) -> Result<(), KeyError> {
    let public_key = key.public_key().to_string();
    let keystore = key
        .to_bytes()
        .expose(|secret| {
            password.expose(|password| {
                Keystore::encrypt(
                    secret,
                    password,
                    Kdf::Scrypt,
                    public_key.trim_start_matches("0x"),
                    description,
                    "",
                    &mut OsRng,
                )
            })
        })
        .map_err(|error| KeyError::Keystore { path: key_file.to_owned(), error })?;
    let text = serde_json::to_vec_pretty(&keystore)
        .map_err(|error| KeyError::Write { path: key_file.to_owned(), reason: error.to_string() })?;
    write_private(key_file, &text)
}

/// The password in the file, without a line feed at its end.
pub fn read_password(path: &Path) -> Result<Secret<String>, KeyError> {
    let text = read_private(path)?;
    let password = text.expose(|text| text.trim_end_matches(['\r', '\n']).to_owned());
    if password.is_empty() {
        return Err(KeyError::EmptyPassword { path: path.to_owned() });
    }
    Ok(Secret::new(password))
}

/// Writes a random password of 256 bits into a new private file and returns it.
pub fn write_random_password(path: &Path) -> Result<Secret<String>, KeyError> {
    let mut bytes = [0u8; 32];
    OsRng.fill_bytes(&mut bytes);
    let password = Secret::new(hex::encode(bytes));
    bytes.zeroize();
    password.expose(|password| write_private(path, password.as_bytes()))?;
    Ok(password)
}

/// Creates a file that only its owner can read; refuses to overwrite.
pub fn write_private(path: &Path, content: &[u8]) -> Result<(), KeyError> {
    let failed = |error: std::io::Error| KeyError::Write { path: path.to_owned(), reason: error.to_string() };
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(content).map_err(failed)?;
    file.sync_all().map_err(failed)
}

/// What a key file holds.
pub struct Opened {
    /// The secret.
    pub secret: Secret<[u8; 32]>,
    /// `pubkey` as the file says it: lower case hex without 0x, nothing where it says none.
    pub public_key: String,
}

/// Opens a key file with the password in the other file.
pub fn open_keystore(key_file: &Path, password_file: &Path) -> Result<Opened, KeyError> {
    let password = read_password(password_file)?;
    let text = read_private(key_file)?;
    let failed = |error| KeyError::Keystore { path: key_file.to_owned(), error };
    let keystore: Keystore = text
        .expose(|text| serde_json::from_str(text))
        .map_err(|error| KeyError::NotAKeystore { path: key_file.to_owned(), reason: error.to_string() })?;
    let secret = password.expose(|password| keystore.decrypt(password)).map_err(failed)?;
    let secret = secret.expose(|bytes| <[u8; 32]>::try_from(bytes.as_slice())).map(Secret::new).map_err(|_| {
        KeyError::NotAKey { path: key_file.to_owned(), reason: "its secret does not have 32 bytes".into() }
    })?;
    let public_key = keystore.pubkey().unwrap_or_default().trim_start_matches("0x").to_lowercase();
    Ok(Opened { secret, public_key })
}

/// The content of a file that nobody else may read, at most 64 KiB.
pub fn read_private(path: &Path) -> Result<Secret<String>, KeyError> {
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
