//! Trains every entrant, from the same weights and on the same batches, several runs at once.

mod error;
mod open;
mod plan;
mod rows;
mod survey;
mod table;

pub(super) use error::differences;
pub use error::{ComparisonError, Mismatch};
pub use plan::{Plan, PlannedRun, RunPlace};
pub(super) use plan::{meaning, meaning_of, name};
pub(super) use rows::{check_unique, ended_row, planned_of, set_aside};
pub use survey::Remaining;
pub use table::PlanProgress;

use super::resume::{Left, Maker};
use super::scheduler::{Scheduler, is_refused_a_thread};
use crate::config::{Every, Keep, RunConfig};
use crate::data::Dataset;
use crate::memory::give_back;
use crate::record::{ComparisonRow, Results, Role, Status, files};
use crate::run_folder::{Existing, InUse, Refusal, RunDirectory, Setup, Words};
use crate::train::{Control, Observer, Run, Stop, ThreadShare};
use anyhow::Result;
use rows::{done, row};
use std::ops::ControlFlow;
use std::path::Path;
use table::{Place, Rows};

/// A comparison in its folder.
pub struct Comparison {
    plan: Plan,
    place: Place,
    table: Rows,
    /// Whether what exists is replaced.
    replaces: bool,
    /// Notes on anything the user may not expect.
    notes: Vec<String>,
}

impl Comparison {
    /// Notes on the state left by earlier invocations, one per line.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// How many runs of the plan this process trains, those that are done included.
    pub fn ours(&self) -> usize {
        self.table.ours()
    }

    /// The rows that decide what follows: of the plan, and what other shards have put into the table.
    ///
    /// # Errors
    /// The table cannot be read.
    pub fn known(&mut self) -> Result<Vec<ComparisonRow>> {
        self.table.known(&self.plan, &self.place.folder)
    }

    /// The number of runs left to train in this process, without those that another one trains.
    pub fn missing(&self) -> usize {
        self.table.missing().len()
    }

    /// Trains the next of the missing runs, several at once, and resumes interrupted ones: of a tuned comparison those of one
    /// study, and of as many further ones as keep all jobs busy; else all, seed by seed. Call it until [`Self::missing`] is 0
    /// and the results determine no longer plan. A run that diverges or fails gets a row,
    /// and the rest continue. If a stop is requested, every run that is being trained is saved and gets a row, and the
    /// reason for the stop is returned.
    ///
    /// # Errors
    /// The folder was moved or deleted, the table cannot be written, or a failed run cannot be reported: the other runs
    /// stop, and are saved. A thread cannot be started.
    pub fn run(&mut self, dataset: &Dataset, training: &Training<'_>) -> Result<Option<Stop>> {
        let Training { scheduler, observer, control, .. } = *training;
        let Self { plan, place, table, .. } = self;
        let missing = plan.next(table.missing(), scheduler.at_once);
        let train = |index: &usize, share: &ThreadShare| {
            let planned = &plan.runs[*index];
            let trained = train(planned, &place.path(planned), &|| place.check(), dataset, share, training);
            // The run's network has been dropped: return its memory to the system, so that the next run starts with as
            // little as the first.
            give_back();
            trained
        };
        let mut record = |index: usize, trained: Result<ComparisonRow>| -> Result<()> {
            let planned = &plan.runs[index];
            // If the comparison's folder was moved or deleted, that is the error to report, not the run's.
            place.check()?;
            let row = match trained {
                Ok(row) => row,
                // It is not this process's to give a row.
                Err(error) if error.is::<InUse>() => {
                    if table.leave(index) {
                        observer.warn(planned, &format!("{error}, which trains it"));
                    }
                    return Ok(());
                }
                Err(error) => {
                    observer.failed(planned, &place.path(planned), &error)?;
                    row(planned, Status::Failed, Results::default())
                }
            };
            let status = row.status;
            table.put(index, row);
            table.write(place)?;
            table.notes.drain(..).for_each(|note| observer.warn(planned, &note));
            if status != Status::Interrupted {
                observer.completed(planned);
            }
            Ok(())
        };
        let starved = |_: &usize, trained: &Result<ComparisonRow>| is_refused_a_thread(trained);
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
        let ran = scheduler.run(&missing, &|| control.stopping().is_some(), &train, &starved, &mut finished);
        let written = table.write_rest(place);
        // The first error is the one that the others follow from.
        ran.and(error.map_or(Ok(()), Err)).and(written)?;
        Ok(control.stopping())
    }

    /// The rows of the finished runs, those of earlier invocations first; of a shard, only its own.
    pub fn rows(&self) -> Vec<ComparisonRow> {
        self.table.all()
    }

    /// The number of planned runs that are over; of a shard, of its own.
    pub fn over(&self) -> usize {
        self.table.over()
    }

    /// The number of planned runs with a row; of a shard, of its own.
    pub fn rows_of_plan(&self) -> usize {
        self.table.rows_of_plan()
    }

    /// The number of runs that still have no row because another process was training them when their turn came.
    pub fn left_to_others(&self) -> usize {
        self.table.left_to_others()
    }

    /// Writes the rows once more, and counts the runs of the plan that are over, whichever process trained them.
    ///
    /// # Errors
    /// The table cannot be written, or other processes do not let go of the folder.
    pub fn progress(&mut self) -> Result<PlanProgress> {
        self.table.write_last(&self.place)
    }

    /// Notes on what was found since the comparison was opened, one per line; each is returned once.
    pub fn late_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.table.notes)
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

    /// `run` is over, and its results written.
    fn completed(&self, run: &PlannedRun);
}

/// How the runs are trained, apart from what they compute.
#[derive(Clone, Copy)]
pub struct Training<'a> {
    pub scheduler: Scheduler,
    pub observer: &'a dyn ComparisonObserver,
    pub control: &'a Control,
    pub every: Option<Every>,
    /// What stays of the weights of runs that are results; nothing of those of others.
    pub keep: Keep,
    /// Also write event files for TensorBoard.
    pub tensorboard: bool,
    /// Wording for the end of a run.
    pub words: Words,
}

/// Trains a run, or takes the results of another process that finished it since the comparison was opened. `in_place`
/// fails if the folder of the comparison, or of its runs, was moved or deleted.
fn train(
    planned: &PlannedRun,
    path: &Path,
    in_place: &dyn Fn() -> Result<()>,
    dataset: &Dataset,
    share: &ThreadShare,
    training: &Training<'_>,
) -> Result<ComparisonRow> {
    let Training { observer, control, every, words, .. } = *training;
    let role = planned.role.as_ref();
    let keep = if Role::is_result(role) { training.keep } else { Keep::None };
    let finished = || -> Result<Option<ComparisonRow>> {
        let row = done(path, planned, dataset)?;
        if row.is_some() {
            observer.warn(planned, "another process finished it in the meantime");
        }
        Ok(row)
    };
    if let Some(row) = finished()? {
        return Ok(row);
    }
    let mut run = Run::new(&planned.config, dataset, share)?.tested(Role::is_result(role));
    let (kernels, threads) = (run.kernels(), share.get());
    let groups = run.group_names();
    let setup = Setup {
        threads,
        kernels,
        every,
        keep: Some(keep),
        tensorboard: training.tensorboard,
        words,
        groups: &groups,
        role,
    };
    let begun = if path.join(files::RUN_JSON).exists() {
        None
    } else {
        // Creating the run would recreate a deleted comparison folder.
        in_place()?;
        begin(path, &planned.config, dataset, &setup)?
    };
    let directory = match begun {
        Some(directory) => directory,
        None => {
            let left = Left::open(path, false, Maker::Comparison)?;
            // Nobody else can finish it now that it is locked.
            if let Some(row) = finished()? {
                return Ok(row);
            }
            let instead = left.instead();
            left.restore(&mut run)?;
            let directory = left.reopen(&setup)?;
            instead.into_iter().for_each(|line| observer.warn(planned, &line));
            directory
        }
    };
    let outcome = directory.one_of_many().record(run, control, &mut *observer.observe(planned, path))?;
    Ok(row(planned, outcome.status, outcome.results))
}

/// Creates the folder of a run that has none; `None` if another process did so in the meantime.
fn begin(path: &Path, config: &RunConfig, dataset: &Dataset, setup: &Setup<'_>) -> Result<Option<RunDirectory>> {
    let create = |existing| RunDirectory::create(path, existing, config, dataset, setup);
    let error = match create(Existing::Refuse) {
        Ok(directory) => return Ok(Some(directory)),
        Err(error) => error,
    };
    match error.downcast_ref() {
        Some(Refusal::Taken { status: Some(_), .. }) => Ok(None),
        // Pieces of a run whose run.json was removed.
        Some(Refusal::Taken { status: None, .. }) => create(Existing::Replace).map(Some),
        _ => Err(error),
    }
}
