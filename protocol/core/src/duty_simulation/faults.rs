//! Which faults a seed means.

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::{below, Control, Plan};
use crate::consensus::simulation::Behaviour;

/// What goes wrong in a run. Operators are named by their place in the committee.
#[derive(Clone, Debug)]
pub struct Faults {
    /// Of 10,000 effects of a consensus machine, so many are not performed because the process is killed before.
    pub crash_in_consensus: u64,
    /// Of 1,000 steps from a decision to a partial, so many.
    pub crash_in_signing: u64,
    /// Longest time that a killed operator is down, in milliseconds; one in eight is down for ten times as long.
    pub down_ms: u64,
    /// Shortest and longest latency.
    pub latency_ms: (u64, u64),
    /// Messages lost, of 1,000.
    pub loss_permille: u64,
    /// Messages that take up to two slots, of 1,000.
    pub slow_permille: u64,
    /// From and until when, in milliseconds after the start, two sides do not hear each other; a bit for each on one side.
    pub partitions: Vec<(u64, u64, u32)>,
    /// Operators with a compromised node, and how it behaves in consensus. Their signers are as they should be.
    pub compromised: BTreeMap<usize, Behaviour>,
    /// The signers of those are the adversary's too: their shares sign everything.
    pub lost_shares: bool,
    /// Operators that never start.
    pub absent: Vec<usize>,
    /// One branch only, and no reorgs.
    pub calm_chain: bool,
}

impl Faults {
    /// Nothing goes wrong but ordinary latency.
    #[must_use]
    pub fn none() -> Self {
        Self {
            crash_in_consensus: 0,
            crash_in_signing: 0,
            down_ms: 0,
            latency_ms: (5, 80),
            loss_permille: 0,
            slow_permille: 0,
            partitions: Vec::new(),
            compromised: BTreeMap::new(),
            lost_shares: false,
            absent: Vec::new(),
            calm_chain: true,
        }
    }

    /// The faults of a seed.
    #[must_use]
    pub fn draw(plan: &Plan, seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed ^ 0xfa17);
        let n = plan.operators as u64;
        let length = plan.epochs * super::chain::EPOCH_SLOTS * super::chain::SLOT_MS;
        let mut draw = |bound: u64| below(&mut rng, bound);
        let liars = if plan.control == Control::NoCheck { 1 } else { draw((n - 1) / 3 + 1) };
        let first = draw(n);
        let behaviours = [
            Behaviour::Silent,
            Behaviour::Equivocate,
            Behaviour::Withhold,
            Behaviour::Lie,
            // As a liar that follows the protocol, with values of its own.
            Behaviour::Twins,
        ];
        let compromised = (0..liars)
            .map(|at| (((first + at) % n) as usize, behaviours[draw(5) as usize]))
            .collect::<BTreeMap<_, _>>();
        let partitions = (0..draw(4))
            .map(|_| {
                let from = draw(length);
                (from, from + draw(60_000), draw(1 << n) as u32)
            })
            .collect();
        Self {
            // Larger committees have more effects.
            crash_in_consensus: [0, 10, 40, 80][draw(4) as usize] * 4 / n,
            crash_in_signing: [5, 20, 60][draw(3) as usize],
            down_ms: [500, 3_000, 8_000][draw(3) as usize],
            latency_ms: (1, 20 + draw(300)),
            loss_permille: [0, 0, 20, 100][draw(4) as usize],
            slow_permille: [0, 5, 50][draw(3) as usize],
            partitions,
            compromised,
            lost_shares: plan.control == Control::None && draw(3) == 0,
            absent: Vec::new(),
            calm_chain: false,
        }
    }
}
