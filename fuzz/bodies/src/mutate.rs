//! Damage to genuine inputs, and garbage, from a seed: what libFuzzer does, in a bounded form that runs anywhere.

use rand_core::RngCore;

/// Numbers at which lengths, counts and tags break.
const NUMBERS: [u64; 10] = [0, 1, 2, 0x7f, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 1 << 63, u64::MAX];

/// Bytes of garbage at most.
const GARBAGE_BYTES: usize = 2048;

/// Characters that text formats are made of.
const ALPHABET: &[u8] = b"{}[]\":,=.-+0123456789abcdefx_ \n\t\\'#TZnul\xc3\xa9";

/// Arbitrary bytes, one time in two of those that texts are made of; short ones as often as long ones.
pub fn garbage(rng: &mut impl RngCore) -> Vec<u8> {
    let bits = below(rng, GARBAGE_BYTES.ilog2() as usize + 1);
    let length = below(rng, 1 << bits);
    let text = below(rng, 2) == 0;
    let mut bytes = vec![0; length];
    rng.fill_bytes(&mut bytes);
    if text {
        bytes.iter_mut().for_each(|byte| *byte = ALPHABET[usize::from(*byte) % ALPHABET.len()]);
    }
    bytes
}

/// One of `genuine` with one to four kinds of damage; `other` lends parts.
pub fn damaged(genuine: &[u8], other: &[u8], rng: &mut impl RngCore) -> Vec<u8> {
    let mut bytes = genuine.to_vec();
    for _ in 0..=below(rng, 4) {
        damage(&mut bytes, other, rng);
    }
    bytes
}

fn damage(bytes: &mut Vec<u8>, other: &[u8], rng: &mut impl RngCore) {
    let at = below(rng, bytes.len() + 1);
    let span = at..(at + below(rng, 40)).min(bytes.len());
    match below(rng, 9) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(span)),
        2 => {
            let repeated = bytes[span].to_vec();
            bytes.splice(at..at, repeated);
        }
        3 => {
            let from = below(rng, other.len() + 1);
            let part = other[from..(from + below(rng, 40)).min(other.len())].to_vec();
            bytes.splice(span, part);
        }
        4 => {
            let number = NUMBERS[below(rng, NUMBERS.len())].to_le_bytes();
            let width = [1, 2, 4, 8][below(rng, 4)].min(bytes.len() - at);
            bytes[at..at + width].copy_from_slice(&number[..width]);
        }
        5 => {
            let digits = NUMBERS[below(rng, NUMBERS.len())].to_string();
            bytes.splice(span, digits.into_bytes());
        }
        6 => {
            let inserted = garbage(rng);
            bytes.splice(at..at, inserted.into_iter().take(8));
        }
        _ if at < bytes.len() => bytes[at] ^= 1 << below(rng, 8),
        _ => bytes.push(rng.next_u32() as u8),
    }
}

/// A number from 0 to `bound` - 1; `bound` is not zero.
pub fn below(rng: &mut impl RngCore, bound: usize) -> usize {
    (rng.next_u64() % bound as u64) as usize
}
