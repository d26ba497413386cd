//! From the files of a run to its report.

use std::collections::BTreeMap;
use std::path::Path;

use cluster_core::committee::OperatorId;
use cluster_node::duties::record::{DutyRecord, Miss, Recorder};

use super::checker::Checker;
use super::report::OperatorFigures;
use super::setup::Files;
use super::signed::{check_log, read_lines, LineLog};
use super::stats;

/// What the operators' files say.
#[derive(Debug, Default)]
pub struct OperatorResults {
    /// Each operator.
    pub operators: Vec<OperatorFigures>,
    /// Milliseconds into the slot until the decision, by duty.
    pub decision_ms: BTreeMap<String, Vec<u64>>,
    /// Milliseconds into the slot until the result was submitted, by duty.
    pub submission_ms: BTreeMap<String, Vec<u64>>,
}

/// Reads the files of all operators, and has the checker read what they signed.
pub fn collect(
    dir: &Path,
    operators: &[OperatorId],
    genesis_ms: u64,
    checker: &mut Checker,
) -> std::io::Result<OperatorResults> {
    let mut results = OperatorResults::default();
    for operator in operators {
        let files = Files::of(dir, *operator);
        let mut figures = OperatorFigures::new(*operator);
        stats::sum(&files.stats, genesis_ms, &mut figures)?;
        read_lines(&files.records, &mut |record: Option<DutyRecord>| match record {
            Some(record) => results.add(&record, &mut figures),
            None => checker.unreadable(),
        })?;
        check_log(&files.signed, *operator, checker)?;
        results.operators.push(figures);
    }
    Ok(results)
}

impl OperatorResults {
    fn add(&mut self, record: &DutyRecord, figures: &mut OperatorFigures) {
        let kind = record.kind.name();
        if let Some(decided) = record.steps.decided_ms {
            self.decision_ms.entry(kind.to_owned()).or_default().push(decided.into());
        }
        if let Some(submitted) = record.steps.submitted_ms {
            self.submission_ms.entry(kind.to_owned()).or_default().push(submitted.into());
            *figures.submitted.entry(kind.to_owned()).or_default() += 1;
        }
        if let Some(reason) = record.miss.as_ref().map(Miss::name) {
            *figures.missed.entry(reason.to_owned()).or_default() += 1;
        }
    }
}

/// Writes the records of an operator to a file.
#[derive(Debug)]
pub struct RecordLog(pub LineLog);

impl Recorder for RecordLog {
    fn record(&self, record: DutyRecord) {
        if let Err(error) = self.0.append(&record) {
            tracing::error!(slot = record.slot.0, %error, "the record of a duty in slot {} is lost: {error}", record.slot);
        }
    }
}
