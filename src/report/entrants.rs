//! Groups runs that differ only in their seed into entrants.

use crate::number::exact;
use crate::optim::OptimizerSpec;
use crate::record::{ComparisonRow, Results, Status};
use crate::schedule::{Semantics, Spec};
use crate::stats::verdict::{self, CHANCE};
use crate::stats::{mean, median, standard_deviation};
use crate::usage::one_line;
use std::cmp::Reverse;
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
    /// Where these runs stand among others shown with them.
    pub place: Place<'a>,
    /// Some run of its group has a validation accuracy.
    pub judged: bool,
    /// One per seed, by seed.
    pub runs: Vec<&'a ComparisonRow>,
}

/// What distinguishes a run from others shown with it, besides its row.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Place<'a> {
    /// The settings in which they differ: `augment=flip epochs=30`; may be empty.
    pub setting: &'a str,
    /// Those of them without which runs cannot be compared, such as `epochs=30`: only runs of one group are. May be
    /// empty.
    pub group: &'a str,
    /// Validation used the test images.
    pub on_test: bool,
    /// The number of validation images, if known.
    pub images: Option<u64>,
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
    /// The finished runs.
    pub fn finished(&self) -> impl Iterator<Item = &'a ComparisonRow> {
        self.runs.iter().copied().filter(|run| run.status == Status::Finished)
    }

    /// The mean over the finished runs.
    pub fn summary(&self, value: impl Fn(&Results) -> Option<f64>) -> Option<Summary> {
        Summary::of(self.finished().map(|run| value(&run.results)))
    }

    /// The accuracy of each seed that has a result: a run that diverged has that of guessing. An entrant is not the better
    /// for it.
    pub fn results(&self) -> verdict::Results {
        let counts = |run: &&&ComparisonRow| self.judged || run.status == Status::Finished;
        self.runs.iter().filter(counts).filter_map(|run| Some((run.seed, run.accuracy_or_chance()?))).collect()
    }

    /// The mean validation accuracy over [`Self::results`].
    pub fn val_accuracy(&self) -> Option<Summary> {
        Summary::of(self.results().into_values().map(Some))
    }

    /// The mean test accuracy over the same runs, if any of them was tested.
    pub fn test_accuracy(&self) -> Option<Summary> {
        self.summary(|run| run.test_accuracy)?;
        let guessed = if self.judged { self.at_chance() } else { 0 };
        let known = self.finished().map(|run| run.results.test_accuracy);
        Summary::of(known.chain(std::iter::repeat_n(Some(CHANCE), guessed)))
    }

    /// How many runs count with the accuracy of guessing.
    pub fn at_chance(&self) -> usize {
        self.count(Status::Diverged)
    }

    /// How many runs have this status.
    pub fn count(&self, status: Status) -> usize {
        self.runs.iter().filter(|run| run.status == status).count()
    }

    /// The median over the finished runs: an epoch of one of them, or the midpoint of two.
    pub fn best_epoch(&self) -> Option<f64> {
        median(&self.finished().filter_map(|run| run.results.best_epoch).map(|epoch| epoch as f64).collect::<Vec<_>>())
    }

    /// `finished`, or the status of the unfinished runs: `1 diverged`.
    pub fn status(&self) -> String {
        let others = [Status::Running, Status::Interrupted, Status::Diverged, Status::Failed];
        let unfinished: Vec<(Status, usize)> =
            others.map(|status| (status, self.count(status))).into_iter().filter(|(_, count)| *count > 0).collect();
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

/// The entrants, the leader first; those without a result come last.
pub fn entrants(rows: &[ComparisonRow]) -> Vec<EntrantRuns<'_>> {
    entrants_of(rows.iter().map(|row| (row, Place::default())))
}

/// As [`entrants`], for runs with different settings: group by group, the largest first. The order of the runs changes
/// nothing.
pub fn entrants_of<'a>(runs: impl Iterator<Item = (&'a ComparisonRow, Place<'a>)>) -> Vec<EntrantRuns<'a>> {
    let mut entrants: Vec<EntrantRuns<'a>> = Vec::new();
    // Keyed by what distinguishes them; the value is the index in the list.
    let mut places = HashMap::new();
    for (row, place) in runs {
        let key = (identity(row), row.semantics.name(), row.lr.to_bits(), place.setting, place.group);
        let at = *places.entry(key).or_insert(entrants.len());
        match entrants.get_mut(at) {
            Some(entrant) => entrant.runs.push(row),
            None => entrants.push(EntrantRuns {
                optimizer: &row.optimizer,
                schedule: &row.schedule,
                semantics: row.semantics,
                lr: row.lr,
                rate: row.lr,
                place,
                judged: false,
                runs: vec![row],
            }),
        }
    }
    for entrant in &mut entrants {
        entrant.runs.sort_by(|a, b| (a.seed, &a.run).cmp(&(b.seed, &b.run)));
        let first = entrant.runs[0];
        (entrant.optimizer, entrant.schedule) = (&first.optimizer, &first.schedule);
    }
    ranked(entrants)
}

/// Group by group, and in each by rank; equals by name.
fn ranked(mut entrants: Vec<EntrantRuns<'_>>) -> Vec<EntrantRuns<'_>> {
    let mut sizes: HashMap<&str, usize> = HashMap::new();
    entrants.iter().for_each(|entrant| *sizes.entry(entrant.place.group).or_default() += 1);
    entrants.sort_by_cached_key(|entrant| {
        let group = entrant.place.group;
        let name = (entrant.optimizer.to_string(), entrant.schedule.to_string(), entrant.semantics.name());
        (Reverse(sizes[group]), group.to_string(), name, entrant.lr.to_bits(), entrant.place.setting.to_string())
    });
    let mut all = Vec::with_capacity(entrants.len());
    for group in entrants.chunk_by_mut(|a, b| a.place.group == b.place.group) {
        let judged = group.iter().any(|entrant| entrant.summary(|run| run.val_accuracy).is_some());
        group.iter_mut().for_each(|entrant| entrant.judged = judged);
        let results: Vec<verdict::Results> = group.iter().map(EntrantRuns::results).collect();
        all.extend(verdict::order(&results).into_iter().map(|place| group[place].clone()));
    }
    all
}

/// A name for each entrant, in order: `sgd/cosine`, plus whatever is needed to make it unique.
pub fn names(entrants: &[EntrantRuns<'_>]) -> Vec<String> {
    let short: Vec<String> = entrants.iter().map(|e| format!("{}/{}", e.optimizer, e.schedule)).collect();
    // Of the entrants with one short name: the first, and whether their rates, semantics and groups differ.
    let mut twins: HashMap<&str, (&EntrantRuns<'_>, [bool; 3])> = HashMap::new();
    for (name, entrant) in short.iter().zip(entrants) {
        let (first, differ) = twins.entry(name).or_insert((entrant, [false; 3]));
        // A rate that is not a number differs from every other.
        differ[0] |= entrant.lr != first.lr;
        differ[1] |= entrant.semantics != first.semantics;
        differ[2] |= entrant.place.group != first.place.group;
    }
    let name = |(short, entrant): (&String, &EntrantRuns<'_>)| {
        let (mut name, (_, [rates, semantics, groups])) = (short.clone(), twins[short.as_str()]);
        if rates {
            name.push_str(&format!(" lr={}", exact(entrant.lr)));
        }
        if semantics {
            name.push_str(&format!(" ({})", entrant.semantics.name()));
        }
        let Place { setting, group, .. } = entrant.place;
        // Without their run.json, runs of different groups have no setting that says so.
        let group = Some(group).filter(|_| groups);
        if let Some(told) = [Some(setting), group].into_iter().flatten().find(|told| !told.is_empty()) {
            name.push_str(&format!(" [{told}]"));
        }
        // Names come from untrusted files, and go to terminals and pages.
        one_line(&name)
    };
    short.iter().zip(entrants).map(name).collect()
}
