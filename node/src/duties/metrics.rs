//! Prometheus metrics of duties.

use cluster_core::duty::SigningKind;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram};

use super::record::{DutyRecord, Miss};
use crate::metrics::Metrics;
use crate::signer::RefusalKind;

/// Label of a duty.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DutyLabel {
    /// What is signed, as `cluster_core::duty::SigningKind` names it.
    pub kind: &'static str,
}

/// Label of a step of a duty.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StepLabel {
    /// What is signed.
    pub kind: &'static str,
    /// One of [`STEPS`].
    pub step: &'static str,
}

/// Label of a missed duty, or of a partial signature that this operator did not give.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct MissLabel {
    /// What is signed.
    pub kind: &'static str,
    /// The reason: of a miss, as [`super::record::Miss::NAMES`] lists them; of a partial, the name of a
    /// [`crate::signer::RefusalKind`], [`SIGNER_FAILED`], [`HELD_BACK`] or one of [`OBJECTIONS`].
    pub reason: &'static str,
}

/// Label of an operator's part in duties.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OperatorLabel {
    /// Registry number.
    pub operator_id: u32,
    /// What is signed.
    pub kind: &'static str,
}

/// The steps whose time is measured.
pub const STEPS: [&str; 4] = ["data", "decided", "signed", "submitted"];
/// The signer did not answer, or failed as a whole.
pub const SIGNER_FAILED: &str = "signer_failed";
/// The operator holds back while it makes sure that nobody else signs with its keys.
pub const HELD_BACK: &str = "doppelganger";

/// Misses for which an operator leaves it to the others to sign what was decided.
pub const OBJECTIONS: [&str; 3] = ["other_view", "beacon_node", "twin"];

/// Handles of all metrics of duties; clones share them.
#[derive(Clone, Debug)]
pub struct DutyMetrics {
    /// Duties of validators that were submitted.
    pub done: Family<DutyLabel, Counter>,
    /// Duties of validators that were missed, by reason.
    pub missed: Family<MissLabel, Counter>,
    /// Seconds into the slot at which a step was done.
    pub step_seconds: Family<StepLabel, Histogram>,
    /// Rounds that consensus took.
    pub rounds: Family<DutyLabel, Histogram>,
    /// Duties that an operator's partial signatures arrived for.
    pub participation: Family<OperatorLabel, Counter>,
    /// Duties in which an operator's partial signatures were wrong.
    pub bad_partials: Family<OperatorLabel, Counter>,
    /// Partial signatures that this operator did not give, by reason.
    pub withheld: Family<MissLabel, Counter>,
    /// Validators with duties.
    pub validators_active: Gauge,
    /// Validators that hold a share here and are not on the chain yet.
    pub validators_waiting: Gauge,
    /// Validators that are held back because somebody else signs for them.
    pub validators_foreign: Gauge,
}

impl DutyMetrics {
    /// Registers everything with a node's metrics.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        let duties = Self {
            done: Family::default(),
            missed: Family::default(),
            step_seconds: Family::new_with_constructor(into_slot),
            rounds: Family::new_with_constructor(|| Histogram::new([1.0, 2.0, 3.0, 4.0, 6.0, 8.0])),
            participation: Family::default(),
            bad_partials: Family::default(),
            withheld: Family::default(),
            validators_active: Gauge::default(),
            validators_waiting: Gauge::default(),
            validators_foreign: Gauge::default(),
        };
        duties.begin_at_zero();
        let all = duties.clone();
        metrics.with_registry(move |registry| {
            registry.register("duties_done", "Duties of validators that were submitted", all.done);
            registry.register("duties_missed", "Duties of validators that were missed, by reason", all.missed);
            let help = "Seconds into the slot at which a step of a duty was done";
            registry.register("duty_step_seconds", help, all.step_seconds);
            registry.register("consensus_rounds", "Rounds that consensus took", all.rounds);
            let help = "Duties that an operator's partial signatures arrived for";
            registry.register("duty_participation", help, all.participation);
            let help = "Duties in which an operator's partial signatures were wrong";
            registry.register("bad_partials", help, all.bad_partials);
            let help = "Partial signatures that this operator did not give, by reason";
            registry.register("partials_withheld", help, all.withheld);
            registry.register("validators_active", "Validators with duties", all.validators_active);
            let help = "Validators that hold a share here and are not on the chain yet";
            registry.register("validators_waiting", help, all.validators_waiting);
            let help = "Validators held back because somebody else signs for them";
            registry.register("validators_foreign", help, all.validators_foreign);
        });
        duties
    }

    /// Prometheus sees the increase of a counter only when it was there before.
    fn begin_at_zero(&self) {
        let refusals = RefusalKind::ALL.map(RefusalKind::name);
        for kind in SigningKind::ALL.map(SigningKind::name) {
            drop(self.done.get_or_create(&DutyLabel { kind }));
            for reason in Miss::NAMES {
                drop(self.missed.get_or_create(&MissLabel { kind, reason }));
            }
            for reason in refusals.into_iter().chain([SIGNER_FAILED, HELD_BACK]).chain(OBJECTIONS) {
                drop(self.withheld.get_or_create(&MissLabel { kind, reason }));
            }
        }
    }

    pub(crate) fn withhold(&self, kind: &'static str, reason: &'static str, partials: usize) {
        if partials > 0 {
            self.withheld.get_or_create(&MissLabel { kind, reason }).inc_by(partials as u64);
        }
    }

    pub(crate) fn count(&self, record: &DutyRecord) {
        let kind = record.kind.name();
        self.done.get_or_create(&DutyLabel { kind }).inc_by(u64::from(record.submitted));
        if let Some(miss) = &record.miss {
            let missed = record.validators.len().saturating_sub(record.submitted as usize) as u64;
            self.missed.get_or_create(&MissLabel { kind, reason: miss.name() }).inc_by(missed);
        }
        let steps = record.steps;
        let times = [steps.data_ms, steps.decided_ms, steps.signed_ms, steps.submitted_ms];
        for (step, at) in STEPS.into_iter().zip(times) {
            if let Some(at) = at {
                self.step_seconds.get_or_create(&StepLabel { kind, step }).observe(f64::from(at) / 1_000.0);
            }
        }
        if let Some((round, _)) = record.decided_by {
            self.rounds.get_or_create(&DutyLabel { kind }).observe(f64::from(round));
        }
        for (operator, _) in &record.participants {
            self.participation.get_or_create(&OperatorLabel { operator_id: operator.0, kind }).inc();
        }
        for operator in &record.bad {
            self.bad_partials.get_or_create(&OperatorLabel { operator_id: operator.0, kind }).inc();
        }
    }
}

fn into_slot() -> Histogram {
    Histogram::new([0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 4.25, 4.5, 5.0, 6.0, 8.0, 8.5, 9.0, 12.0, 24.0])
}
