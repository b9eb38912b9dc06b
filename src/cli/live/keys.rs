//! Handles keys pressed during a run.
//!
//! The terminal delivers keys as they are pressed, without echo. All other settings (Ctrl+C, Ctrl+Z, line endings) stay
//! as they were, and everything is restored when the process ends, is stopped, or panics.

use super::speaker::Speaker;
use super::{Bars, Keys};
use crate::optim::check_rate;
use crate::train::{Control, ControlRequest, Stop};
use indicatif::ProgressBar;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, Termios, isatty, tcgetattr, tcgetpgrp, tcsetattr};
use std::io::{Read, stdin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Duration;

/// `+` multiplies the rate by this factor, `-` divides by it.
const FACTOR: f64 = 1.25;
/// How often the reader checks whether to end.
const PATIENCE: Duration = Duration::from_millis(100);
/// Longer than any number a user would type.
const MOST_TYPED: usize = 24;

/// The terminal's original settings, while changed.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Restores the terminal.
pub fn restore_terminal() {
    if let Some(modes) = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take() {
        // If the terminal is gone, there is nothing to restore.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &modes);
    }
}

/// As [`restore_terminal`], for a process that ends inside an allocation: this thread, or one that never runs again,
/// may hold the lock.
fn restore_terminal_without_waiting() {
    let modes = match BEFORE.try_lock() {
        Ok(mut modes) => modes.take(),
        Err(TryLockError::Poisoned(modes)) => modes.into_inner().take(),
        // The holder is restoring the terminal already, or has not changed it yet.
        Err(TryLockError::WouldBlock) => None,
    };
    if let Some(modes) = modes {
        let _ = tcsetattr(stdin(), OptionalActions::Now, &modes);
    }
}

/// Reads keys until dropped.
#[derive(Debug)]
pub struct Keyboard {
    over: Arc<AtomicBool>,
}

impl Keyboard {
    /// Starts reading if stdin is a terminal and this process is in the foreground.
    pub fn open(keys: Keys, control: &Control, bars: &Bars) -> Option<Self> {
        if !isatty(stdin()) || !take_terminal() {
            return None;
        }
        let more = if keys == Keys::All { "+ or - change the rate, a number and Enter set it, " } else { "" };
        let speaker = bars.speaker().clone();
        let of = if bars.are_shared() { "keys, for all runs at once" } else { "keys" };
        speaker.hint(&format!("{of}: p pause, {more}s save, q stop"));
        let over = Arc::new(AtomicBool::new(false));
        let reader = Reader { keys, control: control.clone(), speaker, typed: String::new(), prompt: None };
        let until = Arc::clone(&over);
        let spawned = std::thread::Builder::new().name("keys".to_string()).spawn(move || reader.read(&until));
        if spawned.is_err() {
            restore_terminal();
            return None;
        }
        Some(Self { over })
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        restore_terminal();
    }
}

/// Whether the keyboard belongs to this process: a background job must not touch the terminal.
fn in_foreground() -> bool {
    tcgetpgrp(stdin()).is_ok_and(|group| group == getpgrp())
}

/// Makes the terminal deliver keys as they are pressed, without echo.
fn take_terminal() -> bool {
    if !in_foreground() {
        return false;
    }
    let Ok(before) = tcgetattr(stdin()) else { return false };
    let mut modes = before.clone();
    modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
    let taken = tcsetattr(stdin(), OptionalActions::Now, &modes).is_ok();
    if taken {
        BEFORE.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(before);
        crate::memory::before_refusal(restore_terminal_without_waiting);
    }
    taken
}

struct Reader {
    keys: Keys,
    control: Control,
    speaker: Speaker,
    /// The number being typed, and the line that shows it.
    typed: String,
    prompt: Option<ProgressBar>,
}

impl Reader {
    fn read(mut self, over: &AtomicBool) {
        let mut was_foreground = true;
        while !over.load(Ordering::Relaxed) {
            let foreground = in_foreground();
            if foreground && !was_foreground {
                // The shell had the terminal meanwhile (Ctrl+Z, then fg) and changed its settings.
                take_terminal();
            }
            was_foreground = foreground;
            let stdin = stdin();
            let mut ready = [PollFd::new(&stdin, PollFlags::IN)];
            let patience = Timespec { tv_sec: 0, tv_nsec: PATIENCE.as_nanos() as i64 };
            // A read from the background would stop the whole process.
            if !foreground || !poll(&mut ready, Some(&patience)).is_ok_and(|count| count > 0) {
                if !foreground {
                    std::thread::sleep(PATIENCE);
                }
                continue;
            }
            let mut bytes = [0; 64];
            match stdin.lock().read(&mut bytes) {
                // The terminal is gone.
                Ok(0) | Err(_) => return,
                Ok(count) => self.take(&bytes[..count]),
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        // Arrow and other special keys send a sequence that starts with Escape; ignored.
        if bytes.first() == Some(&0x1b) {
            self.typed.clear();
            self.show_typed();
            return;
        }
        for &byte in bytes {
            self.key(char::from(byte));
        }
    }

    fn key(&mut self, key: char) {
        let rates = self.keys == Keys::All;
        // Within a number, `-` and `+` belong to its exponent.
        let exponent = self.typed.ends_with(['e', 'E']);
        match key {
            '0'..='9' | '.' if rates => self.type_on(key),
            'e' | 'E' if !self.typed.is_empty() => self.type_on(key),
            '+' | '-' if exponent => self.type_on(key),
            '\n' | '\r' if !self.typed.is_empty() => self.enter(),
            '\u{8}' | '\u{7f}' if !self.typed.is_empty() => {
                self.typed.pop();
                self.show_typed();
            }
            '+' | '-' if rates => {
                self.control.request(ControlRequest::Scale(if key == '+' { FACTOR } else { 1.0 / FACTOR }));
            }
            'p' | 'P' => self.speaker.paused(self.control.toggle_pause()),
            's' | 'S' => self.control.request(ControlRequest::Save),
            'q' | 'Q' => {
                self.speaker.line(&self.speaker.stopping());
                self.control.stop(Stop::Interrupt);
            }
            _ => {}
        }
    }

    fn type_on(&mut self, key: char) {
        if self.typed.len() < MOST_TYPED {
            self.typed.push(key);
        }
        self.show_typed();
    }

    fn show_typed(&mut self) {
        if self.typed.is_empty() {
            if let Some(prompt) = self.prompt.take() {
                prompt.finish_and_clear();
            }
            return;
        }
        let prompt = self.prompt.get_or_insert_with(|| self.speaker.prompt());
        prompt.set_message(format!("rate from the next step: {}_  (Enter)", self.typed));
    }

    fn enter(&mut self) {
        let typed = std::mem::take(&mut self.typed);
        self.show_typed();
        match typed.parse().map(|rate| (rate, check_rate::<f32>("lr", rate))) {
            Ok((rate, Ok(()))) => self.control.request(ControlRequest::Rate(rate)),
            Ok((_, Err(problem))) => self.speaker.line(&problem.to_string()),
            Err(_) => self.speaker.line(&format!("`{typed}` is not a rate: enter a number above 0")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ProgressMode;

    fn reader(keys: Keys) -> Reader {
        let speaker = Bars::new(ProgressMode::None).speaker().clone();
        Reader { keys, control: Control::default(), speaker, typed: String::new(), prompt: None }
    }

    #[test]
    fn plus_and_minus_scale_the_rate_and_a_number_and_enter_sets_it() {
        let mut reader = reader(Keys::All);
        reader.take(b"+-");
        reader.take(b"0.0\x7f03\n1e-3\r");
        let expected = [
            ControlRequest::Scale(1.25),
            ControlRequest::Scale(0.8),
            ControlRequest::Rate(0.03),
            ControlRequest::Rate(1e-3),
        ];
        assert_eq!(reader.control.requests_after(&mut 0), expected);
    }

    #[test]
    fn what_is_no_rate_and_arrow_keys_change_nothing() {
        let mut reader = reader(Keys::All);
        for bytes in [&b"0\n"[..], b"1e999\n", b"1e-46\n", b"1e39\n", b"1.2.3\n", b"\x1b[A", b"\n", b"x", b"e"] {
            reader.take(bytes);
        }
        assert_eq!(reader.control.requests_after(&mut 0), []);
        assert_eq!(reader.control.stopping(), None);
    }

    #[test]
    fn p_pauses_and_goes_on_s_saves_q_stops_and_a_comparison_has_no_rate_keys() {
        let mut reader = reader(Keys::WithoutRates);
        reader.take(b"+0.1\ns");
        assert_eq!(reader.control.requests_after(&mut 0), [ControlRequest::Save]);
        reader.take(b"p");
        assert!(reader.control.paused());
        reader.take(b"p");
        assert!(!reader.control.paused());
        reader.take(b"q");
        assert_eq!(reader.control.stopping(), Some(Stop::Interrupt));
    }
}
