//! From the files of a run to its report.

use std::collections::BTreeMap;
use std::path::Path;

use cluster_core::committee::OperatorId;

use super::checker::Checker;
use super::report::OperatorFigures;
use super::setup::Files;
use super::signed::check_log;
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
pub fn collect(dir: &Path, operators: &[OperatorId], checker: &mut Checker) -> std::io::Result<OperatorResults> {
    let mut results = OperatorResults::default();
    for operator in operators {
        let files = Files::of(dir, *operator);
        let mut figures = OperatorFigures::new(*operator);
        stats::sum(&files.stats, &mut figures)?;
        check_log(&files.signed, *operator, checker)?;
        results.operators.push(figures);
    }
    Ok(results)
}
