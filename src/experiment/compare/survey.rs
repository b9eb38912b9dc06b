//! How far the runs of a plan are, without touching their folder.

use super::open::{check_others, check_sample, names_in, unplanned};
use super::plan::{Plan, PlannedRun};
use super::rows::{check_unique, done, rows_of_runs};
use crate::config::{RunConfig, Shard};
use crate::data::{Dataset, Split};
use crate::disk::own_folder;
use crate::experiment::estimate::Work;
use crate::experiment::tune::Stages;
use crate::record::{ComparisonRow, EpochRow, Holds, OrderError, Role, RunOrder, files, read_good_rows, read_rows};
use crate::run_folder::{Existing, vet};
use anyhow::{Result, bail};
use rayon::prelude::*;
use std::collections::HashSet;
use std::path::Path;

/// What a planned run has left to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Remaining {
    Nothing,
    /// `epochs`: those already trained.
    Work {
        epochs: u64,
        work: Work,
    },
}

impl Plan {
    /// The places of the runs, or of those of a shard, and what each has left to do if the comparison is made in
    /// `folder`. Read-only.
    ///
    /// # Errors
    /// As [`Comparison::open`](super::Comparison::open), as far as it concerns the folder and the planned runs.
    pub fn survey(
        &self,
        folder: &Path,
        dataset: &Dataset,
        existing: Existing,
        shard: Option<Shard>,
    ) -> Result<Vec<(usize, Remaining)>> {
        vet(folder, Existing::Replace, Holds::Comparison, &[])?;
        let runs = folder.join(files::RUNS);
        own_folder(&runs)?;
        let there = names_in(&runs)?;
        if existing == Existing::Refuse || shard.is_some() {
            check_sample(self, shard, &runs, &there, dataset)?;
            if let Err(newer @ OrderError::Newer { .. }) = RunOrder::read(folder) {
                bail!(newer);
            }
            check_others(folder, &unplanned(earlier(folder, &runs)?, self), self, dataset)?;
        }
        // The runs of a comparison share their images.
        let RunConfig { validation, train_limit, .. } = self.runs[0].config;
        let split = dataset.split(validation, train_limit)?;
        let is_there = |run: &&PlannedRun| there.contains(&run.name);
        self.runs.iter().filter(is_there).try_for_each(|run| own_folder(&runs.join(&run.name)))?;
        let is_tested = |run: &PlannedRun| Role::is_result(run.role.as_ref());
        let remaining = |run: &PlannedRun| -> Result<Remaining> {
            let path = runs.join(&run.name);
            match existing {
                _ if !there.contains(&run.name) => Ok(Remaining::whole(&run.config, is_tested(run), &split)),
                Existing::Replace => Ok(Remaining::whole(&run.config, is_tested(run), &split)),
                Existing::Refuse => match done(&path, run, dataset)? {
                    Some(_) => Ok(Remaining::Nothing),
                    None => {
                        Ok(Remaining::of(&run.config, is_tested(run), epochs_of(&path).min(run.config.epochs), &split))
                    }
                },
            }
        };
        let ours = self.runs.par_iter().enumerate().filter(|(at, _)| shard.is_none_or(|shard| self.is_of(*at, shard)));
        // Collected before looking for errors, so that the first one in plan order is reported.
        let found: Vec<Result<_>> = ours.map(|(at, run)| Ok((at, remaining(run)?))).collect();
        found.into_iter().collect()
    }
}

impl Stages {
    /// The runs that those in `folder` determine, and how many more of it are over, of which some may follow again. Read-only.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn plan_in(&self, folder: &Path, existing: Existing) -> Result<(Plan, usize)> {
        let mut plan = self.plan(&[]);
        if existing == Existing::Replace {
            return Ok((plan, 0));
        }
        let rows = rows_of_runs(&folder.join(files::RUNS))?;
        loop {
            let names: HashSet<&str> = plan.runs.iter().map(|run| run.name.as_str()).collect();
            let planned = rows.iter().filter(|row| names.contains(row.run.as_str())).cloned();
            let longer = self.plan(&planned.collect::<Vec<_>>());
            if longer.runs.len() <= plan.runs.len() {
                let entrants: HashSet<&str> = plan.entrants().collect();
                let is_ours =
                    |row: &&ComparisonRow| row.role.as_ref().is_some_and(|role| entrants.contains(&*role.entrant));
                let others = rows.iter().filter(is_ours).filter(|row| !names.contains(row.run.as_str()));
                let over = others.filter(|row| row.status.is_over()).count();
                return Ok((plan, over));
            }
            plan = longer;
        }
    }
}

impl Remaining {
    /// All of a run with these settings, which may be tested.
    pub fn whole(config: &RunConfig, is_tested: bool, split: &Split) -> Self {
        Self::of(config, is_tested, 0, split)
    }

    /// What is left, if anything.
    pub fn work(&self) -> Option<&Work> {
        match self {
            Self::Nothing => None,
            Self::Work { work, .. } => Some(work),
        }
    }

    /// After the first `epochs` epochs of a run.
    fn of(config: &RunConfig, is_tested: bool, epochs: u64, split: &Split) -> Self {
        let left = config.epochs - epochs;
        let images = |count: usize| left.saturating_mul(count as u64);
        let shown = config.images_per_epoch(split.train.len()).unwrap_or(split.train.len() as u64);
        let work = Work {
            optimizer: config.optimizer.clone(),
            trained: left.saturating_mul(shown),
            evaluated: images(split.validation.len()).saturating_add(if is_tested {
                (split.test.len() * config.tta.views().len()) as u64
            } else {
                0
            }),
        };
        Self::Work { epochs, work }
    }
}

/// The rows of the table as `Comparison::open` would have them: a damaged one would be rebuilt.
fn earlier(folder: &Path, runs: &Path) -> Result<Vec<ComparisonRow>> {
    let table = folder.join(files::COMPARISON_CSV);
    match read_rows(&table) {
        Ok(rows) => check_unique(&table, &rows).map(|()| rows),
        Err(_) => rows_of_runs(runs),
    }
}

/// The epochs that the run in `path` has completed.
fn epochs_of(path: &Path) -> u64 {
    if !path.join(files::RUN_JSON).exists() {
        return 0;
    }
    read_good_rows::<EpochRow>(&path.join(files::METRICS_CSV)).0.len() as u64
}
