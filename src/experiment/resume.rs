//! Resumes a run from an earlier process, unchanged or with changes.

use crate::config::{Keep, Reach, RunConfig};
use crate::data::Dataset;
use crate::number::counted;
use crate::record::{RunInfo, Status, files};
use crate::run_folder::checkpoint::{self, LatestCheckpoint, Wanted};
use crate::run_folder::{Lock, Refusal, RunDirectory, Setup};
use crate::schedule::Spec;
use crate::train::{Adjustment, Run};
use anyhow::{Context, Result, anyhow, bail};
use std::io;
use std::path::{Path, PathBuf};

/// What an earlier process left of a run, in a folder that this process has locked.
pub struct Left {
    path: PathBuf,
    pub info: RunInfo,
    pub config: RunConfig,
    /// The checkpoint to resume from; `None` starts the run from the beginning.
    found: Option<LatestCheckpoint>,
    lock: Lock,
    maker: Maker,
}

/// A run that cannot be resumed as requested.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ResumeError {
    #[error("{} is not a run: it has no run.json", .path.display())]
    NotARun { path: PathBuf, is_comparison: bool },
    /// The SHA-256 of the images it was trained on, and of the images found.
    #[error("{} was trained on other images (SHA-256 {recorded}, found {found})", .run.display())]
    OtherImages { run: PathBuf, recorded: String, found: String },
    /// Both a factor and a new rate or schedule.
    #[error("the current schedule cannot be both scaled and replaced")]
    ScaledAndReplaced,
    /// Stretching or holding the schedule was requested, but the length stays at `epochs`.
    #[error("the schedule can be stretched or held only where the run gets another length than {epochs} epochs")]
    SameLength { epochs: u64 },
    /// A new rate or schedule, but no epochs left to apply it to.
    #[error("the run finished after {}", counted(*.epochs, "epoch"))]
    Finished { epochs: u64 },
    #[error("the run diverged and would diverge again")]
    Diverged,
    /// The request does not say how the schedule adapts to a run of `epochs`. `last` is the last epoch it covers,
    /// 0-based.
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

/// What created a run; determines how to train it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// `lrsched train`.
    Train,
    /// A comparison, which trains its missing runs.
    Comparison,
}

impl DamagedRun {
    /// The error of a run in which `error` was found, unless the system only refused to read: then nothing says that it is damaged.
    pub fn of(run: &Path, error: anyhow::Error, maker: Maker) -> anyhow::Error {
        let refused = |error: &io::Error| error.raw_os_error().is_some() && error.kind() != io::ErrorKind::NotFound;
        if error.downcast_ref::<io::Error>().is_some_and(refused) {
            return error;
        }
        Self { run: run.to_path_buf(), error, maker }.into()
    }
}

impl Left {
    /// # Errors
    /// [`ResumeError::NotARun`]; [`crate::usage::Usage`] if another process is using it; an unreadable run.json;
    /// [`DamagedRun`] if no checkpoint is intact, or a [`Refusal`] if none is sound and the rate is to change.
    pub fn open(path: &Path, changes_rate: bool, maker: Maker) -> Result<Self> {
        let file = path.join(files::RUN_JSON);
        if !file.is_file() {
            let is_comparison = path.join(files::COMPARISON_CSV).is_file();
            bail!(ResumeError::NotARun { path: path.to_path_buf(), is_comparison });
        }
        // Read before locking, which writes to the folder: the run.json may not be ours.
        let read = || {
            RunInfo::read(&file)
                .map_err(|error| anyhow!("{error:#}; restore the file, or train the run again in another folder"))
        };
        read()?;
        let lock = Lock::take(path)?;
        let info = read()?;
        let config = info
            .config
            .known()
            .with_context(|| format!("{}: the config was written by another version of lrsched", file.display()))?;
        // The last checkpoint may hold the very weights that the new rate is meant to avoid.
        let wanted =
            if changes_rate || info.standing.status == Status::Diverged { Wanted::Sound } else { Wanted::Whole };
        checkpoint::own(path)?;
        let found = checkpoint::latest(path, wanted)
            .map_err(|error| if error.is::<Refusal>() { error } else { DamagedRun::of(path, error, maker) })?;
        Ok(Self { path: path.to_path_buf(), info, config, found, lock, maker })
    }

    /// Why it resumes from a checkpoint other than the last, if it does.
    pub fn instead(&self) -> Option<String> {
        self.found.as_ref()?.instead("resuming from")
    }

    /// What a finished run kept, if that is too little to train it further: its last weights without the optimizer
    /// state, or nothing.
    pub fn cannot_be_longer(&self) -> Option<Keep> {
        if self.info.standing.status != Status::Finished {
            return None;
        }
        let keep = self.info.known_keep().filter(|keep| *keep != Keep::All)?;
        // The last checkpoint is still there if it is also the best one.
        self.found.as_ref().is_none_or(|found| !found.is_last()).then_some(keep)
    }

    pub fn has_checkpoint(&self) -> bool {
        self.found.is_some()
    }

    /// # Errors
    /// The images differ from those the run was trained on.
    pub fn check(&self, dataset: &Dataset) -> Result<(), ResumeError> {
        let (recorded, found) = (self.info.provenance.dataset.digest.clone(), dataset.digest().to_string());
        if recorded == found {
            Ok(())
        } else {
            Err(ResumeError::OtherImages { run: self.path.clone(), recorded, found })
        }
    }

    /// Restores `run`, which is at its beginning, to where the earlier process left it.
    ///
    /// # Errors
    /// The checkpoint belongs to another run.
    pub fn restore(&self, run: &mut Run<'_>) -> Result<()> {
        self.found.as_ref().map_or(Ok(()), |found| run.restore(&found.checkpoint))
    }

    /// Reasons why the rest may differ from that of an uninterrupted run, one per line.
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

    /// Opens the files of the run, truncated to the checkpoint.
    ///
    /// # Errors
    /// Files that do not match the checkpoint, or cannot be written.
    pub fn reopen(self, setup: &Setup<'_>) -> Result<RunDirectory> {
        let damaged = |error| DamagedRun::of(&self.path, error, self.maker);
        RunDirectory::reopen(&self.path, self.lock, self.info, self.found.as_ref(), setup, &damaged)
    }
}

/// What to change from here on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    pub lr: Option<f64>,
    pub scale: Option<f64>,
    pub schedule: Option<Spec>,
    pub epochs: Option<u64>,
    pub reach: Option<Reach>,
}

impl Request {
    /// Whether the rates from here on differ from those the run would have had.
    pub fn changes_rate(&self) -> bool {
        self.lr.is_some() || self.schedule.is_some() || self.scale.is_some()
    }

    /// # Errors
    /// A [`ResumeError`] for changes that contradict each other, come too late, or do not say how the schedule adapts
    /// to the new length.
    pub fn adjustments(&self, run: &Run<'_>, status: Status) -> Result<Vec<Adjustment>> {
        let at = run.state();
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
            let reach = match self.reach {
                Some(reach) => reach,
                // The old schedule ends here: it is what it was up to now.
                None if replaced => Reach::Hold,
                // An invalid length is rejected later; don't ask about its schedule.
                None if epochs <= at.epoch => Reach::Stretch,
                None => match run.depends_on_length(epochs)? {
                    None => Reach::Stretch,
                    Some(schedule) => {
                        bail!(ResumeError::DependsOnLength { schedule, epochs, last: at.course.until - 1 });
                    }
                },
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_the_system_refuses_to_read_is_not_damaged() {
        let found = |error: io::Error| -> anyhow::Error {
            let error = Err::<(), _>(error).context("r/run.json").unwrap_err();
            DamagedRun::of(Path::new("r"), error, Maker::Comparison)
        };
        // EACCES, EMFILE.
        for refused in [13, 24] {
            assert!(!found(io::Error::from_raw_os_error(refused)).is::<DamagedRun>(), "{refused}");
        }
        // Lost, or not a file of ours: train it again.
        assert!(found(io::Error::from_raw_os_error(2)).is::<DamagedRun>());
        assert!(found(io::Error::other("it is larger than 64 MiB")).is::<DamagedRun>());
    }
}
