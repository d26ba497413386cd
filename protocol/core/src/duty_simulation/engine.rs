//! Events in virtual time: slots, messages, consensus, crashes and restarts.

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster_crypto::identity;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::chain::{slot_at, slot_start, Chain, DUE_MS, EPOCH_SLOTS, FIRST_EPOCH, SLOT_MS};
use super::checker::Checker;
use super::disk::{Backup, Disk, Protection};
use super::value::{self, Content, Eye, No};
use super::work::Job;
use super::{below, Control, Faults, Outcome, Plan, START};
use crate::beacon::{AttestationData, Epoch, Slot};
use crate::committee::{Committee, OperatorId};
use crate::consensus::adversary::Adversary;
use crate::consensus::simulation::{committee, Behaviour};
use crate::consensus::{leader, Config, Digest, Machine, Message, Output};
use crate::duty::{CommitteeId, InstanceId, InstanceKind};
use crate::machine::{Machine as _, Time};

/// Length of the first rounds, as the node has it.
const ROUND_MS: u64 = 1_000;
/// Pause before a beacon node is asked again whether it has come to the others' view.
const LOOK_AGAIN_MS: u64 = 400;
/// Epochs that are kept when history is pruned.
const KEPT_EPOCHS: u64 = 3;

pub(super) enum Event {
    Slot(Slot),
    Start { node: usize },
    Input { node: usize, life: u32, instance: InstanceId },
    Wake { node: usize, life: u32, instance: InstanceId },
    Look { node: usize, life: u32, instance: InstanceId, look: Look },
    Deliver { node: usize, from: OperatorId, instance: InstanceId, message: Arc<Message> },
    Work { node: usize, life: u32, job: Box<Job> },
    Hostile { node: usize },
    Disaster { node: usize },
    End { node: usize, life: u32, instance: InstanceId },
}

/// An operator looks at a value.
pub(super) struct Look {
    value: Arc<[u8]>,
    /// Whom to answer: the machine, or after the decision nobody.
    digest: Option<Digest>,
    first: bool,
}

/// One instance at one operator.
pub(super) struct Running {
    machine: Machine,
    pub(super) adversary: Option<Adversary>,
    give_up: Time,
    wake: Option<Time>,
    pub(super) attesters: Arc<[u32]>,
    pub(super) proposer: u32,
    view: Option<AttestationData>,
}

/// One process of an operator.
pub(super) struct Node {
    /// Its operator's place in the committee.
    pub(super) operator: usize,
    pub(super) id: OperatorId,
    key: identity::SecretKey,
    /// Its beacon node.
    pub(super) beacon: usize,
    pub(super) disk: Disk,
    pub(super) up: bool,
    pub(super) life: u32,
    pub(super) running: BTreeMap<InstanceId, Running>,
    pub(super) compromised: Option<Behaviour>,
    backups: Vec<Backup>,
    /// The next start is from a backup.
    backup_next: bool,
}

pub(super) struct Simulation {
    pub(super) plan: Plan,
    pub(super) faults: Faults,
    pub(super) seed: u64,
    pub(super) rng: ChaCha20Rng,
    pub(super) now: Time,
    order: u64,
    events: BTreeMap<(Time, u64), Event>,
    committee: Arc<Committee>,
    id: CommitteeId,
    pub(super) nodes: Vec<Node>,
    pub(super) chain: Chain,
    pub(super) checker: Checker,
    pub(super) outcome: Outcome,
    pub(super) notes: Vec<(Time, usize, String)>,
}

impl Simulation {
    pub(super) fn new(plan: &Plan, faults: Faults, seed: u64) -> Result<Self, String> {
        let (committee, keys) = committee(plan.operators, seed)?;
        let validators = plan.per_slot * EPOCH_SLOTS as u32;
        let mut rng = ChaCha20Rng::seed_from_u64(seed ^ 0xd071e5);
        let beacons = plan.operators + 1;
        let chain = Chain::generate(seed, beacons, validators, plan.epochs, faults.calm_chain, &mut rng);
        let lost = if faults.lost_shares { faults.compromised.keys().fold(0, |mask, at| mask | 1 << at) } else { 0 };
        let checker = Checker::new(committee.ids().collect(), committee.threshold().t(), validators, lost);
        let id = CommitteeId::new(560_048, &committee);
        let mut nodes: Vec<Node> = keys
            .into_iter()
            .enumerate()
            .map(|(at, (id, key))| Node::new(at, id, key, at, faults.compromised.get(&at).copied(), plan.control))
            .collect();
        if plan.control == Control::TwoInstances {
            let twin = Node::new(0, nodes[0].id, nodes[0].key.clone(), plan.operators, None, plan.control);
            nodes.push(twin);
        }
        let mut simulation = Self {
            plan: *plan,
            faults,
            seed,
            rng,
            now: START,
            order: 0,
            events: BTreeMap::new(),
            committee,
            id,
            nodes,
            chain,
            checker,
            outcome: Outcome::default(),
            notes: Vec::new(),
        };
        simulation.schedule();
        Ok(simulation)
    }

    fn schedule(&mut self) {
        for node in 0..self.nodes.len() {
            if !self.faults.absent.contains(&self.nodes[node].operator) {
                self.at(START, Event::Start { node });
            }
            if self.nodes[node].compromised.is_some() {
                self.at(START, Event::Hostile { node });
            }
        }
        self.at(START, Event::Slot(Slot(FIRST_EPOCH * EPOCH_SLOTS)));
        let disaster =
            |epoch: u64, slots: u64| slot_start(Slot((FIRST_EPOCH + epoch) * EPOCH_SLOTS + slots)).plus_ms(8_000);
        match self.plan.control {
            Control::OldBackup => {
                for epoch in 1..self.plan.epochs {
                    self.at(disaster(epoch, 4), Event::Disaster { node: 0 });
                }
            }
            Control::OldBackupsEverywhere => {
                for node in 0..self.nodes.len() {
                    self.at(disaster(self.plan.epochs / 2, 4), Event::Disaster { node });
                }
            }
            _ => {}
        }
    }

    pub(super) fn at(&mut self, time: Time, event: Event) {
        self.order += 1;
        self.events.insert((time, self.order), event);
    }

    pub(super) fn draw(&mut self, bound: u64) -> u64 {
        below(&mut self.rng, bound)
    }

    pub(super) fn note(&mut self, node: usize, text: String) {
        self.notes.push((self.now, node, text));
    }

    pub(super) fn eye(&self, node: usize) -> Eye<'_> {
        Eye { chain: &self.chain, beacon: self.nodes[node].beacon, now: self.now }
    }

    pub(super) fn run(&mut self) {
        while let Some(((time, _), event)) = self.events.pop_first() {
            self.now = self.now.max(time);
            self.perform(event);
        }
    }

    /// Slots with duties.
    pub(super) fn slots(&self) -> u64 {
        self.plan.epochs * EPOCH_SLOTS
    }

    fn is_alive(&self, node: usize, life: u32) -> bool {
        self.nodes[node].up && self.nodes[node].life == life
    }

    fn perform(&mut self, event: Event) {
        match event {
            Event::Slot(slot) => self.on_slot(slot),
            Event::Start { node } => self.start(node),
            Event::Deliver { node, from, instance, message } => self.deliver(node, from, instance, &message),
            Event::Hostile { node } => self.hostile(node),
            Event::Disaster { node } => {
                self.nodes[node].backup_next = true;
                if self.nodes[node].up {
                    self.crash(node, "a disaster");
                }
            }
            Event::Input { node, life, instance } if self.is_alive(node, life) => self.input(node, instance),
            Event::Wake { node, life, instance } if self.is_alive(node, life) => {
                let now = self.now;
                let Some(running) = self.nodes[node].running.get_mut(&instance) else { return };
                running.wake = None;
                running.machine.on_deadline(now);
                self.drain(node, instance);
            }
            Event::Look { node, life, instance, look } if self.is_alive(node, life) => self.look(node, instance, look),
            Event::Work { node, life, job } if self.is_alive(node, life) => self.work(node, job),
            Event::End { node, life, instance } if self.is_alive(node, life) => {
                self.nodes[node].running.remove(&instance);
            }
            _ => {}
        }
    }

    fn on_slot(&mut self, slot: Slot) {
        let last = Slot((FIRST_EPOCH + self.plan.epochs) * EPOCH_SLOTS);
        if slot >= last {
            return;
        }
        self.at(slot_start(Slot(slot.0 + 1)), Event::Slot(Slot(slot.0 + 1)));
        for node in 0..self.nodes.len() {
            let has_backups = matches!(self.plan.control, Control::OldBackup | Control::OldBackupsEverywhere);
            if has_backups && slot.0.is_multiple_of(EPOCH_SLOTS) {
                let backup = self.nodes[node].disk.backup();
                self.nodes[node].backups.push(backup);
            }
            if !self.nodes[node].up {
                continue;
            }
            // Some prune often, some never.
            if slot.0 % EPOCH_SLOTS == 3 && node % 2 == 0 {
                let epoch = Epoch(slot.0 / EPOCH_SLOTS - KEPT_EPOCHS);
                self.nodes[node].disk.prune(epoch, epoch.start(EPOCH_SLOTS));
            }
            self.begin_slot(node, slot);
        }
    }

    fn start(&mut self, node: usize) {
        let Some(held) = self.nodes.get_mut(node) else { return };
        held.up = true;
        held.life += 1;
        let life = held.life;
        if std::mem::take(&mut held.backup_next) {
            // The last but one: the last may hold everything that matters.
            if let Some(backup) = held.backups.iter().rev().nth(1) {
                held.disk.restore(backup);
                self.note(node, "starts from an old backup".to_owned());
            }
        }
        self.note(node, format!("starts life {life}"));
        let slot = slot_at(self.now);
        for slot in [slot.0.saturating_sub(1), slot.0].map(Slot) {
            // At the very start the first slot begins by itself.
            if slot.0 >= FIRST_EPOCH * EPOCH_SLOTS && self.now > START {
                self.begin_slot(node, slot);
            }
        }
    }

    fn begin_slot(&mut self, node: usize, slot: Slot) {
        for kind in [InstanceKind::Proposal, InstanceKind::Attestation] {
            self.begin(node, InstanceId { committee: self.id, slot, kind });
        }
    }

    fn begin(&mut self, node: usize, instance: InstanceId) {
        let slot = slot_start(instance.slot);
        let (start, round_ms, give_up) = match instance.kind {
            InstanceKind::Attestation => (slot.plus_ms(DUE_MS), ROUND_MS, slot.plus_ms(2 * SLOT_MS)),
            _ => (slot, 2 * ROUND_MS, slot.plus_ms(SLOT_MS)),
        };
        let last = Slot((FIRST_EPOCH + self.plan.epochs) * EPOCH_SLOTS);
        if give_up <= self.now || instance.slot >= last {
            return;
        }
        let beacon = self.nodes[node].beacon;
        let attesters = self.chain.attesters(beacon, self.now, instance.slot);
        let proposer = self.chain.proposer(beacon, self.now, instance.slot);
        let held = &mut self.nodes[node];
        let (life, id, committee) = (held.life, held.id, Arc::clone(&self.committee));
        let records = held.disk.journal(&instance);
        let config = Config { instance, start, round_ms };
        let machine = Machine::restore(config, Arc::clone(&committee), id, held.key.clone(), records);
        let adversary = held
            .compromised
            .filter(|behaviour| *behaviour != Behaviour::Twins)
            .map(|behaviour| Adversary::new(behaviour, instance, Arc::clone(&committee), id, held.key.clone()));
        let running = Running { machine, adversary, give_up, wake: None, attesters, proposer, view: None };
        held.running.insert(instance, running);
        let leads = leader(&committee, &instance, 1) == id;
        let wait = match instance.kind {
            InstanceKind::Attestation => self.draw(300),
            _ if leads => self.draw(1_200),
            _ => round_ms * 2 / 3,
        };
        let now = self.now;
        self.at(now.max(start.plus_ms(wait)), Event::Input { node, life, instance });
        self.at(now.max(start), Event::Wake { node, life, instance });
        self.at(give_up.plus_ms(2 * SLOT_MS), Event::End { node, life, instance });
    }

    fn input(&mut self, node: usize, instance: InstanceId) {
        let mut rng = self.rng.clone();
        let (now, eye, held) = (self.now, self.eye(node), &self.nodes[node]);
        let Some(running) = held.running.get(&instance) else { return };
        let value = match held.compromised {
            None => value::own(eye, &instance, running.proposer, &mut rng),
            Some(_) => value::twisted(eye, &instance, running.proposer, &mut rng),
        };
        self.rng = rng;
        let seen = (instance.kind == InstanceKind::Attestation)
            .then(|| self.chain.attestation(self.nodes[node].beacon, now, instance.slot));
        let Some(running) = self.nodes[node].running.get_mut(&instance) else { return };
        running.view = seen;
        running.machine.on_value(now, value);
        self.drain(node, instance);
    }

    fn deliver(&mut self, node: usize, from: OperatorId, instance: InstanceId, message: &Arc<Message>) {
        let now = self.now;
        let Some(held) = self.nodes.get_mut(node).filter(|held| held.up) else { return };
        let Some(running) = held.running.get_mut(&instance) else { return };
        if let Some(adversary) = &mut running.adversary {
            adversary.overhear(message, &mut self.rng);
        }
        let _ = running.machine.on_message(now, from, Message::clone(message));
        self.drain(node, instance);
    }

    /// Performs what a machine wants done, in the order of the node: records, one flush, then messages. The process may be
    /// killed before each of them.
    fn drain(&mut self, node: usize, instance: InstanceId) {
        let (mut messages, mut wrote) = (Vec::new(), false);
        let (now, life) = (self.now, self.nodes[node].life);
        while let Some(running) = self.nodes[node].running.get_mut(&instance) {
            let Some(output) = running.machine.poll() else { break };
            let step = match &output {
                Output::Persist(_) => "a record of consensus",
                Output::Send { .. } => "a message of consensus",
                Output::Judge { .. } => "a judgement",
                Output::Decided(_) => "a decision",
            };
            if self.is_killed_in_consensus(node, step) {
                return;
            }
            match output {
                Output::Persist(record) => {
                    wrote = true;
                    self.nodes[node].disk.append(instance, record);
                }
                Output::Send { to, message } => messages.push((to, message)),
                Output::Judge { digest, value } => {
                    let look = Look { value, digest: Some(digest), first: true };
                    self.at(now.plus_ms(1), Event::Look { node, life, instance, look });
                }
                Output::Decided(decision) => {
                    let look = Look { value: decision.value, digest: None, first: true };
                    let after = self.draw(10);
                    self.at(now.plus_ms(after), Event::Look { node, life, instance, look });
                }
            }
        }
        if wrote {
            if self.is_killed_in_consensus(node, "the flush of consensus") {
                return;
            }
            self.nodes[node].disk.flush();
        }
        for (to, message) in messages {
            if self.is_killed_in_consensus(node, "the sending of consensus") {
                return;
            }
            self.send(node, instance, to, &message);
        }
        let Some(running) = self.nodes[node].running.get_mut(&instance) else { return };
        let deadline = running.machine.deadline().filter(|at| running.wake.is_none_or(|wake| wake > *at));
        if let Some(at) = deadline.filter(|at| *at < running.give_up.plus_ms(2 * SLOT_MS)) {
            running.wake = Some(at);
            self.at(at.max(now.plus_ms(1)), Event::Wake { node, life, instance });
        }
    }

    fn look(&mut self, node: usize, instance: InstanceId, look: Look) {
        let now = self.now;
        let held = &self.nodes[node];
        let Some(running) = held.running.get(&instance) else { return };
        let (proposer, give_up) = (running.proposer, running.give_up);
        let known = running.view.filter(|_| look.first);
        let judged = match held.compromised {
            Some(_) => value::read(&instance, &look.value).ok_or(No::Never),
            None => value::judge(self.eye(node), &instance, proposer, known, &look.value),
        };
        if matches!(judged, Err(No::Yet)) && now < give_up {
            let life = held.life;
            let look = Look { first: false, ..look };
            return self.at(now.plus_ms(LOOK_AGAIN_MS), Event::Look { node, life, instance, look });
        }
        if let Some(digest) = look.digest {
            let Some(running) = self.nodes[node].running.get_mut(&instance) else { return };
            running.machine.on_judgement(now, digest, judged.is_ok());
            return self.drain(node, instance);
        }
        let Ok(content) = judged else { return };
        let validators = match content {
            Content::Vote(_) => Arc::clone(&running.attesters),
            Content::Block(_) => Arc::from([proposer]),
        };
        let job = Job::new(content, validators);
        self.begin_work(node, job);
    }

    fn is_killed_in_consensus(&mut self, node: usize, step: &'static str) -> bool {
        let killed = self.faults.crash_in_consensus > 0 && self.draw(10_000) < self.faults.crash_in_consensus;
        if killed {
            self.crash(node, step);
        }
        killed
    }

    /// The process is killed before a step. Of what was not flushed some may be on the disk all the same.
    pub(super) fn crash(&mut self, node: usize, step: &'static str) {
        *self.outcome.crashes.entry(step).or_default() += 1;
        self.note(node, format!("is killed before {step}"));
        let unflushed = self.nodes[node].disk.unflushed();
        let kept = self.draw(unflushed as u64 + 1) as usize;
        self.outcome.lossy_crashes += u64::from(kept < unflushed);
        let held = &mut self.nodes[node];
        held.disk.crash(kept);
        held.up = false;
        held.running.clear();
        let factor = if self.draw(8) == 0 { 10 } else { 1 };
        let down = factor * self.draw(self.faults.down_ms + 1);
        let at = self.now.plus_ms(down.max(1));
        self.at(at, Event::Start { node });
    }
}

impl Node {
    fn new(
        operator: usize,
        id: OperatorId,
        key: identity::SecretKey,
        beacon: usize,
        compromised: Option<Behaviour>,
        control: Control,
    ) -> Self {
        let protection = match control {
            Control::NoFlush => Protection::NoFlush,
            Control::NoCheck => Protection::NoCheck,
            _ => Protection::Sound,
        };
        Self {
            operator,
            id,
            key,
            beacon,
            disk: Disk::new(protection),
            up: false,
            life: 0,
            running: BTreeMap::new(),
            compromised,
            backups: Vec::new(),
            backup_next: false,
        }
    }
}
