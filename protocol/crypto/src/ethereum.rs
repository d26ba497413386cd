//! Ethereum addresses, recoverable signatures and wallet keys.

use std::fmt;
use std::str::FromStr;

use k256::ecdsa::{RecoveryId, Signature as EcdsaSignature, SigningKey, VerifyingKey};
use rand_core::CryptoRngCore;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha3::{Digest, Keccak256};

use crate::hex_bytes::fixed_bytes;
use crate::secret::Secret;

/// Why an address, a wallet key or a wallet signature is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EthereumError {
    /// The text is not 0x and 40 hex digits.
    #[error("the address is not written as 0x and 40 hex digits")]
    AddressHex,
    /// The address has mixed case that does not match its EIP-55 checksum.
    #[error("the checksum in the letters of the address is wrong")]
    AddressChecksum,
    /// The scalar is zero or not below the group order.
    #[error("the wallet key is zero or not below the group order")]
    SecretKey,
    /// The signature is not 65 bytes of r, s and v.
    #[error("the signature does not have 65 bytes")]
    SignatureLength,
    /// v is none of 0, 1, 27 and 28.
    #[error("the last byte of the signature is none of 0, 1, 27 and 28")]
    RecoveryId,
    /// r or s is out of range, or s is in the upper half.
    #[error("the signature is malleable or out of range")]
    SignatureRange,
    /// No public key gives this signature.
    #[error("no key can be recovered from the signature")]
    Recovery,
}

/// Keccak-256.
#[must_use]
pub fn keccak256(bytes: &[u8]) -> [u8; 32] {
    Keccak256::digest(bytes).into()
}

/// The digest that wallets sign for a text message (EIP-191, version 0x45).
#[must_use]
pub fn personal_message_digest(text: &[u8]) -> [u8; 32] {
    let mut hasher = Keccak256::new();
    hasher.update(b"\x19Ethereum Signed Message:\n");
    hasher.update(text.len().to_string().as_bytes());
    hasher.update(text);
    hasher.finalize().into()
}

/// An account or contract.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Address(pub [u8; 20]);

impl Address {
    /// Whether this is the zero address, which nobody owns.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.0 == [0; 20]
    }

    /// The address of an uncompressed public key (65 bytes, leading 4).
    #[must_use]
    pub fn from_public_key(uncompressed: &[u8; 65]) -> Self {
        let mut address = [0u8; 20];
        address.copy_from_slice(&keccak256(&uncompressed[1..])[12..]);
        Self(address)
    }

    /// 40 hex digits whose letters carry the EIP-55 checksum.
    fn checksummed(&self) -> String {
        let lower = hex::encode(self.0);
        let digest = keccak256(lower.as_bytes());
        let upper_at = |i: usize| (digest[i / 2] >> (4 * (1 - i % 2))) & 8 != 0;
        lower.chars().enumerate().map(|(i, c)| if upper_at(i) { c.to_ascii_uppercase() } else { c }).collect()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", self.checksummed())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

impl FromStr for Address {
    type Err = EthereumError;

    fn from_str(text: &str) -> Result<Self, EthereumError> {
        let digits = text.strip_prefix("0x").ok_or(EthereumError::AddressHex)?;
        let mut bytes = [0u8; 20];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| EthereumError::AddressHex)?;
        let address = Self(bytes);
        let mixed = digits.bytes().any(|c| c.is_ascii_lowercase()) && digits.bytes().any(|c| c.is_ascii_uppercase());
        if mixed && address.checksummed() != digits {
            return Err(EthereumError::AddressChecksum);
        }
        Ok(address)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            crate::hex_bytes::serialize(&self.0, serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            crate::hex_bytes::deserialize::<20, D>(deserializer).map(Self)
        }
    }
}

/// A signature from which the signer can be recovered: r, s and v, with s in the lower half and v 27 or 28.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RecoverableSignature([u8; 65]);

impl RecoverableSignature {
    /// Reads r, s and v (0, 1, 27 or 28).
    ///
    /// # Errors
    /// A length other than 65, another v, r or s out of range, or s in the upper half.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EthereumError> {
        let mut bytes: [u8; 65] = bytes.try_into().map_err(|_| EthereumError::SignatureLength)?;
        bytes[64] = match bytes[64] {
            0 | 27 => 27,
            1 | 28 => 28,
            _ => return Err(EthereumError::RecoveryId),
        };
        let signature = EcdsaSignature::from_slice(&bytes[..64]).map_err(|_| EthereumError::SignatureRange)?;
        if signature.normalize_s().is_some() {
            return Err(EthereumError::SignatureRange);
        }
        Ok(Self(bytes))
    }

    /// r, s and v, with v 27 or 28.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 65] {
        self.0
    }
}

fixed_bytes!(RecoverableSignature, 65);

/// The address whose key made the signature over `digest`.
///
/// # Errors
/// [`EthereumError::Recovery`] when r is the x coordinate of no point.
pub fn recover(digest: &[u8; 32], signature: &RecoverableSignature) -> Result<Address, EthereumError> {
    recover_public_key(digest, signature).map(|key| Address::from_public_key(&key))
}

/// The uncompressed public key (65 bytes, leading 4) that made the signature over `digest`.
///
/// # Errors
/// [`EthereumError::Recovery`] when r is the x coordinate of no point.
pub fn recover_public_key(digest: &[u8; 32], signature: &RecoverableSignature) -> Result<[u8; 65], EthereumError> {
    let ecdsa = EcdsaSignature::from_slice(&signature.0[..64]).map_err(|_| EthereumError::SignatureRange)?;
    let id = RecoveryId::from_byte(signature.0[64] - 27).ok_or(EthereumError::RecoveryId)?;
    let key = VerifyingKey::recover_from_prehash(digest, &ecdsa, id).map_err(|_| EthereumError::Recovery)?;
    Ok(uncompressed(&key))
}

/// A wallet's secret key, for tests, demos and gateways that sign requests themselves.
#[derive(Clone)]
pub struct WalletKey(SigningKey);

impl WalletKey {
    /// Draws a new key.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        Self(SigningKey::random(rng))
    }

    /// Reads 32 big-endian bytes.
    ///
    /// # Errors
    /// [`EthereumError::SecretKey`] when the scalar is zero or not below the group order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, EthereumError> {
        SigningKey::from_slice(bytes).map(Self).map_err(|_| EthereumError::SecretKey)
    }

    /// The 32 big-endian bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Secret<[u8; 32]> {
        Secret::new(self.0.to_bytes().into())
    }

    /// The wallet's address.
    #[must_use]
    pub fn address(&self) -> Address {
        Address::from_public_key(&self.public_key_uncompressed())
    }

    /// The public key, 65 bytes with leading 4.
    #[must_use]
    pub fn public_key_uncompressed(&self) -> [u8; 65] {
        uncompressed(self.0.verifying_key())
    }

    /// Signs a 32-byte digest.
    #[must_use]
    pub fn sign_digest(&self, digest: &[u8; 32]) -> RecoverableSignature {
        let mut bytes = [0u8; 65];
        // Signing fails only for digests shorter than half the field, which the type excludes.
        if let Ok((signature, id)) = self.0.sign_prehash_recoverable(digest) {
            bytes[..64].copy_from_slice(&signature.to_bytes());
            bytes[64] = 27 + id.to_byte();
        }
        RecoverableSignature(bytes)
    }
}

impl fmt::Debug for WalletKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WalletKey([redacted])")
    }
}

fn uncompressed(key: &VerifyingKey) -> [u8; 65] {
    let mut bytes = [0u8; 65];
    let encoded = key.to_encoded_point(false);
    if let Some(source) = encoded.as_bytes().get(..65) {
        bytes.copy_from_slice(source);
    }
    bytes
}
