//! Messages of duties on their way to other operators.
//!
//! Per peer there are three lines, for votes, for large values and for partial signatures, so that none waits for
//! another. A line is bounded, has several messages in flight, and repeats each until the peer has acknowledged it or it
//! is of no use any more. A line that is more than half full sends the newest first, and a full one drops the oldest: in
//! duties the newest message is the one that matters, and the machines ask for what they miss.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use cluster_core::committee::OperatorId;
use cluster_core::duty::{InstanceId, SigningId};
use cluster_core::machine::Time;
use cluster_net::codec::Bytes;
use cluster_net::{consensus, limits, signing};
use futures::stream::FuturesUnordered;
use futures::StreamExt;
use libp2p::PeerId;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::clock::Clock;
use crate::metrics::Metrics;
use crate::network::{Client, RequestError};

/// Messages that wait in a line of votes or partials: some slots of a dozen committees.
const LINE_MESSAGES: usize = 512;
/// Values that wait in a line: they are up to 8 MiB each.
const LINE_VALUES: usize = 4;
/// First pause after a failure, or when the peer is busy; it doubles.
const RETRY_MIN: Duration = Duration::from_millis(20);
/// Longest pause.
const RETRY_MAX: Duration = Duration::from_millis(500);

/// Longest wait for a connection before another attempt; messages expire long before.
const WAIT: Duration = Duration::from_secs(600);

/// One encoded message of duties, with what it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DutyMessage {
    /// An encoded `cluster_core::consensus::Message` of an instance.
    Consensus(InstanceId, Bytes),
    /// An encoded `cluster_core::signing::Message` of an exchange.
    Signing(SigningId, Bytes),
}

impl DutyMessage {
    /// The encoded message.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        match self {
            Self::Consensus(_, bytes) | Self::Signing(_, bytes) => bytes,
        }
    }
}

/// Carries messages to other operators.
pub trait Mesh: Send + Sync + 'static {
    /// Sends a message. Never blocks. The message is repeated until the peer has acknowledged it or `expires` has come;
    /// it may be lost, arrive twice, or overtake others.
    fn send(&self, to: OperatorId, message: DutyMessage, expires: Time);
}

/// The lines of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Votes,
    Values,
    Partials,
}

impl Kind {
    fn of(message: &DutyMessage) -> Self {
        match message {
            DutyMessage::Consensus(_, bytes) if consensus::is_value(bytes) => Self::Values,
            DutyMessage::Consensus(..) => Self::Votes,
            DutyMessage::Signing(..) => Self::Partials,
        }
    }

    /// Messages that wait at most.
    const fn waiting(self) -> usize {
        match self {
            Self::Votes | Self::Partials => LINE_MESSAGES,
            Self::Values => LINE_VALUES,
        }
    }

    /// Messages on their way at a time: what the mesh allows.
    const fn in_flight(self) -> usize {
        match self {
            Self::Votes => limits::CONSENSUS_IN_FLIGHT,
            Self::Values => limits::VALUES_IN_FLIGHT,
            Self::Partials => limits::SIGNING_IN_FLIGHT,
        }
    }
}

struct Item {
    message: DutyMessage,
    expires: Time,
}

/// The mesh of a running operator.
#[derive(Clone)]
pub struct ClientMesh {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    clock: Clock,
    metrics: Metrics,
    stop: CancellationToken,
    tasks: TaskTracker,
    lines: Mutex<HashMap<(PeerId, Kind), Arc<Line>>>,
}

struct Line {
    kind: Kind,
    queue: Mutex<VecDeque<Item>>,
    wake: Notify,
}

impl ClientMesh {
    /// A mesh over `client`. Its tasks are spawned on `tasks` and end with `stop`.
    #[must_use]
    pub fn new(client: Client, clock: Clock, metrics: Metrics, stop: CancellationToken, tasks: TaskTracker) -> Self {
        Self { inner: Arc::new(Inner { client, clock, metrics, stop, tasks, lines: Mutex::default() }) }
    }

    /// The line of a peer; no more than three for each registered operator.
    fn line(&self, peer: PeerId, kind: Kind) -> Arc<Line> {
        let mut lines = lock(&self.inner.lines);
        let line = lines.entry((peer, kind)).or_insert_with(|| {
            let line = Arc::new(Line { kind, queue: Mutex::default(), wake: Notify::new() });
            let (inner, worked) = (Arc::clone(&self.inner), Arc::clone(&line));
            self.inner.tasks.spawn(async move {
                let stop = inner.stop.clone();
                stop.run_until_cancelled(inner.work(peer, &worked)).await;
            });
            line
        });
        Arc::clone(line)
    }
}

impl Mesh for ClientMesh {
    fn send(&self, to: OperatorId, message: DutyMessage, expires: Time) {
        // An operator that left the registry cannot be reached any more.
        let Some(peer) = self.inner.client.peer_of(to) else { return };
        let line = self.line(peer, Kind::of(&message));
        if line.push(Item { message, expires }) {
            self.inner.metrics.duty_messages_dropped.inc();
        }
        line.wake.notify_one();
    }
}

impl Line {
    /// Adds an item; whether another one had to go for it.
    fn push(&self, item: Item) -> bool {
        let mut queue = lock(&self.queue);
        // Machines repeat themselves; a peer that is away need not hear it as often.
        if let Some(same) = queue.iter_mut().find(|held| held.message == item.message) {
            same.expires = same.expires.max(item.expires);
            return false;
        }
        let is_full = queue.len() >= self.kind.waiting();
        if is_full {
            queue.pop_front();
        }
        queue.push_back(item);
        is_full
    }

    /// The next item that is still of use.
    fn pop(&self, now: Time) -> Option<Item> {
        let mut queue = lock(&self.queue);
        loop {
            let is_behind = queue.len() > self.kind.waiting() / 2;
            let item = if is_behind { queue.pop_back() } else { queue.pop_front() }?;
            if item.expires > now {
                return Some(item);
            }
        }
    }
}

impl Inner {
    /// Sends what is in a line, several at a time, for ever.
    async fn work(&self, peer: PeerId, line: &Line) {
        let mut flying = FuturesUnordered::new();
        loop {
            while flying.len() < line.kind.in_flight() {
                let Some(item) = line.pop(self.clock.now()) else { break };
                flying.push(self.deliver(peer, item));
            }
            tokio::select! {
                () = line.wake.notified() => {}
                Some(()) = flying.next(), if !flying.is_empty() => {}
            }
        }
    }

    /// Repeats a message until the peer has it, or it is of no use any more.
    async fn deliver(&self, peer: PeerId, item: Item) {
        let expires = item.expires;
        let done = self.clock.until(expires, self.insist(peer, &item.message)).await;
        if done.is_none() {
            self.metrics.duty_messages_expired.inc();
            tracing::debug!(%peer, "a message expired before the peer had it");
        }
    }

    async fn insist(&self, peer: PeerId, message: &DutyMessage) {
        let mut pause = RETRY_MIN;
        loop {
            match self.attempt(peer, message).await {
                Ok(Some(reason)) => {
                    tracing::debug!(%peer, reason, "the peer refused a message of a duty");
                    return;
                }
                Ok(None) => return,
                Err(RequestError::NotConnected) => {
                    self.client.wait_connected(peer, WAIT).await;
                    // The swarm may know of a lost connection a moment before everybody else does.
                    tokio::time::sleep(RETRY_MIN).await;
                    continue;
                }
                Err(error) if !error.is_transient() => {
                    tracing::debug!(%peer, %error, "dropped a message of a duty");
                    return;
                }
                Err(error) => {
                    self.metrics.outbound_retries.inc();
                    tracing::debug!(%peer, %error, "a message of a duty will be sent again");
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY_MAX);
        }
    }

    /// Sends once; the words of a refusal, if it was one.
    async fn attempt(&self, peer: PeerId, message: &DutyMessage) -> Result<Option<String>, RequestError> {
        match message {
            DutyMessage::Consensus(instance, bytes) => {
                let request = consensus::Request::Deliver { instance: *instance, message: bytes.clone() };
                Ok(match self.client.send_consensus(peer, request).await? {
                    consensus::Response::Refused { reason } => Some(reason),
                    consensus::Response::Accepted | consensus::Response::Busy => None,
                })
            }
            DutyMessage::Signing(id, bytes) => {
                let request = signing::Request::Deliver { id: *id, message: bytes.clone() };
                Ok(match self.client.send_signing(peer, request).await? {
                    signing::Response::Refused { reason } => Some(reason),
                    signing::Response::Accepted | signing::Response::Busy => None,
                })
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use cluster_core::beacon::Slot;
    use cluster_core::duty::{CommitteeId, InstanceKind};

    fn item(number: usize, expires: u64) -> Item {
        let instance = InstanceId { committee: CommitteeId([1; 32]), slot: Slot(1), kind: InstanceKind::Attestation };
        let bytes = Bytes::from(number.to_le_bytes().to_vec());
        Item { message: DutyMessage::Consensus(instance, bytes), expires: Time(expires) }
    }

    fn number(item: &Item) -> usize {
        usize::from_le_bytes(item.message.bytes().as_slice().try_into().unwrap())
    }

    #[test]
    fn a_line_is_in_order_until_it_falls_behind_and_never_longer_than_it_may_be() {
        let line = Line { kind: Kind::Votes, queue: Mutex::default(), wake: Notify::new() };
        let dropped = (0..LINE_MESSAGES + 3).filter(|at| line.push(item(*at, 10))).count();
        assert_eq!(dropped, 3, "the oldest make place");
        assert!(!line.push(item(100, 20)), "the same again takes no place");
        let next = || line.pop(Time(9)).map(|item| number(&item));
        assert_eq!((next(), next()), (Some(LINE_MESSAGES + 2), Some(LINE_MESSAGES + 1)), "behind: the newest first");
        let rest: Vec<usize> = std::iter::from_fn(next).collect();
        assert_eq!(rest.len(), LINE_MESSAGES - 2);
        let in_order = &rest[rest.len() - LINE_MESSAGES / 2..];
        assert_eq!((in_order[0], in_order[1]), (3, 4), "in order again");
        line.push(item(1, 10));
        line.push(item(2, 11));
        assert_eq!(line.pop(Time(10)).map(|item| number(&item)), Some(2), "what expired is left out");
    }
}
