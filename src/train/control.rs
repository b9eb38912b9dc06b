//! Requests to a training run from outside: signals and keys.

use super::event::Observer;
use crate::config::Every;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why a run stops early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Ctrl+C, or `q`.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGUSR1 or SIGUSR2: a batch system requeues the job.
    Requeue,
    /// SIGHUP: the terminal, or the ssh session, was closed.
    Hangup,
    /// SIGXCPU: the CPU time limit (`ulimit -t`) was reached.
    CpuLimit,
}

impl Stop {
    /// 128 + the signal number, as shells report it; 75 is EX_TEMPFAIL of sysexits.h, which batch systems read as "run
    /// it again".
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

/// A request to a run, carried out between two steps. If several runs share a [`Control`], the first one to look
/// carries it out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ControlRequest {
    Save,
    /// Multiply every rate by this from the next step on.
    Scale(f64),
    /// Train at this constant rate from the next step on.
    Rate(f64),
}

/// Requests that a run checks between two steps. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Control(Arc<Mutex<Asked>>);

#[derive(Debug, Default)]
struct Asked {
    stop: Option<Stop>,
    attended: bool,
    paused: bool,
    requests: Vec<ControlRequest>,
}

impl Control {
    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a stop. The first reason wins.
    pub fn stop(&self, why: Stop) {
        self.asked().stop.get_or_insert(why);
    }

    /// Declares that a run handles stops from now on; returns a stop requested earlier.
    pub fn attend(&self) -> Option<Stop> {
        let mut asked = self.asked();
        asked.attended = asked.stop.is_none();
        asked.stop
    }

    /// Whether a run handles stops.
    pub fn is_attended(&self) -> bool {
        self.asked().attended
    }

    pub fn request(&self, request: ControlRequest) {
        self.asked().requests.push(request);
    }

    /// Pauses or resumes; returns whether it is now paused.
    pub fn toggle_pause(&self) -> bool {
        let mut asked = self.asked();
        asked.paused = !asked.paused;
        asked.paused
    }

    /// The requested stop, if any.
    pub fn stopping(&self) -> Option<Stop> {
        self.asked().stop
    }

    /// Whether to wait before the next step. A stop ends a pause.
    pub fn paused(&self) -> bool {
        let asked = self.asked();
        asked.paused && asked.stop.is_none()
    }

    /// Takes the requests made since the last call.
    pub fn requests(&self) -> Vec<ControlRequest> {
        std::mem::take(&mut self.asked().requests)
    }
}

/// Who controls a training run, and who observes it.
pub struct Supervision<'a> {
    /// Stops, pauses and requests; several runs may share it.
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
