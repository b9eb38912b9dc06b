//! Groups runs that differ only in their seed into entrants. What is tuned is one entrant, whatever its rates.

mod naming;
mod roles;

pub use naming::{names, recipes, short_names};
pub use roles::of_tuning;

use super::table::UNKNOWN;
use super::tuning::{Tuning, peak};
use crate::data::{DatasetKind, Tta};
use crate::number::{counted, exact, rate};
use crate::optim::OptimizerSpec;
use crate::record::{self, ComparisonRow, Results, Stage, Status};
use crate::schedule::{Semantics, Spec};
use crate::stats::verdict;
use crate::stats::{mean, median, only_guesses, standard_deviation};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// All runs of one optimizer, schedule, semantics and base rate, in one setting.
#[derive(Debug, Clone, PartialEq)]
pub struct EntrantRuns<'a> {
    pub optimizer: &'a str,
    pub schedule: &'a str,
    pub semantics: Semantics,
    /// The base rate; not a number if it was tuned.
    pub lr: f64,
    /// The highest rate that any of the runs trained with, if known; else the base rate. The median of the chosen peaks
    /// if it was tuned.
    pub rate: f64,
    /// Where these runs stand among others shown with them.
    pub place: Place<'a>,
    /// Some run of its group has a validation accuracy.
    pub judged: bool,
    /// Its results: one per seed, by seed.
    pub runs: Vec<&'a ComparisonRow>,
    /// Its runs that are no results: trials, second looks, screening.
    pub aside: Vec<&'a ComparisonRow>,
    /// Finals among them, of rates that are no longer chosen.
    pub stale: usize,
    /// Others, of an entrant that is no longer a finalist, or not known to be one.
    pub dropped: usize,
    /// A result is the mean over the finals of a study; else it is a run.
    pub by_study: bool,
    /// What its trials say; `None` if it was not tuned.
    pub tuning: Option<Tuning>,
    /// Others are finalists.
    pub is_screened_out: bool,
}

/// What distinguishes a run from others shown with it, besides its row.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Place<'a> {
    /// The settings in which they differ: `augment=flip epochs=30`; may be empty.
    pub setting: &'a str,
    /// What was changed by hand while it ran, of which `setting` has the short name.
    pub by_hand: Option<&'a str>,
    /// Those of them without which runs cannot be compared, such as `epochs=30`: only runs of one group are. May be
    /// empty.
    pub group: &'a str,
    /// Validation used the test images.
    pub on_test: bool,
    /// How the test images were shown; validation images are shown as they are.
    pub tta: Tta,
    /// The number of validation images, if known.
    pub images: Option<u64>,
    /// What they are images of, if known.
    pub dataset: Option<DatasetKind>,
    /// More runs of its comparison are planned.
    pub under_way: bool,
}

impl Place<'_> {
    /// The accuracy of guessing.
    pub fn chance(&self) -> f64 {
        self.dataset.unwrap_or_default().chance()
    }
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

    /// The runs that stand for it: if several studies tuned it, those of the one with the median peak, else all.
    pub fn typical(&self) -> impl Iterator<Item = &'a ComparisonRow> {
        let study = self.tuning.as_ref().and_then(Tuning::typical).map(|study| study.number);
        let is_shown =
            move |run: &&ComparisonRow| study.is_none() || run.role.as_ref().and_then(|role| role.study) == study;
        self.runs.iter().copied().filter(is_shown)
    }

    /// The mean over the finished runs.
    pub fn summary(&self, value: impl Fn(&Results) -> Option<f64>) -> Option<Summary> {
        Summary::of(self.finished().map(|run| value(&run.results)))
    }

    /// The validation accuracy of each seed, or study, that has a result: a run that diverged has that of guessing. An
    /// entrant is not the better for it. What failed (a full disk, a damaged file) says nothing about the entrant, and is
    /// trained again.
    pub fn results(&self) -> verdict::Results {
        self.units(|run| {
            run.accuracy_or_chance(self.place.chance()).filter(|_| self.judged || run.status != Status::Diverged)
        })
    }

    /// The mean of what is known of the runs of each seed, or study.
    fn units(&self, known: impl Fn(&ComparisonRow) -> Option<f64>) -> BTreeMap<u64, f64> {
        let mut units: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for run in &self.runs {
            let study = run.role.as_ref().and_then(|role| role.study).filter(|_| self.by_study);
            units.entry(study.unwrap_or(run.seed)).or_default().extend(known(run));
        }
        units.into_iter().filter_map(|(unit, values)| Some((unit, mean(&values)?))).collect()
    }

    /// The accuracies of its screening, by seed: they decided who is a finalist, and are no results.
    pub fn screening(&self) -> verdict::Results {
        let rows: Vec<&ComparisonRow> = self.aside.iter().chain(&self.runs).copied().collect();
        record::screenings(&rows, None, self.place.chance()).into_values().flatten().collect()
    }

    /// The mean of its screening.
    pub fn screened(&self) -> Option<Summary> {
        Summary::of(self.screening().into_values().map(Some))
    }

    /// Its rate: the highest that was applied, or of the chosen peaks [`Tuning::peak`], with their range.
    pub fn rate_text(&self) -> String {
        let peaks = self.tuning.as_ref().map(Tuning::peaks).unwrap_or_default();
        let ends = peaks.iter().copied().reduce(f64::min).zip(peaks.iter().copied().reduce(f64::max));
        match ends {
            Some((low, high)) if low < high => format!("{} ({} to {})", peak(self.rate), peak(low), peak(high)),
            Some((low, _)) => peak(low),
            _ if self.rate.is_finite() => rate(self.rate),
            _ => UNKNOWN.into(),
        }
    }

    /// The mean validation accuracy over [`Self::results`].
    pub fn val_accuracy(&self) -> Option<Summary> {
        Summary::of(self.results().into_values().map(Some))
    }

    /// [`Self::rate_text`] without the range.
    pub fn short_rate_text(&self) -> String {
        match self.tuning.as_ref().map(Tuning::peaks) {
            Some(peaks) if !peaks.is_empty() => peak(self.rate),
            _ => self.rate_text(),
        }
    }

    /// Its base rate behind its name, where that tells it from others.
    pub fn own_rate(&self) -> String {
        format!(" lr={}", exact(self.lr))
    }

    /// The mean test accuracy over the same runs, if any of them was tested.
    pub fn test_accuracy(&self) -> Option<Summary> {
        self.summary(|run| run.test_accuracy)?;
        let known = |run: &ComparisonRow| match run.status {
            Status::Finished => run.results.test_accuracy.filter(|accuracy| accuracy.is_finite()),
            Status::Diverged if self.judged => Some(self.place.chance()),
            _ => None,
        };
        Summary::of(self.units(known).into_values().map(Some))
    }

    /// How many runs count with the accuracy of guessing.
    pub fn at_chance(&self) -> usize {
        self.count(Status::Diverged)
    }

    /// Whether its results are no better than those of guessing, though not all of its runs diverged.
    pub fn only_guesses(&self) -> bool {
        let guesses = |Summary { mean, n, .. }: Summary| {
            // Without their number, the images are taken as very many.
            let images = self.place.images.map_or(f64::INFINITY, |images| images as f64 * n as f64);
            only_guesses(mean, images, self.place.chance())
        };
        self.finished().next().is_some() && self.val_accuracy().is_some_and(guesses)
    }

    /// How many runs have this status.
    pub fn count(&self, status: Status) -> usize {
        self.runs.iter().filter(|run| run.status == status).count()
    }

    /// The median over the finished runs: an epoch of one of them, or the midpoint of two.
    pub fn best_epoch(&self) -> Option<f64> {
        median(&self.finished().filter_map(|run| run.results.best_epoch).map(|epoch| epoch as f64).collect::<Vec<_>>())
    }

    /// Whether it has runs, and all are finished.
    pub fn is_finished(&self) -> bool {
        !self.runs.is_empty() && self.finished().count() == self.runs.len()
    }

    /// `finished`, or the status of the unfinished runs: `1 diverged`.
    pub fn status(&self) -> String {
        let others = [Status::Running, Status::Interrupted, Status::Diverged, Status::Failed];
        let unfinished: Vec<(Status, usize)> =
            others.map(|status| (status, self.count(status))).into_iter().filter(|(_, count)| *count > 0).collect();
        match unfinished[..] {
            [] if self.runs.is_empty() => self.progress(),
            [] => Status::Finished.to_string(),
            [(status, count)] if count == self.runs.len() => status.to_string(),
            ref several => {
                several.iter().map(|(status, count)| format!("{count} {status}")).collect::<Vec<_>>().join(", ")
            }
        }
    }
}

impl EntrantRuns<'_> {
    /// How far an entrant without finals is: `8 trials, 4 second looks`.
    pub fn progress(&self) -> String {
        let over = stages_over(self.aside.iter().copied());
        if over.is_empty() { "no run yet".into() } else { over.join(", ") }
    }
}

/// How many of these runs are over, by stage: `8 trials`, `4 second looks`. Finals are left out.
pub fn stages_over<'a>(runs: impl Iterator<Item = &'a ComparisonRow>) -> Vec<String> {
    let over: Vec<Stage> =
        runs.filter(|run| run.status.is_over()).filter_map(|run| Some(run.role.as_ref()?.stage)).collect();
    let told = [Stage::Trial, Stage::SecondLook, Stage::Screening].into_iter().filter_map(|stage| {
        let name = if stage == Stage::Screening { format!("{stage} run") } else { stage.to_string() };
        let count = over.iter().filter(|one| **one == stage).count() as u64;
        (count > 0).then(|| counted(count, &name))
    });
    told.collect()
}

/// The identity of an optimizer under a schedule, independent of spelling. Unparseable text stands for itself.
pub fn identity(row: &ComparisonRow) -> (String, String) {
    let optimizer = row.optimizer.parse().map(|spec: OptimizerSpec| spec.canonical(row.semantics));
    let schedule = row.schedule.parse().map(|spec: Spec| spec.canonical(row.lr));
    (optimizer.unwrap_or_else(|_| row.optimizer.clone()), schedule.unwrap_or_else(|_| row.schedule.clone()))
}

/// What the runs of an entrant have in common within one setting, and runs of others have not.
pub type Key = ((String, String), Option<u64>, Semantics);

/// That of a run. What is tuned goes by its name before, whatever its rates.
pub fn key(row: &ComparisonRow) -> Key {
    let (own, lr) = match of_tuning(row) {
        Some(role) => ((role.entrant.clone(), String::new()), None),
        None => (identity(row), Some(row.lr.to_bits())),
    };
    (own, lr, row.semantics)
}

/// The entrants, the leader first; those without a result come last.
pub fn entrants(rows: &[ComparisonRow]) -> Vec<EntrantRuns<'_>> {
    entrants_of(rows.iter().map(|row| (row, Place::default())))
}

/// As [`entrants`], for runs with different settings: group by group, the largest first. The order of the runs changes
/// nothing.
pub fn entrants_of<'a>(runs: impl Iterator<Item = (&'a ComparisonRow, Place<'a>)>) -> Vec<EntrantRuns<'a>> {
    // Keyed by what distinguishes them; the value is the index in the list.
    let mut places = HashMap::new();
    let mut found: Vec<(Place<'a>, Vec<&'a ComparisonRow>)> = Vec::new();
    for (row, place) in runs {
        let key = (key(row), place.setting, place.group);
        let at = *places.entry(key).or_insert(found.len());
        match found.get_mut(at) {
            Some((known, rows)) => {
                known.under_way |= place.under_way;
                rows.push(row);
            }
            None => found.push((place, vec![row])),
        }
    }
    ranked(found.into_iter().map(|(place, rows)| entrant(rows, place)).collect())
}

/// The entrant of these runs, of which there is one or more.
fn entrant<'a>(mut rows: Vec<&'a ComparisonRow>, place: Place<'a>) -> EntrantRuns<'a> {
    rows.sort_by(|a, b| (a.seed, &a.run).cmp(&(b.seed, &b.run)));
    let first = rows[0];
    let (mut optimizer, mut schedule, mut lr) = (first.optimizer.as_str(), first.schedule.as_str(), first.lr);
    let tuned = of_tuning(first);
    if let Some(role) = tuned {
        (optimizer, schedule) = role.entrant.split_once('/').unwrap_or((optimizer, &role.entrant));
        lr = f64::NAN;
    }
    let roles::Sorted { results, aside, stale, by_study } = roles::sort(rows, place.chance());
    let (semantics, tuning) = (first.semantics, tuned.map(|_| Tuning::default()));
    let rate = lr;
    EntrantRuns {
        optimizer,
        schedule,
        semantics,
        lr,
        rate,
        place,
        judged: false,
        runs: results,
        aside,
        stale,
        dropped: 0,
        by_study,
        tuning,
        is_screened_out: false,
    }
}

/// Sets aside the finals of entrants of a group that are not among the finalists of their comparison: of all, where a
/// screening that goes on does not tell yet who they are.
fn screen(group: &mut [EntrantRuns<'_>]) {
    // Comparisons in different settings screen apart.
    let settings: BTreeSet<&str> = group.iter().map(|entrant| entrant.place.setting).collect();
    for setting in settings {
        let screened = || group.iter().filter(|entrant| entrant.place.setting == setting);
        let rows: Vec<&ComparisonRow> =
            screened().flat_map(|entrant| entrant.aside.iter().chain(&entrant.runs)).copied().collect();
        if rows.iter().all(|run| run.role.as_ref().is_none_or(|role| role.finalists.is_none())) {
            continue;
        }
        let chance = screened().next().map_or(0.0, |entrant| entrant.place.chance());
        let finalists = record::recorded_finalists(&rows, chance);
        for entrant in group.iter_mut().filter(|entrant| entrant.place.setting == setting) {
            let mut roles = entrant.aside.iter().chain(&entrant.runs).filter_map(|run| run.role.as_ref());
            let is_out = |finalists: &BTreeSet<&str>| {
                roles.next().is_some_and(|role| !finalists.contains(role.entrant.as_str()))
            };
            let is_out = finalists.as_ref().map(is_out);
            if is_out != Some(false) {
                entrant.is_screened_out = is_out.is_some();
                entrant.dropped = entrant.runs.len();
                entrant.aside.append(&mut entrant.runs);
            }
        }
    }
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
        screen(group);
        let judged = group.iter().any(|entrant| entrant.summary(|run| run.val_accuracy).is_some());
        let by_study = group.iter().any(|entrant| entrant.by_study);
        group.iter_mut().for_each(|entrant| (entrant.judged, entrant.by_study) = (judged, by_study));
        let results: Vec<verdict::Results> = group.iter().map(EntrantRuns::results).collect();
        let under_way = group.iter().any(|entrant| entrant.place.under_way);
        let rank = if under_way { verdict::order_so_far } else { verdict::order };
        let mut order = rank(&results);
        // Those without a result, by their screening.
        let known = results.iter().filter(|results| !results.is_empty()).count();
        let screened: Vec<verdict::Results> = order[known..].iter().map(|&place| group[place].screening()).collect();
        let rest: Vec<usize> = rank(&screened).into_iter().map(|place| order[known + place]).collect();
        order[known..].copy_from_slice(&rest);
        order.sort_by_key(|&place| group[place].is_screened_out);
        all.extend(order.into_iter().map(|place| group[place].clone()));
    }
    all
}
