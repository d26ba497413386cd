//! The swarm task: the only owner of the swarm. It moves messages and looks after connections; it checks nothing that
//! costs more than a look-up, and waits for nobody.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use cluster_net::discovery::{self, Announcement};
use cluster_net::gate::NotRegistered;
use cluster_net::{consensus, dkg, info, limits, performance, presence, publish, signing};
use futures::stream::FuturesUnordered;
use futures::StreamExt;
use libp2p::core::transport::ListenerId;
use libp2p::core::ConnectedPoint;
use libp2p::gossipsub::{self, MessageAcceptance, MessageId};
use libp2p::request_response::OutboundRequestId;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{ConnectionId, DialError, ListenError, SwarmEvent};
use libp2p::{identify, kad, ping, Multiaddr, PeerId, Swarm};
use rand_core::OsRng;
use tokio::sync::{mpsc, oneshot};

use super::behaviour::{Behaviour, BehaviourEvent};
use super::client::{AnnounceError, RequestError};
use super::gossip::{self, Unchecked};
use super::peers::{Book, Learned, Source};
use super::presence::Desk;
use super::requests::Answers;
use super::{Event, NetworkConfig, Shared, StartError, Transport};

/// How often the dial schedule is looked at.
const TICK: Duration = Duration::from_millis(100);
/// How long an address may take to be listened on.
const LISTEN_PATIENCE: Duration = Duration::from_secs(10);

pub(super) type Reply<T> = oneshot::Sender<Result<T, RequestError>>;

/// What clients and the gossip tasks ask of the swarm task.
pub(super) enum Command {
    Dkg { peer: PeerId, request: dkg::Request, reply: Reply<dkg::Response> },
    Publish { peer: PeerId, request: publish::Request, reply: Reply<publish::Response> },
    Info { peer: PeerId, reply: Reply<info::Info> },
    Consensus { peer: PeerId, request: consensus::Request, reply: Reply<consensus::Response> },
    Value { peer: PeerId, request: consensus::Request, reply: Reply<consensus::Response> },
    Signing { peer: PeerId, request: signing::Request, reply: Reply<signing::Response> },
    Performance { peer: PeerId, request: performance::Request, reply: Reply<performance::Response> },
    Presence { peer: PeerId, request: presence::Request, reply: Reply<presence::Response> },
    Announce { announcement: Announcement, reply: oneshot::Sender<Result<(), AnnounceError>> },
    Judged { message_id: MessageId, source: PeerId, acceptance: MessageAcceptance },
    Record { message_id: MessageId, source: PeerId, checked: gossip::Record },
    Keep(Vec<PeerId>),
    RegistryChanged,
    Shutdown(oneshot::Sender<()>),
}

/// Requests that wait for their answers, by protocol.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) dkg: HashMap<OutboundRequestId, Reply<dkg::Response>>,
    pub(super) publish: HashMap<OutboundRequestId, Reply<publish::Response>>,
    pub(super) info: HashMap<OutboundRequestId, Reply<info::Info>>,
    pub(super) consensus: HashMap<OutboundRequestId, Reply<consensus::Response>>,
    pub(super) value: HashMap<OutboundRequestId, Reply<consensus::Response>>,
    pub(super) signing: HashMap<OutboundRequestId, Reply<signing::Response>>,
    pub(super) performance: HashMap<OutboundRequestId, Reply<performance::Response>>,
    pub(super) presence: HashMap<OutboundRequestId, Reply<presence::Response>>,
}

pub(super) struct Task {
    pub(super) swarm: Swarm<Behaviour>,
    pub(super) shared: std::sync::Arc<Shared>,
    commands: mpsc::Receiver<Command>,
    pub(super) events: mpsc::Sender<Event>,
    /// Events about connections and addresses that found the channel full; requests are answered `Busy` instead.
    overflow: VecDeque<Event>,
    checker: mpsc::Sender<Unchecked>,
    pub(super) book: Book,
    pub(super) answers: Answers,
    pub(super) waiting: Waiting,
    pub(super) desk: Desk,
    transport: Transport,
    bootstrap: Vec<(PeerId, Multiaddr)>,
    pub(super) use_relay: bool,
    /// Peers that offer to relay.
    pub(super) relays: HashSet<PeerId>,
    /// The listener behind a relay, when there is one.
    pub(super) circuit: Option<ListenerId>,
    pub(super) started: Instant,
    pub(super) ticks: u64,
    pub(super) dirty: bool,
}

impl Task {
    pub(super) fn new(
        swarm: Swarm<Behaviour>,
        config: &NetworkConfig,
        shared: std::sync::Arc<Shared>,
        commands: mpsc::Receiver<Command>,
        events: mpsc::Sender<Event>,
        checker: mpsc::Sender<Unchecked>,
    ) -> Result<Self, StartError> {
        let now = Instant::now();
        let bootstrap = config
            .bootstrap
            .iter()
            .map(|address| match discovery::split_peer(address.clone()) {
                (rest, Some(peer)) => Ok((peer, rest)),
                _ => Err(StartError::BootstrapWithoutPeer { address: address.clone() }),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut task = Self {
            book: Book::new(shared.local, config.transport),
            swarm,
            shared,
            commands,
            events,
            overflow: VecDeque::new(),
            checker,
            answers: FuturesUnordered::new(),
            waiting: Waiting::default(),
            desk: Desk::default(),
            transport: config.transport,
            bootstrap,
            use_relay: config.use_relay,
            relays: HashSet::new(),
            circuit: None,
            started: now,
            ticks: 0,
            dirty: true,
        };
        task.follow_registry();
        for (peer, address) in &config.remembered {
            task.learn(*peer, Source::Remembered, address.clone());
        }
        for topic in [discovery::requests_topic(), discovery::records_topic()] {
            let subscribed = task.swarm.behaviour_mut().gossip.subscribe(&topic);
            subscribed.map_err(|error| StartError::Transport(error.to_string()))?;
        }
        Ok(task)
    }

    /// Listens on all addresses and waits until each has a port.
    pub(super) async fn listen(&mut self, config: &NetworkConfig) -> Result<(), StartError> {
        for address in &config.external {
            self.swarm.add_external_address(address.clone());
        }
        let mut pending = HashMap::new();
        for address in config.listen.iter().filter(|address| self.transport.allows(address)) {
            let failed = |reason: String| StartError::Listen { address: address.clone(), reason };
            let listener = self.swarm.listen_on(address.clone()).map_err(|error| failed(error.to_string()))?;
            pending.insert(listener, address.clone());
        }
        if pending.is_empty() {
            return Err(StartError::NothingToListenOn);
        }
        let deadline = tokio::time::Instant::now() + LISTEN_PATIENCE;
        while let Some(address) = pending.values().next().cloned() {
            let failed = |reason: String| StartError::Listen { address, reason };
            let event = tokio::time::timeout_at(deadline, self.swarm.select_next_some()).await;
            match event.map_err(|_| failed("the system does not answer".to_owned()))? {
                SwarmEvent::NewListenAddr { listener_id, .. } => {
                    pending.remove(&listener_id);
                }
                SwarmEvent::ListenerClosed { listener_id, reason: Err(error), .. } => {
                    let address = pending.remove(&listener_id);
                    if let Some(address) = address {
                        return Err(StartError::Listen { address, reason: error.to_string() });
                    }
                }
                other => self.on_swarm_event(other),
            }
        }
        self.advertise();
        Ok(())
    }

    pub(super) async fn run(mut self) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(Command::Shutdown(done)) => {
                        self.close().await;
                        let _ = done.send(());
                        return;
                    }
                    Some(command) => self.on_command(command),
                    // Every client is gone.
                    None => return self.close().await,
                },
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                Some(answer) = self.answers.next() => self.on_answer(answer),
                _ = tick.tick() => self.on_tick(),
            }
            if self.dirty {
                self.dirty = false;
                self.shared.peers.send_replace(self.book.status());
            }
        }
    }

    /// Says goodbye to all peers, so that they do not have to wait for a timeout.
    async fn close(mut self) {
        self.shared.stopped.cancel();
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let goodbye = async {
            while self.swarm.connected_peers().next().is_some() {
                self.swarm.select_next_some().await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), goodbye).await;
        self.shared.peers.send_replace(Default::default());
    }

    fn on_command(&mut self, command: Command) {
        let behaviour = self.swarm.behaviour_mut();
        match command {
            Command::Dkg { peer, reply, .. } if !self.book.is_connected(&peer) => not_connected(reply),
            Command::Publish { peer, reply, .. } if !self.book.is_connected(&peer) => not_connected(reply),
            Command::Info { peer, reply } if !self.book.is_connected(&peer) => not_connected(reply),
            Command::Consensus { peer, reply, .. } if !self.book.is_connected(&peer) => not_connected(reply),
            Command::Value { peer, reply, .. } if !self.book.is_connected(&peer) => not_connected(reply),
            Command::Signing { peer, reply, .. } if !self.book.is_connected(&peer) => not_connected(reply),
            Command::Performance { peer, reply, .. } if !self.book.is_connected(&peer) => not_connected(reply),
            Command::Presence { peer, reply, .. } if !self.book.is_connected(&peer) => not_connected(reply),
            Command::Dkg { peer, request, reply } => {
                self.waiting.dkg.insert(behaviour.dkg.send_request(&peer, request), reply);
            }
            Command::Publish { peer, request, reply } => {
                self.waiting.publish.insert(behaviour.publish.send_request(&peer, request), reply);
            }
            Command::Info { peer, reply } => {
                self.waiting.info.insert(behaviour.info.send_request(&peer, info::Request::Info), reply);
            }
            Command::Consensus { peer, request, reply } => {
                self.waiting.consensus.insert(behaviour.consensus.send_request(&peer, request), reply);
            }
            Command::Value { peer, request, reply } => {
                self.waiting.value.insert(behaviour.value.send_request(&peer, request), reply);
            }
            Command::Signing { peer, request, reply } => {
                self.waiting.signing.insert(behaviour.signing.send_request(&peer, request), reply);
            }
            Command::Performance { peer, request, reply } => {
                self.waiting.performance.insert(behaviour.performance.send_request(&peer, request), reply);
            }
            Command::Presence { peer, request, reply } => {
                self.waiting.presence.insert(behaviour.presence.send_request(&peer, request), reply);
            }
            Command::Announce { announcement, reply } => {
                let _ = reply.send(self.announce(&announcement));
            }
            Command::Judged { message_id, source, acceptance } => {
                behaviour.gossip.report_message_validation_result(&message_id, &source, acceptance);
            }
            Command::Record { message_id, source, checked } => self.on_record(&message_id, &source, checked),
            Command::Keep(peers) => self.book.keep(&peers),
            Command::RegistryChanged => self.follow_registry(),
            Command::Shutdown(_) => {}
        }
    }

    fn announce(&mut self, announcement: &Announcement) -> Result<(), AnnounceError> {
        let (topic, payload) = announcement.encode();
        let size = payload.len();
        if size > limits::GOSSIP_BYTES {
            return Err(AnnounceError::TooLong);
        }
        match self.swarm.behaviour_mut().gossip.publish(topic, payload) {
            Ok(_) => {
                self.shared.traffic.gossip.sent(size);
                Ok(())
            }
            // Somebody announced the same bytes a moment ago: done.
            Err(gossipsub::PublishError::Duplicate) => Ok(()),
            Err(gossipsub::PublishError::NoPeersSubscribedToTopic) => Err(AnnounceError::NobodyListens),
            Err(gossipsub::PublishError::MessageTooLarge) => Err(AnnounceError::TooLong),
            Err(error) => Err(AnnounceError::Refused(error.to_string())),
        }
    }

    fn on_record(&mut self, message_id: &MessageId, source: &PeerId, checked: gossip::Record) {
        let is_news = self.book.learn_record(&checked.peer, checked.record);
        if is_news {
            for address in checked.addresses {
                self.learn(checked.peer, Source::Record, address);
            }
            self.dirty = true;
        }
        let acceptance = if is_news { MessageAcceptance::Accept } else { MessageAcceptance::Ignore };
        self.swarm.behaviour_mut().gossip.report_message_validation_result(message_id, source, acceptance);
    }

    /// Reads the registry and the configured bootstrap peers into the gate and the address book.
    fn follow_registry(&mut self) {
        let registry = self.shared.registry.clone();
        self.shared.members.replace(registry.as_ref());
        self.book.sync(&self.shared.members, Instant::now());
        let operators = registry.operators().into_iter().map(|entry| (entry.public_key, entry.addresses));
        let gateways = registry.gateways().into_iter().map(|entry| (entry.public_key, entry.addresses));
        let bootstraps = registry.bootstraps().into_iter().map(|entry| (entry.public_key, entry.addresses));
        for (key, addresses) in operators.chain(gateways).chain(bootstraps) {
            let Ok(peer) = cluster_net::identity::peer_id(&key) else {
                continue;
            };
            for text in addresses {
                match discovery::parse_address(&text, &peer) {
                    Some(address) => self.learn(peer, Source::Registry, address),
                    None => tracing::warn!(%peer, address = text, "the registry has an address that cannot be used"),
                }
            }
        }
        for (peer, address) in self.bootstrap.clone() {
            self.learn(peer, Source::Registry, address);
        }
        self.dirty = true;
    }

    /// Puts an address into the book and into Kademlia, and reports it when it is new and worth remembering.
    pub(super) fn learn(&mut self, peer: PeerId, source: Source, address: Multiaddr) {
        let (address, named) = discovery::split_peer(address);
        if named.is_some_and(|named| named != peer) {
            return;
        }
        let Learned::New { forgotten } = self.book.learn(&peer, source, address.clone(), Instant::now()) else {
            return;
        };
        self.dirty = true;
        let kademlia = &mut self.swarm.behaviour_mut().kademlia;
        kademlia.add_address(&peer, address.clone());
        if let Some(forgotten) = forgotten {
            kademlia.remove_address(&peer, &forgotten);
        }
        if matches!(source, Source::Record | Source::Worked | Source::Identify) {
            self.emit(Event::PeerAddress { peer_id: peer, address });
        }
    }

    fn on_tick(&mut self) {
        while let Some(event) = self.overflow.pop_front() {
            if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) {
                self.overflow.push_front(event);
                break;
            }
        }
        let now = Instant::now();
        for (peer, addresses) in self.book.due(now) {
            let dial = DialOpts::peer_id(peer).addresses(addresses).extend_addresses_through_behaviour().build();
            if let Err(error) = self.swarm.dial(dial) {
                tracing::debug!(%peer, %error, "cannot dial");
                self.book.dial_failed(&peer, now, &mut OsRng);
            }
        }
        for peer in self.book.lookups(now, &mut OsRng) {
            self.swarm.behaviour_mut().kademlia.get_closest_peers(peer);
        }
        self.ticks += 1;
        self.look_for_relay();
    }

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour_event(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_connected(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                self.dirty = true;
                if self.book.disconnected(&peer_id, connection_id, Instant::now(), &mut OsRng) {
                    tracing::info!(peer = %peer_id, cause = cause.map(|cause| cause.to_string()), "peer disconnected");
                    if let Some(peer) = self.shared.peer(peer_id) {
                        self.emit(Event::Disconnected(peer));
                    }
                }
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), error, .. } => {
                // Another dial, or a connection that the peer made, goes on.
                if !matches!(error, DialError::DialPeerConditionFalse(_)) {
                    tracing::debug!(%peer, %error, "dial failed");
                }
                self.book.dial_failed(&peer, Instant::now(), &mut OsRng);
            }
            SwarmEvent::IncomingConnectionError { error: ListenError::Denied { cause }, .. } => {
                match cause.downcast_ref::<NotRegistered>() {
                    Some(NotRegistered { peer }) => tracing::info!(%peer, "refused a peer that is not registered"),
                    None => tracing::debug!(%cause, "refused a connection"),
                }
            }
            SwarmEvent::NewListenAddr { .. }
            | SwarmEvent::ExpiredListenAddr { .. }
            | SwarmEvent::ExternalAddrConfirmed { .. }
            | SwarmEvent::ExternalAddrExpired { .. } => self.advertise(),
            SwarmEvent::ListenerClosed { listener_id, .. } => {
                if self.circuit == Some(listener_id) {
                    self.circuit = None;
                }
                self.advertise();
            }
            _ => {}
        }
    }

    fn on_connected(&mut self, peer_id: PeerId, connection: ConnectionId, endpoint: &ConnectedPoint) {
        self.dirty = true;
        let relayed = endpoint.is_relayed();
        let first = self.book.connected(&peer_id, connection, relayed);
        if let ConnectedPoint::Dialer { address, .. } = endpoint {
            self.learn(peer_id, Source::Worked, address.clone());
        }
        let Some(peer) = self.shared.peer(peer_id) else {
            return;
        };
        if first {
            tracing::info!(peer = %peer_id, member = %peer.member, relayed, "peer connected");
            // The answer tells its versions; see `on_greeted`.
            self.swarm.behaviour_mut().info.send_request(&peer_id, info::Request::Info);
            self.emit(Event::Connected(peer));
        }
    }

    fn on_behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Dkg(event) => self.on_dkg(event),
            BehaviourEvent::Publish(event) => self.on_publish(event),
            BehaviourEvent::Info(event) => self.on_info(event),
            BehaviourEvent::Consensus(event) => self.on_consensus(event),
            BehaviourEvent::Value(event) => self.on_value(event),
            BehaviourEvent::Signing(event) => self.on_signing(event),
            BehaviourEvent::Performance(event) => self.on_performance(event),
            BehaviourEvent::Presence(event) => self.on_presence(event),
            BehaviourEvent::Gossip(gossipsub::Event::Message { propagation_source, message_id, message }) => {
                self.on_gossip(propagation_source, message_id, message);
            }
            BehaviourEvent::Kademlia(kad::Event::OutboundQueryProgressed {
                result: kad::QueryResult::GetClosestPeers(result),
                ..
            }) => {
                let peers = match result {
                    Ok(found) => found.peers,
                    Err(kad::GetClosestPeersError::Timeout { peers, .. }) => peers,
                };
                for found in peers {
                    for address in found.addrs {
                        self.learn(found.peer_id, Source::Kademlia, address);
                    }
                }
            }
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                self.on_identified(peer_id, info);
            }
            BehaviourEvent::Ping(ping::Event { peer, connection, result }) => match result {
                Ok(round_trip) => {
                    self.book.set_round_trip(&peer, round_trip);
                    self.dirty = true;
                }
                Err(error) => {
                    tracing::info!(%peer, %error, "closing a connection whose peer does not answer pings");
                    self.swarm.close_connection(connection);
                }
            },
            _ => {}
        }
    }

    fn on_gossip(&mut self, source: PeerId, message_id: MessageId, message: gossipsub::Message) {
        self.shared.traffic.gossip.received(message.data.len());
        let is_cut_off =
            self.shared.faults.as_ref().is_some_and(|faults| faults.is_blocked(&source, &self.shared.local));
        let unchecked = Unchecked { message_id: message_id.clone(), source, topic: message.topic, data: message.data };
        if is_cut_off || self.checker.try_send(unchecked).is_err() {
            let gossip = &mut self.swarm.behaviour_mut().gossip;
            gossip.report_message_validation_result(&message_id, &source, MessageAcceptance::Ignore);
        }
    }

    /// Reports to the node; an event that finds the channel full waits.
    pub(super) fn emit(&mut self, event: Event) {
        if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) {
            if self.overflow.len() < limits::EVENT_QUEUE {
                self.overflow.push_back(event);
            } else {
                tracing::warn!("the node does not keep up with the events of its mesh");
            }
        }
    }
}

fn not_connected<T>(reply: Reply<T>) {
    // The client may have given up.
    let _ = reply.send(Err(RequestError::NotConnected));
}
