//! Trains every entrant in turn, from the same weights and on the same batches.

mod error;
mod plan;
mod rows;

pub use error::{ComparisonError, Mismatch};
pub use plan::{Plan, PlannedRun};

use super::resume::{Left, Maker};
use crate::config::{Every, Keep, RunConfig};
use crate::data::Dataset;
use crate::disk::{OpenFolder, make_own_folder, own_folder};
use crate::memory::give_back;
use crate::record::{ComparisonRow, Holds, Results, Status, files, is_table_of, write_rows};
use crate::run_folder::{Existing, Lock, RunDirectory, Setup, Words, claim};
use crate::train::{Control, Observer, Outcome, Run, Stop};
use anyhow::{Result, bail};
use plan::{meaning, meaning_of};
use rows::{comparable, done, earlier_rows, remove_runs, row, set_aside};
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
                observer.completed(planned);
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

/// Observes the runs of a comparison, those that are trained at once on threads of their own.
pub trait ComparisonObserver: Sync {
    /// The observer for `run`, about to be trained in the folder `path`.
    fn observe<'a>(&'a self, run: &'a PlannedRun, path: &'a Path) -> Box<dyn Observer + 'a>;

    /// Reports something unexpected about `run` before it is trained.
    fn warn(&self, run: &PlannedRun, message: &str);

    /// `run` ended with an error; the others continue.
    ///
    /// # Errors
    /// This cannot be reported; ends the comparison.
    fn failed(&self, run: &PlannedRun, path: &Path, error: &anyhow::Error) -> Result<()>;

    /// `run` is over and will not be continued.
    fn completed(&self, run: &PlannedRun);
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
