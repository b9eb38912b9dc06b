//! What a schedule is built from: the typed values of its parameters, checked, and the clock it will run on.

use super::Semantics;
use super::duration::{Duration, Unit};
use crate::error::{UsageError, shortened};
use crate::spec::{Parameter, Part};
use crate::usage;

/// The parameters that every schedule takes besides its own.
const UNIVERSAL: &[Parameter] = &[
    Parameter { name: "lr", default: "", help: "base learning rate of this schedule, overriding --lr", switch: false },
    Parameter {
        name: "warmup",
        default: "",
        help: "duration of a linear warm-up before the schedule: lr·(f + (1−f)·t/W) for t < W",
        switch: false,
    },
    Parameter {
        name: "warmup-from",
        default: "0",
        help: "f: the fraction of lr at which the warm-up begins, in [0, 1]",
        switch: false,
    },
    Parameter {
        name: "for",
        default: "",
        help: "in a sequence: how long this schedule runs (without its warm-up) before the next one",
        switch: false,
    },
];

/// `lr`, `warmup`, `warmup-from` and `for`: what every schedule takes besides its own parameters.
pub fn universal() -> &'static [Parameter] {
    UNIVERSAL
}

/// Parameters that hold several values, divided by commas (or `/`).
pub const LISTS: &[&str] = &["milestones", "values", "when"];

/// The values of one schedule's parameters, given or by default, and what they are relative to.
pub struct Arguments<'a> {
    pub(super) part: &'a Part,
    /// lr.
    pub lr: f64,
    pub semantics: Semantics,
    /// S.
    pub steps_per_epoch: u64,
    /// T of this schedule's own clock, at least 1.
    pub horizon: u64,
}

impl Arguments<'_> {
    /// Whether the user gave it.
    pub fn given(&self, key: &str) -> bool {
        self.part.get(key).is_some()
    }

    /// Whether it has a value, given or by default.
    pub fn has(&self, key: &str) -> bool {
        !self.text(key).is_empty()
    }

    /// As typed; the default where it is not given.
    pub fn text(&self, key: &str) -> &str {
        self.part.get(key).unwrap_or_else(|| self.part.default(key))
    }

    /// `step: drop-every must be {rule}, got {value}`.
    pub fn refuse<T>(&self, key: &str, rule: &str) -> Result<T, UsageError> {
        let (name, value) = (self.part.name(), shortened(self.text(key)));
        if value.is_empty() {
            usage!("{name}: {key} must be given: {rule}")
        } else {
            usage!("{name}: {key} must be {rule}, got {value}")
        }
    }

    /// A finite number that `holds`; `rule` says what that means: `in (0, 1]`.
    pub fn number(&self, key: &str, rule: &str, holds: impl Fn(f64) -> bool) -> Result<f64, UsageError> {
        match self.text(key).parse::<f64>() {
            Ok(value) if value.is_finite() && holds(value) => Ok(value),
            _ => self.refuse(key, rule),
        }
    }

    /// A factor in (0, 1].
    pub fn factor(&self, key: &str) -> Result<f64, UsageError> {
        self.number(key, "in (0, 1]", |factor| factor > 0.0 && factor <= 1.0)
    }

    /// A whole number of at least `least`.
    pub fn count(&self, key: &str, least: u64) -> Result<u64, UsageError> {
        match self.text(key).parse::<u64>() {
            Ok(value) if value >= least => Ok(value),
            _ => self.refuse(key, &format!("a whole number of at least {least}")),
        }
    }

    /// A learning rate, at least 0: `0.1`, or `3x` for three times lr.
    pub fn rate(&self, key: &str) -> Result<f64, UsageError> {
        self.rate_in(key, self.text(key))
    }

    fn rate_in(&self, key: &str, text: &str) -> Result<f64, UsageError> {
        let rate = match text.strip_suffix('x') {
            Some(times) => times.parse::<f64>().map(|times| times * self.lr),
            None => text.parse::<f64>(),
        };
        match rate {
            Ok(rate) if rate.is_finite() && rate >= 0.0 => Ok(rate),
            _ => self.refuse(key, "a finite rate of at least 0, or a multiple of lr such as 3x"),
        }
    }

    /// Several learning rates.
    pub fn rates(&self, key: &str) -> Result<Vec<f64>, UsageError> {
        self.list(key).map(|text| self.rate_in(key, text)).collect()
    }

    /// The items of a list.
    pub fn list(&self, key: &str) -> impl Iterator<Item = &str> {
        self.text(key).split(',').map(str::trim).filter(|item| !item.is_empty())
    }

    pub fn switch(&self, key: &str) -> Result<bool, UsageError> {
        match self.text(key) {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => self.refuse(key, "true or false"),
        }
    }

    /// One of several words.
    pub fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Result<T, UsageError> {
        match choices.iter().find(|(word, _)| *word == self.text(key)) {
            Some(&(_, value)) => Ok(value),
            None => {
                let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
                self.refuse(key, &format!("one of {}", words.join(", ")))
            }
        }
    }

    /// A duration above 0, in steps, at least 1.
    pub fn steps(&self, key: &str) -> Result<u64, UsageError> {
        match self.duration(key, self.text(key))? {
            duration if !duration.is_zero() => Ok(self.whole_steps(duration).max(1)),
            // Less than a step counts as one, so the least is a step whatever a plain number counts.
            _ => self.refuse(key, "at least 1 step"),
        }
    }

    /// A duration in epochs as an exact fraction; `None` where it is given in steps or percent.
    pub fn epochs(&self, key: &str) -> Result<Option<(u64, u64)>, UsageError> {
        Ok(self.duration(key, self.text(key))?.epochs())
    }

    /// A duration in steps; 0 is allowed.
    pub fn steps_or_zero(&self, key: &str) -> Result<u64, UsageError> {
        Ok(self.whole_steps(self.duration(key, self.text(key))?))
    }

    /// Several durations in steps.
    pub fn steps_list(&self, key: &str) -> Result<Vec<u64>, UsageError> {
        self.list(key).map(|text| Ok(self.whole_steps(self.duration(key, text)?))).collect()
    }

    /// Several durations in steps; those in epochs are over when an epoch begins, and so take whole ones.
    pub fn steps_list_of_whole_epochs(&self, key: &str) -> Result<Vec<u64>, UsageError> {
        let whole = |duration| match duration {
            Duration::Epochs(epochs) => Duration::Epochs(epochs.ceil()),
            other => other,
        };
        self.list(key).map(|text| Ok(self.whole_steps(whole(self.duration(key, text)?)))).collect()
    }

    fn duration(&self, key: &str, text: &str) -> Result<Duration, UsageError> {
        Duration::parse(text, Unit::of(key))
            .map_err(|problem| UsageError(format!("{}: {key} {problem}", self.part.name())))
    }

    fn whole_steps(&self, duration: Duration) -> u64 {
        duration.steps(self.steps_per_epoch, self.horizon)
    }
}
