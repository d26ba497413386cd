//! Duties: what a committee does for its validators in every slot.
//!
//! | file | what it is for |
//! | --- | --- |
//! | [`engine`] | which duty is performed when; `attestation`, `aggregation`, `proposal` and `ahead` perform them |
//! | `roster`, `schedule` | the validators of this operator, and their duties |
//! | `value` | what committees decide on, and whether this operator would sign it |
//! | `signatures` | own partial signatures and those of the others as one |
//! | `proofs` | signatures made ahead of their slot |
//! | [`exit`] | exits that owners ordered |
//! | `doppelganger` | validators whose keys may be in use elsewhere |
//! | [`hub`] | runs consensus instances and exchanges of partial signatures |
//! | [`mesh`] | messages to other operators: queues, repetition, expiry |
//! | [`votes`] | what an operator has voted, kept so that it never votes differently after a restart |
//! | [`clock`] | the time that everything here reads, and sleeps by |
//! | [`record`], [`ledger`], [`metrics`] | what became of every duty, kept and counted |
//! | [`performance`] | the same per validator and epoch, for gateways |
//! | [`upkeep`] | what was done for validators besides: registration with builders, exits |

mod aggregation;
mod ahead;
mod attestation;
pub mod clock;
mod doppelganger;
pub mod engine;
pub mod exit;
pub mod hub;
pub mod ledger;
pub mod mesh;
pub mod metrics;
pub mod performance;
mod proofs;
mod proposal;
pub mod record;
mod roster;
mod schedule;
mod signatures;
pub mod upkeep;
mod value;
pub mod votes;

pub use clock::Clock;
