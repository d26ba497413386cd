//! A contract for tests of whoever reads a chain: it emits whatever it is told to. And logs that no contract should emit.

use rand_core::RngCore;

/// Longest noise in the place of data, in bytes.
const NOISE_BYTES: usize = 300;

/// Code of a contract that emits one log, which its call data give (see [`call_data`]). To be put at the address of another.
pub fn code() -> Vec<u8> {
    // mem[0..] = call data
    let mut code = vec![0x36, 0x5f, 0x5f, 0x37];
    let branches: Vec<Vec<u8>> = (0..=4).map(branch).collect();
    // Each comparison of the first byte with a number of topics takes 11 bytes; one more ends the table.
    let mut at = code.len() + 11 * branches.len() + 1;
    for (topics, branch) in (0u8..).zip(&branches) {
        let target = u8::try_from(at).unwrap_or(u8::MAX);
        code.extend([0x5f, 0x35, 0x60, 0xf8, 0x1c, 0x60, topics, 0x14, 0x60, target, 0x57]);
        at += branch.len();
    }
    code.push(0x00);
    code.extend(branches.concat());
    code
}

/// LOGn(mem[1 + 32 n..], topics).
fn branch(topics: u8) -> Vec<u8> {
    let mut branch = vec![0x5b];
    for topic in (0..topics).rev() {
        branch.extend([0x60, 1 + 32 * topic, 0x51]);
    }
    let offset = 1 + 32 * topics;
    branch.extend([0x60, offset, 0x36, 0x03]);
    branch.extend([0x60, offset, 0xa0 + topics, 0x00]);
    branch
}

/// What the contract is called with to emit this: the number of topics in one byte (at most 4), the topics, the data.
pub fn call_data(topics: &[[u8; 32]], data: &[u8]) -> Vec<u8> {
    let mut call = vec![u8::try_from(topics.len()).unwrap_or(u8::MAX)];
    topics.iter().for_each(|topic| call.extend(topic));
    call.extend(data);
    call
}

/// Spoils the data of a good log: cut short, noise of the same length, an absurd offset, length or count in one of the words, or
/// noise of any length. Now and then what is left is an event all the same: a name cut short, another validator.
pub fn spoil(dice: &mut impl RngCore, data: &mut Vec<u8>) {
    let mut number = |below: usize| usize::try_from(dice.next_u32()).unwrap_or(0) % below.max(1);
    match number(4) {
        0 => data.truncate(number(data.len())),
        1 => dice.fill_bytes(data),
        2 => {
            let word = number(data.len() / 32);
            data.iter_mut().skip(32 * word).take(32).for_each(|byte| *byte = 0xff);
        }
        _ => {
            *data = vec![0; number(NOISE_BYTES)];
            dice.fill_bytes(data);
        }
    }
}
