//! Who is told what a run does while it does it.

use super::checkpoint::Checkpoint;
use super::run::Outcome;
use super::state::TrainState;
use crate::config::RunConfig;
use crate::engine::BatchStats;
use crate::record::{Change, EpochRow, StepRow};
use anyhow::Result;
use std::sync::Arc;

/// What is known before the first step.
#[derive(Debug, Clone)]
pub struct Start<'a> {
    pub config: &'a RunConfig,
    /// Where it starts: at its beginning, or where an earlier process has left it.
    pub state: &'a TrainState,
    /// S.
    pub steps_per_epoch: u64,
    pub train_images: usize,
    pub trainable_parameters: usize,
    /// What the user may not expect, a line each.
    pub notes: Vec<String>,
}

/// Why a checkpoint is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// An epoch has ended.
    Epoch,
    /// `--checkpoint-every`.
    Due,
    /// Somebody asked for it.
    Asked,
    /// A setting was changed.
    Change,
    /// The run is about to stop.
    Stop,
}

impl Reason {
    /// Whether somebody waits for it to be on the disk.
    pub fn is_awaited(self) -> bool {
        matches!(self, Reason::Asked | Reason::Change | Reason::Stop)
    }
}

/// Sees every step and every epoch. An error ends the run: a log that cannot be written is worth less than none.
pub trait Observer {
    fn start(&mut self, _start: &Start<'_>) -> Result<()> {
        Ok(())
    }

    /// After each update, with the values that it was made with, and the sums of the epoch so far.
    fn step(&mut self, _row: &StepRow, _so_far: &BatchStats) -> Result<()> {
        Ok(())
    }

    /// After each epoch and its validation.
    fn epoch(&mut self, _row: &EpochRow) -> Result<()> {
        Ok(())
    }

    /// Between two steps.
    fn checkpoint(&mut self, _checkpoint: &Arc<Checkpoint>, _reason: Reason) -> Result<()> {
        Ok(())
    }

    /// A setting was changed by hand; the checkpoint that knows of it has been handed out.
    fn changed(&mut self, _change: &Change) -> Result<()> {
        Ok(())
    }

    /// Something went wrong that costs the run nothing.
    fn warn(&mut self, _message: &str) -> Result<()> {
        Ok(())
    }

    /// After the last epoch and the look at the test set, or when the run has diverged or was stopped, and everything is on disk.
    fn finish(&mut self, _outcome: &Outcome) -> Result<()> {
        Ok(())
    }
}

impl<T: Observer + ?Sized> Observer for &mut T {
    fn start(&mut self, start: &Start<'_>) -> Result<()> {
        (**self).start(start)
    }

    fn step(&mut self, row: &StepRow, so_far: &BatchStats) -> Result<()> {
        (**self).step(row, so_far)
    }

    fn epoch(&mut self, row: &EpochRow) -> Result<()> {
        (**self).epoch(row)
    }

    fn checkpoint(&mut self, checkpoint: &Arc<Checkpoint>, reason: Reason) -> Result<()> {
        (**self).checkpoint(checkpoint, reason)
    }

    fn changed(&mut self, change: &Change) -> Result<()> {
        (**self).changed(change)
    }

    fn warn(&mut self, message: &str) -> Result<()> {
        (**self).warn(message)
    }

    fn finish(&mut self, outcome: &Outcome) -> Result<()> {
        (**self).finish(outcome)
    }
}

/// Tells several observers, in order.
pub struct All<'a>(pub Vec<Box<dyn Observer + 'a>>);

impl Observer for All<'_> {
    fn start(&mut self, start: &Start<'_>) -> Result<()> {
        self.0.iter_mut().try_for_each(|observer| observer.start(start))
    }

    fn step(&mut self, row: &StepRow, so_far: &BatchStats) -> Result<()> {
        self.0.iter_mut().try_for_each(|observer| observer.step(row, so_far))
    }

    fn epoch(&mut self, row: &EpochRow) -> Result<()> {
        self.0.iter_mut().try_for_each(|observer| observer.epoch(row))
    }

    fn checkpoint(&mut self, checkpoint: &Arc<Checkpoint>, reason: Reason) -> Result<()> {
        self.0.iter_mut().try_for_each(|observer| observer.checkpoint(checkpoint, reason))
    }

    fn changed(&mut self, change: &Change) -> Result<()> {
        self.0.iter_mut().try_for_each(|observer| observer.changed(change))
    }

    fn warn(&mut self, message: &str) -> Result<()> {
        self.0.iter_mut().try_for_each(|observer| observer.warn(message))
    }

    fn finish(&mut self, outcome: &Outcome) -> Result<()> {
        self.0.iter_mut().try_for_each(|observer| observer.finish(outcome))
    }
}
