//! Single curve operations, for benches and tests alone: what the protocols would cost if arithmetic were all
//! there is, and points that no honest code makes.

use std::hint::black_box;

use bls12_381::Scalar;
use rand_core::CryptoRngCore;

use crate::bls::HashedMessage;
use crate::curve::{self, G1Affine, G2Affine, G2Table, MillerLoop, G1, G2};

/// Random operands of every kind. Each method performs one operation and hides its result from the optimiser.
pub struct Operands {
    scalar: Scalar,
    g1: G1Affine,
    g2: G2Affine,
    g1_points: Vec<G1Affine>,
    g2_points: Vec<G2Affine>,
    short_scalars: Vec<u8>,
}

impl Operands {
    /// Draws operands; multi-scalar operations will have `points` points, at least one.
    #[must_use]
    pub fn new(points: usize, rng: &mut impl CryptoRngCore) -> Self {
        let scalar = curve::random_scalar(rng);
        let g1 = G1::mul_generator(&scalar).to_affine();
        let g2 = HashedMessage::new(b"operand").0;
        let g1_points: Vec<_> = (0..points.max(1)).map(|_| G1::mul_generator(&curve::random_scalar(rng))).collect();
        let g2_points: Vec<_> =
            (0..points.max(1)).map(|_| G2::from(g2).mul_secret(&curve::random_scalar(rng))).collect();
        Self {
            scalar,
            g1,
            g2,
            g1_points: G1::batch_to_affine(&g1_points),
            g2_points: G2::batch_to_affine(&g2_points),
            short_scalars: curve::nonzero_randomisers(points.max(1), 16, rng),
        }
    }

    /// A full multiplication in G1.
    pub fn g1_multiply(&self) {
        black_box(G1::from(self.g1).mul_secret(black_box(&self.scalar)));
    }

    /// A multiplication in G1 by 64 bits, as batch verification needs for every public key.
    pub fn g1_multiply_64(&self) {
        black_box(G1::msm(&self.g1_points[..1], black_box(&self.short_scalars[..8]), 64));
    }

    /// A multiple of the generator of G1, from the table.
    pub fn g1_fixed_base(&self) {
        black_box(G1::mul_generator(black_box(&self.scalar)));
    }

    /// A full multiplication in G2.
    pub fn g2_multiply(&self) {
        black_box(G2::from(self.g2).mul_secret(black_box(&self.scalar)));
    }

    /// As many multiplications in G2 as there are points, of one point, by a table that is made for it.
    pub fn g2_multiply_by_table(&self) {
        let table = G2Table::new(black_box(&self.g2));
        self.g2_points.iter().for_each(|_| _ = black_box(table.mul_secret(black_box(&self.scalar))));
    }

    /// A mixed addition in G1.
    pub fn g1_add(&self) {
        black_box(G1::from(self.g1).add_affine(black_box(&self.g1)));
    }

    /// A mixed addition in G2.
    pub fn g2_add(&self) {
        black_box(G2::from(self.g2).add_affine(black_box(&self.g2)));
    }

    /// One Miller loop.
    pub fn miller_loop(&self) {
        let mut product = MillerLoop::new();
        product.pair(black_box(&self.g1), black_box(&self.g2));
        black_box(product.product());
    }

    /// As many Miller loops as there are points, with shared squarings.
    pub fn miller_loops(&self) {
        let mut product = MillerLoop::new();
        for (p, q) in self.g1_points.iter().zip(&self.g2_points) {
            product.pair(p, q);
        }
        black_box(product.product());
    }

    /// Two Miller loops and the final exponentiation.
    pub fn pairing_check(&self) {
        black_box(curve::pairing_product_is_one([(&self.g1, &self.g2), (&self.g1, &self.g2)]));
    }

    /// Prepares a final exponentiation and returns it.
    pub fn final_exponentiation(&self) -> impl Fn() + use<> {
        let mut product = MillerLoop::new();
        product.pair(&self.g1, &self.g2);
        let product = product.product();
        move || {
            black_box(curve::final_exponentiation_is_one(black_box(&product)));
        }
    }

    /// Membership of one point in the subgroup of G1.
    pub fn g1_in_group(&self) {
        black_box(black_box(&self.g1).in_group());
    }

    /// Membership of one point in the subgroup of G2.
    pub fn g2_in_group(&self) {
        black_box(black_box(&self.g2).in_group());
    }

    /// Membership of all points in the subgroup of G1.
    pub fn all_in_g1(&self, rng: &mut impl CryptoRngCore) {
        black_box(curve::all_in_g1(&self.g1_points, rng));
    }

    /// Membership of all points in the subgroup of G2.
    pub fn all_in_g2(&self, rng: &mut impl CryptoRngCore) {
        black_box(curve::all_in_g2(&self.g2_points, rng));
    }

    /// A sum of all points of G1 with 128-bit scalars.
    pub fn g1_msm_128(&self) {
        black_box(G1::msm(&self.g1_points, &self.short_scalars, 128));
    }

    /// A sum of all points of G1 with 64-bit scalars.
    pub fn g1_msm_64(&self) {
        black_box(G1::msm(&self.g1_points, &self.short_scalars, 64));
    }

    /// A sum of all points of G2 with 64-bit scalars.
    pub fn g2_msm_64(&self) {
        black_box(G2::msm(&self.g2_points, &self.short_scalars, 64));
    }

    /// A sum of all points of G2 with 128-bit scalars.
    pub fn g2_msm_128(&self) {
        black_box(G2::msm(&self.g2_points, &self.short_scalars, 128));
    }
}

/// Hashes a message to G2 under any domain tag: 192 bytes, uncompressed. For the vectors of RFC 9380.
#[must_use]
pub fn hash_to_g2(message: &[u8], domain: &[u8]) -> [u8; 192] {
    G2::hash(message, domain).to_affine().serialize()
}

/// A compressed point of G1's curve, in the subgroup or not, as 96 uncompressed bytes.
#[must_use]
pub fn g1_uncompress(bytes: &[u8; 48]) -> Option<[u8; 96]> {
    G1Affine::uncompress(bytes).map(|point| point.serialize())
}

/// A compressed point of G2's curve, in the subgroup or not, as 192 uncompressed bytes.
#[must_use]
pub fn g2_uncompress(bytes: &[u8; 96]) -> Option<[u8; 192]> {
    G2Affine::uncompress(bytes).map(|point| point.serialize())
}

/// The sum of two points of G1's curve, uncompressed.
#[must_use]
pub fn g1_sum(a: &[u8; 96], b: &[u8; 96]) -> Option<[u8; 96]> {
    Some(G1Affine::sum(&[G1Affine::deserialize(a)?, G1Affine::deserialize(b)?]).serialize())
}

/// The sum of two points of G2's curve, uncompressed.
#[must_use]
pub fn g2_sum(a: &[u8; 192], b: &[u8; 192]) -> Option<[u8; 192]> {
    Some(G2Affine::sum(&[G2Affine::deserialize(a)?, G2Affine::deserialize(b)?]).serialize())
}

/// The opposite of a point of G2's curve, uncompressed.
#[must_use]
pub fn g2_negate(a: &[u8; 192]) -> Option<[u8; 192]> {
    Some(G2Affine::deserialize(a)?.negate().serialize())
}
