//! `equivocating-votes`: half of the peers hear a second vote for something else before each vote, and a second proposal
//! before each proposal. Everything is signed with the operator's own key.

use std::collections::BTreeSet;
use std::sync::Arc;

use cluster_core::committee::OperatorId;
use cluster_core::consensus::{digest, Digest, Message, Proposal, Statement, Vote, MAX_MESSAGE_BYTES};
use cluster_core::duty::InstanceId;
use cluster_core::machine::Time;
use cluster_crypto::identity;
use cluster_node::duties::mesh::{DutyMessage, Mesh};

struct Equivocating {
    inner: Arc<dyn Mesh>,
    me: OperatorId,
    key: identity::SecretKey,
    /// Who hears two things.
    victims: BTreeSet<OperatorId>,
}

impl Mesh for Equivocating {
    fn send(&self, to: OperatorId, message: DutyMessage, expires: Time) {
        if let DutyMessage::Consensus(instance, bytes) = &message {
            if self.victims.contains(&to) {
                if let Some(other) = self.conflicting(instance, bytes) {
                    self.inner.send(to, DutyMessage::Consensus(*instance, other.encode().into()), expires);
                }
            }
        }
        self.inner.send(to, message, expires);
    }
}

impl Equivocating {
    /// What contradicts a vote or proposal of this operator.
    fn conflicting(&self, instance: &InstanceId, bytes: &[u8]) -> Option<Message> {
        let sign = |round: u32, statement: Statement| Vote::sign(instance, &self.key, self.me, round, statement);
        match Message::decode(bytes, MAX_MESSAGE_BYTES).ok()? {
            Message::Vote(vote) if vote.from == self.me => {
                let statement = match vote.statement {
                    Statement::Prepare(of) => Statement::Prepare(other(of)),
                    Statement::Commit(of) => Statement::Commit(other(of)),
                    Statement::Propose(_) | Statement::RoundChange(_) => return None,
                };
                Some(Message::Vote(sign(vote.round, statement)))
            }
            Message::Propose(proposal) if proposal.vote.from == self.me => {
                let mut value = proposal.value.as_ref()?.to_vec();
                // The last byte of an attestation's data is one of its target.
                if let Some(last) = value.last_mut() {
                    *last ^= 1;
                }
                let vote = sign(proposal.vote.round, Statement::Propose(digest(&value)));
                Some(Message::Propose(Proposal { vote, value: Some(value.into()), ..proposal }))
            }
            _ => None,
        }
    }
}

/// A digest that nothing has.
fn other(mut of: Digest) -> Digest {
    of[0] ^= 1;
    of
}

/// Wraps a mesh.
pub(super) fn wrap(
    inner: Arc<dyn Mesh>,
    me: OperatorId,
    key: identity::SecretKey,
    committee: &[OperatorId],
) -> Arc<dyn Mesh> {
    let others = committee.iter().copied().filter(|other| *other != me);
    let victims = others.take(committee.len() / 2).collect();
    Arc::new(Equivocating { inner, me, key, victims })
}
