//! Validator keys and signatures: BLS12-381 with keys in G1 and signatures in G2, ciphersuite
//! `BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_` as Ethereum uses it.
//!
//! Every [`PublicKey`] and [`Signature`] lies in the subgroup of order r and is not the identity: both are
//! checked once, when they are read.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};

use bls12_381::Scalar;
use rand_core::CryptoRngCore;
use zeroize::Zeroizing;

use crate::curve::{self, G1Affine, G2Affine, MillerLoop, G1, G2};
use crate::hex_bytes::{fixed_bytes, to_hex};
use crate::secret::Secret;

/// Domain separation tag of the ciphersuite.
const DOMAIN: &[u8] = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

/// Bytes of a randomiser in batch verification: a false batch passes with probability 2^-64, once per attempt
/// and never offline, since the verifier draws it.
pub(crate) const RANDOMISER_BYTES: usize = 8;

/// Why a key or signature is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BlsError {
    /// The bytes do not have the length of the encoding.
    #[error("expected {expected} bytes, got {got}")]
    Length {
        /// Length of the encoding.
        expected: usize,
        /// Length given.
        got: usize,
    },
    /// The bytes do not encode a point of the curve.
    #[error("the bytes do not encode a point of the curve")]
    Encoding,
    /// The point is the identity.
    #[error("the point is the identity")]
    Identity,
    /// The point lies on the curve and outside the subgroup.
    #[error("the point is not in the subgroup")]
    Subgroup,
    /// The scalar is zero or not below the group order.
    #[error("the secret key is zero or not below the group order")]
    SecretKey,
    /// An aggregate of no signatures was asked for.
    #[error("there is nothing to aggregate")]
    Empty,
}

/// A public key: a point of G1 in the subgroup, not the identity. 48 bytes compressed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(pub(crate) G1Affine);

impl PublicKey {
    /// Bytes of the encoding.
    pub const BYTES: usize = G1Affine::COMPRESSED;

    /// Reads 48 compressed bytes and checks the point.
    ///
    /// # Errors
    /// A wrong length, an encoding of no point, the identity, or a point outside the subgroup.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BlsError> {
        let bytes = exact::<{ Self::BYTES }>(bytes)?;
        let point = G1Affine::uncompress(&bytes).ok_or(BlsError::Encoding)?;
        if point.is_identity() {
            return Err(BlsError::Identity);
        }
        if !point.in_group() {
            return Err(BlsError::Subgroup);
        }
        Ok(Self(point))
    }

    /// The 48 compressed bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        self.0.compress()
    }
}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.to_bytes().hash(state);
    }
}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.to_bytes().cmp(&other.to_bytes())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.to_bytes()))
    }
}

fixed_bytes!(PublicKey, PublicKey::BYTES);

/// A signature: a point of G2 in the subgroup, not the identity. 96 bytes compressed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub(crate) G2Affine);

impl Signature {
    /// Bytes of the encoding.
    pub const BYTES: usize = G2Affine::COMPRESSED;

    /// Reads 96 compressed bytes and checks the point.
    ///
    /// # Errors
    /// A wrong length, an encoding of no point, the identity, or a point outside the subgroup.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BlsError> {
        let bytes = exact::<{ Self::BYTES }>(bytes)?;
        let point = G2Affine::uncompress(&bytes).ok_or(BlsError::Encoding)?;
        if point.is_identity() {
            return Err(BlsError::Identity);
        }
        if !point.in_group() {
            return Err(BlsError::Subgroup);
        }
        Ok(Self(point))
    }

    /// The 96 compressed bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        self.0.compress()
    }
}

impl Hash for Signature {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.to_bytes().hash(state);
    }
}

fixed_bytes!(Signature, Signature::BYTES);

/// A message hashed to G2, computed once and used for signing, verification and combination.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HashedMessage(pub(crate) G2Affine);

impl HashedMessage {
    /// Hashes a message, usually a 32-byte signing root.
    #[must_use]
    pub fn new(message: &[u8]) -> Self {
        Self(G2::hash(message, DOMAIN).to_affine())
    }
}

impl fmt::Debug for HashedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HashedMessage({})", to_hex(&self.0.compress()))
    }
}

/// A secret key or a share of one: a scalar other than zero.
pub struct SecretKey(Secret<Scalar>);

impl SecretKey {
    /// Draws a key.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        loop {
            if let Some(key) = Self::from_scalar(curve::random_scalar(rng)) {
                return key;
            }
        }
    }

    /// Reads 32 big-endian bytes.
    ///
    /// # Errors
    /// [`BlsError::SecretKey`] when the scalar is zero or not below the group order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, BlsError> {
        curve::scalar_from_be(bytes).and_then(Self::from_scalar).ok_or(BlsError::SecretKey)
    }

    /// The 32 big-endian bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Secret<[u8; 32]> {
        Secret::new(self.0.expose(curve::scalar_to_be))
    }

    /// The matching public key.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.expose(G1::mul_generator).to_affine())
    }

    /// Signs a hashed message, in a time independent of the key.
    #[must_use]
    pub fn sign(&self, message: &HashedMessage) -> Signature {
        Signature(self.0.expose(|scalar| G2::from(message.0).mul_secret(scalar)).to_affine())
    }

    pub(crate) fn scalar(&self) -> Zeroizing<Scalar> {
        self.0.expose(|scalar| Zeroizing::new(*scalar))
    }

    pub(crate) fn from_scalar(scalar: Scalar) -> Option<Self> {
        (scalar != Scalar::zero()).then(|| Self(Secret::new(scalar)))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bls::SecretKey([redacted])")
    }
}

/// Whether the signature is by this key over this message.
#[must_use]
pub fn verify(key: &PublicKey, message: &HashedMessage, signature: &Signature) -> bool {
    let negated = G1Affine::generator().negate();
    curve::pairing_product_is_one([(&key.0, &message.0), (&negated, &signature.0)])
}

/// Whether all signatures are right, with one Miller loop per distinct message and one more.
///
/// Each signature gets an independent non-zero 64-bit coefficient, drawn here, after the items are fixed; if
/// any of them is wrong the linear combination holds with probability at most 2^-64 (small exponents test:
/// Bellare, Garay, Rabin, "Fast Batch Verification for Modular Exponentiation and Digital Signatures",
/// EUROCRYPT 1998). The test needs all points in a group of prime order, which the types promise. True for
/// no items.
#[must_use]
pub fn verify_batch(items: &[(PublicKey, HashedMessage, Signature)], rng: &mut impl CryptoRngCore) -> bool {
    let keys: Vec<_> = items.iter().map(|(key, _, _)| key.0).collect();
    let messages: Vec<_> = items.iter().map(|(_, message, _)| message.0).collect();
    let signatures: Vec<_> = items.iter().map(|(_, _, signature)| signature.0).collect();
    verify_combination(&keys, &messages, &signatures, &G1::from(G1Affine::generator()), rng)
}

/// Whether e(key_k, message_k) = e(base, signature_k) for every k, by one random linear combination.
/// All points must lie in the subgroups.
pub(crate) fn verify_combination(
    keys: &[G1Affine],
    messages: &[G2Affine],
    signatures: &[G2Affine],
    base: &G1,
    rng: &mut impl CryptoRngCore,
) -> bool {
    if keys.len() != messages.len() || keys.len() != signatures.len() {
        return false;
    }
    let randomisers = curve::nonzero_randomisers(keys.len(), RANDOMISER_BYTES, rng);
    let mut product = MillerLoop::new();
    let (points, messages) = randomised_keys(keys, messages, &randomisers);
    for (point, message) in points.iter().zip(&messages) {
        product.pair(point, message);
    }
    let combined = G2::msm(signatures, &randomisers, 8 * RANDOMISER_BYTES);
    product.pair(&base.negate().to_affine(), &combined.to_affine());
    product.equals_one()
}

/// The sum of randomiser times key for each distinct message. Duties sign one message with many keys, which
/// then costs one Miller loop in all.
fn randomised_keys(keys: &[G1Affine], messages: &[G2Affine], randomisers: &[u8]) -> (Vec<G1Affine>, Vec<G2Affine>) {
    let mut groups: HashMap<[u8; G2Affine::UNCOMPRESSED], usize> = HashMap::new();
    let mut distinct: Vec<(G2Affine, Vec<G1Affine>, Vec<u8>)> = Vec::new();
    for ((key, message), randomiser) in keys.iter().zip(messages).zip(randomisers.chunks_exact(RANDOMISER_BYTES)) {
        let group = *groups.entry(message.serialize()).or_insert_with(|| {
            distinct.push((*message, Vec::new(), Vec::new()));
            distinct.len() - 1
        });
        if let Some((_, keys, scalars)) = distinct.get_mut(group) {
            keys.push(*key);
            scalars.extend_from_slice(randomiser);
        }
    }
    let points: Vec<_> =
        distinct.iter().map(|(_, keys, scalars)| G1::msm(keys, scalars, 8 * RANDOMISER_BYTES)).collect();
    (G1::batch_to_affine(&points), distinct.into_iter().map(|(message, _, _)| message).collect())
}

/// The sum of signatures.
///
/// # Errors
/// [`BlsError::Empty`] for none, [`BlsError::Identity`] when they cancel out.
pub fn aggregate(signatures: &[Signature]) -> Result<Signature, BlsError> {
    if signatures.is_empty() {
        return Err(BlsError::Empty);
    }
    let points: Vec<_> = signatures.iter().map(|signature| signature.0).collect();
    let sum = G2Affine::sum(&points);
    if sum.is_identity() {
        return Err(BlsError::Identity);
    }
    Ok(Signature(sum))
}

/// Whether an aggregate over one message is right. The keys must come with proofs of possession. False for no
/// keys.
#[must_use]
pub fn fast_aggregate_verify(keys: &[PublicKey], message: &HashedMessage, signature: &Signature) -> bool {
    let points: Vec<_> = keys.iter().map(|key| key.0).collect();
    let sum = G1Affine::sum(&points);
    !sum.is_identity() && verify(&PublicKey(sum), message, signature)
}

/// Whether an aggregate over one message per key is right. False for no keys or unequal lengths.
#[must_use]
pub fn aggregate_verify(keys: &[PublicKey], messages: &[HashedMessage], signature: &Signature) -> bool {
    if keys.is_empty() || keys.len() != messages.len() {
        return false;
    }
    let negated = G1Affine::generator().negate();
    let pairs = keys.iter().zip(messages).map(|(key, message)| (&key.0, &message.0));
    curve::pairing_product_is_one(pairs.chain([(&negated, &signature.0)]))
}

fn exact<const N: usize>(bytes: &[u8]) -> Result<[u8; N], BlsError> {
    bytes.try_into().map_err(|_| BlsError::Length { expected: N, got: bytes.len() })
}
