//! Requests that an event of the chain makes.

use crate::double::{self, CONTRACTS};
use cluster_core::committee::OperatorId;
use cluster_core::{
    chain::{EventId, Hash32},
    network::Network,
    registry::{BootstrapEntry, GatewayEntry, OperatorEntry, Registry},
    request::{EventLookup, EventRequest, Origin, Request, RequestError, RequestRules, SignedRequest},
};

const NOW_S: u64 = 1_700_000_000;

/// A registry that knows operators 1 to 4, and perhaps one event.
struct Known {
    event: Option<(EventId, EventRequest)>,
    reads_chain: bool,
}

impl Registry for Known {
    fn operator(&self, id: OperatorId) -> Option<OperatorEntry> {
        (1..=4).contains(&id.0).then(|| OperatorEntry {
            id,
            name: id.to_string(),
            public_key: double::identity(id.0),
            owner: None,
            verified: false,
            from_dao: false,
            fee_gwei: None,
            addresses: vec![],
        })
    }
    fn operators(&self) -> Vec<OperatorEntry> {
        (1..=4).filter_map(|id| self.operator(OperatorId(id))).collect()
    }
    fn gateways(&self) -> Vec<GatewayEntry> {
        vec![]
    }
    fn bootstraps(&self) -> Vec<BootstrapEntry> {
        vec![]
    }
    fn event_request(&self, event: &EventId) -> EventLookup {
        match &self.event {
            Some((known, request)) if known == event => EventLookup::Found(Box::new(request.clone())),
            _ if self.reads_chain => EventLookup::Unknown,
            _ => EventLookup::NoChain,
        }
    }
}

fn event(log_index: u32) -> EventId {
    let (chain_id, contract) = (double::CHAIN, CONTRACTS.cluster_node);
    EventId { chain_id, contract, transaction_hash: Hash32([7; 32]), log_index }
}

fn request(event: &EventId) -> Request {
    Request {
        chain_id: double::CHAIN,
        owner: double::wallet(1).address(),
        cluster_pubkey: double::identity(100),
        operator_ids: [1, 2, 3, 4].map(OperatorId).to_vec(),
        validator_count: 2,
        withdrawal_address: Network::Hoodi.lido_withdrawal_vault(),
        amount_gwei: 32_000_000_000,
        nonce: event.nonce(),
        deadline: NOW_S + 3600,
        reshare: None,
    }
}

fn known() -> Known {
    let found = EventRequest { request: request(&event(0)), block_number: 5 };
    Known { event: Some((event(0), found)), reads_chain: true }
}

#[test]
fn a_request_is_its_events_whatever_the_block() {
    let rules = RequestRules::new(Network::Hoodi);
    let signed = SignedRequest::by_event(request(&event(0)), event(0));
    let checked = signed.check(&rules, &known(), NOW_S).unwrap();
    assert_eq!(checked.ceremony_id(), signed.ceremony_id());
    // Seen in another block by another operator: the same ceremony, and here the deadline of the own chain counts.
    let mut elsewhere = signed.clone();
    elsewhere.request.deadline += 24;
    assert_eq!(elsewhere.ceremony_id(), signed.ceremony_id());
    assert_eq!(elsewhere.essence(), signed.essence());
    assert_eq!(elsewhere.check(&rules, &known(), NOW_S).unwrap().request().deadline, NOW_S + 3600);
    let late = elsewhere.check(&rules, &known(), NOW_S + 3601);
    assert_eq!(late.unwrap_err(), RequestError::Expired { deadline: NOW_S + 3600, now_s: NOW_S + 3601 });
    assert!(elsewhere.check_ignoring_deadline(&rules, &known()).is_ok());
    // Another log of the same transaction is another ceremony.
    assert_ne!(SignedRequest::by_event(request(&event(1)), event(1)).ceremony_id(), signed.ceremony_id());
}

#[test]
fn nobody_starts_a_ceremony_with_an_invented_event() {
    let rules = RequestRules::new(Network::Hoodi);
    let check =
        |signed: &SignedRequest, registry: &Known| signed.check(&rules, registry, NOW_S).map(|_| ()).unwrap_err();
    let invented = SignedRequest::by_event(request(&event(3)), event(3));
    assert!(matches!(check(&invented, &known()), RequestError::UnknownEvent { .. }));
    let blind = Known { event: None, reads_chain: false };
    assert!(matches!(check(&invented, &blind), RequestError::NoChain { .. }));
    let changes: [fn(&mut Request); 6] = [
        |r| r.owner.0[0] ^= 1,
        |r| r.cluster_pubkey = double::identity(101),
        |r| r.validator_count += 1,
        |r| r.withdrawal_address.0[19] ^= 1,
        |r| r.nonce += 1,
        |r| drop(r.operator_ids.splice(.., [1, 2, 3, 9].map(OperatorId))),
    ];
    for (at, change) in changes.iter().enumerate() {
        let mut forged = SignedRequest::by_event(request(&event(0)), event(0));
        change(&mut forged.request);
        let error = check(&forged, &known());
        assert!(matches!(error, RequestError::EventMismatch { .. }), "change {at}: {error:?}");
        assert_eq!(error.field(), "event");
        assert!(forged.check_ignoring_deadline(&rules, &known()).is_err(), "change {at}");
    }
    let elsewhere = EventId { chain_id: 1, ..event(0) };
    let other_chain = SignedRequest::by_event(request(&event(0)), elsewhere);
    assert_eq!(check(&other_chain, &known()), RequestError::EventOnOtherChain { expected: double::CHAIN, found: 1 });
}

#[test]
fn the_json_has_a_signature_or_an_event() {
    let by_event = SignedRequest::by_event(request(&event(0)), event(0));
    let wallet = double::wallet(1);
    let by_signature =
        SignedRequest::by_signature(by_event.request.clone(), wallet.sign_digest(&by_event.request.digest()));
    for signed in [&by_event, &by_signature] {
        let text = serde_json::to_value(signed).unwrap();
        assert_eq!(text.as_object().unwrap().len(), 2);
        assert_eq!(&serde_json::from_value::<SignedRequest>(text).unwrap(), signed);
    }
    let mut both = serde_json::to_value(&by_event).unwrap();
    both["signature"] = serde_json::to_value(by_signature.origin.signature()).unwrap();
    let error = serde_json::from_value::<SignedRequest>(both).unwrap_err();
    assert!(error.to_string().contains("both"), "{error}");
    let neither = serde_json::json!({ "request": by_event.request });
    let error = serde_json::from_value::<SignedRequest>(neither).unwrap_err();
    assert!(error.to_string().contains("signature"), "{error}");
    assert!(matches!(by_event.origin, Origin::Event(_)));
}
