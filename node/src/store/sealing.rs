//! Encryption of what is secret at rest.
//!
//! One key per store, derived from the identity secret (whose own file is under scrypt), so that opening the store costs
//! one key derivation per start and not one per share. Each entry is sealed alone with XChaCha20-Poly1305, a random
//! nonce, and the entry's place as associated data: an entry moved to another ceremony does not open.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{Key, KeyInit, XChaCha20Poly1305, XNonce};
use cluster_crypto::{identity, Secret};
use hkdf::Hkdf;
use rand_core::{OsRng, RngCore};
use sha2::Sha256;
use zeroize::Zeroize;

const NONCE_LEN: usize = 24;

/// Why a sealed entry cannot be read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Another key, another place, or changed bytes.
    #[error("the entry was sealed with another key, or its bytes were changed")]
    Open,
    /// The cipher refuses the entry, which only an absurd length causes.
    #[error("the entry cannot be sealed")]
    Seal,
}

/// Seals and opens entries of one store.
pub(super) struct Sealer {
    cipher: XChaCha20Poly1305,
}

impl Sealer {
    /// The key of the store that belongs to this identity.
    pub(super) fn of(identity: &identity::SecretKey) -> Self {
        let mut key = [0u8; 32];
        identity.to_bytes().expose(|secret| {
            let hkdf = Hkdf::<Sha256>::new(Some(b"cluster-node/store/1"), secret);
            // 32 bytes are always within HKDF's limit, so the expansion cannot fail.
            let _ = hkdf.expand(b"entries", &mut key);
        });
        let cipher = XChaCha20Poly1305::new(Key::from_slice(&key));
        key.zeroize();
        Self { cipher }
    }

    pub(super) fn seal(&self, tree: &str, key: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0u8; NONCE_LEN];
        OsRng.fill_bytes(&mut nonce);
        let aad = place(tree, key);
        let sealed = self
            .cipher
            .encrypt(XNonce::from_slice(&nonce), Payload { msg: plain, aad: &aad })
            .map_err(|_| SealError::Seal)?;
        let mut out = Vec::with_capacity(NONCE_LEN + sealed.len());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    pub(super) fn open(&self, tree: &str, key: &[u8], sealed: &[u8]) -> Result<Secret<Vec<u8>>, SealError> {
        if sealed.len() < NONCE_LEN {
            return Err(SealError::Open);
        }
        let (nonce, body) = sealed.split_at(NONCE_LEN);
        let aad = place(tree, key);
        self.cipher
            .decrypt(XNonce::from_slice(nonce), Payload { msg: body, aad: &aad })
            .map(Secret::new)
            .map_err(|_| SealError::Open)
    }
}

fn place(tree: &str, key: &[u8]) -> Vec<u8> {
    [tree.as_bytes(), &[0], key].concat()
}
