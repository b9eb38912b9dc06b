//! The rows of a comparison, from its table and from the folders of its runs.

use super::error::{ComparisonError, Mismatch};
use super::plan::{PlannedRun, name};
use crate::config::settings::tells_apart;
use crate::config::{RunConfig, SettingValues};
use crate::data::Dataset;
use crate::disk;
use crate::experiment::resume::{DamagedRun, Maker};
use crate::experiment::tune::StageMismatch;
use crate::record::{
    ComparisonRow, Contents, RecordedConfig, Results, Role, RunInfo, Status, check_finished, files, read_rows,
};
use crate::run_folder::{Lock, check_removable, checkpoint, remove_run};
use anyhow::{Context, Result, bail};
use std::collections::HashSet;
use std::path::Path;

/// The rows of the table; if it is lost or damaged, rebuilt from the run.json of each run.
///
/// # Errors
/// A table that cannot be read at all, or that lists a run twice.
pub(super) fn earlier_rows(table: &Path, runs: &Path, notes: &mut Vec<String>) -> Result<Vec<ComparisonRow>> {
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
    let rows = rows_of_runs(runs)?;
    let why = damaged.or_else(|| (!rows.is_empty()).then(|| format!("{} is missing", table.display())));
    notes.extend(why.map(|why| format!("{why}; rebuilt from the runs in {}", runs.display())));
    Ok(rows)
}

/// The rows of a table that is lost, from the run.json of each run.
///
/// # Errors
/// The folder cannot be read.
pub(super) fn rows_of_runs(runs: &Path) -> Result<Vec<ComparisonRow>> {
    let mut rows: Vec<ComparisonRow> = Vec::new();
    for entry in runs.read_dir().into_iter().flatten() {
        let entry = entry.with_context(|| format!("cannot read {}", runs.display()))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            rows.extend(row_of(&entry.path()));
        }
    }
    rows.sort_by(|a, b| a.run.cmp(&b.run));
    Ok(rows)
}

/// The row of a run known only from its folder; `None` if no comparison made it, or if it never ended.
fn row_of(path: &Path) -> Option<ComparisonRow> {
    let info = RunInfo::read(&path.join(files::RUN_JSON)).ok()?;
    ended_row(&planned_of(&info, path.file_name()?.to_str()?)?, &info)
}

/// The run as a plan has it, if a comparison of this version would make it in a folder of this name.
pub(in crate::experiment) fn planned_of(info: &RunInfo, folder_name: &str) -> Option<PlannedRun> {
    let config = info.config.known().ok().filter(|config| name(config) == folder_name)?;
    Some(PlannedRun { name: folder_name.to_string(), config, role: info.role.clone() })
}

/// The row of a run by its run.json; `None` if it never ended.
pub(in crate::experiment) fn ended_row(planned: &PlannedRun, info: &RunInfo) -> Option<ComparisonRow> {
    let status = info.standing.status;
    (status != Status::Running).then(|| row(planned, status, info.results.clone()))
}

/// Renames a damaged file so that it can be replaced without losing its contents. Reports the new name.
pub(in crate::experiment) fn set_aside(file: &Path) -> Result<String> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let place = |number: u32| file.with_file_name(format!("{name}.damaged-{number}"));
    let free = (1..).map(place).find(|place| place.symlink_metadata().is_err()).expect("some number is free");
    std::fs::rename(file, &free).with_context(|| format!("cannot rename {}", file.display()))?;
    Ok(format!("{} was renamed to {}", file.display(), free.display()))
}

/// # Errors
/// A run has two rows.
pub(in crate::experiment) fn check_unique(table: &Path, rows: &[ComparisonRow]) -> Result<()> {
    let mut names = HashSet::new();
    match rows.iter().position(|row| !names.insert(&row.run)) {
        Some(at) => {
            bail!("{}: row {}: the run `{}` has a row already", table.display(), at + 1, rows[at].run.escape_debug())
        }
        None => Ok(()),
    }
}

/// Removes the runs whose names are `wanted`, but no other files in their folders. Returns how many there were.
///
/// # Errors
/// A run is in use (then none is removed), or cannot be removed.
pub(super) fn remove_runs(folder: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<usize> {
    let Ok(entries) = folder.read_dir() else { return Ok(0) };
    let mut runs = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
        if !wanted(&entry.file_name().to_string_lossy()) {
            continue;
        }
        // The target of a link is not ours.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) && Contents::of(&entry.path())?.run {
            checkpoint::own(&entry.path())?;
            runs.push((Lock::take(&entry.path())?, entry.path()));
            check_removable(&entry.path())?;
        }
    }
    let count = runs.len();
    for (lock, path) in runs {
        remove_run(&path)?;
        drop(lock);
        // Only if nothing else is in it.
        let _ = std::fs::remove_dir(&path);
    }
    Ok(count)
}

/// The row of an already finished run, or `None` if it has yet to be trained.
pub(super) fn done(path: &Path, planned: &PlannedRun, dataset: &Dataset) -> Result<Option<ComparisonRow>> {
    let file = path.join(files::RUN_JSON);
    if !file.exists() {
        return Ok(None);
    }
    let info = RunInfo::read(&file).map_err(|error| DamagedRun::of(path, error, Maker::Comparison))?;
    check_same(path, &info, planned, dataset)?;
    if let Some(change) = info.changes.first() {
        bail!(ComparisonError::Changed { run: path.to_path_buf(), change: change.clone() });
    }
    let done = info.standing.status.is_over();
    if done {
        check_finished(path, &info).map_err(|error| DamagedRun::of(path, error, Maker::Comparison))?;
    }
    // With as many finalists as it was trained for.
    let trained = PlannedRun { role: info.role, ..planned.clone() };
    Ok(done.then(|| row(&trained, info.standing.status, info.results)))
}

/// Whether there is a run of another shard, which may be in training.
///
/// # Errors
/// It has other settings, or other images.
pub(super) fn belongs(path: &Path, planned: &PlannedRun, dataset: &Dataset) -> Result<bool> {
    // What cannot be read is reported by the shard that it belongs to.
    let Ok(info) = RunInfo::read(&path.join(files::RUN_JSON)) else { return Ok(false) };
    check_same(path, &info, planned, dataset)?;
    Ok(true)
}

/// # Errors
/// The run in `path` is not the planned one.
fn check_same(path: &Path, info: &RunInfo, planned: &PlannedRun, dataset: &Dataset) -> Result<()> {
    let run = path.to_path_buf();
    if info.config != RecordedConfig::from(&planned.config) {
        let (before, now) = (info.config.settings(), planned.config.settings());
        bail!(ComparisonError::OtherConfig { run, before, now });
    }
    if info.provenance.dataset.digest != dataset.digest() {
        bail!(ComparisonError::OtherImages { run });
    }
    if let (Some(before), Some(now)) = (&info.role, &planned.role)
        && !before.is_same_part(now)
        && before.entrant == now.entrant
        && before.stage == now.stage
    {
        let (entrant, study) = (before.entrant.clone(), before.study.unwrap_or(0));
        let mismatch = StageMismatch::OtherPoints { entrant, study, trial: before.trial.unwrap_or(0) };
        bail!(ComparisonError::OtherStages { folder: run, mismatch });
    }
    let is_same = match (&info.role, &planned.role) {
        (Some(before), Some(now)) => before.is_same_part(now),
        (before, now) => before == now,
    };
    if !is_same {
        bail!(ComparisonError::OtherRole { run, before: info.role.clone(), now: planned.role.clone() });
    }
    let finalists = |role: &Option<Role>| role.as_ref().and_then(|role| role.finalists);
    StageMismatch::check_finalists(finalists(&info.role), finalists(&planned.role))
        .map_err(|mismatch| ComparisonError::OtherStages { folder: path.to_path_buf(), mismatch })?;
    Ok(())
}

/// Whether an earlier run outside the plan may share a table with the planned runs. One with nothing left but its row
/// may.
pub(super) fn comparable(path: &Path, config: &RunConfig, dataset: &Dataset) -> Result<()> {
    let file = path.join(files::RUN_JSON);
    if !file.exists() {
        return Ok(());
    }
    let info = RunInfo::read(&file).map_err(|error| DamagedRun::of(path, error, Maker::Comparison))?;
    if info.standing.status.is_over() {
        check_finished(path, &info).map_err(|error| DamagedRun::of(path, error, Maker::Comparison))?;
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

pub(super) fn row(planned: &PlannedRun, status: Status, mut results: Results) -> ComparisonRow {
    if status == Status::Diverged {
        // JSON has no NaN: a diverged run's NaN values come back as nothing.
        for value in results.of_last_mut() {
            *value = value.or(Some(f64::NAN));
        }
    }
    let row = ComparisonRow::new(&planned.name, &planned.config, status, results);
    ComparisonRow { role: planned.role.clone(), ..row }
}
