//! The time of duties.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cluster_core::beacon::Slot;
use cluster_core::machine::Time;
use tokio::time::Instant;

/// Longest sleep without a look at the system's clock, which may be set, or stand still while the machine sleeps.
const LOOK: Duration = Duration::from_secs(1);

/// Tells the time and sleeps by it; a copy is the same clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Source);

#[derive(Clone, Copy, Debug)]
enum Source {
    /// What the machine believes the time to be. Slots follow the time of the world, not the time since a start, so a
    /// correction of the machine's clock counts from the moment that it is made.
    System,
    /// A time, and tokio's at that moment: virtual where the runtime is paused.
    Anchored { time: Time, at: Instant },
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that says `time` now and goes with tokio's, so that it is virtual in a paused runtime.
    #[must_use]
    pub fn at(time: Time) -> Self {
        Self(Source::Anchored { time, at: Instant::now() })
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Time {
        match self.0 {
            Source::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Time(millis(since))
            }
            Source::Anchored { time, at } => time.plus_ms(millis(at.elapsed())),
        }
    }

    /// Sleeps until `time`; not at all when it has passed.
    pub async fn sleep_until(&self, time: Time) {
        loop {
            let now = self.now();
            if now >= time {
                return;
            }
            let left = Duration::from_millis(time.since(now));
            match self.0 {
                Source::System => tokio::time::sleep(left.min(LOOK)).await,
                Source::Anchored { .. } => tokio::time::sleep(left).await,
            }
        }
    }

    /// Sleeps until a deadline, for ever when there is none.
    pub async fn sleep_until_some(&self, deadline: Option<Time>) {
        match deadline {
            Some(deadline) => self.sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    }

    /// Sleeps for a while.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// What `work` comes to, unless `time` comes first.
    pub async fn until<T>(&self, time: Time, work: impl std::future::Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.sleep_until(time) => None,
        }
    }
}

/// Where slots lie in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotTimes {
    /// When slot 0 began.
    pub genesis: Time,
    /// Length of a slot in milliseconds.
    pub slot_ms: u64,
    /// Slots of an epoch.
    pub slots_per_epoch: u64,
}

impl SlotTimes {
    /// The slot at a time; slot 0 before genesis.
    #[must_use]
    pub const fn slot_at(&self, now: Time) -> Slot {
        let slot_ms = if self.slot_ms == 0 { 1 } else { self.slot_ms };
        Slot(now.since(self.genesis) / slot_ms)
    }

    /// When a slot begins.
    #[must_use]
    pub const fn start(&self, slot: Slot) -> Time {
        self.genesis.plus_ms(slot.0.saturating_mul(self.slot_ms))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
