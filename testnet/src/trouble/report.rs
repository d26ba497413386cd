//! `report.json` of a run with trouble.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Kind, Outcome};

/// What happened, and that everybody came through.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Seed of keys, depths, outcomes, faults and garbage.
    pub seed: u64,
    /// Operators of the committee.
    pub operators: usize,
    /// In their order.
    pub reorgs: Vec<ReorgFigures>,
    /// Events that were none.
    pub garbage: GarbageFigures,
    /// Of every request, those of branches that lost included.
    pub ceremonies: Vec<CeremonyFigures>,
    /// Everybody who reads the chain.
    pub parts: Vec<PartFigures>,
    /// Seconds for all of it.
    pub wall_s: f64,
}

/// One reorganisation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReorgFigures {
    /// The event on the branch that lost.
    pub kind: Kind,
    /// Blocks that everybody had taken in and had to take back.
    pub depth: u64,
    /// What the branch that won had in its place.
    pub outcome: Outcome,
    /// Until everybody had read the branch that lost, in milliseconds.
    pub lost_read_ms: f64,
    /// Until everybody knew and did what the branch that won says, in milliseconds.
    pub settled_ms: f64,
}

/// Events that were none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GarbageFigures {
    /// On the chain.
    pub emitted: usize,
    /// On branches that lost.
    pub lost: usize,
}

/// One ceremony.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CeremonyFigures {
    /// 0x hex.
    pub ceremony_id: String,
    /// Whether its request is in the chain.
    pub on_chain: bool,
    /// Operators that began it.
    pub begun_by: usize,
    /// How often the one that began it most often did.
    pub most_often: u32,
}

/// Somebody who reads the chain, at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartFigures {
    /// Who.
    pub part: String,
    /// The last block taken in: height and hash.
    pub block: (u64, String),
    /// Entries of what it knows: all that the chain says.
    pub facts: usize,
    /// Events in quarantine, each with its reason.
    pub quarantined: usize,
    /// Blocks that it took back.
    pub taken_back: u64,
    /// Calls of its two endpoints.
    pub calls: u64,
    /// Those that were refused, late, or answered with a lie.
    pub spoiled_calls: u64,
    /// Faults that the endpoints had, and how often they were switched on.
    pub faults: BTreeMap<String, u64>,
}
