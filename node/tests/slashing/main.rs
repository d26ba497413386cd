//! The slashing database: public and own interchange cases, crashes, threads, pruning, and the command line.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cases;
mod command;
mod database;
mod pruning;

use cluster_core::beacon::{AttestationData, Checkpoint, Epoch, Root};

/// The chain of all tests.
const CHAIN: Root = [0x67; 32];

fn vote(source: u64, target: u64) -> AttestationData {
    let checkpoint = |epoch| Checkpoint { epoch: Epoch(epoch), root: [1; 32] };
    AttestationData { source: checkpoint(source), target: checkpoint(target), ..AttestationData::default() }
}

fn root(number: u64) -> Root {
    let mut root = [0; 32];
    root[24..].copy_from_slice(&number.to_be_bytes());
    root
}

/// Whether a validator that signed both is slashed, as the consensus specification says it
/// (`is_slashable_attestation_data`): written apart from the code under test.
fn slashable(one: (u64, u64, Root), other: (u64, u64, Root)) -> bool {
    let surrounds = |a: (u64, u64, Root), b: (u64, u64, Root)| a.0 < b.0 && b.1 < a.1;
    (one.1 == other.1 && one.2 != other.2) || surrounds(one, other) || surrounds(other, one)
}
