use crate::{
    dealer::World,
    tamper::{self, related},
    vectors,
};
use cluster_core::{
    certificate::{Certificate, CertificateError, Problem, Readiness, MAX_CERTIFICATE_BYTES, MAX_CONTRIBUTION_BYTES},
    committee::OperatorId,
    encoding,
    network::Network,
    registry::Registry,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::Value;

fn check(document: &Value, registry: Option<&dyn Registry>) -> Result<Certificate, CertificateError> {
    let certificate = Certificate::from_json(&document.to_string())?;
    certificate.verify(registry, &mut ChaCha20Rng::seed_from_u64(9))?;
    Ok(certificate)
}

#[test]
fn genuine_certificates_verify_for_every_size_and_network_and_survive_json_and_bincode() {
    for network in Network::ALL {
        for n in [4, 7, 10, 13] {
            let mut world = World::new(network, n, n as u64);
            let certificate = world.certificate(n, 2);
            let verified = certificate.verify(Some(&world.registry), &mut world.rng).unwrap();
            assert_eq!(verified.readiness, Readiness::Ready);
            assert_eq!(verified.network, network);
            assert_eq!(verified.ceremony_id, certificate.ceremony_id);
            assert_eq!(verified.committee.threshold().n(), n);
            let json = serde_json::to_string(&certificate).unwrap();
            assert_eq!(Certificate::from_json(&json).unwrap(), certificate);
            let bytes = encoding::encode(&certificate);
            assert_eq!(encoding::decode::<Certificate>(&bytes, MAX_CERTIFICATE_BYTES).unwrap(), certificate);
            for entry in certificate.deposit_data() {
                assert_eq!(entry.verify(network, network.lido_withdrawal_vault()), Ok(()));
            }
        }
    }
}

#[test]
fn every_change_of_a_certificate_is_refused_with_an_error_that_names_the_place() {
    for (network, n) in [(Network::Hoodi, 4), (Network::Mainnet, 7), (Network::Hoodi, 10), (Network::Mainnet, 13)] {
        let mut world = World::new(network, n, 100 + n as u64);
        let document = serde_json::to_value(world.certificate(n, 2)).unwrap();
        check(&document, Some(&world.registry)).unwrap();
        let mut refused = 0;
        for change in tamper::all(&document) {
            let place = format!("n = {n}, {} ({})", change.path, change.how);
            match check(&change.document, Some(&world.registry)) {
                Err(error) => {
                    assert!(related(&error.field, &change.path), "{place}: {error}");
                    // Only the document itself may be named as a whole.
                    assert!(error.field != "." || change.path.is_empty(), "{place}: {error}");
                    refused += 1;
                }
                // A receipt less is not a lie: the certificate says itself that it is incomplete.
                Ok(certificate) => {
                    assert!(change.path == "attestations" && change.how.ends_with("removed"), "{place} was accepted");
                    assert!(matches!(certificate.readiness(), Readiness::Incomplete { .. }), "{place}");
                }
            }
        }
        assert!(refused > 300, "{refused}");
    }
}

/// Where a single changed value can be told from the rest, the error names exactly it.
#[test]
fn well_formed_lies_are_located_exactly() {
    let mut world = World::new(Network::Hoodi, 7, 42);
    let other = serde_json::to_value(world.certificate(7, 2)).unwrap();
    let genuine = serde_json::to_value(world.certificate(7, 2)).unwrap();
    let cases = [
        ("/version", "version"),
        ("/transcript/committee/2/public_key", "transcript.committee[2].public_key"),
        ("/transcript/validators/0/pubkey", "transcript.validators[0].pubkey"),
        ("/transcript/validators/1/share_pubkeys/4", "transcript.validators[1].share_pubkeys[4]"),
        ("/transcript/validators/1/deposit_signature", "transcript.validators[1].deposit_signature"),
        ("/transcript/validators/1/deposit_data_root", "transcript.validators[1].deposit_data_root"),
        ("/attestations/3/signature", "attestations[3]"),
        ("/attestations/3/envelopes/0", "attestations[3]"),
        ("/transcript/qualified/1/dealing_digest", "transcript"),
        ("/transcript/request/request/nonce", "transcript.request.request"),
        ("/transcript/request/request/amount_gwei", "transcript.request.request.amount_gwei"),
        ("/ceremony_id", "ceremony_id"),
        ("/transcript/request/signature", "transcript.request.signature"),
    ];
    for (pointer, field) in cases {
        let mut document = genuine.clone();
        let value = document.pointer_mut(pointer).unwrap();
        *value = match (value.as_u64(), pointer) {
            (Some(number), _) => (number + 1).into(),
            (None, "/ceremony_id") => format!("0x{}", "ab".repeat(32)).into(),
            (None, "/transcript/request/signature") => vectors::read("eip712-request.json")[0]["signature"].clone(),
            (None, "/transcript/qualified/1/dealing_digest") => format!("0x{}", "ab".repeat(32)).into(),
            // The key of another operator, or the value of another ceremony of the same operators.
            (None, path) if path.contains("committee") => genuine["transcript"]["committee"][3]["public_key"].clone(),
            (None, path) => other.pointer(path).unwrap().clone(),
        };
        let error = check(&document, Some(&world.registry)).expect_err(pointer);
        assert_eq!(error.field, field, "{pointer}: {error}");
    }
}

#[test]
fn t_receipts_suffice_and_one_less_does_not() {
    for n in [4, 7, 10, 13] {
        let mut world = World::new(Network::Hoodi, n, 200 + n as u64);
        let full = world.certificate(n, 1);
        let t = 2 * (n - 1) / 3 + 1;
        for keep in 0..=n {
            let mut certificate = full.clone();
            certificate.attestations.truncate(keep);
            let result = certificate.verify(Some(&world.registry), &mut world.rng);
            if keep < t {
                assert_eq!(result.unwrap_err().field, "attestations");
                continue;
            }
            let missing: Vec<OperatorId> = (keep + 1..=n).map(|at| OperatorId(3 * at as u32)).collect();
            let expected = if keep == n { Readiness::Ready } else { Readiness::Incomplete { missing } };
            assert_eq!(result.unwrap().readiness, expected);
        }
    }
}

#[test]
fn merging_takes_each_member_once_and_refuses_others() {
    let mut world = World::new(Network::Hoodi, 5, 300);
    let contributions = world.contributions(4, 2);
    let foreign = world.contributions(4, 2);
    for contribution in &contributions {
        let verified = contribution.verify(Some(&world.registry), &mut world.rng).unwrap();
        assert!(matches!(verified.readiness, Readiness::Incomplete { missing } if missing.len() == 3));
    }
    let mut certificate = Certificate::from_contribution(contributions[2].clone());
    for at in [3, 0, 1] {
        assert_eq!(certificate.merge(contributions[at].attestation.clone()), Ok(true));
        assert_eq!(certificate.merge(contributions[at].attestation.clone()), Ok(false), "a repetition changes nothing");
    }
    assert_eq!(certificate.readiness(), Readiness::Ready);
    certificate.verify(Some(&world.registry), &mut world.rng).unwrap();

    let mut certificate = Certificate::from_contribution(contributions[0].clone());
    let error = certificate.merge(foreign[1].attestation.clone()).unwrap_err();
    assert!(matches!(error.problem, Problem::Receipt { operator_id: 6 }), "a receipt for another transcript: {error}");
    let mut stranger = contributions[1].attestation.clone();
    stranger.operator_id = OperatorId(15);
    assert_eq!(certificate.merge(stranger).unwrap_err().problem, Problem::NotAMember);
    let mut impersonated = contributions[1].attestation.clone();
    impersonated.operator_id = OperatorId(9);
    assert!(matches!(certificate.merge(impersonated).unwrap_err().problem, Problem::Receipt { operator_id: 9 }));
    let mut short = contributions[1].attestation.clone();
    short.envelopes.pop();
    assert_eq!(certificate.merge(short).unwrap_err().field, "attestation.envelopes");
    assert_eq!(certificate.attestations.len(), 1);
}

#[test]
fn only_the_registry_tells_a_certificate_of_strangers_from_a_genuine_one() {
    let mut strangers = World::new(Network::Hoodi, 4, 400);
    let genuine = World::new(Network::Hoodi, 4, 401);
    let certificate = strangers.certificate(4, 1);
    certificate.verify(None, &mut strangers.rng).unwrap();
    let error = certificate.verify(Some(&genuine.registry), &mut strangers.rng).unwrap_err();
    assert_eq!(error.field, "transcript.committee[0].public_key");
}

/// Two signatures of an owner under one request are one ceremony: receipts do not depend on which one was seen.
#[test]
fn the_transcript_digest_leaves_the_owners_signature_out() {
    let mut world = World::new(Network::Hoodi, 4, 500);
    let mut transcript = world.certificate(4, 1).transcript;
    let digest = transcript.digest();
    let other = cluster_crypto::ethereum::WalletKey::generate(&mut world.rng).sign_digest(&[1; 32]);
    transcript.request.origin = cluster_core::request::Origin::Signature(other);
    assert_eq!(transcript.digest(), digest);
    transcript.qualified[0].1[0] ^= 1;
    assert_ne!(transcript.digest(), digest);
}

#[test]
fn a_thousand_validators_of_thirteen_operators_fit_the_limits_and_one_bad_one_is_named() {
    let mut world = World::new(Network::Mainnet, 13, 600);
    let contributions = world.contributions(13, 1000);
    assert!(encoding::encode(&contributions[0]).len() <= MAX_CONTRIBUTION_BYTES);
    let mut certificate = Certificate::from_contribution(contributions[0].clone());
    for contribution in &contributions[1..] {
        certificate.merge(contribution.attestation.clone()).unwrap();
    }
    assert!(serde_json::to_string_pretty(&certificate).unwrap().len() <= MAX_CERTIFICATE_BYTES);
    certificate.verify(Some(&world.registry), &mut world.rng).unwrap();
    let validators = &mut certificate.transcript.validators;
    let stolen = validators[1].deposit_signature;
    validators[998].deposit_signature = stolen;
    let request = certificate.transcript.request.request.clone();
    let validator = &mut certificate.transcript.validators[998];
    let message =
        cluster_core::deposit::DepositMessage::new(&validator.pubkey, request.withdrawal_address, request.amount_gwei);
    validator.deposit_data_root = message.with_signature(&stolen).root();
    let error = certificate.verify(Some(&world.registry), &mut world.rng).unwrap_err();
    assert_eq!(error.field, "transcript.validators[998].deposit_signature");
}
