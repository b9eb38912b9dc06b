//! The folder of a run: opened before training starts, appended row by row, closed with the final status.
//!
//! `metrics.csv`, `steps.csv` (with `--log-steps`), `events.jsonl`, `run.json`, `checkpoints/`, `weights.safetensors`,
//! `tensorboard/` (with `--tensorboard`).

use super::arrays::save_weights;
use super::checkpoint::{self, LatestCheckpoint};
use super::claim::{Existing, claim, remove_file};
use super::events::EventLog;
use super::lock::Lock;
use super::refusal::Refusal;
use super::resumed_rows::{kept_epochs, kept_steps};
use super::saver::Saver;
use super::tensorboard::TensorBoard;
use super::writer::{RunFiles, digests, in_place};
use crate::config::{Every, Keep, RunConfig};
use crate::data::{Dataset, Normalisation};
use crate::disk::Watch;
use crate::model::slots;
use crate::optim::Group;
use crate::record::{
    ChannelStatistics, Columns, EpochRow, GroupInfo, Holds, Provenance, Recorded, Results, Role, RowWriter, RunInfo,
    Standing, Status, StepRow, Table, files, remove_leftovers,
};
use crate::train::{Control, Event, Observer, Outcome, Run, Supervision, Verdict};
use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};

/// Words the end of a run: the facts, and advice that depends on the program that trains.
pub type Words = fn(&Verdict) -> String;

/// How a run is trained, apart from what it computes.
#[derive(Debug, Clone, Copy)]
pub struct Setup<'a> {
    pub threads: usize,
    /// The kernels of its engine.
    pub kernels: &'a str,
    /// Also checkpoint at this interval; `None` on resume keeps the run's own.
    pub every: Option<Every>,
    /// Which weights to keep once the run is finished; `None` on resume keeps the run's own.
    pub keep: Option<Keep>,
    /// Also write event files for TensorBoard; a resumed run that has them goes on with them.
    pub tensorboard: bool,
    /// Words the `message` in run.json and events.jsonl.
    pub words: Words,
    /// The names of its parameter groups besides the base group, which have columns in steps.csv.
    pub groups: &'a [String],
    /// What the run is for, in a comparison that tunes or screens; on resume the run's own stays.
    pub role: Option<&'a Role>,
}

impl Setup<'_> {
    fn step_columns(&self) -> Columns {
        Columns::with_names::<StepRow>(self.groups.to_vec())
    }
}

/// The open folder of one run.
pub struct RunDirectory {
    path: PathBuf,
    info: RunInfo,
    metrics: RowWriter<EpochRow>,
    steps: Option<RowWriter<StepRow>>,
    events: EventLog,
    tensorboard: Option<TensorBoard>,
    every: Option<Every>,
    keeps_before: bool,
    words: Words,
    /// Held until the run ends.
    lock: Lock,
}

/// The parameter groups of a run besides the base group.
fn groups(config: &RunConfig) -> Result<Vec<GroupInfo>> {
    let architecture = config.architecture();
    let grouping = config.grouping(&architecture)?;
    let slots = slots(&architecture);
    let of = |(place, group): (usize, &Group)| GroupInfo {
        name: group.name.clone(),
        optimizer: group.optimizer.to_string(),
        lr: group.lr.unwrap_or(config.lr),
        schedule: group.schedule.as_ref().map(ToString::to_string),
        freeze_after: group.freeze_after.map(|after| after.to_string()),
        parameters: slots
            .iter()
            .map(|slot| &slot.name)
            .filter(|name| grouping.of(name) == Some(place))
            .cloned()
            .collect(),
    };
    Ok(grouping.groups.iter().enumerate().map(of).collect())
}

impl RunDirectory {
    /// Opens all output files of the run.
    ///
    /// # Errors
    /// The folder is not empty (unless it holds a run that may be replaced), or cannot be written.
    pub fn create(
        path: &Path,
        existing: Existing,
        config: &RunConfig,
        dataset: &Dataset,
        setup: &Setup<'_>,
    ) -> Result<Self> {
        let lock = claim(path, existing, Holds::Run, files::unmarked(&files::OF_RUN))?;
        let info = RunInfo {
            provenance: Provenance::here(dataset, setup.threads, Some(setup.kernels)),
            device: config.device.to_string(),
            engine: config.engine.to_string(),
            config: config.into(),
            normalisation: None,
            groups: groups(config)?,
            role: setup.role.cloned(),
            standing: Standing::RUNNING,
            checkpoint_every: setup.every.map(Recorded::Known),
            keep: setup.keep.map(Recorded::Known),
            changes: Vec::new(),
            results: Results::default(),
            weights: None,
            rows: None,
        };
        lock.folder().check()?;
        write(&info, path)?;
        let steps_csv = || RowWriter::create_with(&path.join(files::STEPS_CSV), setup.step_columns());
        let steps = config.log_steps.then(steps_csv).transpose()?;
        Ok(Self {
            metrics: RowWriter::create(&path.join(files::METRICS_CSV))?,
            events: EventLog::create(path, setup.words)?,
            tensorboard: setup.tensorboard.then(|| TensorBoard::of(path)),
            path: path.to_path_buf(),
            info,
            steps,
            every: setup.every,
            keeps_before: true,
            words: setup.words,
            lock,
        })
    }

    /// Reopens the files of an earlier process, truncated to the checkpoint that the run resumes from (to the headers
    /// if there is none). Everything that is kept is validated before anything is changed.
    ///
    /// # Errors
    /// Files that are damaged or do not match the checkpoint, converted by `damaged`; files that cannot be written; a
    /// folder that was moved since it was locked.
    pub fn reopen(
        path: &Path,
        lock: Lock,
        info: RunInfo,
        found: Option<&LatestCheckpoint>,
        setup: &Setup<'_>,
        damaged: &dyn Fn(anyhow::Error) -> anyhow::Error,
    ) -> Result<Self> {
        lock.folder().check()?;
        let state = found.map(|found| &found.checkpoint.state);
        let every = given_or(setup.every, info.checkpoint_every.as_ref(), path, "checkpoint-every")?;
        let keep = given_or(setup.keep, info.keep.as_ref(), path, "keep")?;
        let digests = found.and_then(|found| found.rows.as_ref());
        let metrics = kept_epochs(&path.join(files::METRICS_CSV), state).map_err(damaged)?;
        digests.map_or(Ok(()), |digests| metrics.check_digest(&digests.metrics)).map_err(damaged)?;
        let logs_steps = info.config.logs_steps();
        let steps_csv = || kept_steps(&path.join(files::STEPS_CSV), setup.step_columns(), state).map_err(damaged);
        let steps = logs_steps.then(steps_csv).transpose()?;
        if let (Some(steps), Some(digest)) = (&steps, digests.and_then(|digests| digests.steps.as_ref())) {
            steps.check_digest(digest).map_err(damaged)?;
        }
        let events = EventLog::read(path)?;

        // Reading took a while: the folder may have been moved meanwhile.
        lock.folder().check()?;
        remove_leftovers(path);
        found.map_or(Ok(()), |found| found.settle(path))?;
        let directory = Self {
            metrics: metrics.open()?,
            steps: steps.map(Table::open).transpose()?,
            events: EventLog::open(path, events, setup.words)?,
            tensorboard: (setup.tensorboard || TensorBoard::is_in(path)).then(|| TensorBoard::of(path)),
            path: path.to_path_buf(),
            every,
            keeps_before: true,
            words: setup.words,
            info: RunInfo {
                standing: Standing::RUNNING,
                results: Results::default(),
                changes: state.map_or_else(Vec::new, |state| state.changes.clone()),
                provenance: Provenance {
                    kernels: Some(setup.kernels.to_string()),
                    threads: setup.threads,
                    ..info.provenance
                },
                checkpoint_every: every.map(Recorded::Known),
                keep: keep.map(Recorded::Known),
                // Outputs of an earlier end of the run.
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

    /// Keeps one checkpoint instead of two once the run is finished, to save space across many runs.
    #[must_use]
    pub fn one_of_many(self) -> Self {
        Self { keeps_before: false, ..self }
    }

    /// Trains `run`, writing every row as it comes, then saves the weights and the final status. `observer` sees every
    /// event, the end only once everything is on disk.
    ///
    /// # Errors
    /// Those of the run and of the observer; a file that cannot be written. run.json says so, where that can be written.
    pub fn record(mut self, run: Run<'_>, control: &Control, observer: &mut dyn Observer) -> Result<Outcome> {
        let recorded = self.train(run, control, observer).and_then(|outcome| {
            self.events.log(&Event::Finished(&outcome))?;
            self.tensorboard.as_mut().map_or(Ok(()), |board| board.log(&Event::Finished(&outcome)))?;
            self.close(outcome.status, outcome.verdict.as_ref().map(self.words), outcome.results.clone())?;
            Ok(outcome)
        });
        let outcome = recorded.map_err(|error| self.fail(error))?;
        // The results are on disk: files that could not be removed only take up space.
        if let Err(error) = self.tidy(outcome.status) {
            observer.observe(&Event::Warning(&format!("{error:#}")))?;
        }
        observer.observe(&Event::Finished(&outcome))?;
        Ok(outcome)
    }

    /// Removes the checkpoints that the retention setting does not keep.
    fn tidy(&self, status: Status) -> Result<()> {
        if status == Status::Finished && !self.keeps_before {
            checkpoint::forget_before(&self.path)?;
        }
        if self.is_over(status) {
            checkpoint::retain(&self.path, self.info.known_keep().unwrap_or(Keep::All))?;
        }
        Ok(())
    }

    /// Records that `error` ended the run, and returns the error to report.
    fn fail(&mut self, error: anyhow::Error) -> anyhow::Error {
        // A moved folder causes many kinds of errors; report the move itself.
        let error = self.check_in_place().err().unwrap_or(error);
        // Report the first error; if this write fails too, it has the same cause.
        let message = format!("{error:#}");
        let _ = self.events.log(&Event::Failed(&message));
        // A moved folder is updated at its new location; one being deleted is left alone.
        if let Some(place) = self.lock.folder().place().filter(|place| place.join(files::RUN_JSON).exists()) {
            self.end(Status::Failed, Some(message), Results::default());
            let _ = write(&self.info, &place);
        }
        error
    }

    fn train(&mut self, run: Run<'_>, control: &Control, observer: &mut dyn Observer) -> Result<Outcome> {
        let Normalisation { mean, standard_deviation, .. } = run.normalisation();
        self.info.normalisation =
            Some(ChannelStatistics { mean: mean.to_vec(), standard_deviation: standard_deviation.to_vec() });
        self.lock.folder().check()?;
        write(&self.info, &self.path)?;
        let mut logs = vec![self.metrics.handle()?];
        logs.extend(self.steps.as_ref().map(RowWriter::handle).transpose()?);
        let mut saver = Saver::start(&self.path, self.lock.folder().clone(), logs)?;
        let mut run_files = RunFiles {
            path: &self.path,
            lock: &self.lock,
            watch: Watch::start(),
            info: &mut self.info,
            metrics: &mut self.metrics,
            steps: self.steps.as_mut(),
            events: &mut self.events,
            tensorboard: self.tensorboard.as_mut(),
            saver: &mut saver,
            next: observer,
        };
        let outcome = run.train(&mut Supervision { control, every: self.every, observer: &mut run_files })?;
        run_files.saver.wait()?;
        run_files.check_in_place()?;
        described(&self.path)?;
        if self.is_over(outcome.status) && self.info.known_keep() == Some(Keep::None) {
            // An earlier end may have left weights.
            remove_file(&self.path.join(files::WEIGHTS))?;
            self.info.weights = None;
        } else if outcome.status != Status::Interrupted {
            let digest = save_weights(&outcome.parameters, &self.path.join(files::WEIGHTS))?;
            self.info.weights = Some(digest);
        }
        Ok(outcome)
    }

    /// Whether the run will never be resumed. A diverged run may be, at another rate, unless it is an entrant, whose
    /// name fixes the rate.
    fn is_over(&self, status: Status) -> bool {
        match status {
            Status::Finished => true,
            Status::Diverged => !self.keeps_before && self.info.known_keep() == Some(Keep::None),
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
        self.info = RunInfo { standing: Standing::ended(status, message), results, rows, ..self.info.clone() };
    }

    fn check_in_place(&self) -> Result<()> {
        in_place(&self.lock, &self.metrics, self.steps.as_ref(), &self.events, self.tensorboard.as_ref())
    }
}

/// The setting `name` for the rest of a run: as given, or else as recorded in the run.json in `run`.
///
/// # Errors
/// [`Refusal::UnknownSetting`]: it is not given, and the recorded value is from another version.
fn given_or<T: Copy>(
    given: Option<T>,
    recorded: Option<&Recorded<T>>,
    run: &Path,
    name: &'static str,
) -> Result<Option<T>, Refusal> {
    match (given, recorded) {
        (None, Some(Recorded::Unknown(value))) => {
            Err(Refusal::UnknownSetting { file: run.join(files::RUN_JSON), name, value: value.to_string() })
        }
        (given, recorded) => Ok(given.or_else(|| recorded?.known())),
    }
}

/// # Errors
/// run.json, which exists from the start, was moved or deleted. It is not recreated.
pub(super) fn described(run: &Path) -> Result<()> {
    let path = run.join(files::RUN_JSON);
    ensure!(path.exists(), "stopped: {} was moved or deleted while the run was being trained", path.display());
    Ok(())
}

/// Writes run.json.
pub(super) fn write(info: &RunInfo, run: &Path) -> Result<()> {
    info.write(&run.join(files::RUN_JSON))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
        let setup = Setup {
            threads: 1,
            kernels: "",
            every: None,
            keep: None,
            tensorboard: false,
            words: Verdict::to_string,
            groups: &[],
            role: None,
        };
        let refused = RunDirectory::reopen(&path, lock, info, None, &setup, &|error| error).err().unwrap().to_string();
        assert!(refused.contains("was moved to "), "{refused}");
        assert!(!path.exists());
        assert!(RowWriter::<EpochRow>::create(&path.join("metrics.csv")).is_err() && !path.exists());
        assert_eq!(std::fs::read_dir(outer.path().join("elsewhere")).unwrap().count(), 0, "the lock is gone");
    }
}
