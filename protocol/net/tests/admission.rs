//! Who is let in: the gate, the conversion of keys, signed records, and versions that do not fit.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cluster_core::committee::OperatorId;
use cluster_core::registry::FileRegistry;
use cluster_crypto::identity::SecretKey;
use cluster_net::codec::Traffic;
use cluster_net::discovery::{parse_address, OperatorClaims, RecordError, SyncState};
use cluster_net::gate::{self, Member, Members, NotRegistered};
use cluster_net::info::{compatibility, supported, Info, Mismatch, Role, VersionRange};
use cluster_net::{dkg, identity};
use futures::StreamExt;
use libp2p::request_response;
use libp2p::swarm::{DialError, ListenError, NetworkBehaviour, SwarmEvent};
use libp2p::{noise, tcp, yamux, Multiaddr, PeerId, Swarm, SwarmBuilder};
use proptest::prelude::*;

const PATIENCE: Duration = Duration::from_secs(20);

#[derive(NetworkBehaviour)]
struct Behaviour {
    gate: gate::Behaviour,
    dkg: dkg::Behaviour,
}

fn secret(byte: u8) -> SecretKey {
    SecretKey::from_bytes(&[byte; 32]).unwrap()
}

fn peer(byte: u8) -> PeerId {
    identity::peer_id(&secret(byte).public_key()).unwrap()
}

fn members(peers: &[PeerId]) -> Members {
    let members = Members::default();
    let all = peers.iter().zip(1..).map(|(peer, id)| (*peer, Member::Operator(OperatorId(id))));
    members.replace_with(all.collect::<HashMap<_, _>>());
    members
}

fn swarm(secret: &SecretKey, members: Members) -> Swarm<Behaviour> {
    SwarmBuilder::with_existing_identity(identity::keypair(secret).unwrap())
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(|_| Behaviour {
            gate: gate::Behaviour::new(members),
            dkg: dkg::behaviour(Duration::from_secs(5), Arc::new(Traffic::default())),
        })
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(60)))
        .build()
}

async fn listening(swarm: &mut Swarm<Behaviour>) -> Multiaddr {
    swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
    loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            return address.with_p2p(*swarm.local_peer_id()).unwrap();
        }
    }
}

#[tokio::test]
async fn a_stranger_is_refused_before_any_protocol_runs() {
    let (server_key, stranger_key) = (secret(1), secret(2));
    let mut server = swarm(&server_key, members(&[peer(1), peer(3)]));
    // The stranger itself lets anybody in who is a member of its own list.
    let mut stranger = swarm(&stranger_key, members(&[peer(1)]));
    let address = listening(&mut server).await;
    stranger.add_peer_address(peer(1), address);
    stranger.behaviour_mut().dkg.send_request(&peer(1), dkg::Request::Open);
    let (mut refused, mut told) = (false, false);
    let run = async {
        while !(refused && told) {
            tokio::select! {
                event = server.select_next_some() => match event {
                    SwarmEvent::IncomingConnectionError { error: ListenError::Denied { cause }, .. } => {
                        assert_eq!(cause.downcast_ref::<NotRegistered>().unwrap().peer, peer(2));
                        refused = true;
                    }
                    SwarmEvent::ConnectionEstablished { .. } => panic!("a stranger was admitted"),
                    SwarmEvent::Behaviour(event) => panic!("a protocol ran with a stranger: {event:?}"),
                    _ => {}
                },
                event = stranger.select_next_some() => if let SwarmEvent::Behaviour(BehaviourEvent::Dkg(
                    request_response::Event::OutboundFailure { .. },
                )) = event {
                    told = true;
                },
            }
        }
    };
    tokio::time::timeout(PATIENCE, run).await.unwrap();
    // In the other direction nothing is even dialled.
    match server.dial(format!("/ip4/127.0.0.1/tcp/1/p2p/{}", peer(2)).parse::<Multiaddr>().unwrap()) {
        Err(DialError::Denied { cause }) => {
            let words = cause.downcast_ref::<NotRegistered>().unwrap().to_string();
            assert_eq!(words, format!("peer {} is not a registered operator, gateway or bootstrap peer", peer(2)));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_peer_that_leaves_the_registry_is_disconnected_and_one_that_joins_is_admitted() {
    let server_members = members(&[peer(1)]);
    let mut server = swarm(&secret(1), server_members.clone());
    let mut client = swarm(&secret(2), members(&[peer(1), peer(2)]));
    let address = listening(&mut server).await;
    let run = async {
        for admitted in [false, true] {
            if admitted {
                server_members.replace_with(HashMap::from([(peer(2), Member::Bootstrap)]));
            }
            client.dial(address.clone()).unwrap();
            loop {
                tokio::select! {
                    event = server.select_next_some() => match event {
                        SwarmEvent::IncomingConnectionError { .. } if !admitted => break,
                        SwarmEvent::ConnectionEstablished { .. } if admitted => {
                            server_members.replace_with(HashMap::new());
                        }
                        SwarmEvent::ConnectionClosed { peer_id, .. } if admitted => {
                            assert_eq!(peer_id, peer(2));
                            break;
                        }
                        SwarmEvent::ConnectionEstablished { .. } => panic!("admitted too early"),
                        _ => {}
                    },
                    _ = client.select_next_some() => {}
                }
            }
            while client.is_connected(&peer(1)) {
                tokio::select! {
                    _ = server.select_next_some() => {}
                    _ = client.select_next_some() => {}
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, run).await.unwrap();
}

#[test]
fn a_peer_id_is_a_registry_entry() {
    for byte in 1..50 {
        let key = secret(byte).public_key();
        let peer = identity::peer_id(&key).unwrap();
        assert_eq!(identity::public_key(&peer), Ok(key));
        assert_eq!(identity::keypair(&secret(byte)).unwrap().public().to_peer_id(), peer);
    }
    let other = libp2p::identity::Keypair::generate_ed25519().public().to_peer_id();
    assert_eq!(identity::public_key(&other), Err(identity::IdentityError::NotSecp256k1));
    assert_eq!(identity::public_key(&PeerId::random()), Err(identity::IdentityError::NotSecp256k1));
}

fn registry() -> FileRegistry {
    let operator =
        |id: u8| format!("[[operators]]\nid = {id}\nname = \"{id}\"\npublic_key = \"{}\"\n", secret(id).public_key());
    FileRegistry::parse(&format!("network = \"hoodi\"\n{}{}", operator(1), operator(2))).unwrap()
}

fn claims(id: u32, addresses: &[String]) -> OperatorClaims {
    OperatorClaims {
        operator_id: OperatorId(id),
        sequence: 1,
        addresses: addresses.to_vec(),
        versions: supported(),
        capabilities: vec![],
        sync: SyncState::Ready,
    }
}

#[test]
fn a_record_is_believed_only_from_its_own_operator() {
    let id = OperatorId(1);
    let own = format!("/ip4/1.2.3.4/tcp/1/p2p/{}", peer(1));
    let foreign = format!("/ip4/1.2.3.4/tcp/1/p2p/{}", peer(2));
    let checked = claims(1, &[own]).sign(&secret(1)).check(&registry()).unwrap();
    assert_eq!((checked.peer, checked.addresses), (peer(1), vec!["/ip4/1.2.3.4/tcp/1".parse().unwrap()]));
    let unknown = OperatorId(9);
    assert_eq!(claims(9, &[]).sign(&secret(9)).check(&registry()), Err(RecordError::UnknownOperator { id: unknown }));
    assert_eq!(claims(1, &[]).sign(&secret(2)).check(&registry()), Err(RecordError::BadSignature { id }));
    for address in [foreign, "nonsense".into(), format!("/p2p/{}", peer(1)), format!("/dns4/{}", "a".repeat(400))] {
        let refused = claims(1, std::slice::from_ref(&address)).sign(&secret(1)).check(&registry());
        assert_eq!(refused, Err(RecordError::BadAddress { id, address }));
    }
    let mut changed = claims(1, &[]).sign(&secret(1));
    changed.claims.sequence += 1;
    assert_eq!(changed.check(&registry()), Err(RecordError::BadSignature { id }));
}

#[test]
fn relayed_addresses_end_in_their_own_peer() {
    let relayed = format!("/ip4/1.2.3.4/tcp/1/p2p/{}/p2p-circuit", peer(2));
    assert!(parse_address(&relayed, &peer(1)).is_some());
    assert!(parse_address(&format!("{relayed}/p2p/{}", peer(1)), &peer(1)).is_some());
    assert!(parse_address(&format!("{relayed}/p2p/{}", peer(3)), &peer(1)).is_none());
}

#[test]
fn versions_that_do_not_fit_are_explained() {
    let dkg = |min, max| VersionRange::new("dkg", min, max);
    let words = |ours, theirs| compatibility(&ours, &theirs).unwrap_err().to_string();
    assert_eq!(
        words(dkg(1, 1), dkg(2, 3)),
        "the peer speaks versions 2 to 3 of dkg, this node only version 1 of dkg: upgrade this node"
    );
    assert_eq!(
        words(dkg(4, 4), dkg(2, 3)),
        "this node speaks version 4 of dkg, the peer only versions 2 to 3 of dkg: ask its operator to upgrade"
    );
    assert!(matches!(compatibility(&dkg(1, 1), &dkg(2, 1)), Err(Mismatch::Nonsense { .. })));
    let info = |chain_id, protocols| Info {
        operator_id: None,
        role: Role::Operator,
        chain_id,
        version: "1.0.0".into(),
        protocols,
        capabilities: vec![],
        clock_ms: 0,
        open_ceremonies: 0,
        addresses: vec![],
    };
    let ours = info(1, supported());
    assert_eq!(ours.ceremony_version(&info(1, vec![dkg(1, 7)])), Ok(1));
    assert_eq!(ours.duty_versions(&info(1, supported())), Ok((1, 1)));
    let without_signing = info(1, vec![VersionRange::new("consensus", 1, 2)]);
    assert_eq!(
        ours.duty_versions(&without_signing).unwrap_err().to_string(),
        "this node speaks version 1 of signing, the peer does not speak that protocol"
    );
    assert_eq!(
        ours.ceremony_version(&info(560_048, supported())).unwrap_err().to_string(),
        "the peer works for chain 560048, this node for chain 1"
    );
    assert_eq!(
        ours.ceremony_version(&info(1, vec![])).unwrap_err().to_string(),
        "this node speaks version 1 of dkg, the peer does not speak that protocol"
    );
}

proptest! {
    #[test]
    fn the_common_version_is_the_highest_that_both_speak(a in 0u16..9, b in 0u16..9, c in 0u16..9, d in 0u16..9) {
        let (ours, theirs) = (VersionRange::new("dkg", a, b), VersionRange::new("dkg", c, d));
        let common = (0..9).filter(|v| (a..=b).contains(v) && (c..=d).contains(v)).max();
        let both = [compatibility(&ours, &theirs), compatibility(&theirs, &ours)];
        prop_assert_eq!(both[0].as_ref().ok().copied(), common);
        prop_assert_eq!(both[1].as_ref().ok().copied(), common);
    }
}
