//! Evaluates the weights of a run on images: loss, accuracy, and the confusion matrix.

use crate::config::{Keep, SettingValues};
use crate::data::{Dataset, DatasetKind, DatasetOptions, Validation};
use crate::disk;
use crate::engine::{self, BatchStats, DeviceChoice, EngineKind, Objective};
use crate::model::{Model, ModelOptions, Weights};
use crate::record::files::WEIGHTS;
use crate::record::{RecordedConfig, RunInfo, Status, files};
use crate::report::confusion::Confusion;
use crate::run_folder::checkpoint::{self, SavedCheckpoint, Wanted};
use crate::run_folder::sha256;
use crate::train::{EngineOptions, Prepared, PreparedImages};
use crate::usage;
use crate::usage::{Usage, did_you_mean, shortened};
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Batch size of an evaluation: that of the evaluations during a run.
pub use crate::train::EVALUATION_BATCH as BATCH;

/// The split to evaluate on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SplitName {
    /// The training images, without augmentation.
    Train,
    /// The validation images; the test images if the run validated on these.
    Validation,
    #[default]
    Test,
}

impl SplitName {
    pub const ALL: [SplitName; 3] = [SplitName::Test, SplitName::Validation, SplitName::Train];

    pub const fn name(self) -> &'static str {
        match self {
            SplitName::Train => "train",
            SplitName::Validation => "validation",
            SplitName::Test => "test",
        }
    }
}

impl std::fmt::Display for SplitName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SplitName {
    type Err = Usage;

    fn from_str(text: &str) -> Result<Self, Usage> {
        match SplitName::ALL.into_iter().find(|part| part.name() == text) {
            Some(part) => Ok(part),
            None => {
                let names = SplitName::ALL.map(SplitName::name);
                usage!(
                    "unknown split `{text}`{} (splits: {})",
                    did_you_mean(text, names),
                    names.join(", "),
                    text = shortened(text)
                )
            }
        }
    }
}

/// Which checkpoint of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The last checkpoint.
    Last,
    /// After the epoch with the highest validation accuracy.
    Best,
}

impl Moment {
    pub const ALL: [Moment; 2] = [Moment::Last, Moment::Best];

    pub const fn name(self) -> &'static str {
        match self {
            Moment::Last => files::LAST,
            Moment::Best => files::BEST,
        }
    }
}

impl FromStr for Moment {
    type Err = Usage;

    fn from_str(text: &str) -> Result<Self, Usage> {
        match Moment::ALL.into_iter().find(|moment| moment.name() == text) {
            Some(moment) => Ok(moment),
            None => {
                let names = Moment::ALL.map(Moment::name);
                let (hint, text) = (did_you_mean(text, names), shortened(text));
                usage!("unknown checkpoint `{text}`{hint} (checkpoints: {})", names.join(", "))
            }
        }
    }
}

/// A path that does not have the requested weights.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    #[error("{}: no such file or folder", .0.display())]
    Missing(PathBuf),
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
    run: Option<RunInfo>,
    /// Why these weights, if others might be expected.
    instead: Option<String>,
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
    fn trained(&self) -> Result<Trained> {
        let Some(run) = &self.run else { return Ok(Trained::default()) };
        Trained::of(&run.config).map_err(|error| anyhow!("run.json of {}: {error:#}", self.weights.display()))
    }
}

/// What an evaluation takes from the run's config; `None` if unknown.
#[derive(Debug, Default)]
struct Trained {
    dataset: Option<DatasetKind>,
    train_limit: Option<usize>,
    validation: Option<Validation>,
    model: Option<Model>,
    engine: Option<EngineKind>,
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
            });
        }
        let settings = config.settings();
        Ok(Self {
            dataset: parsed(&settings, "dataset")?,
            train_limit: parsed(&settings, "train-limit")?,
            validation: parsed(&settings, "validation")?,
            model: parsed(&settings, "model")?,
            engine: parsed(&settings, "engine")?,
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
fn other(weights: &Path, wanted: Wanted) -> String {
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

/// Evaluation settings. `None` takes the run's setting, or the default without a run.json.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    pub part: SplitName,
    pub data_dir: Option<PathBuf>,
    pub dataset: Option<DatasetKind>,
    pub model: Option<Model>,
    pub engine: Option<EngineKind>,
    pub device: DeviceChoice,
    /// At least 1.
    pub batch_size: usize,
    pub threads: usize,
}

/// The result of an evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    pub weights: PathBuf,
    pub model: Model,
    pub dataset: String,
    pub part: SplitName,
    pub images: usize,
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    pub confusion: Confusion,
    /// Notes on anything the user may not expect.
    pub notes: Vec<String>,
}

impl Evaluation {
    /// The share of images classified correctly.
    pub fn accuracy(&self) -> f64 {
        self.confusion.correct() as f64 / self.images as f64
    }
}

/// Runs the network over the images of one split, as [`crate::train::Run`] does at its end, and counts the confusion
/// matrix.
///
/// The images are normalised with the statistics of the run's training images.
///
/// # Errors
/// Weights that cannot be read or do not fit, missing images, an unavailable engine.
pub fn evaluate(subject: &Subject, options: &Options) -> Result<Evaluation> {
    let trained = subject.trained()?;
    let kind = options.dataset.or(trained.dataset).unwrap_or_default();
    let engine = options.engine.or(trained.engine).unwrap_or(EngineKind::for_device(options.device));
    engine::check(engine, options.device)?;
    let Weights { model, parameters } = Weights::read(&subject.weights, options.model.or(trained.model))?;

    let dataset = Dataset::open(&DatasetOptions { kind, data_dir: options.data_dir.clone() })?;
    let validation = trained.validation.unwrap_or(kind.default_validation());
    let images = PreparedImages::new(&dataset, validation, trained.train_limit)?;
    let loader = images.in_order(
        match options.part {
            SplitName::Train => &images.split.train,
            SplitName::Validation => &images.split.validation,
            SplitName::Test => &images.split.test,
        },
        options.batch_size,
    );
    let architecture = model.architecture(&ModelOptions::default());
    let (device, objective, threads) = (options.device, Objective::default(), options.threads);
    let engine = EngineOptions { kind: engine, device, objective, threads };
    let Prepared { mut engine, parameters, .. } = Prepared::with_weights(images, &architecture, parameters, &engine)?;
    let (mut totals, mut logits, mut guesses) = (BatchStats::default(), Vec::new(), Vec::new());
    for batch in loader.epoch(0, 0)? {
        totals += engine.eval_batch(&parameters, &batch, Some(&mut logits))?;
        let rows = logits.chunks_exact(dataset.classes.len()).map(largest);
        guesses.extend(batch.labels.iter().map(|&label| usize::from(label)).zip(rows));
    }
    if guesses.is_empty() {
        bail!("there is no image in the {} split", options.part);
    }
    let mut notes = notes(subject, &dataset, validation, options.part);
    if !totals.loss().is_finite() {
        let other = other(&subject.weights, Wanted::Sound);
        notes.push(format!("the loss is not finite, as after divergence, so the accuracy is meaningless; {other}"));
    }
    Ok(Evaluation {
        weights: subject.weights.clone(),
        model,
        notes,
        dataset: dataset.name.clone(),
        part: options.part,
        images: totals.images,
        loss: totals.loss(),
        confusion: Confusion::of(&dataset.classes, guesses),
    })
}

/// The class with the largest logit, the first on ties: as the engines count.
fn largest(logits: &[f32]) -> usize {
    (0..logits.len()).fold(0, |best, class| if logits[class] > logits[best] { class } else { best })
}

fn notes(subject: &Subject, dataset: &Dataset, validation: Validation, part: SplitName) -> Vec<String> {
    let mut notes: Vec<String> = subject.instead.iter().cloned().collect();
    match &subject.run {
        None => notes.push(format!(
            "no run.json next to {}: using the default normalisation and split, with {validation} validation images of {}",
            subject.weights.display(),
            dataset.name
        )),
        Some(run) if run.provenance.dataset.digest != dataset.digest() => notes.push(format!(
            "these are not the images the run was trained on: {} with digest {}, not {} with {}",
            run.provenance.dataset.name,
            run.provenance.dataset.digest,
            dataset.name,
            dataset.digest()
        )),
        Some(_) => {}
    }
    if validation == Validation::Test && part == SplitName::Validation {
        notes.push("the run chose by the test images: its validation split is the test split".to_string());
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_logits_counts_and_nan_never_wins() {
        assert_eq!(largest(&[0.5, 2.0, 2.0, -1.0]), 1);
        assert_eq!(largest(&[0.5, f32::NAN, 0.7]), 2);
    }

    #[test]
    fn splits_read_back_and_a_mistyped_one_suggests_the_nearest() {
        for part in SplitName::ALL {
            assert_eq!(part.to_string().parse(), Ok(part));
        }
        assert!("tset".parse::<SplitName>().unwrap_err().to_string().contains("did you mean `test`?"));
    }
}
