//! Threshold signatures: partial signatures by shares, and their combination.
//!
//! # Small integers instead of field elements
//!
//! The signature under the group key is the sum of lambda_i * s_i * H(m) over any t operators i. With indices
//! from 1 to n the Lagrange coefficients lambda_i are rationals with tiny numerators and denominators. Let L
//! be the least common multiple of all denominators over all subsets: 3, 360, 90,720 or 119,750,400 for our
//! four sizes. An operator signs with s_i / L instead of s_i, in the time of one multiplication either way;
//! combination is then the sum of (L * lambda_i) times partial i, with integers of at most 5, 16, 28 or 43
//! bits, and many times cheaper than multiplying by field elements.

use bls12_381::Scalar;
use rand_core::CryptoRngCore;
use zeroize::Zeroize;

use crate::bls::{self, HashedMessage, Signature};
use crate::curve::{self, G1Affine, G2Affine, G2Table, G1, G2};
use crate::hex_bytes::fixed_bytes;
use crate::params::{ShareIndex, Threshold};
use crate::polynomial::{check_indices, InterpolateError, SecretVector};

/// Bytes of a partial: an uncompressed point, sixty times cheaper to read than a compressed one.
pub const PARTIAL_BYTES: usize = G2Affine::UNCOMPRESSED;

/// Why the bytes of a partial are refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PartialError {
    /// The bytes are not 192.
    #[error("a partial signature has 192 bytes, not {got}")]
    WrongLength {
        /// Bytes given.
        got: usize,
    },
    /// The bytes encode no point of the curve, or the identity.
    #[error("the partial signature is not a point of the curve, or is the identity")]
    Point,
}

/// Why an operator cannot sign.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignError {
    /// Shares and messages differ in number.
    #[error("there are {shares} shares and {messages} messages")]
    Mismatch {
        /// Number of shares.
        shares: usize,
        /// Number of messages.
        messages: usize,
    },
    /// A share is zero, which no honest ceremony yields.
    #[error("share {position} is zero")]
    ZeroShare {
        /// Position in the vector, from 0.
        position: usize,
    },
}

/// Why partials cannot be combined.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CombineError {
    /// The indices are not t distinct ones of the committee.
    #[error(transparent)]
    Indices(#[from] InterpolateError),
    /// Operators sent different numbers of partials.
    #[error("share index {index} has {got} partial signatures where the first has {expected}")]
    Mismatch {
        /// Whose partials.
        index: u8,
        /// How many the first operator sent.
        expected: usize,
        /// How many this one sent.
        got: usize,
    },
    /// The shares cancel out.
    #[error("the combined signature is the identity")]
    Identity,
}

/// One operator's signature over one message, by its share divided by L.
///
/// A point of the curve other than the identity. Not checked for the subgroup: [`verify_combined`] checks the
/// result, and [`verify_partials`] finds out whose partial was wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Partial(G2Affine);

impl Partial {
    /// Reads 192 bytes, uncompressed.
    ///
    /// # Errors
    /// Any other length, a point off the curve, the identity.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PartialError> {
        let bytes = bytes.try_into().map_err(|_| PartialError::WrongLength { got: bytes.len() })?;
        G2Affine::deserialize(&bytes).map(Self).ok_or(PartialError::Point)
    }

    /// The 192 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; PARTIAL_BYTES] {
        self.0.serialize()
    }
}

fixed_bytes!(Partial, PARTIAL_BYTES);

/// Signs message k with share k for every k, in a time independent of the shares.
///
/// # Errors
/// Different numbers of shares and messages, or a share of zero.
pub fn sign_partials(
    shares: &SecretVector,
    threshold: Threshold,
    messages: &[HashedMessage],
) -> Result<Vec<Partial>, SignError> {
    if shares.len() != messages.len() {
        return Err(SignError::Mismatch { shares: shares.len(), messages: messages.len() });
    }
    let inverse = inverse_scale(threshold);
    let points: Vec<_> = shares
        .scalars()
        .iter()
        .zip(messages)
        .map(|(share, message)| {
            let mut scaled = share * inverse;
            let point = G2::from(message.0).mul_secret(&scaled);
            scaled.zeroize();
            point
        })
        .collect();
    if let Some(position) = points.iter().position(G2::is_identity) {
        return Err(SignError::ZeroShare { position });
    }
    Ok(G2::batch_to_affine(&points).into_iter().map(Partial).collect())
}

/// Signs one message with one share.
///
/// # Errors
/// None in practice: a [`bls::SecretKey`] is never zero.
pub fn sign_partial(
    share: &bls::SecretKey,
    threshold: Threshold,
    message: &HashedMessage,
) -> Result<Partial, SignError> {
    let mut scaled = *share.scalar() * inverse_scale(threshold);
    let point = G2::from(message.0).mul_secret(&scaled);
    scaled.zeroize();
    if point.is_identity() {
        return Err(SignError::ZeroShare { position: 0 });
    }
    Ok(Partial(point.to_affine()))
}

/// Shares from which a table of multiples of the message pays.
const MANY_SHARES: usize = 6;

/// Signs one message with many shares, in a time independent of them: what a slot asks of a committee.
///
/// The result is that of [`sign_partial`] for each share. From 6 shares on, a table of multiples of the message
/// halves the work; every entry of it is read for every digit, so that neither time nor memory addresses depend
/// on the shares.
#[must_use]
pub fn sign_same_message(shares: &[&bls::SecretKey], threshold: Threshold, message: &HashedMessage) -> Vec<Partial> {
    let inverse = inverse_scale(threshold);
    let table = (shares.len() >= MANY_SHARES).then(|| G2Table::new(&message.0));
    let points: Vec<_> = shares
        .iter()
        .map(|share| {
            let mut scaled = *share.scalar() * inverse;
            let point = match &table {
                Some(table) => table.mul_secret(&scaled),
                None => G2::from(message.0).mul_secret(&scaled),
            };
            scaled.zeroize();
            point
        })
        .collect();
    // None is the identity: neither a share nor 1 / L is zero, and the message is in a group of prime order.
    G2::batch_to_affine(&points).into_iter().map(Partial).collect()
}

/// A combined signature that nobody has verified yet.
#[derive(Clone, Copy)]
pub struct CandidateSignature(G2Affine);

impl std::fmt::Debug for CandidateSignature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CandidateSignature(unverified)")
    }
}

/// Combines the partials of exactly t operators, message by message.
///
/// # Errors
/// Another number of operators than t, repeated or foreign indices, different numbers of partials.
pub fn combine(
    threshold: Threshold,
    partials: &[(ShareIndex, &[Partial])],
) -> Result<Vec<CandidateSignature>, CombineError> {
    let indices: Vec<_> = partials.iter().map(|(index, _)| *index).collect();
    let chain = Chain::new(threshold, &indices)?;
    let k = partials.first().map_or(0, |(_, vector)| vector.len());
    for (index, vector) in partials {
        if vector.len() != k {
            return Err(CombineError::Mismatch { index: index.get(), expected: k, got: vector.len() });
        }
    }
    let mut points = Vec::with_capacity(partials.len());
    let combined: Vec<_> = (0..k)
        .map(|position| {
            points.clear();
            points.extend(partials.iter().filter_map(|(_, vector)| vector.get(position)).map(|partial| partial.0));
            chain.evaluate(&points)
        })
        .collect();
    Ok(G2::batch_to_affine(&combined).into_iter().map(CandidateSignature).collect())
}

/// Verifies combined signatures under the group keys: membership in the group, and all pairings in one batch.
///
/// `Some` with all signatures if every one is right, else `None`. One Miller loop per distinct message and
/// one more. A false signature passes with probability at most 2^-63.
#[must_use]
pub fn verify_combined(
    keys: &[bls::PublicKey],
    messages: &[HashedMessage],
    candidates: Vec<CandidateSignature>,
    rng: &mut impl CryptoRngCore,
) -> Option<Vec<Signature>> {
    let signatures: Vec<_> = candidates.into_iter().map(|candidate| candidate.0).collect();
    if signatures.iter().any(G2Affine::is_identity) || !curve::all_in_g2(&signatures, rng) {
        return None;
    }
    let generator = G1::from(G1Affine::generator());
    verify_points(keys, messages, &signatures, &generator, rng).then(|| signatures.into_iter().map(Signature).collect())
}

/// Whether all partials of one operator are right under its share keys. Called to find out whose partial
/// spoiled a combination.
///
/// Partial k must satisfy e(share key k, H(m_k)) = e(L * G, partial k), tested for all k by one linear
/// combination with independent non-zero 64-bit coefficients. Without coefficients two wrong partials could
/// cancel out; and without the membership test that comes first, a partial could carry a point of small order
/// that the pairing does not see and the combination does. Wrong with probability at most 2^-63. False for
/// different lengths.
#[must_use]
pub fn verify_partials(
    threshold: Threshold,
    share_keys: &[bls::PublicKey],
    messages: &[HashedMessage],
    partials: &[Partial],
    rng: &mut impl CryptoRngCore,
) -> bool {
    let points: Vec<_> = partials.iter().map(|partial| partial.0).collect();
    let base = G1::from(G1Affine::generator()).double_and_add(scale(threshold));
    curve::all_in_g2(&points, rng) && verify_points(share_keys, messages, &points, &base, rng)
}

/// Combines standard (unscaled) signatures by exactly t shares.
///
/// # Errors
/// Another number of shares than t, repeated or foreign indices, or a sum that is the identity.
pub fn recover(shares: &[(ShareIndex, Signature)], threshold: Threshold) -> Result<Signature, CombineError> {
    let indices: Vec<_> = shares.iter().map(|(index, _)| *index).collect();
    let points: Vec<_> = shares.iter().map(|(_, signature)| signature.0).collect();
    let scaled = Chain::new(threshold, &indices)?.evaluate(&points);
    let sum = scaled.mul_secret(&inverse_scale(threshold));
    if sum.is_identity() {
        return Err(CombineError::Identity);
    }
    Ok(Signature(sum.to_affine()))
}

fn verify_points(
    keys: &[bls::PublicKey],
    messages: &[HashedMessage],
    signatures: &[G2Affine],
    base: &G1,
    rng: &mut impl CryptoRngCore,
) -> bool {
    let keys: Vec<_> = keys.iter().map(|key| key.0).collect();
    let messages: Vec<_> = messages.iter().map(|message| message.0).collect();
    bls::verify_combination(&keys, &messages, signatures, base, rng)
}

/// L: the least common multiple of the denominators of all Lagrange coefficients at zero, over all subsets of
/// t indices.
fn scale(threshold: Threshold) -> u64 {
    match threshold.n() {
        4 => 3,
        7 => 360,
        10 => 90_720,
        _ => 119_750_400,
    }
}

fn inverse_scale(threshold: Threshold) -> Scalar {
    // L is not zero modulo r.
    Scalar::from(scale(threshold)).invert().unwrap_or(Scalar::zero())
}

/// An addition chain for the sum of (L * lambda_i) * P_i, the same for all messages of a subset.
struct Chain {
    /// The greatest common divisor of all coefficients, multiplied once at the end.
    factor: u64,
    /// For each point the digits -1, 0, 1 of its coefficient divided by the factor, from the lowest; of equal
    /// lengths.
    digits: Vec<Vec<i8>>,
}

impl Chain {
    fn new(threshold: Threshold, indices: &[ShareIndex]) -> Result<Self, CombineError> {
        check_indices(indices, threshold)?;
        let coefficients = scaled_coefficients(threshold, indices);
        let factor =
            coefficients.iter().fold(0, |divisor, coefficient| gcd(divisor, coefficient.unsigned_abs())).max(1);
        let mut digits: Vec<_> =
            coefficients.iter().map(|coefficient| non_adjacent_form(coefficient / i128::from(factor))).collect();
        let length = digits.iter().map(Vec::len).max().unwrap_or(0);
        for form in &mut digits {
            form.resize(length, 0);
        }
        Ok(Self { factor, digits })
    }

    /// Doublings shared by all points (Straus), a mixed addition for each non-zero digit.
    fn evaluate(&self, points: &[G2Affine]) -> G2 {
        let length = self.digits.first().map_or(0, Vec::len);
        let mut acc: Option<G2> = None;
        for position in (0..length).rev() {
            acc = acc.map(|sum| sum.double());
            for (form, point) in self.digits.iter().zip(points) {
                let point = match form.get(position) {
                    Some(1) => *point,
                    Some(-1) => point.negate(),
                    _ => continue,
                };
                acc = Some(acc.map_or_else(|| G2::from(point), |sum| sum.add_affine(&point)));
            }
        }
        acc.unwrap_or_else(G2::identity).double_and_add(self.factor)
    }
}

/// L * lambda_i for each index, integers by the choice of L. The indices are distinct.
fn scaled_coefficients(threshold: Threshold, indices: &[ShareIndex]) -> Vec<i128> {
    indices
        .iter()
        .map(|index| {
            let own = i128::from(index.get());
            let (mut numerator, mut denominator) = (i128::from(scale(threshold)), 1);
            for other in indices.iter().filter(|other| *other != index) {
                let other = i128::from(other.get());
                numerator *= other;
                denominator *= other - own;
            }
            numerator / denominator
        })
        .collect()
}

fn gcd(a: u64, b: u128) -> u64 {
    let (mut a, mut b) = (u128::from(a), b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    u64::try_from(a).unwrap_or(1)
}

/// Digits -1, 0, 1 from the lowest, no two neighbours non-zero: a third of the digits cost an addition.
fn non_adjacent_form(mut value: i128) -> Vec<i8> {
    let mut digits = Vec::new();
    while value != 0 {
        let digit = if value & 1 == 0 { 0 } else { 2 - (value & 3) };
        digits.push(if digit == 0 {
            0
        } else if digit == 1 {
            1
        } else {
            -1
        });
        value = (value - digit) >> 1;
    }
    digits
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// All subsets of t of the indices 1..=n.
    fn subsets(threshold: Threshold) -> impl Iterator<Item = Vec<ShareIndex>> {
        (0u32..1 << threshold.n())
            .filter(move |bits| bits.count_ones() as usize == threshold.t())
            .map(move |bits| ShareIndex::all(threshold).filter(|index| bits >> (index.get() - 1) & 1 == 1).collect())
    }

    #[test]
    fn scaled_coefficients_are_exact_small_integers_for_every_subset_and_the_scale_is_least() {
        for (n, bits) in [(4, 5), (7, 16), (10, 28), (13, 43)] {
            let threshold = Threshold::for_operators(n).unwrap();
            let mut divisor_of_all = scale(threshold);
            for subset in subsets(threshold) {
                let coefficients = scaled_coefficients(threshold, &subset);
                for (index, coefficient) in subset.iter().zip(&coefficients) {
                    assert!(coefficient.unsigned_abs() < 1 << bits, "{n}: {subset:?}");
                    let own = i128::from(index.get());
                    let others = subset.iter().filter(|other| *other != index).map(|other| i128::from(other.get()));
                    let (numerator, denominator) = others.fold((1, 1), |(a, b), other| (a * other, b * (other - own)));
                    assert_eq!(coefficient * denominator, numerator * i128::from(scale(threshold)));
                    divisor_of_all = gcd(divisor_of_all, coefficient.unsigned_abs());
                }
                assert_eq!(coefficients.iter().sum::<i128>(), i128::from(scale(threshold)));
            }
            assert_eq!(divisor_of_all, 1, "a smaller scale would do for {n}");
        }
    }

    #[test]
    fn non_adjacent_form_gives_the_value_back() {
        for value in (-2000i128..2000).chain([1 << 42, -(1 << 42) + 12345]) {
            let form = non_adjacent_form(value);
            let back = form.iter().rev().fold(0i128, |acc, digit| 2 * acc + i128::from(*digit));
            assert_eq!(back, value);
            assert!(form.windows(2).all(|pair| pair[0] == 0 || pair[1] == 0));
        }
    }
}
