//! What comes in: requests over HTTP and from the service, contributions and progress from operators.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use cluster_core::ceremony::CeremonyId;
use cluster_core::certificate::Contribution;
use cluster_core::committee::OperatorId;
use cluster_core::request::{CheckedRequest, RequestError, SignedRequest};
use cluster_net::codec::Encoded;
use cluster_net::gate::Member;
use cluster_net::publish::{Progress, Request, Response};
use tokio::sync::{mpsc, OwnedSemaphorePermit, Semaphore};

use super::collection::Collection;
use super::follower::{self, Follower};
use super::{outbox, Shared};
use crate::metrics::OutcomeLabel;
use crate::network::{Event, EventStream, Peer, Responder};
use crate::operator::remember;
use crate::service_client::now_ms;
use crate::store::{Begin, CeremonyEntry, CeremonyState, StoreError};

/// Ceremonies that are followed at a time: each may hold certificates of some megabytes.
const FOLLOWED: usize = 256;
/// Events that wait for one follower: twice what a committee of 13 pushes.
const FOLLOWER_QUEUE: usize = 32;
/// Blocking work at a time: each decodes up to 14,000 points.
const BLOCKING: usize = 8;

/// Why a request is not taken.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The request is wrong.
    #[error("{0}")]
    Request(#[from] RequestError),
    /// This very request was taken before.
    #[error("nonce: this request was submitted already; its ceremony is {ceremony_id}")]
    Replayed {
        /// Its ceremony.
        ceremony_id: CeremonyId,
    },
    /// The owner used the nonce for another request.
    #[error("nonce was used by the owner for another request already (ceremony {ceremony_id}); choose another one")]
    NonceUsed {
        /// The ceremony that has it.
        ceremony_id: CeremonyId,
    },
    /// Too many ceremonies.
    #[error("this gateway follows {FOLLOWED} ceremonies already, its limit; try again later")]
    Full,
    /// The store.
    #[error("the gateway's database failed; its log says why")]
    Store(#[source] StoreError),
}

impl IntakeError {
    /// The request's field that is wrong; empty when the fault is not in the request.
    #[must_use]
    pub fn field(&self) -> &'static str {
        match self {
            Self::Request(error) => error.field(),
            Self::Replayed { .. } | Self::NonceUsed { .. } => "nonce",
            Self::Full | Self::Store(_) => "",
        }
    }

    /// Whether the same request may be taken later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Full | Self::Store(_))
    }
}

impl From<StoreError> for IntakeError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NonceUsed { ceremony_id } => Self::NonceUsed { ceremony_id },
            error => Self::Store(error),
        }
    }
}

#[derive(Clone)]
struct Followed {
    events: mpsc::Sender<follower::Event>,
    committee: Arc<[OperatorId]>,
}

/// Decides which ceremonies are followed, and hands their events on.
#[derive(Clone)]
pub(crate) struct Intake {
    shared: Arc<Shared>,
    followed: Arc<Mutex<HashMap<CeremonyId, Followed>>>,
    blocking: Arc<Semaphore>,
}

impl Intake {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, followed: Arc::default(), blocking: Arc::new(Semaphore::new(BLOCKING)) }
    }

    pub(super) fn following(&self) -> usize {
        self.followed().len()
    }

    /// Lets go of all followers, after their tasks ended.
    pub(super) fn forget(&self) {
        self.followed().clear();
    }

    /// Takes an owner's request. Blocks: checks a signature and writes to the disk.
    pub(super) fn submit(&self, signed: &SignedRequest) -> Result<CeremonyId, IntakeError> {
        let taken = self.take(signed);
        let outcome = if taken.is_ok() { "accepted" } else { "refused" };
        self.shared.metrics.requests.get_or_create(&OutcomeLabel { outcome }).inc();
        if let Err(error) = &taken {
            let ceremony_id = signed.ceremony_id();
            tracing::info!(%ceremony_id, field = error.field(), %error, "refused a request of {}", signed.request.owner);
        }
        taken
    }

    fn take(&self, signed: &SignedRequest) -> Result<CeremonyId, IntakeError> {
        let shared = &self.shared;
        let checked = signed.check(&shared.rules, shared.loaded.registry.as_ref(), now_ms() / 1000)?;
        let ceremony_id = checked.ceremony_id();
        if self.following() >= FOLLOWED {
            return Err(IntakeError::Full);
        }
        match self.begin(&checked)? {
            Begin::New => {
                tracing::info!(%ceremony_id, validators = checked.validator_count(), owner = %checked.request().owner, "took the request for ceremony {}", ceremony_id.short());
                self.follow(checked)?;
                Ok(ceremony_id)
            }
            Begin::Known(_) => Err(IntakeError::Replayed { ceremony_id }),
        }
    }

    fn begin(&self, checked: &CheckedRequest) -> Result<Begin, IntakeError> {
        let now = now_ms();
        let entry = CeremonyEntry {
            request: checked.signed().clone(),
            state: CeremonyState::Open,
            started_ms: now,
            updated_ms: now,
        };
        Ok(self.shared.store.begin_ceremony(checked.ceremony_id(), &entry)?)
    }

    /// Goes on with what was unfinished when the gateway stopped. Blocks.
    pub(super) fn restore(&self) -> Result<(), StoreError> {
        let mut unfinished = Vec::new();
        for item in self.shared.store.ceremonies() {
            let (_, entry) = item?;
            if matches!(entry.state, CeremonyState::Open | CeremonyState::Incomplete) {
                unfinished.push(entry);
            }
        }
        unfinished.sort_by_key(|entry| std::cmp::Reverse(entry.started_ms));
        for entry in unfinished.into_iter().take(FOLLOWED) {
            let ceremony_id = entry.request.ceremony_id();
            if let Err(error) = self.follow_again(&entry.request) {
                tracing::error!(%ceremony_id, %error, "ceremony {} cannot be followed", ceremony_id.short());
            }
        }
        Ok(())
    }

    fn follow_again(&self, signed: &SignedRequest) -> Result<(), IntakeError> {
        let shared = &self.shared;
        let checked = signed.check_ignoring_deadline(&shared.rules, shared.loaded.registry.as_ref())?;
        self.follow(checked)
    }

    /// Starts the follower of a ceremony, with what the outbox has of it. Blocks on the disk.
    fn follow(&self, checked: CheckedRequest) -> Result<(), IntakeError> {
        let shared = &self.shared;
        let ceremony_id = checked.ceremony_id();
        let entry = outbox::read(&shared.store, ceremony_id)?;
        let committee: Arc<[OperatorId]> = checked.committee().ids().collect();
        let (events, receiver) = mpsc::channel(FOLLOWER_QUEUE);
        let mut followed = self.followed();
        if followed.contains_key(&ceremony_id) {
            return Ok(());
        }
        if followed.len() >= FOLLOWED || shared.stop.is_cancelled() {
            return Err(IntakeError::Full);
        }
        followed.insert(ceremony_id, Followed { events: events.clone(), committee });
        drop(followed);
        let collection = match &entry {
            Some(entry) => Collection::resume(checked, entry.certificate.clone()),
            None => Collection::new(checked),
        };
        let follower = Follower::new(Arc::clone(shared), collection, entry, events, receiver);
        let intake = self.clone();
        shared.tasks.spawn(async move {
            follower.run().await;
            intake.followed().remove(&ceremony_id);
        });
        Ok(())
    }

    /// Reads the mesh's events until the gateway stops.
    pub(super) async fn run(self, mut events: EventStream) {
        let stop = self.shared.stop.clone();
        while let Some(Some(event)) = stop.run_until_cancelled(events.next()).await {
            self.handle(event);
        }
    }

    fn handle(&self, event: Event) {
        match event {
            Event::Connected(peer) => {
                self.shared.metrics.peers_connected.inc();
                tracing::debug!(peer = %peer.member, "connected to {}", peer.member);
            }
            Event::Disconnected(peer) => {
                self.shared.metrics.peers_connected.dec();
                tracing::debug!(peer = %peer.member, "lost the connection to {}", peer.member);
            }
            Event::Mismatch { peer, mismatch } => {
                tracing::warn!(peer = %peer.member, %mismatch, "{} does not fit this gateway: {mismatch}", peer.member)
            }
            Event::Dkg { responder, .. } => {
                responder.respond(cluster_net::dkg::Response::refused("a gateway takes part in no ceremony"))
            }
            Event::Consensus { responder, .. } => {
                responder.respond(cluster_net::consensus::Response::refused("a gateway performs no duties"))
            }
            Event::Signing { responder, .. } => {
                responder.respond(cluster_net::signing::Response::refused("a gateway performs no duties"))
            }
            Event::Performance { responder, .. } => {
                responder.respond(cluster_net::performance::Response::refused("a gateway performs no duties"))
            }
            Event::Publish { from, request, responder } => self.publish(&from, request, responder),
            // Operators judge requests; a gateway follows those that it took itself.
            Event::Request { verdict, request } => self.gossip(&request, verdict),
            Event::PeerAddress { peer_id, address } => {
                let Some(permit) = self.permit() else { return };
                let store = Arc::clone(&self.shared.store);
                self.blocking(permit, move || {
                    if let Err(error) = remember(&store, peer_id, &address) {
                        report(&error);
                    }
                });
            }
        }
    }

    fn gossip(&self, signed: &SignedRequest, verdict: crate::network::Verdict) {
        let Some(permit) = self.permit() else { return };
        let (shared, signed) = (Arc::clone(&self.shared), signed.clone());
        self.blocking(permit, move || {
            match signed.check(&shared.rules, shared.loaded.registry.as_ref(), now_ms() / 1000) {
                Ok(_) => verdict.accept(),
                Err(error) if matches!(error.field(), "deadline" | "operator_ids") => verdict.ignore(),
                Err(_) => verdict.reject(),
            }
        });
    }

    fn publish(&self, from: &Peer, request: Request, responder: Responder<Response>) {
        let Member::Operator(operator) = from.member else {
            return responder.respond(Response::refused("", "only operators push to a gateway"));
        };
        match request {
            Request::Contribution(contribution) => self.contribution(operator, contribution, responder),
            Request::Progress(progress) => responder.respond(self.progress(operator, progress)),
            Request::Submit(_) | Request::Get { .. } => {
                responder.respond(Response::refused("", "operators take requests; a gateway takes them over HTTP"));
            }
        }
    }

    fn progress(&self, from: OperatorId, progress: Progress) -> Response {
        let Some(followed) = self.followed().get(&progress.ceremony_id).cloned() else {
            return Response::refused("ceremony_id", "this gateway does not follow the ceremony");
        };
        if !followed.committee.contains(&from) {
            return Response::refused("ceremony_id", "the operator is not in the committee of this ceremony");
        }
        if progress.aborted.is_some() {
            // Whether the ceremony is over is decided there; the pull finds what a full queue loses.
            let _ = followed.events.try_send(follower::Event::Aborted { from, progress: Box::new(progress) });
        } else {
            self.shared.reports.offer(from, &progress);
        }
        Response::Accepted
    }

    fn contribution(&self, from: OperatorId, encoded: Encoded<Contribution>, responder: Responder<Response>) {
        let Some(permit) = self.permit() else { return responder.respond(Response::Busy) };
        let intake = self.clone();
        self.blocking(permit, move || {
            let decoded = intake.shared.decoder.decode(&encoded);
            let Ok(contribution) = decoded else {
                intake.shared.metrics.contributions_bad.inc();
                tracing::warn!(operator_id = from.0, "operator {from} sent a contribution that cannot be read");
                return responder.respond(Response::refused("contribution", "it cannot be read"));
            };
            responder.respond(intake.hand_over(from, contribution));
        });
    }

    /// Gives a contribution to its follower; wakes or begins one for a ceremony that this gateway did not start.
    fn hand_over(&self, from: OperatorId, contribution: Contribution) -> Response {
        let signed = contribution.transcript.request.clone();
        let ceremony_id = signed.ceremony_id();
        if !self.followed().contains_key(&ceremony_id) {
            match self.adopt(&signed) {
                Ok(true) => {}
                Ok(false) => return Response::Accepted,
                Err(error) if error.is_transient() => return Response::Busy,
                Err(error) => return Response::refused(error.field(), error.to_string()),
            }
        }
        let Some(followed) = self.followed().get(&ceremony_id).cloned() else { return Response::Accepted };
        match followed.events.try_send(follower::Event::Contribution { from, contribution: Box::new(contribution) }) {
            Ok(()) => Response::Accepted,
            Err(_) => Response::Busy,
        }
    }

    /// Whether there is something left to do for the ceremony of this request; follows it then.
    fn adopt(&self, signed: &SignedRequest) -> Result<bool, IntakeError> {
        let shared = &self.shared;
        let checked = signed.check_ignoring_deadline(&shared.rules, shared.loaded.registry.as_ref())?;
        match self.begin(&checked)? {
            Begin::Known(CeremonyState::Ready) => Ok(false),
            Begin::New | Begin::Known(_) => self.follow(checked).map(|()| true),
        }
    }

    fn permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.blocking).try_acquire_owned().ok()
    }

    fn blocking(&self, permit: OwnedSemaphorePermit, work: impl FnOnce() + Send + 'static) {
        self.shared.tasks.spawn_blocking(move || {
            work();
            drop(permit);
        });
    }

    fn followed(&self) -> MutexGuard<'_, HashMap<CeremonyId, Followed>> {
        self.followed.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn report(error: &StoreError) {
    if !matches!(error, StoreError::Closed) {
        tracing::error!(%error, "the database failed");
    }
}
