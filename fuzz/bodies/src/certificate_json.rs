//! `certificate.json` and the launchpad's files beside it, as `cluster-node verify` and the service read them.

use cluster_core::{certificate::Certificate, directory::verify_directory_files};

use crate::world::{rng, world};

/// The text as the certificate, and as the deposit data beside the genuine certificate.
pub fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(certificate) = Certificate::from_json(text) {
        if certificate.verify(Some(&world().registry), &mut rng()).is_ok() {
            assert_eq!(certificate.transcript, world().certificate.transcript);
        }
        let _ = (certificate.readiness(), certificate.deposit_data());
    } else {
        let certificate = serde_json::to_string(&world().certificate).expect("JSON");
        let files = [("deposit_data-1.json", text)];
        if let Err(error) = verify_directory_files(&certificate, &files, Some(&world().registry), &mut rng()) {
            assert!(!error.field().is_empty() && !error.to_string().is_empty());
        }
    }
}

/// Both files.
pub fn seeds() -> Vec<Vec<u8>> {
    let certificate = &world().certificate;
    let deposits = certificate.deposit_data();
    vec![serde_json::to_vec(certificate).expect("JSON"), serde_json::to_vec(&deposits).expect("JSON")]
}
