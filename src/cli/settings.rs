//! From flags to configs: shared by the commands that train.

use super::flags;
use crate::config::settings::{self as table, Field, FlagForm};
use crate::config::{CommandName, Given, MachineConfig, RunConfig, SettingDef, SettingValues, unused_rate};
use crate::experiment::{FILLED, MemoryLimit, Scheduler};
use crate::memory;
use crate::number::{counted, exact, rounded};
use crate::record::folder_name;
use crate::report::table::UNLIMITED;
use crate::report::wrap;
use crate::schedule::Spec;
use crate::threads::refused;
use crate::train::Run;
use crate::usage;
use crate::usage::{Usage, shortened};
use anyhow::Result;
use clap::{ArgMatches, Command};
use serde::Serialize;
use std::error::Error as _;
use std::path::{Path, PathBuf};

/// The flags of `name`, preceded by its `own`.
pub fn with_flags(command: Command, name: CommandName, own: &[SettingDef]) -> Command {
    // The last of two values wins, so that a script may append to a given command line.
    let command = own.iter().copied().chain(table::of(name)).fold(command.args_override_self(true), flags::add);
    let families = name.families();
    let command =
        families.iter().fold(command, |command, (family, entries)| flags::add_family(command, family, entries));
    let command = if name.reads_variables() { command } else { command.mut_args(|arg| arg.env(None::<&str>)) };
    match name {
        CommandName::Train | CommandName::Compare | CommandName::Find | CommandName::Resume => {
            flags::shortened(command)
        }
        _ => flags::without_parameters(command),
    }
}

/// The values given for `name` on the command line, in the environment and in the config file.
pub fn gather(command: &Command, name: CommandName, matches: &ArgMatches) -> Result<Given> {
    let mut given = flags::gather(command, matches);
    if let Some(file) = given.path("config") {
        let of_train = if name == CommandName::Find { table::keys(CommandName::Train) } else { Vec::new() };
        let laid = given.lay_below(&file, &table::keys(name), &of_train);
        let left_out = laid.map_err(|error| match error.downcast::<Usage>() {
            Ok(usage) => given.with_source("config", usage).into(),
            Err(error) => error,
        })?;
        if !left_out.is_empty() {
            // The recipe of a run, whose epochs are not those of the test.
            given.rename_in_file("epochs", "for-epochs");
            super::tell(&format!("`find` does not use {} of {}", left_out.join(", "), file.display()));
        }
        super::environment::apply_colour(given.text("color"))?;
    }
    Ok(given)
}

/// Columns of the terminal behind stdout; `None` for a pipe or a file.
fn terminal_width() -> Option<usize> {
    columns_of(&console::Term::stdout())
}

fn columns_of(terminal: &console::Term) -> Option<usize> {
    terminal.size_checked().map(|(_, columns)| usize::from(columns))
}

/// The width of a text chart.
pub fn chart_width() -> usize {
    terminal_width().unwrap_or(80)
}

/// The width at which tables and lines of text wrap or drop columns.
pub fn text_width() -> usize {
    terminal_width().unwrap_or(UNLIMITED)
}

/// Sentences for stdout, wrapped at the width of its terminal.
pub fn sentences(text: &str) -> String {
    wrap::lines(text, text_width())
}

/// The same for text on stderr.
pub fn message_width() -> usize {
    columns_of(&console::Term::stderr()).unwrap_or(UNLIMITED)
}

/// The number of compute threads: as requested, or, for 0, all that this process may use. Builds rayon's global pool,
/// which the loader and the optimizers use.
///
/// # Errors
/// The system refuses the threads.
fn threads(asked_for: usize) -> Result<usize> {
    let threads = if asked_for == 0 { available_threads() } else { at_most_cores(asked_for) };
    match rayon::ThreadPoolBuilder::new().num_threads(threads).build_global() {
        // The global pool exists already, which is fine: that error has no source.
        Err(error) if error.source().is_some() => Err(refused(&counted(threads as u64, "thread"), error)),
        _ => Ok(threads),
    }
}

/// More threads than cores only wait for each other: 1,024 on 2 cores took 46 s for 2 steps.
fn at_most_cores(threads: usize) -> usize {
    let cores = cores();
    if threads > cores {
        super::warn(&[format!(
            "--threads {threads} is more than the {} of this process; computing with {cores}",
            counted(cores as u64, "core")
        )]);
    }
    threads.min(cores)
}

/// Parses the settings outside the run's configuration, and starts the threads.
pub fn machine(given: &Given, name: CommandName) -> Result<MachineConfig> {
    let config = table::machine(given, name)?;
    if config.dry_run && config.print_config {
        return usage!("give --dry-run or --print-config, not both");
    }
    Ok(MachineConfig { threads: threads(config.threads)?, ..config })
}

/// How many of `runs` like `config` to train at once. A limit that memory sets is said in one line; so many that they
/// may not fit into it give a warning.
pub fn scheduler(machine: &MachineConfig, config: &RunConfig, runs: usize) -> (Scheduler, Option<String>) {
    let free = memory::available().into_iter().chain(slurm_memory()).min();
    let (scheduler, limit) = Scheduler::choose(machine.jobs, machine.threads, runs, config, free);
    let Some(MemoryLimit { free, usable, each, instead_of }) = limit else { return (scheduler, None) };
    let at_once = counted(scheduler.at_once as u64, "run");
    let Some(wanted) = instead_of else {
        let takes = if scheduler.at_once == 1 { "takes" } else { "at once take" };
        let all = size(each.saturating_mul(scheduler.at_once as u64));
        super::warn(&[format!("{at_once} {takes} about {all} of memory, and only {} are free", size(free))]);
        return (scheduler, None);
    };
    let words = format!(
        "{at_once} at once instead of {wanted}: each takes about {}, and {} may be used ({:.0} % of what is free); --jobs N overrides",
        size(each),
        size(usable),
        100.0 * FILLED
    );
    (scheduler, Some(words))
}

/// `260 MB`: a size for people, of which only the first digits are known.
fn size(bytes: u64) -> String {
    let rounded = rounded(bytes as f64, 2);
    let units = [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    let (unit, name) = units.into_iter().find(|(unit, _)| rounded >= *unit).unwrap_or((1.0, "B"));
    format!("{} {name}", exact(rounded / unit))
}

/// The memory that Slurm granted this job on this node, in bytes, if it says so.
fn slurm_memory() -> Option<u64> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok().filter(|number| *number > 0);
    let per_core = || Some(number("SLURM_MEM_PER_CPU")? * number("SLURM_CPUS_ON_NODE")?);
    number("SLURM_MEM_PER_NODE").or_else(per_core)?.checked_mul(1 << 20)
}

/// `--out`, or a new folder below results/ with this `name` and the current time.
pub fn out_folder(machine: &MachineConfig, name: &str) -> PathBuf {
    machine.out.clone().unwrap_or_else(|| {
        let stamp = crate::record::now().replace(['-', ':'], "").replace('T', "-");
        let first = Path::new("results").join(format!("{}-{}", folder_name(name), stamp.trim_end_matches('Z')));
        let next = (2..).map(|number| PathBuf::from(format!("{}-{number}", first.display())));
        std::iter::once(first.clone()).chain(next).find(|path| !path.exists()).unwrap_or(first)
    })
}

/// The number of cores this process may use, within affinity and cgroup limits.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The number of cores this process may use, or fewer if Slurm says so.
fn available_threads() -> usize {
    let cores = cores();
    let slurm = std::env::var("SLURM_CPUS_PER_TASK").ok().and_then(|text| text.parse().ok());
    slurm.map_or(cores, |limit: usize| limit.clamp(1, cores))
}

/// Warns that a given rate is unused because the schedule sets its own rates.
pub fn warn_of_unused_rate(lr: f64, schedule: &Spec) {
    super::warn(unused_rate(lr, schedule).as_slice());
}

/// Checks `config` without the images, assuming epochs over the whole dataset.
pub fn check_without_images(config: &RunConfig) -> Result<()> {
    Run::check_without_images(config, config.steps_per_epoch(config.train_images()).unwrap_or(1).max(1))
}

/// A whole number as a config file holds it: TOML has those of an i64.
///
/// # Errors
/// A larger one.
pub fn whole_number(name: &str, number: u64) -> Result<i64, Usage> {
    let most = i64::MAX;
    let rule = "the largest whole number that a config file holds";
    i64::try_from(number).map_err(|_| Usage(format!("{name} must be at most {most}, {rule}, got {number}")))
}

/// # Errors
/// A setting of `config` is a whole number that no config file holds.
pub fn check_whole_numbers(config: &impl Serialize) -> Result<(), Usage> {
    let settings = SettingValues::of_config(config);
    let mut whole = settings.iter().filter_map(|(name, value)| Some((name, value.parse::<u64>().ok()?)));
    whole.try_for_each(|(name, number)| whole_number(name, number).map(drop))
}

/// The settings of `config` as a config file.
///
/// # Errors
/// As [`check_whole_numbers`].
pub fn to_toml(config: &impl Serialize) -> Result<toml::Table> {
    check_whole_numbers(config)?;
    Ok(toml::Table::try_from(config)?)
}

/// Adds the settings of the process that were given: where the images are, what to keep, how often to save, …. Not `--force`: a file
/// that overwrites results each time it is used is nobody's intention.
///
/// # Errors
/// A folder whose name is not valid UTF-8, which TOML cannot represent; an invalid switch.
pub fn add_machine(
    table: &mut toml::Table,
    machine: &MachineConfig,
    given: &Given,
    command: CommandName,
) -> Result<(), Usage> {
    let of_process = table::of(command).filter(|setting| matches!(setting.field, Field::Machine(_)));
    let keys = table::keys(command);
    for setting in of_process.filter(|setting| setting.name != "force" && keys.iter().any(|key| key == setting.name)) {
        let name = setting.name;
        let Some(text) = given.text(name) else { continue };
        let value: toml::Value = match setting.form {
            FlagForm::Switch => given.switch(name)?.into(),
            FlagForm::Path(_) => match given.path(name).as_deref().and_then(Path::to_str) {
                Some(path) => path.into(),
                None => return usage!("{name} {} is not UTF-8, and no config file can hold it", shortened(text)),
            },
            _ => text.parse::<i64>().map_or_else(|_| text.into(), Into::into),
        };
        table.insert(name.to_string(), value);
    }
    // From LRSCHED_DATA.
    if let Some(folder) = machine.data.data_dir.as_ref().filter(|_| !table.contains_key("data-dir")) {
        let Some(name) = folder.to_str() else {
            return usage!("data-dir {} is not UTF-8, and no config file can hold it", folder.display());
        };
        table.insert("data-dir".to_string(), name.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_two_digits() {
        for (bytes, text) in
            [(0, "0 B"), (999, "1 kB"), (264_100_000, "260 MB"), (996_000_000, "1 GB"), (1_340_000_000, "1.3 GB")]
        {
            assert_eq!(size(bytes), text);
        }
    }
}
