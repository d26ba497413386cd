//! What a misbehaving operator makes of the messages of an honest machine. For simulations only.

use std::{collections::BTreeMap, sync::Arc};

use cluster_crypto::identity;
use rand_core::RngCore;

use super::{digest, Certificate, Claim, Digest, Justification, Message, Prepared, Proposal, Statement, Vote};
use crate::{
    committee::{Committee, OperatorId},
    duty::InstanceId,
    machine::Recipient,
};

/// How an operator misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Says nothing.
    Silent,
    /// Runs two honest machines with one key and different inputs, each for some of the others.
    Twins,
    /// Signs two different statements for every place, and sends each to some of the others.
    Equivocate,
    /// Proposes without the value, and never gives a value.
    Withhold,
    /// Hides prepare quorums, invents some, forges certificates and justifications.
    Lie,
    /// Prepares with the others, but never takes note of a decision, and proposes something new whenever it leads.
    Override,
    /// Sends a lot of everything.
    Flood,
    /// Any of the others, changing with every message.
    Everything,
}

impl Behaviour {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Silent,
        Self::Twins,
        Self::Equivocate,
        Self::Withhold,
        Self::Lie,
        Self::Override,
        Self::Flood,
        Self::Everything,
    ];
}

/// Messages that the adversary keeps to send them again.
const OVERHEARD: usize = 64;

/// A misbehaving operator: all that an honest one knows, and its key.
pub(crate) struct Adversary {
    behaviour: Behaviour,
    instance: InstanceId,
    committee: Arc<Committee>,
    me: OperatorId,
    key: identity::SecretKey,
    overheard: Vec<Message>,
    /// What it proposed of its own, by round.
    overrides: BTreeMap<u32, Digest>,
}

type Emissions = Vec<(Recipient, Message)>;

impl Adversary {
    pub(crate) fn new(
        behaviour: Behaviour,
        instance: InstanceId,
        committee: Arc<Committee>,
        me: OperatorId,
        key: identity::SecretKey,
    ) -> Self {
        Self { behaviour, instance, committee, me, key, overheard: Vec::new(), overrides: BTreeMap::new() }
    }

    pub(super) fn is_twins(&self) -> bool {
        self.behaviour == Behaviour::Twins
    }

    /// A message that reached the operator.
    pub(crate) fn overhear(&mut self, message: &Message, rng: &mut impl RngCore) {
        if self.overheard.len() < OVERHEARD {
            self.overheard.push(message.clone());
        } else {
            let at = below(rng, OVERHEARD as u64) as usize;
            self.overheard[at] = message.clone();
        }
    }

    /// What is sent instead of an honest message.
    pub(crate) fn tamper(&mut self, to: Recipient, message: &Message, rng: &mut impl RngCore) -> Emissions {
        let behaviour = match self.behaviour {
            Behaviour::Everything => Behaviour::ALL[below(rng, 7) as usize],
            behaviour => behaviour,
        };
        match behaviour {
            Behaviour::Silent => Vec::new(),
            Behaviour::Twins | Behaviour::Everything => vec![(to, message.clone())],
            Behaviour::Equivocate => self.equivocate(to, message, rng),
            Behaviour::Withhold => withhold(to, message),
            Behaviour::Lie => self.lie(to, message, rng),
            Behaviour::Override => self.override_all(to, message),
            Behaviour::Flood => self.flood(to, message, rng),
        }
    }

    fn sign(&self, round: u32, statement: Statement) -> Vote {
        Vote::sign(&self.instance, &self.key, self.me, round, statement)
    }

    /// Some get the honest message, the others one that contradicts it; a few get both.
    fn equivocate(&self, to: Recipient, message: &Message, rng: &mut impl RngCore) -> Emissions {
        let other = match message {
            Message::Propose(proposal) => {
                let value: Arc<[u8]> = Arc::from([&[1 + (rng.next_u32() % 3) as u8][..], b"another"].concat());
                let vote = self.sign(proposal.vote.round, Statement::Propose(digest(&value)));
                let justification = proposal.justification.clone();
                Message::Propose(Proposal { vote, justification, value: Some(value) })
            }
            Message::Vote(vote) => {
                let digest = self.some_digest(rng);
                let statement = match vote.statement {
                    Statement::Commit(_) => Statement::Commit(digest),
                    _ => Statement::Prepare(digest),
                };
                Message::Vote(self.sign(vote.round, statement))
            }
            Message::RoundChange { vote, .. } => {
                Message::RoundChange { vote: self.sign(vote.round, Statement::RoundChange(None)), certificate: None }
            }
            other => return vec![(to, other.clone())],
        };
        let mut emissions = Vec::new();
        for receiver in self.receivers(to) {
            let choice = below(rng, 5);
            if choice < 3 {
                emissions.push((Recipient::One(receiver), message.clone()));
            }
            if choice > 1 {
                emissions.push((Recipient::One(receiver), other.clone()));
            }
        }
        emissions
    }

    fn lie(&self, to: Recipient, message: &Message, rng: &mut impl RngCore) -> Emissions {
        let lie = match message {
            // Forgets what was prepared, or claims what was not.
            Message::RoundChange { vote, certificate } => match below(rng, 3) {
                0 => Message::RoundChange {
                    vote: self.sign(vote.round, Statement::RoundChange(None)),
                    certificate: None,
                },
                1 => {
                    let prepared = self.forged(vote.round.saturating_sub(1), rng);
                    let claim = prepared.claim();
                    let vote = self.sign(vote.round, Statement::RoundChange(Some(claim)));
                    Message::RoundChange { vote, certificate: Some(Arc::new(prepared)) }
                }
                _ => Message::RoundChange { vote: *vote, certificate: certificate.clone() },
            },
            Message::Propose(proposal) => self.unjustified(proposal, rng),
            // Commits to what it likes.
            Message::Vote(vote) => {
                let digest = self.some_digest(rng);
                Message::Vote(self.sign(vote.round, Statement::Commit(digest)))
            }
            Message::Decided(_) => {
                let Prepared { round, digest, prepares: commits } = self.forged(1, rng);
                Message::Decided(Arc::new(Certificate { round, digest, commits }))
            }
            Message::Value { digest, .. } => Message::Value { digest: *digest, value: Arc::from(&b"\x01wrong"[..]) },
            other => other.clone(),
        };
        vec![(to, lie)]
    }

    /// Proposes freely, something valid or not, although something else was prepared: with a justification that is empty,
    /// replayed, padded, right but for another value, or with a claim of its own making.
    fn unjustified(&self, proposal: &Proposal, rng: &mut impl RngCore) -> Message {
        let value: Arc<[u8]> = Arc::from(if below(rng, 2) == 0 { &b"\x01forged"[..] } else { &b"\x00forged"[..] });
        let (round, digest) = (proposal.vote.round, digest(&value));
        let mut justification = match below(rng, 5) {
            0 => Justification::default(),
            1 => self.replayed_justification().unwrap_or_default(),
            _ => proposal.justification.clone(),
        };
        match (below(rng, 3), justification.round_changes.first().copied()) {
            (0, Some(first)) => justification.round_changes = vec![first; self.committee.threshold().t()],
            (1, Some(_)) => {
                let claim = Claim { round: round.saturating_sub(1), digest };
                justification.round_changes.retain(|vote| vote.from != self.me);
                justification.round_changes.push(self.sign(round, Statement::RoundChange(Some(claim))));
                let forged = self.forged(claim.round, rng);
                justification.prepared = (below(rng, 2) == 0).then(|| Arc::new(Prepared { digest, ..forged }));
            }
            _ => {}
        }
        let vote = self.sign(round, Statement::Propose(digest));
        Message::Propose(Proposal { vote, justification, value: Some(value) })
    }

    /// Whether the operator pretends not to have got a message.
    pub(super) fn ignores(&self, message: &Message) -> bool {
        let decides = match message {
            Message::Decided(_) => true,
            Message::Vote(vote) => matches!(vote.statement, Statement::Commit(_)),
            _ => false,
        };
        decides && self.behaviour == Behaviour::Override
    }

    /// In its rounds a new value with the right justification, and its own votes for that; elsewhere the honest message.
    fn override_all(&mut self, to: Recipient, message: &Message) -> Emissions {
        match message {
            Message::Propose(proposal) => {
                let round = proposal.vote.round;
                let value: Arc<[u8]> = Arc::from(format!("\u{1}override {round}").into_bytes());
                let digest = digest(&value);
                self.overrides.insert(round, digest);
                let vote = self.sign(round, Statement::Propose(digest));
                let justification = proposal.justification.clone();
                let proposal = Message::Propose(Proposal { vote, justification, value: Some(value) });
                let votes = [Statement::Prepare(digest), Statement::Commit(digest)];
                let votes = votes.map(|statement| (to, Message::Vote(self.sign(round, statement))));
                [(to, proposal)].into_iter().chain(votes).collect()
            }
            // A commit would let the others decide before its turn.
            Message::Vote(Vote { statement: Statement::Commit(_), .. }) => Vec::new(),
            Message::Vote(vote) if self.overrides.contains_key(&vote.round) => Vec::new(),
            other => vec![(to, other.clone())],
        }
    }

    /// Its own signature as often as a quorum needs, or with everyone's name.
    fn forged(&self, round: u32, rng: &mut impl RngCore) -> Prepared {
        let digest = self.some_digest(rng);
        let signature = self.sign(round, Statement::Prepare(digest)).signature;
        let everyone = below(rng, 2) == 0;
        let ids = self.committee.ids().take(self.committee.threshold().t());
        let prepares = ids.map(|id| (if everyone { id } else { self.me }, signature)).collect();
        Prepared { round: round.max(1), digest, prepares }
    }

    fn replayed_justification(&self) -> Option<Justification> {
        self.overheard.iter().find_map(|message| match message {
            Message::Propose(proposal) if !proposal.justification.round_changes.is_empty() => {
                Some(proposal.justification.clone())
            }
            _ => None,
        })
    }

    fn flood(&self, to: Recipient, message: &Message, rng: &mut impl RngCore) -> Emissions {
        let mut emissions = vec![(to, message.clone())];
        for _ in 0..20 {
            let round = 1 + rng.next_u32() % 70_000;
            let digest = self.some_digest(rng);
            let noise = match below(rng, 6) {
                0 => Message::Vote(self.sign(round, Statement::Prepare(digest))),
                1 => Message::Vote(self.sign(round, Statement::Commit(digest))),
                2 => Message::RoundChange { vote: self.sign(round, Statement::RoundChange(None)), certificate: None },
                3 => Message::Want(digest),
                4 => Message::Query,
                _ => match self.overheard.get(below(rng, OVERHEARD as u64) as usize) {
                    Some(message) => message.clone(),
                    None => Message::Query,
                },
            };
            emissions.push((to, noise));
        }
        emissions
    }

    /// A digest that others speak of, or a random one.
    fn some_digest(&self, rng: &mut impl RngCore) -> Digest {
        let mut random = [0; 32];
        rng.fill_bytes(&mut random);
        let heard = self.overheard.get(below(rng, OVERHEARD as u64) as usize);
        let known = heard.and_then(|message| match message {
            Message::Propose(Proposal { vote, .. }) | Message::Vote(vote) | Message::RoundChange { vote, .. } => {
                vote.statement.digest()
            }
            _ => None,
        });
        known.unwrap_or(random)
    }

    fn receivers(&self, to: Recipient) -> Vec<OperatorId> {
        match to {
            Recipient::All => self.committee.ids().filter(|id| *id != self.me).collect(),
            Recipient::One(id) => vec![id],
        }
    }
}

fn withhold(to: Recipient, message: &Message) -> Emissions {
    match message {
        Message::Propose(proposal) => {
            vec![(to, Message::Propose(Proposal { value: None, ..proposal.clone() }))]
        }
        Message::Value { .. } => Vec::new(),
        other => vec![(to, other.clone())],
    }
}

pub(super) fn below(rng: &mut impl RngCore, bound: u64) -> u64 {
    rng.next_u64() % bound.max(1)
}
