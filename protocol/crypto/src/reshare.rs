//! Sums of dealings that carry shares over to another committee.
//!
//! Each dealer shares its old share s_i anew with a polynomial f_i, f_i(0) = s_i. With the Lagrange coefficients at zero of
//! the old indices, the sum of lambda_i * f_i is a polynomial of the new degree whose constant term is the old secret
//! (Desmedt and Jajodia 1997; Wong, Wang and Wing 2002).
//!
//! Indices are small, so that the coefficients have a small common denominator L. Sums are made with the integers
//! L * lambda_i, checked as they are, and divided by L only then: until the check a commitment may lie outside of the
//! subgroup, where a multiplication by 1 / L means nothing.

use bls12_381::Scalar;
use zeroize::Zeroize;

use crate::curve::{G1Affine, G1};
use crate::feldman::{CommitmentError, Commitments};
use crate::params::ShareIndex;
use crate::polynomial::{InterpolateError, SecretVector, VectorError};

/// The Lagrange coefficients at zero of a set of share indices, as integers over one denominator. Public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weights {
    numerators: Vec<i64>,
    denominator: u64,
}

impl Weights {
    /// The coefficients of these distinct indices, in their order.
    ///
    /// # Errors
    /// None at all, a repeated index, or one so large (above 13) that no committee has it.
    pub fn at_zero(indices: &[ShareIndex]) -> Result<Self, InterpolateError> {
        if indices.is_empty() {
            return Err(InterpolateError::Count { expected: 1, got: 0 });
        }
        for (position, index) in indices.iter().enumerate() {
            if index.get() > MAX_INDEX {
                return Err(InterpolateError::Index { index: index.get() });
            }
            if indices.iter().take(position).any(|earlier| earlier == index) {
                return Err(InterpolateError::Duplicate { index: index.get() });
            }
        }
        let fractions: Vec<(i128, i128)> = indices.iter().map(|index| coefficient(*index, indices)).collect();
        let denominator = fractions.iter().fold(1, |multiple, (_, down)| multiple / gcd(multiple, *down) * down);
        let too_large = InterpolateError::Index { index: MAX_INDEX };
        let numerators: Result<Vec<i64>, _> =
            fractions.iter().map(|(up, down)| i64::try_from(up * (denominator / down))).collect();
        let denominator = u64::try_from(denominator).map_err(|_| too_large)?;
        Ok(Self { numerators: numerators.map_err(|_| too_large)?, denominator })
    }

    /// The weighted sum of dealers' commitments, times the denominator.
    ///
    /// # Errors
    /// [`CommitmentError::Shape`] for another number of dealers than of indices or for different shapes,
    /// [`CommitmentError::Identity`] where points cancel out.
    pub fn scaled_commitments(&self, dealers: &[&Commitments]) -> Result<Commitments, CommitmentError> {
        if dealers.len() != self.numerators.len() {
            return Err(CommitmentError::Shape);
        }
        Commitments::combine(dealers, |points| {
            points.iter().zip(&self.numerators).fold(G1::identity(), |sum, (point, numerator)| {
                let point: G1Affine = if *numerator < 0 { point.negate() } else { *point };
                sum.add(&G1::from(point).double_and_add(numerator.unsigned_abs()))
            })
        })
    }

    /// The weighted sum of the dealers' shares for one receiver, times the denominator. Constant time in the shares.
    ///
    /// # Errors
    /// Another number of dealers than of indices, or vectors of different lengths.
    pub fn scaled_shares(&self, dealers: &[&SecretVector]) -> Result<SecretVector, VectorError> {
        if dealers.len() != self.numerators.len() {
            return Err(VectorError::Mismatch { left: self.numerators.len(), right: dealers.len() });
        }
        let mut sum = SecretVector::zero(dealers.first().map_or(0, |shares| shares.len()));
        for (shares, numerator) in dealers.iter().zip(&self.numerators) {
            let weight = Scalar::from(numerator.unsigned_abs());
            sum.add_weighted(shares, &if *numerator < 0 { -weight } else { weight })?;
        }
        Ok(sum)
    }

    /// What [`Weights::scaled_commitments`] is a multiple of. Call [`Commitments::check_subgroup`] on it first.
    #[must_use]
    pub fn commitments(&self, scaled: &Commitments) -> Commitments {
        let inverse = self.inverse();
        scaled.map(|point| G1::from(*point).mul_secret(&inverse))
    }

    /// What [`Weights::scaled_shares`] is a multiple of.
    #[must_use]
    pub fn shares(&self, scaled: &SecretVector) -> SecretVector {
        let mut shares = SecretVector::zero(scaled.len());
        // Of one length, so that nothing is refused.
        let _ = shares.add_weighted(scaled, &self.inverse());
        shares
    }

    fn inverse(&self) -> Scalar {
        // A product of small numbers is not zero modulo r.
        Scalar::from(self.denominator).invert().unwrap_or(Scalar::zero())
    }
}

/// The largest committee has 13 members.
const MAX_INDEX: u8 = 13;

/// The coefficient at zero of `index` among distinct `indices`, reduced, with a positive denominator.
fn coefficient(index: ShareIndex, indices: &[ShareIndex]) -> (i128, i128) {
    let own = i128::from(index.get());
    let others = indices.iter().filter(|other| **other != index).map(|other| i128::from(other.get()));
    let (up, down) = others.fold((1, 1), |(up, down), other| (up * other, down * (other - own)));
    let divisor = gcd(up, down) * down.signum();
    (up / divisor, down / divisor)
}

fn gcd(a: i128, b: i128) -> i128 {
    let (mut a, mut b) = (a.abs(), b.abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

impl SecretVector {
    /// Adds `weight`, which is public, times another vector.
    fn add_weighted(&mut self, other: &Self, weight: &Scalar) -> Result<(), VectorError> {
        let mut product = Self::zero(other.len());
        for (place, scalar) in product.scalars_mut().iter_mut().zip(other.scalars()) {
            let mut weighted = scalar * weight;
            *place = weighted;
            weighted.zeroize();
        }
        self.add(&product)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::bls::SecretKey;
    use crate::params::Threshold;
    use crate::polynomial::Polynomials;

    /// All subsets of at least t of the indices 1..=n.
    fn quorums(threshold: Threshold) -> impl Iterator<Item = Vec<ShareIndex>> {
        (0u32..1 << threshold.n())
            .filter(move |bits| bits.count_ones() as usize >= threshold.t())
            .map(move |bits| ShareIndex::all(threshold).filter(|index| bits >> (index.get() - 1) & 1 == 1).collect())
    }

    #[test]
    fn the_coefficients_of_every_quorum_are_exact_and_small() {
        for n in [4, 7, 10, 13] {
            for indices in quorums(Threshold::for_operators(n).unwrap()) {
                let weights = Weights::at_zero(&indices).unwrap();
                // The polynomials x^m for all degrees below the number of points: 1 at m = 0, else 0.
                for degree in 0..indices.len() as u32 {
                    let value: i128 = indices
                        .iter()
                        .zip(&weights.numerators)
                        .map(|(index, numerator)| i128::from(index.get()).pow(degree) * i128::from(*numerator))
                        .sum();
                    let expected = if degree == 0 { i128::from(weights.denominator) } else { 0 };
                    assert_eq!(value, expected, "{indices:?}");
                }
            }
        }
        let index = |x| ShareIndex::new(x).unwrap();
        assert_eq!(Weights::at_zero(&[]), Err(InterpolateError::Count { expected: 1, got: 0 }));
        assert_eq!(Weights::at_zero(&[index(2), index(2)]), Err(InterpolateError::Duplicate { index: 2 }));
        assert_eq!(Weights::at_zero(&[index(14)]), Err(InterpolateError::Index { index: 14 }));
    }

    #[test]
    fn weighted_dealings_of_old_shares_are_a_sharing_of_the_same_keys_in_the_new_committee() {
        let mut rng = ChaCha20Rng::seed_from_u64(4);
        for (old, new) in [(4, 4), (4, 7), (7, 7), (13, 10)] {
            let (old, new) = (Threshold::for_operators(old).unwrap(), Threshold::for_operators(new).unwrap());
            let first = Polynomials::sample(2, old, &mut rng);
            let keys = first.commit().group_keys();
            let dealers: Vec<ShareIndex> = ShareIndex::all(old).skip(old.f()).collect();
            let dealings: Vec<Polynomials> =
                dealers.iter().map(|index| Polynomials::through(&first.shares_for(*index), new, &mut rng)).collect();
            let commitments: Vec<Commitments> = dealings.iter().map(Polynomials::commit).collect();
            for (index, commitments) in dealers.iter().zip(&commitments) {
                assert_eq!(commitments.group_keys(), first.commit().share_keys(*index));
            }
            let weights = Weights::at_zero(&dealers).unwrap();
            let scaled = weights.scaled_commitments(&commitments.iter().collect::<Vec<_>>()).unwrap();
            assert!(scaled.check_subgroup(&mut rng));
            let summed = weights.commitments(&scaled);
            assert_eq!(summed.group_keys(), keys);
            for index in ShareIndex::all(new) {
                let parts: Vec<SecretVector> = dealings.iter().map(|dealing| dealing.shares_for(index)).collect();
                let shares = weights.scaled_shares(&parts.iter().collect::<Vec<_>>()).unwrap();
                assert!(scaled.verify_shares(index, &shares, &mut rng));
                let shares = weights.shares(&shares);
                assert!(summed.verify_shares(index, &shares, &mut rng));
                let public: Vec<_> = (0..2).map(|k| shares.secret_key(k).unwrap().public_key()).collect();
                assert_eq!(public, summed.share_keys(index));
            }
            assert_eq!(weights.scaled_commitments(&[]), Err(CommitmentError::Shape));
            let short = SecretVector::from_secret_keys(&[SecretKey::generate(&mut rng)]);
            let mut uneven: Vec<SecretVector> = dealers.iter().map(|_| SecretVector::zero(2)).collect();
            uneven[1] = short;
            assert!(weights.scaled_shares(&uneven.iter().collect::<Vec<_>>()).is_err());
        }
    }
}
