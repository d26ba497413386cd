//! Products of pairings.

use blst::{
    blst_final_exp, blst_fp12, blst_fp12_is_one, blst_fp12_mul, blst_miller_loop_n, blst_p1_affine, blst_p2_affine,
};

use super::group::{G1Affine, G2Affine};

/// Pairs per call into blst: its own stride, in which the squarings are shared.
const STRIDE: usize = 16;

/// A product of Miller loops under construction, to be closed by one final exponentiation.
pub(crate) struct MillerLoop {
    product: Option<blst_fp12>,
    g1: Vec<blst_p1_affine>,
    g2: Vec<blst_p2_affine>,
}

impl MillerLoop {
    pub(crate) fn new() -> Self {
        Self { product: None, g1: Vec::with_capacity(STRIDE), g2: Vec::with_capacity(STRIDE) }
    }

    /// Multiplies by the pairing of two points of the subgroups. A pair with an identity contributes one.
    pub(crate) fn pair(&mut self, p: &G1Affine, q: &G2Affine) {
        if p.is_identity() || q.is_identity() {
            return;
        }
        self.g1.push(p.0);
        self.g2.push(q.0);
        if self.g1.len() == STRIDE {
            self.flush();
        }
    }

    /// Whether the product of all pairings is one.
    pub(crate) fn equals_one(mut self) -> bool {
        self.flush();
        let Some(product) = self.product else {
            return true;
        };
        final_exponentiation_is_one(&product)
    }

    /// The product of the Miller loops so far, for measurements.
    pub(crate) fn product(mut self) -> blst_fp12 {
        self.flush();
        self.product.unwrap_or_default()
    }

    fn flush(&mut self) {
        if self.g1.is_empty() || self.g1.len() != self.g2.len() {
            return;
        }
        let ps: [*const blst_p1_affine; 2] = [self.g1.as_ptr(), std::ptr::null()];
        let qs: [*const blst_p2_affine; 2] = [self.g2.as_ptr(), std::ptr::null()];
        let mut part = blst_fp12::default();
        // SAFETY: lists of one pointer and null announce contiguous points, as many as the vectors hold.
        unsafe { blst_miller_loop_n(&mut part, qs.as_ptr(), ps.as_ptr(), self.g1.len()) };
        self.product = Some(match self.product {
            None => part,
            Some(product) => {
                let mut next = blst_fp12::default();
                // SAFETY: reads two valid field elements and writes a third.
                unsafe { blst_fp12_mul(&mut next, &product, &part) };
                next
            }
        });
        self.g1.clear();
        self.g2.clear();
    }
}

/// Whether a product of Miller loops becomes one in the target group.
pub(crate) fn final_exponentiation_is_one(product: &blst_fp12) -> bool {
    let mut result = blst_fp12::default();
    // SAFETY: reads a valid field element and writes another.
    unsafe { blst_final_exp(&mut result, product) };
    // SAFETY: reads a valid field element.
    unsafe { blst_fp12_is_one(&result) }
}

/// Whether the product of the pairings of all pairs is one.
pub(crate) fn pairing_product_is_one<'a>(pairs: impl IntoIterator<Item = (&'a G1Affine, &'a G2Affine)>) -> bool {
    let mut product = MillerLoop::new();
    for (p, q) in pairs {
        product.pair(p, q);
    }
    product.equals_one()
}
