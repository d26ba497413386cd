//! The contract of every protocol machine: no IO, no clock, no hidden randomness.
//!
//! A driver feeds a machine with messages and the time, and performs the outputs that [`Machine::poll`]
//! returns **strictly in order**: what is to be persisted is on disk before a later message leaves.

use serde::{Deserialize, Serialize};

use crate::{committee::OperatorId, verdict::Verdict};

/// A point in time: milliseconds since the Unix epoch, given by the driver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time(pub u64);

impl Time {
    /// This time and `ms` milliseconds; the end of time when that overflows.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds since `earlier`; zero when that lies in the future.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whole seconds since the Unix epoch.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0 / 1_000
    }
}

/// Who is to get a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// Every other member of the committee.
    All,
    /// One member of the committee.
    One(OperatorId),
}

/// A sans-IO protocol machine.
pub trait Machine {
    /// What peers exchange.
    type Message;
    /// What the machine wants done, in order.
    type Output;

    /// Takes a message of the authenticated peer `from`.
    fn on_message(&mut self, now: Time, from: OperatorId, message: Self::Message) -> Verdict;

    /// Tells the machine that [`Machine::deadline`] has passed.
    fn on_deadline(&mut self, now: Time);

    /// The next effect to perform.
    fn poll(&mut self) -> Option<Self::Output>;

    /// When to call [`Machine::on_deadline`]; `None` while only messages can change anything.
    fn deadline(&self) -> Option<Time>;
}
