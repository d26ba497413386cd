//! The parts of a dealing, and everything else that holds points and scalars of K validators.

use cluster_crypto::{
    bls,
    feldman::Commitments,
    identity,
    polynomial::SecretVector,
    proof::KnowledgeProof,
    seal::{open_envelope, open_vector, DealContext, Envelope, EnvelopeContext, Reveal},
    threshold::{combine, Partial},
    ShareIndex, Threshold,
};

use crate::world::{contribution, dealing, rng, world};

/// Reads the bytes as every part; what is accepted encodes to the same bytes and is used.
pub fn target(data: &[u8]) {
    let same = |encoded: &[u8]| assert_eq!(encoded, data);
    for n in [4, 7, 10, 13] {
        let threshold = Threshold::for_operators(n).expect("a size of committees");
        let k = data.len() / 96 / threshold.t();
        if let Ok(commitments) = Commitments::from_bytes(data, k, threshold) {
            same(&commitments.to_bytes());
            use_commitments(&commitments);
        }
    }
    let k = data.len() / 32;
    let _ = SecretVector::from_bytes(data, k).map(|vector| vector.to_bytes().expose(|bytes| same(bytes)));
    if let Ok(proof) = KnowledgeProof::from_bytes(data) {
        same(&proof.to_bytes());
        assert!(!genuine_commitments().verify_knowledge(&[0; 32], &proof), "proofs are bound to their context");
    }
    if let Ok(partial) = Partial::from_bytes(data) {
        same(&partial.to_bytes());
        let threshold = Threshold::for_operators(4).expect("a size of committees");
        let vector = [partial];
        let vectors: Vec<_> = ShareIndex::all(threshold).take(3).map(|index| (index, &vector[..])).collect();
        let _ = combine(threshold, &vectors);
    }
    open(data, k);
}

fn use_commitments(commitments: &Commitments) {
    let index = ShareIndex::new(3).expect("not zero");
    let shares = SecretVector::zero(commitments.k());
    // Zero is the share of no polynomial with commitments that are not the identity, but for a chance of 2^-255.
    assert!(
        !commitments.verify_shares(index, &shares, &mut rng())
            || commitments.k() == 0
            || !commitments.check_subgroup(&mut rng())
    );
    let _ = Commitments::sum(&[commitments, commitments]);
    if commitments.check_subgroup(&mut rng()) {
        let _ = commitments.share_keys(index);
    }
}

fn open(data: &[u8], k: usize) {
    let secret = identity::SecretKey::from_bytes(&[5; 32]).expect("a scalar");
    let key = secret.public_key();
    let ctx = DealContext { ceremony_id: &[1; 32], dealer: 1, receiver: 2 };
    assert!(open_vector(&secret, &key, ctx, data, k).is_err(), "an authenticated cipher opens no garbage");
    if let Ok(reveal) = Reveal::from_bytes(data) {
        assert_eq!(reveal.to_bytes().as_slice(), data);
        assert!(reveal.verify(&key, &key, ctx).is_err(), "proofs are bound to their keys");
    }
    if let Ok(envelope) = Envelope::from_bytes(data) {
        assert_eq!(envelope.to_bytes().as_slice(), data);
        let validator = bls::SecretKey::from_bytes(&[5; 32]).expect("a scalar").public_key();
        let ctx = EnvelopeContext { ceremony_id: &[1; 32], operator_id: 1 };
        assert!(
            open_envelope(&secret, ctx, &validator, &envelope).is_err(),
            "an authenticated cipher opens no garbage"
        );
    }
}

fn genuine_commitments() -> Commitments {
    let threshold = Threshold::for_operators(4).expect("a size of committees");
    Commitments::from_bytes(&dealing().commitments, 1, threshold).expect("genuine commitments")
}

/// One of each.
pub fn seeds() -> Vec<Vec<u8>> {
    let dealing = dealing();
    let ctx = DealContext { ceremony_id: &[1; 32], dealer: 1, receiver: 2 };
    let identity = &world().identities[&world().me];
    let reveal = cluster_crypto::seal::reveal(identity, &dealing.ephemeral, ctx, &mut rng());
    let partial = Partial::from_bytes(&cluster_crypto::primitives::hash_to_g2(b"message", b"domain"));
    vec![
        dealing.commitments.clone(),
        dealing.proof.to_bytes().to_vec(),
        dealing.sealed[0].to_vec(),
        vec![7; 32],
        [[9; 32], [1; 32]].concat(),
        reveal.to_bytes().to_vec(),
        partial.expect("a point").to_bytes().to_vec(),
        contribution().attestation.envelopes[0].to_bytes().to_vec(),
    ]
}
