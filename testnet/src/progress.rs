//! What a person sees while a demo runs: bars in a terminal, lines elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use cluster_core::dkg::Step;
use cluster_service::events::{CeremonyEvent, EventKind};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Shows how far the operators are in each step.
pub struct Progress {
    operators: usize,
    began: Instant,
    entered: BTreeMap<u32, Step>,
    passed: BTreeSet<Step>,
    bars: Option<BTreeMap<Step, ProgressBar>>,
    spinner: Option<ProgressBar>,
}

impl Progress {
    /// For a committee of this size.
    #[must_use]
    pub fn new(operators: usize) -> Self {
        let bars = std::io::stdout().is_terminal().then(|| step_bars(operators));
        Self {
            operators,
            began: Instant::now(),
            entered: BTreeMap::new(),
            passed: BTreeSet::new(),
            bars,
            spinner: None,
        }
    }

    /// Says what is being waited for before the ceremony begins.
    pub fn waiting(&mut self, text: &str) {
        if self.bars.is_none() {
            println!("{text}");
            return;
        }
        let spinner = ProgressBar::new_spinner().with_message(text.to_owned());
        spinner.enable_steady_tick(Duration::from_millis(100));
        self.spinner = Some(spinner);
    }

    /// The ceremony begins.
    pub fn begin(&mut self) {
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
        }
        self.began = Instant::now();
    }

    /// Takes one event of the service.
    pub fn see(&mut self, event: &CeremonyEvent) {
        match event.body.kind {
            EventKind::Progress => self.see_step(event),
            EventKind::Aborted => {
                let reason = event.body.reason.as_deref().unwrap_or("no reason was given");
                self.line(&format!("operator {} gave up: {reason}", event.body.operator_id.unwrap_or(0)));
            }
            EventKind::Incomplete => {
                let missing: Vec<String> = event.body.missing_operators.iter().map(u32::to_string).collect();
                self.line(&format!("published without operator {}", missing.join(", ")));
            }
            EventKind::Ready => {
                // Reports of steps may still be on their way when the result is there.
                for bar in self.bars.iter().flat_map(BTreeMap::values) {
                    bar.set_position(self.operators as u64);
                }
                self.line("published; all operators hold their shares");
            }
            EventKind::Expired => self.line("the request expired before the ceremony had a result"),
            EventKind::Requested => self.line("the service took the request"),
        }
    }

    /// Leaves the bars as they are.
    pub fn end(&mut self) {
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
        }
        for bar in self.bars.iter().flat_map(BTreeMap::values) {
            bar.abandon();
        }
    }

    fn see_step(&mut self, event: &CeremonyEvent) {
        let step = event.body.step.as_deref().and_then(|step| step.parse::<Step>().ok());
        let (Some(operator), Some(step)) = (event.body.operator_id, step) else { return };
        let entered = self.entered.entry(operator).or_insert(step);
        *entered = step.max(*entered);
        for culprit in &event.body.culprits {
            self.line(&format!("operator {operator} names operator {}: {}", culprit.operator_id, culprit.kind));
        }
        for step in Step::ALL {
            let through =
                self.entered.values().filter(|entered| **entered > step && **entered != Step::Aborted).count();
            if let Some(bar) = self.bars.as_ref().and_then(|bars| bars.get(&step)) {
                bar.set_position(through as u64);
            }
            if through == self.operators && self.passed.insert(step) && self.bars.is_none() {
                self.line(&format!("{:<9} {through} of {} operators", step.name(), self.operators));
            }
        }
    }

    fn line(&self, text: &str) {
        let line = format!("{:>7.3} s  {text}", self.began.elapsed().as_secs_f64());
        match self.bars.as_ref().and_then(|bars| bars.values().next()) {
            Some(bar) => bar.println(line),
            None => println!("{line}"),
        }
    }
}

fn step_bars(operators: usize) -> BTreeMap<Step, ProgressBar> {
    let bars = MultiProgress::new();
    let style = ProgressStyle::with_template("{prefix:<9} [{bar:26}] {pos} of {len} operators");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ");
    let bar = |step: Step| {
        let bar = bars.add(ProgressBar::new(operators as u64).with_style(style.clone()).with_prefix(step.name()));
        bar.tick();
        (step, bar)
    };
    Step::ALL.into_iter().map(bar).collect()
}
