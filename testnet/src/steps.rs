//! When operators entered the steps of ceremonies.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use cluster_core::ceremony::CeremonyId;
use cluster_core::committee::OperatorId;
use cluster_core::dkg::Step;
use cluster_node::driver::OnStep;

type Entered = BTreeMap<(CeremonyId, OperatorId), BTreeMap<Step, Instant>>;

/// Records the steps of all operators of one process; clones share the record.
#[derive(Clone, Debug, Default)]
pub struct StepClock {
    entered: Arc<Mutex<Entered>>,
    begun: Arc<Mutex<BTreeMap<(CeremonyId, OperatorId), u32>>>,
}

impl StepClock {
    /// The hook for one operator. The first time counts: a restart goes through the steps again.
    #[must_use]
    pub fn hook(&self, operator: OperatorId) -> OnStep {
        let clock = self.clone();
        Arc::new(move |ceremony_id, step, _| {
            if step == Step::Commit {
                let mut begun = clock.begun.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                *begun.entry((ceremony_id, operator)).or_default() += 1;
            }
            let mut entered = clock.lock();
            entered.entry((ceremony_id, operator)).or_default().entry(step).or_insert_with(Instant::now);
        })
    }

    /// How often each operator began a ceremony; those that never did are not among them.
    #[must_use]
    pub fn begun(&self, ceremony_id: CeremonyId) -> BTreeMap<OperatorId, u32> {
        let begun = self.begun.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let of = begun.iter().filter(|((ceremony, _), _)| *ceremony == ceremony_id);
        of.map(|((_, operator), times)| (*operator, *times)).collect()
    }

    /// Whether any operator has entered the step.
    #[must_use]
    pub fn has_entered(&self, ceremony_id: CeremonyId, step: Step) -> bool {
        let entered = self.lock();
        entered.iter().any(|((ceremony, _), steps)| *ceremony == ceremony_id && steps.contains_key(&step))
    }

    /// Milliseconds from entering each step to leaving it: the median over the operators that left it.
    #[must_use]
    pub fn medians_ms(&self, ceremony_id: CeremonyId) -> BTreeMap<Step, f64> {
        let entered = self.lock();
        let operators = entered.iter().filter(|((ceremony, _), _)| *ceremony == ceremony_id).map(|(_, steps)| steps);
        let mut spent: BTreeMap<Step, Vec<f64>> = Step::ALL.into_iter().map(|step| (step, Vec::new())).collect();
        for steps in operators {
            for (step, times) in &mut spent {
                // Several steps passed at once were left at the moment they were entered.
                let left = steps.range(*step..).find(|(later, _)| *later > step).map(|(_, at)| *at);
                if let (Some(entered), Some(left)) = (steps.get(step), left) {
                    times.push(left.saturating_duration_since(*entered).as_secs_f64() * 1_000.0);
                }
            }
        }
        spent.into_iter().map(|(step, times)| (step, median(times))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Entered> {
        self.entered.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The middle of the values, rounded to a hundredth; zero of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.get(values.len() / 2).copied().unwrap_or(0.0);
    (middle * 100.0).round() / 100.0
}
