//! What one operator may not say, whatever happens to it: watched from outside of the machines.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    committee::OperatorId,
    consensus::{Message, Statement, VoteKind},
};

/// What honest operators said, and what may not be.
#[derive(Default)]
pub(super) struct Monitor {
    said: BTreeMap<(OperatorId, u32, VoteKind), Statement>,
    /// Rounds that an operator entered by a round change, with the rounds of the prepare quorums that it claimed.
    entered: BTreeMap<OperatorId, BTreeMap<u32, u32>>,
    /// Rounds in which it committed.
    committed: BTreeMap<OperatorId, BTreeSet<u32>>,
}

impl Monitor {
    /// The rules of `docs/spec/consensus.md` that bind one operator, also over restarts.
    pub(super) fn observe(&mut self, from: OperatorId, message: &Message) -> Result<(), String> {
        let vote = match message {
            Message::Propose(proposal) => &proposal.vote,
            Message::Vote(vote) | Message::RoundChange { vote, .. } => vote,
            _ => return Ok(()),
        };
        let place = (from, vote.round, vote.statement.kind());
        let said = *self.said.entry(place).or_insert(vote.statement);
        if said != vote.statement {
            return Err(format!("operator {from} contradicts itself: {said:?}, {:?}", vote.statement));
        }
        match vote.statement {
            Statement::RoundChange(claim) => {
                let claimed = claim.map_or(0, |claim| claim.round);
                self.entered.entry(from).or_default().insert(vote.round, claimed);
            }
            Statement::Commit(_) => drop(self.committed.entry(from).or_default().insert(vote.round)),
            Statement::Propose(_) | Statement::Prepare(_) => return Ok(()),
        }
        // A commit may leave late, after a restart; the round changes must know of it all the same.
        let (Some(entered), Some(committed)) = (self.entered.get(&from), self.committed.get(&from)) else {
            return Ok(());
        };
        for (round, claimed) in entered {
            if committed.range(..round).next_back().is_some_and(|last| last > claimed) {
                return Err(format!("operator {from} entered round {round} and forgot a commit of an earlier one"));
            }
        }
        Ok(())
    }
}
