//! Shows one run: bars on a terminal, otherwise one plain line per epoch.

use super::bars::{Bars, SHARES, style};
use crate::cli::advice;
use crate::engine::BatchStats;
use crate::number::{counted, exact, rate};
use crate::record::{Change, EpochRow, Status, StepRow};
use crate::train::{Event, Observer, Outcome, Reason, Started};
use anyhow::Result;
use indicatif::ProgressBar;
use std::time::Instant;

/// Shows one run.
pub struct Progress<'a> {
    bars: &'a Bars,
    /// The run's name, if there are several.
    label: Option<String>,
    epochs: ProgressBar,
    batches: ProgressBar,
    epoch: u64,
    /// Images of the current epoch that an earlier process trained on.
    earlier: usize,
    /// When this process started the epoch.
    since: Instant,
    /// The position of the overall bar at the start.
    before: u64,
}

impl Observer for Progress<'_> {
    fn observe(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::Started(started) => self.start(started),
            Event::Step { row, so_far } => self.step(row, so_far),
            Event::Epoch(row) => self.epoch(row),
            Event::Checkpoint { checkpoint, reason: Reason::Asked } => {
                self.bars.line(&format!("saved after {}", counted(checkpoint.state.step, "step")));
            }
            Event::Changed(change) => self.changed(change),
            Event::Warning(message) => self.bars.warn(&format!("{}warning: {message}", self.prefix())),
            Event::Finished(outcome) => self.finish(outcome),
            // The caller reports the error.
            Event::Checkpoint { .. } | Event::Failed(_) => {}
        }
        Ok(())
    }
}

impl<'a> Progress<'a> {
    /// `label` is the run's name if there are several; `before`: the position of the overall bar.
    pub(super) fn new(bars: &'a Bars, label: Option<&str>, before: u64) -> Self {
        Self {
            bars,
            label: label.map(str::to_string),
            epochs: ProgressBar::hidden(),
            batches: ProgressBar::hidden(),
            epoch: 0,
            earlier: 0,
            since: Instant::now(),
            before,
        }
    }

    fn start(&mut self, start: &Started<'_>) {
        let (config, at) = (start.config, start.state);
        let course = &at.course;
        let what = format!(
            "{} on {} {} images, {} parameters, {} engine",
            config.model, start.train_images, config.dataset, start.trainable_parameters, config.engine,
        );
        let steps = counted(start.steps_per_epoch, "step");
        let length = format!("{} of {steps}", counted(course.epochs, "epoch"));
        match &self.label {
            Some(name) => {
                if self.bars.introduce() {
                    self.bars.line(&format!("{what}; {length}"));
                }
                let place = self.bars.place().map_or(String::new(), |(at, of)| format!("run {at}/{of}: "));
                // Printed once, before the epoch lines.
                let room = |columns: usize| columns.saturating_sub(place.len()).max(20);
                self.bars.speaker().fitted(|columns| format!("{place}{}", shortened(name, room(columns))));
            }
            None => {
                self.bars.line(&what);
                let (optimizer, lr) = (&config.optimizer, exact(course.lr));
                self.bars.line(&format!("{optimizer} at {lr}, {}; {length}", course.schedule));
            }
        }
        if at.step > 0 {
            self.bars.line(&format!("resumed in epoch {} after {}", at.epoch, counted(at.step, "step")));
        }
        for note in &start.notes {
            self.bars.line(&format!("note: {note}"));
        }
        self.epochs = self.bars.multi.add(ProgressBar::new(course.epochs * start.steps_per_epoch));
        self.epochs.set_style(style("epoch {prefix:<11} {wide_bar:.cyan/dim} {elapsed} elapsed, {left} left"));
        self.batches = self.bars.multi.add(ProgressBar::new(start.steps_per_epoch));
        self.batches.set_style(style("batch {pos:>5}/{len:<5} {wide_bar:.blue/dim} {msg}"));
        self.epochs.set_prefix(format!("{:>5}/{}", at.epoch + 1, course.epochs));
        if at.step > 0 {
            self.epochs.set_position(at.step);
            self.epochs.reset_eta();
            self.batches.set_position(at.step - at.epoch * start.steps_per_epoch);
        }
        (self.epoch, self.earlier, self.since) = (at.epoch, at.sums.images, Instant::now());
    }

    fn step(&mut self, row: &StepRow, so_far: &BatchStats) {
        if row.epoch != self.epoch {
            (self.epoch, self.earlier) = (row.epoch, 0);
            self.batches.reset();
            let epochs = self.epochs.length().unwrap_or(0) / self.batches.length().unwrap_or(1).max(1);
            self.epochs.set_prefix(format!("{:>5}/{epochs}", row.epoch + 1));
        }
        self.epochs.inc(1);
        if let Some(runs) = &self.bars.runs {
            // The last step stops just short of done; `run_done` completes the bar.
            let share = (row.step + 1) * SHARES / self.epochs.length().unwrap_or(1).max(1);
            runs.set_position(self.before + share.clamp(1, SHARES - 1));
        }
        self.batches.inc(1);
        let speed = (so_far.images - self.earlier) as f64 / self.since.elapsed().as_secs_f64().max(1e-3);
        let (loss, accuracy) = (so_far.loss(), so_far.accuracy());
        let lr = rate(row.learning_rate);
        self.batches.set_message(format!("loss {loss:.4} acc {accuracy:.3} lr {lr} {speed:.0} img/s"));
    }

    fn epoch(&mut self, row: &EpochRow) {
        // The next epoch starts now, not at its first reported step.
        self.since = Instant::now();
        self.bars.speaker().fitted(|columns| epoch_line(row, columns));
    }

    fn changed(&mut self, change: &Change) {
        let (setting, from, to) = (change.setting(), change.from_text(), change.to_text());
        let Change { step, epoch, .. } = change;
        let name = self.prefix();
        self.bars.warn(&format!("{name}changed from step {step} (epoch {epoch}) on: {setting}: {from} -> {to}"));
    }

    fn finish(&mut self, outcome: &Outcome) {
        self.epochs.finish_and_clear();
        self.batches.finish_and_clear();
        if outcome.status == Status::Finished {
            self.bars.line(&format!(
                "test_loss {}  test_accuracy {}  in {:.1} s",
                optional(outcome.results.test_loss),
                optional(outcome.results.test_accuracy),
                outcome.results.seconds.unwrap_or_default(),
            ));
            if let Some(verdict) = &outcome.verdict {
                self.bars.warn(&format!("warning: {}{}", self.prefix(), advice::verdict(verdict)));
            }
        } else if let Some(verdict) = outcome.verdict.as_ref().filter(|_| outcome.stop.is_none()) {
            self.bars.line(&advice::verdict(verdict));
        }
    }

    /// The prefix of messages that stand apart from the run's other lines.
    fn prefix(&self) -> String {
        self.label.as_ref().map_or(String::new(), |name| format!("{name}: "))
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        // A failed run leaves no bar behind.
        self.epochs.finish_and_clear();
        self.batches.finish_and_clear();
    }
}

/// Shortens `name` to at most `room` characters, keeping both ends: these distinguish runs.
fn shortened(name: &str, room: usize) -> String {
    let length = name.chars().count();
    if length <= room {
        return name.to_string();
    }
    let kept = room.saturating_sub(1);
    let (head, tail) = (kept - kept / 2, kept / 2);
    name.chars().take(head).chain(['…']).chain(name.chars().skip(length - tail)).collect()
}

/// The line of an epoch in at most `room` columns: the least important fields are dropped first.
fn epoch_line(row: &EpochRow, room: usize) -> String {
    let accuracies = |accuracy: &str| {
        let (training, validation) = (format!("{accuracy} {:.4}", row.accuracy), optional(row.val_accuracy));
        (training, format!("val_{accuracy} {validation}"))
    };
    let cells = |accuracy: &str, speed: &str| {
        let (training, validation) = accuracies(accuracy);
        // Drop priority of each field; 0 is never dropped.
        vec![
            (0, format!("epoch {:>3}", row.epoch)),
            (0, format!("loss {:.4}", row.loss)),
            (3, training),
            (4, format!("val_loss {}", optional(row.val_loss))),
            (0, validation),
            (5, format!("lr {}", rate(row.learning_rate))),
            (1, format!("{:.0} {speed}", row.images_per_second)),
            (2, format!("{:.1} s", row.seconds)),
        ]
    };
    let join = |cells: &[(u8, String)]| cells.iter().map(|(_, cell)| cell.as_str()).collect::<Vec<_>>().join("  ");
    let fits = |line: &str| line.chars().count() <= room;
    let mut line = join(&cells("accuracy", "images/s"));
    let mut cells = cells("acc", "img/s");
    for sooner in 0..=5 {
        if fits(&line) {
            break;
        }
        cells.retain(|(soon, _)| sooner == 0 || *soon != sooner);
        line = join(&cells);
    }
    line
}

fn optional(value: Option<f64>) -> String {
    value.map_or("-".to_string(), |value| format!("{value:.4}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(learning_rate: f64) -> EpochRow {
        EpochRow {
            epoch: 123,
            learning_rate,
            loss: 2.25,
            accuracy: 0.1,
            val_loss: Some(2.25),
            val_accuracy: Some(0.1),
            step: 100,
            images_per_second: 12345.6,
            seconds: 123.45,
            ..EpochRow::default()
        }
    }

    #[test]
    fn the_line_of_an_epoch_fits_the_terminal_and_keeps_loss_and_validation_accuracy() {
        for room in [60, 80, 100, 140] {
            for lr in [0.1, 3.14159e-5] {
                let line = epoch_line(&row(lr), room);
                assert!(line.chars().count() <= room, "{room}: {line}");
                assert!(line.starts_with("epoch 123  loss 2.2500  ") && line.contains("acc"), "{line}");
            }
        }
        let whole = "epoch 123  loss 2.2500  accuracy 0.1000  val_loss 2.2500  val_accuracy 0.1000  lr 3.142e-5  12346 images/s  123.5 s";
        assert_eq!(epoch_line(&row(3.14159e-5), usize::MAX), whole, "a file has no width");
        assert_eq!(
            epoch_line(&row(0.1), 80),
            "epoch 123  loss 2.2500  acc 0.1000  val_loss 2.2500  val_acc 0.1000  lr 0.1"
        );
    }

    #[test]
    fn a_long_name_keeps_both_its_ends() {
        assert_eq!(shortened("sgd_cosine_lr=0.1_seed=0", 80), "sgd_cosine_lr=0.1_seed=0");
        let name = "sgd_momentum=0.9_piecewise_milestones=50%,75%,factor=0.1_lr=0.1_seed=12";
        let short = shortened(name, 30);
        assert!(
            short.chars().count() == 30 && short.starts_with("sgd_momentum") && short.ends_with("_seed=12"),
            "{short}"
        );
    }
}
