//! Runs with the same entrant, seed and settings: one of them counts.

use super::super::entrants::identity;
use super::{Loaded, LoadedRun};
use crate::record::Status;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Keeps one of the runs that have the same entrant, seed and settings: a finished one, or the one that got furthest, or
/// the first by its folder. Says of each other what it is, and never that different results are the same run. The order
/// in which they were found does not matter.
pub(super) fn drop_repetitions(loaded: &mut Loaded) {
    let key = |run: &LoadedRun| {
        let row = &run.row;
        let trained = (row.seed, row.epochs, run.images.clone(), run.changed.clone(), row.role.clone());
        (identity(row), row.semantics.name(), row.lr.to_bits(), run.settings.clone(), trained)
    };
    let mut alike: HashMap<_, Vec<usize>> = HashMap::new();
    for (place, run) in loaded.runs.iter().enumerate().filter(|(_, run)| run.row.optimizer != "unknown") {
        alike.entry(key(run)).or_default().push(place);
    }
    let mut complaints = HashMap::new();
    for places in alike.into_values().filter(|places| places.len() > 1) {
        let run = |place: usize| &loaded.runs[place];
        let Some(kept) = places.iter().copied().min_by_key(|&place| rank(run(place))) else { continue };
        let others = places.into_iter().filter(|&place| place != kept);
        complaints.extend(others.map(|place| (place, told(run(place), run(kept)))));
    }
    let mut place = 0;
    loaded.runs.retain(|_| {
        place += 1;
        !complaints.contains_key(&(place - 1))
    });
    let mut complaints: Vec<(usize, String)> = complaints.into_iter().collect();
    complaints.sort_unstable();
    loaded.complaints.extend(complaints.into_iter().map(|(_, complaint)| complaint));
}

/// The lowest is kept.
fn rank(run: &LoadedRun) -> (u8, Reverse<usize>, PathBuf) {
    let status = match run.row.status {
        Status::Finished => 0,
        Status::Diverged => 1,
        Status::Failed | Status::Interrupted | Status::Running => 2,
    };
    let folder = Path::new(&run.row.run);
    (status, Reverse(run.metrics.len()), folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf()))
}

/// Why `run` is left out beside the one that is `kept`.
fn told(run: &LoadedRun, kept: &LoadedRun) -> String {
    let (name, other) = (&run.row.run, &kept.row.run);
    let result = |run: &LoadedRun| {
        let results = &run.row.results;
        [results.val_accuracy, results.test_accuracy, results.loss].map(|value| value.map(f64::to_bits))
    };
    let accuracy = |run: &LoadedRun| {
        run.row.results.val_accuracy.map_or("unknown".into(), |accuracy| format!("{:.2} %", accuracy * 100.0))
    };
    if run.row.status != kept.row.status {
        let (is, kept_is) = (run.row.status, kept.row.status);
        return format!("{name}: the entrant and seed of {other}, which is {kept_is} while this one is {is}; left out");
    }
    if run.row.status != Status::Finished && run.metrics.len() < kept.metrics.len() {
        return format!("{name}: the entrant and seed of {other}, which got further; left out");
    }
    if result(run) == result(kept) {
        return format!("{name}: the same run as {other}, left out");
    }
    format!(
        "{name}: the entrant and seed of {other} with another result (validation accuracy {} instead of {}); left out, \
         so report it alone if it is the one that counts",
        accuracy(run),
        accuracy(kept)
    )
}
