//! No decoder panics on any bytes, and what one accepts it writes back unchanged.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use cluster_crypto::ethereum::{Address, RecoverableSignature};
use cluster_crypto::feldman::Commitments;
use cluster_crypto::keystore::Keystore;
use cluster_crypto::polynomial::{Polynomials, SecretVector};
use cluster_crypto::proof::KnowledgeProof;
use cluster_crypto::seal::{self, open_envelope, open_vector, DealContext, Envelope, EnvelopeContext, Reveal};
use cluster_crypto::threshold::{sign_partials, Partial};
use cluster_crypto::{bls, identity, ShareIndex, Threshold};
use common::{rng, threshold};
use proptest::prelude::*;

/// Right encodings of every type, to be damaged.
fn samples() -> Vec<Vec<u8>> {
    let mut rng = rng(1);
    let (secret, ephemeral) = (identity::SecretKey::generate(&mut rng), identity::SecretKey::generate(&mut rng));
    let ctx = DealContext { ceremony_id: &[1; 32], dealer: 1, receiver: 2 };
    let polynomials = Polynomials::sample(1, threshold(4), &mut rng);
    let (commitments, shares) = (polynomials.commit(), polynomials.shares_for(ShareIndex::new(1).unwrap()));
    let message = bls::HashedMessage::new(b"m");
    let key = shares.secret_key(0).unwrap();
    vec![
        key.public_key().to_bytes().to_vec(),
        key.sign(&message).to_bytes().to_vec(),
        secret.public_key().to_bytes().to_vec(),
        secret.sign(&[3; 32]).to_bytes().to_vec(),
        commitments.to_bytes(),
        shares.to_bytes().expose(Clone::clone),
        polynomials.prove_knowledge(&[2; 32], &commitments, &mut rng).to_bytes().to_vec(),
        sign_partials(&shares, threshold(4), &[message]).unwrap()[0].to_bytes().to_vec(),
        seal::reveal(&secret, &ephemeral.public_key(), ctx, &mut rng).to_bytes().to_vec(),
        seal::seal_vector(&ephemeral, &secret.public_key(), ctx, &shares),
    ]
}

/// Gives the bytes to every decoder; each accepted value must encode to the same bytes again.
fn decode_as_everything(bytes: &[u8]) {
    let same = |encoded: &[u8]| assert_eq!(encoded, bytes);
    let _ = bls::PublicKey::from_bytes(bytes).map(|value| same(&value.to_bytes()));
    let _ = bls::Signature::from_bytes(bytes).map(|value| same(&value.to_bytes()));
    let _ = identity::PublicKey::from_bytes(bytes).map(|value| same(&value.to_bytes()));
    let _ = identity::Signature::from_bytes(bytes).map(|value| same(&value.to_bytes()));
    let _ = KnowledgeProof::from_bytes(bytes).map(|value| same(&value.to_bytes()));
    let _ = Partial::from_bytes(bytes).map(|value| same(&value.to_bytes()));
    let _ = Reveal::from_bytes(bytes).map(|value| same(&value.to_bytes()));
    let _ = RecoverableSignature::from_bytes(bytes)
        .map(|value| same(&value.to_bytes()[..64].iter().copied().chain([bytes[64]]).collect::<Vec<_>>()));
    for n in common::SIZES {
        let threshold = Threshold::for_operators(n).unwrap();
        let k = bytes.len() / 96 / threshold.t();
        let _ = Commitments::from_bytes(bytes, k, threshold).map(|value| same(&value.to_bytes()));
    }
    let _ = SecretVector::from_bytes(bytes, bytes.len() / 32).map(|value| value.to_bytes().expose(|bytes| same(bytes)));
    let secret = identity::SecretKey::from_bytes(&[5; 32]).unwrap();
    let ctx = DealContext { ceremony_id: &[1; 32], dealer: 1, receiver: 2 };
    let _ = open_vector(&secret, &secret.public_key(), ctx, bytes, bytes.len() / 32);
    let validator = bls::SecretKey::from_bytes(&[5; 32]).unwrap().public_key();
    let ctx = EnvelopeContext { ceremony_id: &[1; 32], operator_id: 1 };
    let _ = Envelope::from_bytes(bytes).map(|envelope| {
        same(&envelope.to_bytes());
        open_envelope(&secret, ctx, &validator, &envelope).map(|_| ())
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..700)) {
        decode_as_everything(&bytes);
    }

    #[test]
    fn arbitrary_bytes_of_exact_lengths(
        length in proptest::sample::select(vec![32usize, 33, 48, 64, 65, 80, 93, 96, 97, 192, 288]),
        bytes in proptest::collection::vec(any::<u8>(), 288),
        first in proptest::sample::select(vec![0u8, 1, 2, 3, 0x40, 0x80, 0xa0, 0xc0, 0xe0]),
    ) {
        let mut bytes = bytes[..length].to_vec();
        bytes[0] = first;
        decode_as_everything(&bytes);
    }

    #[test]
    fn damaged_right_bytes(sample in 0usize..10, position in any::<usize>(), flip in 1u8.., cut in 0usize..3) {
        let mut bytes = samples().swap_remove(sample);
        let position = position % bytes.len();
        bytes[position] ^= flip;
        bytes.truncate(bytes.len() - cut);
        decode_as_everything(&bytes);
    }

    #[test]
    fn arbitrary_text(text in "(0x)?[0-9a-fA-F]{0,100}|\\PC{0,80}") {
        let _ = text.parse::<identity::PublicKey>();
        let _ = text.parse::<Address>().map(|address| assert!(address.to_string().eq_ignore_ascii_case(&text)));
        let quoted = serde_json::to_string(&text).unwrap();
        let _ = serde_json::from_str::<bls::PublicKey>(&quoted);
        let _ = serde_json::from_str::<bls::Signature>(&quoted);
        let _ = serde_json::from_str::<Envelope>(&quoted);
        let _ = serde_json::from_str::<Keystore>(&text);
    }
}
