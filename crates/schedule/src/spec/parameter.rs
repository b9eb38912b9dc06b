//! Typed parameters: one row each, from which the parser, range checks, help and documentation are derived.

use crate::{Semantics, Unit};
use std::fmt;
use std::ops::Bound;

/// One row of a schedule's or optimizer's table of parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter {
    /// The name as on the command line, without dashes: `drop-every`.
    pub name: &'static str,
    pub kind: ParameterKind,
    /// The default as it would be typed; empty if there is none: the parameter is then required, or off.
    pub default: &'static str,
    /// The meaning, without range, unit or choices, which [`Parameter::help`] adds.
    pub meaning: &'static str,
    /// Whether it can also be given as a command-line flag, outside the spec.
    pub is_flag: bool,
    /// The frameworks that have it, among those that have the schedule or optimizer.
    pub frameworks: &'static [Semantics],
}

/// The type of a [`Parameter`]'s value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ParameterKind {
    /// A finite number.
    Number(Bounds),
    /// A whole number, at least 0.
    Count,
    /// A positive duration; a plain number counts this unit.
    Duration(Unit),
    /// A duration that may be 0.
    DurationOrZero(Unit),
    /// Several durations.
    Durations(Unit),
    /// A learning rate: `0.1`, or `3x` for three times lr.
    Rate,
    /// Several learning rates.
    Rates,
    /// `name`, `name=true` or `name=false`.
    Switch,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// So many finite numbers.
    Numbers(usize),
    /// Several conditions on the epoch or a metric: `epoch>=30`, `val_loss<=0.9`.
    Conditions,
    /// An expression of the clock, for `expr`.
    Expression,
}

/// A range of numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    pub low: Bound<f64>,
    pub high: Bound<f64>,
}

impl Bounds {
    /// [0, 1].
    pub const UNIT: Self = Self { low: Bound::Included(0.0), high: Bound::Included(1.0) };
    /// (0, 1].
    pub const POSITIVE_UNIT: Self = Self { low: Bound::Excluded(0.0), high: Bound::Included(1.0) };
    /// [0, 1).
    pub const BELOW_ONE: Self = Self { low: Bound::Included(0.0), high: Bound::Excluded(1.0) };
    /// (0, 1).
    pub const OPEN_UNIT: Self = Self { low: Bound::Excluded(0.0), high: Bound::Excluded(1.0) };

    pub const fn at_least(least: f64) -> Self {
        Self { low: Bound::Included(least), high: Bound::Unbounded }
    }

    pub const fn above(limit: f64) -> Self {
        Self { low: Bound::Excluded(limit), high: Bound::Unbounded }
    }

    pub fn contains(self, value: f64) -> bool {
        (self.low, self.high).contains(&value)
    }
}

use std::ops::RangeBounds as _;

/// `in (0, 1]`, `at least 0`, `above 0`.
impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = |low| if matches!(low, Bound::Included(_)) { '[' } else { '(' };
        let close = |high| if matches!(high, Bound::Included(_)) { ']' } else { ')' };
        match (self.low, self.high) {
            (low @ (Bound::Included(a) | Bound::Excluded(a)), high @ (Bound::Included(b) | Bound::Excluded(b))) => {
                write!(f, "in {}{a}, {b}{}", open(low), close(high))
            }
            (Bound::Included(a), Bound::Unbounded) => write!(f, "at least {a}"),
            (Bound::Excluded(a), Bound::Unbounded) => write!(f, "above {a}"),
            (Bound::Unbounded, Bound::Included(b)) => write!(f, "at most {b}"),
            (Bound::Unbounded, Bound::Excluded(b)) => write!(f, "below {b}"),
            (Bound::Unbounded, Bound::Unbounded) => f.write_str("any number"),
        }
    }
}

impl ParameterKind {
    /// Whether a value is a list of items, separated by commas (or `/`).
    pub const fn is_list(self) -> bool {
        matches!(self, Self::Durations(_) | Self::Rates | Self::Numbers(_) | Self::Conditions)
    }
}

impl Parameter {
    pub const fn new(name: &'static str, kind: ParameterKind, default: &'static str, meaning: &'static str) -> Self {
        Self { name, kind, default, meaning, is_flag: true, frameworks: Semantics::FRAMEWORKS }
    }

    /// A parameter that only these frameworks have.
    #[must_use]
    pub const fn only_of(mut self, frameworks: &'static [Semantics]) -> Self {
        self.frameworks = frameworks;
        self
    }

    /// A parameter of the spec alone.
    #[must_use]
    pub const fn only_in_spec(mut self) -> Self {
        self.is_flag = false;
        self
    }

    pub const fn number(name: &'static str, range: Bounds, default: &'static str, meaning: &'static str) -> Self {
        Self::new(name, ParameterKind::Number(range), default, meaning)
    }

    pub const fn count(name: &'static str, default: &'static str, meaning: &'static str) -> Self {
        Self::new(name, ParameterKind::Count, default, meaning)
    }

    /// A positive duration.
    pub const fn duration(name: &'static str, unit: Unit, default: &'static str, meaning: &'static str) -> Self {
        Self::new(name, ParameterKind::Duration(unit), default, meaning)
    }

    pub const fn duration_or_zero(
        name: &'static str,
        unit: Unit,
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self::new(name, ParameterKind::DurationOrZero(unit), default, meaning)
    }

    pub const fn rate(name: &'static str, default: &'static str, meaning: &'static str) -> Self {
        Self::new(name, ParameterKind::Rate, default, meaning)
    }

    pub const fn switch(name: &'static str, default: &'static str, meaning: &'static str) -> Self {
        Self::new(name, ParameterKind::Switch, default, meaning)
    }

    pub const fn choice(
        name: &'static str,
        choices: &'static [&'static str],
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self::new(name, ParameterKind::Choice(choices), default, meaning)
    }

    /// A switch needs no value: `staircase` means `staircase=true`.
    pub fn is_switch(&self) -> bool {
        self.kind == ParameterKind::Switch
    }

    /// Whether a switch can be on without being given.
    pub fn may_be_on(&self) -> bool {
        self.is_switch() && self.default != "false"
    }

    /// One line for help and documentation: meaning, and unit, range or choices.
    ///
    /// ```
    /// use lrsched_schedule::spec::{Bounds, Parameter};
    /// let factor = Parameter::number("factor", Bounds::POSITIVE_UNIT, "0.5", "multiplier of each drop");
    /// assert_eq!(factor.help(), "multiplier of each drop, in (0, 1]");
    /// ```
    pub fn help(&self) -> String {
        let meaning = self.meaning;
        match self.kind {
            ParameterKind::Number(range) => format!("{meaning}, {range}"),
            ParameterKind::Rate | ParameterKind::Rates => format!("{meaning}, at least 0"),
            ParameterKind::Duration(Unit::Steps)
            | ParameterKind::DurationOrZero(Unit::Steps)
            | ParameterKind::Durations(Unit::Steps) => format!("{meaning}; a plain number is in steps"),
            ParameterKind::Choice(words) => format!("{meaning}: {}", words.join(", ")),
            _ => meaning.to_string(),
        }
    }

    /// The default as help and documentation show it: `0.5`, `on`; empty if there is none.
    pub fn shown_default(&self) -> &'static str {
        match (self.kind, self.default) {
            (ParameterKind::Switch, "true") => "on",
            (ParameterKind::Switch, "false") => "off",
            (_, default) => default,
        }
    }
}

/// A schedule or optimizer in its family's table: what the parser accepts, the command line offers and the help prints.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry {
    pub name: &'static str,
    /// One line.
    pub summary: &'static str,
    /// Plain text, one or more lines.
    pub formula: &'static str,
    pub parameters: &'static [Parameter],
    /// The paper or framework it comes from.
    pub source: &'static str,
    /// Its representative in a comparison of all entries: a spec of its own, with parameters that suit a run of any length
    /// and rates that are multiples of lr. `None` if it does not compete.
    pub entrant: Option<&'static str>,
}

impl Entry {
    /// A help heading for parameters that several entries share.
    pub const fn heading(name: &'static str, parameters: &'static [Parameter]) -> Self {
        Self { name, summary: "", formula: "", parameters, source: "", entrant: None }
    }

    pub fn parameter(&self, name: &str) -> Option<&'static Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }
}
