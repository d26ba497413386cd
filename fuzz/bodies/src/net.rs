//! Streams of the request-response protocols: frames, payloads and their bounds.

use std::sync::Arc;

use cluster_core::{
    beacon::Slot,
    committee::OperatorId,
    dkg::{CulpritKind, Step},
    duty::{CommitteeId, InstanceId, InstanceKind, SigningId, SigningKind},
    encoding::encode,
};
use cluster_crypto::identity::SecretKey;
use cluster_net::{
    codec::{Codec, Encoded, Protocol, Traffic},
    consensus, dkg, info,
    presence::{self, Session, Sighting},
    publish, signing,
};
use futures::{executor::block_on, io::Cursor};
use libp2p::{request_response::Codec as _, StreamProtocol};

use crate::world::{assert_same, contribution, rng, world};

/// The first byte chooses protocol and direction; the rest is what the peer sends on the stream.
pub fn target(data: &[u8]) {
    let Some((kind, stream)) = data.split_first() else { return };
    match kind % 14 {
        0 => request::<dkg::Protocol>(stream),
        1 => response::<dkg::Protocol>(stream),
        2 => request::<publish::Protocol>(stream),
        3 => response::<publish::Protocol>(stream),
        4 => request::<info::Protocol>(stream),
        5 => response::<info::Protocol>(stream),
        6 => request::<consensus::Protocol>(stream),
        7 => response::<consensus::Protocol>(stream),
        8 => request::<consensus::ValueProtocol>(stream),
        9 => response::<consensus::ValueProtocol>(stream),
        10 => request::<signing::Protocol>(stream),
        11 => response::<signing::Protocol>(stream),
        12 => request::<presence::Protocol>(stream),
        _ => response::<presence::Protocol>(stream),
    }
}

fn request<P: Protocol>(stream: &[u8]) {
    let (mut codec, name) = (codec::<P>(), StreamProtocol::new(P::NAME));
    if let Ok(message) = block_on(codec.read_request(&name, &mut Cursor::new(stream))) {
        let mut written = Vec::new();
        block_on(codec.write_request(&name, &mut written, message)).expect("what was read is within the bounds");
        assert_same(&written, stream);
    }
}

fn response<P: Protocol>(stream: &[u8]) {
    let (mut codec, name) = (codec::<P>(), StreamProtocol::new(P::NAME));
    if let Ok(message) = block_on(codec.read_response(&name, &mut Cursor::new(stream))) {
        let mut written = Vec::new();
        block_on(codec.write_response(&name, &mut written, message)).expect("what was read is within the bounds");
        assert_same(&written, stream);
    }
}

fn codec<P>() -> Codec<P> {
    Codec::new(Arc::new(Traffic::default()))
}

/// Messages of every kind in both directions.
pub fn seeds() -> Vec<Vec<u8>> {
    let (ceremony_id, signed) = (world().request.ceremony_id(), world().request.signed().clone());
    let culprits = vec![publish::CulpritName { operator_id: OperatorId(10), kind: CulpritKind::Silent }];
    let progress = publish::Progress {
        ceremony_id,
        step: Step::Verdicts,
        at_ms: 1,
        culprits: culprits.clone(),
        aborted: Some("nobody came".into()),
    };
    let answer = info::Info {
        operator_id: Some(OperatorId(10)),
        role: info::Role::Operator,
        chain_id: 560_048,
        version: "0.1.0".into(),
        protocols: info::supported(),
        capabilities: vec!["relay".into()],
        clock_ms: 1,
        open_ceremonies: 1,
        addresses: vec!["/ip4/127.0.0.1/tcp/7900".into()],
    };
    let deliver = dkg::Request::Deliver {
        ceremony_id,
        request: Some(signed.clone()),
        message: world().received[0].1.to_vec().into(),
    };
    let encoded = Encoded::new(&contribution());
    let committee = CommitteeId([3; 32]);
    let instance = InstanceId { committee, slot: Slot(9), kind: InstanceKind::Proposal };
    let vote = consensus::Request::Deliver { instance, message: vec![1, 2, 3].into() };
    let id = SigningId::new(committee, SigningKind::Randao, Slot(32));
    let partials = signing::Request::Deliver { id, message: vec![4, 5, 6].into() };
    let sighting = Sighting::sign(560_048, &SecretKey::generate(&mut rng()), Session([1; 16]), Session([2; 16]));
    vec![
        stream(0, &deliver),
        stream(0, &dkg::Request::Open),
        stream(1, &dkg::Response::refused("the request has expired")),
        stream(1, &dkg::Response::Ceremonies(vec![signed.clone()])),
        stream(2, &publish::Request::Contribution(encoded.clone())),
        stream(2, &publish::Request::Progress(progress)),
        stream(2, &publish::Request::Submit(signed)),
        stream(2, &publish::Request::Get { ceremony_id }),
        stream(3, &publish::Response::Contribution(Some(encoded))),
        stream(3, &publish::Response::Aborted { reason: "too few".into(), culprits }),
        stream(4, &info::Request::Info),
        stream(5, &answer),
        stream(6, &vote),
        stream(7, &consensus::Response::refused("the slot is too far away")),
        stream(8, &vote),
        stream(9, &consensus::Response::Busy),
        stream(10, &partials),
        stream(11, &signing::Response::Accepted),
        stream(12, &presence::Request::Here { session: Session([1; 16]), sightings: vec![sighting.clone()] }),
        stream(13, &presence::Response::Others { sessions: vec![Session([1; 16])], sightings: vec![sighting] }),
    ]
}

fn stream<T: serde::Serialize>(kind: u8, message: &T) -> Vec<u8> {
    let payload = encode(message);
    [&[kind], &(payload.len() as u32).to_le_bytes()[..], &payload].concat()
}
