//! `lrsched export`: the schedule and the optimizer of a run as code of another framework.

use super::{drawn_run, flags, next, output, ranking, settings};
use crate::config::settings::{POSITIVE, any_of, schedule_entries};
use crate::config::{CommandName, Course, Given, RunConfig, SettingDef};
use crate::data::LossReduction;
use crate::experiment::parting::Trail;
use crate::export::{Cannot, Framework, Group, Recipe, Snippet};
use crate::number::significant;
use crate::optim::{self, OptimizerSpec, ParamGroup};
use crate::record::{EpochRow, RunInfo, files, read_good_rows};
use crate::report::load::{LoadedRun, load};
use crate::report::rates::{planned_steps, steps_per_epoch};
use crate::schedule::{RunShape, Semantics, Spec};
use crate::usage;
use crate::usage::Usage;
use anyhow::{Context as _, Result, bail};
use clap::{Arg, ArgMatches, Command};
use std::path::{Path, PathBuf};

const EXPORT: &[SettingDef] = &[
    SettingDef::value("to", "FRAMEWORK", "The framework of the snippet: {}")
        .choices(|| any_of(Framework::ALL.map(Framework::name))),
    SettingDef::value(
        "schedule",
        "SPEC",
        "Without a run: a schedule name or spec (`lrsched help schedules`) [default: constant]",
    ),
    SettingDef::value(
        "optimizer",
        "SPEC",
        "Without a run: an optimizer name or spec (`lrsched help optimizers`) [default: sgd]",
    ),
    drawn_run::STEPS,
];

/// The flags that describe what a run has of its own.
const OF_A_RUN: [&str; 6] = ["schedule", "optimizer", "lr", "epochs", "steps-per-epoch", "semantics"];

const HELP: &str = "\
The snippet has the rates of `lrsched show` at every step: by the framework's own class where it has one that is exact, else by a short function.
Of the folder of a comparison, it is the leader that is exported.

Examples:
  lrsched export results/compare-cifar10 --to torch
  lrsched export --schedule cosine:warmup=2 --optimizer sgd:momentum=0.9 --epochs 30 --steps-per-epoch 391 --to keras -o rates.py";

pub fn command() -> Command {
    let command = Command::new(CommandName::Export.name())
        .about("Write a schedule and an optimizer as code of another framework")
        .after_help(HELP)
        .arg(
            Arg::new("run")
                .value_name("DIR")
                .value_parser(flags::place())
                .help("The folder of a run, or of a comparison"),
        );
    output::with_flag(settings::with_flags(command, CommandName::Export, EXPORT))
}

/// Writes the snippet.
///
/// # Errors
/// An invalid schedule or setting; a folder without a run; a [`Cannot`] of the framework; a file that cannot be written.
pub fn run(matches: &ArgMatches, quiet: bool) -> Result<u8> {
    let given = flags::gather(&command(), matches);
    let framework: Framework = match given.text("to") {
        Some(name) => name.parse()?,
        None => return usage!("export to which framework? Add --to {}", Framework::ALL.map(Framework::name).join("|")),
    };
    let output = output::file(&given, &[])?;
    let mut recipe = match given.path("run") {
        // Variables of the environment are for what no folder says.
        Some(folder) => of_folder(&folder, &given.clone().typed(), quiet)?,
        None => of_flags(&given)?,
    };
    // What cannot be written need not be followed.
    let snippet = recipe.snippet(framework).and_then(|_| {
        recipe.notes.extend(apart(&recipe, framework)?);
        recipe.snippet(framework)
    });
    let Snippet { text, notes } = snippet.map_err(|error| elsewhere(error, &recipe, framework))?;
    super::warn(&notes);
    output::emit(output.as_deref(), text.as_bytes())
}

/// The first framework that the run in `folder` can be taken to, PyTorch before others.
pub fn possible(folder: &Path) -> Option<Framework> {
    let recipe = of_folder(folder, &Given::default(), true).ok()?;
    Framework::ALL.into_iter().find(|framework| can_have(&recipe, *framework))
}

/// Whether `export` would write this recipe for the framework.
fn can_have(recipe: &Recipe, framework: Framework) -> bool {
    recipe.snippet(framework).is_ok() && apart(recipe, framework).is_ok()
}

/// What a framework cannot do, with what can be done instead.
fn elsewhere(error: anyhow::Error, recipe: &Recipe, than: Framework) -> anyhow::Error {
    let Some(Cannot { what, remedy }) = error.downcast_ref::<Cannot>() else { return error };
    let others = Framework::ALL.into_iter().filter(|other| *other != than && can_have(recipe, *other));
    let others: Vec<&str> = others.map(Framework::name).collect();
    let semantics = than.semantics();
    let under = Recipe { run: RunShape { semantics, ..recipe.run }, ..recipe.clone() };
    let mut remedies: Vec<String> = remedy.clone().into_iter().collect();
    if !others.is_empty() {
        remedies.push(format!("as it is, it can be exported to {}", any_of(others)));
    }
    if semantics != recipe.run.semantics && can_have(&under, than) {
        remedies.push(format!("trained with `--semantics {semantics}`, to {}", than.name()));
    }
    if remedies.is_empty() {
        remedies.push("export another optimizer or schedule".to_string());
    }
    Cannot { what: what.clone(), remedy: Some(remedies.join("; ")) }.into()
}

/// What the flags describe, as `show` has them.
fn of_flags(given: &Given) -> Result<Recipe> {
    let schedule = given.text("schedule").unwrap_or("constant");
    let schedule = Spec::from_flags(schedule, &given.family("schedule", &schedule_entries()))?;
    let optimizer = given.text("optimizer").unwrap_or("sgd");
    let optimizer = OptimizerSpec::from_flags(optimizer, &given.family("optimizer", optim::table()))?;
    let run = drawn_run::of(given)?;
    let lr = given.parse("lr", POSITIVE)?.or(optimizer.learning_rate());
    let learning_rate = lr.unwrap_or_else(|| optimizer.default_learning_rate(run.semantics));
    let run = RunShape { learning_rate, ..run };
    let (groups, notes) = (Vec::new(), Vec::new());
    Ok(Recipe { schedule, run, optimizer, clip_norm: None, clip_value: None, groups, notes })
}

/// What a run was trained with, or the leader of a comparison.
fn of_folder(folder: &Path, given: &Given, quiet: bool) -> Result<Recipe> {
    if let Some(flag) = OF_A_RUN.into_iter().find(|flag| given.text(flag).is_some()) {
        return usage!("--{flag} is that of the run in {}; leave one of the two out", folder.display());
    }
    for (family, entries) in [("schedule", schedule_entries().as_slice()), ("optimizer", optim::table())] {
        if let Some((name, _)) = given.family(family, entries).first() {
            return usage!("--{name} is that of the run in {}; leave one of the two out", folder.display());
        }
    }
    let run = if folder.join(files::RUN_JSON).is_file() { folder.to_path_buf() } else { leader(folder, quiet)? };
    let info = RunInfo::read(&run.join(files::RUN_JSON))?;
    let config = info.config.known().with_context(|| run.join(files::RUN_JSON).display().to_string())?;
    let (rows, damage) = read_good_rows::<EpochRow>(&run.join(files::METRICS_CSV));
    if let Some(damage) = damage.filter(|_| rows.is_empty()) {
        return Err(damage);
    }
    let Some(steps_per_epoch) = steps_per_epoch(&rows, planned_steps(&config)) else {
        bail!(
            "{}: its settings do not say how many steps an epoch has; give --schedule, --epochs and --steps-per-epoch instead",
            run.display()
        );
    };
    let mut notes = left_out(&config);
    if let Some(change) = info.changes.first() {
        notes.push(format!("the run was changed by hand at step {}; this is how it began", change.step));
    }
    let run =
        RunShape { learning_rate: config.lr, semantics: config.semantics, steps_per_epoch, epochs: config.epochs };
    let groups = groups(&config, &run);
    let RunConfig { schedule, optimizer, clip_norm, clip_value, .. } = config;
    Ok(Recipe { schedule, run, optimizer, clip_norm, clip_value, groups, notes })
}

/// What a run had and a snippet has not.
fn left_out(config: &RunConfig) -> Vec<String> {
    let average = |average| format!("the run evaluated an average of its weights ({average}), which is left out here");
    let sum =
        "the rates are for the sum of the losses of a batch (--loss-reduction sum), not for their mean".to_string();
    let sum = (config.loss_reduction == LossReduction::Sum).then_some(sum);
    config.average.as_ref().map(average).into_iter().chain(sum).collect()
}

/// The parameter groups of a run besides the base group.
fn groups(config: &RunConfig, run: &RunShape) -> Vec<Group> {
    let measure = Course::of(config).measure(config.semantics, run.steps_per_epoch);
    let of = |group: &ParamGroup| Group {
        name: group.name(),
        patterns: group.patterns().iter().map(ToString::to_string).collect(),
        optimizer: group.optimizer_under(&config.optimizer),
        lr: group
            .own_rate(&config.optimizer, config.semantics)
            .unwrap_or_else(|| if group.schedule.is_some() { config.lr } else { measure }),
        measure,
        schedule: group.schedule.clone(),
        frozen_from: group.freeze_after.map(|time| time.steps(run.steps_per_epoch, run.total_steps())),
    };
    config.group.iter().map(of).collect()
}

/// The run of a comparison's leader.
fn leader(folder: &Path, quiet: bool) -> Result<PathBuf> {
    if !folder.is_dir() {
        return usage!("{}: no such folder; give that of a run or of a comparison", folder.display());
    }
    let here = [folder.to_path_buf()];
    let loaded = load(&here);
    super::warn(&loaded.complaints);
    if loaded.runs.is_empty() {
        bail!("{}: no run in it; give the folder of a run or of a comparison", folder.display());
    }
    let report = ranking::report(&loaded, &here, None, loaded.baseline())?;
    let Some((run, is_winner)) = next::leader(&report.groups) else {
        let is_over = |run: &LoadedRun| run.row.status.is_over();
        let why = match loaded.runs.iter().all(is_over) {
            true => "the runs of its leader diverged; give the folder of another run",
            false => {
                "no run of its leader has finished; train them to their end first, or give the folder of another run"
            }
        };
        bail!("{}: {why}", folder.display());
    };
    if !quiet {
        super::tell(&format!("{}: {}", if is_winner { "the winner" } else { "the best so far" }, run.display()));
    }
    Ok(run)
}

/// Where the optimizer of the framework, with the same options, parts from that of the recipe, under the same schedule.
fn apart(recipe: &Recipe, framework: Framework) -> Result<Option<String>> {
    /// So many steps tell all of them apart that differ.
    const MOST_STEPS: u64 = 20_000;
    let (optimizer, theirs) = (&recipe.optimizer, framework.semantics());
    if !optimizer.exists_in(theirs) {
        return Ok(None);
    }
    let ours = recipe.run.semantics;
    let resolved = optimizer.resolved(ours);
    // A small problem diverges at rates that a network bears. The snippet has the rates of the run, whatever schedule the framework has.
    let run = RunShape { learning_rate: recipe.run.learning_rate.min(0.1), ..recipe.run };
    let run = if run.total_steps() > MOST_STEPS {
        RunShape { epochs: (MOST_STEPS / run.steps_per_epoch).max(1), ..run }
    } else {
        run
    };
    let follow = |semantics: Semantics| Trail::follow_as(semantics, &resolved, &recipe.schedule, &run);
    // The remedy of the message is for a run under their semantics.
    let lacks = |error: Usage| {
        let what = error.0.split(';').next().unwrap_or_default().to_string();
        Cannot { what, remedy: None }
    };
    let (own, other) = (follow(ours)?, follow(theirs).map_err(lacks)?);
    Ok(own.parting(&other).map(|parting| {
        let share = 100.0 * parting.by / parting.moved;
        let share = if share.is_finite() { format!(", by {} % of it", significant(share, 2)) } else { String::new() };
        format!(
            "the rates are exact, the updates are not: on a small problem, {} as {theirs} computes it parts from that of the run at update {}{share}",
            optimizer.name(),
            parting.step + 1,
        )
    }))
}
