//! Tells tuned and screened comparisons apart: the same study of two of them had other seeds or other points.

use super::LoadedRun;
use crate::record::{Role, Stage, files};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What all runs of a comparison agree on, also when its shards lie in folders of their own.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fact<'a> {
    /// The seed of the trials of a study.
    TrialSeed(u64),
    /// The rate of a trial of an entrant in a study.
    Rate(&'a str, u64, u64),
    /// Whether a seed screens or judges.
    Screens(u64),
    /// The study that a seed screens or judges in.
    StudyOf(u64),
}

type Facts<'a> = BTreeMap<Fact<'a>, BTreeSet<u64>>;

/// For each run of a tuned or screened comparison the folder of that comparison, if there are several; else `None`. Folders
/// that contradict each other in nothing are one comparison. The order of the runs does not matter.
pub(super) fn of_runs(runs: &[LoadedRun]) -> Vec<Option<String>> {
    let (names, places) = found(runs);
    let names = without_common(names);
    let name = |run: &LoadedRun| Some(names[*places.get(&folder(run)).filter(|_| run.row.role.is_some())?].clone());
    runs.iter().map(|run| name(run).filter(|_| names.len() > 1)).collect()
}

/// Which tuned or screened comparison each folder is of: the same number means the same one.
pub(super) fn of_folders(runs: &[LoadedRun]) -> BTreeMap<String, usize> {
    found(runs).1
}

/// The first folder of each comparison, and the comparison of each folder.
fn found(runs: &[LoadedRun]) -> (Vec<String>, BTreeMap<String, usize>) {
    let mut folders: BTreeMap<String, Facts<'_>> = BTreeMap::new();
    for run in runs {
        let Some(role) = &run.row.role else { continue };
        let facts = folders.entry(folder(run)).or_default();
        let (seed, rate) = (run.row.seed, run.row.lr.to_bits());
        for (fact, value) in facts_of(role, seed, rate) {
            facts.entry(fact).or_default().insert(value);
        }
    }
    let mut found: Vec<(String, Facts<'_>)> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for (folder, facts) in folders {
        let agrees =
            |known: &Facts<'_>| facts.iter().all(|(fact, values)| known.get(fact).is_none_or(|own| own == values));
        let place = found.iter().position(|(_, known)| agrees(known)).unwrap_or(found.len());
        match found.get_mut(place) {
            Some((_, known)) => known.extend(facts),
            None => found.push((folder.clone(), facts)),
        }
        places.insert(folder, place);
    }
    (found.into_iter().map(|(name, _)| name).collect(), places)
}

/// The folders as seen from the innermost one that has them all.
fn without_common(names: Vec<String>) -> Vec<String> {
    let outer = names.first().and_then(|name| Path::new(name).parent()).map(Path::to_path_buf);
    let mut outer = outer.unwrap_or_default();
    while !names.iter().all(|name| Path::new(name).starts_with(&outer)) && outer.pop() {}
    let inner = |name: &String| Path::new(name).strip_prefix(&outer).map(|rest| rest.display().to_string());
    let short: Vec<String> = names.iter().filter_map(|name| inner(name).ok()).filter(|rest| !rest.is_empty()).collect();
    if short.len() == names.len() { short } else { names }
}

fn facts_of(role: &Role, seed: u64, rate: u64) -> Vec<(Fact<'_>, u64)> {
    match (role.stage, role.study, role.trial) {
        (Stage::Trial, Some(study), Some(trial)) => {
            vec![(Fact::TrialSeed(study), seed), (Fact::Rate(&role.entrant, study, trial), rate)]
        }
        (stage, None, _) => vec![(Fact::Screens(seed), u64::from(stage == Stage::Screening))],
        (Stage::Screening | Stage::Final, Some(study), _) => vec![(Fact::StudyOf(seed), study)],
        _ => Vec::new(),
    }
}

/// Of the comparison that the run lies in.
fn folder(run: &LoadedRun) -> String {
    let own = Path::new(&run.row.run);
    let runs = own.parent().filter(|parent| parent.ends_with(files::RUNS));
    runs.and_then(Path::parent).unwrap_or(own).display().to_string()
}
