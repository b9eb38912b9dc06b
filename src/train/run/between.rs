//! Between two steps: checkpoints, requests from outside, pauses.

use super::{Adjustment, Run};
use crate::config::Every;
use crate::train::checkpoint::Checkpoint;
use crate::train::control::{ControlRequest, Stop, Supervision};
use crate::train::event::{Event, Reason};
use crate::train::outcome::Ending;
use anyhow::Result;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a paused run checks whether to continue.
const PAUSE: Duration = Duration::from_millis(30);

impl Run<'_> {
    /// Carries out pending requests, makes a checkpoint if there is a reason to `save`, and waits while paused.
    pub(super) fn between_steps(
        &mut self,
        supervision: &mut Supervision<'_>,
        mut save: Option<Reason>,
    ) -> Result<Option<Stop>> {
        self.pass_time();
        loop {
            for request in supervision.control.requests_after(&mut self.requests_seen) {
                let adjustment = match request {
                    ControlRequest::Save => {
                        save = Some(Reason::Asked);
                        continue;
                    }
                    ControlRequest::Scale(factor) => Adjustment::Scale(factor),
                    ControlRequest::Rate(rate) => Adjustment::Rate(rate),
                };
                // Invalid key requests are ignored.
                let _ = self.adjust(&adjustment);
            }
            self.announce_changes(supervision)?;
            if let Some(stop) = supervision.control.stopping() {
                self.save(Reason::Stop, supervision)?;
                return Ok(Some(stop));
            }
            if let Some(reason) = save.take() {
                self.save(reason, supervision)?;
            }
            if !supervision.control.paused() {
                return Ok(None);
            }
            std::thread::sleep(PAUSE);
            self.mark = Instant::now();
        }
    }

    /// Whether a checkpoint is due after the step just made. The end of an epoch makes its own.
    pub(super) fn due(&self, every: Option<Every>) -> Option<Reason> {
        let is_due = match every? {
            Every::Steps(steps) => self.state.step.is_multiple_of(steps),
            Every::Time(time) => self.saved.elapsed() >= time,
        };
        let ends_epoch = self.state.step.is_multiple_of(self.steps_per_epoch());
        (is_due && !ends_epoch).then_some(Reason::Due)
    }

    /// Ends a run that was asked to stop during an evaluation.
    pub(super) fn stop(&mut self, supervision: &mut Supervision<'_>) -> Result<Ending> {
        self.save(Reason::Stop, supervision)?;
        Ok(Ending::Stopped(supervision.control.stopping().unwrap_or(Stop::Interrupt)))
    }

    /// Checkpoints pending changes, then notifies the observer, so that an announced change is never lost.
    pub(super) fn announce_changes(&mut self, supervision: &mut Supervision<'_>) -> Result<()> {
        if self.told == self.state.changes.len() {
            return Ok(());
        }
        self.save(Reason::Change, supervision)?;
        for change in &self.state.changes[self.told..] {
            supervision.observer.observe(&Event::Changed(change))?;
        }
        self.told = self.state.changes.len();
        Ok(())
    }

    /// Hands out a checkpoint.
    pub(super) fn save(&mut self, reason: Reason, supervision: &mut Supervision<'_>) -> Result<()> {
        self.pass_time();
        self.saved = Instant::now();
        self.state.observed = self.schedule.state();
        let (mut states, mut arrays) = (self.trainer.optimizer.states(), BTreeMap::new());
        states.iter_mut().for_each(|state| arrays.append(&mut state.arrays));
        let base = states.remove(0);
        (self.state.optimizer_steps, self.state.optimizer_scalars) = (base.steps, base.scalars);
        self.state.groups = self.groups.states(states);
        self.state.averages_taken = self.trainer.averages_taken();
        let points = self.trainer.points()?;
        let checkpoint = Checkpoint::new(self.config, &self.dataset, self.state.clone(), points, arrays);
        // With non-finite weights the next step ends the run as diverged; the previous checkpoint is the one to resume
        // from.
        self.handed_out = checkpoint.is_finite();
        if !self.handed_out {
            return Ok(());
        }
        supervision.observer.observe(&Event::Checkpoint { checkpoint: &Arc::new(checkpoint), reason })
    }

    /// Advances the timers to now.
    pub(super) fn pass_time(&mut self) {
        let seconds = self.mark.elapsed().as_secs_f64();
        self.mark = Instant::now();
        self.state.seconds += seconds;
        self.state.epoch_seconds += seconds;
    }
}
