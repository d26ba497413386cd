//! The client: requests with typed errors, in lines in front of the swarm task.

use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;

use cluster_core::committee::OperatorId;
use cluster_core::request::SignedRequest;
use cluster_crypto::identity::PublicKey;
use cluster_net::codec::{FrameError, TrafficCount};
use cluster_net::discovery::{Announcement, OperatorRecord};
use cluster_net::gate::Member;
use cluster_net::info::Info;
use cluster_net::presence::{self, Session, Sighting};
use cluster_net::{consensus, dkg, info, performance, publish, signing};
use libp2p::core::upgrade::NegotiationError;
use libp2p::request_response::OutboundFailure;
use libp2p::{Multiaddr, PeerId};
use tokio::sync::{mpsc, oneshot, watch};

use super::faults::Fate;
use super::presence::Twin;
use super::queues::{Queue, Queues};
use super::task::Command;
use super::traffic::TrafficCollector;
use super::{Shared, TrafficTable};
use crate::metrics::Metrics;

/// Why a request has no answer. None of these says that the request was not handled, unless it says so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The peer is not in the registry; nothing was sent.
    #[error("the peer is not registered")]
    NotRegistered,
    /// There is no connection; nothing was sent. The mesh keeps dialling.
    #[error("the peer is not connected")]
    NotConnected,
    /// Too many requests wait for this peer; nothing was sent.
    #[error("too many requests wait for this peer")]
    Busy,
    /// The peer has too much to do; it did not handle the request.
    #[error("the peer is busy")]
    PeerBusy,
    /// No answer in time.
    #[error("the peer did not answer in time")]
    Timeout,
    /// The connection was lost before the answer.
    #[error("the connection was lost before the answer")]
    ConnectionLost,
    /// The peer closed the stream without an answer.
    #[error("the peer closed the stream without an answer")]
    NoAnswer,
    /// The peer does not speak this version of the protocol.
    #[error("the peer does not speak this version of the protocol")]
    Unsupported,
    /// The request is above a limit, or the answer is not what the protocol says.
    #[error("the message is not what the protocol says: {0}")]
    BadFrame(String),
    /// The mesh was shut down.
    #[error("the mesh was shut down")]
    ShutDown,
}

impl RequestError {
    /// Whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        !matches!(self, Self::NotRegistered | Self::Unsupported | Self::BadFrame(_) | Self::ShutDown)
    }
}

impl From<OutboundFailure> for RequestError {
    fn from(failure: OutboundFailure) -> Self {
        match failure {
            OutboundFailure::DialFailure => Self::NotConnected,
            OutboundFailure::Timeout => Self::Timeout,
            OutboundFailure::ConnectionClosed => Self::ConnectionLost,
            OutboundFailure::UnsupportedProtocols => Self::Unsupported,
            OutboundFailure::Io(error) => match FrameError::of(&error) {
                Some(FrameError::Truncated { .. }) => Self::NoAnswer,
                Some(frame) => Self::BadFrame(frame.to_string()),
                None if is_unsupported(&error) => Self::Unsupported,
                None => Self::NoAnswer,
            },
        }
    }
}

/// Whether the stream failed because the peer does not know the protocol. The request is sent together with the
/// protocol's name, so the peer's answer to the name shows as a failure to read the answer to the request.
fn is_unsupported(error: &std::io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(inner, Some(NegotiationError::Failed))
}

/// Why an announcement was not published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnnounceError {
    /// Nobody is connected who listens.
    #[error("no connected peer listens to announcements")]
    NobodyListens,
    /// It is longer than a gossip message may be.
    #[error("the announcement is longer than a gossip message may be")]
    TooLong,
    /// gossipsub refused it.
    #[error("the announcement was refused: {0}")]
    Refused(String),
    /// The mesh was shut down.
    #[error("the mesh was shut down")]
    ShutDown,
}

/// What is known about a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerStatus {
    /// What it is.
    pub member: Member,
    /// Connections to it.
    pub connections: usize,
    /// Whether all of them run through a relay.
    pub relayed: bool,
    /// Last measured round trip.
    pub round_trip: Option<Duration>,
    /// Its last answer about itself.
    pub info: Option<Info>,
    /// Its newest signed record.
    pub record: Option<OperatorRecord>,
    /// Known addresses, the best first.
    pub addresses: Vec<Multiaddr>,
}

/// Bytes and messages of each protocol since the start.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Ceremonies.
    pub dkg: TrafficCount,
    /// Operators and gateways.
    pub publish: TrafficCount,
    /// Who is who.
    pub info: TrafficCount,
    /// Votes and values.
    pub consensus: TrafficCount,
    /// Partial signatures.
    pub signing: TrafficCount,
    /// Figures of duties.
    pub performance: TrafficCount,
    /// Questions about other nodes with the same key.
    pub presence: TrafficCount,
    /// Payloads of announcements, without gossip's own overhead.
    pub gossip: TrafficCount,
}

impl Stats {
    pub(super) fn of(traffic: &TrafficTable) -> Self {
        Self {
            dkg: traffic.dkg.read(),
            publish: traffic.publish.read(),
            info: traffic.info.read(),
            consensus: traffic.consensus.read(),
            signing: traffic.signing.read(),
            performance: traffic.performance.read(),
            presence: traffic.presence.read(),
            gossip: traffic.gossip.read(),
        }
    }

    /// Bytes sent by all protocols.
    pub fn bytes_sent(&self) -> u64 {
        self.all().iter().map(|count| count.bytes_sent).sum()
    }

    /// Messages sent by all protocols.
    pub fn messages_sent(&self) -> u64 {
        self.all().iter().map(|count| count.messages_sent).sum()
    }

    /// Bytes and messages by the name of the protocol.
    pub fn by_protocol(&self) -> [(&'static str, TrafficCount); 8] {
        [
            ("dkg", self.dkg),
            ("publish", self.publish),
            ("info", self.info),
            ("consensus", self.consensus),
            ("signing", self.signing),
            ("performance", self.performance),
            ("presence", self.presence),
            ("gossip", self.gossip),
        ]
    }

    fn all(&self) -> [TrafficCount; 8] {
        self.by_protocol().map(|(_, count)| count)
    }
}

/// Speaks to the swarm task; cheap to clone.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    queues: Arc<Queues>,
}

impl Client {
    pub(super) fn new(shared: Arc<Shared>, commands: mpsc::Sender<Command>) -> Self {
        Self { shared, commands, queues: Arc::new(Queues::default()) }
    }

    /// This node's peer id.
    pub fn local_peer_id(&self) -> PeerId {
        self.shared.local
    }

    /// The peer id of a registered operator.
    pub fn peer_of(&self, operator: OperatorId) -> Option<PeerId> {
        self.shared.members.operator(operator)
    }

    /// Sends a dkg request and waits for its answer.
    pub async fn send_dkg(&self, peer: PeerId, request: dkg::Request) -> Result<dkg::Response, RequestError> {
        let reply = self.exchange(peer, Queue::Dkg, |reply| Command::Dkg { peer, request, reply }).await?;
        match reply {
            dkg::Response::Busy => Err(RequestError::PeerBusy),
            response => Ok(response),
        }
    }

    /// Sends a publish request and waits for its answer.
    pub async fn send_publish(
        &self,
        peer: PeerId,
        request: publish::Request,
    ) -> Result<publish::Response, RequestError> {
        let reply = self.exchange(peer, Queue::Publish, |reply| Command::Publish { peer, request, reply }).await?;
        match reply {
            publish::Response::Busy => Err(RequestError::PeerBusy),
            response => Ok(response),
        }
    }

    /// Sends a message of a consensus instance and waits for its answer. Large values have a line of their own.
    pub async fn send_consensus(
        &self,
        peer: PeerId,
        request: consensus::Request,
    ) -> Result<consensus::Response, RequestError> {
        let is_value = request.is_value();
        let queue = if is_value { Queue::Value } else { Queue::Consensus };
        let command = |reply| match is_value {
            true => Command::Value { peer, request, reply },
            false => Command::Consensus { peer, request, reply },
        };
        match self.exchange(peer, queue, command).await? {
            consensus::Response::Busy => Err(RequestError::PeerBusy),
            response => Ok(response),
        }
    }

    /// Sends a message about partial signatures and waits for its answer.
    pub async fn send_signing(
        &self,
        peer: PeerId,
        request: signing::Request,
    ) -> Result<signing::Response, RequestError> {
        let reply = self.exchange(peer, Queue::Signing, |reply| Command::Signing { peer, request, reply }).await?;
        match reply {
            signing::Response::Busy => Err(RequestError::PeerBusy),
            response => Ok(response),
        }
    }

    /// Asks an operator how duties were performed.
    pub async fn ask_performance(
        &self,
        peer: PeerId,
        request: performance::Request,
    ) -> Result<performance::Response, RequestError> {
        let command = |reply| Command::Performance { peer, request, reply };
        match self.exchange(peer, Queue::Performance, command).await? {
            performance::Response::Busy => Err(RequestError::PeerBusy),
            response => Ok(response),
        }
    }

    /// Asks a peer about itself.
    pub async fn info(&self, peer: PeerId) -> Result<info::Info, RequestError> {
        self.exchange(peer, Queue::Info, |reply| Command::Info { peer, reply }).await
    }

    /// Tells a peer that this session is there, and asks which others are under the same identity.
    pub(super) async fn present(
        &self,
        peer: PeerId,
        sightings: Vec<Sighting>,
    ) -> Result<presence::Response, RequestError> {
        let request = presence::Request::Here { session: self.shared.session, sightings };
        self.exchange(peer, Queue::Presence, |reply| Command::Presence { peer, request, reply }).await
    }

    /// Chain, key and session that sightings of this node are about.
    pub(super) fn identity_of_sessions(&self) -> (u64, PublicKey, Session) {
        (self.shared.chain_id, self.shared.identity.public_key(), self.shared.session)
    }

    /// Another node that runs with this operator's key, once one was proven; for as long as this process lives.
    pub fn twin(&self) -> watch::Receiver<Option<Twin>> {
        self.shared.twin.subscribe()
    }

    /// What this node tells others about itself.
    pub fn local_info(&self) -> info::Info {
        self.shared.info()
    }

    /// Announces an owner's request to the mesh. Announcing it again within a minute or two does nothing.
    pub async fn publish_request(&self, request: SignedRequest) -> Result<(), AnnounceError> {
        self.announce(Announcement::Request(request)).await
    }

    /// Announces a signed record. The mesh announces this node's own record by itself.
    pub async fn publish_record(&self, record: OperatorRecord) -> Result<(), AnnounceError> {
        self.announce(Announcement::Record(record)).await
    }

    async fn announce(&self, announcement: Announcement) -> Result<(), AnnounceError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Announce { announcement, reply };
        self.commands.send(command).await.map_err(|_| AnnounceError::ShutDown)?;
        answer.await.map_err(|_| AnnounceError::ShutDown)?
    }

    /// Keeps these peers connected, in addition to those named before. Peers outside of the registry are ignored.
    pub async fn keep(&self, peers: Vec<PeerId>) {
        // Fails only after a shutdown, when there is nothing to keep.
        let _ = self.commands.send(Command::Keep(peers)).await;
    }

    /// Reads the registry again: new peers are admitted and dialled, others disconnected.
    pub async fn registry_changed(&self) {
        let _ = self.commands.send(Command::RegistryChanged).await;
    }

    /// All peers of which something is known.
    pub fn peers(&self) -> Vec<(PeerId, PeerStatus)> {
        self.shared.peers.borrow().iter().map(|(peer, status)| (*peer, status.clone())).collect()
    }

    /// What is known about a peer.
    pub fn peer(&self, peer: &PeerId) -> Option<PeerStatus> {
        self.shared.peers.borrow().get(peer).cloned()
    }

    /// Whether there is a connection to the peer.
    pub fn connected(&self, peer: &PeerId) -> bool {
        self.shared.peers.borrow().get(peer).is_some_and(|status| status.connections > 0)
    }

    /// Waits until the peer is connected; false after `patience`.
    pub async fn wait_connected(&self, peer: PeerId, patience: Duration) -> bool {
        let mut peers = self.shared.peers.subscribe();
        let there =
            async { peers.wait_for(|all| all.get(&peer).is_some_and(|status| status.connections > 0)).await.is_ok() };
        tokio::time::timeout(patience, there).await.unwrap_or(false)
    }

    /// The addresses under which this node tells others to reach it, without its peer id.
    pub fn addresses(&self) -> Vec<Multiaddr> {
        self.shared.addresses.borrow().clone()
    }

    /// Bytes and messages since the start.
    pub fn stats(&self) -> Stats {
        Stats::of(&self.shared.traffic)
    }

    /// Shows bytes and messages of every protocol among the node's metrics.
    pub fn register(&self, metrics: &Metrics) {
        let collector = Box::new(TrafficCollector(Arc::clone(&self.shared)));
        metrics.with_registry(|registry| registry.register_collector(collector));
    }

    /// How many ceremonies are unfinished here, for the answer to `info`.
    pub fn set_open_ceremonies(&self, open: u32) {
        self.shared.open_ceremonies.store(open, Ordering::Relaxed);
    }

    /// What this node can do, for the answer to `info` and its record.
    pub fn set_capabilities(&self, capabilities: Vec<String>) {
        if let Ok(mut held) = self.shared.capabilities.write() {
            *held = capabilities;
        }
    }

    /// Closes all connections and ends the swarm task; every later call fails as shut down.
    pub async fn shutdown(&self) {
        let (reply, done) = oneshot::channel();
        if self.commands.send(Command::Shutdown(reply)).await.is_ok() {
            let _ = done.await;
        }
    }

    /// Queues for the peer, passes the link's faults, and waits for the swarm task's answer.
    async fn exchange<R>(
        &self,
        peer: PeerId,
        queue: Queue,
        command: impl FnOnce(oneshot::Sender<Result<R, RequestError>>) -> Command,
    ) -> Result<R, RequestError> {
        if !self.shared.members.contains(&peer) {
            return Err(RequestError::NotRegistered);
        }
        let line = self.queues.line(peer, queue);
        let _turn = line.turn().await?;
        self.pass(self.shared.local, peer).await?;
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| RequestError::ShutDown)?;
        let response = answer.await.map_err(|_| RequestError::ShutDown)??;
        self.pass(peer, self.shared.local).await?;
        Ok(response)
    }

    /// Lets a message suffer the faults of its link.
    async fn pass(&self, from: PeerId, to: PeerId) -> Result<(), RequestError> {
        let Some(faults) = &self.shared.faults else {
            return Ok(());
        };
        match faults.draw(&from, &to) {
            Fate::Arrives(Duration::ZERO) => Ok(()),
            Fate::Arrives(latency) => {
                tokio::time::sleep(latency).await;
                Ok(())
            }
            Fate::Lost(noticed) => {
                tokio::time::sleep(noticed).await;
                Err(RequestError::Timeout)
            }
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("local", &self.shared.local).finish_non_exhaustive()
    }
}
