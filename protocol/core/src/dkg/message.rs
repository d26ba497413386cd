//! What operators of one ceremony send each other.
//!
//! Every [`Signed`] message is signed by the operator that made it, over a digest that binds the protocol
//! version, chain, ceremony, kind of message, sender and whole content. Third parties may therefore pass it on
//! ([`Message::Relay`]), which heals lost links and restarts, and two of them can be evidence.

use std::sync::Arc;

use cluster_crypto::{hash::TaggedHash, identity, proof::KnowledgeProof, seal::Reveal};
use serde::{Deserialize, Serialize};

use super::{context::Context, Step};
use crate::{certificate::Attestation, committee::OperatorId, encoding};

/// A dealer and the digest of its dealing; a list of these, sorted by operator, fixes the keys of a ceremony.
pub type Qualified = Vec<(OperatorId, [u8; 32])>;

/// Largest number of signed messages in one [`Message::Relay`].
pub const MAX_RELAYED: usize = 64;
/// Largest number of accusations in one verdict: an honest operator has at most one per dealer.
pub const MAX_ACCUSATIONS: usize = 13;

/// A message on the wire between two members of a committee.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {
    /// The sender's own signed message.
    Deliver(Arc<Signed>),
    /// Messages that others signed, passed on for one who missed them.
    Relay(Vec<Arc<Signed>>),
    /// What the sender holds; the receiver answers with what is missing.
    Want(Inventory),
}

impl Message {
    /// The wire bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encoding::encode(self)
    }

    /// Reads a message of at most `limit` bytes.
    ///
    /// # Errors
    /// The bytes are too many, too few or not a message.
    pub fn decode(bytes: &[u8], limit: usize) -> Result<Self, encoding::DecodeError> {
        encoding::decode(bytes, limit)
    }

    /// The step of the ceremony that this message belongs to; `None` for relays and inventories.
    #[must_use]
    pub fn step(&self) -> Option<Step> {
        match self {
            Self::Deliver(signed) => Some(signed.body.step()),
            Self::Relay(_) | Self::Want(_) => None,
        }
    }
}

/// A statement of one operator with its signature.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Signed {
    /// The operator that made and signed the statement.
    pub from: OperatorId,
    /// The statement.
    pub body: Body,
    /// Signature over [`Signed::digest`].
    pub signature: identity::Signature,
}

impl Signed {
    /// Signs `body` as operator `from`.
    #[must_use]
    pub fn new(context: &Context, from: OperatorId, identity: &identity::SecretKey, body: Body) -> Self {
        let digest = message_digest(context, body.kind(), from, &body.digest(context, from));
        Self { from, signature: identity.sign(&digest), body }
    }

    /// The digest that the signature is over.
    #[must_use]
    pub fn digest(&self, context: &Context) -> [u8; 32] {
        message_digest(context, self.body.kind(), self.from, &self.body.digest(context, self.from))
    }

    /// Whether the signature is by the operator that the message names.
    #[must_use]
    pub fn is_authentic(&self, context: &Context) -> bool {
        context
            .committee()
            .public_key(self.from)
            .is_some_and(|key| key.verify(&self.digest(context), &self.signature).is_ok())
    }
}

/// Binds the protocol's version, chain, ceremony, kind of message, sender and content.
pub(super) fn message_digest(context: &Context, kind: u64, from: OperatorId, content: &[u8; 32]) -> [u8; 32] {
    TaggedHash::new("cluster-node/dkg/message/1")
        .u64(context.chain_id())
        .bytes(&context.ceremony_id().0)
        .u64(kind)
        .u64(u64::from(from.0))
        .bytes(content)
        .finish()
}

/// The content of a signed message, one variant for each step of `docs/spec/dkg.md`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Body {
    /// DKG 1: the hash that fixes the dealer's polynomials before any other dealer's are known.
    Commit([u8; 32]),
    /// DKG 2: commitments, proofs and sealed shares.
    Deal(Arc<Dealing>),
    /// DKG 3: the digests of all dealings that the operator holds, each signed by its dealer.
    Echo(Vec<DealingRef>),
    /// DKG 4: the vote of one view for a set of dealers, with accusations against others.
    Verdict(Ballot),
    /// DKG 5: the operator's share for this set of dealers is on disk.
    Receipt(Receipt),
    /// DKG 6: partial deposit signatures, 192 bytes for each validator.
    Partials(Partials),
    /// DKG 7: the signed transcript.
    Certify(Certify),
    /// DKG 8: the sender's shares from a dealer that was proven guilty, for the receiver to rebuild its own.
    Reveal(RevealedShares),
}

impl Body {
    /// The step that the message belongs to.
    #[must_use]
    pub fn step(&self) -> Step {
        match self {
            Self::Commit(_) => Step::Commit,
            Self::Deal(_) => Step::Deal,
            Self::Echo(_) => Step::Echo,
            Self::Verdict(_) | Self::Reveal(_) => Step::Verdicts,
            Self::Receipt(_) => Step::Store,
            Self::Partials(_) => Step::Sign,
            Self::Certify(_) => Step::Certify,
        }
    }

    /// The number that tells kinds of messages apart in signatures.
    pub(super) const fn kind(&self) -> u64 {
        match self {
            Self::Commit(_) => 1,
            Self::Deal(_) => KIND_DEAL,
            Self::Echo(_) => 3,
            Self::Verdict(_) => 4,
            Self::Receipt(_) => 5,
            Self::Partials(_) => 6,
            Self::Certify(_) => 7,
            Self::Reveal(_) => 8,
        }
    }

    /// Digest of the content. That of a dealing is what echoes and votes refer to.
    #[must_use]
    pub fn digest(&self, context: &Context, from: OperatorId) -> [u8; 32] {
        match self {
            Self::Deal(dealing) => dealing.digest(context, from),
            other => TaggedHash::new("cluster-node/dkg/body/1").bytes(&encoding::encode(other)).finish(),
        }
    }
}

/// [`Body::kind`] of a dealing, needed to check a dealer's signature from a [`DealingRef`] alone.
pub(super) const KIND_DEAL: u64 = 2;

/// What a dealer hands out: the same bytes to every operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dealing {
    /// Opens the dealer's commit.
    pub salt: [u8; 32],
    /// Feldman commitments: K polynomials times t coefficients, 96 bytes each, by polynomial.
    #[serde(with = "serde_bytes")]
    pub commitments: Vec<u8>,
    /// Knowledge of all K constant terms.
    pub proof: KnowledgeProof,
    /// Key for sealing, made for this dealing alone.
    pub ephemeral: identity::PublicKey,
    /// By the ephemeral key: the dealer knows its secret. Without it a dealer could name another dealer's
    /// ephemeral key and have an honest receiver's complaint open that dealer's shares.
    pub ephemeral_signature: identity::Signature,
    /// The sealed vector of K shares for each operator, by share index.
    pub sealed: Vec<serde_bytes::ByteBuf>,
    /// The commits that the dealer held when it revealed its own, by share index.
    pub commits_seen: Vec<Option<[u8; 32]>>,
}

impl Dealing {
    /// What the dealer's commit must equal: binds the commitments, not the sealed shares.
    #[must_use]
    pub fn commit(&self, context: &Context, dealer: OperatorId) -> [u8; 32] {
        TaggedHash::new("cluster-node/dkg/commit/1")
            .bytes(&context.ceremony_id().0)
            .u64(u64::from(dealer.0))
            .bytes(&self.salt)
            .bytes(&self.commitments)
            .finish()
    }

    /// What the ephemeral key signs.
    #[must_use]
    pub fn ephemeral_digest(context: &Context, dealer: OperatorId, ephemeral: &identity::PublicKey) -> [u8; 32] {
        TaggedHash::new("cluster-node/dkg/ephemeral/1")
            .bytes(&context.ceremony_id().0)
            .u64(u64::from(dealer.0))
            .bytes(&ephemeral.to_bytes())
            .finish()
    }

    /// The digest that names this dealing.
    #[must_use]
    pub fn digest(&self, context: &Context, dealer: OperatorId) -> [u8; 32] {
        let mut hash = TaggedHash::new("cluster-node/dkg/dealing/1")
            .bytes(&self.commit(context, dealer))
            .bytes(&self.proof.to_bytes())
            .bytes(&self.ephemeral.to_bytes())
            .bytes(&self.ephemeral_signature.to_bytes())
            .u64(self.sealed.len() as u64);
        for sealed in &self.sealed {
            hash = hash.bytes(sealed);
        }
        hash = hash.u64(self.commits_seen.len() as u64);
        for seen in &self.commits_seen {
            hash = hash.bytes(seen.as_ref().map_or(&[][..], |commit| &commit[..]));
        }
        hash.finish()
    }
}

/// A dealer's signature over the digest of its dealing: enough to prove that it dealt that, without the dealing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DealingRef {
    /// Who dealt.
    pub dealer: OperatorId,
    /// [`Dealing::digest`].
    pub digest: [u8; 32],
    /// The dealer's signature of the message that carried it.
    pub signature: identity::Signature,
}

impl DealingRef {
    /// Whether the dealer really signed a dealing with this digest.
    #[must_use]
    pub fn is_authentic(&self, context: &Context) -> bool {
        let digest = message_digest(context, KIND_DEAL, self.dealer, &self.digest);
        context.committee().public_key(self.dealer).is_some_and(|key| key.verify(&digest, &self.signature).is_ok())
    }
}

/// A vote of one view of DKG 4.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ballot {
    /// Counts the attempts, from 0.
    pub view: u32,
    /// The dealers that the operator votes for; empty when its accusations leave too few.
    pub qualified: Qualified,
    /// Signature over [`vote_digest`], by itself so that t of them make a short [`Lock`].
    pub vote: identity::Signature,
    /// Why the operator may not vote for another set: a quorum of an earlier view.
    pub lock: Option<Lock>,
    /// What the operator has against dealers.
    pub accusations: Vec<Accusation>,
}

/// A quorum: t votes of one view for one set of dealers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// The view in which the quorum voted.
    pub view: u32,
    /// What it voted for.
    pub qualified: Qualified,
    /// At least t signatures over [`vote_digest`] by different operators.
    pub votes: Vec<(OperatorId, identity::Signature)>,
}

/// What a vote signs.
#[must_use]
pub fn vote_digest(context: &Context, voter: OperatorId, view: u32, qualified: &Qualified) -> [u8; 32] {
    TaggedHash::new("cluster-node/dkg/vote/1")
        .u64(context.chain_id())
        .bytes(&context.ceremony_id().0)
        .u64(u64::from(voter.0))
        .u64(u64::from(view))
        .bytes(&qualified_digest(qualified))
        .finish()
}

/// The digest of a set of dealers.
#[must_use]
pub fn qualified_digest(qualified: &Qualified) -> [u8; 32] {
    TaggedHash::new("cluster-node/dkg/qualified/1").bytes(&encoding::encode(qualified)).finish()
}

/// Something held against a dealer that every receiver can judge by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Accusation {
    /// The dealer signed two different dealings.
    Equivocation {
        /// One of them.
        first: DealingRef,
        /// The other.
        second: DealingRef,
    },
    /// The accuser's sealed vector cannot be opened or does not match the commitments.
    BadShare {
        /// Who dealt.
        dealer: OperatorId,
        /// The dealing in question.
        digest: [u8; 32],
        /// Opens the accuser's sealed vector, and nothing else, to everybody.
        reveal: Reveal,
    },
}

/// DKG 5: a commitment to a set of dealers, sent when the share is on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The view whose quorum the operator follows.
    pub view: u32,
    /// The dealers.
    pub qualified: Qualified,
    /// Digest of all public keys that the operator computed from their dealings.
    pub keys_digest: [u8; 32],
}

/// DKG 6: partial deposit signatures for all K validators.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Partials {
    /// The keys that were used.
    pub keys_digest: [u8; 32],
    /// 192 bytes for each validator.
    #[serde(with = "serde_bytes")]
    pub signatures: Vec<u8>,
}

/// DKG 7: one operator's part of the certificate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Certify {
    /// The transcript that the attestation signs.
    pub transcript_digest: [u8; 32],
    /// Signature and sealed shares.
    pub attestation: Attestation,
}

/// DKG 8: shares of a guilty dealer's polynomials, from one receiver to another.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RevealedShares {
    /// The guilty dealer.
    pub dealer: OperatorId,
    /// Its dealing.
    pub digest: [u8; 32],
    /// 32 bytes for each validator, for the sender's own share index.
    #[serde(with = "serde_bytes")]
    pub shares: Vec<u8>,
}

/// What an operator holds of a ceremony: bit i-1 of a mask stands for share index i.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// Whether messages of others are wanted as well as the receiver's own.
    pub relay: bool,
    /// Commits held.
    pub commits: u16,
    /// Dealings held.
    pub dealings: u16,
    /// Dealings needed because others decided on them.
    pub wanted: Qualified,
    /// Echoes held.
    pub echoes: u16,
    /// The view that the operator is in.
    pub view: u32,
    /// Verdicts of that view held.
    pub verdicts: u16,
    /// Receipts held, of any view.
    pub receipts: u16,
    /// Whether a quorum of receipts is held: older receipts are of no use then.
    pub decided: bool,
    /// Partial signatures held.
    pub partials: u16,
    /// Attestations held.
    pub attestations: u16,
}
