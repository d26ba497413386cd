//! One ceremony of a gateway: give the request to every operator of the committee, collect what they sign, publish.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cluster_core::ceremony::CeremonyId;
use cluster_core::certificate::Contribution;
use cluster_core::committee::OperatorId;
use cluster_core::dkg::Step;
use cluster_net::publish::{Progress, Request, Response};
use libp2p::PeerId;
use rand_core::OsRng;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::collection::{Added, Collection, ContributionError};
use super::outbox::{self, OutboxEntry};
use super::Shared;
use crate::metrics::OutcomeLabel;
use crate::service_client::{now_ms, CallError};
use crate::store::{CeremonyState, StoreError};

/// First pause after a failed call; doubles.
const RETRY_MIN: Duration = Duration::from_millis(500);
/// Longest pause between two pulls from an operator that has nothing yet.
const PULL_MAX: Duration = Duration::from_secs(60);
/// A ceremony without a certificate is given up this long after its request expired.
const GIVE_UP_AFTER_S: u64 = 86_400;

/// What a follower hears of.
pub(super) enum Event {
    /// An operator's signed part.
    Contribution { from: OperatorId, contribution: Box<Contribution> },
    /// An operator gave up.
    Aborted { from: OperatorId, progress: Box<Progress> },
}

pub(super) struct Follower {
    shared: Arc<Shared>,
    ceremony_id: CeremonyId,
    operators: Vec<OperatorId>,
    faults: usize,
    expires_s: u64,
    /// Moves to a blocking thread and back for every contribution; `None` only after such a thread failed.
    collection: Option<Collection>,
    entry: Option<OutboxEntry>,
    aborted: BTreeSet<OperatorId>,
    attested: watch::Sender<BTreeSet<OperatorId>>,
    publish_at: Option<Instant>,
    retry: Duration,
    events: mpsc::Sender<Event>,
    receiver: mpsc::Receiver<Event>,
    ended: CancellationToken,
}

impl Follower {
    pub(super) fn new(
        shared: Arc<Shared>,
        collection: Collection,
        entry: Option<OutboxEntry>,
        events: mpsc::Sender<Event>,
        receiver: mpsc::Receiver<Event>,
    ) -> Self {
        let request = collection.request();
        let attested = watch::Sender::new(collection.attested().into_iter().collect());
        let ended = shared.stop.child_token();
        if entry.as_ref().is_some_and(OutboxEntry::is_waiting) {
            shared.metrics.outbox_waiting.inc();
        }
        Self {
            ceremony_id: request.ceremony_id(),
            operators: request.committee().ids().collect(),
            faults: request.committee().threshold().f(),
            expires_s: request.request().deadline,
            publish_at: entry.as_ref().filter(|entry| entry.is_waiting()).map(|_| Instant::now()),
            shared,
            collection: Some(collection),
            entry,
            aborted: BTreeSet::new(),
            attested,
            retry: RETRY_MIN,
            events,
            receiver,
            ended,
        }
    }

    /// Runs until the certificate of all n operators is published, the ceremony failed, or the gateway stops.
    pub(super) async fn run(mut self) {
        self.attend_operators().await;
        let give_up = Duration::from_secs((self.expires_s + GIVE_UP_AFTER_S).saturating_sub(now_ms() / 1000));
        let give_up = Instant::now() + give_up.min(Duration::from_secs(40 * 86_400));
        let stop = self.shared.stop.clone();
        loop {
            let publish_at = self.publish_at;
            let finished = tokio::select! {
                () = stop.cancelled() => break,
                Some(event) = self.receiver.recv() => self.hear(event).await,
                () = sleep_until(publish_at) => self.publish().await,
                () = tokio::time::sleep_until(give_up), if self.entry.is_none() => self.fail("no operator delivered a result").await,
            };
            match finished {
                Ok(false) => {}
                Ok(true) => break,
                Err(StoreError::Closed) => break,
                Err(error) => {
                    tracing::error!(ceremony_id = %self.ceremony_id, %error, "the database failed; ceremony {} is no longer followed", self.ceremony_id.short());
                    break;
                }
            }
        }
        self.ended.cancel();
    }

    /// One task per operator hands the request over and pulls what the operator does not push.
    async fn attend_operators(&self) {
        let Some(collection) = &self.collection else { return };
        let signed = collection.request().signed().clone();
        let client = &self.shared.client;
        let peers: Vec<(OperatorId, PeerId)> =
            self.operators.iter().filter_map(|id| client.peer_of(*id).map(|peer| (*id, peer))).collect();
        client.keep(peers.iter().map(|(_, peer)| *peer).collect()).await;
        if let Err(error) = client.publish_request(signed.clone()).await {
            // Operators get the request directly as well.
            tracing::debug!(ceremony_id = %self.ceremony_id, %error, "the request was not gossiped");
        }
        for (operator, peer) in peers {
            let attendant = Attendant {
                shared: Arc::clone(&self.shared),
                ceremony_id: self.ceremony_id,
                operator,
                peer,
                events: self.events.clone(),
                attested: self.attested.subscribe(),
            };
            let (ended, signed) = (self.ended.clone(), signed.clone());
            self.shared.tasks.spawn(async move {
                ended.run_until_cancelled(attendant.run(Request::Submit(signed))).await;
            });
        }
    }

    async fn hear(&mut self, event: Event) -> Result<bool, StoreError> {
        match event {
            Event::Contribution { from, contribution } => self.add(from, *contribution).await,
            Event::Aborted { from, progress } => self.abort_of(from, *progress).await,
        }
    }

    /// One operator that gave up, or says so, ends nothing. When more than f have, t attestations cannot come together,
    /// unless some of them complete the ceremony later, which they then announce.
    async fn abort_of(&mut self, from: OperatorId, mut progress: Progress) -> Result<bool, StoreError> {
        if !self.operators.contains(&from) || !self.aborted.insert(from) {
            return Ok(false);
        }
        let reason = progress.aborted.clone().unwrap_or_default();
        tracing::warn!(ceremony_id = %self.ceremony_id, operator_id = from.0, reason, "operator {from} aborted ceremony {}: {reason}", self.ceremony_id.short());
        let over = self.aborted.len() > self.faults && self.entry.is_none();
        if !over {
            progress.aborted = None;
        }
        progress.step = Step::Aborted;
        self.shared.reports.offer(from, &progress);
        if over {
            return self.fail("more operators gave up than may fail").await;
        }
        Ok(false)
    }

    /// Checks a contribution on a blocking thread; a certificate that grew is on disk before anything else happens.
    async fn add(&mut self, from: OperatorId, contribution: Contribution) -> Result<bool, StoreError> {
        let Some(mut collection) = self.collection.take() else { return Ok(false) };
        let shared = Arc::clone(&self.shared);
        let published = self.entry.as_ref().map_or(0, |entry| entry.published);
        let work = move || {
            let added = collection.add(from, contribution, shared.loaded.registry.as_ref(), &mut OsRng);
            let mut entry = None;
            if let (Ok(Added::Certificate), Some(certificate)) = (&added, collection.certificate()) {
                let grown = OutboxEntry { certificate: certificate.clone(), published, refused: None };
                outbox::write(&shared.store, &grown)?;
                entry = Some(grown);
            }
            Ok::<_, StoreError>((collection, added, entry))
        };
        // The blocking pool refuses work only while the runtime shuts down.
        let Ok(done) = tokio::task::spawn_blocking(work).await else { return Ok(true) };
        let (collection, added, entry) = done?;
        self.attested.send_replace(collection.attested().into_iter().collect());
        self.collection = Some(collection);
        match added {
            Ok(Added::Certificate) => self.schedule(entry),
            Ok(Added::Known | Added::Kept) => {}
            Err(error) => self.report_bad(from, &error),
        }
        Ok(false)
    }

    /// At once when all have attested, else after a quiet time.
    fn schedule(&mut self, entry: Option<OutboxEntry>) {
        let Some(entry) = entry else { return };
        let all = entry.certificate.attestations.len() == self.operators.len();
        let quiet = Duration::from_millis(self.shared.config.publish.quiet_ms);
        self.publish_at = Some(if all { Instant::now() } else { Instant::now() + quiet });
        self.retry = RETRY_MIN;
        let was_waiting = self.entry.as_ref().is_some_and(OutboxEntry::is_waiting);
        if self.entry.as_ref().is_some_and(|before| before.refused.is_some()) {
            self.shared.metrics.outbox_refused.dec();
        }
        if !was_waiting {
            self.shared.metrics.outbox_waiting.inc();
        }
        self.entry = Some(entry);
    }

    fn report_bad(&self, from: OperatorId, error: &ContributionError) {
        self.shared.metrics.contributions_bad.inc();
        tracing::warn!(ceremony_id = %self.ceremony_id, operator_id = from.0, %error, "a contribution of operator {from} is not taken: {error}");
    }

    async fn publish(&mut self) -> Result<bool, StoreError> {
        self.publish_at = None;
        let Some(mut entry) = self.entry.clone() else { return Ok(false) };
        let attestations = entry.certificate.attestations.len();
        let called = match &self.shared.service {
            Some(service) => service.publish(&self.shared.loaded.identity, &entry.certificate).await,
            None => Ok(()),
        };
        let outcome = match &called {
            Ok(()) => "ok",
            Err(CallError::Transient { .. }) => "retry",
            Err(CallError::Refused { .. }) => "refused",
        };
        self.shared.metrics.service_calls.get_or_create(&OutcomeLabel { outcome }).inc();
        let ceremony_id = self.ceremony_id;
        match called {
            Ok(()) => {
                entry.published = u32::try_from(attestations).unwrap_or(u32::MAX);
                let n = self.operators.len();
                tracing::info!(%ceremony_id, attestations, n, "published ceremony {} with {attestations} of {n} attestations", ceremony_id.short());
            }
            Err(CallError::Transient { reason, .. }) => {
                tracing::warn!(%ceremony_id, reason, retry_ms = self.retry.as_millis(), "publishing ceremony {} failed and is tried again", ceremony_id.short());
                self.publish_at = Some(Instant::now() + self.retry);
                self.retry = (self.retry * 2).min(Duration::from_millis(self.shared.config.service.retry_max_ms));
                return Ok(false);
            }
            Err(error @ CallError::Refused { .. }) => {
                tracing::error!(%ceremony_id, %error, "the service refused ceremony {} for good: {error}", ceremony_id.short());
                self.shared.metrics.outbox_refused.inc();
                entry.refused = Some(error.to_string());
            }
        }
        self.shared.metrics.outbox_waiting.dec();
        self.settle(entry).await
    }

    /// Records what became of the certificate; true when nothing is left to do.
    async fn settle(&mut self, entry: OutboxEntry) -> Result<bool, StoreError> {
        let finished = entry.is_finished();
        let state = if finished { CeremonyState::Ready } else { CeremonyState::Incomplete };
        self.entry = Some(entry.clone());
        let (shared, ceremony_id) = (Arc::clone(&self.shared), self.ceremony_id);
        let work = move || {
            shared.store.set_ceremony_state(ceremony_id, state, now_ms())?;
            outbox::write(&shared.store, &entry)
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(written) => written.map(|()| finished),
            Err(_) => Ok(true),
        }
    }

    /// The ceremony is over without a certificate.
    async fn fail(&mut self, reason: &str) -> Result<bool, StoreError> {
        let ceremony_id = self.ceremony_id;
        tracing::warn!(%ceremony_id, reason, "ceremony {} has no result: {reason}", ceremony_id.short());
        let shared = Arc::clone(&self.shared);
        let work = move || {
            shared.store.set_ceremony_state(ceremony_id, CeremonyState::Aborted, now_ms())?;
            shared.store.flush()
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(written) => written.map(|()| true),
            Err(_) => Ok(true),
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Looks after one operator of one ceremony.
struct Attendant {
    shared: Arc<Shared>,
    ceremony_id: CeremonyId,
    operator: OperatorId,
    peer: PeerId,
    events: mpsc::Sender<Event>,
    attested: watch::Receiver<BTreeSet<OperatorId>>,
}

impl Attendant {
    async fn run(mut self, submit: Request) {
        if self.has_attested() {
            return;
        }
        self.submit(submit).await;
        let mut pause = Duration::from_millis(self.shared.config.publish.pull_ms);
        loop {
            let operator = self.operator;
            let attested = self.attested.wait_for(|attested| attested.contains(&operator));
            if tokio::time::timeout(pause, attested).await.is_ok() {
                return;
            }
            if self.pull().await {
                pause = (pause * 3 / 2).min(PULL_MAX);
            }
        }
    }

    /// Until the operator takes the request or refuses it for good. After a refusal it is still asked for a result: it may
    /// learn of the ceremony from its peers.
    async fn submit(&self, submit: Request) {
        let mut pause = RETRY_MIN;
        loop {
            match self.shared.client.send_publish(self.peer, submit.clone()).await {
                Ok(Response::Refused { field, reason }) if field.is_empty() => {
                    tracing::warn!(ceremony_id = %self.ceremony_id, operator_id = self.operator.0, reason, "operator {} cannot take the request now", self.operator);
                }
                Ok(Response::Refused { field, reason }) => {
                    tracing::warn!(ceremony_id = %self.ceremony_id, operator_id = self.operator.0, field, reason, "operator {} refused the request: {field}: {reason}", self.operator);
                    return;
                }
                Ok(_) => return,
                Err(_) if !self.shared.client.connected(&self.peer) => {
                    self.shared.client.wait_connected(self.peer, PULL_MAX).await;
                    continue;
                }
                Err(error) => {
                    tracing::debug!(ceremony_id = %self.ceremony_id, operator_id = self.operator.0, %error, "the request will be sent again")
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PULL_MAX);
        }
    }

    /// Asks for the operator's part; true when it answered.
    async fn pull(&self) -> bool {
        let request = Request::Get { ceremony_id: self.ceremony_id };
        match self.shared.client.send_publish(self.peer, request).await {
            Ok(Response::Contribution(Some(encoded))) => {
                // Decoding checks thousands of points.
                let shared = Arc::clone(&self.shared);
                let decoded = tokio::task::spawn_blocking(move || shared.decoder.decode(&encoded)).await;
                if let Ok(Ok(contribution)) = decoded {
                    let event = Event::Contribution { from: self.operator, contribution: Box::new(contribution) };
                    let _ = self.events.send(event).await;
                }
                true
            }
            Ok(Response::Aborted { reason, culprits }) => {
                let (ceremony_id, step, at_ms) = (self.ceremony_id, Step::Aborted, now_ms());
                let progress = Box::new(Progress { ceremony_id, step, at_ms, culprits, aborted: Some(reason) });
                let _ = self.events.send(Event::Aborted { from: self.operator, progress }).await;
                true
            }
            Ok(_) => true,
            Err(_) => {
                self.shared.client.wait_connected(self.peer, PULL_MAX).await;
                false
            }
        }
    }

    fn has_attested(&self) -> bool {
        self.attested.borrow().contains(&self.operator)
    }
}
