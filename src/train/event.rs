//! What happens to a run while it trains, and who observes it.

use super::checkpoint::Checkpoint;
use super::outcome::Outcome;
use super::state::TrainState;
use crate::config::RunConfig;
use crate::engine::BatchStats;
use crate::record::{Change, EpochRow, StepRow};
use anyhow::Result;
use std::sync::Arc;

/// What happens to a run. It does not say to which: every run has an observer of its own, which knows.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// The first step comes next: of the run, or of this process in a run that is resumed.
    Started(&'a Started<'a>),
    /// An update was made, with the values in `row`; `so_far` are the sums of the epoch.
    Step { row: &'a StepRow, so_far: &'a BatchStats },
    /// An epoch was trained and validated.
    Epoch(&'a EpochRow),
    /// The run stands between two steps, and can be resumed from here.
    Checkpoint { checkpoint: &'a Arc<Checkpoint>, reason: Reason },
    /// A setting was changed by hand; a checkpoint that includes the change was handed out before.
    Changed(&'a Change),
    /// Something went wrong that does not end the run.
    Warning(&'a str),
    /// The run is over, was stopped, or diverged, and everything is on disk.
    Finished(&'a Outcome),
    /// An error ended the run.
    Failed(&'a str),
}

/// What is known before the first step.
#[derive(Debug, Clone)]
pub struct Started<'a> {
    pub config: &'a RunConfig,
    /// Where the run starts: at its beginning, or at the checkpoint that it was restored from.
    pub state: &'a TrainState,
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
    /// The interval of the run has passed.
    Due,
    /// Somebody asked for it.
    Asked,
    /// A setting was changed.
    Change,
    /// The run is about to stop.
    Stop,
}

impl Reason {
    /// Whether the run waits until the checkpoint is on disk.
    pub fn is_awaited(self) -> bool {
        matches!(self, Reason::Asked | Reason::Change | Reason::Stop)
    }
}

/// Observes one run. An error ends the run: a log that cannot be written is worth less than none.
pub trait Observer {
    /// # Errors
    /// The event cannot be recorded or shown.
    fn observe(&mut self, event: &Event<'_>) -> Result<()>;
}

impl<F: FnMut(&Event<'_>) -> Result<()>> Observer for F {
    fn observe(&mut self, event: &Event<'_>) -> Result<()> {
        self(event)
    }
}

/// Several observers, in order.
pub struct All<'a>(pub Vec<Box<dyn Observer + 'a>>);

impl Observer for All<'_> {
    fn observe(&mut self, event: &Event<'_>) -> Result<()> {
        self.0.iter_mut().try_for_each(|observer| observer.observe(event))
    }
}
