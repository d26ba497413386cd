//! The task of one consensus instance.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use cluster_core::committee::OperatorId;
use cluster_core::consensus::{Config, Decision, Digest, Machine, Message, Output, Record, MAX_MESSAGE_BYTES};
use cluster_core::duty::InstanceId;
use cluster_core::encoding;
use cluster_core::machine::{Machine as _, Recipient};
use cluster_core::verdict::Verdict;
use cluster_net::codec::Bytes;
use futures::future::BoxFuture;
use futures::FutureExt;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::mailbox::Letter;
use super::{AgreeError, Agreed, Judge, Opened, Timing};
use crate::duties::mesh::DutyMessage;
use crate::duties::votes::Votes;

/// Messages that are decoded and hashed on a blocking thread: values of some size.
const LARGE_BYTES: usize = 64 * 1024;
/// Bytes of a record of the journal: the machine keeps no larger values.
const RECORD_LIMIT: usize = cluster_core::consensus::MAX_JOURNALLED_BYTES + 64 * 1024;

/// What was done beside the machine.
enum Done {
    Value(Option<Vec<u8>>),
    Judged(Digest, Result<(), String>),
}

type Report = oneshot::Sender<Result<Agreed, AgreeError>>;

pub(super) struct Instance {
    instance: InstanceId,
    timing: Timing,
    opened: Opened,
    judge: Judge,
    /// Gone once the result is known.
    report: Option<Report>,
    /// The value and the judgements under way; dropping them ends them.
    jobs: JoinSet<Done>,
    objection: Option<String>,
    is_decided: bool,
    /// Operators whose double votes were reported.
    reported: BTreeSet<OperatorId>,
}

/// The task ends.
struct End;

impl Instance {
    pub(super) fn new(instance: InstanceId, timing: Timing, opened: Opened, judge: Judge, report: Report) -> Self {
        Self {
            instance,
            timing,
            opened,
            judge,
            report: Some(report),
            jobs: JoinSet::new(),
            objection: None,
            is_decided: false,
            reported: BTreeSet::new(),
        }
    }

    pub(super) async fn run(mut self, value: BoxFuture<'static, Option<Vec<u8>>>) {
        // A panic in it counts as no value.
        let value = AssertUnwindSafe(value).catch_unwind();
        self.jobs.spawn(async move { Done::Value(value.await.ok().flatten()) });
        let Ok(mut machine) = self.machine().await else { return };
        machine.on_deadline(self.opened.now());
        loop {
            if self.perform(&mut machine).await.is_err() {
                return;
            }
            machine = match self.step(machine).await {
                Ok(machine) => machine,
                Err(End) => break,
            };
        }
        // After the result, so that nobody waits for it.
        if self.is_decided {
            self.opened.inner.prune_votes(self.instance.slot).await;
        }
    }

    /// The machine as it was left, when this operator has voted before. None where its votes are forgotten.
    async fn machine(&mut self) -> Result<Machine, End> {
        let instance = self.instance;
        // Consensus 8.4. Whoever forgets raises the floor first: what was read before a look at the floor is complete.
        let load = move |votes: &dyn Votes| Ok((votes.load(&instance)?, votes.floor()?));
        let loaded = self.opened.inner.with_votes(load).await;
        if let Some(floor) = loaded.as_ref().ok().map(|(_, floor)| *floor).filter(|floor| instance.slot < *floor) {
            self.finish(Err(AgreeError::Forgotten { instance, floor }));
            return Err(End);
        }
        let records: Result<Vec<Record>, String> = loaded.and_then(|(records, _)| {
            let decode = |bytes: &Vec<u8>| encoding::decode(bytes, RECORD_LIMIT).map_err(|error| error.to_string());
            records.iter().map(decode).collect()
        });
        let records = match records {
            Ok(records) => records,
            Err(reason) => {
                self.finish(Err(AgreeError::Votes { instance, reason }));
                return Err(End);
            }
        };
        let config = Config { instance, start: self.timing.start, round_ms: self.timing.round_ms };
        let (inner, committee) = (&self.opened.inner, Arc::clone(&self.opened.committee));
        Ok(Machine::restore(config, committee, inner.me, inner.identity.clone(), records))
    }

    /// Waits for whatever comes first, and tells the machine.
    async fn step(&mut self, mut machine: Machine) -> Result<Machine, End> {
        let clock = self.opened.inner.clock;
        let (deadline, give_up) = (machine.deadline(), self.timing.give_up);
        let end = if self.report.is_some() { give_up } else { self.opened.linger_until(give_up) };
        let mailbox = Arc::clone(&self.opened.mailbox);
        let stop = self.opened.inner.stop.clone();
        tokio::select! {
            letters = mailbox.wait(1) => {
                for letter in letters {
                    machine = self.on_letter(machine, letter).await?;
                }
            }
            Some(done) = self.jobs.join_next(), if !self.jobs.is_empty() => {
                // What fails here was stopped; a panic is caught inside.
                if let Ok(done) = done {
                    machine = self.on_done(machine, done).await?;
                }
            }
            () = clock.sleep_until_some(deadline) => machine.on_deadline(clock.now()),
            () = clock.sleep_until(end) => {
                let (heard, round) = (machine.heard().collect(), machine.round());
                let objection = self.objection.take();
                self.finish(Err(AgreeError::NoQuorum { instance: self.instance, heard, round, objection }));
                return Err(End);
            }
            () = abandoned(&mut self.report) => return Err(End),
            () = stop.cancelled() => return Err(End),
        }
        Ok(machine)
    }

    async fn on_letter(&mut self, machine: Machine, letter: Letter) -> Result<Machine, End> {
        let (from, now, is_large) = (letter.from, self.opened.now(), letter.bytes.len() > LARGE_BYTES);
        let receive = move |machine: &mut Machine| match Message::decode(&letter.bytes, MAX_MESSAGE_BYTES) {
            Ok(message) => machine.on_message(now, letter.from, message),
            Err(_) => Verdict::Fault(cluster_core::verdict::FaultReason::Malformed),
        };
        let (machine, verdict) = with(machine, is_large, receive).await?;
        if let Verdict::Fault(reason) = verdict {
            tracing::debug!(instance = %self.instance, operator_id = from.0, %reason, "a message of operator {from} is wrong");
            self.opened.inner.observer.fault(from, &reason.to_string());
            for evidence in machine.evidence() {
                if self.reported.insert(evidence.operator()) {
                    self.opened.inner.observer.evidence(evidence);
                }
            }
        }
        Ok(machine)
    }

    async fn on_done(&mut self, machine: Machine, done: Done) -> Result<Machine, End> {
        let now = self.opened.now();
        match done {
            Done::Value(None) => Ok(machine),
            Done::Value(Some(value)) => {
                let is_large = value.len() > LARGE_BYTES;
                let (machine, ()) = with(machine, is_large, move |machine| machine.on_value(now, value.into())).await?;
                Ok(machine)
            }
            Done::Judged(digest, judged) => {
                let mut machine = machine;
                machine.on_judgement(now, digest, judged.is_ok());
                if let Err(reason) = judged {
                    tracing::info!(instance = %self.instance, reason, "this operator would not sign for the value: {reason}");
                    self.objection = Some(reason);
                }
                Ok(machine)
            }
        }
    }

    /// Performs what the machine wants done. All records of a batch are flushed before the first message leaves.
    async fn perform(&mut self, machine: &mut Machine) -> Result<(), End> {
        let (mut records, mut messages) = (Vec::new(), Vec::new());
        while let Some(output) = machine.poll() {
            match output {
                Output::Persist(record) => records.push(encoding::encode(&record)),
                Output::Send { to, message } => messages.push((to, message)),
                Output::Judge { digest, value } => self.start_judging(digest, value),
                // The certificate is proof by itself: nobody has to wait for the disk.
                Output::Decided(decision) => self.on_decided(decision),
            }
        }
        if !records.is_empty() {
            let instance = self.instance;
            let write = self.opened.inner.with_votes(move |votes| {
                records.iter().try_for_each(|record| votes.append(&instance, record))?;
                votes.flush()
            });
            if let Err(reason) = write.await {
                self.finish(Err(AgreeError::Votes { instance, reason }));
                return Err(End);
            }
        }
        for (to, message) in messages {
            self.send(to, &message);
        }
        Ok(())
    }

    fn send(&self, to: Recipient, message: &Message) {
        let expires = self.timing.give_up.max(self.opened.now().plus_ms(self.opened.slots.slot_ms));
        let message = DutyMessage::Consensus(self.instance, Bytes::from(message.encode()));
        self.opened.send(to, &message, expires);
    }

    fn start_judging(&mut self, digest: Digest, value: Arc<[u8]>) {
        let judge = Arc::clone(&self.judge);
        self.jobs.spawn(async move {
            let judged = AssertUnwindSafe(async move { judge(value).await }).catch_unwind().await;
            Done::Judged(digest, judged.unwrap_or_else(|_| Err("judging the value failed".to_owned())))
        });
    }

    fn on_decided(&mut self, decision: Decision) {
        self.jobs.abort_all();
        let Decision { value, round, .. } = decision;
        let decided_at = self.opened.now();
        self.is_decided = true;
        self.finish(Ok(Agreed { value, round, decided_at }));
    }

    /// Tells the result, once.
    fn finish(&mut self, result: Result<Agreed, AgreeError>) {
        if let Some(report) = self.report.take() {
            self.opened.keep = true;
            // The caller may have gone at this moment.
            let _ = report.send(result);
        }
    }
}

/// Runs `work`, on a blocking thread when it takes long. The machine is lost when `work` panics there.
async fn with<T: Send + 'static>(
    mut machine: Machine,
    is_long: bool,
    work: impl FnOnce(&mut Machine) -> T + Send + 'static,
) -> Result<(Machine, T), End> {
    if !is_long {
        let done = work(&mut machine);
        return Ok((machine, done));
    }
    let blocking = tokio::task::spawn_blocking(move || {
        let done = work(&mut machine);
        (machine, done)
    });
    blocking.await.map_err(|_| End)
}

/// Resolves when the caller has gone before the result was known.
async fn abandoned(report: &mut Option<Report>) {
    match report {
        Some(report) => report.closed().await,
        None => std::future::pending().await,
    }
}
