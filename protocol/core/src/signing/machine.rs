//! The machine of one exchange: who sent what, who is to be asked. The cryptography is in `attempt.rs`.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use cluster_crypto::{
    threshold::{Partial, PARTIAL_BYTES},
    Threshold,
};
use rand_core::CryptoRngCore;

use super::{items::Items, Item, Message, Missing, Names, Output, Partials, Slot, StartError};
use crate::{
    committee::{Committee, OperatorId},
    duty::SigningId,
    machine::{self, Recipient, Time},
    verdict::{FaultReason, SkipReason, Verdict},
};

/// The time between two rounds of asking doubles up to this many times the first.
const MAX_BACKOFF: u64 = 8;

/// What this operator thinks of a signer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Its partials are used unchecked, since the result is checked.
    Trusted,
    /// Others go first; its partials are checked before they are used.
    Doubted,
    /// As doubted, and a partial of it was wrong in this exchange.
    Bad,
}

/// A member of the committee, this operator included.
pub(super) struct Peer {
    pub(super) id: OperatorId,
    pub(super) standing: Standing,
    /// When its first partial for one of the items came.
    pub(super) arrived: Option<Time>,
    /// When it was last answered.
    answered: Option<Time>,
}

/// One exchange of partial signatures.
///
/// The driver performs what [`machine::Machine::poll`] returns, and calls [`Machine::work`] on a thread for heavy work
/// while [`Machine::needs_work`].
pub struct Machine {
    id: SigningId,
    pub(super) threshold: Threshold,
    /// Position of this operator in `peers`.
    pub(super) me: usize,
    /// By share index, from 0.
    pub(super) peers: Vec<Peer>,
    pub(super) items: Items,
    /// This operator's partials, kept to answer those who ask.
    own: Vec<Option<Partial>>,
    /// Positions in `peers` in the order in which their partials are used.
    pub(super) order: Vec<usize>,
    /// Whether [`Machine::work`] has something to do.
    pub(super) waiting: bool,
    /// Whether doubted operators are needed: the others had their time.
    pub(super) patience_over: bool,
    retry_ms: u64,
    backoff: u64,
    next_round: Time,
    finished: bool,
    outputs: VecDeque<Output>,
}

impl Machine {
    /// Starts an exchange and sends the own partials to all.
    ///
    /// `own` has a place for every item, empty where this operator does not sign. Peers whose partials are missing are
    /// asked after `retry_ms`, and again in growing intervals. An exchange of a restarted operator is started anew with
    /// the same arguments.
    ///
    /// # Errors
    /// The arguments do not fit each other, or there are more than [`super::MAX_ITEMS`] items.
    pub fn start(
        id: SigningId,
        committee: Arc<Committee>,
        me: OperatorId,
        items: Vec<Item>,
        own: Vec<Option<Partial>>,
        retry_ms: u64,
        now: Time,
    ) -> Result<Self, StartError> {
        // SIGNING 1.1
        let position = committee.ids().position(|id| id == me).ok_or(StartError::NotInCommittee { me })?;
        if own.len() != items.len() {
            return Err(StartError::OwnLength { items: items.len(), own: own.len() });
        }
        let peers = committee.ids().map(|id| Peer { id, standing: Standing::Trusted, arrived: None, answered: None });
        let retry_ms = retry_ms.max(1);
        let mut machine = Self {
            id,
            threshold: committee.threshold(),
            me: position,
            peers: peers.collect(),
            items: Items::new(items, committee.members().len())?,
            own,
            order: Vec::with_capacity(committee.members().len()),
            waiting: false,
            patience_over: false,
            retry_ms,
            backoff: 1,
            next_round: now.plus_ms(retry_ms),
            finished: false,
            outputs: VecDeque::new(),
        };
        machine.send_own(now);
        machine.reconsider();
        Ok(machine)
    }

    /// What is signed for, and when.
    #[must_use]
    pub fn id(&self) -> SigningId {
        self.id
    }

    /// Uses an operator's partials only where those of others do not suffice, and checks them first. For operators
    /// whose partials were wrong before: one that is fast and wrong makes everyone check every time.
    pub fn doubt(&mut self, operator: OperatorId) {
        if let Some(peer) = self.peers.iter_mut().find(|peer| peer.id == operator) {
            if peer.standing == Standing::Trusted {
                peer.standing = Standing::Doubted;
            }
        }
        self.reconsider();
    }

    /// Whether [`Machine::work`] has something to do.
    #[must_use]
    pub fn needs_work(&self) -> bool {
        self.waiting
    }

    /// Hashes roots, combines and verifies what can be, or finds out whose partials were wrong. One step at a time:
    /// call it while [`Machine::needs_work`], and poll in between. Takes milliseconds, more for many items.
    ///
    /// `rng` must be unpredictable to the peers: the checks are random linear combinations.
    pub fn work(&mut self, now: Time, rng: &mut impl CryptoRngCore) {
        self.patience_over |= now >= self.next_round;
        self.attempt(rng);
        self.reconsider();
    }

    /// The operators of which partials arrived, this one included if it signed, each with the time of its first, in
    /// ascending order. Not those whose partials were found wrong; partials that were not needed were not checked.
    #[must_use]
    pub fn participants(&self) -> Vec<(OperatorId, Time)> {
        let peers = self.peers.iter().filter(|peer| peer.standing != Standing::Bad);
        peers.filter_map(|peer| Some((peer.id, peer.arrived?))).collect()
    }

    /// The operators whose partials were found wrong, in ascending order.
    #[must_use]
    pub fn bad(&self) -> Vec<OperatorId> {
        self.peers.iter().filter(|peer| peer.standing == Standing::Bad).map(|peer| peer.id).collect()
    }

    /// The items that are not signed yet.
    #[must_use]
    pub fn missing(&self) -> Vec<Missing> {
        let without = |slots: &[Slot]| {
            let absent = slots.iter().zip(&self.peers).filter(|(slot, _)| slot.partial().is_none());
            absent.map(|(_, peer)| peer.id).collect()
        };
        self.items.open_items().map(|(item, entry)| Missing { item, without: without(&entry.slots) }).collect()
    }

    /// Whether every item is signed, or never will be.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.items.open == 0
    }

    pub(super) fn emit(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Names an operator, once.
    pub(super) fn blame(&mut self, operator: usize) {
        let Some(peer) = self.peers.get_mut(operator).filter(|peer| peer.standing != Standing::Bad) else { return };
        peer.standing = Standing::Bad;
        let id = peer.id;
        self.emit(Output::Bad { operator: id });
    }

    /// Recomputes whether there is work, and says so once when all is done.
    fn reconsider(&mut self) {
        self.waiting = self.has_work();
        if self.items.open == 0 && !self.finished {
            self.finished = true;
            self.emit(Output::Done);
        }
    }

    fn send_own(&mut self, now: Time) {
        // SIGNING 1.2 and 1.3
        for (item, partial) in self.own.iter().enumerate() {
            if let Some(partial) = partial {
                self.items.set(item, self.me, Slot::Unchecked(*partial));
            }
        }
        if let Some(message) = self.own_partials(|_| true) {
            self.arrive(self.me, now);
            self.emit(Output::Send { to: Recipient::All, message: Arc::new(message) });
        }
    }

    /// The own partials of the chosen items, grouped by root; `None` when there are none.
    fn own_partials(&self, chosen: impl Fn(usize) -> bool) -> Option<Message> {
        let mut groups: BTreeMap<usize, Partials> = BTreeMap::new();
        for (item, entry) in self.items.entries.iter().enumerate().filter(|(item, _)| chosen(*item)) {
            if let Some(Some(partial)) = self.own.get(item) {
                let group = groups.entry(entry.root).or_insert_with(|| Partials::new(entry.item.root));
                group.push(&[&entry.item.validator.to_bytes(), &partial.to_bytes()]);
            }
        }
        (!groups.is_empty()).then(|| Message::Partials(groups.into_values().collect()))
    }

    fn arrive(&mut self, operator: usize, now: Time) {
        if let Some(peer) = self.peers.get_mut(operator).filter(|peer| peer.arrived.is_none()) {
            peer.arrived = Some(now);
            self.order.push(operator);
        }
    }

    fn on_partials(&mut self, now: Time, from: usize, groups: &[Partials]) -> Verdict {
        let (mut taken, mut known, mut closed) = (Vec::new(), false, false);
        for group in groups {
            for (validator, bytes) in group.iter() {
                // SIGNING 2.2
                let Some(item) = self.items.find(group.root(), validator) else { continue };
                known = true;
                if !self.items.is_open(item) {
                    closed = true;
                    continue;
                }
                match self.judge(item, from, bytes) {
                    Ok(Some(partial)) => taken.push((item, partial)),
                    Ok(None) => {}
                    // SIGNING 2.3: nothing of such a message is kept.
                    Err(reason) => return Verdict::Fault(reason),
                }
            }
        }
        if known {
            // SIGNING 2.5: also when it was not needed any more.
            self.arrive(from, now);
        }
        if taken.is_empty() {
            return Verdict::Skip(match (known, closed) {
                (false, _) => SkipReason::Unknown,
                (true, true) => SkipReason::TooLate,
                (true, false) => SkipReason::Duplicate,
            });
        }
        for (item, partial) in taken {
            // The first counts, also within a message.
            if matches!(self.items.slot(item, from), Slot::Absent) {
                self.items.set(item, from, Slot::Unchecked(partial));
            }
        }
        self.reconsider();
        Verdict::Valid
    }

    /// The partial if it is new, nothing if it is known, or why no honest operator sends it.
    fn judge(&self, item: usize, from: usize, bytes: &[u8]) -> Result<Option<Partial>, FaultReason> {
        match self.items.slot(item, from) {
            Slot::Absent => Partial::from_bytes(bytes).map(Some).map_err(|_| FaultReason::Malformed),
            // SIGNING 2.4
            Slot::Unchecked(known) | Slot::Right(known) if !is_same(&known, bytes) => Err(FaultReason::Equivocation),
            Slot::Unchecked(_) | Slot::Right(_) | Slot::Wrong => Ok(None),
        }
    }

    fn on_want(&mut self, now: Time, from: usize, groups: &[Names]) -> Verdict {
        let Some(peer) = self.peers.get_mut(from) else { return Verdict::Fault(FaultReason::NotInCommittee) };
        // SIGNING 3.4
        if peer.answered.is_some_and(|last| now.since(last) < self.retry_ms / 2) {
            return Verdict::Skip(SkipReason::TooOften);
        }
        // SIGNING 3.3
        let wanted: BTreeSet<usize> = groups
            .iter()
            .flat_map(|group| group.iter().filter_map(|(validator, _)| self.items.find(group.root(), validator)))
            .collect();
        let Some(message) = self.own_partials(|item| groups.is_empty() || wanted.contains(&item)) else {
            return Verdict::Skip(SkipReason::Unknown);
        };
        if let Some(peer) = self.peers.get_mut(from) {
            peer.answered = Some(now);
            let to = Recipient::One(peer.id);
            self.emit(Output::Send { to, message: Arc::new(message) });
        }
        Verdict::Valid
    }

    /// Asks every peer for what it has not sent and what is not signed.
    fn ask(&mut self) {
        let me = self.me;
        for operator in (0..self.peers.len()).filter(|operator| *operator != me) {
            let mut groups: BTreeMap<usize, Names> = BTreeMap::new();
            let mut wanted = 0;
            for (_, entry) in self.items.open_items() {
                if matches!(entry.slots.get(operator), Some(Slot::Absent)) {
                    let group = groups.entry(entry.root).or_insert_with(|| Names::new(entry.item.root));
                    group.push(&[&entry.item.validator.to_bytes()]);
                    wanted += 1;
                }
            }
            if wanted == 0 {
                continue;
            }
            let everything = wanted == self.items.entries.len();
            let names = if everything { Vec::new() } else { groups.into_values().collect() };
            if let Some(to) = self.peers.get(operator).map(|peer| Recipient::One(peer.id)) {
                self.emit(Output::Send { to, message: Arc::new(Message::Want(names)) });
            }
        }
    }
}

impl machine::Machine for Machine {
    type Message = Message;
    type Output = Output;

    fn on_message(&mut self, now: Time, from: OperatorId, message: Message) -> Verdict {
        // SIGNING 2.1
        let Some(operator) = self.peers.iter().position(|peer| peer.id == from) else {
            return Verdict::Fault(FaultReason::NotInCommittee);
        };
        if operator == self.me {
            return Verdict::Fault(FaultReason::Impersonation);
        }
        if message.check().is_err() {
            return Verdict::Fault(FaultReason::Malformed);
        }
        match message {
            Message::Partials(groups) => self.on_partials(now, operator, &groups),
            Message::Want(groups) => self.on_want(now, operator, &groups),
        }
    }

    fn on_deadline(&mut self, now: Time) {
        if self.items.open == 0 || now < self.next_round {
            return;
        }
        // SIGNING 3.1
        self.ask();
        // SIGNING 3.2
        self.backoff = (self.backoff * 2).min(MAX_BACKOFF);
        self.next_round = now.plus_ms(self.retry_ms.saturating_mul(self.backoff));
        self.patience_over = true;
        self.reconsider();
    }

    fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn deadline(&self) -> Option<Time> {
        (self.items.open > 0).then_some(self.next_round)
    }
}

fn is_same(partial: &Partial, bytes: &[u8]) -> bool {
    let known: [u8; PARTIAL_BYTES] = partial.to_bytes();
    known == bytes
}
