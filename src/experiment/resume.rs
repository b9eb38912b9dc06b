//! Resuming a run that an earlier process left, as it was or with changes.

use crate::config::{Keep, Reach, RunConfig};
use crate::data::Dataset;
use crate::number::counted;
use crate::record::{RunInfo, Status, files};
use crate::run_folder::checkpoint::{self, LatestCheckpoint, Wanted};
use crate::run_folder::{Lock, Refusal, RunDirectory, Setup};
use crate::schedule::Spec;
use crate::train::{Adjustment, Run};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

/// What an earlier process has left of a run, in a folder that is now this process's own.
pub struct Left {
    path: PathBuf,
    pub info: RunInfo,
    pub config: RunConfig,
    /// The checkpoint to go on from; without one the run starts at its beginning.
    found: Option<LatestCheckpoint>,
    lock: Lock,
    maker: Maker,
}

/// A run that cannot be resumed as it was asked for.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ResumeError {
    #[error("{} is not a run: it has no run.json", .path.display())]
    NotARun { path: PathBuf, is_comparison: bool },
    /// The SHA-256 of the images it was trained on, and of those that were found.
    #[error("{} was trained on other images (SHA-256 {recorded}, found {found})", .run.display())]
    OtherImages { run: PathBuf, recorded: String, found: String },
    /// Both a factor and a new rate or schedule.
    #[error("the current schedule cannot be both scaled and replaced")]
    ScaledAndReplaced,
    /// What is to become of the schedule in a run of another length, without another length than these `epochs`.
    #[error("the schedule can be stretched or held only where the run gets another length than {epochs} epochs")]
    SameLength { epochs: u64 },
    /// A new rate or schedule, and no epoch left to use it in.
    #[error("the run finished after {}", counted(*.epochs, "epoch"))]
    Finished { epochs: u64 },
    #[error("the run diverged and would diverge again")]
    Diverged,
    /// It is open what becomes of the schedule in a run of `epochs`. `last` is its own last epoch, 0-based.
    #[error("the schedule {schedule} depends on the length of the run")]
    DependsOnLength { schedule: Spec, epochs: u64, last: u64 },
}

/// A run whose files are damaged.
#[derive(Debug, thiserror::Error)]
#[error("{error:#}; restore the file, or train {} again", .run.display())]
pub struct DamagedRun {
    pub run: PathBuf,
    pub error: anyhow::Error,
    pub maker: Maker,
}

/// What made a run: it decides how the run can be trained again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// `lrsched train`.
    Train,
    /// A comparison, which trains what is missing.
    Comparison,
}

impl DamagedRun {
    pub fn new(run: &Path, error: anyhow::Error, maker: Maker) -> Self {
        Self { run: run.to_path_buf(), error, maker }
    }
}

impl Left {
    /// # Errors
    /// [`ResumeError::NotARun`]; [`crate::usage::Usage`] where another process works on it; a run.json that cannot be read; [`DamagedRun`]
    /// where no checkpoint is whole, and a [`Refusal`] where none is sound although the rate is to change.
    pub fn open(path: &Path, changes_rate: bool, maker: Maker) -> Result<Self> {
        let file = path.join(files::RUN_JSON);
        if !file.is_file() {
            let is_comparison = path.join(files::COMPARISON_CSV).is_file();
            bail!(ResumeError::NotARun { path: path.to_path_buf(), is_comparison });
        }
        // Before anything is written there: it may be somebody else's run.json.
        RunInfo::read(&file)?;
        let lock = Lock::take(path)?;
        let info = RunInfo::read(&file)?;
        let config = info
            .config
            .known()
            .with_context(|| format!("{}: the config was written by another version of lrsched", file.display()))?;
        // The last one may hold the weights that another rate is to make up for.
        let wanted =
            if changes_rate || info.standing.status == Status::Diverged { Wanted::Sound } else { Wanted::Whole };
        checkpoint::own(path)?;
        let found = checkpoint::latest(path, wanted)
            .map_err(|error| if error.is::<Refusal>() { error } else { DamagedRun::new(path, error, maker).into() })?;
        Ok(Self { path: path.to_path_buf(), info, config, found, lock, maker })
    }

    /// Why it goes on from another checkpoint than the last, where it does.
    pub fn instead(&self) -> Option<String> {
        self.found.as_ref()?.instead("resuming from")
    }

    /// What was kept of a finished run, where that is too little to train it longer: its last weights without the state of the optimizer, or
    /// none.
    pub fn cannot_be_longer(&self) -> Option<Keep> {
        if self.info.standing.status != Status::Finished {
            return None;
        }
        let keep = self.info.known_keep().filter(|keep| *keep != Keep::All)?;
        // The last one is still there where it is the best one.
        self.found.as_ref().is_none_or(|found| !found.is_last()).then_some(keep)
    }

    pub fn has_checkpoint(&self) -> bool {
        self.found.is_some()
    }

    /// # Errors
    /// Other images than those that the run was trained on.
    pub fn check(&self, dataset: &Dataset) -> Result<(), ResumeError> {
        let (recorded, found) = (self.info.provenance.dataset.digest.clone(), dataset.digest().to_string());
        if recorded == found {
            Ok(())
        } else {
            Err(ResumeError::OtherImages { run: self.path.clone(), recorded, found })
        }
    }

    /// Brings `run`, which is at its beginning, to where the earlier process has left it.
    ///
    /// # Errors
    /// A checkpoint of another run.
    pub fn restore(&self, run: &mut Run<'_>) -> Result<()> {
        self.found.as_ref().map_or(Ok(()), |found| run.restore(&found.checkpoint))
    }

    /// What may make the rest differ from that of a run that was never interrupted, a line each.
    pub fn differences(&self, run: &Run<'_>) -> Vec<String> {
        let mut lines = Vec::new();
        let version = env!("CARGO_PKG_VERSION");
        if self.info.provenance.version != version {
            lines.push(format!(
                "started with lrsched {}, resuming with {version}: the last bits may differ",
                self.info.provenance.version
            ));
        }
        if let Some(kernels) = self.info.provenance.kernels.as_deref().filter(|kernels| *kernels != run.kernels()) {
            lines.push(format!(
                "started with {kernels} kernels, resuming with {}: they round differently",
                run.kernels()
            ));
        }
        lines
    }

    /// Opens the files of the run, cut back to the checkpoint.
    ///
    /// # Errors
    /// Files that do not go with the checkpoint, or cannot be written.
    pub fn reopen(self, setup: &Setup<'_>) -> Result<RunDirectory> {
        let damaged = |error| DamagedRun::new(&self.path, error, self.maker).into();
        RunDirectory::reopen(&self.path, self.lock, self.info, self.found.as_ref(), setup, &damaged)
    }
}

/// What is to be different from here on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    pub lr: Option<f64>,
    pub scale: Option<f64>,
    pub schedule: Option<Spec>,
    pub epochs: Option<u64>,
    pub reach: Option<Reach>,
}

impl Request {
    /// Whether the rates from here on are others than those that the run would have had.
    pub fn changes_rate(&self) -> bool {
        self.lr.is_some() || self.schedule.is_some() || self.scale.is_some()
    }

    /// # Errors
    /// A [`ResumeError`] for changes that contradict each other, that come too late, or that leave open what becomes of the schedule.
    pub fn adjustments(&self, run: &Run<'_>, status: Status) -> Result<Vec<Adjustment>> {
        let (at, config) = (run.state(), run.config());
        if self.scale.is_some() && (self.lr.is_some() || self.schedule.is_some()) {
            bail!(ResumeError::ScaledAndReplaced);
        }
        let longer = self.epochs.filter(|epochs| *epochs != at.course.epochs);
        if self.reach.is_some() && longer.is_none() {
            bail!(ResumeError::SameLength { epochs: at.course.epochs });
        }
        let replaced = self.lr.is_some() || self.schedule.is_some();
        match status {
            Status::Finished if self.changes_rate() && longer.is_none() && at.epoch >= at.course.epochs => {
                bail!(ResumeError::Finished { epochs: at.epoch });
            }
            Status::Diverged if !self.changes_rate() => bail!(ResumeError::Diverged),
            _ => {}
        }
        let mut adjustments = Vec::new();
        if let Some(epochs) = longer {
            let depends = || at.course.depends_on_length(epochs, config.semantics, run.steps_per_epoch());
            let reach = match self.reach {
                Some(reach) => reach,
                // A length that is refused needs no question.
                None if replaced || epochs <= at.epoch || !depends()? => Reach::Stretch,
                None => {
                    let (schedule, last) = (at.course.schedule.clone(), at.course.until - 1);
                    bail!(ResumeError::DependsOnLength { schedule, epochs, last });
                }
            };
            adjustments.push(Adjustment::Epochs(epochs, reach));
        }
        match (&self.schedule, self.lr) {
            (Some(spec), lr) => adjustments.push(Adjustment::Schedule(spec.clone(), lr)),
            (None, Some(lr)) => adjustments.push(Adjustment::Rate(lr)),
            (None, None) => {}
        }
        adjustments.extend(self.scale.map(Adjustment::Scale));
        Ok(adjustments)
    }
}
