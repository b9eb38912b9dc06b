//! Shows one run: bars on a terminal, otherwise one plain line per epoch.

use super::bars::Bars;
use super::lines::{
    EpochLayout, Label, Numbers, Place, beside, decimals, epoch_line, group_lines, named, one_or_two, optional,
};
use crate::cli::advice;
use crate::data::Augment;
use crate::engine::BatchStats;
use crate::number::{counted, exact, rate, significant};
use crate::record::{Change, EpochRow, Results, Status, StepRow};
use crate::train::{Event, Observer, Outcome, Reason, Started, Verdict};
use anyhow::Result;
use indicatif::ProgressBar;
use std::cell::Cell;
use std::time::Instant;

/// Shows one run.
pub struct Progress<'a> {
    bars: &'a Bars,
    /// If there are several runs.
    label: Option<Label>,
    shown: Shown,
    epochs: u64,
    steps_per_epoch: u64,
    epoch: u64,
    /// Images of the current epoch that an earlier process trained on.
    earlier: usize,
    /// When this process started the epoch.
    since: Instant,
    layout: Cell<EpochLayout>,
}

/// The bars of a run.
enum Shown {
    /// Before it begins and after it ends.
    Nothing,
    /// Of the only run at a time.
    Pair { epochs: ProgressBar, batches: ProgressBar },
    /// Of one of several runs at once; one that found no room on the terminal shows nothing.
    Row(ProgressBar),
}

impl Observer for Progress<'_> {
    fn observe(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::Started(started) => self.start(started),
            Event::Step { row, so_far } => self.step(row, so_far),
            Event::Epoch(row) => self.epoch(row),
            Event::Checkpoint { checkpoint, reason: Reason::Asked } => {
                self.line(&format!("saved after {}", counted(checkpoint.state.step, "step")));
            }
            Event::Changed(change) => self.changed(change),
            Event::Warning(message) => self.bars.warn(&self.warning(message)),
            Event::Finished(outcome) => self.finish(outcome),
            // The caller reports the error.
            Event::Checkpoint { .. } | Event::Failed(_) => {}
        }
        Ok(())
    }
}

/// The columns that a batch needs with its speed: `batch    12/352   ━ loss 2.3026 acc 0.100 lr 0.0001234 123456 img/s`.
const WITH_SPEED: usize = 68;

impl<'a> Progress<'a> {
    /// `label`: if there are several runs.
    pub(super) fn new(bars: &'a Bars, label: Option<Label>) -> Self {
        Self {
            bars,
            label,
            shown: Shown::Nothing,
            epochs: 0,
            steps_per_epoch: 0,
            epoch: 0,
            earlier: 0,
            since: Instant::now(),
            layout: Cell::default(),
        }
    }

    fn start(&mut self, start: &Started<'_>) {
        let (config, at) = (start.config, start.state);
        let course = &at.course;
        (self.epochs, self.steps_per_epoch) = (course.epochs, start.steps_per_epoch);
        let augmented = match config.augment {
            Augment::NONE => String::new(),
            augment => format!(" with {augment}"),
        };
        let what = format!(
            "{} on {} {} images{}, {} parameters, {} engine",
            config.model, start.train_images, config.dataset, augmented, start.trainable_parameters, config.engine,
        );
        let steps = counted(start.steps_per_epoch, "step");
        let length = format!("{} of {steps}", counted(course.epochs, "epoch"));
        // Runs that begin at the same time print their lines in turn.
        let mut introduced = self.bars.introduced();
        self.bars.begin(self.name(), self.share(at.step));
        match &self.label {
            Some(label) => {
                // Those of an optimizer for matrices are its own.
                let common = match introduced.is_empty() {
                    true => one_or_two(&what, &length, self.bars.speaker().columns()),
                    false => Vec::new(),
                };
                for line in common.into_iter().chain(beside(config)).chain(group_lines(start.grouping)) {
                    if introduced.insert(line.clone()) {
                        self.bars.line(&line);
                    }
                }
                if !self.bars.are_of_runs() {
                    self.bars.line(&label.introduction());
                }
            }
            None => {
                self.bars.line(&what);
                let at = match course.own_peak(config.semantics, start.steps_per_epoch) {
                    Some(peak) => format!("at peak rate {}", significant(peak, 3)),
                    None => format!("at {}", exact(course.lr)),
                };
                self.bars.line(&format!("{} {at}, {}; {length}", config.optimizer, course.schedule));
                for line in beside(config).into_iter().chain(group_lines(start.grouping)) {
                    self.bars.line(&line);
                }
            }
        }
        if at.step > 0 {
            let steps = counted(at.step, "step");
            self.line(&match at.epoch < course.epochs {
                true => format!("resumed in epoch {} after {steps}", at.epoch),
                false => format!("resumed after the last epoch, {steps}"),
            });
        }
        for note in &start.notes {
            // Of several runs, once.
            if self.label.is_none() || introduced.insert(note.clone()) {
                self.line(&format!("note: {note}"));
            }
        }
        drop(introduced);
        self.show(at.step, at.epoch);
        (self.epoch, self.earlier, self.since) = (at.epoch, at.sums.images, Instant::now());
    }

    /// Adds the bars of the run, which is at `step` in `epoch`.
    fn show(&mut self, step: u64, epoch: u64) {
        let steps = self.epochs * self.steps_per_epoch;
        if self.bars.are_shared() {
            if let Some(bar) = self.bars.add_row(steps, "{prefix} {wide_bar:.cyan/dim} {msg}") {
                if let Some(place) = self.place(epoch) {
                    bar.set_prefix(place.before_bar(self.bars.speaker().columns()));
                }
                bar.set_position(step);
                self.shown = Shown::Row(bar);
            }
            return;
        }
        let epochs = self.bars.add(steps, "epoch {prefix:<11} {wide_bar:.cyan/dim} {elapsed} elapsed, {left} left");
        let batches = self.bars.add(self.steps_per_epoch, "batch {pos:>5}/{len:<5} {wide_bar:.blue/dim} {msg}");
        epochs.set_prefix(format!("{:>5}/{}", epoch + 1, self.epochs));
        if step > 0 {
            epochs.set_position(step);
            epochs.reset_eta();
            batches.set_position(step - epoch * self.steps_per_epoch);
        }
        self.shown = Shown::Pair { epochs, batches };
    }

    fn step(&mut self, row: &StepRow, so_far: &BatchStats) {
        let next = row.epoch != self.epoch;
        if next {
            (self.epoch, self.earlier) = (row.epoch, 0);
        }
        self.bars.advance(self.name(), self.share(row.step + 1));
        if !self.bars.are_shown() {
            return;
        }
        let numbers = Numbers {
            loss: so_far.loss(),
            accuracy: so_far.accuracy(),
            learning_rate: row.learning_rate,
            images_per_second: (so_far.images - self.earlier) as f64 / self.since.elapsed().as_secs_f64().max(1e-3),
        };
        match &self.shown {
            Shown::Nothing => {}
            Shown::Pair { epochs, batches } => {
                if next {
                    batches.reset();
                    epochs.set_prefix(format!("{:>5}/{}", row.epoch + 1, self.epochs));
                }
                epochs.inc(1);
                batches.inc(1);
                let Numbers { loss, accuracy, learning_rate, images_per_second } = numbers;
                let lr = rate(learning_rate);
                let message = format!("loss {} acc {accuracy:.3} lr {lr}", decimals(loss));
                let speed = format!(" {images_per_second:.0} img/s");
                let has_room = self.bars.speaker().columns() >= WITH_SPEED;
                batches.set_message(if has_room { message + &speed } else { message });
            }
            Shown::Row(bar) => {
                if let Some(place) = self.place(row.epoch) {
                    let columns = self.bars.speaker().columns();
                    bar.set_prefix(place.before_bar(columns));
                    bar.set_message(place.after_bar(&numbers, columns));
                }
                bar.inc(1);
            }
        }
    }

    fn epoch(&mut self, row: &EpochRow) {
        // The next epoch starts now, not at its first reported step.
        self.since = Instant::now();
        if !self.bars.are_of_runs() {
            self.fitted(|room| epoch_line(row, room, &self.layout));
        }
    }

    fn changed(&mut self, change: &Change) {
        let (setting, from, to) = (change.setting(), change.from_text(), change.to_text());
        let Change { step, epoch, .. } = change;
        let name = self.prefix();
        self.bars.warn(&format!("{name}changed from step {step} (epoch {epoch}) on: {setting}: {from} -> {to}"));
    }

    fn finish(&mut self, outcome: &Outcome) {
        self.hide();
        if outcome.status == Status::Finished {
            let accuracy = match &self.label {
                Some(_) if self.bars.are_of_runs() => {
                    format!("val_accuracy {}  ", optional(outcome.results.val_accuracy))
                }
                _ => String::new(),
            };
            self.end(&format!("{accuracy}{}", finished(&outcome.results)));
            // Of many runs, the verdicts on the entrants say it once.
            let said_later =
                |verdict: &&Verdict| matches!(verdict, Verdict::LearnedNothing { .. }) && self.label.is_some();
            if let Some(verdict) = outcome.verdict.as_ref().filter(|verdict| !said_later(verdict)) {
                self.bars.warn(&self.warning(&advice::verdict(verdict)));
            }
        } else if let Some(verdict) = outcome.verdict.as_ref().filter(|_| outcome.stop.is_none()) {
            self.end(&advice::verdict(verdict));
        }
    }

    /// Prints how it ended; if that is the only line of the run, behind its name.
    fn end(&self, text: &str) {
        match self.label.as_ref().filter(|_| self.bars.are_of_runs()) {
            Some(label) => self.bars.line(&format!("{}: {text}", label.introduction())),
            None => self.line(text),
        }
    }

    /// Removes the bars.
    fn hide(&mut self) {
        match std::mem::replace(&mut self.shown, Shown::Nothing) {
            Shown::Nothing => {}
            Shown::Pair { epochs, batches } => {
                self.bars.remove(&epochs);
                self.bars.remove(&batches);
            }
            Shown::Row(bar) => self.bars.remove_row(&bar),
        }
    }

    /// Prints a line, which names its run if several are trained at once.
    fn line(&self, text: &str) {
        self.fitted(|_| text.to_string());
    }

    /// As [`Progress::line`], with a text that fits the columns it gets.
    fn fitted(&self, text: impl Fn(usize) -> String) {
        let label = self.label.as_ref().filter(|_| self.bars.are_shared());
        self.bars.speaker().fitted(|columns| match label {
            Some(label) => named(label, self.bars.longest(), columns, &text),
            None => text(columns),
        });
    }

    /// The prefix of messages that stand apart from the run's other lines.
    fn prefix(&self) -> String {
        self.label.as_ref().map_or(String::new(), |label| format!("{}: ", label.name))
    }

    /// A warning, behind the run's name if there are several.
    fn warning(&self, message: &str) -> String {
        format!("{}warning: {message}", self.prefix())
    }

    /// The run's key in the work of the command.
    fn name(&self) -> &str {
        self.label.as_ref().map_or("", |label| &label.name)
    }

    /// The share of the run that is done after `steps`.
    fn share(&self, steps: u64) -> f64 {
        steps as f64 / (self.epochs * self.steps_per_epoch).max(1) as f64
    }

    /// `None` for the only run.
    fn place(&self, epoch: u64) -> Option<Place<'_>> {
        let (longest, epochs) = (self.bars.longest(), self.epochs);
        self.label.as_ref().map(|label| Place { label, longest, epoch: epoch + 1, epochs })
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        // A failed run leaves no bar behind.
        self.hide();
        self.bars.leave(self.name());
    }
}

/// The line at the end of a run; those that choose are not tested.
fn finished(results: &Results) -> String {
    let seconds = results.seconds.unwrap_or_default();
    match (results.test_loss, results.test_accuracy) {
        (None, None) => format!("finished in {seconds:.1} s"),
        (loss, accuracy) => {
            format!("test_loss {}  test_accuracy {}  in {seconds:.1} s", optional(loss), optional(accuracy))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ProgressMode;

    #[test]
    fn a_warning_about_one_of_several_runs_begins_with_its_name() {
        let bars = Bars::of_runs(ProgressMode::None, 2, 2, 1);
        let label = Label { name: "a".to_string(), number: 1, of: 2, role: None };
        assert_eq!(bars.run(Some(label)).warning("it is late"), "a: warning: it is late");
        assert_eq!(Bars::new(ProgressMode::None).run(None).warning("it is late"), "warning: it is late");
    }

    #[test]
    fn a_run_that_was_not_tested_ends_without_empty_test_results() {
        let known = Results { seconds: Some(24.42), ..Results::default() };
        assert_eq!(finished(&known), "finished in 24.4 s");
        let tested = Results { test_loss: Some(1.5), test_accuracy: Some(0.5), ..known };
        assert_eq!(finished(&tested), "test_loss 1.5000  test_accuracy 0.5000  in 24.4 s");
    }
}
