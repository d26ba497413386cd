//! An owner's wallet key for `cluster-node request` and `exit`. The node's own key is in a [`key_file`] like every peer's.

use std::path::Path;

use cluster_crypto::ethereum::WalletKey;
use cluster_crypto::{identity, Secret};
use cluster_net::key_file::{self, open_keystore, read_private};
use zeroize::Zeroize;

pub use key_file::{read_password, write_identity, write_private, write_random_password, KeyError};

use crate::config::IdentityConfig;

/// Opens the node's identity.
pub fn load_identity(config: &IdentityConfig) -> Result<identity::SecretKey, KeyError> {
    key_file::load_identity(&config.key_file, &config.password_file)
}

/// Opens an owner's wallet key: an encrypted key file when a password file is given, 64 hex digits otherwise.
pub fn load_wallet(key_file: &Path, password_file: Option<&Path>) -> Result<WalletKey, KeyError> {
    let not_a_key = |reason: String| KeyError::NotAKey { path: key_file.to_owned(), reason };
    let secret = match password_file {
        Some(password_file) => open_keystore(key_file, password_file)?.secret,
        None => {
            let text = read_private(key_file)?;
            text.expose(|text| {
                let digits = text.trim();
                let digits = digits.strip_prefix("0x").unwrap_or(digits);
                let mut bytes = [0u8; 32];
                let read = hex::decode_to_slice(digits, &mut bytes);
                let secret = read.map(|()| Secret::new(bytes)).map_err(|_| {
                    not_a_key("it is not 64 hex digits (for an encrypted key file, give its password file too)".into())
                });
                bytes.zeroize();
                secret
            })?
        }
    };
    secret.expose(WalletKey::from_bytes).map_err(|error| not_a_key(error.to_string()))
}
