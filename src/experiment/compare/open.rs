//! Opens the folder of a comparison: what is in it, what of the plan is done, and whether the two go together.

use super::Comparison;
use super::error::ComparisonError;
use super::plan::{Plan, PlannedRun, meaning_of};
use super::rows::{belongs, comparable, done, earlier_rows, remove_runs, set_aside};
use super::table::{Place, Rows};
use crate::config::{RunConfig, Shard};
use crate::data::Dataset;
use crate::disk::{OpenFolder, make_own_folder, own_folder};
use crate::experiment::merge::remove_leftover_folders;
use crate::experiment::tune::StageMismatch;
use crate::number::counted;
use crate::record::{ComparisonRow, OrderError, PlannedBy, RunInfo, RunOrder, files, is_table_of};
use crate::run_folder::{Existing, claim_part};
use anyhow::{Context as _, Result, bail};
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
use std::fs::DirEntry;
use std::path::Path;

/// Enough runs of other shards to find that a shard has other settings than they.
const SAMPLE: usize = 8;

impl Comparison {
    /// Opens the folder and finds what is left to train, of all runs or of those of a shard. To replace what exists, a
    /// shard removes its own runs only.
    ///
    /// `baseline`: what the entrants are compared with, which is recorded for reports. `stopping`: whether to give up where
    /// it waits for other shards.
    ///
    /// # Errors
    /// A [`ComparisonError`] for runs of another configuration; [`crate::run_folder::InUse`] if another process trains
    /// some of these runs, or `stopping`; a folder that holds something else, or cannot be written.
    pub fn open(
        folder: &Path,
        plan: Plan,
        dataset: &Dataset,
        existing: Existing,
        shard: Option<Shard>,
        baseline: Option<&str>,
        stopping: &dyn Fn() -> bool,
    ) -> Result<Self> {
        let part = claim_part(folder, shard, stopping)?;
        let runs = folder.join(files::RUNS);
        own_folder(&runs)?;
        let there = names_in(&runs)?;
        let is_there = |run: &&PlannedRun| there.contains(&run.name);
        plan.runs.iter().filter(is_there).try_for_each(|run| own_folder(&runs.join(&run.name)))?;
        if shard.is_none() && part.protects() {
            remove_leftover_folders(&runs);
        }
        let (mut table, mut notes) = (Rows::new(&plan, shard), Vec::new());
        let replaces = existing == Existing::Replace;
        let replaces_all = replaces && shard.is_none();
        if !replaces_all {
            check_sample(&plan, shard, &runs, &there, dataset)?;
        }
        if !replaces {
            find_done(&mut table, &plan, &runs, &there, dataset)?;
        }
        // What follows writes what all shards write.
        let moment = part.moment_to_begin(stopping)?;
        let (recorded, others) = match replaces_all {
            true => (None, Vec::new()),
            false => (recorded(folder, &mut notes)?, others(folder, &plan, dataset, &mut notes)?),
        };
        // All is checked: nothing is removed before.
        if replaces {
            let planned = plan.runs.iter().enumerate().filter(|(at, _)| table.is_ours(*at));
            let ours: HashSet<&str> = planned.map(|(_, run)| run.name.as_str()).collect();
            let removed = remove_runs(&runs, &|name| shard.is_none() || ours.contains(name))?;
            if removed > 0 {
                notes.push(format!("removed {} from {}", counted(removed as u64, "earlier run"), runs.display()));
            }
        }
        if replaces_all {
            notes.extend(clear(folder)?);
        }
        // Of a plan that was given up, such as one of too many seeds, only what was begun stays. One of which other shards
        // are being trained is theirs.
        let forgets = shard.is_none() || part.is_alone();
        let stays = |run: &str| !forgets || runs.join(run).join(files::RUN_JSON).is_file();
        let order = order(&plan, recorded.as_ref().map_or(&[], RunOrder::runs), &others, &stays);
        // Shards that are being trained know which runs are of them, if they plan the same.
        let theirs = recorded.as_ref().filter(|recorded| {
            let recorded: HashSet<&str> = recorded.runs().iter().map(String::as_str).collect();
            !forgets && plan.runs.iter().all(|run| recorded.contains(run.name.as_str()))
        });
        let order = counted_in(order, &plan, &others, &runs, theirs);
        let order = order.against(baseline).by(PlannedBy::this_process());
        if differs(recorded.as_ref(), &order) {
            order.write(folder)?;
        }
        // After plan.json, which says whose folder this is, should the process be killed.
        make_own_folder(&runs)?;
        let place = Place { folder: folder.to_path_buf(), part, runs: OpenFolder::new(&runs) };
        if shard.is_none() {
            table.others = others;
            order.sort(&mut table.others);
        }
        // What is said of the table was said when it was read.
        table.write_now(&place, &mut Vec::new())?;
        drop(moment);
        Ok(Self { plan, place, table, replaces, notes })
    }

    /// Goes on with a longer plan, which contains the one before. The folder stays this process's in between.
    ///
    /// `stopping`: whether to give up where it waits for other shards.
    ///
    /// # Errors
    /// As [`Comparison::open`].
    pub fn extend(&mut self, plan: Plan, dataset: &Dataset, stopping: &dyn Fn() -> bool) -> Result<()> {
        let Self { place, table, replaces, .. } = self;
        place.check()?;
        let runs = place.folder.join(files::RUNS);
        let there = names_in(&runs)?;
        let before: HashSet<&str> = self.plan.runs.iter().map(|run| run.name.as_str()).collect();
        let is_new = |run: &&PlannedRun| there.contains(&run.name) && !before.contains(run.name.as_str());
        plan.runs.iter().filter(is_new).try_for_each(|run| own_folder(&runs.join(&run.name)))?;
        let mut longer = std::mem::replace(table, Rows::new(&plan, None)).of_longer(&plan);
        if *replaces {
            let ours = plan.runs.iter().enumerate().filter(|(at, run)| longer.is_ours(*at) && is_new(run));
            let ours: HashSet<&str> = ours.map(|(_, run)| run.name.as_str()).collect();
            remove_runs(&runs, &|name| ours.contains(name))?;
        } else {
            find_done(&mut longer, &plan, &runs, &there, dataset)?;
        }
        *table = longer;
        let moment = place.part.moment_to_begin(stopping)?;
        let mut notes = Vec::new();
        let recorded = recorded(&place.folder, &mut notes)?;
        let order = order(&plan, recorded.as_ref().map_or(&[], RunOrder::runs), &table.others, &|_| true);
        // Which runs of other shards are planned is theirs to say: they have the same total.
        let theirs = recorded.as_ref().filter(|_| table.is_of_shard());
        let order = counted_in(order, &plan, &table.others, &runs, theirs);
        let baseline = recorded.as_ref().and_then(RunOrder::baseline);
        let planned_by = recorded.as_ref().map(|plan| plan.planned_by().clone()).unwrap_or_default();
        let order = order.against(baseline).by(planned_by);
        if differs(recorded.as_ref(), &order) {
            order.write(&place.folder)?;
        }
        order.sort(&mut table.others);
        table.write_now(place, &mut notes)?;
        drop(moment);
        table.notes.extend(notes);
        self.plan = plan;
        Ok(())
    }
}

/// The plan in its order, after what is not of it: the `others` of the table, and what `stays` of the `earlier` runs, in
/// the order of these.
fn order(plan: &Plan, earlier: &[String], others: &[ComparisonRow], stays: &dyn Fn(&str) -> bool) -> RunOrder {
    let names: Vec<String> = plan.runs.iter().map(|run| run.name.clone()).collect();
    // Not looked for on the disk.
    let known: HashSet<&String> = names.iter().chain(others.iter().map(|row| &row.run)).collect();
    let earlier = earlier.iter().filter(|run| known.contains(run) || stays(run));
    RunOrder::new(earlier.chain(others.iter().map(|row| &row.run)).cloned()).ending_with(&names)
}

/// The order with the number of its runs, and with what of them the plan lacks: the runs of other entrants, and of the
/// planned ones those that a later stage may plan; once the last stage is planned, these are stale, and no longer its own.
/// One that has not begun is in neither list, since another shard may have planned it. What other shards recorded stays, as
/// `theirs`.
fn counted_in(
    order: RunOrder,
    plan: &Plan,
    others: &[ComparisonRow],
    runs: &Path,
    theirs: Option<&RunOrder>,
) -> RunOrder {
    let planned: HashSet<&str> = plan.runs.iter().map(|run| run.name.as_str()).collect();
    let is_beside = |run: &&String| !planned.contains(run.as_str());
    if let Some(theirs) = theirs
        && let Some(total) = theirs.total()
    {
        let unplanned = theirs.unplanned().iter().filter(is_beside).cloned().collect();
        return order.of(total).with_others(theirs.others().to_vec(), unplanned);
    }
    let entrants: HashSet<&str> = plan.entrants().collect();
    let rows: HashMap<&str, &ComparisonRow> = others.iter().map(|row| (row.run.as_str(), row)).collect();
    let role = |run: &str| match rows.get(run) {
        Some(row) => Some(row.role.clone()),
        None => RunInfo::read(&runs.join(run).join(files::RUN_JSON)).ok().map(|info| info.role),
    };
    let has_all_stages = plan.runs.len() == plan.total;
    let (mut left, mut unplanned) = (Vec::new(), Vec::new());
    for run in order.runs().iter().filter(is_beside) {
        match role(run) {
            Some(Some(role)) if !has_all_stages && entrants.contains(&*role.entrant) => unplanned.push(run.clone()),
            Some(_) => left.push(run.clone()),
            None => {}
        }
    }
    order.of(plan.total + left.len()).with_others(left, unplanned)
}

/// Whether `order` is not what is recorded, whatever command recorded it.
fn differs(recorded: Option<&RunOrder>, order: &RunOrder) -> bool {
    recorded.is_none_or(|recorded| {
        let is_beside_too = recorded.others() == order.others() && recorded.unplanned() == order.unplanned();
        !recorded.is_like(order) || !is_beside_too
    })
}

/// The names of all that is in the folder of the runs: looking for each of thousands of planned runs would keep a file
/// server busy.
///
/// # Errors
/// The folder cannot be read.
pub(super) fn names_in(runs: &Path) -> Result<HashSet<String>> {
    let cannot_read = || format!("cannot read {}", runs.display());
    let entries = match runs.read_dir() {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(HashSet::new()),
        Err(error) => return Err(error).with_context(cannot_read),
    };
    let name = |entry: std::io::Result<DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
    entries.map(name).collect::<std::io::Result<_>>().with_context(cannot_read)
}

/// Checks a few of the runs of other shards that are `there`.
///
/// # Errors
/// A run in the place of a planned one has another configuration.
pub(super) fn check_sample(
    plan: &Plan,
    shard: Option<Shard>,
    runs: &Path,
    there: &HashSet<String>,
    dataset: &Dataset,
) -> Result<()> {
    let Some(shard) = shard else { return Ok(()) };
    let mut sampled = 0;
    for (at, run) in plan.runs.iter().enumerate() {
        if sampled == SAMPLE {
            break;
        }
        if !plan.is_of(at, shard) && there.contains(&run.name) {
            sampled += usize::from(belongs(&runs.join(&run.name), run, dataset)?);
        }
    }
    Ok(())
}

/// Fills in the rows of the runs of this process that are done.
///
/// # Errors
/// A run in the place of a planned one has another configuration, or is damaged.
fn find_done(table: &mut Rows, plan: &Plan, runs: &Path, there: &HashSet<String>, dataset: &Dataset) -> Result<()> {
    let is_left = |(at, run): &(usize, &PlannedRun)| table.is_ours(*at) && !table.has(*at) && there.contains(&run.name);
    let ours: Vec<_> = plan.runs.iter().enumerate().filter(is_left).collect();
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

/// # Errors
/// A row that is not of the plan was tuned or screened otherwise.
fn check_stages(folder: &Path, others: &[ComparisonRow], plan: &Plan) -> Result<()> {
    let entrants: HashSet<&str> = plan.entrants().collect();
    let check = |other: &ComparisonRow| match &plan.design {
        Some(design) => {
            let is_planned = other.role.as_ref().is_some_and(|role| entrants.contains(role.entrant.as_str()));
            design.check(other, is_planned)
        }
        None if other.role.is_some() => Err(StageMismatch::Staged),
        None => Ok(()),
    };
    match others.iter().try_for_each(check) {
        Ok(()) => Ok(()),
        Err(mismatch) => bail!(ComparisonError::OtherStages { folder: folder.to_path_buf(), mismatch }),
    }
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
    check_stages(folder, others, plan)?;
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
