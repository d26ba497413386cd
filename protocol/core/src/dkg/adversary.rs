//! Operators that break the protocol on purpose, one behaviour each: for simulations, the demo's `--byzantine` and
//! tests. An adversary sits behind an honest machine and changes what leaves it.

use std::{fmt, str::FromStr, sync::Arc};

use cluster_crypto::{
    bls::HashedMessage, hash::TaggedHash, identity, polynomial::SecretVector, seal, threshold, Secret, SecretSeed,
};
use rand_core::{CryptoRng, RngCore};

use super::{
    context::Context,
    dealing::{position, Dealer},
    message::{vote_digest, Accusation, Ballot, Body, Dealing, Inventory, Message, Partials, Signed},
    signing::PARTIAL_BYTES,
};
use crate::{ceremony::CeremonyId, committee::OperatorId, machine::Recipient};

/// What an adversary does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Behaviour {
    /// Seals a share to one operator that does not match the commitments.
    WrongShare,
    /// Seals bytes to one operator that cannot be opened.
    UndecryptableShare,
    /// Commits to polynomials of a higher degree, which would raise the threshold.
    WrongDegree,
    /// Commits to the point at infinity.
    IdentityPoint,
    /// Deals one set of polynomials to some and another to others.
    EquivocatingCommitments,
    /// Complains about a share that is right.
    FalseComplaint,
    /// In a reshare, shares something else than its old shares. Not in [`Behaviour::ALL`]: other ceremonies have none.
    OtherShares,
    /// Uses a proof of knowledge made for another ceremony.
    ReplayedProof,
    /// Names another dealer's ephemeral key as its own.
    CopiedEphemeralKey,
    /// Commits only after it has seen what others dealt.
    LastMover,
    /// Sends partial signatures that are not by its share.
    BadPartialSignature,
    /// Votes for two sets of dealers in one view.
    DoubleVote,
    /// Sends nothing at all.
    Silent,
    /// Sends everything seconds late.
    Slow,
    /// Sends everything many times over, with questions and messages in other operators' names.
    Flood,
}

impl Behaviour {
    /// All behaviours that any ceremony has a place for.
    pub const ALL: [Self; 14] = [
        Self::WrongShare,
        Self::UndecryptableShare,
        Self::WrongDegree,
        Self::IdentityPoint,
        Self::EquivocatingCommitments,
        Self::FalseComplaint,
        Self::ReplayedProof,
        Self::CopiedEphemeralKey,
        Self::LastMover,
        Self::BadPartialSignature,
        Self::DoubleVote,
        Self::Silent,
        Self::Slow,
        Self::Flood,
    ];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::WrongShare => "wrong-share",
            Self::UndecryptableShare => "undecryptable-share",
            Self::WrongDegree => "wrong-degree",
            Self::IdentityPoint => "identity-point",
            Self::EquivocatingCommitments => "equivocating-commitments",
            Self::FalseComplaint => "false-complaint",
            Self::OtherShares => "other-shares",
            Self::ReplayedProof => "replayed-proof",
            Self::CopiedEphemeralKey => "copied-ephemeral-key",
            Self::LastMover => "last-mover",
            Self::BadPartialSignature => "bad-partial-signature",
            Self::DoubleVote => "double-vote",
            Self::Silent => "silent",
            Self::Slow => "slow",
            Self::Flood => "flood",
        }
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Behaviour {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|behaviour| behaviour.name() == name).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|behaviour| behaviour.name()).collect();
            format!("there is no behaviour `{name}`; choose one of {}", names.join(", "))
        })
    }
}

/// A message that an adversary really sends.
#[derive(Clone, Debug)]
pub struct Emission {
    /// To whom.
    pub to: Recipient,
    /// What.
    pub message: Arc<Message>,
    /// How long to hold it back, in milliseconds.
    pub delay_ms: u64,
}

/// How late a slow operator's messages leave.
const SLOW_MS: u64 = 3_000;
/// How often a flooding operator repeats every message.
const FLOOD_COPIES: usize = 20;

/// A misbehaving operator.
pub struct Adversary {
    behaviour: Behaviour,
    context: Context,
    me: OperatorId,
    identity: identity::SecretKey,
    seed: SecretSeed,
    dealer: Dealer,
    held_back: Vec<Emission>,
    /// Another dealer's dealing, once one was seen.
    overheard: Option<Arc<Dealing>>,
}

impl Adversary {
    /// An adversary for one ceremony. `seed` is what its own polynomials follow from.
    #[must_use]
    pub fn new(
        behaviour: Behaviour,
        context: Context,
        me: OperatorId,
        identity: identity::SecretKey,
        seed: SecretSeed,
    ) -> Self {
        let dealer = Dealer::new(&context, me, &seed, None);
        Self { behaviour, context, me, identity, seed, dealer, held_back: Vec::new(), overheard: None }
    }

    /// In a reshare: the adversary's shares of the previous ceremony, which its dealings share unless it lies about just that.
    #[must_use]
    pub fn with_inherited(self, inherited: &SecretVector) -> Self {
        let inherited = Some(inherited).filter(|_| self.behaviour != Behaviour::OtherShares);
        Self { dealer: Dealer::new(&self.context, self.me, &self.seed, inherited), ..self }
    }

    /// Lets the adversary read what it receives.
    pub fn overhear(&mut self, message: &Message) {
        if let Message::Deliver(signed) = message {
            if let Body::Deal(dealing) = &signed.body {
                self.overheard = Some(Arc::clone(dealing));
            }
        }
    }

    /// What leaves instead of `message`.
    pub fn tamper(
        &mut self,
        to: Recipient,
        message: Arc<Message>,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Vec<Emission> {
        let unchanged = Emission { to, message: Arc::clone(&message), delay_ms: 0 };
        match self.behaviour {
            Behaviour::Silent => return Vec::new(),
            Behaviour::Slow => return vec![Emission { delay_ms: SLOW_MS, ..unchanged }],
            Behaviour::Flood => return self.flood(unchanged),
            _ => {}
        }
        let Message::Deliver(signed) = &*message else { return vec![unchanged] };
        match &signed.body {
            Body::Commit(_) => self.commit(unchanged),
            Body::Deal(dealing) => self.deal(&unchanged, dealing),
            Body::Echo(refs) if self.deals_itself() => {
                // The machine's own dealing never left; echoing it would give the forgery away.
                let refs = refs.iter().filter(|reference| reference.dealer != self.me).cloned().collect();
                vec![self.signed(to, Body::Echo(refs))]
            }
            Body::Verdict(ballot) => self.verdict(unchanged, ballot),
            Body::Partials(partials) if self.behaviour == Behaviour::BadPartialSignature => {
                self.bad_partials(to, partials, rng).map_or_else(Vec::new, |emission| vec![emission])
            }
            _ => vec![unchanged],
        }
    }

    fn signed(&self, to: Recipient, body: Body) -> Emission {
        let signed = Signed::new(&self.context, self.me, &self.identity, body);
        Emission { to, message: Arc::new(Message::Deliver(Arc::new(signed))), delay_ms: 0 }
    }

    fn deals_itself(&self) -> bool {
        !matches!(self.behaviour, Behaviour::FalseComplaint | Behaviour::BadPartialSignature | Behaviour::DoubleVote)
    }

    fn commit(&mut self, unchanged: Emission) -> Vec<Emission> {
        if !self.deals_itself() {
            return vec![unchanged];
        }
        let commit = self.signed(unchanged.to, Body::Commit(self.dealer.commit(&self.context)));
        if self.behaviour == Behaviour::LastMover {
            self.held_back.push(commit);
            return Vec::new();
        }
        vec![commit]
    }

    fn deal(&mut self, unchanged: &Emission, dealing: &Dealing) -> Vec<Emission> {
        if !self.deals_itself() {
            return vec![unchanged.clone()];
        }
        let seen = dealing.commits_seen.clone();
        let mut forged = self.dealer.deal(&self.context, &self.seed, seen.clone());
        let others: Vec<OperatorId> = self.context.committee().ids().filter(|id| *id != self.me).collect();
        let Some(victim) = others.first().copied() else { return Vec::new() };
        let slot = self.context.index_of(victim).map_or(0, position);
        match self.behaviour {
            Behaviour::WrongShare => {
                // The victim gets the shares that belong to another index.
                let other = others.last().and_then(|id| self.context.index_of(*id));
                if let Some(sealed) = other.and_then(|index| self.dealer.seal(&self.context, victim, index)) {
                    replace(&mut forged, slot, sealed);
                }
            }
            Behaviour::UndecryptableShare => {
                let length = forged.sealed.get(slot).map_or(0, |sealed| sealed.len());
                replace(&mut forged, slot, vec![0x5a; length]);
            }
            Behaviour::WrongDegree => {
                let extra = forged.commitments.get(..96).map(<[u8]>::to_vec).unwrap_or_default();
                for _ in 0..self.context.k() {
                    forged.commitments.extend_from_slice(&extra);
                }
            }
            Behaviour::IdentityPoint => {
                if let Some(point) = forged.commitments.get_mut(..96) {
                    point.fill(0);
                    point[0] = 0x40;
                }
            }
            Behaviour::ReplayedProof => {
                let elsewhere = CeremonyId([0x5a; 32]);
                forged.proof = self.dealer.prove(self.context.chain_id(), &elsewhere, &self.seed);
            }
            Behaviour::CopiedEphemeralKey => {
                // Until it has heard a dealing to copy from, it waits; peers will ask for the missing one.
                let Some(overheard) = &self.overheard else { return Vec::new() };
                forged.ephemeral = overheard.ephemeral;
                forged.ephemeral_signature = overheard.ephemeral_signature;
            }
            Behaviour::EquivocatingCommitments => return self.equivocate(forged, seen, &others),
            _ => {}
        }
        if self.behaviour == Behaviour::LastMover && self.overheard.is_none() {
            return Vec::new();
        }
        let mut emissions = std::mem::take(&mut self.held_back);
        emissions.push(self.signed(unchanged.to, Body::Deal(Arc::new(forged))));
        emissions
    }

    fn equivocate(&self, first: Dealing, seen: Vec<Option<[u8; 32]>>, others: &[OperatorId]) -> Vec<Emission> {
        let seed =
            Secret::new(self.seed.expose(|seed| TaggedHash::new("cluster-node/adversary/second").bytes(seed).finish()));
        let second = Dealer::new(&self.context, self.me, &seed, None).deal(&self.context, &seed, seen);
        let (first, second) = (Arc::new(first), Arc::new(second));
        others
            .iter()
            .enumerate()
            .map(|(turn, receiver)| {
                let dealing = if turn % 2 == 0 { &first } else { &second };
                self.signed(Recipient::One(*receiver), Body::Deal(Arc::clone(dealing)))
            })
            .collect()
    }

    fn verdict(&self, unchanged: Emission, ballot: &Ballot) -> Vec<Emission> {
        match self.behaviour {
            Behaviour::FalseComplaint => {
                let Some(overheard) = &self.overheard else { return vec![unchanged] };
                let accused = ballot
                    .qualified
                    .iter()
                    .find(|(dealer, digest)| overheard.digest(&self.context, *dealer) == *digest);
                let Some((dealer, digest)) = accused.copied() else { return vec![unchanged] };
                let ceremony = self.context.ceremony_id();
                let bound = seal::DealContext { ceremony_id: &ceremony.0, dealer: dealer.0, receiver: self.me.0 };
                let mut rng = super::dealing::derived_rng(&self.seed, "false complaint", &[]);
                let reveal = seal::reveal(&self.identity, &overheard.ephemeral, bound, &mut rng);
                let mut forged = ballot.clone();
                forged.accusations.push(Accusation::BadShare { dealer, digest, reveal });
                vec![self.signed(unchanged.to, Body::Verdict(forged))]
            }
            Behaviour::DoubleVote => {
                let mut other = ballot.clone();
                if other.qualified.len() > self.context.t() {
                    other.qualified.pop();
                }
                other.lock = None;
                other.vote = self.identity.sign(&vote_digest(&self.context, self.me, other.view, &other.qualified));
                vec![self.signed(unchanged.to, Body::Verdict(other)), unchanged]
            }
            _ if self.deals_itself() => {
                // Its own machine takes the forgery for an equivocation; it would not say so.
                let mut silenced = ballot.clone();
                silenced.accusations.clear();
                vec![self.signed(unchanged.to, Body::Verdict(silenced))]
            }
            _ => vec![unchanged],
        }
    }

    fn bad_partials(
        &self,
        to: Recipient,
        partials: &Partials,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Option<Emission> {
        let mut unrelated = [0; 32];
        rng.fill_bytes(&mut unrelated);
        let key = cluster_crypto::bls::SecretKey::generate(rng);
        let shares = cluster_crypto::polynomial::SecretVector::from_secret_keys(&[key]);
        let messages = [HashedMessage::new(&unrelated)];
        let wrong = threshold::sign_partials(&shares, self.context.threshold(), &messages).ok()?;
        let mut signatures = partials.signatures.clone();
        signatures.get_mut(..PARTIAL_BYTES)?.copy_from_slice(&wrong.first()?.to_bytes());
        Some(self.signed(to, Body::Partials(Partials { keys_digest: partials.keys_digest, signatures })))
    }

    fn flood(&self, unchanged: Emission) -> Vec<Emission> {
        let mut emissions = vec![unchanged.clone(); FLOOD_COPIES];
        let question = Message::Want(Inventory {
            relay: true,
            commits: 0,
            dealings: 0,
            wanted: Vec::new(),
            echoes: 0,
            view: 0,
            verdicts: 0,
            receipts: 0,
            decided: false,
            partials: 0,
            attestations: 0,
        });
        let question = Emission { to: Recipient::All, message: Arc::new(question), delay_ms: 0 };
        emissions.extend(vec![question; FLOOD_COPIES]);
        if let (Message::Deliver(signed), Some(other)) =
            (&*unchanged.message, self.context.committee().ids().find(|id| *id != self.me))
        {
            let mut spoofed = (**signed).clone();
            spoofed.from = other;
            let message = Arc::new(Message::Deliver(Arc::new(spoofed)));
            emissions.push(Emission { to: Recipient::All, message, delay_ms: 0 });
        }
        emissions
    }
}

fn replace(dealing: &mut Dealing, slot: usize, sealed: Vec<u8>) {
    if let Some(place) = dealing.sealed.get_mut(slot) {
        *place = serde_bytes::ByteBuf::from(sealed);
    }
}
