//! The well-known keys of test networks.

use cluster_crypto::bls::{BlsError, SecretKey};
use sha2::{Digest, Sha256};

/// The group order, big-endian.
const ORDER: [u8; 32] = [
    0x73, 0xed, 0xa7, 0x53, 0x29, 0x9d, 0x7d, 0x48, 0x33, 0x39, 0xd8, 0x08, 0x09, 0xa1, 0xd8, 0x05, 0x53, 0xbd, 0xa4,
    0x02, 0xff, 0xfe, 0x5b, 0xfe, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01,
];

/// Interop key `index`: SHA-256 of the index (32 bytes, little-endian), read as a little-endian number, modulo the group
/// order. Everybody knows it. Source: ethereum/eth2.0-pm, interop mocked start.
pub fn interop_key(index: u64) -> Result<SecretKey, BlsError> {
    let mut preimage = [0; 32];
    preimage[..8].copy_from_slice(&index.to_le_bytes());
    let mut number: [u8; 32] = Sha256::digest(preimage).into();
    number.reverse();
    // Below 2^256, hence below three times the order.
    while number >= ORDER {
        subtract_order(&mut number);
    }
    SecretKey::from_bytes(&number)
}

fn subtract_order(number: &mut [u8; 32]) {
    let mut borrow = false;
    for (digit, subtracted) in number.iter_mut().zip(ORDER).rev() {
        let (difference, first) = digit.overflowing_sub(subtracted);
        let (difference, second) = difference.overflowing_sub(u8::from(borrow));
        *digit = difference;
        borrow = first || second;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::interop_key;

    #[test]
    fn the_first_keys_are_the_published_ones() {
        let secrets = [
            (0, "25295f0d1d592a90b333e26e85149708208e9f8e8bc18f6c77bd62f8ad7a6866"),
            (1, "51d0b65185db6989ab0b560d6deed19c7ead0e24b9b6372cbecb1f26bdfad000"),
        ];
        for (index, secret) in secrets {
            let found = interop_key(index).unwrap().to_bytes().expose(|bytes| hex::encode(bytes));
            assert_eq!(found, secret, "interop key {index}");
        }
        assert!(interop_key(0).unwrap().public_key().to_string().starts_with("0xa99a76ed"));
    }
}
