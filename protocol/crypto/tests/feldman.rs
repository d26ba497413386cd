//! Commitments, share verification, proofs of knowledge.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use cluster_crypto::bls::{PublicKey, SecretKey};
use cluster_crypto::feldman::{CommitmentError, Commitments};
use cluster_crypto::polynomial::{interpolate_at, InterpolateError, Polynomials, SecretVector, VectorError};
use cluster_crypto::primitives::{g1_sum, g1_uncompress};
use cluster_crypto::proof::KnowledgeProof;
use cluster_crypto::ShareIndex;
use common::{g1, outside_subgroup, read_json, rng, threshold, unhex, unhex_array, vectors, SIZES};
use rand_core::RngCore;
use serde_json::Value;

fn index(i: usize) -> ShareIndex {
    ShareIndex::new(u8::try_from(i).unwrap()).unwrap()
}

fn vector_of(share: &Value) -> SecretVector {
    SecretVector::from_bytes(&unhex(share), 1).unwrap()
}

/// The vector with the scalar at `position` one higher.
fn with_wrong_share(shares: &SecretVector, position: usize) -> SecretVector {
    let mut bytes = shares.to_bytes().expose(Clone::clone);
    bytes[32 * position + 31] ^= 1;
    SecretVector::from_bytes(&bytes, shares.len()).unwrap()
}

#[test]
fn commitments_and_shares_of_kryptology_verify_and_sum_to_its_keys() {
    for n in SIZES {
        let threshold = threshold(n);
        let file = format!("kryptology-frost-generated/kryptology_frost_{}_of_{n}.json", threshold.t());
        let transcript = read_json(vectors(&file));
        let participants = transcript["participants"].as_array().unwrap();
        assert_eq!(participants.len(), n);
        let dealers: Vec<_> = participants
            .iter()
            .map(|participant| {
                let points: Vec<u8> = participant["commitments"].as_array().unwrap().iter().flat_map(g1).collect();
                Commitments::from_bytes(&points, 1, threshold).unwrap()
            })
            .collect();
        let sum = Commitments::sum(&dealers.iter().collect::<Vec<_>>()).unwrap();
        assert!(sum.check_subgroup(&mut rng(1)));
        for (receiver, participant) in (1..).zip(participants) {
            let mut own = vector_of(&participant["own_share"]);
            for (dealer, (commitments, sender)) in (1..).zip(dealers.iter().zip(participants)) {
                if dealer == receiver {
                    assert!(commitments.verify_shares(index(receiver), &own, &mut rng(2)));
                    continue;
                }
                let share = vector_of(&sender["shares_to"][receiver.to_string()]);
                assert!(
                    commitments.verify_shares(index(receiver), &share, &mut rng(3)),
                    "{dealer} to {receiver} of {n}"
                );
                assert!(!commitments.verify_shares(index(receiver % n + 1), &share, &mut rng(3)));
            }
            for sender in participants {
                if let Some(share) = sender["shares_to"].get(receiver.to_string()) {
                    own.add(&vector_of(share)).unwrap();
                }
            }
            assert_eq!(own.to_bytes().expose(Clone::clone), unhex(&participant["sk_share"]));
            let key = PublicKey::from_bytes(&unhex(&participant["vk_share"])).unwrap();
            assert_eq!(sum.share_keys(index(receiver)), [key]);
            assert_eq!(own.secret_key(0).unwrap().public_key(), key);
            assert_eq!(sum.group_keys()[0].to_bytes().to_vec(), unhex(&participant["verification_key"]));
        }
    }
}

#[test]
fn right_shares_verify_and_one_wrong_among_many_does_not_for_every_size() {
    let mut rng = rng(4);
    for n in SIZES {
        let threshold = threshold(n);
        for k in [1, 2, 33] {
            let polynomials = Polynomials::sample(k, threshold, &mut rng);
            let commitments = polynomials.commit();
            assert!(commitments.check_subgroup(&mut rng));
            for receiver in ShareIndex::all(threshold) {
                let shares = polynomials.shares_for(receiver);
                assert!(commitments.verify_shares(receiver, &shares, &mut rng), "{k} right shares of {n}");
                let other = index(usize::from(receiver.get()) % n + 1);
                assert!(!commitments.verify_shares(other, &shares, &mut rng), "shares of another index");
                for position in [0, k - 1] {
                    let wrong = with_wrong_share(&shares, position);
                    assert!(!commitments.verify_shares(receiver, &wrong, &mut rng), "share {position} of {k} is wrong");
                }
                let keys: Vec<_> = (0..k).map(|i| shares.secret_key(i).unwrap().public_key()).collect();
                assert_eq!(commitments.share_keys(receiver), keys);
            }
        }
    }
}

#[test]
fn errors_that_cancel_in_a_plain_sum_do_not_pass() {
    let (mut rng, threshold) = (rng(5), threshold(4));
    let polynomials = Polynomials::sample(2, threshold, &mut rng);
    let commitments = polynomials.commit();
    let mut shares = polynomials.shares_for(index(1));
    let delta = SecretKey::generate(&mut rng);
    let bytes = delta.to_bytes().expose(|bytes| *bytes);
    // One share gets delta too much, the other as much too little: r - delta, by big-endian subtraction.
    let order = unhex(&"73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001".into());
    let (mut opposite, mut borrow) = ([0u8; 32], 0i16);
    for i in (0..32).rev() {
        let digit = i16::from(order[i]) - i16::from(bytes[i]) - borrow;
        borrow = i16::from(digit < 0);
        opposite[i] = digit.rem_euclid(256) as u8;
    }
    shares.add(&SecretVector::from_bytes(&[bytes, opposite].concat(), 2).unwrap()).unwrap();
    assert!(!commitments.verify_shares(index(1), &shares, &mut rng));
}

#[test]
fn a_vector_of_shares_of_another_length_is_refused() {
    let (mut rng, threshold) = (rng(6), threshold(4));
    let polynomials = Polynomials::sample(3, threshold, &mut rng);
    let commitments = polynomials.commit();
    for k in [0, 2, 4] {
        let shares = Polynomials::sample(k, threshold, &mut rng).shares_for(index(1));
        assert!(!commitments.verify_shares(index(1), &shares, &mut rng));
    }
    let mut three = polynomials.shares_for(index(1));
    let two = SecretVector::from_bytes(&[1; 64], 2).unwrap();
    assert_eq!(three.add(&two).unwrap_err(), VectorError::Mismatch { left: 3, right: 2 });
}

#[test]
fn a_higher_or_lower_degree_is_refused_by_length() {
    let mut rng = rng(7);
    for n in SIZES {
        let threshold = threshold(n);
        let bytes = Polynomials::sample(2, threshold, &mut rng).commit().to_bytes();
        assert!(Commitments::from_bytes(&bytes, 2, threshold).is_ok());
        let expected = 2 * threshold.t() * 96;
        for got in [expected + 2 * 96, expected - 96, expected + 1, 0] {
            let mut changed = bytes.clone();
            changed.resize(got, 7);
            let error = Commitments::from_bytes(&changed, 2, threshold).unwrap_err();
            assert_eq!(error, CommitmentError::WrongLength { expected, got });
        }
        assert!(Commitments::from_bytes(&bytes, usize::MAX, threshold).is_err());
    }
}

#[test]
fn identity_and_points_off_the_curve_are_refused_by_position() {
    let threshold = threshold(4);
    let bytes = Polynomials::sample(3, threshold, &mut rng(8)).commit().to_bytes();
    let at = |point: [u8; 96]| {
        let mut changed = bytes.clone();
        changed[96 * 7..96 * 8].copy_from_slice(&point);
        Commitments::from_bytes(&changed, 3, threshold).unwrap_err()
    };
    let mut identity = [0; 96];
    identity[0] = 0x40;
    assert_eq!(at(identity), CommitmentError::Identity { key: 2, coefficient: 1 });
    assert_eq!(at([1; 96]), CommitmentError::Point { key: 2, coefficient: 1 });
    // The compressed form of a right point in the first half.
    let mut compressed = [0; 96];
    compressed[..48]
        .copy_from_slice(&Polynomials::sample(1, threshold, &mut rng(9)).commit().group_keys()[0].to_bytes());
    assert_eq!(at(compressed), CommitmentError::Point { key: 2, coefficient: 1 });
}

#[test]
fn sums_that_cancel_or_differ_in_shape_are_refused() {
    let (mut rng, threshold) = (rng(10), threshold(4));
    let commitments = Polynomials::sample(2, threshold, &mut rng).commit();
    let mut opposite = commitments.to_bytes();
    for point in opposite.chunks_exact_mut(96) {
        negate_y(point);
    }
    let opposite = Commitments::from_bytes(&opposite, 2, threshold).unwrap();
    let error = Commitments::sum(&[&commitments, &opposite]).unwrap_err();
    assert_eq!(error, CommitmentError::Identity { key: 0, coefficient: 0 });
    let longer = Polynomials::sample(3, threshold, &mut rng).commit();
    assert_eq!(Commitments::sum(&[&commitments, &longer]).unwrap_err(), CommitmentError::Shape);
    assert_eq!(Commitments::sum(&[]).unwrap_err(), CommitmentError::Shape);
}

/// Replaces y by p - y in an uncompressed point.
fn negate_y(point: &mut [u8]) {
    let p = unhex(
        &"1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab".into(),
    );
    let mut borrow = 0i16;
    for i in (0..48).rev() {
        let digit = i16::from(p[i]) - i16::from(point[48 + i]) - borrow;
        borrow = i16::from(digit < 0);
        point[48 + i] = digit.rem_euclid(256) as u8;
    }
}

/// Every vector of a point outside the subgroup, alone and hidden among many, over many seeds: no miss
/// allowed.
#[test]
fn no_point_outside_the_subgroup_is_ever_missed() {
    let threshold = threshold(13);
    // 15 keys of 9 coefficients are checked by random subset sums, one key point by point.
    for (k, seeds) in [(1, 1), (15, 20)] {
        let honest = Polynomials::sample(k, threshold, &mut rng(11)).commit();
        assert!(honest.check_subgroup(&mut rng(12)));
        let mut checked = 0;
        for point in outside_subgroup("G1") {
            let Some(point) = g1_uncompress(&unhex_array(&point)) else {
                // The point of order 3 has x = 0 and is no point for the decoder already.
                checked += seeds;
                continue;
            };
            let bytes = honest.to_bytes();
            for seed in 0..seeds {
                let mut rng = rng(100 + seed);
                let position = rng.next_u32() as usize % (k * threshold.t());
                let mut changed = bytes.clone();
                changed[96 * position..96 * (position + 1)].copy_from_slice(&point);
                let commitments = Commitments::from_bytes(&changed, k, threshold).unwrap();
                assert!(!commitments.check_subgroup(&mut rng), "seed {seed}");
                checked += 1;
            }
        }
        assert_eq!(checked, 10 * seeds);
    }
}

/// Whoever checks a share must come to the same verdict, whatever randomisers it draws: evidence depends on
/// it.
#[test]
fn small_order_parts_do_not_change_the_verdict_on_shares_or_knowledge() {
    let (mut rng, threshold, context) = (rng(13), threshold(4), [7; 32]);
    for k in [1, 5] {
        let polynomials = Polynomials::sample(k, threshold, &mut rng);
        for torsion in outside_subgroup("G1").iter().step_by(2).skip(1) {
            let torsion = g1_uncompress(&unhex_array(torsion)).unwrap();
            let mut bytes = polynomials.commit().to_bytes();
            let point: [u8; 96] = bytes[..96].try_into().unwrap();
            bytes[..96].copy_from_slice(&g1_sum(&point, &torsion).unwrap());
            let commitments = Commitments::from_bytes(&bytes, k, threshold).unwrap();
            let shares = polynomials.shares_for(index(2));
            let proof = polynomials.prove_knowledge(&context, &commitments, &mut rng);
            for _ in 0..10 {
                assert!(commitments.verify_shares(index(2), &shares, &mut rng));
                assert!(!commitments.verify_shares(index(2), &with_wrong_share(&shares, 0), &mut rng));
            }
            assert!(commitments.verify_knowledge(&context, &proof));
            assert!(!commitments.check_subgroup(&mut rng));
        }
    }
}

#[test]
fn a_proof_of_knowledge_holds_for_its_own_context_and_commitments_alone() {
    let mut rng = rng(14);
    for n in SIZES {
        for k in [1, 9] {
            let threshold = threshold(n);
            let polynomials = Polynomials::sample(k, threshold, &mut rng);
            let commitments = polynomials.commit();
            let proof = polynomials.prove_knowledge(&[1; 32], &commitments, &mut rng);
            assert!(commitments.verify_knowledge(&[1; 32], &proof));
            assert!(!commitments.verify_knowledge(&[2; 32], &proof), "another context");
            let other = Polynomials::sample(k, threshold, &mut rng);
            assert!(!other.commit().verify_knowledge(&[1; 32], &proof), "another dealer's commitments");
            let stolen = other.prove_knowledge(&[1; 32], &commitments, &mut rng);
            assert!(!commitments.verify_knowledge(&[1; 32], &stolen), "without the constant terms");
            for position in [47, 79] {
                let mut bytes = proof.to_bytes();
                bytes[position] ^= 1;
                let changed = KnowledgeProof::from_bytes(&bytes);
                assert!(changed.map_or(true, |changed| !commitments.verify_knowledge(&[1; 32], &changed)));
            }
            assert_eq!(KnowledgeProof::from_bytes(&proof.to_bytes()).unwrap(), proof);
        }
    }
}

/// A restored machine may draw the same randomness for another statement; equal nonces would give the keys
/// away.
#[test]
fn proof_nonces_differ_for_different_statements_under_equal_randomness() {
    let polynomials = Polynomials::sample(2, threshold(4), &mut rng(15));
    let commitments = polynomials.commit();
    let prove = |context| polynomials.prove_knowledge(&[context; 32], &commitments, &mut rng(16)).to_bytes();
    assert_ne!(prove(1)[..48], prove(2)[..48]);
    assert_eq!(prove(1), prove(1));
}

#[test]
fn interpolation_refuses_wrong_counts_duplicates_and_foreign_indices() {
    let threshold = threshold(4);
    let polynomials = Polynomials::sample(2, threshold, &mut rng(17));
    let shares = |indices: &[usize]| -> Vec<_> {
        indices.iter().map(|i| (index(*i), polynomials.shares_for(index(*i)))).collect()
    };
    let at =
        |x: usize, indices: &[usize]| interpolate_at(index(x), &shares(indices), threshold).map(|_| ()).unwrap_err();
    assert_eq!(at(4, &[1, 2]), InterpolateError::Count { expected: 3, got: 2 });
    assert_eq!(at(4, &[1, 2, 3, 4]), InterpolateError::Count { expected: 3, got: 4 });
    assert_eq!(at(4, &[1, 2, 2]), InterpolateError::Duplicate { index: 2 });
    assert_eq!(at(4, &[1, 2, 5]), InterpolateError::Index { index: 5 });
    assert_eq!(at(5, &[1, 2, 3]), InterpolateError::Index { index: 5 });
    assert!(ShareIndex::new(0).is_none());
}
