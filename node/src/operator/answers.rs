//! The operator's answers to peers. This task never blocks: messages of ceremonies in memory are handed over at once, the
//! rest runs on blocking threads, in bounded numbers; beyond that peers hear `Busy` and come again.

use std::sync::Arc;
use std::time::Duration;

use cluster_core::ceremony::CeremonyId;
use cluster_core::committee::OperatorId;
use cluster_core::exit::SignedExitRequest;
use cluster_core::request::SignedRequest;
use cluster_net::codec::Bytes;
use cluster_net::gate::Member;
use cluster_net::{codec, consensus, dkg, limits, performance, publish, signing};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::driver::results::{self, StoredResult};
use crate::driver::{AdmissionError, Ceremonies, Lateness, OfferError};
use crate::duties::hub::Delivery;
use crate::duties::mesh::DutyMessage;
use crate::exits::{ExitDesk, OrderError};
use crate::metrics::{Metrics, OutcomeLabel};
use crate::network::{Client, Event, EventStream, Peer, Responder, Verdict};
use crate::operator::duties::Duties;
use crate::operator::remember;
use crate::operator::upkeep::UpkeepDesk;
use crate::service_client::now_ms;
use crate::store::{Store, StoreError};

/// Blocking answers at a time: each checks a signature or reads the disk.
const BLOCKING: usize = 16;
/// Attempts to ask a peer that has just connected for ceremonies that this operator slept through.
const OPEN_ATTEMPTS: u32 = 5;

#[derive(Clone)]
pub(super) struct Answers {
    me: OperatorId,
    ceremonies: Ceremonies,
    client: Client,
    store: Arc<Store>,
    metrics: Metrics,
    stop: CancellationToken,
    tasks: TaskTracker,
    blocking: Arc<Semaphore>,
    duties: Option<Duties>,
    desk: Option<ExitDesk>,
    upkeep: Option<UpkeepDesk>,
}

impl Answers {
    pub(super) fn new(
        me: OperatorId,
        ceremonies: Ceremonies,
        client: Client,
        store: Arc<Store>,
        metrics: Metrics,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> Self {
        let blocking = Arc::new(Semaphore::new(BLOCKING));
        Self { me, ceremonies, client, store, metrics, stop, tasks, blocking, duties: None, desk: None, upkeep: None }
    }

    /// Hands messages of duties to their hub, and answers questions about them; without duties both are refused.
    pub(super) fn with_duties(self, duties: Option<Duties>) -> Self {
        Self { duties, ..self }
    }

    /// Takes orders to exit that other operators pass on, and tells gateways how they stand.
    pub(super) fn with_desks(self, desk: ExitDesk, upkeep: UpkeepDesk) -> Self {
        Self { desk: Some(desk), upkeep: Some(upkeep), ..self }
    }

    pub(super) async fn run(self, mut events: EventStream) {
        let stop = self.stop.clone();
        while let Some(Some(event)) = stop.run_until_cancelled(events.next()).await {
            self.handle(event);
        }
    }

    fn handle(&self, event: Event) {
        match event {
            Event::Connected(peer) => {
                self.metrics.peers_connected.inc();
                tracing::debug!(peer = %peer.member, "connected to {}", peer.member);
                if matches!(peer.member, Member::Operator(_)) {
                    let answers = self.clone();
                    self.spawn(async move { answers.ask_open(peer.peer_id).await });
                }
            }
            Event::Disconnected(peer) => {
                self.metrics.peers_connected.dec();
                tracing::debug!(peer = %peer.member, "lost the connection to {}", peer.member);
            }
            Event::Mismatch { peer, mismatch } => {
                tracing::warn!(peer = %peer.member, %mismatch, "{} cannot take part in ceremonies with this operator: {mismatch}", peer.member);
            }
            Event::Dkg { from, request, responder } => self.dkg(&from, request, responder),
            Event::Publish { from, request, responder } => self.publish(&from, request, responder),
            Event::Consensus { from, request, responder } => {
                let consensus::Request::Deliver { instance, message } = request;
                responder.respond(match self.deliver(&from, DutyMessage::Consensus(instance, message)) {
                    Delivery::Accepted => consensus::Response::Accepted,
                    Delivery::Busy => consensus::Response::Busy,
                    Delivery::Refused(reason) => consensus::Response::refused(reason),
                });
            }
            Event::Signing { from, request: signing::Request::Order(order), responder } => {
                self.order(&from, order, responder);
            }
            Event::Signing { from, request: signing::Request::Deliver { id, message }, responder } => {
                responder.respond(match self.deliver(&from, DutyMessage::Signing(id, message)) {
                    Delivery::Accepted => signing::Response::Accepted,
                    Delivery::Busy => signing::Response::Busy,
                    Delivery::Refused(reason) => signing::Response::refused(reason),
                });
            }
            Event::Performance { from, request, responder } => self.performance(&from, request, responder),
            Event::Request { request, verdict } => self.gossip(request, verdict),
            Event::PeerAddress { peer_id, address } => self.remember(peer_id, address),
        }
    }

    /// A message of a duty: the hub keeps it, and judges it elsewhere.
    fn deliver(&self, from: &Peer, message: DutyMessage) -> Delivery {
        match (&self.duties, &from.member) {
            (Some(duties), Member::Operator(operator)) => duties.hub.deliver(*operator, message),
            (None, _) => Delivery::Refused("this operator performs no duties"),
            (Some(_), _) => Delivery::Refused("only operators take part in duties"),
        }
    }

    /// An owner's order, by way of another operator.
    fn order(&self, from: &Peer, order: SignedExitRequest, responder: Responder<signing::Response>) {
        let (Some(desk), Member::Operator(_)) = (self.desk.clone(), &from.member) else {
            return responder.respond(signing::Response::refused("this operator takes no orders from there"));
        };
        let Some(permit) = self.permit() else { return responder.respond(signing::Response::Busy) };
        self.blocking(permit, move || {
            responder.respond(match desk.take(&order, now_ms() / 1_000) {
                Ok(()) => signing::Response::Accepted,
                Err(OrderError::Full) => signing::Response::Busy,
                Err(OrderError::Store(error)) => {
                    report(&error);
                    signing::Response::Busy
                }
                Err(error) => signing::Response::refused(error.to_string()),
            });
        });
    }

    fn performance(&self, from: &Peer, request: performance::Request, responder: Responder<performance::Response>) {
        if !matches!(from.member, Member::Gateway(_)) {
            return responder.respond(performance::Response::refused("only gateways may ask"));
        }
        match (request, &self.duties, self.upkeep.clone()) {
            (performance::Request::Since { epoch }, Some(duties), _) => {
                let desk = Arc::clone(&duties.performance);
                self.spawn(async move { responder.respond(desk.answer(epoch).await) });
            }
            (performance::Request::Upkeep { known }, _, Some(desk)) => {
                self.spawn(async move { responder.respond(desk.answer(known).await) });
            }
            (performance::Request::Since { .. }, None, _) | (performance::Request::Upkeep { .. }, _, None) => {
                responder.respond(performance::Response::refused("this operator performs no duties"));
            }
        }
    }

    fn dkg(&self, from: &Peer, request: dkg::Request, responder: Responder<dkg::Response>) {
        let Member::Operator(operator) = from.member else {
            return responder.respond(dkg::Response::refused("only operators speak this protocol"));
        };
        match request {
            dkg::Request::Deliver { ceremony_id, request, message } => {
                match self.ceremonies.offer(ceremony_id, operator, message.clone()) {
                    Some(offered) => responder.respond(offer_response(offered)),
                    None => self.deliver_to_sleeper(operator, ceremony_id, request, message, responder),
                }
            }
            dkg::Request::Open => {
                let Some(permit) = self.permit() else { return responder.respond(dkg::Response::Busy) };
                let ceremonies = self.ceremonies.clone();
                self.blocking(permit, move || match ceremonies.open_for(operator) {
                    Ok(requests) => responder.respond(dkg::Response::Ceremonies(requests)),
                    Err(error) => {
                        report(&error);
                        responder.respond(dkg::Response::Busy);
                    }
                });
            }
        }
    }

    /// A message of a ceremony that is not in memory: known and asleep, or new.
    fn deliver_to_sleeper(
        &self,
        from: OperatorId,
        ceremony_id: CeremonyId,
        request: Option<SignedRequest>,
        message: Bytes,
        responder: Responder<dkg::Response>,
    ) {
        let Some(permit) = self.permit() else { return responder.respond(dkg::Response::Busy) };
        let ceremonies = self.ceremonies.clone();
        self.blocking(permit, move || {
            let admitted = match request {
                Some(request) if request.ceremony_id() != ceremony_id => {
                    return responder.respond(dkg::Response::refused("the request is of another ceremony"));
                }
                Some(request) if !request.request.operator_ids.contains(&from) => {
                    return responder.respond(dkg::Response::refused("the request does not name the sender"));
                }
                Some(request) => ceremonies.admit(&request, Lateness::MayComplete).map(|_| true),
                None => ceremonies.wake_known(ceremony_id),
            };
            responder.respond(match admitted {
                Ok(true) => ceremonies.offer(ceremony_id, from, message).map_or(dkg::Response::Busy, offer_response),
                Ok(false) => dkg::Response::UnknownCeremony,
                Err(error) if error.is_transient() => dkg::Response::Busy,
                Err(error) => dkg::Response::refused(refusal(&error)),
            });
        });
    }

    fn publish(&self, from: &Peer, request: publish::Request, responder: Responder<publish::Response>) {
        if !matches!(from.member, Member::Gateway(_)) {
            return responder.respond(publish::Response::refused("", "only gateways ask operators on this protocol"));
        }
        let Some(permit) = self.permit() else { return responder.respond(publish::Response::Busy) };
        match request {
            publish::Request::Submit(signed) => {
                let answers = self.clone();
                self.blocking(permit, move || responder.respond(answers.submit(&signed)));
            }
            publish::Request::Get { ceremony_id } => {
                let store = Arc::clone(&self.store);
                self.blocking(permit, move || responder.respond(get(&store, ceremony_id)));
            }
            publish::Request::Contribution(_) | publish::Request::Progress(_) => {
                responder.respond(publish::Response::refused(
                    "",
                    "operators do not collect contributions; send them to a gateway",
                ));
            }
        }
    }

    fn submit(&self, signed: &SignedRequest) -> publish::Response {
        match self.ceremonies.admit(signed, Lateness::Refused) {
            Ok(_) => {
                self.count_request("accepted");
                publish::Response::Accepted
            }
            Err(error) => {
                self.count_request("refused");
                let ceremony_id = signed.ceremony_id();
                tracing::info!(%ceremony_id, field = error.field(), %error, "refused a request of {}", signed.request.owner);
                publish::Response::refused(error.field(), refusal(&error))
            }
        }
    }

    fn gossip(&self, signed: SignedRequest, verdict: Verdict) {
        // Without a free place the verdict is dropped and the message ends here; the gateway submits directly as well.
        let Some(permit) = self.permit() else { return };
        let ceremonies = self.ceremonies.clone();
        self.blocking(permit, move || match ceremonies.admit(&signed, Lateness::Refused) {
            Ok(_) | Err(AdmissionError::NotMember { .. }) => verdict.accept(),
            // Clocks differ and registries change: such a request is not false, only of no use.
            Err(AdmissionError::Request(error)) if !matches!(error.field(), "deadline" | "operator_ids") => {
                tracing::debug!(field = error.field(), %error, "refused a gossiped request");
                verdict.reject();
            }
            Err(_) => verdict.ignore(),
        });
    }

    /// Learns of ceremonies that began while this operator, or the link, was down.
    async fn ask_open(&self, peer: PeerId) {
        let mut pause = Duration::from_millis(200);
        for _ in 0..OPEN_ATTEMPTS {
            match self.client.send_dkg(peer, dkg::Request::Open).await {
                Ok(dkg::Response::Ceremonies(requests)) => {
                    for signed in requests.into_iter().take(limits::OPEN_CEREMONIES) {
                        self.learn(signed).await;
                    }
                    return;
                }
                Ok(_) => return,
                Err(error) if !error.is_transient() => return,
                Err(_) => tokio::time::sleep(pause).await,
            }
            pause *= 2;
        }
    }

    async fn learn(&self, signed: SignedRequest) {
        if !signed.request.operator_ids.contains(&self.me) {
            return;
        }
        let ceremonies = self.ceremonies.clone();
        let ceremony_id = signed.ceremony_id();
        let admitted = tokio::task::spawn_blocking(move || ceremonies.admit(&signed, Lateness::MayComplete)).await;
        if let Ok(Err(error)) = admitted {
            tracing::info!(%ceremony_id, %error, "a peer told of a ceremony that this operator cannot join");
        }
    }

    fn remember(&self, peer_id: PeerId, address: Multiaddr) {
        // A hint that is lost when there is much to do; it comes again.
        let Some(permit) = self.permit() else { return };
        let store = Arc::clone(&self.store);
        self.blocking(permit, move || {
            if let Err(error) = remember(&store, peer_id, &address) {
                report(&error);
            }
        });
    }

    fn permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.blocking).try_acquire_owned().ok()
    }

    fn blocking(&self, permit: OwnedSemaphorePermit, work: impl FnOnce() + Send + 'static) {
        self.tasks.spawn_blocking(move || {
            work();
            drop(permit);
        });
    }

    fn spawn(&self, work: impl std::future::Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            stop.run_until_cancelled(work).await;
        });
    }

    fn count_request(&self, outcome: &'static str) {
        self.metrics.requests.get_or_create(&OutcomeLabel { outcome }).inc();
    }
}

fn offer_response(offered: Result<(), OfferError>) -> dkg::Response {
    match offered {
        Ok(()) => dkg::Response::Accepted,
        Err(OfferError::Busy) => dkg::Response::Busy,
        Err(OfferError::Stranger) => dkg::Response::refused("the sender is not in the committee of this ceremony"),
    }
}

fn get(store: &Store, ceremony_id: CeremonyId) -> publish::Response {
    match results::read(store, ceremony_id) {
        Ok(Some(StoredResult::Done { contribution, .. })) => publish::Response::Contribution(Some(contribution)),
        Ok(Some(StoredResult::Aborted { reason, culprits, .. })) => {
            publish::Response::Aborted { reason: codec::cut(reason, limits::REASON_BYTES), culprits }
        }
        Ok(None) => publish::Response::Contribution(None),
        Err(error) => {
            report(&error);
            publish::Response::Busy
        }
    }
}

fn refusal(error: &AdmissionError) -> String {
    if let AdmissionError::Store(cause) = error {
        report(cause);
    }
    error.to_string()
}

fn report(error: &StoreError) {
    // A closed store is a shutdown, not a failure.
    if !matches!(error, StoreError::Closed) {
        tracing::error!(%error, "the database failed");
    }
}
