//! `lrsched show`: draws a schedule without training.

use super::drawn_run::{self, RUN, checked, rescale, y_scale};
use super::output::{self, emit, terminal};
use super::{flags, settings};
use crate::config::settings::{any_of, schedule_entries};
use crate::config::{CommandName, Given, SettingDef, unused_rate};
use crate::number::{counted, significant};
use crate::record::{Changed, EpochRow, RunInfo, check_order, check_values, files, read_good_rows};
use crate::report::chart::{AxisScale, Figure, Panel, Series};
use crate::report::rates::{self, Stretches};
use crate::schedule::{self, EpochMetrics, Rates, RunShape, Schedule, Spec, warnings};
use crate::usage;
use crate::usage::{Usage, shortened};
use anyhow::{Result, bail};
use clap::{ArgMatches, Command};
use std::cmp::Ordering;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

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
    let command = Command::new(CommandName::Show.name())
        .about("Draw schedules without training, and warn about what looks wrong")
        .after_help("Example: lrsched show --schedule step:factor=0.5,drop-every=10 cosine --epochs 40");
    let command = command.arg(
        clap::Arg::new("specs")
            .value_name("SPEC")
            .num_args(0..)
            .action(clap::ArgAction::Append)
            .help("Schedules, as with --schedule"),
    );
    output::with_flag(settings::with_flags(command, CommandName::Show, &[RUN, SHOW].concat()))
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
    let flags = drawn_run::of_any_length(&given)?;
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
    // Beside another schedule, it may be meant for that one.
    let is_unused = given.has("lr") && specs.iter().all(|spec| !schedule::uses_base_rate(spec));
    // Only once nothing else is wrong.
    let mut told = Vec::new();
    for spec in specs {
        let mut schedule = Schedule::build(&spec, &run)?;
        let prefix = if several { format!("{spec}: ") } else { String::new() };
        let unused = unused_rate(run.learning_rate, &spec).filter(|_| is_unused);
        for warning in unused.into_iter().chain(warnings(&spec, &run)?) {
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

    let read: Vec<PathBuf> = seen.iter().map(|seen| seen.file.clone()).collect();
    let output = output::file(&given, &read)?;
    let output = output.as_deref();
    let figure = || figure(&curves, &run, momentum, scale);
    let format = match (given.switch("json")?, given.text("format")) {
        (true, Some(other)) if other != "json" => {
            return usage!("--json is --format json; leave out --format {}", shortened(other));
        }
        (true, _) => output::format_of(&given, Some("json"), &FORMATS)?,
        (false, _) => output::format(&given, &FORMATS)?,
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
    run: Option<RunShape>,
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
    fn shape(&self, flags: RunShape, given: &Given) -> RunShape {
        let Some(own) = self.run else { return flags };
        let is_given = |name: &str| given.text(name).is_some();
        RunShape {
            learning_rate: if is_given("lr") { flags.learning_rate } else { own.learning_rate },
            semantics: if is_given("semantics") { flags.semantics } else { own.semantics },
            steps_per_epoch: if is_given("steps-per-epoch") { flags.steps_per_epoch } else { own.steps_per_epoch },
            epochs: if is_given("epochs") { flags.epochs } else { own.epochs },
        }
    }
}

/// The length of the run in `folder`, as it is by now, and its base rate; `None` if they are not recorded.
fn shape_of(folder: &Path, rows: &[EpochRow]) -> Option<RunShape> {
    let info = RunInfo::read(&folder.join(files::RUN_JSON)).ok()?;
    let config = info.config.known().ok()?;
    let changed = info.changes.iter().rev().find_map(|change| match change.what {
        Changed::Epochs { to, .. } => to,
        _ => None,
    });
    Some(RunShape {
        learning_rate: config.lr,
        semantics: config.semantics,
        steps_per_epoch: rates::steps_per_epoch(rows, rates::planned_steps(&config))?,
        epochs: changed.unwrap_or(config.epochs),
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

fn csv(rates: &[Rates], run: &RunShape) -> String {
    let mut text = String::from("step,epoch,learning_rate,momentum\n");
    for (t, rates) in (0_u64..).zip(rates) {
        let momentum = rates.momentum.map_or(String::new(), |m| format!("{m:?}"));
        let _ = writeln!(text, "{t},{},{:?},{momentum}", t / run.steps_per_epoch, rates.learning_rate);
    }
    text
}

/// The rates of every step of each schedule. Of a schedule without a momentum of its own it is that of the optimizer.
fn json(curves: &[Curve], run: &RunShape, momentum: Option<f64>, warnings: &[String]) -> serde_json::Value {
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
fn table(curves: &[Curve], run: &RunShape, momentum: Option<f64>) -> String {
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

fn figure(curves: &[Curve], run: &RunShape, momentum: Option<f64>, scale: AxisScale) -> Figure {
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
