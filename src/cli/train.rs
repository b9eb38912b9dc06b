//! `lrsched train`: one run.

use super::advice;
use super::session::{self, Session};
use super::settings;
use crate::config::settings::train_config;
use crate::config::{CommandName, Course, RunConfig};
use crate::data::Dataset;
use crate::number::significant;
use crate::run_folder::{Existing, RunDirectory, Setup};
use crate::train::Run;
use anyhow::Result;
use clap::{ArgMatches, Command};

pub fn command() -> Command {
    let command = Command::new(CommandName::Train.name())
        .about("Train one network under one schedule")
        .after_help("Example: lrsched train --schedule step --factor 0.5 --drop-every 10");
    settings::with_flags(command, CommandName::Train, &[])
}

pub fn run(matches: &ArgMatches) -> Result<u8> {
    let session = Session::listen()?;
    let given = settings::gather(&command(), CommandName::Train, matches)?;
    let config = train_config(&given)?;
    let machine = settings::machine(&given, CommandName::Train)?;
    let of_optimizer = config.optimizer.learning_rate().is_some();
    if given.has_above_file("lr") || of_optimizer && given.has_above_file("optimizer") {
        settings::warn_of_unused_rate(config.lr, &config.schedule);
    }
    settings::check_without_images(&config)?;
    if machine.print_config {
        let mut table = settings::to_toml(&config)?;
        settings::add_machine(&mut table, &machine, &given, CommandName::Train)?;
        super::say(&toml::to_string(&table)?)?;
        return Ok(0);
    }
    let dataset = Dataset::open(&machine.data)?;
    let run = Run::new(&config, &dataset, machine.threads)?;
    let path = settings::out_folder(&machine, &folder_name(&config, run.steps_per_epoch()));
    if let Some(code) = session.stopped_early() {
        return Ok(code);
    }
    let existing = if machine.force { Existing::Replace } else { Existing::Refuse };
    let groups = run.group_names();
    let setup = Setup {
        threads: machine.threads,
        kernels: run.kernels(),
        every: machine.every,
        keep: machine.keep,
        tensorboard: machine.tensorboard,
        words: advice::verdict,
        groups: &groups,
        role: None,
    };
    let directory = RunDirectory::create(&path, existing, &config, &dataset, &setup)?;

    let bars = session::bars(&machine);
    session::warn_of_schedule(&run, &bars)?;
    session::record(directory, run, &path, session, &bars, machine.json)
}

/// The name of a run's folder: `adam-cosine-lr0.001-seed0`, or `sgd-one-cycle-peak0.4-seed0` where the base rate is never
/// applied.
fn folder_name(config: &RunConfig, steps_per_epoch: u64) -> String {
    let rate = match Course::of(config).own_peak(config.semantics, steps_per_epoch) {
        Some(peak) => format!("peak{}", significant(peak, 3)),
        None => {
            let (plain, exponent) = (config.lr.to_string(), format!("{:e}", config.lr));
            format!("lr{}", if plain.len() <= 12 { plain } else { exponent })
        }
    };
    format!("{}-{}-{rate}-seed{}", config.optimizer.name(), config.schedule.name(), config.seed)
}
