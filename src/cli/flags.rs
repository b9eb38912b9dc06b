//! Settings as flags: settings and the parameters of schedules and optimizers become clap arguments, and clap's matches
//! become [`Given`].

use crate::config::given::{Record, Recorded, TableKey, gathers, negated, parameters};
use crate::config::settings::{is_records, is_table};
use crate::config::variable;
use crate::config::{FlagForm, Given, SettingDef, Source};
use crate::spec::Entry;
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::ffi::OsString;
use std::path::PathBuf;

/// What `-h` of a command that trains shows; `--help` shows all.
const COMMON: [&str; 34] = [
    "quiet",
    "config",
    "schedule",
    "optimizer",
    "lr",
    "model",
    "dataset",
    "data-dir",
    "epochs",
    "batch-size",
    "augment",
    "seed",
    "seeds",
    "out",
    "force",
    "threads",
    "jobs",
    "entrants",
    "grid",
    "tune",
    "studies",
    "baseline",
    "dry-run",
    "steps",
    "for-epochs",
    "min-lr",
    "max-lr",
    "train-limit",
    "json",
    "tensorboard",
    "steps-per-epoch",
    "scale-lr",
    "stretch",
    "hold",
];

/// What the heading of the parameters of a family begins with.
const PARAMETERS: &str = "Parameters of the";

/// Leaves the flags that few need, and the parameters of schedules and optimizers, to `--help`.
pub fn shortened(command: Command) -> Command {
    without_parameters(command).mut_args(|arg| {
        let is_common = COMMON.contains(&arg.get_id().as_str()) || arg.is_positional();
        let hidden = arg.is_hide_short_help_set();
        arg.hide_short_help(hidden || !is_common)
    })
}

/// Leaves the parameters of schedules and optimizers to `--help` and to `lrsched help schedules` and `help optimizers`.
pub fn without_parameters(command: Command) -> Command {
    command.mut_args(|arg| {
        // By its heading, not by its name: `find` has a --min-lr of its own.
        let is_parameter = arg.get_help_heading().is_some_and(|heading| heading.starts_with(PARAMETERS));
        arg.hide_short_help(is_parameter)
    })
}

/// Adds the flag of a setting.
pub fn add(command: Command, setting: SettingDef) -> Command {
    command.arg(of(&setting))
}

/// The flag of a setting.
pub fn of(setting: &SettingDef) -> Arg {
    let arg = flag(setting.name, setting.form).help(setting.help());
    if setting.is_switch_of_file() { with_value(arg) } else { arg }
}

/// A switch that also takes a value: `--cycle-momentum=false`.
fn with_value(arg: Arg) -> Arg {
    let arg = arg.action(ArgAction::Set).value_name("BOOL").num_args(0..=1).require_equals(true);
    arg.default_missing_value("true")
}

/// The folders that a command reads, one or more.
pub fn folders(help: &'static str) -> Arg {
    let arg = Arg::new("folders").value_name("DIR").required(true).num_args(1..).action(ArgAction::Append);
    arg.value_parser(place()).help(help)
}

/// The name of a file or a folder. Not clap's own path parser, whose error for an empty one does not say what is expected.
pub fn place() -> impl TypedValueParser<Value = OsString> {
    OsStringValueParser::new().try_map(|name| match name.is_empty() {
        true => Err("it has no name"),
        false => Ok(name),
    })
}

/// Adds a flag for each parameter of the entries of a family, under a heading.
pub fn add_family(command: Command, family: &str, entries: &[Entry]) -> Command {
    let heading = format!("{PARAMETERS} {family}");
    parameters(entries).into_iter().fold(command, |command, (name, switch)| {
        // What it means to some may not be what it means to others.
        let mut meanings: Vec<(String, Vec<&str>)> = Vec::new();
        for (entry, meaning) in takers(entries, name) {
            match meanings.iter_mut().find(|(known, _)| *known == meaning) {
                Some((_, names)) => names.push(entry),
                None => meanings.push((meaning, vec![entry])),
            }
        }
        let arg = flag(name, FlagForm::Value("VALUE"));
        let arg = if switch {
            with_value(arg)
        } else if gathers(name) {
            arg.action(ArgAction::Append)
        } else {
            arg
        };
        let meaning = |(meaning, names): &(String, Vec<&str>)| format!("{meaning} [{}]", names.join(", "));
        let help = meanings.iter().map(meaning).collect::<Vec<_>>().join("; ");
        let arg = arg.help(help).help_heading(heading.clone());
        if !switch {
            return command.arg(arg);
        }
        let command = command.arg(arg);
        let off = format!("Turn {name} off where it is on by default");
        // For a switch that is off by default it only undoes a config file, and would clutter the help.
        let clutter = !turns_off(entries, name);
        command.arg(flag(&negated(name), FlagForm::Switch).help(off).help_heading(heading.clone()).hide(clutter))
    })
}

/// `--name`, also read from its variable.
fn flag(name: &str, form: FlagForm) -> Arg {
    let arg = Arg::new(name.to_string()).long(name.to_string()).env(variable(name)).hide_env(true);
    match form {
        FlagForm::Value(value) => arg.value_name(value).action(ArgAction::Set).allow_hyphen_values(true),
        // Kept as text: parsed where its source is known.
        FlagForm::Switch => arg.action(ArgAction::SetTrue).value_parser(value_parser!(String)),
        // Not clap's own path parser, whose error for an empty path does not say what is expected.
        FlagForm::Path(value) => {
            arg.value_name(value).action(ArgAction::Set).allow_hyphen_values(true).value_parser(value_parser!(OsString))
        }
        FlagForm::Paths(value) => arg.value_name(value).action(ArgAction::Append).value_parser(value_parser!(OsString)),
        FlagForm::List(value) | FlagForm::Table(value) | FlagForm::Records(value) => {
            arg.value_name(value).num_args(1..).action(ArgAction::Append)
        }
    }
}

/// Whether a switch may be on by default.
fn turns_off(entries: &[Entry], name: &str) -> bool {
    let all = entries.iter().flat_map(|entry| entry.parameters);
    all.into_iter().any(|parameter| parameter.name == name && parameter.may_be_on())
}

fn takers<'a>(entries: &'a [Entry], name: &'a str) -> impl Iterator<Item = (&'static str, String)> + 'a {
    entries.iter().filter_map(move |entry| {
        entry.parameters.iter().find(|parameter| parameter.name == name).map(|parameter| (entry.name, parameter.help()))
    })
}

/// The values given for `command` on the command line and in the environment. In a variable, list items are separated
/// by whitespace.
pub fn gather(command: &Command, matches: &ArgMatches) -> Given {
    let takes_list = |name: &str| {
        let arg = command.get_arguments().find(|arg| arg.get_id() == name);
        arg.and_then(Arg::get_num_args).is_some_and(|count| count.max_values() > 1)
    };
    let mut given = Given::default();
    for name in matches.ids().map(clap::Id::as_str) {
        let source = match matches.value_source(name) {
            Some(ValueSource::CommandLine) => Source::CommandLine,
            Some(ValueSource::EnvVariable) => Source::Environment,
            _ => continue,
        };
        let values: Vec<String> = match (matches.try_get_many::<String>(name), matches.try_get_many::<OsString>(name)) {
            (Ok(values), _) => values.into_iter().flatten().cloned().collect(),
            (_, Ok(paths)) => {
                given.put_paths(name, source, paths.into_iter().flatten().map(PathBuf::from).collect());
                continue;
            }
            // Belongs to a command with its own kind of paths.
            _ => continue,
        };
        let values = match source {
            Source::Environment if takes_list(name) => {
                values.iter().flat_map(|value| value.split_whitespace()).map(str::to_string).collect()
            }
            _ => values,
        };
        // What is only in the variable counts beside what was typed.
        let variable = || {
            let variable = std::env::var_os(variable(name)).filter(|_| source == Source::CommandLine);
            variable.map(|text| text.to_string_lossy().into_owned()).unwrap_or_default()
        };
        if is_records(name) {
            let record = |text: &str, source| Record { what: Recorded::Text(text.to_string()), source };
            let texts = values.iter().flat_map(|text| text.split_whitespace());
            given.put_records(name, texts.map(|text| record(text, source)));
            given.put_records(name, variable().split_whitespace().map(|text| record(text, Source::Environment)));
            continue;
        }
        if is_table(name) {
            given.put_keys(name, variable().split_whitespace().map(|key| TableKey::parse(key, Source::Environment)));
            given.put_keys(name, values.iter().map(|key| TableKey::parse(key, source)));
            continue;
        }
        given.put(name, source, values);
    }
    // Of a switch that was typed both ways, the last one counts.
    let place = |name: &str| {
        let is_typed = given.source(name) == Some(Source::CommandLine);
        is_typed.then(|| matches.indices_of(name)?.next_back()).flatten()
    };
    let both = matches.ids().filter_map(|id| {
        let (on, off) = (id.as_str(), negated(id.as_str()));
        // Only of flags that the command has.
        command.get_arguments().any(|arg| *arg.get_id() == *off).then_some(())?;
        Some(if place(on)? < place(&off)? { on.to_string() } else { off })
    });
    let overridden: Vec<String> = both.collect();
    overridden.iter().for_each(|name| given.forget(name));
    given
}
