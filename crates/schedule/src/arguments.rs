//! The inputs of a schedule's constructor: typed parameter values, and the clock it will run on.

use crate::error::UsageError;
use crate::spec::{Condition, ParameterValue, Part, RateValue, rate_of};
use crate::usage;
use crate::{Duration, Semantics};
use std::ops::Deref;

/// The part of a run that a schedule is built for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// lr: the base learning rate of the schedule.
    pub lr: f64,
    pub semantics: Semantics,
    /// S.
    pub steps_per_epoch: u64,
    /// T of the schedule's own clock, at least 1.
    pub horizon: u64,
}

impl Span {
    /// The nearest whole number of steps; percentages are of the horizon.
    pub fn whole_steps(&self, duration: impl Into<Duration>) -> u64 {
        duration.into().steps(self.steps_per_epoch, self.horizon)
    }
}

/// The values of one schedule's parameters, given or by default, and the run that they apply to.
///
/// Getters panic if the schedule's table has no parameter of that name and type.
pub struct Arguments<'a> {
    pub(crate) part: &'a Part,
    pub(crate) span: Span,
}

impl Deref for Arguments<'_> {
    type Target = Span;
    fn deref(&self) -> &Span {
        &self.span
    }
}

impl Arguments<'_> {
    /// Whether the user gave this parameter.
    pub fn given(&self, key: &str) -> bool {
        self.part.values.get(key).is_some()
    }

    fn value(&self, key: &str) -> Option<ParameterValue> {
        self.part.values.value(key)
    }

    #[track_caller]
    fn wrong<T>(&self, key: &str) -> T {
        panic!("{}: the table has no {key} of this type", self.part.name())
    }

    /// `step: drop-every must be {rule}, got {value}`.
    pub fn refuse<T>(&self, key: &str, rule: &str) -> Result<T, UsageError> {
        let value = self.part.values.shown(key);
        usage!("{}: {key} must be {rule}, got {value}", self.part.name())
    }

    /// `None` without a default, if it was not given.
    pub fn number_or_none(&self, key: &str) -> Option<f64> {
        match self.value(key) {
            Some(ParameterValue::Number(number)) => Some(number),
            None => None,
            _ => self.wrong(key),
        }
    }

    pub fn number(&self, key: &str) -> f64 {
        self.number_or_none(key).unwrap_or_else(|| self.wrong(key))
    }

    pub fn count(&self, key: &str) -> u64 {
        match self.value(key) {
            Some(ParameterValue::Count(count)) => count,
            _ => self.wrong(key),
        }
    }

    /// `None` without a default, if it was not given.
    pub fn switch_or_none(&self, key: &str) -> Option<bool> {
        match self.value(key) {
            Some(ParameterValue::Switch(on)) => Some(on),
            None => None,
            _ => self.wrong(key),
        }
    }

    pub fn switch(&self, key: &str) -> bool {
        self.switch_or_none(key).unwrap_or_else(|| self.wrong(key))
    }

    /// The variant that a word of the table stands for: `a.choice("anneal", Anneal::named)`.
    pub fn choice<T>(&self, key: &str, named: fn(&str) -> Option<T>) -> T {
        match self.value(key) {
            Some(ParameterValue::Choice(word)) => named(word).unwrap_or_else(|| self.wrong(key)),
            _ => self.wrong(key),
        }
    }

    pub fn expression(&self, key: &str) -> String {
        match self.value(key) {
            Some(ParameterValue::Expression(text)) => text,
            _ => self.wrong(key),
        }
    }

    pub fn conditions(&self, key: &str) -> Vec<Condition> {
        match self.value(key) {
            Some(ParameterValue::Conditions(conditions)) => conditions,
            _ => self.wrong(key),
        }
    }

    /// A learning rate.
    ///
    /// # Errors
    /// A multiple of lr that is not finite.
    pub fn rate(&self, key: &str) -> Result<f64, UsageError> {
        match self.value(key) {
            Some(ParameterValue::Rate(rate)) => rate_of(rate, self.lr, &self.subject(key)),
            _ => self.wrong(key),
        }
    }

    /// Several learning rates.
    ///
    /// # Errors
    /// A multiple of lr that is not finite.
    pub fn rates(&self, key: &str) -> Result<Vec<f64>, UsageError> {
        match self.value(key) {
            Some(ParameterValue::Rates(rates)) => {
                rates.into_iter().map(|rate| rate_of(rate, self.lr, &self.subject(key))).collect()
            }
            _ => self.wrong(key),
        }
    }

    /// Whether one of the rates is a multiple of lr: `0.1x`.
    pub fn multiplies_lr(&self, key: &str) -> bool {
        let multiplies = |rate: &RateValue| matches!(rate, RateValue::TimesLr(_));
        matches!(self.value(key), Some(ParameterValue::Rates(rates)) if rates.iter().any(multiplies))
    }

    fn subject(&self, key: &str) -> String {
        format!("{}: {key}", self.part.name())
    }

    pub fn duration(&self, key: &str) -> Duration {
        match self.value(key) {
            Some(ParameterValue::Duration(duration)) => duration,
            _ => self.wrong(key),
        }
    }

    /// A duration in steps, at least 1.
    pub fn steps(&self, key: &str) -> u64 {
        self.whole_steps(self.duration(key)).max(1)
    }

    /// A duration in steps, which may be 0.
    pub fn steps_or_zero(&self, key: &str) -> u64 {
        self.whole_steps(self.duration(key))
    }

    /// A duration in epochs as an exact fraction; `None` if given in steps or percent.
    pub fn epochs(&self, key: &str) -> Option<(u64, u64)> {
        self.duration(key).epochs()
    }

    /// Several durations.
    pub fn durations(&self, key: &str) -> Vec<Duration> {
        match self.value(key) {
            Some(ParameterValue::Durations(durations)) => durations,
            _ => self.wrong(key),
        }
    }
}
