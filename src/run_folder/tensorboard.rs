//! `tensorboard/` in a run's folder: the metrics as TensorBoard shows them.
//!
//! Training, validation and test are runs of their own, so that their curves share a chart; the names are those of Keras's
//! callback. Values of steps are logged with `--log-steps`.
//!
//! ```text
//! tensorboard/events.out.tfevents.lrsched               hyperparameters, start and end
//! tensorboard/train/events.out.tfevents.lrsched         epoch_loss, epoch_accuracy, epoch_learning_rate, epoch_momentum,
//!                                                       batch_loss, batch_learning_rate, batch_momentum
//! tensorboard/validation/events.out.tfevents.lrsched    epoch_loss, epoch_accuracy
//! tensorboard/test/events.out.tfevents.lrsched          epoch_loss, epoch_accuracy, after the last epoch
//! ```

use super::refusal::Refusal;
use crate::disk::{self, check_in_place, make_own_folder, open_own, own_folder, read_own};
use crate::record::tensorboard::{self, Ended, Event as Logged};
use crate::record::{EpochRow, Status, StepRow, files};
use crate::train::{Event, Outcome, Started};
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// TensorBoard reads the files that have `tfevents` in their names.
const FILE: &str = "events.out.tfevents.lrsched";
const TRAIN: &str = "train";
const VALIDATION: &str = "validation";
const TEST: &str = "test";
/// The folders with a file, innermost first.
const FOLDERS: [&str; 4] = [TRAIN, VALIDATION, TEST, ""];

/// Tags of values of steps; the others are of epochs.
const OF_STEPS: &str = "batch_";

/// Writes the event files of one run.
pub struct TensorBoard {
    folder: PathBuf,
    /// Opened when the run starts.
    open: Option<Open>,
}

struct Open {
    session: EventFile,
    train: EventFile,
    validation: EventFile,
    test: EventFile,
    /// The names of the parameter groups besides the base group, as tags of their rates.
    groups: Vec<String>,
}

impl TensorBoard {
    pub fn of(run: &Path) -> Self {
        Self { folder: run.join(files::TENSORBOARD), open: None }
    }

    /// Whether an earlier process wrote event files for the run in this folder.
    pub fn is_in(run: &Path) -> bool {
        run.join(files::TENSORBOARD).join(FILE).is_file()
    }

    /// Logs an event of the run. When a run starts, what earlier processes wrote of steps that it makes again is removed.
    ///
    /// # Errors
    /// A file cannot be written, or is not ours.
    pub fn log(&mut self, event: &Event<'_>) -> Result<()> {
        if let Event::Started(started) = event {
            self.open = Some(Open::new(&self.folder, started)?);
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        match event {
            Event::Started(started) if open.session.is_new => open.start(started),
            Event::Step { row, .. } => open.step(row),
            Event::Epoch(row) => open.epoch(row),
            Event::Finished(outcome) => open.end(outcome),
            _ => Ok(()),
        }
    }

    /// # Errors
    /// A file was moved or deleted.
    pub fn check_in_place(&self) -> Result<()> {
        let Some(Open { session, train, validation, test, .. }) = &self.open else { return Ok(()) };
        [session, train, validation, test].into_iter().try_for_each(|file| check_in_place(&file.file, &file.path))
    }
}

impl Open {
    fn new(folder: &Path, started: &Started<'_>) -> Result<Self> {
        make_own_folder(folder)?;
        let (epochs, steps) = (started.state.epoch, started.state.step);
        let file = |name: &str| {
            let folder = folder.join(name);
            make_own_folder(&folder)?;
            // A run that goes on is tested again.
            EventFile::open(&folder.join(FILE), if name == TEST { 0 } else { epochs }, steps)
        };
        let group = |name: &String| format!("{OF_STEPS}learning_rate:{name}");
        Ok(Self {
            session: file("")?,
            train: file(TRAIN)?,
            validation: file(VALIDATION)?,
            test: file(TEST)?,
            groups: started.grouping.groups.iter().map(|named| group(&named.name)).collect(),
        })
    }

    fn start(&mut self, started: &Started<'_>) -> Result<()> {
        let hparams = match serde_json::to_value(started.config)? {
            serde_json::Value::Object(settings) => settings,
            _ => serde_json::Map::new(),
        };
        self.session.add(&Logged::start(now(), &hparams))
    }

    fn step(&mut self, row: &StepRow) -> Result<()> {
        let mut scalars = vec![
            ("batch_loss", Some(row.loss)),
            ("batch_learning_rate", Some(row.learning_rate)),
            ("batch_momentum", row.momentum),
        ];
        scalars.extend(self.groups.iter().zip(&row.groups).map(|(tag, rate)| (tag.as_str(), Some(*rate))));
        self.train.add(&Logged::scalars(now(), row.step, &scalars))
    }

    fn epoch(&mut self, row: &EpochRow) -> Result<()> {
        let train = [
            ("epoch_loss", Some(row.loss)),
            ("epoch_accuracy", Some(row.accuracy)),
            ("epoch_learning_rate", Some(row.learning_rate)),
            ("epoch_momentum", row.momentum),
        ];
        self.train.add(&Logged::scalars(now(), row.epoch, &train))?;
        self.validation.add_results(row.epoch, row.val_loss, row.val_accuracy)
    }

    fn end(&mut self, outcome: &Outcome) -> Result<()> {
        let epoch = outcome.last.as_ref().map_or(0, |row| row.epoch);
        self.test.add_results(epoch, outcome.results.test_loss, outcome.results.test_accuracy)?;
        match outcome.status {
            Status::Finished => self.session.add(&Logged::end(now(), Ended::Success)),
            Status::Diverged | Status::Failed => self.session.add(&Logged::end(now(), Ended::Failure)),
            // It may go on.
            _ => Ok(()),
        }
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0.0, |time| time.as_secs_f64())
}

/// One open event file.
struct EventFile {
    file: File,
    path: PathBuf,
    /// Whether it has no event yet besides its version.
    is_new: bool,
}

impl EventFile {
    /// Keeps what `path` has of the first `epochs` epochs and of the first `steps` steps.
    fn open(path: &Path, epochs: u64, steps: u64) -> Result<Self> {
        let bytes = match read_own(path, disk::MOST_ROWS) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        ensure!(tensorboard::is_begun(&bytes), "{} is not an event file of lrsched; move it away", path.display());
        let is_kept = |event: &Logged| {
            // TensorBoard shows the first end that it finds.
            if event.is_end() {
                return false;
            }
            let end = if event.tags().any(|tag| tag.starts_with(OF_STEPS)) { steps } else { epochs };
            event.tags().all(|tag| !tag.starts_with("epoch_") && !tag.starts_with(OF_STEPS))
                || event.step.cast_unsigned() < end
        };
        let mut kept = tensorboard::records(&bytes).take_while(|(event, _)| is_kept(event)).map(|(_, end)| end);
        let (first, last) = (kept.next(), kept.last());
        let length = last.or(first).unwrap_or(0);
        let open = || -> std::io::Result<File> {
            let mut file = open_own(path)?;
            file.set_len(length as u64)?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        let file = open().with_context(|| format!("cannot write {}", path.display()))?;
        let mut opened = Self { file, path: path.to_path_buf(), is_new: last.is_none() };
        if first.is_none() {
            opened.add(&Logged::version(now()))?;
        }
        Ok(opened)
    }

    /// In one write, so that a reader meanwhile, or a kill, finds whole records.
    fn add(&mut self, event: &Logged) -> Result<()> {
        self.file.write_all(&event.record()).with_context(|| format!("cannot write {}", self.path.display()))
    }

    fn add_results(&mut self, epoch: u64, loss: Option<f64>, accuracy: Option<f64>) -> Result<()> {
        let scalars = [("epoch_loss", loss), ("epoch_accuracy", accuracy)];
        if scalars.iter().all(|(_, value)| value.is_none()) {
            return Ok(());
        }
        self.add(&Logged::scalars(now(), epoch, &scalars))
    }
}

/// Checks that the event files in a run's folder are ours, which [`remove_all`] and a run that goes on replace.
///
/// # Errors
/// [`Refusal::ForeignFile`]; a folder is a link, whose target is not ours.
pub fn check_ours(run: &Path) -> Result<()> {
    for folder in FOLDERS.map(|name| run.join(files::TENSORBOARD).join(name)) {
        own_folder(&folder)?;
        let path = folder.join(FILE);
        let is_ours = || read_own(&path, disk::MOST_ROWS).is_ok_and(|bytes| tensorboard::is_begun(&bytes));
        if path.symlink_metadata().is_ok() && !is_ours() {
            return Err(Refusal::ForeignFile(path).into());
        }
    }
    Ok(())
}

/// The event files of a run, relative to its folder.
pub fn event_files() -> [PathBuf; 4] {
    FOLDERS.map(|name| Path::new(files::TENSORBOARD).join(name).join(FILE))
}

/// Removes the event files of an earlier run, and their folders if nothing else is in them.
///
/// # Errors
/// A file cannot be removed, or a folder is a link, whose target is not ours.
pub fn remove_all(run: &Path) -> Result<()> {
    let folder = run.join(files::TENSORBOARD);
    if !folder.is_dir() {
        return Ok(());
    }
    own_folder(&folder)?;
    for name in FOLDERS {
        let folder = folder.join(name);
        if !folder.is_dir() {
            continue;
        }
        own_folder(&folder)?;
        let path = folder.join(FILE);
        if read_own(&path, disk::MOST_ROWS).is_ok_and(|bytes| tensorboard::is_begun(&bytes)) {
            std::fs::remove_file(&path).with_context(|| format!("cannot replace {}", path.display()))?;
        }
        // Only if nothing else is in it.
        let _ = std::fs::remove_dir(&folder);
    }
    Ok(())
}
