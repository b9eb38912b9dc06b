//! What reaches a run from outside while it goes on: signals and keys.

use super::event::Observer;
use crate::config::Every;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why a run is to stop before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Ctrl+C, or `q`.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGUSR1 or SIGUSR2: a batch system that wants to start the job again.
    Requeue,
    /// SIGHUP: the terminal, or the ssh session, was closed.
    Hangup,
    /// SIGXCPU: the limit of CPU time (`ulimit -t`) is reached.
    CpuLimit,
}

impl Stop {
    /// 128 + the signal as shells say it; 75 is EX_TEMPFAIL of sysexits.h, which batch systems take for "run it again".
    pub const fn exit_code(self) -> u8 {
        match self {
            Stop::Interrupt => 130,
            Stop::Terminate => 143,
            Stop::Requeue => 75,
            Stop::Hangup => 129,
            Stop::CpuLimit => 152,
        }
    }
}

/// What is asked of a run that goes on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wish {
    Save,
    /// Every rate from the next step on times this.
    Scale(f64),
    /// This rate, constant, from the next step on.
    Rate(f64),
}

/// What the one who trains looks at after each step; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Control(Arc<Mutex<Asked>>);

#[derive(Debug, Default)]
struct Asked {
    stop: Option<Stop>,
    attended: bool,
    paused: bool,
    wishes: Vec<Wish>,
}

impl Control {
    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first of several reasons to stop counts.
    pub fn stop(&self, why: Stop) {
        self.asked().stop.get_or_insert(why);
    }

    /// Says that somebody attends to this from now on; gives the stop that was asked for before.
    pub fn attend(&self) -> Option<Stop> {
        let mut asked = self.asked();
        asked.attended = asked.stop.is_none();
        asked.stop
    }

    /// Whether a stop finds a run to save.
    pub fn is_attended(&self) -> bool {
        self.asked().attended
    }

    pub fn wish(&self, wish: Wish) {
        self.asked().wishes.push(wish);
    }

    /// Pauses, or goes on; gives which.
    pub fn toggle_pause(&self) -> bool {
        let mut asked = self.asked();
        asked.paused = !asked.paused;
        asked.paused
    }

    /// Why to stop, where somebody wants it.
    pub fn stopping(&self) -> Option<Stop> {
        self.asked().stop
    }

    /// Whether to wait before the next step. A run that is to stop waits no longer.
    pub fn paused(&self) -> bool {
        let asked = self.asked();
        asked.paused && asked.stop.is_none()
    }

    /// What was asked since this was last called.
    pub fn wishes(&self) -> Vec<Wish> {
        std::mem::take(&mut self.asked().wishes)
    }
}

/// What leads a run while it trains, and who observes it.
pub struct Supervision<'a> {
    /// Stops, pauses and wishes; several runs may share it.
    pub control: &'a Control,
    /// Also make a checkpoint at this interval.
    pub every: Option<Every>,
    pub observer: &'a mut dyn Observer,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_that_comes_before_anybody_attends_is_told_when_somebody_does() {
        let control = Control::default();
        assert!(control.attend().is_none() && control.is_attended());
        let control = Control::default();
        control.stop(Stop::Hangup);
        assert_eq!((control.attend(), control.is_attended()), (Some(Stop::Hangup), false));
    }

    #[test]
    fn the_first_reason_to_stop_counts_and_ends_a_pause() {
        let control = Control::default();
        assert!(control.toggle_pause() && control.paused());
        control.stop(Stop::Requeue);
        control.clone().stop(Stop::Interrupt);
        assert_eq!((control.stopping(), control.paused()), (Some(Stop::Requeue), false));
    }
}
