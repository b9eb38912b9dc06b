//! `lrsched resume`: continues a stopped run, unchanged or with another rate.

use super::advice;
use super::flags;
use super::live::{Finish, JsonEvents};
use super::next;
use super::session::{self, Session};
use super::settings;
use crate::config::settings::{self as table, OnResume};
use crate::config::{CommandName, Given, Reach, RunConfig, SettingDef};
use crate::data::{Dataset, DatasetOptions};
use crate::experiment::{Left, Maker, Request};
use crate::number::counted;
use crate::optim::{self, OptimizerSpec};
use crate::record::{Role, RunInfo, Status};
use crate::run_folder::Setup;
use crate::schedule::Spec;
use crate::train::Run;
use crate::usage;
use crate::usage::Usage;
use anyhow::Result;
use clap::{Arg, ArgMatches, Command, value_parser};
use std::path::{Path, PathBuf};

/// Flags that only `resume` takes.
const OWN: &[SettingDef] = &[
    SettingDef::value("scale-lr", "FACTOR", "Multiply every remaining rate by this factor"),
    SettingDef::switch("stretch", "With --epochs: stretch the schedule to the new length"),
    SettingDef::switch("hold", "With --epochs: keep the schedule as it is and hold the rate that it ends at"),
];

pub fn command() -> Command {
    let command = Command::new(CommandName::Resume.name())
        .about("Resume a stopped run, unchanged or with another rate, schedule or length")
        .arg(Arg::new("dir").value_name("DIR").required(true).value_parser(value_parser!(PathBuf)).help("The folder of the run"))
        .after_help("Example: lrsched resume results/x --lr 0.01\nSettings that are not given stay as they were; LRSCHED_* variables are ignored, except LRSCHED_QUIET and LRSCHED_COLOR. A killed run resumes from its last checkpoint, with bit-identical results.");
    let command = settings::with_flags(command, CommandName::Resume, OWN);
    // Flags for settings that cannot change are accepted only to explain why.
    let optimizers = optim::table().iter().flat_map(|entry| entry.parameters).map(|parameter| parameter.name);
    let hidden: Vec<&str> = fixed().map(|(setting, _)| setting.name).chain(optimizers).collect();
    let is_hidden = |name: &str| hidden.contains(&name.strip_prefix("no-").unwrap_or(name));
    command.mut_args(|arg| if is_hidden(arg.get_id().as_str()) { arg.hide(true) } else { arg })
}

/// Settings that cannot change within a run, and why.
fn fixed() -> impl Iterator<Item = (SettingDef, &'static str)> {
    table::of(CommandName::Resume).filter_map(|setting| match setting.on_resume {
        OnResume::Fixed(why) => Some((setting, why)),
        _ => None,
    })
}

pub fn run(matches: &ArgMatches, quiet: bool) -> Result<u8> {
    let session = Session::listen()?;
    let path = matches.get_one::<PathBuf>("dir").expect("clap requires it").clone();
    let given = flags::gather(&command(), matches);
    let machine = settings::machine(&given, CommandName::Resume)?;
    let request = request(&given)?;
    if !path.is_dir() {
        return usage!("{}: no such folder; give that of a run", path.display());
    }
    let left = Left::open(&path, request.changes_rate(), Maker::Train)?;
    refuse_fixed(&given, &left.config)?;
    let (lr, schedule) = (request.lr, request.schedule.clone());
    if let Some(keep) = left.cannot_be_longer() {
        let name = path.display();
        let why = format!(
            "{name} is finished and its last checkpoint was not kept (--keep {}): it cannot be trained longer",
            keep.name()
        );
        if request == Request::default() {
            return nothing_to_do(&path, &left.info, &format!("nothing to do: {why}"), machine.json, quiet);
        }
        return usage!("{why}; train it again with --keep all and the epochs that it is to have");
    }
    if left.info.standing.status == Status::Finished && request == Request::default() {
        let message = format!(
            "nothing to do: {0} is finished; train longer with `lrsched resume {0} --epochs N`, and --stretch or --hold if its schedule depends on the length",
            path.display()
        );
        return nothing_to_do(&path, &left.info, &message, machine.json, quiet);
    }
    if left.info.standing.status == Status::Finished && !left.has_checkpoint() {
        return usage!(
            "{} is finished and has no intact checkpoint to resume from; train it again with `lrsched train`",
            path.display()
        );
    }
    let dataset =
        Dataset::open(&DatasetOptions { kind: left.config.dataset, data_dir: machine.data.data_dir.clone() })?;
    left.check(&dataset)?;
    let config = left.config.clone();
    let mut run = Run::new(&config, &dataset, machine.threads)?.tested(Role::is_result(left.info.role.as_ref()));
    left.restore(&mut run)?;
    // Without a flag, such a schedule is stretched, too.
    let stretches_nothing = match (request.reach, request.epochs) {
        (Some(Reach::Stretch), Some(epochs)) if request.schedule.is_none() && epochs > run.state().epoch => {
            run.depends_on_length(epochs)?.is_none()
        }
        _ => false,
    };
    for adjustment in request.adjustments(&run, left.info.standing.status)? {
        run.adjust(&adjustment)?;
    }
    if is_done(&run, left.info.standing.status) {
        let message = format!("nothing to do: {} already has {}", path.display(), counted(run.state().epoch, "epoch"));
        return nothing_to_do(&path, &left.info, &message, machine.json, quiet);
    }
    let of_comparison = next::comparison_of(&path).filter(|_| request != Request::default()).map(|comparison| {
        format!(
            "this run belongs to the comparison in {0}, which no longer takes it once it is changed; remove it there to train it again as it was",
            comparison.display()
        )
    });
    let lines: Vec<String> = left.instead().into_iter().chain(left.differences(&run)).chain(of_comparison).collect();
    let has_checkpoint = left.has_checkpoint();
    if let Some(code) = session.stopped_early() {
        return Ok(code);
    }
    let kernels = run.kernels();
    let groups = run.group_names();
    let setup = Setup {
        threads: machine.threads,
        kernels,
        every: machine.every,
        keep: machine.keep,
        tensorboard: machine.tensorboard,
        words: advice::verdict,
        groups: &groups,
        role: None,
    };
    let directory = left.reopen(&setup)?;
    let bars = session::bars(&machine);
    lines.iter().for_each(|line| bars.warn(&format!("warning: {line}")));
    if stretches_nothing {
        bars.warn("warning: --stretch has no effect: the schedule does not depend on the length of the run");
    }
    if let (Some(lr), Some(schedule)) = (lr, &schedule) {
        settings::warn_of_unused_rate(lr, schedule);
    }
    session::warn_of_schedule(&run, &bars)?;
    if !has_checkpoint {
        bars.warn("no checkpoint yet: starting from the beginning");
    }
    session::record(directory, run, &path, session, &bars, machine.json)
}

/// Reports that nothing is left to do; with `--json`, as an event with the run's results.
fn nothing_to_do(path: &Path, info: &RunInfo, message: &str, json: bool, quiet: bool) -> Result<u8> {
    if json {
        let (status, message, results) = (info.standing.status, Some(message.to_string()), &info.results);
        JsonEvents::new(path, false).finish(&Finish { status, message, step: None, results })?;
    } else if !quiet {
        out!("{message}");
    }
    Ok(0)
}

/// A finished run that is asked for the epochs it already has.
fn is_done(run: &Run<'_>, status: Status) -> bool {
    let at = run.state();
    status == Status::Finished && at.epoch >= at.course.epochs
}

fn request(typed: &Given) -> Result<Request, Usage> {
    let flags = typed.family("schedule", &table::schedule_entries());
    let schedule = match typed.text("schedule") {
        Some(spec) => Some(Spec::from_flags(spec, &flags)?),
        None => match flags.first() {
            Some((key, _)) => return usage!("--{key} needs --schedule"),
            None => None,
        },
    };
    let reach = match (typed.switch("stretch")?, typed.switch("hold")?) {
        (true, true) => {
            return usage!("--stretch and --hold both say what the schedule does in more epochs; drop one of them");
        }
        (true, false) => Some(Reach::Stretch),
        (false, true) => Some(Reach::Hold),
        (false, false) => None,
    };
    Ok(Request {
        lr: typed.parse("lr", table::POSITIVE)?,
        scale: typed.parse("scale-lr", table::POSITIVE)?,
        epochs: typed.parse("epochs", table::COUNT)?,
        schedule,
        reach,
    })
}

/// Refuses a new value for a setting that cannot change; repeating its current value is fine.
fn refuse_fixed(typed: &Given, config: &RunConfig) -> Result<(), Usage> {
    let own = config.settings();
    for (setting, why) in fixed() {
        let is = own.get(setting.name).unwrap_or(setting.unset.unwrap_or("not set"));
        let refused = if setting.name == FAMILY {
            other_optimizer(typed, config)
        } else if setting.name == GROUPS {
            let given = table::groups(typed)?;
            (!given.is_empty() && given != config.group).then(|| GROUPS.to_string())
        } else {
            (table::is_in(typed, &setting, config)? == Some(false)).then(|| setting.name.to_string())
        };
        if let Some(name) = refused {
            return usage!(
                "{name} cannot change within a run: {why}. It is {is}; to change it, start a new run with `lrsched train`"
            );
        }
    }
    Ok(())
}

/// The setting that is given once for each group.
const GROUPS: &str = "group";
/// The family whose parameters cannot change either.
const FAMILY: &str = "optimizer";

/// How the given optimizer differs from the run's: by name, or by its first differing parameter.
fn other_optimizer(typed: &Given, config: &RunConfig) -> Option<String> {
    let flags = typed.family(FAMILY, optim::table());
    let own = config.optimizer.to_string();
    let given = OptimizerSpec::from_flags(typed.text(FAMILY).unwrap_or(&own), &flags);
    let name = || flags.first().map_or(FAMILY.to_string(), |(name, _)| name.clone());
    (given.as_ref() != Ok(&config.optimizer)).then(name)
}
