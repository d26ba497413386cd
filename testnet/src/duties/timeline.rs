//! What is done when, in milliseconds from genesis.

use cluster_core::committee::OperatorId;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use super::options::Plan;

/// A beacon node or an operator that was killed stays away for this long.
const AWAY_MS: u64 = 1_000;

/// One thing that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// Looks how the chain stands in this slot.
    Look(u64),
    /// Takes the figures of this epoch, which are complete by now.
    Epoch(u64),
    /// Stops an operator for good.
    Stop(OperatorId),
    /// Kills an operator with SIGKILL.
    Kill(OperatorId),
    /// Starts an operator again.
    Start(OperatorId),
    /// Stops an operator, and starts it as the next release.
    Upgrade(OperatorId),
    /// Has a stranger and then the owner order a validator to leave.
    Exit(u64),
    /// Kills the first beacon node.
    KillBeacon,
    /// Starts it again.
    StartBeacon,
}

/// Everything that is done in a run, in order, each with its time.
#[must_use]
pub fn timeline(plan: &Plan, operators: &[OperatorId]) -> Vec<(u64, Act)> {
    let options = &plan.options;
    let slot_ms = options.slot_seconds * 1_000;
    let slots_per_epoch = options.preset.slots_per_epoch();
    let epoch_ms = slot_ms * slots_per_epoch;
    let mut acts: Vec<(u64, Act)> = Vec::new();
    // Late in the slot, when what belongs to it has happened.
    acts.extend(
        (0..(options.epochs + 1) * slots_per_epoch).map(|slot| (slot * slot_ms + slot_ms * 9 / 10, Act::Look(slot))),
    );
    // A third into the slot after the next epoch, so that its last block is there even when it is late.
    acts.extend((0..options.epochs).map(|epoch| ((epoch + 2) * epoch_ms + slot_ms / 3, Act::Epoch(epoch))));
    acts.extend(plan.stop.iter().map(|(operator, epoch)| (epoch * epoch_ms, Act::Stop(*operator))));
    if options.upgrade.is_some() {
        for (operator, turn) in operators.iter().zip(0..) {
            acts.push(((slots_per_epoch + turn * options.rolling_gap()) * slot_ms, Act::Upgrade(*operator)));
        }
    }
    // In the second slot of the epoch: in the first, operators have enough to do.
    acts.extend(options.exit.map(|(index, epoch)| (epoch * epoch_ms + slot_ms, Act::Exit(index))));
    if options.rolling_restart {
        // Anywhere in the slot: in different steps of its duties.
        let mut rng = ChaCha20Rng::seed_from_u64(options.seed);
        for (operator, turn) in operators.iter().zip(0..) {
            let slot = slots_per_epoch + turn * options.rolling_gap();
            let at = slot * slot_ms + u64::from(rng.next_u32()) % slot_ms;
            acts.push((at, Act::Kill(*operator)));
            acts.push((at + AWAY_MS, Act::Start(*operator)));
        }
    }
    acts.extend(options.kill_beacon.map(|epoch| (epoch * epoch_ms + slot_ms / 2, Act::KillBeacon)));
    if let Some(epoch) = options.restart_beacon {
        let at = epoch * epoch_ms + slot_ms / 2;
        acts.extend([(at, Act::KillBeacon), (at + AWAY_MS, Act::StartBeacon)]);
    }
    acts.sort_unstable();
    acts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::PathBuf;

    use super::*;
    use crate::duties::options::Options;

    #[test]
    fn everything_has_its_time() {
        let mut options = Options::new(PathBuf::new(), PathBuf::new(), 3);
        options.rolling_restart = true;
        options.stop = vec![(4, 2)];
        options.second_beacon = true;
        options.kill_beacon = Some(1);
        let world = options.world();
        let acts = timeline(&options.plan(&world).unwrap(), &world.ids());
        let at = |wanted: Act| acts.iter().find(|(_, act)| *act == wanted).unwrap().0;
        assert_eq!(at(Act::Epoch(3)), 5 * 8 * 3_000 + 1_000, "the last act");
        assert_eq!(*acts.last().unwrap(), (121_000, Act::Epoch(3)));
        assert_eq!(at(Act::Stop(OperatorId(104))), 2 * 24_000);
        assert_eq!(at(Act::KillBeacon), 24_000 + 1_500);
        assert!(!acts.iter().any(|(_, act)| matches!(act, Act::Upgrade(_) | Act::Exit(_))));
        for (turn, operator) in world.ids().into_iter().enumerate() {
            let slot = at(Act::Kill(operator)) / 3_000;
            assert_eq!(slot, 8 + 6 * turn as u64, "operator {operator}");
            assert_eq!(at(Act::Start(operator)), at(Act::Kill(operator)) + 1_000);
        }
    }
}
