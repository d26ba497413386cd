//! Encryption of shares to operators, and the evidence when a share does not open.
//!
//! Two formats:
//!
//! * A **sealed vector** carries the K shares from one dealer to one receiver inside a ceremony. When it does
//!   not open, or its shares are wrong, the receiver publishes a [`Reveal`]: the Diffie-Hellman point with a
//!   proof that it is the right one. Anyone can then open the vector and see who lied.
//! * An **envelope** of 93 bytes carries one share of one validator to its operator, for the contracts.
//!
//! # A reveal is safe only for an ephemeral key whose owner is known
//!
//! A reveal for an ephemeral point E opens everything ever sealed to the receiver under E. A malicious dealer
//! could announce as its own the E of another dealing, of an older ceremony or of a published envelope, send
//! garbage, and have the honest receiver's complaint decrypt the original. A dealing must therefore carry a
//! signature by E itself over ceremony and dealer, and a receiver must refuse a dealing without it, not
//! complain.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::Aes128Gcm;
use chacha20poly1305::ChaCha20Poly1305;
use hkdf::Hkdf;
use k256::elliptic_curve::ops::Reduce;
use k256::elliptic_curve::sec1::ToEncodedPoint;
use k256::{ProjectivePoint, Scalar, U256};
use rand_core::CryptoRngCore;
use sha2::{Digest, Sha256, Sha512};
use zeroize::{Zeroize, Zeroizing};

use crate::bls;
use crate::hash::TaggedHash;
use crate::hex_bytes::fixed_bytes;
use crate::identity::{PublicKey, SecretKey};
use crate::polynomial::{SecretVector, VectorError, SCALAR_BYTES};

const VECTOR_LABEL: &[u8] = b"cluster-crypto/sealed-vector/1";
const ENVELOPE_LABEL: &[u8] = b"cluster-crypto/envelope/1";
const REVEAL_LABEL: &str = "cluster-crypto/reveal/1";
const REVEAL_NONCE_LABEL: &[u8] = b"cluster-crypto/reveal-nonce/1";

/// Bytes of an authentication tag, of both ciphers.
const TAG_BYTES: usize = 16;
const POINT_BYTES: usize = 33;
const NONCE_BYTES: usize = 12;

/// Bytes of an [`Envelope`]: ephemeral key, nonce, encrypted share, tag.
pub const ENVELOPE_BYTES: usize = POINT_BYTES + NONCE_BYTES + SCALAR_BYTES + TAG_BYTES;

/// Bytes of a [`Reveal`]: point, challenge, response.
pub const REVEAL_BYTES: usize = POINT_BYTES + 64;

/// Bytes of a vector of `k` shares when sealed.
#[must_use]
pub fn sealed_vector_bytes(k: usize) -> usize {
    k.saturating_mul(SCALAR_BYTES).saturating_add(TAG_BYTES)
}

/// Why sealed bytes do not open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    /// Another length than k shares and a tag.
    #[error("expected {expected} sealed bytes, got {got}")]
    WrongLength {
        /// 32 * k + 16.
        expected: usize,
        /// Bytes given.
        got: usize,
    },
    /// The tag is wrong: other key, other context, or changed bytes.
    #[error("the sealed bytes do not open under this key and context")]
    Tag,
    /// The plaintext is not a vector of scalars.
    #[error(transparent)]
    Vector(#[from] VectorError),
    /// The share inside an envelope is zero or not below the group order.
    #[error("the share in the envelope is not a key")]
    Share,
    /// The ephemeral key in an envelope is not a point.
    #[error("the ephemeral key in the envelope is not a point of the curve")]
    Ephemeral,
}

/// Why sealing fails, or sealed data cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SealError {
    /// The envelope has another length.
    #[error("an envelope has 93 bytes, not {got}")]
    EnvelopeLength {
        /// Bytes given.
        got: usize,
    },
    /// Shares and validators differ in number.
    #[error("there are {shares} shares and {validators} validators")]
    Mismatch {
        /// Number of shares.
        shares: usize,
        /// Number of validators.
        validators: usize,
    },
    /// The cipher refused, which it does only for messages of many gigabytes.
    #[error("the cipher refused the message")]
    Cipher,
}

/// Why a reveal is refused; the operator that published it is at fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RevealError {
    /// The bytes are not 97.
    #[error("a reveal has 97 bytes, not {got}")]
    WrongLength {
        /// Bytes given.
        got: usize,
    },
    /// The shared point is not a point of the curve, or is the identity.
    #[error("the revealed point is not a point of the curve")]
    Point,
    /// A scalar is not below the group order.
    #[error("a scalar of the proof is not below the group order")]
    Scalar,
    /// The proof of equal discrete logarithms is false.
    #[error("the proof does not show that the revealed point belongs to the receiver's key")]
    Proof,
}

/// What a sealed vector is bound to.
#[derive(Clone, Copy, Debug)]
pub struct DealContext<'a> {
    /// The ceremony.
    pub ceremony_id: &'a [u8; 32],
    /// Operator id of the dealer.
    pub dealer: u32,
    /// Operator id of the receiver.
    pub receiver: u32,
}

impl DealContext<'_> {
    fn to_bytes(self) -> [u8; 40] {
        let mut bytes = [0u8; 40];
        bytes[..32].copy_from_slice(self.ceremony_id);
        bytes[32..36].copy_from_slice(&self.dealer.to_be_bytes());
        bytes[36..].copy_from_slice(&self.receiver.to_be_bytes());
        bytes
    }
}

/// Seals the shares of one receiver: 32 bytes per share and a tag.
///
/// The key comes from the Diffie-Hellman point through HKDF-SHA256 with label, context and both public keys,
/// and serves for this one message, hence the zero nonce. The ephemeral key must be fresh for each dealing;
/// one serves all receivers of the dealing.
#[must_use]
pub fn seal_vector(
    ephemeral: &SecretKey,
    receiver: &PublicKey,
    ctx: DealContext<'_>,
    shares: &SecretVector,
) -> Vec<u8> {
    let point = Zeroizing::new(ecdh(ephemeral, receiver));
    let cipher = vector_cipher(&point, &ephemeral.public_key(), receiver, ctx);
    let sealed = shares
        .to_bytes()
        .expose(|plaintext| cipher.encrypt(&Default::default(), Payload { msg: plaintext, aad: &ctx.to_bytes() }));
    // The cipher refuses only messages of 256 GB and more; nothing would open under the empty answer.
    sealed.unwrap_or_default()
}

/// Opens the shares sealed to this receiver.
///
/// # Errors
/// Another length than `k` shares, a wrong tag, or scalars that are not below the group order.
pub fn open_vector(
    receiver: &SecretKey,
    ephemeral: &PublicKey,
    ctx: DealContext<'_>,
    sealed: &[u8],
    k: usize,
) -> Result<SecretVector, OpenError> {
    let point = Zeroizing::new(ecdh(receiver, ephemeral));
    open_with_point(&point, ephemeral, &receiver.public_key(), ctx, sealed, k)
}

/// The Diffie-Hellman point of a receiver's key and a dealer's ephemeral key, with a Chaum-Pedersen proof
/// that the receiver's key and the point have the same discrete logarithm to the bases G and E.
///
/// With R the receiver's key, E the ephemeral key, P the point and x the secret: the receiver sends P, c =
/// H(context, R, E, P, wG, wE) and z = w + cx; the verifier recomputes c from zG - cR and zE - cP. Both
/// equations hold for a P other than xE only if c takes the one value that w fixed before c was known:
/// probability 2^-256 per hash query. (Chaum, Pedersen, "Wallet Databases with Observers", CRYPTO 1992.)
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Reveal {
    point: PublicKey,
    challenge: Scalar,
    response: Scalar,
}

impl Reveal {
    /// Reads the point (33 bytes), the challenge and the response (32 bytes each).
    ///
    /// # Errors
    /// Any other length, the identity or no point, scalars not below the group order.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RevealError> {
        let bytes: &[u8; REVEAL_BYTES] = bytes.try_into().map_err(|_| RevealError::WrongLength { got: bytes.len() })?;
        let (point, scalars) = bytes.split_at(POINT_BYTES);
        let (challenge, response) = scalars.split_at(32);
        Ok(Self {
            point: PublicKey::from_bytes(point).map_err(|_| RevealError::Point)?,
            challenge: read_scalar(challenge)?,
            response: read_scalar(response)?,
        })
    }

    /// The 97 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; REVEAL_BYTES] {
        let mut bytes = [0u8; REVEAL_BYTES];
        bytes[..POINT_BYTES].copy_from_slice(&self.point.to_bytes());
        bytes[POINT_BYTES..65].copy_from_slice(&self.challenge.to_bytes());
        bytes[65..].copy_from_slice(&self.response.to_bytes());
        bytes
    }

    /// Whether the revealed point is the receiver's secret times the ephemeral key, in this context.
    ///
    /// # Errors
    /// [`RevealError::Proof`] when it is not shown to be.
    pub fn verify(&self, receiver: &PublicKey, ephemeral: &PublicKey, ctx: DealContext<'_>) -> Result<(), RevealError> {
        let on_generator = ProjectivePoint::GENERATOR * self.response - receiver.point() * self.challenge;
        let on_ephemeral = ephemeral.point() * self.response - self.point.point() * self.challenge;
        let challenge = reveal_challenge(receiver, ephemeral, &self.point, ctx, [on_generator, on_ephemeral]);
        if challenge == self.challenge {
            Ok(())
        } else {
            Err(RevealError::Proof)
        }
    }
}

fixed_bytes!(Reveal, REVEAL_BYTES);

/// Reveals what a vector was sealed with. Only for an ephemeral key whose owner is known: see the top of this
/// module.
#[must_use]
pub fn reveal(
    receiver: &SecretKey,
    ephemeral: &PublicKey,
    ctx: DealContext<'_>,
    rng: &mut impl CryptoRngCore,
) -> Reveal {
    let secret = Zeroizing::new(*receiver.scalar());
    let point = shared_point(receiver, ephemeral);
    let nonce = hedged_nonce(receiver, ephemeral, ctx, rng);
    let announcements = [ProjectivePoint::GENERATOR * *nonce, ephemeral.point() * *nonce];
    let challenge = reveal_challenge(&receiver.public_key(), ephemeral, &point, ctx, announcements);
    Reveal { point, challenge, response: *nonce + challenge * *secret }
}

/// Judges a complaint: opens a sealed vector with a revealed point.
///
/// The outer error says that the reveal itself is false and the receiver at fault. The inner result is what
/// the receiver saw: an error there, or shares that do not match the commitments, put the dealer at fault.
///
/// # Errors
/// [`RevealError::Proof`] when the proof is false.
pub fn open_revealed(
    reveal: &Reveal,
    receiver: &PublicKey,
    ephemeral: &PublicKey,
    ctx: DealContext<'_>,
    sealed: &[u8],
    k: usize,
) -> Result<Result<SecretVector, OpenError>, RevealError> {
    reveal.verify(receiver, ephemeral, ctx)?;
    let point = coordinates(&reveal.point);
    Ok(open_with_point(&point, ephemeral, receiver, ctx, sealed, k))
}

/// What an envelope is bound to, besides the validator.
#[derive(Clone, Copy, Debug)]
pub struct EnvelopeContext<'a> {
    /// The ceremony.
    pub ceremony_id: &'a [u8; 32],
    /// Id of the operator that can open it.
    pub operator_id: u32,
}

impl EnvelopeContext<'_> {
    /// Validator, operator and ceremony: associated data, and with the label the input of the key derivation.
    fn to_bytes(self, validator: &bls::PublicKey) -> [u8; 84] {
        let mut bytes = [0u8; 84];
        bytes[..48].copy_from_slice(&validator.to_bytes());
        bytes[48..52].copy_from_slice(&self.operator_id.to_be_bytes());
        bytes[52..].copy_from_slice(self.ceremony_id);
        bytes
    }
}

/// One share sealed to one operator, in the 93-byte layout that contracts and apps know: ephemeral key (33),
/// nonce (12), AES-128-GCM of the share (32) and tag (16).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Envelope([u8; ENVELOPE_BYTES]);

impl Envelope {
    /// Takes 93 bytes; whether they open is decided by [`open_envelope`].
    ///
    /// # Errors
    /// [`SealError::EnvelopeLength`] for any other length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        bytes.try_into().map(Self).map_err(|_| SealError::EnvelopeLength { got: bytes.len() })
    }

    /// The bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; ENVELOPE_BYTES] {
        self.0
    }
}

fixed_bytes!(Envelope, ENVELOPE_BYTES);

/// Seals share k to the operator for validator k, for every k, under one fresh ephemeral key.
///
/// Each envelope has its own key, since the validator goes into the derivation.
///
/// # Errors
/// [`SealError::Mismatch`] for different numbers of validators and shares.
pub fn seal_envelopes(
    receiver: &PublicKey,
    ctx: EnvelopeContext<'_>,
    validators: &[bls::PublicKey],
    shares: &SecretVector,
    rng: &mut impl CryptoRngCore,
) -> Result<Vec<Envelope>, SealError> {
    if validators.len() != shares.len() {
        return Err(SealError::Mismatch { shares: shares.len(), validators: validators.len() });
    }
    let ephemeral = SecretKey::generate(rng);
    let ephemeral_bytes = ephemeral.public_key().to_bytes();
    let point = Zeroizing::new(ecdh(&ephemeral, receiver));
    let plaintexts = shares.to_bytes();
    plaintexts.expose(|plaintexts| {
        plaintexts
            .chunks_exact(SCALAR_BYTES)
            .zip(validators)
            .map(|(share, validator)| {
                let bound = ctx.to_bytes(validator);
                let mut nonce = [0u8; NONCE_BYTES];
                rng.fill_bytes(&mut nonce);
                let payload = Payload { msg: share, aad: &bound };
                let sealed =
                    envelope_cipher(&point, &bound).encrypt(&nonce.into(), payload).map_err(|_| SealError::Cipher)?;
                Envelope::from_bytes(&[ephemeral_bytes.as_slice(), &nonce, &sealed].concat())
            })
            .collect()
    })
}

/// Opens an envelope.
///
/// # Errors
/// An ephemeral key that is no point, a wrong tag (other operator, validator or ceremony, or changed bytes),
/// a share that is no key.
pub fn open_envelope(
    receiver: &SecretKey,
    ctx: EnvelopeContext<'_>,
    validator: &bls::PublicKey,
    envelope: &Envelope,
) -> Result<bls::SecretKey, OpenError> {
    let (ephemeral, rest) = envelope.0.split_at(POINT_BYTES);
    let (nonce, sealed) = rest.split_at(NONCE_BYTES);
    let ephemeral = PublicKey::from_bytes(ephemeral).map_err(|_| OpenError::Ephemeral)?;
    let point = Zeroizing::new(ecdh(receiver, &ephemeral));
    let bound = ctx.to_bytes(validator);
    let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| OpenError::Tag)?;
    let plaintext = envelope_cipher(&point, &bound)
        .decrypt(&nonce.into(), Payload { msg: sealed, aad: &bound })
        .map(Zeroizing::new)
        .map_err(|_| OpenError::Tag)?;
    let share = Zeroizing::new(<[u8; 32]>::try_from(plaintext.as_slice()).map_err(|_| OpenError::Share)?);
    bls::SecretKey::from_bytes(&share).map_err(|_| OpenError::Share)
}

fn open_with_point(
    point: &[u8; 64],
    ephemeral: &PublicKey,
    receiver: &PublicKey,
    ctx: DealContext<'_>,
    sealed: &[u8],
    k: usize,
) -> Result<SecretVector, OpenError> {
    let expected = sealed_vector_bytes(k);
    if sealed.len() != expected {
        return Err(OpenError::WrongLength { expected, got: sealed.len() });
    }
    let plaintext = vector_cipher(point, ephemeral, receiver, ctx)
        .decrypt(&Default::default(), Payload { msg: sealed, aad: &ctx.to_bytes() })
        .map(Zeroizing::new)
        .map_err(|_| OpenError::Tag)?;
    Ok(SecretVector::from_bytes(&plaintext, k)?)
}

fn vector_cipher(
    point: &[u8; 64],
    ephemeral: &PublicKey,
    receiver: &PublicKey,
    ctx: DealContext<'_>,
) -> ChaCha20Poly1305 {
    let mut key = chacha20poly1305::Key::default();
    expand(point, &[VECTOR_LABEL, &ctx.to_bytes(), &ephemeral.to_bytes(), &receiver.to_bytes()], &mut key);
    let cipher = ChaCha20Poly1305::new(&key);
    key.zeroize();
    cipher
}

fn envelope_cipher(point: &[u8; 64], bound: &[u8; 84]) -> Aes128Gcm {
    let mut key = aes_gcm::Key::<Aes128Gcm>::default();
    expand(point, &[ENVELOPE_LABEL, bound], &mut key);
    let cipher = Aes128Gcm::new(&key);
    key.zeroize();
    cipher
}

/// HKDF-SHA256 without salt.
fn expand(secret: &[u8; 64], info: &[&[u8]], key: &mut [u8]) {
    // Expansion fails only for more than 8,160 bytes; the keys have 16 and 32.
    let _ = Hkdf::<Sha256>::new(None, secret).expand_multi_info(info, key);
}

/// The Diffie-Hellman point; constant time in the secret.
fn shared_point(secret: &SecretKey, public: &PublicKey) -> PublicKey {
    let point = public.point() * *secret.scalar();
    // A scalar other than zero times a point other than the identity, in a group of prime order.
    k256::PublicKey::from_affine(point.to_affine()).map_or_else(|_| secret.public_key(), PublicKey::from_point)
}

/// x and y of the Diffie-Hellman point, 32 bytes each.
fn ecdh(secret: &SecretKey, public: &PublicKey) -> [u8; 64] {
    coordinates(&shared_point(secret, public))
}

fn coordinates(point: &PublicKey) -> [u8; 64] {
    let mut bytes = [0u8; 64];
    let encoded = point.point().to_affine().to_encoded_point(false);
    if let Some(source) = encoded.as_bytes().get(1..65) {
        bytes.copy_from_slice(source);
    }
    bytes
}

fn read_scalar(bytes: &[u8]) -> Result<Scalar, RevealError> {
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| RevealError::Scalar)?;
    k256::elliptic_curve::PrimeField::from_repr(bytes.into()).into_option().ok_or(RevealError::Scalar)
}

fn reveal_challenge(
    receiver: &PublicKey,
    ephemeral: &PublicKey,
    point: &PublicKey,
    ctx: DealContext<'_>,
    announcements: [ProjectivePoint; 2],
) -> Scalar {
    let mut hash = TaggedHash::new(REVEAL_LABEL)
        .bytes(&ctx.to_bytes())
        .bytes(&receiver.to_bytes())
        .bytes(&ephemeral.to_bytes())
        .bytes(&point.to_bytes());
    for announcement in announcements {
        hash = hash.bytes(announcement.to_affine().to_encoded_point(true).as_bytes());
    }
    <Scalar as Reduce<U256>>::reduce_bytes(&hash.finish().into())
}

/// The nonce of a reveal, from the generator's output, the secret and the statement: a repeated output of the
/// generator must not give the identity key away.
fn hedged_nonce(
    receiver: &SecretKey,
    ephemeral: &PublicKey,
    ctx: DealContext<'_>,
    rng: &mut impl CryptoRngCore,
) -> Zeroizing<Scalar> {
    let mut fresh = Zeroizing::new([0u8; 32]);
    rng.fill_bytes(fresh.as_mut_slice());
    let mut hasher = Sha512::new();
    hasher.update(REVEAL_NONCE_LABEL);
    hasher.update(fresh.as_slice());
    receiver.to_bytes().expose(|bytes| hasher.update(bytes));
    hasher.update(ephemeral.to_bytes());
    hasher.update(ctx.to_bytes());
    let wide = Zeroizing::new(<[u8; 64]>::from(hasher.finalize()));
    Zeroizing::new(<Scalar as Reduce<k256::elliptic_curve::bigint::U512>>::reduce_bytes((&*wide).into()))
}
