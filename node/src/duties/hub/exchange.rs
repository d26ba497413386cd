//! The task of one exchange of partial signatures. Whatever touches a point runs on a blocking thread.

use std::sync::Arc;

use cluster_core::committee::{Committee, OperatorId};
use cluster_core::duty::SigningId;
use cluster_core::machine::{Machine as _, Recipient, Time};
use cluster_core::signing::{Group, Item, Machine, Message, Output};
use cluster_core::verdict::{FaultReason, Verdict};
use cluster_crypto::bls;
use cluster_crypto::threshold::Partial;
use cluster_net::codec::Bytes;
use cluster_net::limits;
use rand_core::OsRng;
use tokio::sync::oneshot;

use super::mailbox::Letter;
use super::{Opened, Signed};
use crate::duties::mesh::DutyMessage;

/// Wait before a peer is asked for partials that did not come by themselves. Operators decide within some hundred
/// milliseconds of each other.
const RETRY_MS: u64 = 400;
/// Letters that are judged in one go: one of each operator.
const LETTERS: usize = 13;
/// Bytes of an encoded message: what the protocol carries besides the names of the exchange.
const MESSAGE_BYTES: usize = limits::SIGNING_REQUEST_BYTES - 128;
/// Bytes of a root and a length, of which an entry of a message needs one at most; and of what begins the message.
const OVERHEAD_BYTES: usize = 40;

type Report = oneshot::Sender<Result<Signed, String>>;

pub(super) struct Exchange {
    id: SigningId,
    give_up: Time,
    opened: Opened,
    signatures: Vec<Option<bls::Signature>>,
    /// Gone once the result is known.
    report: Option<Report>,
}

/// What a stretch of work on a blocking thread came to.
struct Worked {
    machine: Machine,
    /// Verdicts over letters that were wrong.
    faults: Vec<(OperatorId, FaultReason)>,
    effects: Vec<Effect>,
}

enum Effect {
    Send(Recipient, Bytes),
    Signed(usize, bls::Signature),
    Bad(OperatorId),
    Inconsistent(usize),
    Done,
}

/// The task ends.
struct End;

impl Exchange {
    pub(super) fn new(id: SigningId, give_up: Time, opened: Opened, items: usize, report: Report) -> Self {
        Self { id, give_up, opened, signatures: vec![None; items], report: Some(report) }
    }

    pub(super) async fn run(mut self, items: Vec<Item>, own: Vec<Option<Partial>>) {
        let Ok(mut machine) = self.start(items, own).await else { return };
        loop {
            let letters = match machine.needs_work() {
                true => self.opened.mailbox.take(LETTERS),
                false => match self.wait(&machine).await {
                    Ok(letters) => letters,
                    Err(End) => return self.close(&machine),
                },
            };
            machine = match self.work(machine, letters).await {
                Ok(machine) => machine,
                Err(End) => return,
            };
            if self.report.is_some() && self.opened.now() >= self.give_up {
                self.finish(&machine);
            }
        }
    }

    async fn start(&mut self, items: Vec<Item>, own: Vec<Option<Partial>>) -> Result<Machine, End> {
        let (id, me, now) = (self.id, self.opened.inner.me, self.opened.now());
        let committee: Arc<Committee> = Arc::clone(&self.opened.committee);
        let doubted = self.opened.inner.doubts(self.opened.slots.slot_at(now));
        let started = tokio::task::spawn_blocking(move || {
            let mut machine = Machine::start(id, committee, me, items, own, RETRY_MS, now)?;
            doubted.into_iter().for_each(|operator| machine.doubt(operator));
            Ok::<_, cluster_core::signing::StartError>(stretch(machine, Vec::new(), now, false))
        });
        match started.await {
            Ok(Ok(worked)) => Ok(self.perform(worked)),
            Ok(Err(error)) => {
                if let Some(report) = self.report.take() {
                    // The caller may have gone at this moment.
                    let _ = report.send(Err(error.to_string()));
                }
                Err(End)
            }
            Err(_) => Err(End),
        }
    }

    /// Waits for letters, or for a time at which there is something to do.
    async fn wait(&mut self, machine: &Machine) -> Result<Vec<Letter>, End> {
        let clock = self.opened.inner.clock;
        let give_up = self.report.as_ref().map(|_| self.give_up);
        let end = self.opened.linger_until(self.give_up);
        let (mailbox, stop) = (Arc::clone(&self.opened.mailbox), self.opened.inner.stop.clone());
        tokio::select! {
            letters = mailbox.wait(LETTERS) => Ok(letters),
            () = clock.sleep_until_some(machine.deadline()) => Ok(Vec::new()),
            () = clock.sleep_until_some(give_up) => Ok(Vec::new()),
            () = clock.sleep_until(end), if give_up.is_none() => Err(End),
            () = abandoned(&mut self.report) => Err(End),
            () = stop.cancelled() => Err(End),
        }
    }

    /// Judges letters and does one step of heavy work, when there is a place for it.
    async fn work(&mut self, machine: Machine, letters: Vec<Letter>) -> Result<Machine, End> {
        // Closed only together with the hub, which holds it.
        let place = self.opened.inner.work.acquire().await.map_err(|_| End)?;
        let now = self.opened.now();
        let worked =
            tokio::task::spawn_blocking(move || stretch(machine, letters, now, true)).await.map_err(|_| End)?;
        drop(place);
        Ok(self.perform(worked))
    }

    fn perform(&mut self, worked: Worked) -> Machine {
        let Worked { machine, faults, effects } = worked;
        for (from, reason) in faults {
            tracing::debug!(exchange = %self.id, operator_id = from.0, %reason, "partials of operator {from} are wrong");
            self.opened.inner.observer.fault(from, &reason.to_string());
        }
        for effect in effects {
            match effect {
                Effect::Send(to, bytes) => {
                    let expires = self.give_up.max(self.opened.now().plus_ms(self.opened.slots.slot_ms));
                    self.opened.send(to, &DutyMessage::Signing(self.id, bytes), expires);
                }
                Effect::Signed(item, signature) => {
                    if let Some(place) = self.signatures.get_mut(item) {
                        *place = Some(signature);
                    }
                }
                Effect::Bad(operator) => self.on_bad(operator),
                Effect::Inconsistent(item) => {
                    tracing::error!(exchange = %self.id, item, "the share keys of a validator do not belong to it; it is not signed for");
                }
                Effect::Done => self.finish(&machine),
            }
        }
        machine
    }

    fn on_bad(&self, operator: OperatorId) {
        let inner = &self.opened.inner;
        if operator == inner.me {
            tracing::error!(exchange = %self.id, "a partial signature of this operator is wrong; check its shares");
            return;
        }
        tracing::warn!(exchange = %self.id, operator_id = operator.0, "a partial signature of operator {operator} is wrong");
        inner.observer.fault(operator, "a partial signature is wrong");
        inner.doubt(operator, self.opened.slots.slot_at(self.opened.now()));
    }

    /// Nobody waits for it any more.
    fn close(&self, machine: &Machine) {
        if self.report.is_some() || self.opened.inner.stop.is_cancelled() {
            return;
        }
        let start = self.opened.slots.start(self.id.slot);
        let into_slot = |at: Time| u32::try_from(at.since(start)).unwrap_or(u32::MAX);
        let participants = machine.participants().into_iter().map(|(id, at)| (id, into_slot(at))).collect();
        self.opened.inner.observer.attended(&self.id, participants);
    }

    /// Tells the result, once.
    fn finish(&mut self, machine: &Machine) {
        if let Some(report) = self.report.take() {
            self.opened.keep = true;
            let (participants, bad) = (machine.participants(), machine.bad());
            let signed = Signed { signatures: self.signatures.clone(), participants, bad, failure: None };
            // The caller may have gone at this moment.
            let _ = report.send(Ok(signed));
        }
    }
}

/// Letters, the deadline when it has come, and a step of heavy work. Blocks.
fn stretch(mut machine: Machine, letters: Vec<Letter>, now: Time, heavy: bool) -> Worked {
    let mut faults = Vec::new();
    for letter in letters {
        let verdict = match Message::decode(&letter.bytes, limits::SIGNING_REQUEST_BYTES) {
            Ok(message) => machine.on_message(letter.at, letter.from, message),
            Err(_) => Verdict::Fault(FaultReason::Malformed),
        };
        if let Verdict::Fault(reason) = verdict {
            faults.push((letter.from, reason));
        }
    }
    if machine.deadline().is_some_and(|deadline| deadline <= now) {
        machine.on_deadline(now);
    }
    if heavy && machine.needs_work() {
        machine.work(now, &mut OsRng);
    }
    let mut effects = Vec::new();
    while let Some(output) = machine.poll() {
        match output {
            Output::Send { to, message } => {
                effects.extend(parts(&message).into_iter().map(|bytes| Effect::Send(to, bytes)));
            }
            Output::Signed { item, signature } => effects.push(Effect::Signed(item, signature)),
            Output::Bad { operator } => effects.push(Effect::Bad(operator)),
            Output::Inconsistent { item } => effects.push(Effect::Inconsistent(item)),
            Output::Done => effects.push(Effect::Done),
        }
    }
    Worked { machine, faults, effects }
}

/// A message in encodings that the protocol carries: one, unless it is very large.
fn parts(message: &Message) -> Vec<Bytes> {
    let encoded = message.encode();
    if encoded.len() <= MESSAGE_BYTES {
        return vec![encoded.into()];
    }
    match message {
        Message::Partials(groups) => {
            split(groups, MESSAGE_BYTES).into_iter().map(|groups| Message::Partials(groups).encode().into()).collect()
        }
        // Peers answer one question at a time; the rest is asked for in the next round.
        Message::Want(groups) => split(groups, MESSAGE_BYTES)
            .into_iter()
            .take(1)
            .map(|groups| Message::Want(groups).encode().into())
            .collect(),
    }
}

/// Distributes entries to lists of groups that take at most `limit` bytes each.
fn split<const ENTRY: usize>(groups: &[Group<ENTRY>], limit: usize) -> Vec<Vec<Group<ENTRY>>> {
    let most = (limit.saturating_sub(OVERHEAD_BYTES) / (ENTRY + OVERHEAD_BYTES)).max(1);
    let (mut all, mut part, mut count) = (Vec::new(), Vec::<Group<ENTRY>>::new(), 0);
    for group in groups {
        for (validator, rest) in group.iter() {
            if count == most {
                all.push(std::mem::take(&mut part));
                count = 0;
            }
            if part.last().is_none_or(|last| last.root() != group.root()) {
                part.push(Group::new(*group.root()));
            }
            if let Some(last) = part.last_mut() {
                last.push(&[validator, rest]);
            }
            count += 1;
        }
    }
    all.push(part);
    all
}

/// Resolves when the caller has gone before the result was known.
async fn abandoned(report: &mut Option<Report>) {
    match report {
        Some(report) => report.closed().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use cluster_core::signing::Partials;

    #[test]
    fn a_message_above_the_limit_is_split_and_nothing_is_lost() {
        for roots in [1usize, 3, 16_000] {
            let mut groups: Vec<Partials> = (0..roots).map(|root| Group::new([root as u8; 32])).collect();
            for entry in 0..16_000usize {
                let mut bytes = [7u8; 240];
                bytes[..8].copy_from_slice(&entry.to_le_bytes());
                groups[entry % roots].push(&[&bytes]);
            }
            let parts = parts(&Message::Partials(groups));
            assert!(parts.len() > 1 && parts.iter().all(|bytes| bytes.len() <= MESSAGE_BYTES));
            let decode = |bytes: &Bytes| Message::decode(bytes, limits::SIGNING_REQUEST_BYTES).unwrap();
            assert_eq!(parts.iter().map(|bytes| decode(bytes).entries()).sum::<usize>(), 16_000);
        }
        assert_eq!(parts(&Message::Want(Vec::new())).len(), 1);
    }
}
