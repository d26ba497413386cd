//! What a person sees while duties are performed: a line that changes in a terminal, lines that stay elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::observer::Standing;
use super::report::EpochFigures;

/// Says what is happening.
pub struct Progress {
    began: Instant,
    bar: Option<ProgressBar>,
    last_slot: u64,
    slots_per_epoch: u64,
    validators: u64,
}

impl Progress {
    /// For a run of so many slots.
    #[must_use]
    pub fn new(slots: u64, slots_per_epoch: u64, validators: u64) -> Self {
        let bar = std::io::stdout().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} [{bar:26}] slot {pos} of {len}  {msg}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ");
            let bar = ProgressBar::new(slots).with_style(style);
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { began: Instant::now(), bar, last_slot: slots.saturating_sub(1), slots_per_epoch, validators }
    }

    /// Something that stays on the screen.
    pub fn line(&self, text: &str) {
        let line = format!("{:>7.1} s  {text}", self.began.elapsed().as_secs_f64());
        match &self.bar {
            Some(bar) => bar.println(line),
            None => println!("{line}"),
        }
    }

    /// How the chain stands late in a slot.
    pub fn slot(&self, slot: u64, standing: Standing, finalized: Option<u64>) {
        let epoch = slot / self.slots_per_epoch;
        let due = self.validators * (slot % self.slots_per_epoch + 1) / self.slots_per_epoch;
        let finalized = finalized.map_or_else(|| "?".to_owned(), |epoch| epoch.to_string());
        let text = format!(
            "epoch {epoch}: {} of about {due} attestations seen; {} blocks in {slot} slots; epoch {finalized} is final",
            standing.attested, standing.blocks
        );
        match &self.bar {
            Some(bar) => {
                bar.set_position(slot);
                bar.set_message(text);
            }
            // Where lines stay, one for each half of an epoch is enough.
            None if slot.is_multiple_of(self.slots_per_epoch / 2) || slot == self.last_slot => {
                self.line(&format!("slot {slot:<3} {text}"));
            }
            None => {}
        }
    }

    /// The figures of an epoch, which are final.
    pub fn epoch(&self, figures: &EpochFigures) {
        let percent = |part: f64| format!("{:.1} %", part * 100.0);
        let mut text = format!(
            "epoch {}: source {}, target {}, head {}, {} of {} blocks, sync {}",
            figures.epoch,
            percent(figures.source),
            percent(figures.target),
            percent(figures.head),
            figures.blocks,
            figures.slots,
            percent(figures.sync)
        );
        if !figures.empty_slots.is_empty() {
            let slots: Vec<String> = figures.empty_slots.iter().map(ToString::to_string).collect();
            text.push_str(&format!("; no block in slot {}", slots.join(", ")));
        }
        self.line(&text);
    }

    /// Leaves the screen as it is.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
