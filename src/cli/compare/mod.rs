//! `lrsched compare`: all entrants, and which one won.

mod check;
mod dry_run;
mod going_on;
mod live;
mod request;
mod shard;
mod training;

use super::advice;
use super::session::Session;
use super::settings;
use crate::config::CommandName;
use crate::data::Dataset;
use anyhow::Result;
use clap::{ArgMatches, Command};
use request::Request;

pub fn command() -> Command {
    let command = Command::new(CommandName::Compare.name())
        .about("Train every entrant and rank them")
        .after_help("Example: lrsched compare --entrants 'sgd/step:factor=0.5,drop-every=10' sgd/cosine adam/constant --seeds 3 --epochs 10\nRun again with the same --out, it resumes where it stopped and trains only what is missing.\nIn the two epochs on the synthetic images, the default plateau has no third epoch to drop in: its rate is constant.");
    settings::with_flags(command, CommandName::Compare, &[])
}

pub fn run(matches: &ArgMatches) -> Result<u8> {
    let session = Session::listen()?;
    let given = settings::gather(&command(), CommandName::Compare, matches)?;
    let quiet = given.switch("quiet")?;
    let request = Request::of(given.clone())?;
    let machine = &request.machine;
    if machine.print_config {
        return request.print_config(&given);
    }
    let dataset = Dataset::open(&machine.data)?;
    let warnings = check::with_images(request.firsts(), request.entrants.len(), request.is_default, &dataset)?;
    let stages = request.stages(&dataset)?;
    request.check_baseline(stages.as_ref())?;
    let notes = stages.as_ref().map_or(&[][..], |stages| &stages.notes);
    super::warn(&advice::notes(notes, true));
    if let Some(code) = session.stopped_early() {
        return Ok(code);
    }
    let folder = settings::out_folder(machine, &format!("compare-{}", machine.data.kind));
    if machine.dry_run {
        return request.print_plan(&folder, stages.as_ref(), &dataset, &warnings, &session);
    }
    request.train(&folder, stages.as_ref(), &dataset, &warnings, session, quiet)
}
