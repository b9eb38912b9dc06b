//! Tuning and screening: which runs a comparison of stages consists of, as far as the results so far determine them.
//!
//! Of each entrant, each study is a chain: trials, second looks at the best of them, and the final runs of the chosen
//! one. Screening makes the chains of some studies first, and those of the rest for the best entrants only.

mod design;

pub(super) use design::Made;
pub use design::{Design, StageMismatch};

use super::compare::{Plan, PlannedRun, RunPlace, meaning, name};
use super::entrant::{Entrant, EntrantNote, Tunable, TuneError, tunable, untuned};
use crate::config::{RunConfig, Tuning};
use crate::random::{Purpose, keyed, uniform};
use crate::record::{self, ComparisonRow, Role, Stage, Study, studies};
use crate::schedule::RunShape;
use crate::stats::tuning::{choose, points, second_looks};
use crate::usage;
use crate::usage::Usage;
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, HashSet};

/// A comparison of stages.
#[derive(Debug, Clone)]
pub struct Stages {
    pub design: Design,
    pub contenders: Vec<Contender>,
    /// Ranges that do not apply to some of them.
    pub notes: Vec<EntrantNote>,
}

/// An entrant of such a comparison.
#[derive(Debug, Clone)]
pub struct Contender {
    /// Before tuning, as its runs have it in their roles.
    pub name: String,
    pub tunable: Option<Tunable>,
    /// Its run without tuning, with the first seed.
    config: RunConfig,
    /// Its trials in each study, with their seeds; empty if nothing is tuned.
    trials: Vec<Vec<RunConfig>>,
}

/// Runs of an entrant that are not determined yet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ToCome<'a> {
    pub count: usize,
    /// A run of the same length.
    pub config: &'a RunConfig,
    /// As [`Role::is_result`].
    pub is_result: bool,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct StagesRequest<'a> {
    /// Each with its run without tuning, with the first seed.
    pub entrants: &'a [(Entrant, RunConfig)],
    pub tuning: Option<&'a Tuning>,
    /// How many entrants are judged; `None`: all.
    pub finalists: Option<usize>,
    /// Final runs in each study.
    pub seeds: u64,
    pub steps_per_epoch: u64,
}

impl Stages {
    /// # Errors
    /// A [`TuneError`]; more runs than a comparison may have; two trials that would be the same run.
    pub fn new(request: &StagesRequest<'_>) -> Result<Self, TuneError> {
        let StagesRequest { entrants, tuning, finalists, seeds, steps_per_epoch } = *request;
        let seed = entrants.first().map_or(0, |(_, config)| config.seed);
        let design = Design::new(seed, tuning, finalists, seeds);
        design.check_count(entrants.len())?;
        let shape = |config: &RunConfig| RunShape {
            learning_rate: config.lr,
            semantics: config.semantics,
            steps_per_epoch,
            epochs: config.epochs,
        };
        let mut notes = Vec::new();
        let tunables = match tuning {
            Some(tuning) => {
                let all: Vec<Entrant> = entrants.iter().map(|(entrant, _)| entrant.clone()).collect();
                let shapes: HashMap<String, RunShape> =
                    entrants.iter().map(|(entrant, config)| (entrant.to_string(), shape(config))).collect();
                let tunables = tunable(&all, &tuning.ranges, |entrant| Ok(shapes[&entrant.to_string()]))?;
                notes = untuned(&all, &tunables, &tuning.ranges);
                tunables.into_iter().map(Some).collect()
            }
            None => vec![None; entrants.len()],
        };
        let mut contenders = Vec::new();
        for ((entrant, config), tunable) in entrants.iter().zip(tunables) {
            config.check_seeds(design.seeds_in_all())?;
            let name = tunable.as_ref().map_or_else(|| entrant.to_string(), Tunable::name);
            let trials = match (&tunable, tuning) {
                (Some(tunable), Some(tuning)) => trials(tunable, tuning, &design, config)?,
                _ => Vec::new(),
            };
            contenders.push(Contender { name, tunable, config: config.clone(), trials });
        }
        check_unlike(&contenders)?;
        Ok(Self { design, contenders, notes })
    }

    /// All runs that these rows determine, listed by entrant, study, stage and trial. More rows never make it shorter.
    pub fn plan(&self, rows: &[ComparisonRow]) -> Plan {
        let found = studies(rows, self.chance());
        let found: HashMap<(&str, u64), &Study<'_>> =
            found.iter().map(|study| ((study.entrant, study.number), study)).collect();
        let finalists = self.finalists(rows);
        let mut runs = Vec::new();
        let mut rank = 0;
        for (place, contender) in self.contenders.iter().enumerate() {
            let is_finalist = finalists.as_ref().is_some_and(|finalists| finalists.contains(&place));
            for unit in (0..self.design.units()).filter(|unit| is_finalist || !self.design.is_after_screening(*unit)) {
                let study = found.get(&(contender.name.as_str(), unit)).copied();
                let chain = self.design.chain(self.contenders.len(), place, rank, unit);
                // Of each stage, how many runs of the comparison come before its next one.
                let mut before = HashMap::new();
                let mut placed = |run: PlannedRun| {
                    let stage = run.role.as_ref().map_or(Stage::Final, |role| role.stage);
                    let first = || self.design.runs_before(self.contenders.len(), place, rank, unit, stage);
                    let number = before.entry(stage).or_insert_with(first);
                    *number += 1;
                    (run, RunPlace { chain, round: unit, number: *number })
                };
                let planned = self.chain(contender, unit, study);
                runs.extend(planned.into_iter().map(&mut placed));
            }
            rank += usize::from(is_finalist);
        }
        Plan::staged(runs, self.design.total(self.contenders.len()), self.design)
    }

    /// The accuracy of guessing: all entrants learn the same images.
    fn chance(&self) -> f64 {
        self.contenders.first().map_or(0.0, |contender| contender.config.dataset.chance())
    }

    /// The places of the entrants that are judged, as far as known: without screening all, else the best by the screening,
    /// once every entrant has all its results of it.
    pub fn finalists(&self, rows: &[ComparisonRow]) -> Option<Vec<usize>> {
        let Some(count) = self.design.finalists else { return Some((0..self.contenders.len()).collect()) };
        let rows: Vec<&ComparisonRow> = rows.iter().collect();
        let names = self.contenders.iter().map(|contender| contender.name.as_str()).collect();
        let best = record::finalists(&rows, &names, count as u64, self.design.trials, self.chance())?;
        Some((0..self.contenders.len()).filter(|&place| best.contains(self.contenders[place].name.as_str())).collect())
    }

    /// The runs of an entrant in one study, or with one seed if nothing is tuned.
    fn chain(&self, contender: &Contender, unit: u64, study: Option<&Study<'_>>) -> Vec<PlannedRun> {
        let stage = if self.design.is_before_finals(unit) { Stage::Screening } else { Stage::Final };
        let role = |stage, trial| Role {
            entrant: contender.name.clone(),
            stage,
            study: self.design.trials.map(|_| unit),
            trial,
            finalists: self.design.finalists.map(|count| count as u64),
        };
        let judged = |config: &RunConfig, trial: Option<u64>| -> Vec<PlannedRun> {
            let seeds = self.design.judged_seeds(unit);
            seeds.map(|seed| planned(RunConfig { seed, ..config.clone() }, role(stage, trial))).collect()
        };
        let Some(count) = self.design.trials else { return judged(&contender.config, None) };
        let configs = &contender.trials[unit as usize];
        let of_trial =
            |(number, config): (usize, &RunConfig)| planned(config.clone(), role(Stage::Trial, Some(number as u64)));
        let mut runs: Vec<PlannedRun> = configs.iter().enumerate().map(of_trial).collect();
        let Some(tried) = study.and_then(|study| study.tried(count)) else { return runs };
        let mut again = second_looks(&tried);
        again.sort_unstable();
        for number in again {
            let config = &configs[number as usize];
            let seeds = self.design.second_seeds(unit);
            let look = |seed| planned(RunConfig { seed, ..config.clone() }, role(Stage::SecondLook, Some(number)));
            runs.extend(seeds.map(look));
        }
        if let Some(chosen) = choose(&tried) {
            runs.extend(judged(&configs[chosen.number as usize], Some(chosen.number)));
        }
        runs
    }

    /// What is left of each entrant beside a plan: the runs that the shard has to come and that are not determined yet.
    /// Finalists that are not known count as the first entrants.
    pub fn to_come<'p>(&'p self, plan: &'p Plan, has: impl Fn(usize) -> bool) -> Vec<ToCome<'p>> {
        let mut known: HashMap<usize, usize> = HashMap::new();
        for index in 0..plan.runs.len() {
            *known.entry(plan.place(index).chain).or_default() += 1;
        }
        let finals = plan.runs.iter().filter(|run| plan.follows_screening(run));
        let begun: HashSet<&str> = finals.filter_map(|run| Some(run.role.as_ref()?.entrant.as_str())).collect();
        let mut finalists: Vec<usize> = (0..self.contenders.len()).collect();
        finalists.sort_by_key(|place| !begun.contains(self.contenders[*place].name.as_str()));
        finalists.truncate(self.design.finalists.unwrap_or(self.contenders.len()));
        finalists.sort_unstable();
        let mut to_come = Vec::new();
        for (place, contender) in self.contenders.iter().enumerate() {
            let rank = finalists.iter().position(|finalist| *finalist == place);
            let is_left = |unit: &u64| !self.design.is_after_screening(*unit) || rank.is_some();
            for unit in (0..self.design.units()).filter(is_left) {
                let chain = self.design.chain(self.contenders.len(), place, rank.unwrap_or(0), unit);
                let left = self.design.chain_length(unit) - known.get(&chain).copied().unwrap_or(0);
                if !has(chain) {
                    continue;
                }
                // The last ones judge.
                let results =
                    if self.design.is_before_finals(unit) { 0 } else { self.design.judged_runs(unit).min(left) };
                let of = |count, is_result| ToCome { count, config: &contender.config, is_result };
                to_come
                    .extend([of(left - results, false), of(results, true)].into_iter().filter(|runs| runs.count > 0));
            }
        }
        to_come
    }
}

fn planned(config: RunConfig, role: Role) -> PlannedRun {
    PlannedRun { name: name(&config), config, role: Some(role) }
}

/// The trials of an entrant, study by study.
fn trials(
    tunable: &Tunable,
    tuning: &Tuning,
    design: &Design,
    config: &RunConfig,
) -> Result<Vec<Vec<RunConfig>>, Usage> {
    let axes = tunable.axes();
    let of_study = |study: u64| -> Result<Vec<RunConfig>, Usage> {
        let shift = |key: &str| f64::from(uniform(&mut keyed(tuning.seed, Purpose::Tuning, study, shift_of(key))));
        let shifts: Vec<f64> = axes.iter().map(|axis| shift(&axis.key)).collect();
        let trial = |point: Vec<f64>| -> Result<RunConfig, Usage> {
            let values: Vec<f64> = axes.iter().zip(point).map(|(axis, place)| axis.at(place)).collect();
            let Entrant { optimizer, schedule, lr, .. } = tunable.at(&values)?;
            let lr = lr.unwrap_or(config.lr);
            Ok(RunConfig { optimizer, schedule, lr, seed: design.trial_seed(study), ..config.clone() })
        };
        points(&shifts, tuning.trials).into_par_iter().map(trial).collect()
    };
    (0..design.units()).map(of_study).collect()
}

/// The number of the draw that shifts an axis. It follows from the name, so that entrants with fewer axes share the shifts
/// of those they have, and another axis, or the order in which they are given, changes none.
fn shift_of(key: &str) -> u64 {
    if key == "lr" {
        return 0;
    }
    let digest = Sha256::digest(key);
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// # Errors
/// Two trials of a study are the same run: of one entrant in a narrow range, or of two that a range makes equal.
fn check_unlike(contenders: &[Contender]) -> Result<(), Usage> {
    let mut seen = HashMap::new();
    for contender in contenders {
        for (number, config) in contender.trials.iter().flat_map(|study| study.iter().enumerate()) {
            let trial = (contender, number);
            let Some((first, other)) = seen.insert((config.seed, meaning(config)), trial) else { continue };
            if first.name == contender.name {
                return usage!(
                    "{}: trials {other} and {number} are the same run, since values are rounded to three digits; take fewer trials or a wider range",
                    contender.name
                );
            }
            return usage!(
                "trial {other} of {} and trial {number} of {} are the same run; leave one out",
                first.name,
                contender.name
            );
        }
    }
    Ok(())
}
