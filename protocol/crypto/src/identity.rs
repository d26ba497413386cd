//! secp256k1 identities of operators and gateways.
//!
//! The key registered on chain (33 bytes, compressed) is also the key of the mesh identity, so that a peer is
//! a registry entry.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use k256::ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
use k256::ecdsa::{Signature as EcdsaSignature, SigningKey, VerifyingKey};
use k256::elliptic_curve::sec1::ToEncodedPoint;
use rand_core::CryptoRngCore;

use crate::hex_bytes::{fixed_bytes, from_hex, to_hex};
use crate::secret::Secret;

/// Why an identity key or signature is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IdentityError {
    /// The bytes are not a scalar in 1..n.
    #[error("the secret key is zero or not below the group order")]
    SecretKey,
    /// The bytes are not a compressed point of the curve.
    #[error("the public key is not a compressed secp256k1 point of 33 bytes")]
    PublicKey,
    /// The signature has another length than 64 bytes.
    #[error("the signature does not have 64 bytes")]
    SignatureLength,
    /// The signature does not match key and digest, or its s is in the upper half.
    #[error("the signature does not match the key and the message")]
    Signature,
    /// The text is not 0x and 66 hex digits.
    #[error("the public key is not written as 0x and 66 hex digits")]
    Hex,
}

/// The secret key of an operator or gateway.
#[derive(Clone)]
pub struct SecretKey(k256::SecretKey);

impl SecretKey {
    /// Draws a new key.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        Self(k256::SecretKey::random(rng))
    }

    /// Reads 32 big-endian bytes.
    ///
    /// # Errors
    /// [`IdentityError::SecretKey`] when the scalar is zero or not below the group order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, IdentityError> {
        k256::SecretKey::from_slice(bytes).map(Self).map_err(|_| IdentityError::SecretKey)
    }

    /// The 32 big-endian bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Secret<[u8; 32]> {
        Secret::new(self.0.to_bytes().into())
    }

    /// The matching public key.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey::from_point(self.0.public_key())
    }

    /// Signs a 32-byte digest: ECDSA with the nonce of RFC 6979, s in the lower half.
    #[must_use]
    pub fn sign(&self, digest: &[u8; 32]) -> Signature {
        let key = SigningKey::from(&self.0);
        // Signing fails only for digests shorter than half the field, which the type excludes; the zero
        // signature that would stand for it verifies under no key.
        let signature: Option<EcdsaSignature> = key.sign_prehash(digest).ok();
        Signature(signature.map_or([0; 64], |signature| signature.to_bytes().into()))
    }

    pub(crate) fn scalar(&self) -> k256::NonZeroScalar {
        self.0.to_nonzero_scalar()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("identity::SecretKey([redacted])")
    }
}

/// The public key of an operator or gateway: a point of secp256k1 other than the identity.
#[derive(Clone, Copy)]
pub struct PublicKey {
    bytes: [u8; 33],
    point: k256::PublicKey,
}

impl PublicKey {
    /// Reads a compressed point.
    ///
    /// # Errors
    /// [`IdentityError::PublicKey`] unless there are 33 bytes that encode a point of the curve.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, IdentityError> {
        let bytes: [u8; 33] = bytes.try_into().map_err(|_| IdentityError::PublicKey)?;
        // SEC 1 has a third form of this length, tag 5: one key would have two encodings, and so two identities.
        if !matches!(bytes[0], 2 | 3) {
            return Err(IdentityError::PublicKey);
        }
        let point = k256::PublicKey::from_sec1_bytes(&bytes).map_err(|_| IdentityError::PublicKey)?;
        Ok(Self { bytes, point })
    }

    /// The compressed point.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 33] {
        self.bytes
    }

    /// Checks a signature over a 32-byte digest.
    ///
    /// # Errors
    /// [`IdentityError::Signature`] when it does not match, or when s is in the upper half, so that nobody
    /// can turn a signature into a second one.
    pub fn verify(&self, digest: &[u8; 32], signature: &Signature) -> Result<(), IdentityError> {
        let signature = EcdsaSignature::from_slice(&signature.0).map_err(|_| IdentityError::Signature)?;
        if signature.normalize_s().is_some() {
            return Err(IdentityError::Signature);
        }
        VerifyingKey::from(&self.point).verify_prehash(digest, &signature).map_err(|_| IdentityError::Signature)
    }

    pub(crate) fn from_point(point: k256::PublicKey) -> Self {
        let mut bytes = [0u8; 33];
        // A compressed point other than the identity always has 33 bytes.
        let encoded = point.to_encoded_point(true);
        if let Some(source) = encoded.as_bytes().get(..33) {
            bytes.copy_from_slice(source);
        }
        Self { bytes, point }
    }

    pub(crate) fn point(&self) -> k256::ProjectivePoint {
        self.point.to_projective()
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for PublicKey {}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.bytes.cmp(&other.bytes)
    }
}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes.hash(state);
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.bytes))
    }
}

impl FromStr for PublicKey {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        Self::from_bytes(&from_hex::<33>(text).ok_or(IdentityError::Hex)?)
    }
}

fixed_bytes!(PublicKey, 33);

/// An ECDSA signature, r and s of 32 bytes each.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Takes 64 bytes; whether they mean anything is decided by [`PublicKey::verify`].
    ///
    /// # Errors
    /// [`IdentityError::SignatureLength`] for any other length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, IdentityError> {
        bytes.try_into().map(Self).map_err(|_| IdentityError::SignatureLength)
    }

    /// r and s.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 64] {
        self.0
    }
}

fixed_bytes!(Signature, 64);
