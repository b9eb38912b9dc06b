//! Turns the given settings into configs: parses them, fills in the defaults, and checks them.

use super::{CommandName, Field, POSITIVE, Setter, SettingDef, check_clip, of};
use crate::config::given::{Given, Record, Recorded};
use crate::config::{FindConfig, MachineConfig, ProgressMode, RunConfig};
use crate::data::DatasetKind;
use crate::engine::EngineKind;
use crate::optim::{self, Clipping, Float, OptimizerSpec, ParamGroup};
use crate::schedule::{self, Spec};
use crate::spec::Entry;
use crate::usage;
use crate::usage::Usage;
use anyhow::Result;
use std::cmp::Ordering;
use std::path::{Path, PathBuf};

/// Whether the word for its being not set is given for a setting.
fn is_unset(given: &Given, row: &SettingDef) -> bool {
    row.unset.is_some() && given.text(row.name) == row.unset
}

/// Sets the fields of `config` that were given, in rising order of precedence. The word for a setting that is not set leaves it
/// so: `--average none` takes back what a file says.
fn apply<C>(
    given: &Given,
    command: CommandName,
    config: &mut C,
    setter: impl Fn(Field) -> Option<Setter<C>>,
) -> Result<(), Usage> {
    let set = of(command).filter(|row| !is_unset(given, row));
    let rows = set.filter_map(|row| Some((given.source(row.name)?, row.name, setter(row.field)?)));
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by_key(|(source, ..)| *source);
    rows.into_iter().try_for_each(|(_, name, set)| given.read(name, |value| set(config, value)).map(drop))
}

/// Whether the value that is given for `setting` of a run is the one in `config`, however it is written; `None` if none is
/// given.
///
/// # Errors
/// The value cannot be parsed.
pub fn is_in(given: &Given, setting: &SettingDef, config: &RunConfig) -> Result<Option<bool>, Usage> {
    let own = config.settings();
    let own = own.get(setting.name);
    match setting.field {
        _ if is_unset(given, setting) => Ok(Some(own.is_none())),
        Field::Run(set) => {
            let mut changed = config.clone();
            let is_given = given.read(setting.name, |value| set(&mut changed, value))?;
            Ok(is_given.map(|()| changed.settings().get(setting.name) == own))
        }
        Field::Machine(_) | Field::RangeTest(_) | Field::Command => {
            Ok(given.text(setting.name).map(|given| Some(given.trim()) == own))
        }
    }
}

/// The config of one run of `command`. `optimizer` and `schedule` are passed in because `compare` takes them from its
/// entrants.
///
/// # Errors
/// A value that cannot be parsed or is out of range. If it was not typed on the command line, the error names the
/// variable or the file.
pub fn run_config(
    given: &Given,
    command: CommandName,
    optimizer: OptimizerSpec,
    schedule: Spec,
    default_epochs: u64,
) -> Result<RunConfig, Usage> {
    let group = groups(given)?;
    let mut config = RunConfig { optimizer, schedule, epochs: default_epochs, group, ..RunConfig::default() };
    apply(given, command, &mut config, |field| match field {
        Field::Run(set) => Some(set),
        _ => None,
    })?;
    // A spec with its own rate has already taken --lr into account.
    match config.optimizer.learning_rate() {
        Some(lr) => config.lr = lr,
        None if !given.has("lr") => config.lr = config.optimizer.default_learning_rate(config.semantics),
        None => {}
    }
    if !given.has("validation") {
        config.validation = config.dataset.default_validation();
    }
    if !given.has("augment") {
        config.augment = config.dataset.default_augment();
    }
    if !given.has("engine") {
        config.engine = EngineKind::for_device(config.device);
    }
    for (name, checked) in config.checks() {
        checked.map_err(|error| given.with_source(name, error))?;
    }
    Ok(config)
}

/// The config of a range test.
///
/// # Errors
/// As [`run_config`]; a rate in the optimizer spec, since the rate is what the test searches for; a length given in
/// both epochs and steps.
pub fn find_config(given: &Given) -> Result<FindConfig, Usage> {
    let optimizer = optimizer(given)?;
    if optimizer.learning_rate().is_some() {
        return usage!("optimizer: `find` searches for the rate; drop lr from `{optimizer}`");
    }
    if given.order("epochs", "steps") == Some(Ordering::Equal) {
        let rule = "--epochs and --steps both set the length of the test; drop one of them".to_string();
        return Err(given.with_source("steps", Usage(rule)));
    }
    // A range test has its own length.
    let run = run_config(given, CommandName::Find, optimizer, Spec::default(), 1)?;
    let mut config = FindConfig { run, ..FindConfig::default() };
    apply(given, CommandName::Find, &mut config, |field| match field {
        Field::RangeTest(set) => Some(set),
        _ => None,
    })?;
    for (name, checked) in config.checks() {
        checked.map_err(|error| given.with_source(name, error))?;
    }
    Ok(config)
}

/// The limits on the gradients alone, for a command without runs.
///
/// # Errors
/// A limit that is not a number, or out of the range of `T`.
pub fn clipping<T: Float>(given: &Given, command: CommandName) -> Result<Clipping, Usage> {
    let limit = |name: &str| -> Result<Option<f64>, Usage> {
        if of(command).any(|row| row.name == name && is_unset(given, &row)) {
            return Ok(None);
        }
        let limit = given.parse(name, POSITIVE)?;
        check_clip::<T>(name, limit).map_err(|error| given.with_source(name, error))?;
        Ok(limit)
    };
    Ok(Clipping { norm: limit("clip-norm")?, value: limit("clip-value")? })
}

/// The settings of the process.
///
/// # Errors
/// A value that cannot be parsed or is out of range.
pub fn machine(given: &Given, command: CommandName) -> Result<MachineConfig, Usage> {
    let mut config = MachineConfig::default();
    apply(given, command, &mut config, |field| match field {
        Field::Machine(set) => Some(set),
        _ => None,
    })?;
    if config.data.data_dir.is_none() {
        let folder = std::env::var_os("LRSCHED_DATA").filter(|folder| !folder.is_empty());
        config.data.data_dir = folder.map(PathBuf::from);
    }
    // Otherwise the command uses the setting of the run it inspects.
    if CommandName::TRAINING.contains(&command) {
        config.data.kind = given.parse_own::<DatasetKind>("dataset")?.unwrap_or_default();
    }
    if given.switch("quiet")? {
        config.progress = ProgressMode::None;
    }
    Ok(config)
}

/// The optimizer described by `--optimizer` and its flags. `--lr`, like the other flags, replaces the value in the
/// spec.
///
/// # Errors
/// An unknown optimizer or parameter, or a value out of range.
pub fn optimizer(given: &Given) -> Result<OptimizerSpec, Usage> {
    let mut flags = given.family("optimizer", optim::table());
    check_choice(given, "optimizer", "sgd", &flags, optim::table())?;
    let spec = from_flags(given, "optimizer", "sgd", &flags, OptimizerSpec::from_flags)?;
    match given.beside("lr", "optimizer") {
        Some(lr) if spec.learning_rate().is_some() => {
            flags.push(("lr".to_string(), lr.to_string()));
            from_flags(given, "optimizer", "sgd", &flags, OptimizerSpec::from_flags)
        }
        _ => Ok(spec),
    }
}

/// The parameter groups: those of the command line, then those of its variable, then those of the file, so that the first
/// match is that of the highest precedence. `none` drops those of lower precedence.
///
/// # Errors
/// As [`ParamGroup`]'s parsers, with the source.
pub fn groups(given: &Given) -> Result<Vec<ParamGroup>, Usage> {
    let read = |record: &Record| {
        let group = match &record.what {
            Recorded::Text(text) => text.parse(),
            Recorded::Keys(keys) => ParamGroup::from_keys(keys),
        };
        group.map_err(|error| given.with_source_of_key("group", record.source, &error))
    };
    let is_none = |record: &&Record| matches!(&record.what, Recorded::Text(text) if text.trim() == "none");
    let records = given.records("group");
    let last = records.iter().copied().find(is_none).map(|record| record.source);
    let reaching = |record: &&Record| last.is_none_or(|last| record.source >= last);
    records.into_iter().filter(|record| !is_none(record) && reaching(record)).map(read).collect()
}

/// Refuses a flag that only others of its family take, if none of them was chosen.
///
/// # Errors
/// It names those that take the flag.
fn check_choice(
    given: &Given,
    family: &str,
    usual: &str,
    flags: &[(String, String)],
    entries: &[Entry],
) -> Result<(), Usage> {
    if given.has(family) {
        return Ok(());
    }
    for (flag, _) in flags {
        let takers = || entries.iter().filter(|entry| entry.parameter(flag).is_some());
        // A heading without a summary stands for every entry.
        if takers().any(|entry| entry.name == usual || entry.summary.is_empty()) {
            continue;
        }
        let names: Vec<&str> = takers().map(|entry| entry.name).collect();
        let error = Usage(format!(
            "--{flag} does not apply to {usual}, the default; add --{family} with one that takes it: {}",
            names.join(", ")
        ));
        return Err(given.with_source_of_flag(flag, error));
    }
    Ok(())
}

/// Applies `parse` to the spec that `family` gives (default: `usual`) and to the flags that override its values.
///
/// # Errors
/// Those of `parse`, with the source of the faulty spec or flag.
fn from_flags<T>(
    given: &Given,
    family: &str,
    usual: &str,
    flags: &[(String, String)],
    parse: impl Fn(&str, &[(String, String)]) -> Result<T, Usage>,
) -> Result<T, Usage> {
    let text = given.text(family).unwrap_or(usual);
    parse(text, flags).map_err(|error| {
        // The first flag that makes it fail.
        let fails = |count: &usize| parse(text, &flags[..*count]).err().as_ref() == Some(&error);
        match (0..=flags.len()).find(fails).and_then(|count| count.checked_sub(1)) {
            Some(last) => given.with_source_of_flag(&flags[last].0, error),
            None => given.with_source(family, error),
        }
    })
}

/// The schedule described by `--schedule` and its flags.
///
/// # Errors
/// An unknown schedule or parameter, or a value out of range.
pub fn schedule(given: &Given) -> Result<Spec, Usage> {
    let entries = schedule_entries();
    let flags = given.family("schedule", &entries);
    check_choice(given, "schedule", "constant", &flags, &entries)?;
    from_flags(given, "schedule", "constant", &flags, Spec::from_flags)
}

/// The schedules, followed by the parameters that every schedule takes.
pub fn schedule_entries() -> Vec<Entry> {
    let any = Entry::heading("any schedule", schedule::universal());
    [schedule::table(), &[any]].concat()
}

/// The run that `lrsched train --config FILE` would train, from the text of the file.
///
/// # Errors
/// As [`Given::lay_text_below`] and [`run_config`].
pub fn run_config_of_text(text: &str, file: &Path) -> Result<RunConfig> {
    let mut given = Given::default();
    given.lay_text_below(text, file, &super::keys(CommandName::Train), &[])?;
    machine(&given, CommandName::Train)?;
    Ok(train_config(&given)?)
}

/// The config of `lrsched train`.
///
/// # Errors
/// As [`run_config`], [`optimizer`] and [`schedule()`].
pub fn train_config(given: &Given) -> Result<RunConfig, Usage> {
    run_config(given, CommandName::Train, optimizer(given)?, schedule(given)?, RunConfig::USUAL_EPOCHS)
}
