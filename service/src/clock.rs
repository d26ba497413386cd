//! The one place where the service reads the time, so that tests can set it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Source of the current time; cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    manual_ms: Option<Arc<AtomicU64>>,
}

impl Clock {
    /// A clock that stands still at `now_ms` (milliseconds since the Unix epoch) until it is advanced.
    pub fn manual(now_ms: u64) -> Self {
        Self { manual_ms: Some(Arc::new(AtomicU64::new(now_ms))) }
    }

    /// Moves a manual clock forward; does nothing to the system's clock.
    pub fn advance_ms(&self, by_ms: u64) {
        if let Some(manual_ms) = &self.manual_ms {
            manual_ms.fetch_add(by_ms, Ordering::SeqCst);
        }
    }

    /// Milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> u64 {
        match &self.manual_ms {
            Some(manual_ms) => manual_ms.load(Ordering::SeqCst),
            None => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map(|elapsed| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
                .unwrap_or(0),
        }
    }

    /// Seconds since the Unix epoch.
    pub fn now_s(&self) -> u64 {
        self.now_ms() / 1000
    }
}
