//! Resuming a run that an earlier process left, as it was or with changes.

use crate::config::{Keep, Reach, RunConfig};
use crate::data::Dataset;
use crate::number::counted;
use crate::record::{RunInfo, Status, files};
use crate::run_folder::checkpoint::{self, LatestCheckpoint, Wanted};
use crate::run_folder::{Lock, Refusal, RunDirectory, Setup};
use crate::schedule::Spec;
use crate::train::{Adjustment, Run};
use crate::usage;
use anyhow::{Context, Result, anyhow};
use std::path::{Path, PathBuf};

/// What an earlier process has left of a run, in a folder that is now this process's own.
pub struct Left {
    path: PathBuf,
    pub info: RunInfo,
    pub config: RunConfig,
    /// The checkpoint to go on from; without one the run starts at its beginning.
    found: Option<LatestCheckpoint>,
    lock: Lock,
    remedy: Remedy,
}

/// How a run whose files are damaged can be trained again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// A run of `lrsched train`.
    Force,
    /// One of a comparison, which trains what is missing.
    Remove,
}

impl Remedy {
    /// The error, and what to do about it.
    pub fn add(self, error: &anyhow::Error, run: &Path) -> anyhow::Error {
        let run = run.display();
        match self {
            Remedy::Force => {
                anyhow!("{error:#}; restore the file, or start again with `lrsched train … --out {run} --force`")
            }
            Remedy::Remove => anyhow!("{error:#}; restore the file, or remove {run} to train it again"),
        }
    }
}

impl Left {
    /// # Errors
    /// [`crate::usage::Usage`] where `path` holds no run, or one that another process works on. A run.json that cannot be read, or
    /// checkpoints of which none is whole, or none is of weights to go on from with another rate where that is wanted: these with the `remedy`.
    pub fn open(path: &Path, changes_rate: bool, remedy: Remedy) -> Result<Self> {
        let file = path.join(files::RUN_JSON);
        if !file.is_file() {
            let hint = if path.join(files::COMPARISON_CSV).is_file() {
                "; it is a comparison: run `lrsched compare` again with the same --out"
            } else {
                ""
            };
            return usage!("{} is not a run: it has no run.json{hint}", path.display());
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
            .map_err(|error| if error.is::<Refusal>() { error } else { remedy.add(&error, path) })?;
        Ok(Self { path: path.to_path_buf(), info, config, found, lock, remedy })
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
    pub fn check(&self, dataset: &Dataset) -> Result<()> {
        if self.info.provenance.dataset.digest != dataset.digest() {
            return usage!(
                "{} was trained on other images (SHA-256 {}, found {}); point --data-dir to its own images",
                self.path.display(),
                self.info.provenance.dataset.digest,
                dataset.digest()
            );
        }
        Ok(())
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
        let remedy = |error| self.remedy.add(&error, &self.path);
        RunDirectory::reopen(&self.path, self.lock, self.info, self.found.as_ref(), setup, &remedy)
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
    /// Settings that contradict each other, and a length that leaves open what becomes of the schedule.
    pub fn adjustments(&self, run: &Run<'_>, status: Status) -> Result<Vec<Adjustment>> {
        let (at, config) = (run.state(), run.config());
        if self.scale.is_some() && (self.lr.is_some() || self.schedule.is_some()) {
            return usage!("--scale-lr scales the current schedule; it cannot be combined with --lr or --schedule");
        }
        let longer = self.epochs.filter(|epochs| *epochs != at.course.epochs);
        if self.reach.is_some() && longer.is_none() {
            return usage!(
                "--stretch and --hold need --epochs with another number than the current {}",
                at.course.epochs
            );
        }
        let replaced = self.lr.is_some() || self.schedule.is_some();
        match status {
            Status::Finished if self.changes_rate() && longer.is_none() && at.epoch >= at.course.epochs => {
                return usage!("the run finished after {}; set a longer run with --epochs", counted(at.epoch, "epoch"));
            }
            Status::Diverged if !self.changes_rate() => {
                return usage!(
                    "the run diverged and would diverge again; resume at a smaller rate: --scale-lr 0.1, or --lr"
                );
            }
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
                    return usage!(
                        "the schedule {} depends on the length of the run: --stretch stretches it to {epochs} epochs, \
                         --hold keeps it and holds its last rate after epoch {}",
                        at.course.schedule,
                        at.course.until - 1
                    );
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
