//! CONSENSUS 1.2: when rounds begin. Everybody computes the same times, also after a restart.

use super::MAX_ROUND;
use crate::machine::Time;

/// How often lengths double.
const DOUBLINGS: u32 = 3;

/// The times at which the rounds of an instance begin.
///
/// The first f+1 rounds last `round_ms`: with f leaders down, one of them has a leader that is up. The next three last 2, 4 and
/// 8 times as long, for networks slower than expected, and all further ones 8 times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timetable {
    start: Time,
    round_ms: u64,
    short: u32,
}

impl Timetable {
    /// The times for a committee of which `f` may fail.
    #[must_use]
    pub fn new(start: Time, round_ms: u64, f: usize) -> Self {
        let short = u32::try_from(f).unwrap_or(u32::MAX).saturating_add(1);
        Self { start, round_ms: round_ms.max(1), short }
    }

    /// When a round (from 1) begins.
    #[must_use]
    pub fn begins(&self, round: u32) -> Time {
        let before = round.saturating_sub(1);
        let short = u64::from(before.min(self.short));
        let long = before.saturating_sub(self.short);
        let doubling = long.min(DOUBLINGS);
        // 2 + 4 + ... + 2^doubling
        let doubled = (2 << doubling) - 2;
        let rest = u64::from(long - doubling) << DOUBLINGS;
        self.start.plus_ms(self.round_ms.saturating_mul(short + doubled + rest))
    }

    /// The round at a time; 1 before the start.
    #[must_use]
    pub fn round_at(&self, now: Time) -> u32 {
        let (mut low, mut high) = (1, MAX_ROUND);
        // The last round that has begun.
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if self.begins(middle) <= now {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        low
    }

    /// When round 1 begins.
    #[must_use]
    pub const fn start(&self) -> Time {
        self.start
    }

    /// Half of the shortest round: the interval of repetition.
    #[must_use]
    pub fn repeat_ms(&self) -> u64 {
        (self.round_ms / 2).max(1)
    }

    /// A quarter of the shortest round: how long to wait for one peer's answer, and how often to answer one peer.
    #[must_use]
    pub fn patience_ms(&self) -> u64 {
        (self.round_ms / 4).max(1)
    }
}
