//! `lrsched train`: one run.

use super::settings::{self, Output};
use crate::data::Dataset;
use crate::record::Status;
use crate::train::{All, Bars, Control, Existing, JsonEvents, Observer, Run, RunDirectory};
use anyhow::Result;
use clap::{ArgMatches, Command};

/// A diverged run ends with this exit code.
const DIVERGED: u8 = 4;

pub fn command() -> Command {
    let command = Command::new("train")
        .about("Train one network under one schedule")
        .after_help("Example: lrsched train --schedule step --factor 0.5 --drop-every 10");
    settings::with_flags(command, &[settings::COMMON, settings::TRAIN])
}

pub fn run(matches: &ArgMatches, quiet: bool) -> Result<u8> {
    let given = settings::gather(&command(), matches)?;
    let config = settings::run_config(&given, settings::optimizer(&given)?, settings::schedule(&given)?, 30)?;
    let output = Output::resolve(&given, quiet)?;
    settings::check_without_images(&config)?;
    if given.switch("print-config")? {
        let mut table = toml::Table::try_from(&config)?;
        settings::add_data_dir(&mut table, &output);
        super::say(&toml::to_string(&table)?)?;
        return Ok(0);
    }
    let dataset = Dataset::open(&output.data)?;
    let run = Run::new(&config, &dataset, output.threads)?;
    let name = format!("{}-{}-lr{}-seed{}", config.optimizer.name(), config.schedule.name(), config.lr, config.seed);
    let path = output.directory(&name);
    let existing = if output.force { Existing::Replace } else { Existing::Refuse };
    let directory = RunDirectory::create(&path, existing, &config, &dataset, output.threads)?;

    let bars = Bars::new(output.progress, None);
    let mut watchers: Vec<Box<dyn Observer + '_>> = vec![Box::new(bars.run(None))];
    if output.json {
        watchers.push(Box::new(JsonEvents::new(&path.display().to_string(), config.log_steps)));
    }
    let outcome = directory.record(run, &Control::default(), &mut All(watchers))?;
    if let Some(message) = outcome.message.filter(|_| quiet) {
        bars.warn(&message);
    }
    bars.line(&format!("results in {}", path.display()));
    Ok(if outcome.status == Status::Diverged { DIVERGED } else { 0 })
}
