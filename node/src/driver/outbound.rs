//! Messages on their way to peers: one bounded queue per peer, retried until acknowledged.
//!
//! What a queue cannot hold is dropped, and so are questions that a peer did not get at once: the machines ask again for
//! whatever is missing, so a queue bounds memory without losing ceremonies. A message of a ceremony that was released
//! (finished and idle) is dropped too.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use cluster_core::ceremony::CeremonyId;
use cluster_core::committee::OperatorId;
use cluster_core::dkg::Message;
use cluster_core::request::SignedRequest;
use cluster_net::codec::Bytes;
use cluster_net::dkg::{Request, Response};
use libp2p::PeerId;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::metrics::Metrics;
use crate::network::{Client, RequestError};

/// Messages of one queue: 64 ceremonies with some dozen messages each.
const QUEUE_MESSAGES: usize = 2048;
/// Messages of one peer on their way at a time; below the mesh's own limit, so that `Open` always finds a place.
const IN_FLIGHT: usize = 4;
/// First pause after a failure; doubles.
const RETRY_MIN: Duration = Duration::from_millis(100);

/// One message to one peer.
struct Item {
    ceremony_id: CeremonyId,
    request: Arc<SignedRequest>,
    bytes: Bytes,
    kind: Kind,
    released: CancellationToken,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Retried until taken.
    Deliver,
    /// An answer to a question of the peer, which asks again if it gets lost.
    Relay,
    /// Replaced by the next question of the same ceremony.
    Want,
}

/// What belongs to a message besides its content.
pub(super) struct Parcel<'a> {
    pub(super) ceremony_id: CeremonyId,
    pub(super) request: &'a Arc<SignedRequest>,
    /// Cancelled when the message is of no use any more.
    pub(super) released: &'a CancellationToken,
    /// Zero except for operators that misbehave in a test.
    pub(super) delay: Duration,
}

/// The queues of all peers.
#[derive(Clone)]
pub(crate) struct Outbound {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    metrics: Metrics,
    retry_max: Duration,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// Ceremonies run on threads of their own, outside of the runtime.
    runtime: Handle,
    lines: Mutex<HashMap<PeerId, Arc<Line>>>,
}

#[derive(Default)]
struct Line {
    queue: Mutex<VecDeque<Item>>,
    wake: Notify,
}

impl Outbound {
    pub(crate) fn new(
        client: Client,
        metrics: Metrics,
        retry_max: Duration,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                client,
                metrics,
                retry_max,
                stop,
                tasks,
                runtime: Handle::current(),
                lines: Mutex::default(),
            }),
        }
    }

    /// Queues one message for some members of a committee. Never blocks; may be called from any thread.
    pub(super) fn send(&self, parcel: Parcel<'_>, to: &[OperatorId], message: &Message) {
        // Encoded once for the whole committee.
        let bytes = Bytes::from(message.encode());
        let kind = match message {
            Message::Deliver(_) => Kind::Deliver,
            Message::Relay(_) => Kind::Relay,
            Message::Want(_) => Kind::Want,
        };
        for operator in to {
            // An operator that left the registry cannot be reached any more.
            let Some(peer) = self.inner.client.peer_of(*operator) else { continue };
            let item = Item {
                ceremony_id: parcel.ceremony_id,
                request: Arc::clone(parcel.request),
                bytes: bytes.clone(),
                kind,
                released: parcel.released.clone(),
            };
            if parcel.delay.is_zero() {
                self.push(peer, item);
            } else {
                let (outbound, delay, stop) = (self.clone(), parcel.delay, self.inner.stop.clone());
                let later = async move {
                    if stop.run_until_cancelled(tokio::time::sleep(delay)).await.is_some() {
                        outbound.push(peer, item);
                    }
                };
                self.inner.tasks.spawn_on(later, &self.inner.runtime);
            }
        }
    }

    fn push(&self, peer: PeerId, item: Item) {
        let line = self.line(peer);
        {
            let mut queue = lock(&line.queue);
            if item.kind == Kind::Want {
                let before = queue.len();
                queue.retain(|held| held.kind != Kind::Want || held.ceremony_id != item.ceremony_id);
                self.inner.metrics.outbound_waiting.dec_by((before - queue.len()) as i64);
            }
            if queue.len() >= QUEUE_MESSAGES {
                tracing::warn!(ceremony_id = %item.ceremony_id, %peer, "the queue to this peer is full; dropped a message");
                return;
            }
            queue.push_back(item);
            self.inner.metrics.outbound_waiting.inc();
        }
        line.wake.notify_one();
    }

    fn line(&self, peer: PeerId) -> Arc<Line> {
        let mut lines = lock(&self.inner.lines);
        let line = lines.entry(peer).or_insert_with(|| {
            let line = Arc::new(Line::default());
            for _ in 0..IN_FLIGHT {
                let (inner, line) = (Arc::clone(&self.inner), Arc::clone(&line));
                let worker = async move {
                    let stop = inner.stop.clone();
                    // Dropping the work at a shutdown is safe: the peer asks for what it did not get.
                    stop.run_until_cancelled(work(&inner, peer, &line)).await;
                };
                self.inner.tasks.spawn_on(worker, &self.inner.runtime);
            }
            line
        });
        Arc::clone(line)
    }
}

async fn work(inner: &Inner, peer: PeerId, line: &Line) {
    loop {
        let next = lock(&line.queue).pop_front();
        let Some(item) = next else {
            line.wake.notified().await;
            continue;
        };
        inner.metrics.outbound_waiting.dec();
        // More may be waiting than this wake-up announced.
        line.wake.notify_one();
        let released = item.released.clone();
        released.run_until_cancelled(deliver(inner, peer, item)).await;
    }
}

/// Tries until the peer has the message, or it is not worth trying.
async fn deliver(inner: &Inner, peer: PeerId, item: Item) {
    let mut pause = RETRY_MIN;
    let mut introduce = false;
    loop {
        let request = Request::Deliver {
            ceremony_id: item.ceremony_id,
            request: introduce.then(|| SignedRequest::clone(&item.request)),
            message: item.bytes.clone(),
        };
        match inner.client.send_dkg(peer, request).await {
            Ok(Response::UnknownCeremony) if !introduce => {
                introduce = true;
                continue;
            }
            Ok(Response::Refused { reason }) => {
                tracing::info!(ceremony_id = %item.ceremony_id, %peer, reason, "the peer refused a message");
                return;
            }
            Ok(_) => return,
            Err(RequestError::NotConnected) if item.kind == Kind::Deliver => {
                inner.metrics.outbound_retries.inc();
                inner.client.wait_connected(peer, inner.retry_max).await;
                continue;
            }
            Err(error) if item.kind == Kind::Want || !error.is_transient() => {
                tracing::debug!(ceremony_id = %item.ceremony_id, %peer, %error, "dropped a message");
                return;
            }
            Err(error) => {
                inner.metrics.outbound_retries.inc();
                tracing::debug!(ceremony_id = %item.ceremony_id, %peer, %error, "a message will be sent again");
                if item.kind == Kind::Relay && pause > RETRY_MIN * 4 {
                    return;
                }
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(inner.retry_max);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
