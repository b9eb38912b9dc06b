//! `lrsched diff`: where the frameworks disagree about a schedule, or an optimizer.

use super::diff_optimizer::{self, Disagreement};
use super::flags;
use super::{drawn_run, output, settings};
use crate::config::settings::{POSITIVE, any_of, schedule_entries};
use crate::config::{CommandName, Given, SettingDef};
use crate::number::{counted, exact, rate};
use crate::optim;
use crate::report::chart::{AxisScale, Figure, Panel, Series};
use crate::report::rates::Stretches;
use crate::schedule::{self, EpochMetrics, Schedule, Semantics, Spec};
use crate::usage;
use crate::usage::{Usage, did_you_mean, shortened};
use anyhow::Result;
use clap::{Arg, ArgMatches, Command};
use std::fmt::Write as _;

/// The output formats of `diff`.
const FORMATS: [&str; 4] = ["chart", "csv", "svg", "png"];

const DIFF: &[SettingDef] =
    &[SettingDef::value("format", "KIND", "{} [default: from the extension of -o, else chart]")
        .choices(|| any_of(FORMATS))];

/// Rates with a smaller relative difference count as equal: the frameworks round differently.
const SAME: f64 = 1e-9;

/// At most this many differing steps are listed.
const FIRST: usize = 3;

const HELP: &str = "\
Schedules that depend on metrics see metrics that never improve. An optimizer is followed on a small noisy problem.

Examples:
  lrsched diff step:factor=0.5,drop-every=10
  lrsched diff nadam
  lrsched diff sgd:momentum=0.9/cosine --epochs 5 --steps-per-epoch 100";

pub fn command() -> Command {
    let command = Command::new(CommandName::Diff.name())
        .about("Show where PyTorch, Keras, optax and the native formula disagree about a schedule or an optimizer")
        .after_help(HELP)
        .arg(
            Arg::new("schedule")
                .required(true)
                .value_name("SPEC")
                .help(
                    "A schedule, or an optimizer with or without one: nadam/cosine (`lrsched help schedules`, `help optimizers`)",
                ),
        );
    output::with_flag(settings::with_flags(command, CommandName::Diff, &[drawn_run::RUN, DIFF].concat()))
}

/// The rates of a run under one or several semantics that agree.
struct Group {
    members: Vec<Semantics>,
    rates: Vec<f64>,
}

impl Group {
    fn name(&self) -> String {
        self.members.iter().map(|member| member.name()).collect::<Vec<_>>().join(" = ")
    }
}

/// Compares the semantics of a schedule, in words and in a chart.
///
/// # Errors
/// An invalid schedule or setting, or a file that cannot be written.
pub fn run(matches: &ArgMatches) -> Result<u8> {
    let given = flags::gather(&command(), matches);
    let text = given.text("schedule").unwrap_or_default();
    if diff_optimizer::names_one(text) {
        return run_optimizer(text, &given);
    }
    let name = text.split([':', ';', '/']).next().unwrap_or_default().trim();
    if !schedule::table().iter().any(|entry| entry.name == name) {
        let names = || schedule::table().iter().chain(optim::table()).map(|entry| entry.name);
        let (hint, name) = (did_you_mean(name, names()), shortened(name));
        return usage!(
            "unknown schedule or optimizer `{name}`{hint} (`lrsched help schedules` and `lrsched help optimizers` list them)"
        );
    }
    let flags = given.family("schedule", &schedule_entries());
    let spec = Spec::from_flags(given.text("schedule").unwrap_or_default(), &flags)?;
    let run = drawn_run::of(&given)?;
    let mut groups: Vec<Group> = Vec::new();
    for semantics in Semantics::ALL.into_iter().filter(|&semantics| spec.exists_in(semantics)) {
        let rates = trace(Schedule::build(&spec, &run.with(semantics))?, &run);
        match groups.iter_mut().find(|group| first_steps_apart(&group.rates, &rates).next().is_none()) {
            Some(group) => group.members.push(semantics),
            None => groups.push(Group { members: vec![semantics], rates }),
        }
    }
    let output = output::file(&given, &[])?;
    let output = output.as_deref();
    let scale = drawn_run::y_scale(&given)?;
    let figure = || figure(&spec, &groups, &run, scale);
    match output::format(&given, &FORMATS)? {
        "csv" => output::emit(output, csv(&groups, &run).as_bytes()),
        "svg" => output::emit(output, figure().svg()?.as_bytes()),
        "png" => output::emit(output, &figure().png()?),
        _ => {
            let text =
                output::sentences(&words(&spec, &groups, &run), output) + "\n" + &output::terminal(&figure(), output);
            output::emit(output, text.as_bytes())
        }
    }
}

/// Compares the semantics of an optimizer.
fn run_optimizer(text: &str, given: &Given) -> Result<u8> {
    if let Some((flag, _)) = given.family("schedule", &schedule_entries()).first() {
        refuse_flag(flag, text)?;
    }
    let disagreement = Disagreement::of(text, given.parse("lr", POSITIVE)?, &drawn_run::of(given)?)?;
    let output = output::file(given, &[])?;
    let output = output.as_deref();
    let scale = drawn_run::y_scale(given)?;
    match output::format(given, &FORMATS)? {
        "csv" => output::emit(output, disagreement.csv().as_bytes()),
        "svg" => output::emit(output, disagreement.figure(scale).svg()?.as_bytes()),
        "png" => output::emit(output, &disagreement.figure(scale).png()?),
        _ => {
            let words = output::sentences(&disagreement.words(), output);
            let text = words + "\n" + &output::terminal(&disagreement.figure(scale), output);
            output::emit(output, text.as_bytes())
        }
    }
}

fn refuse_flag(flag: &str, optimizer: &str) -> Result<(), Usage> {
    usage!("--{flag} belongs to a schedule; write it behind the optimizer: `{optimizer}/step:factor=0.5`")
}

/// The rate of every step; a metric-driven schedule sees metrics that never improve.
fn trace(mut schedule: Schedule, run: &schedule::RunShape) -> Vec<f64> {
    for epoch in 0..run.epochs {
        schedule.observe(&EpochMetrics {
            epoch,
            loss: 1.0,
            accuracy: 0.5,
            val_loss: Some(1.0),
            val_accuracy: Some(0.5),
        });
    }
    (0..run.total_steps()).map(|t| schedule.at(t).learning_rate).collect()
}

fn first_steps_apart<'a>(a: &'a [f64], b: &'a [f64]) -> impl Iterator<Item = usize> + 'a {
    let highest = a.iter().chain(b).copied().fold(0.0, f64::max);
    let apart = move |(&a, &b): (&f64, &f64)| (a - b).abs() > SAME * a.max(b) + 1e-15 * highest;
    a.iter().zip(b).enumerate().filter(move |(_, pair)| apart(*pair)).map(|(t, _)| t)
}

fn words(spec: &Spec, groups: &[Group], run: &schedule::RunShape) -> String {
    let mut text = format!(
        "{spec} over {} of {}, lr {}\n",
        counted(run.epochs, "epoch"),
        counted(run.steps_per_epoch, "step"),
        exact(run.learning_rate)
    );
    if let [all] = groups
        && all.members.len() > 1
    {
        let _ = writeln!(text, "\n{}: identical at every step", all.name());
    }
    for (at, one) in groups.iter().enumerate() {
        for other in &groups[at + 1..] {
            let steps: Vec<usize> = first_steps_apart(&one.rates, &other.rates).collect();
            let _ = writeln!(
                text,
                "\n{} / {}: differ at {} of {} steps",
                one.name(),
                other.name(),
                steps.len(),
                run.total_steps()
            );
            let at = |t: usize| {
                let epoch = t as u64 / run.steps_per_epoch;
                format!("step {t} (epoch {epoch}): {:?} / {:?}", one.rates[t], other.rates[t])
            };
            for &t in steps.iter().take(FIRST) {
                let _ = writeln!(text, "  {}", at(t));
            }
            let difference = |t: usize| (one.rates[t] - other.rates[t]).abs();
            let ratio = |t: usize| {
                let (low, high) = (one.rates[t].min(other.rates[t]), one.rates[t].max(other.rates[t]));
                if low > 0.0 { high / low } else { f64::INFINITY }
            };
            // Of equal maxima, the first.
            let largest = |of: &dyn Fn(usize) -> f64| {
                steps.iter().copied().max_by(|&a, &b| of(a).total_cmp(&of(b)).then(b.cmp(&a)))
            };
            if let (Some(d), Some(r)) = (largest(&difference), largest(&ratio)) {
                let _ = writeln!(text, "  largest difference: {} at {}", rate(difference(d)), at(d));
                let _ = writeln!(text, "  largest ratio: {:.6} at {}", ratio(r), at(r));
            }
        }
    }
    for semantics in Semantics::ALL {
        if let Some(what) = spec.lacking(semantics) {
            let _ = writeln!(
                text,
                "\n{semantics} has no such {what}: `--semantics {semantics}` falls back to native for it"
            );
        }
    }
    text
}

fn csv(groups: &[Group], run: &schedule::RunShape) -> String {
    let mut text = String::from("step,epoch,native,torch,keras,optax\n");
    for t in 0..run.total_steps() {
        let _ = write!(text, "{t},{}", t / run.steps_per_epoch);
        for semantics in Semantics::ALL {
            // A framework without this schedule has empty cells.
            text.push(',');
            if let Some(group) = groups.iter().find(|group| group.members.contains(&semantics)) {
                let _ = write!(text, "{:?}", group.rates[t as usize]);
            }
        }
        text.push('\n');
    }
    text
}

fn figure(spec: &Spec, groups: &[Group], run: &schedule::RunShape, scale: AxisScale) -> Figure {
    let mut panel = Panel::new("", "epoch", "learning rate");
    for (at, group) in groups.iter().enumerate() {
        let points = Stretches::of(group.rates.iter().copied(), run.steps_per_epoch).points();
        let mut series = Series::new(group.name(), points);
        series.dashed = at > 0;
        panel.series.push(series);
    }
    drawn_run::rescale(&mut panel, scale);
    Figure::new(spec.to_string(), vec![panel])
}
