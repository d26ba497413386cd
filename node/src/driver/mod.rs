//! Running ceremonies: admission of requests, one thread per machine, their journals, messages and results.
//!
//! | File | Part |
//! |---|---|
//! | `mod.rs` | which ceremonies there are: admission, replay protection, restart |
//! | `ceremony.rs` | the thread of one ceremony: inputs, outputs in order, persist before send |
//! | `outbound.rs` | queues to peers, retried until acknowledged |
//! | `reshare.rs` | what a reshare starts from |
//! | `results.rs` | what ceremonies end with, and evidence files |
//! | `publisher.rs` | pushes to gateways |
//! | `hooks.rs`, `crash.rs` | what tests and the testnet hook into |

mod ceremony;
mod crash;
mod hooks;
mod outbound;
mod publisher;
mod reshare;
pub mod results;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use cluster_core::ceremony::CeremonyId;
use cluster_core::committee::OperatorId;
use cluster_core::dkg::{Machine, RestoreError, Timing};
use cluster_core::machine::Time;
use cluster_core::registry::Registry;
use cluster_core::request::{CheckedRequest, RequestError, RequestRules, ReshareError, SignedRequest};
use cluster_crypto::{identity, Secret};
use cluster_net::codec::Bytes;
use cluster_net::limits;
use rand_core::{OsRng, RngCore};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroize;

use crate::metrics::Metrics;
use crate::network::Client;
use crate::service_client::now_ms;
use crate::store::{from_entry, Begin, CeremonyEntry, CeremonyState, Handover, Journal, Source, Store, StoreError};

pub(crate) use crash::CrashSwitch;
pub use crash::CRASH_VARIABLE;
pub use hooks::{Emission, Hooks, MakeTamper, OnStep, Tamper, Wrap};
pub(crate) use outbound::Outbound;
pub(crate) use publisher::Publisher;

use ceremony::{Ceremony, Ended, Handle, Offered};

/// Machines in memory: those under way (bounded by configuration) and finished ones that somebody asked for lately.
const MACHINES: usize = 256;

/// Why an operator does not take part.
#[derive(Debug, thiserror::Error)]
pub enum AdmissionError {
    /// The request is wrong.
    #[error("{0}")]
    Request(#[from] RequestError),
    /// The owner used the nonce for another request.
    #[error("nonce was used by the owner for another request already (ceremony {ceremony_id}); choose another one")]
    NonceUsed {
        /// The ceremony that has it.
        ceremony_id: CeremonyId,
    },
    /// The request does not name this operator.
    #[error("operator_ids does not name this operator ({me})")]
    NotMember {
        /// This operator.
        me: OperatorId,
    },
    /// The request is for a reshare of something else than this operator holds.
    #[error("{0}")]
    Reshare(#[from] ReshareError),
    /// Too many ceremonies under way.
    #[error("this operator has {open} ceremonies under way already, its limit; try again later")]
    TooMany {
        /// How many.
        open: usize,
    },
    /// The journal does not fit.
    #[error("the ceremony cannot be resumed: {0}")]
    Restore(#[from] RestoreError),
    /// The store.
    #[error("the operator's database failed; its log says why")]
    Store(#[source] StoreError),
    /// Every operator had confirmed its shares, and this one's are in its signer process.
    #[error("the ceremony is finished: every operator has confirmed its shares")]
    Finished,
    /// No thread can be had, or the operator stops.
    #[error("the operator is stopping or out of threads; try again later")]
    Unavailable,
}

impl AdmissionError {
    /// The request's field that is wrong; empty when the fault is not in the request.
    #[must_use]
    pub fn field(&self) -> &'static str {
        match self {
            Self::Request(error) => error.field(),
            Self::NonceUsed { .. } => "nonce",
            Self::NotMember { .. } => "operator_ids",
            Self::Reshare(_) => "reshare",
            _ => "",
        }
    }

    /// Whether the same request may be admitted later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::TooMany { .. } | Self::Store(_) | Self::Unavailable)
    }
}

impl From<StoreError> for AdmissionError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NonceUsed { ceremony_id } => Self::NonceUsed { ceremony_id },
            error => Self::Store(error),
        }
    }
}

/// How strict the deadline is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lateness {
    /// From an owner or gateway: an expired request starts nothing.
    Refused,
    /// From a member of the committee: this operator may complete what others decided in time. The machine itself does not
    /// deal or vote after the deadline.
    MayComplete,
}

/// What the parts of the driver share.
pub(crate) struct Shared {
    parts: Parts,
    running: Mutex<HashMap<CeremonyId, Handle>>,
    threads: Mutex<Vec<std::thread::JoinHandle<()>>>,
}

impl std::ops::Deref for Shared {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl Shared {
    fn running(&self) -> MutexGuard<'_, HashMap<CeremonyId, Handle>> {
        self.running.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn open_count(&self) -> usize {
        self.running().values().filter(|handle| handle.state() == CeremonyState::Open).count()
    }

    /// Publishes how many ceremonies are under way.
    fn count_open(&self) {
        let open = self.open_count();
        self.metrics.ceremonies_open.set(i64::try_from(open).unwrap_or(i64::MAX));
        self.client.set_open_ceremonies(u32::try_from(open).unwrap_or(u32::MAX));
    }
}

/// What the operator hands to the driver.
pub(crate) struct Parts {
    pub(crate) me: OperatorId,
    pub(crate) identity: identity::SecretKey,
    pub(crate) registry: Arc<dyn Registry>,
    /// Duties begin with the registration in the contracts, not with the keys.
    pub(crate) await_registration: bool,
    pub(crate) rules: RequestRules,
    pub(crate) timing: Timing,
    pub(crate) max_open: usize,
    pub(crate) data_dir: PathBuf,
    pub(crate) store: Arc<Store>,
    pub(crate) client: Client,
    pub(crate) outbound: Outbound,
    pub(crate) publisher: Publisher,
    pub(crate) metrics: Metrics,
    pub(crate) hooks: Hooks,
    pub(crate) crash: CrashSwitch,
    pub(crate) stop: CancellationToken,
}

/// The ceremonies of one operator.
#[derive(Clone)]
pub(crate) struct Ceremonies {
    shared: Arc<Shared>,
}

impl Ceremonies {
    pub(crate) fn new(parts: Parts) -> Self {
        let shared = Shared { parts, running: Mutex::default(), threads: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Resumes what was under way when the operator stopped. Blocks while journals are read.
    pub(crate) fn restore(&self) -> Result<(), StoreError> {
        let mut unfinished = Vec::new();
        for item in self.shared.store.ceremonies() {
            let (ceremony_id, entry) = item?;
            if matches!(entry.state, CeremonyState::Open | CeremonyState::Incomplete) {
                unfinished.push((ceremony_id, entry));
            }
        }
        // Those under way first, then the newest: old incomplete ones wake when somebody asks.
        unfinished.sort_by_key(|(_, entry)| (entry.state != CeremonyState::Open, std::cmp::Reverse(entry.started_ms)));
        unfinished.truncate(self.shared.max_open);
        for (ceremony_id, entry) in unfinished {
            match self.wake(ceremony_id, &entry) {
                Ok(_) => tracing::info!(%ceremony_id, "ceremony {} resumed from its journal", ceremony_id.short()),
                Err(error) => {
                    tracing::error!(%ceremony_id, %error, "ceremony {} cannot be resumed", ceremony_id.short())
                }
            }
        }
        Ok(())
    }

    /// Takes part in the ceremony of a request; the same request again changes nothing. Blocks: checks a signature and
    /// writes to the disk.
    pub(crate) fn admit(&self, signed: &SignedRequest, lateness: Lateness) -> Result<CeremonyId, AdmissionError> {
        let shared = &self.shared;
        let ceremony_id = signed.ceremony_id();
        if shared.running().contains_key(&ceremony_id) {
            return Ok(ceremony_id);
        }
        // The owner's request again changes nothing; a peer's message finds no machine any more.
        if shared.store.handover(&Source::Ceremony(ceremony_id))? == Some(Handover::Erased) {
            return if lateness == Lateness::Refused { Ok(ceremony_id) } else { Err(AdmissionError::Finished) };
        }
        let checked = self.check(signed, lateness)?;
        if !checked.committee().contains(shared.me) {
            return Err(AdmissionError::NotMember { me: shared.me });
        }
        let open = shared.open_count();
        if open >= shared.max_open {
            return Err(AdmissionError::TooMany { open });
        }
        reshare::check(&shared.store, &checked)?;
        let now = now_ms();
        let entry =
            CeremonyEntry { request: signed.clone(), state: CeremonyState::Open, started_ms: now, updated_ms: now };
        match shared.store.begin_ceremony(ceremony_id, &entry)? {
            Begin::New => {
                let validators = checked.validator_count();
                tracing::info!(%ceremony_id, validators, owner = %checked.request().owner, "ceremony {} begins", ceremony_id.short());
                self.spawn(checked, Some(Time(now)), CeremonyState::Open)?;
            }
            Begin::Known(_) => {
                // Finished and asleep, or left behind by a failure.
                let entry = shared.store.ceremony(ceremony_id)?.ok_or(AdmissionError::Unavailable)?;
                self.wake(ceremony_id, &entry)?;
            }
        }
        Ok(ceremony_id)
    }

    fn check(&self, signed: &SignedRequest, lateness: Lateness) -> Result<CheckedRequest, AdmissionError> {
        let shared = &self.shared;
        let registry = shared.registry.as_ref();
        let checked = match lateness {
            Lateness::Refused => signed.check(&shared.rules, registry, now_ms() / 1000)?,
            Lateness::MayComplete => signed.check_ignoring_deadline(&shared.rules, registry)?,
        };
        Ok(checked)
    }

    /// Hands a peer's message to its ceremony. Never blocks; `None` when no machine of that ceremony is in memory.
    pub(crate) fn offer(
        &self,
        ceremony_id: CeremonyId,
        from: OperatorId,
        message: Bytes,
    ) -> Option<Result<(), OfferError>> {
        let handle = self.shared.running().get(&ceremony_id).cloned()?;
        match handle.offer(from, message) {
            Offered::Taken => Some(Ok(())),
            Offered::Full => Some(Err(OfferError::Busy)),
            Offered::Stranger => Some(Err(OfferError::Stranger)),
            Offered::Gone => None,
        }
    }

    /// Wakes the ceremony if this operator knows it. Blocks.
    pub(crate) fn wake_known(&self, ceremony_id: CeremonyId) -> Result<bool, AdmissionError> {
        if self.shared.running().contains_key(&ceremony_id) {
            return Ok(true);
        }
        match self.shared.store.ceremony(ceremony_id)? {
            Some(entry) => self.wake(ceremony_id, &entry).map(|()| true),
            None => Ok(false),
        }
    }

    /// Requests of ceremonies that `asker` belongs to and that are not ready, newest first. Blocks.
    pub(crate) fn open_for(&self, asker: OperatorId) -> Result<Vec<SignedRequest>, StoreError> {
        let mut found = Vec::new();
        for item in self.shared.store.ceremonies() {
            let (_, entry) = item?;
            let unfinished = matches!(entry.state, CeremonyState::Open | CeremonyState::Incomplete);
            if unfinished && entry.request.request.operator_ids.contains(&asker) {
                found.push(entry);
            }
        }
        found.sort_by_key(|entry| std::cmp::Reverse(entry.started_ms));
        Ok(found.into_iter().take(limits::OPEN_CEREMONIES).map(|entry| entry.request).collect())
    }

    /// Ceremonies under way.
    pub(crate) fn open_count(&self) -> usize {
        self.shared.open_count()
    }

    /// Waits for all threads, after `stop` was cancelled. Blocks.
    pub(crate) fn join(&self) {
        for handle in self.shared.running().values() {
            handle.wake();
        }
        let threads = std::mem::take(&mut *self.threads());
        for thread in threads {
            // A panic was reported by the thread's own hook; what it left on disk is consistent.
            let _ = thread.join();
        }
        self.shared.running().clear();
    }

    fn wake(&self, ceremony_id: CeremonyId, entry: &CeremonyEntry) -> Result<(), AdmissionError> {
        let shared = &self.shared;
        // Its journal is gone with its shares: a machine would begin anew.
        if shared.store.handover(&Source::Ceremony(ceremony_id))? == Some(Handover::Erased) {
            return Err(AdmissionError::Finished);
        }
        let checked = entry.request.check_ignoring_deadline(&shared.rules, shared.registry.as_ref())?;
        debug_assert_eq!(checked.ceremony_id(), ceremony_id);
        self.spawn(checked, None, entry.state)
    }

    /// Starts the thread of a ceremony. Never blocks: the thread itself reads the journal and computes.
    fn spawn(
        &self,
        checked: CheckedRequest,
        started: Option<Time>,
        state: CeremonyState,
    ) -> Result<(), AdmissionError> {
        let shared = &self.shared;
        let ceremony_id = checked.ceremony_id();
        let mut running = shared.running();
        // Under one lock: two messages must not start two machines on one journal.
        if running.contains_key(&ceremony_id) {
            return Ok(());
        }
        if shared.stop.is_cancelled() || running.len() >= MACHINES {
            return Err(AdmissionError::Unavailable);
        }
        let others: Vec<OperatorId> = checked.committee().ids().filter(|id| *id != shared.me).collect();
        let (inbox, handle) = ceremony::inbox(&others, state);
        let manager = self.clone();
        let slot = handle.clone();
        let thread = std::thread::Builder::new()
            .name(format!("dkg-{}", ceremony_id.short()))
            .spawn(move || {
                let work = || match manager.machine(checked, started) {
                    Ok((machine, journal)) => {
                        Ceremony::new(Arc::clone(&manager.shared), machine, journal, inbox, &slot).run()
                    }
                    Err(error) => Ended::Failed(error.to_string()),
                };
                // A bug that one ceremony runs into must not keep its place, nor touch the others; what is on disk was
                // flushed record by record, and the next message starts the machine from there.
                let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
                    .unwrap_or_else(|_| Ended::Failed("a bug was hit; please report it with this log".to_owned()));
                manager.ended(ceremony_id, &ended);
            })
            .map_err(|_| AdmissionError::Unavailable)?;
        running.insert(ceremony_id, handle);
        drop(running);
        let mut threads = self.threads();
        threads.retain(|thread| !thread.is_finished());
        threads.push(thread);
        drop(threads);
        shared.count_open();
        self.keep_connected(&others);
        Ok(())
    }

    fn keep_connected(&self, operators: &[OperatorId]) {
        let client = self.shared.client.clone();
        let peers = operators.iter().filter_map(|id| client.peer_of(*id)).collect();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { client.keep(peers).await });
        }
    }

    /// A new machine when the journal is empty, else the one in the journal.
    fn machine(&self, checked: CheckedRequest, started: Option<Time>) -> Result<(Machine, Journal), AdmissionError> {
        let shared = &self.shared;
        let now = Time(now_ms());
        let journal = Journal::open(Arc::clone(&shared.store), checked.ceremony_id())?;
        let (me, identity, timing) = (shared.me, shared.identity.clone(), shared.timing);
        if journal.is_empty() {
            let mut seed = [0u8; 32];
            OsRng.fill_bytes(&mut seed);
            let secret = Secret::new(seed);
            seed.zeroize();
            let inherited = reshare::inherited(&shared.store, me, &checked)?;
            let started = started.unwrap_or(now);
            let machine = Machine::start_with(checked, me, identity, secret, inherited, timing, started);
            return Ok((machine.ok_or(AdmissionError::NotMember { me })?, journal));
        }
        let records = journal.read().map(|entry| entry.and_then(from_entry)).collect::<Result<Vec<_>, StoreError>>()?;
        Ok((Machine::restore(checked, me, identity, records, timing, now)?, journal))
    }

    fn ended(&self, ceremony_id: CeremonyId, ended: &Ended) {
        match ended {
            Ended::Idle => tracing::debug!(%ceremony_id, "ceremony {} left memory", ceremony_id.short()),
            Ended::Stopped | Ended::Crashed(_) | Ended::Store(StoreError::Closed) => {}
            Ended::Store(error) => {
                tracing::error!(%ceremony_id, %error, "ceremony {} stops: the database failed", ceremony_id.short())
            }
            Ended::Failed(error) => {
                tracing::error!(%ceremony_id, error, "ceremony {} cannot go on", ceremony_id.short())
            }
        }
        self.shared.running().remove(&ceremony_id);
        self.shared.count_open();
    }

    fn threads(&self) -> MutexGuard<'_, Vec<std::thread::JoinHandle<()>>> {
        self.shared.threads.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Why a ceremony in memory did not take a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OfferError {
    /// Too many messages wait.
    Busy,
    /// The sender is not in the committee.
    Stranger,
}
