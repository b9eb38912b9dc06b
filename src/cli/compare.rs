//! `lrsched compare`: all entrants, and which one won.

use super::advice;
use super::dry_run::{DryRun, Listed};
use super::live::{Bars, JsonEvents, Label};
use super::session::{self, Keys, Session};
use super::{ranking, settings};
use crate::config::settings as table;
use crate::config::{CommandName, Course, Given, Grid, Keep, MachineConfig, RunConfig, Shard, Tuning, tuning};
use crate::data::{Dataset, DatasetKind};
use crate::engine;
use crate::experiment::{
    Comparison, ComparisonObserver, Entered, Entrant, Overrides, Plan, PlanProgress, PlannedRun, Remaining, Stages,
    StagesRequest, ToCome, Training, enter,
};
use crate::number::counted;
use crate::record::files::COMPARISON_CSV;
use crate::record::{ComparisonRow, Results, Role, Stage, Status};
use crate::report::analysis::check_baseline;
use crate::run_folder::{Existing, InUse};
use crate::shell;
use crate::train::{All, Event, Observer, Run};
use crate::usage;
use crate::usage::Usage;
use anyhow::Result;
use clap::{ArgMatches, Command};
use std::collections::HashMap;
use std::path::Path;

pub fn command() -> Command {
    let command = Command::new("compare")
        .about("Train every entrant and rank them")
        .after_help("Example: lrsched compare --entrants 'sgd/step:factor=0.5,drop-every=10' sgd/cosine adam/constant --seeds 3 --epochs 10\nRun again with the same --out, it resumes where it stopped and trains only what is missing.");
    settings::with_flags(command, CommandName::Compare, &[])
}

pub fn run(matches: &ArgMatches) -> Result<u8> {
    let session = Session::listen()?;
    let given = settings::gather(&command(), CommandName::Compare, matches)?;
    let quiet = given.switch("quiet")?;
    let request = Request::of(given)?;
    let machine = &request.machine;
    if machine.print_config {
        return request.print_config();
    }
    let dataset = Dataset::open(&machine.data)?;
    let warnings = check_with_images(request.firsts(), request.entrants.len(), &dataset)?;
    let stages = request.stages(&dataset)?;
    request.check_baseline(stages.as_ref())?;
    if let Some(code) = session.stopped_early() {
        return Ok(code);
    }
    let folder = settings::out_folder(machine, &format!("compare-{}", machine.data.kind));
    if machine.dry_run {
        return request.print_plan(&folder, stages.as_ref(), &dataset, &warnings, &session);
    }
    request.train(&folder, stages.as_ref(), &dataset, &warnings, session, quiet)
}

/// What the flags ask for, checked as far as it can be without the images.
struct Request {
    machine: MachineConfig,
    entrants: Vec<Entrant>,
    /// The entrants before they are crossed with the grid.
    uncrossed: Vec<String>,
    grid: Grid,
    seeds: u64,
    tuning: Option<Tuning>,
    /// How many entrants are judged; `None`: all.
    finalists: Option<usize>,
    /// Whether a rate was given that the entrants share.
    shared_lr: bool,
    /// Without tuning and screening; where there is either, one run of each entrant.
    plan: Plan,
}

impl Request {
    fn of(mut given: Given) -> Result<Self> {
        let tuning = Tuning::of(&given)?;
        let grid = Grid::of(&mut given)?;
        let entered = enter(given.list("entrants"), &Overrides::of(&given).crossed(grid.clone()))
            .map_err(|error| advice::crossed(&error, &grid, &given))?;
        let Entered { entrants, notes, uncrossed } = entered;
        let finalists = tuning::finalists(&given, entrants.len())?;
        let seeds = given.parse("seeds", table::COUNT)?.unwrap_or(1);
        let in_stages = (tuning.is_some() || finalists.is_some()) && seeds > 0;
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
        super::warn(&advice::notes(&notes, tuning.is_some()));
        let shared_lr = given.has("lr");
        let request = Self { machine, entrants, uncrossed, grid, seeds, tuning, finalists, shared_lr, plan };
        // A fault in the shared settings should not be blamed on one entrant.
        engine::check(request.config().engine, request.config().device)?;
        for (entrant, planned) in request.firsts() {
            settings::check_without_images(&planned.config).map_err(|error| about(entrant, error))?;
        }
        if !request.in_stages() {
            request.check_baseline(None)?;
        }
        Ok(request)
    }

    /// Whether what is trained follows from results.
    const fn in_stages(&self) -> bool {
        self.tuning.is_some() || self.finalists.is_some()
    }

    /// The stages of a tuning or a screening, if there is either.
    ///
    /// # Errors
    /// Entrants that cannot be tuned so; more runs than a comparison may have.
    fn stages(&self, dataset: &Dataset) -> Result<Option<Stages>> {
        if !self.in_stages() {
            return Ok(None);
        }
        let entrants: Vec<(Entrant, RunConfig)> =
            self.firsts().map(|(entrant, run)| (entrant.clone(), run.config.clone())).collect();
        let stages = Stages::new(&StagesRequest {
            entrants: &entrants,
            tuning: self.tuning.as_ref(),
            finalists: self.finalists,
            seeds: self.seeds,
            steps_per_epoch: Run::steps_of(self.config(), dataset)?,
        })?;
        Ok(Some(stages))
    }

    /// Refuses a baseline that is no entrant of the plan, which would be noticed only after all are trained.
    fn check_baseline(&self, stages: Option<&Stages>) -> Result<()> {
        let Some(baseline) = &self.machine.baseline else { return Ok(()) };
        if let Some(stages) = stages {
            let plan = stages.plan(&[]);
            let row = |run: &PlannedRun| ComparisonRow {
                role: run.role.clone().map(|role| Role { stage: Stage::Final, ..role }),
                ..ComparisonRow::new(&run.name, &run.config, Status::Running, Results::default())
            };
            let rows: Vec<ComparisonRow> = plan.runs.iter().map(row).collect();
            return Ok(check_baseline(baseline, &rows)?);
        }
        let row = |run: &PlannedRun| ComparisonRow::new(&run.name, &run.config, Status::Running, Results::default());
        let rows: Vec<ComparisonRow> = self.firsts().map(|(_, run)| row(run)).collect();
        Ok(check_baseline(baseline, &rows)?)
    }

    /// The config of the first run, for what all runs share.
    fn config(&self) -> &RunConfig {
        &self.plan.runs[0].config
    }

    /// Each entrant with its first run.
    fn firsts(&self) -> impl Iterator<Item = (&Entrant, &PlannedRun)> {
        let each = if self.in_stages() { 1 } else { self.seeds };
        self.entrants.iter().zip(self.plan.runs.iter().step_by(each as usize))
    }

    fn existing(&self) -> Existing {
        if self.machine.force { Existing::Replace } else { Existing::Refuse }
    }

    /// `--dry-run`.
    fn print_plan(
        &self,
        folder: &Path,
        stages: Option<&Stages>,
        dataset: &Dataset,
        warnings: &[String],
        session: &Session,
    ) -> Result<u8> {
        let Self { machine, .. } = self;
        let determined = stages.map(|stages| stages.plan_in(folder, self.existing())).transpose()?;
        let plan = determined.as_ref().unwrap_or(&self.plan);
        let found = plan.survey(folder, dataset, self.existing(), machine.shard);
        let runs = if machine.shard.is_some() { found.map_err(advice::of_shard)? } else { found? };
        super::warn(warnings);
        let listed = |(place, remaining): (usize, Remaining)| {
            let name = Some(plan.runs[place].name.clone());
            Listed { number: Some(plan.place(place).number), name, remaining }
        };
        let mut runs: Vec<Listed> = runs.into_iter().map(listed).collect();
        if let Some(stages) = stages {
            let to_come = stages.to_come(plan, is_of(machine.shard));
            let split = dataset.split(self.config().validation, self.config().train_limit)?;
            for ToCome { count, config, is_result } in to_come {
                let remaining = Remaining::whole(config, is_result, &split);
                runs.extend((0..count).map(|_| Listed { number: None, name: None, remaining: remaining.clone() }));
            }
        }
        let dry = DryRun { folder, config: self.config(), planned: plan.total, runs };
        dry.print(dataset, machine, session)
    }

    /// Trains what is missing in `folder`, and ranks it.
    fn train(
        &self,
        folder: &Path,
        stages: Option<&Stages>,
        dataset: &Dataset,
        warnings: &[String],
        mut session: Session,
        quiet: bool,
    ) -> Result<u8> {
        let machine = &self.machine;
        let control = session.control.clone();
        let stopping = || control.stopping().is_some();
        let mut plan = stages.map_or_else(|| self.plan.clone(), |stages| stages.plan(&[]));
        let opened = Comparison::open(folder, plan.clone(), dataset, self.existing(), machine.shard, &stopping);
        // It waited for other shards.
        if opened.is_err()
            && let Some(code) = session.stopped_early()
        {
            return Ok(code);
        }
        let mut comparison = if machine.shard.is_some() { opened.map_err(advice::of_shard)? } else { opened? };
        // What earlier processes have trained may determine more, which may be done as well.
        while let Some(longer) = longer(stages, &plan, &mut comparison)? {
            comparison.extend(longer.clone(), dataset, &stopping)?;
            plan = longer;
        }
        let to_come = |plan: &Plan| {
            let counts = stages.map(|stages| stages.to_come(plan, is_of(machine.shard)));
            counts.map_or(0, |counts| counts.iter().map(|runs| runs.count).sum::<usize>())
        };
        let missing = comparison.missing();
        let left = missing + if missing == 0 { 0 } else { to_come(&plan) };
        let (mut scheduler, limit) = settings::scheduler(machine, self.config(), left);
        let mut chosen_for = left;
        let longest = plan.runs.iter().map(|run| run.name.chars().count()).max().unwrap_or_default();
        let bars = Bars::of_runs(machine.progress, left as u64, scheduler.at_once, longest);
        comparison.notes().iter().for_each(|note| bars.warn(&format!("warning: {note}")));
        let ours = comparison.ours();
        if ours == 0 {
            // Said at the end.
        } else if missing == 0 {
            let done = counted(comparison.rows_of_plan() as u64, "run");
            bars.line(&format!("nothing left to train: {done} done"));
        } else {
            limit.iter().for_each(|limit| bars.line(limit));
            warnings.iter().for_each(|warning| bars.warn(&format!("warning: {warning}")));
        }
        // An entrant's name fixes its rate, which must not be changed by hand.
        session.begin(&bars, Keys::WithoutRates, machine.json);
        let mut done = 0;
        let stopped = loop {
            done += comparison.missing();
            let training = Training {
                scheduler,
                observer: &LiveComparison { bars: &bars, plan: &plan, json: machine.json },
                control: &control,
                every: machine.every,
                words: advice::verdict,
                keep: machine.keep.unwrap_or(Keep::Best),
            };
            let stopped = comparison.run(dataset, &training)?;
            if stopped.is_some() {
                break stopped;
            }
            let Some(longer) = longer(stages, &plan, &mut comparison)? else { break None };
            if let Err(error) = comparison.extend(longer.clone(), dataset, &stopping) {
                match control.stopping() {
                    // It waited for other shards.
                    Some(stop) => break Some(stop),
                    None => return Err(error),
                }
            }
            plan = longer;
            let left = comparison.missing() + to_come(&plan);
            bars.expect((done + left) as u64);
            // Results of other shards determine runs that were not expected here.
            if left > chosen_for {
                scheduler = settings::scheduler(machine, self.config(), left).0;
                chosen_for = left;
            }
        };
        drop(session);
        if let Some(stop) = stopped {
            bars.warn(&format!("stopped; finished work is saved in {}", folder.display()));
            bars.warn(&format!("resume with:  {}", session::same_command(folder)));
            return Ok(stop.exit_code());
        }
        if let Some(shard) = machine.shard {
            let ours = comparison.ours();
            tell_progress(shard, ours, &plan, &mut comparison, folder, machine.baseline.as_deref(), &bars)?;
        }
        comparison.late_notes().iter().for_each(|note| bars.warn(&format!("warning: {note}")));
        drop(bars);
        self.rank(&comparison, folder, quiet)
    }

    /// Ranks the comparison, unless this process trained a shard of it, and returns the exit code.
    fn rank(&self, comparison: &Comparison, folder: &Path, quiet: bool) -> Result<u8> {
        let Self { machine, .. } = self;
        let rows = comparison.rows();
        if rows.is_empty() && comparison.left_to_others() > 0 {
            return Ok(ranking::SOME_FAILED);
        }
        let code = if machine.shard.is_some() {
            ranking::code(&rows)
        } else {
            let title = format!("{} on {}", self.config().model, machine.data.kind);
            ranking::rank(folder, &title, machine.baseline.as_deref(), &rows, machine.json, quiet)?
        };
        Ok(if comparison.left_to_others() > 0 { ranking::SOME_FAILED } else { code })
    }

    /// The resolved settings as a config file for `compare`: the shared settings, the entrants in full, and the grid.
    fn print_config(&self) -> Result<u8> {
        let mut table = toml::Table::try_from(self.config())?;
        table.retain(|key, _| table::takes(CommandName::Compare, key) && (self.shared_lr || key != "lr"));
        table.insert("entrants".to_string(), self.uncrossed.clone().into());
        settings::add_data_dir(&mut table, &self.machine)?;
        table.insert("seeds".to_string(), toml::Value::Integer(self.seeds.cast_signed()));
        let whole = |number: u64| toml::Value::Integer(number.cast_signed());
        if let Some(Tuning { trials, seed, studies, .. }) = &self.tuning {
            table.insert("tune".to_string(), whole(*trials));
            table.insert("tune-seed".to_string(), whole(*seed));
            table.insert("studies".to_string(), whole(*studies));
        }
        if let Some(finalists) = self.finalists {
            table.insert("finalists".to_string(), whole(finalists as u64));
        }
        // Tables come last in TOML.
        if !self.grid.axes.is_empty() {
            table.insert("grid".to_string(), self.grid.to_toml().into());
        }
        if let Some(tuning) = self.tuning.as_ref().filter(|tuning| !tuning.ranges.is_empty()) {
            table.insert("tune-range".to_string(), tuning.ranges_to_toml().into());
        }
        super::say(&toml::to_string_pretty(&table)?)?;
        Ok(0)
    }
}

/// Which chains a process trains.
fn is_of(shard: Option<Shard>) -> impl Fn(usize) -> bool {
    move |chain| shard.is_none_or(|shard| shard.has(chain))
}

/// The plan after `plan`, if the results so far determine more runs.
fn longer(stages: Option<&Stages>, plan: &Plan, comparison: &mut Comparison) -> Result<Option<Plan>> {
    let Some(stages) = stages else { return Ok(None) };
    let longer = stages.plan(&comparison.known()?);
    Ok((longer.runs.len() > plan.runs.len()).then_some(longer))
}

/// Checks the first run of each of `all` entrants with its images. Returns what looks wrong with their schedules, each
/// line once for the entrants that share it.
fn check_with_images<'a>(
    firsts: impl Iterator<Item = (&'a Entrant, &'a PlannedRun)>,
    all: usize,
    dataset: &Dataset,
) -> Result<Vec<String>> {
    let mut warned: Vec<(String, Vec<String>)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut steps_per_epoch = None;
    for (entrant, planned) in firsts {
        // The runs of a comparison share their images and batches.
        let steps = match steps_per_epoch {
            Some(steps) => steps,
            None => *steps_per_epoch.insert(Run::steps_of(&planned.config, dataset)?),
        };
        Run::check_without_images(&planned.config, steps).map_err(|error| about(entrant, error))?;
        for line in Course::of(&planned.config).warnings(planned.config.semantics, steps, 0)? {
            let place = *places.entry(line.clone()).or_insert(warned.len());
            match warned.get_mut(place) {
                Some((_, of)) => of.push(entrant.to_string()),
                None => warned.push((line, vec![entrant.to_string()])),
            }
        }
    }
    Ok(warned.iter().map(|(line, of)| format!("{}: {line}", those(of, all))).collect())
}

/// How much of the whole comparison is done after this `shard` of `ours` runs, and what comes next.
fn tell_progress(
    shard: Shard,
    ours: usize,
    plan: &Plan,
    comparison: &mut Comparison,
    folder: &Path,
    baseline: Option<&str>,
    bars: &Bars,
) -> Result<()> {
    let so_far = match comparison.progress() {
        Ok(progress) => PlanProgress { planned: plan.total, ..progress },
        // Its runs have their results; a merge finds them there.
        Err(error) if error.is::<InUse>() => {
            bars.warn(&format!(
                "warning: shard {shard} is done, but some of its rows are not in {COMPARISON_CSV} yet: {error}; lrsched merge adds them"
            ));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    if plan.is_before_finals() {
        // To rank it now would be too early.
        let PlanProgress { done, planned } = so_far;
        bars.line(&format!(
            "shard {shard} is done with its screening ({done} of {planned} planned runs are finished here); the finalists follow from that of all shards: start it again once the others are done (if each shard has a folder of its own, merge them first and go on in the merged one)"
        ));
        return Ok(());
    }
    let out = shell::path(folder);
    let baseline = baseline.map_or(String::new(), |name| format!(" --baseline {}", shell::quoted(name)));
    let ranks = format!("{} merge {out} --out {out}{baseline}", session::program());
    bars.line(&progress(shard, ours, so_far, &ranks));
    Ok(())
}

/// As [`tell_progress`], in words; the command `ranks` all runs.
fn progress(shard: Shard, ours: usize, PlanProgress { done, planned }: PlanProgress, ranks: &str) -> String {
    match (done, planned) {
        (1, 1) => format!("the only planned run is finished; rank it with:  {ranks}"),
        _ if done == planned => format!("all {planned} planned runs are finished; rank them with:  {ranks}"),
        _ if ours == 0 => format!("shard {shard} has no run of this plan of {planned}"),
        _ => {
            let are = if done == 1 { "is" } else { "are" };
            format!(
                "shard {shard} is done: {done} of {planned} planned runs {are} finished here; once all are, rank them (with all folders, if each shard has its own) with:  {ranks}"
            )
        }
    }
}

/// Shows the runs of a comparison: bars or lines on stderr, and with `--json` events on stdout.
struct LiveComparison<'a> {
    bars: &'a Bars,
    plan: &'a Plan,
    json: bool,
}

impl LiveComparison<'_> {
    /// Names `run` by its place in the plan, which is the same in every process and in a dry run.
    fn label(&self, run: &PlannedRun) -> Label {
        let runs = &self.plan.runs;
        let place = runs.iter().position(|planned| planned.name == run.name).unwrap_or_default();
        Label { name: run.name.clone(), number: self.plan.place(place).number, of: self.plan.total }
    }
}

impl ComparisonObserver for LiveComparison<'_> {
    fn observe<'a>(&'a self, run: &'a PlannedRun, path: &'a Path) -> Box<dyn Observer + 'a> {
        let mut observers: Vec<Box<dyn Observer + 'a>> = vec![Box::new(self.bars.run(Some(self.label(run))))];
        if self.json {
            observers.push(Box::new(JsonEvents::new(path, run.config.log_steps)));
        }
        Box::new(All(observers))
    }

    fn warn(&self, run: &PlannedRun, message: &str) {
        self.bars.warn(&format!("{}: {message}", run.name));
    }

    fn failed(&self, run: &PlannedRun, path: &Path, error: &anyhow::Error) -> Result<()> {
        let message = advice::words(error);
        self.bars.warn(&format!("{}: failed: {message}", run.name));
        if self.json { JsonEvents::new(path, false).observe(&Event::Failed(&message)) } else { Ok(()) }
    }

    fn completed(&self, run: &PlannedRun) {
        self.bars.run_done(&run.name);
    }
}

/// Names the entrants that share a warning, out of `all` entrants.
fn those(entrants: &[String], all: usize) -> String {
    match entrants {
        [one] => one.clone(),
        several if several.len() == all => format!("all {all} entrants"),
        [first, second] => format!("{first} and {second}"),
        [first, second, more @ ..] => format!("{first}, {second} and {} more", more.len()),
        [] => String::new(),
    }
}

/// Names the invalid entrant.
fn about(entrant: &Entrant, error: anyhow::Error) -> anyhow::Error {
    let named = format!("entrant {entrant}");
    match error.downcast::<Usage>() {
        Ok(usage) => Usage(format!("{named}: {usage}")).into(),
        Err(error) => error.context(named),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_says_how_much_of_the_plan_is_done_and_an_empty_one_that_it_has_no_run() {
        let shard: Shard = "5/7".parse().unwrap();
        let said = |ours, done, planned| progress(shard, ours, PlanProgress { done, planned }, "merge");
        let then = " here; once all are, rank them (with all folders, if each shard has its own) with:  merge";
        assert_eq!(said(1, 2, 9), format!("shard 5/7 is done: 2 of 9 planned runs are finished{then}"));
        assert_eq!(said(1, 1, 9), format!("shard 5/7 is done: 1 of 9 planned runs is finished{then}"));
        assert_eq!(said(0, 3, 4), "shard 5/7 has no run of this plan of 4");
        assert_eq!(said(0, 4, 4), "all 4 planned runs are finished; rank them with:  merge");
        assert_eq!(said(0, 1, 1), "the only planned run is finished; rank it with:  merge");
    }
}
