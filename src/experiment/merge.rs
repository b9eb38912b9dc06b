//! Puts comparisons together that were made apart: the shards of one, each in a folder of its own, or in one they shared.

mod copy;
mod error;
mod source;

pub use error::MergeError;
use error::of_target;

use super::compare::{ComparisonError, meaning_of};
use super::resume::{DamagedRun, Maker};
use super::tune::Made;
use crate::config::settings::tells_apart;
use crate::config::{RunConfig, SettingValues};
use crate::disk::{make_own_folder, own_folder};
use crate::record::{ComparisonRow, Contents, Role, RunOrder, check_finished, files, write_rows};
use crate::report::analysis::find_baseline;
use crate::run_folder::{Part, claim_part};
use anyhow::{Result, bail};
use copy::copy_run;
pub(super) use copy::remove_leftover_folders;
use source::{Found, Source};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// What was put together.
pub struct Merged {
    /// In the order of the plan.
    pub rows: Vec<ComparisonRow>,
    /// The planned runs that are not over, and have no row.
    pub missing: Vec<String>,
    /// Notes on anything the user may not expect.
    pub notes: Vec<String>,
    /// The config of one of the runs, if this version can read any.
    pub config: Option<RunConfig>,
    /// Keeps other processes out of the folder.
    _part: Part,
}

/// Copies the runs of the comparisons in `folders` into the one in `out`, which may be new, may be one of them, and may
/// have runs of its own. Nothing is copied unless all go together, and have an entrant by the name of the `baseline`.
///
/// # Errors
/// A [`MergeError`]; no entrant, or several, go by the name of the baseline; [`crate::run_folder::InUse`] for a comparison or a run that a process is training; a damaged run;
/// a folder that cannot be read or written.
pub fn merge(folders: &[PathBuf], out: &Path, baseline: Option<&str>) -> Result<Merged> {
    folders.iter().try_for_each(|folder| source::check(folder))?;
    check_outside(out, folders)?;
    let part = claim_part(out, None, &|| false).map_err(of_target)?;
    let runs = out.join(files::RUNS);
    own_folder(&runs)?;
    let mut notes = Vec::new();
    let sources = read_all(folders, out, &mut notes)?;
    check_stages(&sources.iter().flat_map(|source| &source.runs).collect::<Vec<_>>())?;
    let chosen = choose(&sources)?;
    check_together(&chosen)?;
    if let Some(baseline) = baseline {
        let rows: Vec<ComparisonRow> = chosen.iter().filter_map(|found| found.row_so_far()).collect();
        find_baseline(baseline, &rows)?;
    }
    for damaged in sources.iter().flat_map(|source| &source.damaged) {
        notes.push(damaged.set_aside()?);
    }

    // Where nothing tells a dead process from a living one, another merge may be copying into them.
    if part.protects() {
        remove_leftover_folders(&runs);
    }
    let is_new = Contents::of(out)?.is_free();
    let order = RunOrder::new(sources.iter().flat_map(|source| source.order.iter().cloned()));
    let order = by_role(&order, &chosen).against(baseline);
    let order = match one_plan(&sources) {
        Some(plan) => order.of_plan(plan),
        None => order,
    };
    // First, because it says whose folder this is, should the process be killed.
    order.write(out)?;
    make_own_folder(&runs)?;
    for found in chosen.iter().filter(|found| found.comparison != out) {
        // Runs that are whole stay: the next merge finds them.
        copy_run(found, &runs).inspect_err(|_| {
            if is_new && std::fs::remove_dir(&runs).is_ok() {
                let _ = std::fs::remove_file(out.join(files::PLAN_JSON));
            }
        })?;
    }
    let mut rows: Vec<ComparisonRow> = chosen.iter().filter_map(|found| found.row.clone()).collect();
    order.sort(&mut rows);
    part.folder().check()?;
    write_rows(&out.join(files::COMPARISON_CSV), &rows)?;
    let config = chosen.iter().find_map(|found| found.info.as_ref()?.config.known().ok());
    let with_row: HashSet<&String> = rows.iter().map(|row| &row.run).collect();
    let missing = order.runs().iter().filter(|run| !with_row.contains(run)).cloned().collect();
    Ok(Merged { rows, missing, notes, config, _part: part })
}

/// The plan that all with runs have, if that is one; shards of a tuning know the names of their own runs alone.
fn one_plan(sources: &[Source]) -> Option<&RunOrder> {
    // The folder that is merged into may be new.
    let mut plans = sources.iter().filter(|source| !source.runs.is_empty()).map(|source| source.plan.as_ref());
    let first = plans.next()??;
    plans.all(|plan| plan.is_some_and(|plan| plan.is_like(first))).then_some(first)
}

/// The order in which one process would have planned the runs of a tuned or screened comparison: by entrant, study, stage
/// and trial. Others stay where they are.
fn by_role(order: &RunOrder, chosen: &[&Found]) -> RunOrder {
    let roles: HashMap<&str, (&Role, u64)> =
        chosen.iter().filter_map(|found| Some((found.name.as_str(), found.role()?))).collect();
    let mut entrants: HashMap<&str, usize> = HashMap::new();
    for (role, _) in order.runs().iter().filter_map(|run| roles.get(run.as_str())) {
        let next = entrants.len();
        entrants.entry(&role.entrant).or_insert(next);
    }
    let mut runs = order.runs().to_vec();
    runs.sort_by_key(|run| {
        let (role, seed) = roles.get(run.as_str())?;
        Some((entrants[role.entrant.as_str()], role.study, role.stage, role.trial, *seed))
    });
    RunOrder::new(runs)
}

/// # Errors
/// [`MergeError::Inside`]: `out` would be made inside one of `folders`.
fn check_outside(out: &Path, folders: &[PathBuf]) -> Result<()> {
    let place = place_of(out);
    for folder in folders {
        let input = place_of(folder);
        if place != input && place.starts_with(&input) {
            bail!(MergeError::Inside { out: out.to_path_buf(), input: folder.clone() });
        }
    }
    Ok(())
}

/// The absolute path of a folder that may not exist yet, with the links of the part that does resolved.
fn place_of(path: &Path) -> PathBuf {
    let here = |path: &Path| if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_path_buf() };
    let existing = |above: &Path| Some(here(above).canonicalize().ok()?.join(path.strip_prefix(above).ok()?));
    path.ancestors().find_map(existing).unwrap_or_else(|| path.to_path_buf())
}

/// The comparison in `out`, if there is one, and those in `folders`, each once.
fn read_all(folders: &[PathBuf], out: &Path, notes: &mut Vec<String>) -> Result<Vec<Source>> {
    let mut places = Vec::new();
    let mut sources = Vec::new();
    for folder in std::iter::once(out).chain(folders.iter().map(PathBuf::as_path)) {
        let place = place_of(folder);
        if !places.contains(&place) {
            places.push(place);
            sources.push(Source::read(folder, folder == out, notes)?);
        }
    }
    Ok(sources)
}

/// One of each run: the first that is over, or else the one that got furthest.
///
/// # Errors
/// Two runs of one name have other settings or other images; [`MergeError::OtherResults`]: two that are over differ.
fn choose(sources: &[Source]) -> Result<Vec<&Found>> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut chosen: Vec<&Found> = Vec::new();
    for found in sources.iter().flat_map(|source| &source.runs) {
        let Some(place) = places.get(found.name.as_str()) else {
            places.insert(&found.name, chosen.len());
            chosen.push(found);
            continue;
        };
        let first = &mut chosen[*place];
        check_same(first, found)?;
        if let Some(what) = first.differs(found) {
            bail!(MergeError::OtherResults { first: first.path(), second: found.path(), what });
        }
        if found.rank() > first.rank() {
            *first = found;
        }
    }
    Ok(chosen)
}

/// # Errors
/// Two runs of one name were made from other settings or other images, however far they got.
fn check_same(first: &Found, second: &Found) -> Result<()> {
    let Some((before, now)) = first.info.as_ref().zip(second.info.as_ref()) else { return Ok(()) };
    let paths = || (first.path(), second.path());
    if before.config.settings() != now.config.settings() {
        let ((first, second), (before, now)) = (paths(), (before.config.settings(), now.config.settings()));
        bail!(MergeError::OtherSettings { first, second, before, now });
    }
    if before.provenance.dataset.digest != now.provenance.dataset.digest {
        let (first, second) = paths();
        bail!(MergeError::OtherImages { first, second });
    }
    Ok(())
}

/// # Errors
/// [`MergeError::OtherStages`]: some runs have a part in a tuned or screened comparison, and others none, or in another one.
fn check_stages(found: &[&Found]) -> Result<()> {
    let made = |found: &Found| found.role().map(|(role, seed)| Made::of(role, seed));
    let Some((first, rest)) = found.split_first() else { return Ok(()) };
    let mut told = made(first);
    for other in rest {
        told = match (told, made(other)) {
            (None, None) => None,
            (Some(before), Some(now)) if before.with(now).is_some() => before.with(now),
            _ => bail!(MergeError::OtherStages { first: first.path(), second: other.path() }),
        };
    }
    Ok(())
}

/// # Errors
/// Runs that cannot share a table, or that are the same under two names; a run that is over and damaged.
fn check_together(chosen: &[&Found]) -> Result<()> {
    let known = || chosen.iter().filter_map(|found| Some((*found, found.info.as_ref()?)));
    let shared = |settings: SettingValues| settings.only(tells_apart);
    if let Some((first, reference)) = known().next() {
        let before = shared(reference.config.settings());
        for (found, info) in known() {
            let now = shared(info.config.settings());
            if now != before {
                bail!(MergeError::OtherSettings { first: first.path(), second: found.path(), before, now });
            }
            if info.provenance.dataset.digest != reference.provenance.dataset.digest {
                bail!(MergeError::OtherImages { first: first.path(), second: found.path() });
            }
            if let Some(change) = info.changes.first() {
                bail!(MergeError::Unfit(ComparisonError::Changed { run: found.path(), change: change.clone() }));
            }
            if info.standing.status.is_over() {
                check_finished(&found.path(), info)
                    .map_err(|error| DamagedRun::of(&found.path(), error, Maker::Comparison))?;
            }
        }
    }
    let rows = || chosen.iter().filter_map(|found| Some((*found, found.row.as_ref()?)));
    let mut parts = HashMap::new();
    for (found, part) in chosen.iter().filter_map(|found| Some((found, found.role()?))) {
        let (Role { entrant, stage, study, trial, finalists: _ }, seed) = part;
        if let Some(first) = parts.insert((entrant, stage, study, trial, seed), found) {
            bail!(MergeError::OtherTuning { first: first.path(), second: found.path() });
        }
    }
    let mut meanings = HashMap::new();
    for (found, row) in rows() {
        if let Some((first, _)) = rows().next().filter(|(_, first)| first.epochs != row.epochs) {
            let lengths = (first.row.as_ref().map_or(0, |row| row.epochs), row.epochs);
            bail!(MergeError::OtherLength { first: first.path(), second: found.path(), lengths });
        }
        let meaning = meaning_of(row).map(|meaning| (meaning, row.seed));
        if let Some(first) = meaning.and_then(|meaning| meanings.insert(meaning, found)) {
            bail!(MergeError::SameRun { first: first.path(), second: found.path() });
        }
    }
    Ok(())
}
