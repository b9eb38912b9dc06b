//! `lrsched descend`: traces an optimizer and a schedule on a small function.

use super::advice;
use super::flags;
use super::output::{self, emit};
use super::settings;
use crate::config::settings::{self as table, any_of};
use crate::config::{CommandName, Given, MOST_STEPS, SettingDef};
use crate::data::DatasetKind;
use crate::experiment::descend::{COLUMNS, Function, Iterate, Walk, cells, write_csv};
use crate::experiment::landscape;
use crate::experiment::{Entered, Entrant, Overrides, enter};
use crate::number::{exact, rate, significant};
use crate::optim;
use crate::schedule::{self, Semantics};
use crate::usage;
use crate::usage::{Usage, named, shortened};
use anyhow::Result;
use clap::{Arg, ArgMatches, Command};
use std::path::Path;

const SETTINGS: &[SettingDef] = &[
    SettingDef::value("function", "NAME", "{} [default: bowl]").choices(|| any_of(Function::ALL.map(Function::name))),
    SettingDef::value("start", "X,Y", "Starting point [default: the function's own]"),
    SettingDef::value("steps", "N", "Number of updates, the length of the schedule [default: 100]"),
    SettingDef::value("steps-per-epoch", "N", "Steps per epoch of the schedule; must divide --steps [default: 1]"),
    SettingDef::list(
        "optimizer",
        "SPEC",
        "One or more, each traced separately: sgd:momentum=0.9 adam:lr=0.1 [default: sgd]",
    ),
    SettingDef::list(
        "schedule",
        "SPEC",
        "One or more, each combined with every optimizer: cosine step:drop-every=20 (`lrsched help schedules`) [default: constant]",
    ),
    SettingDef::value(
        "lr",
        "RATE",
        "Base learning rate [default: the optimizer's usual one; for sgd one that suits the function: 0.1, ravine 0.03, rosenbrock 0.001, beale 0.005]",
    ),
    SettingDef::list("semantics", "NAME", "{}; one or more, each traced separately [default: native]")
        .choices(|| any_of(Semantics::ALL.map(Semantics::name))),
    SettingDef::value("format", "KIND", "{} [default: from the extension of FILE, else csv]")
        .choices(|| any_of(Format::ALL.map(|(name, _)| name))),
];

const HELP: &str = "\
Row t holds the position before update t, and the rate and momentum of that update; the last row is the final position.
With several walks, a leading column `walk` names each.

Examples:
  lrsched descend --function ravine --lr 0.03 --momentum 0.9 --schedule cosine
  lrsched descend --function rosenbrock --optimizer sgd:lr=0.001,momentum=0.9 adam:lr=0.1 --steps 300 -o walks.png";

pub fn command() -> Command {
    let command = Command::new(CommandName::Descend.name())
        .about("Trace an optimizer and a schedule on a small 2-D function")
        .after_help(HELP)
        .arg(
            Arg::new("output")
                .short('o')
                .long("output")
                .value_name("FILE")
                .help("Write to FILE instead of stdout; `-` is stdout"),
        );
    settings::with_flags(command, CommandName::Descend, SETTINGS)
}

/// The output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Table,
    Png,
    Svg,
}

impl Format {
    const ALL: [(&'static str, Format); 4] =
        [("csv", Format::Csv), ("table", Format::Table), ("png", Format::Png), ("svg", Format::Svg)];

    fn parse(text: &str) -> Result<Self, Usage> {
        named("format", text, Self::ALL, |(name, _)| name).map(|(_, format)| format)
    }

    fn choose(given: Option<&str>, output: Option<&Path>) -> Result<Self, Usage> {
        let ending = output.and_then(Path::extension).and_then(|ending| ending.to_str());
        match (given, ending) {
            (Some(text), _) => Self::parse(text),
            (None, Some("txt")) => Ok(Format::Table),
            (None, Some(ending)) => Self::parse(ending),
            (None, None) => Ok(Format::Csv),
        }
    }
}

pub fn run(matches: &ArgMatches, quiet: bool) -> Result<u8> {
    let given = flags::gather(&command(), matches);
    let output = output::file(&given, &[])?;
    let output = output.as_deref();
    let format = Format::choose(given.text("format"), output)?;
    let mut walked = Vec::new();
    for (name, walk) in walks(&given)? {
        let positions = walk.positions()?;
        if !quiet {
            advise(&name, &walk, &positions);
        }
        walked.push((name, positions));
    }
    let function = function(&given)?;
    let bytes = match format {
        Format::Csv => {
            let mut bytes = Vec::new();
            write_csv(&walked, &mut bytes)?;
            bytes
        }
        Format::Table => table(&walked).into_bytes(),
        Format::Png => landscape::figure(function, &walked).png()?,
        Format::Svg => landscape::figure(function, &walked).svg()?.into_bytes(),
    };
    emit(output, &bytes)
}

fn function(given: &Given) -> Result<Function, Usage> {
    Ok(given.parse_own("function")?.unwrap_or_default())
}

/// Every combination of optimizer, schedule and semantics, with its name.
fn walks(given: &Given) -> Result<Vec<(String, Walk)>, Usage> {
    let function = function(given)?;
    let list = |name, default: &str| given.list(name).map_or(vec![default.to_string()], <[String]>::to_vec);
    let (optimizers, schedules) = (list("optimizer", "sgd"), list("schedule", "constant"));
    let semantics = list("semantics", "native").iter().map(|s| s.parse()).collect::<Result<Vec<Semantics>, _>>()?;
    let lr: Option<f64> = given.parse("lr", table::POSITIVE)?;
    if let Some(lr) = lr {
        optim::check_rate::<f64>("lr", lr)?;
    }
    let clipping = table::clipping::<f64>(given, CommandName::Descend)?;
    let pairs = optimizers.iter().flat_map(|optimizer| schedules.iter().map(move |s| format!("{optimizer}/{s}")));
    let (entrants, notes) = match pairs.collect::<Vec<_>>().as_slice() {
        // Flags apply to a single entrant and override its own values.
        [_] => {
            let (optimizer, schedule) = (table::optimizer(given)?, table::schedule(given)?);
            (vec![Entrant { optimizer, schedule, lr: None, of_grid: false }], Vec::new())
        }
        pairs => {
            let entered = enter(Some(pairs), DatasetKind::default(), &Overrides::of(given));
            let Entered { entrants, notes, .. } = entered.map_err(|error| Usage(advice::entrant(&error)))?;
            (entrants, notes)
        }
    };
    let names: Vec<String> = entrants.iter().map(ToString::to_string).collect();
    if let Some(place) = (1..names.len()).find(|&place| names[..place].contains(&names[place])) {
        return usage!("entrant {} is named twice; leave one out", names[place]);
    }
    super::warn(&advice::notes(&notes, false));
    let mut walks = Vec::new();
    for entrant in &entrants {
        for &semantics in &semantics {
            let usual = || match entrant.optimizer.name() {
                // The usual rate for networks is far too high for the steep walls of these functions.
                "sgd" => function.usual_rate(),
                _ => entrant.optimizer.default_learning_rate(semantics),
            };
            let walk = Walk {
                function,
                start: start(given)?.unwrap_or(function.start()),
                steps: given.parse("steps", table::COUNT)?.unwrap_or(100),
                steps_per_epoch: given.parse("steps-per-epoch", table::COUNT)?.unwrap_or(1),
                learning_rate: entrant.optimizer.learning_rate().or(lr).unwrap_or_else(usual),
                semantics,
                clipping,
                optimizer: entrant.optimizer.clone(),
                schedule: entrant.schedule.clone(),
            };
            walks.push((walk.to_string(), walk));
        }
    }
    let most = walks.iter().map(|(_, walk)| walk.steps).max().unwrap_or(0);
    if most.saturating_mul(walks.len() as u64) > MOST_STEPS {
        return usage!("steps x walks must be at most {MOST_STEPS}, got {most} x {}", walks.len());
    }
    if semantics.len() > 1 {
        walks.iter_mut().for_each(|(name, walk)| *name = format!("{name} ({})", walk.semantics));
    }
    let twice = |&place: &usize| walks[..place].iter().any(|(name, _)| *name == walks[place].0);
    if let Some(place) = (1..walks.len()).find(twice) {
        return usage!("semantics {} is given twice; leave one out", walks[place].1.semantics);
    }
    Ok(walks)
}

fn start(given: &Given) -> Result<Option<[f64; 2]>, Usage> {
    let Some(text) = given.text("start") else { return Ok(None) };
    let parts: Vec<Option<f64>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
    match parts.as_slice() {
        &[Some(x), Some(y)] if x.is_finite() && y.is_finite() => Ok(Some([x, y])),
        _ => usage!("start must be two numbers, X,Y, got `{text}`", text = shortened(text)),
    }
}

/// Warns on stderr about anything the picture may not show.
fn advise(name: &str, walk: &Walk, positions: &[Iterate]) {
    for warning in walk.schedule_warnings().unwrap_or_default() {
        super::tell(&format!("warning: {name}: {warning}"));
    }
    let rates = || positions.iter().filter_map(|position| position.learning_rate);
    let decays = positions.len() > 1 && positions[positions.len() - 2].learning_rate < rates().max_by(f64::total_cmp);
    if let Some(line) = walk.optimizer.advice(walk.learning_rate, decays) {
        super::tell(&format!("{name}: {line}"));
    }
    let above = |position: &Iterate| position.value - walk.function.minimum();
    let limit = 1e6 * (1.0 + above(&positions[0]));
    if let Some(lost) = positions.iter().find(|position| above(position).is_nan() || above(position) > limit) {
        let lr = walk.learning_rate;
        // Without momentum, SGD gets down every function at its usual rate.
        let usual =
            (walk.optimizer.name() == "sgd" && positions[0].momentum.is_none()).then(|| walk.function.usual_rate());
        let lower = usual.unwrap_or(lr).min(lr / 10.0);
        let too_high = if schedule::uses_base_rate(walk.schedule.clone()) {
            format!("lr {} is too high here; try --lr {}", exact(lr), rate(lower))
        } else {
            let highest = rates().fold(0.0, f64::max);
            format!("the rate of {}, up to {}, is too high here; give it lower rates", walk.schedule, rate(highest))
        };
        super::tell(&format!("{name}: the walk left the valley at step {}: {too_high}", lost.step));
    }
    if positions[0].momentum.is_none() && walk.cycles_momentum() {
        super::tell(&format!("{name}: the schedule cycles the momentum, but {} has none", walk.optimizer.name()));
    }
}

/// At most 20 evenly spaced rows of each walk, and the last one.
fn table(walks: &[(String, Vec<Iterate>)]) -> String {
    let mut text = String::new();
    for (name, positions) in walks {
        let stride = positions.len().div_ceil(20);
        let last = positions.len() - 1;
        text += &format!("{name}\n");
        let rows = positions.iter().enumerate().filter(|(place, _)| place % stride == 0 || *place == last);
        let rows = rows.map(|(_, position)| cells(position, |value| significant(value, 6)));
        for row in std::iter::once(COLUMNS.map(String::from)).chain(rows) {
            let [step, rest @ ..] = row;
            text += &format!("{step:>8}");
            rest.iter().for_each(|cell| text += &format!("  {cell:>14}"));
            text.push('\n');
        }
    }
    text
}
