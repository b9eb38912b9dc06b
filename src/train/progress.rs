//! Progress on stderr: bars on a terminal, one plain line an epoch elsewhere.

use super::checkpoint::Checkpoint;
use super::number::short;
use super::observer::{Observer, Reason, Start};
use super::run::Outcome;
use crate::engine::BatchStats;
use crate::record::{Change, EpochRow, Status, StepRow};
use crate::usage;
use crate::usage::{Usage, one_line, shortened};
use anyhow::Result;
use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Instant;

/// `--progress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProgressMode {
    /// Bars where stderr is a terminal, plain lines elsewhere.
    #[default]
    Auto,
    Bar,
    Plain,
    None,
}

impl FromStr for ProgressMode {
    type Err = Usage;

    fn from_str(text: &str) -> Result<Self, Usage> {
        match text {
            "auto" => Ok(ProgressMode::Auto),
            "bar" => Ok(ProgressMode::Bar),
            "plain" => Ok(ProgressMode::Plain),
            "none" => Ok(ProgressMode::None),
            _ => usage!("progress is one of auto, bar, plain, none; got `{text}`", text = shortened(text)),
        }
    }
}

/// What one run counts on the bar over all runs, so that the bar moves, and the time left is known, before the first is done.
const SHARES: u64 = 10_000;

/// The bars of a whole command: one over its runs, if there are several, and two for the run that is going on.
pub struct Bars {
    mode: ProgressMode,
    multi: MultiProgress,
    runs: Option<ProgressBar>,
    done: Cell<u64>,
}

impl Bars {
    /// `runs`: how many there are to do, for a bar over all of them.
    pub fn new(mode: ProgressMode, runs: Option<u64>) -> Self {
        let mode = match mode {
            ProgressMode::Auto if std::io::stderr().is_terminal() => ProgressMode::Bar,
            ProgressMode::Auto => ProgressMode::Plain,
            chosen => chosen,
        };
        let target =
            if mode == ProgressMode::Bar { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let multi = MultiProgress::with_draw_target(target);
        let runs = runs.map(|count| {
            let bar = multi.add(ProgressBar::new(count * SHARES));
            bar.set_style(style("runs  {prefix:<11} {wide_bar:.green/dim} {elapsed} gone, {left} left"));
            bar.set_prefix(format!("{:>5}/{count}", 0));
            // indicatif panics where the system refuses its thread; without one the bar still moves with the batches.
            if std::thread::Builder::new().spawn(|| {}).is_ok_and(|thread| thread.join().is_ok()) {
                bar.enable_steady_tick(std::time::Duration::from_secs(1));
            }
            bar
        });
        Self { mode, multi, runs, done: Cell::new(0) }
    }

    /// The observer of one run. `label` stands before its lines where there are several runs.
    pub fn run(&self, label: Option<&str>) -> Progress<'_> {
        Progress {
            bars: self,
            label: label.map_or(String::new(), |label| format!("{label}: ")),
            epochs: ProgressBar::hidden(),
            batches: ProgressBar::hidden(),
            epoch: 0,
            earlier: 0,
            since: Instant::now(),
            before: self.done.get() * SHARES,
        }
    }

    /// A bar over the iterations of what is no run of epochs; hidden where there are no bars.
    pub fn iterations(&self, count: u64) -> ProgressBar {
        let bar = self.multi.add(ProgressBar::new(count));
        bar.set_style(style("{pos:>5}/{len:<5} {wide_bar:.blue/dim} {msg} {left} left"));
        bar
    }

    /// One more of the runs is done.
    pub fn run_done(&self) {
        if let Some(runs) = &self.runs {
            let done = self.done.get() + 1;
            self.done.set(done);
            runs.set_position(done * SHARES);
            runs.set_prefix(format!("{done:>5}/{}", runs.length().unwrap_or(0) / SHARES));
        }
    }

    /// What writes lines above the bars, from any thread.
    pub fn speaker(&self) -> Speaker {
        Speaker { mode: self.mode, multi: self.multi.clone() }
    }

    /// One line on stderr whatever `--progress` says: something went wrong.
    pub fn warn(&self, text: &str) {
        self.speaker().warn(text);
    }

    /// One line on stderr, above the bars.
    pub fn line(&self, text: &str) {
        self.speaker().line(text);
    }

    /// Whether nothing but warnings is written.
    pub fn are_silent(&self) -> bool {
        self.mode == ProgressMode::None
    }

    /// Whether there are bars on a terminal.
    pub fn are_shown(&self) -> bool {
        self.mode == ProgressMode::Bar && !self.multi.is_hidden()
    }
}

/// Writes lines to stderr, above the bars where there are some.
#[derive(Debug, Clone)]
pub struct Speaker {
    mode: ProgressMode,
    multi: MultiProgress,
}

impl Speaker {
    /// One line whatever `--progress` says.
    pub fn warn(&self, text: &str) {
        if self.mode == ProgressMode::None {
            drop(writeln!(std::io::stderr(), "{}", one_line(text)))
        } else {
            self.line(text)
        }
    }

    /// A line below the bars whose text may change, until it is cleared.
    pub fn prompt(&self) -> ProgressBar {
        let prompt = self.multi.add(ProgressBar::new_spinner());
        prompt.set_style(style("{msg}"));
        prompt
    }

    /// One line, unless `--progress none`.
    pub fn line(&self, text: &str) {
        let text = one_line(text);
        match self.mode {
            ProgressMode::None => {}
            // indicatif swallows lines while its target is hidden, as it is where `bar` was asked for on a pipe.
            ProgressMode::Bar if !self.multi.is_hidden() => drop(self.multi.println(text)),
            // Progress that nobody reads any more must not end a run.
            _ => drop(writeln!(std::io::stderr(), "{text}")),
        }
    }
}

/// Shows one run.
pub struct Progress<'a> {
    bars: &'a Bars,
    label: String,
    epochs: ProgressBar,
    batches: ProgressBar,
    epoch: u64,
    /// Images of the epoch that an earlier process trained on.
    earlier: usize,
    /// When this process began with the epoch.
    since: Instant,
    /// Where the bar over all runs stood at the start.
    before: u64,
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).expect("the templates are constants");
    style.with_key("left", left).progress_chars("━━─")
}

/// The time left, as far as it can be known: nothing has been measured at the beginning.
fn left(state: &ProgressState, to: &mut dyn std::fmt::Write) {
    let unknown = state.eta().is_zero() && Some(state.pos()) < state.len();
    // A terminal line cannot fail.
    let _ = if unknown { write!(to, "?") } else { write!(to, "{:#}", HumanDuration(state.eta())) };
}

impl Observer for Progress<'_> {
    fn start(&mut self, start: &Start<'_>) -> Result<()> {
        let (config, at) = (start.config, start.position);
        let course = &at.course;
        self.bars.line(&format!(
            "{}{} on {} {} images, {} parameters; {} at {}, {}; {} epochs of {} steps; {} engine",
            self.label,
            config.model,
            start.train_images,
            config.dataset,
            start.trainable_parameters,
            config.optimizer,
            course.lr,
            course.schedule,
            course.epochs,
            start.steps_per_epoch,
            config.engine,
        ));
        if at.step > 0 {
            self.bars.line(&format!("{}going on in epoch {} after {} steps", self.label, at.epoch, at.step));
        }
        for note in &start.notes {
            self.bars.line(&format!("{}note: {note}", self.label));
        }
        self.epochs = self.bars.multi.add(ProgressBar::new(course.epochs * start.steps_per_epoch));
        self.epochs.set_style(style("epoch {prefix:<11} {wide_bar:.cyan/dim} {elapsed} gone, {left} left"));
        self.batches = self.bars.multi.add(ProgressBar::new(start.steps_per_epoch));
        self.batches.set_style(style("batch {pos:>5}/{len:<5} {wide_bar:.blue/dim} {msg}"));
        self.epochs.set_prefix(format!("{:>5}/{}", at.epoch + 1, course.epochs));
        if at.step > 0 {
            self.epochs.set_position(at.step);
            self.epochs.reset_eta();
            self.batches.set_position(at.step - at.epoch * start.steps_per_epoch);
        }
        (self.epoch, self.earlier, self.since) = (at.epoch, at.sums.images, Instant::now());
        Ok(())
    }

    fn step(&mut self, row: &StepRow, so_far: &BatchStats) -> Result<()> {
        if row.epoch != self.epoch {
            (self.epoch, self.earlier) = (row.epoch, 0);
            self.batches.reset();
            let epochs = self.epochs.length().unwrap_or(0) / self.batches.length().unwrap_or(1).max(1);
            self.epochs.set_prefix(format!("{:>5}/{epochs}", row.epoch + 1));
        }
        self.epochs.inc(1);
        if let Some(runs) = &self.bars.runs {
            // The last step of a run leaves it just short of done, which only `run_done` says.
            let share = (row.step + 1) * SHARES / self.epochs.length().unwrap_or(1).max(1);
            runs.set_position(self.before + share.clamp(1, SHARES - 1));
        }
        self.batches.inc(1);
        let speed = (so_far.images - self.earlier) as f64 / self.since.elapsed().as_secs_f64().max(1e-3);
        self.batches.set_message(format!(
            "loss {:.4} acc {:.3} lr {} {speed:.0} img/s",
            so_far.loss(),
            so_far.accuracy(),
            short(row.learning_rate),
        ));
        Ok(())
    }

    fn epoch(&mut self, row: &EpochRow) -> Result<()> {
        // The next begins now, not with the first step that is heard of.
        self.since = Instant::now();
        self.bars.line(&format!(
            "{}epoch {:>3}  loss {:.4}  accuracy {:.4}  val_loss {}  val_accuracy {}  lr {}  {:.0} images/s  {:.1} s",
            self.label,
            row.epoch,
            row.loss,
            row.accuracy,
            optional(row.val_loss),
            optional(row.val_accuracy),
            short(row.learning_rate),
            row.images_per_second,
            row.seconds,
        ));
        Ok(())
    }

    fn checkpoint(&mut self, checkpoint: &Arc<Checkpoint>, reason: Reason) -> Result<()> {
        if reason == Reason::Asked {
            self.bars.line(&format!("{}saved after {} steps", self.label, checkpoint.position.step));
        }
        Ok(())
    }

    fn changed(&mut self, change: &Change) -> Result<()> {
        let Change { setting, from, to, step, epoch, .. } = change;
        self.bars
            .warn(&format!("{}changed from step {step} (epoch {epoch}) on: {setting}: {from} -> {to}", self.label));
        Ok(())
    }

    fn finish(&mut self, outcome: &Outcome) -> Result<()> {
        self.epochs.finish_and_clear();
        self.batches.finish_and_clear();
        if outcome.status == Status::Finished {
            self.bars.line(&format!(
                "{}test_loss {}  test_accuracy {}  in {:.1} s",
                self.label,
                optional(outcome.test_loss),
                optional(outcome.test_accuracy),
                outcome.seconds,
            ));
            if let Some(message) = &outcome.message {
                self.bars.warn(&format!("warning: {}{message}", self.label));
            }
        } else if let Some(message) = outcome.message.as_ref().filter(|_| outcome.stop.is_none()) {
            self.bars.line(&format!("{}{message}", self.label));
        }
        Ok(())
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        // A run that failed leaves no bar behind.
        self.epochs.finish_and_clear();
        self.batches.finish_and_clear();
    }
}

fn optional(value: Option<f64>) -> String {
    value.map_or("-".to_string(), |value| format!("{value:.4}"))
}
