//! Every decoder of this crate is fed garbage and mutated genuine bytes: it answers, and never panics.

use crate::dealer::{World, NOW_S};
use cluster_core::{
    certificate::{Certificate, Contribution, MAX_CONTRIBUTION_BYTES},
    encoding::{decode, encode, DecodeError},
    network::Network,
    registry::FileRegistry,
    request::{RequestRules, SignedRequest},
};
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::sync::OnceLock;

fn genuine() -> &'static (World, Contribution, Certificate) {
    static GENUINE: OnceLock<(World, Contribution, Certificate)> = OnceLock::new();
    GENUINE.get_or_init(|| {
        let mut world = World::new(Network::Hoodi, 4, 800);
        let certificate = world.certificate(4, 2);
        let attestation = certificate.attestations[0].clone();
        let contribution = Contribution { transcript: certificate.transcript.clone(), attestation };
        (world, contribution, certificate)
    })
}

/// Decodes as everything, and verifies whatever decodes.
fn feed(bytes: &[u8]) {
    let (world, ..) = genuine();
    let rng = &mut ChaCha20Rng::seed_from_u64(0);
    let rules = RequestRules::new(Network::Hoodi);
    if let Ok(request) = decode::<SignedRequest>(bytes, 4096) {
        let _ = request.check(&rules, &world.registry, NOW_S);
    }
    if let Ok(contribution) = decode::<Contribution>(bytes, MAX_CONTRIBUTION_BYTES) {
        let _ = contribution.verify(Some(&world.registry), rng);
    }
    if let Ok(certificate) = decode::<Certificate>(bytes, MAX_CONTRIBUTION_BYTES) {
        let _ = certificate.verify(None, rng);
        let _ = certificate.deposit_data();
    }
    let text = String::from_utf8_lossy(bytes);
    let _ = FileRegistry::parse(&text);
    if let Ok(certificate) = Certificate::from_json(&text) {
        let _ = certificate.verify(None, rng);
    }
    let _ = serde_json::from_str::<SignedRequest>(&text);
}

/// A few bytes changed, and the end cut off or extended.
fn mutate(
    mut bytes: Vec<u8>,
    changes: &[(prop::sample::Index, u8)],
    cut: Option<prop::sample::Index>,
    tail: &[u8],
) -> Vec<u8> {
    for (at, value) in changes {
        let at = at.index(bytes.len());
        bytes[at] = *value;
    }
    if let Some(cut) = cut {
        bytes.truncate(cut.index(bytes.len()));
    }
    bytes.extend_from_slice(tail);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
        feed(&bytes);
    }

    #[test]
    fn mutated_genuine_bytes_never_panic(
        which in 0..5usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
        tail in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        let (_, contribution, certificate) = genuine();
        let bytes = match which {
            0 => encode(contribution),
            1 => encode(certificate),
            2 => encode(&contribution.transcript.request),
            3 => serde_json::to_vec(certificate).unwrap(),
            _ => serde_json::to_vec(&contribution.transcript.request).unwrap(),
        };
        feed(&mutate(bytes, &changes, cut, &tail));
    }
}

#[test]
fn a_declared_length_without_bytes_allocates_nothing_and_is_refused() {
    // A Vec of 2^63 operator ids, as the first field of a type that starts with one.
    let bytes = [(1u64 << 63).to_le_bytes().as_slice(), &[1, 2, 3]].concat();
    assert!(matches!(decode::<Vec<u32>>(&bytes, 64), Err(DecodeError::Malformed(_))));
    assert!(matches!(decode::<Vec<[u8; 32]>>(&bytes, 64), Err(DecodeError::Malformed(_))));
    assert!(matches!(decode::<String>(&bytes, 64), Err(DecodeError::Malformed(_))));
}

#[test]
fn the_limit_is_exact_and_trailing_bytes_are_refused() {
    let (_, contribution, _) = genuine();
    let bytes = encode(contribution);
    assert_eq!(decode::<Contribution>(&bytes, bytes.len()).as_ref(), Ok(contribution));
    let error = decode::<Contribution>(&bytes, bytes.len() - 1).unwrap_err();
    assert_eq!(error, DecodeError::TooLong { len: bytes.len(), limit: bytes.len() - 1 });
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(matches!(decode::<Contribution>(&longer, longer.len()), Err(DecodeError::Malformed(_))));
    assert!(matches!(decode::<Contribution>(&bytes[..bytes.len() - 1], bytes.len()), Err(DecodeError::Malformed(_))));
}
