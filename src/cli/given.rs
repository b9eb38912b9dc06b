//! What the user typed, wherever it was typed: command line over `LRSCHED_*` over config file. The defaults come later, where the text
//! is resolved into a config.

use crate::disk;
use crate::schedule;
use crate::spec::Entry;
use crate::usage;
use crate::usage::{Usage, did_you_mean, shortened};
use anyhow::{Context, Result};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// How a setting is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Value,
    /// `--name` alone; `name = true` in a file.
    Switch,
    /// `--name A B`, repeatable; `name = ["A", "B"]` in a file.
    List,
    /// A file or folder, whose name may be no text.
    Path,
}

/// One setting: a flag `--name`, a variable `LRSCHED_NAME` and a key `name` in a config file.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    pub name: &'static str,
    pub value: &'static str,
    pub kind: Kind,
    pub help: &'static str,
}

/// In rising order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    File,
    Environment,
    CommandLine,
}

/// The settings that were given, still text.
#[derive(Debug, Clone, Default)]
pub struct Given {
    values: BTreeMap<String, (Source, Vec<String>)>,
    /// The values of [`Kind::Path`] as they were given; `values` has them as text, as well as can be.
    paths: BTreeMap<String, PathBuf>,
}

/// Parameters that a spec takes but that are no flag of a family: `--lr` is a setting of its own, `for` only means something within a
/// sequence.
const NO_FLAGS: [&str; 2] = ["lr", "for"];

/// The settings of [`Kind::List`] that a config file may hold.
const LISTS: [&str; 1] = ["entrants"];

/// Whether several values of one name add up; of any other name the last one counts.
fn gathers(name: &str) -> bool {
    LISTS.contains(&name) || schedule::LISTS.contains(&name)
}

/// The one reading of a switch, wherever it was written.
fn boolean(text: &str) -> Result<bool, Usage> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => usage!("a switch is true or false (yes or no, on or off, 1 or 0), got `{text}`", text = shortened(text)),
    }
}

/// A flag for each setting.
pub fn add_settings(command: Command, settings: &[Setting]) -> Command {
    settings.iter().fold(command, |command, setting| {
        command.arg(flag(setting.name, setting.value, setting.kind).help(setting.help))
    })
}

/// Under a heading for each family, a flag for each parameter of its entries.
pub fn add_families(command: Command, families: &[(&'static str, &[Entry])]) -> Command {
    families.iter().fold(command, |command, (family, entries)| {
        parameters(entries).into_iter().fold(command, |command, (name, switch)| {
            let takers: Vec<_> = takers(entries, name).collect();
            let names: Vec<_> = takers.iter().map(|(entry, _)| *entry).collect();
            let arg = flag(name, "VALUE", Kind::Value);
            // A switch may be given a value after all: `--cycle-momentum=false`.
            let arg = if switch {
                arg.value_name("BOOL").num_args(0..=1).require_equals(true).default_missing_value("true")
            } else if gathers(name) {
                arg.action(ArgAction::Append)
            } else {
                arg
            };
            let help = format!("{} [{}]", takers[0].1, names.join(", "));
            let heading = format!("Parameters of the {family}");
            let command = command.arg(arg.help(help).help_heading(heading.clone()));
            if !switch {
                return command;
            }
            let off = format!("Turn {name} off where it is on by default");
            // For a switch that is off by itself it only undoes a config file, and would clutter the help.
            let clutter = !turns_off(entries, name);
            command.arg(flag(&negated(name), "", Kind::Switch).help(off).help_heading(heading).hide(clutter))
        })
    })
}

/// The flag that turns a switch off.
fn negated(name: &str) -> String {
    format!("no-{name}")
}

/// `--name`, also read from its variable.
pub fn flag(name: &str, value: &'static str, kind: Kind) -> Arg {
    let arg = Arg::new(name.to_string())
        .long(name.to_string())
        .env(format!("LRSCHED_{}", name.replace('-', "_").to_uppercase()))
        .hide_env(true);
    match kind {
        Kind::Value => arg.value_name(value).action(ArgAction::Set).allow_hyphen_values(true),
        Kind::Switch => arg.action(ArgAction::SetTrue).value_parser(boolean),
        // Not clap's own parser of paths, which refuses an empty one without saying what is wanted.
        Kind::Path => {
            arg.value_name(value).action(ArgAction::Set).allow_hyphen_values(true).value_parser(value_parser!(OsString))
        }
        Kind::List => arg.value_name(value).num_args(1..).action(ArgAction::Append),
    }
}

/// Every parameter of a family once, in the order of the table, and whether it is a switch.
fn parameters(entries: &[Entry]) -> Vec<(&'static str, bool)> {
    let mut names: Vec<(&'static str, bool)> = Vec::new();
    for parameter in entries.iter().flat_map(|entry| entry.parameters) {
        if !NO_FLAGS.contains(&parameter.name) && names.iter().all(|(name, _)| *name != parameter.name) {
            names.push((parameter.name, parameter.switch));
        }
    }
    names
}

/// Whether a switch may be on without being given.
fn turns_off(entries: &[Entry], name: &str) -> bool {
    let all = entries.iter().flat_map(|entry| entry.parameters);
    all.into_iter().any(|parameter| parameter.name == name && parameter.switch && parameter.default != "false")
}

fn takers<'a>(entries: &'a [Entry], name: &'a str) -> impl Iterator<Item = (&'static str, &'static str)> + 'a {
    entries.iter().filter_map(move |entry| {
        entry.parameters.iter().find(|parameter| parameter.name == name).map(|parameter| (entry.name, parameter.help))
    })
}

impl Given {
    /// What the command line and the environment say to `command`. A variable holds the values of a list divided by white space.
    pub fn gather(command: &Command, matches: &ArgMatches) -> Self {
        let takes_list = |name: &str| {
            let arg = command.get_arguments().find(|arg| arg.get_id() == name);
            arg.and_then(Arg::get_num_args).is_some_and(|count| count.max_values() > 1)
        };
        let mut given = Self::default();
        for name in matches.ids().map(clap::Id::as_str) {
            let source = match matches.value_source(name) {
                Some(ValueSource::CommandLine) => Source::CommandLine,
                Some(ValueSource::EnvVariable) => Source::Environment,
                _ => continue,
            };
            let values = match (matches.try_get_many::<String>(name), matches.try_get_one::<OsString>(name)) {
                (Ok(values), _) => values.into_iter().flatten().cloned().collect(),
                (_, Ok(path)) => {
                    let path = PathBuf::from(path.cloned().unwrap_or_default());
                    let text = path.to_string_lossy().into_owned();
                    given.paths.insert(name.to_string(), path);
                    vec![text]
                }
                // Of a command that has paths of its own kind, or a switch.
                _ => match matches.try_get_one::<bool>(name) {
                    Ok(on) => vec![on.is_some_and(|on| *on).to_string()],
                    Err(_) => continue,
                },
            };
            let values = match source {
                Source::Environment if takes_list(name) => {
                    values.iter().flat_map(|value| value.split_whitespace()).map(str::to_string).collect()
                }
                _ => values,
            };
            given.values.insert(name.to_string(), (source, values));
        }
        given
    }

    /// What the command line alone says.
    #[must_use]
    pub fn typed(mut self) -> Self {
        self.values.retain(|_, (source, _)| *source == Source::CommandLine);
        self
    }

    /// Whether `name` was given on the command line or in the environment: a config file may hold every setting, as `--print-config` writes it.
    pub fn has_above_file(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(|(source, _)| *source > Source::File)
    }

    /// Whether `name` was given.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Lays the keys of a config file below what has been given already. `known` are the names that the command takes.
    ///
    /// # Errors
    /// A file that cannot be read or is not TOML, an unknown key (with the nearest known one), a value that is neither text, number
    /// nor boolean, or a list of these where the name takes one value, or an empty list.
    pub fn lay_below(&mut self, file: &Path, known: &[String]) -> Result<()> {
        let text = disk::read_text(file, disk::MOST_CONFIG)
            .with_context(|| format!("cannot read the config {}", file.display()))?;
        self.lay_text_below(&text, file, known)
    }

    /// As [`Given::lay_below`], of the text of `file`.
    ///
    /// # Errors
    /// As [`Given::lay_below`].
    pub fn lay_text_below(&mut self, text: &str, file: &Path, known: &[String]) -> Result<()> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
            Usage(format!("{} line {line}: {}", file.display(), error.message().replace('\n', ", ")))
        })?;
        for (key, value) in &table {
            if !known.contains(key) {
                let hint = did_you_mean(key, known.iter().map(String::as_str));
                return usage!("{}: unknown key `{key}`{hint}", file.display(), key = shortened(key));
            }
            let values = match value {
                toml::Value::Array(_) if !gathers(key) => {
                    return usage!(
                        "{}: `{key}` takes one value, got a list: `{}`",
                        file.display(),
                        shortened(&value.to_string())
                    );
                }
                toml::Value::Array(items) if items.is_empty() => {
                    return usage!("{}: `{key}` must list at least one value, got `[]`", file.display());
                }
                toml::Value::Array(items) => {
                    items.iter().map(|item| scalar(file, key, item)).collect::<Result<_, _>>()?
                }
                item => vec![scalar(file, key, item)?],
            };
            self.values.entry(key.clone()).or_insert((Source::File, values));
        }
        Ok(())
    }

    /// The value of `name`, where it was given.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).and_then(|(_, values)| values.last()).map(String::as_str)
    }

    /// The file or folder that `name` gives.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        let text = self.text(name)?;
        Some(self.paths.get(name).cloned().unwrap_or_else(|| text.into()))
    }

    /// The value of `name`, unless it comes from a source below the one that chose the family's entry: `--optimizer adam:lr=0.002` goes
    /// before the `lr` of a file, and `--lr` before both.
    pub fn beside(&self, name: &str, family: &str) -> Option<&str> {
        let chosen = self.values.get(family).map(|(source, _)| *source);
        let (source, values) = self.values.get(name)?;
        let counts = chosen.is_none_or(|chosen| *source >= chosen);
        values.last().filter(|_| counts).map(String::as_str)
    }

    pub fn list(&self, name: &str) -> Option<&[String]> {
        self.values.get(name).map(|(_, values)| values.as_slice())
    }

    /// How two settings that exclude each other stand: the one from the greater source counts, and equal ones contradict each other. `None`
    /// where one of them was not given.
    pub fn order(&self, a: &str, b: &str) -> Option<std::cmp::Ordering> {
        let source = |name: &str| self.values.get(name).map(|(source, _)| *source);
        Some(source(a)?.cmp(&source(b)?))
    }

    pub fn switch(&self, name: &str) -> Result<bool, Usage> {
        let about = |error| Usage(format!("{name}: {error}"));
        self.text(name).map_or(Ok(false), |text| boolean(text).map_err(about))
    }

    /// Parses the value of `name`; `rule` says what it must be: `a whole number of at least 1`.
    pub fn parse<T: std::str::FromStr>(&self, name: &str, rule: &str) -> Result<Option<T>, Usage> {
        self.text(name)
            .map(|text| {
                text.trim()
                    .parse()
                    .map_err(|_| Usage(format!("{name} must be {rule}, got `{text}`", text = shortened(text))))
            })
            .transpose()
    }

    /// A value whose own parser says what is wrong.
    pub fn parse_own<T: std::str::FromStr<Err = Usage>>(&self, name: &str) -> Result<Option<T>, Usage> {
        self.text(name).map(str::parse).transpose()
    }

    /// The parameters of a family that go with `--<family>`: `[("factor", "0.5"), …]`. Those from a source below the one that chose
    /// the family's entry belong to another entry and are passed over, so that `--schedule cosine` replaces the whole schedule of a file.
    pub fn family(&self, family: &str, entries: &[Entry]) -> Vec<(String, String)> {
        let chosen = self.values.get(family).map(|(source, _)| *source);
        let given = |key: &str| {
            let (source, values) = self.values.get(key)?;
            chosen.is_none_or(|chosen| *source >= chosen).then_some((*source, values.as_slice()))
        };
        let mut flags = Vec::new();
        for (name, switch) in parameters(entries) {
            if switch {
                // The text of what is no boolean is handed on: the entry says what is wrong with it.
                let read = |text: &str, on: bool| boolean(text).map_or(text.to_string(), |is| (is == on).to_string());
                let on = given(name).map(|(source, values)| (source, read(&values[0], true)));
                // `--no-nesterov` turns off; that it was not given, as `no-nesterov = false` says, turns nothing on.
                let off = given(&negated(name)).map(|(source, values)| (source, read(&values[0], false)));
                let off = off.filter(|(_, text)| text != "true");
                let decides = if off.as_ref().map(|(source, _)| source) >= on.as_ref().map(|(source, _)| source) {
                    off
                } else {
                    on
                };
                flags.extend(decides.map(|(_, text)| (name.to_string(), text)));
            } else if let Some((_, values)) = given(name) {
                flags.extend(values.iter().map(|value| (name.to_string(), value.clone())));
            }
        }
        flags
    }
}

fn scalar(file: &Path, key: &str, value: &toml::Value) -> Result<String, Usage> {
    match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_) => Ok(value.to_string()),
        other => usage!("{}: `{key}` must be text, a number or true/false, got a {}", file.display(), other.type_str()),
    }
}
