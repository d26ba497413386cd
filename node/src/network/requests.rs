//! Requests and answers of the request-response protocols, between the swarm and its clients.

use std::collections::HashMap;

use cluster_net::{consensus, dkg, info, performance, presence, publish, signing};
use futures::stream::FuturesUnordered;
use libp2p::request_response::{self, Message, OutboundRequestId, ResponseChannel};
use libp2p::PeerId;
use tokio::sync::oneshot;

use super::client::RequestError;
use super::task::{Reply, Task, Waiting};
use super::{Event, Peer, Responder};

/// An answer that a reader of events gave, on its way to the stream.
pub(super) enum Answer {
    Dkg(ResponseChannel<dkg::Response>, dkg::Response),
    Publish(ResponseChannel<publish::Response>, publish::Response),
    Consensus(ResponseChannel<consensus::Response>, consensus::Response),
    Value(ResponseChannel<consensus::Response>, consensus::Response),
    Signing(ResponseChannel<signing::Response>, signing::Response),
    Performance(ResponseChannel<performance::Response>, performance::Response),
    /// The responder was dropped; the channel goes with it and the peer sees the stream end.
    None,
}

pub(super) type Answers = FuturesUnordered<std::pin::Pin<Box<dyn std::future::Future<Output = Answer> + Send>>>;

/// How requests of one protocol reach their reader, and answers theirs.
struct Route<Q, R> {
    protocol: &'static str,
    /// Clients that wait for an answer.
    waiting: fn(&mut Waiting) -> &mut HashMap<OutboundRequestId, Reply<R>>,
    event: fn(Peer, Q, Responder<R>) -> Event,
    answer: fn(ResponseChannel<R>, R) -> Answer,
    busy: R,
    /// What everybody but operators hears; none where gateways may ask as well.
    operators_only: Option<R>,
}

impl Task {
    pub(super) fn on_answer(&mut self, answer: Answer) {
        let behaviour = self.swarm.behaviour_mut();
        // An answer comes back when the peer has given up waiting; the behaviour reports that.
        match answer {
            Answer::Dkg(channel, response) => drop(behaviour.dkg.send_response(channel, response)),
            Answer::Publish(channel, response) => drop(behaviour.publish.send_response(channel, response)),
            Answer::Consensus(channel, response) => drop(behaviour.consensus.send_response(channel, response)),
            Answer::Value(channel, response) => drop(behaviour.value.send_response(channel, response)),
            Answer::Signing(channel, response) => drop(behaviour.signing.send_response(channel, response)),
            Answer::Performance(channel, response) => drop(behaviour.performance.send_response(channel, response)),
            Answer::None => {}
        }
    }

    pub(super) fn on_dkg(&mut self, event: dkg::Event) {
        let route = Route {
            protocol: dkg::PROTOCOL_NAME,
            waiting: |waiting| &mut waiting.dkg,
            event: |from, request, responder| Event::Dkg { from, request, responder },
            answer: Answer::Dkg,
            busy: dkg::Response::Busy,
            operators_only: Some(dkg::Response::refused("only operators take part in ceremonies")),
        };
        self.on_exchange(event, route);
    }

    pub(super) fn on_publish(&mut self, event: publish::Event) {
        let route = Route {
            protocol: publish::PROTOCOL_NAME,
            waiting: |waiting| &mut waiting.publish,
            event: |from, request, responder| Event::Publish { from, request, responder },
            answer: Answer::Publish,
            busy: publish::Response::Busy,
            operators_only: None,
        };
        self.on_exchange(event, route);
    }

    pub(super) fn on_consensus(&mut self, event: consensus::Event) {
        let route = Route { waiting: |waiting| &mut waiting.consensus, answer: Answer::Consensus, ..votes() };
        self.on_exchange(event, route);
    }

    pub(super) fn on_value(&mut self, event: consensus::Event) {
        self.on_exchange(event, votes());
    }

    pub(super) fn on_signing(&mut self, event: signing::Event) {
        let route = Route {
            protocol: signing::PROTOCOL_NAME,
            waiting: |waiting| &mut waiting.signing,
            event: |from, request, responder| Event::Signing { from, request, responder },
            answer: Answer::Signing,
            busy: signing::Response::Busy,
            operators_only: Some(signing::Response::refused("only operators take part in duties")),
        };
        self.on_exchange(event, route);
    }

    pub(super) fn on_performance(&mut self, event: performance::Event) {
        let route = Route {
            protocol: performance::PROTOCOL_NAME,
            waiting: |waiting| &mut waiting.performance,
            event: |from, request, responder| Event::Performance { from, request, responder },
            answer: Answer::Performance,
            busy: performance::Response::Busy,
            operators_only: None,
        };
        self.on_exchange(event, route);
    }

    fn on_exchange<Q, R: Send + 'static>(&mut self, event: request_response::Event<Q, R>, route: Route<Q, R>) {
        match event {
            request_response::Event::Message { peer, message: Message::Request { request, channel, .. }, .. } => {
                self.on_request(peer, request, channel, route);
            }
            request_response::Event::Message { message: Message::Response { request_id, response }, .. } => {
                answer((route.waiting)(&mut self.waiting).remove(&request_id), Ok(response));
            }
            request_response::Event::OutboundFailure { request_id, error, .. } => {
                answer((route.waiting)(&mut self.waiting).remove(&request_id), Err(error.into()));
            }
            request_response::Event::InboundFailure { peer, error, .. } => {
                tracing::debug!(%peer, %error, protocol = route.protocol, "an inbound request failed");
            }
            request_response::Event::ResponseSent { .. } => {}
        }
    }

    /// Hands a request to the reader of events; it hears `Busy` when the reader does not keep up.
    fn on_request<Q, R: Send + 'static>(
        &mut self,
        peer: PeerId,
        request: Q,
        channel: ResponseChannel<R>,
        route: Route<Q, R>,
    ) {
        let Some(from) = self.shared.peer(peer) else {
            return;
        };
        let back = route.answer;
        if let (Some(refused), None) = (route.operators_only, from.member.operator_id()) {
            return self.on_answer(back(channel, refused));
        }
        let (sender, receiver) = oneshot::channel();
        let event = (route.event)(from, request, Responder(sender));
        if self.events.try_send(event).is_err() {
            return self.on_answer(back(channel, route.busy));
        }
        let answer = async move { receiver.await.map_or(Answer::None, |answer| back(channel, answer)) };
        self.answers.push(Box::pin(answer));
    }

    pub(super) fn on_info(&mut self, event: info::Event) {
        match event {
            request_response::Event::Message { message: Message::Request { channel, .. }, .. } => {
                let _ = self.swarm.behaviour_mut().info.send_response(channel, self.shared.info());
            }
            request_response::Event::Message { peer, message: Message::Response { request_id, response }, .. } => {
                self.on_greeted(peer, &response);
                answer(self.waiting.info.remove(&request_id), Ok(response));
            }
            request_response::Event::OutboundFailure { request_id, error, .. } => {
                answer(self.waiting.info.remove(&request_id), Err(error.into()));
            }
            request_response::Event::InboundFailure { .. } | request_response::Event::ResponseSent { .. } => {}
        }
    }

    pub(super) fn on_presence(&mut self, event: presence::Event) {
        match event {
            request_response::Event::Message { peer, message: Message::Request { request, channel, .. }, .. } => {
                let response = self.desk.answer(peer, &request, std::time::Instant::now());
                let _ = self.swarm.behaviour_mut().presence.send_response(channel, response);
            }
            request_response::Event::Message { message: Message::Response { request_id, response }, .. } => {
                answer(self.waiting.presence.remove(&request_id), Ok(response));
            }
            request_response::Event::OutboundFailure { request_id, error, .. } => {
                answer(self.waiting.presence.remove(&request_id), Err(error.into()));
            }
            request_response::Event::InboundFailure { .. } | request_response::Event::ResponseSent { .. } => {}
        }
    }

    /// A peer told what it runs: keep it, and say in words when it does not fit.
    fn on_greeted(&mut self, peer_id: PeerId, theirs: &info::Info) {
        self.book.set_info(&peer_id, theirs.clone());
        self.dirty = true;
        if theirs.role == info::Role::Bootstrap {
            return;
        }
        let (ours, Some(peer)) = (self.shared.info(), self.shared.peer(peer_id)) else {
            return;
        };
        if let Err(mismatch) = ours.ceremony_version(theirs) {
            tracing::warn!(peer = %peer_id, member = %peer.member, %mismatch, "no ceremony is possible with this peer");
            self.emit(Event::Mismatch { peer, mismatch });
        } else if let (Err(mismatch), Some(_)) = (ours.duty_versions(theirs), peer.member.operator_id()) {
            tracing::warn!(peer = %peer_id, member = %peer.member, %mismatch, "no duties are possible with this peer");
        }
    }
}

/// Hands an answer to the client that waits for it; it may have given up.
fn answer<T>(waiting: Option<Reply<T>>, result: Result<T, RequestError>) {
    if let Some(reply) = waiting {
        let _ = reply.send(result);
    }
}

/// Votes and values differ only in the protocol that carries them.
fn votes() -> Route<consensus::Request, consensus::Response> {
    Route {
        protocol: consensus::PROTOCOL_NAME,
        waiting: |waiting| &mut waiting.value,
        event: |from, request, responder| Event::Consensus { from, request, responder },
        answer: Answer::Value,
        busy: consensus::Response::Busy,
        operators_only: Some(consensus::Response::refused("only operators take part in duties")),
    }
}
