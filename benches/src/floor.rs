//! The primitives that no implementation of the protocol can do without, with the methods of their lowest known cost.

use std::{hint::black_box, time::Duration};

use cluster_crypto::{
    bls::HashedMessage, feldman::Commitments, hash::TaggedHash, identity, polynomial::Polynomials,
    primitives::Operands, ShareIndex, Threshold,
};

use crate::{cpu_time, rng};

/// Messages of one operator in a ceremony: commit, deal, echo, verdict, receipt, partials, certify.
const MESSAGES: usize = 7;

/// One kind of primitive and what all its calls take.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// What it is.
    pub name: &'static str,
    /// Processor time of all calls together.
    pub time: Duration,
}

/// The operands for one operator's part of a ceremony of `n` operators and `k` validators.
pub struct Ceremony {
    threshold: Threshold,
    /// The largest index: the dearest for Horner's rule.
    last: ShareIndex,
    k: usize,
    operands: Operands,
    commitments: Commitments,
    commitment_bytes: Vec<u8>,
    coefficients: Operands,
    identity: identity::SecretKey,
    signature: identity::Signature,
}

impl Ceremony {
    /// Draws the operands; `None` when `n` is not the size of a committee.
    #[must_use]
    pub fn new(n: usize, k: usize) -> Option<Self> {
        let threshold = Threshold::for_operators(n).ok()?;
        let rng = &mut rng();
        let commitments = Polynomials::sample(k, threshold, rng).commit();
        let identity = identity::SecretKey::generate(rng);
        Some(Self {
            threshold,
            last: ShareIndex::all(threshold).last()?,
            k,
            operands: Operands::new(k, rng),
            commitment_bytes: commitments.to_bytes(),
            commitments,
            coefficients: Operands::new(k * threshold.t(), rng),
            signature: identity.sign(&[1; 32]),
            identity,
        })
    }

    /// Performs every primitive as often as one operator must.
    #[must_use]
    pub fn run(&self) -> Vec<Part> {
        let mut parts = self.key_generation();
        parts.extend(self.deposit_signatures());
        parts
    }

    /// Commitments, reading and adding those of the others, the two checks of the sum, and all public keys.
    fn key_generation(&self) -> Vec<Part> {
        let (n, t, k) = (self.threshold.n(), self.threshold.t(), self.k);
        let rng = &mut rng();
        vec![
            part("t commitments, fixed base", || times(k * t, || self.operands.g1_fixed_base())),
            part("hash of n dealings", || {
                let sealed = vec![0; n * 32 * k];
                times(n, || TaggedHash::new("bench").bytes(&self.commitment_bytes).bytes(&sealed).finish());
            }),
            part("read (n-1) t points", || {
                times(n - 1, || Commitments::from_bytes(&self.commitment_bytes, k, self.threshold));
            }),
            part("add (n-1) t points", || times((n - 1) * k * t, || self.operands.g1_add())),
            part("subgroup of t summed points", || self.coefficients.all_in_g1(rng)),
            part("check of the summed shares", || {
                black_box(self.commitments.share_keys(self.last));
                self.operands.g1_msm_128();
                self.operands.g1_fixed_base();
            }),
            part("n share keys", || {
                for index in ShareIndex::all(self.threshold) {
                    black_box(self.commitments.share_keys(index));
                }
            }),
            part("signatures of messages (secp256k1)", || {
                times(MESSAGES, || self.identity.sign(&[1; 32]));
                let key = self.identity.public_key();
                times(MESSAGES * (n - 1), || key.verify(&[1; 32], &self.signature));
            }),
        ]
    }

    /// One deposit signature for every validator.
    fn deposit_signatures(&self) -> Vec<Part> {
        let (t, k) = (self.threshold.t(), self.k);
        let rng = &mut rng();
        vec![
            part("1 hash to G2", || times(k, || HashedMessage::new(&[7; 32]))),
            part("1 partial signature, G2", || times(k, || self.operands.g2_multiply())),
            part("combination, t-1 additions in G2", || times(k * (t - 1), || self.operands.g2_add())),
            part("subgroup of the signature", || self.operands.all_in_g2(rng)),
            part("randomisers of the batch, G1 and G2", || {
                times(k, || self.operands.g1_multiply_64());
                self.operands.g2_msm_64();
            }),
            part("1 Miller loop, and one for all", || {
                self.operands.miller_loops();
                // Preparing it takes the loop of the summed signature.
                self.operands.final_exponentiation()();
            }),
        ]
    }
}

/// The sum of the parts.
#[must_use]
pub fn total(parts: &[Part]) -> Duration {
    parts.iter().map(|part| part.time).sum()
}

/// Part by part the shorter of two runs, so that a disturbance of one part does not spoil the sum.
#[must_use]
pub fn shorter(a: Vec<Part>, b: &[Part]) -> Vec<Part> {
    a.into_iter().zip(b).map(|(a, b)| Part { name: a.name, time: a.time.min(b.time) }).collect()
}

fn part(name: &'static str, work: impl FnOnce()) -> Part {
    Part { name, time: cpu_time(work).0 }
}

fn times<T>(count: usize, mut work: impl FnMut() -> T) {
    for _ in 0..count {
        black_box(work());
    }
}
