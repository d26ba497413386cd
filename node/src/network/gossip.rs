//! Announcements: checks outside of the swarm task, and the publication of this node's own record.

use std::sync::Arc;
use std::time::Duration;

use cluster_net::discovery::{Announcement, CheckedRecord, OperatorClaims, SyncState};
use cluster_net::{info, limits};
use libp2p::gossipsub::{MessageAcceptance, MessageId, TopicHash};
use libp2p::PeerId;
use tokio::sync::{mpsc, oneshot};

use super::task::Command;
use super::{AnnounceError, Event, Shared};

/// A gossip message that waits for a check.
#[derive(Debug)]
pub(super) struct Unchecked {
    pub(super) message_id: MessageId,
    pub(super) source: PeerId,
    pub(super) topic: TopicHash,
    pub(super) data: Vec<u8>,
}

/// Whether an announced request is passed on to other peers. Dropping it means [`Verdict::ignore`].
#[derive(Debug)]
pub struct Verdict {
    message_id: MessageId,
    source: PeerId,
    commands: Option<mpsc::Sender<Command>>,
}

impl Verdict {
    /// The request is valid: pass it on.
    pub fn accept(mut self) {
        self.report(MessageAcceptance::Accept);
    }

    /// The request is false; whoever passed it on should not have.
    pub fn reject(mut self) {
        self.report(MessageAcceptance::Reject);
    }

    /// The request cannot be judged, or is of no use any more: let it end here.
    pub fn ignore(mut self) {
        self.report(MessageAcceptance::Ignore);
    }

    fn report(&mut self, acceptance: MessageAcceptance) {
        if let Some(commands) = self.commands.take() {
            // A full queue loses the verdict: the message is not passed on by this node, and others do it.
            let _ = commands.try_send(Command::Judged {
                message_id: self.message_id.clone(),
                source: self.source,
                acceptance,
            });
        }
    }
}

impl Drop for Verdict {
    fn drop(&mut self) {
        self.report(MessageAcceptance::Ignore);
    }
}

/// Starts the task that decodes announcements and checks the signatures of records.
pub(super) fn spawn_checker(
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    events: mpsc::Sender<Event>,
) -> mpsc::Sender<Unchecked> {
    let (sender, mut receiver) = mpsc::channel::<Unchecked>(limits::GOSSIP_QUEUE);
    // Weak, so that this task does not keep the command channel open after the last client is gone.
    let commands = commands.downgrade();
    let events = events.downgrade();
    tokio::spawn(async move {
        while let Some(unchecked) = receiver.recv().await {
            let (Some(commands), Some(events)) = (commands.upgrade(), events.upgrade()) else {
                return;
            };
            check(&shared, unchecked, commands, &events).await;
        }
    });
    sender
}

async fn check(shared: &Shared, unchecked: Unchecked, commands: mpsc::Sender<Command>, events: &mpsc::Sender<Event>) {
    let Unchecked { message_id, source, topic, data } = unchecked;
    let mut verdict = Verdict { message_id, source, commands: Some(commands.clone()) };
    match Announcement::decode(&topic, &data) {
        Ok(Announcement::Request(request)) => {
            // When the node does not keep up, the dropped event ends the message here.
            let _ = events.try_send(Event::Request { request, verdict });
        }
        Ok(Announcement::Record(record)) => match record.check(shared.registry.as_ref()) {
            Ok(checked) => {
                verdict.commands = None;
                let command = Command::Record { message_id: verdict.message_id.clone(), source, checked };
                let _ = commands.send(command).await;
            }
            Err(error) => {
                tracing::debug!(peer = %source, %error, "refused an operator record");
                verdict.reject();
            }
        },
        Err(error) => {
            tracing::debug!(peer = %source, %error, "refused an announcement");
            verdict.reject();
        }
    }
}

/// Starts the task that announces this operator's own record: when its addresses change, and from time to time.
pub(super) fn spawn_announcer(shared: Arc<Shared>, commands: mpsc::Sender<Command>) {
    let commands = commands.downgrade();
    tokio::spawn(async move {
        let mut addresses = shared.addresses.subscribe();
        loop {
            let announced = match commands.upgrade() {
                Some(commands) => announce(&shared, &commands).await,
                None => return,
            };
            let wait = match announced {
                Ok(()) => limits::RECORD_INTERVAL,
                Err(AnnounceError::ShutDown) => return,
                // Nobody is connected yet.
                Err(_) => Duration::from_secs(2),
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = addresses.changed() => {}
                () = shared.stopped.cancelled() => return,
            }
        }
    });
}

async fn announce(shared: &Shared, commands: &mpsc::Sender<Command>) -> Result<(), AnnounceError> {
    let own = shared.info();
    let Some(operator_id) = own.operator_id else {
        // Not (yet) registered: nobody would believe the record.
        return Err(AnnounceError::NobodyListens);
    };
    let record = OperatorClaims {
        operator_id,
        sequence: own.clock_ms,
        addresses: own.addresses,
        versions: info::supported(),
        capabilities: own.capabilities,
        sync: SyncState::Ready,
    }
    .sign(&shared.identity);
    let (reply, answer) = oneshot::channel();
    let command = Command::Announce { announcement: Announcement::Record(record), reply };
    commands.send(command).await.map_err(|_| AnnounceError::ShutDown)?;
    answer.await.map_err(|_| AnnounceError::ShutDown)?
}

/// A record that the swarm task should believe when it is newer than what it holds.
pub(super) type Record = CheckedRecord;
