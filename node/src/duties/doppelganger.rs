//! Protection of validators whose key existed elsewhere before: a validator that was split from a keystore may still be
//! running where it came from.
//!
//! This operator holds back its partials for such a validator until one of these is seen:
//!
//! * the rest of the committee completes a signature without it: the committee is at work, and this operator joins;
//! * the validator shows no sign of life for some whole epochs.
//!
//! A validator that is alive while the committee is not is somebody else's, and is held back until an operator restarts the
//! node after having found out. Keys that a ceremony made never existed anywhere else and are not held back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cluster_core::beacon::{Epoch, ValidatorIndex};

use crate::signer::Pubkey;

/// Where a validator stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watch {
    /// Watched; no sign of life up to the first epoch that was not looked at yet.
    Since(Epoch),
    /// Somebody else signs for it.
    Foreign,
}

/// The validators that are held back.
#[derive(Debug)]
pub(crate) struct Doppelganger {
    epochs: u64,
    watched: Mutex<BTreeMap<Pubkey, (ValidatorIndex, Watch, Epoch)>>,
    released: Mutex<BTreeSet<Pubkey>>,
}

impl Doppelganger {
    /// `epochs` without a sign of life are enough; 0 switches the protection off.
    pub(crate) fn new(epochs: u64) -> Self {
        Self { epochs, watched: Mutex::default(), released: Mutex::default() }
    }

    /// Watches a validator from the next whole epoch on, unless it was released before.
    pub(crate) fn watch(&self, validator: Pubkey, index: ValidatorIndex, now: Epoch) {
        if self.epochs == 0 || lock(&self.released).contains(&validator) {
            return;
        }
        let first = Epoch(now.0 + 1);
        lock(&self.watched).entry(validator).or_insert((index, Watch::Since(first), first));
    }

    /// Whether partials for the validator are held back.
    pub(crate) fn holds(&self, validator: &Pubkey) -> bool {
        lock(&self.watched).contains_key(validator)
    }

    /// The others completed a signature: the committee is at work.
    pub(crate) fn at_work(&self, validator: &Pubkey) {
        let mut watched = lock(&self.watched);
        if watched.get(validator).is_some_and(|(_, watch, _)| *watch != Watch::Foreign) {
            watched.remove(validator);
            lock(&self.released).insert(*validator);
            tracing::info!(validator = %short(validator), "the committee signs for validator {}; joining", short(validator));
        }
    }

    /// The epoch that has to be looked at next, if any is over.
    pub(crate) fn due(&self, now: Epoch) -> Option<(Epoch, Vec<ValidatorIndex>)> {
        let watched = lock(&self.watched);
        let open = watched.values().filter_map(|(index, watch, next)| match watch {
            Watch::Since(_) if *next < now => Some((*next, *index)),
            _ => None,
        });
        let open: Vec<_> = open.collect();
        let epoch = open.iter().map(|(epoch, _)| *epoch).min()?;
        Some((epoch, open.into_iter().filter(|(at, _)| *at == epoch).map(|(_, index)| index).collect()))
    }

    /// What the beacon node saw in an epoch.
    pub(crate) fn looked(&self, epoch: Epoch, live: &[(ValidatorIndex, bool)]) {
        let mut watched = lock(&self.watched);
        let mut quiet = Vec::new();
        for (validator, (index, watch, next)) in watched.iter_mut() {
            let Watch::Since(since) = *watch else { continue };
            if *next != epoch {
                continue;
            }
            let Some((_, is_live)) = live.iter().find(|(at, _)| at == index) else { continue };
            *next = Epoch(epoch.0 + 1);
            if *is_live {
                *watch = Watch::Foreign;
                tracing::error!(validator = %short(validator), epoch = epoch.0, "validator {} signs in epoch {epoch} although this committee does not: its key is in use elsewhere; no duty is performed for it. Stop the other instance, then restart this node", short(validator));
            } else if next.0 - since.0 >= self.epochs {
                quiet.push(*validator);
            }
        }
        for validator in quiet {
            watched.remove(&validator);
            lock(&self.released).insert(validator);
            tracing::info!(validator = %short(&validator), "no sign of life of validator {} elsewhere; its duties begin", short(&validator));
        }
    }

    /// Validators that somebody else signs for.
    pub(crate) fn foreign(&self) -> usize {
        lock(&self.watched).values().filter(|(_, watch, _)| *watch == Watch::Foreign).count()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn short(validator: &Pubkey) -> String {
    format!("0x{}..", hex::encode(&validator[..6]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Pubkey = [7; 48];
    const INDEX: ValidatorIndex = ValidatorIndex(3);

    fn watching(epochs: u64) -> Doppelganger {
        let protection = Doppelganger::new(epochs);
        protection.watch(KEY, INDEX, Epoch(10));
        protection
    }

    #[test]
    fn a_quiet_validator_is_released_after_whole_epochs() {
        let protection = watching(2);
        assert!(protection.holds(&KEY));
        assert_eq!(protection.due(Epoch(11)), None, "the first whole epoch is not over");
        for (epoch, held) in [(11, true), (12, false)] {
            assert_eq!(protection.due(Epoch(epoch + 1)), Some((Epoch(epoch), vec![INDEX])));
            protection.looked(Epoch(epoch), &[(INDEX, false)]);
            assert_eq!(protection.holds(&KEY), held, "after epoch {epoch}");
        }
        protection.watch(KEY, INDEX, Epoch(13));
        assert!(!protection.holds(&KEY), "it is not watched a second time");
    }

    #[test]
    fn a_validator_that_lives_elsewhere_stays_held_back() {
        let protection = watching(2);
        protection.looked(Epoch(11), &[(INDEX, true)]);
        assert_eq!((protection.holds(&KEY), protection.foreign()), (true, 1));
        protection.at_work(&KEY);
        protection.looked(Epoch(12), &[(INDEX, false)]);
        assert_eq!((protection.holds(&KEY), protection.foreign()), (true, 1));
    }

    #[test]
    fn the_committee_at_work_releases() {
        let protection = watching(2);
        protection.at_work(&KEY);
        assert!(!protection.holds(&KEY));
    }

    #[test]
    fn an_unanswered_question_is_asked_again_and_zero_epochs_switch_it_off() {
        let protection = watching(2);
        protection.looked(Epoch(11), &[]);
        assert_eq!(protection.due(Epoch(13)), Some((Epoch(11), vec![INDEX])));
        let off = watching(0);
        assert!(!off.holds(&KEY));
    }
}
