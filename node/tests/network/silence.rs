//! A connection that is still there, and nothing comes over it any more.

use std::cell::Cell;
use std::time::Duration;

use cluster_net::{dkg, limits};
use cluster_node::network::Transport;
use libp2p::Multiaddr;

use crate::{until, Node, World};

/// Passes datagrams between those who send to its address and `to`, until it is dropped: then both ends hear nothing any
/// more, as when a process is killed.
struct Wire {
    address: Multiaddr,
    task: tokio::task::JoinHandle<()>,
}

impl Wire {
    async fn to(target: &Multiaddr) -> Self {
        use libp2p::multiaddr::Protocol;
        let port = target.iter().find_map(|part| match part {
            Protocol::Udp(port) => Some(port),
            _ => None,
        });
        let target = std::net::SocketAddr::from(([127, 0, 0, 1], port.unwrap()));
        let outside = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let inside = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = format!("/ip4/127.0.0.1/udp/{}/quic-v1", outside.local_addr().unwrap().port());
        let task = tokio::spawn(async move {
            let (mut here, mut there, mut client) = ([0; 2_048], [0; 2_048], None);
            loop {
                tokio::select! {
                    received = outside.recv_from(&mut here) => {
                        let (length, from) = received.unwrap();
                        client = Some(from);
                        inside.send_to(&here[..length], target).await.unwrap();
                    }
                    received = inside.recv_from(&mut there) => {
                        let (length, _) = received.unwrap();
                        let Some(client) = client else { continue };
                        outside.send_to(&there[..length], client).await.unwrap();
                    }
                }
            }
        });
        Self { address: address.parse().unwrap(), task }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn a_quic_connection_that_falls_silent_is_given_up_within_seconds() {
    let world = World::new(10);
    let mut first = world.operator(0, Transport::Quic);
    first.use_relay = false;
    let first = Node::start(first).await;
    let wire = Wire::to(&first.client.addresses()[0]).await;
    let mut second = world.operator(1, Transport::Quic);
    second.bootstrap = vec![wire.address.clone().with_p2p(first.peer()).unwrap()];
    let second = Node::start(second).await;
    second.sees(first.peer()).await;
    first.sees(second.peer()).await;
    assert_eq!(second.delivers_to(first.peer()).await, Ok(dkg::Response::Accepted));
    // Quiet for longer than the time-out, and the connection is still there.
    tokio::time::sleep(limits::QUIC_IDLE + Duration::from_secs(1)).await;
    assert!(first.client.connected(&second.peer()) && second.client.connected(&first.peer()));
    // From here on whatever they send to each other is lost; they may still find each other on another way, before or after.
    drop(wire);
    let cut = std::time::Instant::now();
    let most = Cell::new(0);
    until("the dead connection is given up", || {
        let now = first.client.peer(&second.peer()).map_or(0, |peer| peer.connections);
        most.set(most.get().max(now));
        now < most.get()
    })
    .await;
    let took = cut.elapsed();
    assert!(took < limits::QUIC_IDLE + Duration::from_secs(3), "it took {took:?}");
}
