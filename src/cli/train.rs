//! `lrsched train`: one run.

use super::settings::{self, Output};
use crate::data::Dataset;
use crate::record::Status;
use crate::train::{All, Bars, Existing, JsonEvents, Observer, Run, RunDirectory};
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
    if given.switch("print-config")? {
        super::say(&toml::to_string(&config)?)?;
        return Ok(0);
    }
    let output = Output::resolve(&given, quiet)?;
    let dataset = Dataset::open(&output.data)?;
    let run = Run::new(&config, &dataset, output.threads)?;
    let name = format!("{}-{}-seed{}", config.optimizer.name(), config.schedule.name(), config.seed);
    let path = output.directory(&name);
    let existing = if output.force { Existing::Replace } else { Existing::Refuse };
    let directory = RunDirectory::create(&path, existing, &config, &dataset, output.threads)?;

    let bars = Bars::new(output.progress, None);
    let outcome = directory.record(|files| {
        let mut observers: Vec<Box<dyn Observer + '_>> = vec![Box::new(files), Box::new(bars.run(None))];
        if output.json {
            observers.push(Box::new(JsonEvents::new(&path.display().to_string(), config.log_steps)));
        }
        run.train(&mut All(observers))
    })?;
    bars.line(&format!("results in {}", path.display()));
    Ok(if outcome.status == Status::Diverged { DIVERGED } else { 0 })
}
