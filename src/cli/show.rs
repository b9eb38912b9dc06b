//! `lrsched show`: draws a schedule without training.

use super::flags;
use super::settings;
use crate::config::settings::{COUNT, any_of, schedule_entries};
use crate::config::{CommandName, Given, SettingDef};
use crate::number::{counted, significant};
use crate::record::{EpochRow, RunInfo, check_order, check_outputs, check_values, files, read_good_rows, replace_file};
use crate::report::chart::{AxisScale, Figure, Panel, Series};
use crate::report::rates::{self, Stretches};
use crate::schedule::{self, EpochMetrics, Rates, Schedule, Semantics, Spec, warnings};
use crate::usage;
use crate::usage::{Usage, did_you_mean, shortened};
use anyhow::{Result, bail};
use clap::{ArgMatches, Command};
use std::cmp::Ordering;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The settings of the run whose schedule is drawn; shared with `diff`.
pub const RUN: &[SettingDef] = &[
    STEPS,
    SettingDef::value("y-scale", "KIND", "The axis of the rates in a picture: linear or log [default: linear]"),
];

/// `--steps-per-epoch`; also of `export`.
pub const STEPS: SettingDef = SettingDef::value(
    "steps-per-epoch",
    "N",
    "Steps per epoch [default: 352, as in `train`: 45,000 images in batches of 128]",
);

/// The default of `train` on CIFAR-10: 5,000 of the 50,000 images are held out.
const STEPS_PER_EPOCH: u64 = 45_000_u64.div_ceil(128);

/// The output formats of `show`.
const FORMATS: [&str; 6] = ["chart", "table", "csv", "json", "svg", "png"];

const SHOW: &[SettingDef] = &[
    SettingDef::list(
        "schedule",
        "SPEC",
        "A schedule name or spec, such as step:factor=0.5,drop-every=10 (`lrsched help schedules`); several are drawn together [default: constant]",
    ),
    SettingDef::value("momentum", "M", "The optimizer's momentum, drawn if the schedule does not set it"),
    SettingDef::path(
        "metrics",
        "RUN",
        "What a schedule that depends on metrics sees at the end of each epoch: the folder of a run, whose rate and length are the defaults then, or a metrics.csv",
    ),
    SettingDef::value("format", "KIND", "{} [default: from the extension of -o, else chart]")
        .choices(|| any_of(FORMATS)),
];

pub fn command() -> Command {
    let command = Command::new("show")
        .about("Draw schedules without training, and warn about what looks wrong")
        .after_help("Example: lrsched show --schedule step:factor=0.5,drop-every=10 cosine --epochs 40");
    let command = command.arg(
        clap::Arg::new("specs")
            .value_name("SPEC")
            .num_args(0..)
            .action(clap::ArgAction::Append)
            .help("Schedules, as with --schedule"),
    );
    with_output(settings::with_flags(command, CommandName::Show, &[RUN, SHOW].concat()))
}

/// `-o FILE`.
pub fn with_output(command: Command) -> Command {
    command.arg(
        clap::Arg::new("output")
            .short('o')
            .long("output")
            .value_name("FILE")
            .value_parser(clap::value_parser!(std::ffi::OsString))
            .help("Write to this file (atomically); `-` is stdout, as without it"),
    )
}

/// The file of `-o`; `None` is stdout.
pub fn output(given: &Given) -> Option<PathBuf> {
    given.path("output").filter(|file| file.as_os_str() != "-")
}

/// A schedule and its rates, one per step.
struct Curve {
    name: String,
    spec: Spec,
    rates: Vec<Rates>,
}

impl Curve {
    /// Whether it sets the momentum at any step: a sequence may do so later.
    fn has_momentum(&self) -> bool {
        self.rates.iter().any(|rates| rates.momentum.is_some())
    }
}

/// Draws, tabulates or writes schedules.
///
/// # Errors
/// An invalid schedule or setting, or a file that cannot be written.
pub fn run(matches: &ArgMatches) -> Result<u8> {
    let given = flags::gather(&command(), matches);
    let seen = given.path("metrics").map(|path| Seen::read(&path)).transpose()?;
    let flags = of_flags(&given)?;
    let run = checked(seen.as_ref().map_or(flags, |seen| seen.shape(flags, &given)))?;
    let momentum = given.parse::<f64>("momentum", "in [0, 1)")?;
    if momentum.is_some_and(|m| !(0.0..1.0).contains(&m)) {
        return usage!("momentum must be in [0, 1), got {}", shortened(given.text("momentum").unwrap_or_default()));
    }
    let scale = y_scale(&given)?;
    let specs = specs(&given)?;
    let several = specs.len() > 1;
    if let Some(place) = (1..specs.len()).find(|&place| specs[..place].contains(&specs[place])) {
        return usage!("schedule {} is named twice; leave one out", specs[place]);
    }
    let (mut curves, mut warned, mut listening) = (Vec::new(), Vec::new(), false);
    // Only once nothing else is wrong.
    let mut told = Vec::new();
    for spec in specs {
        let mut schedule = Schedule::build(&spec, &run)?;
        let prefix = if several { format!("{spec}: ") } else { String::new() };
        for warning in warnings(&spec, &run)? {
            told.push(format!("warning: {prefix}{warning}"));
            warned.push(format!("{prefix}{warning}"));
        }
        if let Some(note) = listen(&mut schedule, seen.as_ref(), run.epochs) {
            told.push(format!("note: {prefix}{note}"));
            listening = true;
        }
        let rates = (0..run.total_steps()).map(|t| schedule.at(t)).collect();
        curves.push(Curve { name: spec.to_string(), spec, rates });
    }
    if seen.is_some() && !listening {
        return usage!(
            "--metrics has no effect: no schedule here depends on metrics, as plateau and halve can; leave it out"
        );
    }

    let output = output(&given);
    let output = output.as_deref();
    let figure = || figure(&curves, &run, momentum, scale);
    let format = match (given.switch("json")?, given.text("format")) {
        (true, Some(other)) if other != "json" => {
            return usage!("--json is --format json; leave out --format {}", shortened(other));
        }
        (true, _) => format_of(&given, Some("json"), &FORMATS)?,
        (false, _) => format(&given, &FORMATS)?,
    };
    if format == "csv" && several {
        return usage!("csv takes one schedule, got {}; write each to its own file", curves.len());
    }
    told.iter().for_each(|line| super::tell(line));
    match format {
        "json" => emit(output, format!("{}\n", json(&curves, &run, momentum, &warned)).as_bytes()),
        "table" => emit(output, table(&curves, &run, momentum).as_bytes()),
        "csv" => emit(output, csv(&curves[0].rates, &run).as_bytes()),
        "svg" => emit(output, figure().svg()?.as_bytes()),
        "png" => emit(output, &figure().png()?),
        _ => emit(output, terminal(&figure(), output).as_bytes()),
    }
}

/// The metrics of `--metrics`.
struct Seen {
    file: PathBuf,
    rows: Vec<EpochRow>,
    /// That of the run, if they are of one.
    run: Option<schedule::RunShape>,
}

impl Seen {
    /// # Errors
    /// No such file; no row in it; a damaged one.
    fn read(path: &Path) -> Result<Self> {
        if path.try_exists().is_ok_and(|exists| !exists) {
            return usage!(
                "{}: no such file or folder; give the folder of a run, or its {}",
                path.display(),
                files::METRICS_CSV
            );
        }
        let file = if path.is_dir() { path.join(files::METRICS_CSV) } else { path.to_path_buf() };
        if path.is_dir() && !file.is_file() {
            return usage!("{}: no {} in it; give the folder of a run", path.display(), files::METRICS_CSV);
        }
        let (rows, error) = read_good_rows::<EpochRow>(&file);
        if let Some(error) = error {
            return Err(error);
        }
        let wrong = check_order(&rows).map(|(_, wrong)| wrong).or_else(|| check_values(&rows, true));
        if let Some(wrong) = wrong {
            bail!("{}: {wrong}", file.display());
        }
        if rows.is_empty() {
            bail!("{}: no epoch in it; give the folder of a run that has finished one", file.display());
        }
        let run = path.is_dir().then(|| shape_of(path, &rows)).flatten();
        Ok(Self { file, rows, run })
    }

    /// The length and the rate of the run, but for what is given.
    fn shape(&self, flags: schedule::RunShape, given: &Given) -> schedule::RunShape {
        let Some(own) = self.run else { return flags };
        let is_given = |name: &str| given.text(name).is_some();
        schedule::RunShape {
            learning_rate: if is_given("lr") { flags.learning_rate } else { own.learning_rate },
            semantics: if is_given("semantics") { flags.semantics } else { own.semantics },
            steps_per_epoch: if is_given("steps-per-epoch") { flags.steps_per_epoch } else { own.steps_per_epoch },
            epochs: if is_given("epochs") { flags.epochs } else { own.epochs },
        }
    }
}

/// The length and the base rate of the run in `folder`; `None` if they are not recorded.
fn shape_of(folder: &Path, rows: &[EpochRow]) -> Option<schedule::RunShape> {
    let config = RunInfo::read(&folder.join(files::RUN_JSON)).ok()?.config.known().ok()?;
    Some(schedule::RunShape {
        learning_rate: config.lr,
        semantics: config.semantics,
        steps_per_epoch: rates::steps_per_epoch(rows)?,
        epochs: config.epochs,
    })
}

/// Shows the metrics to a schedule that depends on some; a line about it, or `None` if it depends on none.
fn listen(schedule: &mut Schedule, seen: Option<&Seen>, epochs: u64) -> Option<String> {
    let mut metrics: Vec<_> = schedule.listens_to().iter().map(|metric| metric.name()).collect();
    metrics.sort_unstable();
    metrics.dedup();
    if metrics.is_empty() {
        return None;
    }
    let metrics = metrics.join(", ");
    let Some(Seen { file, rows, .. }) = seen else {
        return Some(format!(
            "depends on {metrics}, known only in training; drawn without metrics (--metrics RUN takes those of a run)"
        ));
    };
    let heard: Vec<&EpochRow> = rows.iter().filter(|row| row.epoch < epochs).collect();
    heard.iter().for_each(|row| schedule.observe(&EpochMetrics::from(*row)));
    let (file, heard) = (file.display(), heard.len() as u64);
    let of = if heard < epochs { format!("; the other {} have none", epochs - heard) } else { String::new() };
    Some(format!("depends on {metrics}; drawn with those of {} in {file}{of}", counted(heard, "epoch")))
}

/// The specs of `--schedule`; parameter flags complete a single one.
fn specs(given: &Given) -> Result<Vec<Spec>, Usage> {
    let flags = given.family("schedule", &schedule_entries());
    let listed = match given.order("specs", "schedule") {
        Some(Ordering::Equal) => {
            return usage!("the schedules are given both with --schedule and without; leave one out");
        }
        Some(Ordering::Greater) => given.list("specs"),
        _ => given.list("schedule").or(given.list("specs")),
    };
    match listed.unwrap_or_default() {
        [] => Ok(vec![Spec::from_flags("constant", &flags)?]),
        [one] => Ok(vec![Spec::from_flags(one, &flags)?]),
        several if flags.is_empty() => several.iter().map(|text| text.parse()).collect(),
        several => {
            let (key, value) = &flags[0];
            let taker = several.iter().find(|text| Spec::from_flags(text, &flags[..1]).is_ok()).unwrap_or(&several[0]);
            let join = if taker.contains(':') { ',' } else { ':' };
            usage!(
                "--{key}: which of the {} schedules? Put it in the spec: `{taker}{join}{key}={value}`",
                several.len()
            )
        }
    }
}

/// The run described by the flags.
pub fn run_of(given: &Given) -> Result<schedule::RunShape, Usage> {
    checked(of_flags(given)?)
}

/// The same, whatever its length.
fn of_flags(given: &Given) -> Result<schedule::RunShape, Usage> {
    let count = |name, default: u64| match given.parse::<u64>(name, COUNT)?.unwrap_or(default) {
        0 => usage!("{name} must be {COUNT}, got 0"),
        count => Ok::<u64, Usage>(count),
    };
    Ok(schedule::RunShape {
        learning_rate: given.parse("lr", "a number of at least 0")?.unwrap_or(0.1),
        semantics: given.parse_own("semantics")?.unwrap_or(Semantics::Native),
        epochs: count("epochs", 30)?,
        steps_per_epoch: count("steps-per-epoch", STEPS_PER_EPOCH)?,
    })
}

/// # Errors
/// The run is too long for a table of its steps.
fn checked(run: schedule::RunShape) -> Result<schedule::RunShape, Usage> {
    match run.epochs.checked_mul(run.steps_per_epoch) {
        Some(steps) if steps <= MOST_STEPS => Ok(run),
        _ => usage!(
            "epochs x steps-per-epoch must be at most {MOST_STEPS}, got {} x {}",
            run.epochs,
            run.steps_per_epoch
        ),
    }
}

/// Limit on the steps of a run: a table of this many takes several hundred megabytes, and no real run is longer.
pub const MOST_STEPS: u64 = 10_000_000;

/// `--y-scale`.
pub fn y_scale(given: &Given) -> Result<AxisScale, Usage> {
    match given.text("y-scale").unwrap_or("linear") {
        "linear" => Ok(AxisScale::Linear),
        "log" => Ok(AxisScale::Log),
        other => usage!("y-scale must be linear or log, got `{other}`{}", did_you_mean(other, ["linear", "log"])),
    }
}

/// Switches a panel of rates to a log axis if requested, and notes which rates cannot be shown on it.
pub fn rescale(panel: &mut Panel, scale: AxisScale) {
    if scale == AxisScale::Log && rates::to_log(panel) {
        super::tell("note: rates of 0, and those far below the others, are drawn on the lower edge of the log axis");
    }
}

/// `--format`, else the extension of the output, else `chart`; `.txt` or no extension is a text chart.
pub fn format<'a>(given: &Given, known: &[&'a str]) -> Result<&'a str, Usage> {
    format_of(given, given.text("format"), known)
}

/// The same with what was asked for, by `--format` or `--json`.
fn format_of<'a>(given: &Given, asked: Option<&str>, known: &[&'a str]) -> Result<&'a str, Usage> {
    let ending = given.path("output").and_then(|file| Some(file.extension()?.to_str()?.to_lowercase()));
    let ending = ending.filter(|ending| ending != "txt");
    if let (Some(format), Some(ending)) = (asked, &ending)
        && known.contains(&ending.as_str())
        && known.contains(&format)
        && ending != format
    {
        return usage!(
            "--{} contradicts the name of the output, which ends in .{ending}; drop it, or rename the output",
            if given.text("format").is_some() { format!("format {format}") } else { format.to_string() }
        );
    }
    let wanted = asked.map(str::to_string).or(ending);
    match wanted {
        None => Ok("chart"),
        Some(wanted) => match known.iter().find(|name| **name == wanted) {
            Some(name) => Ok(name),
            None => {
                let (hint, wanted) = (did_you_mean(&wanted, known.iter().copied()), shortened(&wanted));
                usage!("format must be one of {}, got `{wanted}`{hint}", known.join(", "))
            }
        },
    }
}

/// Writes to the file, or to stdout; a closed pipe (`| head`) is not an error.
pub fn emit(output: Option<&Path>, bytes: &[u8]) -> Result<u8> {
    match output {
        Some(path) => {
            check_outputs(&[path.to_path_buf()], &[])?;
            replace_file(path, bytes)?;
        }
        None => match std::io::stdout().lock().write_all(bytes) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                return Err(anyhow::Error::new(error).context("cannot write to stdout"));
            }
            _ => {}
        },
    }
    Ok(0)
}

/// A chart as text, as wide as the terminal if it goes to one.
pub fn terminal(figure: &Figure, output: Option<&Path>) -> String {
    let colour = output.is_none() && console::colors_enabled();
    let mut text = figure.terminal(settings::chart_width(), 16, colour);
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn csv(rates: &[Rates], run: &schedule::RunShape) -> String {
    let mut text = String::from("step,epoch,learning_rate,momentum\n");
    for (t, rates) in (0_u64..).zip(rates) {
        let momentum = rates.momentum.map_or(String::new(), |m| format!("{m:?}"));
        let _ = writeln!(text, "{t},{},{:?},{momentum}", t / run.steps_per_epoch, rates.learning_rate);
    }
    text
}

/// The rates of every step of each schedule. Of a schedule without a momentum of its own it is that of the optimizer.
fn json(curves: &[Curve], run: &schedule::RunShape, momentum: Option<f64>, warnings: &[String]) -> serde_json::Value {
    let curve = |Curve { name, rates, .. }: &Curve| {
        let momentum: Vec<Option<f64>> = rates.iter().map(|rates| rates.momentum.or(momentum)).collect();
        let rates: Vec<f64> = rates.iter().map(|rates| rates.learning_rate).collect();
        serde_json::json!({ "schedule": name, "learning_rate": rates, "momentum": momentum })
    };
    serde_json::json!({
        "lr": run.learning_rate,
        "epochs": run.epochs,
        "steps_per_epoch": run.steps_per_epoch,
        "semantics": run.semantics.name(),
        "schedules": curves.iter().map(curve).collect::<Vec<_>>(),
        "warnings": warnings,
    })
}

/// One row per epoch: the rates of its first step.
fn table(curves: &[Curve], run: &schedule::RunShape, momentum: Option<f64>) -> String {
    let six_digits = |value| significant(value, 6);
    let mut rows = vec![vec!["epoch".to_string(), "step".to_string()]];
    for curve in curves {
        let name = if curves.len() == 1 { "learning_rate".to_string() } else { curve.name.clone() };
        rows[0].push(name);
    }
    let with_momentum = curves.len() == 1 && (momentum.is_some() || curves[0].has_momentum());
    if with_momentum {
        rows[0].push("momentum".to_string());
    }
    for epoch in 0..run.epochs {
        let step = epoch * run.steps_per_epoch;
        let mut row = vec![epoch.to_string(), step.to_string()];
        row.extend(curves.iter().map(|curve| six_digits(curve.rates[step as usize].learning_rate)));
        if with_momentum {
            row.push(curves[0].rates[step as usize].momentum.or(momentum).map_or(String::new(), six_digits));
        }
        rows.push(row);
    }
    let widths: Vec<usize> =
        (0..rows[0].len()).map(|at| rows.iter().map(|row| row[at].len()).max().unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:>width$}")).collect();
        cells.join("  ") + "\n"
    };
    rows.iter().map(line).collect()
}

fn figure(curves: &[Curve], run: &schedule::RunShape, momentum: Option<f64>, scale: AxisScale) -> Figure {
    let title = match curves {
        [one] => one.spec.to_string(),
        several => format!("{} schedules", several.len()),
    };
    let line = |curve: &Curve, value: &dyn Fn(&Rates) -> f64| {
        Series::new(&curve.name, Stretches::of(curve.rates.iter().map(value), run.steps_per_epoch).points())
    };
    let mut rate = Panel::new("", "epoch", "learning rate");
    rate.series = curves.iter().map(|curve| line(curve, &|rates| rates.learning_rate)).collect();
    rescale(&mut rate, scale);
    let mut panels = vec![rate];
    if momentum.is_some() || curves.iter().any(Curve::has_momentum) {
        let mut panel = Panel::new("", "epoch", "momentum");
        panel.series =
            curves.iter().map(|curve| line(curve, &|rates| rates.momentum.or(momentum).unwrap_or(f64::NAN))).collect();
        panels.push(panel);
    }
    Figure::new(title, panels)
}
