//! Threshold signatures: vectors of herumi, combination, blame.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use cluster_crypto::bls::{self, HashedMessage, PublicKey, Signature};
use cluster_crypto::feldman::Commitments;
use cluster_crypto::polynomial::{InterpolateError, Polynomials, SecretVector};
use cluster_crypto::primitives::{g2_negate, g2_sum};
use cluster_crypto::threshold::{
    combine, recover, sign_partial, sign_partials, sign_same_message, verify_combined, verify_partials, CombineError,
    Partial, SignError,
};
use cluster_crypto::{ShareIndex, Threshold, ThresholdError};
use common::{g1, g2, outside_subgroup, read_json, rng, threshold, unhex, vectors, SIZES};

fn index(i: u64) -> ShareIndex {
    ShareIndex::new(u8::try_from(i).unwrap()).unwrap()
}

/// K keys, their messages, and every operator's shares and partials.
struct Cluster {
    threshold: Threshold,
    commitments: Commitments,
    messages: Vec<HashedMessage>,
    partials: Vec<Vec<Partial>>,
}

impl Cluster {
    fn new(n: usize, k: usize, seed: u64) -> Self {
        // Half of the messages are equal, as in duties; the others distinct, as in deposits.
        Self::with_messages(n, k, seed, |i| (i / 2 * 2 + i % 2 * (i % 4 / 2)) as u8)
    }

    fn of_one_message(n: usize, k: usize, seed: u64) -> Self {
        Self::with_messages(n, k, seed, |_| 0)
    }

    fn with_messages(n: usize, k: usize, seed: u64, message: impl Fn(usize) -> u8) -> Self {
        let threshold = threshold(n);
        let polynomials = Polynomials::sample(k, threshold, &mut rng(seed));
        let messages: Vec<_> = (0..k).map(|i| HashedMessage::new(&[message(i); 32])).collect();
        let partials = ShareIndex::all(threshold)
            .map(|index| sign_partials(&polynomials.shares_for(index), threshold, &messages).unwrap())
            .collect();
        Self { threshold, commitments: polynomials.commit(), messages, partials }
    }

    fn of(&self, indices: &[ShareIndex]) -> Vec<(ShareIndex, &[Partial])> {
        indices.iter().map(|index| (*index, self.partials[usize::from(index.get()) - 1].as_slice())).collect()
    }

    fn combine(&self, indices: &[ShareIndex]) -> Option<Vec<Signature>> {
        let candidates = combine(self.threshold, &self.of(indices)).unwrap();
        verify_combined(&self.commitments.group_keys(), &self.messages, candidates, &mut rng(1))
    }

    fn blame(&self, operator: ShareIndex) -> bool {
        let keys = self.commitments.share_keys(operator);
        let partials = &self.partials[usize::from(operator.get()) - 1];
        verify_partials(self.threshold, &keys, &self.messages, partials, &mut rng(2))
    }

    fn first(&self) -> Vec<ShareIndex> {
        ShareIndex::all(self.threshold).take(self.threshold.t()).collect()
    }

    fn last(&self) -> Vec<ShareIndex> {
        ShareIndex::all(self.threshold).skip(self.threshold.f()).collect()
    }

    fn alternating(&self) -> Vec<ShareIndex> {
        let (odd, even): (Vec<_>, Vec<_>) = ShareIndex::all(self.threshold).partition(|index| index.get() % 2 == 1);
        even.into_iter().rev().chain(odd).take(self.threshold.t()).collect()
    }

    fn change(&mut self, operator: usize, position: usize, by: &[u8; 192]) {
        let partial = &mut self.partials[operator][position];
        *partial = Partial::from_bytes(&g2_sum(&partial.to_bytes(), by).unwrap()).unwrap();
    }
}

#[test]
fn shares_partials_and_recoveries_of_herumi() {
    for n in SIZES {
        let threshold = threshold(n);
        let name = format!("herumi-threshold-generated/herumi_threshold_{}_of_{n}.json", threshold.t());
        let file = read_json(vectors(&name));
        let points: Vec<u8> = file["commitments_g1"].as_array().unwrap().iter().flat_map(g1).collect();
        let commitments = Commitments::from_bytes(&points, 1, threshold).unwrap();
        let message = HashedMessage::new(&unhex(&file["message"]));
        let group = PublicKey::from_bytes(&unhex(&file["group_public_key"])).unwrap();
        assert_eq!(commitments.group_keys(), [group]);
        let (mut standard, mut scaled) = (Vec::new(), Vec::new());
        for share in file["shares"].as_array().unwrap() {
            let id = index(share["id"].as_u64().unwrap());
            let vector = SecretVector::from_bytes(&unhex(&share["secret_share"]), 1).unwrap();
            assert!(commitments.verify_shares(id, &vector, &mut rng(3)));
            let key = PublicKey::from_bytes(&unhex(&share["public_share"])).unwrap();
            assert_eq!(commitments.share_keys(id), [key]);
            let signature = vector.secret_key(0).unwrap().sign(&message);
            assert_eq!(signature.to_bytes().to_vec(), unhex(&share["partial_signature"]));
            let partials = sign_partials(&vector, threshold, &[message]).unwrap();
            assert!(verify_partials(threshold, &[key], &[message], &partials, &mut rng(4)));
            standard.push((id, signature));
            scaled.push((id, partials));
        }
        for recovery in file["recoveries"].as_array().unwrap() {
            let ids: Vec<_> =
                recovery["ids"].as_array().unwrap().iter().map(|id| index(id.as_u64().unwrap())).collect();
            let chosen: Vec<_> = standard.iter().filter(|(id, _)| ids.contains(id)).copied().collect();
            let partials: Vec<_> =
                scaled.iter().filter(|(id, _)| ids.contains(id)).map(|(id, p)| (*id, p.as_slice())).collect();
            if ids.len() != threshold.t() {
                let error = InterpolateError::Count { expected: threshold.t(), got: ids.len() };
                assert_eq!(recover(&chosen, threshold).unwrap_err(), CombineError::Indices(error));
                assert_eq!(combine(threshold, &partials).unwrap_err(), CombineError::Indices(error));
                continue;
            }
            assert!(recovery["valid_under_group_key"].as_bool().unwrap());
            let expected = unhex(&recovery["recovered_signature"]);
            let recovered = recover(&chosen, threshold).unwrap();
            assert_eq!(recovered.to_bytes().to_vec(), expected, "{ids:?}");
            assert!(bls::verify(&group, &message, &recovered));
            let candidates = combine(threshold, &partials).unwrap();
            let verified = verify_combined(&[group], &[message], candidates, &mut rng(5)).unwrap();
            assert_eq!(verified[0].to_bytes().to_vec(), expected, "{ids:?}");
        }
    }
}

/// With t-1 operators in the place of t, whatever the last one sends, the result is wrong.
#[test]
fn one_share_too_few_gives_no_signature() {
    for n in SIZES {
        let mut cluster = Cluster::new(n, 1, 6);
        let first = cluster.first();
        assert!(cluster.combine(&first).is_some());
        cluster.partials[0] = cluster.partials[n - 1].clone();
        assert!(cluster.combine(&first).is_none());
        assert!(cluster.combine(&cluster.last()).is_some());
    }
}

/// With and without the table of multiples of the message.
#[test]
fn many_shares_sign_one_message_as_each_of_them_does() {
    let message = HashedMessage::new(b"attestation");
    for n in SIZES {
        let threshold = threshold(n);
        let polynomials = Polynomials::sample(40, threshold, &mut rng(20));
        for index in ShareIndex::all(threshold) {
            let shares = polynomials.shares_for(index);
            let keys: Vec<_> = (0..40).map(|k| shares.secret_key(k).unwrap()).collect();
            let each: Vec<_> = keys.iter().map(|key| sign_partial(key, threshold, &message).unwrap()).collect();
            assert_eq!(sign_partials(&shares, threshold, &[message; 40]).unwrap(), each);
            for count in [0, 1, 5, 6, 40] {
                let some: Vec<_> = keys.iter().take(count).collect();
                assert_eq!(sign_same_message(&some, threshold, &message), each[..count]);
            }
        }
    }
}

#[test]
fn any_subset_combines_and_partials_verify_for_every_size_and_many_keys() {
    for n in SIZES {
        // 130 signatures are checked for the group by random combinations, 3 one by one.
        for k in [1, 3, 130] {
            let cluster = Cluster::new(n, k, 7);
            let signatures = cluster.combine(&cluster.first()).unwrap();
            assert_eq!(cluster.combine(&cluster.last()).unwrap(), signatures);
            assert_eq!(cluster.combine(&cluster.alternating()).unwrap(), signatures);
            for operator in ShareIndex::all(cluster.threshold).take(2) {
                assert!(cluster.blame(operator));
            }
            let (key, message) = (cluster.commitments.group_keys()[0], cluster.messages[0]);
            assert!(bls::verify(&key, &message, &signatures[0]));
        }
    }
}

#[test]
fn a_bad_partial_among_good_ones_spoils_the_batch_and_names_its_signer() {
    for n in SIZES {
        let mut cluster = Cluster::new(n, 5, 8);
        let stranger = Cluster::new(n, 5, 9).partials[1][3];
        cluster.partials[1][3] = stranger;
        assert!(cluster.combine(&cluster.first()).is_none());
        for operator in ShareIndex::all(cluster.threshold) {
            assert_eq!(cluster.blame(operator), operator.get() != 2);
        }
        let without: Vec<_> =
            ShareIndex::all(cluster.threshold).filter(|i| i.get() != 2).take(cluster.threshold.t()).collect();
        assert!(cluster.combine(&without).is_some());
    }
}

/// One operator adds a point to one partial and takes it away from another: their plain sum is right.
#[test]
fn partials_that_cancel_within_one_operator_are_found() {
    let mut cluster = Cluster::of_one_message(4, 2, 10);
    assert!(cluster.blame(index(1)));
    let extra = Cluster::new(4, 1, 11).partials[0][0].to_bytes();
    cluster.change(0, 0, &extra);
    cluster.change(0, 1, &g2_negate(&extra).unwrap());
    assert!(!cluster.blame(index(1)));
    assert!(cluster.combine(&cluster.first()).is_none());
}

/// Two operators change their partials for two validators of one message, so that the two combined signatures of
/// {1, 2, 3} are wrong and their plain sum is right: 3 * 1 coefficients are (9, -9, 3).
#[test]
fn partials_of_two_operators_that_cancel_between_validators_are_found() {
    // 70 signatures are checked for the group by combinations, 2 one by one.
    for k in [2, 70] {
        let mut cluster = Cluster::of_one_message(4, k, 18);
        assert!(cluster.combine(&cluster.first()).is_some());
        let extra = Cluster::new(4, 1, 19).partials[0][0].to_bytes();
        cluster.change(0, 0, &extra);
        cluster.change(1, 1, &extra);
        let candidates = combine(cluster.threshold, &cluster.of(&cluster.first())).unwrap();
        assert!(
            verify_combined(&cluster.commitments.group_keys(), &cluster.messages, candidates, &mut rng(1)).is_none()
        );
        let blamed: Vec<_> =
            ShareIndex::all(cluster.threshold).filter(|i| !cluster.blame(*i)).map(ShareIndex::get).collect();
        assert_eq!(blamed, [1, 2]);
    }
}

/// Two operators change their partials so that the combined signature of {1, 2, 3} stays right: 3 * 1
/// coefficients are (9, -9, 3), so adding the same point to the first two cancels out. The signature comes
/// out and neither is hurt; alone, each is found.
#[test]
fn partials_that_cancel_between_two_operators_are_found_when_asked() {
    let mut cluster = Cluster::new(4, 1, 12);
    let extra = Cluster::new(4, 1, 13).partials[0][0].to_bytes();
    cluster.change(0, 0, &extra);
    cluster.change(1, 0, &extra);
    assert!(cluster.combine(&cluster.first()).is_some());
    assert!(cluster.combine(&cluster.last()).is_none());
    let blamed: Vec<_> =
        ShareIndex::all(cluster.threshold).filter(|i| !cluster.blame(*i)).map(ShareIndex::get).collect();
    assert_eq!(blamed, [1, 2]);
}

/// A pairing does not always see a part of small order; the combined signature would be refused everywhere.
#[test]
fn partials_outside_the_subgroup_are_found_for_few_and_for_many_keys() {
    for k in [1, 140] {
        let honest = Cluster::new(4, k, 14);
        for point in outside_subgroup("G2").iter().step_by(2) {
            let mut cluster = Cluster {
                partials: honest.partials.clone(),
                messages: honest.messages.clone(),
                commitments: honest.commitments.clone(),
                ..honest
            };
            cluster.change(2, k / 2, &g2(point));
            assert!(cluster.combine(&cluster.first()).is_none(), "{point}");
            assert!(!cluster.blame(index(3)), "{point}");
            assert!(cluster.blame(index(2)));
        }
    }
}

#[test]
fn wrong_shapes_are_refused() {
    let cluster = Cluster::new(4, 3, 15);
    let keys = cluster.commitments.share_keys(index(1));
    let verify = |keys: &[PublicKey], messages: &[HashedMessage], partials: &[Partial]| {
        verify_partials(cluster.threshold, keys, messages, partials, &mut rng(16))
    };
    assert!(verify(&keys, &cluster.messages, &cluster.partials[0]));
    assert!(!verify(&keys[..2], &cluster.messages, &cluster.partials[0]));
    assert!(!verify(&keys, &cluster.messages[..2], &cluster.partials[0]));
    assert!(!verify(&keys, &cluster.messages, &cluster.partials[0][..2]));
    let mut operators = cluster.of(&cluster.first());
    operators[1].1 = &cluster.partials[1][..2];
    let error = CombineError::Mismatch { index: 2, expected: 3, got: 2 };
    assert_eq!(combine(cluster.threshold, &operators).unwrap_err(), error);
    operators[1] = operators[0];
    let error = CombineError::Indices(InterpolateError::Duplicate { index: 1 });
    assert_eq!(combine(cluster.threshold, &operators).unwrap_err(), error);
    let shares = Polynomials::sample(2, cluster.threshold, &mut rng(17)).shares_for(index(1));
    let error = sign_partials(&shares, cluster.threshold, &cluster.messages).unwrap_err();
    assert_eq!(error, SignError::Mismatch { shares: 2, messages: 3 });
    let zero = SecretVector::from_bytes(&[0; 96], 3).unwrap();
    let error = sign_partials(&zero, cluster.threshold, &cluster.messages).unwrap_err();
    assert_eq!(error, SignError::ZeroShare { position: 0 });
}

#[test]
fn committees_have_four_sizes() {
    let sizes: Vec<_> =
        (0..40).filter_map(|n| Threshold::for_operators(n).ok()).map(|t| (t.n(), t.t(), t.f())).collect();
    assert_eq!(sizes, [(4, 3, 1), (7, 5, 2), (10, 7, 3), (13, 9, 4)]);
    assert_eq!(Threshold::for_operators(5).unwrap_err(), ThresholdError::Size { n: 5 });
    assert!(serde_json::from_str::<Threshold>("5").is_err());
    assert_eq!(serde_json::from_str::<Threshold>("7").unwrap(), threshold(7));
}
