//! Pure math on a clock: no candle, no clap, no files. Every formula, and nothing else.

use crate::usage::Usage;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a run stands: the step about to be applied, and how long the run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// t: the optimizer step about to be applied, 0-based, over the whole run.
    pub step: u64,
    /// S: steps per epoch.
    pub steps_per_epoch: u64,
    /// How many epochs the run has; T = epochs · S.
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

/// What a step is applied with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    pub learning_rate: f64,
    /// `None` where the schedule leaves the optimizer's momentum alone.
    pub momentum: Option<f64>,
}

/// Where frameworks disagree, do as that one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Semantics {
    #[default]
    Native,
    Torch,
    Keras,
    Optax,
}

/// What `halve` and `plateau` listen to: the epoch just finished.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochMetrics {
    /// 0-based.
    pub epoch: u64,
    pub loss: f64,
    pub accuracy: f64,
    /// `None` where nothing was held out.
    pub val_loss: Option<f64>,
    pub val_accuracy: Option<f64>,
}

/// A schedule as typed, every parameter known: `step:factor=0.5,drop-every=10`. `parse(display(s)) == s`.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    text: String,
}

impl std::str::FromStr for Spec {
    type Err = Usage;
    fn from_str(text: &str) -> Result<Self, Usage> {
        Ok(Self { text: text.to_string() })
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What a spec needs beside itself to become a function of the clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting {
    /// lr, the base learning rate.
    pub learning_rate: f64,
    pub semantics: Semantics,
    pub steps_per_epoch: u64,
    pub epochs: u64,
}

/// A schedule ready to be asked.
#[derive(Debug, Clone)]
pub struct Schedule {
    rate: f64,
}

impl Schedule {
    pub fn build(_spec: &Spec, setting: &Setting) -> Result<Self, Usage> {
        Ok(Self { rate: setting.learning_rate })
    }

    /// A pure function of the clock (and, for `halve` and `plateau`, of what has been observed so far).
    pub fn rates(&self, _clock: Clock) -> Rates {
        Rates { learning_rate: self.rate, momentum: None }
    }

    /// Called once after each epoch. Only `halve` and `plateau` listen.
    pub fn observe(&mut self, _metrics: &EpochMetrics) {}

    /// What `observe` has changed, for a checkpoint; null for a pure schedule.
    pub fn state(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    /// # Errors
    /// A state that is not of this schedule.
    pub fn restore(&mut self, _state: &serde_json::Value) -> Result<(), Usage> {
        Ok(())
    }
}
