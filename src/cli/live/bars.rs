//! The progress bars of a command.

use super::progress::Progress;
use super::speaker::{Speaker, Stdout, is_one_file, is_pipe};
use crate::config::ProgressMode;
use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Ticks per run on the overall bar, so that it moves and can estimate the time left before the first run is done.
pub(super) const SHARES: u64 = 10_000;

/// The bars of a command: one over its runs, if there are several, and two for the current run.
pub struct Bars {
    /// As requested; in `mode`, `Auto` is resolved by what stdout and stderr are.
    asked: ProgressMode,
    mode: ProgressMode,
    stdout: Stdout,
    pub(super) multi: MultiProgress,
    pub(super) runs: Option<ProgressBar>,
    done: AtomicU64,
    /// Whether the settings common to all runs have been printed.
    introduced: AtomicBool,
}

impl Bars {
    /// `runs`: the number of runs, for a bar over all of them.
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
            // indicatif panics if the system refuses its thread; without the thread the bar still moves with the
            // batches.
            if std::thread::Builder::new().spawn(|| {}).is_ok_and(|thread| thread.join().is_ok()) {
                bar.enable_steady_tick(std::time::Duration::from_secs(1));
            }
            bar
        });
        let (done, introduced) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { asked, mode, stdout: Stdout::Free, multi, runs, done, introduced }
    }

    /// For a command that writes nothing else to stdout: unless it is a terminal, the lines go there too.
    #[must_use]
    pub fn and_stdout(mut self) -> Self {
        if self.mode == ProgressMode::None || std::io::stdout().is_terminal() || is_one_file() {
            return self;
        }
        self.stdout = Stdout::Too;
        // The reader of the pipe probably writes to the same terminal: it would tear the bars and repeat every line.
        if std::io::stderr().is_terminal() && is_pipe() && self.asked != ProgressMode::Bar {
            (self.mode, self.stdout) = (ProgressMode::Plain, Stdout::Instead);
            self.multi.set_draw_target(ProgressDrawTarget::hidden());
        }
        self
    }

    /// The observer of one run. `label` prefixes its lines if there are several runs.
    pub fn run(&self, label: Option<&str>) -> Progress<'_> {
        Progress::new(self, label, self.done.load(Ordering::Relaxed) * SHARES)
    }

    /// A bar over iterations rather than epochs; hidden if bars are off.
    pub fn iterations(&self, count: u64) -> ProgressBar {
        let bar = self.multi.add(ProgressBar::new(count));
        bar.set_style(style("{pos:>5}/{len:<5} {wide_bar:.blue/dim} {msg} {left} left"));
        bar
    }

    /// Marks another run as done.
    pub fn run_done(&self) {
        if let Some(runs) = &self.runs {
            let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
            runs.set_position(done * SHARES);
            runs.set_prefix(format!("{done:>5}/{}", runs.length().unwrap_or(0) / SHARES));
        }
    }

    /// The number of the current run and the total; `None` for a single run.
    pub(super) fn place(&self) -> Option<(u64, u64)> {
        Some((self.done.load(Ordering::Relaxed) + 1, self.runs.as_ref()?.length()? / SHARES))
    }

    /// Writes lines above the bars, from any thread.
    pub fn speaker(&self) -> Speaker {
        Speaker { mode: self.mode, stdout: self.stdout, multi: self.multi.clone() }
    }

    /// Prints a warning to stderr, whatever `--progress` says.
    pub fn warn(&self, text: &str) {
        self.speaker().warn(text);
    }

    /// Prints a line to stderr, above the bars.
    pub fn line(&self, text: &str) {
        self.speaker().line(text);
    }

    /// Whether only warnings are printed.
    pub fn are_silent(&self) -> bool {
        self.mode == ProgressMode::None
    }

    /// Whether bars are shown on a terminal.
    pub fn are_shown(&self) -> bool {
        self.mode == ProgressMode::Bar && !self.multi.is_hidden()
    }

    /// Whether this is the first call: the settings common to all runs are printed once.
    pub(super) fn introduce(&self) -> bool {
        !self.introduced.swap(true, Ordering::Relaxed)
    }
}

pub(super) fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).expect("the templates are constants");
    style.with_key("left", left).progress_chars("━━─")
}

/// The estimated time left; unknown before anything has been measured.
fn left(state: &ProgressState, to: &mut dyn std::fmt::Write) {
    let unknown = state.eta().is_zero() && Some(state.pos()) < state.len();
    // Formatting into a line cannot fail.
    let _ = if unknown { write!(to, "?") } else { write!(to, "{:#}", HumanDuration(state.eta())) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_observers_of_several_runs_may_show_them_from_threads_of_their_own() {
        let bars = Bars::new(ProgressMode::None, Some(4));
        std::thread::scope(|scope| {
            for name in ["a", "b", "c", "d"] {
                let mut observer = bars.run(Some(name));
                let bars = &bars;
                scope.spawn(move || {
                    let event = crate::train::Event::Failed("reported by what started the run");
                    crate::train::Observer::observe(&mut observer, &event).unwrap();
                    bars.run_done();
                });
            }
        });
        assert_eq!((bars.place(), bars.introduce(), bars.introduce()), (Some((5, 4)), true, false));
    }
}
