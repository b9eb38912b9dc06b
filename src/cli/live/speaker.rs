//! Lines on stderr, and on stdout if nothing else uses it: `lrsched train | tee log.txt`.

use super::bars::style;
use super::work::Work;
use crate::cli::{for_terminal, tell, write_line};
use crate::config::ProgressMode;
use crate::usage::one_line;
use indicatif::{MultiProgress, ProgressBar};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Which progress lines go to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stdout {
    /// None.
    Free,
    /// All of them, as well as to stderr.
    Too,
    /// All of them, instead of to stderr.
    Instead,
}

/// Writes lines to stderr, above any bars, and to stdout if requested.
#[derive(Debug, Clone)]
pub struct Speaker {
    pub(super) mode: ProgressMode,
    pub(super) stdout: Stdout,
    pub(super) multi: MultiProgress,
    pub(super) work: Arc<Mutex<Work>>,
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Speaker {
    pub(super) fn work(&self) -> MutexGuard<'_, Work> {
        locked(&self.work)
    }

    /// Announces that everything running stops.
    pub fn stopping(&self) -> String {
        match self.work().running() {
            0 | 1 => "stopping after this batch".to_string(),
            running => format!("stopping {running} runs after their current batch"),
        }
    }

    /// Announces that everything running pauses, or continues.
    pub fn paused(&self, paused: bool) {
        let mut work = self.work();
        work.pause(paused, Instant::now());
        let of = match work.running() {
            0 | 1 => String::new(),
            running => format!(" {running} runs"),
        };
        drop(work);
        self.line(&if paused { format!("paused{of}; press p to continue") } else { format!("continuing{of}") });
    }

    /// Prints a line to stderr, whatever `--progress` says.
    pub fn warn(&self, text: &str) {
        self.to_stderr(text);
    }

    /// As [`Speaker::warn`], and into the log that stdout may be: how a run ended, and how to go on with it.
    pub fn closing(&self, text: &str) {
        self.to_stderr(text);
        if self.mode != ProgressMode::None && self.stdout == Stdout::Too {
            let _ = write_line(std::io::stdout().lock(), &one_line(text));
        }
    }

    /// A line below the bars whose text may change, until cleared.
    pub fn prompt(&self) -> ProgressBar {
        let prompt = self.multi.add(ProgressBar::new_spinner());
        prompt.set_style(style("{msg}"));
        prompt
    }

    /// Prints a line, unless `--progress none`.
    pub fn line(&self, text: &str) {
        self.fitted(|_| text.to_string());
    }

    /// Prints a line about the terminal, which is left out of logs. Unless `--progress none`.
    pub fn hint(&self, text: &str) {
        if self.mode != ProgressMode::None && self.stdout != Stdout::Instead {
            self.to_stderr(text);
        }
    }

    /// Prints a line that `text` fits to the available columns, unless `--progress none`.
    pub(super) fn fitted(&self, text: impl Fn(usize) -> String) {
        if self.mode == ProgressMode::None {
            return;
        }
        if self.stdout != Stdout::Instead {
            self.to_stderr(&text(self.columns()));
        }
        if self.stdout != Stdout::Free {
            // A closed output must not end a run.
            let _ = write_line(std::io::stdout().lock(), &one_line(&text(usize::MAX)));
        }
    }

    fn to_stderr(&self, text: &str) {
        // indicatif swallows lines while its target is hidden, as with `--progress bar` on a pipe.
        if self.mode == ProgressMode::Bar && !self.multi.is_hidden() {
            let _ = self.multi.println(for_terminal(text));
        } else {
            tell(text);
        }
    }

    /// The width of the terminal; unlimited if lines go to a file.
    pub(super) fn columns(&self) -> usize {
        terminal_size().map_or(usize::MAX, |(_, columns)| usize::from(columns))
    }

    /// The height of the terminal; unlimited if lines go to a file.
    pub(super) fn rows(&self) -> usize {
        terminal_size().map_or(usize::MAX, |(rows, _)| usize::from(rows))
    }
}

fn terminal_size() -> Option<(u16, u16)> {
    let terminal = console::Term::stderr();
    if terminal.is_term() { terminal.size_checked() } else { None }
}

/// Whether stdout and stderr are the same file, as after `2>&1`.
#[cfg(unix)]
pub(super) fn is_one_file() -> bool {
    let (stdout, stderr) = (rustix::fs::fstat(std::io::stdout()), rustix::fs::fstat(std::io::stderr()));
    stdout.ok().zip(stderr.ok()).is_some_and(|(a, b)| (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
}

#[cfg(unix)]
pub(super) fn is_pipe() -> bool {
    use rustix::fs::FileType;
    let kind = rustix::fs::fstat(std::io::stdout()).map(|stat| FileType::from_raw_mode(stat.st_mode));
    matches!(kind, Ok(FileType::Fifo | FileType::Socket))
}

#[cfg(not(unix))]
pub(super) fn is_one_file() -> bool {
    false
}

#[cfg(not(unix))]
pub(super) fn is_pipe() -> bool {
    true
}
