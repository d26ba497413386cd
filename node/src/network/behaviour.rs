//! Which protocols make up the swarm of a node, and its transports.

use std::time::Duration;

use cluster_net::discovery::{self, Gossip, Kademlia};
use cluster_net::{consensus, dkg, gate, info, limits, performance, presence, publish, signing};
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::NetworkBehaviour;
use libp2p::{autonat, dcutr, identify, noise, ping, relay, tcp, yamux, Swarm, SwarmBuilder};

use super::{NetworkConfig, Shared, StartError};

/// The protocols. The gate comes first, so that a stranger meets nothing else.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    pub(super) gate: gate::Behaviour,
    pub(super) limits: connection_limits::Behaviour,
    pub(super) identify: identify::Behaviour,
    pub(super) ping: ping::Behaviour,
    pub(super) kademlia: Kademlia,
    pub(super) gossip: Gossip,
    pub(super) autonat_client: autonat::v2::client::Behaviour,
    pub(super) autonat_server: Toggle<autonat::v2::server::Behaviour>,
    pub(super) relay_client: relay::client::Behaviour,
    pub(super) relay_server: Toggle<relay::Behaviour>,
    pub(super) dcutr: dcutr::Behaviour,
    pub(super) dkg: dkg::Behaviour,
    pub(super) publish: publish::Behaviour,
    pub(super) info: info::Behaviour,
    pub(super) consensus: consensus::Behaviour,
    pub(super) value: consensus::ValueBehaviour,
    pub(super) signing: signing::Behaviour,
    pub(super) performance: performance::Behaviour,
    pub(super) presence: presence::Behaviour,
}

/// Builds the swarm: TCP with noise and yamux, QUIC, DNS names, and circuits through relays.
pub(super) fn build(
    keypair: &Keypair,
    config: &NetworkConfig,
    shared: &Shared,
) -> Result<Swarm<Behaviour>, StartError> {
    let transport = |error: &dyn std::fmt::Display| StartError::Transport(error.to_string());
    let gossip = discovery::gossip(keypair)?;
    let agent = format!("cluster-node/{} {}", info::RELEASE, config.role);
    let timeouts = config.timeouts;
    // Whoever has a public address helps those who have none, so that no single relay is needed.
    let is_public = !config.external.is_empty();
    let local = shared.local;
    let swarm = SwarmBuilder::with_existing_identity(keypair.clone())
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
        .map_err(|error| transport(&error))?
        .with_quic_config(|mut quic| {
            // The shorter of both ends' times counts.
            quic.max_idle_timeout = u32::try_from(limits::QUIC_IDLE.as_millis()).unwrap_or(u32::MAX);
            quic.keep_alive_interval = limits::QUIC_KEEP_ALIVE;
            quic
        })
        .with_dns()
        .map_err(|error| transport(&error))?
        .with_relay_client(noise::Config::new, yamux::Config::default)
        .map_err(|error| transport(&error))?
        .with_behaviour(|keypair, relay_client| Behaviour {
            gate: gate::Behaviour::new(shared.members.clone()),
            limits: connection_limits::Behaviour::new(connection_limits()),
            identify: discovery::identify(keypair, agent),
            ping: ping::Behaviour::new(
                ping::Config::new().with_interval(limits::PING_INTERVAL).with_timeout(limits::PING_TIMEOUT),
            ),
            kademlia: discovery::kademlia(local),
            gossip,
            autonat_client: autonat::v2::client::Behaviour::default(),
            autonat_server: is_public.then(autonat::v2::server::Behaviour::default).into(),
            relay_client,
            relay_server: is_public.then(|| relay::Behaviour::new(local, discovery::relay_config())).into(),
            dcutr: dcutr::Behaviour::new(local),
            dkg: dkg::behaviour(timeouts.dkg, shared.traffic.dkg.clone()),
            publish: publish::behaviour(timeouts.publish, shared.traffic.publish.clone()),
            info: info::behaviour(timeouts.info, shared.traffic.info.clone()),
            consensus: consensus::behaviour(timeouts.consensus, shared.traffic.consensus.clone()),
            value: consensus::value_behaviour(timeouts.value, shared.traffic.consensus.clone()),
            signing: signing::behaviour(timeouts.signing, shared.traffic.signing.clone()),
            performance: performance::behaviour(timeouts.performance, shared.traffic.performance.clone()),
            presence: presence::behaviour(timeouts.presence, shared.traffic.presence.clone()),
        })
        .map_err(|error| transport(&error))?
        .with_swarm_config(|swarm| {
            swarm
                // Connections are long-lived; pings notice dead ones.
                .with_idle_connection_timeout(Duration::from_secs(24 * 60 * 60))
                .with_max_negotiating_inbound_streams(limits::NEGOTIATING_STREAMS)
                // A request goes out together with the name of its protocol, not a round trip after it: each vote
                // arrives after half a round trip instead of one and a half.
                .with_substream_upgrade_protocol_override(Version::V1Lazy)
        })
        .build();
    Ok(swarm)
}

fn connection_limits() -> ConnectionLimits {
    ConnectionLimits::default()
        .with_max_pending_incoming(Some(limits::PENDING_INBOUND))
        .with_max_pending_outgoing(Some(limits::PENDING_OUTBOUND))
        .with_max_established(Some(limits::CONNECTIONS))
        .with_max_established_per_peer(Some(limits::CONNECTIONS_PER_PEER))
}
