//! Requests to a training run from outside: signals and keys.

use super::event::Observer;
use crate::config::Every;
use std::sync::atomic::{AtomicUsize, Ordering};
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

/// A request to the runs in training, each of which carries it out between two steps.
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
    /// All of them, in order; every run keeps its own place.
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

    /// The number of requests made so far: a run that starts now carries out those that follow.
    pub fn requests_made(&self) -> usize {
        self.asked().requests.len()
    }

    /// The requests after the first `seen`, which is advanced past them.
    pub fn requests_after(&self, seen: &mut usize) -> Vec<ControlRequest> {
        let asked = self.asked();
        let new = asked.requests.get(*seen..).unwrap_or_default().to_vec();
        *seen = asked.requests.len();
        new
    }
}

/// The number of threads that a run may compute with. Whoever starts several runs at once may change it at any time: a
/// run adopts a new number between two steps, and no bit of its result depends on it. Clones share it.
#[derive(Debug, Clone)]
pub struct ThreadShare(Arc<AtomicUsize>);

impl ThreadShare {
    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub fn set(&self, threads: usize) {
        self.0.store(threads, Ordering::Relaxed);
    }
}

impl From<usize> for ThreadShare {
    fn from(threads: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(threads)))
    }
}

impl From<&ThreadShare> for ThreadShare {
    fn from(share: &ThreadShare) -> Self {
        share.clone()
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
    fn every_run_that_shares_a_control_sees_the_requests_made_since_it_started() {
        let control = Control::default();
        control.request(ControlRequest::Save);
        let (mut first, mut late) = (0, control.requests_made());
        control.request(ControlRequest::Scale(0.5));
        assert_eq!(control.requests_after(&mut first), [ControlRequest::Save, ControlRequest::Scale(0.5)]);
        assert_eq!(control.requests_after(&mut late), [ControlRequest::Scale(0.5)]);
        assert_eq!((control.requests_after(&mut first), control.requests_after(&mut late)), (vec![], vec![]));
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
