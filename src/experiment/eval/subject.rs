//! The weights to evaluate: where they are, and whether they are intact.

use super::Moment;
use crate::config::{Keep, SettingValues};
use crate::data::{DatasetKind, Tta, Validation};
use crate::disk;
use crate::engine::EngineKind;
use crate::model::Model;
use crate::record::files::{self, WEIGHTS};
use crate::record::{RecordedConfig, RunInfo, Status};
use crate::run_folder::checkpoint::{self, SavedCheckpoint, Wanted};
use crate::run_folder::sha256;
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A path that does not have the requested weights.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    #[error("{}: no such file or folder", .0.display())]
    Missing(PathBuf),
    /// Another file of a run than its weights.
    #[error("{} holds no weights", .0.display())]
    OtherFile(PathBuf),
    /// A checkpoint was requested, but the path is a file.
    #[error("{} is a file, and the {} checkpoint is one of a run", .path.display(), .moment.name())]
    OfAFile { path: PathBuf, moment: Moment },
    /// A checkpoint was requested, but the path is already a checkpoint.
    #[error("{} is a checkpoint", .0.display())]
    OfACheckpoint(PathBuf),
    /// `keep` is the run's retention setting, unless it kept everything.
    #[error("{} has no {} checkpoint", .run.display(), .moment.name())]
    NoCheckpoint { run: PathBuf, moment: Moment, keep: Option<Keep> },
    /// The run was set to keep no weights.
    #[error("{} has no {WEIGHTS}: its run was to keep none", .0.display())]
    NotKept(PathBuf),
    #[error("{} has no {WEIGHTS}, though its run is over: the file was moved or removed", .0.display())]
    Moved(PathBuf),
    #[error("{} has no {WEIGHTS}: its run is {status}, and has no checkpoint yet", .run.display())]
    NotYet { run: PathBuf, status: Status },
    #[error("{} is a comparison; evaluate one of its runs: {}", .0.display(), .0.join(files::RUNS).join("NAME").display())]
    Comparison(PathBuf),
    #[error("{} is not the folder of a run: it has no {WEIGHTS}", .0.display())]
    NotARun(PathBuf),
}

/// A weights file, verified where a digest is recorded, and the run.json of the run that made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    pub weights: PathBuf,
    /// From the run.json beside it.
    pub(super) run: Option<RunInfo>,
    /// Why these weights, if others might be expected.
    pub(super) instead: Option<String>,
}

impl Subject {
    /// `path` is the folder of a run, or a safetensors file, with or without a run.json beside it. For a folder, the
    /// weights are those of `moment` if given, else the final ones, or those of the last intact checkpoint if the run
    /// is unfinished.
    ///
    /// # Errors
    /// A [`SubjectError`] if the weights are missing; an unreadable run.json; a damaged file: its SHA-256 is not the
    /// one recorded by the run or checkpoint. A file outside a run has no recorded digest.
    pub fn at(path: &Path, moment: Option<Moment>) -> Result<Self> {
        if !path.exists() {
            bail!(SubjectError::Missing(path.to_path_buf()));
        }
        if !path.is_dir() {
            let is_weights = path.extension().is_some_and(|ending| ending == "safetensors");
            if !is_weights && path.is_file() && folder_of(path).join(files::RUN_JSON).is_file() {
                bail!(SubjectError::OtherFile(path.to_path_buf()));
            }
            return match moment {
                Some(moment) => bail!(SubjectError::OfAFile { path: path.to_path_buf(), moment }),
                None => Self::checked(path.to_path_buf()),
            };
        }
        let end = path.join(WEIGHTS);
        // A single checkpoint, not the run.
        if path.join(files::STATE_JSON).is_file() {
            return match moment {
                Some(_) => bail!(SubjectError::OfACheckpoint(path.to_path_buf())),
                None => Self::checked(end),
            };
        }
        match moment {
            Some(moment) => {
                let weights = path.join(files::CHECKPOINTS).join(moment.name()).join(WEIGHTS);
                if !weights.exists() {
                    let keep = run_of(&end)?.and_then(|run| run.known_keep()).filter(|keep| *keep != Keep::All);
                    bail!(SubjectError::NoCheckpoint { run: path.to_path_buf(), moment, keep });
                }
                Self::checked(weights)
            }
            // If the run was extended, the weights of its earlier end are stale.
            None if end.exists() && !run_of(&end)?.is_some_and(|run| goes_on(&run)) => Self::checked(end),
            None => match checkpoint::latest(path, Wanted::Whole)? {
                Some(found) => {
                    let weights = found.folder(path).join(WEIGHTS);
                    Ok(Self { run: run_of(&weights)?, weights, instead: found.instead("evaluating") })
                }
                None => Err(without_weights(path, run_of(&end)?.as_ref()).into()),
            },
        }
    }

    /// A file whose contents match its recorded digest.
    fn checked(weights: PathBuf) -> Result<Self> {
        let run = run_of(&weights)?;
        let folder = weights.parent().unwrap_or(Path::new(""));
        if folder.join(files::STATE_JSON).is_file() {
            SavedCheckpoint::read_of(folder, run.as_ref())
                .map_err(|error| anyhow!("{error:#}; {}", other(&weights, Wanted::Whole)))?;
        } else if let Some(run) = run.as_ref().filter(|run| !goes_on(run) && weights.ends_with(WEIGHTS))
            && let Some(digest) = &run.weights
        {
            let bytes = disk::read(&weights, disk::MOST_ARRAYS).with_context(|| weights.display().to_string())?;
            ensure!(
                sha256(&bytes) == *digest,
                "{} is damaged: its SHA-256 is not the one in run.json; {}",
                weights.display(),
                other(&weights, Wanted::Whole)
            );
        }
        Ok(Self { weights, run, instead: None })
    }

    /// The file to read.
    pub fn files(&self) -> Vec<PathBuf> {
        vec![self.weights.clone(), folder_of(&self.weights).join(files::RUN_JSON)]
    }

    /// How the run was trained.
    ///
    /// # Errors
    /// A setting from another version that this one cannot read.
    pub(super) fn trained(&self) -> Result<Trained> {
        let Some(run) = &self.run else { return Ok(Trained::default()) };
        Trained::of(&run.config).map_err(|error| anyhow!("run.json of {}: {error:#}", self.weights.display()))
    }
}

/// What an evaluation takes from the run's config; `None` if unknown.
#[derive(Debug, Default)]
pub(super) struct Trained {
    pub dataset: Option<DatasetKind>,
    pub train_limit: Option<usize>,
    pub validation: Option<Validation>,
    pub model: Option<Model>,
    pub engine: Option<EngineKind>,
    pub tta: Option<Tta>,
}

impl Trained {
    fn of(config: &RecordedConfig) -> Result<Self> {
        if let RecordedConfig::Known { config, .. } = config {
            return Ok(Self {
                dataset: Some(config.dataset),
                train_limit: config.train_limit,
                validation: Some(config.validation),
                model: Some(config.model),
                engine: Some(config.engine),
                tta: Some(config.tta),
            });
        }
        let settings = config.settings();
        Ok(Self {
            dataset: parsed(&settings, "dataset")?,
            train_limit: parsed(&settings, "train-limit")?,
            validation: parsed(&settings, "validation")?,
            model: parsed(&settings, "model")?,
            engine: parsed(&settings, "engine")?,
            tta: parsed(&settings, "tta")?,
        })
    }
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(settings: &SettingValues, name: &str) -> Result<Option<T>> {
    let value = settings.get(name).map(str::parse).transpose();
    value.map_err(|error| anyhow!("its {name}: {error}"))
}

/// Whether the run is unfinished, or was extended and has not finished again.
fn goes_on(run: &RunInfo) -> bool {
    matches!(run.standing.status, Status::Running | Status::Interrupted | Status::Failed)
}

/// The folder that holds the weights, or the `checkpoints` folder above it.
fn folder_of(weights: &Path) -> PathBuf {
    let folder = weights.parent().unwrap_or(Path::new(""));
    let run = run_above(folder);
    if run.join(files::RUN_JSON).is_file() {
        return run.to_path_buf();
    }
    // A relative path may be too short to name its parent folders: `weights.safetensors`, `last/weights.safetensors`.
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let full = here.canonicalize().map(|folder| run_above(&folder).to_path_buf());
    full.ok().filter(|run| run.join(files::RUN_JSON).is_file()).unwrap_or(run.to_path_buf())
}

/// The run folder above `folder` if its path is that of a checkpoint; else `folder` itself.
fn run_above(folder: &Path) -> &Path {
    let checkpoints = folder.parent().filter(|parent| parent.ends_with(files::CHECKPOINTS));
    checkpoints.and_then(Path::parent).unwrap_or(folder)
}

/// Which of the run's checkpoints to evaluate instead of unusable weights.
pub(super) fn other(weights: &Path, wanted: Wanted) -> String {
    let folder = folder_of(weights);
    let found = checkpoint::latest(&folder, wanted).map(|found| found.map(|found| found.folder(&folder).join(WEIGHTS)));
    match found {
        Ok(Some(other)) if other.canonicalize().ok() != weights.canonicalize().ok() => {
            format!("evaluate {} instead", other.display())
        }
        Ok(_) => "there is no checkpoint to evaluate instead".to_string(),
        Err(_) => "no checkpoint of its run would do either".to_string(),
    }
}

/// The run.json beside the weights, or beside the checkpoints they belong to.
fn run_of(weights: &Path) -> Result<Option<RunInfo>> {
    let path = folder_of(weights).join(files::RUN_JSON);
    if path.is_file() { RunInfo::read(&path).map(Some) } else { Ok(None) }
}

fn without_weights(folder: &Path, run: Option<&RunInfo>) -> SubjectError {
    let path = folder.to_path_buf();
    match run {
        Some(run) if goes_on(run) => SubjectError::NotYet { run: path, status: run.standing.status },
        Some(run) if run.known_keep() == Some(Keep::None) => SubjectError::NotKept(path),
        Some(_) => SubjectError::Moved(path),
        None if folder.join(files::COMPARISON_CSV).is_file() => SubjectError::Comparison(path),
        None => SubjectError::NotARun(path),
    }
}
