//! Verification of a certificate or contribution: everything, cheap checks first. Where a check over
//! the whole batch fails, a second pass finds the field to name.

use super::{Attestation, Certificate, CertificateError, Contribution, Problem, Readiness, Transcript};
use crate::{
    ceremony::CeremonyId,
    certificate::CERTIFICATE_VERSION,
    committee::{Committee, OperatorId},
    encoding::to_hex,
    network::Network,
    registry::Registry,
    request::{KeysDigest, RequestError, RequestRules},
};
use cluster_crypto::{
    bls,
    share_keys::{find_bad_share_key, verify_share_keys, BadShareKey},
    Threshold,
};
use rand_core::CryptoRngCore;
use std::collections::HashMap;

/// What a verified certificate or contribution says.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The ceremony.
    pub ceremony_id: CeremonyId,
    /// The network of the validators.
    pub network: Network,
    /// The operators with their keys.
    pub committee: Committee,
    /// Whether every operator has signed. A single contribution is always incomplete.
    pub readiness: Readiness,
}

/// A transcript in which everything but the receipts has been checked.
struct CheckedTranscript {
    ceremony_id: CeremonyId,
    network: Network,
    committee: Committee,
}

impl Certificate {
    /// Checks everything: who made the request (whatever the deadline), ceremony id, committee, counts,
    /// qualified dealers, share keys against validator keys, deposit roots and signatures, receipts.
    ///
    /// With a registry, the committee's keys must be the registered ones. Without one, the keys in the
    /// certificate are taken as they are: it is then consistent, but who signed it is not known. The
    /// same holds for a request that an event of the chain makes: the registry looks the event up.
    ///
    /// `rng` draws the coefficients of the batch checks; a false certificate passes with probability
    /// at most 2^-64. 1,000 validators take about a second.
    pub fn verify(
        &self,
        registry: Option<&dyn Registry>,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Verified, CertificateError> {
        if self.version != CERTIFICATE_VERSION {
            return Err(CertificateError::mismatch("version", CERTIFICATE_VERSION, self.version));
        }
        let checked = self.transcript.check(Some(self.ceremony_id), registry, rng)?;
        self.check_receipts(&checked)?;
        Ok(Verified {
            ceremony_id: checked.ceremony_id,
            network: checked.network,
            committee: checked.committee,
            readiness: self.readiness(),
        })
    }

    fn check_receipts(&self, checked: &CheckedTranscript) -> Result<(), CertificateError> {
        let (n, t) = (checked.committee.threshold().n(), checked.committee.threshold().t());
        if self.attestations.len() < t || self.attestations.len() > n {
            let problem = Problem::Count { expected: format!("{t} to {n}"), found: self.attestations.len() };
            return Err(CertificateError::new("attestations", problem));
        }
        let ids = self.attestations.iter().map(|attestation| attestation.operator_id);
        if let Some(at) = first_out_of_order(ids) {
            return Err(CertificateError::new(format!("attestations[{at}].operator_id"), Problem::Order));
        }
        let digest = self.transcript.digest();
        let mut first_error = None;
        let mut signed = 0;
        for (at, attestation) in self.attestations.iter().enumerate() {
            let path = format!("attestations[{at}]");
            match check_attestation(&path, &self.transcript, &digest, attestation) {
                Ok(()) => signed += 1,
                // Anything but a wrong signature is the receipt's own fault.
                Err(error) if !matches!(error.problem, Problem::Receipt { .. }) => return Err(error),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        match first_error {
            None => Ok(()),
            // One receipt that holds fixes the transcript, so the one that does not was changed.
            Some(error) if signed > 0 => Err(error),
            Some(_) => Err(CertificateError::new("transcript", Problem::TranscriptChanged)),
        }
    }
}

impl Contribution {
    /// The checks of [`Certificate::verify`], with the one receipt that is there.
    pub fn verify(
        &self,
        registry: Option<&dyn Registry>,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Verified, CertificateError> {
        let checked = self.transcript.check(None, registry, rng)?;
        check_attestation("attestation", &self.transcript, &self.transcript.digest(), &self.attestation)?;
        let missing = checked.committee.ids().filter(|id| *id != self.attestation.operator_id).collect();
        Ok(Verified {
            ceremony_id: checked.ceremony_id,
            network: checked.network,
            committee: checked.committee,
            readiness: Readiness::Incomplete { missing },
        })
    }
}

/// Membership, number of envelopes, signature.
pub(super) fn check_attestation(
    path: &str,
    transcript: &Transcript,
    digest: &[u8; 32],
    attestation: &Attestation,
) -> Result<(), CertificateError> {
    let operator_id = attestation.operator_id;
    let Some((_, key)) = transcript.committee.iter().find(|(id, _)| *id == operator_id) else {
        return Err(CertificateError::new(format!("{path}.operator_id"), Problem::NotAMember));
    };
    check_count(&format!("{path}.envelopes"), transcript.validators.len(), attestation.envelopes.len())?;
    if !attestation.is_signed_by(key, digest) {
        return Err(CertificateError::new(path, Problem::Receipt { operator_id: operator_id.0 }));
    }
    Ok(())
}

impl Transcript {
    fn check(
        &self,
        ceremony_id: Option<CeremonyId>,
        registry: Option<&dyn Registry>,
        rng: &mut impl CryptoRngCore,
    ) -> Result<CheckedTranscript, CertificateError> {
        let network = self.check_request(ceremony_id, registry)?;
        let committee = self.check_committee(registry)?;
        self.check_counts(&committee)?;
        self.check_qualified(&committee)?;
        self.check_distinct()?;
        self.check_reshare()?;
        self.check_share_keys(&committee, rng)?;
        self.check_deposits(network, rng)?;
        Ok(CheckedTranscript { ceremony_id: self.ceremony_id(), network, committee })
    }

    fn check_request(
        &self,
        stated_id: Option<CeremonyId>,
        registry: Option<&dyn Registry>,
    ) -> Result<Network, CertificateError> {
        const REQUEST: &str = "transcript.request.request";
        let in_request = |error: RequestError| {
            let path = format!("{REQUEST}.{}", error.field());
            CertificateError::new(path, Problem::Request(error))
        };
        let chain_id = self.request.request.chain_id;
        let network = Network::from_chain_id(chain_id)
            .ok_or_else(|| CertificateError::new(format!("{REQUEST}.chain_id"), Problem::UnknownChain(chain_id)))?;
        self.request.check_fields(&RequestRules::new(network)).map_err(in_request)?;
        match (self.request.check_origin(registry), stated_id) {
            (Ok(found), Some(stated)) if found != stated => {
                Err(CertificateError::mismatch("ceremony_id", found, stated))
            }
            (Ok(_), _) => Ok(network),
            (Err(error), _) if error.field() == "event" => {
                Err(CertificateError::new("transcript.request.event", Problem::Request(error)))
            }
            // The id confirms the request, so it is the signature that was changed.
            (Err(error), Some(stated)) if stated == self.ceremony_id() => {
                Err(CertificateError::new("transcript.request.signature", Problem::Request(error)))
            }
            (Err(_), Some(_)) => Err(CertificateError::new(REQUEST, Problem::RequestChanged)),
            (Err(error), None) => Err(CertificateError::new("transcript.request", Problem::Request(error))),
        }
    }

    fn check_committee(&self, registry: Option<&dyn Registry>) -> Result<Committee, CertificateError> {
        let ids = &self.request.request.operator_ids;
        check_count("transcript.committee", ids.len(), self.committee.len())?;
        for (at, (expected, (found, key))) in ids.iter().zip(&self.committee).enumerate() {
            if expected != found {
                let path = format!("transcript.committee[{at}].operator_id");
                return Err(CertificateError::mismatch(path, expected, found));
            }
            let Some(registry) = registry else { continue };
            let Some(entry) = registry.operator(*found) else {
                let path = format!("transcript.committee[{at}].operator_id");
                return Err(CertificateError::new(path, Problem::Unregistered));
            };
            if entry.public_key != *key {
                let path = format!("transcript.committee[{at}].public_key");
                let (expected, found) = (to_hex(&entry.public_key.to_bytes()), to_hex(&key.to_bytes()));
                return Err(CertificateError::mismatch(path, expected, found));
            }
        }
        Committee::new(self.committee.clone())
            .map_err(|error| CertificateError::new("transcript.committee", Problem::Committee(error)))
    }

    fn check_counts(&self, committee: &Committee) -> Result<(), CertificateError> {
        check_count("transcript.validators", self.request.request.validator_count as usize, self.validators.len())?;
        for (at, validator) in self.validators.iter().enumerate() {
            if validator.share_pubkeys.len() != committee.threshold().n() {
                let path = format!("transcript.validators[{at}].share_pubkeys");
                check_count(&path, committee.threshold().n(), validator.share_pubkeys.len())?;
            }
        }
        Ok(())
    }

    fn check_qualified(&self, committee: &Committee) -> Result<(), CertificateError> {
        const PATH: &str = "transcript.qualified";
        let request = &self.request.request;
        let (dealers, enough): (Vec<OperatorId>, usize) = match &request.reshare {
            None => (request.operator_ids.clone(), committee.threshold().t()),
            // DKG 11.2 and 11.6: of the previous committee, whose size was checked with the request.
            Some(reshare) => {
                let old = Threshold::for_operators(reshare.operator_ids.len());
                let dealers: Vec<_> = reshare.dealers(&request.operator_ids).map(|(id, _)| id).collect();
                (dealers, old.map_or(usize::MAX, Threshold::t))
            }
        };
        if self.qualified.len() < enough || self.qualified.len() > dealers.len() {
            let expected = format!("{enough} to {}", dealers.len());
            return Err(CertificateError::new(PATH, Problem::Count { expected, found: self.qualified.len() }));
        }
        if let Some(at) = self.qualified.iter().position(|(id, _)| !dealers.contains(id)) {
            let problem = if request.reshare.is_some() { Problem::NotADealer } else { Problem::NotAMember };
            return Err(CertificateError::new(format!("{PATH}[{at}].operator_id"), problem));
        }
        match first_out_of_order(self.qualified.iter().map(|(id, _)| *id)) {
            Some(at) => Err(CertificateError::new(format!("{PATH}[{at}].operator_id"), Problem::Order)),
            None => Ok(()),
        }
    }

    /// DKG 11.6: the keys of a reshare are those that the owner named.
    fn check_reshare(&self) -> Result<(), CertificateError> {
        let Some(reshare) = &self.request.request.reshare else { return Ok(()) };
        let keys: Vec<bls::PublicKey> = self.validators.iter().map(|validator| validator.pubkey).collect();
        if KeysDigest::of(&keys) != reshare.validators {
            return Err(CertificateError::new("transcript.validators", Problem::OtherValidators(reshare.previous)));
        }
        Ok(())
    }

    fn check_distinct(&self) -> Result<(), CertificateError> {
        let mut seen: HashMap<[u8; 48], usize> = HashMap::with_capacity(self.validators.len());
        for (at, validator) in self.validators.iter().enumerate() {
            if let Some(first) = seen.insert(validator.pubkey.to_bytes(), at) {
                let path = format!("transcript.validators[{at}].pubkey");
                return Err(CertificateError::new(path, Problem::DuplicateValidator { first }));
            }
        }
        Ok(())
    }

    /// One random linear combination over all validators; one by one only to name a culprit.
    fn check_share_keys(&self, committee: &Committee, rng: &mut impl CryptoRngCore) -> Result<(), CertificateError> {
        let threshold = committee.threshold();
        let groups: Vec<bls::PublicKey> = self.validators.iter().map(|validator| validator.pubkey).collect();
        let shares: Vec<&[bls::PublicKey]> =
            self.validators.iter().map(|validator| validator.share_pubkeys.as_slice()).collect();
        if verify_share_keys(threshold, &groups, &shares, rng) {
            return Ok(());
        }
        for (at, (group, shares)) in groups.iter().zip(&shares).enumerate() {
            let path = format!("transcript.validators[{at}]");
            let error = match find_bad_share_key(threshold, group, shares) {
                BadShareKey::None => continue,
                BadShareKey::Group => CertificateError::new(format!("{path}.pubkey"), Problem::KeyOffPolynomial),
                BadShareKey::Share(index) => {
                    let position = index.get() - 1;
                    CertificateError::new(format!("{path}.share_pubkeys[{position}]"), Problem::KeyOffPolynomial)
                }
                BadShareKey::Several => CertificateError::new(format!("{path}.share_pubkeys"), Problem::ShareKeys),
            };
            return Err(error);
        }
        Err(CertificateError::new("transcript.validators", Problem::ShareKeys))
    }

    /// Roots first, then all signatures in one batch, each message hashed to the curve once.
    fn check_deposits(&self, network: Network, rng: &mut impl CryptoRngCore) -> Result<(), CertificateError> {
        let mut items = Vec::with_capacity(self.validators.len());
        for (at, validator) in self.validators.iter().enumerate() {
            let message = self.deposit_message(validator);
            let hashed = bls::HashedMessage::new(&message.signing_root(network));
            let root = message.with_signature(&validator.deposit_signature).root();
            if root != validator.deposit_data_root {
                // The root covers the signature: if that is genuine, the root itself was changed.
                if bls::verify(&validator.pubkey, &hashed, &validator.deposit_signature) {
                    let path = format!("transcript.validators[{at}].deposit_data_root");
                    let (expected, found) = (to_hex(&root), to_hex(&validator.deposit_data_root));
                    return Err(CertificateError::mismatch(path, expected, found));
                }
                return Err(bad_deposit_signature(at, network));
            }
            items.push((validator.pubkey, hashed, validator.deposit_signature));
        }
        if bls::verify_batch(&items, rng) {
            return Ok(());
        }
        let bad = items.iter().position(|(key, hashed, signature)| !bls::verify(key, hashed, signature));
        Err(bad_deposit_signature(bad.unwrap_or_default(), network))
    }
}

fn bad_deposit_signature(at: usize, network: Network) -> CertificateError {
    let path = format!("transcript.validators[{at}].deposit_signature");
    CertificateError::new(path, Problem::DepositSignature(network))
}

fn check_count(path: &str, expected: usize, found: usize) -> Result<(), CertificateError> {
    if expected == found {
        return Ok(());
    }
    Err(CertificateError::new(path, Problem::Count { expected: expected.to_string(), found }))
}

/// Position of the first element that is not above the one before it.
fn first_out_of_order<T: Ord>(items: impl Iterator<Item = T>) -> Option<usize> {
    let mut previous: Option<T> = None;
    for (at, item) in items.enumerate() {
        if previous.as_ref().is_some_and(|previous| *previous >= item) {
            return Some(at);
        }
        previous = Some(item);
    }
    None
}
