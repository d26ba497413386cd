//! EIP-2335 keystores (version 4): one secret behind a password, in JSON.
//!
//! Used on export only, and for identity keys: the key derivation costs most of a second by design.

use aes::cipher::{KeyIvInit, StreamCipher};
use rand_core::CryptoRngCore;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::secret::Secret;

type Aes128Ctr = ctr::Ctr128BE<aes::Aes128>;

/// Largest memory that a file may make scrypt use, in bytes.
pub const MAX_SCRYPT_MEMORY: u64 = 512 << 20;
/// Largest product of memory and passes for scrypt, in bytes: bounds the time to a few seconds.
pub const MAX_SCRYPT_WORK: u64 = 4 * MAX_SCRYPT_MEMORY;
/// Largest iteration count that a file may ask of PBKDF2.
pub const MAX_PBKDF2_ITERATIONS: u32 = 4 << 20;
/// Largest secret, salt or other byte field, in bytes.
pub const MAX_FIELD_BYTES: usize = 1024;

const DERIVED_BYTES: usize = 32;
const SCRYPT_LOG_N: u8 = 18;
const SCRYPT_R: u32 = 8;
const SCRYPT_P: u32 = 1;
const PBKDF2_ITERATIONS: u32 = 1 << 18;

/// Why a keystore cannot be written or opened.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeystoreError {
    /// The checksum does not match.
    #[error("the password is wrong")]
    WrongPassword,
    /// The file has another version than 4.
    #[error("keystore version {version} is not supported, only 4 is")]
    Version {
        /// Version in the file.
        version: u32,
    },
    /// Cipher, checksum or pseudo-random function is none that EIP-2335 knows.
    #[error("{what} {name:?} is not supported")]
    Unsupported {
        /// Which choice.
        what: &'static str,
        /// What the file says.
        name: String,
    },
    /// The parameters of the key derivation are invalid or ask for too much memory or time.
    #[error("the key derivation parameters of the keystore are invalid or beyond the limits")]
    Parameters,
    /// A field has a wrong or excessive length, or is not hex.
    #[error("the keystore field {field} is not hex of an accepted length")]
    Field {
        /// Name of the field.
        field: &'static str,
    },
}

/// Which key derivation a new keystore uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kdf {
    /// scrypt with n = 2^18, r = 8, p = 1: 256 MiB and most of a second.
    Scrypt,
    /// PBKDF2-HMAC-SHA256 with 2^18 iterations: no memory, a twentieth of the time.
    Pbkdf2,
}

/// A keystore file. Reading one with serde checks its shape; [`Keystore::decrypt`] checks the rest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Keystore {
    crypto: Crypto,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pubkey: Option<String>,
    path: String,
    uuid: String,
    version: u32,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Crypto {
    kdf: KdfModule,
    checksum: Checksum,
    cipher: Cipher,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "function", content = "params", rename_all = "lowercase")]
enum KdfParams {
    Scrypt { dklen: u32, n: u64, p: u32, r: u32, salt: String },
    Pbkdf2 { dklen: u32, c: u32, prf: String, salt: String },
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct KdfModule {
    #[serde(flatten)]
    params: KdfParams,
    message: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Checksum {
    function: String,
    params: NoParams,
    message: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct NoParams {}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Cipher {
    function: String,
    params: CipherParams,
    message: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct CipherParams {
    iv: String,
}

impl Keystore {
    /// Encrypts a secret under a password. `pubkey_hex` has no `0x`; `path` is the EIP-2334 path or empty.
    ///
    /// # Errors
    /// [`KeystoreError::Field`] for an empty secret or one above [`MAX_FIELD_BYTES`].
    pub fn encrypt(
        secret: &[u8],
        password: &str,
        kdf: Kdf,
        pubkey_hex: &str,
        description: &str,
        path: &str,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Self, KeystoreError> {
        if secret.is_empty() || secret.len() > MAX_FIELD_BYTES {
            return Err(KeystoreError::Field { field: "cipher.message" });
        }
        let (mut salt, mut iv, mut uuid) = ([0u8; 32], [0u8; 16], [0u8; 16]);
        rng.fill_bytes(&mut salt);
        rng.fill_bytes(&mut iv);
        rng.fill_bytes(&mut uuid);
        let (salt, dklen) = (hex::encode(salt), DERIVED_BYTES as u32);
        let params = match kdf {
            Kdf::Scrypt => KdfParams::Scrypt { dklen, n: 1 << SCRYPT_LOG_N, p: SCRYPT_P, r: SCRYPT_R, salt },
            Kdf::Pbkdf2 => KdfParams::Pbkdf2 { dklen, c: PBKDF2_ITERATIONS, prf: "hmac-sha256".into(), salt },
        };
        let key = params.derive(password)?;
        let mut message = secret.to_vec();
        apply_cipher(&key, &iv, &mut message);
        let checksum = checksum(&key, &message);
        Ok(Self {
            crypto: Crypto {
                kdf: KdfModule { params, message: String::new() },
                checksum: Checksum { function: "sha256".into(), params: NoParams {}, message: hex::encode(checksum) },
                cipher: Cipher {
                    function: "aes-128-ctr".into(),
                    params: CipherParams { iv: hex::encode(iv) },
                    message: hex::encode(message),
                },
            },
            description: Some(description.into()),
            pubkey: Some(pubkey_hex.into()),
            path: path.into(),
            uuid: format_uuid(uuid),
            version: 4,
        })
    }

    /// Decrypts the secret.
    ///
    /// # Errors
    /// [`KeystoreError::WrongPassword`], or what is unsupported, malformed or beyond the limits. The limits
    /// are checked before memory or time is spent.
    pub fn decrypt(&self, password: &str) -> Result<Secret<Vec<u8>>, KeystoreError> {
        if self.version != 4 {
            return Err(KeystoreError::Version { version: self.version });
        }
        supported("checksum", &self.crypto.checksum.function, "sha256")?;
        supported("cipher", &self.crypto.cipher.function, "aes-128-ctr")?;
        let expected: [u8; 32] = fixed("checksum.message", &self.crypto.checksum.message)?;
        let iv: [u8; 16] = fixed("cipher.params.iv", &self.crypto.cipher.params.iv)?;
        let mut message = bounded("cipher.message", &self.crypto.cipher.message)?;
        let key = self.crypto.kdf.params.derive(password)?;
        if !bool::from(checksum(&key, &message).ct_eq(&expected)) {
            return Err(KeystoreError::WrongPassword);
        }
        apply_cipher(&key, &iv, &mut message);
        Ok(Secret::new(message))
    }

    /// The public key as written in the file, if any.
    #[must_use]
    pub fn pubkey(&self) -> Option<&str> {
        self.pubkey.as_deref()
    }

    /// The description, if any.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The EIP-2334 path, or empty.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The identifier of the file.
    #[must_use]
    pub fn uuid(&self) -> &str {
        &self.uuid
    }
}

impl KdfParams {
    /// The decryption key; refuses parameters beyond the limits before spending anything.
    fn derive(&self, password: &str) -> Result<Zeroizing<[u8; DERIVED_BYTES]>, KeystoreError> {
        let password = normalise(password);
        let mut key = Zeroizing::new([0u8; DERIVED_BYTES]);
        match self {
            Self::Scrypt { dklen, n, p, r, salt } => {
                let salt = bounded("kdf.params.salt", salt)?;
                let params = scrypt_params(*dklen, *n, *r, *p).ok_or(KeystoreError::Parameters)?;
                scrypt::scrypt(password.as_bytes(), &salt, &params, key.as_mut_slice())
                    .map_err(|_| KeystoreError::Parameters)?;
            }
            Self::Pbkdf2 { dklen, c, prf, salt } => {
                let salt = bounded("kdf.params.salt", salt)?;
                supported("pseudo-random function", prf, "hmac-sha256")?;
                if *dklen as usize != DERIVED_BYTES || *c == 0 || *c > MAX_PBKDF2_ITERATIONS {
                    return Err(KeystoreError::Parameters);
                }
                pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), &salt, *c, key.as_mut_slice());
            }
        }
        Ok(key)
    }
}

fn scrypt_params(dklen: u32, n: u64, r: u32, p: u32) -> Option<scrypt::Params> {
    let memory = 128u64.checked_mul(n)?.checked_mul(u64::from(r))?;
    let work = memory.checked_mul(u64::from(p))?;
    if dklen as usize != DERIVED_BYTES || !n.is_power_of_two() || memory > MAX_SCRYPT_MEMORY || work > MAX_SCRYPT_WORK {
        return None;
    }
    scrypt::Params::new(u8::try_from(n.ilog2()).ok()?, r, p, DERIVED_BYTES).ok()
}

/// NFKD, without control characters (C0, delete, C1), as EIP-2335 asks.
fn normalise(password: &str) -> Zeroizing<String> {
    // Reserved up front so that growing leaves no copies behind; NFKD of one character has at most 18.
    let mut normalised = Zeroizing::new(String::with_capacity(18 * 4 * password.chars().count()));
    normalised.extend(password.nfkd().filter(|c| !c.is_control()));
    normalised
}

fn apply_cipher(key: &[u8; DERIVED_BYTES], iv: &[u8; 16], message: &mut [u8]) {
    let mut half = Zeroizing::new([0u8; 16]);
    half.copy_from_slice(&key[..16]);
    Aes128Ctr::new((&*half).into(), iv.into()).apply_keystream(message);
}

fn checksum(key: &[u8; DERIVED_BYTES], message: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(&key[16..]).chain_update(message).finalize().into()
}

fn supported(what: &'static str, name: &str, only: &str) -> Result<(), KeystoreError> {
    if name == only {
        return Ok(());
    }
    Err(KeystoreError::Unsupported { what, name: name.chars().take(32).collect() })
}

fn bounded(field: &'static str, text: &str) -> Result<Vec<u8>, KeystoreError> {
    if text.len() > 2 * MAX_FIELD_BYTES {
        return Err(KeystoreError::Field { field });
    }
    hex::decode(text).map_err(|_| KeystoreError::Field { field })
}

fn fixed<const N: usize>(field: &'static str, text: &str) -> Result<[u8; N], KeystoreError> {
    let mut bytes = [0u8; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| KeystoreError::Field { field })?;
    Ok(bytes)
}

/// A random (version 4) UUID from 16 random bytes.
fn format_uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex::encode(bytes);
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}
