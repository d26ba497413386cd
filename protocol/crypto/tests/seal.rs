//! Sealed vectors, reveals, envelopes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use cluster_crypto::bls;
use cluster_crypto::identity::{PublicKey, SecretKey};
use cluster_crypto::polynomial::{Polynomials, SecretVector, VectorError};
use cluster_crypto::seal::{
    open_envelope, open_revealed, open_vector, reveal, seal_envelopes, seal_vector, DealContext, Envelope,
    EnvelopeContext, OpenError, Reveal, RevealError, SealError,
};
use cluster_crypto::ShareIndex;
use common::{rng, threshold};

const CEREMONY: [u8; 32] = [9; 32];
const OTHER_CEREMONY: [u8; 32] = [8; 32];
const CONTEXT: DealContext<'static> = DealContext { ceremony_id: &CEREMONY, dealer: 11, receiver: 22 };

fn shares(k: usize) -> SecretVector {
    Polynomials::sample(k, threshold(4), &mut rng(1)).shares_for(ShareIndex::new(2).unwrap())
}

fn bytes_of(shares: &SecretVector) -> Vec<u8> {
    shares.to_bytes().expose(Clone::clone)
}

/// A dealer's ephemeral key and a receiver's identity.
fn keys() -> (SecretKey, SecretKey) {
    (SecretKey::generate(&mut rng(2)), SecretKey::generate(&mut rng(3)))
}

#[test]
fn a_vector_opens_for_its_receiver() {
    let (ephemeral, receiver) = keys();
    for k in [1, 2, 1000] {
        let sealed = seal_vector(&ephemeral, &receiver.public_key(), CONTEXT, &shares(k));
        assert_eq!(sealed.len(), 32 * k + 16);
        let opened = open_vector(&receiver, &ephemeral.public_key(), CONTEXT, &sealed, k).unwrap();
        assert_eq!(bytes_of(&opened), bytes_of(&shares(k)));
        let error = open_vector(&receiver, &ephemeral.public_key(), CONTEXT, &sealed, k + 1).unwrap_err();
        assert_eq!(error, OpenError::WrongLength { expected: 32 * k + 48, got: 32 * k + 16 });
    }
}

#[test]
fn a_vector_is_bound_to_every_field_of_its_context_to_both_keys_and_to_every_byte() {
    let (ephemeral, receiver) = keys();
    let sealed = seal_vector(&ephemeral, &receiver.public_key(), CONTEXT, &shares(3));
    let open = |receiver: &SecretKey, ephemeral: PublicKey, ctx, sealed: &[u8]| {
        open_vector(receiver, &ephemeral, ctx, sealed, 3).map(|_| ())
    };
    for ctx in [
        DealContext { ceremony_id: &OTHER_CEREMONY, ..CONTEXT },
        DealContext { dealer: 12, ..CONTEXT },
        DealContext { receiver: 23, ..CONTEXT },
    ] {
        assert_eq!(open(&receiver, ephemeral.public_key(), ctx, &sealed), Err(OpenError::Tag));
    }
    let stranger = SecretKey::generate(&mut rng(4));
    assert_eq!(open(&stranger, ephemeral.public_key(), CONTEXT, &sealed), Err(OpenError::Tag));
    assert_eq!(open(&receiver, stranger.public_key(), CONTEXT, &sealed), Err(OpenError::Tag));
    for position in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[position] ^= 1;
        assert_eq!(open(&receiver, ephemeral.public_key(), CONTEXT, &changed), Err(OpenError::Tag), "byte {position}");
    }
}

/// A dealer that copies another dealer's ephemeral key and sealed bytes gets an error that it is blamed for.
#[test]
fn a_copied_ephemeral_key_opens_nothing_for_the_thief() {
    let (ephemeral, receiver) = keys();
    let sealed = seal_vector(&ephemeral, &receiver.public_key(), CONTEXT, &shares(3));
    let thief = DealContext { dealer: 33, ..CONTEXT };
    assert_eq!(open_vector(&receiver, &ephemeral.public_key(), thief, &sealed, 3).unwrap_err(), OpenError::Tag);
    let evidence = reveal(&receiver, &ephemeral.public_key(), thief, &mut rng(5));
    let judged = open_revealed(&evidence, &receiver.public_key(), &ephemeral.public_key(), thief, &sealed, 3).unwrap();
    assert_eq!(judged.unwrap_err(), OpenError::Tag);
}

#[test]
fn a_true_reveal_lets_anyone_see_what_the_receiver_saw() {
    let (ephemeral, receiver) = keys();
    let sealed = seal_vector(&ephemeral, &receiver.public_key(), CONTEXT, &shares(3));
    let evidence = reveal(&receiver, &ephemeral.public_key(), CONTEXT, &mut rng(6));
    let evidence = Reveal::from_bytes(&evidence.to_bytes()).unwrap();
    let judge = |sealed: &[u8]| {
        open_revealed(&evidence, &receiver.public_key(), &ephemeral.public_key(), CONTEXT, sealed, 3).unwrap()
    };
    assert_eq!(bytes_of(&judge(&sealed).unwrap()), bytes_of(&shares(3)));
    let mut garbage = sealed.clone();
    garbage[0] ^= 1;
    assert_eq!(judge(&garbage).unwrap_err(), OpenError::Tag);
    assert!(matches!(judge(&sealed[1..]), Err(OpenError::WrongLength { .. })));
}

#[test]
fn a_false_reveal_is_the_receivers_fault() {
    let (ephemeral, receiver) = keys();
    let sealed = seal_vector(&ephemeral, &receiver.public_key(), CONTEXT, &shares(1));
    let evidence = reveal(&receiver, &ephemeral.public_key(), CONTEXT, &mut rng(7));
    let judge = |evidence: &Reveal, receiver: &SecretKey, ephemeral: &SecretKey, ctx| {
        open_revealed(evidence, &receiver.public_key(), &ephemeral.public_key(), ctx, &sealed, 1).map(|_| ())
    };
    assert_eq!(judge(&evidence, &receiver, &ephemeral, CONTEXT), Ok(()));
    // Another point with the same proof; the proof of another point; another context, receiver or ephemeral
    // key.
    let stranger = SecretKey::generate(&mut rng(8));
    let mut bytes = evidence.to_bytes();
    bytes[..33].copy_from_slice(&stranger.public_key().to_bytes());
    assert_eq!(judge(&Reveal::from_bytes(&bytes).unwrap(), &receiver, &ephemeral, CONTEXT), Err(RevealError::Proof));
    let other = reveal(&stranger, &ephemeral.public_key(), CONTEXT, &mut rng(7));
    assert_eq!(judge(&other, &receiver, &ephemeral, CONTEXT), Err(RevealError::Proof));
    let replayed = DealContext { dealer: 12, ..CONTEXT };
    assert_eq!(judge(&evidence, &receiver, &ephemeral, replayed), Err(RevealError::Proof));
    assert_eq!(judge(&evidence, &stranger, &ephemeral, CONTEXT), Err(RevealError::Proof));
    assert_eq!(judge(&evidence, &receiver, &stranger, CONTEXT), Err(RevealError::Proof));
    for position in [34, 64, 66, 96] {
        let mut bytes = evidence.to_bytes();
        bytes[position] ^= 1;
        let changed = Reveal::from_bytes(&bytes).unwrap();
        assert_eq!(judge(&changed, &receiver, &ephemeral, CONTEXT), Err(RevealError::Proof));
    }
    let mut identity = evidence.to_bytes();
    identity[..33].fill(0);
    assert_eq!(Reveal::from_bytes(&identity).unwrap_err(), RevealError::Point);
    let mut large = evidence.to_bytes();
    large[33..65].fill(0xff);
    assert_eq!(Reveal::from_bytes(&large).unwrap_err(), RevealError::Scalar);
}

/// Two reveals under equal randomness and different statements must not share a nonce, or the identity key is
/// lost.
#[test]
fn reveal_nonces_differ_for_different_statements_under_equal_randomness() {
    let (ephemeral, receiver) = keys();
    let nonce = |ctx| {
        // w = z - c x.
        let bytes = reveal(&receiver, &ephemeral.public_key(), ctx, &mut rng(9)).to_bytes();
        let scalar = |bytes: &[u8]| {
            let bytes: [u8; 32] = bytes.try_into().unwrap();
            k256::elliptic_curve::PrimeField::from_repr(bytes.into()).into_option().unwrap()
        };
        let (c, z): (k256::Scalar, k256::Scalar) = (scalar(&bytes[33..65]), scalar(&bytes[65..]));
        z - c * scalar(&receiver.to_bytes().expose(|bytes| *bytes))
    };
    assert_ne!(nonce(CONTEXT), nonce(DealContext { dealer: 12, ..CONTEXT }));
    assert_eq!(nonce(CONTEXT), nonce(CONTEXT));
}

#[test]
fn envelopes_open_for_their_operator_and_carry_the_share() {
    let receiver = SecretKey::generate(&mut rng(10));
    let ctx = EnvelopeContext { ceremony_id: &CEREMONY, operator_id: 5 };
    let shares = shares(3);
    let validators: Vec<_> = (0..3).map(|_| bls::SecretKey::generate(&mut rng(11)).public_key()).collect();
    let envelopes = seal_envelopes(&receiver.public_key(), ctx, &validators, &shares, &mut rng(12)).unwrap();
    for (k, envelope) in envelopes.iter().enumerate() {
        let share = open_envelope(&receiver, ctx, &validators[k], envelope).unwrap();
        assert!(share.to_bytes().ct_eq(&shares.secret_key(k).unwrap().to_bytes()));
        // One ephemeral key for the call, another nonce for each.
        assert_eq!(envelope.to_bytes()[..33], envelopes[0].to_bytes()[..33]);
        assert!(k == 0 || envelope.to_bytes()[33..45] != envelopes[0].to_bytes()[33..45]);
        let text = serde_json::to_string(envelope).unwrap();
        assert_eq!(text.len(), 2 + 2 + 186);
        assert_eq!(serde_json::from_str::<Envelope>(&text).unwrap(), *envelope);
    }
    let error = seal_envelopes(&receiver.public_key(), ctx, &validators[..2], &shares, &mut rng(12)).unwrap_err();
    assert_eq!(error, SealError::Mismatch { shares: 3, validators: 2 });
}

#[test]
fn an_envelope_is_bound_to_validator_operator_ceremony_and_every_byte() {
    let (receiver, stranger) = (SecretKey::generate(&mut rng(13)), SecretKey::generate(&mut rng(14)));
    let ctx = EnvelopeContext { ceremony_id: &CEREMONY, operator_id: 5 };
    let [validator, other] = [15, 16].map(|seed| bls::SecretKey::generate(&mut rng(seed)).public_key());
    let envelope = seal_envelopes(&receiver.public_key(), ctx, &[validator], &shares(1), &mut rng(17)).unwrap()[0];
    let open = |receiver: &SecretKey, ctx, validator: &bls::PublicKey, envelope: &Envelope| {
        open_envelope(receiver, ctx, validator, envelope).map(|_| ())
    };
    assert_eq!(open(&receiver, ctx, &validator, &envelope), Ok(()));
    assert_eq!(open(&stranger, ctx, &validator, &envelope), Err(OpenError::Tag));
    assert_eq!(open(&receiver, ctx, &other, &envelope), Err(OpenError::Tag));
    let operator = EnvelopeContext { operator_id: 6, ..ctx };
    assert_eq!(open(&receiver, operator, &validator, &envelope), Err(OpenError::Tag));
    let ceremony = EnvelopeContext { ceremony_id: &OTHER_CEREMONY, ..ctx };
    assert_eq!(open(&receiver, ceremony, &validator, &envelope), Err(OpenError::Tag));
    for position in 0..93 {
        let mut bytes = envelope.to_bytes();
        bytes[position] ^= 1;
        let changed = Envelope::from_bytes(&bytes).unwrap();
        let error = open(&receiver, ctx, &validator, &changed).unwrap_err();
        assert!(matches!(error, OpenError::Tag | OpenError::Ephemeral), "byte {position}: {error}");
    }
}

#[test]
fn scalars_of_the_group_order_and_above_are_refused() {
    let order = hex::decode("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001").unwrap();
    let two = [vec![0; 32], order].concat();
    assert_eq!(SecretVector::from_bytes(&two, 2).unwrap_err(), VectorError::Scalar { position: 1 });
    assert!(SecretVector::from_bytes(&two[..32], 1).unwrap().secret_key(0).is_none());
    let error = SecretVector::from_bytes(&two[..63], 2).unwrap_err();
    assert_eq!(error, VectorError::WrongLength { expected: 64, got: 63 });
}
