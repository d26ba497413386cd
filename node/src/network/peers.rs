//! Who should be connected, under which addresses, and when to dial again.
//!
//! Plain data with time and randomness as arguments; the swarm task asks what is due and reports what happened.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use cluster_net::discovery::OperatorRecord;
use cluster_net::gate::{Member, Members};
use cluster_net::info::Info;
use cluster_net::limits;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use rand_core::RngCore;

use super::client::PeerStatus;
use super::Transport;

/// Where an address comes from; the first is tried first, and the last is forgotten first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// The registry or the configuration.
    Registry,
    /// A record that the operator signed.
    Record,
    /// A connection that this node made.
    Worked,
    /// An address that worked before a restart.
    Remembered,
    /// The peer said so over its own connection.
    Identify,
    /// A third party said so.
    Kademlia,
}

/// What became of an address.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Learned {
    /// It is known, of no use, or less trusted than enough others.
    Nothing,
    /// It was added, and another one forgotten when there were too many.
    New {
        /// The other one.
        forgotten: Option<Multiaddr>,
    },
}

#[derive(Debug)]
struct Entry {
    member: Member,
    kept: bool,
    addresses: Vec<(Source, Multiaddr)>,
    connections: BTreeMap<ConnectionId, bool>,
    dialling: bool,
    backoff: Duration,
    next_dial: Instant,
    next_lookup: Instant,
    lookup_backoff: Duration,
    round_trip: Option<Duration>,
    info: Option<Info>,
    record: Option<OperatorRecord>,
}

impl Entry {
    fn new(member: Member, now: Instant) -> Self {
        Self {
            member,
            kept: false,
            addresses: Vec::new(),
            connections: BTreeMap::new(),
            dialling: false,
            backoff: Duration::ZERO,
            next_dial: now,
            next_lookup: now,
            lookup_backoff: Duration::ZERO,
            round_trip: None,
            info: None,
            record: None,
        }
    }

    fn is_idle(&self) -> bool {
        self.connections.is_empty() && !self.dialling
    }
}

/// The address book and the dial schedule of all registered peers but this one.
#[derive(Debug)]
pub(super) struct Book {
    local: PeerId,
    transport: Transport,
    peers: BTreeMap<PeerId, Entry>,
}

impl Book {
    pub(super) fn new(local: PeerId, transport: Transport) -> Self {
        Self { local, transport, peers: BTreeMap::new() }
    }

    /// Follows the registry: new peers get an entry, peers that left lose theirs unless a connection is still open.
    pub(super) fn sync(&mut self, members: &Members, now: Instant) {
        let mut there = HashSet::new();
        for (peer, member) in members.all() {
            if peer == self.local {
                continue;
            }
            there.insert(peer);
            let fresh = Entry::new(member.clone(), now);
            self.peers.entry(peer).or_insert(fresh).member = member;
        }
        self.peers.retain(|peer, entry| there.contains(peer) || !entry.connections.is_empty());
    }

    /// Keeps these peers connected.
    pub(super) fn keep(&mut self, peers: &[PeerId]) {
        for peer in peers {
            if let Some(entry) = self.peers.get_mut(peer) {
                entry.kept = true;
            }
        }
    }

    /// Learns an address. A new one makes the peer due at once.
    pub(super) fn learn(&mut self, peer: &PeerId, source: Source, address: Multiaddr, now: Instant) -> Learned {
        if !self.transport.allows(&address) || address.to_string().len() > limits::ADDRESS_BYTES {
            return Learned::Nothing;
        }
        let Some(entry) = self.peers.get_mut(peer) else {
            return Learned::Nothing;
        };
        if let Some(known) = entry.addresses.iter_mut().find(|(_, known)| *known == address) {
            known.0 = known.0.min(source);
            entry.addresses.sort_by_key(|(source, _)| *source);
            return Learned::Nothing;
        }
        // Stable: of one source the newest stands first, and the oldest of the least trusted source falls off.
        entry.addresses.insert(0, (source, address.clone()));
        entry.addresses.sort_by_key(|(source, _)| *source);
        let is_full = entry.addresses.len() > limits::ADDRESSES_PER_PEER;
        let forgotten = if is_full { entry.addresses.pop().map(|(_, address)| address) } else { None };
        if forgotten.as_ref() == Some(&address) {
            return Learned::Nothing;
        }
        if entry.is_idle() {
            entry.backoff = Duration::ZERO;
            entry.next_dial = now;
        }
        Learned::New { forgotten }
    }

    /// Replaces the addresses that the peer's signed record named before.
    pub(super) fn learn_record(&mut self, peer: &PeerId, record: OperatorRecord) -> bool {
        let Some(entry) = self.peers.get_mut(peer) else {
            return false;
        };
        let newer = |held: &OperatorRecord| record.claims.sequence > held.claims.sequence;
        if !entry.record.as_ref().is_none_or(newer) {
            return false;
        }
        entry.addresses.retain(|(source, _)| *source != Source::Record);
        entry.record = Some(record);
        true
    }

    /// The peers to dial now with their addresses, kept ones first. They count as being dialled.
    pub(super) fn due(&mut self, now: Instant) -> Vec<(PeerId, Vec<Multiaddr>)> {
        let busy = self.peers.values().filter(|entry| entry.dialling).count();
        let mut room = (limits::PENDING_OUTBOUND as usize / 2).saturating_sub(busy);
        let mut background = limits::BACKGROUND_PEERS.saturating_sub(self.background());
        let mut due = Vec::new();
        for kept in [true, false] {
            for (peer, entry) in self.peers.iter_mut().filter(|(_, entry)| is_kept(entry) == kept) {
                let ready = entry.is_idle() && entry.next_dial <= now && !entry.addresses.is_empty();
                if !ready || room == 0 || (!kept && background == 0) {
                    continue;
                }
                room -= 1;
                if !kept {
                    background -= 1;
                }
                entry.dialling = true;
                due.push((*peer, entry.addresses.iter().map(|(_, address)| address.clone()).collect()));
            }
        }
        due
    }

    /// Peers that are neither connected nor known by an address that works, and whose look-up is due.
    pub(super) fn lookups(&mut self, now: Instant, rng: &mut impl RngCore) -> Vec<PeerId> {
        const AT_ONCE: usize = 4;
        let mut background = limits::BACKGROUND_PEERS.saturating_sub(self.background());
        let mut wanted = Vec::new();
        for (peer, entry) in &mut self.peers {
            let lost = entry.connections.is_empty() && (entry.addresses.is_empty() || !entry.backoff.is_zero());
            if !lost || entry.next_lookup > now || wanted.len() == AT_ONCE {
                continue;
            }
            if !is_kept(entry) {
                if background == 0 {
                    continue;
                }
                background -= 1;
            }
            entry.lookup_backoff = longer(entry.lookup_backoff);
            entry.next_lookup = now + jitter(entry.lookup_backoff, rng);
            wanted.push(*peer);
        }
        wanted
    }

    /// A connection is there; true when it is the first.
    pub(super) fn connected(&mut self, peer: &PeerId, connection: ConnectionId, relayed: bool) -> bool {
        let Some(entry) = self.peers.get_mut(peer) else {
            return false;
        };
        entry.dialling = false;
        entry.backoff = Duration::ZERO;
        entry.lookup_backoff = Duration::ZERO;
        entry.connections.insert(connection, relayed);
        entry.connections.len() == 1
    }

    /// A connection is gone; true when it was the last. The peer is dialled again soon.
    pub(super) fn disconnected(
        &mut self,
        peer: &PeerId,
        connection: ConnectionId,
        now: Instant,
        rng: &mut impl RngCore,
    ) -> bool {
        let Some(entry) = self.peers.get_mut(peer) else {
            return false;
        };
        let last = entry.connections.remove(&connection).is_some() && entry.connections.is_empty();
        if last {
            entry.next_dial = now + jitter(limits::REDIAL_MIN, rng);
            entry.next_lookup = now + limits::REDIAL_MIN;
        }
        last
    }

    /// A dial failed; the next one waits longer.
    pub(super) fn dial_failed(&mut self, peer: &PeerId, now: Instant, rng: &mut impl RngCore) {
        if let Some(entry) = self.peers.get_mut(peer) {
            entry.dialling = false;
            entry.backoff = longer(entry.backoff);
            entry.next_dial = now + jitter(entry.backoff, rng);
        }
    }

    pub(super) fn set_round_trip(&mut self, peer: &PeerId, round_trip: Duration) {
        if let Some(entry) = self.peers.get_mut(peer) {
            entry.round_trip = Some(round_trip);
        }
    }

    pub(super) fn set_info(&mut self, peer: &PeerId, info: Info) {
        if let Some(entry) = self.peers.get_mut(peer) {
            entry.info = Some(info);
        }
    }

    /// Whether there is a connection.
    pub(super) fn is_connected(&self, peer: &PeerId) -> bool {
        self.peers.get(peer).is_some_and(|entry| !entry.connections.is_empty())
    }

    /// The state of all peers, for the client.
    pub(super) fn status(&self) -> BTreeMap<PeerId, PeerStatus> {
        self.peers.iter().map(|(peer, entry)| (*peer, status(entry))).collect()
    }

    fn background(&self) -> usize {
        self.peers.values().filter(|entry| !is_kept(entry) && !entry.is_idle()).count()
    }
}

/// Bootstrap peers and gateways are few, and always kept.
fn is_kept(entry: &Entry) -> bool {
    entry.kept || !matches!(entry.member, Member::Operator(_))
}

fn status(entry: &Entry) -> PeerStatus {
    PeerStatus {
        member: entry.member.clone(),
        connections: entry.connections.len(),
        relayed: !entry.connections.is_empty() && entry.connections.values().all(|relayed| *relayed),
        round_trip: entry.round_trip,
        info: entry.info.clone(),
        record: entry.record.clone(),
        addresses: entry.addresses.iter().map(|(_, address)| address.clone()).collect(),
    }
}

fn longer(backoff: Duration) -> Duration {
    (backoff * 2).clamp(limits::REDIAL_MIN, limits::REDIAL_MAX)
}

/// Between half and the whole of a wait, so that a restarted network does not dial in step.
fn jitter(wait: Duration, rng: &mut impl RngCore) -> Duration {
    let half = wait / 2;
    half + half.mul_f64(f64::from(rng.next_u32()) / f64::from(u32::MAX))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use cluster_core::committee::OperatorId;
    use rand_chacha::rand_core::SeedableRng;
    use std::collections::HashMap;

    fn book(peers: usize) -> (Book, Vec<PeerId>, Instant) {
        let ids: Vec<PeerId> = (0..peers).map(|_| PeerId::random()).collect();
        let members = Members::default();
        let entries: HashMap<_, _> =
            ids.iter().enumerate().map(|(at, peer)| (*peer, Member::Operator(OperatorId(at as u32 + 1)))).collect();
        members.replace_with(entries);
        let now = Instant::now();
        let mut book = Book::new(PeerId::random(), Transport::Tcp);
        book.sync(&members, now);
        (book, ids, now)
    }

    fn address(port: usize) -> Multiaddr {
        format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap()
    }

    #[test]
    fn a_peer_that_does_not_answer_is_dialled_ever_less_often_and_at_once_under_a_new_address() {
        let (mut book, ids, mut now) = book(1);
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        assert_eq!(book.learn(&ids[0], Source::Kademlia, address(1), now), Learned::New { forgotten: None });
        let mut waits = Vec::new();
        for _ in 0..12 {
            let asked = now;
            while book.due(now).is_empty() {
                now += Duration::from_millis(50);
            }
            waits.push(now - asked);
            book.dial_failed(&ids[0], now, &mut rng);
        }
        assert!(waits[0].is_zero() && waits[2] >= limits::REDIAL_MIN / 2, "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= limits::REDIAL_MAX + Duration::from_millis(50)), "{waits:?}");
        assert!(*waits.last().unwrap() >= limits::REDIAL_MAX / 2, "{waits:?}");
        assert!(book.due(now).is_empty());
        book.learn(&ids[0], Source::Registry, address(2), now);
        assert_eq!(book.due(now), vec![(ids[0], vec![address(2), address(1)])], "registry addresses come first");
    }

    #[test]
    fn the_number_of_addresses_is_bounded_and_the_least_trusted_are_forgotten() {
        let (mut book, ids, now) = book(1);
        let forgotten = (1..=limits::ADDRESSES_PER_PEER + 5)
            .filter(|port| {
                let learned = book.learn(&ids[0], Source::Kademlia, address(*port), now);
                matches!(learned, Learned::New { forgotten: Some(_) })
            })
            .count();
        assert_eq!(forgotten, 5, "whoever asked for it is told what to forget elsewhere");
        book.learn(&ids[0], Source::Registry, address(9999), now);
        let (_, addresses) = book.due(now).remove(0);
        assert_eq!(addresses.len(), limits::ADDRESSES_PER_PEER);
        assert_eq!(addresses[0], address(9999));
        let other_transport = "/ip4/1.2.3.4/udp/1/quic-v1".parse().unwrap();
        assert_eq!(book.learn(&ids[0], Source::Kademlia, other_transport, now), Learned::Nothing);
    }

    #[test]
    fn kept_peers_are_dialled_even_when_there_are_enough_others() {
        let (mut book, ids, now) = book(limits::BACKGROUND_PEERS + 8);
        for (at, peer) in ids.iter().enumerate() {
            book.learn(peer, Source::Registry, address(at + 1), now);
        }
        let mut dialled = 0;
        loop {
            let due = book.due(now);
            if due.is_empty() {
                break;
            }
            for (peer, _) in due {
                dialled += 1;
                book.connected(&peer, ConnectionId::new_unchecked(dialled), false);
            }
        }
        assert_eq!(dialled, limits::BACKGROUND_PEERS);
        let rest: Vec<PeerId> = ids.iter().filter(|peer| !book.is_connected(peer)).copied().collect();
        book.keep(&rest[..3]);
        assert_eq!(book.due(now).len(), 3);
    }
}
