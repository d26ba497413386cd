//! What operators hand to gateways, and gateways keep: contributions and certificates in binary.

use cluster_core::{
    certificate::{Certificate, Contribution, MAX_CERTIFICATE_BYTES, MAX_CONTRIBUTION_BYTES},
    encoding::{decode, encode},
};

use crate::world::{assert_same, contribution, rng, world};

/// Reads both and verifies them; whatever verifies says what the genuine one says.
pub fn target(data: &[u8]) {
    if let Ok(contribution) = decode::<Contribution>(data, MAX_CONTRIBUTION_BYTES) {
        assert_same(&encode(&contribution), data);
        if contribution.verify(Some(&world().registry), &mut rng()).is_ok() {
            assert_eq!(contribution.transcript, world().certificate.transcript);
        }
        let mut certificate = Certificate::from_contribution(contribution);
        let _ = certificate.merge(world().certificate.attestations[1].clone());
        let _ = (certificate.readiness(), certificate.deposit_data());
    }
    if let Ok(certificate) = decode::<Certificate>(data, MAX_CERTIFICATE_BYTES) {
        if certificate.verify(Some(&world().registry), &mut rng()).is_ok() {
            assert_eq!(certificate.transcript, world().certificate.transcript);
        }
        let _ = (certificate.readiness(), certificate.deposit_data());
    }
}

/// Both.
pub fn seeds() -> Vec<Vec<u8>> {
    vec![encode(&contribution()), encode(&world().certificate)]
}
