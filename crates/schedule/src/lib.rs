#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod arguments;
mod builder;
pub mod code;
mod duration;
mod error;
/// For lrsched itself; not a stable interface.
#[doc(hidden)]
pub mod hint;
mod inspect;
/// For lrsched itself; not a stable interface.
#[doc(hidden)]
pub mod number;
mod relative;
pub mod schedules;
mod sequence;
pub mod spec;

pub use arguments::{Arguments, Span};
pub use builder::{Amount, Epochs, Percent, Sequence, Steps};
pub use duration::{Duration, Unit};
pub use error::{UsageError, one_line, shortened};
pub use inspect::{Rest, uses_base_rate, warnings, warnings_of_rest};
pub use relative::Relative;
pub use schedules::table;
pub use sequence::{Schedule, total_steps};
pub use spec::{Spec, universal};

use crate::code::{Code, Known};
use crate::hint::did_you_mean;
use crate::spec::Entry;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A row of the table of schedules: a schedule's entry and constructor.
#[derive(Debug, Clone, Copy)]
pub struct ScheduleRow {
    entry: Entry,
    /// The frameworks that have this schedule, under any name; the semantics of other frameworks fall back to native.
    frameworks: &'static [Semantics],
    build: fn(&Arguments) -> Result<Box<dyn Formula>, UsageError>,
}

/// A schedule on its own clock: `t` counts from the schedule's start and exceeds its horizon by at most one step.
pub trait Formula: CloneFormula + fmt::Debug + Send + Sync {
    /// The rates of step `t`.
    fn rates(&self, t: u64) -> Rates;

    /// Called at the end of an epoch; `next` is the first step after it. Rates at earlier steps do not change.
    fn observe(&mut self, _next: u64, _metrics: &EpochMetrics) {}

    /// Warnings about its parameters in this run, one line each: `the rate cannot drop: factor is 1`.
    fn cautions(&self) -> Vec<String> {
        Vec::new()
    }

    /// The peak, floor and length that it is meant to have; `warnings` reports those that the run does not reach.
    fn outline(&self) -> Outline {
        Outline::default()
    }

    /// Whether it applies lr itself at some step. `false` where lr only scales other rates, or is not used.
    fn applies_lr(&self) -> bool {
        true
    }

    /// Whether lr is given a part in the rates, even if it affects none of them before a late step, or none at all: an expression that
    /// names lr, a list with a multiple of it. `false` where every step of any run tells.
    fn names_lr(&self) -> bool {
        false
    }

    /// The same rates as an expression of the step, for programs in other languages; `None` if it is none.
    fn code(&self) -> Option<Code> {
        None
    }

    /// Which of the curves that frameworks have a class for it is.
    fn known(&self) -> Option<Known> {
        None
    }

    /// The metrics that [`observe`](Formula::observe) uses.
    fn listens_to(&self) -> Vec<Metric> {
        Vec::new()
    }

    /// What [`observe`](Formula::observe) has changed, for a checkpoint; null if nothing can change.
    fn state(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    /// # Errors
    /// The state belongs to another schedule.
    fn restore(&mut self, state: &serde_json::Value) -> Result<(), UsageError> {
        if state.is_null() { Ok(()) } else { usage!("the saved state is of another schedule") }
    }
}

/// The landmarks of a schedule on its own clock. `warnings` compares the run with them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Outline {
    /// The rate that it rises to.
    pub peak: Option<f64>,
    /// The step at which it first reaches its peak.
    pub top: Option<f64>,
    /// Whether the schedule itself rises to the peak, rather than a warm-up.
    pub rises: bool,
    /// The length of its first cycle in steps, if it falls to its floor repeatedly.
    pub cycle: Option<u64>,
    /// The rate that it falls to.
    pub floor: Option<f64>,
    /// The step after which the rate stays constant.
    pub end: Option<u64>,
    /// Whether its rates are given one by one, so that one which only rises is meant.
    pub free: bool,
}

/// Cloning behind a `Box<dyn Formula>`.
pub trait CloneFormula {
    fn boxed(&self) -> Box<dyn Formula>;
}

impl<T: Formula + Clone + 'static> CloneFormula for T {
    fn boxed(&self) -> Box<dyn Formula> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn Formula> {
    fn clone(&self) -> Self {
        (**self).boxed()
    }
}

/// A position in a run: the step about to be applied, and the length of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// t: the optimizer step about to be applied, 0-based, over the whole run.
    pub step: u64,
    /// S: steps per epoch.
    pub steps_per_epoch: u64,
    /// The length of the run in epochs; T = epochs · S.
    pub epochs: u64,
}

impl Clock {
    /// e = ⌊t / S⌋, 0-based.
    pub fn epoch(self) -> u64 {
        self.step / self.steps_per_epoch
    }

    /// T.
    pub fn total_steps(self) -> u64 {
        self.epochs * self.steps_per_epoch
    }
}

/// The rates that a step is applied with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    pub learning_rate: f64,
    /// `None` if the schedule does not set the optimizer's momentum.
    pub momentum: Option<f64>,
}

impl Rates {
    /// A rate without a momentum.
    pub fn of(learning_rate: f64) -> Self {
        Self { learning_rate, momentum: None }
    }
}

/// Which framework to follow where they disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Semantics {
    #[default]
    Native,
    Torch,
    Keras,
    Optax,
}

impl Semantics {
    pub const ALL: [Self; 4] = [Self::Native, Self::Torch, Self::Keras, Self::Optax];
    const FRAMEWORKS: &[Self] = &[Self::Torch, Self::Keras, Self::Optax];

    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Torch => "torch",
            Self::Keras => "keras",
            Self::Optax => "optax",
        }
    }
}

impl fmt::Display for Semantics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Semantics {
    type Err = UsageError;
    fn from_str(text: &str) -> Result<Self, UsageError> {
        Self::ALL.into_iter().find(|semantics| semantics.name() == text).ok_or_else(|| {
            let (names, text_shown) = (Self::ALL.map(Self::name), shortened(text));
            let hint = did_you_mean(text, names);
            UsageError(format!("semantics: `{text_shown}` is none of {}{hint}", names.join(", ")))
        })
    }
}

/// The metrics of the epoch just finished, for `halve` and `plateau`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochMetrics {
    /// 0-based.
    pub epoch: u64,
    pub loss: f64,
    pub accuracy: f64,
    /// `None` if there is no validation split.
    pub val_loss: Option<f64>,
    pub val_accuracy: Option<f64>,
}

spec::words! {
    /// A metric in [`EpochMetrics`], validation metrics first; its name is that of its column in `metrics.csv`.
    pub enum Metric {
        ValLoss = "val_loss",
        ValAccuracy = "val_accuracy",
        Loss = "loss",
        Accuracy = "accuracy",
    }
}

impl Metric {
    /// `None` if the epoch lacks this metric.
    pub fn of(self, metrics: &EpochMetrics) -> Option<f64> {
        match self {
            Self::Loss => Some(metrics.loss),
            Self::Accuracy => Some(metrics.accuracy),
            Self::ValLoss => metrics.val_loss,
            Self::ValAccuracy => metrics.val_accuracy,
        }
    }

    /// Whether higher is better.
    pub fn grows(self) -> bool {
        matches!(self, Self::Accuracy | Self::ValAccuracy)
    }
}

/// What a spec needs to become a function of the clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RunShape {
    /// lr, the base learning rate of specs and of custom formulas. The rate that a builder is made with takes precedence.
    pub learning_rate: f64,
    pub semantics: Semantics,
    pub steps_per_epoch: u64,
    pub epochs: u64,
}

impl RunShape {
    /// A run with native semantics.
    pub fn new(learning_rate: f64, epochs: u64, steps_per_epoch: u64) -> Self {
        Self { learning_rate, semantics: Semantics::Native, steps_per_epoch, epochs }
    }

    /// The same run under other semantics.
    pub fn with(self, semantics: Semantics) -> Self {
        Self { semantics, ..self }
    }

    /// T.
    pub fn total_steps(&self) -> u64 {
        self.epochs * self.steps_per_epoch
    }
}
