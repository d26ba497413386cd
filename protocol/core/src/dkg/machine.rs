//! The ceremony of one operator: its state, and what it does when its state changes.
//!
//! Messages and deadlines only change the state (`receive.rs`); [`Machine::advance`] then takes every step that has
//! become possible, one function for each step of the specification.

use std::{
    collections::{btree_map::Entry, BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use cluster_crypto::{identity, polynomial::SecretVector, Secret, SecretSeed, ShareIndex};

use super::{
    agreement::{Agreement, Decision},
    context::Context,
    dealing::{Dealer, Held},
    evidence::{Culprit, CulpritKind},
    keys::{Keys, Rebuilt, Summed},
    message::{Accusation, Body, DealingRef, Message, Signed},
    output::{AbortReport, Output, Record, Timing},
    signing::Signing,
    Step,
};
use crate::{
    certificate::{Certificate, Transcript},
    committee::OperatorId,
    machine::{Recipient, Time},
    request::CheckedRequest,
    verdict::Verdict,
};

/// Messages that are missing, and when to ask for them again.
pub(super) struct Retry {
    pub(super) next: Time,
    pub(super) interval_ms: u64,
    pub(super) attempts: u32,
}

/// One operator's part in one ceremony.
pub struct Machine {
    pub(super) context: Context,
    pub(super) me: OperatorId,
    pub(super) index: ShareIndex,
    pub(super) identity: identity::SecretKey,
    pub(super) seed: SecretSeed,
    pub(super) timing: Timing,
    pub(super) step: Step,
    /// Joined when the request had expired: does not deal or vote, only takes what others decided.
    pub(super) passive: bool,
    /// Gave up; only what others decided can still complete the ceremony.
    pub(super) halted: bool,
    pub(super) ends: Time,
    step_started: Time,
    overdue: bool,
    pub(super) retry: Retry,
    pub(super) answered: BTreeMap<OperatorId, Time>,
    dealer: Option<Dealer>,
    /// This operator's own messages, for those who missed them.
    pub(super) mine: Vec<Arc<Signed>>,
    pub(super) commits: BTreeMap<OperatorId, Arc<Signed>>,
    /// The commits that other operators say they hold.
    pub(super) reports: BTreeMap<OperatorId, u16>,
    pub(super) dealings: BTreeMap<OperatorId, Held>,
    /// Dealings that others hold and this operator does not.
    pub(super) refs: BTreeMap<OperatorId, DealingRef>,
    /// Dealings that arrived and break a rule: with another one that somebody else holds they prove that their dealer dealt twice.
    pub(super) invalid: BTreeMap<OperatorId, DealingRef>,
    pub(super) echoes: BTreeMap<OperatorId, Arc<Signed>>,
    pub(super) agreement: Agreement,
    pub(super) voted: Option<u32>,
    /// What this operator has against dealers.
    pub(super) accusations: BTreeMap<OperatorId, Accusation>,
    /// Complaints about dealings that have not arrived: accuser and dealer to verdict.
    pub(super) pending: BTreeMap<(OperatorId, OperatorId), Arc<Signed>>,
    /// Dealers whose dealings do not count, as everyone will agree.
    pub(super) guilty: BTreeSet<OperatorId>,
    pub(super) culprits: BTreeMap<(OperatorId, CulpritKind), Culprit>,
    /// Whether the message at hand changed anything, and so belongs in the journal.
    pub(super) changed: bool,
    pub(super) summed: Option<Summed>,
    pub(super) rebuilt: Rebuilt,
    pub(super) reveals: BTreeMap<[u8; 32], BTreeMap<OperatorId, SecretVector>>,
    /// Complaints that were upheld: dealer and accuser, with whether this operator revealed its share.
    pub(super) upheld: BTreeMap<(OperatorId, OperatorId), bool>,
    pub(super) keys: Option<Keys>,
    pub(super) decision: Option<Decision>,
    pub(super) stored: Option<(u32, [u8; 32])>,
    pub(super) signing: Signing,
    pub(super) certifies: BTreeMap<OperatorId, Arc<Signed>>,
    pub(super) transcript: Option<(Transcript, [u8; 32])>,
    pub(super) certificate: Option<Certificate>,
    pub(super) outputs: VecDeque<Output>,
}

impl Machine {
    /// DKG 0.4: begins a ceremony. `seed` is 32 fresh random bytes; all randomness of this operator follows from it.
    ///
    /// Returns `None` when `me` is not in the committee. The first outputs are there at once: the journal's first
    /// record, then the commit.
    #[must_use]
    pub fn start(
        request: CheckedRequest,
        me: OperatorId,
        identity: identity::SecretKey,
        seed: SecretSeed,
        timing: Timing,
        now: Time,
    ) -> Option<Self> {
        Self::start_with(request, me, identity, seed, None, timing, now)
    }

    /// DKG 11.2: begins a ceremony; in a reshare with `inherited`, this operator's K shares of the previous ceremony, which it
    /// deals. A dealer that has lost them, and an operator that is new, has none and only receives.
    #[must_use]
    pub fn start_with(
        request: CheckedRequest,
        me: OperatorId,
        identity: identity::SecretKey,
        seed: SecretSeed,
        inherited: Option<SecretVector>,
        timing: Timing,
        now: Time,
    ) -> Option<Self> {
        let mut machine = Self::new(Context::new(request), me, identity, seed, timing, now)?;
        let seed = Secret::new(machine.seed.expose(|seed| *seed));
        let request = machine.context.request().signed().clone();
        machine.begin(now, inherited.as_ref());
        // What was just begun goes out after the record that it follows from.
        machine.outputs.push_front(Output::Persist(Record::Started { request, now, seed, inherited }));
        Some(machine)
    }

    pub(super) fn new(
        context: Context,
        me: OperatorId,
        identity: identity::SecretKey,
        seed: SecretSeed,
        timing: Timing,
        now: Time,
    ) -> Option<Self> {
        let index = context.index_of(me)?;
        // DKG 0.6
        let passive = now.seconds() > context.request().request().deadline;
        Some(Self {
            index,
            me,
            identity,
            seed,
            timing,
            step: Step::Commit,
            passive,
            halted: false,
            ends: now.plus_ms(timing.ceremony_ms),
            step_started: now,
            overdue: false,
            retry: Retry { next: now.plus_ms(timing.retry_ms), interval_ms: timing.retry_ms, attempts: 0 },
            answered: BTreeMap::new(),
            dealer: None,
            mine: Vec::new(),
            commits: BTreeMap::new(),
            reports: BTreeMap::new(),
            dealings: BTreeMap::new(),
            refs: BTreeMap::new(),
            invalid: BTreeMap::new(),
            echoes: BTreeMap::new(),
            agreement: Agreement::default(),
            voted: None,
            accusations: BTreeMap::new(),
            pending: BTreeMap::new(),
            guilty: BTreeSet::new(),
            culprits: BTreeMap::new(),
            changed: false,
            summed: None,
            rebuilt: Rebuilt::new(),
            reveals: BTreeMap::new(),
            upheld: BTreeMap::new(),
            keys: None,
            decision: None,
            stored: None,
            signing: Signing::default(),
            certifies: BTreeMap::new(),
            transcript: None,
            certificate: None,
            outputs: VecDeque::new(),
            context,
        })
    }

    // DKG 1.1 to 1.3, and 11.2
    pub(super) fn begin(&mut self, now: Time, inherited: Option<&SecretVector>) {
        if self.passive {
            self.ask(now);
            return;
        }
        let inherited = inherited.filter(|shares| shares.len() == self.context.k());
        if self.context.reshare().is_some() && (inherited.is_none() || !self.context.is_dealer(self.me)) {
            self.advance(now);
            return;
        }
        let dealer = Dealer::new(&self.context, self.me, &self.seed, inherited);
        let commit = dealer.commit(&self.context);
        self.dealer = Some(dealer);
        let signed = self.sign(Body::Commit(commit));
        self.commits.insert(self.me, Arc::clone(&signed));
        self.broadcast(signed);
        self.advance(now);
    }

    /// The step that the ceremony is in.
    #[must_use]
    pub fn step(&self) -> Step {
        if self.halted {
            Step::Aborted
        } else {
            self.step
        }
    }

    /// The fixed facts of the ceremony.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Who misbehaved so far.
    #[must_use]
    pub fn culprits(&self) -> Vec<Culprit> {
        self.culprits.values().cloned().collect()
    }

    /// The next effect to perform.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Machine::on_deadline`].
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        if self.halted || self.step == Step::Done {
            return None;
        }
        let step = (!self.overdue && self.may_be_overdue()).then(|| self.step_deadline());
        Some([Some(self.ends), Some(self.retry.next), step].into_iter().flatten().min().unwrap_or(self.ends))
    }

    /// DKG 7.5: an operator that comes after everybody else decides nothing, so that no step of it can be late; but its
    /// certificate must not wait for ever for others that are away.
    fn may_be_overdue(&self) -> bool {
        !self.passive || self.step == Step::Certify
    }

    fn step_deadline(&self) -> Time {
        // Later views get more time, so that votes overlap even when clocks and links are slow.
        let factor = match self.step {
            Step::Verdicts | Step::Store => 1 << self.agreement.view.min(3),
            _ => 1,
        };
        self.step_started.plus_ms(self.timing.step_ms.saturating_mul(factor))
    }

    /// DKG 10.2 and 10.3: goes on without those who are late, asks for what is missing, or gives up.
    pub fn on_deadline(&mut self, now: Time) {
        if self.halted || self.step == Step::Done {
            return;
        }
        if now >= self.ends {
            self.outputs.push_back(Output::Persist(Record::Deadline { now }));
            self.abort("the ceremony did not end in time");
            return;
        }
        if !self.overdue && self.may_be_overdue() && now >= self.step_deadline() {
            self.outputs.push_back(Output::Persist(Record::Deadline { now }));
            self.overdue = true;
            self.advance(now);
            self.retry.next = now;
        }
        if now >= self.retry.next {
            self.ask(now);
        }
    }

    /// Takes every step that has become possible.
    pub(super) fn advance(&mut self, now: Time) {
        loop {
            self.follow_decision();
            let moved = match self.step {
                Step::Commit => self.deal(now),
                Step::Deal => self.echo(now),
                Step::Echo => self.close_echo(now),
                Step::Verdicts => self.vote() || self.lock(now),
                Step::Store => self.store(now),
                Step::Sign => self.combine(now),
                Step::Certify | Step::Done => self.finish(),
                Step::Aborted => false,
            };
            if !moved {
                break;
            }
        }
        self.reveal_shares();
    }

    pub(super) fn enter(&mut self, now: Time, step: Step) {
        self.step = step;
        self.step_started = now;
        self.overdue = false;
        self.retry.interval_ms = self.timing.retry_ms;
        self.retry.next = now.plus_ms(self.timing.retry_ms);
    }

    pub(super) fn idle(&self) -> bool {
        self.halted || self.passive
    }

    /// DKG 1.4: reveal when all have committed; or, when time is up, as soon as a quorum holds the same commits.
    ///
    /// What an operator holds only grows, and two quorums share an honest operator, so the lists in honest dealings
    /// contain each other: however messages were lost, the smallest of them is a set of dealers that all support.
    fn deal(&mut self, now: Time) -> bool {
        let mine = self.commits.keys().fold(0, |mask, operator| mask | self.context.bit(*operator));
        let agreeing = 1 + self.reports.values().filter(|mask| **mask == mine).count();
        let enough = self.context.enough_dealings();
        let ready = self.commits.len() == self.context.dealers()
            || (self.overdue && self.commits.len() >= enough && agreeing >= self.context.t());
        if !ready || self.idle() {
            return false;
        }
        let Some(dealer) = &self.dealer else {
            // DKG 11.2: receives and does not deal.
            self.enter(now, Step::Deal);
            return true;
        };
        let seen = self
            .context
            .committee()
            .ids()
            .map(|operator| match self.commits.get(&operator).map(|signed| &signed.body) {
                Some(Body::Commit(commit)) => Some(*commit),
                _ => None,
            })
            .collect();
        let commitments = dealer.commitments();
        let dealing = dealer.deal(&self.context, &self.seed, seen);
        let signed = self.sign(Body::Deal(Arc::new(dealing)));
        if let Some(held) = Held::open(&self.context, self.me, &self.identity, Arc::clone(&signed), commitments) {
            self.dealings.insert(self.me, held);
        }
        self.broadcast(signed);
        self.enter(now, Step::Deal);
        true
    }

    // DKG 3.1: tell everyone which dealings arrived.
    fn echo(&mut self, now: Time) -> bool {
        let complete =
            self.commits.keys().all(|dealer| self.dealings.contains_key(dealer) || self.guilty.contains(dealer));
        if self.idle() || !(complete || self.overdue) || self.dealings.len() < self.context.enough_dealings() {
            return self.abort_when_hopeless();
        }
        let refs = self
            .dealings
            .iter()
            .map(|(dealer, held)| DealingRef { dealer: *dealer, digest: held.digest, signature: held.signed.signature })
            .collect();
        let signed = self.sign(Body::Echo(refs));
        self.echoes.insert(self.me, Arc::clone(&signed));
        self.broadcast(signed);
        self.enter(now, Step::Echo);
        true
    }

    fn close_echo(&mut self, now: Time) -> bool {
        // DKG 11.2: those who only receive are waited for like those who dealt.
        let expected =
            |operator: &OperatorId| self.dealings.contains_key(operator) || !self.context.is_dealer(*operator);
        let complete =
            self.context.committee().ids().filter(expected).all(|operator| self.echoes.contains_key(&operator))
                && self.refs.keys().all(|dealer| self.dealings.contains_key(dealer) || self.guilty.contains(dealer));
        if self.idle() || !(complete || self.overdue) || self.echoes.len() < self.context.t() {
            return self.abort_when_hopeless();
        }
        self.enter(now, Step::Verdicts);
        true
    }

    pub(super) fn name(&mut self, culprit: Culprit) {
        if let Entry::Vacant(place) = self.culprits.entry((culprit.operator_id, culprit.kind)) {
            place.insert(culprit);
            self.changed = true;
        }
    }

    pub(super) fn sign(&mut self, body: Body) -> Arc<Signed> {
        Arc::new(Signed::new(&self.context, self.me, &self.identity, body))
    }

    pub(super) fn broadcast(&mut self, signed: Arc<Signed>) {
        self.mine.push(Arc::clone(&signed));
        self.send(Recipient::All, Message::Deliver(signed));
    }

    pub(super) fn send(&mut self, to: Recipient, message: Message) {
        self.outputs.push_back(Output::Send { to, message: Arc::new(message) });
    }

    /// DKG 10.4: when so many dealers are proven guilty that the rest cannot make keys, waiting is of no use.
    pub(super) fn abort_when_hopeless(&mut self) -> bool {
        if !self.idle() && self.guilty.len() > self.context.dealers() - self.context.enough_dealings() {
            self.abort("too many dealers are proven guilty");
        }
        false
    }

    pub(super) fn abort(&mut self, reason: &str) {
        if self.halted {
            return;
        }
        let step = self.step;
        self.halted = true;
        for operator in self.missing(step) {
            self.name(Culprit { operator_id: operator, kind: CulpritKind::Silent, evidence: None });
        }
        self.outputs.push_back(Output::Abort(AbortReport {
            ceremony_id: self.context.ceremony_id(),
            step,
            culprits: self.culprits(),
            reason: reason.to_owned(),
        }));
    }

    /// The operators whose message of `step` did not arrive.
    pub(super) fn missing(&self, step: Step) -> Vec<OperatorId> {
        let voters: BTreeSet<OperatorId> = self.agreement.voters(self.agreement.view).collect();
        let receipts: BTreeSet<OperatorId> = self.agreement.receipt_holders().collect();
        self.context
            .committee()
            .ids()
            .filter(|operator| *operator != self.me && !self.guilty.contains(operator))
            .filter(|operator| match step {
                Step::Commit => self.context.is_dealer(*operator) && !self.commits.contains_key(operator),
                Step::Deal => self.context.is_dealer(*operator) && !self.dealings.contains_key(operator),
                Step::Echo => !self.echoes.contains_key(operator),
                Step::Verdicts => !voters.contains(operator),
                Step::Store => !receipts.contains(operator),
                Step::Sign => !self.signing.partials.contains_key(operator),
                Step::Certify | Step::Done => self
                    .certificate
                    .as_ref()
                    .is_none_or(|certificate| !certificate.attestations.iter().any(|a| a.operator_id == *operator)),
                Step::Aborted => false,
            })
            .collect()
    }

    /// Whether the step has waited long enough for those who are late.
    pub(super) fn is_overdue(&self) -> bool {
        self.overdue
    }
}

impl crate::machine::Machine for Machine {
    type Message = Message;
    type Output = Output;

    fn on_message(&mut self, now: Time, from: OperatorId, message: Message) -> Verdict {
        Self::on_message(self, now, from, message)
    }

    fn on_deadline(&mut self, now: Time) {
        Self::on_deadline(self, now);
    }

    fn poll(&mut self) -> Option<Output> {
        Self::poll(self)
    }

    fn deadline(&self) -> Option<Time> {
        Self::deadline(self)
    }
}
