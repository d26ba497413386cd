//! Nothing slashable is ever signed: whole committees do attestations and blocks on an adversarial chain, in virtual time and
//! without BLS, and are killed between any two steps.
//!
//! Real are the consensus machines ([`crate::consensus`]), the judgement of proposed values ([`crate::judgement`]) and the rules
//! of slashing protection ([`crate::slashing`]), in the order in which the node uses them. Simulated are the disk, which loses
//! what was not flushed; the beacon nodes, which follow different forks and change between them, and with them sources,
//! targets, heads and duties; the network; and up to f operators with a compromised node, which lie in consensus and ask their
//! own signers for whatever could be slashable. A [`checker`] outside of all that is told every signature.
//!
//! One seed is one run. Controls break protection on purpose, to show that the checker finds it out.
//!
//! | file | part |
//! | --- | --- |
//! | `faults` | which faults a seed means |
//! | `chain` | what beacon nodes say |
//! | `disk` | the slashing database and the journals, with crashes |
//! | `value` | what is proposed, and judged |
//! | `engine` | events, consensus, crashes and restarts |
//! | `network` | messages between operators |
//! | `work` | from a decision to a partial; the compromised nodes |
//! | `story` | what a run did, and what led to a violation |
//! | `checker` | the rules of the chain, over everything that was signed |

mod chain;
pub mod checker;
mod disk;
mod engine;
mod faults;
mod network;
mod story;
mod value;
mod work;

use std::collections::BTreeMap;

use rand_core::RngCore;

use crate::machine::Time;

pub use crate::simulation::START;
use checker::Violation;
pub use faults::Faults;

/// Protection that is broken on purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Control {
    /// Nothing is broken.
    #[default]
    None,
    /// One operator is restarted from old backups.
    OldBackup,
    /// All operators are restarted from old backups at one time.
    OldBackupsEverywhere,
    /// One operator runs twice, with one key and two disks.
    TwoInstances,
    /// Flushing does nothing, at all operators.
    NoFlush,
    /// All operators sign whatever they are asked for, and the node of one is compromised.
    NoCheck,
}

impl Control {
    /// All that break something.
    pub const ALL: [Self; 5] =
        [Self::OldBackup, Self::OldBackupsEverywhere, Self::TwoInstances, Self::NoFlush, Self::NoCheck];
}

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Size of the committee: 4, 7, 10 or 13.
    pub operators: usize,
    /// Validators of the committee that attest in each slot of an epoch of eight slots.
    pub per_slot: u32,
    /// Epochs.
    pub epochs: u64,
    /// What is broken on purpose.
    pub control: Control,
}

/// What a run did.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// Attestations of a validator that can be combined from partials that left their operators.
    pub votes: u64,
    /// Blocks of which the same is true.
    pub blocks: u64,
    /// Different messages that shares signed.
    pub partials: u64,
    /// Attestation duties that there were: one for each validator and epoch.
    pub duties: u64,
    /// Crashes before each step.
    pub crashes: BTreeMap<&'static str, u64>,
    /// Times that a crash lost something that was written, but not flushed.
    pub lossy_crashes: u64,
    /// Requests for a validator that slashing protection refused, by reason.
    pub refusals: BTreeMap<&'static str, u64>,
    /// Reorgs and other forks: branches of the chain.
    pub branches: usize,
    /// Pairs of slashable messages.
    pub slashable: u64,
    /// Those of them that a whole committee signed: a validator is slashed.
    pub validators_slashable: u64,
    /// The first of them, with their stories.
    pub violations: Vec<Story>,
}

impl Outcome {
    /// Signed duties: attestations and blocks.
    #[must_use]
    pub const fn signed(&self) -> u64 {
        self.votes + self.blocks
    }
}

/// A violation, and what its operators did before.
#[derive(Clone, Debug)]
pub struct Story {
    /// What must not be.
    pub violation: Violation,
    /// What happened, in order.
    pub lines: Vec<String>,
}

/// Runs the faults of one seed.
///
/// # Errors
/// The plan is not possible.
pub fn run(plan: &Plan, seed: u64) -> Result<Outcome, String> {
    run_with(plan, Faults::draw(plan, seed), seed)
}

/// Runs given faults.
///
/// # Errors
/// The plan is not possible.
pub fn run_with(plan: &Plan, faults: Faults, seed: u64) -> Result<Outcome, String> {
    if plan.per_slot == 0 || plan.epochs == 0 || plan.epochs > 1_000 || plan.per_slot > 4_096 {
        return Err("a run needs 1 to 4096 validators for each slot, and 1 to 1000 epochs".to_owned());
    }
    let mut simulation = engine::Simulation::new(plan, faults, seed)?;
    simulation.run();
    Ok(simulation.outcome())
}

fn below(rng: &mut impl RngCore, bound: u64) -> u64 {
    rng.next_u64() % bound.max(1)
}

fn since_start(at: Time) -> u64 {
    at.since(START)
}
