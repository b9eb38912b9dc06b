//! `lrsched train`: one run.

use super::advice;
use super::session::{self, Session};
use super::settings::{self, Output};
use crate::data::Dataset;
use crate::run_folder::{Existing, RunDirectory, Setup};
use crate::train::Run;
use anyhow::Result;
use clap::{ArgMatches, Command};

pub fn command() -> Command {
    let command = Command::new("train")
        .about("Train one network under one schedule")
        .after_help("Example: lrsched train --schedule step --factor 0.5 --drop-every 10");
    settings::with_flags(command, &[settings::COMMON, settings::TRAIN])
}

pub fn run(matches: &ArgMatches) -> Result<u8> {
    let session = Session::listen()?;
    let given = settings::gather(&command(), matches)?;
    let quiet = given.switch("quiet")?;
    let config = settings::run_config(&given, settings::optimizer(&given)?, settings::schedule(&given)?, 30)?;
    let output = Output::resolve(&given, quiet)?;
    let of_optimizer = config.optimizer.learning_rate().is_some();
    if given.has_above_file("lr") || of_optimizer && given.has_above_file("optimizer") {
        settings::warn_of_unused_rate(config.lr, &config.schedule);
    }
    settings::check_without_images(&config)?;
    if given.switch("print-config")? {
        let mut table = toml::Table::try_from(&config)?;
        settings::add_data_dir(&mut table, &output)?;
        super::say(&toml::to_string(&table)?)?;
        return Ok(0);
    }
    let dataset = Dataset::open(&output.data)?;
    let run = Run::new(&config, &dataset, output.threads)?;
    let (plain, exponent) = (config.lr.to_string(), format!("{:e}", config.lr));
    let lr = if plain.len() <= 12 { plain } else { exponent };
    let name = format!("{}-{}-lr{lr}-seed{}", config.optimizer.name(), config.schedule.name(), config.seed);
    let path = output.directory(&name);
    if let Some(code) = session.stopped_early() {
        return Ok(code);
    }
    let existing = if output.force { Existing::Replace } else { Existing::Refuse };
    let setup = Setup {
        threads: output.threads,
        kernels: run.kernels(),
        every: output.every,
        keep: output.keep,
        words: advice::verdict,
    };
    let directory = RunDirectory::create(&path, existing, &config, &dataset, &setup)?;

    let bars = session::bars(&output);
    session::warn_of_schedule(&run, &bars)?;
    session::record(directory, run, &path, session, &bars, output.json)
}
