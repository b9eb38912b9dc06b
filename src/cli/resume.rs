//! `lrsched resume`: go on with a run that was stopped, as it was or with another rate.

use super::advice;
use super::flags;
use super::live::{Finish, JsonEvents};
use super::session::{self, Session};
use super::settings::{self, Output};
use crate::config::{Given, Reach, RunConfig, SettingDef};
use crate::data::{Dataset, DatasetOptions};
use crate::experiment::{Left, Remedy, Request};
use crate::number::counted;
use crate::optim::{self, OptimizerSpec};
use crate::record::{RunInfo, Status};
use crate::run_folder::Setup;
use crate::schedule::Spec;
use crate::train::Run;
use crate::usage;
use crate::usage::Usage;
use anyhow::Result;
use clap::{Arg, ArgMatches, Command, value_parser};
use std::path::{Path, PathBuf};

const RESUME: &[SettingDef] = &[
    SettingDef::value("lr", "RATE", "Continue at this constant rate; with --schedule: the base rate of that schedule"),
    SettingDef::value("scale-lr", "FACTOR", "Multiply every remaining rate by this factor"),
    SettingDef::value(
        "schedule",
        "SPEC",
        "Continue under another schedule, on its own clock; parameters as in `lrsched train`",
    ),
    SettingDef::value("epochs", "N", "Total number of epochs of the run"),
    SettingDef::switch("stretch", "With --epochs: stretch the schedule to the new length"),
    SettingDef::switch("hold", "With --epochs: keep the schedule as it is and hold its last rate"),
    settings::CHECKPOINT_EVERY,
    settings::KEEP,
    SettingDef::path(
        "data-dir",
        "DIR",
        "Folder with CIFAR-10 [default: LRSCHED_DATA, then data/, then the cache folder]",
    ),
    SettingDef::value("threads", "N", "Threads, at most one per core [default: the cores available to this process]"),
    SettingDef::value("progress", "KIND", "auto, bar, plain or none [default: auto]"),
    SettingDef::switch("json", "Print events to stdout as JSON, one object per line (docs/JSON.md)"),
];

/// What cannot change within a run, and why.
const FIXED: &[(&str, &str)] = &[
    ("dataset", "all results so far are on its images"),
    ("train-limit", "the epochs so far are of these images"),
    ("validation", "the epochs so far were validated on these images"),
    ("augment", "metrics.csv would mix two experiments"),
    ("model", "the weights are those of this network"),
    ("dropout", "metrics.csv would mix two experiments"),
    ("label-smoothing", "metrics.csv would mix two experiments"),
    ("optimizer", "its saved state belongs to it"),
    ("semantics", "schedule and optimizer were built with it"),
    ("batch-size", "it defines steps and epochs"),
    ("seed", "it determines the order of the images"),
    ("engine", "another one rounds differently"),
    ("device", "another one rounds differently"),
    ("log-steps", "steps.csv has a row for every step, or none"),
];

pub fn command() -> Command {
    let command = Command::new("resume")
        .about("Resume a stopped run, unchanged or with another rate, schedule or length")
        .arg(Arg::new("dir").value_name("DIR").required(true).value_parser(value_parser!(PathBuf)).help("The folder of the run"))
        .after_help("Example: lrsched resume results/x --lr 0.01\nSettings that are not given stay as they were; LRSCHED_* variables are ignored. A killed run resumes from its last checkpoint, with bit-identical results.");
    let setting = |(name, why): &(&'static str, &'static str)| match *name {
        "log-steps" => SettingDef::switch(name, why),
        _ => SettingDef::value(name, "VALUE", why),
    };
    let fixed: Vec<SettingDef> = FIXED.iter().map(setting).collect();
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
    let output = Output::resolve(&flags::gather(&command(), matches), quiet)?;
    let typed = flags::gather(&command(), matches).typed();
    let request = request(&typed)?;
    let left = Left::open(&path, request.changes_rate(), Remedy::Force)?;
    refuse_fixed(&typed, &left.config)?;
    let (lr, schedule) = (request.lr, request.schedule.clone());
    if let Some(keep) = left.cannot_be_longer() {
        let name = path.display();
        let why = format!(
            "{name} is finished and its last checkpoint was not kept (--keep {}): it cannot be trained longer",
            keep.name()
        );
        if request == Request::default() {
            return nothing_to_do(&path, &left.info, &format!("nothing to do: {why}"), output.json, quiet);
        }
        return usage!("{why}; train it again with --keep all and the epochs that it is to have");
    }
    if left.info.standing.status == Status::Finished && request == Request::default() {
        let message = format!(
            "nothing to do: {0} is finished; train longer with `lrsched resume {0} --epochs N`",
            path.display()
        );
        return nothing_to_do(&path, &left.info, &message, output.json, quiet);
    }
    if left.info.standing.status == Status::Finished && !left.has_checkpoint() {
        return usage!("{} is finished and has no intact checkpoint to resume from", path.display());
    }
    let dataset = Dataset::open(&DatasetOptions { kind: left.config.dataset, data_dir: output.data.data_dir.clone() })?;
    left.check(&dataset)?;
    let config = left.config.clone();
    let mut run = Run::new(&config, &dataset, output.threads)?;
    left.restore(&mut run)?;
    for adjustment in request.adjustments(&run, left.info.standing.status)? {
        run.adjust(&adjustment)?;
    }
    if is_done(&run, left.info.standing.status) {
        let message = format!("nothing to do: {} already has {}", path.display(), counted(run.state().epoch, "epoch"));
        return nothing_to_do(&path, &left.info, &message, output.json, quiet);
    }
    let lines: Vec<String> = left.instead().into_iter().chain(left.differences(&run)).collect();
    let has_checkpoint = left.has_checkpoint();
    if let Some(code) = session.stopped_early() {
        return Ok(code);
    }
    let kernels = run.kernels();
    let setup =
        Setup { threads: output.threads, kernels, every: output.every, keep: output.keep, words: advice::verdict };
    let directory = left.reopen(&setup)?;
    let bars = session::bars(&output);
    lines.iter().for_each(|line| bars.warn(&format!("warning: {line}")));
    if let (Some(lr), Some(schedule)) = (lr, &schedule) {
        settings::warn_of_unused_rate(lr, schedule);
    }
    session::warn_of_schedule(&run, &bars)?;
    if !has_checkpoint {
        bars.warn("no checkpoint yet: starting from the beginning");
    }
    session::record(directory, run, &path, session, &bars, output.json)
}

/// Says so, in an event where those were asked for: with what the run came to.
fn nothing_to_do(path: &Path, info: &RunInfo, message: &str, json: bool, quiet: bool) -> Result<u8> {
    if json {
        let (status, message, results) = (info.standing.status, Some(message.to_string()), &info.results);
        JsonEvents::new(path, false).finish(&Finish { status, message, step: None, results })?;
    } else if !quiet {
        out!("{message}");
    }
    Ok(0)
}

/// A finished run that is asked for the epochs that it has.
fn is_done(run: &Run<'_>, status: Status) -> bool {
    let at = run.state();
    status == Status::Finished && at.epoch >= at.course.epochs
}

fn request(typed: &Given) -> Result<Request, Usage> {
    let flags = typed.family("schedule", &settings::schedule_entries());
    let schedule = match typed.text("schedule") {
        Some(spec) => Some(Spec::from_flags(spec, &flags)?),
        None => match flags.first() {
            Some((key, _)) => return usage!("--{key} needs --schedule"),
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

/// 0.10 is 0.1; of a seed each digit counts.
fn same_number(a: &str, b: &str) -> bool {
    match (a.parse::<u64>(), b.parse::<u64>()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a.parse::<f64>().is_ok_and(|a| b.parse() == Ok(a)),
    }
}

/// A setting that cannot change may be given with its present value.
fn refuse_fixed(typed: &Given, config: &RunConfig) -> Result<()> {
    let own = serde_json::to_value(config)?;
    let refuse = |name: &str, why: &str, is: &str| -> Result<()> {
        usage!(
            "{name} cannot change within a run: {why}. It is {is}; to change it, start a new run with `lrsched train`"
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
            refuse(name, "the optimizer's saved state depends on it", &own)?;
        }
    }
    Ok(())
}
