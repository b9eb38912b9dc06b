//! How much of a command's runs is done, and how long the rest takes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The runs of a command. A run counts as one, whatever its length: the runs of a comparison are equally long.
///
/// The time left comes from what this process has trained per second. The part of a resumed run that an earlier process
/// trained is done, but says nothing about the speed; neither does the part that a diverged or failed run leaves out.
#[derive(Debug, Default)]
pub(super) struct Work {
    runs: u64,
    done: u64,
    /// What this process trained of the runs that are done.
    trained: f64,
    /// The runs that have begun and are not done, by name.
    open: BTreeMap<String, Open>,
    since: Option<Instant>,
    paused: Option<Instant>,
    /// The sum of the pauses that are over.
    pauses: Duration,
}

/// A run that has begun.
#[derive(Debug)]
struct Open {
    /// The shares of the run that were done when it began, and that are done now.
    from: f64,
    at: f64,
    /// Whether it is being trained; not after it was stopped.
    running: bool,
}

impl Work {
    pub fn new(runs: u64) -> Self {
        Self { runs, ..Self::default() }
    }

    /// There are so many runs.
    pub fn expect(&mut self, runs: u64) {
        self.runs = runs;
    }

    /// `run` begins, with the share `from` of it done.
    pub fn begin(&mut self, run: &str, from: f64, now: Instant) {
        self.since.get_or_insert(now);
        self.open.insert(run.to_string(), Open { from, at: from, running: true });
    }

    /// The share `at` of `run` is done.
    pub fn advance(&mut self, run: &str, at: f64) {
        if let Some(open) = self.open.get_mut(run) {
            open.at = at.min(1.0);
        }
    }

    /// `run` is not being trained any more.
    pub fn leave(&mut self, run: &str) {
        if let Some(open) = self.open.get_mut(run) {
            open.running = false;
        }
    }

    /// `run` is done, whether or not it reached its end, or even began.
    pub fn complete(&mut self, run: &str) {
        if let Some(open) = self.open.remove(run) {
            self.trained += open.at - open.from;
        }
        self.done += 1;
    }

    /// A pause begins or ends.
    pub fn pause(&mut self, paused: bool, now: Instant) {
        if paused {
            self.paused.get_or_insert(now);
        } else if let Some(since) = self.paused.take() {
            self.pauses += now - since;
        }
    }

    /// The number of runs in all.
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// The number of runs that are done.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// The number of runs being trained.
    pub fn running(&self) -> usize {
        self.open.values().filter(|open| open.running).count()
    }

    /// What is done, in runs.
    pub fn position(&self) -> f64 {
        self.done as f64 + self.open.values().map(|open| open.at).sum::<f64>()
    }

    /// The estimated time to the end of all runs; `None` before this process has trained anything.
    pub fn left(&self, now: Instant) -> Option<Duration> {
        let trained = self.trained + self.open.values().map(|open| open.at - open.from).sum::<f64>();
        let until = self.paused.unwrap_or(now);
        let elapsed = until.saturating_duration_since(self.since?).saturating_sub(self.pauses);
        let left = (self.runs as f64 - self.position()).max(0.0) * elapsed.as_secs_f64() / trained;
        (trained > 0.0).then(|| Duration::try_from_secs_f64(left).ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The time left after `seconds`, to the nearest second.
    fn left(work: &Work, start: Instant, seconds: u64) -> Option<u64> {
        work.left(start + Duration::from_secs(seconds)).map(|left| left.as_secs_f64().round() as u64)
    }

    #[test]
    fn the_time_left_of_equal_runs_two_at_a_time_is_that_of_their_number() {
        let (mut work, start) = (Work::new(23), Instant::now());
        for run in ["a", "b", "c", "d", "e"] {
            work.begin(run, 0.0, start);
            work.advance(run, 1.0);
            work.complete(run);
        }
        // Two halves after five whole ones, in 60 seconds: 10 seconds each.
        work.begin("f", 0.0, start);
        work.begin("g", 0.0, start);
        work.advance("f", 0.25);
        work.advance("g", 0.75);
        assert_eq!((work.position(), work.done(), work.running()), (6.0, 5, 2));
        assert_eq!(left(&work, start, 60), Some(170));
    }

    #[test]
    fn what_an_earlier_process_trained_is_done_but_does_not_count_as_speed() {
        let (mut work, start) = (Work::new(2), Instant::now());
        work.begin("resumed", 0.5, start);
        assert_eq!((work.position(), left(&work, start, 10)), (0.5, None), "nothing has been trained yet");
        work.advance("resumed", 0.75);
        assert_eq!((work.position(), left(&work, start, 10)), (0.75, Some(50)));
        work.advance("resumed", 1.0);
        work.complete("resumed");
        assert_eq!((work.position(), left(&work, start, 20)), (1.0, Some(40)));
    }

    #[test]
    fn a_run_that_diverges_or_fails_early_is_done_but_does_not_count_as_speed() {
        let (mut work, start) = (Work::new(4), Instant::now());
        work.begin("diverged", 0.0, start);
        work.advance("diverged", 0.1);
        work.leave("diverged");
        work.complete("diverged");
        assert_eq!((work.position(), left(&work, start, 1)), (1.0, Some(30)));
        work.complete("could not be built");
        assert_eq!((work.position(), left(&work, start, 1)), (2.0, Some(20)));
    }

    #[test]
    fn a_stopped_run_keeps_its_part_and_is_not_running() {
        let (mut work, start) = (Work::new(2), Instant::now());
        work.begin("stopped", 0.0, start);
        work.advance("stopped", 0.5);
        work.leave("stopped");
        assert_eq!((work.position(), work.running(), work.done()), (0.5, 0, 0));
    }

    #[test]
    fn a_pause_does_not_count_as_time() {
        let (mut work, start) = (Work::new(2), Instant::now());
        work.begin("a", 0.0, start);
        work.advance("a", 0.5);
        let at = |seconds| start + Duration::from_secs(seconds);
        work.pause(true, at(10));
        assert_eq!(left(&work, start, 1000), Some(30));
        work.pause(false, at(1000));
        assert_eq!(left(&work, start, 1000), Some(30));
        assert_eq!(left(&work, start, 1010), Some(60));
        assert_eq!(left(&Work::new(2), start, 10), None, "nothing has begun");
    }
}
