//! What the trials of a tuned entrant say: which rates were chosen, how much they matter, and what they cost.

use super::entrants::EntrantRuns;
use crate::number::{exact, significant};
use crate::optim::OptimizerSpec;
use crate::record::{self, ComparisonRow, Stage, Status};
use crate::schedule::spec::{ParameterKind, ParameterValue, RateValue};
use crate::schedule::{Duration, Spec};
use crate::stats::tuning::{self, Trial};
use crate::stats::{mean, median};
use std::collections::{BTreeMap, BTreeSet};

/// Rates whose accuracy is this much lower are as good, for most purposes.
const ONE_POINT: f64 = 0.01;

/// What was tried of one entrant. Rates are peaks: the highest rate of a schedule.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tuning {
    /// By number.
    pub studies: Vec<Study>,
    /// The studies that its results are of, where it has results: those of a screening that it passed are not among them.
    pub judged: BTreeSet<u64>,
    /// How many of its runs have ended, finals included, and how many epochs all of them were trained for.
    pub runs: usize,
    pub epochs: usize,
}

/// One of the times that an entrant was tuned.
#[derive(Debug, Clone, PartialEq)]
pub struct Study {
    pub number: u64,
    /// Those with a first look, by number.
    pub trials: Vec<Trial>,
    /// The numbers of the trials that diverged at first look.
    pub diverged: BTreeSet<u64>,
    /// The number of the chosen trial; `None` until it is known.
    pub chosen: Option<u64>,
    /// Runs that failed: nothing follows until they are trained again.
    pub failed: usize,
    /// What was tuned besides the rate: the value of each trial, by its number, of each parameter.
    pub others: BTreeMap<&'static str, BTreeMap<u64, Setting>>,
}

/// A value of a tuned parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    value: ParameterValue,
    kind: ParameterKind,
}

impl Setting {
    fn text(&self) -> String {
        self.value.show(self.kind, exact)
    }

    /// Its place among the others, which tuning writes in one unit; `None` of what has no order.
    fn size(&self) -> Option<f64> {
        match self.value {
            ParameterValue::Number(number) => Some(number),
            ParameterValue::Count(count) => Some(count as f64),
            ParameterValue::Rate(RateValue::Absolute(number) | RateValue::TimesLr(number)) => Some(number),
            ParameterValue::Duration(
                Duration::Epochs(number) | Duration::Steps(number) | Duration::Percent(number),
            ) => Some(number),
            _ => None,
        }
    }
}

/// Where a chosen trial lies among those of its study.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    Lowest,
    Highest,
}

impl Study {
    pub fn chosen(&self) -> Option<&Trial> {
        self.trials.iter().find(|trial| Some(trial.number) == self.chosen)
    }

    /// The end of what was tried, if the chosen trial is there: a better rate may lie beyond. Of two trials each is an end.
    pub fn edge(&self) -> Option<Edge> {
        edge(self.chosen()?.rate, self.trials.iter().map(|trial| trial.rate))
    }

    /// The same of another parameter that was tuned.
    fn edge_of(&self, parameter: &str) -> Option<Edge> {
        let tried = self.others.get(parameter)?;
        edge(tried.get(&self.chosen?)?.size()?, tried.values().filter_map(Setting::size))
    }

    /// The chosen rate, and the lowest and highest one within one point of it; `None` if neighbours differ in more than the
    /// rate.
    fn within_a_point(&self) -> Option<(f64, (f64, f64))> {
        let chosen = self.chosen().filter(|_| self.others.is_empty())?;
        Some((chosen.rate, tuning::rates_within(&self.trials, chosen, ONE_POINT)))
    }
}

fn edge(chosen: f64, tried: impl Iterator<Item = f64>) -> Option<Edge> {
    let tried: Vec<f64> = tried.collect();
    match (tried.iter().any(|value| *value < chosen), tried.iter().any(|value| *value > chosen)) {
        _ if tried.len() < 3 => None,
        (false, true) => Some(Edge::Lowest),
        (true, false) => Some(Edge::Highest),
        _ => None,
    }
}

/// The parameters besides the rate in which these runs differ, each with its value in the runs, by the number of their
/// trials.
fn others(firsts: &[&ComparisonRow]) -> BTreeMap<&'static str, BTreeMap<u64, Setting>> {
    // By the place of the optimizer and each schedule: those of a sequence may have parameters of the same name.
    let mut of_parts: BTreeMap<(usize, &'static str), BTreeMap<u64, Setting>> = BTreeMap::new();
    for run in firsts {
        let Some(trial) = run.role.as_ref().and_then(|role| role.trial) else { continue };
        let (Ok(optimizer), Ok(schedule)) = (run.optimizer.parse::<OptimizerSpec>(), run.schedule.parse::<Spec>())
        else {
            continue;
        };
        for (place, values) in std::iter::once(optimizer.given_values()).chain(schedule.schedules()).enumerate() {
            for (parameter, value) in values.given().filter(|(parameter, _)| parameter.name != "lr") {
                let setting = Setting { value: value.clone(), kind: parameter.kind };
                of_parts.entry((place, parameter.name)).or_default().insert(trial, setting);
            }
        }
    }
    of_parts.retain(|_, settings| settings.values().any(|setting| Some(setting) != settings.values().next()));
    let mut others = BTreeMap::new();
    for ((_, name), settings) in of_parts {
        others.entry(name).or_insert(settings);
    }
    others
}

impl Tuning {
    /// Of `entrant`, whose runs have these `peaks`, if known, and were trained for so many `epochs`.
    pub fn of(
        entrant: &EntrantRuns<'_>,
        peak: impl Fn(&ComparisonRow) -> Option<f64>,
        epochs: impl Fn(&ComparisonRow) -> usize,
    ) -> Self {
        let all: Vec<&ComparisonRow> = entrant.aside.iter().chain(&entrant.runs).copied().collect();
        // A run that diverged may have ended before its peak. Every peak is the same multiple of its base rate.
        let ratios =
            all.iter().filter(|run| run.status == Status::Finished).filter_map(|run| Some(peak(run)? / run.lr));
        let ratio = median(&ratios.filter(|ratio| ratio.is_finite()).collect::<Vec<_>>()).unwrap_or(1.0);
        let first = |study: u64, run: &&&ComparisonRow| {
            run.role.as_ref().is_some_and(|role| role.study == Some(study) && role.stage == Stage::Trial)
        };
        let studies = record::studies(all.iter().copied(), entrant.place.chance()).into_iter().map(
            |record::Study { number, mut trials, .. }| {
                let firsts: Vec<&ComparisonRow> = all.iter().filter(|run| first(number, run)).copied().collect();
                // Among first looks, nothing has been chosen yet; of a single trial, nothing is to be, and its final follows.
                let is_final = |run: &&&ComparisonRow| {
                    run.role.as_ref().is_some_and(|role| role.study == Some(number) && role.stage != Stage::Trial)
                };
                let has_ended = all.iter().any(|run| is_final(&run));
                let chosen = tuning::choose(&trials).filter(|_| has_ended).map(|trial| trial.number);
                trials.retain(|trial| !trial.looks.is_empty());
                for trial in &mut trials {
                    let of_trial =
                        |run: &&&ComparisonRow| run.role.as_ref().is_some_and(|r| r.trial == Some(trial.number));
                    let own = firsts.iter().find(of_trial).filter(|run| run.status == Status::Finished);
                    trial.rate = own.and_then(|run| peak(run)).unwrap_or(trial.rate * ratio);
                }
                let diverged = firsts.iter().filter(|run| run.status == Status::Diverged);
                let of_study = |run: &&&ComparisonRow| run.role.as_ref().is_some_and(|role| role.study == Some(number));
                Study {
                    number,
                    diverged: diverged.filter_map(|run| run.role.as_ref()?.trial).collect(),
                    chosen,
                    trials,
                    failed: all.iter().filter(of_study).filter(|run| run.status == Status::Failed).count(),
                    others: others(&firsts),
                }
            },
        );
        let mut studies: Vec<Study> = studies.collect();
        studies.sort_by_key(|study| study.number);
        let of_run = |run: &&ComparisonRow| run.role.as_ref().and_then(|role| role.study);
        Self {
            studies,
            judged: entrant.runs.iter().filter_map(of_run).collect(),
            runs: all.iter().filter(|run| run.status.is_over()).count(),
            epochs: all.iter().map(|run| epochs(run)).sum(),
        }
    }

    /// The studies that its results are of; all, if there are no results yet.
    fn of_results(&self) -> impl Iterator<Item = &Study> {
        self.studies.iter().filter(|study| self.judged.is_empty() || self.judged.contains(&study.number))
    }

    /// The chosen peak of each study that its results are of.
    pub fn peaks(&self) -> Vec<f64> {
        self.of_results().filter_map(Study::chosen).map(|trial| trial.rate).collect()
    }

    /// What was chosen in each of these studies of every other parameter that was tuned.
    pub fn chosen_settings(&self) -> BTreeMap<&'static str, Vec<String>> {
        let mut all: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        for (study, chosen) in self.of_results().filter_map(|study| Some((study, study.chosen?))) {
            for (parameter, values) in &study.others {
                all.entry(parameter).or_default().extend(values.get(&chosen).map(Setting::text));
            }
        }
        all
    }

    /// The study with the median of the chosen peaks; of an even number, with the lower of the middle two: a rate that
    /// was tried.
    pub fn typical(&self) -> Option<&Study> {
        let mut chosen: Vec<(f64, &Study)> =
            self.of_results().filter_map(|study| Some((study.chosen()?.rate, study))).collect();
        chosen.sort_by(|a, b| a.0.total_cmp(&b.0));
        chosen.get(chosen.len().saturating_sub(1) / 2).map(|(_, study)| *study)
    }

    /// The peak that it chose.
    pub fn peak(&self) -> Option<f64> {
        self.typical()?.chosen().map(|trial| trial.rate)
    }

    /// The range of rates within one point of the chosen ones: see [`tuning::range_of_studies`].
    pub fn within_a_point(&self) -> Option<(f64, f64)> {
        tuning::range_of_studies(&self.of_results().filter_map(Study::within_a_point).collect::<Vec<_>>())
    }

    pub fn trials(&self) -> usize {
        self.studies.iter().map(|study| study.trials.len()).sum()
    }

    pub fn diverged(&self) -> usize {
        self.studies.iter().map(|study| study.diverged.len()).sum()
    }

    pub fn failed(&self) -> usize {
        self.studies.iter().map(|study| study.failed).sum()
    }

    /// In how many studies the chosen trial lies at this end of what was tried.
    pub fn at_edge(&self, edge: Edge) -> usize {
        self.studies.iter().filter(|study| study.edge() == Some(edge)).count()
    }

    /// Whether what most studies chose is the lowest, or the highest, of what they tried: of few trials, one study may choose
    /// such a one by chance.
    pub fn is_at_edge(&self) -> bool {
        let is_most = |count: usize| 2 * count > self.studies.len();
        let at = |edge| is_most(self.at_edge(edge)) || self.others_at_edge(edge).into_values().any(is_most);
        at(Edge::Lowest) || at(Edge::Highest)
    }

    /// The other parameters that were tuned, each with the same.
    pub fn others_at_edge(&self, edge: Edge) -> BTreeMap<&'static str, usize> {
        let mut all = BTreeMap::new();
        for study in &self.studies {
            for parameter in study.others.keys().filter(|parameter| study.edge_of(parameter) == Some(edge)) {
                *all.entry(*parameter).or_default() += 1;
            }
        }
        all
    }

    /// The expected accuracy of the best of the first m trials at first look, m = 1, 2, …: the mean over the studies of the
    /// highest so far, of those with the most trials. It is of the runs that chose, so it is too good to be a result.
    pub fn best_so_far(&self) -> Vec<f64> {
        let running = |study: &Study| -> Vec<f64> {
            let firsts = study.trials.iter().enumerate();
            // As far as no trial is missing.
            let firsts =
                firsts.map_while(|(place, trial)| trial.looks.first().filter(|_| trial.number == place as u64));
            let best = |most: &mut f64, look: &f64| {
                *most = most.max(*look);
                Some(*most)
            };
            firsts.scan(f64::NEG_INFINITY, best).collect()
        };
        let mut all: Vec<Vec<f64>> = self.studies.iter().map(running).collect();
        // One that has only begun, or had fewer trials, would end the line early.
        let longest = all.iter().map(Vec::len).max().unwrap_or(0);
        all.retain(|best| best.len() == longest);
        (0..longest).filter_map(|m| mean(&all.iter().map(|best| best[m]).collect::<Vec<_>>())).collect()
    }
}

/// A tuned peak for people: rates between trials are not known more exactly.
pub fn peak(rate: f64) -> String {
    significant(rate, 3)
}
