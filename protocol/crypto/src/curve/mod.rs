//! Safe names for the blst operations that the rest of the crate uses. The only place with `unsafe`.
//!
//! [`G1`] and [`G2`] are points in Jacobian coordinates, [`G1Affine`] and [`G2Affine`] the same in affine
//! ones; all may be the identity and none promises to lie in the subgroup of order r. That promise is made by
//! the types outside: [`crate::bls::PublicKey`] and [`crate::bls::Signature`].
//!
//! Variable time: [`G1::msm`], `sum`, `double_and_add`, and pairings (public inputs). Independent of
//! the scalar: [`G1::mul_generator`], [`G2::mul_secret`] and [`G2Table::mul_secret`].

#![allow(unsafe_code)]

mod comb;
mod fixed_base;
mod group;
mod membership;
mod pairing;

pub(crate) use comb::G2Table;
pub(crate) use group::{G1Affine, G2Affine, G1, G2};
pub(crate) use membership::{all_in_g1, all_in_g2};
pub(crate) use pairing::{final_exponentiation_is_one, pairing_product_is_one, MillerLoop};

use bls12_381::Scalar;
use rand_core::CryptoRngCore;
use zeroize::Zeroize;

/// Random little-endian scalars of `bytes` bytes each, none of them zero, one after the other.
///
/// They must be drawn after everything that they multiply is fixed.
pub(crate) fn nonzero_randomisers(count: usize, bytes: usize, rng: &mut impl CryptoRngCore) -> Vec<u8> {
    let mut randomisers = vec![0u8; count * bytes];
    rng.fill_bytes(&mut randomisers);
    for randomiser in randomisers.chunks_exact_mut(bytes) {
        while randomiser.iter().all(|byte| *byte == 0) {
            rng.fill_bytes(randomiser);
        }
    }
    randomisers
}

/// A uniform scalar, from 64 bytes of the generator.
pub(crate) fn random_scalar(rng: &mut impl CryptoRngCore) -> Scalar {
    let mut wide = [0u8; 64];
    rng.fill_bytes(&mut wide);
    let scalar = Scalar::from_bytes_wide(&wide);
    wide.zeroize();
    scalar
}

/// A small scalar from at most 16 little-endian bytes.
pub(crate) fn scalar_from_le(bytes: &[u8]) -> Scalar {
    let mut limbs = [0u64; 4];
    for (i, byte) in bytes.iter().take(16).enumerate() {
        limbs[i / 8] |= u64::from(*byte) << (8 * (i % 8));
    }
    Scalar::from_raw(limbs)
}

/// A scalar from 32 big-endian bytes, `None` unless it is below r.
pub(crate) fn scalar_from_be(bytes: &[u8; 32]) -> Option<Scalar> {
    let mut little_endian = *bytes;
    little_endian.reverse();
    let scalar = Scalar::from_bytes(&little_endian).into_option();
    little_endian.zeroize();
    scalar
}

/// The 32 big-endian bytes of a scalar.
pub(crate) fn scalar_to_be(scalar: &Scalar) -> [u8; 32] {
    let mut bytes = scalar.to_bytes();
    bytes.reverse();
    bytes
}
