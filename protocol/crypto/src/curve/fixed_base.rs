//! Secret multiples of the generator of G1, from a table, without a trace of the scalar in time or addresses.

use std::sync::OnceLock;

use bls12_381::Scalar;
use blst::{blst_fp, blst_p1_add_affine, blst_p1_affine};
use zeroize::Zeroize;

use super::group::{G1Affine, G1};

/// Windows of four bits in a scalar.
const WINDOWS: usize = 64;
/// Multiples 1..=15 of the base of each window; zero is the identity, which needs no entry.
const ENTRIES: usize = 15;

type Window = [blst_p1_affine; ENTRIES];

/// `table[i][j]` is (j + 1) * 16^i * G: 64 * 15 points, 92 KB, built once.
fn table() -> &'static [Window] {
    static TABLE: OnceLock<Vec<Window>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut points = Vec::with_capacity(WINDOWS * ENTRIES);
        let mut base = G1::from(G1Affine::generator());
        for _ in 0..WINDOWS {
            let mut multiple = base;
            for _ in 0..ENTRIES {
                points.push(multiple);
                multiple = multiple.add(&base);
            }
            base = multiple;
        }
        let affine = G1::batch_to_affine(&points);
        affine.chunks_exact(ENTRIES).map(|window| std::array::from_fn(|j| window[j].0)).collect()
    })
}

/// The entry for `digit`, or the identity for zero. Reads every entry and selects with masks.
#[inline]
fn select(window: &Window, digit: u8) -> blst_p1_affine {
    let mut selected = blst_p1_affine::default();
    for (j, entry) in (1u8..).zip(window) {
        let mask = equal_mask(j, digit);
        or_masked(&mut selected.x, &entry.x, mask);
        or_masked(&mut selected.y, &entry.y, mask);
    }
    selected
}

#[inline]
pub(super) fn or_masked(selected: &mut blst_fp, entry: &blst_fp, mask: u64) {
    for (limb, source) in selected.l.iter_mut().zip(&entry.l) {
        *limb |= source & mask;
    }
}

/// All ones when the two are equal, else zero; the barrier keeps the compiler from making it a branch.
#[inline]
pub(super) fn equal_mask(a: u8, b: u8) -> u64 {
    let difference = std::hint::black_box(u64::from(a ^ b));
    ((difference.wrapping_sub(1)) >> 63).wrapping_neg()
}

impl G1 {
    /// The scalar multiple of the generator: 64 mixed additions, in a time independent of the scalar.
    ///
    /// The plain addition formula suffices: before window i the accumulator is less than 16^i times G, the
    /// entry is at least 16^i times G, and the scalar stays below r, so the two are never equal or opposite
    /// unless one is the identity, which the formula handles by selection.
    pub(crate) fn mul_generator(scalar: &Scalar) -> Self {
        let mut bytes = scalar.to_bytes();
        let mut acc = Self::identity();
        for (i, window) in table().iter().enumerate() {
            let digit = (bytes[i / 2] >> (4 * (i % 2))) & 15;
            let mut entry = select(window, digit);
            let previous = acc.0;
            // SAFETY: reads two valid points and writes a third.
            unsafe { blst_p1_add_affine(&mut acc.0, &previous, &entry) };
            entry.x.l.zeroize();
            entry.y.l.zeroize();
        }
        bytes.zeroize();
        acc
    }
}
