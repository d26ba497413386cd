//! Secret multiples of one point of G2 by many scalars, from a table made for the point: when many shares sign one
//! message, each multiplication takes 44 additions and 10 doublings instead of a whole ladder.
//!
//! A comb (Lim, Lee, "More Flexible Exponentiation with Precomputation", CRYPTO 1994) with signed digits that are never
//! zero: the 264 bits of the scalar stand in 6 rows of 44; a column of 6 bits, each taken for +1 or -1, is one entry of
//! the table or its opposite. The 44 columns are 4 blocks of 11, with a table each, so that doublings are shared.

use bls12_381::Scalar;
use blst::{blst_fp2, blst_fp2_cneg, blst_p2_add_or_double_affine, blst_p2_affine};
use zeroize::Zeroize;

use super::{
    fixed_base::{equal_mask, or_masked},
    group::{G2Affine, G2},
};

/// Rows of the comb.
const TEETH: usize = 6;
/// Tables.
const BLOCKS: usize = 4;
/// Columns of one table: one doubling less than these for all tables together.
const COLUMNS: usize = 11;
/// Bits between two rows.
const SPACING: usize = BLOCKS * COLUMNS;
/// Entries of one table: the sign of the top row is the sign of the entry.
const ENTRIES: usize = 1 << (TEETH - 1);
/// Place of the top bit, which is always set; at least the 256 bits of a scalar plus r.
const TOP: usize = TEETH * SPACING - 1;
/// Limbs of 64 bits in a recoded scalar.
const LIMBS: usize = TOP / 64 + 1;

/// r, the group order, from the lowest limb.
const ORDER: [u64; 4] = [0xffff_ffff_0000_0001, 0x53bd_a402_fffe_5bfe, 0x3339_d808_09a1_d805, 0x73ed_a753_299d_7d48];

/// 4 tables of 32 multiples of a point: 24 KB.
pub(crate) struct G2Table(Vec<blst_p2_affine>);

impl G2Table {
    /// Takes as long as three multiplications. The point must lie in the subgroup of order r.
    pub(crate) fn new(point: &G2Affine) -> Self {
        // The unit of every row of every block, which is 2 to the power of its place times the point, and twice that.
        let mut units = Vec::with_capacity(TEETH * BLOCKS);
        let mut power = G2::from(*point);
        for place in 0..=(TEETH * BLOCKS - 1) * COLUMNS {
            let double = power.double();
            if place % COLUMNS == 0 {
                units.push((power, double));
            }
            power = double;
        }
        let mut points = Vec::with_capacity(BLOCKS * ENTRIES);
        for block in 0..BLOCKS {
            let rows: Vec<_> = units.iter().skip(block).step_by(BLOCKS).collect();
            let start = points.len();
            // All lower rows negative; then each entry again with one more row positive.
            let (top, lower) = rows.split_at(TEETH - 1);
            points.extend(lower.iter().map(|(unit, _)| top.iter().fold(*unit, |sum, (row, _)| sum.add(&row.negate()))));
            for (_, double) in top {
                for entry in start..points.len() {
                    points.push(points[entry].add(double));
                }
            }
        }
        Self(G2::batch_to_affine(&points).into_iter().map(|point| point.0).collect())
    }

    /// The scalar multiple of the point, in a time and with memory addresses independent of the scalar.
    ///
    /// The formula for additions is complete and without branches, so no scalar is special.
    pub(crate) fn mul_secret(&self, scalar: &Scalar) -> G2 {
        let mut bits = recode(scalar);
        let mut acc = G2::identity();
        for column in (0..COLUMNS).rev() {
            acc = acc.double();
            for (block, table) in self.0.chunks_exact(ENTRIES).enumerate() {
                let (index, negative) = digit(&bits, block * COLUMNS + column);
                let mut entry = select(table, index);
                let (previous, y) = (acc.0, entry.y);
                // SAFETY: reads valid points and field elements and writes others.
                unsafe {
                    blst_fp2_cneg(&mut entry.y, &y, negative);
                    blst_p2_add_or_double_affine(&mut acc.0, &previous, &entry);
                }
                for coordinate in [&mut entry.x, &mut entry.y] {
                    coordinate.fp.iter_mut().for_each(|part| part.l.zeroize());
                }
            }
        }
        bits.zeroize();
        acc
    }
}

/// The scalar as 264 digits of +1 (a set bit) and -1 from the lowest.
///
/// Digits that are never zero make odd numbers only, so r is added to an even scalar. An odd x below 2^264 is the sum of
/// (2 b_i - 1) 2^i where the b_i are the bits of (x - 1)/2 + 2^263.
fn recode(scalar: &Scalar) -> [u64; LIMBS] {
    let mut bytes = scalar.to_bytes();
    let mut limbs = [0u64; LIMBS];
    for (i, byte) in bytes.iter().enumerate() {
        limbs[i / 8] |= u64::from(*byte) << (8 * (i % 8));
    }
    bytes.zeroize();
    let even = std::hint::black_box((limbs[0] & 1).wrapping_sub(1));
    let mut carry = 0u128;
    for (limb, order) in limbs.iter_mut().zip(ORDER) {
        let sum = u128::from(*limb) + u128::from(order & even) + carry;
        *limb = sum as u64;
        carry = sum >> 64;
    }
    for i in 0..LIMBS {
        let above = limbs.get(i + 1).copied().unwrap_or(0);
        limbs[i] = limbs[i] >> 1 | above << 63;
    }
    limbs[TOP / 64] |= 1 << (TOP % 64);
    limbs
}

/// The entry for a column, by its place in the table, and whether it is to be negated.
fn digit(bits: &[u64; LIMBS], column: usize) -> (u8, bool) {
    let mut index = 0u8;
    for row in 0..TEETH {
        let place = column + row * SPACING;
        index |= ((bits[place / 64] >> (place % 64) & 1) as u8) << row;
    }
    let negative = (index >> (TEETH - 1)) ^ 1;
    // A negative top row turns all signs around.
    ((index ^ negative.wrapping_neg()) & (ENTRIES as u8 - 1), negative == 1)
}

/// The entry at `index`. Reads every entry and selects with masks.
#[inline]
fn select(table: &[blst_p2_affine], index: u8) -> blst_p2_affine {
    let mut selected = blst_p2_affine::default();
    for (j, entry) in (0u8..).zip(table) {
        let mask = equal_mask(j, index);
        or_both(&mut selected.x, &entry.x, mask);
        or_both(&mut selected.y, &entry.y, mask);
    }
    selected
}

#[inline]
fn or_both(selected: &mut blst_fp2, entry: &blst_fp2, mask: u64) {
    for (part, source) in selected.fp.iter_mut().zip(&entry.fp) {
        or_masked(part, source, mask);
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::curve::random_scalar;

    #[test]
    fn multiples_from_the_table_are_those_of_the_ladder_for_random_and_for_special_scalars() {
        let point = G2::hash(b"table", b"test").to_affine();
        let table = G2Table::new(&point);
        let rng = &mut ChaCha20Rng::seed_from_u64(1);
        let powers = (0..255).map(|i| Scalar::from(2).pow_vartime(&[i, 0, 0, 0]));
        let special: Vec<_> =
            powers.flat_map(|power| [power, -power, power - Scalar::one(), power + Scalar::one()]).collect();
        let small = (0..40).map(Scalar::from);
        let random = (0..200).map(|_| random_scalar(rng));
        for scalar in special.into_iter().chain(small).chain(random) {
            let expected = G2::from(point).mul_secret(&scalar);
            assert!(table.mul_secret(&scalar) == expected, "{scalar}");
        }
        assert!(table.mul_secret(&Scalar::zero()).is_identity());
    }

    #[test]
    fn the_order_is_that_of_the_field() {
        let mut minus_one = (-Scalar::one()).to_bytes();
        minus_one[0] += 1;
        let limbs: Vec<u8> = ORDER.iter().flat_map(|limb| limb.to_le_bytes()).collect();
        assert_eq!(limbs, minus_one);
    }
}
