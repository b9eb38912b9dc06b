//! `lrsched resume`: go on with a run that was stopped, as it was or with another rate.

use super::given::{Given, Setting};
use super::session::{self, Session};
use super::settings::{self, Output, path, switch, value};
use crate::data::{Dataset, DatasetOptions};
use crate::experiment::{Left, Request};
use crate::optim::{self, OptimizerSpec};
use crate::record::Status;
use crate::schedule::Spec;
use crate::train::{Bars, Reach, Run, RunConfig, Setup};
use crate::usage;
use crate::usage::Usage;
use anyhow::Result;
use clap::{Arg, ArgMatches, Command, value_parser};
use std::path::PathBuf;

const RESUME: &[Setting] = &[
    value("lr", "RATE", "Go on with this rate, constant; with --schedule: the base rate of the schedule"),
    value("scale-lr", "FACTOR", "Multiply every rate from here on by this"),
    value("schedule", "SPEC", "Go on with another schedule, on its own clock; its parameters as in `lrsched train`"),
    value("epochs", "N", "Train until the run has this many epochs"),
    switch("stretch", "With --epochs: the schedule is the one of a run of that length"),
    switch("hold", "With --epochs: the schedule stays as it was, and its last rate is held"),
    settings::CHECKPOINT_EVERY,
    settings::KEEP,
    path("data-dir", "DIR", "Where CIFAR-10 lies [default: LRSCHED_DATA, then data/, then the cache folder]"),
    value("threads", "N", "Threads to compute with, at most one a core [default: the cores of this process]"),
    value("progress", "KIND", "auto, bar, plain or none [default: auto]"),
    switch("json", "One JSON object an event on stdout"),
];

/// What cannot change within a run, and why.
const FIXED: &[(&str, &str)] = &[
    ("dataset", "every figure so far is of its images"),
    ("train-limit", "the epochs so far are of these images"),
    ("validation", "the epochs so far were judged by these images"),
    ("augment", "metrics.csv would mix two experiments"),
    ("model", "the weights are those of this network"),
    ("dropout", "metrics.csv would mix two experiments"),
    ("label-smoothing", "metrics.csv would mix two experiments"),
    ("optimizer", "its state belongs to it"),
    ("semantics", "schedule and optimizer were made with it"),
    ("batch-size", "steps and epochs are counted by it"),
    ("seed", "the order of the images follows from it"),
    ("engine", "another one rounds differently"),
    ("device", "another one rounds differently"),
    ("log-steps", "steps.csv has a row for every step or for none"),
];

pub fn command() -> Command {
    let command = Command::new("resume")
        .about("Go on with a run that was stopped, as it was or with another rate")
        .arg(Arg::new("dir").value_name("DIR").required(true).value_parser(value_parser!(PathBuf)).help("The folder of the run"))
        .after_help("Example: lrsched resume results/x --lr 0.01\nWhat is not given stays as it was, whatever LRSCHED_* says; a run that was killed goes on from its last checkpoint, with the same results bit for bit.");
    let setting = |(name, why): &(&'static str, &'static str)| match *name {
        "log-steps" => switch(name, why),
        _ => value(name, "VALUE", why),
    };
    let fixed: Vec<Setting> = FIXED.iter().map(setting).collect();
    let command = settings::with_flags(command, &[RESUME, &fixed]);
    // They are there to say why not.
    let optimizers = optim::table().iter().flat_map(|entry| entry.parameters).map(|parameter| parameter.name);
    let hidden: Vec<&str> = FIXED.iter().map(|(name, _)| *name).chain(optimizers).collect();
    let is_hidden = |name: &str| hidden.contains(&name.strip_prefix("no-").unwrap_or(name));
    command.mut_args(|arg| if is_hidden(arg.get_id().as_str()) { arg.hide(true) } else { arg })
}

pub fn run(matches: &ArgMatches, quiet: bool) -> Result<u8> {
    let session = Session::listen()?;
    let path = matches.get_one::<PathBuf>("dir").expect("clap requires it").clone();
    let output = Output::resolve(&Given::gather(&command(), matches), quiet)?;
    let typed = Given::gather(&command(), matches).typed();
    let request = request(&typed)?;
    let left = Left::open(&path, request.changes_rate())?;
    refuse_fixed(&typed, &left.config)?;
    if let Some(keep) = left.cannot_be_longer() {
        let name = path.display();
        let why = format!(
            "{name} is finished and its last checkpoint was not kept (--keep {}): it cannot be trained longer",
            keep.name()
        );
        if request == Request::default() {
            if !quiet {
                out!("nothing to do: {why}");
            }
            return Ok(0);
        }
        return usage!("{why}; train it again with --keep all and the epochs that it is to have");
    }
    if left.info.status == Status::Finished && request == Request::default() {
        if !quiet {
            out!("nothing to do: {0} is finished; `lrsched resume {0} --epochs N` trains longer", path.display());
        }
        return Ok(0);
    }
    if left.info.status == Status::Finished && !left.has_checkpoint() {
        return usage!("{} is finished and has no checkpoint that is whole to go on from", path.display());
    }
    let dataset = Dataset::open(&DatasetOptions { kind: left.config.dataset, data_dir: output.data.data_dir.clone() })?;
    left.check(&dataset)?;
    let config = left.config.clone();
    let mut run = Run::new(&config, &dataset, output.threads)?;
    left.restore(&mut run)?;
    for adjustment in request.adjustments(&run, left.info.status)? {
        run.adjust(&adjustment)?;
    }
    if is_done(&run, left.info.status) {
        if !quiet {
            out!("nothing to do: {} has its {} epochs", path.display(), run.position().epoch);
        }
        return Ok(0);
    }
    let lines: Vec<String> = left.instead().into_iter().chain(left.differences(&run)).collect();
    let has_checkpoint = left.has_checkpoint();
    if let Some(code) = session.stopped_early() {
        return Ok(code);
    }
    let kernels = run.kernels();
    let setup = Setup { threads: output.threads, kernels, every: output.every, keep: output.keep };
    let directory = left.reopen(&setup)?;
    let bars = Bars::new(output.progress, None);
    lines.iter().for_each(|line| bars.warn(&format!("warning: {line}")));
    session::warn_of_schedule(&run, &bars)?;
    if !has_checkpoint {
        bars.warn("nothing was saved yet: starting at the beginning");
    }
    session::record(directory, run, &path, session, &bars, output.json)
}

/// A finished run that is asked for the epochs that it has.
fn is_done(run: &Run<'_>, status: Status) -> bool {
    let at = run.position();
    status == Status::Finished && at.epoch >= at.course.epochs
}

fn request(typed: &Given) -> Result<Request, Usage> {
    let flags = typed.family("schedule", &settings::schedule_entries());
    let schedule = match typed.text("schedule") {
        Some(spec) => Some(Spec::from_flags(spec, &flags)?),
        None => match flags.first() {
            Some((key, _)) => return usage!("{key} goes with --schedule: name the schedule to go on with"),
            None => None,
        },
    };
    let reach = match (typed.switch("stretch")?, typed.switch("hold")?) {
        (true, true) => return usage!("--stretch and --hold contradict each other"),
        (true, false) => Some(Reach::Stretch),
        (false, true) => Some(Reach::Hold),
        (false, false) => None,
    };
    Ok(Request {
        lr: typed.parse("lr", "a number above 0")?,
        scale: typed.parse("scale-lr", "a number above 0")?,
        epochs: typed.parse("epochs", "a whole number of at least 1")?,
        schedule,
        reach,
    })
}

/// A setting that cannot change may be named, as it is.
/// 0.10 is 0.1; of a seed each digit counts.
fn same_number(a: &str, b: &str) -> bool {
    match (a.parse::<u64>(), b.parse::<u64>()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a.parse::<f64>().is_ok_and(|a| b.parse() == Ok(a)),
    }
}

fn refuse_fixed(typed: &Given, config: &RunConfig) -> Result<()> {
    let own = serde_json::to_value(config)?;
    let refuse = |name: &str, why: &str, is: &str| -> Result<()> {
        usage!(
            "{name} cannot change within a run: {why}. It is {is}; for another, start a new run with `lrsched train`"
        )
    };
    for (name, why) in FIXED {
        let is =
            own.get(name).map_or("all".to_string(), |value| value.as_str().map_or(value.to_string(), str::to_string));
        match typed.text(name) {
            Some(given) if same_number(given.trim(), &is) => {}
            Some(given) if *name != "optimizer" && given.trim() != is => refuse(name, why, &is)?,
            _ => {}
        }
    }
    let flags = typed.family("optimizer", optim::table());
    if typed.has("optimizer") || !flags.is_empty() {
        let own = config.optimizer.to_string();
        let given = OptimizerSpec::from_flags(typed.text("optimizer").unwrap_or(&own), &flags);
        if given.as_ref() != Ok(&config.optimizer) {
            let name = flags.first().map_or("optimizer", |(name, _)| name);
            refuse(name, "the state of the optimizer was made with it", &own)?;
        }
    }
    Ok(())
}
