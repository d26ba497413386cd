//! Feldman commitments: the public side of the polynomials, vectorised over K keys.
//!
//! # Points outside the subgroup
//!
//! Commitments are read with an on-curve check only; membership in the subgroup of order r costs a hundred
//! times more and is checked once, for sums over dealers ([`Commitments::check_subgroup`]). Until then a
//! point may be P + T with T of an order that divides the cofactor. [`Commitments::verify_shares`] and
//! [`Commitments::verify_knowledge`] therefore multiply their final equation by the effective cofactor: they
//! judge P and ignore T. That makes their verdict the same for every judge whatever randomisers it draws,
//! which blame needs.

use rand_core::CryptoRngCore;

use bls12_381::Scalar;
use zeroize::Zeroize;

use crate::bls;
use crate::curve::{self, G1Affine, G1};
use crate::hash::TaggedHash;
use crate::params::{ShareIndex, Threshold};
use crate::polynomial::SecretVector;
use crate::proof::KnowledgeProof;

/// Bytes of one commitment: an uncompressed point, sixty times cheaper to read than a compressed one.
pub const COMMITMENT_BYTES: usize = G1Affine::UNCOMPRESSED;

/// Bytes of the coefficients of linear combinations in key generation: a false statement passes with
/// probability 2^-128.
pub(crate) const RANDOMISER_BYTES: usize = 16;

/// Why commitments are refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CommitmentError {
    /// Another length than k * t points. A longer vector would raise the threshold and lock the keys.
    #[error("expected {expected} bytes of commitments, got {got}")]
    WrongLength {
        /// 96 * k * t.
        expected: usize,
        /// Bytes given.
        got: usize,
    },
    /// The bytes encode no point of the curve.
    #[error("coefficient {coefficient} of key {key} is not a point of the curve")]
    Point {
        /// Position of the polynomial, from 0.
        key: usize,
        /// Degree of the coefficient, from 0.
        coefficient: usize,
    },
    /// A commitment, or a sum of commitments, is the identity.
    #[error("coefficient {coefficient} of key {key} is the identity")]
    Identity {
        /// Position of the polynomial, from 0.
        key: usize,
        /// Degree of the coefficient, from 0.
        coefficient: usize,
    },
    /// The commitments to add are none, or differ in k or in the threshold.
    #[error("the commitments to add have different shapes")]
    Shape,
}

/// Commitments to K polynomials of degree t-1: K * t points of the curve, none of them the identity.
#[derive(Clone, PartialEq, Eq)]
pub struct Commitments {
    threshold: Threshold,
    /// k-major: the t points of polynomial 0 from the constant term up, then those of polynomial 1.
    points: Vec<G1Affine>,
}

impl Commitments {
    /// Reads k * t uncompressed points of 96 bytes, k-major. Not checked for the subgroup.
    ///
    /// # Errors
    /// Any other length, a point off the curve, the identity.
    pub fn from_bytes(bytes: &[u8], k: usize, threshold: Threshold) -> Result<Self, CommitmentError> {
        let (chunks, rest) = bytes.as_chunks::<COMMITMENT_BYTES>();
        let expected = k.saturating_mul(threshold.t());
        if chunks.len() != expected || !rest.is_empty() {
            return Err(CommitmentError::WrongLength {
                expected: expected.saturating_mul(COMMITMENT_BYTES),
                got: bytes.len(),
            });
        }
        let mut points = Vec::with_capacity(chunks.len());
        for (i, chunk) in chunks.iter().enumerate() {
            let (key, coefficient) = (i / threshold.t(), i % threshold.t());
            points.push(G1Affine::deserialize(chunk).ok_or(if chunk[0] == 0x40 {
                CommitmentError::Identity { key, coefficient }
            } else {
                CommitmentError::Point { key, coefficient }
            })?);
        }
        Ok(Self { threshold, points })
    }

    /// The k * t points, 96 bytes each, k-major.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(COMMITMENT_BYTES * self.points.len());
        for point in &self.points {
            bytes.extend_from_slice(&point.serialize());
        }
        bytes
    }

    /// Number of polynomials, K.
    #[must_use]
    pub fn k(&self) -> usize {
        self.points.len() / self.threshold.t()
    }

    /// The sizes of the committee.
    #[must_use]
    pub fn threshold(&self) -> Threshold {
        self.threshold
    }

    /// A digest of the whole content: sizes and all points.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        TaggedHash::new("cluster-crypto/commitments/1")
            .u64(self.threshold.n() as u64)
            .u64(self.k() as u64)
            .bytes(&self.to_bytes())
            .finish()
    }

    /// Adds the commitments of several dealers, point by point.
    ///
    /// # Errors
    /// [`CommitmentError::Shape`] for none or for different shapes, [`CommitmentError::Identity`] where
    /// points cancel out.
    pub fn sum(dealers: &[&Self]) -> Result<Self, CommitmentError> {
        Self::combine(dealers, |points| points.iter().fold(G1::identity(), |sum, point| sum.add_affine(point)))
    }

    /// Makes one point of the dealers' points at each place.
    ///
    /// # Errors
    /// As for [`Commitments::sum`].
    pub(crate) fn combine(dealers: &[&Self], combine: impl Fn(&[G1Affine]) -> G1) -> Result<Self, CommitmentError> {
        let (first, others) = dealers.split_first().ok_or(CommitmentError::Shape)?;
        let same_shape = |other: &&Self| other.threshold == first.threshold && other.points.len() == first.points.len();
        if !others.iter().all(same_shape) {
            return Err(CommitmentError::Shape);
        }
        let mut column = Vec::with_capacity(dealers.len());
        let sums: Vec<_> = (0..first.points.len())
            .map(|i| {
                column.clear();
                column.extend(dealers.iter().filter_map(|dealer| dealer.points.get(i)).copied());
                combine(&column)
            })
            .collect();
        if let Some(i) = sums.iter().position(G1::is_identity) {
            let t = first.threshold.t();
            return Err(CommitmentError::Identity { key: i / t, coefficient: i % t });
        }
        Ok(Self { threshold: first.threshold, points: G1::batch_to_affine(&sums) })
    }

    /// Whether all points lie in the subgroup of order r; wrong with probability at most 2^-64.
    #[must_use]
    pub fn check_subgroup(&self, rng: &mut impl CryptoRngCore) -> bool {
        curve::all_in_g1(&self.points, rng)
    }

    /// Whether all K shares of the receiver at `index` match: share_k * G equals polynomial k evaluated at
    /// the index in the exponent.
    ///
    /// One equation instead of K: with independent non-zero 128-bit coefficients drawn here, after
    /// commitments and shares are fixed, a vector with any wrong share passes with probability at most 2^-128
    /// (small exponents test: Bellare, Garay, Rabin, EUROCRYPT 1998; the test is sound in a group of prime
    /// order, into which the final multiplication by the cofactor leads). A single share needs no
    /// coefficient.
    ///
    /// False when the number of shares is not K, or K is zero.
    #[must_use]
    pub fn verify_shares(&self, index: ShareIndex, shares: &SecretVector, rng: &mut impl CryptoRngCore) -> bool {
        if shares.len() != self.k() || shares.is_empty() {
            return false;
        }
        let expected = self.evaluate(index);
        if let ([share], [expected]) = (shares.scalars(), expected.as_slice()) {
            let difference = G1::mul_generator(share).add_affine(&expected.negate());
            return difference.clear_cofactor().is_identity();
        }
        let randomisers = curve::nonzero_randomisers(self.k(), RANDOMISER_BYTES, rng);
        let combined = G1::msm(&expected, &randomisers, 8 * RANDOMISER_BYTES);
        let mut share = combine_scalars(shares.scalars(), &randomisers);
        let difference = G1::mul_generator(&share).add(&combined.negate());
        share.zeroize();
        difference.clear_cofactor().is_identity()
    }

    /// Whether the proof shows knowledge of all K constant terms, under the same context and commitments.
    #[must_use]
    pub fn verify_knowledge(&self, context: &[u8; 32], proof: &KnowledgeProof) -> bool {
        proof.verify(context, self)
    }

    /// The K group public keys: the constant terms. Call [`Commitments::check_subgroup`] first.
    #[must_use]
    pub fn group_keys(&self) -> Vec<bls::PublicKey> {
        self.constant_terms().into_iter().map(bls::PublicKey).collect()
    }

    /// The K public keys of the share at `index`. Call [`Commitments::check_subgroup`] first.
    ///
    /// In the sum of a ceremony with an honest dealer a share key is the identity with negligible
    /// probability; such a key verifies nothing and is refused when read back.
    #[must_use]
    pub fn share_keys(&self, index: ShareIndex) -> Vec<bls::PublicKey> {
        self.evaluate(index).into_iter().map(bls::PublicKey).collect()
    }

    /// The same number of other points.
    pub(crate) fn map(&self, change: impl Fn(&G1Affine) -> G1) -> Self {
        let points: Vec<_> = self.points.iter().map(change).collect();
        Self { threshold: self.threshold, points: G1::batch_to_affine(&points) }
    }

    pub(crate) fn from_points(threshold: Threshold, points: Vec<G1Affine>) -> Self {
        Self { threshold, points }
    }

    pub(crate) fn constant_terms(&self) -> Vec<G1Affine> {
        self.points.iter().step_by(self.threshold.t()).copied().collect()
    }

    /// Every polynomial at `index` in the exponent: Horner's rule with an index of at most four bits.
    fn evaluate(&self, index: ShareIndex) -> Vec<G1Affine> {
        let x = u64::from(index.get());
        let values: Vec<_> = self
            .points
            .chunks_exact(self.threshold.t())
            .map(|polynomial| {
                let mut coefficients = polynomial.iter().rev();
                let highest = coefficients.next().map_or_else(G1::identity, |point| G1::from(*point));
                coefficients.fold(highest, |acc, coefficient| acc.double_and_add(x).add_affine(coefficient))
            })
            .collect();
        G1::batch_to_affine(&values)
    }
}

impl std::fmt::Debug for Commitments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Commitments({} polynomials, {:?})", self.k(), self.threshold)
    }
}

/// The sum of scalar_k times the k-th coefficient of 16 bytes.
pub(crate) fn combine_scalars(scalars: &[Scalar], randomisers: &[u8]) -> Scalar {
    scalars
        .iter()
        .zip(randomisers.chunks_exact(RANDOMISER_BYTES))
        .fold(Scalar::zero(), |sum, (scalar, randomiser)| sum + scalar * curve::scalar_from_le(randomiser))
}
