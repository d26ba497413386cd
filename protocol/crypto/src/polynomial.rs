//! Secret polynomials over the scalar field of BLS12-381, vectorised over K keys.
//!
//! All operations take a time independent of the secrets (bls12_381 scalars are constant time).

use std::fmt;

use bls12_381::Scalar;
use rand_core::CryptoRngCore;
use zeroize::{Zeroize, Zeroizing};

use crate::bls;
use crate::curve::{self, G1};
use crate::feldman::Commitments;
use crate::params::{ShareIndex, Threshold};
use crate::proof::KnowledgeProof;
use crate::secret::Secret;

/// Bytes of a scalar.
pub const SCALAR_BYTES: usize = 32;

/// Why a vector of secrets is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum VectorError {
    /// The bytes do not hold k scalars.
    #[error("expected {expected} bytes of scalars, got {got}")]
    WrongLength {
        /// 32 bytes per scalar.
        expected: usize,
        /// Bytes given.
        got: usize,
    },
    /// A scalar is not below the group order.
    #[error("scalar {position} is not below the group order")]
    Scalar {
        /// Position in the vector, from 0.
        position: usize,
    },
    /// Two vectors have different lengths.
    #[error("the vectors have {left} and {right} scalars")]
    Mismatch {
        /// Length of the first.
        left: usize,
        /// Length of the second.
        right: usize,
    },
}

/// Why shares cannot be interpolated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InterpolateError {
    /// Another number of shares than the threshold.
    #[error("interpolation needs exactly {expected} shares, got {got}")]
    Count {
        /// The threshold t.
        expected: usize,
        /// Shares given.
        got: usize,
    },
    /// An index occurs twice.
    #[error("share index {index} occurs twice")]
    Duplicate {
        /// The index.
        index: u8,
    },
    /// An index lies outside the committee.
    #[error("share index {index} lies outside the committee")]
    Index {
        /// The index.
        index: u8,
    },
    /// The share vectors have different lengths.
    #[error(transparent)]
    Length(#[from] VectorError),
}

/// One secret scalar per key: the shares of one receiver, or their sum over dealers. Overwritten on drop.
pub struct SecretVector(Vec<Scalar>);

impl SecretVector {
    /// Number of scalars.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds another vector, element by element.
    ///
    /// # Errors
    /// [`VectorError::Mismatch`] for different lengths.
    pub fn add(&mut self, other: &Self) -> Result<(), VectorError> {
        if self.len() != other.len() {
            return Err(VectorError::Mismatch { left: self.len(), right: other.len() });
        }
        for (sum, scalar) in self.0.iter_mut().zip(&other.0) {
            *sum += scalar;
        }
        Ok(())
    }

    /// `k` zeros: the start of a sum.
    #[must_use]
    pub fn zero(k: usize) -> Self {
        Self(vec![Scalar::zero(); k])
    }

    /// 32 big-endian bytes per scalar.
    #[must_use]
    pub fn to_bytes(&self) -> Secret<Vec<u8>> {
        let mut bytes = Vec::with_capacity(SCALAR_BYTES * self.len());
        for scalar in &self.0 {
            bytes.extend_from_slice(Zeroizing::new(curve::scalar_to_be(scalar)).as_slice());
        }
        Secret::new(bytes)
    }

    /// Reads `k` scalars of 32 big-endian bytes.
    ///
    /// # Errors
    /// [`VectorError::WrongLength`] for any other length, [`VectorError::Scalar`] for a scalar of r or above.
    pub fn from_bytes(bytes: &[u8], k: usize) -> Result<Self, VectorError> {
        let (chunks, rest) = bytes.as_chunks::<SCALAR_BYTES>();
        if chunks.len() != k || !rest.is_empty() {
            return Err(VectorError::WrongLength { expected: k.saturating_mul(SCALAR_BYTES), got: bytes.len() });
        }
        let mut scalars = Self(Vec::with_capacity(k));
        for (position, chunk) in chunks.iter().enumerate() {
            scalars.0.push(curve::scalar_from_be(chunk).ok_or(VectorError::Scalar { position })?);
        }
        Ok(scalars)
    }

    /// The scalar at position `k` as a key; `None` past the end or for zero.
    #[must_use]
    pub fn secret_key(&self, k: usize) -> Option<bls::SecretKey> {
        self.0.get(k).copied().and_then(bls::SecretKey::from_scalar)
    }

    /// Collects keys into a vector, in order.
    #[must_use]
    pub fn from_secret_keys(keys: &[bls::SecretKey]) -> Self {
        Self(keys.iter().map(|key| *key.scalar()).collect())
    }

    pub(crate) fn scalars(&self) -> &[Scalar] {
        &self.0
    }

    pub(crate) fn scalars_mut(&mut self) -> &mut [Scalar] {
        &mut self.0
    }
}

impl Drop for SecretVector {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SecretVector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretVector({} scalars, [redacted])", self.len())
    }
}

/// K secret polynomials of degree t-1, the contribution of one dealer. Overwritten on drop.
pub struct Polynomials {
    threshold: Threshold,
    /// k-major: the t coefficients of polynomial 0 from the constant term up, then those of polynomial 1.
    coefficients: Vec<Scalar>,
}

impl Polynomials {
    /// Draws `k` polynomials. No coefficient is zero, so that no commitment is the identity.
    #[must_use]
    pub fn sample(k: usize, threshold: Threshold, rng: &mut impl CryptoRngCore) -> Self {
        let mut coefficients = Vec::with_capacity(k * threshold.t());
        while coefficients.len() < k * threshold.t() {
            let coefficient = curve::random_scalar(rng);
            if coefficient != Scalar::zero() {
                coefficients.push(coefficient);
            }
        }
        Self { threshold, coefficients }
    }

    /// Draws a polynomial through each key at zero: how a trusted dealer splits keys that exist already. The keys are as
    /// secret afterwards as before, and no more: whoever had them still has them.
    #[must_use]
    pub fn sharing(keys: &[bls::SecretKey], threshold: Threshold, rng: &mut impl CryptoRngCore) -> Self {
        Self::through(&SecretVector::from_secret_keys(keys), threshold, rng)
    }

    /// Draws a polynomial through each secret at zero: how the holder of old shares shares them anew. A secret of zero, which
    /// no honest ceremony yields, makes a commitment that everybody refuses.
    #[must_use]
    pub fn through(secrets: &SecretVector, threshold: Threshold, rng: &mut impl CryptoRngCore) -> Self {
        let mut through = Self::sample(secrets.len(), threshold, rng);
        for (constant, secret) in through.coefficients.iter_mut().step_by(threshold.t()).zip(&secrets.0) {
            *constant = *secret;
        }
        through
    }

    /// Number of polynomials, K.
    #[must_use]
    pub fn k(&self) -> usize {
        self.coefficients.len() / self.threshold.t()
    }

    /// The K shares of one receiver: every polynomial at its index (Horner).
    #[must_use]
    pub fn shares_for(&self, index: ShareIndex) -> SecretVector {
        let x = Scalar::from(u64::from(index.get()));
        let mut shares = SecretVector(Vec::with_capacity(self.k()));
        for polynomial in self.polynomials() {
            shares.0.push(polynomial.iter().rev().fold(Scalar::zero(), |acc, coefficient| acc * x + coefficient));
        }
        shares
    }

    /// Feldman commitments: every coefficient times the generator of G1.
    ///
    /// The multiplications use a table of which every entry is read for every digit, so that neither time nor
    /// memory addresses depend on the coefficients. The conversion to affine coordinates is shared.
    #[must_use]
    pub fn commit(&self) -> Commitments {
        let points: Vec<_> = self.coefficients.iter().map(G1::mul_generator).collect();
        Commitments::from_points(self.threshold, G1::batch_to_affine(&points))
    }

    /// Proves that this dealer knows all K constant terms behind its commitments. See [`KnowledgeProof`].
    #[must_use]
    pub fn prove_knowledge(
        &self,
        context: &[u8; 32],
        commitments: &Commitments,
        rng: &mut impl CryptoRngCore,
    ) -> KnowledgeProof {
        let constants = SecretVector(self.polynomials().filter_map(|polynomial| polynomial.first().copied()).collect());
        KnowledgeProof::prove(&constants, context, commitments, rng)
    }

    fn polynomials(&self) -> impl Iterator<Item = &[Scalar]> {
        self.coefficients.chunks_exact(self.threshold.t())
    }
}

impl Drop for Polynomials {
    fn drop(&mut self) {
        self.coefficients.zeroize();
    }
}

impl fmt::Debug for Polynomials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Polynomials({} of degree {}, [redacted])", self.k(), self.threshold.t() - 1)
    }
}

/// The shares at index `x`, from the shares at exactly t other indices (Lagrange). An operator that missed a
/// ceremony gets its shares this way.
///
/// # Errors
/// Another number of shares than t, repeated indices, indices outside the committee, or unequal lengths.
pub fn interpolate_at(
    x: ShareIndex,
    shares: &[(ShareIndex, SecretVector)],
    threshold: Threshold,
) -> Result<SecretVector, InterpolateError> {
    if !x.is_within(threshold) {
        return Err(InterpolateError::Index { index: x.get() });
    }
    interpolate(Scalar::from(u64::from(x.get())), shares, threshold)
}

fn interpolate(
    x: Scalar,
    shares: &[(ShareIndex, SecretVector)],
    threshold: Threshold,
) -> Result<SecretVector, InterpolateError> {
    let indices: Vec<_> = shares.iter().map(|(index, _)| *index).collect();
    check_indices(&indices, threshold)?;
    let k = shares.first().map_or(0, |(_, vector)| vector.len());
    let mut result = SecretVector(vec![Scalar::zero(); k]);
    for (index, vector) in shares {
        if vector.len() != k {
            return Err(VectorError::Mismatch { left: k, right: vector.len() }.into());
        }
        let coefficient = lagrange(x, *index, &indices);
        for (sum, share) in result.0.iter_mut().zip(&vector.0) {
            *sum += coefficient * share;
        }
    }
    Ok(result)
}

/// Exactly t distinct indices of the committee.
pub(crate) fn check_indices(indices: &[ShareIndex], threshold: Threshold) -> Result<(), InterpolateError> {
    if indices.len() != threshold.t() {
        return Err(InterpolateError::Count { expected: threshold.t(), got: indices.len() });
    }
    for (i, index) in indices.iter().enumerate() {
        if !index.is_within(threshold) {
            return Err(InterpolateError::Index { index: index.get() });
        }
        if indices.iter().take(i).any(|earlier| earlier == index) {
            return Err(InterpolateError::Duplicate { index: index.get() });
        }
    }
    Ok(())
}

/// The Lagrange coefficient of `index` among distinct `indices`, for evaluation at `x`.
fn lagrange(x: Scalar, index: ShareIndex, indices: &[ShareIndex]) -> Scalar {
    let own = Scalar::from(u64::from(index.get()));
    let (mut numerator, mut denominator) = (Scalar::one(), Scalar::one());
    for other in indices.iter().filter(|other| **other != index) {
        let other = Scalar::from(u64::from(other.get()));
        numerator *= x - other;
        denominator *= own - other;
    }
    // The indices are distinct numbers below 2^8, so the denominator is not zero.
    numerator * denominator.invert().unwrap_or(Scalar::zero())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;

    #[test]
    fn t_shares_interpolate_to_the_constant_terms_and_to_any_other_share() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        for n in [4, 7, 10, 13] {
            let threshold = Threshold::for_operators(n).unwrap();
            let polynomials = Polynomials::sample(3, threshold, &mut rng);
            let subset: Vec<_> = ShareIndex::all(threshold)
                .skip(n - threshold.t())
                .map(|index| (index, polynomials.shares_for(index)))
                .collect();
            let constants = interpolate(Scalar::zero(), &subset, threshold).unwrap();
            let expected: Vec<_> = polynomials.polynomials().map(|p| p[0]).collect();
            assert_eq!(constants.0, expected);
            for index in ShareIndex::all(threshold) {
                assert_eq!(interpolate_at(index, &subset, threshold).unwrap().0, polynomials.shares_for(index).0);
            }
        }
    }

    #[test]
    fn shares_of_existing_keys_are_shares_of_exactly_these_keys() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let keys: Vec<_> = (0..3).map(|_| bls::SecretKey::generate(&mut rng)).collect();
        for n in [4, 7, 10, 13] {
            let threshold = Threshold::for_operators(n).unwrap();
            let polynomials = Polynomials::sharing(&keys, threshold, &mut rng);
            let public: Vec<_> = keys.iter().map(bls::SecretKey::public_key).collect();
            assert_eq!(polynomials.commit().group_keys(), public);
            let subset: Vec<_> = ShareIndex::all(threshold)
                .skip(n - threshold.t())
                .map(|index| (index, polynomials.shares_for(index)))
                .collect();
            let constants = interpolate(Scalar::zero(), &subset, threshold).unwrap();
            assert_eq!(constants.0, keys.iter().map(|key| *key.scalar()).collect::<Vec<_>>());
        }
    }
}
