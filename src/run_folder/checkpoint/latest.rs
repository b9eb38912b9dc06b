//! Which checkpoint a run resumes from.

use super::format::SavedCheckpoint;
use super::rotate::{carry, make_best, own, remove, rename};
use super::{NEW, OLD};
use crate::record::files::{BEFORE_LAST, BEST, CHECKPOINTS, LAST, OF_CHECKPOINT, RUN_JSON};
use crate::record::{RowDigests, RunInfo};
use crate::run_folder::refusal::Refusal;
use crate::train::{Checkpoint, LostWeights, TrainState};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// The checkpoint to resume from and, if it is not the last one, why not.
#[derive(Debug)]
pub struct LatestCheckpoint {
    pub checkpoint: Checkpoint,
    /// Digests of the rows written by then, if known.
    pub rows: Option<RowDigests>,
    /// What is wrong with the last checkpoint, if this is an earlier one.
    why: Option<String>,
    name: &'static str,
}

/// Which checkpoints are acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Any that is intact.
    Whole,
    /// One from before the weights were lost, for resuming at another rate.
    Sound,
}

/// The latest acceptable checkpoint that belongs to the run in `run`; `None` if none was made yet.
///
/// # Errors
/// None of the checkpoints is intact and of this run; [`Refusal::NoSoundCheckpoint`] if some are, but none is sound.
pub fn latest(run: &Path, wanted: Wanted) -> Result<Option<LatestCheckpoint>> {
    let folder = run.join(CHECKPOINTS);
    let info = RunInfo::read(&run.join(RUN_JSON)).ok();
    let dataset = info.as_ref().and_then(|info| info.config.dataset());
    let chance = dataset.unwrap_or_default().chance();
    let (mut wrong, mut lost): (Option<anyhow::Error>, Option<LostWeights>) = (None, None);
    for name in [LAST, BEFORE_LAST, BEST] {
        let path = folder.join(name);
        // A folder with only foreign files is not a checkpoint.
        if !OF_CHECKPOINT.iter().any(|file| path.join(file).symlink_metadata().is_ok()) {
            continue;
        }
        match SavedCheckpoint::read_of(&path, info.as_ref()) {
            Ok(SavedCheckpoint { checkpoint, rows }) => {
                match checkpoint.state.lost(chance).filter(|_| wanted == Wanted::Sound) {
                    None => {
                        let missing = || format!("{CHECKPOINTS}/{LAST} is missing");
                        let why = lost.map(|weights| format!("{CHECKPOINTS}/{LAST} is of {weights}"));
                        let why = why.or(wrong.map(|error| format!("{error:#}")));
                        let why = (name != LAST).then(|| why.unwrap_or_else(missing));
                        return Ok(Some(LatestCheckpoint { checkpoint, rows, why, name }));
                    }
                    Some(weights) => lost = lost.or(Some(weights)),
                }
            }
            Err(error) => wrong = wrong.or(Some(error)),
        }
    }
    match (lost, wrong) {
        (None, None) => Ok(None),
        (Some(weights), _) => Err(Refusal::NoSoundCheckpoint { run: run.to_path_buf(), weights }.into()),
        (None, Some(error)) => Err(error.context("no checkpoint is intact and of this run")),
    }
}

impl LatestCheckpoint {
    /// Its path, relative to the folder of the run.
    pub fn folder(&self, run: &Path) -> PathBuf {
        run.join(CHECKPOINTS).join(self.name)
    }

    /// Whether it is the last one.
    pub fn is_last(&self) -> bool {
        self.name == LAST
    }

    /// Why it is not the last one, if it is not; `so` describes the action taken, such as `resuming from`.
    pub fn instead(&self, so: &str) -> Option<String> {
        let TrainState { epoch, step, .. } = self.checkpoint.state;
        let this = format!("{so} {CHECKPOINTS}/{} (epoch {epoch}, step {step})", self.name);
        self.why.as_ref().map(|why| format!("{why}; {this}"))
    }

    /// Makes this the last checkpoint again, and repairs the folder if a process died between two renames. The caller
    /// must hold the lock of the run.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn settle(&self, run: &Path) -> Result<()> {
        let folder = own(run)?;
        let settle = || -> Result<()> {
            if self.name == BEFORE_LAST {
                // Otherwise the next checkpoint would rotate this one out and keep the damaged one.
                carry(&folder.join(LAST), &folder.join(BEFORE_LAST))?;
                remove(&folder.join(LAST))?;
                rename(&folder.join(BEFORE_LAST), &folder.join(LAST))?;
            }
            if folder.join(OLD).exists() && !folder.join(BEST).exists() {
                rename(&folder.join(OLD), &folder.join(BEST))?;
            }
            if self.name == BEST {
                // Later checkpoints are abandoned; the next two take their places.
                [LAST, BEFORE_LAST].iter().try_for_each(|name| remove(&folder.join(name)))?;
            }
            [NEW, OLD].iter().try_for_each(|name| remove(&folder.join(name)))?;
            // The process may have died before updating the best one.
            if self.name != BEST && self.checkpoint.state.is_best() { make_best(&folder) } else { Ok(()) }
        };
        settle().with_context(|| format!("cannot write to {}", folder.display()))
    }
}
