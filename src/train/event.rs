//! The events of a training run, and the observers that receive them.

use super::checkpoint::Checkpoint;
use super::outcome::Outcome;
use super::state::TrainState;
use crate::config::RunConfig;
use crate::engine::BatchStats;
use crate::optim::Grouping;
use crate::record::{Change, EpochRow, StepRow};
use anyhow::Result;
use std::sync::Arc;

/// An event of a run. It does not identify the run: every run has its own observer.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// The run, or a resumed part of it, is about to make its first step.
    Started(&'a Started<'a>),
    /// A step was made, with the values in `row`; `so_far` are the sums of the epoch.
    Step { row: &'a StepRow, so_far: &'a BatchStats },
    /// An epoch was trained and validated.
    Epoch(&'a EpochRow),
    /// A checkpoint was made between two steps; the run can be resumed from it.
    Checkpoint { checkpoint: &'a Arc<Checkpoint>, reason: Reason },
    /// A setting was changed by hand; a checkpoint that includes the change was handed out first.
    Changed(&'a Change),
    /// A problem that does not end the run.
    Warning(&'a str),
    /// The run has finished, was stopped, or diverged, and everything is on disk.
    Finished(&'a Outcome),
    /// An error ended the run.
    Failed(&'a str),
}

/// What is known before the first step.
#[derive(Debug, Clone)]
pub struct Started<'a> {
    pub config: &'a RunConfig,
    /// The state at the start: of a new run, or of the checkpoint that it was restored from.
    pub state: &'a TrainState,
    pub steps_per_epoch: u64,
    pub train_images: usize,
    pub trainable_parameters: usize,
    /// The parameter groups, and what the user may not expect of them.
    pub grouping: &'a Grouping,
    /// What else the user may not expect of this config, one line each.
    pub notes: Vec<String>,
}

/// The reason for a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The end of an epoch.
    Epoch,
    /// The checkpoint interval has passed.
    Due,
    /// The user asked for it.
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

/// Observes one run. An error ends the run: a run without its log is of no use.
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
