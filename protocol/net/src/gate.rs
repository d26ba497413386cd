//! The connection gate: who may connect at all.
//!
//! # Contract
//!
//! The noise or TLS handshake proves the peer's key; the gate then looks the peer up in [`Members`], the operators,
//! gateways and bootstrap peers of the registry. A stranger is refused as [`NotRegistered`] before a single protocol
//! of the swarm sees the connection, inbound and outbound, direct and relayed. When the registry changes, connections
//! to peers that left are closed.
//!
//! The gate must be the first field of a composed behaviour, so that it is asked first.

use std::collections::{HashMap, HashSet, VecDeque};
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::task::{Context, Poll};

use cluster_core::committee::OperatorId;
use cluster_core::registry::Registry;
use futures::task::AtomicWaker;
use libp2p::core::transport::PortUse;
use libp2p::core::Endpoint;
use libp2p::swarm::{
    dummy, CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use crate::identity;

/// What a registered peer is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Member {
    /// An operator.
    Operator(OperatorId),
    /// A gateway, by its registered name.
    Gateway(String),
    /// A bootstrap peer.
    Bootstrap,
}

impl Member {
    /// The operator id, when the peer is an operator.
    pub fn operator_id(&self) -> Option<OperatorId> {
        match self {
            Self::Operator(id) => Some(*id),
            _ => None,
        }
    }
}

impl std::fmt::Display for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Operator(OperatorId(id)) => write!(f, "operator {id}"),
            Self::Gateway(name) => write!(f, "gateway {name}"),
            Self::Bootstrap => f.write_str("bootstrap peer"),
        }
    }
}

/// The peer is not in the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("peer {peer} is not a registered operator, gateway or bootstrap peer")]
pub struct NotRegistered {
    /// The peer that was refused.
    pub peer: PeerId,
}

/// The registered peers, shared between the gate and whoever follows the registry.
#[derive(Debug, Clone, Default)]
pub struct Members {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    peers: RwLock<HashMap<PeerId, Member>>,
    /// Counts the changes, so that the gate looks at its connections once for each of them.
    generation: AtomicU64,
    changed: AtomicWaker,
}

impl Members {
    /// The members of a registry. Entries whose key libp2p refuses are left out.
    pub fn of(registry: &dyn Registry) -> Self {
        let members = Self::default();
        members.replace(registry);
        members
    }

    /// Follows a changed registry; the gate closes connections to peers that left.
    pub fn replace(&self, registry: &dyn Registry) {
        self.replace_with(registered(registry));
    }

    /// Sets the members one by one; for tests and tools without a registry.
    pub fn replace_with(&self, peers: HashMap<PeerId, Member>) {
        match self.shared.peers.write() {
            Ok(mut held) => *held = peers,
            Err(poisoned) => *poisoned.into_inner() = peers,
        }
        self.shared.generation.fetch_add(1, Ordering::Release);
        self.shared.changed.wake();
    }

    /// What the peer is, or none when it is not registered.
    pub fn get(&self, peer: &PeerId) -> Option<Member> {
        self.read(|peers| peers.get(peer).cloned())
    }

    /// Whether the peer is registered.
    pub fn contains(&self, peer: &PeerId) -> bool {
        self.read(|peers| peers.contains_key(peer))
    }

    /// The peer id of an operator.
    pub fn operator(&self, id: OperatorId) -> Option<PeerId> {
        self.read(|peers| peers.iter().find(|(_, member)| member.operator_id() == Some(id)).map(|(peer, _)| *peer))
    }

    /// All members.
    pub fn all(&self) -> Vec<(PeerId, Member)> {
        self.read(|peers| peers.iter().map(|(peer, member)| (*peer, member.clone())).collect())
    }

    fn read<R>(&self, look: impl FnOnce(&HashMap<PeerId, Member>) -> R) -> R {
        match self.shared.peers.read() {
            Ok(peers) => look(&peers),
            Err(poisoned) => look(&poisoned.into_inner()),
        }
    }
}

/// The members of a registry; an operator's entry wins over others with the same key.
fn registered(registry: &dyn Registry) -> HashMap<PeerId, Member> {
    let mut peers = HashMap::new();
    for entry in registry.bootstraps() {
        if let Ok(peer) = identity::peer_id(&entry.public_key) {
            peers.insert(peer, Member::Bootstrap);
        }
    }
    for entry in registry.gateways() {
        if let Ok(peer) = identity::peer_id(&entry.public_key) {
            peers.insert(peer, Member::Gateway(entry.name));
        }
    }
    for entry in registry.operators() {
        if let Ok(peer) = identity::peer_id(&entry.public_key) {
            peers.insert(peer, Member::Operator(entry.id));
        }
    }
    peers
}

/// The gate as a network behaviour.
#[derive(Debug)]
pub struct Behaviour {
    members: Members,
    generation: u64,
    connected: HashMap<PeerId, HashSet<ConnectionId>>,
    closing: VecDeque<PeerId>,
}

impl Behaviour {
    /// A gate that admits `members`.
    pub fn new(members: Members) -> Self {
        Self { members, generation: 0, connected: HashMap::new(), closing: VecDeque::new() }
    }

    fn admit(&self, peer: PeerId) -> Result<(), ConnectionDenied> {
        if self.members.contains(&peer) {
            return Ok(());
        }
        Err(ConnectionDenied::new(NotRegistered { peer }))
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.admit(peer).map(|()| dummy::ConnectionHandler)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: Option<PeerId>,
        _: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        if let Some(peer) = peer {
            self.admit(peer)?;
        }
        Ok(Vec::new())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.admit(peer).map(|()| dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        match event {
            FromSwarm::ConnectionEstablished(event) => {
                self.connected.entry(event.peer_id).or_default().insert(event.connection_id);
            }
            FromSwarm::ConnectionClosed(event) => {
                if let Some(connections) = self.connected.get_mut(&event.peer_id) {
                    connections.remove(&event.connection_id);
                    if connections.is_empty() {
                        self.connected.remove(&event.peer_id);
                    }
                }
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        // Register before looking, so that a change in between wakes this task again.
        self.members.shared.changed.register(context.waker());
        let generation = self.members.shared.generation.load(Ordering::Acquire);
        if generation != self.generation {
            self.generation = generation;
            let gone = |peers: &HashMap<PeerId, Member>| {
                self.connected.keys().filter(|peer| !peers.contains_key(*peer)).copied().collect::<Vec<_>>()
            };
            self.closing.extend(self.members.read(gone));
        }
        match self.closing.pop_front() {
            Some(peer_id) => Poll::Ready(ToSwarm::CloseConnection { peer_id, connection: CloseConnection::All }),
            None => Poll::Pending,
        }
    }
}
