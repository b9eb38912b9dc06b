//! The folder of a run: opened before the training starts, appended row by row, closed with the status.
//!
//! `metrics.csv`, `steps.csv` (with `--log-steps`), `events.jsonl`, `run.json`, `checkpoints/`, `weights.safetensors`.

use super::checkpoint::{self, Checkpoint, Found, save_weights};
use super::config::RunConfig;
use super::control::{Control, Every};
use super::events::{EVENTS, EventLog};
use super::lock::{LOCK, Lock};
use super::observer::{All, Observer, Reason, Start};
use super::run::{Outcome, Run};
use super::saver::Saver;
use crate::data::Dataset;
use crate::engine::BatchStats;
use crate::record::{
    self, Change, EpochRow, GitState, Keep, Results, RowWriter, RunInfo, Status, StepRow, remove_leftovers,
};
use crate::usage;
use anyhow::{Context, Result};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What this program writes into the folder of a run, and so may remove from it.
const FILES: [&str; 5] = ["metrics.csv", "steps.csv", EVENTS, "run.json", "weights.safetensors"];

/// What to do with a folder that has something in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    Refuse,
    /// Remove what an earlier run left; anything else in the folder stays.
    Replace,
}

/// The open folder of one run.
pub struct RunDirectory {
    path: PathBuf,
    info: RunInfo,
    metrics: RowWriter<EpochRow>,
    steps: Option<RowWriter<StepRow>>,
    events: EventLog,
    every: Option<Every>,
    keeps_before: bool,
    /// Held until the run is over.
    _lock: Lock,
}

impl RunDirectory {
    /// Opens every file that the run will write.
    ///
    /// # Errors
    /// A folder that is not empty, unless it may be replaced; one that cannot be written.
    pub fn create(
        path: &Path,
        existing: Existing,
        config: &RunConfig,
        dataset: &Dataset,
        threads: usize,
    ) -> Result<Self> {
        let lock = claim(path, existing, &FILES)?;
        checkpoint::remove_all(path)?;
        let info = RunInfo {
            version: env!("CARGO_PKG_VERSION").to_string(),
            command: record::command_line(),
            config: serde_json::to_value(config)?,
            git: GitState::here(),
            device: config.device.to_string(),
            engine: config.engine.to_string(),
            kernels: None,
            threads,
            dataset: record::Dataset { name: dataset.name.clone(), digest: dataset.digest().to_string() },
            started: record::now(),
            finished: None,
            status: Status::Running,
            message: None,
            checkpoint_every: None,
            keep: None,
            changes: Vec::new(),
            results: Results::default(),
            weights: None,
        };
        info.write(&path.join("run.json"))?;
        let steps = config.log_steps.then(|| RowWriter::create(&path.join("steps.csv"))).transpose()?;
        Ok(Self {
            metrics: RowWriter::create(&path.join("metrics.csv"))?,
            events: EventLog::create(path)?,
            path: path.to_path_buf(),
            info,
            steps,
            every: None,
            keeps_before: true,
            _lock: lock,
        })
    }

    /// Opens the files of a run that an earlier process has left: what they hold beyond the checkpoint that the run goes on from (or,
    /// without one, beyond the headers) is cut off.
    ///
    /// # Errors
    /// Files that do not go with the checkpoint, or cannot be written.
    pub fn reopen(path: &Path, lock: Lock, info: RunInfo, found: Option<&Found>, threads: usize) -> Result<Self> {
        remove_leftovers(path);
        let (mut rows, mut updates, mut changes) = (0, 0, Vec::new());
        if let Some(found) = found {
            found.settle(path)?;
            let position = &found.checkpoint.position;
            (rows, updates, changes) = (position.epoch, position.step, position.changes.clone());
        }
        let logs_steps = info.config["log-steps"] == true;
        let every = info.checkpoint_every.as_deref().map(str::parse).transpose()?;
        let steps = logs_steps.then(|| RowWriter::reopen(&path.join("steps.csv"), updates)).transpose()?;
        let directory = Self {
            metrics: RowWriter::reopen(&path.join("metrics.csv"), rows)?,
            events: EventLog::reopen(path)?,
            path: path.to_path_buf(),
            steps,
            every,
            keeps_before: true,
            info: RunInfo {
                status: Status::Running,
                message: None,
                finished: None,
                results: Results::default(),
                changes,
                threads,
                ..info
            },
            _lock: lock,
        };
        directory.info.write(&path.join("run.json"))?;
        Ok(directory)
    }

    /// Makes a checkpoint so often, too.
    #[must_use]
    pub fn every(mut self, every: Option<Every>) -> Self {
        if every.is_some() {
            self.info.checkpoint_every = every.map(|every| every.to_string());
            self.every = every;
        }
        self
    }

    /// Keeps so much of the weights once the run is finished.
    ///
    /// # Errors
    /// run.json cannot be written.
    pub fn keep(mut self, keep: Option<Keep>) -> Result<Self> {
        if keep.is_some() && keep != self.info.keep {
            self.info.keep = keep;
            self.info.write(&self.path.join("run.json"))?;
        }
        Ok(self)
    }

    /// Keeps one checkpoint, not two, once the run is finished: it is one of many.
    #[must_use]
    pub fn one_of_many(self) -> Self {
        Self { keeps_before: false, ..self }
    }

    /// Trains `run`, writing every row as it comes, then saves the weights and how it ended. `watchers` are told of it all, of the end
    /// when everything is on disk.
    pub fn record(mut self, run: Run<'_>, control: &Control, watchers: &mut dyn Observer) -> Result<Outcome> {
        self.info.kernels = Some(run.kernels().to_string());
        let trained = self.train(run, control, watchers);
        let outcome = match trained {
            Ok(outcome) => outcome,
            Err(error) => {
                // The first error is the one to tell; if this cannot be written either, it has the same cause.
                let message = format!("{error:#}");
                let _ = self.events.add("finish", json!({ "status": Status::Failed, "message": message }));
                let _ = self.close(Status::Failed, Some(message), Results::default());
                return Err(error);
            }
        };
        self.events.end(&outcome)?;
        self.close(outcome.status, outcome.message.clone(), outcome.results())?;
        if outcome.status == Status::Finished && !self.keeps_before {
            checkpoint::forget_before(&self.path)?;
        }
        if self.is_over(outcome.status) {
            checkpoint::retain(&self.path, self.info.keep.unwrap_or(Keep::All))?;
        }
        watchers.finish(&outcome)?;
        Ok(outcome)
    }

    fn train(&mut self, run: Run<'_>, control: &Control, watchers: &mut dyn Observer) -> Result<Outcome> {
        let mut logs = vec![self.metrics.handle()?];
        logs.extend(self.steps.as_ref().map(RowWriter::handle).transpose()?);
        let mut saver = Saver::start(&self.path, logs)?;
        let files = Files {
            path: &self.path,
            info: &mut self.info,
            metrics: &mut self.metrics,
            steps: self.steps.as_mut(),
            events: &mut self.events,
            saver: &mut saver,
        };
        let outcome = run.train(control, self.every, &mut All(vec![Box::new(files), Box::new(&mut *watchers)]))?;
        saver.wait()?;
        let weightless = self.is_over(outcome.status) && self.info.keep == Some(Keep::None);
        if outcome.status != Status::Interrupted && !weightless {
            let digest = save_weights(&outcome.parameters, &self.path.join("weights.safetensors"))?;
            self.info.weights = Some(digest);
        }
        Ok(outcome)
    }

    /// Whether nobody is to go on with the run: one that diverged may get another rate, unless it is an entrant, which is what its name says.
    fn is_over(&self, status: Status) -> bool {
        match status {
            Status::Finished => true,
            Status::Diverged => !self.keeps_before && self.info.keep == Some(Keep::None),
            _ => false,
        }
    }

    fn close(&mut self, status: Status, message: Option<String>, results: Results) -> Result<()> {
        self.info = RunInfo { status, message, results, finished: Some(record::now()), ..self.info.clone() };
        self.info.write(&self.path.join("run.json"))
    }
}

/// Makes the folder, makes it this process's own, and removes those of `files` that an earlier process left there.
///
/// # Errors
/// A folder that is in use or not empty, unless it may be replaced; one that cannot be written.
pub fn claim(path: &Path, existing: Existing, files: &[&str]) -> Result<Lock> {
    if path.exists() && !path.is_dir() {
        return usage!("--out {} is not a folder", path.display());
    }
    std::fs::create_dir_all(path).with_context(|| format!("cannot make the folder {}", path.display()))?;
    let lock = Lock::take(path)?;
    remove_leftovers(path);
    let entries = std::fs::read_dir(path).with_context(|| format!("cannot read the folder {}", path.display()))?;
    let occupied = entries.flatten().any(|entry| entry.file_name() != LOCK);
    if occupied && existing == Existing::Refuse {
        return usage!(
            "--out {0} is not empty; choose another folder, `lrsched resume {0}` to go on with the run in it, or --force to replace it",
            path.display()
        );
    }
    for name in files {
        match std::fs::remove_file(path.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot replace {}", path.join(name).display()));
            }
            _ => {}
        }
    }
    Ok(lock)
}

/// Writes rows as they come, and checkpoints beside them.
struct Files<'a> {
    path: &'a Path,
    info: &'a mut RunInfo,
    metrics: &'a mut RowWriter<EpochRow>,
    steps: Option<&'a mut RowWriter<StepRow>>,
    events: &'a mut EventLog,
    saver: &'a mut Saver,
}

impl Observer for Files<'_> {
    fn start(&mut self, start: &Start<'_>) -> Result<()> {
        let (step, epoch) = (start.position.step, start.position.epoch);
        let event = if step == 0 { "start" } else { "resume" };
        self.events.add(event, json!({ "step": step, "epoch": epoch }))
    }

    fn step(&mut self, row: &StepRow, _so_far: &BatchStats) -> Result<()> {
        self.steps.as_mut().map_or(Ok(()), |steps| steps.write(row))
    }

    fn epoch(&mut self, row: &EpochRow) -> Result<()> {
        self.metrics.write(row)
    }

    fn checkpoint(&mut self, checkpoint: &Arc<Checkpoint>, reason: Reason) -> Result<()> {
        self.saver.save(checkpoint)?;
        if reason.is_awaited() {
            self.saver.wait()?;
        }
        if reason == Reason::Asked {
            self.events.add("save", json!({ "step": checkpoint.position.step, "epoch": checkpoint.position.epoch }))?;
        }
        Ok(())
    }

    fn changed(&mut self, change: &Change) -> Result<()> {
        self.events.change(change)?;
        self.info.changes.push(change.clone());
        self.info.write(&self.path.join("run.json"))
    }
}

impl Outcome {
    /// What `run.json` keeps of it.
    pub fn results(&self) -> Results {
        let last = self.last.as_ref();
        Results {
            loss: last.map(|row| row.loss),
            accuracy: last.map(|row| row.accuracy),
            val_loss: last.and_then(|row| row.val_loss),
            val_accuracy: last.and_then(|row| row.val_accuracy),
            best_val_accuracy: self.best_val_accuracy,
            best_epoch: self.best_epoch,
            test_loss: self.test_loss,
            test_accuracy: self.test_accuracy,
            seconds: Some(self.seconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Model, ModelOptions, initialise};

    #[test]
    fn weights_are_saved_under_pytorchs_names_and_shapes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        let parameters = initialise(&Model::Cnn.architecture(&ModelOptions::default()), 1);
        save_weights(&parameters, &path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let saved = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let mut names = saved.names();
        names.sort_unstable();
        let layers = ["conv1", "conv2", "conv3", "conv4", "fc1", "fc2"];
        let expected: Vec<String> =
            layers.iter().flat_map(|layer| [format!("{layer}.bias"), format!("{layer}.weight")]).collect();
        assert_eq!(names, expected);
        let conv = saved.tensor("conv3.weight").unwrap();
        assert_eq!(conv.shape(), [64, 32, 3, 3]);
        assert_eq!(conv.data()[..4], parameters.get("conv3.weight").unwrap().values[0].to_le_bytes());
        assert_eq!(saved.tensor("fc1.weight").unwrap().shape(), [512, 4096]);
    }

    #[test]
    fn a_folder_that_another_run_writes_to_is_refused_until_that_run_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let first = claim(&path, Existing::Refuse, &FILES).unwrap();
        let refused = claim(&path, Existing::Replace, &FILES).err().unwrap();
        assert!(refused.to_string().contains("in use"), "{refused}");
        drop(first);
        assert!(claim(&path, Existing::Refuse, &FILES).is_ok());
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_with_something_in_it_is_refused_and_force_removes_only_files_of_runs() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("metrics.csv"), "old").unwrap();
        std::fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        let refused = claim(folder.path(), Existing::Refuse, &FILES).err().unwrap();
        assert!(refused.is::<crate::usage::Usage>() && refused.to_string().contains("--force"), "{refused}");
        claim(folder.path(), Existing::Replace, &FILES).unwrap();
        assert!(!folder.path().join("metrics.csv").exists());
        assert!(folder.path().join("notes.txt").exists());
    }
}
