//! Slashable messages, looked for from outside of the operators: everything that is ever signed is told here, whatever becomes
//! of it afterwards. The rules are those of the chain, pair by pair, and share no code with slashing protection.

use std::fmt;

use crate::beacon::{Root, Slot};
use crate::committee::OperatorId;
use crate::judgement::short;
use crate::machine::Time;

use super::START;

/// So many violations are kept in full; all are counted.
const KEPT: usize = 20;

/// Whose signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signatory {
    /// An operator's share.
    Share(OperatorId),
    /// The validator: so many operators made a partial that the signature can be combined.
    Validator,
}

/// What was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// An attestation.
    Vote {
        /// Source epoch.
        source: u64,
        /// Target epoch.
        target: u64,
        /// Root of the data.
        root: Root,
    },
    /// A block.
    Block {
        /// Its slot.
        slot: Slot,
        /// Its root.
        root: Root,
    },
}

/// A signature, and where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// What.
    pub signed: Signed,
    /// When.
    pub at: Time,
    /// By which node, in the order of the simulation. Differs from the operator only when an operator runs twice.
    pub node: usize,
    /// Its how manieth life.
    pub life: u32,
}

/// Which rule two messages break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Two attestations with one target.
    DoubleVote,
    /// One attestation around another.
    SurroundVote,
    /// Two blocks in a slot.
    DoubleProposal,
}

/// Two messages that one key must not sign both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// Whose signatures.
    pub signatory: Signatory,
    /// Number of the validator.
    pub validator: u32,
    /// The earlier one.
    pub first: Made,
    /// The later one.
    pub second: Made,
}

/// Remembers everything.
pub(super) struct Checker {
    ids: Vec<OperatorId>,
    t: u32,
    /// Operators whose signer is the adversary's: a partial of theirs exists for whatever anyone signs.
    lost: u32,
    /// What each share signed: for each operator and validator.
    shares: Vec<Vec<Vec<Made>>>,
    /// For each validator: every message, who made a partial of it, and who sent it.
    messages: Vec<Vec<(Made, u32, u32)>>,
    pub(super) violations: Vec<Violation>,
    pub(super) slashable: u64,
    /// Those of them that are of validators, not just of shares.
    pub(super) of_validators: u64,
    pub(super) partials: u64,
    pub(super) votes: u64,
    pub(super) blocks: u64,
}

impl Checker {
    pub(super) fn new(ids: Vec<OperatorId>, t: usize, validators: u32, lost: u32) -> Self {
        let validators = validators as usize;
        Self {
            shares: vec![vec![Vec::new(); validators]; ids.len()],
            messages: vec![Vec::new(); validators],
            ids,
            t: t as u32,
            lost,
            violations: Vec::new(),
            slashable: 0,
            of_validators: 0,
            partials: 0,
            votes: 0,
            blocks: 0,
        }
    }

    /// An operator's share signs. The same message again is nothing new.
    pub(super) fn sign(&mut self, operator: usize, validator: u32, made: Made) {
        if self.lost & (1 << operator) != 0 {
            return;
        }
        let before = &mut self.shares[operator][validator as usize];
        if !before.iter().any(|old| old.signed == made.signed) {
            self.partials += 1;
            let clashes = clashes(before.iter(), &made);
            before.push(made);
            self.report(Signatory::Share(self.ids[operator]), validator, made, clashes);
        }
        let messages = &mut self.messages[validator as usize];
        let at = messages.iter().position(|(old, ..)| old.signed == made.signed).unwrap_or(messages.len());
        if at == messages.len() {
            messages.push((made, self.lost, self.lost));
        }
        let partials = &mut messages[at].1;
        let could = partials.count_ones() >= self.t;
        *partials |= 1 << operator;
        if !could && partials.count_ones() >= self.t {
            let t = self.t;
            let whole = messages.iter().filter(|(_, partials, _)| partials.count_ones() >= t).map(|(made, ..)| made);
            let clashes = clashes(whole, &made);
            self.report(Signatory::Validator, validator, made, clashes);
        }
    }

    /// The partial leaves the operator. Counts the duty as signed once there are enough of them.
    pub(super) fn send(&mut self, operator: usize, validator: u32, signed: Signed) {
        let messages = &mut self.messages[validator as usize];
        let Some((_, _, sent)) = messages.iter_mut().find(|(made, ..)| made.signed == signed) else { return };
        let whole = sent.count_ones() >= self.t;
        *sent |= 1 << operator;
        if !whole && sent.count_ones() >= self.t {
            match signed {
                Signed::Vote { .. } => self.votes += 1,
                Signed::Block { .. } => self.blocks += 1,
            }
        }
    }

    fn report(&mut self, signatory: Signatory, validator: u32, second: Made, clashes: Vec<(Rule, Made)>) {
        for (rule, first) in clashes {
            self.slashable += 1;
            self.of_validators += u64::from(signatory == Signatory::Validator);
            if self.violations.len() < KEPT {
                self.violations.push(Violation { rule, signatory, validator, first, second });
            }
        }
    }
}

fn clashes<'a>(before: impl Iterator<Item = &'a Made>, made: &Made) -> Vec<(Rule, Made)> {
    before.filter_map(|old| Some((clash(&old.signed, &made.signed)?, *old))).collect()
}

/// `is_slashable_attestation_data` and the condition of proposer slashings, of the consensus specifications.
fn clash(a: &Signed, b: &Signed) -> Option<Rule> {
    match (*a, *b) {
        (Signed::Vote { source: s1, target: t1, root: r1 }, Signed::Vote { source: s2, target: t2, root: r2 }) => {
            if t1 == t2 {
                return (r1 != r2).then_some(Rule::DoubleVote);
            }
            ((s1 < s2 && t2 < t1) || (s2 < s1 && t1 < t2)).then_some(Rule::SurroundVote)
        }
        (Signed::Block { slot: one, root: r1 }, Signed::Block { slot: other, root: r2 }) => {
            (one == other && r1 != r2).then_some(Rule::DoubleProposal)
        }
        _ => None,
    }
}

impl fmt::Display for Signed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vote { source, target, root } => write!(out, "a vote from {source} to {target}, {}", short(root)),
            Self::Block { slot, root } => write!(out, "a block in slot {slot}, {}", short(root)),
        }
    }
}

impl fmt::Display for Made {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signed, at, node, life } = self;
        write!(out, "{signed}, after {} ms by node {node} in life {life}", at.since(START))
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = match self.rule {
            Rule::DoubleVote => "double vote",
            Rule::SurroundVote => "surround vote",
            Rule::DoubleProposal => "double proposal",
        };
        match self.signatory {
            Signatory::Share(operator) => write!(out, "{rule} by operator {operator}'s share of ")?,
            Signatory::Validator => write!(out, "{rule} by ")?,
        }
        write!(out, "validator {}: {}; and then {}", self.validator, self.first, self.second)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const IDS: [OperatorId; 4] = [OperatorId(3), OperatorId(4), OperatorId(5), OperatorId(6)];

    fn vote(source: u64, target: u64, root: u8) -> Made {
        made(Signed::Vote { source, target, root: [root; 32] })
    }

    fn made(signed: Signed) -> Made {
        Made { signed, at: START, node: 0, life: 1 }
    }

    #[test]
    fn every_rule_is_seen_for_shares_and_only_for_pairs_of_one_key() {
        let block = |root| made(Signed::Block { slot: Slot(9), root: [root; 32] });
        let table = [
            (vote(1, 2, 1), vote(1, 2, 1), None),
            (vote(1, 2, 1), vote(1, 2, 2), Some(Rule::DoubleVote)),
            (vote(2, 3, 1), vote(1, 4, 2), Some(Rule::SurroundVote)),
            (vote(1, 4, 1), vote(2, 3, 2), Some(Rule::SurroundVote)),
            (vote(1, 3, 1), vote(1, 4, 2), None),
            (vote(1, 3, 1), vote(2, 4, 2), None),
            (block(1), block(1), None),
            (block(1), block(2), Some(Rule::DoubleProposal)),
            (block(1), vote(1, 9, 2), None),
        ];
        for (first, second, rule) in table {
            let mut checker = Checker::new(IDS.to_vec(), 3, 2, 0);
            checker.sign(0, 1, first);
            checker.sign(0, 1, second);
            checker.sign(1, 1, second);
            checker.sign(0, 0, second);
            assert_eq!(checker.violations.iter().map(|found| found.rule).next(), rule, "{first} and {second}");
            assert_eq!(checker.slashable, u64::from(rule.is_some()));
        }
    }

    #[test]
    fn a_validator_signs_when_enough_partials_exist_also_those_of_lost_signers() {
        for (lost, needed) in [(0_u32, 3), (1 << 3, 2)] {
            let mut checker = Checker::new(IDS.to_vec(), 3, 1, lost);
            for (root, operators) in [(1, [0, 1, 2]), (2, [2, 1, 0])] {
                for operator in &operators[..needed] {
                    checker.sign(*operator, 0, vote(1, 2, root));
                    checker.send(*operator, 0, vote(1, 2, root).signed);
                }
            }
            assert_eq!(checker.votes, 2);
            let whole = checker.violations.iter().filter(|found| found.signatory == Signatory::Validator);
            assert_eq!(whole.count(), 1, "{:?}", checker.violations);
        }
    }
}
