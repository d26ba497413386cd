use crate::{
    dealer::World,
    tamper::{self, related},
};
use cluster_core::{
    certificate::Readiness,
    directory::{verify_directory_files, DirectoryError, Report},
    network::Network,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::Value;

const FILE: &str = "deposit_data-1.json";

fn verify(world: &World, certificate: &str, files: &[(&str, &str)]) -> Result<Report, DirectoryError> {
    verify_directory_files(certificate, files, Some(&world.registry), &mut ChaCha20Rng::seed_from_u64(1))
}

#[test]
fn a_genuine_directory_verifies_and_every_change_of_its_deposit_data_is_named() {
    for (network, n) in [(Network::Hoodi, 4), (Network::Mainnet, 13)] {
        let mut world = World::new(network, n, 700);
        let certificate = world.certificate(n, 3);
        let json = serde_json::to_string(&certificate).unwrap();
        let deposits = serde_json::to_value(certificate.deposit_data()).unwrap();
        let report = verify(&world, &json, &[(FILE, &deposits.to_string())]).unwrap();
        assert_eq!((report.validators, &report.readiness), (3, &Readiness::Ready));
        assert_eq!(report.withdrawal_address, network.lido_withdrawal_vault());
        for change in tamper::all(&deposits) {
            let place = format!("{FILE}{} ({})", change.path, change.how);
            let error = verify(&world, &json, &[(FILE, &change.document.to_string())]).expect_err(&place);
            match error.field().strip_prefix(FILE) {
                Some(field) => assert!(related(field, &change.path), "{place}: {error}"),
                None => {
                    assert!(matches!(error, DirectoryError::Count { .. }) && change.path.is_empty(), "{place}: {error}")
                }
            }
            let is_leaf = ["last digit", "middle digit", "shorter", "plus one"].contains(&change.how);
            assert!(!is_leaf || error.field() == format!("{FILE}{}", change.path), "{place}: {error}");
        }
    }
}

#[test]
fn a_changed_certificate_is_named_with_its_field() {
    let mut world = World::new(Network::Hoodi, 4, 701);
    let certificate = world.certificate(4, 1);
    let deposits = serde_json::to_string(&certificate.deposit_data()).unwrap();
    let mut document = serde_json::to_value(&certificate).unwrap();
    document["transcript"]["validators"][0]["deposit_data_root"] = Value::String(format!("0x{}", "00".repeat(32)));
    let error = verify(&world, &document.to_string(), &[(FILE, &deposits)]).unwrap_err();
    assert_eq!(error.field(), "certificate.json:transcript.validators[0].deposit_data_root");
    assert!(error.to_string().contains("expected 0x"), "{error}");
}

#[test]
fn each_validator_must_be_there_exactly_once() {
    let mut world = World::new(Network::Hoodi, 4, 702);
    let mut certificate = world.certificate(4, 2);
    let json = serde_json::to_string(&certificate).unwrap();
    let deposits = certificate.deposit_data();
    let whole = serde_json::to_string(&deposits).unwrap();
    let (first, second) =
        (serde_json::to_string(&deposits[..1]).unwrap(), serde_json::to_string(&deposits[1..]).unwrap());
    assert!(verify(&world, &json, &[("a", &first), ("b", &second)]).is_ok(), "split over two files");
    let twice = verify(&world, &json, &[("a", &whole), ("b", &whole)]).unwrap_err();
    assert_eq!(twice, DirectoryError::Count { expected: 2, found: 4 });
    assert_eq!(verify(&world, &json, &[("a", &first)]).unwrap_err(), DirectoryError::Count { expected: 2, found: 1 });
    assert_eq!(verify(&world, &json, &[]).unwrap_err(), DirectoryError::NoDepositFile);
    let error = verify(&world, &json, &[("a", &format!("{whole}x"))]).unwrap_err();
    assert!(matches!(error, DirectoryError::Malformed { .. }), "trailing text: {error}");
    // An incomplete ceremony offers nothing to deposit yet.
    certificate.attestations.pop();
    let incomplete = serde_json::to_string(&certificate).unwrap();
    let report = verify(&world, &incomplete, &[]).unwrap();
    assert!(matches!(report.readiness, Readiness::Incomplete { .. }));
}
