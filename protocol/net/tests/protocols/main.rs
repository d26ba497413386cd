//! Every way in which a request can fail, for each protocol, over real connections. After each failure the same
//! connection still serves: a fault on a stream is not a fault of the connection.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod wild;

use std::sync::Arc;
use std::time::Duration;

use cluster_core::beacon::Slot;
use cluster_core::ceremony::CeremonyId;
use cluster_core::certificate::Contribution;
use cluster_core::duty::{CommitteeId, InstanceId, InstanceKind, SigningId, SigningKind};
use cluster_net::codec::{self, Encoded, FrameError, Protocol, Traffic};
use cluster_net::{consensus, dkg, info, limits, performance, publish, signing};
use futures::StreamExt;
use libp2p::request_response::{
    self, Event, InboundFailure, Message, OutboundFailure, OutboundRequestId, ProtocolSupport,
};
use libp2p::swarm::SwarmEvent;
use libp2p::{noise, tcp, yamux, PeerId, StreamProtocol, Swarm, SwarmBuilder};

use wild::{Deaf, Raw, Wild};

const PATIENCE: Duration = Duration::from_secs(20);
const TIMEOUT: Duration = Duration::from_millis(700);

type RawSwarm = Swarm<request_response::Behaviour<Raw>>;
type RealSwarm<P> = Swarm<codec::Behaviour<P>>;

fn swarm<B: libp2p::swarm::NetworkBehaviour>(behaviour: B) -> Swarm<B> {
    SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(|_| behaviour)
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(60)))
        .build()
}

fn real<P: Protocol>() -> RealSwarm<P> {
    patient::<P>(TIMEOUT)
}

fn patient<P: Protocol>(timeout: Duration) -> RealSwarm<P> {
    swarm(codec::behaviour::<P>(timeout, Arc::new(Traffic::default())))
}

fn raw<P: Protocol>() -> RawSwarm {
    let config = request_response::Config::default().with_max_concurrent_streams(200).with_request_timeout(PATIENCE);
    swarm(request_response::Behaviour::with_codec(Raw, [(StreamProtocol::new(P::NAME), ProtocolSupport::Full)], config))
}

/// Connects `client` to `server` and returns the server's id.
async fn connect<A, B>(client: &mut Swarm<A>, server: &mut Swarm<B>) -> PeerId
where
    A: libp2p::swarm::NetworkBehaviour,
    B: libp2p::swarm::NetworkBehaviour,
{
    server.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
    let address = loop {
        if let SwarmEvent::NewListenAddr { address, .. } = server.select_next_some().await {
            break address;
        }
    };
    client.dial(address.with_p2p(*server.local_peer_id()).unwrap()).unwrap();
    let (mut there, mut here) = (false, false);
    while !(there && here) {
        tokio::select! {
            event = server.select_next_some() => there |= matches!(event, SwarmEvent::ConnectionEstablished { .. }),
            event = client.select_next_some() => here |= matches!(event, SwarmEvent::ConnectionEstablished { .. }),
        }
    }
    *server.local_peer_id()
}

/// Runs both swarms until `look` has seen enough; `answer` takes the requests that arrive at the server.
async fn drive<A, B, R>(
    client: &mut Swarm<A>,
    server: &mut Swarm<B>,
    mut on_client: impl FnMut(A::ToSwarm) -> Option<R>,
    mut on_server: impl FnMut(&mut B, B::ToSwarm) -> Option<R>,
) -> R
where
    A: libp2p::swarm::NetworkBehaviour,
    B: libp2p::swarm::NetworkBehaviour,
{
    let run = async {
        loop {
            let seen = tokio::select! {
                event = client.select_next_some() => match event {
                    SwarmEvent::Behaviour(event) => on_client(event),
                    SwarmEvent::ConnectionClosed { .. } => panic!("the connection was closed"),
                    _ => None,
                },
                event = server.select_next_some() => match event {
                    SwarmEvent::Behaviour(event) => on_server(server.behaviour_mut(), event),
                    _ => None,
                },
            };
            if let Some(seen) = seen {
                return seen;
            }
        }
    };
    tokio::time::timeout(PATIENCE, run).await.expect("nothing happened in time")
}

fn failure<P: Protocol>(event: Event<P::Request, P::Response>) -> Option<OutboundFailure> {
    match event {
        Event::OutboundFailure { error, .. } => Some(error),
        Event::Message { message: Message::Response { response, .. }, .. } => panic!("unexpected answer {response:?}"),
        _ => None,
    }
}

/// One good request and answer on the connection as it is now.
async fn still_works<P: Protocol>(
    client: &mut RealSwarm<P>,
    server: &mut RealSwarm<P>,
    peer: PeerId,
    request: &P::Request,
    response: &P::Response,
) where
    P::Request: Clone,
    P::Response: Clone + PartialEq,
{
    let sent = client.behaviour_mut().send_request(&peer, request.clone());
    let answer = drive(
        client,
        server,
        |event| match event {
            Event::Message { message: Message::Response { request_id, response }, .. } if request_id == sent => {
                Some(response)
            }
            Event::OutboundFailure { request_id, error, .. } if request_id == sent => panic!("{error}"),
            _ => None,
        },
        |behaviour, event| {
            if let Event::Message { message: Message::Request { channel, .. }, .. } = event {
                behaviour.send_response(channel, response.clone()).unwrap();
            }
            None
        },
    )
    .await;
    assert_eq!(&answer, response);
}

async fn real_peers<P: Protocol>(request: P::Request, response: P::Response)
where
    P::Request: Clone,
    P::Response: Clone + PartialEq,
{
    // The server waits longer, so that it is the client that gives up.
    let (mut client, mut server) = (real::<P>(), patient::<P>(PATIENCE));
    let peer = connect(&mut client, &mut server).await;
    still_works::<P>(&mut client, &mut server, peer, &request, &response).await;

    // Nobody answers.
    client.behaviour_mut().send_request(&peer, request.clone());
    let mut held = None;
    let error = drive(&mut client, &mut server, failure::<P>, |_, event| {
        if let Event::Message { message: Message::Request { channel, .. }, .. } = event {
            held = Some(channel);
        }
        None
    })
    .await;
    assert!(matches!(error, OutboundFailure::Timeout), "{error}");
    // A late answer is harmless.
    let _ = server.behaviour_mut().send_response(held.unwrap(), response.clone());

    // The server closes early.
    client.behaviour_mut().send_request(&peer, request.clone());
    let error = drive(&mut client, &mut server, failure::<P>, |_, event| {
        drop(event);
        None
    })
    .await;
    let OutboundFailure::Io(error) = error else { panic!("{error}") };
    assert!(matches!(FrameError::of(&error), Some(FrameError::Truncated { expected: 4, received: 0 })), "{error}");

    still_works::<P>(&mut client, &mut server, peer, &request, &response).await;

    // Too many streams: the rest fail at once, and nothing is lost for later.
    let many = P::STREAMS * 3;
    let sent: Vec<OutboundRequestId> =
        (0..many).map(|_| client.behaviour_mut().send_request(&peer, request.clone())).collect();
    let (mut failed, mut answered, mut seen) = (0, 0, 0);
    drive(
        &mut client,
        &mut server,
        |event| {
            match event {
                Event::OutboundFailure { .. } => failed += 1,
                Event::Message { message: Message::Response { .. }, .. } => answered += 1,
                _ => {}
            }
            (failed + answered == sent.len()).then_some(())
        },
        |behaviour, event| {
            if let Event::Message { message: Message::Request { channel, .. }, .. } = event {
                seen += 1;
                behaviour.send_response(channel, response.clone()).unwrap();
            }
            None
        },
    )
    .await;
    assert!(answered >= P::STREAMS, "{answered} answered, {failed} failed");
    still_works::<P>(&mut client, &mut server, peer, &request, &response).await;
}

/// A client that breaks the rules: the server counts the frame, delivers nothing, and ends the stream.
async fn wild_client<P: Protocol>() {
    let limit = P::REQUEST_LIMIT as u32;
    let framed = |length: u32, rest: &[u8]| [&length.to_le_bytes()[..], rest].concat();
    let table = [
        ("oversize prefix", framed(limit + 1, &[])),
        ("the largest prefix", framed(u32::MAX, &[0; 64])),
        ("cut prefix", vec![1, 0]),
        ("nothing", vec![]),
        ("cut payload", framed(20, &[0; 5])),
        ("trailing bytes", framed(2, &[0; 3])),
        ("unknown variant", framed(4, &[0xff; 4])),
        ("bytes behind the message", framed(64, &[0; 64])),
    ];
    let traffic = Arc::new(Traffic::default());
    let (mut client, mut server) = (raw::<P>(), swarm(codec::behaviour::<P>(TIMEOUT, traffic.clone())));
    let peer = connect(&mut client, &mut server).await;
    for (refused, (what, bytes)) in (1..).zip(table) {
        client.behaviour_mut().send_request(&peer, Wild::closed(bytes));
        drive(&mut client, &mut server, ended, |_, event| match event {
            Event::Message { message, .. } => panic!("{what} was accepted: {message:?}"),
            _ => None,
        })
        .await;
        assert_eq!(traffic.read().refused, refused, "{what}");
    }
}

/// The stream ended without an answer, one way or another.
fn ended(event: Event<Wild, Wild>) -> Option<()> {
    match event {
        Event::Message { message: Message::Response { response, .. }, .. } => {
            assert!(response.bytes.is_empty(), "an answer to nonsense: {response:?}");
            Some(())
        }
        Event::OutboundFailure { error: OutboundFailure::Io(_), .. } => Some(()),
        Event::OutboundFailure { error, .. } => panic!("{error}"),
        _ => None,
    }
}

/// A server that breaks the rules in its answers.
async fn wild_server<P: Protocol>(request: P::Request)
where
    P::Request: Clone,
{
    let limit = P::RESPONSE_LIMIT as u32;
    let framed = |length: u32, rest: &[u8]| [&length.to_le_bytes()[..], rest].concat();
    let table = [
        ("oversize prefix", Wild::closed(framed(limit + 1, &[])), "declares"),
        ("cut payload", Wild::closed(framed(20, &[0; 5])), "ended after 5 of 20"),
        ("trailing bytes", Wild::closed(framed(2, &[0; 3])), "bytes follow"),
        ("garbage", Wild::closed(framed(4, &[0xff; 4])), "cannot be decoded"),
        ("an answer that never ends", Wild { bytes: framed(20, &[0; 5]), hang: true }, "timeout"),
    ];
    let (mut client, mut server) = (real::<P>(), raw::<P>());
    let peer = connect(&mut client, &mut server).await;
    for (what, wild, expected) in table {
        client.behaviour_mut().send_request(&peer, request.clone());
        let error = drive(&mut client, &mut server, failure::<P>, |behaviour, event| {
            if let Event::Message { message: Message::Request { channel, .. }, .. } = event {
                behaviour.send_response(channel, wild.clone()).unwrap();
            }
            None
        })
        .await;
        match error {
            OutboundFailure::Io(error) => assert!(error.to_string().contains(expected), "{what}: {error}"),
            OutboundFailure::Timeout => assert_eq!(expected, "timeout", "{what}"),
            other => panic!("{what}: {other}"),
        }
    }
}

/// A flood of requests that never end: while they last the server drops what is above its limit unread, and serves
/// again when they have timed out. The connection stays all the time.
async fn flood<P: Protocol>(request: P::Request) {
    let (mut client, mut server) = (raw::<P>(), real::<P>());
    let peer = connect(&mut client, &mut server).await;
    let payload = cluster_core::encoding::encode(&request);
    let good = Wild::closed([&(payload.len() as u32).to_le_bytes()[..], &payload].concat());
    for _ in 0..P::STREAMS.max(50) * 2 {
        client.behaviour_mut().send_request(&peer, Wild { bytes: vec![9, 0, 0, 0, 1], hang: true });
    }
    let mut dropped = 0;
    let started = std::time::Instant::now();
    loop {
        client.behaviour_mut().send_request(&peer, good.clone());
        let served = drive(
            &mut client,
            &mut server,
            |event| ended(event).map(|()| false),
            |_, event| matches!(event, Event::Message { message: Message::Request { .. }, .. }).then_some(true),
        )
        .await;
        if served {
            break;
        }
        dropped += 1;
    }
    assert!(dropped > 0, "a request got past a full server");
    assert!(started.elapsed() < TIMEOUT * 4, "the flood held the server for {:?}", started.elapsed());
}

async fn all<P: Protocol>(request: P::Request, response: P::Response)
where
    P::Request: Clone,
    P::Response: Clone + PartialEq,
{
    real_peers::<P>(request.clone(), response).await;
    wild_client::<P>().await;
    wild_server::<P>(request.clone()).await;
    flood::<P>(request).await;
}

#[tokio::test]
async fn dkg_failures() {
    all::<dkg::Protocol>(dkg::Request::Open, dkg::Response::UnknownCeremony).await;
}

#[tokio::test]
async fn publish_failures() {
    let request = publish::Request::Get { ceremony_id: CeremonyId([1; 32]) };
    all::<publish::Protocol>(request, publish::Response::Accepted).await;
}

#[tokio::test]
async fn consensus_failures() {
    let instance = InstanceId { committee: CommitteeId([1; 32]), slot: Slot(7), kind: InstanceKind::Attestation };
    let request = consensus::Request::Deliver { instance, message: vec![1, 2, 3].into() };
    all::<consensus::Protocol>(request.clone(), consensus::Response::Accepted).await;
    all::<consensus::ValueProtocol>(request, consensus::Response::Busy).await;
}

#[tokio::test]
async fn signing_failures() {
    let id = SigningId::new(CommitteeId([1; 32]), SigningKind::Attestation, Slot(7));
    let request = signing::Request::Deliver { id, message: vec![1, 2, 3].into() };
    all::<signing::Protocol>(request, signing::Response::refused("no")).await;
}

#[tokio::test]
async fn performance_failures() {
    let answer = performance::Response::Page(performance::Page { reports: Vec::new(), next: 8 });
    all::<performance::Protocol>(performance::Request::Since { epoch: 7 }, answer).await;
}

#[tokio::test]
async fn info_failures() {
    let answer = info::Info {
        operator_id: None,
        role: info::Role::Gateway,
        chain_id: 1,
        version: "0.1.0".into(),
        protocols: info::supported(),
        capabilities: vec![],
        clock_ms: 1,
        open_ceremonies: 0,
        addresses: vec![],
    };
    all::<info::Protocol>(info::Request::Info, answer).await;
}

#[tokio::test]
async fn a_peer_without_the_protocol_says_so() {
    let (mut client, mut server) = (real::<dkg::Protocol>(), real::<info::Protocol>());
    let peer = connect(&mut client, &mut server).await;
    client.behaviour_mut().send_request(&peer, dkg::Request::Open);
    let error = drive(&mut client, &mut server, failure::<dkg::Protocol>, |_, _| None).await;
    assert!(matches!(error, OutboundFailure::UnsupportedProtocols), "{error}");
}

#[tokio::test]
async fn a_slow_reader_is_cut_off() {
    let config = request_response::Config::default().with_request_timeout(PATIENCE);
    let protocol = [(StreamProtocol::new(publish::PROTOCOL_NAME), ProtocolSupport::Full)];
    let mut client = swarm(request_response::Behaviour::with_codec(Deaf, protocol, config));
    let mut server = real::<publish::Protocol>();
    let peer = connect(&mut client, &mut server).await;
    let payload = cluster_core::encoding::encode(&publish::Request::Get { ceremony_id: CeremonyId([1; 32]) });
    let bytes = [&(payload.len() as u32).to_le_bytes()[..], &payload].concat();
    client.behaviour_mut().send_request(&peer, Wild::closed(bytes));
    // More than any window of the connection holds.
    let length = limits::PUBLISH_BYTES - 64;
    let large = [&(length as u64).to_le_bytes()[..], &vec![7; length]].concat();
    let large: Encoded<Contribution> = cluster_core::encoding::decode(&large, limits::PUBLISH_BYTES).unwrap();
    let error = drive(
        &mut client,
        &mut server,
        |_| None,
        |behaviour, event| match event {
            Event::Message { message: Message::Request { channel, .. }, .. } => {
                let response = publish::Response::Contribution(Some(large.clone()));
                behaviour.send_response(channel, response).unwrap();
                None
            }
            Event::InboundFailure { error, .. } => Some(error),
            Event::ResponseSent { .. } => panic!("the answer went into a buffer"),
            _ => None,
        },
    )
    .await;
    assert!(matches!(error, InboundFailure::Timeout), "{error}");
}
