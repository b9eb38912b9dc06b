//! From flags to configs: what the commands that train have in common.

use super::flags;
use crate::config::settings as table;
use crate::config::{CommandName, Given, MachineConfig, RunConfig, SettingDef};
use crate::data::DatasetKind;
use crate::number::{counted, exact};
use crate::record::folder_name;
use crate::schedule::{self, Spec};
use crate::threads::refused;
use crate::train::Run;
use crate::usage;
use crate::usage::Usage;
use anyhow::Result;
use clap::{ArgMatches, Command};
use std::error::Error as _;
use std::path::{Path, PathBuf};

/// The flags of `name`, and `own` ones before them.
pub fn with_flags(command: Command, name: CommandName, own: &[SettingDef]) -> Command {
    // The last of two wins, so that a script may add to a line that it was given.
    let command = own.iter().copied().chain(table::of(name)).fold(command.args_override_self(true), flags::add);
    let command = if name.reads_variables() { command } else { command.mut_args(|arg| arg.env(None::<&str>)) };
    name.families().iter().fold(command, |command, (family, entries)| flags::add_family(command, family, entries))
}

/// What was given for `name` on the command line, in the environment and in the config file.
pub fn gather(command: &Command, name: CommandName, matches: &ArgMatches) -> Result<Given> {
    let mut given = flags::gather(command, matches);
    if let Some(file) = given.path("config") {
        given.lay_below(&file, &table::keys(name))?;
        super::apply_colour(given.text("color"))?;
    }
    Ok(given)
}

/// Columns of the terminal behind stdout; `None` where there is none: a pipe and a file have no width.
fn terminal_width() -> Option<usize> {
    console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns))
}

/// How wide a chart of text is.
pub fn chart_width() -> usize {
    terminal_width().unwrap_or(80)
}

/// How wide a table or a line of text may be before it is wrapped or loses columns.
pub fn text_width() -> usize {
    terminal_width().unwrap_or(usize::MAX)
}

/// The threads to compute with: as many as asked for, or, for 0, as this process may use. Builds rayon's global pool, which the loader and the
/// optimizers use.
///
/// # Errors
/// Threads that the system refuses.
fn threads(asked_for: usize) -> Result<usize> {
    let threads = if asked_for == 0 { available_threads() } else { at_most_cores(asked_for) };
    match rayon::ThreadPoolBuilder::new().num_threads(threads).build_global() {
        // The global pool exists already, which is as good: that error has no source.
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

/// What was given beside the configuration of a run, with the threads started.
pub fn machine(given: &Given, name: CommandName) -> Result<MachineConfig> {
    let config = table::machine(given, name)?;
    Ok(MachineConfig { threads: threads(config.threads)?, ..config })
}

/// `--out`, or a new folder of this `name` and the present time below results/.
pub fn out_folder(machine: &MachineConfig, name: &str) -> PathBuf {
    machine.out.clone().unwrap_or_else(|| {
        let stamp = crate::record::now().replace(['-', ':'], "").replace('T', "-");
        let first = Path::new("results").join(format!("{}-{}", folder_name(name), stamp.trim_end_matches('Z')));
        let next = (2..).map(|number| PathBuf::from(format!("{}-{number}", first.display())));
        std::iter::once(first.clone()).chain(next).find(|path| !path.exists()).unwrap_or(first)
    })
}

/// The cores that this process may use: affinity and cgroup limits count.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The cores that this process may use, or fewer where Slurm says so.
fn available_threads() -> usize {
    let cores = cores();
    let slurm = std::env::var("SLURM_CPUS_PER_TASK").ok().and_then(|text| text.parse().ok());
    slurm.map_or(cores, |limit: usize| limit.clamp(1, cores))
}

/// Says that a rate which was typed goes unused, where the schedule has all its rates in itself.
pub fn warn_of_unused_rate(lr: f64, schedule: &Spec) {
    if !schedule::uses_base_rate(schedule) {
        super::warn(&[format!("lr {} has no effect: {schedule} sets its own rates", exact(lr))]);
    }
}

/// What is wrong with `config` whatever the images are; the length of an epoch is that of the whole dataset.
pub fn check_without_images(config: &RunConfig) -> Result<()> {
    let images: usize = match config.dataset {
        DatasetKind::Cifar10 => 45_000,
        DatasetKind::Synthetic => 5_000,
    };
    let batch = config.batch_size.images(images).unwrap_or(images);
    Run::check_without_images(config, config.train_limit.unwrap_or(images).min(images).div_ceil(batch).max(1) as u64)
}

/// Where the images are is no part of what a run computes, but of a config file that is to find them again.
///
/// # Errors
/// A folder whose name is no text, which TOML has no way to write.
pub fn add_data_dir(table: &mut toml::Table, machine: &MachineConfig) -> Result<(), Usage> {
    if let Some(folder) = &machine.data.data_dir {
        let Some(name) = folder.to_str() else {
            return usage!("data-dir {} is not UTF-8, and no config file can hold it", folder.display());
        };
        table.insert("data-dir".to_string(), name.into());
    }
    Ok(())
}
