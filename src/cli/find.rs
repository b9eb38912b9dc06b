//! `lrsched find`: the learning rate range test.

use super::dry_run::{DryRun, Listed};
use super::live::{Bars, JsonEvents, LiveRangeTest, LiveShortRun};
use super::next::{self, NextCommand};
use super::session::Session;
use super::settings;
use crate::config::settings as table;
use crate::config::{CommandName, FindConfig, RunConfig};
use crate::data::Dataset;
use crate::experiment::Remaining;
use crate::experiment::find::{
    self, FindDirectory, FindInfo, RangeObserver, RangeTestObserver, ShortRun, ShortRunObserver,
};
use crate::number::counted;
use crate::record::files::{self, FIND_JSON, RANGE_CSV, RANGE_PNG, RANGE_SVG, REFINE_CSV, SEED, of_seed};
use crate::record::{Holds, Status};
use crate::report::range::{self, RangeTests, Recorded};
use crate::report::wrap;
use crate::run_folder::{Existing, vet};
use crate::stats::suggest::{Combined, headline, show};
use anyhow::Result;
use clap::{ArgMatches, Command};
use serde_json::json;
use std::ffi::OsString;
use std::path::Path;

/// The loss never fell, or diverged at once: no rate to suggest.
const NOTHING_FOUND: u8 = 4;

pub fn command() -> Command {
    let command = Command::new(CommandName::Find.name())
        .about("Learning rate range test: train while the rate rises, and suggest a rate")
        .after_help("Example: lrsched find --optimizer adam --seeds 3");
    settings::with_flags(command, CommandName::Find, &[])
}

pub fn run(matches: &ArgMatches) -> Result<u8> {
    let session = Session::listen()?;
    let given = settings::gather(&command(), CommandName::Find, matches)?;
    let quiet = given.switch("quiet")?;
    let config = table::find_config(&given)?;
    let machine = settings::machine(&given, CommandName::Find)?;
    settings::check_without_images(&config.run)?;
    if machine.print_config {
        settings::check_whole_numbers(&config.run)?;
        let mut table = settings::to_toml(&config)?;
        settings::add_machine(&mut table, &machine, &given, CommandName::Find)?;
        super::say(&toml::to_string(&table)?)?;
        return Ok(0);
    }
    let dataset = Dataset::open(&machine.data)?;
    // Check against the images before creating a folder.
    find::check(&config, &dataset)?;
    if let Some(code) = session.stopped_early() {
        return Ok(code);
    }
    let existing = if machine.force { Existing::Replace } else { Existing::Refuse };
    let path = settings::out_folder(&machine, &format!("find-{}-{}", config.run.optimizer.name(), config.run.dataset));
    if machine.dry_run {
        vet(&path, existing, Holds::RangeTest, files::unmarked(&files::OF_RANGE_TEST))?;
        return planned(&path, &config, &dataset)?.print(&dataset, &machine, &session);
    }
    let mut directory = FindDirectory::create(&path, existing, &config, &dataset, machine.threads)?;
    let (scheduler, limit) = settings::scheduler(&machine, &config.run, config.seeds as usize);
    let bars = match config.seeds {
        1 => Bars::new(machine.progress),
        seeds => Bars::of_runs(machine.progress, seeds, scheduler.at_once, 0),
    };
    limit.iter().for_each(|limit| bars.line(limit));
    session.speak(&bars);
    let control = &session.control;
    let live = LiveRangeTests { bars: &bars, config: &config, json: machine.json.then_some(&path) };
    let mut tests = match directory.run_tests(&dataset, scheduler, control, &live) {
        Ok(tests) => {
            let tests = tests.into_iter().map(|(seed, rows)| (of_seed(seed), rows)).collect();
            let (name, run_updates) = (path.display().to_string(), directory.info.run_updates);
            let recorded = Recorded::of_config(&config);
            RangeTests { name, tests, refining: Vec::new(), run_updates, recorded }
        }
        Err(error) => return Err(failed(&mut directory, error)),
    };
    let curves = if control.stopping().is_none() { headline(&tests.suggestions()) } else { None };
    if let Some((_, rate)) = curves {
        tests.refining = directory
            .refine(rate, tests.highest_safe(), &dataset, scheduler, control, &live)
            .map_err(|error| failed(&mut directory, error))?;
    }
    if let Some(stop) = control.stopping() {
        directory.close(Status::Interrupted, Some("stopped before its end".to_string()))?;
        bars.warn("stopped before its end: there is no suggestion");
        if machine.json {
            finish(&path, &directory.info)?;
        }
        return Ok(stop.exit_code());
    }
    let said = tests.suggestions();
    let figure = tests.figure(&said, &title(&config));
    directory.check_in_place()?;
    figure.write_png(&path.join(RANGE_PNG))?;
    figure.write_svg(&path.join(RANGE_SVG))?;
    let commands = commands(&config, &tests, &said, given.path("data-dir").as_deref());
    directory.info.suggest(&said);
    directory.info.commands.clone_from(&commands);
    directory.close(Status::Finished, None)?;
    if machine.json {
        finish(&path, &directory.info)?;
    } else if !quiet {
        print(&path, &tests, &said, &commands)?;
    } else if directory.info.suggested_lr.is_none() {
        super::warn(&[range::verdict(&tests, &said).join(" ")]);
    }
    Ok(if directory.info.suggested_lr.is_some() { 0 } else { NOTHING_FOUND })
}

/// The tests that `--dry-run` lists.
fn planned<'a>(path: &'a Path, config: &'a FindConfig, dataset: &Dataset) -> Result<DryRun<'a>> {
    let work = find::work(config, dataset)?;
    let seeds = config.run.seed..config.run.seed + config.seeds;
    let listed = |seed| {
        // The only test has no folder of its own.
        let name = (config.seeds > 1).then(|| of_seed(seed));
        Listed { number: None, name, remaining: Remaining::Work { epochs: 0, work: work.clone() } }
    };
    let runs: Vec<Listed> = seeds.map(listed).collect();
    let planned = runs.len();
    Ok(DryRun { folder: path, config: &config.run, planned, runs, may_differ: config.refine != Some(0), here: 0 })
}

/// Prints the curve, what it suggests, the commands that train so, and where all that is.
fn print(path: &Path, tests: &RangeTests, said: &[Combined], commands: &[NextCommand]) -> Result<()> {
    let width = settings::text_width();
    out!("{}", tests.small_figure(said).terminal(settings::chart_width(), 16, console::colors_enabled()));
    let verdict: Vec<String> = range::verdict(tests, said).iter().flat_map(|line| wrap::words(line, width)).collect();
    out!("{}\n{}", range::terminal(said, width), verdict.join("\n"));
    for NextCommand { purpose, line } in commands {
        out!("{purpose}:\n  {}", next::pasted(line));
    }
    let seeds = if tests.tests.len() > 1 { format!("{SEED}*/") } else { String::new() };
    let refining = if tests.refining.is_empty() { String::new() } else { format!("{REFINE_CSV}, ") };
    out!("results in {}: {seeds}{RANGE_CSV}, {refining}{RANGE_PNG}, {RANGE_SVG}, {FIND_JSON}", path.display());
    Ok(())
}

/// The last event of `--json`.
fn finish(path: &Path, info: &FindInfo) -> Result<()> {
    JsonEvents::new(path, false).write(
        "finish",
        json!({
            "status": info.standing.status,
            "suggested_lr": info.suggested_lr,
            "run_updates": info.run_updates,
            "suggestions": info.suggestions,
            "commands": info.commands.iter().map(|command| &command.line).collect::<Vec<_>>(),
        }),
    )
}

/// Records the error. If that fails too, it has the same cause.
fn failed(directory: &mut FindDirectory, error: anyhow::Error) -> anyhow::Error {
    let _ = directory.close(Status::Failed, Some(format!("{error:#}")));
    error
}

/// Shows the tests: bars or lines on stderr, and with `--json` events on stdout.
struct LiveRangeTests<'a> {
    bars: &'a Bars,
    config: &'a FindConfig,
    /// The folder that JSON events name.
    json: Option<&'a Path>,
}

impl RangeObserver for LiveRangeTests<'_> {
    fn observe(&self, seed: u64, steps: u64) -> Result<Box<dyn RangeTestObserver + '_>> {
        let title = title(self.config);
        Ok(Box::new(LiveRangeTest::start(self.bars, self.config, &title, seed, steps, self.json)?))
    }

    fn expect_short(&self, runs: u64) -> Result<()> {
        // Of a single test, each short run has a bar of its own.
        if self.config.seeds > 1 {
            self.bars.expect(self.config.seeds + runs);
        }
        Ok(())
    }

    fn observe_short(&self, run: ShortRun) -> Result<Box<dyn ShortRunObserver + '_>> {
        Ok(Box::new(LiveShortRun::start(self.bars, self.config, run, self.json)))
    }
}

fn title(config: &FindConfig) -> String {
    range::title(&config.settings()).unwrap_or_default()
}

/// What to train at the suggested rate, with the settings of the test. Without a rate there is nothing to train.
fn commands(config: &FindConfig, tests: &RangeTests, said: &[Combined], data_dir: Option<&Path>) -> Vec<NextCommand> {
    let Some((_, suggested)) = headline(said) else { return Vec::new() };
    let mut shared = next::train(&config.run, CommandName::Find, data_dir);
    if config.for_epochs != RunConfig::USUAL_EPOCHS {
        shared.extend(["--epochs".into(), config.for_epochs.to_string().into()]);
    }
    let length = counted(config.for_epochs, "epoch");
    let command = |purpose: String, words: &[&str]| {
        let words: Vec<OsString> = shared.iter().cloned().chain(words.iter().map(OsString::from)).collect();
        NextCommand { purpose, line: next::line(&words) }
    };
    let (rate, peak) = (show(suggested), show(tests.peak(suggested)));
    let throughout =
        command(format!("{length} at this rate throughout, as a baseline or to be trained longer"), &["--lr", &rate]);
    // Not for an optimizer that takes the place of a decay.
    let advice = |decays| config.run.optimizer.advice(suggested, decays);
    if advice(true) != advice(false) {
        return vec![throughout];
    }
    let cycle = command(
        format!("{length} of one cycle up to {peak}, which is made for just this length"),
        &["--schedule", "one-cycle", "--max-lr", &peak, "--div-factor", "4"],
    );
    vec![throughout, cycle]
}
