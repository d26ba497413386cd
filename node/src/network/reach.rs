//! Under which addresses others reach this node: what identify, AutoNAT and relays say, and what it tells others.

use std::time::Duration;

use cluster_net::{discovery, limits};
use libp2p::multiaddr::Protocol;
use libp2p::{identify, Multiaddr, PeerId};

use super::peers::Source;
use super::task::Task;

/// Ticks of the swarm task between two attempts to find a relay.
const RELAY_TICKS: u64 = 50;
/// How long a node waits for a confirmed address before it asks a relay for one.
const RELAY_AFTER: Duration = Duration::from_secs(30);

impl Task {
    /// A peer told where it listens and what it offers.
    pub(super) fn on_identified(&mut self, peer: PeerId, info: identify::Info) {
        for address in info.listen_addrs.into_iter().take(limits::ADDRESSES_PER_PEER) {
            self.learn(peer, Source::Identify, address);
        }
        if info.protocols.contains(&libp2p::relay::HOP_PROTOCOL_NAME) {
            self.relays.insert(peer);
        }
    }

    /// Asks a relay for an address while this node has no public one.
    pub(super) fn look_for_relay(&mut self) {
        if !self.ticks.is_multiple_of(RELAY_TICKS) {
            return;
        }
        let has_address = self.swarm.external_addresses().next().is_some();
        if !self.use_relay || has_address || self.circuit.is_some() || self.started.elapsed() < RELAY_AFTER {
            return;
        }
        let status = self.book.status();
        let direct = |address: &&Multiaddr| !address.iter().any(|part| part == Protocol::P2pCircuit);
        let reachable = self.relays.iter().filter(|relay| self.book.is_connected(relay));
        let circuit = reachable
            .filter_map(|relay| Some((*relay, status.get(relay)?.addresses.iter().find(direct)?.clone())))
            .map(|(relay, address)| address.with(Protocol::P2p(relay)).with(Protocol::P2pCircuit))
            .next();
        let Some(circuit) = circuit else {
            return;
        };
        tracing::info!(address = %circuit, "asking a relay for an address");
        match self.swarm.listen_on(circuit) {
            Ok(listener) => self.circuit = Some(listener),
            Err(error) => tracing::debug!(%error, "cannot use the relay"),
        }
    }

    /// Publishes the addresses of this node to whoever tells others.
    pub(super) fn advertise(&mut self) {
        let external = self.swarm.external_addresses().cloned().collect();
        let listening = self.swarm.listeners().cloned().collect();
        let addresses = advertised(external, listening);
        self.shared.addresses.send_if_modified(|held| {
            let changed = *held != addresses;
            *held = addresses;
            changed
        });
    }
}

/// The addresses to tell others: confirmed external ones first, then those listened on; loopback only when there is
/// nothing else, which is the case of a network on one machine.
fn advertised(external: Vec<Multiaddr>, listening: Vec<Multiaddr>) -> Vec<Multiaddr> {
    let mut all = Vec::new();
    for address in external.into_iter().chain(listening) {
        let (address, _) = discovery::split_peer(address);
        if !all.contains(&address) {
            all.push(address);
        }
    }
    let public: Vec<Multiaddr> = all.iter().filter(|address| !is_loopback(address)).cloned().collect();
    let mut chosen = if public.is_empty() { all } else { public };
    chosen.truncate(limits::ADDRESSES_PER_PEER);
    chosen
}

fn is_loopback(address: &Multiaddr) -> bool {
    address.iter().any(|part| match part {
        Protocol::Ip4(ip) => ip.is_loopback() || ip.is_unspecified(),
        Protocol::Ip6(ip) => ip.is_loopback() || ip.is_unspecified(),
        _ => false,
    })
}
