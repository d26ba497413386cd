//! DKG 0.5 and 9.5: a machine from its journal, after a restart.

use std::sync::Arc;

use cluster_crypto::{bls, identity};
use thiserror::Error;

use super::{
    context::Context,
    machine::Machine,
    message::{Message, Qualified, Signed},
    output::{Output, Record, Timing},
};
use crate::{
    committee::OperatorId,
    encoding,
    machine::{Recipient, Time},
    request::CheckedRequest,
    verdict::Verdict,
};

/// Why a machine cannot be rebuilt from a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RestoreError {
    /// The journal does not begin with the start of a ceremony.
    #[error("the journal does not begin with the start of a ceremony")]
    NotStarted,
    /// The journal is of another ceremony than the request.
    #[error("the journal is of another ceremony")]
    OtherCeremony,
    /// This operator is not in the committee.
    #[error("this operator is not a member of the committee")]
    NotInCommittee,
    /// A message in the journal cannot be read.
    #[error("entry {position} of the journal cannot be read")]
    Unreadable {
        /// Counts entries from zero.
        position: usize,
    },
}

impl Machine {
    /// Rebuilds the machine from its journal: the same inputs give the same state, votes and signatures.
    ///
    /// The outputs of the past are not repeated; the machine sends its own messages again and asks for what it missed.
    ///
    /// # Errors
    /// The journal is empty, of another ceremony or damaged.
    pub fn restore(
        request: CheckedRequest,
        me: OperatorId,
        identity: identity::SecretKey,
        records: impl IntoIterator<Item = Record>,
        timing: Timing,
        now: Time,
    ) -> Result<Self, RestoreError> {
        let mut records = records.into_iter().enumerate();
        let Some((_, Record::Started { request: started, now: then, seed, inherited })) = records.next() else {
            return Err(RestoreError::NotStarted);
        };
        if started != *request.signed() {
            return Err(RestoreError::OtherCeremony);
        }
        let mut machine =
            Self::new(Context::new(request), me, identity, seed, timing, then).ok_or(RestoreError::NotInCommittee)?;
        machine.begin(then, inherited.as_ref());
        let mut on_disk = None;
        for (position, record) in records {
            match record {
                Record::Started { .. } => return Err(RestoreError::Unreadable { position }),
                Record::Received { now, from, bytes } => {
                    let message = encoding::decode::<Message>(&bytes, bytes.len())
                        .map_err(|_| RestoreError::Unreadable { position })?;
                    // The message was judged when it came; only its effect is wanted.
                    let (Verdict::Valid | Verdict::Skip(_) | Verdict::Fault(_)) =
                        machine.on_message(now, from, message);
                }
                Record::Deadline { now } => machine.on_deadline(now),
                Record::Shares(shares) => on_disk = Some((shares.qualified, shares.validators)),
            }
        }
        machine.resume(now, on_disk.as_ref());
        Ok(machine)
    }

    /// DKG 9.5: after a restart, results are reported again and peers get this operator's messages once more.
    fn resume(&mut self, now: Time, on_disk: Option<&(Qualified, Vec<bls::PublicKey>)>) {
        self.outputs.clear();
        self.answered.clear();
        // DKG 5.2: the journal may end between what led to the shares and the shares. The receipt must not leave first.
        let keys = self.keys.as_ref().filter(|_| self.stored.is_some());
        if keys.is_some_and(|keys| on_disk.is_none_or(|held| held.0 != keys.qualified || held.1 != keys.group)) {
            self.outputs.push_back(Output::Persist(Record::Shares(self.stored_shares())));
        }
        if now > self.ends && self.certificate.is_none() {
            self.passive = true;
            self.halted = false;
            self.ends = now.plus_ms(self.timing.ceremony_ms);
        }
        let resend: Vec<Arc<Signed>> = self.mine.clone();
        for signed in resend {
            self.send(Recipient::All, Message::Deliver(signed));
        }
        for revealed in self.upheld.values_mut() {
            *revealed = false;
        }
        self.reveal_shares();
        if self.certificate.is_some() {
            self.report_done();
        }
        self.retry.interval_ms = self.timing.retry_ms;
        self.ask(now);
    }
}
