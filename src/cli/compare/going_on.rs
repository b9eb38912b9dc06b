//! How to go on with a comparison: the command that makes a claim possible, the one that makes it about schedules, and the
//! one that finds a winner.

use super::request::Request;
use crate::cli::next::GoingOn;
use crate::cli::session::{is_below_flags, same_command_but};
use crate::config::Tuning;
use crate::config::grid::MOST_RUNS;
use crate::config::tuning::{MOST_TRIALS, STUDIES};
use crate::data::Dataset;
use crate::experiment::{Overrides, Scheduler, Stages};
use crate::record::{ComparisonRow, Status};
use crate::report::analysis::{Unit, find_baseline};
use crate::report::entrants::{Key, key};
use crate::report::next::{Cost, NextStep, Purpose};
use crate::stats::mean;
use crate::stats::verdict::FEWEST;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// The trials of a tuning that is suggested.
const TRIALS: u64 = 8;

/// Fresh seeds are so far from those that were used.
const FRESH: u64 = 10_000;

impl Request {
    /// How to go on with the comparison in `folder`, which has these `rows`.
    pub(super) fn going_on<'a>(
        &'a self,
        folder: &'a Path,
        stages: Option<&'a Stages>,
        dataset: &Dataset,
        rows: &'a [ComparisonRow],
    ) -> GoingOn<'a> {
        // As typed, or as LRSCHED_DATA_DIR has it; what LRSCHED_DATA says goes for the next command, too.
        let data_dir = self.given.path("data-dir");
        // What stdin had is gone; and this command again would leave those behind that others have put into the folder.
        let is_of_stdin = self.given.text("config") == Some("-");
        if is_of_stdin || has_others(&self.planned(stages), rows) {
            return GoingOn { data_dir, ..GoingOn::default() };
        }
        GoingOn {
            data_dir,
            for_claim: self.for_claim(folder, stages, dataset, rows),
            for_schedules: self.for_schedules(folder, stages, dataset, rows),
            closer: self.closer(folder, stages, dataset, rows),
            settle: Some(Box::new(move |names, studies| self.settle(folder, stages?, rows, names, studies))),
        }
    }

    /// The command that adds what there is too little of for a claim.
    fn for_claim(
        &self,
        folder: &Path,
        stages: Option<&Stages>,
        dataset: &Dataset,
        rows: &[ComparisonRow],
    ) -> Option<NextStep> {
        let fewest = FEWEST as u64;
        let unit = self.too_few()?;
        let tuning = self.tuning.clone().map(|tuning| Tuning { studies: fewest, ..tuning });
        let seeds = if unit == Unit::Seed { fewest } else { self.seeds };
        let flag = if unit == Unit::Seed { "seeds" } else { "studies" };
        let runs = self.more_runs(stages, tuning.as_ref(), seeds, dataset);
        let line = same_command_but(folder, &[], &[(flag, &[FEWEST.to_string()])]);
        Some(self.step(Purpose::Claim { unit, count: FEWEST }, runs, rows, line))
    }

    /// The command that tunes the entrants of an untuned comparison, if they can be tuned as they are, or repeats the one
    /// tuning that they had.
    fn for_schedules(
        &self,
        folder: &Path,
        stages: Option<&Stages>,
        dataset: &Dataset,
        rows: &[ComparisonRow],
    ) -> Option<NextStep> {
        if let Some(tuning) = &self.tuning {
            if tuning.studies > 1 {
                return None;
            }
            let more = Tuning { studies: STUDIES, ..tuning.clone() };
            let runs = self.more_runs(stages, Some(&more), self.seeds, dataset);
            let line = same_command_but(folder, &[], &[("studies", &[STUDIES.to_string()])]);
            return Some(self.step(Purpose::Schedules { studies: Some(STUDIES as usize) }, runs, rows, line));
        }
        if self.shared_lr || self.grid.axis("lr").is_some() {
            return None;
        }
        let tuning = Tuning { trials: TRIALS, ranges: Vec::new(), seed: 0, studies: STUDIES };
        let tuned = self.stages_of(Some(&tuning), 1, dataset).ok()?;
        let trials = [TRIALS.to_string()];
        let baseline = match &self.machine.baseline {
            Some(baseline) => vec![self.tuned_name(&tuned, baseline)?],
            None => Vec::new(),
        };
        let mut with = vec![("tune", &trials[..])];
        let one = ["1".to_string()];
        with.extend(Some(("seeds", &one[..])).filter(|_| is_below_flags("seeds")));
        with.extend(Some(("baseline", &baseline[..])).filter(|_| !baseline.is_empty()));
        let runs = tuned.design.total(self.entrants.len());
        let line = same_command_but(&beside(folder, "tuned")?, &["seeds", "out"], &with);
        Some(self.step(Purpose::Schedules { studies: None }, Some(runs), rows, line))
    }

    /// The command that tries twice as many rates of each entrant.
    fn closer(
        &self,
        folder: &Path,
        stages: Option<&Stages>,
        dataset: &Dataset,
        rows: &[ComparisonRow],
    ) -> Option<NextStep> {
        let tuning = self.tuning.as_ref()?;
        let count = tuning.trials.checked_mul(2).filter(|count| *count <= MOST_TRIALS)?;
        let more = Tuning { trials: count, ..tuning.clone() };
        let runs = self.more_runs(stages, Some(&more), self.seeds, dataset)?;
        let line = same_command_but(folder, &[], &[("tune", &[count.to_string()])]);
        Some(self.step(Purpose::Trials { count }, Some(runs), rows, line))
    }

    /// What the baseline of an untuned comparison is called once its rate is tuned.
    fn tuned_name(&self, tuned: &Stages, baseline: &str) -> Option<String> {
        let rows = self.planned(None);
        let found = find_baseline(baseline, &rows).ok()?;
        let name = &found.runs.first()?.run;
        let place = self.firsts().position(|(_, first)| first.name == *name)?;
        Some(tuned.contenders[place].name.clone())
    }

    /// The command that repeats the tuning of those with these names so many times, all on fresh seeds.
    fn settle(
        &self,
        folder: &Path,
        stages: &Stages,
        rows: &[ComparisonRow],
        names: &[String],
        studies: usize,
    ) -> Option<NextStep> {
        // Those of a file or a variable cannot be left out, and may not suit fewer entrants.
        if ["finalists", "baseline"].into_iter().any(is_below_flags) {
            return None;
        }
        let tuning = self.tuning.as_ref()?;
        let overrides = Overrides::of(&self.given);
        let is_plain = self.grid.axes.is_empty() && overrides.optimizer.is_empty() && overrides.schedule.is_empty();
        // What applies to some of the entrants only may apply to none of these.
        if !is_plain || tuning.ranges.iter().any(|axis| axis.key != "lr") {
            return None;
        }
        let all = stages.contenders.iter().zip(&self.uncrossed);
        let open = all.filter(|(contender, _)| names.contains(&contender.name));
        let entrants: Vec<String> = open.map(|(_, typed)| typed.clone()).collect();
        let runs = stages.design.chain_length(stages.design.units() - 1) * entrants.len() * studies;
        if runs as u64 > MOST_RUNS {
            return None;
        }
        let seeds = [self.config().seed.checked_add(FRESH)?, tuning.seed.checked_add(1)?];
        let numbers = [studies as u64, seeds[0], seeds[1]].map(|number| [number.to_string()]);
        let [studies_of, seed, tune_seed] = &numbers;
        let with: [(&str, &[String]); 4] =
            [("entrants", &entrants), ("studies", studies_of), ("seed", seed), ("tune-seed", tune_seed)];
        let line = same_command_but(&beside(folder, "fresh")?, &["out", "finalists", "baseline"], &with);
        Some(self.step(Purpose::Settle { studies }, Some(runs), rows, line))
    }

    /// How many more runs this comparison has with another tuning, or with so many seeds.
    fn more_runs(
        &self,
        stages: Option<&Stages>,
        tuning: Option<&Tuning>,
        seeds: u64,
        dataset: &Dataset,
    ) -> Option<usize> {
        let entrants = self.entrants.len();
        let Some(stages) = stages else { return Some((seeds - self.seeds) as usize * entrants) };
        let more = self.stages_of(tuning, seeds, dataset).ok()?;
        Some(more.design.total(entrants) - stages.design.total(entrants))
    }

    /// A command of so many runs, if that is known.
    fn step(&self, purpose: Purpose, runs: Option<usize>, rows: &[ComparisonRow], line: String) -> NextStep {
        NextStep { purpose, cost: runs.map(|runs| self.cost(runs, rows)), line }
    }

    /// Of so many runs, judged by those that have finished.
    fn cost(&self, runs: usize, rows: &[ComparisonRow]) -> Cost {
        let finished = rows.iter().filter(|row| row.status == Status::Finished);
        let each = mean(&finished.filter_map(|row| row.results.seconds).collect::<Vec<_>>());
        let (scheduler, _) = Scheduler::choose(self.machine.jobs, self.machine.threads, runs, self.config(), None);
        Cost { runs, seconds: each.map(|each| each * runs as f64 / scheduler.at_once as f64) }
    }
}

/// A folder of this name and another ending.
fn beside(folder: &Path, ending: &str) -> Option<PathBuf> {
    let mut name = folder.file_name()?.to_owned();
    name.push(format!("-{ending}"));
    Some(folder.with_file_name(name))
}

/// Whether some rows are of entrants that are not planned.
fn has_others(planned: &[ComparisonRow], rows: &[ComparisonRow]) -> bool {
    let planned: HashSet<Key> = planned.iter().map(key).collect();
    rows.iter().any(|row| !planned.contains(&key(row)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RunConfig;
    use crate::record::Results;

    #[test]
    fn entrants_of_other_commands_are_told_by_what_they_are_and_not_by_how_many_there_are() {
        let row = |schedule: &str, seed: u64| {
            let config = RunConfig { schedule: schedule.parse().unwrap(), seed, ..RunConfig::default() };
            ComparisonRow::new("", &config, Status::Finished, Results::default())
        };
        let planned = ["cosine", "linear"].map(|schedule| row(schedule, 0));
        assert!(
            !has_others(&planned, &[row("linear", 0), row("linear", 7)]),
            "of other seeds, and not of all entrants"
        );
        assert!(has_others(&planned, &[row("linear", 0), row("step", 0)]), "two of two, and one is another");
    }
}
