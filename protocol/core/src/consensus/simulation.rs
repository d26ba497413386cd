//! One instance of a whole committee in virtual time: one seed decides latencies, losses, partitions, crashes and
//! misbehaviour, so that any failure can be run again exactly.

mod faults;
mod monitor;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    sync::Arc,
};

use cluster_crypto::identity;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

pub use super::adversary::Behaviour;
pub use faults::Faults;

use super::{
    adversary::{below, Adversary},
    Config, Decision, Digest, Message, Output, Record, MAX_MESSAGE_BYTES,
};
use crate::{
    beacon::Slot,
    committee::{Committee, OperatorId},
    duty::{CommitteeId, InstanceId, InstanceKind},
    encoding,
    machine::{Machine as _, Recipient, Time},
    simulation::START,
    verdict::{FaultReason, Verdict},
};
use monitor::Monitor;

/// One operator of a simulation.
pub struct Node {
    key: identity::SecretKey,
    /// One machine; two for twins; none while the operator is down.
    machines: Vec<super::Machine>,
    /// Encoded records, as on a disk.
    journal: Vec<Vec<u8>>,
    adversary: Option<Adversary>,
    crashes: Vec<(u64, u64)>,
    starts: u64,
    wake: Option<Time>,
    /// Effects performed so far.
    pub effects: u64,
    /// What the machine decided, and when.
    pub decided: Option<(Decision, Time)>,
    /// Faults that this operator found in others' messages.
    pub faults: BTreeMap<OperatorId, Vec<FaultReason>>,
    /// Operators of whom this one has evidence.
    pub convicted: BTreeSet<OperatorId>,
    /// Signatures that the machine checked, over all its lives.
    pub checks: u64,
}

enum Event {
    Start(OperatorId),
    Input { to: OperatorId, life: u64 },
    Judged { to: OperatorId, life: u64, twin: usize, digest: Digest, valid: bool },
    Deliver { to: OperatorId, from: OperatorId, bytes: Arc<Vec<u8>> },
    Wake { to: OperatorId, life: u64 },
}

/// Counts over all honest operators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Messages, one for each receiver.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Messages that carried a value.
    pub values: u64,
}

/// A committee, its network and the time.
pub struct Simulation {
    /// Printed when a run fails, so that it can be repeated.
    pub seed: u64,
    /// What honest operators sent.
    pub traffic: Traffic,
    rng: ChaCha20Rng,
    now: Time,
    order: u64,
    queue: BinaryHeap<Reverse<(Time, u64)>>,
    events: BTreeMap<u64, Event>,
    faults: Faults,
    config: Config,
    committee: Arc<Committee>,
    nodes: BTreeMap<OperatorId, Node>,
    monitor: Monitor,
}

/// Length of the first rounds in simulations, in milliseconds.
pub const ROUND_MS: u64 = 1_000;
/// After this long the network must have healed and everyone have decided, in milliseconds.
const LIMIT_MS: u64 = 600_000;

/// A committee of `n` operators with keys made from the seed.
///
/// # Errors
/// The size is not that of a committee.
pub fn committee(n: usize, seed: u64) -> Result<(Arc<Committee>, BTreeMap<OperatorId, identity::SecretKey>), String> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let keys: BTreeMap<OperatorId, identity::SecretKey> =
        (1..=n as u32).map(|index| (OperatorId(index * 7 + 3), identity::SecretKey::generate(&mut rng))).collect();
    let members = keys.iter().map(|(id, key)| (*id, key.public_key())).collect();
    let committee = Committee::new(members).map_err(|error| error.to_string())?;
    Ok((Arc::new(committee), keys))
}

impl Simulation {
    /// One instance of a committee of `n`.
    ///
    /// # Errors
    /// The size is not that of a committee.
    pub fn new(n: usize, faults: Faults, seed: u64) -> Result<Self, String> {
        let (committee, keys) = committee(n, seed)?;
        let instance = InstanceId {
            committee: CommitteeId::new(560_048, &committee),
            slot: Slot(seed),
            kind: InstanceKind::ALL[(seed % 3) as usize],
        };
        let config = Config { instance, start: START, round_ms: ROUND_MS };
        let node = |(id, key): (OperatorId, identity::SecretKey)| {
            let behaviour = faults.byzantine.get(&id);
            let adversary = behaviour
                .map(|behaviour| Adversary::new(*behaviour, instance, Arc::clone(&committee), id, key.clone()));
            let own = faults.crashes.iter().filter(|(operator, _, _)| *operator == id);
            (id, Node::new(key, adversary, own.map(|(_, after, back)| (*after, *back)).collect()))
        };
        let nodes: BTreeMap<OperatorId, Node> = keys.into_iter().map(node).collect();
        let mut simulation = Self {
            seed,
            traffic: Traffic::default(),
            rng: ChaCha20Rng::seed_from_u64(seed ^ 0x5eed),
            now: START,
            order: 0,
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            faults,
            config,
            committee,
            nodes,
            monitor: Monitor::default(),
        };
        for id in simulation.ids() {
            let late = simulation.faults.away.get(&id).copied().unwrap_or(0);
            simulation.at(START.plus_ms(late), Event::Start(id));
        }
        Ok(simulation)
    }

    /// The operators, in order.
    #[must_use]
    pub fn ids(&self) -> Vec<OperatorId> {
        self.nodes.keys().copied().collect()
    }

    /// The operators and what became of them.
    #[must_use]
    pub fn nodes(&self) -> &BTreeMap<OperatorId, Node> {
        &self.nodes
    }

    /// The instance.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Who decides.
    #[must_use]
    pub fn committee(&self) -> &Committee {
        &self.committee
    }

    /// The operators that follow the protocol.
    #[must_use]
    pub fn honest(&self) -> Vec<OperatorId> {
        self.ids().into_iter().filter(|id| !self.faults.byzantine.contains_key(id)).collect()
    }

    /// Runs until every honest operator has decided and nothing honest is on its way.
    ///
    /// # Errors
    /// Somebody honest broke a rule, operators disagree, or there is no decision in time. The text names the seed.
    pub fn run(&mut self) -> Result<(), String> {
        let seed = self.seed;
        while let Some(Reverse((time, id))) = self.queue.pop() {
            self.now = self.now.max(time);
            if self.now.since(START) > LIMIT_MS {
                break;
            }
            let Some(event) = self.events.remove(&id) else { continue };
            self.perform(event).map_err(|error| format!("seed {seed}: {error}"))?;
            if !self.faults.byzantine.is_empty() && self.undecided().is_empty() {
                break;
            }
        }
        self.check().map_err(|error| format!("seed {seed}: {error}"))
    }

    fn undecided(&self) -> Vec<OperatorId> {
        self.honest().into_iter().filter(|id| self.nodes.get(id).is_none_or(|node| node.decided.is_none())).collect()
    }

    fn check(&self) -> Result<(), String> {
        let undecided = self.undecided();
        if !undecided.is_empty() {
            return Err(format!("no decision of operators {undecided:?}, faults {:?}", self.faults));
        }
        Ok(())
    }

    fn at(&mut self, time: Time, event: Event) {
        self.order += 1;
        self.events.insert(self.order, event);
        self.queue.push(Reverse((time, self.order)));
    }

    fn perform(&mut self, event: Event) -> Result<(), String> {
        let now = self.now;
        match event {
            Event::Start(id) => {
                self.start(id);
                self.drain(id)
            }
            Event::Input { to, life } => {
                let bytes = self.faults.value_bytes;
                let Some(node) = self.nodes.get_mut(&to).filter(|node| node.starts == life) else { return Ok(()) };
                for (twin, machine) in node.machines.iter_mut().enumerate() {
                    machine.on_value(now, input(to, life, twin, bytes));
                }
                self.drain(to)
            }
            Event::Judged { to, life, twin, digest, valid } => {
                let Some(node) = self.nodes.get_mut(&to).filter(|node| node.starts == life) else { return Ok(()) };
                if let Some(machine) = node.machines.get_mut(twin) {
                    machine.on_judgement(now, digest, valid);
                }
                self.drain(to)
            }
            Event::Deliver { to, from, bytes } => self.deliver(to, from, &bytes),
            Event::Wake { to, life } => {
                let Some(node) = self.nodes.get_mut(&to).filter(|node| node.starts == life) else { return Ok(()) };
                node.wake = None;
                for machine in node.machines.iter_mut().filter(|machine| machine.deadline().is_some_and(|at| at <= now))
                {
                    machine.on_deadline(now);
                }
                self.drain(to)
            }
        }
    }

    fn start(&mut self, id: OperatorId) {
        let (config, now) = (self.config, self.now);
        let Some(node) = self.nodes.get_mut(&id) else { return };
        node.starts += 1;
        node.wake = None;
        let life = node.starts;
        let records: Vec<Record> =
            node.journal.iter().filter_map(|bytes| encoding::decode(bytes, MAX_MESSAGE_BYTES).ok()).collect();
        let twins = if node.is_twins() { 2 } else { 1 };
        node.machines = (0..twins)
            .map(|_| {
                let (committee, key) = (Arc::clone(&self.committee), node.key.clone());
                if records.is_empty() {
                    super::Machine::start(config, committee, id, key)
                } else {
                    super::Machine::restore(config, committee, id, key, records.clone())
                }
            })
            .collect();
        let after = self.faults.input_ms.get(&id).copied().unwrap_or(0);
        if after < u64::MAX {
            let at = now.max(START.plus_ms(after));
            self.at(at, Event::Input { to: id, life });
        }
        self.at(now, Event::Wake { to: id, life });
    }

    fn deliver(&mut self, to: OperatorId, from: OperatorId, bytes: &[u8]) -> Result<(), String> {
        let now = self.now;
        let honest = !self.faults.byzantine.contains_key(&from);
        let message = Message::decode(bytes, MAX_MESSAGE_BYTES).map_err(|error| error.to_string())?;
        let Some(node) = self.nodes.get_mut(&to) else { return Ok(()) };
        if let Some(adversary) = &mut node.adversary {
            adversary.overhear(&message, &mut self.rng);
            if adversary.ignores(&message) {
                return Ok(());
            }
        }
        for machine in &mut node.machines {
            if let Verdict::Fault(reason) = machine.on_message(now, from, message.clone()) {
                if honest && node.adversary.is_none() {
                    return Err(format!("operator {to} blames honest operator {from}: {reason}, {message:?}"));
                }
                node.faults.entry(from).or_default().push(reason);
            }
        }
        self.drain(to)
    }

    /// Performs an operator's effects in order, and kills it where the faults say so.
    fn drain(&mut self, id: OperatorId) -> Result<(), String> {
        let (now, committee) = (self.now, Arc::clone(&self.committee));
        let twins = self.nodes.get(&id).map_or(0, |node| node.machines.len());
        for twin in 0..twins {
            loop {
                let Some(node) = self.nodes.get_mut(&id) else { return Ok(()) };
                let Some(machine) = node.machines.get_mut(twin) else { return Ok(()) };
                let Some(output) = machine.poll() else { break };
                for evidence in machine.evidence().filter(|evidence| !node.convicted.contains(&evidence.operator())) {
                    if !evidence.holds(&committee) || !self.faults.byzantine.contains_key(&evidence.operator()) {
                        return Err(format!("wrong evidence against operator {}", evidence.operator()));
                    }
                }
                node.convicted.extend(machine.evidence().map(super::Evidence::operator));
                if let Some(position) = node.crashes.iter().position(|(after, _)| *after == node.effects) {
                    let (_, back) = node.crashes.remove(position);
                    self.crash(id, back);
                    return Ok(());
                }
                node.effects += 1;
                self.effect(id, twin, output)?;
            }
        }
        let Some(node) = self.nodes.get_mut(&id) else { return Ok(()) };
        let life = node.starts;
        let deadline = node.machines.iter().filter_map(|machine| machine.deadline()).min();
        if let Some(deadline) = deadline.filter(|deadline| node.wake.is_none_or(|wake| wake > *deadline)) {
            node.wake = Some(deadline);
            self.at(deadline.max(now.plus_ms(1)), Event::Wake { to: id, life });
        }
        Ok(())
    }

    fn crash(&mut self, id: OperatorId, back: u64) {
        let at = self.now.plus_ms(back);
        if let Some(node) = self.nodes.get_mut(&id) {
            node.checks += node.machines.iter().map(super::Machine::signature_checks).sum::<u64>();
            node.machines.clear();
            node.decided = None;
            self.at(at, Event::Start(id));
        }
    }

    fn effect(&mut self, id: OperatorId, twin: usize, output: Output) -> Result<(), String> {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(&id) else { return Ok(()) };
        match output {
            Output::Persist(record) => node.journal.push(encoding::encode(&record)),
            Output::Judge { digest, value } => {
                let valid = value.first() != Some(&0) && !self.faults.doubters.contains(&id);
                let event = Event::Judged { to: id, life: node.starts, twin, digest, valid };
                self.at(now.plus_ms(self.faults.judge_ms), event);
            }
            Output::Decided(decision) => {
                node.decided = Some((decision.clone(), now));
                self.agree(id, &decision)?;
            }
            Output::Send { to, message } => self.send(id, twin, to, &message)?,
        }
        Ok(())
    }

    /// Agreement, validity, and a certificate that holds.
    fn agree(&self, id: OperatorId, decision: &Decision) -> Result<(), String> {
        if self.faults.byzantine.contains_key(&id) {
            return Ok(());
        }
        decision.certificate.verify(&self.committee, &self.config.instance).map_err(|error| error.to_string())?;
        if super::digest(&decision.value) != decision.digest || decision.value.first() == Some(&0) {
            return Err(format!("operator {id} decided a value that nobody honest accepts"));
        }
        for other in self.honest() {
            if let Some((decided, _)) = self.nodes.get(&other).and_then(|node| node.decided.as_ref()) {
                if decided.digest != decision.digest {
                    return Err(format!("operators {id} and {other} decided differently"));
                }
            }
        }
        Ok(())
    }

    fn send(&mut self, from: OperatorId, twin: usize, to: Recipient, message: &Message) -> Result<(), String> {
        let seed = self.seed;
        let Some(node) = self.nodes.get_mut(&from) else { return Ok(()) };
        let Some(adversary) = &mut node.adversary else {
            self.monitor.observe(from, message)?;
            return self.spread(from, to, message, |_| true);
        };
        let twins = node.machines.len() == 2;
        for (to, message) in adversary.tamper(to, message, &mut self.rng) {
            // Each twin has its own half of the others, which changes with the seed.
            self.spread(from, to, &message, |id| !twins || (seed >> (id.0 % 8)) as usize % 2 == twin)?;
        }
        Ok(())
    }

    fn spread(
        &mut self,
        from: OperatorId,
        to: Recipient,
        message: &Message,
        reaches: impl Fn(OperatorId) -> bool,
    ) -> Result<(), String> {
        let receivers = match to {
            Recipient::All => self.ids().into_iter().filter(|id| *id != from).collect(),
            Recipient::One(id) => vec![id],
        };
        let bytes = Arc::new(message.encode());
        if Message::decode(&bytes, MAX_MESSAGE_BYTES).as_ref() != Ok(message) {
            return Err(format!("a message does not survive its encoding: {message:?}"));
        }
        for receiver in receivers.into_iter().filter(|receiver| reaches(*receiver)) {
            if !self.faults.byzantine.contains_key(&from) {
                self.traffic.messages += 1;
                self.traffic.bytes += bytes.len() as u64;
                self.traffic.values += u64::from(message.value_bytes() > 0);
            }
            self.transmit(from, receiver, &bytes);
        }
        Ok(())
    }

    fn transmit(&mut self, from: OperatorId, to: OperatorId, bytes: &Arc<Vec<u8>>) {
        let elapsed = self.now.since(START);
        let cut = self.faults.partitions.iter().any(|partition| {
            (partition.from_ms..partition.until_ms).contains(&elapsed)
                && partition.side.contains(&from) != partition.side.contains(&to)
        });
        let healed = elapsed >= self.faults.heal_ms;
        let deaf = !healed && self.faults.one_way.contains(&(from, to));
        if cut || deaf || (!healed && self.chance(self.faults.loss_permille)) {
            return;
        }
        let copies = if !healed && self.chance(self.faults.duplicate_permille) { 2 } else { 1 };
        let (least, most) = self.faults.latency_ms;
        for _ in 0..copies {
            let latency = least + below(&mut self.rng, most.saturating_sub(least) + 1);
            let at = self.now.plus_ms(latency);
            self.at(at, Event::Deliver { to, from, bytes: Arc::clone(bytes) });
        }
    }

    fn chance(&mut self, permille: u64) -> bool {
        permille > 0 && below(&mut self.rng, 1_000) < permille
    }
}

impl Node {
    fn new(key: identity::SecretKey, adversary: Option<Adversary>, crashes: Vec<(u64, u64)>) -> Self {
        Self {
            key,
            machines: Vec::new(),
            journal: Vec::new(),
            adversary,
            crashes,
            starts: 0,
            wake: None,
            effects: 0,
            decided: None,
            faults: BTreeMap::new(),
            convicted: BTreeSet::new(),
            checks: 0,
        }
    }

    /// The machine, unless the operator is down.
    #[must_use]
    pub fn machine(&self) -> Option<&super::Machine> {
        self.machines.first()
    }

    fn is_twins(&self) -> bool {
        self.adversary.as_ref().is_some_and(Adversary::is_twins)
    }
}

/// An operator's input. It differs after a restart and between twins, as the view of a beacon node may.
fn input(id: OperatorId, life: u64, twin: usize, bytes: usize) -> Arc<[u8]> {
    let mut value = format!("\u{1}operator {id}, life {life}, twin {twin}").into_bytes();
    value.resize(bytes.max(value.len()), b'.');
    Arc::from(value)
}
