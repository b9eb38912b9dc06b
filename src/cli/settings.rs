//! The settings of a run: their table, and how what was given becomes a [`RunConfig`].

use super::flags::{self, add_families, add_settings};
use crate::config::RunConfig;
use crate::config::{Every, Keep, ProgressMode};
use crate::config::{Given, SettingDef};
use crate::data::{DatasetKind, DatasetOptions};
use crate::engine::{DeviceChoice, EngineKind};
use crate::number::{counted, exact};
use crate::optim::{self, OptimizerSpec};
use crate::record::folder_name;
use crate::schedule::{self, Semantics, Spec};
use crate::spec::Entry;
use crate::threads::refused;
use crate::train::Run;
use crate::usage;
use crate::usage::Usage;
use anyhow::Result;
use clap::{ArgMatches, Command};
use std::error::Error as _;
use std::path::{Path, PathBuf};

pub const CHECKPOINT_EVERY: SettingDef = SettingDef::value(
    "checkpoint-every",
    "N",
    "Also checkpoint at this interval: 500st (steps), 60s, 10min or 1h [default: after each epoch only]",
);

pub const KEEP: SettingDef = SettingDef::value(
    "keep",
    "WHAT",
    "What stays of the weights of a finished run: all; best: the best checkpoint and the weights at the end (each 9 MB for cnn, and more with the \
     state of the optimizer); none [default: all, to be trained longer with `lrsched resume`; compare best]",
);

/// What `train` and `compare` share.
pub const COMMON: &[SettingDef] = &[
    SettingDef::path(
        "config",
        "FILE",
        "Read settings from a TOML file with the same names; precedence: command line, LRSCHED_* variables, config file",
    ),
    SettingDef::value("dataset", "NAME", "cifar10, or synthetic: ten classes of generated images [default: cifar10]"),
    SettingDef::path(
        "data-dir",
        "DIR",
        "Folder with CIFAR-10 [default: LRSCHED_DATA, then data/, then the cache folder]",
    ),
    SettingDef::value("model", "NAME", "cnn, resnet9 or airbench94 [default: cnn]"),
    SettingDef::value("dropout", "P", "Dropout before the last linear layer [default: 0]"),
    SettingDef::value("lr", "RATE", "Base learning rate [default: the optimizer's usual one]"),
    SettingDef::value(
        "semantics",
        "NAME",
        "Which framework to follow where they disagree: native, torch, keras or optax [default: native]",
    ),
    SettingDef::value("epochs", "N", "Passes over the training images [default: 30; compare 10, on synthetic 5]"),
    SettingDef::value("batch-size", "N|full", "Images per update; `full` for batch gradient descent [default: 128]"),
    SettingDef::value("seed", "N", "Seed of the initial weights, shuffling, augmentation and dropout [default: 0]"),
    SettingDef::value("train-limit", "N", "Train on N of the training images, balanced by class"),
    SettingDef::value(
        "validation",
        "N|test",
        "Training images held out for validation; `test` validates on the test images [default: 5000; synthetic: 1000]",
    ),
    SettingDef::value("augment", "KIND", "none, flip or flip-crop [default: none]"),
    SettingDef::value(
        "label-smoothing",
        "EPS",
        "Label smoothing: share of the target spread over all classes [default: 0]",
    ),
    SettingDef::value(
        "engine",
        "NAME",
        "cpu: the fused kernels; candle: the reference, on any device [default: cpu on the CPU]",
    ),
    SettingDef::value("device", "DEVICE", "cpu, cuda:N or metal [default: cpu]"),
    SettingDef::value(
        "threads",
        "N",
        "Threads, at most one per core; results do not depend on their number [default: the cores available to this process]",
    ),
    SettingDef::path("out", "DIR", "Output folder [default: a new folder in results/]"),
    SettingDef::switch("force", "Overwrite an earlier run in --out; files of others stay"),
    SettingDef::switch("log-steps", "Log every step to steps.csv"),
    CHECKPOINT_EVERY,
    KEEP,
    SettingDef::value("progress", "KIND", "auto, bar, plain or none [default: auto]"),
    SettingDef::switch("json", "Print events to stdout as JSON, one object per line (docs/JSON.md)"),
    SettingDef::switch("print-config", "Print the resolved settings as a config file and exit"),
];

/// What `train` takes beside [`COMMON`]; the parameters of both follow from their tables.
pub const TRAIN: &[SettingDef] = &[
    SettingDef::value(
        "schedule",
        "SPEC",
        "A schedule name or spec, such as step:factor=0.5,drop-every=10 (`lrsched help schedules`) [default: constant]",
    ),
    SettingDef::value("optimizer", "SPEC", "sgd, rmsprop, adam, adamw, adagrad or adadelta [default: sgd]"),
];

/// What every command takes.
const EVERYWHERE: [&str; 2] = ["quiet", "color"];

/// The settings of `command`, gathered from the command line, the environment and the config file.
pub fn gather(command: &Command, matches: &ArgMatches) -> Result<Given> {
    let mut given = flags::gather(command, matches);
    if let Some(file) = given.path("config") {
        let own = ["config", "help", "print-config"];
        let known: Vec<String> = command
            .get_arguments()
            .map(|arg| arg.get_id().to_string())
            .chain(EVERYWHERE.map(str::to_string))
            .filter(|name| !own.contains(&name.as_str()))
            .collect();
        given.lay_below(&file, &known)?;
        super::apply_colour(given.text("color"))?;
    }
    Ok(given)
}

/// A flag for each of `settings` and for each parameter of every schedule and optimizer.
pub fn with_flags(command: Command, settings: &[&[SettingDef]]) -> Command {
    // The last of two wins, so that a script may add to a line that it was given.
    let command = add_settings(command.args_override_self(true), &settings.concat());
    add_families(command, &[("optimizer", optim::table()), ("schedule", &schedule_entries())])
}

/// The schedules, and behind them what any of them takes.
pub fn schedule_entries() -> Vec<Entry> {
    let any = Entry { name: "any schedule", summary: "", formula: "", parameters: schedule::universal(), source: "" };
    [schedule::table(), &[any]].concat()
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

/// No machine has more, and the system would refuse them one by one.
const MOST_THREADS: usize = 1024;

/// The threads to compute with: as many as asked for, or as this process may use. Makes rayon's own pool, on which loading and the optimizers
/// compute.
///
/// # Errors
/// A number out of range; threads that the system refuses.
pub fn threads(asked_for: Option<usize>) -> Result<usize> {
    let threads = match asked_for {
        Some(threads @ 1..=MOST_THREADS) => at_most_cores(threads),
        Some(threads) => return usage!("threads must be at least 1 and at most {MOST_THREADS}, got {threads}"),
        None => available_threads(),
    };
    match rayon::ThreadPoolBuilder::new().num_threads(threads).build_global() {
        // A pool that is there already has no source of its error, and is as good.
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

/// What a command does beside computing.
#[derive(Debug, Clone)]
pub struct Output {
    pub threads: usize,
    pub data: DatasetOptions,
    pub out: Option<PathBuf>,
    pub force: bool,
    pub progress: ProgressMode,
    pub json: bool,
    pub every: Option<Every>,
    pub keep: Option<Keep>,
}

impl Output {
    pub fn resolve(given: &Given, quiet: bool) -> Result<Self> {
        let threads = threads(given.parse("threads", "a whole number of at least 1")?)?;
        if given.text("out").is_some_and(|out| out.trim().is_empty()) {
            return usage!("--out must name a folder, got nothing");
        }
        Ok(Self {
            threads,
            data: DatasetOptions {
                kind: given.parse_own("dataset")?.unwrap_or_default(),
                data_dir: given
                    .path("data-dir")
                    .or_else(|| Some(std::env::var_os("LRSCHED_DATA").filter(|folder| !folder.is_empty())?.into())),
            },
            out: given.path("out"),
            force: given.switch("force")?,
            progress: if quiet { ProgressMode::None } else { given.parse_own("progress")?.unwrap_or_default() },
            json: given.switch("json")?,
            every: given.parse_own("checkpoint-every")?,
            keep: given.parse_own("keep")?,
        })
    }

    /// `--out`, or a folder of this `name` and the present time below results/.
    pub fn directory(&self, name: &str) -> PathBuf {
        self.out.clone().unwrap_or_else(|| {
            let stamp = crate::record::now().replace(['-', ':'], "").replace('T', "-");
            let first = Path::new("results").join(format!("{}-{}", folder_name(name), stamp.trim_end_matches('Z')));
            let next = (2..).map(|number| PathBuf::from(format!("{}-{number}", first.display())));
            std::iter::once(first.clone()).chain(next).find(|path| !path.exists()).unwrap_or(first)
        })
    }
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

/// The config of one run. `optimizer` and `schedule` are handed in: `compare` takes them from its entrants.
pub fn run_config(
    given: &Given,
    optimizer: OptimizerSpec,
    schedule: Spec,
    default_epochs: u64,
) -> Result<RunConfig, Usage> {
    let dataset: DatasetKind = given.parse_own("dataset")?.unwrap_or_default();
    let semantics = given.parse_own("semantics")?.unwrap_or(Semantics::Native);
    let device = given.parse_own("device")?.unwrap_or(DeviceChoice::Cpu);
    let usual = optimizer.learning_rate().or(given.parse("lr", "a number above 0")?);
    let config = RunConfig {
        dataset,
        train_limit: given.parse("train-limit", "a whole number of images")?,
        validation: given.parse_own("validation")?.unwrap_or(dataset.default_validation()),
        augment: given.parse_own("augment")?.unwrap_or_default(),
        model: given.parse_own("model")?.unwrap_or(crate::model::Model::Cnn),
        dropout: given.parse("dropout", "a probability from 0 up to, not including, 1")?.unwrap_or(0.0),
        label_smoothing: given.parse("label-smoothing", "a share from 0 up to, not including, 1")?.unwrap_or(0.0),
        lr: usual.unwrap_or_else(|| optimizer.default_learning_rate(semantics)),
        optimizer,
        schedule,
        semantics,
        epochs: given.parse("epochs", "a whole number of at least 1")?.unwrap_or(default_epochs),
        batch_size: given.parse_own("batch-size")?.unwrap_or_default(),
        seed: given.parse("seed", "a whole number from 0 to 9223372036854775807")?.unwrap_or(0),
        engine: given.parse_own("engine")?.unwrap_or(EngineKind::for_device(device)),
        device,
        log_steps: given.switch("log-steps")?,
    };
    config.check_numbers()?;
    Ok(config)
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
pub fn add_data_dir(table: &mut toml::Table, output: &Output) -> Result<(), Usage> {
    if let Some(folder) = &output.data.data_dir {
        let Some(name) = folder.to_str() else {
            return usage!("data-dir {} is not UTF-8, and no config file can hold it", folder.display());
        };
        table.insert("data-dir".to_string(), name.into());
    }
    Ok(())
}

/// The optimizer that `--optimizer` and its flags describe; `--lr` replaces the rate in its spec, as the other flags do.
pub fn optimizer(given: &Given) -> Result<OptimizerSpec, Usage> {
    let text = given.text("optimizer").unwrap_or("sgd");
    let mut flags = given.family("optimizer", optim::table());
    let spec = OptimizerSpec::from_flags(text, &flags)?;
    match given.beside("lr", "optimizer") {
        Some(lr) if spec.learning_rate().is_some() => {
            flags.push(("lr".to_string(), lr.to_string()));
            OptimizerSpec::from_flags(text, &flags)
        }
        _ => Ok(spec),
    }
}

/// The schedule that `--schedule` and its flags describe.
pub fn schedule(given: &Given) -> Result<Spec, Usage> {
    Spec::from_flags(given.text("schedule").unwrap_or("constant"), &given.family("schedule", &schedule_entries()))
}
