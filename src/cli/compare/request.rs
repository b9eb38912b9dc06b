//! What the flags of `lrsched compare` ask for.

use super::check;
use crate::cli::{advice, settings};
use crate::config::settings as table;
use crate::config::{CommandName, Given, Grid, MachineConfig, RunConfig, Tuning, tuning};
use crate::data::{Dataset, DatasetKind};
use crate::engine;
use crate::experiment::{Entered, Entrant, Overrides, Plan, PlannedRun, Stages, StagesRequest, enter};
use crate::record::{ComparisonRow, Results, Role, Stage, Status};
use crate::report::analysis::Unit;
use crate::report::analysis::find_baseline;
use crate::run_folder::Existing;
use crate::stats::verdict::FEWEST;
use crate::train::Run;
use crate::usage;
use anyhow::Result;

/// The default of --seeds for finalists that are not tuned.
const OF_FINALISTS: u64 = 10;

/// What the flags ask for, checked as far as it can be without the images.
pub(super) struct Request {
    pub given: Given,
    pub machine: MachineConfig,
    pub entrants: Vec<Entrant>,
    /// As in [`Entered`].
    pub bare: Vec<(String, &'static str)>,
    /// The entrants before they are crossed with the grid.
    pub uncrossed: Vec<String>,
    pub grid: Grid,
    pub seeds: u64,
    pub tuning: Option<Tuning>,
    /// How many entrants are judged; `None`: all.
    pub finalists: Option<usize>,
    /// Whether a rate was given that the entrants share.
    pub shared_lr: bool,
    /// Whether the entrants, the parameters of their schedules and their length are ours.
    pub is_default: bool,
    /// Without tuning and screening; where there is either, one run of each entrant.
    pub plan: Plan,
}

impl Request {
    /// What is better known before the runs are paid for.
    pub(super) fn notes(&self) -> Vec<String> {
        let bare = (!self.bare.is_empty() && self.tuning.is_none()).then(|| advice::bare(&self.bare));
        self.too_few_for_a_claim().into_iter().chain(bare).map(|note| format!("note: {note}")).collect()
    }

    fn too_few_for_a_claim(&self) -> Option<String> {
        let studies = self.tuning.as_ref()?.studies;
        let support = if studies == 1 { "study supports" } else { "studies support" };
        (self.too_few() == Some(Unit::Study) && self.entrants.len() > 1)
            .then(|| format!("{studies} {support} no claim; {FEWEST} are the fewest (--studies {FEWEST})"))
    }

    /// What there is too little of for a claim.
    pub(super) fn too_few(&self) -> Option<Unit> {
        let fewest = FEWEST as u64;
        match &self.tuning {
            // Several finals of one tuning support a claim about its settings.
            Some(Tuning { studies: 1, .. }) if self.seeds >= fewest => None,
            Some(Tuning { studies, .. }) => (*studies < fewest).then_some(Unit::Study),
            None => (self.seeds < fewest).then_some(Unit::Seed),
        }
    }

    pub(super) fn of(mut given: Given) -> Result<Self> {
        let tuning = Tuning::of(&given)?;
        let grid = Grid::of(&mut given)?;
        let dataset = given.parse_own("dataset")?.unwrap_or_default();
        let entered = enter(given.list("entrants"), dataset, &Overrides::of(&given).crossed(grid.clone()))
            .map_err(|error| advice::crossed(&error, &grid, &given))?;
        let Entered { entrants, notes, bare, uncrossed } = entered;
        let finalists = tuning::finalists(&given, entrants.len())?;
        let seeds = given.read("seeds", |value| {
            let seeds = value.number(table::COUNT)?;
            Plan::check_seeds(seeds).map(|()| seeds)
        })?;
        // A final of one seed, after a screening, would support no claim.
        let seeds = seeds.unwrap_or(if finalists.is_some() && tuning.is_none() { OF_FINALISTS } else { 1 });
        let in_stages = tuning.is_some() || finalists.is_some();
        let machine = settings::machine(&given, CommandName::Compare)?;
        // A folder named after the time would be another for each shard, and at each start.
        if machine.shard.is_some() && machine.out.is_none() {
            return usage!("--shard needs --out: the folder that the shards share, or one of its own");
        }
        // The embedded dataset is easy and meant for a first look: two epochs separate good from bad within minutes.
        let epochs = if machine.data.kind == DatasetKind::Synthetic { 2 } else { 10 };
        let plan = Plan::new(&entrants, if in_stages { 1 } else { seeds }, |entrant| {
            let (optimizer, schedule) = (entrant.optimizer.clone(), entrant.schedule.clone());
            let config = table::run_config(&given, CommandName::Compare, optimizer, schedule, epochs)?;
            Ok(RunConfig { lr: entrant.lr.unwrap_or(config.lr), ..config })
        })?;
        crate::cli::warn(&advice::notes(&notes, tuning.is_some()));
        let shared_lr = given.has("lr");
        let is_default = !["entrants", "epochs", "batch-size"].into_iter().any(|name| given.has(name))
            && given.family("schedule", &table::schedule_entries()).is_empty()
            && grid.axes.is_empty()
            && tuning.as_ref().is_none_or(|tuning| tuning.ranges.is_empty());
        let request = Self {
            given,
            machine,
            entrants,
            bare,
            uncrossed,
            grid,
            seeds,
            tuning,
            finalists,
            shared_lr,
            is_default,
            plan,
        };
        // A fault in the shared settings should not be blamed on one entrant.
        engine::check(request.config().engine, request.config().device)?;
        for (entrant, planned) in request.firsts() {
            settings::check_without_images(&planned.config).map_err(|error| check::about(entrant, error))?;
        }
        Ok(request)
    }

    /// Whether what is trained follows from results.
    pub(super) const fn in_stages(&self) -> bool {
        self.tuning.is_some() || self.finalists.is_some()
    }

    /// The stages of a tuning or a screening, if there is either.
    ///
    /// # Errors
    /// Entrants that cannot be tuned so; more runs than a comparison may have.
    pub(super) fn stages(&self, dataset: &Dataset) -> Result<Option<Stages>> {
        if !self.in_stages() {
            return Ok(None);
        }
        self.stages_of(self.tuning.as_ref(), self.seeds, dataset).map(Some)
    }

    /// The same entrants, tuned so and judged on so many seeds.
    ///
    /// # Errors
    /// As [`Request::stages`].
    pub(super) fn stages_of(&self, tuning: Option<&Tuning>, seeds: u64, dataset: &Dataset) -> Result<Stages> {
        let entrants: Vec<(Entrant, RunConfig)> =
            self.firsts().map(|(entrant, run)| (entrant.clone(), run.config.clone())).collect();
        let stages = Stages::new(&StagesRequest {
            entrants: &entrants,
            tuning,
            finalists: self.finalists,
            seeds,
            steps_per_epoch: Run::steps_of(self.config(), dataset)?,
        });
        stages.map_err(|error| advice::tuned(error, &self.given))
    }

    /// Refuses a baseline that is no entrant of the plan, which would be noticed only after all are trained.
    pub(super) fn check_baseline(&self, stages: Option<&Stages>) -> Result<()> {
        let Some(baseline) = &self.machine.baseline else { return Ok(()) };
        let found = find_baseline(baseline, &self.planned(stages)).map(drop);
        found.map_err(|error| self.given.with_source("baseline", error).into())
    }

    /// Rows of the runs that are planned so far. Whatever a run is for, its entrant may be judged in the end.
    pub(super) fn planned(&self, stages: Option<&Stages>) -> Vec<ComparisonRow> {
        let judged = |run: &PlannedRun| ComparisonRow {
            role: run.role.clone().map(|role| Role { stage: Stage::Final, ..role }),
            ..ComparisonRow::new(&run.name, &run.config, Status::Running, Results::default())
        };
        let staged = stages.map(|stages| stages.plan(&[]));
        staged.as_ref().unwrap_or(&self.plan).runs.iter().map(judged).collect()
    }

    /// The config of the first run, for what all runs share.
    pub(super) fn config(&self) -> &RunConfig {
        &self.plan.runs[0].config
    }

    /// Each entrant with its first run.
    pub(super) fn firsts(&self) -> impl Iterator<Item = (&Entrant, &PlannedRun)> {
        let each = if self.in_stages() { 1 } else { self.seeds };
        self.entrants.iter().zip(self.plan.runs.iter().step_by(each as usize))
    }

    pub(super) fn existing(&self) -> Existing {
        if self.machine.force { Existing::Replace } else { Existing::Refuse }
    }

    /// The resolved settings as a config file for `compare`: the shared settings, the entrants in full, and the grid.
    pub(super) fn print_config(&self, given: &Given) -> Result<u8> {
        let mut table = settings::to_toml(self.config())?;
        table.retain(|key, _| table::takes(CommandName::Compare, key) && (self.shared_lr || key != "lr"));
        table.insert("entrants".to_string(), self.uncrossed.clone().into());
        settings::add_machine(&mut table, &self.machine, given, CommandName::Compare)?;
        let mut counts = vec![("seeds", self.seeds)];
        if let Some(Tuning { trials, seed, studies, .. }) = &self.tuning {
            counts.extend([("tune", *trials), ("tune-seed", *seed), ("studies", *studies)]);
        }
        counts.extend(self.finalists.map(|finalists| ("finalists", finalists as u64)));
        for (name, count) in counts {
            table.insert(name.to_string(), settings::whole_number(name, count)?.into());
        }
        // Tables come last in TOML.
        if !self.grid.axes.is_empty() {
            table.insert("grid".to_string(), self.grid.to_toml().into());
        }
        if let Some(tuning) = self.tuning.as_ref().filter(|tuning| !tuning.ranges.is_empty()) {
            table.insert("tune-range".to_string(), tuning.ranges_to_toml().into());
        }
        crate::cli::say(&toml::to_string_pretty(&table)?)?;
        Ok(0)
    }
}
