//! Slashable messages, looked for from outside of the nodes.
//!
//! The rules are those of the chain (`is_slashable_attestation_data` and proposer slashings of the consensus specs), applied to
//! every pair of messages of one key: of each operator's share of each validator, as the operator's log of signatures has it, and
//! of each validator, as beacon nodes saw it. It shares no code with the slashing protection of the node, which it judges.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use cluster_core::beacon::Root;
use cluster_core::committee::OperatorId;
use cluster_core::encoding::to_hex;
use serde::{Deserialize, Serialize};

use super::report::Checked;

/// So many violations are kept in full; all are counted.
const KEPT: usize = 100;

/// Whose signature a message has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signatory {
    /// An operator's share of a validator.
    Share(OperatorId),
    /// The validator, by a signature of the committee.
    Validator,
}

/// Which rule two messages break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Two attestations with one target epoch.
    DoubleVote,
    /// The votes of one attestation are around those of another.
    SurroundVote,
    /// Two blocks in one slot.
    DoubleProposal,
}

/// Two messages that one key must not sign both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// Whose signature.
    pub signatory: Signatory,
    /// Public key of the validator, 0x hex; for blocks on the chain, their proposer as far as it is known.
    pub validator: String,
    /// The message that was there first.
    pub first: String,
    /// The one that came after.
    pub second: String,
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
        write!(out, "{}: {} and then {}", self.validator, self.first, self.second)
    }
}

/// The two epochs of an attestation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Votes {
    /// The source checkpoint's.
    pub source: u64,
    /// The target checkpoint's.
    pub target: u64,
}

type Key = (Signatory, String);

/// Remembers every message and finds the slashable pairs.
#[derive(Debug, Default)]
pub struct Checker {
    /// By target and root: the source.
    attestations: HashMap<Key, BTreeMap<(u64, Root), u64>>,
    blocks: HashMap<Key, BTreeMap<u64, Root>>,
    violations: Vec<Violation>,
    slashable: u64,
    checked: Checked,
}

impl Checker {
    /// Takes an attestation. `root` is its signing root, or the root of its data: the same kind of root for all of a signatory.
    pub fn attestation(&mut self, signatory: Signatory, validator: &str, votes: Votes, root: Root) {
        match signatory {
            Signatory::Share(_) => self.checked.share_attestations += 1,
            Signatory::Validator => self.checked.attestations += 1,
        }
        let key = (signatory, validator.to_owned());
        let held = self.attestations.entry(key.clone()).or_default();
        if held.insert((votes.target, root), votes.source).is_some() {
            return;
        }
        let mut found = Vec::new();
        // What ends before both of its epochs began can be in no conflict with it.
        let from = votes.source.min(votes.target);
        for ((target, other), source) in held.range((from, [0; 32])..) {
            let first = Votes { source: *source, target: *target };
            if let Some(rule) = broken((first, other), (votes, &root)) {
                found.push((rule, describe(first, other)));
            }
        }
        for (rule, first) in found {
            self.add(rule, &key, first, describe(votes, &root));
        }
    }

    /// Takes a block. `root` is its signing root, or its block root: the same kind of root for all of a signatory.
    pub fn block(&mut self, signatory: Signatory, validator: &str, slot: u64, root: Root) {
        match signatory {
            Signatory::Share(_) => self.checked.share_blocks += 1,
            Signatory::Validator => self.checked.blocks += 1,
        }
        let key = (signatory, validator.to_owned());
        let first = *self.blocks.entry(key.clone()).or_default().entry(slot).or_insert(root);
        if first != root {
            let describe = |root: &Root| format!("block {} of slot {slot}", to_hex(root));
            self.add(Rule::DoubleProposal, &key, describe(&first), describe(&root));
        }
    }

    /// Counts a line that could not be read.
    pub fn unreadable(&mut self) {
        self.checked.unreadable_lines += 1;
    }

    /// Slashable pairs so far.
    #[must_use]
    pub fn slashable(&self) -> u64 {
        self.slashable
    }

    /// The first of them.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// What was looked at.
    #[must_use]
    pub fn checked(&self) -> Checked {
        self.checked
    }

    fn add(&mut self, rule: Rule, key: &Key, first: String, second: String) {
        self.slashable += 1;
        if self.violations.len() < KEPT {
            let (signatory, validator) = key.clone();
            self.violations.push(Violation { rule, signatory, validator, first, second });
        }
    }
}

/// The rule that two different attestations break.
fn broken(first: (Votes, &Root), second: (Votes, &Root)) -> Option<Rule> {
    let (one, other) = (first.0, second.0);
    if one.target == other.target {
        return (first.1 != second.1).then_some(Rule::DoubleVote);
    }
    let surrounds = |outer: Votes, inner: Votes| outer.source < inner.source && inner.target < outer.target;
    (surrounds(one, other) || surrounds(other, one)).then_some(Rule::SurroundVote)
}

fn describe(votes: Votes, root: &Root) -> String {
    format!("attestation {} from epoch {} to epoch {}", to_hex(root), votes.source, votes.target)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Signatory = Signatory::Share(OperatorId(101));
    const TWO: Signatory = Signatory::Share(OperatorId(102));

    /// A description, attestations, and the rules that they break.
    type Row = (&'static str, &'static [(Signatory, u64, u64, u8)], &'static [Rule]);

    /// What the checker says of attestations of one validator, each with its signatory, source, target and root.
    fn attestations(all: &[(Signatory, u64, u64, u8)]) -> Vec<Rule> {
        let mut checker = Checker::default();
        for (signatory, source, target, root) in all {
            checker.attestation(*signatory, "0xaa", Votes { source: *source, target: *target }, [*root; 32]);
        }
        assert_eq!(checker.slashable(), checker.violations().len() as u64);
        checker.violations().iter().map(|violation| violation.rule).collect()
    }

    #[test]
    fn slashable_attestations_are_found_and_others_are_not() {
        use Rule::{DoubleVote, SurroundVote};
        let table: &[Row] = &[
            ("one after the other", &[(ONE, 0, 1, 1), (ONE, 1, 2, 2), (ONE, 2, 3, 3)], &[]),
            ("with the same source", &[(ONE, 0, 1, 1), (ONE, 0, 2, 2)], &[]),
            ("the same again", &[(ONE, 0, 1, 1), (ONE, 0, 1, 1)], &[]),
            ("by different shares", &[(ONE, 0, 1, 1), (TWO, 0, 1, 2)], &[]),
            ("by a share and by the validator", &[(ONE, 0, 1, 1), (Signatory::Validator, 0, 1, 2)], &[]),
            ("two with one target", &[(ONE, 0, 1, 1), (ONE, 0, 1, 2)], &[DoubleVote]),
            ("two with one target and other sources", &[(TWO, 0, 3, 1), (TWO, 1, 3, 2)], &[DoubleVote]),
            ("around an earlier one", &[(ONE, 1, 2, 1), (ONE, 0, 3, 2)], &[SurroundVote]),
            ("inside of an earlier one", &[(ONE, 0, 3, 1), (ONE, 1, 2, 2)], &[SurroundVote]),
            ("three with one target", &[(ONE, 0, 1, 1), (ONE, 0, 1, 2), (ONE, 0, 1, 3)], &[DoubleVote; 3]),
        ];
        for (what, messages, expected) in table {
            assert_eq!(attestations(messages), *expected, "{what}");
        }
    }

    #[test]
    fn two_blocks_in_a_slot_are_found() {
        let mut checker = Checker::default();
        for (signatory, slot, root) in
            [(ONE, 5, 1), (ONE, 5, 1), (TWO, 5, 2), (ONE, 6, 3), (Signatory::Validator, 5, 4)]
        {
            checker.block(signatory, "0xaa", slot, [root; 32]);
        }
        assert_eq!((checker.slashable(), checker.checked().share_blocks, checker.checked().blocks), (0, 4, 1));
        checker.block(ONE, "0xbb", 5, [9; 32]);
        assert_eq!(checker.slashable(), 0, "another validator");
        checker.block(ONE, "0xaa", 5, [9; 32]);
        assert_eq!(checker.slashable(), 1);
        let said = checker.violations()[0].to_string();
        assert!(said.starts_with("double proposal by operator 101's share of 0xaa: block 0x01"), "{said}");
    }
}
