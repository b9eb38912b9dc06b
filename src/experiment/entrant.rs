//! The entrants of a comparison: each an optimizer under a schedule.

mod defaults;
mod tunable;
mod written;

use crate::config::grid::{MOST_RUNS, rule};
use crate::config::settings::schedule_entries;
use crate::config::{Given, Grid};
use crate::data::DatasetKind;
use crate::number::{exact, grouped};
use crate::optim::{self, OptimizerSpec};
use crate::schedule::{self, Spec};
use crate::spec::{ParameterValue, check_length};
use crate::usage;
use crate::usage::Usage;
use written::{Author, Written};

pub use defaults::default_entrants;
pub use tunable::{Tunable, TuneError, tunable, untuned};

/// An optimizer and the schedule that it runs under: `sgd:momentum=0.9/step:factor=0.5,drop-every=10`.
#[derive(Debug, Clone, PartialEq)]
pub struct Entrant {
    pub optimizer: OptimizerSpec,
    pub schedule: Spec,
    /// The base rate of its point of a grid, which stands in for `--lr`.
    pub lr: Option<f64>,
    /// Whether a grid gave it values.
    pub of_grid: bool,
}

impl std::fmt::Display for Entrant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.optimizer, self.schedule)?;
        self.lr.map_or(Ok(()), |lr| write!(f, " lr={}", exact(lr)))
    }
}

/// The flags of a comparison, which apply to its entrants.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Flags of optimizers (`momentum`, `weight-decay`, …): each goes to the entrants whose optimizer takes it.
    pub optimizer: Vec<(String, String)>,
    /// Flags of schedules: `warmup` and `warmup-from`, which any schedule takes, and those that an entrant's schedule takes.
    pub schedule: Vec<(String, String)>,
    /// `--lr`, as typed.
    pub lr: Option<String>,
    /// `--grid`: flags that differ from point to point.
    pub grid: Grid,
    /// Where they were given, for error messages.
    given: Given,
}

impl Overrides {
    pub fn of(given: &Given) -> Self {
        Self {
            optimizer: given.family("optimizer", optim::table()),
            schedule: given.family("schedule", &schedule_entries()),
            lr: given.text("lr").map(str::to_string),
            grid: Grid::default(),
            given: given.clone(),
        }
    }

    /// With the entrants crossed by `grid`.
    #[must_use]
    pub fn crossed(self, grid: Grid) -> Self {
        Self { grid, ..self }
    }

    /// The error of a value, with the place that gave it.
    fn with_source(&self, key: &str, error: Usage) -> Usage {
        let of_grid = self.grid.with_source(&self.given, key, &error);
        of_grid.unwrap_or_else(|| self.given.with_source_of_flag(key, error))
    }

    /// Every flag, `--lr` last.
    fn all(&self) -> Vec<(&str, &str)> {
        let parameters = self.optimizer.iter().chain(&self.schedule);
        let parameters = parameters.map(|(key, value)| (key.as_str(), value.as_str()));
        parameters.chain(self.lr.iter().map(|lr| ("lr", lr.as_str()))).collect()
    }
}

/// Invalid entrants, or a flag that applies to none of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntrantError {
    /// An entrant that cannot be parsed, or a flag whose value is wrong.
    #[error(transparent)]
    Invalid(#[from] Usage),
    /// No entrant's optimizer or schedule has this parameter.
    #[error("no entrant takes `{}`", .setting.key)]
    Untaken { setting: Setting },
    /// Every entrant that has this parameter sets it itself.
    #[error("no entrant takes {}: each that could sets its own", .setting.key)]
    AllSetTheirOwn { setting: Setting },
    /// Each of `takers` sets its own rates, so that the rates of the grid would all be the same run.
    #[error("{key} multiplies no entrant")]
    NothingVaries { key: String, takers: Vec<String> },
}

/// A flag of a comparison, or an axis of its grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub key: String,
    /// `None` for an axis.
    pub value: Option<String>,
}

/// What has axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Varied {
    Grid,
    Tuning,
}

/// A value without effect on some entrants, which are listed as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntrantNote {
    /// The common rate, for entrants whose schedules set their own rates.
    OwnRates { setting: Setting, entrants: Vec<String> },
    /// The value of a flag, for entrants that set their own.
    OwnValue { setting: Setting, entrants: Vec<String> },
    /// An axis, for entrants without this parameter.
    NotTaken { by: Varied, key: String, entrants: Vec<String> },
    /// A range to tune over that would only scale the rates of these entrants, as the rate does.
    OnlyScaled { key: String, entrants: Vec<String> },
    /// An entrant's own rate, where its schedule sets the rates.
    UnusedRate { entrant: String, rate: String },
}

/// The entrants of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Entered {
    /// Entrant by entrant, each at every point of the grid.
    pub entrants: Vec<Entrant>,
    /// What has no effect on some of them.
    pub notes: Vec<EntrantNote>,
    /// Optimizers written without options and left at their usual rates, each with the options that it has as a default entrant: reports call both
    /// by the same short name.
    pub bare: Vec<(String, &'static str)>,
    /// The entrants before they are crossed with the grid, as a config file names them.
    pub uncrossed: Vec<String>,
}

/// The entrants listed in `named`, or else the default ones for `dataset`, with the flags applied, at every point of the grid.
///
/// A flag, or an axis of the grid, applies to every entrant that takes it, except named entrants that set it themselves.
/// An entrant that an axis does not apply to is not multiplied by it.
///
/// # Errors
/// An entrant that cannot be parsed, an invalid flag value, a flag or an axis that applies to no entrant, or more
/// entrants than a comparison may have runs.
pub fn enter(named: Option<&[String]>, dataset: DatasetKind, overrides: &Overrides) -> Result<Entered, EntrantError> {
    let usual = if named.is_none() { default_entrants(dataset) } else { Vec::new() };
    let texts = named.unwrap_or(&usual);
    let author = if named.is_some() { Author::User } else { Author::Program };
    let all = texts.iter().map(|text| Written::parse(text, author)).collect::<Result<Vec<_>, _>>()?;
    check_count(&all, &overrides.grid)?;
    let mut entered = Vec::new();
    for written in all {
        entered.push(Crossed::new(written, overrides)?);
    }
    let mut notes = Vec::new();
    let flags = overrides.all();
    for (place, (key, value)) in flags.iter().enumerate() {
        // List values are passed one at a time.
        if !flags[..place].iter().any(|(before, _)| before == key) {
            notes.extend(not_applied(&entered, Setting { key: key.to_string(), value: Some(value.to_string()) })?);
        }
    }
    for axis in &overrides.grid.axes {
        notes.extend(not_applied(&entered, Setting { key: axis.key.clone(), value: None })?);
        notes.extend(not_taken(&entered, &axis.key));
    }
    for one in entered.iter().filter(|_| author == Author::User) {
        let own = one.written.optimizer.get("lr").filter(|_| one.sets_rates());
        if let Some(ParameterValue::Number(lr)) = own {
            notes.push(EntrantNote::UnusedRate { entrant: one.name.clone(), rate: exact(*lr) });
        }
    }
    let mut bare: Vec<(String, &'static str)> = Vec::new();
    for one in entered.iter().filter(|one| author == Author::User && one.is_bare() && overrides.lr.is_none()) {
        let name = one.points[0].optimizer.name();
        let usual = defaults::usual_options(name).filter(|_| bare.iter().all(|(before, _)| before != name));
        bare.extend(usual.map(|usual| (name.to_string(), usual)));
    }
    let uncrossed = entered.iter().map(|one| one.name.clone()).collect();
    Ok(Entered { entrants: entered.into_iter().flat_map(|one| one.points).collect(), notes, bare, uncrossed })
}

/// An entrant at every point of the grid.
struct Crossed<'a> {
    written: Written<'a>,
    /// At least one.
    points: Vec<Entrant>,
    /// With the flags but without the grid.
    name: String,
}

impl<'a> Crossed<'a> {
    fn new(written: Written<'a>, overrides: &Overrides) -> Result<Self, Usage> {
        let points = written.points(overrides)?;
        let name = match points.as_slice() {
            [one] if written.axes(&overrides.grid).is_empty() => one.to_string(),
            _ => written.uncrossed(overrides)?,
        };
        Ok(Self { written, points, name })
    }

    /// Whether nothing is said of its optimizer but the name, not even a rate.
    fn is_bare(&self) -> bool {
        self.points.iter().all(|point| point.lr.is_none() && point.optimizer.to_string() == point.optimizer.name())
    }

    /// Whether its schedule makes no use of the base rate, at whatever point.
    fn sets_rates(&self) -> bool {
        self.points.iter().all(|point| !schedule::uses_base_rate(&point.schedule))
    }
}

/// # Errors
/// The grid makes more of the entrants than a comparison may have runs. Nothing has been built yet.
fn check_count(entrants: &[Written<'_>], grid: &Grid) -> Result<(), Usage> {
    let points = |written: &Written<'_>| {
        written.axes(grid).iter().fold(1, |points: u64, axis| points.saturating_mul(axis.values.len() as u64))
    };
    let all = entrants.iter().map(points).fold(0, u64::saturating_add);
    if all > MOST_RUNS {
        let count = if all == u64::MAX { "too many".to_string() } else { grouped(all) };
        return usage!("the grid makes {count} entrants; {}", rule());
    }
    Ok(())
}

/// Notes the entrants that an axis of the grid does not multiply because they have no such parameter.
fn not_taken(entered: &[Crossed<'_>], key: &str) -> Option<EntrantNote> {
    let without = names(entered.iter().filter(|one| !one.written.takes(key)));
    (!without.is_empty()).then(|| EntrantNote::NotTaken { by: Varied::Grid, key: key.to_string(), entrants: without })
}

/// Notes the entrants on which a flag or an axis has no effect, and those that keep their own value.
///
/// # Errors
/// It applies to none.
fn not_applied(entered: &[Crossed<'_>], setting: Setting) -> Result<Vec<EntrantNote>, EntrantError> {
    let key = setting.key.as_str();
    let takers: Vec<_> = entered.iter().filter(|one| one.written.takes(key)).collect();
    if takers.is_empty() {
        return Err(EntrantError::Untaken { setting });
    }
    let all = names(takers.iter().copied());
    let (keepers, others): (Vec<_>, Vec<_>) = takers.into_iter().partition(|one| one.written.keeps(key));
    if others.is_empty() {
        return Err(EntrantError::AllSetTheirOwn { setting });
    }
    let sets_rates = |one: &&Crossed<'_>| key == "lr" && one.sets_rates();
    if setting.value.is_none() && others.iter().all(sets_rates) {
        return Err(EntrantError::NothingVaries { key: setting.key, takers: all });
    }
    let idle = names(others.into_iter().filter(sets_rates));
    let keepers = names(keepers.into_iter());
    let mut notes = Vec::new();
    if !idle.is_empty() {
        notes.push(EntrantNote::OwnRates { setting: setting.clone(), entrants: idle });
    }
    if !keepers.is_empty() {
        notes.push(EntrantNote::OwnValue { setting, entrants: keepers });
    }
    Ok(notes)
}

fn names<'a>(of: impl Iterator<Item = &'a Crossed<'a>>) -> Vec<String> {
    of.map(|one| one.name.clone()).collect()
}

impl Entrant {
    /// Parses `optimizer/schedule`; a schedule alone runs under sgd, an optimizer alone at a constant rate. Flags fill
    /// in values that the text does not set.
    ///
    /// # Errors
    /// An unknown optimizer or schedule, or a parameter that is unknown or out of its range.
    pub fn parse(text: &str, overrides: &Overrides) -> Result<Self, Usage> {
        check_length("an entrant", text)?;
        Written::parse(text, Author::User)?.enter(overrides, &[])
    }
}
