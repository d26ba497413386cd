//! The bootstrap peer as others meet it: its relay, its HTTP server, its configuration.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use cluster_bootstrap::config::{self, FileConfig};
use cluster_bootstrap::{start, BootstrapConfig, Running};
use cluster_core::registry::FileRegistry;
use cluster_crypto::identity::SecretKey;
use cluster_net::identity;
use futures::StreamExt;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{identify, noise, ping, relay, tcp, yamux, Multiaddr, PeerId, Swarm, SwarmBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PATIENCE: Duration = Duration::from_secs(30);

#[derive(NetworkBehaviour)]
struct Behaviour {
    relay: relay::client::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

fn secret(byte: u8) -> SecretKey {
    SecretKey::from_bytes(&[byte; 32]).unwrap()
}

/// A registry of operators 1 and 2 and a bootstrap peer with key 9.
fn registry() -> Arc<FileRegistry> {
    let operator =
        |id: u8| format!("[[operators]]\nid = {id}\nname = \"{id}\"\npublic_key = \"{}\"\n", secret(id).public_key());
    let bootstrap = format!("[[bootstraps]]\npublic_key = \"{}\"\n", secret(9).public_key());
    Arc::new(FileRegistry::parse(&format!("network = \"hoodi\"\n{}{}{bootstrap}", operator(1), operator(2))).unwrap())
}

async fn bootstrap() -> Running {
    let listen = vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap(), "/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap()];
    let mut config = BootstrapConfig::new(secret(9), registry(), listen);
    config.http = Some("127.0.0.1:0".parse().unwrap());
    start(config).await.unwrap()
}

fn node(byte: u8) -> Swarm<Behaviour> {
    SwarmBuilder::with_existing_identity(identity::keypair(&secret(byte)).unwrap())
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_relay_client(noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(|key, relay| Behaviour {
            relay,
            identify: identify::Behaviour::new(identify::Config::new("/test/1".into(), key.public())),
            ping: ping::Behaviour::default(),
        })
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(PATIENCE))
        .build()
}

#[tokio::test]
async fn a_node_that_cannot_be_dialled_is_reached_through_the_relay() {
    let bootstrap = bootstrap().await;
    let relay = bootstrap.dial_addresses().into_iter().find(|address| address.iter().any(is_tcp)).unwrap();
    let (mut hidden, mut other) = (node(1), node(2));
    let hidden_peer: PeerId = *hidden.local_peer_id();
    hidden.listen_on(relay.clone().with(Protocol::P2pCircuit)).unwrap();
    let run = async {
        loop {
            if let SwarmEvent::NewListenAddr { .. } = hidden.select_next_some().await {
                break;
            }
        }
        let circuit: Multiaddr = relay.with(Protocol::P2pCircuit).with_p2p(hidden_peer).unwrap();
        other.dial(circuit).unwrap();
        loop {
            tokio::select! {
                _ = hidden.select_next_some() => {}
                event = other.select_next_some() => match event {
                    SwarmEvent::ConnectionEstablished { peer_id, endpoint, .. } if peer_id == hidden_peer => {
                        assert!(endpoint.is_relayed());
                        break;
                    }
                    SwarmEvent::OutgoingConnectionError { error, .. } => panic!("{error}"),
                    _ => {}
                },
            }
        }
    };
    tokio::time::timeout(PATIENCE, run).await.unwrap();
    assert_eq!(bootstrap.metrics().reservations.get(), 1);
    bootstrap.shutdown().await;
}

fn is_tcp(part: Protocol<'_>) -> bool {
    matches!(part, Protocol::Tcp(_))
}

async fn get(running: &Running, path: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(running.http().unwrap()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn health_and_metrics_are_served_until_it_stops() {
    let bootstrap = bootstrap().await;
    let address = bootstrap.http().unwrap();
    assert!(get(&bootstrap, "/health").await.starts_with("HTTP/1.1 200"));
    assert!(get(&bootstrap, "/ready").await.ends_with("ready\n"));
    let metrics = get(&bootstrap, "/metrics").await;
    for name in ["cluster_bootstrap_peers_connected 0", "cluster_bootstrap_strangers_refused_total 0", "# EOF"] {
        assert!(metrics.contains(name), "{name} is missing in {metrics}");
    }
    bootstrap.shutdown().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let first = bootstrap().await;
    // UDP: libp2p shares TCP ports between listeners on purpose, for hole punching.
    let taken = first.addresses().iter().find(|address| !address.iter().any(is_tcp)).unwrap().clone();
    let second = start(BootstrapConfig::new(secret(9), registry(), vec![taken.clone()])).await;
    let words = second.err().unwrap().to_string();
    assert!(words.starts_with(&format!("cannot listen on {taken}: ")), "{words}");
}

#[test]
fn the_example_says_the_defaults_and_mistakes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bootstrap.toml");
    std::fs::write(&file, config::EXAMPLE).unwrap();
    assert_eq!(config::load(Some(&file), &[]).unwrap(), FileConfig::default());

    std::fs::write(&file, "registry_file = \"from-file\"\n[mesh]\nrelay = false\n").unwrap();
    let flags = [("mesh.listen", vec!["/ip4/1.2.3.4/tcp/1".to_owned()].into())];
    let merged = config::load(Some(&file), &flags).unwrap();
    assert_eq!(merged.registry_file.to_str(), Some("from-file"));
    assert!(!merged.mesh.relay && merged.mesh.forward_records);
    assert_eq!(merged.mesh.listen, ["/ip4/1.2.3.4/tcp/1"]);

    std::fs::write(&file, "[mesh]\nlisen = []\n").unwrap();
    let words = config::load(Some(&file), &[]).unwrap_err().to_string();
    assert!(words.contains("lisen"), "{words}");
    let words = config::addresses("mesh.listen", &["nonsense".into()]).unwrap_err().to_string();
    assert!(words.contains("mesh.listen") && words.contains("nonsense"), "{words}");
}
