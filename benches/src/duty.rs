//! A slot: what an operator does for its validators once consensus has decided what they sign.

use std::sync::Arc;

use cluster_core::{
    beacon::Slot,
    committee::{Committee, OperatorId},
    duty::{CommitteeId, SigningId, SigningKind},
    machine::{Machine as _, Time},
    signing::{Item, Machine, Message, Output, Partials, MAX_MESSAGE_BYTES},
    verdict::Verdict,
};
use cluster_crypto::{
    bls::{self, HashedMessage},
    identity,
    polynomial::Polynomials,
    primitives::Operands,
    threshold::{sign_same_message, Partial},
    ShareIndex, Threshold,
};

use crate::{fastest, rng, signing::Measured};

/// What all validators sign.
const ROOT: [u8; 32] = [7; 32];
/// Shares from which the table is used; below, each multiplication stands alone.
const TABLE_FROM: usize = 6;

/// K validators of a committee of n that sign one message, and what the peers send.
pub struct Exchange {
    id: SigningId,
    committee: Arc<Committee>,
    threshold: Threshold,
    me: OperatorId,
    shares: Vec<bls::SecretKey>,
    items: Vec<Item>,
    own: Vec<Option<Partial>>,
    /// The encoded messages of t - 1 peers, the last ones of the committee.
    messages: Vec<(OperatorId, Vec<u8>)>,
    /// The encoded message of another peer, with all partials wrong.
    lie: (OperatorId, Vec<u8>),
    operands: Operands,
}

impl Exchange {
    /// Makes the keys and the messages.
    ///
    /// # Errors
    /// `n` is not the size of a committee.
    pub fn new(n: usize, k: usize) -> Result<Self, String> {
        let rng = &mut rng();
        let threshold = Threshold::for_operators(n).map_err(|error| error.to_string())?;
        let members = (1..=n as u32).map(|id| (OperatorId(id), identity::SecretKey::generate(rng).public_key()));
        let committee = Arc::new(Committee::new(members.collect()).map_err(|error| error.to_string())?);
        let polynomials = Polynomials::sample(k, threshold, rng);
        let commitments = polynomials.commit();
        let share_keys: Vec<_> = ShareIndex::all(threshold).map(|index| commitments.share_keys(index)).collect();
        let of_validator = |k: usize| share_keys.iter().filter_map(|keys| keys.get(k)).copied().collect();
        let items: Vec<Item> = commitments
            .group_keys()
            .into_iter()
            .enumerate()
            .map(|(k, validator)| Item { validator, root: ROOT, share_keys: of_validator(k) })
            .collect();
        let shares_of = |index: ShareIndex| -> Vec<bls::SecretKey> {
            let vector = polynomials.shares_for(index);
            (0..k).filter_map(|k| vector.secret_key(k)).collect()
        };
        let sign = |shares: &[bls::SecretKey], message: &[u8]| {
            sign_same_message(&shares.iter().collect::<Vec<_>>(), threshold, &HashedMessage::new(message))
        };
        let message_of = |index: ShareIndex, message: &[u8]| {
            let id = OperatorId(u32::from(index.get()));
            (id, encode(&items, &sign(&shares_of(index), message)))
        };
        let mut indices = ShareIndex::all(threshold);
        let (Some(first), Some(second)) = (indices.next(), indices.next()) else {
            return Err("a committee has more than two members".to_owned());
        };
        let shares = shares_of(first);
        Ok(Self {
            id: SigningId::new(CommitteeId::new(1, &committee), SigningKind::Attestation, Slot(1)),
            threshold,
            me: OperatorId(1),
            own: sign(&shares, &ROOT).into_iter().map(Some).collect(),
            messages: ShareIndex::all(threshold)
                .skip(n + 1 - threshold.t())
                .map(|index| message_of(index, &ROOT))
                .collect(),
            lie: message_of(second, b"something else"),
            shares,
            items,
            committee,
            operands: Operands::new(k, rng),
        })
    }

    /// This operator's partials: one hash to the curve, one multiplication for each validator.
    pub fn sign(&self) {
        let shares: Vec<_> = self.shares.iter().collect();
        drop(std::hint::black_box(sign_same_message(&shares, self.threshold, &HashedMessage::new(&ROOT))));
    }

    /// From the own partials to verified signatures: encoding them, reading those of t - 1 peers, and all of the
    /// machine.
    ///
    /// # Errors
    /// Not everything was signed, or somebody was blamed.
    pub fn complete(&self) -> Result<(), String> {
        self.run(&self.messages, 0)
    }

    /// The same, with wrong partials of one peer among the first t.
    ///
    /// # Errors
    /// Not everything was signed, or another than the liar was named.
    pub fn complete_with_liar(&self) -> Result<(), String> {
        let first = std::iter::once(&self.lie).chain(&self.messages).cloned();
        self.run(&first.collect::<Vec<_>>(), 1)
    }

    fn run(&self, messages: &[(OperatorId, Vec<u8>)], liars: usize) -> Result<(), String> {
        let (items, own) = (self.items.clone(), self.own.clone());
        let machine = Machine::start(self.id, self.committee.clone(), self.me, items, own, 500, Time(0));
        let mut machine = machine.map_err(|error| error.to_string())?;
        let (mut signed, rng) = (0, &mut rng());
        for (from, bytes) in messages {
            let message = Message::decode(bytes, MAX_MESSAGE_BYTES).map_err(|error| error.to_string())?;
            if machine.on_message(Time(1), *from, message) != Verdict::Valid {
                return Err(format!("the message of operator {from} was not taken up"));
            }
            while machine.needs_work() {
                machine.work(Time(1), rng);
            }
            while let Some(output) = machine.poll() {
                match output {
                    Output::Signed { .. } => signed += 1,
                    Output::Send { message, .. } => drop(std::hint::black_box(message.encode())),
                    _ => {}
                }
            }
        }
        if signed != self.items.len() || machine.bad().len() != liars {
            return Err(format!("{signed} of {} signed, {:?} named", self.items.len(), machine.bad()));
        }
        Ok(())
    }

    /// Own signing, completion and completion with a liar next to their primitives, the fastest of `samples` runs.
    ///
    /// # Errors
    /// The exchange does not end as it must.
    pub fn measure(&self, samples: usize) -> Result<Vec<Measured>, String> {
        self.complete()?;
        self.complete_with_liar()?;
        let measured = |name, work: &dyn Fn(), floor: &dyn Fn()| Measured {
            name,
            time: fastest(samples, work),
            floor: fastest(samples, floor),
        };
        let signing = measured("own signing", &|| self.sign(), &|| self.signing_primitives());
        let completion = measured("completion", &|| _ = self.complete(), &|| self.completion_primitives());
        let liar = measured("completion with a liar", &|| _ = self.complete_with_liar(), &|| {
            self.completion_with_liar_primitives()
        });
        let sum = |name, part: &Measured| Measured {
            name,
            time: signing.time + part.time,
            floor: signing.floor + part.floor,
        };
        let sums = [sum("all after consensus", &completion), sum("all after consensus, with a liar", &liar)];
        Ok([signing, completion, liar].into_iter().chain(sums).collect())
    }

    /// One hash to the curve, and a multiplication for each validator, from a table if that pays.
    pub fn signing_primitives(&self) {
        std::hint::black_box(HashedMessage::new(&ROOT));
        if self.items.len() < TABLE_FROM {
            self.items.iter().for_each(|_| self.operands.g2_multiply());
        } else {
            self.operands.g2_multiply_by_table();
        }
    }

    /// One hash to the curve, t - 1 additions for each validator, one batch check.
    pub fn completion_primitives(&self) {
        std::hint::black_box(HashedMessage::new(&ROOT));
        self.attempt_primitives();
    }

    /// One hash, two combinations and checks of them, and a check of each of the t - 1 peers that were used first.
    pub fn completion_with_liar_primitives(&self) {
        self.completion_primitives();
        (1..self.threshold.t()).for_each(|_| self.check_primitives());
        self.attempt_primitives();
    }

    fn attempt_primitives(&self) {
        (0..self.items.len() * (self.threshold.t() - 1)).for_each(|_| self.operands.g2_add());
        self.check_primitives();
    }

    /// Membership of all, random coefficients, two Miller loops, one final exponentiation.
    fn check_primitives(&self) {
        self.operands.all_in_g2(&mut rng());
        self.operands.g2_msm_64();
        self.operands.g1_msm_64();
        self.operands.pairing_check();
    }
}

/// The message of a peer.
fn encode(items: &[Item], partials: &[Partial]) -> Vec<u8> {
    let mut group = Partials::new(ROOT);
    for (item, partial) in items.iter().zip(partials) {
        group.push(&[&item.validator.to_bytes(), &partial.to_bytes()]);
    }
    Message::Partials(vec![group]).encode()
}
