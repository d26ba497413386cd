//! What a gateway has of one ceremony: the contributions of its operators, each checked, merged into a certificate.
//!
//! A gateway trusts no operator. Contributions are grouped by transcript, so that an operator with a transcript of its own
//! making stands alone; only a transcript that t operators attested is verified in full and published. n = 3f+1 and
//! t = 2f+1, so at most one transcript of a ceremony can have t honest and lying signers together.

use cluster_core::certificate::{Certificate, CertificateError, Contribution, CERTIFICATE_VERSION};
use cluster_core::committee::OperatorId;
use cluster_core::registry::Registry;
use cluster_core::request::CheckedRequest;
use rand_core::CryptoRngCore;

/// Why a contribution is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ContributionError {
    /// Signed by another operator than the peer that sent it.
    #[error("the contribution is signed by operator {signer}, but operator {from} sent it")]
    OtherSigner {
        /// The authenticated peer.
        from: OperatorId,
        /// Who is named.
        signer: OperatorId,
    },
    /// The transcript is of another request or committee.
    #[error("the transcript is not of this request and its registered committee")]
    OtherCeremony,
    /// Signature or shape of the attestation.
    #[error("the attestation does not verify: {0}")]
    Attestation(CertificateError),
    /// t operators attested something false.
    #[error("the certificate that {attestations} operators attested does not verify: {error}")]
    Certificate {
        /// How many.
        attestations: usize,
        /// What is wrong.
        error: CertificateError,
    },
}

/// What a contribution changed.
#[derive(Debug, PartialEq, Eq)]
pub enum Added {
    /// It was here already.
    Known,
    /// Kept; not enough operators for a certificate yet.
    Kept,
    /// The certificate exists, or has one attestation more.
    Certificate,
}

/// The contributions of one ceremony.
#[derive(Debug)]
pub struct Collection {
    request: CheckedRequest,
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    digest: [u8; 32],
    certificate: Certificate,
    verified: bool,
}

impl Collection {
    /// An empty collection.
    #[must_use]
    pub fn new(request: CheckedRequest) -> Self {
        Self { request, groups: Vec::new() }
    }

    /// A collection that goes on from a certificate that was verified before.
    #[must_use]
    pub fn resume(request: CheckedRequest, certificate: Certificate) -> Self {
        let digest = certificate.transcript.digest();
        Self { request, groups: vec![Group { digest, certificate, verified: true }] }
    }

    /// The ceremony's request.
    #[must_use]
    pub fn request(&self) -> &CheckedRequest {
        &self.request
    }

    /// The verified certificate, once t operators attested it.
    #[must_use]
    pub fn certificate(&self) -> Option<&Certificate> {
        self.groups.iter().find(|group| group.verified).map(|group| &group.certificate)
    }

    /// Operators whose attestation is in the certificate (or in the largest group on the way to one).
    #[must_use]
    pub fn attested(&self) -> Vec<OperatorId> {
        let largest = self.groups.iter().max_by_key(|group| (group.verified, group.certificate.attestations.len()));
        largest
            .map_or_else(Vec::new, |group| group.certificate.attestations.iter().map(|held| held.operator_id).collect())
    }

    /// Checks and takes one contribution of the authenticated operator `from`. Blocks for up to a second when it completes
    /// a certificate of 1,000 validators.
    pub fn add(
        &mut self,
        from: OperatorId,
        contribution: Contribution,
        registry: &dyn Registry,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Added, ContributionError> {
        let signer = contribution.attestation.operator_id;
        if signer != from {
            return Err(ContributionError::OtherSigner { from, signer });
        }
        let transcript = contribution.transcript;
        let own = transcript.request.essence() == self.request.signed().essence()
            && transcript.request.ceremony_id() == self.request.ceremony_id();
        if !own || transcript.committee != self.request.committee().members() {
            return Err(ContributionError::OtherCeremony);
        }
        let digest = transcript.digest();
        let at = match self.groups.iter().position(|group| group.digest == digest) {
            Some(at) => at,
            None => {
                let ceremony_id = self.request.ceremony_id();
                let certificate =
                    Certificate { version: CERTIFICATE_VERSION, ceremony_id, transcript, attestations: Vec::new() };
                self.groups.push(Group { digest, certificate, verified: false });
                self.groups.len() - 1
            }
        };
        let merged = self.groups[at].certificate.merge(contribution.attestation);
        let new = match merged {
            Ok(new) => new,
            Err(error) => {
                self.groups.retain(|group| !group.certificate.attestations.is_empty());
                return Err(ContributionError::Attestation(error));
            }
        };
        if !new {
            return Ok(Added::Known);
        }
        self.forget_elsewhere(from, &digest);
        self.complete(&digest, registry, rng)
    }

    /// One operator counts for one transcript, the one it attested last: so there are never more than n groups.
    fn forget_elsewhere(&mut self, operator: OperatorId, digest: &[u8; 32]) {
        for group in self.groups.iter_mut().filter(|group| group.digest != *digest && !group.verified) {
            group.certificate.attestations.retain(|held| held.operator_id != operator);
        }
        self.groups.retain(|group| !group.certificate.attestations.is_empty());
    }

    fn complete(
        &mut self,
        digest: &[u8; 32],
        registry: &dyn Registry,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Added, ContributionError> {
        let threshold = self.request.committee().threshold().t();
        let Some(at) = self.groups.iter().position(|group| group.digest == *digest) else { return Ok(Added::Kept) };
        let group = &mut self.groups[at];
        let attestations = group.certificate.attestations.len();
        if group.verified {
            return Ok(Added::Certificate);
        }
        if attestations < threshold {
            return Ok(Added::Kept);
        }
        if let Err(error) = group.certificate.verify(Some(registry), rng) {
            self.groups.remove(at);
            return Err(ContributionError::Certificate { attestations, error });
        }
        group.verified = true;
        Ok(Added::Certificate)
    }
}
