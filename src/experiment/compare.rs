//! Trains every entrant, from the same weights and on the same batches, several runs at once.

mod error;
mod plan;
mod rows;
mod survey;

pub use error::{ComparisonError, Mismatch};
pub use plan::{Plan, PlannedRun};
pub use survey::Remaining;

use super::resume::{Left, Maker};
use super::scheduler::Scheduler;
use crate::config::{Every, Keep, RunConfig};
use crate::data::Dataset;
use crate::disk::{OpenFolder, make_own_folder, own_folder};
use crate::memory::give_back;
use crate::record::{ComparisonRow, Holds, Results, Status, files, is_table_of, write_rows};
use crate::run_folder::{Existing, Lock, RunDirectory, Setup, Words, claim};
use crate::train::{Control, Observer, Outcome, Run, Stop, ThreadShare};
use anyhow::{Result, bail};
use plan::{meaning, meaning_of};
use rows::{comparable, done, earlier_rows, remove_runs, row, set_aside};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// A comparison in its folder.
pub struct Comparison<'a> {
    plan: &'a Plan,
    place: Place,
    table: Rows,
    /// Notes on anything the user may not expect.
    notes: Vec<String>,
}

/// The folder of a comparison, locked.
struct Place {
    folder: PathBuf,
    lock: Lock,
    /// The folder of the runs.
    runs: OpenFolder,
}

impl Place {
    fn path(&self, run: &PlannedRun) -> PathBuf {
        self.folder.join(files::RUNS).join(&run.name)
    }

    /// # Errors
    /// The folder of the comparison, or of its runs, was moved or deleted.
    fn check(&self) -> Result<()> {
        self.lock.folder().check()?;
        self.runs.check()
    }
}

/// The rows of a comparison.
struct Rows {
    /// Runs of an earlier invocation that are not in this plan.
    others: Vec<ComparisonRow>,
    /// The runs that are over, in plan order.
    planned: Vec<Option<ComparisonRow>>,
}

impl Rows {
    /// Those of earlier invocations first.
    fn all(&self) -> Vec<ComparisonRow> {
        self.others.iter().chain(self.planned.iter().flatten()).cloned().collect()
    }

    /// Writes the table.
    fn write(&self, place: &Place) -> Result<()> {
        place.check()?;
        write_rows(&place.folder.join(files::COMPARISON_CSV), &self.all())
    }
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
        let place = Place { folder: folder.to_path_buf(), lock, runs: OpenFolder::new(&runs) };
        let table = Rows { others, planned: rows };
        table.write(&place)?;
        Ok(Self { plan, place, table, notes })
    }

    /// Notes on the state left by earlier invocations, one per line.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The number of runs left to train.
    pub fn missing(&self) -> usize {
        self.table.planned.iter().filter(|row| row.is_none()).count()
    }

    /// Trains the missing runs, several at once, and resumes interrupted ones. A run that diverges or fails gets a row,
    /// and the rest continue. If a stop is requested, every run that is being trained is saved and gets a row, and the
    /// reason for the stop is returned.
    ///
    /// # Errors
    /// The folder was moved or deleted, the table cannot be written, or a failed run cannot be reported: the other runs
    /// stop, and are saved. A thread cannot be started.
    pub fn run(&mut self, dataset: &Dataset, training: &Training<'_>) -> Result<Option<Stop>> {
        let Training { scheduler, observer, control, .. } = *training;
        let Self { plan, place, table, .. } = self;
        let missing: Vec<usize> = (0..plan.runs.len()).filter(|index| table.planned[*index].is_none()).collect();
        let train = |index: &usize, share: &ThreadShare| {
            let planned = &plan.runs[*index];
            let trained = train(planned, &place.path(planned), &|| place.check(), dataset, share, training);
            // The run's network has been dropped: return its memory to the system, so that the next run starts with as
            // little as the first.
            give_back();
            trained
        };
        let mut record = |index: usize, trained: Result<Outcome>| -> Result<()> {
            let planned = &plan.runs[index];
            // If the comparison's folder was moved or deleted, that is the error to report, not the run's.
            place.check()?;
            let (status, results) = match trained {
                Ok(outcome) => (outcome.status, outcome.results),
                Err(error) => {
                    observer.failed(planned, &place.path(planned), &error)?;
                    (Status::Failed, Results::default())
                }
            };
            table.planned[index] = Some(row(planned, status, results));
            table.write(place)?;
            if status != Status::Interrupted {
                observer.completed(planned);
            }
            Ok(())
        };
        let mut error = None;
        let mut finished = |place: usize, trained| match record(missing[place], trained) {
            Ok(()) => ControlFlow::Continue(()),
            Err(first) => {
                // Nothing more can be recorded: the others are saved, and end.
                control.stop(Stop::Interrupt);
                error.get_or_insert(first);
                ControlFlow::Break(())
            }
        };
        scheduler.run(&missing, &|| control.stopping().is_some(), &train, &mut finished)?;
        error.map_or_else(|| Ok(control.stopping()), Err)
    }

    /// The rows of the finished runs, those of earlier invocations first.
    pub fn rows(&self) -> Vec<ComparisonRow> {
        self.table.all()
    }
}

/// Observes the runs of a comparison, which are trained on threads of their own.
pub trait ComparisonObserver: Sync {
    /// The observer for `run`, about to be trained on this thread, in the folder `path`.
    fn observe<'a>(&'a self, run: &'a PlannedRun, path: &'a Path) -> Box<dyn Observer + 'a>;

    /// Reports something unexpected about `run` before it is trained.
    fn warn(&self, run: &PlannedRun, message: &str);

    /// `run` ended with an error; the others continue.
    ///
    /// # Errors
    /// This cannot be reported; ends the comparison.
    fn failed(&self, run: &PlannedRun, path: &Path, error: &anyhow::Error) -> Result<()>;

    /// `run` is over, and its row written.
    fn completed(&self, run: &PlannedRun);
}

/// How the runs are trained, apart from what they compute.
#[derive(Clone, Copy)]
pub struct Training<'a> {
    pub scheduler: Scheduler,
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
    share: &ThreadShare,
    training: &Training<'_>,
) -> Result<Outcome> {
    let Training { observer, control, every, keep, words, .. } = *training;
    let mut run = Run::new(&planned.config, dataset, share)?;
    let (kernels, threads) = (run.kernels(), share.get());
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
