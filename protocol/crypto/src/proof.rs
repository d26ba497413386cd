//! Proof of knowledge of K constant terms at once.

use bls12_381::Scalar;
use rand_core::CryptoRngCore;
use sha2::{Digest, Sha512};
use zeroize::{Zeroize, Zeroizing};

use crate::bls::BlsError;
use crate::curve::{self, G1Affine, G1};
use crate::feldman::{combine_scalars, Commitments, RANDOMISER_BYTES};
use crate::hash::TaggedHash;
use crate::hex_bytes::fixed_bytes;
use crate::polynomial::SecretVector;

/// Bytes of a proof: a compressed point and a scalar.
pub const PROOF_BYTES: usize = 80;

/// A Schnorr proof for all K constant terms of a dealer, of the size of one.
///
/// For A_k = a_k * G the prover sends R = w * G and z = w + sum of e_k * a_k, where e_k is a 128-bit hash of
/// context, digest of all commitments, R and k; the verifier checks z * G = R + sum of e_k * A_k.
///
/// Soundness: the challenges are independent and come after all A_k and R are fixed. A prover that answers
/// two challenge vectors that differ in one place alone reveals the witness of that place, so one that
/// succeeds with probability noticeably above 2^-128 per hash query knows every a_k. This is the batch
/// Schnorr identification of Gennaro, Leigh, Sundaram and Yerazunis ("Batching Schnorr Identification Scheme
/// with Applications to Privacy-Preserving Authorization and Low-Bandwidth Communication Devices", ASIACRYPT
/// 2004), with independent challenges in place of powers of one, made non-interactive by Fiat and Shamir's
/// transform over everything in the statement. The context binds the proof to ceremony and dealer: it cannot
/// be replayed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KnowledgeProof {
    nonce: G1Affine,
    response: Scalar,
}

/// Why the bytes of a proof are refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProofError {
    /// The bytes are not 80.
    #[error("a proof of knowledge has 80 bytes, not {got}")]
    WrongLength {
        /// Bytes given.
        got: usize,
    },
    /// The first 48 bytes are not a point of the group other than the identity.
    #[error("the nonce point of the proof is refused: {0}")]
    Point(BlsError),
    /// The last 32 bytes are not below the group order.
    #[error("the response of the proof is not below the group order")]
    Scalar,
}

impl KnowledgeProof {
    /// Reads 48 bytes of a point, checked for the group, and 32 big-endian bytes of a scalar.
    ///
    /// # Errors
    /// Any other length, point or scalar.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProofError> {
        let wrong_length = ProofError::WrongLength { got: bytes.len() };
        let (point, scalar) = bytes.split_at_checked(G1Affine::COMPRESSED).ok_or(wrong_length)?;
        let scalar: [u8; 32] = scalar.try_into().map_err(|_| wrong_length)?;
        let nonce = crate::bls::PublicKey::from_bytes(point).map_err(ProofError::Point)?.0;
        let response = curve::scalar_from_be(&scalar).ok_or(ProofError::Scalar)?;
        Ok(Self { nonce, response })
    }

    /// The 80 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; PROOF_BYTES] {
        let mut bytes = [0u8; PROOF_BYTES];
        bytes[..48].copy_from_slice(&self.nonce.compress());
        bytes[48..].copy_from_slice(&curve::scalar_to_be(&self.response));
        bytes
    }

    pub(crate) fn prove(
        constants: &SecretVector,
        context: &[u8; 32],
        commitments: &Commitments,
        rng: &mut impl CryptoRngCore,
    ) -> Self {
        let digest = commitments.digest();
        let mut witness = hedged_nonce(constants, context, &digest, rng);
        let nonce = G1::mul_generator(&witness).to_affine();
        let challenges = challenges(context, &digest, &nonce, constants.len());
        let mut combined = combine_scalars(constants.scalars(), &challenges);
        let response = witness + combined;
        witness.zeroize();
        combined.zeroize();
        Self { nonce, response }
    }

    pub(crate) fn verify(&self, context: &[u8; 32], commitments: &Commitments) -> bool {
        let constants = commitments.constant_terms();
        let challenges = challenges(context, &commitments.digest(), &self.nonce, constants.len());
        let expected = G1::msm(&constants, &challenges, 8 * RANDOMISER_BYTES).add_affine(&self.nonce);
        let difference = G1::mul_generator(&self.response).add(&expected.negate());
        difference.clear_cofactor().is_identity()
    }
}

fixed_bytes!(KnowledgeProof, PROOF_BYTES);

/// The nonce w, from the generator's output and from everything that determines the proof. Should a restored
/// machine draw the same randomness for another statement, the nonce still differs, and the two proofs do
/// not give the constant terms away.
fn hedged_nonce(
    constants: &SecretVector,
    context: &[u8; 32],
    digest: &[u8; 32],
    rng: &mut impl CryptoRngCore,
) -> Scalar {
    let mut fresh = Zeroizing::new([0u8; 32]);
    rng.fill_bytes(fresh.as_mut_slice());
    let mut hasher = Sha512::new();
    hasher.update(b"cluster-crypto/knowledge-nonce/1");
    hasher.update(fresh.as_slice());
    hasher.update(context);
    hasher.update(digest);
    constants.to_bytes().expose(|bytes| hasher.update(bytes));
    let wide = Zeroizing::new(<[u8; 64]>::from(hasher.finalize()));
    Scalar::from_bytes_wide(&wide)
}

/// The K challenges of 128 bits, little-endian, one after the other.
fn challenges(context: &[u8; 32], digest: &[u8; 32], nonce: &G1Affine, k: usize) -> Vec<u8> {
    let seed =
        TaggedHash::new("cluster-crypto/knowledge/1").bytes(context).bytes(digest).bytes(&nonce.compress()).finish();
    let mut challenges = Vec::with_capacity(k * RANDOMISER_BYTES);
    for position in 0..k {
        let challenge =
            TaggedHash::new("cluster-crypto/knowledge-challenge/1").bytes(&seed).u64(position as u64).finish();
        challenges.extend_from_slice(&challenge[..RANDOMISER_BYTES]);
    }
    challenges
}
