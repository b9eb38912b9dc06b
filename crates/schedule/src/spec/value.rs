//! Typed parameter values: parsing, checking and formatting.

use super::ParameterKind;
use super::grammar::is_key;
use crate::error::{UsageError, shortened};
use crate::hint::did_you_mean;
use crate::schedules::expr;
use crate::usage;
use crate::{Duration, Metric, Unit};
use std::ops::Bound;

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum ParameterValue {
    Number(f64),
    Count(u64),
    Duration(Duration),
    Durations(Vec<Duration>),
    Rate(RateValue),
    Rates(Vec<RateValue>),
    Switch(bool),
    Choice(&'static str),
    Numbers(Vec<f64>),
    Conditions(Vec<Condition>),
    /// The text as typed.
    Expression(String),
}

/// A learning rate, absolute or relative to lr.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RateValue {
    Absolute(f64),
    /// `3x`: three times lr.
    TimesLr(f64),
}

impl From<f64> for RateValue {
    fn from(rate: f64) -> Self {
        Self::Absolute(rate)
    }
}

/// `epoch>=30`, `val_accuracy>=0.8`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Condition {
    pub subject: Watched,
    pub comparison: Relation,
}

/// The left-hand side of a [`Condition`], and the value to compare it with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Watched {
    /// The epoch, with any duration: `epoch>=50%`.
    Epoch(Duration),
    Metric(Metric, f64),
}

/// The comparison operator of a [`Condition`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    AtLeast,
    MoreThan,
    AtMost,
    LessThan,
}

impl Relation {
    /// An operator that is a prefix of another one comes after it.
    const ALL: [Self; 4] = [Self::AtLeast, Self::AtMost, Self::MoreThan, Self::LessThan];

    pub fn sign(self) -> &'static str {
        match self {
            Self::AtLeast => ">=",
            Self::MoreThan => ">",
            Self::AtMost => "<=",
            Self::LessThan => "<",
        }
    }

    pub fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::AtLeast => value >= threshold,
            Self::MoreThan => value > threshold,
            Self::AtMost => value <= threshold,
            Self::LessThan => value < threshold,
        }
    }
}

impl ParameterValue {
    /// Parses `text` as a value of `kind`. `subject` names the parameter in an error: `step: factor`.
    ///
    /// # Errors
    /// Text that is not a value of this kind, or is out of range.
    pub fn read(kind: ParameterKind, subject: &str, text: &str) -> Result<Self, UsageError> {
        let text = text.trim();
        let refuse = |rule: &str| usage!("{subject} must be {rule}, got {}", shortened(text));
        match kind {
            ParameterKind::Number(range) => {
                let Ok(value) = text.parse::<f64>() else {
                    return usage!("{subject} must be a number, got `{}`", shortened(text));
                };
                let may_be_infinite = range.high == Bound::Included(f64::INFINITY);
                match (range.contains(value), value.is_finite() || may_be_infinite) {
                    (true, true) => Ok(Self::Number(value)),
                    (true, false) => refuse("finite"),
                    (false, _) => refuse(&range.to_string()),
                }
            }
            // 1e1 is a whole number too.
            ParameterKind::Count => match (text.parse::<u64>(), text.parse::<f64>()) {
                (Ok(count), _) => Ok(Self::Count(count)),
                (_, Ok(value)) if value >= 0.0 && value.fract() == 0.0 && value < (1_u64 << 53) as f64 => {
                    Ok(Self::Count(value as u64))
                }
                _ => refuse("a whole number of at least 0"),
            },
            ParameterKind::Duration(unit) => match duration(subject, text, unit)? {
                // Less than a step rounds up to one, so the minimum is one step, whatever the unit of a plain number.
                duration if duration.is_zero() => refuse("at least 1 step"),
                duration => Ok(Self::Duration(duration)),
            },
            ParameterKind::DurationOrZero(unit) => duration(subject, text, unit).map(Self::Duration),
            ParameterKind::Durations(unit) => list(subject, text)?
                .map(|item| duration(subject, item, unit))
                .collect::<Result<_, _>>()
                .map(Self::Durations),
            ParameterKind::Rate => rate(subject, text).map(Self::Rate),
            ParameterKind::Rates => {
                list(subject, text)?.map(|item| rate(subject, item)).collect::<Result<_, _>>().map(Self::Rates)
            }
            ParameterKind::Switch => super::read_switch(text).map(Self::Switch).ok_or_else(|| {
                let key = subject.rsplit(' ').next().unwrap_or(subject);
                let text = shortened(text);
                UsageError(format!("{subject} is a switch, got `{text}`; write `{key}`, `{key}=true` or `{key}=false`"))
            }),
            ParameterKind::Choice(words) => match words.iter().find(|word| **word == text) {
                Some(word) => Ok(Self::Choice(word)),
                None => refuse(&format!("one of {}", words.join(", "))),
            },
            ParameterKind::Numbers(count) => {
                let numbers =
                    list(subject, text)?.map(|item| item.parse().ok().filter(|number: &f64| number.is_finite()));
                match numbers.collect::<Option<Vec<f64>>>() {
                    Some(numbers) if numbers.len() == count => Ok(Self::Numbers(numbers)),
                    _ => refuse(&format!("{count} numbers separated by commas")),
                }
            }
            ParameterKind::Conditions => {
                let conditions = list(subject, text)?.map(|item| Condition::read(subject, item));
                conditions.collect::<Result<_, _>>().map(Self::Conditions)
            }
            ParameterKind::Expression => match expr::problem(text) {
                Some(error) => Err(error),
                None => Ok(Self::Expression(text.to_string())),
            },
        }
    }

    /// Converts a value computed or built in code to `kind`: a choice must be one of the words of the table, and a
    /// whole number may stand for any number.
    ///
    /// # Errors
    /// As [`ParameterValue::read`].
    pub(super) fn checked(&self, kind: ParameterKind, subject: &str) -> Result<Self, UsageError> {
        Self::read(kind, subject, &self.show(kind, shortest))
    }

    /// The canonical text: numbers formatted by `number`, no suffix if a plain number means the same, lists with
    /// commas.
    pub fn show(&self, kind: ParameterKind, number: fn(f64) -> String) -> String {
        let plain = match kind {
            ParameterKind::Duration(unit) | ParameterKind::DurationOrZero(unit) | ParameterKind::Durations(unit) => {
                unit
            }
            _ => Unit::Epochs,
        };
        match self {
            Self::Number(value) => number(*value),
            Self::Count(count) => count.to_string(),
            Self::Duration(duration) => duration.short(plain),
            Self::Durations(durations) => joined(durations, |duration| duration.short(plain)),
            Self::Rate(rate) => rate.show(),
            Self::Rates(rates) => joined(rates, RateValue::show),
            Self::Numbers(numbers) => joined(numbers, |value| number(*value)),
            Self::Switch(on) => on.to_string(),
            Self::Choice(word) => word.to_string(),
            Self::Conditions(conditions) => joined(conditions, Condition::show),
            Self::Expression(text) => text.clone(),
        }
    }

    /// The value with each of its numbers multiplied by `factor`, whatever their units; `None` if it is not numeric.
    pub(crate) fn scaled(&self, factor: f64) -> Option<Self> {
        let duration = |duration: &Duration| duration.scaled(factor);
        Some(match self {
            Self::Number(value) => Self::Number(value * factor),
            Self::Count(count) => {
                let scaled = *count as f64 * factor;
                if scaled.fract() != 0.0 {
                    return None;
                }
                Self::Count(scaled as u64)
            }
            Self::Duration(length) => Self::Duration(duration(length)),
            Self::Durations(lengths) => Self::Durations(lengths.iter().map(duration).collect()),
            Self::Rate(rate) => Self::Rate(rate.scaled(factor)),
            Self::Rates(rates) => Self::Rates(rates.iter().map(|rate| rate.scaled(factor)).collect()),
            Self::Numbers(numbers) => Self::Numbers(numbers.iter().map(|number| number * factor).collect()),
            Self::Conditions(conditions) => {
                Self::Conditions(conditions.iter().map(|condition| condition.scaled(factor)).collect())
            }
            Self::Switch(_) | Self::Choice(_) | Self::Expression(_) => return None,
        })
    }

    /// Appends the items of another list; `false` if they are not lists of the same type.
    pub(super) fn extend(&mut self, more: Self) -> bool {
        match (self, more) {
            (Self::Durations(items), Self::Durations(more)) => items.extend(more),
            (Self::Rates(items), Self::Rates(more)) => items.extend(more),
            (Self::Conditions(items), Self::Conditions(more)) => items.extend(more),
            _ => return false,
        }
        true
    }
}

fn joined<T>(items: &[T], show: impl Fn(&T) -> String) -> String {
    items.iter().map(show).collect::<Vec<_>>().join(",")
}

/// The items of a list, with or without brackets: at least one. No item may contain brackets or `key=`, so that it
/// parses the same when shown again.
fn list<'a>(subject: &str, text: &'a str) -> Result<impl Iterator<Item = &'a str>, UsageError> {
    let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let items = inside.split([',', '/']).map(str::trim).filter(|item| !item.is_empty());
    if items.clone().next().is_none() {
        return usage!("{subject} has no value");
    }
    let is_item = |text: &str| {
        !text.contains(['(', ')', '[', ']']) && !text.split_once('=').is_some_and(|(key, _)| is_key(key.trim()))
    };
    if !items.clone().all(is_item) {
        let text = shortened(&items.collect::<Vec<_>>().join(","));
        return usage!("{subject} must be values separated by commas, without brackets or names, got `{text}`");
    }
    Ok(items)
}

fn duration(subject: &str, text: &str, unit: Unit) -> Result<Duration, UsageError> {
    Duration::parse(text, unit).map_err(|problem| UsageError(format!("{subject} {problem}")))
}

fn rate(subject: &str, text: &str) -> Result<RateValue, UsageError> {
    let (number, make): (&str, fn(f64) -> RateValue) = match text.strip_suffix('x') {
        Some(times) => (times, RateValue::TimesLr),
        None => (text, RateValue::Absolute),
    };
    match number.trim().parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(make(value)),
        _ => refuse_rate(subject, text),
    }
}

fn refuse_rate<T>(subject: &str, text: &str) -> Result<T, UsageError> {
    let text = shortened(text);
    usage!("{subject} must be a finite rate of at least 0, or a multiple of lr such as 3x, got {text}")
}

/// The absolute rate, given lr.
///
/// # Errors
/// A multiple of lr that is not finite.
pub(crate) fn rate_of(rate: RateValue, lr: f64, subject: &str) -> Result<f64, UsageError> {
    match rate.given(lr) {
        value if value.is_finite() => Ok(value),
        _ => refuse_rate(subject, &rate.show()),
    }
}

impl RateValue {
    /// The absolute rate, given lr.
    pub fn given(self, lr: f64) -> f64 {
        match self {
            Self::Absolute(rate) => rate,
            Self::TimesLr(times) => times * lr,
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Absolute(rate) => shortest(*rate),
            Self::TimesLr(times) => format!("{}x", shortest(*times)),
        }
    }

    fn scaled(self, factor: f64) -> Self {
        match self {
            Self::Absolute(rate) => Self::Absolute(rate * factor),
            Self::TimesLr(times) => Self::TimesLr(times * factor),
        }
    }
}

impl Condition {
    fn read(subject: &str, text: &str) -> Result<Self, UsageError> {
        let found = Relation::ALL.into_iter().find_map(|sign| Some((text.split_once(sign.sign())?, sign)));
        let Some(((name, number), comparison)) = found else {
            let text = shortened(text);
            return usage!("{subject} must be a condition such as epoch>=30 or val_accuracy>=0.8, got `{text}`");
        };
        let name = name.trim();
        let subject = match Metric::named(name) {
            None if name == "epoch" => Watched::Epoch(duration(&format!("{subject}: epoch"), number, Unit::Epochs)?),
            None => {
                let mut names = ["epoch"].into_iter().chain(Metric::NAMES).collect::<Vec<_>>();
                names[1..].sort_unstable();
                let (hint, text) = (did_you_mean(name, names.iter().copied()), shortened(text));
                return usage!("{subject} knows {}, got `{text}`{hint}", names.join(", "));
            }
            Some(metric) => match number.trim().parse::<f64>() {
                Ok(threshold) if threshold.is_finite() => Watched::Metric(metric, threshold),
                _ => return usage!("{subject} must compare {name} with a number, got `{}`", shortened(text)),
            },
        };
        Ok(Self { subject, comparison })
    }

    fn show(&self) -> String {
        let sign = self.comparison.sign();
        match self.subject {
            Watched::Epoch(duration) => format!("epoch{sign}{}", duration.short(Unit::Epochs)),
            Watched::Metric(metric, threshold) => format!("{}{sign}{}", metric.name(), shortest(threshold)),
        }
    }

    fn scaled(self, factor: f64) -> Self {
        let subject = match self.subject {
            Watched::Epoch(duration) => Watched::Epoch(duration.scaled(factor)),
            Watched::Metric(metric, threshold) => Watched::Metric(metric, threshold * factor),
        };
        Self { subject, ..self }
    }
}

/// The shortest decimal that round-trips.
pub(crate) fn shortest(value: f64) -> String {
    let text = format!("{value:?}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_string)
}
