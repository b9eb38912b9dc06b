//! What the plan of a comparison says, and how far the comparison is by it.

use super::{LoadedRun, settings};
use crate::config::SettingValues;
use crate::number::grouped;
use crate::record::{OrderError, PlannedBy, RunOrder, files};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// `53 of 1,215 runs`; `53 of at least 404 runs` where more may follow from those.
pub(super) fn of_runs(done: usize, total: usize, is_exact: bool) -> String {
    let least = if is_exact { "" } else { "at least " };
    format!("{} of {least}{} runs", grouped(done as u64), grouped(total as u64))
}

/// What the plan of a comparison says; its shards in folders of their own are one.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    order: RunOrder,
    /// What its runs have in common: another comparison may have the same plan.
    of: (SettingValues, Option<String>, u64),
    /// The names of the runs that are over.
    pub(super) over: BTreeSet<String>,
    /// Whether more runs follow from those that are done, so that each shard knows the names of its own alone.
    in_stages: bool,
    /// The comparison's folder.
    pub(super) folder: PathBuf,
}

impl Planned {
    /// `None` without a plan: the table is all that is known.
    ///
    /// # Errors
    /// A plan that cannot be read.
    pub(super) fn of(comparison: &Path, runs: &[&LoadedRun]) -> Result<Option<Self>, OrderError> {
        let Some(order) = RunOrder::read(comparison)? else { return Ok(None) };
        let name = |run: &&LoadedRun| Some(Path::new(&run.row.run).file_name()?.to_string_lossy().into_owned());
        let over = runs.iter().copied().filter(|run| run.row.status.is_over()).filter_map(|run| name(&run));
        let over = over.filter(|run| !order.unplanned().contains(run)).collect();
        let of = runs.first().map(|run| settings::of_problem(run)).unwrap_or_default();
        let in_stages = runs.iter().any(|run| run.row.role.is_some());
        Ok(Some(Self { order, of, over, in_stages, folder: comparison.to_path_buf() }))
    }

    /// Whether it is another shard of the same comparison, or the same folder again.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        if (self.order.total(), &self.of, self.in_stages) != (other.order.total(), &other.of, other.in_stages) {
            return false;
        }
        if !self.in_stages {
            return self.order.runs() == other.order.runs();
        }
        // Second looks and finals are at points of the trials, which every shard knows. A long name ends in a digest instead of its seed.
        let points = |one: &Self| -> BTreeSet<String> {
            one.order.runs().iter().filter_map(|run| Some(run.rsplit_once("_seed=")?.0.to_string())).collect()
        };
        points(self) == points(other)
    }

    /// The command that planned it; empty if it does not say.
    pub const fn planned_by(&self) -> &PlannedBy {
        self.order.planned_by()
    }

    /// `53 of 1,215 runs`
    pub fn progress(&self) -> String {
        of_runs(self.done(), self.total(), self.is_exact())
    }

    pub fn done(&self) -> usize {
        self.over.len()
    }

    pub fn total(&self) -> usize {
        self.order.total().unwrap_or(0).max(self.order.runs().len())
    }

    /// [`Self::total`] is known; else it is that of the runs which have a name.
    pub const fn is_exact(&self) -> bool {
        self.order.total().is_some()
    }

    pub fn is_complete(&self) -> bool {
        self.done() >= self.total()
    }

    /// How many runs its command has yet to train, without those that other commands began.
    pub fn left(&self) -> usize {
        let others = self.order.others();
        let over = others.iter().filter(|run| self.over.contains(*run)).count();
        self.total().saturating_sub(others.len()).saturating_sub(self.done() - over)
    }

    /// Whether another command began the run in this folder, so that its command does not train it.
    pub fn leaves_alone(&self, run: &Path) -> bool {
        let Some(name) = run.file_name().and_then(|name| name.to_str()) else { return false };
        let is_it = || {
            let ours = self.folder.join(files::RUNS).join(name);
            ours == run || ours.canonicalize().ok().is_some_and(|ours| run.canonicalize().is_ok_and(|run| ours == run))
        };
        self.order.others().iter().any(|other| other == name) && is_it()
    }

    /// What its entrants are compared with.
    pub fn baseline(&self) -> Option<&str> {
        self.order.baseline()
    }
}
