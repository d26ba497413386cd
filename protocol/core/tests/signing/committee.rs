//! A committee with keys of its own, and a network in virtual time that loses, doubles and delays what one seed decides.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use cluster_core::{
    beacon::Slot,
    committee::{Committee, OperatorId},
    duty::{CommitteeId, SigningId, SigningKind},
    machine::{Machine as _, Recipient, Time},
    signing::{Item, Machine, Message, Output},
    verdict::{FaultReason, Verdict},
};
use cluster_crypto::{
    bls::{self, HashedMessage, PublicKey, Signature},
    identity,
    polynomial::{Polynomials, SecretVector},
    threshold::{sign_same_message, Partial},
    ShareIndex, Threshold,
};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

pub const START: Time = Time(1_790_000_000_000);
pub const RETRY_MS: u64 = 500;

/// The four sizes of a committee.
pub const SIZES: [usize; 4] = [4, 7, 10, 13];

/// Two signing roots.
pub const A: [u8; 32] = [0xaa; 32];
pub const B: [u8; 32] = [0xbb; 32];

/// Operators and the shares of their validators.
pub struct Keys {
    pub threshold: Threshold,
    pub committee: Arc<Committee>,
    pub ids: Vec<OperatorId>,
    pub validators: Vec<PublicKey>,
    shares: Vec<SecretVector>,
    share_keys: Vec<Arc<[PublicKey]>>,
}

impl Keys {
    pub fn new(n: usize, validators: usize, seed: u64) -> Self {
        let rng = &mut ChaCha20Rng::seed_from_u64(seed);
        let threshold = Threshold::for_operators(n).unwrap();
        // Ids are not share indices.
        let members = (1..=n as u32).map(|i| (OperatorId(i * 7 + 3), identity::SecretKey::generate(rng).public_key()));
        let committee = Arc::new(Committee::new(members.collect()).unwrap());
        let polynomials = Polynomials::sample(validators, threshold, rng);
        let commitments = polynomials.commit();
        let by_operator: Vec<_> = ShareIndex::all(threshold).map(|index| commitments.share_keys(index)).collect();
        Self {
            threshold,
            ids: committee.ids().collect(),
            committee,
            validators: commitments.group_keys(),
            shares: ShareIndex::all(threshold).map(|index| polynomials.shares_for(index)).collect(),
            share_keys: (0..validators).map(|k| by_operator.iter().map(|keys| keys[k]).collect()).collect(),
        }
    }

    pub fn item(&self, validator: usize, root: [u8; 32]) -> Item {
        Item { validator: self.validators[validator], root, share_keys: self.share_keys[validator].clone() }
    }

    /// All validators with one root, as in a slot.
    pub fn slot(&self, root: [u8; 32]) -> Vec<Item> {
        (0..self.validators.len()).map(|k| self.item(k, root)).collect()
    }

    pub fn partial(&self, operator: usize, item: &Item) -> Partial {
        let validator = self.validators.iter().position(|key| *key == item.validator).unwrap();
        let share = self.shares[operator].secret_key(validator).unwrap();
        sign_same_message(&[&share], self.threshold, &HashedMessage::new(&item.root))[0]
    }

    pub fn own(&self, operator: usize, items: &[Item]) -> Vec<Option<Partial>> {
        items.iter().map(|item| Some(self.partial(operator, item))).collect()
    }

    pub fn id(&self) -> SigningId {
        let committee = CommitteeId::new(560_048, &self.committee);
        SigningId::new(committee, SigningKind::Attestation, Slot(9))
    }

    pub fn machine(&self, operator: usize, items: &[Item], own: Vec<Option<Partial>>, now: Time) -> Machine {
        let committee = self.committee.clone();
        Machine::start(self.id(), committee, self.ids[operator], items.to_vec(), own, RETRY_MS, now).unwrap()
    }
}

/// How the network treats messages.
#[derive(Clone, Default)]
pub struct Weather {
    pub max_latency_ms: u64,
    pub loss_permille: u32,
    pub double_permille: u32,
    /// Latency of all messages of an operator, instead of a random one.
    pub latency_of: BTreeMap<usize, u64>,
    /// Links that carry nothing from the first to the second.
    pub one_way: BTreeSet<(usize, usize)>,
}

#[derive(Default)]
pub struct Node {
    pub machine: Option<Machine>,
    pub items: Vec<Item>,
    pub signed: BTreeMap<usize, Signature>,
    pub bad: Vec<OperatorId>,
    pub inconsistent: Vec<usize>,
    pub done: Option<Time>,
    pub faults: Vec<(OperatorId, FaultReason)>,
    /// Bytes of every message with the number of its receivers.
    pub sent: Vec<(usize, Message)>,
}

/// The committee at work on one exchange.
pub struct Net<'a> {
    pub keys: &'a Keys,
    pub now: Time,
    pub nodes: Vec<Node>,
    pub weather: Weather,
    rng: ChaCha20Rng,
    queue: BTreeMap<(Time, u64), (usize, usize, Vec<u8>)>,
    order: u64,
}

impl<'a> Net<'a> {
    pub fn new(keys: &'a Keys, weather: Weather, seed: u64) -> Self {
        let nodes = keys.ids.iter().map(|_| Node::default()).collect();
        let rng = ChaCha20Rng::seed_from_u64(seed);
        Self { keys, now: START, nodes, weather, rng, queue: BTreeMap::new(), order: 0 }
    }

    /// Every operator signs all items.
    pub fn all(keys: &'a Keys, items: &[Item], weather: Weather, seed: u64) -> Self {
        let mut net = Self::new(keys, weather, seed);
        for operator in 0..keys.ids.len() {
            net.start(operator, items.to_vec(), keys.own(operator, items));
        }
        net
    }

    pub fn start(&mut self, operator: usize, items: Vec<Item>, own: Vec<Option<Partial>>) {
        let machine = self.keys.machine(operator, &items, own, self.now);
        self.nodes[operator].machine = Some(machine);
        self.nodes[operator].items = items;
        self.drive(operator);
    }

    /// Until nothing is on its way and no timer runs, or `ms` after the start.
    pub fn run(&mut self, ms: u64) {
        let end = START.plus_ms(ms);
        loop {
            let timer = self.timers().min();
            let message = self.queue.keys().next().map(|(time, _)| *time);
            let Some(next) = timer.into_iter().chain(message).min().filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            let due: Vec<_> = self.queue.range(..=(self.now, u64::MAX)).map(|(key, _)| *key).collect();
            for key in due {
                let (from, to, bytes) = self.queue.remove(&key).unwrap();
                self.deliver(from, to, &bytes);
            }
            for operator in 0..self.nodes.len() {
                if let Some(machine) = &mut self.nodes[operator].machine {
                    if machine.deadline().is_some_and(|deadline| deadline <= self.now) {
                        machine.on_deadline(self.now);
                        self.drive(operator);
                    }
                }
            }
        }
        self.now = self.now.max(end);
    }

    fn timers(&self) -> impl Iterator<Item = Time> + '_ {
        self.nodes.iter().filter_map(|node| node.machine.as_ref()?.deadline())
    }

    pub fn deliver(&mut self, from: usize, to: usize, bytes: &[u8]) -> Option<Verdict> {
        let message = Message::decode(bytes, usize::MAX).unwrap();
        let id = self.keys.ids[from];
        let verdict = self.nodes[to].machine.as_mut()?.on_message(self.now, id, message);
        if let Verdict::Fault(reason) = &verdict {
            self.nodes[to].faults.push((id, *reason));
        }
        self.drive(to);
        Some(verdict)
    }

    fn drive(&mut self, operator: usize) {
        loop {
            let node = &mut self.nodes[operator];
            let Some(machine) = &mut node.machine else { return };
            let Some(output) = machine.poll() else {
                if !machine.needs_work() {
                    return;
                }
                machine.work(self.now, &mut self.rng);
                continue;
            };
            match output {
                Output::Send { to, message } => self.send(operator, to, &message),
                Output::Signed { item, signature } => {
                    assert!(node.signed.insert(item, signature).is_none(), "item {item} is signed twice");
                }
                Output::Bad { operator } => node.bad.push(operator),
                Output::Inconsistent { item } => node.inconsistent.push(item),
                Output::Done => assert!(node.done.replace(self.now).is_none(), "done twice"),
            }
        }
    }

    fn send(&mut self, from: usize, to: Recipient, message: &Message) {
        let receivers: Vec<usize> = match to {
            Recipient::All => (0..self.nodes.len()).filter(|other| *other != from).collect(),
            Recipient::One(id) => self.keys.ids.iter().position(|other| *other == id).into_iter().collect(),
        };
        self.nodes[from].sent.push((receivers.len(), message.clone()));
        for to in receivers {
            let copies = 1 + u32::from(self.chance(self.weather.double_permille));
            for _ in 0..copies {
                if self.chance(self.weather.loss_permille) || self.weather.one_way.contains(&(from, to)) {
                    continue;
                }
                let random = u64::from(self.rng.next_u32()) % (self.weather.max_latency_ms + 1);
                let latency = self.weather.latency_of.get(&from).copied().unwrap_or(random);
                self.order += 1;
                self.queue.insert((self.now.plus_ms(latency), self.order), (from, to, message.encode()));
            }
        }
    }

    fn chance(&mut self, permille: u32) -> bool {
        self.rng.next_u32() % 1_000 < permille
    }

    /// Checks every signature alone, and returns the items that the operator has.
    pub fn verified(&self, operator: usize) -> Vec<usize> {
        let node = &self.nodes[operator];
        for (item, signature) in &node.signed {
            let item = &node.items[*item];
            assert!(bls::verify(&item.validator, &HashedMessage::new(&item.root), signature));
        }
        node.signed.keys().copied().collect()
    }

    pub fn assert_all_signed(&self, operator: usize) {
        let node = &self.nodes[operator];
        assert_eq!(self.verified(operator).len(), node.items.len(), "operator {operator}");
        assert!(node.done.is_some() && node.machine.as_ref().unwrap().is_done());
    }

    pub fn machine(&self, operator: usize) -> &Machine {
        self.nodes[operator].machine.as_ref().unwrap()
    }
}

/// A partial that is a point of the group and not the right one; every wrong one is wrong in its own way.
pub fn wrong(partial: &Partial) -> Partial {
    let extra = HashedMessage::new(&partial.to_bytes());
    shifted(partial, &bls::SecretKey::from_bytes(&[1; 32]).unwrap().sign(&extra))
}

/// The sum of a partial and a signature.
pub fn shifted(partial: &Partial, by: &Signature) -> Partial {
    let by = cluster_crypto::primitives::g2_uncompress(&by.to_bytes()).unwrap();
    Partial::from_bytes(&cluster_crypto::primitives::g2_sum(&partial.to_bytes(), &by).unwrap()).unwrap()
}
