//! The progress bars of a command.

use super::lines::Label;
use super::progress::Progress;
use super::speaker::{Speaker, Stdout, is_one_file, is_pipe, locked};
use super::work::Work;
use crate::config::ProgressMode;
use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::collections::HashSet;
use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Instant;

/// Ticks per run on the overall bar, so that it moves before the first run is done.
const SHARES: u64 = 10_000;

/// Rows of the terminal that the bars of runs at once leave to the overall bar and to lines.
const OTHER_ROWS: usize = 6;

/// The bars of a command: one over its runs, if there are several, and two for the current run, or one for each of the
/// runs that are trained at once.
///
/// Observers of several runs may be used on several threads.
pub struct Bars {
    /// As requested; in the mode of `speaker`, `Auto` is resolved by what stdout and stderr are.
    asked: ProgressMode,
    speaker: Speaker,
    /// The overall bar, once there is something to train.
    runs: OnceLock<ProgressBar>,
    /// Runs that are trained at once, at most.
    at_once: usize,
    /// The length of the longest name of a run.
    longest: usize,
    /// Bars of runs at once that are shown.
    rows: AtomicUsize,
    /// The lines about the settings of runs that have been printed: those that runs have in common are said once.
    introduced: Mutex<HashSet<String>>,
}

impl Bars {
    /// The bars of a command of one run.
    pub fn new(asked: ProgressMode) -> Self {
        let mode = match asked {
            ProgressMode::Auto if std::io::stderr().is_terminal() => ProgressMode::Bar,
            ProgressMode::Auto => ProgressMode::Plain,
            chosen => chosen,
        };
        let target =
            if mode == ProgressMode::Bar { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let multi = MultiProgress::with_draw_target(target);
        let speaker = Speaker { mode, stdout: Stdout::Free, multi, work: Arc::new(Mutex::new(Work::new(1))) };
        let (rows, introduced) = (AtomicUsize::new(0), Mutex::default());
        Self { asked, speaker, runs: OnceLock::new(), at_once: 1, longest: 0, rows, introduced }
    }

    /// The bars of a command of `count` runs, of which up to `at_once` are trained at the same time. The longest of their
    /// names has `longest` characters.
    pub fn of_runs(asked: ProgressMode, count: u64, at_once: usize, longest: usize) -> Self {
        let bars = Self { at_once, longest, ..Self::new(asked) };
        *bars.speaker.work() = Work::new(count);
        if count > 0 {
            bars.runs.get_or_init(|| bars.overall(count));
        }
        bars
    }

    /// A bar over `count` runs.
    fn overall(&self, count: u64) -> ProgressBar {
        let bar = self.speaker.multi.add(ProgressBar::new(count * SHARES));
        let work = Arc::clone(&self.speaker.work);
        let left = move |_: &ProgressState, to: &mut dyn Write| {
            let left = locked(&work).left(Instant::now());
            // Formatting into a line cannot fail.
            let _ = match left {
                Some(left) => write!(to, "{:#}", HumanDuration(left)),
                None => write!(to, "?"),
            };
        };
        let template = "runs  {prefix:<11} {wide_bar:.green/dim} {elapsed} elapsed, {left} left";
        bar.set_style(style(template).with_key("left", left));
        bar.set_prefix(format!("{:>5}/{count}", 0));
        // indicatif panics if the system refuses its thread; without the thread the bar still moves with the
        // batches.
        if std::thread::Builder::new().spawn(|| {}).is_ok_and(|thread| thread.join().is_ok()) {
            bar.enable_steady_tick(std::time::Duration::from_secs(1));
        }
        bar
    }

    /// For a command that writes nothing else to stdout: unless it is a terminal, the lines go there too.
    #[must_use]
    pub fn and_stdout(mut self) -> Self {
        if self.speaker.mode == ProgressMode::None || std::io::stdout().is_terminal() || is_one_file() {
            return self;
        }
        self.speaker.stdout = Stdout::Too;
        // The reader of the pipe probably writes to the same terminal: it would tear the bars and repeat every line.
        if std::io::stderr().is_terminal() && is_pipe() && self.asked != ProgressMode::Bar {
            (self.speaker.mode, self.speaker.stdout) = (ProgressMode::Plain, Stdout::Instead);
            self.speaker.multi.set_draw_target(ProgressDrawTarget::hidden());
        }
        self
    }

    /// It became clear that the command has `count` runs.
    pub fn expect(&self, count: u64) {
        let mut work = self.speaker.work();
        work.expect(count);
        let prefix = format!("{:>5}/{count}", work.done());
        drop(work);
        if count > 0 {
            let runs = self.runs.get_or_init(|| self.overall(count));
            runs.set_length(count * SHARES);
            runs.set_prefix(prefix);
        }
    }

    /// The observer of one run. `label`: if there are several runs.
    pub fn run(&self, label: Option<Label>) -> Progress<'_> {
        Progress::new(self, label)
    }

    /// Marks `run` as done, even if it failed before it began.
    pub fn run_done(&self, run: &str) {
        let mut work = self.speaker.work();
        work.complete(run);
        let prefix = format!("{:>5}/{}", work.done(), work.runs());
        drop(work);
        self.move_on();
        if let Some(runs) = self.runs.get() {
            runs.set_prefix(prefix);
        }
    }

    /// `run` begins, with the share `from` of it done.
    pub(super) fn begin(&self, run: &str, from: f64) {
        self.speaker.work().begin(run, from, Instant::now());
        self.move_on();
    }

    /// The share `at` of `run` is done.
    pub(super) fn advance(&self, run: &str, at: f64) {
        self.speaker.work().advance(run, at);
        self.move_on();
    }

    /// `run` is not being trained any more.
    pub(super) fn leave(&self, run: &str) {
        self.speaker.work().leave(run);
    }

    /// Moves the overall bar. Must not hold the lock of the work, which the bar takes when it draws.
    fn move_on(&self) {
        if let Some(runs) = self.runs.get() {
            let position = self.speaker.work().position();
            runs.set_position((position * SHARES as f64) as u64);
        }
    }

    /// Whether several runs are trained at once, so that lines have to name theirs.
    pub(super) fn are_shared(&self) -> bool {
        self.at_once > 1
    }

    /// The length of the longest name of a run.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// Adds a bar below the others; hidden if bars are off.
    pub(super) fn add(&self, length: u64, template: &str) -> ProgressBar {
        let bar = self.speaker.multi.add(ProgressBar::new(length));
        bar.set_style(style(template));
        bar
    }

    /// As [`Bars::add`], for a run among several at once; `None` if the terminal has no room for more bars, so that some
    /// of the lines above them stay visible.
    pub(super) fn add_row(&self, length: u64, template: &str) -> Option<ProgressBar> {
        let room = self.speaker.rows().saturating_sub(OTHER_ROWS).max(1);
        let one_more = |rows| (rows < room).then_some(rows + 1);
        self.rows.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(self.add(length, template))
    }

    /// Removes what [`Bars::add_row`] added.
    pub(super) fn remove_row(&self, bar: &ProgressBar) {
        self.remove(bar);
        self.rows.fetch_sub(1, Ordering::Relaxed);
    }

    /// Clears a bar and forgets it: there may be thousands of runs.
    pub(super) fn remove(&self, bar: &ProgressBar) {
        bar.finish_and_clear();
        self.speaker.multi.remove(bar);
    }

    /// Writes lines above the bars, from any thread.
    pub fn speaker(&self) -> &Speaker {
        &self.speaker
    }

    /// Prints a warning to stderr, whatever `--progress` says.
    pub fn warn(&self, text: &str) {
        self.speaker.warn(text);
    }

    /// Prints a line to stderr, whatever `--progress` says, and to a log on stdout.
    pub fn closing(&self, text: &str) {
        self.speaker.closing(text);
    }

    /// Prints a line to stderr, above the bars.
    pub fn line(&self, text: &str) {
        self.speaker.line(text);
    }

    /// Whether only warnings are printed.
    pub fn are_silent(&self) -> bool {
        self.speaker.mode == ProgressMode::None
    }

    /// Whether there is one line per run.
    pub(super) fn are_of_runs(&self) -> bool {
        self.speaker.mode == ProgressMode::Runs
    }

    /// Whether bars are shown on a terminal.
    pub fn are_shown(&self) -> bool {
        self.speaker.mode == ProgressMode::Bar && !self.speaker.multi.is_hidden()
    }

    /// The lines about the settings of runs that have been printed. Whoever holds this prints without interruption by
    /// other runs that begin.
    pub(super) fn introduced(&self) -> MutexGuard<'_, HashSet<String>> {
        locked(&self.introduced)
    }
}

pub(super) fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).expect("the templates are constants");
    style.with_key("left", left).progress_chars("━━─")
}

/// The estimated time left; unknown before anything has been measured.
fn left(state: &ProgressState, to: &mut dyn Write) {
    let unknown = state.eta().is_zero() && Some(state.pos()) < state.len();
    // Formatting into a line cannot fail.
    let _ = if unknown { write!(to, "?") } else { write!(to, "{:#}", HumanDuration(state.eta())) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::{Event, Observer};

    #[test]
    fn the_observers_of_several_runs_may_show_them_from_threads_of_their_own() {
        let bars = Bars::of_runs(ProgressMode::None, 5, 4, 1);
        std::thread::scope(|scope| {
            for (at, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
                let bars = &bars;
                scope.spawn(move || {
                    let label = Label { name: name.to_string(), number: at + 1, of: 5, role: None };
                    let mut observer = bars.run(Some(label));
                    observer.observe(&Event::Failed("reported by what started the run")).unwrap();
                    drop(observer);
                    bars.run_done(name);
                });
            }
        });
        assert_eq!(bars.speaker.work().done(), 4);
    }

    #[test]
    fn bars_of_runs_at_once_have_room_again_when_one_is_removed() {
        let bars = Bars::of_runs(ProgressMode::None, 4, 4, 1);
        // As if the terminal had no more room.
        let first = bars.add_row(1, "{msg}").unwrap();
        bars.rows.store(usize::MAX, Ordering::Relaxed);
        assert!(bars.add_row(1, "{msg}").is_none());
        bars.rows.store(1, Ordering::Relaxed);
        bars.remove_row(&first);
        assert_eq!(bars.rows.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn without_a_run_there_is_no_overall_bar_until_one_is_expected() {
        let bars = Bars::of_runs(ProgressMode::None, 0, 1, 1);
        assert!(bars.runs.get().is_none());
        bars.expect(0);
        assert!(bars.runs.get().is_none());
        bars.expect(3);
        assert_eq!(bars.runs.get().and_then(ProgressBar::length), Some(3 * SHARES));
    }

    #[test]
    fn each_run_adds_its_shares_to_the_overall_bar() {
        let bars = Bars::of_runs(ProgressMode::None, 4, 2, 7);
        let position = || bars.runs.get().map(|bar| bar.position());
        bars.begin("a", 0.0);
        bars.begin("resumed", 0.5);
        bars.advance("a", 0.25);
        bars.advance("resumed", 0.5);
        assert_eq!(position(), Some(7_500));
        bars.leave("resumed");
        bars.run_done("resumed");
        assert_eq!(position(), Some(12_500));
        let one = Bars::new(ProgressMode::None);
        one.begin("", 0.0);
        assert!(one.runs.get().is_none() && !one.are_shared());
    }
}
