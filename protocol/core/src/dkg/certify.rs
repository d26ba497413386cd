//! DKG 6 and 7: deposit signatures, the transcript, and the certificate that grows with every attestation.

use std::{collections::BTreeSet, sync::Arc};

use cluster_crypto::{
    bls,
    seal::{self, EnvelopeContext},
};

use super::{
    dealing::derived_rng,
    evidence::{Culprit, CulpritKind, Evidence},
    keys::Keys,
    machine::Machine,
    message::{Body, Certify, Partials, Signed},
    output::{Outcome, Output},
    signing::Combined,
    Step,
};
use crate::{
    certificate::{Attestation, Certificate, Contribution, Readiness, Transcript, ValidatorRecord},
    committee::OperatorId,
    deposit::DepositMessage,
    machine::Time,
};

impl Machine {
    /// DKG 6.1 and 6.2: a deposit is signed only for keys whose shares a quorum has on disk.
    pub(super) fn start_signing(&mut self, now: Time) {
        self.enter(now, Step::Sign);
        let Some(keys) = &self.keys else { return };
        let Some(signatures) = self.signing.sign(&self.context, keys) else { return };
        let keys_digest = keys.digest;
        let signed = self.sign(Body::Partials(Partials { keys_digest, signatures }));
        self.signing.partials.insert(self.me, Arc::clone(&signed));
        self.broadcast(signed);
    }

    /// DKG 6.3 to 6.5: the messages follow from the request, so no key can sign a second one.
    pub(super) fn combine(&mut self, now: Time) -> bool {
        let Some(keys) = &self.keys else { return false };
        let combined = self.signing.combine(&self.context, keys, &self.seed);
        let rejected: Vec<(OperatorId, Arc<Signed>)> =
            self.signing.rejected().iter().map(|(operator, signed)| (*operator, Arc::clone(signed))).collect();
        for (operator_id, partials) in rejected {
            let evidence = Some(Evidence::BadPartial { partials });
            self.name(Culprit { operator_id, kind: CulpritKind::BadPartial, evidence });
        }
        let Combined::Done(signatures) = combined else { return false };
        self.certify(now, &signatures)
    }

    // DKG 7.1 and 7.2
    fn certify(&mut self, now: Time, signatures: &[bls::Signature]) -> bool {
        let Some(keys) = &self.keys else { return false };
        let transcript = self.build_transcript(keys, signatures);
        let transcript_digest = transcript.digest();
        let ceremony = self.context.ceremony_id();
        let bound = EnvelopeContext { ceremony_id: &ceremony.0, operator_id: self.me.0 };
        let mut rng = derived_rng(&self.seed, "envelopes", &[&transcript_digest]);
        let key = self.identity.public_key();
        let Ok(envelopes) = seal::seal_envelopes(&key, bound, &keys.group, &keys.shares, &mut rng) else {
            return false;
        };
        let attestation = Attestation::sign(&self.identity, self.me, &transcript_digest, envelopes);
        let contribution = Contribution { transcript: transcript.clone(), attestation: attestation.clone() };
        self.transcript = Some((transcript, transcript_digest));
        self.certificate = Some(Certificate::from_contribution(contribution));
        let signed = self.sign(Body::Certify(Certify { transcript_digest, attestation }));
        self.certifies.insert(self.me, Arc::clone(&signed));
        self.broadcast(signed);
        self.enter(now, Step::Certify);
        true
    }

    fn build_transcript(&self, keys: &Keys, signatures: &[bls::Signature]) -> Transcript {
        let request = self.context.request();
        let validators = keys
            .group
            .iter()
            .zip(signatures)
            .enumerate()
            .map(|(position, (pubkey, signature))| {
                let message =
                    DepositMessage::new(pubkey, request.request().withdrawal_address, request.request().amount_gwei);
                ValidatorRecord {
                    pubkey: *pubkey,
                    share_pubkeys: keys.share_keys.iter().filter_map(|keys| keys.get(position).copied()).collect(),
                    deposit_signature: *signature,
                    deposit_data_root: message.with_signature(signature).root(),
                }
            })
            .collect();
        Transcript {
            request: request.signed().clone(),
            committee: self.context.committee().members().to_vec(),
            qualified: keys.qualified.clone(),
            validators,
        }
    }

    /// DKG 7.3 to 7.5: collects attestations. All of them make the validators ready; when time is up, a quorum ends
    /// the ceremony as incomplete, and whoever comes later completes it.
    pub(super) fn finish(&mut self) -> bool {
        let before = self.certificate.as_ref().map_or(0, |certificate| certificate.attestations.len());
        self.merge_attestations();
        let Some(certificate) = &self.certificate else { return false };
        let count = certificate.attestations.len();
        let first = self.step == Step::Certify
            && (count == self.context.n() || (self.is_overdue() && count >= self.context.t()));
        let more = self.step == Step::Done && count > before;
        if first || more {
            self.step = Step::Done;
            self.report_done();
        }
        first
    }

    fn merge_attestations(&mut self) {
        let (Some((_, digest)), Some(certificate)) = (&self.transcript, &mut self.certificate) else { return };
        let merged: BTreeSet<OperatorId> = certificate.attestations.iter().map(|known| known.operator_id).collect();
        let mut mismatched = Vec::new();
        for (operator, signed) in self.certifies.iter().filter(|(operator, _)| !merged.contains(operator)) {
            let Body::Certify(certify) = &signed.body else { continue };
            if certify.transcript_digest != *digest || certificate.merge(certify.attestation.clone()).is_err() {
                mismatched.push(*operator);
            }
        }
        for operator_id in mismatched {
            self.name(Culprit { operator_id, kind: CulpritKind::KeyMismatch, evidence: None });
        }
    }

    pub(super) fn report_done(&mut self) {
        let Some(certificate) = self.certificate.clone() else { return };
        let readiness = certificate.readiness();
        if let Readiness::Incomplete { missing } = &readiness {
            for operator_id in missing.iter().copied() {
                self.name(Culprit { operator_id, kind: CulpritKind::Silent, evidence: None });
            }
        } else {
            self.culprits.retain(|(_, kind), _| *kind != CulpritKind::Silent);
        }
        let own = certificate.attestations.iter().find(|attestation| attestation.operator_id == self.me).cloned();
        let Some(attestation) = own else { return };
        let contribution = Contribution { transcript: certificate.transcript.clone(), attestation };
        let culprits = self.culprits();
        self.outputs.push_back(Output::Done(Outcome { contribution, certificate, readiness, culprits }));
    }
}
