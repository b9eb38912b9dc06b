//! The learning rate range test: a network trained while its rate climbs, to see which rates it learns at.
//!
//! Smith (2015) proposed it to find the bounds of a cyclical rate, fastai made it popular. Everything happens in memory, on a network of
//! its own: no run is ever changed by it.

mod folder;
mod mode;

pub use folder::{FindDirectory, FindInfo, Found, Tested};
pub use mode::Mode;

use crate::config::RunConfig;
use crate::data::Dataset;
use crate::optim::check_rate;
use crate::record::RangeRow;
use crate::stats::Smoothing;
use crate::train::{Control, Probe, Run};
use crate::usage;
use crate::usage::Usage;
use anyhow::Result;
use serde::Serialize;

/// A test ends once the smoothed loss is this many times the best one (fastai).
const DIVERGED: f64 = 4.0;
/// A table of as many iterations is several hundred megabytes.
const MOST_STEPS: u64 = 10_000_000;
/// More seeds of one test tell nothing new.
const MOST_SEEDS: u64 = 1000;
/// Evaluations in a test whose `--eval-every` was not given.
const EVALUATIONS: u64 = 100;

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

    /// Finds what is wrong with the images, without building the network.
    ///
    /// # Errors
    /// As [`Run::check`]; a length in epochs that comes to too few or too many iterations.
    pub fn check_with(&self, dataset: &Dataset) -> Result<()> {
        Run::check(&self.run, dataset)?;
        let images = dataset.split(self.run.validation, self.run.train_limit)?.train.len();
        self.steps(images.div_ceil(self.run.batch_size.images(images)?) as u64)?;
        Ok(())
    }

    /// The settings under the names of the command line: a config file that finds the same again.
    ///
    /// # Errors
    /// None that a checked config can have.
    pub fn table(&self) -> Result<toml::Table> {
        let mut table = toml::Table::try_from(&self.run)?;
        table.retain(|key, _| !["lr", "schedule", "epochs", "log-steps"].contains(&key));
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

    /// Iterations, where an epoch has `steps_per_epoch`.
    ///
    /// # Errors
    /// Fewer than 2, or more than a table holds.
    fn steps(&self, steps_per_epoch: u64) -> Result<u64, Usage> {
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

/// Why a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// At the last iteration.
    Whole,
    /// The smoothed loss was more than four times the best one.
    Diverged,
    /// The loss was NaN or infinite.
    NotANumber,
    /// Somebody asked for it.
    Stopped,
}

/// One test of one seed, ready to start.
pub struct RangeTest<'a> {
    config: &'a FindConfig,
    probe: Probe<'a>,
    steps: u64,
    eval_every: u64,
}

impl<'a> RangeTest<'a> {
    /// `run` is that of `config` with the seed of this test.
    ///
    /// # Errors
    /// As [`Run::new`]; a length in epochs that comes to too few or too many iterations.
    pub fn new(config: &'a FindConfig, run: &'a RunConfig, dataset: &Dataset, threads: usize) -> Result<Self> {
        let probe = Probe::new(run, dataset, threads, config.eval_images)?;
        let steps = config.steps(probe.steps_per_epoch())?;
        let eval_every = config.eval_every.unwrap_or_else(|| (steps / EVALUATIONS).max(1));
        Ok(Self { config, probe, steps, eval_every })
    }

    pub fn steps(&self) -> u64 {
        self.steps
    }

    pub fn kernels(&self) -> &'static str {
        self.probe.kernels()
    }

    /// Trains, and tells `see` of every iteration, until the end or until `control` says stop. The row of the iteration that ends the test is
    /// one of them.
    pub fn run(mut self, control: &Control, see: &mut dyn FnMut(&RangeRow) -> Result<()>) -> Result<Ended> {
        let mut smoothing = Smoothing::new(self.config.smoothing);
        let mut best = f64::INFINITY;
        for iteration in 0..self.steps {
            let learning_rate = self.config.mode.rate(iteration, self.steps, self.config.min_lr, self.config.max_lr);
            let loss = self.probe.step(learning_rate)?;
            let smoothed_loss = smoothing.push(loss);
            let ended = if !loss.is_finite() {
                Some(Ended::NotANumber)
            } else if smoothed_loss > DIVERGED * best {
                Some(Ended::Diverged)
            } else {
                let whole = iteration + 1 == self.steps;
                whole.then_some(Ended::Whole).or(control.stopping().map(|_| Ended::Stopped))
            };
            let evaluate = loss.is_finite() && (iteration % self.eval_every == 0 || ended == Some(Ended::Whole));
            let val_accuracy = if evaluate { Some(self.probe.accuracy()?) } else { None };
            let momentum = self.probe.momentum();
            see(&RangeRow { iteration, learning_rate, momentum, loss, smoothed_loss, val_accuracy })?;
            if let Some(ended) = ended {
                return Ok(ended);
            }
            best = best.min(smoothed_loss);
        }
        Ok(Ended::Whole)
    }
}
