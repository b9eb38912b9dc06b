//! A range test, resolved.

use super::settings::takes_of_run;
use super::{CommandName, Mode, RunConfig};
use crate::optim::check_rate;
use crate::usage;
use crate::usage::Usage;
use anyhow::Result;
use serde::{Serialize, Serializer};

/// A table of as many iterations is several hundred megabytes.
const MOST_STEPS: u64 = 10_000_000;
/// More seeds of one test tell nothing new.
const MOST_SEEDS: u64 = 1000;

/// How long a test is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    Epochs(u64),
    Steps(u64),
}

/// A range test, resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct FindConfig {
    /// What is trained, and the first seed. Its rate, schedule and epochs play no part.
    pub run: RunConfig,
    pub mode: Mode,
    pub min_lr: f64,
    pub max_lr: f64,
    pub length: Length,
    /// Iterations from one evaluation to the next; `None`: so that there are about 100.
    pub eval_every: Option<u64>,
    /// Validation images that each evaluation looks at, always the same.
    pub eval_images: usize,
    /// β of the smoothed loss.
    pub smoothing: f64,
    pub seeds: u64,
}

/// As a config file that finds the same again.
impl Serialize for FindConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.table().map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl FindConfig {
    /// # Errors
    /// Bounds that are none, a length of less than 2 iterations, a count of 0, a β outside [0, 1).
    pub fn check(&self) -> Result<(), Usage> {
        let Self { min_lr, max_lr, .. } = self;
        for (name, rate) in [("min-lr", min_lr), ("max-lr", max_lr)] {
            check_rate::<f32>(name, *rate)?;
        }
        if min_lr >= max_lr {
            return usage!("min-lr must be below max-lr, got {min_lr} and {max_lr}");
        }
        match self.length {
            Length::Epochs(0) => return usage!("epochs must be at least 1, got 0"),
            Length::Steps(steps) if !(2..=MOST_STEPS).contains(&steps) => {
                return usage!("steps must be from 2 to {MOST_STEPS}, got {steps}");
            }
            _ => {}
        }
        if self.eval_every == Some(0) {
            return usage!("eval-every must be at least 1 iteration, got 0");
        }
        if self.eval_images == 0 {
            return usage!("eval-images must be at least 1, got 0");
        }
        if !(0.0..1.0).contains(&self.smoothing) {
            return usage!("smoothing must be from 0 up to, not including, 1, got {}", self.smoothing);
        }
        if !(1..=MOST_SEEDS).contains(&self.seeds) {
            return usage!("seeds must be from 1 to {MOST_SEEDS}, got {}", self.seeds);
        }
        self.run.check_seeds(self.seeds)
    }

    /// The settings under the names of the command line: a config file that finds the same again.
    ///
    /// # Errors
    /// None that a checked config can have.
    pub fn table(&self) -> Result<toml::Table> {
        let mut table = toml::Table::try_from(&self.run)?;
        table.retain(|key, _| takes_of_run(CommandName::Find, key));
        let whole = |number: u64| toml::Value::Integer(number.cast_signed());
        let (length, count) = match self.length {
            Length::Epochs(epochs) => ("epochs", epochs),
            Length::Steps(steps) => ("steps", steps),
        };
        let own = [
            ("mode", self.mode.name().into()),
            ("min-lr", self.min_lr.into()),
            ("max-lr", self.max_lr.into()),
            (length, whole(count)),
            ("eval-images", whole(self.eval_images as u64)),
            ("smoothing", self.smoothing.into()),
            ("seeds", whole(self.seeds)),
        ];
        let own = own.into_iter().chain(self.eval_every.map(|every| ("eval-every", whole(every))));
        table.extend(own.map(|(key, value)| (key.to_string(), value)));
        Ok(table)
    }

    /// The number of iterations, where an epoch has `steps_per_epoch` steps.
    ///
    /// # Errors
    /// Fewer than 2, or more than a table holds.
    pub fn steps(&self, steps_per_epoch: u64) -> Result<u64, Usage> {
        let steps = match self.length {
            Length::Epochs(epochs) => epochs.saturating_mul(steps_per_epoch),
            Length::Steps(steps) => steps,
        };
        if !(2..=MOST_STEPS).contains(&steps) {
            return usage!("a range test takes from 2 to {MOST_STEPS} iterations, got {steps}; say --steps");
        }
        Ok(steps)
    }
}
