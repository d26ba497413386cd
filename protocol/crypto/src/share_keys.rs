//! Whether published share keys belong to their validator keys.
//!
//! Whoever reads a certificate sees, for each validator, the group key and the n share keys, and no
//! commitments. They are right if they lie on one polynomial of degree t-1 with the group key at zero.

use bls12_381::Scalar;
use rand_core::CryptoRngCore;

use crate::bls::{PublicKey, RANDOMISER_BYTES};
use crate::curve::{nonzero_randomisers, G1Affine, G1};
use crate::params::{ShareIndex, Threshold};

/// What [`find_bad_share_key`] finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadShareKey {
    /// All keys fit.
    None,
    /// The share keys fit each other, and not the validator key.
    Group,
    /// All keys fit but this one.
    Share(ShareIndex),
    /// No single key explains it, or the number of share keys is wrong.
    Several,
}

/// Whether for every validator the n share keys (in the order of share indices) and the validator key at
/// zero lie on a polynomial of degree t-1.
///
/// All validators are combined with independent non-zero 64-bit coefficients, drawn here, after the keys are
/// fixed. The keys are in a group of prime order by their type, so a false batch passes with probability at
/// most 2^-64, once per attempt. Costs n+1 multi-scalar multiplications and (n+1-t) t multiplications. False
/// when the lists do not have matching lengths; true for no validators.
#[must_use]
pub fn verify_share_keys(
    threshold: Threshold,
    validators: &[PublicKey],
    share_keys: &[&[PublicKey]],
    rng: &mut impl CryptoRngCore,
) -> bool {
    if validators.len() != share_keys.len() || share_keys.iter().any(|keys| keys.len() != threshold.n()) {
        return false;
    }
    let randomisers = nonzero_randomisers(validators.len(), RANDOMISER_BYTES, rng);
    let combine = |column: &[G1Affine]| G1::msm(column, &randomisers, 8 * RANDOMISER_BYTES);
    let group = combine(&validators.iter().map(|key| key.0).collect::<Vec<_>>());
    let shares: Vec<G1> = (0..threshold.n())
        .map(|i| combine(&share_keys.iter().filter_map(|keys| keys.get(i)).map(|key| key.0).collect::<Vec<_>>()))
        .collect();
    fits(threshold, Some(&group), &shares, None)
}

/// Which key of one validator does not fit the others. With one wrong key among n+1 the answer is exact,
/// since two polynomials of degree t-1 agree in at most t-1 of the n = t+f points.
#[must_use]
pub fn find_bad_share_key(threshold: Threshold, validator: &PublicKey, share_keys: &[PublicKey]) -> BadShareKey {
    if share_keys.len() != threshold.n() {
        return BadShareKey::Several;
    }
    let group = G1::from(validator.0);
    let shares: Vec<G1> = share_keys.iter().map(|key| G1::from(key.0)).collect();
    if fits(threshold, Some(&group), &shares, None) {
        return BadShareKey::None;
    }
    if fits(threshold, None, &shares, None) {
        return BadShareKey::Group;
    }
    let without = |index: &ShareIndex| fits(threshold, Some(&group), &shares, Some(*index));
    ShareIndex::all(threshold).find(without).map_or(BadShareKey::Several, BadShareKey::Share)
}

/// Whether the points fit one polynomial of degree t-1: the first t shares determine it, the others and the
/// group key must lie on it. One share may be left out, and so may the group key.
fn fits(threshold: Threshold, group: Option<&G1>, shares: &[G1], left_out: Option<ShareIndex>) -> bool {
    let used = ShareIndex::all(threshold).zip(shares).filter(|(index, _)| Some(*index) != left_out);
    let points: Vec<(u8, &G1)> = used.map(|(index, point)| (index.get(), point)).collect();
    let Some((basis, rest)) = points.split_at_checked(threshold.t()) else {
        return false;
    };
    let group = group.map(|point| (0, point));
    rest.iter().copied().chain(group).all(|(x, point)| interpolate(x, basis) == *point)
}

/// The value at `x` of the polynomial through `basis`; public points, distinct x coordinates.
fn interpolate(x: u8, basis: &[(u8, &G1)]) -> G1 {
    let scalar = |value: u8| Scalar::from(u64::from(value));
    basis.iter().fold(G1::identity(), |sum, (own, point)| {
        let others = basis.iter().map(|(other, _)| *other).filter(|other| other != own);
        let (numerator, denominator) = others.fold((Scalar::one(), Scalar::one()), |(up, down), other| {
            (up * (scalar(x) - scalar(other)), down * (scalar(*own) - scalar(other)))
        });
        // The denominator is a product of differences of distinct small numbers: never zero.
        let inverse = denominator.invert().unwrap_or(Scalar::zero());
        sum.add(&point.mul_secret(&(numerator * inverse)))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::polynomial::Polynomials;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    #[test]
    fn one_wrong_key_is_found_for_every_size_and_position_and_two_are_refused() {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        for n in [4, 7, 10, 13] {
            let threshold = Threshold::for_operators(n).unwrap();
            let commitments = Polynomials::sample(3, threshold, &mut rng).commit();
            let groups = commitments.group_keys();
            let by_operator: Vec<_> = ShareIndex::all(threshold).map(|index| commitments.share_keys(index)).collect();
            let shares: Vec<Vec<PublicKey>> =
                (0..3).map(|k| by_operator.iter().map(|keys| keys[k]).collect()).collect();
            let check = |groups: &[PublicKey], shares: &[Vec<PublicKey>], rng: &mut ChaCha20Rng| {
                let shares: Vec<&[PublicKey]> = shares.iter().map(Vec::as_slice).collect();
                verify_share_keys(threshold, groups, &shares, rng)
            };
            assert!(check(&groups, &shares, &mut rng));
            assert_eq!(find_bad_share_key(threshold, &groups[1], &shares[1]), BadShareKey::None);
            assert!(!check(&groups[..2], &shares, &mut rng), "one validator fewer");

            let mut wrong = groups.clone();
            wrong[1] = groups[0];
            assert!(!check(&wrong, &shares, &mut rng));
            assert_eq!(find_bad_share_key(threshold, &wrong[1], &shares[1]), BadShareKey::Group);
            for index in ShareIndex::all(threshold) {
                let mut wrong = shares.clone();
                wrong[2][usize::from(index.get()) - 1] = groups[0];
                assert!(!check(&groups, &wrong, &mut rng), "share {index:?} of {n}");
                assert_eq!(find_bad_share_key(threshold, &groups[2], &wrong[2]), BadShareKey::Share(index));
            }
            let mut swapped = shares.clone();
            swapped[0].swap(0, n - 1);
            assert!(!check(&groups, &swapped, &mut rng));
            assert_eq!(find_bad_share_key(threshold, &groups[0], &swapped[0]), BadShareKey::Several);
            let mut short = shares.clone();
            short[0].pop();
            assert!(!check(&groups, &short, &mut rng));
            assert_eq!(find_bad_share_key(threshold, &groups[0], &short[0]), BadShareKey::Several);
        }
    }
}
