//! The open files of a run in training.

use super::directory::{described, write};
use super::events::EventLog;
use super::lock::Lock;
use super::saver::Saver;
use super::tensorboard::TensorBoard;
use crate::disk::Watch;
use crate::record::{Change, EpochRow, RowDigests, RowWriter, RunInfo, StepRow};
use crate::train::{Checkpoint, Event, Observer, Reason};
use anyhow::Result;
use std::path::Path;
use std::sync::Arc;

/// Writes rows, events and checkpoints as they come, then passes each event on.
pub(super) struct RunFiles<'a> {
    pub path: &'a Path,
    pub lock: &'a Lock,
    pub info: &'a mut RunInfo,
    pub metrics: &'a mut RowWriter<EpochRow>,
    pub steps: Option<&'a mut RowWriter<StepRow>>,
    pub events: &'a mut EventLog,
    pub tensorboard: Option<&'a mut TensorBoard>,
    pub saver: &'a mut Saver,
    pub watch: Watch,
    pub next: &'a mut dyn Observer,
}

impl Observer for RunFiles<'_> {
    fn observe(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::Step { row, .. } => self.step(row)?,
            Event::Epoch(row) => {
                self.metrics.write(row)?;
                self.check_in_place()?;
            }
            Event::Checkpoint { checkpoint, reason } => self.checkpoint(checkpoint, *reason)?,
            Event::Started(_) | Event::Changed(_) | Event::Warning(_) | Event::Finished(_) | Event::Failed(_) => {}
        }
        self.events.log(event)?;
        self.board(event)?;
        if let Event::Changed(change) = event {
            self.changed(change)?;
        }
        self.next.observe(event)
    }
}

impl RunFiles<'_> {
    /// Values of steps go where steps.csv goes.
    fn board(&mut self, event: &Event<'_>) -> Result<()> {
        match &mut self.tensorboard {
            Some(_) if matches!(event, Event::Step { .. }) && self.steps.is_none() => Ok(()),
            Some(board) => board.log(event),
            None => Ok(()),
        }
    }

    fn step(&mut self, row: &StepRow) -> Result<()> {
        self.steps.as_mut().map_or(Ok(()), |steps| steps.write(row))?;
        if self.watch.is_due() { self.check_in_place() } else { Ok(()) }
    }

    fn checkpoint(&mut self, checkpoint: &Arc<Checkpoint>, reason: Reason) -> Result<()> {
        self.check_in_place()?;
        self.saver.save(checkpoint, digests(self.metrics, self.steps.as_deref()))?;
        if reason.is_awaited() { self.saver.wait() } else { Ok(()) }
    }

    fn changed(&mut self, change: &Change) -> Result<()> {
        self.info.changes.push(change.clone());
        self.lock.folder().check()?;
        described(self.path)?;
        write(self.info, self.path)
    }

    pub(super) fn check_in_place(&self) -> Result<()> {
        in_place(self.lock, self.metrics, self.steps.as_deref(), self.events, self.tensorboard.as_deref())?;
        self.saver.check_in_place()
    }
}

pub(super) fn digests(metrics: &RowWriter<EpochRow>, steps: Option<&RowWriter<StepRow>>) -> RowDigests {
    RowDigests { metrics: metrics.digest(), steps: steps.map(RowWriter::digest) }
}

/// # Errors
/// The folder, or a file that is being written, was moved or deleted.
pub(super) fn in_place(
    lock: &Lock,
    metrics: &RowWriter<EpochRow>,
    steps: Option<&RowWriter<StepRow>>,
    events: &EventLog,
    tensorboard: Option<&TensorBoard>,
) -> Result<()> {
    lock.folder().check()?;
    metrics.check_in_place()?;
    steps.map_or(Ok(()), RowWriter::check_in_place)?;
    events.check_in_place()?;
    tensorboard.map_or(Ok(()), TensorBoard::check_in_place)
}
