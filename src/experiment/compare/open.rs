//! Opens the folder of a comparison: what is in it, what of the plan is done, and whether the two go together.

use super::Comparison;
use super::error::ComparisonError;
use super::plan::{Plan, meaning_of};
use super::rows::{belongs, comparable, done, earlier_rows, remove_runs, set_aside};
use super::table::{Place, Rows};
use crate::config::{RunConfig, Shard};
use crate::data::Dataset;
use crate::disk::{OpenFolder, make_own_folder, own_folder};
use crate::experiment::merge::remove_leftover_folders;
use crate::record::{ComparisonRow, OrderError, RunOrder, files, is_table_of};
use crate::run_folder::{Existing, claim_part};
use anyhow::{Result, bail};
use rayon::prelude::*;
use std::collections::HashSet;
use std::path::Path;

/// Enough runs of other shards to find that a shard has other settings than they.
const SAMPLE: usize = 8;

impl<'a> Comparison<'a> {
    /// Opens the folder and finds what is left to train, of all runs or of those of a shard. To replace what exists, a
    /// shard removes its own runs only.
    ///
    /// # Errors
    /// A [`ComparisonError`] for runs of another configuration; [`crate::run_folder::InUse`] if another process trains
    /// some of these runs; a folder that holds something else, or cannot be written.
    pub fn open(
        folder: &Path,
        plan: &'a Plan,
        dataset: &Dataset,
        existing: Existing,
        shard: Option<Shard>,
    ) -> Result<Self> {
        let part = claim_part(folder, shard)?;
        let runs = folder.join(files::RUNS);
        own_folder(&runs)?;
        plan.runs.iter().try_for_each(|run| own_folder(&runs.join(&run.name)))?;
        if shard.is_none() {
            remove_leftover_folders(&runs);
        }
        let (mut table, mut notes) = (Rows::new(plan, shard), Vec::new());
        let replaces = existing == Existing::Replace;
        if !(replaces && shard.is_none()) {
            find_done(&mut table, plan, &runs, dataset, replaces)?;
        }
        if replaces {
            let ours = |name: &str| plan.runs.iter().enumerate().any(|(at, run)| table.is_ours(at) && run.name == name);
            remove_runs(&runs, &|name| shard.is_none() || ours(name))?;
        }
        // What follows writes what all shards write.
        let moment = part.long_moment()?;
        let (recorded, others) = if replaces && shard.is_none() {
            notes.extend(clear(folder)?);
            (None, Vec::new())
        } else {
            (recorded(folder, &mut notes)?, others(folder, plan, dataset, &mut notes)?)
        };
        let earlier = recorded.iter().flat_map(RunOrder::runs).chain(others.iter().map(|row| &row.run));
        let names: Vec<String> = plan.runs.iter().map(|run| run.name.clone()).collect();
        let order = RunOrder::new(earlier.cloned()).ending_with(&names);
        if recorded.is_none_or(|recorded| recorded.runs() != order.runs()) {
            order.write(folder)?;
        }
        // After plan.json, which says whose folder this is, should the process be killed.
        make_own_folder(&runs)?;
        let place = Place { folder: folder.to_path_buf(), part, runs: OpenFolder::new(&runs) };
        if shard.is_none() {
            table.others = others;
            order.sort(&mut table.others);
        }
        table.write_now(&place)?;
        drop(moment);
        Ok(Self { plan, place, table, notes })
    }
}

/// Fills in the rows of the runs of this process that are done, unless it `replaces` them.
///
/// # Errors
/// A run in the place of a planned one, of any shard, has another configuration.
fn find_done(table: &mut Rows, plan: &Plan, runs: &Path, dataset: &Dataset, replaces: bool) -> Result<()> {
    let (ours, others): (Vec<_>, Vec<_>) = plan.runs.iter().enumerate().partition(|(index, _)| table.is_ours(*index));
    let mut sampled = 0;
    for (_, run) in others {
        if sampled == SAMPLE {
            break;
        }
        sampled += usize::from(belongs(&runs.join(&run.name), run, dataset)?);
    }
    if replaces {
        return Ok(());
    }
    // Small files: most of the time goes to the system, which serves several threads at once. Collected before looking
    // for errors, so that the first one in plan order is reported.
    let found: Vec<_> = ours.into_par_iter().map(|(at, run)| (at, done(&runs.join(&run.name), run, dataset))).collect();
    for (index, row) in found {
        row?.into_iter().for_each(|row| table.put(index, row));
    }
    Ok(())
}

/// Sets aside what is not ours of the files to be replaced, and says so.
fn clear(folder: &Path) -> Result<Vec<String>> {
    let (table, plan) = (folder.join(files::COMPARISON_CSV), folder.join(files::PLAN_JSON));
    let mut notes = Vec::new();
    if table.exists() && !is_table_of::<ComparisonRow>(&table) {
        notes.push(set_aside(&table)?);
    }
    if matches!(RunOrder::read(folder), Err(OrderError::Damaged(_))) {
        notes.push(set_aside(&plan)?);
    }
    Ok(notes)
}

/// The recorded order of the runs, if any. A damaged one is set aside: the order of the table does instead.
///
/// # Errors
/// [`OrderError::Newer`].
pub(super) fn recorded(folder: &Path, notes: &mut Vec<String>) -> Result<Option<RunOrder>> {
    match RunOrder::read(folder) {
        Ok(order) => Ok(order),
        Err(OrderError::Damaged(error)) => {
            notes.push(format!("{error:#}; {}", set_aside(&folder.join(files::PLAN_JSON))?));
            Ok(None)
        }
        Err(newer) => bail!(newer),
    }
}

/// The rows of the table that are not of the plan.
///
/// # Errors
/// A [`ComparisonError`]: they cannot share a table with the plan.
fn others(folder: &Path, plan: &Plan, dataset: &Dataset, notes: &mut Vec<String>) -> Result<Vec<ComparisonRow>> {
    let rows = earlier_rows(&folder.join(files::COMPARISON_CSV), &folder.join(files::RUNS), notes)?;
    let others = unplanned(rows, plan);
    check_others(folder, &others, plan, dataset)?;
    Ok(others)
}

/// Those of `rows` that are not of the plan.
pub(super) fn unplanned(mut rows: Vec<ComparisonRow>, plan: &Plan) -> Vec<ComparisonRow> {
    let planned: HashSet<&str> = plan.runs.iter().map(|run| run.name.as_str()).collect();
    rows.retain(|row| !planned.contains(row.run.as_str()));
    rows
}

/// Whether rows that are not of the plan may share a table with it. Read-only.
///
/// # Errors
/// As [`others`].
pub(super) fn check_others(folder: &Path, others: &[ComparisonRow], plan: &Plan, dataset: &Dataset) -> Result<()> {
    if others.is_empty() {
        return Ok(());
    }
    let table = folder.join(files::COMPARISON_CSV);
    let meanings = plan.meanings();
    let check = |other: &ComparisonRow| -> Result<()> {
        let Some(path) = other.folder(folder) else {
            bail!(ComparisonError::NotItsFolder { table: table.clone(), run: other.run.clone() });
        };
        comparable(&path, &plan.runs[0].config, dataset)?;
        if let Some(run) = meaning_of(other).and_then(|meaning| meanings.get(&(other.seed, meaning))) {
            let RunConfig { optimizer, schedule, .. } = run.config.clone();
            let earlier = format!("{}/{}", other.optimizer, other.schedule);
            bail!(ComparisonError::SameRun { folder: folder.to_path_buf(), optimizer, schedule, earlier });
        }
        Ok(())
    };
    let checked: Vec<Result<()>> = others.par_iter().map(check).collect();
    checked.into_iter().collect::<Result<()>>()?;
    if let Some(other) = others.iter().find(|row| row.epochs != plan.runs[0].config.epochs) {
        bail!(ComparisonError::OtherLength { folder: folder.to_path_buf(), epochs: other.epochs });
    }
    Ok(())
}
