//! What was done for validators besides their duties: registration with builders, and exits. The newest of each, in memory; the
//! first epoch after a restart brings it again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cluster_core::beacon::{Epoch, ValidatorRegistration};
use cluster_crypto::ethereum::Address;
use cluster_net::upkeep::{Exit, Registration, Relay};

use crate::signer::Pubkey;

/// What became of one attempt to register a validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// Too few partial signatures came in time.
    Incomplete,
    /// No beacon node took it.
    NotTaken,
    /// A beacon node took it.
    Taken,
}

/// The newest of one validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its registration with builders.
    pub relay: Relay,
    /// How far this operator is with its exit.
    pub exit: Exit,
}

impl Default for Note {
    fn default() -> Self {
        Self { relay: Relay::Waiting, exit: Exit::None }
    }
}

/// Written by the engine, read by [`crate::operator`] for gateways and people.
#[derive(Debug, Default)]
pub struct Notebook {
    notes: Mutex<HashMap<Pubkey, Note>>,
}

impl Notebook {
    /// What is known of a validator.
    #[must_use]
    pub fn of(&self, pubkey: &Pubkey) -> Note {
        self.lock().get(pubkey).copied().unwrap_or_default()
    }

    /// Forgets every validator that is not asked for.
    pub fn retain(&self, is_here: impl Fn(&Pubkey) -> bool) {
        self.lock().retain(|pubkey, _| is_here(pubkey));
    }

    /// A registration was tried in this epoch.
    pub(super) fn tried(&self, message: &ValidatorRegistration, attempt: Attempt, epoch: Epoch) {
        let mut notes = self.lock();
        let note = notes.entry(message.pubkey).or_default();
        let since =
            |epoch| Registration { epoch, fee_recipient: Address(message.fee_recipient), gas_limit: message.gas_limit };
        let as_of = |epoch: u64| match attempt {
            Attempt::Incomplete => Relay::Incomplete { epoch },
            Attempt::NotTaken => Relay::NotTaken(since(epoch)),
            Attempt::Taken => Relay::Registered(since(epoch)),
        };
        // The same as before goes on counting from its first epoch.
        let before = match note.relay {
            Relay::Incomplete { epoch } => Some(epoch),
            Relay::NotTaken(held) | Relay::Registered(held) => Some(held.epoch),
            Relay::Off | Relay::Waiting => None,
        };
        if before.map(as_of) != Some(note.relay) {
            note.relay = as_of(epoch.0);
        }
    }

    /// An exit got so far. It never goes back.
    pub(super) fn exits(&self, pubkey: &Pubkey, step: Exit) {
        let mut notes = self.lock();
        let note = notes.entry(*pubkey).or_default();
        note.exit = note.exit.max(step);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Pubkey, Note>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_registration_counts_from_the_first_epoch_in_which_it_stood_as_it_does() {
        let book = Notebook::default();
        let message = |recipient: u8| ValidatorRegistration {
            fee_recipient: [recipient; 20],
            gas_limit: 60_000_000,
            timestamp: 0,
            pubkey: [7; 48],
        };
        let held = |epoch, recipient: u8| Registration {
            epoch,
            fee_recipient: Address([recipient; 20]),
            gas_limit: 60_000_000,
        };
        assert_eq!(book.of(&[7; 48]).relay, Relay::Waiting);
        for (epoch, recipient, attempt, expected) in [
            (3, 1, Attempt::Incomplete, Relay::Incomplete { epoch: 3 }),
            (4, 1, Attempt::Incomplete, Relay::Incomplete { epoch: 3 }),
            (5, 1, Attempt::NotTaken, Relay::NotTaken(held(5, 1))),
            (5, 1, Attempt::Taken, Relay::Registered(held(5, 1))),
            (6, 1, Attempt::Taken, Relay::Registered(held(5, 1))),
            (7, 2, Attempt::Taken, Relay::Registered(held(7, 2))),
            (8, 2, Attempt::Taken, Relay::Registered(held(7, 2))),
            (9, 2, Attempt::NotTaken, Relay::NotTaken(held(9, 2))),
            (10, 2, Attempt::Taken, Relay::Registered(held(10, 2))),
        ] {
            book.tried(&message(recipient), attempt, Epoch(epoch));
            assert_eq!(book.of(&[7; 48]).relay, expected, "epoch {epoch}");
        }
    }

    #[test]
    fn an_exit_does_not_go_back_and_who_is_gone_is_forgotten() {
        let book = Notebook::default();
        for (step, expected) in
            [(Exit::Signed, Exit::Signed), (Exit::Published, Exit::Published), (Exit::Signed, Exit::Published)]
        {
            book.exits(&[7; 48], step);
            assert_eq!(book.of(&[7; 48]), Note { relay: Relay::Waiting, exit: expected });
        }
        book.exits(&[8; 48], Exit::Signed);
        book.retain(|pubkey| *pubkey == [8; 48]);
        assert_eq!((book.of(&[7; 48]).exit, book.of(&[8; 48]).exit), (Exit::None, Exit::Signed));
    }
}
