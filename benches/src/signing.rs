//! Threshold signatures: what an operator does with its share, with t vectors of partial signatures, and with a liar.

use std::time::Duration;

use cluster_crypto::{
    bls::{HashedMessage, PublicKey},
    polynomial::{Polynomials, SecretVector},
    primitives::Operands,
    threshold::{combine, sign_partials, verify_combined, verify_partials, Partial},
    ShareIndex, Threshold,
};

use crate::{fastest, rng};

/// Whether the K messages differ, as deposits do, or are one, as in the duties of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Messages {
    /// K messages.
    Distinct,
    /// One message for all K.
    Same,
}

/// K validators of a committee of n, and a quorum's partial signatures.
pub struct Committee {
    threshold: Threshold,
    share: SecretVector,
    group_keys: Vec<PublicKey>,
    share_keys: Vec<PublicKey>,
    messages: Vec<HashedMessage>,
    partials: Vec<(ShareIndex, Vec<Partial>)>,
    operands: Operands,
    kind: Messages,
}

/// The processor time of an operation and of the primitives that it cannot do without.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// What was measured.
    pub name: &'static str,
    /// The operation.
    pub time: Duration,
    /// Its primitives.
    pub floor: Duration,
}

impl Committee {
    /// Makes the keys; `None` when `n` is not the size of a committee.
    #[must_use]
    pub fn new(n: usize, k: usize, kind: Messages) -> Option<Self> {
        let threshold = Threshold::for_operators(n).ok()?;
        let rng = &mut rng();
        let polynomials = Polynomials::sample(k, threshold, rng);
        let commitments = polynomials.commit();
        let message = |i: usize| HashedMessage::new(&(i as u64).to_be_bytes());
        let messages = match kind {
            Messages::Distinct => (0..k).map(message).collect(),
            Messages::Same => vec![message(0); k],
        };
        // The last t operators: their integer coefficients are not the smallest ones.
        let quorum = ShareIndex::all(threshold).skip(threshold.n() - threshold.t());
        let partials: Option<Vec<_>> = quorum
            .map(|index| Some((index, sign_partials(&polynomials.shares_for(index), threshold, &messages).ok()?)))
            .collect();
        let partials = partials?;
        let first = partials.first()?.0;
        Some(Self {
            threshold,
            share: polynomials.shares_for(first),
            group_keys: commitments.group_keys(),
            share_keys: commitments.share_keys(first),
            messages,
            operands: Operands::new(k, rng),
            kind,
            partials,
        })
    }

    /// This operator's K partial signatures.
    pub fn sign(&self) {
        drop(std::hint::black_box(sign_partials(&self.share, self.threshold, &self.messages)));
    }

    /// K signatures from t vectors, unchecked.
    pub fn combine(&self) {
        drop(std::hint::black_box(combine(self.threshold, &self.quorum())));
    }

    /// K signatures from t vectors, checked once: the way when nobody lies.
    #[must_use]
    pub fn combine_and_verify(&self) -> bool {
        combine(self.threshold, &self.quorum()).ok().is_some_and(|candidates| {
            verify_combined(&self.group_keys, &self.messages, candidates, &mut rng()).is_some()
        })
    }

    /// One operator's K partial signatures, checked when a combination failed.
    #[must_use]
    pub fn blame(&self) -> bool {
        self.partials.first().is_some_and(|(_, partials)| {
            verify_partials(self.threshold, &self.share_keys, &self.messages, partials, &mut rng())
        })
    }

    /// Each operation next to its primitives, the fastest of `samples` runs.
    #[must_use]
    pub fn measure(&self, samples: usize) -> Vec<Measured> {
        let k = self.messages.len();
        let additions = || (0..k * (self.threshold.t() - 1)).for_each(|_| self.operands.g2_add());
        let measured = |name, work: &dyn Fn(), floor: &dyn Fn()| Measured {
            name,
            time: fastest(samples, work),
            floor: fastest(samples, floor),
        };
        vec![
            measured("partial signatures", &|| self.sign(), &|| (0..k).for_each(|_| self.operands.g2_multiply())),
            measured("combination", &|| self.combine(), &additions),
            measured("combination and check", &|| _ = self.combine_and_verify(), &|| {
                additions();
                self.verification_primitives();
            }),
            measured("blame of one operator", &|| _ = self.blame(), &|| self.verification_primitives()),
        ]
    }

    /// A batch check: membership of all signatures, random coefficients, a Miller loop for each message and one more.
    pub fn verification_primitives(&self) {
        self.operands.all_in_g2(&mut rng());
        self.operands.g2_msm_64();
        match self.kind {
            Messages::Distinct => {
                (0..self.messages.len()).for_each(|_| self.operands.g1_multiply_64());
                self.operands.miller_loops();
            }
            Messages::Same => {
                self.operands.g1_msm_64();
                self.operands.miller_loop();
            }
        }
        // Preparing it takes the loop of the summed signature.
        self.operands.final_exponentiation()();
    }

    fn quorum(&self) -> Vec<(ShareIndex, &[Partial])> {
        self.partials.iter().map(|(index, partials)| (*index, partials.as_slice())).collect()
    }
}
