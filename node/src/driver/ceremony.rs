//! One ceremony: a thread of its own that owns the machine, since a step of 1,000 keys computes for up to a second.
//!
//! The loop takes what has arrived, feeds the machine, and performs its outputs strictly in order; whatever was persisted
//! is flushed before anything later is sent. Messages that arrive together share one flush.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cluster_core::ceremony::CeremonyId;
use cluster_core::committee::OperatorId;
use cluster_core::dkg::{Machine, Message, Output, Step};
use cluster_core::machine::{Recipient, Time};
use cluster_core::request::SignedRequest;
use cluster_core::verdict::{FaultReason, Verdict};
use cluster_net::codec::Bytes;
use cluster_net::limits;
use tokio_util::sync::CancellationToken;

use super::hooks::Tamper;
use super::outbound::Parcel;
use super::results;
use super::Shared;
use crate::metrics::{FaultLabel, OutcomeLabel, StepLabel};
use crate::service_client::now_ms;
use crate::store::{to_entry, CeremonyState, Journal, StoreError};

/// Inputs that wait for the thread, over all peers.
const INBOX: usize = 256;
/// Messages of one peer that wait for the thread: no peer can fill the inbox alone.
const INBOX_PER_PEER: usize = 24;
/// Inputs that share one flush.
const BATCH: usize = 32;
/// A finished ceremony leaves memory when nobody asked for this long; a message wakes it again.
const IDLE: Duration = Duration::from_secs(600);

pub(super) enum Input {
    Message { from: OperatorId, bytes: Bytes, place: Place },
    Wake,
}

/// What the rest of the operator holds of a running ceremony.
#[derive(Clone)]
pub(super) struct Handle {
    inbox: SyncSender<Input>,
    members: Arc<Vec<(OperatorId, Arc<AtomicUsize>)>>,
    pub(super) state: Arc<Mutex<CeremonyState>>,
}

/// Whether a message found a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offered {
    Taken,
    Full,
    Stranger,
    Gone,
}

/// A message's place in the inbox, given back when the message is taken out or refused.
pub(super) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The inbox of a new ceremony, and the handle that fills it.
pub(super) fn inbox(others: &[OperatorId], state: CeremonyState) -> (Receiver<Input>, Handle) {
    let (sender, receiver) = std::sync::mpsc::sync_channel(INBOX);
    let members = others.iter().map(|id| (*id, Arc::default())).collect();
    (receiver, Handle { inbox: sender, members: Arc::new(members), state: Arc::new(Mutex::new(state)) })
}

impl Handle {
    /// Offers a message of an authenticated peer; never blocks.
    pub(super) fn offer(&self, from: OperatorId, bytes: Bytes) -> Offered {
        let Some((_, waiting)) = self.members.iter().find(|(member, _)| *member == from) else {
            return Offered::Stranger;
        };
        let place = Place(Arc::clone(waiting));
        if waiting.fetch_add(1, Ordering::Relaxed) >= INBOX_PER_PEER {
            return Offered::Full;
        }
        match self.inbox.try_send(Input::Message { from, bytes, place }) {
            Ok(()) => Offered::Taken,
            Err(TrySendError::Full(_)) => Offered::Full,
            Err(TrySendError::Disconnected(_)) => Offered::Gone,
        }
    }

    /// Makes the thread look at the stop signal.
    pub(super) fn wake(&self) {
        let _ = self.inbox.try_send(Input::Wake);
    }

    /// Where the ceremony stands.
    pub(super) fn state(&self) -> CeremonyState {
        *self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Why the thread ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    /// Finished and idle.
    #[error("the ceremony is finished and idle")]
    Idle,
    /// The operator stops.
    #[error("the operator stops")]
    Stopped,
    /// A crash that a test asked for.
    #[error("crashed in step {0} as asked")]
    Crashed(Step),
    /// The store failed; nothing that depends on it may be sent.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The machine cannot be had.
    #[error("{0}")]
    Failed(String),
}

pub(super) struct Ceremony {
    shared: Arc<Shared>,
    ceremony_id: CeremonyId,
    request: Arc<SignedRequest>,
    machine: Machine,
    journal: Journal,
    dirty: bool,
    tamper: Option<Box<dyn Tamper>>,
    inbox: Receiver<Input>,
    state: Arc<Mutex<CeremonyState>>,
    /// Messages still in queues are dropped when this is cancelled.
    released: CancellationToken,
    step: Option<Step>,
    step_began: Instant,
}

impl Ceremony {
    pub(super) fn new(
        shared: Arc<Shared>,
        machine: Machine,
        journal: Journal,
        inbox: Receiver<Input>,
        handle: &Handle,
    ) -> Self {
        let context = machine.context();
        Self {
            ceremony_id: context.ceremony_id(),
            request: Arc::new(context.request().signed().clone()),
            tamper: shared.hooks.tamper.as_ref().map(|make| make(context, shared.me, &shared.identity)),
            state: Arc::clone(&handle.state),
            released: shared.stop.child_token(),
            shared,
            machine,
            journal,
            dirty: false,
            inbox,
            step: None,
            step_began: Instant::now(),
        }
    }

    /// Runs until the ceremony is finished and idle, or the operator stops. Blocks.
    pub(super) fn run(mut self) -> Ended {
        let ended = match self.work() {
            Ok(never) => match never {},
            Err(ended) => ended,
        };
        if !matches!(ended, Ended::Idle) {
            self.released.cancel();
        }
        ended
    }

    fn work(&mut self) -> Result<std::convert::Infallible, Ended> {
        // Before the first output, so that a test sees the first step begin.
        self.observe_step()?;
        self.perform()?;
        loop {
            self.wait()?;
            self.observe_step()?;
            self.perform()?;
        }
    }

    /// Waits for an input or the deadline, and feeds what is there.
    fn wait(&mut self) -> Result<(), Ended> {
        let first = match self.machine.deadline() {
            Some(deadline) => {
                let patience = Duration::from_millis(deadline.since(Time(now_ms())));
                self.inbox.recv_timeout(patience)
            }
            None => self.inbox.recv_timeout(IDLE),
        };
        if self.shared.stop.is_cancelled() {
            return Err(Ended::Stopped);
        }
        match first {
            Ok(input) => self.feed(input),
            Err(RecvTimeoutError::Timeout) if self.machine.deadline().is_none() => return Err(Ended::Idle),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(Ended::Stopped),
        }
        for _ in 1..BATCH {
            match self.inbox.try_recv() {
                Ok(input) => self.feed(input),
                Err(_) => break,
            }
        }
        let now = Time(now_ms());
        if self.machine.deadline().is_some_and(|deadline| now >= deadline) {
            self.machine.on_deadline(now);
        }
        Ok(())
    }

    fn feed(&mut self, input: Input) {
        let Input::Message { from, bytes, place } = input else { return };
        drop(place);
        let verdict = match Message::decode(&bytes, limits::DKG_REQUEST_BYTES) {
            Ok(message) => {
                if let Some(tamper) = self.tamper.as_mut() {
                    tamper.overhear(&message);
                }
                self.machine.on_message(Time(now_ms()), from, message)
            }
            Err(_) => Verdict::Fault(FaultReason::Malformed),
        };
        match verdict {
            Verdict::Valid | Verdict::Skip(_) => {}
            Verdict::Fault(reason) => {
                tracing::warn!(ceremony_id = %self.ceremony_id, operator_id = from.0, %reason, "operator {from} sent a message that no honest operator sends");
                let label = FaultLabel { operator_id: from.0, reason: reason.to_string() };
                self.shared.metrics.peer_faults.get_or_create(&label).inc();
            }
        }
    }

    /// Performs the machine's outputs in order.
    fn perform(&mut self) -> Result<(), Ended> {
        while let Some(output) = self.machine.poll() {
            self.perform_one(output)?;
        }
        Ok(())
    }

    fn perform_one(&mut self, output: Output) -> Result<(), Ended> {
        match output {
            Output::Persist(record) => {
                self.journal.append(&to_entry(record))?;
                self.dirty = true;
            }
            Output::Send { to, message } => {
                self.make_durable()?;
                match self.tamper.as_mut() {
                    None => self.send(to, &message, Duration::ZERO),
                    Some(tamper) => {
                        for emission in tamper.tamper(to, message) {
                            self.send(emission.to, &emission.message, emission.delay);
                        }
                    }
                }
            }
            Output::Done(outcome) => {
                let state = results::done(&self.shared, self.ceremony_id, &self.request, outcome)?;
                self.dirty = false;
                self.set_state(state);
            }
            Output::Abort(report) => {
                results::aborted(&self.shared, self.ceremony_id, &self.request, report)?;
                self.dirty = false;
                self.set_state(CeremonyState::Aborted);
            }
        }
        Ok(())
    }

    fn send(&self, to: Recipient, message: &Message, delay: Duration) {
        let me = self.shared.me;
        let to: Vec<OperatorId> = match to {
            Recipient::All => self.machine.context().committee().ids().filter(|id| *id != me).collect(),
            Recipient::One(operator) => vec![operator],
        };
        let parcel = Parcel { ceremony_id: self.ceremony_id, request: &self.request, released: &self.released, delay };
        self.shared.outbound.send(parcel, &to, message);
    }

    /// Invariant 2: what a message depends on is on disk before it leaves. A killed operator sends nothing.
    fn make_durable(&mut self) -> Result<(), Ended> {
        if self.dirty {
            self.journal.flush()?;
            self.dirty = false;
        }
        if self.shared.stop.is_cancelled() {
            return Err(Ended::Stopped);
        }
        Ok(())
    }

    fn set_state(&self, state: CeremonyState) {
        *self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = state;
        self.shared.count_open();
    }

    /// Tells everybody who watches, and dies here when a test says so.
    fn observe_step(&mut self) -> Result<(), Ended> {
        let now = self.machine.step();
        if self.step == Some(now) {
            return Ok(());
        }
        let before = self.step.replace(now);
        let time = Time(now_ms());
        let spent = std::mem::replace(&mut self.step_began, Instant::now()).elapsed();
        if let Some(before) = before.filter(|before| Step::ALL.contains(before)) {
            let label = StepLabel { step: before.name().to_owned() };
            self.shared.metrics.step_seconds.get_or_create(&label).observe(spent.as_secs_f64());
        }
        tracing::debug!(ceremony_id = %self.ceremony_id, step = %now, "ceremony {} enters step {now}", self.ceremony_id.short());
        for step in passed(before, now) {
            if let Some(on_step) = &self.shared.hooks.on_step {
                on_step(self.ceremony_id, step, time);
            }
            if self.shared.crash.is_due(step) {
                return Err(self.crash(step));
            }
        }
        self.shared.publisher.progress(self.ceremony_id, now, time, &self.machine.culprits());
        Ok(())
    }

    /// After this step's records are on disk, before anything is sent.
    fn crash(&mut self, step: Step) -> Ended {
        while let Some(output) = self.machine.poll() {
            if let Output::Persist(record) = output {
                if let Err(error) = self.journal.append(&to_entry(record)) {
                    return error.into();
                }
            }
        }
        if let Err(error) = self.journal.flush() {
            return error.into();
        }
        self.shared.crash.happen(step);
        Ended::Crashed(step)
    }
}

/// The steps that lie between two observations: a machine may pass several at once.
fn passed(before: Option<Step>, now: Step) -> Vec<Step> {
    let between = Step::ALL.into_iter().filter(|step| before.is_none_or(|before| *step > before) && *step < now);
    // An abort is reported alone: the steps "before" it were not gone through.
    let between: Vec<Step> = if now == Step::Aborted { Vec::new() } else { between.collect() };
    between.into_iter().chain([now]).collect()
}

/// Counts one ended ceremony.
pub(super) fn count_end(shared: &Shared, outcome: &'static str) {
    shared.metrics.ceremonies_ended.get_or_create(&OutcomeLabel { outcome }).inc();
}
