//! What became of every duty: who took part and when, and why it was missed.

use std::fmt;

use cluster_core::beacon::Slot;
use cluster_core::committee::OperatorId;
use cluster_core::duty::{CommitteeId, SigningKind};
use cluster_core::machine::Time;
use serde::{Deserialize, Serialize};

/// One duty of a committee in one slot, for all of its validators that had it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DutyRecord {
    /// The slot.
    pub slot: Slot,
    /// The committee.
    pub committee: CommitteeId,
    /// The duty, by what was signed for it.
    pub kind: SigningKind,
    /// Validators that had the duty, by their index in the beacon state.
    pub validators: Vec<u64>,
    /// How many of them it was submitted for.
    pub submitted: u32,
    /// When each step was done, in milliseconds after the start of the slot.
    pub steps: Steps,
    /// The round in which consensus ended, and who led it.
    pub decided_by: Option<(u32, OperatorId)>,
    /// Whose partial signatures arrived, and when, in milliseconds after the start of the slot.
    pub participants: Vec<(OperatorId, u32)>,
    /// Whose partial signatures were wrong.
    pub bad: Vec<OperatorId>,
    /// Why it was missed, for some validators at least.
    pub miss: Option<Miss>,
    /// The validators that it was not submitted for, when it was submitted for others.
    #[serde(default)]
    pub missed: Vec<u64>,
}

impl DutyRecord {
    /// Every validator that had the duty, as often as it had it, and whether it was submitted for it. Nothing when the
    /// record does not say for whom.
    pub fn outcomes(&self) -> impl Iterator<Item = (u64, bool)> + '_ {
        let submitted = self.submitted as usize;
        let all = submitted >= self.validators.len();
        let told = all || submitted == 0 || self.missed.len() == self.validators.len() - submitted;
        let mut missed = self.missed.clone();
        self.validators.iter().filter(move |_| told).map(move |index| {
            let place = missed.iter().position(|other| other == index);
            let is_missed = place.map(|place| missed.swap_remove(place)).is_some();
            (*index, all || (submitted > 0 && !is_missed))
        })
    }
}

/// Milliseconds after the start of the slot; `None` for a step that was not reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steps {
    /// The beacon node had answered with what to sign.
    pub data_ms: Option<u32>,
    /// The committee had decided.
    pub decided_ms: Option<u32>,
    /// The signatures of the validators were complete.
    pub signed_ms: Option<u32>,
    /// A beacon node had taken them.
    pub submitted_ms: Option<u32>,
}

/// Why a duty was missed. `docs/failures.md` says for each what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Miss {
    /// No beacon node answered with what the duty needs.
    BeaconNode {
        /// The words of the client.
        reason: String,
    },
    /// Fewer operators than a quorum agreed in time.
    NoQuorum {
        /// In words, with the operators that were heard.
        reason: String,
    },
    /// What the others agreed on is not what this operator's beacon node says.
    OtherView {
        /// The difference.
        reason: String,
    },
    /// The slashing protection refused.
    Slashable {
        /// The rule.
        reason: String,
    },
    /// The signer did not sign.
    Signer {
        /// Its words.
        reason: String,
    },
    /// Too few right partial signatures came in time.
    TooFewPartials {
        /// Operators whose partials were missing.
        missing: Vec<OperatorId>,
    },
    /// No beacon node took the result.
    NotAccepted {
        /// The words of the node.
        reason: String,
    },
    /// The RANDAO reveal was not signed in time.
    NoRandao,
    /// The fork of the slot is not known to this version.
    UnknownFork {
        /// In words.
        reason: String,
    },
    /// The operator holds back while it makes sure that nobody else signs with its keys.
    Doppelganger,
    /// Another node runs with this operator's key.
    Twin,
}

impl Miss {
    /// Every reason, as it is named in metrics and reports.
    pub const NAMES: [&'static str; 11] = [
        "beacon_node",
        "no_quorum",
        "other_view",
        "slashable",
        "signer",
        "too_few_partials",
        "not_accepted",
        "no_randao",
        "unknown_fork",
        "doppelganger",
        "twin",
    ];

    /// The name in metrics and reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::BeaconNode { .. } => "beacon_node",
            Self::NoQuorum { .. } => "no_quorum",
            Self::OtherView { .. } => "other_view",
            Self::Slashable { .. } => "slashable",
            Self::Signer { .. } => "signer",
            Self::TooFewPartials { .. } => "too_few_partials",
            Self::NotAccepted { .. } => "not_accepted",
            Self::NoRandao => "no_randao",
            Self::UnknownFork { .. } => "unknown_fork",
            Self::Doppelganger => "doppelganger",
            Self::Twin => "twin",
        }
    }
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeaconNode { reason } => write!(f, "no beacon node answered: {reason}"),
            Self::NoQuorum { reason } => write!(f, "the committee did not agree: {reason}"),
            Self::OtherView { reason } => write!(f, "the committee's decision differs from this beacon node: {reason}"),
            Self::Slashable { reason } => write!(f, "the slashing protection refused: {reason}"),
            Self::Signer { reason } => write!(f, "the signer did not sign: {reason}"),
            Self::TooFewPartials { missing } => {
                let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
                write!(f, "too few partial signatures; missing: operators {}", missing.join(", "))
            }
            Self::NotAccepted { reason } => write!(f, "no beacon node took it: {reason}"),
            Self::NoRandao => f.write_str("the RANDAO reveal was not signed in time"),
            Self::UnknownFork { reason } => f.write_str(reason),
            Self::Doppelganger => f.write_str("holding back until it is sure that nobody else signs with these keys"),
            Self::Twin => f.write_str("another node runs with this operator's key; stop it, then restart this one"),
        }
    }
}

/// Where records go.
pub trait Recorder: Send + Sync + 'static {
    /// Takes one record.
    fn record(&self, record: DutyRecord);
}

/// A record under way.
#[derive(Debug)]
pub(super) struct Draft {
    record: DutyRecord,
    slot_start: Time,
}

impl Draft {
    pub(super) fn new(slot: Slot, slot_start: Time, committee: CommitteeId, kind: SigningKind) -> Self {
        let record = DutyRecord {
            slot,
            committee,
            kind,
            validators: Vec::new(),
            submitted: 0,
            steps: Steps::default(),
            decided_by: None,
            participants: Vec::new(),
            bad: Vec::new(),
            miss: None,
            missed: Vec::new(),
        };
        Self { record, slot_start }
    }

    /// Milliseconds into the slot; what was done before the slot counts as its start.
    pub(super) fn slot_ms(&self, time: Time) -> u32 {
        u32::try_from(time.since(self.slot_start)).unwrap_or(u32::MAX)
    }

    pub(super) fn edit(&mut self) -> &mut DutyRecord {
        &mut self.record
    }

    pub(super) fn data(&mut self, at: Time) {
        self.record.steps.data_ms = Some(self.slot_ms(at));
    }

    pub(super) fn decided(&mut self, at: Time, round: u32, leader: OperatorId) {
        self.record.steps.decided_ms = Some(self.slot_ms(at));
        self.record.decided_by = Some((round, leader));
    }

    pub(super) fn signed(&mut self, at: Time, participants: &[(OperatorId, Time)], bad: &[OperatorId]) {
        self.record.steps.signed_ms = Some(self.slot_ms(at));
        self.record.participants = participants.iter().map(|(id, at)| (*id, self.slot_ms(*at))).collect();
        self.record.bad = bad.to_vec();
    }

    pub(super) fn submitted(&mut self, at: Time, count: usize) {
        self.record.steps.submitted_ms = Some(self.slot_ms(at));
        self.record.submitted = u32::try_from(count).unwrap_or(u32::MAX);
    }

    /// Submitted for these validators, by index, each as often as it had the duty.
    pub(super) fn submitted_for(&mut self, at: Time, validators: &[u64]) {
        self.submitted(at, validators.len());
        self.record.missed.clone_from(&self.record.validators);
        for done in validators {
            if let Some(place) = self.record.missed.iter().position(|index| index == done) {
                self.record.missed.remove(place);
            }
        }
    }

    /// The first reason stays: later ones follow from it.
    pub(super) fn missed(&mut self, miss: Miss) {
        self.record.miss.get_or_insert(miss);
    }

    pub(super) fn finish(self) -> DutyRecord {
        self.record
    }
}
