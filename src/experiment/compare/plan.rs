//! Which runs a comparison consists of.

use crate::config::grid::{MOST_RUNS, rule};
use crate::config::{MOST_SEEDS, RunConfig, Shard};
use crate::experiment::entrant::Entrant;
use crate::experiment::tune::Design;
use crate::number::{counted, grouped};
use crate::optim::OptimizerSpec;
use crate::record::{ComparisonRow, Role, Stage, folder_name};
use crate::schedule::{Semantics, Spec};
use crate::usage;
use crate::usage::Usage;
use std::collections::HashMap;

/// One run of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedRun {
    /// Its folder below `runs/`, and its name in the CSV.
    pub name: String,
    pub config: RunConfig,
    /// What it is for, where entrants are tuned or screened.
    pub role: Option<Role>,
}

/// All runs of a comparison, as far as they are determined: seed by seed within an entrant, or stage by stage within a
/// study.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub runs: Vec<PlannedRun>,
    /// Of each run.
    places: Vec<RunPlace>,
    /// How many runs there are, those that have yet to be determined included.
    pub total: usize,
    /// The stages that its runs have, if they have any.
    pub design: Option<Design>,
}

/// Where a run stands in the whole of a comparison, whatever of it is determined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunPlace {
    /// Runs that follow from each other share a chain, which one process trains.
    pub chain: usize,
    /// The study of a run that is tuned, else its seed: those of a round are trained before those of the next, so that whoever
    /// stops has the same studies or seeds of all entrants, but for those under way.
    pub round: u64,
    /// From 1, the same in every process: its place among the planned runs, or where runs are tuned or screened, its turn.
    pub number: usize,
}

impl Plan {
    /// Runs that do not depend on each other.
    pub fn of(runs: Vec<PlannedRun>) -> Self {
        let place = |(at, run): (usize, &PlannedRun)| RunPlace { chain: at, round: run.config.seed, number: at + 1 };
        let places = runs.iter().enumerate().map(place).collect();
        Self { total: runs.len(), places, runs, design: None }
    }

    /// The runs of a comparison of stages.
    pub(in crate::experiment) fn staged(runs: Vec<(PlannedRun, RunPlace)>, total: usize, design: Design) -> Self {
        let (runs, places) = runs.into_iter().unzip();
        Self { runs, places, total, design: Some(design) }
    }

    /// The names of those that are tuned or screened, once for each of their runs.
    pub(super) fn entrants(&self) -> impl Iterator<Item = &str> {
        self.runs.iter().filter_map(|run| Some(run.role.as_ref()?.entrant.as_str()))
    }

    pub fn place(&self, index: usize) -> RunPlace {
        self.places[index]
    }

    /// Of the runs at these indices, those to train next, in the order of their turns: one round, and as many further ones as
    /// keep `at_once` busy. Where nothing is tuned, all: what follows from a screening is not known before its end.
    pub(super) fn next(&self, mut missing: Vec<usize>, at_once: usize) -> Vec<usize> {
        let place = |index: usize| self.places[index];
        missing.sort_by_key(|&index| (place(index).round, place(index).number));
        if self.design.is_none_or(|design| design.trials.is_none()) {
            return missing;
        }
        let mut count = 0;
        for round in missing.chunk_by(|&a, &b| place(a).round == place(b).round) {
            if count >= at_once.max(1) {
                break;
            }
            count += round.len();
        }
        missing.truncate(count);
        missing
    }

    /// Whether the run at this index is one of the shard.
    pub fn is_of(&self, index: usize, shard: Shard) -> bool {
        shard.has(self.places[index].chain)
    }

    /// Whether the finalists are not known yet.
    pub fn is_before_finals(&self) -> bool {
        self.design.is_some_and(|design| design.finalists.is_some())
            && !self.runs.iter().any(|run| self.follows_screening(run))
    }

    /// Whether only a finalist has this run.
    pub(in crate::experiment) fn follows_screening(&self, run: &PlannedRun) -> bool {
        let Some((design, role)) = self.design.zip(run.role.as_ref()) else { return false };
        let is_after = |study| design.is_after_screening(study);
        design.finalists.is_some() && role.study.map_or(role.stage == Stage::Final, is_after)
    }

    /// The chain of a run with this role, if the plan has one of the same.
    pub(super) fn chain_of(&self, role: &Role) -> Option<usize> {
        let same = |of: &Role| of.entrant == role.entrant && of.study == role.study;
        let at = self.runs.iter().position(|run| role.study.is_some() && run.role.as_ref().is_some_and(same))?;
        Some(self.places[at].chain)
    }

    /// # Errors
    /// No seed, or too many.
    pub fn check_seeds(seeds: u64) -> Result<(), Usage> {
        if (1..=MOST_SEEDS).contains(&seeds) {
            return Ok(());
        }
        usage!("seeds must be from 1 to {MOST_SEEDS}, got {seeds}")
    }

    /// `config` builds the config for an entrant's first seed; later runs increment the seed.
    ///
    /// # Errors
    /// No entrants, too many runs, a duplicate entrant, or an invalid config.
    pub fn new(
        entrants: &[Entrant],
        seeds: u64,
        config: impl Fn(&Entrant) -> Result<RunConfig, Usage>,
    ) -> Result<Self, Usage> {
        if entrants.is_empty() {
            return usage!("a comparison needs at least 1 entrant, got none");
        }
        Self::check_seeds(seeds)?;
        let count = seeds.saturating_mul(entrants.len() as u64);
        if count > MOST_RUNS {
            return usage!(
                "{} with {} are {} runs; {}",
                counted(entrants.len() as u64, "entrant"),
                counted(seeds, "seed"),
                grouped(count),
                rule()
            );
        }
        let mut runs: Vec<PlannedRun> = Vec::new();
        let mut entered: HashMap<Meaning, &Entrant> = HashMap::new();
        for entrant in entrants {
            let first = config(entrant)?;
            first.check_seeds(seeds)?;
            if let Some(other) = entered.insert(meaning(&first), entrant) {
                return Err(same_run(other, entrant));
            }
            for index in 0..seeds {
                let config = RunConfig { seed: first.seed + index, ..first.clone() };
                runs.push(PlannedRun { name: name(&config), config, role: None });
            }
        }
        Ok(Self::of(runs))
    }

    /// Each run by its seed and its entrant's identity.
    pub(super) fn meanings(&self) -> HashMap<(u64, Meaning), &PlannedRun> {
        self.runs.iter().map(|run| ((run.config.seed, meaning(&run.config)), run)).collect()
    }
}

fn same_run(first: &Entrant, second: &Entrant) -> Usage {
    let (one, other) = (first.to_string(), second.to_string());
    Usage(match (first.of_grid || second.of_grid, one == other) {
        (true, true) => format!("the grid makes {one} twice; leave out a value, or the entrant"),
        (true, false) => format!("the grid makes {one} and {other}, the same run; leave out a value, or an entrant"),
        (false, true) => format!("entrant {one} is named twice; leave one out"),
        (false, false) => format!("the entrants {one} and {other} are the same run; leave one out"),
    })
}

/// An entrant's identity, independent of how it is spelled.
pub(in crate::experiment) type Meaning = (String, String, u64, Semantics);

pub(in crate::experiment) fn meaning(config: &RunConfig) -> Meaning {
    let RunConfig { optimizer, schedule, lr, semantics, .. } = config;
    (optimizer.canonical(*semantics), schedule.canonical(*lr), lr.to_bits(), *semantics)
}

/// The same for a run known only from its row.
pub(in crate::experiment) fn meaning_of(row: &ComparisonRow) -> Option<Meaning> {
    let optimizer: OptimizerSpec = row.optimizer.parse().ok()?;
    let schedule: Spec = row.schedule.parse().ok()?;
    Some((optimizer.canonical(row.semantics), schedule.canonical(row.lr), row.lr.to_bits(), row.semantics))
}

/// A folder name that describes the run.
pub(in crate::experiment) fn name(config: &RunConfig) -> String {
    folder_name(&format!("{}_{}_lr={}_seed={}", config.optimizer, config.schedule, config.lr, config.seed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Tuning;

    /// Runs of these rounds, numbered in this order.
    fn plan(rounds: &[u64], tuned: bool) -> Plan {
        let run = |(at, &round): (usize, &u64)| {
            let run = PlannedRun { name: at.to_string(), config: RunConfig::default(), role: None };
            (run, RunPlace { chain: at, round, number: at + 1 })
        };
        let tuning = Tuning { trials: 2, ranges: Vec::new(), seed: 0, studies: 3 };
        let design = Design::new(0, Some(&tuning).filter(|_| tuned), None, 1);
        Plan::staged(rounds.iter().enumerate().map(run).collect(), rounds.len(), design)
    }

    #[test]
    fn the_next_runs_are_those_of_a_study_and_of_as_many_more_as_keep_all_jobs_busy() {
        let tuned = plan(&[0, 1, 2, 0, 1, 2, 1, 2], true);
        let all: Vec<usize> = (0..8).collect();
        for (at_once, expected) in [
            (0, &[0, 3][..]),
            (1, &[0, 3]),
            (2, &[0, 3]),
            // A study of two leaves jobs idle.
            (3, &[0, 3, 1, 4, 6]),
            (5, &[0, 3, 1, 4, 6]),
            (6, &[0, 3, 1, 4, 6, 2, 5, 7]),
            (100, &[0, 3, 1, 4, 6, 2, 5, 7]),
        ] {
            assert_eq!(tuned.next(all.clone(), at_once), expected, "{at_once} at once");
        }
        assert_eq!(tuned.next(vec![2, 4, 5], 1), [4], "of the study that is done, none is missing");
        assert_eq!(tuned.next(Vec::new(), 2), [0; 0]);
        assert_eq!(plan(&[0, 1, 0, 1], false).next((0..4).collect(), 1), [0, 2, 1, 3], "nothing follows from them");
    }
}
