//! A whole committee in virtual time: one seed decides latencies, losses, partitions, crashes and misbehaviour, so
//! that any failure can be run again exactly. Used by the tests and by `cluster-testnet simulate`.

mod reshare;
mod scenario;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    sync::Arc,
};

use cluster_crypto::{ethereum, identity, polynomial::SecretVector, Secret, SecretSeed};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use crate::{
    committee::OperatorId,
    dkg::{AbortReport, Adversary, Behaviour, Context, Machine, Message, Outcome, Output, Record, Step, Timing},
    machine::{Recipient, Time},
    network::Network,
    request::{CheckedRequest, RequestRules},
    verdict::{FaultReason, Verdict},
};

pub use scenario::scenario;

/// When simulations begin: an arbitrary moment in 2026, in milliseconds since the Unix epoch.
pub const START: Time = Time(1_790_000_000_000);

/// How messages travel between two moments.
#[derive(Clone, Debug)]
pub struct Partition {
    /// From when, in milliseconds after the start.
    pub from_ms: u64,
    /// Until when.
    pub until_ms: u64,
    /// One side; the others are on the other side.
    pub side: BTreeSet<OperatorId>,
}

/// What goes wrong in a run.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Shortest latency of a message, in milliseconds.
    pub min_latency_ms: u64,
    /// Longest latency; messages overtake each other within the range.
    pub max_latency_ms: u64,
    /// Messages lost, of 1,000.
    pub loss_permille: u32,
    /// Messages delivered twice, of 1,000.
    pub duplicate_permille: u32,
    /// Times in which two sides do not hear each other.
    pub partitions: Vec<Partition>,
    /// Links that carry nothing from the first operator to the second.
    pub one_way: BTreeSet<(OperatorId, OperatorId)>,
    /// Operators that are killed when they enter a step, before anything of that step leaves, and how much later
    /// they are started again from their journals.
    pub crashes: Vec<(OperatorId, Step, Option<u64>)>,
    /// Operators that start late, in milliseconds after the others.
    pub away: BTreeMap<OperatorId, u64>,
    /// Operators that misbehave.
    pub byzantine: BTreeMap<OperatorId, Behaviour>,
    /// Operators that have lost the shares which a reshare starts from.
    pub forgetful: BTreeSet<OperatorId>,
}

/// One operator of a simulation.
pub struct Node {
    identity: identity::SecretKey,
    /// In a reshare: the shares of the previous ceremony.
    inherited: Option<SecretVector>,
    machine: Option<Machine>,
    journal: Vec<Record>,
    adversary: Option<Adversary>,
    crash: Vec<(Step, Option<u64>)>,
    step: Step,
    wake: Option<Time>,
    /// The last result that the machine reported.
    pub outcome: Option<Outcome>,
    /// The abort that the machine reported.
    pub abort: Option<AbortReport>,
    /// Shares that reached the disk.
    pub stored: Option<crate::dkg::StoredShares>,
    /// Faults that this operator found in others' messages.
    pub faults: BTreeMap<OperatorId, BTreeSet<&'static str>>,
    /// Messages sent, one for each receiver.
    pub sent: u64,
}

enum Event {
    Start(OperatorId),
    Deliver { to: OperatorId, from: OperatorId, message: Arc<Message> },
    Wake(OperatorId),
}

/// A committee, its network and the time.
pub struct Simulation {
    /// Printed when a run fails, so that it can be repeated.
    pub seed: u64,
    rng: ChaCha20Rng,
    now: Time,
    order: u64,
    queue: BinaryHeap<Reverse<(Time, u64, usize)>>,
    events: BTreeMap<usize, Event>,
    faults: Faults,
    timing: Timing,
    request: CheckedRequest,
    wallet: ethereum::WalletKey,
    nodes: BTreeMap<OperatorId, Node>,
    delivered: u64,
}

/// Messages after which a run is taken to go round in circles.
const MAX_DELIVERIES: u64 = 500_000;

/// The members of the new committee of a reshare, with their keys and what they inherit.
type Members = BTreeMap<OperatorId, (identity::SecretKey, Option<SecretVector>)>;

impl Simulation {
    /// A committee of `operators` that makes `validators` keys.
    ///
    /// # Errors
    /// The sizes are not those of a committee and a request.
    pub fn new(operators: usize, validators: u32, faults: Faults, timing: Timing, seed: u64) -> Result<Self, String> {
        let (keys, registry, signed) = scenario(operators, validators, Network::Hoodi, seed)?;
        let rules = RequestRules::new(Network::Hoodi);
        let request = signed.check(&rules, &registry, START.seconds()).map_err(|error| error.to_string())?;
        let members = keys.into_iter().map(|(id, key)| (id, (key, None))).collect();
        let wallet = scenario::Keys::generate(operators, seed).wallet;
        Ok(Self::with(members, request, wallet, faults, timing, seed))
    }

    fn with(
        members: Members,
        request: CheckedRequest,
        wallet: ethereum::WalletKey,
        faults: Faults,
        timing: Timing,
        seed: u64,
    ) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed ^ 0x5eed);
        let nodes = members
            .into_iter()
            .map(|(id, (identity, inherited))| {
                let adversary = faults.byzantine.get(&id).map(|behaviour| {
                    let context = Context::new(request.clone());
                    let adversary = Adversary::new(*behaviour, context, id, identity.clone(), fresh(&mut rng));
                    match &inherited {
                        Some(shares) => adversary.with_inherited(shares),
                        None => adversary,
                    }
                });
                let crash = faults
                    .crashes
                    .iter()
                    .filter(|(operator, _, _)| *operator == id)
                    .map(|(_, step, back)| (*step, *back))
                    .collect();
                (id, Node { inherited, ..Node::new(identity, adversary, crash) })
            })
            .collect();
        let mut simulation = Self {
            seed,
            rng,
            now: START,
            order: 0,
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            faults,
            timing,
            request,
            wallet,
            nodes,
            delivered: 0,
        };
        for id in simulation.ids() {
            let late = simulation.faults.away.get(&id).copied().unwrap_or(0);
            simulation.at(START.plus_ms(late), Event::Start(id));
        }
        simulation
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

    /// The owner's request.
    #[must_use]
    pub fn request(&self) -> &CheckedRequest {
        &self.request
    }

    /// The operators that follow the protocol.
    #[must_use]
    pub fn honest(&self) -> Vec<OperatorId> {
        self.ids().into_iter().filter(|id| !self.faults.byzantine.contains_key(id)).collect()
    }

    /// Virtual time since the start, in milliseconds.
    #[must_use]
    pub fn elapsed_ms(&self) -> u64 {
        self.now.since(START)
    }

    /// Runs until nothing is left to happen.
    ///
    /// # Errors
    /// The operators go on talking without end.
    pub fn run(&mut self) -> Result<(), String> {
        while let Some(Reverse((time, _, id))) = self.queue.pop() {
            self.now = self.now.max(time);
            let Some(event) = self.events.remove(&id) else { continue };
            match event {
                Event::Start(id) => self.start(id),
                Event::Deliver { to, from, message } => self.deliver(to, from, &message),
                Event::Wake(id) => self.wake(id),
            }
            if self.delivered > MAX_DELIVERIES {
                return Err(format!("seed {}: no end after {MAX_DELIVERIES} messages", self.seed));
            }
        }
        Ok(())
    }

    fn at(&mut self, time: Time, event: Event) {
        self.order += 1;
        let id = self.order as usize;
        self.events.insert(id, event);
        self.queue.push(Reverse((time, self.order, id)));
    }

    fn start(&mut self, id: OperatorId) {
        let (request, timing, now) = (self.request.clone(), self.timing, self.now);
        let seed = fresh(&mut self.rng);
        let Some(node) = self.nodes.get_mut(&id) else { return };
        node.machine = if node.journal.is_empty() {
            let inherited = node.inherited.take();
            Machine::start_with(request, id, node.identity.clone(), seed, inherited, timing, now)
        } else {
            let records: Vec<Record> = node.journal.iter().map(copy).collect();
            Machine::restore(request, id, node.identity.clone(), records, timing, now).ok()
        };
        node.step = node.machine.as_ref().map_or(Step::Commit, Machine::step);
        self.perform(id);
    }

    fn deliver(&mut self, to: OperatorId, from: OperatorId, message: &Arc<Message>) {
        let now = self.now;
        self.delivered += 1;
        let Some(node) = self.nodes.get_mut(&to) else { return };
        if let Some(adversary) = &mut node.adversary {
            adversary.overhear(message);
        }
        let Some(machine) = &mut node.machine else { return };
        if let Verdict::Fault(reason) = machine.on_message(now, from, (**message).clone()) {
            node.faults.entry(from).or_default().insert(name_of(reason));
        }
        self.perform(to);
    }

    fn wake(&mut self, id: OperatorId) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(&id) else { return };
        node.wake = None;
        if let Some(machine) = node.machine.as_mut().filter(|machine| machine.deadline().is_some_and(|at| at <= now)) {
            machine.on_deadline(now);
        }
        self.perform(id);
    }

    /// Performs a machine's outputs in order, and kills the operator where the faults say so.
    fn perform(&mut self, id: OperatorId) {
        loop {
            let Some(node) = self.nodes.get_mut(&id) else { return };
            let Some(machine) = &mut node.machine else { return };
            let step = machine.step();
            if step != node.step {
                node.step = step;
                if let Some(position) = node.crash.iter().position(|(at, _)| *at == step) {
                    let (_, back) = node.crash.remove(position);
                    self.crash(id, back);
                    return;
                }
            }
            match machine.poll() {
                None => break,
                Some(Output::Persist(record)) => match record {
                    Record::Shares(shares) => node.stored = Some(shares),
                    record => node.journal.push(record),
                },
                Some(Output::Done(outcome)) => node.outcome = Some(outcome),
                Some(Output::Abort(report)) => node.abort = Some(report),
                Some(Output::Send { to, message }) => self.send(id, to, message),
            }
        }
        let now = self.now;
        let Some(node) = self.nodes.get_mut(&id) else { return };
        if let Some(deadline) = node.machine.as_ref().and_then(Machine::deadline) {
            if node.wake.is_none_or(|wake| wake > deadline) {
                node.wake = Some(deadline);
                self.at(deadline.max(now.plus_ms(1)), Event::Wake(id));
            }
        }
    }

    /// What reached the disk stays: of the outputs of the moment, the journal's part.
    fn crash(&mut self, id: OperatorId, back: Option<u64>) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(&id) else { return };
        if let Some(mut machine) = node.machine.take() {
            while let Some(output) = machine.poll() {
                match output {
                    Output::Persist(Record::Shares(shares)) => node.stored = Some(shares),
                    Output::Persist(record) => node.journal.push(record),
                    _ => break,
                }
            }
        }
        node.outcome = None;
        if let Some(back) = back {
            self.at(now.plus_ms(back), Event::Start(id));
        }
    }

    fn send(&mut self, from: OperatorId, to: Recipient, message: Arc<Message>) {
        let emissions = match self.nodes.get_mut(&from).and_then(|node| node.adversary.as_mut()) {
            None => vec![(to, message, 0)],
            Some(adversary) => adversary
                .tamper(to, message, &mut self.rng)
                .into_iter()
                .map(|emission| (emission.to, emission.message, emission.delay_ms))
                .collect(),
        };
        for (to, message, delay) in emissions {
            let receivers = match to {
                Recipient::All => self.ids().into_iter().filter(|id| *id != from).collect(),
                Recipient::One(id) => vec![id],
            };
            for receiver in receivers {
                self.transmit(from, receiver, Arc::clone(&message), delay);
            }
        }
    }

    fn transmit(&mut self, from: OperatorId, to: OperatorId, message: Arc<Message>, delay: u64) {
        if let Some(node) = self.nodes.get_mut(&from) {
            node.sent += 1;
        }
        let elapsed = self.now.since(START);
        let cut = self.faults.partitions.iter().any(|partition| {
            (partition.from_ms..partition.until_ms).contains(&elapsed)
                && partition.side.contains(&from) != partition.side.contains(&to)
        });
        if cut || self.faults.one_way.contains(&(from, to)) || self.chance(self.faults.loss_permille) {
            return;
        }
        let copies = if self.chance(self.faults.duplicate_permille) { 2 } else { 1 };
        for _ in 0..copies {
            let range = self.faults.max_latency_ms.saturating_sub(self.faults.min_latency_ms) + 1;
            let latency = self.faults.min_latency_ms + self.rng.next_u64() % range;
            let at = self.now.plus_ms(latency + delay);
            self.at(at, Event::Deliver { to, from, message: Arc::clone(&message) });
        }
    }

    fn chance(&mut self, permille: u32) -> bool {
        permille > 0 && self.rng.next_u32() % 1_000 < permille
    }
}

impl Node {
    fn new(identity: identity::SecretKey, adversary: Option<Adversary>, crash: Vec<(Step, Option<u64>)>) -> Self {
        Self {
            identity,
            inherited: None,
            machine: None,
            journal: Vec::new(),
            adversary,
            crash,
            step: Step::Commit,
            wake: None,
            outcome: None,
            abort: None,
            stored: None,
            faults: BTreeMap::new(),
            sent: 0,
        }
    }

    /// Records in the operator's journal.
    #[must_use]
    pub fn journal_len(&self) -> usize {
        self.journal.len()
    }
}

fn fresh(rng: &mut ChaCha20Rng) -> SecretSeed {
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    Secret::new(seed)
}

/// A second copy of shares, which are not `Clone` so that no copy is made by mistake.
fn duplicate(shares: &SecretVector) -> Result<SecretVector, String> {
    let mut copy = SecretVector::zero(shares.len());
    copy.add(shares).map_err(|error| error.to_string())?;
    Ok(copy)
}

/// Journal records are not `Clone`, since one of them holds a secret; a simulated disk may read it twice.
fn copy(record: &Record) -> Record {
    match record {
        Record::Started { request, now, seed, inherited } => Record::Started {
            request: request.clone(),
            now: *now,
            seed: Secret::new(seed.expose(|seed| *seed)),
            inherited: inherited.as_ref().and_then(|shares| duplicate(shares).ok()),
        },
        Record::Received { now, from, bytes } => Record::Received { now: *now, from: *from, bytes: bytes.clone() },
        Record::Deadline { now } => Record::Deadline { now: *now },
        // Shares are kept apart from the journal.
        Record::Shares(_) => Record::Deadline { now: START },
    }
}

fn name_of(reason: FaultReason) -> &'static str {
    match reason {
        FaultReason::Malformed => "malformed",
        FaultReason::NotInCommittee => "not in committee",
        FaultReason::Impersonation => "impersonation",
        FaultReason::BadSignature => "bad signature",
        FaultReason::Equivocation => "equivocation",
        FaultReason::InvalidDealing => "invalid dealing",
        FaultReason::FalseEvidence => "false evidence",
        FaultReason::NotEnoughSupport => "not enough support",
        FaultReason::OutOfBounds => "out of bounds",
        FaultReason::NotLeader => "not the leader",
    }
}
