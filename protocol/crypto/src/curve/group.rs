//! Points of the two groups over blst.

use bls12_381::Scalar;
use blst::*;
use zeroize::Zeroize;

/// Bits of a scalar of the field.
const SCALAR_BITS: usize = 255;

/// The absolute value of the curve parameter z, plus one: the effective cofactor of G1 (RFC 9380, 8.8.1).
const G1_EFFECTIVE_COFACTOR: u64 = 0xd201_0000_0001_0001;

macro_rules! group {
    (
        $point:ident, $affine:ident, $raw:ident, $raw_affine:ident,
        $compressed:expr, $uncompressed:expr,
        uncompress: $uncompress:ident, deserialize: $deserialize:ident,
        compress: $compress:ident, serialize: $serialize:ident,
        is_inf: $is_inf:ident, affine_is_inf: $affine_is_inf:ident, affine_in_group: $in_group:ident,
        is_equal: $is_equal:ident, affine_is_equal: $affine_is_equal:ident,
        from_affine: $from_affine:ident, to_affine: $to_affine:ident, batch_to_affine: $batch:ident,
        add: $add:ident, add_affine: $add_affine:ident, double: $double:ident, field_cneg: $field_cneg:ident,
        mult: $mult:ident, sum: $sum:ident, msm: $msm:ident, msm_scratch: $msm_scratch:ident,
    ) => {
        /// A point in affine coordinates; the identity is all zeros.
        #[derive(Clone, Copy)]
        pub(crate) struct $affine(pub(super) $raw_affine);

        /// A point in Jacobian coordinates.
        #[derive(Clone, Copy)]
        pub(crate) struct $point(pub(super) $raw);

        impl $affine {
            /// Bytes of the compressed encoding.
            pub(crate) const COMPRESSED: usize = $compressed;
            /// Bytes of the uncompressed encoding.
            pub(crate) const UNCOMPRESSED: usize = $uncompressed;

            /// Reads a compressed point of the curve; `None` for anything else, including other encodings
            /// of the same point. The identity is accepted.
            pub(crate) fn uncompress(bytes: &[u8; $compressed]) -> Option<Self> {
                let mut point = $raw_affine::default();
                // SAFETY: `bytes` has the length that the function reads, and `point` is valid for writes.
                let status = unsafe { $uncompress(&mut point, bytes.as_ptr()) };
                (status == BLST_ERROR::BLST_SUCCESS).then_some(Self(point))
            }

            /// Reads an uncompressed point of the curve other than the identity; `None` for anything else.
            pub(crate) fn deserialize(bytes: &[u8; $uncompressed]) -> Option<Self> {
                // The three top bits mark the compressed form and the identity, neither of which belongs
                // here.
                if bytes[0] & 0xe0 != 0 {
                    return None;
                }
                let mut point = $raw_affine::default();
                // SAFETY: `bytes` has the length that the function reads, and `point` is valid for writes.
                let status = unsafe { $deserialize(&mut point, bytes.as_ptr()) };
                (status == BLST_ERROR::BLST_SUCCESS).then_some(Self(point))
            }

            /// The compressed encoding.
            pub(crate) fn compress(&self) -> [u8; $compressed] {
                let mut bytes = [0u8; $compressed];
                // SAFETY: `bytes` has the length that the function writes.
                unsafe { $compress(bytes.as_mut_ptr(), &self.0) };
                bytes
            }

            /// The uncompressed encoding.
            pub(crate) fn serialize(&self) -> [u8; $uncompressed] {
                let mut bytes = [0u8; $uncompressed];
                // SAFETY: `bytes` has the length that the function writes.
                unsafe { $serialize(bytes.as_mut_ptr(), &self.0) };
                bytes
            }

            pub(crate) fn is_identity(&self) -> bool {
                // SAFETY: reads a valid point.
                unsafe { $affine_is_inf(&self.0) }
            }

            /// Whether the point lies in the subgroup of order r. The identity does.
            pub(crate) fn in_group(&self) -> bool {
                // SAFETY: reads a valid point of the curve.
                unsafe { $in_group(&self.0) }
            }

            /// The opposite point.
            pub(crate) fn negate(mut self) -> Self {
                let y = self.0.y;
                // SAFETY: reads a valid field element and writes another.
                unsafe { $field_cneg(&mut self.0.y, &y, true) };
                self
            }

            /// The sum of all points; batched affine additions, variable time.
            pub(crate) fn sum(points: &[Self]) -> Self {
                let Some(first) = points.first() else {
                    return $point::identity().to_affine();
                };
                let list: [*const $raw_affine; 2] = [&first.0, std::ptr::null()];
                let mut sum = $point::identity();
                // SAFETY: a list of one pointer and null announces contiguous points. `Self` has one field
                // of the raw type, so the slice is `points.len()` contiguous raw points.
                unsafe { $sum(&mut sum.0, list.as_ptr(), points.len()) };
                sum.to_affine()
            }
        }

        impl PartialEq for $affine {
            fn eq(&self, other: &Self) -> bool {
                // SAFETY: reads two valid points.
                unsafe { $affine_is_equal(&self.0, &other.0) }
            }
        }

        impl Eq for $affine {}

        impl From<$affine> for $point {
            fn from(affine: $affine) -> Self {
                let mut point = $raw::default();
                // SAFETY: reads a valid point and writes another.
                unsafe { $from_affine(&mut point, &affine.0) };
                Self(point)
            }
        }

        impl $point {
            pub(crate) fn identity() -> Self {
                // All coordinates zero, which blst takes for the identity.
                Self($raw::default())
            }

            pub(crate) fn is_identity(&self) -> bool {
                // SAFETY: reads a valid point.
                unsafe { $is_inf(&self.0) }
            }

            pub(crate) fn add(&self, other: &Self) -> Self {
                let mut sum = $raw::default();
                // SAFETY: reads two valid points and writes a third; the formula is complete.
                unsafe { $add(&mut sum, &self.0, &other.0) };
                Self(sum)
            }

            pub(crate) fn add_affine(&self, other: &$affine) -> Self {
                let mut sum = $raw::default();
                // SAFETY: reads two valid points and writes a third; the formula is complete.
                unsafe { $add_affine(&mut sum, &self.0, &other.0) };
                Self(sum)
            }

            pub(crate) fn double(&self) -> Self {
                let mut double = $raw::default();
                // SAFETY: reads a valid point and writes another.
                unsafe { $double(&mut double, &self.0) };
                Self(double)
            }

            /// `factor` times the point; variable time, for public factors.
            pub(crate) fn double_and_add(&self, factor: u64) -> Self {
                if factor == 0 {
                    return Self::identity();
                }
                let mut acc = *self;
                for bit in (0..factor.ilog2()).rev() {
                    acc = acc.double();
                    if factor >> bit & 1 == 1 {
                        acc = acc.add(self);
                    }
                }
                acc
            }

            /// The scalar multiple, in a time independent of the scalar. The point must lie in the subgroup.
            pub(crate) fn mul_secret(&self, scalar: &Scalar) -> Self {
                let mut bytes = scalar.to_bytes();
                let mut product = $raw::default();
                // SAFETY: `bytes` holds the 255 bits that the function reads; the points are valid.
                unsafe { $mult(&mut product, &self.0, bytes.as_ptr(), SCALAR_BITS) };
                bytes.zeroize();
                Self(product)
            }

            pub(crate) fn to_affine(self) -> $affine {
                let mut affine = $raw_affine::default();
                // SAFETY: reads a valid point and writes another.
                unsafe { $to_affine(&mut affine, &self.0) };
                $affine(affine)
            }

            /// Converts many points with one field inversion. Identities stay identities.
            pub(crate) fn batch_to_affine(points: &[Self]) -> Vec<$affine> {
                let mut affine = vec![$affine($raw_affine::default()); points.len()];
                if let (Some(first), Some(out)) = (points.first(), affine.first_mut()) {
                    let list: [*const $raw; 2] = [&first.0, std::ptr::null()];
                    // SAFETY: a list of one pointer and null announces contiguous points; both slices have
                    // `points.len()` elements of one raw point each.
                    unsafe { $batch(&mut out.0, list.as_ptr(), points.len()) };
                }
                affine
            }

            /// The sum of `points[i]` times the i-th scalar of `bits` bits in `scalars` (little-endian,
            /// `bits / 8` bytes each). Pippenger's method, variable time. The points may lie outside the
            /// subgroup as long as `bits` is at most 128.
            pub(crate) fn msm(points: &[$affine], scalars: &[u8], bits: usize) -> Self {
                let Some(first) = points.first() else {
                    return Self::identity();
                };
                if scalars.len() < points.len() * bits.div_ceil(8) {
                    return Self::identity();
                }
                let mut sum = $raw::default();
                if points.len() == 1 {
                    let point = Self::from(*first);
                    // SAFETY: `scalars` holds at least `bits` bits; the points are valid.
                    unsafe { $mult(&mut sum, &point.0, scalars.as_ptr(), bits) };
                    return Self(sum);
                }
                // SAFETY: a pure function of the number of points.
                let scratch_bytes = unsafe { $msm_scratch(points.len()) };
                let mut scratch = vec![0u64; scratch_bytes.div_ceil(8)];
                let point_list: [*const $raw_affine; 2] = [&first.0, std::ptr::null()];
                let scalar_list: [*const u8; 2] = [scalars.as_ptr(), std::ptr::null()];
                // SAFETY: lists of one pointer and null announce contiguous elements, of which there are
                // `points.len()` points and as many scalars (checked above); blst said how much scratch it
                // needs. There are at least two points, which its prefetching requires.
                unsafe {
                    $msm(&mut sum, point_list.as_ptr(), points.len(), scalar_list.as_ptr(), bits, scratch.as_mut_ptr());
                }
                Self(sum)
            }
        }

        impl PartialEq for $point {
            fn eq(&self, other: &Self) -> bool {
                // SAFETY: reads two valid points.
                unsafe { $is_equal(&self.0, &other.0) }
            }
        }
    };
}

group! {
    G1, G1Affine, blst_p1, blst_p1_affine, 48, 96,
    uncompress: blst_p1_uncompress, deserialize: blst_p1_deserialize,
    compress: blst_p1_affine_compress, serialize: blst_p1_affine_serialize,
    is_inf: blst_p1_is_inf, affine_is_inf: blst_p1_affine_is_inf, affine_in_group: blst_p1_affine_in_g1,
    is_equal: blst_p1_is_equal, affine_is_equal: blst_p1_affine_is_equal,
    from_affine: blst_p1_from_affine, to_affine: blst_p1_to_affine, batch_to_affine: blst_p1s_to_affine,
    add: blst_p1_add_or_double, add_affine: blst_p1_add_or_double_affine, double: blst_p1_double, field_cneg: blst_fp_cneg,
    mult: blst_p1_mult, sum: blst_p1s_add, msm: blst_p1s_mult_pippenger, msm_scratch: blst_p1s_mult_pippenger_scratch_sizeof,
}

group! {
    G2, G2Affine, blst_p2, blst_p2_affine, 96, 192,
    uncompress: blst_p2_uncompress, deserialize: blst_p2_deserialize,
    compress: blst_p2_affine_compress, serialize: blst_p2_affine_serialize,
    is_inf: blst_p2_is_inf, affine_is_inf: blst_p2_affine_is_inf, affine_in_group: blst_p2_affine_in_g2,
    is_equal: blst_p2_is_equal, affine_is_equal: blst_p2_affine_is_equal,
    from_affine: blst_p2_from_affine, to_affine: blst_p2_to_affine, batch_to_affine: blst_p2s_to_affine,
    add: blst_p2_add_or_double, add_affine: blst_p2_add_or_double_affine, double: blst_p2_double, field_cneg: blst_fp2_cneg,
    mult: blst_p2_mult, sum: blst_p2s_add, msm: blst_p2s_mult_pippenger, msm_scratch: blst_p2s_mult_pippenger_scratch_sizeof,
}

impl G1Affine {
    /// The generator of the subgroup.
    pub(crate) fn generator() -> Self {
        // SAFETY: blst returns a pointer to a constant that lives for ever.
        Self(unsafe { *blst_p1_affine_generator() })
    }
}

impl G1 {
    /// The opposite point.
    pub(crate) fn negate(mut self) -> Self {
        // SAFETY: changes a valid point in place.
        unsafe { blst_p1_cneg(&mut self.0, true) };
        self
    }

    /// Maps any point of the curve into the subgroup of order r; zero exactly for points of order dividing
    /// the cofactor.
    pub(crate) fn clear_cofactor(&self) -> Self {
        self.double_and_add(G1_EFFECTIVE_COFACTOR)
    }
}

impl G2 {
    /// The opposite point.
    pub(crate) fn negate(mut self) -> Self {
        // SAFETY: changes a valid point in place.
        unsafe { blst_p2_cneg(&mut self.0, true) };
        self
    }

    /// Hashes a message to the subgroup (RFC 9380, BLS12381G2_XMD:SHA-256_SSWU_RO_) under a domain tag.
    pub(crate) fn hash(message: &[u8], domain: &[u8]) -> Self {
        let mut point = blst_p2::default();
        // SAFETY: both slices are passed with their lengths; an empty augmentation may be null.
        unsafe {
            blst_hash_to_g2(
                &mut point,
                message.as_ptr(),
                message.len(),
                domain.as_ptr(),
                domain.len(),
                std::ptr::null(),
                0,
            );
        }
        Self(point)
    }
}
