//! The settings as the user gave them. Precedence: command line, `LRSCHED_*` variables, config file. The defaults are
//! applied later, when the text is resolved into a config.

mod table;

pub use table::{Record, Recorded, TableKey};

use super::CommandName;
use super::settings::{self, is_records, is_table};
use super::variables::variable;
use crate::disk;
use crate::schedule;
use crate::spec::{Entry, read_switch};
use crate::usage;
use crate::usage::{Usage, did_you_mean, listed, shortened};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use table::{list, records, table_keys};

/// In rising order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    File,
    Environment,
    CommandLine,
}

/// The settings that were given, not yet parsed.
#[derive(Debug, Clone, Default)]
pub struct Given {
    values: BTreeMap<String, (Source, Vec<String>)>,
    /// The file and folder names as given; `values` holds a lossy text copy.
    paths: BTreeMap<String, Vec<PathBuf>>,
    /// The keys of settings that are tables, each from the place that gave it.
    tables: BTreeMap<String, Vec<TableKey>>,
    /// The texts and tables of settings that are repeated, each from the place that gave it.
    records: BTreeMap<String, Vec<Record>>,
    /// The config file.
    file: Option<PathBuf>,
}

/// The values given for one setting.
#[derive(Debug, Clone, Copy)]
pub struct Value<'a> {
    name: &'a str,
    /// The last value of a repeated flag.
    text: &'a str,
    path: Option<&'a Path>,
}

impl Value<'_> {
    pub fn text(&self) -> &str {
        self.text
    }

    pub fn path(&self) -> PathBuf {
        self.path.map_or_else(|| self.text.into(), Path::to_path_buf)
    }

    /// The name of a folder.
    ///
    /// # Errors
    /// An empty one, or one of blanks.
    pub fn folder(&self) -> Result<PathBuf, Usage> {
        match self.text.trim() {
            "" => usage!("--{} must name a folder, got nothing", self.name),
            _ => Ok(self.path()),
        }
    }

    /// A number; `rule` states the requirement: `a whole number of at least 1`.
    ///
    /// # Errors
    /// Anything else.
    pub fn number<T: std::str::FromStr>(&self, rule: &str) -> Result<T, Usage> {
        let Self { name, text, .. } = self;
        text.trim().parse().map_err(|_| {
            let is_whole = !text.trim().is_empty() && text.trim().bytes().all(|byte| byte.is_ascii_digit());
            let text = shortened(text);
            // It is by the rule, and yet no number of this program.
            let wrong = if is_whole { "is too large".to_string() } else { format!("must be {rule}") };
            Usage(format!("{name} {wrong}, got `{text}`"))
        })
    }

    /// A value whose own parser reports errors.
    ///
    /// # Errors
    /// Those of the parser.
    pub fn word<T: std::str::FromStr<Err = Usage>>(&self) -> Result<T, Usage> {
        self.text.parse()
    }

    /// # Errors
    /// Neither true nor false in any accepted spelling.
    pub fn switch(&self) -> Result<bool, Usage> {
        boolean(self.text).map_err(|error| Usage(format!("{}: {error}", self.name)))
    }
}

/// Whether repeated values of a name accumulate; otherwise the last one counts.
pub fn gathers(name: &str) -> bool {
    let parameters = || schedule::table().iter().flat_map(|entry| entry.parameters);
    super::settings::is_list(name) || parameters().any(|parameter| parameter.name == name && parameter.kind.is_list())
}

/// Reads a switch from a flag, a variable or a file: `true` or `false` as in a spec, or `yes`, `on`, `1`, `no`, `off`,
/// `0`, case-insensitively.
///
/// # Errors
/// Any other text.
pub fn boolean(text: &str) -> Result<bool, Usage> {
    let word = match text.trim().to_ascii_lowercase().as_str() {
        "yes" | "on" | "1" => "true".to_string(),
        "no" | "off" | "0" => "false".to_string(),
        other => other.to_string(),
    };
    read_switch(&word).ok_or_else(|| {
        let text = shortened(text);
        Usage(format!("a switch is true or false (yes or no, on or off, 1 or 0), got `{text}`"))
    })
}

/// The flag that turns a switch off.
pub fn negated(name: &str) -> String {
    format!("no-{name}")
}

/// Each parameter of a family that is a flag, once, in table order, and whether it is a switch.
pub fn parameters(entries: &[Entry]) -> Vec<(&'static str, bool)> {
    let mut names: Vec<(&'static str, bool)> = Vec::new();
    for parameter in entries.iter().flat_map(|entry| entry.parameters) {
        if parameter.is_flag && names.iter().all(|(name, _)| *name != parameter.name) {
            names.push((parameter.name, parameter.is_switch()));
        }
    }
    names
}

impl Given {
    /// Records the values that `source` gives for `name`.
    pub fn put(&mut self, name: &str, source: Source, values: Vec<String>) {
        self.values.insert(name.to_string(), (source, values));
    }

    /// Like [`Given::put`], for file and folder names, which need not be valid UTF-8.
    pub fn put_paths(&mut self, name: &str, source: Source, paths: Vec<PathBuf>) {
        self.put(name, source, paths.iter().map(|path| path.to_string_lossy().into_owned()).collect());
        self.paths.insert(name.to_string(), paths);
    }

    /// The settings given on the command line alone.
    #[must_use]
    pub fn typed(mut self) -> Self {
        self.values.retain(|_, (source, _)| *source == Source::CommandLine);
        self.tables.values_mut().for_each(|keys| keys.retain(|key| key.source == Source::CommandLine));
        self.records.values_mut().for_each(|records| records.retain(|record| record.source == Source::CommandLine));
        self
    }

    /// Forgets what was given for `name`.
    pub fn forget(&mut self, name: &str) {
        self.values.remove(name);
    }

    /// Whether `name` was given on the command line or in the environment. The config file is ignored: it may hold
    /// every setting, as `--print-config` writes it.
    pub fn has_above_file(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(|(source, _)| *source > Source::File)
    }

    /// Whether `name` was given.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Adds the keys of a config file, at lower precedence than what has already been given. `known` are the names that
    /// the command takes; those of `others`, which it does not, are left out and returned.
    ///
    /// # Errors
    /// A file that cannot be read or is not TOML; an unknown key (with the nearest known one, or the commands that have
    /// it); a value that is neither text, a number nor a boolean; a list for a name that takes one value; an empty list.
    pub fn lay_below(&mut self, file: &Path, known: &[String], others: &[String]) -> Result<Vec<String>> {
        if file.as_os_str() == "-" {
            let text = disk::read_stdin(disk::MOST_CONFIG).context("cannot read the config from stdin")?;
            if text.trim().is_empty() {
                return usage!("config: stdin (`-`) is empty; give it the settings, or name a file");
            }
            return self.lay_text_below(&text, Path::new("stdin"), known, others);
        }
        if file.as_os_str().is_empty() {
            return usage!("config must name a TOML file, got nothing");
        }
        let text = match disk::read_text(file, disk::MOST_CONFIG) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return usage!("config must name a TOML file, and there is no {}", file.display());
            }
            Err(error) => {
                return usage!("cannot read the config {}: {error}; config must name a TOML file", file.display());
            }
        };
        self.lay_text_below(&text, file, known, others)
    }

    /// Like [`Given::lay_below`], from the text of `file`.
    ///
    /// # Errors
    /// As [`Given::lay_below`].
    pub fn lay_text_below(
        &mut self,
        text: &str,
        file: &Path,
        known: &[String],
        others: &[String],
    ) -> Result<Vec<String>> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count());
            let written = shortened(text.lines().nth(line).unwrap_or_default().trim());
            // At the end of the file there is nothing to quote.
            let written = if written.is_empty() { written } else { format!("`{written}`: ") };
            let said = match error.message() {
                said if said.contains("as i128") => {
                    format!("a whole number is at most {}; write a larger one as 1e20", i64::MAX)
                }
                said => said.replace('\n', ", "),
            };
            Usage(format!("{} line {}: {written}{said}", file.display(), line + 1))
        })?;
        self.file = Some(file.to_path_buf());
        let mut left_out = Vec::new();
        for (key, value) in &table {
            if !known.contains(key) {
                if others.contains(key) {
                    left_out.push(key.clone());
                    continue;
                }
                let having = CommandName::TRAINING.iter().filter(|command| settings::keys(**command).contains(key));
                let having: Vec<String> = having.map(|command| format!("`lrsched {}`", command.name())).collect();
                if !having.is_empty() {
                    return usage!("{}: `{key}` is a key of {} only; leave it out", file.display(), listed(&having));
                }
                let hint = did_you_mean(key, known.iter().map(String::as_str));
                return usage!("{}: unknown key `{key}`{hint}", file.display(), key = shortened(key));
            }
            if is_table(key) {
                let keys = table_keys(file, key, value)?;
                self.put_keys(key, keys);
                continue;
            }
            if is_records(key) {
                let records = records(file, key, value)?;
                self.put_records(key, records);
                continue;
            }
            let values = match value {
                toml::Value::Array(_) if !gathers(key) => {
                    return usage!(
                        "{}: `{key}` takes one value, got a list: `{}`",
                        file.display(),
                        shortened(&value.to_string())
                    );
                }
                value => list(file, key, value)?,
            };
            self.values.entry(key.clone()).or_insert((Source::File, values));
        }
        Ok(left_out)
    }

    /// Takes what the config file says of one name as said of another, unless that was given, too.
    pub fn rename_in_file(&mut self, name: &str, other: &str) {
        if self.values.get(name).is_some_and(|(source, _)| *source == Source::File)
            && let Some(value) = self.values.remove(name)
        {
            self.values.entry(other.to_string()).or_insert(value);
        }
    }

    /// The value of `name`, if given.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).and_then(|(_, values)| values.last()).map(String::as_str)
    }

    /// The file or folder that `name` gives.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        let text = self.text(name)?;
        Some(self.paths(name).last().cloned().unwrap_or_else(|| text.into()))
    }

    /// All files or folders that `name` gives on the command line.
    pub fn paths(&self, name: &str) -> &[PathBuf] {
        self.paths.get(name).map_or(&[], Vec::as_slice)
    }

    /// The value of `name`, unless it comes from a source of lower precedence than the one that chose the family's
    /// entry: `--optimizer adam:lr=0.002` overrides the `lr` of a file, and `--lr` overrides both.
    pub fn beside(&self, name: &str, family: &str) -> Option<&str> {
        let chosen = self.values.get(family).map(|(source, _)| *source);
        let (source, values) = self.values.get(name)?;
        let counts = chosen.is_none_or(|chosen| *source >= chosen);
        values.last().filter(|_| counts).map(String::as_str)
    }

    pub fn list(&self, name: &str) -> Option<&[String]> {
        self.values.get(name).map(|(_, values)| values.as_slice())
    }

    /// Resolves two mutually exclusive settings: the one of higher precedence wins, and equal precedence is a conflict.
    /// `None` if either was not given.
    pub fn order(&self, a: &str, b: &str) -> Option<std::cmp::Ordering> {
        let source = |name: &str| self.values.get(name).map(|(source, _)| *source);
        Some(source(a)?.cmp(&source(b)?))
    }

    /// The source of the value of `name`.
    pub fn source(&self, name: &str) -> Option<Source> {
        self.values.get(name).map(|(source, _)| *source)
    }

    /// The error, prefixed with the variable or the file that the value of `name` comes from, unless it was typed on
    /// the command line.
    pub fn with_source(&self, name: &str, error: Usage) -> Usage {
        match (self.source(name), &self.file) {
            (Some(Source::Environment), _) => Usage(format!("{error} (from {})", variable(name))),
            (Some(Source::File), Some(file)) => Usage(format!("{error} (from {})", file.display())),
            _ => error,
        }
    }

    /// Like [`Given::with_source`], for a parameter from [`Given::family`]; a switch may also come from its `no-` flag.
    pub fn with_source_of_flag(&self, name: &str, error: Usage) -> Usage {
        match negated(name) {
            off if self.source(&off) > self.source(name) => self.with_source(&off, error),
            _ => self.with_source(name, error),
        }
    }

    /// Reads the value of `name`, if given.
    ///
    /// # Errors
    /// Those of `read`, with the source.
    pub fn read<T>(&self, name: &str, read: impl FnOnce(&Value<'_>) -> Result<T, Usage>) -> Result<Option<T>, Usage> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let value = Value { name, text, path: self.paths(name).last().map(PathBuf::as_path) };
        read(&value).map(Some).map_err(|error| self.with_source(name, error))
    }

    /// Whether the switch `name` is on; off if not given.
    ///
    /// # Errors
    /// As [`Value::switch`].
    pub fn switch(&self, name: &str) -> Result<bool, Usage> {
        Ok(self.read(name, |value| value.switch())?.unwrap_or(false))
    }

    /// [`Value::number`] of `name`, if given.
    ///
    /// # Errors
    /// As [`Value::number`].
    pub fn parse<T: std::str::FromStr>(&self, name: &str, rule: &str) -> Result<Option<T>, Usage> {
        self.read(name, |value| value.number(rule))
    }

    /// [`Value::word`] of `name`, if given.
    ///
    /// # Errors
    /// As [`Value::word`].
    pub fn parse_own<T: std::str::FromStr<Err = Usage>>(&self, name: &str) -> Result<Option<T>, Usage> {
        self.read(name, |value| value.word())
    }

    /// The parameters that go with `--<family>`: `[("factor", "0.5"), …]`. Parameters from a source of lower precedence
    /// than the one that chose the entry belong to another entry and are skipped, so that `--schedule cosine` replaces
    /// the whole schedule of a file.
    pub fn family(&self, family: &str, entries: &[Entry]) -> Vec<(String, String)> {
        let chosen = self.values.get(family).map(|(source, _)| *source);
        let given = |key: &str| {
            let (source, values) = self.values.get(key)?;
            chosen.is_none_or(|chosen| *source >= chosen).then_some((*source, values.as_slice()))
        };
        let mut flags = Vec::new();
        for (name, switch) in parameters(entries) {
            if switch {
                // Anything that is not a boolean is passed on: the entry reports the error.
                let read = |text: &str, on: bool| boolean(text).map_or(text.to_string(), |is| (is == on).to_string());
                let on = given(name).map(|(source, values)| (source, read(&values[0], true)));
                // `--no-nesterov` turns the switch off; `no-nesterov = false` means the flag was not given.
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
