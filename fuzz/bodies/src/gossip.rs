//! Gossip: announcements of requests and operators' records.

use cluster_core::{committee::OperatorId, network::Network, request::RequestRules};
use cluster_net::{
    discovery::{parse_address, records_topic, requests_topic, Announcement, OperatorClaims, SyncState},
    info,
};

use crate::world::{assert_same, world, NOW_S};

/// The payload under both topics, with the checks that follow.
pub fn target(data: &[u8]) {
    for topic in [requests_topic(), records_topic()] {
        let Ok(announcement) = Announcement::decode(&topic.hash(), data) else { continue };
        assert_same(&announcement.encode().1, data);
        match announcement {
            Announcement::Request(request) => {
                let _ = request.check(&RequestRules::new(Network::Hoodi), &world().registry, NOW_S);
            }
            Announcement::Record(record) => {
                let genuine = own_record();
                if record.clone().check(&world().registry).is_ok() {
                    assert_eq!(record.claims, genuine, "nobody else can sign");
                }
            }
        }
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let key = world().identities[&world().me].public_key();
        let peer = cluster_net::identity::peer_id(&key).expect("a peer");
        let _ = parse_address(text, &peer);
    }
}

fn own_record() -> OperatorClaims {
    OperatorClaims {
        operator_id: world().me,
        sequence: 1,
        addresses: vec!["/ip4/127.0.0.1/udp/7900/quic-v1".into()],
        versions: info::supported(),
        capabilities: vec!["relay".into()],
        sync: SyncState::Ready,
    }
}

/// A request, a record, a record of nobody and an address.
pub fn seeds() -> Vec<Vec<u8>> {
    let identity = &world().identities[&world().me];
    let unknown = OperatorClaims { operator_id: OperatorId(9), ..own_record() };
    vec![
        Announcement::Request(world().request.signed().clone()).encode().1,
        Announcement::Record(own_record().sign(identity)).encode().1,
        Announcement::Record(unknown.sign(identity)).encode().1,
        b"/ip4/127.0.0.1/udp/7900/quic-v1/p2p/16Uiu2HAmL5PGZQyHvm6X5FAKPqsjyfPqmPQyLmTbLzdHVkrYqBrL".to_vec(),
    ]
}
