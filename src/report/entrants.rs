//! Groups runs that differ only in their seed into entrants.

use crate::number::exact;
use crate::optim::OptimizerSpec;
use crate::record::{ComparisonRow, Results, Status};
use crate::schedule::{Semantics, Spec};
use crate::stats::{mean, median, standard_deviation};
use crate::usage::one_line;
use std::collections::HashMap;

/// All runs of one optimizer, schedule, semantics and base rate, in one setting.
#[derive(Debug, Clone, PartialEq)]
pub struct EntrantRuns<'a> {
    pub optimizer: &'a str,
    pub schedule: &'a str,
    pub semantics: Semantics,
    pub lr: f64,
    /// The highest rate that any of the runs trained with, if known; else the base rate.
    pub rate: f64,
    /// What else distinguishes these runs from others shown with them: `epochs=30 model=resnet9`; may be empty.
    pub setting: &'a str,
    /// One per seed.
    pub runs: Vec<&'a ComparisonRow>,
}

/// A mean over runs; `deviation` is `None` for n = 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    pub mean: f64,
    pub deviation: Option<f64>,
    pub n: usize,
}

impl Summary {
    /// Over the known, finite values; `None` if there are none.
    pub fn of(values: impl Iterator<Item = Option<f64>>) -> Option<Self> {
        let known: Vec<f64> = values.flatten().filter(|value| value.is_finite()).collect();
        Some(Self { mean: mean(&known)?, deviation: standard_deviation(&known), n: known.len() })
    }
}

impl<'a> EntrantRuns<'a> {
    /// The runs that count: the finished ones, if any.
    pub fn finished(&self) -> impl Iterator<Item = &'a ComparisonRow> {
        self.runs.iter().copied().filter(|run| run.status == Status::Finished)
    }

    /// The mean over the finished runs.
    pub fn summary(&self, value: impl Fn(&Results) -> Option<f64>) -> Option<Summary> {
        Summary::of(self.finished().map(|run| value(&run.results)))
    }

    /// The median over the finished runs: an epoch of one of them, or the midpoint of two.
    pub fn best_epoch(&self) -> Option<f64> {
        median(&self.finished().filter_map(|run| run.results.best_epoch).map(|epoch| epoch as f64).collect::<Vec<_>>())
    }

    /// `finished`, or the status of the unfinished runs: `1 diverged`.
    pub fn status(&self) -> String {
        let count = |status| self.runs.iter().filter(|run| run.status == status).count();
        let others = [Status::Running, Status::Interrupted, Status::Diverged, Status::Failed];
        let unfinished: Vec<(Status, usize)> =
            others.map(|status| (status, count(status))).into_iter().filter(|(_, count)| *count > 0).collect();
        match unfinished[..] {
            [] => Status::Finished.to_string(),
            [(status, count)] if count == self.runs.len() => status.to_string(),
            ref several => {
                several.iter().map(|(status, count)| format!("{count} {status}")).collect::<Vec<_>>().join(", ")
            }
        }
    }
}

/// The identity of an optimizer under a schedule, independent of spelling. Unparseable text stands for itself.
pub fn identity(row: &ComparisonRow) -> (String, String) {
    let optimizer = row.optimizer.parse().map(|spec: OptimizerSpec| spec.canonical(row.semantics));
    let schedule = row.schedule.parse().map(|spec: Spec| spec.canonical(row.lr));
    (optimizer.unwrap_or_else(|_| row.optimizer.clone()), schedule.unwrap_or_else(|_| row.schedule.clone()))
}

/// The entrants by validation accuracy, best first; those without one come last, in the given order.
pub fn entrants(rows: &[ComparisonRow]) -> Vec<EntrantRuns<'_>> {
    entrants_of(rows.iter().map(|row| (row, "")))
}

/// As [`entrants`], for runs with different settings.
pub fn entrants_of<'a>(runs: impl Iterator<Item = (&'a ComparisonRow, &'a str)>) -> Vec<EntrantRuns<'a>> {
    let mut entrants: Vec<EntrantRuns<'a>> = Vec::new();
    // Keyed by what distinguishes them; the value is the index in the list.
    let mut places = HashMap::new();
    for (row, setting) in runs {
        let key = (identity(row), row.semantics.name(), row.lr.to_bits(), setting);
        let place = *places.entry(key).or_insert(entrants.len());
        match entrants.get_mut(place) {
            Some(entrant) => entrant.runs.push(row),
            None => entrants.push(EntrantRuns {
                optimizer: &row.optimizer,
                schedule: &row.schedule,
                semantics: row.semantics,
                lr: row.lr,
                rate: row.lr,
                setting,
                runs: vec![row],
            }),
        }
    }
    let key = |entrant: &EntrantRuns<'_>| entrant.summary(|run| run.val_accuracy).map_or(f64::NEG_INFINITY, |s| s.mean);
    entrants.sort_by(|a, b| key(b).total_cmp(&key(a)));
    entrants
}

/// A name for each entrant, in order: `sgd/cosine`, plus whatever is needed to make it unique.
pub fn names(entrants: &[EntrantRuns<'_>]) -> Vec<String> {
    let short: Vec<String> = entrants.iter().map(|e| format!("{}/{}", e.optimizer, e.schedule)).collect();
    // Of the entrants with one short name: the first, and whether their rates and their semantics differ.
    let mut twins: HashMap<&str, (&EntrantRuns<'_>, bool, bool)> = HashMap::new();
    for (name, entrant) in short.iter().zip(entrants) {
        let (first, rates, semantics) = twins.entry(name).or_insert((entrant, false, false));
        // A rate that is not a number differs from every other.
        *rates |= entrant.lr != first.lr;
        *semantics |= entrant.semantics != first.semantics;
    }
    let name = |(short, entrant): (&String, &EntrantRuns<'_>)| {
        let (mut name, (_, rates, semantics)) = (short.clone(), twins[short.as_str()]);
        if rates {
            name.push_str(&format!(" lr={}", exact(entrant.lr)));
        }
        if semantics {
            name.push_str(&format!(" ({})", entrant.semantics.name()));
        }
        if !entrant.setting.is_empty() {
            name.push_str(&format!(" [{}]", entrant.setting));
        }
        // Names come from untrusted files, and go to terminals and pages.
        one_line(&name)
    };
    short.iter().zip(entrants).map(name).collect()
}
