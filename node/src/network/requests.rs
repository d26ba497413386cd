//! Requests and answers of the three request-response protocols, between the swarm and its clients.

use cluster_net::{dkg, info, publish};
use futures::stream::FuturesUnordered;
use libp2p::request_response::{self, Message, ResponseChannel};
use libp2p::PeerId;
use tokio::sync::oneshot;

use super::client::RequestError;
use super::task::{Reply, Task};
use super::{Event, Responder};

/// An answer that a reader of events gave, on its way to the stream.
pub(super) enum Answer {
    Dkg(ResponseChannel<dkg::Response>, dkg::Response),
    Publish(ResponseChannel<publish::Response>, publish::Response),
    /// The responder was dropped; the channel goes with it and the peer sees the stream end.
    None,
}

pub(super) type Answers = FuturesUnordered<std::pin::Pin<Box<dyn std::future::Future<Output = Answer> + Send>>>;

impl Task {
    pub(super) fn on_answer(&mut self, answer: Answer) {
        // A failure means that the peer has given up waiting; the behaviour reports it.
        match answer {
            Answer::Dkg(channel, response) => {
                let _ = self.swarm.behaviour_mut().dkg.send_response(channel, response);
            }
            Answer::Publish(channel, response) => {
                let _ = self.swarm.behaviour_mut().publish.send_response(channel, response);
            }
            Answer::None => {}
        }
    }

    pub(super) fn on_dkg(&mut self, event: dkg::Event) {
        match event {
            request_response::Event::Message { peer, message: Message::Request { request, channel, .. }, .. } => {
                let Some(from) = self.shared.peer(peer).filter(|peer| peer.member.operator_id().is_some()) else {
                    self.on_answer(Answer::Dkg(
                        channel,
                        dkg::Response::refused("only operators take part in ceremonies"),
                    ));
                    return;
                };
                let (sender, receiver) = oneshot::channel();
                let event = Event::Dkg { from, request, responder: Responder(sender) };
                if self.events.try_send(event).is_err() {
                    return self.on_answer(Answer::Dkg(channel, dkg::Response::Busy));
                }
                let answer = async move { receiver.await.map_or(Answer::None, |answer| Answer::Dkg(channel, answer)) };
                self.answers.push(Box::pin(answer));
            }
            request_response::Event::Message { message: Message::Response { request_id, response }, .. } => {
                answer(self.waiting.dkg.remove(&request_id), Ok(response));
            }
            request_response::Event::OutboundFailure { request_id, error, .. } => {
                answer(self.waiting.dkg.remove(&request_id), Err(error.into()));
            }
            request_response::Event::InboundFailure { peer, error, .. } => {
                tracing::debug!(%peer, %error, protocol = dkg::PROTOCOL_NAME, "an inbound request failed");
            }
            request_response::Event::ResponseSent { .. } => {}
        }
    }

    pub(super) fn on_publish(&mut self, event: publish::Event) {
        match event {
            request_response::Event::Message { peer, message: Message::Request { request, channel, .. }, .. } => {
                let Some(from) = self.shared.peer(peer) else {
                    return;
                };
                let (sender, receiver) = oneshot::channel();
                let event = Event::Publish { from, request, responder: Responder(sender) };
                if self.events.try_send(event).is_err() {
                    return self.on_answer(Answer::Publish(channel, publish::Response::Busy));
                }
                let answer =
                    async move { receiver.await.map_or(Answer::None, |answer| Answer::Publish(channel, answer)) };
                self.answers.push(Box::pin(answer));
            }
            request_response::Event::Message { message: Message::Response { request_id, response }, .. } => {
                answer(self.waiting.publish.remove(&request_id), Ok(response));
            }
            request_response::Event::OutboundFailure { request_id, error, .. } => {
                answer(self.waiting.publish.remove(&request_id), Err(error.into()));
            }
            request_response::Event::InboundFailure { peer, error, .. } => {
                tracing::debug!(%peer, %error, protocol = publish::PROTOCOL_NAME, "an inbound request failed");
            }
            request_response::Event::ResponseSent { .. } => {}
        }
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

    /// A peer told what it runs: keep it, and say in words when it does not fit.
    fn on_greeted(&mut self, peer_id: PeerId, theirs: &info::Info) {
        self.book.set_info(&peer_id, theirs.clone());
        self.dirty = true;
        if theirs.role == info::Role::Bootstrap {
            return;
        }
        if let (Err(mismatch), Some(peer)) = (self.shared.info().ceremony_version(theirs), self.shared.peer(peer_id)) {
            tracing::warn!(peer = %peer_id, member = %peer.member, %mismatch, "no ceremony is possible with this peer");
            self.emit(Event::Mismatch { peer, mismatch });
        }
    }
}

/// Hands an answer to the client that waits for it; it may have given up.
fn answer<T>(waiting: Option<Reply<T>>, result: Result<T, RequestError>) {
    if let Some(reply) = waiting {
        let _ = reply.send(result);
    }
}
