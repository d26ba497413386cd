//! One machine of a committee of four, and the messages of the other three.

use std::sync::Arc;

use cluster_core::{
    beacon::Slot,
    committee::{Committee, OperatorId},
    consensus::{
        digest, leader, Certificate, Claim, Config, Digest, Justification, Machine, Message, Output, Prepared,
        Proposal, Record, Statement, Vote,
    },
    duty::{CommitteeId, InstanceId, InstanceKind},
    machine::{Machine as _, Recipient, Time},
    verdict::{FaultReason, SkipReason, Verdict},
};
use cluster_crypto::identity;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

pub const START: Time = Time(1_790_000_000_000);
pub const ROUND_MS: u64 = 1_000;

/// Operators by position, from 0. In round r of the instance, operator r - 1 leads (modulo 4).
pub const OPERATORS: [OperatorId; 4] = [OperatorId(10), OperatorId(17), OperatorId(24), OperatorId(31)];

pub struct Bench {
    pub committee: Arc<Committee>,
    pub keys: Vec<identity::SecretKey>,
    pub config: Config,
    pub machine: Machine,
    pub me: usize,
    pub now: Time,
    pub journal: Vec<Record>,
}

/// The bytes behind a letter.
pub fn value(name: char) -> Arc<[u8]> {
    Arc::from(format!("value {name}").into_bytes())
}

pub fn digest_of(name: char) -> Digest {
    digest(&value(name))
}

impl Bench {
    /// The machine of the operator at position `me`.
    pub fn new(me: usize) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let keys: Vec<_> = OPERATORS.iter().map(|_| identity::SecretKey::generate(&mut rng)).collect();
        let members = OPERATORS.iter().zip(&keys).map(|(id, key)| (*id, key.public_key())).collect();
        let committee = Arc::new(Committee::new(members).unwrap());
        let instance =
            InstanceId { committee: CommitteeId::new(1, &committee), slot: Slot(8), kind: InstanceKind::Attestation };
        assert_eq!(leader(&committee, &instance, 1), OPERATORS[0]);
        let config = Config { instance, start: START, round_ms: ROUND_MS };
        let machine = Machine::start(config, Arc::clone(&committee), OPERATORS[me], keys[me].clone());
        Self { committee, keys, config, machine, me, now: START, journal: Vec::new() }
    }

    pub fn vote(&self, from: usize, round: u32, statement: Statement) -> Vote {
        Vote::sign(&self.config.instance, &self.keys[from], OPERATORS[from], round, statement)
    }

    pub fn propose(&self, from: usize, round: u32, name: char, justification: Justification) -> Message {
        let vote = self.vote(from, round, Statement::Propose(digest_of(name)));
        Message::Propose(Proposal { vote, justification, value: Some(value(name)) })
    }

    pub fn prepare(&self, from: usize, round: u32, name: char) -> Message {
        Message::Vote(self.vote(from, round, Statement::Prepare(digest_of(name))))
    }

    pub fn commit(&self, from: usize, round: u32, name: char) -> Message {
        Message::Vote(self.vote(from, round, Statement::Commit(digest_of(name))))
    }

    pub fn change_vote(&self, from: usize, round: u32, prepared: Option<&Prepared>) -> Vote {
        let claim = prepared.map(|prepared| Claim { round: prepared.round, digest: prepared.digest });
        self.vote(from, round, Statement::RoundChange(claim))
    }

    pub fn change(&self, from: usize, round: u32, prepared: Option<Prepared>) -> Message {
        let vote = self.change_vote(from, round, prepared.as_ref());
        Message::RoundChange { vote, certificate: prepared.map(Arc::new) }
    }

    pub fn prepared(&self, round: u32, name: char, by: &[usize]) -> Prepared {
        let sign = |at: &usize| (OPERATORS[*at], self.vote(*at, round, Statement::Prepare(digest_of(name))).signature);
        Prepared { round, digest: digest_of(name), prepares: by.iter().map(sign).collect() }
    }

    pub fn certificate(&self, round: u32, name: char, by: &[usize]) -> Certificate {
        let sign = |at: &usize| (OPERATORS[*at], self.vote(*at, round, Statement::Commit(digest_of(name))).signature);
        Certificate { round, digest: digest_of(name), commits: by.iter().map(sign).collect() }
    }

    /// Round changes of `by` to `round`, all claiming `prepared`.
    pub fn justification(&self, round: u32, prepared: Option<Prepared>, by: &[usize]) -> Justification {
        let round_changes = by.iter().map(|at| self.change_vote(*at, round, prepared.as_ref())).collect();
        Justification { round_changes, prepared: prepared.map(Arc::new) }
    }

    /// Gives the machine a message; the answer is the verdict in words, followed by the effects.
    pub fn receive(&mut self, from: usize, message: Message) -> Vec<String> {
        let verdict = self.verdict(OPERATORS[from], message);
        let mut said = vec![describe_verdict(&verdict)];
        said.extend(self.effects());
        said
    }

    pub fn verdict(&mut self, from: OperatorId, message: Message) -> Verdict {
        self.machine.on_message(self.now, from, message)
    }

    /// Time passes, until `ms` after the start; the machine hears of it.
    pub fn at(&mut self, ms: u64) -> Vec<String> {
        self.now = START.plus_ms(ms);
        self.machine.on_deadline(self.now);
        self.effects()
    }

    pub fn input(&mut self, name: char) -> Vec<String> {
        self.machine.on_value(self.now, value(name));
        self.effects()
    }

    pub fn judged(&mut self, name: char, valid: bool) -> Vec<String> {
        self.machine.on_judgement(self.now, digest_of(name), valid);
        self.effects()
    }

    /// The operator is killed after what it has done so far, and started again from its journal.
    pub fn restart(&mut self) -> Vec<String> {
        let (committee, key) = (Arc::clone(&self.committee), self.keys[self.me].clone());
        self.machine = Machine::restore(self.config, committee, OPERATORS[self.me], key, self.journal.clone());
        self.machine.on_deadline(self.now);
        self.effects()
    }

    pub fn effects(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.machine.poll())
            .map(|output| {
                if let Output::Persist(record) = &output {
                    self.journal.push(record.clone());
                }
                describe(&output)
            })
            .collect()
    }
}

pub fn describe(output: &Output) -> String {
    match output {
        Output::Persist(Record::Vote(vote)) => format!("journal {}", describe_vote(vote)),
        Output::Persist(Record::Prepared(prepared)) => {
            format!("journal prepared {} {}", prepared.round, name(&prepared.digest))
        }
        Output::Persist(Record::Value(value)) => format!("journal value {}", name(&digest(value))),
        Output::Persist(Record::Decided(certificate)) => format!("journal decided {}", name(&certificate.digest)),
        Output::Judge { digest, .. } => format!("judge {}", name(digest)),
        Output::Decided(decision) => format!("decided {} in round {}", name(&decision.digest), decision.round),
        Output::Send { to, message } => {
            let to = match to {
                Recipient::All => "all".to_owned(),
                Recipient::One(id) => OPERATORS.iter().position(|other| other == id).unwrap().to_string(),
            };
            format!("to {to}: {}", describe_message(message))
        }
    }
}

fn describe_message(message: &Message) -> String {
    match message {
        Message::Propose(Proposal { vote, justification, value }) => {
            let value = if value.is_some() { " with value" } else { "" };
            let changes = justification.round_changes.len();
            let changes = if changes > 0 { format!(" by {changes}") } else { String::new() };
            let prepared = justification.prepared.as_ref().map(|prepared| format!(" prepared {}", prepared.round));
            format!("{}{changes}{}{value}", describe_vote(vote), prepared.unwrap_or_default())
        }
        Message::Vote(vote) | Message::RoundChange { vote, .. } => describe_vote(vote),
        Message::Decided(certificate) => format!("decided {}", name(&certificate.digest)),
        Message::Want(digest) => format!("want {}", name(digest)),
        Message::Value { digest, .. } => format!("value {}", name(digest)),
        Message::Query => "query".to_owned(),
    }
}

fn describe_vote(vote: &Vote) -> String {
    let Vote { round, statement, .. } = vote;
    match statement {
        Statement::Propose(digest) => format!("propose {round} {}", name(digest)),
        Statement::Prepare(digest) => format!("prepare {round} {}", name(digest)),
        Statement::Commit(digest) => format!("commit {round} {}", name(digest)),
        Statement::RoundChange(None) => format!("change {round}"),
        Statement::RoundChange(Some(claim)) => format!("change {round} claims {} {}", claim.round, name(&claim.digest)),
    }
}

fn name(digest: &Digest) -> String {
    ('A'..='F').find(|name| digest_of(*name) == *digest).map_or("?".to_owned(), String::from)
}

pub fn describe_verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Valid => "valid".to_owned(),
        Verdict::Skip(SkipReason::Duplicate) => "duplicate".to_owned(),
        Verdict::Skip(SkipReason::TooLate) => "too late".to_owned(),
        Verdict::Skip(SkipReason::TooOften) => "too often".to_owned(),
        Verdict::Skip(SkipReason::Unknown) => "unknown".to_owned(),
        Verdict::Fault(reason) => format!("fault {reason:?}"),
    }
}

pub fn fault(reason: FaultReason) -> Verdict {
    Verdict::Fault(reason)
}
