//! Progress on stderr: bars on a terminal, one plain line an epoch elsewhere. A command that has nothing else to write to stdout has its lines
//! there too, where that is no terminal: `lrsched train | tee log.txt`.

use crate::config::ProgressMode;
use crate::engine::BatchStats;
use crate::number::{counted, exact, rate};
use crate::record::{Change, EpochRow, Status, StepRow};
use crate::train::{Checkpoint, Observer, Outcome, Reason, Start};
use crate::usage::one_line;
use anyhow::Result;
use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Instant;

/// What one run counts on the bar over all runs, so that the bar moves, and the time left is known, before the first is done.
const SHARES: u64 = 10_000;

/// The bars of a whole command: one over its runs, if there are several, and two for the run that is going on.
pub struct Bars {
    /// Auto, as it was asked for, is chosen by what stdout and stderr are.
    asked: ProgressMode,
    mode: ProgressMode,
    stdout: Stdout,
    multi: MultiProgress,
    runs: Option<ProgressBar>,
    done: Cell<u64>,
    /// Whether it was said what all the runs have in common.
    introduced: Cell<bool>,
}

/// What lines of progress go to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stdout {
    /// None.
    Free,
    /// All of them, beside stderr.
    Too,
    /// All of them, and not to stderr.
    Instead,
}

impl Bars {
    /// `runs`: how many there are to do, for a bar over all of them.
    pub fn new(asked: ProgressMode, runs: Option<u64>) -> Self {
        let mode = match asked {
            ProgressMode::Auto if std::io::stderr().is_terminal() => ProgressMode::Bar,
            ProgressMode::Auto => ProgressMode::Plain,
            chosen => chosen,
        };
        let target =
            if mode == ProgressMode::Bar { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let multi = MultiProgress::with_draw_target(target);
        let runs = runs.map(|count| {
            let bar = multi.add(ProgressBar::new(count * SHARES));
            bar.set_style(style("runs  {prefix:<11} {wide_bar:.green/dim} {elapsed} elapsed, {left} left"));
            bar.set_prefix(format!("{:>5}/{count}", 0));
            // indicatif panics where the system refuses its thread; without one the bar still moves with the batches.
            if std::thread::Builder::new().spawn(|| {}).is_ok_and(|thread| thread.join().is_ok()) {
                bar.enable_steady_tick(std::time::Duration::from_secs(1));
            }
            bar
        });
        let (done, introduced) = (Cell::new(0), Cell::new(false));
        Self { asked, mode, stdout: Stdout::Free, multi, runs, done, introduced }
    }

    /// For a command that writes nothing else to stdout: where that is no terminal, the lines go there, too.
    #[must_use]
    pub fn and_stdout(mut self) -> Self {
        if self.mode == ProgressMode::None || std::io::stdout().is_terminal() || is_one_file() {
            return self;
        }
        self.stdout = Stdout::Too;
        // What reads the pipe most likely writes to the same terminal: bars would be torn, and every line be there twice.
        if std::io::stderr().is_terminal() && is_pipe() && self.asked != ProgressMode::Bar {
            (self.mode, self.stdout) = (ProgressMode::Plain, Stdout::Instead);
            self.multi.set_draw_target(ProgressDrawTarget::hidden());
        }
        self
    }

    /// The observer of one run. `label` stands before its lines where there are several runs.
    pub fn run(&self, label: Option<&str>) -> Progress<'_> {
        Progress {
            bars: self,
            label: label.map(str::to_string),
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

    /// Which of how many runs is going on; `None` where there is one.
    fn place(&self) -> Option<(u64, u64)> {
        Some((self.done.get() + 1, self.runs.as_ref()?.length()? / SHARES))
    }

    /// What writes lines above the bars, from any thread.
    pub fn speaker(&self) -> Speaker {
        Speaker { mode: self.mode, stdout: self.stdout, multi: self.multi.clone() }
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

/// Writes lines to stderr, above the bars where there are some, and to stdout where that was wanted.
#[derive(Debug, Clone)]
pub struct Speaker {
    mode: ProgressMode,
    stdout: Stdout,
    multi: MultiProgress,
}

impl Speaker {
    /// One line on stderr whatever `--progress` says.
    pub fn warn(&self, text: &str) {
        self.to_stderr(text);
    }

    /// A line below the bars whose text may change, until it is cleared.
    pub fn prompt(&self) -> ProgressBar {
        let prompt = self.multi.add(ProgressBar::new_spinner());
        prompt.set_style(style("{msg}"));
        prompt
    }

    /// One line, unless `--progress none`.
    pub fn line(&self, text: &str) {
        self.fitted(|_| text.to_string());
    }

    /// A line about the terminal: nothing for a log. Unless `--progress none`.
    pub fn hint(&self, text: &str) {
        if self.mode != ProgressMode::None && self.stdout != Stdout::Instead {
            self.to_stderr(text);
        }
    }

    /// One line that `text` makes for as many columns as there are, unless `--progress none`.
    fn fitted(&self, text: impl Fn(usize) -> String) {
        if self.mode == ProgressMode::None {
            return;
        }
        if self.stdout != Stdout::Instead {
            self.to_stderr(&text(self.columns()));
        }
        if self.stdout != Stdout::Free {
            let mut stdout = std::io::stdout().lock();
            // Progress that nobody reads any more must not end a run.
            let _ = writeln!(stdout, "{}", one_line(&text(usize::MAX))).and_then(|()| stdout.flush());
        }
    }

    fn to_stderr(&self, text: &str) {
        let text = one_line(text);
        // indicatif swallows lines while its target is hidden, as it is where `bar` was asked for on a pipe.
        if self.mode == ProgressMode::Bar && !self.multi.is_hidden() {
            let _ = self.multi.println(text);
        } else {
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }

    /// Of the terminal that lines go to; without an end where they go to a file.
    fn columns(&self) -> usize {
        let terminal = console::Term::stderr();
        let size = if terminal.is_term() { terminal.size_checked() } else { None };
        size.map_or(usize::MAX, |(_, columns)| usize::from(columns))
    }
}

/// Whether stdout and stderr are one file, as after `2>&1`.
#[cfg(unix)]
fn is_one_file() -> bool {
    let (stdout, stderr) = (rustix::fs::fstat(std::io::stdout()), rustix::fs::fstat(std::io::stderr()));
    stdout.ok().zip(stderr.ok()).is_some_and(|(a, b)| (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
}

#[cfg(unix)]
fn is_pipe() -> bool {
    use rustix::fs::FileType;
    let kind = rustix::fs::fstat(std::io::stdout()).map(|stat| FileType::from_raw_mode(stat.st_mode));
    matches!(kind, Ok(FileType::Fifo | FileType::Socket))
}

#[cfg(not(unix))]
fn is_one_file() -> bool {
    false
}

#[cfg(not(unix))]
fn is_pipe() -> bool {
    true
}

/// `name` in at most `room` characters: what tells runs apart stands at both its ends.
fn shortened(name: &str, room: usize) -> String {
    let length = name.chars().count();
    if length <= room {
        return name.to_string();
    }
    let kept = room.saturating_sub(1);
    let (head, tail) = (kept - kept / 2, kept / 2);
    name.chars().take(head).chain(['…']).chain(name.chars().skip(length - tail)).collect()
}

/// The line of an epoch in at most `room` columns: what matters least is left out.
fn epoch_line(row: &EpochRow, room: usize) -> String {
    let accuracies = |accuracy: &str| {
        let (training, validation) = (format!("{accuracy} {:.4}", row.accuracy), optional(row.val_accuracy));
        (training, format!("val_{accuracy} {validation}"))
    };
    let cells = |accuracy: &str, speed: &str| {
        let (training, validation) = accuracies(accuracy);
        // How soon each is left out; 0 stays.
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

/// Shows one run.
pub struct Progress<'a> {
    bars: &'a Bars,
    /// Its name, where there are several.
    label: Option<String>,
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
    fn warn(&mut self, message: &str) -> Result<()> {
        let name = self.label.as_ref().map_or(String::new(), |name| format!("{name}: "));
        self.bars.warn(&format!("{name}warning: {message}"));
        Ok(())
    }

    fn start(&mut self, start: &Start<'_>) -> Result<()> {
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
                if !self.bars.introduced.replace(true) {
                    self.bars.line(&format!("{what}; {length}"));
                }
                let place = self.bars.place().map_or(String::new(), |(at, of)| format!("run {at}/{of}: "));
                // Once: the lines of its epochs follow.
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
        let (loss, accuracy) = (so_far.loss(), so_far.accuracy());
        let lr = rate(row.learning_rate);
        self.batches.set_message(format!("loss {loss:.4} acc {accuracy:.3} lr {lr} {speed:.0} img/s"));
        Ok(())
    }

    fn epoch(&mut self, row: &EpochRow) -> Result<()> {
        // The next begins now, not with the first step that is heard of.
        self.since = Instant::now();
        self.bars.speaker().fitted(|columns| epoch_line(row, columns));
        Ok(())
    }

    fn checkpoint(&mut self, checkpoint: &Arc<Checkpoint>, reason: Reason) -> Result<()> {
        if reason == Reason::Asked {
            self.bars.line(&format!("saved after {}", counted(checkpoint.state.step, "step")));
        }
        Ok(())
    }

    fn changed(&mut self, change: &Change) -> Result<()> {
        let (setting, from, to) = (change.setting(), change.from_text(), change.to_text());
        let Change { step, epoch, .. } = change;
        let name = self.prefix();
        self.bars.warn(&format!("{name}changed from step {step} (epoch {epoch}) on: {setting}: {from} -> {to}"));
        Ok(())
    }

    fn finish(&mut self, outcome: &Outcome) -> Result<()> {
        self.epochs.finish_and_clear();
        self.batches.finish_and_clear();
        if outcome.status == Status::Finished {
            self.bars.line(&format!(
                "test_loss {}  test_accuracy {}  in {:.1} s",
                optional(outcome.test_loss),
                optional(outcome.test_accuracy),
                outcome.seconds,
            ));
            if let Some(message) = &outcome.message {
                self.bars.warn(&format!("warning: {}{message}", self.prefix()));
            }
        } else if let Some(message) = outcome.message.as_ref().filter(|_| outcome.stop.is_none()) {
            self.bars.line(message);
        }
        Ok(())
    }
}

impl Progress<'_> {
    /// Before what is said on its own, without the lines of the run around it.
    fn prefix(&self) -> String {
        self.label.as_ref().map_or(String::new(), |name| format!("{name}: "))
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
            momentum: None,
            step: 100,
            images_per_second: 12345.6,
            seconds: 123.45,
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
