//! Bounded queues in front of the swarm task: some requests in flight to each peer, some waiting, the rest refused.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use cluster_net::limits;
use libp2p::PeerId;
use tokio::sync::Semaphore;

use super::client::RequestError;

/// What a request waits in line for: a protocol, or the part of one that must not wait behind the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Queue {
    Dkg,
    Publish,
    Info,
    Consensus,
    Value,
    Signing,
    Performance,
    Presence,
}

impl Queue {
    /// Requests on their way at a time.
    fn in_flight(self) -> usize {
        match self {
            Self::Dkg | Self::Publish | Self::Info => limits::REQUESTS_IN_FLIGHT,
            Self::Consensus => limits::CONSENSUS_IN_FLIGHT,
            Self::Value => limits::VALUES_IN_FLIGHT,
            Self::Signing => limits::SIGNING_IN_FLIGHT,
            Self::Performance => limits::PERFORMANCE_IN_FLIGHT,
            Self::Presence => limits::PRESENCE_IN_FLIGHT,
        }
    }
}

/// One line per peer and protocol; there are no more lines than registered peers times eight.
#[derive(Debug, Default)]
pub(super) struct Queues {
    lines: Mutex<HashMap<(PeerId, Queue), Arc<Line>>>,
}

impl Queues {
    pub(super) fn line(&self, peer: PeerId, queue: Queue) -> Arc<Line> {
        let mut lines = self.lines.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        lines.entry((peer, queue)).or_insert_with(|| Arc::new(Line::new(queue))).clone()
    }
}

/// Requests to one peer: some in flight, some waiting, the rest refused.
#[derive(Debug)]
pub(super) struct Line {
    flight: Semaphore,
    waiting: AtomicUsize,
}

impl Line {
    fn new(queue: Queue) -> Self {
        Self { flight: Semaphore::new(queue.in_flight()), waiting: AtomicUsize::new(0) }
    }

    /// Waits for a place in flight.
    ///
    /// # Errors
    ///
    /// [`RequestError::Busy`] when too many wait already.
    pub(super) async fn turn(&self) -> Result<tokio::sync::SemaphorePermit<'_>, RequestError> {
        if let Ok(permit) = self.flight.try_acquire() {
            return Ok(permit);
        }
        // Counted down by the guard also when the caller gives up while it waits.
        let _place = Place::take(&self.waiting).ok_or(RequestError::Busy)?;
        self.flight.acquire().await.map_err(|_| RequestError::ShutDown)
    }
}

struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Option<Self> {
        let before = waiting.fetch_add(1, Ordering::Relaxed);
        let place = Self(waiting);
        (before < limits::REQUESTS_WAITING).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
