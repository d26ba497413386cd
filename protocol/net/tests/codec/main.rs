//! Frames and decoders against everything that a peer can send.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod frames;

use cluster_core::beacon::Slot;
use cluster_core::ceremony::CeremonyId;
use cluster_core::committee::OperatorId;
use cluster_core::dkg::{CulpritKind, Step};
use cluster_core::duty::{CommitteeId, InstanceId, InstanceKind, SigningId, SigningKind};
use cluster_core::encoding;
use cluster_core::request::{Origin, Request, SignedRequest};
use cluster_crypto::ethereum::{Address, RecoverableSignature};
use cluster_crypto::identity::SecretKey;
use cluster_net::codec::{self, Encoded, FrameError, Wire};
use cluster_net::discovery::{self, Announcement, OperatorClaims, OperatorRecord, SyncState};
use cluster_net::info::{Info, Role, VersionRange};
use cluster_net::presence::{self, Session, Sighting};
use cluster_net::upkeep::{Exit, Registration, Relay, Upkeep, ValidatorUpkeep};
use cluster_net::{consensus, dkg, info, limits, performance, publish, signing};
use proptest::prelude::*;

use frames::read;

fn secret() -> SecretKey {
    SecretKey::from_bytes(&[3; 32]).unwrap()
}

fn signed_request() -> SignedRequest {
    SignedRequest {
        request: Request {
            chain_id: 560_048,
            owner: Address([1; 20]),
            cluster_pubkey: secret().public_key(),
            operator_ids: (1..=13).map(OperatorId).collect(),
            validator_count: 1_000,
            withdrawal_address: Address([2; 20]),
            amount_gwei: 32_000_000_000,
            nonce: 1,
            deadline: 2,
            reshare: None,
        },
        origin: Origin::Signature(RecoverableSignature::from_bytes(&[27; 65]).unwrap()),
    }
}

fn record() -> OperatorRecord {
    OperatorClaims {
        operator_id: OperatorId(1),
        sequence: 5,
        addresses: vec!["/ip4/1.2.3.4/tcp/1".into()],
        // Spelled out, so that the digest stays when this release learns another protocol.
        versions: ["dkg", "publish", "info"].map(|protocol| VersionRange::new(protocol, 1, 1)).into(),
        capabilities: vec!["dkg".into()],
        sync: SyncState::Ready,
    }
    .sign(&secret())
}

fn own_info() -> Info {
    Info {
        operator_id: Some(OperatorId(1)),
        role: Role::Operator,
        chain_id: 1,
        version: "0.1.0".into(),
        protocols: info::supported(),
        capabilities: vec!["dkg".into()],
        clock_ms: 7,
        open_ceremonies: 2,
        addresses: vec!["/ip4/1.2.3.4/tcp/1".into()],
    }
}

fn progress(culprits: usize, reason: usize) -> publish::Request {
    let culprit = publish::CulpritName { operator_id: OperatorId(1), kind: CulpritKind::Silent };
    publish::Request::Progress(publish::Progress {
        ceremony_id: CeremonyId([1; 32]),
        step: Step::Deal,
        at_ms: 1,
        culprits: vec![culprit; culprits],
        aborted: Some("x".repeat(reason)),
    })
}

fn vote(bytes: usize) -> consensus::Request {
    let instance = InstanceId { committee: CommitteeId([9; 32]), slot: Slot(7), kind: InstanceKind::Aggregation };
    consensus::Request::Deliver { instance, message: vec![1; bytes].into() }
}

fn partials(bytes: usize) -> signing::Request {
    let id = SigningId::new(CommitteeId([9; 32]), SigningKind::SyncMessage, Slot(7)).with_view(&[8; 32]);
    signing::Request::Deliver { id, message: vec![1; bytes].into() }
}

/// A page with this many of everything, all kinds and reasons at their limits unless told otherwise.
fn page(reports: usize, validators: usize, kinds: usize, misses: usize, committee: u32) -> performance::Response {
    let reasons = performance::Reason::ALL.iter().map(|reason| (*reason, 1));
    let duty = |kind: &SigningKind| performance::KindReport {
        kind: *kind,
        expected: 4,
        submitted: 0,
        misses: reasons.clone().take(misses).collect(),
    };
    let all = performance::KINDS.iter().cycle().take(kinds);
    let validator = performance::ValidatorReport { pubkey: [7; 48], duties: all.map(duty).collect() };
    let empty = performance::Report {
        epoch: 5,
        start_ms: 6,
        committee: (0..committee).map(OperatorId).collect(),
        exchanges: 1,
        seen: vec![1; committee as usize],
        validators: Vec::new(),
    };
    let mut reports = vec![empty; reports];
    if let Some(first) = reports.first_mut() {
        first.validators = vec![validator; validators];
    }
    performance::Response::Page(performance::Page { reports, next: 6 })
}

#[test]
fn pages_of_performance_are_bounded_and_the_largest_fits_its_frame() {
    use limits::{PERFORMANCE_KINDS as KINDS, PERFORMANCE_MISSES as MISSES};
    let (reports, validators) = (limits::PERFORMANCE_REPORTS, limits::PERFORMANCE_VALIDATORS);
    let read = |page: &performance::Response| {
        codec::decode::<performance::Response>(&encoding::encode(page), limits::PERFORMANCE_RESPONSE_BYTES)
    };
    let largest = page(reports, validators, KINDS, MISSES, 13);
    assert_eq!(read(&largest).unwrap(), largest);
    for above in [
        page(reports + 1, 0, 0, 0, 4),
        page(1, validators + 1, 0, 0, 4),
        page(1, 1, KINDS + 1, 0, 4),
        page(1, 1, 1, MISSES + 1, 4),
        page(1, 1, 1, 1, 14),
    ] {
        assert!(matches!(read(&above), Err(FrameError::Excess(_))), "{:?}", read(&above));
    }
}

/// Answers about this many validators, each as long as it can be.
fn upkeep(validators: usize) -> performance::Response {
    let held = Registration { epoch: u64::MAX, fee_recipient: Address([0xab; 20]), gas_limit: u64::MAX };
    let validator = ValidatorUpkeep { pubkey: [7; 48], relay: Relay::NotTaken(held), exit: Exit::Published };
    performance::Response::Upkeep(Upkeep { revision: 1, validators: vec![validator; validators] })
}

#[test]
fn answers_about_upkeep_are_bounded_and_the_largest_fits_its_frame() {
    let read = |answer: &performance::Response| {
        codec::decode::<performance::Response>(&encoding::encode(answer), limits::PERFORMANCE_RESPONSE_BYTES)
    };
    let largest = upkeep(limits::UPKEEP_VALIDATORS);
    assert_eq!(read(&largest).unwrap(), largest);
    assert!(encoding::encode(&largest).len() <= 16 + 96 * limits::UPKEEP_VALIDATORS);
    assert!(matches!(read(&upkeep(limits::UPKEEP_VALIDATORS + 1)), Err(FrameError::Excess(_))));
}

fn sighting() -> Sighting {
    Sighting::sign(560_048, &secret(), Session([1; 16]), Session([2; 16]))
}

fn here(sightings: usize) -> presence::Request {
    presence::Request::Here { session: Session([1; 16]), sightings: vec![sighting(); sightings] }
}

fn others(sessions: usize, sightings: usize) -> presence::Response {
    presence::Response::Others { sessions: vec![Session([3; 16]); sessions], sightings: vec![sighting(); sightings] }
}

#[test]
fn what_is_said_of_sessions_is_bounded_and_the_largest_fits_its_frame() {
    let ask = |request: &presence::Request| {
        codec::decode::<presence::Request>(&encoding::encode(request), limits::PRESENCE_REQUEST_BYTES)
    };
    let answer = |response: &presence::Response| {
        codec::decode::<presence::Response>(&encoding::encode(response), limits::PRESENCE_RESPONSE_BYTES)
    };
    let most = limits::PRESENCE_SESSIONS;
    assert_eq!(ask(&here(limits::PRESENCE_SIGHTINGS)).unwrap(), here(limits::PRESENCE_SIGHTINGS));
    assert_eq!(answer(&others(most, most)).unwrap(), others(most, most));
    assert!(matches!(ask(&here(limits::PRESENCE_SIGHTINGS + 1)), Err(FrameError::Excess(_))));
    for above in [others(most + 1, 0), others(0, most + 1)] {
        assert!(matches!(answer(&above), Err(FrameError::Excess(_))), "{above:?}");
    }
}

/// One encoding of every message of every decoder.
fn samples() -> Vec<Vec<u8>> {
    let ceremony_id = CeremonyId([9; 32]);
    vec![
        encoding::encode(&dkg::Request::Open),
        encoding::encode(&dkg::Request::Deliver {
            ceremony_id,
            request: Some(signed_request()),
            message: vec![1, 2, 3].into(),
        }),
        encoding::encode(&dkg::Response::Ceremonies(vec![signed_request(); 3])),
        encoding::encode(&dkg::Response::refused("no")),
        encoding::encode(&progress(2, 5)),
        encoding::encode(&publish::Request::Submit(signed_request())),
        encoding::encode(&publish::Response::refused("nonce", "used")),
        encoding::encode(&publish::Response::Contribution(None)),
        encoding::encode(&info::Request::Info),
        encoding::encode(&own_info()),
        encoding::encode(&signed_request()),
        encoding::encode(&record()),
        encoding::encode(&vote(3)),
        encoding::encode(&consensus::Response::refused("no")),
        encoding::encode(&partials(3)),
        encoding::encode(&signing::Response::refused("no")),
        encoding::encode(&performance::Request::Since { epoch: 3 }),
        encoding::encode(&page(2, 2, 2, 2, 4)),
        encoding::encode(&performance::Request::Upkeep { known: Some(4) }),
        encoding::encode(&upkeep(2)),
        encoding::encode(&here(2)),
        encoding::encode(&others(3, 2)),
    ]
}

/// Feeds one payload to every decoder of this crate. What is accepted must be canonical.
fn feed(payload: &[u8]) {
    fn one<M: Wire>(payload: &[u8], limit: usize) {
        if let Ok(message) = codec::decode::<M>(payload, limit) {
            assert_eq!(encoding::encode(&message), payload, "two encodings of {message:?}");
        }
    }
    one::<dkg::Request>(payload, limits::DKG_REQUEST_BYTES);
    one::<dkg::Response>(payload, limits::DKG_RESPONSE_BYTES);
    one::<publish::Request>(payload, limits::PUBLISH_BYTES);
    one::<publish::Response>(payload, limits::PUBLISH_BYTES);
    one::<info::Request>(payload, limits::INFO_REQUEST_BYTES);
    one::<Info>(payload, limits::INFO_RESPONSE_BYTES);
    one::<consensus::Request>(payload, limits::CONSENSUS_REQUEST_BYTES);
    one::<consensus::Response>(payload, limits::DUTY_RESPONSE_BYTES);
    one::<signing::Request>(payload, limits::SIGNING_REQUEST_BYTES);
    one::<signing::Response>(payload, limits::DUTY_RESPONSE_BYTES);
    one::<performance::Request>(payload, limits::PERFORMANCE_REQUEST_BYTES);
    one::<performance::Response>(payload, limits::PERFORMANCE_RESPONSE_BYTES);
    one::<presence::Request>(payload, limits::PRESENCE_REQUEST_BYTES);
    one::<presence::Response>(payload, limits::PRESENCE_RESPONSE_BYTES);
    for topic in [discovery::requests_topic(), discovery::records_topic()] {
        if let Ok(announcement) = Announcement::decode(&topic.hash(), payload) {
            assert_eq!(announcement.encode().1, payload);
        }
    }
    let _ = read(payload, limits::INFO_RESPONSE_BYTES);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn garbage_is_refused_without_a_panic(payload in proptest::collection::vec(any::<u8>(), 0..600)) {
        feed(&payload);
    }

    #[test]
    fn damaged_messages_are_refused_without_a_panic(
        sample in 0usize..20, at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>(),
        extra in proptest::collection::vec(any::<u8>(), 0..4),
    ) {
        let mut payload = samples()[sample].clone();
        let length = payload.len();
        payload[at.index(length)] = byte;
        feed(&payload);
        feed(&payload[..cut.index(length)]);
        payload.extend(&extra);
        feed(&payload);
    }
}

#[test]
fn bytes_behind_a_message_and_unknown_variants_are_refused() {
    for sample in samples() {
        let mut longer = sample.clone();
        longer.push(0);
        assert!(codec::decode::<dkg::Request>(&longer, 1000).is_err());
        assert!(codec::decode::<publish::Response>(&longer, 1000).is_err());
        feed(&longer);
    }
    for variant in [2u32, 5, u32::MAX] {
        assert!(codec::decode::<dkg::Request>(&variant.to_le_bytes(), 1000).is_err());
    }
}

#[test]
fn lists_and_texts_have_their_limit_and_no_more() {
    fn passes<M: Wire>(message: &M) -> bool {
        match codec::decode::<M>(&encoding::encode(message), limits::DKG_REQUEST_BYTES) {
            Ok(_) => true,
            Err(FrameError::Excess(_)) => false,
            Err(other) => panic!("{other}"),
        }
    }
    let ceremonies = |count| dkg::Response::Ceremonies(vec![signed_request(); count]);
    let reason = |length| dkg::Response::Refused { reason: "x".repeat(length) };
    let refusal = |field, reason| publish::Response::Refused { field: "f".repeat(field), reason: "r".repeat(reason) };
    let addresses = |count, length| Info { addresses: vec!["a".repeat(length); count], ..own_info() };
    let ranges = |count| Info { protocols: vec![VersionRange::new("dkg", 1, 1); count], ..own_info() };
    let names = |count, length| Info { capabilities: vec!["c".repeat(length); count], ..own_info() };
    let voted = |length| consensus::Response::Refused { reason: "x".repeat(length) };
    let signed = |length| signing::Response::Refused { reason: "x".repeat(length) };
    let table = [
        ("open ceremonies", passes(&ceremonies(64)), passes(&ceremonies(65))),
        ("reason", passes(&reason(256)), passes(&reason(257))),
        ("field", passes(&refusal(64, 1)), passes(&refusal(65, 1))),
        ("refusal", passes(&refusal(1, 256)), passes(&refusal(1, 257))),
        ("culprits", passes(&progress(13, 1)), passes(&progress(14, 1))),
        ("abort", passes(&progress(1, 256)), passes(&progress(1, 257))),
        ("vote refused", passes(&voted(256)), passes(&voted(257))),
        ("partials refused", passes(&signed(256)), passes(&signed(257))),
        ("addresses", passes(&addresses(16, 1)), passes(&addresses(17, 1))),
        ("address", passes(&addresses(1, 320)), passes(&addresses(1, 321))),
        ("protocols", passes(&ranges(16)), passes(&ranges(17))),
        ("capabilities", passes(&names(32, 1)), passes(&names(33, 1))),
        ("capability", passes(&names(1, 64)), passes(&names(1, 65))),
    ];
    for (what, at_limit, above) in table {
        assert!(at_limit && !above, "{what}: {at_limit} {above}");
    }
    // The largest answers fit into their frames.
    let largest = Info {
        addresses: vec!["a".repeat(320); 16],
        capabilities: vec!["c".repeat(64); 32],
        protocols: vec![VersionRange::new("p".repeat(64), 1, 1); 16],
        ..own_info()
    };
    assert!(encoding::encode(&largest).len() <= limits::INFO_RESPONSE_BYTES);
    assert!(encoding::encode(&ceremonies(64)).len() <= limits::DKG_RESPONSE_BYTES);
}

#[test]
fn a_message_goes_where_its_size_belongs() {
    let envelope = encoding::encode(&vote(0)).len();
    let largest = limits::CONSENSUS_REQUEST_BYTES - envelope;
    assert!(!vote(largest).is_value() && vote(largest + 1).is_value());
    assert_eq!(encoding::encode(&vote(largest)).len(), limits::CONSENSUS_REQUEST_BYTES);
    let decodes = |request: &consensus::Request, limit| {
        codec::decode::<consensus::Request>(&encoding::encode(request), limit).is_ok()
    };
    assert!(decodes(&vote(largest), limits::CONSENSUS_REQUEST_BYTES));
    assert!(!decodes(&vote(largest + 1), limits::CONSENSUS_REQUEST_BYTES));
    // A value of 8 MiB and the votes of 13 operators, twice.
    assert!(decodes(&vote(8 * 1024 * 1024 + 26 * 1024), limits::CONSENSUS_VALUE_BYTES));
    assert!(!decodes(&vote(limits::CONSENSUS_VALUE_BYTES), limits::CONSENSUS_VALUE_BYTES));
}

#[test]
fn a_refusal_is_cut_at_a_character() {
    let dkg::Response::Refused { reason } = dkg::Response::refused("é".repeat(200)) else { panic!() };
    assert_eq!(reason.len(), limits::REASON_BYTES);
    let odd = format!("x{}", "é".repeat(200));
    let dkg::Response::Refused { reason } = dkg::Response::refused(odd) else { panic!() };
    assert_eq!(reason.len(), limits::REASON_BYTES - 1);
}

/// The wire is frozen: a change of these bytes is a new protocol version, not a new expectation.
#[test]
fn wire_bytes_are_frozen() {
    let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(hex(encoding::encode(&dkg::Request::Open)), "01000000");
    let deliver =
        dkg::Request::Deliver { ceremony_id: CeremonyId([9; 32]), request: None, message: vec![1, 2, 3].into() };
    let expected = format!("00000000{}00{}{}", "09".repeat(32), "0300000000000000", "010203");
    assert_eq!(hex(encoding::encode(&deliver)), expected);
    assert_eq!(hex(encoding::encode(&dkg::Response::UnknownCeremony)), "01000000");
    assert_eq!(hex(encoding::encode(&dkg::Response::Busy)), "04000000");
    assert_eq!(hex(encoding::encode(&publish::Response::Contribution(None))), "0200000000");
    assert_eq!(hex(encoding::encode(&info::Request::Info)), "00000000");
    let delivered = |kind| format!("00000000{}{}{}", "09".repeat(32), kind, "0300000000000000010101");
    assert_eq!(hex(encoding::encode(&vote(3))), delivered("070000000000000001000000"));
    assert_eq!(hex(encoding::encode(&partials(3))), delivered("01000000070000000000000008080808"));
    assert_eq!(hex(encoding::encode(&consensus::Response::Busy)), "02000000");
    assert_eq!(hex(encoding::encode(&signing::Response::Busy)), "02000000");
    let digest = record().claims.digest();
    assert_eq!(hex(digest.to_vec()), RECORD_DIGEST);
}

/// What operator 1 signs in [`record`].
const RECORD_DIGEST: &str = "59070057706f4beba00b635d892701637ec549b3fd7b59060306d6ca6d1eceb7";

#[test]
fn an_encoded_value_is_decoded_by_its_receiver() {
    let encoded = Encoded::new(&own_info());
    let wire = encoding::encode(&encoded);
    let received: Encoded<Info> = encoding::decode(&wire, 10_000).unwrap();
    assert_eq!(received.decode().unwrap(), own_info());
    let garbage: Encoded<Info> = encoding::decode(&framed_long(&[1, 2, 3]), 10_000).unwrap();
    assert!(garbage.decode().is_err(), "garbage arrives, and is refused where it is used");
}

fn framed_long(payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(payload);
    bytes
}
