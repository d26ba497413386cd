//! The hub: runs consensus instances and exchanges of partial signatures of all committees of this operator.
//!
//! The machines are pure (`cluster_core::consensus`, `cluster_core::signing`). Each runs in a task of its own, which hands
//! it messages and the time and performs its outputs. [`Hub::agree`] and [`Hub::sign`] wait for the result; the task goes
//! on answering peers that are behind until some slots later. Whoever drops their futures before ends the task.
//!
//! | file | part |
//! | --- | --- |
//! | `hub.rs` | the two calls, and what becomes of a message of a peer |
//! | `hub/instance.rs` | the task of a consensus instance |
//! | `hub/exchange.rs` | the task of an exchange of partial signatures |
//! | `hub/mailbox.rs` | messages that wait, within bounds |
//! | `hub/report.rs` | results and errors |
//!
//! Peers may be faster: their messages wait in a mailbox until the instance starts here, if its slot is near. Votes are
//! on disk before they are sent. Values are fetched and judged in tasks beside the machine, which votes meanwhile; a panic
//! in any of them ends nothing else. Pairings run on blocking threads, no more at a time than the machine has processors.

mod exchange;
mod instance;
mod mailbox;
mod report;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use cluster_core::beacon::Slot;
use cluster_core::committee::{Committee, OperatorId};
use cluster_core::duty::{CommitteeId, InstanceId, SigningId};
use cluster_core::machine::{Recipient, Time};
use cluster_core::signing::Item;
use cluster_crypto::identity;
use cluster_crypto::threshold::Partial;
use futures::future::BoxFuture;
use tokio::sync::{oneshot, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::clock::{Clock, SlotTimes};
use super::mesh::{DutyMessage, Mesh};
use super::votes::Votes;
use mailbox::{Budget, Letter, Mailbox, Push};
pub use report::{AgreeError, Agreed, Delivery, Judge, Observer, Signed, Timing};

/// Slots for which a finished instance goes on answering peers, and messages of a past slot are taken.
const SLOTS_BEHIND: u64 = 4;
/// Slots ahead of the own clock of which messages of instances are taken: clocks differ a little.
const SLOTS_AHEAD: u64 = 1;
/// Epochs ahead of which partial signatures are taken: proofs are signed an epoch before they are needed.
const EPOCHS_AHEAD: u64 = 3;
/// Slots for which an operator whose partials were wrong has them checked before they are used.
const SLOTS_OF_DOUBT: u64 = 32;

/// Runs machines; cheap to clone.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Instance(InstanceId),
    Exchange(SigningId),
}

struct Inner {
    me: OperatorId,
    identity: identity::SecretKey,
    mesh: Arc<dyn Mesh>,
    votes: Arc<dyn Votes>,
    clock: Clock,
    observer: Arc<dyn Observer>,
    slots: RwLock<Option<SlotTimes>>,
    committees: RwLock<BTreeMap<CommitteeId, Arc<Committee>>>,
    mailboxes: Mutex<Mailboxes>,
    budget: Budget,
    /// Places for pairings.
    work: Semaphore,
    /// Operators whose partials were wrong, and until when that counts.
    doubted: Mutex<BTreeMap<OperatorId, Slot>>,
    /// The first slot whose votes are kept, as far as this process has pruned.
    pruned: AtomicU64,
    stop: CancellationToken,
    tasks: TaskTracker,
}

#[derive(Default)]
struct Mailboxes {
    swept: Slot,
    all: BTreeMap<Key, Arc<Mailbox>>,
}

impl Hub {
    /// A hub of the operator `me`. It answers `Busy` until it knows the times of slots.
    #[must_use]
    pub fn new(
        me: OperatorId,
        identity: identity::SecretKey,
        mesh: Arc<dyn Mesh>,
        votes: Arc<dyn Votes>,
        clock: Clock,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let inner = Inner {
            me,
            identity,
            mesh,
            votes,
            clock,
            observer,
            slots: RwLock::default(),
            committees: RwLock::default(),
            mailboxes: Mutex::default(),
            budget: Budget::default(),
            work: Semaphore::new(processors),
            doubted: Mutex::default(),
            pruned: AtomicU64::new(0),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Tells where slots lie in time: once the chain is known.
    pub fn set_slots(&self, slots: SlotTimes) {
        *self.inner.slots.write().unwrap_or_else(PoisonError::into_inner) = Some(slots);
    }

    /// Takes messages of a committee from now on.
    pub fn add_committee(&self, id: CommitteeId, committee: Arc<Committee>) {
        let now = self.inner.clock.now();
        for operator in committee.ids().filter(|operator| *operator != self.inner.me) {
            self.inner.observer.expected(operator, now);
        }
        self.inner.committees.write().unwrap_or_else(PoisonError::into_inner).insert(id, committee);
    }

    /// Takes a message of an authenticated peer. Never blocks; what is wrong with it shows later.
    pub fn deliver(&self, from: OperatorId, message: DutyMessage) -> Delivery {
        let inner = &self.inner;
        let Some(slots) = inner.slots() else { return Delivery::Busy };
        let (key, bytes) = match message {
            DutyMessage::Consensus(instance, bytes) => (Key::Instance(instance), bytes),
            DutyMessage::Signing(id, bytes) => (Key::Exchange(id), bytes),
        };
        let Some(committee) = inner.committee(&key.committee()) else {
            return Delivery::Refused("the committee is not known here");
        };
        if !committee.contains(from) || from == inner.me {
            inner.observer.fault(from, "the sender is not a member of the committee");
            return Delivery::Refused("the sender is not in the committee");
        }
        let at = inner.clock.now();
        let now = slots.slot_at(at);
        if !key.is_near(now, &slots) {
            return Delivery::Refused("the slot is too far away");
        }
        inner.observer.heard(from, at);
        let Some(ticket) = inner.budget.take(from, bytes.len()) else { return Delivery::Busy };
        match inner.mailbox(key, now, &slots).push(Letter::new(from, bytes, at, ticket)) {
            Push::Taken => Delivery::Accepted,
            Push::Full => Delivery::Busy,
            Push::Ended => Delivery::Refused("this operator is done with it"),
        }
    }

    /// Agrees with the other operators of a committee on a value. `value` is this operator's own, when it has one; it may
    /// come late. Returns with the decision, or an error when it is of no use any more.
    pub async fn agree(
        &self,
        instance: InstanceId,
        timing: Timing,
        value: BoxFuture<'static, Option<Vec<u8>>>,
        judge: Judge,
    ) -> Result<Agreed, AgreeError> {
        let key = Key::Instance(instance);
        let opened = self.open(key).map_err(|error| match error {
            OpenError::NotReady(what) => AgreeError::NotReady { what },
            OpenError::WrongTime(now) => AgreeError::WrongTime { instance, now },
            OpenError::Twice => AgreeError::Twice { instance },
        })?;
        let (report, outcome) = oneshot::channel();
        let task = instance::Instance::new(instance, timing, opened, judge, report);
        self.inner.tasks.spawn(task.run(value));
        outcome.await.unwrap_or(Err(AgreeError::Ended { instance }))
    }

    /// Exchanges partial signatures with the other operators of a committee. `own` has a place for every item. Returns when
    /// all are signed, or at `give_up` with those that are.
    pub async fn sign(&self, id: SigningId, items: Vec<Item>, own: Vec<Option<Partial>>, give_up: Time) -> Signed {
        let count = items.len();
        let unsigned = |failure: String| {
            tracing::error!(slot = id.slot.0, committee_id = %id.committee, kind = id.kind.name(), failure, "cannot sign: {failure}");
            Signed { signatures: vec![None; count], failure: Some(failure), ..Signed::default() }
        };
        let opened = match self.open(Key::Exchange(id)) {
            Ok(opened) => opened,
            Err(OpenError::NotReady(what)) => return unsigned(format!("{what} is not known yet")),
            Err(OpenError::WrongTime(now)) => return unsigned(format!("{id} cannot be signed in slot {now}")),
            Err(OpenError::Twice) => return unsigned(format!("{id} was started before")),
        };
        let (report, outcome) = oneshot::channel();
        let task = exchange::Exchange::new(id, give_up, opened, count, report);
        self.inner.tasks.spawn(task.run(items, own));
        match outcome.await {
            Ok(Ok(signed)) => signed,
            Ok(Err(reason)) => unsigned(reason),
            Err(_) => unsigned(format!("{id} was ended before it was signed")),
        }
    }

    /// Tasks of instances and exchanges that have not ended.
    #[must_use]
    pub fn running(&self) -> usize {
        self.inner.tasks.len()
    }

    /// Ends all tasks.
    pub async fn shutdown(&self) {
        self.inner.stop.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// The mailbox of what is about to start, with what its task needs.
    fn open(&self, key: Key) -> Result<Opened, OpenError> {
        let inner = &self.inner;
        let slots = inner.slots().ok_or(OpenError::NotReady("where slots lie in time"))?;
        let committee = inner.committee(&key.committee()).ok_or(OpenError::NotReady("the committee"))?;
        let now = slots.slot_at(inner.clock.now());
        if !key.is_near(now, &slots) {
            return Err(OpenError::WrongTime(now));
        }
        let mailbox = inner.mailbox(key, now, &slots);
        if !mailbox.begin() {
            return Err(OpenError::Twice);
        }
        Ok(Opened { inner: Arc::clone(inner), key, slots, committee, mailbox, keep: false })
    }
}

enum OpenError {
    NotReady(&'static str),
    WrongTime(Slot),
    Twice,
}

/// What a task holds while it runs.
struct Opened {
    inner: Arc<Inner>,
    key: Key,
    slots: SlotTimes,
    committee: Arc<Committee>,
    mailbox: Arc<Mailbox>,
    /// Whether it had a result, so that it cannot be started again.
    keep: bool,
}

impl Opened {
    fn now(&self) -> Time {
        self.inner.clock.now()
    }

    /// The end of the time in which peers that are behind are answered.
    fn linger_until(&self, give_up: Time) -> Time {
        give_up.max(self.slots.start(Slot(self.key.slot().0.saturating_add(SLOTS_BEHIND))))
    }

    /// Sends an encoded message; `to` are members of the committee.
    fn send(&self, to: Recipient, message: &DutyMessage, expires: Time) {
        match to {
            Recipient::One(operator) => {
                self.inner.mesh.send(operator, message.clone(), expires);
            }
            Recipient::All => {
                for operator in self.committee.ids().filter(|id| *id != self.inner.me) {
                    self.inner.mesh.send(operator, message.clone(), expires);
                }
            }
        }
    }
}

impl Drop for Opened {
    /// Also after a panic.
    fn drop(&mut self) {
        self.mailbox.end();
        if !self.keep {
            lock(&self.inner.mailboxes).all.remove(&self.key);
        }
    }
}

impl Key {
    const fn committee(&self) -> CommitteeId {
        match self {
            Self::Instance(instance) => instance.committee,
            Self::Exchange(id) => id.committee,
        }
    }

    const fn slot(&self) -> Slot {
        match self {
            Self::Instance(instance) => instance.slot,
            Self::Exchange(id) => id.slot,
        }
    }

    /// Whether messages are of use in slot `now`.
    fn is_near(&self, now: Slot, slots: &SlotTimes) -> bool {
        let (behind, ahead) = match self {
            Self::Instance(_) => (SLOTS_BEHIND, SLOTS_AHEAD),
            // What is signed once for an epoch carries the epoch's first slot.
            Self::Exchange(_) => (slots.slots_per_epoch + SLOTS_BEHIND, EPOCHS_AHEAD * slots.slots_per_epoch),
        };
        let slot = self.slot().0;
        slot.saturating_add(behind) >= now.0 && slot <= now.0.saturating_add(ahead)
    }
}

impl Inner {
    fn slots(&self) -> Option<SlotTimes> {
        *self.slots.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn committee(&self, id: &CommitteeId) -> Option<Arc<Committee>> {
        self.committees.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// The mailbox of a key. Once in a slot the mailboxes of other times are thrown away.
    fn mailbox(&self, key: Key, now: Slot, slots: &SlotTimes) -> Arc<Mailbox> {
        let mut mailboxes = lock(&self.mailboxes);
        if mailboxes.swept != now {
            mailboxes.swept = now;
            mailboxes.all.retain(|key, mailbox| mailbox.is_running() || key.is_near(now, slots));
        }
        Arc::clone(mailboxes.all.entry(key).or_insert_with(|| Arc::new(Mailbox::new())))
    }

    /// Whether the partials of an operator were wrong not long ago.
    fn doubts(&self, now: Slot) -> Vec<OperatorId> {
        let mut doubted = lock(&self.doubted);
        doubted.retain(|_, until| *until > now);
        doubted.keys().copied().collect()
    }

    fn doubt(&self, operator: OperatorId, now: Slot) {
        lock(&self.doubted).insert(operator, Slot(now.0.saturating_add(SLOTS_OF_DOUBT)));
    }

    /// Runs something that touches the disk where it may block.
    async fn with_votes<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Votes) -> Result<T, crate::store::StoreError> + Send + 'static,
    ) -> Result<T, String> {
        let votes = Arc::clone(&self.votes);
        if !votes.blocks() {
            return work(votes.as_ref()).map_err(|error| error.to_string());
        }
        match tokio::task::spawn_blocking(move || work(votes.as_ref())).await {
            Ok(done) => done.map_err(|error| error.to_string()),
            Err(_) => Err("the process is stopping".to_owned()),
        }
    }

    /// Forgets votes of slots that were over when `decided` was decided, once in a slot. The time of a decision is that of
    /// a quorum: an own clock that is ahead must not forbid the slots up to it.
    async fn prune_votes(&self, decided: Slot) {
        let before = decided.0.saturating_sub(SLOTS_BEHIND + SLOTS_AHEAD);
        if self.pruned.fetch_max(before, Ordering::Relaxed) >= before {
            return;
        }
        if let Err(error) = self.with_votes(move |votes| votes.prune(Slot(before))).await {
            tracing::warn!(error, "votes of past slots cannot be removed: {error}");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
