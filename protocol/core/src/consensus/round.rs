//! What is held of one round.

use std::collections::{BTreeMap, BTreeSet};

use cluster_crypto::identity;

use super::{Digest, Vote, VoteKind};
use crate::committee::OperatorId;

/// The proposal of a round that counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Accepted {
    /// What is proposed.
    pub(super) digest: Digest,
    /// Whether a prepare quorum of an earlier round speaks for it.
    pub(super) backed: bool,
}

/// One round: at most one vote of every kind and operator.
#[derive(Debug, Default)]
pub(super) struct Round {
    votes: BTreeMap<(VoteKind, OperatorId), Vote>,
    /// The first right proposal.
    pub(super) proposal: Option<Accepted>,
    /// Operators whose round change to this round came with the quorum that it claims.
    pub(super) backed: BTreeSet<OperatorId>,
    /// Whether the driver was asked about the proposal.
    pub(super) asked: bool,
}

impl Round {
    /// An operator's vote.
    pub(super) fn vote(&self, kind: VoteKind, from: OperatorId) -> Option<&Vote> {
        self.votes.get(&(kind, from))
    }

    /// Takes up a checked vote; the first of its kind and operator stays.
    pub(super) fn insert(&mut self, vote: Vote) {
        self.votes.entry((vote.statement.kind(), vote.from)).or_insert(vote);
    }

    /// Votes of one kind, by operator.
    pub(super) fn votes(&self, kind: VoteKind) -> impl Iterator<Item = &Vote> {
        self.votes.iter().filter(move |((other, _), _)| *other == kind).map(|(_, vote)| vote)
    }

    /// The digest that `t` operators voted for, with exactly `t` of their signatures.
    pub(super) fn quorum(&self, kind: VoteKind, t: usize) -> Option<(Digest, Vec<(OperatorId, identity::Signature)>)> {
        let mut counts: BTreeMap<Digest, usize> = BTreeMap::new();
        for digest in self.votes(kind).filter_map(|vote| vote.statement.digest()) {
            *counts.entry(digest).or_default() += 1;
        }
        let (digest, _) = counts.into_iter().find(|(_, count)| *count >= t)?;
        let supporting = self.votes(kind).filter(|vote| vote.statement.digest() == Some(digest));
        Some((digest, supporting.take(t).map(|vote| (vote.from, vote.signature)).collect()))
    }
}
