//! What was given becomes configs: parsed, completed with the defaults, and checked.

use super::{CommandName, Field, Setter, of};
use crate::config::given::Given;
use crate::config::{FindConfig, MachineConfig, ProgressMode, RunConfig};
use crate::data::DatasetKind;
use crate::engine::EngineKind;
use crate::optim::{self, OptimizerSpec};
use crate::schedule::{self, Spec};
use crate::spec::Entry;
use crate::usage;
use crate::usage::Usage;
use anyhow::Result;
use std::cmp::Ordering;
use std::path::{Path, PathBuf};

/// The epochs of a run whose length was not given.
const EPOCHS: u64 = 30;

/// Sets the fields of `config` that were given, those of lower precedence first.
fn apply<C>(
    given: &Given,
    command: CommandName,
    config: &mut C,
    setter: impl Fn(Field) -> Option<Setter<C>>,
) -> Result<(), Usage> {
    let rows = of(command).filter_map(|row| Some((given.source(row.name)?, row.name, setter(row.field)?)));
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by_key(|(source, ..)| *source);
    rows.into_iter().try_for_each(|(_, name, set)| given.read(name, |value| set(config, value)).map(drop))
}

/// The config of one run of `command`. `optimizer` and `schedule` are passed in: `compare` takes them from its entrants.
///
/// # Errors
/// A value that cannot be parsed, or is out of its range; where it was not typed, the error names the variable or the file that it comes from.
pub fn run_config(
    given: &Given,
    command: CommandName,
    optimizer: OptimizerSpec,
    schedule: Spec,
    default_epochs: u64,
) -> Result<RunConfig, Usage> {
    let mut config = RunConfig { optimizer, schedule, epochs: default_epochs, ..RunConfig::default() };
    apply(given, command, &mut config, |field| match field {
        Field::Run(set) => Some(set),
        _ => None,
    })?;
    // A spec with a rate of its own has taken that of --lr into account.
    match config.optimizer.learning_rate() {
        Some(lr) => config.lr = lr,
        None if !given.has("lr") => config.lr = config.optimizer.default_learning_rate(config.semantics),
        None => {}
    }
    if !given.has("validation") {
        config.validation = config.dataset.default_validation();
    }
    if !given.has("engine") {
        config.engine = EngineKind::for_device(config.device);
    }
    for (name, checked) in config.checks() {
        checked.map_err(|error| given.with_source(name, error))?;
    }
    Ok(config)
}

/// The range test that was given.
///
/// # Errors
/// As [`run_config`]; a rate in the optimizer, which is what the test searches for; a length in both epochs and steps.
pub fn find_config(given: &Given) -> Result<FindConfig, Usage> {
    let optimizer = optimizer(given)?;
    if optimizer.learning_rate().is_some() {
        return usage!("optimizer: `find` searches for the rate; drop lr from `{optimizer}`");
    }
    if given.order("epochs", "steps") == Some(Ordering::Equal) {
        return usage!("--epochs and --steps both set the length of the test; drop one of them");
    }
    // A range test has a length of its own.
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

/// What was given beside the configuration of a run.
///
/// # Errors
/// A value that cannot be parsed, or is out of its range.
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
    // Otherwise it is that of the run that the command looks at.
    if CommandName::TRAINING.contains(&command) {
        config.data.kind = given.parse_own::<DatasetKind>("dataset")?.unwrap_or_default();
    }
    if given.switch("quiet")? {
        config.progress = ProgressMode::None;
    }
    Ok(config)
}

/// The optimizer that `--optimizer` and its flags describe; `--lr` replaces the rate in its spec, as the other flags do.
///
/// # Errors
/// An optimizer or a parameter that does not exist, or a value out of its range.
pub fn optimizer(given: &Given) -> Result<OptimizerSpec, Usage> {
    let mut flags = given.family("optimizer", optim::table());
    let spec = from_flags(given, "optimizer", "sgd", &flags, OptimizerSpec::from_flags)?;
    match given.beside("lr", "optimizer") {
        Some(lr) if spec.learning_rate().is_some() => {
            flags.push(("lr".to_string(), lr.to_string()));
            from_flags(given, "optimizer", "sgd", &flags, OptimizerSpec::from_flags)
        }
        _ => Ok(spec),
    }
}

/// What `parse` makes of the spec that `family` gives, or else of `usual`, and the flags that replace its values.
///
/// # Errors
/// Those of `parse`, with the source of the spec or of the flag that is wrong.
fn from_flags<T>(
    given: &Given,
    family: &str,
    usual: &str,
    flags: &[(String, String)],
    parse: impl Fn(&str, &[(String, String)]) -> Result<T, Usage>,
) -> Result<T, Usage> {
    let text = given.text(family).unwrap_or(usual);
    parse(text, flags).map_err(|error| {
        // The flag from which on it is wrong.
        let fails = |count: &usize| parse(text, &flags[..*count]).err().as_ref() == Some(&error);
        match (0..=flags.len()).find(fails).and_then(|count| count.checked_sub(1)) {
            Some(last) => given.with_source_of_flag(&flags[last].0, error),
            None => given.with_source(family, error),
        }
    })
}

/// The schedule that `--schedule` and its flags describe.
///
/// # Errors
/// A schedule or a parameter that does not exist, or a value out of its range.
pub fn schedule(given: &Given) -> Result<Spec, Usage> {
    from_flags(given, "schedule", "constant", &given.family("schedule", &schedule_entries()), Spec::from_flags)
}

/// The schedules, and behind them what any of them takes.
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
    given.lay_text_below(text, file, &super::keys(CommandName::Train))?;
    machine(&given, CommandName::Train)?;
    Ok(train_config(&given)?)
}

/// The config of `lrsched train`.
///
/// # Errors
/// As [`run_config`], [`optimizer`] and [`schedule()`].
pub fn train_config(given: &Given) -> Result<RunConfig, Usage> {
    run_config(given, CommandName::Train, optimizer(given)?, schedule(given)?, EPOCHS)
}
