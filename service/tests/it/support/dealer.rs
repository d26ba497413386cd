//! Genuine certificates without a ceremony: one trusted dealer instead of a committee.

use cluster_core::certificate::{Attestation, Certificate, Transcript, ValidatorRecord, CERTIFICATE_VERSION};
use cluster_core::committee::OperatorId;
use cluster_core::deposit::DepositMessage;
use cluster_core::network::Network;
use cluster_core::request::SignedRequest;
use cluster_crypto::polynomial::Polynomials;
use cluster_crypto::seal::{seal_envelopes, EnvelopeContext};
use cluster_crypto::{bls, identity, threshold, ShareIndex, Threshold};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::collections::BTreeMap;

/// A certificate with the attestations of the whole committee. Another seed gives other keys, the same seed the same ones: a
/// request for a reshare is answered with the seed of its previous certificate.
pub fn certificate(
    operators: &BTreeMap<OperatorId, identity::SecretKey>,
    signed: &SignedRequest,
    seed: u64,
) -> Certificate {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let request = &signed.request;
    let network = Network::from_chain_id(request.chain_id).unwrap();
    let size = Threshold::for_operators(request.operator_ids.len()).unwrap();
    let keys: Vec<_> = (0..request.validator_count).map(|_| bls::SecretKey::generate(&mut rng)).collect();
    let polynomials = Polynomials::sharing(&keys, size, &mut rng);
    let commitments = polynomials.commit();
    let pubkeys = commitments.group_keys();
    let indices: Vec<ShareIndex> = ShareIndex::all(size).collect();
    let share_pubkeys: Vec<Vec<bls::PublicKey>> = indices.iter().map(|index| commitments.share_keys(*index)).collect();
    let shares: Vec<_> = indices.iter().map(|index| polynomials.shares_for(*index)).collect();
    let validators = pubkeys.iter().enumerate().map(|(k, pubkey)| {
        let message = DepositMessage::new(pubkey, request.withdrawal_address, request.amount_gwei);
        let hashed = bls::HashedMessage::new(&message.signing_root(network));
        let partials: Vec<_> = indices
            .iter()
            .zip(&shares)
            .take(size.t())
            .map(|(index, vector)| (*index, vector.secret_key(k).unwrap().sign(&hashed)))
            .collect();
        let deposit_signature = threshold::recover(&partials, size).unwrap();
        ValidatorRecord {
            pubkey: *pubkey,
            share_pubkeys: share_pubkeys.iter().map(|keys| keys[k]).collect(),
            deposit_data_root: message.with_signature(&deposit_signature).root(),
            deposit_signature,
        }
    });
    let dealers: Vec<OperatorId> = match &request.reshare {
        None => request.operator_ids.clone(),
        Some(reshare) => reshare.dealers(&request.operator_ids).map(|(id, _)| id).collect(),
    };
    let transcript = Transcript {
        request: signed.clone(),
        committee: request.operator_ids.iter().map(|id| (*id, operators[id].public_key())).collect(),
        qualified: dealers.iter().map(|id| (*id, [id.0 as u8; 32])).collect(),
        validators: validators.collect(),
    };
    let ceremony_id = transcript.ceremony_id();
    let digest = transcript.digest();
    let attestations = request.operator_ids.iter().zip(&shares).map(|(id, vector)| {
        let key = &operators[id];
        let context = EnvelopeContext { ceremony_id: ceremony_id.as_bytes(), operator_id: id.0 };
        let envelopes = seal_envelopes(&key.public_key(), context, &pubkeys, vector, &mut rng).unwrap();
        Attestation::sign(key, *id, &digest, envelopes)
    });
    let attestations = attestations.collect();
    Certificate { version: CERTIFICATE_VERSION, ceremony_id, transcript, attestations }
}

/// The same certificate with the attestations at these positions only.
pub fn with_attestations(certificate: &Certificate, positions: &[usize]) -> Certificate {
    let attestations = positions.iter().map(|at| certificate.attestations[*at].clone()).collect();
    Certificate { attestations, ..certificate.clone() }
}
