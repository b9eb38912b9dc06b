//! The folder of a run: opened before the training starts, appended row by row, closed with the status.
//!
//! `metrics.csv`, `steps.csv` (with `--log-steps`), `events.jsonl`, `run.json`, `checkpoints/`, `weights.safetensors`.

use super::arrays::save_weights;
use super::checkpoint::{self, LatestCheckpoint};
use super::events::{EventLog, is_log};
use super::lock::Lock;
use super::saver::Saver;
use crate::config::{Every, Keep, RunConfig};
use crate::data::Dataset;
use crate::disk::Watch;
use crate::engine::BatchStats;
use crate::record::{
    self, Change, Contents, EpochRow, GitState, Holds, RangeRow, Results, RowDigests, RowWriter, RunInfo, Status,
    StepRow, Table, files, is_begun, remove_leftovers, write_status,
};
use crate::train::{All, Checkpoint, Control, Observer, Outcome, Reason, Run, Start, TrainState};
use crate::usage;
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What to do with a folder that holds something of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    Refuse,
    /// Remove what an earlier run left; anything else in the folder stays.
    Replace,
}

/// How a run is trained, beside what it computes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setup<'a> {
    pub threads: usize,
    /// What its engine computes with.
    pub kernels: &'a str,
    /// Also make a checkpoint at this interval; `None` on resume keeps the run's own.
    pub every: Option<Every>,
    /// What stays of the weights once the run is finished; `None` on resume keeps the run's own.
    pub keep: Option<Keep>,
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
    lock: Lock,
}

impl RunDirectory {
    /// Opens every file that the run will write.
    ///
    /// # Errors
    /// A folder that is not empty, unless it holds a run that may be replaced; one that cannot be written.
    pub fn create(
        path: &Path,
        existing: Existing,
        config: &RunConfig,
        dataset: &Dataset,
        setup: &Setup<'_>,
    ) -> Result<Self> {
        let lock = claim(path, existing, Holds::Run, files::unmarked(&files::OF_RUN))?;
        let info = RunInfo {
            version: env!("CARGO_PKG_VERSION").to_string(),
            command: record::command_line(),
            config: serde_json::to_value(config)?,
            git: GitState::here(),
            device: config.device.to_string(),
            engine: config.engine.to_string(),
            kernels: Some(setup.kernels.to_string()),
            threads: setup.threads,
            dataset: record::Dataset { name: dataset.name.clone(), digest: dataset.digest().to_string() },
            started: record::now(),
            finished: None,
            status: Status::Running,
            message: None,
            checkpoint_every: setup.every.map(|every| every.to_string()),
            keep: setup.keep,
            changes: Vec::new(),
            results: Results::default(),
            weights: None,
            rows: None,
        };
        lock.folder().check()?;
        write(&info, path)?;
        let steps = config.log_steps.then(|| RowWriter::create(&path.join(files::STEPS_CSV))).transpose()?;
        Ok(Self {
            metrics: RowWriter::create(&path.join(files::METRICS_CSV))?,
            events: EventLog::create(path)?,
            path: path.to_path_buf(),
            info,
            steps,
            every: setup.every,
            keeps_before: true,
            lock,
        })
    }

    /// Opens the files of a run that an earlier process has left: what they hold beyond the checkpoint that the run goes on from (or,
    /// without one, beyond the headers) is cut off. All that is kept is read first, and nothing is changed unless all of it is good.
    ///
    /// # Errors
    /// Files that do not go with the checkpoint or that are damaged, with the `remedy`; files that cannot be written; a folder that was
    /// moved since it was locked.
    pub fn reopen(
        path: &Path,
        lock: Lock,
        info: RunInfo,
        found: Option<&LatestCheckpoint>,
        setup: &Setup<'_>,
        remedy: &dyn Fn(anyhow::Error) -> anyhow::Error,
    ) -> Result<Self> {
        lock.folder().check()?;
        let state = found.map(|found| &found.checkpoint.state);
        let every = match setup.every {
            Some(every) => Some(every),
            None => info.checkpoint_every.as_deref().map(str::parse).transpose()?,
        };
        let digests = found.and_then(|found| found.rows.as_ref());
        let metrics = kept_epochs(&path.join(files::METRICS_CSV), state).map_err(remedy)?;
        digests.map_or(Ok(()), |digests| metrics.check_digest(&digests.metrics)).map_err(remedy)?;
        let logs_steps = info.config["log-steps"] == true;
        let steps = logs_steps.then(|| kept_steps(&path.join(files::STEPS_CSV), state).map_err(remedy)).transpose()?;
        if let (Some(steps), Some(digest)) = (&steps, digests.and_then(|digests| digests.steps.as_ref())) {
            steps.check_digest(digest).map_err(remedy)?;
        }
        let events = EventLog::read(path)?;

        // Reading takes a while.
        lock.folder().check()?;
        remove_leftovers(path);
        found.map_or(Ok(()), |found| found.settle(path))?;
        let directory = Self {
            metrics: metrics.open()?,
            steps: steps.map(Table::open).transpose()?,
            events: EventLog::open(path, events)?,
            path: path.to_path_buf(),
            every,
            keeps_before: true,
            info: RunInfo {
                status: Status::Running,
                message: None,
                finished: None,
                results: Results::default(),
                changes: state.map_or_else(Vec::new, |state| state.changes.clone()),
                kernels: Some(setup.kernels.to_string()),
                threads: setup.threads,
                checkpoint_every: every.map(|every| every.to_string()),
                keep: setup.keep.or(info.keep),
                // Those of an earlier end are not those that this one comes to.
                weights: None,
                rows: None,
                ..info
            },
            lock,
        };
        directory.lock.folder().check()?;
        write(&directory.info, path)?;
        Ok(directory)
    }

    /// Keeps one checkpoint, not two, once the run is finished: it is one of many.
    #[must_use]
    pub fn one_of_many(self) -> Self {
        Self { keeps_before: false, ..self }
    }

    /// Trains `run`, writing every row as it comes, then saves the weights and how it ended. `watchers` are told of it all, of the end
    /// when everything is on disk.
    pub fn record(mut self, run: Run<'_>, control: &Control, watchers: &mut dyn Observer) -> Result<Outcome> {
        let recorded = self.train(run, control, watchers).and_then(|outcome| {
            self.events.end(&outcome)?;
            self.close(outcome.status, outcome.message.clone(), outcome.results())?;
            Ok(outcome)
        });
        let outcome = recorded.map_err(|error| self.fail(error))?;
        // The results are on disk: files that could not be removed only take up room.
        if let Err(error) = self.tidy(outcome.status) {
            watchers.warn(&format!("{error:#}"))?;
        }
        watchers.finish(&outcome)?;
        Ok(outcome)
    }

    /// Removes the checkpoints that are not to be kept.
    fn tidy(&self, status: Status) -> Result<()> {
        if status == Status::Finished && !self.keeps_before {
            checkpoint::forget_before(&self.path)?;
        }
        if self.is_over(status) {
            checkpoint::retain(&self.path, self.info.keep.unwrap_or(Keep::All))?;
        }
        Ok(())
    }

    /// Records that `error` ended the run; gives the error to report.
    fn fail(&mut self, error: anyhow::Error) -> anyhow::Error {
        // Files that are no longer where they were fail in many ways; this is the one to tell.
        let error = self.check_in_place().err().unwrap_or(error);
        // The first error is the one to tell; if this cannot be written either, it has the same cause.
        let message = format!("{error:#}");
        let _ = self.events.add("finish", json!({ "status": Status::Failed, "message": message }));
        // A folder that was moved is written to where it is now; one that is being deleted is left alone.
        if let Some(place) = self.lock.folder().place().filter(|place| place.join(files::RUN_JSON).exists()) {
            self.end(Status::Failed, Some(message), Results::default());
            let _ = write(&self.info, &place);
        }
        error
    }

    fn train(&mut self, run: Run<'_>, control: &Control, watchers: &mut dyn Observer) -> Result<Outcome> {
        let mut logs = vec![self.metrics.handle()?];
        logs.extend(self.steps.as_ref().map(RowWriter::handle).transpose()?);
        let mut saver = Saver::start(&self.path, self.lock.folder().clone(), logs)?;
        let files = Files {
            path: &self.path,
            lock: &self.lock,
            watch: Watch::start(),
            info: &mut self.info,
            metrics: &mut self.metrics,
            steps: self.steps.as_mut(),
            events: &mut self.events,
            saver: &mut saver,
        };
        let outcome = run.train(control, self.every, &mut All(vec![Box::new(files), Box::new(&mut *watchers)]))?;
        saver.wait()?;
        self.check_in_place()?;
        saver.check_in_place()?;
        described(&self.path)?;
        if self.is_over(outcome.status) && self.info.keep == Some(Keep::None) {
            // An earlier end may have left some.
            remove_file(&self.path.join(files::WEIGHTS))?;
            self.info.weights = None;
        } else if outcome.status != Status::Interrupted {
            let digest = save_weights(&outcome.parameters, &self.path.join(files::WEIGHTS))?;
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
        self.lock.folder().check()?;
        self.end(status, message, results);
        write(&self.info, &self.path)
    }

    fn end(&mut self, status: Status, message: Option<String>, results: Results) {
        let rows = Some(digests(&self.metrics, self.steps.as_ref()));
        self.info = RunInfo { status, message, results, rows, finished: Some(record::now()), ..self.info.clone() };
    }

    fn check_in_place(&self) -> Result<()> {
        in_place(&self.lock, &self.metrics, self.steps.as_ref(), &self.events)
    }
}

fn digests(metrics: &RowWriter<EpochRow>, steps: Option<&RowWriter<StepRow>>) -> RowDigests {
    RowDigests { metrics: metrics.digest(), steps: steps.map(RowWriter::digest) }
}

/// # Errors
/// The folder, or a file that is being written, was moved or deleted.
fn in_place(
    lock: &Lock,
    metrics: &RowWriter<EpochRow>,
    steps: Option<&RowWriter<StepRow>>,
    events: &EventLog,
) -> Result<()> {
    lock.folder().check()?;
    metrics.check_in_place()?;
    steps.map_or(Ok(()), RowWriter::check_in_place)?;
    events.check_in_place()
}

/// # Errors
/// The run.json, which is there from the start, was moved or deleted: it is not made anew.
fn described(run: &Path) -> Result<()> {
    let path = run.join(files::RUN_JSON);
    ensure!(path.exists(), "stopped: {} was moved or deleted while the run was being trained", path.display());
    Ok(())
}

/// The rows of metrics.csv up to `state`: each is one of numbers and in its place, and the last is the one that the checkpoint knows.
fn kept_epochs(path: &Path, state: Option<&TrainState>) -> Result<Table<EpochRow>> {
    let last = state.and_then(|state| state.row.as_ref());
    Table::read(path, state.map_or(0, |state| state.epoch), &mut |row: &EpochRow| {
        let Some(last) = last else { return Ok(()) };
        let made = row.epoch.saturating_add(1).saturating_mul(steps_per_epoch(last));
        if row.step != made {
            return Err(format!("`step` is {}, expected {made}", row.step));
        }
        if row.epoch == last.epoch && row != last {
            return Err("is not the row of its epoch in the checkpoint".to_string());
        }
        Ok(())
    })
}

/// Writes run.json.
fn write(info: &RunInfo, run: &Path) -> Result<()> {
    write_status(&run.join(files::RUN_JSON), info, info.status, |message| RunInfo {
        status: Status::Failed,
        message: Some(message),
        ..info.clone()
    })
}

/// The rows of steps.csv up to `state`, as those of metrics.csv.
fn kept_steps(path: &Path, state: Option<&TrainState>) -> Result<Table<StepRow>> {
    let steps = state.and_then(|state| state.row.as_ref()).map(steps_per_epoch);
    Table::read(path, state.map_or(0, |state| state.step), &mut |row: &StepRow| {
        let epoch = steps.map_or(0, |steps| row.step / steps);
        if row.epoch != epoch {
            return Err(format!("`epoch` is {}, expected {epoch}", row.epoch));
        }
        let Some(state) = state.filter(|state| state.step == row.step + 1) else { return Ok(()) };
        let rate = state.applied.is_none_or(|rates| rates.learning_rate == row.learning_rate);
        if !rate || state.last_loss.is_some_and(|loss| loss != row.loss) {
            return Err("is not the step that the checkpoint was made after".to_string());
        }
        Ok(())
    })
}

/// Of the run whose epoch this is the row of.
fn steps_per_epoch(row: &EpochRow) -> u64 {
    (row.step / row.epoch.saturating_add(1)).max(1)
}

/// Refuses a folder that is not there to be written to. Only reads.
///
/// # Errors
/// A file in its place, or a folder that holds something else than `what`, or this where it may not be replaced, or one of `files` that
/// lrsched did not write.
fn vet(path: &Path, existing: Existing, what: Holds, files: &[&str]) -> Result<()> {
    let out = path.display();
    if path.exists() && !path.is_dir() {
        return usage!("--out {out} is not a folder");
    }
    if !path.exists() {
        return Ok(());
    }
    let contents = Contents::of(path)?;
    match (&contents.something, contents.ours()) {
        (None, _) => Ok(()),
        _ if contents.has(what) && existing == Existing::Replace => check_ours(path, files),
        _ if contents.has(what) => {
            let resume = match contents.status {
                Some(Status::Finished) if what == Holds::Run => {
                    format!("`lrsched resume {out} --epochs N` to train it longer, ")
                }
                Some(_) if what == Holds::Run => format!("`lrsched resume {out}` to resume it, "),
                _ => String::new(),
            };
            usage!(
                "--out {out} is not empty: it holds a {0}; choose another folder, {resume}or --force to replace the {0}",
                what.name()
            )
        }
        (Some(_), Some(other)) => usage!(
            "--out {out} is not empty: it holds a {}, and even --force replaces only a {}; choose another folder",
            other.name(),
            what.name()
        ),
        (Some(name), None) => usage!(
            "--out {out} is not empty and holds no {0} of lrsched (it has `{1}`); even --force replaces only a {0}: choose another folder",
            what.name(),
            name.escape_debug()
        ),
    }
}

/// Makes the folder, makes it this process's own, and removes those of `files` that an earlier process left there; the checkpoints of a run,
/// too. What tells that the folder is ours (run.json, find.json) stays until it is replaced.
///
/// # Errors
/// As `vet`: then nothing has been touched. A folder that is in use, or cannot be written.
pub fn claim(path: &Path, existing: Existing, what: Holds, files: &[&str]) -> Result<Lock> {
    vet(path, existing, what, files)?;
    let lock = Lock::make(path)?;
    // Another process may have had it meanwhile.
    vet(path, existing, what, files)?;
    remove_leftovers(path);
    if what == Holds::Run {
        checkpoint::remove_all(path)?;
    }
    for name in files {
        remove_file(&path.join(name))?;
    }
    Ok(lock)
}

/// A name alone proves nothing: a file counts as ours by what is in it, or because the run.json beside it says that its run has one.
///
/// # Errors
/// [`crate::usage::Usage`] for one of `files` that is there and that lrsched did not write.
fn check_ours(folder: &Path, files: &[&str]) -> Result<()> {
    let info = RunInfo::read(&folder.join(files::RUN_JSON)).ok();
    for name in files {
        let path = folder.join(name);
        let is_ours = match *name {
            files::METRICS_CSV => info.is_some() || is_begun::<EpochRow>(&path),
            files::STEPS_CSV => {
                info.as_ref().is_some_and(|info| info.config["log-steps"] == true) || is_begun::<StepRow>(&path)
            }
            files::RANGE_CSV => is_begun::<RangeRow>(&path),
            files::EVENTS_JSONL => info.is_some() || is_log(&path),
            files::WEIGHTS => info.is_some(),
            // Pictures.
            _ => true,
        };
        if path.symlink_metadata().is_ok() && !(is_ours && path.is_file()) {
            return usage!(
                "{} was not written by lrsched, and --force would remove it; move it away, or choose another folder",
                path.display()
            );
        }
    }
    Ok(())
}

/// Whether `run` can be removed without removing a file of somebody else.
///
/// # Errors
/// As `check_ours`.
pub fn check_removable(run: &Path) -> Result<()> {
    check_ours(run, files::unmarked(&files::OF_RUN))
}

/// Removes a run, and nothing else that may lie in its folder. Only for the one that has the lock.
///
/// # Errors
/// A file that cannot be removed, or that lrsched did not write: then none is.
pub fn remove_run(path: &Path) -> Result<()> {
    check_removable(path)?;
    remove_leftovers(path);
    checkpoint::remove_all(path)?;
    files::OF_RUN.iter().try_for_each(|name| remove_file(&path.join(name)))
}

fn remove_file(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot replace {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Writes rows as they come, and checkpoints beside them.
struct Files<'a> {
    path: &'a Path,
    lock: &'a Lock,
    info: &'a mut RunInfo,
    metrics: &'a mut RowWriter<EpochRow>,
    steps: Option<&'a mut RowWriter<StepRow>>,
    events: &'a mut EventLog,
    saver: &'a mut Saver,
    watch: Watch,
}

impl Files<'_> {
    fn check_in_place(&self) -> Result<()> {
        in_place(self.lock, self.metrics, self.steps.as_deref(), self.events)?;
        self.saver.check_in_place()
    }
}

impl Observer for Files<'_> {
    fn start(&mut self, start: &Start<'_>) -> Result<()> {
        let (step, epoch) = (start.state.step, start.state.epoch);
        let event = if step == 0 { "start" } else { "resume" };
        self.events.add(event, json!({ "step": step, "epoch": epoch }))
    }

    fn step(&mut self, row: &StepRow, _so_far: &BatchStats) -> Result<()> {
        self.steps.as_mut().map_or(Ok(()), |steps| steps.write(row))?;
        if self.watch.is_due() { self.check_in_place() } else { Ok(()) }
    }

    fn epoch(&mut self, row: &EpochRow) -> Result<()> {
        self.metrics.write(row)?;
        self.check_in_place()
    }

    fn checkpoint(&mut self, checkpoint: &Arc<Checkpoint>, reason: Reason) -> Result<()> {
        self.check_in_place()?;
        self.saver.save(checkpoint, digests(self.metrics, self.steps.as_deref()))?;
        if reason.is_awaited() {
            self.saver.wait()?;
        }
        if reason == Reason::Asked {
            self.events.add("save", json!({ "step": checkpoint.state.step, "epoch": checkpoint.state.epoch }))?;
        }
        Ok(())
    }

    fn changed(&mut self, change: &Change) -> Result<()> {
        self.events.change(change)?;
        self.info.changes.push(change.clone());
        self.lock.folder().check()?;
        described(self.path)?;
        write(self.info, self.path)
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

    fn claimed(path: &Path, existing: Existing) -> Result<Lock> {
        claim(path, existing, Holds::Run, files::unmarked(&files::OF_RUN))
    }

    #[test]
    fn a_folder_that_another_run_writes_to_is_refused_until_that_run_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/run");
        let first = claimed(&path, Existing::Refuse).unwrap();
        let refused = claimed(&path, Existing::Replace).err().unwrap();
        assert!(refused.to_string().contains("in use"), "{refused}");
        drop(first);
        assert!(claimed(&path, Existing::Refuse).is_ok());
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            0,
            "a folder that was made for nothing is removed"
        );
    }

    #[test]
    fn a_folder_with_a_run_in_it_is_refused_and_force_removes_only_files_of_runs() {
        let folder = tempfile::tempdir().unwrap();
        RowWriter::<EpochRow>::create(&folder.path().join("metrics.csv")).unwrap();
        std::fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        let refused = claimed(folder.path(), Existing::Refuse).err().unwrap();
        assert!(refused.is::<crate::usage::Usage>() && refused.to_string().contains("--force"), "{refused}");
        assert!(folder.path().join("metrics.csv").exists());
        claimed(folder.path(), Existing::Replace).unwrap();
        assert!(!folder.path().join("metrics.csv").exists());
        assert!(folder.path().join("notes.txt").exists());
    }

    #[test]
    fn a_folder_that_was_moved_after_it_was_locked_is_not_made_anew() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("run");
        let lock = Lock::make(&path).unwrap();
        let info: RunInfo = serde_json::from_value(json!({
            "version": "1", "command": [], "config": {}, "git": null, "device": "cpu", "engine": "cpu", "threads": 1,
            "dataset": {"name": "", "digest": ""}, "started": "", "finished": null, "status": "running", "results": {}
        }))
        .unwrap();
        std::fs::rename(&path, outer.path().join("elsewhere")).unwrap();
        let setup = Setup { threads: 1, kernels: "", every: None, keep: None };
        let refused = RunDirectory::reopen(&path, lock, info, None, &setup, &|error| error).err().unwrap().to_string();
        assert!(refused.contains("was moved to "), "{refused}");
        assert!(!path.exists());
        assert!(RowWriter::<EpochRow>::create(&path.join("metrics.csv")).is_err() && !path.exists());
        assert_eq!(std::fs::read_dir(outer.path().join("elsewhere")).unwrap().count(), 0, "the lock is gone");
    }

    #[test]
    fn a_folder_of_something_else_is_refused_even_with_force_and_nothing_in_it_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["metrics.csv", "run.json", ".tmp-thesis.txt", "notes.txt"] {
            std::fs::write(folder.path().join(name), "mine").unwrap();
        }
        for existing in [Existing::Refuse, Existing::Replace] {
            for what in [Holds::Run, Holds::Comparison, Holds::RangeTest] {
                let refused = claim(folder.path(), existing, what, files::unmarked(&files::OF_RUN)).err().unwrap();
                assert!(refused.is::<crate::usage::Usage>() && !refused.to_string().contains("resume"), "{refused}");
                assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4);
            }
        }
    }
}
