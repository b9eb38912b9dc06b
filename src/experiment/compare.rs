//! Trains every entrant in turn, from the same weights and on the same batches.

mod error;
mod plan;

pub use error::{ComparisonError, Mismatch};
pub use plan::{Plan, PlannedRun};

use super::resume::{DamagedRun, Left, Maker};
use crate::config::settings::tells_apart;
use crate::config::{Every, Keep, RunConfig, SettingValues};
use crate::data::Dataset;
use crate::disk::{self, OpenFolder, make_own_folder, own_folder};
use crate::memory::give_back;
use crate::record::{
    ComparisonRow, Contents, Holds, RecordedConfig, Results, RunInfo, Status, check_finished, files, is_table_of,
    read_rows, write_rows,
};
use crate::run_folder::{Existing, Lock, RunDirectory, Setup, Words, check_removable, checkpoint, claim, remove_run};
use crate::train::{Control, Observer, Outcome, Run, Stop};
use anyhow::{Context, Result, bail};
use plan::{meaning, meaning_of, name};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// A comparison in its folder.
pub struct Comparison<'a> {
    folder: PathBuf,
    plan: &'a Plan,
    /// Finished runs, in plan order.
    rows: Vec<Option<ComparisonRow>>,
    /// Runs finished by an earlier invocation that are not in this plan.
    others: Vec<ComparisonRow>,
    /// Notes on anything the user may not expect.
    notes: Vec<String>,
    lock: Lock,
    /// The folder of the runs.
    runs: OpenFolder,
}

impl<'a> Comparison<'a> {
    /// Opens the folder and finds what is left to train.
    ///
    /// # Errors
    /// A [`ComparisonError`] for runs of another configuration; a folder that holds something else, or cannot be
    /// written.
    pub fn open(folder: &Path, plan: &'a Plan, dataset: &Dataset, existing: Existing) -> Result<Self> {
        // An existing comparison is continued, or started over.
        let lock = claim(folder, Existing::Replace, Holds::Comparison, &[])?;
        let (table, runs) = (folder.join(files::COMPARISON_CSV), folder.join(files::RUNS));
        own_folder(&runs)?;
        plan.runs.iter().try_for_each(|run| own_folder(&runs.join(&run.name)))?;
        let (mut rows, mut others, mut notes) = (vec![None; plan.runs.len()], Vec::new(), Vec::new());
        if existing == Existing::Replace {
            remove_runs(&runs)?;
            if table.exists() && !is_table_of::<ComparisonRow>(&table) {
                notes.push(set_aside(&table)?);
            }
        } else {
            for (row, run) in rows.iter_mut().zip(&plan.runs) {
                *row = done(&runs.join(&run.name), run, dataset)?;
            }
            others = earlier_rows(&table, &runs, &mut notes)?;
            others.retain(|row: &ComparisonRow| plan.runs.iter().all(|run| run.name != row.run));
            for other in &others {
                let Some(path) = other.folder(folder) else {
                    bail!(ComparisonError::NotItsFolder { table, run: other.run.clone() });
                };
                comparable(&path, &plan.runs[0].config, dataset)?;
                let same = |run: &&PlannedRun| {
                    run.config.seed == other.seed
                        && meaning_of(other).is_some_and(|other| other == meaning(&run.config))
                };
                if let Some(run) = plan.runs.iter().find(same) {
                    let RunConfig { optimizer, schedule, .. } = run.config.clone();
                    let earlier = format!("{}/{}", other.optimizer, other.schedule);
                    bail!(ComparisonError::SameRun { folder: folder.to_path_buf(), optimizer, schedule, earlier });
                }
            }
            if let Some(other) = others.iter().find(|row| row.epochs != plan.runs[0].config.epochs) {
                bail!(ComparisonError::OtherLength { folder: folder.to_path_buf(), epochs: other.epochs });
            }
        }
        make_own_folder(&runs)?;
        let runs = OpenFolder::new(&runs);
        let comparison = Self { folder: folder.to_path_buf(), plan, rows, others, notes, lock, runs };
        comparison.write()?;
        Ok(comparison)
    }

    /// Notes on the state left by earlier invocations, one per line.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The number of runs left to train.
    pub fn missing(&self) -> usize {
        self.rows.iter().filter(|row| row.is_none()).count()
    }

    /// Trains the missing runs and resumes interrupted ones. A run that diverges or fails gets a row, and the rest
    /// continue. A run that is asked to stop gets the last row, and the reason for the stop is returned.
    pub fn run(&mut self, dataset: &Dataset, training: &Training<'_>) -> Result<Option<Stop>> {
        let Training { observer, control, .. } = *training;
        for (index, planned) in self.plan.runs.iter().enumerate() {
            if self.rows[index].is_some() {
                continue;
            }
            if let Some(stop) = control.stopping() {
                return Ok(Some(stop));
            }
            let trained = train(planned, &self.path(planned), &|| self.check_in_place(), dataset, training);
            // If the comparison's folder was moved or deleted, that is the error to report, not the run's.
            self.check_in_place()?;
            let (status, results) = match trained {
                Ok(outcome) => (outcome.status, outcome.results),
                Err(error) => {
                    observer.failed(planned, &self.path(planned), &error)?;
                    (Status::Failed, Results::default())
                }
            };
            // The run's network has been dropped: return its memory to the system, so that the next run starts with as
            // little as the first.
            give_back();
            self.rows[index] = Some(row(planned, status, results));
            self.write()?;
            if status != Status::Interrupted {
                observer.completed();
            }
        }
        Ok(control.stopping())
    }

    /// The rows of the finished runs, those of earlier invocations first.
    pub fn rows(&self) -> Vec<ComparisonRow> {
        self.others.iter().chain(self.rows.iter().flatten()).cloned().collect()
    }

    fn path(&self, run: &PlannedRun) -> PathBuf {
        self.folder.join(files::RUNS).join(&run.name)
    }

    /// # Errors
    /// The folder of the comparison, or of its runs, was moved or deleted.
    fn check_in_place(&self) -> Result<()> {
        self.lock.folder().check()?;
        self.runs.check()
    }

    fn write(&self) -> Result<()> {
        self.check_in_place()?;
        write_rows(&self.folder.join(files::COMPARISON_CSV), &self.rows())
    }
}

/// The rows of the table; if it is lost or damaged, rebuilt from the run.json of each run.
///
/// # Errors
/// A table that cannot be read at all, or that lists a run twice.
fn earlier_rows(table: &Path, runs: &Path, notes: &mut Vec<String>) -> Result<Vec<ComparisonRow>> {
    let damaged = if table.exists() {
        disk::open(table).with_context(|| format!("cannot read {}", table.display()))?;
        match read_rows(table) {
            Ok(rows) => {
                check_unique(table, &rows)?;
                return Ok(rows);
            }
            Err(error) => Some(format!("{error:#}; {}", set_aside(table)?)),
        }
    } else {
        None
    };
    let mut rows: Vec<ComparisonRow> = Vec::new();
    for entry in runs.read_dir().into_iter().flatten() {
        let entry = entry.with_context(|| format!("cannot read {}", runs.display()))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            rows.extend(row_of(&entry.path()));
        }
    }
    rows.sort_by(|a, b| a.run.cmp(&b.run));
    let why = damaged.or_else(|| (!rows.is_empty()).then(|| format!("{} is missing", table.display())));
    notes.extend(why.map(|why| format!("{why}; rebuilt from the runs in {}", runs.display())));
    Ok(rows)
}

/// The row of a run known only from its folder; `None` if no comparison made it, or if it never ended.
fn row_of(path: &Path) -> Option<ComparisonRow> {
    let info = RunInfo::read(&path.join(files::RUN_JSON)).ok()?;
    let config = info.config.known().ok()?;
    let planned = PlannedRun { name: name(&config), config };
    let is_its_name = path.file_name().is_some_and(|found| found == planned.name.as_str());
    (is_its_name && info.standing.status != Status::Running).then(|| row(&planned, info.standing.status, info.results))
}

/// Renames a damaged table so that it can be replaced without losing its contents. Reports the new name.
fn set_aside(table: &Path) -> Result<String> {
    let place = |number: u32| table.with_file_name(format!("{}.damaged-{number}", files::COMPARISON_CSV));
    let free = (1..).map(place).find(|place| place.symlink_metadata().is_err()).expect("some number is free");
    std::fs::rename(table, &free).with_context(|| format!("cannot rename {}", table.display()))?;
    Ok(format!("{} was renamed to {}", table.display(), free.display()))
}

/// # Errors
/// A run has two rows.
fn check_unique(table: &Path, rows: &[ComparisonRow]) -> Result<()> {
    let mut names = HashSet::new();
    match rows.iter().position(|row| !names.insert(&row.run)) {
        Some(at) => {
            bail!("{}: row {}: the run `{}` has a row already", table.display(), at + 1, rows[at].run.escape_debug())
        }
        None => Ok(()),
    }
}

/// Removes the runs, but no other files in their folders.
///
/// # Errors
/// A run is in use (then none is removed), or cannot be removed.
fn remove_runs(folder: &Path) -> Result<()> {
    let Ok(entries) = folder.read_dir() else { return Ok(()) };
    let mut runs = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
        // The target of a link is not ours.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) && Contents::of(&entry.path())?.run {
            checkpoint::own(&entry.path())?;
            runs.push((Lock::take(&entry.path())?, entry.path()));
            check_removable(&entry.path())?;
        }
    }
    for (lock, path) in runs {
        remove_run(&path)?;
        drop(lock);
        // Only if nothing else is in it.
        let _ = std::fs::remove_dir(&path);
    }
    Ok(())
}

/// Observes the runs of a comparison.
pub trait ComparisonObserver {
    /// The observer for `run`, about to be trained in the folder `path`.
    fn observe<'a>(&'a self, run: &'a PlannedRun, path: &'a Path) -> Box<dyn Observer + 'a>;

    /// Reports something unexpected about `run` before it is trained.
    fn warn(&self, run: &PlannedRun, message: &str);

    /// `run` ended with an error; the others continue.
    ///
    /// # Errors
    /// This cannot be reported; ends the comparison.
    fn failed(&self, run: &PlannedRun, path: &Path, error: &anyhow::Error) -> Result<()>;

    /// Another run is over.
    fn completed(&self);
}

/// How the runs are trained, apart from what they compute.
#[derive(Clone, Copy)]
pub struct Training<'a> {
    pub threads: usize,
    pub observer: &'a dyn ComparisonObserver,
    pub control: &'a Control,
    pub every: Option<Every>,
    pub keep: Keep,
    /// Wording for the end of a run.
    pub words: Words,
}

/// `in_place` fails if the folder of the comparison, or of its runs, was moved or deleted.
fn train(
    planned: &PlannedRun,
    path: &Path,
    in_place: &dyn Fn() -> Result<()>,
    dataset: &Dataset,
    training: &Training<'_>,
) -> Result<Outcome> {
    let Training { threads, observer, control, every, keep, words } = *training;
    let mut run = Run::new(&planned.config, dataset, threads)?;
    let kernels = run.kernels();
    let setup = Setup { threads, kernels, every, keep: Some(keep), words };
    let directory = match path.join(files::RUN_JSON).exists() {
        true => {
            let left = Left::open(path, false, Maker::Comparison)?;
            let instead = left.instead();
            left.restore(&mut run)?;
            let directory = left.reopen(&setup)?;
            instead.into_iter().for_each(|line| observer.warn(planned, &line));
            directory
        }
        false => {
            // Creating the run would recreate a deleted comparison folder.
            in_place()?;
            RunDirectory::create(path, Existing::Replace, &planned.config, dataset, &setup)?
        }
    };
    directory.one_of_many().record(run, control, &mut *observer.observe(planned, path))
}

/// The row of an already finished run, or `None` if it has yet to be trained.
fn done(path: &Path, planned: &PlannedRun, dataset: &Dataset) -> Result<Option<ComparisonRow>> {
    let file = path.join(files::RUN_JSON);
    if !file.exists() {
        return Ok(None);
    }
    let info = RunInfo::read(&file)?;
    let run = path.to_path_buf();
    if info.config != RecordedConfig::from(&planned.config) {
        let (before, now) = (info.config.settings(), planned.config.settings());
        bail!(ComparisonError::OtherConfig { run, before, now });
    }
    if info.provenance.dataset.digest != dataset.digest() {
        bail!(ComparisonError::OtherImages { run });
    }
    if let Some(change) = info.changes.first() {
        bail!(ComparisonError::Changed { run, change: change.clone() });
    }
    let done = matches!(info.standing.status, Status::Finished | Status::Diverged);
    if done {
        check_finished(path, &info).map_err(|error| DamagedRun::new(path, error, Maker::Comparison))?;
    }
    Ok(done.then(|| row(planned, info.standing.status, info.results)))
}

/// Whether an earlier run outside the plan may share a table with the planned runs. One with nothing left but its row
/// may.
fn comparable(path: &Path, config: &RunConfig, dataset: &Dataset) -> Result<()> {
    let file = path.join(files::RUN_JSON);
    if !file.exists() {
        return Ok(());
    }
    let info = RunInfo::read(&file)?;
    if matches!(info.standing.status, Status::Finished | Status::Diverged) {
        check_finished(path, &info).map_err(|error| DamagedRun::new(path, error, Maker::Comparison))?;
    }
    let shared = |settings: SettingValues| settings.only(tells_apart);
    let (before, now) = (shared(info.config.settings()), shared(config.settings()));
    let mismatch = if before != now {
        Mismatch::Settings { before, now }
    } else if info.provenance.dataset.digest != dataset.digest() {
        Mismatch::Images
    } else {
        return Ok(());
    };
    bail!(ComparisonError::Incomparable { run: path.to_path_buf(), mismatch })
}

fn row(planned: &PlannedRun, status: Status, mut results: Results) -> ComparisonRow {
    if status == Status::Diverged {
        // JSON has no NaN: a diverged run's NaN values come back as nothing.
        for value in results.of_last_mut() {
            *value = value.or(Some(f64::NAN));
        }
    }
    ComparisonRow::new(&planned.name, &planned.config, status, results)
}
