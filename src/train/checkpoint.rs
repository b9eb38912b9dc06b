//! A checkpoint: everything that the next step depends on, in a folder that appears whole or not at all.
//!
//! ```text
//! checkpoints/last/weights.safetensors     every array under PyTorch's name and in its shape, running statistics included
//! checkpoints/last/optimizer.safetensors   conv1.weight.momentum_buffer, …
//! checkpoints/last/state.json              clock, sums of the epoch, schedule, config, digest of the images; SHA-256 of both files and of itself
//! checkpoints/last-before/                 the one before
//! checkpoints/best/                        after the epoch with the highest validation accuracy
//! ```
//!
//! A new one is written under another name, synced, and renamed. Whenever the process dies, one of `last` and `last-before` is whole.

use super::position::Position;
use crate::config::RunConfig;
use crate::disk::{self, TEMPORARY, make_own_folder, own_folder};
use crate::model::{Array, Parameters};
use crate::optim::State;
use crate::record::files::{
    BEFORE_LAST, BEST, CHECKPOINTS, LAST, OF_CHECKPOINT, OPTIMIZER, RUN_JSON, STATE_JSON, WEIGHTS,
};
use crate::record::{Change, Keep, RowDigests, RunInfo, same_file, stop_at, sync_folder};
use crate::usage;
use anyhow::{Context, Result, anyhow, bail, ensure};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What is being written, and what is about to be removed.
const NEW: &str = ".new";
const OLD: &str = ".old";

/// state.json is `{"sha256": "…", "state": …}`, and the digest that of the bytes between these.
const HEAD: &str = "{\"sha256\": \"";
const MIDDLE: &str = "\",\n\"state\": ";
const FOOT: &str = "}\n";

/// state.json.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct StateFile {
    /// Of lrsched.
    version: String,
    config: RunConfig,
    /// Digest of the images; checkpoints of earlier versions have none.
    #[serde(default)]
    dataset: Option<String>,
    position: Position,
    /// Of those that it was made after; checkpoints of earlier versions have none.
    #[serde(default)]
    rows: Option<RowDigests>,
    /// SHA-256 by the names of the files.
    files: BTreeMap<String, String>,
}

/// Shape and values by name.
type Arrays = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// A run between two steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    pub config: RunConfig,
    /// Digest of the images, where it is known.
    pub dataset: Option<String>,
    pub position: Position,
    /// Those that the run had written, where it is known; given by [`Checkpoint::read`].
    pub rows: Option<RowDigests>,
    weights: Arrays,
    optimizer: Arrays,
}

impl Checkpoint {
    pub fn new(config: &RunConfig, position: Position, parameters: &Parameters, optimizer: State<f32>) -> Self {
        let weights =
            parameters.arrays().iter().map(|array| (array.name.clone(), (array.shape.clone(), array.values.clone())));
        // An array of state has the shape of its parameter, which its name begins with.
        let shape = |name: &str, length: usize| {
            let parameter = name.rsplit_once('.').and_then(|(parameter, _)| parameters.get(parameter));
            parameter.map_or(vec![length], |array| array.shape.clone())
        };
        let optimizer = State { steps: position.optimizer_steps, ..optimizer }.arrays;
        Self {
            config: config.clone(),
            dataset: None,
            rows: None,
            weights: weights.collect(),
            optimizer: optimizer.into_iter().map(|(name, v)| (name.clone(), (shape(&name, v.len()), v))).collect(),
            position,
        }
    }

    /// Of a run on the images of this digest.
    #[must_use]
    pub fn on(self, dataset: &str) -> Self {
        Self { dataset: Some(dataset.to_string()), ..self }
    }

    /// What tells that it is not a checkpoint of the run that `info` describes: `its seed is 3, this run's is 0`.
    pub fn stranger(&self, info: &RunInfo) -> Option<String> {
        if self.dataset.as_ref().is_some_and(|dataset| *dataset != info.dataset.digest) {
            return Some("its run was trained on other images".to_string());
        }
        // One may be older than the other, by a crash or by choice; neither has a history that the other lacks.
        let pairs = || self.position.changes.iter().zip(&info.changes);
        let told = |change: &Change| (change.step, change.setting.clone(), change.to_text.clone());
        if let Some((its, this)) = pairs().find(|(its, this)| told(its) != told(this)) {
            return Some(format!(
                "its {} was changed to {} at step {}, this run's {} to {} at step {}",
                its.setting, its.to_text, its.step, this.setting, this.to_text, this.step
            ));
        }
        // The same change, made twice: in a run and in a copy of it.
        if let Some((its, this)) = pairs().find(|(its, this)| its.time != this.time) {
            return Some(format!(
                "its {} was changed by hand at {}, this run's at {}",
                its.setting, its.time, this.time
            ));
        }
        // A config of another version of the program is for its reader to refuse.
        let config: RunConfig = serde_json::from_value(info.config.clone()).ok()?;
        let (Ok(Value::Object(its)), Ok(this)) = (serde_json::to_value(&self.config), serde_json::to_value(&config))
        else {
            return None;
        };
        let differing = its.iter().find(|(key, value)| this.get(key) != Some(*value));
        let plain = |value: Option<&Value>| match value {
            None | Some(Value::Null) => "not set".to_string(),
            Some(value) => value.as_str().map_or_else(|| value.to_string(), str::to_string),
        };
        let told = differing
            .map(|(key, value)| format!("its {key} is {}, this run's is {}", plain(Some(value)), plain(this.get(key))));
        told.or((self.config != config).then(|| "its settings are others".to_string()))
    }

    /// Whether every weight and all that the optimizer keeps is a number. One that is not makes a checkpoint that nobody can go on from.
    pub fn is_finite(&self) -> bool {
        let arrays = self.weights.values().chain(self.optimizer.values());
        arrays.flat_map(|(_, values)| values).all(|value| value.is_finite())
    }

    /// Puts the weights in their places.
    ///
    /// # Errors
    /// Weights of another network.
    pub fn fill(&self, parameters: &mut Parameters) -> Result<()> {
        ensure!(self.weights.len() == parameters.arrays().len(), "the checkpoint is of another network");
        for Array { name, shape, values, .. } in parameters.arrays_mut() {
            match self.weights.get(name) {
                Some((saved, from)) if saved == shape => values.copy_from_slice(from),
                Some((saved, _)) => {
                    bail!("the checkpoint is of another network: {name} is {saved:?}, expected {shape:?}")
                }
                None => bail!("the checkpoint is of another network: it has no {name}"),
            }
        }
        Ok(())
    }

    /// The state of the optimizer.
    pub fn optimizer(&self) -> State<f32> {
        let arrays = self.optimizer.iter().map(|(name, (_, values))| (name.clone(), values.clone())).collect();
        State { steps: self.position.optimizer_steps, arrays }
    }

    /// Reads the checkpoint in `folder`: that of a run's `checkpoints/last`, `checkpoints/best`.
    ///
    /// # Errors
    /// One line that names the file: it is not there, or not what was written (cut, changed, of another version).
    pub fn read(folder: &Path) -> Result<Self> {
        let state = read_state(&folder.join(STATE_JSON))?;
        let arrays = |name: &str| -> Result<Arrays> {
            let path = folder.join(name);
            let bytes =
                disk::read(&path, disk::MOST_ARRAYS).with_context(|| format!("cannot read {}", path.display()))?;
            let same = state.files.get(name).is_some_and(|digest| *digest == sha256(&bytes));
            ensure!(same, "{} is damaged: its SHA-256 is not the one in {STATE_JSON}", path.display());
            read_arrays(&bytes).map_err(shown).with_context(|| path.display().to_string())
        };
        Ok(Self {
            weights: arrays(WEIGHTS)?,
            optimizer: arrays(OPTIMIZER)?,
            config: state.config,
            dataset: state.dataset,
            position: state.position,
            rows: state.rows,
        })
    }

    /// The same, of the run that `info` describes, where that is known.
    ///
    /// # Errors
    /// As [`Checkpoint::read`]; it is the checkpoint of another run.
    pub fn read_of(folder: &Path, info: Option<&RunInfo>) -> Result<Self> {
        let checkpoint = Self::read(folder)?;
        match info.and_then(|info| checkpoint.stranger(info)) {
            Some(why) => bail!("{} is a checkpoint of another run: {why}", folder.display()),
            None => Ok(checkpoint),
        }
    }

    /// Makes this the last checkpoint of the run in `run`, and the best one too where it is. `sync` is called when all of it is on the disk
    /// and before it gets its name.
    ///
    /// # Errors
    /// The folder cannot be written, or the disk is full: the last checkpoint is still the one before.
    pub fn write(&self, run: &Path, rows: Option<&RowDigests>, sync: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        let folder = own(run)?;
        let new = folder.join(NEW);
        let mut write = || -> Result<()> {
            make_own_folder(&folder)?;
            make_empty(&new)?;
            self.write_files(&new, rows)?;
            sync()?;
            stop_at::point("mid-checkpoint");
            carry(&folder.join(LAST), &new)?;
            carry(&folder.join(BEFORE_LAST), &folder.join(LAST))?;
            remove(&folder.join(BEFORE_LAST))?;
            rename(&folder.join(LAST), &folder.join(BEFORE_LAST))?;
            stop_at::point("between-renames");
            rename(&new, &folder.join(LAST))?;
            sync_folder(&folder);
            if self.position.is_best() {
                make_best(&folder)?;
            }
            Ok(())
        };
        write()
            .inspect_err(|_| {
                // What is half written only takes up room.
                let _ = remove(&new);
            })
            .with_context(|| format!("cannot save a checkpoint in {}", folder.display()))
    }

    fn write_files(&self, folder: &Path, rows: Option<&RowDigests>) -> Result<()> {
        let put = |name: &str, bytes: &[u8]| -> Result<String> {
            let mut file = File::create(folder.join(name))?;
            file.write_all(bytes)?;
            file.sync_all()?;
            Ok(sha256(bytes))
        };
        let mut files = BTreeMap::new();
        for (name, arrays) in [(WEIGHTS, &self.weights), (OPTIMIZER, &self.optimizer)] {
            files.insert(name.to_string(), put(name, &arrays_as_bytes(arrays)?)?);
        }
        let state = StateFile {
            version: env!("CARGO_PKG_VERSION").to_string(),
            config: self.config.clone(),
            dataset: self.dataset.clone(),
            position: self.position.clone(),
            rows: rows.cloned(),
            files,
        };
        let text = serde_json::to_string_pretty(&state)?;
        put(STATE_JSON, format!("{HEAD}{}{MIDDLE}{text}{FOOT}", sha256(text.as_bytes())).as_bytes())?;
        sync_folder(folder);
        Ok(())
    }
}

/// A checkpoint and, where it is not the last one, why.
#[derive(Debug)]
pub struct Found {
    pub checkpoint: Checkpoint,
    /// What is wrong with the last one.
    why: Option<String>,
    name: &'static str,
}

/// Which checkpoints will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Any that is whole.
    Whole,
    /// One from before the weights were lost, to go on from with another rate.
    Sound,
}

/// The last checkpoint of a run that is as `wanted`, and its own by the run.json beside it; `None` where none was made yet.
///
/// # Errors
/// There are some, and none is whole and of this run; [`crate::usage::Usage`] where some are, and none is sound.
pub fn latest(run: &Path, wanted: Wanted) -> Result<Option<Found>> {
    let folder = run.join(CHECKPOINTS);
    let info = RunInfo::read(&run.join(RUN_JSON)).ok();
    let (mut wrong, mut lost): (Option<anyhow::Error>, Option<String>) = (None, None);
    for name in [LAST, BEFORE_LAST, BEST] {
        let path = folder.join(name);
        // A folder in which only somebody else's files are left is none.
        if !OF_CHECKPOINT.iter().any(|file| path.join(file).symlink_metadata().is_ok()) {
            continue;
        }
        match Checkpoint::read_of(&path, info.as_ref()) {
            Ok(checkpoint) => match checkpoint.position.lost().filter(|_| wanted == Wanted::Sound) {
                None => {
                    let missing = || format!("{CHECKPOINTS}/{LAST} is missing");
                    let why = lost.map(|weights| format!("{CHECKPOINTS}/{LAST} is of {weights}"));
                    let why = why.or(wrong.map(|error| format!("{error:#}")));
                    let why = (name != LAST).then(|| why.unwrap_or_else(missing));
                    return Ok(Some(Found { checkpoint, why, name }));
                }
                Some(weights) => lost = lost.or(Some(weights)),
            },
            Err(error) => wrong = wrong.or(Some(error)),
        }
    }
    match (lost, wrong) {
        (None, None) => Ok(None),
        (Some(weights), _) => usage!(
            "every checkpoint of {} has {weights}, and no smaller rate will recover them; restart with \
             `lrsched train … --force` and a smaller rate",
            run.display()
        ),
        (None, Some(error)) => Err(error.context("no checkpoint is intact and of this run")),
    }
}

/// The folder of the checkpoints of a run, there or not.
///
/// # Errors
/// It, or that of a checkpoint, is a symbolic link: what it leads to belongs to somebody else, perhaps to another run.
pub fn own(run: &Path) -> Result<PathBuf> {
    let folder = run.join(CHECKPOINTS);
    own_folder(&folder)?;
    [LAST, BEFORE_LAST, BEST, NEW, OLD].iter().try_for_each(|name| own_folder(&folder.join(name)))?;
    Ok(folder)
}

/// Removes the checkpoint before the last: for a run that is over, and one of many.
pub fn forget_before(run: &Path) -> Result<()> {
    let path = own(run)?.join(BEFORE_LAST);
    remove(&path).with_context(|| format!("cannot remove {}", path.display()))
}

/// Leaves so much of the weights of a run that is over. The last checkpoint stays under `best`, too, where it is the best one and takes up no
/// room of its own.
pub fn retain(run: &Path, keep: Keep) -> Result<()> {
    let folder = own(run)?;
    let (last, best) = (folder.join(LAST).join(WEIGHTS), folder.join(BEST).join(WEIGHTS));
    match keep {
        Keep::All => Ok(()),
        Keep::None => remove_all(run),
        // Where no epoch was the best one, the last is all there is.
        Keep::Best if !best.is_file() => Ok(()),
        Keep::Best => {
            forget_before(run)?;
            if same_file(&last, &best) {
                share(&last, &run.join(WEIGHTS)).with_context(|| format!("cannot write to {}", run.display()))
            } else {
                remove(&folder.join(LAST)).with_context(|| format!("cannot remove {}", folder.join(LAST).display()))
            }
        }
    }
}

/// Makes `copy` another name of `file`, where both hold the same and the file system has links.
fn share(file: &Path, copy: &Path) -> Result<()> {
    let link = copy.with_file_name(format!("{TEMPORARY}{WEIGHTS}"));
    let read = |path| disk::read(path, disk::MOST_ARRAYS);
    if read(file)? == read(copy)? && fs::hard_link(file, &link).is_ok() {
        fs::rename(&link, copy)?;
    }
    Ok(())
}

/// Removes all checkpoints of a run, and nothing else that may lie beside them.
pub fn remove_all(run: &Path) -> Result<()> {
    let folder = own(run)?;
    [LAST, BEFORE_LAST, BEST, NEW, OLD]
        .iter()
        .try_for_each(|name| remove(&folder.join(name)))
        .with_context(|| format!("cannot remove what is in {}", folder.display()))?;
    // It stays where somebody else has put something into it.
    let _ = fs::remove_dir(&folder);
    Ok(())
}

/// The files of a checkpoint never change, so the best one is the last one under another name.
fn make_best(folder: &Path) -> Result<()> {
    let (new, old) = (folder.join(NEW), folder.join(OLD));
    make_empty(&new)?;
    for name in OF_CHECKPOINT {
        let (from, to) = (folder.join(LAST).join(name), new.join(name));
        // Where a file system has no links, a copy does.
        fs::hard_link(&from, &to).or_else(|_| fs::copy(&from, &to).and_then(|_| File::open(&to)?.sync_all()))?;
    }
    sync_folder(&new);
    carry(&old, &new)?;
    remove(&old)?;
    carry(&folder.join(BEST), &new)?;
    rename(&folder.join(BEST), &old)?;
    stop_at::point("mid-best");
    rename(&new, &folder.join(BEST))?;
    sync_folder(folder);
    remove(&old)
}

impl Found {
    /// Where it lies, in the folder of the run.
    pub fn folder(&self, run: &Path) -> PathBuf {
        run.join(CHECKPOINTS).join(self.name)
    }

    /// Whether it is the last one.
    pub fn is_last(&self) -> bool {
        self.name == LAST
    }

    /// Why it is not the last one, where it is not; `so` is what is done with this one instead: `resuming from`.
    pub fn instead(&self, so: &str) -> Option<String> {
        let Position { epoch, step, .. } = self.checkpoint.position;
        let this = format!("{so} {CHECKPOINTS}/{} (epoch {epoch}, step {step})", self.name);
        self.why.as_ref().map(|why| format!("{why}; {this}"))
    }

    /// Makes this the last checkpoint again, and puts back what a process has left that died between two renames. Only for the one that
    /// may write to the run.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn settle(&self, run: &Path) -> Result<()> {
        let folder = own(run)?;
        let settle = || -> Result<()> {
            if self.name == BEFORE_LAST {
                // The next one would push this one out, and keep the damaged one as the one before.
                carry(&folder.join(LAST), &folder.join(BEFORE_LAST))?;
                remove(&folder.join(LAST))?;
                rename(&folder.join(BEFORE_LAST), &folder.join(LAST))?;
            }
            if folder.join(OLD).exists() && !folder.join(BEST).exists() {
                rename(&folder.join(OLD), &folder.join(BEST))?;
            }
            if self.name == BEST {
                // What came later is given up; the next two take their places.
                [LAST, BEFORE_LAST].iter().try_for_each(|name| remove(&folder.join(name)))?;
            }
            [NEW, OLD].iter().try_for_each(|name| remove(&folder.join(name)))?;
            // It may have died before it came to the best one.
            if self.name != BEST && self.checkpoint.position.is_best() { make_best(&folder) } else { Ok(()) }
        };
        settle().with_context(|| format!("cannot write to {}", folder.display()))
    }
}

/// Removes a checkpoint, and nothing else that may lie in its folder, which then stays. One that is not there needs no removing.
fn remove(folder: &Path) -> Result<()> {
    let gone = |removed: std::io::Result<()>| match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    if folder.is_symlink() {
        // What it leads to is not ours.
        return Ok(gone(fs::remove_file(folder))?);
    }
    OF_CHECKPOINT.iter().try_for_each(|name| gone(fs::remove_file(folder.join(name))))?;
    match fs::remove_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => Ok(()),
        removed => Ok(gone(removed)?),
    }
}

/// Makes `folder`, with nothing of ours in it.
fn make_empty(folder: &Path) -> Result<()> {
    remove(folder)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        made => Ok(made?),
    }
}

/// Moves what is not ours from a checkpoint that is about to be replaced to the one that takes its name.
fn carry(from: &Path, to: &Path) -> Result<()> {
    if from.is_symlink() {
        return Ok(());
    }
    for entry in from.read_dir().into_iter().flatten().flatten() {
        let name = entry.file_name();
        if OF_CHECKPOINT.iter().any(|file| name == *file) {
            continue;
        }
        let named = |number: u32| match number {
            0 => to.join(&name),
            _ => to.join(format!("{}~{number}", name.to_string_lossy())),
        };
        // Where both have one of that name, both stay.
        let free = (0..).map(named).find(|path| path.symlink_metadata().is_err());
        free.map_or(Ok(()), |path| fs::rename(entry.path(), path))?;
    }
    Ok(())
}

/// A folder that is not there needs no renaming.
fn rename(from: &Path, to: &Path) -> Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn read_state(path: &Path) -> Result<StateFile> {
    let text = disk::read_text(path, disk::MOST_RECORD).with_context(|| format!("cannot read {}", path.display()))?;
    let parts = text
        .strip_prefix(HEAD)
        .and_then(|text| text.split_once(MIDDLE))
        .and_then(|(digest, text)| Some((digest, text.strip_suffix(FOOT)?)));
    let Some((_, body)) = parts.filter(|(digest, body)| *digest == sha256(body.as_bytes())) else {
        bail!("{} is damaged: its SHA-256 is not the one in it", path.display());
    };
    let of_other_version = || format!("{} is of another version of lrsched", path.display());
    serde_json::from_str(body).map_err(|error| shown(error.into())).with_context(of_other_version)
}

/// An error that may quote from a file: names there may be long, and hold anything.
fn shown(error: anyhow::Error) -> anyhow::Error {
    anyhow!(format!("{error:#}").chars().take(300).collect::<String>().escape_debug().to_string())
}

/// Arrays as a safetensors file.
fn arrays_as_bytes(arrays: &Arrays) -> Result<Vec<u8>> {
    let bytes: Vec<Vec<u8>> =
        arrays.values().map(|(_, values)| values.iter().flat_map(|value| value.to_le_bytes()).collect()).collect();
    let views = arrays
        .iter()
        .zip(&bytes)
        .map(|((name, (shape, _)), bytes)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>>>()?;
    Ok(safetensors::serialize(views, None)?)
}

fn read_arrays(bytes: &[u8]) -> Result<Arrays> {
    let tensors = SafeTensors::deserialize(bytes)?;
    let array = |(name, tensor): (String, TensorView<'_>)| {
        ensure!(tensor.dtype() == Dtype::F32, "{name} holds {:?}, expected F32", tensor.dtype());
        let values = tensor.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        Ok((name, (tensor.shape().to_vec(), values)))
    };
    tensors.tensors().into_iter().map(array).collect()
}

/// Every array under PyTorch's name and in its shape, so that `model.load_state_dict(load_file(path))` takes it as it is. Gives the SHA-256
/// of the file.
///
/// # Errors
/// A file that cannot be written.
pub fn save_weights(parameters: &Parameters, path: &Path) -> Result<String> {
    let arrays =
        parameters.arrays().iter().map(|array| (array.name.clone(), (array.shape.clone(), array.values.clone())));
    let bytes = arrays_as_bytes(&arrays.collect())?;
    crate::record::replace_own(path, &bytes)?;
    Ok(sha256(&bytes))
}

/// In hex.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Course;
    use crate::model::{Model, ModelOptions, initialise};

    fn config() -> RunConfig {
        let text = r#"{"dataset": "synthetic", "validation": "30", "augment": "none", "model": "cnn", "dropout": 0.0,
            "label-smoothing": 0.0, "optimizer": "sgd", "lr": 0.1, "schedule": "constant", "semantics": "native", "epochs": 3,
            "batch-size": "16", "seed": 0, "engine": "cpu", "device": "cpu", "log-steps": false}"#;
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_checkpoint_whose_weights_or_optimizer_hold_what_is_no_number_is_told_from_a_good_one() {
        let config = config();
        let finite = |weight: f32, momentum: f32| {
            let mut parameters = initialise(&Model::Cnn.architecture(&ModelOptions::default()), 1);
            let array = &mut parameters.arrays_mut()[3];
            array.values[7] = weight;
            let buffer = (format!("{}.momentum_buffer", array.name), vec![momentum; array.values.len()]);
            let state = State { steps: 1, arrays: [buffer].into() };
            Checkpoint::new(&config, Position::start(Course::of(&config)), &parameters, state).is_finite()
        };
        assert!(finite(0.5, 0.5));
        for wrong in [f32::NAN, f32::INFINITY] {
            assert!(!finite(wrong, 0.5) && !finite(0.5, wrong), "{wrong}");
        }
    }
}
