//! Membership of many points in the subgroups of order r, at once.
//!
//! One combination with long random coefficients would not do: the cofactors have small factors, and a coefficient is a
//! multiple of 3 in a third of all cases. Many combinations with short coefficients do.

use rand_core::CryptoRngCore;

use super::group::{G1Affine, G2Affine, G2};

/// Where combinations become cheaper than one test a point, by measurement.
const MANY_IN_G1: usize = 80;
const MANY_IN_G2: usize = 64;

/// Number of random subset sums of [`all_in_g1`]: a point outside the subgroup survives each with probability at most
/// 1/2.
const SUBSET_SUMS: usize = 64;

/// Number of combinations of [`all_in_g2`]: a point outside the subgroup survives each with probability at most 1/13,
/// and all with at most 2^-66.
const COMBINATIONS: usize = 18;

/// The largest coefficient of a combination. The smallest prime factor of the cofactor of G2 is 13 (it is 13^2 * 23^2 *
/// 2713 * 11953 * 262069 times a prime of 448 bits), and 13 coefficients from -6 to 6 differ modulo 13.
const MAX_COEFFICIENT: usize = 6;

/// Whether all points lie in the subgroup of order r (the identity does).
///
/// Few points are checked one by one. For many, 64 sums over independent uniformly random subsets are checked instead.
/// If a point P lies outside, then for every choice of the other points' bits at most one of the two values of P's bit
/// gives a sum inside, since the two sums differ by P; so each sum misses with probability at most 1/2 and all with at
/// most 2^-64, whatever the orders are.
pub(crate) fn all_in_g1(points: &[G1Affine], rng: &mut impl CryptoRngCore) -> bool {
    if points.len() < MANY_IN_G1 {
        return points.iter().all(G1Affine::in_group);
    }
    let selections: Vec<u64> = points.iter().map(|_| rng.next_u64()).collect();
    let mut subset = Vec::with_capacity(points.len());
    (0..SUBSET_SUMS).all(|bit| {
        subset.clear();
        subset.extend(points.iter().zip(&selections).filter(|(_, bits)| *bits >> bit & 1 == 1).map(|(p, _)| *p));
        G1Affine::sum(&subset).in_group()
    })
}

/// Whether all points lie in the subgroup of order r (the identity does).
///
/// Few points are checked one by one. For many, 18 sums with independent coefficients, uniform from -6 to 6, are checked
/// instead. If a point P lies outside, then its part outside has an order of at least 13, the smallest prime factor of
/// the cofactor. For every choice of the other points' coefficients, two coefficients of P with a sum inside would differ
/// by a multiple of that order; so at most one of the 13 does it.
pub(crate) fn all_in_g2(points: &[G2Affine], rng: &mut impl CryptoRngCore) -> bool {
    if points.len() < MANY_IN_G2 {
        return points.iter().all(G2Affine::in_group);
    }
    (0..COMBINATIONS).all(|_| combination(points, rng).to_affine().in_group())
}

/// The sum of all points with random coefficients from -6 to 6: the points of each absolute value first.
fn combination(points: &[G2Affine], rng: &mut impl CryptoRngCore) -> G2 {
    let mut buckets: [Vec<G2Affine>; MAX_COEFFICIENT] = Default::default();
    for (point, coefficient) in points.iter().zip(coefficients(points.len(), rng)) {
        // 0 to 5 are -6 to -1, 6 is 0, and 7 to 12 are 1 to 6.
        let (size, point) = match usize::from(coefficient) {
            small if small < MAX_COEFFICIENT => (MAX_COEFFICIENT - small, point.negate()),
            large => (large - MAX_COEFFICIENT, *point),
        };
        if let Some(bucket) = size.checked_sub(1).and_then(|at| buckets.get_mut(at)) {
            bucket.push(point);
        }
    }
    let (mut running, mut sum) = (G2::identity(), G2::identity());
    for bucket in buckets.iter().rev() {
        running = running.add_affine(&G2Affine::sum(bucket));
        sum = sum.add(&running);
    }
    sum
}

/// Uniform numbers from 0 to 12.
fn coefficients(count: usize, rng: &mut impl CryptoRngCore) -> Vec<u8> {
    const VALUES: u8 = 2 * MAX_COEFFICIENT as u8 + 1;
    // The largest multiple of 13 in a byte: what lies above would prefer small numbers.
    const LIMIT: u8 = u8::MAX / VALUES * VALUES;
    let mut coefficients = Vec::with_capacity(count);
    let mut bytes = [0u8; 64];
    while coefficients.len() < count {
        rng.fill_bytes(&mut bytes);
        let missing = count - coefficients.len();
        coefficients.extend(bytes.iter().filter(|byte| **byte < LIMIT).map(|byte| byte % VALUES).take(missing));
    }
    coefficients
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    /// r times the cofactor of G2 without its 13 * 13, most significant limb first.
    const ORDER_BY_169: [u64; 12] = [
        0x0004_0054_49cd_a731,
        0xa713_6c44_0a0c_65b7,
        0x28ba_1c1f_a6b6_7083,
        0x56f3_b9bd_c843_96ca,
        0xb339_07d7_1557_a7d3,
        0x3677_f5d4_5f7c_edb8,
        0xcfda_c10f_f1fc_5b48,
        0xd646_1e90_7737_d78e,
        0x9656_8f2d_18c7_50b4,
        0xb3ca_5c33_c3fd_8ff8,
        0xa706_2988_8281_9145,
        0x29f4_e338_0941_cfdd,
    ];

    fn times(point: &G2, factor: &[u64]) -> G2 {
        let bits = factor.iter().flat_map(|limb| (0..64).rev().map(move |bit| limb >> bit & 1 == 1));
        bits.fold(G2::identity(), |sum, bit| if bit { sum.double().add(point) } else { sum.double() })
    }

    /// A point of order 13.
    fn small_point() -> G2Affine {
        let on_curve = (0u8..).filter_map(|x| {
            let mut bytes = [0; G2Affine::COMPRESSED];
            (bytes[0], bytes[G2Affine::COMPRESSED - 1]) = (0x80, x);
            G2Affine::uncompress(&bytes)
        });
        let point = on_curve.map(|point| times(&G2::from(point), &ORDER_BY_169)).find(|point| !point.is_identity());
        let point = point.unwrap();
        assert!(times(&point, &[13]).is_identity());
        point.to_affine()
    }

    #[test]
    fn a_point_of_the_least_order_survives_one_combination_in_thirteen_and_never_all() {
        let rng = &mut ChaCha20Rng::seed_from_u64(1);
        let small = small_point();
        let mut points: Vec<_> = (0u8..70).map(|i| G2::hash(&[i], b"test").to_affine()).collect();
        assert!(all_in_g2(&points, rng));
        points[17] = G2::from(points[17]).add_affine(&small).to_affine();
        let survived = (0..1_300).filter(|_| combination(&points, rng).to_affine().in_group()).count();
        // 100 expected, deviation 9.6.
        assert!((55..145).contains(&survived), "{survived}");
        assert!((0..200).all(|_| !all_in_g2(&points, rng)));
        // A second one that cancels the first in the plain sum.
        points[40] = G2::from(points[40]).add_affine(&small.negate()).to_affine();
        assert!((0..200).all(|_| !all_in_g2(&points, rng)));
        assert!(!all_in_g2(&points[..20], rng), "few");
    }
}
